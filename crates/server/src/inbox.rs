//! Events of one socket, in the order they arrived.
//!
//! The engine runs an asynchronous handler per event, out of order. So the handler here is synchronous: it decodes, puts the
//! event into a bounded queue, and one task per socket reads from it.

use std::convert::Infallible;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use pizzapi_protocol::events::{DecodeError, EventTable, ReplyFn};
use serde_json::value::RawValue;
use socketioxide::adapter::LocalAdapter;
use socketioxide::extract::{AckSender, SocketRef};
use socketioxide::handler::message::FromMessageParts;
use socketioxide::handler::{FromMessage, Value};
use socketioxide::socket::{DisconnectReason, Socket};
use tokio::sync::mpsc;

/// An acknowledgement that finds the socket's buffer full is tried again this often …
const ACK_RETRY: Duration = Duration::from_millis(10);
/// … for this long, unless the socket closes first.
const ACK_GIVE_UP: Duration = Duration::from_secs(30);

/// How much may wait in one socket's queue, and what happens beyond.
#[derive(Debug)]
pub struct Bounds<T> {
    pub events: usize,
    pub bytes: usize,
    /// Events that the next one of their kind supersedes: when half of the room is taken, they are left out.
    pub sheds: fn(&T) -> bool,
}

impl<T> Clone for Bounds<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Bounds<T> {}

/// What arrived.
#[derive(Debug)]
pub enum Arrived<T> {
    Event(T),
    /// A known event whose payload is not what it must be.
    Malformed(DecodeError),
}

/// Reading end: one task per socket owns it.
pub struct Mailbox<T> {
    queue: mpsc::Receiver<(Arrived<T>, usize)>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    bytes: AtomicUsize,
    closed: Mutex<Option<DisconnectReason>>,
    /// This client keeps no copy of what it sent: instead of disconnecting it, leave out and note that something is missing.
    tolerant: AtomicBool,
    lost: AtomicBool,
}

impl<T: EventTable> Mailbox<T> {
    /// Let `socket` deliver into a new mailbox. Must run before CONNECT is answered, or a fast client's first events are lost.
    pub fn mount(socket: &SocketRef, bounds: Bounds<T>) -> Self {
        let (sender, queue) = mpsc::channel(bounds.events);
        let shared = Arc::new(Shared::default());
        let door = Arc::new(Mutex::new(Some(sender)));
        socket.on_fallback({
            let (shared, door) = (shared.clone(), door.clone());
            move |frame: Frame<T>| {
                if let Some(sender) = &*door.lock() {
                    frame.deliver(sender, &shared, bounds);
                }
                std::future::ready(())
            }
        });
        socket.on_disconnect({
            let shared = shared.clone();
            move |reason: DisconnectReason| {
                *shared.closed.lock() = Some(reason);
                // What arrived before is still read; then the mailbox ends.
                door.lock().take();
                std::future::ready(())
            }
        });
        Self { queue, shared }
    }

    /// The next event; `None` once the socket is gone and everything was read.
    pub async fn recv(&mut self) -> Option<Arrived<T>> {
        let (arrived, bytes) = self.queue.recv().await?;
        self.shared.bytes.fetch_sub(bytes, Ordering::Relaxed);
        Some(arrived)
    }

    /// Everything that waits, at most `limit`; at least one. Returns how many; 0 once the socket is gone.
    pub async fn recv_many(&mut self, into: &mut Vec<Arrived<T>>, limit: usize) -> usize {
        let Some(first) = self.recv().await else { return 0 };
        into.push(first);
        let mut count = 1;
        while count < limit {
            let Ok((arrived, bytes)) = self.queue.try_recv() else { break };
            self.shared.bytes.fetch_sub(bytes, Ordering::Relaxed);
            into.push(arrived);
            count += 1;
        }
        count
    }

    /// Why the socket went; `None` while it is there.
    pub fn closed(&self) -> Option<DisconnectReason> {
        *self.shared.closed.lock()
    }

    /// For clients that cannot send again: what does not fit is left out, and [`Self::take_lost`] tells.
    pub fn tolerate(&self, tolerant: bool) {
        self.shared.tolerant.store(tolerant, Ordering::Relaxed);
    }

    /// Was anything left out since the last time this was asked?
    pub fn take_lost(&self) -> bool {
        self.shared.lost.swap(false, Ordering::Relaxed)
    }
}

/// One packet as the engine hands it over.
struct Frame<T> {
    text: Value,
    ack_id: Option<i64>,
    socket: Arc<Socket<LocalAdapter>>,
    table: PhantomData<fn() -> T>,
}

impl<T> FromMessage<LocalAdapter> for Frame<T> {
    type Error = Infallible;

    fn from_message(socket: Arc<Socket<LocalAdapter>>, text: Value, ack_id: Option<i64>) -> Result<Self, Infallible> {
        Ok(Self { text, ack_id, socket, table: PhantomData })
    }
}

impl<T: EventTable> Frame<T> {
    fn deliver(self, sender: &mpsc::Sender<(Arrived<T>, usize)>, shared: &Arc<Shared>, bounds: Bounds<T>) {
        let Some(text) = self.text.as_str() else { return };
        let Some((name, payload)) = split(text) else { return };
        let bytes = text.len();
        let reply = self.ack_id.map(|id| reply(self.socket.clone(), id));
        let arrived = match T::decode(&name, payload, reply) {
            Ok(Some(event)) => Arrived::Event(event),
            // Names we do not know are how newer clients announce themselves.
            Ok(None) => return,
            Err(error) => Arrived::Malformed(error),
        };
        let is_half_full =
            sender.capacity() < bounds.events / 2 || shared.bytes.load(Ordering::Relaxed) > bounds.bytes / 2;
        if is_half_full
            && let Arrived::Event(event) = &arrived
            && (bounds.sheds)(event)
        {
            return;
        }
        let waiting = shared.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        // One large packet alone always fits.
        let is_too_much = waiting > bounds.bytes && waiting > bytes;
        if is_too_much || sender.try_send((arrived, bytes)).is_err() {
            shared.bytes.fetch_sub(bytes, Ordering::Relaxed);
            if shared.tolerant.load(Ordering::Relaxed) {
                shared.lost.store(true, Ordering::Relaxed);
                return;
            }
            tracing::warn!(socket.id = %self.socket.id, namespace = T::NAMESPACE, waiting, "a client outran its mailbox; disconnecting it");
            if let Err(error) = self.socket.clone().disconnect() {
                tracing::debug!(socket.id = %self.socket.id, %error, "the socket was already going");
            }
        }
    }
}

/// Name and first argument of `["name", argument, …]`.
fn split(text: &str) -> Option<(std::borrow::Cow<'_, str>, Option<&str>)> {
    // Every client we know writes names without escapes, and one argument: then no parser has to walk over the payload twice.
    if let Some(rest) = text.strip_prefix("[\"")
        && let Some(end) = rest.find(['"', '\\'])
        && rest.as_bytes()[end] == b'"'
    {
        let name = &rest[..end];
        let after = &rest[end + 1..];
        if after == "]" {
            return Some((name.into(), None));
        }
        let argument = after.strip_prefix(',')?.strip_suffix(']')?;
        if argument.starts_with('{') && argument.ends_with('}') && serde_json::from_str::<&RawValue>(argument).is_ok() {
            return Some((name.into(), Some(argument)));
        }
    }
    let parts: Vec<&RawValue> = serde_json::from_str(text).ok()?;
    let name: String = serde_json::from_str(parts.first()?.get()).ok()?;
    Some((name.into(), parts.get(1).map(|argument| argument.get())))
}

fn reply(socket: Arc<Socket<LocalAdapter>>, ack_id: i64) -> ReplyFn {
    Box::new(move |answer| {
        if send_ack(&socket, ack_id, &answer) {
            return;
        }
        tokio::spawn(async move {
            let give_up = tokio::time::Instant::now() + ACK_GIVE_UP;
            while socket.connected() && tokio::time::Instant::now() < give_up {
                tokio::time::sleep(ACK_RETRY).await;
                if send_ack(&socket, ack_id, &answer) {
                    return;
                }
            }
        });
    })
}

/// Says whether nothing remains to be done: sent, or nobody is there any more.
fn send_ack(socket: &Arc<Socket<LocalAdapter>>, ack_id: i64, answer: &RawValue) -> bool {
    let mut unused = Value::Bytes(bytes::Bytes::new());
    let Ok(sender) = AckSender::<LocalAdapter>::from_message_parts(socket, &mut unused, &Some(ack_id));
    let sent = if answer.get() == "null" { sender.send(&()) } else { sender.send(answer) };
    match sent {
        Err(socketioxide::SendError::Socket(socketioxide::SocketError::InternalChannelFull)) => false,
        Ok(()) | Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_taken_apart() {
        assert_eq!(split(r#"["a"]"#), Some(("a".into(), None)));
        assert_eq!(split(r#"["a",{"b":[1]}]"#), Some(("a".into(), Some(r#"{"b":[1]}"#))));
        assert_eq!(split(r#"["a",{"b":1},{"c":2}]"#), Some(("a".into(), Some(r#"{"b":1}"#))));
        assert_eq!(split(r#"["\u0061",1]"#), Some(("a".into(), Some("1"))));
        assert_eq!(split(r#"[1]"#), None);
    }
}

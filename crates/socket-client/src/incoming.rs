//! The receiving side: what happened on a namespace, in order, decoded when the consumer takes it.

use std::marker::PhantomData;
use std::time::Duration;

use pizzapi_protocol::events::{EventTable, ReplyFn};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::engine::Frame;
use crate::error::Reason;
use crate::link::Link;
use crate::packet::{self, Packet};

/// What happened on a namespace.
#[derive(Debug)]
pub enum Signal<T> {
    /// Joined. What is sent through `link` stays on this connection.
    Connected {
        sid: String,
        link: Link,
    },
    Event(T),
    /// The connection of the last `Connected` is gone; the next one is being prepared unless the client was stopped.
    Disconnected {
        reason: Reason,
    },
    /// The server refused to let us in, with this text. `retry_in: None`: we will not ask again.
    Rejected {
        message: String,
        retry_in: Option<Duration>,
    },
}

pub(crate) enum RawSignal {
    Connected(Link),
    /// A whole engine message that is known to hold an event packet.
    Event(Utf8Bytes, Link),
    Disconnected(Reason),
    Rejected {
        message: String,
        retry_in: Option<Duration>,
    },
}

pub(crate) struct Queued {
    pub signal: RawSignal,
    pub _budget: Option<OwnedSemaphorePermit>,
}

/// Everything that happens on one namespace, in order. Not taking it slows the server down; dropping it disconnects.
#[derive(Debug)]
pub struct Incoming<T> {
    signals: mpsc::Receiver<Queued>,
    table: PhantomData<fn() -> T>,
}

impl<T: EventTable> Incoming<T> {
    pub(crate) fn new(signals: mpsc::Receiver<Queued>) -> Self {
        Self { signals, table: PhantomData }
    }

    /// The next thing that happened; `None` after the client was closed. Cancel safe.
    pub async fn recv(&mut self) -> Option<Signal<T>> {
        loop {
            let queued = self.signals.recv().await?;
            if let Some(signal) = decode(queued.signal) {
                return Some(signal);
            }
        }
    }

    /// Something that already happened, or `None`.
    pub fn try_recv(&mut self) -> Option<Signal<T>> {
        loop {
            let queued = self.signals.try_recv().ok()?;
            if let Some(signal) = decode(queued.signal) {
                return Some(signal);
            }
        }
    }
}

fn decode<T: EventTable>(signal: RawSignal) -> Option<Signal<T>> {
    match signal {
        RawSignal::Connected(link) => Some(Signal::Connected { sid: link.sid().to_owned(), link }),
        RawSignal::Disconnected(reason) => Some(Signal::Disconnected { reason }),
        RawSignal::Rejected { message, retry_in } => Some(Signal::Rejected { message, retry_in }),
        RawSignal::Event(text, link) => decode_event(&text, link).map(Signal::Event),
    }
}

/// Unknown names are how the protocol grows, and one malformed event must not end a daemon: both are passed over.
fn decode_event<T: EventTable>(text: &str, link: Link) -> Option<T> {
    let Ok(Frame::Message(text)) = Frame::decode(text) else { return None };
    let Ok(Packet::Event { id, data, .. }) = packet::decode(text) else { return None };
    let event = match packet::event_data(data) {
        Ok(event) => event,
        Err(error) => {
            tracing::warn!(namespace = T::NAMESPACE, %error, "ignored a malformed event");
            return None;
        }
    };
    let reply = id.map(|id| -> ReplyFn { Box::new(move |answer| link.reply(id, &answer)) });
    match T::decode(&event.name, event.args.first().map(|raw| raw.get()), reply) {
        Ok(Some(decoded)) => Some(decoded),
        Ok(None) => {
            tracing::debug!(namespace = T::NAMESPACE, event = %event.name, "ignored an unknown event");
            None
        }
        Err(error) => {
            tracing::warn!(namespace = T::NAMESPACE, %error, "ignored an event");
            None
        }
    }
}

//! What one socket is sent.
//!
//! The engine's buffer counts packets and refuses when it is full. What must not get lost waits here, in order and bounded; a
//! peer that lets even that overflow is disconnected, and resumes.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use pizzapi_protocol::RawJson;
use pizzapi_protocol::events::Event;
use serde::Serialize;
use serde::de::DeserializeOwned;
use socketioxide::ack::AckStream;
use socketioxide::extract::SocketRef;
use socketioxide::socket::Sid;
use socketioxide::{AckError, SendError, SocketError};

/// How often a full buffer is tried again.
pub const RETRY: Duration = Duration::from_millis(10);
/// Bounds of what waits for one socket.
const MAX_FRAMES: usize = 8192;
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// Sending end of one socket. Cheap to clone.
#[derive(Clone)]
pub struct Outbox {
    inner: Arc<Inner>,
}

struct Inner {
    socket: SocketRef,
    waiting: Mutex<Waiting>,
    /// Somebody empties `waiting`.
    draining: AtomicBool,
}

#[derive(Default)]
struct Waiting {
    frames: VecDeque<(&'static str, RawJson)>,
    bytes: usize,
}

/// Why a peer did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    #[error("the connection is gone")]
    Gone,
    #[error("no answer in time")]
    TimedOut,
    #[error("the answer is not what it must be: {0}")]
    Malformed(String),
}

/// The socket is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection is gone")]
pub struct Gone;

impl Outbox {
    pub fn new(socket: SocketRef) -> Self {
        Self { inner: Arc::new(Inner { socket, waiting: Mutex::default(), draining: AtomicBool::new(false) }) }
    }

    pub fn id(&self) -> Sid {
        self.inner.socket.id
    }

    pub fn is_connected(&self) -> bool {
        self.inner.socket.connected()
    }

    /// Close the namespace for this client.
    pub fn disconnect(&self) {
        if let Err(error) = self.inner.socket.clone().disconnect() {
            // The buffer is full: the packet that says goodbye has to wait like everything else.
            let socket = self.inner.socket.clone();
            tracing::debug!(socket.id = %socket.id, %error, "a goodbye waits for room");
            tokio::spawn(async move {
                for _ in 0..500 {
                    tokio::time::sleep(RETRY).await;
                    if !socket.connected() || socket.clone().disconnect().is_ok() {
                        return;
                    }
                }
            });
        }
    }

    /// Send, or keep until there is room. Order is kept.
    pub fn emit<E: Event>(&self, payload: &E::Payload) {
        self.send(E::NAME, payload);
    }

    /// [`Self::emit`] for a body that was serialised before.
    pub fn send<T: Serialize + ?Sized>(&self, name: &'static str, payload: &T) {
        let mut waiting = self.inner.waiting.lock();
        if waiting.frames.is_empty() {
            match self.inner.socket.emit(name, payload) {
                Ok(()) | Err(SendError::Socket(SocketError::Closed)) => return,
                Err(SendError::Serialize(error)) => {
                    tracing::error!(event = name, %error, "an event does not serialise");
                    return;
                }
                Err(SendError::Socket(SocketError::InternalChannelFull)) => {}
            }
        }
        let Ok(body) = RawJson::new(payload) else { return };
        waiting.bytes += body.get().len();
        waiting.frames.push_back((name, body));
        if waiting.frames.len() > MAX_FRAMES || waiting.bytes > MAX_BYTES {
            tracing::warn!(socket.id = %self.id(), frames = waiting.frames.len(), "a peer does not read; disconnecting it");
            *waiting = Waiting::default();
            drop(waiting);
            self.disconnect();
            return;
        }
        drop(waiting);
        if !self.inner.draining.swap(true, Ordering::AcqRel) {
            tokio::spawn(drain(self.inner.clone()));
        }
    }

    /// Send when there is room, waiting for it: the caller is held back by a slow peer.
    pub async fn send_paced<T: Serialize + ?Sized>(&self, name: &'static str, payload: &T) -> Result<(), Gone> {
        loop {
            {
                let waiting = self.inner.waiting.lock();
                if waiting.frames.is_empty() {
                    match self.inner.socket.emit(name, payload) {
                        Ok(()) => return Ok(()),
                        Err(SendError::Socket(SocketError::Closed)) => return Err(Gone),
                        Err(SendError::Serialize(error)) => {
                            tracing::error!(event = name, %error, "an event does not serialise");
                            return Ok(());
                        }
                        Err(SendError::Socket(SocketError::InternalChannelFull)) => {}
                    }
                }
            }
            tokio::time::sleep(RETRY).await;
            if !self.is_connected() {
                return Err(Gone);
            }
        }
    }

    /// Send only if there is room right now; for what the next one replaces anyway.
    pub fn try_send<T: Serialize + ?Sized>(&self, name: &'static str, payload: &T) -> bool {
        let waiting = self.inner.waiting.lock();
        waiting.frames.is_empty() && self.inner.socket.emit(name, payload).is_ok()
    }

    /// Ask and wait for the acknowledgement.
    pub async fn call<E: Event>(&self, payload: &E::Payload, wait: Duration) -> Result<E::Ack, CallError>
    where
        E::Ack: DeserializeOwned + 'static,
    {
        self.call_as::<E, E::Ack>(payload, wait).await
    }

    /// [`Self::call`] with an acknowledgement read as `T`.
    pub async fn call_as<E: Event, T: DeserializeOwned + Send + 'static>(
        &self,
        payload: &E::Payload,
        wait: Duration,
    ) -> Result<T, CallError> {
        self.ask::<E, T>(payload, wait).await
    }

    /// Send now, answer later: the packet leaves with this call when there is room, in order with what is sent after it.
    pub fn ask<E: Event, T: DeserializeOwned + Send + 'static>(
        &self,
        payload: &E::Payload,
        wait: Duration,
    ) -> impl Future<Output = Result<T, CallError>> + Send + 'static {
        let give_up = tokio::time::Instant::now() + wait;
        let first = self.try_ask::<T>(E::NAME, payload, wait);
        let body =
            matches!(first, Err(SendError::Socket(SocketError::InternalChannelFull))).then(|| RawJson::new(payload));
        let this = self.clone();
        async move {
            let mut sent = first;
            let answer = loop {
                match sent {
                    Ok(answer) => break answer,
                    Err(SendError::Socket(SocketError::Closed)) => return Err(CallError::Gone),
                    Err(SendError::Serialize(error)) => return Err(CallError::Malformed(error.to_string())),
                    Err(SendError::Socket(SocketError::InternalChannelFull)) => {}
                }
                let left = give_up.saturating_duration_since(tokio::time::Instant::now());
                if left.is_zero() {
                    return Err(CallError::TimedOut);
                }
                tokio::time::sleep(RETRY).await;
                sent = match &body {
                    Some(Ok(body)) => this.try_ask::<T>(E::NAME, body, left),
                    _ => return Err(CallError::TimedOut),
                };
            };
            match answer.await {
                Ok(value) => Ok(value),
                Err(AckError::Timeout) => Err(CallError::TimedOut),
                Err(AckError::Socket(_)) => Err(CallError::Gone),
                Err(AckError::Decode(error)) => Err(CallError::Malformed(error.to_string())),
            }
        }
    }

    fn try_ask<T>(
        &self,
        name: &'static str,
        payload: &(impl Serialize + ?Sized),
        wait: Duration,
    ) -> Result<AckStream<T>, SendError> {
        let waiting = self.inner.waiting.lock();
        if waiting.frames.is_empty() {
            self.inner.socket.timeout(wait).emit_with_ack::<_, T>(name, payload)
        } else {
            Err(SendError::Socket(SocketError::InternalChannelFull))
        }
    }
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Outbox({})", self.id())
    }
}

async fn drain(inner: Arc<Inner>) {
    loop {
        {
            let mut waiting = inner.waiting.lock();
            while let Some((name, body)) = waiting.frames.front() {
                match inner.socket.emit(name, body) {
                    Err(SendError::Socket(SocketError::InternalChannelFull)) => break,
                    Err(SendError::Socket(SocketError::Closed)) => {
                        *waiting = Waiting::default();
                        break;
                    }
                    Ok(()) | Err(SendError::Serialize(_)) => {
                        let bytes = body.get().len();
                        waiting.bytes -= bytes;
                        waiting.frames.pop_front();
                    }
                }
            }
            if waiting.frames.is_empty() {
                // Under the lock: whoever adds the next frame sees that nobody drains.
                inner.draining.store(false, Ordering::Release);
                return;
            }
        }
        tokio::time::sleep(RETRY).await;
    }
}

//! The sending side: a [`Link`] is one namespace on one connection, and dies with it.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use pizzapi_protocol::events::Event;
use serde_json::value::RawValue;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::Status;
use crate::acks::Acks;
use crate::engine;
use crate::error::ClientError;
use crate::packet::push_address;

/// What all connections of one namespace share.
pub(crate) struct Core {
    pub namespace: Arc<str>,
    pub current: Mutex<Option<Link>>,
    pub acks: Mutex<Acks>,
    pub status: watch::Sender<Status>,
    /// Cancelled by `disconnect`, by dropping the last handle and by dropping the incoming side.
    pub stop: CancellationToken,
    /// Cancelled when the loop has nothing more to do for this namespace.
    pub finished: CancellationToken,
}

impl Core {
    /// The error of whoever wants to send while no connection is alive.
    pub fn absent(&self) -> ClientError {
        if self.stop.is_cancelled() || self.finished.is_cancelled() {
            ClientError::Closed
        } else {
            ClientError::Disconnected
        }
    }
}

/// A message on its way to the socket, holding its share of the byte budget.
pub(crate) struct Outgoing {
    pub text: String,
    _budget: Option<OwnedSemaphorePermit>,
}

/// The bounded queue of one connection, shared by its namespaces.
#[derive(Clone)]
pub(crate) struct Outbound {
    queue: mpsc::Sender<Outgoing>,
    budget: Arc<Semaphore>,
    budget_bytes: usize,
    limit: usize,
}

impl Outbound {
    /// `limit`: the largest single message. Units: bytes.
    pub fn new(messages: usize, budget_bytes: usize, limit: usize) -> (Self, mpsc::Receiver<Outgoing>) {
        let (queue, frames) = mpsc::channel(messages.max(1));
        let budget_bytes = budget_bytes.clamp(1, u32::MAX as usize);
        let budget = Arc::new(Semaphore::new(budget_bytes));
        (Self { queue, budget, budget_bytes, limit }, frames)
    }

    fn share(&self, text: &str) -> Result<u32, ClientError> {
        if text.len() > self.limit {
            return Err(ClientError::TooLarge { size: text.len(), limit: self.limit });
        }
        // A message larger than the whole budget takes all of it: it passes alone.
        Ok(u32::try_from(text.len().min(self.budget_bytes)).expect("the budget fits in 32 bits"))
    }

    /// For packets of the protocol itself, which are small and few.
    pub async fn send_control(&self, text: String) {
        // A closed queue means the connection is ending, and with it the need for this packet.
        let _ = self.queue.send(Outgoing { text, _budget: None }).await;
    }
}

/// One namespace on one connection. Cheap to clone.
///
/// Unlike [`crate::Handle`] it never moves on to the next connection, so what is sent through it can only follow what was
/// sent through it before.
#[derive(Clone)]
pub struct Link {
    inner: Arc<Inner>,
}

struct Inner {
    core: Arc<Core>,
    sid: String,
    outbound: Outbound,
    /// Held while a message is queued, so that nothing can follow the packet that leaves the namespace.
    alive: Mutex<bool>,
}

impl Link {
    pub(crate) fn new(core: Arc<Core>, sid: String, outbound: Outbound) -> Self {
        Self { inner: Arc::new(Inner { core, sid, outbound, alive: Mutex::new(true) }) }
    }

    /// The id the server gave to this socket.
    pub fn sid(&self) -> &str {
        &self.inner.sid
    }

    /// Does this connection still exist, as far as is known?
    pub fn is_alive(&self) -> bool {
        *self.inner.alive.lock()
    }

    /// Queue an event. `Ok`: a live connection has taken it and will send it in order; it may still be lost with that
    /// connection, only an acknowledgement proves arrival.
    pub fn emit<E: Event>(&self, payload: &E::Payload) -> Result<(), ClientError> {
        self.push(self.frame::<E>(None, payload)?)
    }

    /// Like [`Link::emit`], but waits for room in the queue instead of failing with [`ClientError::Full`].
    pub async fn emit_when_ready<E: Event>(&self, payload: &E::Payload) -> Result<(), ClientError> {
        self.push_when_ready(self.frame::<E>(None, payload)?).await
    }

    /// Send an event and wait for its acknowledgement.
    ///
    /// Do not await this in the loop that consumes [`crate::Incoming`] when many events may come before the answer: nothing
    /// is read while that loop stands still, and its queue is bounded.
    pub async fn call<E: Event>(&self, payload: &E::Payload, timeout: Duration) -> Result<E::Ack, ClientError> {
        let answer = self.ask::<E>(payload)?;
        answer.within(timeout).await
    }

    /// Send an event now; await its acknowledgement when convenient. Dropping the answer forgets it.
    pub fn ask<E: Event>(&self, payload: &E::Payload) -> Result<Answer<E>, ClientError> {
        let (id, receiver) = self.inner.core.acks.lock().register();
        let answer =
            Answer { core: self.inner.core.clone(), id, receiver, event: std::marker::PhantomData::<fn() -> E> };
        self.push(self.frame::<E>(Some(id), payload)?)?;
        Ok(answer)
    }

    fn frame<E: Event>(&self, id: Option<u64>, payload: &E::Payload) -> Result<String, ClientError> {
        let encode = |source| ClientError::Encode { event: E::NAME, source: Arc::new(source) };
        let mut text = String::with_capacity(128);
        text.push(engine::MESSAGE);
        text.push('2');
        push_address(&mut text, &self.inner.core.namespace, id);
        text.push('[');
        let mut bytes = text.into_bytes();
        serde_json::to_writer(&mut bytes, E::NAME).map_err(encode)?;
        bytes.push(b',');
        serde_json::to_writer(&mut bytes, payload).map_err(encode)?;
        bytes.push(b']');
        Ok(String::from_utf8(bytes).expect("serde_json writes UTF-8"))
    }

    fn push(&self, text: String) -> Result<(), ClientError> {
        let inner = &*self.inner;
        let share = inner.outbound.share(&text)?;
        let alive = inner.alive.lock();
        if !*alive {
            return Err(inner.core.absent());
        }
        let budget = inner.outbound.budget.clone().try_acquire_many_owned(share).map_err(|_| ClientError::Full)?;
        inner.outbound.queue.try_send(Outgoing { text, _budget: Some(budget) }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => ClientError::Full,
            mpsc::error::TrySendError::Closed(_) => inner.core.absent(),
        })
    }

    async fn push_when_ready(&self, text: String) -> Result<(), ClientError> {
        let inner = &*self.inner;
        let share = inner.outbound.share(&text)?;
        let absent = |()| inner.core.absent();
        let room = async {
            let budget = inner.outbound.budget.clone().acquire_many_owned(share).await.map_err(|_| ())?;
            Ok((inner.outbound.queue.reserve().await.map_err(|_| ())?, budget))
        };
        // The queue closes with the connection; waiting for bytes alone would outlive it.
        let (place, budget) = tokio::select! {
            room = room => room.map_err(absent)?,
            () = inner.outbound.queue.closed() => return Err(inner.core.absent()),
        };
        let alive = inner.alive.lock();
        if !*alive {
            return Err(inner.core.absent());
        }
        place.send(Outgoing { text, _budget: Some(budget) });
        Ok(())
    }

    /// Answer an event of the server.
    pub(crate) fn reply(&self, id: u64, answer: &RawValue) {
        let mut text = String::with_capacity(answer.get().len() + 32);
        text.push(engine::MESSAGE);
        text.push('3');
        push_address(&mut text, &self.inner.core.namespace, Some(id));
        text.push('[');
        text.push_str(answer.get());
        text.push(']');
        match self.push(text.clone()) {
            Ok(()) | Err(ClientError::Disconnected | ClientError::Closed) => {}
            Err(ClientError::Full) => {
                // Answers are not worth losing to a moment of congestion, and their order is free.
                let link = self.clone();
                tokio::spawn(async move {
                    if let Err(error) = link.push_when_ready(text).await {
                        tracing::debug!(%error, "an acknowledgement was lost with its connection");
                    }
                });
            }
            Err(error) => tracing::warn!(%error, "failed to acknowledge an event"),
        }
    }

    /// From now on nothing is accepted. `true`: it was alive before.
    pub(crate) fn kill(&self) -> bool {
        std::mem::replace(&mut *self.inner.alive.lock(), false)
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link")
            .field("namespace", &self.inner.core.namespace)
            .field("sid", &self.inner.sid)
            .field("alive", &self.is_alive())
            .finish()
    }
}

/// An acknowledgement that is on its way.
pub struct Answer<E: Event> {
    core: Arc<Core>,
    id: u64,
    receiver: tokio::sync::oneshot::Receiver<crate::acks::Answer>,
    event: std::marker::PhantomData<fn() -> E>,
}

impl<E: Event> Answer<E> {
    pub async fn within(mut self, timeout: Duration) -> Result<E::Ack, ClientError> {
        let answer = tokio::time::timeout(timeout, &mut self.receiver)
            .await
            .map_err(|_| ClientError::TimedOut { event: E::NAME, waited: timeout })?
            .unwrap_or(Err(ClientError::Disconnected))?;
        serde_json::from_str(answer.get())
            .map_err(|source| ClientError::Decode { event: E::NAME, source: Arc::new(source) })
    }
}

impl<E: Event> Drop for Answer<E> {
    fn drop(&mut self) {
        self.core.acks.lock().abandon(self.id);
    }
}

impl<E: Event> std::fmt::Debug for Answer<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").field("event", &E::NAME).field("id", &self.id).finish()
    }
}

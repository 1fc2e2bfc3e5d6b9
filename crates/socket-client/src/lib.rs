//! A Socket.IO v4 client (Engine.IO 4, WebSocket only) for programs that run for weeks.
//!
//! [`Client::connect`] gives a [`Handle`] to send with and an [`Incoming`] to receive from; a task in between keeps one
//! connection alive for as long as the handle exists. Everything is typed by the protocol's event tables:
//!
//! ```ignore
//! let join = Join::with_auth(|| async { Ok(json!({ "apiKey": key(), "protocolVersion": 1 })) });
//! let (handle, mut incoming) = Client::connect::<relay::FromServer>(Config::new("ws://localhost:7492"), join)?;
//! while let Some(signal) = incoming.recv().await {
//!     match signal {
//!         Signal::Connected { link, .. } => link.emit::<relay::from_client::Register>(&register)?,
//!         Signal::Event(relay::FromServer::Registered(registered)) => …,
//!         Signal::Event(_) | Signal::Disconnected { .. } | Signal::Rejected { .. } => …,
//!     }
//! }
//! ```
//!
//! What it promises: events arrive in order and are never dropped (a slow consumer slows the server); a dead peer is noticed
//! by its silence, a stalled one by a write that makes no progress; attempts go on for ever; what was sent is either taken by
//! a live connection or refused, never kept for a later one. What it leaves to its user: everything about sessions.

mod acks;
pub mod backoff;
mod config;
mod connection;
mod dial;
pub mod engine;
mod error;
mod incoming;
mod link;
pub mod packet;
mod reconnect;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use pizzapi_protocol::events::{Event, EventTable};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use backoff::BackoffPolicy;
pub use config::{
    AuthError, CONNECT_TIMEOUT, Config, INBOUND_BYTES, INBOUND_EVENTS, Join, MAX_MESSAGE_BYTES, OUTBOUND_BYTES,
    OUTBOUND_MESSAGES, OnRejection, UNAUTHORIZED_RETRY, WRITE_TIMEOUT, default_rejection,
};
pub use error::{ClientError, ConfigError, ConnectError, Reason};
pub use incoming::{Incoming, Signal};
pub use link::{Answer, Link};

use config::Endpoint;
use connection::{DRAIN_TIMEOUT, Slot, State};
use link::Core;

/// Where the connection stands, for display.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// `attempt`: failures since the last healthy connection.
    Connecting {
        attempt: u32,
    },
    Connected,
    Waiting {
        attempt: u32,
        until: Instant,
        error: String,
    },
    Closed,
}

/// Several namespaces over one connection. For a single one use [`Client::connect`].
pub struct Client {
    config: Config,
    endpoint: Endpoint,
    slots: Vec<Slot>,
}

impl Client {
    /// Connect to the one namespace of `T`, for ever. Must be called within a tokio runtime; returns at once.
    pub fn connect<T: EventTable>(config: Config, join: Join) -> Result<(Handle, Incoming<T>), ConfigError> {
        let mut client = Self::new(config)?;
        let pair = client.namespace::<T>(join)?;
        client.start();
        Ok(pair)
    }

    /// Prepare a connection; nothing happens before [`Client::start`].
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        let endpoint = config.endpoint()?;
        Ok(Self { config, endpoint, slots: Vec::new() })
    }

    /// Add the namespace of `T`. One slow consumer slows all namespaces of the connection.
    pub fn namespace<T: EventTable>(&mut self, join: Join) -> Result<(Handle, Incoming<T>), ConfigError> {
        let namespace = T::NAMESPACE;
        if !namespace.starts_with('/') || namespace.contains(',') {
            return Err(ConfigError::Namespace(namespace.to_owned()));
        }
        if self.slots.iter().any(|slot| &*slot.core.namespace == namespace) {
            return Err(ConfigError::Twice(namespace.to_owned()));
        }
        let core = Arc::new(Core {
            namespace: namespace.into(),
            current: Mutex::new(None),
            acks: Mutex::default(),
            status: watch::Sender::new(Status::Connecting { attempt: 0 }),
            stop: CancellationToken::new(),
            finished: CancellationToken::new(),
        });
        let (signals, receiver) = mpsc::channel(self.config.inbound_events.max(1));
        let budget_bytes = self.config.inbound_bytes.clamp(1, u32::MAX as usize);
        self.slots.push(Slot {
            core: core.clone(),
            join,
            signals: Some(signals),
            budget: Arc::new(Semaphore::new(budget_bytes)),
            budget_bytes,
            state: State::Preparing,
        });
        let guard = Arc::new(core.stop.clone().drop_guard());
        Ok((Handle { core, _guard: guard }, Incoming::new(receiver)))
    }

    /// Begin to connect.
    pub fn start(self) {
        tokio::spawn(reconnect::run(self.config, self.endpoint, self.slots));
    }
}

/// Sends on whichever connection is alive. Cheap to clone; dropping the last clone disconnects.
#[derive(Clone)]
pub struct Handle {
    core: Arc<Core>,
    _guard: Arc<DropGuard>,
}

impl Handle {
    /// The live connection, if there is one.
    pub fn link(&self) -> Result<Link, ClientError> {
        self.core.current.lock().clone().ok_or_else(|| self.core.absent())
    }

    /// See [`Link::emit`].
    pub fn emit<E: Event>(&self, payload: &E::Payload) -> Result<(), ClientError> {
        self.link()?.emit::<E>(payload)
    }

    /// See [`Link::emit_when_ready`].
    pub async fn emit_when_ready<E: Event>(&self, payload: &E::Payload) -> Result<(), ClientError> {
        self.link()?.emit_when_ready::<E>(payload).await
    }

    /// See [`Link::call`].
    pub async fn call<E: Event>(&self, payload: &E::Payload, timeout: Duration) -> Result<E::Ack, ClientError> {
        self.link()?.call::<E>(payload, timeout).await
    }

    pub fn is_connected(&self) -> bool {
        self.link().is_ok_and(|link| link.is_alive())
    }

    /// Calls that still wait for their acknowledgement.
    pub fn pending_acks(&self) -> usize {
        self.core.acks.lock().len()
    }

    /// Where the connection stands, and every change of it.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.core.status.subscribe()
    }

    /// Send what is queued, leave and never come back. Returns when that is done, within a few seconds in any case.
    pub async fn disconnect(&self) {
        self.core.stop.cancel();
        let patience = DRAIN_TIMEOUT + Duration::from_secs(1);
        if tokio::time::timeout(patience, self.core.finished.cancelled()).await.is_err() {
            tracing::debug!(namespace = %self.core.namespace, "the connection is slow to end");
        }
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle")
            .field("namespace", &self.core.namespace)
            .field("status", &*self.core.status.borrow())
            .finish()
    }
}

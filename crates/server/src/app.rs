//! `App`: every handle a handler may need, as one cheap clone.

use std::ops::Deref;
use std::sync::Arc;

use crate::auth::Auth;
use crate::clock::Clock;
use crate::config::ServerConfig;
use crate::db::Db;
use crate::metrics::Metrics;
use crate::push::Pusher;
use crate::shutdown::Shutdown;
use crate::socket::Live;
use crate::tasks::Tasks;

/// One server's parts.
#[derive(Clone)]
pub struct App(Arc<Inner>);

/// What [`App`] points at.
pub struct Inner {
    pub config: ServerConfig,
    /// Durable rows: accounts, history, commands, decisions.
    pub db: Db,
    /// Live state: sessions, runners and terminals, their logs, and this node's sockets.
    pub live: Live,
    pub auth: Auth,
    pub push: Pusher,
    pub clock: Clock,
    pub metrics: Metrics,
    pub shutdown: Shutdown,
    pub tasks: Tasks,
}

impl App {
    pub fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }
}

impl Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("config", &self.config).finish_non_exhaustive()
    }
}

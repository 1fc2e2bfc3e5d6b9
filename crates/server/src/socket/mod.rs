//! Socket.IO: who may connect to which namespace, and the live state behind them all.
//!
//! | namespace | who | credential |
//! | --- | --- | --- |
//! | `/relay` | a session's process | API key |
//! | `/runner` | the daemon of a machine | API key |
//! | `/viewer`, `/hub`, `/runners`, `/terminal` | pages and apps | trusted origin; API key, else login cookie |
//!
//! Handlers are mounted in the connect middleware, before CONNECT is answered, so nothing a fast client sends is lost. One task
//! per socket reads its mailbox in order.

pub mod api;
pub mod budget;
pub mod commands;
pub mod decisions;
pub mod hub;
pub mod notify;
pub mod relay;
pub mod runner;
pub mod runners;
pub mod spawn;
pub mod terminal;
pub mod viewer;

use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use dashmap::DashMap;
use futures_util::FutureExt;
use parking_lot::Mutex;
use pizzapi_protocol::events::EventTable;
use pizzapi_protocol::{UserId, refusal};
use serde::de::DeserializeOwned;
use socketioxide::SocketIo;
use socketioxide::extract::{SocketRef, TryData};
use socketioxide::layer::SocketIoLayer;
use socketioxide::socket::Sid;

use crate::app::App;
use crate::auth::{self, Principal};
use crate::clock::Clock;
use crate::config::ServerConfig;
use crate::fanout::Fanout;
use crate::feeds::Feeds;
use crate::inbox::{Bounds, Mailbox};
use crate::log::{Durability, LogOptions, Logs};
use crate::metrics::Metrics;
use crate::outbox::Outbox;
use crate::route::Routes;
use crate::store::{StoreError, Stores};
use crate::tasks::panic_text;
use crate::{db, leases};

/// The engine's own timing and sizes; published clients rely on them.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(60);
const MAX_PAYLOAD: usize = 100 * 1024 * 1024;
/// Packets the engine holds per connection before it says "full".
const ENGINE_BUFFER: usize = 128;
const ENGINE_READ_BUFFER: usize = 4 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(45);
/// No event of ours carries binary attachments.
const MAX_BINARIES: usize = 1;
/// Closing sockets may take this long.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);
/// Messages to services, per page or session and second.
const SERVICE_MESSAGES_PER_SECOND: u32 = 50;
/// How often live records that changed are written to disk.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// Live state of one node. Cheap to clone.
#[derive(Clone)]
pub struct Live(Arc<LiveInner>);

pub struct LiveInner {
    pub logs: Logs,
    pub stores: Stores,
    pub fanout: Fanout,
    /// Session lists and side state, per user.
    pub hub: Feeds,
    /// Runner lists, per user.
    pub runners: Feeds,
    pub routes: Routes,
    pub commands: commands::Waiters,
    pub spawns: spawn::Spawns,
    pub terminals: terminal::Screens,
    pub recoveries: viewer::Recoveries,
    pub lights: leases::Lights,
    pub happenings: notify::Happenings,
    pub service_budget: budget::Budget,
    subscription_revision: AtomicI64,
    sockets: DashMap<(&'static str, Sid), (Principal, Outbox)>,
    io: OnceLock<SocketIo>,
}

impl std::ops::Deref for Live {
    type Target = LiveInner;

    fn deref(&self) -> &LiveInner {
        &self.0
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("sockets", &self.sockets.len()).finish_non_exhaustive()
    }
}

/// Why live state cannot start.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    #[error("cannot open the session logs in `{dir}`: {source}")]
    Logs { dir: String, source: std::io::Error },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Live {
    /// Open logs and records. Sessions that were live are found again; their agents are expected back.
    pub async fn open(config: &ServerConfig, clock: &Clock, _metrics: &Metrics) -> Result<Self, LiveError> {
        let dir = config.data_dir.join("log");
        let options = LogOptions {
            durability: if config.sessions.sync_to_disk { Durability::Disk } else { Durability::Process },
            keep_for: config.sessions.event_ttl,
            ring_entries: config.sessions.event_buffer,
            ..LogOptions::new(&dir)
        };
        let logs = Logs::open(options).map_err(|source| LiveError::Logs { dir: dir.display().to_string(), source })?;
        let stores = Stores::embedded(logs.clone()).await?;
        Ok(Self(Arc::new(LiveInner {
            logs,
            stores,
            fanout: Fanout::default(),
            hub: Feeds::default(),
            runners: Feeds::default(),
            routes: Routes::default(),
            commands: commands::Waiters::default(),
            spawns: spawn::Spawns::default(),
            terminals: terminal::Screens::default(),
            recoveries: viewer::Recoveries::default(),
            lights: leases::Lights::default(),
            happenings: notify::Happenings::default(),
            service_budget: budget::Budget::new(SERVICE_MESSAGES_PER_SECOND),
            // Runners remember the last number they applied: a restart must not begin below it.
            subscription_revision: AtomicI64::new(clock.now_ms()),
            sockets: DashMap::new(),
            io: OnceLock::new(),
        })))
    }
}

impl LiveInner {
    /// Numbers changes of trigger subscriptions, for runners.
    pub fn subscription_revision(&self) -> i64 {
        self.subscription_revision.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// Mount every namespace. Called once per server.
pub fn mount(app: &App) -> SocketIoLayer {
    let (layer, io) = SocketIo::builder()
        .ping_interval(PING_INTERVAL)
        .ping_timeout(PING_TIMEOUT)
        .max_payload(MAX_PAYLOAD as u64)
        .ws_max_message_size(MAX_PAYLOAD)
        .ws_max_frame_size(MAX_PAYLOAD)
        .ws_read_buffer_size(ENGINE_READ_BUFFER)
        .max_buffer_size(ENGINE_BUFFER)
        .connect_timeout(CONNECT_TIMEOUT)
        .with_parser(socketioxide::ParserConfig::common().max_incoming_binaries(MAX_BINARIES))
        .build_layer();
    // Nothing lives here, but a client may connect to it.
    io.ns("/", || std::future::ready(()));
    namespace(app, &io, "/relay", Who::KeyOnly, relay::BOUNDS, relay::run);
    namespace(app, &io, "/runner", Who::KeyOnly, runner::BOUNDS, runner::run);
    namespace(app, &io, "/viewer", Who::Page, viewer::BOUNDS, viewer::run);
    namespace(app, &io, "/hub", Who::Page, hub::BOUNDS, hub::run);
    namespace(app, &io, "/runners", Who::Page, runners::BOUNDS, runners::run);
    namespace(app, &io, "/terminal", Who::Page, terminal::BOUNDS, terminal::run);
    if app.live.io.set(io).is_err() {
        tracing::error!("the namespaces were mounted twice");
    }
    layer
}

/// Find what was live before the start, then watch the clock.
pub async fn start(app: &App) -> Result<(), LiveError> {
    leases::recover(app).await?;
    leases::start(app);
    commands::start(app);
    decisions::start(app);
    app.tasks.every("flush-live", FLUSH_EVERY, {
        let app = app.clone();
        move || {
            let app = app.clone();
            async move {
                if let Err(error) = app.live.stores.sessions.flush().await {
                    tracing::error!(%error, "failed to write session records");
                }
            }
        }
    });
    app.tasks.spawn("revocations", cut_revoked(app.clone()));
    Ok(())
}

/// Close all sockets and write what is only in memory. The shutdown flag is up already.
pub async fn shutdown(app: &App) {
    if let Some(io) = app.live.io.get()
        && tokio::time::timeout(CLOSE_TIMEOUT, io.close()).await.is_err()
    {
        tracing::warn!("some sockets did not close in time");
    }
    if let Err(error) = app.live.stores.sessions.flush().await {
        tracing::error!(%error, "failed to write session records");
    }
    app.live.logs.close().await;
}

/// Can sockets be served?
pub fn ready(app: &App) -> bool {
    app.live.io.get().is_some() && !app.shutdown.is_draining()
}

/// Who may connect to a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    KeyOnly,
    Page,
}

/// One connected client of a namespace.
pub struct Conn<T, A> {
    pub principal: Principal,
    pub user: UserId,
    pub out: Outbox,
    pub mailbox: Mailbox<T>,
    /// What it sent with CONNECT.
    pub auth: A,
    /// Query of the handshake; older clients put things there.
    pub query: Vec<(String, String)>,
}

impl<T, A> Conn<T, A> {
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }
}

/// A connection that was let in but not answered yet.
struct Parked<T, A>(Arc<Mutex<Option<Conn<T, A>>>>);

impl<T, A> Clone for Parked<T, A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// Arrives as `connect_error.message`.
#[derive(Debug, Clone, Copy)]
struct Refusal(&'static str);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

fn namespace<T, A, F>(
    app: &App,
    io: &SocketIo,
    path: &'static str,
    who: Who,
    bounds: Bounds<T>,
    run: impl Fn(App, Conn<T, A>) -> F + Clone + Send + Sync + 'static,
) where
    T: EventTable,
    A: DeserializeOwned + Default + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    use socketioxide::handler::ConnectHandler;

    let admit = {
        let app = app.clone();
        move |socket: SocketRef, TryData(auth): TryData<serde_json::Value>| {
            let app = app.clone();
            async move {
                let auth = auth.unwrap_or_default();
                let principal = identify(&app, &socket, &auth, who).await?;
                let query = socket.req_parts().uri.query().unwrap_or_default();
                let conn = Conn {
                    user: UserId::from(principal.user_id.as_str()),
                    out: Outbox::new(socket.clone()),
                    mailbox: Mailbox::<T>::mount(&socket, bounds),
                    auth: serde_json::from_value::<A>(auth).unwrap_or_default(),
                    query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
                    principal,
                };
                socket.extensions.insert(Parked(Arc::new(Mutex::new(Some(conn)))));
                Ok::<(), Refusal>(())
            }
        }
    };
    let serve = {
        let app = app.clone();
        move |socket: SocketRef| {
            // Here CONNECT was answered: from now on we may send.
            if let Some(conn) = socket.extensions.get::<Parked<T, A>>().and_then(|parked| parked.0.lock().take()) {
                let key = (path, socket.id);
                app.live.sockets.insert(key, (conn.principal.clone(), conn.out.clone()));
                let gauge = app.metrics.gauge("pizzapi_sockets", &[("namespace", path)]);
                gauge.increment(1.0);
                let out = conn.out.clone();
                let (work, app2) = (run(app.clone(), conn), app.clone());
                app.tasks.spawn(path, async move {
                    if let Err(panic) = AssertUnwindSafe(work).catch_unwind().await {
                        // Nobody reads this socket any more: its client must find out, and start over.
                        tracing::error!(namespace = path, reason = panic_text(&*panic), "a socket's task panicked");
                        out.disconnect();
                    }
                    app2.live.sockets.remove(&key);
                    gauge.decrement(1.0);
                });
            }
            std::future::ready(())
        }
    };
    io.ns(path, serve.with(admit));
}

async fn identify(app: &App, socket: &SocketRef, auth: &serde_json::Value, who: Who) -> Result<Principal, Refusal> {
    let unauthorized = Refusal(refusal::UNAUTHORIZED);
    if app.shutdown.is_draining() {
        return Err(Refusal("server_not_ready"));
    }
    let headers = &socket.req_parts().headers;
    if who == Who::Page && !auth::origin::is_trusted_parts(app, socket.req_parts()) {
        return Err(Refusal(refusal::UNTRUSTED_ORIGIN));
    }
    let key = auth.get("apiKey").and_then(serde_json::Value::as_str).filter(|key| !key.is_empty());
    let by_key = match key {
        Some(key) => Some(auth::authenticate_api_key(app, key).await),
        None => None,
    };
    let identified = match (by_key, who) {
        (Some(Ok(principal)), _) => Ok(principal),
        (Some(Err(error)), Who::KeyOnly) => Err(error),
        (None, Who::KeyOnly) => return Err(unauthorized),
        (_, Who::Page) => auth::authenticate_cookie(app, headers).await,
    };
    identified.map_err(|error| {
        if error.is_retryable() {
            tracing::warn!(%error, "a handshake could not be checked");
        }
        unauthorized
    })
}

/// Disconnect sockets whose credential was taken back or has ended.
async fn cut_revoked(app: App) {
    use tokio::sync::broadcast::error::RecvError;

    /// How often sockets are looked at whose credential may have ended by itself.
    const LOOK: Duration = Duration::from_secs(5);

    let mut revocations = app.auth.revocations();
    let mut look = tokio::time::interval(LOOK);
    loop {
        let hit: Box<dyn Fn(&Principal) -> bool + Send> = tokio::select! {
            revoked = revocations.recv() => match revoked {
                Ok(revoked) => Box::new(move |principal| revoked.hits(principal)),
                Err(RecvError::Lagged(_)) => {
                    recheck(&app).await;
                    continue;
                }
                Err(RecvError::Closed) => return,
            },
            _ = look.tick() => {
                let now = app.clock.now_ms();
                Box::new(move |principal| principal.expires_at().is_some_and(|at| at <= now))
            }
        };
        let cut: Vec<_> = app
            .live
            .sockets
            .iter()
            .filter(|entry| hit(&entry.value().0))
            .map(|entry| entry.value().1.clone())
            .collect();
        for out in cut {
            out.disconnect();
        }
    }
}

/// Revocations were missed: ask about every credential in use.
async fn recheck(app: &App) {
    let all: Vec<_> = app.live.sockets.iter().map(|entry| entry.value().clone()).collect();
    for (principal, out) in all {
        match auth::still_valid(app, &principal).await {
            Ok(true) => {}
            Ok(false) => out.disconnect(),
            Err(error) => tracing::warn!(%error, "a credential could not be checked again"),
        }
    }
}

/// A failed lookup is neither a yes nor a no.
pub(crate) fn log_store(error: &StoreError, doing: &'static str) {
    tracing::error!(%error, "failed to {doing}");
}

pub(crate) fn log_db(error: &db::DbError, doing: &'static str) {
    tracing::error!(%error, "failed to {doing}");
}

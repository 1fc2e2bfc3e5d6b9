//! The relay: accounts, namespaces, the durable session log and the web UI.
//!
//! ```text
//! build(config) -> Server -> start(listener) -> Running -> shutdown()
//! ```
//!
//! | where | what |
//! | --- | --- |
//! | [`config`], [`app`], [`tasks`], [`shutdown`], [`clock`], [`metrics`] | the process: settings, handles, life |
//! | [`listen`], [`router`], [`http`] | connections and HTTP routes |
//! | [`auth`] | credentials, origins, limits |
//! | [`db`], [`attachments`] | durable rows; files |
//! | [`import`] | taking over from the earlier product |
//! | [`push`], [`webhooks`] | what leaves for browsers; what comes in from other programs |
//! | [`socket`], [`inbox`], [`outbox`], [`fanout`], [`feeds`], [`route`], [`leases`] | Socket.IO: who speaks, in order, to whom |
//! | [`core`] | what is decided, without I/O |
//! | [`store`], [`log`] | live state; what sessions said |

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed step fails its test"))]

pub mod app;
pub mod attachments;
pub mod auth;
pub mod clock;
pub mod config;
pub mod core;
pub mod db;
pub mod emit;
pub mod fanout;
pub mod feeds;
pub mod http;
pub mod import;
pub mod inbox;
pub mod leases;
pub mod listen;
pub mod log;
pub mod metrics;
pub mod outbox;
pub mod push;
pub mod route;
pub mod router;
pub mod shutdown;
pub mod socket;
pub mod store;
pub mod tasks;
pub mod webhooks;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use app::App;
pub use config::ServerConfig;

/// What this build calls itself.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How long live state may take to flush and close.
const SOCKET_DRAIN: Duration = Duration::from_secs(6);

/// Why a server could not be built, or stopped serving.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error(transparent)]
    Config(#[from] config::ConfigError),
    #[error(transparent)]
    Db(#[from] db::DbError),
    #[error(transparent)]
    Auth(#[from] auth::AuthSetupError),
    #[error("live state cannot start: {0}")]
    Live(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error(transparent)]
    Listen(#[from] listen::ListenError),
}

/// A server that is ready to listen.
#[derive(Debug)]
pub struct Server {
    app: App,
    router: axum::Router,
    tls: Option<listen::Tls>,
}

/// Open stores, bring the schema up to date and mount everything.
///
/// Errors: name what is wrong and what to do about it.
pub async fn build(config: ServerConfig) -> Result<Server, ServerError> {
    // Whoever links reqwest or rustls first decides; ring is what all of our programs use.
    let _ = rustls::crypto::ring::default_provider().install_default();
    config.check_transport()?;
    let tls = config.listen.tls.as_ref().map(listen::Tls::load).transpose()?;
    let clock = clock::Clock::system();
    let metrics = metrics::Metrics::default();
    let db = db::Db::open(&config).await?;
    if !config.listen.address.ip().is_loopback() && !config.listen.insecure && !db.users().any().await? {
        return Err(config::ConfigError::NoAccount(config.listen.address).into());
    }
    let auth = auth::Auth::open(&config)?;
    let push = push::Pusher::new(&config);
    let live = socket::Live::open(&config, &clock, &metrics).await.map_err(|error| ServerError::Live(error.into()))?;
    let app = App::new(app::Inner {
        config,
        db,
        live,
        auth,
        push,
        clock,
        metrics,
        shutdown: shutdown::Shutdown::default(),
        tasks: tasks::Tasks::default(),
    });
    let router = router::build(&app);
    Ok(Server { app, router, tls })
}

impl Server {
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Listen on the configured address.
    ///
    /// Errors: says who may hold the port and how to choose another.
    pub async fn bind(&self) -> Result<TcpListener, ServerError> {
        Ok(listen::bind(self.app.config.listen.address).await?)
    }

    /// Serve in the background.
    ///
    /// The port answers at once, so that liveness shows while the rest starts.
    pub async fn start(self, listener: TcpListener) -> Result<Running, ServerError> {
        let address = listener.local_addr().map_err(listen::ListenError::Accept)?;
        let Self { app, router, tls } = self;
        let accepting = app.tasks.spawn_to_completion("accept", listen::serve(app.clone(), listener, tls, router));
        auth::start(&app).await?;
        attachments::start(&app);
        http::start(&app);
        socket::start(&app).await.map_err(|error| ServerError::Live(error.into()))?;
        push::start(&app);
        webhooks::start(&app);
        tracing::info!(address = %address, version = VERSION, "listening");
        Ok(Running { app, address, accepting })
    }

    /// Serve until [`shutdown::Shutdown::begin`] is called, then drain.
    pub async fn serve(self, listener: TcpListener) -> Result<(), ServerError> {
        let running = self.start(listener).await?;
        running.app.shutdown.begun().await;
        running.shutdown().await;
        Ok(())
    }
}

/// A server that is serving.
#[derive(Debug)]
pub struct Running {
    app: App,
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Running {
    pub fn app(&self) -> &App {
        &self.app
    }

    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// `http://` or `https://` and the address.
    pub fn url(&self) -> String {
        let scheme = if self.app.config.listen.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Flag, then sockets, then HTTP, then background work, then the database. Bounded; says whether all closed in time.
    pub async fn shutdown(self) -> bool {
        let Self { app, accepting, .. } = self;
        app.shutdown.begin();
        tracing::info!("shutting down");
        let drained = tokio::time::timeout(SOCKET_DRAIN, socket::shutdown(&app)).await.is_ok();
        if !drained {
            tracing::warn!("live state took too long to close");
        }
        // The accept task ends by itself: it watches the flag and its own deadline.
        let accepted = accepting.await.is_ok();
        auth::api_key::flush_uses(&app).await;
        let ended = app.tasks.stop(shutdown::DRAIN_DEADLINE).await;
        app.db.close().await;
        drained && accepted && ended
    }
}

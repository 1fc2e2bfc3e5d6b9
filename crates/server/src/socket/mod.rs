//! Socket.IO namespaces and the live state behind them.

use std::convert::Infallible;
use std::sync::OnceLock;

use socketioxide::SocketIo;
use socketioxide::layer::SocketIoLayer;

use crate::app::App;
use crate::clock::Clock;
use crate::config::ServerConfig;
use crate::metrics::Metrics;

/// Live state of one node.
#[derive(Debug, Default)]
pub struct Live {
    io: OnceLock<SocketIo>,
}

impl Live {
    pub async fn open(_config: &ServerConfig, _clock: &Clock, _metrics: &Metrics) -> Result<Self, Infallible> {
        Ok(Self::default())
    }
}

/// Mount every namespace.
pub fn mount(app: &App) -> SocketIoLayer {
    let (layer, io) = SocketIo::builder().build_layer();
    // Called once per server.
    let _ = app.live.io.set(io);
    layer
}

pub async fn start(_app: &App) -> Result<(), Infallible> {
    Ok(())
}

pub async fn shutdown(app: &App) {
    if let Some(io) = app.live.io.get() {
        io.close().await;
    }
}

/// Can sockets be served?
pub fn ready(app: &App) -> bool {
    app.live.io.get().is_some()
}

//! Every route on one page.

use axum::Router;
use axum::routing::{any, get};

use crate::app::App;
use crate::http::health;
use crate::socket;

/// All of HTTP: Socket.IO first, then routes, then the web UI.
pub fn build(app: &App) -> Router {
    Router::new()
        .route("/health", any(health::health))
        .route("/status", any(health::health))
        .route("/api/status", any(health::health))
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .with_state(app.clone())
        .layer(socket::mount(app))
}

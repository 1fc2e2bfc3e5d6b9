//! Is the process alive, and can it do its work?

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde_json::{Value, json};

use crate::VERSION;
use crate::app::App;

/// Version of the handshake on all namespaces.
const SOCKET_PROTOCOL: u32 = 1;

/// `/health`: always 200, because old clients read the body.
pub async fn health(State(app): State<App>) -> Json<Value> {
    let state = state(&app).await;
    let healthy = state.database && state.sockets && !state.draining;
    Json(json!({
        "status": if healthy { "ok" } else { "degraded" },
        // The store for live state is embedded when no Redis is configured, and then as available as the process.
        "redis": state.sockets,
        "socketio": state.sockets,
        "uptime": app.metrics.uptime_seconds(),
        "version": {
            "server": VERSION,
            "socketProtocol": SOCKET_PROTOCOL,
            "buildTimestamp": option_env!("PIZZAPI_BUILD_TIMESTAMP"),
        },
        "store": if app.config.redis_url.is_some() { "redis" } else { "embedded" },
    }))
}

/// `/livez`: the process answers.
pub async fn livez() -> Json<Value> {
    Json(json!({ "checks": { "process": true } }))
}

/// `/readyz`: database and sockets are usable.
pub async fn readyz(State(app): State<App>) -> (StatusCode, Json<Value>) {
    let state = state(&app).await;
    let ready = state.database && state.sockets && !state.draining;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let checks = json!({ "database": state.database, "sockets": state.sockets, "draining": state.draining });
    (status, Json(json!({ "checks": checks })))
}

struct Condition {
    database: bool,
    sockets: bool,
    draining: bool,
}

async fn state(app: &App) -> Condition {
    Condition {
        database: app.db.ping().await.is_ok(),
        sockets: crate::socket::ready(app),
        draining: app.shutdown.is_draining(),
    }
}

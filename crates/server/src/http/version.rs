//! What runs here, and what this server offers.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::extract::Signed;
use crate::VERSION;
use crate::app::App;

/// `version` is the newest published version of the program: the server and the programs of its clients are one.
pub async fn version() -> Json<Value> {
    Json(json!({ "version": VERSION, "server": VERSION }))
}

pub async fn capabilities(State(app): State<App>, Signed(_): Signed) -> Json<Value> {
    let config = &app.config;
    Json(json!({
        "push": { "web": true, "native": false },
        "tunnelHost": config.web.tunnel_domain.is_some(),
        "multiNode": config.redis_url.is_some(),
        "retentionDays": config.sessions.history_retention.as_secs() / (24 * 60 * 60),
        "limits": {
            "attachmentBytes": config.attachments.max_file_bytes,
            "attachmentQuotaBytes": config.attachments.quota_bytes,
            "uploadBytes": super::attachments::MAX_UPLOAD,
        },
        "features": ["commands", "decisions", "resume", "attachments", "accountAudit"],
    }))
}

//! API keys: created (shown once), listed, changed, revoked – by a person, never by a key.

use std::collections::HashMap;

use axum::Json;
use axum::extract::{Query, State};
use http::StatusCode;
use serde_json::{Value, json};

use super::auth::{AccountError, record};
use super::error::ApiError;
use super::extract::{Caller, Fields, LoginOnly, MaybeFields};
use crate::app::App;
use crate::auth::{self, Revoked, api_key};
use crate::clock::iso;
use crate::db::credentials::ApiKey;

/// Keys one user may hold.
const MAX_KEYS: usize = 200;
const MAX_TEXT: usize = 32;
const DAY_S: i64 = 24 * 60 * 60;
/// Fields only a server may set.
const SERVER_ONLY: [&str; 10] = [
    "remaining",
    "refillAmount",
    "refillInterval",
    "rateLimitMax",
    "rateLimitTimeWindow",
    "rateLimitEnabled",
    "permissions",
    "userId",
    "metadata",
    "requestCount",
];

type Answer = Result<Json<Value>, AccountError>;

pub async fn create(
    State(app): State<App>,
    LoginOnly(principal): LoginOnly,
    caller: Caller,
    MaybeFields(body): MaybeFields,
) -> Answer {
    refuse_server_fields(&body)?;
    let name = text_field(&body, "name", "INVALID_NAME_LENGTH")?;
    let prefix = text_field(&body, "prefix", "INVALID_PREFIX_LENGTH")?;
    if prefix
        .as_deref()
        .is_some_and(|prefix| !prefix.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-'))
    {
        return Err(ApiError::bad_request("prefix may hold letters, digits, _ and - only")
            .code("INVALID_PREFIX")
            .into());
    }
    let now = app.clock.now_ms();
    let expires_at = match body.int("expiresIn") {
        None => None,
        Some(seconds) if (DAY_S..=365 * DAY_S).contains(&seconds) => Some(now + seconds * 1000),
        Some(_) => {
            return Err(ApiError::bad_request("expiresIn must be between 1 and 365 days, in seconds")
                .code("INVALID_EXPIRATION")
                .into());
        }
    };
    if app.db.credentials().keys(&principal.user_id).await?.len() >= MAX_KEYS {
        return Err(ApiError::new(StatusCode::FORBIDDEN, "Too many API keys; delete some first")
            .code("TOO_MANY_KEYS")
            .into());
    }
    let mint = api_key::Mint { name, prefix, expires_at, ..api_key::Mint::default() };
    let (row, key) = api_key::mint(&app, &principal.user_id, mint).await?;
    record(&app, &principal.user_id, "api_key.created", Some(&row.id), &caller).await;
    let mut body = key_json(&row);
    body["key"] = json!(key);
    Ok(Json(body))
}

pub async fn list(State(app): State<App>, LoginOnly(principal): LoginOnly) -> Answer {
    let keys = app.db.credentials().keys(&principal.user_id).await?;
    Ok(Json(keys.iter().map(key_json).collect()))
}

pub async fn get(
    State(app): State<App>,
    LoginOnly(principal): LoginOnly,
    Query(query): Query<HashMap<String, String>>,
) -> Answer {
    let id = query.get("id").map(String::as_str).unwrap_or_default();
    let row = app.db.credentials().key(id, &principal.user_id).await?.ok_or_else(missing)?;
    Ok(Json(key_json(&row)))
}

pub async fn update(State(app): State<App>, LoginOnly(principal): LoginOnly, caller: Caller, body: Fields) -> Answer {
    refuse_server_fields(&body)?;
    let id = body.text("keyId").unwrap_or_default();
    let name = text_field(&body, "name", "INVALID_NAME_LENGTH")?;
    let enabled = body.flag("enabled");
    let row = app
        .db
        .credentials()
        .update_key(id, &principal.user_id, name.as_deref(), enabled, app.clock.now_ms())
        .await?
        .ok_or_else(missing)?;
    if enabled == Some(false) {
        auth::revoke(&app, Revoked::ApiKey(row.id.clone())).await?;
    }
    record(&app, &principal.user_id, "api_key.updated", Some(&row.id), &caller).await;
    Ok(Json(key_json(&row)))
}

pub async fn delete(State(app): State<App>, LoginOnly(principal): LoginOnly, caller: Caller, body: Fields) -> Answer {
    let id = body.text("keyId").unwrap_or_default();
    if !app.db.credentials().delete_key(id, &principal.user_id).await? {
        return Err(missing().into());
    }
    auth::revoke(&app, Revoked::ApiKey(id.to_owned())).await?;
    record(&app, &principal.user_id, "api_key.revoked", Some(id), &caller).await;
    Ok(Json(json!({ "success": true })))
}

fn missing() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "API key not found").code("KEY_NOT_FOUND")
}

fn refuse_server_fields(body: &Fields) -> Result<(), ApiError> {
    match SERVER_ONLY.iter().find(|name| body.has(name)) {
        Some(name) => {
            Err(ApiError::bad_request(format!("{name} cannot be set by a client")).code("SERVER_ONLY_PROPERTY"))
        }
        None => Ok(()),
    }
}

fn text_field(body: &Fields, name: &str, code: &'static str) -> Result<Option<String>, ApiError> {
    match body.text(name) {
        None => Ok(None),
        Some(text) if (1..=MAX_TEXT).contains(&text.chars().count()) => Ok(Some(text.to_owned())),
        Some(_) => Err(ApiError::bad_request(format!("{name} must have 1 to {MAX_TEXT} characters")).code(code)),
    }
}

fn key_json(key: &ApiKey) -> Value {
    json!({
        "id": key.id,
        "name": key.name,
        "start": key.start,
        "prefix": key.prefix,
        "userId": key.user_id,
        "enabled": key.enabled,
        "expiresAt": key.expires_at.map(iso),
        "createdAt": iso(key.created_at),
        "updatedAt": iso(key.updated_at),
        "lastRequest": key.last_request.map(iso),
        "lastUsedAt": key.last_request.map(iso),
        "lastAddress": key.last_address,
        "requestCount": key.request_count,
        "remaining": key.remaining,
        "rateLimitEnabled": false,
        "rateLimitTimeWindow": null,
        "rateLimitMax": null,
        "refillInterval": null,
        "refillAmount": null,
        "lastRefillAt": null,
        "permissions": null,
        "metadata": null,
    })
}

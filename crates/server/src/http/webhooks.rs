//! Webhooks: kept by people, fired by other programs that sign what they send.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Request, State};
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::error::ApiError;
use super::extract::{Caller, Fields, MAX_BODY, Signed, read_body};
use super::runner_access::own;
use crate::app::App;
use crate::auth::limits::Budget;
use crate::auth::{Principal, random_hex, sealed};
use crate::clock::iso;
use crate::db::webhooks::{Delivery, Webhook};
use crate::webhooks::{open_secret, seal_secret};

/// Calls per webhook.
const FIRE: Budget = Budget { name: "webhook_fire", max: 60, window: Duration::from_secs(60) };
/// Oldest and newest time a signed call may carry. Units: ms.
const MAX_AGE_MS: i64 = 5 * 60 * 1000;
const MAX_AHEAD_MS: i64 = 30 * 1000;
const MAX_NAME: usize = 100;
const MAX_TEXT: usize = 64 * 1024;
/// Webhooks one user may have.
const MAX_WEBHOOKS: usize = 100;
const DELIVERIES: u32 = 50;

type Answer = Result<Json<Value>, ApiError>;

pub async fn list(State(app): State<App>, Signed(principal): Signed) -> Answer {
    let rows = app.db.webhooks().list(&principal.user_id).await?;
    Ok(Json(json!({ "webhooks": rows.iter().map(webhook_json).collect::<Vec<_>>() })))
}

pub async fn get(State(app): State<App>, Signed(principal): Signed, Path(id): Path<String>) -> Answer {
    let webhook = owned(&app, &principal, &id).await?;
    Ok(Json(json!({ "webhook": webhook_json(&webhook) })))
}

pub async fn create(
    State(app): State<App>,
    Signed(principal): Signed,
    body: Fields,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let (Some(name), Some(source)) = (body.words("name"), body.words("source")) else {
        return Err(ApiError::bad_request("Missing required fields: name, source"));
    };
    if app.db.webhooks().list(&principal.user_id).await?.len() >= MAX_WEBHOOKS {
        return Err(ApiError::bad_request("Too many webhooks; remove some first").code("too_many"));
    }
    let secret = random_hex();
    let now = app.clock.now_ms();
    let mut webhook = Webhook {
        id: uuid::Uuid::new_v4().to_string(),
        user_id: principal.user_id.clone(),
        name: checked_name(name)?,
        sealed_secret: seal_secret(&app, &secret),
        secret_tail: secret[secret.len() - 4..].to_owned(),
        source: checked_name(source)?,
        event_filter: None,
        runner_id: None,
        cwd: None,
        prompt: None,
        model: None,
        enabled: true,
        created_at: now,
        updated_at: now,
    };
    change(&app, &principal, &mut webhook, &body).await?;
    app.db.webhooks().put(&webhook).await?;
    let mut shown = webhook_json(&webhook);
    // The only time it is told.
    shown["secret"] = json!(secret);
    Ok((StatusCode::CREATED, Json(json!({ "webhook": shown }))))
}

pub async fn update(State(app): State<App>, Signed(principal): Signed, Path(id): Path<String>, body: Fields) -> Answer {
    let mut webhook = owned(&app, &principal, &id).await?;
    if let Some(name) = body.words("name") {
        webhook.name = checked_name(name)?;
    }
    if let Some(source) = body.words("source") {
        webhook.source = checked_name(source)?;
    }
    if let Some(enabled) = body.flag("enabled") {
        webhook.enabled = enabled;
    }
    change(&app, &principal, &mut webhook, &body).await?;
    webhook.updated_at = app.clock.now_ms();
    app.db.webhooks().put(&webhook).await?;
    Ok(Json(json!({ "webhook": webhook_json(&webhook) })))
}

pub async fn delete(State(app): State<App>, Signed(principal): Signed, Path(id): Path<String>) -> Answer {
    if !app.db.webhooks().delete(&id, &principal.user_id).await? {
        return Err(missing());
    }
    Ok(Json(json!({ "ok": true })))
}

pub async fn rotate_secret(State(app): State<App>, Signed(principal): Signed, Path(id): Path<String>) -> Answer {
    let mut webhook = owned(&app, &principal, &id).await?;
    let secret = random_hex();
    webhook.sealed_secret = seal_secret(&app, &secret);
    webhook.secret_tail = secret[secret.len() - 4..].to_owned();
    webhook.updated_at = app.clock.now_ms();
    app.db.webhooks().put(&webhook).await?;
    let mut shown = webhook_json(&webhook);
    shown["secret"] = json!(secret);
    Ok(Json(json!({ "webhook": shown })))
}

pub async fn deliveries(State(app): State<App>, Signed(principal): Signed, Path(id): Path<String>) -> Answer {
    owned(&app, &principal, &id).await?;
    let rows = app.db.webhooks().deliveries(&id, &principal.user_id, DELIVERIES).await?;
    let list: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "deliveryId": row.id, "state": row.state, "type": row.kind, "sessionId": row.session_id,
                "attempts": row.attempts, "message": row.message, "createdAt": iso(row.created_at), "updatedAt": iso(row.updated_at),
            })
        })
        .collect();
    Ok(Json(json!({ "deliveries": list })))
}

/// `POST /api/webhooks/:id/fire`
pub async fn fire(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    request: Request,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    app.auth.limits.take(FIRE, &id).map_err(ApiError::too_many)?;
    let body = read_body(request, MAX_BODY).await?;
    // Unknown and disabled look alike, before and after the signature.
    let webhook = app.db.webhooks().get(&id).await?.filter(|webhook| webhook.enabled).ok_or_else(missing)?;
    let secret = open_secret(&app, &webhook.sealed_secret).ok_or_else(|| {
        tracing::error!(webhook.id = %id, "the secret of a webhook cannot be opened; was the server's secret changed?");
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error").code("internal")
    })?;
    check_signature(&app, &webhook, &secret, &headers, &body).await.inspect_err(|error| {
        tracing::info!(webhook.id = %id, client.address = %caller.address, reason = error.message, "a webhook call was refused");
    })?;
    let payload: Map<String, Value> = match serde_json::from_slice(&body) {
        Ok(Value::Object(payload)) => payload,
        _ => return Err(ApiError::bad_request("Invalid JSON body").code("invalid_json")),
    };
    let kind = payload.get("type").and_then(Value::as_str).unwrap_or("webhook").to_owned();
    let filter: Option<Vec<String>> =
        webhook.event_filter.as_deref().and_then(|filter| serde_json::from_str(filter).ok());
    if filter.is_some_and(|filter| !filter.is_empty() && !filter.contains(&kind)) {
        return Ok((StatusCode::OK, Json(json!({ "ok": true, "filtered": true }))));
    }
    if webhook.runner_id.is_none() {
        return Err(ApiError::new(StatusCode::CONFLICT, "The webhook has no runner").code("no_runner"));
    }
    let id = uuid::Uuid::new_v4().to_string();
    let delivery = Delivery {
        id: id.clone(),
        webhook_id: webhook.id,
        user_id: webhook.user_id,
        state: "pending".to_owned(),
        kind,
        payload: Value::Object(payload).to_string(),
        session_id: Some(id.clone()),
        attempts: 0,
        message: None,
        created_at: app.clock.now_ms(),
        updated_at: app.clock.now_ms(),
    };
    app.db.webhooks().accept(&delivery).await?;
    let answer = json!({ "ok": true, "triggerId": format!("ext_{id}"), "sessionId": id, "state": "queued" });
    Ok((StatusCode::ACCEPTED, Json(answer)))
}

/// A signed time and nonce when given, else the body alone, once per five minutes.
async fn check_signature(
    app: &App,
    webhook: &Webhook,
    secret: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(), ApiError> {
    let unauthorized = |message: &str| ApiError::new(StatusCode::UNAUTHORIZED, message).code("signature");
    let header = |name: &str| {
        headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim).filter(|text| !text.is_empty())
    };
    let given = header("x-webhook-signature").ok_or_else(|| unauthorized("Missing signature"))?;
    let given = given.strip_prefix("sha256=").unwrap_or(given);
    let now = app.clock.now_ms();
    let (expected, nonce) = match (header("x-webhook-timestamp"), header("x-webhook-nonce")) {
        (Some(timestamp), Some(nonce)) => {
            let at = read_time(timestamp).ok_or_else(|| unauthorized("Invalid timestamp"))?;
            if at < now - MAX_AGE_MS || at > now + MAX_AHEAD_MS {
                return Err(unauthorized("Timestamp outside the allowed window"));
            }
            let expected = sealed::hmac(secret.as_bytes(), &[timestamp.as_bytes(), b".", nonce.as_bytes(), b".", body]);
            (expected, format!("webhook {} {nonce}", webhook.id))
        }
        _ => {
            let digest = hex::encode(Sha256::digest(body));
            (sealed::hmac(secret.as_bytes(), &[body]), format!("webhook {} body {digest}", webhook.id))
        }
    };
    if !sealed::same(given.to_ascii_lowercase().as_bytes(), hex::encode(expected).as_bytes()) {
        return Err(unauthorized("Invalid signature"));
    }
    // After the signature: a stranger must not use nonces up.
    if !app.db.nonces().consume(&nonce, now + MAX_AGE_MS + MAX_AHEAD_MS, now).await? {
        return Err(ApiError::new(StatusCode::CONFLICT, "This call was received before").code("replayed"));
    }
    Ok(())
}

/// ISO text, or Unix seconds or milliseconds.
fn read_time(text: &str) -> Option<i64> {
    if let Ok(number) = text.parse::<i64>() {
        return Some(if number < 100_000_000_000 { number * 1000 } else { number });
    }
    crate::clock::from_iso(text)
}

/// Take over the optional members; `null` clears one.
async fn change(app: &App, principal: &Principal, webhook: &mut Webhook, body: &Fields) -> Result<(), ApiError> {
    match body.0.get("eventFilter") {
        None => {}
        Some(Value::Null) => webhook.event_filter = None,
        Some(Value::Array(list)) if list.len() <= 100 && list.iter().all(Value::is_string) => {
            webhook.event_filter = Some(Value::Array(list.clone()).to_string());
        }
        Some(_) => return Err(ApiError::bad_request("eventFilter must be a list of event types")),
    }
    match body.0.get("runnerId") {
        None => {}
        Some(Value::Null) => webhook.runner_id = None,
        Some(Value::String(id)) => {
            webhook.runner_id = Some(own(app, principal, id).await?.id.to_string());
        }
        Some(_) => return Err(ApiError::bad_request("runnerId must be text or null")),
    }
    match body.0.get("model") {
        None => {}
        Some(Value::Null) => webhook.model = None,
        Some(model) => {
            let text =
                |name: &str| model.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
            let (Some(provider), Some(id)) = (text("provider"), text("id")) else {
                return Err(ApiError::bad_request("model must be {provider, id} or null"));
            };
            if app.db.preferences().is_model_hidden(&principal.user_id, &format!("{provider}/{id}")).await? {
                return Err(ApiError::new(StatusCode::FORBIDDEN, "Model not available").code("model_hidden"));
            }
            webhook.model = Some(json!({ "provider": provider, "id": id }).to_string());
        }
    }
    for (name, target) in [("cwd", &mut webhook.cwd), ("prompt", &mut webhook.prompt)] {
        match body.0.get(name) {
            None => {}
            Some(Value::Null) => *target = None,
            Some(Value::String(text)) if text.len() <= MAX_TEXT => {
                *target = Some(text.clone()).filter(|text| !text.trim().is_empty())
            }
            Some(_) => return Err(ApiError::bad_request(format!("{name} must be text or null"))),
        }
    }
    Ok(())
}

async fn owned(app: &App, principal: &Principal, id: &str) -> Result<Webhook, ApiError> {
    app.db.webhooks().of_user(id, &principal.user_id).await?.ok_or_else(missing)
}

fn missing() -> ApiError {
    ApiError::not_found("Webhook not found")
}

fn checked_name(name: &str) -> Result<String, ApiError> {
    if name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(ApiError::bad_request("name and source must have 1 to 100 characters"));
    }
    Ok(name.to_owned())
}

fn webhook_json(webhook: &Webhook) -> Value {
    let parsed = |text: &Option<String>| text.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok());
    json!({
        "id": webhook.id,
        "userId": webhook.user_id,
        "name": webhook.name,
        "secret": format!("…{}", webhook.secret_tail),
        "eventFilter": parsed(&webhook.event_filter),
        "source": webhook.source,
        "runnerId": webhook.runner_id,
        "cwd": webhook.cwd,
        "prompt": webhook.prompt,
        "model": parsed(&webhook.model),
        "enabled": webhook.enabled,
        "createdAt": iso(webhook.created_at),
        "updatedAt": iso(webhook.updated_at),
    })
}

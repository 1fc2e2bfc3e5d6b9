//! Linking a machine over HTTP: ask, look, approve, poll.

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use serde_json::{Value, json};

use super::auth::{limit, record};
use super::error::ApiError;
use super::extract::{Caller, MaybeFields, Signed};
use crate::app::App;
use crate::auth::{device_claims, limits};
use crate::clock::iso;

const MAX_URL: usize = 2048;

pub async fn create(
    State(app): State<App>,
    caller: Caller,
    MaybeFields(body): MaybeFields,
) -> Result<Json<Value>, ApiError> {
    limit(&app, limits::CLAIM_CREATE, &caller, "setup-claim")?;
    let relay_url = body
        .words("relayUrl")
        .filter(|url| url.len() <= MAX_URL)
        .ok_or_else(|| ApiError::bad_request("Missing required field: relayUrl"))?;
    let (token, expires_at) = device_claims::create(&app, relay_url, body.text("label"), &caller.address).await?;
    Ok(Json(json!({ "token": token, "expiresAt": iso(expires_at) })))
}

pub async fn poll(State(app): State<App>, caller: Caller, Path(token): Path<String>) -> Result<Json<Value>, ApiError> {
    limit(&app, limits::CLAIM_POLL, &caller, "setup-claim")?;
    let polled = device_claims::poll(&app, &token).await?.ok_or_else(unknown)?;
    let mut body = json!({ "status": polled.status, "relayUrl": polled.relay_url });
    if let Some(label) = polled.label {
        body["label"] = json!(label);
    }
    if let Some(key) = polled.api_key {
        body["apiKey"] = json!(key);
    }
    Ok(Json(body))
}

/// What the person who approves sees: which machine asks, from where, since when.
pub async fn info(State(app): State<App>, caller: Caller, Path(token): Path<String>) -> Result<Json<Value>, ApiError> {
    limit(&app, limits::CLAIM_POLL, &caller, "setup-claim-info")?;
    let claim = device_claims::look(&app, &token).await?.ok_or_else(unknown)?;
    let mut body = json!({
        "status": claim.status,
        "requestedFrom": claim.requester_address,
        "createdAt": iso(claim.created_at),
        "expiresAt": iso(claim.expires_at),
    });
    if let Some(label) = claim.label {
        body["label"] = json!(label);
    }
    Ok(Json(body))
}

pub async fn approve(
    State(app): State<App>,
    Signed(principal): Signed,
    caller: Caller,
    Path(token): Path<String>,
) -> Result<Json<Value>, ApiError> {
    if !device_claims::approve(&app, &principal, &token).await? {
        return Err(ApiError::new(StatusCode::GONE, "Claim not found, expired, or already processed").code("gone"));
    }
    record(&app, &principal.user_id, "device.linked", None, &caller).await;
    Ok(Json(json!({ "ok": true })))
}

fn unknown() -> ApiError {
    ApiError::not_found("Unknown or expired claim")
}

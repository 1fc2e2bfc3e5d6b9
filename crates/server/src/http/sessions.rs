//! Sessions: lists, names, pins, commands to a running one, and the end.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use pizzapi_protocol::model::ThinkingLevel;
use pizzapi_protocol::rest::PersistedSession;
use pizzapi_protocol::{CommandKind, CommandState, InputBody, RawJson, SessionId, UserId};
use serde_json::{Value, json};

use super::error::ApiError;
use super::extract::{Fields, KeyFirst, MaybeFields, Signed};
use crate::app::App;
use crate::auth::Principal;
use crate::clock::{from_iso, iso};
use crate::db::sessions::{SessionFilter, SessionRow};
use crate::socket::api;
use crate::socket::commands::{self, Author, NewCommand, Verdict};
use crate::store::SessionRecord;

const DEFAULT_PAGE: u32 = 20;
const MAX_PAGE: u32 = 100;
const MAX_NAME: usize = 200;
/// How long a request waits for what the session itself says.
const ANSWER_WAIT: Duration = Duration::from_secs(5);

pub async fn list(
    State(app): State<App>,
    Signed(principal): Signed,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Json<Value>, ApiError> {
    let mut live = api::sessions(&app, &principal.user_id).await?;
    let pinned = app.db.sessions().pinned(&principal.user_id).await?;
    for info in &mut live {
        info.is_pinned = Some(pinned.iter().any(|row| row.id == info.session_id.as_str()));
    }
    let text = query.get("q").map(String::as_str).filter(|text| !text.is_empty());
    let runner_id = query.get("runnerId").map(String::as_str).filter(|id| !id.is_empty());
    let cwd = query.get("cwd").map(String::as_str).filter(|cwd| !cwd.is_empty());
    if matches!(query.get("includePersisted").map(String::as_str), Some("0" | "false" | "no")) {
        return Ok(Json(json!({ "sessions": live, "persistedSessions": [], "nextCursor": null })));
    }
    let limit = query.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE);
    let cursor =
        query.get("cursor").filter(|cursor| !cursor.is_empty()).map(|cursor| read_cursor(cursor)).transpose()?;
    let filter = SessionFilter {
        text,
        runner_id,
        cwd,
        after: cursor.as_ref().map(|(at, id)| (*at, id.as_str())),
        unpinned_only: true,
        limit: limit + 1,
    };
    let mut rows = app.db.sessions().list(&principal.user_id, &filter).await?;
    let has_more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next = rows.last().filter(|_| has_more).map(write_cursor);
    let matches = |row: &&SessionRow| {
        let hay = format!("{} {} {}", row.name.as_deref().unwrap_or_default(), row.cwd, row.id).to_lowercase();
        text.is_none_or(|text| hay.contains(&text.to_lowercase()))
            && runner_id.is_none_or(|id| row.runner_id.as_deref() == Some(id))
            && cwd.is_none_or(|cwd| row.cwd == cwd)
    };
    let first_page = cursor.is_none();
    let pins = pinned.iter().filter(|_| first_page).filter(matches);
    let persisted: Vec<PersistedSession> = pins.chain(rows.iter()).map(persisted).collect();
    Ok(Json(json!({ "sessions": live, "persistedSessions": persisted, "nextCursor": next })))
}

pub async fn pinned(State(app): State<App>, Signed(principal): Signed) -> Result<Json<Value>, ApiError> {
    let rows = app.db.sessions().pinned(&principal.user_id).await?;
    Ok(Json(json!({ "pinnedSessions": rows.iter().map(persisted).collect::<Vec<_>>() })))
}

pub async fn pin(state: State<App>, signed: Signed, id: Path<String>) -> Result<Json<Value>, ApiError> {
    set_pinned(state, signed, id, true).await
}

pub async fn unpin(state: State<App>, signed: Signed, id: Path<String>) -> Result<Json<Value>, ApiError> {
    set_pinned(state, signed, id, false).await
}

async fn set_pinned(
    State(app): State<App>,
    Signed(principal): Signed,
    Path(id): Path<String>,
    pinned: bool,
) -> Result<Json<Value>, ApiError> {
    if !app.db.sessions().set_pinned(&id, &principal.user_id, pinned).await? {
        return Err(ApiError::not_found("Session not found or not owned by you"));
    }
    Ok(Json(json!({ "ok": true, "isPinned": pinned })))
}

/// The live record, the row and who is there.
pub async fn get(
    State(app): State<App>,
    Signed(principal): Signed,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let live = live(&app, &principal, &id).await?;
    let row = app.db.sessions().of_user(&id, &principal.user_id).await?;
    if live.is_none() && row.is_none() {
        return Err(missing());
    }
    let presence = live.as_ref().map_or(json!("offline"), |record| json!(record.presence_word()));
    let lights = live.as_ref().map(|record| crate::leases::lights(&app, record));
    let info = live.map(|record| record.info(None));
    let mut body = json!({ "live": info, "persisted": row.as_ref().map(persisted), "presence": presence });
    if let Some(lights) = lights {
        body["lights"] = json!(lights);
    }
    Ok(Json(body))
}

/// Give it a name, or with `null` let the agent name it again.
pub async fn rename(
    State(app): State<App>,
    Signed(principal): Signed,
    Path(id): Path<String>,
    body: Fields,
) -> Result<Json<Value>, ApiError> {
    let name = match body.0.get("name") {
        Some(Value::Null) => None,
        Some(Value::String(name)) => {
            let name: String = name.trim().chars().filter(|c| !c.is_control()).take(MAX_NAME).collect();
            (!name.is_empty()).then_some(name)
        }
        _ => return Err(ApiError::bad_request("name must be text or null")),
    };
    let row = app.db.sessions().rename(&id, &principal.user_id, name.as_deref()).await?.ok_or_else(missing)?;
    api::renamed(&app, &id, name.as_deref()).await?;
    Ok(Json(json!(persisted(&row))))
}

/// Remove an ended session with everything kept for it.
pub async fn delete(
    State(app): State<App>,
    Signed(principal): Signed,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    if live(&app, &principal, &id).await?.is_some() {
        return Err(ApiError::new(StatusCode::CONFLICT, "Session is live; end it first").code("live"));
    }
    if !app.db.sessions().delete(&id, &principal.user_id).await? {
        return Err(missing());
    }
    app.live.stores.sessions.forget(&SessionId::from(id)).await?;
    Ok(Json(json!({ "ok": true })))
}

pub async fn set_model(
    State(app): State<App>,
    KeyFirst(principal): KeyFirst,
    Path(id): Path<String>,
    MaybeFields(body): MaybeFields,
) -> Result<Json<Value>, ApiError> {
    let (Some(provider), Some(model_id)) = (body.words("provider"), body.words("modelId")) else {
        return Err(ApiError::bad_request("Missing required fields: provider, modelId"));
    };
    let record = live(&app, &principal, &id).await?.ok_or_else(missing)?;
    if app.db.preferences().is_model_hidden(&principal.user_id, &format!("{provider}/{model_id}")).await? {
        return Err(ApiError::new(StatusCode::FORBIDDEN, "Model not available").code("model_hidden"));
    }
    let command = json!({ "provider": provider, "modelId": model_id });
    let state = steer(&app, &principal, &record, CommandKind::ModelSet, command).await?;
    Ok(Json(json!({ "ok": true, "provider": provider, "modelId": model_id, "state": state })))
}

pub async fn abort(
    State(app): State<App>,
    KeyFirst(principal): KeyFirst,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let record = live(&app, &principal, &id).await?.ok_or_else(missing)?;
    let state = steer(&app, &principal, &record, CommandKind::Exec, json!({ "command": "abort" })).await?;
    Ok(Json(json!({ "ok": true, "state": state })))
}

pub async fn set_thinking(
    State(app): State<App>,
    KeyFirst(principal): KeyFirst,
    Path(id): Path<String>,
    MaybeFields(body): MaybeFields,
) -> Result<Json<Value>, ApiError> {
    let level = body.text("level").unwrap_or_default();
    if ThinkingLevel::from_word(level).is_none() {
        return Err(ApiError::bad_request("level must be one of off, minimal, low, medium, high, xhigh, max"));
    }
    let record = live(&app, &principal, &id).await?.ok_or_else(missing)?;
    let command = json!({ "command": "set_thinking_level", "level": level });
    let state = steer(&app, &principal, &record, CommandKind::Exec, command).await?;
    Ok(Json(json!({ "ok": true, "level": level, "state": state })))
}

/// Words for the agent.
pub async fn input(
    State(app): State<App>,
    KeyFirst(principal): KeyFirst,
    Path(id): Path<String>,
    body: Fields,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let text = body.text("text").filter(|text| !text.trim().is_empty());
    let text = text.ok_or_else(|| ApiError::bad_request("Missing required field: text"))?;
    let record = live(&app, &principal, &id).await?.ok_or_else(missing)?;
    check_collab(&record)?;
    let command = InputBody {
        text: text.to_owned(),
        attachments: member(&body, "attachments"),
        client: Some("api".to_owned()),
        deliver_as: member(&body, "deliverAs"),
    };
    let command = RawJson::new(&command).map_err(|error| ApiError::bad_request(format!("Invalid input: {error}")))?;
    let mut command = NewCommand::new(&record, CommandKind::Input, command, author(&principal));
    command.id = body.words("commandId").or_else(|| body.words("clientMessageId")).map(Into::into);
    match commands::submit(&app, command).await {
        Verdict::Accepted { id, state, .. } => {
            Ok((StatusCode::ACCEPTED, Json(json!({ "ok": true, "commandId": id, "state": state }))))
        }
        Verdict::Refused { code, message } => Err(refusal(code, message)),
    }
}

/// Ask a session to stop. With `force` it is over at once, whatever its process says.
pub async fn end(
    State(app): State<App>,
    KeyFirst(principal): KeyFirst,
    Path(id): Path<String>,
    MaybeFields(body): MaybeFields,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let force = body.flag("force").unwrap_or(false);
    if !api::end_session(&app, &principal.user_id, &id, force).await? {
        return Err(missing());
    }
    Ok((StatusCode::ACCEPTED, Json(json!({ "ok": true }))))
}

/// A member of the right shape; another shape counts as absent.
fn member<T: serde::de::DeserializeOwned>(body: &Fields, name: &str) -> Option<T> {
    serde_json::from_value(body.0.get(name)?.clone()).ok()
}

/// Send a command to a connected session and wait a little for its own answer.
async fn steer(
    app: &App,
    principal: &Principal,
    record: &SessionRecord,
    kind: CommandKind,
    body: Value,
) -> Result<CommandState, ApiError> {
    check_collab(record)?;
    let outcome = api::command(app, principal, record.session_id.as_str(), kind, body, ANSWER_WAIT)
        .await
        .map_err(|error| refusal(error.code, error.message))?;
    if outcome.state == CommandState::Rejected {
        let message = outcome.message.unwrap_or_else(|| "The session refused".to_owned());
        let mut error = ApiError::new(StatusCode::CONFLICT, message).code("rejected");
        if let Some(code) = outcome.code {
            error = error.with("reason", code);
        }
        return Err(error);
    }
    Ok(outcome.state)
}

/// Why a command was refused, over HTTP.
pub fn refusal(code: pizzapi_protocol::ErrorCode, message: String) -> ApiError {
    use pizzapi_protocol::ErrorCode;
    let status = match code {
        ErrorCode::NotFound => StatusCode::NOT_FOUND,
        ErrorCode::Offline | ErrorCode::Reconnecting | ErrorCode::ServerNotReady | ErrorCode::Overloaded => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        ErrorCode::QueueFull | ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::Forbidden | ErrorCode::ModelHidden => StatusCode::FORBIDDEN,
        ErrorCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::NotCollab | ErrorCode::MovedOn | ErrorCode::Conflict | ErrorCode::AlreadyAnswered => {
            StatusCode::CONFLICT
        }
        ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    };
    let mut error = ApiError::new(status, message).code(code.as_str());
    if code.is_retryable() {
        error.retry_after = Some(Duration::from_secs(2));
    }
    error
}

fn check_collab(record: &SessionRecord) -> Result<(), ApiError> {
    match record.collab_mode {
        true => Ok(()),
        false => Err(ApiError::new(StatusCode::CONFLICT, "Session is not in collab mode").code("not_collab")),
    }
}

/// The live record, when it is this user's; missing and foreign look alike.
pub async fn live(app: &App, principal: &Principal, id: &str) -> Result<Option<Arc<SessionRecord>>, ApiError> {
    let record = app.live.stores.sessions.get(&SessionId::from(id)).await?;
    Ok(record.filter(|record| record.user_id.as_str() == principal.user_id && !record.is_ended()))
}

pub fn author(principal: &Principal) -> Author {
    Author { user: UserId::from(principal.user_id.as_str()), device: Some("api".to_owned()) }
}

pub fn missing() -> ApiError {
    ApiError::not_found("Session not found")
}

fn persisted(row: &SessionRow) -> PersistedSession {
    PersistedSession {
        session_id: row.id.as_str().into(),
        cwd: row.cwd.clone(),
        share_url: row.share_url.clone(),
        started_at: iso(row.started_at),
        last_active_at: iso(row.last_active_at),
        ended_at: row.ended_at.map(iso),
        is_ephemeral: row.is_ephemeral,
        expires_at: row.expires_at.map(iso),
        is_pinned: row.is_pinned,
        runner_id: row.runner_id.as_deref().map(Into::into),
        runner_name: row.runner_name.clone(),
        session_name: row.name.clone(),
    }
}

fn write_cursor(row: &SessionRow) -> String {
    URL_SAFE_NO_PAD.encode(format!("{} {}", row.last_active_at, row.id))
}

/// Our own cursors, and the bare time older pages send.
fn read_cursor(text: &str) -> Result<(i64, String), ApiError> {
    if let Some(at) = from_iso(text) {
        return Ok((at, String::new()));
    }
    let decoded = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    decoded
        .as_deref()
        .and_then(|text| text.split_once(' '))
        .and_then(|(at, id)| Some((at.parse().ok()?, id.to_owned())))
        .ok_or_else(|| ApiError::bad_request("Invalid cursor"))
}

//! Runners: lists, sessions and terminals on them, restarting and forgetting them.

use std::collections::HashMap;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State};
use http::StatusCode;
use pizzapi_protocol::limits::SPAWN_IMAGES_MAX;
use pizzapi_protocol::rest::is_agent_name;
use pizzapi_protocol::runner::{BrowseDirectory, NewSession, Request, SpawnAgent, from_server};
use pizzapi_protocol::{Empty, ModelInfo, RunnerInfo, SessionId, TerminalId, UserId};
use serde_json::{Value, json};

use super::error::ApiError;
use super::extract::{Fields, KeyFirst, MaybeFields, Signed};
use super::runner_access::{self, OwnRunner, QUICK, USUAL, own, unexpected};
use super::sessions;
use crate::app::App;
use crate::auth::Principal;
use crate::clock::iso;
use crate::db::runners::RunnerRow;
use crate::route::RunnerReply;
use crate::socket::{self, api, spawn};

/// How long a spawn waits for the runner's word; without it the answer is "pending".
const SPAWN_WAIT: Duration = Duration::from_secs(5);
/// How long a spawn waits until the session can be used, when asked to.
const REGISTER_WAIT: Duration = Duration::from_secs(20);
const MAX_PATH: usize = 4096;
const MAX_PROMPT: usize = 512 * 1024;
/// Smallest and largest terminal. Units: cells.
const TERMINAL_CELLS: std::ops::RangeInclusive<i64> = 1..=1000;

/// Connected ones, and those that were and may return.
pub async fn list(State(app): State<App>, Signed(principal): Signed) -> Result<Json<Value>, ApiError> {
    let user = UserId::from(principal.user_id.as_str());
    let mut infos = socket::runners::list(&app, &user).await?;
    for row in app.db.runners().list(&principal.user_id).await? {
        if !infos.iter().any(|info| info.runner_id.as_str() == row.id) {
            infos.push(remembered(&row));
        }
    }
    Ok(Json(json!({ "runners": infos })))
}

pub async fn get(
    State(app): State<App>,
    Signed(principal): Signed,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let runner = own(&app, &principal, &id).await?;
    if let Some(record) = &runner.record {
        return Ok(Json(json!(socket::runners::info(&app, record).await?)));
    }
    let row = app.db.runners().get(&id).await?.ok_or_else(runner_access::unknown)?;
    Ok(Json(json!(remembered(&row))))
}

/// Forget a runner: its identity, listeners and subscriptions.
pub async fn delete(
    State(app): State<App>,
    Signed(principal): Signed,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let runner = own(&app, &principal, &id).await?;
    if app.live.routes.runner(&runner.id).is_some() {
        return Err(ApiError::new(StatusCode::CONFLICT, "Runner is connected; stop it first").code("connected"));
    }
    app.db.runners().delete(&id, &principal.user_id).await?;
    app.live.stores.runners.forget(&runner.id).await?;
    socket::runners::removed(&app, &runner.user, &runner.id);
    Ok(Json(json!({ "ok": true })))
}

pub async fn restart(
    State(app): State<App>,
    Signed(principal): Signed,
    MaybeFields(body): MaybeFields,
) -> Result<Json<Value>, ApiError> {
    named(&app, &principal, &body).await?.tell::<from_server::Restart>(&app, &Empty {}).await?;
    Ok(Json(json!({ "ok": true })))
}

pub async fn stop(
    State(app): State<App>,
    Signed(principal): Signed,
    MaybeFields(body): MaybeFields,
) -> Result<Json<Value>, ApiError> {
    named(&app, &principal, &body).await?.tell::<from_server::Shutdown>(&app, &Empty {}).await?;
    Ok(Json(json!({ "ok": true })))
}

async fn named(app: &App, principal: &Principal, body: &Fields) -> Result<OwnRunner, ApiError> {
    let id = body.words("runnerId").ok_or_else(|| ApiError::bad_request("Missing runnerId"))?;
    own(app, principal, id).await
}

/// Start a session.
pub async fn spawn(
    State(app): State<App>,
    KeyFirst(principal): KeyFirst,
    headers: http::HeaderMap,
    MaybeFields(body): MaybeFields,
) -> Result<Json<Value>, ApiError> {
    let runner = named(&app, &principal, &body).await?;
    let cwd = body.words("cwd").filter(|cwd| cwd.len() <= MAX_PATH);
    if let Some(cwd) = cwd
        && runner.record.is_some()
        && !super::roots::is_inside(cwd, runner.roots())
    {
        return Err(ApiError::bad_request(format!("Runner cannot access cwd: {cwd}")).code("outside_roots"));
    }
    let agent = agent(&body)?;
    let model = model(&body);
    let hidden = app.db.preferences().hidden_models(&principal.user_id).await.map_err(|error| {
        tracing::error!(%error, "hidden models could not be read");
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "Unable to validate model availability").code("internal")
    })?;
    if let Some(model) = &model
        && hidden.contains(&format!("{}/{}", model.provider, model.id))
    {
        return Err(ApiError::bad_request("Requested model is not available").code("model_hidden"));
    }
    let prompt = body.text("prompt").filter(|prompt| !prompt.trim().is_empty());
    if prompt.is_some_and(|prompt| prompt.len() > MAX_PROMPT) {
        return Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "prompt is too large").code("too_large"));
    }
    let parent = body.words("parentSessionId");
    if let Some(parent) = parent
        && sessions::live(&app, &principal, parent).await?.is_none()
    {
        return Err(ApiError::not_found("Parent session not found"));
    }
    // The same key twice, from a double click or a retry, means the same session.
    let idempotent = headers.get("idempotency-key").and_then(|key| key.to_str().ok()).filter(|key| !key.is_empty());
    let session_id = SessionId::from(match idempotent {
        Some(key) => derived_id(&principal.user_id, key),
        None => uuid::Uuid::new_v4().to_string(),
    });
    if idempotent.is_some()
        && let Some((_, progress)) = app.live.spawns.progress(&runner.user, &session_id)
    {
        let pending = progress.state == pizzapi_protocol::SpawnState::Requested;
        return Ok(Json(json!({ "ok": true, "runnerId": runner.id, "sessionId": session_id, "pending": pending })));
    }
    let resume_path = body.words("resumePath").filter(|path| path.len() <= MAX_PATH);
    let request = NewSession {
        session_id: session_id.clone(),
        cwd: cwd.map(str::to_owned),
        prompt: prompt.map(str::to_owned),
        image_urls: body.texts("imageUrls").map(|urls| urls.into_iter().take(SPAWN_IMAGES_MAX).collect()),
        model,
        skills: None,
        hidden_models: (!hidden.is_empty()).then_some(hidden),
        agent,
        parent_session_id: parent.map(Into::into),
        resume_path: resume_path.map(str::to_owned),
        resume_id: body.words("resumeId").filter(|_| resume_path.is_none()).map(Into::into),
        auto_close: body.flag("autoClose"),
    };
    let is_top_level = request.parent_session_id.is_none();
    let started = spawn::start(&app, &runner.user, &runner.id, request, SPAWN_WAIT).await?;
    if let spawn::Started::Failed(message) = started {
        return Err(ApiError::bad_request(message).code("spawn_failed"));
    }
    if is_top_level && let Some(cwd) = cwd {
        app.db.preferences().used_folder(&principal.user_id, runner.id.as_str(), cwd, app.clock.now_ms()).await?;
    }
    if body.text("wait") == Some("registered") {
        match tokio::time::timeout(REGISTER_WAIT, app.live.spawns.wait(&runner.user, &session_id)).await {
            Ok(Ok(())) => {}
            Ok(Err(message)) => return Err(ApiError::bad_request(message).code("spawn_failed")),
            Err(_) => {
                let body = json!({ "ok": true, "runnerId": runner.id, "sessionId": session_id, "pending": true });
                return Ok(Json(body));
            }
        }
    }
    let pending = started == spawn::Started::Pending;
    Ok(Json(json!({ "ok": true, "runnerId": runner.id, "sessionId": session_id, "pending": pending })))
}

/// What became of a spawn.
pub async fn spawn_status(
    State(app): State<App>,
    Signed(principal): Signed,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let session = SessionId::from(id);
    let user = UserId::from(principal.user_id.as_str());
    let (runner, progress) =
        app.live.spawns.progress(&user, &session).ok_or_else(|| ApiError::not_found("Spawn not found"))?;
    let mut body = json!({
        "spawnId": session,
        "sessionId": session,
        "runnerId": runner,
        "state": progress.state,
        "at": progress.at,
    });
    if let Some(message) = progress.message {
        body["message"] = json!(message);
    }
    Ok(Json(body))
}

fn agent(body: &Fields) -> Result<Option<SpawnAgent>, ApiError> {
    let Some(agent) = body.object("agent") else { return Ok(None) };
    let text = |name: &str| agent.get(name).and_then(Value::as_str).map(str::to_owned);
    let name = text("name").filter(|name| is_agent_name(name));
    let name = name.ok_or_else(|| ApiError::bad_request("Invalid agent name"))?;
    Ok(Some(SpawnAgent {
        name,
        system_prompt: text("systemPrompt"),
        tools: text("tools"),
        disallowed_tools: text("disallowedTools"),
    }))
}

fn model(body: &Fields) -> Option<ModelInfo> {
    let model = body.object("model")?;
    let text = |name: &str| model.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    Some(ModelInfo { provider: text("provider")?.to_owned(), id: text("id")?.to_owned(), name: None })
}

/// The same id for the same user and key, and nobody else's.
fn derived_id(user_id: &str, key: &str) -> String {
    let digest = crate::auth::sealed::hmac(user_id.as_bytes(), &[b"spawn", key.as_bytes()]);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

/// Note a terminal; it starts when the first page that shows it says how large it is.
pub async fn create_terminal(
    State(app): State<App>,
    Signed(principal): Signed,
    MaybeFields(body): MaybeFields,
) -> Result<Json<Value>, ApiError> {
    let runner = named(&app, &principal, &body).await?;
    let cwd = body.words("cwd").filter(|cwd| cwd.len() <= MAX_PATH);
    if let Some(cwd) = cwd
        && runner.record.is_some()
        && !super::roots::is_inside(cwd, runner.roots())
    {
        return Err(ApiError::bad_request(format!("Runner cannot access cwd: {cwd}")).code("outside_roots"));
    }
    let cells = |name: &str, usual: u16| {
        let cells = body.int(name).filter(|cells| TERMINAL_CELLS.contains(cells));
        cells.and_then(|cells| u16::try_from(cells).ok()).unwrap_or(usual)
    };
    let (cwd, cols, rows) = (cwd.map(str::to_owned), cells("cols", 80), cells("rows", 24));
    let terminal_id = api::create_terminal(&app, &principal.user_id, runner.id.as_str(), cwd, cols, rows).await?;
    Ok(Json(json!({ "ok": true, "terminalId": terminal_id, "runnerId": runner.id })))
}

pub async fn terminals(
    State(app): State<App>,
    Signed(principal): Signed,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let runner = own(&app, &principal, &id).await?;
    let records = app.live.stores.terminals.of_runner(&runner.id).await?;
    let list: Vec<Value> = records
        .iter()
        .filter(|record| record.user_id == runner.user)
        .map(|record| {
            json!({
                "terminalId": record.terminal_id,
                "runnerId": record.runner_id,
                "cwd": record.cwd,
                "cols": record.cols,
                "rows": record.rows,
                "createdAt": iso(record.created_at),
                "spawned": record.spawned,
                "exited": record.ended_at.is_some(),
            })
        })
        .collect();
    Ok(Json(json!({ "terminals": list })))
}

pub async fn kill_terminal(
    State(app): State<App>,
    Signed(principal): Signed,
    Path((id, terminal)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let runner = own(&app, &principal, &id).await?;
    let terminal = TerminalId::from(terminal);
    let record = app.live.stores.terminals.get(&terminal).await?;
    let record = record.filter(|record| record.runner_id == runner.id && record.user_id == runner.user);
    let record = record.ok_or_else(|| ApiError::not_found("Terminal not found"))?;
    if record.spawned {
        let payload = pizzapi_protocol::terminal::TerminalRef { terminal_id: terminal };
        runner.tell::<from_server::KillTerminal>(&app, &payload).await?;
    } else {
        app.live.stores.terminals.remove(&terminal).await?;
    }
    Ok(Json(json!({ "ok": true })))
}

/// Models that can be used there, without hidden ones.
pub async fn models(
    State(app): State<App>,
    Signed(principal): Signed,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let runner = own(&app, &principal, &id).await?;
    let hidden = app.db.preferences().hidden_models(&principal.user_id).await?;
    match runner.ask::<from_server::ListModels>(&app, |request_id| Request { request_id }, USUAL).await? {
        RunnerReply::Models(mut list) => {
            if let Some(error) = list.error.filter(|_| list.models.is_empty()) {
                return Err(runner_access::refused(StatusCode::BAD_GATEWAY, error));
            }
            list.models.retain(|model| !hidden.contains(&format!("{}/{}", model.provider, model.id)));
            Ok(Json(json!({ "models": list.models })))
        }
        other => Err(unexpected(&other)),
    }
}

pub async fn recent_folders(
    State(app): State<App>,
    Signed(principal): Signed,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    own(&app, &principal, &id).await?;
    Ok(Json(json!({ "folders": app.db.preferences().recent_folders(&principal.user_id, &id).await? })))
}

pub async fn forget_folder(
    State(app): State<App>,
    Signed(principal): Signed,
    Path(id): Path<String>,
    MaybeFields(body): MaybeFields,
) -> Result<Json<Value>, ApiError> {
    own(&app, &principal, &id).await?;
    let path = body.text("path").ok_or_else(|| ApiError::bad_request("Missing required field: path"))?;
    let deleted = app.db.preferences().forget_folder(&principal.user_id, &id, path).await?;
    Ok(Json(json!({ "ok": true, "deleted": deleted })))
}

pub async fn browse(
    State(app): State<App>,
    Signed(principal): Signed,
    Path(id): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Json<Value>, ApiError> {
    let runner = own(&app, &principal, &id).await?;
    let path = query
        .get("path")
        .filter(|path| !path.is_empty() && path.len() <= MAX_PATH)
        .cloned()
        .unwrap_or_else(|| "/".to_owned());
    // Above the roots the runner shows the way down to them, so it decides itself.
    let answer = runner
        .ask_file::<from_server::BrowseDirectory>(
            &app,
            |request_id| BrowseDirectory { request_id, path },
            QUICK,
            StatusCode::BAD_REQUEST,
        )
        .await?;
    Ok(Json(json!({ "directories": answer.get("directories").cloned().unwrap_or_else(|| json!([])) })))
}

/// What a runner said about itself when it was last here.
fn remembered(row: &RunnerRow) -> RunnerInfo {
    let mut info = serde_json::from_str::<RunnerInfo>(&row.info).unwrap_or_else(|_| bare(row));
    info.runner_id = row.id.as_str().into();
    info.name = row.name.clone().or(info.name);
    info.session_count = 0;
    info.status = Some(pizzapi_protocol::RunnerStatus::Offline);
    info.last_seen_at = Some(iso(row.last_seen_at));
    info
}

/// A runner of which nothing but its name is known.
fn bare(row: &RunnerRow) -> RunnerInfo {
    let value = json!({
        "runnerId": row.id, "name": row.name, "roots": [], "sessionCount": 0, "skills": [], "agents": [],
        "plugins": [], "hooks": [], "version": null, "platform": null,
    });
    serde_json::from_value(value).expect("these are the members a runner always has")
}

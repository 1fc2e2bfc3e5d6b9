//! Files of a runner, and what it says about settings, sandbox, usage and provider logins.

use std::collections::HashMap;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State};
use http::StatusCode;
use pizzapi_protocol::runner::{
    AnalyzeSession, AuthLoginRef, AuthLoginStart, AuthLoginSubmit, AuthType, FileEncoding, GetUsage, ListFiles,
    ReadFile, Request, SandboxUpdateConfig, SearchFiles, SettingsUpdateSection, UsageRange, from_server,
};
use pizzapi_protocol::runner_reply::{SandboxMode, SettingsSection};
use pizzapi_protocol::{Event, RawJson, RequestId, SessionId};
use serde_json::{Value, json};

use super::error::ApiError;
use super::extract::{Fields, Signed};
use super::runner_access::{OwnRunner, SLOW, USUAL, own, unexpected};
use super::sessions;
use crate::app::App;
use crate::route::RunnerReply;

const MAX_PATH: usize = 4096;
const MAX_QUERY: usize = 1024;
const MAX_RESULTS: i64 = 1000;
/// Most of a file that is sent. Units: bytes.
const MAX_TEXT_BYTES: u64 = 512 * 1024;
const MAX_BASE64_BYTES: u64 = 10 * 1024 * 1024;
const LOGIN_START: Duration = Duration::from_secs(45);
const LOGIN_SUBMIT: Duration = Duration::from_secs(90);

type Answer = Result<Json<Value>, ApiError>;

fn path(body: &Fields, name: &str) -> Result<String, ApiError> {
    let path = body.text(name).filter(|path| !path.is_empty() && path.len() <= MAX_PATH);
    path.map(str::to_owned).ok_or_else(|| ApiError::bad_request(format!("Missing required field: {name}")))
}

pub async fn list(State(app): State<App>, Signed(principal): Signed, Path(id): Path<String>, body: Fields) -> Answer {
    let runner = own(&app, &principal, &id).await?;
    let path = path(&body, "path")?;
    runner.check_path(&path)?;
    let payload = |request_id| ListFiles { request_id, path, cwd: None };
    Ok(Json(cancellable::<from_server::ListFiles>(&app, &runner, payload, USUAL).await?))
}

pub async fn search(State(app): State<App>, Signed(principal): Signed, Path(id): Path<String>, body: Fields) -> Answer {
    let runner = own(&app, &principal, &id).await?;
    let cwd = path(&body, "cwd")?;
    runner.check_path(&cwd)?;
    let query = body.text("query").unwrap_or_default().trim().to_owned();
    if query.is_empty() {
        return Ok(Json(json!({ "ok": true, "files": [] })));
    }
    if query.len() > MAX_QUERY {
        return Err(ApiError::bad_request("query is too long"));
    }
    let limit = body.int("limit").unwrap_or(100).clamp(1, MAX_RESULTS);
    let payload = |request_id| SearchFiles { request_id, cwd, query, limit: u32::try_from(limit).ok() };
    Ok(Json(cancellable::<from_server::SearchFiles>(&app, &runner, payload, USUAL).await?))
}

pub async fn read(State(app): State<App>, Signed(principal): Signed, Path(id): Path<String>, body: Fields) -> Answer {
    let runner = own(&app, &principal, &id).await?;
    let path = path(&body, "path")?;
    runner.check_path(&path)?;
    let encoding = body.text("encoding").and_then(FileEncoding::from_word).unwrap_or_default();
    let (max_bytes, wait) = match encoding {
        FileEncoding::Base64 => (MAX_BASE64_BYTES, SLOW),
        _ => (MAX_TEXT_BYTES, USUAL),
    };
    let payload = |request_id| ReadFile {
        request_id,
        path,
        cwd: None,
        encoding: Some(encoding),
        max_bytes: Some(max_bytes),
        reject_truncated: body.flag("rejectTruncated"),
    };
    Ok(Json(cancellable::<from_server::ReadFile>(&app, &runner, payload, wait).await?))
}

/// Ask about files. When whoever asked goes away, the runner is told to stop.
async fn cancellable<E: Event>(
    app: &App,
    runner: &OwnRunner,
    payload: impl FnOnce(RequestId) -> E::Payload + Send,
    wait: Duration,
) -> Result<Value, ApiError> {
    let sent = std::sync::Arc::new(std::sync::OnceLock::new());
    let mut stop = Stop { app: app.clone(), runner: runner.id.clone(), sent: sent.clone(), answered: false };
    let noted = |request: RequestId| {
        // Made once per request.
        let _ = sent.set(request.clone());
        payload(request)
    };
    let answer = runner.ask_file::<E>(app, noted, wait, StatusCode::INTERNAL_SERVER_ERROR).await;
    stop.answered = answer.as_ref().err().is_none_or(|error| error.code != Some("runner_timeout"));
    answer
}

struct Stop {
    app: App,
    runner: pizzapi_protocol::RunnerId,
    sent: std::sync::Arc<std::sync::OnceLock<RequestId>>,
    answered: bool,
}

impl Drop for Stop {
    fn drop(&mut self) {
        if let Some(request_id) = self.sent.get().filter(|_| !self.answered) {
            let request = Request { request_id: request_id.clone() };
            crate::route::nudge_runner::<from_server::CancelFileRequest>(&self.app, &self.runner, &request);
        }
    }
}

// Settings and sandbox

pub async fn settings(State(app): State<App>, Signed(principal): Signed, Path(id): Path<String>) -> Answer {
    let runner = own(&app, &principal, &id).await?;
    let payload = |request_id| Request { request_id };
    Ok(Json(runner.ask_file::<from_server::SettingsGetConfig>(&app, payload, USUAL, StatusCode::BAD_GATEWAY).await?))
}

pub async fn set_settings(
    State(app): State<App>,
    Signed(principal): Signed,
    Path(id): Path<String>,
    body: Fields,
) -> Answer {
    let runner = own(&app, &principal, &id).await?;
    let section = body.text("section").filter(|section| SettingsSection::from_word(section).is_some());
    let section = section.ok_or_else(|| ApiError::bad_request("Unknown settings section"))?.to_owned();
    let value = body.0.get("value").ok_or_else(|| ApiError::bad_request("Missing required field: value"))?;
    let value = raw(value)?;
    let payload = |request_id| SettingsUpdateSection { request_id, section, value };
    Ok(Json(
        runner.ask_file::<from_server::SettingsUpdateSection>(&app, payload, USUAL, StatusCode::BAD_GATEWAY).await?,
    ))
}

pub async fn sandbox(State(app): State<App>, Signed(principal): Signed, Path(id): Path<String>) -> Answer {
    let runner = own(&app, &principal, &id).await?;
    let payload = |request_id| Request { request_id };
    Ok(Json(runner.ask_file::<from_server::SandboxGetStatus>(&app, payload, USUAL, StatusCode::BAD_GATEWAY).await?))
}

pub async fn set_sandbox(
    State(app): State<App>,
    Signed(principal): Signed,
    Path(id): Path<String>,
    body: Fields,
) -> Answer {
    let runner = own(&app, &principal, &id).await?;
    check_sandbox(&body)?;
    let config = raw(&Value::Object(body.0))?;
    let payload = |request_id| SandboxUpdateConfig { request_id, config };
    Ok(Json(runner.ask_file::<from_server::SandboxUpdateConfig>(&app, payload, USUAL, StatusCode::BAD_GATEWAY).await?))
}

fn check_sandbox(body: &Fields) -> Result<(), ApiError> {
    if let Some(mode) = body.0.get("mode")
        && mode.as_str().and_then(SandboxMode::from_word).is_none()
    {
        return Err(ApiError::bad_request("mode must be none, basic or full"));
    }
    let lists = [
        ("filesystem", ["denyRead", "allowWrite", "denyWrite"].as_slice()),
        ("network", ["allowedDomains", "deniedDomains"].as_slice()),
    ];
    for (part, names) in lists {
        let Some(part_value) = body.0.get(part) else { continue };
        let Some(members) = part_value.as_object() else {
            return Err(ApiError::bad_request(format!("{part} must be an object")));
        };
        for name in names {
            let is_list = |value: &Value| value.as_array().is_some_and(|list| list.iter().all(Value::is_string));
            if members.get(*name).is_some_and(|value| !is_list(value)) {
                return Err(ApiError::bad_request(format!("{part}.{name} must be a list of strings")));
            }
        }
    }
    Ok(())
}

// Usage and analysis

pub async fn usage(
    State(app): State<App>,
    Signed(principal): Signed,
    Path(id): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Answer {
    let runner = own(&app, &principal, &id).await?;
    let range = query.get("range").map_or(Some(UsageRange::Quarter), |word| UsageRange::from_word(word));
    let range = range.ok_or_else(|| ApiError::bad_request("range must be one of 7d, 30d, 90d, all"))?;
    data(
        runner
            .ask::<from_server::GetUsage>(&app, |request_id| GetUsage { request_id, range: Some(range) }, SLOW)
            .await?,
    )
}

pub async fn analysis(
    State(app): State<App>,
    Signed(principal): Signed,
    Path((id, session)): Path<(String, String)>,
) -> Answer {
    let runner = own(&app, &principal, &id).await?;
    let is_live = sessions::live(&app, &principal, &session).await?.is_some();
    if !is_live && app.db.sessions().of_user(&session, &principal.user_id).await?.is_none() {
        return Err(sessions::missing());
    }
    let session_id = SessionId::from(session);
    data(
        runner
            .ask::<from_server::AnalyzeSession>(&app, |request_id| AnalyzeSession { request_id, session_id }, SLOW)
            .await?,
    )
}

fn data(reply: RunnerReply) -> Answer {
    match reply {
        RunnerReply::Data(data) => match data.to::<Value>() {
            Ok(value @ Value::Object(_)) => Ok(Json(value)),
            _ => Err(unexpected(&RunnerReply::Data(data))),
        },
        other => Err(unexpected(&other)),
    }
}

// Logins to model providers. What is typed there is never logged or echoed.

pub async fn providers(State(app): State<App>, Signed(principal): Signed, Path(id): Path<String>) -> Answer {
    let runner = own(&app, &principal, &id).await?;
    let payload = |request_id| Request { request_id };
    Ok(Json(runner.ask_file::<from_server::AuthList>(&app, payload, USUAL, StatusCode::BAD_GATEWAY).await?))
}

pub async fn login_start(
    State(app): State<App>,
    Signed(principal): Signed,
    Path(id): Path<String>,
    body: Fields,
) -> Answer {
    let runner = own(&app, &principal, &id).await?;
    let provider_id =
        body.words("providerId").ok_or_else(|| ApiError::bad_request("Missing required field: providerId"))?;
    let provider_id = provider_id.to_owned();
    let auth_type = body.text("authType").and_then(AuthType::from_word);
    let payload = |request_id| AuthLoginStart { request_id, provider_id, auth_type };
    Ok(Json(runner.ask_file::<from_server::AuthLoginStart>(&app, payload, LOGIN_START, StatusCode::BAD_GATEWAY).await?))
}

pub async fn login_status(
    State(app): State<App>,
    Signed(principal): Signed,
    Path(id): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Answer {
    let runner = own(&app, &principal, &id).await?;
    let login_id = query.get("loginId").filter(|id| !id.is_empty()).cloned();
    let login_id = login_id.ok_or_else(|| ApiError::bad_request("Missing required parameter: loginId"))?;
    let payload = |request_id| AuthLoginRef { request_id, login_id };
    Ok(Json(runner.ask_file::<from_server::AuthLoginStatus>(&app, payload, USUAL, StatusCode::BAD_GATEWAY).await?))
}

pub async fn login_submit(
    State(app): State<App>,
    Signed(principal): Signed,
    Path(id): Path<String>,
    body: Fields,
) -> Answer {
    let runner = own(&app, &principal, &id).await?;
    let (Some(login_id), Some(value)) = (body.words("loginId"), body.text("value")) else {
        return Err(ApiError::bad_request("Missing required fields: loginId, value"));
    };
    let (login_id, value) = (login_id.to_owned(), value.to_owned());
    let payload = |request_id| AuthLoginSubmit { request_id, login_id, value };
    Ok(Json(
        runner.ask_file::<from_server::AuthLoginSubmit>(&app, payload, LOGIN_SUBMIT, StatusCode::BAD_GATEWAY).await?,
    ))
}

pub async fn login_cancel(
    State(app): State<App>,
    Signed(principal): Signed,
    Path(id): Path<String>,
    body: Fields,
) -> Answer {
    let runner = own(&app, &principal, &id).await?;
    let login_id =
        body.words("loginId").ok_or_else(|| ApiError::bad_request("Missing required field: loginId"))?.to_owned();
    let payload = |request_id| AuthLoginRef { request_id, login_id };
    Ok(Json(runner.ask_file::<from_server::AuthLoginCancel>(&app, payload, USUAL, StatusCode::BAD_GATEWAY).await?))
}

fn raw(value: &Value) -> Result<RawJson, ApiError> {
    RawJson::new(value).map_err(|error| ApiError::bad_request(format!("Invalid value: {error}")))
}

//! Skills, agents, plugins and packages of a runner.

use std::collections::HashMap;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State};
use http::StatusCode;
use pizzapi_protocol::rest::is_agent_name;
use pizzapi_protocol::runner::{ListPlugins, Named, PackageRequest, PackagesUpdate, Request, WriteNamed, from_server};
use pizzapi_protocol::{CommandKind, InputBody, RawJson};
use serde_json::{Value, json};

use super::error::ApiError;
use super::extract::{Fields, MaybeFields, Signed};
use super::roots;
use super::runner_access::{QUICK, SLOW, USUAL, own, refused, unexpected};
use super::sessions::author;
use crate::app::App;
use crate::route::RunnerReply;
use crate::socket::commands::{self, NewCommand, Verdict};

/// Largest text of a skill or an agent. Units: bytes.
const MAX_CONTENT: usize = 512 * 1024;
/// Installing fetches from the network.
const INSTALL: Duration = Duration::from_secs(120);
/// Words that name routes beside the items.
const RESERVED: [&str; 2] = ["refresh", "reload"];

type Answer = Result<Json<Value>, ApiError>;

fn skill_name(name: &str) -> Result<String, ApiError> {
    checked(name).ok_or_else(|| ApiError::bad_request("Invalid skill name"))
}

fn agent_name(name: &str) -> Result<String, ApiError> {
    checked(name).ok_or_else(|| ApiError::bad_request("Invalid agent name"))
}

fn checked(name: &str) -> Option<String> {
    (is_agent_name(name) && !RESERVED.contains(&name)).then(|| name.to_owned())
}

fn content(body: &Fields) -> Result<String, ApiError> {
    let text = body.text("content").filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| ApiError::bad_request("Missing required field: content"))?;
    if text.len() > MAX_CONTENT {
        return Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "content is too large").code("too_large"));
    }
    Ok(text.to_owned())
}

// Skills

pub async fn skills(State(app): State<App>, Signed(principal): Signed, Path(id): Path<String>) -> Answer {
    let runner = own(&app, &principal, &id).await?;
    Ok(Json(json!({ "skills": runner.record.map(|record| record.skills.clone()).unwrap_or_default() })))
}

pub async fn skill(
    State(app): State<App>,
    Signed(principal): Signed,
    Path((id, name)): Path<(String, String)>,
) -> Answer {
    let runner = own(&app, &principal, &id).await?;
    let name = skill_name(&name)?;
    let ask = runner.ask::<from_server::GetSkill>(&app, |request_id| Named { request_id, name: name.clone() }, QUICK);
    match ask.await? {
        RunnerReply::Skill(found) if found.ok => {
            Ok(Json(json!({ "name": found.name.unwrap_or(name), "content": found.content.unwrap_or_default() })))
        }
        RunnerReply::Skill(refusal) => Err(not_found(refusal.message, "Skill not found")),
        other => Err(unexpected(&other)),
    }
}

pub async fn create_skill(
    State(app): State<App>,
    Signed(principal): Signed,
    Path(id): Path<String>,
    body: Fields,
) -> Answer {
    let runner = own(&app, &principal, &id).await?;
    let (name, content) = (skill_name(body.text("name").unwrap_or_default())?, content(&body)?);
    let ask =
        runner.ask::<from_server::CreateSkill>(&app, |request_id| WriteNamed { request_id, name, content }, QUICK);
    skill_written(ask.await?, StatusCode::BAD_REQUEST)
}

pub async fn update_skill(
    State(app): State<App>,
    Signed(principal): Signed,
    Path((id, name)): Path<(String, String)>,
    body: Fields,
) -> Answer {
    let runner = own(&app, &principal, &id).await?;
    let (name, content) = (skill_name(&name)?, content(&body)?);
    let ask =
        runner.ask::<from_server::UpdateSkill>(&app, |request_id| WriteNamed { request_id, name, content }, QUICK);
    skill_written(ask.await?, StatusCode::BAD_REQUEST)
}

pub async fn delete_skill(
    State(app): State<App>,
    Signed(principal): Signed,
    Path((id, name)): Path<(String, String)>,
) -> Answer {
    let runner = own(&app, &principal, &id).await?;
    let name = skill_name(&name)?;
    let ask = runner.ask::<from_server::DeleteSkill>(&app, |request_id| Named { request_id, name }, QUICK);
    skill_written(ask.await?, StatusCode::NOT_FOUND)
}

fn skill_written(reply: RunnerReply, status: StatusCode) -> Answer {
    match reply {
        RunnerReply::Skill(done) if done.ok => {
            Ok(Json(json!({ "ok": true, "skills": done.skills.unwrap_or_default() })))
        }
        RunnerReply::Skill(refusal) => {
            Err(refused(status, refusal.message.unwrap_or_else(|| "The runner refused".into())))
        }
        other => Err(unexpected(&other)),
    }
}

pub async fn refresh_skills(State(app): State<App>, Signed(principal): Signed, Path(id): Path<String>) -> Answer {
    let runner = own(&app, &principal, &id).await?;
    match runner.ask::<from_server::ListSkills>(&app, |request_id| Request { request_id }, QUICK).await? {
        RunnerReply::Skills(list) => Ok(Json(json!({ "ok": true, "skills": list.skills }))),
        other => Err(unexpected(&other)),
    }
}

/// Look again, and have every live session of the runner load what was found.
pub async fn reload_skills(State(app): State<App>, Signed(principal): Signed, Path(id): Path<String>) -> Answer {
    let runner = own(&app, &principal, &id).await?;
    let skills = match runner.ask::<from_server::ListSkills>(&app, |request_id| Request { request_id }, QUICK).await? {
        RunnerReply::Skills(list) => list.skills,
        other => return Err(unexpected(&other)),
    };
    let mut body = tell_sessions(&app, &principal, &runner.id, "/skills reload").await?;
    body["skills"] = json!(skills);
    Ok(Json(body))
}

/// Have every live session of the runner load its MCP servers again.
pub async fn reload_mcp(State(app): State<App>, Signed(principal): Signed, Path(id): Path<String>) -> Answer {
    let runner = own(&app, &principal, &id).await?;
    Ok(Json(tell_sessions(&app, &principal, &runner.id, "/mcp reload").await?))
}

/// Put words into every live session of a runner, behind what it is doing.
async fn tell_sessions(
    app: &App,
    principal: &crate::auth::Principal,
    runner: &pizzapi_protocol::RunnerId,
    text: &str,
) -> Result<Value, ApiError> {
    let mut told = Vec::new();
    let mut failed = Vec::new();
    for record in app.live.stores.sessions.of_runner(runner).await? {
        if record.user_id.as_str() != principal.user_id {
            continue;
        }
        let input = InputBody {
            text: text.to_owned(),
            attachments: None,
            client: Some("api".to_owned()),
            deliver_as: Some(pizzapi_protocol::DeliverAs::FollowUp),
        };
        let Ok(body) = RawJson::new(&input) else { continue };
        // Only those that are there: queued words would surprise somebody later.
        let connected = app.live.routes.relay(&record.session_id).is_some();
        let command = NewCommand::new(&record, CommandKind::Input, body, author(principal));
        let accepted = connected && matches!(commands::submit(app, command).await, Verdict::Accepted { .. });
        if accepted { &mut told } else { &mut failed }.push(record.session_id.clone());
    }
    Ok(
        json!({ "ok": true, "reloaded": told.len(), "failed": failed.len(), "sessionIds": told, "failedSessionIds": failed }),
    )
}

// Agents

pub async fn agents(State(app): State<App>, Signed(principal): Signed, Path(id): Path<String>) -> Answer {
    let runner = own(&app, &principal, &id).await?;
    Ok(Json(json!({ "agents": runner.record.map(|record| record.agents.clone()).unwrap_or_default() })))
}

pub async fn agent(
    State(app): State<App>,
    Signed(principal): Signed,
    Path((id, name)): Path<(String, String)>,
) -> Answer {
    let runner = own(&app, &principal, &id).await?;
    let name = agent_name(&name)?;
    let ask = runner.ask::<from_server::GetAgent>(&app, |request_id| Named { request_id, name: name.clone() }, QUICK);
    match ask.await? {
        RunnerReply::Agent(found) if found.ok => {
            Ok(Json(json!({ "name": found.name.unwrap_or(name), "content": found.content.unwrap_or_default() })))
        }
        RunnerReply::Agent(refusal) => Err(not_found(refusal.message, "Agent not found")),
        other => Err(unexpected(&other)),
    }
}

pub async fn create_agent(
    State(app): State<App>,
    Signed(principal): Signed,
    Path(id): Path<String>,
    body: Fields,
) -> Answer {
    let runner = own(&app, &principal, &id).await?;
    let (name, content) = (agent_name(body.text("name").unwrap_or_default())?, content(&body)?);
    let ask =
        runner.ask::<from_server::CreateAgent>(&app, |request_id| WriteNamed { request_id, name, content }, QUICK);
    agent_written(ask.await?, StatusCode::BAD_REQUEST)
}

pub async fn update_agent(
    State(app): State<App>,
    Signed(principal): Signed,
    Path((id, name)): Path<(String, String)>,
    body: Fields,
) -> Answer {
    let runner = own(&app, &principal, &id).await?;
    let (name, content) = (agent_name(&name)?, content(&body)?);
    let ask =
        runner.ask::<from_server::UpdateAgent>(&app, |request_id| WriteNamed { request_id, name, content }, QUICK);
    agent_written(ask.await?, StatusCode::BAD_REQUEST)
}

pub async fn delete_agent(
    State(app): State<App>,
    Signed(principal): Signed,
    Path((id, name)): Path<(String, String)>,
) -> Answer {
    let runner = own(&app, &principal, &id).await?;
    let name = agent_name(&name)?;
    let ask = runner.ask::<from_server::DeleteAgent>(&app, |request_id| Named { request_id, name }, QUICK);
    agent_written(ask.await?, StatusCode::NOT_FOUND)
}

fn agent_written(reply: RunnerReply, status: StatusCode) -> Answer {
    match reply {
        RunnerReply::Agent(done) if done.ok => {
            Ok(Json(json!({ "ok": true, "agents": done.agents.unwrap_or_default() })))
        }
        RunnerReply::Agent(refusal) => {
            Err(refused(status, refusal.message.unwrap_or_else(|| "The runner refused".into())))
        }
        other => Err(unexpected(&other)),
    }
}

pub async fn refresh_agents(State(app): State<App>, Signed(principal): Signed, Path(id): Path<String>) -> Answer {
    let runner = own(&app, &principal, &id).await?;
    match runner.ask::<from_server::ListAgents>(&app, |request_id| Request { request_id }, QUICK).await? {
        RunnerReply::Agents(list) => Ok(Json(json!({ "ok": true, "agents": list.agents }))),
        other => Err(unexpected(&other)),
    }
}

fn not_found(message: Option<String>, usual: &str) -> ApiError {
    ApiError::not_found(message.unwrap_or_else(|| usual.to_owned()))
}

// Plugins

pub async fn plugins(
    State(app): State<App>,
    Signed(principal): Signed,
    Path(id): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Answer {
    let runner = own(&app, &principal, &id).await?;
    let Some(cwd) = query.get("cwd").filter(|cwd| !cwd.is_empty()).cloned() else {
        let plugins = runner.record.map(|record| record.plugins.clone()).unwrap_or_default();
        return Ok(Json(json!({ "plugins": plugins })));
    };
    if !roots::is_absolute(&cwd) {
        return Err(ApiError::bad_request("cwd must be an absolute path"));
    }
    runner.check_path(&cwd)?;
    let payload = |request_id| ListPlugins { request_id: Some(request_id), cwd: Some(cwd) };
    match runner.ask::<from_server::ListPlugins>(&app, payload, USUAL).await? {
        RunnerReply::Plugins(list) if list.ok != Some(false) => Ok(Json(json!({ "plugins": list.plugins }))),
        RunnerReply::Plugins(list) => Err(plugins_refused(list.message)),
        other => Err(unexpected(&other)),
    }
}

pub async fn refresh_plugins(State(app): State<App>, Signed(principal): Signed, Path(id): Path<String>) -> Answer {
    let runner = own(&app, &principal, &id).await?;
    let payload = |request_id| ListPlugins { request_id: Some(request_id), cwd: None };
    match runner.ask::<from_server::ListPlugins>(&app, payload, USUAL).await? {
        RunnerReply::Plugins(list) if list.ok != Some(false) => {
            Ok(Json(json!({ "ok": true, "plugins": list.plugins })))
        }
        RunnerReply::Plugins(list) => Err(plugins_refused(list.message)),
        other => Err(unexpected(&other)),
    }
}

fn plugins_refused(message: Option<String>) -> ApiError {
    refused(StatusCode::FORBIDDEN, message.unwrap_or_else(|| "The runner refused".to_owned()))
}

// Packages

pub async fn packages(State(app): State<App>, Signed(principal): Signed, Path(id): Path<String>) -> Answer {
    let runner = own(&app, &principal, &id).await?;
    let payload = |request_id| Request { request_id };
    Ok(Json(runner.ask_file::<from_server::PackagesList>(&app, payload, SLOW, StatusCode::BAD_GATEWAY).await?))
}

pub async fn install_package(
    State(app): State<App>,
    Signed(principal): Signed,
    Path(id): Path<String>,
    MaybeFields(body): MaybeFields,
) -> Answer {
    let runner = own(&app, &principal, &id).await?;
    let (source, local) = (source(&body)?, body.flag("local"));
    let payload = |request_id| PackageRequest { request_id, source, local };
    Ok(Json(runner.ask_file::<from_server::PackagesInstall>(&app, payload, INSTALL, StatusCode::BAD_GATEWAY).await?))
}

pub async fn remove_package(
    State(app): State<App>,
    Signed(principal): Signed,
    Path(id): Path<String>,
    MaybeFields(body): MaybeFields,
) -> Answer {
    let runner = own(&app, &principal, &id).await?;
    let (source, local) = (source(&body)?, body.flag("local"));
    let payload = |request_id| PackageRequest { request_id, source, local };
    Ok(Json(runner.ask_file::<from_server::PackagesRemove>(&app, payload, INSTALL, StatusCode::BAD_GATEWAY).await?))
}

pub async fn update_packages(
    State(app): State<App>,
    Signed(principal): Signed,
    Path(id): Path<String>,
    MaybeFields(body): MaybeFields,
) -> Answer {
    let runner = own(&app, &principal, &id).await?;
    let source = body.words("source").map(str::to_owned);
    let payload = |request_id| PackagesUpdate { request_id, source };
    Ok(Json(runner.ask_file::<from_server::PackagesUpdate>(&app, payload, INSTALL, StatusCode::BAD_GATEWAY).await?))
}

fn source(body: &Fields) -> Result<String, ApiError> {
    const MAX: usize = 2048;
    let source = body.words("source").filter(|source| source.len() <= MAX);
    source.map(str::to_owned).ok_or_else(|| ApiError::bad_request("Missing or invalid 'source'"))
}

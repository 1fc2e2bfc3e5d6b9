//! What HTTP routes ask of live state.

use std::sync::Arc;
use std::time::Duration;

use pizzapi_protocol::events::Event;
use pizzapi_protocol::relay::{HiddenModelsUpdate, McpOauthCallback, SubagentModelUpdate, from_server as to_session};
use pizzapi_protocol::runner::{NewSession, TriggerSubscriptionDelta, from_server as to_runner};
use pizzapi_protocol::{
    CommandId, CommandKind, CommandState, DeliverAs, ErrorCode, JsonObject, RawJson, RequestId, RunnerId, RunnerInfo,
    SessionId, SessionInfo, SubscriptionAction, TerminalId, Trigger, TriggerDirection, TriggerHistoryEntry, UserId,
};

use super::commands::{self, Author, NewCommand, Verdict};
use super::relay::{End, end_session as end_live, family};
use super::spawn::{self, Started};
use super::{hub, log_db, runners as runner_feed, terminal, viewer};
use crate::app::App;
use crate::auth::Principal;
use crate::core::lifecycle::Presence;
use crate::route::{self, RunnerReply};
use crate::store::{SessionRecord, StoreError};

pub use crate::route::RunnerError;

/// Live sessions of a user, oldest first.
pub async fn sessions(app: &App, user_id: &str) -> Result<Vec<SessionInfo>, StoreError> {
    hub::list(app, &user_id.into()).await
}

/// A session that is live.
#[derive(Debug, Clone)]
pub struct LiveSession {
    pub user_id: String,
    pub runner_id: Option<String>,
    pub cwd: String,
    pub collab_mode: bool,
    /// Its process is connected.
    pub connected: bool,
    pub reconnecting: bool,
    pub info: SessionInfo,
}

pub async fn session(app: &App, id: &str) -> Result<Option<LiveSession>, StoreError> {
    let id = SessionId::from(id);
    let Some(record) = app.live.stores.sessions.get(&id).await? else { return Ok(None) };
    let viewers = app.live.stores.presence.of(&id).await?.map(|audience| audience.viewers);
    Ok(Some(LiveSession {
        user_id: record.user_id.to_string(),
        runner_id: record.runner_id.as_ref().map(ToString::to_string),
        cwd: record.cwd.clone(),
        collab_mode: record.collab_mode,
        connected: app.live.routes.relay(&id).is_some(),
        reconnecting: matches!(record.presence, Presence::Reconnecting { .. }),
        info: record.info(viewers),
    }))
}

/// The newest whole state (`session_active`) of a session of `user_id`, live or ended. `None`: unknown, foreign, or nothing stored.
pub async fn snapshot(app: &App, user_id: &str, id: &str) -> Result<Option<RawJson>, StoreError> {
    match viewer::owned(app, &user_id.into(), &id.into()).await? {
        Some(record) => viewer::snapshot_of(app, &record).await,
        None => Ok(None),
    }
}

/// How far a command came within the time given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandOutcome {
    pub command_id: String,
    /// `accepted`: it waits for the session.
    pub state: CommandState,
    pub code: Option<String>,
    pub message: Option<String>,
}

#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct CommandError {
    pub code: ErrorCode,
    pub message: String,
}

/// Ask something of a session: stored, delivered once, followed for at most `wait`.
pub async fn command(
    app: &App,
    principal: &Principal,
    session_id: &str,
    kind: CommandKind,
    body: serde_json::Value,
    wait: Duration,
) -> Result<CommandOutcome, CommandError> {
    let fail = |code, message: &str| CommandError { code, message: message.to_owned() };
    let id = SessionId::from(session_id);
    let record = match app.live.stores.sessions.get(&id).await {
        Ok(Some(record)) if record.user_id == principal.user_id.as_str() => record,
        Ok(_) => return Err(fail(ErrorCode::NotFound, "Session not found")),
        Err(error) => {
            super::log_store(&error, "read the session of a command");
            return Err(fail(ErrorCode::Internal, "the session could not be read"));
        }
    };
    let author = Author { user: principal.user_id.as_str().into(), device: Some("api".to_owned()) };
    let mut body = body;
    let command_id = CommandId::from(uuid::Uuid::now_v7().to_string());
    if let (CommandKind::Exec, Some(exec)) = (kind, body.as_object_mut()) {
        exec.entry("id").or_insert_with(|| command_id.as_str().into());
    }
    let given =
        body.get("id").and_then(serde_json::Value::as_str).map(CommandId::from).filter(|_| kind == CommandKind::Exec);
    let command = NewCommand {
        id: Some(given.unwrap_or(command_id)),
        ..NewCommand::new(&record, kind, RawJson::from(body), author)
    };
    match commands::submit(app, command).await {
        Verdict::Refused { code, message } => Err(CommandError { code, message }),
        Verdict::Accepted { id: command_id, outcome, .. } => {
            let state = outcome.within(wait).await;
            let row = app.db.commands().get(id.as_str(), command_id.as_str()).await.ok().flatten();
            Ok(CommandOutcome {
                command_id: command_id.to_string(),
                state: row.as_ref().and_then(|row| CommandState::from_word(row.state.as_str())).unwrap_or(state),
                code: row.as_ref().and_then(|row| row.code.clone()),
                message: row.and_then(|row| row.message),
            })
        }
    }
}

/// Runners of a user, also those that are away.
pub async fn runners(app: &App, user_id: &str) -> Result<Vec<RunnerInfo>, StoreError> {
    runner_feed::list(app, &user_id.into()).await
}

/// A runner that registered since the server started.
#[derive(Debug, Clone)]
pub struct LiveRunner {
    pub user_id: String,
    pub name: Option<String>,
    pub roots: Vec<String>,
    pub connected: bool,
    pub reconnecting: bool,
    pub info: RunnerInfo,
}

pub async fn runner(app: &App, id: &str) -> Result<Option<LiveRunner>, StoreError> {
    let id = RunnerId::from(id);
    let Some(record) = app.live.stores.runners.get(&id).await? else { return Ok(None) };
    Ok(Some(LiveRunner {
        user_id: record.user_id.to_string(),
        name: record.name.clone(),
        roots: record.roots.clone(),
        connected: app.live.routes.runner(&id).is_some(),
        reconnecting: matches!(record.presence, Presence::Reconnecting { .. }),
        info: runner_feed::info(app, &record).await?,
    }))
}

/// Ask a runner of `user_id`. Dropping the future stops waiting.
pub async fn runner_request<E: Event>(
    app: &App,
    user_id: &str,
    runner_id: &str,
    payload: impl FnOnce(RequestId) -> E::Payload + Send,
    wait: Duration,
) -> Result<RunnerReply, RunnerError> {
    route::runner_request::<E>(app, &user_id.into(), &runner_id.into(), payload, wait).await
}

/// Tell a runner of `user_id` something that has no answer.
pub async fn runner_emit<E: Event>(
    app: &App,
    user_id: &str,
    runner_id: &str,
    payload: &E::Payload,
) -> Result<(), RunnerError> {
    route::tell_runner::<E>(app, &user_id.into(), &runner_id.into(), payload).await
}

/// Start a session. `request.session_id` may be empty: one is made. Answers with the id and whether the runner has not answered yet.
pub async fn spawn(
    app: &App,
    user_id: &str,
    runner_id: &str,
    mut request: NewSession,
    wait: Duration,
) -> Result<(SessionId, Started), RunnerError> {
    if request.session_id.is_empty() {
        request.session_id = SessionId::from(uuid::Uuid::new_v4().to_string());
    }
    let session = request.session_id.clone();
    let started = spawn::start(app, &user_id.into(), &runner_id.into(), request, wait).await?;
    Ok((session, started))
}

/// How far a spawn came.
pub fn spawn_status(app: &App, user_id: &str, session_id: &str) -> Option<(RunnerId, spawn::Progress)> {
    app.live.spawns.progress(&user_id.into(), &session_id.into())
}

/// Wait until a spawned session registered. Errors: why it did not, in words.
pub async fn await_registration(app: &App, user_id: &str, session_id: &str, wait: Duration) -> Result<(), String> {
    let (user, session) = (user_id.into(), session_id.into());
    tokio::time::timeout(wait, app.live.spawns.wait(&user, &session))
        .await
        .unwrap_or_else(|_| Err("the session did not register in time".to_owned()))
}

pub async fn create_terminal(
    app: &App,
    user_id: &str,
    runner_id: &str,
    cwd: Option<String>,
    cols: u16,
    rows: u16,
) -> Result<TerminalId, RunnerError> {
    terminal::create(app, &user_id.into(), &runner_id.into(), cwd, cols, rows).await
}

/// End a session of `user_id`: its process is asked to stop, its runner too. With `force` it is over at once. Says whether it was live.
pub async fn end_session(app: &App, user_id: &str, session_id: &str, force: bool) -> Result<bool, StoreError> {
    let id = SessionId::from(session_id);
    let Some(record) = app.live.stores.sessions.get(&id).await?.filter(|record| record.user_id == user_id) else {
        return Ok(false);
    };
    let exec = family::exec(&format!("end_{}", uuid::Uuid::new_v4().simple()), "end_session");
    let told = route::tell_session::<to_session::Exec>(app, &id, &exec);
    if let Some(runner) = &record.runner_id {
        route::nudge_runner::<to_runner::KillSession>(
            app,
            runner,
            &pizzapi_protocol::relay::SessionRef { session_id: id.clone() },
        );
    }
    if force || !told {
        end_live(app, &id, Some(record.epoch), End::terminal(pizzapi_protocol::runner::reasons::SESSION_ENDED)).await;
    }
    Ok(true)
}

/// The owner named a session; its process and all lists learn it.
pub async fn renamed(app: &App, session_id: &str, name: Option<&str>) -> Result<(), StoreError> {
    let id = SessionId::from(session_id);
    if let Some(record) = app.live.stores.sessions.rename(&id, name).await? {
        hub::status(app, &record);
        let mut exec = family::exec(&format!("name_{}", uuid::Uuid::new_v4().simple()), "set_session_name");
        if exec.extra.set("name", name.unwrap_or_default()).is_ok() {
            route::tell_session::<to_session::Exec>(app, &id, &exec);
        }
    }
    Ok(())
}

/// The user changed which models are hidden, or the sub-agent default: running sessions learn it.
pub async fn preferences_changed(app: &App, user_id: &str) {
    let preferences = app.db.preferences();
    let hidden = preferences.hidden_models(user_id).await;
    let subagent = preferences.get(user_id, "subagent-model").await;
    for handle in app.live.routes.relays_of(&user_id.into()) {
        match &hidden {
            Ok(hidden) => {
                handle.out.emit::<to_session::HiddenModelsUpdate>(&HiddenModelsUpdate { hidden_models: hidden.clone() })
            }
            Err(error) => log_db(error, "read the hidden models"),
        }
        match &subagent {
            Ok(model) => handle.out.emit::<to_session::SubagentModelUpdate>(&SubagentModelUpdate {
                model: model.clone().filter(|model| !model.is_empty()),
            }),
            Err(error) => log_db(error, "read the sub-agent model"),
        }
    }
}

/// The browser came back from signing in to an MCP server. Says whether a live session took it.
pub fn mcp_callback(app: &App, callback: &McpOauthCallback) -> bool {
    route::tell_session::<to_session::McpOauthCallback>(app, &callback.session_id, callback)
}

/// What became of a trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Triggered {
    /// The session has it.
    Delivered,
    /// The session is away; it waits for it.
    Queued,
    NotFound,
    Refused(String),
}

/// Tell a session of `user_id` that something happened elsewhere.
pub async fn trigger(
    app: &App,
    user_id: &str,
    session_id: &str,
    mut trigger: Trigger,
) -> Result<Triggered, StoreError> {
    let id = SessionId::from(session_id);
    let Some(record) = app.live.stores.sessions.get(&id).await?.filter(|record| record.user_id == user_id) else {
        return Ok(Triggered::NotFound);
    };
    trigger.target_session_id = id.clone();
    if trigger.ts.is_empty() {
        trigger.ts = app.clock.now_iso();
    }
    let entry = TriggerHistoryEntry {
        trigger_id: trigger.trigger_id.clone(),
        kind: trigger.kind.clone(),
        source: trigger.source_session_id.to_string(),
        summary: trigger.source_session_name.clone(),
        payload: trigger.payload.clone(),
        deliver_as: trigger.deliver_as,
        ts: trigger.ts.clone(),
        direction: TriggerDirection::Inbound,
        response: None,
        state: None,
    };
    let author = Author { user: UserId::from(user_id), device: None };
    let command = NewCommand {
        id: Some(CommandId::from(entry.trigger_id.as_str())),
        ..NewCommand::new(&record, CommandKind::Trigger, RawJson::new(&trigger).unwrap_or_default(), author)
    };
    let online = app.live.routes.relay(&id).is_some();
    match commands::submit(app, command).await {
        Verdict::Accepted { .. } => {
            family::remember(app, &id, &entry).await;
            family::delivered(app, &id, entry.trigger_id);
            Ok(if online { Triggered::Delivered } else { Triggered::Queued })
        }
        Verdict::Refused { message, .. } => Ok(Triggered::Refused(message)),
    }
}

/// A subscription changed: its runner and the viewers of its session learn it.
pub fn subscription_changed(app: &App, subscription: &crate::db::triggers::Subscription, action: SubscriptionAction) {
    let Some(entry) = super::runner::subscription_entry(subscription) else { return };
    let delta = TriggerSubscriptionDelta { revision: app.live.subscription_revision(), action, subscription: entry };
    route::nudge_runner::<to_runner::TriggerSubscriptionDelta>(
        app,
        &RunnerId::from(subscription.runner_id.as_str()),
        &delta,
    );
    let body = crate::emit::body::<pizzapi_protocol::viewer::from_server::TriggerSubscriptionsChanged>(
        &pizzapi_protocol::viewer::TriggerSubscriptionsChanged {
            trigger_type: subscription.trigger_type.clone(),
            action,
        },
    );
    app.live.fanout.notify(&SessionId::from(subscription.session_id.as_str()), Arc::new(move |_| body.clone()));
}

/// The trigger history of a session was cleared.
pub fn history_cleared(app: &App, session_id: &str) {
    let body = crate::emit::body::<pizzapi_protocol::viewer::from_server::TriggerDelivered>(
        &pizzapi_protocol::viewer::TriggerDelivered { trigger_id: None, cleared: Some(true) },
    );
    app.live.fanout.notify(&session_id.into(), Arc::new(move |_| body.clone()));
}

/// An `input` body; for answers from notifications and the like.
pub fn input_body(text: &str, client: &str, deliver_as: Option<DeliverAs>) -> serde_json::Value {
    let mut body = serde_json::json!({ "text": text, "attachments": [], "client": client });
    if let Some(deliver_as) = deliver_as {
        body["deliverAs"] = deliver_as.as_str().into();
    }
    body
}

/// How many people look at a session: `(viewers, visible)`. `None`: a node did not answer.
pub async fn audience(app: &App, session_id: &str) -> Result<Option<(u32, u32)>, StoreError> {
    Ok(app.live.stores.presence.of(&session_id.into()).await?.map(|audience| (audience.viewers, audience.visible)))
}

/// Delete what is kept of ended sessions whose history rows are gone.
pub async fn forget_sessions(app: &App, ids: &[String]) {
    for id in ids {
        if let Err(error) = app.live.stores.sessions.forget(&id.as_str().into()).await {
            super::log_store(&error, "delete the log of a session");
        }
    }
}

/// The record behind a live session; for code that needs more than lists show.
pub async fn record(app: &App, session_id: &str) -> Result<Option<Arc<SessionRecord>>, StoreError> {
    app.live.stores.sessions.get(&session_id.into()).await
}

/// Members of a runner's free-form answer.
pub fn members(reply: RunnerReply) -> Result<JsonObject, String> {
    match reply {
        RunnerReply::File(file) => JsonObject::from_value(&file).map_err(|error| error.to_string()),
        RunnerReply::Skills(list) => JsonObject::from_value(&list).map_err(|error| error.to_string()),
        RunnerReply::Agents(list) => JsonObject::from_value(&list).map_err(|error| error.to_string()),
        RunnerReply::Plugins(list) => JsonObject::from_value(&list).map_err(|error| error.to_string()),
        RunnerReply::Skill(result) => JsonObject::from_value(&result).map_err(|error| error.to_string()),
        RunnerReply::Agent(result) => JsonObject::from_value(&result).map_err(|error| error.to_string()),
        RunnerReply::Models(list) => JsonObject::from_value(&list).map_err(|error| error.to_string()),
        RunnerReply::Data(data) => data.to().map_err(|error| error.to_string()),
        RunnerReply::Error(error) => Err(error),
    }
}

//! `/runner`: one task per connection of a machine's daemon.

mod register;
pub mod services;
mod terminals;

use std::sync::Arc;

use pizzapi_protocol::runner::{FromClient, RunnerSessionEvent};
use pizzapi_protocol::{RequestId, RunnerAuth, RunnerId, SessionId};
use socketioxide::socket::DisconnectReason;

use super::relay::{End, end_session};
use super::{Conn, hub, log_db, log_store, runners, spawn};
use crate::app::App;
use crate::core::lifecycle::{Grace, Loss, Presence};
use crate::inbox::{Arrived, Bounds};
use crate::log::NewEntry;
use crate::route::{RunnerHandle, RunnerReply, tell_session};
use crate::store::runner::RunnerChange;
use crate::store::{RunnerRecord, StoreError};

pub use register::entry as subscription_entry;

/// Directory listings and file contents come through here.
pub const BOUNDS: Bounds<FromClient> = Bounds { events: 8192, bytes: 128 * 1024 * 1024, sheds: |_| false };
/// A worker without a process handle is told to end, and cut off after this time.
const DISCONNECT_AFTER: std::time::Duration = std::time::Duration::from_secs(3);

/// What this connection stands for once it registered.
struct Owned {
    handle: Arc<RunnerHandle>,
    /// Services were announced on this connection before.
    announced: bool,
}

pub async fn run(app: App, mut conn: Conn<FromClient, RunnerAuth>) {
    let mut owned: Option<Owned> = None;
    while let Some(arrived) = conn.mailbox.recv().await {
        let event = match arrived {
            Arrived::Event(event) => event,
            Arrived::Malformed(error) => {
                register::refuse(&conn.out, &error.to_string());
                continue;
            }
        };
        if let Some(owned) = &owned {
            crate::leases::runner_answered(&app, &owned.handle);
        }
        match (event, owned.as_mut()) {
            (FromClient::RegisterRunner(event), _) => {
                if let Some(before) = owned.take() {
                    // The same connection registers again: what it stood for is replaced, not lost.
                    before.handle.gone.cancel();
                }
                owned = register::handle(&app, &conn, event).await.map(|handle| Owned { handle, announced: false });
            }
            (event, Some(owned)) => handle(&app, owned, event).await,
            (_, None) => register::refuse(&conn.out, "Runner is not registered"),
        }
    }
    if let Some(owned) = owned {
        let loss = match conn.mailbox.closed() {
            Some(DisconnectReason::ClientNSDisconnect | DisconnectReason::TransportClose) => Loss::ClosedByClient,
            _ => Loss::Broken,
        };
        lost(&app, &owned.handle, loss).await;
    }
}

async fn lost(app: &App, handle: &Arc<RunnerHandle>, loss: Loss) {
    handle.gone.cancel();
    if !app.live.routes.clear_runner(&handle.runner, handle.claim) || app.shutdown.is_draining() {
        return;
    }
    let grace = app.config.sessions.runner_grace.as_millis() as i64;
    let now = app.clock.now_ms();
    let presence = Presence::lost(loss, Grace { broken_ms: grace, closed_ms: grace }, now);
    tracing::info!(runner.id = %handle.runner, ?loss, "a runner lost its connection");
    match app.live.stores.runners.set_presence(&handle.runner, handle.claim, presence, now).await {
        Ok(Some(record)) => runners::updated(app, &record).await,
        Ok(None) => {}
        Err(error) => log_store(&error, "note that a runner lost its connection"),
    }
}

/// A runner did not return in time. It stays in the list, as offline.
pub async fn grace_over(app: &App, record: &Arc<RunnerRecord>, presence: Presence) {
    let now = app.clock.now_ms();
    match app.live.stores.runners.set_presence(&record.runner_id, record.claim, presence, now).await {
        Ok(Some(record)) => {
            terminals::runner_gone(app, &record.runner_id).await;
            if record.is_lasting {
                runners::updated(app, &record).await;
            } else if let Err(error) = app.live.stores.runners.forget(&record.runner_id).await {
                log_store(&error, "forget a runner");
            } else {
                runners::removed(app, &record.user_id, &record.runner_id);
            }
        }
        Ok(None) => {}
        Err(error) => log_store(&error, "end the grace of a runner"),
    }
}

async fn handle(app: &App, owned: &mut Owned, event: FromClient) {
    let handle = &owned.handle;
    match event {
        FromClient::RegisterRunner(_) => {}
        FromClient::SkillsList(event) => {
            report(app, handle, RunnerChange::Skills(event.skills.clone())).await;
            resolve(handle, event.request_id.clone(), RunnerReply::Skills(event));
        }
        FromClient::AgentsList(event) => {
            report(app, handle, RunnerChange::Agents(event.agents.clone())).await;
            resolve(handle, event.request_id.clone(), RunnerReply::Agents(event));
        }
        FromClient::PluginsList(event) => {
            if event.scoped != Some(true) && event.ok != Some(false) {
                report(app, handle, RunnerChange::Plugins(event.plugins.clone())).await;
            }
            resolve(handle, event.request_id.clone(), RunnerReply::Plugins(event));
        }
        FromClient::SkillResult(event) => {
            if let Some(skills) = event.skills.clone() {
                report(app, handle, RunnerChange::Skills(skills)).await;
            }
            resolve(handle, event.request_id.clone(), RunnerReply::Skill(event));
        }
        FromClient::AgentResult(event) => {
            if let Some(agents) = event.agents.clone() {
                report(app, handle, RunnerChange::Agents(agents)).await;
            }
            resolve(handle, event.request_id.clone(), RunnerReply::Agent(event));
        }
        FromClient::FileResult(event) => resolve(handle, event.request_id.clone(), RunnerReply::File(event)),
        FromClient::ModelsList(event) => resolve(handle, event.request_id.clone(), RunnerReply::Models(event)),
        FromClient::UsageData(event) | FromClient::AnalyzeSessionData(event) => {
            resolve(handle, event.request_id, RunnerReply::Data(event.data));
        }
        FromClient::UsageError(event) | FromClient::AnalyzeSessionError(event) => {
            resolve(handle, event.request_id, RunnerReply::Error(event.error));
        }
        FromClient::RunnerSessionEvent(event) => session_event(app, handle, event).await,
        FromClient::SessionReady(event) => session_ready(app, handle, event.session_id).await,
        FromClient::SessionError(event) => {
            let message = if event.message.is_empty() { "Runner spawn failed" } else { event.message.as_str() };
            spawn::failed(app, &event.session_id, &handle.runner, message);
        }
        FromClient::SessionKilled(event) => session_killed(app, handle, &event.session_id).await,
        FromClient::DisconnectSession(event) => disconnect_session(app, handle, &event.session_id).await,
        FromClient::TriggerSubscriptionsApplied(event) => {
            if let Some(errors) = event.errors.filter(|errors| !errors.is_empty()) {
                tracing::warn!(runner.id = %handle.runner, revision = event.revision, ?errors, "a runner could not apply all subscriptions");
            }
        }
        FromClient::ServiceMessage(event) => services::from_runner(app, handle, event).await,
        FromClient::ServiceAnnounce(event) => {
            services::announced(app, handle, event, std::mem::replace(&mut owned.announced, true)).await;
        }
        FromClient::RunnerWarning(event) => report(app, handle, RunnerChange::Warning(event.message)).await,
        FromClient::RunnerWarningClear(_) => report(app, handle, RunnerChange::ClearWarnings).await,
        FromClient::TerminalReady(event) => terminals::ready(app, handle, event).await,
        FromClient::TerminalData(event) => terminals::data(app, handle, event).await,
        FromClient::TerminalExit(event) => terminals::exit(app, handle, event).await,
        FromClient::TerminalError(event) => terminals::error(app, handle, event).await,
        FromClient::TerminalsList(event) => terminals::reconcile(app, handle, &event.terminals).await,
        // Signs of life; noted above.
        FromClient::SessionsList(_) | FromClient::Pong(_) | FromClient::ProbeReply(_) => {}
    }
}

fn resolve(handle: &RunnerHandle, request: Option<RequestId>, reply: RunnerReply) {
    handle.resolve(request.as_ref(), reply);
}

async fn report(app: &App, handle: &RunnerHandle, change: RunnerChange) {
    match app.live.stores.runners.report(&handle.runner, handle.claim, change).await {
        Ok(Some(record)) => {
            remember(app, &record).await;
            runners::updated(app, &record).await;
        }
        Ok(None) => {}
        // A newer connection speaks for this runner.
        Err(StoreError::Fenced(_)) => {}
        Err(error) => log_store(&error, "note what a runner reports"),
    }
}

/// Keep the description of a runner for the time it is away.
async fn remember(app: &App, record: &RunnerRecord) {
    if !record.is_lasting {
        return;
    }
    let Ok(info) = serde_json::to_string(&record.info(0)) else { return };
    if let Err(error) =
        app.db.runners().describe(record.runner_id.as_str(), record.name.as_deref(), &info, app.clock.now_ms()).await
    {
        log_db(&error, "remember a runner");
    }
}

/// Is this runner the one to speak for a session? The session must be the user's, and not active on another runner that is there.
async fn may_own(app: &App, handle: &RunnerHandle, session: &SessionId) -> Result<bool, StoreError> {
    let Some(record) = app.live.stores.sessions.get(session).await? else { return Ok(true) };
    if record.user_id != handle.user {
        return Ok(false);
    }
    Ok(match &record.runner_id {
        Some(other) if *other != handle.runner => !(record.is_active && app.live.routes.runner(other).is_some()),
        _ => true,
    })
}

/// Is this the session's runner?
async fn owns(app: &App, handle: &RunnerHandle, session: &SessionId) -> bool {
    match app.live.stores.sessions.get(session).await {
        Ok(Some(record)) => record.user_id == handle.user && record.runner_id.as_ref() == Some(&handle.runner),
        Ok(None) => false,
        Err(error) => {
            log_store(&error, "look up the runner of a session");
            false
        }
    }
}

async fn session_ready(app: &App, handle: &RunnerHandle, session: SessionId) {
    match may_own(app, handle, &session).await {
        Ok(true) => {}
        Ok(false) => {
            return tracing::warn!(runner.id = %handle.runner, session.id = %session, "a runner claims a session that is not its own");
        }
        Err(error) => return log_store(&error, "look up a session"),
    }
    let name = match app.live.stores.runners.get(&handle.runner).await {
        Ok(record) => record.and_then(|record| record.name.clone()),
        Err(error) => return log_store(&error, "look up a runner"),
    };
    match app.live.stores.sessions.link_runner(&session, &handle.runner, name.as_deref()).await {
        Ok(Some(record)) => {
            hub::status(app, &record);
            if let Err(error) =
                app.db.sessions().link_runner(session.as_str(), handle.runner.as_str(), name.as_deref()).await
            {
                log_db(&error, "note the runner of a session");
            }
        }
        Ok(None) => {}
        Err(error) => log_store(&error, "tie a session to its runner"),
    }
    spawn::accepted(app, &session);
}

async fn session_killed(app: &App, handle: &RunnerHandle, session: &SessionId) {
    spawn::failed(app, session, &handle.runner, "the session's process ended before it registered");
    if !owns(app, handle, session).await {
        return;
    }
    if let Err(error) = app.live.stores.sessions.unlink_runner(session, &handle.runner).await {
        log_store(&error, "untie a session from its runner");
    }
    // The process is gone for certain: nothing to wait for.
    end_session(app, session, None, End::terminal(pizzapi_protocol::runner::reasons::SESSION_ENDED)).await;
}

async fn disconnect_session(app: &App, handle: &RunnerHandle, session: &SessionId) {
    if !owns(app, handle, session).await {
        return;
    }
    let id = format!("disconnect-{session}-{}", app.clock.now_ms());
    tell_session::<pizzapi_protocol::relay::from_server::Exec>(
        app,
        session,
        &super::relay::family::exec(&id, "end_session"),
    );
    let (app, session) = (app.clone(), session.clone());
    app.tasks.clone().spawn("disconnect-session", async move {
        tokio::time::sleep(DISCONNECT_AFTER).await;
        if let Some(relay) = app.live.routes.relay(&session) {
            relay.out.disconnect();
        }
    });
}

/// An event that the runner, not the session's process, has to tell.
async fn session_event(app: &App, handle: &RunnerHandle, event: RunnerSessionEvent) {
    let RunnerSessionEvent { session_id, event } = event;
    if !owns(app, handle, &session_id).await {
        return;
    }
    let Ok(Some(record)) = app.live.stores.sessions.get(&session_id).await else { return };
    let id: Arc<str> = Arc::from(session_id.as_str());
    if let Err(error) = app.live.logs.append(&id, record.epoch, vec![NewEntry::event(event)]).await {
        tracing::warn!(session.id = %session_id, %error, "an event from a runner was not stored");
    }
}

/// Sessions of a runner that are there now.
pub(super) async fn sessions_of(app: &App, runner: &RunnerId) -> Vec<Arc<crate::store::SessionRecord>> {
    app.live.stores.sessions.of_runner(runner).await.unwrap_or_else(|error| {
        log_store(&error, "list the sessions of a runner");
        Vec::new()
    })
}

//! Becoming the process of a session.

use std::sync::Arc;
use std::time::Duration;

use pizzapi_protocol::meta::{PromptRef, ToolCallRef};
use pizzapi_protocol::relay::{FromClient, Register, Registered, from_server};
use pizzapi_protocol::runner::reasons;
use pizzapi_protocol::{
    Epoch, ErrorCode, ErrorEvent, MetaEvent, PeerCapabilities, Presence, RelayAuth, ResumeAnswer, SessionId,
    SessionMetaState, normalize_session_name,
};
use tokio::sync::mpsc;

use super::{Owned, lost};
use crate::app::App;
use crate::auth::random_hex;
use crate::core::lifecycle::Loss;
use crate::db::sessions::Registered as HistoryRow;
use crate::fanout::Notice;
use crate::route::{RelayHandle, RelayOrder, nudge_runner};
use crate::socket::{Conn, commands, hub, spawn};
use crate::store::session::{Claim, Claimed, History, Life};
use crate::store::{SessionRecord, StoreError};

/// A prompt that the new connection has not announced again by then is over.
const CONFIRM_PROMPTS: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
enum RegisterError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Db(#[from] crate::db::DbError),
    #[error("the session belongs to somebody else")]
    Foreign,
}

pub async fn handle(
    app: &App,
    conn: &mut Conn<FromClient, RelayAuth>,
    orders: &mpsc::Sender<RelayOrder>,
    owned: &mut Option<Owned>,
    event: Register,
) {
    // One socket serves one session: registering another lets go of the first.
    if let Some(before) = owned.take()
        && event.session_id.as_ref().map(|id| id.as_str().trim()) != Some(before.session.as_str())
    {
        lost(app, &before, Loss::ClosedByClient).await;
    }
    match claim(app, conn, &event).await {
        Ok(claimed) => *owned = Some(welcome(app, conn, orders, event, claimed).await),
        Err(error) => {
            tracing::error!(%error, "failed to register a session");
            conn.out.emit::<from_server::Error>(&ErrorEvent {
                message: format!("failed to register the session: {error}"),
                code: Some(ErrorCode::ServerNotReady),
                generation: None,
            });
        }
    }
}

async fn claim(app: &App, conn: &Conn<FromClient, RelayAuth>, event: &Register) -> Result<Claimed, RegisterError> {
    let now = app.clock.now_ms();
    let wanted = event.session_id.as_ref().map(|id| SessionId::from(id.as_str().trim())).filter(|id| !id.is_empty());
    let history = match &wanted {
        Some(id) => app.db.sessions().get(id.as_str()).await?.map(|row| History {
            user_id: row.user_id.into(),
            started_at: row.started_at,
            session_name: row.name,
            runner_id: row.runner_id.map(Into::into),
            runner_name: row.runner_name,
        }),
        None => None,
    };
    let is_ephemeral = event.is_ephemeral();
    let claimed = app
        .live
        .stores
        .sessions
        .claim(Claim {
            session_id: wanted,
            user_id: conn.user.clone(),
            user_name: conn.principal.user_name.clone(),
            cwd: event.cwd.clone(),
            is_ephemeral,
            collab_mode: event.is_collab(),
            session_name: event.session_name.clone().value().as_deref().and_then(normalize_session_name),
            session_file: event.session_file.clone().value().filter(|file| !file.is_empty()),
            parent: event.parent_session_id.clone(),
            capabilities: event.capabilities.clone().unwrap_or_default(),
            base_url: app.config.public_url(),
            history,
            now,
            expires_at: is_ephemeral.then(|| now + app.config.sessions.ephemeral_ttl.as_millis() as i64),
        })
        .await?;
    let record = &claimed.record;
    let row = app
        .db
        .sessions()
        .register(&HistoryRow {
            id: record.session_id.to_string(),
            user_id: record.user_id.to_string(),
            user_name: Some(record.user_name.clone()),
            cwd: record.cwd.clone(),
            share_url: record.share_url.clone(),
            name: record.session_name.clone(),
            is_ephemeral: record.is_ephemeral,
            runner: record.runner_id.as_ref().map(|id| (id.to_string(), record.runner_name.clone())),
            parent_session_id: record.parent().map(ToString::to_string),
            life: record.life.clone(),
            epoch: record.epoch as i64,
            started_at: record.started_at,
            now,
            expires_at: record.expires_at,
        })
        .await;
    match row {
        Ok(Some(_)) => Ok(claimed),
        // No half-registered session may remain.
        Ok(None) => {
            app.live.stores.sessions.end(&record.session_id, Some(record.epoch), now).await?;
            Err(RegisterError::Foreign)
        }
        Err(error) => {
            if claimed.life != Life::TakenOver {
                app.live.stores.sessions.end(&record.session_id, Some(record.epoch), now).await?;
            }
            Err(error.into())
        }
    }
}

async fn welcome(
    app: &App,
    conn: &mut Conn<FromClient, RelayAuth>,
    orders: &mpsc::Sender<RelayOrder>,
    event: Register,
    claimed: Claimed,
) -> Owned {
    let record = claimed.record.clone();
    let session = record.session_id.clone();
    let now = app.clock.now_ms();
    let capabilities = event.capabilities.clone().unwrap_or_default();
    let resends = capabilities.resume.is_some_and(|version| version >= 1);
    conn.mailbox.tolerate(!resends);
    let handle = Arc::new(RelayHandle::new(
        session.clone(),
        record.user_id.clone(),
        record.epoch,
        capabilities,
        conn.out.clone(),
        orders.clone(),
        now,
    ));
    if let Some(before) = app.live.routes.set_relay(handle.clone()) {
        before.order(RelayOrder::Superseded { epoch: record.epoch });
    }
    let room = app.live.fanout.room(&session, &claimed.feed);
    if claimed.life == Life::TakenOver {
        // What was half said when the connection broke is said again or not at all.
        room.end_streams(|key| key == "heartbeat" || key == "capabilities");
    }

    let resume = event.resume.clone().filter(|offer| offer.epoch.0 == claimed.earlier.0 && offer.epoch.0 > 0);
    if resume.is_none() && claimed.life != Life::New {
        // What happened meanwhile is known to nobody: until the session sends its whole state, no viewer is told it has everything.
        unknown_past(app, &record, event.resume.is_some()).await;
    }
    announce(app, &claimed, &record).await;
    let is_same_process = event.resume.is_some();
    let token = random_hex();
    let parent = claimed.parent.clone();
    conn.out.emit::<from_server::Registered>(&Registered {
        session_id: session.clone(),
        token: token.clone(),
        share_url: record.share_url.clone(),
        is_ephemeral: record.is_ephemeral,
        collab_mode: record.collab_mode,
        parent_session_id: parent,
        server_time: now,
        supports_session_trigger_ack: true,
        was_delinked: claimed.was_delinked.then_some(true),
        epoch: Some(Epoch(record.epoch)),
        resume: resume.map(|offer| ResumeAnswer { epoch: offer.epoch, stored_seq: claimed.earlier.1 }),
        requested_session_id: event.session_id.clone().filter(|wanted| !wanted.is_empty() && *wanted != session),
        warning: (event.session_id.as_ref().is_some_and(|wanted| !wanted.is_empty() && *wanted != session))
            .then(|| "the session id belongs to another account; a new one was given out".to_owned()),
        capabilities: Some(PeerCapabilities::ALL),
    });
    preferences(app, conn).await;
    spawn::registered(app, &record);
    commands::session_returned(app, &handle, is_same_process).await;
    if claimed.life == Life::TakenOver && handle.capabilities.decisions.is_none_or(|version| version < 1) {
        let (orders, epoch) = (orders.clone(), record.epoch);
        app.tasks.spawn("confirm-prompts", async move {
            tokio::time::sleep(CONFIRM_PROMPTS).await;
            // The connection may be gone by then, and its prompts with it.
            let _ = orders.send(RelayOrder::Unconfirmed { epoch }).await;
        });
    }

    Owned {
        id: Arc::from(session.as_str()),
        user: record.user_id.clone(),
        epoch: record.epoch,
        token,
        handle,
        room,
        resends,
        counted: 0,
        assembly: None,
        clocks: Default::default(),
        last_patch: None,
        announced: Vec::new(),
        touched_at: now,
        row_touched_at: now,
        asked_at: now,
        refused: false,
        session,
    }
}

/// The writer cannot be continued from where the log stands.
async fn unknown_past(app: &App, record: &SessionRecord, expected_more: bool) {
    if let Err(error) = app.live.stores.sessions.set_needs_snapshot(&record.session_id, record.epoch).await {
        crate::socket::log_store(&error, "note that a session's log may have a gap");
    }
    if expected_more {
        let id = Arc::from(record.session_id.as_str());
        let gap = super::pipeline::discontinuity("the log does not know what the session sent before");
        if let Err(error) = app.live.logs.append(&id, record.epoch, vec![gap]).await {
            tracing::error!(session.id = %record.session_id, %error, "failed to mark a gap");
        }
    }
}

/// Tell everybody who shows lists, and the runner.
async fn announce(app: &App, claimed: &Claimed, record: &Arc<SessionRecord>) {
    if claimed.life == Life::TakenOver {
        if let Some(runner) = &record.runner_id {
            nudge_runner::<pizzapi_protocol::runner::from_server::SessionEnded>(
                app,
                runner,
                &pizzapi_protocol::runner::SessionEnded {
                    session_id: record.session_id.clone(),
                    reason: Some(reasons::SESSION_RECONNECTED.to_owned()),
                    session_file: record.session_file.clone(),
                },
            );
        }
        announce_presence(app, record);
    } else {
        hub::added(app, record);
        tell_viewers(app, record);
    }
    if let Some(parent) = &claimed.newly_linked {
        super::family::linked(app, parent, record).await;
    }
}

/// Lists and viewers learn whether the session's process is there.
pub fn announce_presence(app: &App, record: &Arc<SessionRecord>) {
    hub::status(app, record);
    tell_viewers(app, record);
}

/// The viewers of a session learn who is there.
pub fn tell_viewers(app: &App, record: &Arc<SessionRecord>) {
    let (session, presence, at) = (record.session_id.clone(), record.presence_word(), app.clock.now_ms());
    let lights = crate::leases::lights(app, record);
    let notice: Notice = Arc::new(move |generation| {
        crate::emit::body::<pizzapi_protocol::viewer::from_server::Presence>(&Presence {
            session_id: session.clone(),
            presence,
            lights: Some(lights.clone()),
            viewers: None,
            at,
            generation: Some(generation),
        })
    });
    app.live.fanout.notify(&record.session_id, notice);
}

/// What the owner prefers and the session must know.
async fn preferences(app: &App, conn: &Conn<FromClient, RelayAuth>) {
    let preferences = app.db.preferences();
    match preferences.get(conn.user.as_str(), "subagent-model").await {
        Ok(Some(model)) => {
            conn.out.emit::<from_server::SubagentModelUpdate>(&pizzapi_protocol::relay::SubagentModelUpdate {
                model: Some(model).filter(|model| !model.is_empty()),
            })
        }
        Ok(None) => {}
        Err(error) => crate::socket::log_db(&error, "read the sub-agent model"),
    }
    match preferences.hidden_models(conn.user.as_str()).await {
        Ok(hidden_models) if hidden_models.is_empty() => {}
        Ok(hidden_models) => {
            conn.out.emit::<from_server::HiddenModelsUpdate>(&pizzapi_protocol::relay::HiddenModelsUpdate {
                hidden_models,
            });
        }
        Err(error) => crate::socket::log_db(&error, "read the hidden models"),
    }
}

/// Events that clear the prompts which were not announced again.
pub fn unconfirmed(state: &SessionMetaState, announced: &[&str]) -> Vec<MetaEvent> {
    let mut clear = Vec::new();
    let gone = |kind: &str| !announced.contains(&kind);
    if let Some(pending) = state.pending_question.as_ref().filter(|_| gone("question")) {
        clear.push(MetaEvent::QuestionCleared(ToolCallRef { tool_call_id: pending.tool_call_id.clone() }));
    }
    if let Some(pending) = state.pending_plan.as_ref().filter(|_| gone("plan")) {
        clear.push(MetaEvent::PlanCleared(ToolCallRef { tool_call_id: pending.tool_call_id.clone() }));
    }
    if let Some(pending) = state.pending_plugin_trust.as_ref().filter(|_| gone("trust")) {
        clear.push(MetaEvent::PluginTrustResolved(PromptRef { prompt_id: pending.prompt_id.clone() }));
    }
    if let Some(pending) = state.pending_approval.as_ref().filter(|_| gone("approval")) {
        clear.push(MetaEvent::ApprovalCleared(PromptRef { prompt_id: pending.prompt_id.clone() }));
    }
    clear
}

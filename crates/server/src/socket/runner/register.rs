//! Becoming a runner: an id belongs to one user and one secret.

use std::sync::Arc;

use pizzapi_protocol::runner::{
    FromClient, RegisterRunner, RunnerRegistered, TriggerSubscriptionsSnapshot, from_server,
};
use pizzapi_protocol::runner_info::normalize_roots;
use pizzapi_protocol::{
    Empty, ErrorEvent, ExistingSession, PeerCapabilities, RunnerAuth, RunnerId, TriggerSubscriptionEntry,
};

use super::{Conn, remember, sessions_of, terminals};
use crate::app::App;
use crate::core::lifecycle::Presence;
use crate::db::runners::Claim;
use crate::outbox::Outbox;
use crate::route::RunnerHandle;
use crate::socket::{log_db, log_store, runners};
use crate::store::{RunnerRecord, StoreError};

pub fn refuse(out: &Outbox, message: &str) {
    out.emit::<from_server::Error>(&ErrorEvent::new(message));
}

fn expel(out: &Outbox, message: &str) {
    refuse(out, message);
    out.disconnect();
}

pub async fn handle(
    app: &App,
    conn: &Conn<FromClient, RunnerAuth>,
    event: RegisterRunner,
) -> Option<Arc<RunnerHandle>> {
    let (id, secret) = match (&event.runner_id, &event.runner_secret) {
        (Some(id), Some(secret)) if !id.as_str().trim().is_empty() && !secret.is_empty() => {
            (id.as_str().trim().to_owned(), Some(secret.clone()))
        }
        // Without a lasting identity it gets one for this connection.
        _ => (uuid::Uuid::new_v4().to_string(), None),
    };
    let now = app.clock.now_ms();
    let claimed = match &secret {
        Some(secret) => app.db.runners().claim(&id, conn.user.as_str(), secret, now).await.map(Some),
        None => Ok(None),
    };
    match claimed {
        Ok(None | Some(Claim::New(_) | Claim::Known(_))) => {}
        Ok(Some(Claim::Refused)) => {
            let is_foreign = match app.db.runners().get(&id).await {
                Ok(row) => row.is_some_and(|row| row.user_id != conn.user.as_str()),
                Err(_) => false,
            };
            let why = if is_foreign {
                format!("runner {id} is owned by a different user")
            } else {
                format!("secret mismatch for runner {id}")
            };
            expel(&conn.out, &format!("Runner authentication failed: {why}"));
            return None;
        }
        Err(error) => {
            log_db(&error, "check a runner's identity");
            expel(&conn.out, "Runner registration failed: the server is not ready");
            return None;
        }
    }
    let runner = RunnerId::from(id);
    let was_known = matches!(app.live.stores.runners.get(&runner).await, Ok(Some(_)));
    let capabilities = event.capabilities.clone().unwrap_or_default();
    let record = match claim(app, conn, &runner, &event, secret.is_some(), now).await {
        Ok(record) => record,
        Err(error) => {
            log_store(&error, "register a runner");
            expel(&conn.out, "Runner registration failed");
            return None;
        }
    };
    let handle = Arc::new(RunnerHandle::new(
        runner.clone(),
        conn.user.clone(),
        record.claim,
        capabilities,
        conn.out.clone(),
        now,
    ));
    if let Some(before) = app.live.routes.set_runner(handle.clone()) {
        // Whoever waits for the former connection is told at once.
        before.gone.cancel();
    }
    remember(app, &record).await;
    let existing = sessions_of(app, &runner)
        .await
        .into_iter()
        .filter(|session| session.user_id == conn.user)
        .map(|session| ExistingSession {
            session_id: session.session_id.clone(),
            cwd: session.cwd.clone(),
            session_file: session.session_file.clone(),
        })
        .collect();
    conn.out.emit::<from_server::RunnerRegistered>(&RunnerRegistered {
        runner_id: runner.clone(),
        existing_sessions: Some(existing),
        capabilities: Some(PeerCapabilities::ALL),
    });
    subscriptions(app, &handle).await;
    match &event.terminals {
        Some(held) => terminals::reconcile(app, &handle, held).await,
        // Published runners do not say; they are asked.
        None => conn.out.emit::<from_server::ListTerminals>(&Empty {}),
    }
    if was_known {
        runners::updated(app, &record).await
    } else {
        runners::added(app, &record).await
    }
    Some(handle)
}

async fn claim(
    app: &App,
    conn: &Conn<FromClient, RunnerAuth>,
    runner: &RunnerId,
    event: &RegisterRunner,
    is_lasting: bool,
    now: i64,
) -> Result<Arc<RunnerRecord>, StoreError> {
    app.live
        .stores
        .runners
        .claim(RunnerRecord {
            runner_id: runner.clone(),
            user_id: conn.user.clone(),
            user_name: conn.principal.user_name.clone(),
            name: event.name.clone().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()),
            roots: normalize_roots(event.roots.clone().unwrap_or_default()),
            skills: event.skills.clone().unwrap_or_default(),
            agents: event.agents.clone().unwrap_or_default(),
            plugins: event.plugins.clone().unwrap_or_default(),
            hooks: event.hooks.clone().unwrap_or_default(),
            version: event.version.clone(),
            platform: event.platform.clone(),
            services: None,
            warnings: Vec::new(),
            presence: Presence::Online,
            seen_at: now,
            is_lasting,
            claim: 0,
            capabilities: event.capabilities.clone().unwrap_or_default(),
        })
        .await
}

/// Everything the runner's services should watch for.
async fn subscriptions(app: &App, handle: &RunnerHandle) {
    // The number is taken before the rows are read: a change in between is newer than the snapshot.
    let revision = app.live.subscription_revision();
    match app.db.triggers().of_runner(handle.runner.as_str()).await {
        Ok(rows) => {
            let subscriptions = rows.iter().filter_map(entry).collect();
            handle.out.emit::<from_server::TriggerSubscriptionsSnapshot>(&TriggerSubscriptionsSnapshot {
                revision,
                subscriptions,
                is_reconnect: Some(true),
            });
        }
        Err(error) => log_db(&error, "read the subscriptions of a runner"),
    }
}

/// A stored subscription as runners know it. Listeners appear as pseudo-sessions.
pub fn entry(row: &crate::db::triggers::Subscription) -> Option<TriggerSubscriptionEntry> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    #[derive(Default)]
    struct Document {
        params: Option<pizzapi_protocol::JsonObject>,
        filters: Option<Vec<pizzapi_protocol::TriggerFilter>>,
        filter_mode: Option<pizzapi_protocol::FilterMode>,
    }
    let document: Document = serde_json::from_str(&row.document).ok()?;
    let session =
        if row.session_id.is_empty() { format!("runner-listener:{}", row.id) } else { row.session_id.clone() };
    Some(TriggerSubscriptionEntry {
        subscription_id: row.id.clone(),
        session_id: session.into(),
        trigger_type: row.trigger_type.clone(),
        runner_id: row.runner_id.as_str().into(),
        params: document.params,
        filters: document.filters,
        filter_mode: document.filter_mode,
    })
}

//! Services of runners: what they offer, and what browsers and sessions say to them.

use std::sync::Arc;

use pizzapi_protocol::runner::from_server as to_runner;
use pizzapi_protocol::{
    ErrorCode, ErrorEvent, Generation, RunnerId, ServiceAnnounce, ServiceEnvelope, SessionId, viewer,
};

use super::{owns, sessions_of};
use crate::app::App;
use crate::fanout::Notice;
use crate::outbox::Outbox;
use crate::route::{RunnerHandle, nudge_runner, tell_session};
use crate::socket::{log_store, runners};
use crate::store::runner::RunnerChange;
use crate::store::{SessionRecord, StoreError};

/// Largest message of a page or session.
const MAX_BYTES: usize = 256 * 1024;
/// Largest message of a runner, which may carry listings.
const MAX_RUNNER_BYTES: usize = 4 * 1024 * 1024;

/// From a session to the services of its runner.
pub async fn from_session(app: &App, session: &SessionId, out: &Outbox, envelope: ServiceEnvelope) {
    use pizzapi_protocol::relay::from_server::Error;
    let record = match app.live.stores.sessions.get(session).await {
        Ok(Some(record)) => record,
        Ok(None) => return,
        Err(error) => return log_store(&error, "read the session of a service message"),
    };
    if let Err((code, message)) = forward(app, &record, out, envelope) {
        out.emit::<Error>(&ErrorEvent { message: message.to_owned(), code: Some(code), generation: None });
    }
}

/// From a page to the services of the session's runner.
pub async fn from_viewer(app: &App, record: &SessionRecord, out: &Outbox, envelope: ServiceEnvelope) {
    if let Err((code, message)) = forward(app, record, out, envelope) {
        out.emit::<viewer::from_server::Error>(&ErrorEvent {
            message: message.to_owned(),
            code: Some(code),
            generation: None,
        });
    }
}

fn forward(
    app: &App,
    record: &SessionRecord,
    out: &Outbox,
    mut envelope: ServiceEnvelope,
) -> Result<(), (ErrorCode, &'static str)> {
    if !record.collab_mode {
        return Err((ErrorCode::NotCollab, "Session not in collab mode"));
    }
    let Some(runner) = &record.runner_id else { return Err((ErrorCode::NoRunner, "The session has no runner")) };
    // Whatever the sender wrote there: it speaks for its own session.
    envelope.session_id = Some(record.session_id.clone());
    let size = serde_json::to_string(&envelope).map_or(usize::MAX, |text| text.len());
    if size > MAX_BYTES {
        return Err((ErrorCode::TooLarge, "The service message is too large"));
    }
    if !app.live.service_budget.take(out.id(), app.clock.now_ms()) {
        return Err((ErrorCode::RateLimited, "Too many service messages"));
    }
    if nudge_runner::<to_runner::ServiceMessage>(app, runner, &envelope) {
        Ok(())
    } else {
        Err((ErrorCode::RunnerOffline, "Runner is offline"))
    }
}

/// From a runner's service: to one session of it, or to all.
pub async fn from_runner(app: &App, handle: &RunnerHandle, envelope: ServiceEnvelope) {
    if envelope.payload.get().len() > MAX_RUNNER_BYTES {
        tracing::warn!(runner.id = %handle.runner, service = envelope.service_id, "a service message is too large");
        app.metrics.count("pizzapi_events_dropped_total", &[("reason", "service_too_large")]);
        return;
    }
    let targets: Vec<SessionId> = match &envelope.session_id {
        Some(session) if owns(app, handle, session).await => vec![session.clone()],
        Some(session) => {
            return tracing::debug!(runner.id = %handle.runner, session.id = %session, "a service speaks to a session of another runner");
        }
        None => {
            own_sessions(app, &handle.runner, handle).await.iter().map(|record| record.session_id.clone()).collect()
        }
    };
    for session in targets {
        let copy = ServiceEnvelope { session_id: Some(session.clone()), ..envelope.clone() };
        tell_session::<pizzapi_protocol::relay::from_server::ServiceMessage>(app, &session, &copy);
        let body = crate::emit::body::<viewer::from_server::ServiceMessage>(&copy);
        app.live.fanout.notify(&session, Arc::new(move |_| body.clone()));
    }
}

async fn own_sessions(app: &App, runner: &RunnerId, handle: &RunnerHandle) -> Vec<Arc<SessionRecord>> {
    let mut sessions = sessions_of(app, runner).await;
    sessions.retain(|record| record.user_id == handle.user);
    sessions
}

/// A runner says what its services offer.
pub async fn announced(app: &App, handle: &RunnerHandle, mut announce: ServiceAnnounce, announced_before: bool) {
    announce.runner_id = Some(handle.runner.clone());
    announce.runner_ref = None;
    announce.generation = None;
    let before = match app.live.stores.runners.get(&handle.runner).await {
        Ok(record) => record.and_then(|record| record.services.clone()),
        Err(error) => return log_store(&error, "look up a runner"),
    };
    let record = match app
        .live
        .stores
        .runners
        .report(&handle.runner, handle.claim, RunnerChange::Services(Box::new(announce.clone())))
        .await
    {
        Ok(Some(record)) => record,
        // The same as before; the first announcement of a connection is still told in full.
        Ok(None) if announced_before => return,
        Ok(None) => match app.live.stores.runners.get(&handle.runner).await {
            Ok(Some(record)) => record,
            _ => return,
        },
        Err(StoreError::Fenced(_)) => return,
        Err(error) => return log_store(&error, "note what a runner offers"),
    };
    super::remember(app, &record).await;
    runners::updated(app, &record).await;
    let delta = before.filter(|_| announced_before).and_then(|before| before.delta_to(&announce));
    let notice: Notice = match delta {
        Some(delta) => Arc::new(move |generation| {
            let mut delta = delta.clone();
            (delta.runner_ref, delta.generation) = (Some(true), Some(generation));
            crate::emit::body::<viewer::from_server::ServiceAnnounceDelta>(&delta)
        }),
        None => Arc::new(move |generation| {
            crate::emit::body::<viewer::from_server::ServiceAnnounce>(&stamped(announce.clone(), generation))
        }),
    };
    for session in own_sessions(app, &handle.runner, handle).await {
        app.live.fanout.notify(&session.session_id, notice.clone());
    }
}

fn stamped(announce: ServiceAnnounce, generation: Generation) -> ServiceAnnounce {
    ServiceAnnounce { runner_ref: Some(true), generation: Some(generation), ..announce }
}

/// Tell a viewer that attaches what the services of its session's runner offer.
pub async fn announce_to(app: &App, out: &Outbox, record: &SessionRecord, generation: Generation) {
    let Some(runner) = &record.runner_id else { return };
    match app.live.stores.runners.get(runner).await {
        Ok(Some(runner)) if runner.user_id == record.user_id => {
            if let Some(services) = &runner.services {
                out.emit::<viewer::from_server::ServiceAnnounce>(&stamped(services.clone(), generation));
            }
        }
        Ok(_) => {}
        Err(error) => log_store(&error, "look up the runner of a session"),
    }
}

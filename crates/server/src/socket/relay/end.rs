//! The end of a session's life, whatever caused it.

use std::sync::Arc;

use pizzapi_protocol::SessionId;
use pizzapi_protocol::relay::{SessionRef, from_server};
use pizzapi_protocol::runner::reasons;
use pizzapi_protocol::viewer::{DisconnectCode, Disconnected};

use crate::app::App;
use crate::db::decisions::DecisionState;
use crate::fanout::Notice;
use crate::log::Epoch;
use crate::route::{RelayOrder, nudge_runner};
use crate::socket::{commands, decisions, hub, log_db, log_store};
use crate::store::SessionRecord;

/// How a session ends.
#[derive(Debug, Clone, Copy)]
pub struct End {
    /// Runners act on the exact words.
    pub reason: &'static str,
    /// The session said so itself, or its owner did: links and associations go too.
    pub is_terminal: bool,
    /// Its process is told, and disconnected.
    pub expels: bool,
}

impl End {
    pub const fn terminal(reason: &'static str) -> Self {
        Self { reason, is_terminal: true, expels: false }
    }

    pub const fn expired() -> Self {
        Self { reason: reasons::SESSION_EXPIRED, is_terminal: false, expels: true }
    }

    pub const fn orphaned() -> Self {
        Self { reason: reasons::SESSION_ORPHANED, is_terminal: false, expels: false }
    }
}

/// End a session. With an epoch, only that claim's life; a newer owner is left alone. Says whether it ended now.
pub async fn end_session(app: &App, session: &SessionId, epoch: Option<Epoch>, end: End) -> bool {
    let now = app.clock.now_ms();
    let record = match app.live.stores.sessions.end(session, epoch, now).await {
        Ok(Some(record)) => record,
        Ok(None) => return false,
        Err(error) => {
            log_store(&error, "end a session");
            return false;
        }
    };
    tracing::info!(session.id = %session, reason = end.reason, "session ended");
    if let Some(handle) = app.live.routes.relay(session) {
        if end.expels {
            handle.out.emit::<from_server::SessionExpired>(&SessionRef { session_id: session.clone() });
        }
        handle.order(RelayOrder::Ended { epoch: record.epoch, disconnect: end.expels });
    }
    app.live.routes.clear_relay(session, record.epoch);
    tell_viewers(app, &record, end);
    if let Some(runner) = &record.runner_id {
        nudge_runner::<pizzapi_protocol::runner::from_server::SessionEnded>(
            app,
            runner,
            &pizzapi_protocol::runner::SessionEnded {
                session_id: session.clone(),
                reason: Some(end.reason.to_owned()),
                session_file: record.session_file.clone(),
            },
        );
    }
    if let Err(error) = app.db.sessions().end(session.as_str(), &record.life, now).await {
        log_db(&error, "note the end of a session");
    }
    commands::session_ended(app, session).await;
    decisions::end_all(app, &record, DecisionState::Withdrawn).await;
    super::family::parent_ended(app, &record, end.is_terminal).await;
    subscriptions_end(app, session).await;
    app.live.lights.forget(session);
    hub::removed(app, &record);
    true
}

/// Subscriptions go with their session; schedules outlive it.
async fn subscriptions_end(app: &App, session: &SessionId) {
    let rows = match app.db.triggers().of_session(session.as_str()).await {
        Ok(rows) => rows,
        Err(error) => return log_db(&error, "read the subscriptions of an ended session"),
    };
    for row in rows.iter().filter(|row| !row.trigger_type.starts_with("time:")) {
        match app.db.triggers().unsubscribe(session.as_str(), &row.id).await {
            Ok(gone) => {
                for gone in gone {
                    crate::socket::api::subscription_changed(
                        app,
                        &gone,
                        pizzapi_protocol::SubscriptionAction::Unsubscribe,
                    );
                }
            }
            Err(error) => log_db(&error, "remove a subscription of an ended session"),
        }
    }
}

fn tell_viewers(app: &App, record: &Arc<SessionRecord>, end: End) {
    let session = record.session_id.clone();
    let code = (end.reason == reasons::SESSION_ENDED).then_some(DisconnectCode::SessionEnded);
    let notice: Notice = Arc::new(move |generation| {
        crate::emit::body::<pizzapi_protocol::viewer::from_server::Disconnected>(&Disconnected {
            reason: end.reason.to_owned(),
            code,
            generation: Some(generation),
            session_id: Some(session.clone()),
        })
    });
    app.live.fanout.notify(&record.session_id, notice);
}

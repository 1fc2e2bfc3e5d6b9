//! `/hub`: a user's session list, the side state of sessions, and the decisions that wait for the user.

use std::sync::Arc;

use pizzapi_protocol::delivery::Decisions;
use pizzapi_protocol::hub::{
    FromClient, HubMetaEvent, SessionRemoved, SessionStatus, Sessions, StateSnapshot, from_server,
};
use pizzapi_protocol::{FeedAuth, Maybe, MetaEvent, RawJson, Revised, Revision, SessionId, SessionMetaState, UserId};
use socketioxide::socket::Sid;

use super::{Conn, decisions, log_store};
use crate::app::App;
use crate::clock::iso;
use crate::inbox::{Arrived, Bounds};
use crate::store::{SessionRecord, StoreError};

pub const BOUNDS: Bounds<FromClient> = Bounds { events: 4096, bytes: 4 * 1024 * 1024, sheds: |_| false };

pub async fn run(app: App, mut conn: Conn<FromClient, FeedAuth>) {
    let (user, socket) = (conn.user.clone(), conn.out.id());
    let device = conn.auth.device.clone().unwrap_or_else(|| "browser".to_owned());
    app.live.hub.join(&user, conn.out.clone());
    send_lists(&app, &user, socket).await;
    while let Some(arrived) = conn.mailbox.recv().await {
        let event = match arrived {
            Arrived::Event(event) => event,
            Arrived::Malformed(error) => {
                tracing::debug!(%error, "a page sent something malformed");
                continue;
            }
        };
        match event {
            FromClient::SubscribeSessionMeta(event) => subscribe(&app, &conn, &event.session_id).await,
            FromClient::UnsubscribeSessionMeta(event) => app.live.hub.unfollow(&user, socket, &event.session_id),
            FromClient::Refresh(_) => send_lists(&app, &user, socket).await,
            FromClient::AnswerDecision(event, ack) => {
                ack.send(&decisions::answer(&app, &user, event, &device, None).await)
            }
        }
    }
    app.live.hub.leave(&user, socket);
}

async fn send_lists(app: &App, user: &UserId, socket: Sid) {
    let sent = app
        .live
        .hub
        .snapshot(
            user,
            socket,
            "sessions",
            || list(app, user),
            |sessions: &Vec<_>, revision: Revision| {
                RawJson::new(&Sessions { sessions: sessions.clone(), revision: Some(revision) })
            },
        )
        .await;
    if let Err(error) = sent {
        log_store(&error, "list sessions");
    }
    match decisions::open(app, user).await {
        Ok(open) => {
            let body = Decisions { decisions: open, revision: None };
            app.live.hub.tell_one::<from_server::Decisions>(user, socket, &body);
        }
        Err(error) => super::log_db(&error, "list decisions"),
    }
}

/// Live sessions of a user, as lists show them.
pub async fn list(app: &App, user: &UserId) -> Result<Vec<pizzapi_protocol::SessionInfo>, StoreError> {
    let records = app.live.stores.sessions.of_user(user).await?;
    let open = decisions::counts(app, user).await;
    let mut infos = Vec::with_capacity(records.len());
    for record in records {
        let viewers = app.live.stores.presence.of(&record.session_id).await?.map(|audience| audience.viewers);
        let mut info = record.info(viewers);
        info.lights = Some(crate::leases::lights(app, &record));
        info.open_decisions = open.get(record.session_id.as_str()).copied();
        infos.push(info);
    }
    Ok(infos)
}

async fn subscribe(app: &App, conn: &Conn<FromClient, FeedAuth>, session: &SessionId) {
    // Followed first, read after: a change in between arrives twice rather than never. An unknown session is followed too,
    // and answered when it appears.
    app.live.hub.follow(&conn.user, conn.out.id(), session);
    match app.live.stores.sessions.get(session).await {
        Ok(Some(record)) if record.user_id == conn.user => {
            conn.out.emit::<from_server::StateSnapshot>(&StateSnapshot {
                session_id: session.clone(),
                state: record.meta.clone(),
            });
        }
        Ok(_) => {}
        Err(error) => log_store(&error, "read a session's side state"),
    }
}

/// A session appeared.
pub fn added(app: &App, record: &Arc<SessionRecord>) {
    let mut info = record.info(None);
    info.expires_at = Maybe::Absent;
    app.live.hub.publish(&record.user_id, "session_added", |revision| Revised { item: info, revision: Some(revision) });
    snapshot(app, &record.user_id, &record.session_id, record.meta.clone());
}

pub fn removed(app: &App, record: &Arc<SessionRecord>) {
    let session_id = record.session_id.clone();
    app.live.hub.publish(&record.user_id, "session_removed", |revision| SessionRemoved {
        session_id,
        revision: Some(revision),
    });
}

/// What the list shows of a session changed.
pub fn status(app: &App, record: &Arc<SessionRecord>) {
    let lights = crate::leases::lights(app, record);
    app.live.hub.publish(&record.user_id, "session_status", |revision| SessionStatus {
        session_id: record.session_id.clone(),
        is_active: record.is_active,
        last_heartbeat_at: record.last_heartbeat_at.map(iso),
        session_name: record.session_name.clone(),
        model: record.model.clone().into(),
        runner_id: record.runner_id.clone(),
        runner_name: if record.runner_id.is_some() { record.runner_name.clone().into() } else { Maybe::Absent },
        presence: Some(record.presence_word()),
        lights: Some(lights),
        viewer_count: app.live.fanout.existing(&record.session_id).map(|room| room.audience().viewers),
        open_decisions: None,
        last_input_at: record.last_input_at.map(iso),
        revision: Some(revision),
    });
}

/// The whole side state, to everybody who follows the session.
pub fn snapshot(app: &App, user: &UserId, session: &SessionId, state: SessionMetaState) {
    app.live.hub.tell_followers(user, session, "state_snapshot", &StateSnapshot { session_id: session.clone(), state });
}

/// One change of the side state.
pub async fn meta_event(app: &App, user: &UserId, session: &SessionId, version: u64, event: &MetaEvent) {
    let body = HubMetaEvent { session_id: session.clone(), version, event: event.clone() };
    app.live.hub.tell_followers(user, session, "meta_event", &body);
    // Published pages do not know these two events; they take the state.
    if matches!(event, MetaEvent::ApprovalPending(_) | MetaEvent::ApprovalCleared(_))
        && let Ok(Some(record)) = app.live.stores.sessions.get(session).await
    {
        snapshot(app, user, session, record.meta.clone());
    }
}

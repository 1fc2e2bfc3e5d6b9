//! `/viewer`: one task per tab. What it looks at is a second task, replaced at each switch.

mod attach;
mod commands;

use std::sync::Arc;

use dashmap::DashMap;
use pizzapi_protocol::viewer::{DisconnectCode, FromClient, SwitchSession, from_server};
use pizzapi_protocol::{ErrorEvent, Generation, PROTOCOL_MISMATCH, Position, SessionId, UserId, ViewerAuth};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Conn;
use crate::app::App;
use crate::inbox::{Arrived, Bounds};
use crate::outbox::Outbox;
use crate::store::StoreError;

pub use attach::{Wanted, snapshot_of};

pub const BOUNDS: Bounds<FromClient> = Bounds { events: 1024, bytes: 32 * 1024 * 1024, sheds: |_| false };

/// One tab.
#[derive(Clone)]
pub struct Viewer {
    pub app: App,
    pub out: Outbox,
    pub user: UserId,
    pub user_name: String,
    pub device: Option<String>,
    /// It understands `hydrated`, `command_status` and the like beyond ignoring them.
    pub is_ours: bool,
    /// It pages through long transcripts and takes snapshots cut to their end.
    pub pages: bool,
}

/// What a tab looks at.
struct Attachment {
    session: SessionId,
    generation: Generation,
    cancel: CancellationToken,
    task: JoinHandle<()>,
    asks: mpsc::Sender<attach::Ask>,
}

/// Sessions that were asked for their whole state: viewers that come meanwhile share the request.
#[derive(Clone, Default)]
pub struct Recoveries {
    asked: Arc<DashMap<SessionId, i64>>,
}

/// A session that was asked is not asked again for this long. Units: milliseconds.
const ASK_AGAIN_AFTER_MS: i64 = 5_000;

impl Recoveries {
    /// Says whether the session should be asked now.
    pub fn should_ask(&self, session: &SessionId, now: i64) -> bool {
        let mut ask = true;
        self.asked
            .entry(session.clone())
            .and_modify(|at| {
                ask = now - *at >= ASK_AGAIN_AFTER_MS;
                if ask {
                    *at = now;
                }
            })
            .or_insert(now);
        if self.asked.len() > 10_000 {
            self.asked.retain(|_, at| now - *at < ASK_AGAIN_AFTER_MS);
        }
        ask
    }
}

pub async fn run(app: App, mut conn: Conn<FromClient, ViewerAuth>) {
    let capabilities = conn.auth.capabilities.clone().unwrap_or_default();
    let viewer = Viewer {
        out: conn.out.clone(),
        user: conn.user.clone(),
        user_name: conn.principal.user_name.clone(),
        device: conn.auth.device.clone(),
        is_ours: capabilities.hydration.is_some_and(|version| version >= 1),
        pages: capabilities.paging.is_some_and(|version| version >= 1),
        app: app.clone(),
    };
    if conn.auth.protocol_version.is_some_and(|version| version.0 != 1) {
        viewer.out.emit::<from_server::Error>(&ErrorEvent::new(PROTOCOL_MISMATCH));
    }
    let mut attached: Option<Attachment> = None;
    let mut visible = None;

    let bound = conn.auth.session_id.clone().filter(|id| !id.is_empty());
    let bound = bound.or_else(|| conn.query("sessionId").map(SessionId::from));
    if let Some(session) = bound {
        let wanted = Wanted {
            generation: conn.auth.generation.unwrap_or_default(),
            has: conn.auth.have.map(|have| have.seq).or(conn.auth.after),
            epoch: conn.auth.have.map(|have| have.epoch),
            is_handshake: !viewer.is_ours,
            session,
        };
        switch(&viewer, &mut attached, wanted, visible);
    }
    while let Some(arrived) = conn.mailbox.recv().await {
        let event = match arrived {
            Arrived::Event(event) => event,
            Arrived::Malformed(error) => {
                viewer.out.emit::<from_server::Error>(&ErrorEvent::new(error.to_string()));
                continue;
            }
        };
        match event {
            FromClient::SwitchSession(SwitchSession { session_id, generation, last_seq, have }) => {
                let wanted = Wanted {
                    session: session_id,
                    generation: generation.unwrap_or_default(),
                    has: have.map(|have| have.seq).or(last_seq),
                    epoch: have.map(|have| have.epoch),
                    is_handshake: false,
                };
                switch(&viewer, &mut attached, wanted, visible);
            }
            FromClient::ViewerVisibility(event) => {
                visible = Some(event.is_visible());
                if let Some(attached) = &attached
                    && let Some(room) = app.live.fanout.existing(&attached.session)
                {
                    room.set_visible(viewer.out.id(), event.is_visible());
                    attach::publish_audience(&app, &room).await;
                }
            }
            // It may not be there any more; then the answer is in the switch that replaced it.
            FromClient::Resync(event) => {
                if let Some(attached) = &attached {
                    let has: Option<Position> = event.have;
                    let ask = attach::Ask::Resync { has: has.map(|have| have.seq).or(event.last_seq) };
                    if attached.asks.try_send(ask).is_err() {
                        tracing::debug!(session.id = %attached.session, "a viewer asks again before it was answered");
                    }
                }
            }
            FromClient::Connected(_) => {
                if let Some(attached) = &attached {
                    let _ = attached.asks.try_send(attach::Ask::Confirmed);
                }
            }
            FromClient::LoadMessages(event) => {
                if let Some(attached) = attached.as_ref().filter(|attached| attached.session == event.session_id) {
                    let generation = attached.generation;
                    let viewer = viewer.clone();
                    app.tasks
                        .spawn("load-messages", async move { attach::load_messages(&viewer, generation, event).await });
                }
            }
            event => {
                let target = attached.as_ref().map(|attached| (attached.session.clone(), attached.generation));
                commands::handle(&viewer, target, event).await;
            }
        }
    }
    if let Some(attached) = attached {
        attached.cancel.cancel();
    }
}

/// Look at another session. The newest call wins: what the former one still does is stopped, and it is gone before this one speaks.
fn switch(viewer: &Viewer, attached: &mut Option<Attachment>, wanted: Wanted, visible: Option<bool>) {
    let before = attached.take();
    if let Some(before) = &before {
        before.cancel.cancel();
    }
    let cancel = CancellationToken::new();
    let (asks, asked) = mpsc::channel(16);
    let (session, generation) = (wanted.session.clone(), wanted.generation);
    let task = viewer.app.tasks.spawn("viewer-attachment", {
        let (viewer, cancel) = (viewer.clone(), cancel.clone());
        async move {
            if let Some(before) = before {
                // It ends at its next step; a panic in it was logged where it happened.
                let _ = before.task.await;
            }
            attach::run(viewer, wanted, visible, cancel, asked).await;
        }
    });
    *attached = Some(Attachment { session, generation, cancel, task, asks });
}

/// Live sessions and ended ones of this user; everything else does not exist.
pub(super) async fn owned(
    app: &App,
    user: &UserId,
    session: &SessionId,
) -> Result<Option<Arc<crate::store::SessionRecord>>, StoreError> {
    Ok(app.live.stores.sessions.recall(session).await?.filter(|record| record.user_id == *user))
}

/// Code of the goodbye after the copy of a session that is not live.
pub(super) const REPLAYED: DisconnectCode = DisconnectCode::SnapshotReplay;

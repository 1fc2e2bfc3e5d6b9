//! Sessions that are there, or may come back.

use std::sync::Arc;

use async_trait::async_trait;
use pizzapi_protocol::{
    JsonObject, Maybe, MetaEvent, Model, ModelInfo, PeerCapabilities, RunnerId, SessionId, SessionInfo,
    SessionMetaState, SessionPresence, UserId,
};
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::clock::iso;
use crate::core::lifecycle::Presence;
use crate::log::{Epoch, Feed};

/// A delinked child stays cut off for this long. Units: milliseconds.
pub const DELINK_KEPT_MS: i64 = 30 * 24 * 3600 * 1000;

/// Everything known about a session beside its log.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionRecord {
    pub session_id: SessionId,
    pub user_id: UserId,
    pub user_name: String,
    pub cwd: String,
    pub share_url: String,
    /// First registration. Units: Unix milliseconds, like every time here.
    pub started_at: i64,
    pub session_name: Option<String>,
    pub is_ephemeral: bool,
    pub collab_mode: bool,
    /// Random id of the life since the last end; guards the history row.
    pub life: String,
    pub epoch: Epoch,
    pub presence: Presence,
    /// Is the agent working?
    pub is_active: bool,
    pub last_heartbeat_at: Option<i64>,
    pub last_active_at: i64,
    #[serde(default)]
    pub last_input_at: Option<i64>,
    pub expires_at: Option<i64>,
    pub model: Option<ModelInfo>,
    pub runner_id: Option<RunnerId>,
    pub runner_name: Option<String>,
    pub session_file: Option<String>,
    pub link: Option<Link>,
    /// Children linked before this moment are cut off.
    #[serde(default)]
    pub delinked_before: i64,
    #[serde(default, skip_deserializing, skip_serializing)]
    pub capabilities: PeerCapabilities,
    pub meta: SessionMetaState,
    /// Side facts newer than the newest snapshot.
    pub overlay: JsonObject,
    /// An incomplete log: no viewer may be told that it has everything before the next snapshot.
    #[serde(default)]
    pub needs_snapshot: bool,
    pub ended_at: Option<i64>,
    /// Counts changes, so that an older copy never replaces a newer one on disk.
    #[serde(default)]
    pub revision: u64,
}

/// A child's tie to its parent: one record, in one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    pub parent: SessionId,
    pub since: i64,
    pub state: LinkState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "camelCase")]
pub enum LinkState {
    Linked,
    /// Cut by the parent, and the child was not told yet.
    Delinking {
        at: i64,
    },
    Delinked {
        at: i64,
    },
}

impl Link {
    pub fn is_linked_to(&self, parent: &SessionId) -> bool {
        self.parent == *parent && self.state == LinkState::Linked
    }
}

/// What a registration asks for.
#[derive(Debug, Clone)]
pub struct Claim {
    /// `None`: any.
    pub session_id: Option<SessionId>,
    pub user_id: UserId,
    pub user_name: String,
    pub cwd: String,
    pub is_ephemeral: bool,
    pub collab_mode: bool,
    pub session_name: Option<String>,
    pub session_file: Option<String>,
    pub parent: Maybe<SessionId>,
    pub capabilities: PeerCapabilities,
    /// Base of the share link, without a trailing slash.
    pub base_url: String,
    /// What history knows about the id, when it is not live.
    pub history: Option<History>,
    pub now: i64,
    pub expires_at: Option<i64>,
}

/// A former life, as the database remembers it.
#[derive(Debug, Clone)]
pub struct History {
    pub user_id: UserId,
    pub started_at: i64,
    pub session_name: Option<String>,
    pub runner_id: Option<RunnerId>,
    pub runner_name: Option<String>,
}

/// How a registration turned out.
#[derive(Debug, Clone)]
pub struct Claimed {
    pub record: Arc<SessionRecord>,
    pub life: Life,
    /// The claim before this one, and how far its writer's own count was stored.
    pub earlier: (Epoch, u64),
    pub feed: Arc<Feed>,
    /// The parent cut this child off before.
    pub was_delinked: bool,
    /// The parent is new to this child and there to be told.
    pub newly_linked: Option<SessionId>,
    /// The parent the child may speak to now.
    pub parent: Option<SessionId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// Never seen.
    New,
    /// The same user took over a session that had not ended.
    TakenOver,
    /// It had ended; log and numbers go on.
    Revived,
}

/// A heartbeat or snapshot as far as lists care. `None` leaves a member as it is.
#[derive(Debug, Clone, Default)]
pub struct Beat {
    pub is_active: Option<bool>,
    pub heard_at: Option<i64>,
    pub session_name: Option<Option<String>>,
    pub model: Option<Model>,
    pub session_file: Option<String>,
    pub expires_at: Option<i64>,
}

/// What a change did.
#[derive(Debug, Clone)]
pub struct Changed {
    pub record: Arc<SessionRecord>,
    /// Lists show something else now.
    pub listed: bool,
}

/// Live sessions.
#[async_trait]
pub trait SessionStore: Send + Sync + 'static {
    /// Become the owner of a session. Earlier claims are fenced.
    ///
    /// An id of another user is answered with a fresh one; nothing of the other session is touched.
    async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError>;

    async fn get(&self, id: &SessionId) -> Result<Option<Arc<SessionRecord>>, StoreError>;

    /// The record of a session, live or ended.
    async fn recall(&self, id: &SessionId) -> Result<Option<Arc<SessionRecord>>, StoreError>;

    /// Live sessions of a user, oldest first.
    async fn of_user(&self, user: &UserId) -> Result<Vec<Arc<SessionRecord>>, StoreError>;

    /// All live sessions; for sweeps.
    async fn all(&self) -> Result<Vec<Arc<SessionRecord>>, StoreError>;

    async fn of_runner(&self, runner: &RunnerId) -> Result<Vec<Arc<SessionRecord>>, StoreError>;

    /// Live sessions whose link names `parent`, whatever its state.
    async fn children(&self, parent: &SessionId) -> Result<Vec<Arc<SessionRecord>>, StoreError>;

    /// A sign of life. Errors: `Fenced` when `epoch` is over.
    async fn beat(&self, id: &SessionId, epoch: Epoch, beat: Beat) -> Result<Changed, StoreError>;

    /// Fold events into the side state, in order. Returns each with the version it produced; those that changed nothing are left out.
    async fn fold(&self, id: &SessionId, epoch: Epoch, events: &[MetaEvent]) -> Result<Vec<(usize, u64)>, StoreError>;

    /// Fold the side members of an old client's heartbeat. `Some`: the new state, when it changed.
    async fn fold_heartbeat(
        &self,
        id: &SessionId,
        epoch: Epoch,
        heartbeat: &JsonObject,
    ) -> Result<Option<SessionMetaState>, StoreError>;

    /// Lay changes over the newest snapshot; a new snapshot clears them first. Says whether anything changed.
    async fn patch(&self, id: &SessionId, epoch: Epoch, changes: &JsonObject) -> Result<bool, StoreError>;

    /// A complete state was logged: the overlay is part of it now.
    async fn snapshot_stored(&self, id: &SessionId, epoch: Epoch) -> Result<(), StoreError>;

    async fn set_needs_snapshot(&self, id: &SessionId, epoch: Epoch) -> Result<(), StoreError>;

    /// The connection of `epoch` is gone or back. No effect when a newer claim exists.
    async fn set_presence(
        &self,
        id: &SessionId,
        epoch: Epoch,
        presence: Presence,
    ) -> Result<Option<Arc<SessionRecord>>, StoreError>;

    /// Tie a session to its runner. Keeps the tie for a session that did not register yet.
    async fn link_runner(
        &self,
        id: &SessionId,
        runner: &RunnerId,
        name: Option<&str>,
    ) -> Result<Option<Arc<SessionRecord>>, StoreError>;

    async fn unlink_runner(&self, id: &SessionId, runner: &RunnerId) -> Result<(), StoreError>;

    /// Change a child's link; `None` removes it.
    async fn set_link(&self, child: &SessionId, link: Option<Link>) -> Result<(), StoreError>;

    /// Children linked before `before` are cut off, also those that are away.
    async fn delink_before(&self, parent: &SessionId, before: i64) -> Result<(), StoreError>;

    /// A name the owner chose.
    async fn rename(&self, id: &SessionId, name: Option<&str>) -> Result<Option<Arc<SessionRecord>>, StoreError>;

    async fn said_something(&self, id: &SessionId, at: i64) -> Result<(), StoreError>;

    /// End this life of a session. `None`: it was over, or `epoch` was given and a newer claim exists.
    async fn end(
        &self,
        id: &SessionId,
        epoch: Option<Epoch>,
        now: i64,
    ) -> Result<Option<Arc<SessionRecord>>, StoreError>;

    /// Delete record and log of an ended session.
    async fn forget(&self, id: &SessionId) -> Result<(), StoreError>;

    /// Write what is only in memory.
    async fn flush(&self) -> Result<(), StoreError>;
}

impl SessionRecord {
    pub fn is_ended(&self) -> bool {
        self.ended_at.is_some()
    }

    pub fn is_linked_to(&self, parent: &SessionId) -> bool {
        self.link.as_ref().is_some_and(|link| link.is_linked_to(parent))
    }

    pub fn parent(&self) -> Option<&SessionId> {
        self.link.as_ref().filter(|link| link.state == LinkState::Linked).map(|link| &link.parent)
    }

    pub fn presence_word(&self) -> SessionPresence {
        match self.presence {
            Presence::Online => SessionPresence::Online,
            Presence::Reconnecting { .. } => SessionPresence::Reconnecting,
            Presence::Offline { .. } => SessionPresence::Offline,
        }
    }

    /// The entry of a list. `viewers` when it is known.
    pub fn info(&self, viewers: Option<u32>) -> SessionInfo {
        SessionInfo {
            session_id: self.session_id.clone(),
            share_url: self.share_url.clone(),
            cwd: self.cwd.clone(),
            started_at: iso(self.started_at),
            viewer_count: viewers,
            user_id: Some(self.user_id.clone()),
            user_name: Some(self.user_name.clone()),
            session_name: self.session_name.clone(),
            is_ephemeral: self.is_ephemeral,
            expires_at: self.expires_at.map(iso).into(),
            is_active: self.is_active,
            last_heartbeat_at: self.last_heartbeat_at.map(iso),
            model: self.model.clone(),
            runner_id: self.runner_id.clone(),
            runner_name: self.runner_name.clone(),
            parent_session_id: self.parent().cloned().into(),
            is_pinned: None,
            presence: Some(self.presence_word()),
            lights: None,
            open_decisions: None,
            last_input_at: self.last_input_at.map(iso),
        }
    }
}

//! Sessions as lists show them.

use crate::delivery::{Lights, SessionPresence};
use crate::ids::{RunnerId, SessionId, UserId};
use crate::json::wire;
use crate::model::ModelInfo;

wire! {
    /// A session in a list.
    pub struct SessionInfo {
        session_id: SessionId,
        share_url: String,
        /// May be empty.
        cwd: String,
        /// The first registration; kept over later ones.
        started_at: String,
        viewer_count?: u32,
        user_id?: UserId,
        user_name?: String,
        /// Trimmed, never empty.
        #[serde(deserialize_with = "crate::json::lenient")]
        session_name: String | null,
        is_ephemeral: bool = default,
        /// `null` when the session does not expire.
        expires_at?: String | null,
        /// Is the agent working? Not: is it connected.
        is_active: bool = default,
        /// By the relay's clock.
        #[serde(deserialize_with = "crate::json::lenient")]
        last_heartbeat_at: String | null,
        #[serde(deserialize_with = "crate::json::lenient")]
        model: ModelInfo | null,
        #[serde(deserialize_with = "crate::json::lenient")]
        runner_id: RunnerId | null,
        #[serde(deserialize_with = "crate::json::lenient")]
        runner_name: String | null,
        parent_session_id?: SessionId | null,
        /// Only in lists fetched over HTTP.
        is_pinned?: bool,
        presence?: SessionPresence,
        lights?: Lights,
        /// How many decisions of it wait for a person.
        open_decisions?: u32,
        /// When a person last said something to it. Lists are ordered by this.
        last_input_at?: String,
    }

    /// A file a person sent along. Usable when `attachmentId` or `url` is not empty.
    #[derive(Default)]
    pub struct Attachment {
        attachment_id?: String,
        media_type?: String,
        filename?: String,
        url?: String,
    }
}

impl Attachment {
    pub fn is_usable(&self) -> bool {
        [&self.attachment_id, &self.url].into_iter().flatten().any(|text| !text.is_empty())
    }
}

/// Session names are trimmed; a blank one is none.
pub fn normalize_session_name(name: &str) -> Option<String> {
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

//! What each namespace reads from the `auth` object of the CONNECT packet. Unknown members (`pid`, `offset` …) are ignored.

use serde::{Deserialize, Deserializer, Serialize};
use ts_rs::TS;

use crate::ids::{Generation, Position, RunnerId, Seq, SessionId, TerminalId};
use crate::json::wire;

wire! {
    /// `/relay`.
    #[derive(Default)]
    pub struct RelayAuth {
        api_key?: String,
        protocol_version?: ClaimedVersion,
        client_version?: String,
    }

    /// `/runner`. Id and secret are informative here: registration repeats them.
    #[derive(Default)]
    pub struct RunnerAuth {
        api_key?: String,
        runner_id?: RunnerId,
        runner_secret?: String,
        protocol_version?: ClaimedVersion,
        client_version?: String,
    }

    /// `/viewer`.
    #[derive(Default)]
    pub struct ViewerAuth {
        protocol_version?: ClaimedVersion,
        client_version?: String,
        /// Look at this session at once, as generation 0 or the one given.
        session_id?: SessionId,
        generation?: Generation,
        /// What the viewer holds of that session already.
        have?: Position,
        /// The same for viewers that know no epochs.
        after?: Seq,
        capabilities?: PeerCapabilities,
        /// A name for this browser, shown to other people next to what it did.
        device?: String,
        api_key?: String,
    }

    /// `/terminal`.
    #[derive(Default)]
    pub struct TerminalAuth {
        terminal_id?: TerminalId,
        protocol_version?: ClaimedVersion,
        client_version?: String,
        api_key?: String,
    }

    /// `/hub` and `/runners`.
    #[derive(Default)]
    pub struct FeedAuth {
        protocol_version?: ClaimedVersion,
        client_version?: String,
        device?: String,
        api_key?: String,
    }

    /// Additions to the published protocol that a peer understands, each by its revision. Absent: not at all.
    #[derive(Default)]
    pub struct PeerCapabilities {
        /// Session: takes `command` and answers `command_receipt`. Viewer: reads `command_status` and `commands`.
        commands?: u32,
        /// Session: raises decisions itself. Viewer and hub: read `decisions`.
        decisions?: u32,
        /// Session: numbers durable events and resends what was not stored. Viewer: sends `have`.
        resume?: u32,
        /// Answers `probe`.
        probe?: u32,
        /// Viewer: reads `hydrating`, `hydrated`, `hydration_failed`, `behind`.
        hydration?: u32,
        /// Viewer: live snapshots may be the tail only.
        paging?: u32,
        /// Runner: obeys `terminal_flow` and counts terminal bytes.
        terminal_flow?: u32,
    }
}

impl PeerCapabilities {
    /// Everything this version understands.
    pub const ALL: Self = Self {
        commands: Some(1),
        decisions: Some(1),
        resume: Some(1),
        probe: Some(1),
        hydration: Some(1),
        paging: Some(1),
        terminal_flow: Some(1),
    };
}

/// A version a client claims: an integer, or a string of digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(transparent)]
pub struct ClaimedVersion(pub u32);

impl<'de> Deserialize<'de> for ClaimedVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let raw = crate::events::RawJson::deserialize(deserializer)?;
        let text = raw.get().trim_matches('"');
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(D::Error::custom("a version is an integer"));
        }
        text.parse().map(Self).map_err(D::Error::custom)
    }
}

/// A client's own version: trimmed, and none when blank.
pub fn client_version(claimed: Option<&str>) -> Option<&str> {
    claimed.map(str::trim).filter(|version| !version.is_empty())
}

impl From<u32> for ClaimedVersion {
    fn from(version: u32) -> Self {
        Self(version)
    }
}

/// What a refused handshake says, exactly.
pub mod refusal {
    /// Missing or invalid credential, or any failure while checking it.
    pub const UNAUTHORIZED: &str = "unauthorized";
    pub const UNTRUSTED_ORIGIN: &str = "forbidden: untrusted origin";
}

/// Sent once on `/viewer` to a client of another protocol version.
pub const PROTOCOL_MISMATCH: &str = "Protocol mismatch detected between UI and server. Some real-time features may be \
     unavailable until you refresh/update the UI.";

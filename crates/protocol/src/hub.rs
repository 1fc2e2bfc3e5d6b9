//! `/hub`: a user's session list, the meta state of sessions, and the decisions that wait for the user.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use ts_rs::TS;

use crate::delivery::{
    AnswerDecision, AnswerReply, Decision, DecisionEnded, Decisions, Lights, Refresh, Revised, SessionPresence,
    SessionSpawn,
};
use crate::events::{RawJson, events};
use crate::ids::{Revision, RunnerId, SessionId};
use crate::json::{JsonObject, wire};
use crate::meta::{MetaEvent, SessionMetaState};
use crate::model::ModelInfo;
use crate::relay::SessionRef;
use crate::session::SessionInfo;

events! {
    /// Browser to relay.
    pub enum FromClient / from_client in "/hub" {
        /// Follow the meta state of a session; answered by `state_snapshot`.
        SubscribeSessionMeta = "subscribe_session_meta" (SessionRef),
        UnsubscribeSessionMeta = "unsubscribe_session_meta" (SessionRef),
        /// Send the lists again: something was missed.
        Refresh = "refresh" (Refresh),
        /// A person's answer to a decision; the first one wins.
        AnswerDecision = "answer_decision" (AnswerDecision) -> AnswerReply,
    }
}

events! {
    /// Relay to browser.
    pub enum FromServer / from_server in "/hub" {
        /// The whole list: once after each connect, and on `refresh`.
        Sessions = "sessions" (Sessions),
        SessionAdded = "session_added" (Revised<SessionInfo>),
        SessionRemoved = "session_removed" (SessionRemoved),
        /// Members that are absent did not change.
        SessionStatus = "session_status" (SessionStatus),
        /// The whole meta state of a session.
        StateSnapshot = "state_snapshot" (StateSnapshot),
        /// One change of it.
        MetaEvent = "meta_event" (HubMetaEvent),
        /// Everything that waits for the user, oldest first: after each connect, and on `refresh`.
        Decisions = "decisions" (Decisions),
        DecisionAdded = "decision_added" (Revised<Decision>),
        DecisionEnded = "decision_ended" (DecisionEnded),
        /// How starting a session goes.
        SessionSpawn = "session_spawn" (SessionSpawn),
    }
}

wire! {
    pub struct Sessions {
        /// Entries that cannot be read are left out.
        sessions: [SessionInfo],
        revision?: Revision,
    }

    pub struct SessionRemoved {
        session_id: SessionId,
        revision?: Revision,
    }

    pub struct SessionStatus {
        session_id: SessionId,
        is_active: bool = default,
        #[serde(deserialize_with = "crate::json::lenient")]
        last_heartbeat_at: String | null,
        #[serde(deserialize_with = "crate::json::lenient")]
        session_name: String | null,
        model?: ModelInfo | null,
        runner_id?: RunnerId,
        runner_name?: String | null,
        presence?: SessionPresence,
        lights?: Lights,
        viewer_count?: u32,
        open_decisions?: u32,
        last_input_at?: String,
        revision?: Revision,
    }
}

/// The whole meta state of a session. Accepted when its version is not below the last one seen.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct StateSnapshot {
    pub session_id: SessionId,
    pub state: SessionMetaState,
}

impl<'de> Deserialize<'de> for StateSnapshot {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let raw = RawJson::deserialize(deserializer)?;
        let object: JsonObject = raw.to().map_err(|_| D::Error::custom("hub state snapshot is not an object"))?;
        let session_id = object
            .get_as("sessionId")
            .ok_or_else(|| D::Error::custom("hub state snapshot missing string sessionId"))?;
        let state = object.get_as("state").ok_or_else(|| D::Error::custom("hub state snapshot has malformed state"))?;
        Ok(Self { session_id, state })
    }
}

/// One change of a session's meta state; the change's own members stand beside these. Accepted when its version is above the last.
#[derive(Debug, Clone, PartialEq)]
pub struct HubMetaEvent {
    pub session_id: SessionId,
    pub version: u64,
    pub event: MetaEvent,
}

impl Serialize for HubMetaEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Flat<'a> {
            session_id: &'a SessionId,
            version: u64,
            #[serde(flatten)]
            event: &'a MetaEvent,
        }
        Flat { session_id: &self.session_id, version: self.version, event: &self.event }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for HubMetaEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let raw = RawJson::deserialize(deserializer)?;
        let object: JsonObject = raw.to().map_err(|_| D::Error::custom("hub meta event is not an object"))?;
        let session_id =
            object.get_as("sessionId").ok_or_else(|| D::Error::custom("hub meta event missing string sessionId"))?;
        let version =
            object.get_as("version").ok_or_else(|| D::Error::custom("hub meta event missing numeric version"))?;
        let event = MetaEvent::from_json(raw.get())
            .map_err(|_| D::Error::custom("hub meta event payload is not a recognized meta relay event"))?;
        Ok(Self { session_id, version, event })
    }
}

impl TS for HubMetaEvent {
    type WithoutGenerics = Self;
    type OptionInnerType = Self;

    fn name(_: &ts_rs::Config) -> String {
        "HubMetaEvent".to_owned()
    }

    fn ident(_: &ts_rs::Config) -> String {
        "HubMetaEvent".to_owned()
    }

    fn inline(cfg: &ts_rs::Config) -> String {
        format!("{{ sessionId: {}, version: number }} & {}", SessionId::name(cfg), MetaEvent::name(cfg))
    }

    fn decl(cfg: &ts_rs::Config) -> String {
        format!("type HubMetaEvent = {};", Self::inline(cfg))
    }

    fn decl_concrete(cfg: &ts_rs::Config) -> String {
        Self::decl(cfg)
    }

    fn docs() -> Option<String> {
        Some("/**\n * One change of a session's meta state. Accepted when its version is above the last one seen.\n */\n".to_owned())
    }

    fn output_path() -> Option<std::path::PathBuf> {
        Some("HubMetaEvent.ts".into())
    }

    fn visit_dependencies(visitor: &mut impl ts_rs::TypeVisitor) {
        visitor.visit::<SessionId>();
        visitor.visit::<MetaEvent>();
    }
}

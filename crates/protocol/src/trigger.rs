//! Triggers: how sessions, services and the outside world tell a session that something happened.

use crate::events::RawJson;
use crate::ids::{RunnerId, SessionId, TriggerId};
use crate::json::{JsonObject, wire, words};

wire! {
    /// One happening on its way to a session.
    pub struct Trigger {
        /// `ask_user_question`, `plan_review`, `session_complete`, `session_error`, `escalate`, or `service:name`.
        #[serde(rename = "type")]
        kind: String = default,
        /// Overwritten by the relay; `external:{source}` for triggers from outside.
        source_session_id: SessionId = default,
        source_session_name?: String,
        target_session_id: SessionId = default,
        payload: RawJson = default,
        deliver_as: DeliverAs = default,
        expects_response: bool = default,
        trigger_id: TriggerId = default,
        timeout_ms?: u64,
        ts: String = default,
    }

    /// Narrows which happenings reach a subscriber.
    pub struct TriggerFilter {
        /// A property of the payload.
        field: String,
        /// A scalar, or a list of which any may match.
        #[ts(type = "string | number | boolean | Array<string | number | boolean>")]
        value: RawJson,
        op?: FilterOp,
    }

    /// One subscription as a runner's services see it.
    pub struct TriggerSubscriptionEntry {
        subscription_id: String,
        /// `runner-listener:{listenerId}` for listeners of the runner itself.
        session_id: SessionId,
        trigger_type: String,
        runner_id: RunnerId,
        params?: JsonObject,
        filters?: [TriggerFilter],
        filter_mode?: FilterMode,
    }

    /// One subscription over HTTP.
    pub struct TriggerSubscription {
        subscription_id: String,
        trigger_type: String,
        runner_id: RunnerId,
        params?: JsonObject,
        filters?: [TriggerFilter],
        filter_mode?: FilterMode,
    }

    /// One line of a session's trigger history.
    pub struct TriggerHistoryEntry {
        trigger_id: TriggerId,
        #[serde(rename = "type")]
        kind: String,
        source: String,
        summary?: String,
        payload: RawJson = default,
        deliver_as: DeliverAs = default,
        ts: String,
        direction: TriggerDirection,
        response?: TriggerHistoryResponse,
        state?: TriggerState,
    }

    pub struct TriggerHistoryResponse {
        action?: String,
        text?: String,
        ts: String,
    }

    /// What a child tells its parent when it is done.
    pub struct SessionCompletePayload {
        /// At most [`SUMMARY_MAX_CHARS`](crate::limits::SUMMARY_MAX_CHARS).
        summary: String,
        /// 0 completed, 1 error, 130 killed.
        exit_code: i32,
        exit_reason: ExitReason,
        full_output_path?: String,
    }
}

words! {
    /// When words reach a working agent.
    #[derive(Default)]
    pub enum DeliverAs {
        /// At the next opportunity of the running turn.
        #[default]
        Steer = "steer",
        /// After the run.
        FollowUp = "followUp",
    }

    #[derive(Default)]
    pub enum FilterOp {
        #[default]
        Eq = "eq",
        /// Without regard to case, anywhere in the text.
        Contains = "contains",
    }

    #[derive(Default)]
    pub enum FilterMode {
        #[default]
        And = "and",
        Or = "or",
    }

    pub enum TriggerDirection {
        Inbound = "inbound",
        Outbound = "outbound",
    }

    pub enum TriggerState {
        Pending = "pending",
        Inflight = "inflight",
        Delivered = "delivered",
        Failed = "failed",
        Expired = "expired",
    }

    pub enum ExitReason {
        Completed = "completed",
        Killed = "killed",
        Error = "error",
    }

    pub enum SubscriptionAction {
        Subscribe = "subscribe",
        Update = "update",
        Unsubscribe = "unsubscribe",
    }
}

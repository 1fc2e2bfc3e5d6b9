//! `/viewer`: a browser tab and the session it looks at.

use crate::delivery::{
    AnswerDecision, AnswerReply, Behind, CancelCommand, CommandStatus, Commands, Hydrated, Hydrating, HydrationFailed,
    Presence, Probe, ProbeReply,
};
use crate::error::{ErrorEvent, OkReply};
use crate::events::{Empty, RawJson, events};
use crate::exec::{Exec, ViewerExecResult};
use crate::ids::{CommandId, Epoch, Generation, Position, Seq, SessionId, TriggerId};
use crate::json::{Open, UnixMs, wire, words};
use crate::relay::McpOauthPaste;
use crate::service::{ServiceAnnounce, ServiceAnnounceDelta, ServiceEnvelope};
use crate::session::Attachment;
use crate::trigger::{DeliverAs, SubscriptionAction};

events! {
    /// Browser to relay.
    pub enum FromClient / from_client in "/viewer" {
        /// Answers every `connected` of the relay; never causes a snapshot after a hit.
        Connected = "connected" (Empty),
        /// Look at another session. The newest call wins.
        SwitchSession = "switch_session" (SwitchSession),
        /// Something was missed: send what came after `lastSeq`, or everything.
        Resync = "resync" (Resync),
        /// Older messages; answered by `session_messages_page`.
        LoadMessages = "load_messages" (LoadMessages),
        /// Words for the agent; acknowledged when it has them.
        Input = "input" (ViewerInput) -> bool,
        ModelSet = "model_set" (ViewerModelSet),
        /// Run a remote command; answered by `exec_result`.
        Exec = "exec" (Open<Exec>),
        /// For a service of the session's runner.
        ServiceMessage = "service_message" (ServiceEnvelope),
        /// A person answers a trigger. Acknowledged only when it worked; `trigger_error` tells otherwise.
        TriggerResponse = "trigger_response" (ViewerTriggerResponse) -> (),
        /// The address the browser ended on after signing in.
        McpOauthPaste = "mcp_oauth_paste" (McpOauthPaste) -> OkReply,
        /// Can a person see the page?
        ViewerVisibility = "viewer_visibility" (ViewerVisibility),
        /// Withdraw a command that was not consumed yet; `command_status` tells what became of it.
        CancelCommand = "cancel_command" (CancelCommand),
        /// A person's answer to a decision; the first one wins.
        AnswerDecision = "answer_decision" (AnswerDecision) -> AnswerReply,
        /// Is the relay there? Acknowledged by the loop that serves this viewer.
        Probe = "probe" (Probe) -> ProbeReply,
    }
}

events! {
    /// Relay to browser.
    pub enum FromServer / from_server in "/viewer" {
        /// The switch was accepted; content follows.
        Connected = "connected" (ViewerConnected),
        /// Something happened in the session, now or (`replay`) earlier.
        Event = "event" (ViewerEvent),
        /// The session went away.
        Disconnected = "disconnected" (Disconnected),
        /// The reply to `exec`.
        ExecResult = "exec_result" (ViewerExecResult),
        /// The answer to `load_messages`.
        SessionMessagesPage = "session_messages_page" (SessionMessagesPage),
        /// From a service of the session's runner.
        ServiceMessage = "service_message" (ServiceEnvelope),
        /// What the services of the session's runner offer.
        ServiceAnnounce = "service_announce" (ServiceAnnounce),
        /// What changed in it.
        ServiceAnnounceDelta = "service_announce_delta" (ServiceAnnounceDelta),
        Error = "error" (ErrorEvent),
        /// A `trigger_response` could not be delivered.
        TriggerError = "trigger_error" (TriggerError),
        /// The trigger history changed.
        TriggerDelivered = "trigger_delivered" (TriggerDelivered),
        TriggerSubscriptionsChanged = "trigger_subscriptions_changed" (TriggerSubscriptionsChanged),
        /// How far a child has come with a trigger.
        TriggerStatusUpdate = "trigger_status_update" (TriggerStatusUpdate),
        /// A snapshot is on its way in pieces.
        Hydrating = "hydrating" (Hydrating),
        /// The attach is complete: exactly one of this and `hydration_failed` per generation.
        Hydrated = "hydrated" (Hydrated),
        HydrationFailed = "hydration_failed" (HydrationFailed),
        /// The log goes further than what you have.
        Behind = "behind" (Behind),
        /// This became of a command.
        CommandStatus = "command_status" (CommandStatus),
        /// All open commands of the session, on attach.
        Commands = "commands" (Commands),
        /// Is the session's process there, and who else?
        Presence = "presence" (Presence),
    }
}

wire! {
    pub struct SwitchSession {
        session_id: SessionId = default,
        generation?: Generation,
        last_seq?: Seq,
        /// What the viewer holds of that session, epoch and all.
        have?: Position,
    }

    #[derive(Default)]
    pub struct Resync {
        last_seq?: Seq,
        have?: Position,
    }

    pub struct LoadMessages {
        session_id: SessionId = default,
        /// Index of the oldest message the viewer has.
        before?: f64,
        /// How many; see [`MESSAGES_PAGE_MAX`](crate::limits::MESSAGES_PAGE_MAX).
        limit?: f64,
    }

    pub struct ViewerInput {
        text: String = default,
        attachments?: [Attachment],
        client?: String,
        deliver_as?: DeliverAs,
        /// The command this becomes.
        request_id?: CommandId,
        /// The session it was typed for; the relay refuses it for another.
        session_id?: SessionId,
        /// What the author had on screen.
        composed_at?: Position,
        /// Worthless when not delivered by then.
        deadline?: UnixMs,
    }

    pub struct ViewerModelSet {
        provider: String = default,
        model_id: String = default,
        request_id?: CommandId,
        session_id?: SessionId,
        composed_at?: Position,
    }

    pub struct ViewerTriggerResponse {
        trigger_id: TriggerId = default,
        response?: String,
        action?: String,
        target_session_id?: SessionId,
        request_id?: CommandId,
    }

    pub struct ViewerVisibility {
        /// Anything but `false` means visible.
        visible?: bool,
    }

    pub struct ViewerConnected {
        session_id: SessionId,
        /// Where the log stands before the content that follows.
        last_seq?: Seq,
        /// The session is not live: a snapshot follows, then the end.
        replay_only?: bool,
        is_active?: bool,
        last_heartbeat_at?: String | null,
        session_name?: String | null,
        /// `hub`: meta data comes from the hub, not from snapshots.
        #[serde(rename = "meta_source")]
        meta_source?: MetaSource,
        generation?: Generation,
        epoch?: Epoch,
        presence?: crate::delivery::SessionPresence,
    }

    pub struct ViewerEvent {
        /// An [`AgentEvent`](crate::agent_event::AgentEvent), as the session sent it.
        event: RawJson,
        /// Position in the log; absent for what is not logged.
        seq?: Seq,
        /// Not happening now: content of a hydration.
        replay?: bool,
        /// Follows what the viewer has without a gap.
        delta_replay?: bool,
        generation?: Generation,
        session_id?: SessionId,
        epoch?: Epoch,
    }

    pub struct Disconnected {
        reason: String,
        code?: DisconnectCode,
        generation?: Generation,
        session_id?: SessionId,
    }

    pub struct SessionMessagesPage {
        session_id: SessionId,
        messages: Vec<RawJson>,
        has_more: bool,
        oldest_index: u64,
        generation?: Generation,
    }

    pub struct TriggerError {
        message: String,
        trigger_id: TriggerId,
    }

    /// Names a trigger, or says that the history was cleared.
    #[derive(Default)]
    pub struct TriggerDelivered {
        trigger_id?: TriggerId,
        cleared?: bool,
    }

    pub struct TriggerSubscriptionsChanged {
        trigger_type: String,
        action: SubscriptionAction,
    }

    pub struct TriggerStatusUpdate {
        trigger_id: TriggerId,
        source_session_id: SessionId,
        status_text: String,
        ts: String,
    }
}

words! {
    pub enum MetaSource {
        Hub = "hub",
    }

    /// Why a session went away, for programs.
    pub enum DisconnectCode {
        /// It is not live; what was sent is all there is.
        SnapshotReplay = "snapshot_replay",
        SessionEnded = "session_ended",
        SessionReconnected = "session_reconnected",
    }
}

impl ViewerVisibility {
    pub fn is_visible(&self) -> bool {
        self.visible != Some(false)
    }
}

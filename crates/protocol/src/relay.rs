//! `/relay`: a session's process and the relay. One socket serves one session at a time.

use crate::delivery::{
    AnswerDecision, AnswerReply, CancelCommand, Command, CommandReceipt, DecisionEnded, Probe, ProbeReply,
    RaiseDecision, ResumeAnswer, ResumeOffer, Viewers, WithdrawDecision,
};
use crate::error::{ErrorEvent, OkReply};
use crate::events::{RawJson, events};
use crate::exec::{Exec, ExecResult};
use crate::handshake::PeerCapabilities;
use crate::ids::{CommandId, Epoch, SessionId, TriggerId};
use crate::json::{Open, UnixMs, wire, words};
use crate::service::ServiceEnvelope;
use crate::session::Attachment;
use crate::trigger::{DeliverAs, Trigger};

events! {
    /// Session to relay.
    pub enum FromClient / from_client in "/relay" {
        /// Claim a session. Sent on every connect, before anything else; answered by `registered`.
        Register = "register" (Register),
        /// Something happened in the session. With `seq`, the relay acknowledges it by `event_ack` once it is stored.
        Event = "event" (RelayEvent),
        /// The session is over.
        SessionEnd = "session_end" (SessionEnd),
        /// The reply to `exec`.
        ExecResult = "exec_result" (ExecResult),
        /// Words for another session of the same user. Success is silent.
        SessionMessage = "session_message" (SendSessionMessage),
        /// A trigger for another session; acknowledged when it was delivered.
        SessionTrigger = "session_trigger" (SendTrigger) -> OkReply,
        /// A parent answers a trigger of its child.
        TriggerResponse = "trigger_response" (SendTriggerResponse) -> OkReply,
        /// A parent is done with a child that has completed: end it.
        CleanupChildSession = "cleanup_child_session" (CleanupChildSession) -> CleanupReply,
        /// How many live sessions point at this parent?
        GetLinkedChildCount = "get_linked_child_count" (Owned) -> LinkedChildCount,
        /// A parent starts a new conversation: let go of the children it had.
        DelinkChildren = "delink_children" (DelinkChildren) -> OkReply,
        /// A child starts a new conversation: let go of its parent.
        DelinkOwnParent = "delink_own_parent" (DelinkOwnParent) -> OkReply,
        /// How far a child has come with a trigger, for the parent's viewers. Never stored.
        TriggerStatusUpdate = "trigger_status_update" (SendTriggerStatus),
        /// For a service of the session's runner.
        ServiceMessage = "service_message" (ServiceEnvelope),
        /// This became of a command.
        CommandReceipt = "command_receipt" (CommandReceipt),
        /// A person is needed.
        RaiseDecision = "raise_decision" (RaiseDecision) -> OkReply,
        /// A person is no longer needed.
        WithdrawDecision = "withdraw_decision" (WithdrawDecision) -> OkReply,
        /// Somebody at the session's own terminal answered; whether first, the acknowledgement tells.
        AnswerDecision = "answer_decision" (AnswerDecision) -> AnswerReply,
        /// The answer to `probe`.
        ProbeReply = "probe_reply" (ProbeReply),
    }
}

events! {
    /// Relay to session.
    pub enum FromServer / from_server in "/relay" {
        /// The session is yours; every later message carries the token.
        Registered = "registered" (Registered),
        /// Everything up to `seq` of the client's own counter is stored.
        EventAck = "event_ack" (EventAck),
        /// A viewer needs content: answer with `capabilities` and a `session_active` carrying the nonce.
        Connected = "connected" (RelayConnected),
        /// Words for the agent; acknowledged when it has them.
        Input = "input" (RelayInput) -> bool,
        /// Switch the model; the result is an event.
        ModelSet = "model_set" (ModelSet),
        /// Run a remote command; answered by `exec_result` with the same id.
        Exec = "exec" (Open<Exec>),
        /// The owner hides these models now.
        HiddenModelsUpdate = "hidden_models_update" (HiddenModelsUpdate),
        /// The owner's default model for sub-agents.
        SubagentModelUpdate = "subagent_model_update" (SubagentModelUpdate),
        /// Words from another session.
        SessionMessage = "session_message" (SessionMessage),
        /// An earlier `session_message` or `session_trigger` could not be delivered.
        SessionMessageError = "session_message_error" (SessionMessageError),
        /// Something happened elsewhere. Receivers drop repeated trigger ids.
        SessionTrigger = "session_trigger" (SessionTrigger),
        /// The answer to a trigger; with a target, one a human gave through the parent.
        TriggerResponse = "trigger_response" (TriggerResponse),
        /// The session outlived its time; a disconnect follows.
        SessionExpired = "session_expired" (SessionRef),
        /// The parent let go: stop waiting for it, then acknowledge.
        ParentDelinked = "parent_delinked" (ParentDelinked) -> OkReply,
        /// For diagnostics.
        Error = "error" (ErrorEvent),
        /// From a service of the session's runner.
        ServiceMessage = "service_message" (ServiceEnvelope),
        /// The browser came back from signing in to an MCP server.
        McpOauthCallback = "mcp_oauth_callback" (McpOauthCallback),
        /// A user pasted the address the browser ended on.
        McpOauthPaste = "mcp_oauth_paste" (McpOauthPaste),
        /// Do this. Only to sessions that announced `capabilities.commands`; others get the plain events.
        Command = "command" (Command),
        /// The author of a command withdrew it; answer with `command_receipt`.
        CancelCommand = "cancel_command" (CancelCommand),
        /// A decision of this session ended elsewhere.
        DecisionEnded = "decision_ended" (DecisionEnded),
        /// Are you there? Answered by `probe_reply`.
        Probe = "probe" (Probe),
        /// How many people watch.
        Viewers = "viewers" (Viewers),
    }
}

wire! {
    #[derive(Default)]
    pub struct Register {
        /// Blank or absent: the relay makes one.
        session_id?: SessionId,
        cwd: String = default,
        /// True unless it says `false`.
        ephemeral?: bool,
        /// True unless it says `false`.
        collab_mode?: bool,
        session_name?: String | null,
        session_file?: String | null,
        /// `null`: this session has left its parent.
        parent_session_id?: SessionId | null,
        capabilities?: PeerCapabilities,
        /// Where the last registration of this process stood.
        resume?: ResumeOffer,
        /// The token of that registration, as proof that this is the same process.
        previous_token?: String,
        client_version?: String,
        /// A name for the machine, shown to people next to what was done there.
        device?: String,
    }

    pub struct RelayEvent {
        session_id?: SessionId,
        token: String = default,
        /// An [`AgentEvent`](crate::agent_event::AgentEvent); kept as it came.
        event: RawJson = default,
        /// The client's own counter, from 1 after each `registered`. Ours number durable events only.
        seq?: u64,
    }

    pub struct SessionEnd {
        session_id?: SessionId,
        token: String = default,
        reason?: String,
    }

    pub struct SendSessionMessage {
        token: String = default,
        target_session_id: SessionId = default,
        message: String = default,
        /// `input`: as if a person had typed it.
        deliver_as?: MessageDelivery,
    }

    pub struct SendTrigger {
        token: String = default,
        trigger: Trigger,
    }

    pub struct SendTriggerResponse {
        token: String = default,
        trigger_id: TriggerId = default,
        response?: String,
        action?: String,
        target_session_id: SessionId = default,
    }

    pub struct CleanupChildSession {
        token: String = default,
        child_session_id: SessionId = default,
    }

    /// Nothing but the proof that the session is the sender's.
    pub struct Owned {
        token: String = default,
    }

    pub struct DelinkChildren {
        token: String = default,
        /// Children that started later are kept. Units: milliseconds of the relay's clock.
        epoch?: f64,
    }

    pub struct DelinkOwnParent {
        token: String = default,
        old_parent_id?: SessionId | null,
    }

    pub struct SendTriggerStatus {
        token: String = default,
        trigger_id: TriggerId = default,
        target_session_id: SessionId = default,
        status_text: String = default,
    }

    pub struct CleanupReply {
        ok: bool,
        /// The child has not gone yet.
        pending?: bool,
        error?: String,
    }

    pub struct LinkedChildCount {
        ok: bool,
        count?: u64,
        error?: String,
    }

    pub struct Registered {
        /// May differ from the one asked for: adopt it.
        session_id: SessionId,
        token: String,
        share_url: String,
        is_ephemeral: bool,
        collab_mode: bool,
        parent_session_id: SessionId | null,
        server_time: UnixMs = default,
        supports_session_trigger_ack: bool = default,
        /// The parent let go while this session was away.
        was_delinked?: bool,
        /// This registration's ownership life.
        epoch?: Epoch,
        resume?: ResumeAnswer,
        /// Present when another id was given out than the one asked for.
        requested_session_id?: SessionId,
        warning?: String,
        capabilities?: PeerCapabilities,
    }

    pub struct EventAck {
        session_id: SessionId,
        /// Cumulative; never decreases within a registration.
        seq: u64,
    }

    #[derive(Default)]
    pub struct RelayConnected {
        recovery_nonce?: String,
    }

    pub struct RelayInput {
        text: String = default,
        attachments?: [Attachment],
        /// `web`, `agent`, `push` …
        client?: String,
        deliver_as?: DeliverAs,
        request_id?: CommandId,
    }

    pub struct ModelSet {
        provider: String = default,
        model_id: String = default,
    }

    pub struct HiddenModelsUpdate {
        /// `provider/modelId`.
        hidden_models: [String],
    }

    pub struct SubagentModelUpdate {
        /// `provider/id`; `null` is automatic.
        model: String | null,
    }

    pub struct SessionMessage {
        from_session_id: SessionId,
        message: String,
        ts: String,
    }

    pub struct SessionMessageError {
        target_session_id: SessionId,
        error: String,
        trigger_id?: TriggerId,
    }

    pub struct SessionTrigger {
        trigger: Trigger,
    }

    pub struct TriggerResponse {
        trigger_id: TriggerId,
        response: String,
        action?: String,
        target_session_id?: SessionId,
    }

    pub struct SessionRef {
        session_id: SessionId,
    }

    pub struct ParentDelinked {
        parent_session_id: SessionId,
    }

    pub struct McpOauthCallback {
        session_id: SessionId,
        nonce: String,
        code: String,
        /// As it stood in the address.
        state: String,
        oauth_state?: String,
    }

    pub struct McpOauthPaste {
        nonce: String = default,
        code: String = default,
        state?: String,
    }
}

words! {
    pub enum MessageDelivery {
        Input = "input",
    }
}

impl Register {
    pub fn is_ephemeral(&self) -> bool {
        self.ephemeral != Some(false)
    }

    pub fn is_collab(&self) -> bool {
        self.collab_mode != Some(false)
    }
}

//! What travels inside `event`: the life of an agent, as one object with a `type` per happening.
//!
//! The relay passes events on as the text they came in and reads only what it needs; types it does not know are numbered, kept and
//! broadcast like any other.

use serde::Deserialize;

use crate::events::{Empty, RawJson};
use crate::json::{Open, UnixMs, lenient, tagged, wire, words};
use crate::message::{AssistantMessageEvent, Message};
use crate::meta::{MetaEvent, MetaGoalStatus, MetaTodoItem};
use crate::model::Model;

tagged! {
    /// One happening in a session.
    pub enum AgentEvent by "type" {
        /// All of the session's state: a snapshot, or the header of one that follows in chunks.
        SessionActive = "session_active" (SessionActive),
        /// A part of the transcript of a chunked snapshot.
        SessionMessagesChunk = "session_messages_chunk" (SessionMessagesChunk),
        /// What changed beside the transcript.
        SessionMetadataUpdate = "session_metadata_update" (SessionMetadataUpdate),
        /// The session lives. Every ten seconds, and at once when its activity changes.
        Heartbeat = "heartbeat" (Heartbeat),
        /// What can be chosen: models and commands.
        Capabilities = "capabilities" (Capabilities),
        /// A run begins: everything between a person's words and the agent falling silent.
        AgentStart = "agent_start" (Empty),
        AgentEnd = "agent_end" (Open<AgentEnd>),
        /// A call of the model, with the tools it asks for, begins.
        TurnStart = "turn_start" (TurnStart),
        TurnEnd = "turn_end" (TurnEnd),
        MessageStart = "message_start" (MessageEvent),
        /// An answer grew. Superseded by the next of its kind.
        MessageUpdate = "message_update" (MessageUpdate),
        MessageEnd = "message_end" (MessageEvent),
        ToolExecutionStart = "tool_execution_start" (ToolExecutionStart),
        /// A tool said more. Superseded by the next of its kind.
        ToolExecutionUpdate = "tool_execution_update" (ToolExecutionUpdate),
        ToolExecutionEnd = "tool_execution_end" (ToolExecutionEnd),
        ModelSelect = "model_select" (ModelSelect),
        /// The answer to `model_set` and `exec set_model`.
        ModelSetResult = "model_set_result" (ModelSetResult),
        TodoUpdate = "todo_update" (TodoUpdate),
        /// Something failed that a person should know of.
        CliError = "cli_error" (CliError),
        UiNotify = "ui_notify" (UiNotify),
        PluginTrustPrompt = "plugin_trust_prompt" (PluginTrustPrompt),
        PluginTrustExpired = "plugin_trust_expired" (PluginTrustExpired),
        McpAuthRequired = "mcp_auth_required" (McpAuthRequired),
        McpAuthPasteRequired = "mcp_auth_paste_required" (McpAuthPasteRequired),
        McpAuthComplete = "mcp_auth_complete" (McpAuthComplete),
        /// Said by very old runners.
        SessionStarted = "session_started" (SessionStarted),
    }
    or Meta(MetaEvent)
    else {
        /// A type this version does not know, or one it cannot read: kept as it came.
        Other
    }
}

words! {
    /// What becomes of an event on its way through the relay.
    pub enum DeliveryClass {
        /// Numbered, logged, sent to every viewer, asked for again after a gap.
        Durable = "durable",
        /// Part of a snapshot in the making: passed on in order, neither numbered nor logged.
        Chunk = "chunk",
        /// Shown while it happens and superseded by what follows; only the newest waits for a slow viewer.
        Streamed = "streamed",
        /// Only the newest matters.
        Latest = "latest",
        /// Folded into the meta state and announced on `/hub`; viewers do not get it.
        Meta = "meta",
    }
}

impl DeliveryClass {
    /// The class of an event, from as little of it as possible. `event` is the JSON text of the inner object.
    pub fn of(event: &str) -> Self {
        #[derive(Deserialize)]
        struct Report {
            report: Option<serde::de::IgnoredAny>,
        }
        #[derive(Deserialize)]
        struct Header {
            state: Chunked,
        }
        #[derive(Deserialize)]
        struct Chunked {
            chunked: bool,
        }

        let Some(tag) = crate::json::tag_of(event, "type") else { return Self::Durable };
        match &*tag {
            "message_update" | "tool_execution_update" => Self::Streamed,
            "heartbeat" => Self::Latest,
            "session_messages_chunk" => Self::Chunk,
            "session_active" => match serde_json::from_str::<Header>(event) {
                Ok(Header { state: Chunked { chunked: true } }) => Self::Chunk,
                _ => Self::Durable,
            },
            // Sessions from before the meta events sent this one flat, as an ordinary event.
            "mcp_startup_report" => match serde_json::from_str::<Report>(event) {
                Ok(Report { report: Some(_) }) => Self::Meta,
                _ => Self::Durable,
            },
            tag if MetaEvent::TAGS.contains(&tag) => Self::Meta,
            _ => Self::Durable,
        }
    }

    pub const fn is_numbered(self) -> bool {
        matches!(self, Self::Durable)
    }
}

wire! {
    pub struct SessionActive {
        state: SessionState,
        /// Copied from the relay's `connected`, so that it can tell an asked-for copy from a real change.
        recovery_nonce?: String,
        /// Set by the relay: meta data in this snapshot is not authoritative.
        #[serde(rename = "_metaViaHub")]
        meta_via_hub?: bool,
        /// Set by the relay: pictures were replaced by links.
        #[serde(rename = "_imagesStripped")]
        images_stripped?: bool,
    }

    /// All of a session's state.
    #[derive(Default)]
    pub struct SessionState {
        /// The transcript as the model sees it. Empty in the header of a chunked snapshot.
        messages: Vec<Message> = default,
        #[serde(deserialize_with = "lenient")]
        model: Model | null,
        #[serde(deserialize_with = "lenient")]
        thinking_level: String | null,
        #[serde(deserialize_with = "lenient")]
        session_name: String | null,
        cwd: String = default,
        available_models: [Model],
        available_commands: [CommandInfo],
        todo_list: [MetaTodoItem],
        #[serde(deserialize_with = "lenient")]
        analysis: RawJson | null,
        #[serde(deserialize_with = "lenient")]
        goal: MetaGoalStatus | null,
        /// Texts that wait for the current run to end. Absent: there are none.
        queued_messages?: Vec<String>,
        /// This is the header of a chunked snapshot.
        chunked?: bool,
        snapshot_id?: String,
        /// With `chunked`, and when the relay sends only the tail.
        total_messages?: u64,
        /// Set by the relay: there are messages before the first of these.
        has_more?: bool,
        oldest_loaded_index?: u64,
        /// Where the transcript lies on the session's machine.
        session_file?: String,
    }

    /// A command the user can type, as pickers show it.
    pub struct CommandInfo {
        name: String,
        description?: String,
        /// Where it comes from, such as `builtin` or `skill`.
        source?: String,
        argument_hint?: String,
        completions?: Vec<CommandCompletion>,
    }

    pub struct CommandCompletion {
        value: String,
        label?: String,
        description?: String,
    }

    pub struct SessionMessagesChunk {
        snapshot_id: String,
        /// From 0.
        chunk_index: u64,
        total_chunks: u64,
        total_messages: u64,
        messages: Vec<Message>,
        #[serde(rename = "final")]
        is_final: bool,
    }

    pub struct SessionMetadataUpdate {
        metadata: SessionMetadata,
    }

    /// Members that are absent did not change.
    #[derive(Default)]
    pub struct SessionMetadata {
        model?: Model | null,
        thinking_level?: String | null,
        session_name?: String | null,
        session_file?: String,
        available_models?: [Model],
        available_commands?: [CommandInfo],
        todo_list?: [MetaTodoItem],
        analysis?: RawJson | null,
        goal?: MetaGoalStatus | null,
        queued_messages?: Vec<String>,
    }

    #[derive(Default)]
    pub struct Heartbeat {
        /// Is the agent working?
        active: bool = default,
        is_compacting: bool = default,
        ts: UnixMs = default,
        #[serde(deserialize_with = "lenient")]
        model: Model | null,
        #[serde(deserialize_with = "lenient")]
        session_name: String | null,
        /// Since the session began. Units: milliseconds.
        #[serde(deserialize_with = "lenient")]
        uptime: u64 | null,
        #[serde(deserialize_with = "lenient")]
        cwd: String | null,
        queued_messages: Vec<String> = default,
        /// Carries no meta members at all.
        #[serde(rename = "_slim")]
        slim?: bool,
        /// Set by the relay on a heartbeat it repeats: proof of life, nothing more.
        #[serde(rename = "_livenessOnly")]
        liveness_only?: bool,
    }

    #[derive(Default)]
    pub struct Capabilities {
        models: [Model],
        commands: [CommandInfo],
    }

    #[derive(Default)]
    pub struct AgentEnd {
        /// Messages of this run only. Our sessions leave them out on the wire: a full snapshot follows.
        messages?: Vec<Message>,
    }

    pub struct TurnStart {
        turn_index: u64,
        #[serde(deserialize_with = "crate::json::millis")]
        timestamp: UnixMs,
    }

    pub struct TurnEnd {
        turn_index: u64,
        message: Message,
        tool_results: Vec<Message>,
    }

    pub struct MessageEvent {
        message: Message,
    }

    pub struct MessageUpdate {
        /// The whole message so far.
        message: Message,
        assistant_message_event: AssistantMessageEvent,
    }

    pub struct ToolExecutionStart {
        tool_call_id: String,
        tool_name: String,
        args: RawJson,
    }

    pub struct ToolExecutionUpdate {
        tool_call_id: String,
        tool_name: String,
        args: RawJson,
        /// Everything so far: `{content, details?}`.
        partial_result: RawJson,
    }

    pub struct ToolExecutionEnd {
        tool_call_id: String,
        tool_name: String,
        /// `{content, details?}`.
        result: RawJson,
        is_error: bool,
    }

    pub struct ModelSelect {
        model: Model,
        previous_model?: Model,
        source: ModelSelectSource,
    }

    pub struct ModelSetResult {
        ok: bool,
        provider: String,
        model_id: String,
        message?: String,
    }

    pub struct TodoUpdate {
        todos: [MetaTodoItem],
        #[serde(deserialize_with = "crate::json::millis")]
        ts: UnixMs,
    }

    pub struct CliError {
        message: String,
        /// Who failed: `provider`, `remote`, or an extension's name.
        source: String | null,
        #[serde(deserialize_with = "crate::json::millis")]
        ts: UnixMs,
    }

    pub struct UiNotify {
        /// May contain ANSI colours.
        message: String,
        notify_type?: NotifyType,
    }

    pub struct PluginTrustPrompt {
        prompt_id: String,
        plugin_names: Vec<String>,
        plugin_summaries: Vec<String>,
        #[serde(deserialize_with = "crate::json::millis")]
        ts: UnixMs,
    }

    pub struct PluginTrustExpired {
        prompt_id: String,
        #[serde(deserialize_with = "crate::json::millis")]
        ts: UnixMs,
    }

    /// A person must sign in to an MCP server; the browser comes back through the relay.
    pub struct McpAuthRequired {
        server_name: String,
        auth_url: String,
        #[serde(deserialize_with = "crate::json::millis")]
        ts: UnixMs,
    }

    /// As above, but the browser ends on a page the user must paste the address of.
    pub struct McpAuthPasteRequired {
        server_name: String,
        auth_url: String,
        nonce: String,
        #[serde(deserialize_with = "crate::json::millis")]
        ts: UnixMs,
    }

    pub struct McpAuthComplete {
        server_name: String,
        #[serde(deserialize_with = "crate::json::millis")]
        ts: UnixMs,
    }

    pub struct SessionStarted {
        model: Model,
    }
}

words! {
    /// How a model came to be chosen.
    pub enum ModelSelectSource {
        Set = "set",
        Cycle = "cycle",
        Restore = "restore",
    }

    pub enum NotifyType {
        Info = "info",
        Warning = "warning",
        Error = "error",
    }
}

impl AgentEvent {
    /// The event as raw JSON, ready to be put into an envelope.
    pub fn to_raw(&self) -> RawJson {
        RawJson::new(self).expect("an event serialises")
    }

    pub fn class(&self) -> DeliveryClass {
        match self {
            Self::MessageUpdate(_) | Self::ToolExecutionUpdate(_) => DeliveryClass::Streamed,
            Self::Heartbeat(_) => DeliveryClass::Latest,
            Self::SessionMessagesChunk(_) => DeliveryClass::Chunk,
            Self::SessionActive(event) if event.state.chunked == Some(true) => DeliveryClass::Chunk,
            Self::Meta(_) => DeliveryClass::Meta,
            Self::Other(raw) => DeliveryClass::of(raw.get()),
            _ => DeliveryClass::Durable,
        }
    }
}

impl From<MetaEvent> for AgentEvent {
    fn from(event: MetaEvent) -> Self {
        Self::Meta(event)
    }
}

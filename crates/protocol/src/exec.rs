//! Remote commands: a request with its arguments beside `id` and `command`, and one reply.

use std::collections::BTreeMap;

use crate::agent_event::CommandInfo;
use crate::events::{Empty, RawJson};
use crate::ids::{CommandId, Position, SessionId};
use crate::json::{JsonObject, Maybe, Open, tagged, wire, words};
use crate::meta::McpServerError;
use crate::model::Model;

wire! {
    /// A remote command. Its arguments stand beside these members; see [`Open`](crate::json::Open).
    pub struct Exec {
        id: CommandId,
        command: String,
        /// The session it was meant for; the relay refuses it for another.
        session_id?: SessionId,
        /// What the author had on screen.
        composed_at?: Position,
    }

    /// The one reply to a remote command.
    pub struct ExecResult {
        id: CommandId,
        ok: bool,
        command: String,
        result?: RawJson | null,
        error?: String,
    }

    /// A reply on its way to viewers.
    pub struct ViewerExecResult {
        id: CommandId,
        ok: bool,
        command: String,
        result?: RawJson | null,
        error?: String,
        session_id: SessionId,
    }
}

tagged! {
    /// Every remote command with its arguments.
    pub enum ExecCommand by "command" {
        GetCommands = "get_commands" (Empty),
        Mcp = "mcp" (McpArgs),
        McpToggleServer = "mcp_toggle_server" (McpToggleArgs),
        /// Move running shell commands to the background.
        BackgroundBash = "background_bash" (Empty),
        Abort = "abort" (Empty),
        SetModel = "set_model" (SetModelArgs),
        CycleModel = "cycle_model" (Empty),
        GetAvailableModels = "get_available_models" (Empty),
        SetThinkingLevel = "set_thinking_level" (SetThinkingArgs),
        CycleThinkingLevel = "cycle_thinking_level" (Empty),
        SetSteeringMode = "set_steering_mode" (SetModeArgs),
        SetFollowUpMode = "set_follow_up_mode" (SetModeArgs),
        SetQueuedMessages = "set_queued_messages" (SetQueueArgs),
        SetPlanMode = "set_plan_mode" (SetPlanModeArgs),
        RefreshUsage = "refresh_usage" (Empty),
        Compact = "compact" (CompactArgs),
        SetSessionName = "set_session_name" (SetNameArgs),
        GetLastAssistantText = "get_last_assistant_text" (Empty),
        GetForkMessages = "get_fork_messages" (Empty),
        Fork = "fork" (ForkArgs),
        ListResumeSessions = "list_resume_sessions" (ListResumeArgs),
        ResumeSession = "resume_session" (ResumeArgs),
        NewSession = "new_session" (Empty),
        EndSession = "end_session" (Empty),
        Restart = "restart" (Empty),
        ExportHtml = "export_html" (ExportHtmlArgs),
        SandboxGetStatus = "sandbox_get_status" (Empty),
        SandboxUpdateConfig = "sandbox_update_config" (SandboxConfigArgs),
        PluginTrustResponse = "plugin_trust_response" (PluginTrustArgs),
    }
}

words! {
    pub enum McpAction {
        Status = "status",
        Reload = "reload",
    }

    pub enum McpLoadState {
        Loaded = "loaded",
        Deferred = "deferred",
        Disabled = "disabled",
        Partial = "partial",
    }

    pub enum McpToolState {
        Loaded = "loaded",
        Deferred = "deferred",
        LoadedOnDemand = "loaded_on_demand",
    }
}

wire! {
    #[derive(Default)]
    pub struct McpArgs {
        action?: McpAction,
    }

    pub struct McpToggleArgs {
        server_name: String = default,
        disabled: bool = default,
    }

    pub struct SetModelArgs {
        provider: String = default,
        model_id: String = default,
    }

    pub struct SetThinkingArgs {
        level: String = default,
    }

    pub struct SetModeArgs {
        mode?: String,
    }

    pub struct SetQueueArgs {
        /// Absent: the command is refused.
        messages?: [String],
    }

    #[derive(Default)]
    pub struct SetPlanModeArgs {
        /// Absent: the other way round.
        enabled?: bool,
    }

    #[derive(Default)]
    pub struct CompactArgs {
        custom_instructions?: String,
    }

    pub struct SetNameArgs {
        name: String = default,
    }

    pub struct ForkArgs {
        entry_id: String = default,
    }

    #[derive(Default)]
    pub struct ListResumeArgs {
        limit?: u32,
        /// `modified` of the last entry of the page before.
        cursor?: String,
    }

    #[derive(Default)]
    pub struct ResumeArgs {
        session_path?: String,
        query?: String,
    }

    #[derive(Default)]
    pub struct ExportHtmlArgs {
        output_path?: String,
    }

    pub struct SandboxConfigArgs {
        config: RawJson = default,
    }

    pub struct PluginTrustArgs {
        prompt_id: String = default,
        trusted: bool = default,
    }

    // results

    pub struct CommandList {
        commands: Vec<CommandInfo>,
    }

    pub struct Backgrounded {
        backgrounded: Vec<String>,
    }

    pub struct ModelList {
        models: Vec<Model>,
    }

    pub struct ThinkingResult {
        /// The level that really applies now.
        thinking_level: String,
    }

    pub struct QueueResult {
        queued_messages: Vec<String>,
    }

    pub struct PlanModeResult {
        plan_mode_enabled: bool,
    }

    pub struct UsageResult {
        provider_usage: JsonObject,
        refreshed_at: i64,
    }

    pub struct CompactionResult {
        summary?: String,
        tokens_before?: u64,
    }

    pub struct SessionNameResult {
        session_name: String | null,
    }

    pub struct TextResult {
        text: String | null,
    }

    pub struct ForkMessages {
        messages: Vec<ForkMessage>,
    }

    pub struct ForkMessage {
        entry_id: String,
        text: String,
    }

    /// Transcripts that can be gone on with, newest first.
    pub struct ResumeSessions {
        current_path: String | null,
        sessions: Vec<SessionSummary>,
        next_cursor: String | null,
    }

    pub struct SessionSummary {
        id: String,
        path: String,
        cwd: String | null,
        name: String | null,
        modified: String,
        first_message: String,
    }

    pub struct ResumeResult {
        session: SessionSummary,
    }

    pub struct TrustResult {
        trusted: bool,
    }

    /// How the MCP servers of a session are doing.
    pub struct McpStatus {
        tool_count: u64,
        tool_names: Vec<String>,
        server_tools: BTreeMap<String, Vec<String>>,
        errors: Vec<McpServerError>,
        loaded_at: String,
        summary: String,
        lines: Vec<String>,
        config: Open<McpStatusConfig>,
        counts: McpCounts,
        server_states: Vec<McpServerState>,
        tool_states: Vec<McpToolStatus>,
        server_timings?: Vec<RawJson>,
        total_duration_ms?: f64,
        action?: McpAction,
        toggled_server?: String,
        disabled?: bool,
    }

    #[derive(Default)]
    pub struct McpStatusConfig {
        effective_servers: Vec<McpServerRef>,
        disabled_servers: Vec<String>,
    }

    pub struct McpServerRef {
        name: String,
        transport: String,
        scope: String,
        source_path?: String,
    }

    #[derive(Default)]
    pub struct McpCounts {
        total_tools: u64,
        loaded_tools: u64,
        deferred_tools: u64,
        loaded_on_demand_tools: u64,
        disabled_servers: u64,
    }

    pub struct McpServerState {
        name: String,
        transport: String,
        scope: String,
        source_path?: String,
        state: McpLoadState,
        total_tool_count: u64,
        loaded_tool_count: u64,
        deferred_tool_count: u64,
        loaded_on_demand_tool_count: u64,
    }

    pub struct McpToolStatus {
        name: String,
        server_name: String,
        state: McpToolState,
    }
}

impl Exec {
    /// A request for `command`.
    pub fn request(id: impl Into<CommandId>, command: &ExecCommand) -> Open<Self> {
        let mut args = JsonObject::from_value(command).expect("a command is an object");
        args.remove("command");
        let head = Self { id: id.into(), command: command.tag().into_owned(), session_id: None, composed_at: None };
        Open::with(head, args)
    }
}

impl Open<Exec> {
    /// Read the arguments. Errors: [`unknown_exec`] or arguments of the wrong shape.
    pub fn parse(&self) -> Result<ExecCommand, String> {
        if !ExecCommand::TAGS.contains(&self.command.as_str()) {
            return Err(unknown_exec(&self.command));
        }
        let mut object = self.extra.clone();
        object.set("command", &self.command).map_err(|error| error.to_string())?;
        ExecCommand::from_json(object.to_raw().get()).map_err(|error| error.to_string())
    }
}

/// The reply to a command nobody knows.
pub fn unknown_exec(command: &str) -> String {
    format!("Unknown exec command: {command}")
}

impl ExecResult {
    pub fn done<T: serde::Serialize + ?Sized>(id: CommandId, command: impl Into<String>, result: &T) -> Self {
        let (result, error) = match RawJson::new(result) {
            Ok(result) => (Maybe::Value(result), None),
            Err(error) => (Maybe::Absent, Some(error.to_string())),
        };
        Self { id, ok: error.is_none(), command: command.into(), result, error }
    }

    /// Done, with nothing to tell.
    pub fn ok(id: CommandId, command: impl Into<String>) -> Self {
        Self { id, ok: true, command: command.into(), result: Maybe::Absent, error: None }
    }

    pub fn failed(id: CommandId, command: impl Into<String>, error: impl Into<String>) -> Self {
        Self { id, ok: false, command: command.into(), result: Maybe::Absent, error: Some(error.into()) }
    }

    pub fn for_viewers(self, session_id: SessionId) -> ViewerExecResult {
        let Self { id, ok, command, result, error } = self;
        ViewerExecResult { id, ok, command, result, error, session_id }
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn arguments_stand_beside_the_command() {
        let text = r#"{"type":"exec","id":"1","command":"compact","customInstructions":"short"}"#;
        let exec: Open<Exec> = serde_json::from_str(text).expect("an exec");
        let args = CompactArgs { custom_instructions: Some("short".to_owned()) };
        assert_eq!(exec.parse(), Ok(ExecCommand::Compact(args.clone())));
        let back: serde_json::Value = serde_json::to_value(&exec).expect("serialises");
        assert_eq!(back, serde_json::from_str::<serde_json::Value>(text).expect("JSON"));

        let request = Exec::request("1", &ExecCommand::Compact(args));
        assert_eq!(request.parse(), exec.parse());
    }

    #[test]
    fn an_unknown_command_says_which() {
        let exec: Open<Exec> = serde_json::from_str(r#"{"id":"1","command":"dance"}"#).expect("an exec");
        assert_eq!(exec.parse(), Err("Unknown exec command: dance".to_owned()));
        assert_eq!(ExecCommand::TAGS.len(), 29);
    }

    #[test]
    fn a_result_of_null_is_not_the_same_as_none() {
        let none = ExecResult::done(CommandId::from("1"), "cycle_model", &None::<Model>);
        assert_eq!(
            serde_json::to_string(&none).expect("JSON"),
            r#"{"id":"1","ok":true,"command":"cycle_model","result":null}"#
        );
        let ok = ExecResult::ok(CommandId::from("1"), "abort");
        assert_eq!(serde_json::to_string(&ok).expect("JSON"), r#"{"id":"1","ok":true,"command":"abort"}"#);
    }
}

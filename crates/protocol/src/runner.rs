//! `/runner`: the daemon on a machine and the relay.
//!
//! A request carries a fresh `requestId`; the reply copies it and counts only on the socket the request was sent on.

use crate::delivery::{Probe, ProbeReply};
use crate::error::ErrorEvent;
use crate::events::{Empty, RawJson, events};
use crate::handshake::PeerCapabilities;
use crate::ids::{RequestId, RunnerId, SessionId, TerminalId};
use crate::json::{JsonObject, Open, UnixMs, wire, words};
use crate::model::{Model, ModelInfo};
use crate::relay::SessionRef;
use crate::runner_info::{ExistingSession, RunnerAgent, RunnerHook, RunnerPlugin, RunnerSkill};
use crate::service::{ServiceAnnounce, ServiceEnvelope};
use crate::terminal::{TerminalData, TerminalError, TerminalExit, TerminalRef};
use crate::trigger::{SubscriptionAction, TriggerSubscriptionEntry};

events! {
    /// Daemon to relay.
    pub enum FromClient / from_client in "/runner" {
        /// Claim a runner id. Sent on every connect; answered by `runner_registered`.
        RegisterRunner = "register_runner" (RegisterRunner),
        SkillsList = "skills_list" (SkillsList),
        AgentsList = "agents_list" (AgentsList),
        PluginsList = "plugins_list" (PluginsList),
        SkillResult = "skill_result" (SkillResult),
        AgentResult = "agent_result" (AgentResult),
        /// The reply to most requests; its members depend on the request.
        FileResult = "file_result" (Open<FileResult>),
        ModelsList = "models_list" (ModelsList),
        UsageData = "usage_data" (DataReply),
        UsageError = "usage_error" (ErrorReply),
        AnalyzeSessionData = "analyze_session_data" (DataReply),
        AnalyzeSessionError = "analyze_session_error" (ErrorReply),
        /// Something happened in a session that has no socket of its own.
        RunnerSessionEvent = "runner_session_event" (RunnerSessionEvent),
        /// The process of a new session was started; it has not connected yet.
        SessionReady = "session_ready" (SessionRef),
        /// It could not be started.
        SessionError = "session_error" (SessionError),
        SessionKilled = "session_killed" (SessionRef),
        /// End a session whose process this runner does not hold.
        DisconnectSession = "disconnect_session" (SessionRef),
        TriggerSubscriptionsApplied = "trigger_subscriptions_applied" (TriggerSubscriptionsApplied),
        /// From a service: to one session, or without `sessionId` to all of this runner.
        ServiceMessage = "service_message" (ServiceEnvelope),
        ServiceAnnounce = "service_announce" (ServiceAnnounce),
        RunnerWarning = "runner_warning" (RunnerWarning),
        RunnerWarningClear = "runner_warning_clear" (Empty),
        TerminalReady = "terminal_ready" (TerminalRef),
        TerminalData = "terminal_data" (TerminalData),
        TerminalExit = "terminal_exit" (TerminalExit),
        TerminalError = "terminal_error" (TerminalError),
        SessionsList = "sessions_list" (SessionsList),
        TerminalsList = "terminals_list" (TerminalsList),
        Pong = "pong" (Pong),
        /// The answer to `probe`.
        ProbeReply = "probe_reply" (ProbeReply),
    }
}

events! {
    /// Relay to daemon.
    pub enum FromServer / from_server in "/runner" {
        RunnerRegistered = "runner_registered" (RunnerRegistered),
        /// Start a session; answered by `session_ready` or `session_error`.
        NewSession = "new_session" (NewSession),
        /// Stop a session's processes; answered by `session_killed`.
        KillSession = "kill_session" (SessionRef),
        SessionEnded = "session_ended" (SessionEnded),
        /// Exit with code 42 and come back.
        Restart = "restart" (Empty),
        /// Exit and stay away.
        Shutdown = "shutdown" (Empty),
        ListSessions = "list_sessions" (Empty),
        Ping = "ping" (Empty),
        NewTerminal = "new_terminal" (NewTerminal),
        TerminalInput = "terminal_input" (TerminalInput),
        TerminalResize = "terminal_resize" (TerminalResize),
        KillTerminal = "kill_terminal" (TerminalRef),
        ListTerminals = "list_terminals" (Empty),
        ListSkills = "list_skills" (Request),
        CreateSkill = "create_skill" (WriteNamed),
        UpdateSkill = "update_skill" (WriteNamed),
        DeleteSkill = "delete_skill" (Named),
        GetSkill = "get_skill" (Named),
        ListAgents = "list_agents" (Request),
        CreateAgent = "create_agent" (WriteNamed),
        UpdateAgent = "update_agent" (WriteNamed),
        DeleteAgent = "delete_agent" (Named),
        GetAgent = "get_agent" (Named),
        ListPlugins = "list_plugins" (ListPlugins),
        ListFiles = "list_files" (ListFiles),
        SearchFiles = "search_files" (SearchFiles),
        ReadFile = "read_file" (ReadFile),
        /// The asker went away; no reply is wanted.
        CancelFileRequest = "cancel_file_request" (Request),
        BrowseDirectory = "browse_directory" (BrowseDirectory),
        SandboxGetStatus = "sandbox_get_status" (Request),
        SandboxUpdateConfig = "sandbox_update_config" (SandboxUpdateConfig),
        ListModels = "list_models" (Request),
        GetUsage = "get_usage" (GetUsage),
        AnalyzeSession = "analyze_session" (AnalyzeSession),
        SettingsGetConfig = "settings_get_config" (Request),
        SettingsUpdateSection = "settings_update_section" (SettingsUpdateSection),
        PackagesList = "packages_list" (Request),
        PackagesInstall = "packages_install" (PackageRequest),
        PackagesRemove = "packages_remove" (PackageRequest),
        PackagesUpdate = "packages_update" (PackagesUpdate),
        AuthList = "auth_list" (Request),
        AuthLoginStart = "auth_login_start" (AuthLoginStart),
        AuthLoginSubmit = "auth_login_submit" (AuthLoginSubmit),
        AuthLoginStatus = "auth_login_status" (AuthLoginRef),
        AuthLoginCancel = "auth_login_cancel" (AuthLoginRef),
        /// Everything sessions of this runner subscribed to.
        TriggerSubscriptionsSnapshot = "trigger_subscriptions_snapshot" (TriggerSubscriptionsSnapshot),
        TriggerSubscriptionDelta = "trigger_subscription_delta" (TriggerSubscriptionDelta),
        /// For a service of this runner.
        ServiceMessage = "service_message" (ServiceEnvelope),
        /// Start and stop services; answered by a new `service_announce`.
        ReconfigureServices = "reconfigure_services" (ReconfigureServices),
        /// A disconnect follows.
        Error = "error" (ErrorEvent),
        /// Are you there? Answered by `probe_reply`.
        Probe = "probe" (Probe),
        /// All viewers lag: stop reading a terminal, or go on.
        TerminalFlow = "terminal_flow" (TerminalFlow),
    }
}

wire! {
    #[derive(Default)]
    pub struct RegisterRunner {
        name?: String,
        roots?: [String],
        /// Lasting identity needs both id and secret.
        runner_id?: RunnerId,
        runner_secret?: String,
        skills?: [RunnerSkill],
        agents?: [RunnerAgent],
        plugins?: [RunnerPlugin],
        hooks?: [RunnerHook],
        version?: String,
        platform?: String,
        capabilities?: PeerCapabilities,
        /// Terminals that are still running, so that both sides agree after a break.
        terminals?: [TerminalId],
        /// Sessions whose processes this daemon holds.
        sessions?: [SessionId],
    }

    pub struct SkillsList {
        skills: [RunnerSkill],
        request_id?: RequestId,
    }

    pub struct AgentsList {
        agents: [RunnerAgent],
        request_id?: RequestId,
    }

    pub struct PluginsList {
        plugins: [RunnerPlugin],
        request_id?: RequestId,
        /// Absent: yes.
        ok?: bool,
        message?: String,
        /// The answer for one folder only: not to be remembered.
        scoped?: bool,
    }

    pub struct SkillResult {
        request_id?: RequestId,
        ok: bool = default,
        message?: String,
        skills?: [RunnerSkill],
        content?: String,
        name?: String,
    }

    pub struct AgentResult {
        request_id?: RequestId,
        ok: bool = default,
        message?: String,
        agents?: [RunnerAgent],
        content?: String,
        name?: String,
    }

    #[derive(Default)]
    pub struct FileResult {
        request_id?: RequestId,
        ok?: bool,
        /// Why not.
        message?: String,
    }

    pub struct ModelsList {
        request_id?: RequestId,
        models: [Model],
        error?: String,
    }

    pub struct DataReply {
        request_id?: RequestId,
        data: RawJson = default,
    }

    pub struct ErrorReply {
        request_id?: RequestId,
        error: String = default,
    }

    pub struct RunnerSessionEvent {
        session_id: SessionId = default,
        event: RawJson = default,
    }

    pub struct SessionError {
        session_id: SessionId = default,
        message: String = default,
    }

    pub struct TriggerSubscriptionsApplied {
        revision: i64,
        applied: u64,
        errors?: [String],
    }

    pub struct RunnerWarning {
        message: String = default,
    }

    pub struct SessionsList {
        sessions: [SessionId],
    }

    pub struct TerminalsList {
        terminals: [TerminalId],
    }

    pub struct Pong {
        now: UnixMs = default,
    }

    pub struct RunnerRegistered {
        runner_id: RunnerId,
        /// Live sessions of this runner, on any node.
        existing_sessions?: [ExistingSession],
        capabilities?: PeerCapabilities,
    }

    pub struct NewSession {
        session_id: SessionId = default,
        cwd?: String,
        prompt?: String,
        /// At most [`SPAWN_IMAGES_MAX`](crate::limits::SPAWN_IMAGES_MAX).
        image_urls?: [String],
        model?: ModelInfo,
        skills?: [String],
        /// `provider/modelId`.
        hidden_models?: [String],
        agent?: SpawnAgent,
        parent_session_id?: SessionId,
        /// A transcript to go on with, absolute.
        resume_path?: String,
        /// The session to go on with.
        resume_id?: SessionId,
        /// Leave after a successful completion.
        auto_close?: bool,
    }

    pub struct SpawnAgent {
        name: String,
        /// Absent: read from the agent's file.
        system_prompt?: String,
        tools?: String,
        disallowed_tools?: String,
    }

    pub struct SessionEnded {
        session_id: SessionId = default,
        /// The daemon acts on the exact words, see [`reasons`].
        reason?: String,
        session_file?: String,
    }

    pub struct NewTerminal {
        terminal_id: TerminalId = default,
        cwd?: String,
        shell?: String,
        cols?: u16,
        rows?: u16,
    }

    pub struct TerminalInput {
        terminal_id: TerminalId = default,
        /// Base64.
        data: String = default,
    }

    pub struct TerminalResize {
        terminal_id: TerminalId = default,
        cols: u16 = default,
        rows: u16 = default,
    }

    pub struct TerminalFlow {
        terminal_id: TerminalId,
        paused: bool,
    }

    /// A request without arguments.
    #[derive(Default)]
    pub struct Request {
        request_id: RequestId = default,
    }

    pub struct Named {
        request_id: RequestId = default,
        name: String = default,
    }

    pub struct WriteNamed {
        request_id: RequestId = default,
        name: String = default,
        content: String = default,
    }

    #[derive(Default)]
    pub struct ListPlugins {
        request_id?: RequestId,
        /// Look there, and do not remember the answer.
        cwd?: String,
    }

    pub struct ListFiles {
        request_id: RequestId = default,
        path: String = default,
        cwd?: String,
    }

    pub struct SearchFiles {
        request_id: RequestId = default,
        cwd: String = default,
        query: String = default,
        limit?: u32,
    }

    pub struct ReadFile {
        request_id: RequestId = default,
        path: String = default,
        cwd?: String,
        encoding?: FileEncoding,
        max_bytes?: u64,
        /// Do not send the part of a file that is too large.
        reject_truncated?: bool,
    }

    pub struct BrowseDirectory {
        request_id: RequestId = default,
        path: String = default,
    }

    pub struct SandboxUpdateConfig {
        request_id: RequestId = default,
        config: RawJson = default,
    }

    pub struct GetUsage {
        request_id: RequestId = default,
        range?: UsageRange,
    }

    pub struct AnalyzeSession {
        request_id: RequestId = default,
        session_id: SessionId = default,
    }

    pub struct SettingsUpdateSection {
        request_id: RequestId = default,
        section: String = default,
        value: RawJson = default,
    }

    pub struct PackageRequest {
        request_id: RequestId = default,
        source: String = default,
        /// For the project rather than the user.
        local?: bool,
    }

    pub struct PackagesUpdate {
        request_id: RequestId = default,
        /// Absent: all.
        source?: String,
    }

    pub struct AuthLoginStart {
        request_id: RequestId = default,
        provider_id: String = default,
        auth_type?: AuthType,
    }

    pub struct AuthLoginSubmit {
        request_id: RequestId = default,
        login_id: String = default,
        value: String = default,
    }

    pub struct AuthLoginRef {
        request_id: RequestId = default,
        login_id: String = default,
    }

    pub struct TriggerSubscriptionsSnapshot {
        /// Taken before the subscriptions were read, so that later deltas are newer.
        revision: i64,
        subscriptions: [TriggerSubscriptionEntry],
        /// The full truth: applied whatever came before.
        is_reconnect?: bool,
    }

    pub struct TriggerSubscriptionDelta {
        revision: i64,
        action: SubscriptionAction,
        subscription: TriggerSubscriptionEntry,
    }

    pub struct ReconfigureServices {
        disabled_service_ids: [String],
        service_id?: String,
        enabled?: bool,
    }
}

words! {
    #[derive(Default)]
    pub enum FileEncoding {
        #[default]
        Utf8 = "utf8",
        Base64 = "base64",
    }

    pub enum UsageRange {
        Week = "7d",
        Month = "30d",
        Quarter = "90d",
        All = "all",
    }

    #[derive(Default)]
    pub enum AuthType {
        #[default]
        Oauth = "oauth",
        ApiKey = "api_key",
    }
}

/// Reasons of `session_ended` that daemons compare word by word.
pub mod reasons {
    /// The session is alive under a new registration: ignore.
    pub const SESSION_RECONNECTED: &str = "Session reconnected";
    /// Ignored while the session's process lives.
    pub const SESSION_ENDED: &str = "Session ended";
    pub const SESSION_EXPIRED: &str = "Session expired";
    pub const SESSION_ORPHANED: &str = "Session orphaned (no active relay connection)";
    pub const PARENT_ACKNOWLEDGED: &str = "Parent acknowledged completion";
}

/// Exit codes that supervisors act on.
pub mod exit_codes {
    /// A daemon that wants to be started again.
    pub const RESTART_DAEMON: i32 = 42;
    /// A session that wants to be started again under the same id.
    pub const RESTART_SESSION: i32 = 43;
}

impl FileResult {
    pub fn refused(message: impl Into<String>) -> Open<Self> {
        Open::new(Self { request_id: None, ok: Some(false), message: Some(message.into()) })
    }

    /// A successful reply with the members of `body`.
    pub fn success<T: serde::Serialize + ?Sized>(body: &T) -> serde_json::Result<Open<Self>> {
        let mut extra = JsonObject::from_value(body)?;
        extra.remove("ok");
        Ok(Open::with(Self { request_id: None, ok: Some(true), message: None }, extra))
    }
}

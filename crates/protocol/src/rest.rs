//! Bodies of HTTP requests and answers. Unknown members are ignored; a member of the wrong type counts as absent.

use std::collections::BTreeMap;

use crate::delivery::{CommandState, Lights, SessionPresence, SpawnState};
use crate::error::ErrorCode;
use crate::events::RawJson;
use crate::ids::{CommandId, RequestId, RunnerId, SessionId, TerminalId, TriggerId, UserId};
use crate::json::{JsonObject, UnixMs, wire, words};
use crate::model::{Model, ModelInfo};
use crate::runner::SpawnAgent;
use crate::runner_info::{RunnerAgent, RunnerInfo, RunnerPlugin, RunnerSkill};
use crate::runner_reply::DirectoryEntry;
use crate::service::ServiceTriggerDef;
use crate::session::SessionInfo;
use crate::trigger::{DeliverAs, FilterMode, TriggerFilter, TriggerHistoryEntry, TriggerSubscription};

wire! {
    // --- every route

    /// What failed.
    pub struct ErrorBody {
        error: String,
        code?: ErrorCode,
        request_id?: RequestId,
        details?: RawJson,
    }

    /// What failed, on account routes.
    pub struct AuthErrorBody {
        message: String,
        code?: String,
    }

    pub struct OkBody {
        ok: bool,
    }

    // --- service

    /// `GET /health`, `/status`, `/api/status`.
    pub struct Health {
        status: HealthStatus,
        redis: bool,
        socketio: bool,
        /// Units: seconds.
        uptime: u64,
        version: HealthVersion,
        /// How durable acknowledged events are.
        durability?: String,
    }

    pub struct HealthVersion {
        server: String,
        socket_protocol: u32,
        build_timestamp: String | null,
    }

    /// `GET /api/version`.
    pub struct PublishedVersion {
        version: String | null,
    }

    /// `GET /api/me`.
    pub struct Me {
        user_id: UserId,
        user_name: String,
    }

    /// `GET /api/signup-status`.
    pub struct SignupStatus {
        signup_enabled: bool,
        /// There is no account yet: whoever comes is the first.
        first_account?: bool,
    }

    /// `GET /livez`, `/readyz`.
    pub struct Checks {
        checks: BTreeMap<String, bool>,
    }

    /// `GET /api/capabilities`: what works here.
    pub struct ServerCapabilities {
        push: PushCapabilities,
        tunnel_host: bool,
        multi_node: bool,
        retention_days: u32,
        limits: BTreeMap<String, u64>,
        features: Vec<String>,
    }

    pub struct PushCapabilities {
        web: bool,
        native: bool,
    }

    // --- accounts

    /// `POST /api/register`.
    pub struct RegisterRequest {
        name?: String,
        email?: String,
        password?: String,
        /// One key per label.
        label?: String,
        expires_in_days?: u32,
    }

    pub struct RegisterAnswer {
        ok: bool,
        /// The key in clear, once.
        key: String,
    }

    /// `POST /api/auth/sign-up/email`.
    pub struct SignUpRequest {
        name?: String,
        email?: String,
        password?: String,
        remember_me?: bool,
    }

    /// `POST /api/auth/sign-in/email`.
    pub struct SignInRequest {
        email?: String,
        password?: String,
        /// Absent: yes.
        remember_me?: bool,
    }

    pub struct SignedUp {
        token: String,
        user: AuthUser,
    }

    pub struct SignedIn {
        redirect: bool,
        token: String,
        user: AuthUser,
    }

    pub struct AuthUser {
        id: UserId,
        name: String,
        email: String,
        email_verified: bool,
        image: String | null,
        created_at: String,
        updated_at: String,
    }

    pub struct AuthSession {
        id: String,
        user_id: UserId,
        token: String,
        expires_at: String,
        created_at: String,
        updated_at: String,
        ip_address: String | null,
        user_agent: String | null,
    }

    /// `GET /api/auth/get-session`; the whole answer is `null` without a session.
    pub struct SessionAnswer {
        session: AuthSession,
        user: AuthUser,
    }

    pub struct SignOutAnswer {
        success: bool,
    }

    pub struct ChangePasswordRequest {
        current_password?: String,
        new_password?: String,
        revoke_other_sessions?: bool,
    }

    pub struct ChangePasswordAnswer {
        token: String | null,
        user: AuthUser,
    }

    pub struct RevokeSessionRequest {
        token?: String,
    }

    pub struct StatusAnswer {
        status: bool,
    }

    pub struct UpdateUserRequest {
        name?: String,
        image?: String | null,
    }

    pub struct VerifyPasswordRequest {
        password?: String,
    }

    /// `POST /api/auth/api-key/create`.
    pub struct CreateApiKeyRequest {
        name?: String,
        prefix?: String,
        /// Units: seconds.
        expires_in?: f64 | null,
    }

    pub struct UpdateApiKeyRequest {
        key_id?: String,
        name?: String,
        enabled?: bool,
    }

    pub struct DeleteApiKeyRequest {
        key_id?: String,
    }

    /// A key as lists show it: never the key itself.
    pub struct ApiKeyRow {
        id: String,
        name: String | null,
        /// The first characters, to tell keys apart.
        start: String | null,
        prefix: String | null,
        user_id: UserId,
        enabled: bool,
        expires_at: String | null,
        created_at: String,
        updated_at: String,
        last_request: String | null,
        request_count: u64,
        remaining: u64 | null,
        rate_limit_enabled: bool = default,
        rate_limit_time_window: u64 | null,
        rate_limit_max: u64 | null,
    }

    /// A fresh key: in clear, once.
    pub struct CreatedApiKey {
        key: String,
        id: String,
        name: String | null,
        start: String | null,
        prefix: String | null,
        user_id: UserId,
        enabled: bool,
        expires_at: String | null,
        created_at: String,
        updated_at: String,
        last_request: String | null,
        request_count: u64,
        remaining: u64 | null,
        rate_limit_enabled: bool = default,
        rate_limit_time_window: u64 | null,
        rate_limit_max: u64 | null,
    }

    // --- linking a machine

    /// `POST /api/setup-claim`.
    pub struct SetupClaimRequest {
        relay_url?: String,
        label?: String,
    }

    pub struct SetupClaim {
        token: String,
        expires_at: String,
    }

    /// `GET /api/setup-claim/:token`.
    pub struct SetupClaimPoll {
        status: ClaimStatus,
        relay_url: String,
        /// Exactly once.
        api_key?: String,
        label?: String,
    }

    /// `GET /api/setup-claim-info/:token`.
    pub struct SetupClaimInfo {
        status: ClaimStatus,
        label?: String,
    }

    // --- sessions

    /// A session that is kept, live or not.
    pub struct PersistedSession {
        session_id: SessionId,
        cwd: String,
        share_url: String,
        started_at: String,
        last_active_at: String,
        ended_at: String | null,
        is_ephemeral: bool,
        expires_at: String | null,
        is_pinned: bool,
        runner_id: RunnerId | null,
        runner_name: String | null,
        session_name: String | null,
    }

    /// `GET /api/sessions`.
    pub struct SessionList {
        sessions: [SessionInfo],
        persisted_sessions: [PersistedSession],
        next_cursor: String | null,
    }

    pub struct PinnedSessions {
        pinned_sessions: Vec<PersistedSession>,
    }

    pub struct PinAnswer {
        ok: bool,
        is_pinned: bool,
    }

    /// `GET /api/sessions/:id`.
    pub struct SessionDetail {
        live: SessionInfo | null,
        persisted: PersistedSession | null,
        presence: SessionPresence,
        lights?: Lights,
    }

    pub struct SetModelRequest {
        provider?: String,
        model_id?: String,
    }

    pub struct SetModelAnswer {
        ok: bool,
        provider: String,
        model_id: String,
        /// What the session itself said, when it did in time.
        state?: CommandState,
    }

    pub struct SetThinkingRequest {
        level?: String,
    }

    pub struct SetThinkingAnswer {
        ok: bool,
        level: String,
    }

    pub struct RenameSessionRequest {
        name?: String | null,
    }

    /// `POST /api/sessions/:id/input`.
    pub struct SessionInputRequest {
        text?: String,
        deliver_as?: DeliverAs,
        command_id?: CommandId,
    }

    pub struct SessionInputAnswer {
        ok: bool,
        command_id: CommandId,
        state: CommandState,
    }

    /// `POST /api/sessions/:id/trigger`.
    pub struct FireTriggerRequest {
        #[serde(rename = "type")]
        kind?: String,
        payload?: JsonObject,
        deliver_as?: DeliverAs,
        expects_response?: bool,
        source?: String,
        summary?: String,
        /// Resume the session when it is offline.
        wake_session?: bool,
        /// Accept now, deliver when possible.
        queue?: bool,
        event_id?: String,
    }

    pub struct FireTriggerAnswer {
        ok: bool,
        trigger_id: TriggerId,
        spawned_session_id?: SessionId,
        state?: crate::trigger::TriggerState,
    }

    /// A refusal that may turn into success: the session is being resumed.
    pub struct WakingBody {
        error: String,
        waking?: bool,
    }

    pub struct TriggerHistory {
        triggers: Vec<TriggerHistoryEntry>,
    }

    pub struct TriggerDefs {
        trigger_defs: Vec<ServiceTriggerDef>,
    }

    pub struct SigilDefs {
        sigil_defs: Vec<crate::service::ServiceSigilDef>,
    }

    pub struct TriggerSubscriptions {
        subscriptions: Vec<TriggerSubscription>,
    }

    pub struct SubscribeRequest {
        trigger_type?: String,
        params?: JsonObject,
        filters?: Vec<TriggerFilter>,
        filter_mode?: FilterMode,
    }

    pub struct SubscribeAnswer {
        ok: bool,
        subscription_id?: String,
        trigger_type: String,
        runner_id: RunnerId,
        params?: JsonObject,
        filters?: Vec<TriggerFilter>,
        filter_mode?: FilterMode,
    }

    pub struct UnsubscribeAnswer {
        ok: bool,
        subscription_id?: String,
        trigger_type: String,
        removed: u64,
    }

    // --- runners

    pub struct RunnerList {
        runners: [RunnerInfo],
    }

    /// `POST /api/runners/spawn`.
    #[derive(Default)]
    pub struct SpawnRequest {
        runner_id?: RunnerId,
        cwd?: String,
        prompt?: String,
        image_urls?: [String],
        model?: ModelInfo,
        agent?: SpawnAgent,
        parent_session_id?: SessionId,
        resume_path?: String,
        resume_id?: SessionId,
        /// `registered`: answer when the session can be used.
        wait?: String,
        auto_close?: bool,
    }

    pub struct SpawnResponse {
        ok: bool,
        runner_id: RunnerId,
        session_id: SessionId,
        /// Nothing was heard in time; it may still come.
        pending: bool = default,
    }

    /// `GET /api/spawns/:sessionId`.
    pub struct SpawnStatus {
        spawn_id: SessionId,
        session_id: SessionId,
        runner_id: RunnerId | null,
        state: SpawnState,
        message?: String,
        at: UnixMs,
    }

    pub struct RunnerRef {
        runner_id?: RunnerId,
    }

    /// `POST /api/runners/terminal`.
    pub struct CreateTerminalRequest {
        runner_id?: RunnerId,
        cwd?: String,
        cols?: f64,
        rows?: f64,
    }

    pub struct CreateTerminalAnswer {
        ok: bool,
        terminal_id: TerminalId,
        runner_id: RunnerId,
    }

    pub struct TerminalSummary {
        terminal_id: TerminalId,
        runner_id: RunnerId,
        cwd: String | null,
        spawned: bool,
        exited: bool,
        viewers: u32,
    }

    pub struct TerminalSummaries {
        terminals: Vec<TerminalSummary>,
    }

    pub struct RunnerModels {
        models: [Model],
    }

    pub struct RecentFolders {
        folders: Vec<String>,
    }

    pub struct FolderRequest {
        path?: String,
    }

    pub struct BrowseAnswer {
        directories: Vec<DirectoryEntry>,
    }

    pub struct RunnerSkills {
        ok?: bool,
        skills: [RunnerSkill],
    }

    pub struct RunnerAgents {
        ok?: bool,
        agents: [RunnerAgent],
    }

    pub struct RunnerPlugins {
        ok?: bool,
        plugins: [RunnerPlugin],
    }

    /// A skill or an agent with its text.
    pub struct NamedContent {
        name: String,
        content: String,
    }

    pub struct WriteContentRequest {
        name?: String,
        content?: String,
    }

    /// How many live sessions took over a change.
    pub struct ReloadAnswer {
        ok: bool,
        reloaded: u64,
        failed: u64,
        session_ids: Vec<SessionId>,
        failed_session_ids: Vec<SessionId>,
    }

    pub struct EnableServiceRequest {
        enabled?: bool,
    }

    pub struct EnableServiceAnswer {
        ok: bool,
        service_id: String,
        enabled: bool,
        disabled_service_ids: Vec<String>,
    }

    /// Starts a session whenever something happens on a runner.
    pub struct TriggerListener {
        listener_id: String,
        trigger_type: String,
        prompt?: String,
        cwd?: String,
        model?: ModelInfo,
        params?: JsonObject,
        auto_close?: bool,
        created_at: String,
    }

    pub struct TriggerListeners {
        listeners: Vec<TriggerListener>,
    }

    pub struct RunnerTriggers {
        trigger_defs: Vec<ServiceTriggerDef>,
        listeners: Vec<TriggerListener>,
    }

    #[derive(Default)]
    pub struct ListenerRequest {
        trigger_type?: String,
        prompt?: String,
        cwd?: String,
        model?: ModelInfo,
        params?: JsonObject,
        auto_close?: bool,
    }

    pub struct ListenerAnswer {
        ok: bool,
        listener_id?: String,
        trigger_type: String,
        removed?: u64,
    }

    /// `POST /api/runners/:id/trigger-broadcast`.
    pub struct BroadcastRequest {
        #[serde(rename = "type")]
        kind?: String,
        payload?: JsonObject,
        deliver_as?: DeliverAs,
        source?: String,
        summary?: String,
        expects_response?: bool,
    }

    pub struct BroadcastAnswer {
        ok: bool,
        delivered: u64,
        /// Accepted, not yet started.
        spawned: u64,
        trigger_id: TriggerId,
    }

    pub struct ListFilesRequest {
        path?: String,
    }

    pub struct SearchFilesRequest {
        cwd?: String,
        query?: String,
        limit?: u32,
    }

    pub struct ReadFileRequest {
        path?: String,
        encoding?: crate::runner::FileEncoding,
        reject_truncated?: bool,
    }

    pub struct SettingsSectionRequest {
        section?: String,
        value?: RawJson | null,
    }

    pub struct LoginStartRequest {
        provider_id?: String,
        auth_type?: crate::runner::AuthType,
    }

    pub struct LoginSubmitRequest {
        login_id?: String,
        value?: String,
    }

    pub struct LoginCancelRequest {
        login_id?: String,
    }

    // --- attachments, tunnels, push, settings

    pub struct UploadedAttachments {
        attachments: Vec<UploadedAttachment>,
    }

    pub struct UploadedAttachment {
        attachment_id: String,
        filename: String,
        mime_type: String,
        size: u64,
        expires_at: String,
    }

    pub struct SignedToken {
        token: String,
        expires_at: String,
    }

    pub struct TunnelTokenRequest {
        session_id?: SessionId,
        runner_id?: RunnerId,
        port?: f64,
    }

    pub struct TunnelToken {
        token: String,
        expires_at: String,
        url: String,
        host_url?: String,
    }

    pub struct VapidKey {
        public_key: String,
    }

    pub struct PushSubscribeRequest {
        endpoint?: String,
        keys?: PushKeys,
        enabled_events?: String,
    }

    pub struct PushKeys {
        p256dh: String,
        auth: String,
    }

    pub struct PushSubscribed {
        ok: bool,
        id: String,
    }

    pub struct PushEndpointRequest {
        endpoint?: String,
        /// `*`, or a list with commas.
        enabled_events?: String,
        suppress?: bool,
    }

    pub struct PushSubscription {
        id: String,
        endpoint: String,
        created_at: String,
        enabled_events: String,
        suppress_child_notifications: bool,
    }

    pub struct PushSubscriptions {
        subscriptions: Vec<PushSubscription>,
    }

    /// `POST /api/push/answer`.
    pub struct PushAnswerRequest {
        session_id?: SessionId,
        text?: String,
        tool_call_id?: String,
    }

    pub struct HiddenModels {
        hidden_models?: Vec<String>,
    }

    pub struct HiddenModelsAnswer {
        ok: bool,
        hidden_models: Vec<String>,
    }

    pub struct SubagentModel {
        model?: String | null,
    }
}

words! {
    pub enum HealthStatus {
        Ok = "ok",
        Degraded = "degraded",
    }

    /// Where linking a machine stands.
    pub enum ClaimStatus {
        Pending = "pending",
        Approved = "approved",
        Redeemed = "redeemed",
        Expired = "expired",
    }
}

impl ErrorBody {
    pub fn new(error: impl Into<String>) -> Self {
        Self { error: error.into(), code: None, request_id: None, details: None }
    }

    pub fn with_code(code: ErrorCode, error: impl Into<String>) -> Self {
        Self { code: Some(code), ..Self::new(error) }
    }
}

/// What a spawned session may be given as `agent.name`: words of letters, digits, `_` and `-`, joined by single dots.
pub fn is_agent_name(name: &str) -> bool {
    /// Longer names are refused.
    const MAX: usize = 64;
    let word = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
    };
    name.len() <= MAX && name.split('.').all(word)
}

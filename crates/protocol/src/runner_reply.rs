//! Members of `file_result` by request, and payloads of the built-in services.

use crate::events::RawJson;
use crate::json::{tagged, wire, words};
use crate::runner::AuthType;
use crate::runner_info::TunnelInfo;

wire! {
    /// `list_files`: folders first, names without regard to case.
    pub struct FileListing {
        files: Vec<FileEntry>,
    }

    pub struct FileEntry {
        name: String,
        path: String,
        is_directory: bool,
        is_symlink: bool,
        size?: u64,
        /// Only in the answer to a search.
        relative_path?: String,
    }

    /// `browse_directory`.
    pub struct DirectoryListing {
        directories: Vec<DirectoryEntry>,
    }

    pub struct DirectoryEntry {
        name: String,
        path: String,
    }

    /// `read_file`.
    pub struct FileContent {
        /// Absent when the file was too large and a part of it was not wanted.
        content?: String,
        encoding?: crate::runner::FileEncoding,
        /// Of the whole file. Units: bytes.
        size: u64,
        truncated: bool,
    }

    /// `sandbox_get_status`.
    pub struct SandboxStatus {
        mode: SandboxMode,
        active: bool,
        configured?: bool,
        platform: String,
        violations: u64,
        recent_violations: Vec<SandboxViolation>,
        config: RawJson,
        raw_config?: RawJson,
    }

    pub struct SandboxViolation {
        timestamp: String,
        operation: String,
        target: String,
        reason: String,
    }

    pub struct SandboxSaved {
        saved: bool,
        resolved_config: RawJson,
        message: String,
    }

    /// `settings_get_config`.
    pub struct SettingsConfig {
        /// Secrets are masked.
        config: RawJson,
        tui_settings: RawJson,
        agents_md: String,
    }

    /// `settings_update_section`.
    pub struct SettingsSaved {
        saved: bool,
        message: String,
        config?: RawJson,
        /// Running sessions keep the old values until their MCP servers are loaded again.
        reload_hint?: bool,
    }

    /// `auth_list`.
    pub struct ProviderList {
        providers: Vec<LoginProvider>,
    }

    pub struct LoginProvider {
        id: String,
        name: String,
        types: Vec<AuthType>,
        configured: bool,
    }

    /// `auth_login_start`, `auth_login_submit`, `auth_login_status`.
    pub struct LoginReply {
        step: LoginStep,
    }

    pub struct LoginPromptStep {
        login_id: String,
        prompt: LoginPrompt,
        auth_url?: String,
        info?: Vec<String>,
    }

    pub struct LoginPrompt {
        #[serde(rename = "type")]
        kind: String,
        message: String,
        placeholder?: String,
        options?: Vec<LoginOption>,
    }

    pub struct LoginOption {
        id: String,
        label: String,
    }

    pub struct LoginDone {
        provider_id: String,
    }

    pub struct LoginFailed {
        message: String,
    }

    #[derive(Default)]
    pub struct LoginWaiting {
        login_id?: String,
    }
}

tagged! {
    /// Where a login to a provider stands.
    pub enum LoginStep by "state" {
        /// Something is asked.
        Prompt = "prompt" (LoginPromptStep),
        Waiting = "waiting" (LoginWaiting),
        Done = "done" (LoginDone),
        Error = "error" (LoginFailed),
    }
}

words! {
    /// How much a session may touch.
    pub enum SandboxMode {
        None = "none",
        Basic = "basic",
        Full = "full",
    }

    /// Sections of the settings that can be written from afar.
    pub enum SettingsSection {
        Models = "models",
        McpServers = "mcpServers",
        Mcp = "mcp",
        Hooks = "hooks",
        Sandbox = "sandbox",
        WebSearch = "webSearch",
        ProviderOverrides = "providerOverrides",
        ToolSearch = "toolSearch",
        Security = "security",
        EnvVars = "envVars",
        SystemPrompt = "systemPrompt",
        TuiPreferences = "tuiPreferences",
        AgentsMd = "agentsMd",
        Goal = "goal",
    }
}

wire! {
    /// Service `tunnel`: `tunnel_list_result`.
    pub struct TunnelList {
        tunnels: Vec<TunnelInfo>,
    }

    /// Failure of any built-in service: `tunnel_error`, `process_error`, `memory_error`.
    pub struct ServiceFailure {
        error: String,
    }

    /// Service `process`: `process_list_result`.
    pub struct ProcessList {
        worker_pid: u32 | null,
        processes: Vec<ProcessEntry>,
        shells?: Vec<ShellEntry>,
    }

    pub struct ProcessEntry {
        pid: u32,
        /// How long it has been running, as `ps` says it.
        etime: String,
        rss_kb: u64,
        command: String,
    }

    /// A command that was moved to the background.
    pub struct ShellEntry {
        pid: u32,
        command: String,
        title: String,
        log_path: String,
        started_at: RawJson,
        exit_code?: i32,
        signal?: String,
        ended_at?: RawJson,
        running: bool,
    }

    /// Service `process`: `process_tail_result`.
    pub struct ProcessTail {
        pid: u32,
        text: String,
    }

    /// Service `memory`: `memory_list_result`.
    pub struct MemoryList {
        dir: String,
        files: Vec<MemoryFile>,
        index: String,
    }

    pub struct MemoryFile {
        file: String,
        bytes: u64,
        lines: u64,
    }

    pub struct MemoryContent {
        file: String,
        content: String,
    }

    pub struct MemorySaved {
        file: String,
        saved: bool,
    }

    /// Service `git`: a failure. Its success replies carry `ok: true` and the members below.
    pub struct GitFailure {
        ok: bool,
        message: String,
        reason?: String,
        retryable?: bool,
        no_upstream?: bool,
        merge_branches?: Vec<String>,
    }

    /// Service `git`: `git_status_result`.
    pub struct GitStatus {
        cwd: String,
        branch: String,
        repo_root: String,
        changes: Vec<GitChange>,
        ahead: u64,
        behind: u64,
        has_upstream: bool,
        diff_staged: String,
    }

    pub struct GitChange {
        /// Two letters: the index, the work tree.
        status: String,
        path: String,
        original_path?: String,
    }

    pub struct GitBranch {
        name: String,
        short_hash: String,
        last_commit: String,
        is_current: bool,
        is_remote: bool,
    }

    pub struct GitWorktree {
        path: String,
        display_path: String,
        branch: String,
        short_hash: String,
        is_detached: bool,
        is_main: bool,
        change_count: u64,
        ahead: u64,
        behind: u64,
    }

    /// Service `git`: `git_full_status_result`.
    pub struct GitFullStatus {
        status: GitStatus,
        current_branch: String,
        branches: Vec<GitBranch>,
        worktrees: Vec<GitWorktree>,
    }

    pub struct GitLogEntry {
        hash: String,
        short_hash: String,
        author: String,
        author_date: String,
        commit_date: String,
        subject: String,
        body: String,
        refs: Vec<String>,
        parents: Vec<String>,
    }

    pub struct GitStash {
        index: u64,
        #[serde(rename = "ref")]
        reference: String,
        message: String,
        short_hash: String,
        date: String,
    }

    pub struct GitBlameLine {
        hash: String,
        author: String,
        author_date: String,
        summary: String,
        final_line: u64,
        source_line: u64,
    }

    /// Service `git`: `git_repo_changed`, pushed.
    pub struct GitRepoChanged {
        cwd: String,
        version: u64,
    }
}

//! Runners and what lies on their disks.

use crate::ids::{RunnerId, SessionId};
use crate::json::{wire, words};
use crate::service::{ServiceModeDef, ServicePanelInfo, ServiceSigilDef, ServiceTriggerDef};

wire! {
    /// A machine that can start sessions.
    pub struct RunnerInfo {
        runner_id: RunnerId,
        #[serde(deserialize_with = "crate::json::lenient")]
        name: String | null,
        /// Folders sessions may work in. Empty: all.
        roots: [String],
        session_count: u32 = default,
        skills: [RunnerSkill],
        agents: [RunnerAgent],
        plugins?: [RunnerPlugin],
        hooks?: [RunnerHook],
        /// Of the daemon.
        #[serde(deserialize_with = "crate::json::lenient")]
        version: String | null,
        /// Such as `linux`, `darwin`, `win32`.
        platform?: String | null,
        service_ids?: [String],
        disabled_service_ids?: [String],
        panels?: [ServicePanelInfo],
        trigger_defs?: [ServiceTriggerDef],
        sigil_defs?: [ServiceSigilDef],
        session_modes?: [ServiceModeDef],
        /// Newest last.
        warnings?: [String],
        status?: RunnerStatus,
        last_seen_at?: String,
    }

    pub struct RunnerSkill {
        name: String,
        description: String = default,
        file_path: String = default,
    }

    pub struct RunnerAgent {
        name: String,
        description: String = default,
        file_path: String = default,
    }

    pub struct RunnerHook {
        /// Such as `PreToolUse`.
        #[serde(rename = "type")]
        kind: String,
        /// Base names.
        scripts: Vec<String>,
    }

    pub struct RunnerPlugin {
        name: String,
        description: String,
        root_path: String,
        commands: [PluginCommand],
        hook_events: [String],
        skills: [PluginSkill],
        agents?: [PluginPart],
        rules?: [PluginPart],
        has_mcp: bool = default,
        has_agents: bool = default,
        has_lsp: bool = default,
        version?: String,
        author?: String,
    }

    pub struct PluginCommand {
        name: String,
        description?: String,
        argument_hint?: String,
    }

    pub struct PluginSkill {
        name: String,
        dir_path: String,
    }

    pub struct PluginPart {
        name: String,
    }

    /// A session a runner may still have a process for.
    pub struct ExistingSession {
        session_id: SessionId,
        cwd: String = default,
        session_file?: String,
    }

    pub struct TunnelInfo {
        port: u16,
        name?: String,
        /// A path such as `/tunnel/3000`; the reachable address is built by the client.
        url: String,
        /// Made by the daemon itself; lists hide it.
        pinned?: bool,
    }
}

words! {
    /// Is the daemon there?
    pub enum RunnerStatus {
        Online = "online",
        /// Away for a moment.
        Reconnecting = "reconnecting",
        Offline = "offline",
    }
}

/// Roots as they are compared: trimmed, `/` between folders, none at the end, blanks dropped.
pub fn normalize_roots<I: IntoIterator<Item = S>, S: AsRef<str>>(roots: I) -> Vec<String> {
    roots
        .into_iter()
        .filter_map(|root| {
            let root = root.as_ref().trim().replace('\\', "/");
            let cut = root.trim_end_matches('/');
            match (cut.is_empty(), root.is_empty()) {
                (_, true) => None,
                (true, false) => Some("/".to_owned()),
                (false, false) => Some(cut.to_owned()),
            }
        })
        .collect()
}

/// Is this a name for a skill or an agent file: lower-case letters, digits and inner hyphens?
pub fn is_skill_name(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !name.is_empty() && name.chars().all(inner) && !name.starts_with('-') && !name.ends_with('-')
}

//! How an agent is started. Everything is a value: nothing below reads the environment of the process.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pizzapi_protocol::ThinkingLevel;

use crate::tool::Tool;

/// Who can answer when the agent needs a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Host {
    /// Somebody sits in front of a terminal.
    #[default]
    Terminal,
    /// Nobody here; people answer through the relay.
    Headless,
    /// One answer to standard output; nobody can be asked.
    Print,
}

/// Which conversation to begin with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SessionStart {
    #[default]
    New,
    /// The newest of the working directory, else a new one.
    Continue,
    /// A path, an id (or its beginning), or words of a name or first message.
    Open(String),
    /// A copy of another session, named like [`Self::Open`].
    Fork(String),
    /// A conversation that is not kept.
    InMemory,
}

#[derive(Clone)]
pub struct AgentConfig {
    pub cwd: PathBuf,
    /// `~/.pizzapi`.
    pub agent_dir: PathBuf,
    pub host: Host,
    pub start: SessionStart,
    /// A model pattern, perhaps with `:level`.
    pub model: Option<String>,
    pub thinking: Option<ThinkingLevel>,
    /// The key given on the command line; belongs to the provider of `model`.
    pub api_key: Option<String>,
    /// Run every tool without asking.
    pub yolo: bool,
    /// No MCP, plugins or hooks.
    pub safe_mode: bool,
    pub mcp: bool,
    pub plugins: bool,
    pub hooks: bool,
    /// The active tools; None = all.
    pub tools: Option<Vec<String>>,
    pub exclude_tools: Vec<String>,
    pub system_prompt: Option<String>,
    pub append_system_prompt: Option<String>,
    /// Read AGENTS.md and its kin.
    pub context_files: bool,
    /// Offer skills and read templates.
    pub skills: bool,
    pub extra_skills: Vec<PathBuf>,
    /// May project files change behaviour (settings, skills, SYSTEM.md)? None = as `trust.json` says.
    pub trust_project: Option<bool>,
    pub session_name: Option<String>,
    /// `provider/id` of models nobody may choose.
    pub hidden_models: Vec<String>,
    /// Look for model servers on this machine and at hosts with a key.
    pub discover_models: bool,
    /// The environment of tools, keys and hooks.
    pub env: BTreeMap<String, String>,
    /// The id the relay knows this session by, for tools' environment. None outside a relay.
    pub relay_session_id: Option<String>,
    /// Tools of the host, such as those that talk to other sessions.
    pub extra_tools: Vec<Arc<dyn Tool>>,
    /// More text for the system prompt, by the host.
    pub host_prompt: Option<String>,
}

impl AgentConfig {
    /// Defaults for `cwd` and `agent_dir`, with a copy of the process's environment.
    pub fn new(cwd: impl Into<PathBuf>, agent_dir: impl Into<PathBuf>) -> Self {
        Self::with_env(cwd, agent_dir, std::env::vars().collect())
    }

    pub fn with_env(cwd: impl Into<PathBuf>, agent_dir: impl Into<PathBuf>, env: BTreeMap<String, String>) -> Self {
        Self {
            cwd: cwd.into(),
            agent_dir: agent_dir.into(),
            host: Host::default(),
            start: SessionStart::default(),
            model: None,
            thinking: None,
            api_key: None,
            yolo: false,
            safe_mode: false,
            mcp: true,
            plugins: true,
            hooks: true,
            tools: None,
            exclude_tools: Vec::new(),
            system_prompt: None,
            append_system_prompt: None,
            context_files: true,
            skills: true,
            extra_skills: Vec::new(),
            trust_project: None,
            session_name: None,
            hidden_models: Vec::new(),
            discover_models: true,
            env,
            relay_session_id: None,
            extra_tools: Vec::new(),
            host_prompt: None,
        }
    }

    pub fn sessions_dir(&self) -> PathBuf {
        self.agent_dir.join("sessions")
    }

    /// The user's home, for `~` and the places other programs use.
    pub fn home(&self) -> Option<&Path> {
        self.env.get("HOME").or_else(|| self.env.get("USERPROFILE")).map(Path::new)
    }
}

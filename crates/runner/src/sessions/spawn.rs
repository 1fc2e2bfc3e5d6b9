//! Starting one session: checks, variables, process group, log file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::{Child, Command};

use super::{PRIVATE_VARIABLES, Record, Records};
use crate::workspace::Workspace;

/// Pictures that may come with the first prompt.
pub const MAX_IMAGES: usize = 8;

/// What the relay asks for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SpawnRequest {
    pub session_id: String,
    pub cwd: Option<PathBuf>,
    pub prompt: Option<String>,
    pub image_urls: Vec<String>,
    /// Provider and model id.
    pub model: Option<(String, String)>,
    pub hidden_models: Vec<String>,
    pub agent: Option<AgentRole>,
    pub parent_session_id: Option<String>,
    pub resume_path: Option<PathBuf>,
    pub resume_id: Option<String>,
    pub auto_close: bool,
}

/// A named agent definition: its prompt and what it may use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AgentRole {
    pub name: String,
    pub system_prompt: Option<String>,
    pub tools: Option<String>,
    pub disallowed_tools: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    #[error("Missing sessionId")]
    MissingId,
    #[error("session {0} is already running")]
    Running(String),
    #[error("too many sessions on this machine (at most {})", super::MAX_SESSIONS)]
    TooMany,
    #[error("cwd outside allowed roots: {}", .0.display())]
    Forbidden(PathBuf),
    #[error("`{}` is not a folder on this machine", .0.display())]
    NotAFolder(PathBuf),
    #[error("Agent \"{0}\" not found on this runner")]
    UnknownAgent(String),
    #[error("failed to start a session in `{}`: {source}", cwd.display())]
    Process { cwd: PathBuf, source: std::io::Error },
}

/// How sessions are started on this machine.
#[derive(Debug, Clone)]
pub struct Spawner {
    /// Program and first arguments: normally this executable and `_worker`.
    pub command: Vec<String>,
    pub workspace: Workspace,
    pub home: PathBuf,
    /// Where a session starts when the relay names no folder.
    pub default_cwd: PathBuf,
    pub relay_url: String,
    pub api_key: String,
    /// Variables from the configuration; only `PIZZAPI_*` ones count.
    pub overrides: BTreeMap<String, String>,
}

impl Spawner {
    /// Check the folder and start the process in its own process group, its output in a log file.
    pub fn spawn(&self, request: &SpawnRequest, records: &Records) -> Result<(Child, Record), SpawnError> {
        let cwd = self.folder(request.cwd.as_deref())?;
        let failed = |source| SpawnError::Process { cwd: cwd.clone(), source };
        let (program, arguments) = self.command.split_first().expect("a spawner has a command");
        let log = self.log_file(&request.session_id).map_err(failed)?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(&cwd)
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(failed)?)
            .stderr(log)
            .process_group(0)
            .kill_on_drop(false);
        for name in PRIVATE_VARIABLES {
            command.env_remove(name);
        }
        for (name, value) in &self.overrides {
            if name.starts_with("PIZZAPI_") && !PRIVATE_VARIABLES.contains(&name.as_str()) {
                command.env(name, value);
            }
        }
        for (name, value) in self.variables(request, &cwd, records) {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let child = command.spawn().map_err(failed)?;
        let pid = child.id().unwrap_or_default();
        Ok((child, Record::new(&request.session_id, pid, &cwd, request.parent_session_id.clone())))
    }

    fn folder(&self, asked: Option<&Path>) -> Result<PathBuf, SpawnError> {
        let cwd = asked.filter(|path| !path.as_os_str().is_empty()).unwrap_or(&self.default_cwd);
        let cwd = match cwd.strip_prefix("~") {
            Ok(rest) => self.default_cwd.join(rest),
            Err(_) => cwd.to_owned(),
        };
        if !self.workspace.allows(&cwd) {
            return Err(SpawnError::Forbidden(cwd));
        }
        if !cwd.is_dir() {
            return Err(SpawnError::NotAFolder(cwd));
        }
        Ok(cwd)
    }

    fn log_file(&self, id: &str) -> std::io::Result<std::fs::File> {
        let folder = self.home.join("logs");
        std::fs::create_dir_all(&folder)?;
        let mut options = std::fs::OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let id: String = id.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(64).collect();
        options.open(folder.join(format!("session-{id}.log")))
    }

    /// The last word on the session's variables. `None` removes one that the daemon itself may have.
    fn variables(&self, request: &SpawnRequest, cwd: &Path, records: &Records) -> Vec<(&'static str, Option<String>)> {
        let json = |list: &Vec<String>| serde_json::to_string(list).expect("strings serialise");
        let agent = request.agent.as_ref();
        let path = |path: &Path| path.to_string_lossy().into_owned();
        vec![
            ("PIZZAPI_RELAY_URL", Some(self.relay_url.clone())),
            ("PIZZAPI_API_KEY", Some(self.api_key.clone())),
            ("PIZZAPI_HOME", Some(path(&self.home))),
            ("PIZZAPI_SESSION_ID", Some(request.session_id.clone())),
            ("PIZZAPI_SESSION_STATE_FILE", Some(path(&records.statement_path(&request.session_id)))),
            ("PIZZAPI_WORKER_CWD", Some(path(cwd))),
            ("PIZZAPI_WORKER_INITIAL_PROMPT", request.prompt.clone().filter(|prompt| !prompt.is_empty())),
            (
                "PIZZAPI_WORKER_INITIAL_IMAGE_URLS",
                (!request.image_urls.is_empty())
                    .then(|| json(&request.image_urls.iter().take(MAX_IMAGES).cloned().collect())),
            ),
            ("PIZZAPI_WORKER_INITIAL_MODEL_PROVIDER", request.model.as_ref().map(|(provider, _)| provider.clone())),
            ("PIZZAPI_WORKER_INITIAL_MODEL_ID", request.model.as_ref().map(|(_, id)| id.clone())),
            ("PIZZAPI_HIDDEN_MODELS", (!request.hidden_models.is_empty()).then(|| json(&request.hidden_models))),
            ("PIZZAPI_WORKER_PARENT_SESSION_ID", request.parent_session_id.clone()),
            ("PIZZAPI_WORKER_AGENT_NAME", agent.map(|agent| agent.name.clone())),
            ("PIZZAPI_WORKER_AGENT_SYSTEM_PROMPT", agent.and_then(|agent| agent.system_prompt.clone())),
            ("PIZZAPI_WORKER_AGENT_TOOLS", agent.and_then(|agent| agent.tools.clone())),
            ("PIZZAPI_WORKER_AGENT_DISALLOWED_TOOLS", agent.and_then(|agent| agent.disallowed_tools.clone())),
            ("PIZZAPI_WORKER_RESUME_PATH", request.resume_path.as_deref().map(path)),
            ("PIZZAPI_WORKER_AUTO_CLOSE", request.auto_close.then(|| "true".to_owned())),
        ]
    }
}

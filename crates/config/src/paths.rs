//! The home directory and what lies in it: the only place where its file names are spelled.

use std::path::{Path, PathBuf};

use crate::env::Vars;

/// No home directory could be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no home directory found; set PIZZAPI_HOME to a folder this user can write")]
pub struct NoHome;

/// `~/.pizzapi`: configuration, credentials, sessions.
///
/// What belongs to the agent may lie elsewhere (`agentDir`); such paths are methods of [`AgentDir`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    root: PathBuf,
    user: PathBuf,
}

impl Home {
    /// `PIZZAPI_HOME`, else `.pizzapi` in the user's own directory.
    pub fn locate(vars: &Vars) -> Result<Self, NoHome> {
        Self::from_user(vars, dirs::home_dir())
    }

    /// [`Self::locate`] with the user's own directory given.
    pub fn from_user(vars: &Vars, user: Option<PathBuf>) -> Result<Self, NoHome> {
        let root = vars.text("PIZZAPI_HOME").map(PathBuf::from);
        match (root, user) {
            (Some(root), user) => Ok(Self { user: user.unwrap_or_else(|| root.clone()), root }),
            (None, Some(user)) => Ok(Self { root: user.join(".pizzapi"), user }),
            (None, None) => Err(NoHome),
        }
    }

    pub fn new(root: impl Into<PathBuf>, user: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), user: user.into() }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The user's own directory, which `~` stands for.
    pub fn user(&self) -> &Path {
        &self.user
    }

    pub fn config_file(&self) -> PathBuf {
        self.root.join("config.json")
    }

    pub fn runner_file(&self) -> PathBuf {
        self.root.join("runner.json")
    }

    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// Files people sent to sessions.
    pub fn session_attachments(&self) -> PathBuf {
        self.root.join("session-attachments")
    }

    /// Process groups of sessions.
    pub fn session_procs(&self) -> PathBuf {
        self.root.join("session-procs")
    }

    /// Which transcript belongs to which session of the relay.
    pub fn transcript_links(&self) -> PathBuf {
        self.root.join("session-transcript-links.json")
    }

    pub fn session_models_cache(&self) -> PathBuf {
        self.root.join("session-models-cache.json")
    }

    pub fn usage_cache(&self) -> PathBuf {
        self.root.join("usage-cache.json")
    }

    pub fn usage_db(&self) -> PathBuf {
        self.root.join("usage.db")
    }

    /// State of a relay started by `pizzapi web`.
    pub fn web(&self) -> PathBuf {
        self.root.join("web")
    }

    /// Data of a relay, unless `PIZZAPI_DATA_DIR` says otherwise.
    pub fn server(&self) -> PathBuf {
        self.root.join("server")
    }

    /// Replace a leading `~`.
    pub fn expand(&self, path: &str) -> PathBuf {
        match path.strip_prefix('~') {
            Some("") => self.user.clone(),
            Some(rest) if rest.starts_with(['/', '\\']) => self.user.join(rest.trim_start_matches(['/', '\\'])),
            _ => PathBuf::from(path),
        }
    }

    /// The other way round, for people.
    pub fn shorten(&self, path: &Path) -> String {
        match path.strip_prefix(&self.user) {
            Ok(rest) if rest.as_os_str().is_empty() => "~".to_owned(),
            Ok(rest) => format!("~{}{}", std::path::MAIN_SEPARATOR, rest.display()),
            Err(_) => path.display().to_string(),
        }
    }
}

/// The agent's own folder: [`Home`] unless `agentDir` names another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentDir(PathBuf);

impl AgentDir {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Credentials of model providers.
    pub fn auth_file(&self) -> PathBuf {
        self.0.join("auth.json")
    }

    pub fn models_file(&self) -> PathBuf {
        self.0.join("models.json")
    }

    pub fn settings_file(&self) -> PathBuf {
        self.0.join("settings.json")
    }

    pub fn trust_file(&self) -> PathBuf {
        self.0.join("trust.json")
    }

    pub fn keybindings_file(&self) -> PathBuf {
        self.0.join("keybindings.json")
    }

    /// Linking this machine, while it waits for approval.
    pub fn pairing_file(&self) -> PathBuf {
        self.0.join("pairing-pending.json")
    }

    /// Where a linked machine keeps its key.
    pub fn config_file(&self) -> PathBuf {
        self.0.join("config.json")
    }

    pub fn agents_md(&self) -> PathBuf {
        self.0.join("AGENTS.md")
    }

    pub fn system_md(&self) -> PathBuf {
        self.0.join("SYSTEM.md")
    }

    pub fn append_system_md(&self) -> PathBuf {
        self.0.join("APPEND_SYSTEM.md")
    }

    pub fn skills(&self) -> PathBuf {
        self.0.join("skills")
    }

    pub fn agents(&self) -> PathBuf {
        self.0.join("agents")
    }

    pub fn prompts(&self) -> PathBuf {
        self.0.join("prompts")
    }

    pub fn commands(&self) -> PathBuf {
        self.0.join("commands")
    }

    pub fn rules(&self) -> PathBuf {
        self.0.join("rules")
    }

    pub fn themes(&self) -> PathBuf {
        self.0.join("themes")
    }

    pub fn hooks(&self) -> PathBuf {
        self.0.join("hooks")
    }

    pub fn plugins(&self) -> PathBuf {
        self.0.join("plugins")
    }

    pub fn memory(&self) -> PathBuf {
        self.0.join("memory")
    }

    /// Tokens of MCP servers.
    pub fn mcp_auth(&self) -> PathBuf {
        self.0.join("mcp-auth")
    }

    /// All transcripts. Older ones lie directly in it, newer ones in a folder per working directory.
    pub fn sessions(&self) -> PathBuf {
        self.0.join("sessions")
    }

    /// The folder for transcripts of sessions in `cwd`.
    pub fn session_folder(&self, cwd: &Path) -> PathBuf {
        self.sessions().join(session_folder_name(cwd))
    }
}

/// `/home/ana/src` → `--home-ana-src--`.
pub fn session_folder_name(cwd: &Path) -> String {
    let text = cwd.to_string_lossy();
    let inner = text.strip_prefix(['/', '\\']).unwrap_or(&text).replace(['/', '\\', ':'], "-");
    format!("--{inner}--")
}

/// What a project keeps for itself.
pub fn project_config_file(cwd: &Path) -> PathBuf {
    cwd.join(".pizzapi").join("config.json")
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn the_variable_wins_over_the_users_directory() {
        let vars = Vars::from_iter([("PIZZAPI_HOME", "/tmp/p")]);
        assert_eq!(Home::from_user(&vars, Some("/home/ana".into())), Ok(Home::new("/tmp/p", "/home/ana")));
        let plain = Home::from_user(&Vars::default(), Some("/home/ana".into())).expect("a home");
        assert_eq!(plain.config_file(), PathBuf::from("/home/ana/.pizzapi/config.json"));
        assert_eq!(Home::from_user(&Vars::default(), None), Err(NoHome));
    }

    #[test]
    fn a_tilde_stands_for_the_users_directory_both_ways() {
        let home = Home::new("/home/ana/.pizzapi", "/home/ana");
        assert_eq!(home.expand("~/src"), PathBuf::from("/home/ana/src"));
        assert_eq!(home.expand("~bob/src"), PathBuf::from("~bob/src"));
        assert_eq!(home.shorten(Path::new("/home/ana/src")), "~/src");
        assert_eq!(home.shorten(Path::new("/home/anabel")), "/home/anabel");
    }

    #[test]
    fn transcripts_lie_in_a_folder_per_working_directory() {
        assert_eq!(session_folder_name(Path::new("/home/ana/src")), "--home-ana-src--");
        assert_eq!(session_folder_name(Path::new(r"C:\src")), "--C--src--");
    }
}

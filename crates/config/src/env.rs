//! Every environment variable PizzaPi reads or sets: one table, and a snapshot of the environment to look them up in.
//!
//! Nothing here touches the process environment: `main` takes a snapshot and passes it on.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// The environment as it was at start. Names are case-sensitive.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Vars(BTreeMap<String, String>);

impl Vars {
    /// The variable as it stands.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The variable without blanks around it; blank ones are not set.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).map(str::trim).filter(|text| !text.is_empty())
    }

    /// The first of these that is set.
    pub fn first<'a>(&'a self, names: &[&'static str]) -> Option<(&'static str, &'a str)> {
        names.iter().find_map(|name| Some((*name, self.text(name)?)))
    }

    /// Is the switch on? `1`, `true`, `yes`, `on`, whatever their case.
    pub fn flag(&self, name: &str) -> bool {
        self.switch(name) == Some(true)
    }

    /// On, off, or not said.
    pub fn switch(&self, name: &str) -> Option<bool> {
        match self.text(name)?.to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" | "on" => Some(true),
            "0" | "false" | "no" | "off" => Some(false),
            _ => None,
        }
    }

    /// The entries of a list with commas, without blanks.
    pub fn list(&self, name: &str) -> Vec<String> {
        let entries = self.text(name).unwrap_or_default().split(',').map(str::trim);
        entries.filter(|entry| !entry.is_empty()).map(str::to_owned).collect()
    }

    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }

    pub fn remove(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Vars {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(vars: I) -> Self {
        Self(vars.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

/// Names only: values may be secrets.
impl std::fmt::Debug for Vars {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Fill `X` from the file named by `X_FILE` for every `X` that ends in `_KEY`, `_TOKEN` or `_SECRET` and is not set.
/// Gives a sentence per file that could not be read.
pub fn read_secret_files(vars: &mut Vars, read: impl Fn(&Path) -> io::Result<String>) -> Vec<String> {
    let mut problems = Vec::new();
    let mut found = Vec::new();
    for (name, path) in vars.iter() {
        let Some(target) = name.strip_suffix("_FILE") else { continue };
        let secret = ["_KEY", "_TOKEN", "_SECRET"].iter().any(|end| target.ends_with(end));
        if !secret || vars.text(target).is_some() || path.trim().is_empty() {
            continue;
        }
        match read(Path::new(path.trim())) {
            Ok(text) => found.push((target.to_owned(), text.trim().to_owned())),
            Err(error) => problems.push(format!("failed to read `{path}` named by {name}: {error}")),
        }
    }
    for (name, value) in found {
        vars.set(name, value);
    }
    problems
}

/// Whom a variable is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    Everyone,
    Connection,
    Session,
    /// Set by the runner for the sessions it starts.
    Worker,
    Server,
    ServerLimits,
    Push,
    Tests,
}

impl Group {
    const ALL: [Self; 8] = [
        Self::Everyone,
        Self::Connection,
        Self::Session,
        Self::Worker,
        Self::Server,
        Self::ServerLimits,
        Self::Push,
        Self::Tests,
    ];

    const fn title(self) -> &'static str {
        match self {
            Self::Everyone => "Everywhere",
            Self::Connection => "Connecting to a relay",
            Self::Session => "Sessions",
            Self::Worker => "Set by the runner for its sessions",
            Self::Server => "Relay",
            Self::ServerLimits => "Relay: times and limits",
            Self::Push => "Relay: notifications",
            Self::Tests => "Building and testing",
        }
    }
}

/// One variable.
#[derive(Debug, Clone, Copy)]
pub struct Variable {
    pub name: &'static str,
    pub group: Group,
    /// What holds when it is not set; empty when nothing does.
    pub default: &'static str,
    /// One or two sentences.
    pub docs: &'static str,
    pub secret: bool,
}

macro_rules! variables {
    ($($group:ident { $($name:ident $([$secret:ident])? = $default:literal, $docs:literal;)* })*) => {
        /// All of them, by group.
        pub const VARIABLES: &[Variable] = &[$($(
            Variable {
                name: stringify!($name),
                group: Group::$group,
                default: $default,
                docs: $docs,
                secret: variables!(@secret $($secret)?),
            },
        )*)*];
    };
    (@secret) => { false };
    (@secret secret) => { true };
}

variables! {
    Everyone {
        PIZZAPI_HOME = "~/.pizzapi", "Folder of configuration, credentials and sessions.";
        PIZZAPI_LOG = "info", "Log level, or one per module: `info,pizzapi_server=debug`.";
        PIZZAPI_LOG_FORMAT = "text", "`text` or `json`.";
        NO_COLOR = "", "Any value: no colours.";
        DEBUG = "", "Any value: as `PIZZAPI_LOG=debug`.";
    }
    Connection {
        PIZZAPI_RELAY_URL = "ws://localhost:7492", "Address of the relay; `off` for none.";
        PIZZAPI_SOCKETIO_URL = "", "Address for Socket.IO when it differs from the relay's.";
        PIZZAPI_API_KEY [secret] = "", "API key of sessions and of the runner.";
        PIZZAPI_API_TOKEN [secret] = "", "Older name of `PIZZAPI_API_KEY`.";
        PIZZAPI_RUNNER_API_KEY [secret] = "", "API key of the runner only.";
        PIZZAPI_RUNNER_TOKEN [secret] = "", "Older credential of the runner.";
        PIZZAPI_RUNNER_NAME = "the host name", "Name of this machine in the list of runners.";
        PIZZAPI_RUNNER_STATE_PATH = "~/.pizzapi/runner.json", "Identity and lock of the runner.";
        PIZZAPI_WORKSPACE_ROOTS = "", "Folders sessions may work in, with commas. None: all.";
        PIZZAPI_WORKSPACE_ROOT = "", "One such folder.";
        PIZZAPI_RUNNER_ROOTS = "", "Older name of `PIZZAPI_WORKSPACE_ROOTS`.";
        PIZZAPI_PAIRING = "1", "`0`: do not offer to link this machine when it has no key.";
        PIZZAPI_DISABLED_RUNNER_SERVICES = "", "Services the runner does not start, with commas.";
        PIZZAPI_AUTH_FILE = "", "Copied to `auth.json` when the runner starts and there is none.";
    }
    Session {
        PIZZAPI_NO_RELAY = "", "`1`: no relay.";
        PIZZAPI_NO_MCP = "", "`1`: no MCP servers.";
        PIZZAPI_NO_PLUGINS = "", "`1`: no plugins.";
        PIZZAPI_NO_HOOKS = "", "`1`: no hooks.";
        PIZZAPI_NO_SANDBOX = "", "`1`: no sandbox.";
        PIZZAPI_SANDBOX = "basic", "`none`, `basic` or `full`; also `off`, `audit`, `enforce`.";
        PIZZAPI_SANDBOX_ACTIVE = "", "Set for commands: `1` when they run in a sandbox.";
        PIZZAPI_SANDBOX_MODE = "", "Set for commands: which one.";
        PIZZAPI_ALLOW_PROJECT_HOOKS = "", "`1`: hooks of projects may run.";
        PIZZAPI_ALLOW_PROJECT_MCP = "", "`1`: MCP servers of projects may start.";
        PIZZAPI_BASH_BACKGROUND_SECONDS = "120", "A shell command that runs longer moves to the background; `0`: at once.";
        PIZZAPI_WEB_SEARCH = "", "`1`: let Anthropic models search the web.";
        PIZZAPI_WEB_SEARCH_MAX_USES = "5", "Searches per answer.";
        PIZZAPI_WEB_SEARCH_ALLOWED_DOMAINS = "", "Only these, with commas.";
        PIZZAPI_WEB_SEARCH_BLOCKED_DOMAINS = "", "Not these, with commas.";
        PIZZAPI_OLLAMA_WEB_SEARCH = "", "`1`: let Ollama models search the web.";
        PIZZAPI_OLLAMA_WEB_SEARCH_MAX_RESULTS = "5", "Results per search.";
        PIZZAPI_OLLAMA_WEB_FETCH_MAX_CONTENT_CHARS = "8000", "Characters kept of a fetched page.";
        PIZZAPI_OLLAMA_WEB_FETCH_MAX_LINKS = "100", "Links kept of a fetched page.";
        PIZZAPI_LOG_PROVIDER_REQUEST = "", "`1`: log what is sent to model providers. Contains prompts.";
        PIZZAPI_CHANGELOG_PATH = "", "The file `/changelog` shows.";
        PIZZAPI_SESSION_ATTACHMENTS_DIR = "~/.pizzapi/session-attachments", "Where files people send are kept.";
        PIZZAPI_MCP_AUTH_DIR = "~/.pizzapi/mcp-auth", "Where tokens of MCP servers are kept.";
        PIZZAPI_SUBAGENT_MODEL = "", "`provider/id` of the model for sub-agents.";
        PIZZAPI_PROJECT_DIR = "", "Set for hooks: the session's folder.";
        PI_CODING_AGENT_DIR = "", "Folder of the agent, for package commands.";
        PIZZAPI_DEMO = "", "`1`: offer the demo model, which needs no key.";
        PIZZAPI_SHELL_ID = "", "Set for shell commands: which session's they are.";
    }
    Worker {
        PIZZAPI_SESSION_ID = "", "The id the session registers with.";
        PIZZAPI_SESSION_FILE = "", "Its transcript; kept current.";
        PIZZAPI_SESSION_PROVIDER = "", "Provider whose overrides apply.";
        PIZZAPI_SESSION_PROC_FILE = "", "Where process groups are recorded.";
        PIZZAPI_SESSION_STATE_FILE = "", "Where the session tells the runner about its transcript.";
        PIZZAPI_RUNNER_USAGE_CACHE_PATH = "", "Quotas, read by the runner for all sessions.";
        PIZZAPI_HIDDEN_MODELS = "", "JSON list of `provider/id`.";
        PIZZAPI_WORKER_CWD = "", "The session's folder.";
        PIZZAPI_WORKER_INITIAL_PROMPT = "", "The first prompt.";
        PIZZAPI_WORKER_INITIAL_IMAGE_URLS = "", "JSON list of pictures for it.";
        PIZZAPI_WORKER_INITIAL_MODEL_PROVIDER = "", "The model to begin with: its provider.";
        PIZZAPI_WORKER_INITIAL_MODEL_ID = "", "The model to begin with: its id.";
        PIZZAPI_WORKER_PARENT_SESSION_ID = "", "The session that asked for this one.";
        PIZZAPI_WORKER_AGENT_NAME = "", "The agent to play.";
        PIZZAPI_WORKER_AGENT_SYSTEM_PROMPT = "", "Its instructions.";
        PIZZAPI_WORKER_AGENT_TOOLS = "", "Tools it may use, with commas.";
        PIZZAPI_WORKER_AGENT_DISALLOWED_TOOLS = "", "Tools it may not use, with commas.";
        PIZZAPI_WORKER_RESUME_PATH = "", "A transcript to go on with.";
        PIZZAPI_WORKER_AUTO_CLOSE = "", "`true`: leave after a successful completion.";
        TERMINAL_WORKER_ID = "", "Set in terminals opened from the browser.";
    }
    Server {
        PORT = "7492", "Port of everything: web UI, HTTP, sockets.";
        PIZZAPI_HOST = "127.0.0.1", "Address to listen on. Any but a loopback address needs TLS or `PIZZAPI_INSECURE`.";
        PIZZAPI_INSECURE = "", "`1`: plain HTTP on an address other machines can reach.";
        PIZZAPI_TLS_CERT = "", "Certificate file, PEM.";
        PIZZAPI_TLS_KEY = "", "Key file of the certificate, PEM.";
        PIZZAPI_DATA_DIR = "~/.pizzapi/server", "Accounts, logs and attachments.";
        PIZZAPI_DATABASE_URL [secret] = "", "PostgreSQL, for several nodes.";
        PIZZAPI_REDIS_URL [secret] = "", "Redis for live state, for several nodes; `off` for none.";
        PIZZAPI_BASE_URL = "", "Public address: trusted origin and base of share links.";
        PIZZAPI_EXTRA_ORIGINS = "", "Further trusted origins, with commas.";
        PIZZAPI_TRUST_MOBILE_ORIGINS = "true", "Accept the origins of the mobile app.";
        PIZZAPI_TRUST_PROXY = "", "`true`: believe forwarded addresses of private networks; `false`: of nobody.";
        PIZZAPI_TRUSTED_PROXY_CIDRS = "", "Networks of proxies to believe, with commas.";
        PIZZAPI_PROXY_DEPTH = "0", "Proxies in front of the one that talks to us.";
        PIZZAPI_UI_DIR = "", "A folder to serve instead of the web UI that is built in.";
        PIZZAPI_MOBILE_OTA_DIR = "", "Bundles of the mobile app.";
        PIZZAPI_TUNNEL_DOMAIN = "", "`[scheme://]host[:port]` under which tunnels get their own origins.";
        PIZZAPI_TUNNEL_TOKEN_SECRET [secret] = "", "Signs tunnel addresses; the login secret when not set.";
        PIZZAPI_TUNNEL_TOKEN_SECRET_PREVIOUS [secret] = "", "Still accepted while the secret is changed.";
        BETTER_AUTH_SECRET [secret] = "made at the first start", "Signs logins. Must be set when `NODE_ENV` is `production`.";
        BETTER_AUTH_BASE_URL = "", "`https` makes cookies secure; `PIZZAPI_BASE_URL` when not set.";
        AUTH_DB_PATH = "", "Database of the earlier product, for `pizzapi server import`.";
        NODE_ENV = "", "`production`: strict about secrets.";
        PIZZAPI_DISABLE_SIGNUP_AFTER_FIRST_USER = "true", "Nobody can make an account once there is one.";
        PIZZAPI_API_KEY_RATE_LIMIT_ENABLED = "false", "Limit the use of each API key.";
        PIZZAPI_API_KEY_RATE_LIMIT_TIME_WINDOW_MS = "60000", "Over this time.";
        PIZZAPI_API_KEY_RATE_LIMIT_MAX_REQUESTS = "1000", "To this many uses.";
        PIZZAPI_LEGACY_WS = "true", "Serve clients from before Socket.IO.";
        PIZZAPI_METRICS = "", "`off`, `open`, or a token for `/metrics`; this machine only when not set.";
    }
    ServerLimits {
        PIZZAPI_SESSION_GRACE_MS = "90000", "A session whose connection broke is expected back for this long.";
        PIZZAPI_RUNNER_GRACE_MS = "60000", "The same for runners.";
        PIZZAPI_EPHEMERAL_TTL_MS = "600000", "Sessions end this long after they last said anything.";
        PIZZAPI_EPHEMERAL_SWEEP_MS = "60000", "How often that is looked at.";
        PIZZAPI_RELAY_EVENT_BUFFER_SIZE = "1000", "Events of a session kept in memory.";
        PIZZAPI_RELAY_EVENT_TTL_MS = "86400000", "How far the log of a session reaches back.";
        PIZZAPI_LOG_SYNC = "false", "Acknowledge events only when they are on the disk.";
        PIZZAPI_HISTORY_RETENTION_DAYS = "30", "Ended sessions are kept for this long.";
        PIZZAPI_HISTORY_MAX_PER_USER = "500", "And at most this many; pinned ones always.";
        PIZZAPI_ATTACHMENT_DIR = "", "Where attachments are kept.";
        PIZZAPI_ATTACHMENT_MAX_FILE_SIZE_BYTES = "31457280", "Largest attachment.";
        PIZZAPI_ATTACHMENT_TTL_MS = "86400000", "An attachment is kept at least this long.";
        PIZZAPI_ATTACHMENT_QUOTA_BYTES = "1073741824", "Attachments of one user together.";
    }
    Push {
        VAPID_PUBLIC_KEY = "made at the first start", "Web push.";
        VAPID_PRIVATE_KEY [secret] = "made at the first start", "Web push.";
        VAPID_SUBJECT = "mailto:admin@pizzapi.local", "Whom push services may write to.";
        PIZZAPI_NTFY_URL = "", "An ntfy server for phones.";
        PIZZAPI_NTFY_PUBLIC_URL = "", "Its address as phones see it.";
        PIZZAPI_NTFY_PUBLISH_TOKEN [secret] = "", "May publish there.";
    }
    Tests {
        PIZZAPI_BUILD_TIMESTAMP = "", "Read when the program is built: the time `/health` shows.";
        PIZZAPI_TEST_REDIS_URL = "", "Run the store's tests against this Redis as well.";
        PIZZAPI_TEST_DATABASE_URL = "", "Run the database's tests against this PostgreSQL as well.";
    }
}

/// Names of ours that the table does not know, each with the nearest one it does: most are typing errors.
pub fn unknown_names(vars: &Vars) -> Vec<(String, Option<&'static str>)> {
    let known = |name: &str| VARIABLES.iter().any(|variable| variable.name == name);
    vars.iter()
        .map(|(name, _)| name)
        .filter(|name| name.starts_with("PIZZAPI_") && !known(name))
        .filter(|name| !name.strip_suffix("_FILE").is_some_and(known))
        .map(|name| (name.to_owned(), nearest(name)))
        .collect()
}

fn nearest(name: &str) -> Option<&'static str> {
    /// More differences than this are another word.
    const MAX_DISTANCE: usize = 3;
    let candidates = VARIABLES.iter().map(|variable| (distance(name, variable.name), variable.name));
    candidates.filter(|(distance, _)| *distance <= MAX_DISTANCE).min().map(|(_, name)| name)
}

/// Letters to insert, drop or change (Levenshtein).
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, letter) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (column, other) in right.iter().enumerate() {
            let change = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = change.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[right.len()]
}

/// `docs/environment.md`.
pub fn environment_page() -> String {
    let mut page = String::from(
        "# Environment variables\n\n\
         Written from the table in `crates/config/src/env.rs`. A flag wins over a variable, a variable over a file.\n\n\
         For every variable that ends in `_KEY`, `_TOKEN` or `_SECRET` there is one with `_FILE` behind it that names a file to \
         read it from.\n",
    );
    for group in Group::ALL {
        page.push_str(&format!("\n## {}\n\n| name | default | meaning |\n| --- | --- | --- |\n", group.title()));
        for variable in VARIABLES.iter().filter(|variable| variable.group == group) {
            let default = match variable.default {
                "" => "–".to_owned(),
                text if text.contains(' ') => text.to_owned(),
                text => format!("`{text}`"),
            };
            let secret = if variable.secret { " Secret." } else { "" };
            let docs = variable.docs.replace('|', "\\|");
            page.push_str(&format!("| `{}` | {default} | {docs}{secret} |\n", variable.name));
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn switches_and_lists_are_read_generously() {
        let vars = Vars::from_iter([("A", " Yes "), ("B", "off"), ("C", "maybe"), ("D", " a, ,b,"), ("E", "  ")]);
        assert_eq!((vars.switch("A"), vars.switch("B"), vars.switch("C")), (Some(true), Some(false), None));
        assert_eq!(vars.list("D"), ["a", "b"]);
        assert_eq!((vars.text("E"), vars.first(&["E", "B"])), (None, Some(("B", "off"))));
    }

    #[test]
    fn secrets_come_from_files_unless_they_are_set() {
        let mut vars = Vars::from_iter([
            ("ANTHROPIC_API_KEY_FILE", "/run/key"),
            ("PIZZAPI_API_TOKEN", "given"),
            ("PIZZAPI_API_TOKEN_FILE", "/run/token"),
            ("BETTER_AUTH_SECRET_FILE", "/missing"),
            ("PIZZAPI_SESSION_FILE", "/not/a/secret"),
        ]);
        let problems = read_secret_files(&mut vars, |path| match path.to_str() {
            Some("/run/key") => Ok("abc\n".to_owned()),
            _ => Err(io::Error::new(io::ErrorKind::NotFound, "gone")),
        });
        assert_eq!(vars.get("ANTHROPIC_API_KEY"), Some("abc"));
        assert_eq!(vars.get("PIZZAPI_API_TOKEN"), Some("given"));
        assert_eq!(vars.get("PIZZAPI_SESSION"), None);
        assert_eq!(problems, ["failed to read `/missing` named by BETTER_AUTH_SECRET_FILE: gone"]);
    }

    #[test]
    fn a_mistyped_name_is_noticed() {
        let vars =
            Vars::from_iter([("PIZZAPI_RELAY_ULR", "x"), ("PIZZAPI_SOMETHING_ELSE", "x"), ("PIZZAPI_HOME", "x")]);
        assert_eq!(
            unknown_names(&vars),
            [("PIZZAPI_RELAY_ULR".to_owned(), Some("PIZZAPI_RELAY_URL")), ("PIZZAPI_SOMETHING_ELSE".to_owned(), None)]
        );
    }

    #[test]
    fn every_variable_is_listed_once_and_described() {
        for (at, variable) in VARIABLES.iter().enumerate() {
            assert!(variable.docs.ends_with('.'), "{}", variable.name);
            assert!(!VARIABLES[..at].iter().any(|other| other.name == variable.name), "{} twice", variable.name);
        }
        assert!(environment_page().contains("| `PORT` | `7492` | Port of everything"));
    }
}

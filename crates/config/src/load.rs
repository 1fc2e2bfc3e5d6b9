//! `config.json` of the user and of the project, merged.
//!
//! A project is somebody else's word: what it may say is decided per field, and it never gets to name a relay or a key while the
//! user has one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pizzapi_protocol::runner_reply::SandboxMode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::env::Vars;
use crate::file::{FileError, read_object, update_object};
use crate::paths::{AgentDir, Home, project_config_file};
use crate::sandbox::{self, SandboxConfig, UnknownSandboxMode};
use crate::secret::{Secret, mask, redact, without_login};
use crate::url::{self, DEFAULT_RELAY_URL};

/// A shell command that runs longer moves to the background. Units: seconds.
pub const DEFAULT_BACKGROUND_AFTER_SECONDS: f64 = 120.0;
/// How long an MCP server may take. Units: milliseconds; 0 is for ever.
pub const DEFAULT_MCP_TIMEOUT_MS: u64 = 30_000;

/// Everything the files say, merged, with variables over it.
#[derive(Debug, Clone)]
pub struct Config {
    pub home: Home,
    pub agent_dir: AgentDir,
    pub api_key: Option<ApiKey>,
    pub relay: Relay,

    /// Replaces the base prompt.
    pub system_prompt: Option<String>,
    /// Follows the built-in addition.
    pub append_system_prompt: Option<String>,
    pub builtin_system_prompt: bool,
    pub send_agents_md: bool,
    /// Further folders with skills.
    pub skills: Vec<String>,
    /// By event: what to run. The project's only when the user allows it.
    pub hooks: BTreeMap<String, Vec<Value>>,
    pub allow_project_hooks: bool,
    pub allow_project_mcp: bool,
    /// Absolute folders of plugins.
    pub trusted_plugins: Vec<PathBuf>,

    /// In the order they were written. The project's only when the user allows it.
    pub mcp_servers: Vec<McpServer>,
    pub disabled_mcp_servers: Vec<String>,
    /// Disabled by the user, not by the project: cannot be enabled from afar.
    pub globally_disabled_mcp_servers: Vec<String>,
    pub mcp_timeout_ms: u64,
    pub oauth: McpOauth,

    pub disabled_runner_services: Vec<String>,
    pub sandbox: SandboxConfig,
    pub slow_startup_warning: bool,
    pub subagent: Subagent,
    pub provider_settings: BTreeMap<String, ProviderSettings>,
    pub tool_search: ToolSearch,
    pub background_after_seconds: f64,
    pub goal: Goal,
    /// Variables for sessions started by the runner; only names that begin with `PIZZAPI_`.
    pub env_overrides: BTreeMap<String, String>,
    pub overlay_service_grants: Vec<ServiceGrant>,

    /// What is odd but not fatal, one sentence each; to be shown once.
    pub warnings: Vec<String>,
    merged: Map<String, Value>,
}

/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The variable of this name.
    Variable(&'static str),
    User,
    Project,
    Default,
}

#[derive(Debug, Clone)]
pub struct ApiKey {
    pub key: Secret<String>,
    pub source: Source,
}

/// The relay of this machine, if any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relay {
    /// As configured; `None` is "off".
    pub url: Option<String>,
    /// Overrides the address for Socket.IO.
    pub socketio_url: Option<String>,
    pub source: Source,
}

impl Relay {
    pub fn is_off(&self) -> bool {
        self.url.is_none()
    }

    /// For Socket.IO.
    pub fn socket_url(&self) -> Option<String> {
        self.url.as_ref().map(|relay| url::socket_url(self.socketio_url.as_ref().unwrap_or(relay)))
    }

    /// For HTTP.
    pub fn http_url(&self) -> Option<String> {
        self.url.as_deref().map(url::http_url)
    }

    /// Was it chosen, rather than assumed?
    pub fn is_configured(&self) -> bool {
        self.url.is_some() && self.source != Source::Default
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct McpServer {
    pub name: String,
    /// As written, before [`substitute`].
    pub definition: Value,
    /// The file that defines it.
    pub path: PathBuf,
    pub source: Source,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct McpOauth {
    pub client_name: String,
    pub client_id: Option<String>,
    pub client_secret: Option<Secret<String>>,
    /// 0: any free one.
    pub callback_port: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Subagent {
    pub max_parallel_tasks: usize,
    pub max_concurrency: usize,
}

impl Default for Subagent {
    fn default() -> Self {
        Self { max_parallel_tasks: 8, max_concurrency: 4 }
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ToolSearch {
    pub enabled: bool,
    /// Units: characters of all tool descriptions together.
    pub token_threshold: u64,
    pub max_results: usize,
    pub keep_loaded_tools: bool,
}

impl Default for ToolSearch {
    fn default() -> Self {
        Self { enabled: false, token_threshold: 10_000, max_results: 5, keep_loaded_tools: true }
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Goal {
    pub evaluator_model: Option<String>,
    pub evaluator_max_tokens: u64,
    pub evaluate_every_n_turns: u64,
    pub min_turns_before_evaluate: u64,
}

impl Default for Goal {
    fn default() -> Self {
        Self {
            evaluator_model: None,
            evaluator_max_tokens: 512,
            evaluate_every_n_turns: 1,
            min_turns_before_evaluate: 1,
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProviderSettings {
    pub web_search: Option<WebSearch>,
    pub overrides: Option<ProviderOverrides>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WebSearch {
    pub enabled: bool,
    pub max_uses: Option<u64>,
    pub max_results: Option<u64>,
    pub allowed_domains: Vec<String>,
    pub blocked_domains: Vec<String>,
    pub max_content_chars: Option<u64>,
    pub max_links: Option<u64>,
}

/// What a session of one provider does differently.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProviderOverrides {
    pub system_prompt: Option<String>,
    pub append_system_prompt: Option<String>,
    pub builtin_system_prompt: Option<bool>,
    pub send_agents_md: Option<bool>,
    pub disabled_mcp_servers: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceGrant {
    pub package: String,
    pub services: Vec<String>,
}

/// A configuration nothing can be started with.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error(transparent)]
    SandboxMode(#[from] UnknownSandboxMode),
}

/// One file.
struct Layer {
    path: PathBuf,
    members: Map<String, Value>,
    source: Source,
}

impl Config {
    /// Read both files and put the variables over them.
    ///
    /// A file that cannot be read counts as empty and is reported in [`Config::warnings`], by line and column where it is
    /// malformed. Errors: an unknown sandbox mode, since guessing could mean none at all.
    pub fn load(home: Home, cwd: &Path, vars: &Vars) -> Result<Self, ConfigError> {
        let mut warnings = Vec::new();
        let user = read_layer(home.config_file(), Source::User, &mut warnings);
        let project_path = project_config_file(cwd);
        let project = if project_path == user.path {
            Layer { path: project_path, members: Map::new(), source: Source::Project }
        } else {
            read_layer(project_path, Source::Project, &mut warnings)
        };
        Self::merge(home, user, project, vars, warnings)
    }

    fn merge(home: Home, user: Layer, project: Layer, vars: &Vars, warnings: Vec<String>) -> Result<Self, ConfigError> {
        let mut reader = Reader { warnings };
        for layer in [&user, &project] {
            for obsolete in ["providers", "allowProjectProviders"] {
                if layer.members.contains_key(obsolete) {
                    reader.warn(format!("`{obsolete}` in `{}` has no meaning any more", layer.path.display()));
                }
            }
        }

        let api_key = api_key(&user, &project, vars, &mut reader);
        let relay = relay(&user, &project, vars, &mut reader);
        if api_key.is_some() && relay.is_off() && relay.source == Source::User {
            reader.warn("there is an API key, but `relayUrl` is `off`: nothing will be sent to a relay".to_owned());
        }

        let agent_dir = match reader.project_wins::<String>(&user, &project, "agentDir", "a path") {
            Some(path) => AgentDir::new(home.expand(path.trim())),
            None => AgentDir::new(home.root()),
        };
        let allow_project_hooks = vars.flag("PIZZAPI_ALLOW_PROJECT_HOOKS")
            || reader.get(&user, "allowProjectHooks", "true or false").unwrap_or(false);
        let allow_project_mcp = vars.flag("PIZZAPI_ALLOW_PROJECT_MCP")
            || reader.get(&user, "allowProjectMcp", "true or false").unwrap_or(false);
        let trusted: Vec<String> = reader.get(&user, "trustedPlugins", "a list of paths").unwrap_or_default();

        let globally_disabled_mcp_servers: Vec<String> =
            reader.get(&user, "disabledMcpServers", "a list of names").unwrap_or_default();
        let disabled_mcp_servers = union(
            &globally_disabled_mcp_servers,
            reader.get(&project, "disabledMcpServers", "a list of names").unwrap_or_default(),
        );
        let services: Vec<String> =
            reader.get(&user, "disabledRunnerServices", "a list of service ids").unwrap_or_default();
        let services = union(
            &services,
            reader.get(&project, "disabledRunnerServices", "a list of service ids").unwrap_or_default(),
        );
        let disabled_runner_services = union(&services, vars.list("PIZZAPI_DISABLED_RUNNER_SERVICES"));

        let bash: Option<Bash> = reader.project_wins(&user, &project, "bash", "an object");
        let background_after_seconds = reader
            .seconds(vars, "PIZZAPI_BASH_BACKGROUND_SECONDS")
            .or(bash.and_then(|bash| bash.background_after_seconds).filter(|seconds| *seconds >= 0.0))
            .unwrap_or(DEFAULT_BACKGROUND_AFTER_SECONDS);

        let sandbox = sandbox::merge(
            user.members.get("sandbox").map(|value| (value, user.path.as_path())),
            project.members.get("sandbox").map(|value| (value, project.path.as_path())),
            &mut reader.warnings,
        )?;

        let mut merged = user.members.clone();
        for (name, value) in &project.members {
            if !GLOBAL_ONLY.contains(&name.as_str()) {
                merged.insert(name.clone(), value.clone());
            }
        }

        Ok(Self {
            agent_dir,
            api_key,
            relay,
            system_prompt: reader.project_wins(&user, &project, "systemPrompt", "text"),
            append_system_prompt: reader.project_wins(&user, &project, "appendSystemPrompt", "text"),
            builtin_system_prompt: reader
                .project_wins(&user, &project, "builtinSystemPrompt", "true or false")
                .unwrap_or(true),
            send_agents_md: reader.project_wins(&user, &project, "sendAgentsMd", "true or false").unwrap_or(true),
            skills: reader.project_wins(&user, &project, "skills", "a list of paths").unwrap_or_default(),
            hooks: reader.hooks(&user, &project, allow_project_hooks),
            allow_project_hooks,
            allow_project_mcp,
            trusted_plugins: trusted.iter().map(|path| home.expand(path)).collect(),
            mcp_servers: reader.mcp_servers(&user, &project, allow_project_mcp),
            disabled_mcp_servers,
            globally_disabled_mcp_servers,
            mcp_timeout_ms: reader
                .project_wins(&user, &project, "mcpTimeout", "a number of milliseconds")
                .unwrap_or(DEFAULT_MCP_TIMEOUT_MS),
            oauth: McpOauth {
                client_name: reader
                    .project_wins(&user, &project, "oauthClientName", "text")
                    .unwrap_or_else(|| "PizzaPi".to_owned()),
                client_id: reader.project_wins(&user, &project, "oauthClientId", "text"),
                client_secret: reader.project_wins(&user, &project, "oauthClientSecret", "text"),
                callback_port: reader.project_wins(&user, &project, "oauthCallbackPort", "a port").unwrap_or(0),
            },
            disabled_runner_services,
            sandbox,
            slow_startup_warning: reader
                .project_wins(&user, &project, "slowStartupWarning", "true or false")
                .unwrap_or(true),
            subagent: reader.get(&user, "subagent", "an object of numbers").unwrap_or_default(),
            provider_settings: reader
                .project_wins(&user, &project, "providerSettings", "an object per provider")
                .unwrap_or_default(),
            tool_search: reader.project_wins(&user, &project, "toolSearch", "an object").unwrap_or_default(),
            background_after_seconds,
            goal: reader.project_wins(&user, &project, "goal", "an object").unwrap_or_default(),
            env_overrides: reader.env_overrides(&user, &project),
            overlay_service_grants: reader
                .get(&user, "overlayServiceGrants", "a list of {package, services}")
                .unwrap_or_default(),
            warnings: reader.warnings,
            home,
            merged,
        })
    }

    /// Apply what `providerSettings` says about sessions of this provider.
    pub fn for_provider(mut self, provider: &str) -> Self {
        let Some(overrides) = self.provider_settings.get(provider).and_then(|settings| settings.overrides.clone())
        else {
            return self;
        };
        self.system_prompt = overrides.system_prompt.or(self.system_prompt);
        self.append_system_prompt = overrides.append_system_prompt.or(self.append_system_prompt);
        self.builtin_system_prompt = overrides.builtin_system_prompt.unwrap_or(self.builtin_system_prompt);
        self.send_agents_md = overrides.send_agents_md.unwrap_or(self.send_agents_md);
        self.disabled_mcp_servers = union(&self.disabled_mcp_servers, overrides.disabled_mcp_servers);
        self
    }

    /// Variables that `providerSettings` stands for, for sessions that look at variables only. Those that are set win.
    pub fn provider_variables(&self) -> Vec<(&'static str, String)> {
        let mut variables = Vec::new();
        let mut add = |name, value: Option<String>| variables.extend(value.map(|value| (name, value)));
        let number = |number: Option<u64>| number.map(|number| number.to_string());
        let list = |list: &[String]| (!list.is_empty()).then(|| list.join(","));
        for (provider, settings) in &self.provider_settings {
            let Some(search) = &settings.web_search else { continue };
            let on = search.enabled.then(|| "1".to_owned());
            match provider.as_str() {
                "anthropic" => {
                    add("PIZZAPI_WEB_SEARCH", on);
                    add("PIZZAPI_WEB_SEARCH_MAX_USES", number(search.max_uses));
                    add("PIZZAPI_WEB_SEARCH_ALLOWED_DOMAINS", list(&search.allowed_domains));
                    add("PIZZAPI_WEB_SEARCH_BLOCKED_DOMAINS", list(&search.blocked_domains));
                }
                "ollama" | "ollama-cloud" => {
                    add("PIZZAPI_OLLAMA_WEB_SEARCH", on);
                    add("PIZZAPI_OLLAMA_WEB_SEARCH_MAX_RESULTS", number(search.max_results));
                    add("PIZZAPI_OLLAMA_WEB_FETCH_MAX_CONTENT_CHARS", number(search.max_content_chars));
                    add("PIZZAPI_OLLAMA_WEB_FETCH_MAX_LINKS", number(search.max_links));
                }
                _ => {}
            }
        }
        variables
    }

    /// The effective configuration for people: secrets masked, logins cut out of addresses.
    pub fn show(&self) -> Value {
        let mut config = Value::Object(self.merged.clone());
        redact(&mut config);
        let key = self.api_key.as_ref().map_or_else(|| "unset".to_owned(), |key| mask(key.key.reveal()));
        let source = self.api_key.as_ref().map(|key| key.source.to_string());
        let relay = self.relay.url.as_deref().unwrap_or("off");
        serde_json::json!({
            "apiKey": key,
            "apiKeyFrom": source,
            "relayUrl": without_login(relay).unwrap_or_else(|| relay.to_owned()),
            "agentDir": self.agent_dir.path(),
            "config": config,
        })
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Variable(name) => f.write_str(name),
            Self::User => f.write_str("the user's config.json"),
            Self::Project => f.write_str("the project's config.json"),
            Self::Default => f.write_str("the default"),
        }
    }
}

/// Remember a relay and the key for it, together.
pub fn save_relay(file: &Path, relay_url: &str, api_key: &str) -> Result<(), FileError> {
    update_object(file, |config| {
        config.insert("apiKey".to_owned(), api_key.into());
        config.insert("relayUrl".to_owned(), url::websocket_url(relay_url).into());
    })
}

/// Fields a project never decides.
const GLOBAL_ONLY: [&str; 8] = [
    "apiKey",
    "relayUrl",
    "allowProjectHooks",
    "allowProjectMcp",
    "trustedPlugins",
    "subagent",
    "overlayServiceGrants",
    "sandbox",
];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bash {
    background_after_seconds: Option<f64>,
}

struct Reader {
    warnings: Vec<String>,
}

impl Reader {
    fn warn(&mut self, warning: String) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// A field of one file; `null` and the wrong type count as absent, the latter with a warning.
    fn get<T: DeserializeOwned>(&mut self, layer: &Layer, name: &str, expected: &str) -> Option<T> {
        let value = layer.members.get(name).filter(|value| !value.is_null())?;
        match T::deserialize(value) {
            Ok(value) => Some(value),
            Err(_) => {
                self.warn(format!("`{name}` in `{}` is ignored: it must be {expected}", layer.path.display()));
                None
            }
        }
    }

    fn project_wins<T: DeserializeOwned>(
        &mut self,
        user: &Layer,
        project: &Layer,
        name: &str,
        expected: &str,
    ) -> Option<T> {
        self.get(project, name, expected).or_else(|| self.get(user, name, expected))
    }

    fn seconds(&mut self, vars: &Vars, name: &'static str) -> Option<f64> {
        let text = vars.text(name)?;
        match text.parse::<f64>() {
            Ok(seconds) if seconds >= 0.0 && seconds.is_finite() => Some(seconds),
            _ => {
                self.warn(format!("{name} is `{text}` and ignored: it must be a number of seconds"));
                None
            }
        }
    }

    fn hooks(&mut self, user: &Layer, project: &Layer, allowed: bool) -> BTreeMap<String, Vec<Value>> {
        let expected = "an object of lists, by event";
        let mut hooks: BTreeMap<String, Vec<Value>> = self.get(user, "hooks", expected).unwrap_or_default();
        if project.members.contains_key("hooks") && !allowed {
            self.warn(format!(
                "hooks in `{}` are ignored: set `allowProjectHooks` in your own config.json to run them",
                project.path.display()
            ));
            return hooks;
        }
        let more: BTreeMap<String, Vec<Value>> = self.get(project, "hooks", expected).unwrap_or_default();
        for (event, list) in more {
            hooks.entry(event).or_default().extend(list);
        }
        hooks
    }

    fn mcp_servers(&mut self, user: &Layer, project: &Layer, allowed: bool) -> Vec<McpServer> {
        let mut servers = self.mcp_servers_of(user);
        let of_project = self.mcp_servers_of(project);
        if !of_project.is_empty() && !allowed {
            self.warn(format!(
                "MCP servers in `{}` are ignored: set `allowProjectMcp` in your own config.json to start them",
                project.path.display()
            ));
            return servers;
        }
        for server in of_project {
            match servers.iter_mut().find(|other| other.name == server.name) {
                Some(other) => *other = server,
                None => servers.push(server),
            }
        }
        servers
    }

    /// `mcpServers` by name and `mcp.servers` as a list; of equal names the former counts.
    fn mcp_servers_of(&mut self, layer: &Layer) -> Vec<McpServer> {
        #[derive(Deserialize)]
        struct Listed {
            #[serde(default)]
            servers: Vec<Value>,
        }

        let named: Map<String, Value> = self.get(layer, "mcpServers", "an object of servers").unwrap_or_default();
        let server = |name: &str, definition: Value| McpServer {
            name: name.to_owned(),
            definition,
            path: layer.path.clone(),
            source: layer.source,
        };
        let mut servers: Vec<McpServer> = Vec::new();
        for (name, definition) in named {
            if definition.is_object() {
                servers.push(server(&name, definition));
            } else {
                self.warn(format!(
                    "`mcpServers.{name}` in `{}` is ignored: it must be an object",
                    layer.path.display()
                ));
            }
        }
        let listed: Option<Listed> = self.get(layer, "mcp", "an object with a list `servers`");
        for definition in listed.map(|listed| listed.servers).unwrap_or_default() {
            match definition.get("name").and_then(Value::as_str).map(str::to_owned) {
                Some(name) if servers.iter().all(|server| server.name != name) => {
                    servers.push(server(&name, definition))
                }
                Some(_) => {}
                None => self
                    .warn(format!("a server without `name` in `mcp.servers` of `{}` is ignored", layer.path.display())),
            }
        }
        servers
    }

    fn env_overrides(&mut self, user: &Layer, project: &Layer) -> BTreeMap<String, String> {
        let overrides: BTreeMap<String, String> =
            self.project_wins(user, project, "envOverrides", "an object of texts").unwrap_or_default();
        let (ours, others): (BTreeMap<_, _>, BTreeMap<_, _>) =
            overrides.into_iter().partition(|(name, _)| name.starts_with("PIZZAPI_"));
        for name in others.keys() {
            self.warn(format!("`envOverrides.{name}` is ignored: only names that begin with PIZZAPI_ are passed on"));
        }
        ours
    }
}

fn read_layer(path: PathBuf, source: Source, warnings: &mut Vec<String>) -> Layer {
    let members = read_object(&path).unwrap_or_else(|error| {
        warnings.push(format!("{error}; the file counts as empty"));
        None
    });
    Layer { path, members: members.unwrap_or_default(), source }
}

fn api_key(user: &Layer, project: &Layer, vars: &Vars, reader: &mut Reader) -> Option<ApiKey> {
    if let Some((name, key)) = vars.first(&["PIZZAPI_API_KEY", "PIZZAPI_API_TOKEN"]) {
        return Some(ApiKey { key: Secret::new(key.to_owned()), source: Source::Variable(name) });
    }
    let (key, source) = user_first(user, project, "apiKey", reader)?;
    Some(ApiKey { key: Secret::new(key), source })
}

fn relay(user: &Layer, project: &Layer, vars: &Vars, reader: &mut Reader) -> Relay {
    let (url, source) = match vars.text("PIZZAPI_RELAY_URL") {
        Some(url) => (url.to_owned(), Source::Variable("PIZZAPI_RELAY_URL")),
        None => user_first(user, project, "relayUrl", reader)
            .unwrap_or_else(|| (DEFAULT_RELAY_URL.to_owned(), Source::Default)),
    };
    Relay {
        url: (!url::is_off(&url)).then_some(url),
        socketio_url: vars.text("PIZZAPI_SOCKETIO_URL").map(str::to_owned),
        source,
    }
}

/// The user's value; the project's only when there is none, with a warning.
fn user_first(user: &Layer, project: &Layer, name: &str, reader: &mut Reader) -> Option<(String, Source)> {
    let mut read = |layer: &Layer| {
        let text: String = reader.get(layer, name, "text")?;
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    if let Some(text) = read(user) {
        return Some((text, Source::User));
    }
    let text = read(project)?;
    reader.warn(format!("`{name}` is taken from the project's `{}`", project.path.display()));
    Some((text, Source::Project))
}

fn union(list: &[String], more: Vec<String>) -> Vec<String> {
    let mut all = list.to_vec();
    for entry in more {
        if !all.contains(&entry) {
            all.push(entry);
        }
    }
    all
}

/// What the words between `@` signs stand for in definitions of MCP servers.
#[derive(Debug, Clone, Default)]
pub struct Substitutions<'a> {
    pub pwd: &'a str,
    pub session_id: &'a str,
    pub home: &'a str,
    pub user: &'a str,
    pub project_dir: &'a str,
}

/// Replace `@PWD@`, `@SESSION_ID@`, `@HOME@`, `@USER@` and `@PROJECT_DIR@` in every text of a definition.
pub fn substitute(definition: &mut Value, words: &Substitutions<'_>) {
    match definition {
        Value::String(text) if text.contains('@') => {
            for (word, value) in [
                ("@PWD@", words.pwd),
                ("@SESSION_ID@", words.session_id),
                ("@HOME@", words.home),
                ("@USER@", words.user),
                ("@PROJECT_DIR@", words.project_dir),
            ] {
                *text = text.replace(word, value);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| substitute(item, words)),
        Value::Object(members) => members.values_mut().for_each(|member| substitute(member, words)),
        _ => {}
    }
}

/// The runner's credential: its own key, else the one sessions use.
pub fn runner_api_key(config: &Config, vars: &Vars) -> Option<ApiKey> {
    match vars.text("PIZZAPI_RUNNER_API_KEY") {
        Some(key) => {
            Some(ApiKey { key: Secret::new(key.to_owned()), source: Source::Variable("PIZZAPI_RUNNER_API_KEY") })
        }
        None => config.api_key.clone(),
    }
}

/// How strictly sessions are shut in, by the flag, the variables and the files, in this order.
///
/// Errors: a word nobody knows; guessing could mean no sandbox at all.
pub fn sandbox_mode(config: &Config, flag: Option<&str>, vars: &Vars) -> Result<SandboxMode, ConfigError> {
    if let Some(word) = flag {
        return Ok(sandbox::parse_mode(word, "--sandbox")?);
    }
    if vars.flag("PIZZAPI_NO_SANDBOX") {
        return Ok(SandboxMode::None);
    }
    match vars.text("PIZZAPI_SANDBOX") {
        Some(word) => Ok(sandbox::parse_mode(word, "PIZZAPI_SANDBOX")?),
        None => Ok(config.sandbox.mode),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use pretty_assertions::assert_eq;
    use serde_json::json;

    use super::*;

    /// A user and a project, each with a file.
    struct Files {
        folder: tempfile::TempDir,
    }

    impl Files {
        fn new(user: &str, project: &str) -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            for (name, text) in [("home", user), ("project/.pizzapi", project)] {
                let path = folder.path().join(name);
                fs::create_dir_all(&path).expect("made");
                fs::write(path.join("config.json"), text).expect("written");
            }
            Self { folder }
        }

        fn load_with<const N: usize>(&self, vars: [(&str, &str); N]) -> Config {
            let home = Home::new(self.folder.path().join("home"), self.folder.path());
            Config::load(home, &self.folder.path().join("project"), &Vars::from_iter(vars)).expect("loads")
        }

        fn load(&self) -> Config {
            self.load_with([])
        }
    }

    #[test]
    fn nothing_written_means_the_defaults() {
        let config = Files::new("", "").load();
        assert_eq!(config.relay.socket_url().as_deref(), Some("http://127.0.0.1:7492"));
        assert!(!config.relay.is_configured() && config.api_key.is_none());
        assert_eq!(config.background_after_seconds, 120.0);
        assert_eq!(config.mcp_timeout_ms, 30_000);
        assert_eq!(config.warnings, [""; 0]);
        assert_eq!(config.agent_dir.path(), config.home.root());
    }

    #[test]
    fn a_project_cannot_redirect_a_user_who_has_a_relay() {
        let files = Files::new(
            r#"{"apiKey":"mine","relayUrl":"wss://mine"}"#,
            r#"{"apiKey":"theirs","relayUrl":"wss://theirs","systemPrompt":"p"}"#,
        );
        let config = files.load();
        assert_eq!(config.api_key.as_ref().map(|key| key.key.reveal().as_str()), Some("mine"));
        assert_eq!(config.relay.url.as_deref(), Some("wss://mine"));
        assert_eq!(config.system_prompt.as_deref(), Some("p"));
        assert_eq!(config.warnings, [""; 0]);

        let config = Files::new("{}", r#"{"relayUrl":"wss://theirs"}"#).load();
        assert_eq!((config.relay.url.as_deref(), config.relay.source), (Some("wss://theirs"), Source::Project));
        assert_eq!(config.warnings.len(), 1);
    }

    #[test]
    fn variables_win_over_files() {
        let files = Files::new(r#"{"apiKey":"file","bash":{"backgroundAfterSeconds":5}}"#, "");
        let config = files.load_with([
            ("PIZZAPI_API_TOKEN", "token"),
            ("PIZZAPI_RELAY_URL", "OFF"),
            ("PIZZAPI_BASH_BACKGROUND_SECONDS", "0"),
        ]);
        assert_eq!(config.api_key.map(|key| key.source), Some(Source::Variable("PIZZAPI_API_TOKEN")));
        assert!(config.relay.is_off() && config.relay.socket_url().is_none());
        assert_eq!(config.background_after_seconds, 0.0);
        assert_eq!(files.load().background_after_seconds, 5.0);
    }

    #[test]
    fn a_broken_file_counts_as_empty_and_says_where() {
        let config = Files::new("{\n \"apiKey\" 1\n}", "").load();
        assert!(config.api_key.is_none());
        assert_eq!(config.warnings.len(), 1);
        assert!(config.warnings[0].contains("config.json:2:11`: expected `:`"), "{}", config.warnings[0]);
    }

    #[test]
    fn a_field_of_the_wrong_type_is_ignored_by_name() {
        let config = Files::new(r#"{"mcpTimeout":"soon","builtinSystemPrompt":null,"novel":1}"#, "").load();
        assert_eq!((config.mcp_timeout_ms, config.builtin_system_prompt), (30_000, true));
        assert_eq!(config.warnings.len(), 1);
        assert!(config.warnings[0].starts_with("`mcpTimeout` in `"), "{}", config.warnings[0]);
    }

    #[test]
    fn hooks_and_servers_of_a_project_need_the_users_word() {
        let project = r#"{"allowProjectHooks":true,"hooks":{"Input":[{"hooks":[]}]},"mcpServers":{"a":{"command":"x"}},
                          "disabledMcpServers":["b"],"mcp":{"servers":[{"name":"c","command":"y"}]}}"#;
        let user = r#"{"hooks":{"Input":[1]},"mcpServers":{"a":{"command":"mine"}},"disabledMcpServers":["z"]}"#;
        let config = Files::new(user, project).load();
        assert_eq!(config.hooks["Input"].len(), 1);
        assert_eq!(config.mcp_servers.len(), 1);
        assert_eq!(config.disabled_mcp_servers, ["z", "b"]);
        assert_eq!(config.globally_disabled_mcp_servers, ["z"]);
        assert_eq!(config.warnings.len(), 2);

        let files = Files::new(user, project);
        let config = files.load_with([("PIZZAPI_ALLOW_PROJECT_HOOKS", "1"), ("PIZZAPI_ALLOW_PROJECT_MCP", "1")]);
        assert_eq!(config.hooks["Input"].len(), 2);
        let servers: Vec<_> = config.mcp_servers.iter().map(|server| (server.name.as_str(), server.source)).collect();
        assert_eq!(servers, [("a", Source::Project), ("c", Source::Project)]);
    }

    #[test]
    fn a_provider_can_have_its_own_prompt() {
        let config = Files::new(
            r#"{"systemPrompt":"all","providerSettings":{"anthropic":{"overrides":{"systemPrompt":"theirs","sendAgentsMd":false,
                "disabledMcpServers":["m"]},"webSearch":{"enabled":true,"maxUses":3,"allowedDomains":["a","b"]}}}}"#,
            "",
        )
        .load();
        assert_eq!(
            config.provider_variables(),
            [
                ("PIZZAPI_WEB_SEARCH", "1".to_owned()),
                ("PIZZAPI_WEB_SEARCH_MAX_USES", "3".to_owned()),
                ("PIZZAPI_WEB_SEARCH_ALLOWED_DOMAINS", "a,b".to_owned())
            ]
        );
        assert_eq!(config.clone().for_provider("openai").system_prompt.as_deref(), Some("all"));
        let config = config.for_provider("anthropic");
        assert_eq!(config.system_prompt.as_deref(), Some("theirs"));
        assert!(!config.send_agents_md);
        assert_eq!(config.disabled_mcp_servers, ["m"]);
    }

    #[test]
    fn what_is_shown_opens_no_doors() {
        let config = Files::new(r#"{"apiKey":"abcd1234wxyz","relayUrl":"wss://u:p@host"}"#, "").load();
        let shown = config.show();
        assert_eq!(shown["apiKey"], json!("abcd…wxyz"));
        assert_eq!(shown["relayUrl"], json!("wss://host"));
        assert!(!shown.to_string().contains("1234"), "{shown}");
        assert!(!format!("{config:?}").contains("api_key: Some(ApiKey { key: \"abcd"));
    }

    #[test]
    fn a_saved_relay_keeps_the_rest_of_the_file() {
        let files = Files::new(r#"{"novel":{"x":1}}"#, "");
        let path = files.folder.path().join("home/config.json");
        save_relay(&path, "http://localhost:7492/", "key").expect("saved");
        let saved = read_object(&path).expect("read").expect("an object");
        assert_eq!(Value::Object(saved), json!({"novel":{"x":1},"apiKey":"key","relayUrl":"ws://127.0.0.1:7492"}));
    }

    #[test]
    fn words_between_at_signs_are_replaced_wherever_they_stand() {
        let mut definition = json!({"args":["--dir","@PWD@/x"],"env":{"S":"@SESSION_ID@@USER@"},"n":1});
        let words = Substitutions { pwd: "/w", session_id: "s", user: "ana", ..Substitutions::default() };
        substitute(&mut definition, &words);
        assert_eq!(definition, json!({"args":["--dir","/w/x"],"env":{"S":"sana"},"n":1}));
    }

    #[test]
    fn the_sandbox_is_chosen_by_flag_then_variable_then_file() {
        let files = Files::new(r#"{"sandbox":{"mode":"full"}}"#, "");
        let vars = Vars::from_iter([("PIZZAPI_SANDBOX", "audit")]);
        let config = files.load();
        assert_eq!(sandbox_mode(&config, None, &Vars::default()).expect("known"), SandboxMode::Full);
        assert_eq!(sandbox_mode(&config, None, &vars).expect("known"), SandboxMode::Basic);
        assert_eq!(sandbox_mode(&config, Some("off"), &vars).expect("known"), SandboxMode::None);
        assert!(sandbox_mode(&config, Some("maybe"), &vars).is_err());
    }
}

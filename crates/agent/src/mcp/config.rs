//! Which MCP servers a session has.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::config::AgentConfig;
use crate::userconfig::UserConfig;

/// How long a server may take to list its tools.
const LIST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long one call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(600);

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ServerConfig {
    pub name: String,
    /// `global` or `project`.
    pub scope: &'static str,
    pub transport: Transport,
    pub disabled: bool,
    /// Disabled for everybody on this machine; a project cannot enable it.
    pub disabled_globally: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Transport {
    Stdio { command: String, args: Vec<String>, env: BTreeMap<String, String>, cwd: Option<String> },
    Http { url: String, headers: BTreeMap<String, String> },
}

impl Transport {
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Stdio { .. } => "stdio",
            Self::Http { .. } => "http",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timeouts {
    pub list: Option<Duration>,
    pub call: Option<Duration>,
}

#[derive(Deserialize)]
struct Written {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    command: Option<String>,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    cwd: Option<String>,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    disabled: bool,
}

/// The servers of the user and, where that is allowed, of the project; a project's server hides the user's of the same name.
pub(crate) fn read(config: &AgentConfig, user: &UserConfig) -> Vec<ServerConfig> {
    let project_allowed = user.global_flag("allowProjectMcp")
        || config.env.get("PIZZAPI_ALLOW_PROJECT_MCP").is_some_and(|value| value == "1");
    let names = |value: Option<&Value>| -> BTreeSet<String> {
        value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let off_globally = names(user.global("disabledMcpServers"));
    let off_here = names(user.project("disabledMcpServers"));
    let mut servers: BTreeMap<String, ServerConfig> = BTreeMap::new();
    let mut take = |name: String, written: Value, scope: &'static str| {
        let Some((transport, disabled)) = transport(config, written) else {
            tracing::warn!(server = %name, "this MCP server has neither a command nor a url and was ignored");
            return;
        };
        let disabled_globally = off_globally.contains(&name) || (disabled && scope == "global");
        let disabled = disabled_globally || disabled || off_here.contains(&name);
        servers.insert(name.clone(), ServerConfig { name, scope, transport, disabled, disabled_globally });
    };
    for (name, written) in definitions(|key| user.global(key)) {
        take(name, written, "global");
    }
    if project_allowed {
        for (name, written) in definitions(|key| user.project(key)) {
            take(name, written, "project");
        }
    }
    servers.into_values().collect()
}

/// Both forms: `mcpServers {name: …}` and `mcp.servers [{name, …}]`.
fn definitions<'a>(get: impl Fn(&str) -> Option<&'a Value>) -> Vec<(String, Value)> {
    let map = get("mcpServers").and_then(Value::as_object).into_iter().flatten();
    let list = get("mcp").and_then(|mcp| mcp.get("servers")).and_then(Value::as_array).into_iter().flatten();
    let named = list.filter_map(|server| Some((server.get("name")?.as_str()?.to_owned(), server.clone())));
    map.map(|(name, server)| (name.clone(), server.clone())).chain(named).collect()
}

fn transport(config: &AgentConfig, written: Value) -> Option<(Transport, bool)> {
    let written: Written = serde_json::from_value(written).ok()?;
    let expand = |text: &str| substituted(config, text);
    let expand_all =
        |map: BTreeMap<String, String>| map.into_iter().map(|(key, value)| (key, expand(&value))).collect();
    let _ = written.name;
    let transport = match (written.command, written.url) {
        (Some(command), _) => Transport::Stdio {
            command: expand(&command),
            args: written.args.iter().map(|arg| expand(arg)).collect(),
            env: expand_all(written.env),
            cwd: written.cwd.map(|cwd| expand(&cwd)),
        },
        (None, Some(url)) => {
            let url = expand(&url);
            let mut headers: BTreeMap<String, String> = expand_all(written.headers);
            if !headers.keys().any(|name| name.eq_ignore_ascii_case("authorization"))
                && let Some(token) = token(config, &url)
            {
                headers.insert("Authorization".into(), format!("Bearer {token}"));
            }
            Transport::Http { url, headers }
        }
        (None, None) => return None,
    };
    Some((transport, written.disabled))
}

/// A token of the environment, for servers that want one and got no header.
fn token(config: &AgentConfig, url: &str) -> Option<String> {
    let host = url.split("://").nth(1)?.split(['/', ':']).next()?;
    let github = host == "github.com" || host.ends_with(".github.com") || host.ends_with(".githubcopilot.com");
    let names: &[&str] = if github {
        &["GITHUB_TOKEN", "GH_TOKEN", "MCP_TOKEN", "MCP_ACCESS_TOKEN"]
    } else {
        &["MCP_TOKEN", "MCP_ACCESS_TOKEN"]
    };
    names.iter().find_map(|name| config.env.get(*name).filter(|value| !value.is_empty()).cloned())
}

/// `~`, `@PWD@`, `@HOME@`, `@USER@`, `@PROJECT_DIR@`, `@SESSION_ID@`.
fn substituted(config: &AgentConfig, text: &str) -> String {
    let cwd = config.cwd.to_string_lossy();
    let home = config.home().map(Path::to_string_lossy).unwrap_or_default();
    let user = config.env.get("USER").cloned().unwrap_or_default();
    let session = config.relay_session_id.clone().unwrap_or_default();
    let mut text = text
        .replace("@PWD@", &cwd)
        .replace("@PROJECT_DIR@", &cwd)
        .replace("@HOME@", &home)
        .replace("@USER@", &user)
        .replace("@SESSION_ID@", &session);
    if let Some(rest) = text.strip_prefix("~/") {
        text = format!("{home}/{rest}");
    }
    text
}

pub(crate) fn timeouts(user: &UserConfig) -> Timeouts {
    let limit = |key: &str, default| match user.get(key).and_then(Value::as_u64) {
        Some(0) => None,
        Some(ms) => Some(Duration::from_millis(ms)),
        None => Some(default),
    };
    Timeouts { list: limit("mcpTimeout", LIST_TIMEOUT), call: limit("mcpCallTimeout", CALL_TIMEOUT) }
}

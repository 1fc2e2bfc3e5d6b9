//! Tools of MCP servers: started side by side, listed under `mcp__server__tool`, gone with the session.

mod config;
mod connect;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use parking_lot::Mutex;
use pizzapi_protocol::{
    ContentBlock, McpServerError, McpServerTiming, McpStartupReport, MetaEvent, MetaMcpReport, Open,
};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::clock;
use crate::config::{AgentConfig, Host};
use crate::core::Core;
use crate::op::{CommandOutcome, OpError};
use crate::provider::ToolSpec;
use crate::tool::{Call, Effect, Failure, Output, Tool};
use crate::userconfig::UserConfig;
use config::{ServerConfig, Timeouts};
use connect::Connection;

/// How long a session waits for its servers before it goes on without the slow ones.
const STARTUP_WAIT: Duration = Duration::from_secs(10);
/// The same where somebody sits in front of it.
const STARTUP_WAIT_TERMINAL: Duration = Duration::from_secs(2);
/// A start beyond this is called slow.
const SLOW: Duration = Duration::from_secs(5);
/// Longest name of a tool.
const MAX_NAME: usize = 64;

/// The servers of a session.
pub(crate) struct McpServers {
    configs: Mutex<Vec<ServerConfig>>,
    timeouts: Timeouts,
    servers: Mutex<BTreeMap<String, Server>>,
    loaded_at: Mutex<i64>,
    total: Mutex<Duration>,
}

/// What became of one server.
#[derive(Default)]
struct Server {
    connection: Option<Arc<Connection>>,
    tools: Vec<Arc<McpTool>>,
    error: Option<String>,
    took: Duration,
    timed_out: bool,
}

impl McpServers {
    pub(crate) fn new(config: &AgentConfig, user: &UserConfig) -> Self {
        let configs = if config.mcp && !config.safe_mode { config::read(config, user) } else { Vec::new() };
        Self {
            configs: Mutex::new(configs),
            timeouts: config::timeouts(user),
            servers: Mutex::default(),
            loaded_at: Mutex::new(0),
            total: Mutex::default(),
        }
    }

    fn enabled(&self) -> Vec<ServerConfig> {
        self.configs.lock().iter().filter(|config| !config.disabled).cloned().collect()
    }

    /// All tools by server and name: a fixed order keeps the provider's cache.
    fn tools(&self) -> Vec<Arc<McpTool>> {
        self.servers.lock().values().flat_map(|server| server.tools.iter().cloned()).collect()
    }
}

/// One tool of a server.
struct McpTool {
    name: String,
    remote: String,
    server: String,
    description: String,
    schema: Value,
    read_only: bool,
    connection: Arc<Connection>,
    timeout: Option<Duration>,
}

#[async_trait]
impl Tool for McpTool {
    fn spec(&self) -> ToolSpec {
        ToolSpec { name: self.name.clone(), description: self.description.clone(), parameters: self.schema.clone() }
    }

    fn summary(&self) -> String {
        let line = self.description.lines().next().unwrap_or_default();
        format!("{} ({})", line.chars().take(100).collect::<String>(), self.server)
    }

    fn effect(&self) -> Effect {
        // The server was chosen by the user; what it says about itself is believed that far.
        if self.read_only { Effect::Talk } else { Effect::Outside }
    }

    fn subject(&self, _: &Value) -> Option<String> {
        None
    }

    async fn run(&self, call: Call) -> Result<Output, Failure> {
        let arguments = call.arguments.as_object().cloned().unwrap_or_default();
        let calling = self.connection.call(&self.remote, arguments);
        let limited = async {
            match self.timeout {
                Some(limit) => tokio::time::timeout(limit, calling)
                    .await
                    .unwrap_or_else(|_| Err(format!("the server did not answer within {} s", limit.as_secs()))),
                None => calling.await,
            }
        };
        // Dropping the call tells the server to stop.
        let result = tokio::select! {
            result = limited => result,
            () = call.cancel.cancelled() => Err("aborted by the user".to_owned()),
        };
        let (content, is_error) =
            result.map_err(|error| Failure::new(format!("MCP server `{}`: {error}", self.server)))?;
        Ok(Output { content, is_error, ..Output::default() })
    }
}

/// `mcp__server__tool`, lower case, at most 64 characters, different from `taken`.
fn tool_name(server: &str, tool: &str, taken: &BTreeSet<String>) -> String {
    let clean = |text: &str| -> String {
        text.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect()
    };
    let full = format!("mcp__{}__{}", clean(server), clean(tool));
    if full.len() <= MAX_NAME && !taken.contains(&full) {
        return full;
    }
    // Stable over starts: it depends on the names only.
    let mut hash: u32 = 0x811c_9dc5;
    for byte in format!("{server}\0{tool}").bytes() {
        hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    }
    let head: String = full.chars().take(MAX_NAME - 9).collect();
    format!("{head}_{hash:08x}")
}

impl Core {
    /// Start every enabled server, wait a while, let the rest follow.
    pub(crate) async fn start_mcp(&self) {
        let configs = self.mcp.enabled();
        if configs.is_empty() {
            return;
        }
        let began = Instant::now();
        let (changed, mut changes) = mpsc::unbounded_channel::<String>();
        let mut starting = JoinSet::new();
        for config in configs {
            let core = self.arc();
            let changed = changed.clone();
            starting.spawn(async move { core.start_server(config, changed).await });
        }
        // Lists that change later.
        let weak = self.me.clone();
        tokio::spawn(async move {
            while let Some(server) = changes.recv().await {
                let Some(core) = weak.upgrade() else { return };
                core.relist(&server).await;
            }
        });
        let wait = if self.config().host == Host::Terminal { STARTUP_WAIT_TERMINAL } else { STARTUP_WAIT };
        let all = tokio::time::timeout(wait, async { while starting.join_next().await.is_some() {} }).await;
        self.adopt_mcp_tools();
        if all.is_ok() {
            self.report_mcp(began.elapsed()).await;
            return;
        }
        let core = self.arc();
        tokio::spawn(async move {
            while starting.join_next().await.is_some() {
                core.adopt_mcp_tools();
                core.capabilities_changed().await;
            }
            core.report_mcp(began.elapsed()).await;
        });
    }

    async fn start_server(&self, config: ServerConfig, changed: mpsc::UnboundedSender<String>) {
        let began = Instant::now();
        let mut server = Server::default();
        match Connection::open(&config, &self.config(), changed).await {
            Ok(connection) => {
                let connection = Arc::new(connection);
                match connection.tools(self.mcp.timeouts.list).await {
                    Ok(tools) => server.tools = self.wrap(&config.name, &connection, tools),
                    Err(error) => server.error = Some(error),
                }
                server.connection = Some(connection);
            }
            Err(error) => {
                server.timed_out = error.contains("time-out");
                server.error = Some(error);
            }
        }
        server.took = began.elapsed();
        if let Some(error) = &server.error {
            tracing::warn!(server = %config.name, %error, "an MCP server did not start");
        }
        self.mcp.servers.lock().insert(config.name, server);
    }

    fn wrap(&self, server: &str, connection: &Arc<Connection>, tools: Vec<connect::Listed>) -> Vec<Arc<McpTool>> {
        let mut taken: BTreeSet<String> = BTreeSet::new();
        tools
            .into_iter()
            .map(|tool| {
                let name = tool_name(server, &tool.name, &taken);
                taken.insert(name.clone());
                Arc::new(McpTool {
                    name,
                    remote: tool.name,
                    server: server.to_owned(),
                    description: tool.description,
                    schema: tool.schema,
                    read_only: tool.read_only,
                    connection: connection.clone(),
                    timeout: self.mcp.timeouts.call,
                })
            })
            .collect()
    }

    async fn relist(&self, name: &str) {
        let connection = self.mcp.servers.lock().get(name).and_then(|server| server.connection.clone());
        let Some(connection) = connection else { return };
        match connection.tools(self.mcp.timeouts.list).await {
            Ok(tools) => {
                let tools = self.wrap(name, &connection, tools);
                if let Some(server) = self.mcp.servers.lock().get_mut(name) {
                    server.tools = tools;
                }
                self.adopt_mcp_tools();
                self.capabilities_changed().await;
            }
            Err(error) => {
                tracing::warn!(server = %name, %error, "the changed tools of an MCP server could not be listed")
            }
        }
    }

    /// Replace the tools of servers in the session's list.
    fn adopt_mcp_tools(&self) {
        let wanted = self.config().tools.clone();
        let mut tools = self.tools.write();
        tools.retain(|name| !name.starts_with("mcp__"));
        for tool in self.mcp.tools() {
            let named = wanted.as_ref().is_none_or(|wanted| wanted.contains(&tool.name));
            if named && !self.config().exclude_tools.contains(&tool.name) {
                tools.add(tool);
            }
        }
    }

    async fn report_mcp(&self, total: Duration) {
        *self.mcp.loaded_at.lock() = clock::now_ms();
        *self.mcp.total.lock() = total;
        let report = {
            let servers = self.mcp.servers.lock();
            MetaMcpReport {
                slow: Some(total > SLOW),
                show_slow_warning: None,
                errors: Some(
                    servers
                        .iter()
                        .filter_map(|(name, server)| {
                            Some(McpServerError { server: name.clone(), error: server.error.clone()? })
                        })
                        .collect(),
                ),
                server_timings: Some(
                    servers
                        .iter()
                        .map(|(name, server)| McpServerTiming {
                            name: name.clone(),
                            duration_ms: server.took.as_secs_f64() * 1000.0,
                            tool_count: server.tools.len() as u64,
                            timed_out: server.timed_out,
                            error: server.error.clone(),
                        })
                        .collect(),
                ),
                total_duration_ms: Some(total.as_secs_f64() * 1000.0),
                tool_count: Some(servers.values().map(|server| server.tools.len() as u64).sum()),
                server_count: Some(servers.len() as u64),
                ts: Some(clock::now_ms()),
            }
        };
        let failed: Vec<String> =
            report.errors.iter().flatten().map(|e| format!("{}: {}", e.server, e.error)).collect();
        self.meta(MetaEvent::McpStartupReport(McpStartupReport { report: Open::new(report), ts: clock::now_ms() }))
            .await;
        self.capabilities_changed().await;
        if !failed.is_empty() {
            self.warn(format!("MCP: {}", failed.join("; "))).await;
        }
    }

    pub(crate) async fn mcp_shutdown(&self) {
        let servers = std::mem::take(&mut *self.mcp.servers.lock());
        // The tools hold their connections too.
        self.tools.write().retain(|name| !name.starts_with("mcp__"));
        for server in servers.into_values() {
            if let Some(connection) = &server.connection {
                connection.close().await;
            }
        }
    }

    async fn mcp_reload(&self) {
        self.mcp_shutdown().await;
        let core = self.arc();
        let user = tokio::task::spawn_blocking(move || crate::lifecycle::load_resources(&core.config()).user).await;
        if let Ok(user) = user {
            let configs = if self.config().mcp && !self.config().safe_mode {
                config::read(&self.config(), &user)
            } else {
                Vec::new()
            };
            *self.mcp.configs.lock() = configs;
        }
        self.start_mcp().await;
        self.capabilities_changed().await;
    }

    pub(crate) async fn mcp_command(&self, arguments: &str) -> Result<CommandOutcome, OpError> {
        let (verb, name) = arguments.split_once(char::is_whitespace).unwrap_or((arguments, ""));
        match verb {
            "" => {}
            "reload" => self.mcp_reload().await,
            "enable" | "disable" => {
                self.mcp_toggle(name.trim(), verb == "disable").await.map_err(OpError::Invalid)?;
            }
            other => {
                return Err(OpError::Invalid(format!("/mcp {other}: say reload, enable <name> or disable <name>")));
            }
        }
        let lines = self.mcp_lines();
        let text = if lines.is_empty() { "No MCP servers are configured.".to_owned() } else { lines.join("\n") };
        Ok(CommandOutcome { message: Some(text), host: None })
    }

    fn mcp_lines(&self) -> Vec<String> {
        let configs = self.mcp.configs.lock().clone();
        let servers = self.mcp.servers.lock();
        configs
            .iter()
            .map(|config| {
                let state = match servers.get(&config.name) {
                    _ if config.disabled => "disabled".to_owned(),
                    Some(Server { error: Some(error), .. }) => format!("failed: {error}"),
                    Some(server) => format!("{} tools", server.tools.len()),
                    None => "starting".to_owned(),
                };
                format!("- **{}** ({}, {}): {state}", config.name, config.transport.word(), config.scope)
            })
            .collect()
    }

    pub(crate) async fn exec_mcp(&self, action: &str) -> Result<Value, String> {
        match action {
            "status" => {}
            "reload" => self.mcp_reload().await,
            other => return Err(format!("Unknown mcp action: {other}")),
        }
        Ok(self.mcp_status(action))
    }

    /// The list of disabled servers is the user's: it is changed in the global file.
    pub(crate) async fn mcp_toggle(&self, name: &str, disabled: bool) -> Result<Value, String> {
        let known = self.mcp.configs.lock().iter().find(|config| config.name == name).cloned();
        let Some(config) = known else { return Err(format!("there is no MCP server `{name}`")) };
        if !disabled && config.disabled_globally && config.scope == "project" {
            return Err(format!(
                "Cannot enable \"{name}\" — it is disabled in the global config (~/.pizzapi/config.json)"
            ));
        }
        let path = self.config().agent_dir.join("config.json");
        let server = name.to_owned();
        let changed = tokio::task::spawn_blocking(move || {
            pizzapi_config::update_object(&path, |map| {
                let mut list: Vec<Value> =
                    map.get("disabledMcpServers").and_then(Value::as_array).cloned().unwrap_or_default();
                list.retain(|entry| entry.as_str() != Some(&server));
                if disabled {
                    list.push(Value::String(server));
                }
                map.insert("disabledMcpServers".into(), Value::Array(list));
            })
        })
        .await;
        match changed {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(error.to_string()),
            Err(error) => return Err(error.to_string()),
        }
        self.mcp_reload().await;
        let mut status = self.mcp_status("reload");
        status["toggledServer"] = name.into();
        status["disabled"] = disabled.into();
        Ok(status)
    }

    fn mcp_status(&self, action: &str) -> Value {
        let configs = self.mcp.configs.lock().clone();
        let lines = self.mcp_lines();
        let servers = self.mcp.servers.lock();
        let names: Vec<String> = servers.values().flat_map(|s| s.tools.iter().map(|t| t.name.clone())).collect();
        let per_server: BTreeMap<&String, Vec<&String>> =
            servers.iter().map(|(name, server)| (name, server.tools.iter().map(|tool| &tool.name).collect())).collect();
        let disabled: Vec<&String> = configs.iter().filter(|c| c.disabled).map(|c| &c.name).collect();
        let failed = servers.values().filter(|server| server.error.is_some()).count();
        let states: Vec<Value> = configs
            .iter()
            .map(|config| {
                let count = servers.get(&config.name).map_or(0, |server| server.tools.len());
                let failed = servers.get(&config.name).is_some_and(|server| server.error.is_some());
                json!({
                    "name": config.name, "transport": config.transport.word(), "scope": config.scope,
                    "state": if config.disabled { "disabled" } else if failed { "partial" } else { "loaded" },
                    "totalToolCount": count, "loadedToolCount": count, "deferredToolCount": 0, "loadedOnDemandToolCount": 0
                })
            })
            .collect();
        json!({
            "action": action,
            "toolCount": names.len(),
            "toolNames": names,
            "serverTools": per_server,
            "errors": servers.iter().filter_map(|(name, server)| {
                Some(json!({ "server": name, "error": server.error.as_ref()? }))
            }).collect::<Vec<_>>(),
            "loadedAt": clock::iso(*self.mcp.loaded_at.lock()),
            "summary": format!("{} servers, {} tools, {failed} failed", servers.len(), names.len()),
            "lines": lines,
            "config": {
                "effectiveServers": configs.iter().map(|config| json!({
                    "name": config.name, "transport": config.transport.word(), "scope": config.scope
                })).collect::<Vec<_>>(),
                "disabledServers": disabled,
            },
            "counts": {
                "totalTools": names.len(), "loadedTools": names.len(), "deferredTools": 0, "loadedOnDemandTools": 0,
                "disabledServers": disabled.len()
            },
            "serverStates": states,
            "toolStates": servers.iter().flat_map(|(name, server)| server.tools.iter().map(move |tool| json!({
                "name": tool.name, "serverName": name, "state": "loaded"
            }))).collect::<Vec<_>>(),
            "serverTimings": servers.iter().map(|(name, server)| json!({
                "name": name, "durationMs": server.took.as_secs_f64() * 1000.0, "toolCount": server.tools.len(),
                "timedOut": server.timed_out, "error": server.error
            })).collect::<Vec<_>>(),
            "totalDurationMs": self.mcp.total.lock().as_secs_f64() * 1000.0,
        })
    }
}

/// Blocks of a result as ours.
fn block(text: impl Into<String>) -> ContentBlock {
    ContentBlock::text(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tool_names_are_plain_short_and_different() {
        let mut taken = BTreeSet::new();
        let first = tool_name("My Server", "Do.It", &taken);
        assert_eq!(first, "mcp__my_server__do_it");
        taken.insert(first.clone());
        let second = tool_name("My Server", "do_it", &taken);
        assert!(second != first && second.len() <= MAX_NAME);
        assert!(tool_name("s", &"x".repeat(100), &taken).len() <= MAX_NAME);
    }
}

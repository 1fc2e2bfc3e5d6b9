//! One connection to an MCP server. The only file that knows the library.

use std::collections::HashMap;
use std::process::Stdio;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use pizzapi_protocol::ContentBlock;
use pizzapi_tools::bash::strip_relay_secrets;
use rmcp::model::{
    CallToolRequestParams, ClientCapabilities, ClientConfig, ContentBlock as McpBlock, Implementation, ResourceContents,
};
use rmcp::service::{NotificationContext, Peer, RoleClient, RunningService};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::transport::{StreamableHttpClientTransport, TokioChildProcess};
use rmcp::{ClientHandler, ServiceExt as _};
use serde_json::{Map, Value};
use tokio::io::AsyncBufReadExt as _;
use tokio::sync::{Mutex, mpsc};

use super::block;
use super::config::{ServerConfig, Transport};
use crate::config::AgentConfig;

/// How long a server may take to say hello.
const INITIALISE: Duration = Duration::from_secs(180);
/// How long a server may take to end by itself.
const CLOSE: Duration = Duration::from_secs(3);

/// A tool as its server lists it.
pub(super) struct Listed {
    pub name: String,
    pub description: String,
    pub schema: Value,
    pub read_only: bool,
}

/// Tells when the server's list of tools changed.
#[derive(Clone)]
struct Handler {
    server: String,
    changed: mpsc::UnboundedSender<String>,
}

impl ClientHandler for Handler {
    fn get_info(&self) -> ClientConfig {
        let client = Implementation::new("pizzapi", env!("CARGO_PKG_VERSION"));
        ClientConfig::new(ClientCapabilities::default(), client)
    }

    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        // The session may be over already.
        let _ = self.changed.send(self.server.clone());
    }
}

pub(super) struct Connection {
    peer: Peer<RoleClient>,
    service: Mutex<Option<RunningService<RoleClient, Handler>>>,
    pid: Option<u32>,
}

impl Connection {
    pub(super) async fn open(
        config: &ServerConfig,
        agent: &AgentConfig,
        changed: mpsc::UnboundedSender<String>,
    ) -> Result<Self, String> {
        let handler = Handler { server: config.name.clone(), changed };
        let mut pid = None;
        let starting = async {
            match &config.transport {
                Transport::Stdio { .. } => {
                    let child = spawn(config, agent)?;
                    pid = child.id();
                    handler.serve(child).await.map_err(|error| error.to_string())
                }
                Transport::Http { url, headers } => {
                    let transport = http(url, headers)?;
                    handler.serve(transport).await.map_err(|error| error.to_string())
                }
            }
        };
        let service = tokio::time::timeout(INITIALISE, starting)
            .await
            .map_err(|_| format!("time-out: no hello within {} s", INITIALISE.as_secs()))??;
        Ok(Self { peer: service.peer().clone(), service: Mutex::new(Some(service)), pid })
    }

    pub(super) async fn tools(&self, limit: Option<Duration>) -> Result<Vec<Listed>, String> {
        let listing = self.peer.list_all_tools();
        let tools = match limit {
            Some(limit) => tokio::time::timeout(limit, listing)
                .await
                .map_err(|_| format!("time-out: tools were not listed within {} s", limit.as_secs()))?,
            None => listing.await,
        }
        .map_err(|error| format!("failed to list tools: {error}"))?;
        Ok(tools
            .into_iter()
            .map(|tool| Listed {
                name: tool.name.into_owned(),
                description: tool.description.map(|text| text.into_owned()).unwrap_or_default(),
                schema: {
                    let mut schema = (*tool.input_schema).clone();
                    // Every provider insists on it; some servers leave it out.
                    schema.entry("type").or_insert_with(|| "object".into());
                    Value::Object(schema)
                },
                read_only: tool.annotations.and_then(|notes| notes.read_only_hint).unwrap_or(false),
            })
            .collect())
    }

    /// Content and whether it is an error. Dropping the future cancels the call at the server.
    pub(super) async fn call(
        &self,
        tool: &str,
        arguments: Map<String, Value>,
    ) -> Result<(Vec<ContentBlock>, bool), String> {
        let request = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        let result = self.peer.call_tool(request).await.map_err(|error| error.to_string())?;
        let mut content: Vec<ContentBlock> = result.content.into_iter().map(converted).collect();
        if content.is_empty()
            && let Some(structured) = result.structured_content
        {
            content.push(block(structured.to_string()));
        }
        Ok((content, result.is_error.unwrap_or(false)))
    }

    pub(super) async fn close(&self) {
        let service = self.service.lock().await.take();
        if let Some(service) = service {
            // A server that does not end by itself is ended below.
            let _ = tokio::time::timeout(CLOSE, service.cancel()).await;
        }
        if let Some(pid) = self.pid.and_then(|pid| i32::try_from(pid).ok()) {
            pizzapi_tools::process::terminate(pid, false, None, CLOSE).await;
        }
    }
}

fn spawn(config: &ServerConfig, agent: &AgentConfig) -> Result<TokioChildProcess, String> {
    let Transport::Stdio { command, args, env, cwd } = &config.transport else {
        return Err("not a local server".into());
    };
    let mut variables = agent.env.clone();
    strip_relay_secrets(&mut variables);
    variables.extend(env.clone());
    let mut process = tokio::process::Command::new(command);
    process
        .args(args)
        .env_clear()
        .envs(variables)
        .current_dir(cwd.as_deref().map_or(agent.cwd.as_path(), std::path::Path::new));
    pizzapi_tools::process::new_session(&mut process);
    let (child, stderr) = TokioChildProcess::builder(process)
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("failed to start `{command}`: {error}"))?;
    if let Some(stderr) = stderr {
        let server = config.name.clone();
        tokio::spawn(async move {
            let mut lines = tokio::io::BufReader::new(stderr).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                tracing::debug!(%server, "mcp: {line}");
            }
        });
    }
    Ok(child)
}

fn http(
    url: &str,
    headers: &std::collections::BTreeMap<String, String>,
) -> Result<StreamableHttpClientTransport<reqwest::Client>, String> {
    let mut custom: HashMap<HeaderName, HeaderValue> = HashMap::new();
    for (name, value) in headers {
        let name: HeaderName = name.parse().map_err(|_| format!("`{name}` is not a header name"))?;
        let value: HeaderValue = value.parse().map_err(|_| format!("the value of header `{name}` cannot be sent"))?;
        custom.insert(name, value);
    }
    let mut config = StreamableHttpClientTransportConfig::with_uri(url);
    config.custom_headers = custom;
    Ok(StreamableHttpClientTransport::from_config(config))
}

fn converted(part: McpBlock) -> ContentBlock {
    match part {
        McpBlock::Text(text) => block(text.text),
        McpBlock::Image(image) => ContentBlock::image(image.data, image.mime_type),
        McpBlock::Resource(resource) => match resource.resource {
            ResourceContents::TextResourceContents { uri, text, .. } => block(format!("[{uri}]\n{text}")),
            ResourceContents::BlobResourceContents { uri, .. } => block(format!("[{uri}: binary content]")),
            _ => block("[resource]"),
        },
        McpBlock::ResourceLink(link) => block(format!("[{}]", link.uri)),
        _ => block("[content of a kind that cannot be shown]"),
    }
}

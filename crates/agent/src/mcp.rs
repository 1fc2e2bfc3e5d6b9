//! Tools of MCP servers.

use serde_json::{Value, json};

use crate::core::Core;
use crate::op::{CommandOutcome, OpError};
use crate::userconfig::UserConfig;

/// The servers of a session.
#[derive(Debug, Default)]
pub struct McpServers {}

impl McpServers {
    pub fn new(_: &UserConfig) -> Self {
        Self {}
    }
}

impl Core {
    pub(crate) async fn start_mcp(&self) {}

    pub(crate) async fn mcp_shutdown(&self) {}

    pub(crate) async fn mcp_command(&self, _: &str) -> Result<CommandOutcome, OpError> {
        Ok(CommandOutcome { message: Some("No MCP servers are configured.".into()), host: None })
    }

    pub(crate) async fn exec_mcp(&self, action: &str) -> Result<Value, String> {
        Ok(json!({ "action": action, "toolCount": 0, "toolNames": [] }))
    }

    pub(crate) async fn mcp_toggle(&self, name: &str, _: bool) -> Result<Value, String> {
        Err(format!("there is no MCP server `{name}`"))
    }
}

//! What the daemon cannot answer without knowing the agent. The program that contains both provides it.

use std::path::PathBuf;

use async_trait::async_trait;
use pizzapi_protocol::model::Model;
use serde_json::Value;

use crate::services::{Failure, Reply};

/// The agent's knowledge of this machine. Answers are the members of the reply on the wire.
#[async_trait]
pub trait AgentHost: Send + Sync + 'static {
    /// Models that can be used with the credentials of this machine.
    async fn models(&self) -> Result<Vec<Model>, Failure>;

    /// Tokens and costs of the sessions of this machine. `range`: `7d`, `30d`, `90d` or `all`.
    async fn usage(&self, _range: &str) -> Result<Value, Failure> {
        Err(Failure::new("usage is not available on this runner"))
    }

    /// What fills the context of one session. `transcript`: where it is recorded, when known.
    async fn analyze(&self, _session_id: &str, _transcript: Option<PathBuf>) -> Result<Value, Failure> {
        Err(Failure::new("the analysis is not available on this runner"))
    }

    /// `{providers: [{id, name, types, configured}]}`
    async fn auth_list(&self) -> Reply;

    /// `{step}`: what to ask the person next.
    async fn auth_login_start(&self, provider: &str, api_key: bool) -> Reply;
    async fn auth_login_submit(&self, login: &str, value: &str) -> Reply;
    async fn auth_login_status(&self, login: &str) -> Reply;
    async fn auth_login_cancel(&self, login: &str) -> Reply;
}

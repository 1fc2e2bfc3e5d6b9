//! Terminals on runners.

use std::sync::Arc;

use async_trait::async_trait;
use pizzapi_protocol::{RunnerId, TerminalId, UserId};

use super::StoreError;

/// Terminals one runner may have at once.
pub const MAX_PER_RUNNER: usize = 16;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TerminalRecord {
    pub terminal_id: TerminalId,
    pub runner_id: RunnerId,
    pub user_id: UserId,
    pub cwd: Option<String>,
    pub shell: Option<String>,
    pub cols: u16,
    pub rows: u16,
    pub created_at: i64,
    /// Somebody asked the runner to start it.
    pub spawned: bool,
    /// The runner says that it runs.
    pub ready: bool,
    pub exit_code: Option<i32>,
    pub ended_at: Option<i64>,
}

#[async_trait]
pub trait TerminalStore: Send + Sync + 'static {
    /// Note a terminal that is not started yet. `false`: its runner has too many.
    async fn create(&self, record: TerminalRecord) -> Result<bool, StoreError>;

    async fn get(&self, id: &TerminalId) -> Result<Option<Arc<TerminalRecord>>, StoreError>;

    async fn of_runner(&self, runner: &RunnerId) -> Result<Vec<Arc<TerminalRecord>>, StoreError>;

    async fn all(&self) -> Result<Vec<Arc<TerminalRecord>>, StoreError>;

    /// Take the right to start it: exactly one caller gets the record.
    async fn claim_spawn(
        &self,
        id: &TerminalId,
        cols: u16,
        rows: u16,
    ) -> Result<Option<Arc<TerminalRecord>>, StoreError>;

    /// Starting failed before the runner heard of it.
    async fn release_spawn(&self, id: &TerminalId) -> Result<(), StoreError>;

    async fn set_ready(&self, id: &TerminalId) -> Result<(), StoreError>;

    async fn resize(&self, id: &TerminalId, cols: u16, rows: u16) -> Result<(), StoreError>;

    /// `false`: it had ended.
    async fn end(&self, id: &TerminalId, exit_code: i32, now: i64) -> Result<bool, StoreError>;

    async fn remove(&self, id: &TerminalId) -> Result<(), StoreError>;
}

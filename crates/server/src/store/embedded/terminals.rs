use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use pizzapi_protocol::{RunnerId, TerminalId};

use crate::store::terminal::MAX_PER_RUNNER;
use crate::store::{StoreError, TerminalRecord, TerminalStore};

#[derive(Default)]
pub struct Terminals {
    all: Mutex<HashMap<TerminalId, TerminalRecord>>,
}

impl Terminals {
    fn change<T>(&self, id: &TerminalId, change: impl FnOnce(&mut TerminalRecord) -> T) -> Result<T, StoreError> {
        let mut all = self.all.lock();
        all.get_mut(id).map(change).ok_or_else(|| StoreError::Missing(id.to_string()))
    }
}

#[async_trait]
impl TerminalStore for Terminals {
    async fn create(&self, record: TerminalRecord) -> Result<bool, StoreError> {
        let mut all = self.all.lock();
        let there =
            all.values().filter(|known| known.runner_id == record.runner_id && known.ended_at.is_none()).count();
        if there >= MAX_PER_RUNNER {
            return Ok(false);
        }
        all.insert(record.terminal_id.clone(), record);
        Ok(true)
    }

    async fn get(&self, id: &TerminalId) -> Result<Option<Arc<TerminalRecord>>, StoreError> {
        Ok(self.all.lock().get(id).cloned().map(Arc::new))
    }

    async fn of_runner(&self, runner: &RunnerId) -> Result<Vec<Arc<TerminalRecord>>, StoreError> {
        Ok(self.all.lock().values().filter(|known| known.runner_id == *runner).cloned().map(Arc::new).collect())
    }

    async fn all(&self) -> Result<Vec<Arc<TerminalRecord>>, StoreError> {
        Ok(self.all.lock().values().cloned().map(Arc::new).collect())
    }

    async fn claim_spawn(
        &self,
        id: &TerminalId,
        cols: u16,
        rows: u16,
    ) -> Result<Option<Arc<TerminalRecord>>, StoreError> {
        self.change(id, |terminal| {
            if terminal.spawned || terminal.ended_at.is_some() {
                return None;
            }
            terminal.spawned = true;
            (terminal.cols, terminal.rows) = (cols, rows);
            Some(Arc::new(terminal.clone()))
        })
    }

    async fn release_spawn(&self, id: &TerminalId) -> Result<(), StoreError> {
        self.change(id, |terminal| terminal.spawned = false)
    }

    async fn set_ready(&self, id: &TerminalId) -> Result<(), StoreError> {
        self.change(id, |terminal| {
            terminal.spawned = true;
            terminal.ready = true;
        })
    }

    async fn resize(&self, id: &TerminalId, cols: u16, rows: u16) -> Result<(), StoreError> {
        self.change(id, |terminal| (terminal.cols, terminal.rows) = (cols, rows))
    }

    async fn end(&self, id: &TerminalId, exit_code: i32, now: i64) -> Result<bool, StoreError> {
        self.change(id, |terminal| {
            let first = terminal.ended_at.is_none();
            if first {
                terminal.ended_at = Some(now);
                terminal.exit_code = Some(exit_code);
            }
            first
        })
    }

    async fn remove(&self, id: &TerminalId) -> Result<(), StoreError> {
        self.all.lock().remove(id);
        Ok(())
    }
}

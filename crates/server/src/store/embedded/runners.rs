use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use pizzapi_protocol::{RunnerId, UserId};

use crate::core::lifecycle::Presence;
use crate::store::runner::{MAX_WARNINGS, RunnerChange};
use crate::store::{RunnerRecord, RunnerStore, StoreError};

#[derive(Default)]
pub struct Runners {
    all: Mutex<HashMap<RunnerId, Arc<RunnerRecord>>>,
}

impl Runners {
    fn change(
        &self,
        id: &RunnerId,
        claim: u64,
        change: impl FnOnce(&mut RunnerRecord) -> bool,
    ) -> Result<Option<Arc<RunnerRecord>>, StoreError> {
        let mut all = self.all.lock();
        let known = all.get_mut(id).ok_or_else(|| StoreError::Missing(id.to_string()))?;
        if known.claim != claim {
            return Err(StoreError::Fenced(id.to_string()));
        }
        let mut next = RunnerRecord::clone(known);
        if !change(&mut next) {
            return Ok(None);
        }
        *known = Arc::new(next);
        Ok(Some(known.clone()))
    }
}

#[async_trait]
impl RunnerStore for Runners {
    async fn claim(&self, mut record: RunnerRecord) -> Result<Arc<RunnerRecord>, StoreError> {
        let mut all = self.all.lock();
        if let Some(known) = all.get(&record.runner_id) {
            if known.user_id != record.user_id {
                return Err(StoreError::Foreign(record.runner_id.to_string()));
            }
            record.claim = known.claim + 1;
            record.services = record.services.or_else(|| known.services.clone());
            record.warnings.clone_from(&known.warnings);
        } else {
            record.claim = 1;
        }
        let record = Arc::new(record);
        all.insert(record.runner_id.clone(), record.clone());
        Ok(record)
    }

    async fn get(&self, id: &RunnerId) -> Result<Option<Arc<RunnerRecord>>, StoreError> {
        Ok(self.all.lock().get(id).cloned())
    }

    async fn of_user(&self, user: &UserId) -> Result<Vec<Arc<RunnerRecord>>, StoreError> {
        let mut list: Vec<_> = self.all.lock().values().filter(|runner| runner.user_id == *user).cloned().collect();
        list.sort_by(|a, b| a.runner_id.cmp(&b.runner_id));
        Ok(list)
    }

    async fn all(&self) -> Result<Vec<Arc<RunnerRecord>>, StoreError> {
        Ok(self.all.lock().values().cloned().collect())
    }

    async fn report(
        &self,
        id: &RunnerId,
        claim: u64,
        change: RunnerChange,
    ) -> Result<Option<Arc<RunnerRecord>>, StoreError> {
        fn set<T: PartialEq>(target: &mut T, value: T) -> bool {
            let differs = *target != value;
            *target = value;
            differs
        }
        self.change(id, claim, |runner| match change {
            RunnerChange::Skills(list) => set(&mut runner.skills, list),
            RunnerChange::Agents(list) => set(&mut runner.agents, list),
            RunnerChange::Plugins(list) => set(&mut runner.plugins, list),
            RunnerChange::Services(services) => set(&mut runner.services, Some(*services)),
            RunnerChange::Warning(message) => {
                if runner.warnings.contains(&message) {
                    return false;
                }
                runner.warnings.push(message);
                if runner.warnings.len() > MAX_WARNINGS {
                    runner.warnings.remove(0);
                }
                true
            }
            RunnerChange::ClearWarnings => set(&mut runner.warnings, Vec::new()),
        })
    }

    async fn set_presence(
        &self,
        id: &RunnerId,
        claim: u64,
        presence: Presence,
        now: i64,
    ) -> Result<Option<Arc<RunnerRecord>>, StoreError> {
        match self.change(id, claim, |runner| {
            runner.presence = presence;
            runner.seen_at = now;
            true
        }) {
            Err(StoreError::Fenced(_) | StoreError::Missing(_)) => Ok(None),
            other => other,
        }
    }

    async fn forget(&self, id: &RunnerId) -> Result<(), StoreError> {
        self.all.lock().remove(id);
        Ok(())
    }
}

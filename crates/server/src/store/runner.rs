//! Runners that are connected, or were until a moment ago. Their identity is a durable row elsewhere.

use std::sync::Arc;

use async_trait::async_trait;
use pizzapi_protocol::{
    PeerCapabilities, RunnerAgent, RunnerHook, RunnerId, RunnerInfo, RunnerPlugin, RunnerSkill, RunnerStatus,
    ServiceAnnounce, UserId,
};
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::clock::iso;
use crate::core::lifecycle::Presence;

/// Distinct warnings kept per runner; the oldest give way.
pub const MAX_WARNINGS: usize = 20;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunnerRecord {
    pub runner_id: RunnerId,
    pub user_id: UserId,
    pub user_name: String,
    pub name: Option<String>,
    pub roots: Vec<String>,
    pub skills: Vec<RunnerSkill>,
    pub agents: Vec<RunnerAgent>,
    pub plugins: Vec<RunnerPlugin>,
    pub hooks: Vec<RunnerHook>,
    pub version: Option<String>,
    pub platform: Option<String>,
    pub services: Option<ServiceAnnounce>,
    pub warnings: Vec<String>,
    pub presence: Presence,
    pub seen_at: i64,
    /// It has an identity of its own; others are forgotten when they go.
    pub is_lasting: bool,
    /// Grows with each registration; what an older connection does is ignored.
    pub claim: u64,
    #[serde(default, skip_deserializing, skip_serializing)]
    pub capabilities: PeerCapabilities,
}

impl RunnerRecord {
    /// The entry of a list.
    pub fn info(&self, sessions: u32) -> RunnerInfo {
        let services = self.services.clone().unwrap_or_default();
        let listed = |list: Vec<String>| Some(list).filter(|list| !list.is_empty());
        RunnerInfo {
            runner_id: self.runner_id.clone(),
            name: self.name.clone(),
            roots: self.roots.clone(),
            session_count: sessions,
            skills: self.skills.clone(),
            agents: self.agents.clone(),
            plugins: Some(self.plugins.clone()),
            hooks: Some(self.hooks.clone()),
            version: self.version.clone(),
            platform: self.platform.clone().into(),
            service_ids: listed(services.service_ids),
            disabled_service_ids: services.disabled_service_ids.and_then(listed),
            panels: services.panels.filter(|list| !list.is_empty()),
            trigger_defs: services.trigger_defs.filter(|list| !list.is_empty()),
            sigil_defs: services.sigil_defs.filter(|list| !list.is_empty()),
            session_modes: services.session_modes.filter(|list| !list.is_empty()),
            warnings: listed(self.warnings.clone()),
            status: Some(match self.presence {
                Presence::Online => RunnerStatus::Online,
                Presence::Reconnecting { .. } => RunnerStatus::Reconnecting,
                Presence::Offline { .. } => RunnerStatus::Offline,
            }),
            last_seen_at: Some(iso(self.seen_at)),
        }
    }
}

/// What a connection reports about its runner.
#[derive(Debug, Clone)]
pub enum RunnerChange {
    Skills(Vec<RunnerSkill>),
    Agents(Vec<RunnerAgent>),
    Plugins(Vec<RunnerPlugin>),
    Services(Box<ServiceAnnounce>),
    Warning(String),
    ClearWarnings,
}

/// Live runners.
#[async_trait]
pub trait RunnerStore: Send + Sync + 'static {
    /// Take the place of an earlier connection. Services and warnings of a known runner stay until it announces new ones.
    async fn claim(&self, record: RunnerRecord) -> Result<Arc<RunnerRecord>, StoreError>;

    async fn get(&self, id: &RunnerId) -> Result<Option<Arc<RunnerRecord>>, StoreError>;

    async fn of_user(&self, user: &UserId) -> Result<Vec<Arc<RunnerRecord>>, StoreError>;

    async fn all(&self) -> Result<Vec<Arc<RunnerRecord>>, StoreError>;

    /// Apply what the connection of `claim` reports. `None`: nothing changed. Errors: `Fenced` after a newer claim.
    async fn report(
        &self,
        id: &RunnerId,
        claim: u64,
        change: RunnerChange,
    ) -> Result<Option<Arc<RunnerRecord>>, StoreError>;

    /// No effect when a newer claim exists.
    async fn set_presence(
        &self,
        id: &RunnerId,
        claim: u64,
        presence: Presence,
        now: i64,
    ) -> Result<Option<Arc<RunnerRecord>>, StoreError>;

    async fn forget(&self, id: &RunnerId) -> Result<(), StoreError>;
}

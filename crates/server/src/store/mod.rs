//! Live state: who is there now. One contract per kind of thing, with verbs of our domain, each atomic in every backend.
//!
//! Handlers reach it through [`Stores`]. What is durable beyond the life of a session lies in the database; what a session said
//! lies in its log.

pub mod conformance;
mod embedded;
pub mod presence;
pub mod runner;
pub mod session;
pub mod terminal;

use std::sync::Arc;

pub use presence::{Audience, PresenceStore};
pub use runner::{RunnerRecord, RunnerStore};
pub use session::{Claim, Claimed, Life, Link, LinkState, SessionRecord, SessionStore};
pub use terminal::{TerminalRecord, TerminalStore};

use crate::log::{LogError, Logs};

/// All live state of a server.
#[derive(Clone)]
pub struct Stores {
    pub sessions: Arc<dyn SessionStore>,
    pub runners: Arc<dyn RunnerStore>,
    pub terminals: Arc<dyn TerminalStore>,
    pub presence: Arc<dyn PresenceStore>,
}

impl Stores {
    /// One node: everything in this process, sessions kept beside their logs.
    ///
    /// Errors: the records of sessions cannot be read.
    pub async fn embedded(logs: Logs) -> Result<Self, StoreError> {
        Ok(Self {
            sessions: Arc::new(embedded::sessions::Sessions::open(logs).await?),
            runners: Arc::new(embedded::runners::Runners::default()),
            terminals: Arc::new(embedded::terminals::Terminals::default()),
            presence: Arc::new(embedded::presence::Presence::default()),
        })
    }
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("`{0}` is not known")]
    Missing(String),
    #[error("`{0}` has a newer owner")]
    Fenced(String),
    #[error("`{0}` belongs to somebody else")]
    Foreign(String),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("failed to {action}")]
    Io { action: &'static str, source: std::io::Error },
    #[error("a stored record is damaged")]
    Corrupt(#[from] serde_json::Error),
}

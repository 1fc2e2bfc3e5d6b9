//! Agents that work beside this one.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::userconfig::UserConfig;

/// The sub-agents of a session.
#[derive(Debug, Default)]
pub struct Subagents {
    active: AtomicUsize,
}

impl Subagents {
    pub fn new(_: &UserConfig) -> Self {
        Self::default()
    }

    pub fn active(&self) -> usize {
        self.active.load(Ordering::Relaxed)
    }

    pub async fn abort_all(&self) {}
}

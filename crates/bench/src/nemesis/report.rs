//! What went wrong, and what was done, over all parts of one run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use pizzapi_protocol::delivery::CommandState;

/// Violations kept; the first ones tell the story.
const KEEP: usize = 20;
/// History kept for the report of a violation.
const HISTORY: usize = 400;

#[derive(Clone)]
pub struct Report {
    inner: Arc<Mutex<Inner>>,
    started: Instant,
}

#[derive(Default)]
struct Inner {
    violations: Vec<String>,
    history: std::collections::VecDeque<String>,
    commands: BTreeMap<String, Command>,
    counts: BTreeMap<&'static str, u64>,
}

/// One prompt, as its author and the session saw it.
#[derive(Debug, Default, Clone)]
pub struct Command {
    pub session: String,
    pub text: String,
    /// The relay said it is stored.
    pub accepted: bool,
    pub ended: Vec<CommandState>,
    /// How often the session acted on it.
    pub consumed: u32,
}

impl Default for Report {
    fn default() -> Self {
        Self { inner: Arc::default(), started: Instant::now() }
    }
}

impl Report {
    pub fn note(&self, what: impl FnOnce() -> String) {
        let mut inner = self.inner.lock();
        if inner.history.len() == HISTORY {
            inner.history.pop_front();
        }
        let line = format!("{:>8.3} {}", self.started.elapsed().as_secs_f64(), what());
        inner.history.push_back(line);
    }

    pub fn violation(&self, what: impl Into<String>) {
        let what = what.into();
        self.note(|| format!("VIOLATION {what}"));
        let mut inner = self.inner.lock();
        if inner.violations.len() < KEEP {
            inner.violations.push(what);
        }
    }

    pub fn count(&self, what: &'static str) {
        *self.inner.lock().counts.entry(what).or_default() += 1;
    }

    pub fn command(&self, id: &str, change: impl FnOnce(&mut Command)) {
        change(self.inner.lock().commands.entry(id.to_owned()).or_default());
    }

    pub fn commands(&self) -> BTreeMap<String, Command> {
        self.inner.lock().commands.clone()
    }

    pub fn violations(&self) -> Vec<String> {
        self.inner.lock().violations.clone()
    }

    pub fn history(&self) -> Vec<String> {
        self.inner.lock().history.iter().cloned().collect()
    }

    pub fn summary(&self) -> String {
        let inner = self.inner.lock();
        let counts: Vec<String> = inner.counts.iter().map(|(what, count)| format!("{what} {count}")).collect();
        counts.join(", ")
    }
}

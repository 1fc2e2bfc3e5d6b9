//! How often something may be tried: sliding windows in memory, bounded, with the time until the next try.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// A budget: at most `max` in any `window`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    pub name: &'static str,
    pub max: usize,
    pub window: Duration,
}

impl Budget {
    const fn new(name: &'static str, max: usize, seconds: u64) -> Self {
        Self { name, max, window: Duration::from_secs(seconds) }
    }
}

pub const REGISTER: Budget = Budget::new("register", 5, 15 * 60);
/// Sign-in, sign-up, and whatever else takes a password.
pub const PASSWORD: Budget = Budget::new("password", 3, 10);
/// Failed passwords for one account, from anywhere.
pub const PASSWORD_FAILURES: Budget = Budget::new("password_failures", 20, 15 * 60);
pub const ACCOUNT: Budget = Budget::new("account", 100, 10);
pub const CLAIM_CREATE: Budget = Budget::new("claim_create", 10, 10 * 60);
pub const CLAIM_POLL: Budget = Budget::new("claim_poll", 60, 60);

/// Keys counted at once; beyond it idle ones are forgotten first, then new ones refused.
const MAX_KEYS: usize = 100_000;

/// Windows of one node.
#[derive(Debug)]
pub struct Limits {
    unlimited: bool,
    windows: Mutex<HashMap<(&'static str, String), VecDeque<Instant>>>,
}

impl Limits {
    pub fn new(unlimited: bool) -> Self {
        Self { unlimited, windows: Mutex::default() }
    }

    /// Count one try of `key`. The error says how long to wait.
    pub fn take(&self, budget: Budget, key: &str) -> Result<(), Duration> {
        if self.unlimited {
            return Ok(());
        }
        self.take_counted(budget, key)
    }

    /// Like [`Limits::take`], also where account limits are switched off.
    pub fn take_counted(&self, budget: Budget, key: &str) -> Result<(), Duration> {
        let now = Instant::now();
        let mut windows = self.windows.lock();
        let slot = (budget.name, key.to_owned());
        if windows.len() >= MAX_KEYS && !windows.contains_key(&slot) {
            windows.retain(|_, tries| tries.back().is_some_and(|last| now - *last < budget.window));
            if windows.len() >= MAX_KEYS {
                return Err(budget.window);
            }
        }
        let tries = windows.entry(slot).or_default();
        while tries.front().is_some_and(|first| now - *first >= budget.window) {
            tries.pop_front();
        }
        match tries.front() {
            Some(first) if tries.len() >= budget.max => Err(budget.window.saturating_sub(now - *first)),
            _ => {
                tries.push_back(now);
                Ok(())
            }
        }
    }

    /// Is the budget used up? Counts nothing.
    pub fn is_spent(&self, budget: Budget, key: &str) -> Option<Duration> {
        if self.unlimited {
            return None;
        }
        let now = Instant::now();
        let windows = self.windows.lock();
        let tries = windows.get(&(budget.name, key.to_owned()))?;
        let mut recent = tries.iter().filter(|at| now - **at < budget.window);
        let first = *recent.next()?;
        (recent.count() + 1 >= budget.max).then(|| budget.window.saturating_sub(now - first))
    }

    /// Forget windows nobody has touched for an hour.
    pub fn sweep(&self) {
        const IDLE: Duration = Duration::from_secs(60 * 60);
        let now = Instant::now();
        self.windows.lock().retain(|_, tries| tries.back().is_some_and(|last| now - *last < IDLE));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_budget_is_given_back_as_its_window_passes() {
        let limits = Limits::new(false);
        for _ in 0..3 {
            assert_eq!(limits.take(PASSWORD, "a"), Ok(()));
        }
        assert_eq!(limits.take(PASSWORD, "a"), Err(Duration::from_secs(10)));
        assert_eq!(limits.take(PASSWORD, "b"), Ok(()));
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(limits.take(PASSWORD, "a"), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn looking_does_not_count() {
        let limits = Limits::new(false);
        let budget = Budget::new("x", 1, 10);
        assert_eq!(limits.is_spent(budget, "a"), None);
        assert_eq!(limits.take(budget, "a"), Ok(()));
        assert_eq!(limits.is_spent(budget, "a"), Some(Duration::from_secs(10)));
    }
}

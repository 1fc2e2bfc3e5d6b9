//! Which failures are worth another try, and when.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use serde::{Deserialize, Serialize};

use super::ProviderError;

/// Settings `retry`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RetrySettings {
    pub enabled: bool,
    pub max_retries: u32,
    pub base_delay_ms: u64,
    pub provider: ProviderRetrySettings,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProviderRetrySettings {
    /// Longest wait a provider may ask for; 0 = any.
    pub max_retry_delay_ms: u64,
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self { enabled: true, max_retries: 3, base_delay_ms: 2000, provider: ProviderRetrySettings::default() }
    }
}

impl Default for ProviderRetrySettings {
    fn default() -> Self {
        Self { max_retry_delay_ms: 60_000 }
    }
}

/// What to do after a failed attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Again { attempt: u32, delay: Duration },
    GiveUp { reason: Option<String> },
}

/// Counts the attempts of one run. A successful response starts over.
#[derive(Debug)]
pub struct Retries {
    settings: RetrySettings,
    failed: u32,
}

impl Retries {
    pub fn new(settings: RetrySettings) -> Self {
        Self { settings, failed: 0 }
    }

    pub fn max_attempts(&self) -> u32 {
        self.settings.max_retries
    }

    /// Attempts made again so far.
    pub fn attempts(&self) -> u32 {
        self.failed
    }

    pub fn succeeded(&mut self) {
        self.failed = 0;
    }

    pub fn failed(&mut self, error: &ProviderError) -> Verdict {
        if !self.settings.enabled || !error.is_retryable() || self.failed >= self.settings.max_retries {
            return Verdict::GiveUp { reason: None };
        }
        let limit = self.settings.provider.max_retry_delay_ms;
        if let Some(asked) = error.retry_after
            && limit > 0
            && asked > Duration::from_millis(limit)
        {
            let reason = format!("{} (the provider asks to wait {} s)", error.message, asked.as_secs());
            return Verdict::GiveUp { reason: Some(reason) };
        }
        let own = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(self.settings.base_delay_ms))
            .with_factor(2.0)
            .without_max_times()
            .with_max_delay(Duration::from_secs(3600))
            .build()
            .nth(self.failed as usize)
            .unwrap_or_default();
        self.failed += 1;
        Verdict::Again { attempt: self.failed, delay: error.retry_after.map_or(own, |asked| asked.max(own)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::ErrorKind;

    #[test]
    fn waits_double_until_the_attempts_are_spent_and_start_over_after_a_success() {
        let mut retries = Retries::new(RetrySettings::default());
        let error = ProviderError::new(ErrorKind::Transient, "overloaded");
        let delays: Vec<_> = (0..4).map(|_| retries.failed(&error)).collect();
        let again = |attempt, s| Verdict::Again { attempt, delay: Duration::from_secs(s) };
        assert_eq!(delays, [again(1, 2), again(2, 4), again(3, 8), Verdict::GiveUp { reason: None }]);
        retries.succeeded();
        assert_eq!(retries.failed(&error), again(1, 2));
    }

    #[test]
    fn a_longer_wait_of_the_provider_counts_unless_it_is_too_long() {
        let mut retries = Retries::new(RetrySettings::default());
        let wait = |s| ProviderError {
            retry_after: Some(Duration::from_secs(s)),
            ..ProviderError::new(ErrorKind::Transient, "rate limit")
        };
        assert_eq!(retries.failed(&wait(9)), Verdict::Again { attempt: 1, delay: Duration::from_secs(9) });
        assert!(matches!(retries.failed(&wait(61)), Verdict::GiveUp { reason: Some(text) } if text.contains("61 s")));
    }
}

//! How long to wait before the next attempt. Pure: the caller brings randomness and the clock.

use std::time::Duration;

/// Exponential delays with jitter, for ever.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BackoffPolicy {
    pub first: Duration,
    pub max: Duration,
    /// Part of the delay that is random, both ways: 0.25 means ±25 %.
    pub jitter: f64,
    /// A connection that lived this long was healthy: the next delay is `first` again.
    pub stable_after: Duration,
}

impl Default for BackoffPolicy {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            max: Duration::from_secs(30),
            jitter: 0.25,
            stable_after: Duration::from_secs(30),
        }
    }
}

/// State between attempts.
#[derive(Debug, Clone)]
pub struct Backoff {
    policy: BackoffPolicy,
    failures: u32,
}

impl Backoff {
    pub fn new(policy: BackoffPolicy) -> Self {
        Self { policy, failures: 0 }
    }

    /// Attempts that failed since the last healthy connection.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// The delay before the next attempt. `random` is in `0.0..=1.0`.
    pub fn next_delay(&mut self, random: f64) -> Duration {
        // 2^31 seconds exceed every sensible maximum; capping the exponent keeps the power finite after months.
        let factor = 2f64.powi(self.failures.min(31) as i32);
        self.failures = self.failures.saturating_add(1);
        let delay = (self.policy.first.as_secs_f64() * factor).min(self.policy.max.as_secs_f64());
        spread(Duration::from_secs_f64(delay), self.policy.jitter, random)
    }

    /// A connection ended after `lived`.
    pub fn connection_lived(&mut self, lived: Duration) {
        if lived >= self.policy.stable_after {
            self.failures = 0;
        }
    }
}

/// Apply ±`jitter` to `delay`.
pub fn spread(delay: Duration, jitter: f64, random: f64) -> Duration {
    let jitter = jitter.clamp(0.0, 1.0);
    delay.mul_f64(1.0 + jitter * (2.0 * random.clamp(0.0, 1.0) - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_maximum() {
        let mut backoff = Backoff::new(BackoffPolicy::default());
        let seconds: Vec<_> = (0..7).map(|_| backoff.next_delay(0.5).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 30, 30]);
    }

    #[test]
    fn jitter_stays_within_a_quarter_after_any_number_of_failures() {
        let mut backoff = Backoff::new(BackoffPolicy::default());
        for attempt in 0..100_000u32 {
            let delay = backoff.next_delay(f64::from(attempt % 11) / 10.0);
            assert!(delay <= Duration::from_millis(37_500), "{delay:?}");
            assert!(delay >= Duration::from_millis(750), "{delay:?}");
        }
    }

    #[test]
    fn only_a_stable_connection_resets_the_delay() {
        let mut backoff = Backoff::new(BackoffPolicy::default());
        backoff.next_delay(0.5);
        backoff.next_delay(0.5);
        backoff.connection_lived(Duration::from_secs(29));
        assert_eq!(backoff.next_delay(0.5), Duration::from_secs(4));
        backoff.connection_lived(Duration::from_secs(30));
        assert_eq!(backoff.next_delay(0.5), Duration::from_secs(1));
    }
}

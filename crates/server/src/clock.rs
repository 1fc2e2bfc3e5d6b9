//! What time it is: the system's clock, or one a test moves by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

/// RFC 3339 in UTC with exactly three decimals, as every time on the wire is written.
const ISO_MILLIS: &[BorrowedFormatItem<'static>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// A source of wall-clock time, cheap to clone. Units: Unix milliseconds.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    fixed: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self { fixed: None }
    }

    /// A clock that stands at `now_ms` until [`Clock::advance`] moves it.
    pub fn fixed(now_ms: i64) -> Self {
        Self { fixed: Some(Arc::new(AtomicI64::new(now_ms))) }
    }

    pub fn now_ms(&self) -> i64 {
        match &self.fixed {
            Some(at) => at.load(Ordering::SeqCst),
            None => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map(|since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
                .unwrap_or(0),
        }
    }

    pub fn now_iso(&self) -> String {
        iso(self.now_ms())
    }

    /// Move a fixed clock; the system's clock does not move for anybody.
    pub fn advance(&self, by: Duration) {
        if let Some(at) = &self.fixed {
            at.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
        }
    }
}

/// Unix milliseconds as the wire's ISO text.
pub fn iso(ms: i64) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000)
        .ok()
        .and_then(|at| at.format(ISO_MILLIS).ok())
        .unwrap_or_else(|| "1970-01-01T00:00:00.000Z".to_owned())
}

/// The wire's ISO text (any RFC 3339) as Unix milliseconds.
pub fn from_iso(text: &str) -> Option<i64> {
    let at = OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).ok()?;
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iso_text_has_three_decimals_and_comes_back_unchanged() {
        assert_eq!(iso(1_700_000_000_007), "2023-11-14T22:13:20.007Z");
        assert_eq!(from_iso("2023-11-14T22:13:20.007Z"), Some(1_700_000_000_007));
    }

    #[test]
    fn a_fixed_clock_moves_only_when_told() {
        let clock = Clock::fixed(5);
        clock.clone().advance(Duration::from_millis(10));
        assert_eq!(clock.now_ms(), 15);
    }
}

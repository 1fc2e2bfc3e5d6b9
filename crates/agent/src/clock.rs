//! The one place where the time is read.

use time::OffsetDateTime;
use time::macros::format_description;

/// Milliseconds since 1970.
pub fn now_ms() -> i64 {
    i64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

/// `2026-01-31T12:00:00.000Z`, the form transcripts use.
pub fn iso(ms: i64) -> String {
    let at =
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    at.format(format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z"))
        .unwrap_or_else(|_| "1970-01-01T00:00:00.000Z".to_owned())
}

/// Milliseconds of an ISO time; None when it is not one.
pub fn parse_iso(text: &str) -> Option<i64> {
    let at = OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).ok()?;
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok()
}

/// Strictly increasing milliseconds: messages are told apart by them.
#[derive(Debug, Default)]
pub struct Stamps(std::sync::atomic::AtomicI64);

impl Stamps {
    /// Now, or one more than the last answer.
    pub fn next(&self) -> i64 {
        use std::sync::atomic::Ordering::SeqCst;
        let now = now_ms();
        let before = self.0.fetch_update(SeqCst, SeqCst, |last| Some(now.max(last + 1))).unwrap_or(now);
        now.max(before + 1)
    }

    /// Never go below what a resumed transcript already used.
    pub fn at_least(&self, ms: i64) {
        self.0.fetch_max(ms, std::sync::atomic::Ordering::SeqCst);
    }
}

//! The daemon's parts against the real system: pseudo terminals, processes, signals.

#![allow(clippy::unwrap_used)]

mod spawn;
mod terminal;

use std::time::Duration;

/// Ask until it is true; fail naming what was awaited.
pub async fn until(what: &str, mut probe: impl FnMut() -> bool) {
    let end = tokio::time::Instant::now() + Duration::from_secs(10);
    while !probe() {
        assert!(tokio::time::Instant::now() < end, "waited 10 s for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

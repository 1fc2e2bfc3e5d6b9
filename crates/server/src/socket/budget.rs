//! How often one socket may do something, in windows of one second.

use dashmap::DashMap;
use socketioxide::socket::Sid;

/// Sockets remembered before old windows are forgotten.
const FORGET_ABOVE: usize = 10_000;
const WINDOW_MS: i64 = 1_000;

/// Counts per socket.
pub struct Budget {
    per_window: u32,
    used: DashMap<Sid, (i64, u32)>,
}

impl Budget {
    pub fn new(per_window: u32) -> Self {
        Self { per_window, used: DashMap::new() }
    }

    /// Use one. `false`: nothing is left in this window.
    pub fn take(&self, socket: Sid, now: i64) -> bool {
        if self.used.len() > FORGET_ABOVE {
            self.used.retain(|_, (began, _)| now - *began < WINDOW_MS);
        }
        let mut entry = self.used.entry(socket).or_insert((now, 0));
        if now - entry.0 >= WINDOW_MS {
            *entry = (now, 0);
        }
        entry.1 += 1;
        entry.1 <= self.per_window
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_window_brings_a_new_budget() {
        let budget = Budget::new(2);
        let socket = Sid::ZERO;
        assert_eq!([budget.take(socket, 0), budget.take(socket, 1), budget.take(socket, 2)], [true, true, false]);
        assert!(budget.take(socket, 1_000));
    }
}

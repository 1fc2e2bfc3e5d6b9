//! When to draw: only after a change, and not more often than anybody can see.

use std::time::Duration;

/// Shortest time between two frames: 60 per second.
pub const FRAME: Duration = Duration::from_millis(16);

/// Pure bookkeeping; times are Unix ms.
#[derive(Debug, Default)]
pub struct Redraw {
    dirty: bool,
    last: u64,
}

impl Redraw {
    pub fn request(&mut self) {
        self.dirty = true;
    }

    /// When the next frame is due, if one is wanted.
    pub fn due_at(&self) -> Option<u64> {
        self.dirty.then(|| self.last + FRAME.as_millis() as u64)
    }

    /// Whether to draw now; a yes counts as drawn.
    pub fn take(&mut self, now: u64) -> bool {
        let due = self.due_at().is_some_and(|at| now >= at);
        if due {
            self.dirty = false;
            self.last = now;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_requests_make_one_frame() {
        let mut redraw = Redraw::default();
        assert!(!redraw.take(1_000), "nothing changed");
        redraw.request();
        assert!(redraw.take(1_000));
        for now in 1_001..1_016 {
            redraw.request();
            assert!(!redraw.take(now));
        }
        assert!(redraw.take(1_016));
        assert!(!redraw.take(2_000));
    }
}

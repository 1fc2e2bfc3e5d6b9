//! What a reader holds of one session's log: the newest entries in memory and a head to watch.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::segment::Segment;
use super::{Entry, EntryKind, Epoch, Seq};

/// Head of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Position {
    pub epoch: Epoch,
    pub seq: Seq,
}

#[derive(Debug)]
pub struct Feed {
    session: String,
    head: watch::Sender<Position>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    ring: VecDeque<Arc<Entry>>,
    ring_bytes: usize,
    segments: Vec<Segment>,
    snapshot: Option<Seq>,
}

impl Feed {
    pub(super) fn new(session: &str, head: Position, snapshot: Option<Seq>, segments: Vec<Segment>) -> Self {
        let state = State { segments, snapshot, ..State::default() };
        Self { session: session.to_owned(), head: watch::Sender::new(head), state: Mutex::new(state) }
    }

    pub fn session(&self) -> &str {
        &self.session
    }

    pub fn head(&self) -> Position {
        *self.head.borrow()
    }

    /// Wakes whenever the head moves.
    pub fn watch(&self) -> watch::Receiver<Position> {
        self.head.subscribe()
    }

    /// Where the newest snapshot is. It is always still in the log.
    pub fn snapshot(&self) -> Option<Seq> {
        self.state.lock().snapshot
    }

    /// Oldest position that can still be read.
    pub fn first(&self) -> Seq {
        self.state.lock().segments.first().map_or(1, |segment| segment.first)
    }

    /// What is in memory after `after`, at most `limit` entries. `None`: the memory does not reach back that far.
    pub fn recent(&self, after: Seq, limit: usize) -> Option<Vec<Arc<Entry>>> {
        let state = self.state.lock();
        if after >= self.head().seq {
            return Some(Vec::new());
        }
        let first = state.ring.front()?.seq;
        let skip = usize::try_from((after + 1).checked_sub(first)?).ok()?;
        Some(state.ring.iter().skip(skip).take(limit).cloned().collect())
    }

    pub(super) fn segments(&self) -> Vec<Segment> {
        self.state.lock().segments.clone()
    }

    pub(super) fn with_segments<T>(&self, change: impl FnOnce(&mut Vec<Segment>) -> T) -> T {
        change(&mut self.state.lock().segments)
    }

    /// Make written entries visible, in order.
    pub(super) fn publish(&self, entries: &[Arc<Entry>], ring_entries: usize, ring_bytes: usize) {
        let Some(last) = entries.last() else { return };
        let mut state = self.state.lock();
        for entry in entries {
            if entry.kind == EntryKind::Snapshot {
                state.snapshot = Some(entry.seq);
            }
            state.ring_bytes += entry.payload.get().len();
            state.ring.push_back(entry.clone());
        }
        while state.ring.len() > ring_entries || state.ring_bytes > ring_bytes {
            let Some(oldest) = state.ring.pop_front() else { break };
            state.ring_bytes -= oldest.payload.get().len();
        }
        self.head.send_replace(Position { epoch: last.epoch, seq: last.seq });
    }

    pub(super) fn raise_epoch(&self, epoch: Epoch) {
        self.head.send_modify(|head| head.epoch = epoch);
    }
}

//! The durable log of every session: what was said, in which order, by which owner of the session.
//!
//! A log is a folder of append-only segment files. Positions are `(epoch, seq)`: `seq` counts 1, 2, 3 … without gaps over the
//! whole life of the session, `epoch` grows with each claim of a writer and fences older ones. One thread owns all files
//! ([`writer`]); everybody else holds a [`Feed`], the newest entries in memory plus a head that can be watched.
//!
//! What lives here does not know what an entry means, except whether it is a snapshot: retention must keep the newest one.

mod feed;
mod record;
mod segment;
#[cfg(test)]
mod tests;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use pizzapi_protocol::events::RawJson;
use sha2::{Digest, Sha256};

pub use feed::{Feed, Position};
pub use writer::{Claim, Logs};

/// Position of an entry in its session's log, from 1.
pub type Seq = u64;
/// Number of the claim under which an entry was written.
pub type Epoch = u64;

/// Largest entry. The socket layer refuses larger packets first; this bound protects the reader from a damaged length.
pub const MAX_ENTRY_BYTES: usize = 112 * 1024 * 1024;

/// One numbered entry.
#[derive(Debug)]
pub struct Entry {
    pub seq: Seq,
    pub epoch: Epoch,
    /// Unix milliseconds, by the relay's clock.
    pub at: u64,
    /// The writer's own count under this epoch; 0 when it does not count.
    pub source_seq: u64,
    pub kind: EntryKind,
    pub payload: RawJson,
}

/// What retention and replay must know about an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// Anything that happened.
    Event,
    /// The whole visible state: what came before is not needed to show the session.
    Snapshot,
    /// Something is missing between the entry before and the one after; never shown as a silent jump.
    Discontinuity,
}

/// An entry that has no position yet.
#[derive(Debug)]
pub struct NewEntry {
    pub source_seq: u64,
    pub kind: EntryKind,
    pub payload: RawJson,
}

/// When an append counts as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// After `write`: survives the death of the process. Synced to disk in the background.
    #[default]
    Process,
    /// After `fdatasync`: survives the loss of power too. Groups share one sync.
    Disk,
}

#[derive(Debug, Clone)]
pub struct LogOptions {
    /// One folder per session is made below this one.
    pub dir: PathBuf,
    pub durability: Durability,
    /// A segment that reached this size is closed and a new one begun. Units: bytes.
    pub segment_bytes: u64,
    /// Entries older than this may go, when a newer snapshot exists.
    pub keep_for: Duration,
    /// Beyond this size the oldest segments go, when a newer snapshot exists. Units: bytes per session.
    pub keep_bytes: u64,
    /// Newest entries of a session in memory.
    pub ring_entries: usize,
    /// Bound of the same ring. Units: bytes.
    pub ring_bytes: usize,
}

/// However small `keep_bytes` is: a viewer that was away this long finds everything it missed.
pub const KEEP_AT_LEAST: Duration = Duration::from_secs(120);

impl LogOptions {
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            durability: Durability::default(),
            segment_bytes: 16 * 1024 * 1024,
            keep_for: Duration::from_secs(24 * 3600),
            keep_bytes: 256 * 1024 * 1024,
            ring_entries: 1000,
            ring_bytes: 8 * 1024 * 1024,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("session `{session}` was claimed again: epoch {epoch} is over, {newest} writes now")]
    Fenced { session: String, epoch: Epoch, newest: Epoch },
    #[error("session `{session}` has no log")]
    Missing { session: String },
    #[error("an entry of {bytes} bytes is larger than {MAX_ENTRY_BYTES}")]
    TooLarge { bytes: usize },
    #[error("failed to {action} the log of session `{session}`")]
    Io { action: &'static str, session: String, source: Arc<std::io::Error> },
    #[error("the log is closed")]
    Closed,
}

/// What reading found between two positions.
#[derive(Debug, Default)]
pub struct Past {
    /// In order. Contiguous unless `damaged` says otherwise.
    pub entries: Vec<Arc<Entry>>,
    /// Ranges `(first, last)` that are lost or unreadable.
    pub damaged: Vec<(Seq, Seq)>,
}

impl Past {
    /// Are these exactly the entries `after + 1 ..= up_to`?
    pub fn is_contiguous(&self, after: Seq, up_to: Seq) -> bool {
        let mut next = after + 1;
        for entry in &self.entries {
            if entry.seq != next || entry.kind == EntryKind::Discontinuity {
                return false;
            }
            next += 1;
        }
        self.damaged.is_empty() && next > up_to
    }
}

/// Folder of a session below the log folder. Ids that are not plainly a file name on every system are hashed.
pub fn folder(dir: &Path, session: &str) -> PathBuf {
    let plain = !session.is_empty()
        && session.len() <= 64
        && !session.starts_with("x-")
        && session
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_');
    if plain { dir.join(session) } else { dir.join(format!("x-{}", hex::encode(Sha256::digest(session)))) }
}

//! One record on disk: a fixed header, then the payload.
//!
//! Every header begins with a mark, so that a reader finds the next record after a damaged one.

use super::{Entry, EntryKind, Epoch, MAX_ENTRY_BYTES, Seq};

pub const HEADER_BYTES: usize = 48;
const MARK: [u8; 4] = *b"pzR1";

const KIND_EVENT: u32 = 0;
const KIND_SNAPSHOT: u32 = 1;
const KIND_DISCONTINUITY: u32 = 2;
/// Not an entry: states the epoch and the position of the newest snapshot. Opens every segment and every claim.
const KIND_CLAIM: u32 = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordKind {
    Entry(EntryKind),
    Claim,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub kind: RecordKind,
    pub epoch: Epoch,
    pub seq: Seq,
    pub at: u64,
    pub source_seq: u64,
    pub payload_bytes: u32,
    crc: u32,
}

impl Header {
    pub fn record_bytes(&self) -> u64 {
        HEADER_BYTES as u64 + u64::from(self.payload_bytes)
    }
}

/// What a claim record says beside its epoch and position.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClaimNote {
    /// Position of the newest snapshot; 0 without one.
    pub snapshot: Seq,
    /// The claim before this one, and how far its writer's own count was stored.
    pub earlier: (Epoch, u64),
}

impl ClaimNote {
    fn text(self) -> String {
        format!("{} {} {}", self.snapshot, self.earlier.0, self.earlier.1)
    }

    pub fn parse(payload: &[u8]) -> Option<Self> {
        let mut numbers = std::str::from_utf8(payload).ok()?.split(' ').map(str::parse);
        let mut next = || numbers.next()?.ok();
        Some(Self { snapshot: next()?, earlier: (next()?, next()?) })
    }
}

/// `source_seq`: how far the writer of this epoch is stored.
pub fn encode_claim(into: &mut Vec<u8>, epoch: Epoch, head: Seq, at: u64, source_seq: u64, note: ClaimNote) {
    encode(into, RecordKind::Claim, epoch, head, at, source_seq, note.text().as_bytes());
}

fn encode(into: &mut Vec<u8>, kind: RecordKind, epoch: Epoch, seq: Seq, at: u64, source_seq: u64, payload: &[u8]) {
    let code = match kind {
        RecordKind::Entry(EntryKind::Event) => KIND_EVENT,
        RecordKind::Entry(EntryKind::Snapshot) => KIND_SNAPSHOT,
        RecordKind::Entry(EntryKind::Discontinuity) => KIND_DISCONTINUITY,
        RecordKind::Claim => KIND_CLAIM,
    };
    let start = into.len();
    into.extend_from_slice(&MARK);
    into.extend_from_slice(&[0; 4]); // the checksum, below
    into.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    into.extend_from_slice(&code.to_le_bytes());
    into.extend_from_slice(&epoch.to_le_bytes());
    into.extend_from_slice(&seq.to_le_bytes());
    into.extend_from_slice(&at.to_le_bytes());
    into.extend_from_slice(&source_seq.to_le_bytes());
    into.extend_from_slice(payload);
    let crc = crc32fast::hash(&into[start + 8..]);
    into[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
}

pub fn encode_entry(into: &mut Vec<u8>, entry: &Entry) {
    encode(
        into,
        RecordKind::Entry(entry.kind),
        entry.epoch,
        entry.seq,
        entry.at,
        entry.source_seq,
        entry.payload.get().as_bytes(),
    );
}

/// Read a header. `None`: these bytes are not one.
pub fn decode_header(bytes: &[u8]) -> Option<Header> {
    let bytes: &[u8; HEADER_BYTES] = bytes.get(..HEADER_BYTES)?.try_into().ok()?;
    if bytes[..4] != MARK {
        return None;
    }
    let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let long = |at: usize| u64::from(word(at)) | (u64::from(word(at + 4)) << 32);
    let payload_bytes = word(8);
    if payload_bytes as usize > MAX_ENTRY_BYTES {
        return None;
    }
    let kind = match word(12) {
        KIND_EVENT => RecordKind::Entry(EntryKind::Event),
        KIND_SNAPSHOT => RecordKind::Entry(EntryKind::Snapshot),
        KIND_DISCONTINUITY => RecordKind::Entry(EntryKind::Discontinuity),
        KIND_CLAIM => RecordKind::Claim,
        _ => return None,
    };
    Some(Header {
        kind,
        payload_bytes,
        crc: word(4),
        epoch: long(16),
        seq: long(24),
        at: long(32),
        source_seq: long(40),
    })
}

/// Does the checksum cover this header and payload? `header` is the encoded form.
pub fn is_intact(decoded: &Header, header: &[u8], payload: &[u8]) -> bool {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&header[8..HEADER_BYTES]);
    hasher.update(payload);
    hasher.finalize() == decoded.crc
}

/// Offset of the next thing that looks like a record, at or after `from`.
pub fn find_mark(bytes: &[u8], from: usize) -> Option<usize> {
    bytes.get(from..)?.windows(MARK.len()).position(|window| window == MARK).map(|at| at + from)
}

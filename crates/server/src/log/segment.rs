//! One file of a log: scanning it after a crash, and reading from the middle of it.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pizzapi_protocol::events::RawJson;

use super::record::{self, ClaimNote, HEADER_BYTES, Header, RecordKind};
use super::{Entry, EntryKind, Epoch, Past, Seq};

/// A position is remembered every so many bytes; a read begins at the nearest one before its goal.
const INDEX_EVERY_BYTES: u64 = 64 * 1024;

/// What is known about one segment. Shared between the writer and readers under the feed's lock.
#[derive(Debug, Clone)]
pub struct Segment {
    pub path: PathBuf,
    /// Seq of the first entry it holds or will hold.
    pub first: Seq,
    /// Valid bytes. Readers never look beyond.
    pub bytes: u64,
    /// Unix milliseconds of the newest record.
    pub newest_at: u64,
    /// `(seq, offset)`, ascending. `None`: not scanned since the process started.
    pub index: Option<Vec<(Seq, u64)>>,
}

impl Segment {
    pub fn path_for(folder: &Path, first: Seq) -> PathBuf {
        folder.join(format!("{first:020}.log"))
    }

    /// Note that `seq` begins at `offset`, when the last note is far enough away.
    pub fn note(&mut self, seq: Seq, offset: u64) {
        if let Some(index) = &mut self.index
            && index.last().is_none_or(|(_, last)| offset >= last + INDEX_EVERY_BYTES)
        {
            index.push((seq, offset));
        }
    }

    fn offset_before(&self, seq: Seq) -> u64 {
        let index = self.index.as_deref().unwrap_or_default();
        let at = index.partition_point(|(first, _)| *first <= seq);
        if at == 0 { 0 } else { index[at - 1].1 }
    }
}

/// The segments of a folder, oldest first, as their names and sizes say.
pub fn list(folder: &Path) -> io::Result<Vec<Segment>> {
    let mut segments = Vec::new();
    for item in std::fs::read_dir(folder)? {
        let item = item?;
        let path = item.path();
        let Some(first) = path
            .file_name()
            .and_then(|name| name.to_str())
            .and_then(|name| name.strip_suffix(".log"))
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        let meta = item.metadata()?;
        let newest_at = meta
            .modified()
            .ok()
            .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
            .map_or(0, |age| age.as_millis() as u64);
        segments.push(Segment { path, first, bytes: meta.len(), newest_at, index: None });
    }
    segments.sort_by_key(|segment| segment.first);
    Ok(segments)
}

/// What a scan of a whole segment found.
#[derive(Debug, Default)]
pub struct Scan {
    pub epoch: Epoch,
    pub head: Seq,
    pub snapshot: Option<Seq>,
    /// How far the writer of `epoch` is stored, by its own count.
    pub source_seq: u64,
    /// The same of the claim before.
    pub earlier: (Epoch, u64),
    pub newest_at: u64,
    /// End of the last intact record. Units: bytes.
    pub valid_bytes: u64,
    pub index: Vec<(Seq, u64)>,
    /// Ranges that are lost in the middle, as the intact records around them say.
    pub damaged: Vec<(Seq, Seq)>,
    /// The segment opens with a claim, which says what older segments would: nothing older needs to be read.
    pub is_headed: bool,
}

/// Read a whole segment, checking every record.
pub fn scan(path: &Path, first: Seq) -> io::Result<Scan> {
    let mut found = Scan { head: first.saturating_sub(1), ..Scan::default() };
    let mut noted = None::<u64>;
    let mut records = Records::open(path, 0, u64::MAX)?;
    while let Some(next) = records.next()? {
        if next.header.kind == RecordKind::Claim {
            found.is_headed |= next.offset == 0;
            if next.header.epoch > found.epoch {
                found.epoch = next.header.epoch;
                found.source_seq = next.header.source_seq;
            }
            found.head = found.head.max(next.header.seq);
            if let Some(note) = ClaimNote::parse(&next.payload) {
                found.snapshot = found.snapshot.max(Some(note.snapshot).filter(|at| *at > 0));
                found.earlier = note.earlier;
            }
        } else {
            if next.header.seq > found.head + 1 {
                found.damaged.push((found.head + 1, next.header.seq - 1));
            }
            if next.header.epoch > found.epoch {
                found.epoch = next.header.epoch;
                found.source_seq = 0;
            }
            found.source_seq = found.source_seq.max(next.header.source_seq);
            found.head = next.header.seq;
            if next.header.kind == RecordKind::Entry(EntryKind::Snapshot) {
                found.snapshot = Some(next.header.seq);
            }
            if noted.is_none_or(|last| next.offset >= last + INDEX_EVERY_BYTES) {
                found.index.push((next.header.seq, next.offset));
                noted = Some(next.offset);
            }
        }
        found.newest_at = next.header.at;
        found.valid_bytes = next.offset + next.header.record_bytes();
    }
    Ok(found)
}

/// Append to `past` what `segment` holds after `after`, until `past` is full. Returns the last seq seen.
pub fn read(segment: &Segment, after: Seq, limit: &mut ReadLimit, past: &mut Past) -> io::Result<Seq> {
    let mut last = after.max(segment.first.saturating_sub(1));
    let mut records = Records::open(&segment.path, segment.offset_before(after + 1), segment.bytes)?;
    while !limit.is_reached() {
        let Some(next) = records.next()? else { break };
        let RecordKind::Entry(kind) = next.header.kind else { continue };
        if next.header.seq <= last {
            continue;
        }
        if next.header.seq > last + 1 {
            past.damaged.push((last + 1, next.header.seq - 1));
        }
        last = next.header.seq;
        let Ok(payload) =
            String::from_utf8(next.payload).map_err(drop).and_then(|text| RawJson::parse(text).map_err(drop))
        else {
            past.damaged.push((last, last));
            continue;
        };
        limit.take(payload.get().len());
        past.entries.push(Arc::new(Entry {
            seq: last,
            epoch: next.header.epoch,
            at: next.header.at,
            source_seq: next.header.source_seq,
            kind,
            payload,
        }));
    }
    Ok(last)
}

/// How much one read may return.
#[derive(Debug, Clone, Copy)]
pub struct ReadLimit {
    pub entries: usize,
    pub bytes: usize,
    started: bool,
}

impl ReadLimit {
    pub fn new(entries: usize, bytes: usize) -> Self {
        Self { entries, bytes, started: false }
    }

    pub fn take(&mut self, bytes: usize) {
        self.started = true;
        self.entries = self.entries.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// At least one entry is always returned, however large it is.
    pub fn is_reached(&self) -> bool {
        self.started && (self.entries == 0 || self.bytes == 0)
    }
}

struct Records {
    file: BufReader<File>,
    offset: u64,
    end: u64,
}

struct Found {
    header: Header,
    payload: Vec<u8>,
    offset: u64,
}

impl Records {
    fn open(path: &Path, offset: u64, end: u64) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let end = end.min(file.metadata()?.len());
        file.seek(SeekFrom::Start(offset))?;
        Ok(Self { file: BufReader::with_capacity(256 * 1024, file), offset, end })
    }

    /// The next intact record; damaged ones are stepped over.
    fn next(&mut self) -> io::Result<Option<Found>> {
        let left = self.end.saturating_sub(self.offset);
        if left < HEADER_BYTES as u64 {
            return Ok(None);
        }
        let mut head = [0; HEADER_BYTES];
        self.file.read_exact(&mut head)?;
        if let Some(header) = record::decode_header(&head)
            && header.record_bytes() <= left
        {
            let mut payload = vec![0; header.payload_bytes as usize];
            self.file.read_exact(&mut payload)?;
            if record::is_intact(&header, &head, &payload) {
                let offset = self.offset;
                self.offset += header.record_bytes();
                return Ok(Some(Found { header, payload, offset }));
            }
        }
        self.resume_after_damage()
    }

    /// Look for the next intact record behind the current offset. Rare, so it reads the rest of the file.
    fn resume_after_damage(&mut self) -> io::Result<Option<Found>> {
        let from = self.offset + 1;
        self.file.seek(SeekFrom::Start(from))?;
        let mut rest = Vec::new();
        (&mut self.file).take(self.end.saturating_sub(from)).read_to_end(&mut rest)?;
        let mut at = 0;
        while let Some(start) = record::find_mark(&rest, at) {
            at = start + 1;
            let Some(header) = record::decode_header(&rest[start..]) else { continue };
            let body = start + HEADER_BYTES;
            let Some(payload) = rest.get(body..body + header.payload_bytes as usize) else { continue };
            if record::is_intact(&header, &rest[start..], payload) {
                let offset = from + start as u64;
                let payload = payload.to_vec();
                self.offset = offset + header.record_bytes();
                self.file.seek(SeekFrom::Start(self.offset))?;
                return Ok(Some(Found { header, payload, offset }));
            }
        }
        self.offset = self.end;
        Ok(None)
    }
}

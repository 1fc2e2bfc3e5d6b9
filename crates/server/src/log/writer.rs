//! The one thread that writes logs.
//!
//! Jobs of all sessions come through one bounded queue. Whatever waits there is one group: every touched file gets one `write`
//! (and one `fdatasync` under [`Durability::Disk`]), then the entries become visible and the callers are answered. Fencing
//! needs no lock, because claims pass through the same thread.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use dashmap::DashMap;
use parking_lot::Mutex;
use pizzapi_protocol::events::RawJson;
use tokio::sync::{mpsc, oneshot};

use super::feed::{Feed, Position};
use super::record::{self, ClaimNote};
use super::segment::{self, ReadLimit, Segment};
use super::{
    Durability, Entry, EntryKind, Epoch, KEEP_AT_LEAST, LogError, LogOptions, MAX_ENTRY_BYTES, NewEntry, Past, Seq,
    folder,
};

/// Jobs waiting for the thread; a full queue makes callers wait, which stops them reading from their sockets.
const QUEUE: usize = 4096;
/// Bound of one group, so that the first caller of a large one does not wait for ever.
const GROUP_JOBS: usize = 1024;
/// Same, in time: a group is written at the latest this long after its first job.
const GROUP_WAIT: Duration = Duration::from_millis(5);
/// Under [`Durability::Process`] written files are synced this long after the first write.
const SYNC_EVERY: Duration = Duration::from_millis(5);
/// Files kept open for writing.
const OPEN_FILES: usize = 256;

/// Handle to all logs of this process. Cheap to clone.
#[derive(Clone)]
pub struct Logs {
    inner: Arc<Inner>,
}

struct Inner {
    options: LogOptions,
    jobs: mpsc::Sender<Job>,
    feeds: DashMap<String, Arc<Feed>>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
}

/// The right to write, until somebody else claims the session.
#[derive(Debug, Clone)]
pub struct Claim {
    pub epoch: Epoch,
    /// Head at the moment of the claim.
    pub head: Seq,
    /// The claim before this one, and how far its writer's own count was stored.
    pub earlier: (Epoch, u64),
    pub feed: Arc<Feed>,
}

enum Job {
    Open {
        session: String,
        create: bool,
        reply: oneshot::Sender<Result<Option<Arc<Feed>>, LogError>>,
    },
    Claim {
        session: String,
        reply: oneshot::Sender<Result<Claim, LogError>>,
    },
    Append {
        session: Arc<str>,
        epoch: Epoch,
        entries: Vec<NewEntry>,
        reply: oneshot::Sender<Result<Vec<Arc<Entry>>, LogError>>,
    },
    Sweep {
        reply: oneshot::Sender<()>,
    },
    /// Forget sessions that nobody holds.
    Trim,
    Remove {
        session: String,
        reply: oneshot::Sender<Result<(), LogError>>,
    },
    Flush {
        reply: oneshot::Sender<()>,
    },
    Close,
}

impl Logs {
    /// Start the thread. Sessions are opened when they are first used.
    pub fn open(options: LogOptions) -> io::Result<Self> {
        std::fs::create_dir_all(&options.dir)?;
        let (jobs, queue) = mpsc::channel(QUEUE);
        let inner = Arc::new(Inner { options: options.clone(), jobs, feeds: DashMap::new(), thread: Mutex::new(None) });
        let mut writer = Writer::new(options)?;
        let thread = std::thread::Builder::new().name("session-log".to_owned()).spawn(move || writer.run(queue))?;
        *inner.thread.lock() = Some(thread);
        Ok(Self { inner })
    }

    /// The feed of a session. `None`: it has no log.
    pub async fn feed(&self, session: &str) -> Result<Option<Arc<Feed>>, LogError> {
        if let Some(feed) = self.inner.feeds.get(session) {
            return Ok(Some(feed.clone()));
        }
        let feed = self.ask(|reply| Job::Open { session: session.to_owned(), create: false, reply }).await??;
        if let Some(feed) = &feed {
            self.inner.feeds.insert(session.to_owned(), feed.clone());
        }
        Ok(feed)
    }

    /// Become the writer. Earlier claims are fenced from this moment, in this and every later life of the process.
    pub async fn claim(&self, session: &str) -> Result<Claim, LogError> {
        let claim = self.ask(|reply| Job::Claim { session: session.to_owned(), reply }).await??;
        self.inner.feeds.insert(session.to_owned(), claim.feed.clone());
        Ok(claim)
    }

    /// Append in order; returns the entries with their positions once they are as durable as configured.
    pub async fn append(
        &self,
        session: &Arc<str>,
        epoch: Epoch,
        entries: Vec<NewEntry>,
    ) -> Result<Vec<Arc<Entry>>, LogError> {
        if let Some(large) = entries.iter().find(|entry| entry.payload.get().len() > MAX_ENTRY_BYTES) {
            return Err(LogError::TooLarge { bytes: large.payload.get().len() });
        }
        self.ask(|reply| Job::Append { session: session.clone(), epoch, entries, reply }).await?
    }

    /// Entries after `after`: from memory, else from disk. Stops at whichever bound comes first, never before one entry.
    pub async fn read(&self, feed: &Arc<Feed>, after: Seq, entries: usize, bytes: usize) -> Result<Past, LogError> {
        if let Some(mut recent) = feed.recent(after, entries) {
            let mut limit = ReadLimit::new(entries, bytes);
            recent.retain(|entry| {
                let fits = !limit.is_reached();
                limit.take(entry.payload.get().len());
                fits
            });
            return Ok(Past { entries: recent, damaged: Vec::new() });
        }
        let feed = feed.clone();
        let session = feed.session().to_owned();
        tokio::task::spawn_blocking(move || read_files(&feed, after, ReadLimit::new(entries, bytes)))
            .await
            .map_err(|_| LogError::Closed)?
            .map_err(|source| LogError::Io { action: "read", session, source: Arc::new(source) })
    }

    /// Apply retention to every open session.
    pub async fn sweep(&self) -> Result<(), LogError> {
        self.ask(|reply| Job::Sweep { reply }).await
    }

    /// Give back the memory of sessions that nobody writes to or reads from; they are opened again when needed.
    pub async fn trim(&self) {
        // One count is the map's, one the writer's.
        self.inner.feeds.retain(|_, feed| Arc::strong_count(feed) > 2);
        if self.inner.jobs.send(Job::Trim).await.is_err() {
            tracing::debug!("the log is closed");
        }
    }

    /// Delete a session's log for good.
    pub async fn remove(&self, session: &str) -> Result<(), LogError> {
        self.inner.feeds.remove(session);
        self.ask(|reply| Job::Remove { session: session.to_owned(), reply }).await?
    }

    /// Wait until everything appended so far is on disk.
    pub async fn flush(&self) -> Result<(), LogError> {
        self.ask(|reply| Job::Flush { reply }).await
    }

    /// Write and sync what waits, then end the thread.
    pub async fn close(&self) {
        if self.inner.jobs.send(Job::Close).await.is_err() {
            return;
        }
        let thread = self.inner.thread.lock().take();
        if let Some(thread) = thread {
            let joined = tokio::task::spawn_blocking(move || thread.join());
            if !matches!(joined.await, Ok(Ok(()))) {
                tracing::error!("the session log thread panicked");
            }
        }
    }

    /// Folder of one session, for what else is kept beside its log.
    pub fn folder(&self, session: &str) -> PathBuf {
        folder(&self.inner.options.dir, session)
    }

    pub fn dir(&self) -> &Path {
        &self.inner.options.dir
    }

    async fn ask<T>(&self, job: impl FnOnce(oneshot::Sender<T>) -> Job) -> Result<T, LogError> {
        let (reply, answer) = oneshot::channel();
        self.inner.jobs.send(job(reply)).await.map_err(|_| LogError::Closed)?;
        answer.await.map_err(|_| LogError::Closed)
    }
}

fn read_files(feed: &Feed, after: Seq, mut limit: ReadLimit) -> io::Result<Past> {
    let mut past = Past::default();
    let segments = feed.segments();
    let mut last = after;
    if let Some(oldest) = segments.first()
        && after + 1 < oldest.first
    {
        past.damaged.push((after + 1, oldest.first - 1));
        last = oldest.first - 1;
    }
    for (at, segment) in segments.iter().enumerate() {
        if limit.is_reached() {
            break;
        }
        // Everything in this segment is older than what is wanted.
        if segments.get(at + 1).is_some_and(|next| next.first <= last + 1) {
            continue;
        }
        let mut segment = segment.clone();
        if segment.index.is_none() {
            let index = segment::scan(&segment.path, segment.first)?.index;
            feed.with_segments(|segments| {
                if let Some(known) =
                    segments.iter_mut().find(|known| known.first == segment.first && known.index.is_none())
                {
                    known.index = Some(index.clone());
                }
            });
            segment.index = Some(index);
        }
        match segment::read(&segment, last, &mut limit, &mut past) {
            Ok(reached) => last = reached,
            // Retention was faster: what it took counts as lost.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        }
    }
    Ok(past)
}

struct Writer {
    options: LogOptions,
    sessions: HashMap<Arc<str>, Open>,
    syncer: Syncer,
    files_open: usize,
    tick: u64,
}

struct Open {
    feed: Arc<Feed>,
    folder: PathBuf,
    epoch: Epoch,
    head: Seq,
    source_seq: u64,
    earlier: (Epoch, u64),
    file: Option<Arc<File>>,
    file_bytes: u64,
    used_at: u64,
}

/// What one group does to one session.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    entries: Vec<Arc<Entry>>,
    /// `(seq, offset in bytes)` of each entry, for the index.
    starts: Vec<(Seq, u64)>,
    replies: Vec<(oneshot::Sender<Result<Vec<Arc<Entry>>, LogError>>, std::ops::Range<usize>)>,
}

impl Writer {
    fn new(options: LogOptions) -> io::Result<Self> {
        Ok(Self { options, sessions: HashMap::new(), syncer: Syncer::start()?, files_open: 0, tick: 0 })
    }

    fn run(&mut self, mut queue: mpsc::Receiver<Job>) {
        let mut closing = false;
        while !closing {
            let Some(first) = queue.blocking_recv() else { break };
            let began = Instant::now();
            let mut batches: HashMap<Arc<str>, Batch> = HashMap::new();
            let mut next = Some(first);
            let mut jobs = 0;
            while let Some(job) = next.take() {
                jobs += 1;
                match job {
                    Job::Append { session, epoch, entries, reply } => {
                        self.stage(&mut batches, session, epoch, entries, reply);
                    }
                    Job::Close => closing = true,
                    other => {
                        // Everything else sees a state without staged appends.
                        self.commit(std::mem::take(&mut batches));
                        self.perform(other);
                    }
                }
                if jobs < GROUP_JOBS && began.elapsed() < GROUP_WAIT {
                    next = queue.try_recv().ok();
                }
            }
            self.commit(batches);
        }
        self.syncer.stop();
    }

    fn perform(&mut self, job: Job) {
        // An answer nobody waits for any more is dropped on purpose: the work itself is done.
        match job {
            Job::Open { session, create, reply } => {
                let _ = reply.send(self.feed(&session, create));
            }
            Job::Claim { session, reply } => {
                let _ = reply.send(self.claim(&session));
            }
            Job::Sweep { reply } => {
                let sessions: Vec<_> = self.sessions.keys().cloned().collect();
                for session in sessions {
                    self.retain(&session);
                }
                let _ = reply.send(());
            }
            Job::Remove { session, reply } => {
                if let Some(open) = self.sessions.remove(session.as_str())
                    && open.file.is_some()
                {
                    self.files_open -= 1;
                }
                let folder = folder(&self.options.dir, &session);
                let removed = match std::fs::remove_dir_all(folder) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", &session, error)),
                    _ => Ok(()),
                };
                let _ = reply.send(removed);
            }
            Job::Flush { reply } => {
                self.syncer.flush();
                let _ = reply.send(());
            }
            Job::Trim => {
                let mut closed = 0;
                self.sessions.retain(|_, open| {
                    let keep = Arc::strong_count(&open.feed) > 1;
                    closed += usize::from(!keep && open.file.is_some());
                    keep
                });
                self.files_open -= closed;
            }
            Job::Append { .. } | Job::Close => unreachable!("handled where groups are formed"),
        }
    }

    fn feed(&mut self, session: &str, create: bool) -> Result<Option<Arc<Feed>>, LogError> {
        match self.open(session, create) {
            Ok(open) => Ok(Some(open.feed.clone())),
            Err(LogError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Find the session, reading its newest segments when it is not open yet.
    fn open(&mut self, session: &str, create: bool) -> Result<&mut Open, LogError> {
        if !self.sessions.contains_key(session) {
            let folder = folder(&self.options.dir, session);
            if create {
                std::fs::create_dir_all(&folder).map_err(|error| failed("create", session, error))?;
            }
            let open = match load(session, folder) {
                Ok(open) => open,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Err(LogError::Missing { session: session.to_owned() });
                }
                Err(error) => return Err(failed("open", session, error)),
            };
            if !create && open.epoch == 0 {
                return Err(LogError::Missing { session: session.to_owned() });
            }
            self.sessions.insert(Arc::from(session), open);
        }
        self.tick += 1;
        let open = self.sessions.get_mut(session).expect("inserted above");
        open.used_at = self.tick;
        Ok(open)
    }

    fn claim(&mut self, session: &str) -> Result<Claim, LogError> {
        self.open(session, true)?;
        self.ready(session)?;
        let open = self.sessions.get_mut(session).expect("opened above");
        let epoch = open.epoch + 1;
        let mut bytes = Vec::new();
        let earlier = (open.epoch, open.source_seq);
        let note = ClaimNote { snapshot: open.feed.snapshot().unwrap_or(0), earlier };
        record::encode_claim(&mut bytes, epoch, open.head, now(), 0, note);
        open.write(&bytes).map_err(|error| failed("claim", session, error))?;
        // A claim that a power cut forgets would let the fenced writer back in.
        open.sync().map_err(|error| failed("claim", session, error))?;
        open.epoch = epoch;
        open.source_seq = 0;
        open.earlier = earlier;
        open.feed.raise_epoch(epoch);
        Ok(Claim { epoch, head: open.head, earlier, feed: open.feed.clone() })
    }

    fn stage(
        &mut self,
        batches: &mut HashMap<Arc<str>, Batch>,
        session: Arc<str>,
        epoch: Epoch,
        entries: Vec<NewEntry>,
        reply: oneshot::Sender<Result<Vec<Arc<Entry>>, LogError>>,
    ) {
        let open = match self.open(&session, false) {
            Ok(open) => open,
            Err(error) => {
                let _ = reply.send(Err(error));
                return;
            }
        };
        if epoch != open.epoch {
            let newest = open.epoch;
            let _ = reply.send(Err(LogError::Fenced { session: session.to_string(), epoch, newest }));
            return;
        }
        let batch = batches.entry(session).or_default();
        let at = now();
        let begin = batch.entries.len();
        let next = batch.entries.last().map_or(open.head, |entry| entry.seq) + 1;
        for (seq, NewEntry { source_seq, kind, payload }) in (next..).zip(entries) {
            let entry = Arc::new(Entry { seq, epoch, at, source_seq, kind, payload });
            batch.starts.push((seq, batch.bytes.len() as u64));
            record::encode_entry(&mut batch.bytes, &entry);
            batch.entries.push(entry);
        }
        batch.replies.push((reply, begin..batch.entries.len()));
    }

    fn commit(&mut self, batches: HashMap<Arc<str>, Batch>) {
        let mut written = Vec::with_capacity(batches.len());
        for (session, batch) in batches {
            match self.write(&session, &batch) {
                Ok(file) => written.push((session, batch, file)),
                Err(error) => {
                    tracing::error!(session.id = %session, %error, "failed to append to a session log");
                    for (reply, _) in batch.replies {
                        let _ = reply.send(Err(error.clone()));
                    }
                }
            }
        }
        for (session, batch, file) in written {
            if self.options.durability == Durability::Disk
                && let Err(error) = file.sync_data()
            {
                // After a failed sync the kernel may have dropped the pages: nothing of this group may count as stored.
                let error = failed("sync", &session, error);
                tracing::error!(session.id = %session, %error, "failed to sync a session log");
                self.abandon(&session);
                for (reply, _) in batch.replies {
                    let _ = reply.send(Err(error.clone()));
                }
                continue;
            }
            if self.options.durability == Durability::Process {
                self.syncer.add(file);
            }
            let Some(open) = self.sessions.get_mut(&session) else { continue };
            if let Some(last) = batch.entries.last() {
                open.head = last.seq;
            }
            open.source_seq = batch.entries.iter().map(|entry| entry.source_seq).fold(open.source_seq, u64::max);
            open.feed.publish(&batch.entries, self.options.ring_entries, self.options.ring_bytes);
            for (reply, range) in batch.replies {
                let _ = reply.send(Ok(batch.entries[range].to_vec()));
            }
        }
    }

    fn write(&mut self, session: &Arc<str>, batch: &Batch) -> Result<Arc<File>, LogError> {
        self.ready(session)?;
        let segment_bytes = self.options.segment_bytes;
        let open = self.sessions.get_mut(session).expect("staging opened it");
        if open.file_bytes >= segment_bytes {
            open.rotate().map_err(|error| failed("rotate", session, error))?;
            self.retain(session);
        }
        let open = self.sessions.get_mut(session).expect("staging opened it");
        let base = open.file_bytes;
        open.write(&batch.bytes).map_err(|error| failed("append to", session, error))?;
        let at = batch.entries.last().map_or(0, |entry| entry.at);
        open.feed.with_segments(|segments| {
            if let Some(segment) = segments.last_mut() {
                for (seq, offset) in &batch.starts {
                    segment.note(*seq, base + offset);
                }
                segment.newest_at = at;
            }
        });
        Ok(open.file.clone().expect("just written to"))
    }

    /// Make sure the session's newest segment is open for writing.
    fn ready(&mut self, session: &str) -> Result<(), LogError> {
        if self.sessions.get(session).is_some_and(|open| open.file.is_some()) {
            return Ok(());
        }
        if self.files_open >= OPEN_FILES
            && let Some(idle) =
                self.sessions.values_mut().filter(|open| open.file.is_some()).min_by_key(|open| open.used_at)
        {
            idle.file = None;
            self.files_open -= 1;
        }
        let open = self.sessions.get_mut(session).ok_or_else(|| LogError::Missing { session: session.to_owned() })?;
        open.open_file().map_err(|error| failed("open", session, error))?;
        self.files_open += 1;
        Ok(())
    }

    /// Forget what memory believes about a file; the next use reads it again.
    fn abandon(&mut self, session: &str) {
        if let Some(open) = self.sessions.get_mut(session)
            && open.file.take().is_some()
        {
            self.files_open -= 1;
            if let Err(error) = open.cut_back() {
                tracing::error!(session.id = %session, %error, "failed to cut a session log back");
            }
        }
    }

    /// Delete segments that nobody needs any more.
    fn retain(&mut self, session: &str) {
        let Some(open) = self.sessions.get_mut(session) else { return };
        let snapshot = open.feed.snapshot();
        let (now, options) = (now(), &self.options);
        let doomed = open.feed.with_segments(|segments| {
            let mut doomed = Vec::new();
            // A segment ends where the next one begins; the newest always stays.
            while segments.len() > 1 && snapshot.is_some_and(|snapshot| segments[1].first <= snapshot) {
                let total: u64 = segments.iter().map(|segment| segment.bytes).sum();
                let age = Duration::from_millis(now.saturating_sub(segments[0].newest_at));
                let too_much = total > options.keep_bytes && age > KEEP_AT_LEAST;
                if age <= options.keep_for && !too_much {
                    break;
                }
                doomed.push(segments.remove(0));
            }
            doomed
        });
        for segment in doomed {
            if let Err(error) = std::fs::remove_file(&segment.path) {
                tracing::warn!(session.id = %session, %error, "failed to delete an old log segment");
            }
        }
    }
}

impl Open {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let file = self.file.as_ref().ok_or_else(|| io::Error::other("the segment is not open"))?;
        if let Err(error) = (&**file).write_all(bytes) {
            // Part of it may be there: the file must end where the last whole record ended.
            self.cut_back()?;
            return Err(error);
        }
        self.file_bytes += bytes.len() as u64;
        let total = self.file_bytes;
        self.feed.with_segments(|segments| {
            if let Some(segment) = segments.last_mut() {
                segment.bytes = total;
            }
        });
        Ok(())
    }

    fn cut_back(&mut self) -> io::Result<()> {
        let Some(path) = self.feed.with_segments(|segments| segments.last().map(|segment| segment.path.clone())) else {
            return Ok(());
        };
        let offset =
            self.feed.with_segments(|segments| segments.last().map_or(0, |segment| segment.bytes)).min(self.file_bytes);
        OpenOptions::new().write(true).open(path)?.set_len(offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.as_ref().map_or(Ok(()), |file| file.sync_data())
    }

    fn open_file(&mut self) -> io::Result<()> {
        let newest =
            self.feed.with_segments(|segments| segments.last().map(|segment| (segment.path.clone(), segment.bytes)));
        let Some((path, bytes)) = newest else { return self.new_segment() };
        let file = OpenOptions::new().append(true).open(path)?;
        // Bytes behind the last intact record would hide the ones that follow from readers that stop there.
        if file.metadata()?.len() > bytes {
            file.set_len(bytes)?;
        }
        self.file = Some(Arc::new(file));
        self.file_bytes = bytes;
        Ok(())
    }

    fn new_segment(&mut self) -> io::Result<()> {
        let first = self.head + 1;
        let path = Segment::path_for(&self.folder, first);
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        file.set_len(0)?;
        self.file = Some(Arc::new(file));
        self.file_bytes = 0;
        self.feed.with_segments(|segments| {
            segments.retain(|segment| segment.path != path);
            segments.push(Segment { path, first, bytes: 0, newest_at: now(), index: Some(Vec::new()) });
        });
        // The folder's entry must survive a power cut as well.
        File::open(&self.folder)?.sync_all()
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.sync()?;
        self.new_segment()?;
        let mut bytes = Vec::new();
        let note = ClaimNote { snapshot: self.feed.snapshot().unwrap_or(0), earlier: self.earlier };
        record::encode_claim(&mut bytes, self.epoch, self.head, now(), self.source_seq, note);
        self.write(&bytes)
    }
}

/// Read what the disk says about a session: the newest segment in full, older ones only as far as needed.
fn load(session: &str, folder: PathBuf) -> io::Result<Open> {
    let mut segments = segment::list(&folder)?;
    let mut head = Position::default();
    let mut snapshot = None;
    let (mut source_seq, mut earlier) = (0, (0, 0));
    let newest = segments.len().saturating_sub(1);
    for at in (0..segments.len()).rev() {
        let known = &mut segments[at];
        let scan = segment::scan(&known.path, known.first)?;
        if at == newest {
            if scan.valid_bytes < known.bytes {
                tracing::warn!(
                    session.id = session,
                    bytes = known.bytes - scan.valid_bytes,
                    "cut an unfinished record off a session log"
                );
            }
            head = Position { epoch: scan.epoch, seq: scan.head };
            (source_seq, earlier) = (scan.source_seq, scan.earlier);
        }
        for (first, last) in &scan.damaged {
            tracing::error!(session.id = session, first, last, "entries of a session log are damaged");
        }
        snapshot = snapshot.or(scan.snapshot);
        head.epoch = head.epoch.max(scan.epoch);
        known.bytes = scan.valid_bytes;
        known.newest_at = known.newest_at.max(scan.newest_at);
        known.index = Some(scan.index);
        if scan.is_headed {
            break;
        }
    }
    let feed = Arc::new(Feed::new(session, head, snapshot, segments));
    Ok(Open {
        feed,
        folder,
        epoch: head.epoch,
        head: head.seq,
        source_seq,
        earlier,
        file: None,
        file_bytes: 0,
        used_at: 0,
    })
}

/// Syncs written files behind the writer's back.
struct Syncer {
    waiting: Arc<Mutex<Vec<Arc<File>>>>,
    wake: std::sync::mpsc::SyncSender<()>,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Syncer {
    fn start() -> io::Result<Self> {
        let waiting = Arc::new(Mutex::new(Vec::<Arc<File>>::new()));
        let (wake, woken) = std::sync::mpsc::sync_channel::<()>(1);
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::Builder::new().name("session-log-sync".to_owned()).spawn({
            let (waiting, stop) = (waiting.clone(), stop.clone());
            move || {
                while woken.recv().is_ok() && !stop.load(Ordering::Acquire) {
                    std::thread::sleep(SYNC_EVERY);
                    sync_all(&waiting);
                }
            }
        })?;
        Ok(Self { waiting, wake, stop, thread: Some(thread) })
    }

    fn add(&self, file: Arc<File>) {
        let mut waiting = self.waiting.lock();
        if !waiting.iter().any(|known| Arc::ptr_eq(known, &file)) {
            waiting.push(file);
        }
        drop(waiting);
        // Full: a wake-up is already under way.
        let _ = self.wake.try_send(());
    }

    fn flush(&self) {
        sync_all(&self.waiting);
    }

    fn stop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let _ = self.wake.try_send(());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the log sync thread panicked");
        }
        sync_all(&self.waiting);
    }
}

fn sync_all(waiting: &Mutex<Vec<Arc<File>>>) {
    let files = std::mem::take(&mut *waiting.lock());
    for file in files {
        if let Err(error) = file.sync_data() {
            tracing::error!(%error, "failed to sync a session log");
        }
    }
}

fn failed(action: &'static str, session: &str, error: io::Error) -> LogError {
    LogError::Io { action, session: session.to_owned(), source: Arc::new(error) }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_millis() as u64)
}

impl Clone for LogError {
    fn clone(&self) -> Self {
        match self {
            Self::Fenced { session, epoch, newest } => {
                Self::Fenced { session: session.clone(), epoch: *epoch, newest: *newest }
            }
            Self::Missing { session } => Self::Missing { session: session.clone() },
            Self::TooLarge { bytes } => Self::TooLarge { bytes: *bytes },
            Self::Io { action, session, source } => {
                Self::Io { action, session: session.clone(), source: source.clone() }
            }
            Self::Closed => Self::Closed,
        }
    }
}

impl NewEntry {
    pub fn event(payload: RawJson) -> Self {
        Self { source_seq: 0, kind: EntryKind::Event, payload }
    }

    pub fn snapshot(payload: RawJson) -> Self {
        Self { source_seq: 0, kind: EntryKind::Snapshot, payload }
    }

    /// Note the writer's own count of this entry.
    pub fn counted(self, source_seq: u64) -> Self {
        Self { source_seq, ..self }
    }
}

//! Attaching a viewer to a session: one transaction per generation that ends in exactly one `hydrated` or `hydration_failed`,
//! then a pump that sends what happens from there on.
//!
//! The seat is taken before the past is read, so nothing falls between. All frames of a generation leave through this one task,
//! in order; a slow viewer holds up only itself.

use std::sync::Arc;
use std::time::Duration;

use pizzapi_protocol::relay::RelayConnected;
use pizzapi_protocol::viewer::{
    Disconnected, LoadMessages, MetaSource, SessionMessagesPage, ViewerConnected, from_server,
};
use pizzapi_protocol::{
    Behind, Commands, Epoch, ErrorCode, ErrorEvent, Generation, Hydrated, HydratedVia, Hydrating, HydrationFailed,
    HydrationFailure, JsonObject, Position, RawJson, Seq, SessionId,
};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::{REPLAYED, Viewer, owned};
use crate::app::App;
use crate::clock::iso;
use crate::core::replay::{self, Has, Known, Plan};
use crate::core::transcript;
use crate::fanout::{Notice, Room};
use crate::log::{Entry, EntryKind, LogError};
use crate::outbox::Gone;
use crate::socket::{commands, log_store, runner};
use crate::store::{SessionRecord, StoreError};

/// A viewer knows within this time whether it has everything.
const HYDRATE_WITHIN: Duration = Duration::from_secs(15);
/// A session that was asked for its state must send it within this time.
const RECOVER_WITHIN: Duration = Duration::from_secs(10);
/// Frames of one stream leave at most this often; what came between is superseded.
const STREAM_EVERY: Duration = Duration::from_millis(66);
/// Entries and bytes read in one go while catching up.
const READ_ENTRIES: usize = 512;
const READ_BYTES: usize = 4 * 1024 * 1024;
/// A live snapshot above this size is cut to its end, also for pages that expect all of it: they can page back.
const WHOLE_SNAPSHOT_BYTES: usize = 4 * 1024 * 1024;
/// Log positions are compared this often, for viewers that are behind without knowing.
const COMPARE_EVERY: Duration = Duration::from_secs(10);

/// What a viewer asked to look at.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub session: SessionId,
    pub generation: Generation,
    /// How far its transcript goes.
    pub has: Option<Seq>,
    pub epoch: Option<Epoch>,
    /// Named in the handshake by an older client: it is disconnected when there is nothing to follow.
    pub is_handshake: bool,
}

/// What a viewer asks while it is attached.
#[derive(Debug)]
pub enum Ask {
    Resync {
        has: Option<Seq>,
    },
    /// It answered our `connected`.
    Confirmed,
}

/// Why an attachment ended early.
enum Stop {
    /// The viewer switched, or is gone.
    Over,
    Failed(HydrationFailure, String),
}

impl From<Gone> for Stop {
    fn from(_: Gone) -> Self {
        Self::Over
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        log_store(&error, "read a session for a viewer");
        Self::Failed(HydrationFailure::Internal, "the session could not be read".to_owned())
    }
}

impl From<LogError> for Stop {
    fn from(error: LogError) -> Self {
        StoreError::Log(error).into()
    }
}

/// One viewer, one session, one generation.
struct Pump {
    viewer: Viewer,
    session: SessionId,
    generation: Generation,
    room: Arc<Room>,
    /// Everything up to here was sent.
    cursor: u64,
    streamed: u64,
    next_stream: Instant,
    /// Positions that were skipped with a snapshot instead of being sent.
    skipped: Option<(u64, u64)>,
    /// The log said that something is missing, and no whole state came since.
    has_gap: bool,
}

/// An envelope whose body is not copied on its way.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Frame<'a> {
    event: &'a RawJson,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replay: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delta_replay: Option<bool>,
    generation: Generation,
    session_id: &'a SessionId,
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<u64>,
}

const EVENT: &str = <from_server::Event as pizzapi_protocol::events::Event>::NAME;

pub async fn run(
    viewer: Viewer,
    wanted: Wanted,
    visible: Option<bool>,
    cancel: CancellationToken,
    asks: mpsc::Receiver<Ask>,
) {
    if cancel.is_cancelled() {
        return;
    }
    let (app, generation, session) = (viewer.app.clone(), wanted.generation, wanted.session.clone());
    let outcome = tokio::select! {
        () = cancel.cancelled() => Err(Stop::Over),
        outcome = attach(&viewer, wanted, visible, asks) => outcome,
    };
    // Whatever happened: the seat is free again.
    if let Some(room) = app.live.fanout.existing(&session) {
        room.leave(viewer.out.id(), generation);
        publish_audience(&app, &room).await;
    }
    if let Err(Stop::Failed(reason, message)) = outcome {
        failed(&viewer, &session, generation, reason, message);
    }
}

fn failed(viewer: &Viewer, session: &SessionId, generation: Generation, reason: HydrationFailure, message: String) {
    viewer.app.metrics.count("pizzapi_hydrations_total", &[("via", "failed")]);
    viewer.out.emit::<from_server::HydrationFailed>(&HydrationFailed {
        session_id: session.clone(),
        generation,
        reason,
        message: Some(message),
        retryable: reason != HydrationFailure::NotFound,
    });
}

async fn attach(
    viewer: &Viewer,
    wanted: Wanted,
    visible: Option<bool>,
    mut asks: mpsc::Receiver<Ask>,
) -> Result<(), Stop> {
    let app = &viewer.app;
    let deadline = Instant::now() + HYDRATE_WITHIN;
    let Wanted { session, generation, .. } = wanted.clone();
    let record = match timeout_at(deadline, owned(app, &viewer.user, &session)).await {
        Ok(record) => record?,
        Err(_) => return Err(too_late()),
    };
    let Some(record) = record else {
        // A session that is being started may be looked at before it exists.
        if app.live.spawns.is_expected(&viewer.user, &session) {
            return await_start(viewer, wanted, visible, asks).await;
        }
        return Err(absent(viewer, &wanted));
    };
    let Some(feed) = app.live.logs.feed(session.as_str()).await? else { return Err(absent(viewer, &wanted)) };
    let room = app.live.fanout.room(&session, &feed);
    let notices = room.sit(viewer.out.id(), generation, visible);
    publish_audience(app, &room).await;
    // Read again, now that nothing can be missed any more.
    let record = owned(app, &viewer.user, &session).await?.unwrap_or(record);
    let mut pump = Pump {
        viewer: viewer.clone(),
        session: session.clone(),
        generation,
        streamed: 0,
        next_stream: Instant::now(),
        cursor: 0,
        skipped: None,
        has_gap: false,
        room,
    };
    if record.is_ended() {
        pump.replay_ended(&record, &wanted).await?;
        // The seat stays taken: its pages can still be loaded, and the session may come back to life.
        return pump.follow(notices, &mut asks).await;
    }
    let mut notices = notices;
    match timeout_at(deadline, meanwhile(viewer, generation, &mut notices, pump.hydrate(&record, &wanted))).await {
        Ok(done) => done?,
        Err(_) => return Err(too_late()),
    }
    pump.follow(notices, &mut asks).await
}

/// Pass notices on while `hydration` goes on: what became of a command must not wait until a session has answered for its state.
async fn meanwhile(
    viewer: &Viewer,
    generation: Generation,
    notices: &mut mpsc::Receiver<Notice>,
    hydration: impl Future<Output = Result<(), Stop>>,
) -> Result<(), Stop> {
    let mut hydration = std::pin::pin!(hydration);
    loop {
        tokio::select! {
            // First, so that `connected` leaves before anything else.
            biased;
            done = &mut hydration => return done,
            Some(notice) = notices.recv() => {
                let (name, body) = notice(generation);
                viewer.out.send_paced(name, &body).await?;
            }
        }
    }
}

fn too_late() -> Stop {
    Stop::Failed(HydrationFailure::Timeout, "the conversation did not load in time".to_owned())
}

/// The session is unknown, or somebody else's: the same answer.
fn absent(viewer: &Viewer, wanted: &Wanted) -> Stop {
    if wanted.is_handshake {
        viewer.out.emit::<from_server::Error>(&ErrorEvent::new("Session not found"));
        viewer.out.disconnect();
        return Stop::Over;
    }
    viewer.out.emit::<from_server::Error>(&ErrorEvent {
        message: "Session not found".to_owned(),
        code: Some(ErrorCode::NotFound),
        generation: Some(wanted.generation),
    });
    Stop::Failed(HydrationFailure::NotFound, "Session not found".to_owned())
}

/// Wait until a session that was asked for registers, then attach to it.
async fn await_start(
    viewer: &Viewer,
    wanted: Wanted,
    visible: Option<bool>,
    asks: mpsc::Receiver<Ask>,
) -> Result<(), Stop> {
    viewer.out.emit::<from_server::Presence>(&pizzapi_protocol::Presence {
        session_id: wanted.session.clone(),
        presence: pizzapi_protocol::SessionPresence::Starting,
        lights: None,
        viewers: None,
        at: viewer.app.clock.now_ms(),
        generation: Some(wanted.generation),
    });
    match viewer.app.live.spawns.wait(&viewer.user, &wanted.session).await {
        Ok(()) => Box::pin(attach(viewer, wanted, visible, asks)).await,
        Err(message) => {
            viewer.out.emit::<from_server::Error>(&ErrorEvent {
                message: message.clone(),
                code: Some(ErrorCode::RunnerError),
                generation: Some(wanted.generation),
            });
            Err(Stop::Failed(HydrationFailure::Offline, message))
        }
    }
}

impl Pump {
    fn app(&self) -> &App {
        &self.viewer.app
    }

    async fn send(&self, frame: &Frame<'_>) -> Result<(), Stop> {
        Ok(self.viewer.out.send_paced(EVENT, frame).await?)
    }

    fn frame<'a>(&'a self, event: &'a RawJson, seq: Option<u64>, epoch: Option<u64>) -> Frame<'a> {
        Frame {
            event,
            seq,
            replay: None,
            delta_replay: None,
            generation: self.generation,
            session_id: &self.session,
            epoch,
        }
    }

    /// Bring the viewer up to date. Exactly one closing message is sent, here or by whoever gets the error.
    async fn hydrate(&mut self, record: &Arc<SessionRecord>, wanted: &Wanted) -> Result<(), Stop> {
        let began = Instant::now();
        let plan = self.plan(self.credible(wanted));
        self.connected(record, plan, wanted);
        runner::services::announce_to(self.app(), &self.viewer.out, record, self.generation).await;
        self.open_commands().await;
        let via = self.content(record, plan, self.credible(wanted)).await?;
        self.newest_of_each_stream().await?;
        let now = self.app().live.stores.sessions.get(&self.session).await?;
        self.hydrated(now.as_ref().unwrap_or(record), via, began);
        Ok(())
    }

    /// A position of a later life than the log knows belongs to a log that is gone: nothing follows from it.
    fn credible(&self, wanted: &Wanted) -> Option<Seq> {
        let known = self.room.feed.head().epoch;
        wanted.has.filter(|_| wanted.epoch.is_none_or(|epoch| epoch.0 <= known))
    }

    fn plan(&self, has: Option<Seq>) -> Plan {
        let feed = &self.room.feed;
        let known = Known { head: feed.head().seq, first: feed.first(), snapshot: feed.snapshot() };
        match replay::plan(has.map_or(Has::Nothing, |seq| Has::UpTo(seq.0)), known) {
            // Published pages wait for a whole state and drop everything else until it comes.
            Plan::FromStart if !self.viewer.is_ours && self.app().live.routes.relay(&self.session).is_some() => {
                Plan::Ask
            }
            plan => plan,
        }
    }

    /// The switch was accepted. `lastSeq` is where the content begins, never beyond it: published pages take it for what they have.
    fn connected(&self, record: &SessionRecord, plan: Plan, wanted: &Wanted) {
        let head = self.room.feed.head();
        let last_seq = match plan {
            Plan::Current => head.seq,
            Plan::Delta { after } => after,
            Plan::Snapshot { at } => at,
            Plan::FromStart => 0,
            Plan::Ask => head.seq,
        };
        // With a cursor of its own the page only ever lowers it to this.
        let last_seq = if wanted.has.is_some() && matches!(plan, Plan::Current | Plan::Delta { .. }) {
            head.seq
        } else {
            last_seq
        };
        self.viewer.out.emit::<from_server::Connected>(&ViewerConnected {
            session_id: self.session.clone(),
            last_seq: Some(Seq(last_seq)),
            replay_only: record.is_ended().then_some(true),
            is_active: Some(record.is_active),
            last_heartbeat_at: record.last_heartbeat_at.map(iso).into(),
            session_name: record.session_name.clone().into(),
            meta_source: Some(MetaSource::Hub),
            generation: Some(self.generation),
            epoch: Some(Epoch(head.epoch)),
            presence: Some(record.presence_word()),
        });
    }

    async fn open_commands(&self) {
        match commands::open(self.app(), &self.session).await {
            Ok(open) if !open.is_empty() => self.viewer.out.emit::<from_server::Commands>(&Commands {
                session_id: self.session.clone(),
                open,
                generation: Some(self.generation),
            }),
            Ok(_) => {}
            Err(error) => crate::socket::log_db(&error, "read the open commands of a session"),
        }
    }

    async fn content(
        &mut self,
        record: &Arc<SessionRecord>,
        plan: Plan,
        has: Option<Seq>,
    ) -> Result<HydratedVia, Stop> {
        match plan {
            Plan::Current => {
                // What the viewer has, not the head: something may have been said since the plan was made.
                self.cursor = has.map_or(0, |seq| seq.0);
                Ok(HydratedVia::Current)
            }
            Plan::Delta { after } => {
                self.cursor = after;
                if self.catch_up(true).await? { Ok(HydratedVia::Delta) } else { self.fall_back(record).await }
            }
            Plan::Snapshot { at } => match self.snapshot(record, at, has.is_none()).await? {
                true => Ok(HydratedVia::Snapshot),
                false => self.recover(record).await,
            },
            Plan::FromStart => {
                self.cursor = 0;
                if self.catch_up(true).await? { Ok(HydratedVia::Delta) } else { self.fall_back(record).await }
            }
            // The session said nothing when the plan was made. What it says meanwhile is in the log, all of it.
            Plan::Ask if self.viewer.is_ours && self.room.feed.first() <= 1 => {
                self.ask(record);
                self.cursor = 0;
                if !self.catch_up(true).await? {
                    return self.fall_back(record).await;
                }
                Ok(if self.cursor == 0 { HydratedVia::Empty } else { HydratedVia::Delta })
            }
            Plan::Ask => self.recover(record).await,
        }
    }

    /// Ask the session for its whole state, unless somebody just did. Says whether it is there.
    fn ask(&self, record: &SessionRecord) -> bool {
        let app = self.app();
        let Some(handle) = app.live.routes.relay(&record.session_id) else { return false };
        if app.live.recoveries.should_ask(&self.session, app.clock.now_ms()) {
            handle.out.emit::<pizzapi_protocol::relay::from_server::Connected>(&RelayConnected {
                recovery_nonce: Some(uuid::Uuid::new_v4().to_string()),
            });
        }
        true
    }

    /// The log has a hole where it was read: what helps is a whole state behind it.
    async fn fall_back(&mut self, record: &Arc<SessionRecord>) -> Result<HydratedVia, Stop> {
        let hole = self.cursor;
        match self.room.feed.snapshot() {
            Some(at) if at > hole && self.snapshot(record, at, true).await? => Ok(HydratedVia::Snapshot),
            _ => self.recover(record).await,
        }
    }

    /// Send the snapshot at `at` and what follows it. `false`: it cannot be read, or what follows has a hole.
    async fn snapshot(&mut self, record: &SessionRecord, at: u64, cut: bool) -> Result<bool, Stop> {
        let past = self.app().live.logs.read(&self.room.feed, at - 1, 1, usize::MAX).await?;
        let Some(entry) = past.entries.first().filter(|entry| entry.seq == at && entry.kind == EntryKind::Snapshot)
        else {
            return Ok(false);
        };
        let state = self.cut(&entry.payload, &record.overlay, cut).await;
        let frame = Frame { replay: Some(true), epoch: Some(entry.epoch), ..self.frame(&state, None, None) };
        self.send(&frame).await?;
        self.cursor = at;
        self.catch_up(true).await
    }

    /// Cutting a large state takes a while: not on the threads that serve sockets.
    async fn cut(&self, event: &RawJson, overlay: &JsonObject, cut: bool) -> RawJson {
        const LARGE: usize = 256 * 1024;
        let is_small = event.get().len() < LARGE;
        let cut = cut || self.viewer.pages || event.get().len() > WHOLE_SNAPSHOT_BYTES;
        let (owned, overlay) = (event.clone(), overlay.clone());
        let work = move || {
            if cut {
                transcript::tail(&owned, &overlay, transcript::TAIL_MESSAGES)
            } else {
                transcript::whole(&owned, &overlay)
            }
        };
        if is_small {
            return work();
        }
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| event.clone())
    }

    /// Ask the session for its whole state and wait for it; meanwhile the log moves on.
    async fn recover(&mut self, record: &Arc<SessionRecord>) -> Result<HydratedVia, Stop> {
        let before = self.room.feed.snapshot();
        let mut head = self.room.feed.watch();
        if let Some(beat) = self.room.newest("heartbeat") {
            let mut beat: JsonObject = beat.event.to().unwrap_or_default();
            if beat.set("_livenessOnly", &true).is_ok() {
                let beat = beat.to_raw();
                self.send(&self.frame(&beat, None, None)).await?;
            }
        }
        if !self.ask(record) {
            return self.without_session(record).await;
        }
        if self.room.feed.head().seq == 0 {
            // Nothing was ever said: that is complete, and the state that was asked for comes live.
            self.cursor = 0;
            return Ok(HydratedVia::Empty);
        }
        let mut give_up = Instant::now() + RECOVER_WITHIN;
        let mut stirred = self.room.stirred();
        let mut received = 0;
        loop {
            if let Some(at) = self.room.feed.snapshot().filter(|at| before.is_none_or(|before| *at > before))
                && self.snapshot(record, at, true).await?
            {
                return Ok(HydratedVia::Recovery);
            }
            if let Some((so_far, total)) = self.room.assembling().filter(|(so_far, _)| *so_far > received) {
                // It is on its way, in pieces.
                received = so_far;
                give_up = Instant::now() + RECOVER_WITHIN;
                self.viewer.out.emit::<from_server::Hydrating>(&Hydrating {
                    session_id: self.session.clone(),
                    generation: self.generation,
                    received,
                    total,
                });
            }
            tokio::select! {
                changed = head.changed() => if changed.is_err() { return self.without_session(record).await },
                _ = stirred.changed() => {}
                () = tokio::time::sleep_until(give_up) => return self.without_session(record).await,
            }
        }
    }

    /// The session itself cannot help.
    async fn without_session(&mut self, record: &Arc<SessionRecord>) -> Result<HydratedVia, Stop> {
        let feed = self.room.feed.clone();
        if record.presence.is_online() {
            // It answers no such question (a mirror of a sub-agent does not): show what the log has.
            self.cursor = feed.first().saturating_sub(1);
            self.catch_up(false).await?;
            return Ok(HydratedVia::Delta);
        }
        self.viewer.out.emit::<from_server::Error>(&ErrorEvent {
            message: "The runner for this session is offline — the conversation will load when it reconnects."
                .to_owned(),
            code: Some(ErrorCode::Offline),
            generation: Some(self.generation),
        });
        Err(Stop::Failed(HydrationFailure::Offline, "the session is offline and nothing of it is stored".to_owned()))
    }

    /// Send what is in the log behind the cursor. `false`: something is missing there.
    async fn catch_up(&mut self, replay: bool) -> Result<bool, Stop> {
        let head = self.room.feed.head().seq;
        let mut contiguous = true;
        while self.cursor < head {
            let past = self.app().live.logs.read(&self.room.feed, self.cursor, READ_ENTRIES, READ_BYTES).await?;
            if !past.damaged.is_empty() {
                contiguous = false;
                if replay {
                    return Ok(false);
                }
            }
            if past.entries.is_empty() {
                break;
            }
            for entry in &past.entries {
                if entry.kind == EntryKind::Discontinuity {
                    contiguous = false;
                }
                if entry.seq > head {
                    break;
                }
                self.entry(entry, replay).await?;
            }
        }
        Ok(contiguous)
    }

    /// Send one entry and step over it.
    async fn entry(&mut self, entry: &Arc<Entry>, replay: bool) -> Result<(), Stop> {
        let epoch = self.viewer.is_ours.then_some(entry.epoch);
        let is_large = entry.kind == EntryKind::Snapshot
            && (self.viewer.pages || entry.payload.get().len() > WHOLE_SNAPSHOT_BYTES);
        let cut;
        let event = if is_large {
            cut = self.cut(&entry.payload, &JsonObject::new(), true).await;
            &cut
        } else {
            &entry.payload
        };
        let flags = replay.then_some(true);
        let frame = Frame { replay: flags, delta_replay: flags, ..self.frame(event, Some(entry.seq), epoch) };
        self.send(&frame).await?;
        self.cursor = entry.seq;
        match entry.kind {
            EntryKind::Discontinuity => self.has_gap = true,
            // What was missing is in it: say so, instead of going on as if nothing had happened.
            EntryKind::Snapshot if std::mem::take(&mut self.has_gap) && !replay => {
                self.hydrated_again(HydratedVia::Snapshot)
            }
            EntryKind::Snapshot | EntryKind::Event => {}
        }
        Ok(())
    }

    async fn newest_of_each_stream(&mut self) -> Result<(), Stop> {
        for (_, frame) in self.room.streams_after(self.streamed) {
            if frame.after <= self.cursor {
                self.send(&self.frame(&frame.event, None, None)).await?;
            }
            self.streamed = self.streamed.max(frame.version);
        }
        Ok(())
    }

    fn hydrated(&self, record: &SessionRecord, via: HydratedVia, began: Instant) {
        let metrics = &self.app().metrics;
        metrics.count("pizzapi_hydrations_total", &[("via", via.as_str())]);
        metrics.histogram("pizzapi_hydration_seconds", &[]).record(began.elapsed().as_secs_f64());
        let gap = (record.needs_snapshot && via != HydratedVia::Recovery) || self.has_gap;
        self.viewer.out.emit::<from_server::Hydrated>(&Hydrated {
            session_id: self.session.clone(),
            generation: self.generation,
            epoch: Epoch(self.room.feed.head().epoch),
            seq: Seq(self.cursor),
            via,
            complete: !gap,
        });
    }

    /// Send what happens, for as long as the viewer looks.
    async fn follow(mut self, mut notices: mpsc::Receiver<Notice>, asks: &mut mpsc::Receiver<Ask>) -> Result<(), Stop> {
        let mut head = self.room.feed.watch();
        let mut stirred = self.room.stirred();
        let mut compare = tokio::time::interval_at(Instant::now() + COMPARE_EVERY, COMPARE_EVERY);
        loop {
            // Marked before reading: whatever comes while we send wakes us again.
            head.mark_unchanged();
            stirred.mark_unchanged();
            self.advance().await?;
            let streams_wait = self.streams().await?;
            tokio::select! {
                biased;
                notice = notices.recv() => match notice {
                    Some(notice) => self.notice(notice).await?,
                    // The seat was taken away: this viewer did not read. It attaches anew.
                    None => {
                        self.viewer.out.disconnect();
                        return Err(Stop::Over);
                    }
                },
                ask = asks.recv() => match ask {
                    Some(ask) => self.answer(ask).await?,
                    None => return Ok(()),
                },
                changed = head.changed() => if changed.is_err() { return Ok(()) },
                () = tokio::time::sleep_until(self.next_stream), if streams_wait => {}
                _ = stirred.changed(), if !streams_wait => {}
                _ = compare.tick() => self.compare(),
            }
        }
    }

    /// Send durable events up to the head.
    async fn advance(&mut self) -> Result<(), Stop> {
        loop {
            let feed = self.room.feed.clone();
            let head = feed.head().seq;
            if self.cursor >= head {
                return Ok(());
            }
            match feed.recent(self.cursor, READ_ENTRIES) {
                Some(entries) => {
                    for entry in &entries {
                        self.entry(entry, false).await?;
                    }
                }
                // So far behind that memory does not reach back: a newer whole state spares both sides the rest.
                None => match feed.snapshot().filter(|at| *at > self.cursor + 1) {
                    Some(at) => self.jump(at).await?,
                    None => self.read_on(head).await?,
                },
            }
        }
    }

    async fn jump(&mut self, at: u64) -> Result<(), Stop> {
        let from = self.cursor;
        self.app().metrics.count("pizzapi_viewer_jumps_total", &[]);
        let past = self.app().live.logs.read(&self.room.feed, at - 1, 1, usize::MAX).await?;
        let Some(entry) = past.entries.first().filter(|entry| entry.seq == at) else { return self.read_on(at).await };
        self.entry(entry, false).await?;
        self.skipped = Some((from, at));
        self.hydrated_again(HydratedVia::Snapshot);
        Ok(())
    }

    async fn read_on(&mut self, head: u64) -> Result<(), Stop> {
        let past = self.app().live.logs.read(&self.room.feed, self.cursor, READ_ENTRIES, READ_BYTES).await?;
        if let Some((_, last)) = past.damaged.first().copied() {
            // Never a silent jump: the viewer starts over from whatever is whole.
            tracing::warn!(session.id = %self.session, last, "a viewer meets a hole in the log");
            let app = self.app().clone();
            if let Some(record) = app.live.stores.sessions.get(&self.session).await? {
                let via = self.fall_back(&record).await?;
                self.hydrated_again(via);
                return Ok(());
            }
        }
        if past.entries.is_empty() {
            self.cursor = head;
        }
        for entry in &past.entries {
            self.entry(entry, false).await?;
        }
        Ok(())
    }

    fn hydrated_again(&self, via: HydratedVia) {
        self.viewer.out.emit::<from_server::Hydrated>(&Hydrated {
            session_id: self.session.clone(),
            generation: self.generation,
            epoch: Epoch(self.room.feed.head().epoch),
            seq: Seq(self.cursor),
            via,
            complete: true,
        });
    }

    /// Send the newest frame of each stream that moved. Says whether some wait for their time.
    async fn streams(&mut self) -> Result<bool, Stop> {
        let newer = self.room.streams_after(self.streamed);
        if newer.is_empty() {
            return Ok(false);
        }
        if Instant::now() < self.next_stream {
            return Ok(true);
        }
        for (_, frame) in newer {
            if frame.after > self.cursor {
                // Durable events before it were appended meanwhile; they go first.
                return Ok(true);
            }
            self.send(&self.frame(&frame.event, None, None)).await?;
            self.streamed = frame.version;
        }
        self.next_stream = Instant::now() + STREAM_EVERY;
        Ok(false)
    }

    async fn notice(&self, notice: Notice) -> Result<(), Stop> {
        let (name, body) = notice(self.generation);
        Ok(self.viewer.out.send_paced(name, &body).await?)
    }

    fn compare(&self) {
        let head = self.room.feed.head();
        if head.seq > self.cursor {
            self.viewer.out.emit::<from_server::Behind>(&Behind {
                session_id: self.session.clone(),
                head: Position::new(head.epoch, head.seq),
                generation: Some(self.generation),
            });
        }
    }

    async fn answer(&mut self, ask: Ask) -> Result<(), Stop> {
        let Ask::Resync { has } = ask else { return Ok(()) };
        // It noticed that we left something out, which the snapshot made up for.
        if let (Some(Seq(has)), Some((from, to))) = (has, self.skipped)
            && (from..to).contains(&has)
        {
            return Ok(());
        }
        let app = self.app().clone();
        let Some(record) = owned(&app, &self.viewer.user, &self.session).await? else { return Ok(()) };
        // Never backwards: what it has stays.
        let plan = self.plan(has);
        let via = self.content(&record, plan, has).await?;
        self.newest_of_each_stream().await?;
        self.hydrated(&record, via, Instant::now());
        Ok(())
    }

    /// A session that is over: its last state, then nothing more to come.
    async fn replay_ended(&mut self, record: &Arc<SessionRecord>, wanted: &Wanted) -> Result<(), Stop> {
        let began = Instant::now();
        let plan = self.plan(self.credible(wanted).filter(|_| !wanted.is_handshake));
        if plan == Plan::Ask && wanted.is_handshake {
            self.viewer.out.emit::<from_server::Error>(&ErrorEvent::new("Session snapshot not available"));
            self.viewer.out.disconnect();
            return Err(Stop::Over);
        }
        self.connected(record, plan, wanted);
        let told = match plan {
            Plan::Current => {
                self.cursor = wanted.has.map_or(0, |seq| seq.0);
                true
            }
            Plan::Delta { after } => {
                self.cursor = after;
                self.catch_up(true).await?
            }
            Plan::Snapshot { at } => self.snapshot(record, at, true).await?,
            Plan::FromStart | Plan::Ask => self.catch_up(true).await?,
        };
        let via = if self.room.feed.head().seq == 0 { HydratedVia::Empty } else { HydratedVia::Persisted };
        self.viewer.out.emit::<from_server::Hydrated>(&Hydrated {
            session_id: self.session.clone(),
            generation: self.generation,
            epoch: Epoch(self.room.feed.head().epoch),
            seq: Seq(self.cursor),
            via,
            complete: told && !record.needs_snapshot,
        });
        self.app().metrics.histogram("pizzapi_hydration_seconds", &[]).record(began.elapsed().as_secs_f64());
        let (reason, code) = if wanted.is_handshake {
            ("Session is no longer live (snapshot replay).", REPLAYED)
        } else {
            ("Session ended", pizzapi_protocol::viewer::DisconnectCode::SessionEnded)
        };
        self.viewer.out.emit::<from_server::Disconnected>(&Disconnected {
            reason: reason.to_owned(),
            code: Some(code),
            generation: Some(self.generation),
            session_id: Some(self.session.clone()),
        });
        if wanted.is_handshake {
            self.viewer.out.disconnect();
            return Err(Stop::Over);
        }
        Ok(())
    }
}

/// The newest whole state of a session, live or ended, with newer side facts laid over it. `None`: nothing is stored.
pub async fn snapshot_of(app: &App, record: &SessionRecord) -> Result<Option<RawJson>, StoreError> {
    let Some(feed) = app.live.logs.feed(record.session_id.as_str()).await? else { return Ok(None) };
    let Some(at) = feed.snapshot() else { return Ok(None) };
    let past = app.live.logs.read(&feed, at - 1, 1, usize::MAX).await?;
    Ok(past.entries.first().map(|entry| transcript::whole(&entry.payload, &record.overlay)))
}

/// Answer a request for older messages.
pub async fn load_messages(viewer: &Viewer, generation: Generation, event: LoadMessages) {
    let (Some(before), Some(limit)) = (event.before.filter(|n| n.is_finite()), event.limit.filter(|n| n.is_finite()))
    else {
        return;
    };
    let app = &viewer.app;
    let state = match owned(app, &viewer.user, &event.session_id).await {
        Ok(Some(record)) => snapshot_of(app, &record).await,
        Ok(None) => return,
        Err(error) => Err(error),
    };
    let page = match state {
        Ok(Some(state)) => {
            tokio::task::spawn_blocking(move || {
                transcript::page(&state, before.max(0.0) as usize, limit.max(1.0) as usize)
            })
            .await
        }
        Ok(None) => Ok(transcript::Page { messages: Vec::new(), from: 0 }),
        Err(error) => return log_store(&error, "read older messages"),
    };
    let Ok(page) = page else { return };
    viewer.out.emit::<from_server::SessionMessagesPage>(&SessionMessagesPage {
        session_id: event.session_id,
        has_more: page.from > 0,
        oldest_index: page.from as u64,
        messages: page.messages,
        generation: Some(generation),
    });
}

/// How many people watch changed.
pub async fn publish_audience(app: &App, room: &Room) {
    let audience = room.audience();
    if let Err(error) = app.live.stores.presence.set(&room.session, audience).await {
        log_store(&error, "count viewers");
    }
    if let Ok(Some(record)) = app.live.stores.sessions.get(&room.session).await {
        crate::socket::hub::status(app, &record);
    }
    if let Some(handle) = app.live.routes.relay(&room.session) {
        handle.out.try_send(
            <pizzapi_protocol::relay::from_server::Viewers as pizzapi_protocol::events::Event>::NAME,
            &pizzapi_protocol::Viewers { count: audience.viewers, visible: Some(audience.visible) },
        );
    }
}

/// An envelope as the protocol spells it, for the check that ours agrees with it.
#[cfg(test)]
mod tests {
    use pizzapi_protocol::viewer::ViewerEvent;

    use super::*;

    #[test]
    fn the_borrowed_envelope_reads_as_the_protocols() {
        let event = RawJson::parse(r#"{"type":"x"}"#.to_owned()).unwrap();
        let session = SessionId::from("s");
        let frame = Frame {
            event: &event,
            seq: Some(3),
            replay: Some(true),
            delta_replay: Some(true),
            generation: Generation(2),
            session_id: &session,
            epoch: Some(1),
        };
        let read: ViewerEvent = serde_json::from_str(&serde_json::to_string(&frame).unwrap()).unwrap();
        assert_eq!(
            read,
            ViewerEvent {
                event: event.clone(),
                seq: Some(Seq(3)),
                replay: Some(true),
                delta_replay: Some(true),
                generation: Some(Generation(2)),
                session_id: Some(session.clone()),
                epoch: Some(Epoch(1)),
            }
        );
    }
}

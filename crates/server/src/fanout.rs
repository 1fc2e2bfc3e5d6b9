//! Session events on their way to the viewers of this node.
//!
//! Durable events come from the log's [`Feed`]; of each streamed thing only the newest frame is kept here. Every viewer has its own
//! pump with its own place, so a slow one holds up nobody. What is neither (a reply, a notice) goes to the seats of the room.

use std::collections::HashMap;
use std::sync::Arc;

use dashmap::DashMap;
use parking_lot::Mutex;
use pizzapi_protocol::{Generation, RawJson, SessionId};
use socketioxide::socket::Sid;
use tokio::sync::{mpsc, watch};

use crate::log::{Feed, Seq};
use crate::store::Audience;

/// Notices that wait for one viewer. One that lets more pile up is disconnected, and attaches anew.
pub const NOTICES: usize = 1024;
/// Streams of one session; a session has a handful at once.
const MAX_STREAMS: usize = 64;

/// Something that is sent once to everybody who watches now. Called with each viewer's generation.
pub type Notice = Arc<dyn Fn(Generation) -> (&'static str, RawJson) + Send + Sync>;

/// Rooms of this node, one per session that is watched or written to here.
#[derive(Clone, Default)]
pub struct Fanout {
    rooms: Arc<DashMap<SessionId, Arc<Room>>>,
}

/// One session on this node.
pub struct Room {
    pub session: SessionId,
    pub feed: Arc<Feed>,
    streams: Mutex<Streams>,
    stirred: watch::Sender<u64>,
    /// Messages received and expected of a state that arrives in pieces.
    assembling: Mutex<Option<(u64, u64)>>,
    seats: Mutex<HashMap<Sid, Seat>>,
}

#[derive(Default)]
struct Streams {
    version: u64,
    slots: HashMap<String, Streamed>,
}

/// The newest frame of a stream.
#[derive(Debug, Clone)]
pub struct Streamed {
    pub version: u64,
    /// Everything up to here must be with the viewer before this frame makes sense.
    pub after: Seq,
    pub event: Arc<RawJson>,
}

struct Seat {
    notices: mpsc::Sender<Notice>,
    generation: Generation,
    /// `None`: the page never said.
    visible: Option<bool>,
}

impl Fanout {
    /// The room of a session; made when it is not there.
    pub fn room(&self, session: &SessionId, feed: &Arc<Feed>) -> Arc<Room> {
        self.rooms
            .entry(session.clone())
            .or_insert_with(|| {
                Arc::new(Room {
                    session: session.clone(),
                    feed: feed.clone(),
                    streams: Mutex::default(),
                    stirred: watch::Sender::new(0),
                    assembling: Mutex::default(),
                    seats: Mutex::default(),
                })
            })
            .clone()
    }

    pub fn existing(&self, session: &SessionId) -> Option<Arc<Room>> {
        self.rooms.get(session).map(|room| room.clone())
    }

    /// Send a notice to everybody who watches `session` here.
    pub fn notify(&self, session: &SessionId, notice: Notice) {
        if let Some(room) = self.existing(session) {
            room.notify(notice);
        }
    }

    /// Rooms nobody uses any more are dropped.
    pub fn sweep(&self) {
        self.rooms.retain(|_, room| Arc::strong_count(room) > 1 || !room.seats.lock().is_empty());
    }
}

impl Room {
    /// Replace the newest frame of a stream.
    pub fn stream(&self, key: &str, event: RawJson, after: Seq) {
        let mut streams = self.streams.lock();
        streams.version += 1;
        let frame = Streamed { version: streams.version, after, event: Arc::new(event) };
        if streams.slots.len() >= MAX_STREAMS
            && !streams.slots.contains_key(key)
            && let Some(oldest) = streams.slots.iter().min_by_key(|(_, slot)| slot.version).map(|(key, _)| key.clone())
        {
            streams.slots.remove(&oldest);
        }
        match streams.slots.get_mut(key) {
            Some(slot) => *slot = frame,
            None => {
                streams.slots.insert(key.to_owned(), frame);
            }
        }
        self.stirred.send_replace(streams.version);
    }

    /// A stream is over: its final event says everything.
    pub fn end_stream(&self, key: &str) {
        self.streams.lock().slots.remove(key);
    }

    pub fn end_streams(&self, keep: impl Fn(&str) -> bool) {
        self.streams.lock().slots.retain(|key, _| keep(key));
    }

    /// Newest frames later than `version`, in the order they came.
    pub fn streams_after(&self, version: u64) -> Vec<(String, Streamed)> {
        let streams = self.streams.lock();
        if streams.version <= version {
            return Vec::new();
        }
        let mut newer: Vec<_> = streams
            .slots
            .iter()
            .filter(|(_, slot)| slot.version > version)
            .map(|(key, slot)| (key.clone(), slot.clone()))
            .collect();
        newer.sort_by_key(|(_, slot)| slot.version);
        newer
    }

    pub fn newest(&self, key: &str) -> Option<Streamed> {
        self.streams.lock().slots.get(key).cloned()
    }

    /// How far a state that arrives in pieces has come.
    pub fn assembling(&self) -> Option<(u64, u64)> {
        *self.assembling.lock()
    }

    pub fn set_assembling(&self, progress: Option<(u64, u64)>) {
        let mut current = self.assembling.lock();
        if *current != progress {
            *current = progress;
            drop(current);
            self.stirred.send_modify(|_| {});
        }
    }

    /// Wakes when a stream moves.
    pub fn stirred(&self) -> watch::Receiver<u64> {
        self.stirred.subscribe()
    }

    /// Take a seat. Notices come from now on.
    pub fn sit(&self, viewer: Sid, generation: Generation, visible: Option<bool>) -> mpsc::Receiver<Notice> {
        let (notices, receiver) = mpsc::channel(NOTICES);
        self.seats.lock().insert(viewer, Seat { notices, generation, visible });
        receiver
    }

    /// Leave, unless the seat was taken anew for a later generation.
    pub fn leave(&self, viewer: Sid, generation: Generation) {
        let mut seats = self.seats.lock();
        if seats.get(&viewer).is_some_and(|seat| seat.generation == generation) {
            seats.remove(&viewer);
        }
    }

    pub fn set_visible(&self, viewer: Sid, visible: bool) {
        if let Some(seat) = self.seats.lock().get_mut(&viewer) {
            seat.visible = Some(visible);
        }
    }

    pub fn audience(&self) -> Audience {
        let seats = self.seats.lock();
        let mut audience = Audience { viewers: seats.len() as u32, ..Audience::default() };
        for seat in seats.values() {
            match seat.visible {
                Some(true) => audience.visible += 1,
                Some(false) => {}
                None => audience.unsaid += 1,
            }
        }
        audience
    }

    pub fn is_watched(&self) -> bool {
        !self.seats.lock().is_empty()
    }

    /// Send a notice to every seat; a seat that does not take it any more is closed, which its viewer notices.
    pub fn notify(&self, notice: Notice) {
        self.seats.lock().retain(|viewer, seat| match seat.notices.try_send(notice.clone()) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Closed(_)) => false,
            Err(mpsc::error::TrySendError::Full(_)) => {
                tracing::warn!(socket.id = %viewer, session.id = %self.session, "a viewer does not read its notices");
                false
            }
        });
    }

    /// Send a notice to one viewer. Says whether it sits here.
    pub fn notify_one(&self, viewer: Sid, notice: Notice) -> bool {
        self.seats.lock().get(&viewer).is_some_and(|seat| seat.notices.try_send(notice).is_ok())
    }
}

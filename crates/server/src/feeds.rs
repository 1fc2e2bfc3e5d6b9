//! Lists that a user's pages keep up to date: sessions, runners. Every change has a number, so that a page notices a missed one.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::sync::Arc;

use dashmap::DashMap;
use parking_lot::Mutex;
use pizzapi_protocol::{Revision, SessionId, UserId};
use serde::Serialize;
use socketioxide::socket::Sid;

use crate::outbox::Outbox;

/// A snapshot that keeps being overtaken is sent after this many attempts; the deltas behind it correct it.
const SNAPSHOT_TRIES: usize = 8;

/// One kind of list, for all users.
#[derive(Clone, Default)]
pub struct Feeds {
    users: Arc<DashMap<UserId, Arc<UserFeed>>>,
}

#[derive(Default)]
struct UserFeed {
    state: Mutex<FeedState>,
}

#[derive(Default)]
struct FeedState {
    revision: u64,
    seats: HashMap<Sid, FeedSeat>,
}

struct FeedSeat {
    out: Outbox,
    /// It has the list; before, deltas would have nothing to change.
    is_current: bool,
    /// Sessions whose side state it follows.
    follows: HashSet<SessionId>,
}

impl Feeds {
    fn user(&self, user: &UserId) -> Arc<UserFeed> {
        self.users.entry(user.clone()).or_default().clone()
    }

    pub fn join(&self, user: &UserId, out: Outbox) {
        let seat = FeedSeat { out: out.clone(), is_current: false, follows: HashSet::new() };
        self.user(user).state.lock().seats.insert(out.id(), seat);
    }

    pub fn leave(&self, user: &UserId, socket: Sid) {
        if let Some(feed) = self.users.get(user) {
            feed.state.lock().seats.remove(&socket);
        }
    }

    /// Send the whole list to one page. `read` is called until nothing changed while it ran.
    pub async fn snapshot<T, F, E>(
        &self,
        user: &UserId,
        socket: Sid,
        name: &'static str,
        read: impl Fn() -> F,
        body: impl Fn(&T, Revision) -> serde_json::Result<pizzapi_protocol::RawJson>,
    ) -> Result<(), E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let feed = self.user(user);
        for attempt in 1.. {
            let before = feed.state.lock().revision;
            let list = read().await?;
            let mut state = feed.state.lock();
            if state.revision != before && attempt < SNAPSHOT_TRIES {
                continue;
            }
            // Sent under the lock: the first delta after it carries the next number.
            if let Some(seat) = state.seats.get_mut(&socket) {
                match body(&list, Revision(before)) {
                    Ok(body) => seat.out.send(name, &body),
                    Err(error) => tracing::error!(event = name, %error, "a list does not serialise"),
                }
                seat.is_current = true;
            }
            break;
        }
        Ok(())
    }

    /// Tell all pages of a user about a change. `body` gets the change's number.
    pub fn publish<T: Serialize>(&self, user: &UserId, name: &'static str, body: impl FnOnce(Revision) -> T) {
        let feed = self.user(user);
        let mut state = feed.state.lock();
        state.revision += 1;
        state.seats.retain(|_, seat| seat.out.is_connected());
        if state.seats.is_empty() {
            return;
        }
        let Some(body) = encode(name, &body(Revision(state.revision))) else { return };
        for seat in state.seats.values().filter(|seat| seat.is_current) {
            seat.out.send(name, &body);
        }
    }

    /// Follow a session's side state. `first` is sent under the same lock as later changes.
    pub fn follow(&self, user: &UserId, socket: Sid, session: &SessionId) {
        if let Some(seat) = self.user(user).state.lock().seats.get_mut(&socket) {
            seat.follows.insert(session.clone());
        }
    }

    pub fn unfollow(&self, user: &UserId, socket: Sid, session: &SessionId) {
        if let Some(seat) = self.user(user).state.lock().seats.get_mut(&socket) {
            seat.follows.remove(session);
        }
    }

    /// Send to the pages that follow `session`.
    pub fn tell_followers<T: Serialize>(&self, user: &UserId, session: &SessionId, name: &'static str, body: &T) {
        let Some(feed) = self.users.get(user).map(|feed| feed.clone()) else { return };
        let state = feed.state.lock();
        let mut encoded = None;
        for seat in state.seats.values().filter(|seat| seat.follows.contains(session)) {
            if encoded.is_none() {
                encoded = encode(name, body);
            }
            if let Some(body) = &encoded {
                seat.out.send(name, body);
            }
        }
    }

    /// Send to every page of the user, outside the list's numbering.
    pub fn tell<T: Serialize>(&self, user: &UserId, name: &'static str, body: &T) {
        let Some(feed) = self.users.get(user).map(|feed| feed.clone()) else { return };
        let state = feed.state.lock();
        let Some(body) = encode(name, body).filter(|_| !state.seats.is_empty()) else { return };
        for seat in state.seats.values() {
            seat.out.send(name, &body);
        }
    }

    /// How many pages of the user are connected.
    pub fn pages(&self, user: &UserId) -> usize {
        self.users.get(user).map_or(0, |feed| feed.state.lock().seats.len())
    }
}

fn encode<T: Serialize + ?Sized>(name: &'static str, body: &T) -> Option<pizzapi_protocol::RawJson> {
    pizzapi_protocol::RawJson::new(body)
        .inspect_err(|error| tracing::error!(event = name, %error, "an event does not serialise"))
        .ok()
}

impl Feeds {
    /// Send to one page, in order with what it gets from the feed.
    pub fn tell_one<E: pizzapi_protocol::events::Event>(&self, user: &UserId, socket: Sid, body: &E::Payload) {
        if let Some(feed) = self.users.get(user).map(|feed| feed.clone())
            && let Some(seat) = feed.state.lock().seats.get(&socket)
        {
            seat.out.emit::<E>(body);
        }
    }
}

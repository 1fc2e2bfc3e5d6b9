//! What is on its way to the relay: order, numbers, and what to do when the relay takes less than the agent makes. Pure.
//!
//! Durable events are numbered when they are handed to a connection, kept until the relay has stored them and sent again on the
//! next connection. Streamed ones only ever wait in their newest form. When more is unconfirmed than the bound allows,
//! everything is given up for one snapshot: better a whole picture a little later than a hole nobody knows of.

use std::collections::VecDeque;

use pizzapi_protocol::limits::{RESEND_WINDOW_BYTES, RESEND_WINDOW_EVENTS};
use pizzapi_protocol::{DeliveryClass, RawJson};

/// Frames other than durable events that wait for room on the connection; beyond, the state is announced anew.
const MAX_FLEETING: usize = 4096;

/// An event on its way.
#[derive(Debug, Clone)]
pub struct Item {
    pub raw: RawJson,
    pub class: DeliveryClass,
    /// Of streamed and latest events: what this is the newest form of.
    pub key: Option<String>,
    /// A whole snapshot in one event.
    pub is_snapshot: bool,
}

impl Item {
    fn bytes(&self) -> usize {
        self.raw.get().len()
    }

    fn is_durable(&self) -> bool {
        self.class == DeliveryClass::Durable
    }
}

/// What leaves: an event, or a frame of another kind (`C`) that keeps its place among them.
#[derive(Debug, Clone)]
pub enum Outgoing<C> {
    Event(Item),
    Control(C),
}

/// How much may be unconfirmed. Snapshots do not count: there is never more than one waiting.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub events: usize,
    pub bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { events: RESEND_WINDOW_EVENTS, bytes: RESEND_WINDOW_BYTES }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Outbox<C> {
    bounds: Bounds,
    queue: VecDeque<Outgoing<C>>,
    /// Sent, with their numbers, and not yet stored by the relay.
    unacked: VecDeque<(u64, Item)>,
    /// Of the current registration.
    next_seq: u64,
    acked: u64,
    /// Something was given up: nothing but a snapshot is right now. It waits until what was sent before is confirmed, so that
    /// a relay that is short of breath is not sent the whole transcript on top.
    lost: Option<u64>,
    /// A snapshot in pieces is on its way. Pieces have no numbers: it has arrived when an event sent after it is confirmed.
    pieces: Option<Pieces>,
    is_registered: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pieces {
    Sending,
    /// Arrived when this number is confirmed.
    Sent(u64),
}

impl<C> Default for Outbox<C> {
    fn default() -> Self {
        Self::new(Bounds::default())
    }
}

impl<C> Outbox<C> {
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            queue: VecDeque::new(),
            unacked: VecDeque::new(),
            next_seq: 1,
            acked: 0,
            lost: None,
            pieces: None,
            is_registered: false,
        }
    }

    /// Something happened. Without a registration only durable events are kept.
    pub fn push(&mut self, item: Item) {
        match item.class {
            DeliveryClass::Durable => {
                if self.lost.is_some() {
                    // The snapshot to come will show it.
                    return;
                }
                self.queue.push_back(Outgoing::Event(item));
                self.enforce();
            }
            _ if !self.is_registered => {}
            DeliveryClass::Streamed | DeliveryClass::Latest => {
                if self.lost.is_some() && item.class == DeliveryClass::Streamed {
                    return;
                }
                if item.key.is_some() {
                    let superseded = |waiting: &Outgoing<C>| match waiting {
                        Outgoing::Event(old) => old.key == item.key && old.class == item.class,
                        Outgoing::Control(_) => false,
                    };
                    self.queue.retain(|waiting| !superseded(waiting));
                }
                self.queue.push_back(Outgoing::Event(item));
            }
            DeliveryClass::Meta | DeliveryClass::Chunk => {
                self.queue.push_back(Outgoing::Event(item));
                self.enforce();
            }
        }
    }

    /// A frame that is no event. Lost with the connection.
    pub fn control(&mut self, frame: C) {
        if self.is_registered {
            self.queue.push_back(Outgoing::Control(frame));
        }
    }

    /// A snapshot takes the place of older ones that were not sent, and ends the need for one.
    pub fn push_snapshot(&mut self, items: Vec<Item>) {
        self.queue.retain(|waiting| match waiting {
            Outgoing::Event(item) => !(item.is_snapshot || item.class == DeliveryClass::Chunk),
            Outgoing::Control(_) => true,
        });
        self.lost = None;
        let in_pieces = items.iter().any(|item| item.class == DeliveryClass::Chunk);
        self.pieces = (in_pieces && self.is_registered).then_some(Pieces::Sending);
        for item in items {
            if item.is_durable() || self.is_registered {
                self.queue.push_back(Outgoing::Event(item));
            }
        }
    }

    /// The next frame to send, with its number if it is a durable event. It stays until [`Outbox::sent`].
    pub fn peek(&self) -> Option<(&Outgoing<C>, Option<u64>)> {
        if !self.is_registered {
            return None;
        }
        let next = self.queue.front()?;
        let seq = matches!(next, Outgoing::Event(item) if item.is_durable()).then_some(self.next_seq);
        Some((next, seq))
    }

    /// The frame that was peeked is with the connection. Gives back control frames.
    pub fn sent(&mut self) -> Option<C> {
        match self.queue.pop_front()? {
            Outgoing::Control(frame) => Some(frame),
            Outgoing::Event(item) => {
                if item.is_durable() {
                    self.unacked.push_back((self.next_seq, item));
                    self.next_seq += 1;
                } else if item.class == DeliveryClass::Chunk && self.pieces == Some(Pieces::Sending) {
                    let more = self
                        .queue
                        .iter()
                        .any(|waiting| matches!(waiting, Outgoing::Event(item) if item.class == DeliveryClass::Chunk));
                    if !more {
                        self.pieces = Some(Pieces::Sent(self.next_seq));
                    }
                }
                None
            }
        }
    }

    /// The frame that was peeked can never be sent.
    pub fn discard(&mut self) {
        self.queue.pop_front();
    }

    /// Everything up to `seq` is stored.
    pub fn ack(&mut self, seq: u64) {
        // Numbers we never gave mean another registration's; believing them would lose events.
        if seq >= self.next_seq || seq < self.acked {
            return;
        }
        self.acked = seq;
        while self.unacked.front().is_some_and(|(number, _)| *number <= seq) {
            self.unacked.pop_front();
        }
        if matches!(self.pieces, Some(Pieces::Sent(after)) if seq >= after) {
            self.pieces = None;
        }
    }

    /// Highest confirmed number of the current registration, or of the last one.
    pub fn acked(&self) -> u64 {
        self.acked
    }

    /// The number the next durable event will get.
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// The connection is gone.
    pub fn disconnected(&mut self) {
        self.is_registered = false;
        self.queue.retain(|waiting| matches!(waiting, Outgoing::Event(item) if item.is_durable()));
    }

    /// A new registration. `stored`: how far the relay has stored what the last one numbered; `None`: it does not know.
    ///
    /// What it has not stored goes first, under new numbers. Returns whether a snapshot has to be sent.
    pub fn registered(&mut self, stored: Option<u64>) -> bool {
        self.disconnected();
        self.is_registered = true;
        let began = self.next_seq > 1 || !self.queue.is_empty() || !self.unacked.is_empty();
        let mut snapshot = self.lost.is_some() || self.pieces.is_some();
        match stored {
            Some(stored) if !snapshot => {
                // A relay that claims to have more than we sent means somebody else's numbers.
                snapshot = stored >= self.next_seq && began;
                let unstored = self.unacked.drain(..).filter(|(number, _)| *number > stored);
                let again: Vec<_> = unstored.map(|(_, item)| Outgoing::Event(item)).collect();
                for item in again.into_iter().rev() {
                    self.queue.push_front(item);
                }
            }
            _ => snapshot = true,
        }
        self.next_seq = 1;
        self.acked = 0;
        self.pieces = None;
        if snapshot {
            self.unacked.clear();
            self.queue.clear();
            self.lost = Some(0);
        }
        snapshot
    }

    /// Must a snapshot be taken, and is now the time?
    pub fn wants_snapshot(&self) -> bool {
        self.is_registered && self.lost.is_some_and(|after| self.acked >= after)
    }

    /// Everything is to be replaced by a snapshot, whatever waits.
    pub fn lose(&mut self) {
        self.queue.retain(|waiting| match waiting {
            Outgoing::Event(item) => item.class == DeliveryClass::Latest,
            Outgoing::Control(_) => true,
        });
        self.unacked.clear();
        self.pieces = None;
        self.lost = Some(self.next_seq - 1);
    }

    /// Unconfirmed durable events and their bytes, snapshots left out.
    pub fn unconfirmed(&self) -> (usize, usize) {
        let queued = self.queue.iter().filter_map(|waiting| match waiting {
            Outgoing::Event(item) if item.is_durable() => Some(item),
            _ => None,
        });
        let sent = self.unacked.iter().map(|(_, item)| item);
        sent.chain(queued)
            .filter(|item| !item.is_snapshot)
            .fold((0, 0), |(events, bytes), item| (events + 1, bytes + item.bytes()))
    }

    fn enforce(&mut self) {
        // The sum is only made when it can be over: each event costs at least a byte of the bound on their number.
        if self.queue.len() + self.unacked.len() <= self.bounds.events.min(64) && self.queue.len() < 64 {
            let (_, bytes) = self.unconfirmed();
            if bytes <= self.bounds.bytes {
                return;
            }
        }
        let (events, bytes) = self.unconfirmed();
        let fleeting = self.queue.iter().filter(|waiting| match waiting {
            Outgoing::Event(item) => item.class == DeliveryClass::Meta,
            Outgoing::Control(_) => false,
        });
        if events > self.bounds.events || bytes > self.bounds.bytes || fleeting.count() > MAX_FLEETING {
            self.lose();
        }
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use proptest::prelude::*;

    use super::*;

    type Box = Outbox<&'static str>;

    fn item(text: &str, class: DeliveryClass) -> Item {
        Item {
            raw: RawJson::new(text).expect("text"),
            class,
            key: (class == DeliveryClass::Streamed || class == DeliveryClass::Latest)
                .then(|| text.split(' ').next().unwrap_or_default().to_owned()),
            is_snapshot: false,
        }
    }

    fn durable(text: &str) -> Item {
        item(text, DeliveryClass::Durable)
    }

    fn snapshot(text: &str) -> Item {
        Item { is_snapshot: true, ..durable(text) }
    }

    /// Send everything that can be sent.
    fn drain(outbox: &mut Box) -> Vec<(String, Option<u64>)> {
        let mut sent = Vec::new();
        while let Some((next, seq)) = outbox.peek() {
            sent.push(match next {
                Outgoing::Event(item) => (item.raw.to().expect("text"), seq),
                Outgoing::Control(frame) => ((*frame).to_owned(), seq),
            });
            outbox.sent();
        }
        sent
    }

    fn texts(sent: &[(String, Option<u64>)]) -> Vec<&str> {
        sent.iter().map(|(text, _)| text.as_str()).collect()
    }

    #[test]
    fn what_the_relay_has_not_stored_is_sent_again_under_new_numbers() {
        let mut outbox = Box::default();
        assert!(outbox.registered(None), "a new session begins with a snapshot");
        assert!(outbox.wants_snapshot());
        outbox.push_snapshot(vec![snapshot("all")]);
        for text in ["a", "b", "c"] {
            outbox.push(durable(text));
        }
        let expected = [("all", 1), ("a", 2), ("b", 3), ("c", 4)].map(|(text, seq)| (text.to_owned(), Some(seq)));
        assert_eq!(drain(&mut outbox), expected);
        outbox.ack(2);
        outbox.disconnected();
        outbox.push(durable("d"));
        assert_eq!(drain(&mut outbox), []);
        assert_eq!(outbox.acked(), 2);
        assert!(!outbox.registered(Some(3)), "the relay knows where we were");
        assert_eq!(drain(&mut outbox), [("c".to_owned(), Some(1)), ("d".to_owned(), Some(2))]);
    }

    #[test]
    fn a_relay_that_forgot_gets_a_snapshot_instead() {
        let mut outbox = Box::default();
        outbox.registered(None);
        outbox.push_snapshot(vec![snapshot("all")]);
        outbox.push(durable("a"));
        drain(&mut outbox);
        outbox.disconnected();
        assert!(outbox.registered(None));
        outbox.push(durable("b"));
        assert_eq!(drain(&mut outbox), [], "nothing but a snapshot is right");
        outbox.push_snapshot(vec![snapshot("all again")]);
        outbox.push(durable("c"));
        assert_eq!(texts(&drain(&mut outbox)), ["all again", "c"]);
    }

    #[test]
    fn beyond_the_bound_a_snapshot_stands_in_once_the_rest_is_confirmed() {
        let mut outbox = Box::new(Bounds { events: 3, bytes: 1000 });
        outbox.registered(None);
        outbox.push_snapshot(vec![snapshot("all")]);
        for n in 0..3 {
            outbox.push(durable(&n.to_string()));
        }
        assert_eq!(drain(&mut outbox).len(), 4);
        outbox.push(durable("too much"));
        outbox.push(durable("given up"));
        assert!(!outbox.wants_snapshot(), "the relay is still busy");
        assert_eq!(drain(&mut outbox), []);
        outbox.ack(4);
        assert!(outbox.wants_snapshot());
        outbox.push_snapshot(vec![snapshot("whole")]);
        outbox.push(durable("next"));
        assert_eq!(drain(&mut outbox), [("whole".to_owned(), Some(5)), ("next".to_owned(), Some(6))]);
    }

    #[test]
    fn bytes_are_bounded_too_but_snapshots_are_not() {
        let mut outbox = Box::new(Bounds { events: 100, bytes: 50 });
        outbox.registered(None);
        outbox.push_snapshot(vec![snapshot(&"x".repeat(500))]);
        outbox.push(durable(&"y".repeat(40)));
        assert_eq!(drain(&mut outbox).len(), 2);
        outbox.push(durable(&"z".repeat(40)));
        outbox.ack(2);
        assert!(outbox.wants_snapshot());
    }

    #[test]
    fn streamed_events_wait_only_in_their_newest_form_and_keep_their_place_behind_durable_ones() {
        let mut outbox = Box::default();
        outbox.registered(None);
        outbox.push_snapshot(vec![]);
        outbox.push(item("m 1", DeliveryClass::Streamed));
        outbox.push(durable("tool"));
        outbox.push(item("m 2", DeliveryClass::Streamed));
        outbox.push(item("t 1", DeliveryClass::Streamed));
        outbox.push(item("m 3", DeliveryClass::Streamed));
        outbox.control("receipt");
        outbox.push(durable("m ends"));
        assert_eq!(texts(&drain(&mut outbox)), ["tool", "t 1", "m 3", "receipt", "m ends"]);
        outbox.disconnected();
        outbox.push(item("m 4", DeliveryClass::Streamed));
        outbox.control("lost");
        outbox.registered(Some(2));
        assert_eq!(drain(&mut outbox), []);
    }

    #[test]
    fn a_snapshot_in_pieces_counts_when_something_after_it_is_confirmed() {
        let pieces = || vec![item("header", DeliveryClass::Chunk), item("piece", DeliveryClass::Chunk)];
        let mut outbox = Box::default();
        outbox.registered(None);
        outbox.push_snapshot(pieces());
        assert_eq!(drain(&mut outbox), [("header".to_owned(), None), ("piece".to_owned(), None)]);
        outbox.push(durable("a"));
        drain(&mut outbox);
        assert!(outbox.registered(Some(0)), "nobody can know whether the pieces arrived");
        outbox.push_snapshot(pieces());
        drain(&mut outbox);
        outbox.push(durable("b"));
        drain(&mut outbox);
        outbox.ack(1);
        assert!(!outbox.registered(Some(1)));
        // A newer snapshot takes the place of pieces that still wait.
        outbox.push_snapshot(pieces());
        outbox.push_snapshot(vec![snapshot("newer")]);
        assert_eq!(texts(&drain(&mut outbox)), ["newer"]);
    }

    #[test]
    fn acknowledgements_of_numbers_never_given_are_not_believed() {
        let mut outbox = Box::default();
        outbox.registered(None);
        outbox.push_snapshot(vec![]);
        outbox.push(durable("a"));
        drain(&mut outbox);
        outbox.ack(7);
        assert_eq!(outbox.unconfirmed().0, 1);
        assert!(outbox.registered(Some(9)), "those are not our numbers");
    }

    #[derive(Debug, Clone)]
    enum Step {
        Push,
        Send(u8),
        Ack(u8),
        Break(u8),
    }

    proptest! {
        /// A relay that stores what it gets, loses connections at any moment and answers resume honestly has, in the end, every
        /// event once and in order, unless a snapshot came in between.
        #[test]
        fn nothing_is_lost_or_doubled(steps in proptest::collection::vec(prop_oneof![
            4 => Just(Step::Push),
            4 => (1u8..5).prop_map(Step::Send),
            2 => (0u8..5).prop_map(Step::Ack),
            1 => (0u8..5).prop_map(Step::Break),
        ], 0..200)) {
            let mut outbox = Box::new(Bounds { events: 40, bytes: 100_000 });
            // What the relay stored: snapshot marks and numbers; and how many frames of this registration it has read.
            let mut stored: Vec<Result<u32, u32>> = Vec::new();
            let mut wire: VecDeque<(Result<u32, u32>, u64)> = VecDeque::new();
            let mut read = 0u64;
            let mut made = 0u32;
            outbox.registered(None);
            let settle = |outbox: &mut Box, made: u32| {
                if outbox.wants_snapshot() {
                    outbox.push_snapshot(vec![snapshot(&format!("s{made}"))]);
                }
            };
            let parse = |text: String| match text.strip_prefix('s') {
                Some(upto) => Err(upto.parse().expect("number")),
                None => Ok(text.parse().expect("number")),
            };
            let mut steps = steps;
            steps.extend([Step::Break(0), Step::Send(255), Step::Ack(255), Step::Send(255), Step::Ack(255)]);
            for step in steps {
                settle(&mut outbox, made);
                match step {
                    Step::Push => {
                        made += 1;
                        outbox.push(durable(&made.to_string()));
                    }
                    Step::Send(count) => {
                        for _ in 0..count {
                            let Some((Outgoing::Event(item), Some(seq))) = outbox.peek() else { break };
                            wire.push_back((parse(item.raw.to().expect("text")), seq));
                            outbox.sent();
                        }
                    }
                    Step::Ack(count) => {
                        for _ in 0..count {
                            let Some((event, seq)) = wire.pop_front() else { break };
                            stored.push(event);
                            read = seq;
                        }
                        outbox.ack(read);
                    }
                    Step::Break(arrives) => {
                        // Some of what was on the wire still arrives, unconfirmed.
                        for (event, seq) in wire.drain(..).take(usize::from(arrives)) {
                            stored.push(event);
                            read = seq;
                        }
                        outbox.disconnected();
                        outbox.registered(Some(read));
                        read = 0;
                    }
                }
            }
            settle(&mut outbox, made);
            let mut at = 0;
            for event in stored {
                match event {
                    Ok(number) => {
                        prop_assert_eq!(number, at + 1, "a gap or a repetition without a snapshot");
                        at = number;
                    }
                    Err(upto) => {
                        prop_assert!(upto >= at);
                        at = upto;
                    }
                }
            }
        }
    }
}

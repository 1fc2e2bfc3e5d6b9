//! What waits while a turn runs. Pure.

use std::collections::VecDeque;

use pizzapi_protocol::ImageBlock;
use serde::{Deserialize, Serialize};

use crate::op::Delivery;

/// Messages one queue holds.
pub const QUEUE_KEEP: usize = 100;

/// A message that waits for its turn.
#[derive(Debug, Clone, PartialEq)]
pub struct QueuedMessage {
    pub id: String,
    pub command_id: Option<String>,
    pub text: String,
    pub images: Vec<ImageBlock>,
    /// Made by the program: this custom type instead of a user message.
    pub custom: Option<CustomOrigin>,
}

/// A message of the program itself.
#[derive(Debug, Clone, PartialEq)]
pub struct CustomOrigin {
    pub custom_type: String,
    pub display: bool,
    pub details: Option<pizzapi_protocol::RawJson>,
}

impl QueuedMessage {
    pub fn user(text: impl Into<String>) -> Self {
        Self {
            id: uuid::Uuid::new_v4().to_string(),
            command_id: None,
            text: text.into(),
            images: Vec::new(),
            custom: None,
        }
    }
}

/// How many messages one poll takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QueueMode {
    #[default]
    OneAtATime,
    All,
}

/// Both queues of a session.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Queue {
    pub steering: VecDeque<QueuedMessage>,
    pub follow_up: VecDeque<QueuedMessage>,
    /// Joins the next prompt; never starts anything.
    pub next_turn: Vec<QueuedMessage>,
    /// After an abort nothing leaves the queues until the next input.
    pub held: bool,
}

impl Queue {
    /// Returns false, and takes nothing, when the queue is full.
    pub fn push(&mut self, delivery: Delivery, message: QueuedMessage) -> bool {
        let queue = match delivery {
            Delivery::Auto | Delivery::Steer => &mut self.steering,
            Delivery::FollowUp => &mut self.follow_up,
            Delivery::NextTurn => {
                if self.next_turn.len() >= QUEUE_KEEP {
                    return false;
                }
                self.next_turn.push(message);
                return true;
            }
        };
        if queue.len() >= QUEUE_KEEP {
            return false;
        }
        queue.push_back(message);
        true
    }

    pub fn poll_steering(&mut self, mode: QueueMode) -> Vec<QueuedMessage> {
        if self.held { Vec::new() } else { take(&mut self.steering, mode) }
    }

    pub fn poll_follow_up(&mut self, mode: QueueMode) -> Vec<QueuedMessage> {
        if self.held { Vec::new() } else { take(&mut self.follow_up, mode) }
    }

    /// Is there something that would be delivered now?
    pub fn has_deliverable(&self) -> bool {
        !self.held && !self.is_empty()
    }

    pub fn is_empty(&self) -> bool {
        self.steering.is_empty() && self.follow_up.is_empty()
    }

    /// The texts the user interface shows, in the order of delivery.
    pub fn texts(&self) -> Vec<String> {
        self.visible().map(|message| message.text.clone()).collect()
    }

    /// Messages of people, in the order of delivery.
    pub fn visible(&self) -> impl Iterator<Item = &QueuedMessage> {
        self.steering.iter().chain(&self.follow_up).filter(|message| message.custom.is_none())
    }

    /// Replace what people queued by `texts`. Unchanged texts keep their message with its id and pictures.
    pub fn replace(&mut self, texts: Vec<String>) -> Vec<QueuedMessage> {
        let mut old: Vec<QueuedMessage> = Vec::new();
        for queue in [&mut self.steering, &mut self.follow_up] {
            let (custom, own): (VecDeque<_>, VecDeque<_>) =
                std::mem::take(queue).into_iter().partition(|m| m.custom.is_some());
            *queue = custom;
            old.extend(own);
        }
        for text in texts {
            let known = old.iter().position(|message| message.text == text).map(|at| old.remove(at));
            self.follow_up.push_back(known.unwrap_or_else(|| QueuedMessage::user(text)));
        }
        old
    }

    /// Take everything people queued out again.
    pub fn take_visible(&mut self) -> Vec<QueuedMessage> {
        self.held = false;
        self.replace(Vec::new())
    }

    /// Withdraw the message a command brought.
    pub fn withdraw(&mut self, command_id: &str) -> Option<QueuedMessage> {
        for queue in [&mut self.steering, &mut self.follow_up] {
            if let Some(at) = queue.iter().position(|m| m.command_id.as_deref() == Some(command_id)) {
                return queue.remove(at);
            }
        }
        let at = self.next_turn.iter().position(|m| m.command_id.as_deref() == Some(command_id))?;
        Some(self.next_turn.remove(at))
    }
}

fn take(queue: &mut VecDeque<QueuedMessage>, mode: QueueMode) -> Vec<QueuedMessage> {
    match mode {
        QueueMode::OneAtATime => queue.pop_front().into_iter().collect(),
        QueueMode::All => queue.drain(..).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled() -> Queue {
        let mut queue = Queue::default();
        for text in ["same", "same", "other"] {
            assert!(queue.push(Delivery::FollowUp, QueuedMessage::user(text)));
        }
        queue
    }

    #[test]
    fn one_poll_takes_one_message_unless_told_otherwise() {
        let mut queue = filled();
        assert_eq!(queue.poll_follow_up(QueueMode::OneAtATime).len(), 1);
        assert_eq!(queue.poll_follow_up(QueueMode::All).len(), 2);
    }

    #[test]
    fn a_held_queue_gives_nothing_but_stays_visible() {
        let mut queue = filled();
        queue.held = true;
        assert!(queue.poll_follow_up(QueueMode::All).is_empty() && !queue.has_deliverable());
        assert_eq!(queue.texts(), ["same", "same", "other"]);
    }

    #[test]
    fn editing_keeps_the_identity_of_what_stays_and_returns_what_goes() {
        let mut queue = filled();
        let ids: Vec<String> = queue.visible().map(|m| m.id.clone()).collect();
        let gone = queue.replace(vec!["other".into(), "same".into(), "new".into()]);
        let now: Vec<String> = queue.visible().map(|m| m.id.clone()).collect();
        assert_eq!(now[..2], [ids[2].clone(), ids[0].clone()]);
        assert_eq!(gone.iter().map(|m| &m.id).collect::<Vec<_>>(), [&ids[1]]);
    }

    #[test]
    fn a_full_queue_refuses() {
        let mut queue = Queue::default();
        for _ in 0..QUEUE_KEEP {
            assert!(queue.push(Delivery::Steer, QueuedMessage::user("x")));
        }
        assert!(!queue.push(Delivery::Steer, QueuedMessage::user("x")));
    }
}

//! Acknowledgements we wait for. Pure bookkeeping: deadlines are kept by the waiting side, which removes what it abandons.

use std::collections::HashMap;

use serde_json::value::RawValue;
use tokio::sync::oneshot;

use crate::error::ClientError;

/// What an acknowledgement brought: its first argument, or why none will come.
pub(crate) type Answer = Result<Box<RawValue>, ClientError>;

/// Ids are never reused in the life of a client, so a late answer can never be taken for that of a newer question.
#[derive(Debug, Default)]
pub(crate) struct Acks {
    next: u64,
    waiting: HashMap<u64, oneshot::Sender<Answer>>,
}

impl Acks {
    pub fn register(&mut self) -> (u64, oneshot::Receiver<Answer>) {
        let id = self.next;
        self.next += 1;
        let (sender, receiver) = oneshot::channel();
        self.waiting.insert(id, sender);
        (id, receiver)
    }

    /// Hand an answer to whoever waits for it. `false`: nobody does, it was abandoned or never asked for.
    pub fn resolve(&mut self, id: u64, answer: Answer) -> bool {
        self.waiting.remove(&id).is_some_and(|waiter| waiter.send(answer).is_ok())
    }

    pub fn abandon(&mut self, id: u64) {
        self.waiting.remove(&id);
    }

    /// The connection is gone, and with it every answer.
    pub fn fail_all(&mut self, error: &ClientError) {
        for (_, waiter) in self.waiting.drain() {
            // Nobody listening means the waiter gave up at the same moment.
            let _ = waiter.send(Err(error.clone()));
        }
    }

    pub fn len(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_reaches_its_question_once() {
        let mut acks = Acks::default();
        let (first, mut first_answer) = acks.register();
        let (second, mut second_answer) = acks.register();
        assert!(acks.resolve(second, Ok(RawValue::NULL.to_owned())));
        assert!(!acks.resolve(second, Ok(RawValue::NULL.to_owned())));
        assert!(second_answer.try_recv().is_ok());
        assert!(first_answer.try_recv().is_err());
        acks.abandon(first);
        assert!(!acks.resolve(first, Ok(RawValue::NULL.to_owned())));
        assert_eq!(acks.len(), 0);
    }

    #[test]
    fn a_lost_connection_answers_every_question() {
        let mut acks = Acks::default();
        let mut answers: Vec<_> = (0..100).map(|_| acks.register().1).collect();
        acks.fail_all(&ClientError::Disconnected);
        assert!(answers.iter_mut().all(|answer| matches!(answer.try_recv(), Ok(Err(ClientError::Disconnected)))));
        assert_eq!(acks.register().0, 100);
    }
}

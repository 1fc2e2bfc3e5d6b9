//! What an agent reports: wire events as they are, and local ones for the user interface.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures_util::Stream;
use parking_lot::Mutex;
use pizzapi_protocol::{AgentEvent, CompactionSummaryMessage, DeliveryClass, NotifyType};
use tokio::sync::Notify;

use crate::decision::{Decision, Ending};
use crate::op::CommandState;
use crate::queue::Queue;

/// Durable outputs one subscriber may have waiting before the agent waits for it.
pub const SUBSCRIBER_WINDOW: usize = 1024;
/// How long the agent waits for a subscriber with a full window before that one has to take a snapshot.
pub const SUBSCRIBER_PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

/// One report, in order.
#[derive(Debug, Clone)]
pub enum Output {
    /// Goes over the wire as it is (except `agent_end`, whose messages stay here).
    Event(Arc<AgentEvent>),
    Local(Local),
    /// Durable outputs were left out because this subscriber did not read: take a snapshot of everything.
    Lagged,
}

#[derive(Debug, Clone)]
pub enum Local {
    QueueUpdate(Queue),
    /// Nothing runs, retries, compacts or waits for delivery. Exactly one per kick.
    Settled(Outcome),
    CompactionStart {
        reason: CompactionReason,
    },
    CompactionEnd {
        summary: Option<CompactionSummaryMessage>,
        aborted: bool,
        will_retry: bool,
        error: Option<String>,
    },
    RetryStart {
        attempt: u32,
        max_attempts: u32,
        delay_ms: u64,
        error: String,
    },
    RetryEnd {
        success: bool,
        attempt: u32,
        final_error: Option<String>,
    },
    DecisionRaised(Decision),
    DecisionEnded {
        id: String,
        ending: Ending,
    },
    /// The conversation is another one, or the same with a part replaced: take a snapshot.
    TranscriptReplaced {
        reason: ReplaceReason,
    },
    /// A remote command reached another state.
    Command {
        id: String,
        state: CommandState,
    },
    Notice {
        level: NotifyType,
        text: String,
    },
    /// Models, tools or slash commands changed.
    CapabilitiesChanged,
    NameChanged(Option<String>),
    /// An agent works beside this one; its handle is for watching.
    SubagentStarted {
        id: String,
        title: String,
        agent: crate::AgentHandle,
    },
    SubagentEnded {
        id: String,
    },
    /// A user's own shell command: what it printed so far.
    UserBash {
        command: String,
        output: String,
        done: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompactionReason {
    Manual,
    Threshold,
    Overflow,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplaceReason {
    New,
    Resume,
    Fork,
    Compaction,
    /// The position in the tree moved.
    Tree,
    /// The conversation before a plan was cut off.
    Cleared,
}

/// How the last run ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Outcome {
    #[default]
    Completed,
    Aborted,
    Failed(String),
}

/// A subscriber's end. Ordered; streamed outputs (deltas) are superseded by newer ones of their kind while they wait.
#[derive(Debug)]
pub struct Subscription {
    inbox: Arc<Inbox>,
}

#[derive(Debug, Default)]
struct Inbox {
    state: Mutex<InboxState>,
    /// Room became free.
    room: Notify,
}

#[derive(Debug, Default)]
struct InboxState {
    waiting: VecDeque<Output>,
    durable: usize,
    reader: Option<Waker>,
    reader_gone: bool,
    writer_gone: bool,
    lagged: bool,
}

impl Subscription {
    /// The next output; None after the agent has shut down.
    pub async fn recv(&mut self) -> Option<Output> {
        std::future::poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// What is there already.
    pub fn try_recv(&mut self) -> Option<Output> {
        self.inbox.take()
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Output>> {
        if let Some(output) = self.inbox.take() {
            return Poll::Ready(Some(output));
        }
        let mut state = self.inbox.state.lock();
        if !state.waiting.is_empty() {
            drop(state);
            return Poll::Ready(self.inbox.take());
        }
        if state.writer_gone {
            return Poll::Ready(None);
        }
        state.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Stream for Subscription {
    type Item = Output;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Output>> {
        self.poll_recv(cx)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.inbox.state.lock().reader_gone = true;
        self.inbox.room.notify_waiters();
    }
}

impl Inbox {
    fn take(&self) -> Option<Output> {
        let mut state = self.state.lock();
        let output = state.waiting.pop_front()?;
        if !is_streamed(&output) {
            state.durable = state.durable.saturating_sub(1);
        }
        if matches!(output, Output::Lagged) {
            state.lagged = false;
        }
        drop(state);
        self.room.notify_waiters();
        Some(output)
    }

    /// Returns false when the window is full.
    fn offer(&self, output: &Output) -> bool {
        let mut state = self.state.lock();
        if state.reader_gone {
            return true;
        }
        if is_streamed(output) {
            // Superseded outputs must not fill the memory of a slow reader.
            if let Some(last) = state.waiting.back_mut()
                && supersedes(output, last)
            {
                *last = merged(last, output);
                return true;
            }
        } else {
            if state.durable >= SUBSCRIBER_WINDOW {
                return false;
            }
            state.durable += 1;
        }
        state.waiting.push_back(output.clone());
        if let Some(reader) = state.reader.take() {
            reader.wake();
        }
        true
    }

    /// The reader was too slow: everything that waits is replaced by one mark.
    fn overflow(&self) {
        let mut state = self.state.lock();
        state.waiting.clear();
        state.durable = 1;
        state.lagged = true;
        state.waiting.push_back(Output::Lagged);
        if let Some(reader) = state.reader.take() {
            reader.wake();
        }
    }
}

fn is_streamed(output: &Output) -> bool {
    match output {
        Output::Event(event) => event.class() == DeliveryClass::Streamed,
        Output::Local(Local::UserBash { done, .. }) => !done,
        _ => false,
    }
}

/// Does the newer output say everything the older one said?
fn supersedes(newer: &Output, older: &Output) -> bool {
    use pizzapi_protocol::AssistantMessageEvent as Step;
    let (Output::Event(newer), Output::Event(older)) = (newer, older) else {
        return matches!(
            (newer, older),
            (Output::Local(Local::UserBash { .. }), Output::Local(Local::UserBash { done: false, .. }))
        );
    };
    match (&**newer, &**older) {
        (AgentEvent::MessageUpdate(new), AgentEvent::MessageUpdate(old)) => {
            match (&new.assistant_message_event, &old.assistant_message_event) {
                (Step::TextDelta(n), Step::TextDelta(o))
                | (Step::ThinkingDelta(n), Step::ThinkingDelta(o))
                | (Step::ToolcallDelta(n), Step::ToolcallDelta(o)) => n.content_index == o.content_index,
                _ => false,
            }
        }
        (AgentEvent::ToolExecutionUpdate(new), AgentEvent::ToolExecutionUpdate(old)) => {
            new.tool_call_id == old.tool_call_id
        }
        _ => false,
    }
}

/// The newer output, with the deltas of both so that a reader of deltas misses nothing.
fn merged(older: &Output, newer: &Output) -> Output {
    use pizzapi_protocol::AssistantMessageEvent as Step;
    let (Output::Event(old), Output::Event(new)) = (older, newer) else { return newer.clone() };
    let (AgentEvent::MessageUpdate(old), AgentEvent::MessageUpdate(new)) = (&**old, &**new) else {
        return newer.clone();
    };
    let mut update = new.clone();
    match (&mut update.assistant_message_event, &old.assistant_message_event) {
        (Step::TextDelta(n), Step::TextDelta(o))
        | (Step::ThinkingDelta(n), Step::ThinkingDelta(o))
        | (Step::ToolcallDelta(n), Step::ToolcallDelta(o)) => n.delta = format!("{}{}", o.delta, n.delta),
        _ => {}
    }
    Output::Event(Arc::new(AgentEvent::MessageUpdate(update)))
}

/// The agent's end: everything reported goes to every subscriber, in the same order.
#[derive(Debug, Default)]
pub(crate) struct Emitter {
    /// Held while an output goes out: this is what makes the order one.
    order: tokio::sync::Mutex<()>,
    inboxes: Mutex<Vec<Arc<Inbox>>>,
}

impl Emitter {
    pub(crate) fn subscribe(&self) -> Subscription {
        let inbox = Arc::new(Inbox::default());
        self.inboxes.lock().push(inbox.clone());
        Subscription { inbox }
    }

    pub(crate) async fn event(&self, event: AgentEvent) {
        self.send(Output::Event(Arc::new(event))).await;
    }

    pub(crate) async fn local(&self, local: Local) {
        self.send(Output::Local(local)).await;
    }

    pub(crate) async fn send(&self, output: Output) {
        let _turn = self.order.lock().await;
        let inboxes: Vec<Arc<Inbox>> = self.inboxes.lock().clone();
        for inbox in inboxes {
            deliver(&inbox, &output).await;
        }
        self.inboxes.lock().retain(|inbox| !inbox.state.lock().reader_gone);
    }

    /// Subscribers read what waits and then see the end.
    pub(crate) fn close(&self) {
        for inbox in self.inboxes.lock().drain(..) {
            let mut state = inbox.state.lock();
            state.writer_gone = true;
            if let Some(reader) = state.reader.take() {
                reader.wake();
            }
        }
    }
}

async fn deliver(inbox: &Inbox, output: &Output) {
    if inbox.state.lock().lagged {
        // It will take a snapshot anyway.
        return;
    }
    let deadline = tokio::time::Instant::now() + SUBSCRIBER_PATIENCE;
    loop {
        let room = inbox.room.notified();
        if inbox.offer(output) {
            return;
        }
        if tokio::time::timeout_at(deadline, room).await.is_err() {
            tracing::warn!(window = SUBSCRIBER_WINDOW, "a subscriber does not read; it must take a snapshot");
            inbox.overflow();
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pizzapi_protocol::{Empty, RawJson, ToolExecutionUpdate};

    fn update(text: &str) -> Output {
        Output::Event(Arc::new(AgentEvent::ToolExecutionUpdate(ToolExecutionUpdate {
            tool_call_id: "c".into(),
            tool_name: "bash".into(),
            args: RawJson::null(),
            partial_result: RawJson::from(serde_json::json!(text)),
        })))
    }

    #[tokio::test]
    async fn superseded_updates_do_not_pile_up() {
        let emitter = Emitter::default();
        let mut subscription = emitter.subscribe();
        for n in 0..1000 {
            emitter.send(update(&n.to_string())).await;
        }
        let Some(Output::Event(event)) = subscription.try_recv() else { panic!("an update") };
        assert!(event.to_raw().get().contains("999"));
        assert!(subscription.try_recv().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_stops_is_told_to_take_a_snapshot_and_loses_nothing_silently() {
        let emitter = Emitter::default();
        let mut subscription = emitter.subscribe();
        for _ in 0..SUBSCRIBER_WINDOW + 2 {
            emitter.event(AgentEvent::AgentStart(Empty {})).await;
        }
        assert!(matches!(subscription.recv().await, Some(Output::Lagged)));
        emitter.event(AgentEvent::AgentStart(Empty {})).await;
        assert!(matches!(subscription.recv().await, Some(Output::Event(_))));
        emitter.close();
        assert!(subscription.recv().await.is_none());
    }
}

//! The loop: a prompt, the model's answers and their tools, until nothing is left to do.

use std::sync::Arc;
use std::time::Duration;

use pizzapi_protocol::{
    AgentEnd, AgentEvent, AssistantMessage, AssistantMessageEvent, CliError, CustomMessage, Empty, Message,
    MessageContent, MessageEvent, MessageUpdate, MetaRetryState, Open, RawJson, StopReason, TurnEnd, TurnStart,
    UserMessage,
};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::assembly::{Assembly, Finished, Joined};
use crate::clock;
use crate::compaction;
use crate::core::{Core, Phase, RetryView};
use crate::event::{CompactionReason, Local, Outcome};
use crate::execute;
use crate::fallback;
use crate::op::CommandState;
use crate::provider::retry::{Retries, Verdict};
use crate::provider::{
    DEFAULT_IDLE_TIMEOUT, ErrorKind, Finish, PIECES_IN_FLIGHT, Piece, ProviderError, Request, Sink, context,
};
use crate::queue::{QueueMode, QueuedMessage};
use crate::transcript::{EntryKind, compact};

/// Viewers get at most this many steps of a growing message per second.
const UPDATE_INTERVAL: Duration = Duration::from_millis(33);
/// Runs that may follow each other because something was queued at the very end of the one before.
const MAX_KICKS: usize = 3;
/// Tokens of the window left free beside input and answer.
const WINDOW_MARGIN: u64 = 4096;

/// How one run ended.
struct RunEnd {
    messages: Vec<Message>,
    /// The error of the last answer, when it failed.
    error: Option<ProviderError>,
    aborted: bool,
    last: Option<AssistantMessage>,
    /// Entry of the last answer.
    last_id: Option<String>,
}

/// From a prompt to *settled*. The phase is `Running` before this is called.
pub(crate) async fn drive(core: Arc<Core>, prompts: Vec<QueuedMessage>, cancel: CancellationToken) {
    let outcome = drive_inner(&core, prompts, &cancel).await;
    let leftover = {
        let mut live = core.live.lock();
        live.settling = false;
        live.retry = None;
        live.phase = Phase::Idle;
        if let Outcome::Failed(error) = &outcome {
            live.last_error = Some(error.clone());
        }
        live.queue.has_deliverable() && !core.is_closed()
    };
    core.settled(outcome).await;
    if leftover {
        // Queued in the moment between the last look and now.
        core.kick().await;
    }
}

async fn drive_inner(core: &Arc<Core>, prompts: Vec<QueuedMessage>, cancel: &CancellationToken) -> Outcome {
    let mut prompts = prompts;
    let mut retries = Retries::new(core.settings().retry);
    let mut overflowed = false;
    let mut kicks = 0;
    core.live.lock().fallback_tried.clear();
    if compaction::is_due(core) {
        // Its failure is reported there; the request itself will tell whether it fits.
        let _ = compaction::automatic(core, CompactionReason::Threshold, true, cancel).await;
    }
    let added = core.before_run(&prompts).await;
    prompts.extend(added);
    loop {
        let kicked = !prompts.is_empty();
        core.live.lock().settling = false;
        let end = run(core, std::mem::take(&mut prompts), cancel, &mut retries).await;
        // A name is asked for once.
        core.live.lock().naming_over = true;
        {
            let mut live = core.live.lock();
            live.settling = true;
        }
        core.usage_changed().await;
        if end.aborted || cancel.is_cancelled() {
            return Outcome::Aborted;
        }
        if let Some(error) = &end.error {
            match recover(core, error, &end, &mut retries, &mut overflowed, cancel).await {
                Recovery::Again => continue,
                Recovery::AgainWith(message) => {
                    prompts = vec![message];
                    continue;
                }
                Recovery::Aborted => return Outcome::Aborted,
                Recovery::GiveUp(text) => return Outcome::Failed(text),
            }
        }
        if let Some(last) = &end.last
            && silent_overflow(core, last)
            && !overflowed
        {
            overflowed = true;
            let complete = last.stop_reason == StopReason::Stop && !last.content.is_empty();
            if !complete {
                core.drop_last(end.last_id.as_deref()).await;
            }
            match compaction::automatic(core, CompactionReason::Overflow, !complete, cancel).await {
                Ok(()) if !complete => continue,
                Ok(()) => {}
                Err(error) => return Outcome::Failed(error),
            }
        } else if compaction::is_due(core) {
            // Its failure is reported there; the conversation can go on.
            let _ = compaction::automatic(core, CompactionReason::Threshold, false, cancel).await;
        }
        if cancel.is_cancelled() {
            return Outcome::Aborted;
        }
        core.goal_after_run().await;
        let more = core.poll_follow_up();
        if more.is_empty() {
            return Outcome::Completed;
        }
        kicks = if kicked { kicks + 1 } else { kicks };
        if kicks > MAX_KICKS {
            core.requeue_front(more);
            return Outcome::Completed;
        }
        core.queue_changed().await;
        prompts = more;
    }
}

enum Recovery {
    Again,
    AgainWith(QueuedMessage),
    Aborted,
    GiveUp(String),
}

/// After a failed answer: wait and try again, make room, take another model, or give up.
async fn recover(
    core: &Arc<Core>,
    error: &ProviderError,
    end: &RunEnd,
    retries: &mut Retries,
    overflowed: &mut bool,
    cancel: &CancellationToken,
) -> Recovery {
    let settings = core.settings();
    if error.kind == ErrorKind::Overflow && settings.compaction.enabled {
        if *overflowed {
            return Recovery::GiveUp(format!("{} (also after a compaction)", error.message));
        }
        *overflowed = true;
        core.drop_last(end.last_id.as_deref()).await;
        return match compaction::automatic(core, CompactionReason::Overflow, true, cancel).await {
            Ok(()) => Recovery::Again,
            Err(_) if cancel.is_cancelled() => Recovery::Aborted,
            Err(text) => Recovery::GiveUp(format!("{} ({text})", error.message)),
        };
    }
    match retries.failed(error) {
        Verdict::Again { attempt, delay } => {
            let max_attempts = retries.max_attempts();
            let at = clock::now_ms() + i64::try_from(delay.as_millis()).unwrap_or(i64::MAX / 2);
            core.live.lock().retry = Some(RetryView { attempt, max_attempts, at, error: error.message.clone() });
            core.refresh();
            core.local(Local::RetryStart {
                attempt,
                max_attempts,
                delay_ms: delay.as_millis() as u64,
                error: error.message.clone(),
            })
            .await;
            let waited = tokio::select! {
                () = cancel.cancelled() => false,
                () = tokio::time::sleep(delay) => true,
            };
            core.live.lock().retry = None;
            core.refresh();
            if !waited {
                core.local(Local::RetryEnd { success: false, attempt, final_error: Some("aborted".into()) }).await;
                return Recovery::Aborted;
            }
            core.drop_last(end.last_id.as_deref()).await;
            Recovery::Again
        }
        Verdict::GiveUp { reason } => {
            let text = reason.unwrap_or_else(|| error.message.clone());
            if retries.attempts() > 0 {
                core.local(Local::RetryEnd {
                    success: false,
                    attempt: retries.attempts(),
                    final_error: Some(text.clone()),
                })
                .await;
            }
            match fallback::next(core, error).await {
                Some(message) => Recovery::AgainWith(message),
                None => Recovery::GiveUp(text),
            }
        }
    }
}

/// One run: `agent_start` to `agent_end`.
async fn run(
    core: &Arc<Core>,
    prompts: Vec<QueuedMessage>,
    cancel: &CancellationToken,
    retries: &mut Retries,
) -> RunEnd {
    core.live.lock().run_number += 1;
    core.refresh_now();
    core.event(AgentEvent::AgentStart(Empty {})).await;
    let mut end = RunEnd { messages: Vec::new(), error: None, aborted: false, last: None, last_id: None };
    let mut turn = 0;
    start_turn(core, turn).await;
    for message in prompts {
        let message = commit_queued(core, message).await;
        end.messages.push(message);
    }
    let mut pending = core.poll_steering();
    loop {
        for message in std::mem::take(&mut pending) {
            let message = commit_queued(core, message).await;
            end.messages.push(message);
        }
        if turn > 0 && compaction::is_due_in_run(core) {
            // The next request would not fit: make room between two turns.
            let _ = compaction::automatic(core, CompactionReason::Threshold, true, cancel).await;
        }
        let (finished, error) = ask(core, cancel).await;
        let message = finished.message.clone();
        end.last_id.clone_from(&message.id);
        end.messages.push(Message::Assistant(message.clone()));
        let stop = message.stop_reason;
        end.last = Some(message.clone());
        if matches!(stop, StopReason::Error | StopReason::Aborted) {
            end.aborted = stop == StopReason::Aborted;
            end.error = error;
            end_turn(core, turn, message, Vec::new()).await;
            break;
        }
        if retries.attempts() > 0 {
            core.local(Local::RetryEnd { success: true, attempt: retries.attempts(), final_error: None }).await;
        }
        retries.succeeded();
        let calls = finished.calls();
        let batch = if calls.is_empty() {
            execute::Batch::default()
        } else {
            execute::batch(core, &finished, &calls, cancel).await
        };
        end.messages.extend(batch.results.iter().cloned());
        end_turn(core, turn, message, batch.results.clone()).await;
        if cancel.is_cancelled() {
            end.aborted = true;
            break;
        }
        if batch.end_run {
            break;
        }
        pending = core.poll_steering();
        if pending.is_empty() && calls.is_empty() {
            pending = core.poll_follow_up();
            if pending.is_empty() {
                break;
            }
        }
        if !pending.is_empty() {
            core.queue_changed().await;
        }
        turn += 1;
        start_turn(core, turn).await;
    }
    let will_retry = end.error.as_ref().is_some_and(|error| {
        let settings = core.settings();
        !end.aborted
            && (error.kind == ErrorKind::Overflow && settings.compaction.enabled
                || settings.retry.enabled && error.is_retryable() && retries.attempts() < retries.max_attempts())
    });
    let mut event = Open::new(AgentEnd { messages: Some(end.messages.clone()) });
    event.extra.insert("willRetry", RawJson::from(serde_json::Value::Bool(will_retry)));
    core.event(AgentEvent::AgentEnd(event)).await;
    end
}

async fn start_turn(core: &Arc<Core>, turn: u64) {
    core.event(AgentEvent::TurnStart(TurnStart { turn_index: turn, timestamp: clock::now_ms() })).await;
}

async fn end_turn(core: &Arc<Core>, turn: u64, message: AssistantMessage, tool_results: Vec<Message>) {
    core.event(AgentEvent::TurnEnd(TurnEnd { turn_index: turn, message: Message::Assistant(message), tool_results }))
        .await;
    core.hooks().tell("TurnEnd", serde_json::json!({ "turn_index": turn })).await;
    core.usage_changed().await;
}

/// A message leaves its queue when it becomes part of the conversation.
async fn commit_queued(core: &Arc<Core>, queued: QueuedMessage) -> Message {
    let timestamp = core.stamps.next();
    let content = if queued.images.is_empty() {
        MessageContent::Text(queued.text)
    } else {
        let mut blocks = Vec::with_capacity(queued.images.len() + 1);
        if !queued.text.is_empty() {
            blocks.push(pizzapi_protocol::ContentBlock::text(queued.text));
        }
        blocks.extend(queued.images.into_iter().map(pizzapi_protocol::ContentBlock::Image));
        MessageContent::Blocks(blocks)
    };
    let message = match queued.custom {
        None => Message::User(UserMessage {
            id: None,
            request_id: queued.command_id.as_deref().map(Into::into),
            content,
            timestamp,
        }),
        Some(origin) => Message::Custom(CustomMessage {
            id: None,
            custom_type: origin.custom_type,
            content,
            display: origin.display,
            details: origin.details,
            timestamp,
        }),
    };
    core.commit(message, queued.command_id).await
}

/// One request. Always gives a closed message: an answer, or one that says why there is none.
async fn ask(core: &Arc<Core>, cancel: &CancellationToken) -> (Finished, Option<ProviderError>) {
    let id = core.transcript.lock().fresh_id();
    let timestamp = core.stamps.next();
    let (request, assembly) = match prepare(core).await {
        Ok(request) => {
            let assembly = Assembly::new(&request.model, id, timestamp);
            (request, assembly)
        }
        Err(error) => {
            let model = core.live.lock().model.clone().unwrap_or_else(nobody);
            let assembly = Assembly::new(&model, id, timestamp);
            let finished = assembly.finish(StopReason::Error, None, Some(error.message.clone()));
            start_message(core, &finished.message).await;
            end_message(core, &finished.message, Some(&error), false).await;
            return (finished, Some(error));
        }
    };
    let priced = request.model.cost.is_some();
    let mut stream = Streaming { core, assembly, joined: Joined::default(), started: false, last_update: None };
    let result = stream.receive(&request, cancel).await;
    let Streaming { assembly, started, .. } = stream;
    let (finished, error) = match result {
        Received::Finished(Finish { reason, raw, error }) => {
            let text = error.as_ref().map(|error| error.message.clone());
            (assembly.finish(reason, raw, text), error)
        }
        Received::Failed(mut error) => {
            if error.kind == ErrorKind::Auth {
                let provider = &request.model.provider;
                error.message.push_str(&format!(" (check the key: /login {provider}, or `pizzapi auth {provider}`)"));
            }
            let text = error.message.clone();
            (assembly.finish(StopReason::Error, None, Some(text)), Some(error))
        }
        Received::Aborted => (assembly.finish(StopReason::Aborted, None, Some("aborted".into())), None),
    };
    if !started {
        start_message(core, &finished.message).await;
    }
    core.count(&finished.message.usage, priced);
    end_message(core, &finished.message, error.as_ref(), true).await;
    (finished, error)
}

async fn start_message(core: &Arc<Core>, message: &AssistantMessage) {
    let mut pending = message.clone();
    pending.stop_reason = StopReason::Pending;
    pending.error_message = None;
    core.event(AgentEvent::MessageStart(MessageEvent { message: Message::Assistant(pending) })).await;
}

async fn end_message(core: &Arc<Core>, message: &AssistantMessage, error: Option<&ProviderError>, asked: bool) {
    let id = message.id.clone().unwrap_or_default();
    let kind = EntryKind::Message { message: Message::Assistant(message.clone()), command_id: None };
    core.append_as(id, kind, false).await;
    core.event(AgentEvent::MessageEnd(MessageEvent { message: Message::Assistant(message.clone()) })).await;
    match error {
        Some(error) => {
            {
                let mut live = core.live.lock();
                live.error_latched = true;
                live.last_error = Some(error.message.clone());
            }
            core.retry_changed(Some(MetaRetryState {
                error_message: error.message.clone(),
                detected_at: clock::now_ms(),
            }))
            .await;
            core.event(AgentEvent::CliError(CliError {
                message: error.message.clone(),
                source: Some(if asked { "provider" } else { "model" }.into()),
                ts: clock::now_ms(),
            }))
            .await;
            core.refresh();
        }
        None => {
            let latched = std::mem::take(&mut core.live.lock().error_latched);
            if latched {
                core.retry_changed(None).await;
            }
        }
    }
}

/// A stand-in where no model could even be chosen.
fn nobody() -> crate::model::ModelSpec {
    crate::model::ModelEntry { id: "none".into(), ..Default::default() }
        .resolve("none", &crate::model::ProviderEntry { api: Some(crate::model::Api::Demo), ..Default::default() })
        .expect("the entry names its api")
}

/// Read again before every request: model, thinking, prompt and tools may have changed.
async fn prepare(core: &Arc<Core>) -> Result<Request, ProviderError> {
    let model = core.model().map_err(|error| ProviderError::new(ErrorKind::Auth, error.to_string()))?;
    let registry = core.registry.clone();
    let provider = model.provider.clone();
    // A key may come from a command the user configured.
    let credential = tokio::task::spawn_blocking(move || registry.credential(&provider))
        .await
        .map_err(|error| ProviderError::new(ErrorKind::Rejected, error.to_string()))?
        .map_err(|error| ProviderError::new(ErrorKind::Auth, error.to_string()))?;
    core.auth_source_changed(Some(credential.source.as_str().to_owned())).await;
    let settings = core.settings();
    let (messages, estimate, session_id) = {
        let transcript = core.transcript.lock();
        let messages: Vec<Message> =
            transcript.context().into_iter().map(|(_, message)| message.into_owned()).collect();
        (messages, compact::estimated_tokens(&transcript), transcript.header().id.clone())
    };
    let room = model.context_window.saturating_sub(estimate + WINDOW_MARGIN).max(1024);
    let thinking = core.thinking();
    let tools = core.active_tools();
    let system = core.system_prompt(&tools);
    Ok(Request {
        credential,
        system,
        messages: context::prepare(&messages, &model, settings.images.block_images),
        tools: tools.specs(),
        thinking,
        budgets: settings.thinking_budgets.clone(),
        max_tokens: model.max_tokens.min(room),
        session_id,
        cache: core.cache_retention(),
        idle_timeout: match settings.http_idle_timeout_ms {
            Some(0) => None,
            Some(ms) => Some(Duration::from_millis(ms)),
            None => Some(DEFAULT_IDLE_TIMEOUT),
        },
        model,
    })
}

enum Received {
    Finished(Finish),
    Failed(ProviderError),
    Aborted,
}

struct Streaming<'a> {
    core: &'a Arc<Core>,
    assembly: Assembly,
    joined: Joined,
    started: bool,
    last_update: Option<Instant>,
}

impl Streaming<'_> {
    async fn receive(&mut self, request: &Request, cancel: &CancellationToken) -> Received {
        let (sender, mut pieces) = mpsc::channel(PIECES_IN_FLIGHT);
        let sink = Sink::new(sender, self.core.heard.clone());
        let asking = self.core.providers.stream(request, &sink);
        tokio::pin!(asking);
        let mut result = None;
        loop {
            let due = self.next_update();
            tokio::select! {
                biased;
                () = cancel.cancelled() => {
                    // What has arrived is kept; the connection closes with `asking`.
                    while let Ok(piece) = pieces.try_recv() {
                        self.take(piece).await;
                    }
                    self.flush().await;
                    return Received::Aborted;
                }
                Some(piece) = pieces.recv() => self.take(piece).await,
                () = sleep_until(due) => self.flush().await,
                done = &mut asking, if result.is_none() => {
                    result = Some(done);
                }
            }
            if let Some(done) = result.take() {
                while let Ok(piece) = pieces.try_recv() {
                    self.take(piece).await;
                }
                self.flush().await;
                return match done {
                    Ok(finish) => Received::Finished(finish),
                    Err(error) => Received::Failed(error),
                };
            }
        }
    }

    /// When held steps have to go out; None = there are none.
    fn next_update(&self) -> Option<Instant> {
        if self.joined.is_empty() {
            return None;
        }
        Some(self.last_update.map_or_else(Instant::now, |last| last + UPDATE_INTERVAL))
    }

    async fn take(&mut self, piece: Piece) {
        let Some(step) = self.assembly.apply(piece) else { return };
        if !self.started {
            self.started = true;
            let message = Message::Assistant(self.assembly.message.clone());
            self.core.event(AgentEvent::MessageStart(MessageEvent { message })).await;
        }
        if matches!(step, AssistantMessageEvent::Start(_)) {
            return;
        }
        for step in self.joined.push(step) {
            self.update(step).await;
        }
    }

    async fn flush(&mut self) {
        if let Some(step) = self.joined.take() {
            self.update(step).await;
        }
    }

    async fn update(&mut self, step: AssistantMessageEvent) {
        self.last_update = Some(Instant::now());
        self.assembly.reveal_arguments();
        let message = Message::Assistant(self.assembly.message.clone());
        self.core.event(AgentEvent::MessageUpdate(MessageUpdate { message, assistant_message_event: step })).await;
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// An answer that says nothing of it, but came from a context that is too long.
fn silent_overflow(core: &Arc<Core>, last: &AssistantMessage) -> bool {
    let Ok(model) = core.model() else { return false };
    if !core.settings.read().compaction.enabled || last.model != model.id || last.provider != model.provider {
        return false;
    }
    let input = last.usage.input + last.usage.cache_read;
    match last.stop_reason {
        StopReason::Stop => input > model.context_window,
        StopReason::Length => {
            (last.usage.output == 0 && input * 100 >= model.context_window * 99)
                || (input * 100 >= model.context_window * 90 && last.usage.output < model.max_tokens / 2)
        }
        _ => false,
    }
}

impl Core {
    pub(crate) fn poll_steering(&self) -> Vec<QueuedMessage> {
        let mode = self.settings.read().steering_mode;
        self.live.lock().queue.poll_steering(mode)
    }

    pub(crate) fn poll_follow_up(&self) -> Vec<QueuedMessage> {
        let mode: QueueMode = self.settings.read().follow_up_mode;
        let mut live = self.live.lock();
        // What was meant for a run that is over by now is delivered with the next one.
        let steering = live.queue.poll_steering(mode);
        if steering.is_empty() { live.queue.poll_follow_up(mode) } else { steering }
    }

    fn requeue_front(&self, messages: Vec<QueuedMessage>) {
        let mut live = self.live.lock();
        for message in messages.into_iter().rev() {
            live.queue.follow_up.push_front(message);
        }
    }

    /// Start a run with what is queued, if nothing runs.
    pub(crate) async fn kick(&self) {
        let (prompts, cancel) = {
            let mode = self.settings.read().follow_up_mode;
            let mut live = self.live.lock();
            if !matches!(live.phase, Phase::Idle) || self.is_closed() || !live.queue.has_deliverable() {
                return;
            }
            let mut prompts = live.queue.poll_steering(mode);
            if prompts.is_empty() {
                prompts = live.queue.poll_follow_up(mode);
            }
            prompts.splice(0..0, std::mem::take(&mut live.queue.next_turn));
            let cancel = CancellationToken::new();
            live.phase = Phase::Running(cancel.clone());
            (prompts, cancel)
        };
        self.queue_changed().await;
        self.spawn_run(prompts, cancel);
    }

    /// The phase must be `Running(cancel)` already.
    pub(crate) fn spawn_run(&self, prompts: Vec<QueuedMessage>, cancel: CancellationToken) {
        let core = self.arc();
        tokio::spawn(async move {
            let guarded = tokio::spawn(drive(core.clone(), prompts, cancel));
            if let Err(error) = guarded.await {
                // A defect in a tool or provider must not leave the session running for ever.
                tracing::error!(%error, "a run ended unexpectedly");
                {
                    let mut live = core.live.lock();
                    live.phase = Phase::Idle;
                    live.settling = false;
                    live.queue.held = true;
                }
                core.event(AgentEvent::CliError(CliError {
                    message: format!("the run ended unexpectedly: {error}"),
                    source: Some("agent".into()),
                    ts: clock::now_ms(),
                }))
                .await;
                core.event(AgentEvent::AgentEnd(Open::new(AgentEnd::default()))).await;
                core.settled(Outcome::Failed(error.to_string())).await;
            }
        });
    }

    /// Take the last answer out of the branch; it stays in the file.
    pub(crate) async fn drop_last(&self, id: Option<&str>) {
        let Some(id) = id else { return };
        let moved = {
            let mut transcript = self.transcript.lock();
            let parent = transcript.entry(id).map(|entry| entry.parent_id.clone());
            match parent {
                Some(parent) if transcript.leaf() == Some(id) => Some(transcript.move_to(parent)),
                _ => None,
            }
        };
        if let Some(Err(error)) = moved {
            tracing::warn!(%error, "a failed answer stays in the conversation");
        }
        self.refresh();
    }

    /// A command was refused after it had been accepted.
    pub(crate) async fn reject_command(&self, id: &str, code: &str, message: &str) {
        self.command_reached(id, CommandState::Rejected { code: code.into(), message: message.into() }).await;
    }
}

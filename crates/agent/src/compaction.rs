//! Making room: asks the model for a summary of what can go, and writes it down.

use std::sync::Arc;

use pizzapi_protocol::{
    AgentEvent, AssistantMessage, CompactionSummaryMessage, Empty, Message, MetaEvent, StopReason, Usage, UserMessage,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::assembly::Assembly;
use crate::clock;
use crate::core::Core;
use crate::event::{CompactionReason, Local, ReplaceReason};
use crate::model::{ModelSpec, ThinkingLevel};
use crate::op::{CompactionResult, OpError};
use crate::provider::retry::{Retries, Verdict};
use crate::provider::{CacheRetention, DEFAULT_IDLE_TIMEOUT, PIECES_IN_FLIGHT, ProviderError, Request, Sink};
use crate::transcript::EntryKind;
use crate::transcript::compact::{self, Plan, TURN_PREFIX_HEADING};

/// What the model is told when it summarises.
const SYSTEM: &str = "You write exact, brief summaries of work in progress, for a colleague who takes over. \
You never continue the work yourself.";

/// Is the conversation too long for a next request?
pub(crate) fn is_due(core: &Core) -> bool {
    due(core, false)
}

/// The same between two turns of a run, where an unknown size is estimated.
pub(crate) fn is_due_in_run(core: &Core) -> bool {
    due(core, true)
}

fn due(core: &Core, estimate: bool) -> bool {
    let settings = core.settings.read().compaction.clone();
    let Ok(model) = core.model() else { return false };
    if !settings.enabled {
        return false;
    }
    let transcript = core.transcript.lock();
    let tokens = match compact::context_tokens(&transcript) {
        Some(tokens) => tokens,
        None if estimate => compact::estimated_tokens(&transcript),
        None => return false,
    };
    tokens > model.context_window.saturating_sub(settings.reserve_tokens)
}

/// A compaction nobody asked for. The error text is for people.
pub(crate) async fn automatic(
    core: &Arc<Core>,
    reason: CompactionReason,
    will_retry: bool,
    cancel: &CancellationToken,
) -> Result<(), String> {
    match compact_now(core, reason, None, will_retry, cancel).await {
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// Summarise and cut. Reports start and end whatever happens.
pub(crate) async fn compact_now(
    core: &Arc<Core>,
    reason: CompactionReason,
    focus: Option<&str>,
    will_retry: bool,
    cancel: &CancellationToken,
) -> Result<CompactionResult, OpError> {
    let plan = {
        let keep = core.settings.read().compaction.keep_recent_tokens;
        let transcript = core.transcript.lock();
        let window = core.live.lock().model.as_ref().map_or(u64::MAX, |model| model.context_window);
        // A small window cannot keep the usual amount.
        compact::plan(&transcript, keep.min(window / 4)).map_err(|error| OpError::Compaction(error.to_string()))?
    };
    if let Some(reason) = core.hooks().before_compact().await {
        return Err(OpError::Compaction(format!("a hook refused the compaction: {reason}")));
    }
    core.live.lock().compacting = true;
    core.refresh_now();
    core.meta(MetaEvent::CompactStarted(Empty {})).await;
    core.local(Local::CompactionStart { reason }).await;
    let made = summarise(core, &plan, focus, cancel).await;
    let result = match made {
        Ok((summary, usage)) => Ok(write(core, plan, summary, usage).await),
        Err(error) => Err(error),
    };
    core.live.lock().compacting = false;
    core.refresh_now();
    core.meta(MetaEvent::CompactEnded(Empty {})).await;
    let aborted = cancel.is_cancelled();
    let (summary, error) = match &result {
        Ok(result) => (
            Some(CompactionSummaryMessage {
                id: None,
                summary: result.summary.clone(),
                tokens_before: result.tokens_before,
                timestamp: clock::now_ms(),
            }),
            None,
        ),
        Err(error) => (None, Some(error.to_string())),
    };
    if let Some(error) = error.as_ref().filter(|_| !aborted) {
        core.event(AgentEvent::CliError(pizzapi_protocol::CliError {
            message: format!("compaction failed: {error}"),
            source: Some("compaction".into()),
            ts: clock::now_ms(),
        }))
        .await;
    }
    core.local(Local::CompactionEnd { summary, aborted, will_retry, error }).await;
    if result.is_ok() {
        core.transcript_replaced(ReplaceReason::Compaction).await;
        core.usage_changed().await;
    }
    result
}

async fn write(core: &Arc<Core>, plan: Plan, summary: String, usage: Usage) -> CompactionResult {
    let kind = EntryKind::Compaction {
        summary: summary.clone(),
        first_kept_entry_id: plan.first_kept.clone(),
        tokens_before: plan.tokens_before,
        details: plan.files.details(),
        usage: (usage.total_tokens > 0).then_some(usage),
        from_hook: None,
    };
    core.append(kind).await;
    CompactionResult { summary, first_kept_entry_id: plan.first_kept, tokens_before: plan.tokens_before }
}

async fn summarise(
    core: &Arc<Core>,
    plan: &Plan,
    focus: Option<&str>,
    cancel: &CancellationToken,
) -> Result<(String, Usage), OpError> {
    let reserve = core.settings.read().compaction.reserve_tokens;
    let mut total = Usage::default();
    let mut summary = plan.previous.clone().unwrap_or_default();
    if !plan.to_summarise.is_empty() {
        let answer = ask(core, compact::summary_request(plan, focus), reserve * 8 / 10, cancel).await?;
        add(&mut total, &answer.usage);
        summary = Message::Assistant(answer).text();
    }
    if !plan.turn_prefix.is_empty() {
        let answer = ask(core, compact::turn_prefix_request(plan), reserve / 2, cancel).await?;
        add(&mut total, &answer.usage);
        summary.push_str(TURN_PREFIX_HEADING);
        summary.push_str(&Message::Assistant(answer).text());
    }
    let summary = summary.trim();
    if summary.is_empty() {
        return Err(OpError::Compaction("the model gave no summary".into()));
    }
    Ok((format!("{summary}{}", plan.files.text()), total))
}

fn add(total: &mut Usage, usage: &Usage) {
    total.input += usage.input;
    total.output += usage.output;
    total.cache_read += usage.cache_read;
    total.cache_write += usage.cache_write;
    total.total_tokens += usage.total_tokens;
    total.cost.input += usage.cost.input;
    total.cost.output += usage.cost.output;
    total.cost.cache_read += usage.cost.cache_read;
    total.cost.cache_write += usage.cost.cache_write;
    total.cost.total += usage.cost.total;
}

/// One question to the current model beside the conversation, tried again like any other request.
async fn ask(
    core: &Arc<Core>,
    text: String,
    max_tokens: u64,
    cancel: &CancellationToken,
) -> Result<AssistantMessage, OpError> {
    let model = core.model()?;
    let mut retries = Retries::new(core.settings.read().retry.clone());
    loop {
        let attempt = aside(core, &model, SYSTEM, &text, max_tokens, CacheRetention::None);
        let outcome = tokio::select! {
            outcome = attempt => outcome,
            () = cancel.cancelled() => return Err(OpError::Compaction("aborted".into())),
        };
        let error = match outcome {
            Ok(message) => return Ok(message),
            Err(error) => error,
        };
        let Verdict::Again { delay, .. } = retries.failed(&error) else {
            return Err(OpError::Compaction(error.message));
        };
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = cancel.cancelled() => return Err(OpError::Compaction("aborted".into())),
        }
    }
}

/// One request that is not part of the conversation. Its cost counts.
pub(crate) async fn aside(
    core: &Arc<Core>,
    model: &ModelSpec,
    system: &str,
    text: &str,
    max_tokens: u64,
    cache: CacheRetention,
) -> Result<AssistantMessage, ProviderError> {
    let (registry, provider) = (core.registry.clone(), model.provider.clone());
    let credential = tokio::task::spawn_blocking(move || registry.credential(&provider))
        .await
        .map_err(|error| ProviderError::reported(None, &error.to_string()))?
        .map_err(|error| ProviderError::new(crate::provider::ErrorKind::Auth, error.to_string()))?;
    let request = Request {
        credential,
        system: system.to_owned(),
        messages: vec![Message::User(UserMessage {
            id: None,
            request_id: None,
            content: text.into(),
            timestamp: clock::now_ms(),
        })],
        tools: Vec::new(),
        thinking: model.clamp_thinking(ThinkingLevel::Off),
        budgets: core.settings.read().thinking_budgets.clone(),
        max_tokens: max_tokens.clamp(256, model.max_tokens),
        session_id: uuid::Uuid::new_v4().to_string(),
        cache,
        idle_timeout: Some(DEFAULT_IDLE_TIMEOUT),
        model: model.clone(),
    };
    let (sender, mut pieces) = mpsc::channel(PIECES_IN_FLIGHT);
    let sink = Sink::new(sender, core.heard.clone());
    let mut assembly = Assembly::new(model, String::new(), clock::now_ms());
    let finish = {
        let asking = core.providers.stream(&request, &sink);
        tokio::pin!(asking);
        loop {
            tokio::select! {
                biased;
                Some(piece) = pieces.recv() => { assembly.apply(piece); }
                done = &mut asking => break done,
            }
        }
    };
    while let Ok(piece) = pieces.try_recv() {
        assembly.apply(piece);
    }
    let finish = finish?;
    let message = assembly.finish(finish.reason, finish.raw, None).message;
    core.count(&message.usage, model.cost.is_some());
    match finish.error {
        Some(error) => Err(error),
        None if message.stop_reason == StopReason::Error => {
            Err(ProviderError::reported(None, "the model failed to answer"))
        }
        None => Ok(message),
    }
}

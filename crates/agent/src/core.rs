//! What a running agent consists of. Operations change it, the turn loop reads it; everything reported leaves through here.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::{Mutex, RwLock};
use pizzapi_protocol::{
    AgentEvent, AuthSourceChanged, Maybe, Message, MessageEvent, MetaEvent, MetaRetryState, MetaTodoItem,
    MetaTokenUsage, ModelChanged, NotifyType, RawJson, RetryStateChanged, ThinkingLevel, ThinkingLevelChanged,
    TodoUpdate, TodoUpdated, TokenUsageUpdated, UnixMs,
};
use serde::Serialize;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::clock::{self, Stamps};
use crate::config::AgentConfig;
use crate::decision::{Decision, Decisions};
use crate::event::{Emitter, Local, Outcome, ReplaceReason};
use crate::hooks::Hooks;
use crate::mcp::McpServers;
use crate::model::ModelSpec;
use crate::model::registry::{NoModelOffer, Registry};
use crate::op::{CommandState, OpError};
use crate::permission::Permissions;
use crate::prompt::{Resources, RunNotes};
use crate::provider::{CacheRetention, Providers};
use crate::queue::{Queue, QueuedMessage};
use crate::settings::{Settings, SettingsFile};
use crate::subagent::Subagents;
use crate::tool::ToolSet;
use crate::transcript::{self, EntryKind, Transcript, compact};
use pizzapi_tools::bash::Shells;

/// Remembered remote commands.
pub(crate) const COMMANDS_KEEP: usize = 2000;

/// The short view of a session: for footers, heartbeats and pickers.
#[derive(Debug, Clone, PartialEq, Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct AgentState {
    /// Id of the conversation (not the relay's).
    pub session_id: String,
    pub session_file: Option<PathBuf>,
    pub session_name: Option<String>,
    pub cwd: PathBuf,
    /// Since when this conversation is open here.
    pub since: UnixMs,
    pub model: Option<pizzapi_protocol::Model>,
    pub thinking: Option<ThinkingLevel>,
    pub thinking_levels: Vec<ThinkingLevel>,
    /// `flag`, `env`, `auth.json`, `oauth`, `models.json` or `none`.
    pub auth_source: Option<String>,
    /// A run is under way (also while it waits to retry).
    pub active: bool,
    /// The last run is over but something may still follow.
    pub settling: bool,
    pub compacting: bool,
    pub retry: Option<RetryView>,
    /// Texts people queued, in the order of delivery.
    pub queued: Vec<String>,
    pub steering: Vec<String>,
    pub follow_up: Vec<String>,
    /// After an abort the queue waits for the next input.
    pub queue_held: bool,
    pub usage: SessionUsage,
    pub context: ContextUsage,
    pub plan_mode: bool,
    pub todos: Vec<MetaTodoItem>,
    pub decisions: Vec<Decision>,
    pub background_shells: usize,
    pub subagents: usize,
    /// Set while no model can be asked.
    pub no_model: Option<NoModel>,
    pub last_error: Option<String>,
    /// Position in the transcript; changes with every entry.
    pub leaf: Option<String>,
    /// Last sign of life of the provider in this run.
    pub model_heard_at: Option<UnixMs>,
    pub yolo: bool,
    /// The model is the offline demonstration.
    pub demo: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RetryView {
    pub attempt: u32,
    pub max_attempts: u32,
    /// When the next attempt starts.
    pub at: UnixMs,
    pub error: String,
}

/// Nothing can be asked until a person picks one of these.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NoModel {
    pub message: String,
    pub offers: Vec<NoModelOffer>,
}

/// Sums over all entries of the file, on every branch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct SessionUsage {
    pub input: u64,
    pub output: u64,
    pub cache_read: u64,
    pub cache_write: u64,
    /// Units: US dollars.
    pub cost: f64,
    /// Some answers came from models without known prices.
    pub cost_incomplete: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct ContextUsage {
    /// None = unknown, right after a compaction.
    pub tokens: Option<u64>,
    pub window: u64,
    pub percent: Option<f64>,
    pub auto_compaction: bool,
}

/// What the agent is doing.
#[derive(Debug, Default)]
pub(crate) enum Phase {
    #[default]
    Idle,
    Running(CancellationToken),
    Compacting(CancellationToken),
}

/// The part that changes all the time. Locked briefly, never across an await.
#[derive(Debug, Default)]
pub(crate) struct Live {
    pub model: Option<ModelSpec>,
    /// What was asked for; what is used is clamped to the model.
    pub thinking: ThinkingWish,
    pub phase: Phase,
    pub settling: bool,
    /// A compaction runs, alone or as part of a run.
    pub compacting: bool,
    pub queue: Queue,
    pub plan_mode: bool,
    pub todos: Vec<MetaTodoItem>,
    pub retry: Option<RetryView>,
    pub last_error: Option<String>,
    pub error_latched: bool,
    pub auth_source: Option<String>,
    pub usage: SessionUsage,
    pub since: UnixMs,
    /// A name was given or asked for already.
    pub naming_over: bool,
    /// Output of the user's own commands that joins the next prompt.
    pub pending_bash: Vec<Message>,
    pub commands: HashMap<String, CommandState>,
    pub command_order: Vec<String>,
    pub run_number: u64,
    pub fallback_tried: Vec<String>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct ThinkingWish(pub ThinkingLevel);

impl Default for ThinkingWish {
    fn default() -> Self {
        Self(crate::model::DEFAULT_THINKING)
    }
}

/// Everything of one agent.
pub struct Core {
    pub(crate) me: Weak<Core>,
    /// Replaced as a whole when the working directory changes.
    pub(crate) config: RwLock<Arc<AgentConfig>>,
    pub(crate) settings_file: SettingsFile,
    pub(crate) settings: RwLock<Settings>,
    pub(crate) registry: Registry,
    pub(crate) providers: Providers,
    pub(crate) emitter: Arc<Emitter>,
    pub(crate) live: Mutex<Live>,
    pub(crate) transcript: Mutex<Transcript>,
    pub(crate) tools: RwLock<ToolSet>,
    pub(crate) resources: RwLock<Arc<Resources>>,
    pub(crate) permissions: Mutex<Permissions>,
    pub(crate) decisions: Arc<Decisions>,
    pub(crate) shells: Shells,
    pub(crate) hooks: RwLock<Arc<Hooks>>,
    pub(crate) mcp: McpServers,
    pub(crate) subagents: Subagents,
    pub(crate) stamps: Stamps,
    pub(crate) heard: Arc<AtomicI64>,
    pub(crate) summary: watch::Sender<AgentState>,
    pub(crate) dirty: Arc<Notify>,
    /// Serialises operations that replace the conversation.
    pub(crate) switching: tokio::sync::Mutex<()>,
    pub(crate) closed: AtomicBool,
    /// Rung whenever the agent may have become idle.
    pub(crate) idle: Notify,
    /// What only the current run is told.
    pub(crate) run_notes: Mutex<RunNotes>,
    /// System prompt of this run, when a hook gave one.
    pub(crate) run_system: Mutex<Option<String>>,
    /// Told to the first who asks.
    pub(crate) startup_warnings: Mutex<Vec<String>>,
    /// Stops the user's own command.
    pub(crate) user_bash_cancel: Mutex<Option<CancellationToken>>,
    pub(crate) goal: Mutex<Option<crate::goal::Goal>>,
}

impl Core {
    pub(crate) fn arc(&self) -> Arc<Core> {
        self.me.upgrade().expect("a core only exists inside its Arc")
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    pub(crate) fn config(&self) -> Arc<AgentConfig> {
        self.config.read().clone()
    }

    pub(crate) fn hooks(&self) -> Arc<Hooks> {
        self.hooks.read().clone()
    }

    pub(crate) fn settings(&self) -> Settings {
        self.settings.read().clone()
    }

    pub(crate) fn resources(&self) -> Arc<Resources> {
        self.resources.read().clone()
    }

    /// `PI_CACHE_RETENTION` of the agent's environment.
    pub(crate) fn cache_retention(&self) -> CacheRetention {
        match self.config().env.get("PI_CACHE_RETENTION").map(String::as_str) {
            Some("long") => CacheRetention::Long,
            Some("none") => CacheRetention::None,
            _ => CacheRetention::Short,
        }
    }

    /// The level used with the current model.
    pub(crate) fn thinking(&self) -> ThinkingLevel {
        let live = self.live.lock();
        let wish = live.thinking.0;
        live.model.as_ref().map_or(wish, |model| model.clamp_thinking(wish))
    }

    pub(crate) fn session_id(&self) -> String {
        self.transcript.lock().header().id.clone()
    }

    // --- reporting

    pub(crate) async fn event(&self, event: AgentEvent) {
        self.emitter.event(event).await;
    }

    pub(crate) async fn meta(&self, event: MetaEvent) {
        self.emitter.event(AgentEvent::Meta(event)).await;
    }

    pub(crate) async fn local(&self, local: Local) {
        self.emitter.local(local).await;
    }

    pub(crate) async fn notice(&self, level: NotifyType, text: impl Into<String>) {
        let text = text.into();
        self.event(AgentEvent::UiNotify(pizzapi_protocol::UiNotify { message: text, notify_type: Some(level) })).await;
    }

    pub(crate) async fn warn(&self, text: impl Into<String>) {
        self.notice(NotifyType::Warning, text).await;
    }

    pub(crate) async fn queue_changed(&self) {
        let queue = self.live.lock().queue.clone();
        self.refresh();
        self.local(Local::QueueUpdate(queue)).await;
    }

    pub(crate) async fn model_changed(&self, model: Option<&ModelSpec>) {
        self.meta(MetaEvent::ModelChanged(ModelChanged { model: model.map(ModelSpec::info) })).await;
    }

    pub(crate) async fn thinking_changed(&self) {
        let level = Some(self.thinking().as_str().to_owned());
        self.refresh();
        self.meta(MetaEvent::ThinkingLevelChanged(ThinkingLevelChanged { level })).await;
    }

    pub(crate) async fn auth_source_changed(&self, source: Option<String>) {
        let changed = {
            let mut live = self.live.lock();
            std::mem::replace(&mut live.auth_source, source.clone()) != source
        };
        if changed {
            self.refresh();
            self.meta(MetaEvent::AuthSourceChanged(AuthSourceChanged { source })).await;
        }
    }

    pub(crate) async fn todos_changed(&self, todos: Vec<MetaTodoItem>) {
        self.live.lock().todos.clone_from(&todos);
        self.refresh();
        self.event(AgentEvent::TodoUpdate(TodoUpdate { todos: todos.clone(), ts: clock::now_ms() })).await;
        self.meta(MetaEvent::TodoUpdated(TodoUpdated { todo_list: todos })).await;
    }

    pub(crate) async fn retry_changed(&self, state: Option<MetaRetryState>) {
        self.meta(MetaEvent::RetryStateChanged(RetryStateChanged { state })).await;
    }

    pub(crate) async fn usage_changed(&self) {
        let token_usage = self.token_usage();
        self.refresh();
        self.meta(MetaEvent::TokenUsageUpdated(TokenUsageUpdated {
            token_usage: Some(token_usage),
            provider_usage: None,
        }))
        .await;
    }

    pub(crate) fn token_usage(&self) -> MetaTokenUsage {
        let usage = self.live.lock().usage;
        let context_tokens = compact::context_tokens(&self.transcript.lock());
        MetaTokenUsage {
            input: usage.input,
            output: usage.output,
            cache_read: usage.cache_read,
            cache_write: usage.cache_write,
            cost: usage.cost,
            context_tokens: Maybe::from(context_tokens),
        }
    }

    /// Ask for a new summary soon. Cheap; many requests become one.
    pub(crate) fn refresh(&self) {
        self.dirty.notify_one();
    }

    /// Make the summary now and hand it out if it differs.
    pub(crate) fn refresh_now(&self) {
        let state = self.make_state();
        self.summary.send_if_modified(|old| {
            let changed = *old != state;
            if changed {
                *old = state;
            }
            changed
        });
    }

    fn make_state(&self) -> AgentState {
        let (session_id, session_file, session_name, leaf, tokens) = {
            let transcript = self.transcript.lock();
            (
                transcript.header().id.clone(),
                transcript.path().map(PathBuf::from),
                transcript.name(),
                transcript.leaf().map(str::to_owned),
                compact::context_tokens(&transcript),
            )
        };
        let auto_compaction = self.settings.read().compaction.enabled;
        let yolo = self.permissions.lock().yolo;
        let live = self.live.lock();
        let model = live.model.as_ref();
        let window = model.map_or(0, |model| model.context_window);
        let wish = live.thinking.0;
        let heard = self.heard.load(Ordering::Relaxed);
        AgentState {
            session_id,
            session_file,
            session_name,
            cwd: self.config().cwd.clone(),
            since: live.since,
            model: model.map(ModelSpec::info),
            thinking: Some(model.map_or(wish, |model| model.clamp_thinking(wish))),
            thinking_levels: model.map(ModelSpec::thinking_levels).unwrap_or_default(),
            auth_source: live.auth_source.clone(),
            active: matches!(live.phase, Phase::Running(_)),
            settling: live.settling,
            compacting: live.compacting,
            retry: live.retry.clone(),
            queued: live.queue.texts(),
            steering: live.queue.steering.iter().filter(|m| m.custom.is_none()).map(|m| m.text.clone()).collect(),
            follow_up: live.queue.follow_up.iter().filter(|m| m.custom.is_none()).map(|m| m.text.clone()).collect(),
            queue_held: live.queue.held,
            usage: live.usage,
            context: ContextUsage {
                tokens,
                window,
                percent: tokens.filter(|_| window > 0).map(|tokens| tokens as f64 * 100.0 / window as f64),
                auto_compaction,
            },
            plan_mode: live.plan_mode,
            todos: live.todos.clone(),
            decisions: self.decisions.open(),
            background_shells: self.shells.running(),
            subagents: self.subagents.active(),
            no_model: model
                .is_none()
                .then(|| NoModel { message: "no model is configured".into(), offers: self.registry.offers() }),
            last_error: live.last_error.clone(),
            leaf,
            model_heard_at: (heard > 0).then_some(heard),
            yolo,
            demo: model.is_some_and(|model| model.api == crate::model::Api::Demo),
        }
    }

    // --- the transcript

    /// Add an entry. A failing disk is reported once per entry and does not stop the conversation.
    pub(crate) async fn append(&self, kind: EntryKind) -> String {
        let id = self.transcript.lock().fresh_id();
        self.append_as(id, kind, false).await
    }

    /// Add an entry under an id that was announced before; `sync`: survive a power cut before this returns.
    pub(crate) async fn append_as(&self, id: String, kind: EntryKind, sync: bool) -> String {
        let (result, handle) = {
            let mut transcript = self.transcript.lock();
            let result = transcript.append_as(id.clone(), kind);
            (result, sync.then(|| transcript.sync_handle()).flatten())
        };
        let synced = match (result, handle) {
            (Err(error), _) => Err(error.to_string()),
            (Ok(_), Some(file)) => match tokio::task::spawn_blocking(move || file.sync_data()).await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => Err(format!("failed to sync the session file: {error}")),
                Err(error) => Err(format!("failed to sync the session file: {error}")),
            },
            (Ok(_), None) => Ok(()),
        };
        if let Err(error) = synced {
            tracing::error!(%error, "the session file could not be written");
            self.event(AgentEvent::CliError(pizzapi_protocol::CliError {
                message: error,
                source: Some("transcript".into()),
                ts: clock::now_ms(),
            }))
            .await;
        }
        self.refresh();
        id
    }

    /// Commit a message: announce, write, announce its end.
    pub(crate) async fn commit(&self, message: Message, command_id: Option<String>) -> Message {
        let sync = matches!(message, Message::User(_) | Message::Custom(_));
        let id = message_id(&message).unwrap_or_else(|| self.transcript.lock().fresh_id());
        let message = with_id(message, &id);
        let kind = match &message {
            Message::Custom(custom) => EntryKind::CustomMessage {
                custom_type: custom.custom_type.clone(),
                content: custom.content.clone(),
                details: custom.details.clone(),
                display: custom.display,
            },
            other => EntryKind::Message { message: other.clone(), command_id: command_id.clone() },
        };
        self.append_as(id, kind, sync).await;
        self.event(AgentEvent::MessageStart(MessageEvent { message: message.clone() })).await;
        self.event(AgentEvent::MessageEnd(MessageEvent { message: message.clone() })).await;
        if let Some(command_id) = command_id {
            self.command_reached(&command_id, CommandState::Consumed).await;
        }
        message
    }

    /// The conversation as a model and a viewer see it.
    pub(crate) fn messages(&self) -> Vec<Message> {
        self.transcript
            .lock()
            .context()
            .into_iter()
            .map(|(entry, message)| {
                let known = message_id(&message).is_some();
                let message = message.into_owned();
                if known { message } else { with_id(message, &entry.id) }
            })
            .collect()
    }

    /// Count what an answer or a summary cost.
    pub(crate) fn count(&self, usage: &pizzapi_protocol::Usage, priced: bool) {
        let mut live = self.live.lock();
        add_usage(&mut live.usage, usage, priced);
    }

    // --- remote commands

    pub(crate) fn command_state(&self, id: &str) -> Option<CommandState> {
        self.live.lock().commands.get(id).cloned()
    }

    pub(crate) fn remember_command(&self, id: &str, state: CommandState) {
        let mut live = self.live.lock();
        remember_command(&mut live, id, state);
    }

    /// Write down that a command reached a state, and tell.
    pub(crate) async fn command_reached(&self, id: &str, state: CommandState) {
        let known = self.command_state(id);
        if known.as_ref() == Some(&state) {
            return;
        }
        self.remember_command(id, state.clone());
        self.append_command(id, &state, None).await;
        self.local(Local::Command { id: id.to_owned(), state }).await;
    }

    /// The journal's entry: synced, because an acknowledgement follows.
    pub(crate) async fn append_command(&self, id: &str, state: &CommandState, message: Option<&QueuedMessage>) {
        let mut data = serde_json::to_value(state).expect("a command state serialises");
        data["commandId"] = id.into();
        if let Some(message) = message {
            data["text"] = message.text.clone().into();
            data["images"] = serde_json::to_value(&message.images).expect("pictures serialise");
        }
        let entry =
            EntryKind::Custom { custom_type: transcript::COMMAND_ENTRY.to_owned(), data: Some(RawJson::from(data)) };
        let entry_id = self.transcript.lock().fresh_id();
        self.append_as(entry_id, entry, true).await;
    }

    // --- phases

    pub(crate) fn is_active(&self) -> bool {
        matches!(self.live.lock().phase, Phase::Running(_))
    }

    pub(crate) fn is_idle(&self) -> bool {
        let live = self.live.lock();
        matches!(live.phase, Phase::Idle) && !live.settling
    }

    /// Wait until nothing runs, retries, compacts or is about to be delivered.
    pub(crate) async fn wait_idle(&self) {
        loop {
            let rung = self.idle.notified();
            tokio::pin!(rung);
            rung.as_mut().enable();
            if self.is_idle() || self.is_closed() {
                return;
            }
            rung.await;
        }
    }

    pub(crate) async fn settled(&self, outcome: Outcome) {
        self.refresh_now();
        self.idle.notify_waiters();
        self.local(Local::Settled(outcome)).await;
    }

    pub(crate) async fn transcript_replaced(&self, reason: ReplaceReason) {
        self.refresh_now();
        self.local(Local::TranscriptReplaced { reason }).await;
    }

    /// The model that will be asked, or why none can be.
    pub(crate) fn model(&self) -> Result<ModelSpec, OpError> {
        let model = self.live.lock().model.clone();
        model.ok_or_else(|| {
            OpError::NoModel(
                "choose one with /model, paste a key with `pizzapi auth`, start Ollama, or try the demo".into(),
            )
        })
    }
}

pub(crate) fn remember_command(live: &mut Live, id: &str, state: CommandState) {
    if live.commands.insert(id.to_owned(), state).is_none() {
        live.command_order.push(id.to_owned());
        if live.command_order.len() > COMMANDS_KEEP {
            let oldest = live.command_order.remove(0);
            live.commands.remove(&oldest);
        }
    }
}

pub(crate) fn add_usage(total: &mut SessionUsage, usage: &pizzapi_protocol::Usage, priced: bool) {
    total.input += usage.input;
    total.output += usage.output;
    total.cache_read += usage.cache_read;
    total.cache_write += usage.cache_write;
    total.cost += usage.cost.total.max(0.0);
    total.cost_incomplete |= !priced && usage.total_tokens > 0;
}

pub(crate) fn message_id(message: &Message) -> Option<String> {
    match message {
        Message::User(m) => m.id.clone(),
        Message::Assistant(m) => m.id.clone(),
        Message::ToolResult(m) => m.id.clone(),
        Message::Custom(m) => m.id.clone(),
        Message::BashExecution(m) => m.id.clone(),
        Message::CompactionSummary(m) => m.id.clone(),
        Message::BranchSummary(m) => m.id.clone(),
        Message::Other(_) => None,
    }
}

pub(crate) fn with_id(mut message: Message, id: &str) -> Message {
    let slot = match &mut message {
        Message::User(m) => &mut m.id,
        Message::Assistant(m) => &mut m.id,
        Message::ToolResult(m) => &mut m.id,
        Message::Custom(m) => &mut m.id,
        Message::BashExecution(m) => &mut m.id,
        Message::CompactionSummary(m) => &mut m.id,
        Message::BranchSummary(m) => &mut m.id,
        Message::Other(_) => return message,
    };
    *slot = Some(id.to_owned());
    message
}

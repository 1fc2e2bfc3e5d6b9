//! The door to an agent: start it, ask it, watch it.

use std::sync::Arc;

use pizzapi_protocol::{CommandInfo, Message, MetaGoalStatus, MetaTokenUsage, Model, ThinkingLevel};
use serde_json::Value;
use tokio::sync::watch;

use crate::config::AgentConfig;
use crate::core::{AgentState, Core};
use crate::decision::{Answer, AnswerError, Decision};
use crate::event::{Output, Subscription};
use crate::exec::ExecReply;
use crate::lifecycle;
use crate::op::{
    Accepted, CommandOutcome, CommandState, CompactionResult, ForkPoint, Journaled, OpError, Prompt, SessionPage,
    SessionQuery,
};
use crate::queue::{Queue, QueuedMessage};
use crate::transcript::Entry;
use crate::transcript::list::SessionSummary;

/// Starts agents.
#[derive(Debug)]
pub struct Agent;

impl Agent {
    /// Read files, look for models, open the conversation. Errors: a session that was named does not exist or cannot be read.
    pub async fn start(config: AgentConfig) -> Result<AgentHandle, OpError> {
        Ok(AgentHandle { core: lifecycle::start(config).await? })
    }
}

/// An agent. Cheap to clone; it lives until [`AgentHandle::shutdown`].
#[derive(Clone)]
pub struct AgentHandle {
    core: Arc<Core>,
}

impl std::fmt::Debug for AgentHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AgentHandle").field("session_id", &self.core.session_id()).finish_non_exhaustive()
    }
}

impl AgentHandle {
    pub(crate) fn of(core: Arc<Core>) -> Self {
        Self { core }
    }

    // --- what happens

    /// Everything from now on, in order. Take a snapshot ([`Self::messages`], [`Self::state`]) after subscribing.
    pub fn subscribe(&self) -> Subscription {
        self.core.emitter.subscribe()
    }

    /// Put something of the host's own into the stream, in order with everything else.
    pub async fn publish(&self, output: Output) {
        self.core.emitter.send(output).await;
    }

    /// The short view, always current.
    pub fn state(&self) -> watch::Receiver<AgentState> {
        self.core.refresh_now();
        self.core.summary.subscribe()
    }

    /// The short view of this moment.
    pub fn snapshot(&self) -> AgentState {
        self.core.refresh_now();
        self.core.summary.borrow().clone()
    }

    /// As it is now: resuming a session of another folder changes the working directory.
    pub fn config(&self) -> Arc<AgentConfig> {
        self.core.config()
    }

    /// What went wrong while starting; told once.
    pub fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut self.core.startup_warnings.lock())
    }

    // --- conversation

    /// Say something. Returns when it is accepted – written down when it has a command id – not when it is answered.
    pub async fn prompt(&self, prompt: Prompt) -> Result<Accepted, OpError> {
        self.core.prompt(prompt).await
    }

    /// Run `/name arguments`.
    pub async fn run_command(&self, text: &str) -> Result<CommandOutcome, OpError> {
        self.core.run_command(text).await
    }

    /// Inject a message of the program (sub-agent results, triggers): starts a run when idle, unless for the next turn.
    pub async fn inject(&self, message: QueuedMessage, delivery: crate::Delivery) -> Result<Accepted, OpError> {
        self.core.deliver(message, delivery).await
    }

    /// Stop the run, its tools, a waiting retry or a compaction. Queued messages are held until the next input.
    pub async fn abort(&self) -> bool {
        self.core.abort().await
    }

    /// Wait until nothing runs, retries, compacts or is about to be delivered.
    pub async fn wait_idle(&self) {
        self.core.wait_idle().await;
    }

    pub fn is_idle(&self) -> bool {
        self.core.is_idle()
    }

    /// The conversation as the model and viewers see it.
    pub fn messages(&self) -> Vec<Message> {
        self.core.messages()
    }

    pub fn last_assistant_text(&self) -> Option<String> {
        self.core.last_assistant_text()
    }

    /// Every entry of the file, for trees and analyses.
    pub fn entries(&self) -> Vec<Entry> {
        self.core.transcript.lock().entries().to_vec()
    }

    /// Position in the transcript; changes with every entry.
    pub fn leaf(&self) -> Option<String> {
        self.core.transcript.lock().leaf().map(str::to_owned)
    }

    // --- queue

    pub fn queue(&self) -> Queue {
        self.core.live.lock().queue.clone()
    }

    /// Replace what people queued. Blank texts are left out.
    pub async fn set_queued_messages(&self, texts: Vec<String>) -> Result<Vec<String>, OpError> {
        self.core.set_queued_messages(texts).await
    }

    /// Take the queue back, for the editor.
    pub async fn take_queue(&self) -> Vec<QueuedMessage> {
        self.core.take_queue().await
    }

    // --- model

    /// Waits until the agent is idle: for requests from afar.
    pub async fn set_model(&self, provider: &str, id: &str) -> Result<Model, OpError> {
        self.core.select_model(provider, id, true).await
    }

    /// At once: the next request of a running turn already goes to the new model.
    pub async fn set_model_now(&self, provider: &str, id: &str) -> Result<Model, OpError> {
        self.core.select_model(provider, id, false).await
    }

    pub async fn cycle_model(&self, forward: bool) -> Result<Option<Model>, OpError> {
        self.core.cycle_model(forward).await
    }

    /// Returns the level really applied.
    pub async fn set_thinking(&self, level: ThinkingLevel) -> Result<ThinkingLevel, OpError> {
        self.core.set_thinking(level).await
    }

    pub async fn cycle_thinking(&self) -> Result<ThinkingLevel, OpError> {
        self.core.cycle_thinking().await
    }

    /// Models that can be asked, sorted by provider and id.
    pub fn models(&self) -> Vec<Model> {
        self.core.registry.available().iter().map(crate::model::ModelSpec::info).collect()
    }

    /// Every visible model, usable or not.
    pub fn all_models(&self) -> Vec<Model> {
        self.core.registry.all().iter().map(crate::model::ModelSpec::info).collect()
    }

    /// The registry itself, for pickers that show prices and providers.
    pub fn registry(&self) -> &crate::model::registry::Registry {
        &self.core.registry
    }

    /// `provider/id` of models nobody may choose. Effective at once.
    pub async fn set_hidden_models(&self, hidden: Vec<String>) {
        self.core.registry.set_hidden(hidden);
        self.core.capabilities_changed().await;
    }

    /// `provider/id` for sub-agents; None = as configured.
    pub fn set_subagent_model(&self, model: Option<String>) {
        self.core.subagents.set_default_model(model);
    }

    /// Read `models.json` again and ask model servers.
    pub async fn refresh_models(&self) {
        self.core.refresh_models().await;
    }

    /// Store a key; a session without a model takes one of its provider.
    pub async fn save_api_key(&self, provider: &str, key: &str) -> Result<(), OpError> {
        self.core.save_api_key(provider, key).await
    }

    /// Use the offline demonstration.
    pub async fn use_demo(&self) -> Result<Model, OpError> {
        self.set_model_now("demo", "demo").await
    }

    // --- sessions

    pub async fn compact(&self, instructions: Option<String>) -> Result<CompactionResult, OpError> {
        self.core.compact(instructions).await
    }

    pub async fn new_session(&self) -> Result<(), OpError> {
        self.core.new_session().await
    }

    /// A path, an id, words of a name or first message; empty = the newest other session.
    pub async fn resume(&self, target: &str) -> Result<SessionSummary, OpError> {
        self.core.resume(target).await
    }

    /// A new session before a user message. Returns its text for the editor.
    pub async fn fork(&self, entry_id: &str) -> Result<String, OpError> {
        self.core.fork(entry_id).await
    }

    pub fn fork_messages(&self) -> Vec<ForkPoint> {
        self.core.fork_messages()
    }

    /// Go on from another entry of the same conversation.
    pub async fn move_to(&self, entry_id: &str) -> Result<Option<String>, OpError> {
        self.core.move_to(entry_id).await
    }

    pub async fn list_sessions(&self, query: SessionQuery) -> SessionPage {
        self.core.list_sessions(query).await
    }

    /// Returns the name as kept; None = no name.
    pub async fn set_session_name(&self, name: &str) -> Option<String> {
        self.core.rename(name).await
    }

    pub fn commands(&self) -> Vec<CommandInfo> {
        self.core.commands()
    }

    /// File, counts, tokens and cost, in Markdown.
    pub fn session_text(&self) -> String {
        self.core.session_text()
    }

    pub fn token_usage(&self) -> MetaTokenUsage {
        self.core.token_usage()
    }

    pub fn goal(&self) -> Option<MetaGoalStatus> {
        self.core.goal_view()
    }

    pub async fn reload(&self) {
        self.core.reload().await;
    }

    /// Names of context files, skills and tools that are loaded, for a header.
    pub fn loaded(&self) -> Loaded {
        let resources = self.core.resources();
        Loaded {
            context_files: resources.context_files.iter().map(|file| file.path.clone()).collect(),
            skills: resources.skills.iter().map(|skill| skill.name.clone()).collect(),
            tools: self.core.active_tools().specs().into_iter().map(|spec| spec.name).collect(),
        }
    }

    // --- plan mode, shells, decisions

    /// None = toggle. Returns the state.
    pub async fn set_plan_mode(&self, enabled: Option<bool>) -> bool {
        let enabled = enabled.unwrap_or_else(|| !self.core.live.lock().plan_mode);
        self.core.set_plan_mode(enabled).await;
        enabled
    }

    pub async fn background_bash(&self) -> Result<Vec<String>, OpError> {
        self.core.background_bash()
    }

    /// The user's own command; returns when it ended.
    pub async fn user_bash(&self, command: &str, exclude_from_context: bool) -> Result<(), OpError> {
        self.core.user_bash(command, exclude_from_context).await
    }

    pub fn abort_user_bash(&self) -> bool {
        self.core.abort_user_bash()
    }

    /// The first answer wins; later ones learn who was first.
    pub async fn answer(&self, decision_id: &str, answer: Answer, by: Option<String>) -> Result<(), AnswerError> {
        self.core.decisions.answer(decision_id, answer, by).await
    }

    pub fn decisions(&self) -> Vec<Decision> {
        self.core.decisions.open()
    }

    /// Remote text, offered to what waits for an answer (approval, question, plan). True: it was taken.
    pub async fn offer_text(&self, text: &str, by: Option<String>) -> bool {
        self.core.offer_text(text, by).await
    }

    // --- remote commands

    /// Write a command down, synced, before it is acknowledged.
    pub async fn journal_command(&self, id: &str, state: CommandState) -> Journaled {
        self.core.journal(id, state, None).await
    }

    pub fn command_state(&self, id: &str) -> Option<CommandState> {
        self.core.command_state(id)
    }

    /// Withdraw a prompt that is still queued.
    pub async fn cancel_command(&self, id: &str) -> bool {
        self.core.cancel_command(id).await
    }

    /// The agent's part of remote commands (`exec`). Unknown names are for the host.
    pub async fn exec(&self, command: &str, arguments: &Value) -> ExecReply {
        self.core.exec(command, arguments).await
    }

    /// Stop everything and close the stream of outputs.
    pub async fn shutdown(&self) {
        self.core.shutdown().await;
    }
}

/// What a session has loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    pub context_files: Vec<std::path::PathBuf>,
    pub skills: Vec<String>,
    pub tools: Vec<String>,
}

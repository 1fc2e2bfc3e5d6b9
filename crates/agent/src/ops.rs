//! The operations of an agent. The handle is a thin door in front of these.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use pizzapi_protocol::{
    AgentEvent, BashExecutionMessage, ContentBlock, Message, MetaEvent, MetaPendingPlan, Model, ModelSelect,
    ModelSelectSource, PlanModeToggled, RawJson, ThinkingLevel,
};
use pizzapi_tools::Workspace;
use pizzapi_tools::bash::BashArgs;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::compaction;
use crate::config::AgentConfig;
use crate::core::{Core, Phase};
use crate::event::{CompactionReason, Local, ReplaceReason};
use crate::hooks::Input;
use crate::model::ModelSpec;
use crate::op::{
    Accepted, CommandState, CompactionResult, Delivery, ForkPoint, Journaled, OpError, Prompt, SessionPage,
    SessionQuery,
};
use crate::queue::{CustomOrigin, QUEUE_KEEP, QueuedMessage};
use crate::settings::SettingsFile;
use crate::tool::ToolSet;
use crate::transcript::list::{self, Scope, SessionSummary};
use crate::transcript::{EntryKind, PLAN_MODE_ENTRY, Transcript, resume};

/// Sessions on one page unless asked for otherwise, and at most.
const PAGE: usize = 50;
const MAX_PAGE: usize = 200;
/// Said in the first run of a session without a name.
const NAME_NOTE: &str =
    "This session has no name yet: call set_session_name together with your first other calls or before your answer.";
/// Longest name of a session. Units: characters.
const MAX_NAME: usize = 200;

impl Core {
    // --- prompts

    pub(crate) async fn prompt(&self, prompt: Prompt) -> Result<Accepted, OpError> {
        if self.is_closed() {
            return Err(OpError::Closed);
        }
        if let Some(state) = prompt.command_id.as_deref().and_then(|id| self.command_state(id)) {
            return Ok(Accepted::Repeated(state));
        }
        if !prompt.raw && prompt.images.is_empty() && Self::is_command(&prompt.text) {
            return self.prompt_command(prompt).await;
        }
        match self.prompt_text(prompt.clone()).await {
            Ok(accepted) => Ok(accepted),
            Err(error) => {
                if let Some(id) = &prompt.command_id {
                    self.reject_command(id, error.code(), &error.to_string()).await;
                }
                Err(error)
            }
        }
    }

    async fn prompt_command(&self, prompt: Prompt) -> Result<Accepted, OpError> {
        if let Some(id) = &prompt.command_id {
            self.journal(id, CommandState::Delivered, None).await;
        }
        let outcome = self.run_command(&prompt.text).await;
        if let Some(id) = &prompt.command_id {
            match &outcome {
                Ok(_) => self.command_reached(id, CommandState::Consumed).await,
                Err(error) => self.reject_command(id, error.code(), &error.to_string()).await,
            }
        }
        outcome.map(Accepted::Command)
    }

    async fn prompt_text(&self, prompt: Prompt) -> Result<Accepted, OpError> {
        let mut text = prompt.text;
        match self.hooks().input(&text, if prompt.command_id.is_some() { "remote" } else { "user" }).await {
            Input::Unchanged => {}
            Input::Replaced(changed) => text = changed,
            Input::Handled(message) => {
                if let Some(id) = &prompt.command_id {
                    self.journal(id, CommandState::Consumed, None).await;
                }
                let message = (!message.is_empty()).then_some(message);
                return Ok(Accepted::Command(crate::op::CommandOutcome { message, host: None }));
            }
        }
        if !prompt.raw
            && let Some(expanded) = self.expand(&text)?
        {
            text = expanded;
        }
        if text.trim().is_empty() && prompt.images.is_empty() {
            return Err(OpError::EmptyPrompt);
        }
        self.model()?;
        let message =
            QueuedMessage { command_id: prompt.command_id.clone(), images: prompt.images, ..QueuedMessage::user(text) };
        if let Some(id) = &prompt.command_id {
            self.journal(id, CommandState::Delivered, Some(&message)).await;
        }
        self.deliver(message, prompt.delivery).await
    }

    /// Start a run, or queue.
    pub(crate) async fn deliver(&self, message: QueuedMessage, delivery: Delivery) -> Result<Accepted, OpError> {
        let start = {
            let mut live = self.live.lock();
            let by_person = message.custom.is_none();
            if by_person {
                // New input means: go on.
                live.queue.held = false;
            }
            let idle = matches!(live.phase, Phase::Idle);
            if idle && delivery != Delivery::NextTurn {
                let cancel = CancellationToken::new();
                live.phase = Phase::Running(cancel.clone());
                live.last_error = None;
                let mut prompts = std::mem::take(&mut live.queue.next_turn);
                if by_person {
                    prompts.insert(0, message);
                } else {
                    prompts.push(message);
                }
                Some((prompts, cancel))
            } else {
                if !live.queue.push(delivery, message) {
                    return Err(OpError::QueueFull(QUEUE_KEEP));
                }
                None
            }
        };
        match start {
            Some((prompts, cancel)) => {
                self.queue_changed().await;
                self.refresh_now();
                self.spawn_run(prompts, cancel);
                Ok(Accepted::Started)
            }
            None => {
                self.queue_changed().await;
                Ok(Accepted::Queued)
            }
        }
    }

    /// Things that belong to the beginning of a run. Returns what hooks have to say, to follow the prompts.
    pub(crate) async fn before_run(&self, prompts: &[QueuedMessage]) -> Vec<QueuedMessage> {
        let waiting = std::mem::take(&mut self.live.lock().pending_bash);
        for message in waiting {
            self.commit(message, None).await;
        }
        let mut notes = Vec::new();
        let named = self.transcript.lock().name().is_some();
        if !named && !self.live.lock().naming_over && self.tools.read().has("set_session_name") {
            notes.push(NAME_NOTE.to_owned());
        }
        *self.run_system.lock() = None;
        self.run_notes.lock().notes = notes;
        let text = prompts.iter().rev().find(|p| p.custom.is_none()).map(|p| p.text.clone()).unwrap_or_default();
        let base = self.system_prompt(&self.active_tools());
        let (context, system) = self.hooks().before_start(&text, &base).await;
        *self.run_system.lock() = system;
        let origin = CustomOrigin { custom_type: "hook-context".into(), display: false, details: None };
        let message = |text| QueuedMessage { custom: Some(origin.clone()), ..QueuedMessage::user(text) };
        context.into_iter().map(message).collect()
    }

    pub(crate) fn system_prompt(&self, tools: &ToolSet) -> String {
        if let Some(system) = self.run_system.lock().clone() {
            return system;
        }
        let mut notes = self.run_notes.lock().clone();
        {
            let live = self.live.lock();
            if live.naming_over {
                notes.notes.retain(|note| note != NAME_NOTE);
            }
            if live.plan_mode {
                notes.notes.push(
                    "Plan mode is on: only look around. Nothing may be written, edited or executed that changes something. When you know \
                     what to do, present it with plan_mode and wait."
                        .into(),
                );
            }
        }
        self.resources().system_prompt(&self.config(), tools, &notes)
    }

    /// The tools offered now. In plan mode too the list stays whole: a changed list would spoil the provider's cache.
    pub(crate) fn active_tools(&self) -> ToolSet {
        self.tools.read().clone()
    }

    pub(crate) async fn say_goal(&self, condition: &str) -> Result<(), OpError> {
        self.model()?;
        let text = format!("Work until this is reached, then say so: {condition}");
        self.deliver(QueuedMessage::user(text), Delivery::FollowUp).await.map(|_| ())
    }

    /// Stop what runs. What waits in the queue is held. Returns whether something ran.
    pub(crate) async fn abort(&self) -> bool {
        let cancelled = {
            let mut live = self.live.lock();
            let running = match &live.phase {
                Phase::Running(cancel) | Phase::Compacting(cancel) => {
                    cancel.cancel();
                    true
                }
                Phase::Idle => false,
            };
            if running && !live.queue.is_empty() {
                live.queue.held = true;
            }
            running
        };
        self.queue_changed().await;
        cancelled
    }

    // --- the queue

    pub(crate) async fn set_queued_messages(&self, texts: Vec<String>) -> Result<Vec<String>, OpError> {
        let texts: Vec<String> = texts.into_iter().filter(|text| !text.trim().is_empty()).collect();
        if texts.len() > QUEUE_KEEP {
            return Err(OpError::QueueFull(QUEUE_KEEP));
        }
        let gone = self.live.lock().queue.replace(texts);
        self.withdrawn(gone).await;
        self.queue_changed().await;
        Ok(self.live.lock().queue.texts())
    }

    pub(crate) async fn take_queue(&self) -> Vec<QueuedMessage> {
        let taken = self.live.lock().queue.take_visible();
        self.withdrawn(taken.clone()).await;
        self.queue_changed().await;
        taken
    }

    async fn withdrawn(&self, messages: Vec<QueuedMessage>) {
        for id in messages.into_iter().filter_map(|message| message.command_id) {
            self.command_reached(&id, CommandState::Cancelled).await;
        }
    }

    pub(crate) async fn cancel_command(&self, id: &str) -> bool {
        let withdrawn = self.live.lock().queue.withdraw(id);
        match withdrawn {
            Some(message) => {
                self.withdrawn(vec![message]).await;
                self.queue_changed().await;
                true
            }
            None => false,
        }
    }

    // --- remote commands

    /// Write a command down, synced. A known id is not written again.
    pub(crate) async fn journal(&self, id: &str, state: CommandState, message: Option<&QueuedMessage>) -> Journaled {
        if let Some(known) = self.command_state(id) {
            // Only a step forward is news.
            if known.is_final() || known == state {
                return Journaled::Repeated(known);
            }
            self.command_reached(id, state).await;
            return Journaled::Repeated(known);
        }
        self.remember_command(id, state.clone());
        self.append_command(id, &state, message).await;
        self.local(Local::Command { id: id.to_owned(), state }).await;
        Journaled::New
    }

    // --- model and thinking

    /// `wait`: not before the agent is idle, as requests from afar want it.
    pub(crate) async fn select_model(&self, provider: &str, id: &str, wait: bool) -> Result<Model, OpError> {
        let model = self.registry.get(provider, id).ok_or_else(|| OpError::UnknownModel(format!("{provider}/{id}")))?;
        self.set_model(model, ModelSelectSource::Set, wait).await
    }

    /// Without `wait` the next request of a running turn goes to the new model.
    pub(crate) async fn set_model(
        &self,
        model: ModelSpec,
        source: ModelSelectSource,
        wait: bool,
    ) -> Result<Model, OpError> {
        if self.registry.is_hidden(&model) {
            return Err(OpError::HiddenModel(model.key()));
        }
        let (registry, provider) = (self.registry.clone(), model.provider.clone());
        let credential = tokio::task::spawn_blocking(move || registry.credential(&provider))
            .await
            .map_err(|error| OpError::Invalid(error.to_string()))??;
        if wait {
            self.wait_idle().await;
        }
        self.apply_model(model.clone(), source, true).await;
        self.auth_source_changed(Some(credential.source.as_str().to_owned())).await;
        Ok(model.info())
    }

    /// Switch at once: for the next request, also of a running turn.
    pub(crate) async fn apply_model(&self, model: ModelSpec, source: ModelSelectSource, keep: bool) {
        let previous = {
            let mut live = self.live.lock();
            live.model.replace(model.clone())
        };
        self.append(EntryKind::ModelChange { provider: model.provider.clone(), model_id: model.id.clone() }).await;
        if keep && model.api != crate::model::Api::Demo {
            self.save_settings(&[("defaultProvider", json!(model.provider)), ("defaultModel", json!(model.id))]).await;
        }
        self.refresh_now();
        self.event(AgentEvent::ModelSelect(ModelSelect {
            model: model.info(),
            previous_model: previous.as_ref().map(ModelSpec::info),
            source,
        }))
        .await;
        self.model_changed(Some(&model)).await;
        let level_before = previous.as_ref().map(|p| p.clamp_thinking(self.live.lock().thinking.0));
        if level_before != Some(self.thinking()) {
            self.thinking_changed().await;
        }
        self.hooks().tell("ModelSelect", json!({ "provider": model.provider, "model": model.id })).await;
    }

    pub(crate) async fn cycle_model(&self, forward: bool) -> Result<Option<Model>, OpError> {
        let scoped = self.settings.read().enabled_models.clone();
        let available = self.registry.available();
        let list: Vec<ModelSpec> = if scoped.is_empty() {
            available
        } else {
            crate::model::pattern::scoped(&available, &scoped).into_iter().map(|choice| choice.model).collect()
        };
        let current = self.live.lock().model.as_ref().map(ModelSpec::key);
        let at = list.iter().position(|model| Some(model.key()) == current);
        let next = match (at, list.len()) {
            (_, 0) | (Some(_), 1) => return Ok(None),
            (None, _) => 0,
            (Some(at), len) => (at + if forward { 1 } else { len - 1 }) % len,
        };
        self.set_model(list[next].clone(), ModelSelectSource::Cycle, false).await.map(Some)
    }

    pub(crate) async fn set_thinking(&self, level: ThinkingLevel) -> Result<ThinkingLevel, OpError> {
        self.live.lock().thinking.0 = level;
        let applied = self.thinking();
        self.append(EntryKind::ThinkingLevelChange { level: applied.as_str().to_owned() }).await;
        self.save_settings(&[("defaultThinkingLevel", json!(level))]).await;
        self.thinking_changed().await;
        Ok(applied)
    }

    pub(crate) async fn cycle_thinking(&self) -> Result<ThinkingLevel, OpError> {
        let levels = self.model()?.thinking_levels();
        let current = self.thinking();
        let at = levels.iter().position(|level| *level == current).map_or(0, |at| (at + 1) % levels.len().max(1));
        self.set_thinking(levels.get(at).copied().unwrap_or(ThinkingLevel::Off)).await
    }

    /// Preferences are worth a warning when they cannot be kept, not a failure.
    async fn save_settings(&self, members: &[(&'static str, Value)]) {
        let file = SettingsFile::new(&self.config().agent_dir, None);
        let owned: Vec<(&'static str, Value)> = members.to_vec();
        let saved = tokio::task::spawn_blocking(move || file.change(&owned)).await;
        match saved {
            Ok(Ok(())) => {
                let (settings, _) = self.settings_file.load();
                *self.settings.write() = settings;
            }
            Ok(Err(error)) => self.warn(format!("preferences could not be saved: {error}")).await,
            Err(error) => tracing::error!(%error, "saving preferences panicked"),
        }
    }

    pub(crate) async fn allow_always(&self, rules: Vec<String>) {
        let mut settings = self.settings.read().permissions.clone();
        {
            let mut permissions = self.permissions.lock();
            for rule in rules {
                permissions.allow_in_session(rule.clone());
                if !settings.allow.contains(&rule) {
                    settings.allow.push(rule);
                }
            }
            permissions.set_settings(settings.clone());
        }
        let value = serde_json::to_value(&settings).expect("permission settings serialise");
        self.save_settings(&[("permissions", value)]).await;
    }

    pub(crate) async fn save_api_key(&self, provider: &str, key: &str) -> Result<(), OpError> {
        if key.trim().is_empty() {
            return Err(OpError::Invalid("the key is empty".into()));
        }
        if self.registry.provider(provider).is_none() {
            return Err(OpError::Invalid(format!("unknown provider `{provider}`")));
        }
        let (registry, provider, key) = (self.registry.clone(), provider.to_owned(), key.to_owned());
        tokio::task::spawn_blocking(move || registry.auth().save_api_key(&provider, &key))
            .await
            .map_err(|error| OpError::Invalid(error.to_string()))??;
        self.adopt_default_model().await;
        self.capabilities_changed().await;
        Ok(())
    }

    /// A session without a model takes the first that became usable.
    pub(crate) async fn adopt_default_model(&self) {
        let needed = self.live.lock().model.is_none();
        if !needed {
            return;
        }
        let settings = self.settings();
        let chosen =
            crate::lifecycle::preferred_model(&self.registry, &settings).or_else(|| self.registry.default_model());
        if let Some(model) = chosen {
            self.apply_model(model, ModelSelectSource::Restore, false).await;
        }
    }

    pub(crate) async fn refresh_models(&self) {
        self.registry.reload();
        let client = self.providers.client();
        crate::model::discovery::local(&self.registry, client).await;
        self.adopt_default_model().await;
        crate::model::discovery::remote(&self.registry, client).await;
        self.capabilities_changed().await;
    }

    pub(crate) async fn capabilities_changed(&self) {
        self.refresh_now();
        self.local(Local::CapabilitiesChanged).await;
    }

    pub(crate) async fn reload(&self) {
        self.registry.reload();
        let core = self.arc();
        let loaded = tokio::task::spawn_blocking(move || crate::lifecycle::load_resources(&core.config())).await;
        match loaded {
            Ok(loaded) => {
                *self.hooks.write() = Arc::new(crate::lifecycle::load_hooks(&self.config(), &loaded.user));
                self.permissions.lock().set_settings(loaded.settings.permissions.clone());
                *self.settings.write() = loaded.settings;
                let warnings = [loaded.warnings, loaded.resources.warnings.clone(), self.registry.warnings()].concat();
                *self.resources.write() = Arc::new(loaded.resources);
                for warning in warnings {
                    self.warn(warning).await;
                }
            }
            Err(error) => self.warn(format!("reading resources failed: {error}")).await,
        }
        self.capabilities_changed().await;
    }

    // --- compaction

    pub(crate) async fn compact(&self, focus: Option<String>) -> Result<CompactionResult, OpError> {
        if self.live.lock().compacting {
            return Err(OpError::AlreadyCompacting);
        }
        self.model()?;
        if self.is_active() {
            self.abort().await;
            self.wait_idle().await;
        }
        let cancel = CancellationToken::new();
        {
            let mut live = self.live.lock();
            if !matches!(live.phase, Phase::Idle) {
                return Err(OpError::AlreadyCompacting);
            }
            live.phase = Phase::Compacting(cancel.clone());
        }
        let core = self.arc();
        // Not cut short when the caller goes away.
        let work = tokio::spawn(async move {
            let result =
                compaction::compact_now(&core, CompactionReason::Manual, focus.as_deref(), false, &cancel).await;
            core.live.lock().phase = Phase::Idle;
            core.refresh_now();
            core.idle.notify_waiters();
            core.kick().await;
            result
        });
        work.await.unwrap_or_else(|error| Err(OpError::Compaction(error.to_string())))
    }

    // --- sessions

    fn sessions_dir(&self) -> Option<PathBuf> {
        crate::lifecycle::sessions_dir(&self.config(), &self.settings.read())
    }

    /// Stop everything that belongs to the conversation that is left.
    async fn leave(&self) {
        self.abort().await;
        self.wait_idle().await;
        let dropped = {
            let mut live = self.live.lock();
            let dropped = live.queue.take_visible();
            live.queue = crate::queue::Queue::default();
            live.pending_bash.clear();
            dropped
        };
        self.withdrawn(dropped).await;
        self.subagents.abort_all();
        self.shells.shutdown().await;
    }

    async fn enter(&self, transcript: Transcript, reason: ReplaceReason) {
        let carried = self.commands_to_carry();
        {
            let mut current = self.transcript.lock();
            *current = transcript;
        }
        self.carry_commands(carried).await;
        self.restore().await;
        self.transcript_replaced(reason).await;
        self.queue_changed().await;
        self.usage_changed().await;
        let name = self.transcript.lock().name();
        self.local(Local::NameChanged(name)).await;
        self.hooks().tell("SessionStart", json!({ "reason": format!("{reason:?}").to_lowercase() })).await;
    }

    /// Ids of remote commands stay known over a change of the conversation, so that a repeated one is not executed.
    fn commands_to_carry(&self) -> Vec<(String, CommandState)> {
        let live = self.live.lock();
        let ids = live.command_order.iter().rev().take(64).rev();
        ids.filter_map(|id| Some((id.clone(), live.commands.get(id)?.clone()))).collect()
    }

    async fn carry_commands(&self, commands: Vec<(String, CommandState)>) {
        if commands.is_empty() {
            return;
        }
        let list: Vec<Value> = commands
            .into_iter()
            .map(|(id, state)| {
                let mut value = serde_json::to_value(state).expect("a command state serialises");
                value["commandId"] = id.into();
                value
            })
            .collect();
        let kind = EntryKind::Custom {
            custom_type: crate::transcript::COMMAND_ENTRY.to_owned(),
            data: Some(RawJson::from(json!({ "carried": list }))),
        };
        let id = self.transcript.lock().fresh_id();
        self.append_as(id, kind, true).await;
    }

    pub(crate) async fn new_session(&self) -> Result<(), OpError> {
        let _turn = self.switching.lock().await;
        if let Some(reason) = self.hooks().before_switch("new").await {
            return Err(OpError::Invalid(format!("New session was cancelled: {reason}")));
        }
        self.leave().await;
        let mut transcript = Transcript::create(&self.config().cwd, self.sessions_dir().as_deref(), None);
        self.note_settings(&mut transcript)?;
        {
            let mut live = self.live.lock();
            live.naming_over = false;
            live.todos.clear();
        }
        self.enter(transcript, ReplaceReason::New).await;
        self.todos_changed(Vec::new()).await;
        Ok(())
    }

    /// A new conversation begins with the model and thinking level of now.
    fn note_settings(&self, transcript: &mut Transcript) -> Result<(), OpError> {
        let model = self.live.lock().model.clone();
        if let Some(model) = model {
            transcript.append(EntryKind::ModelChange { provider: model.provider, model_id: model.id })?;
        }
        transcript.append(EntryKind::ThinkingLevelChange { level: self.thinking().as_str().to_owned() })?;
        Ok(())
    }

    pub(crate) async fn resume(&self, target: &str) -> Result<SessionSummary, OpError> {
        let _turn = self.switching.lock().await;
        let summary = self.find_session(target).await?;
        if let Some(cwd) = &summary.cwd
            && !Path::new(cwd).is_dir()
        {
            return Err(OpError::MissingDirectory(cwd.into()));
        }
        if let Some(reason) = self.hooks().before_switch(&summary.path.to_string_lossy()).await {
            return Err(OpError::Invalid(format!("Resume was cancelled: {reason}")));
        }
        let path = summary.path.clone();
        let transcript = tokio::task::spawn_blocking(move || resume::open(&path))
            .await
            .map_err(|error| OpError::Invalid(error.to_string()))??;
        self.leave().await;
        let cwd = transcript.header().cwd.clone();
        self.enter(transcript, ReplaceReason::Resume).await;
        self.change_directory(cwd).await;
        Ok(summary)
    }

    /// A conversation goes on in the folder it is about, with that folder's notes and rules.
    async fn change_directory(&self, cwd: PathBuf) {
        if cwd.as_os_str().is_empty() || self.config().cwd == cwd {
            return;
        }
        let changed = AgentConfig { cwd: cwd.clone(), ..(*self.config()).clone() };
        *self.config.write() = Arc::new(changed);
        {
            let mut permissions = self.permissions.lock();
            let moved = permissions.below(&cwd);
            *permissions = moved;
        }
        self.reload().await;
    }

    async fn find_session(&self, target: &str) -> Result<SessionSummary, OpError> {
        let Some(sessions) = self.sessions_dir() else { return Err(OpError::NoOtherSessions) };
        let current = self.transcript.lock().path().map(Path::to_owned);
        let target = target.trim().to_owned();
        let found = tokio::task::spawn_blocking(move || {
            let path = Path::new(&target);
            if path.is_absolute() && path.is_file() {
                return list::summarise(path).ok_or_else(|| OpError::NoSession(target.clone()));
            }
            let others: Vec<SessionSummary> =
                list::list(&sessions, &Scope::All).into_iter().filter(|s| Some(&s.path) != current.as_ref()).collect();
            if others.is_empty() {
                return Err(OpError::NoOtherSessions);
            }
            if target.is_empty() {
                return others.into_iter().next().ok_or(OpError::NoOtherSessions);
            }
            let exact = others.iter().find(|s| s.id == target || s.id.starts_with(&target)).cloned();
            exact
                .or_else(|| others.iter().find(|session| list::fits(session, &target)).cloned())
                .ok_or(OpError::NoSession(target))
        });
        found.await.map_err(|error| OpError::Invalid(error.to_string()))?
    }

    pub(crate) async fn fork(&self, entry_id: &str) -> Result<String, OpError> {
        let _turn = self.switching.lock().await;
        if let Some(reason) = self.hooks().before_fork(entry_id).await {
            return Err(OpError::Invalid(format!("Fork was cancelled: {reason}")));
        }
        if self.transcript.lock().entry(entry_id).is_none() {
            return Err(OpError::Invalid(format!("there is no message {entry_id} to fork at")));
        }
        self.leave().await;
        let sessions = self.sessions_dir();
        let (transcript, text) = self.transcript.lock().fork_before(entry_id, sessions.as_deref())?;
        self.enter(transcript, ReplaceReason::Fork).await;
        Ok(text)
    }

    pub(crate) async fn clone_session(&self) -> Result<(), OpError> {
        let _turn = self.switching.lock().await;
        self.leave().await;
        let sessions = self.sessions_dir();
        let copy = {
            let transcript = self.transcript.lock();
            transcript.copied_to(transcript.leaf(), sessions.as_deref())?
        };
        self.enter(copy, ReplaceReason::Fork).await;
        Ok(())
    }

    /// Go on from another entry of this conversation. Returns the text for the editor when it was a user message.
    pub(crate) async fn move_to(&self, entry_id: &str) -> Result<Option<String>, OpError> {
        let _turn = self.switching.lock().await;
        if self.is_active() {
            return Err(OpError::Invalid("stop the run first".into()));
        }
        let text = {
            let mut transcript = self.transcript.lock();
            let entry = transcript
                .entry(entry_id)
                .ok_or_else(|| OpError::Invalid(format!("there is no entry {entry_id}")))?
                .clone();
            let (leaf, text) = match &entry.kind {
                EntryKind::Message { message: message @ Message::User(_), .. } => {
                    (entry.parent_id.clone(), Some(message.text()))
                }
                EntryKind::CustomMessage { content, .. } => (entry.parent_id.clone(), Some(content.text())),
                _ => (Some(entry.id.clone()), None),
            };
            transcript.move_and_remember(leaf)?;
            text
        };
        self.restore().await;
        self.transcript_replaced(ReplaceReason::Tree).await;
        Ok(text)
    }

    pub(crate) fn fork_messages(&self) -> Vec<ForkPoint> {
        let transcript = self.transcript.lock();
        transcript.user_messages().map(|(entry, text)| ForkPoint { entry_id: entry.id.clone(), text }).collect()
    }

    pub(crate) async fn list_sessions(&self, query: SessionQuery) -> SessionPage {
        let current_path = {
            let transcript = self.transcript.lock();
            transcript.path().filter(|_| transcript.is_on_disk()).map(Path::to_owned)
        };
        let Some(sessions) = self.sessions_dir() else {
            return SessionPage { current_path, sessions: Vec::new(), next_cursor: None };
        };
        let limit = query.limit.unwrap_or(PAGE).clamp(1, MAX_PAGE);
        let scope = query.directory.map_or(Scope::All, Scope::Directory);
        let mut found = tokio::task::spawn_blocking(move || list::list(&sessions, &scope)).await.unwrap_or_default();
        found.retain(|session| Some(&session.path) != current_path.as_ref());
        if let Some(cursor) = &query.cursor {
            found.retain(|session| session.modified < *cursor);
        }
        let more = found.len() > limit;
        found.truncate(limit);
        let next_cursor = found.last().filter(|_| more).map(|session| session.modified.clone());
        SessionPage { current_path, sessions: found, next_cursor }
    }

    /// One line, blanks joined; empty = no name.
    pub(crate) async fn rename(&self, name: &str) -> Option<String> {
        let name: String = name.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(MAX_NAME).collect();
        let name = (!name.is_empty()).then_some(name);
        self.live.lock().naming_over = true;
        self.append(EntryKind::SessionInfo { name: name.clone() }).await;
        self.refresh_now();
        self.local(Local::NameChanged(name.clone())).await;
        name
    }

    // --- plan mode

    /// Returns whether it changed.
    pub(crate) async fn set_plan_mode(&self, enabled: bool) -> bool {
        let changed = std::mem::replace(&mut self.live.lock().plan_mode, enabled) != enabled;
        if changed {
            let data = Some(RawJson::from(json!({ "enabled": enabled })));
            self.append(EntryKind::Custom { custom_type: PLAN_MODE_ENTRY.into(), data }).await;
            self.refresh_now();
            self.meta(MetaEvent::PlanModeToggled(PlanModeToggled { enabled })).await;
        }
        changed
    }

    /// Cut off the conversation before the plan, for good. The plan itself stays as its first message.
    pub(crate) async fn clear_before_plan(&self, plan: &MetaPendingPlan) {
        let steps = plan.steps.iter().flatten().enumerate().map(|(n, step)| {
            let detail = step.description.as_ref().map(|d| format!(": {d}")).unwrap_or_default();
            format!("{}. {}{detail}", n + 1, step.title)
        });
        let text = [format!("# {}", plan.title)]
            .into_iter()
            .chain(plan.description.clone())
            .chain(steps)
            .collect::<Vec<_>>()
            .join("\n");
        let (tokens_before, call) = {
            let transcript = self.transcript.lock();
            // The call itself stays: its result follows.
            let call = transcript
                .branch()
                .into_iter()
                .rev()
                .find(|entry| matches!(&entry.kind, EntryKind::Message { message: Message::Assistant(_), .. }))
                .map(|entry| entry.id.clone());
            (crate::transcript::compact::estimated_tokens(&transcript), call)
        };
        self.append(EntryKind::Compaction {
            summary: format!("The user approved this plan and cleared the conversation before it.\n\n{text}"),
            first_kept_entry_id: call,
            tokens_before,
            details: Some(RawJson::from(json!({ "cleared": true }))),
            usage: None,
            from_hook: None,
        })
        .await;
        self.transcript_replaced(ReplaceReason::Cleared).await;
    }

    // --- shells

    pub(crate) fn background_bash(&self) -> Result<Vec<String>, OpError> {
        let moved = self.shells.move_to_background();
        if moved.is_empty() {
            return Err(OpError::NoBash);
        }
        self.refresh();
        Ok(moved)
    }

    /// `!command`: run for the user; its output joins the next prompt unless excluded.
    pub(crate) async fn user_bash(&self, command: &str, exclude: bool) -> Result<(), OpError> {
        let command = command.trim().to_owned();
        if command.is_empty() {
            return Err(OpError::Invalid("no command given".into()));
        }
        let cancel = {
            let mut slot = self.user_bash_cancel.lock();
            if slot.is_some() {
                return Err(OpError::BashRunning);
            }
            let cancel = CancellationToken::new();
            *slot = Some(cancel.clone());
            cancel
        };
        let result = self.run_user_bash(&command, exclude, &cancel).await;
        *self.user_bash_cancel.lock() = None;
        result
    }

    async fn run_user_bash(&self, command: &str, exclude: bool, cancel: &CancellationToken) -> Result<(), OpError> {
        let workspace = Workspace::new(self.config().cwd.clone(), self.config().home().map(Path::to_owned));
        let (sender, mut outputs) = tokio::sync::watch::channel(String::new());
        let output = if let Some(reason) = self.hooks().user_bash(command).await {
            pizzapi_tools::Output {
                is_error: true,
                ..pizzapi_tools::Output::text(format!("Blocked by a hook: {reason}"))
            }
        } else {
            let env = crate::tool::shell::environment(self);
            let arguments =
                BashArgs { command: command.to_owned(), title: None, timeout: None, run_in_background: false };
            let running = self.shells.run(&workspace, arguments, &env, cancel, move |output| {
                sender.send_replace(output.as_text());
            });
            tokio::pin!(running);
            let mut live = true;
            loop {
                tokio::select! {
                    biased;
                    done = &mut running => break done.unwrap_or_else(|error| pizzapi_tools::Output {
                        is_error: true,
                        ..pizzapi_tools::Output::text(error.to_string())
                    }),
                    changed = outputs.changed(), if live => {
                        live = changed.is_ok();
                        let output = outputs.borrow_and_update().clone();
                        self.local(Local::UserBash { command: command.to_owned(), output, done: false }).await;
                    }
                }
            }
        };
        let details = output.details.clone().unwrap_or_default();
        let exit_code = details.get("exitCode").and_then(Value::as_i64).and_then(|code| i32::try_from(code).ok());
        let text = output.as_text();
        self.local(Local::UserBash { command: command.to_owned(), output: text.clone(), done: true }).await;
        let message = Message::BashExecution(BashExecutionMessage {
            id: None,
            command: command.to_owned(),
            output: text,
            exit_code,
            cancelled: cancel.is_cancelled(),
            truncated: details.get("truncated").and_then(Value::as_bool).unwrap_or(false),
            full_output_path: details
                .get("fullOutputPath")
                .or_else(|| details.get("logFile"))
                .and_then(Value::as_str)
                .map(str::to_owned),
            exclude_from_context: exclude.then_some(true),
            timestamp: self.stamps.next(),
        });
        if self.is_idle() {
            self.commit(message, None).await;
        } else {
            self.live.lock().pending_bash.push(message);
        }
        Ok(())
    }

    pub(crate) fn abort_user_bash(&self) -> bool {
        self.user_bash_cancel.lock().as_ref().map(CancellationToken::cancel).is_some()
    }

    // --- decisions

    /// Text that came from afar, offered to what waits for an answer. True: it was taken.
    pub(crate) async fn offer_text(&self, text: &str, by: Option<String>) -> bool {
        match crate::decision::read_text(&self.decisions.open(), text) {
            None => false,
            Some((_, None)) => true,
            // Decided in this very moment by somebody else: the text still was an answer.
            Some((id, Some(answer))) => {
                let _ = self.decisions.answer(&id, answer, by).await;
                true
            }
        }
    }

    // --- reading

    pub(crate) fn last_assistant_text(&self) -> Option<String> {
        self.messages().into_iter().rev().find_map(|message| match &message {
            Message::Assistant(_) => Some(message.text()).filter(|text| !text.trim().is_empty()),
            _ => None,
        })
    }

    pub(crate) fn session_text(&self) -> String {
        let transcript = self.transcript.lock();
        let (mut user, mut assistant, mut calls, mut results) = (0, 0, 0, 0);
        for entry in transcript.entries() {
            if let EntryKind::Message { message, .. } = &entry.kind {
                match message {
                    Message::User(_) => user += 1,
                    Message::Assistant(message) => {
                        assistant += 1;
                        calls += message.content.iter().filter(|b| matches!(b, ContentBlock::ToolCall(_))).count();
                    }
                    Message::ToolResult(_) => results += 1,
                    _ => {}
                }
            }
        }
        let file = transcript.path().map_or_else(|| "not kept".into(), |path| path.display().to_string());
        let tokens = crate::transcript::compact::context_tokens(&transcript);
        let id = transcript.header().id.clone();
        drop(transcript);
        let live = self.live.lock();
        let usage = live.usage;
        let model = live.model.as_ref();
        let cost = if usage.cost_incomplete {
            format!("${:.4} (some prices are unknown)", usage.cost)
        } else {
            format!("${:.4}", usage.cost)
        };
        format!(
            "**Session** {id}\nFile: {file}\nModel: {}\nMessages: {user} from you, {assistant} answers, {calls} tool calls, {results} results\nTokens: {} in, {} out, {} read from cache, {} written to cache\nContext: {}\nCost: {cost}",
            model.map_or("none".into(), |m| format!("{} ({})", m.name, m.provider)),
            usage.input,
            usage.output,
            usage.cache_read,
            usage.cache_write,
            match (tokens, model.map(|m| m.context_window)) {
                (Some(tokens), Some(window)) => format!("{tokens} of {window} tokens"),
                (Some(tokens), None) => format!("{tokens} tokens"),
                (None, _) => "unknown until the next answer".into(),
            },
        )
    }

    pub(crate) fn shells_text(&self) -> String {
        let list: Vec<String> =
            self.shells.list().iter().map(|s| format!("- {} {}: `{}`", s.pid, s.status, s.command)).collect();
        if list.is_empty() { "Nothing runs in the background.".into() } else { list.join("\n") }
    }

    pub(crate) fn skills_text(&self) -> String {
        let resources = self.resources();
        let list: Vec<String> = resources
            .skills
            .iter()
            .map(|skill| format!("- **{}** ({}): {}", skill.name, skill.path.display(), skill.description))
            .chain(resources.warnings.iter().map(|warning| format!("- ⚠ {warning}")))
            .collect();
        if list.is_empty() {
            "No skills. Put folders with a SKILL.md into `~/.pizzapi/skills`.".into()
        } else {
            list.join("\n")
        }
    }

    pub(crate) async fn export(&self, path: &str) -> Result<String, OpError> {
        let target = if path.is_empty() {
            self.config()
                .cwd
                .join(format!("pizzapi-session-{}.jsonl", clock::iso(clock::now_ms()).replace([':', '.'], "-")))
        } else {
            self.config().cwd.join(path)
        };
        let lines = self.transcript.lock().lines();
        let write = target.clone();
        tokio::task::spawn_blocking(move || std::fs::write(&write, lines))
            .await
            .map_err(|error| OpError::Invalid(error.to_string()))?
            .map_err(|error| OpError::Invalid(format!("failed to write `{}`: {error}", target.display())))?;
        Ok(format!("Written to `{}`.", target.display()))
    }

    pub(crate) async fn trust(&self, answer: &str) -> Result<String, OpError> {
        let trusted = match answer {
            "" => {
                let now = crate::userconfig::is_trusted(&self.config().agent_dir, &self.config().cwd);
                return Ok(match now {
                    Some(true) => "This project is trusted.".into(),
                    Some(false) => "This project is not trusted: its settings, skills and templates are not read.".into(),
                    None => "Undecided: this project's settings, skills and templates are not read. `/trust yes` reads them.".into(),
                });
            }
            "yes" => true,
            "no" => false,
            other => return Err(OpError::Invalid(format!("`{other}`: say yes or no"))),
        };
        crate::userconfig::set_trusted(&self.config().agent_dir, &self.config().cwd, trusted)
            .map_err(|error| OpError::Invalid(format!("trust.json could not be written: {error}")))?;
        self.reload().await;
        Ok(if trusted { "This project is trusted now." } else { "This project is not trusted now." }.into())
    }

    pub(crate) async fn shutdown(&self) {
        if self.closed.swap(true, std::sync::atomic::Ordering::SeqCst) {
            return;
        }
        self.abort().await;
        // A tool that ignores its abort is left behind after its grace.
        let _ = tokio::time::timeout(Duration::from_secs(10), async {
            while !self.is_idle() {
                tokio::select! {
                    () = self.idle.notified() => {}
                    () = tokio::time::sleep(Duration::from_millis(20)) => {}
                }
            }
        })
        .await;
        self.subagents.abort_all();
        self.shells.shutdown().await;
        self.mcp_shutdown().await;
        self.hooks().tell("SessionShutdown", json!({})).await;
        let handle = self.transcript.lock().sync_handle();
        if let Some(file) = handle {
            let _ = tokio::task::spawn_blocking(move || file.sync_all()).await;
        }
        self.refresh_now();
        self.idle.notify_waiters();
        self.emitter.close();
    }
}

impl OpError {
    /// A word for receipts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoModel(_) => "no_model",
            Self::HiddenModel(_) => "hidden_model",
            Self::UnknownModel(_) => "unknown_model",
            Self::Auth(_) => "no_credentials",
            Self::Compacting | Self::AlreadyCompacting | Self::BashRunning => "busy",
            Self::EmptyPrompt | Self::Invalid(_) => "invalid",
            Self::QueueFull(_) => "queue_full",
            Self::NoSession(_) | Self::NoOtherSessions | Self::MissingDirectory(_) => "not_found",
            Self::Closed => "closed",
            Self::Compaction(_) | Self::Transcript(_) | Self::NoBash | Self::Client(_) => "failed",
        }
    }
}

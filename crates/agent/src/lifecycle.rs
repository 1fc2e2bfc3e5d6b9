//! How an agent comes to life, and what a conversation brings with it when it is opened.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use parking_lot::{Mutex, RwLock};
use pizzapi_protocol::{ImageBlock, JsonObject, Message, MetaTodoItem, ModelSelectSource};
use pizzapi_tools::bash::{ShellConfig, ShellExit, Shells, strip_relay_secrets};
use serde_json::Value;
use tokio::sync::watch;

use crate::config::{AgentConfig, Host, SessionStart};
use crate::core::{AgentState, Core, Live, add_usage, remember_command};
use crate::decision::Decisions;
use crate::event::Emitter;
use crate::goal::{GOAL_ENTRY, Goal};
use crate::hooks::Hooks;
use crate::model::registry::Registry;
use crate::model::{ModelSpec, discovery, pattern};
use crate::op::{CommandState, Delivery, OpError};
use crate::permission::Permissions;
use crate::prompt::Resources;
use crate::provider::Providers;
use crate::queue::{CustomOrigin, QueuedMessage};
use crate::settings::{ProjectTrust, Settings, SettingsFile};
use crate::tool::files::FileTool;
use crate::tool::{ToolSet, ask_user, plan, session_name, shell, time, todo};
use crate::transcript::list::{self, Scope};
use crate::transcript::{COMMAND_ENTRY, EntryKind, PLAN_MODE_ENTRY, TODO_ENTRY, Transcript, resume};
use crate::userconfig::{UserConfig, is_trusted};

/// What is read from disk at the start and by `/reload`.
pub(crate) struct Loaded {
    pub settings: Settings,
    pub user: UserConfig,
    pub resources: Resources,
    pub warnings: Vec<String>,
}

/// May files of the project change how the agent behaves? Undecided means no.
fn trusted(config: &AgentConfig) -> bool {
    config.trust_project.or_else(|| is_trusted(&config.agent_dir, &config.cwd)).unwrap_or_else(|| {
        let (settings, _) = SettingsFile::new(&config.agent_dir, None).load();
        settings.default_project_trust == ProjectTrust::Always
    })
}

pub(crate) fn load_resources(config: &AgentConfig) -> Loaded {
    let trusted = trusted(config);
    let (settings, mut warnings) = settings_file(config).load();
    let (user, mut problems) = UserConfig::load(&config.agent_dir, &config.cwd, trusted);
    warnings.append(&mut problems);
    let resources = Resources::load(config, &settings, &user, trusted);
    Loaded { settings, user, resources, warnings }
}

fn settings_file(config: &AgentConfig) -> SettingsFile {
    SettingsFile::new(&config.agent_dir, trusted(config).then_some(config.cwd.as_path()))
}

pub(crate) fn sessions_dir(config: &AgentConfig, settings: &Settings) -> Option<PathBuf> {
    if config.start == SessionStart::InMemory {
        return None;
    }
    Some(settings.session_dir.clone().unwrap_or_else(|| config.sessions_dir()))
}

/// Start an agent. Reads files, looks for model servers on this machine, opens the conversation; asks nobody.
pub(crate) async fn start(config: AgentConfig) -> Result<Arc<Core>, OpError> {
    let read = move || -> Result<_, OpError> {
        let mut config = config;
        let (settings, _) = settings_file(&config).load();
        let (transcript, resumed) = open(&config, sessions_dir(&config, &settings).as_deref())?;
        // A conversation goes on in the folder it is about.
        let cwd = transcript.header().cwd.clone();
        if resumed && !cwd.as_os_str().is_empty() {
            if !cwd.is_dir() {
                return Err(OpError::MissingDirectory(cwd));
            }
            config.cwd = cwd;
        }
        let loaded = load_resources(&config);
        let registry = Registry::load(&config.agent_dir, config.env.clone());
        Ok((config, loaded, registry, transcript, resumed))
    };
    let (config, loaded, registry, transcript, resumed) =
        tokio::task::spawn_blocking(read).await.map_err(|error| OpError::Invalid(error.to_string()))??;
    let providers = Providers::new()?;
    registry.set_hidden(config.hidden_models.clone());
    if config.discover_models {
        discovery::local(&registry, providers.client()).await;
    }
    let core = build(config, loaded, registry, providers, transcript, None);
    core.restore().await;
    choose_model(&core, resumed).await;
    if let Some(name) = core.config().session_name.clone() {
        core.rename(&name).await;
    }
    core.start_mcp().await;
    spawn_helpers(&core);
    core.refresh_now();
    core.hooks()
        .tell("SessionStart", serde_json::json!({ "reason": if resumed { "resume" } else { "startup" } }))
        .await;
    Ok(core)
}

/// The conversation to begin with, and whether it has a past.
fn open(config: &AgentConfig, sessions: Option<&Path>) -> Result<(Transcript, bool), OpError> {
    let fresh = || (Transcript::create(&config.cwd, sessions, None), false);
    let find = |target: &str| -> Result<PathBuf, OpError> {
        let path = config.cwd.join(target);
        if path.is_file() {
            return Ok(path);
        }
        let all = sessions.map(|dir| list::list(dir, &Scope::All)).unwrap_or_default();
        all.iter()
            .find(|session| session.id == target || session.id.starts_with(target))
            .or_else(|| all.iter().find(|session| list::fits(session, target)))
            .map(|session| session.path.clone())
            .ok_or_else(|| OpError::NoSession(target.to_owned()))
    };
    match &config.start {
        SessionStart::New | SessionStart::InMemory => Ok(fresh()),
        SessionStart::Continue => match sessions.and_then(|dir| list::newest(dir, &config.cwd)) {
            Some(path) => Ok((resume::open(&path)?, true)),
            None => Ok(fresh()),
        },
        SessionStart::Open(target) => Ok((resume::open(&find(target)?)?, true)),
        SessionStart::Fork(target) => {
            let source = resume::open(&find(target)?)?;
            Ok((source.copied_to(source.leaf(), sessions)?, true))
        }
    }
}

fn build(
    config: AgentConfig,
    loaded: Loaded,
    registry: Registry,
    providers: Providers,
    transcript: Transcript,
    parent: Option<&Core>,
) -> Arc<Core> {
    let Loaded { settings, user, resources, warnings: mut startup } = loaded;
    startup.extend(resources.warnings.iter().cloned());
    startup.extend(registry.warnings());
    for warning in &startup {
        tracing::warn!("{warning}");
    }
    let home = config.home().map(Path::to_owned);
    let background = background_seconds(&config, &settings, &user);
    let shells = Shells::new(ShellConfig {
        shell: settings.shell_path.clone(),
        command_prefix: settings.shell_command_prefix.clone(),
        background_after: Some(std::time::Duration::from_secs(background)),
        jobs_file: config.env.get("PIZZAPI_SESSION_PROC_FILE").map(|path| PathBuf::from(format!("{path}.shells"))),
        ..ShellConfig::new(config.env.clone(), config.agent_dir.join("logs").join("shells"))
    });
    let hooks = load_hooks(&config, &user);
    let tools = toolset(&config, &settings, home, background);
    let permissions =
        Permissions::new(settings.permissions.clone(), config.yolo, &config.cwd, &config.agent_dir, &config.env);
    let emitter: Arc<Emitter> = Arc::default();
    let dirty: Arc<tokio::sync::Notify> = Arc::default();
    let decisions = parent.map(|parent| parent.decisions.clone()).unwrap_or_else(|| {
        let ring = dirty.clone();
        Arc::new(Decisions::new(emitter.clone(), Box::new(move || ring.notify_one())))
    });
    Arc::new_cyclic(|me| Core {
        me: me.clone(),
        settings_file: settings_file(&config),
        live: Mutex::new(Live {
            since: crate::clock::now_ms(),
            thinking: crate::core::ThinkingWish(
                config.thinking.or(settings.default_thinking_level).unwrap_or(crate::model::DEFAULT_THINKING),
            ),
            ..Live::default()
        }),
        settings: RwLock::new(settings),
        registry,
        providers,
        emitter,
        transcript: Mutex::new(transcript),
        tools: RwLock::new(tools),
        resources: RwLock::new(Arc::new(resources)),
        permissions: Mutex::new(permissions),
        decisions,
        shells,
        hooks: RwLock::new(Arc::new(hooks)),
        mcp: crate::mcp::McpServers::new(&config, &user),
        subagents: crate::subagent::Subagents::new(&user, &config.env),
        stamps: Default::default(),
        heard: Arc::default(),
        summary: watch::Sender::new(AgentState::default()),
        dirty,
        switching: Default::default(),
        closed: AtomicBool::new(false),
        idle: Default::default(),
        run_notes: Mutex::default(),
        run_system: Mutex::default(),
        user_bash_cancel: Mutex::default(),
        goal: Mutex::default(),
        startup_warnings: Mutex::new(startup),
        config: RwLock::new(Arc::new(config)),
    })
}

/// A sub-agent: shares keys, models, rules and the people to ask with its parent, and nothing of its conversation.
pub(crate) fn child(parent: &Core, config: AgentConfig, model: ModelSpec, read_only: bool) -> Arc<Core> {
    let resources = if config.context_files {
        Resources::load(&config, &parent.settings(), &UserConfig::default(), false)
    } else {
        Resources::default()
    };
    let loaded = Loaded { settings: parent.settings(), user: UserConfig::default(), resources, warnings: Vec::new() };
    let transcript = Transcript::create(&config.cwd, None, None);
    let core = build(config, loaded, parent.registry.clone(), parent.providers.clone(), transcript, Some(parent));
    *core.permissions.lock() = parent.permissions.lock().below(&core.config().cwd);
    {
        let mut live = core.live.lock();
        live.model = Some(model);
        live.thinking.0 = parent.thinking();
        live.plan_mode = read_only;
    }
    spawn_refresher(&core);
    core.refresh_now();
    core
}

pub(crate) fn load_hooks(config: &AgentConfig, user: &UserConfig) -> Hooks {
    if !config.hooks || config.safe_mode {
        return Hooks::default();
    }
    let allowed = user.global_flag("allowProjectHooks")
        || config.env.get("PIZZAPI_ALLOW_PROJECT_HOOKS").is_some_and(|value| value == "1");
    let project = user.project("hooks").filter(|_| allowed);
    let mut env = config.env.clone();
    strip_relay_secrets(&mut env);
    Hooks::load(user.global("hooks").into_iter().chain(project), &config.cwd, &env)
}

fn background_seconds(config: &AgentConfig, settings: &Settings, user: &UserConfig) -> u64 {
    let configured = user
        .get("bash")
        .and_then(|bash| bash.get("backgroundAfterSeconds"))
        .and_then(Value::as_u64)
        .or(settings.bash.background_after_seconds);
    shell::background_after(config.env.get("PIZZAPI_BASH_BACKGROUND_SECONDS").map(String::as_str), configured)
}

fn toolset(config: &AgentConfig, settings: &Settings, home: Option<PathBuf>, background: u64) -> ToolSet {
    let mut tools = ToolSet::default();
    tools.add(Arc::new(shell::Bash { home: home.clone(), background_after: Some(background) }));
    for tool in FileTool::all(home) {
        tools.add(Arc::new(tool));
    }
    tools.add(Arc::new(shell::BashOutput));
    tools.add(Arc::new(shell::KillShell));
    tools.add(Arc::new(todo::UpdateTodo));
    if config.host != Host::Print {
        tools.add(Arc::new(ask_user::AskUserQuestion));
        tools.add(Arc::new(plan::PlanMode));
        tools.add(Arc::new(plan::TogglePlanMode));
    }
    tools.add(Arc::new(session_name::SetSessionName));
    tools.add(Arc::new(time::CurrentTime));
    tools.add(Arc::new(crate::subagent::Delegate));
    for tool in &config.extra_tools {
        tools.add(tool.clone());
    }
    let wanted = config.tools.clone().or_else(|| settings.default_tools.clone());
    tools.retain(|name| {
        wanted.as_ref().is_none_or(|wanted| wanted.iter().any(|w| w == name))
            && !config.exclude_tools.iter().any(|excluded| excluded == name)
    });
    tools
}

/// The default of the settings, when it can be used.
pub(crate) fn preferred_model(registry: &Registry, settings: &Settings) -> Option<ModelSpec> {
    let (provider, id) = (settings.default_provider.as_ref()?, settings.default_model.as_ref()?);
    let model = registry.get(provider, id).or_else(|| registry.invent(provider, id))?;
    let local = registry.provider(provider).is_some_and(|entry| entry.local);
    let usable = registry.has_credentials(provider) && (!local || registry.available().contains(&model));
    (usable && !registry.is_hidden(&model)).then_some(model)
}

/// Command line, scoped list, the conversation itself, settings, defaults.
async fn choose_model(core: &Arc<Core>, resumed: bool) {
    let settings = core.settings();
    let registry = &core.registry;
    let mut warnings = Vec::new();
    let mut thinking = core.config().thinking;
    let mut chosen: Option<ModelSpec> = None;
    if let Some(wanted) = &core.config().model {
        match by_name(registry, wanted) {
            Some(choice) => {
                thinking = thinking.or(choice.thinking);
                if let Some(key) = &core.config().api_key {
                    registry.auth().set_flag(&choice.model.provider, key);
                }
                if registry.has_credentials(&choice.model.provider) {
                    chosen = Some(choice.model);
                } else {
                    warnings.push(format!("there is no key for {}", choice.model.provider));
                }
            }
            None => warnings.push(format!("unknown model `{wanted}`")),
        }
    } else if let Some(key) = &core.config().api_key {
        let provider = settings.default_provider.clone().unwrap_or_else(|| "anthropic".into());
        registry.auth().set_flag(&provider, key);
    }
    if chosen.is_none() && !resumed && !settings.enabled_models.is_empty() {
        let scoped = pattern::scoped(&registry.available(), &settings.enabled_models);
        chosen = scoped.into_iter().next().map(|choice| choice.model);
    }
    let (past, level) = core.transcript.lock().restored_model();
    if resumed {
        thinking = thinking.or(level);
        if chosen.is_none()
            && let Some((provider, id)) = past
        {
            let known = registry.get(&provider, &id);
            chosen = known.filter(|model| registry.has_credentials(&model.provider) && !registry.is_hidden(model));
            if chosen.is_none() {
                warnings.push(format!("the model {provider}/{id} of this session cannot be used any more"));
            }
        }
    }
    let chosen = chosen.or_else(|| preferred_model(registry, &settings)).or_else(|| registry.default_model());
    if let Some(level) = thinking {
        core.live.lock().thinking.0 = level;
    }
    if let Some(model) = chosen {
        if !warnings.is_empty() {
            warnings.push(format!("going on with {}", model.key()));
        }
        let restored = core.transcript.lock().restored_model().0;
        core.live.lock().model = Some(model.clone());
        if restored != Some((model.provider.clone(), model.id.clone())) {
            core.append(EntryKind::ModelChange { provider: model.provider.clone(), model_id: model.id.clone() }).await;
        }
        let (registry, provider) = (registry.clone(), model.provider.clone());
        let source = tokio::task::spawn_blocking(move || registry.credential(&provider)).await;
        if let Ok(Ok(credential)) = source {
            core.live.lock().auth_source = Some(credential.source.as_str().to_owned());
        }
        core.event(pizzapi_protocol::AgentEvent::ModelSelect(pizzapi_protocol::ModelSelect {
            model: model.info(),
            previous_model: None,
            source: ModelSelectSource::Restore,
        }))
        .await;
    }
    if !resumed {
        let level = core.thinking().as_str().to_owned();
        core.append(EntryKind::ThinkingLevelChange { level }).await;
    }
    core.startup_warnings.lock().extend(warnings);
}

/// A model by name, also one that no list knows of a provider that is known.
fn by_name(registry: &Registry, wanted: &str) -> Option<pattern::Choice> {
    if let Some(choice) = registry.find(wanted) {
        return Some(choice);
    }
    let (name, thinking) = pattern::split_level(wanted);
    let (provider, id) = name.split_once('/')?;
    registry.invent(provider, id).map(|model| pattern::Choice { model, thinking })
}

fn spawn_refresher(core: &Arc<Core>) {
    // The summary follows changes; several at once become one.
    let weak = Arc::downgrade(core);
    let dirty = core.dirty.clone();
    tokio::spawn(async move {
        loop {
            dirty.notified().await;
            let Some(core) = weak.upgrade() else { return };
            core.refresh_now();
            if core.is_closed() {
                return;
            }
        }
    });
}

fn spawn_helpers(core: &Arc<Core>) {
    spawn_refresher(core);
    if let Some(mut exits) = core.shells.take_exits() {
        let weak = Arc::downgrade(core);
        tokio::spawn(async move {
            while let Some(exit) = exits.recv().await {
                let Some(core) = weak.upgrade() else { return };
                core.shell_ended(exit).await;
            }
        });
    }
    if core.config().discover_models {
        let core = core.clone();
        tokio::spawn(async move {
            discovery::remote(&core.registry, core.providers.client()).await;
            core.adopt_default_model().await;
            core.capabilities_changed().await;
        });
    }
}

impl Core {
    /// A background command ended: the model is told, and goes on if it was waiting.
    async fn shell_ended(&self, exit: ShellExit) {
        if self.is_closed() {
            return;
        }
        let log = exit.log_file.as_ref().map(|path| format!("\nFull output: {}", path.display())).unwrap_or_default();
        let text =
            format!("Background command {} ({}) ended: {}\n\n{}{log}", exit.pid, exit.title, exit.status, exit.tail);
        let message = QueuedMessage {
            custom: Some(CustomOrigin { custom_type: "background-bash".into(), display: true, details: None }),
            ..QueuedMessage::user(text)
        };
        self.refresh();
        if self.model().is_err() {
            return;
        }
        if let Err(error) = self.deliver(message, Delivery::Steer).await {
            self.warn(format!("the end of background command {} could not be delivered: {error}", exit.pid)).await;
        }
    }

    /// Take over what the opened conversation says beside its messages.
    pub(crate) async fn restore(&self) {
        let transcript = self.transcript.lock();
        let mut live = self.live.lock();
        live.usage = Default::default();
        let mut delivered: Vec<QueuedMessage> = Vec::new();
        let mut newest = 0;
        for entry in transcript.entries() {
            match &entry.kind {
                EntryKind::Message { message, command_id } => {
                    newest = newest.max(message.timestamp().unwrap_or(0));
                    let usage = match message {
                        Message::Assistant(message) => {
                            let known = self.registry.get(&message.provider, &message.model);
                            Some((message.usage.clone(), known.is_none_or(|model| model.cost.is_some())))
                        }
                        Message::ToolResult(message) => message.usage.clone().map(|usage| (usage, true)),
                        _ => None,
                    };
                    if let Some((usage, priced)) = usage {
                        add_usage(&mut live.usage, &usage, priced);
                    }
                    if let Some(id) = command_id {
                        remember_command(&mut live, id, CommandState::Consumed);
                        delivered.retain(|message| message.command_id.as_ref() != Some(id));
                    }
                }
                EntryKind::Compaction { usage: Some(usage), .. }
                | EntryKind::BranchSummary { usage: Some(usage), .. } => {
                    add_usage(&mut live.usage, usage, true);
                }
                EntryKind::CustomMessage { custom_type, details, .. } if custom_type == crate::subagent::RESULT => {
                    if let Some(usage) = crate::subagent::usage_of(details.as_ref()) {
                        add_usage(&mut live.usage, &usage, true);
                    }
                }
                EntryKind::Custom { custom_type, data: Some(data) } if custom_type == COMMAND_ENTRY => {
                    if let Ok(data) = data.to::<JsonObject>() {
                        restore_command(&mut live, &data, &mut delivered);
                    }
                }
                _ => {}
            }
        }
        self.stamps.at_least(newest);
        let custom = |name: &str| transcript.last_custom(name).and_then(|data| data.to::<Value>().ok());
        live.plan_mode =
            custom(PLAN_MODE_ENTRY).and_then(|v| v.get("enabled").and_then(Value::as_bool)).unwrap_or(false);
        live.todos =
            transcript.last_custom(TODO_ENTRY).and_then(|data| data.to::<Vec<MetaTodoItem>>().ok()).unwrap_or_default();
        *self.goal.lock() =
            transcript.last_custom(GOAL_ENTRY).and_then(|data| data.to::<Option<Goal>>().ok()).flatten();
        live.since = crate::clock::now_ms();
        live.naming_over = transcript.user_messages().next().is_some() || transcript.name().is_some();
        // What was accepted but not read before a crash waits, visibly, for the next input.
        if !delivered.is_empty() {
            for message in delivered {
                // More than fits was never accepted.
                let _ = live.queue.push(Delivery::FollowUp, message);
            }
            live.queue.held = true;
        }
        drop(live);
        drop(transcript);
        self.refresh();
    }
}

fn restore_command(live: &mut Live, data: &JsonObject, delivered: &mut Vec<QueuedMessage>) {
    if let Some(carried) = data.get_as::<Vec<JsonObject>>("carried") {
        for data in carried {
            restore_command(live, &data, &mut Vec::new());
        }
        return;
    }
    let Some(id) = data.get_as::<String>("commandId") else { return };
    let Ok(state) = serde_json::from_str::<CommandState>(data.to_raw().get()) else { return };
    if state == CommandState::Delivered
        && let Some(text) = data.get_as::<String>("text")
    {
        let images: Vec<ImageBlock> = data.get_as("images").unwrap_or_default();
        delivered.push(QueuedMessage { command_id: Some(id.clone()), images, ..QueuedMessage::user(text) });
    } else {
        delivered.retain(|message| message.command_id.as_ref() != Some(&id));
    }
    remember_command(live, &id, state);
}

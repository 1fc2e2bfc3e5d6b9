//! Carries out what the screen asked of the agent. Everything runs beside the screen and reports back as events.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pizzapi_agent::transcript::EntryKind;
use pizzapi_agent::{
    Accepted, AgentHandle, AgentState, Answer, AnswerError, ApprovalChoice, CommandOutcome, DecisionKind, Delivery,
    Ending, HostCommand, NoModelOffer, Output, PlanAction, Prompt, SessionQuery, SessionSummary,
};
use pizzapi_protocol::{CommandInfo, ImageBlock, NotifyType, ThinkingLevel};
use tokio::sync::mpsc;

use super::components::composer;
use super::components::composer::slash::SlashCommand;
use super::components::picker::Item;
use super::components::transcript::message::Level;
use super::effect::{DecisionAnswer, Effect, PlanAction as Action};
use super::event::{AppEvent, Decision, Loaded, Local, StateView, Usage};
use super::text;

/// Files offered for mentions.
const MAX_FILES: usize = 20_000;
/// Largest image that is attached.
const MAX_IMAGE_BYTES: u64 = 20 * 1024 * 1024;
/// Sessions in the picker.
const MAX_SESSIONS: usize = 500;

/// Talks to the agent on behalf of the screen.
#[derive(Clone)]
pub struct Performer {
    agent: AgentHandle,
    events: mpsc::UnboundedSender<AppEvent>,
    /// Messages keep their order: one is handed over before the next.
    words: mpsc::UnboundedSender<Effect>,
    agent_dir: PathBuf,
}

impl Performer {
    pub fn new(agent: AgentHandle, agent_dir: PathBuf, events: mpsc::UnboundedSender<AppEvent>) -> Self {
        let (words, mut waiting) = mpsc::unbounded_channel();
        let performer = Self { agent, events, words, agent_dir };
        let speaker = performer.clone();
        tokio::spawn(async move {
            while let Some(effect) = waiting.recv().await {
                speaker.speak(effect).await;
            }
        });
        performer
    }

    fn send(&self, event: AppEvent) {
        // The screen is gone: nobody is left to be told.
        let _ = self.events.send(event);
    }

    fn notice(&self, level: Level, text: impl Into<String>) {
        self.send(AppEvent::Notice(level, text.into()));
    }

    fn toast(&self, level: Level, text: impl Into<String>) {
        self.send(AppEvent::Toast(level, text.into()));
    }

    fn failed(&self, what: &str, error: impl std::fmt::Display) {
        self.notice(Level::Error, format!("{what}: {error}"));
    }

    /// Starts to carry out an effect. Effects on the terminal itself are not for here.
    pub fn perform(&self, effect: Effect) {
        match effect {
            Effect::Prompt { .. } => {
                // The task that reads this ends with the agent.
                let _ = self.words.send(effect);
            }
            other => {
                let this = self.clone();
                tokio::spawn(async move { this.act(other).await });
            }
        }
    }

    /// Hands one message to the agent.
    async fn speak(&self, effect: Effect) {
        let Effect::Prompt { text, images, delivery } = effect else { return };
        let mut attached = Vec::new();
        for path in images {
            match tokio::task::spawn_blocking(move || read_image(&path)).await {
                Ok(Ok(image)) => attached.push(image),
                Ok(Err(error)) => {
                    self.notice(Level::Error, error);
                    self.send(AppEvent::Loaded(Loaded::Draft(text)));
                    return;
                }
                Err(error) => {
                    self.failed("failed to read the image", error);
                    return;
                }
            }
        }
        let delivery = match delivery {
            composer::Delivery::Steer => Delivery::Auto,
            composer::Delivery::FollowUp => Delivery::FollowUp,
        };
        let kept = text.clone();
        let prompt = Prompt { text, images: attached, delivery, ..Prompt::default() };
        match self.agent.prompt(prompt).await {
            Ok(Accepted::Command(outcome)) => self.command_outcome(outcome).await,
            Ok(_) => {}
            Err(error) => {
                // What was written is not lost.
                self.notice(Level::Error, error.to_string());
                self.send(AppEvent::Loaded(Loaded::Draft(kept)));
            }
        }
    }

    async fn command_outcome(&self, outcome: CommandOutcome) {
        if let Some(message) = outcome.message {
            if message.contains('\n') {
                self.send(AppEvent::Block { label: "Result".into(), body: message });
            } else {
                self.notice(Level::Info, message);
            }
        }
        let Some(host) = outcome.host else { return };
        let run = |command: &str| self.send(AppEvent::RunCommand(command.to_owned()));
        match host {
            HostCommand::PickModel => run("/model"),
            HostCommand::PickSession => run("/resume"),
            HostCommand::PickFork => run("/fork"),
            HostCommand::PickTree => run("/tree"),
            HostCommand::Login(Some(provider)) => run(&format!("/login {provider}")),
            HostCommand::Login(None) => run("/login"),
            HostCommand::Hotkeys => run("/help"),
            HostCommand::Copy => run("/copy"),
            HostCommand::Quit | HostCommand::Restart => run("/quit"),
            HostCommand::Remote(argument) => run(&format!("/remote {argument}")),
            HostCommand::Reload => run("/reload"),
            HostCommand::Edit(text) => self.send(AppEvent::Loaded(Loaded::Draft(text))),
            HostCommand::Settings => {
                let file = self.agent_dir.join("settings.json");
                self.notice(Level::Info, format!("settings are in {}", file.display()));
            }
            HostCommand::Changelog => self.notice(Level::Info, format!("PizzaPi {}", crate::VERSION)),
        }
    }

    async fn act(&self, effect: Effect) {
        let agent = &self.agent;
        match effect {
            Effect::Shell { command, excluded } => {
                if let Err(error) = agent.user_bash(&command, excluded).await {
                    self.failed("the command did not run", error);
                }
            }
            Effect::Abort => {
                agent.abort_user_bash();
                agent.abort().await;
            }
            Effect::TakeQueue => {
                let texts = agent.take_queue().await.into_iter().map(|message| message.text).collect();
                self.send(AppEvent::Loaded(Loaded::Queued(texts)));
            }
            Effect::SetModel { provider, id } => match agent.set_model_now(&provider, &id).await {
                Ok(model) => self.toast(Level::Success, format!("model: {}", model.name.unwrap_or(model.id))),
                Err(error) => self.failed("the model stays", error),
            },
            Effect::ChooseModel { pattern } => self.choose_model(&pattern).await,
            Effect::CycleModel { forward } => match agent.cycle_model(forward).await {
                Ok(Some(model)) => self.toast(Level::Info, format!("model: {}", model.name.unwrap_or(model.id))),
                Ok(None) => self.toast(Level::Info, "there is no other model"),
                Err(error) => self.failed("the model stays", error),
            },
            Effect::SetThinking(level) => {
                let Some(level) = ThinkingLevel::from_word(&level) else { return };
                match agent.set_thinking(level).await {
                    Ok(level) => self.toast(Level::Info, format!("thinking: {level}")),
                    Err(error) => self.failed("the thinking level stays", error),
                }
            }
            Effect::CycleThinking => match agent.cycle_thinking().await {
                Ok(level) => self.toast(Level::Info, format!("thinking: {level}")),
                Err(error) => self.failed("the thinking level stays", error),
            },
            Effect::Compact(focus) => {
                if let Err(error) = agent.compact(focus).await {
                    self.toast(Level::Warning, error.to_string());
                }
            }
            Effect::NewSession => {
                if let Err(error) = agent.new_session().await {
                    self.failed("no new session", error);
                }
            }
            Effect::Resume(target) => {
                if let Err(error) = agent.resume(&target).await {
                    self.failed("the session was not opened", error);
                }
            }
            Effect::Fork(entry) => match agent.fork(&entry).await {
                Ok(text) => self.send(AppEvent::Loaded(Loaded::Draft(text))),
                Err(error) => self.failed("the session was not forked", error),
            },
            Effect::RenameCurrent(name) => {
                if agent.set_session_name(&name).await.is_none() {
                    self.toast(Level::Info, "the session has no name now");
                }
            }
            Effect::RenameSession { path, name } => self.rename_session(&path, &name).await,
            Effect::DeleteSession(path) => self.delete_session(Path::new(&path)).await,
            Effect::Answer { id, answer } => self.answer(&id, answer).await,
            Effect::PlanMode(enabled) => {
                let on = agent.set_plan_mode(enabled).await;
                self.toast(
                    Level::Info,
                    if on { "plan mode: nothing is changed until you say so" } else { "plan mode is off" },
                );
            }
            Effect::BackgroundBash => match agent.background_bash().await {
                Ok(titles) => self.toast(Level::Info, format!("in the background: {}", titles.join(", "))),
                Err(error) => self.toast(Level::Info, error.to_string()),
            },
            Effect::SaveApiKey { provider, key } => match agent.save_api_key(&provider, &key).await {
                Ok(()) => {
                    self.toast(Level::Success, format!("the key of {provider} is saved"));
                    agent.refresh_models().await;
                }
                Err(error) => self.failed("the key was not saved", error),
            },
            Effect::RemoveApiKey { provider } => match agent.registry().auth().remove(&provider) {
                Ok(true) => self.toast(Level::Success, format!("the key of {provider} is removed")),
                Ok(false) => self.toast(Level::Info, format!("no key of {provider} is stored")),
                Err(error) => self.failed("the key was not removed", error),
            },
            Effect::ShowStats => self.show_stats(),
            Effect::ReloadResources => {
                agent.reload().await;
                self.toast(Level::Success, "skills, templates and context files were read again");
            }
            Effect::Export(target) => self.export(&target).await,
            Effect::LoadFiles => self.load_files().await,
            Effect::LoadModels => {
                self.send(AppEvent::Loaded(Loaded::Models(self.model_items())));
                agent.refresh_models().await;
                self.send(AppEvent::Loaded(Loaded::Models(self.model_items())));
            }
            Effect::RefreshModels => {
                agent.refresh_models().await;
                if agent.snapshot().no_model.is_some() {
                    self.toast(Level::Warning, "still no model: nothing answered on this machine");
                }
            }
            Effect::LoadSessions { all } => self.load_sessions(all).await,
            Effect::LoadForkPoints => {
                let mut items: Vec<Item> = agent
                    .fork_messages()
                    .into_iter()
                    .map(|point| Item::new(point.entry_id, text::sanitize(&point.text).replace('\n', " "), ""))
                    .collect();
                // The newest is what somebody wants to say differently.
                items.reverse();
                self.send(AppEvent::Loaded(Loaded::ForkPoints(items)));
            }
            Effect::LoadTree => {
                let items = super::tree::items(&agent.entries(), agent.leaf().as_deref());
                self.send(AppEvent::Loaded(Loaded::ForkPoints(items)));
            }
            Effect::MoveTo(entry) => match agent.move_to(&entry).await {
                Ok(Some(text)) => self.send(AppEvent::Loaded(Loaded::Draft(text))),
                Ok(None) => {}
                Err(error) => self.failed("the conversation stays where it is", error),
            },
            Effect::LoadProviders { logout } => {
                let items = if logout {
                    let stored = agent.registry().auth().stored_providers();
                    stored.into_iter().map(|id| Item::new(id.clone(), id, "")).collect()
                } else {
                    provider_items(agent)
                };
                self.send(AppEvent::Loaded(Loaded::Providers { items, logout }));
            }
            Effect::SaveHistory(entry) => {
                let file = history_file(&self.agent_dir);
                let _ = tokio::task::spawn_blocking(move || append_history(&file, &entry)).await;
            }
            other => tracing::debug!(?other, "not an effect on the agent"),
        }
    }

    async fn choose_model(&self, pattern: &str) {
        let wanted = pattern.to_lowercase();
        let models = self.agent.models();
        let exact =
            models.iter().find(|model| model.key().to_lowercase() == wanted || model.id.to_lowercase() == wanted);
        let fits: Vec<_> = models
            .iter()
            .filter(|model| {
                let name = model.name.as_deref().unwrap_or_default().to_lowercase();
                model.key().to_lowercase().contains(&wanted) || name.contains(&wanted)
            })
            .collect();
        let chosen = exact.or(match fits[..] {
            [only] => Some(only),
            _ => None,
        });
        match chosen {
            Some(model) => {
                let effect = Effect::SetModel { provider: model.provider.clone(), id: model.id.clone() };
                Box::pin(self.act(effect)).await;
            }
            None => self.send(AppEvent::PickModel { filter: pattern.to_owned(), items: self.model_items() }),
        }
    }

    fn model_items(&self) -> Vec<Item> {
        let used = self.agent.snapshot().model;
        let current = used.as_ref().map(|model| model.key());
        let mut models = self.agent.models();
        // A model that was asked for by name may not be among those that are offered.
        if let Some(used) = used
            && !models.iter().any(|model| model.key() == used.key())
        {
            models.push(used);
        }
        let mut items: Vec<Item> = models
            .into_iter()
            .map(|model| {
                let key = model.key();
                let window = model.context_window.map_or(String::new(), text::compact_count);
                let thinks = if model.reasoning == Some(true) { "thinks  " } else { "" };
                Item {
                    current: current.as_ref() == Some(&key),
                    group: model.provider.clone(),
                    label: model.name.unwrap_or(model.id),
                    detail: format!("{thinks}{window}"),
                    value: key,
                }
            })
            .collect();
        items.sort_by(|a, b| (&a.group, &a.label).cmp(&(&b.group, &b.label)));
        items
    }

    async fn load_sessions(&self, all: bool) {
        let state = self.agent.snapshot();
        let query =
            SessionQuery { limit: Some(MAX_SESSIONS), cursor: None, directory: (!all).then(|| state.cwd.clone()) };
        let page = self.agent.list_sessions(query).await;
        let items = page.sessions.iter().map(|session| session_item(session, all, now_ms())).collect();
        self.send(AppEvent::Loaded(Loaded::Sessions(items)));
    }

    async fn rename_session(&self, path: &str, name: &str) {
        let open = self.agent.snapshot().session_file;
        if open.as_deref() == Some(Path::new(path)) {
            self.agent.set_session_name(name).await;
            return;
        }
        let (path, name) = (PathBuf::from(path), name.to_owned());
        let renamed = tokio::task::spawn_blocking(move || {
            let mut transcript = pizzapi_agent::transcript::resume::open(&path)?;
            transcript.append(EntryKind::SessionInfo { name: (!name.is_empty()).then_some(name) }).map(drop)
        });
        match renamed.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.failed("the session keeps its name", error),
            Err(error) => self.failed("the session keeps its name", error),
        }
    }

    /// Deleted sessions are moved aside, not destroyed.
    async fn delete_session(&self, path: &Path) {
        let trash = self.agent_dir.join("trash");
        let moved = async {
            let name = path.file_name().ok_or_else(|| std::io::Error::other("no file name"))?;
            tokio::fs::create_dir_all(&trash).await?;
            tokio::fs::rename(path, trash.join(name)).await
        };
        match moved.await {
            Ok(()) => self.toast(Level::Info, format!("moved to {}", trash.display())),
            Err(error) => self.failed("the session was not deleted", error),
        }
    }

    async fn answer(&self, id: &str, answer: DecisionAnswer) {
        let answer = match answer {
            DecisionAnswer::Question(text) => Answer::Question(text),
            DecisionAnswer::Plan { action, edit } => {
                let action = match action {
                    Action::Execute => PlanAction::Execute,
                    Action::ExecuteKeepContext => PlanAction::ExecuteKeepContext,
                    Action::Edit => PlanAction::Edit,
                    Action::Cancel => PlanAction::Cancel,
                };
                Answer::Plan { action, edit }
            }
            DecisionAnswer::Approval { action } => {
                Answer::Approval(ApprovalChoice::from_word(&action).unwrap_or(ApprovalChoice::Deny))
            }
            DecisionAnswer::Cancel => Answer::Cancel,
        };
        match self.agent.answer(id, answer, None).await {
            Ok(()) => {}
            Err(AnswerError::AlreadyEnded(by)) => {
                let by = by.map_or(String::new(), |by| format!(" by {by}"));
                self.toast(Level::Info, format!("already answered{by}"));
            }
            Err(error) => self.failed("the answer was not taken", error),
        }
    }

    fn show_stats(&self) {
        self.send(AppEvent::Block { label: "Session".into(), body: self.agent.session_text() });
    }

    async fn load_files(&self) {
        let cwd = self.agent.snapshot().cwd;
        match tokio::task::spawn_blocking(move || project_files(&cwd)).await {
            Ok(files) => self.send(AppEvent::Loaded(Loaded::Files(files))),
            Err(error) => self.failed("the files cannot be listed", error),
        }
    }

    async fn export(&self, target: &str) {
        let state = self.agent.snapshot();
        let name = if target.is_empty() { "session.md" } else { target };
        let path = state.cwd.join(name);
        let written = if path.extension().is_some_and(|extension| extension == "jsonl") {
            match &state.session_file {
                Some(file) => tokio::fs::copy(file, &path).await.map(drop),
                None => Err(std::io::Error::other("this session has no record yet")),
            }
        } else {
            let content = super::export::markdown(&self.agent.messages(), state.session_name.as_deref());
            let target = path.clone();
            let write = move || {
                use std::io::Write;
                // An existing file is somebody's: it is not overwritten.
                std::fs::File::options().write(true).create_new(true).open(&target)?.write_all(content.as_bytes())
            };
            tokio::task::spawn_blocking(write).await.unwrap_or_else(|error| Err(std::io::Error::other(error)))
        };
        match written {
            Ok(()) => self.notice(Level::Success, format!("written to {}", path.display())),
            Err(error) => self.failed(&format!("failed to write `{}`", path.display()), error),
        }
    }
}

/// Providers a key can be entered for.
fn provider_items(agent: &AgentHandle) -> Vec<Item> {
    let registry = agent.registry();
    let known = registry.provider_ids().into_iter().filter_map(|id| Some((registry.provider(&id)?, id)));
    known
        .filter(|(provider, _)| !provider.keyless)
        .map(|(provider, id)| {
            let variable = provider.env.first().map_or(String::new(), |name| format!("or {name}"));
            let name = provider.name.unwrap_or_else(|| id.clone());
            Item { current: registry.has_credentials(&id), ..Item::new(id, name, variable) }
        })
        .collect()
}

fn now_ms() -> u64 {
    u64::try_from(time::OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000).unwrap_or(0)
}

fn session_item(session: &SessionSummary, with_folder: bool, now: u64) -> Item {
    let label = match &session.name {
        Some(name) if !name.is_empty() => name.clone(),
        _ if !session.first_message.is_empty() => session.first_message.clone(),
        _ => "(empty)".to_owned(),
    };
    let age = time::OffsetDateTime::parse(&session.modified, &time::format_description::well_known::Rfc3339)
        .map(|at| u64::try_from(at.unix_timestamp()).unwrap_or(0) * 1000)
        .map_or(String::new(), |at| age(now.saturating_sub(at)));
    let folder = match &session.cwd {
        Some(cwd) if with_folder => format!("{cwd}  "),
        _ => String::new(),
    };
    let detail = format!("{folder}{} messages  {age}", session.message_count);
    Item::new(session.path.to_string_lossy(), label, detail)
}

/// `just now`, `5 min ago`, `3 h ago`, `2 d ago`.
fn age(ms: u64) -> String {
    match ms / 60_000 {
        0 => "just now".to_owned(),
        minutes @ 1..60 => format!("{minutes} min ago"),
        minutes @ 60..1_440 => format!("{} h ago", minutes / 60),
        minutes => format!("{} d ago", minutes / 1_440),
    }
}

/// Files and folders of the project, relative; ignored ones are left out.
fn project_files(cwd: &Path) -> Vec<String> {
    let walk = ignore::WalkBuilder::new(cwd).hidden(false).filter_entry(|entry| entry.file_name() != ".git").build();
    walk.flatten()
        .filter_map(|entry| {
            let relative = entry.path().strip_prefix(cwd).ok()?.to_str()?.to_owned();
            let folder = entry.file_type().is_some_and(|kind| kind.is_dir());
            (!relative.is_empty()).then(|| if folder { format!("{relative}/") } else { relative })
        })
        .take(MAX_FILES)
        .collect()
}

pub fn read_image(path: &Path) -> Result<ImageBlock, String> {
    let fail = |error: &dyn std::fmt::Display| format!("failed to attach `{}`: {error}", path.display());
    let size = std::fs::metadata(path).map_err(|error| fail(&error))?.len();
    if size > MAX_IMAGE_BYTES {
        return Err(fail(&format!("larger than {} MiB", MAX_IMAGE_BYTES / 1024 / 1024)));
    }
    let content = std::fs::read(path).map_err(|error| fail(&error))?;
    let mime = match &content[..] {
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [b'G', b'I', b'F', b'8', ..] => "image/gif",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
        [b'B', b'M', ..] => "image/bmp",
        _ => return Err(fail(&"not an image that models read")),
    };
    Ok(ImageBlock { data: Some(STANDARD.encode(content)), mime_type: Some(mime.to_owned()), ..ImageBlock::default() })
}

/// Inputs of all sessions, one JSON string per line.
pub fn history_file(agent_dir: &Path) -> PathBuf {
    agent_dir.join("input-history.jsonl")
}

/// The newest inputs, oldest first. The file is cut to them when it has grown far beyond.
pub fn read_history(file: &Path, keep: usize) -> Vec<String> {
    let Ok(content) = std::fs::read_to_string(file) else { return Vec::new() };
    let all: Vec<String> = content.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let newest = all[all.len().saturating_sub(keep)..].to_vec();
    if all.len() > keep * 10 {
        let lines: String =
            newest.iter().map(|entry| format!("{}\n", serde_json::Value::from(entry.as_str()))).collect();
        // Left as it is, the file only stays longer.
        let _ = pizzapi_config::write_private(file, lines.as_bytes());
    }
    newest
}

fn append_history(file: &Path, entry: &str) -> std::io::Result<()> {
    use std::io::Write;
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(file)?.write_all(format!("{}\n", serde_json::Value::from(entry)).as_bytes())
}

/// What an output of the agent means to the screen.
pub fn translate(agent: &AgentHandle, output: Output) -> Option<AppEvent> {
    use pizzapi_agent::Local as From;
    let local = match output {
        Output::Event(event) => return Some(AppEvent::Agent(event)),
        Output::Lagged => snapshot(agent),
        Output::Local(local) => match local {
            From::QueueUpdate(queue) => Local::Queue {
                steering: queue.steering.iter().map(|message| message.text.clone()).collect(),
                follow_up: queue.follow_up.iter().map(|message| message.text.clone()).collect(),
                held: queue.held,
            },
            From::Settled(_) => Local::Settled,
            From::CompactionStart { .. } => Local::CompactionStarted,
            From::CompactionEnd { error, aborted, .. } => {
                Local::CompactionEnded { error: error.or_else(|| aborted.then(|| "stopped".to_owned())) }
            }
            From::RetryStart { attempt, max_attempts, delay_ms, error } => {
                Local::RetryStarted { attempt, attempts: max_attempts, delay_ms, error }
            }
            From::RetryEnd { .. } => Local::RetryEnded,
            From::DecisionRaised(decision) => Local::DecisionRaised(match decision.kind {
                DecisionKind::Question(question) => Decision::Question { id: decision.id, question },
                DecisionKind::Plan(plan) => Decision::Plan { id: decision.id, plan },
                // Its wire event carries the whole card.
                DecisionKind::Approval(_) => return None,
            }),
            From::DecisionEnded { id, ending } => {
                let by = match ending {
                    Ending::Answered { by, .. } => by,
                    Ending::Withdrawn => None,
                };
                Local::DecisionEnded { id, by }
            }
            From::TranscriptReplaced { .. } => snapshot(agent),
            From::Notice { level, text } => {
                let level = match level {
                    NotifyType::Info => Level::Info,
                    NotifyType::Warning => Level::Warning,
                    NotifyType::Error => Level::Error,
                };
                return Some(AppEvent::Notice(level, text));
            }
            From::CapabilitiesChanged => capabilities(agent),
            From::UserBash { command, output, done } => Local::Shell { command, output, done },
            From::NameChanged(_) | From::Command { .. } | From::SubagentStarted { .. } | From::SubagentEnded { .. } => {
                return None;
            }
        },
    };
    Some(AppEvent::Local(local))
}

pub fn snapshot(agent: &AgentHandle) -> Local {
    let session_name = agent.snapshot().session_name;
    Local::Transcript { messages: agent.messages(), session_name }
}

pub fn capabilities(agent: &AgentHandle) -> Local {
    Local::Capabilities { models: agent.models(), commands: agent.commands().into_iter().map(slash_command).collect() }
}

fn slash_command(command: CommandInfo) -> SlashCommand {
    SlashCommand {
        name: command.name.trim_start_matches('/').to_owned(),
        description: command.description.unwrap_or_default(),
        argument_hint: command.argument_hint,
        arguments: command
            .completions
            .into_iter()
            .flatten()
            .map(|completion| (completion.value, completion.description.or(completion.label).unwrap_or_default()))
            .collect(),
    }
}

pub fn state_view(state: &AgentState) -> StateView {
    let usage = &state.usage;
    let used = usage.input + usage.output + usage.cache_read + usage.cache_write > 0;
    StateView {
        session_name: state.session_name.clone(),
        cwd: state.cwd.to_string_lossy().into_owned(),
        model: state.model.clone(),
        thinking: state.thinking.map(|level| level.as_str().to_owned()),
        auth_source: state.auth_source.clone(),
        usage: used.then_some(Usage {
            input: usage.input,
            output: usage.output,
            cache_read: usage.cache_read,
            cache_write: usage.cache_write,
            cost: usage.cost,
            cost_incomplete: usage.cost_incomplete,
        }),
        context_tokens: state.context.tokens,
        plan_mode: state.plan_mode,
        background_shells: state.background_shells,
        subagents: state.subagents,
        yolo: state.yolo,
        demo: state.demo,
        todos: state.todos.clone(),
        no_model: state.no_model.as_ref().map(|missing| (missing.message.clone(), no_model_items(state))),
    }
}

/// Ways out of having no model, as a list to choose from.
fn no_model_items(state: &AgentState) -> Vec<Item> {
    let Some(missing) = &state.no_model else { return Vec::new() };
    let mut items = Vec::new();
    for offer in &missing.offers {
        match offer {
            NoModelOffer::PasteKey { providers } => items.extend(providers.iter().map(|provider| {
                let variable = provider.variable.as_ref().map_or(String::new(), |name| format!("or set {name}"));
                Item {
                    group: "Paste an API key".into(),
                    ..Item::new(format!("key:{}", provider.id), provider.name.clone(), variable)
                }
            })),
            NoModelOffer::UseLocal { provider, models } => items.extend(models.iter().map(|model| Item {
                group: "On this machine".into(),
                ..Item::new(format!("model:{provider}/{model}"), model.clone(), provider.clone())
            })),
            NoModelOffer::StartOllama => items.push(Item {
                group: "On this machine".into(),
                ..Item::new("ollama", "Ollama", "not running: start it, then choose this")
            }),
            NoModelOffer::Demo => items.push(Item {
                group: "To look around".into(),
                ..Item::new("model:demo/demo", "Demo", "offline, no AI")
            }),
        }
    }
    items
}

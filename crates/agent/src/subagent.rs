//! Agents that work beside this one: a context of their own, the built-in tools, and a result that comes back as a message.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use parking_lot::Mutex;
use pizzapi_protocol::{RawJson, Usage};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::config::{AgentConfig, SessionStart};
use crate::core::Core;
use crate::event::{Local, Outcome, Output as Report};
use crate::handle::AgentHandle;
use crate::lifecycle;
use crate::model::registry::Registry;
use crate::model::{ModelSpec, pattern};
use crate::op::{Delivery, Prompt};
use crate::prompt::frontmatter::Document;
use crate::provider::ToolSpec;
use crate::queue::{CustomOrigin, QueuedMessage};
use crate::tool::{Call, Effect, Failure, Output, Tool};
use crate::userconfig::UserConfig;

/// Custom message that carries results back.
pub(crate) const RESULT: &str = "subagent-result";
/// Sub-agents at a time, running or waiting, and how many of them work.
const MAX_ACTIVE: usize = 8;
const MAX_WORKING: usize = 4;
/// Results beyond this go to files. Units: bytes.
const MAX_RESULT_BYTES: usize = 100 * 1024;
/// The agent that always exists.
const TASK_AGENT: &str = "task";
const TASK_PROMPT: &str = "You work for another agent on one task, alone and in the background. Do exactly the task, then answer with \
what the other agent needs: findings with file paths and lines, what you changed, what failed. You cannot ask anybody.";

/// The sub-agents of a session.
pub(crate) struct Subagents {
    active: Arc<AtomicUsize>,
    working: Arc<Semaphore>,
    max_active: usize,
    stop: Mutex<CancellationToken>,
    /// `provider/id` that the relay or the environment chose for sub-agents.
    default_model: Mutex<Option<String>>,
}

impl Subagents {
    pub(crate) fn new(user: &UserConfig, env: &BTreeMap<String, String>) -> Self {
        let setting = |key: &str, default: usize| {
            let value = user.global("subagent").and_then(|subagent| subagent.get(key)).and_then(Value::as_u64);
            value.map_or(default, |n| (n as usize).max(1))
        };
        Self {
            active: Arc::default(),
            working: Arc::new(Semaphore::new(setting("maxConcurrency", MAX_WORKING))),
            max_active: setting("maxParallelTasks", MAX_ACTIVE),
            stop: Mutex::new(CancellationToken::new()),
            default_model: Mutex::new(env.get("PIZZAPI_SUBAGENT_MODEL").cloned().filter(|name| !name.is_empty())),
        }
    }

    pub(crate) fn active(&self) -> usize {
        self.active.load(Ordering::Relaxed)
    }

    pub(crate) fn set_default_model(&self, model: Option<String>) {
        *self.default_model.lock() = model;
    }

    pub(crate) fn abort_all(&self) {
        let mut stop = self.stop.lock();
        stop.cancel();
        *stop = CancellationToken::new();
    }
}

/// A kind of agent, as its file describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Definition {
    name: String,
    description: String,
    prompt: String,
    tools: Option<Vec<String>>,
    disallowed: Vec<String>,
    model: Option<String>,
    max_turns: Option<usize>,
    read_only: bool,
    project: bool,
}

/// One task to give away.
#[derive(Debug, Clone)]
struct Task {
    agent: Definition,
    text: String,
    cwd: PathBuf,
    model: Option<String>,
}

pub(crate) struct Delegate;

#[async_trait]
impl Tool for Delegate {
    fn spec(&self) -> ToolSpec {
        let task = json!({
            "type": "object",
            "properties": {
                "agent": {"type": "string", "description": "Which agent; default `task`."},
                "task": {"type": "string", "minLength": 1},
                "model": {"type": "string"},
                "cwd": {"type": "string"}
            },
            "required": ["task"]
        });
        ToolSpec {
            name: "subagent".into(),
            description: "Give a task to an agent of its own, which works in the background with a fresh context and the built-in tools. \
                Returns at once; the result comes as a message. Say everything it must know. Use exactly one of `task`, `tasks` (side by \
                side) or `chain` (one after the other; `{previous}` stands for the result before)."
                .into(),
            parameters: json!({
                "type": "object",
                "properties": {
                    "agent": {"type": "string", "description": "Which agent; default `task`."},
                    "task": {"type": "string"},
                    "tasks": {"type": "array", "items": task},
                    "chain": {"type": "array", "items": task},
                    "agentScope": {"type": "string", "enum": ["user", "project", "both"]},
                    "confirmProjectAgents": {"type": "boolean"},
                    "cwd": {"type": "string"},
                    "model": {"description": "`provider/id`, or {provider, id}."}
                }
            }),
        }
    }

    fn summary(&self) -> String {
        "give a task to an agent in the background".into()
    }

    fn effect(&self) -> Effect {
        Effect::Talk
    }

    fn in_plan_mode(&self) -> bool {
        false
    }

    async fn run(&self, call: Call) -> Result<Output, Failure> {
        let core = call.core.clone();
        let (tasks, chain) = tasks(&core, &call.arguments)?;
        let limit = core.subagents.max_active;
        let count = if chain { 1 } else { tasks.len() };
        if core.subagents.active() + count > limit {
            return Err(Failure::new(format!(
                "{} sub-agents are active already; at most {limit} can be. Wait for their results.",
                core.subagents.active()
            )));
        }
        let names: Vec<String> =
            tasks.iter().map(|task| format!("{}: {}", task.agent.name, first_line(&task.text))).collect();
        let stop = core.subagents.stop.lock().clone();
        if chain {
            begin(core, vec![tasks], stop);
        } else {
            begin(core, tasks.into_iter().map(|task| vec![task]).collect(), stop);
        }
        Ok(Output::text(format!(
            "Started in the background:\n{}\nThe result comes as a message; go on with other work or end your turn.",
            names.iter().map(|name| format!("- {name}")).collect::<Vec<_>>().join("\n")
        )))
    }
}

fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() > 60 { line.chars().take(60).collect::<String>() + "…" } else { line.to_owned() }
}

/// What the arguments ask for, and whether one after the other.
fn tasks(core: &Core, arguments: &Value) -> Result<(Vec<Task>, bool), Failure> {
    let forms =
        ["task", "tasks", "chain"].iter().filter(|key| arguments.get(**key).is_some_and(|v| !v.is_null())).count();
    if forms != 1 {
        return Err(Failure::new("Give exactly one of `task`, `tasks` and `chain`."));
    }
    let definitions =
        definitions(&core.config(), arguments.get("agentScope").and_then(Value::as_str).unwrap_or("user"));
    let confirmed = arguments.get("confirmProjectAgents").and_then(Value::as_bool) == Some(false);
    let one = |value: &Value| -> Result<Task, Failure> {
        let text = |key: &str| value.get(key).or_else(|| arguments.get(key)).and_then(Value::as_str);
        let name = text("agent").unwrap_or(TASK_AGENT);
        let agent = definitions.iter().find(|definition| definition.name == name).cloned().ok_or_else(|| {
            let known: Vec<String> = definitions.iter().map(|d| format!("{} ({})", d.name, d.description)).collect();
            Failure::new(format!("There is no agent `{name}`. Known: {}.", known.join(", ")))
        })?;
        if agent.project && !confirmed && !core.permissions.lock().yolo {
            return Err(Failure::new(format!(
                "`{name}` is an agent of this project and may only be used when the user agrees: ask, then call again with \
                 confirmProjectAgents false."
            )));
        }
        let task = value.get("task").and_then(Value::as_str).unwrap_or_default().trim();
        if task.is_empty() {
            return Err(Failure::new("A task must not be empty."));
        }
        let model = match value.get("model").or_else(|| arguments.get("model")) {
            Some(Value::String(name)) => Some(name.clone()),
            Some(Value::Object(map)) => {
                let part = |key: &str| map.get(key).and_then(Value::as_str);
                part("provider").zip(part("id")).map(|(provider, id)| format!("{provider}/{id}"))
            }
            _ => None,
        };
        let cwd = core.config().cwd.join(text("cwd").unwrap_or_default());
        if !cwd.is_dir() {
            return Err(Failure::new(format!("`{}` is no folder.", cwd.display())));
        }
        Ok(Task { agent, text: task.to_owned(), cwd, model })
    };
    if let Some(list) = arguments.get("tasks").and_then(Value::as_array) {
        return Ok((list.iter().map(one).collect::<Result<_, _>>()?, false));
    }
    if let Some(list) = arguments.get("chain").and_then(Value::as_array) {
        return Ok((list.iter().map(one).collect::<Result<_, _>>()?, true));
    }
    Ok((vec![one(arguments)?], false))
}

/// Run chains side by side; when all are over, one message brings their results.
fn begin(core: Arc<Core>, chains: Vec<Vec<Task>>, stop: CancellationToken) {
    core.subagents.active.fetch_add(chains.len(), Ordering::Relaxed);
    core.refresh();
    tokio::spawn(async move {
        let running: Vec<_> = chains
            .into_iter()
            .map(|chain| {
                let (core, stop) = (core.clone(), stop.clone());
                tokio::spawn(async move {
                    let result = run_chain(&core, chain, &stop).await;
                    core.subagents.active.fetch_sub(1, Ordering::Relaxed);
                    core.refresh();
                    result
                })
            })
            .collect();
        let mut results = Vec::new();
        for chain in running {
            match chain.await {
                Ok(result) => results.push(result),
                Err(error) => {
                    core.subagents.active.fetch_sub(1, Ordering::Relaxed);
                    results.push(Finished::failed("sub-agent", format!("ended unexpectedly: {error}")));
                }
            }
        }
        if stop.is_cancelled() || core.is_closed() {
            return;
        }
        deliver(&core, results).await;
    });
}

struct Finished {
    name: String,
    task: String,
    text: String,
    ok: bool,
    usage: Usage,
}

impl Finished {
    fn failed(name: &str, text: String) -> Self {
        Self { name: name.to_owned(), task: String::new(), text, ok: false, usage: Usage::default() }
    }
}

async fn run_chain(core: &Arc<Core>, chain: Vec<Task>, stop: &CancellationToken) -> Finished {
    let mut previous = String::new();
    let mut usage = Usage::default();
    let mut last = Finished::failed("sub-agent", "nothing to do".into());
    for mut task in chain {
        task.text = task.text.replace("{previous}", &previous);
        let turn = tokio::select! {
            permit = core.subagents.working.clone().acquire_owned() => permit,
            () = stop.cancelled() => return Finished::failed(&task.agent.name, "aborted".into()),
        };
        last = match turn {
            Ok(_permit) => run_one(core, &task, stop).await,
            Err(_) => return Finished::failed(&task.agent.name, "the session is over".into()),
        };
        add(&mut usage, &last.usage);
        if !last.ok {
            break;
        }
        previous.clone_from(&last.text);
    }
    last.usage = usage;
    last
}

fn add(total: &mut Usage, more: &Usage) {
    total.input += more.input;
    total.output += more.output;
    total.cache_read += more.cache_read;
    total.cache_write += more.cache_write;
    total.total_tokens += more.total_tokens;
    total.cost.total += more.cost.total;
}

async fn run_one(parent: &Arc<Core>, task: &Task, stop: &CancellationToken) -> Finished {
    let name = task.agent.name.clone();
    let Some(model) = choose_model(parent, task) else {
        return Finished::failed(&name, "no model can be asked".into());
    };
    let child = lifecycle::child(parent, child_config(parent, task), model, task.agent.read_only);
    let handle = AgentHandle::of(child.clone());
    let id = child.session_id();
    let title = format!("{name}: {}", first_line(&task.text));
    let mut outputs = child.emitter.subscribe();
    parent.local(Local::SubagentStarted { id: id.clone(), title, agent: handle }).await;
    let mut turns = 0;
    let outcome = match child.prompt(Prompt { raw: true, ..Prompt::text(task.text.clone()) }).await {
        Err(error) => Outcome::Failed(error.to_string()),
        Ok(_) => loop {
            let output = tokio::select! {
                output = outputs.recv() => output,
                () = stop.cancelled() => {
                    child.abort().await;
                    break Outcome::Aborted;
                }
            };
            match output {
                Some(Report::Local(Local::Settled(outcome))) => break outcome,
                Some(Report::Event(event)) if matches!(*event, pizzapi_protocol::AgentEvent::TurnStart(_)) => {
                    turns += 1;
                    if task.agent.max_turns.is_some_and(|max| turns > max) {
                        child.abort().await;
                    }
                }
                Some(_) => {}
                None => break Outcome::Failed("it ended unexpectedly".into()),
            }
        },
    };
    let spent = child.live.lock().usage;
    let usage = Usage {
        input: spent.input,
        output: spent.output,
        cache_read: spent.cache_read,
        cache_write: spent.cache_write,
        total_tokens: spent.input + spent.output + spent.cache_read + spent.cache_write,
        cost: pizzapi_protocol::Cost { total: spent.cost, ..Default::default() },
        ..Usage::default()
    };
    parent.count(&usage, !spent.cost_incomplete);
    let answer = child.last_assistant_text();
    child.shutdown().await;
    parent.local(Local::SubagentEnded { id }).await;
    let (text, ok) = match (outcome, answer) {
        (Outcome::Completed, Some(text)) => (text, true),
        (Outcome::Completed, None) => ("(no answer)".into(), true),
        (Outcome::Aborted, text) => (format!("Stopped before it was done.\n{}", text.unwrap_or_default()), false),
        (Outcome::Failed(error), _) => (format!("Failed: {error}"), false),
    };
    Finished { name, task: task.text.clone(), text, ok, usage }
}

/// Built-in tools only, nobody to ask but through the parent, nothing kept.
fn child_config(parent: &Core, task: &Task) -> AgentConfig {
    let mut config = (*parent.config()).clone();
    config.start = SessionStart::InMemory;
    config.cwd.clone_from(&task.cwd);
    config.skills = false;
    config.mcp = false;
    config.plugins = false;
    config.extra_tools = Vec::new();
    config.host_prompt = None;
    config.session_name = Some(task.agent.name.clone());
    config.system_prompt = Some(task.agent.prompt.clone());
    config.append_system_prompt = None;
    config.tools.clone_from(&task.agent.tools);
    config.exclude_tools =
        ["subagent", "AskUserQuestion", "plan_mode", "toggle_plan_mode", "set_session_name", "update_todo"]
            .map(str::to_owned)
            .into_iter()
            .chain(task.agent.disallowed.iter().cloned())
            .chain(parent.config().exclude_tools.iter().cloned())
            .collect();
    config
}

/// Argument, definition, configured default, cheapest, the parent's.
fn choose_model(parent: &Core, task: &Task) -> Option<ModelSpec> {
    let registry = &parent.registry;
    let current = parent.live.lock().model.clone();
    let named = |name: &str| -> Option<ModelSpec> {
        match name {
            "inherit" => current.clone(),
            name => registry
                .find(name)
                .filter(|choice| registry.has_credentials(&choice.model.provider))
                .map(|choice| choice.model)
                // The same model may be had elsewhere.
                .or_else(|| {
                    pattern::find(&registry.available(), name.rsplit('/').next()?, |_| true).map(|choice| choice.model)
                }),
        }
    };
    let default = parent.subagents.default_model.lock().clone();
    task.model
        .as_deref()
        .and_then(named)
        .or_else(|| task.agent.model.as_deref().and_then(named))
        .or_else(|| default.as_deref().and_then(named))
        .or_else(|| cheapest(registry, current.as_ref()))
        .or(current)
}

/// The cheapest model of the current provider with known prices; others may have other rules for the same key.
fn cheapest(registry: &Registry, current: Option<&ModelSpec>) -> Option<ModelSpec> {
    let provider = &current?.provider;
    let price = |model: &ModelSpec| model.cost.as_ref().map(|cost| cost.input + cost.output);
    registry
        .available()
        .into_iter()
        .filter(|model| {
            model.provider == *provider && model.provider != "google" && price(model).is_some_and(|p| p > 0.0)
        })
        .min_by(|a, b| price(a).unwrap_or(f64::MAX).total_cmp(&price(b).unwrap_or(f64::MAX)))
}

async fn deliver(core: &Arc<Core>, results: Vec<Finished>) {
    let total: usize = results.iter().map(|result| result.text.len()).sum();
    let mut parts = Vec::new();
    let mut usage = Usage::default();
    for (at, result) in results.iter().enumerate() {
        add(&mut usage, &result.usage);
        let state = if result.ok { "done" } else { "failed" };
        let body = if total > MAX_RESULT_BYTES {
            match keep(core, at, &result.text).await {
                Ok(path) => {
                    let head: String = result.text.chars().take(2000).collect();
                    format!("{head}\n[… all of it: {}]", path.display())
                }
                Err(error) => format!(
                    "{}\n[the rest could not be kept: {error}]",
                    result.text.chars().take(20_000).collect::<String>()
                ),
            }
        } else {
            result.text.clone()
        };
        parts.push(format!("## {} ({state}): {}\n\n{body}", result.name, first_line(&result.task)));
    }
    let details = RawJson::from(json!({ "usage": usage, "ok": results.iter().all(|result| result.ok) }));
    let message = QueuedMessage {
        custom: Some(CustomOrigin { custom_type: RESULT.into(), display: true, details: Some(details) }),
        ..QueuedMessage::user(format!("Results of sub-agents:\n\n{}", parts.join("\n\n")))
    };
    core.usage_changed().await;
    if let Err(error) = core.deliver(message, Delivery::FollowUp).await {
        core.warn(format!("results of sub-agents could not be delivered: {error}")).await;
    }
}

async fn keep(core: &Core, at: usize, text: &str) -> std::io::Result<PathBuf> {
    let dir = core.config().agent_dir.join("logs").join("subagents");
    let path = dir.join(format!("{}-{at}.md", uuid::Uuid::new_v4().simple()));
    tokio::fs::create_dir_all(&dir).await?;
    tokio::fs::write(&path, text).await?;
    Ok(path)
}

/// Every agent that can be named: the built-in one, the user's, and the project's when asked for.
fn definitions(config: &AgentConfig, scope: &str) -> Vec<Definition> {
    let mut found: Vec<Definition> = Vec::new();
    let mut take = |dir: PathBuf, project: bool| {
        for path in crate::prompt::context_files::markdown_in(&dir) {
            let Some(definition) = definition(&path, project) else { continue };
            if !found.iter().any(|known| known.name == definition.name) {
                found.push(definition);
            }
        }
    };
    if scope != "user" {
        let nearest = config
            .cwd
            .ancestors()
            .find(|dir| dir.join(".pizzapi/agents").is_dir() || dir.join(".claude/agents").is_dir());
        if let Some(dir) = nearest {
            take(dir.join(".pizzapi").join("agents"), true);
            take(dir.join(".claude").join("agents"), true);
        }
    }
    if scope != "project" {
        take(config.agent_dir.join("agents"), false);
        if let Some(home) = config.home() {
            take(home.join(".claude").join("agents"), false);
        }
    }
    if !found.iter().any(|known| known.name == TASK_AGENT) {
        found.push(Definition {
            name: TASK_AGENT.into(),
            description: "any self-contained task".into(),
            prompt: TASK_PROMPT.into(),
            tools: None,
            disallowed: Vec::new(),
            model: None,
            max_turns: None,
            read_only: false,
            project: false,
        });
    }
    found
}

fn definition(path: &Path, project: bool) -> Option<Definition> {
    let document = Document::parse(&fs::read_to_string(path).ok()?);
    let name = document.get("name")?.to_owned();
    let tools = |key: &str| document.list(key).map(|list| list.iter().map(|name| tool_name(name)).collect::<Vec<_>>());
    Some(Definition {
        description: document.get("description").unwrap_or_default().to_owned(),
        prompt: format!("{}\n\n{TASK_PROMPT}", document.body.trim()),
        tools: tools("tools").filter(|list| !list.iter().any(|name| name == "*")),
        disallowed: tools("disallowedTools").unwrap_or_default(),
        model: document.get("model").map(|model| alias(model).to_owned()),
        max_turns: document.get("maxTurns").and_then(|turns| turns.parse().ok()),
        read_only: document.get("permissionMode") == Some("plan"),
        project,
        name,
    })
}

fn alias(model: &str) -> &str {
    match model {
        "haiku" => "claude-haiku",
        "sonnet" => "claude-sonnet",
        "opus" => "claude-opus",
        other => other,
    }
}

/// Names other agents give to the same tools.
pub(crate) fn tool_name(name: &str) -> String {
    match name.trim() {
        "Read" => "read",
        "Write" => "write",
        "Edit" | "MultiEdit" => "edit",
        "Bash" => "bash",
        "Glob" => "find",
        "Grep" => "grep",
        "LS" => "ls",
        other => other,
    }
    .to_owned()
}

/// What results of earlier sub-agents cost, for sums after a restart.
pub(crate) fn usage_of(details: Option<&RawJson>) -> Option<Usage> {
    let details: Value = details?.to().ok()?;
    serde_json::from_value(details.get("usage")?.clone()).ok()
}

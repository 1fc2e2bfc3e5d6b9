//! Tools: what the model may do, and how each is told about it.

pub mod ask_user;
pub mod files;
pub mod plan;
pub mod schema;
pub mod session_name;
pub mod shell;
pub mod time;
pub mod todo;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use pizzapi_protocol::{ContentBlock, RawJson, Usage};
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::core::Core;
use crate::provider::ToolSpec;

/// What a call does to the world; decides who has to be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Reads files.
    Read,
    /// Changes files.
    Write,
    /// Runs commands.
    Shell,
    /// Speaks with the user or keeps the agent's own state.
    Talk,
    /// Acts outside this session; asked for unless a rule allows it.
    Outside,
}

/// One thing a model can do.
#[async_trait]
pub trait Tool: Send + Sync {
    /// Name, description and schema, as the model sees them. Must not change during a session: it is part of the cached prefix.
    fn spec(&self) -> ToolSpec;

    /// One line for the list in the system prompt.
    fn summary(&self) -> String;

    /// Advice for the system prompt, while this tool is active.
    fn guidelines(&self) -> Vec<String> {
        Vec::new()
    }

    fn effect(&self) -> Effect;

    /// May it be used in plan mode? By default everything that changes nothing.
    fn in_plan_mode(&self) -> bool {
        matches!(self.effect(), Effect::Read | Effect::Talk | Effect::Shell)
    }

    /// All calls of its batch run one after the other.
    fn sequential(&self) -> bool {
        false
    }

    /// Repair what models commonly get wrong, before the schema is checked.
    fn repair(&self, arguments: Value) -> Value {
        arguments
    }

    /// The path a call touches, for rules and hooks.
    fn subject(&self, arguments: &Value) -> Option<String> {
        ["path", "file_path", "command", "url"]
            .into_iter()
            .find_map(|key| arguments.get(key).and_then(Value::as_str))
            .map(str::to_owned)
    }

    async fn run(&self, call: Call) -> Result<Output, Failure>;
}

/// One call of a tool.
pub struct Call {
    pub id: String,
    pub arguments: Value,
    pub cwd: PathBuf,
    /// Set when the run is aborted.
    pub cancel: CancellationToken,
    pub progress: Progress,
    pub(crate) core: Arc<Core>,
}

/// Where a tool shows what it has so far. Cumulative; only the newest is kept.
#[derive(Clone)]
pub struct Progress(watch::Sender<Option<Partial>>);

/// A result in the making.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Partial {
    pub content: Vec<ContentBlock>,
    pub details: Option<RawJson>,
}

impl Progress {
    pub(crate) fn new() -> (Self, watch::Receiver<Option<Partial>>) {
        let (sender, receiver) = watch::channel(None);
        (Self(sender), receiver)
    }

    pub fn text(&self, text: impl Into<String>) {
        self.show(Partial { content: vec![ContentBlock::text(text)], details: None });
    }

    pub fn show(&self, partial: Partial) {
        self.0.send_replace(Some(partial));
    }
}

/// What a call gives back to the model.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Output {
    pub content: Vec<ContentBlock>,
    /// For user interfaces.
    pub details: Option<RawJson>,
    pub usage: Option<Usage>,
    /// Ask to end the run; happens when every result of the batch asks for it.
    pub end_run: bool,
    /// The result of a tool that ran but did not succeed.
    pub is_error: bool,
}

impl Output {
    pub fn text(text: impl Into<String>) -> Self {
        Self { content: vec![ContentBlock::text(text)], ..Self::default() }
    }

    pub fn with_details(mut self, details: Value) -> Self {
        self.details = Some(RawJson::from(details));
        self
    }
}

/// A call that failed; the text is for the model.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub String);

impl Failure {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// The tools of a session, in a fixed order.
#[derive(Clone, Default)]
pub struct ToolSet {
    tools: Vec<Arc<dyn Tool>>,
}

impl ToolSet {
    /// Add a tool; a name that is taken stays with its first owner.
    pub fn add(&mut self, tool: Arc<dyn Tool>) {
        if self.get(&tool.spec().name).is_none() {
            self.tools.push(tool);
        }
    }

    pub fn get(&self, name: &str) -> Option<Arc<dyn Tool>> {
        self.tools.iter().find(|tool| tool.spec().name == name).cloned()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Tool>> {
        self.tools.iter()
    }

    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.tools.retain(|tool| keep(&tool.spec().name));
    }

    pub fn specs(&self) -> Vec<ToolSpec> {
        self.tools.iter().map(|tool| tool.spec()).collect()
    }

    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }
}

/// A string argument that must be there.
pub(crate) fn required<'a>(arguments: &'a Value, key: &str) -> Result<&'a str, Failure> {
    arguments
        .get(key)
        .and_then(Value::as_str)
        .filter(|text| !text.trim().is_empty())
        .ok_or_else(|| Failure::new(format!("`{key}` is required and must not be empty")))
}

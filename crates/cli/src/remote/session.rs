//! What the remote extension needs from the session it speaks for.
//!
//! A seam, not an abstraction for its own sake: the same extension carries our own agent and any agent hosted from outside
//! that can answer these questions. What a host cannot do it refuses with words, never with silence.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use pizzapi_protocol::{
    AgentEvent, AnswerBody, CommandId, CommandInfo, CommandState, Decision, DecisionId, DecisionOutcome, DeliverAs,
    ErrorCode, ImageBlock, JsonObject, Message, MetaGoalStatus, MetaTodoItem, MetaTokenUsage, Model, RawJson, UnixMs,
    WireError,
};

/// The short view of a session: what heartbeats and snapshots say beside the transcript.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    pub session_file: Option<PathBuf>,
    pub session_name: Option<String>,
    pub cwd: PathBuf,
    pub since: UnixMs,
    pub model: Option<Model>,
    pub thinking: Option<String>,
    pub auth_source: Option<String>,
    pub active: bool,
    /// The last run is over but something may still follow.
    pub settling: bool,
    pub compacting: bool,
    pub plan_mode: bool,
    /// Texts that wait for the run to end.
    pub queued: Vec<String>,
    pub todos: Vec<MetaTodoItem>,
    pub goal: Option<MetaGoalStatus>,
    pub token_usage: Option<MetaTokenUsage>,
    pub model_heard_at: Option<UnixMs>,
}

/// Something the session has to tell, in order.
#[derive(Debug, Clone)]
pub enum Report {
    /// Goes over the wire.
    Event(Arc<AgentEvent>),
    /// What heartbeats say may have changed.
    Activity,
    /// The session's name changed.
    Named,
    /// The conversation is another one, or a part was replaced. `is_new`: it began anew.
    Replaced {
        is_new: bool,
    },
    /// Nothing runs, retries or waits any more.
    Settled(Outcome),
    /// Models or commands changed.
    Capabilities,
    Raised(Decision),
    /// `is_known`: by a command of the relay, which knows. `answer`: `None` when nobody answered.
    DecisionEnded {
        id: DecisionId,
        answer: Option<AnswerBody>,
        is_known: bool,
    },
    /// A command reached another state.
    Command {
        id: CommandId,
        reached: Reached,
    },
    /// Reports were left out: only a snapshot is right.
    Lagged,
}

/// How the last run ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Outcome {
    #[default]
    Completed,
    Aborted,
    Failed(String),
}

/// How far a command has come in this session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    pub state: CommandState,
    pub code: Option<ErrorCode>,
    pub message: Option<String>,
}

impl Reached {
    pub const DELIVERED: Self = Self { state: CommandState::Delivered, code: None, message: None };
    pub const CONSUMED: Self = Self { state: CommandState::Consumed, code: None, message: None };
    pub const CANCELLED: Self = Self { state: CommandState::Cancelled, code: None, message: None };

    pub fn rejected(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { state: CommandState::Rejected, code: Some(code), message: Some(message.into()) }
    }
}

impl From<WireError> for Reached {
    fn from(error: WireError) -> Self {
        Self::rejected(error.code, error.message)
    }
}

/// Words for the agent.
#[derive(Debug, Clone, Default)]
pub struct Words {
    pub text: String,
    pub images: Vec<ImageBlock>,
    /// `None`: at the next opportunity.
    pub deliver_as: Option<DeliverAs>,
    /// Written down before this is accepted; a repeated id is answered, not executed.
    pub command_id: Option<CommandId>,
}

/// What became of words.
#[derive(Debug, Clone, PartialEq)]
pub enum Taken {
    /// The agent has them.
    Accepted,
    /// They were a command of the program, which has run.
    Command { message: Option<String>, wish: Option<HostWish> },
    /// The id was seen before.
    Repeated(Reached),
}

/// Something only the program around the session can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostWish {
    Quit,
    Restart,
    /// It needs a person in front of the terminal.
    Terminal,
}

/// See the module.
#[async_trait]
pub trait Session: Send + Sync + 'static {
    fn facts(&self) -> Facts;
    /// Changes with every entry of the transcript.
    fn leaf(&self) -> Option<String>;
    /// The conversation as the model sees it.
    fn messages(&self) -> Vec<Message>;
    /// What the agent said last.
    fn last_text(&self) -> Option<String>;
    fn models(&self) -> Vec<Model>;
    fn commands(&self) -> Vec<CommandInfo>;
    /// Decisions that wait for a person, oldest first.
    fn decisions(&self) -> Vec<Decision>;
    /// Everything from now on.
    fn reports(&self) -> Box<dyn Reports>;

    /// Returns when the words are accepted, not when they are answered.
    async fn prompt(&self, words: Words) -> Result<Taken, WireError>;
    /// Offer text to decisions that take text. `true`: one of them took it.
    async fn offer_text(&self, text: &str, by: Option<String>) -> bool;
    async fn answer(&self, answer: &AnswerBody, by: Option<String>) -> Result<(), WireError>;
    /// A decision ended elsewhere without an answer.
    async fn end_decision(&self, id: &DecisionId, outcome: &DecisionOutcome);
    /// Stop what runs.
    async fn abort(&self);
    /// Waits until the session is idle.
    async fn set_model(&self, provider: &str, id: &str) -> Result<Model, String>;
    async fn exec(&self, command: &str, arguments: &JsonObject) -> Result<Option<RawJson>, String>;
    async fn set_hidden_models(&self, hidden: Vec<String>);
    async fn set_subagent_model(&self, model: Option<String>);

    /// Where a command stands; `None`: never seen.
    fn command(&self, id: &CommandId) -> Option<Reached>;
    /// Write a state down, surviving a crash, before it is told to anybody. `Some`: it was known already, as this.
    async fn journal(&self, id: &CommandId, reached: &Reached) -> Result<Option<Reached>, WireError>;
    /// Withdraw words that still wait.
    async fn cancel(&self, id: &CommandId) -> bool;
}

/// A stream of reports.
#[async_trait]
pub trait Reports: Send + 'static {
    /// `None` after the session has ended. Cancel safe.
    async fn next(&mut self) -> Option<Report>;
}

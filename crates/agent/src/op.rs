//! What may be asked of an agent, and how it is refused.

use std::path::PathBuf;

use pizzapi_protocol::ImageBlock;
use serde::{Deserialize, Serialize};

use crate::model::auth::AuthError;
use crate::transcript::TranscriptError;

/// When a prompt is read by the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Delivery {
    /// At once when idle; before the next request when a run is active.
    #[default]
    Auto,
    /// Before the next request of the active run.
    Steer,
    /// When the active run would stop.
    FollowUp,
    /// Together with whatever is prompted next; starts nothing.
    NextTurn,
}

/// Something a person or another session says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Prompt {
    pub text: String,
    pub images: Vec<ImageBlock>,
    pub delivery: Delivery,
    /// Journaled before the prompt is accepted; a repeated id is answered, not executed.
    pub command_id: Option<String>,
    /// Take the text as it is: no commands, no templates.
    pub raw: bool,
}

impl Prompt {
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    pub fn delivered(mut self, delivery: Delivery) -> Self {
        self.delivery = delivery;
        self
    }

    pub fn command(mut self, id: impl Into<String>) -> Self {
        self.command_id = Some(id.into());
        self
    }
}

/// What became of a prompt.
#[derive(Debug, Clone, PartialEq)]
pub enum Accepted {
    /// A run began with it.
    Started,
    /// It waits in a queue.
    Queued,
    /// It was a command, which has run; with what it has to say.
    Command(CommandOutcome),
    /// The id was seen before; this is where it stands.
    Repeated(CommandState),
}

/// What a slash command did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CommandOutcome {
    /// For the user, in Markdown.
    pub message: Option<String>,
    /// The host must do this: the agent cannot.
    pub host: Option<HostCommand>,
}

/// Commands that belong to the user interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostCommand {
    Settings,
    PickModel,
    PickSession,
    PickFork,
    PickTree,
    Login(Option<String>),
    Hotkeys,
    Copy,
    Quit,
    Restart,
    Remote(String),
    Reload,
    Changelog,
    /// Put this text into the editor.
    Edit(String),
}

/// Where a command of the relay stands in this session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum CommandState {
    /// Written down here.
    Delivered,
    /// Taken into the context, or acted on.
    Consumed,
    Rejected {
        code: String,
        message: String,
    },
    /// Withdrawn before it was consumed.
    Cancelled,
}

impl CommandState {
    /// Nothing more will happen to it.
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::Delivered)
    }
}

/// The answer of [`crate::AgentHandle::journal_command`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Journaled {
    New,
    Repeated(CommandState),
}

#[derive(Debug, thiserror::Error)]
pub enum OpError {
    #[error("no model is configured: {0}")]
    NoModel(String),
    #[error("model {0} is hidden")]
    HiddenModel(String),
    #[error("unknown model {0}")]
    UnknownModel(String),
    #[error(transparent)]
    Auth(#[from] AuthError),
    #[error("a compaction is running")]
    Compacting,
    #[error("Compaction already in progress")]
    AlreadyCompacting,
    #[error("{0}")]
    Compaction(String),
    #[error("the prompt is empty")]
    EmptyPrompt,
    #[error("too many messages wait: at most {0}")]
    QueueFull(usize),
    #[error("no session found for `{0}`")]
    NoSession(String),
    #[error("No other sessions found to resume")]
    NoOtherSessions,
    #[error("the working directory `{0}` of that session does not exist any more")]
    MissingDirectory(PathBuf),
    #[error(transparent)]
    Transcript(#[from] TranscriptError),
    #[error("No bash command is running")]
    NoBash,
    #[error("a command is already running")]
    BashRunning,
    #[error("{0}")]
    Invalid(String),
    #[error("the agent has shut down")]
    Closed,
    #[error("failed to prepare the HTTP client: {0}")]
    Client(#[from] crate::provider::ClientError),
}

/// What a compaction left behind.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CompactionResult {
    pub summary: String,
    pub first_kept_entry_id: Option<String>,
    pub tokens_before: u64,
}

/// A user message a session can be forked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ForkPoint {
    pub entry_id: String,
    pub text: String,
}

/// Which sessions to list, page by page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionQuery {
    pub limit: Option<usize>,
    /// `modified` of the last session of the page before.
    pub cursor: Option<String>,
    /// Only those of this working directory.
    pub directory: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionPage {
    pub current_path: Option<PathBuf>,
    pub sessions: Vec<crate::transcript::list::SessionSummary>,
    pub next_cursor: Option<String>,
}

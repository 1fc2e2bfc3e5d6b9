//! What happens to the screen.

use crossterm::event::{KeyEvent, MouseEvent};
use pizzapi_protocol::{AgentEvent, Message, MetaPendingApproval, MetaPendingPlan, MetaPendingQuestion, Model};

use super::components::composer::slash::SlashCommand;
use super::components::picker::Item;
use super::components::status_line::Link;
use super::components::transcript::message::Level;

/// Something that waits for a person.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    Question { id: String, question: MetaPendingQuestion },
    Plan { id: String, plan: MetaPendingPlan },
    Approval(MetaPendingApproval),
}

impl Decision {
    pub fn id(&self) -> &str {
        match self {
            Self::Question { id, .. } | Self::Plan { id, .. } => id,
            Self::Approval(approval) => &approval.prompt_id,
        }
    }
}

/// What the agent tells only its own host.
#[derive(Debug, Clone)]
pub enum Local {
    Queue { steering: Vec<String>, follow_up: Vec<String>, held: bool },
    Settled,
    CompactionStarted,
    CompactionEnded { error: Option<String> },
    RetryStarted { attempt: u32, attempts: u32, delay_ms: u64, error: String },
    RetryEnded,
    DecisionRaised(Decision),
    /// `by`: who answered, when it was not this terminal.
    DecisionEnded { id: String, by: Option<String> },
    /// The conversation is another one now, or was repaired: show exactly these messages.
    Transcript { messages: Vec<Message>, session_name: Option<String> },
    Capabilities { models: Vec<Model>, commands: Vec<SlashCommand> },
    BackgroundShells(usize),
    ShellStarted,
    ShellEnded,
}

/// Answers to effects that fetch something.
#[derive(Debug, Clone)]
pub enum Loaded {
    Files(Vec<String>),
    Models(Vec<Item>),
    Sessions(Vec<Item>),
    ForkPoints(Vec<Item>),
    Providers { items: Vec<Item>, logout: bool },
    /// Texts for the composer: taken from the queue, or written in an editor.
    Queued(Vec<String>),
    EditorText(String),
    /// Text that a fork gives back.
    Draft(String),
}

#[derive(Debug, Clone)]
pub enum AppEvent {
    Key(KeyEvent),
    Paste(String),
    Mouse(MouseEvent),
    Resize,
    Focus(bool),
    /// Time passed: animations, time-outs.
    Tick,
    Agent(Box<AgentEvent>),
    Local(Local),
    Link(Link),
    Branch(Option<String>),
    Loaded(Loaded),
    /// A line in the transcript from the program.
    Notice(Level, String),
    /// A passing remark.
    Toast(Level, String),
    /// A block of Markdown from the program, such as statistics.
    Block { label: String, body: String },
}

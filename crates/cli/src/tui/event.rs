//! What happens to the screen.

use std::sync::Arc;

use crossterm::event::{KeyEvent, MouseEvent};
use pizzapi_protocol::{
    AgentEvent, Message, MetaPendingApproval, MetaPendingPlan, MetaPendingQuestion, MetaTodoItem, Model,
};

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
    Queue {
        steering: Vec<String>,
        follow_up: Vec<String>,
        held: bool,
    },
    Settled,
    CompactionStarted,
    CompactionEnded {
        error: Option<String>,
    },
    RetryStarted {
        attempt: u32,
        attempts: u32,
        delay_ms: u64,
        error: String,
    },
    RetryEnded,
    DecisionRaised(Decision),
    /// `by`: who answered, when it was not this terminal.
    DecisionEnded {
        id: String,
        by: Option<String>,
    },
    /// The conversation is another one now, or was repaired: show exactly these messages.
    Transcript {
        messages: Vec<Message>,
        session_name: Option<String>,
    },
    Capabilities {
        models: Vec<Model>,
        commands: Vec<SlashCommand>,
    },
    /// A command of the user's own (`!`): what it printed so far.
    Shell {
        command: String,
        output: String,
        done: bool,
    },
    State(Box<StateView>),
}

/// The agent's own summary of itself, for the footer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StateView {
    pub session_name: Option<String>,
    pub cwd: String,
    pub model: Option<Model>,
    pub thinking: Option<String>,
    pub auth_source: Option<String>,
    pub usage: Option<Usage>,
    pub context_tokens: Option<u64>,
    pub plan_mode: bool,
    pub background_shells: usize,
    pub subagents: usize,
    pub yolo: bool,
    pub demo: bool,
    pub todos: Vec<MetaTodoItem>,
    /// Why nothing can be asked, and what could be done about it.
    pub no_model: Option<(String, Vec<Item>)>,
}

/// Sums of a session.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    pub input: u64,
    pub output: u64,
    pub cache_read: u64,
    pub cache_write: u64,
    /// US dollars.
    pub cost: f64,
    /// Some prices are not known.
    pub cost_incomplete: bool,
}

/// Answers to effects that fetch something.
#[derive(Debug, Clone)]
pub enum Loaded {
    Files(Vec<String>),
    Models(Vec<Item>),
    Sessions(Vec<Item>),
    ForkPoints(Vec<Item>),
    Providers {
        items: Vec<Item>,
        logout: bool,
    },
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
    Agent(Arc<AgentEvent>),
    Local(Local),
    Link(Link),
    Branch(Option<String>),
    Loaded(Loaded),
    /// A line in the transcript from the program.
    Notice(Level, String),
    /// A passing remark.
    Toast(Level, String),
    /// A block of Markdown from the program, such as statistics.
    Block {
        label: String,
        body: String,
    },
    /// Run one of the screen's own commands.
    RunCommand(String),
    /// Offer models, because a pattern fits several or none.
    PickModel {
        filter: String,
        items: Vec<Item>,
    },
}

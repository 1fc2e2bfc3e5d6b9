//! What the screen asks of the world. [`super::update`] returns these; [`super::perform`] carries them out.

use std::path::PathBuf;

use super::components::composer::Delivery;

/// The four answers to a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanAction {
    Execute,
    ExecuteKeepContext,
    Edit,
    Cancel,
}

/// An answer to something that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DecisionAnswer {
    Question(String),
    Plan { action: PlanAction, edit: Option<String> },
    Approval { action: String },
    Cancel,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// To the agent.
    Prompt {
        text: String,
        images: Vec<PathBuf>,
        delivery: Delivery,
    },
    /// `!command`; excluded from the context with `!!`.
    Shell {
        command: String,
        excluded: bool,
    },
    Abort,
    /// Queued messages come back into the composer.
    TakeQueue,
    SetModel {
        provider: String,
        id: String,
    },
    /// `/model pattern`: chosen when only one fits, else offered.
    ChooseModel {
        pattern: String,
    },
    CycleModel {
        forward: bool,
    },
    SetThinking(String),
    CycleThinking,
    Compact(Option<String>),
    NewSession,
    Resume(String),
    Fork(String),
    /// Go on from another place of this conversation.
    MoveTo(String),
    RenameCurrent(String),
    RenameSession {
        path: String,
        name: String,
    },
    DeleteSession(String),
    Answer {
        id: String,
        answer: DecisionAnswer,
    },
    PlanMode(Option<bool>),
    BackgroundBash,
    SaveApiKey {
        provider: String,
        key: String,
    },
    RemoveApiKey {
        provider: String,
    },
    ShowStats,
    /// `/remote …`.
    Remote(String),
    ReloadResources,
    Export(String),

    /// Lists, answered with [`super::event::Loaded`].
    LoadFiles,
    LoadModels,
    RefreshModels,
    LoadSessions {
        all: bool,
    },
    LoadForkPoints,
    LoadTree,
    LoadProviders {
        logout: bool,
    },

    /// The terminal and this program.
    AskApiKey {
        provider: String,
    },
    SetTheme(String),
    Copy(String),
    CopyLastAnswer,
    OpenEditor(String),
    SetTitle(String),
    MouseCapture(bool),
    /// Bell and, where understood, a desktop notification: something waits for the user.
    Attention(String),
    SaveHistory(String),
    Suspend,
    Quit,
}

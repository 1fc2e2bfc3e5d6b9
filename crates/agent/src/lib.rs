//! The agent: turns, providers, tools and transcripts. No terminal and no sockets: hosts bring those.
//!
//! [`Agent::start`] gives an [`AgentHandle`]; operations go in through its methods, everything that happens comes out of
//! [`AgentHandle::subscribe`] in one order, and [`AgentHandle::state`] always holds the short view of it all.

mod assembly;
pub mod clock;
mod commands;
mod compaction;
mod config;
pub mod core;
pub mod decision;
pub mod demo;
mod event;
mod exec;
mod execute;
mod fallback;
pub mod goal;
mod handle;
mod hooks;
mod lifecycle;
mod mcp;
pub mod model;
mod op;
mod ops;
pub mod permission;
pub mod prompt;
pub mod provider;
pub mod queue;
pub mod settings;
mod subagent;
pub mod tool;
pub mod transcript;
mod turn;
pub mod userconfig;

pub use config::{AgentConfig, Host, SessionStart};
pub use core::{AgentState, ContextUsage, NoModel, RetryView, SessionUsage};
pub use decision::{Answer, AnswerError, Approval, ApprovalChoice, Decision, DecisionKind, Ending, PlanAction};
pub use event::{CompactionReason, Local, Outcome, Output, ReplaceReason, Subscription};
pub use exec::ExecReply;
pub use handle::{Agent, AgentHandle};
pub use model::registry::{NoModelOffer, ProviderChoice};
pub use op::{
    Accepted, CommandOutcome, CommandState, CompactionResult, Delivery, ForkPoint, HostCommand, Journaled, OpError,
    Prompt, SessionPage, SessionQuery,
};
pub use queue::{Queue, QueuedMessage};
pub use tool::Tool;
pub use transcript::list::SessionSummary;

//! Tabs and the sessions they look at.

mod commands;
mod decisions;
mod switch_session;

//! The agent against a scripted model over real HTTP, with real tools in a temporary folder.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod approval;
mod bench;
mod compact;
mod demo;
mod extend;
mod providers;
mod resume;
mod retry;
mod turn;

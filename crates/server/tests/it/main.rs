//! The real server on a free port, spoken to from outside.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a failed step fails its test")]

mod contract;
mod db;
mod faults;
mod http;
mod hub;
mod import;
mod process;
mod relay;
mod runner;
mod sockets;
mod support;
mod terminal;
mod viewer;

//! The client against a real socketioxide server, and its codec against vectors and random input.

#![allow(clippy::unwrap_used)]

mod codec;
mod faults;
mod server;
mod support;

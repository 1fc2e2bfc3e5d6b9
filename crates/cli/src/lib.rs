//! The `pizzapi` program as a library.

pub mod tui;

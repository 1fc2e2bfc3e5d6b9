//! The daemon: starts agent sessions and terminals on a machine, and answers what a browser asks about it.
//!
//! [`run`] is the whole of it as a value, so that `pizzapi local` can hold one in its own process. The daemon is one loop
//! ([`daemon`]) that owns all state; what takes long runs beside it and reports back.

pub mod identity;
pub mod process_tree;
pub mod pty;
pub mod services;
pub mod sessions;
pub mod workspace;

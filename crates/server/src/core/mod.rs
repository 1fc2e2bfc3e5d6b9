//! What the relay decides: classes of events, what a viewer gets, who owns a session, when a command is over.
//!
//! Nothing here awaits, reads a clock or knows a socket.

pub mod chunks;
pub mod classify;
pub mod images;
pub mod lifecycle;
pub mod overlay;
pub mod replay;
pub mod thinking;
pub mod transcript;

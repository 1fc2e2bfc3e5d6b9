//! Load and faults for the relay, and the measuring of both.

pub mod nemesis;
pub mod process;
pub mod wire;

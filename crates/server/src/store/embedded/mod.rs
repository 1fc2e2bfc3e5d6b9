//! The store of a single node.

pub mod presence;
pub mod runners;
pub mod sessions;
pub mod terminals;

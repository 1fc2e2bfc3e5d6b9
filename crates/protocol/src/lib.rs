//! What crosses a wire: events, types, limits and versions.

pub mod events;

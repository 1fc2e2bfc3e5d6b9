//! What crosses a wire: events, types, limits and versions.

pub mod events;
pub mod ids;
pub mod json;
pub mod message;
pub mod model;

pub use events::{Ack, DecodeError, Empty, Event, EventTable, NoAck, RawJson, ReplyFn};
pub use ids::*;
pub use json::{JsonObject, Maybe, Open, UnixMs};
pub use message::*;
pub use model::*;

//! What crosses a wire: events, types, limits and versions.

pub mod agent_event;
pub mod events;
pub mod ids;
pub mod json;
pub mod message;
pub mod meta;
pub mod model;

pub use agent_event::*;
pub use events::{Ack, DecodeError, Empty, Event, EventTable, NoAck, RawJson, ReplyFn};
pub use ids::*;
pub use json::{JsonObject, Maybe, Open, UnixMs};
pub use message::*;
pub use meta::*;
pub use model::*;

//! What crosses a wire: events, types, limits and versions.
//!
//! One module per namespace holds its two event tables and payloads; what several namespaces share has a module of its own and is
//! re-exported here. Rules of reading are in [`json`], the tables' machinery is in [`events`].

pub mod agent_event;
pub mod analysis;
pub mod delivery;
pub mod error;
pub mod events;
pub mod exec;
pub mod handshake;
pub mod hub;
pub mod ids;
pub mod json;
pub mod limits;
pub mod message;
pub mod meta;
pub mod mode;
pub mod model;
pub mod password;
pub mod relay;
pub mod rest;
pub mod runner;
pub mod runner_info;
pub mod runner_reply;
pub mod runners;
pub mod service;
pub mod session;
pub mod terminal;
pub mod trigger;
pub mod typescript;
pub mod version;
pub mod viewer;

pub use agent_event::*;
pub use delivery::*;
pub use error::*;
pub use events::{Ack, DecodeError, Empty, Event, EventTable, NoAck, RawJson, ReplyFn};
pub use exec::*;
pub use handshake::*;
pub use ids::*;
pub use json::{JsonObject, Maybe, Open, UnixMs};
pub use message::*;
pub use meta::*;
pub use model::*;
pub use runner_info::*;
pub use service::*;
pub use session::*;
pub use trigger::*;

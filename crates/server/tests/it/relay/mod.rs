//! Sessions and the relay.

mod events;
mod family;
mod register;
mod resume;

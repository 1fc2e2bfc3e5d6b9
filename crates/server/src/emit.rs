//! Bodies of events that are serialised once and sent to many.

use pizzapi_protocol::RawJson;
use pizzapi_protocol::events::Event;

/// Name and JSON of an event.
pub fn body<E: Event>(payload: &E::Payload) -> (&'static str, RawJson) {
    (E::NAME, RawJson::new(payload).expect("types of the protocol serialise"))
}

//! How an agent's event travels, told from its `type` alone: the rest of the text is not looked at on the hot path.

use std::borrow::Cow;

use pizzapi_protocol::MetaEvent;
use serde::Deserialize;

/// What happens to an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Class {
    /// The whole visible state; logged, and what later viewers start from.
    Snapshot,
    /// Announces a state that follows in pieces.
    ChunkHeader,
    /// One piece.
    Chunk,
    /// A change of side facts (model, name, queue …): logged when it changes something, and laid over the snapshot.
    Patch,
    /// What the session offers; the newest counts, nobody needs an older one.
    Capabilities,
    /// A sign of life.
    Heartbeat,
    /// Grows until its final event supersedes it: only the newest of each stream is kept.
    Streamed,
    /// Side state for lists and banners; goes to the hub, never to the log.
    Meta,
    /// Everything else: numbered, logged, delivered.
    Durable,
}

/// The event's `type`. Empty when there is none; such events travel like unknown ones.
pub fn kind(event: &str) -> Cow<'_, str> {
    // Every sender we know writes the type first.
    if let Some(rest) = event.strip_prefix(r#"{"type":""#)
        && let Some(end) = rest.find(['"', '\\'])
        && rest.as_bytes()[end] == b'"'
    {
        return Cow::Borrowed(&rest[..end]);
    }
    #[derive(Deserialize)]
    struct Typed<'a> {
        #[serde(borrow, rename = "type", default)]
        kind: Cow<'a, str>,
    }
    serde_json::from_str::<Typed<'_>>(event).map(|typed| typed.kind).unwrap_or_default()
}

/// Decide how `event` of this `kind` travels.
pub fn classify(kind: &str, event: &str) -> Class {
    match kind {
        "session_active" if is_chunk_header(event) => Class::ChunkHeader,
        "session_active" => Class::Snapshot,
        "session_messages_chunk" => Class::Chunk,
        "session_metadata_update" => Class::Patch,
        "capabilities" => Class::Capabilities,
        "heartbeat" => Class::Heartbeat,
        "message_update" | "tool_execution_update" => Class::Streamed,
        // The flat form of old clients is an ordinary event.
        "mcp_startup_report" if !has_report(event) => Class::Durable,
        kind if MetaEvent::TAGS.contains(&kind) => Class::Meta,
        _ => Class::Durable,
    }
}

fn is_chunk_header(event: &str) -> bool {
    #[derive(Deserialize)]
    struct Header {
        state: State,
    }
    #[derive(Deserialize)]
    struct State {
        #[serde(default)]
        chunked: bool,
    }
    // The word is looked for first: a complete snapshot may be megabytes.
    event.contains(r#""chunked""#) && serde_json::from_str::<Header>(event).is_ok_and(|header| header.state.chunked)
}

fn has_report(event: &str) -> bool {
    #[derive(Deserialize)]
    struct Report<'a> {
        #[serde(borrow)]
        report: &'a serde_json::value::RawValue,
    }
    serde_json::from_str::<Report<'_>>(event).is_ok_and(|event| event.report.get().starts_with('{'))
}

/// Which stream a streamed event belongs to: a newer one of the same stream replaces it.
pub fn stream_key(kind: &str, event: &str) -> String {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Call {
        #[serde(default)]
        tool_call_id: String,
    }
    if kind == "tool_execution_update" {
        let call = serde_json::from_str::<Call>(event).map(|call| call.tool_call_id).unwrap_or_default();
        return format!("tool:{call}");
    }
    kind.to_owned()
}

/// Which streams a durable event ends.
pub fn ends_streams(kind: &str, event: &str) -> Ends {
    match kind {
        "message_end" | "turn_end" => Ends::One("message_update".to_owned()),
        "tool_execution_end" => Ends::One(stream_key("tool_execution_update", event)),
        "agent_end" | "session_active" => Ends::All,
        _ => Ends::None,
    }
}

#[derive(Debug, PartialEq, Eq)]
pub enum Ends {
    None,
    One(String),
    All,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_is_found_wherever_it_stands() {
        assert_eq!(kind(r#"{"type":"turn_end","x":1}"#), "turn_end");
        assert_eq!(kind(r#"{"x":{"type":"no"},"type":"turn_end"}"#), "turn_end");
        assert_eq!(kind(r#"{"type":"tu\u0072n_end"}"#), "turn_end");
        assert_eq!(kind("[]"), "");
    }

    #[test]
    fn classes_follow_the_type() {
        let class = |event: &str| classify(&kind(event), event);
        assert_eq!(class(r#"{"type":"session_active","state":{"messages":[]}}"#), Class::Snapshot);
        assert_eq!(class(r#"{"type":"session_active","state":{"chunked":true}}"#), Class::ChunkHeader);
        assert_eq!(class(r#"{"type":"session_active","state":{"messages":["\"chunked\""]}}"#), Class::Snapshot);
        assert_eq!(class(r#"{"type":"mcp_startup_report","report":{}}"#), Class::Meta);
        assert_eq!(class(r#"{"type":"mcp_startup_report","toolCount":1}"#), Class::Durable);
        assert_eq!(class(r#"{"type":"made_by_a_package"}"#), Class::Durable);
        assert_eq!(class(r#"{"type":"message_update"}"#), Class::Streamed);
    }

    #[test]
    fn the_end_of_a_tool_call_ends_its_own_stream_only() {
        let end = r#"{"type":"tool_execution_end","toolCallId":"a"}"#;
        let update = r#"{"type":"tool_execution_update","toolCallId":"a"}"#;
        assert_eq!(ends_streams("tool_execution_end", end), Ends::One(stream_key("tool_execution_update", update)));
    }
}

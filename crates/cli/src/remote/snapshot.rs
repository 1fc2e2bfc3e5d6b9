//! The whole state of a session as one event, or as several when it is large. Pure.

use pizzapi_protocol::limits::{
    CHUNK_MAX_BYTES, CHUNK_MAX_MESSAGES, MESSAGE_MAX_BYTES, MESSAGE_MEMBER_DROP_ABOVE_BYTES, SNAPSHOT_CHUNK_ABOVE_BYTES,
};
use pizzapi_protocol::{CommandInfo, DeliveryClass, JsonObject, Message, MetaGoalStatus, MetaTodoItem, Model, RawJson};
use serde::Serialize;

use super::window::Item;

/// Everything but the transcript.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    pub model: Option<Model>,
    pub thinking_level: Option<String>,
    pub session_name: Option<String>,
    pub cwd: String,
    pub available_models: Vec<Model>,
    pub available_commands: Vec<CommandInfo>,
    pub todo_list: Vec<MetaTodoItem>,
    pub analysis: Option<RawJson>,
    pub goal: Option<MetaGoalStatus>,
    pub queued_messages: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_file: Option<String>,
}

/// Bounds of a snapshot. Units: bytes, where not said otherwise.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub whole: usize,
    pub chunk: usize,
    pub chunk_messages: usize,
    pub message: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            whole: SNAPSHOT_CHUNK_ABOVE_BYTES,
            chunk: CHUNK_MAX_BYTES,
            chunk_messages: CHUNK_MAX_MESSAGES,
            message: MESSAGE_MAX_BYTES,
        }
    }
}

/// Make the events of a snapshot. `nonce`: of the request it answers; `id`: for one in chunks.
pub fn make(state: &State, messages: &[Message], nonce: Option<&str>, id: &str, limits: Limits) -> Vec<Item> {
    let messages: Vec<RawJson> = messages.iter().map(|message| fit(message, limits.message)).collect();
    // A tenth more for what surrounds the messages.
    let size = messages.iter().map(|message| message.get().len()).sum::<usize>() / 10 * 11;
    if size <= limits.whole {
        return vec![Item {
            raw: session_active(state, &messages, nonce, None),
            class: DeliveryClass::Durable,
            key: None,
            is_snapshot: true,
        }];
    }

    let chunks = split(&messages, limits);
    let total = messages.len();
    let mut events = vec![session_active(state, &[], nonce, Some((id, total)))];
    for (index, chunk) in chunks.iter().enumerate() {
        events.push(object(&Chunk {
            kind: "session_messages_chunk",
            snapshot_id: id,
            chunk_index: index,
            total_chunks: chunks.len(),
            total_messages: total,
            messages: chunk,
            is_final: index + 1 == chunks.len(),
        }));
    }
    let chunk = |raw| Item { raw, class: DeliveryClass::Chunk, key: None, is_snapshot: false };
    events.into_iter().map(chunk).collect()
}

fn session_active(state: &State, messages: &[RawJson], nonce: Option<&str>, header: Option<(&str, usize)>) -> RawJson {
    let mut members = JsonObject::from_value(state).expect("a state is an object");
    members.set("messages", &messages).expect("raw messages serialise");
    if let Some((id, total)) = header {
        let mut set = |name: &str, value: RawJson| members.insert(name, value);
        set("chunked", object(&true));
        set("snapshotId", object(&id));
        set("totalMessages", object(&total));
    }
    object(&Active { kind: "session_active", state: members.to_raw(), recovery_nonce: nonce })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Active<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    state: RawJson,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_nonce: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Chunk<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    snapshot_id: &'a str,
    chunk_index: usize,
    total_chunks: usize,
    total_messages: usize,
    messages: &'a [RawJson],
    #[serde(rename = "final")]
    is_final: bool,
}

fn object<T: Serialize + ?Sized>(value: &T) -> RawJson {
    RawJson::new(value).expect("plain data serialises")
}

/// Groups of messages within the bounds, never empty ones. A single larger message stands alone.
fn split(messages: &[RawJson], limits: Limits) -> Vec<&[RawJson]> {
    let mut chunks = Vec::new();
    let mut start = 0;
    let mut bytes = 0;
    for (index, message) in messages.iter().enumerate() {
        let size = message.get().len();
        let full = index - start == limits.chunk_messages || bytes + size > limits.chunk;
        if full && index > start {
            chunks.push(&messages[start..index]);
            start = index;
            bytes = 0;
        }
        bytes += size;
    }
    chunks.push(&messages[start..]);
    chunks
}

/// A message no larger than `max`: content and then other large members give way to notices.
fn fit(message: &Message, max: usize) -> RawJson {
    let raw = object(message);
    let size = raw.get().len();
    if size <= max {
        return raw;
    }
    let Ok(mut members) = raw.to::<JsonObject>() else { return raw };
    let notice = format!(
        "[This message is too large to show here: {} MB, the limit is {} MB. It is complete in the session's file.]",
        size / 1_000_000,
        max / 1_000_000
    );
    if members.contains_key("content") {
        members.insert("content", object(&[serde_json::json!({ "type": "text", "text": notice })]));
    }
    for name in ["details", "toolResult", "metadata", "output"] {
        let large = members.get(name).is_some_and(|value| value.get().len() > MESSAGE_MEMBER_DROP_ABOVE_BYTES);
        if large && members.to_raw().get().len() > max {
            members.insert(name, object("[left out: too large]"));
        }
    }
    members.to_raw()
}

#[cfg(test)]
mod tests {
    use pizzapi_protocol::{AgentEvent, UserMessage};
    use pretty_assertions::assert_eq;

    use super::*;

    fn message(n: usize, size: usize) -> Message {
        Message::User(UserMessage { id: None, request_id: None, content: "x".repeat(size).into(), timestamp: n as i64 })
    }

    fn read(item: &Item) -> AgentEvent {
        item.raw.to().expect("an event")
    }

    #[test]
    fn a_small_session_is_one_event() {
        let state = State { cwd: "/w".to_owned(), queued_messages: vec!["next".to_owned()], ..State::default() };
        let items = make(&state, &[message(1, 10)], Some("nonce"), "id", Limits::default());
        assert_eq!(items.len(), 1);
        assert!(items[0].is_snapshot && items[0].class == DeliveryClass::Durable);
        let AgentEvent::SessionActive(active) = read(&items[0]) else { panic!("no snapshot") };
        assert_eq!(active.recovery_nonce.as_deref(), Some("nonce"));
        assert_eq!(active.state.messages, [message(1, 10)]);
        assert_eq!(active.state.chunked, None);
        assert_eq!(active.state.queued_messages, Some(vec!["next".to_owned()]));
    }

    #[test]
    fn a_large_session_comes_in_pieces_that_make_the_whole() {
        let limits = Limits { whole: 5_000, chunk: 3_000, chunk_messages: 4, message: 100_000 };
        let messages: Vec<_> = (0..20).map(|n| message(n, if n == 7 { 9_000 } else { n * 50 })).collect();
        let items = make(&State::default(), &messages, None, "id", limits);
        let AgentEvent::SessionActive(header) = read(&items[0]) else { panic!("no header") };
        assert_eq!((header.state.chunked, header.state.total_messages), (Some(true), Some(20)));
        assert!(header.state.messages.is_empty());
        let mut together = Vec::new();
        for (index, item) in items[1..].iter().enumerate() {
            assert_eq!(item.class, DeliveryClass::Chunk);
            let AgentEvent::SessionMessagesChunk(chunk) = read(item) else { panic!("no chunk") };
            assert_eq!(chunk.chunk_index, index as u64);
            assert_eq!(chunk.is_final, index + 2 == items.len());
            assert_eq!(chunk.total_chunks as usize, items.len() - 1);
            assert!(!chunk.messages.is_empty() && chunk.messages.len() <= 4);
            together.extend(chunk.messages);
        }
        assert_eq!(together, messages);
    }

    #[test]
    fn an_enormous_message_gives_way_to_a_notice() {
        let limits = Limits { message: 2_000_000, ..Limits::default() };
        let items = make(&State::default(), &[message(1, 3_000_000)], None, "id", limits);
        let AgentEvent::SessionActive(active) = read(&items[0]) else { panic!("no snapshot") };
        assert!(
            active.state.messages[0].text().contains("3 MB, the limit is 2 MB"),
            "{}",
            active.state.messages[0].text()
        );
    }
}

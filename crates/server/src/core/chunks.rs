//! Putting together a state that arrives in pieces.

use std::collections::BTreeMap;

use pizzapi_protocol::{JsonObject, RawJson};
use serde::Deserialize;
use serde_json::value::RawValue;

/// A sender that goes quiet this long in the middle is asked to begin anew. Units: milliseconds.
pub const STALE_AFTER_MS: i64 = 10_000;
/// Bound of what is held for one state in the making.
pub const MAX_ASSEMBLY_BYTES: usize = 96 * 1024 * 1024;
/// More pieces than any sender makes for a state of that size.
const MAX_CHUNKS: u32 = 65_536;

/// A state in the making.
#[derive(Debug)]
pub struct Assembly {
    snapshot_id: String,
    /// `state` of the header without what describes the pieces.
    metadata: JsonObject,
    /// Members of the header event beside `state` and `type`.
    extra: JsonObject,
    parts: BTreeMap<u32, RawJson>,
    total: Option<u32>,
    final_seen: bool,
    bytes: usize,
    received: u64,
    expected: u64,
    /// When the last piece came. Units: Unix milliseconds.
    pub progressed_at: i64,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    /// Not of this state, or seen before.
    Ignored,
    Progress,
    Complete,
    /// More than may be held; the assembly must be given up.
    TooLarge,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Chunk<'a> {
    snapshot_id: String,
    chunk_index: i64,
    #[serde(default)]
    total_chunks: Option<u32>,
    #[serde(borrow)]
    messages: &'a RawValue,
    #[serde(default, rename = "final")]
    is_final: bool,
}

impl Assembly {
    /// Begin with the header event. `None`: it does not name its snapshot.
    pub fn begin(header: &RawJson, now: i64) -> Option<Self> {
        let mut extra: JsonObject = header.to().ok()?;
        let mut metadata: JsonObject = extra.remove("state")?.to().ok()?;
        extra.remove("type");
        let snapshot_id: String = metadata.remove("snapshotId")?.to().ok()?;
        let expected = metadata.get_as("totalMessages").unwrap_or(0);
        for member in ["messages", "chunked", "totalMessages"] {
            metadata.remove(member);
        }
        Some(Self {
            snapshot_id,
            metadata,
            extra,
            parts: BTreeMap::new(),
            total: None,
            final_seen: false,
            bytes: 0,
            received: 0,
            expected,
            progressed_at: now,
        })
    }

    pub fn take(&mut self, chunk: &RawJson, now: i64) -> Taken {
        let Ok(chunk) = serde_json::from_str::<Chunk<'_>>(chunk.get()) else { return Taken::Ignored };
        let Ok(index) = u32::try_from(chunk.chunk_index) else { return Taken::Ignored };
        if chunk.snapshot_id != self.snapshot_id || index >= MAX_CHUNKS || !chunk.messages.get().starts_with('[') {
            return Taken::Ignored;
        }
        if self.parts.contains_key(&index) {
            return Taken::Ignored;
        }
        self.bytes += chunk.messages.get().len();
        if self.bytes > MAX_ASSEMBLY_BYTES {
            return Taken::TooLarge;
        }
        self.received +=
            serde_json::from_str::<Vec<&RawValue>>(chunk.messages.get()).map_or(0, |messages| messages.len() as u64);
        self.parts.insert(index, RawJson::from(chunk.messages.to_owned()));
        self.progressed_at = now;
        if chunk.is_final {
            self.final_seen = true;
            self.total = Some(chunk.total_chunks.unwrap_or(index + 1));
        }
        let complete = self.final_seen
            && self.total.is_some_and(|total| {
                self.parts.len() as u32 >= total && self.parts.keys().take(total as usize).copied().eq(0..total)
            });
        if complete { Taken::Complete } else { Taken::Progress }
    }

    /// Messages received, and expected in all.
    pub fn progress(&self) -> (u64, u64) {
        (self.received, self.expected.max(self.received))
    }

    pub fn is_stale(&self, now: i64) -> bool {
        now - self.progressed_at > STALE_AFTER_MS
    }

    /// The complete `session_active`, as a sender of one piece would have written it.
    pub fn finish(self) -> RawJson {
        let mut state = self.metadata;
        let mut messages = String::with_capacity(self.bytes + 2);
        messages.push('[');
        for part in self.parts.values() {
            let inner = part.get().trim();
            let inner = inner[1..inner.len() - 1].trim();
            if !inner.is_empty() {
                if messages.len() > 1 {
                    messages.push(',');
                }
                messages.push_str(inner);
            }
        }
        messages.push(']');
        let messages = RawJson::parse(messages).expect("lists of values joined by commas are a list");
        state.insert("messages", messages);
        let mut event = JsonObject::new();
        event.insert("type", RawJson::new("session_active").expect("text serialises"));
        event.insert("state", state.to_raw());
        for (key, value) in self.extra.iter() {
            event.insert(key, value.clone());
        }
        event.to_raw()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> RawJson {
        RawJson::parse(text.to_owned()).unwrap()
    }

    fn header() -> Assembly {
        Assembly::begin(
            &raw(r#"{"type":"session_active","state":{"cwd":"/x","messages":[],"chunked":true,"snapshotId":"s","totalMessages":3},"recoveryNonce":"n"}"#),
            0,
        )
        .unwrap()
    }

    fn chunk(id: &str, index: i64, messages: &str, last: bool) -> RawJson {
        raw(&format!(
            r#"{{"type":"session_messages_chunk","snapshotId":"{id}","chunkIndex":{index},"totalChunks":2,"totalMessages":3,"messages":{messages},"final":{last}}}"#
        ))
    }

    #[test]
    fn pieces_in_any_order_give_the_state_in_order() {
        let mut assembly = header();
        assert_eq!(assembly.take(&chunk("s", 1, "[3]", true), 1), Taken::Progress);
        assert_eq!(assembly.take(&chunk("s", 1, "[9]", true), 1), Taken::Ignored);
        assert_eq!(assembly.take(&chunk("t", 0, "[1,2]", false), 1), Taken::Ignored);
        assert_eq!(assembly.take(&chunk("s", -1, "[1,2]", false), 1), Taken::Ignored);
        assert_eq!(assembly.take(&chunk("s", 0, "[1, 2]", false), 2), Taken::Complete);
        assert_eq!(
            assembly.finish(),
            raw(r#"{"type":"session_active","state":{"cwd":"/x","messages":[1,2,3]},"recoveryNonce":"n"}"#)
        );
    }

    #[test]
    fn silence_makes_it_stale() {
        let mut assembly = header();
        assembly.take(&chunk("s", 0, "[]", false), 5_000);
        assert!(!assembly.is_stale(15_000));
        assert!(assembly.is_stale(15_001));
    }
}

//! How long a model thought: timed while it streams, stamped on the finished message.

use std::collections::HashMap;

use pizzapi_protocol::{JsonObject, RawJson};
use serde::Deserialize;

/// Clocks of one session. Keyed by the message's timestamp too, so that interleaved messages keep their own.
#[derive(Debug, Default)]
pub struct Clocks {
    running: HashMap<Key, i64>,
    /// Units: seconds, rounded up.
    done: HashMap<Key, i64>,
}

type Key = (i64, u32);

/// More open blocks than any message has; beyond it the oldest knowledge is worthless anyway.
const MAX_CLOCKS: usize = 256;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Update {
    #[serde(default)]
    message: Option<Stamped>,
    assistant_message_event: Step,
}

#[derive(Deserialize)]
struct Stamped {
    #[serde(default)]
    timestamp: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Step {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    content_index: u32,
}

impl Clocks {
    /// Look at a `message_update`. Most are not about thinking and cost one search for a word.
    pub fn watch(&mut self, update: &str, now: i64) {
        if !update.contains("\"thinking_start\"") && !update.contains("\"thinking_end\"") {
            return;
        }
        let Ok(update) = serde_json::from_str::<Update>(update) else { return };
        if self.running.len() + self.done.len() >= MAX_CLOCKS {
            self.clear();
        }
        let key = (update.message.map_or(0, |message| message.timestamp), update.assistant_message_event.content_index);
        match update.assistant_message_event.kind.as_str() {
            "thinking_start" => {
                self.running.insert(key, now);
            }
            "thinking_end" => {
                if let Some(began) = self.running.remove(&key) {
                    self.done.insert(key, (now - began).max(0).div_ceil_seconds());
                }
            }
            _ => {}
        }
    }

    /// Stamp the durations on a `message_end` or `turn_end`. `None`: nothing to stamp.
    pub fn stamp(&mut self, event: &RawJson) -> Option<RawJson> {
        if self.done.is_empty() {
            return None;
        }
        let mut whole: JsonObject = event.to().ok()?;
        let mut message: JsonObject = whole.get_as("message")?;
        let timestamp: i64 = message.get_as("timestamp").unwrap_or(0);
        let mut blocks: Vec<JsonObject> = message.get_as("content")?;
        let mut stamped = false;
        for (index, block) in blocks.iter_mut().enumerate() {
            let is_thinking = block.get_as::<String>("type").is_some_and(|kind| kind == "thinking");
            if is_thinking
                && !block.contains_key("durationSeconds")
                && let Some(seconds) = self.done.get(&(timestamp, index as u32))
            {
                block.insert("durationSeconds", RawJson::new(seconds).expect("a number serialises"));
                stamped = true;
            }
        }
        self.done.retain(|(of, _), _| *of != timestamp);
        self.running.retain(|(of, _), _| *of != timestamp);
        if !stamped {
            return None;
        }
        message.set("content", &blocks).ok()?;
        whole.insert("message", message.to_raw());
        Some(whole.to_raw())
    }

    pub fn clear(&mut self) {
        self.running.clear();
        self.done.clear();
    }
}

trait Seconds {
    fn div_ceil_seconds(self) -> i64;
}

impl Seconds for i64 {
    fn div_ceil_seconds(self) -> i64 {
        (self + 999) / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(kind: &str, index: u32, timestamp: i64) -> String {
        format!(
            r#"{{"type":"message_update","message":{{"role":"assistant","timestamp":{timestamp}}},"assistantMessageEvent":{{"type":"{kind}","contentIndex":{index}}}}}"#
        )
    }

    #[test]
    fn the_duration_lands_on_its_own_block_of_its_own_message() {
        let mut clocks = Clocks::default();
        clocks.watch(&step("thinking_start", 0, 7), 1_000);
        clocks.watch(&step("thinking_start", 0, 8), 1_000);
        clocks.watch(&step("thinking_end", 0, 7), 3_001);
        let end = RawJson::parse(
            r#"{"type":"message_end","message":{"role":"assistant","timestamp":7,"content":[{"type":"thinking","thinking":"x"},{"type":"text","text":"y"}]}}"#.to_owned(),
        )
        .unwrap();
        let stamped = clocks.stamp(&end).unwrap();
        assert!(stamped.get().contains(r#"{"type":"thinking","thinking":"x","durationSeconds":3}"#), "{stamped:?}");
        assert!(clocks.stamp(&end).is_none(), "once");
        clocks.watch(&step("thinking_end", 0, 8), 2_000);
        assert!(!clocks.done.is_empty(), "the other message keeps its clock");
    }
}

//! Cutting a snapshot to what a viewer needs first, and into pages for the rest.

use pizzapi_protocol::{JsonObject, RawJson};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::overlay;

/// Messages a viewer gets at once; older ones come in pages.
pub const TAIL_MESSAGES: usize = 50;
/// Most messages of one page.
pub const PAGE_MAX: usize = 200;
/// Bound of one page; at least one message is always in it. Units: bytes.
pub const PAGE_BYTES: usize = 4 * 1024 * 1024;

#[derive(Deserialize)]
struct Snapshot<'a> {
    #[serde(borrow, default)]
    state: Option<&'a RawValue>,
    #[serde(borrow, default)]
    messages: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Messages<'a> {
    #[serde(borrow, default)]
    messages: Option<&'a RawValue>,
}

fn messages_of(event: &str) -> Vec<&RawValue> {
    let Ok(snapshot) = serde_json::from_str::<Snapshot<'_>>(event) else { return Vec::new() };
    let list = match snapshot.state {
        Some(state) => serde_json::from_str::<Messages<'_>>(state.get()).ok().and_then(|state| state.messages),
        None => snapshot.messages,
    };
    list.and_then(|list| serde_json::from_str(list.get()).ok()).unwrap_or_default()
}

/// How many messages a snapshot has.
pub fn count(event: &RawJson) -> usize {
    messages_of(event.get()).len()
}

/// The snapshot with its newest messages only, `overlay` laid over its state.
///
/// Works on `session_active` (messages in `state`) and on `agent_end` (messages beside `type`).
pub fn tail(event: &RawJson, overlay: &JsonObject, keep: usize) -> RawJson {
    let messages = messages_of(event.get());
    let total = messages.len();
    let from = total.saturating_sub(keep);
    let Ok(mut whole) = event.to::<JsonObject>() else { return event.clone() };
    let mut target = whole.get_as::<JsonObject>("state");
    let inside = target.as_mut().unwrap_or(&mut whole);
    if from > 0 {
        inside.insert("messages", list(&messages[from..]));
        for (key, value) in [("totalMessages", total), ("oldestLoadedIndex", from)] {
            inside.insert(key, number(value));
        }
        inside.insert("hasMore", RawJson::parse("true".to_owned()).expect("a JSON word"));
    }
    if let Some(mut state) = target {
        overlay::apply(&mut state, overlay);
        whole.insert("state", state.to_raw());
    }
    whole.to_raw()
}

/// The snapshot in full, `overlay` laid over its state.
pub fn whole(event: &RawJson, overlay: &JsonObject) -> RawJson {
    if overlay.is_empty() { event.clone() } else { tail(event, overlay, usize::MAX) }
}

/// Messages `[from, before)` of the transcript.
#[derive(Debug)]
pub struct Page {
    pub messages: Vec<RawJson>,
    pub from: usize,
}

/// The page that ends before index `before`.
pub fn page(event: &RawJson, before: usize, limit: usize) -> Page {
    let messages = messages_of(event.get());
    let before = before.min(messages.len());
    let lowest = before.saturating_sub(limit.clamp(1, PAGE_MAX));
    let mut from = before;
    let mut bytes = 0;
    while from > lowest {
        bytes += messages[from - 1].get().len();
        if bytes > PAGE_BYTES && from < before {
            break;
        }
        from -= 1;
    }
    let messages = messages[from..before].iter().map(|message| RawJson::from((*message).to_owned())).collect();
    Page { messages, from }
}

/// Text of the newest assistant message, at most `chars` characters.
pub fn last_assistant_text(event: &RawJson, chars: usize) -> Option<String> {
    messages_of(event.get()).into_iter().rev().find_map(|message| assistant_text(message.get(), chars))
}

/// Text of `message` when an assistant wrote it.
pub fn assistant_text(message: &str, chars: usize) -> Option<String> {
    #[derive(Deserialize)]
    struct Said<'a> {
        role: &'a str,
        #[serde(borrow)]
        content: Vec<&'a RawValue>,
    }
    #[derive(Deserialize)]
    struct Block {
        #[serde(rename = "type")]
        kind: String,
        #[serde(default)]
        text: String,
    }
    let said = serde_json::from_str::<Said<'_>>(message).ok().filter(|said| said.role == "assistant")?;
    let texts: Vec<String> = said
        .content
        .iter()
        .filter_map(|block| serde_json::from_str::<Block>(block.get()).ok())
        .filter(|block| block.kind == "text" && !block.text.trim().is_empty())
        .map(|block| block.text)
        .collect();
    (!texts.is_empty()).then(|| texts.join("\n").chars().take(chars).collect())
}

fn list(messages: &[&RawValue]) -> RawJson {
    let bytes = messages.iter().map(|message| message.get().len() + 1).sum::<usize>();
    let mut text = String::with_capacity(bytes + 2);
    text.push('[');
    for (at, message) in messages.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        text.push_str(message.get());
    }
    text.push(']');
    RawJson::parse(text).expect("values joined by commas are a list")
}

fn number(value: usize) -> RawJson {
    RawJson::parse(value.to_string()).expect("digits are JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> RawJson {
        RawJson::parse(text.to_owned()).unwrap()
    }

    #[test]
    fn a_long_transcript_is_cut_and_says_so() {
        let event = raw(r#"{"type":"session_active","state":{"messages":[1,2,3],"cwd":"/x"},"recoveryNonce":"n"}"#);
        assert_eq!(
            tail(&event, &JsonObject::new(), 2),
            raw(
                r#"{"type":"session_active","state":{"messages":[2,3],"cwd":"/x","totalMessages":3,"oldestLoadedIndex":1,"hasMore":true},"recoveryNonce":"n"}"#
            )
        );
        assert_eq!(tail(&event, &JsonObject::new(), 3), event);
        let end = raw(r#"{"type":"agent_end","messages":[1,2]}"#);
        assert_eq!(
            tail(&end, &JsonObject::new(), 1),
            raw(r#"{"type":"agent_end","messages":[2],"totalMessages":2,"oldestLoadedIndex":1,"hasMore":true}"#)
        );
    }

    #[test]
    fn pages_end_where_they_were_asked_to() {
        let event = raw(r#"{"type":"session_active","state":{"messages":[0,1,2,3,4]}}"#);
        let text = |before, limit| {
            let page = page(&event, before, limit);
            (page.from, page.messages.iter().map(|message| message.get().to_owned()).collect::<Vec<_>>().join(""))
        };
        assert_eq!(text(3, 2), (1, "12".to_owned()));
        assert_eq!(text(99, 50), (0, "01234".to_owned()));
        assert_eq!(text(0, 50), (0, String::new()));
    }

    #[test]
    fn the_newest_words_of_the_assistant_are_found() {
        let event = raw(
            r#"{"type":"session_active","state":{"messages":[{"role":"assistant","content":[{"type":"text","text":"old"}]},{"role":"assistant","content":[{"type":"thinking","thinking":"x"},{"type":"text","text":"new"}]},{"role":"user","content":"hi"}]}}"#,
        );
        assert_eq!(last_assistant_text(&event, 300).as_deref(), Some("new"));
        assert_eq!(last_assistant_text(&event, 2).as_deref(), Some("ne"));
    }
}

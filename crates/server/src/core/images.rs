//! Pictures inside events: large ones become attachments, the event keeps a link.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pizzapi_protocol::RawJson;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// Smaller pictures stay where they are.
pub const EXTRACT_FROM_BYTES: usize = 10_240;

/// One picture found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The same picture of the same user has the same id.
    pub id: String,
    pub mime: String,
    pub bytes: Vec<u8>,
}

/// Could there be a picture worth taking out? Cheap: most events end here.
pub fn may_hold_images(event: &str) -> bool {
    event.len() > EXTRACT_FROM_BYTES && event.contains(r#""image""#)
}

/// Pictures of `event` that should be stored. The event itself is left as it is until they are.
pub fn find(event: &RawJson, user: &str) -> Vec<Image> {
    let Ok(mut value) = event.to::<Value>() else { return Vec::new() };
    let mut found = Vec::new();
    walk(&mut value, &mut |block| {
        if let Some((data, mime)) = inline(block)
            && let Ok(bytes) = STANDARD.decode(data.trim())
            && bytes.len() >= EXTRACT_FROM_BYTES
        {
            found.push(Image { id: id(user, data), mime, bytes });
        }
    });
    found.dedup_by(|a, b| a.id == b.id);
    found
}

/// Replace the pictures in `stored` (id → attachment and size in bytes) by links.
pub fn replace(event: &RawJson, user: &str, stored: &HashMap<String, (String, usize)>) -> RawJson {
    let Ok(mut value) = event.to::<Value>() else { return event.clone() };
    walk(&mut value, &mut |block| {
        let Some((attachment, size)) = inline(block).and_then(|(data, _)| stored.get(&id(user, data))) else { return };
        let mut source = match block.remove("source") {
            Some(Value::Object(mut source)) => {
                source.remove("data");
                source
            }
            _ => Map::new(),
        };
        source.insert("type".to_owned(), json!("url"));
        source.insert("url".to_owned(), json!(format!("/api/attachments/{attachment}")));
        source.insert("extracted".to_owned(), json!(true));
        source.insert("originalSizeBytes".to_owned(), json!(size));
        block.remove("data");
        block.insert("source".to_owned(), Value::Object(source));
    });
    if let Value::Object(event) = &mut value {
        event.insert("_imagesStripped".to_owned(), json!(true));
    }
    RawJson::from(value)
}

fn walk(value: &mut Value, visit: &mut impl FnMut(&mut Map<String, Value>)) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| walk(item, visit)),
        Value::Object(members) => {
            if members.get("type").and_then(Value::as_str) == Some("image") {
                visit(members);
            }
            members.values_mut().for_each(|member| walk(member, visit));
        }
        _ => {}
    }
}

/// Base64 text and type of a picture that stands in the event itself.
fn inline(block: &Map<String, Value>) -> Option<(&str, String)> {
    let source = block.get("source").and_then(Value::as_object);
    if source.and_then(|source| source.get("extracted")).is_some_and(|extracted| extracted == &json!(true)) {
        return None;
    }
    let data = block.get("data").and_then(Value::as_str).or_else(|| source?.get("data")?.as_str())?;
    let named = |object: &Map<String, Value>, key: &str| object.get(key).and_then(Value::as_str).map(str::to_owned);
    let mime = named(block, "mimeType")
        .or_else(|| named(source?, "media_type"))
        .or_else(|| named(source?, "mediaType"))
        .unwrap_or_else(|| "image/png".to_owned());
    let data = match data.strip_prefix("data:") {
        Some(rest) => rest.split_once(";base64,")?.1,
        None => data,
    };
    Some((data, mime))
}

fn id(user: &str, data: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(user.as_bytes());
    hash.update(b":");
    hash.update(data.as_bytes());
    hex::encode(&hash.finalize()[..12])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_picture_becomes_a_link_wherever_it_stands() {
        let data = STANDARD.encode(vec![7; 20_000]);
        let event = RawJson::from(json!({
            "type": "tool_execution_end",
            "result": {"content": [{"type": "image", "data": data, "mimeType": "image/webp"}, {"type": "text", "text": "t"}]},
        }));
        assert!(may_hold_images(event.get()));
        let images = find(&event, "u");
        assert_eq!(images.len(), 1);
        assert_eq!((images[0].mime.as_str(), images[0].bytes.len(), images[0].id.len()), ("image/webp", 20_000, 24));
        let stored = HashMap::from([(images[0].id.clone(), ("a1".to_owned(), 20_000))]);
        let after: Value = replace(&event, "u", &stored).to().unwrap();
        assert_eq!(
            after["result"]["content"][0],
            json!({"type": "image", "mimeType": "image/webp", "source": {"type": "url",
                "url": "/api/attachments/a1", "extracted": true, "originalSizeBytes": 20_000}})
        );
        assert!(find(&RawJson::from(after), "u").is_empty(), "once");
    }

    #[test]
    fn what_could_not_be_stored_stays() {
        let data = STANDARD.encode(vec![7; 20_000]);
        let event = RawJson::from(
            json!({"type": "x", "content": [{"type": "image", "source": {"data": format!("data:image/png;base64,{data}")}}]}),
        );
        assert_eq!(find(&event, "u").len(), 1);
        let after: Value = replace(&event, "u", &HashMap::new()).to().unwrap();
        assert!(after["content"][0]["source"]["data"].is_string());
    }
}

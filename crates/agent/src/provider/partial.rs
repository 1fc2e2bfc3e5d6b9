//! What is readable so far of JSON that is still being written.

use serde_json::{Map, Value};

/// Deepest nesting that is followed; a deeper part is left out.
const MAX_DEPTH: usize = 64;

/// The object begun by `text`: finished members, and the readable start of an unfinished string. Never fails.
pub fn parse(text: &str) -> Value {
    if let Ok(value @ Value::Object(_)) = serde_json::from_str::<Value>(text) {
        return value;
    }
    let mut reader = Reader { text, at: 0 };
    match reader.value(0) {
        Some(value @ Value::Object(_)) => value,
        _ => Value::Object(Map::new()),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn skip(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        if found {
            self.at += c.len_utf8();
        }
        found
    }

    fn blanks(&mut self) {
        while let Some(c) = self.peek().filter(|c| c.is_whitespace()) {
            self.at += c.len_utf8();
        }
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.blanks();
        match self.peek()? {
            '{' => Some(Value::Object(self.object(depth))),
            '[' => Some(Value::Array(self.array(depth))),
            '"' => self.string().map(|(text, _)| Value::String(text)),
            _ => self.scalar(),
        }
    }

    fn object(&mut self, depth: usize) -> Map<String, Value> {
        let mut map = Map::new();
        self.at += 1;
        loop {
            self.blanks();
            if self.peek() != Some('"') {
                self.skip('}');
                return map;
            }
            // A key still being written says nothing yet.
            let Some((key, true)) = self.string() else { return map };
            self.blanks();
            if !self.skip(':') {
                return map;
            }
            let Some(value) = self.value(depth + 1) else { return map };
            map.insert(key, value);
            self.blanks();
            if !self.skip(',') {
                self.skip('}');
                return map;
            }
        }
    }

    fn array(&mut self, depth: usize) -> Vec<Value> {
        let mut list = Vec::new();
        self.at += 1;
        loop {
            self.blanks();
            if self.skip(']') {
                return list;
            }
            let Some(value) = self.value(depth + 1) else { return list };
            list.push(value);
            self.blanks();
            if !self.skip(',') {
                self.skip(']');
                return list;
            }
        }
    }

    /// The text and whether its closing quote was seen.
    fn string(&mut self) -> Option<(String, bool)> {
        let start = self.at;
        self.at += 1;
        let mut escaped = false;
        let mut end = self.at;
        let mut last_escape = None;
        for (offset, c) in self.text[self.at..].char_indices() {
            end = self.at + offset + c.len_utf8();
            if escaped {
                escaped = false;
            } else if c == '\\' {
                escaped = true;
                last_escape = Some(self.at + offset);
            } else if c == '"' {
                self.at = end;
                return serde_json::from_str(&self.text[start..end]).ok().map(|text| (text, true));
            }
        }
        self.at = self.text.len();
        // Close it ourselves; a cut escape sequence is left out.
        let close = |body: &str| serde_json::from_str::<String>(&format!("{body}\"")).ok();
        let text = close(&self.text[start..end])
            .or_else(|| last_escape.and_then(|cut| close(&self.text[start..cut])))
            // The first half of a surrogate pair before the cut one.
            .or_else(|| {
                last_escape.filter(|cut| *cut >= start + 7).and_then(|cut| close(&self.text[start..cut - 6]))
            })?;
        Some((text, false))
    }

    fn scalar(&mut self) -> Option<Value> {
        let rest = &self.text[self.at..];
        let len = rest.find([',', '}', ']', ' ', '\n', '\r', '\t']);
        // At the end of the text a number may still grow.
        let len = len?;
        let value = serde_json::from_str(&rest[..len]).ok()?;
        self.at += len;
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn what_is_written_so_far_is_readable() {
        assert_eq!(parse(r#"{"path": "src/ma"#), json!({"path": "src/ma"}));
        assert_eq!(parse(r#"{"path": "a", "con"#), json!({"path": "a"}));
        assert_eq!(parse(r#"{"a": [1, {"b": "x\"#), json!({"a": [1, {"b": "x"}]}));
        assert_eq!(parse(r#"{"limit": 12"#), json!({}));
        assert_eq!(parse(r#"{"t": "\ud83d\ude"#), json!({"t": ""}));
        assert_eq!(parse(""), json!({}));
        assert_eq!(parse("null"), json!({}));
    }

    proptest! {
        #[test]
        fn no_prefix_of_an_object_fails_and_the_whole_is_exact(
            map in proptest::collection::btree_map("[a-z\"\\\\ é]{0,6}", "[ -~é😀\n\"\\\\]{0,20}", 0..4)
        ) {
            let text = serde_json::to_string(&map).expect("serialises");
            for (end, _) in text.char_indices() {
                prop_assert!(parse(&text[..end]).is_object());
            }
            prop_assert_eq!(parse(&text), serde_json::to_value(&map).expect("serialises"));
        }
    }
}

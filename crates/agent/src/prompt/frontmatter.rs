//! The head of a Markdown file between `---` lines: one parser for skills, agents, commands and templates.

use std::collections::BTreeMap;

/// What a head says, and the text below it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Document {
    pub fields: BTreeMap<String, String>,
    pub body: String,
}

impl Document {
    /// Understands `key: value`, quotes, `|` and `>` blocks, and lists in either form (joined by commas).
    pub fn parse(text: &str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let Some(rest) = text.strip_prefix("---\n").or_else(|| text.strip_prefix("---\r\n")) else {
            return Self { fields: BTreeMap::new(), body: text.to_owned() };
        };
        let mut head = Vec::new();
        let mut used = 0;
        let mut closed = false;
        for line in rest.split_inclusive('\n') {
            used += line.len();
            let line = line.trim_end();
            if line == "---" {
                closed = true;
                break;
            }
            head.push(line);
        }
        if !closed {
            return Self { fields: BTreeMap::new(), body: text.to_owned() };
        }
        Self { fields: fields(&head), body: rest[used..].trim_start_matches(['\r', '\n']).to_owned() }
    }

    pub fn get(&self, key: &str) -> Option<&str> {
        self.fields.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub fn flag(&self, key: &str) -> bool {
        self.get(key).is_some_and(|value| matches!(value, "true" | "yes" | "1"))
    }

    /// A list written with commas, brackets or dashes.
    pub fn list(&self, key: &str) -> Option<Vec<String>> {
        let value = self.get(key)?;
        let items = value.trim_start_matches('[').trim_end_matches(']').split(',');
        Some(items.map(|item| unquoted(item.trim()).to_owned()).filter(|item| !item.is_empty()).collect())
    }
}

fn fields(head: &[&str]) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    let mut at = 0;
    while at < head.len() {
        let line = head[at];
        at += 1;
        if line.starts_with([' ', '\t', '#', '-']) {
            continue;
        }
        let Some((key, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        let mut nested = Vec::new();
        while at < head.len()
            && (head[at].starts_with([' ', '\t']) || head[at].starts_with("- ") || head[at].is_empty())
        {
            nested.push(head[at].trim());
            at += 1;
        }
        let value = match value {
            "|" | "|-" => nested.join("\n").trim().to_owned(),
            ">" | ">-" => nested.join(" ").trim().to_owned(),
            "" => nested
                .iter()
                .map(|item| unquoted(item.strip_prefix('-').unwrap_or(item).trim()))
                .filter(|item| !item.is_empty())
                .collect::<Vec<_>>()
                .join(", "),
            value => unquoted(value).to_owned(),
        };
        fields.insert(key.trim().to_owned(), value);
    }
    fields
}

fn unquoted(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote).and_then(|value| value.strip_suffix(quote)) {
            return inner;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_of_all_common_forms_are_read() {
        let document = Document::parse(
            "---\nname: x\ndescription: >\n  two\n  lines\ntools: [Read, \"Bash\"]\nlist:\n  - a\n  - b\nquoted: \"a: b\"\n---\n\nbody\n",
        );
        assert_eq!(document.get("description"), Some("two lines"));
        assert_eq!(document.list("tools"), Some(vec!["Read".into(), "Bash".into()]));
        assert_eq!(document.list("list"), Some(vec!["a".into(), "b".into()]));
        assert_eq!(document.get("quoted"), Some("a: b"));
        assert_eq!(document.body, "body\n");
    }

    #[test]
    fn a_file_without_a_head_is_all_body() {
        for text in ["# hi\n", "---\nname: never closed\n"] {
            assert_eq!(Document::parse(text).body, text);
        }
    }
}

//! Values that must not be seen by chance.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A value that logs and error messages cannot show. Writing it to a file is deliberate, hence `Serialize`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. Search for this word to find every place where secrets leave their wrapping.
    pub fn reveal(&self) -> &T {
        &self.0
    }

    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl<T> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

/// Enough of a key to recognise it: `set` for short ones, else its first and last four characters.
pub fn mask(key: &str) -> String {
    let letters: Vec<char> = key.chars().collect();
    match letters.len() {
        0 => "unset".to_owned(),
        1..=8 => "set".to_owned(),
        length => {
            let (first, last) = (&letters[..4], &letters[length - 4..]);
            format!("{}…{}", first.iter().collect::<String>(), last.iter().collect::<String>())
        }
    }
}

/// What shows instead of a secret member of a configuration.
pub const REDACTED: &str = "[redacted]";

/// A configuration fit for showing: keys and secrets masked, values of environments and headers hidden, logins cut out of URLs.
pub fn redact(value: &mut serde_json::Value) {
    use serde_json::Value;

    match value {
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                let word: String = name.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
                let word = word.to_ascii_lowercase();
                match member {
                    Value::Object(values) if matches!(&*word, "env" | "envoverrides" | "headers") => {
                        for value in values.values_mut() {
                            *value = Value::from(REDACTED);
                        }
                    }
                    Value::String(text) if word.ends_with("apikey") => *text = mask(text),
                    Value::String(text) if is_secret_name(&word) => *text = REDACTED.to_owned(),
                    member => redact(member),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact),
        Value::String(text) => {
            if let Some(clean) = without_login(text) {
                *text = clean;
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn is_secret_name(word: &str) -> bool {
    ["secret", "token", "password", "passwd", "cookie", "bearer", "credential", "privatekey", "authorization"]
        .iter()
        .any(|part| word.contains(part))
        // Limits and the like speak of tokens without being one.
        && !["tokenthreshold", "maxtokens", "tokens"].iter().any(|harmless| word.ends_with(harmless))
}

/// The URL without user and password; `None` when the text is no URL or carries none.
pub(crate) fn without_login(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    if scheme.is_empty() || !scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')) {
        return None;
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let (_, host) = authority.rsplit_once('@')?;
    Some(format!("{scheme}://{host}{tail}"))
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_secret_does_not_show_in_debug_output() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "[secret]");
        assert_eq!(*Secret::new("hunter2").reveal(), "hunter2");
    }

    #[test]
    fn keys_are_recognisable_but_not_usable() {
        assert_eq!(mask(""), "unset");
        assert_eq!(mask("12345678"), "set");
        assert_eq!(mask("abcd1234wxyz"), "abcd…wxyz");
    }

    #[test]
    fn a_shown_configuration_hides_what_opens_doors() {
        let mut config = json!({
            "apiKey": "abcd1234wxyz",
            "oauthClientSecret": "s",
            "relayUrl": "wss://ana:pw@host/x@y",
            "toolSearch": {"tokenThreshold": 10},
            "mcpServers": {"a": {"env": {"X": "1"}, "headers": {"Y": "2"}, "url": "http://h"}},
        });
        redact(&mut config);
        assert_eq!(
            config,
            json!({
                "apiKey": "abcd…wxyz",
                "oauthClientSecret": REDACTED,
                "relayUrl": "wss://host/x@y",
                "toolSearch": {"tokenThreshold": 10},
                "mcpServers": {"a": {"env": {"X": REDACTED}, "headers": {"Y": REDACTED}, "url": "http://h"}},
            })
        );
    }
}

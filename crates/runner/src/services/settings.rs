//! The configuration of this machine as the browser may see and change it: without the relay key, with secrets masked.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::{Failure, Reply};
use crate::identity::write_private;

/// Stands for a secret that is not shown. Sent back unchanged, it means "as it was".
const MASK: &str = "***";
/// Never leave the machine and cannot be changed from the browser.
const OWN: [&str; 2] = ["apiKey", "relayUrl"];
const SECRET_WORDS: [&str; 9] =
    ["key", "token", "secret", "password", "credential", "authorization", "cookie", "pat", "bearer"];
/// Sections that live in `settings.json`, and the member they are written to; `None` merges the object itself.
const AGENT_SECTIONS: [&str; 2] = ["tuiPreferences", "models"];
const CONFIG_SECTIONS: [&str; 11] = [
    "mcpServers",
    "mcp",
    "hooks",
    "sandbox",
    "webSearch",
    "providerOverrides",
    "toolSearch",
    "security",
    "envVars",
    "systemPrompt",
    "goal",
];
const RELOADABLE: [&str; 3] = ["mcpServers", "mcp", "toolSearch"];
const SANDBOX_MODES: [&str; 3] = ["none", "basic", "full"];

/// The files of one home directory.
#[derive(Debug, Clone)]
pub struct Settings {
    home: PathBuf,
}

impl Settings {
    pub fn new(home: impl Into<PathBuf>) -> Self {
        Self { home: home.into() }
    }

    pub fn get(&self) -> Reply {
        Ok(
            json!({ "config": self.masked()?, "tuiSettings": self.read("settings.json")?, "agentsMd": self.agents_md() }),
        )
    }

    pub fn update(&self, section: &str, value: Value) -> Reply {
        let message = "Changes will apply on next session start.";
        match section {
            "agentsMd" => {
                let text = value.as_str().ok_or_else(|| Failure::new("agentsMd must be text"))?;
                self.write("AGENTS.md", text.as_bytes())?;
            }
            section if AGENT_SECTIONS.contains(&section) => {
                let Value::Object(members) = value else {
                    return Err(Failure::new(format!("{section} must be an object")));
                };
                let mut settings = self.read("settings.json")?;
                merge(&mut settings, members);
                self.write_json("settings.json", &settings)?;
            }
            section if CONFIG_SECTIONS.contains(&section) => {
                if section == "sandbox" {
                    sandbox_mode(&value)?;
                }
                let mut config = self.read("config.json")?;
                let value = unmask(value, config.get(section));
                match value {
                    Value::Null => config.remove(section),
                    value => config.insert(section.to_owned(), value),
                };
                self.write_json("config.json", &config)?;
            }
            other => return Err(Failure::new(format!("unknown settings section `{other}`"))),
        }
        let mut answer = json!({ "saved": true, "message": message, "config": self.masked()? });
        if RELOADABLE.contains(&section) {
            answer["reloadHint"] = true.into();
        }
        Ok(answer)
    }

    pub fn sandbox_status(&self) -> Reply {
        let config = self.read("config.json")?;
        let raw = config.get("sandbox").cloned().unwrap_or_else(|| json!({}));
        let mode =
            raw.get("mode").and_then(Value::as_str).filter(|mode| SANDBOX_MODES.contains(mode)).unwrap_or("none");
        Ok(json!({
            "mode": mode, "active": false, "configured": config.contains_key("sandbox"), "platform": std::env::consts::OS,
            "violations": 0, "recentViolations": [], "config": raw, "rawConfig": raw,
        }))
    }

    pub fn sandbox_update(&self, change: Value) -> Reply {
        sandbox_mode(&change)?;
        let Value::Object(change) = change else { return Err(Failure::new("Invalid sandbox config body")) };
        let mut config = self.read("config.json")?;
        let mut sandbox = match config.remove("sandbox") {
            Some(Value::Object(sandbox)) => sandbox,
            _ => Map::new(),
        };
        merge(&mut sandbox, change);
        config.insert("sandbox".to_owned(), Value::Object(sandbox.clone()));
        self.write_json("config.json", &config)?;
        Ok(json!({ "saved": true, "resolvedConfig": sandbox, "message": "Changes will apply on next session start." }))
    }

    fn masked(&self) -> Result<Value, Failure> {
        let mut config = self.read("config.json")?;
        for own in OWN {
            config.remove(own);
        }
        let mut config = Value::Object(config);
        mask(&mut config, false);
        Ok(config)
    }

    fn agents_md(&self) -> String {
        std::fs::read_to_string(self.home.join("AGENTS.md")).unwrap_or_default()
    }

    /// A missing file is an empty object; a damaged one is an error, because writing would lose what stands in it.
    fn read(&self, name: &str) -> Result<Map<String, Value>, Failure> {
        let path = self.home.join(name);
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| Failure::new(format!("failed to read `{}`: {error}", path.display()))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Map::new()),
            Err(error) => Err(Failure::new(format!("failed to read `{}`: {error}", path.display()))),
        }
    }

    fn write_json(&self, name: &str, value: &Map<String, Value>) -> Result<(), Failure> {
        self.write(name, &serde_json::to_vec_pretty(value).expect("a JSON object serialises"))
    }

    fn write(&self, name: &str, content: &[u8]) -> Result<(), Failure> {
        let path: &Path = &self.home.join(name);
        write_private(path, content)
            .map_err(|error| Failure::new(format!("failed to write `{}`: {error}", path.display())))
    }
}

fn sandbox_mode(value: &Value) -> Result<(), Failure> {
    match value.get("mode") {
        Some(Value::String(mode)) if !SANDBOX_MODES.contains(&mode.as_str()) => {
            Err(Failure::new(format!("Invalid mode \"{mode}\"")))
        }
        _ => Ok(()),
    }
}

/// Objects are merged member by member, null removes, anything else replaces.
fn merge(into: &mut Map<String, Value>, change: Map<String, Value>) {
    for (name, value) in change {
        match (into.get_mut(&name), value) {
            (_, Value::Null) => drop(into.remove(&name)),
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
            (_, value) => drop(into.insert(name, value)),
        }
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    SECRET_WORDS.iter().any(|word| name == *word || name.contains(word) && *word != "pat")
}

/// Replace secret texts. Inside `env` and `headers` every value whose name sounds secret is one.
fn mask(value: &mut Value, inside_secret: bool) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                mask(member, is_secret(name) && !member.is_object());
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| mask(item, inside_secret)),
        Value::String(text) if inside_secret && !text.is_empty() => *text = MASK.to_owned(),
        _ => {}
    }
}

/// Put back what was masked, from what is stored at the same place.
fn unmask(value: Value, stored: Option<&Value>) -> Value {
    match value {
        Value::String(text) if text == MASK => stored.cloned().unwrap_or(Value::Null),
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .map(|(name, member)| (name.clone(), unmask(member, stored.and_then(|old| old.get(&name)))))
                .collect(),
        ),
        Value::Array(items) => Value::Array(
            items
                .into_iter()
                .enumerate()
                .map(|(index, item)| unmask(item, stored.and_then(|old| old.get(index))))
                .collect(),
        ),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(config: Value) -> (tempfile::TempDir, Settings) {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("config.json"), config.to_string()).expect("written");
        let settings = Settings::new(folder.path());
        (folder, settings)
    }

    #[test]
    fn secrets_are_masked_and_survive_being_sent_back() {
        let server = json!({ "command": "x", "env": { "API_TOKEN": "hush", "MODE": "fast" } });
        let (folder, settings) =
            settings(json!({ "apiKey": "k", "relayUrl": "r", "later": 1, "mcpServers": { "a": server } }));
        let shown = settings.get().expect("read")["config"].clone();
        assert_eq!(
            shown,
            json!({ "later": 1, "mcpServers": { "a": { "command": "x", "env": { "API_TOKEN": "***", "MODE": "fast" } } } })
        );
        settings.update("mcpServers", shown["mcpServers"].clone()).expect("saved");
        let stored: Value =
            serde_json::from_slice(&std::fs::read(folder.path().join("config.json")).expect("read")).expect("JSON");
        assert_eq!(stored, json!({ "apiKey": "k", "relayUrl": "r", "later": 1, "mcpServers": { "a": server } }));
    }

    #[test]
    fn a_damaged_file_is_reported_and_not_overwritten() {
        let (folder, settings) = settings(json!({}));
        std::fs::write(folder.path().join("config.json"), "{ \"a\": 1,, }").expect("written");
        let failure = settings.update("hooks", json!({})).expect_err("refused");
        assert!(failure.message.contains("line 1 column"), "{}", failure.message);
        assert!(std::fs::read_to_string(folder.path().join("config.json")).expect("read").contains(",,"));
    }

    #[test]
    fn the_sandbox_merges_and_refuses_unknown_modes() {
        let (_folder, settings) = settings(json!({ "sandbox": { "mode": "basic", "network": { "allow": ["a"] } } }));
        let saved = settings.sandbox_update(json!({ "network": { "deny": ["b"] } })).expect("saved");
        assert_eq!(saved["resolvedConfig"], json!({ "mode": "basic", "network": { "allow": ["a"], "deny": ["b"] } }));
        assert_eq!(settings.sandbox_update(json!({ "mode": "x" })).expect_err("refused").message, "Invalid mode \"x\"");
    }
}

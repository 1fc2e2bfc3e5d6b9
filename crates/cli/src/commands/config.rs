//! `pizzapi config show`: the settings in force, without their secrets.

use std::process::ExitCode;

use serde_json::{Map, Value, json};

use super::Program;
use crate::output;

/// Words that make a member a secret.
const SECRET_WORDS: [&str; 9] =
    ["secret", "token", "password", "passwd", "cookie", "bearer", "credential", "private_key", "privatekey"];
/// Objects whose values are secrets whatever they are called.
const SECRET_MAPS: [&str; 3] = ["env", "envOverrides", "headers"];

pub fn show(program: &Program) -> anyhow::Result<ExitCode> {
    let relay = program.relay();
    let (global, problem) = program.home.config();
    if let Some(problem) = problem {
        output::warning(problem);
    }
    let (project, problem) = read_project(program);
    if let Some(problem) = problem {
        output::warning(problem);
    }
    let key = match &relay.key {
        None => "unset".to_owned(),
        Some(key) => format!("{} (from {})", masked(key), relay.key_source),
    };
    let effective = json!({
        "apiKey": key,
        "relayUrl": relay.url.as_deref().map_or("off".to_owned(), without_user),
        "agentDir": program.home.dir,
        "config": redact_object(&merge(global, project)),
    });
    output::line(serde_json::to_string_pretty(&effective)?);
    Ok(ExitCode::SUCCESS)
}

fn read_project(program: &Program) -> (Map<String, Value>, Option<String>) {
    let path = program.cwd.join(".pizzapi/config.json");
    // In the home directory itself both files are one.
    if path == program.home.config_file() {
        return (Map::new(), None);
    }
    match std::fs::read_to_string(&path) {
        Err(_) => (Map::new(), None),
        Ok(content) => match serde_json::from_str(&content) {
            Ok(object) => (object, None),
            Err(error) => (Map::new(), Some(format!("`{}` is not a JSON object: {error}", path.display()))),
        },
    }
}

/// A project's members win, except those that decide whom this machine talks to and trusts.
fn merge(global: Map<String, Value>, project: Map<String, Value>) -> Map<String, Value> {
    const GLOBAL_WINS: [&str; 2] = ["apiKey", "relayUrl"];
    const GLOBAL_ONLY: [&str; 5] =
        ["allowProjectHooks", "allowProjectMcp", "trustedPlugins", "subagent", "overlayServiceGrants"];
    let mut merged = global;
    for (key, value) in project {
        let keep = GLOBAL_ONLY.contains(&key.as_str()) || (GLOBAL_WINS.contains(&key.as_str()) && merged.contains_key(&key));
        if !keep {
            merged.insert(key, value);
        }
    }
    merged
}

fn masked(key: &str) -> String {
    let characters: Vec<char> = key.chars().collect();
    if characters.len() <= 8 {
        return "set".to_owned();
    }
    let head: String = characters[..4].iter().collect();
    let tail: String = characters[characters.len() - 4..].iter().collect();
    format!("{head}…{tail}")
}

fn without_user(text: &str) -> String {
    match url::Url::parse(text) {
        Ok(mut parsed) if !parsed.username().is_empty() || parsed.password().is_some() => {
            // Addresses that cannot carry a user have none to remove.
            let _ = parsed.set_username("");
            let _ = parsed.set_password(None);
            parsed.to_string()
        }
        _ => text.to_owned(),
    }
}

fn redact_object(object: &Map<String, Value>) -> Value {
    let members = object.iter().map(|(key, value)| {
        let lower = key.to_lowercase();
        let shown = match value {
            Value::Object(inner) if SECRET_MAPS.contains(&key.as_str()) => {
                Value::Object(inner.keys().map(|name| (name.clone(), json!("[redacted]"))).collect())
            }
            Value::String(text) if lower.contains("apikey") || lower.contains("api_key") => masked(text).into(),
            _ if SECRET_WORDS.iter().any(|word| lower.contains(word)) => json!("[redacted]"),
            other => redact(other),
        };
        (key.clone(), shown)
    });
    Value::Object(members.collect())
}

fn redact(value: &Value) -> Value {
    match value {
        Value::Object(object) => redact_object(object),
        Value::Array(items) => Value::Array(items.iter().map(redact).collect()),
        Value::String(text) => without_user(text).into(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn no_secret_is_shown() {
        let config = object(json!({
            "apiKey": "abcd1234efgh5678",
            "relayUrl": "wss://ana:pw@relay.example/x",
            "mcpServers": {"db": {"command": "x", "env": {"DB_PASSWORD": "hush"}, "headers": {"Authorization": "hush"}}},
            "oauthClientSecret": "hush",
            "list": [{"token": "hush"}],
        }));
        let shown = redact_object(&config);
        assert_eq!(shown["apiKey"], "abcd…5678");
        assert_eq!(shown["relayUrl"], "wss://relay.example/x");
        assert!(!shown.to_string().contains("hush"));
        assert_eq!(shown["mcpServers"]["db"]["command"], "x");
    }

    #[test]
    fn a_project_cannot_move_the_machine_to_another_relay() {
        let global = object(json!({"apiKey": "mine", "sendAgentsMd": true}));
        let project = object(json!({"apiKey": "theirs", "allowProjectHooks": true, "sendAgentsMd": false}));
        let merged = Value::Object(merge(global, project));
        assert_eq!(merged, json!({"apiKey": "mine", "sendAgentsMd": false}));
    }
}

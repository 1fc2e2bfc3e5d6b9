//! `settings.json`: preferences of the user, and of a trusted project.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use pizzapi_protocol::ThinkingLevel;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::model::ThinkingBudgets;
use crate::model::auth::write_private;
use crate::permission::PermissionSettings;
use crate::provider::retry::RetrySettings;
use crate::queue::QueueMode;
use crate::transcript::compact::CompactionSettings;

/// What the agent reads. Members of the user interface are kept in the file and not read here.
#[derive(Debug, Clone, PartialEq, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    pub default_provider: Option<String>,
    pub default_model: Option<String>,
    pub default_thinking_level: Option<ThinkingLevel>,
    pub enabled_models: Vec<String>,
    pub thinking_budgets: ThinkingBudgets,
    pub fallback_models: Vec<String>,
    pub steering_mode: QueueMode,
    pub follow_up_mode: QueueMode,
    pub compaction: CompactionSettings,
    pub retry: RetrySettings,
    /// Units: milliseconds; 0 = off.
    pub http_idle_timeout_ms: Option<u64>,
    pub default_tools: Option<Vec<String>>,
    pub shell_path: Option<PathBuf>,
    pub shell_command_prefix: Option<String>,
    pub images: ImageSettings,
    pub permissions: PermissionSettings,
    pub default_project_trust: ProjectTrust,
    pub enable_skill_commands: Option<bool>,
    pub skills: Vec<String>,
    pub session_dir: Option<PathBuf>,
    pub system_prompt: Option<String>,
    pub append_system_prompt: Option<String>,
    pub send_agents_md: Option<bool>,
    pub bash: BashSettings,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum ProjectTrust {
    #[default]
    Ask,
    Always,
    Never,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ImageSettings {
    pub auto_resize: bool,
    pub block_images: bool,
}

impl Default for ImageSettings {
    fn default() -> Self {
        Self { auto_resize: true, block_images: false }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub struct BashSettings {
    /// After this long a command goes on in the background. Units: seconds.
    pub background_after_seconds: Option<u64>,
}

/// The file and what it says.
#[derive(Debug)]
pub struct SettingsFile {
    path: PathBuf,
    project: Option<PathBuf>,
}

impl SettingsFile {
    pub fn new(agent_dir: &Path, trusted_project: Option<&Path>) -> Self {
        Self {
            path: agent_dir.join("settings.json"),
            project: trusted_project.map(|cwd| cwd.join(".pizzapi").join("settings.json")),
        }
    }

    /// User settings with those of the project on top. Problems come as warnings; what is readable counts.
    pub fn load(&self) -> (Settings, Vec<String>) {
        let mut warnings = Vec::new();
        let mut merged = read(&self.path, &mut warnings);
        if let Some(project) = &self.project {
            let mut over = read(project, &mut warnings);
            // A project cannot lift what guards against it.
            for key in ["defaultProjectTrust", "httpProxy", "permissions"] {
                over.remove(key);
            }
            merge(&mut merged, over);
        }
        (lenient(merged, &mut warnings), warnings)
    }

    /// Change top-level members of the user's file, keeping everything else, whoever wrote it.
    pub fn change(&self, members: &[(&str, Value)]) -> std::io::Result<()> {
        if let Some(dir) = self.path.parent() {
            fs::create_dir_all(dir)?;
        }
        let lock = fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.path.with_extension("json.lock"))?;
        lock.lock()?;
        let mut map = match fs::read_to_string(&self.path) {
            // A broken file is the user's to mend: do not replace it.
            Ok(text) => serde_json::from_str::<Map<String, Value>>(&text).map_err(std::io::Error::other)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Map::new(),
            Err(error) => return Err(error),
        };
        for (key, value) in members {
            map.insert((*key).to_owned(), value.clone());
        }
        let text = serde_json::to_string_pretty(&map)?;
        write_private(&self.path, text.as_bytes())
    }
}

fn read(path: &Path, warnings: &mut Vec<String>) -> Map<String, Value> {
    let Ok(text) = fs::read_to_string(path) else { return Map::new() };
    match serde_json::from_str(&text) {
        Ok(map) => map,
        Err(error) => {
            warnings.push(format!("`{}` was ignored: {error}", path.display()));
            Map::new()
        }
    }
}

fn merge(base: &mut Map<String, Value>, over: Map<String, Value>) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Object(base)), Value::Object(over)) => merge(base, over),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

/// A member that cannot be read costs only itself.
fn lenient(map: Map<String, Value>, warnings: &mut Vec<String>) -> Settings {
    if let Ok(settings) = serde_json::from_value(Value::Object(map.clone())) {
        return settings;
    }
    let mut good = BTreeMap::new();
    for (key, value) in map {
        let alone: Map<String, Value> = [(key.clone(), value.clone())].into_iter().collect();
        match serde_json::from_value::<Settings>(Value::Object(alone)) {
            Ok(_) => {
                good.insert(key, value);
            }
            Err(error) => warnings.push(format!("settings: `{key}` was ignored: {error}")),
        }
    }
    serde_json::from_value(Value::Object(good.into_iter().collect())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_project_adds_to_the_user_and_cannot_lift_permissions() {
        let dir = tempfile::tempdir().expect("temp dir");
        let project = dir.path().join("p");
        fs::create_dir_all(project.join(".pizzapi")).expect("made");
        fs::write(
            dir.path().join("settings.json"),
            r#"{"retry":{"maxRetries":7,"baseDelayMs":5},"theme":"x","permissions":{"deny":["bash(rm *)"]}}"#,
        )
        .expect("written");
        fs::write(
            project.join(".pizzapi/settings.json"),
            r#"{"retry":{"maxRetries":1},"permissions":{"allow":["bash"]}}"#,
        )
        .expect("written");
        let file = SettingsFile::new(dir.path(), Some(&project));
        let (settings, warnings) = file.load();
        assert_eq!((settings.retry.max_retries, settings.retry.base_delay_ms), (1, 5));
        assert!(settings.permissions.allow.is_empty());
        assert!(warnings.is_empty());
        file.change(&[("defaultModel", json!("m"))]).expect("saved");
        let text = fs::read_to_string(dir.path().join("settings.json")).expect("kept");
        assert!(text.contains("\"theme\": \"x\"") && text.contains("\"defaultModel\": \"m\""));
    }

    #[test]
    fn a_bad_member_costs_only_itself() {
        let dir = tempfile::tempdir().expect("temp dir");
        fs::write(dir.path().join("settings.json"), r#"{"steeringMode":7,"defaultModel":"m"}"#).expect("written");
        let (settings, warnings) = SettingsFile::new(dir.path(), None).load();
        assert_eq!(settings.default_model.as_deref(), Some("m"));
        assert_eq!(warnings.len(), 1);
    }
}

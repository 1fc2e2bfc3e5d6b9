//! The members of `config.json` that concern the agent, from the user and, where trusted, from the project.

use std::path::Path;

use serde_json::{Map, Value};

/// Both files as they are. Project members win, as far as the project is trusted.
#[derive(Debug, Default, Clone)]
pub struct UserConfig {
    global: Map<String, Value>,
    project: Map<String, Value>,
}

impl UserConfig {
    /// Missing or broken files count as empty; what is wrong is told.
    pub fn load(agent_dir: &Path, cwd: &Path, trusted: bool) -> (Self, Vec<String>) {
        let mut warnings = Vec::new();
        let mut read = |path: &Path| -> Map<String, Value> {
            match std::fs::read_to_string(path) {
                Ok(text) => serde_json::from_str(&text).unwrap_or_else(|error| {
                    warnings.push(format!("`{}` was ignored: {error}", path.display()));
                    Map::new()
                }),
                Err(_) => Map::new(),
            }
        };
        let global = read(&agent_dir.join("config.json"));
        let project = if trusted { read(&cwd.join(".pizzapi").join("config.json")) } else { Map::new() };
        (Self { global, project }, warnings)
    }

    pub fn get(&self, key: &str) -> Option<&Value> {
        self.project.get(key).or_else(|| self.global.get(key)).filter(|value| !value.is_null())
    }

    pub fn global(&self, key: &str) -> Option<&Value> {
        self.global.get(key).filter(|value| !value.is_null())
    }

    pub fn project(&self, key: &str) -> Option<&Value> {
        self.project.get(key).filter(|value| !value.is_null())
    }

    pub fn flag(&self, key: &str) -> Option<bool> {
        self.get(key)?.as_bool()
    }

    pub fn global_flag(&self, key: &str) -> bool {
        self.global(key).and_then(Value::as_bool).unwrap_or(false)
    }

    pub fn text(&self, key: &str) -> Option<String> {
        self.get(key)?.as_str().map(str::to_owned)
    }

    pub fn texts(&self, key: &str) -> Vec<String> {
        self.get(key)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    }
}

/// Is the folder trusted? The nearest ancestor that `trust.json` names decides; unknown means no.
pub fn is_trusted(agent_dir: &Path, cwd: &Path) -> Option<bool> {
    let text = std::fs::read_to_string(agent_dir.join("trust.json")).ok()?;
    let map: Map<String, Value> = serde_json::from_str(&text).ok()?;
    cwd.ancestors().find_map(|dir| map.get(&*dir.to_string_lossy()).and_then(Value::as_bool))
}

/// Remember whether a folder is trusted.
pub fn set_trusted(agent_dir: &Path, cwd: &Path, trusted: bool) -> std::io::Result<()> {
    let path = agent_dir.join("trust.json");
    let mut map: Map<String, Value> = match std::fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Map::new(),
        Err(error) => return Err(error),
    };
    map.insert(cwd.to_string_lossy().into_owned(), Value::Bool(trusted));
    std::fs::create_dir_all(agent_dir)?;
    crate::model::auth::write_private(&path, serde_json::to_string_pretty(&map)?.as_bytes())
}

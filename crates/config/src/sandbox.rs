//! The sandbox section: what a session may touch. A project can only take away.

use std::path::Path;

use pizzapi_protocol::runner_reply::SandboxMode;
use serde_json::{Map, Value};

/// How a session is shut in. Lists add to or replace what the mode implies; see the sandbox itself.
#[derive(Debug, Clone, PartialEq)]
pub struct SandboxConfig {
    pub mode: SandboxMode,
    /// Was a mode written down at all?
    pub configured: bool,
    pub filesystem: FilesystemRules,
    pub network: NetworkRules,
    /// All other switches, from the user's file.
    pub other: Map<String, Value>,
}

impl Default for SandboxConfig {
    fn default() -> Self {
        Self {
            mode: SandboxMode::Basic,
            configured: false,
            filesystem: FilesystemRules::default(),
            network: NetworkRules::default(),
            other: Map::new(),
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FilesystemRules {
    /// Besides what the mode denies.
    pub deny_read: Vec<String>,
    /// Instead of what the mode allows.
    pub allow_write: Option<Vec<String>>,
    /// Besides what the mode denies.
    pub deny_write: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct NetworkRules {
    /// Only these; `None`: whatever the mode says.
    pub allowed_domains: Option<Vec<String>>,
    pub denied_domains: Vec<String>,
    /// All other switches, from the user's file.
    pub other: Map<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` in {place} is no sandbox mode: use none, basic or full")]
pub struct UnknownSandboxMode {
    pub word: String,
    pub place: String,
}

/// `none`, `basic`, `full`, or their older names `off`, `audit`, `enforce`.
pub fn parse_mode(word: &str, place: &str) -> Result<SandboxMode, UnknownSandboxMode> {
    match word.trim().to_ascii_lowercase().as_str() {
        "none" | "off" => Ok(SandboxMode::None),
        "basic" | "audit" => Ok(SandboxMode::Basic),
        "full" | "enforce" => Ok(SandboxMode::Full),
        _ => Err(UnknownSandboxMode { word: word.to_owned(), place: place.to_owned() }),
    }
}

const fn strictness(mode: SandboxMode) -> u8 {
    match mode {
        SandboxMode::None => 0,
        SandboxMode::Basic => 1,
        SandboxMode::Full => 2,
    }
}

/// The user's section, tightened by the project's.
pub(crate) fn merge(
    user: Option<(&Value, &Path)>,
    project: Option<(&Value, &Path)>,
    warnings: &mut Vec<String>,
) -> Result<SandboxConfig, UnknownSandboxMode> {
    let mut config = match user {
        Some((value, path)) => read(value, path, warnings)?,
        None => SandboxConfig::default(),
    };
    let Some((value, path)) = project else { return Ok(config) };
    let tighter = read(value, path, warnings)?;

    if tighter.configured && strictness(tighter.mode) > strictness(config.mode) {
        config.mode = tighter.mode;
        config.configured = true;
    } else if tighter.configured && strictness(tighter.mode) < strictness(config.mode) {
        warnings.push(format!("the sandbox mode in `{}` is ignored: a project can only tighten it", path.display()));
    }
    extend(&mut config.filesystem.deny_read, tighter.filesystem.deny_read);
    extend(&mut config.filesystem.deny_write, tighter.filesystem.deny_write);
    match (&mut config.filesystem.allow_write, tighter.filesystem.allow_write) {
        (Some(allowed), Some(theirs)) => allowed.retain(|path| theirs.contains(path)),
        (None, Some(_)) => warnings.push(format!(
            "`sandbox.filesystem.allowWrite` in `{}` is ignored: it can only narrow a list of your own",
            path.display()
        )),
        (_, None) => {}
    }
    extend(&mut config.network.denied_domains, tighter.network.denied_domains);
    config.network.allowed_domains = match (config.network.allowed_domains, tighter.network.allowed_domains) {
        (Some(ours), Some(theirs)) => Some(ours.into_iter().filter(|domain| theirs.contains(domain)).collect()),
        // In `full` no list means no network: a list would open it.
        (None, Some(theirs)) if config.mode != SandboxMode::Full => Some(theirs),
        (ours, _) => ours,
    };
    Ok(config)
}

fn read(value: &Value, path: &Path, warnings: &mut Vec<String>) -> Result<SandboxConfig, UnknownSandboxMode> {
    let mut config = SandboxConfig::default();
    let Value::Object(section) = value else {
        if !value.is_null() {
            warnings.push(format!("`sandbox` in `{}` is ignored: it must be an object", path.display()));
        }
        return Ok(config);
    };
    for (name, value) in section {
        match (name.as_str(), value) {
            ("mode", Value::String(word)) => {
                config.mode = parse_mode(word, &format!("`{}`", path.display()))?;
                config.configured = true;
            }
            ("mode", Value::Null) => {}
            ("mode", other) => {
                return Err(UnknownSandboxMode { word: other.to_string(), place: format!("`{}`", path.display()) });
            }
            ("filesystem", Value::Object(rules)) => {
                config.filesystem = FilesystemRules {
                    deny_read: list(rules.get("denyRead")).unwrap_or_default(),
                    allow_write: list(rules.get("allowWrite")),
                    deny_write: list(rules.get("denyWrite")).unwrap_or_default(),
                };
            }
            ("network", Value::Object(rules)) => {
                config.network = NetworkRules {
                    allowed_domains: list(rules.get("allowedDomains")),
                    denied_domains: list(rules.get("deniedDomains")).unwrap_or_default(),
                    other: rules
                        .iter()
                        .filter(|(name, _)| !matches!(name.as_str(), "allowedDomains" | "deniedDomains"))
                        .map(|(name, value)| (name.clone(), value.clone()))
                        .collect(),
                };
            }
            _ => {
                config.other.insert(name.clone(), value.clone());
            }
        }
    }
    Ok(config)
}

/// A list of texts; one text alone is a list of one.
fn list(value: Option<&Value>) -> Option<Vec<String>> {
    match value? {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(items) => Some(items.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
        _ => None,
    }
}

fn extend(list: &mut Vec<String>, more: Vec<String>) {
    for entry in more {
        if !list.contains(&entry) {
            list.push(entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::json;

    use super::*;

    fn merged(user: Value, project: Value) -> SandboxConfig {
        let path = Path::new("config.json");
        merge(Some((&user, path)), Some((&project, path)), &mut Vec::new()).expect("known modes")
    }

    #[test]
    fn a_project_tightens_but_never_loosens() {
        let user = json!({"mode":"basic","filesystem":{"denyRead":"~/.ssh","allowWrite":["a","b"]},
                          "network":{"allowedDomains":["x","y"],"allowLocalBinding":true}});
        let config = merged(
            user.clone(),
            json!({"mode":"full","filesystem":{"denyRead":["/etc"],"allowWrite":["b","/"]},
                   "network":{"allowedDomains":["y","z"],"deniedDomains":["w"],"allowLocalBinding":false}}),
        );
        assert_eq!(config.mode, SandboxMode::Full);
        assert_eq!(config.filesystem.deny_read, ["~/.ssh", "/etc"]);
        assert_eq!(config.filesystem.allow_write, Some(vec!["b".to_owned()]));
        assert_eq!(config.network.allowed_domains, Some(vec!["y".to_owned()]));
        assert_eq!(config.network.denied_domains, ["w"]);
        assert_eq!(config.network.other["allowLocalBinding"], json!(true));

        assert_eq!(merged(user, json!({"mode":"none"})).mode, SandboxMode::Basic);
        let open = merged(json!({"mode":"full"}), json!({"network":{"allowedDomains":["*"]}}));
        assert_eq!(open.network.allowed_domains, None);
    }

    #[test]
    fn an_unknown_mode_is_refused_not_guessed() {
        let error = merge(Some((&json!({"mode":"strict"}), Path::new("c.json"))), None, &mut Vec::new());
        let error = error.expect_err("unknown").to_string();
        assert_eq!(error, "`strict` in `c.json` is no sandbox mode: use none, basic or full");
    }
}

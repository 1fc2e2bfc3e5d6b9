//! The variables of the process, read once. Nothing below looks at them again.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Largest secret file that is read.
const MAX_SECRET_BYTES: u64 = 64 * 1024;

#[derive(Debug, Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    warnings: Vec<String>,
}

impl Environment {
    /// The process's variables, with secrets taken from files where `X_FILE` says so.
    pub fn from_process() -> Self {
        let variables =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self::from_variables(variables.collect())
    }

    pub fn from_variables(mut variables: BTreeMap<String, String>) -> Self {
        let mut warnings = Vec::new();
        let files: Vec<(String, PathBuf)> = variables
            .iter()
            .filter_map(|(name, path)| {
                let target = name.strip_suffix("_FILE")?;
                let secret = target.ends_with("_KEY") || target.ends_with("_TOKEN");
                let unset = variables.get(target).is_none_or(String::is_empty);
                (secret && unset && !path.is_empty()).then(|| (target.to_owned(), PathBuf::from(path)))
            })
            .collect();
        for (target, path) in files {
            let content = match std::fs::metadata(&path) {
                Ok(meta) if meta.len() > MAX_SECRET_BYTES => Err(std::io::Error::other("larger than any key")),
                Ok(_) => std::fs::read_to_string(&path),
                Err(error) => Err(error),
            };
            match content {
                Ok(content) => {
                    variables.insert(target, content.trim().to_owned());
                }
                Err(error) => warnings.push(format!("{target}_FILE: cannot read `{}`: {error}", path.display())),
            }
        }
        Self { variables, warnings }
    }

    /// A variable that is set to something.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The same, with one variable more.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Switched on: `1`, `true`, `yes`.
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.get(name), Some("1" | "true" | "yes" | "on"))
    }

    pub fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_can_come_from_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "  secret\n").unwrap();
        let path = path.to_str().unwrap().to_owned();
        let variables = [
            ("A_KEY_FILE".to_owned(), path.clone()),
            ("B_TOKEN_FILE".to_owned(), "/nowhere".to_owned()),
            ("C_KEY_FILE".to_owned(), path.clone()),
            ("C_KEY".to_owned(), "given".to_owned()),
            ("LOG_FILE".to_owned(), path),
        ];
        let environment = Environment::from_variables(variables.into());
        assert_eq!(environment.get("A_KEY"), Some("secret"));
        assert_eq!(environment.get("C_KEY"), Some("given"));
        assert_eq!(environment.get("LOG"), None);
        assert_eq!(environment.warnings().len(), 1);
    }
}

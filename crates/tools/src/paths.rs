//! From what a model writes to a path on this machine.

use std::path::{Component, Path, PathBuf};

use unicode_normalization::UnicodeNormalization;

/// Where relative paths begin, and what `~` means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    pub cwd: PathBuf,
    pub home: Option<PathBuf>,
}

impl Workspace {
    pub fn new(cwd: impl Into<PathBuf>, home: Option<PathBuf>) -> Self {
        Self { cwd: cwd.into(), home }
    }

    /// An absolute path without `.` and `..`. Links are not followed, the path need not exist.
    pub fn resolve(&self, written: &str) -> PathBuf {
        let written: String = written.trim().chars().map(|c| if is_odd_space(c) { ' ' } else { c }).collect();
        let written = written.strip_prefix('@').unwrap_or(&written);
        let path = match (written.strip_prefix('~'), &self.home) {
            (Some(""), Some(home)) => home.clone(),
            (Some(rest), Some(home)) if rest.starts_with('/') => home.join(rest.trim_start_matches('/')),
            _ => PathBuf::from(written),
        };
        normalize(&self.cwd.join(path))
    }

    /// Like [`Workspace::resolve`], but when there is no such file, other spellings of its name are tried: models often
    /// copy names with other quotes, spaces or compositions than the disk has.
    pub fn resolve_existing(&self, written: &str) -> PathBuf {
        let path = self.resolve(written);
        if path.symlink_metadata().is_ok() {
            return path;
        }
        // Before spaces were made plain: the disk may really have the odd ones.
        let raw = self.cwd.join(written.trim().trim_start_matches('@'));
        if raw.exists() {
            return normalize(&raw);
        }
        spellings(&path).into_iter().find(|candidate| candidate.exists()).unwrap_or(path)
    }

    /// The shortest honest way to write `path`: relative below the working directory.
    pub fn display(&self, path: &Path) -> String {
        match path.strip_prefix(&self.cwd) {
            Ok(relative) if relative.as_os_str().is_empty() => ".".to_owned(),
            Ok(relative) => relative.display().to_string(),
            Err(_) => path.display().to_string(),
        }
    }
}

fn spellings(path: &Path) -> Vec<PathBuf> {
    let Some(text) = path.to_str() else { return Vec::new() };
    let curly = |text: &str| text.replace('\'', "\u{2019}");
    let narrow = text.replace(" AM.", "\u{202f}AM.").replace(" PM.", "\u{202f}PM.");
    let decomposed: String = text.nfd().collect();
    let composed: String = text.nfc().collect();
    [narrow, curly(&decomposed), decomposed, composed, curly(text)]
        .into_iter()
        .filter(|candidate| candidate != text)
        .map(PathBuf::from)
        .collect()
}

pub(crate) fn is_odd_space(c: char) -> bool {
    matches!(c, '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}')
}

/// Remove `.` and `..` by text alone.
pub fn normalize(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(written: &str) -> String {
        Workspace::new("/work/dir", Some("/home/ana".into())).resolve(written).display().to_string()
    }

    #[test]
    fn paths_are_read_as_models_write_them() {
        assert_eq!(resolve("a.rs"), "/work/dir/a.rs");
        assert_eq!(resolve("@src/../b.rs"), "/work/dir/b.rs");
        assert_eq!(resolve("~/x"), "/home/ana/x");
        assert_eq!(resolve("~"), "/home/ana");
        assert_eq!(resolve("~other/x"), "/work/dir/~other/x");
        assert_eq!(resolve("/etc//./hosts"), "/etc/hosts");
        assert_eq!(resolve("my\u{a0}file"), "/work/dir/my file");
        assert_eq!(resolve("../../../.."), "/");
    }
}

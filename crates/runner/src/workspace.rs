//! Which folders of this machine the relay may touch. Pure but for resolving links.

use std::path::{Component, Path, PathBuf};

/// The allowed roots. None given: everything the user may read is allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Workspace {
    roots: Vec<PathBuf>,
}

impl Workspace {
    /// Backslashes become slashes, trailing slashes go, blanks are dropped. Links in a root are resolved once, here.
    pub fn new<S: AsRef<str>>(roots: impl IntoIterator<Item = S>) -> Self {
        let roots = roots
            .into_iter()
            .map(|root| root.as_ref().trim().replace('\\', "/"))
            .filter(|root| !root.is_empty())
            .map(|root| {
                let trimmed = root.trim_end_matches('/');
                resolve(Path::new(if trimmed.is_empty() { "/" } else { trimmed }))
            })
            .collect();
        Self { roots }
    }

    /// The roots as the relay is told them.
    pub fn roots(&self) -> Vec<String> {
        self.roots.iter().map(|root| root.to_string_lossy().into_owned()).collect()
    }

    pub fn is_restricted(&self) -> bool {
        !self.roots.is_empty()
    }

    /// May `path` be used? Links are followed first, so a link inside a root does not lead out of it; the part of a path that
    /// does not exist yet is resolved in words.
    pub fn allows(&self, path: &Path) -> bool {
        if !path.is_absolute() {
            return false;
        }
        let path = resolve(path);
        self.roots.is_empty() || self.roots.iter().any(|root| path.starts_with(root))
    }
}

/// Follow links as far as the path exists, then apply the rest (`.` and `..` included) without touching the disk.
pub fn resolve(path: &Path) -> PathBuf {
    let mut existing = path.to_path_buf();
    let mut rest = Vec::new();
    let mut resolved = loop {
        if let Ok(real) = existing.canonicalize() {
            break real;
        }
        match existing.components().next_back() {
            Some(last @ (Component::Normal(_) | Component::ParentDir | Component::CurDir)) => {
                rest.push(last.as_os_str().to_owned());
                existing.pop();
            }
            _ => break existing,
        }
    };
    for part in rest.into_iter().rev() {
        match part.to_str() {
            Some("..") => {
                resolved.pop();
            }
            Some(".") => {}
            _ => resolved.push(part),
        }
    }
    resolved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_roots_every_absolute_path_is_allowed() {
        let workspace = Workspace::default();
        assert!(workspace.allows(Path::new("/etc")));
        assert!(!workspace.allows(Path::new("etc")));
    }

    #[test]
    fn a_root_ends_at_a_path_boundary() {
        let workspace = Workspace::new(["/srv/code/", " ", "C:\\work"]);
        assert!(workspace.allows(Path::new("/srv/code")));
        assert!(workspace.allows(Path::new("/srv/code/app")));
        assert!(!workspace.allows(Path::new("/srv/codeine")));
        assert!(!workspace.allows(Path::new("/srv/code/../secret")));
        assert_eq!(workspace.roots()[0], "/srv/code");
    }

    #[test]
    fn a_lone_slash_allows_all() {
        assert!(Workspace::new(["/"]).allows(Path::new("/etc/hosts")));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_does_not_lead_out_of_a_root() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("root");
        std::fs::create_dir(&root).expect("a root");
        std::os::unix::fs::symlink("/etc", root.join("out")).expect("a link");
        let workspace = Workspace::new([root.to_string_lossy()]);
        assert!(workspace.allows(&root.join("new/file")));
        assert!(!workspace.allows(&root.join("out/hosts")));
        assert!(!workspace.allows(&root.join("out/../hosts")));
    }
}

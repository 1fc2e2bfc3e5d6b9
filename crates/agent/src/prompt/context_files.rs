//! AGENTS.md and its kin: notes people keep for agents, from the whole machine down to this folder.

use std::fs;
use std::path::{Path, PathBuf};

use super::ancestors;
use crate::config::AgentConfig;

/// In each folder the first of these counts.
const NAMES: [&str; 5] = ["AGENTS.override.md", "AGENTS.md", "AGENTS.MD", "CLAUDE.md", "CLAUDE.MD"];
/// Largest file that is read whole. Units: bytes.
const MAX_BYTES: usize = 256 * 1024;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextFile {
    pub path: PathBuf,
    pub text: String,
}

impl ContextFile {
    pub fn tagged(&self) -> String {
        format!("<context path=\"{}\">\n{}\n</context>", self.path.display(), self.text.trim())
    }
}

pub fn find(config: &AgentConfig, send_agents_md: bool) -> Vec<ContextFile> {
    let mut files = Vec::new();
    let mut take = |path: PathBuf| {
        if files.iter().any(|file: &ContextFile| file.path == path) {
            return;
        }
        if let Some(text) = read(&path) {
            files.push(ContextFile { path, text });
        }
    };
    let mut dirs = vec![config.agent_dir.clone()];
    dirs.extend(ancestors(&config.cwd));
    for (at, dir) in dirs.iter().enumerate() {
        if let Some(path) = NAMES.iter().map(|name| dir.join(name)).find(|path| path.is_file()) {
            let agents = path.file_name().is_some_and(|name| name.to_string_lossy().to_lowercase() == "agents.md");
            if send_agents_md || !agents {
                take(path);
            }
        }
        if at == 0 && send_agents_md {
            markdown_in(&config.agent_dir.join("rules")).into_iter().for_each(&mut take);
        }
    }
    if send_agents_md {
        markdown_in(&config.cwd.join(".agents")).into_iter().for_each(&mut take);
        markdown_in(&config.cwd.join(".pizzapi").join("rules")).into_iter().for_each(&mut take);
    }
    files
}

fn read(path: &Path) -> Option<String> {
    let bytes = fs::read(path).ok()?;
    let cut = bytes.len() > MAX_BYTES;
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_BYTES)]).into_owned();
    if text.trim().is_empty() {
        return None;
    }
    Some(if cut {
        format!("{text}\n[The rest of this file is left out: it is longer than {MAX_BYTES} bytes.]")
    } else {
        text
    })
}

/// Markdown files directly in a folder, by name.
pub(crate) fn markdown_in(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "md") && path.is_file())
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_read_from_the_outside_in_and_one_per_folder() {
        let dir = tempfile::tempdir().expect("temp dir");
        let cwd = dir.path().join("a/b");
        fs::create_dir_all(cwd.join(".agents")).expect("made");
        fs::create_dir_all(dir.path().join("home/rules")).expect("made");
        for (path, text) in [
            ("home/AGENTS.md", "global"),
            ("home/rules/one.md", "rule"),
            ("a/CLAUDE.md", "outer"),
            ("a/b/AGENTS.override.md", "inner"),
            ("a/b/AGENTS.md", "hidden"),
            ("a/b/.agents/x.md", "extra"),
        ] {
            fs::write(dir.path().join(path), text).expect("written");
        }
        let config = AgentConfig::with_env(&cwd, dir.path().join("home"), Default::default());
        let texts = |send| find(&config, send).into_iter().map(|f| f.text).collect::<Vec<_>>();
        assert_eq!(texts(true), ["global", "rule", "outer", "inner", "extra"]);
        assert_eq!(texts(false), ["outer", "inner"]);
    }
}

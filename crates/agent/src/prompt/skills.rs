//! Skills: folders with a SKILL.md that the model reads when a task calls for it.

use std::fs;
use std::path::{Path, PathBuf};

use super::frontmatter::Document;
use crate::config::AgentConfig;
use crate::settings::Settings;
use crate::userconfig::UserConfig;

const MAX_NAME: usize = 64;
const MAX_DESCRIPTION: usize = 1024;
/// Deepest folder that is searched.
const MAX_DEPTH: usize = 6;
/// Skills of one session.
const SKILLS_KEEP: usize = 500;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skill {
    pub name: String,
    pub description: String,
    pub path: PathBuf,
    /// Only people may use it.
    pub hidden_from_model: bool,
    pub argument_hint: Option<String>,
}

impl Skill {
    /// The text below the head.
    pub fn body(&self) -> std::io::Result<String> {
        Ok(Document::parse(&fs::read_to_string(&self.path)?).body)
    }
}

/// All skills by place, the first of a name wins; problems come as warnings.
pub fn find(config: &AgentConfig, settings: &Settings, user: &UserConfig, trusted: bool) -> (Vec<Skill>, Vec<String>) {
    let mut found = Found::default();
    let mut own: Vec<PathBuf> = vec![config.agent_dir.join("skills")];
    let mut others: Vec<PathBuf> = Vec::new();
    if trusted {
        own.push(config.cwd.join(".pizzapi").join("skills"));
    }
    others.extend(config.home().map(|home| home.join(".agents").join("skills")));
    if trusted {
        for dir in config.cwd.ancestors() {
            others.push(dir.join(".agents").join("skills"));
            if dir.join(".git").exists() {
                break;
            }
        }
    }
    let listed = user.texts("skills").into_iter().chain(settings.skills.iter().cloned());
    others.extend(listed.filter(|path| !path.starts_with(['!', '-'])).map(|path| expand(config, &path)));
    others.extend(config.extra_skills.iter().cloned());
    for dir in own {
        // Loose files count only at the top of our own folders.
        for path in super::context_files::markdown_in(&dir) {
            if path.file_name().is_some_and(|name| name != "SKILL.md") {
                found.take(&path, None);
            }
        }
        search(&dir, 0, &mut found);
    }
    for dir in others {
        if dir.is_file() {
            found.take(&dir, None);
        } else {
            search(&dir, 0, &mut found);
        }
    }
    (found.skills, found.warnings)
}

fn expand(config: &AgentConfig, path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), config.home()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => config.cwd.join(path.trim_start_matches('+')),
    }
}

#[derive(Default)]
struct Found {
    skills: Vec<Skill>,
    warnings: Vec<String>,
}

impl Found {
    fn take(&mut self, path: &Path, folder: Option<&str>) {
        if self.skills.len() >= SKILLS_KEEP {
            return;
        }
        let Ok(text) = fs::read_to_string(path) else { return };
        let document = Document::parse(&text);
        let fallback = folder.map(str::to_owned).or_else(|| path.file_stem().map(|s| s.to_string_lossy().into_owned()));
        let name = document.get("name").map(str::to_owned).or(fallback).unwrap_or_default();
        let mut problem = |what: &str| self.warnings.push(format!("skill `{}`: {what}", path.display()));
        let Some(description) = document.get("description") else { return problem("it has no description") };
        if name.is_empty() || name.chars().count() > MAX_NAME {
            return problem("its name is missing or too long");
        }
        if description.chars().count() > MAX_DESCRIPTION {
            problem("its description is too long and was cut");
        }
        if let Some(known) = self.skills.iter().find(|skill| skill.name == name) {
            if known.path != path {
                let other = known.path.display().to_string();
                problem(&format!("the name `{name}` is taken by `{other}`"));
            }
            return;
        }
        self.skills.push(Skill {
            name,
            description: description.chars().take(MAX_DESCRIPTION).collect(),
            path: path.to_owned(),
            hidden_from_model: document.flag("disable-model-invocation"),
            argument_hint: document.get("argument-hint").map(str::to_owned),
        });
    }
}

fn search(dir: &Path, depth: usize, found: &mut Found) {
    if depth > MAX_DEPTH {
        return;
    }
    let own = dir.join("SKILL.md");
    if own.is_file() {
        let name = dir.file_name().map(|name| name.to_string_lossy().into_owned());
        found.take(&own, name.as_deref());
        return;
    }
    let mut dirs: Vec<PathBuf> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            !name.starts_with('.') && name != "node_modules" && entry.path().is_dir()
        })
        .map(|entry| entry.path())
        .collect();
    dirs.sort();
    for dir in dirs {
        search(&dir, depth + 1, found);
    }
}

/// The list in the system prompt.
pub fn prompt(skills: &[Skill]) -> String {
    let list: Vec<String> = skills
        .iter()
        .filter(|skill| !skill.hidden_from_model)
        .map(|skill| format!("- {} ({}): {}", skill.name, skill.path.display(), skill.description))
        .collect();
    if list.is_empty() {
        return String::new();
    }
    format!(
        "Skills are instructions for particular tasks. When a task fits one, read its file first and follow it; paths in it are \
         relative to its folder.\n{}",
        list.join("\n")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skills_are_found_once_and_problems_are_told() {
        let dir = tempfile::tempdir().expect("temp dir");
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().expect("has a folder")).expect("made");
            fs::write(path, text).expect("written");
        };
        write("home/skills/a/SKILL.md", "---\nname: a\ndescription: first\n---\nbody of a");
        write("home/skills/a/inner/SKILL.md", "---\nname: inner\ndescription: never searched\n---\n");
        write("home/skills/loose.md", "---\ndescription: loose\n---\n");
        write("home/skills/bad/SKILL.md", "no head");
        write("p/.pizzapi/skills/a/SKILL.md", "---\nname: a\ndescription: second\n---\n");
        let config = AgentConfig::with_env(dir.path().join("p"), dir.path().join("home"), Default::default());
        let (skills, warnings) = find(&config, &Settings::default(), &UserConfig::default(), true);
        let names: Vec<&str> = skills.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["loose", "a"]);
        assert_eq!(skills[1].body().expect("readable"), "body of a");
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        let (untrusted, _) = find(&config, &Settings::default(), &UserConfig::default(), false);
        assert_eq!(untrusted.len(), 2);
    }
}

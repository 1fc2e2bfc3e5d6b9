//! Skills and agents of this machine: Markdown files with a small header, listed and edited from the browser.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Failure, Reply};
use crate::identity::write_private;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Skill,
    Agent,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Skill => "skill",
            Self::Agent => "agent",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Skill => "Skill",
            Self::Agent => "Agent",
        }
    }

    fn members(self) -> &'static str {
        match self {
            Self::Skill => "skills",
            Self::Agent => "agents",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    pub name: String,
    pub description: String,
    pub path: PathBuf,
    /// The header's other members, such as `tools`.
    pub header: Vec<(String, String)>,
    pub body: String,
}

impl Definition {
    pub fn member(&self, name: &str) -> Option<&str> {
        self.header
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    fn read(path: &Path, fallback_name: &str) -> Option<Self> {
        let text = std::fs::read_to_string(path).ok()?;
        let (header, body) = split_header(&text);
        let find = |name: &str| header.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        Some(Self {
            name: find("name").filter(|name| !name.is_empty()).unwrap_or_else(|| fallback_name.to_owned()),
            description: find("description").unwrap_or_default(),
            path: path.to_owned(),
            body: body.trim().to_owned(),
            header,
        })
    }
}

/// The `key: value` lines between two `---` lines at the top, and the rest.
fn split_header(text: &str) -> (Vec<(String, String)>, &str) {
    let Some(rest) = text.strip_prefix("---\n").or_else(|| text.strip_prefix("---\r\n")) else {
        return (Vec::new(), text);
    };
    let Some(end) = rest.find("\n---") else { return (Vec::new(), text) };
    let header = rest[..end]
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(key, value)| (key.trim().to_owned(), value.trim().trim_matches(['"', '\'']).to_owned()))
        .collect();
    let body = rest[end + 4..].trim_start_matches('-');
    (header, body)
}

/// Where definitions of a kind live; the first folder that knows a name wins, and new ones go to the first folder.
#[derive(Debug, Clone)]
pub struct Definitions {
    kind: Kind,
    folders: Vec<PathBuf>,
}

impl Definitions {
    pub fn new(kind: Kind, folders: Vec<PathBuf>) -> Self {
        Self { kind, folders }
    }

    pub fn all(&self) -> Vec<Definition> {
        let mut all: Vec<Definition> = Vec::new();
        for folder in &self.folders {
            let Ok(entries) = std::fs::read_dir(folder) else { continue };
            for entry in entries.flatten() {
                let path = entry.path();
                let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()) else { continue };
                let file = if self.kind == Kind::Skill && path.is_dir() {
                    path.join("SKILL.md")
                } else if path.extension().is_some_and(|ending| ending == "md") {
                    path.clone()
                } else {
                    continue;
                };
                if let Some(definition) = Definition::read(&file, stem)
                    && !all.iter().any(|known| known.name == definition.name)
                {
                    all.push(definition);
                }
            }
        }
        all.sort_by(|left, right| left.name.cmp(&right.name));
        all
    }

    pub fn find(&self, name: &str) -> Option<Definition> {
        self.all().into_iter().find(|definition| definition.name == name)
    }

    pub fn list(&self) -> Value {
        let rows = self.all().into_iter();
        rows.map(|one| json!({ "name": one.name, "description": one.description, "filePath": one.path })).collect()
    }

    pub fn get(&self, name: Option<&str>) -> Reply {
        let found = self.existing(name)?;
        let content = std::fs::read_to_string(&found.path).map_err(|error| self.failed("read", &found.name, &error))?;
        Ok(json!({ "name": found.name, "content": content }))
    }

    /// Create or replace.
    pub fn put(&self, name: Option<&str>, content: &str) -> Reply {
        let name = self.valid(name)?;
        let path = match (self.find(name), self.kind) {
            (Some(known), _) => known.path,
            (None, Kind::Skill) => self.folders[0].join(name).join("SKILL.md"),
            (None, Kind::Agent) => self.folders[0].join(format!("{name}.md")),
        };
        write_private(&path, content.as_bytes()).map_err(|error| self.failed("write", name, &error))?;
        Ok(json!({ "name": name, self.kind.members(): self.list() }))
    }

    pub fn delete(&self, name: Option<&str>) -> Reply {
        let found = self.existing(name)?;
        let is_own_folder = self.kind == Kind::Skill && found.path.file_name().is_some_and(|file| file == "SKILL.md");
        let removed = match found.path.parent() {
            Some(folder) if is_own_folder => std::fs::remove_dir_all(folder),
            _ => std::fs::remove_file(&found.path),
        };
        removed.map_err(|error| self.failed("delete", &found.name, &error))?;
        Ok(json!({ "name": found.name, self.kind.members(): self.list() }))
    }

    fn existing(&self, name: Option<&str>) -> Result<Definition, Failure> {
        let name = self.valid(name)?;
        self.find(name).ok_or_else(|| Failure::new(format!("{} not found", self.kind.title())))
    }

    fn valid<'a>(&self, name: Option<&'a str>) -> Result<&'a str, Failure> {
        let word = self.kind.word();
        let name = name
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .ok_or_else(|| Failure::new(format!("Missing {word} name")))?;
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.len() > 64 || !name.chars().all(inner) || name.starts_with('-') || name.ends_with('-') {
            return Err(Failure::new(format!(
                "Invalid {word} name: must be lowercase letters, numbers, and hyphens only"
            )));
        }
        Ok(name)
    }

    fn failed(&self, verb: &str, name: &str, error: &std::io::Error) -> Failure {
        Failure::new(format!("failed to {verb} the {} `{name}`: {error}", self.kind.word()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skill_is_written_listed_read_and_deleted() {
        let folder = tempfile::tempdir().expect("a folder");
        let skills = Definitions::new(Kind::Skill, vec![folder.path().to_owned()]);
        let content = "---\nname: bake\ndescription: \"How to bake\"\n---\n\nHot.\n";
        skills.put(Some("bake"), content).expect("written");
        assert_eq!(skills.list()[0]["description"], "How to bake");
        assert_eq!(skills.find("bake").expect("there").body, "Hot.");
        assert_eq!(skills.get(Some("bake")).expect("read")["content"], content);
        skills.delete(Some("bake")).expect("deleted");
        assert_eq!(skills.get(Some("bake")).expect_err("gone").message, "Skill not found");
        assert!(!folder.path().join("bake").exists());
    }

    #[test]
    fn names_that_could_be_paths_are_refused_in_the_exact_words() {
        let agents = Definitions::new(Kind::Agent, vec!["/nowhere".into()]);
        assert_eq!(agents.get(None).expect_err("refused").message, "Missing agent name");
        for name in ["../x", "A", "-a", "a/b", "a."] {
            assert_eq!(
                agents.put(Some(name), "").expect_err("refused").message,
                "Invalid agent name: must be lowercase letters, numbers, and hyphens only"
            );
        }
    }
}

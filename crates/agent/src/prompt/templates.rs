//! Prompt templates: `/name arguments` becomes the text of a file.

use std::fs;
use std::path::{Path, PathBuf};

use super::context_files::markdown_in;
use super::frontmatter::Document;
use crate::config::AgentConfig;

/// Description made from the first line. Units: characters.
const MAX_DESCRIPTION: usize = 60;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    pub name: String,
    pub description: String,
    pub argument_hint: Option<String>,
    pub body: String,
    pub path: PathBuf,
}

/// Templates of the user and, when `project` is given, of a trusted project. The first of a name wins.
pub fn find(config: &AgentConfig, project: Option<&Path>) -> Vec<Template> {
    let mut dirs = Vec::new();
    for base in project.into_iter().chain([config.agent_dir.as_path()]) {
        dirs.extend([base.join("prompts"), base.join("commands")]);
    }
    if project.is_some() {
        dirs.push(config.cwd.join(".agents").join("commands"));
    }
    dirs.extend(config.home().map(|home| home.join(".agents").join("commands")));
    let mut templates: Vec<Template> = Vec::new();
    for path in dirs.iter().flat_map(|dir| markdown_in(dir)) {
        let Some(template) = read(&path) else { continue };
        if !templates.iter().any(|known| known.name == template.name) {
            templates.push(template);
        }
    }
    templates
}

fn read(path: &Path) -> Option<Template> {
    let document = Document::parse(&fs::read_to_string(path).ok()?);
    let name = path.file_stem()?.to_string_lossy().into_owned();
    let description = document.get("description").map(str::to_owned).unwrap_or_else(|| {
        let line = document.body.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        line.trim_start_matches('#').trim().chars().take(MAX_DESCRIPTION).collect()
    });
    Some(Template {
        name,
        description,
        argument_hint: document.get("argument-hint").map(str::to_owned),
        body: document.body,
        path: path.to_owned(),
    })
}

/// Words of a command line; quotes group.
pub fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut current: Option<String> = None;
    let mut quote = None;
    for c in text.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => current.get_or_insert_default().push(c),
            None if c == '"' || c == '\'' => {
                quote = Some(c);
                current.get_or_insert_default();
            }
            None if c.is_whitespace() => words.extend(current.take()),
            None => current.get_or_insert_default().push(c),
        }
    }
    words.extend(current);
    words
}

/// Put arguments into a body: `$1`, `$@`, `$ARGUMENTS`, `${1:-default}`, `${@:N:L}`. One pass: what is inserted stays as it is.
pub fn fill(body: &str, arguments: &str) -> String {
    let words = words(arguments);
    let all = || arguments.trim().to_owned();
    let nth = |n: usize| words.get(n.wrapping_sub(1)).cloned().unwrap_or_default();
    let mut out = String::with_capacity(body.len());
    let mut rest = body;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix("ARGUMENTS") {
            match after.strip_prefix('[').and_then(|tail| tail.split_once(']')) {
                // Counted from 0, as other programs do.
                Some((n, after)) if n.parse::<usize>().is_ok() => {
                    out.push_str(&nth(n.parse::<usize>().unwrap_or(0) + 1));
                    rest = after;
                }
                _ => {
                    out.push_str(&all());
                    rest = after;
                }
            }
        } else if let Some(after) = rest.strip_prefix('@') {
            out.push_str(&all());
            rest = after;
        } else if let Some((inner, after)) = rest.strip_prefix('{').and_then(|tail| tail.split_once('}')) {
            match braced(inner, &words, &all()) {
                Some(text) => out.push_str(&text),
                None => out.push_str(&format!("${{{inner}}}")),
            }
            rest = after;
        } else {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            match rest[..digits].parse::<usize>() {
                Ok(n) if n > 0 => {
                    out.push_str(&nth(n));
                    rest = &rest[digits..];
                }
                _ => out.push('$'),
            }
        }
    }
    out.push_str(rest);
    out
}

fn braced(inner: &str, words: &[String], all: &str) -> Option<String> {
    if let Some((name, default)) = inner.split_once(":-") {
        let value = match name {
            "@" | "ARGUMENTS" => all.to_owned(),
            number => words.get(number.parse::<usize>().ok()?.checked_sub(1)?).cloned().unwrap_or_default(),
        };
        return Some(if value.is_empty() { default.to_owned() } else { value });
    }
    if let Some(range) = inner.strip_prefix("@:") {
        let (from, len) = range.split_once(':').map_or((range, None), |(from, len)| (from, Some(len)));
        let from = from.parse::<usize>().ok()?.saturating_sub(1);
        let len = match len {
            Some(len) => len.parse::<usize>().ok()?,
            None => usize::MAX,
        };
        return Some(words.iter().skip(from).take(len).cloned().collect::<Vec<_>>().join(" "));
    }
    match inner {
        "@" | "ARGUMENTS" => Some(all.to_owned()),
        number => Some(words.get(number.parse::<usize>().ok()?.checked_sub(1)?).cloned().unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_inserted_once() {
        let arguments = r#"one "two words" $1"#;
        for (body, filled) in [
            ("$1-$2-$3-$4", "one-two words-$1-"),
            ("$ARGUMENTS", arguments),
            ("$@ and ${@:2}", &format!("{arguments} and two words $1")),
            ("${@:1:2}", "one two words"),
            ("${9:-none} ${1:-none}", "none one"),
            ("$ARGUMENTS[0] costs $ 5 $0", "one costs $ 5 $0"),
            ("${HOME}", "${HOME}"),
        ] {
            assert_eq!(fill(body, arguments), filled, "{body}");
        }
        assert_eq!(fill("${@:-all}", ""), "all");
    }
}

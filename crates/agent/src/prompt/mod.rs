//! What a session reads before its first word: system prompt, context files, skills and templates.

pub mod context_files;
pub mod frontmatter;
pub mod skills;
pub mod templates;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use time::OffsetDateTime;
use time::macros::format_description;

use crate::config::AgentConfig;
use crate::settings::Settings;
use crate::tool::ToolSet;
use crate::userconfig::UserConfig;
use context_files::ContextFile;
use skills::Skill;
use templates::Template;

const BASE: &str = include_str!("base.md");
/// How long git may take to tell about the folder.
const GIT_TIMEOUT: Duration = Duration::from_secs(3);

/// Everything that was read at the start or by `/reload`.
#[derive(Debug, Default)]
pub struct Resources {
    pub context_files: Vec<ContextFile>,
    pub skills: Vec<Skill>,
    pub templates: Vec<Template>,
    pub warnings: Vec<String>,
    /// Replaces the base prompt.
    base: Option<String>,
    /// Added after it.
    additions: Vec<String>,
    builtin: bool,
    facts: String,
}

impl Resources {
    /// Blocking: reads files and asks git.
    pub fn load(config: &AgentConfig, settings: &Settings, user: &UserConfig, trusted: bool) -> Self {
        let mut warnings = Vec::new();
        let project = trusted.then(|| config.cwd.join(".pizzapi"));
        let send_agents_md = user.flag("sendAgentsMd").or(settings.send_agents_md).unwrap_or(true);
        let context_files = if config.context_files { context_files::find(config, send_agents_md) } else { Vec::new() };
        let (skills, mut problems) =
            if config.skills { skills::find(config, settings, user, trusted) } else { Default::default() };
        warnings.append(&mut problems);
        let templates = templates::find(config, project.as_deref());
        let file = |name: &str| {
            let project = project.iter().map(|dir| dir.join(name));
            project.chain([config.agent_dir.join(name)]).find_map(|path| std::fs::read_to_string(path).ok())
        };
        let base = config
            .system_prompt
            .clone()
            .or_else(|| file("SYSTEM.md"))
            .or_else(|| user.text("systemPrompt"))
            .or_else(|| settings.system_prompt.clone());
        let additions = [
            user.text("appendSystemPrompt").or_else(|| settings.append_system_prompt.clone()),
            file("APPEND_SYSTEM.md"),
            config.append_system_prompt.clone(),
        ];
        Self {
            context_files,
            skills,
            templates,
            warnings,
            base,
            additions: additions.into_iter().flatten().filter(|text| !text.trim().is_empty()).collect(),
            builtin: user.flag("builtinSystemPrompt").unwrap_or(true),
            facts: facts(&config.cwd),
        }
    }

    /// The whole prompt. What changes often stands at the end: the beginning stays in the provider's cache.
    pub fn system_prompt(&self, config: &AgentConfig, tools: &ToolSet, run: &RunNotes) -> String {
        let mut parts: Vec<String> = Vec::new();
        match &self.base {
            Some(base) => parts.push(base.trim().to_owned()),
            None => parts.push(base_prompt(tools)),
        }
        if self.builtin {
            parts.push(builtin(tools));
            parts.extend(config.host_prompt.clone());
        }
        parts.extend(self.additions.iter().map(|text| text.trim().to_owned()));
        if !self.context_files.is_empty() {
            let files: Vec<String> = self.context_files.iter().map(ContextFile::tagged).collect();
            parts.push(format!("The person keeps these notes for you. Follow them.\n\n{}", files.join("\n\n")));
        }
        if tools.has("read") && !self.skills.is_empty() {
            parts.push(skills::prompt(&self.skills));
        }
        parts.push(format!("Working directory: {}\n{}", config.cwd.display(), self.facts));
        parts.extend(run.notes.iter().cloned());
        parts.retain(|part| !part.trim().is_empty());
        parts.join("\n\n")
    }
}

/// What only this run is told.
#[derive(Debug, Clone, Default)]
pub struct RunNotes {
    pub notes: Vec<String>,
}

fn base_prompt(tools: &ToolSet) -> String {
    let mut text = BASE.trim().to_owned();
    let list: Vec<String> = tools.iter().map(|tool| format!("- {}: {}", tool.spec().name, tool.summary())).collect();
    if !list.is_empty() {
        text.push_str("\n\nYour tools:\n");
        text.push_str(&list.join("\n"));
    }
    let mut advice: Vec<String> = Vec::new();
    for line in tools.iter().flat_map(|tool| tool.guidelines()) {
        if !advice.contains(&line) {
            advice.push(line);
        }
    }
    if !advice.is_empty() {
        text.push_str("\n\nHow to use them:\n");
        text.push_str(&advice.iter().map(|line| format!("- {line}")).collect::<Vec<_>>().join("\n"));
    }
    text
}

/// What the product adds: only about tools that are active.
fn builtin(tools: &ToolSet) -> String {
    let mut lines: Vec<&str> = Vec::new();
    if tools.has("update_todo") {
        lines.push("For work of three or more steps keep a task list with `update_todo`: one task in progress, finished ones marked at once.");
    }
    if tools.has("AskUserQuestion") {
        lines.push("When a decision is the person's and you cannot find the answer yourself, ask with `AskUserQuestion`, with options where there are any. Do not ask for permission to go on.");
    }
    if tools.has("plan_mode") {
        lines.push("For large or risky changes plan first: look around, then present the steps with `plan_mode` and wait for the decision. While plan mode is on nothing may be changed.");
    }
    if tools.has("subagent") {
        lines.push("Give self-contained research or side work to `subagent`: it works in the background with its own context and its result comes back as a message. Do small things yourself.");
    }
    lines.push("Some calls need the person's permission. If one is refused, do not look for a way around it: say what you wanted and why.");
    lines.push("Configuration: `~/.pizzapi/config.json` (product), `~/.pizzapi/settings.json` (preferences, permissions), `~/.pizzapi/models.json` (models), `AGENTS.md` (notes for you). Project versions lie in `.pizzapi/`.");
    lines.join("\n")
}

fn facts(cwd: &Path) -> String {
    let now = OffsetDateTime::now_local().unwrap_or_else(|_| OffsetDateTime::now_utc());
    let when = now
        .format(format_description!("[weekday], [year]-[month]-[day] [hour]:[minute]"))
        .unwrap_or_else(|_| now.to_string());
    let mut lines = vec![format!("Date and time at the start: {when}")];
    if let Some(branch) = git(cwd, &["rev-parse", "--abbrev-ref", "HEAD"]) {
        lines.push(format!("Git branch: {branch}"));
        if let Some(root) = git(cwd, &["rev-parse", "--show-toplevel"]).filter(|root| Path::new(root) != cwd) {
            lines.push(format!("Git worktree: {root}"));
        }
    }
    lines.push(format!("Platform: {} ({})", std::env::consts::OS, std::env::consts::ARCH));
    lines.join("\n")
}

/// One line of git's answer; None when there is none in time.
pub(crate) fn git(cwd: &Path, arguments: &[&str]) -> Option<String> {
    let mut child = Command::new("git")
        .args(arguments)
        .current_dir(cwd)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let deadline = std::time::Instant::now() + GIT_TIMEOUT;
    loop {
        match child.try_wait().ok()? {
            Some(status) if status.success() => break,
            Some(_) => return None,
            None if std::time::Instant::now() > deadline => {
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    }
    let mut text = String::new();
    std::io::Read::read_to_string(&mut child.stdout.take()?, &mut text).ok()?;
    let line = text.lines().next()?.trim().to_owned();
    (!line.is_empty()).then_some(line)
}

/// From the root down to `cwd`, both included.
pub(crate) fn ancestors(cwd: &Path) -> Vec<PathBuf> {
    let mut dirs: Vec<PathBuf> = cwd.ancestors().map(Path::to_owned).collect();
    dirs.reverse();
    dirs
}

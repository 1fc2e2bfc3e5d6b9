//! Who has to be asked before a tool runs: rules of the user, and what happens without a rule.

pub mod plan_mode;
pub mod shell;

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use globset::GlobBuilder;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::tool::Effect;
use shell::{Segment, Word};

/// Settings `permissions`. A rule is `tool` or `tool(pattern)`; `*` in a pattern stands for anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub struct PermissionSettings {
    pub allow: Vec<String>,
    pub ask: Vec<String>,
    pub deny: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Allow,
    Ask { reason: String },
    Deny { reason: String },
}

/// What is judged.
#[derive(Debug)]
pub struct Subject<'a> {
    pub tool: &'a str,
    pub effect: Effect,
    pub arguments: &'a Value,
    /// Path or command, as the tool states it.
    pub subject: Option<&'a str>,
}

/// The rules of a session.
#[derive(Debug, Clone)]
pub struct Permissions {
    settings: PermissionSettings,
    /// Rules a person added for this session only.
    session_allow: Vec<String>,
    pub yolo: bool,
    cwd: PathBuf,
    home: Option<PathBuf>,
    agent_dir: PathBuf,
    temp: Vec<PathBuf>,
    env: BTreeMap<String, String>,
}

impl Permissions {
    pub fn new(
        settings: PermissionSettings,
        yolo: bool,
        cwd: &Path,
        agent_dir: &Path,
        env: &BTreeMap<String, String>,
    ) -> Self {
        let mut temp = vec![PathBuf::from("/tmp"), PathBuf::from("/var/tmp")];
        temp.extend(env.get("TMPDIR").map(PathBuf::from));
        let wanted = ["HOME", "PWD", "TMPDIR", "USER"];
        Self {
            settings,
            session_allow: Vec::new(),
            yolo,
            cwd: cwd.to_owned(),
            home: env.get("HOME").map(PathBuf::from),
            agent_dir: agent_dir.to_owned(),
            temp,
            env: env
                .iter()
                .filter(|(name, _)| wanted.contains(&name.as_str()))
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect(),
        }
    }

    pub fn set_settings(&mut self, settings: PermissionSettings) {
        self.settings = settings;
    }

    /// The same rules for work in another folder.
    pub fn below(&self, cwd: &Path) -> Self {
        Self { cwd: cwd.to_owned(), ..self.clone() }
    }

    pub fn allow_in_session(&mut self, rule: String) {
        self.session_allow.push(rule);
    }

    /// May this call run? A denial counts even with `--yolo`: the user wrote it down.
    pub fn judge(&self, subject: &Subject<'_>) -> Verdict {
        let parts = self.parts(subject);
        let any = |rules: &[String]| {
            rules.iter().find(|rule| parts.iter().any(|part| matches(rule, subject.tool, part))).cloned()
        };
        if let Some(rule) = any(&self.settings.deny) {
            return Verdict::Deny { reason: format!("the rule `{rule}` denies it") };
        }
        if self.yolo {
            return Verdict::Allow;
        }
        if let Some(rule) = any(&self.settings.ask) {
            return Verdict::Ask { reason: format!("the rule `{rule}` asks for it") };
        }
        // A whole command is allowed letter by letter only: in a pattern `*` would also stand for `&& rm`.
        let whole = subject.subject.map(|whole| format!("{}({whole})", subject.tool));
        if self.settings.allow.iter().chain(&self.session_allow).any(|rule| Some(rule) == whole.as_ref())
            || !parts.is_empty() && parts.iter().all(|part| self.allows(subject.tool, part))
        {
            return Verdict::Allow;
        }
        match subject.effect {
            Effect::Talk => Verdict::Allow,
            Effect::Read => self.judge_read(subject),
            Effect::Write => self.judge_write(subject),
            Effect::Shell => self.judge_shell(subject),
            Effect::Outside => Verdict::Ask { reason: "it acts outside this session".into() },
        }
    }

    fn allows(&self, tool: &str, part: &str) -> bool {
        self.settings.allow.iter().chain(&self.session_allow).any(|rule| matches(rule, tool, part))
    }

    /// What a rule is compared with: every program call of a command, or the path.
    fn parts(&self, subject: &Subject<'_>) -> Vec<String> {
        match (subject.effect, subject.subject) {
            (Effect::Shell, Some(command)) => match shell::segments(command) {
                Ok(segments) => segments.iter().map(Segment::line).collect(),
                Err(_) => vec![command.to_owned()],
            },
            (_, Some(path)) => vec![path.to_owned()],
            (_, None) => vec![String::new()],
        }
    }

    /// The rules that would have allowed this call.
    ///
    /// Programs that were asked for because of what they are get a rule of their own; a command that was asked for because of
    /// where it writes is allowed letter by letter only.
    pub fn rules_for(&self, subject: &Subject<'_>) -> Vec<String> {
        let Some(text) = subject.subject else { return vec![subject.tool.to_owned()] };
        if subject.effect != Effect::Shell {
            let path = self.resolve(text, &self.cwd);
            let dir = path.parent().unwrap_or(&path);
            return vec![format!("{}({}/*)", subject.tool, dir.display())];
        }
        let exact = || vec![format!("{}({text})", subject.tool)];
        let Ok(segments) = shell::segments(text) else { return exact() };
        let mut rules = Vec::new();
        for segment in &segments {
            let asked = matches!(segment.program(), "cd" | "pushd") || self.shell_reason(segment, &self.cwd).is_some();
            if !asked {
                // It needs no permission of its own, but "allowed" means every part.
                continue;
            }
            if !(reaches_network(segment) || is_privileged(segment.program())) || !segment.writes.is_empty() {
                return exact();
            }
            let verb = segment.verb();
            let verb =
                if has_verbs(segment.program()) && !verb.is_empty() { format!(" {verb}") } else { String::new() };
            let rule = format!("{}({}{verb} *)", subject.tool, segment.program());
            if !rules.contains(&rule) {
                rules.push(rule);
            }
        }
        if rules.is_empty() { exact() } else { rules }
    }

    fn judge_read(&self, subject: &Subject<'_>) -> Verdict {
        let Some(path) = subject.subject else { return Verdict::Allow };
        let path = self.resolve(path, &self.cwd);
        if self.is_secret(&path) {
            return Verdict::Ask { reason: format!("`{}` holds credentials", path.display()) };
        }
        Verdict::Allow
    }

    fn judge_write(&self, subject: &Subject<'_>) -> Verdict {
        let Some(path) = subject.subject else { return Verdict::Allow };
        self.writing(&self.resolve(path, &self.cwd)).map_or(Verdict::Allow, |reason| Verdict::Ask { reason })
    }

    fn judge_shell(&self, subject: &Subject<'_>) -> Verdict {
        let Some(command) = subject.subject else { return Verdict::Allow };
        let Ok(segments) = shell::segments(command) else {
            return Verdict::Ask { reason: "it cannot be told what this command does".into() };
        };
        let mut cwd = self.cwd.clone();
        for segment in &segments {
            if matches!(segment.program(), "cd" | "pushd") {
                match segment.operands().next() {
                    Some(target) => match self.expand(target) {
                        Some(target) => cwd = self.resolve(&target, &cwd),
                        None => {
                            return Verdict::Ask { reason: "it changes into a folder that is not known yet".into() };
                        }
                    },
                    None => cwd = self.home.clone().unwrap_or(cwd),
                }
                continue;
            }
            if let Some(reason) = self.shell_reason(segment, &cwd)
                && !self.allows(subject.tool, &segment.line())
            {
                return Verdict::Ask { reason };
            }
        }
        Verdict::Allow
    }

    fn shell_reason(&self, segment: &Segment, cwd: &Path) -> Option<String> {
        let program = segment.program();
        for target in &segment.writes {
            if let Some(reason) = self.write_target(target, cwd) {
                return Some(reason);
            }
        }
        if matches!(program, "eval" | "source" | ".") && segment.arguments().iter().any(|word| word.dynamic) {
            return Some(format!("`{program}` runs text that is not known yet"));
        }
        if is_privileged(program) {
            return Some(format!("`{program}` changes the machine"));
        }
        if reaches_network(segment) {
            return Some(format!("`{}` reaches the network", short(segment)));
        }
        if writes_operands(segment) {
            for target in segment.operands() {
                if let Some(reason) = self.write_target(target, cwd) {
                    return Some(reason);
                }
            }
        }
        None
    }

    fn write_target(&self, target: &Word, cwd: &Path) -> Option<String> {
        if matches!(target.text.as_str(), "/dev/null" | "/dev/stdout" | "/dev/stderr" | "/dev/tty") {
            return None;
        }
        match self.expand(target) {
            Some(text) => self.writing(&self.resolve(&text, cwd)),
            None => Some(format!("it writes to `{}`, which is not known yet", target.text)),
        }
    }

    /// Why writing there must be asked for; None = it need not.
    fn writing(&self, path: &Path) -> Option<String> {
        if self.is_secret(path) {
            return Some(format!("`{}` holds credentials", path.display()));
        }
        let real = real(path);
        let inside = |root: &Path| real.starts_with(self::real(root));
        if inside(&self.cwd) {
            let below = real.strip_prefix(self::real(&self.cwd)).unwrap_or(&real);
            let guarded =
                below.starts_with(".git/hooks") || below == Path::new(".git/config") || below.starts_with(".pizzapi");
            return guarded.then(|| format!("`{}` decides what runs later", path.display()));
        }
        if self.temp.iter().any(|root| inside(root)) {
            return None;
        }
        Some(format!("`{}` lies outside the session's folder", path.display()))
    }

    fn is_secret(&self, path: &Path) -> bool {
        let below_home = |name: &str| self.home.as_ref().is_some_and(|home| path.starts_with(home.join(name)));
        [".ssh", ".aws", ".gnupg", ".config/gcloud", ".docker/config.json", ".netrc"].into_iter().any(below_home)
            || ["auth.json", "mcp-auth", "config.json"]
                .into_iter()
                .any(|name| path.starts_with(self.agent_dir.join(name)))
    }

    /// The text of a word whose variables are known.
    fn expand(&self, word: &Word) -> Option<String> {
        if !word.dynamic {
            return Some(word.text.clone());
        }
        let mut text = word.text.clone();
        for (name, value) in &self.env {
            text = text.replace(&format!("${{{name}}}"), value).replace(&format!("${name}"), value);
        }
        (!text.contains('$')).then_some(text)
    }

    fn resolve(&self, text: &str, cwd: &Path) -> PathBuf {
        let text = text.strip_prefix('@').unwrap_or(text);
        let path = match (text.strip_prefix('~'), &self.home) {
            (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
                home.join(rest.trim_start_matches('/'))
            }
            _ => cwd.join(text),
        };
        normal(&path)
    }
}

/// `a/../b` → `b`, without looking at the disk.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                out.pop();
            }
            Component::CurDir => {}
            part => out.push(part),
        }
    }
    out
}

/// The real place of a path, links followed as far as it exists.
fn real(path: &Path) -> PathBuf {
    let path = normal(path);
    let mut rest = Vec::new();
    let mut at = path.as_path();
    loop {
        if let Ok(found) = at.canonicalize() {
            return rest.iter().rev().fold(found, |path: PathBuf, name| path.join(name));
        }
        match (at.parent(), at.file_name()) {
            (Some(parent), Some(name)) => {
                rest.push(name.to_owned());
                at = parent;
            }
            _ => return path,
        }
    }
}

/// Does a rule fit a tool and one of its parts?
fn matches(rule: &str, tool: &str, part: &str) -> bool {
    let rule = rule.trim();
    let (name, pattern) = match rule.split_once('(') {
        Some((name, rest)) => (name.trim(), rest.strip_suffix(')')),
        None => (rule, None),
    };
    let name_fits = name == "*" || name.eq_ignore_ascii_case(tool) || glob(name, tool);
    match pattern {
        _ if !name_fits => false,
        None => !rule.contains('('),
        Some(pattern) => {
            // `git log *` also means the bare `git log`; `git:*` is how other programs write it.
            let pattern = pattern.trim().replace(":*", " *");
            let bare = pattern.strip_suffix(" *").unwrap_or(&pattern);
            part == bare || glob(&pattern, part)
        }
    }
}

fn glob(pattern: &str, text: &str) -> bool {
    // Only `*` and `?` are special: commands are full of brackets and braces.
    let mut escaped = String::new();
    for c in pattern.chars() {
        if matches!(c, '[' | ']' | '{' | '}' | '\\') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    GlobBuilder::new(&escaped)
        .literal_separator(false)
        .backslash_escape(true)
        .build()
        .is_ok_and(|glob| glob.compile_matcher().is_match(text))
}

fn short(segment: &Segment) -> String {
    let verb = segment.verb();
    if has_verbs(segment.program()) && !verb.is_empty() {
        format!("{} {verb}", segment.program())
    } else {
        segment.program().to_owned()
    }
}

/// Programs whose first operand says what they do.
fn has_verbs(program: &str) -> bool {
    const PROGRAMS: [&str; 24] = [
        "git",
        "npm",
        "pnpm",
        "yarn",
        "bun",
        "cargo",
        "go",
        "pip",
        "pip3",
        "uv",
        "poetry",
        "docker",
        "podman",
        "kubectl",
        "helm",
        "terraform",
        "gh",
        "brew",
        "apt",
        "apt-get",
        "systemctl",
        "deno",
        "bundle",
        "gem",
    ];
    PROGRAMS.contains(&program)
}

fn is_privileged(program: &str) -> bool {
    const PROGRAMS: [&str; 22] = [
        "sudo",
        "su",
        "doas",
        "systemctl",
        "service",
        "shutdown",
        "reboot",
        "halt",
        "poweroff",
        "mkfs",
        "mount",
        "umount",
        "fdisk",
        "parted",
        "useradd",
        "userdel",
        "usermod",
        "passwd",
        "crontab",
        "iptables",
        "launchctl",
        "at",
    ];
    PROGRAMS.contains(&program) || program.starts_with("mkfs.")
}

fn reaches_network(segment: &Segment) -> bool {
    const ALWAYS: [&str; 31] = [
        "curl", "wget", "ssh", "scp", "sftp", "ftp", "nc", "ncat", "netcat", "telnet", "ping", "dig", "nslookup",
        "host", "whois", "aws", "gcloud", "az", "gh", "kubectl", "helm", "heroku", "npx", "pnpx", "bunx", "uvx",
        "pipx", "http", "https", "lynx", "socat",
    ];
    let verb = segment.verb();
    match segment.program() {
        program if ALWAYS.contains(&program) => true,
        "git" => {
            let verb = git_verb(segment);
            matches!(verb, "push" | "pull" | "fetch" | "clone" | "ls-remote" | "submodule" | "send-email" | "svn")
                || (verb == "remote" && segment.has_flag(&["update", "prune", "show"]))
        }
        "rsync" => segment.operands().any(|word| word.text.contains(':')),
        "npm" | "pnpm" | "yarn" | "bun" => {
            matches!(
                verb,
                "install"
                    | "i"
                    | "ci"
                    | "add"
                    | "update"
                    | "upgrade"
                    | "publish"
                    | "dlx"
                    | "create"
                    | "init"
                    | "login"
                    | "audit"
                    | "x"
                    | "exec"
            ) || (segment.program() == "yarn" && verb.is_empty())
        }
        "pip" | "pip3" | "poetry" | "uv" => {
            matches!(verb, "install" | "download" | "add" | "sync" | "update" | "publish" | "pip" | "tool" | "lock")
        }
        "cargo" => matches!(verb, "install" | "add" | "update" | "fetch" | "publish" | "search" | "login" | "yank"),
        "go" => matches!(verb, "get" | "install") || (verb == "mod" && segment.has_flag(&["download", "tidy"])),
        "gem" | "bundle" | "composer" => matches!(verb, "install" | "update" | "push" | "add" | "require"),
        "apt" | "apt-get" | "dnf" | "yum" | "pacman" | "apk" | "brew" | "snap" | "flatpak" | "zypper" => true,
        "docker" | "podman" => {
            matches!(verb, "pull" | "push" | "run" | "build" | "login" | "compose" | "buildx" | "search")
        }
        "terraform" => matches!(verb, "init" | "apply" | "destroy" | "plan"),
        _ => false,
    }
}

/// git's sub-command, global options with values skipped.
pub(super) fn git_verb(segment: &Segment) -> &str {
    let mut words = segment.arguments().iter();
    while let Some(word) = words.next() {
        match word.text.as_str() {
            "-C" | "-c" | "--git-dir" | "--work-tree" | "--namespace" => {
                words.next();
            }
            text if text.starts_with('-') => {}
            text => return text,
        }
    }
    ""
}

/// Does the program write to the paths it is given?
fn writes_operands(segment: &Segment) -> bool {
    const PROGRAMS: [&str; 19] = [
        "rm", "mv", "cp", "mkdir", "rmdir", "touch", "ln", "chmod", "chown", "chgrp", "tee", "install", "truncate",
        "shred", "unlink", "rsync", "mkfifo", "unzip", "patch",
    ];
    match segment.program() {
        "sed" | "perl" | "ruby" => {
            segment.arguments().iter().any(|word| word.text.starts_with("-i") || word.text == "--in-place")
        }
        "dd" => segment.arguments().iter().any(|word| word.text.starts_with("of=")),
        "git" => segment.arguments().iter().any(|word| word.text == "-C"),
        program => PROGRAMS.contains(&program),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn permissions(settings: PermissionSettings) -> Permissions {
        let env = [("HOME".to_owned(), "/home/ana".to_owned())].into_iter().collect();
        Permissions::new(settings, false, Path::new("/home/ana/project"), Path::new("/home/ana/.pizzapi"), &env)
    }

    fn shell(permissions: &Permissions, command: &str) -> Verdict {
        let arguments = json!({ "command": command });
        permissions.judge(&Subject {
            tool: "bash",
            effect: Effect::Shell,
            arguments: &arguments,
            subject: Some(command),
        })
    }

    #[test]
    fn work_inside_the_folder_is_allowed_and_reaching_out_is_asked_for() {
        let rules = permissions(PermissionSettings::default());
        for command in [
            "cargo test",
            "ls -la /etc",
            "rm -rf target",
            "echo hi > out.txt 2>&1",
            "git status && git commit -m 'x'",
            "mkdir -p src/a && touch src/a/b",
            "cat /etc/passwd > /dev/null",
            "cp a /tmp/b",
            "npm test",
            "cd src && rm x",
        ] {
            assert_eq!(shell(&rules, command), Verdict::Allow, "{command}");
        }
        for command in [
            "curl https://example.com",
            "git push",
            "git -C sub fetch",
            "npm install left-pad",
            "rm -rf ~/other",
            "rm -rf $HOME/other",
            "echo x > /etc/hosts",
            "cd .. && rm x",
            "sudo ls",
            "echo $(wget x)",
            "rm -rf $UNKNOWN/x",
            "echo a | tee ../b",
            "echo x > .git/hooks/pre-commit",
            "sh -c 'curl x'",
            "echo 'open",
        ] {
            assert!(matches!(shell(&rules, command), Verdict::Ask { .. }), "{command}");
        }
    }

    #[test]
    fn rules_win_over_the_default_and_a_denial_over_everything() {
        let mut rules = permissions(PermissionSettings {
            allow: vec!["bash(git push *)".into(), "bash(curl:*)".into()],
            ask: vec!["bash(cargo publish *)".into()],
            deny: vec!["bash(rm -rf *)".into()],
        });
        assert_eq!(shell(&rules, "git push origin main"), Verdict::Allow);
        assert_eq!(shell(&rules, "git push"), Verdict::Allow);
        assert_eq!(shell(&rules, "curl -s https://x"), Verdict::Allow);
        // What needs no permission does not spoil what has one, and one allowed part does not carry the others.
        assert_eq!(shell(&rules, "ls && git push"), Verdict::Allow);
        assert!(matches!(shell(&rules, "git push && wget x"), Verdict::Ask { .. }));
        assert!(matches!(shell(&rules, "ls && rm -rf target"), Verdict::Deny { .. }));
        rules.yolo = true;
        assert_eq!(shell(&rules, "wget x"), Verdict::Allow);
        assert!(matches!(shell(&rules, "rm -rf target"), Verdict::Deny { .. }));
    }

    #[test]
    fn always_allowing_writes_a_rule_that_fits_the_same_call() {
        let mut rules = permissions(PermissionSettings::default());
        for command in ["git push origin main", "curl https://x", "cd .. && rm x", "npm install [a]"] {
            let arguments = json!({});
            let subject =
                Subject { tool: "bash", effect: Effect::Shell, arguments: &arguments, subject: Some(command) };
            for rule in rules.rules_for(&subject) {
                rules.allow_in_session(rule);
            }
            assert_eq!(shell(&rules, command), Verdict::Allow, "{command}");
        }
    }

    #[test]
    fn files_outside_and_secrets_are_asked_for() {
        let rules = permissions(PermissionSettings::default());
        let judge = |tool: &str, effect, path: &str| {
            let arguments = json!({ "path": path });
            rules.judge(&Subject { tool, effect, arguments: &arguments, subject: Some(path) })
        };
        assert_eq!(judge("write", Effect::Write, "src/a.rs"), Verdict::Allow);
        assert_eq!(judge("read", Effect::Read, "/etc/hosts"), Verdict::Allow);
        assert!(matches!(judge("write", Effect::Write, "../x"), Verdict::Ask { .. }));
        assert!(matches!(judge("read", Effect::Read, "~/.ssh/id_ed25519"), Verdict::Ask { .. }));
        assert!(matches!(judge("read", Effect::Read, "~/.pizzapi/auth.json"), Verdict::Ask { .. }));
        assert!(matches!(judge("write", Effect::Write, ".pizzapi/settings.json"), Verdict::Ask { .. }));
    }
}

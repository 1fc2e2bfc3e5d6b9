//! What a shell command may do while the agent only plans: look, and nothing else.

use super::git_verb;
use super::shell::{self, Segment};

/// None = allowed; else why not.
pub fn refuse(command: &str) -> Option<String> {
    let Ok(segments) = shell::segments(command) else {
        return Some("the command cannot be read with certainty".into());
    };
    segments.iter().find_map(refuse_segment)
}

fn refuse_segment(segment: &Segment) -> Option<String> {
    let changes = |what: &str| Some(format!("`{what}` changes something"));
    if let Some(target) = segment.writes.iter().find(|word| word.text != "/dev/null") {
        return Some(format!("it writes to `{}`", target.text));
    }
    let program = segment.program();
    if matches!(program, "eval" | "source" | ".") {
        return Some(format!("`{program}` runs text that cannot be checked"));
    }
    const CHANGING: [&str; 48] = [
        "rm",
        "mv",
        "cp",
        "mkdir",
        "rmdir",
        "touch",
        "ln",
        "chmod",
        "chown",
        "chgrp",
        "tee",
        "dd",
        "install",
        "truncate",
        "shred",
        "unlink",
        "rsync",
        "mkfifo",
        "unzip",
        "patch",
        "kill",
        "pkill",
        "killall",
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
        "crontab",
        "useradd",
        "userdel",
        "passwd",
        "vi",
        "vim",
        "nano",
        "emacs",
        "ed",
        "scp",
        "sftp",
        "ssh",
        "at",
    ];
    if CHANGING.contains(&program) {
        return changes(program);
    }
    let verb = segment.verb();
    let refused = match program {
        "git" => git_changes(segment),
        "npm" | "pnpm" | "yarn" | "bun" | "pip" | "pip3" | "uv" | "poetry" | "gem" | "bundle" | "composer" | "brew"
        | "apt" | "apt-get" | "dnf" | "yum" | "pacman" | "apk" => {
            !matches!(
                verb,
                "list"
                    | "ls"
                    | "view"
                    | "info"
                    | "show"
                    | "outdated"
                    | "search"
                    | "why"
                    | "test"
                    | "run"
                    | "freeze"
                    | "tree"
                    | "--version"
                    | "help"
            ) || (matches!(program, "yarn") && verb.is_empty())
        }
        "cargo" => matches!(
            verb,
            "install" | "add" | "remove" | "update" | "publish" | "fix" | "fmt" | "clean" | "new" | "init" | "yank"
        ),
        "sed" | "perl" | "ruby" => {
            segment.arguments().iter().any(|word| word.text.starts_with("-i") || word.text == "--in-place")
        }
        "find" => segment.has_flag(&["-delete"]),
        "docker" | "podman" => !matches!(verb, "ps" | "images" | "logs" | "inspect" | "version" | "info" | "stats"),
        "kubectl" => !matches!(verb, "get" | "describe" | "logs" | "version" | "explain"),
        "gh" => segment
            .operands()
            .nth(1)
            .is_none_or(|word| !matches!(word.text.as_str(), "list" | "view" | "status" | "diff")),
        "curl" => segment.has_flag(&["-o", "-O", "--output", "-X", "--request", "-d", "--data", "-T", "-F"]),
        "wget" => !segment.has_flag(&["-O-", "--spider"]),
        "tar" => segment.arguments().first().is_some_and(|word| word.text.contains('x') || word.text.contains('c')),
        _ => false,
    };
    let name = if verb.is_empty() { program.to_owned() } else { format!("{program} {verb}") };
    if refused { changes(&name) } else { None }
}

fn git_changes(segment: &Segment) -> bool {
    let verb = git_verb(segment);
    let after: Vec<&str> =
        segment.arguments().iter().map(|word| word.text.as_str()).skip_while(|text| *text != verb).skip(1).collect();
    let has = |flags: &[&str]| after.iter().any(|text| flags.contains(text));
    let operands = after.iter().filter(|text| !text.starts_with('-')).count();
    if has(&["-o", "--output"]) || after.iter().any(|text| text.starts_with("--output=")) {
        return true;
    }
    match verb {
        "" | "status" | "log" | "diff" | "show" | "blame" | "grep" | "ls-files" | "ls-tree" | "ls-remote"
        | "rev-parse" | "rev-list" | "describe" | "shortlog" | "cat-file" | "merge-base" | "name-rev"
        | "for-each-ref" | "whatchanged" | "count-objects" | "version" | "help" | "check-ignore" | "cherry"
        | "range-diff" => false,
        "branch" => {
            has(&["-d", "-D", "-m", "-M", "-c", "-C", "-f", "--delete", "--move", "--copy", "-u", "--set-upstream-to"])
                || operands > 0 && !has(&["--list", "-l", "--contains", "--merged", "--no-merged", "-a", "-r"])
        }
        "remote" => has(&["add", "remove", "rm", "rename", "set-url", "prune", "update", "set-head", "set-branches"]),
        "stash" => !matches!(after.first(), Some(&"list" | &"show")),
        "tag" => operands > 0 && !has(&["-l", "--list", "--contains", "--points-at"]) || has(&["-d", "--delete"]),
        "config" => {
            !has(&["--get", "--get-all", "--list", "-l", "--get-regexp"])
                && (operands != 1 || has(&["--unset", "--add"]))
        }
        "worktree" => after.first() != Some(&"list"),
        "submodule" => !matches!(after.first(), Some(&"status" | &"summary") | None),
        "reflog" => matches!(after.first(), Some(&"delete" | &"expire")),
        "notes" => !matches!(after.first(), Some(&"list" | &"show") | None),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_is_allowed_and_changing_is_not() {
        for command in [
            "ls -la && cat README.md | head -5",
            "git status; git log --oneline -5; git branch -a; git branch",
            "git diff HEAD~1 2>/dev/null",
            "git stash list",
            "git config --get user.name",
            "rg foo src > /dev/null",
            "cargo test",
            "npm run test",
            "timeout 5 grep -r x .",
        ] {
            assert_eq!(refuse(command), None, "{command}");
        }
        for command in [
            "rm x",
            "echo a > b",
            "git commit -m x",
            "git branch -d x",
            "git branch new",
            "git stash",
            "git tag v1",
            "git config user.name x",
            "git log -o x",
            "git -C a push",
            "npm install",
            "sed -i s/a/b/ x",
            "bash -c 'rm x'",
            "env A=1 timeout 5 rm x",
            "eval ls",
            ". ./env",
            "echo $(touch x)",
            "find . -delete",
            "echo 'open",
        ] {
            assert!(refuse(command).is_some(), "{command}");
        }
    }
}

//! Commands of the user that watch and guard: run by `sh -c`, JSON on standard input, JSON or an exit code back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use regex::Regex;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// How long a hook may take, unless it says otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest answer of a hook. Units: bytes.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// `hooks` of `config.json`.
#[derive(Debug, Clone, Default, Deserialize)]
struct Group {
    #[serde(default)]
    matcher: Option<String>,
    #[serde(default)]
    hooks: Vec<HookCommand>,
}

#[derive(Debug, Clone, Deserialize)]
struct HookCommand {
    command: String,
    /// Units: seconds when small, milliseconds when 1000 or more.
    #[serde(default)]
    timeout: Option<f64>,
}

/// All hooks of a session.
#[derive(Debug, Default)]
pub struct Hooks {
    groups: BTreeMap<String, Vec<Group>>,
    cwd: PathBuf,
    env: BTreeMap<String, String>,
}

/// What the hooks before a tool decided.
#[derive(Debug, PartialEq)]
pub enum Before {
    Block(String),
    Go { arguments: Option<Value>, context: Vec<String> },
}

/// What hooks made of a prompt.
#[derive(Debug, PartialEq)]
pub enum Input {
    Unchanged,
    Replaced(String),
    Handled(String),
}

struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Hooks {
    /// Read the hooks of the given configuration objects (`hooks` members), in order.
    pub fn load<'a>(sources: impl IntoIterator<Item = &'a Value>, cwd: &Path, env: &BTreeMap<String, String>) -> Self {
        let mut groups: BTreeMap<String, Vec<Group>> = BTreeMap::new();
        for source in sources {
            for (event, list) in source.as_object().into_iter().flatten() {
                match serde_json::from_value::<Vec<Group>>(list.clone()) {
                    Ok(list) => groups.entry(event.clone()).or_default().extend(list),
                    Err(error) => tracing::warn!(%event, %error, "hooks of this event are malformed and were ignored"),
                }
            }
        }
        let mut env = env.clone();
        env.insert("PIZZAPI_PROJECT_DIR".into(), cwd.to_string_lossy().into_owned());
        Self { groups, cwd: cwd.to_owned(), env }
    }

    fn matching(&self, event: &str, name: &str) -> Vec<&HookCommand> {
        self.groups
            .get(event)
            .into_iter()
            .flatten()
            .filter(|group| fits(group.matcher.as_deref(), name))
            .flat_map(|group| &group.hooks)
            .collect()
    }

    /// A hook that fails in any unforeseen way blocks: it was put there as a guard.
    pub async fn before_tool(&self, tool: &str, arguments: &Value) -> Before {
        let mut changed: Option<Value> = None;
        let mut context = Vec::new();
        for hook in self.matching("PreToolUse", tool) {
            let input = with_both_paths(changed.as_ref().unwrap_or(arguments));
            let ran = match self.run(hook, &json!({ "tool_name": tool, "tool_input": input })).await {
                Ok(ran) => ran,
                Err(error) => return Before::Block(error),
            };
            match ran.code {
                Some(0) => {}
                Some(2) => return Before::Block(or(ran.stderr.trim(), "blocked")),
                code => return Before::Block(format!("the hook failed (exit {}): {}", show(code), ran.stderr.trim())),
            }
            let Some(answer) = answer(&ran.stdout) else { continue };
            if text(&answer, "permissionDecision").as_deref() == Some("deny") {
                return Before::Block(text(&answer, "permissionDecisionReason").unwrap_or_else(|| "denied".into()));
            }
            if let Some(Value::Object(update)) = answer.get("updatedInput") {
                let mut merged = changed.take().unwrap_or_else(|| arguments.clone());
                if let Some(merged) = merged.as_object_mut() {
                    merged.extend(update.clone());
                }
                changed = Some(merged);
            }
            context.extend(text(&answer, "additionalContext"));
        }
        Before::Go { arguments: changed, context }
    }

    /// Text to add to the result.
    pub async fn after_tool(&self, tool: &str, arguments: &Value, response: &str, is_error: bool) -> Vec<String> {
        let mut context = Vec::new();
        for hook in self.matching("PostToolUse", tool) {
            let input = json!({
                "tool_name": tool, "tool_input": with_both_paths(arguments), "tool_response": response, "is_error": is_error
            });
            match self.run(hook, &input).await {
                Ok(ran) => context.extend(answer(&ran.stdout).and_then(|answer| text(&answer, "additionalContext"))),
                Err(error) => tracing::warn!(%error, "a hook after a tool failed"),
            }
        }
        context
    }

    pub async fn input(&self, said: &str, source: &str) -> Input {
        let mut current: Option<String> = None;
        for hook in self.matching("Input", "") {
            let input = json!({ "event": "Input", "text": current.as_deref().unwrap_or(said), "source": source });
            let Some(answer) = self.advice(hook, &input).await else { continue };
            if text(&answer, "action").as_deref() == Some("handled") {
                return Input::Handled(text(&answer, "message").unwrap_or_default());
            }
            current = text(&answer, "text").or(current);
        }
        current.map_or(Input::Unchanged, Input::Replaced)
    }

    /// Context to add and a system prompt to use for this run.
    pub async fn before_start(&self, prompt: &str, system_prompt: &str) -> (Vec<String>, Option<String>) {
        let (mut context, mut system) = (Vec::new(), None);
        for hook in self.matching("BeforeAgentStart", "") {
            let Some(answer) = self.advice(hook, &json!({ "prompt": prompt, "system_prompt": system_prompt })).await
            else {
                continue;
            };
            context.extend(text(&answer, "additionalContext"));
            system = text(&answer, "systemPrompt").or(system);
        }
        (context, system)
    }

    /// Why the user's own command must not run.
    pub async fn user_bash(&self, command: &str) -> Option<String> {
        self.refusal("UserBash", &json!({ "command": command })).await
    }

    pub async fn before_compact(&self) -> Option<String> {
        self.refusal("SessionBeforeCompact", &json!({})).await
    }

    pub async fn before_switch(&self, target: &str) -> Option<String> {
        self.refusal("SessionBeforeSwitch", &json!({ "target": target })).await
    }

    pub async fn before_fork(&self, entry: &str) -> Option<String> {
        self.refusal("SessionBeforeFork", &json!({ "entry_id": entry })).await
    }

    /// Tell hooks that only listen.
    pub async fn tell(&self, event: &str, input: Value) {
        for hook in self.matching(event, "") {
            if let Err(error) = self.run(hook, &input).await {
                tracing::warn!(%event, %error, "a hook failed");
            }
        }
    }

    async fn refusal(&self, event: &str, input: &Value) -> Option<String> {
        for hook in self.matching(event, "") {
            match self.run(hook, input).await {
                Ok(ran) if ran.code == Some(2) => return Some(or(ran.stderr.trim(), "refused")),
                Ok(ran) => {
                    let refused = answer(&ran.stdout).filter(|answer| {
                        answer.get("cancel") == Some(&Value::Bool(true))
                            || text(answer, "permissionDecision").as_deref() == Some("deny")
                            || text(answer, "decision").as_deref() == Some("block")
                    });
                    if let Some(answer) = refused {
                        return Some(text(&answer, "reason").unwrap_or_else(|| "refused".into()));
                    }
                }
                Err(error) => tracing::warn!(%event, %error, "a hook failed"),
            }
        }
        None
    }

    async fn advice(&self, hook: &HookCommand, input: &Value) -> Option<Value> {
        match self.run(hook, input).await {
            Ok(ran) => answer(&ran.stdout),
            Err(error) => {
                tracing::warn!(%error, "a hook failed");
                None
            }
        }
    }

    async fn run(&self, hook: &HookCommand, input: &Value) -> Result<Ran, String> {
        let limit = match hook.timeout {
            Some(seconds) if seconds > 0.0 && seconds < 1000.0 => Duration::from_secs_f64(seconds),
            Some(ms) if ms >= 1000.0 => Duration::from_millis(ms as u64),
            _ => DEFAULT_TIMEOUT,
        };
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg(&hook.command)
            .current_dir(&self.cwd)
            .env_clear()
            .envs(&self.env)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.spawn().map_err(|error| format!("hook `{}` did not start: {error}", hook.command))?;
        let mut stdin = child.stdin.take();
        let text = input.to_string();
        let exchange = async move {
            if let Some(stdin) = &mut stdin {
                // A hook need not read what it is told.
                let _ = stdin.write_all(text.as_bytes()).await;
            }
            drop(stdin);
            child.wait_with_output().await
        };
        let output = tokio::time::timeout(limit, exchange)
            .await
            .map_err(|_| format!("hook `{}` took longer than {} s", hook.command, limit.as_secs()))?
            .map_err(|error| format!("hook `{}` failed: {error}", hook.command))?;
        let readable = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_ANSWER_BYTES)]).into_owned();
        Ok(Ran { code: output.status.code(), stdout: readable(&output.stdout), stderr: readable(&output.stderr) })
    }
}

/// Alternatives separated by `|`, each a regular expression for the whole name; case does not matter.
fn fits(matcher: Option<&str>, name: &str) -> bool {
    match matcher.map(str::trim) {
        None | Some("" | "*") => true,
        Some(matcher) => Regex::new(&format!("(?i)^(?:{matcher})$")).is_ok_and(|regex| regex.is_match(name)),
    }
}

/// The answer, flat or below `hookSpecificOutput`.
fn answer(stdout: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(stdout.trim()).ok()?;
    let mut flat: Map<String, Value> = value.as_object()?.clone();
    if let Some(Value::Object(inner)) = flat.remove("hookSpecificOutput") {
        flat.extend(inner);
    }
    Some(Value::Object(flat))
}

fn text(answer: &Value, key: &str) -> Option<String> {
    answer.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn or(text: &str, fallback: &str) -> String {
    if text.is_empty() { fallback.to_owned() } else { text.to_owned() }
}

fn show(code: Option<i32>) -> String {
    code.map_or_else(|| "by a signal".into(), |code| code.to_string())
}

/// Hooks of different origins look for the path under different names.
fn with_both_paths(arguments: &Value) -> Value {
    let mut both = arguments.clone();
    if let Some(map) = both.as_object_mut() {
        if let Some(path) = map.get("path").cloned() {
            map.entry("file_path").or_insert(path);
        } else if let Some(path) = map.get("file_path").cloned() {
            map.entry("path").or_insert(path);
        }
    }
    both
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hooks(event: &str, matcher: &str, command: &str) -> Hooks {
        let config = json!({ event: [{ "matcher": matcher, "hooks": [{ "command": command, "timeout": 5 }] }] });
        Hooks::load([&config], Path::new("/"), &std::env::vars().collect())
    }

    #[tokio::test]
    async fn a_guard_blocks_by_word_by_exit_code_and_by_failing() {
        let deny = hooks(
            "PreToolUse",
            "bash|write",
            r#"echo '{"hookSpecificOutput":{"permissionDecision":"deny","permissionDecisionReason":"no"}}'"#,
        );
        assert_eq!(deny.before_tool("Bash", &json!({})).await, Before::Block("no".into()));
        assert!(matches!(deny.before_tool("read", &json!({})).await, Before::Go { .. }));
        let exit = hooks("PreToolUse", "", "echo stop >&2; exit 2");
        assert_eq!(exit.before_tool("read", &json!({})).await, Before::Block("stop".into()));
        let broken = hooks("PreToolUse", "", "exit 7");
        assert!(matches!(broken.before_tool("read", &json!({})).await, Before::Block(_)));
    }

    #[tokio::test]
    async fn a_guard_sees_both_path_names_and_may_change_arguments() {
        let change = hooks(
            "PreToolUse",
            "",
            r#"grep -q '"file_path":"a"' && echo '{"updatedInput":{"path":"b"},"additionalContext":"note"}'"#,
        );
        let Before::Go { arguments, context } = change.before_tool("read", &json!({"path": "a"})).await else {
            panic!("it may go on")
        };
        assert_eq!((arguments, context), (Some(json!({"path": "b"})), vec!["note".to_owned()]));
    }
}

//! Shell commands: the model's, in front and in the background.

use std::path::PathBuf;

use async_trait::async_trait;
use pizzapi_tools::Workspace;
use pizzapi_tools::bash::{BACKGROUND_AFTER, BashArgs};
use serde_json::{Value, json};

use super::files::{converted, finish, typed};
use super::{Call, Effect, Failure, Output, Partial, Tool};
use crate::core::Core;
use crate::provider::ToolSpec;

pub struct Bash {
    pub home: Option<PathBuf>,
    /// Seconds until a command goes on in the background; None = never.
    pub background_after: Option<u64>,
}

#[async_trait]
impl Tool for Bash {
    fn spec(&self) -> ToolSpec {
        let background = match self.background_after {
            Some(seconds) => format!(
                "A command that still runs after {seconds} s goes on in the background; you are told when it ends."
            ),
            None => "Commands run to their end.".to_owned(),
        };
        ToolSpec {
            name: "bash".into(),
            description: format!(
                "Run a shell command in the working directory. Output is the last 2000 lines or 50 KiB. {background} For servers and \
                 watchers use run_in_background."
            ),
            parameters: json!({
                "type": "object",
                "properties": {
                    "command": {"type": "string", "minLength": 1},
                    "title": {"type": "string", "description": "What it does, in a few words, for lists."},
                    "timeout": {"type": "number", "exclusiveMinimum": 0, "description": "Seconds after which it is stopped; default: none."},
                    "run_in_background": {"type": "boolean"}
                },
                "required": ["command", "title"]
            }),
        }
    }

    fn summary(&self) -> String {
        "run a shell command".into()
    }

    fn guidelines(&self) -> Vec<String> {
        vec!["Commands have no terminal and no input: use flags that never ask.".into()]
    }

    fn effect(&self) -> Effect {
        Effect::Shell
    }

    fn repair(&self, mut arguments: Value) -> Value {
        // The title is for people; a command is not refused for the lack of one.
        if let Some(map) = arguments.as_object_mut()
            && !map.get("title").is_some_and(Value::is_string)
            && let Some(command) = map.get("command").and_then(Value::as_str)
        {
            let title: String = command.lines().next().unwrap_or_default().chars().take(60).collect();
            map.insert("title".into(), title.into());
        }
        arguments
    }

    async fn run(&self, call: Call) -> Result<Output, Failure> {
        let workspace = Workspace::new(call.cwd.clone(), self.home.clone());
        let arguments: BashArgs = typed(call.arguments)?;
        let env = environment(&call.core);
        let progress = call.progress.clone();
        let update = move |output: pizzapi_tools::Output| {
            let output = converted(output);
            progress.show(Partial { content: output.content, details: output.details });
        };
        let result = call.core.shells.run(&workspace, arguments, &env, &call.cancel, update).await;
        call.core.refresh();
        finish(result)
    }
}

/// What a command may want to know about the session it belongs to.
pub(crate) fn environment(core: &Core) -> Vec<(String, String)> {
    let mut env =
        vec![("PI_SESSION_ID".to_owned(), core.config().relay_session_id.clone().unwrap_or_else(|| core.session_id()))];
    if let Some(path) = core.transcript.lock().path() {
        env.push(("PI_SESSION_FILE".into(), path.to_string_lossy().into_owned()));
    }
    if let Some(model) = &core.live.lock().model {
        env.push(("PI_PROVIDER".into(), model.provider.clone()));
        env.push(("PI_MODEL".into(), model.id.clone()));
    }
    env.push(("PI_REASONING_LEVEL".into(), core.thinking().as_str().to_owned()));
    env
}

/// After how many seconds a command goes on in the background: variable, configuration, default.
pub(crate) fn background_after(variable: Option<&str>, configured: Option<u64>) -> u64 {
    variable.and_then(|text| text.trim().parse().ok()).or(configured).unwrap_or(BACKGROUND_AFTER.as_secs())
}

pub struct BashOutput;

#[async_trait]
impl Tool for BashOutput {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "bash_output".into(),
            description: "What a background command printed since you last asked, and whether it still runs. Without pid: the list.".into(),
            parameters: json!({"type": "object", "properties": {"pid": {"type": "integer"}}}),
        }
    }

    fn summary(&self) -> String {
        "look at background commands".into()
    }

    fn effect(&self) -> Effect {
        Effect::Talk
    }

    async fn run(&self, call: Call) -> Result<Output, Failure> {
        finish(call.core.shells.output(pid(&call.arguments)))
    }
}

pub struct KillShell;

#[async_trait]
impl Tool for KillShell {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "kill_shell".into(),
            description: "Stop a background command and everything it started.".into(),
            parameters: json!({"type": "object", "properties": {"pid": {"type": "integer"}}, "required": ["pid"]}),
        }
    }

    fn summary(&self) -> String {
        "stop a background command".into()
    }

    fn effect(&self) -> Effect {
        Effect::Talk
    }

    fn in_plan_mode(&self) -> bool {
        false
    }

    async fn run(&self, call: Call) -> Result<Output, Failure> {
        let pid = pid(&call.arguments).ok_or_else(|| Failure::new("`pid` is required"))?;
        let result = call.core.shells.kill(pid).await;
        call.core.refresh();
        finish(result)
    }
}

fn pid(arguments: &Value) -> Option<i32> {
    arguments.get("pid").and_then(Value::as_i64).and_then(|pid| i32::try_from(pid).ok())
}

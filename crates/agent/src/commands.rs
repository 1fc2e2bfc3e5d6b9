//! Slash commands: what `/name arguments` does.

use std::sync::Arc;

use pizzapi_protocol::{CommandCompletion, CommandInfo, ModelSelectSource, ThinkingLevel};

use crate::core::Core;
use crate::goal::Goal;
use crate::op::{CommandOutcome, HostCommand, OpError};
use crate::prompt::templates;

/// Completions one command offers.
const MAX_COMPLETIONS: usize = 50;

struct Builtin {
    name: &'static str,
    description: &'static str,
    hint: Option<&'static str>,
}

const fn builtin(name: &'static str, description: &'static str, hint: Option<&'static str>) -> Builtin {
    Builtin { name, description, hint }
}

const BUILTINS: &[Builtin] = &[
    builtin("model", "Choose the model", Some("[pattern[:thinking]]")),
    builtin("thinking", "Choose how much the model thinks", Some("[level]")),
    builtin("settings", "Change preferences", None),
    builtin("new", "Begin a new conversation", None),
    builtin("resume", "Go on with another conversation", Some("[words]")),
    builtin("fork", "Begin anew before an earlier message", None),
    builtin("tree", "Go to another place in this conversation", None),
    builtin("clone", "Copy this conversation into a new session", None),
    builtin("compact", "Summarise the conversation to make room", Some("[focus]")),
    builtin("name", "Name this session", Some("[name]")),
    builtin("session", "Show file, counts, tokens and cost", None),
    builtin("copy", "Copy the last answer", None),
    builtin("login", "Store a key for a provider", Some("[provider]")),
    builtin("logout", "Forget the key of a provider", Some("<provider>")),
    builtin("hotkeys", "Show the keys", None),
    builtin("reload", "Read settings, skills and templates again", None),
    builtin("plan", "Switch plan mode", None),
    builtin("goal", "Work until a condition is met", Some("\"<condition>\" [--max-turns n] [--max-cost usd] | clear")),
    builtin("background", "Let the running command go on in the background", None),
    builtin("shells", "List background commands", None),
    builtin("mcp", "Show MCP servers", Some("[reload | enable <name> | disable <name>]")),
    builtin("skills", "List skills", Some("[reload]")),
    builtin("remote", "Share URL and connection to the relay", Some("[reconnect | stop]")),
    builtin("export", "Write the conversation to a file", Some("[file.jsonl]")),
    builtin("trust", "Trust this project's settings and skills", Some("[yes | no]")),
    builtin("yolo", "Run every tool without asking, in this session", Some("[on | off]")),
    builtin("restart", "Restart this session's process", None),
    builtin("quit", "Leave", None),
];

impl Core {
    /// Every command, with hints and completions, in the order of precedence.
    pub(crate) fn commands(&self) -> Vec<CommandInfo> {
        let mut list: Vec<CommandInfo> = BUILTINS
            .iter()
            .map(|command| CommandInfo {
                name: command.name.into(),
                description: Some(command.description.into()),
                source: Some("builtin".into()),
                argument_hint: command.hint.map(str::to_owned),
                completions: self.completions(command.name),
            })
            .collect();
        let resources = self.resources();
        for template in &resources.templates {
            if list.iter().any(|known| known.name == template.name) {
                continue;
            }
            list.push(CommandInfo {
                name: template.name.clone(),
                description: Some(template.description.clone()),
                source: Some("prompt".into()),
                argument_hint: template.argument_hint.clone(),
                completions: None,
            });
        }
        if self.settings.read().enable_skill_commands.unwrap_or(true) {
            for skill in &resources.skills {
                list.push(CommandInfo {
                    name: format!("skill:{}", skill.name),
                    description: Some(skill.description.clone()),
                    source: Some("skill".into()),
                    argument_hint: skill.argument_hint.clone(),
                    completions: None,
                });
            }
        }
        list
    }

    fn completions(&self, name: &str) -> Option<Vec<CommandCompletion>> {
        let plain = |value: String, label: Option<String>| CommandCompletion { value, label, description: None };
        let list: Vec<CommandCompletion> = match name {
            "model" => self.registry.available().iter().map(|m| plain(m.key(), Some(m.name.clone()))).collect(),
            "thinking" => {
                let model = self.live.lock().model.clone();
                let levels = model.map(|m| m.thinking_levels()).unwrap_or_default();
                levels.into_iter().map(|level| plain(level.as_str().into(), None)).collect()
            }
            "login" | "logout" => self.registry.provider_ids().into_iter().map(|id| plain(id, None)).collect(),
            "remote" => ["reconnect", "stop"].map(|w| plain(w.into(), None)).to_vec(),
            "trust" => ["yes", "no"].map(|w| plain(w.into(), None)).to_vec(),
            _ => Vec::new(),
        };
        (!list.is_empty()).then(|| list.into_iter().take(MAX_COMPLETIONS).collect())
    }

    /// Text with templates and skills put in; None when it names none.
    pub(crate) fn expand(&self, text: &str) -> Result<Option<String>, OpError> {
        let Some((name, arguments)) = parse(text) else { return Ok(None) };
        let resources = self.resources();
        if let Some(name) = name.strip_prefix("skill:") {
            let skill = resources
                .skills
                .iter()
                .find(|skill| skill.name == name)
                .ok_or_else(|| OpError::Invalid(format!("there is no skill `{name}`")))?;
            let body =
                skill.body().map_err(|error| OpError::Invalid(format!("failed to read skill `{name}`: {error}")))?;
            let dir = skill.path.parent().unwrap_or(&skill.path).display().to_string();
            let mut text = format!("<skill name=\"{name}\" folder=\"{dir}\">\n{}\n</skill>", body.trim());
            if !arguments.is_empty() {
                text.push_str(&format!("\n\n{arguments}"));
            }
            return Ok(Some(text));
        }
        let template = resources.templates.iter().find(|template| template.name == name);
        Ok(template.map(|template| templates::fill(&template.body, arguments)))
    }

    /// Is this text a built-in command?
    pub(crate) fn is_command(text: &str) -> bool {
        parse(text).is_some_and(|(name, _)| BUILTINS.iter().any(|command| command.name == name))
    }

    /// Run a built-in command. Hosts do what only they can.
    pub(crate) async fn run_command(&self, text: &str) -> Result<CommandOutcome, OpError> {
        let Some((name, arguments)) = parse(text) else {
            return Err(OpError::Invalid(format!("`{text}` is not a command")));
        };
        let core: Arc<Core> = self.arc();
        match name {
            "model" if arguments.is_empty() => Ok(host(HostCommand::PickModel)),
            "model" => {
                let choice =
                    core.registry.find(arguments).ok_or_else(|| OpError::UnknownModel(arguments.to_owned()))?;
                if let Some(level) = choice.thinking {
                    core.set_thinking(level).await?;
                }
                let model = core.set_model(choice.model, ModelSelectSource::Set, false).await?;
                Ok(said(format!("Model: {}", model.name.unwrap_or(model.id))))
            }
            "thinking" if arguments.is_empty() => {
                let level = core.cycle_thinking().await?;
                Ok(said(format!("Thinking: {level}")))
            }
            "thinking" => {
                let level = ThinkingLevel::from_word(arguments)
                    .ok_or_else(|| OpError::Invalid(format!("unknown thinking level `{arguments}`")))?;
                let level = core.set_thinking(level).await?;
                Ok(said(format!("Thinking: {level}")))
            }
            "settings" => Ok(host(HostCommand::Settings)),
            "new" => {
                core.new_session().await?;
                Ok(CommandOutcome::default())
            }
            "resume" if arguments.is_empty() => Ok(host(HostCommand::PickSession)),
            "resume" => {
                core.resume(arguments).await?;
                Ok(CommandOutcome::default())
            }
            "fork" => Ok(host(HostCommand::PickFork)),
            "tree" => Ok(host(HostCommand::PickTree)),
            "clone" => {
                core.clone_session().await?;
                Ok(said("This is a copy of the conversation now."))
            }
            "compact" => {
                let focus = (!arguments.is_empty()).then(|| arguments.to_owned());
                core.compact(focus).await?;
                Ok(said("The conversation was summarised."))
            }
            "name" if arguments.is_empty() => {
                let name = core.transcript.lock().name();
                Ok(said(name.map_or_else(
                    || "This session has no name.".into(),
                    |name| format!("This session is named “{name}”."),
                )))
            }
            "name" => {
                let name = core.rename(arguments).await;
                Ok(said(format!("Session named “{}”.", name.unwrap_or_default())))
            }
            "session" => Ok(said(core.session_text())),
            "copy" => Ok(host(HostCommand::Copy)),
            "login" => Ok(host(HostCommand::Login((!arguments.is_empty()).then(|| arguments.to_owned())))),
            "logout" => {
                let removed = core.registry.auth().remove(arguments)?;
                core.capabilities_changed().await;
                Ok(said(if removed {
                    format!("Forgot the key of {arguments}.")
                } else {
                    format!("No key is stored for `{arguments}`.")
                }))
            }
            "hotkeys" => Ok(host(HostCommand::Hotkeys)),
            "reload" => {
                core.reload().await;
                Ok(CommandOutcome {
                    message: Some("Settings, models, skills and templates were read again.".into()),
                    host: Some(HostCommand::Reload),
                })
            }
            "plan" => {
                let enabled = !core.live.lock().plan_mode;
                core.set_plan_mode(enabled).await;
                Ok(said(if enabled { "Plan mode is on: nothing will be changed." } else { "Plan mode is off." }))
            }
            "goal" => core.goal_command(arguments).await,
            "background" => {
                let moved = core.background_bash()?;
                Ok(said(format!("Moved to the background: {}", moved.join(", "))))
            }
            "shells" => Ok(said(core.shells_text())),
            "mcp" => core.mcp_command(arguments).await,
            "skills" => {
                if arguments == "reload" {
                    core.reload().await;
                }
                Ok(said(core.skills_text()))
            }
            "remote" => Ok(host(HostCommand::Remote(arguments.to_owned()))),
            "export" => core.export(arguments).await.map(said),
            "trust" => core.trust(arguments).await.map(said),
            "yolo" => {
                let on = arguments != "off";
                core.permissions.lock().yolo = on;
                core.refresh();
                Ok(said(if on {
                    "Every tool runs without asking until you say `/yolo off`: commands may write anywhere and reach the network."
                } else {
                    "Tools ask again where the rules say so."
                }))
            }
            "restart" => Ok(host(HostCommand::Restart)),
            "quit" => Ok(host(HostCommand::Quit)),
            _ => Err(OpError::Invalid(format!("there is no command /{name}"))),
        }
    }

    async fn goal_command(&self, arguments: &str) -> Result<CommandOutcome, OpError> {
        match arguments {
            "" => Ok(said(self.goal_view().map_or_else(
                || "No goal is set.".into(),
                |goal| {
                    format!(
                        "Goal ({}): {}\nTurns {}{}, cost ${:.3}. {}",
                        goal.status,
                        goal.description,
                        goal.turn_count,
                        goal.max_turns.map(|max| format!(" of {max}")).unwrap_or_default(),
                        goal.cost_spend,
                        goal.last_reason.unwrap_or_default()
                    )
                },
            ))),
            "clear" | "stop" | "off" | "cancel" | "reset" | "none" => {
                self.set_goal(None).await;
                Ok(said("The goal is cleared."))
            }
            arguments => {
                let mut goal = Goal::parse(arguments)?;
                let usage = self.live.lock().usage;
                goal.tokens_at_start = usage.input + usage.output + usage.cache_read + usage.cache_write;
                goal.cost_at_start = usage.cost;
                let condition = goal.condition.clone();
                self.set_goal(Some(goal)).await;
                self.say_goal(&condition).await?;
                Ok(said(format!("Goal: {condition}")))
            }
        }
    }
}

fn host(command: HostCommand) -> CommandOutcome {
    CommandOutcome { message: None, host: Some(command) }
}

fn said(text: impl Into<String>) -> CommandOutcome {
    CommandOutcome { message: Some(text.into()), host: None }
}

/// `/name arguments`. A path such as `/etc/hosts` is no command.
fn parse(text: &str) -> Option<(&str, &str)> {
    let rest = text.trim().strip_prefix('/')?;
    let (name, arguments) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | ':' | '.'));
    plain.then(|| (name, arguments.trim()))
}

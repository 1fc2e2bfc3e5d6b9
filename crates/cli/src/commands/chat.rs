//! `pizzapi`: an interactive session, or one answer when nobody sits in front of it.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use parking_lot::Mutex;
use pizzapi_agent::{Agent, AgentConfig, AgentState, Host, SessionStart};
use pizzapi_config::update_object;
use pizzapi_protocol::ThinkingLevel;
use serde_json::Value;

use super::{Program, models, print, relay, setup};
use crate::args::SessionArgs;
use crate::output::WithHint;
use crate::remote::HostWish;
use crate::tui::app::Setup;
use crate::tui::keymap::Keymap;
use crate::tui::theme::{TerminalEnv, Theme};
use crate::tui::{self, Left, Options, perform};
use crate::{logging, output};

/// Largest file that `@file` puts into a message.
const MAX_INCLUDED_BYTES: u64 = 1024 * 1024;

pub async fn run(program: Program, arguments: SessionArgs) -> anyhow::Result<ExitCode> {
    let (message, images) = first_message(&program.cwd, &arguments.message)?;
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    if arguments.print || arguments.mode.is_some() || !terminal {
        program.print_warnings();
        logging::to_stderr(&program.vars, if arguments.verbose { "info" } else { "error" });
        return print::run(&program, &arguments, message, images).await;
    }
    let mut warnings = program.warnings.clone();
    if let Err(error) = logging::to_file(&program.vars, &program.home().logs(), "session") {
        warnings.push(format!("nothing is logged: {error}"));
    }
    let relay_wanted = relay::wanted(&program, &arguments);
    if relay_wanted {
        offer_setup(&program).await?;
    }
    if arguments.safe_mode {
        warnings.push("Safe mode: no MCP servers, plugins, hooks or relay.".to_owned());
    }

    let mut config = agent_config(&program, &arguments, Host::Terminal)?;
    let plan = relay_wanted.then(|| relay::plan(&program)).flatten();
    let relay_id = plan.as_ref().map(relay::Plan::session_id);
    if let Some(plan) = &plan {
        plan.prepare(&mut config);
    }
    let agent = Agent::start(config).await.hint("`pizzapi --resume` lists the sessions of this directory")?;
    warnings.extend(agent.take_warnings());
    let mut remote = match plan {
        Some(plan) => match relay::connect(agent.clone(), plan) {
            Ok(remote) => Some(remote),
            Err(error) => {
                warnings.push(format!("no connection to the relay: {error}"));
                None
            }
        },
        None => None,
    };

    let (keybindings, problem) = read_json(&program.config.agent_dir.keybindings_file());
    warnings.extend(problem);
    let (keymap, problems) = Keymap::with(&keybindings);
    warnings.extend(problems.into_iter().map(|problem| format!("keybindings.json: {problem}")));
    let (settings, problem) = read_json(&program.config.agent_dir.settings_file());
    warnings.extend(problem);
    let terminal = TerminalEnv::read(&program.vars);
    let theme = Theme::for_terminal(settings.get("theme").and_then(Value::as_str), &terminal);
    let loaded = agent.loaded();
    let mut names: Vec<String> = loaded
        .context_files
        .iter()
        .map(|path| path.strip_prefix(&program.cwd).unwrap_or(path).display().to_string())
        .collect();
    names.extend(loaded.skills);

    let wished = Arc::new(Mutex::new(None));
    let (granted, wishes) = (wished.clone(), remote.as_mut().map(relay::Connected::take_wishes));
    let options = Options {
        agent: agent.clone(),
        agent_dir: program.agent_dir().to_owned(),
        setup: Setup {
            theme,
            keymap,
            cwd: agent.snapshot().cwd.to_string_lossy().into_owned(),
            home: Some(program.home().user().to_string_lossy().into_owned()),
            version: crate::VERSION.to_owned(),
            loaded: names,
            quiet: settings.get("quietStartup").and_then(Value::as_bool).unwrap_or(false),
        },
        terminal,
        remote: remote.as_ref().map(|remote| remote.control()),
        end: Box::pin(async move {
            match wishes {
                Some(mut wishes) => *granted.lock() = Some(wishes.next().await),
                None => std::future::pending().await,
            }
        }),
        warnings,
        first: (!message.is_empty() || !images.is_empty()).then_some((message, images)),
        choose_session: arguments.resume,
        safe_mode: arguments.safe_mode,
        editor: program.vars.first(&["VISUAL", "EDITOR"]).map_or("vi", |(_, editor)| editor).to_owned(),
    };
    let left = tui::run(options).await.context("failed to use the terminal");
    let state = agent.snapshot();
    let restart = *wished.lock() == Some(HostWish::Restart);
    if let Some(remote) = remote {
        if restart { remote.close().await } else { remote.end().await }
    }
    agent.shutdown().await;
    if restart {
        return Err(again(&arguments, &state, relay_id).into());
    }
    if let (Ok(Left::Quit), Some(file)) = (&left, &state.session_file)
        && file.exists()
    {
        output::note(format!("To go on: pizzapi --session {}", state.session_id));
    }
    Ok(match left? {
        Left::Quit => ExitCode::SUCCESS,
        Left::Signal => ExitCode::from(143),
    })
}

/// Starts this program once more in its own place, with the same session. Returns only when that fails.
fn again(arguments: &SessionArgs, state: &AgentState, relay_id: Option<String>) -> std::io::Error {
    let executable = match std::env::current_exe() {
        Ok(executable) => executable,
        Err(error) => return error,
    };
    let mut command = std::process::Command::new(executable);
    command.current_dir(&state.cwd);
    if let Some(file) = &state.session_file {
        command.arg("--session").arg(file);
    }
    for (flag, on) in [
        ("--yolo", arguments.yolo),
        ("--safe-mode", arguments.safe_mode),
        ("--no-mcp", arguments.no_mcp),
        ("--no-plugins", arguments.no_plugins),
        ("--no-hooks", arguments.no_hooks),
        ("--no-relay", arguments.no_relay),
        ("--no-skills", arguments.no_skills),
        ("--no-context-files", arguments.no_context_files),
        ("--no-tools", arguments.no_tools),
    ] {
        if on {
            command.arg(flag);
        }
    }
    // Viewers keep looking at the same session.
    command.envs(relay_id.map(|id| ("PIZZAPI_SESSION_ID", id)));
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        command.exec()
    }
    #[cfg(not(unix))]
    match command.status() {
        Ok(status) => std::process::exit(status.code().unwrap_or(1)),
        Err(error) => error,
    }
}

/// Asks once, on the very first start, whether to connect to a relay.
async fn offer_setup(program: &Program) -> anyhow::Result<()> {
    let config = &program.config;
    let file = program.home().config_file();
    if config.api_key.is_some() || config.relay.is_configured() || file.exists() {
        return Ok(());
    }
    if !setup::first_run(program).await? {
        // The answer is remembered, whatever it was: nobody wants to be asked at every start.
        update_object(&file, |config| {
            config.insert("setupSkipped".to_owned(), true.into());
        })
        .context("failed to remember the answer")?;
    }
    Ok(())
}

/// What the command line says about a session, as the agent understands it.
pub fn agent_config(program: &Program, arguments: &SessionArgs, host: Host) -> anyhow::Result<AgentConfig> {
    let vars = &program.vars;
    let mut config = AgentConfig::with_env(&program.cwd, program.agent_dir(), program.environment());
    config.host = host;
    config.start = if arguments.no_session {
        SessionStart::InMemory
    } else if arguments.continue_newest {
        SessionStart::Continue
    } else if let Some(target) = &arguments.session {
        SessionStart::Open(target.clone())
    } else if let Some(target) = &arguments.fork {
        SessionStart::Fork(target.clone())
    } else {
        SessionStart::New
    };
    config.model = match (&arguments.provider, &arguments.model) {
        (Some(provider), Some(model)) if !model.starts_with(&format!("{provider}/")) => {
            Some(format!("{provider}/{model}"))
        }
        (Some(provider), None) => Some(format!("{provider}/")),
        (_, model) => model.clone(),
    };
    if config.model.is_none() && vars.flag(models::DEMO_VARIABLE) && config.start == SessionStart::New {
        config.model = Some(models::DEMO_MODEL.to_owned());
    }
    config.thinking = match &arguments.thinking {
        None => None,
        Some(word) => match ThinkingLevel::from_word(word) {
            Some(level) => Some(level),
            None => {
                let all: Vec<&str> = ThinkingLevel::ALL.iter().map(|level| level.as_str()).collect();
                bail!("`{word}` is no thinking level\n\nhint: use one of {}", all.join(", "));
            }
        },
    };
    config.api_key.clone_from(&arguments.api_key);
    config.yolo = arguments.yolo;
    config.safe_mode = arguments.safe_mode;
    config.mcp = !(arguments.no_mcp || arguments.safe_mode || vars.flag("PIZZAPI_NO_MCP"));
    config.plugins = !(arguments.no_plugins || arguments.safe_mode || vars.flag("PIZZAPI_NO_PLUGINS"));
    config.hooks = !(arguments.no_hooks || arguments.safe_mode || vars.flag("PIZZAPI_NO_HOOKS"));
    config.tools = if arguments.no_tools { Some(Vec::new()) } else { arguments.tools.clone() };
    config.exclude_tools.clone_from(&arguments.exclude_tools);
    config.system_prompt.clone_from(&arguments.system_prompt);
    config.append_system_prompt.clone_from(&arguments.append_system_prompt);
    config.context_files = !arguments.no_context_files;
    config.skills = !arguments.no_skills;
    config.extra_skills = arguments.skill.iter().map(|path| program.cwd.join(path)).collect();
    config.trust_project = match (arguments.approve, arguments.no_approve) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    };
    config.session_name.clone_from(&arguments.name);
    Ok(config)
}

/// Words of the command line; `@file` becomes the file's content, or an attached image.
fn first_message(cwd: &Path, words: &[String]) -> anyhow::Result<(String, Vec<PathBuf>)> {
    let mut files = String::new();
    let mut images = Vec::new();
    let mut text = Vec::new();
    for word in words {
        let Some(name) = word.strip_prefix('@').filter(|name| !name.is_empty()) else {
            text.push(word.as_str());
            continue;
        };
        let path = cwd.join(name);
        let size = std::fs::metadata(&path).with_context(|| format!("failed to read `{name}`"))?.len();
        if perform::read_image(&path).is_ok() {
            images.push(path);
            continue;
        }
        if size > MAX_INCLUDED_BYTES {
            bail!(
                "`{name}` is too large to put into a message\n\nhint: name it without @, and the agent reads what it needs"
            );
        }
        let content = std::fs::read_to_string(&path).with_context(|| format!("failed to read `{name}` as text"))?;
        files.push_str(&format!("<file name=\"{name}\">\n{}\n</file>\n\n", content.trim_end()));
    }
    Ok((format!("{files}{}", text.join(" ")).trim().to_owned(), images))
}

fn read_json(path: &Path) -> (Value, Option<String>) {
    match std::fs::read_to_string(path) {
        Err(_) => (Value::Null, None),
        Ok(content) => match serde_json::from_str(&content) {
            Ok(value) => (value, None),
            Err(error) => (Value::Null, Some(format!("`{}` is not JSON: {error}", path.display()))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_on_the_command_line_join_the_message() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.txt"), "content\n").unwrap();
        std::fs::write(folder.path().join("b.png"), [0x89, b'P', b'N', b'G', 0]).unwrap();
        let words = ["@a.txt", "@b.png", "explain", "this"].map(str::to_owned);
        let (text, images) = first_message(folder.path(), &words).unwrap();
        assert_eq!(text, "<file name=\"a.txt\">\ncontent\n</file>\n\nexplain this");
        assert_eq!(images, [folder.path().join("b.png")]);
        assert!(first_message(folder.path(), &["@missing".to_owned()]).is_err());
    }
}

//! One answer on standard output: as text, or as a line of JSON per event.

use std::io::{IsTerminal, Read};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use pizzapi_agent::{Accepted, Agent, AgentHandle, Host, Local, Outcome, Output, Prompt};
use pizzapi_protocol::AgentEvent;
use serde_json::{Value, json};

use super::{Program, asked_to_stop, chat};
use crate::args::{Mode, SessionArgs};
use crate::output;
use crate::tui::perform::read_image;

/// Most that is read from a pipe.
const MAX_STDIN_BYTES: u64 = 8 * 1024 * 1024;

pub async fn run(
    program: &Program,
    arguments: &SessionArgs,
    message: String,
    images: Vec<PathBuf>,
) -> anyhow::Result<ExitCode> {
    let text = with_piped_input(message)?;
    if text.is_empty() && images.is_empty() {
        bail!("there is nothing to answer\n\nhint: give a message, for example `pizzapi -p \"explain this folder\"`");
    }
    let images =
        images.iter().map(|path| read_image(path)).collect::<Result<Vec<_>, _>>().map_err(anyhow::Error::msg)?;
    let agent = Agent::start(chat::agent_config(program, arguments, Host::Print)?).await?;
    for warning in agent.take_warnings() {
        output::warning(warning);
    }
    let state = agent.snapshot();
    if let Some(missing) = state.no_model {
        agent.shutdown().await;
        bail!("{}\n\nhint: `pizzapi auth` lists providers, `pizzapi models` what can be used", missing.message);
    }
    let json = arguments.mode == Some(Mode::Json);
    if json {
        output::line(json!({ "type": "session", "id": state.session_id, "cwd": state.cwd }));
    }
    let result = answer(&agent, Prompt { text, images, ..Prompt::default() }, json).await;
    agent.shutdown().await;
    result
}

/// What was piped in stands before the message.
fn with_piped_input(message: String) -> anyhow::Result<String> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Ok(message);
    }
    let mut piped = String::new();
    stdin
        .lock()
        .take(MAX_STDIN_BYTES + 1)
        .read_to_string(&mut piped)
        .context("failed to read standard input as text")?;
    if piped.len() as u64 > MAX_STDIN_BYTES {
        bail!("standard input is longer than {} MiB", MAX_STDIN_BYTES / 1024 / 1024);
    }
    Ok(match (piped.trim(), message.as_str()) {
        ("", _) => message,
        (piped, "") => piped.to_owned(),
        (piped, message) => format!("{piped}\n\n{message}"),
    })
}

async fn answer(agent: &AgentHandle, prompt: Prompt, json: bool) -> anyhow::Result<ExitCode> {
    let mut outputs = agent.subscribe();
    let stop = asked_to_stop();
    tokio::pin!(stop);
    match agent.prompt(prompt).await? {
        Accepted::Command(outcome) => {
            if let Some(message) = outcome.message {
                output::line(message);
            }
            return Ok(ExitCode::SUCCESS);
        }
        Accepted::Started | Accepted::Queued | Accepted::Repeated(_) => {}
    }
    let outcome = loop {
        tokio::select! {
            output = outputs.recv() => match output {
                Some(Output::Event(event)) if json => output::line(event_line(&event)),
                Some(Output::Event(_)) => {}
                Some(Output::Local(Local::Settled(outcome))) => break outcome,
                Some(Output::Local(_)) => {}
                Some(Output::Lagged) => bail!("standard output was read too slowly, events were lost"),
                None => break Outcome::Failed("the agent ended early".to_owned()),
            },
            signal = &mut stop => {
                agent.abort().await;
                return Ok(ExitCode::from(match signal {
                    "SIGHUP" => 129,
                    "SIGINT" => 130,
                    _ => 143,
                }));
            }
        }
    };
    match outcome {
        Outcome::Completed => {
            if !json && let Some(text) = agent.last_assistant_text() {
                output::line(text.trim_end());
            }
            Ok(ExitCode::SUCCESS)
        }
        Outcome::Aborted => bail!("the run was stopped"),
        Outcome::Failed(reason) => bail!("{reason}"),
    }
}

/// An event as one line. Updates carry what is new, not the whole message again.
fn event_line(event: &AgentEvent) -> Value {
    let mut value: Value = event.to_raw().to().unwrap_or_default();
    if let (AgentEvent::MessageUpdate(_), Some(members)) = (event, value.as_object_mut()) {
        members.shift_remove("message");
        if let Some(step) = members.get_mut("assistantMessageEvent").and_then(Value::as_object_mut) {
            step.shift_remove("partial");
        }
    }
    value
}

//! `_worker`: one session without a terminal, started by the runner. People reach it through the relay.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use pizzapi_agent::{Agent, AgentHandle, Host, Local, Output, Prompt, SessionStart};
use pizzapi_config::write_private;
use serde_json::json;

use super::{Program, asked_to_stop, chat, relay};
use crate::args::SessionArgs;
use crate::logging;
use crate::remote::HostWish;

/// Exit code that asks the runner to start this session again.
const RESTART: u8 = 43;
/// How long the first prompt waits for the relay to know the session.
const REGISTRATION: Duration = Duration::from_secs(10);
/// A session that cannot say goodbye in this time goes without.
const FAREWELL: Duration = Duration::from_secs(8);
/// Largest image that is fetched for the first prompt, and how many.
const MAX_IMAGE_BYTES: usize = 20 * 1024 * 1024;
const MAX_IMAGES: usize = 8;

pub async fn run(program: Program) -> anyhow::Result<ExitCode> {
    logging::to_stderr(&program.vars, "info");
    let work = Work::read(&program);
    let program = Program { cwd: work.cwd.clone(), ..program };
    if !program.cwd.is_dir() {
        bail!("the working directory `{}` does not exist", program.cwd.display());
    }
    std::env::set_current_dir(&program.cwd).with_context(|| format!("failed to enter `{}`", program.cwd.display()))?;

    let plan = relay::plan(&program).context("this session has no relay to talk to")?;
    let mut config = chat::agent_config(&program, &work.arguments, Host::Headless)?;
    plan.prepare(&mut config);
    config.hidden_models.clone_from(&work.hidden_models);
    if let Some(path) = &work.resume {
        config.start = SessionStart::Open(path.clone());
    }
    config.system_prompt = config.system_prompt.or_else(|| work.agent_prompt.clone());
    let stop = asked_to_stop();
    let agent = Agent::start(config).await?;
    for warning in agent.take_warnings() {
        tracing::warn!("{warning}");
    }
    let recorder = tokio::spawn(record_file(agent.clone(), work.state_file.clone()));
    let mut remote = relay::connect(agent.clone(), plan).context("failed to prepare the connection to the relay")?;
    if work.first_prompt.is_some() || !work.image_urls.is_empty() {
        let (agent, known) = (agent.clone(), remote.registered(REGISTRATION));
        let (text, urls) = (work.first_prompt.clone().unwrap_or_default(), work.image_urls.clone());
        tokio::spawn(async move {
            if !known.await {
                tracing::warn!("the relay does not know this session yet; the first prompt starts anyway");
            }
            first_prompt(&agent, text, urls).await;
        });
    }

    let mut wishes = remote.take_wishes();
    let wish = tokio::select! {
        signal = stop => {
            tracing::info!(signal, "asked to stop");
            HostWish::Quit
        }
        wish = wishes.next() => wish,
    };
    let goodbye = async {
        match wish {
            HostWish::Restart => remote.close().await,
            _ => remote.end().await,
        }
        agent.shutdown().await;
    };
    if tokio::time::timeout(FAREWELL, goodbye).await.is_err() {
        tracing::warn!("the session took too long to end");
    }
    recorder.abort();
    Ok(match wish {
        HostWish::Restart => ExitCode::from(RESTART),
        _ => ExitCode::SUCCESS,
    })
}

/// What the runner put into the environment.
struct Work {
    cwd: PathBuf,
    arguments: SessionArgs,
    first_prompt: Option<String>,
    image_urls: Vec<String>,
    hidden_models: Vec<String>,
    resume: Option<String>,
    agent_prompt: Option<String>,
    state_file: Option<PathBuf>,
}

impl Work {
    fn read(program: &Program) -> Self {
        let vars = &program.vars;
        let own = |name: &str| vars.text(&format!("PIZZAPI_WORKER_{name}")).map(str::to_owned);
        let list = |name: &str| -> Vec<String> {
            vars.text(name).and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
        };
        let names = |name: &str| -> Option<Vec<String>> {
            let list: Vec<String> =
                own(name)?.split(',').map(|name| tool_name(name.trim())).filter(|name| !name.is_empty()).collect();
            Some(list)
        };
        let model = own("INITIAL_MODEL_ID").map(|id| match own("INITIAL_MODEL_PROVIDER") {
            Some(provider) => format!("{provider}/{id}"),
            None => id,
        });
        let agent_name = own("AGENT_NAME");
        let resume = own("RESUME_PATH");
        let arguments = SessionArgs {
            model,
            tools: names("AGENT_TOOLS"),
            exclude_tools: names("AGENT_DISALLOWED_TOOLS").unwrap_or_default(),
            name: agent_name.filter(|_| resume.is_none()).map(|name| format!("🤖 {name}")),
            ..SessionArgs::default()
        };
        Self {
            cwd: own("CWD").map_or_else(|| program.cwd.clone(), PathBuf::from),
            arguments,
            first_prompt: own("INITIAL_PROMPT"),
            image_urls: list("PIZZAPI_WORKER_INITIAL_IMAGE_URLS"),
            hidden_models: list("PIZZAPI_HIDDEN_MODELS"),
            resume,
            agent_prompt: own("AGENT_SYSTEM_PROMPT"),
            state_file: vars.text("PIZZAPI_SESSION_STATE_FILE").map(PathBuf::from),
        }
    }
}

/// Agent definitions may use the tool names of another product.
fn tool_name(name: &str) -> String {
    match name.to_ascii_lowercase().as_str() {
        "multiedit" => "edit".to_owned(),
        "glob" => "find".to_owned(),
        other => other.to_owned(),
    }
}

async fn first_prompt(agent: &AgentHandle, text: String, urls: Vec<String>) {
    let mut images = Vec::new();
    for url in urls.iter().take(MAX_IMAGES) {
        match fetch_image(url).await {
            Ok(image) => images.push(image),
            Err(error) => tracing::warn!(url, error = format!("{error:#}"), "an image of the first prompt is missing"),
        }
    }
    if let Err(error) = agent.prompt(Prompt { text, images, ..Prompt::default() }).await {
        tracing::error!(%error, "the first prompt was refused");
    }
}

async fn fetch_image(url: &str) -> anyhow::Result<pizzapi_protocol::ImageBlock> {
    use base64::Engine as _;
    use futures_util::StreamExt;
    let response = super::setup::client()?.get(url).send().await?.error_for_status()?;
    let mime = response.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mime = mime.split(';').next().unwrap_or_default().trim().to_owned();
    if !mime.starts_with("image/") {
        bail!("not an image but `{mime}`");
    }
    let mut content = Vec::new();
    let mut body = response.bytes_stream();
    while let Some(chunk) = body.next().await {
        content.extend_from_slice(&chunk?);
        if content.len() > MAX_IMAGE_BYTES {
            bail!("larger than {} MiB", MAX_IMAGE_BYTES / 1024 / 1024);
        }
    }
    Ok(pizzapi_protocol::ImageBlock {
        data: Some(base64::engine::general_purpose::STANDARD.encode(content)),
        mime_type: Some(mime),
        ..Default::default()
    })
}

/// Keeps the runner told which transcript this session writes, so that a restart can go on with it.
async fn record_file(agent: AgentHandle, target: Option<PathBuf>) {
    let Some(target) = target else { return };
    let mut outputs = agent.subscribe();
    let mut known = None;
    loop {
        let file = agent.snapshot().session_file;
        if file != known {
            if let Some(path) = &file {
                write_state(&target, path);
            }
            known = file;
        }
        loop {
            match outputs.recv().await {
                None => return,
                // A file may appear with the first message, and change with the conversation.
                Some(Output::Local(Local::TranscriptReplaced { .. } | Local::Settled(_)) | Output::Lagged) => break,
                Some(Output::Event(event)) if matches!(&*event, pizzapi_protocol::AgentEvent::AgentStart(_)) => break,
                Some(_) => {}
            }
        }
    }
}

fn write_state(target: &Path, file: &Path) {
    if let Err(error) = write_private(target, json!({ "sessionFile": file }).to_string().as_bytes()) {
        tracing::warn!(%error, "the runner does not learn where the transcript lies");
    }
}

//! Running shell commands, in the foreground and in the background.
//!
//! Each command leads a session of its own and carries a mark in its environment, so that stopping it stops everything it
//! started. Standard output and error share one pipe, which keeps their order; commands started in the background write to
//! their log file directly, so that they survive us.

mod jobs;
mod output;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, interval_at, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::limits::{Cut, MAX_BYTES, MAX_LINES, size};
use crate::process::{self, GRACE, Marker};
use crate::{Content, Output, ToolError, ToolResult, Workspace};

pub use jobs::{ShellExit, ShellInfo};
use output::Collected;

/// How long a command may keep the agent waiting before it goes on in the background.
pub const BACKGROUND_AFTER: Duration = Duration::from_secs(120);
/// Screens are not redrawn more often.
pub const UPDATE_INTERVAL: Duration = Duration::from_millis(100);
/// A command that fails at once should say so, even when it was meant for the background.
const SETTLE: Duration = Duration::from_millis(400);
/// What was printed before the end is in the pipe already; this only lets the reader see it.
const DRAIN: Duration = Duration::from_millis(50);
/// Longest `timeout`: a day.
const MAX_TIMEOUT_SECONDS: f64 = 86_400.0;
/// The mark of everything a command starts.
const MARKER: &str = "PIZZAPI_SHELL_ID";

/// Arguments of the tool.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct BashArgs {
    pub command: String,
    /// Short label for lists.
    #[serde(default)]
    pub title: Option<String>,
    /// Units: seconds.
    #[serde(default)]
    pub timeout: Option<f64>,
    #[serde(default, alias = "runInBackground")]
    pub run_in_background: bool,
}

/// How commands are run.
#[derive(Debug, Clone)]
pub struct ShellConfig {
    /// `None`: bash when there is one, else sh.
    pub shell: Option<PathBuf>,
    /// Put before every command, on a line of its own.
    pub command_prefix: Option<String>,
    /// `None`: never.
    pub background_after: Option<Duration>,
    /// The whole environment. Relay keys and tokens are removed from it.
    pub env: BTreeMap<String, String>,
    pub log_dir: PathBuf,
    /// Where background commands are remembered for a restarted process.
    pub jobs_file: Option<PathBuf>,
}

impl ShellConfig {
    pub fn new(env: BTreeMap<String, String>, log_dir: impl Into<PathBuf>) -> Self {
        Self {
            shell: None,
            command_prefix: None,
            background_after: Some(BACKGROUND_AFTER),
            env,
            log_dir: log_dir.into(),
            jobs_file: None,
        }
    }
}

/// All shell commands of one agent. Cheap to clone.
#[derive(Clone)]
pub struct Shells {
    inner: Arc<Inner>,
}

struct Inner {
    config: ShellConfig,
    shell: PathBuf,
    jobs: Mutex<Vec<Arc<Job>>>,
    exits: mpsc::UnboundedSender<ShellExit>,
    exit_receiver: Mutex<Option<mpsc::UnboundedReceiver<ShellExit>>>,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Exited {
        code: Option<i32>,
        signal: Option<i32>,
    },
    TimedOut {
        seconds: u64,
    },
    Stopped,
    /// Found ended after a restart: nobody saw how.
    Unknown,
}

impl End {
    fn is_success(self) -> bool {
        matches!(self, Self::Exited { code: Some(0), .. })
    }

    fn sentence(self) -> String {
        match self {
            Self::Exited { code: Some(code), .. } => format!("Command exited with code {code}"),
            Self::Exited { signal: Some(signal), .. } => format!("Command was ended by signal {signal}"),
            Self::Exited { .. } | Self::Unknown => "Command ended".to_owned(),
            Self::TimedOut { seconds } => format!("Command timed out after {seconds} seconds"),
            Self::Stopped => "Command aborted".to_owned(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Foreground,
    Background,
}

/// One command and all it started.
struct Job {
    pid: i32,
    /// See [`process::Process::started`].
    started: u64,
    marker: Marker,
    title: String,
    command: String,
    began: std::time::SystemTime,
    began_at: Instant,
    place: Mutex<Place>,
    collected: Mutex<Collected>,
    /// Output goes to this file without passing through us.
    direct_log: Option<PathBuf>,
    /// Up to where `bash_output` has shown the log.
    shown: Mutex<u64>,
    changed: Notify,
    stop: CancellationToken,
    to_background: Notify,
    ended: watch::Sender<Option<End>>,
}

impl Job {
    fn end(&self) -> Option<End> {
        *self.ended.borrow()
    }

    async fn wait(&self) -> End {
        let mut ended = self.ended.subscribe();
        let end = ended.wait_for(Option::is_some).await;
        end.ok().and_then(|end| *end).unwrap_or(End::Unknown)
    }

    fn log_path(&self) -> Option<PathBuf> {
        self.direct_log.clone().or_else(|| self.collected.lock().log_path().map(Path::to_path_buf))
    }

    fn shown(&self) -> Cut {
        match &self.direct_log {
            None => self.collected.lock().shown(),
            Some(path) => jobs::log_tail(path),
        }
    }
}

/// Remove what lets a command act as this machine or session towards the relay.
pub fn strip_relay_secrets(env: &mut BTreeMap<String, String>) {
    env.retain(|name, _| {
        let ours = name.starts_with("PIZZAPI_") || name.starts_with("PIZZA_");
        !(ours && ["KEY", "TOKEN", "SECRET", "PASSWORD"].iter().any(|word| name.contains(word)))
    });
}

/// bash from the search path, else sh.
fn default_shell(env: &BTreeMap<String, String>) -> PathBuf {
    let path = env.get("PATH").map_or("/usr/local/bin:/usr/bin:/bin", String::as_str);
    std::env::split_paths(path)
        .map(|folder| folder.join("bash"))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| PathBuf::from("/bin/sh"))
}

impl Shells {
    /// Must be called within a tokio runtime. Finds again what an earlier process left running, see
    /// [`ShellConfig::jobs_file`].
    pub fn new(mut config: ShellConfig) -> Self {
        strip_relay_secrets(&mut config.env);
        let shell = config.shell.clone().unwrap_or_else(|| default_shell(&config.env));
        let (exits, exit_receiver) = mpsc::unbounded_channel();
        let inner =
            Inner { config, shell, jobs: Mutex::default(), exits, exit_receiver: Mutex::new(Some(exit_receiver)) };
        let shells = Self { inner: Arc::new(inner) };
        shells.adopt();
        shells
    }

    /// Run a command. `env` is added to the environment; `update` is called with the output so far while it runs.
    ///
    /// A failed, stopped or timed-out command is an [`Output`] with `is_error`; `Err` means that nothing was run.
    pub async fn run(
        &self,
        workspace: &Workspace,
        args: BashArgs,
        env: &[(String, String)],
        cancel: &CancellationToken,
        mut update: impl FnMut(Output) + Send,
    ) -> ToolResult {
        let limit = match args.timeout {
            None => None,
            Some(seconds) if seconds > 0.0 && seconds.is_finite() => Some(seconds.min(MAX_TIMEOUT_SECONDS)),
            Some(_) => return Err(ToolError::invalid("`timeout` must be a number of seconds greater than 0")),
        };
        if args.command.trim().is_empty() {
            return Err(ToolError::invalid("`command` is empty"));
        }
        if cancel.is_cancelled() {
            return Err(ToolError::Aborted);
        }
        let job = self.start(workspace, &args, env, limit.map(Duration::from_secs_f64))?;
        if args.run_in_background {
            let settled = timeout(SETTLE, job.wait()).await;
            // Kept on the list even when it ended already: its log can still be read.
            self.keep(&job);
            return Ok(match settled {
                Ok(end) => finished(&job, end),
                Err(_) => in_background(&job, "Command runs in the background"),
            });
        }

        let mut tick = interval_at(Instant::now() + UPDATE_INTERVAL, UPDATE_INTERVAL);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut ended = job.ended.subscribe();
        let background_at = self.inner.config.background_after.map(|after| Instant::now() + after);
        let mut dirty = false;
        loop {
            tokio::select! {
                biased;
                end = ended.wait_for(Option::is_some) => {
                    let end = end.ok().and_then(|end| *end).unwrap_or(End::Unknown);
                    self.forget(&job);
                    return Ok(finished(&job, end));
                }
                () = cancel.cancelled(), if !job.stop.is_cancelled() => job.stop.cancel(),
                () = job.to_background.notified() => {
                    self.keep(&job);
                    return Ok(in_background(&job, "Command was moved to the background on request"));
                }
                () = sleep_until(background_at.unwrap_or_else(Instant::now)), if background_at.is_some() && !job.stop.is_cancelled() => {
                    self.keep(&job);
                    let after = self.inner.config.background_after.unwrap_or_default().as_secs();
                    let text = format!("Command still ran after {after} seconds and goes on in the background");
                    return Ok(in_background(&job, &text));
                }
                () = job.changed.notified() => dirty = true,
                _ = tick.tick(), if dirty => {
                    dirty = false;
                    let cut = job.shown();
                    let details = json!({ "truncated": cut.is_cut(), "totalLines": cut.total_lines });
                    update(Output::text(cut.text).with_details(details));
                }
            }
        }
    }

    fn start(
        &self,
        workspace: &Workspace,
        args: &BashArgs,
        env: &[(String, String)],
        limit: Option<Duration>,
    ) -> Result<Arc<Job>, ToolError> {
        let config = &self.inner.config;
        if !workspace.cwd.is_dir() {
            return Err(ToolError::invalid(format!(
                "the working directory `{}` does not exist",
                workspace.cwd.display()
            )));
        }
        let id = uuid::Uuid::now_v7().simple().to_string();
        let log_path = config.log_dir.join(format!("bash-{id}.log"));
        let script = match &config.command_prefix {
            Some(prefix) if !prefix.trim().is_empty() => format!("{prefix}\n{}", args.command),
            _ => args.command.clone(),
        };
        let mut command = Command::new(&self.inner.shell);
        command.arg("-c").arg(script).current_dir(&workspace.cwd).stdin(Stdio::null()).kill_on_drop(false);
        command.env_clear().envs(&config.env).envs(env.iter().map(|(name, value)| (name, value))).env(MARKER, &id);
        process::new_session(&mut command);

        let spawn_error = ToolError::io("start", &self.inner.shell);
        let (pipe, direct_log) = if args.run_in_background {
            let log = output::create_log(&log_path).map_err(ToolError::io("create", &log_path))?;
            command.stdout(log.try_clone().map_err(ToolError::io("create", &log_path))?).stderr(log);
            (None, Some(log_path.clone()))
        } else {
            let pipes = std::io::pipe().and_then(|(reader, writer)| Ok((reader, writer.try_clone()?, writer)));
            let (reader, out, err) = pipes.map_err(ToolError::io("start", &self.inner.shell))?;
            command.stdout(out).stderr(err);
            let receiver = pipe::Receiver::from_owned_fd(reader.into());
            (Some(receiver.map_err(ToolError::io("start", &self.inner.shell))?), None)
        };
        let child = command.spawn().map_err(spawn_error)?;
        // Our copies of the pipe's writing end go with the command, or the end of output would never be seen.
        drop(command);
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).unwrap_or_default();
        let title = args.title.clone().filter(|title| !title.trim().is_empty());
        let job = Arc::new(Job {
            pid,
            started: process::process(pid).map_or(0, |process| process.started),
            marker: Marker { name: MARKER, value: id },
            title: title.unwrap_or_else(|| args.command.lines().next().unwrap_or_default().to_owned()),
            command: args.command.clone(),
            began: std::time::SystemTime::now(),
            began_at: Instant::now(),
            place: Mutex::new(Place::Foreground),
            collected: Mutex::new(Collected::new(log_path)),
            direct_log,
            shown: Mutex::new(0),
            changed: Notify::new(),
            stop: CancellationToken::new(),
            to_background: Notify::new(),
            ended: watch::Sender::new(None),
        });
        self.inner.jobs.lock().push(job.clone());
        tokio::spawn(supervise(self.inner.clone(), job.clone(), child, pipe, limit));
        Ok(job)
    }
}

/// Read, wait and, when asked, end a command. Lives as long as the command, whoever waits for it.
async fn supervise(
    inner: Arc<Inner>,
    job: Arc<Job>,
    mut child: Child,
    mut pipe: Option<pipe::Receiver>,
    limit: Option<Duration>,
) {
    let deadline = limit.map(|limit| Instant::now() + limit);
    let mut cause = None;
    let mut killing = None;
    let mut buffer = vec![0; 64 * 1024];
    let status = loop {
        tokio::select! {
            status = child.wait() => break status,
            read = read(&mut pipe, &mut buffer), if pipe.is_some() => match read {
                Some(bytes) => {
                    job.collected.lock().push(&buffer[..bytes]);
                    job.changed.notify_one();
                }
                None => pipe = None,
            },
            () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() && cause.is_none() => {
                cause = Some(End::TimedOut { seconds: limit.unwrap_or_default().as_secs_f64().ceil() as u64 });
            }
            () = job.stop.cancelled(), if cause.is_none() => cause = Some(End::Stopped),
            () = async { if let Some(killing) = &mut killing { let _: Result<bool, _> = killing.await; } }, if killing.is_some() => {
                killing = None;
            }
        }
        if cause.is_some() && killing.is_none() && child.id().is_some() {
            let job = job.clone();
            let ending = async move { process::terminate(job.pid, true, Some(&job.marker), GRACE).await };
            killing = Some(tokio::spawn(ending));
        }
    };
    if let Some(killing) = killing {
        // The leader is gone, the others may still be ending.
        let _ = killing.await;
    }
    if cause.is_some() && !process::terminate(job.pid, false, Some(&job.marker), GRACE).await {
        tracing::warn!(process.pid = job.pid, "some processes of a stopped command survived");
    }
    while pipe.is_some() {
        match timeout(DRAIN, read(&mut pipe, &mut buffer)).await {
            Ok(Some(bytes)) => job.collected.lock().push(&buffer[..bytes]),
            Ok(None) => pipe = None,
            // Something the command left running still holds the other end.
            Err(_) => break,
        }
    }
    let end = cause.unwrap_or_else(|| match status {
        Ok(status) => {
            End::Exited { code: status.code(), signal: std::os::unix::process::ExitStatusExt::signal(&status) }
        }
        Err(_) => End::Unknown,
    });
    job.ended.send_replace(Some(end));
    if *job.place.lock() == Place::Background {
        inner.remember();
        if end != End::Stopped {
            // Nobody listens when the agent is gone.
            let _ = inner.exits.send(jobs::exit_notice(&job, end));
        }
    }
    // Closing the pipe would end what still writes to it; it was left running on purpose.
    while let Some(bytes) = read(&mut pipe, &mut buffer).await {
        job.collected.lock().push(&buffer[..bytes]);
    }
}

/// Bytes read; `None` at the end.
async fn read(pipe: &mut Option<pipe::Receiver>, buffer: &mut [u8]) -> Option<usize> {
    match pipe {
        None => None,
        Some(pipe) => match pipe.read(buffer).await {
            Ok(0) | Err(_) => None,
            Ok(bytes) => Some(bytes),
        },
    }
}

/// Output with a note about what is missing from it.
fn body(job: &Job, details: &mut serde_json::Value) -> String {
    let cut = job.shown();
    let log = job.log_path();
    let mut text = cut.text.clone();
    if cut.is_cut() {
        let full = match &log {
            Some(path) => format!(" Full output: {}", path.display()),
            None => " The full output could not be kept.".to_owned(),
        };
        let first = cut.total_lines.saturating_sub(cut.lines) + 1;
        let note = if cut.partial_line {
            format!("[Showing the last {} of line {}.{full}]", size(MAX_BYTES), cut.total_lines)
        } else {
            format!("[Showing lines {first}-{} of {}.{full}]", cut.total_lines, cut.total_lines)
        };
        text = format!("{}\n\n{note}", text.trim_end_matches('\n'));
        details["truncation"] = json!({
            "truncated": true, "truncatedBy": cut.by.map(crate::limits::CutBy::name), "totalLines": cut.total_lines,
            "totalBytes": cut.total_bytes, "outputLines": cut.lines, "maxLines": MAX_LINES, "maxBytes": MAX_BYTES,
        });
        details["fullOutputPath"] = json!(log);
    }
    if let Some(problem) = &job.collected.lock().log_problem {
        text.push_str(&format!("\n\n[The log file is incomplete: {problem}]"));
    }
    text
}

fn finished(job: &Job, end: End) -> Output {
    let mut details = json!({ "durationMs": u64::try_from(job.began_at.elapsed().as_millis()).unwrap_or(u64::MAX) });
    if let End::Exited { code: Some(code), .. } = end {
        details["exitCode"] = json!(code);
    }
    let mut text = body(job, &mut details);
    if !end.is_success() {
        text = format!("{}\n\n{}", text.trim_end(), end.sentence()).trim_start().to_owned();
    } else if text.is_empty() {
        text = "(no output)".to_owned();
    }
    Output { content: vec![Content::Text(text)], details: Some(details), is_error: !end.is_success() }
}

fn in_background(job: &Job, why: &str) -> Output {
    let log = job.log_path();
    let mut details = json!({ "background": { "pid": job.pid, "logFile": log, "title": job.title } });
    let so_far = body(job, &mut details);
    let log = log.map_or_else(|| "not available".to_owned(), |path| path.display().to_string());
    let mut text = String::new();
    if !so_far.is_empty() {
        text = format!("{}\n\n", so_far.trim_end());
    }
    text.push_str(&format!(
        "[{why}: pid {}, log file {log}. You are told when it ends; see its output with bash_output, end it with kill_shell.]",
        job.pid
    ));
    Output::text(text).with_details(details)
}

impl std::fmt::Debug for Shells {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shells").field("shell", &self.inner.shell).finish_non_exhaustive()
    }
}

async fn pause() {
    sleep(jobs::ADOPTED_LOOK).await;
}

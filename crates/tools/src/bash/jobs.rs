//! Commands in the background: listing, reading, ending, and finding them again after a restart.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::output::{Collected, readable};
use super::{End, Inner, Job, MARKER, Place, Shells, pause};
use crate::limits::{Cut, MAX_BYTES, MAX_LINES, tail};
use crate::process::{self, GRACE, Marker};
use crate::{Output, ToolError, ToolResult};

/// How often a command of an earlier process is looked at.
pub(super) const ADOPTED_LOOK: Duration = Duration::from_secs(1);
/// Ended commands whose output can still be asked for.
const KEEP_ENDED: usize = 20;
/// What an exit notice shows of the output.
const NOTICE_LINES: usize = 20;
const NOTICE_BYTES: usize = 4 * 1024;

/// A command in the background, for lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShellInfo {
    pub pid: i32,
    pub title: String,
    pub command: String,
    pub log_file: Option<PathBuf>,
    pub started_at: SystemTime,
    pub is_running: bool,
    /// `running`, or how it ended.
    pub status: String,
}

/// A command in the background has ended by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShellExit {
    pub pid: i32,
    pub title: String,
    pub command: String,
    pub status: String,
    pub exit_code: Option<i32>,
    /// The end of its output.
    pub tail: String,
    pub log_file: Option<PathBuf>,
}

/// What the jobs file remembers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Remembered {
    pid: i32,
    started: u64,
    marker: String,
    title: String,
    command: String,
    log_file: PathBuf,
    /// Units: Unix ms.
    started_at: u64,
}

impl Shells {
    /// Every command in the background that runs or can still be asked about, oldest first.
    pub fn list(&self) -> Vec<ShellInfo> {
        self.inner.background().iter().map(|job| info(job)).collect()
    }

    /// How many run in the background, for display.
    pub fn running(&self) -> usize {
        self.inner.background().iter().filter(|job| job.end().is_none()).count()
    }

    /// Let every command in the foreground go on in the background. Returns their titles.
    pub fn move_to_background(&self) -> Vec<String> {
        let jobs = self.inner.jobs.lock();
        let foreground = jobs.iter().filter(|job| job.end().is_none() && *job.place.lock() == Place::Foreground);
        foreground
            .map(|job| {
                job.to_background.notify_one();
                job.title.clone()
            })
            .collect()
    }

    /// Where ends of background commands are announced. Only the first caller gets it.
    pub fn take_exits(&self) -> Option<tokio::sync::mpsc::UnboundedReceiver<ShellExit>> {
        self.inner.exit_receiver.lock().take()
    }

    /// What a background command printed since this was last asked, and whether it runs. Without `pid`: the list.
    pub fn output(&self, pid: Option<i32>) -> ToolResult {
        let Some(pid) = pid else {
            let lines: Vec<String> =
                self.list().iter().map(|shell| format!("{}  {}  {}", shell.pid, shell.status, shell.title)).collect();
            return Ok(Output::text(if lines.is_empty() {
                "No background commands".to_owned()
            } else {
                lines.join("\n")
            }));
        };
        let job = self.find(pid)?;
        // Looked at before the output is read: what it said before its end is then surely included.
        let end = job.end();
        let log = job.log_path().ok_or_else(|| ToolError::invalid("the output of this command could not be kept"))?;
        let mut shown = job.shown.lock();
        let mut file = File::open(&log).map_err(ToolError::io("read", &log))?;
        let length = file.metadata().map_err(ToolError::io("read", &log))?.len();
        // A log that became shorter was truncated by the command; begin again.
        let from = if length < *shown { 0 } else { *shown };
        let skipped = (length - from).saturating_sub(4 * MAX_BYTES as u64);
        file.seek(SeekFrom::Start(from + skipped)).map_err(ToolError::io("read", &log))?;
        let mut bytes = Vec::new();
        file.take(length - from - skipped).read_to_end(&mut bytes).map_err(ToolError::io("read", &log))?;
        *shown = length;
        drop(shown);

        let cut = tail(&readable(&bytes), MAX_LINES, MAX_BYTES);
        let mut text = if cut.text.is_empty() { "(no new output)".to_owned() } else { cut.text.trim_end().to_owned() };
        if cut.is_cut() || skipped > 0 {
            text.push_str(&format!("\n\n[Earlier output is left out. Full output: {}]", log.display()));
        }
        text.push_str(&format!("\n\n[pid {pid}: {}]", status(end)));
        Ok(Output::text(text).with_details(json!({ "pid": pid, "running": end.is_none(), "logFile": log })))
    }

    /// End a background command and everything it started.
    pub async fn kill(&self, pid: i32) -> ToolResult {
        let job = self.find(pid)?;
        if let Some(end) = job.end() {
            return Ok(Output::text(format!("pid {pid} is not running any more: {}", end.sentence())));
        }
        job.stop.cancel();
        let end = job.wait().await;
        self.inner.remember();
        Ok(Output::text(match end {
            End::Stopped => format!("ended pid {pid} ({})", job.title),
            other => format!("pid {pid} ended by itself: {}", other.sentence()),
        }))
    }

    /// End everything that runs, what commands left behind included, and remove the logs.
    pub async fn shutdown(&self) {
        let jobs = std::mem::take(&mut *self.inner.jobs.lock());
        for job in &jobs {
            job.stop.cancel();
        }
        for job in &jobs {
            job.wait().await;
            process::terminate(job.pid, false, Some(&job.marker), GRACE).await;
            if let Some(path) = job.log_path()
                && let Err(error) = std::fs::remove_file(&path)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                tracing::warn!(path = %path.display(), %error, "failed to remove the log of a command");
            }
        }
        self.inner.remember();
    }

    fn find(&self, pid: i32) -> Result<Arc<Job>, ToolError> {
        let found = self.inner.background().into_iter().rev().find(|job| job.pid == pid);
        found.ok_or_else(|| ToolError::invalid(format!("there is no background command with pid {pid}")))
    }

    /// From now on a background command.
    pub(super) fn keep(&self, job: &Arc<Job>) {
        if job.direct_log.is_none() {
            let mut collected = job.collected.lock();
            collected.log_everything();
            // The caller sees the output so far.
            *job.shown.lock() = collected.shown().total_bytes as u64;
        }
        *job.place.lock() = Place::Background;
        let mut jobs = self.inner.jobs.lock();
        let ended = jobs.iter().filter(|job| job.end().is_some()).count();
        let mut surplus = ended.saturating_sub(KEEP_ENDED);
        jobs.retain(|job| {
            let drop = surplus > 0 && job.end().is_some();
            surplus -= usize::from(drop);
            !drop
        });
        drop(jobs);
        self.inner.remember();
    }

    /// A foreground command that ended. What it left running stays on the list, so that a shutdown finds it.
    pub(super) fn forget(&self, job: &Arc<Job>) {
        let (inner, job) = (self.inner.clone(), job.clone());
        // Looking at every process takes a moment, and the caller has its result already.
        tokio::task::spawn_blocking(move || {
            if process::family(job.pid, false, Some(&job.marker)).is_empty() {
                inner.jobs.lock().retain(|other| !Arc::ptr_eq(other, &job));
            }
        });
    }

    /// Take over what an earlier process of this session left running.
    pub(super) fn adopt(&self) {
        let Some(path) = &self.inner.config.jobs_file else { return };
        let remembered: Vec<Remembered> = match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                tracing::warn!(path = %path.display(), %error, "the list of background commands is unreadable");
                Vec::new()
            }),
            Err(_) => return,
        };
        for remembered in remembered {
            if !process::is_running(remembered.pid, remembered.started) {
                continue;
            }
            let job = Arc::new(Job {
                pid: remembered.pid,
                started: remembered.started,
                marker: Marker { name: MARKER, value: remembered.marker },
                title: remembered.title,
                command: remembered.command,
                began: UNIX_EPOCH + Duration::from_millis(remembered.started_at),
                began_at: Instant::now(),
                place: Mutex::new(Place::Background),
                collected: Mutex::new(Collected::new(remembered.log_file.clone())),
                direct_log: Some(remembered.log_file),
                shown: Mutex::new(0),
                changed: Notify::new(),
                stop: CancellationToken::new(),
                to_background: Notify::new(),
                ended: watch::Sender::new(None),
            });
            self.inner.jobs.lock().push(job.clone());
            tokio::spawn(watch_adopted(self.inner.clone(), job));
        }
        self.inner.remember();
    }
}

impl Inner {
    fn background(&self) -> Vec<Arc<Job>> {
        self.jobs.lock().iter().filter(|job| *job.place.lock() == Place::Background).cloned().collect()
    }

    /// Write the list that a restarted process reads. Only commands that can outlive us are on it.
    pub(super) fn remember(&self) {
        let Some(path) = &self.config.jobs_file else { return };
        let list: Vec<Remembered> = self
            .background()
            .iter()
            .filter(|job| job.end().is_none())
            .filter_map(|job| {
                Some(Remembered {
                    pid: job.pid,
                    started: job.started,
                    marker: job.marker.value.clone(),
                    title: job.title.clone(),
                    command: job.command.clone(),
                    log_file: job.direct_log.clone()?,
                    started_at: job.began.duration_since(UNIX_EPOCH).map_or(0, |at| at.as_millis() as u64),
                })
            })
            .collect();
        if let Err(error) = store(path, &list) {
            tracing::warn!(path = %path.display(), %error, "failed to remember the background commands");
        }
    }
}

fn store(path: &Path, list: &[Remembered]) -> std::io::Result<()> {
    if list.is_empty() && !path.exists() {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    serde_json::to_writer(&mut file, list)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Not our child, so it can only be looked at.
async fn watch_adopted(inner: Arc<Inner>, job: Arc<Job>) {
    let end = loop {
        if !process::is_running(job.pid, job.started) {
            break End::Unknown;
        }
        tokio::select! {
            () = pause() => {}
            () = job.stop.cancelled() => {
                process::terminate(job.pid, true, Some(&job.marker), GRACE).await;
                break End::Stopped;
            }
        }
    };
    job.ended.send_replace(Some(end));
    inner.remember();
}

fn status(end: Option<End>) -> String {
    end.map_or_else(|| "running".to_owned(), End::sentence)
}

fn info(job: &Job) -> ShellInfo {
    let end = job.end();
    ShellInfo {
        pid: job.pid,
        title: job.title.clone(),
        command: job.command.clone(),
        log_file: job.log_path(),
        started_at: job.began,
        is_running: end.is_none(),
        status: status(end),
    }
}

pub(super) fn exit_notice(job: &Job, end: End) -> ShellExit {
    ShellExit {
        pid: job.pid,
        title: job.title.clone(),
        command: job.command.clone(),
        status: end.sentence(),
        exit_code: match end {
            End::Exited { code, .. } => code,
            _ => None,
        },
        tail: tail(&job.shown().text, NOTICE_LINES, NOTICE_BYTES).text,
        log_file: job.log_path(),
    }
}

/// The part of a log that a model gets to see. Totals count the whole file.
pub(super) fn log_tail(path: &Path) -> Cut {
    let read = || -> std::io::Result<(Vec<u8>, u64)> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(4 * MAX_BYTES as u64)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok((bytes, length))
    };
    let (bytes, length) = read().unwrap_or_else(|error| (format!("(log unreadable: {error})").into_bytes(), 0));
    let mut cut = tail(&readable(&bytes), MAX_LINES, MAX_BYTES);
    cut.total_bytes = cut.total_bytes.max(usize::try_from(length).unwrap_or(usize::MAX));
    cut
}

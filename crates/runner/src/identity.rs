//! Who this machine is to the relay, and the promise that only one daemon speaks for it.
//!
//! One small JSON file holds both: identity made once and kept for ever, and the running daemon's pid with its start time, so that
//! a number the kernel gave out again is not mistaken for a daemon that still lives.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What stands in `runner.json`. Unknown members are kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RunnerState {
    pub pid: u32,
    /// Start time of `pid` as the kernel counts it; empty when it could not be read.
    pub pid_start_time: String,
    pub started_at: String,
    pub supervisor_pid: u32,
    pub runner_id: String,
    pub runner_secret: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connected: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connected_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disconnected_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relay_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runner_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cli_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_rejected: Option<bool>,
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("another runner (pid {pid}, started {started_at}) already serves this home directory")]
    Held { pid: u32, started_at: String },
    #[error("failed to write the runner state `{path}`: {source}")]
    Write { path: PathBuf, source: io::Error },
}

/// The state file of one home directory. Cheap to clone; every change is read, patched and renamed into place.
#[derive(Debug, Clone)]
pub struct StateFile {
    path: PathBuf,
}

impl StateFile {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// What the file says. A missing or damaged file counts as empty: it only costs a new identity.
    pub fn read(&self) -> Option<RunnerState> {
        serde_json::from_slice(&std::fs::read(&self.path).ok()?).ok()
    }

    pub fn patch(&self, change: impl FnOnce(&mut RunnerState)) -> Result<RunnerState, IdentityError> {
        let mut state = self.read().unwrap_or_default();
        change(&mut state);
        write_private(&self.path, &serde_json::to_vec_pretty(&state).expect("the state serialises"))
            .map_err(|source| IdentityError::Write { path: self.path.clone(), source })?;
        Ok(state)
    }

    /// Become the one daemon of this home, making an identity when there is none.
    pub fn claim(&self, now: &str) -> Result<RunnerState, IdentityError> {
        if let Some(state) = self.read()
            && state.pid != 0
            && state.pid != std::process::id()
            && is_runner(state.pid, &state.pid_start_time)
        {
            return Err(IdentityError::Held { pid: state.pid, started_at: state.started_at });
        }
        let pid = std::process::id();
        self.patch(|state| {
            if state.runner_id.is_empty() || state.runner_secret.is_empty() {
                state.runner_id = uuid::Uuid::new_v4().to_string();
                state.runner_secret = hex::encode(rand::random::<[u8; 32]>());
            }
            state.pid = pid;
            state.pid_start_time = process_start_time(pid).unwrap_or_default();
            state.started_at = now.to_owned();
            state.connected = Some(false);
            state.auth_rejected = None;
        })
    }

    /// Give the lock back, keeping the identity. Does nothing when another process took over meanwhile.
    pub fn release(&self) -> Result<(), IdentityError> {
        if self.read().is_some_and(|state| state.pid != std::process::id()) {
            return Ok(());
        }
        self.patch(|state| {
            *state = RunnerState {
                runner_id: std::mem::take(&mut state.runner_id),
                runner_secret: std::mem::take(&mut state.runner_secret),
                unknown: std::mem::take(&mut state.unknown),
                ..RunnerState::default()
            };
        })?;
        Ok(())
    }
}

/// Does `pid` live, look like one of ours, and not contradict the recorded start time?
pub fn is_runner(pid: u32, recorded_start: &str) -> bool {
    let Ok(command) = std::fs::read(format!("/proc/{pid}/cmdline")) else { return false };
    let command = String::from_utf8_lossy(&command).to_lowercase();
    if !["runner", "daemon", "pizzapi"].iter().any(|word| command.contains(word)) {
        return false;
    }
    recorded_start.is_empty() || process_start_time(pid).is_none_or(|start| start == recorded_start)
}

/// Field 22 of `/proc/<pid>/stat`, in clock ticks since boot. `None` when the process is gone or the system has no `/proc`.
pub fn process_start_time(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command name in parentheses may itself contain blanks and parentheses.
    stat[stat.rfind(')')? + 1..].split_whitespace().nth(19).map(str::to_owned)
}

/// Write through a temporary file, readable by the owner only.
pub fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    use std::io::Write as _;
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?; // mode 0600
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> (tempfile::TempDir, StateFile) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = StateFile::new(folder.path().join("runner.json"));
        (folder, file)
    }

    #[test]
    fn identity_is_made_once_and_survives_a_release() {
        let (_folder, file) = file();
        let first = file.claim("t1").expect("the lock is free");
        assert_eq!(first.runner_secret.len(), 64);
        file.release().expect("released");
        let second = file.claim("t2").expect("the lock is free again");
        assert_eq!((second.runner_id, second.runner_secret), (first.runner_id, first.runner_secret));
    }

    #[test]
    fn a_pid_that_was_given_out_again_does_not_hold_the_lock() {
        let (_folder, file) = file();
        file.patch(|state| {
            state.pid = 1;
            state.pid_start_time = "not its start time".to_owned();
        })
        .expect("written");
        file.claim("t").expect("pid 1 started at another time");
    }

    #[test]
    fn a_damaged_file_counts_as_empty_and_unknown_members_are_kept() {
        let (_folder, file) = file();
        std::fs::write(&file.path, b"{ not json").expect("written");
        assert!(file.read().is_none());
        std::fs::write(&file.path, br#"{"runnerId":"r","runnerSecret":"s","later":7}"#).expect("written");
        file.claim("t").expect("claimed");
        assert_eq!(file.read().expect("readable").unknown.get("later"), Some(&Value::from(7)));
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_folder, file) = file();
        file.claim("t").expect("claimed");
        let mode = std::fs::metadata(&file.path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

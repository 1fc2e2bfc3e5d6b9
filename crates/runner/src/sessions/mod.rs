//! The agent sessions of this machine: one child process each.
//!
//! A session outlives its daemon. What is needed to find it again stands in one file per session; a daemon that starts reads them all
//! and goes on watching the processes that still live.

mod record;
mod spawn;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::sync::mpsc;

pub use record::{Record, Records};
pub use spawn::{AgentRole, SpawnError, SpawnRequest, Spawner};

use crate::process_tree;

/// Variables that sessions and terminals must not inherit: the daemon's own secrets, and what would load foreign code.
pub const PRIVATE_VARIABLES: [&str; 8] = [
    "PIZZAPI_RUNNER_TOKEN",
    "PIZZAPI_RUNNER_API_KEY",
    "PIZZAPI_SESSION_PROVIDER",
    "NODE_OPTIONS",
    "BUN_OPTIONS",
    "LD_PRELOAD",
    "DYLD_INSERT_LIBRARIES",
    "DYLD_FORCE_FLAT_NAMESPACE",
];

/// A session that wants to be started again under the same id ends with this code.
pub const RESTART_CODE: i32 = 43;
/// Between asking a session to end and killing it. Covers the session's own clean-up of 7.5 s.
pub const END_GRACE: Duration = Duration::from_secs(8);
/// Most sessions at once; a person does not run more, a loop in a client would.
pub const MAX_SESSIONS: usize = 256;

/// A child process ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Ended {
    pub session_id: String,
    pub pid: u32,
    /// `None`: killed by a signal, or not our child.
    pub code: Option<i32>,
}

#[derive(Debug)]
struct Running {
    record: Record,
    request: SpawnRequest,
    /// Set before the first signal, so that a restart under way does not resurrect it.
    killed: bool,
}

/// All sessions this daemon watches.
#[derive(Debug)]
pub struct Sessions {
    spawner: Spawner,
    records: Records,
    running: HashMap<String, Running>,
    ended: mpsc::Sender<Ended>,
}

impl Sessions {
    pub fn new(spawner: Spawner, records: Records, ended: mpsc::Sender<Ended>) -> Self {
        Self { spawner, records, running: HashMap::new(), ended }
    }

    /// Find the sessions an earlier daemon left running.
    pub fn adopt_left_behind(&mut self) -> Vec<String> {
        let mut adopted = Vec::new();
        for record in self.records.living() {
            let id = record.session_id.clone();
            watch_stranger(&record, self.ended.clone());
            let request = SpawnRequest {
                session_id: id.clone(),
                cwd: Some(record.cwd.clone()),
                parent_session_id: record.parent_session_id.clone(),
                ..SpawnRequest::default()
            };
            self.running.insert(id.clone(), Running { record, request, killed: false });
            adopted.push(id);
        }
        adopted
    }

    pub fn is_running(&self, id: &str) -> bool {
        self.running.contains_key(id)
    }

    pub fn ids(&self) -> Vec<String> {
        let mut ids: Vec<_> = self.running.keys().cloned().collect();
        ids.sort();
        ids
    }

    pub fn cwd(&self, id: &str) -> Option<&Path> {
        self.running.get(id).map(|running| running.record.cwd.as_path())
    }

    pub fn pid(&self, id: &str) -> Option<u32> {
        self.running.get(id).map(|running| running.record.pid)
    }

    /// The transcript a session last said it writes, also after its end.
    pub fn transcript(&self, id: &str) -> Option<PathBuf> {
        self.records.transcript(id)
    }

    /// Start a session. Returns as soon as the process exists.
    pub fn start(&mut self, request: SpawnRequest) -> Result<(), SpawnError> {
        if request.session_id.trim().is_empty() {
            return Err(SpawnError::MissingId);
        }
        if self.is_running(&request.session_id) {
            return Err(SpawnError::Running(request.session_id));
        }
        if self.running.len() >= MAX_SESSIONS {
            return Err(SpawnError::TooMany);
        }
        let mut request = request;
        if request.resume_path.is_none()
            && let Some(known) =
                request.resume_id.as_deref().or(Some(&request.session_id)).and_then(|id| self.records.transcript(id))
        {
            request.resume_path = Some(known);
        }
        let (child, record) = self.spawner.spawn(&request, &self.records)?;
        self.records.write(&record);
        watch_child(child, &record, self.ended.clone());
        self.running.insert(request.session_id.clone(), Running { record, request, killed: false });
        Ok(())
    }

    /// End a session and everything it started. `None`: it does not run here.
    pub fn kill(&mut self, id: &str) -> Option<impl Future<Output = ()> + Send + use<>> {
        let running = self.running.get_mut(id)?;
        running.killed = true;
        let leader = i32::try_from(running.record.pid).ok()?;
        Some(process_tree::end_family(leader, Signal::SIGTERM, END_GRACE))
    }

    /// Take note of an end. `Ok(true)`: it asked to be started again, and was.
    pub fn on_ended(&mut self, ended: &Ended) -> Result<bool, SpawnError> {
        let Some(running) = self.running.get(&ended.session_id) else { return Ok(false) };
        if running.record.pid != ended.pid {
            return Ok(false); // the end of a predecessor
        }
        let Some(running) = self.running.remove(&ended.session_id) else { return Ok(false) };
        self.records.mark_ended(&running.record);
        if ended.code != Some(RESTART_CODE) || running.killed {
            return Ok(false);
        }
        // Prompt, pictures and model belong to the first start only; the transcript goes on.
        let again = SpawnRequest {
            prompt: None,
            image_urls: Vec::new(),
            model: None,
            resume_id: None,
            resume_path: self.records.transcript(&ended.session_id),
            ..running.request
        };
        self.start(again).map(|()| true)
    }

    /// End all sessions, side by side.
    pub async fn end_all(&mut self) {
        let ids = self.ids();
        let ends: Vec<_> = ids.iter().filter_map(|id| self.kill(id)).collect();
        futures_util::future::join_all(ends).await;
    }
}

fn watch_child(mut child: tokio::process::Child, record: &Record, ended: mpsc::Sender<Ended>) {
    let (session_id, pid) = (record.session_id.clone(), record.pid);
    tokio::spawn(async move {
        let code = child.wait().await.ok().and_then(|status| status.code());
        let _daemon_ended = ended.send(Ended { session_id, pid, code }).await;
    });
}

/// A process that is not our child can only be looked at.
fn watch_stranger(record: &Record, ended: mpsc::Sender<Ended>) {
    const LOOK: Duration = Duration::from_secs(1);
    let record = record.clone();
    tokio::spawn(async move {
        while record.is_alive() {
            tokio::time::sleep(LOOK).await;
        }
        let _daemon_ended = ended.send(Ended { session_id: record.session_id, pid: record.pid, code: None }).await;
    });
}

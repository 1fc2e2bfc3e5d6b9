//! The daemon: starts agent sessions and terminals on a machine, and answers what a browser asks about it.
//!
//! [`start`] is the whole of it as a value, so that `pizzapi local` can hold one in its own process. The daemon is one loop
//! (`daemon`) that owns all state; what takes long runs beside it and reports back.

mod daemon;
pub mod host;
pub mod identity;
pub mod process_tree;
pub mod pty;
mod requests;
pub mod services;
pub mod sessions;
mod terminal_pump;
pub mod workspace;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

pub use host::AgentHost;
pub use identity::{IdentityError, RunnerState, StateFile};
use workspace::Workspace;

/// Everything a daemon needs to know; nothing below reads variables or the command line.
#[derive(Clone)]
pub struct RunnerConfig {
    /// `http(s)://` or `ws(s)://` address of the relay.
    pub relay_url: String,
    pub api_key: String,
    /// How people see this machine.
    pub name: String,
    pub version: String,
    /// Configuration, identity, records, logs.
    pub home: PathBuf,
    pub state_file: PathBuf,
    pub workspace: Workspace,
    /// Where sessions and terminals start when nobody says: the user's home folder.
    pub user_home: PathBuf,
    /// Program and arguments of a session, normally this executable and `_worker`.
    pub worker: Vec<String>,
    /// Shell of a terminal when the browser names none.
    pub shell: String,
    /// `PIZZAPI_*` variables for sessions, from the configuration.
    pub session_variables: BTreeMap<String, String>,
    /// What only the agent knows: models, logins, usage.
    pub host: Arc<dyn AgentHost>,
}

/// Why a daemon ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Somebody wants it started again; its sessions go on.
    Restart,
    /// It is to stay away; its sessions have ended.
    Shutdown,
}

/// A running daemon.
pub struct Runner {
    stop: mpsc::Sender<Exit>,
    task: JoinHandle<Exit>,
}

impl Runner {
    /// Ask it to end. [`Runner::wait`] says when it has.
    pub fn stop(&self, how: Exit) {
        let _already_stopping = self.stop.try_send(how);
    }

    /// For stopping it while somebody else waits.
    pub fn stopper(&self) -> Stopper {
        Stopper(self.stop.clone())
    }

    pub async fn wait(self) -> Exit {
        self.task.await.unwrap_or(Exit::Shutdown)
    }
}

/// Asks a daemon to end, like [`Runner::stop`].
#[derive(Clone)]
pub struct Stopper(mpsc::Sender<Exit>);

impl Stopper {
    pub fn stop(&self, how: Exit) {
        let _already_stopping = self.0.try_send(how);
    }
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("the relay address does not work: {0}")]
    Address(#[from] pizzapi_socket_client::ConfigError),
}

/// Take the lock of this home and start to serve. Must be called within a tokio runtime; returns before the relay answers.
pub fn start(config: RunnerConfig) -> Result<Runner, StartError> {
    let (stop, stopped) = mpsc::channel(1);
    let daemon = daemon::Daemon::new(config)?;
    Ok(Runner { stop, task: tokio::spawn(daemon.run(stopped)) })
}

/// Now, as the state file writes it.
fn now() -> String {
    let now = time::OffsetDateTime::now_utc();
    now.format(&time::format_description::well_known::Rfc3339).unwrap_or_default()
}

//! The remote extension: a running session's side of `/relay`.
//!
//! [`start`] connects a [`Session`] with a relay and keeps it connected until told otherwise. One task ([`link`]) owns the
//! connection, the numbers of events and what is unconfirmed; slow work (attachments, remote commands) runs beside it and
//! reports back. Rules that need no connection are pure: [`window`], [`snapshot`].

mod agent;
mod attachments;
mod children;
pub mod exec;
mod inbound;
mod link;
mod outbound;
#[cfg(test)]
mod real;
pub mod session;
pub mod snapshot;
#[cfg(test)]
mod tests;
mod toolbox;
mod triggers;
pub mod window;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use pizzapi_protocol::SessionId;
use pizzapi_socket_client::ConfigError;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

pub use agent::AgentSession;
pub use session::{HostWish, Session};
pub use toolbox::Toolbox;

/// Where the relay is unless somebody says otherwise.
pub const DEFAULT_RELAY_URL: &str = "ws://localhost:7492";
/// Longest wait for confirmations and the way out when a session ends.
const FAREWELL: Duration = Duration::from_secs(3);

/// How to reach a relay, and as whom.
#[derive(Clone)]
pub struct RemoteConfig {
    /// Scheme, host and port of the relay's Socket.IO.
    pub socket_url: String,
    /// The same for HTTP.
    pub http_url: String,
    pub api_key: String,
    /// Stays the same as long as the process lives, whatever conversation is open.
    pub session_id: SessionId,
    pub parent_session_id: Option<SessionId>,
    /// Tell the relay where the transcript lies; only sessions a runner started do.
    pub announce_file: bool,
    /// Shown to people next to what is done at this terminal.
    pub device: Option<String>,
    /// Made for one task: when that is done and nobody needs this session, it ends.
    pub auto_close: bool,
    /// Attachments of prompts are stored below this folder.
    pub attachments_dir: PathBuf,
}

impl std::fmt::Debug for RemoteConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemoteConfig")
            .field("socket_url", &self.socket_url)
            .field("session_id", &self.session_id)
            .finish_non_exhaustive()
    }
}

/// Why a session stays by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    #[error("the relay is switched off")]
    Off,
    #[error("no API key for the relay is configured")]
    NoKey,
}

impl RemoteConfig {
    /// Read environment and configuration. `relay_url`, `api_key`: of the configuration file; `home`: `~/.pizzapi`.
    pub fn resolve(
        env: &BTreeMap<String, String>,
        relay_url: Option<&str>,
        api_key: Option<&str>,
        home: &Path,
    ) -> Result<Self, Unavailable> {
        let set = |name: &str| env.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
        let relay_url = set("PIZZAPI_RELAY_URL").or(relay_url).unwrap_or(DEFAULT_RELAY_URL).trim();
        if relay_url.eq_ignore_ascii_case("off") || set("PIZZAPI_NO_RELAY") == Some("1") {
            return Err(Unavailable::Off);
        }
        let api_key = set("PIZZAPI_API_KEY").or(set("PIZZAPI_API_TOKEN")).or(api_key).unwrap_or_default().trim();
        if api_key.is_empty() {
            return Err(Unavailable::NoKey);
        }
        let session_id = set("PIZZAPI_SESSION_ID").map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_owned);
        let attachments_dir =
            set("PIZZAPI_SESSION_ATTACHMENTS_DIR").map_or_else(|| home.join("session-attachments"), PathBuf::from);
        Ok(Self {
            socket_url: set("PIZZAPI_SOCKETIO_URL").map_or_else(|| without_localhost(relay_url), str::to_owned),
            http_url: http_url(relay_url),
            api_key: api_key.to_owned(),
            session_id: session_id.into(),
            parent_session_id: set("PIZZAPI_WORKER_PARENT_SESSION_ID").map(SessionId::from),
            announce_file: set("PIZZAPI_SESSION_FILE").is_some() || set("PIZZAPI_SESSION_STATE_FILE").is_some(),
            device: set("HOSTNAME").map(str::to_owned),
            auto_close: set("PIZZAPI_WORKER_AUTO_CLOSE") == Some("true"),
            attachments_dir,
        })
    }
}

/// `localhost` may mean an IPv6 address nobody listens on.
fn without_localhost(url: &str) -> String {
    match url::Url::parse(url) {
        Ok(mut parsed) if parsed.host_str() == Some("localhost") => {
            // Cannot fail: a host is replaced by a host.
            let _ = parsed.set_host(Some("127.0.0.1"));
            parsed.as_str().trim_end_matches('/').to_owned()
        }
        _ => url.trim_end_matches('/').to_owned(),
    }
}

/// The relay's HTTP base: another scheme, no session path; a bare host name means TLS.
fn http_url(url: &str) -> String {
    let url = url.trim_end_matches('/');
    let url = url.strip_suffix("/ws/sessions").unwrap_or(url);
    let with_scheme = match url.split_once("://") {
        Some(("ws", rest)) => format!("http://{rest}"),
        Some(("wss", rest)) => format!("https://{rest}"),
        Some(_) => url.to_owned(),
        None => format!("https://{url}"),
    };
    without_localhost(&with_scheme)
}

/// Where a session stands with its relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkState {
    Connecting {
        attempt: u32,
    },
    Waiting {
        attempt: u32,
        until: Instant,
        error: String,
    },
    Connected {
        session_id: SessionId,
        share_url: String,
        viewers: u32,
    },
    /// The relay does not want us, with these words.
    Refused {
        message: String,
    },
    /// The session outlived its time at the relay.
    Expired,
    /// Disconnected on request.
    Stopped,
}

impl LinkState {
    pub fn is_connected(&self) -> bool {
        matches!(self, Self::Connected { .. })
    }

    /// For a status line.
    pub fn text(&self) -> String {
        match self {
            Self::Connecting { attempt: 0 } => "Connecting to relay…".to_owned(),
            Self::Connecting { attempt } | Self::Waiting { attempt, .. } => {
                format!("Reconnecting to relay… (attempt {})", attempt.max(&1))
            }
            Self::Connected { .. } => "Connected to Relay".to_owned(),
            Self::Refused { message } => format!("Relay error: {message}"),
            Self::Expired => "Session expired".to_owned(),
            Self::Stopped => "Disconnected from Relay".to_owned(),
        }
    }
}

pub(crate) enum Control {
    /// Connect again after a stop or an expiry.
    Reconnect,
    /// Leave. `end`: the session is over, not only away.
    Leave { end: bool, done: oneshot::Sender<()>, stay: bool },
}

/// A running extension. Cheap to clone; the extension lives on without it until the session ends.
#[derive(Debug, Clone)]
pub struct RemoteHandle {
    state: watch::Receiver<LinkState>,
    control: mpsc::Sender<Control>,
}

impl RemoteHandle {
    /// Where the session stands, and every change of it.
    pub fn state(&self) -> watch::Receiver<LinkState> {
        self.state.clone()
    }

    /// The session's address for browsers, while it is connected.
    pub fn share_url(&self) -> Option<String> {
        match &*self.state.borrow() {
            LinkState::Connected { share_url, .. } => Some(share_url.clone()),
            _ => None,
        }
    }

    /// Wait until the relay knows the session. `false`: not within `patience`.
    pub async fn registered(&self, patience: Duration) -> bool {
        let mut state = self.state.clone();
        let known = state.wait_for(LinkState::is_connected);
        tokio::time::timeout(patience, known).await.is_ok_and(|state| state.is_ok())
    }

    pub async fn reconnect(&self) {
        // Fails only when the extension is gone, with the session.
        let _ = self.control.send(Control::Reconnect).await;
    }

    /// End the session at the relay, but not here: [`RemoteHandle::reconnect`] comes back.
    pub async fn stop(&self) {
        self.leave(true, true).await;
    }

    /// The session is over: tell the relay everything that waits, then that, and leave.
    pub async fn end(&self) {
        self.leave(true, false).await;
    }

    /// The process ends but the session will be back: leave without a farewell.
    pub async fn close(&self) {
        self.leave(false, false).await;
    }

    async fn leave(&self, end: bool, stay: bool) {
        let (done, left) = oneshot::channel();
        if self.control.send(Control::Leave { end, done, stay }).await.is_ok() {
            let _ = tokio::time::timeout(FAREWELL * 2, left).await;
        }
    }
}

/// Connect `session` with its relay, for as long as it lives. Must be called within a tokio runtime.
///
/// The receiver gives what only the program around the session can do: quitting and restarting on request.
pub fn start(
    session: Arc<dyn Session>,
    config: RemoteConfig,
) -> Result<(RemoteHandle, mpsc::UnboundedReceiver<HostWish>), ConfigError> {
    start_with(session, config, &Toolbox::new(PathBuf::new()))
}

/// [`start`], tied to the tools the agent was given to speak with other sessions.
pub fn start_with(
    session: Arc<dyn Session>,
    config: RemoteConfig,
    toolbox: &Toolbox,
) -> Result<(RemoteHandle, mpsc::UnboundedReceiver<HostWish>), ConfigError> {
    let (state, states) = watch::channel(LinkState::Connecting { attempt: 0 });
    let (control, controls) = mpsc::channel(16);
    let (wishes, wished) = mpsc::unbounded_channel();
    let extension = link::Extension::new(session, config, state, controls, wishes, toolbox)?;
    tokio::spawn(extension.run());
    Ok((RemoteHandle { state: states, control }, wished))
}

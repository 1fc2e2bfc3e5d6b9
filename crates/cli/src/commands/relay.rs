//! The link of a session to its relay, as the commands and the screen use it.

use std::time::Duration;

use pizzapi_agent::{AgentConfig, AgentHandle};
use tokio::sync::{mpsc, watch};

use super::Program;
use crate::args::SessionArgs;
use crate::remote::{self, HostWish, LinkState, RemoteConfig, RemoteHandle, Toolbox};
use crate::tui::Remote;
use crate::tui::components::status_line::Link;

/// Whether this session should have a relay at all.
pub fn wanted(program: &Program, arguments: &SessionArgs) -> bool {
    let off = arguments.no_relay || arguments.safe_mode || program.vars.flag("PIZZAPI_NO_RELAY");
    !off && !program.config.relay.is_off()
}

/// A connection that is still to be made.
pub struct Plan {
    config: RemoteConfig,
    toolbox: Toolbox,
}

impl Plan {
    /// Tells the agent who it is at the relay, and gives it the tools to speak with other sessions.
    pub fn prepare(&self, agent: &mut AgentConfig) {
        agent.relay_session_id = Some(self.config.session_id.to_string());
        agent.extra_tools.extend(self.toolbox.tools());
    }

    pub fn session_id(&self) -> String {
        self.config.session_id.to_string()
    }
}

/// How to reach the relay; `None` without a key, or when it is switched off.
pub fn plan(program: &Program) -> Option<Plan> {
    let config = &program.config;
    let url = config.relay.url.as_deref().unwrap_or("off");
    let key = config.api_key.as_ref().map(|key| key.key.reveal().as_str());
    match RemoteConfig::resolve(&program.environment(), Some(url), key, program.home().root()) {
        Ok(config) => Some(Plan { config, toolbox: Toolbox::new(program.home().runner_file()) }),
        Err(reason) => {
            tracing::info!(%reason, "this session stays by itself");
            None
        }
    }
}

/// Connects, and keeps connected until told otherwise.
pub fn connect(agent: AgentHandle, plan: Plan) -> anyhow::Result<Connected> {
    let Plan { config, toolbox } = plan;
    let (handle, wishes) = remote::start_with(remote::AgentSession::new(agent), config, &toolbox)?;
    let (sender, link) = watch::channel(Link::Connecting { attempt: 0, since: now(), retry_at: None });
    let mut states = handle.state();
    tokio::spawn(async move {
        let mut away_since = now();
        let mut was_connected = false;
        loop {
            let link = {
                let state = states.borrow_and_update();
                if was_connected && !state.is_connected() {
                    away_since = now();
                }
                was_connected = state.is_connected();
                as_link(&state, away_since)
            };
            // Ends with the screen, or with the session.
            if sender.send(link).is_err() || states.changed().await.is_err() {
                return;
            }
        }
    });
    Ok(Connected { handle, wishes, link })
}

fn as_link(state: &LinkState, since: u64) -> Link {
    match state {
        LinkState::Connecting { attempt } => Link::Connecting { attempt: *attempt, since, retry_at: None },
        LinkState::Waiting { attempt, until, .. } => {
            let wait = until.saturating_duration_since(tokio::time::Instant::now());
            Link::Connecting { attempt: *attempt, since, retry_at: Some(now() + wait.as_millis() as u64) }
        }
        LinkState::Connected { viewers, .. } => Link::Connected { viewers: *viewers },
        LinkState::Refused { message } => Link::Failed(message.clone()),
        LinkState::Expired => Link::Ended("session expired".to_owned()),
        LinkState::Stopped => Link::Ended("disconnected".to_owned()),
    }
}

fn now() -> u64 {
    u64::try_from(time::OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000).unwrap_or(0)
}

/// A session with its relay.
pub struct Connected {
    handle: RemoteHandle,
    wishes: mpsc::UnboundedReceiver<HostWish>,
    link: watch::Receiver<Link>,
}

impl Connected {
    /// For the screen, which shows the link and lets the user steer it.
    pub fn control(&self) -> Box<dyn Remote> {
        Box::new(Control { handle: self.handle.clone(), link: self.link.clone() })
    }

    /// Whether the relay knows the session within `patience`.
    pub fn registered(&self, patience: Duration) -> impl Future<Output = bool> + use<> {
        let handle = self.handle.clone();
        async move { handle.registered(patience).await }
    }

    /// What somebody at the relay wants of this program. Once: the second taker waits for ever.
    pub fn take_wishes(&mut self) -> Wishes {
        let (_, nobody) = mpsc::unbounded_channel();
        Wishes(std::mem::replace(&mut self.wishes, nobody))
    }

    /// The session is over.
    pub async fn end(&self) {
        self.handle.end().await;
    }

    /// The session will be back.
    pub async fn close(&self) {
        self.handle.close().await;
    }
}

/// Wishes that only the program around a session can grant.
pub struct Wishes(mpsc::UnboundedReceiver<HostWish>);

impl Wishes {
    /// Never returns when nobody can wish for anything any more.
    pub async fn next(&mut self) -> HostWish {
        loop {
            match self.0.recv().await {
                Some(HostWish::Terminal) => tracing::info!("a remote command needs a person at the terminal"),
                Some(wish) => return wish,
                None => return std::future::pending().await,
            }
        }
    }
}

struct Control {
    handle: RemoteHandle,
    link: watch::Receiver<Link>,
}

impl Remote for Control {
    fn link(&self) -> watch::Receiver<Link> {
        self.link.clone()
    }

    fn command(&self, argument: &str) -> String {
        let handle = self.handle.clone();
        match argument.trim() {
            "" => match (self.handle.share_url(), &*self.handle.state().borrow()) {
                (Some(url), _) => url,
                (None, state) => format!("{} (/remote reconnect tries at once)", state.text()),
            },
            "reconnect" => {
                tokio::spawn(async move { handle.reconnect().await });
                "connecting to the relay again".to_owned()
            }
            "stop" => {
                tokio::spawn(async move { handle.stop().await });
                "disconnected from the relay; the session goes on here".to_owned()
            }
            other => format!("`/remote {other}` is not known: use reconnect or stop"),
        }
    }
}

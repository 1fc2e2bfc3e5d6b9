//! The loop that owns everything: what the relay says, what sessions and terminals do, and the wish to stop.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use pizzapi_protocol::delivery::ProbeReply;
use pizzapi_protocol::handshake::PeerCapabilities;
use pizzapi_protocol::ids::{RunnerId, SessionId, TerminalId};
use pizzapi_protocol::relay::SessionRef;
use pizzapi_protocol::runner::{
    FromServer, NewSession, NewTerminal, Pong, RegisterRunner, RunnerRegistered, SessionEnded, SessionError,
    SessionsList, TerminalsList, TriggerSubscriptionsApplied, from_client, reasons,
};
use pizzapi_protocol::service::ServiceAnnounce;
use pizzapi_protocol::terminal::{TerminalError as TerminalFailed, TerminalRef};
use pizzapi_protocol::version::SOCKET_PROTOCOL_VERSION;
use pizzapi_socket_client::{Client, Config, Handle, Incoming, Join, Link, OnRejection, Signal};
use tokio::sync::{mpsc, watch};

use crate::pty::{Request as TerminalRequest, Size, TerminalError, Terminals};
use crate::requests::{Requests, SessionView, emit};
use crate::services::files;
use crate::sessions::{AgentRole, Ended, Records, Sessions, SpawnError, SpawnRequest, Spawner};
use crate::{Exit, RunnerConfig, StartError, StateFile, now, terminal_pump};

/// Services this daemon brings along.
const SERVICES: [&str; 4] = ["terminal", "file-explorer", "git", "process"];
/// Chunks of terminal output that wait for the relay, over all terminals.
const TERMINAL_CHUNKS: usize = 64;
/// How often a refused key is mentioned.
const REJECTED_LOG: Duration = Duration::from_secs(60);
/// A key that was refused may be allowed again; ask rarely.
const REJECTED_RETRY: Duration = Duration::from_secs(30);
/// The moment between being told to stop and stopping, so that answers under way still leave.
const STOP_DELAY: Duration = Duration::from_millis(300);

pub struct Daemon {
    config: RunnerConfig,
    state: StateFile,
    handle: Handle,
    incoming: Incoming<FromServer>,
    /// The connection on which the relay accepted this runner.
    link: Option<Link>,
    registered: watch::Sender<bool>,
    runner_id: String,
    runner_secret: String,
    sessions: Sessions,
    ended: mpsc::Receiver<Ended>,
    /// Sessions of this runner whose process an earlier daemon lost: they can only be ended through the relay.
    adopted: HashSet<String>,
    killed: mpsc::Sender<String>,
    kills: mpsc::Receiver<String>,
    terminals: Terminals,
    terminals_gone: mpsc::Receiver<String>,
    requests: Requests,
    last_rejection: Option<Instant>,
}

impl Daemon {
    pub fn new(config: RunnerConfig) -> Result<Self, StartError> {
        let state = StateFile::new(&config.state_file);
        let identity = state.claim(&now())?;
        state.patch(|state| {
            state.relay_url = Some(config.relay_url.clone());
            state.runner_name = Some(config.name.clone());
            state.cli_version = Some(config.version.clone());
        })?;

        let auth = serde_json::json!({
            "apiKey": config.api_key, "runnerId": identity.runner_id, "runnerSecret": identity.runner_secret,
            "protocolVersion": SOCKET_PROTOCOL_VERSION, "clientVersion": config.version,
        });
        let join = Join::with_auth(move || {
            let auth = auth.clone();
            async move { Ok(auth) }
        })
        .on_rejection(|_| OnRejection::RetryAfter(REJECTED_RETRY));
        let (handle, incoming) = Client::connect::<FromServer>(Config::new(&config.relay_url), join)?;

        let (ended_sender, ended) = mpsc::channel(64);
        let spawner = Spawner {
            command: config.worker.clone(),
            workspace: config.workspace.clone(),
            home: config.home.clone(),
            default_cwd: config.user_home.clone(),
            relay_url: config.relay_url.clone(),
            api_key: config.api_key.clone(),
            overrides: config.session_variables.clone(),
        };
        let records = Records::new(config.home.join("session-procs"));
        let mut sessions = Sessions::new(spawner, records, ended_sender);
        for id in sessions.adopt_left_behind() {
            tracing::info!(session.id = %id, "found a session that outlived its daemon");
        }

        let (output, terminal_output) = mpsc::channel(TERMINAL_CHUNKS);
        let (gone, terminals_gone) = mpsc::channel(64);
        let (registered, is_registered) = watch::channel(false);
        tokio::spawn(terminal_pump::run(terminal_output, handle.clone(), is_registered, gone));
        let (killed, kills) = mpsc::channel(64);
        Ok(Self {
            requests: Requests::new(config.clone()),
            config,
            state,
            handle,
            incoming,
            link: None,
            registered,
            runner_id: identity.runner_id,
            runner_secret: identity.runner_secret,
            sessions,
            ended,
            adopted: HashSet::new(),
            killed,
            kills,
            terminals: Terminals::new(output),
            terminals_gone,
            last_rejection: None,
        })
    }

    pub async fn run(mut self, mut stop: mpsc::Receiver<Exit>) -> Exit {
        let exit = loop {
            tokio::select! {
                signal = self.incoming.recv() => match signal {
                    Some(signal) => if let Some(exit) = self.on_signal(signal) {
                        tokio::time::sleep(STOP_DELAY).await;
                        break exit;
                    },
                    None => break Exit::Shutdown,
                },
                Some(ended) = self.ended.recv() => self.on_ended(&ended),
                Some(id) = self.kills.recv() => self.on_killed(&id),
                Some(id) = self.terminals_gone.recv() => self.terminals.forget(&id),
                how = stop.recv() => break how.unwrap_or(Exit::Shutdown),
            }
        };
        self.end(exit).await;
        exit
    }

    async fn end(mut self, exit: Exit) {
        tracing::info!(?exit, "the runner stops");
        if exit == Exit::Shutdown {
            tokio::join!(self.sessions.end_all(), self.terminals.end_all());
        } else {
            self.terminals.end_all().await;
        }
        self.handle.disconnect().await;
        if let Err(error) = self.state.release() {
            tracing::warn!(%error, "the lock was not released");
        }
    }

    fn on_signal(&mut self, signal: Signal<FromServer>) -> Option<Exit> {
        match signal {
            Signal::Connected { link, .. } => self.register(&link),
            Signal::Disconnected { reason } => {
                tracing::info!(%reason, "the relay is gone");
                self.link = None;
                self.registered.send_replace(false);
                self.patch(|state| {
                    state.connected = Some(false);
                    state.disconnected_at = Some(now());
                });
            }
            Signal::Rejected { message, .. } => {
                if self.last_rejection.is_none_or(|last| last.elapsed() >= REJECTED_LOG) {
                    self.last_rejection = Some(Instant::now());
                    tracing::error!(%message, "the relay refuses this runner's API key");
                }
                self.patch(|state| {
                    state.connected = Some(false);
                    state.auth_rejected = Some(true);
                });
            }
            Signal::Event(event) => return self.on_event(event),
        }
        None
    }

    fn register(&mut self, link: &Link) {
        self.last_rejection = None;
        let register = RegisterRunner {
            name: Some(self.config.name.clone()),
            roots: Some(self.config.workspace.roots()),
            runner_id: Some(RunnerId::from(self.runner_id.as_str())),
            runner_secret: Some(self.runner_secret.clone()),
            skills: serde_json::from_value(self.requests.skills().list()).ok(),
            agents: serde_json::from_value(self.requests.agents().list()).ok(),
            plugins: Some(Vec::new()),
            hooks: Some(Vec::new()),
            version: Some(self.config.version.clone()),
            platform: Some(std::env::consts::OS.to_owned()),
            capabilities: Some(PeerCapabilities {
                probe: Some(1),
                terminal_flow: Some(1),
                ..PeerCapabilities::default()
            }),
            terminals: Some(self.terminals.ids().iter().map(|id| TerminalId::from(id.as_str())).collect()),
            sessions: Some(self.sessions.ids().iter().map(|id| SessionId::from(id.as_str())).collect()),
        };
        emit::<from_client::RegisterRunner>(link, &register);
        self.link = Some(link.clone());
    }

    fn on_event(&mut self, event: FromServer) -> Option<Exit> {
        let link = self.link.clone()?;
        match event {
            FromServer::RunnerRegistered(registered) => self.on_registered(&registered, &link),
            FromServer::NewSession(request) => self.new_session(request, &link),
            FromServer::KillSession(SessionRef { session_id, .. }) => self.kill_session(session_id.as_str(), &link),
            FromServer::SessionEnded(ended) => self.session_ended(&ended),
            FromServer::Restart(_) => return Some(Exit::Restart),
            FromServer::Shutdown(_) => return Some(Exit::Shutdown),
            FromServer::ListSessions(_) => {
                let sessions = self.sessions.ids().iter().map(|id| SessionId::from(id.as_str())).collect();
                emit::<from_client::SessionsList>(&link, &SessionsList { sessions });
            }
            FromServer::Ping(_) => emit::<from_client::Pong>(&link, &Pong { now: unix_ms() }),
            FromServer::Probe(probe) => {
                let reply = ProbeReply { nonce: probe.nonce, at: Some(unix_ms()), ..ProbeReply::default() };
                emit::<from_client::ProbeReply>(&link, &reply);
            }
            FromServer::NewTerminal(request) => self.new_terminal(request, &link),
            FromServer::TerminalInput(input) => {
                if let Ok(terminal) = self.terminals.get(input.terminal_id.as_str())
                    && let Ok(bytes) = BASE64.decode(&input.data)
                    && !terminal.write(bytes)
                {
                    tracing::debug!(terminal.id = %input.terminal_id, "a terminal does not read its input");
                }
            }
            FromServer::TerminalResize(resize) => {
                if let Ok(terminal) = self.terminals.get(resize.terminal_id.as_str()) {
                    terminal.resize(Size { cols: resize.cols, rows: resize.rows });
                }
            }
            FromServer::TerminalFlow(flow) => {
                if let Ok(terminal) = self.terminals.get(flow.terminal_id.as_str()) {
                    terminal.pause(flow.paused);
                }
            }
            FromServer::KillTerminal(TerminalRef { terminal_id }) => match self.terminals.get(terminal_id.as_str()) {
                Ok(terminal) => drop(tokio::spawn(terminal.end())),
                Err(error) => terminal_failed(&link, terminal_id, &error),
            },
            FromServer::ListTerminals(_) => {
                let terminals = self.terminals.ids().iter().map(|id| TerminalId::from(id.as_str())).collect();
                emit::<from_client::TerminalsList>(&link, &TerminalsList { terminals });
            }
            FromServer::ServiceMessage(message) => {
                let session = message.session_id.as_ref().map(|id| SessionView {
                    cwd: self.sessions.cwd(id.as_str()).map(Path::to_owned),
                    pid: self.sessions.pid(id.as_str()),
                });
                self.requests.serve_service(message, session.unwrap_or_default(), link);
            }
            FromServer::ReconfigureServices(_) => self.announce(&link),
            FromServer::TriggerSubscriptionsSnapshot(snapshot) => {
                let types = snapshot.subscriptions.iter().map(|subscription| subscription.trigger_type.clone());
                let applied = not_applied(snapshot.revision, types.collect());
                emit::<from_client::TriggerSubscriptionsApplied>(&link, &applied);
            }
            FromServer::TriggerSubscriptionDelta(delta) => {
                let applied = not_applied(delta.revision, vec![delta.subscription.trigger_type]);
                emit::<from_client::TriggerSubscriptionsApplied>(&link, &applied);
            }
            FromServer::Error(error) => tracing::error!(message = %error.message, "the relay refuses this runner"),
            other => {
                let sessions = &self.sessions;
                if let Err(unserved) = self.requests.serve(other, link, |id| sessions.transcript(id)) {
                    tracing::debug!(event = ?unserved, "not served");
                }
            }
        }
        None
    }

    fn on_registered(&mut self, registered: &RunnerRegistered, link: &Link) {
        tracing::info!(runner.id = %registered.runner_id, "registered with the relay");
        self.registered.send_replace(true);
        let runner_id = registered.runner_id.to_string();
        self.patch(|state| {
            state.connected = Some(true);
            state.connected_at = Some(now());
            state.auth_rejected = None;
            state.runner_id = runner_id;
        });
        self.adopted = registered
            .existing_sessions
            .iter()
            .flatten()
            .map(|session| session.session_id.to_string())
            .filter(|id| !self.sessions.is_running(id))
            .collect();
        self.announce(link);
    }

    fn announce(&self, link: &Link) {
        let service_ids = SERVICES.iter().map(|&id| id.to_owned()).collect();
        emit::<from_client::ServiceAnnounce>(link, &ServiceAnnounce { service_ids, ..ServiceAnnounce::default() });
    }

    fn new_session(&mut self, request: NewSession, link: &Link) {
        let session_id = request.session_id.clone();
        let started = self.spawn_request(request).and_then(|request| self.sessions.start(request));
        match started {
            Ok(()) => {
                tracing::info!(session.id = %session_id, "session started");
                emit::<from_client::SessionReady>(link, &session_ref(session_id.as_str()));
            }
            Err(error) => {
                tracing::warn!(session.id = %session_id, %error, "session not started");
                let failed = SessionError { session_id, message: error.to_string() };
                emit::<from_client::SessionError>(link, &failed);
            }
        }
    }

    fn spawn_request(&self, request: NewSession) -> Result<SpawnRequest, SpawnError> {
        let agent = match request.agent {
            Some(agent) => {
                let known = match agent.system_prompt {
                    Some(_) => None,
                    None => {
                        let found = self.requests.agents().find(&agent.name);
                        Some(found.ok_or_else(|| SpawnError::UnknownAgent(agent.name.clone()))?)
                    }
                };
                let member = |name: &str| known.as_ref().and_then(|known| known.member(name)).map(str::to_owned);
                Some(AgentRole {
                    tools: agent.tools.or_else(|| member("tools")),
                    disallowed_tools: agent.disallowed_tools.or_else(|| member("disallowedTools")),
                    system_prompt: agent.system_prompt.or_else(|| known.as_ref().map(|known| known.body.clone())),
                    name: agent.name,
                })
            }
            None => None,
        };
        Ok(SpawnRequest {
            session_id: request.session_id.to_string(),
            cwd: request.cwd.map(PathBuf::from),
            prompt: request.prompt,
            image_urls: request.image_urls.unwrap_or_default(),
            model: request.model.map(|model| (model.provider, model.id)),
            hidden_models: request.hidden_models.unwrap_or_default(),
            agent,
            parent_session_id: request.parent_session_id.map(String::from),
            resume_path: request.resume_path.map(PathBuf::from),
            resume_id: request.resume_id.map(String::from),
            auto_close: request.auto_close.unwrap_or(false),
        })
    }

    fn kill_session(&mut self, id: &str, link: &Link) {
        if let Some(end) = self.sessions.kill(id) {
            let (killed, id) = (self.killed.clone(), id.to_owned());
            tokio::spawn(async move {
                end.await;
                let _daemon_ended = killed.send(id).await;
            });
        } else if self.adopted.remove(id) {
            emit::<from_client::DisconnectSession>(link, &session_ref(id));
            emit::<from_client::SessionKilled>(link, &session_ref(id));
        }
    }

    fn on_killed(&mut self, id: &str) {
        if let Some(link) = &self.link {
            emit::<from_client::SessionKilled>(link, &session_ref(id));
        }
    }

    /// The relay ended a session. Its words decide what that means for the process.
    fn session_ended(&mut self, ended: &SessionEnded) {
        let id = ended.session_id.as_str();
        self.adopted.remove(id);
        match ended.reason.as_deref() {
            Some(reasons::SESSION_RECONNECTED) => {}
            None | Some(reasons::SESSION_ENDED) if self.sessions.is_running(id) => {}
            reason => {
                if let Some(end) = self.sessions.kill(id) {
                    tracing::info!(session.id = %id, ?reason, "the relay ended a session");
                    tokio::spawn(end);
                }
            }
        }
    }

    fn on_ended(&mut self, ended: &Ended) {
        let id = &ended.session_id;
        match self.sessions.on_ended(ended) {
            Ok(true) => {
                tracing::info!(session.id = %id, "session restarted in place");
                if let Some(link) = &self.link {
                    emit::<from_client::SessionReady>(link, &session_ref(id));
                }
            }
            Ok(false) => {
                tracing::info!(session.id = %id, code = ?ended.code, "session process ended");
                // What it started in its group ends with it.
                if let Ok(leader) = i32::try_from(ended.pid) {
                    crate::process_tree::signal_family(leader, nix::sys::signal::Signal::SIGTERM);
                }
                if let Some(link) = &self.link {
                    emit::<from_client::SessionKilled>(link, &session_ref(id));
                }
            }
            Err(error) => {
                tracing::warn!(session.id = %id, %error, "session not restarted");
                if let Some(link) = &self.link {
                    let failed = SessionError { session_id: id.as_str().into(), message: error.to_string() };
                    emit::<from_client::SessionError>(link, &failed);
                }
            }
        }
    }

    fn new_terminal(&mut self, request: NewTerminal, link: &Link) {
        let id = request.terminal_id.clone();
        match self.start_terminal(request) {
            Ok(()) => emit::<from_client::TerminalReady>(link, &TerminalRef { terminal_id: id }),
            Err(error) => terminal_failed(link, id, &error),
        }
    }

    fn start_terminal(&mut self, request: NewTerminal) -> Result<(), TerminalError> {
        let asked = request.cwd.as_deref().filter(|cwd| !cwd.trim().is_empty()).unwrap_or("~");
        let cwd = files::allowed(&self.config.workspace, Some(asked), &self.config.user_home, "Missing cwd")
            .map_err(|_| TerminalError::Forbidden(asked.into()))?;
        let default = Size::default();
        let size = Size {
            cols: request.cols.filter(|cols| *cols > 0).unwrap_or(default.cols),
            rows: request.rows.filter(|rows| *rows > 0).unwrap_or(default.rows),
        };
        let shell = request.shell.filter(|shell| !shell.trim().is_empty()).unwrap_or_else(|| self.config.shell.clone());
        self.terminals.start(TerminalRequest { id: request.terminal_id.to_string(), cwd, shell, size })
    }

    /// The state file only informs `runner status`; it must never stop the daemon.
    fn patch(&self, change: impl FnOnce(&mut crate::RunnerState)) {
        if let Err(error) = self.state.patch(change) {
            tracing::warn!(%error, "the runner state was not written");
        }
    }
}

fn session_ref(id: &str) -> SessionRef {
    SessionRef { session_id: id.into() }
}

fn terminal_failed(link: &Link, terminal_id: TerminalId, error: &TerminalError) {
    emit::<from_client::TerminalError>(link, &TerminalFailed { terminal_id, message: error.to_string() });
}

/// None of this runner's services announces triggers, so a subscription can only be left over from another runner program.
fn not_applied(revision: i64, types: Vec<String>) -> TriggerSubscriptionsApplied {
    let errors: Vec<String> = types.iter().map(|kind| format!("no service of this runner fires `{kind}`")).collect();
    TriggerSubscriptionsApplied { revision, applied: 0, errors: (!errors.is_empty()).then_some(errors) }
}

fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

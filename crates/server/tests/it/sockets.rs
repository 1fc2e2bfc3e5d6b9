//! Clients of every namespace, made of our own socket client, and a proxy that breaks what goes through it.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::sync::Arc;
use std::time::Duration;

use pizzapi_protocol::events::{Event, EventTable};
use pizzapi_protocol::relay::{self, Register, RelayEvent};
use pizzapi_protocol::viewer::{self, SwitchSession, ViewerEvent};
use pizzapi_protocol::{
    Generation, Hydrated, PeerCapabilities, Position, RawJson, ResumeOffer, SessionId, hub, runner, runners, terminal,
};
use pizzapi_socket_client::{BackoffPolicy, Client, Config, Handle, Incoming, Join, OnRejection, Signal};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::support::{Browser, TestServer};

/// Nothing on this machine takes longer, unless it never comes.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// One namespace connection and what came over it.
pub struct Peer<T> {
    pub handle: Handle,
    incoming: Incoming<T>,
}

impl<T: EventTable + std::fmt::Debug> Peer<T> {
    pub fn connect(config: Config, auth: Value) -> Self {
        let join = Join::with_auth(move || {
            let auth = auth.clone();
            async move { Ok(auth) }
        })
        .on_rejection(|_| OnRejection::Stop);
        let (handle, incoming) = Client::connect::<T>(config, join).expect("a valid address");
        Self { handle, incoming }
    }

    pub async fn signal(&mut self, what: &str) -> Signal<T> {
        tokio::time::timeout(PATIENCE, self.incoming.recv())
            .await
            .unwrap_or_else(|_| panic!("waited in vain for {what}"))
            .unwrap_or_else(|| panic!("the connection ended instead of {what}"))
    }

    pub async fn connected(&mut self) {
        loop {
            match self.signal("a connection").await {
                Signal::Connected { .. } => return,
                Signal::Rejected { message, .. } => panic!("rejected: {message}"),
                Signal::Disconnected { .. } | Signal::Event(_) => {}
            }
        }
    }

    pub async fn rejected(&mut self) -> String {
        loop {
            match self.signal("a refusal").await {
                Signal::Rejected { message, .. } => return message,
                Signal::Connected { .. } => panic!("let in"),
                Signal::Disconnected { .. } | Signal::Event(_) => {}
            }
        }
    }

    pub async fn disconnected(&mut self) {
        while !matches!(self.signal("a disconnect").await, Signal::Disconnected { .. }) {}
    }

    /// The next event that `pick` takes; others are passed over.
    pub async fn find<R>(&mut self, what: &str, mut pick: impl FnMut(T) -> Option<R>) -> R {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let signal = tokio::time::timeout_at(deadline, self.incoming.recv()).await;
            match signal.unwrap_or_else(|_| panic!("waited in vain for {what}")) {
                Some(Signal::Event(event)) => {
                    if let Some(found) = pick(event) {
                        return found;
                    }
                }
                Some(_) => {}
                None => panic!("the connection ended instead of {what}"),
            }
        }
    }

    pub async fn next(&mut self) -> T {
        self.find("an event", Some).await
    }

    pub fn emit<E: Event>(&self, payload: &E::Payload) {
        self.handle.emit::<E>(payload).expect("a live connection");
    }

    pub async fn call<E: Event>(&self, payload: &E::Payload) -> E::Ack {
        self.handle.call::<E>(payload, PATIENCE).await.expect("an answer")
    }
}

/// What tests change about a registration.
pub type Change = fn(&mut Register);

/// A session's process.
pub struct Agent {
    pub peer: Peer<relay::FromServer>,
    pub session: SessionId,
    pub token: String,
    pub registered: relay::Registered,
    pub counted: u64,
}

impl Agent {
    pub async fn register(url: &str, key: &str, session: &str, change: impl FnOnce(&mut Register)) -> Self {
        let config = config(url);
        let mut peer = Peer::connect(config, json!({"apiKey": key, "protocolVersion": 1}));
        peer.connected().await;
        let mut agent = Self {
            peer,
            session: session.into(),
            token: String::new(),
            registered: serde_json::from_value(json!({"sessionId": "", "token": "", "shareUrl": "", "isEphemeral": true, "collabMode": true, "parentSessionId": null})).unwrap(),
            counted: 0,
        };
        agent.register_again(change).await;
        agent
    }

    pub async fn register_again(&mut self, change: impl FnOnce(&mut Register)) {
        let mut register =
            Register { session_id: Some(self.session.clone()), cwd: "/work".to_owned(), ..Register::default() };
        change(&mut register);
        self.peer.emit::<relay::from_client::Register>(&register);
        let registered = self
            .peer
            .find("registered", |event| match event {
                relay::FromServer::Registered(registered) => Some(registered),
                _ => None,
            })
            .await;
        self.session = registered.session_id.clone();
        self.token = registered.token.clone();
        self.registered = registered;
        self.counted = 0;
    }

    /// Send an event without waiting.
    pub fn send(&mut self, event: Value) -> u64 {
        self.counted += 1;
        let event = RelayEvent {
            session_id: Some(self.session.clone()),
            token: self.token.clone(),
            event: RawJson::from(event),
            seq: Some(self.counted),
        };
        self.peer.emit::<relay::from_client::Event>(&event);
        self.counted
    }

    /// Send, waiting for room in our own buffers.
    pub async fn send_paced(&mut self, event: RawJson) -> u64 {
        self.counted += 1;
        let event = RelayEvent {
            session_id: Some(self.session.clone()),
            token: self.token.clone(),
            event,
            seq: Some(self.counted),
        };
        self.peer.handle.emit_when_ready::<relay::from_client::Event>(&event).await.expect("a live connection");
        self.counted
    }

    pub async fn acked(&mut self, seq: u64) {
        self.peer
            .find("an acknowledgement", |event| match event {
                relay::FromServer::EventAck(ack) if ack.seq >= seq => Some(()),
                _ => None,
            })
            .await;
    }

    /// Send an event and wait until it is stored.
    pub async fn say(&mut self, text: &str) {
        let seq = self.send(said(text));
        self.acked(seq).await;
    }

    pub async fn snapshot(&mut self, texts: &[&str]) {
        let seq = self.send(active(texts));
        self.acked(seq).await;
    }

    pub async fn input(&mut self) -> (relay::RelayInput, pizzapi_protocol::Ack<bool>) {
        self.peer
            .find("input", |event| match event {
                relay::FromServer::Input(input, ack) => Some((input, ack)),
                _ => None,
            })
            .await
    }

    pub async fn command(&mut self) -> pizzapi_protocol::Command {
        self.peer
            .find("a command", |event| match event {
                relay::FromServer::Command(command) => Some(command),
                _ => None,
            })
            .await
    }
}

/// A process that knows everything we added to the protocol.
pub fn modern(register: &mut Register) {
    register.capabilities = Some(PeerCapabilities::ALL);
}

pub fn resuming(epoch: u64, last_acked_seq: u64) -> impl FnOnce(&mut Register) {
    move |register| {
        modern(register);
        register.resume = Some(ResumeOffer { epoch: epoch.into(), last_acked_seq });
    }
}

pub fn said(text: &str) -> Value {
    json!({"type": "said", "text": text})
}

pub fn user_message(text: &str) -> Value {
    json!({"role": "user", "content": text, "timestamp": 1})
}

/// A whole state with these messages.
pub fn active(texts: &[&str]) -> Value {
    let messages: Vec<Value> = texts.iter().map(|text| user_message(text)).collect();
    json!({"type": "session_active", "state": {"messages": messages, "cwd": "/work", "sessionName": null}})
}

/// A tab.
pub struct Tab {
    pub peer: Peer<viewer::FromServer>,
    generation: u64,
}

impl Tab {
    pub fn generation(&self) -> Generation {
        Generation(self.generation)
    }

    pub fn switch(&mut self, session: &SessionId, has: Option<Position>) -> Generation {
        self.generation += 1;
        let generation = Generation(self.generation);
        self.peer.emit::<viewer::from_client::SwitchSession>(&SwitchSession {
            session_id: session.clone(),
            generation: Some(generation),
            last_seq: None,
            have: has,
        });
        generation
    }

    /// Switch, and wait until everything is there. Answers with the frames that came, and how it ended.
    pub async fn open(&mut self, session: &SessionId, has: Option<Position>) -> (Vec<ViewerEvent>, Hydrated) {
        let generation = self.switch(session, has);
        self.hydrated(generation).await
    }

    pub async fn hydrated(&mut self, generation: Generation) -> (Vec<ViewerEvent>, Hydrated) {
        let mut frames = Vec::new();
        let hydrated = self
            .peer
            .find("hydrated", |event| match event {
                viewer::FromServer::Event(frame) if frame.generation == Some(generation) => {
                    frames.push(frame);
                    None
                }
                viewer::FromServer::Hydrated(hydrated) if hydrated.generation == generation => Some(hydrated),
                viewer::FromServer::HydrationFailed(failed) if failed.generation == generation => panic!("{failed:?}"),
                _ => None,
            })
            .await;
        (frames, hydrated)
    }

    pub async fn frame(&mut self) -> ViewerEvent {
        self.peer
            .find("an event of the session", |event| match event {
                viewer::FromServer::Event(frame) => Some(frame),
                _ => None,
            })
            .await
    }

    /// The next durable event.
    pub async fn durable(&mut self) -> (u64, Value) {
        loop {
            let frame = self.frame().await;
            if let Some(seq) = frame.seq {
                return (seq.0, frame.event.to().expect("JSON"));
            }
        }
    }

    pub async fn status(&mut self) -> pizzapi_protocol::CommandStatus {
        self.peer
            .find("a command's status", |event| match event {
                viewer::FromServer::CommandStatus(status) => Some(status),
                _ => None,
            })
            .await
    }
}

fn config(url: &str) -> Config {
    let mut config = Config::new(url);
    config.backoff =
        BackoffPolicy { first: Duration::from_millis(20), max: Duration::from_millis(200), ..config.backoff };
    config
}

/// A person with a browser and a key.
pub struct Person<'s> {
    pub browser: Browser<'s>,
    pub key: String,
}

impl TestServer {
    pub async fn user(&self, name: &str) -> Person<'_> {
        let browser = self.person(name).await;
        let key = browser.key().await.1;
        Person { browser, key }
    }
}

impl Person<'_> {
    pub async fn agent(&self, session: &str) -> Agent {
        Agent::register(&self.browser.server.running.url(), &self.key, session, |_| {}).await
    }

    pub async fn modern_agent(&self, session: &str) -> Agent {
        Agent::register(&self.browser.server.running.url(), &self.key, session, modern).await
    }

    fn page<T: EventTable + std::fmt::Debug>(&self, auth: Value) -> Peer<T> {
        let config = config(&self.browser.server.running.url()).header("cookie", &self.browser.cookie);
        Peer::connect(config, auth)
    }

    /// A tab of our own page.
    pub async fn tab(&self) -> Tab {
        self.tab_with(json!({"protocolVersion": 1, "clientVersion": "1", "capabilities": PeerCapabilities::ALL, "device": "laptop"})).await
    }

    /// A tab of the published page.
    pub async fn old_tab(&self) -> Tab {
        self.tab_with(json!({"protocolVersion": 1, "clientVersion": "1"})).await
    }

    pub async fn tab_with(&self, auth: Value) -> Tab {
        let mut peer = self.page(auth);
        peer.connected().await;
        Tab { peer, generation: 0 }
    }

    pub async fn hub(&self) -> Peer<hub::FromServer> {
        let mut peer = self.page(json!({"protocolVersion": 1}));
        peer.connected().await;
        peer
    }

    pub async fn runners(&self) -> Peer<runners::FromServer> {
        let mut peer = self.page(json!({"protocolVersion": 1}));
        peer.connected().await;
        peer
    }

    pub async fn terminal(&self, id: &str) -> Peer<terminal::FromServer> {
        let mut peer = self.page(json!({"protocolVersion": 1, "terminalId": id}));
        peer.connected().await;
        peer
    }

    pub async fn runner(&self, id: &str, secret: &str) -> Peer<runner::FromServer> {
        self.runner_with(id, secret, |_| {}).await
    }

    pub async fn runner_with(
        &self,
        id: &str,
        secret: &str,
        change: impl FnOnce(&mut runner::RegisterRunner),
    ) -> Peer<runner::FromServer> {
        let config = config(&self.browser.server.running.url());
        let mut peer = Peer::connect(config, json!({"apiKey": self.key, "protocolVersion": 1}));
        peer.connected().await;
        let mut register = runner::RegisterRunner {
            name: Some("box".to_owned()),
            roots: Some(vec!["/work/".to_owned()]),
            runner_id: Some(id.into()),
            runner_secret: Some(secret.to_owned()),
            version: Some("1.0.0".to_owned()),
            platform: Some("linux".to_owned()),
            ..runner::RegisterRunner::default()
        };
        change(&mut register);
        peer.emit::<runner::from_client::RegisterRunner>(&register);
        peer
    }
}

/// A proxy before the server that can break what runs through it.
pub struct Chaos {
    pub url: String,
    stalled: tokio::sync::watch::Sender<bool>,
    cut: Arc<parking_lot::Mutex<CancellationToken>>,
    tasks: JoinSet<()>,
}

impl Chaos {
    pub async fn before(server: &TestServer) -> Self {
        let target = server.running.local_addr();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let cut = Arc::new(parking_lot::Mutex::new(CancellationToken::new()));
        let stalled = tokio::sync::watch::Sender::new(false);
        let mut tasks = JoinSet::new();
        tasks.spawn({
            let (cut, stalled) = (cut.clone(), stalled.clone());
            async move {
                while let Ok((client, _)) = listener.accept().await {
                    let (cut, mut stalled) = (cut.lock().clone(), stalled.subscribe());
                    tokio::spawn(async move {
                        let Ok(server) = TcpStream::connect(target).await else { return };
                        // No goodbye when it is cut: both ends see a reset.
                        let _ = client.set_zero_linger();
                        let _ = server.set_zero_linger();
                        let (mut from_client, mut to_client) = client.into_split();
                        let (mut from_server, mut to_server) = server.into_split();
                        let down = async {
                            let mut buffer = vec![0; 64 * 1024];
                            loop {
                                if stalled.wait_for(|stalled| !stalled).await.is_err() {
                                    return;
                                }
                                match from_server.read(&mut buffer).await {
                                    Ok(0) | Err(_) => return,
                                    Ok(read) => {
                                        if to_client.write_all(&buffer[..read]).await.is_err() {
                                            return;
                                        }
                                    }
                                }
                            }
                        };
                        tokio::select! {
                            () = cut.cancelled() => {}
                            () = down => {}
                            _ = tokio::io::copy(&mut from_client, &mut to_server) => {}
                        }
                    });
                }
            }
        });
        Self { url, stalled, cut, tasks }
    }

    /// Take nothing from the server any more, or go on.
    pub fn stall(&self, stalled: bool) {
        self.stalled.send_replace(stalled);
    }

    /// Break every connection that runs through now.
    pub fn cut(&self) {
        let mut token = self.cut.lock();
        token.cancel();
        *token = CancellationToken::new();
    }
}

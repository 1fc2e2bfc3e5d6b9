//! The extension between a real relay and a real agent (the offline demonstration), watched by a viewer.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use pizzapi_agent::{Agent, AgentConfig, AgentHandle, Host};
use pizzapi_protocol::viewer::{FromServer, SwitchSession, ViewerInput, from_client};
use pizzapi_protocol::{
    AgentEvent, AnswerDecision, AnswerReply, CommandState, CommandStatus, Exec, Generation, Hydrated, JsonObject,
    Message, Open, RawJson, SessionId, ViewerExecResult,
};
use pizzapi_server::auth::api_key::{Mint, mint};
use pizzapi_server::config::ServerConfig;
use pizzapi_server::db::users::SignedUp;
use pizzapi_server::{Running, build};
use pizzapi_socket_client::{Client, Config, Handle, Incoming, Join, Signal};
use serde_json::json;
use tokio::sync::mpsc;

use super::{AgentSession, HostWish, RemoteConfig, RemoteHandle, Toolbox};

const PATIENCE: Duration = Duration::from_secs(20);

struct Relay {
    running: Running,
    data: tempfile::TempDir,
    key: String,
}

impl Relay {
    async fn start() -> Self {
        let data = tempfile::tempdir().expect("a folder");
        let running = serve(data.path(), "127.0.0.1:0".parse().expect("an address")).await;
        let app = running.app();
        let created = app.db.users().create("ana", "Ana", "ana@example.org", "no password", true, 1).await;
        assert!(matches!(created, Ok(SignedUp::Created(_))));
        let wanted = Mint { name: None, prefix: None, label: None, expires_at: None };
        let (_, key) = mint(app, "ana", wanted).await.expect("a key");
        Self { running, data, key }
    }

    fn address(&self) -> SocketAddr {
        self.running.local_addr()
    }

    /// Stop and start again on the same port and data.
    async fn restart(self) -> Self {
        let Self { running, data, key } = self;
        let address = running.local_addr();
        assert!(running.shutdown().await, "everything closed in time");
        let running = serve(data.path(), address).await;
        Self { running, data, key }
    }
}

async fn serve(data: &Path, address: SocketAddr) -> Running {
    let mut config = ServerConfig::new(data);
    config.listen.address = address;
    let server = build(config).await.expect("the relay is built");
    let listener = server.bind().await.expect("the port is free");
    server.start(listener).await.expect("the relay starts")
}

struct Worker {
    agent: AgentHandle,
    remote: RemoteHandle,
    wishes: mpsc::UnboundedReceiver<HostWish>,
    _folder: tempfile::TempDir,
}

impl Worker {
    async fn start(relay: &Relay) -> Self {
        Self::named(relay, "s1", None).await
    }

    async fn named(relay: &Relay, id: &str, parent: Option<&str>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (cwd, home) = (folder.path().join("project"), folder.path().join("home"));
        std::fs::create_dir_all(&cwd).expect("a folder");
        let mut env: BTreeMap<String, String> = BTreeMap::new();
        env.insert("PATH".to_owned(), std::env::var("PATH").unwrap_or_default());
        env.insert("HOME".to_owned(), home.display().to_string());
        let mut config = AgentConfig::with_env(&cwd, &home, env);
        config.host = Host::Headless;
        config.model = Some("demo/demo".to_owned());
        config.discover_models = false;
        let toolbox = Toolbox::new("/nowhere");
        config.extra_tools = toolbox.tools();
        let agent = Agent::start(config).await.expect("the agent starts");
        let config = RemoteConfig {
            socket_url: format!("ws://{}", relay.address()),
            http_url: relay.running.url(),
            api_key: relay.key.clone(),
            session_id: id.into(),
            parent_session_id: parent.map(SessionId::from),
            announce_file: true,
            auto_close: false,
            device: Some("test".to_owned()),
            attachments_dir: folder.path().join("attachments"),
        };
        let (remote, wishes) = super::start_with(AgentSession::new(agent.clone()), config, &toolbox).expect("started");
        assert!(remote.registered(PATIENCE).await, "{:?}", remote.state().borrow());
        Self { agent, remote, wishes, _folder: folder }
    }
}

/// A browser tab that keeps what it saw, the way the web interface does.
struct Viewer {
    handle: Handle,
    incoming: Incoming<FromServer>,
    generation: u64,
    /// By message id or timestamp; in order of appearance.
    transcript: Vec<Message>,
    statuses: Vec<CommandStatus>,
    results: Vec<ViewerExecResult>,
    ended: usize,
}

impl Viewer {
    async fn start(relay: &Relay) -> Self {
        let key = relay.key.clone();
        let join = Join::with_auth(move || {
            let auth = json!({
                "apiKey": key, "protocolVersion": 1, "clientVersion": "1.0.0",
                "capabilities": { "commands": 1, "decisions": 1, "resume": 1, "hydration": 1 },
            });
            async move { Ok(auth) }
        });
        let (handle, incoming) =
            Client::connect::<FromServer>(Config::new(format!("ws://{}", relay.address())), join).expect("connected");
        let mut viewer = Self {
            handle,
            incoming,
            generation: 0,
            transcript: Vec::new(),
            statuses: Vec::new(),
            results: Vec::new(),
            ended: 0,
        };
        viewer.attach().await;
        viewer
    }

    /// Look at the session and wait until everything is here.
    async fn attach(&mut self) -> Hydrated {
        self.generation += 1;
        self.transcript.clear();
        let switch = SwitchSession {
            session_id: SessionId::from("s1"),
            generation: Some(Generation(self.generation)),
            last_seq: None,
            have: None,
        };
        while self.handle.emit::<from_client::SwitchSession>(&switch).is_err() {
            self.step().await;
        }
        loop {
            match self.step().await {
                Some(FromServer::Hydrated(hydrated)) if hydrated.generation == Generation(self.generation) => {
                    return hydrated;
                }
                Some(FromServer::HydrationFailed(failed)) => panic!("no hydration: {failed:?}"),
                _ => {}
            }
        }
    }

    /// Take the next signal in. Gives events that are not about the transcript back.
    async fn step(&mut self) -> Option<FromServer> {
        let signal =
            tokio::time::timeout(PATIENCE, self.incoming.recv()).await.expect("a signal in time").expect("open");
        let Signal::Event(event) = signal else { return None };
        match event {
            FromServer::Event(event) => {
                self.fold(event.event.to().expect("an event"));
                None
            }
            FromServer::CommandStatus(status) => {
                self.statuses.push(status);
                None
            }
            FromServer::ExecResult(result) => {
                self.results.push(result);
                None
            }
            other => Some(other),
        }
    }

    fn fold(&mut self, event: AgentEvent) {
        match event {
            AgentEvent::SessionActive(active) => self.transcript = active.state.messages,
            AgentEvent::MessageEnd(end) => {
                let same =
                    |old: &Message| old.role() == end.message.role() && old.timestamp() == end.message.timestamp();
                match self.transcript.iter_mut().find(|old| same(old)) {
                    Some(old) => *old = end.message,
                    None => self.transcript.push(end.message),
                }
            }
            AgentEvent::AgentEnd(_) => self.ended += 1,
            _ => {}
        }
    }

    async fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !done(self) {
            assert!(tokio::time::Instant::now() < deadline, "waited for {what}: {:?}", self.statuses);
            self.step().await;
        }
    }

    async fn say(&mut self, id: &str, text: &str) {
        let input = ViewerInput {
            text: text.to_owned(),
            attachments: None,
            client: Some("web".to_owned()),
            deliver_as: None,
            request_id: Some(id.into()),
            session_id: Some("s1".into()),
            composed_at: None,
            deadline: None,
        };
        let link = self.handle.link().expect("connected");
        let answer = link.ask::<from_client::Input>(&input).expect("sent");
        assert!(answer.within(PATIENCE).await.expect("an answer"), "the session refused `{text}`");
    }

    async fn exec(&mut self, id: &str, command: &str, arguments: serde_json::Value) -> ViewerExecResult {
        let known = Exec { id: id.into(), command: command.to_owned(), session_id: None, composed_at: None };
        let extra: JsonObject = RawJson::from(arguments).to().expect("an object");
        self.handle.emit::<from_client::Exec>(&Open::with(known, extra)).expect("sent");
        self.until(command, |viewer| viewer.results.iter().any(|result| result.id.as_str() == id)).await;
        let found = self.results.iter().filter(|result| result.id.as_str() == id).collect::<Vec<_>>();
        assert_eq!(found.len(), 1, "one reply");
        found[0].clone()
    }

    fn states(&self, id: &str) -> Vec<CommandState> {
        self.statuses.iter().filter(|status| status.command_id.as_str() == id).map(|status| status.state).collect()
    }
}

/// What matters of a transcript: who said what.
fn said(messages: &[Message]) -> Vec<(String, String)> {
    messages.iter().map(|message| (message.role().into_owned(), message.text())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prompt_from_a_browser_is_answered_where_everybody_sees_it() {
    let relay = Relay::start().await;
    let worker = Worker::start(&relay).await;
    let mut viewer = Viewer::start(&relay).await;
    viewer.say("c1", "hello there").await;
    viewer.until("the answer", |viewer| viewer.ended == 1).await;
    viewer.until("the fate of the command", |viewer| viewer.states("c1").contains(&CommandState::Consumed)).await;
    worker.agent.wait_idle().await;
    viewer.until("the transcript", |viewer| said(&viewer.transcript) == said(&worker.agent.messages())).await;
    assert!(viewer.transcript.len() >= 2);
    // The same prompt again is answered, not asked again.
    viewer.say("c1", "hello there").await;
    let hydrated = viewer.attach().await;
    assert!(hydrated.complete);
    assert_eq!(said(&viewer.transcript), said(&worker.agent.messages()));

    let reply = viewer.exec("e1", "set_session_name", json!({ "name": "A new name" })).await;
    assert!(reply.ok, "{reply:?}");
    assert_eq!(worker.agent.snapshot().session_name.as_deref(), Some("A new name"));
    let reply = viewer.exec("e2", "no_such_thing", json!({})).await;
    assert_eq!((reply.ok, reply.error.as_deref()), (false, Some("Unknown exec command: no_such_thing")));
    worker.remote.end().await;
    worker.agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_restarted_in_the_middle_of_a_run_misses_nothing() {
    let mut relay = Relay::start().await;
    let worker = Worker::start(&relay).await;
    let mut viewer = Viewer::start(&relay).await;
    for round in 0..2 {
        viewer.say(&format!("c{round}"), "list this folder").await;
        relay = relay.restart().await;
        worker.agent.wait_idle().await;
        assert!(worker.remote.registered(PATIENCE).await);
        let hydrated = viewer.attach().await;
        assert!(hydrated.complete, "{hydrated:?}");
        viewer.until("the transcript", |viewer| said(&viewer.transcript) == said(&worker.agent.messages())).await;
        let users = viewer.transcript.iter().filter(|message| matches!(message, Message::User(_))).count();
        assert_eq!(users, round + 1, "each prompt once");
    }
    worker.remote.end().await;
    worker.agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_of_the_agent_is_answered_from_a_browser() {
    let relay = Relay::start().await;
    let worker = Worker::start(&relay).await;
    let mut viewer = Viewer::start(&relay).await;
    viewer.say("c1", "ask me a question").await;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let open = loop {
        if let Some(decision) = relay.running.app().db.decisions().open_of_user("ana").await.expect("a list").pop() {
            break decision;
        }
        assert!(tokio::time::Instant::now() < deadline, "no decision was raised");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!((open.kind.as_str(), open.title.as_str()), ("question", "Which pizza do you like best?"));
    let answer = AnswerDecision {
        decision_id: open.decision_id.as_str().into(),
        session_id: Some("s1".into()),
        option: "Funghi".to_owned(),
        text: None,
        edits: None,
        composed_at: None,
        command_id: None,
    };
    let link = viewer.handle.link().expect("connected");
    let reply: AnswerReply = link.call::<from_client::AnswerDecision>(&answer, PATIENCE).await.expect("a reply");
    assert!(reply.ok, "{reply:?}");
    let late: AnswerReply = link.call::<from_client::AnswerDecision>(&answer, PATIENCE).await.expect("a reply");
    assert!(!late.ok, "the first answer wins");
    viewer.until("the end of the run", |viewer| viewer.ended == 1).await;
    worker.agent.wait_idle().await;
    let told = worker.agent.messages().iter().any(|message| message.text().contains("Funghi"));
    assert!(told, "{:#?}", said(&worker.agent.messages()));
    assert!(worker.agent.decisions().is_empty());
    worker.remote.end().await;
    worker.agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_at_the_terminal_ends_the_question_everywhere() {
    let relay = Relay::start().await;
    let worker = Worker::start(&relay).await;
    let mut viewer = Viewer::start(&relay).await;
    viewer.say("c1", "ask me a question").await;
    let decisions = || async { relay.running.app().db.decisions().open_of_user("ana").await.expect("a list") };
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while decisions().await.is_empty() {
        assert!(tokio::time::Instant::now() < deadline, "no decision was raised");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let open = worker.agent.decisions().pop().expect("a decision");
    worker
        .agent
        .answer(&open.id, pizzapi_agent::Answer::Question("Margherita".to_owned()), None)
        .await
        .expect("answered");
    while !decisions().await.is_empty() {
        assert!(tokio::time::Instant::now() < deadline, "the relay still waits");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    viewer.until("the end of the run", |viewer| viewer.ended == 1).await;
    worker.remote.end().await;
    worker.agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ending_a_session_from_a_browser_is_a_wish_to_its_program() {
    let relay = Relay::start().await;
    let mut worker = Worker::start(&relay).await;
    let mut viewer = Viewer::start(&relay).await;
    let reply = viewer.exec("e1", "end_session", json!({})).await;
    assert!(reply.ok, "{reply:?}");
    let wish = tokio::time::timeout(PATIENCE, worker.wishes.recv()).await.expect("in time");
    assert_eq!(wish, Some(HostWish::Quit));
    worker.remote.end().await;
    worker.agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parent_learns_what_its_child_did() {
    let relay = Relay::start().await;
    let parent = Worker::start(&relay).await;
    let child = Worker::named(&relay, "s2", Some("s1")).await;
    child.agent.prompt(pizzapi_agent::Prompt::text("hello there")).await.expect("accepted");
    child.agent.wait_idle().await;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let told = |messages: &[Message]| messages.iter().any(|message| message.text().contains("is done (completed)"));
    while !told(&parent.agent.messages()) {
        assert!(tokio::time::Instant::now() < deadline, "{:#?}", said(&parent.agent.messages()));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    child.remote.end().await;
    parent.remote.end().await;
    child.agent.shutdown().await;
    parent.agent.shutdown().await;
}

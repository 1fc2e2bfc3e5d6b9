//! The extension against a relay whose every word is scripted, and the reading of its configuration.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use parking_lot::Mutex;
use pizzapi_protocol::{
    AgentEvent, AnswerBody, CommandId, CommandInfo, CommandState, Decision, DecisionDetail, DecisionId, DecisionKind,
    DecisionOption, DecisionOutcome, Empty, ErrorCode, JsonObject, Message, MessageEvent, Model, RawJson, UserMessage,
    WireError,
};
use pretty_assertions::assert_eq;
use serde_json::{Value, json};
use socketioxide::SocketIo;
use socketioxide::extract::{Data, Event, SocketRef};
use socketioxide::handler::ConnectHandler as _;

use super::session::{Facts, Reached, Report, Reports, Taken, Words};
use super::*;

fn resolve(env: &[(&str, &str)], url: Option<&str>, key: Option<&str>) -> Result<RemoteConfig, Unavailable> {
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    RemoteConfig::resolve(&env, url, key, Path::new("/home/ana/.pizzapi"))
}

#[test]
fn variables_win_over_the_file_and_the_file_over_defaults() {
    let config = resolve(&[("PIZZAPI_API_KEY", "env")], None, Some("file")).expect("configured");
    assert_eq!((config.api_key.as_str(), config.socket_url.as_str()), ("env", "ws://127.0.0.1:7492"));
    assert_eq!(config.http_url, "http://127.0.0.1:7492");
    let config =
        resolve(&[("PIZZAPI_API_TOKEN", "t"), ("PIZZAPI_SESSION_ID", "s1")], Some("wss://relay.example/"), None)
            .expect("configured");
    assert_eq!((config.socket_url.as_str(), config.session_id.as_str()), ("wss://relay.example", "s1"));
    assert_eq!(config.http_url, "https://relay.example");
    assert_eq!(resolve(&[], Some("OFF"), Some("key")).err(), Some(Unavailable::Off));
    assert_eq!(resolve(&[], None, Some("  ")).err(), Some(Unavailable::NoKey));
}

#[test]
fn addresses_are_read_in_every_spelling() {
    assert_eq!(http_url("ws://localhost:1/ws/sessions"), "http://127.0.0.1:1");
    assert_eq!(http_url("relay.example"), "https://relay.example");
    assert_eq!(http_url("wss://[::1]:8443/"), "https://[::1]:8443");
    assert_eq!(without_localhost("ws://user@localhost:7492/x"), "ws://user@127.0.0.1:7492/x");
}

// --- a session that does what the test says

#[derive(Default)]
struct FakeSession {
    messages: Mutex<Vec<Message>>,
    listeners: Mutex<Vec<mpsc::UnboundedSender<Report>>>,
    /// The transcript file: what survives a restart of the process.
    journal: Arc<Mutex<HashMap<CommandId, Reached>>>,
    prompts: Mutex<Vec<String>>,
    answers: Mutex<Vec<AnswerBody>>,
    executed: Mutex<Vec<String>>,
    decisions: Mutex<Vec<Decision>>,
    leaf: AtomicU64,
}

struct FakeReports(mpsc::UnboundedReceiver<Report>);

#[async_trait]
impl Reports for FakeReports {
    async fn next(&mut self) -> Option<Report> {
        self.0.recv().await
    }
}

fn user(n: usize) -> Message {
    Message::User(UserMessage {
        id: None,
        request_id: None,
        content: format!("message {n}").into(),
        timestamp: n as i64,
    })
}

impl FakeSession {
    fn report(&self, report: Report) {
        for listener in &*self.listeners.lock() {
            let _ = listener.send(report.clone());
        }
    }

    fn event(&self, event: AgentEvent) {
        self.report(Report::Event(Arc::new(event)));
    }

    /// Another message in the transcript, and the event that tells of it.
    fn say(&self, n: usize) {
        self.messages.lock().push(user(n));
        self.leaf.fetch_add(1, Ordering::SeqCst);
        self.event(AgentEvent::MessageEnd(MessageEvent { message: user(n) }));
    }
}

#[async_trait]
impl Session for FakeSession {
    fn facts(&self) -> Facts {
        Facts { cwd: "/work".into(), since: 1, ..Facts::default() }
    }

    fn leaf(&self) -> Option<String> {
        Some(self.leaf.load(Ordering::SeqCst).to_string())
    }

    fn messages(&self) -> Vec<Message> {
        self.messages.lock().clone()
    }

    fn last_text(&self) -> Option<String> {
        Some("all done".to_owned())
    }

    fn models(&self) -> Vec<Model> {
        Vec::new()
    }

    fn commands(&self) -> Vec<CommandInfo> {
        Vec::new()
    }

    fn decisions(&self) -> Vec<Decision> {
        self.decisions.lock().clone()
    }

    fn reports(&self) -> Box<dyn Reports> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.listeners.lock().push(sender);
        Box::new(FakeReports(receiver))
    }

    async fn prompt(&self, words: Words) -> Result<Taken, WireError> {
        if words.text == "refuse" {
            return Err(WireError::new(ErrorCode::Invalid, "refused"));
        }
        self.prompts.lock().push(words.text);
        if let Some(id) = words.command_id {
            self.journal.lock().insert(id.clone(), Reached::DELIVERED);
        }
        Ok(Taken::Accepted)
    }

    async fn offer_text(&self, text: &str, _by: Option<String>) -> bool {
        text == "an answer"
    }

    async fn answer(&self, answer: &AnswerBody, _by: Option<String>) -> Result<(), WireError> {
        self.answers.lock().push(answer.clone());
        Ok(())
    }

    async fn end_decision(&self, id: &DecisionId, _outcome: &DecisionOutcome) {
        self.decisions.lock().retain(|decision| decision.decision_id != *id);
    }

    async fn abort(&self) {
        self.executed.lock().push("abort".to_owned());
    }

    async fn set_model(&self, provider: &str, id: &str) -> Result<Model, String> {
        Err(format!("unknown model {provider}/{id}"))
    }

    async fn exec(&self, command: &str, _arguments: &JsonObject) -> Result<Option<RawJson>, String> {
        self.executed.lock().push(command.to_owned());
        match command {
            "get_commands" => Ok(Some(RawJson::from(json!({ "commands": [] })))),
            other => Err(format!("Unknown exec command: {other}")),
        }
    }

    async fn set_hidden_models(&self, _hidden: Vec<String>) {}
    async fn set_subagent_model(&self, _model: Option<String>) {}

    fn command(&self, id: &CommandId) -> Option<Reached> {
        self.journal.lock().get(id).cloned()
    }

    async fn journal(&self, id: &CommandId, reached: &Reached) -> Result<Option<Reached>, WireError> {
        let mut journal = self.journal.lock();
        if let Some(known) = journal.get(id)
            && (known.state.is_final() || reached.state == CommandState::Delivered)
        {
            return Ok(Some(known.clone()));
        }
        journal.insert(id.clone(), reached.clone());
        Ok(None)
    }

    async fn cancel(&self, id: &CommandId) -> bool {
        let mut journal = self.journal.lock();
        let waits = journal.get(id) == Some(&Reached::DELIVERED);
        if waits {
            journal.insert(id.clone(), Reached::CANCELLED);
        }
        waits
    }
}

// --- a relay that does what the test says

/// What is left of a relay when its process is killed.
#[derive(Default)]
struct Disk {
    epoch: u64,
    /// Of the current epoch.
    stored_seq: u64,
    /// Texts of stored events, in order.
    events: Vec<Value>,
}

#[derive(Default)]
struct Book {
    disk: Disk,
    /// Every frame, in order.
    frames: Vec<(String, Value)>,
    socket: Option<SocketRef>,
}

struct Relay {
    runtime: Option<tokio::runtime::Runtime>,
    address: SocketAddr,
    book: Arc<Mutex<Book>>,
    changed: watch::Sender<()>,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// Knows commands, decisions and resume.
    Ours,
    /// The published relay: knows none of it.
    Published,
    /// Ours, but its log is lost.
    Forgetful,
}

impl Relay {
    fn start(kind: Kind) -> Self {
        Self::start_at("127.0.0.1:0".parse().expect("an address"), kind, Arc::default())
    }

    fn start_at(address: SocketAddr, kind: Kind, book: Arc<Mutex<Book>>) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let listener = loop {
            match TcpListener::bind(address) {
                Ok(listener) => break listener,
                Err(_) => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        listener.set_nonblocking(true).expect("non-blocking");
        let address = listener.local_addr().expect("an address");
        let changed = watch::Sender::new(());
        let (shared, tell) = (book.clone(), changed.clone());
        runtime.spawn(async move {
            let (layer, io) = SocketIo::builder().max_payload(100 << 20).ws_max_message_size(100 << 20).build_layer();
            // Mounted before CONNECT is answered, and heard in the part of the handler that keeps the order.
            let admit = move |socket: SocketRef| {
                let (shared, tell) = (shared.clone(), tell.clone());
                async move {
                    shared.lock().socket = Some(socket.clone());
                    socket.on_fallback(move |socket: SocketRef, Event(name): Event, Data(data): Data<Value>| {
                        heard(&shared, kind, &socket, name, data);
                        tell.send_replace(());
                        std::future::ready(())
                    });
                    Ok::<(), std::convert::Infallible>(())
                }
            };
            io.ns("/relay", (async |_: SocketRef| {}).with(admit));
            let app = axum::Router::new().layer(layer);
            axum::serve(tokio::net::TcpListener::from_std(listener).expect("a listener"), app).await.expect("served");
        });
        Self { runtime: Some(runtime), address, book, changed }
    }

    fn config(&self, folder: &Path) -> RemoteConfig {
        RemoteConfig {
            socket_url: format!("ws://{}", self.address),
            http_url: format!("http://{}", self.address),
            api_key: "key".to_owned(),
            session_id: "s1".into(),
            parent_session_id: None,
            announce_file: false,
            auto_close: false,
            device: Some("laptop".to_owned()),
            attachments_dir: folder.to_path_buf(),
        }
    }

    /// End the process at once, and start it again on what it had written down.
    fn restart(mut self, kind: Kind) -> Self {
        self.runtime.take().expect("running").shutdown_background();
        Self::start_at(self.address, kind, self.book.clone())
    }

    fn send(&self, name: &str, data: Value) {
        let socket = self.book.lock().socket.clone().expect("connected");
        socket.emit(name, &data).expect("sent");
    }

    /// Wait until `what` can be found in the book.
    async fn until<T>(&self, what: &str, find: impl Fn(&Book) -> Option<T>) -> T {
        let mut changes = self.changed.subscribe();
        let deadline = tokio::time::Instant::now() + Duration::from_secs(15);
        loop {
            if let Some(found) = find(&self.book.lock()) {
                return found;
            }
            if tokio::time::timeout_at(deadline, changes.changed()).await.is_err() {
                panic!("waited for {what}; heard {:#?}", self.names());
            }
        }
    }

    async fn frame(&self, name: &str, matches: impl Fn(&Value) -> bool) -> Value {
        let found = |book: &Book| {
            book.frames.iter().find(|(heard, data)| heard == name && matches(data)).map(|(_, data)| data.clone())
        };
        self.until(name, found).await
    }

    async fn event(&self, kind: &str) -> Value {
        self.frame("event", |data| data["event"]["type"] == kind).await["event"].clone()
    }

    async fn receipt(&self, id: &str, state: &str) -> Value {
        self.frame("command_receipt", |data| data["commandId"] == id && data["state"] == state).await
    }

    fn names(&self) -> Vec<String> {
        let name = |(name, data): &(String, Value)| match data["event"]["type"].as_str() {
            Some(kind) => kind.to_owned(),
            None => name.clone(),
        };
        self.book.lock().frames.iter().map(name).collect()
    }

    fn forget_frames(&self) {
        self.book.lock().frames.clear();
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn heard(book: &Mutex<Book>, kind: Kind, socket: &SocketRef, name: String, data: Value) {
    let mut book = book.lock();
    match &*name {
        "register" => {
            let mut registered = json!({
                "sessionId": data["sessionId"], "token": "t", "shareUrl": "http://relay/session/s1", "isEphemeral": true,
                "collabMode": true, "parentSessionId": null, "serverTime": 1,
            });
            if kind != Kind::Published {
                if kind == Kind::Ours && data["resume"]["epoch"] == json!(book.disk.epoch) {
                    registered["resume"] = json!({ "epoch": book.disk.epoch, "storedSeq": book.disk.stored_seq });
                }
                book.disk.epoch += 1;
                registered["epoch"] = json!(book.disk.epoch);
                registered["capabilities"] = json!({ "commands": 1, "decisions": 1, "resume": 1, "probe": 1 });
            }
            book.disk.stored_seq = 0;
            socket.emit("registered", &registered).expect("sent");
        }
        "event" => {
            if let Some(seq) = data["seq"].as_u64() {
                if seq > book.disk.stored_seq {
                    assert_eq!(seq, book.disk.stored_seq + 1, "a gap in the numbers");
                    book.disk.stored_seq = seq;
                    book.disk.events.push(data["event"].clone());
                }
                // The socket may be closing in this moment.
                let _ = socket.emit("event_ack", &json!({ "sessionId": "s1", "seq": seq }));
            }
        }
        _ => {}
    }
    book.frames.push((name, data));
}

struct Fixture {
    session: Arc<FakeSession>,
    handle: RemoteHandle,
    wishes: mpsc::UnboundedReceiver<HostWish>,
    _folder: tempfile::TempDir,
}

impl Fixture {
    async fn start(relay: &Relay) -> Self {
        let fixture = Self::start_with(relay, Arc::default());
        assert!(fixture.handle.registered(Duration::from_secs(10)).await);
        fixture
    }

    fn start_with(relay: &Relay, session: Arc<FakeSession>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (handle, wishes) = start(session.clone(), relay.config(folder.path())).expect("started");
        Self { session, handle, wishes, _folder: folder }
    }
}

fn command(id: &str, kind: &str, body: Value) -> Value {
    json!({
        "commandId": id, "sessionId": "s1", "kind": kind, "author": { "userId": "u", "device": "phone" },
        "composedAt": null, "createdAt": 1, "deadline": null, "body": body,
    })
}

fn said(events: &[Value]) -> Vec<i64> {
    events
        .iter()
        .filter(|event| event["type"] == "message_end")
        .filter_map(|event| event["message"]["timestamp"].as_i64())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_introduces_itself_and_then_says_what_it_is() {
    let relay = Relay::start(Kind::Ours);
    let fixture = Fixture::start(&relay).await;
    let register = relay.frame("register", |_| true).await;
    assert_eq!(register["sessionId"], "s1");
    assert_eq!(register["capabilities"]["commands"], 1);
    assert!(register.get("resume").is_none() && register.get("parentSessionId").is_none());
    relay.event("thinking_level_changed").await;
    assert_eq!(
        relay.names()[..4],
        ["register", "session_active", "heartbeat", "auth_source_changed"].map(str::to_owned)
    );
    assert_eq!(fixture.handle.share_url().as_deref(), Some("http://relay/session/s1"));
    assert_eq!(fixture.handle.state().borrow().text(), "Connected to Relay");
    relay.send("probe", json!({ "nonce": "n" }));
    let reply = relay.frame("probe_reply", |_| true).await;
    assert_eq!((&reply["nonce"], &reply["modelBusy"]), (&json!("n"), &json!(false)));
    relay.send("connected", json!({ "recoveryNonce": "r" }));
    let answer = relay.frame("event", |data| data["event"]["recoveryNonce"] == "r").await;
    assert_eq!(answer["event"]["type"], "session_active");
    assert!(relay.names().contains(&"capabilities".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_while_the_relay_dies_and_comes_back() {
    let mut relay = Relay::start(Kind::Ours);
    let fixture = Fixture::start(&relay).await;
    let mut n = 0;
    for _ in 0..3 {
        for _ in 0..200 {
            n += 1;
            fixture.session.say(n);
            if n % 20 == 0 {
                tokio::task::yield_now().await;
            }
        }
        relay = relay.restart(Kind::Ours);
        for _ in 0..50 {
            n += 1;
            fixture.session.say(n);
        }
        // What happens while it is away is kept.
        let expected = n;
        relay.until("all messages", |book| (said(&book.disk.events).len() >= expected).then_some(())).await;
    }
    let book = relay.book.lock();
    assert_eq!(said(&book.disk.events), (1..=n as i64).collect::<Vec<_>>());
    let snapshots = book.disk.events.iter().filter(|event| event["type"] == "session_active").count();
    assert_eq!(snapshots, 1, "resending is enough");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_lost_its_log_gets_the_whole_conversation() {
    let relay = Relay::start(Kind::Ours);
    let fixture = Fixture::start(&relay).await;
    for n in 1..=5 {
        fixture.session.say(n);
    }
    relay.until("messages", |book| (said(&book.disk.events).len() == 5).then_some(())).await;
    let relay = relay.restart(Kind::Forgetful);
    relay.forget_frames();
    let snapshot = relay.event("session_active").await;
    assert_eq!(snapshot["state"]["messages"].as_array().map(Vec::len), Some(5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_a_run_is_followed_by_a_snapshot() {
    let relay = Relay::start(Kind::Ours);
    let fixture = Fixture::start(&relay).await;
    relay.event("heartbeat").await;
    relay.forget_frames();
    fixture.session.event(AgentEvent::AgentStart(Empty {}));
    fixture.session.say(1);
    fixture.session.event(AgentEvent::AgentEnd(pizzapi_protocol::Open::new(pizzapi_protocol::AgentEnd::default())));
    relay.event("session_active").await;
    let told: Vec<_> = relay
        .names()
        .into_iter()
        .filter(|name| name.starts_with("agent") || name.starts_with("mess") || name.starts_with("session"))
        .collect();
    assert_eq!(told, ["agent_start", "message_end", "agent_end", "session_active"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_is_written_down_before_it_is_confirmed_and_runs_once() {
    let relay = Relay::start(Kind::Ours);
    let fixture = Fixture::start(&relay).await;
    relay.send("command", command("c1", "input", json!({ "text": "hello" })));
    relay.receipt("c1", "delivered").await;
    fixture.session.report(Report::Command { id: "c1".into(), reached: Reached::CONSUMED });
    fixture.session.journal.lock().insert("c1".into(), Reached::CONSUMED);
    relay.receipt("c1", "consumed").await;

    relay.forget_frames();
    relay.send("command", command("c1", "input", json!({ "text": "hello" })));
    relay.receipt("c1", "consumed").await;
    assert_eq!(*fixture.session.prompts.lock(), ["hello"]);

    relay.send("command", command("c2", "exec", json!({ "id": "c2", "command": "get_commands" })));
    let receipt = relay.receipt("c2", "consumed").await;
    assert_eq!(receipt["result"], json!({ "commands": [] }));

    relay.send("command", command("c3", "exec", json!({ "id": "c3", "command": "nonsense" })));
    let receipt = relay.receipt("c3", "rejected").await;
    assert_eq!(receipt["message"], "Unknown exec command: nonsense");

    relay.send("command", command("c4", "interrupt", json!({})));
    relay.receipt("c4", "consumed").await;
    assert!(fixture.session.executed.lock().contains(&"abort".to_owned()));

    let mut foreign = command("c5", "input", json!({ "text": "not for you" }));
    foreign["sessionId"] = json!("s2");
    relay.send("command", foreign);
    assert_eq!(relay.receipt("c5", "rejected").await["code"], "not_found");

    relay.send("command", command("c6", "input", json!({ "text": "refuse" })));
    assert_eq!(relay.receipt("c6", "rejected").await["message"], "refused");
    relay.event("cli_error").await;

    relay.send("command", command("c7", "answer", json!({ "decisionId": "d1", "option": "allow_once" })));
    relay.receipt("c7", "consumed").await;
    assert_eq!(fixture.session.answers.lock()[0].option, "allow_once");

    relay.send("command", command("c8", "model_set", json!({ "provider": "p", "modelId": "m" })));
    relay.receipt("c8", "rejected").await;
    assert_eq!(relay.event("model_set_result").await["message"], "unknown model p/m");
    assert_eq!(*fixture.session.prompts.lock(), ["hello"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_repeated_after_a_crash_of_the_session_is_answered_and_not_run() {
    let relay = Relay::start(Kind::Ours);
    let journal = {
        let fixture = Fixture::start(&relay).await;
        relay.send("command", command("c1", "exec", json!({ "id": "c1", "command": "get_commands" })));
        relay.receipt("c1", "consumed").await;
        fixture.handle.close().await;
        fixture.session.journal.clone()
    };
    let fixture = Fixture::start_with(&relay, Arc::new(FakeSession { journal, ..FakeSession::default() }));
    assert!(fixture.handle.registered(Duration::from_secs(10)).await);
    relay.forget_frames();
    relay.send("command", command("c1", "exec", json!({ "id": "c1", "command": "get_commands" })));
    relay.receipt("c1", "consumed").await;
    assert_eq!(fixture.session.executed.lock().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_became_of_a_command_while_the_relay_was_away_is_told_when_it_is_back() {
    let relay = Relay::start(Kind::Ours);
    let fixture = Fixture::start(&relay).await;
    relay.send("command", command("c1", "input", json!({ "text": "hello" })));
    relay.receipt("c1", "delivered").await;
    let relay = relay.restart(Kind::Ours);
    relay.forget_frames();
    fixture.session.report(Report::Command { id: "c1".into(), reached: Reached::CONSUMED });
    relay.receipt("c1", "consumed").await;
    // Once something after it is stored, it is not told again.
    fixture.session.say(1);
    relay.until("the message", |book| (said(&book.disk.events) == [1]).then_some(())).await;
    // The acknowledgement was sent before this question: its answer shows that it was read.
    relay.send("probe", json!({ "nonce": "n" }));
    relay.frame("probe_reply", |_| true).await;
    let relay = relay.restart(Kind::Ours);
    relay.forget_frames();
    fixture.session.say(2);
    relay.until("the message", |book| (said(&book.disk.events) == [1, 2]).then_some(())).await;
    assert!(!relay.names().contains(&"command_receipt".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_published_relay_is_served_with_plain_events() {
    let relay = Relay::start(Kind::Published);
    let fixture = Fixture::start(&relay).await;
    let socket = relay.book.lock().socket.clone().expect("connected");
    let ask = async |text: &str, id: Option<&str>| {
        let mut input = json!({ "text": text, "client": "web" });
        if let Some(id) = id {
            input["requestId"] = json!(id);
        }
        let answer = socket.timeout(Duration::from_secs(5)).emit_with_ack::<_, bool>("input", &input).expect("sent");
        answer.await.expect("an answer")
    };
    assert!(ask("hello", Some("r1")).await);
    assert!(ask("hello", Some("r1")).await, "a repeated request is answered");
    assert!(ask("an answer", None).await);
    assert!(!ask("refuse", None).await);
    assert_eq!(*fixture.session.prompts.lock(), ["hello"]);

    for _ in 0..2 {
        relay.send("exec", json!({ "type": "exec", "id": "e1", "command": "get_commands" }));
        relay.frame("exec_result", |data| data["id"] == "e1" && data["ok"] == true).await;
    }
    assert_eq!(*fixture.session.executed.lock(), ["get_commands"], "a repeated id is not run again");
    relay.send("model_set", json!({ "provider": "p", "modelId": "m" }));
    assert_eq!(relay.event("model_set_result").await["ok"], false);
    assert!(!relay.names().iter().any(|name| name == "command_receipt" || name == "raise_decision"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decisions_are_raised_again_until_they_end() {
    let relay = Relay::start(Kind::Ours);
    let session = Arc::new(FakeSession::default());
    let decision = Decision {
        decision_id: "d1".into(),
        session_id: "".into(),
        epoch: Default::default(),
        kind: DecisionKind::Approval,
        title: "Run this?".to_owned(),
        detail: DecisionDetail { command: Some("rm -r target".to_owned()), ..DecisionDetail::default() },
        options: vec![DecisionOption {
            id: "deny".to_owned(),
            label: "Deny".to_owned(),
            description: None,
            style: None,
        }],
        default: Some("deny".to_owned()),
        deadline: None,
        created_at: 1,
    };
    session.decisions.lock().push(decision);
    let fixture = Fixture::start_with(&relay, session);
    let raised = relay.frame("raise_decision", |_| true).await;
    assert_eq!(raised["decision"]["sessionId"], "s1");
    assert_eq!(raised["decision"]["detail"]["command"], "rm -r target");
    assert_eq!(relay.event("approval_pending").await["approval"]["promptId"], "d1");

    let relay = relay.restart(Kind::Ours);
    relay.forget_frames();
    relay.frame("raise_decision", |_| true).await;
    fixture.session.report(Report::DecisionEnded { id: "d1".into(), answer: None, is_known: false });
    assert_eq!(relay.frame("withdraw_decision", |_| true).await["decisionId"], "d1");
    let answer = AnswerBody { decision_id: "d2".into(), option: "deny".to_owned(), text: None, edits: None };
    fixture.session.report(Report::DecisionEnded { id: "d2".into(), answer: Some(answer), is_known: false });
    assert_eq!(relay.frame("answer_decision", |_| true).await["option"], "deny");
    let outcome = json!({ "outcome": "expired", "option": "deny", "at": 2 });
    relay.send("decision_ended", json!({ "decisionId": "d1", "sessionId": "s1", "outcome": outcome }));
    tokio::time::timeout(Duration::from_secs(5), async {
        while !fixture.session.decisions.lock().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("the session learned of it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_words_arrive_before_the_end_is_announced() {
    let relay = Relay::start(Kind::Ours);
    let mut fixture = Fixture::start(&relay).await;
    for n in 1..=500 {
        fixture.session.say(n);
    }
    fixture.handle.end().await;
    relay.frame("session_end", |_| true).await;
    assert_eq!(said(&relay.book.lock().disk.events).len(), 500);
    assert_eq!(relay.names().last().map(String::as_str), Some("session_end"));
    assert_eq!(fixture.handle.state().borrow().text(), "Disconnected from Relay");
    assert!(fixture.wishes.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ending_and_restarting_are_answered_before_they_are_wished_for() {
    let relay = Relay::start(Kind::Ours);
    let mut fixture = Fixture::start(&relay).await;
    for (id, name, wish) in [("e1", "restart", HostWish::Restart), ("e2", "end_session", HostWish::Quit)] {
        relay.send("command", command(id, "exec", json!({ "id": id, "command": name })));
        relay.receipt(id, "consumed").await;
        let wished = tokio::time::timeout(Duration::from_secs(5), fixture.wishes.recv()).await.expect("a wish");
        assert_eq!(wished, Some(wish));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_session_comes_back_when_asked_and_an_expired_one_stays_away() {
    let relay = Relay::start(Kind::Ours);
    let fixture = Fixture::start(&relay).await;
    fixture.handle.stop().await;
    relay.frame("session_end", |_| true).await;
    assert_eq!(*fixture.handle.state().borrow(), LinkState::Stopped);
    relay.forget_frames();
    fixture.handle.reconnect().await;
    assert!(fixture.handle.registered(Duration::from_secs(10)).await);
    relay.event("session_active").await;
    relay.send("session_expired", json!({ "sessionId": "s1" }));
    let mut state = fixture.handle.state();
    let expired = state.wait_for(|state| *state == LinkState::Expired);
    tokio::time::timeout(Duration::from_secs(5), expired).await.expect("in time").expect("told");
}

fn trigger(id: &str, kind: &str, payload: Value) -> Value {
    json!({ "trigger": {
        "type": kind, "sourceSessionId": "child", "sourceSessionName": "Tests", "targetSessionId": "s1", "payload": payload,
        "deliverAs": "steer", "expectsResponse": true, "triggerId": id, "ts": "2026-01-01T00:00:00.000Z",
    } })
}

impl FakeSession {
    async fn prompted(&self, count: usize) -> Vec<String> {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        while self.prompts.lock().len() < count {
            assert!(tokio::time::Instant::now() < deadline, "waited for {count} prompts: {:?}", self.prompts.lock());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.prompts.lock().clone()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn triggers_that_come_together_are_one_message_and_repeated_ones_none() {
    let relay = Relay::start(Kind::Ours);
    let fixture = Fixture::start(&relay).await;
    let done = json!({ "summary": "all green", "exitReason": "completed", "exitCode": 0 });
    relay.send("session_trigger", trigger("t1", "session_complete", done.clone()));
    relay.send("session_trigger", trigger("t2", "session_error", json!({ "message": "quota" })));
    relay.send("session_trigger", trigger("t1", "session_complete", done));
    let prompts = fixture.session.prompted(1).await;
    assert!(prompts[0].starts_with("2 things happened:"), "{}", prompts[0]);
    relay.send("session_trigger", trigger("t2", "session_error", json!({ "message": "quota" })));
    relay.send("session_trigger", trigger("t3", "session_error", json!({ "message": "disk" })));
    let prompts = fixture.session.prompted(2).await;
    assert!(prompts[1].contains("trigger:t3") && !prompts[1].contains("trigger:t2"), "{}", prompts[1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_tells_its_parent_when_it_is_done_and_asks_it() {
    let relay = Relay::start(Kind::Ours);
    let folder = tempfile::tempdir().expect("a folder");
    let session = Arc::new(FakeSession::default());
    let config = RemoteConfig { parent_session_id: Some("parent".into()), ..relay.config(folder.path()) };
    let (handle, _wishes) = start(session.clone(), config).expect("started");
    assert!(handle.registered(Duration::from_secs(10)).await);
    assert_eq!(relay.frame("register", |_| true).await["parentSessionId"], "parent");

    session.report(Report::Settled(super::session::Outcome::Completed));
    let told = relay.frame("session_trigger", |data| data["trigger"]["type"] == "session_complete").await;
    assert_eq!(told["trigger"]["targetSessionId"], "parent");
    assert_eq!(told["trigger"]["payload"], json!({ "summary": "all done", "exitCode": 0, "exitReason": "completed" }));
    let first = told["trigger"]["triggerId"].clone();
    // Nobody acknowledged it: the same is told again.
    relay
        .until("a repetition", |book| {
            let sent = book.frames.iter().filter(|(_, data)| data["trigger"]["triggerId"] == first).count();
            (sent >= 2).then_some(())
        })
        .await;

    let question = Decision {
        decision_id: "call-1".into(),
        session_id: "".into(),
        epoch: Default::default(),
        kind: DecisionKind::Question,
        title: "Which?".to_owned(),
        detail: DecisionDetail { tool_call_id: Some("call-1".to_owned()), ..DecisionDetail::default() },
        options: Vec::new(),
        default: None,
        deadline: None,
        created_at: 1,
    };
    session.decisions.lock().push(question.clone());
    session.report(Report::Raised(question));
    let asked = relay.frame("session_trigger", |data| data["trigger"]["type"] == "ask_user_question").await;
    let id = asked["trigger"]["triggerId"].clone();
    relay.send("trigger_response", json!({ "triggerId": id, "response": "the left one" }));
    tokio::time::timeout(Duration::from_secs(5), async {
        while session.answers.lock().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("the question is answered");
    assert_eq!(session.answers.lock()[0].text.as_deref(), Some("the left one"));

    // A new conversation leaves the parent behind.
    session.report(Report::Replaced { is_new: true });
    let left = relay.frame("delink_own_parent", |_| true).await;
    assert_eq!(left["oldParentId"], "parent");
    relay.frame("delink_children", |data| data["epoch"].is_number()).await;
    let relay = relay.restart(Kind::Ours);
    relay.forget_frames();
    let register = relay.frame("register", |_| true).await;
    assert_eq!(register["parentSessionId"], Value::Null, "{register}");
    assert!(register.get("parentSessionId").is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_conversation_arrives_in_pieces_and_again_when_the_line_broke_between_them() {
    let relay = Relay::start(Kind::Ours);
    let session = Arc::new(FakeSession::default());
    let long = |n: usize| {
        Message::User(UserMessage {
            id: None,
            request_id: None,
            content: "x".repeat(40_000).into(),
            timestamp: n as i64,
        })
    };
    *session.messages.lock() = (0..200).map(long).collect();
    let fixture = Fixture::start_with(&relay, session);
    let whole = |book: &Book| {
        let pieces = book.frames.iter().filter(|(_, data)| data["event"]["type"] == "session_messages_chunk");
        let pieces: Vec<_> = pieces.map(|(_, data)| data["event"].clone()).collect();
        (pieces.last()?["final"] == true).then_some(pieces)
    };
    let pieces = relay.until("the last piece", whole).await;
    let header = relay.event("session_active").await;
    assert_eq!((&header["state"]["chunked"], &header["state"]["totalMessages"]), (&json!(true), &json!(200)));
    let messages: usize = pieces.iter().filter_map(|piece| piece["messages"].as_array()).map(Vec::len).sum();
    assert_eq!(messages, 200);
    assert!(pieces.iter().all(|piece| piece["snapshotId"] == header["state"]["snapshotId"]));

    // Nothing after the pieces was confirmed: nobody can know whether they arrived.
    let relay = relay.restart(Kind::Ours);
    relay.forget_frames();
    relay.until("the last piece again", whole).await;
    assert!(fixture.handle.registered(Duration::from_secs(10)).await);
}

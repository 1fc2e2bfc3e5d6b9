//! A server that can be killed, a proxy that can go deaf, and two small event tables.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pizzapi_protocol::events::{Ack, DecodeError, Event, EventTable, ReplyFn};
use pizzapi_socket_client::{Config, Handle, Incoming, Link, Signal};
use serde_json::Value;
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, Data, SocketRef, TryData};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

macro_rules! event {
    ($marker:ident, $namespace:literal, $name:literal, $payload:ty, $ack:ty) => {
        pub enum $marker {}
        impl Event for $marker {
            const NAMESPACE: &'static str = $namespace;
            const NAME: &'static str = $name;
            type Payload = $payload;
            type Ack = $ack;
        }
    };
}

event!(Echo, "/test", "echo", u64, u64);
event!(Flood, "/test", "flood", u64, Value);
event!(AskBack, "/test", "ask_back", u64, Value);
event!(Never, "/test", "never", u64, Value);
event!(Wrong, "/test", "wrong", u64, u64);
event!(Binary, "/test", "binary", u64, Value);
event!(Note, "/test", "note", String, Value);
event!(Kick, "/test", "kick", u64, Value);
event!(OtherEcho, "/other", "echo", u64, u64);

/// What the test server says.
#[derive(Debug)]
pub enum Said {
    Number(u64),
    Question(u64, Ack<u64>),
    Auth(Value),
    Text(String),
}

fn read<T: serde::de::DeserializeOwned>(event: &'static str, payload: Option<&str>) -> Result<T, DecodeError> {
    serde_json::from_str(payload.unwrap_or("null")).map_err(|error| DecodeError { event, message: error.to_string() })
}

impl EventTable for Said {
    const NAMESPACE: &'static str = "/test";
    const NAMES: &'static [&'static str] = &["number", "question", "auth", "text"];

    fn decode(name: &str, payload: Option<&str>, reply: Option<ReplyFn>) -> Result<Option<Self>, DecodeError> {
        Ok(Some(match name {
            "number" => Self::Number(read("number", payload)?),
            "question" => Self::Question(read("question", payload)?, Ack::new(reply)),
            "auth" => Self::Auth(read("auth", payload)?),
            "text" => Self::Text(read("text", payload)?),
            _ => return Ok(None),
        }))
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Number(_) => "number",
            Self::Question(..) => "question",
            Self::Auth(_) => "auth",
            Self::Text(_) => "text",
        }
    }
}

/// The other namespace says only numbers.
#[derive(Debug)]
pub struct Other(pub u64);

impl EventTable for Other {
    const NAMESPACE: &'static str = "/other";
    const NAMES: &'static [&'static str] = &["number"];

    fn decode(name: &str, payload: Option<&str>, _: Option<ReplyFn>) -> Result<Option<Self>, DecodeError> {
        if name != "number" {
            return Ok(None);
        }
        read("number", payload).map(Self).map(Some)
    }

    fn name(&self) -> &'static str {
        "number"
    }
}

#[derive(Clone, Copy)]
pub struct Timing {
    pub ping_interval: Duration,
    pub ping_timeout: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self { ping_interval: Duration::from_secs(25), ping_timeout: Duration::from_secs(20) }
    }
}

/// A socketioxide server in a runtime of its own, so that dropping it closes every socket at once, as a kill would.
pub struct Server {
    runtime: Option<tokio::runtime::Runtime>,
    pub address: SocketAddr,
}

/// A port that nobody listens on.
pub fn free_port() -> SocketAddr {
    StdListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

impl Server {
    pub fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), Timing::default())
    }

    pub fn start_at(address: SocketAddr, timing: Timing) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let socket = listen(address);
        let address = socket.local_addr().unwrap();
        runtime.spawn(async move {
            let (layer, io) = SocketIo::builder()
                .ping_interval(timing.ping_interval)
                .ping_timeout(timing.ping_timeout)
                .max_payload(100 << 20)
                .ws_max_frame_size(100 << 20)
                .ws_max_message_size(100 << 20)
                .max_buffer_size(65_536)
                .build_layer();
            io.ns("/test", test_namespace);
            io.ns("/other", other_namespace);
            let app = axum::Router::new().layer(layer);
            axum::serve(TcpListener::from_std(socket).unwrap(), app).await.unwrap();
        });
        Self { runtime: Some(runtime), address }
    }

    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Close everything at once.
    pub fn kill(mut self) -> SocketAddr {
        self.runtime.take().unwrap().shutdown_background();
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn listen(address: SocketAddr) -> StdListener {
    // A port that was just closed by a killed server may need a moment.
    for _ in 0..200 {
        match StdListener::bind(address) {
            Ok(listener) => {
                listener.set_nonblocking(true).unwrap();
                return listener;
            }
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => std::thread::sleep(Duration::from_millis(10)),
            Err(error) => panic!("cannot listen on {address}: {error}"),
        }
    }
    panic!("{address} stays in use")
}

async fn other_namespace(socket: SocketRef) {
    socket.on("echo", async |Data(n): Data<u64>, ack: AckSender| ack.send(&(n + 1000)).unwrap());
    socket.emit("number", &7u64).unwrap();
}

async fn test_namespace(socket: SocketRef, TryData(auth): TryData<Value>) {
    let auth = auth.unwrap_or(Value::Null);
    socket.on("echo", async |Data(n): Data<u64>, ack: AckSender| ack.send(&n).unwrap());
    socket.on("never", async |Data(_n): Data<u64>| {});
    socket.on("wrong", async |Data(_n): Data<u64>, ack: AckSender| ack.send("not a number").unwrap());
    socket.on("note", async |s: SocketRef, Data(text): Data<String>| s.emit("text", &text).unwrap());
    socket.on("kick", async |s: SocketRef, Data(_n): Data<u64>| s.disconnect().unwrap());
    socket.on("flood", async |s: SocketRef, Data(count): Data<u64>| {
        for n in 0..count {
            while s.emit("number", &n).is_err() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    });
    socket.on("ask_back", async |s: SocketRef, Data(count): Data<u64>| {
        for n in 0..count {
            let answer = s.timeout(Duration::from_secs(10)).emit_with_ack::<_, u64>("question", &n).unwrap();
            let s = s.clone();
            tokio::spawn(async move { s.emit("number", &answer.await.unwrap()).unwrap() });
        }
    });
    socket.on("binary", async |s: SocketRef, Data(n): Data<u64>| {
        s.emit("blob", &(bytes::Bytes::from_static(b"\x00\x01"), bytes::Bytes::from_static(b"\x02"))).unwrap();
        s.emit("number", &n).unwrap();
    });
    socket.emit("auth", &auth).unwrap();
}

/// Forwards TCP to a server until told to go deaf: then both sides stay open and hear nothing.
pub struct Proxy {
    pub address: SocketAddr,
    deaf: Arc<AtomicBool>,
    changed: watch::Sender<()>,
}

impl Proxy {
    pub async fn start(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let deaf = Arc::new(AtomicBool::new(false));
        let changed = watch::Sender::new(());
        let (deafness, changes) = (deaf.clone(), changed.subscribe());
        tokio::spawn(async move {
            // Callers of a deaf line are accepted and never answered.
            let mut kept = Vec::new();
            while let Ok((mut client, _)) = listener.accept().await {
                if deafness.load(Ordering::SeqCst) {
                    kept.push(client);
                    continue;
                }
                let mut changes = changes.clone();
                let mut server = TcpStream::connect(to).await.unwrap();
                let deafness = deafness.clone();
                tokio::spawn(async move {
                    tokio::select! {
                        _ = copy_bidirectional(&mut client, &mut server) => {}
                        () = async { while !deafness.load(Ordering::SeqCst) { changes.changed().await.unwrap(); } } => {
                            std::future::pending::<()>().await;
                        }
                    }
                });
            }
        });
        Self { address, deaf, changed }
    }

    pub fn go_deaf(&self, deaf: bool) {
        self.deaf.store(deaf, Ordering::SeqCst);
        self.changed.send_replace(());
    }
}

/// Quick to retry, so that tests are quick.
pub fn quick(url: impl Into<String>) -> Config {
    let mut config = Config::new(url);
    config.backoff.first = Duration::from_millis(20);
    config.backoff.max = Duration::from_millis(100);
    config
}

pub async fn next(incoming: &mut Incoming<Said>) -> Signal<Said> {
    tokio::time::timeout(Duration::from_secs(20), incoming.recv())
        .await
        .expect("a signal within 20 s")
        .expect("the client is open")
}

/// Wait for `Connected` and the greeting with our auth object.
pub async fn connected(incoming: &mut Incoming<Said>) -> (Link, Value) {
    let link = loop {
        match next(incoming).await {
            Signal::Connected { link, .. } => break link,
            Signal::Rejected { .. } | Signal::Disconnected { .. } => {}
            Signal::Event(event) => panic!("an event before Connected: {event:?}"),
        }
    };
    match next(incoming).await {
        Signal::Event(Said::Auth(auth)) => (link, auth),
        other => panic!("expected the greeting, got {other:?}"),
    }
}

pub async fn disconnected(incoming: &mut Incoming<Said>) -> pizzapi_socket_client::Reason {
    loop {
        if let Signal::Disconnected { reason } = next(incoming).await {
            return reason;
        }
    }
}

/// Wait until nothing is awaited any more.
pub fn assert_no_acks_left(handle: &Handle) {
    assert_eq!(handle.pending_acks(), 0);
}

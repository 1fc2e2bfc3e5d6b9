//! A scripted model: a real HTTP server that streams what a test tells it to, in the wire formats of three provider families.
//!
//! A script is a queue of [`Reply`]s; each request takes the next one. When the queue is empty the server answers with a short sentence that
//! says so, so that a forgotten reply shows up in a transcript instead of hanging a test. Everything can also be driven over HTTP by
//! programs that are not written in Rust, see [`Control`].

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

/// Characters per streamed piece; small enough that every reader must put pieces together.
const PIECE: usize = 9;

/// One step of an answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    Thinking(String),
    Text(String),
    /// A call of a tool; its arguments arrive in pieces.
    Tool {
        name: String,
        args: Value,
    },
    /// Hold the stream open until the gate of this name is opened.
    Wait(String),
    /// Milliseconds between pieces from here on.
    Pace(u64),
    /// Close the connection in the middle.
    Cut,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Tokens {
    pub input: u64,
    pub output: u64,
}

impl Default for Tokens {
    fn default() -> Self {
        Self { input: 120, output: 40 }
    }
}

/// What one request gets.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Reply {
    /// Set: no stream, but this status with `body` as the error text.
    pub status: Option<u16>,
    /// Seconds, as the header says it.
    pub retry_after: Option<u64>,
    pub body: Option<String>,
    pub steps: Vec<Step>,
    pub usage: Tokens,
}

impl Reply {
    pub fn text(text: impl Into<String>) -> Self {
        Self::steps([Step::Text(text.into())])
    }

    pub fn steps(steps: impl IntoIterator<Item = Step>) -> Self {
        Self { steps: steps.into_iter().collect(), ..Self::default() }
    }

    pub fn tool(name: &str, args: Value) -> Self {
        Self::steps([Step::Tool { name: name.to_owned(), args }])
    }

    pub fn failure(status: u16, body: &str) -> Self {
        Self { status: Some(status), body: Some(body.to_owned()), ..Self::default() }
    }
}

/// A request as it arrived.
#[derive(Debug, Clone, Serialize)]
pub struct Received {
    pub path: String,
    pub headers: HashMap<String, String>,
    pub body: Value,
}

#[derive(Default)]
struct Script {
    replies: VecDeque<Reply>,
    received: Vec<Received>,
    gates: HashMap<String, watch::Sender<bool>>,
    calls: u64,
}

/// The server; it stops when the last clone is dropped.
#[derive(Clone)]
pub struct ScriptedModel {
    address: SocketAddr,
    script: Arc<Mutex<Script>>,
    _stop: Arc<tokio::sync::oneshot::Sender<()>>,
}

/// What programs send to `POST /_script`: the replies to add.
#[derive(Debug, Serialize, Deserialize)]
pub struct Control {
    pub replies: Vec<Reply>,
}

impl ScriptedModel {
    /// Listen on a free port of the loopback interface.
    pub async fn start() -> std::io::Result<Self> {
        Self::listen(0).await
    }

    pub async fn listen(port: u16) -> std::io::Result<Self> {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
        let address = listener.local_addr()?;
        let script = Arc::<Mutex<Script>>::default();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let router = Router::new()
            .route("/v1/messages", post(anthropic))
            .route("/v1/chat/completions", post(completions))
            .route("/v1/responses", post(responses))
            .route("/v1/models", get(models))
            .route("/api/tags", get(tags))
            .route("/_script", post(control))
            .route("/_gate/{name}", post(open_gate))
            .route("/_requests", get(requests))
            .with_state(script.clone());
        tokio::spawn(async move {
            let serve = axum::serve(listener, router).with_graceful_shutdown(async move {
                let _dropped = stopped.await;
            });
            let _ended = serve.await;
        });
        Ok(Self { address, script, _stop: Arc::new(stop) })
    }

    /// Base address, without a path.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn push(&self, reply: Reply) -> &Self {
        self.script.lock().replies.push_back(reply);
        self
    }

    /// Let everything that waits at this gate, now or later, go on.
    pub fn open(&self, gate: &str) {
        self.script.lock().gate(gate).send_replace(true);
    }

    pub fn received(&self) -> Vec<Received> {
        self.script.lock().received.clone()
    }

    /// Replies nobody asked for yet.
    pub fn left(&self) -> usize {
        self.script.lock().replies.len()
    }
}

impl Script {
    fn gate(&mut self, name: &str) -> &watch::Sender<bool> {
        self.gates.entry(name.to_owned()).or_insert_with(|| watch::Sender::new(false))
    }
}

type Shared = State<Arc<Mutex<Script>>>;

async fn control(State(script): Shared, Json(control): Json<Control>) -> StatusCode {
    script.lock().replies.extend(control.replies);
    StatusCode::NO_CONTENT
}

async fn open_gate(State(script): Shared, Path(name): Path<String>) -> StatusCode {
    script.lock().gate(&name).send_replace(true);
    StatusCode::NO_CONTENT
}

async fn requests(State(script): Shared) -> Json<Vec<Received>> {
    Json(script.lock().received.clone())
}

async fn models() -> Json<Value> {
    Json(json!({ "object": "list", "data": [{ "id": "scripted", "object": "model", "owned_by": "tests" }] }))
}

async fn tags() -> Json<Value> {
    Json(
        json!({ "models": [{ "name": "scripted:latest", "model": "scripted:latest", "details": { "family": "scripted" } }] }),
    )
}

async fn anthropic(State(script): Shared, headers: HeaderMap, body: Bytes) -> Response {
    answer(&script, "/v1/messages", &headers, &body, Box::new(Anthropic::default()))
}

async fn completions(State(script): Shared, headers: HeaderMap, body: Bytes) -> Response {
    answer(&script, "/v1/chat/completions", &headers, &body, Box::new(Completions::default()))
}

async fn responses(State(script): Shared, headers: HeaderMap, body: Bytes) -> Response {
    answer(&script, "/v1/responses", &headers, &body, Box::new(Responses::default()))
}

/// The words of one provider family.
trait Dialect: Send {
    fn start(&mut self, usage: Tokens) -> Vec<String>;
    fn thinking(&mut self, pieces: Vec<String>) -> Vec<String>;
    fn text(&mut self, pieces: Vec<String>) -> Vec<String>;
    fn tool(&mut self, id: &str, name: &str, pieces: Vec<String>) -> Vec<String>;
    fn end(&mut self, usage: Tokens, called: bool) -> Vec<String>;
    fn error(&self, status: u16, text: &str) -> Value;
}

fn answer(
    script: &Arc<Mutex<Script>>,
    path: &str,
    headers: &HeaderMap,
    body: &[u8],
    mut dialect: Box<dyn Dialect>,
) -> Response {
    let body: Value = match serde_json::from_slice(body) {
        Ok(body) => body,
        Err(error) => return (StatusCode::BAD_REQUEST, Json(dialect.error(400, &error.to_string()))).into_response(),
    };
    let headers = headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let reply = {
        let mut script = script.lock();
        script.received.push(Received { path: path.to_owned(), headers, body });
        script.replies.pop_front().unwrap_or_else(|| Reply::text("The script has no further reply."))
    };
    if let Some(status) = reply.status {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let error = dialect.error(status.as_u16(), reply.body.as_deref().unwrap_or("scripted failure"));
        let mut response = (status, Json(error)).into_response();
        if let Some(seconds) = reply.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        return response;
    }
    let (sender, mut receiver) = mpsc::channel::<Result<String, std::io::Error>>(1);
    let script = script.clone();
    tokio::spawn(async move {
        let _reader_left = play(script, reply, dialect.as_mut(), &sender).await;
    });
    let stream = async_stream::stream! {
        while let Some(piece) = receiver.recv().await {
            yield piece;
        }
    };
    Response::builder()
        .header(header::CONTENT_TYPE, "text/event-stream")
        .header(header::CACHE_CONTROL, "no-cache")
        .body(Body::from_stream(stream))
        .expect("constant headers are valid")
}

async fn play(
    script: Arc<Mutex<Script>>,
    reply: Reply,
    dialect: &mut dyn Dialect,
    out: &mpsc::Sender<Result<String, std::io::Error>>,
) -> Result<(), mpsc::error::SendError<Result<String, std::io::Error>>> {
    let mut pace = None;
    let mut called = false;
    for frame in dialect.start(reply.usage) {
        out.send(Ok(frame)).await?;
    }
    for step in reply.steps {
        let frames = match step {
            Step::Thinking(text) => dialect.thinking(pieces(&text)),
            Step::Text(text) => dialect.text(pieces(&text)),
            Step::Tool { name, args } => {
                called = true;
                let id = {
                    let mut script = script.lock();
                    script.calls += 1;
                    format!("call_{:04}", script.calls)
                };
                dialect.tool(&id, &name, pieces(&args.to_string()))
            }
            Step::Wait(gate) => {
                let mut opened = script.lock().gate(&gate).subscribe();
                let _script_dropped = opened.wait_for(|open| *open).await;
                continue;
            }
            Step::Pace(milliseconds) => {
                pace = Some(Duration::from_millis(milliseconds));
                continue;
            }
            Step::Cut => {
                out.send(Err(std::io::Error::other("cut by the script"))).await?;
                return Ok(());
            }
        };
        for frame in frames {
            if let Some(pace) = pace {
                tokio::time::sleep(pace).await;
            }
            out.send(Ok(frame)).await?;
        }
    }
    for frame in dialect.end(reply.usage, called) {
        out.send(Ok(frame)).await?;
    }
    Ok(())
}

fn pieces(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(PIECE).map(|piece| piece.iter().collect()).collect()
}

fn named(event: &str, data: &Value) -> String {
    format!("event: {event}\ndata: {data}\n\n")
}

fn bare(data: &Value) -> String {
    format!("data: {data}\n\n")
}

#[derive(Default)]
struct Anthropic {
    index: usize,
}

impl Anthropic {
    fn block(&mut self, start: Value, deltas: impl Iterator<Item = Value>) -> Vec<String> {
        let index = self.index;
        self.index += 1;
        let mut frames = vec![named(
            "content_block_start",
            &json!({ "type": "content_block_start", "index": index, "content_block": start }),
        )];
        frames.extend(deltas.map(|delta| {
            named("content_block_delta", &json!({ "type": "content_block_delta", "index": index, "delta": delta }))
        }));
        frames.push(named("content_block_stop", &json!({ "type": "content_block_stop", "index": index })));
        frames
    }
}

impl Dialect for Anthropic {
    fn start(&mut self, usage: Tokens) -> Vec<String> {
        let message = json!({
            "id": "msg_scripted", "type": "message", "role": "assistant", "model": "scripted", "content": [], "stop_reason": null,
            "stop_sequence": null,
            "usage": { "input_tokens": usage.input, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 1 },
        });
        vec![
            named("message_start", &json!({ "type": "message_start", "message": message })),
            named("ping", &json!({ "type": "ping" })),
        ]
    }

    fn thinking(&mut self, pieces: Vec<String>) -> Vec<String> {
        let deltas = pieces.into_iter().map(|piece| json!({ "type": "thinking_delta", "thinking": piece }));
        let signature = std::iter::once(json!({ "type": "signature_delta", "signature": "c2NyaXB0ZWQ=" }));
        self.block(json!({ "type": "thinking", "thinking": "", "signature": "" }), deltas.chain(signature))
    }

    fn text(&mut self, pieces: Vec<String>) -> Vec<String> {
        let deltas = pieces.into_iter().map(|piece| json!({ "type": "text_delta", "text": piece }));
        self.block(json!({ "type": "text", "text": "" }), deltas)
    }

    fn tool(&mut self, id: &str, name: &str, pieces: Vec<String>) -> Vec<String> {
        let deltas = pieces.into_iter().map(|piece| json!({ "type": "input_json_delta", "partial_json": piece }));
        self.block(json!({ "type": "tool_use", "id": id, "name": name, "input": {} }), deltas)
    }

    fn end(&mut self, usage: Tokens, called: bool) -> Vec<String> {
        let reason = if called { "tool_use" } else { "end_turn" };
        vec![
            named(
                "message_delta",
                &json!({
                    "type": "message_delta", "delta": { "stop_reason": reason, "stop_sequence": null },
                    "usage": { "output_tokens": usage.output },
                }),
            ),
            named("message_stop", &json!({ "type": "message_stop" })),
        ]
    }

    fn error(&self, status: u16, text: &str) -> Value {
        let kind = match status {
            401 => "authentication_error",
            404 => "not_found_error",
            429 => "rate_limit_error",
            529 => "overloaded_error",
            500.. => "api_error",
            _ => "invalid_request_error",
        };
        json!({ "type": "error", "error": { "type": kind, "message": text } })
    }
}

#[derive(Default)]
struct Completions {
    tools: usize,
}

impl Completions {
    fn chunk(delta: &Value, finish: Option<&str>) -> String {
        bare(&json!({
            "id": "chatcmpl-scripted", "object": "chat.completion.chunk", "created": 1, "model": "scripted",
            "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }],
        }))
    }
}

impl Dialect for Completions {
    fn start(&mut self, _usage: Tokens) -> Vec<String> {
        vec![Self::chunk(&json!({ "role": "assistant", "content": "" }), None)]
    }

    fn thinking(&mut self, pieces: Vec<String>) -> Vec<String> {
        pieces.into_iter().map(|piece| Self::chunk(&json!({ "reasoning_content": piece }), None)).collect()
    }

    fn text(&mut self, pieces: Vec<String>) -> Vec<String> {
        pieces.into_iter().map(|piece| Self::chunk(&json!({ "content": piece }), None)).collect()
    }

    fn tool(&mut self, id: &str, name: &str, pieces: Vec<String>) -> Vec<String> {
        let index = self.tools;
        self.tools += 1;
        let call =
            json!({ "index": index, "id": id, "type": "function", "function": { "name": name, "arguments": "" } });
        let mut frames = vec![Self::chunk(&json!({ "tool_calls": [call] }), None)];
        frames.extend(pieces.into_iter().map(|piece| {
            Self::chunk(&json!({ "tool_calls": [{ "index": index, "function": { "arguments": piece } }] }), None)
        }));
        frames
    }

    fn end(&mut self, usage: Tokens, called: bool) -> Vec<String> {
        let usage = json!({
            "id": "chatcmpl-scripted", "object": "chat.completion.chunk", "created": 1, "model": "scripted", "choices": [],
            "usage": {
                "prompt_tokens": usage.input, "completion_tokens": usage.output, "total_tokens": usage.input + usage.output,
                "prompt_tokens_details": { "cached_tokens": 0 },
            },
        });
        vec![
            Self::chunk(&json!({}), Some(if called { "tool_calls" } else { "stop" })),
            bare(&usage),
            "data: [DONE]\n\n".to_owned(),
        ]
    }

    fn error(&self, status: u16, text: &str) -> Value {
        let code = if status == 429 { "rate_limit_exceeded" } else { "scripted" };
        json!({ "error": { "message": text, "type": "scripted_error", "code": code } })
    }
}

#[derive(Default)]
struct Responses {
    items: Vec<Value>,
    sequence: u64,
}

impl Responses {
    fn event(&mut self, kind: &str, mut data: Value) -> String {
        data["type"] = kind.into();
        data["sequence_number"] = self.sequence.into();
        self.sequence += 1;
        named(kind, &data)
    }

    fn index(&self) -> usize {
        self.items.len()
    }
}

impl Dialect for Responses {
    fn start(&mut self, _usage: Tokens) -> Vec<String> {
        let response = json!({ "id": "resp_scripted", "object": "response", "status": "in_progress", "model": "scripted", "output": [] });
        vec![
            self.event("response.created", json!({ "response": response.clone() })),
            self.event("response.in_progress", json!({ "response": response })),
        ]
    }

    fn thinking(&mut self, pieces: Vec<String>) -> Vec<String> {
        let index = self.index();
        let id = format!("rs_{index}");
        let whole: String = pieces.concat();
        let empty = json!({ "id": id, "type": "reasoning", "summary": [] });
        let part = json!({ "type": "summary_text", "text": "" });
        let done = json!({ "id": id, "type": "reasoning", "summary": [{ "type": "summary_text", "text": whole }], "encrypted_content": "c2NyaXB0ZWQ=" });
        let mut frames = vec![
            self.event("response.output_item.added", json!({ "output_index": index, "item": empty })),
            self.event(
                "response.reasoning_summary_part.added",
                json!({ "output_index": index, "item_id": id, "summary_index": 0, "part": part }),
            ),
        ];
        for piece in pieces {
            let delta = json!({ "output_index": index, "item_id": id, "summary_index": 0, "delta": piece });
            frames.push(self.event("response.reasoning_summary_text.delta", delta));
        }
        frames.push(self.event(
            "response.reasoning_summary_text.done",
            json!({ "output_index": index, "item_id": id, "summary_index": 0, "text": whole }),
        ));
        frames.push(self.event("response.output_item.done", json!({ "output_index": index, "item": done.clone() })));
        self.items.push(done);
        frames
    }

    fn text(&mut self, pieces: Vec<String>) -> Vec<String> {
        let index = self.index();
        let id = format!("msg_{index}");
        let whole: String = pieces.concat();
        let item = |status: &str, content: Value| json!({ "id": id, "type": "message", "role": "assistant", "status": status, "content": content });
        let part = |text: &str| json!({ "type": "output_text", "text": text, "annotations": [] });
        let at = json!({ "output_index": index, "item_id": id, "content_index": 0 });
        let with = |name: &str, value: Value| {
            let mut data = at.clone();
            data[name] = value;
            data
        };
        let mut frames = vec![
            self.event(
                "response.output_item.added",
                json!({ "output_index": index, "item": item("in_progress", json!([])) }),
            ),
            self.event("response.content_part.added", with("part", part(""))),
        ];
        for piece in pieces {
            frames.push(self.event("response.output_text.delta", with("delta", piece.into())));
        }
        frames.push(self.event("response.output_text.done", with("text", whole.clone().into())));
        frames.push(self.event("response.content_part.done", with("part", part(&whole))));
        let done = item("completed", json!([part(&whole)]));
        frames.push(self.event("response.output_item.done", json!({ "output_index": index, "item": done.clone() })));
        self.items.push(done);
        frames
    }

    fn tool(&mut self, id: &str, name: &str, pieces: Vec<String>) -> Vec<String> {
        let index = self.index();
        let item_id = format!("fc_{index}");
        let whole: String = pieces.concat();
        let item = |status: &str, arguments: &str| json!({ "id": item_id, "type": "function_call", "status": status, "call_id": id, "name": name, "arguments": arguments });
        let mut frames =
            vec![self.event(
                "response.output_item.added",
                json!({ "output_index": index, "item": item("in_progress", "") }),
            )];
        for piece in pieces {
            let delta = json!({ "output_index": index, "item_id": item_id, "delta": piece });
            frames.push(self.event("response.function_call_arguments.delta", delta));
        }
        frames.push(self.event(
            "response.function_call_arguments.done",
            json!({ "output_index": index, "item_id": item_id, "arguments": whole }),
        ));
        let done = item("completed", &whole);
        frames.push(self.event("response.output_item.done", json!({ "output_index": index, "item": done.clone() })));
        self.items.push(done);
        frames
    }

    fn end(&mut self, usage: Tokens, _called: bool) -> Vec<String> {
        let response = json!({
            "id": "resp_scripted", "object": "response", "status": "completed", "model": "scripted", "output": self.items,
            "usage": {
                "input_tokens": usage.input, "input_tokens_details": { "cached_tokens": 0 }, "output_tokens": usage.output,
                "output_tokens_details": { "reasoning_tokens": 0 }, "total_tokens": usage.input + usage.output,
            },
        });
        vec![self.event("response.completed", json!({ "response": response }))]
    }

    fn error(&self, status: u16, text: &str) -> Value {
        let code = if status == 429 { "rate_limit_exceeded" } else { "scripted" };
        json!({ "error": { "message": text, "type": "scripted_error", "code": code } })
    }
}

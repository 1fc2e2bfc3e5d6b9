//! Ollama's own chat format. Its OpenAI imitation cannot set the length of the context, and the default would silently cut the
//! beginning of every conversation with tools.

use futures_util::StreamExt as _;
use pizzapi_protocol::{ContentBlock, Message, MessageContent, StopReason, Usage};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::anthropic::image_source;
use super::{Finish, Piece, ProviderError, Request, Sink, arguments_value, post, sse};
use crate::model::ThinkingLevel;

/// Context a local model is run with at most: memory grows with it. Units: tokens.
pub const MAX_LOCAL_CONTEXT: u64 = 32_768;
/// How long the model stays in memory between requests.
const KEEP_ALIVE: &str = "30m";
/// Longest line of an answer. Units: bytes.
const MAX_LINE_BYTES: usize = 16 * 1024 * 1024;

pub(super) async fn stream(client: &reqwest::Client, request: &Request, sink: &Sink) -> Result<Finish, ProviderError> {
    let base = request.model.base_url.trim_end_matches('/').trim_end_matches("/v1");
    let mut builder = client.post(format!("{base}/api/chat"));
    if let Some(secret) = &request.credential.secret {
        builder = builder.bearer_auth(secret);
    }
    for (name, value) in &request.model.headers {
        builder = builder.header(name, value);
    }
    let response = post(builder, &body(request), request.idle_timeout).await?;
    Reader::new(sink).read(response, request).await
}

/// The request's JSON.
pub(crate) fn body(request: &Request) -> Value {
    let mut body = Map::new();
    body.insert("model".into(), json!(request.model.id));
    body.insert("messages".into(), Value::Array(messages(request)));
    body.insert("stream".into(), json!(true));
    body.insert("keep_alive".into(), json!(KEEP_ALIVE));
    if !request.tools.is_empty() {
        let tools: Vec<Value> = request
            .tools
            .iter()
            .map(|tool| {
                json!({
                    "type": "function",
                    "function": { "name": tool.name, "description": tool.description, "parameters": tool.parameters }
                })
            })
            .collect();
        body.insert("tools".into(), Value::Array(tools));
    }
    if request.model.reasoning {
        let think = match request.thinking {
            ThinkingLevel::Off => json!(false),
            // Models that take words say so in their map; the others only know on and off.
            level => match request.model.thinking.levels.get(level.as_str()) {
                Some(Some(word)) => json!(word),
                _ => json!(true),
            },
        };
        body.insert("think".into(), think);
    }
    body.insert(
        "options".into(),
        json!({ "num_ctx": request.model.context_window, "num_predict": request.max_tokens }),
    );
    Value::Object(body)
}

fn messages(request: &Request) -> Vec<Value> {
    let mut out = Vec::new();
    if !request.system.is_empty() {
        out.push(json!({ "role": "system", "content": request.system }));
    }
    for message in &request.messages {
        match message {
            Message::User(user) => {
                let images = match &user.content {
                    MessageContent::Blocks(blocks) => images(blocks),
                    MessageContent::Text(_) => Vec::new(),
                };
                out.push(with_images(json!({ "role": "user", "content": user.content.text() }), images));
            }
            Message::Assistant(assistant) => {
                let mut value = json!({ "role": "assistant", "content": message.text() });
                let thinking: Vec<&str> = assistant
                    .content
                    .iter()
                    .filter_map(|block| match block {
                        ContentBlock::Thinking(thinking) => Some(thinking.thinking.as_str()),
                        _ => None,
                    })
                    .collect();
                if !thinking.is_empty() {
                    value["thinking"] = json!(thinking.join("\n"));
                }
                let calls: Vec<Value> = assistant
                    .content
                    .iter()
                    .filter_map(|block| match block {
                        ContentBlock::ToolCall(call) => Some(json!({
                            "function": { "name": call.name, "arguments": arguments_value(&call.arguments) }
                        })),
                        _ => None,
                    })
                    .collect();
                if !calls.is_empty() {
                    value["tool_calls"] = Value::Array(calls);
                }
                out.push(value);
            }
            Message::ToolResult(result) => {
                let value = json!({ "role": "tool", "tool_name": result.tool_name, "content": message.text() });
                out.push(with_images(value, images(&result.content)));
            }
            _ => {}
        }
    }
    out
}

fn images(blocks: &[ContentBlock]) -> Vec<Value> {
    blocks
        .iter()
        .filter_map(|block| match block {
            ContentBlock::Image(image) => image_source(image).map(|(_, data)| json!(data)),
            _ => None,
        })
        .collect()
}

fn with_images(mut message: Value, images: Vec<Value>) -> Value {
    if !images.is_empty() {
        message["images"] = Value::Array(images);
    }
    message
}

#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    message: Option<Part>,
    #[serde(default)]
    done: bool,
    #[serde(default)]
    done_reason: Option<String>,
    #[serde(default)]
    prompt_eval_count: Option<u64>,
    #[serde(default)]
    eval_count: Option<u64>,
    #[serde(default)]
    error: Option<String>,
}

#[derive(Deserialize, Default)]
struct Part {
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    thinking: Option<String>,
    #[serde(default)]
    tool_calls: Option<Vec<Called>>,
}

#[derive(Deserialize)]
struct Called {
    function: Function,
}

#[derive(Deserialize)]
struct Function {
    name: String,
    #[serde(default)]
    arguments: Value,
}

#[derive(PartialEq, Clone, Copy)]
enum Open {
    Text(usize),
    Thinking(usize),
}

struct Reader<'a> {
    sink: &'a Sink,
    blocks: usize,
    open: Option<Open>,
    started: bool,
}

impl<'a> Reader<'a> {
    fn new(sink: &'a Sink) -> Self {
        Self { sink, blocks: 0, open: None, started: false }
    }

    async fn read(mut self, response: reqwest::Response, request: &Request) -> Result<Finish, ProviderError> {
        let mut stream = response.bytes_stream();
        let mut buffer: Vec<u8> = Vec::new();
        loop {
            let next = match request.idle_timeout {
                Some(limit) => {
                    tokio::time::timeout(limit, stream.next()).await.map_err(|_| ProviderError::idle(limit))?
                }
                None => stream.next().await,
            };
            self.sink.heard();
            let ended = next.is_none();
            if let Some(chunk) = next {
                buffer.extend_from_slice(&chunk.map_err(|error| ProviderError::connection(&error))?);
            }
            while let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = buffer.drain(..=end).collect();
                if let Some(finish) = self.line(&line).await? {
                    return Ok(finish);
                }
            }
            if buffer.len() > MAX_LINE_BYTES {
                return Err(ProviderError::unreadable("a line of the answer is too long"));
            }
            if ended {
                // The last line may come without its end.
                return self.line(&buffer).await?.ok_or_else(ProviderError::cut);
            }
        }
    }

    async fn line(&mut self, line: &[u8]) -> Result<Option<Finish>, ProviderError> {
        let text = String::from_utf8_lossy(line);
        if text.trim().is_empty() {
            return Ok(None);
        }
        let line: Line = sse::parse(text.trim())?;
        if let Some(error) = line.error {
            return Err(ProviderError::reported(None, &error));
        }
        if !self.started {
            self.started = true;
            self.sink.put(Piece::Start { response_id: None, response_model: line.model }).await;
        }
        let part = line.message.unwrap_or_default();
        if let Some(text) = part.thinking.filter(|text| !text.is_empty()) {
            let index = self.thinking_block().await;
            self.sink.put(Piece::ThinkingDelta { index, delta: text }).await;
        }
        if let Some(text) = part.content.filter(|text| !text.is_empty()) {
            let index = self.text_block().await;
            self.sink.put(Piece::TextDelta { index, delta: text }).await;
        }
        for call in part.tool_calls.into_iter().flatten() {
            self.close().await;
            let index = self.next_block();
            let id = format!("call_{}", uuid::Uuid::new_v4().simple());
            let arguments = match call.function.arguments {
                Value::String(text) => text,
                Value::Null => "{}".to_owned(),
                value => value.to_string(),
            };
            self.sink.put(Piece::ToolStart { index, id, name: call.function.name }).await;
            self.sink.put(Piece::ToolDelta { index, delta: arguments }).await;
            self.sink.put(Piece::ToolEnd { index, arguments: None, thought_signature: None }).await;
        }
        if !line.done {
            return Ok(None);
        }
        self.close().await;
        let (input, output) = (line.prompt_eval_count.unwrap_or(0), line.eval_count.unwrap_or(0));
        let usage = Usage { input, output, total_tokens: input + output, ..Usage::default() };
        self.sink.put(Piece::Usage(usage)).await;
        let reason = if line.done_reason.as_deref() == Some("length") { StopReason::Length } else { StopReason::Stop };
        Ok(Some(Finish { reason, raw: line.done_reason, error: None }))
    }

    async fn text_block(&mut self) -> usize {
        if let Some(Open::Text(index)) = self.open {
            return index;
        }
        self.close().await;
        let index = self.next_block();
        self.sink.put(Piece::TextStart { index }).await;
        self.open = Some(Open::Text(index));
        index
    }

    async fn thinking_block(&mut self) -> usize {
        if let Some(Open::Thinking(index)) = self.open {
            return index;
        }
        self.close().await;
        let index = self.next_block();
        self.sink.put(Piece::ThinkingStart { index }).await;
        self.open = Some(Open::Thinking(index));
        index
    }

    fn next_block(&mut self) -> usize {
        self.blocks += 1;
        self.blocks - 1
    }

    async fn close(&mut self) {
        match self.open.take() {
            Some(Open::Text(index)) => self.sink.put(Piece::TextEnd { index, signature: None }).await,
            Some(Open::Thinking(index)) => {
                self.sink.put(Piece::ThinkingEnd { index, signature: None, redacted: false }).await;
            }
            None => {}
        }
    }
}

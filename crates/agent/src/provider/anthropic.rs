//! The Anthropic Messages format: requests, and answers as server-sent events.

use std::collections::HashMap;

use pizzapi_protocol::{ContentBlock, ImageBlock, Message, MessageContent, StopReason, ThinkingBlock, Usage};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::sse::{self, Events};
use super::{CacheRetention, Finish, Piece, ProviderError, Request, Sink, arguments_value, post};
use crate::model::{ThinkingLevel, ThinkingMode};

const VERSION: &str = "2023-06-01";
/// Lets budgeted models think between tool calls.
const INTERLEAVED: &str = "interleaved-thinking-2025-05-14";
/// Tokens an answer keeps beside its thinking.
const MIN_ANSWER_TOKENS: u64 = 1024;

pub(super) async fn stream(client: &reqwest::Client, request: &Request, sink: &Sink) -> Result<Finish, ProviderError> {
    let url = format!("{}/v1/messages", request.model.base_url.trim_end_matches("/v1"));
    let mut builder = client.post(url).header("anthropic-version", VERSION).header("accept", "text/event-stream");
    if let Some(secret) = &request.credential.secret {
        builder =
            if request.credential.bearer { builder.bearer_auth(secret) } else { builder.header("x-api-key", secret) };
    }
    if request.thinking != ThinkingLevel::Off && request.model.thinking.mode == ThinkingMode::Budget {
        builder = builder.header("anthropic-beta", INTERLEAVED);
    }
    for (name, value) in &request.model.headers {
        builder = builder.header(name, value);
    }
    let response = post(builder, &body(request), request.idle_timeout).await?;
    read(Events::new(response, request.idle_timeout, sink), sink).await
}

/// The request's JSON.
pub(crate) fn body(request: &Request) -> Value {
    let marker = match request.cache {
        CacheRetention::None => None,
        CacheRetention::Short => Some(json!({ "type": "ephemeral" })),
        CacheRetention::Long => Some(json!({ "type": "ephemeral", "ttl": "1h" })),
    };
    let mut body = Map::new();
    body.insert("model".into(), json!(request.model.id));
    body.insert("max_tokens".into(), json!(request.max_tokens));
    body.insert("stream".into(), json!(true));
    if !request.system.is_empty() {
        let mut block = json!({ "type": "text", "text": request.system });
        mark(&mut block, marker.as_ref());
        body.insert("system".into(), json!([block]));
    }
    body.insert("messages".into(), Value::Array(messages(&request.messages, marker.as_ref())));
    if !request.tools.is_empty() {
        let mut tools: Vec<Value> = request
            .tools
            .iter()
            .map(|tool| json!({ "name": tool.name, "description": tool.description, "input_schema": tool.parameters }))
            .collect();
        if let Some(last) = tools.last_mut() {
            mark(last, marker.as_ref());
        }
        body.insert("tools".into(), Value::Array(tools));
    }
    think(&mut body, request);
    Value::Object(body)
}

fn think(body: &mut Map<String, Value>, request: &Request) {
    if !request.model.reasoning || request.thinking == ThinkingLevel::Off {
        return;
    }
    match request.model.thinking.mode {
        ThinkingMode::Adaptive => {
            body.insert("thinking".into(), json!({ "type": "adaptive", "display": "summarized" }));
            if let Some(effort) = request.model.effort(request.thinking) {
                body.insert("output_config".into(), json!({ "effort": effort }));
            }
        }
        ThinkingMode::Budget => {
            let room = request.max_tokens.saturating_sub(MIN_ANSWER_TOKENS);
            let budget = request.budgets.tokens(request.thinking).min(room);
            // The format's own minimum; below it the model answers without thinking.
            if budget >= 1024 {
                body.insert("thinking".into(), json!({ "type": "enabled", "budget_tokens": budget }));
            }
        }
    }
}

fn mark(block: &mut Value, marker: Option<&Value>) {
    if let (Some(block), Some(marker)) = (block.as_object_mut(), marker) {
        block.insert("cache_control".into(), marker.clone());
    }
}

fn messages(messages: &[Message], marker: Option<&Value>) -> Vec<Value> {
    let mut out: Vec<(&str, Vec<Value>)> = Vec::new();
    let mut add = |role: &'static str, blocks: Vec<Value>| {
        if blocks.is_empty() {
            return;
        }
        match out.last_mut() {
            // Results of one turn, and a user message after them, belong into one message.
            Some((last, known)) if *last == role => known.extend(blocks),
            _ => out.push((role, blocks)),
        }
    };
    for message in messages {
        match message {
            Message::User(user) => add("user", user_blocks(&user.content)),
            Message::Assistant(assistant) => {
                add("assistant", assistant.content.iter().filter_map(assistant_block).collect());
            }
            Message::ToolResult(result) => {
                let content: Vec<Value> = result.content.iter().filter_map(plain_block).collect();
                let mut block =
                    json!({ "type": "tool_result", "tool_use_id": result.tool_call_id, "content": content });
                if result.is_error {
                    block["is_error"] = json!(true);
                }
                add("user", vec![block]);
            }
            _ => {}
        }
    }
    if let Some((_, blocks)) = out.iter_mut().rev().find(|(role, _)| *role == "user")
        && let Some(last) = blocks.last_mut()
    {
        mark(last, marker);
    }
    out.into_iter().map(|(role, content)| json!({ "role": role, "content": content })).collect()
}

fn user_blocks(content: &MessageContent) -> Vec<Value> {
    match content {
        MessageContent::Text(text) if text.trim().is_empty() => Vec::new(),
        MessageContent::Text(text) => vec![json!({ "type": "text", "text": text })],
        MessageContent::Blocks(blocks) => blocks.iter().filter_map(plain_block).collect(),
    }
}

fn plain_block(block: &ContentBlock) -> Option<Value> {
    match block {
        ContentBlock::Text(text) if text.text.trim().is_empty() => None,
        ContentBlock::Text(text) => Some(json!({ "type": "text", "text": text.text })),
        ContentBlock::Image(image) => image_source(image).map(
            |(mime, data)| json!({ "type": "image", "source": { "type": "base64", "media_type": mime, "data": data } }),
        ),
        _ => None,
    }
}

/// MIME type and base64 of an inline picture.
pub(super) fn image_source(image: &ImageBlock) -> Option<(&str, &str)> {
    let source = image.source.as_ref();
    let data = image.data.as_deref().or_else(|| source.and_then(|s| s.data.as_deref()))?;
    let data = data.split_once(";base64,").map_or(data, |(_, data)| data);
    let mime =
        image.mime_type.as_deref().or_else(|| source.and_then(|s| s.media_type.as_deref())).unwrap_or("image/png");
    Some((mime, data))
}

fn assistant_block(block: &ContentBlock) -> Option<Value> {
    match block {
        ContentBlock::Text(text) => Some(json!({ "type": "text", "text": text.text })),
        ContentBlock::Thinking(ThinkingBlock { redacted: Some(true), thinking_signature, .. }) => {
            thinking_signature.as_ref().map(|data| json!({ "type": "redacted_thinking", "data": data }))
        }
        ContentBlock::Thinking(thinking) => Some(match &thinking.thinking_signature {
            Some(signature) if !signature.is_empty() => {
                json!({ "type": "thinking", "thinking": thinking.thinking, "signature": signature })
            }
            // Without its proof (an interrupted stream) thinking is refused; as text it still informs.
            _ => json!({ "type": "text", "text": thinking.thinking }),
        }),
        ContentBlock::ToolCall(call) => Some(
            json!({ "type": "tool_use", "id": call.id, "name": call.name, "input": arguments_value(&call.arguments) }),
        ),
        ContentBlock::Image(_) | ContentBlock::Other(_) => None,
    }
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Frame {
    MessageStart {
        message: StartedMessage,
    },
    ContentBlockStart {
        index: u64,
        content_block: StartedBlock,
    },
    ContentBlockDelta {
        index: u64,
        delta: Delta,
    },
    ContentBlockStop {
        index: u64,
    },
    MessageDelta {
        delta: MessageDelta,
        #[serde(default)]
        usage: Option<WireUsage>,
    },
    MessageStop,
    Error {
        error: Value,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct StartedMessage {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    usage: Option<WireUsage>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum StartedBlock {
    Text {
        #[serde(default)]
        text: String,
    },
    Thinking {
        #[serde(default)]
        thinking: String,
        #[serde(default)]
        signature: String,
    },
    RedactedThinking {
        #[serde(default)]
        data: String,
    },
    ToolUse {
        id: String,
        name: String,
        #[serde(default)]
        input: Value,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[allow(clippy::enum_variant_names)] // the provider's own words
enum Delta {
    TextDelta {
        text: String,
    },
    ThinkingDelta {
        thinking: String,
    },
    SignatureDelta {
        signature: String,
    },
    InputJsonDelta {
        partial_json: String,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct MessageDelta {
    #[serde(default)]
    stop_reason: Option<String>,
}

#[derive(Deserialize, Default, Clone)]
struct WireUsage {
    #[serde(default)]
    input_tokens: Option<u64>,
    #[serde(default)]
    output_tokens: Option<u64>,
    #[serde(default)]
    cache_read_input_tokens: Option<u64>,
    #[serde(default)]
    cache_creation_input_tokens: Option<u64>,
    #[serde(default)]
    cache_creation: Option<CacheCreation>,
}

#[derive(Deserialize, Default, Clone)]
struct CacheCreation {
    #[serde(default)]
    ephemeral_1h_input_tokens: Option<u64>,
}

/// A block that is being received, by the provider's own index.
struct Open {
    index: usize,
    kind: Kind,
}

enum Kind {
    Text,
    Thinking {
        signature: String,
    },
    Redacted {
        data: String,
    },
    /// Arguments that came whole with the block's start, for servers that send no deltas.
    Tool {
        whole: Option<String>,
        deltas: bool,
    },
}

async fn read(mut events: Events, sink: &Sink) -> Result<Finish, ProviderError> {
    let mut open: HashMap<u64, Open> = HashMap::new();
    let mut blocks = 0;
    let mut usage = Usage::default();
    let mut raw_reason: Option<String> = None;
    let mut finished = false;
    while let Some(event) = events.next().await? {
        if event.data.is_empty() || event.event == "ping" {
            continue;
        }
        match sse::parse::<Frame>(&event.data)? {
            Frame::MessageStart { message } => {
                sink.put(Piece::Start { response_id: message.id, response_model: message.model }).await;
                if let Some(reported) = message.usage {
                    merge(&mut usage, &reported);
                    sink.put(Piece::Usage(usage.clone())).await;
                }
            }
            Frame::ContentBlockStart { index, content_block } => {
                if let Some(kind) = start_block(blocks, content_block, sink).await {
                    open.insert(index, Open { index: blocks, kind });
                    blocks += 1;
                }
            }
            Frame::ContentBlockDelta { index, delta } => {
                if let Some(block) = open.get_mut(&index) {
                    extend_block(block, delta, sink).await;
                }
            }
            Frame::ContentBlockStop { index } => {
                if let Some(block) = open.remove(&index) {
                    end_block(block, sink).await;
                }
            }
            Frame::MessageDelta { delta, usage: reported } => {
                raw_reason = delta.stop_reason.or(raw_reason);
                if let Some(reported) = reported {
                    merge(&mut usage, &reported);
                    sink.put(Piece::Usage(usage.clone())).await;
                }
            }
            Frame::MessageStop => {
                finished = true;
                break;
            }
            Frame::Error { error } => {
                let text = json!({ "error": error }).to_string();
                let message = super::error::message_of(&text).unwrap_or_else(|| error.to_string());
                return Err(ProviderError::reported(None, &message));
            }
            Frame::Other => {}
        }
    }
    if !finished && raw_reason.is_none() {
        return Err(ProviderError::cut());
    }
    let (reason, error) = stop_reason(raw_reason.as_deref());
    Ok(Finish { reason, raw: raw_reason, error })
}

async fn start_block(index: usize, block: StartedBlock, sink: &Sink) -> Option<Kind> {
    match block {
        StartedBlock::Text { text } => {
            sink.put(Piece::TextStart { index }).await;
            if !text.is_empty() {
                sink.put(Piece::TextDelta { index, delta: text }).await;
            }
            Some(Kind::Text)
        }
        StartedBlock::Thinking { thinking, signature } => {
            sink.put(Piece::ThinkingStart { index }).await;
            if !thinking.is_empty() {
                sink.put(Piece::ThinkingDelta { index, delta: thinking }).await;
            }
            Some(Kind::Thinking { signature })
        }
        StartedBlock::RedactedThinking { data } => {
            sink.put(Piece::ThinkingStart { index }).await;
            Some(Kind::Redacted { data })
        }
        StartedBlock::ToolUse { id, name, input } => {
            sink.put(Piece::ToolStart { index, id, name }).await;
            let whole = input.as_object().filter(|map| !map.is_empty()).map(|_| input.to_string());
            Some(Kind::Tool { whole, deltas: false })
        }
        StartedBlock::Other => None,
    }
}

async fn extend_block(block: &mut Open, delta: Delta, sink: &Sink) {
    let index = block.index;
    match (&mut block.kind, delta) {
        (Kind::Text, Delta::TextDelta { text }) => sink.put(Piece::TextDelta { index, delta: text }).await,
        (Kind::Thinking { .. }, Delta::ThinkingDelta { thinking }) => {
            sink.put(Piece::ThinkingDelta { index, delta: thinking }).await;
        }
        (Kind::Thinking { signature }, Delta::SignatureDelta { signature: more }) => signature.push_str(&more),
        (Kind::Tool { deltas, .. }, Delta::InputJsonDelta { partial_json }) => {
            *deltas |= !partial_json.is_empty();
            sink.put(Piece::ToolDelta { index, delta: partial_json }).await;
        }
        _ => {}
    }
}

async fn end_block(block: Open, sink: &Sink) {
    let index = block.index;
    sink.put(match block.kind {
        Kind::Text => Piece::TextEnd { index, signature: None },
        Kind::Thinking { signature } => {
            Piece::ThinkingEnd { index, signature: (!signature.is_empty()).then_some(signature), redacted: false }
        }
        Kind::Redacted { data } => Piece::ThinkingEnd { index, signature: Some(data), redacted: true },
        Kind::Tool { whole, deltas } => {
            Piece::ToolEnd { index, arguments: whole.filter(|_| !deltas), thought_signature: None }
        }
    })
    .await;
}

fn merge(usage: &mut Usage, reported: &WireUsage) {
    let set = |target: &mut u64, value: Option<u64>| {
        if let Some(value) = value {
            *target = value;
        }
    };
    set(&mut usage.input, reported.input_tokens);
    set(&mut usage.output, reported.output_tokens);
    set(&mut usage.cache_read, reported.cache_read_input_tokens);
    set(&mut usage.cache_write, reported.cache_creation_input_tokens);
    if let Some(long) = reported.cache_creation.as_ref().and_then(|c| c.ephemeral_1h_input_tokens).filter(|n| *n > 0) {
        usage.cache_write_1h = Some(long);
    }
    usage.total_tokens = usage.input + usage.output + usage.cache_read + usage.cache_write;
}

fn stop_reason(raw: Option<&str>) -> (StopReason, Option<ProviderError>) {
    match raw {
        Some("max_tokens") => (StopReason::Length, None),
        Some("tool_use") => (StopReason::ToolUse, None),
        Some("model_context_window_exceeded") => (
            StopReason::Error,
            Some(ProviderError::reported(
                None,
                "model_context_window_exceeded: the answer did not fit the context window",
            )),
        ),
        Some("refusal") => (
            StopReason::Error,
            Some(ProviderError::new(super::ErrorKind::Rejected, "the model declined to answer (refusal)")),
        ),
        _ => (StopReason::Stop, None),
    }
}

//! The OpenAI Responses format: items instead of messages, reasoning that is carried back encrypted.

use std::collections::HashMap;

use pizzapi_protocol::{ContentBlock, Message, MessageContent, StopReason, Usage};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::anthropic::image_source;
use super::sse::{self, Events};
use super::{CacheRetention, Finish, Piece, ProviderError, Request, Sink, arguments_value, post};
use crate::model::ThinkingLevel;

/// Between the id of a call and the id of its item in our tool call ids.
const SEPARATOR: char = '|';

pub(super) async fn stream(client: &reqwest::Client, request: &Request, sink: &Sink) -> Result<Finish, ProviderError> {
    let url = format!("{}/responses", request.model.base_url.trim_end_matches('/'));
    let mut builder = client.post(url).header("accept", "text/event-stream").header("session_id", &request.session_id);
    if let Some(secret) = &request.credential.secret {
        builder = builder.bearer_auth(secret);
    }
    for (name, value) in &request.model.headers {
        builder = builder.header(name, value);
    }
    let response = post(builder, &body(request), request.idle_timeout).await?;
    Reader::new(sink).read(Events::new(response, request.idle_timeout, sink)).await
}

/// The request's JSON.
pub(crate) fn body(request: &Request) -> Value {
    let mut body = Map::new();
    body.insert("model".into(), json!(request.model.id));
    body.insert("stream".into(), json!(true));
    body.insert("store".into(), json!(false));
    body.insert("prompt_cache_key".into(), json!(request.session_id));
    if request.cache == CacheRetention::Long {
        body.insert("prompt_cache_retention".into(), json!("24h"));
    }
    body.insert("max_output_tokens".into(), json!(request.max_tokens));
    body.insert("input".into(), Value::Array(input(request)));
    if !request.tools.is_empty() {
        let tools: Vec<Value> = request
            .tools
            .iter()
            .map(|tool| {
                json!({
                    "type": "function",
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": tool.parameters,
                    "strict": false
                })
            })
            .collect();
        body.insert("tools".into(), Value::Array(tools));
    }
    if request.model.reasoning {
        if let Some(effort) = request.model.effort(request.thinking) {
            let mut reasoning = json!({ "effort": effort });
            if request.thinking != ThinkingLevel::Off {
                reasoning["summary"] = json!("auto");
            }
            body.insert("reasoning".into(), reasoning);
        }
        body.insert("include".into(), json!(["reasoning.encrypted_content"]));
    }
    Value::Object(body)
}

fn input(request: &Request) -> Vec<Value> {
    let mut out = Vec::new();
    if !request.system.is_empty() {
        let role = if request.model.reasoning { "developer" } else { "system" };
        out.push(json!({ "role": role, "content": request.system }));
    }
    for message in &request.messages {
        match message {
            Message::User(user) => out.push(json!({ "role": "user", "content": user_content(&user.content) })),
            Message::Assistant(assistant) => {
                for (at, block) in assistant.content.iter().enumerate() {
                    out.extend(assistant_item(block, at, assistant.timestamp));
                }
            }
            Message::ToolResult(result) => {
                let (call_id, _) = split_id(&result.tool_call_id);
                let images: Vec<Value> = result.content.iter().filter_map(image).collect();
                let text = message.text();
                let output = if images.is_empty() {
                    json!(if text.is_empty() { "(no output)".to_owned() } else { text })
                } else {
                    let mut parts = Vec::new();
                    if !text.is_empty() {
                        parts.push(json!({ "type": "input_text", "text": text }));
                    }
                    parts.extend(images);
                    Value::Array(parts)
                };
                out.push(json!({ "type": "function_call_output", "call_id": call_id, "output": output }));
            }
            _ => {}
        }
    }
    out
}

fn user_content(content: &MessageContent) -> Value {
    match content {
        MessageContent::Text(text) => json!([{ "type": "input_text", "text": text }]),
        MessageContent::Blocks(blocks) => {
            let parts: Vec<Value> = blocks
                .iter()
                .filter_map(|block| match block {
                    ContentBlock::Text(text) => Some(json!({ "type": "input_text", "text": text.text })),
                    block => image(block),
                })
                .collect();
            json!(parts)
        }
    }
}

fn image(block: &ContentBlock) -> Option<Value> {
    let ContentBlock::Image(image) = block else { return None };
    let (mime, data) = image_source(image)?;
    Some(json!({ "type": "input_image", "detail": "auto", "image_url": format!("data:{mime};base64,{data}") }))
}

fn assistant_item(block: &ContentBlock, at: usize, timestamp: i64) -> Option<Value> {
    match block {
        // The signature is the whole item: only it proves the reasoning to the provider.
        ContentBlock::Thinking(thinking) => {
            thinking.thinking_signature.as_deref().and_then(|item| serde_json::from_str::<Value>(item).ok())
        }
        ContentBlock::Text(text) => {
            let id = text.text_signature.clone().unwrap_or_else(|| format!("msg_{timestamp}_{at}"));
            Some(json!({
                "type": "message",
                "role": "assistant",
                "id": id,
                "status": "completed",
                "content": [{ "type": "output_text", "text": text.text, "annotations": [] }]
            }))
        }
        ContentBlock::ToolCall(call) => {
            let (call_id, item_id) = split_id(&call.id);
            let mut item = json!({
                "type": "function_call",
                "call_id": call_id,
                "name": call.name,
                "arguments": arguments_value(&call.arguments).to_string()
            });
            if let Some(item_id) = item_id {
                item["id"] = json!(item_id);
            }
            Some(item)
        }
        ContentBlock::Image(_) | ContentBlock::Other(_) => None,
    }
}

fn split_id(id: &str) -> (&str, Option<&str>) {
    match id.split_once(SEPARATOR) {
        Some((call, item)) if !item.is_empty() => (call, Some(item)),
        Some((call, _)) => (call, None),
        None => (id, None),
    }
}

#[derive(Deserialize)]
struct Frame {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    output_index: u64,
    #[serde(default)]
    delta: Option<String>,
    #[serde(default)]
    item: Option<Value>,
    #[serde(default)]
    arguments: Option<String>,
    #[serde(default)]
    response: Option<Value>,
    #[serde(default)]
    error: Option<Value>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    code: Option<String>,
}

enum Open {
    Thinking { index: usize, wrote: bool },
    Text { index: usize, wrote: bool },
    Call { index: usize, wrote: bool },
}

struct Reader<'a> {
    sink: &'a Sink,
    blocks: usize,
    /// Items in the making, by the provider's index.
    open: HashMap<u64, Open>,
}

impl<'a> Reader<'a> {
    fn new(sink: &'a Sink) -> Self {
        Self { sink, blocks: 0, open: HashMap::new() }
    }

    async fn read(mut self, mut events: Events) -> Result<Finish, ProviderError> {
        while let Some(event) = events.next().await? {
            if event.data.trim().is_empty() || event.data == "[DONE]" {
                continue;
            }
            if let Some(finish) = self.frame(sse::parse(&event.data)?).await? {
                return Ok(finish);
            }
        }
        Err(ProviderError::cut())
    }

    async fn frame(&mut self, frame: Frame) -> Result<Option<Finish>, ProviderError> {
        match frame.kind.as_str() {
            "response.created" => {
                let text = |key: &str| {
                    frame.response.as_ref().and_then(|r| r.get(key)).and_then(Value::as_str).map(str::to_owned)
                };
                self.sink.put(Piece::Start { response_id: text("id"), response_model: text("model") }).await;
            }
            "response.output_item.added" => {
                if let Some(item) = &frame.item {
                    self.begin(frame.output_index, item).await;
                }
            }
            "response.reasoning_summary_part.added" => {
                // Parts of a summary are paragraphs.
                if let Some(Open::Thinking { index, wrote: true }) = self.open.get(&frame.output_index) {
                    self.sink.put(Piece::ThinkingDelta { index: *index, delta: "\n\n".into() }).await;
                }
            }
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                if let (Some(Open::Thinking { index, wrote }), Some(delta)) =
                    (self.open.get_mut(&frame.output_index), frame.delta)
                {
                    *wrote = true;
                    self.sink.put(Piece::ThinkingDelta { index: *index, delta }).await;
                }
            }
            "response.output_text.delta" | "response.refusal.delta" => {
                if let (Some(Open::Text { index, wrote }), Some(delta)) =
                    (self.open.get_mut(&frame.output_index), frame.delta)
                {
                    *wrote = true;
                    self.sink.put(Piece::TextDelta { index: *index, delta }).await;
                }
            }
            "response.function_call_arguments.delta" => {
                if let (Some(Open::Call { index, wrote }), Some(delta)) =
                    (self.open.get_mut(&frame.output_index), frame.delta)
                {
                    *wrote = true;
                    self.sink.put(Piece::ToolDelta { index: *index, delta }).await;
                }
            }
            "response.function_call_arguments.done" => {
                if let (Some(Open::Call { index, wrote }), Some(arguments)) =
                    (self.open.get_mut(&frame.output_index), frame.arguments)
                    && !*wrote
                {
                    *wrote = true;
                    self.sink.put(Piece::ToolDelta { index: *index, delta: arguments }).await;
                }
            }
            "response.output_item.done" => {
                if let Some(item) = &frame.item {
                    self.end(frame.output_index, item).await;
                }
            }
            "response.completed" | "response.incomplete" => return self.finish(frame.response).await.map(Some),
            "response.failed" => {
                let error = frame.response.as_ref().and_then(|r| r.get("error")).cloned().unwrap_or(Value::Null);
                return Err(reported(&error, "the response failed"));
            }
            "error" => {
                let error = frame.error.unwrap_or_else(|| json!({ "code": frame.code, "message": frame.message }));
                return Err(reported(&error, "the provider reported an error"));
            }
            _ => {}
        }
        Ok(None)
    }

    async fn begin(&mut self, key: u64, item: &Value) {
        let index = self.blocks;
        let text = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default();
        let open = match item.get("type").and_then(Value::as_str) {
            Some("reasoning") => {
                self.sink.put(Piece::ThinkingStart { index }).await;
                Open::Thinking { index, wrote: false }
            }
            Some("message") => {
                self.sink.put(Piece::TextStart { index }).await;
                Open::Text { index, wrote: false }
            }
            Some("function_call") => {
                let id = format!("{}{SEPARATOR}{}", text("call_id"), text("id"));
                self.sink.put(Piece::ToolStart { index, id, name: text("name").to_owned() }).await;
                Open::Call { index, wrote: false }
            }
            _ => return,
        };
        self.blocks += 1;
        self.open.insert(key, open);
    }

    async fn end(&mut self, key: u64, item: &Value) {
        if !self.open.contains_key(&key) {
            // Some servers send finished items only.
            self.begin(key, item).await;
        }
        match self.open.remove(&key) {
            Some(Open::Thinking { index, wrote }) => {
                if !wrote {
                    let text = joined(item.get("summary"), "text");
                    if !text.is_empty() {
                        self.sink.put(Piece::ThinkingDelta { index, delta: text }).await;
                    }
                }
                self.sink.put(Piece::ThinkingEnd { index, signature: Some(item.to_string()), redacted: false }).await;
            }
            Some(Open::Text { index, wrote }) => {
                if !wrote {
                    let text = joined(item.get("content"), "text");
                    if !text.is_empty() {
                        self.sink.put(Piece::TextDelta { index, delta: text }).await;
                    }
                }
                let signature = item.get("id").and_then(Value::as_str).map(str::to_owned);
                self.sink.put(Piece::TextEnd { index, signature }).await;
            }
            Some(Open::Call { index, .. }) => {
                let arguments = item.get("arguments").and_then(Value::as_str).map(str::to_owned);
                self.sink.put(Piece::ToolEnd { index, arguments, thought_signature: None }).await;
            }
            None => {}
        }
    }

    async fn finish(&mut self, response: Option<Value>) -> Result<Finish, ProviderError> {
        let response = response.unwrap_or(Value::Null);
        if let Some(usage) = response.get("usage").and_then(read_usage) {
            self.sink.put(Piece::Usage(usage)).await;
        }
        let status = response.get("status").and_then(Value::as_str).unwrap_or("completed").to_owned();
        let why = response.pointer("/incomplete_details/reason").and_then(Value::as_str);
        let (reason, error) = match (status.as_str(), why) {
            ("incomplete", Some("content_filter")) => (
                StopReason::Error,
                Some(ProviderError::new(
                    super::ErrorKind::Rejected,
                    "the provider's content filter stopped the answer",
                )),
            ),
            ("incomplete", _) => (StopReason::Length, None),
            ("failed" | "cancelled", _) => {
                let error = response.get("error").cloned().unwrap_or(Value::Null);
                (StopReason::Error, Some(reported(&error, &format!("the response was {status}"))))
            }
            _ => (StopReason::Stop, None),
        };
        Ok(Finish { reason, raw: Some(why.map_or(status, str::to_owned)), error })
    }
}

fn joined(list: Option<&Value>, key: &str) -> String {
    let parts = list.and_then(Value::as_array).into_iter().flatten();
    parts.filter_map(|part| part.get(key).and_then(Value::as_str)).collect::<Vec<_>>().join("\n\n")
}

fn reported(error: &Value, fallback: &str) -> ProviderError {
    let text = json!({ "error": error }).to_string();
    let message = super::error::message_of(&text).unwrap_or_else(|| fallback.to_owned());
    ProviderError::reported(None, &message)
}

fn read_usage(value: &Value) -> Option<Usage> {
    let number = |pointer: &str| value.pointer(pointer).and_then(Value::as_u64);
    let input = number("/input_tokens")?;
    let output = number("/output_tokens").unwrap_or(0);
    let cached = number("/input_tokens_details/cached_tokens").unwrap_or(0);
    Some(Usage {
        input: input.saturating_sub(cached),
        output,
        cache_read: cached,
        reasoning: number("/output_tokens_details/reasoning_tokens"),
        total_tokens: number("/total_tokens").unwrap_or(input + output),
        ..Usage::default()
    })
}

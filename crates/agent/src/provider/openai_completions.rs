//! The OpenAI chat completions format, as OpenAI, Ollama, LM Studio, vLLM, OpenRouter and many others speak it.

use std::collections::{BTreeMap, HashMap};

use pizzapi_protocol::{AssistantMessage, ContentBlock, ImageBlock, Message, MessageContent, StopReason, Usage};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::anthropic::image_source;
use super::sse::{self, Events};
use super::{CacheRetention, Finish, Piece, ProviderError, Request, Sink, arguments_value, post};
use crate::model::{Compat, ThinkingLevel};

pub(super) async fn stream(client: &reqwest::Client, request: &Request, sink: &Sink) -> Result<Finish, ProviderError> {
    let url = format!("{}/chat/completions", request.model.base_url.trim_end_matches('/'));
    let mut builder = client.post(url).header("accept", "text/event-stream");
    if let Some(secret) = &request.credential.secret {
        builder = builder.bearer_auth(secret);
    }
    if request.model.compat.session_affinity == Some(true) {
        builder = builder.header("x-session-affinity", &request.session_id).header("session_id", &request.session_id);
    }
    for (name, value) in &request.model.headers {
        builder = builder.header(name, value);
    }
    let response = post(builder, &body(request), request.idle_timeout).await?;
    Reader::new(sink).read(Events::new(response, request.idle_timeout, sink)).await
}

/// The request's JSON.
pub(crate) fn body(request: &Request) -> Value {
    let compat = &request.model.compat;
    let mut body = Map::new();
    body.insert("model".into(), json!(request.model.id));
    body.insert("messages".into(), Value::Array(messages(request)));
    body.insert("stream".into(), json!(true));
    if compat.usage_in_streaming != Some(false) {
        body.insert("stream_options".into(), json!({ "include_usage": true }));
    }
    if compat.store != Some(false) {
        body.insert("store".into(), json!(false));
    }
    let limit = compat.max_tokens_field.as_deref().unwrap_or("max_completion_tokens");
    body.insert(limit.to_owned(), json!(request.max_tokens));
    if !request.tools.is_empty() {
        let tools: Vec<Value> = request
            .tools
            .iter()
            .map(|tool| {
                let mut parameters = tool.parameters.clone();
                if request.model.provider == "google" {
                    plain_schema(&mut parameters);
                }
                let mut function =
                    json!({ "name": tool.name, "description": tool.description, "parameters": parameters });
                if compat.strict_tools == Some(true) {
                    function["strict"] = json!(false);
                }
                json!({ "type": "function", "function": function })
            })
            .collect();
        body.insert("tools".into(), Value::Array(tools));
    }
    think(&mut body, request);
    if compat.cache_control.as_deref() == Some("anthropic") && request.cache != CacheRetention::None {
        mark_cache(&mut body);
    }
    if request.model.base_url.contains("api.openai.com") {
        body.insert("prompt_cache_key".into(), json!(request.session_id));
        if request.cache == CacheRetention::Long {
            body.insert("prompt_cache_retention".into(), json!("24h"));
        }
    }
    Value::Object(body)
}

fn think(body: &mut Map<String, Value>, request: &Request) {
    let model = &request.model;
    if !model.reasoning {
        return;
    }
    let on = request.thinking != ThinkingLevel::Off;
    let effort = model.effort(request.thinking);
    match model.compat.thinking_format.as_deref().unwrap_or("openai") {
        "openrouter" => {
            let value = match (&effort, on) {
                (Some(effort), true) => json!({ "effort": effort }),
                (_, true) => json!({ "max_tokens": request.budgets.tokens(request.thinking) }),
                (_, false) => json!({ "enabled": false }),
            };
            body.insert("reasoning".into(), value);
        }
        "deepseek" | "zai" => {
            body.insert("thinking".into(), json!({ "type": if on { "enabled" } else { "disabled" } }));
        }
        "together" => {
            body.insert("reasoning".into(), json!({ "enabled": on }));
        }
        "qwen" => {
            body.insert("enable_thinking".into(), json!(on));
        }
        "chat-template" => {
            body.insert("chat_template_kwargs".into(), json!({ "enable_thinking": on }));
        }
        _ => {
            if model.compat.reasoning_effort != Some(false)
                && let Some(effort) = effort.or_else(|| off_word(request))
            {
                body.insert("reasoning_effort".into(), json!(effort));
            }
        }
    }
}

/// Google refuses words of JSON schema it does not know; none of them is needed to call a tool.
fn plain_schema(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            map.retain(|key, _| {
                !matches!(key.as_str(), "exclusiveMinimum" | "exclusiveMaximum" | "additionalProperties" | "$schema")
            });
            map.values_mut().for_each(plain_schema);
        }
        Value::Array(list) => list.iter_mut().for_each(plain_schema),
        _ => {}
    }
}

/// Ollama's thinking models think unless told not to.
fn off_word(request: &Request) -> Option<String> {
    (request.thinking == ThinkingLevel::Off && request.model.provider.starts_with("ollama")).then(|| "none".to_owned())
}

/// Cache markers for Anthropic models behind such an interface: system, last tool, last user message.
fn mark_cache(body: &mut Map<String, Value>) {
    let marker = json!({ "type": "ephemeral" });
    if let Some(tool) = body.get_mut("tools").and_then(Value::as_array_mut).and_then(|tools| tools.last_mut()) {
        tool["cache_control"] = marker.clone();
    }
    let Some(messages) = body.get_mut("messages").and_then(Value::as_array_mut) else { return };
    let first = messages.iter().position(|message| matches!(message["role"].as_str(), Some("system" | "developer")));
    let last = messages.iter().rposition(|message| message["role"] == "user");
    for at in first.into_iter().chain(last) {
        let content = &mut messages[at]["content"];
        if let Some(text) = content.as_str() {
            *content = json!([{ "type": "text", "text": text }]);
        }
        if let Some(block) = content.as_array_mut().and_then(|blocks| blocks.last_mut()) {
            block["cache_control"] = marker.clone();
        }
    }
}

fn messages(request: &Request) -> Vec<Value> {
    let compat = &request.model.compat;
    let mut out: Vec<Value> = Vec::new();
    if !request.system.is_empty() {
        let role = if compat.developer_role != Some(false) && request.model.reasoning { "developer" } else { "system" };
        out.push(json!({ "role": role, "content": request.system }));
    }
    let mut ids = CallIds::new(compat);
    // Pictures in tool results go into a user message after all results of the turn.
    let mut pictures: Vec<Value> = Vec::new();
    for message in &request.messages {
        if !matches!(message, Message::ToolResult(_)) {
            flush(&mut out, &mut pictures);
        }
        match message {
            Message::User(user) => {
                if compat.assistant_after_tool_result == Some(true) && out.last().is_some_and(|m| m["role"] == "tool") {
                    out.push(json!({ "role": "assistant", "content": "I have read the results." }));
                }
                out.push(json!({ "role": "user", "content": user_content(&user.content) }));
            }
            Message::Assistant(assistant) => out.extend(assistant_message(assistant, compat, &mut ids)),
            Message::ToolResult(result) => {
                let text = message.text();
                let images: Vec<Value> = result.content.iter().filter_map(as_image).map(image).collect();
                let text = match (text.is_empty(), images.is_empty()) {
                    (false, _) => text,
                    (true, false) => "(see the image below)".to_owned(),
                    (true, true) => "(no output)".to_owned(),
                };
                let mut value =
                    json!({ "role": "tool", "tool_call_id": ids.get(&result.tool_call_id), "content": text });
                if compat.tool_result_name == Some(true) {
                    value["name"] = json!(result.tool_name);
                }
                out.push(value);
                pictures.extend(images);
            }
            _ => {}
        }
    }
    flush(&mut out, &mut pictures);
    out
}

fn flush(out: &mut Vec<Value>, pictures: &mut Vec<Value>) {
    if pictures.is_empty() {
        return;
    }
    let mut content = vec![json!({ "type": "text", "text": "Images of the tool results:" })];
    content.append(pictures);
    out.push(json!({ "role": "user", "content": content }));
}

fn as_image(block: &ContentBlock) -> Option<&ImageBlock> {
    match block {
        ContentBlock::Image(image) => Some(image),
        _ => None,
    }
}

fn image(block: &ImageBlock) -> Value {
    let (mime, data) = image_source(block).unwrap_or(("image/png", ""));
    json!({ "type": "image_url", "image_url": { "url": format!("data:{mime};base64,{data}") } })
}

fn user_content(content: &MessageContent) -> Value {
    match content {
        MessageContent::Text(text) => json!(text),
        MessageContent::Blocks(blocks) => {
            let parts: Vec<Value> = blocks
                .iter()
                .filter_map(|block| match block {
                    ContentBlock::Text(text) => Some(json!({ "type": "text", "text": text.text })),
                    ContentBlock::Image(block) => Some(image(block)),
                    _ => None,
                })
                .collect();
            json!(parts)
        }
    }
}

fn assistant_message(message: &AssistantMessage, compat: &Compat, ids: &mut CallIds) -> Option<Value> {
    let mut text = String::new();
    let mut calls = Vec::new();
    let mut value = json!({ "role": "assistant" });
    let mut details: Vec<Value> = Vec::new();
    for block in &message.content {
        match block {
            ContentBlock::Text(block) => text.push_str(&block.text),
            ContentBlock::Thinking(block) => {
                if compat.thinking_as_text == Some(true) {
                    text.push_str(&format!("<thinking>\n{}\n</thinking>\n", block.thinking));
                } else if let Some(field) = block.thinking_signature.as_deref().filter(|f| FIELDS.contains(f)) {
                    // Servers want their thinking back under the name it came with.
                    let known = value[field].as_str().unwrap_or_default();
                    value[field] = json!(format!("{known}{}", block.thinking));
                } else if let Some(detail) = block.thinking_signature.as_deref().and_then(parsed) {
                    details.push(detail);
                }
            }
            ContentBlock::ToolCall(call) => {
                let mut entry = json!({
                    "id": ids.get(&call.id),
                    "type": "function",
                    "function": { "name": call.name, "arguments": arguments_value(&call.arguments).to_string() }
                });
                match call.thought_signature.as_deref().map(|signature| (signature, parsed(signature))) {
                    Some((_, Some(detail))) => details.push(detail),
                    Some((signature, None)) => {
                        entry["extra_content"] = json!({ "google": { "thought_signature": signature } });
                    }
                    None => {}
                }
                calls.push(entry);
            }
            ContentBlock::Image(_) | ContentBlock::Other(_) => {}
        }
    }
    if text.is_empty() && calls.is_empty() {
        return None;
    }
    value["content"] = if text.is_empty() { Value::Null } else { json!(text) };
    if !calls.is_empty() {
        value["tool_calls"] = Value::Array(calls);
    }
    if !details.is_empty() {
        value["reasoning_details"] = Value::Array(details);
    }
    Some(value)
}

fn parsed(text: &str) -> Option<Value> {
    if !text.starts_with('{') {
        return None;
    }
    serde_json::from_str(text).ok()
}

/// Call ids as the server accepts them.
struct CallIds {
    nine: bool,
    given: HashMap<String, String>,
}

impl CallIds {
    fn new(compat: &Compat) -> Self {
        Self { nine: compat.tool_call_ids.as_deref() == Some("mistral"), given: HashMap::new() }
    }

    fn get(&mut self, id: &str) -> String {
        if !self.nine {
            return id.to_owned();
        }
        let next = self.given.len();
        self.given
            .entry(id.to_owned())
            .or_insert_with(|| {
                let plain: String = id.chars().filter(char::is_ascii_alphanumeric).collect();
                if plain.len() == 9 { plain } else { format!("call{next:05}") }
            })
            .clone()
    }
}

/// Names under which servers send their thinking.
const FIELDS: [&str; 3] = ["reasoning_content", "reasoning", "reasoning_text"];

#[derive(Deserialize, Default)]
struct Chunk {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Option<Value>,
    #[serde(default)]
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    delta: Option<Map<String, Value>>,
    /// Some servers send the last part as a message.
    #[serde(default)]
    message: Option<Map<String, Value>>,
    #[serde(default)]
    finish_reason: Option<String>,
    #[serde(default)]
    usage: Option<Value>,
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
    /// The field the open thinking came in, or the detail that signs it.
    signature: Option<String>,
    /// Provider's index of a call → ours.
    calls: BTreeMap<i64, usize>,
    call_ids: HashMap<usize, String>,
    /// Details that belong to a call, by its id.
    call_details: HashMap<String, String>,
    thought_signatures: HashMap<usize, String>,
    reason: Option<String>,
    started: bool,
}

impl<'a> Reader<'a> {
    fn new(sink: &'a Sink) -> Self {
        Self {
            sink,
            blocks: 0,
            open: None,
            signature: None,
            calls: BTreeMap::new(),
            call_ids: HashMap::new(),
            call_details: HashMap::new(),
            thought_signatures: HashMap::new(),
            reason: None,
            started: false,
        }
    }

    async fn read(mut self, mut events: Events) -> Result<Finish, ProviderError> {
        let mut done = false;
        while let Some(event) = events.next().await? {
            let data = event.data.trim();
            if data.is_empty() {
                continue;
            }
            if data == "[DONE]" {
                done = true;
                break;
            }
            self.chunk(sse::parse(data)?).await?;
        }
        if self.reason.is_none() && !done {
            return Err(ProviderError::cut());
        }
        self.close_open().await;
        for (_, index) in std::mem::take(&mut self.calls) {
            let detail = self.call_ids.get(&index).and_then(|id| self.call_details.remove(id));
            let thought_signature = self.thought_signatures.remove(&index).or(detail);
            self.sink.put(Piece::ToolEnd { index, arguments: None, thought_signature }).await;
        }
        let (reason, error) = stop_reason(self.reason.as_deref());
        Ok(Finish { reason, raw: self.reason, error })
    }

    async fn chunk(&mut self, chunk: Chunk) -> Result<(), ProviderError> {
        if let Some(error) = chunk.error {
            let text = json!({ "error": error }).to_string();
            let message = super::error::message_of(&text).unwrap_or(text);
            let status = error.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
            return Err(ProviderError::reported(status, &message));
        }
        if !self.started {
            self.started = true;
            self.sink.put(Piece::Start { response_id: chunk.id, response_model: chunk.model }).await;
        }
        if let Some(usage) = chunk.usage.as_ref().and_then(read_usage) {
            self.sink.put(Piece::Usage(usage)).await;
        }
        for choice in chunk.choices.into_iter().take(1) {
            if let Some(usage) = choice.usage.as_ref().and_then(read_usage) {
                self.sink.put(Piece::Usage(usage)).await;
            }
            if let Some(delta) = choice.delta.or(choice.message) {
                self.delta(delta).await;
            }
            self.reason = choice.finish_reason.or(self.reason.take());
        }
        Ok(())
    }

    async fn delta(&mut self, delta: Map<String, Value>) {
        let field =
            FIELDS.into_iter().find(|name| delta.get(*name).and_then(Value::as_str).is_some_and(|t| !t.is_empty()));
        if let Some((field, text)) = field.and_then(|field| Some((field, delta.get(field)?.as_str()?))) {
            self.thinking(text, field).await;
        }
        for detail in delta.get("reasoning_details").and_then(Value::as_array).into_iter().flatten() {
            self.detail(detail);
        }
        match delta.get("content") {
            Some(Value::String(text)) if !text.is_empty() => self.text(text).await,
            // Mistral sends parts once a model thinks.
            Some(Value::Array(parts)) => {
                for part in parts {
                    self.part(part).await;
                }
            }
            _ => {}
        }
        for call in delta.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
            self.call(call).await;
        }
    }

    async fn part(&mut self, part: &Value) {
        let text = |part: &Value| part.get("text").and_then(Value::as_str).unwrap_or_default().to_owned();
        match part.get("type").and_then(Value::as_str) {
            Some("thinking") => {
                for inner in part.get("thinking").and_then(Value::as_array).into_iter().flatten() {
                    self.thinking(&text(inner), "thinking").await;
                }
            }
            _ => {
                let text = text(part);
                if !text.is_empty() {
                    self.text(&text).await;
                }
            }
        }
    }

    async fn thinking(&mut self, text: &str, field: &str) {
        let index = match self.open {
            Some(Open::Thinking(index)) => index,
            _ => {
                self.close_open().await;
                let index = self.next_block();
                self.sink.put(Piece::ThinkingStart { index }).await;
                self.open = Some(Open::Thinking(index));
                self.signature = Some(field.to_owned());
                index
            }
        };
        self.sink.put(Piece::ThinkingDelta { index, delta: text.to_owned() }).await;
    }

    /// Encrypted reasoning is kept with the call it belongs to.
    fn detail(&mut self, detail: &Value) {
        let kind = detail.get("type").and_then(Value::as_str);
        if kind == Some("reasoning.encrypted")
            && let Some(id) = detail.get("id").and_then(Value::as_str)
        {
            self.call_details.insert(id.to_owned(), detail.to_string());
        }
    }

    async fn text(&mut self, text: &str) {
        let index = match self.open {
            Some(Open::Text(index)) => index,
            _ => {
                self.close_open().await;
                let index = self.next_block();
                self.sink.put(Piece::TextStart { index }).await;
                self.open = Some(Open::Text(index));
                index
            }
        };
        self.sink.put(Piece::TextDelta { index, delta: text.to_owned() }).await;
    }

    async fn call(&mut self, call: &Value) {
        let id = call.get("id").and_then(Value::as_str).filter(|id| !id.is_empty());
        let function = call.get("function");
        let name = function.and_then(|f| f.get("name")).and_then(Value::as_str).filter(|name| !name.is_empty());
        // Servers without indexes send each call whole, with its id.
        let key = call.get("index").and_then(Value::as_i64).unwrap_or_else(|| {
            let known = id.and_then(|id| {
                self.calls
                    .iter()
                    .find(|(_, index)| self.call_ids.get(index).is_some_and(|k| k == id))
                    .map(|(key, _)| *key)
            });
            known.unwrap_or(match (id, name) {
                (None, None) => self.calls.keys().next_back().copied().unwrap_or(0),
                _ => self.calls.keys().next_back().map_or(0, |last| last + 1),
            })
        });
        // Ollama once gave every call of a message the index 0.
        let same_call = self.calls.get(&key).is_none_or(|index| match (id, self.call_ids.get(index)) {
            (Some(id), Some(known)) => id == known,
            _ => true,
        });
        let key = if same_call { key } else { self.calls.keys().next_back().map_or(0, |last| last + 1) };
        let index = match self.calls.get(&key) {
            Some(index) => *index,
            None => {
                self.close_open().await;
                let index = self.next_block();
                let id = id.map_or_else(|| format!("call_{}", uuid::Uuid::new_v4().simple()), str::to_owned);
                self.sink
                    .put(Piece::ToolStart { index, id: id.clone(), name: name.unwrap_or_default().to_owned() })
                    .await;
                self.calls.insert(key, index);
                self.call_ids.insert(index, id);
                index
            }
        };
        if let Some(signature) = call.pointer("/extra_content/google/thought_signature").and_then(Value::as_str) {
            self.thought_signatures.insert(index, signature.to_owned());
        }
        match function.and_then(|f| f.get("arguments")) {
            Some(Value::String(text)) if !text.is_empty() => {
                self.sink.put(Piece::ToolDelta { index, delta: text.clone() }).await;
            }
            Some(object @ Value::Object(_)) => {
                self.sink.put(Piece::ToolDelta { index, delta: object.to_string() }).await;
            }
            _ => {}
        }
    }

    fn next_block(&mut self) -> usize {
        self.blocks += 1;
        self.blocks - 1
    }

    async fn close_open(&mut self) {
        match self.open.take() {
            Some(Open::Text(index)) => self.sink.put(Piece::TextEnd { index, signature: None }).await,
            Some(Open::Thinking(index)) => {
                let signature = self.signature.take();
                self.sink.put(Piece::ThinkingEnd { index, signature, redacted: false }).await;
            }
            None => {}
        }
    }
}

fn read_usage(value: &Value) -> Option<Usage> {
    let number = |pointer: &str| value.pointer(pointer).and_then(Value::as_u64);
    let prompt = number("/prompt_tokens")?;
    let output = number("/completion_tokens").unwrap_or(0);
    let cached =
        number("/prompt_tokens_details/cached_tokens").or_else(|| number("/prompt_cache_hit_tokens")).unwrap_or(0);
    let written = number("/prompt_tokens_details/cache_write_tokens").unwrap_or(0);
    let reasoning = number("/completion_tokens_details/reasoning_tokens");
    let input = prompt.saturating_sub(cached + written);
    Some(Usage {
        input,
        output,
        cache_read: cached,
        cache_write: written,
        reasoning,
        total_tokens: number("/total_tokens").unwrap_or(prompt + output),
        ..Usage::default()
    })
}

fn stop_reason(raw: Option<&str>) -> (StopReason, Option<ProviderError>) {
    match raw {
        Some("length" | "max_tokens") => (StopReason::Length, None),
        Some("tool_calls" | "function_call") => (StopReason::ToolUse, None),
        Some("content_filter") => (
            StopReason::Error,
            Some(ProviderError::new(super::ErrorKind::Rejected, "the provider's content filter stopped the answer")),
        ),
        Some("error") | Some("network_error") => (
            StopReason::Error,
            Some(ProviderError::reported(None, "provider returned error in the middle of the answer")),
        ),
        _ => (StopReason::Stop, None),
    }
}

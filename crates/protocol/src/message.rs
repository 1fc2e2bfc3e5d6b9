//! What a conversation consists of: messages, their content, what they cost.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::events::RawJson;
use crate::ids::CommandId;
use crate::json::{JsonObject, UnixMs, tagged, wire, words};

tagged! {
    /// One entry of a transcript.
    ///
    /// A message is known by `toolCallId` (tool results), else by role and `id`, else by role and `timestamp`; so `timestamp` is the
    /// same wherever the message appears.
    pub enum Message by "role" {
        User = "user" (UserMessage),
        Assistant = "assistant" (AssistantMessage),
        ToolResult = "toolResult" | "tool_result" | "toolresult" (ToolResultMessage),
        /// Made by an extension.
        Custom = "custom" (CustomMessage),
        /// A command the user ran by hand.
        BashExecution = "bashExecution" (BashExecutionMessage),
        /// Stands for everything before it.
        CompactionSummary = "compactionSummary" (CompactionSummaryMessage),
        /// What happened on a branch that was left.
        BranchSummary = "branchSummary" (BranchSummaryMessage),
    } else {
        /// A role this version does not know, or a message it cannot read: kept as it came.
        Other
    }
}

impl Message {
    pub fn role(&self) -> std::borrow::Cow<'_, str> {
        self.tag()
    }

    pub fn timestamp(&self) -> Option<UnixMs> {
        match self {
            Self::User(message) => Some(message.timestamp),
            Self::Assistant(message) => Some(message.timestamp),
            Self::ToolResult(message) => Some(message.timestamp),
            Self::Custom(message) => Some(message.timestamp),
            Self::BashExecution(message) => Some(message.timestamp),
            Self::CompactionSummary(message) => Some(message.timestamp),
            Self::BranchSummary(message) => Some(message.timestamp),
            Self::Other(raw) => raw.to::<JsonObject>().ok()?.get_as("timestamp"),
        }
    }

    /// The readable text of this message: text blocks joined by newlines. Thinking, calls and pictures have none.
    pub fn text(&self) -> String {
        fn joined(content: &[ContentBlock]) -> String {
            let texts: Vec<&str> = content.iter().filter_map(ContentBlock::as_text).collect();
            texts.join("\n")
        }
        match self {
            Self::User(UserMessage { content, .. }) | Self::Custom(CustomMessage { content, .. }) => content.text(),
            Self::Assistant(message) => joined(&message.content),
            Self::ToolResult(message) => joined(&message.content),
            Self::BashExecution(message) => message.output.clone(),
            Self::CompactionSummary(message) => message.summary.clone(),
            Self::BranchSummary(message) => message.summary.clone(),
            Self::Other(_) => String::new(),
        }
    }
}

wire! {
    pub struct UserMessage {
        id?: String,
        /// The command it came from.
        request_id?: CommandId,
        content: MessageContent,
        #[serde(deserialize_with = "crate::json::millis")]
        timestamp: UnixMs,
    }

    pub struct AssistantMessage {
        id?: String,
        /// Text, thinking and tool calls, in the order the model made them.
        content: Vec<ContentBlock>,
        /// The family of APIs it came through, such as `anthropic-messages`.
        api: String,
        provider: String,
        /// The model that was asked.
        model: String,
        /// The model that says it answered, when it is another.
        response_model?: String,
        response_id?: String,
        usage: Usage,
        stop_reason: StopReason,
        /// Present with `stopReason: "error"`.
        error_message?: String,
        /// The provider's own word for why it stopped.
        raw_stop_reason?: String,
        end_turn?: bool,
        deferred?: RawJson,
        diagnostics?: Vec<RawJson>,
        #[serde(deserialize_with = "crate::json::millis")]
        timestamp: UnixMs,
    }

    pub struct ToolResultMessage {
        id?: String,
        tool_call_id: String,
        tool_name: String,
        /// What the model reads.
        content: Vec<ContentBlock>,
        /// What a user interface reads.
        details?: RawJson,
        usage?: Usage,
        added_tool_names?: Vec<String>,
        is_error: bool,
        #[serde(deserialize_with = "crate::json::millis")]
        timestamp: UnixMs,
    }

    pub struct CustomMessage {
        id?: String,
        custom_type: String,
        content: MessageContent,
        /// Is it shown to people?
        display: bool,
        details?: RawJson,
        #[serde(deserialize_with = "crate::json::millis")]
        timestamp: UnixMs,
    }

    pub struct BashExecutionMessage {
        id?: String,
        command: String,
        output: String,
        exit_code?: i32,
        cancelled: bool,
        truncated: bool,
        /// Where all of the output lies, when `output` was truncated.
        full_output_path?: String,
        exclude_from_context?: bool,
        #[serde(deserialize_with = "crate::json::millis")]
        timestamp: UnixMs,
    }

    pub struct CompactionSummaryMessage {
        id?: String,
        summary: String,
        #[serde(deserialize_with = "crate::json::count")]
        tokens_before: u64,
        #[serde(deserialize_with = "crate::json::millis")]
        timestamp: UnixMs,
    }

    pub struct BranchSummaryMessage {
        id?: String,
        summary: String,
        from_id: String,
        #[serde(deserialize_with = "crate::json::millis")]
        timestamp: UnixMs,
    }
}

words! {
    /// Why the model stopped.
    pub enum StopReason {
        /// It has not: the message is still growing.
        Pending = "pending",
        Stop = "stop",
        Length = "length",
        ToolUse = "toolUse",
        Error = "error",
        Aborted = "aborted",
        Deferred = "deferred",
    }
}

/// Plain text, or blocks of text and pictures.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
#[serde(untagged)]
pub enum MessageContent {
    Text(String),
    Blocks(Vec<ContentBlock>),
}

impl MessageContent {
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Blocks(blocks) => {
                let texts: Vec<&str> = blocks.iter().filter_map(ContentBlock::as_text).collect();
                texts.join("\n")
            }
        }
    }
}

impl From<String> for MessageContent {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for MessageContent {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<Vec<ContentBlock>> for MessageContent {
    fn from(blocks: Vec<ContentBlock>) -> Self {
        Self::Blocks(blocks)
    }
}

impl<'de> Deserialize<'de> for MessageContent {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let raw = RawJson::deserialize(deserializer)?;
        if raw.get().starts_with('"') {
            return raw.to().map(Self::Text).map_err(D::Error::custom);
        }
        raw.to().map(Self::Blocks).map_err(D::Error::custom)
    }
}

tagged! {
    /// One piece of a message.
    pub enum ContentBlock by "type" {
        Text = "text" (TextBlock),
        Thinking = "thinking" (ThinkingBlock),
        Image = "image" (ImageBlock),
        ToolCall = "toolCall" (ToolCallBlock),
    } else {
        /// A block this version does not know: kept as it came.
        Other
    }
}

impl ContentBlock {
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(TextBlock {
            text: text.into(),
            text_signature: None,
            server_tool_use: None,
            web_search_result: None,
        })
    }

    pub fn thinking(thinking: impl Into<String>) -> Self {
        Self::Thinking(ThinkingBlock {
            thinking: thinking.into(),
            thinking_signature: None,
            redacted: None,
            duration_seconds: None,
        })
    }

    /// `data` is base64.
    pub fn image(data: impl Into<String>, mime_type: impl Into<String>) -> Self {
        Self::Image(ImageBlock { data: Some(data.into()), mime_type: Some(mime_type.into()), ..ImageBlock::default() })
    }

    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(block) => Some(&block.text),
            _ => None,
        }
    }
}

wire! {
    pub struct TextBlock {
        text: String,
        text_signature?: String,
        /// A search the provider ran by itself; `text` is empty then.
        #[serde(rename = "_serverToolUse")]
        server_tool_use?: RawJson,
        /// What that search found.
        #[serde(rename = "_webSearchResult")]
        web_search_result?: RawJson,
    }

    pub struct ThinkingBlock {
        thinking: String,
        /// The provider's proof that the thinking is its own; sent back unchanged.
        thinking_signature?: String,
        redacted?: bool,
        /// Added by the relay. Units: seconds, rounded up.
        duration_seconds?: u64,
    }

    /// A picture: inline (`data`, base64) or by reference (`source`).
    #[derive(Default)]
    pub struct ImageBlock {
        data?: String,
        mime_type?: String,
        source?: ImageSource,
        path?: String,
        width?: f64,
        height?: f64,
    }

    #[derive(Default)]
    pub struct ImageSource {
        #[serde(rename = "type")]
        kind?: String,
        data?: String,
        /// `/api/attachments/{id}` after the relay took the picture out of the event.
        url?: String,
        #[serde(rename = "media_type")]
        media_type?: String,
        extracted?: bool,
        original_size_bytes?: u64,
    }

    pub struct ToolCallBlock {
        id: String,
        name: String,
        /// An object; its shape is the tool's own.
        arguments: RawJson,
        thought_signature?: String,
        namespace?: String,
    }

    /// Tokens of one answer and their price.
    #[derive(Default)]
    pub struct Usage {
        #[serde(deserialize_with = "crate::json::count")]
        input: u64,
        #[serde(deserialize_with = "crate::json::count")]
        output: u64,
        #[serde(default, deserialize_with = "crate::json::count")]
        cache_read: u64,
        #[serde(default, deserialize_with = "crate::json::count")]
        cache_write: u64,
        #[serde(rename = "cacheWrite1h")]
        cache_write_1h?: u64,
        /// Part of `output` that was thinking.
        reasoning?: u64,
        #[serde(default, deserialize_with = "crate::json::count")]
        total_tokens: u64,
        #[serde(default)]
        cost: Cost,
    }

    /// Units: US dollars.
    #[derive(Default)]
    pub struct Cost {
        input: f64,
        output: f64,
        cache_read: f64,
        cache_write: f64,
        total: f64,
    }
}

tagged! {
    /// What just happened to a message that is still growing.
    pub enum AssistantMessageEvent by "type" {
        Start = "start" (StreamStart),
        TextStart = "text_start" (StreamBlock),
        TextDelta = "text_delta" (StreamDelta),
        TextEnd = "text_end" (StreamText),
        ThinkingStart = "thinking_start" (StreamBlock),
        ThinkingDelta = "thinking_delta" (StreamDelta),
        ThinkingEnd = "thinking_end" (StreamText),
        ToolcallStart = "toolcall_start" (StreamBlock),
        ToolcallDelta = "toolcall_delta" (StreamDelta),
        ToolcallEnd = "toolcall_end" (StreamToolCall),
        Done = "done" (StreamDone),
        Error = "error" (StreamError),
    } else {
        /// Something this version does not know: kept as it came.
        Other
    }
}

wire! {
    #[derive(Default)]
    pub struct StreamStart {
        partial?: Message,
    }

    pub struct StreamBlock {
        /// Which block of the message.
        content_index: u32,
        /// The whole message so far. May be left out: the event's `message` says the same.
        partial?: Message,
    }

    pub struct StreamDelta {
        content_index: u32,
        delta: String,
        partial?: Message,
    }

    pub struct StreamText {
        content_index: u32,
        content: String,
        partial?: Message,
    }

    pub struct StreamToolCall {
        content_index: u32,
        tool_call: ContentBlock,
        partial?: Message,
    }

    pub struct StreamDone {
        reason: String,
        message?: Message,
    }

    pub struct StreamError {
        reason: String,
        error?: Message,
    }
}

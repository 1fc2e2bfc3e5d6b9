//! From the transcript to what a model receives: only user, assistant and tool result messages, in a form the model accepts.

use std::collections::{HashMap, HashSet};

use pizzapi_protocol::{
    AssistantMessage, BashExecutionMessage, ContentBlock, Message, MessageContent, StopReason, ThinkingBlock,
    ToolCallBlock, ToolResultMessage, UserMessage,
};

use crate::model::ModelSpec;

/// Longest tool call id every provider accepts. Units: characters.
const MAX_CALL_ID: usize = 64;
const NO_RESULT: &str = "No result: the call was interrupted before it finished.";
const NO_IMAGES: &str = "[image left out: this model cannot see images]";

/// The opening and closing words around a compaction summary; also what a person reads in exports.
pub const SUMMARY_OPEN: &str =
    "The earlier part of this conversation was replaced by the following summary:\n\n<summary>\n";
pub const SUMMARY_CLOSE: &str = "\n</summary>";

/// Turn a branch of the transcript into a request's messages.
pub fn prepare(messages: &[Message], model: &ModelSpec, block_images: bool) -> Vec<Message> {
    let images = model.accepts_images() && !block_images;
    let mut out: Vec<Message> = Vec::with_capacity(messages.len());
    let mut ids: HashMap<String, String> = HashMap::new();
    let mut open = OpenCalls::default();
    let mut dropped: HashSet<String> = HashSet::new();
    for message in messages {
        match message {
            Message::Assistant(assistant) => {
                open.close(&mut out);
                if matches!(assistant.stop_reason, StopReason::Error | StopReason::Aborted) {
                    dropped.extend(calls(assistant).map(|call| call.id.clone()));
                    continue;
                }
                let adapted = adapt(assistant, model, &mut ids);
                if adapted.content.is_empty() {
                    continue;
                }
                open.opened(&adapted);
                out.push(Message::Assistant(adapted));
            }
            Message::ToolResult(result) => {
                if dropped.contains(&result.tool_call_id) {
                    continue;
                }
                let mut result = result.clone();
                if let Some(id) = ids.get(&result.tool_call_id) {
                    result.tool_call_id.clone_from(id);
                }
                // A result without its call is refused by every provider.
                if !open.answered(&result.tool_call_id) {
                    continue;
                }
                if !images {
                    result.content = without_images(&result.content);
                }
                out.push(Message::ToolResult(result));
            }
            other => {
                let Some(content) = user_content(other) else { continue };
                open.close(&mut out);
                let content = match content {
                    MessageContent::Blocks(blocks) if !images => MessageContent::Blocks(without_images(&blocks)),
                    content => content,
                };
                let timestamp = other.timestamp().unwrap_or_default();
                out.push(Message::User(UserMessage { id: None, request_id: None, content, timestamp }));
            }
        }
    }
    open.close(&mut out);
    out
}

/// What a message that is neither the model's nor a tool's says to the model.
fn user_content(message: &Message) -> Option<MessageContent> {
    match message {
        Message::User(user) => Some(user.content.clone()),
        Message::Custom(custom) => Some(custom.content.clone()),
        Message::BashExecution(bash) if bash.exclude_from_context != Some(true) => Some(bash_text(bash).into()),
        Message::CompactionSummary(summary) => Some(format!("{SUMMARY_OPEN}{}{SUMMARY_CLOSE}", summary.summary).into()),
        Message::BranchSummary(summary) => Some(
            format!(
                "This conversation returned from another branch. What happened there:\n\n<summary>\n{}\n</summary>",
                summary.summary
            )
            .into(),
        ),
        Message::BashExecution(_) | Message::Assistant(_) | Message::ToolResult(_) | Message::Other(_) => None,
    }
}

fn bash_text(bash: &BashExecutionMessage) -> String {
    let mut text = format!("The user ran `{}`:\n", bash.command);
    if bash.output.is_empty() {
        text.push_str("(no output)");
    } else {
        text.push_str(&format!("```\n{}\n```", bash.output));
    }
    match (bash.cancelled, bash.exit_code) {
        (true, _) => text.push_str("\n(cancelled by the user)"),
        (false, Some(code)) if code != 0 => text.push_str(&format!("\n(exit code {code})")),
        _ => {}
    }
    if let Some(path) = bash.full_output_path.as_ref().filter(|_| bash.truncated) {
        text.push_str(&format!("\n(output shortened; all of it: {path})"));
    }
    text
}

fn calls(message: &AssistantMessage) -> impl Iterator<Item = &ToolCallBlock> {
    message.content.iter().filter_map(|block| match block {
        ContentBlock::ToolCall(call) => Some(call),
        _ => None,
    })
}

/// The message as the target model may see it.
fn adapt(message: &AssistantMessage, model: &ModelSpec, ids: &mut HashMap<String, String>) -> AssistantMessage {
    let same = message.provider == model.provider && message.model == model.id && message.api == model.api.as_str();
    let mut adapted = message.clone();
    adapted.content = message.content.iter().filter_map(|block| adapt_block(block, same, ids)).collect();
    adapted
}

fn adapt_block(block: &ContentBlock, same: bool, ids: &mut HashMap<String, String>) -> Option<ContentBlock> {
    match block {
        ContentBlock::Text(text) if text.text.trim().is_empty() => None,
        ContentBlock::Text(text) => {
            let mut text = text.clone();
            if !same {
                text.text_signature = None;
            }
            Some(ContentBlock::Text(text))
        }
        ContentBlock::Thinking(thinking) if same => {
            let silent = thinking.thinking.trim().is_empty() && thinking.thinking_signature.is_none();
            (!silent).then(|| ContentBlock::Thinking(thinking.clone()))
        }
        ContentBlock::Thinking(ThinkingBlock { redacted: Some(true), .. }) => None,
        ContentBlock::Thinking(thinking) => {
            (!thinking.thinking.trim().is_empty()).then(|| ContentBlock::text(thinking.thinking.clone()))
        }
        ContentBlock::ToolCall(call) => {
            let mut call = call.clone();
            if !same {
                call.thought_signature = None;
                let plain = plain_id(&call.id, ids);
                ids.insert(call.id.clone(), plain.clone());
                call.id = plain;
            }
            Some(ContentBlock::ToolCall(call))
        }
        ContentBlock::Image(_) | ContentBlock::Other(_) => None,
    }
}

/// An id of letters, digits, `_` and `-`, at most 64 long, different from those already given.
fn plain_id(id: &str, taken: &HashMap<String, String>) -> String {
    if let Some(known) = taken.get(id) {
        return known.clone();
    }
    let clean = |c: char| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' };
    let base: String = id.chars().map(clean).take(MAX_CALL_ID).collect();
    let base = if base.is_empty() { "call".to_owned() } else { base };
    if !taken.values().any(|other| *other == base) {
        return base;
    }
    (2..)
        .map(|n| {
            let suffix = format!("_{n}");
            let head: String = base.chars().take(MAX_CALL_ID - suffix.len()).collect();
            format!("{head}{suffix}")
        })
        .find(|candidate| !taken.values().any(|other| other == candidate))
        .unwrap_or(base)
}

fn without_images(blocks: &[ContentBlock]) -> Vec<ContentBlock> {
    blocks
        .iter()
        .map(|block| match block {
            ContentBlock::Image(_) => ContentBlock::text(NO_IMAGES),
            other => other.clone(),
        })
        .collect()
}

/// Calls that still wait for their results.
#[derive(Default)]
struct OpenCalls(Vec<(String, String)>);

impl OpenCalls {
    fn opened(&mut self, message: &AssistantMessage) {
        self.0 = calls(message).map(|call| (call.id.clone(), call.name.clone())).collect();
    }

    fn answered(&mut self, id: &str) -> bool {
        let at = self.0.iter().position(|(open, _)| open == id);
        at.map(|at| self.0.remove(at)).is_some()
    }

    fn close(&mut self, out: &mut Vec<Message>) {
        for (tool_call_id, tool_name) in self.0.drain(..) {
            out.push(Message::ToolResult(ToolResultMessage {
                id: None,
                tool_call_id,
                tool_name,
                content: vec![ContentBlock::text(NO_RESULT)],
                details: None,
                usage: None,
                added_tool_names: None,
                is_error: true,
                timestamp: 0,
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Api, ModelEntry, ProviderEntry};
    use pizzapi_protocol::{RawJson, Usage};

    fn model() -> ModelSpec {
        ModelEntry { id: "m".into(), ..ModelEntry::default() }
            .resolve("p", &ProviderEntry { api: Some(Api::AnthropicMessages), ..ProviderEntry::default() })
            .expect("api is named")
    }

    fn assistant(model: &str, stop_reason: StopReason, content: Vec<ContentBlock>) -> Message {
        Message::Assistant(AssistantMessage {
            id: None,
            content,
            api: "anthropic-messages".into(),
            provider: "p".into(),
            model: model.into(),
            response_model: None,
            response_id: None,
            usage: Usage::default(),
            stop_reason,
            error_message: None,
            raw_stop_reason: None,
            end_turn: None,
            deferred: None,
            diagnostics: None,
            timestamp: 1,
        })
    }

    fn call(id: &str) -> ContentBlock {
        ContentBlock::ToolCall(ToolCallBlock {
            id: id.into(),
            name: "ls".into(),
            arguments: RawJson::parse("{}".into()).expect("json"),
            thought_signature: Some("sig".into()),
            namespace: None,
        })
    }

    fn signed(text: &str) -> ContentBlock {
        ContentBlock::Thinking(ThinkingBlock {
            thinking: text.into(),
            thinking_signature: Some("s".into()),
            redacted: None,
            duration_seconds: None,
        })
    }

    #[test]
    fn an_interrupted_call_gets_an_error_result_and_a_failed_answer_disappears() {
        let messages = [
            assistant("m", StopReason::ToolUse, vec![call("a")]),
            Message::User(UserMessage { id: None, request_id: None, content: "next".into(), timestamp: 2 }),
            assistant("m", StopReason::Aborted, vec![ContentBlock::text("half"), call("b")]),
        ];
        let out = prepare(&messages, &model(), false);
        assert_eq!(out.len(), 3);
        assert!(matches!(&out[1], Message::ToolResult(r) if r.is_error && r.tool_call_id == "a"));
        assert!(matches!(&out[2], Message::User(_)));
    }

    #[test]
    fn thinking_of_another_model_becomes_text_and_its_ids_are_made_plain_everywhere() {
        let result = |id: &str| {
            Message::ToolResult(ToolResultMessage {
                id: None,
                tool_call_id: id.into(),
                tool_name: "ls".into(),
                content: vec![ContentBlock::text("x")],
                details: None,
                usage: None,
                added_tool_names: None,
                is_error: false,
                timestamp: 3,
            })
        };
        let messages = [
            assistant("other", StopReason::ToolUse, vec![signed("hm"), call("c|1"), call("c/1")]),
            result("c|1"),
            result("c/1"),
        ];
        let out = prepare(&messages, &model(), false);
        let Message::Assistant(first) = &out[0] else { panic!("an assistant message") };
        assert_eq!(first.content[0], ContentBlock::text("hm"));
        let ids: Vec<&str> = calls(first).map(|c| c.id.as_str()).collect();
        assert_eq!(ids, ["c_1", "c_1_2"]);
        assert!(matches!(&out[1], Message::ToolResult(r) if r.tool_call_id == "c_1" && !r.is_error));
        assert!(matches!(&out[2], Message::ToolResult(r) if r.tool_call_id == "c_1_2" && !r.is_error));
    }

    #[test]
    fn the_same_model_gets_its_signatures_back() {
        let messages = [assistant("m", StopReason::Stop, vec![signed("hm"), ContentBlock::text("hi")])];
        let out = prepare(&messages, &model(), false);
        assert!(matches!(&out[0], Message::Assistant(a) if a.content[0] == signed("hm")));
    }
}

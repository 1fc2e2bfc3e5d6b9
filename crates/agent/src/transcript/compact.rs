//! What is kept and what is summarised when a conversation grows too long. Pure: the summary itself is asked for elsewhere.

use std::borrow::Cow;
use std::collections::BTreeSet;

use pizzapi_protocol::{ContentBlock, Message, MessageContent, RawJson, StopReason};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Transcript;
use super::entry::{Entry, EntryKind};

/// A picture, in characters of text. Four characters are about one token.
const IMAGE_CHARACTERS: u64 = 4800;
const CHARACTERS_PER_TOKEN: u64 = 4;
/// Longest tool result that goes into a summary request. Units: characters.
const MAX_RESULT_CHARACTERS: usize = 2000;

/// Settings `compaction`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CompactionSettings {
    pub enabled: bool,
    /// Tokens of the window that stay free for the answer.
    pub reserve_tokens: u64,
    /// Tokens at the end of the conversation that are kept word for word.
    pub keep_recent_tokens: u64,
}

impl Default for CompactionSettings {
    fn default() -> Self {
        Self { enabled: true, reserve_tokens: 16_384, keep_recent_tokens: 20_000 }
    }
}

/// Estimated tokens of one message.
pub fn estimate(message: &Message) -> u64 {
    let blocks = |blocks: &[ContentBlock]| blocks.iter().map(block_characters).sum::<u64>();
    let content = |content: &MessageContent| match content {
        MessageContent::Text(text) => characters(text),
        MessageContent::Blocks(list) => blocks(list),
    };
    let count = match message {
        Message::User(message) => content(&message.content),
        Message::Custom(message) => content(&message.content),
        Message::Assistant(message) => blocks(&message.content),
        Message::ToolResult(message) => blocks(&message.content),
        Message::BashExecution(message) => characters(&message.command) + characters(&message.output),
        Message::CompactionSummary(message) => characters(&message.summary),
        Message::BranchSummary(message) => characters(&message.summary),
        Message::Other(_) => 0,
    };
    count.div_ceil(CHARACTERS_PER_TOKEN)
}

fn characters(text: &str) -> u64 {
    text.chars().count() as u64
}

fn block_characters(block: &ContentBlock) -> u64 {
    match block {
        ContentBlock::Text(block) => characters(&block.text),
        ContentBlock::Thinking(block) => characters(&block.thinking),
        ContentBlock::ToolCall(block) => characters(&block.name) + block.arguments.get().len() as u64,
        ContentBlock::Image(_) => IMAGE_CHARACTERS,
        ContentBlock::Other(_) => 0,
    }
}

/// Tokens in the context: the last counted answer plus an estimate of what follows. None = unknown, right after a compaction.
pub fn context_tokens(transcript: &Transcript) -> Option<u64> {
    let context = transcript.context();
    let last_cut = transcript.last_compaction().map(|entry| entry.timestamp.as_str());
    let counted = context.iter().rposition(|(entry, message)| {
        counted_usage(message).is_some() && last_cut.is_none_or(|cut| entry.timestamp.as_str() > cut)
    });
    match counted {
        Some(at) => {
            let base = counted_usage(&context[at].1).unwrap_or(0);
            Some(base + context[at + 1..].iter().map(|(_, message)| estimate(message)).sum::<u64>())
        }
        None if last_cut.is_some() => None,
        None => Some(context.iter().map(|(_, message)| estimate(message)).sum()),
    }
}

/// An estimate even where the exact value is unknown.
pub fn estimated_tokens(transcript: &Transcript) -> u64 {
    context_tokens(transcript)
        .unwrap_or_else(|| transcript.context().iter().map(|(_, message)| estimate(message)).sum())
}

fn counted_usage(message: &Message) -> Option<u64> {
    match message {
        Message::Assistant(message)
            if !matches!(message.stop_reason, StopReason::Error | StopReason::Aborted)
                && message.usage.total_tokens > 0 =>
        {
            Some(message.usage.total_tokens)
        }
        _ => None,
    }
}

/// What a compaction will do.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The first entry that stays.
    pub first_kept: Option<String>,
    /// What the summary is made of.
    pub to_summarise: Vec<Message>,
    /// The beginning of the turn the cut falls into, summarised for itself.
    pub turn_prefix: Vec<Message>,
    /// The summary this one continues.
    pub previous: Option<String>,
    pub files: Files,
    pub tokens_before: u64,
}

/// Files a conversation touched; cumulative over compactions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Files {
    pub read_files: BTreeSet<String>,
    pub modified_files: BTreeSet<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NothingToDo {
    #[error("Already compacted")]
    AlreadyCompacted,
    #[error("Nothing to compact")]
    NothingToCompact,
}

/// Decide the cut. Walks back until `keep` tokens are gathered; never cuts at a tool result.
pub fn plan(transcript: &Transcript, keep: u64) -> Result<Plan, NothingToDo> {
    let branch = transcript.branch();
    if matches!(branch.last().map(|entry| &entry.kind), Some(EntryKind::Compaction { .. })) {
        return Err(NothingToDo::AlreadyCompacted);
    }
    let context = transcript.context();
    let first = context.first().map(|(entry, message)| (&entry.kind, message.as_ref()));
    let (previous, body) = match first {
        Some((EntryKind::Compaction { .. }, Message::CompactionSummary(summary))) => {
            (Some(summary.summary.clone()), &context[1..])
        }
        _ => (None, &context[..]),
    };
    if body.is_empty() {
        return Err(NothingToDo::NothingToCompact);
    }
    let cut = cut_at(body, keep);
    if cut == 0 {
        return Err(NothingToDo::NothingToCompact);
    }
    // The turn a cut falls into begins with its user message.
    let starts_turn = |message: &Message| !matches!(message, Message::Assistant(_) | Message::ToolResult(_));
    let turn_start = match body.get(cut) {
        Some((_, message)) if !starts_turn(message) => {
            body[..cut].iter().rposition(|(_, m)| starts_turn(m)).unwrap_or(cut)
        }
        _ => cut,
    };
    let mut files = previous_files(transcript);
    for (_, message) in &body[..cut] {
        note_files(message, &mut files);
    }
    let messages =
        |range: &[(&Entry, Cow<'_, Message>)]| range.iter().map(|(_, message)| message.as_ref().clone()).collect();
    Ok(Plan {
        first_kept: body.get(cut).map(|(entry, _)| entry.id.clone()),
        to_summarise: messages(&body[..turn_start]),
        turn_prefix: messages(&body[turn_start..cut]),
        previous,
        files,
        tokens_before: estimated_tokens(transcript),
    })
}

/// The index of the first message that stays.
fn cut_at(body: &[(&Entry, Cow<'_, Message>)], keep: u64) -> usize {
    let mut gathered = 0;
    let mut cut = body.len();
    for at in (0..body.len()).rev() {
        gathered += estimate(&body[at].1);
        if gathered > keep {
            break;
        }
        cut = at;
    }
    // A result belongs to its call: move forward to a place where a cut is allowed.
    while cut < body.len() && matches!(*body[cut].1, Message::ToolResult(_)) {
        cut += 1;
    }
    cut
}

fn previous_files(transcript: &Transcript) -> Files {
    match transcript.last_compaction().map(|entry| &entry.kind) {
        Some(EntryKind::Compaction { details: Some(details), .. }) => details.to().unwrap_or_default(),
        _ => Files::default(),
    }
}

fn note_files(message: &Message, files: &mut Files) {
    let Message::Assistant(assistant) = message else { return };
    for block in &assistant.content {
        let ContentBlock::ToolCall(call) = block else { continue };
        let Ok(arguments) = call.arguments.to::<Value>() else { continue };
        let path = ["path", "file_path"].into_iter().find_map(|key| arguments.get(key).and_then(Value::as_str));
        let Some(path) = path else { continue };
        match call.name.as_str() {
            "read" => files.read_files.insert(path.to_owned()),
            "write" | "edit" => files.modified_files.insert(path.to_owned()),
            _ => false,
        };
    }
}

impl Files {
    /// The lists as they stand below a summary; empty when there is nothing to say.
    pub fn text(&self) -> String {
        let section = |tag: &str, files: &BTreeSet<String>| match files.is_empty() {
            true => String::new(),
            false => {
                let list: Vec<&str> = files.iter().map(String::as_str).collect();
                format!("\n\n<{tag}>\n{}\n</{tag}>", list.join("\n"))
            }
        };
        let only_read: BTreeSet<String> = self.read_files.difference(&self.modified_files).cloned().collect();
        section("read-files", &only_read) + &section("modified-files", &self.modified_files)
    }

    pub fn details(&self) -> Option<RawJson> {
        RawJson::new(self).ok()
    }
}

/// The request for a summary: instructions and the conversation as text.
pub fn summary_request(plan: &Plan, focus: Option<&str>) -> String {
    let mut text =
        String::from("Below is a conversation between a person and a coding agent, as text.\n\n<conversation>\n");
    text.push_str(&as_text(&plan.to_summarise));
    text.push_str("\n</conversation>\n\n");
    if let Some(previous) = &plan.previous {
        text.push_str("An earlier part was summarised before:\n\n<previous-summary>\n");
        text.push_str(previous);
        text.push_str(
            "\n</previous-summary>\n\nWrite the summary anew so that it covers both: keep what still matters, move finished work, \
             correct what changed, drop what is settled.\n\n",
        );
    }
    text.push_str(SECTIONS);
    if let Some(focus) = focus.map(str::trim).filter(|focus| !focus.is_empty()) {
        text.push_str(&format!("\n\nPay particular attention to: {focus}"));
    }
    text
}

const SECTIONS: &str = "Write what another agent needs to go on with this work without having seen the conversation. \
Use exactly these headings, and nothing before or after them:\n\n\
## Goal\n## Constraints & Preferences\n## Progress\n### Done\n### In Progress\n### Blocked\n## Key Decisions\n## Next Steps\n## Critical Context\n\n\
Keep exact file paths, function names, commands and error texts. Be brief; leave out what no longer matters. Do not continue the \
conversation and do not answer questions in it.";

/// The request for the beginning of a turn that was cut.
pub fn turn_prefix_request(plan: &Plan) -> String {
    format!(
        "Below is the beginning of one turn of a coding agent; its end is kept word for word elsewhere.\n\n<conversation>\n{}\n\
         </conversation>\n\nSummarise under the headings `## Original Request`, `## Early Progress` and `## Context for the Rest` \
         what the reader of the end needs to know. Be brief and exact.",
        as_text(&plan.turn_prefix)
    )
}

/// The heading under which that second summary stands.
pub const TURN_PREFIX_HEADING: &str = "\n\n---\n\n**The beginning of the current turn:**\n\n";

fn as_text(messages: &[Message]) -> String {
    let mut out = Vec::new();
    for message in messages {
        match message {
            Message::User(_) => out.push(format!("[Person]: {}", message.text())),
            Message::Assistant(assistant) => {
                for block in &assistant.content {
                    match block {
                        ContentBlock::Text(text) if !text.text.trim().is_empty() => {
                            out.push(format!("[Agent]: {}", text.text))
                        }
                        ContentBlock::Thinking(thinking) if !thinking.thinking.trim().is_empty() => {
                            out.push(format!("[Agent thinks]: {}", thinking.thinking));
                        }
                        ContentBlock::ToolCall(call) => {
                            out.push(format!("[Agent calls {}]: {}", call.name, shortened(call.arguments.get())));
                        }
                        _ => {}
                    }
                }
            }
            Message::ToolResult(result) => {
                let kind = if result.is_error { "failed" } else { "returned" };
                out.push(format!("[{} {kind}]: {}", result.tool_name, shortened(&message.text())));
            }
            Message::BashExecution(bash) => {
                out.push(format!("[Person ran]: {}\n{}", bash.command, shortened(&bash.output)));
            }
            other => {
                let text = other.text();
                if !text.is_empty() {
                    out.push(format!("[Note]: {text}"));
                }
            }
        }
    }
    out.join("\n\n")
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= MAX_RESULT_CHARACTERS {
        return text.to_owned();
    }
    let head: String = text.chars().take(MAX_RESULT_CHARACTERS).collect();
    format!("{head}\n[… {} more characters]", text.chars().count() - MAX_RESULT_CHARACTERS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pizzapi_protocol::UserMessage;
    use std::path::Path;

    fn say(transcript: &mut Transcript, text: &str) -> String {
        let message = Message::User(UserMessage { id: None, request_id: None, content: text.into(), timestamp: 1 });
        transcript.append(EntryKind::Message { message, command_id: None }).expect("kept")
    }

    #[test]
    fn the_end_is_kept_and_the_rest_is_summarised() {
        let mut transcript = Transcript::create(Path::new("/x"), None, None);
        say(&mut transcript, &"a".repeat(4000));
        say(&mut transcript, &"b".repeat(4000));
        let kept = say(&mut transcript, &"c".repeat(400));
        let plan = plan(&transcript, 500).expect("something to do");
        assert_eq!(plan.first_kept.as_deref(), Some(kept.as_str()));
        assert_eq!(plan.to_summarise.len(), 2);
        assert_eq!(plan.tokens_before, 2100);
    }

    #[test]
    fn a_short_conversation_has_nothing_to_compact_and_a_compacted_one_says_so() {
        let mut transcript = Transcript::create(Path::new("/x"), None, None);
        assert_eq!(plan(&transcript, 500), Err(NothingToDo::NothingToCompact));
        say(&mut transcript, "hi");
        assert_eq!(plan(&transcript, 500), Err(NothingToDo::NothingToCompact));
        transcript
            .append(EntryKind::Compaction {
                summary: "s".into(),
                first_kept_entry_id: None,
                tokens_before: 1,
                details: None,
                usage: None,
                from_hook: None,
            })
            .expect("kept");
        assert_eq!(plan(&transcript, 500), Err(NothingToDo::AlreadyCompacted));
        assert_eq!(context_tokens(&transcript), None, "unknown until the next answer");
    }
}

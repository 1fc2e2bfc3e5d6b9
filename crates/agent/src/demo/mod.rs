//! A demonstration without any model: a few fixed reactions that think, use real tools and answer.
//!
//! It exists so that somebody without a key can see the product work. It is no AI and says so in every answer. It is never
//! chosen by default.

use std::time::Duration;

use pizzapi_protocol::{Message, StopReason, Usage};

use crate::provider::{Finish, Piece, ProviderError, Request, Sink};

/// The file the demonstration writes when it is asked to.
pub const DEMO_FILE: &str = "pizzapi-demo.md";
/// Said at the beginning of every answer.
pub const LABEL: &str = "**[Demo – no AI]** ";
/// Pause between words, so that streaming can be seen.
const WORD_PAUSE: Duration = Duration::from_millis(12);

/// What the demonstration does next.
#[derive(Debug, Clone, PartialEq)]
struct Step {
    thinking: String,
    text: String,
    /// Tool name and arguments.
    call: Option<(&'static str, serde_json::Value)>,
}

pub(crate) async fn stream(request: &Request, sink: &Sink) -> Result<Finish, ProviderError> {
    let step = next_step(&request.messages, &request.tools.iter().map(|t| t.name.as_str()).collect::<Vec<_>>());
    sink.put(Piece::Start { response_id: None, response_model: None }).await;
    let mut index = 0;
    if !step.thinking.is_empty() {
        sink.put(Piece::ThinkingStart { index }).await;
        for delta in words(&step.thinking) {
            sink.put(Piece::ThinkingDelta { index, delta }).await;
            pause(sink).await;
        }
        sink.put(Piece::ThinkingEnd { index, signature: None, redacted: false }).await;
        index += 1;
    }
    if !step.text.is_empty() {
        sink.put(Piece::TextStart { index }).await;
        for delta in words(&step.text) {
            sink.put(Piece::TextDelta { index, delta }).await;
            pause(sink).await;
        }
        sink.put(Piece::TextEnd { index, signature: None }).await;
        index += 1;
    }
    let called = step.call.is_some();
    if let Some((name, arguments)) = step.call {
        let id = format!("demo_{}", uuid::Uuid::new_v4().simple());
        sink.put(Piece::ToolStart { index, id, name: name.to_owned() }).await;
        sink.put(Piece::ToolDelta { index, delta: arguments.to_string() }).await;
        sink.put(Piece::ToolEnd { index, arguments: None, thought_signature: None }).await;
    }
    sink.put(Piece::Usage(usage(request, &step.text))).await;
    let reason = if called { StopReason::ToolUse } else { StopReason::Stop };
    Ok(Finish { reason, raw: Some("demo".into()), error: None })
}

async fn pause(sink: &Sink) {
    sink.heard();
    tokio::time::sleep(WORD_PAUSE).await;
}

fn words(text: &str) -> Vec<String> {
    text.split_inclusive(' ').map(str::to_owned).collect()
}

fn usage(request: &Request, text: &str) -> Usage {
    let input = request.messages.iter().map(crate::transcript::compact::estimate).sum::<u64>();
    let output = (text.len() as u64).div_ceil(4);
    Usage { input, output, total_tokens: input + output, ..Usage::default() }
}

/// The whole script: what was said last, and how many results came since.
fn next_step(messages: &[Message], tools: &[&str]) -> Step {
    let asked = messages.iter().rposition(|message| matches!(message, Message::User(_)));
    let text = asked.map(|at| messages[at].text().to_lowercase()).unwrap_or_default();
    let results: Vec<&Message> = asked
        .map(|at| messages[at + 1..].iter().filter(|m| matches!(m, Message::ToolResult(_))).collect())
        .unwrap_or_default();
    let last = results.last().map(|message| first_lines(&message.text(), 12));
    let has = |name: &str| tools.contains(&name);
    let mentions = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let answer = |body: String| Step { thinking: String::new(), text: format!("{LABEL}{body}"), call: None };
    let call = |thinking: &str, name: &'static str, arguments: serde_json::Value| Step {
        thinking: thinking.to_owned(),
        text: String::new(),
        call: Some((name, arguments)),
    };
    if mentions(&["write", "create", "file"]) && has("write") && !mentions(&["list", "read"]) {
        return match results.len() {
            0 => call(
                "The request mentions writing, so this demonstration writes one small file and reads it back.",
                "write",
                serde_json::json!({ "path": DEMO_FILE, "content": "# PizzaPi demo\n\nThis file was written by the offline demonstration.\nYou can delete it.\n" }),
            ),
            1 => call("Now it is read back.", "read", serde_json::json!({ "path": DEMO_FILE })),
            _ => answer(format!("`{DEMO_FILE}` was written and read back. You can delete it.{CLOSING}")),
        };
    }
    if mentions(&["ask", "question"]) && has("AskUserQuestion") {
        return match (results.len(), last) {
            (0, _) => call(
                "A question with options shows how decisions travel.",
                "AskUserQuestion",
                serde_json::json!({ "questions": [{ "question": "Which pizza do you like best?", "options": ["Margherita", "Funghi", "Quattro formaggi"] }] }),
            ),
            (_, last) => answer(format!("{}{CLOSING}", last.unwrap_or_default())),
        };
    }
    if mentions(&["run", "command", "shell", "bash"]) && has("bash") {
        return match (results.len(), last) {
            (0, _) => call(
                "A harmless command shows how commands run.",
                "bash",
                serde_json::json!({ "command": "echo hello from the demo && uname -s", "title": "Say hello" }),
            ),
            (_, last) => answer(format!("The command printed:\n\n```\n{}\n```{CLOSING}", last.unwrap_or_default())),
        };
    }
    if mentions(&["list", "look", "folder", "what is here", "show", "read"]) && has("ls") {
        return match (results.len(), last) {
            (0, _) => call("First a look at the folder.", "ls", serde_json::json!({ "path": "." })),
            (_, last) => answer(format!("This folder contains:\n\n```\n{}\n```{CLOSING}", last.unwrap_or_default())),
        };
    }
    Step {
        thinking:
            "This is the offline demonstration. It only knows a few fixed reactions, so it says what can be tried."
                .into(),
        text: format!(
            "{LABEL}Hello! No language model is connected: I only show how PizzaPi works. Try one of these:\n\n\
             - `list this folder` – a tool call\n\
             - `write a file` – two tool calls, one of them changes something\n\
             - `run a command` – a shell command\n\
             - `ask me a question` – a decision you can answer here or on the web{CLOSING}"
        ),
        call: None,
    }
}

const CLOSING: &str = "\n\nTo work with a real model, use `/login` to store a key, or start Ollama on this machine.";

fn first_lines(text: &str, count: usize) -> String {
    text.lines().take(count).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use pizzapi_protocol::{ContentBlock, ToolResultMessage, UserMessage};

    fn user(text: &str) -> Message {
        Message::User(UserMessage { id: None, request_id: None, content: text.into(), timestamp: 1 })
    }

    fn result(text: &str) -> Message {
        Message::ToolResult(ToolResultMessage {
            id: None,
            tool_call_id: "c".into(),
            tool_name: "t".into(),
            content: vec![ContentBlock::text(text)],
            details: None,
            usage: None,
            added_tool_names: None,
            is_error: false,
            timestamp: 2,
        })
    }

    #[test]
    fn every_answer_says_that_it_is_no_ai() {
        let tools = ["ls", "read", "write", "bash", "AskUserQuestion"];
        for text in ["hello", "list the folder", "write a file", "run a command", "ask me something"] {
            let mut messages = vec![user(text)];
            for _ in 0..4 {
                let step = next_step(&messages, &tools);
                if step.call.is_none() {
                    assert!(step.text.starts_with(LABEL), "{text}: {}", step.text);
                    break;
                }
                messages.push(result("out"));
            }
            assert!(next_step(&messages, &tools).call.is_none(), "{text} comes to an end");
        }
    }
}

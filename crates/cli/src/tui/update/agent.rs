//! What the agent reports → cells and status.

use pizzapi_protocol::{
    AgentEvent, AssistantMessage, ContentBlock, Message, MessageContent, MetaEvent, NotifyType, RawJson, StopReason,
};
use serde_json::Value;

use super::super::app::{Activity, App};
use super::super::components::transcript::CellKind;
use super::super::components::transcript::message::{AnswerText, Level, UserMessage};
use super::super::components::transcript::thinking::Thinking;
use super::super::components::transcript::tool_call::{ToolCall, ToolState};
use super::super::effect::Effect;
use super::super::event::Decision;
use super::super::text;

pub fn on_event(app: &mut App, event: &AgentEvent) -> Vec<Effect> {
    match event {
        AgentEvent::AgentStart(_) => {
            let since = match app.activity {
                Activity::Working { since } => since,
                _ => app.now,
            };
            app.activity = Activity::Working { since };
        }
        AgentEvent::TurnStart(_) => {
            if matches!(app.activity, Activity::Idle | Activity::Retrying { .. }) {
                app.activity = Activity::Working { since: app.now };
            }
        }
        AgentEvent::MessageStart(event) => show_message(app, &event.message, false),
        AgentEvent::MessageUpdate(event) => show_message(app, &event.message, false),
        AgentEvent::MessageEnd(event) => show_message(app, &event.message, true),
        AgentEvent::ToolExecutionStart(event) => {
            let now = app.now;
            let args = value(&event.args);
            let key = tool_key(&event.tool_call_id);
            if !app.transcript.contains(&key) {
                app.transcript.put(
                    key.clone(),
                    CellKind::Tool(ToolCall::new(&event.tool_call_id, &event.tool_name, args.clone())),
                );
            }
            change_tool(app, &event.tool_call_id, |call| {
                call.args = args;
                call.state = ToolState::Running;
                call.started_at = Some(now);
            });
        }
        AgentEvent::ToolExecutionUpdate(event) => {
            let result = value(&event.partial_result);
            change_tool(app, &event.tool_call_id, |call| {
                // A late update must not reopen a call that has ended.
                if call.is_live() || call.state == ToolState::Waiting {
                    set_result(call, &result);
                }
            });
        }
        AgentEvent::ToolExecutionEnd(event) => {
            let now = app.now;
            let result = value(&event.result);
            change_tool(app, &event.tool_call_id, |call| {
                set_result(call, &result);
                call.state = if event.is_error { ToolState::Failed } else { ToolState::Succeeded };
                call.ended_at = call.started_at.map(|_| now);
            });
        }
        AgentEvent::ModelSelect(event) => app.status.model = Some(event.model.clone()),
        AgentEvent::TodoUpdate(event) => app.todos.clone_from(&event.todos),
        AgentEvent::CliError(event) => {
            let source = event.source.as_ref().filter(|source| *source != "provider");
            // The failed message itself shows what the provider said.
            if let Some(source) = source {
                app.transcript.notice(Level::Error, format!("{source}: {}", event.message));
            }
        }
        AgentEvent::UiNotify(event) => {
            let level = match event.notify_type {
                Some(NotifyType::Error) => Level::Error,
                Some(NotifyType::Warning) => Level::Warning,
                _ => Level::Info,
            };
            app.transcript.notice(level, &event.message);
        }
        AgentEvent::McpAuthRequired(event) => {
            let message = format!("MCP server {} wants a login: {}", event.server_name, event.auth_url);
            app.transcript.notice(Level::Warning, message);
        }
        AgentEvent::McpAuthComplete(event) => {
            app.toast(Level::Success, format!("MCP server {} is logged in", event.server_name));
        }
        AgentEvent::Meta(event) => return on_meta(app, event),
        _ => {}
    }
    Vec::new()
}

fn on_meta(app: &mut App, event: &MetaEvent) -> Vec<Effect> {
    match event {
        MetaEvent::TodoUpdated(event) => app.todos.clone_from(&event.todo_list),
        MetaEvent::PlanModeToggled(event) => app.status.plan_mode = event.enabled,
        MetaEvent::ThinkingLevelChanged(event) => app.status.thinking.clone_from(&event.level),
        MetaEvent::GoalUpdated(event) => app.status.goal = event.goal.as_ref().map(|goal| goal.description.clone()),
        MetaEvent::ApprovalPending(event) => {
            return super::on_decision(app, Decision::Approval(event.approval.clone()));
        }
        MetaEvent::McpStartupReport(event) => {
            for error in event.report.errors.iter().flatten() {
                app.transcript.notice(Level::Warning, format!("MCP server {}: {}", error.server, error.error));
            }
        }
        // Tokens, model and credentials come with the summary of the state.
        _ => {}
    }
    Vec::new()
}

fn value(raw: &RawJson) -> Value {
    raw.to().unwrap_or_default()
}

fn tool_key(id: &str) -> String {
    format!("tool:{id}")
}

fn change_tool(app: &mut App, id: &str, change: impl FnOnce(&mut ToolCall)) {
    app.transcript.change(&tool_key(id), |kind| {
        if let CellKind::Tool(call) = kind {
            change(call);
        }
    });
}

fn set_result(call: &mut ToolCall, result: &Value) {
    let content = result.get("content").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let texts = content.iter().filter_map(|block| block.get("text").and_then(Value::as_str));
    call.output = texts.collect::<Vec<_>>().join("\n");
    call.images = content.iter().filter(|block| block.get("type").and_then(Value::as_str) == Some("image")).count();
    if let Some(details) = result.get("details") {
        call.details = details.clone();
    }
}

fn images(content: &[ContentBlock]) -> usize {
    content.iter().filter(|block| matches!(block, ContentBlock::Image(_))).count()
}

/// Shows a message as it is now; `done` when it will not change any more.
pub fn show_message(app: &mut App, message: &Message, done: bool) {
    match message {
        Message::User(message) => {
            let count = match &message.content {
                MessageContent::Blocks(blocks) => images(blocks),
                MessageContent::Text(_) => 0,
            };
            let cell = UserMessage { text: message.content.text(), images: count, from: None };
            let key = message_key("user", message.id.as_deref(), message.timestamp);
            app.transcript.put(key, CellKind::User(cell));
        }
        Message::Assistant(message) => show_assistant(app, message, done),
        Message::ToolResult(message) => {
            let texts: Vec<&str> = message.content.iter().filter_map(ContentBlock::as_text).collect();
            let output = texts.join("\n");
            let count = images(&message.content);
            let details = message.details.as_ref().map(value);
            let key = tool_key(&message.tool_call_id);
            if !app.transcript.contains(&key) {
                let call = ToolCall::new(&message.tool_call_id, &message.tool_name, Value::Null);
                app.transcript.put(key, CellKind::Tool(call));
            }
            change_tool(app, &message.tool_call_id, |call| {
                call.output = output;
                call.images = count;
                if let Some(details) = details {
                    call.details = details;
                }
                call.state = match (message.is_error, call.state) {
                    (true, ToolState::Cancelled) => ToolState::Cancelled,
                    (true, _) => ToolState::Failed,
                    (false, _) => ToolState::Succeeded,
                };
            });
        }
        Message::Custom(message) => {
            if message.display {
                let key = message_key("custom", message.id.as_deref(), message.timestamp);
                let label = message.custom_type.replace(['-', '_'], " ");
                app.transcript.put(key, CellKind::Block { label, body: message.content.text() });
            }
        }
        Message::BashExecution(message) => {
            let key = message_key("shell", message.id.as_deref(), message.timestamp);
            let mut call = ToolCall::new(&key, "bash", serde_json::json!({ "command": message.command }));
            call.output.clone_from(&message.output);
            call.state = match message.exit_code {
                _ if message.cancelled => ToolState::Cancelled,
                Some(0) | None => ToolState::Succeeded,
                Some(code) => {
                    call.output.push_str(&format!("\nexit code {code}"));
                    ToolState::Failed
                }
            };
            // The live view of the same command gives way to the record.
            app.transcript.remove(super::LIVE_SHELL);
            app.transcript.put(key, CellKind::Tool(call));
        }
        Message::CompactionSummary(message) => {
            let key = message_key("compaction", message.id.as_deref(), message.timestamp);
            let label =
                format!("Conversation compacted ({} tokens before)", text::compact_count(message.tokens_before));
            app.transcript.put(key, CellKind::Block { label, body: message.summary.clone() });
        }
        Message::BranchSummary(message) => {
            let key = message_key("branch", message.id.as_deref(), message.timestamp);
            app.transcript
                .put(key, CellKind::Block { label: "Summary of a branch".into(), body: message.summary.clone() });
        }
        Message::Other(_) => {}
    }
}

fn message_key(kind: &str, id: Option<&str>, timestamp: i64) -> String {
    match id {
        Some(id) => format!("{kind}:{id}"),
        None => format!("{kind}:{timestamp}"),
    }
}

fn show_assistant(app: &mut App, message: &AssistantMessage, done: bool) {
    let base = message_key("assistant", message.id.as_deref(), message.timestamp);
    let last = message.content.len().saturating_sub(1);
    for (index, block) in message.content.iter().enumerate() {
        let key = format!("{base}:{index}");
        // Earlier blocks of a streaming message do not change any more.
        let closed = done || index < last;
        match block {
            ContentBlock::Text(block) => {
                let set = |kind: &mut CellKind| {
                    if let CellKind::Answer(answer) = kind {
                        answer.set(&block.text, closed);
                    }
                };
                if !app.transcript.contains(&key) {
                    app.transcript.put(key.clone(), CellKind::Answer(AnswerText::default()));
                }
                app.transcript.change(&key, set);
            }
            ContentBlock::Thinking(block) => {
                let thinking = Thinking {
                    text: block.thinking.clone(),
                    done: closed,
                    redacted: block.redacted == Some(true),
                    seconds: block.duration_seconds,
                };
                app.transcript.put(key, CellKind::Thinking(thinking));
            }
            ContentBlock::ToolCall(block) => {
                let args = value(&block.arguments);
                let tool = tool_key(&block.id);
                if !app.transcript.contains(&tool) {
                    app.transcript.put(tool, CellKind::Tool(ToolCall::new(&block.id, &block.name, Value::Null)));
                }
                change_tool(app, &block.id, |call| {
                    call.args = args;
                    if matches!(call.state, ToolState::Writing | ToolState::Waiting) {
                        call.state = if closed { ToolState::Waiting } else { ToolState::Writing };
                    }
                });
            }
            ContentBlock::Image(_) | ContentBlock::Other(_) => {}
        }
    }
    if done {
        end_assistant(app, message, &base);
    }
}

fn end_assistant(app: &mut App, message: &AssistantMessage, base: &str) {
    let key = format!("{base}:end");
    let note = match message.stop_reason {
        StopReason::Error => {
            let error = message.error_message.clone().unwrap_or_else(|| "the model reported an error".into());
            Some((Level::Error, error))
        }
        StopReason::Aborted => Some((Level::Warning, "stopped".to_owned())),
        StopReason::Length => Some((Level::Warning, "the answer was cut at the model's output limit".to_owned())),
        _ => None,
    };
    if let Some((level, text)) = note {
        app.transcript.put(key, CellKind::Notice { level, text });
    }
}

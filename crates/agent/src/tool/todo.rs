//! The visible task list.

use async_trait::async_trait;
use pizzapi_protocol::{MetaTodoItem, RawJson, TodoStatus};
use serde_json::{Value, json};

use super::{Call, Effect, Failure, Output, Tool};
use crate::provider::ToolSpec;
use crate::transcript::{EntryKind, TODO_ENTRY};

/// Tasks of one list.
const MAX_TODOS: usize = 200;

pub struct UpdateTodo;

#[async_trait]
impl Tool for UpdateTodo {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "update_todo".into(),
            description: "Replace the task list the user sees. Send the whole list every time.".into(),
            parameters: json!({
                "type": "object",
                "properties": {
                    "todos": {
                        "type": "array",
                        "description": "All tasks, in order.",
                        "items": {
                            "type": "object",
                            "properties": {
                                "id": {"type": "integer", "description": "Stays the same for a task, from 1."},
                                "text": {"type": "string", "minLength": 1},
                                "status": {"type": "string", "enum": ["pending", "in_progress", "done", "cancelled"]}
                            },
                            "required": ["text", "status"]
                        }
                    }
                },
                "required": ["todos"]
            }),
        }
    }

    fn summary(&self) -> String {
        "keep the task list the user sees".into()
    }

    fn effect(&self) -> Effect {
        Effect::Talk
    }

    async fn run(&self, call: Call) -> Result<Output, Failure> {
        let list = call.arguments.get("todos").and_then(Value::as_array).cloned().unwrap_or_default();
        if list.len() > MAX_TODOS {
            return Err(Failure::new(format!("at most {MAX_TODOS} tasks")));
        }
        let todos: Vec<MetaTodoItem> = list
            .iter()
            .enumerate()
            .map(|(at, item)| MetaTodoItem {
                id: item.get("id").and_then(Value::as_i64).unwrap_or(at as i64 + 1),
                text: item.get("text").and_then(Value::as_str).unwrap_or_default().trim().to_owned(),
                status: item
                    .get("status")
                    .and_then(Value::as_str)
                    .and_then(TodoStatus::from_word)
                    .unwrap_or(TodoStatus::Pending),
            })
            .collect();
        let open = todos.iter().filter(|t| matches!(t.status, TodoStatus::Pending | TodoStatus::InProgress)).count();
        let text = match todos.len() {
            0 => "The task list is empty.".to_owned(),
            total => format!("Task list updated: {open} of {total} open."),
        };
        let data = RawJson::new(&todos).ok();
        call.core.append(EntryKind::Custom { custom_type: TODO_ENTRY.into(), data: data.clone() }).await;
        call.core.todos_changed(todos).await;
        Ok(Output { details: data, ..Output::text(text) })
    }
}

//! Give the session a title, once, at its beginning.

use async_trait::async_trait;
use serde_json::json;

use super::{Call, Effect, Failure, Output, Tool, required};
use crate::provider::ToolSpec;

pub struct SetSessionName;

#[async_trait]
impl Tool for SetSessionName {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "set_session_name".into(),
            description: "Name this session after its task, in 3 to 6 words. Only when you are asked to.".into(),
            parameters: json!({
                "type": "object",
                "properties": {"name": {"type": "string", "description": "3 to 6 words, no quotes, no final period."}},
                "required": ["name"]
            }),
        }
    }

    fn summary(&self) -> String {
        "name this session".into()
    }

    fn effect(&self) -> Effect {
        Effect::Talk
    }

    async fn run(&self, call: Call) -> Result<Output, Failure> {
        let name = required(&call.arguments, "name")?;
        let over = call.core.live.lock().naming_over;
        if over || call.core.transcript.lock().name().is_some() {
            return Ok(Output::text("The session has a name already; it stays."));
        }
        call.core.live.lock().naming_over = true;
        let name = call.core.rename(name).await.unwrap_or_default();
        Ok(Output::text(format!("Session named \"{name}\".")))
    }
}

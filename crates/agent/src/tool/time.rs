//! What time is it?

use async_trait::async_trait;
use serde_json::json;
use time::OffsetDateTime;
use time::macros::format_description;

use super::{Call, Effect, Failure, Output, Tool};
use crate::provider::ToolSpec;

pub struct CurrentTime;

#[async_trait]
impl Tool for CurrentTime {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "get_current_time".into(),
            description: "The current date, time and time zone of this machine.".into(),
            parameters: json!({"type": "object", "properties": {}}),
        }
    }

    fn summary(&self) -> String {
        "current date and time".into()
    }

    fn effect(&self) -> Effect {
        Effect::Talk
    }

    async fn run(&self, call: Call) -> Result<Output, Failure> {
        let zone = call.core.config().env.get("TZ").map(|zone| format!(" {zone}")).unwrap_or_default();
        let now = OffsetDateTime::now_local().unwrap_or_else(|_| OffsetDateTime::now_utc());
        let format = format_description!(
            "[weekday], [year]-[month]-[day] [hour]:[minute]:[second] [offset_hour sign:mandatory]:[offset_minute]"
        );
        let text = now.format(format).map_err(|error| Failure::new(error.to_string()))?;
        Ok(Output::text(format!("{text}{zone}")))
    }
}

//! Plan first, change later: the plan goes to the user, who decides how to go on.

use async_trait::async_trait;
use pizzapi_protocol::{MetaPendingPlan, MetaPlanStep, RawJson};
use serde_json::{Value, json};

use super::{Call, Effect, Failure, Output, Partial, Tool, required};
use crate::config::Host;
use crate::decision::{Answer, DecisionKind, PlanAction};
use crate::provider::ToolSpec;

pub struct PlanMode;

#[async_trait]
impl Tool for PlanMode {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "plan_mode".into(),
            description: "Present a plan to the user and wait for the decision: begin (with or without the conversation so far), \
                change the plan, or cancel."
                .into(),
            parameters: json!({
                "type": "object",
                "properties": {
                    "title": {"type": "string", "minLength": 1},
                    "description": {"type": "string", "description": "What will be done and why, in Markdown. After a cleared \
                        conversation this and the steps are all that is left: be complete."},
                    "steps": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {"title": {"type": "string"}, "description": {"type": "string"}},
                            "required": ["title"]
                        }
                    }
                },
                "required": ["title"]
            }),
        }
    }

    fn summary(&self) -> String {
        "present a plan and wait for the decision".into()
    }

    fn effect(&self) -> Effect {
        Effect::Talk
    }

    fn sequential(&self) -> bool {
        true
    }

    async fn run(&self, call: Call) -> Result<Output, Failure> {
        let title = required(&call.arguments, "title")?.trim().to_owned();
        if call.core.config().host == Host::Print {
            return Ok(Output::text("Nobody can review plans in print mode. Go on with the plan."));
        }
        if call.core.decisions.is_open("plan") {
            return Err(Failure::new("Another plan is already waiting for a decision."));
        }
        let steps: Vec<MetaPlanStep> = call
            .arguments
            .get("steps")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|step| {
                let title = step.get("title").and_then(Value::as_str)?.trim();
                let description = step.get("description").and_then(Value::as_str).map(str::to_owned);
                (!title.is_empty()).then(|| MetaPlanStep { title: title.to_owned(), description })
            })
            .collect();
        let plan = MetaPendingPlan {
            tool_call_id: call.id.clone(),
            title,
            description: call.arguments.get("description").and_then(Value::as_str).map(str::to_owned),
            steps: (!steps.is_empty()).then_some(steps),
        };
        let details = RawJson::new(&plan).ok();
        call.progress.show(Partial {
            content: vec![pizzapi_protocol::ContentBlock::text("Waiting for plan review")],
            details: details.clone(),
        });
        let answer = tokio::select! {
            answer = call.core.decisions.ask(&call.id, DecisionKind::Plan(plan.clone())) => answer,
            () = call.cancel.cancelled() => Answer::Cancel,
        };
        let text = match answer {
            Answer::Plan { action: PlanAction::Execute, .. } => {
                call.core.set_plan_mode(false).await;
                call.core.clear_before_plan(&plan).await;
                "The user approved the plan and cleared the conversation before it. Begin with the first step."
                    .to_owned()
            }
            Answer::Plan { action: PlanAction::ExecuteKeepContext, .. } => {
                call.core.set_plan_mode(false).await;
                "The user approved the plan. Begin with the first step.".to_owned()
            }
            Answer::Plan { action: PlanAction::Edit, edit } => format!(
                "The user wants the plan changed: {}\nAdapt it and present it again with plan_mode.",
                edit.filter(|text| !text.trim().is_empty()).unwrap_or_else(|| "(no details)".into())
            ),
            _ => "The user cancelled the plan. Do not carry it out; ask what to do instead.".to_owned(),
        };
        Ok(Output { details, ..Output::text(text) })
    }
}

pub struct TogglePlanMode;

#[async_trait]
impl Tool for TogglePlanMode {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "toggle_plan_mode".into(),
            description: "Switch plan mode on or off. While it is on, nothing may be changed.".into(),
            parameters: json!({
                "type": "object",
                "properties": {"enabled": {"type": "boolean"}},
                "required": ["enabled"]
            }),
        }
    }

    fn summary(&self) -> String {
        "switch plan mode on or off".into()
    }

    fn effect(&self) -> Effect {
        Effect::Talk
    }

    async fn run(&self, call: Call) -> Result<Output, Failure> {
        let enabled = call.arguments.get("enabled").and_then(Value::as_bool).unwrap_or(true);
        let changed = call.core.set_plan_mode(enabled).await;
        let state = if enabled { "on" } else { "off" };
        let hint =
            if enabled || !changed { "" } else { " If there was a plan, present it with plan_mode before you begin." };
        let verb = if changed { "is now" } else { "was already" };
        Ok(Output::text(format!("Plan mode {verb} {state}.{hint}")))
    }
}

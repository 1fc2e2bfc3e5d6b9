//! Questions with options: in the terminal and on the web at once, the first answer counts.

use async_trait::async_trait;
use pizzapi_protocol::{MetaPendingQuestion, MetaQuestion, QuestionKind, RawJson};
use serde_json::{Value, json};

use super::{Call, Effect, Failure, Output, Partial, Tool};
use crate::config::Host;
use crate::decision::{Answer, DecisionKind};
use crate::provider::ToolSpec;

/// Questions of one call.
const MAX_QUESTIONS: usize = 20;

pub struct AskUserQuestion;

#[async_trait]
impl Tool for AskUserQuestion {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "AskUserQuestion".into(),
            description: "Ask the user one or more questions and wait for the answer. Give options where there are any; the user \
                can always answer in their own words."
                .into(),
            parameters: json!({
                "type": "object",
                "properties": {
                    "questions": {
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "type": "object",
                            "properties": {
                                "question": {"type": "string", "minLength": 1},
                                "options": {"type": "array", "items": {"type": "string"}},
                                "type": {"type": "string", "enum": ["radio", "checkbox", "ranked"],
                                    "description": "radio: one option (default); checkbox: any; ranked: all in an order."}
                            },
                            "required": ["question"]
                        }
                    },
                    "display": {"type": "string", "enum": ["stepper"], "description": "Show one question at a time."}
                }
            }),
        }
    }

    fn summary(&self) -> String {
        "ask the user, with options".into()
    }

    fn effect(&self) -> Effect {
        Effect::Talk
    }

    /// The older form with a single question.
    fn repair(&self, mut arguments: Value) -> Value {
        let Some(map) = arguments.as_object_mut() else { return arguments };
        if !map.contains_key("questions")
            && let Some(question) = map.get("question").cloned()
        {
            let options = map.get("options").cloned().unwrap_or_else(|| json!([]));
            map.insert("questions".into(), json!([{ "question": question, "options": options }]));
        }
        // Options written as objects with a label.
        for question in map.get_mut("questions").and_then(Value::as_array_mut).into_iter().flatten() {
            for option in question.get_mut("options").and_then(Value::as_array_mut).into_iter().flatten() {
                let label =
                    ["label", "value", "text"].into_iter().find_map(|key| option.get(key).and_then(Value::as_str));
                if let Some(label) = label {
                    *option = Value::String(label.to_owned());
                }
            }
        }
        arguments
    }

    async fn run(&self, call: Call) -> Result<Output, Failure> {
        let questions = questions(&call.arguments);
        if questions.is_empty() || questions.len() > MAX_QUESTIONS {
            return Err(Failure::new("AskUserQuestion requires at least one non-empty question."));
        }
        if call.core.config().host == Host::Print {
            return Err(Failure::new(
                "User did not provide an answer: nobody can be asked in print mode. Decide yourself.",
            ));
        }
        if call.core.decisions.is_open("question") {
            return Err(Failure::new("A different AskUserQuestion prompt is already pending. Wait for its answer."));
        }
        let display = call.arguments.get("display").and_then(Value::as_str).map(str::to_owned);
        let question = MetaPendingQuestion { tool_call_id: call.id.clone(), questions, display };
        let details = RawJson::new(&question).ok();
        call.progress.show(Partial {
            content: vec![pizzapi_protocol::ContentBlock::text(format!(
                "Waiting for answer: {}",
                question.questions.iter().map(|q| q.question.as_str()).collect::<Vec<_>>().join(" / ")
            ))],
            details: details.clone(),
        });
        let answer = tokio::select! {
            answer = call.core.decisions.ask(&call.id, DecisionKind::Question(question)) => answer,
            () = call.cancel.cancelled() => Answer::Cancel,
        };
        match answer {
            Answer::Question(text) => Ok(Output { details, ..Output::text(format!("User answered: {text}")) }),
            _ => Ok(Output { details, ..Output::text("User did not provide an answer.") }),
        }
    }
}

fn questions(arguments: &Value) -> Vec<MetaQuestion> {
    let list = arguments.get("questions").and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(|item| {
            let question = item.get("question").and_then(Value::as_str)?.trim();
            let options = item.get("options").and_then(Value::as_array).into_iter().flatten();
            let options: Vec<String> = options
                .filter_map(Value::as_str)
                .map(str::trim)
                .filter(|option| !option.is_empty())
                .map(str::to_owned)
                .collect();
            (!question.is_empty()).then(|| MetaQuestion {
                question: question.to_owned(),
                options,
                kind: item.get("type").and_then(Value::as_str).and_then(QuestionKind::from_word),
            })
        })
        .collect()
}

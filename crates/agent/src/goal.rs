//! A condition the agent works towards until it is met or its budget is spent.

use std::sync::Arc;

use pizzapi_protocol::{GoalStatus, GoalUpdated, Message, MetaEvent, MetaGoalStatus, RawJson};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::compaction::aside;
use crate::core::Core;
use crate::op::{Delivery, OpError};
use crate::prompt::templates::words;
use crate::provider::CacheRetention;
use crate::queue::QueuedMessage;
use crate::transcript::EntryKind;

/// Custom entry: the goal as it stands.
pub const GOAL_ENTRY: &str = "pizzapi-goal";
/// How much of the conversation a judge reads. Units: characters.
const MAX_TRANSCRIPT: usize = 60_000;
const VERDICT_TOKENS: u64 = 512;
/// Turns a goal gets when nobody set a number.
const DEFAULT_MAX_TURNS: u64 = 20;

const JUDGE: &str = "You judge whether a condition is met, from a transcript of a coding agent's work. Believe results that were seen, \
not claims. Answer only with JSON: {\"met\": true|false, \"uncertain\": true|false, \"reason\": \"one sentence\"}.";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Goal {
    pub id: String,
    pub condition: String,
    pub turns: u64,
    pub max_turns: u64,
    pub max_tokens: Option<u64>,
    pub max_cost: Option<f64>,
    /// Words that must all appear in the last answer; None = ask a model.
    pub keywords: Option<Vec<String>>,
    pub every: u64,
    pub min_turns: u64,
    pub tokens_at_start: u64,
    pub cost_at_start: f64,
    pub status: String,
    pub last_reason: Option<String>,
}

#[derive(Deserialize)]
struct Judgement {
    met: bool,
    #[serde(default)]
    uncertain: bool,
    #[serde(default)]
    reason: String,
}

impl Goal {
    /// Read `/goal` arguments.
    pub fn parse(arguments: &str) -> Result<Self, OpError> {
        let mut goal = Self {
            id: uuid::Uuid::new_v4().to_string(),
            condition: String::new(),
            turns: 0,
            max_turns: DEFAULT_MAX_TURNS,
            max_tokens: None,
            max_cost: None,
            keywords: None,
            every: 1,
            min_turns: 1,
            tokens_at_start: 0,
            cost_at_start: 0.0,
            status: "active".into(),
            last_reason: None,
        };
        let mut list = words(arguments).into_iter();
        let mut condition = Vec::new();
        while let Some(word) = list.next() {
            let mut number = |name: &str| -> Result<f64, OpError> {
                let text = list.next().ok_or_else(|| OpError::Invalid(format!("{name} needs a value")))?;
                text.parse::<f64>()
                    .ok()
                    .filter(|n| n.is_finite() && *n > 0.0)
                    .ok_or_else(|| OpError::Invalid(format!("{name} needs a number above 0, not `{text}`")))
            };
            match word.as_str() {
                "--max-turns" => goal.max_turns = number("--max-turns")? as u64,
                "--max-tokens" => goal.max_tokens = Some(number("--max-tokens")? as u64),
                "--max-cost" => goal.max_cost = Some(number("--max-cost")?),
                "--every" => goal.every = (number("--every")? as u64).max(1),
                "--min-turns" => goal.min_turns = number("--min-turns")? as u64,
                "--keyword" => {
                    let text = list.next().ok_or_else(|| OpError::Invalid("--keyword needs a text".into()))?;
                    goal.keywords.get_or_insert_default().push(text);
                }
                "--evaluator" => match list.next().as_deref() {
                    Some("llm") => goal.keywords = None,
                    Some("keyword") => {
                        goal.keywords.get_or_insert_default();
                    }
                    _ => return Err(OpError::Invalid("--evaluator is llm or keyword".into())),
                },
                flag if flag.starts_with("--") => return Err(OpError::Invalid(format!("unknown option {flag}"))),
                _ => condition.push(word),
            }
        }
        goal.condition = condition.join(" ");
        if goal.condition.is_empty() {
            return Err(OpError::Invalid("say what is to be reached: /goal \"all tests pass\"".into()));
        }
        if goal.keywords.as_ref().is_some_and(Vec::is_empty) {
            return Err(OpError::Invalid("--evaluator keyword needs at least one --keyword".into()));
        }
        Ok(goal)
    }

    pub(crate) fn view(&self, core: &Core) -> MetaGoalStatus {
        let usage = core.live.lock().usage;
        let tokens = usage.input + usage.output + usage.cache_read + usage.cache_write;
        MetaGoalStatus {
            id: self.id.clone(),
            description: self.condition.clone(),
            status: GoalStatus::from_word(&self.status).unwrap_or(GoalStatus::Active),
            turn_count: self.turns,
            max_turns: Some(self.max_turns),
            token_spend: tokens.saturating_sub(self.tokens_at_start),
            max_tokens: self.max_tokens,
            cost_spend: (usage.cost - self.cost_at_start).max(0.0),
            max_cost: self.max_cost,
            last_reason: self.last_reason.clone(),
        }
    }
}

impl Core {
    pub(crate) fn goal_view(&self) -> Option<MetaGoalStatus> {
        let goal = self.goal.lock().clone();
        goal.map(|goal| goal.view(self))
    }

    pub(crate) async fn set_goal(&self, goal: Option<Goal>) {
        let data = RawJson::new(&goal).ok();
        self.goal.lock().clone_from(&goal);
        self.append(EntryKind::Custom { custom_type: GOAL_ENTRY.into(), data }).await;
        let view = goal.map(|goal| goal.view(self));
        self.meta(MetaEvent::GoalUpdated(GoalUpdated { goal: view })).await;
    }

    /// After a run that ended normally: met, spent, or on with it.
    pub(crate) async fn goal_after_run(&self) {
        let Some(mut goal) = self.goal.lock().clone().filter(|goal| goal.status == "active") else { return };
        if self.subagents.active() > 0 || self.live.lock().queue.has_deliverable() {
            return;
        }
        goal.turns += 1;
        if goal.turns < goal.min_turns || !goal.turns.is_multiple_of(goal.every) {
            self.set_goal(Some(goal.clone())).await;
            self.go_on(&goal, "not evaluated yet");
            return;
        }
        let judgement = match &goal.keywords {
            Some(keywords) => {
                let last = self.last_assistant_text().unwrap_or_default().to_lowercase();
                let missing: Vec<&String> =
                    keywords.iter().filter(|word| !last.contains(&word.to_lowercase())).collect();
                Ok(Judgement { met: missing.is_empty(), uncertain: false, reason: format!("missing: {missing:?}") })
            }
            None => self.judge(&goal.condition).await,
        };
        let judgement = match judgement {
            Ok(judgement) => judgement,
            Err(error) => {
                goal.last_reason = Some(format!("could not be judged: {error}"));
                self.set_goal(Some(goal)).await;
                self.warn(format!("the goal could not be judged: {error}")).await;
                return;
            }
        };
        goal.last_reason = Some(judgement.reason.clone());
        if judgement.met {
            goal.status = "met".into();
            self.set_goal(Some(goal)).await;
            return;
        }
        let view = goal.view(self);
        let spent = goal.turns >= goal.max_turns
            || goal.max_tokens.is_some_and(|max| view.token_spend >= max)
            || goal.max_cost.is_some_and(|max| view.cost_spend >= max);
        if spent {
            goal.status = "failed".into();
            self.warn("the goal's budget is spent; it was not reached").await;
        }
        let go_on = !spent && !judgement.uncertain;
        self.set_goal(Some(goal.clone())).await;
        if go_on {
            self.go_on(&goal, &judgement.reason);
        }
    }

    fn go_on(&self, goal: &Goal, reason: &str) {
        let text = format!("The goal is not reached yet: {}\nReason: {reason}\nGo on until it is.", goal.condition);
        let message = QueuedMessage {
            custom: Some(crate::queue::CustomOrigin { custom_type: "goal".into(), display: true, details: None }),
            ..QueuedMessage::user(text)
        };
        // A full queue means that people have more to say; they come first.
        let _ = self.live.lock().queue.push(Delivery::FollowUp, message);
    }

    async fn judge(&self, condition: &str) -> Result<Judgement, String> {
        let core: Arc<Core> = self.arc();
        let model = core.model().map_err(|error| error.to_string())?;
        let mut text: String = core
            .messages()
            .iter()
            .map(|message| match message {
                Message::User(_) => format!("[person] {}\n", message.text()),
                Message::Assistant(_) => format!("[agent] {}\n", message.text()),
                other => format!("[result] {}\n", other.text()),
            })
            .collect();
        if text.chars().count() > MAX_TRANSCRIPT {
            text = text.chars().skip(text.chars().count() - MAX_TRANSCRIPT).collect();
        }
        let request = format!("Transcript:\n{text}\n\nCondition: {condition}");
        let answer = aside(&core, &model, JUDGE, &request, VERDICT_TOKENS, CacheRetention::None)
            .await
            .map_err(|error| error.message)?;
        let text = Message::Assistant(answer).text();
        let start = text.find('{').ok_or("the judge gave no JSON")?;
        let end = text.rfind('}').ok_or("the judge gave no JSON")?;
        serde_json::from_str::<Value>(&text[start..=end])
            .and_then(serde_json::from_value)
            .map_err(|error| format!("the judge gave no verdict: {error}"))
    }
}

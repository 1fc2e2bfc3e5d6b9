//! What waits for a person: questions, plans, permissions. The first answer wins; everybody else is told.

use std::sync::Arc;

use parking_lot::Mutex;
use pizzapi_protocol::{
    AgentEvent, ApprovalAction, ApprovalField, ApprovalPending, ApprovalStyle, MetaEvent, MetaPendingApproval,
    MetaPendingPlan, MetaPendingQuestion, PlanPending, PromptRef, QuestionPending, RawJson, ToolCallRef, UnixMs,
};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::clock;
use crate::event::{Emitter, Local};

/// Ended decisions that are remembered, so that a late answer learns who was first.
const ENDED_KEEP: usize = 100;

/// Something only a person can decide.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    pub id: String,
    pub tool_call_id: String,
    pub kind: DecisionKind,
    pub created_at: UnixMs,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum DecisionKind {
    Question(MetaPendingQuestion),
    Plan(MetaPendingPlan),
    Approval(Approval),
}

/// A tool call that waits for permission.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Approval {
    pub title: String,
    pub tool_name: String,
    /// Exactly what would run: the command, or the path.
    pub subject: String,
    /// Why it is asked.
    pub reason: String,
    pub args: RawJson,
    /// The rules that "always" would write.
    pub rules: Vec<String>,
}

impl Decision {
    pub fn title(&self) -> String {
        match &self.kind {
            DecisionKind::Question(question) => {
                question.questions.first().map(|q| q.question.clone()).unwrap_or_else(|| "Question".into())
            }
            DecisionKind::Plan(plan) => plan.title.clone(),
            DecisionKind::Approval(approval) => approval.title.clone(),
        }
    }

    /// What exactly is decided.
    pub fn detail(&self) -> String {
        match &self.kind {
            DecisionKind::Question(question) => {
                let lines = question.questions.iter().map(|q| match q.options.is_empty() {
                    true => q.question.clone(),
                    false => format!("{} ({})", q.question, q.options.join(" / ")),
                });
                lines.collect::<Vec<_>>().join("\n")
            }
            DecisionKind::Plan(plan) => {
                let steps =
                    plan.steps.iter().flatten().enumerate().map(|(n, step)| format!("{}. {}", n + 1, step.title));
                plan.description.iter().cloned().chain(steps).collect::<Vec<_>>().join("\n")
            }
            DecisionKind::Approval(approval) => approval.subject.clone(),
        }
    }

    /// The ids of the possible answers; empty for free text.
    pub fn options(&self) -> Vec<String> {
        match &self.kind {
            DecisionKind::Question(question) => match &question.questions[..] {
                [only] => only.options.clone(),
                _ => Vec::new(),
            },
            DecisionKind::Plan(_) => ["execute", "execute_keep_context", "edit", "cancel"].map(str::to_owned).to_vec(),
            DecisionKind::Approval(_) => ApprovalChoice::ALL.map(|choice| choice.as_str().to_owned()).to_vec(),
        }
    }

    /// `question`, `plan` or `approval`.
    pub fn kind_word(&self) -> &'static str {
        match self.kind {
            DecisionKind::Question(_) => "question",
            DecisionKind::Plan(_) => "plan",
            DecisionKind::Approval(_) => "approval",
        }
    }

    fn pending_event(&self) -> AgentEvent {
        AgentEvent::Meta(match &self.kind {
            DecisionKind::Question(question) => {
                MetaEvent::QuestionPending(QuestionPending { question: question.clone() })
            }
            DecisionKind::Plan(plan) => MetaEvent::PlanPending(PlanPending { plan: plan.clone() }),
            DecisionKind::Approval(approval) => {
                MetaEvent::ApprovalPending(ApprovalPending { approval: approval.pending(&self.id) })
            }
        })
    }

    fn cleared_event(&self) -> AgentEvent {
        let call = || ToolCallRef { tool_call_id: self.tool_call_id.clone() };
        AgentEvent::Meta(match self.kind {
            DecisionKind::Question(_) => MetaEvent::QuestionCleared(call()),
            DecisionKind::Plan(_) => MetaEvent::PlanCleared(call()),
            DecisionKind::Approval(_) => MetaEvent::ApprovalCleared(PromptRef { prompt_id: self.id.clone() }),
        })
    }
}

impl Approval {
    fn pending(&self, id: &str) -> MetaPendingApproval {
        let action = |choice: ApprovalChoice, label: &str, style| ApprovalAction {
            id: choice.as_str().to_owned(),
            label: label.to_owned(),
            style: Some(style),
        };
        MetaPendingApproval {
            prompt_id: id.to_owned(),
            title: self.title.clone(),
            message: Some(self.reason.clone()),
            tool_name: Some(self.tool_name.clone()),
            icon: None,
            fields: Some(vec![ApprovalField {
                key: "subject".into(),
                label: if self.tool_name == "bash" { "Command".into() } else { "Target".into() },
                value: self.subject.clone(),
                editable: None,
                multiline: Some(self.subject.contains('\n')),
            }]),
            actions: Some(vec![
                action(ApprovalChoice::AllowOnce, "Allow once", ApprovalStyle::Primary),
                action(ApprovalChoice::AllowSession, "Allow in this session", ApprovalStyle::Default),
                action(ApprovalChoice::AllowAlways, "Always allow", ApprovalStyle::Default),
                action(ApprovalChoice::Deny, "Deny", ApprovalStyle::Danger),
            ]),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalChoice {
    AllowOnce,
    AllowSession,
    AllowAlways,
    Deny,
}

impl ApprovalChoice {
    pub const ALL: [Self; 4] = [Self::AllowOnce, Self::AllowSession, Self::AllowAlways, Self::Deny];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllowOnce => "allow_once",
            Self::AllowSession => "allow_session",
            Self::AllowAlways => "allow_always",
            Self::Deny => "deny",
        }
    }

    /// Our own words, and `approve` / `reject` of a plain approval card.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "approve" | "approved" | "allow" => Some(Self::AllowOnce),
            "reject" | "rejected" | "cancel" => Some(Self::Deny),
            _ => Self::ALL.into_iter().find(|choice| choice.as_str() == word),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanAction {
    /// Begin, with the conversation so far cut off.
    Execute,
    ExecuteKeepContext,
    Edit,
    Cancel,
}

impl PlanAction {
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "execute" => Some(Self::Execute),
            "execute_keep_context" => Some(Self::ExecuteKeepContext),
            "edit" => Some(Self::Edit),
            "cancel" => Some(Self::Cancel),
            _ => None,
        }
    }
}

/// What a person decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "value", rename_all = "snake_case")]
pub enum Answer {
    /// The text, or a JSON object question → answer.
    Question(String),
    Plan {
        action: PlanAction,
        edit: Option<String>,
    },
    Approval(ApprovalChoice),
    /// Nobody will answer; a permission is then refused.
    Cancel,
}

/// How a decision ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Ending {
    Answered {
        answer: Answer,
        by: Option<String>,
        at: UnixMs,
    },
    /// The call that asked is over.
    Withdrawn,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    #[error("no such decision")]
    Unknown,
    #[error("already decided{}", .0.as_ref().map(|by| format!(" by {by}")).unwrap_or_default())]
    AlreadyEnded(Option<String>),
    #[error("that answer does not fit a {0}")]
    Unfit(&'static str),
}

struct Pending {
    decision: Decision,
    reply: oneshot::Sender<Answer>,
}

/// All decisions of a session.
pub(crate) struct Decisions {
    emitter: Arc<Emitter>,
    state: Mutex<State>,
    /// Tells the summary that the list changed.
    changed: Box<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
struct State {
    open: Vec<Pending>,
    ended: Vec<(String, Ending)>,
}

impl Decisions {
    pub(crate) fn new(emitter: Arc<Emitter>, changed: Box<dyn Fn() + Send + Sync>) -> Self {
        Self { emitter, state: Mutex::default(), changed }
    }

    pub(crate) fn open(&self) -> Vec<Decision> {
        self.state.lock().open.iter().map(|pending| pending.decision.clone()).collect()
    }

    pub(crate) fn is_open(&self, kind: &str) -> bool {
        self.state.lock().open.iter().any(|pending| pending.decision.kind_word() == kind)
    }

    /// Ask and wait. Dropping the future withdraws the decision.
    pub(crate) async fn ask(self: &Arc<Self>, tool_call_id: &str, kind: DecisionKind) -> Answer {
        let decision = Decision {
            id: uuid::Uuid::now_v7().to_string(),
            tool_call_id: tool_call_id.to_owned(),
            kind,
            created_at: clock::now_ms(),
        };
        let (reply, answer) = oneshot::channel();
        self.state.lock().open.push(Pending { decision: decision.clone(), reply });
        (self.changed)();
        let guard = Withdraw { decisions: self.clone(), id: decision.id.clone() };
        self.emitter.event(decision.pending_event()).await;
        self.emitter.local(Local::DecisionRaised(decision)).await;
        let answer = answer.await.unwrap_or(Answer::Cancel);
        drop(guard);
        answer
    }

    /// The first answer wins.
    pub(crate) async fn answer(&self, id: &str, answer: Answer, by: Option<String>) -> Result<(), AnswerError> {
        let (pending, ending) = {
            let mut state = self.state.lock();
            let Some(at) = state.open.iter().position(|pending| pending.decision.id == id) else {
                let by = state.ended.iter().find(|(ended, _)| ended == id).map(|(_, ending)| match ending {
                    Ending::Answered { by, .. } => by.clone(),
                    Ending::Withdrawn => None,
                });
                return Err(by.map_or(AnswerError::Unknown, AnswerError::AlreadyEnded));
            };
            let fits = matches!(
                (&state.open[at].decision.kind, &answer),
                (_, Answer::Cancel)
                    | (DecisionKind::Question(_), Answer::Question(_))
                    | (DecisionKind::Plan(_), Answer::Plan { .. })
                    | (DecisionKind::Approval(_), Answer::Approval(_))
            );
            if !fits {
                return Err(AnswerError::Unfit(state.open[at].decision.kind_word()));
            }
            let pending = state.open.remove(at);
            let ending = Ending::Answered { answer: answer.clone(), by, at: clock::now_ms() };
            remember(&mut state, &pending.decision.id, &ending);
            (pending, ending)
        };
        (self.changed)();
        // The waiting call may be gone in this very moment; the decision is still over.
        let _ = pending.reply.send(answer);
        self.announce(&pending.decision, ending).await;
        Ok(())
    }

    async fn announce(&self, decision: &Decision, ending: Ending) {
        self.emitter.event(decision.cleared_event()).await;
        self.emitter.local(Local::DecisionEnded { id: decision.id.clone(), ending }).await;
    }

    fn withdraw(self: &Arc<Self>, id: &str) {
        let pending = {
            let mut state = self.state.lock();
            let Some(at) = state.open.iter().position(|pending| pending.decision.id == id) else { return };
            let pending = state.open.remove(at);
            remember(&mut state, id, &Ending::Withdrawn);
            pending
        };
        (self.changed)();
        let this = self.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { this.announce(&pending.decision, Ending::Withdrawn).await });
        }
    }
}

fn remember(state: &mut State, id: &str, ending: &Ending) {
    if state.ended.len() >= ENDED_KEEP {
        state.ended.remove(0);
    }
    state.ended.push((id.to_owned(), ending.clone()));
}

struct Withdraw {
    decisions: Arc<Decisions>,
    id: String,
}

impl Drop for Withdraw {
    fn drop(&mut self) {
        self.decisions.withdraw(&self.id);
    }
}

/// What remote text says to the decisions that are open, in the order they are offered it. None: it is no answer.
pub(crate) fn read_text(open: &[Decision], text: &str) -> Option<(String, Option<Answer>)> {
    let json = text.trim_start().starts_with('{').then(|| serde_json::from_str::<Value>(text).ok()).flatten();
    let action = json.as_ref().and_then(|value| value.get("action")).and_then(Value::as_str);
    let of = |word: &str| open.iter().find(|decision| decision.kind_word() == word);
    if let (Some(decision), Some(action)) = (of("approval"), action) {
        let wanted = json.as_ref().and_then(|value| value.get("promptId")).and_then(Value::as_str);
        if wanted.is_none_or(|id| id == decision.id) {
            let approved = json.as_ref().and_then(|value| value.get("approved")).and_then(Value::as_bool);
            let choice = ApprovalChoice::from_word(action).unwrap_or(if approved == Some(true) {
                ApprovalChoice::AllowOnce
            } else {
                ApprovalChoice::Deny
            });
            return Some((decision.id.clone(), Some(Answer::Approval(choice))));
        }
    }
    if let Some(decision) = of("question") {
        let answer = (!text.trim().is_empty()).then(|| Answer::Question(text.to_owned()));
        return Some((decision.id.clone(), answer));
    }
    let decision = of("plan")?;
    let answer = match &json {
        _ if text.trim().is_empty() => None,
        Some(value) => action.and_then(PlanAction::from_word).map(|action| Answer::Plan {
            action,
            edit: value.get("editSuggestion").and_then(Value::as_str).map(str::to_owned),
        }),
        None => Some(Answer::Plan { action: PlanAction::Edit, edit: Some(text.to_owned()) }),
    };
    Some((decision.id.clone(), answer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pizzapi_protocol::MetaQuestion;

    fn question() -> DecisionKind {
        DecisionKind::Question(MetaPendingQuestion {
            tool_call_id: "c".into(),
            questions: vec![MetaQuestion { question: "Which?".into(), options: vec!["a".into()], kind: None }],
            display: None,
        })
    }

    #[tokio::test]
    async fn the_first_answer_wins_and_the_second_learns_who_was_first() {
        let decisions = Arc::new(Decisions::new(Arc::default(), Box::new(|| {})));
        let asked = decisions.clone();
        let asking = tokio::spawn(async move { asked.ask("c", question()).await });
        while decisions.open().is_empty() {
            tokio::task::yield_now().await;
        }
        let id = decisions.open()[0].id.clone();
        assert_eq!(
            decisions.answer(&id, Answer::Approval(ApprovalChoice::Deny), None).await,
            Err(AnswerError::Unfit("question"))
        );
        decisions.answer(&id, Answer::Question("a".into()), Some("ana".into())).await.expect("first");
        assert_eq!(
            decisions.answer(&id, Answer::Question("b".into()), None).await,
            Err(AnswerError::AlreadyEnded(Some("ana".into())))
        );
        assert_eq!(asking.await.expect("asked"), Answer::Question("a".into()));
    }

    #[tokio::test]
    async fn a_call_that_is_dropped_withdraws_its_decision() {
        let emitter: Arc<Emitter> = Arc::default();
        let mut outputs = emitter.subscribe();
        let decisions = Arc::new(Decisions::new(emitter, Box::new(|| {})));
        let asked = decisions.clone();
        let asking = tokio::spawn(async move { asked.ask("c", question()).await });
        while !matches!(outputs.recv().await, Some(crate::event::Output::Local(Local::DecisionRaised(_)))) {}
        asking.abort();
        while !matches!(
            outputs.recv().await,
            Some(crate::event::Output::Local(Local::DecisionEnded { ending: Ending::Withdrawn, .. }))
        ) {}
        assert!(decisions.open().is_empty());
    }

    #[test]
    fn remote_text_reaches_the_decision_it_fits() {
        let decision = |id: &str, kind| Decision { id: id.into(), tool_call_id: "c".into(), kind, created_at: 0 };
        let plan = DecisionKind::Plan(MetaPendingPlan {
            tool_call_id: "c".into(),
            title: "t".into(),
            description: None,
            steps: None,
        });
        let open = [decision("q", question())];
        assert_eq!(read_text(&open, "blue"), Some(("q".into(), Some(Answer::Question("blue".into())))));
        assert_eq!(read_text(&open, "  "), Some(("q".into(), None)));
        let open = [decision("p", plan)];
        assert_eq!(
            read_text(&open, r#"{"action":"execute"}"#),
            Some(("p".into(), Some(Answer::Plan { action: PlanAction::Execute, edit: None })))
        );
        assert_eq!(read_text(&open, r#"{"action":"explode"}"#), Some(("p".into(), None)));
        assert_eq!(
            read_text(&open, "make it smaller"),
            Some(("p".into(), Some(Answer::Plan { action: PlanAction::Edit, edit: Some("make it smaller".into()) })))
        );
        assert_eq!(read_text(&[], "x"), None);
    }
}

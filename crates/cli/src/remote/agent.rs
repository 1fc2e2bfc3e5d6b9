//! Our own agent as a session of the relay.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use pizzapi_agent::{
    Accepted, AgentHandle, AgentState, Answer, AnswerError, ApprovalChoice, CommandState as Journal, Delivery, Ending,
    ExecReply, HostCommand, Journaled, Local, OpError, Output, PlanAction, Prompt, ReplaceReason, Subscription,
};
use pizzapi_protocol::{
    AnswerBody, ApprovalField, ApprovalStyle, CommandId, CommandInfo, CommandState, Decision, DecisionDetail,
    DecisionId, DecisionKind, DecisionOption, DecisionOutcome, DeliverAs, ErrorCode, JsonObject, Message, Model,
    RawJson, WireError,
};
use tokio::sync::watch;

use super::session::{Facts, HostWish, Outcome, Reached, Report, Reports, Session, Taken, Words};

/// Ended decisions whose ids are still understood, so that a late answer learns that it is late.
const KEEP_DECISIONS: usize = 200;

/// See the module.
pub struct AgentSession {
    agent: AgentHandle,
    known: Arc<Mutex<Known>>,
}

/// The relay knows questions and plans by the tool call that asks; the agent has ids of its own.
#[derive(Default)]
struct Known {
    agent_ids: HashMap<DecisionId, String>,
    order: VecDeque<DecisionId>,
    /// Agent ids of decisions that a command of the relay answers.
    answered_by_relay: HashSet<String>,
}

impl Known {
    fn note(&mut self, wire: &DecisionId, agent: &str) {
        if self.agent_ids.insert(wire.clone(), agent.to_owned()).is_none() {
            self.order.push_back(wire.clone());
        }
        if self.order.len() > KEEP_DECISIONS
            && let Some(oldest) = self.order.pop_front()
            && let Some(agent) = self.agent_ids.remove(&oldest)
        {
            self.answered_by_relay.remove(&agent);
        }
    }
}

impl AgentSession {
    pub fn new(agent: AgentHandle) -> Arc<Self> {
        Arc::new(Self { agent, known: Arc::default() })
    }

    fn agent_id(&self, id: &DecisionId) -> String {
        let open = self.agent.decisions();
        match open.iter().find(|decision| wire_id(decision) == *id) {
            Some(decision) => decision.id.clone(),
            None => self.known.lock().agent_ids.get(id).cloned().unwrap_or_else(|| id.to_string()),
        }
    }

    fn decision_kind(&self, agent_id: &str) -> Option<DecisionKind> {
        self.agent.decisions().iter().find(|decision| decision.id == agent_id).map(|decision| wire_kind(&decision.kind))
    }
}

#[async_trait]
impl Session for AgentSession {
    fn facts(&self) -> Facts {
        let state = self.agent.snapshot();
        Facts {
            session_file: state.session_file,
            session_name: state.session_name,
            cwd: state.cwd,
            since: state.since,
            model: state.model,
            thinking: state.thinking.map(|level| level.as_str().to_owned()),
            auth_source: state.auth_source,
            active: state.active,
            settling: state.settling,
            compacting: state.compacting,
            plan_mode: state.plan_mode,
            queued: state.queued,
            todos: state.todos,
            goal: self.agent.goal(),
            token_usage: Some(self.agent.token_usage()),
            model_heard_at: state.model_heard_at,
        }
    }

    fn leaf(&self) -> Option<String> {
        self.agent.leaf()
    }

    fn messages(&self) -> Vec<Message> {
        self.agent.messages()
    }

    fn last_text(&self) -> Option<String> {
        self.agent.last_assistant_text()
    }

    fn models(&self) -> Vec<Model> {
        self.agent.models()
    }

    fn commands(&self) -> Vec<CommandInfo> {
        self.agent.commands()
    }

    fn decisions(&self) -> Vec<Decision> {
        let open = self.agent.decisions();
        let mut known = self.known.lock();
        open.iter()
            .map(|decision| {
                known.note(&wire_id(decision), &decision.id);
                wire_decision(decision)
            })
            .collect()
    }

    fn reports(&self) -> Box<dyn Reports> {
        let outputs = self.agent.subscribe();
        let state = self.agent.state();
        let digest = Digest::of(&state.borrow());
        Box::new(AgentReports { outputs, state: Some(state), digest, known: self.known.clone() })
    }

    async fn prompt(&self, words: Words) -> Result<Taken, WireError> {
        let delivery = match words.deliver_as {
            // Nothing runs: there is nothing to steer or to follow.
            _ if self.agent.is_idle() => Delivery::Auto,
            None => Delivery::Auto,
            Some(DeliverAs::Steer) => Delivery::Steer,
            Some(DeliverAs::FollowUp) => Delivery::FollowUp,
        };
        let prompt = Prompt {
            text: words.text,
            images: words.images,
            delivery,
            command_id: words.command_id.map(String::from),
            ..Prompt::default()
        };
        match self.agent.prompt(prompt).await.map_err(wire_error)? {
            Accepted::Started | Accepted::Queued => Ok(Taken::Accepted),
            Accepted::Repeated(state) => Ok(Taken::Repeated(reached(&state))),
            Accepted::Command(outcome) => {
                let wish = outcome.host.map(|host| match host {
                    HostCommand::Quit => HostWish::Quit,
                    HostCommand::Restart => HostWish::Restart,
                    _ => HostWish::Terminal,
                });
                Ok(Taken::Command { message: outcome.message, wish })
            }
        }
    }

    async fn offer_text(&self, text: &str, by: Option<String>) -> bool {
        self.agent.offer_text(text, by).await
    }

    async fn answer(&self, body: &AnswerBody, by: Option<String>) -> Result<(), WireError> {
        let id = self.agent_id(&body.decision_id);
        // One that is open no longer is looked up anyway: the refusal says what became of it.
        let answer = match self.decision_kind(&id) {
            Some(kind) => read_answer(kind, body)?,
            None => Answer::Cancel,
        };
        self.known.lock().answered_by_relay.insert(id.clone());
        let by = by.or_else(|| Some("the web".to_owned()));
        let outcome = self.agent.answer(&id, answer, by).await;
        outcome.map_err(|error| {
            self.known.lock().answered_by_relay.remove(&id);
            let code = match error {
                AnswerError::Unknown => ErrorCode::NoSuchDecision,
                AnswerError::AlreadyEnded(_) => ErrorCode::AlreadyAnswered,
                AnswerError::Unfit(_) => ErrorCode::Invalid,
            };
            WireError::new(code, error.to_string())
        })
    }

    async fn end_decision(&self, id: &DecisionId, outcome: &DecisionOutcome) {
        let id = self.agent_id(id);
        let answer = match outcome {
            // The answer itself comes as a command.
            DecisionOutcome::Answered(_) => return,
            DecisionOutcome::Expired(expired) => {
                let option = expired.option.as_deref().unwrap_or_default();
                match self.decision_kind(&id) {
                    // A default never allows, whatever the record says.
                    Some(DecisionKind::Approval) => Answer::Approval(ApprovalChoice::Deny),
                    Some(DecisionKind::Question) if !option.is_empty() => Answer::Question(option.to_owned()),
                    _ => Answer::Cancel,
                }
            }
            DecisionOutcome::Superseded(_) | DecisionOutcome::Withdrawn(_) => Answer::Cancel,
        };
        self.known.lock().answered_by_relay.insert(id.clone());
        if let Err(error) = self.agent.answer(&id, answer, Some("nobody".to_owned())).await {
            tracing::debug!(decision.id = id, %error, "a decision that ended at the relay had ended here");
        }
    }

    async fn abort(&self) {
        self.agent.abort().await;
    }

    async fn set_model(&self, provider: &str, id: &str) -> Result<Model, String> {
        self.agent.set_model(provider, id).await.map_err(|error| error.to_string())
    }

    async fn exec(&self, command: &str, arguments: &JsonObject) -> Result<Option<RawJson>, String> {
        let arguments = arguments.to_raw().to().map_err(|error: serde_json::Error| error.to_string())?;
        match self.agent.exec(command, &arguments).await {
            ExecReply::Ok(result) => Ok(result.map(RawJson::from)),
            ExecReply::Error(error) => Err(error),
            ExecReply::NotMine => Err(format!("Unknown exec command: {command}")),
        }
    }

    async fn set_hidden_models(&self, hidden: Vec<String>) {
        self.agent.set_hidden_models(hidden).await;
    }

    async fn set_subagent_model(&self, model: Option<String>) {
        // Our sub-agents choose by their own settings, which the user of this machine made.
        tracing::debug!(?model, "the default model of sub-agents is not taken from the relay");
    }

    fn command(&self, id: &CommandId) -> Option<Reached> {
        self.agent.command_state(id.as_str()).as_ref().map(reached)
    }

    async fn journal(&self, id: &CommandId, to: &Reached) -> Result<Option<Reached>, WireError> {
        let state = match to.state {
            CommandState::Consumed => Journal::Consumed,
            CommandState::Cancelled => Journal::Cancelled,
            CommandState::Rejected => Journal::Rejected {
                code: to.code.unwrap_or(ErrorCode::Internal).as_str().to_owned(),
                message: to.message.clone().unwrap_or_default(),
            },
            _ => Journal::Delivered,
        };
        Ok(match self.agent.journal_command(id.as_str(), state).await {
            Journaled::New => None,
            Journaled::Repeated(known) => Some(reached(&known)),
        })
    }

    async fn cancel(&self, id: &CommandId) -> bool {
        self.agent.cancel_command(id.as_str()).await
    }
}

fn reached(state: &Journal) -> Reached {
    match state {
        Journal::Delivered => Reached::DELIVERED,
        Journal::Consumed => Reached::CONSUMED,
        Journal::Cancelled => Reached::CANCELLED,
        Journal::Rejected { code, message } => {
            Reached::rejected(ErrorCode::from_word(code).unwrap_or(ErrorCode::Internal), message.clone())
        }
    }
}

fn wire_error(error: OpError) -> WireError {
    let code = match &error {
        OpError::HiddenModel(_) => ErrorCode::ModelHidden,
        OpError::QueueFull(_) => ErrorCode::QueueFull,
        OpError::Closed => ErrorCode::Offline,
        OpError::EmptyPrompt | OpError::Invalid(_) => ErrorCode::Invalid,
        OpError::NoSession(_) | OpError::NoOtherSessions => ErrorCode::NotFound,
        _ => ErrorCode::Internal,
    };
    WireError::new(code, error.to_string())
}

// --- decisions

fn wire_id(decision: &pizzapi_agent::Decision) -> DecisionId {
    match decision.kind {
        pizzapi_agent::DecisionKind::Approval(_) => decision.id.as_str().into(),
        _ => decision.tool_call_id.as_str().into(),
    }
}

fn wire_kind(kind: &pizzapi_agent::DecisionKind) -> DecisionKind {
    match kind {
        pizzapi_agent::DecisionKind::Question(_) => DecisionKind::Question,
        pizzapi_agent::DecisionKind::Plan(_) => DecisionKind::Plan,
        pizzapi_agent::DecisionKind::Approval(_) => DecisionKind::Approval,
    }
}

fn option(id: &str, label: &str, style: Option<ApprovalStyle>) -> DecisionOption {
    DecisionOption { id: id.to_owned(), label: label.to_owned(), description: None, style }
}

fn wire_decision(decision: &pizzapi_agent::Decision) -> Decision {
    let mut detail = DecisionDetail {
        text: decision.detail(),
        tool_call_id: Some(decision.tool_call_id.clone()),
        ..DecisionDetail::default()
    };
    let mut default = None;
    let options = match &decision.kind {
        pizzapi_agent::DecisionKind::Question(question) => {
            detail.questions = Some(question.questions.clone());
            decision.options().iter().map(|label| option(label, label, None)).collect()
        }
        pizzapi_agent::DecisionKind::Plan(plan) => {
            detail.text = plan.description.clone().unwrap_or_default();
            detail.steps = plan.steps.clone();
            vec![
                option("execute", "Clear context and begin", Some(ApprovalStyle::Primary)),
                option("execute_keep_context", "Begin", None),
                option("edit", "Suggest an edit", None),
                option("cancel", "Cancel", Some(ApprovalStyle::Danger)),
            ]
        }
        pizzapi_agent::DecisionKind::Approval(approval) => {
            let is_command = approval.tool_name == "bash";
            detail.text.clone_from(&approval.reason);
            detail.tool_name = Some(approval.tool_name.clone());
            detail.command = is_command.then(|| approval.subject.clone());
            detail.fields = Some(vec![ApprovalField {
                key: "subject".to_owned(),
                label: if is_command { "Command".to_owned() } else { "Target".to_owned() },
                value: approval.subject.clone(),
                editable: None,
                multiline: Some(approval.subject.contains('\n')),
            }]);
            default = Some(ApprovalChoice::Deny.as_str().to_owned());
            vec![
                option(ApprovalChoice::AllowOnce.as_str(), "Allow once", Some(ApprovalStyle::Primary)),
                option(ApprovalChoice::AllowSession.as_str(), "Allow in this session", None),
                option(ApprovalChoice::AllowAlways.as_str(), "Always allow", None),
                option(ApprovalChoice::Deny.as_str(), "Deny", Some(ApprovalStyle::Danger)),
            ]
        }
    };
    Decision {
        decision_id: wire_id(decision),
        session_id: "".into(),
        epoch: Default::default(),
        kind: wire_kind(&decision.kind),
        title: decision.title(),
        detail,
        options,
        default,
        deadline: None,
        created_at: decision.created_at,
    }
}

fn read_answer(kind: DecisionKind, body: &AnswerBody) -> Result<Answer, WireError> {
    let text = body.text.clone().filter(|text| !text.is_empty());
    let unknown = || WireError::new(ErrorCode::Invalid, format!("the decision has no option `{}`", body.option));
    match kind {
        DecisionKind::Question => Ok(Answer::Question(text.unwrap_or_else(|| body.option.clone()))),
        DecisionKind::Plan => {
            let action = match (body.option.as_str(), &text) {
                // Free text about a plan is a wish for a change.
                ("text", Some(_)) => PlanAction::Edit,
                (option, _) => PlanAction::from_word(option).ok_or_else(unknown)?,
            };
            Ok(Answer::Plan { action, edit: text })
        }
        DecisionKind::Approval => ApprovalChoice::from_word(&body.option).map(Answer::Approval).ok_or_else(unknown),
        DecisionKind::PluginTrust | DecisionKind::McpLogin => Err(unknown()),
    }
}

/// How an answer given here is told to the relay. `None`: nobody answered.
fn write_answer(id: DecisionId, answer: &Answer) -> Option<AnswerBody> {
    let (option, text) = match answer {
        Answer::Question(text) => ("text".to_owned(), Some(text.clone())),
        Answer::Plan { action, edit } => {
            let option = match action {
                PlanAction::Execute => "execute",
                PlanAction::ExecuteKeepContext => "execute_keep_context",
                PlanAction::Edit => "edit",
                PlanAction::Cancel => "cancel",
            };
            (option.to_owned(), edit.clone())
        }
        Answer::Approval(choice) => (choice.as_str().to_owned(), None),
        Answer::Cancel => return None,
    };
    Some(AnswerBody { decision_id: id, option, text, edits: None })
}

// --- reports

/// What heartbeats say: a change of it is worth one.
#[derive(Debug, PartialEq)]
struct Digest {
    active: bool,
    settling: bool,
    compacting: bool,
    queued: Vec<String>,
    model: Option<Model>,
}

impl Digest {
    fn of(state: &AgentState) -> Self {
        Self {
            active: state.active,
            settling: state.settling,
            compacting: state.compacting,
            queued: state.queued.clone(),
            model: state.model.clone(),
        }
    }
}

struct AgentReports {
    outputs: Subscription,
    /// `None` once the agent stopped keeping it.
    state: Option<watch::Receiver<AgentState>>,
    digest: Digest,
    known: Arc<Mutex<Known>>,
}

#[async_trait]
impl Reports for AgentReports {
    async fn next(&mut self) -> Option<Report> {
        loop {
            let changed = async {
                match &mut self.state {
                    Some(state) => state.changed().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // What happened first; its effect on the state is told after it.
                biased;
                output = self.outputs.recv() => {
                    if let Some(report) = translate(output?, &self.known) {
                        return Some(report);
                    }
                }
                changed = changed => match (changed, &mut self.state) {
                    (Ok(()), Some(state)) => {
                        let digest = Digest::of(&state.borrow_and_update());
                        if digest != self.digest {
                            self.digest = digest;
                            return Some(Report::Activity);
                        }
                    }
                    _ => self.state = None,
                },
            }
        }
    }
}

fn translate(output: Output, known: &Mutex<Known>) -> Option<Report> {
    let local = match output {
        Output::Event(event) => return Some(Report::Event(event)),
        Output::Lagged => return Some(Report::Lagged),
        Output::Local(local) => local,
    };
    Some(match local {
        Local::DecisionRaised(decision) => {
            known.lock().note(&wire_id(&decision), &decision.id);
            Report::Raised(wire_decision(&decision))
        }
        Local::DecisionEnded { id, ending } => {
            let mut known = known.lock();
            let wire = known.agent_ids.iter().find(|(_, agent)| **agent == id).map(|(wire, _)| wire.clone());
            let is_known = known.answered_by_relay.remove(&id);
            let wire = wire.unwrap_or_else(|| id.as_str().into());
            let answer = match &ending {
                Ending::Answered { answer, .. } => write_answer(wire.clone(), answer),
                Ending::Withdrawn => None,
            };
            Report::DecisionEnded { id: wire, answer, is_known }
        }
        Local::TranscriptReplaced { reason } => Report::Replaced { is_new: reason == ReplaceReason::New },
        Local::Settled(outcome) => Report::Settled(match outcome {
            pizzapi_agent::Outcome::Completed => Outcome::Completed,
            pizzapi_agent::Outcome::Aborted => Outcome::Aborted,
            pizzapi_agent::Outcome::Failed(error) => Outcome::Failed(error),
        }),
        Local::Command { id, state } => Report::Command { id: id.into(), reached: reached(&state) },
        Local::CapabilitiesChanged => Report::Capabilities,
        Local::NameChanged(_) => Report::Named,
        Local::QueueUpdate(_) | Local::CompactionStart { .. } | Local::CompactionEnd { .. } => Report::Activity,
        // Told by events of their own, or of no concern to people elsewhere.
        _ => return None,
    })
}

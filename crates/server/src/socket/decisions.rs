//! Decisions that wait for a person: durable, answered once, known everywhere.
//!
//! Our sessions raise and withdraw them by name. Those of published sessions are derived from their side-state events.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use pizzapi_protocol::relay::from_server;
use pizzapi_protocol::{
    Ack, AnswerDecision, AnswerReply, CommandKind, Decision, DecisionAnswered, DecisionDetail, DecisionEnded,
    DecisionExpired, DecisionId, DecisionKind, DecisionOption, DecisionOutcome, DecisionSuperseded, DecisionWithdrawn,
    Epoch as WireEpoch, ErrorCode, MetaEvent, OkReply, RawJson, Revised, SessionId, UserId, WithdrawDecision,
};
use serde_json::json;

use super::notify::What;
use super::{commands, log_db};
use crate::app::App;
use crate::db::DbError;
use crate::db::decisions::{self as rows, Answer, DecisionState, Ended};
use crate::log::Epoch;
use crate::route::RelayHandle;
use crate::store::SessionRecord;

/// How often deadlines are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Watch deadlines: an expired decision takes its default, which never allows.
pub fn start(app: &App) {
    let watcher = app.clone();
    app.tasks.every("decision-deadlines", LOOK_EVERY, move || {
        let app = watcher.clone();
        async move {
            match app.db.decisions().expire(app.clock.now_ms()).await {
                Ok(expired) => {
                    for row in expired {
                        ended(&app, &row, None).await;
                    }
                }
                Err(error) => log_db(&error, "expire decisions"),
            }
        }
    });
}

/// A session needs a person.
pub async fn raise(app: &App, session: &SessionId, epoch: Epoch, mut decision: Decision, ack: Ack<OkReply>) {
    decision.session_id = session.clone();
    decision.epoch = WireEpoch(epoch);
    decision.created_at = app.clock.now_ms();
    ack.send(&match store(app, decision).await {
        Ok(()) => OkReply::OK,
        Err(message) => OkReply::refused(message),
    });
}

async fn store(app: &App, decision: Decision) -> Result<(), String> {
    let record = match app.live.stores.sessions.get(&decision.session_id).await {
        Ok(Some(record)) => record,
        Ok(None) => return Err("the session is over".to_owned()),
        Err(error) => return Err(error.to_string()),
    };
    if decision.decision_id.is_empty() {
        return Err("a decision needs an id".to_owned());
    }
    let text = |value: Result<String, serde_json::Error>| value.map_err(|error| error.to_string());
    let row = rows::Decision {
        session_id: decision.session_id.to_string(),
        decision_id: decision.decision_id.to_string(),
        user_id: record.user_id.to_string(),
        epoch: decision.epoch.0 as i64,
        kind: decision.kind.as_str().to_owned(),
        title: decision.title.clone(),
        detail: text(serde_json::to_string(&decision.detail))?,
        options: text(serde_json::to_string(&decision.options))?,
        default_option: decision.default.clone(),
        deadline: decision.deadline,
        created_at: decision.created_at,
        state: DecisionState::Open,
        answered_by: None,
        device: None,
        option: None,
        answer: None,
        ended_at: None,
    };
    match app.db.decisions().insert(&row).await {
        Ok(true) => {}
        // Raised again after a reconnect: it is the same one.
        Ok(false) => return Ok(()),
        Err(error) => {
            log_db(&error, "store a decision");
            return Err("the decision could not be stored; try again".to_owned());
        }
    }
    let what = What::NeedsPerson { id: decision.decision_id.to_string(), title: decision.title.clone() };
    app.live
        .hub
        .publish(&record.user_id, "decision_added", |revision| Revised { item: decision, revision: Some(revision) });
    app.live.happenings.tell(&record, what);
    Ok(())
}

/// A session no longer needs a person.
pub async fn withdraw(app: &App, session: &SessionId, event: WithdrawDecision, ack: Ack<OkReply>) {
    let state = if event.superseded_by.is_some() { DecisionState::Superseded } else { DecisionState::Withdrawn };
    let reply =
        match app.db.decisions().end(session.as_str(), event.decision_id.as_str(), state, app.clock.now_ms()).await {
            Ok(Ended::Won(row)) => {
                ended(app, &row, event.reason).await;
                OkReply::OK
            }
            Ok(Ended::Lost(_) | Ended::Missing) => OkReply::OK,
            Err(error) => {
                log_db(&error, "withdraw a decision");
                OkReply::refused("the decision could not be withdrawn; try again")
            }
        };
    ack.send(&reply);
}

/// A person answers, from any surface. The first one wins; everybody else learns who that was.
///
/// `at_terminal`: the session's own terminal, and its epoch: the answer is where it is needed already.
pub async fn answer(
    app: &App,
    user: &UserId,
    event: AnswerDecision,
    device: &str,
    at_terminal: Option<(SessionId, Epoch)>,
) -> AnswerReply {
    let fail = |code: ErrorCode, error: &str| AnswerReply {
        ok: false,
        outcome: None,
        code: Some(code),
        error: Some(error.to_owned()),
    };
    let row = match find(app, user, &event, at_terminal.as_ref().map(|(session, _)| session)).await {
        Ok(Some(row)) => row,
        Ok(None) => return fail(ErrorCode::NoSuchDecision, "there is no such decision"),
        Err(error) => {
            log_db(&error, "read a decision");
            return fail(ErrorCode::ServerNotReady, "the answer could not be stored; try again");
        }
    };
    if row.state != DecisionState::Open {
        return lost(&row);
    }
    let options: Vec<DecisionOption> = serde_json::from_str(&row.options).unwrap_or_default();
    let is_known =
        options.is_empty() || event.option == "text" || options.iter().any(|option| option.id == event.option);
    if !is_known {
        return fail(ErrorCode::Invalid, "the decision has no such option");
    }
    if event.composed_at.is_some_and(|composed| (composed.epoch.0 as i64) < row.epoch) {
        return fail(ErrorCode::MovedOn, "the session has moved on");
    }
    let extra = json!({ "text": event.text, "edits": event.edits });
    let answer = Answer {
        by: user.to_string(),
        device: Some(device.to_owned()),
        option: Some(event.option.clone()),
        answer: Some(extra.to_string()),
        at: app.clock.now_ms(),
    };
    match app.db.decisions().answer(&row.session_id, &row.decision_id, &answer).await {
        Ok(Ended::Won(row)) => {
            if at_terminal.is_none() {
                carry(app, user, &row, &event, device).await;
            }
            ended(app, &row, None).await;
            AnswerReply { ok: true, outcome: outcome(&row, None), code: None, error: None }
        }
        Ok(Ended::Lost(row)) => lost(&row),
        Ok(Ended::Missing) => fail(ErrorCode::NoSuchDecision, "there is no such decision"),
        Err(error) => {
            log_db(&error, "store an answer");
            fail(ErrorCode::ServerNotReady, "the answer could not be stored; try again")
        }
    }
}

async fn find(
    app: &App,
    user: &UserId,
    event: &AnswerDecision,
    here: Option<&SessionId>,
) -> Result<Option<rows::Decision>, DbError> {
    let row = match event.session_id.as_ref().or(here) {
        Some(session) => app.db.decisions().get(session.as_str(), event.decision_id.as_str()).await?,
        None => {
            let open = app.db.decisions().open_of_user(user.as_str()).await?;
            open.into_iter().find(|row| row.decision_id == event.decision_id.as_str())
        }
    };
    Ok(row.filter(|row| row.user_id == user.as_str()))
}

fn lost(row: &rows::Decision) -> AnswerReply {
    AnswerReply {
        ok: false,
        outcome: outcome(row, None),
        code: Some(ErrorCode::AlreadyAnswered),
        error: Some("it was decided before".to_owned()),
    }
}

/// Take the answer to the session, as a command that survives its absence.
async fn carry(app: &App, user: &UserId, row: &rows::Decision, event: &AnswerDecision, device: &str) {
    let record = match app.live.stores.sessions.get(&SessionId::from(row.session_id.as_str())).await {
        Ok(Some(record)) => record,
        Ok(None) => return,
        Err(error) => return super::log_store(&error, "read the session of an answer"),
    };
    let body = json!({
        "decisionId": row.decision_id,
        "option": event.option,
        "text": event.text,
        "edits": event.edits,
        "published": published(row, event),
    });
    let author = commands::Author { user: user.clone(), device: Some(device.to_owned()) };
    let command = commands::NewCommand {
        id: event.command_id.clone(),
        ..commands::NewCommand::new(&record, CommandKind::Answer, RawJson::from(body), author)
    };
    if let commands::Verdict::Refused { message, .. } = commands::submit(app, command).await {
        tracing::warn!(
            session.id = row.session_id,
            decision.id = row.decision_id,
            message,
            "an answer could not be taken to its session"
        );
    }
}

/// The answer in words a published session understands.
fn published(row: &rows::Decision, event: &AnswerDecision) -> serde_json::Value {
    let options: Vec<DecisionOption> = serde_json::from_str(&row.options).unwrap_or_default();
    let label = options
        .iter()
        .find(|option| option.id == event.option)
        .map_or(event.option.as_str(), |option| option.label.as_str());
    let text = event.text.as_deref().filter(|text| !text.is_empty());
    match DecisionKind::from_word(&row.kind) {
        Some(DecisionKind::Approval) => {
            json!({"text": json!({"action": event.option, "promptId": row.decision_id, "edits": event.edits}).to_string()})
        }
        Some(DecisionKind::Plan) => {
            json!({"text": json!({"action": event.option, "editSuggestion": text}).to_string()})
        }
        Some(DecisionKind::PluginTrust) => {
            let trusted = matches!(event.option.as_str(), "trust" | "allow" | "yes");
            json!({"exec": {"command": "plugin_trust_response", "promptId": row.decision_id, "trusted": trusted}})
        }
        _ => json!({"text": text.unwrap_or(label)}),
    }
}

/// Everybody who shows it learns how a decision ended.
async fn ended(app: &App, row: &rows::Decision, reason: Option<String>) {
    let Some(outcome) = outcome(row, reason) else { return };
    let (session, user) = (SessionId::from(row.session_id.as_str()), UserId::from(row.user_id.as_str()));
    let body = DecisionEnded {
        decision_id: DecisionId::from(row.decision_id.as_str()),
        session_id: session.clone(),
        outcome,
        revision: None,
    };
    if let Some(handle) = app.live.routes.relay(&session).filter(|handle| handle.capabilities.decisions.is_some()) {
        handle.out.emit::<from_server::DecisionEnded>(&body);
    }
    app.live.hub.publish(&user, "decision_ended", |revision| DecisionEnded { revision: Some(revision), ..body });
    if let Ok(Some(record)) = app.live.stores.sessions.recall(&session).await {
        app.live.happenings.tell(&record, What::PersonNotNeeded { id: row.decision_id.clone() });
    }
}

/// A session is over: nobody is left to hear the answers.
pub async fn end_all(app: &App, record: &Arc<SessionRecord>, state: DecisionState) {
    match app.db.decisions().end_all(record.session_id.as_str(), state, app.clock.now_ms()).await {
        Ok(rows) => {
            for row in rows {
                ended(app, &row, Some("the session ended".to_owned())).await;
            }
        }
        Err(error) => log_db(&error, "withdraw the decisions of an ended session"),
    }
}

/// Open decisions of a user, oldest first.
pub async fn open(app: &App, user: &UserId) -> Result<Vec<Decision>, DbError> {
    Ok(app.db.decisions().open_of_user(user.as_str()).await?.iter().filter_map(wire).collect())
}

/// How many wait, per session.
pub async fn counts(app: &App, user: &UserId) -> HashMap<String, u32> {
    let mut counts = HashMap::new();
    match app.db.decisions().open_of_user(user.as_str()).await {
        Ok(rows) => rows.into_iter().for_each(|row| *counts.entry(row.session_id).or_default() += 1),
        Err(error) => log_db(&error, "count decisions"),
    }
    counts
}

/// Published sessions announce prompts as side state only.
pub async fn derive(app: &App, handle: &Arc<RelayHandle>, event: &MetaEvent) {
    if handle.capabilities.decisions.is_some_and(|version| version >= 1) {
        return;
    }
    let session = &handle.session;
    let option = |id: &str, label: &str| DecisionOption {
        id: id.to_owned(),
        label: label.to_owned(),
        description: None,
        style: None,
    };
    let decision = |id: &str, kind, title: String, detail, options| Decision {
        decision_id: DecisionId::from(id),
        session_id: session.clone(),
        epoch: WireEpoch(handle.epoch),
        kind,
        title,
        detail,
        options,
        default: None,
        deadline: None,
        created_at: app.clock.now_ms(),
    };
    let raised = match event {
        MetaEvent::QuestionPending(event) => {
            let question = &event.question;
            let first = question.questions.first();
            let options = match question.questions.as_slice() {
                [only] => only.options.iter().map(|label| option(label, label)).collect(),
                _ => Vec::new(),
            };
            let title = first.map(|first| first.question.clone()).unwrap_or_default();
            let detail = DecisionDetail {
                tool_call_id: Some(question.tool_call_id.clone()),
                questions: Some(question.questions.clone()),
                ..DecisionDetail::default()
            };
            decision(&question.tool_call_id, DecisionKind::Question, title, detail, options)
        }
        MetaEvent::PlanPending(event) => {
            let plan = &event.plan;
            let detail = DecisionDetail {
                text: plan.description.clone().unwrap_or_default(),
                tool_call_id: Some(plan.tool_call_id.clone()),
                steps: plan.steps.clone(),
                ..DecisionDetail::default()
            };
            let options = vec![
                option("execute", "Execute"),
                option("execute_keep_context", "Execute and keep the context"),
                option("edit", "Suggest an edit"),
                option("cancel", "Cancel"),
            ];
            decision(&plan.tool_call_id, DecisionKind::Plan, plan.title.clone(), detail, options)
        }
        MetaEvent::PluginTrustRequired(event) => {
            let prompt = &event.prompt;
            let detail =
                DecisionDetail { subjects: Some(prompt.plugin_summaries.clone()), ..DecisionDetail::default() };
            let title = format!("Trust {}?", prompt.plugin_names.join(", "));
            decision(
                &prompt.prompt_id,
                DecisionKind::PluginTrust,
                title,
                detail,
                vec![option("trust", "Trust"), option("deny", "Deny")],
            )
        }
        MetaEvent::ApprovalPending(event) => {
            let approval = &event.approval;
            let detail = DecisionDetail {
                text: approval.message.clone().unwrap_or_default(),
                tool_name: approval.tool_name.clone(),
                fields: approval.fields.clone(),
                ..DecisionDetail::default()
            };
            let options = match approval.actions.as_deref() {
                Some(actions) if !actions.is_empty() => actions
                    .iter()
                    .map(|action| DecisionOption { style: action.style, ..option(&action.id, &action.label) })
                    .collect(),
                _ => vec![option("approve", "Approve"), option("reject", "Reject")],
            };
            decision(&approval.prompt_id, DecisionKind::Approval, approval.title.clone(), detail, options)
        }
        MetaEvent::QuestionCleared(event) | MetaEvent::PlanCleared(event) => {
            return cleared(app, session, &event.tool_call_id).await;
        }
        MetaEvent::PluginTrustResolved(event) | MetaEvent::ApprovalCleared(event) => {
            return cleared(app, session, &event.prompt_id).await;
        }
        _ => return,
    };
    if let Err(message) = store(app, raised).await {
        tracing::warn!(session.id = %session, message, "a prompt could not be stored as a decision");
    }
}

async fn cleared(app: &App, session: &SessionId, id: &str) {
    match app.db.decisions().end(session.as_str(), id, DecisionState::Withdrawn, app.clock.now_ms()).await {
        Ok(Ended::Won(row)) => ended(app, &row, None).await,
        Ok(_) => {}
        Err(error) => log_db(&error, "withdraw a decision"),
    }
}

fn wire(row: &rows::Decision) -> Option<Decision> {
    Some(Decision {
        decision_id: row.decision_id.as_str().into(),
        session_id: row.session_id.as_str().into(),
        epoch: WireEpoch(row.epoch as u64),
        kind: DecisionKind::from_word(&row.kind)?,
        title: row.title.clone(),
        detail: serde_json::from_str(&row.detail).ok()?,
        options: serde_json::from_str(&row.options).ok()?,
        default: row.default_option.clone(),
        deadline: row.deadline,
        created_at: row.created_at,
    })
}

fn outcome(row: &rows::Decision, reason: Option<String>) -> Option<DecisionOutcome> {
    #[derive(Default, serde::Deserialize)]
    struct Extra {
        text: Option<String>,
        edits: Option<std::collections::BTreeMap<String, String>>,
    }
    let at = row.ended_at.unwrap_or(row.created_at);
    Some(match row.state {
        DecisionState::Open => return None,
        DecisionState::Answered => {
            let extra: Extra =
                row.answer.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
            DecisionOutcome::Answered(DecisionAnswered {
                by: row.answered_by.clone().unwrap_or_default().into(),
                by_name: None,
                device: row.device.clone(),
                option: row.option.clone().unwrap_or_default(),
                text: extra.text,
                edits: extra.edits,
                at,
            })
        }
        DecisionState::Expired => DecisionOutcome::Expired(DecisionExpired { option: row.default_option.clone(), at }),
        DecisionState::Superseded => DecisionOutcome::Superseded(DecisionSuperseded { by: None, at }),
        DecisionState::Withdrawn => DecisionOutcome::Withdrawn(DecisionWithdrawn { reason, at }),
    })
}

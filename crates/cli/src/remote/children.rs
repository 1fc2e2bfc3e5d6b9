//! Parents and children: triggers up, answers down, and letting go of each other.

use std::collections::HashMap;
use std::time::Duration;

use indexmap::{IndexMap, IndexSet};
use pizzapi_protocol::limits::{SUMMARY_MAX_CHARS, TRIGGER_ACK_MS, TRIGGER_DEBOUNCE_MS, TRIGGER_RESPONSE_ACK_MS};
use pizzapi_protocol::relay::{
    CleanupChildSession, DelinkChildren, DelinkOwnParent, MessageDelivery, Owned, Registered, SendSessionMessage,
    SendTrigger, SendTriggerResponse, SessionMessage, SessionMessageError, TriggerResponse, from_client,
};
use pizzapi_protocol::{
    Ack, AnswerBody, Decision, DecisionId, DecisionKind, DeliverAs, ExitReason, Maybe, OkReply, RawJson,
    SessionCompletePayload, SessionId, Trigger, TriggerId,
};
use pizzapi_socket_client::{ClientError, Link};
use serde_json::json;
use tokio::time::Instant;

use super::inbound::{Done, Job, WordsJob, now};
use super::link::Extension;
use super::session::{HostWish, Outcome};
use super::toolbox::Order;
use super::triggers;

/// What was not acknowledged is tried again this much later.
pub(super) const RETRY: Duration = Duration::from_secs(3);
/// Answers to triggers that are over are tried again this often.
const CANCEL_TRIES: u32 = 10;
/// Ids of triggers that were seen.
const KEEP_SEEN: usize = 1000;
/// Triggers that wait for an answer.
const KEEP_RECEIVED: usize = 200;
/// A refusal of words to another session comes this soon, or not at all.
const REFUSAL: Duration = Duration::from_secs(3);
const TRIGGER_ACK: Duration = Duration::from_millis(TRIGGER_ACK_MS);
const RESPONSE_ACK: Duration = Duration::from_millis(TRIGGER_RESPONSE_ACK_MS);
const DEBOUNCE: Duration = Duration::from_millis(TRIGGER_DEBOUNCE_MS);
/// A parent that does not know its children does not close.
const COUNT_WAIT: Duration = Duration::from_secs(2);

/// What a session knows of its relatives.
#[derive(Default)]
pub(super) struct Kin {
    pub parent: Option<SessionId>,
    /// We left this parent; the relay has not confirmed it.
    leaving: Option<SessionId>,
    /// We let go of the children of an earlier conversation. Units: the relay's clock.
    letting_go: Option<f64>,
    /// Sources whose triggers belong to an earlier conversation.
    stale: IndexSet<SessionId>,
    seen: IndexSet<TriggerId>,
    batch: Vec<Trigger>,
    pub batch_due: Option<Instant>,
    /// Triggers that may be answered.
    received: IndexMap<TriggerId, Trigger>,
    /// Answers that only end a wait: retried until taken.
    cancels: Vec<(SendTriggerResponse, u32)>,
    /// Our questions at the parent.
    asked: HashMap<TriggerId, DecisionId>,
    /// What is to be told to the parent about the last run.
    completion: Vec<Trigger>,
    /// Grows with every turn and conversation: what was decided before is void.
    pub generation: u64,
    /// The relay's clock minus ours. Units: ms.
    clock_offset: i64,
    refusals: Vec<(SessionId, tokio::sync::oneshot::Sender<String>)>,
    /// When to try again what was not acknowledged.
    pub retry_due: Option<Instant>,
}

impl Kin {
    pub fn of(parent: Option<SessionId>) -> Self {
        Self { parent, ..Self::default() }
    }
}

/// What became of something sent to a relative.
#[derive(Debug)]
pub(super) enum Sent {
    Completion {
        id: TriggerId,
        generation: u64,
        ok: bool,
    },
    LetGo {
        epoch: f64,
        ok: bool,
    },
    Left {
        parent: SessionId,
        ok: bool,
    },
    Cancel {
        id: TriggerId,
        ok: bool,
    },
    Handled(TriggerId),
    /// Nobody needs this session any more.
    MayClose {
        generation: u64,
    },
}

fn iso(ms: i64) -> String {
    let at = time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000);
    let at = at.unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    at.format(&time::format_description::well_known::Rfc3339).unwrap_or_default()
}

fn accepted(answer: Result<OkReply, ClientError>) -> Result<(), String> {
    match answer {
        Ok(reply) if reply.ok => Ok(()),
        Ok(reply) => Err(reply.error.unwrap_or_else(|| "the relay refused".to_owned())),
        Err(error) => Err(error.to_string()),
    }
}

/// Refusals that no repetition changes.
fn is_permanent(error: &str) -> bool {
    error.contains("belongs to a different user") || error.contains("is not the parent of the target session")
}

impl Extension {
    fn linked(&self) -> Option<(Link, String)> {
        Some((self.link.clone()?, self.registration.as_ref()?.token.clone()))
    }

    fn retry_soon(&mut self) {
        self.kin.retry_due.get_or_insert(Instant::now() + RETRY);
    }

    // --- belonging

    /// What `register` says about the parent.
    pub(super) fn parent_claim(&self) -> Maybe<SessionId> {
        match (&self.kin.parent, &self.kin.leaving) {
            (_, Some(_)) => Maybe::Null,
            (Some(parent), None) => Maybe::Value(parent.clone()),
            (None, None) => Maybe::Absent,
        }
    }

    pub(super) fn registered_kin(&mut self, registered: &Registered) {
        self.kin.clock_offset = registered.server_time - now();
        match &registered.parent_session_id {
            Some(parent) if self.kin.leaving.is_none() => self.kin.parent = Some(parent.clone()),
            Some(_) => {}
            None if registered.was_delinked == Some(true) => self.delinked(),
            // Only away for a while: the link stays.
            None => {}
        }
        // What an earlier connection did not settle is settled by this one.
        self.kin.retry_due = Some(Instant::now());
    }

    fn delinked(&mut self) {
        self.kin.parent = None;
        self.kin.asked.clear();
        self.kin.completion.clear();
    }

    pub(super) fn parent_delinked(&mut self, ack: Ack<OkReply>) {
        self.delinked();
        ack.send(&OkReply::OK);
    }

    /// Words of a parent we have left, or of a child we let go, are of an earlier conversation.
    pub(super) fn is_stale_sender(&self, client: Option<&str>) -> bool {
        self.kin.leaving.is_some() && client == Some("agent")
    }

    /// A new conversation: nothing of the old one may reach into it.
    pub(super) fn new_conversation(&mut self) {
        self.kin.generation += 1;
        self.kin.batch.clear();
        self.kin.batch_due = None;
        self.kin.completion.clear();
        self.kin.asked.clear();
        for (id, trigger) in std::mem::take(&mut self.kin.received) {
            self.kin.stale.insert(trigger.source_session_id.clone());
            if trigger.expects_response {
                let response = SendTriggerResponse {
                    token: String::new(),
                    trigger_id: id,
                    response: Some("The conversation that could answer this was replaced.".to_owned()),
                    action: Some("cancel".to_owned()),
                    target_session_id: trigger.source_session_id,
                };
                self.kin.cancels.push((response, 0));
            }
        }
        self.kin.letting_go = Some((now() + self.kin.clock_offset) as f64);
        if let Some(parent) = self.kin.parent.take() {
            self.kin.leaving = Some(parent);
        }
        self.kin.retry_due = Some(Instant::now());
    }

    // --- to relatives

    /// Send again whatever was not acknowledged.
    pub(super) fn retry_kin(&mut self) {
        self.kin.retry_due = None;
        let Some((link, token)) = self.linked() else { return };
        let done = self.worker.done.clone();
        let generation = self.kin.generation;
        for trigger in self.kin.completion.clone() {
            let (link, done, id) = (link.clone(), done.clone(), trigger.trigger_id.clone());
            let send = SendTrigger { token: token.clone(), trigger };
            tokio::spawn(async move {
                let ok = accepted(link.call::<from_client::SessionTrigger>(&send, TRIGGER_ACK).await).is_ok();
                let _ = done.send(Done::Kin(Sent::Completion { id, generation, ok }));
            });
        }
        if let Some(epoch) = self.kin.letting_go {
            let (link, done) = (link.clone(), done.clone());
            let send = DelinkChildren { token: token.clone(), epoch: Some(epoch) };
            tokio::spawn(async move {
                let ok = accepted(link.call::<from_client::DelinkChildren>(&send, RESPONSE_ACK).await).is_ok();
                let _ = done.send(Done::Kin(Sent::LetGo { epoch, ok }));
            });
        }
        if let Some(parent) = self.kin.leaving.clone() {
            let (link, done) = (link.clone(), done.clone());
            let send = DelinkOwnParent { token: token.clone(), old_parent_id: Maybe::Value(parent.clone()) };
            tokio::spawn(async move {
                let ok = accepted(link.call::<from_client::DelinkOwnParent>(&send, RESPONSE_ACK).await).is_ok();
                let _ = done.send(Done::Kin(Sent::Left { parent, ok }));
            });
        }
        for (response, tries) in &mut self.kin.cancels {
            *tries += 1;
            let (link, done, id) = (link.clone(), done.clone(), response.trigger_id.clone());
            let send = SendTriggerResponse { token: token.clone(), ..response.clone() };
            tokio::spawn(async move {
                let outcome = accepted(link.call::<from_client::TriggerResponse>(&send, RESPONSE_ACK).await);
                let ok = outcome.map_or_else(|error| is_permanent(&error), |()| true);
                let _ = done.send(Done::Kin(Sent::Cancel { id, ok }));
            });
        }
    }

    pub(super) fn sent_kin(&mut self, sent: Sent) {
        let retry = match sent {
            Sent::Completion { id, generation, ok } => {
                if ok && generation == self.kin.generation {
                    self.kin.completion.retain(|trigger| trigger.trigger_id != id);
                }
                !ok && !self.kin.completion.is_empty()
            }
            Sent::LetGo { epoch, ok } => {
                let current = self.kin.letting_go == Some(epoch);
                if ok && current {
                    self.kin.letting_go = None;
                    self.kin.stale.clear();
                }
                !ok && current
            }
            Sent::Left { parent, ok } => {
                let current = self.kin.leaving.as_ref() == Some(&parent);
                if ok && current {
                    self.kin.leaving = None;
                }
                !ok && current
            }
            Sent::Cancel { id, ok } => {
                self.kin
                    .cancels
                    .retain(|(response, tries)| response.trigger_id != id || !(ok || *tries >= CANCEL_TRIES));
                !ok && !self.kin.cancels.is_empty()
            }
            Sent::Handled(id) => {
                self.kin.received.shift_remove(&id);
                false
            }
            Sent::MayClose { generation } => {
                if generation == self.kin.generation {
                    // Without a listener the program is ending already.
                    let _ = self.wishes.send(HostWish::Quit);
                }
                false
            }
        };
        if retry {
            self.retry_soon();
        }
    }

    /// A turn begins: what was said about the end of the last run no longer holds.
    pub(super) fn turn_began(&mut self) {
        self.kin.generation += 1;
        self.kin.completion.clear();
    }

    fn to_parent(&self, kind: &str, payload: RawJson, expects_response: bool) -> Option<Trigger> {
        let parent = self.kin.parent.clone()?;
        Some(Trigger {
            kind: kind.to_owned(),
            source_session_id: self.session_id.clone(),
            source_session_name: self.session.facts().session_name,
            target_session_id: parent,
            payload,
            deliver_as: DeliverAs::Steer,
            expects_response,
            trigger_id: uuid::Uuid::new_v4().to_string().into(),
            timeout_ms: None,
            ts: iso(now() + self.kin.clock_offset),
        })
    }

    /// Nothing runs any more: a parent is told, a session made for one task closes.
    pub(super) fn settled(&mut self, outcome: &Outcome) {
        let facts = self.session.facts();
        if facts.active || !facts.queued.is_empty() {
            return;
        }
        if self.kin.parent.is_none() {
            if self.config.auto_close && *outcome == Outcome::Completed {
                self.close_when_alone();
            }
            return;
        }
        if *outcome == Outcome::Aborted {
            // A person stopped it and will go on with it.
            return;
        }
        self.complete(outcome);
        self.kin.retry_due = Some(Instant::now());
    }

    fn complete(&mut self, outcome: &Outcome) {
        if let Outcome::Failed(error) = outcome
            && triggers::is_usage_limit(error)
        {
            let payload = triggers::raw(&json!({ "message": error }));
            self.kin.completion.extend(self.to_parent("session_error", payload, false));
        }
        let (exit_code, exit_reason) = match outcome {
            Outcome::Completed => (0, ExitReason::Completed),
            Outcome::Failed(_) => (1, ExitReason::Error),
            Outcome::Aborted => (130, ExitReason::Killed),
        };
        let full = self.session.last_text().unwrap_or_else(|| "Session completed".to_owned());
        let (summary, full_output_path) = shorten(full, self.session_id.as_str());
        let payload = SessionCompletePayload { summary, exit_code, exit_reason, full_output_path };
        let payload = RawJson::new(&payload).expect("a payload serialises");
        self.kin.completion.extend(self.to_parent("session_complete", payload, true));
    }

    /// The session ends: a parent must not wait for it for ever. The caller drains.
    pub(super) fn farewell_to_parent(&mut self, outcome: &Outcome) {
        if self.kin.parent.is_some() && self.kin.completion.is_empty() {
            self.complete(outcome);
        }
        self.retry_kin();
    }

    pub(super) fn owes_parent(&self) -> bool {
        self.kin.parent.is_some() && !self.kin.completion.is_empty()
    }

    fn close_when_alone(&self) {
        let Some((link, token)) = self.linked() else { return };
        let (done, generation) = (self.worker.done.clone(), self.kin.generation);
        let (url, key, id) = (self.config.http_url.clone(), self.config.api_key.clone(), self.session_id.clone());
        tokio::spawn(async move {
            let children = link.call::<from_client::GetLinkedChildCount>(&Owned { token }, COUNT_WAIT).await;
            // Not knowing is not being alone.
            if !matches!(children, Ok(reply) if reply.ok && reply.count == Some(0)) {
                return;
            }
            if subscriptions(&url, &key, &id).await == Some(0) {
                let _ = done.send(Done::Kin(Sent::MayClose { generation }));
            }
        });
    }

    /// A question or plan of a child is asked to its parent, too: who answers first, wins.
    pub(super) fn ask_parent(&mut self, decision: &Decision) {
        let detail = &decision.detail;
        let (kind, payload) = match decision.kind {
            DecisionKind::Question => {
                ("ask_user_question", json!({ "toolCallId": detail.tool_call_id, "questions": detail.questions }))
            }
            DecisionKind::Plan => (
                "plan_review",
                json!({ "toolCallId": detail.tool_call_id, "title": decision.title, "description": detail.text, "steps": detail.steps }),
            ),
            DecisionKind::Approval | DecisionKind::PluginTrust | DecisionKind::McpLogin => return,
        };
        let Some(trigger) = self.to_parent(kind, triggers::raw(&payload), true) else { return };
        self.kin.asked.insert(trigger.trigger_id.clone(), decision.decision_id.clone());
        let Some((link, token)) = self.linked() else { return };
        tokio::spawn(async move {
            let send = SendTrigger { token, trigger };
            if let Err(error) = accepted(link.call::<from_client::SessionTrigger>(&send, TRIGGER_ACK).await) {
                // People can still answer it; only the parent cannot.
                tracing::warn!(error, "a question did not reach the parent session");
            }
        });
    }

    pub(super) fn decision_over(&mut self, id: &DecisionId) {
        self.kin.asked.retain(|_, decision| decision != id);
    }

    // --- from relatives

    pub(super) fn trigger(&mut self, trigger: Trigger) {
        if self.kin.stale.contains(&trigger.source_session_id) || trigger.trigger_id.is_empty() {
            return;
        }
        if !self.kin.seen.insert(trigger.trigger_id.clone()) {
            return;
        }
        if self.kin.seen.len() > KEEP_SEEN {
            self.kin.seen.shift_remove_index(0);
        }
        if let Some(text) = triggers::spoken(&trigger) {
            let (session, done) = (self.session.clone(), self.worker.done.clone());
            tokio::spawn(async move {
                let by = Some(trigger.source_session_id.to_string());
                if !session.offer_text(&text, by).await {
                    let _ = done.send(Done::Trigger(trigger));
                }
            });
            return;
        }
        self.batch(trigger);
    }

    pub(super) fn batch(&mut self, trigger: Trigger) {
        self.kin.batch.push(trigger);
        self.kin.batch_due = Some(Instant::now() + DEBOUNCE);
    }

    /// Everything that came together goes to the agent as one message per way of delivery.
    pub(super) fn flush_triggers(&mut self) {
        self.kin.batch_due = None;
        for (deliver_as, group) in triggers::by_delivery(std::mem::take(&mut self.kin.batch)) {
            if group.is_empty() {
                continue;
            }
            let ids: Vec<TriggerId> = group.iter().map(|trigger| trigger.trigger_id.clone()).collect();
            let job = WordsJob {
                text: triggers::render_all(&group),
                attachments: Vec::new(),
                deliver_as: Some(deliver_as),
                id: None,
                by: None,
                ack: None,
                receipts: false,
                triggers: ids.clone(),
            };
            for trigger in group {
                self.kin.received.insert(trigger.trigger_id.clone(), trigger);
            }
            while self.kin.received.len() > KEEP_RECEIVED {
                self.kin.received.shift_remove_index(0);
            }
            if self.jobs.try_send(Job::Words(job)).is_err() {
                self.undelivered(&ids);
            }
        }
    }

    /// The agent did not get them: the relay may send them again.
    pub(super) fn undelivered(&mut self, ids: &[TriggerId]) {
        for id in ids {
            self.kin.seen.shift_remove(id);
            self.kin.received.shift_remove(id);
        }
    }

    pub(super) fn session_message(&mut self, message: SessionMessage) {
        if self.kin.stale.contains(&message.from_session_id)
            || self.kin.leaving.as_ref() == Some(&message.from_session_id)
        {
            return;
        }
        let trigger = Trigger {
            kind: "session:note".to_owned(),
            source_session_id: message.from_session_id,
            source_session_name: None,
            target_session_id: self.session_id.clone(),
            payload: triggers::raw(&json!({ "text": message.message })),
            deliver_as: DeliverAs::FollowUp,
            expects_response: false,
            trigger_id: uuid::Uuid::new_v4().to_string().into(),
            timeout_ms: None,
            ts: message.ts,
        };
        self.batch(trigger);
    }

    pub(super) fn session_message_error(&mut self, error: SessionMessageError) {
        let (hit, rest) = std::mem::take(&mut self.kin.refusals)
            .into_iter()
            .partition::<Vec<_>, _>(|(target, _)| *target == error.target_session_id);
        self.kin.refusals = rest;
        if hit.is_empty() {
            tracing::warn!(target_session.id = %error.target_session_id, error = error.error, "another session could not be told");
        }
        for (_, waiter) in hit {
            // The tool that asked may have given up.
            let _ = waiter.send(error.error.clone());
        }
    }

    pub(super) fn trigger_response(&mut self, response: TriggerResponse) {
        let TriggerResponse { trigger_id, response, action, .. } = response;
        if let Some(decision) = self.kin.asked.remove(&trigger_id) {
            let kind =
                self.session.decisions().into_iter().find(|open| open.decision_id == decision).map(|open| open.kind);
            let option = match kind {
                _ if action.as_deref() == Some("cancel") && kind != Some(DecisionKind::Plan) => {
                    let session = self.session.clone();
                    let outcome = pizzapi_protocol::DecisionOutcome::Withdrawn(pizzapi_protocol::DecisionWithdrawn {
                        reason: None,
                        at: now(),
                    });
                    tokio::spawn(async move { session.end_decision(&decision, &outcome).await });
                    return;
                }
                Some(DecisionKind::Plan) => triggers::plan_action(action.as_deref(), &response),
                _ => "text",
            };
            let body =
                AnswerBody { decision_id: decision, option: option.to_owned(), text: Some(response), edits: None };
            let session = self.session.clone();
            tokio::spawn(async move {
                if let Err(error) = session.answer(&body, Some("the parent session".to_owned())).await {
                    tracing::info!(%error, "the parent's answer came too late");
                }
            });
            return;
        }
        // A person answered in the web what was meant for us: it goes on to the child.
        let (reply, _) = tokio::sync::oneshot::channel();
        self.respond(&trigger_id, response, action, reply);
    }

    // --- from our own tools

    pub(super) fn order(&mut self, order: Order) {
        match order {
            Order::Tell { target, text, reply } => {
                let Some((link, token)) = self.linked() else {
                    let _ = reply.send(Err("this session is not connected to its relay".to_owned()));
                    return;
                };
                let (refused, refusal) = tokio::sync::oneshot::channel();
                self.kin.refusals.retain(|(_, waiter)| !waiter.is_closed());
                self.kin.refusals.push((target.clone(), refused));
                let send = SendSessionMessage {
                    token,
                    target_session_id: target.clone(),
                    message: text,
                    deliver_as: Some(MessageDelivery::Input),
                };
                let sent = link.emit::<from_client::SessionMessage>(&send).map_err(|error| error.to_string());
                tokio::spawn(async move {
                    let outcome = match sent {
                        Err(error) => Err(error),
                        Ok(()) => match tokio::time::timeout(REFUSAL, refusal).await {
                            Ok(Ok(error)) => Err(error),
                            // Success is silent.
                            Ok(Err(_)) | Err(_) => Ok(format!("session {target} was told")),
                        },
                    };
                    let _ = reply.send(outcome);
                });
            }
            Order::Respond { id, response, action, reply } => self.respond(&id, response, action, reply),
            Order::Escalate { id, context, reply } => {
                let (Some(trigger), Some((link, token))) = (self.kin.received.get(&id).cloned(), self.linked()) else {
                    let _ = reply.send(Err(format!("there is no open trigger {id}")));
                    return;
                };
                let reason = if context.is_empty() { "it needs a decision of yours".to_owned() } else { context };
                let escalation = Trigger {
                    kind: "escalate".to_owned(),
                    target_session_id: self.session_id.clone(),
                    payload: triggers::raw(
                        &json!({ "reason": reason, "originalTriggerId": id, "original": trigger.payload.get() }),
                    ),
                    expects_response: false,
                    trigger_id: uuid::Uuid::new_v4().to_string().into(),
                    ts: iso(now() + self.kin.clock_offset),
                    ..trigger
                };
                // It is for the user, not for us.
                self.kin.seen.insert(escalation.trigger_id.clone());
                tokio::spawn(async move {
                    let send = SendTrigger { token, trigger: escalation };
                    let outcome = accepted(link.call::<from_client::SessionTrigger>(&send, TRIGGER_ACK).await);
                    let _ = reply.send(outcome.map(|()| "the user was asked; the trigger stays open".to_owned()));
                });
            }
        }
    }

    fn respond(
        &mut self,
        id: &TriggerId,
        response: String,
        action: Option<String>,
        reply: tokio::sync::oneshot::Sender<Result<String, String>>,
    ) {
        let (Some(trigger), Some((link, token))) = (self.kin.received.get(id).cloned(), self.linked()) else {
            let _ = reply.send(Err(format!("there is no open trigger {id}")));
            return;
        };
        let (done, id, child) = (self.worker.done.clone(), id.clone(), trigger.source_session_id.clone());
        let is_complete = trigger.kind == "session_complete";
        tokio::spawn(async move {
            let outcome = if is_complete && action.as_deref() == Some("followUp") {
                let send = SendSessionMessage {
                    token,
                    target_session_id: child.clone(),
                    message: response,
                    deliver_as: Some(MessageDelivery::Input),
                };
                let sent = link.emit_when_ready::<from_client::SessionMessage>(&send).await;
                sent.map(|()| format!("session {child} goes on")).map_err(|error| error.to_string())
            } else if is_complete {
                let send = CleanupChildSession { token, child_session_id: child.clone() };
                match link.call::<from_client::CleanupChildSession>(&send, RESPONSE_ACK).await {
                    Ok(reply) if reply.ok => Ok(format!("session {child} ends")),
                    Ok(reply) => Err(reply.error.unwrap_or_else(|| "the relay refused".to_owned())),
                    Err(error) => Err(error.to_string()),
                }
            } else {
                let send = SendTriggerResponse {
                    token,
                    trigger_id: id.clone(),
                    response: Some(response),
                    action,
                    target_session_id: child.clone(),
                };
                let outcome = accepted(link.call::<from_client::TriggerResponse>(&send, RESPONSE_ACK).await);
                outcome.map(|()| format!("session {child} has the answer"))
            };
            if outcome.is_ok() {
                let _ = done.send(Done::Kin(Sent::Handled(id)));
            }
            let _ = reply.send(outcome);
        });
    }
}

/// The beginning of a long text, and where all of it is.
fn shorten(full: String, session: &str) -> (String, Option<String>) {
    if full.chars().count() <= SUMMARY_MAX_CHARS {
        return (full, None);
    }
    let summary: String = full.chars().take(SUMMARY_MAX_CHARS).collect();
    let short: String = session.chars().take(8).collect();
    let suffix = uuid::Uuid::new_v4().simple().to_string();
    let path = std::env::temp_dir().join(format!("pizzapi-session-{short}-{}-output.md", &suffix[..8]));
    match std::fs::write(&path, &full) {
        Ok(()) => (summary, Some(path.display().to_string())),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "the full text of a finished session could not be kept");
            (summary, None)
        }
    }
}

/// How many triggers this session listens to; `None`: unknown.
async fn subscriptions(http_url: &str, api_key: &str, session: &SessionId) -> Option<usize> {
    // A second installation of the same provider changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build().ok()?;
    let mut url = url::Url::parse(http_url).ok()?;
    url.path_segments_mut().ok()?.pop_if_empty().extend(["api", "sessions", session.as_str(), "trigger-subscriptions"]);
    let response = client.get(url).header("x-api-key", api_key).send().await.ok()?.error_for_status().ok()?;
    let answer: serde_json::Value = response.json().await.ok()?;
    Some(answer["subscriptions"].as_array()?.len())
}

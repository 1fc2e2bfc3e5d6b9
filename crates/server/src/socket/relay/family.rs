//! Sessions that talk to each other: messages, triggers, parents and children.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use pizzapi_protocol::relay::{
    CleanupReply, DelinkChildren, DelinkOwnParent, FromClient, LinkedChildCount, MessageDelivery, ParentDelinked,
    RelayInput, SendSessionMessage, SendTrigger, SendTriggerResponse, SendTriggerStatus, SessionMessage,
    SessionMessageError, SessionTrigger, TriggerResponse, from_server,
};
use pizzapi_protocol::runner::reasons;
use pizzapi_protocol::viewer::{TriggerDelivered, TriggerStatusUpdate};
use pizzapi_protocol::{
    CommandKind, DeliverAs, ErrorEvent, Exec, OkReply, Open, RawJson, SessionId, Trigger, TriggerDirection,
    TriggerHistoryEntry, TriggerHistoryResponse, TriggerId, UserId,
};

use super::{End, end_session};
use crate::app::App;
use crate::outbox::{CallError, Outbox};
use crate::route::{nudge_runner, tell_session};
use crate::socket::{commands, log_db, log_store};
use crate::store::session::{Link, LinkState};
use crate::store::{SessionRecord, StoreError};

const FOREIGN: &str = "Target session belongs to a different user";
const NOT_PARENT: &str = "Sender is not the parent of the target session (linked relationship is broken or stale)";
const NOT_CHILD: &str = "Sender is no longer a child of the target session (linked relationship is broken or stale)";
const TARGET_NOT_CHILD: &str = "Target session is not a child of the sender (linked relationship is broken or stale)";
const BEING_DELINKED: &str = "Sender is currently being delinked from the target session";

/// A child is told that its parent let go, and must answer within this time.
const DELINK_ACK: Duration = Duration::from_secs(1);
/// A child that was told to end is waited for this long …
const CLEANUP_WAIT: Duration = Duration::from_secs(5);
/// … and looked for this often.
const CLEANUP_LOOK: Duration = Duration::from_millis(200);

/// Who sent a message.
pub struct Sender {
    pub session: SessionId,
    pub user: UserId,
    pub out: Outbox,
}

/// Answer a message whose sender does not own what it speaks for.
pub fn refuse(event: FromClient, error: &str) {
    let refused = OkReply::refused(error);
    match event {
        FromClient::SessionTrigger(_, ack) => ack.send(&refused),
        FromClient::TriggerResponse(_, ack) => ack.send(&refused),
        FromClient::DelinkChildren(_, ack) => ack.send(&refused),
        FromClient::DelinkOwnParent(_, ack) => ack.send(&refused),
        FromClient::RaiseDecision(_, ack) => ack.send(&refused),
        FromClient::WithdrawDecision(_, ack) => ack.send(&refused),
        FromClient::CleanupChildSession(_, ack) => {
            ack.send(&CleanupReply { ok: false, pending: None, error: Some(error.to_owned()) })
        }
        FromClient::GetLinkedChildCount(_, ack) => {
            ack.send(&LinkedChildCount { ok: false, count: None, error: Some(error.to_owned()) })
        }
        _ => {}
    }
}

pub async fn handle(app: &App, sender: Sender, event: FromClient) {
    match event {
        FromClient::SessionMessage(event) => message(app, &sender, event).await,
        FromClient::SessionTrigger(event, ack) => {
            let outcome = trigger(app, &sender, event).await;
            ack.send(&reply(outcome));
        }
        FromClient::TriggerResponse(event, ack) => {
            let outcome = response(app, &sender, event).await;
            ack.send(&reply(outcome));
        }
        FromClient::CleanupChildSession(event, ack) => ack.send(&cleanup(app, &sender, &event.child_session_id).await),
        FromClient::GetLinkedChildCount(_, ack) => {
            ack.send(&match app.live.stores.sessions.children(&sender.session).await {
                Ok(children) => {
                    let count = children.iter().filter(|child| child.is_linked_to(&sender.session)).count() as u64;
                    LinkedChildCount { ok: true, count: Some(count), error: None }
                }
                Err(error) => LinkedChildCount { ok: false, count: None, error: Some(error.to_string()) },
            })
        }
        FromClient::DelinkChildren(event, ack) => {
            let outcome = delink_children(app, &sender, event).await;
            ack.send(&reply(outcome));
        }
        FromClient::DelinkOwnParent(event, ack) => {
            let outcome = delink_own_parent(app, &sender, event).await;
            ack.send(&reply(outcome));
        }
        FromClient::TriggerStatusUpdate(event) => status(app, &sender, event).await,
        other => tracing::debug!(event = ?other, "not a family matter"),
    }
}

fn reply(outcome: Result<(), String>) -> OkReply {
    outcome.map_or_else(OkReply::refused, |()| OkReply::OK)
}

fn internal(error: StoreError) -> String {
    log_store(&error, "look up a related session");
    "internal error".to_owned()
}

impl Sender {
    fn error(&self, message: &str) -> String {
        self.out.emit::<from_server::Error>(&ErrorEvent::new(message));
        message.to_owned()
    }

    fn message_error(&self, target: &SessionId, trigger: Option<&TriggerId>, error: &str) -> String {
        self.out.emit::<from_server::SessionMessageError>(&SessionMessageError {
            target_session_id: target.clone(),
            error: error.to_owned(),
            trigger_id: trigger.cloned(),
        });
        error.to_owned()
    }
}

async fn message(app: &App, sender: &Sender, event: SendSessionMessage) {
    let target = &event.target_session_id;
    if target.is_empty() || event.message.is_empty() {
        sender.error("session_message requires targetSessionId and message");
        return;
    }
    let fail = |error: &str| drop(sender.message_error(target, None, error));
    let record = match app.live.stores.sessions.get(target).await {
        Ok(Some(record)) if app.live.routes.relay(target).is_some() => record,
        Ok(_) => return fail("Target session not found or not connected"),
        Err(error) => return fail(&internal(error)),
    };
    if record.user_id != sender.user {
        return fail("Target session belongs to a different user");
    }
    let own_link = match app.live.stores.sessions.get(&sender.session).await {
        Ok(own) => own.and_then(|own| own.link.clone()),
        Err(error) => return fail(&internal(error)),
    };
    if own_link.is_some_and(|link| link.parent == *target && link.state != LinkState::Linked) {
        return fail(NOT_CHILD);
    }
    let names_sender_as_parent = record.link.as_ref().is_some_and(|link| link.parent == sender.session);
    let as_input = event.deliver_as == Some(MessageDelivery::Input);
    if (as_input || names_sender_as_parent) && !record.is_linked_to(&sender.session) {
        return fail(TARGET_NOT_CHILD);
    }
    let delivered = if as_input {
        tell_session::<from_server::Input>(
            app,
            target,
            &RelayInput {
                text: event.message,
                attachments: Some(Vec::new()),
                client: Some("agent".to_owned()),
                deliver_as: Some(DeliverAs::FollowUp),
                request_id: None,
            },
        )
    } else {
        tell_session::<from_server::SessionMessage>(
            app,
            target,
            &SessionMessage {
                from_session_id: sender.session.clone(),
                message: event.message,
                ts: app.clock.now_iso(),
            },
        )
    };
    if !delivered {
        fail("Failed to deliver message to target session");
    }
}

async fn trigger(app: &App, sender: &Sender, event: SendTrigger) -> Result<(), String> {
    let mut trigger = event.trigger;
    let target = trigger.target_session_id.clone();
    if target.is_empty() || trigger.trigger_id.is_empty() {
        return Err(sender.error("session_trigger requires trigger with targetSessionId and triggerId"));
    }
    let Some(record) = app.live.stores.sessions.get(&target).await.map_err(internal)? else {
        let error = format!("Target session {target} is not connected");
        return Err(sender.message_error(&target, Some(&trigger.trigger_id), &error));
    };
    if record.user_id != sender.user {
        return Err(sender.error(FOREIGN));
    }
    if target != sender.session {
        let own = app.live.stores.sessions.get(&sender.session).await.map_err(internal)?;
        match own.and_then(|own| own.link.clone()).filter(|link| link.parent == target).map(|link| link.state) {
            Some(LinkState::Linked) => {}
            Some(LinkState::Delinking { .. }) => return Err(sender.error(BEING_DELINKED)),
            Some(LinkState::Delinked { .. }) | None => return Err(sender.error(NOT_CHILD)),
        }
    }
    if !(trigger.kind == "escalate" && target == sender.session) {
        trigger.source_session_id = sender.session.clone();
    }
    if trigger.ts.is_empty() {
        trigger.ts = app.clock.now_iso();
    }
    let entry = TriggerHistoryEntry {
        trigger_id: trigger.trigger_id.clone(),
        kind: trigger.kind.clone(),
        source: trigger.source_session_id.to_string(),
        summary: trigger.source_session_name.clone(),
        payload: trigger.payload.clone(),
        deliver_as: trigger.deliver_as,
        ts: trigger.ts.clone(),
        direction: TriggerDirection::Inbound,
        response: None,
        state: None,
    };
    if app.live.routes.relay(&target).is_some() {
        if !tell_session::<from_server::SessionTrigger>(app, &target, &SessionTrigger { trigger }) {
            let error = "Failed to deliver trigger to target session";
            return Err(sender.message_error(&target, Some(&entry.trigger_id), error));
        }
    } else if let Err(error) = queue(app, &record, &sender.user, trigger).await {
        return Err(sender.message_error(&target, Some(&entry.trigger_id), &error));
    }
    remember(app, &target, &entry).await;
    delivered(app, &target, entry.trigger_id);
    Ok(())
}

/// The target is away but expected back: what happened waits for it.
async fn queue(app: &App, record: &SessionRecord, user: &UserId, trigger: Trigger) -> Result<(), String> {
    let author = commands::Author { user: user.clone(), device: None };
    let body = RawJson::new(&trigger).map_err(|error| error.to_string())?;
    let command = commands::NewCommand {
        id: Some(trigger.trigger_id.as_str().into()),
        ..commands::NewCommand::new(record, CommandKind::Trigger, body, author)
    };
    match commands::submit(app, command).await {
        commands::Verdict::Accepted { .. } => Ok(()),
        commands::Verdict::Refused { message, .. } => Err(message),
    }
}

async fn response(app: &App, sender: &Sender, event: SendTriggerResponse) -> Result<(), String> {
    let target = &event.target_session_id;
    let Some(text) = event.response.clone().filter(|_| !event.trigger_id.is_empty() && !target.is_empty()) else {
        sender.error("trigger_response requires triggerId, response, and targetSessionId");
        return Err("Missing required fields".to_owned());
    };
    // Answering something that no longer exists is as good as done.
    let Some(record) = app.live.stores.sessions.get(target).await.map_err(internal)? else { return Ok(()) };
    if record.user_id != sender.user {
        return Err(FOREIGN.to_owned());
    }
    if !record.is_linked_to(&sender.session) {
        return Err(NOT_PARENT.to_owned());
    }
    respond_to_child(app, sender, target, &event, &text)?;
    mark_responded(app, &sender.session, &event.trigger_id, event.action.clone(), &text).await;
    delivered(app, &sender.session, event.trigger_id);
    Ok(())
}

fn respond_to_child(
    app: &App,
    sender: &Sender,
    target: &SessionId,
    event: &SendTriggerResponse,
    text: &str,
) -> Result<(), String> {
    let body = TriggerResponse {
        trigger_id: event.trigger_id.clone(),
        response: text.to_owned(),
        action: event.action.clone(),
        target_session_id: None,
    };
    if tell_session::<from_server::TriggerResponse>(app, target, &body) {
        return Ok(());
    }
    let error = format!("Target session {target} is not connected");
    Err(sender.message_error(target, Some(&event.trigger_id), &error))
}

async fn status(app: &App, sender: &Sender, event: SendTriggerStatus) {
    let target = &event.target_session_id;
    if event.trigger_id.is_empty() || target.is_empty() || event.status_text.is_empty() {
        sender.error("trigger_status_update requires triggerId, targetSessionId, statusText");
        return;
    }
    let own = app.live.stores.sessions.get(&sender.session).await.ok().flatten();
    let parent = app.live.stores.sessions.get(target).await.ok().flatten();
    let is_child = own.is_some_and(|own| own.is_linked_to(target));
    if !is_child || parent.is_none_or(|parent| parent.user_id != sender.user) {
        return;
    }
    let update = TriggerStatusUpdate {
        trigger_id: event.trigger_id,
        source_session_id: sender.session.clone(),
        status_text: event.status_text,
        ts: app.clock.now_iso(),
    };
    let notice = crate::emit::body::<pizzapi_protocol::viewer::from_server::TriggerStatusUpdate>(&update);
    app.live.fanout.notify(target, Arc::new(move |_| notice.clone()));
}

async fn cleanup(app: &App, sender: &Sender, child: &SessionId) -> CleanupReply {
    let done = CleanupReply { ok: true, pending: None, error: None };
    let fail = |error: String| CleanupReply { ok: false, pending: None, error: Some(error) };
    if child.is_empty() {
        return fail(sender.error("cleanup_child_session requires childSessionId"));
    }
    let record = match app.live.stores.sessions.get(child).await {
        Ok(Some(record)) => record,
        Ok(None) => return done,
        Err(error) => return fail(internal(error)),
    };
    if record.user_id != sender.user {
        return fail(FOREIGN.to_owned());
    }
    if record.link.as_ref().is_none_or(|link| link.parent != sender.session) {
        return fail(NOT_PARENT.to_owned());
    }
    if let Some(runner) = &record.runner_id {
        nudge_runner::<pizzapi_protocol::runner::from_server::KillSession>(
            app,
            runner,
            &pizzapi_protocol::relay::SessionRef { session_id: child.clone() },
        );
    }
    let id = format!("cleanup-{child}-{}", app.clock.now_ms());
    let told = tell_session::<from_server::Exec>(app, child, &exec(&id, "end_session"));
    if !told {
        end_session(app, child, Some(record.epoch), End::terminal(reasons::PARENT_ACKNOWLEDGED)).await;
        return done;
    }
    let give_up = tokio::time::Instant::now() + CLEANUP_WAIT;
    while tokio::time::Instant::now() < give_up {
        tokio::time::sleep(CLEANUP_LOOK).await;
        match app.live.stores.sessions.get(child).await {
            Ok(None) => return done,
            // Its process is gone: nobody is left to end it.
            Ok(Some(record)) if !record.presence.is_online() => {
                end_session(app, child, Some(record.epoch), End::terminal(reasons::PARENT_ACKNOWLEDGED)).await;
                return done;
            }
            Ok(Some(_)) | Err(_) => {}
        }
    }
    if let Err(error) = app.live.stores.sessions.set_link(child, None).await {
        log_store(&error, "let go of a child session");
    }
    CleanupReply { ok: true, pending: Some(true), error: None }
}

/// An `exec` that the relay itself sends.
pub fn exec(id: &str, command: &str) -> Open<Exec> {
    Open::new(Exec { id: id.into(), command: command.to_owned(), session_id: None, composed_at: None })
}

async fn delink_children(app: &App, sender: &Sender, event: DelinkChildren) -> Result<(), String> {
    let sessions = &app.live.stores.sessions;
    let now = app.clock.now_ms();
    let epoch = event.epoch.filter(|epoch| epoch.is_finite()).map(|epoch| epoch as i64);
    sessions.delink_before(&sender.session, epoch.unwrap_or(now)).await.map_err(internal)?;
    let children = sessions.children(&sender.session).await.map_err(internal)?;
    let mut told = Vec::new();
    for child in children {
        let Some(link) = child.link.clone() else { continue };
        let at = match link.state {
            LinkState::Delinked { .. } => continue,
            LinkState::Delinking { at } => at,
            LinkState::Linked if epoch.is_some_and(|epoch| child.started_at > epoch) => continue,
            LinkState::Linked => now,
        };
        // The mark first: whatever fails below, the child is cut off.
        let cut = Link { state: LinkState::Delinking { at }, ..link };
        sessions.set_link(&child.session_id, Some(cut.clone())).await.map_err(internal)?;
        told.push(tell_delinked(app, sender, child.session_id.clone(), cut, at));
    }
    let pending: Vec<SessionId> = join_all(told).await.into_iter().flatten().collect();
    if pending.is_empty() {
        return Ok(());
    }
    Err(format!("{} child sessions did not confirm", pending.len()))
}

/// `Some`: the child is there but did not confirm.
async fn tell_delinked(app: &App, sender: &Sender, child: SessionId, cut: Link, at: i64) -> Option<SessionId> {
    if let Some(handle) = app.live.routes.relay(&child) {
        let body = ParentDelinked { parent_session_id: sender.session.clone() };
        match handle.out.call_as::<from_server::ParentDelinked, RawJson>(&body, DELINK_ACK).await {
            Ok(_) | Err(CallError::Gone | CallError::Malformed(_)) => {}
            Err(CallError::TimedOut) => return Some(child),
        }
    }
    let done = Link { state: LinkState::Delinked { at }, ..cut };
    if let Err(error) = app.live.stores.sessions.set_link(&child, Some(done)).await {
        log_store(&error, "note that a child was told");
        return Some(child);
    }
    None
}

async fn delink_own_parent(app: &App, sender: &Sender, _event: DelinkOwnParent) -> Result<(), String> {
    // The child's link is the only record of the tie, so there is nothing else to clear.
    app.live.stores.sessions.set_link(&sender.session, None).await.map_err(internal)
}

/// A session got a new parent: the parent's history says so.
pub async fn linked(app: &App, parent: &SessionId, child: &SessionRecord) {
    let digits: String = child.session_id.as_str().chars().filter(|c| *c != '-').take(16).collect();
    let entry = TriggerHistoryEntry {
        trigger_id: TriggerId::from(format!("linked_{digits}")),
        kind: "session_linked".to_owned(),
        source: child.session_id.to_string(),
        summary: child.session_name.clone(),
        payload: RawJson::parse("{}".to_owned()).expect("an empty object"),
        deliver_as: DeliverAs::FollowUp,
        ts: app.clock.now_iso(),
        direction: TriggerDirection::Inbound,
        response: None,
        state: None,
    };
    remember(app, parent, &entry).await;
    delivered(app, parent, entry.trigger_id);
}

/// A parent is gone for good: children that wait for its answers must not wait for ever.
pub async fn parent_ended(app: &App, parent: &SessionRecord, is_terminal: bool) {
    let children = match app.live.stores.sessions.children(&parent.session_id).await {
        Ok(children) => children,
        Err(error) => return log_store(&error, "look for the children of an ended session"),
    };
    if !is_terminal {
        return;
    }
    let ids: HashSet<SessionId> = children
        .iter()
        .filter(|child| child.is_linked_to(&parent.session_id))
        .map(|child| child.session_id.clone())
        .collect();
    for child in ids {
        if let Some(handle) = app.live.routes.relay(&child) {
            let (app2, parent) = (app.clone(), parent.session_id.clone());
            app.tasks.spawn("parent-gone", async move {
                let body = ParentDelinked { parent_session_id: parent };
                if let Err(error) = handle.out.call_as::<from_server::ParentDelinked, RawJson>(&body, DELINK_ACK).await {
                    tracing::debug!(session.id = %handle.session, %error, "a child did not confirm that its parent is gone");
                }
                drop(app2);
            });
        }
    }
}

/// Note a trigger in a session's history.
pub async fn remember(app: &App, session: &SessionId, entry: &TriggerHistoryEntry) {
    let Ok(text) = serde_json::to_string(entry) else { return };
    if let Err(error) =
        app.db.triggers().remember(session.as_str(), entry.trigger_id.as_str(), &text, app.clock.now_ms()).await
    {
        log_db(&error, "note a trigger");
    }
}

/// Note the answer to a trigger.
pub async fn mark_responded(app: &App, session: &SessionId, trigger: &TriggerId, action: Option<String>, text: &str) {
    let history = match app.db.triggers().history(session.as_str(), 200).await {
        Ok(history) => history,
        Err(error) => return log_db(&error, "read a session's triggers"),
    };
    let found = history
        .iter()
        .filter_map(|entry| serde_json::from_str::<TriggerHistoryEntry>(entry).ok())
        .find(|entry| entry.trigger_id == *trigger);
    let Some(mut entry) = found else { return };
    entry.response = Some(TriggerHistoryResponse { action, text: Some(text.to_owned()), ts: app.clock.now_iso() });
    let Ok(text) = serde_json::to_string(&entry) else { return };
    if let Err(error) = app.db.triggers().amend(session.as_str(), trigger.as_str(), &text).await {
        log_db(&error, "note the answer to a trigger");
    }
}

/// The viewers of `session` learn that its trigger history changed.
pub fn delivered(app: &App, session: &SessionId, trigger: TriggerId) {
    let body = crate::emit::body::<pizzapi_protocol::viewer::from_server::TriggerDelivered>(&TriggerDelivered {
        trigger_id: Some(trigger),
        cleared: None,
    });
    app.live.fanout.notify(session, Arc::new(move |_| body.clone()));
}

//! What a viewer asks of the session it looks at. Everything is answered.

use std::sync::Arc;

use pizzapi_protocol::relay::{McpOauthPaste, TriggerResponse};
use pizzapi_protocol::viewer::{
    FromClient, TriggerError, ViewerInput, ViewerModelSet, ViewerTriggerResponse, from_server,
};
use pizzapi_protocol::{
    Ack, Attachment, CommandKind, ErrorCode, ErrorEvent, ExecResult, Generation, InputBody, ModelSetBody, OkReply,
    ProbeReply, RawJson, SessionId,
};

use super::Viewer;
use crate::route::tell_session;
use crate::socket::commands::{self, NewCommand, Verdict};
use crate::socket::relay::family;
use crate::socket::{decisions, runner};
use crate::store::SessionRecord;

/// The session and generation a message is about.
type Target = Option<(SessionId, Generation)>;

pub async fn handle(viewer: &Viewer, target: Target, event: FromClient) {
    match event {
        FromClient::Input(event, ack) => input(viewer, target, event, ack).await,
        FromClient::ModelSet(event) => model_set(viewer, target, event).await,
        FromClient::Exec(event) => exec(viewer, target, event).await,
        FromClient::ServiceMessage(event) => match here(viewer, &target).await {
            Ok(record) => runner::services::from_viewer(&viewer.app, &record, &viewer.out, event).await,
            Err(error) => viewer.refuse(&target, error),
        },
        FromClient::TriggerResponse(event, ack) => trigger_response(viewer, target, event, ack).await,
        FromClient::McpOauthPaste(event, ack) => ack.send(&paste(viewer, target, event).await),
        FromClient::CancelCommand(event) => {
            let Some(session) =
                event.session_id.clone().or_else(|| target.as_ref().map(|(session, _)| session.clone()))
            else {
                return viewer.refuse(&target, NOT_ATTACHED);
            };
            if let Err((code, message)) = commands::cancel(&viewer.app, &viewer.user, &session, &event.command_id).await
            {
                viewer.refuse(&target, Refused { code, message });
            }
        }
        FromClient::AnswerDecision(mut event, ack) => {
            if event.session_id.is_none() {
                event.session_id = target.map(|(session, _)| session);
            }
            let device = viewer.device.as_deref().unwrap_or("browser");
            ack.send(&decisions::answer(&viewer.app, &viewer.user, event, device, None).await);
        }
        FromClient::Probe(event, ack) => {
            ack.send(&ProbeReply { nonce: event.nonce, at: Some(viewer.app.clock.now_ms()), ..ProbeReply::default() });
        }
        // Handled where the attachment is.
        FromClient::Connected(_)
        | FromClient::SwitchSession(_)
        | FromClient::Resync(_)
        | FromClient::LoadMessages(_)
        | FromClient::ViewerVisibility(_) => {}
    }
}

/// Why nothing was done.
struct Refused {
    code: ErrorCode,
    message: &'static str,
}

const NOT_ATTACHED: Refused = Refused { code: ErrorCode::NotAttached, message: "No active session" };
const NOT_COLLAB: Refused = Refused { code: ErrorCode::NotCollab, message: "Session not in collab mode" };
const INTERNAL: Refused = Refused { code: ErrorCode::Internal, message: "the session could not be read" };

impl Viewer {
    fn refuse(&self, target: &Target, refused: Refused) {
        self.out.emit::<from_server::Error>(&ErrorEvent {
            message: refused.message.to_owned(),
            code: Some(refused.code),
            generation: target.as_ref().map(|(_, generation)| *generation),
        });
    }
}

/// The attached session, when this viewer may act on it.
async fn here(viewer: &Viewer, target: &Target) -> Result<Arc<SessionRecord>, Refused> {
    let Some((session, _)) = target else { return Err(NOT_ATTACHED) };
    let record = match viewer.app.live.stores.sessions.get(session).await {
        Ok(Some(record)) if record.user_id == viewer.user => record,
        Ok(_) => return Err(NOT_ATTACHED),
        Err(error) => {
            crate::socket::log_store(&error, "read the session of a command");
            return Err(INTERNAL);
        }
    };
    if record.collab_mode { Ok(record) } else { Err(NOT_COLLAB) }
}

/// A command that was typed for another session than the open one must not reach it.
fn is_for(record: &SessionRecord, meant: Option<&SessionId>) -> bool {
    meant.is_none_or(|meant| *meant == record.session_id)
}

async fn input(viewer: &Viewer, target: Target, event: ViewerInput, ack: Ack<bool>) {
    let record = match here(viewer, &target).await {
        Ok(record) if is_for(&record, event.session_id.as_ref()) => record,
        Ok(_) => {
            viewer.refuse(&target, Refused { code: ErrorCode::MovedOn, message: "it was written for another session" });
            return ack.send(&false);
        }
        Err(error) => {
            viewer.refuse(&target, error);
            return ack.send(&false);
        }
    };
    let attachments: Vec<Attachment> =
        event.attachments.unwrap_or_default().into_iter().filter(Attachment::is_usable).collect();
    let body = InputBody {
        text: event.text,
        attachments: Some(attachments),
        client: event.client,
        deliver_as: event.deliver_as,
    };
    let command = NewCommand {
        id: event.request_id,
        composed_at: event.composed_at,
        deadline: event.deadline,
        ..NewCommand::new(
            &record,
            CommandKind::Input,
            RawJson::new(&body).expect("an input serialises"),
            viewer.author(),
        )
    };
    let (app, is_ours) = (viewer.app.clone(), viewer.is_ours);
    match commands::submit(&viewer.app, command).await {
        Verdict::Refused { .. } => ack.send(&false),
        // It is stored and will be told how far it comes.
        Verdict::Accepted { .. } if is_ours => ack.send(&true),
        Verdict::Accepted { outcome, .. } => {
            // Published pages know only this one answer; the events behind this one must not wait for it.
            app.tasks.spawn("input-outcome", async move { ack.send(&outcome.was_taken().await) });
        }
    }
}

impl Viewer {
    fn author(&self) -> commands::Author {
        commands::Author { user: self.user.clone(), device: self.device.clone() }
    }
}

async fn model_set(viewer: &Viewer, target: Target, event: ViewerModelSet) {
    let record = match here(viewer, &target).await {
        Ok(record) if is_for(&record, event.session_id.as_ref()) => record,
        Ok(_) => {
            return viewer
                .refuse(&target, Refused { code: ErrorCode::MovedOn, message: "it was meant for another session" });
        }
        Err(error) => return viewer.refuse(&target, error),
    };
    let body = ModelSetBody { provider: event.provider, model_id: event.model_id };
    let command = NewCommand {
        id: event.request_id,
        composed_at: event.composed_at,
        ..NewCommand::new(
            &record,
            CommandKind::ModelSet,
            RawJson::new(&body).expect("a model serialises"),
            viewer.author(),
        )
    };
    if let Verdict::Refused { code, message } = commands::submit(&viewer.app, command).await {
        viewer.out.emit::<from_server::Error>(&ErrorEvent {
            message,
            code: Some(code),
            generation: target.map(|(_, generation)| generation),
        });
    }
}

async fn exec(viewer: &Viewer, target: Target, event: pizzapi_protocol::Open<pizzapi_protocol::Exec>) {
    let (id, name) = (event.id.clone(), event.command.clone());
    let fail = |error: &str| {
        let session = target.as_ref().map(|(session, _)| session.clone()).unwrap_or_else(|| "".into());
        let result = ExecResult {
            id: id.clone(),
            ok: false,
            command: name.clone(),
            result: pizzapi_protocol::Maybe::Absent,
            error: Some(error.to_owned()),
        };
        viewer.out.emit::<from_server::ExecResult>(&result.for_viewers(session));
    };
    let record = match here(viewer, &target).await {
        Ok(record) if is_for(&record, event.session_id.as_ref()) => record,
        Ok(_) => return fail("The command was meant for another session"),
        Err(refused) => return fail(refused.message),
    };
    let body = RawJson::new(&event).expect("a remote command serialises");
    if body.get().len() > commands::MAX_EXEC_BYTES {
        return fail("The command is too large");
    }
    if let Some(handle) = viewer.app.live.routes.relay(&record.session_id) {
        handle.asked(id.clone(), viewer.out.id(), viewer.app.clock.now_ms());
    }
    let command = NewCommand {
        id: Some(id.clone()).filter(|id| !id.is_empty()),
        composed_at: event.composed_at,
        ..NewCommand::new(&record, CommandKind::Exec, body, viewer.author())
    };
    if let Verdict::Refused { message, .. } = commands::submit(&viewer.app, command).await {
        fail(&message);
    }
}

async fn trigger_response(viewer: &Viewer, target: Target, event: ViewerTriggerResponse, ack: Ack<()>) {
    let fail = |message: String| {
        viewer.out.emit::<from_server::TriggerError>(&TriggerError { message, trigger_id: event.trigger_id.clone() });
    };
    let record = match here(viewer, &target).await {
        Ok(record) => record,
        Err(refused) => return fail(refused.message.to_owned()),
    };
    let Some(response) = event.response.clone().filter(|_| !event.trigger_id.is_empty()) else {
        return fail("trigger_response requires triggerId and response".to_owned());
    };
    let child = event.target_session_id.clone().filter(|id| !id.is_empty() && *id != record.session_id);
    let body = |target_session_id| TriggerResponse {
        trigger_id: event.trigger_id.clone(),
        response: response.clone(),
        action: event.action.clone(),
        target_session_id,
    };
    match child {
        Some(child) => {
            let found = match viewer.app.live.stores.sessions.get(&child).await {
                Ok(found) => found,
                Err(error) => return fail(error.to_string()),
            };
            match found {
                None => return fail(format!("Child session {child} is no longer available")),
                Some(found) if found.user_id != viewer.user => {
                    return fail(format!("Target session {child} not found or unauthorized"));
                }
                Some(found) if !found.is_linked_to(&record.session_id) => {
                    return fail(format!("Target session {child} is not a child of this session"));
                }
                Some(_) => {}
            }
            if !tell_session::<pizzapi_protocol::relay::from_server::TriggerResponse>(&viewer.app, &child, &body(None))
            {
                return fail(format!("Failed to deliver trigger response to child session {child}"));
            }
        }
        None => {
            let own = record.session_id.clone();
            let told = tell_session::<pizzapi_protocol::relay::from_server::TriggerResponse>(
                &viewer.app,
                &own,
                &body(Some(own.clone())),
            );
            if !told {
                return fail(format!("Failed to deliver trigger response to session {own}"));
            }
        }
    }
    family::mark_responded(&viewer.app, &record.session_id, &event.trigger_id, event.action.clone(), &response).await;
    family::delivered(&viewer.app, &record.session_id, event.trigger_id.clone());
    ack.send(&());
}

async fn paste(viewer: &Viewer, target: Target, event: McpOauthPaste) -> OkReply {
    let record = match here(viewer, &target).await {
        Ok(record) => record,
        Err(refused) => return OkReply::refused(refused.message),
    };
    if event.nonce.is_empty() || event.code.is_empty() {
        return OkReply::refused("Missing nonce or code");
    }
    if tell_session::<pizzapi_protocol::relay::from_server::McpOauthPaste>(&viewer.app, &record.session_id, &event) {
        OkReply::OK
    } else {
        OkReply::refused("Runner session unavailable")
    }
}

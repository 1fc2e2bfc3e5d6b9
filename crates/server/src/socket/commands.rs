//! Commands: stored before they are acknowledged, delivered in order, ended exactly once.
//!
//! A session that announced the capability gets `command` and answers with receipts. Published sessions get the plain event of the
//! command's kind, and the relay concludes what it can.

use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use pizzapi_protocol::relay::{ModelSet, RelayInput, from_server};
use pizzapi_protocol::{
    CancelCommand, Command, CommandId, CommandKind, CommandReceipt, CommandState, CommandStatus, ErrorCode, Exec,
    ExecResult, InputBody, Maybe, ModelSetBody, Open, OpenCommand, Position, RawJson, SessionId, UserId,
};
use tokio::sync::oneshot;

use super::log_db;
use crate::app::App;
use crate::core::lifecycle::Presence;
use crate::db::DbError;
use crate::db::commands::{self as rows, Advanced, Inserted, Step};
use crate::fanout::Notice;
use crate::log::Epoch;
use crate::outbox::CallError;
use crate::route::RelayHandle;
use crate::store::SessionRecord;

/// Prompts that wait for a session that is away: more are refused.
pub const QUEUE_MAX: usize = 20;
/// A prompt that was not delivered by then is over. Units: milliseconds.
const QUEUE_FOR_MS: i64 = 10 * 60 * 1000;
/// Triggers wait for their session as long as it exists, at most this long. Units: milliseconds.
const TRIGGER_FOR_MS: i64 = 24 * 3600 * 1000;
/// Triggers that wait for one session: more are refused.
const TRIGGERS_MAX: usize = 200;
/// A published session that does not acknowledge by then counts as having the words.
const INPUT_ACK: Duration = Duration::from_millis(9_500);
/// Largest remote command.
pub const MAX_EXEC_BYTES: usize = 256 * 1024;
/// Remote commands that were never answered are answered by us. Units: milliseconds.
const EXEC_TIMEOUT_MS: i64 = 10 * 60 * 1000;
/// How often deadlines are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Who asks.
#[derive(Debug, Clone)]
pub struct Author {
    pub user: UserId,
    pub device: Option<String>,
}

/// Something to ask of a session.
#[derive(Debug, Clone)]
pub struct NewCommand {
    pub session: SessionId,
    /// Made by the author; `None`: one is made here.
    pub id: Option<CommandId>,
    pub kind: CommandKind,
    pub body: RawJson,
    pub author: Author,
    pub composed_at: Option<Position>,
    /// Unix milliseconds.
    pub deadline: Option<i64>,
}

impl NewCommand {
    pub fn new(record: &SessionRecord, kind: CommandKind, body: RawJson, author: Author) -> Self {
        Self { session: record.session_id.clone(), id: None, kind, body, author, composed_at: None, deadline: None }
    }
}

/// What became of a submission.
#[derive(Debug)]
pub enum Verdict {
    /// Stored; `state` is how far it came by now. `outcome` follows it.
    Accepted {
        id: CommandId,
        state: CommandState,
        outcome: Outcome,
    },
    Refused {
        code: ErrorCode,
        message: String,
    },
}

/// Follows a command to where a published client wants to know.
#[derive(Debug)]
pub struct Outcome(Option<oneshot::Receiver<CommandState>>, CommandState);

impl Outcome {
    /// How far it came when it moved, or when `wait` was over.
    pub async fn within(self, wait: Duration) -> CommandState {
        match self.0 {
            Some(change) => tokio::time::timeout(wait, change).await.ok().and_then(Result::ok).unwrap_or(self.1),
            None => self.1,
        }
    }

    /// Does the session have it, or will it? A command that waits in the queue counts as taken.
    pub async fn was_taken(self) -> bool {
        let state = match self.0 {
            Some(change) => tokio::time::timeout(INPUT_ACK, change).await.ok().and_then(Result::ok).unwrap_or(self.1),
            None => self.1,
        };
        matches!(state, CommandState::Accepted | CommandState::Delivered | CommandState::Consumed)
    }
}

/// Callers that wait for a command to move.
#[derive(Clone, Default)]
pub struct Waiters {
    waiting: Arc<DashMap<(SessionId, CommandId), Vec<oneshot::Sender<CommandState>>>>,
    /// Deliveries of one session, one after the other.
    order: Arc<DashMap<SessionId, Arc<tokio::sync::Mutex<()>>>>,
}

impl Waiters {
    fn wait(&self, session: &SessionId, id: &CommandId) -> oneshot::Receiver<CommandState> {
        let (sender, receiver) = oneshot::channel();
        self.waiting.entry((session.clone(), id.clone())).or_default().push(sender);
        receiver
    }

    fn moved(&self, session: &SessionId, id: &CommandId, state: CommandState) {
        if let Some((_, waiting)) = self.waiting.remove(&(session.clone(), id.clone())) {
            for sender in waiting {
                let _ = sender.send(state);
            }
        }
    }

    fn lane(&self, session: &SessionId) -> Arc<tokio::sync::Mutex<()>> {
        self.order.entry(session.clone()).or_default().clone()
    }
}

/// Watch deadlines.
pub fn start(app: &App) {
    let watcher = app.clone();
    app.tasks.every("command-deadlines", LOOK_EVERY, move || {
        let app = watcher.clone();
        async move {
            let now = app.clock.now_ms();
            match app.db.commands().expire(now).await {
                Ok(expired) => expired.iter().for_each(|row| tell(&app, row)),
                Err(error) => log_db(&error, "expire commands"),
            }
            for handle in app.live.routes.relays() {
                for (id, viewer) in handle.overdue(now - EXEC_TIMEOUT_MS) {
                    let result = ExecResult {
                        id,
                        ok: false,
                        command: String::new(),
                        result: Maybe::Absent,
                        error: Some("Command timed out".to_owned()),
                    };
                    send_result(&app, &handle.session, Some(viewer), result);
                }
            }
            app.live.commands.waiting.retain(|_, waiting| {
                waiting.retain(|sender| !sender.is_closed());
                !waiting.is_empty()
            });
            app.live.commands.order.retain(|_, lane| Arc::strong_count(lane) > 1);
            app.live.fanout.sweep();
        }
    });
}

/// Store a command and send it on its way. The future ends when it is stored and, if the session is there, handed to it.
pub async fn submit(app: &App, command: NewCommand) -> Verdict {
    let record = match app.live.stores.sessions.get(&command.session).await {
        Ok(Some(record)) if record.user_id == command.author.user => record,
        Ok(_) => return refused(ErrorCode::NotFound, "Session not found"),
        Err(error) => {
            super::log_store(&error, "read the session of a command");
            return refused(ErrorCode::Internal, "the session could not be read");
        }
    };
    let now = app.clock.now_ms();
    let is_prompt = matches!(command.kind, CommandKind::Input | CommandKind::Answer | CommandKind::Trigger);
    let id = command.id.clone().unwrap_or_else(|| CommandId::from(uuid::Uuid::now_v7().to_string()));

    // A repeated id is answered with how far it came, whatever holds now.
    match app.db.commands().get(command.session.as_str(), id.as_str()).await {
        Ok(Some(known)) => {
            // Whoever asks again did not hear the answer.
            tell(app, &known);
            return existing(&known);
        }
        Ok(None) => {}
        Err(error) => return unavailable(&error),
    }
    if let Err(verdict) = check_model(app, &command).await {
        return verdict;
    }
    if let Some(composed) = command.composed_at
        && composed.epoch.0 != record.epoch
        && !is_prompt
    {
        return refused(ErrorCode::MovedOn, "the session has moved on");
    }
    let handle = app.live.routes.relay(&command.session);
    if handle.is_none() {
        if !is_prompt {
            return match record.presence {
                Presence::Reconnecting { .. } => refused(ErrorCode::Reconnecting, "Session is reconnecting"),
                _ => refused(ErrorCode::Offline, "Session is not connected"),
            };
        }
        match app.db.commands().open(command.session.as_str()).await {
            Ok(open) => {
                let is_trigger = |kind: &str| kind == CommandKind::Trigger.as_str();
                let alike =
                    open.iter().filter(|row| is_trigger(&row.kind) == (command.kind == CommandKind::Trigger)).count();
                let most = if command.kind == CommandKind::Trigger { TRIGGERS_MAX } else { QUEUE_MAX };
                if alike >= most {
                    return refused(ErrorCode::QueueFull, "too many messages wait for this session");
                }
            }
            Err(error) => return unavailable(&error),
        }
    }
    let waiting = app.live.commands.wait(&command.session, &id);
    let lane = app.live.commands.lane(&command.session);
    let ordered = lane.lock().await;
    let stored = app
        .db
        .commands()
        .insert(&rows::NewCommand {
            session_id: command.session.to_string(),
            command_id: id.to_string(),
            user_id: command.author.user.to_string(),
            device: command.author.device.clone(),
            kind: command.kind.as_str().to_owned(),
            composed_at: command.composed_at.map(|at| (at.epoch.0 as i64, at.seq.0 as i64)),
            body: command.body.get().to_owned(),
            created_at: now,
            deadline: command.deadline.or(match command.kind {
                CommandKind::Trigger => Some(now + TRIGGER_FOR_MS),
                _ => is_prompt.then_some(now + QUEUE_FOR_MS),
            }),
        })
        .await;
    let row = match stored {
        Ok(Inserted::New(row)) => row,
        Ok(Inserted::Existing(row)) => {
            tell(app, &row);
            return existing(&row);
        }
        Err(error) => return unavailable(&error),
    };
    if is_prompt && let Err(error) = app.live.stores.sessions.said_something(&command.session, now).await {
        tracing::debug!(%error, "the session went while it was spoken to");
    }
    tell(app, &row);
    if let Some(handle) = app.live.routes.relay(&command.session) {
        deliver(app, &handle, &row);
    }
    drop(ordered);
    Verdict::Accepted { id, state: CommandState::Accepted, outcome: Outcome(Some(waiting), CommandState::Accepted) }
}

/// Models that their owner hides cannot be chosen, whichever way it is tried.
async fn check_model(app: &App, command: &NewCommand) -> Result<(), Verdict> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Choice {
        #[serde(default)]
        command: Option<String>,
        provider: String,
        model_id: String,
    }
    if !matches!(command.kind, CommandKind::ModelSet | CommandKind::Exec) {
        return Ok(());
    }
    let Ok(choice) = command.body.to::<Choice>() else { return Ok(()) };
    if command.kind == CommandKind::Exec && choice.command.as_deref() != Some("set_model") {
        return Ok(());
    }
    let key = format!("{}/{}", choice.provider, choice.model_id);
    match app.db.preferences().is_model_hidden(command.author.user.as_str(), &key).await {
        Ok(false) => Ok(()),
        Ok(true) => Err(refused(ErrorCode::ModelHidden, "This model is hidden")),
        // What cannot be checked is not allowed.
        Err(error) => Err(unavailable(&error)),
    }
}

fn existing(row: &rows::Command) -> Verdict {
    let state = wire_state(row.state);
    Verdict::Accepted { id: row.command_id.as_str().into(), state, outcome: Outcome(None, state) }
}

fn refused(code: ErrorCode, message: &str) -> Verdict {
    Verdict::Refused { code, message: message.to_owned() }
}

fn unavailable(error: &DbError) -> Verdict {
    log_db(error, "store a command");
    refused(ErrorCode::ServerNotReady, "the command could not be stored; try again")
}

/// Hand a stored command to the session's process. Receipts or conclusions follow.
fn deliver(app: &App, handle: &Arc<RelayHandle>, row: &rows::Command) {
    let Some(command) = wire(row) else {
        tracing::error!(command.id = row.command_id, "a stored command cannot be read");
        return;
    };
    if handle.takes_commands() {
        handle.out.emit::<from_server::Command>(&command);
        return;
    }
    match command.kind {
        CommandKind::Input => {
            let Ok(body) = command.body.to::<InputBody>() else { return };
            deliver_input(app, handle, &command, body);
        }
        CommandKind::Answer => {
            let Ok(Published { published }) = command.body.to::<Published>() else { return };
            if let Some(text) = published.text {
                let body = InputBody { text, attachments: None, client: Some("web".to_owned()), deliver_as: None };
                return deliver_input(app, handle, &command, body);
            }
            let Some(mut exec) = published.exec else { return };
            if exec.set("id", command.command_id.as_str()).is_ok()
                && let Ok(exec) = exec.to_raw().to::<Open<Exec>>()
            {
                handle.out.emit::<from_server::Exec>(&exec);
                conclude(app, &command, CommandState::Delivered, None);
            }
        }
        CommandKind::ModelSet => {
            let Ok(body) = command.body.to::<ModelSetBody>() else { return };
            handle.out.emit::<from_server::ModelSet>(&ModelSet { provider: body.provider, model_id: body.model_id });
            conclude(app, &command, CommandState::Consumed, None);
        }
        CommandKind::Exec => {
            let Ok(body) = command.body.to::<Open<Exec>>() else { return };
            handle.out.emit::<from_server::Exec>(&body);
            conclude(app, &command, CommandState::Delivered, None);
        }
        CommandKind::Interrupt => {
            handle.out.emit::<from_server::Exec>(&super::relay::family::exec(command.command_id.as_str(), "abort"));
            conclude(app, &command, CommandState::Delivered, None);
        }
        CommandKind::Trigger => {
            let Ok(trigger) = command.body.to() else { return };
            handle.out.emit::<from_server::SessionTrigger>(&pizzapi_protocol::relay::SessionTrigger { trigger });
            conclude(app, &command, CommandState::Consumed, None);
        }
    }
}

/// What an answer carries for sessions that know no decisions.
#[derive(serde::Deserialize)]
struct Published {
    published: PublishedAnswer,
}

#[derive(serde::Deserialize)]
struct PublishedAnswer {
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    exec: Option<pizzapi_protocol::JsonObject>,
}

fn deliver_input(app: &App, handle: &Arc<RelayHandle>, command: &Command, body: InputBody) {
    let input = RelayInput {
        text: body.text,
        attachments: Some(body.attachments.unwrap_or_default()),
        client: body.client,
        deliver_as: body.deliver_as,
        request_id: Some(command.command_id.clone()),
    };
    let (app, handle, command) = (app.clone(), handle.clone(), command.clone());
    // The packet leaves in the order of this call; only the answer is waited for elsewhere.
    let answer = handle.out.ask::<from_server::Input, bool>(&input, INPUT_ACK);
    let tasks = app.tasks.clone();
    tasks.spawn("input-answer", async move {
        match answer.await {
            Ok(true) => conclude(&app, &command, CommandState::Consumed, None),
            Ok(false) => {
                conclude(&app, &command, CommandState::Rejected, Some((ErrorCode::Invalid, "the session refused it")))
            }
            // Older sessions never answer; silence counts as delivered.
            Err(CallError::TimedOut | CallError::Malformed(_)) => {
                conclude(&app, &command, CommandState::Consumed, None)
            }
            // The connection broke before an answer: it stays accepted, and is handed over again.
            Err(CallError::Gone) => {}
        }
    });
}

/// Note what became of a command, in the background.
fn conclude(app: &App, command: &Command, state: CommandState, refusal: Option<(ErrorCode, &'static str)>) {
    let (app, session, id) = (app.clone(), command.session_id.clone(), command.command_id.clone());
    app.tasks.clone().spawn_to_completion("conclude-command", async move {
        let (code, message) = refusal.unzip();
        advance(&app, &session, &id, state, code, message.map(str::to_owned)).await;
    });
}

/// Move a command on and tell who watches. Only forwards, one winner.
async fn advance(
    app: &App,
    session: &SessionId,
    id: &CommandId,
    state: CommandState,
    code: Option<ErrorCode>,
    message: Option<String>,
) -> Option<CommandState> {
    let step = Step {
        state: row_state(state),
        code: code.map(ErrorCode::as_str),
        message: message.as_deref(),
        by: None,
        at: app.clock.now_ms(),
    };
    match app.db.commands().advance(session.as_str(), id.as_str(), &step).await {
        Ok(Advanced::Changed(row)) => {
            tell(app, &row);
            Some(state)
        }
        Ok(Advanced::Unchanged(row)) => Some(wire_state(row.state)),
        Ok(Advanced::Missing) => None,
        Err(error) => {
            log_db(&error, "note what became of a command");
            None
        }
    }
}

/// A session says what became of a command.
pub async fn receipt(app: &App, handle: &Arc<RelayHandle>, receipt: CommandReceipt) {
    let CommandReceipt { command_id, state, code, message, result } = receipt;
    if matches!(state, CommandState::Accepted | CommandState::Expired | CommandState::Unknown) {
        return;
    }
    if state.is_final()
        && let Ok(Some(row)) = app.db.commands().get(handle.session.as_str(), command_id.as_str()).await
        && row.kind == CommandKind::Exec.as_str()
        && let Some(body) = wire(&row).and_then(|command| command.body.to::<Open<Exec>>().ok())
    {
        let result = ExecResult {
            id: command_id.clone(),
            ok: state == CommandState::Consumed,
            command: body.command.clone(),
            result: result.map_or(Maybe::Absent, Maybe::Value),
            error: (state != CommandState::Consumed).then(|| message.clone().unwrap_or_else(|| state.to_string())),
        };
        send_result(app, &handle.session, handle.answered(&command_id), result);
    }
    advance(app, &handle.session, &command_id, state, code, message).await;
}

/// The reply to a remote command: to whoever asked, to everybody when nobody knows who that was.
pub async fn exec_result(app: &App, handle: &Arc<RelayHandle>, result: ExecResult) {
    let asker = handle.answered(&result.id);
    let id = result.id.clone();
    let state = if result.ok { CommandState::Consumed } else { CommandState::Rejected };
    let (code, message) = if result.ok { (None, None) } else { (Some(ErrorCode::RunnerError), result.error.clone()) };
    send_result(app, &handle.session, asker, result);
    advance(app, &handle.session, &id, state, code, message).await;
}

fn send_result(app: &App, session: &SessionId, asker: Option<socketioxide::socket::Sid>, result: ExecResult) {
    let Some(room) = app.live.fanout.existing(session) else { return };
    let body =
        crate::emit::body::<pizzapi_protocol::viewer::from_server::ExecResult>(&result.for_viewers(session.clone()));
    let notice: Notice = Arc::new(move |_| body.clone());
    match asker {
        // A viewer that left the session meanwhile does not want to hear of it.
        Some(asker) => {
            room.notify_one(asker, notice);
        }
        None => room.notify(notice),
    }
}

/// Withdraw a command that was not consumed yet. How it ends is told as its status, like every other step.
///
/// Errors: why it cannot be withdrawn, in words.
pub async fn cancel(
    app: &App,
    user: &UserId,
    session: &SessionId,
    id: &CommandId,
) -> Result<(), (ErrorCode, &'static str)> {
    let row = match app.db.commands().get(session.as_str(), id.as_str()).await {
        Ok(Some(row)) if row.user_id == user.as_str() => row,
        Ok(_) => return Err((ErrorCode::NotFound, "There is no such command")),
        Err(error) => {
            log_db(&error, "read a command");
            return Err((ErrorCode::ServerNotReady, "The command could not be read; try again"));
        }
    };
    if wire_state(row.state).is_final() {
        tell(app, &row);
        return Ok(());
    }
    let lane = app.live.commands.lane(session);
    let _ordered = lane.lock().await;
    match app.live.routes.relay(session) {
        // Only the session can say that nothing will happen.
        Some(handle) if handle.takes_commands() => {
            handle.out.emit::<from_server::CancelCommand>(&CancelCommand {
                command_id: id.clone(),
                session_id: Some(session.clone()),
            });
            Ok(())
        }
        Some(_) => Err((ErrorCode::Conflict, "The session has it already")),
        None if row.state == rows::CommandState::Accepted => {
            advance(app, session, id, CommandState::Cancelled, None, None).await;
            Ok(())
        }
        None => Err((ErrorCode::Conflict, "The session has it already")),
    }
}

/// The session's process is there (again): hand over what waits, in order.
pub async fn session_returned(app: &App, handle: &Arc<RelayHandle>, is_same_process: bool) {
    let lane = app.live.commands.lane(&handle.session);
    let _ordered = lane.lock().await;
    let open = match app.db.commands().open(handle.session.as_str()).await {
        Ok(open) => open,
        Err(error) => return log_db(&error, "read what waits for a session"),
    };
    for row in open {
        let (id, epoch) = (CommandId::from(row.command_id.as_str()), handle.epoch);
        match row.state {
            rows::CommandState::Accepted if is_outdated(&row, epoch) => {
                advance(app, &handle.session, &id, CommandState::Rejected, Some(ErrorCode::MovedOn), None).await;
            }
            rows::CommandState::Accepted => deliver(app, handle, &row),
            // The same process answers a repetition with how far it came. Another one cannot know.
            rows::CommandState::Delivered if handle.takes_commands() && is_same_process => deliver(app, handle, &row),
            _ => {
                let message = "the session's process ended after it had the command".to_owned();
                advance(app, &handle.session, &id, CommandState::Unknown, Some(ErrorCode::Died), Some(message)).await;
            }
        }
    }
}

/// Interrupts and the like were meant for what was on the screen then; words still count.
fn is_outdated(row: &rows::Command, epoch: Epoch) -> bool {
    let is_prompt = matches!(
        CommandKind::from_word(&row.kind),
        Some(CommandKind::Input | CommandKind::Answer | CommandKind::Trigger)
    );
    !is_prompt && row.composed_at.is_some_and(|(composed, _)| composed as u64 != epoch)
}

/// The session is over: what waited ends with it.
pub async fn session_ended(app: &App, session: &SessionId) {
    let open = match app.db.commands().open(session.as_str()).await {
        Ok(open) => open,
        Err(error) => return log_db(&error, "read the open commands of an ended session"),
    };
    for row in open {
        let id = CommandId::from(row.command_id.as_str());
        let (state, code) = match row.state {
            rows::CommandState::Accepted => (CommandState::Rejected, ErrorCode::Offline),
            _ => (CommandState::Unknown, ErrorCode::Died),
        };
        advance(app, session, &id, state, Some(code), Some("the session ended".to_owned())).await;
    }
}

/// Commands of a session that did not end yet.
pub async fn open(app: &App, session: &SessionId) -> Result<Vec<OpenCommand>, DbError> {
    let rows = app.db.commands().open(session.as_str()).await?;
    Ok(rows
        .iter()
        .filter_map(|row| Some(OpenCommand { command: wire(row)?, state: wire_state(row.state), at: row.state_at }))
        .collect())
}

/// Viewers and waiting callers learn how far a command came.
fn tell(app: &App, row: &rows::Command) {
    let session = SessionId::from(row.session_id.as_str());
    let id = CommandId::from(row.command_id.as_str());
    let state = wire_state(row.state);
    if state != CommandState::Accepted {
        app.live.commands.moved(&session, &id, state);
    }
    let status = CommandStatus {
        command_id: id,
        session_id: session.clone(),
        state,
        at: row.state_at,
        code: row.code.as_deref().and_then(ErrorCode::from_word),
        message: row.message.clone(),
        by: Some(pizzapi_protocol::Author { user_id: row.user_id.as_str().into(), device: row.device.clone() }),
    };
    let body = crate::emit::body::<pizzapi_protocol::viewer::from_server::CommandStatus>(&status);
    app.live.fanout.notify(&session, Arc::new(move |_| body.clone()));
}

fn wire(row: &rows::Command) -> Option<Command> {
    Some(Command {
        command_id: row.command_id.as_str().into(),
        session_id: row.session_id.as_str().into(),
        kind: CommandKind::from_word(&row.kind)?,
        author: pizzapi_protocol::Author { user_id: row.user_id.as_str().into(), device: row.device.clone() },
        composed_at: row.composed_at.map(|(epoch, seq)| Position::new(epoch as u64, seq as u64)),
        created_at: row.created_at,
        deadline: row.deadline,
        body: RawJson::parse(row.body.clone()).ok()?,
    })
}

fn wire_state(state: rows::CommandState) -> CommandState {
    CommandState::from_word(state.as_str()).expect("both name the same states")
}

fn row_state(state: CommandState) -> rows::CommandState {
    rows::CommandState::parse(state.as_str()).expect("both name the same states")
}

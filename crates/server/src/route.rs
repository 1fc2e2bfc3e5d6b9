//! Where a session's process or a runner is, and how to reach it.
//!
//! Every message that targets one of them goes through here, with a typed result. On one node that is a lookup; between nodes the
//! same calls go over the bus.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use parking_lot::Mutex;
use pizzapi_protocol::events::Event;
use pizzapi_protocol::runner::{AgentResult, AgentsList, FileResult, ModelsList, PluginsList, SkillResult, SkillsList};
use pizzapi_protocol::{CommandId, Open, PeerCapabilities, RawJson, RequestId, RunnerId, SessionId, UserId};
use socketioxide::socket::Sid;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::core::lifecycle::Presence;
use crate::log::Epoch;
use crate::outbox::Outbox;
use crate::store::StoreError;

/// Requests one runner works on at once; further ones wait in order.
const REQUESTS_AT_ONCE: usize = 64;
/// Requests that may wait for one runner.
const REQUESTS_WAITING: usize = 1000;
/// Commands whose reply is awaited, per session. The oldest make room: their replies then go to everybody.
const ASKERS: usize = 1000;

/// Connections of this node by what they stand for.
#[derive(Clone, Default)]
pub struct Routes {
    relays: Arc<DashMap<SessionId, Arc<RelayHandle>>>,
    runners: Arc<DashMap<RunnerId, Arc<RunnerHandle>>>,
}

/// The connection of a session's process.
pub struct RelayHandle {
    pub session: SessionId,
    pub user: UserId,
    pub epoch: Epoch,
    pub capabilities: PeerCapabilities,
    pub out: Outbox,
    pub orders: mpsc::Sender<RelayOrder>,
    /// When anything was last heard from the loop that does the work. Unix milliseconds.
    pub heard: AtomicI64,
    /// When the model's provider was last heard, as the session says.
    pub model_heard: AtomicI64,
    pub model_busy: std::sync::atomic::AtomicBool,
    /// Who asked for a command, so that the reply goes there.
    askers: Mutex<indexmap::IndexMap<CommandId, (Sid, i64)>>,
}

/// What the task of a session's connection is told by others.
#[derive(Debug)]
pub enum RelayOrder {
    /// A newer registration owns the session.
    Superseded { epoch: Epoch },
    /// The session ended without this connection's doing.
    Ended { epoch: Epoch, disconnect: bool },
    /// Prompts of the former connection that were not announced again are over.
    Unconfirmed { epoch: Epoch },
}

impl RelayHandle {
    pub fn new(
        session: SessionId,
        user: UserId,
        epoch: Epoch,
        capabilities: PeerCapabilities,
        out: Outbox,
        orders: mpsc::Sender<RelayOrder>,
        now: i64,
    ) -> Self {
        Self {
            session,
            user,
            epoch,
            capabilities,
            out,
            orders,
            heard: AtomicI64::new(now),
            model_heard: AtomicI64::new(0),
            model_busy: std::sync::atomic::AtomicBool::new(false),
            askers: Mutex::default(),
        }
    }

    pub fn takes_commands(&self) -> bool {
        self.capabilities.commands.is_some_and(|version| version >= 1)
    }

    pub fn heard_at(&self, now: i64) {
        self.heard.store(now, Ordering::Relaxed);
    }

    pub fn asked(&self, command: CommandId, viewer: Sid, now: i64) {
        let mut askers = self.askers.lock();
        if askers.len() >= ASKERS {
            askers.shift_remove_index(0);
        }
        askers.insert(command, (viewer, now));
    }

    /// Whose command it was.
    pub fn answered(&self, command: &CommandId) -> Option<Sid> {
        self.askers.lock().shift_remove(command).map(|(viewer, _)| viewer)
    }

    /// Commands that were asked before `before` and never answered.
    pub fn overdue(&self, before: i64) -> Vec<(CommandId, Sid)> {
        let mut askers = self.askers.lock();
        let due: Vec<_> =
            askers.iter().filter(|(_, (_, at))| *at < before).map(|(id, (sid, _))| (id.clone(), *sid)).collect();
        for (id, _) in &due {
            askers.shift_remove(id);
        }
        due
    }

    /// Tell the connection's task. A full queue means it is stuck; it will find out from the log that it was fenced.
    pub fn order(&self, order: RelayOrder) {
        if let Err(error) = self.orders.try_send(order) {
            tracing::debug!(session.id = %self.session, %error, "a relay connection takes no orders");
        }
    }
}

/// The connection of a runner.
pub struct RunnerHandle {
    pub runner: RunnerId,
    pub user: UserId,
    pub claim: u64,
    pub capabilities: PeerCapabilities,
    pub out: Outbox,
    pub heard: AtomicI64,
    /// Cancelled when the connection is gone or replaced.
    pub gone: CancellationToken,
    pending: Mutex<HashMap<RequestId, oneshot::Sender<RunnerReply>>>,
    slots: Semaphore,
}

/// What a runner answered.
#[derive(Debug)]
pub enum RunnerReply {
    Skills(SkillsList),
    Agents(AgentsList),
    Plugins(PluginsList),
    Skill(SkillResult),
    Agent(AgentResult),
    File(Open<FileResult>),
    Models(ModelsList),
    Data(RawJson),
    Error(String),
}

/// Why a runner could not be asked, or did not answer.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// Unknown, or somebody else's: the same answer.
    #[error("Runner not found")]
    NotFound,
    #[error("Runner is offline")]
    Offline,
    #[error("Runner is reconnecting")]
    Reconnecting,
    #[error("Runner disconnected")]
    Disconnected,
    #[error("Runner command timed out")]
    TimedOut,
    #[error("Too many pending runner commands (max {REQUESTS_WAITING})")]
    TooMany,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RunnerHandle {
    pub fn new(
        runner: RunnerId,
        user: UserId,
        claim: u64,
        capabilities: PeerCapabilities,
        out: Outbox,
        now: i64,
    ) -> Self {
        Self {
            runner,
            user,
            claim,
            capabilities,
            out,
            heard: AtomicI64::new(now),
            gone: CancellationToken::new(),
            pending: Mutex::default(),
            slots: Semaphore::new(REQUESTS_AT_ONCE),
        }
    }

    /// A reply counts only on the connection its request went to.
    pub fn resolve(&self, request: Option<&RequestId>, reply: RunnerReply) {
        if let Some(waiting) = request.and_then(|id| self.pending.lock().remove(id)) {
            // Whoever asked may have stopped waiting.
            let _ = waiting.send(reply);
        }
    }

    async fn request<E: Event>(
        &self,
        payload: impl FnOnce(RequestId) -> E::Payload,
        wait: Duration,
    ) -> Result<RunnerReply, RunnerError> {
        let id = RequestId::from(uuid::Uuid::new_v4().to_string());
        let (answer, answered) = oneshot::channel();
        {
            let mut pending = self.pending.lock();
            if pending.len() >= REQUESTS_WAITING {
                return Err(RunnerError::TooMany);
            }
            pending.insert(id.clone(), answer);
        }
        let forget = Forget { handle: self, id: id.clone() };
        let work = async {
            let _slot = self.slots.acquire().await.map_err(|_| RunnerError::Disconnected)?;
            self.out.emit::<E>(&payload(id));
            answered.await.map_err(|_| RunnerError::Disconnected)
        };
        let outcome = tokio::select! {
            () = self.gone.cancelled() => Err(RunnerError::Disconnected),
            outcome = tokio::time::timeout(wait, work) => outcome.unwrap_or(Err(RunnerError::TimedOut)),
        };
        drop(forget);
        outcome
    }
}

/// A request that nobody waits for any more is forgotten, also when its caller goes away.
struct Forget<'a> {
    handle: &'a RunnerHandle,
    id: RequestId,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.handle.pending.lock().remove(&self.id);
    }
}

impl Routes {
    /// Become the way to a session; answers with the one before.
    pub fn set_relay(&self, handle: Arc<RelayHandle>) -> Option<Arc<RelayHandle>> {
        self.relays.insert(handle.session.clone(), handle)
    }

    /// Stop being the way to a session, unless a newer registration is.
    pub fn clear_relay(&self, session: &SessionId, epoch: Epoch) -> bool {
        self.relays.remove_if(session, |_, handle| handle.epoch == epoch).is_some()
    }

    pub fn relay(&self, session: &SessionId) -> Option<Arc<RelayHandle>> {
        self.relays.get(session).map(|handle| handle.clone()).filter(|handle| handle.out.is_connected())
    }

    pub fn relays(&self) -> Vec<Arc<RelayHandle>> {
        self.relays.iter().map(|handle| handle.clone()).collect()
    }

    pub fn relays_of(&self, user: &UserId) -> Vec<Arc<RelayHandle>> {
        self.relays.iter().filter(|handle| handle.user == *user).map(|handle| handle.clone()).collect()
    }

    pub fn set_runner(&self, handle: Arc<RunnerHandle>) -> Option<Arc<RunnerHandle>> {
        self.runners.insert(handle.runner.clone(), handle)
    }

    pub fn clear_runner(&self, runner: &RunnerId, claim: u64) -> bool {
        self.runners.remove_if(runner, |_, handle| handle.claim == claim).is_some()
    }

    pub fn runner(&self, runner: &RunnerId) -> Option<Arc<RunnerHandle>> {
        self.runners.get(runner).map(|handle| handle.clone()).filter(|handle| handle.out.is_connected())
    }

    pub fn runners(&self) -> Vec<Arc<RunnerHandle>> {
        self.runners.iter().map(|handle| handle.clone()).collect()
    }
}

/// The connection of a runner of `user`.
///
/// Errors: missing and foreign runners look alike; known ones say whether to wait for them.
pub async fn runner_of(app: &App, user: &UserId, runner: &RunnerId) -> Result<Arc<RunnerHandle>, RunnerError> {
    let record = app.live.stores.runners.get(runner).await?.filter(|record| record.user_id == *user);
    match (record, app.live.routes.runner(runner)) {
        (Some(_), Some(handle)) if handle.user == *user => Ok(handle),
        (Some(record), _) => Err(match record.presence {
            Presence::Reconnecting { .. } | Presence::Online => RunnerError::Reconnecting,
            Presence::Offline { .. } => RunnerError::Offline,
        }),
        // Not seen since the server started; its owner is told so, others learn nothing.
        (None, _) => match app.db.runners().get(runner.as_str()).await {
            Ok(Some(row)) if row.user_id == user.as_str() => Err(RunnerError::Offline),
            Ok(_) => Err(RunnerError::NotFound),
            Err(error) => {
                tracing::error!(%error, "failed to look up a runner");
                Err(RunnerError::NotFound)
            }
        },
    }
}

/// Ask a runner of `user`. `payload` gets the id that the answer will carry. The future may be dropped to stop waiting.
pub async fn runner_request<E: Event>(
    app: &App,
    user: &UserId,
    runner: &RunnerId,
    payload: impl FnOnce(RequestId) -> E::Payload + Send,
    wait: Duration,
) -> Result<RunnerReply, RunnerError> {
    runner_of(app, user, runner).await?.request::<E>(payload, wait).await
}

/// Tell a runner of `user` something that has no answer.
pub async fn tell_runner<E: Event>(
    app: &App,
    user: &UserId,
    runner: &RunnerId,
    payload: &E::Payload,
) -> Result<(), RunnerError> {
    runner_of(app, user, runner).await?.out.emit::<E>(payload);
    Ok(())
}

/// Tell whatever runner it is something, when it is connected. Says whether it is.
pub fn nudge_runner<E: Event>(app: &App, runner: &RunnerId, payload: &E::Payload) -> bool {
    match app.live.routes.runner(runner) {
        Some(handle) => {
            handle.out.emit::<E>(payload);
            true
        }
        None => false,
    }
}

/// Send to the process of a session, when it is connected. Says whether it is.
pub fn tell_session<E: Event>(app: &App, session: &SessionId, payload: &E::Payload) -> bool {
    match app.live.routes.relay(session) {
        Some(handle) => {
            handle.out.emit::<E>(payload);
            true
        }
        None => false,
    }
}

//! Starting sessions on runners, as something that can be watched until it worked or failed.

use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use pizzapi_protocol::runner::{NewSession, from_server};
use pizzapi_protocol::{RunnerId, SessionId, SessionSpawn, SpawnState, UserId};
use tokio::sync::watch;

use crate::app::App;
use crate::route::{RunnerError, runner_of};
use crate::store::SessionRecord;

/// A process that was started must register within this time.
const REGISTER_WITHIN: Duration = Duration::from_secs(60);
/// Spawns are remembered this long. Units: milliseconds.
const KEEP_MS: i64 = 60 * 60 * 1000;

/// All spawns of this node.
#[derive(Clone, Default)]
pub struct Spawns {
    all: Arc<DashMap<SessionId, Spawn>>,
}

#[derive(Clone)]
struct Spawn {
    user: UserId,
    runner: RunnerId,
    state: watch::Sender<Progress>,
}

/// How far a spawn came. Units: Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    pub state: SpawnState,
    pub message: Option<String>,
    pub at: i64,
}

/// What [`start`] ended with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Started {
    /// The runner started the process.
    Accepted,
    /// The runner has not answered yet.
    Pending,
    Failed(String),
}

impl Spawns {
    /// Is this session of `user` being started?
    pub fn is_expected(&self, user: &UserId, session: &SessionId) -> bool {
        self.all.get(session).is_some_and(|spawn| {
            spawn.user == *user && matches!(spawn.state.borrow().state, SpawnState::Requested | SpawnState::Accepted)
        })
    }

    pub fn progress(&self, user: &UserId, session: &SessionId) -> Option<(RunnerId, Progress)> {
        let spawn = self.all.get(session).filter(|spawn| spawn.user == *user)?;
        let progress = spawn.state.borrow().clone();
        Some((spawn.runner.clone(), progress))
    }

    /// Wait until the session registered. Errors: why it never will.
    pub async fn wait(&self, user: &UserId, session: &SessionId) -> Result<(), String> {
        let mut state = match self.all.get(session) {
            Some(spawn) if spawn.user == *user => spawn.state.subscribe(),
            _ => return Err("Session not found".to_owned()),
        };
        let over =
            state.wait_for(|progress| !matches!(progress.state, SpawnState::Requested | SpawnState::Accepted)).await;
        match over.map(|progress| progress.clone()) {
            Ok(Progress { state: SpawnState::Registered, .. }) => Ok(()),
            Ok(progress) => Err(progress.message.unwrap_or_else(|| "the session did not start".to_owned())),
            Err(_) => Err("the session did not start".to_owned()),
        }
    }

    fn forget_old(&self, now: i64) {
        self.all.retain(|_, spawn| now - spawn.state.borrow().at < KEEP_MS);
    }
}

fn advance(app: &App, session: &SessionId, state: SpawnState, message: Option<String>) {
    let Some(spawn) = app.live.spawns.all.get(session).map(|spawn| spawn.clone()) else { return };
    let at = app.clock.now_ms();
    let moved = spawn.state.send_if_modified(|progress| {
        // What ended stays as it ended, except that a late registration is still a success.
        let is_over = !matches!(progress.state, SpawnState::Requested | SpawnState::Accepted);
        if progress.state == state || (is_over && state != SpawnState::Registered) {
            return false;
        }
        *progress = Progress { state, message: message.clone(), at };
        true
    });
    if moved {
        app.live.hub.publish(&spawn.user, "session_spawn", |revision| SessionSpawn {
            spawn_id: session.clone(),
            session_id: session.clone(),
            runner_id: Some(spawn.runner.clone()),
            state,
            message,
            at,
            revision: Some(revision),
        });
    }
}

/// Ask a runner to start a session, and wait at most `wait` for its word.
///
/// Errors: the runner is unknown, not the user's, or not connected.
pub async fn start(
    app: &App,
    user: &UserId,
    runner: &RunnerId,
    request: NewSession,
    wait: Duration,
) -> Result<Started, RunnerError> {
    let handle = runner_of(app, user, runner).await?;
    let session = request.session_id.clone();
    let now = app.clock.now_ms();
    app.live.spawns.forget_old(now);
    let state = watch::Sender::new(Progress { state: SpawnState::Requested, message: None, at: now });
    let mut progress = state.subscribe();
    // The waiter first: an answer may overtake us.
    app.live.spawns.all.insert(session.clone(), Spawn { user: user.clone(), runner: runner.clone(), state });
    let record = app.live.stores.runners.get(runner).await?;
    let name = record.as_ref().and_then(|record| record.name.clone());
    app.live.stores.sessions.link_runner(&session, runner, name.as_deref()).await?;
    app.live.hub.publish(user, "session_spawn", |revision| SessionSpawn {
        spawn_id: session.clone(),
        session_id: session.clone(),
        runner_id: Some(runner.clone()),
        state: SpawnState::Requested,
        message: None,
        at: now,
        revision: Some(revision),
    });
    handle.out.emit::<from_server::NewSession>(&request);
    app.tasks.spawn("spawn-deadline", {
        let (app, session) = (app.clone(), session.clone());
        async move {
            tokio::time::sleep(REGISTER_WITHIN).await;
            let message = format!("the session did not register within {} s", REGISTER_WITHIN.as_secs());
            advance(&app, &session, SpawnState::TimedOut, Some(message));
        }
    });
    let moved = progress.wait_for(|progress| progress.state != SpawnState::Requested);
    let outcome = tokio::select! {
        () = handle.gone.cancelled() => {
            advance(app, &session, SpawnState::Failed, Some("Runner disconnected".to_owned()));
            return Ok(Started::Failed("Runner disconnected".to_owned()));
        }
        outcome = tokio::time::timeout(wait, moved) => outcome.ok().and_then(Result::ok).map(|progress| progress.clone()),
    };
    Ok(match outcome {
        None => Started::Pending,
        Some(Progress { state: SpawnState::Accepted | SpawnState::Registered, .. }) => Started::Accepted,
        Some(progress) => Started::Failed(progress.message.unwrap_or_else(|| "Runner spawn failed".to_owned())),
    })
}

/// The runner started the process.
pub fn accepted(app: &App, session: &SessionId) {
    advance(app, session, SpawnState::Accepted, None);
}

/// The runner could not, or the process died before it registered.
pub fn failed(app: &App, session: &SessionId, runner: &RunnerId, message: &str) {
    let is_own = app.live.spawns.all.get(session).is_some_and(|spawn| spawn.runner == *runner);
    if is_own {
        advance(app, session, SpawnState::Failed, Some(message.to_owned()));
    }
}

/// It registered.
pub fn registered(app: &App, record: &Arc<SessionRecord>) {
    if app.live.spawns.all.get(&record.session_id).is_some_and(|spawn| spawn.user == record.user_id) {
        advance(app, &record.session_id, SpawnState::Registered, None);
    }
}

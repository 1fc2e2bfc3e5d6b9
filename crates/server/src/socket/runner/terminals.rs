//! What runners say about terminals.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pizzapi_protocol::terminal::{TerminalData, TerminalError, TerminalExit, TerminalRef};
use pizzapi_protocol::{RunnerId, TerminalId};

use crate::app::App;
use crate::route::RunnerHandle;
use crate::socket::{log_store, terminal};

/// Is the terminal this runner's?
async fn is_own(app: &App, handle: &RunnerHandle, id: &TerminalId) -> bool {
    match app.live.stores.terminals.get(id).await {
        Ok(record) => record.is_some_and(|record| record.runner_id == handle.runner && record.user_id == handle.user),
        Err(error) => {
            log_store(&error, "look up a terminal");
            false
        }
    }
}

pub async fn ready(app: &App, handle: &RunnerHandle, event: TerminalRef) {
    if !is_own(app, handle, &event.terminal_id).await {
        return;
    }
    if let Err(error) = app.live.stores.terminals.set_ready(&event.terminal_id).await {
        log_store(&error, "note that a terminal runs");
    }
    app.live.terminals.ready(&event.terminal_id);
}

pub async fn data(app: &App, handle: &RunnerHandle, event: TerminalData) {
    if !is_own(app, handle, &event.terminal_id).await {
        return;
    }
    match STANDARD.decode(event.data.as_bytes()) {
        Ok(bytes) => app.live.terminals.output(app, handle, &event.terminal_id, bytes),
        Err(error) => tracing::warn!(terminal.id = %event.terminal_id, %error, "terminal output that is not base64"),
    }
}

pub async fn exit(app: &App, handle: &RunnerHandle, event: TerminalExit) {
    if is_own(app, handle, &event.terminal_id).await {
        terminal::ended(app, &event.terminal_id, event.exit_code).await;
    }
}

pub async fn error(app: &App, handle: &RunnerHandle, event: TerminalError) {
    if event.terminal_id.is_empty() || !is_own(app, handle, &event.terminal_id).await {
        return;
    }
    app.live.terminals.failed(&event.terminal_id, &event.message);
    terminal::ended(app, &event.terminal_id, -1).await;
}

/// The runner is back and says which terminals it holds: what it does not hold has ended.
pub async fn reconcile(app: &App, handle: &RunnerHandle, held: &[TerminalId]) {
    let held: HashSet<&TerminalId> = held.iter().collect();
    let known = match app.live.stores.terminals.of_runner(&handle.runner).await {
        Ok(known) => known,
        Err(error) => return log_store(&error, "list the terminals of a runner"),
    };
    for record in known {
        if record.spawned && record.ended_at.is_none() && !held.contains(&record.terminal_id) {
            terminal::ended(app, &record.terminal_id, -1).await;
        }
    }
}

/// The runner did not return: nobody can say what became of its terminals, so they are over here.
pub async fn runner_gone(app: &App, runner: &RunnerId) {
    match app.live.stores.terminals.of_runner(runner).await {
        Ok(known) => {
            for record in known.iter().filter(|record| record.ended_at.is_none()) {
                terminal::ended(app, &record.terminal_id, -1).await;
            }
        }
        Err(error) => log_store(&error, "list the terminals of a lost runner"),
    }
}

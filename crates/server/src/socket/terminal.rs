//! `/terminal`: browsers and a pseudo-terminal on a runner. Several may share one; each gets what was on the screen first.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dashmap::DashMap;
use parking_lot::Mutex;
use pizzapi_protocol::runner::{NewTerminal, TerminalFlow, TerminalInput, TerminalResize, from_server as to_runner};
use pizzapi_protocol::terminal::{
    FromClient, TerminalData, TerminalError, TerminalExit, TerminalRef, ViewerTerminalInput, ViewerTerminalResize,
    from_server,
};
use pizzapi_protocol::{RunnerId, TerminalAuth, TerminalId, UserId};
use socketioxide::socket::Sid;

use super::{Conn, log_store};
use crate::app::App;
use crate::inbox::{Arrived, Bounds};
use crate::outbox::Outbox;
use crate::route::{RunnerError, RunnerHandle, nudge_runner, runner_of};
use crate::store::TerminalRecord;

pub const BOUNDS: Bounds<FromClient> = Bounds { events: 4096, bytes: 8 * 1024 * 1024, sheds: |_| false };

/// Newest output kept for whoever attaches.
pub const SCROLLBACK_BYTES: usize = 256 * 1024;
/// Output that waits for the slowest page before the program is stopped …
const PAUSE_ABOVE_BYTES: usize = 1024 * 1024;
/// … and before it may go on.
const RESUME_BELOW_BYTES: usize = 256 * 1024;
/// One frame to a page.
const FRAME_BYTES: usize = 64 * 1024;
/// A terminal that nobody attached to and nothing runs in. Units: milliseconds, like the next two.
const UNUSED_FOR_MS: i64 = 60_000;
const GONE_AFTER_WATCHED_MS: i64 = 2_000;
const GONE_AFTER_UNWATCHED_MS: i64 = 30_000;

/// Screens of this node.
#[derive(Clone, Default)]
pub struct Screens {
    all: Arc<DashMap<TerminalId, Arc<Mutex<Screen>>>>,
}

#[derive(Default)]
struct Screen {
    /// Newest output, oldest first.
    scrollback: VecDeque<u8>,
    /// Bytes of output so far.
    offset: u64,
    pages: HashMap<Sid, Page>,
    is_ready: bool,
    is_paused: bool,
    /// What the program was told last.
    size: Option<(u16, u16)>,
}

struct Page {
    out: Outbox,
    /// Columns and rows it can show.
    size: Option<(u16, u16)>,
    /// Output that waits for room in its socket.
    backlog: VecDeque<u8>,
    is_draining: bool,
}

impl Screens {
    fn screen(&self, id: &TerminalId) -> Arc<Mutex<Screen>> {
        self.all.entry(id.clone()).or_default().clone()
    }

    fn watchers(&self, id: &TerminalId) -> usize {
        self.all.get(id).map_or(0, |screen| screen.lock().pages.len())
    }

    pub fn ready(&self, id: &TerminalId) {
        let screen = self.screen(id);
        let mut screen = screen.lock();
        screen.is_ready = true;
        let body = TerminalRef { terminal_id: id.clone() };
        screen.pages.values().for_each(|page| page.out.emit::<from_server::TerminalReady>(&body));
    }

    pub fn failed(&self, id: &TerminalId, message: &str) {
        let screen = self.screen(id);
        let body = TerminalError { terminal_id: id.clone(), message: message.to_owned() };
        screen.lock().pages.values().for_each(|page| page.out.emit::<from_server::TerminalError>(&body));
    }

    /// Bytes from the program. Every page gets them all, in order; one that reads slowly stops the program, not the others' memory.
    pub fn output(&self, app: &App, runner: &RunnerHandle, id: &TerminalId, bytes: Vec<u8>) {
        let screen = self.screen(id);
        let mut held = screen.lock();
        let offset = held.offset;
        held.offset += bytes.len() as u64;
        held.scrollback.extend(&bytes);
        let excess = held.scrollback.len().saturating_sub(SCROLLBACK_BYTES);
        held.scrollback.drain(..excess);
        for (sid, page) in &mut held.pages {
            let frame = TerminalData {
                terminal_id: id.clone(),
                data: STANDARD.encode(&bytes),
                offset: Some(offset),
                replay: None,
            };
            if page.backlog.is_empty() && page.out.try_send(NAME, &frame) {
                continue;
            }
            page.backlog.extend(&bytes);
            if !std::mem::replace(&mut page.is_draining, true) {
                let (app2, id, sid, screen) = (app.clone(), id.clone(), *sid, screen.clone());
                let runner = runner.runner.clone();
                app.tasks.spawn("terminal-backlog", async move { drain(&app2, &runner, &id, sid, screen).await });
            }
        }
        if !held.is_paused && held.slowest() > PAUSE_ABOVE_BYTES && runner.capabilities.terminal_flow.is_some() {
            held.is_paused = true;
            runner.out.emit::<to_runner::TerminalFlow>(&TerminalFlow { terminal_id: id.clone(), paused: true });
        }
    }

    fn attach(&self, id: &TerminalId, out: &Outbox) {
        let screen = self.screen(id);
        let mut screen = screen.lock();
        // What was there, then what comes: both under one lock.
        let (front, back) = screen.scrollback.as_slices();
        let past: Vec<u8> = [front, back].concat();
        let mut offset = screen.offset - past.len() as u64;
        for part in past.chunks(FRAME_BYTES) {
            out.emit::<from_server::TerminalData>(&TerminalData {
                terminal_id: id.clone(),
                data: STANDARD.encode(part),
                offset: Some(offset),
                replay: Some(true),
            });
            offset += part.len() as u64;
        }
        out.emit::<from_server::TerminalConnected>(&TerminalRef { terminal_id: id.clone() });
        if screen.is_ready {
            out.emit::<from_server::TerminalReady>(&TerminalRef { terminal_id: id.clone() });
        }
        screen
            .pages
            .insert(out.id(), Page { out: out.clone(), size: None, backlog: VecDeque::new(), is_draining: false });
    }

    /// A page can show this much; the program is told so.
    fn resized(&self, id: &TerminalId, page: Sid, size: (u16, u16)) {
        let screen = self.screen(id);
        let mut screen = screen.lock();
        screen.size = Some(size);
        if let Some(page) = screen.pages.get_mut(&page) {
            page.size = Some(size);
        }
    }

    /// Whoever types sees it as large as their page: the size to tell the program, when it is another than now.
    fn typing(&self, id: &TerminalId, page: Sid) -> Option<(u16, u16)> {
        let screen = self.screen(id);
        let mut screen = screen.lock();
        let size = screen.pages.get(&page)?.size.filter(|size| screen.size != Some(*size))?;
        screen.size = Some(size);
        Some(size)
    }

    fn detach(&self, id: &TerminalId, page: Sid) {
        if let Some(screen) = self.all.get(id) {
            screen.lock().pages.remove(&page);
        }
    }
}

const NAME: &str = <from_server::TerminalData as pizzapi_protocol::events::Event>::NAME;

impl Screen {
    fn slowest(&self) -> usize {
        self.pages.values().map(|page| page.backlog.len()).max().unwrap_or(0)
    }
}

/// Send what waits for one page, at its pace.
async fn drain(app: &App, runner: &RunnerId, id: &TerminalId, sid: Sid, screen: Arc<Mutex<Screen>>) {
    loop {
        let (out, part, offset) = {
            let mut held = screen.lock();
            let total = held.offset;
            let Some(page) = held.pages.get_mut(&sid) else { break };
            if page.backlog.is_empty() {
                page.is_draining = false;
                break;
            }
            let offset = total - page.backlog.len() as u64;
            let size = page.backlog.len().min(FRAME_BYTES);
            let part: Vec<u8> = page.backlog.iter().take(size).copied().collect();
            (page.out.clone(), part, offset)
        };
        let frame =
            TerminalData { terminal_id: id.clone(), data: STANDARD.encode(&part), offset: Some(offset), replay: None };
        if out.send_paced(NAME, &frame).await.is_err() {
            break;
        }
        let mut held = screen.lock();
        if let Some(page) = held.pages.get_mut(&sid) {
            page.backlog.drain(..part.len());
        }
        resume(app, runner, id, &mut held);
    }
    resume(app, runner, id, &mut screen.lock());
}

fn resume(app: &App, runner: &RunnerId, id: &TerminalId, screen: &mut Screen) {
    if screen.is_paused && screen.slowest() < RESUME_BELOW_BYTES {
        screen.is_paused = false;
        nudge_runner::<to_runner::TerminalFlow>(app, runner, &TerminalFlow { terminal_id: id.clone(), paused: false });
    }
}

pub async fn run(app: App, mut conn: Conn<FromClient, TerminalAuth>) {
    let id = conn
        .auth
        .terminal_id
        .clone()
        .filter(|id| !id.is_empty())
        .or_else(|| conn.query("terminalId").map(TerminalId::from));
    let record = match admit(&app, &conn, id).await {
        Ok(record) => record,
        Err(message) => {
            conn.out.emit::<from_server::TerminalError>(&TerminalError {
                terminal_id: "".into(),
                message: message.to_owned(),
            });
            conn.out.disconnect();
            return;
        }
    };
    let id = record.terminal_id.clone();
    app.live.terminals.attach(&id, &conn.out);
    if let Some(exit_code) = record.exit_code {
        conn.out.emit::<from_server::TerminalExit>(&TerminalExit { terminal_id: id.clone(), exit_code });
    }
    while let Some(arrived) = conn.mailbox.recv().await {
        let Arrived::Event(event) = arrived else { continue };
        match event {
            FromClient::TerminalInput(ViewerTerminalInput { data, .. }) => {
                if let Some((cols, rows)) = app.live.terminals.typing(&id, conn.out.id()) {
                    let body = TerminalResize { terminal_id: id.clone(), cols, rows };
                    nudge_runner::<to_runner::TerminalResize>(&app, &record.runner_id, &body);
                }
                let body = TerminalInput { terminal_id: id.clone(), data };
                if !nudge_runner::<to_runner::TerminalInput>(&app, &record.runner_id, &body) {
                    say(&conn.out, &id, "Runner is offline");
                }
            }
            FromClient::TerminalResize(event) => resize(&app, &conn.out, &record, event).await,
            FromClient::KillTerminal(_) => {
                if !nudge_runner::<to_runner::KillTerminal>(
                    &app,
                    &record.runner_id,
                    &TerminalRef { terminal_id: id.clone() },
                ) {
                    ended(&app, &id, -1).await;
                }
            }
        }
    }
    app.live.terminals.detach(&id, conn.out.id());
}

fn say(out: &Outbox, id: &TerminalId, message: &str) {
    out.emit::<from_server::TerminalError>(&TerminalError { terminal_id: id.clone(), message: message.to_owned() });
}

async fn admit(
    app: &App,
    conn: &Conn<FromClient, TerminalAuth>,
    id: Option<TerminalId>,
) -> Result<Arc<TerminalRecord>, &'static str> {
    let id = id.ok_or("Missing terminal ID")?;
    match app.live.stores.terminals.get(&id).await {
        Ok(Some(record)) if record.user_id == conn.user => Ok(record),
        // Missing and foreign look alike.
        Ok(_) => Err("Terminal not found"),
        Err(error) => {
            log_store(&error, "look up a terminal");
            Err("Terminal not found")
        }
    }
}

async fn resize(app: &App, out: &Outbox, record: &TerminalRecord, event: ViewerTerminalResize) {
    let id = &record.terminal_id;
    let size = |value: Option<f64>, stored: u16, default: u16| match value {
        Some(value) if value >= 1.0 && value <= f64::from(u16::MAX) => value as u16,
        _ if stored > 0 => stored,
        _ => default,
    };
    let (cols, rows) = (size(event.cols, record.cols, 80), size(event.rows, record.rows, 24));
    app.live.terminals.resized(id, out.id(), (cols, rows));
    // The first one starts it, whoever sends it.
    match app.live.stores.terminals.claim_spawn(id, cols, rows).await {
        Ok(Some(terminal)) => {
            let body = NewTerminal {
                terminal_id: id.clone(),
                cwd: terminal.cwd.clone(),
                shell: terminal.shell.clone(),
                cols: Some(cols),
                rows: Some(rows),
            };
            if !nudge_runner::<to_runner::NewTerminal>(app, &record.runner_id, &body) {
                if let Err(error) = app.live.stores.terminals.release_spawn(id).await {
                    log_store(&error, "release a terminal");
                }
                say(out, id, "Failed to spawn terminal");
            }
        }
        Ok(None) => {
            if let Err(error) = app.live.stores.terminals.resize(id, cols, rows).await {
                log_store(&error, "note the size of a terminal");
            }
            nudge_runner::<to_runner::TerminalResize>(
                app,
                &record.runner_id,
                &TerminalResize { terminal_id: id.clone(), cols, rows },
            );
        }
        Err(error) => log_store(&error, "start a terminal"),
    }
}

/// Note a new terminal; it starts when a page says how large it is.
///
/// Errors: the runner is not there, or has too many.
pub async fn create(
    app: &App,
    user: &UserId,
    runner: &RunnerId,
    cwd: Option<String>,
    cols: u16,
    rows: u16,
) -> Result<TerminalId, RunnerError> {
    runner_of(app, user, runner).await?;
    let id = TerminalId::from(uuid::Uuid::new_v4().to_string());
    let record = TerminalRecord {
        terminal_id: id.clone(),
        runner_id: runner.clone(),
        user_id: user.clone(),
        cwd,
        shell: None,
        cols,
        rows,
        created_at: app.clock.now_ms(),
        spawned: false,
        ready: false,
        exit_code: None,
        ended_at: None,
    };
    if app.live.stores.terminals.create(record).await? { Ok(id) } else { Err(RunnerError::TooMany) }
}

/// The program ended, or nobody can say any more.
pub async fn ended(app: &App, id: &TerminalId, exit_code: i32) {
    match app.live.stores.terminals.end(id, exit_code, app.clock.now_ms()).await {
        Ok(true) => {
            let screen = app.live.terminals.screen(id);
            let body = TerminalExit { terminal_id: id.clone(), exit_code };
            screen.lock().pages.values().for_each(|page| page.out.emit::<from_server::TerminalExit>(&body));
        }
        Ok(false) => {}
        Err(error) => log_store(&error, "note the end of a terminal"),
    }
}

/// Forget terminals that ended, or were never used.
pub async fn sweep(app: &App) {
    let now = app.clock.now_ms();
    let all = match app.live.stores.terminals.all().await {
        Ok(all) => all,
        Err(error) => return log_store(&error, "look at terminals"),
    };
    for record in all {
        let watched = app.live.terminals.watchers(&record.terminal_id) > 0;
        let is_over = match record.ended_at {
            Some(at) => now - at > if watched { GONE_AFTER_WATCHED_MS } else { GONE_AFTER_UNWATCHED_MS },
            None => !record.spawned && !watched && now - record.created_at > UNUSED_FOR_MS,
        };
        if is_over {
            if let Err(error) = app.live.stores.terminals.remove(&record.terminal_id).await {
                log_store(&error, "forget a terminal");
            }
            app.live.terminals.all.remove(&record.terminal_id);
        }
    }
}

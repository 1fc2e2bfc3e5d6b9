//! What time does: graces that run out, sessions that expire, probes that are not answered, history that is pruned.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use dashmap::DashMap;
use pizzapi_protocol::relay::from_server;
use pizzapi_protocol::{Light, LightState, Lights as Wire, Maybe, Probe, ProbeReply, RunnerId, SessionId};

use crate::app::App;
use crate::core::lifecycle::Presence;
use crate::route::{RelayHandle, RunnerHandle};
use crate::socket::relay::{End, announce_presence, end_session, tell_viewers};
use crate::socket::{LiveError, hub, log_db, log_store, runner};
use crate::store::SessionRecord;

/// Graces are looked at this often.
const GRACE_LOOK: Duration = Duration::from_secs(1);
/// Lights are compared with what was shown last this often …
const LIGHTS_LOOK: Duration = Duration::from_secs(1);
/// … and shown again, with the times of the last words, this often to viewers …
const SHOW_VIEWERS_MS: i64 = 10_000;
/// … and this often to lists. Units: milliseconds.
const SHOW_LISTS_MS: i64 = 60_000;
/// Every session and runner is asked this often whether it is there.
const PROBE_EVERY: Duration = Duration::from_secs(10);
/// Heard within this time counts as there …
const UP_MS: i64 = 12_000;
/// … and after this time as gone.
const DOWN_MS: i64 = 15_000;
/// A connected session that says nothing for this long is orphaned.
const ORPHAN_MS: i64 = 120_000;

/// Lights that were shown last, to tell a change.
#[derive(Clone, Default)]
pub struct Lights {
    shown: Arc<DashMap<SessionId, Shown>>,
}

struct Shown {
    states: [LightState; 3],
    viewers_at: i64,
    lists_at: i64,
}

impl Lights {
    fn show(&self, app: &App, record: &Arc<SessionRecord>, now: i64) {
        let lights = lights(app, record);
        let states = [lights.machine.state, lights.agent.state, lights.model.state];
        let mut shown = self.shown.entry(record.session_id.clone()).or_insert_with(|| Shown {
            states: [LightState::Unknown; 3],
            viewers_at: 0,
            lists_at: now,
        });
        let changed = shown.states != states;
        let lists = changed || now - shown.lists_at >= SHOW_LISTS_MS;
        let viewers = changed || now - shown.viewers_at >= SHOW_VIEWERS_MS;
        shown.states = states;
        if lists {
            shown.lists_at = now;
        }
        if viewers {
            shown.viewers_at = now;
        }
        drop(shown);
        if lists {
            hub::status(app, record);
        }
        if viewers {
            tell_viewers(app, record);
        }
    }

    pub fn forget(&self, session: &SessionId) {
        self.shown.remove(session);
    }
}

/// Sessions that were live when the process stopped are expected back.
pub async fn recover(app: &App) -> Result<(), LiveError> {
    let until = app.clock.now_ms() + app.config.sessions.grace.as_millis() as i64;
    let sessions = &app.live.stores.sessions;
    for record in sessions.all().await? {
        if record.presence.is_online() || matches!(record.presence, Presence::Reconnecting { .. }) {
            sessions.set_presence(&record.session_id, record.epoch, Presence::Reconnecting { until }).await?;
        }
    }
    // Rows that say "live" but have no record were left by a crash in between.
    match app.db.sessions().unfinished().await {
        Ok(rows) => {
            for row in rows {
                if sessions.get(&row.id.as_str().into()).await?.is_none()
                    && let Err(error) = app.db.sessions().end(&row.id, &row.life, app.clock.now_ms()).await
                {
                    log_db(&error, "end a session that left no record");
                }
            }
        }
        Err(error) => log_db(&error, "look for unfinished sessions"),
    }
    Ok(())
}

pub fn start(app: &App) {
    every(app, "graces", GRACE_LOOK, graces);
    every(app, "lights", LIGHTS_LOOK, watch_lights);
    every(app, "probes", PROBE_EVERY, probe);
    every(app, "expiry", app.config.sessions.sweep, expire);
}

fn every<F>(app: &App, name: &'static str, period: Duration, work: fn(App) -> F)
where
    F: std::future::Future<Output = ()> + Send + 'static,
{
    let app2 = app.clone();
    app.tasks.every(name, period, move || work(app2.clone()));
}

async fn graces(app: App) {
    let now = app.clock.now_ms();
    match app.live.stores.sessions.all().await {
        Ok(records) => {
            for word in ["online", "reconnecting", "offline"] {
                let count = records.iter().filter(|record| record.presence.word() == word).count();
                app.metrics.gauge("pizzapi_sessions", &[("presence", word)]).set(count as f64);
            }
            for record in records {
                let mut due = record.presence.at(now);
                // Its connection went without a word (its task died): the same as a broken one.
                if due.is_online() && app.live.routes.relay(&record.session_id).is_none() && !app.shutdown.is_draining()
                {
                    due = Presence::Reconnecting { until: now + app.config.sessions.grace.as_millis() as i64 };
                }
                if due == record.presence {
                    continue;
                }
                match app.live.stores.sessions.set_presence(&record.session_id, record.epoch, due).await {
                    Ok(Some(record)) => announce_presence(&app, &record),
                    Ok(None) => {}
                    Err(error) => log_store(&error, "end the grace of a session"),
                }
            }
        }
        Err(error) => log_store(&error, "look at graces"),
    }
    match app.live.stores.runners.all().await {
        Ok(records) => {
            for record in records {
                let due = record.presence.at(now);
                if due != record.presence {
                    runner::grace_over(&app, &record, due).await;
                }
            }
        }
        Err(error) => log_store(&error, "look at the graces of runners"),
    }
    crate::socket::terminal::sweep(&app).await;
}

/// Lists and viewers see a light go out within a second of its time.
async fn watch_lights(app: App) {
    let now = app.clock.now_ms();
    let records = match app.live.stores.sessions.all().await {
        Ok(records) => records,
        Err(error) => return log_store(&error, "look at lights"),
    };
    for record in records {
        app.live.lights.show(&app, &record, now);
    }
}

async fn expire(app: App) {
    let now = app.clock.now_ms();
    let records = match app.live.stores.sessions.all().await {
        Ok(records) => records,
        Err(error) => return log_store(&error, "look for expired sessions"),
    };
    for record in records {
        let is_connected = app.live.routes.relay(&record.session_id).is_some();
        let silent_since = record.last_heartbeat_at.unwrap_or(record.started_at).max(record.last_active_at);
        if record.is_ephemeral
            && record.expires_at.is_some_and(|at| at <= now)
            && !(is_connected && now - silent_since < ORPHAN_MS)
        {
            let end = if is_connected { End::expired() } else { End { expels: false, ..End::expired() } };
            end_session(&app, &record.session_id, Some(record.epoch), end).await;
        }
    }
    let sessions = &app.config.sessions;
    match app.db.sessions().prune(now, sessions.history_retention, sessions.history_max_per_user).await {
        Ok(gone) => {
            for id in gone {
                if let Err(error) = app.live.stores.sessions.forget(&id.into()).await {
                    log_store(&error, "delete the log of a pruned session");
                }
            }
        }
        Err(error) => log_db(&error, "prune the history"),
    }
    app.live.logs.trim().await;
    if let Err(error) = app.live.logs.sweep().await {
        tracing::error!(%error, "failed to apply retention to the session logs");
    }
}

/// Ask every session and runner whether it is there. Answered by the loops that do the work, not by the socket library.
async fn probe(app: App) {
    for handle in app.live.routes.relays() {
        if handle.capabilities.probe.is_some() {
            let nonce = uuid::Uuid::new_v4().simple().to_string();
            handle.out.try_send(<from_server::Probe as pizzapi_protocol::events::Event>::NAME, &Probe { nonce });
        }
    }
    for handle in app.live.routes.runners() {
        if handle.capabilities.probe.is_some() {
            use pizzapi_protocol::runner::from_server;
            let nonce = uuid::Uuid::new_v4().simple().to_string();
            handle.out.try_send(<from_server::Probe as pizzapi_protocol::events::Event>::NAME, &Probe { nonce });
        }
    }
}

pub fn session_answered(app: &App, handle: &Arc<RelayHandle>, reply: &ProbeReply) {
    handle.heard_at(app.clock.now_ms());
    if let Maybe::Value(at) = reply.model_heard_at {
        handle.model_heard.store(at, Ordering::Relaxed);
    }
    handle.model_busy.store(reply.model_busy == Some(true), Ordering::Relaxed);
}

pub fn runner_answered(app: &App, handle: &Arc<RunnerHandle>) {
    handle.heard.store(app.clock.now_ms(), Ordering::Relaxed);
}

/// Who is there, leg by leg.
pub fn lights(app: &App, record: &SessionRecord) -> Wire {
    let now = app.clock.now_ms();
    let off = Light { state: LightState::Off, heard_at: None };
    let relay = app.live.routes.relay(&record.session_id);
    let agent = match &relay {
        Some(handle) => heard(handle.heard.load(Ordering::Relaxed).max(record.last_heartbeat_at.unwrap_or(0)), now),
        None => Light { state: LightState::Down, heard_at: record.last_heartbeat_at },
    };
    let machine = match &record.runner_id {
        Some(runner) => machine(app, runner, now),
        None => off.clone(),
    };
    let model = match &relay {
        Some(handle) => {
            let at = handle.model_heard.load(Ordering::Relaxed);
            let busy = handle.model_busy.load(Ordering::Relaxed);
            match (at, busy) {
                (0, _) => Light { state: LightState::Unknown, heard_at: None },
                (at, true) => heard(at, now),
                (at, false) => Light { state: LightState::Off, heard_at: Some(at) },
            }
        }
        None => off,
    };
    Wire { relay: Light { state: LightState::Up, heard_at: Some(now) }, machine, agent, model }
}

fn machine(app: &App, runner: &RunnerId, now: i64) -> Light {
    match app.live.routes.runner(runner) {
        Some(handle) if handle.capabilities.probe.is_some() => heard(handle.heard.load(Ordering::Relaxed), now),
        // Connected, but nobody can ask the loop that does the work.
        Some(handle) => Light { state: LightState::Unknown, heard_at: Some(handle.heard.load(Ordering::Relaxed)) },
        None => Light { state: LightState::Down, heard_at: None },
    }
}

fn heard(at: i64, now: i64) -> Light {
    let state = match now - at {
        age if age <= UP_MS => LightState::Up,
        age if age <= DOWN_MS => LightState::Slow,
        _ => LightState::Down,
    };
    Light { state, heard_at: Some(at) }
}

//! From an event's arrival to its acknowledgement: classify, append, acknowledge, pass on.

use std::collections::HashMap;
use std::time::Duration;

use pizzapi_protocol::relay::{EventAck, RelayConnected, RelayEvent, from_server};
use pizzapi_protocol::{JsonObject, Maybe, MetaEvent, Model, RawJson, normalize_session_name};
use serde::Deserialize;

use super::{Owned, prompt_of, refuse};
use crate::app::App;
use crate::core::chunks::{Assembly, Taken};
use crate::core::classify::{self, Class, Ends};
use crate::core::{images, transcript};
use crate::log::{Entry, EntryKind, LogError, NewEntry};
use crate::outbox::Outbox;
use crate::socket::notify::What;
use crate::socket::{decisions, hub, log_store};
use crate::store::StoreError;
use crate::store::session::Beat;

/// A log that cannot be written parks the queue and is tried again; first after this …
const RETRY_FROM: Duration = Duration::from_millis(250);
/// … and at most this long apart.
const RETRY_TO: Duration = Duration::from_secs(5);
/// Activity is noted in memory this often …
const TOUCH_EVERY_MS: i64 = 2_000;
/// … and in the history this often.
const TOUCH_ROW_EVERY_MS: i64 = 30_000;

/// Reading a state above this size takes long enough to be done elsewhere. Units: bytes.
const LARGE: usize = 1024 * 1024;
/// With this many events behind the newest state, a new one spares whoever attaches reading them all …
const LONG_TAIL: u64 = 2_000;
/// … but the session is not asked more often than this.
const ASK_EVERY_MS: i64 = 60_000;

/// What one batch of events amounts to.
#[derive(Default)]
struct Batch {
    entries: Vec<NewEntry>,
    /// Streams that a durable event of this batch ends.
    ended: Vec<Ends>,
    /// Newest frame of each stream.
    streams: Vec<(String, RawJson)>,
    meta: Vec<MetaEvent>,
    happenings: Vec<What>,
    snapshot: Option<Facts>,
    acknowledge: u64,
}

/// What a snapshot says about its session, besides the transcript.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Facts {
    session_name: Maybe<RawJson>,
    session_file: Maybe<RawJson>,
    model: Maybe<RawJson>,
}

pub async fn take(app: &App, slot: &mut Option<Owned>, out: &Outbox, events: Vec<RelayEvent>) {
    if events.is_empty() {
        return;
    }
    let Some(owned) = slot.as_mut() else {
        refuse(out, "Invalid token");
        return;
    };
    let now = app.clock.now_ms();
    let mut batch = Batch::default();
    for RelayEvent { token, event, seq, .. } in events {
        if token != owned.token {
            if !std::mem::replace(&mut owned.refused, true) {
                refuse(out, "Invalid token");
            }
            continue;
        }
        if let Some(seq) = seq {
            let repeated = owned.resends && seq <= owned.counted;
            owned.counted = owned.counted.max(seq);
            batch.acknowledge = owned.counted;
            if repeated {
                continue;
            }
        }
        let kind = classify::kind(event.get()).into_owned();
        step(app, owned, &kind, event, seq.unwrap_or(0), now, &mut batch).await;
    }
    if let Err(LogError::Fenced { .. }) = commit(app, owned, batch, now).await {
        // Somebody else owns the session now.
        refuse(out, "Invalid token");
        *slot = None;
    }
}

async fn step(app: &App, owned: &mut Owned, kind: &str, event: RawJson, source: u64, now: i64, batch: &mut Batch) {
    match classify::classify(kind, event.get()) {
        Class::Snapshot => {
            owned.assembly = None;
            snapshot(app, owned, event, source, batch).await;
        }
        Class::ChunkHeader => {
            owned.assembly = Assembly::begin(&event, now);
            owned.room.set_assembling(owned.assembly.as_ref().map(Assembly::progress));
        }
        Class::Chunk => {
            let Some(assembly) = owned.assembly.as_mut() else { return };
            match assembly.take(&event, now) {
                Taken::Ignored => {}
                Taken::Progress => owned.room.set_assembling(Some(assembly.progress())),
                Taken::TooLarge => {
                    tracing::warn!(session.id = %owned.session, "a state in pieces is larger than what may be held");
                    owned.assembly = None;
                    owned.room.set_assembling(None);
                }
                Taken::Complete => {
                    let whole = owned.assembly.take().expect("looked at above").finish();
                    snapshot(app, owned, whole, source, batch).await;
                }
            }
        }
        Class::Patch => patch(app, owned, event, source, batch).await,
        Class::Capabilities => {
            if let Ok(said) = event.to::<JsonObject>() {
                let mut changes = JsonObject::new();
                for (from, to) in [("models", "availableModels"), ("commands", "availableCommands")] {
                    if let Some(value) = said.get(from) {
                        changes.insert(to, value.clone());
                    }
                }
                fold_overlay(app, owned, &changes).await;
            }
            batch.stream("capabilities".to_owned(), event);
        }
        Class::Heartbeat => {
            heartbeat(app, owned, &event, now).await;
            batch.stream("heartbeat".to_owned(), event);
        }
        Class::Streamed => {
            if kind == "message_update" {
                owned.clocks.watch(event.get(), now);
            }
            batch.stream(classify::stream_key(kind, event.get()), event);
        }
        Class::Meta => match MetaEvent::from_json(event.get()) {
            Ok(event) => {
                owned.announced.extend(prompt_of(&event));
                batch.meta.push(event);
            }
            Err(error) => tracing::debug!(session.id = %owned.session, kind, %error, "a malformed side-state event"),
        },
        Class::Durable => {
            let event = match kind {
                "message_end" | "turn_end" => owned.clocks.stamp(&event).unwrap_or(event),
                _ => event,
            };
            let event = extract_images(app, owned, event).await;
            happenings(kind, &event, batch);
            batch.end(classify::ends_streams(kind, event.get()));
            batch.entries.push(NewEntry::event(event).counted(source));
        }
    }
}

impl Batch {
    fn stream(&mut self, key: String, event: RawJson) {
        match self.streams.iter_mut().find(|(known, _)| *known == key) {
            Some((_, newest)) => *newest = event,
            None => self.streams.push((key, event)),
        }
    }

    /// A durable event says all that a stream said before it.
    fn end(&mut self, ends: Ends) {
        match &ends {
            Ends::None => return,
            Ends::One(key) => self.streams.retain(|(known, _)| known != key),
            Ends::All => self.streams.retain(|(known, _)| outlives_a_run(known)),
        }
        self.ended.push(ends);
    }
}

fn outlives_a_run(key: &str) -> bool {
    key == "heartbeat" || key == "capabilities"
}

async fn snapshot(app: &App, owned: &mut Owned, event: RawJson, source: u64, batch: &mut Batch) {
    #[derive(Deserialize)]
    struct Active {
        #[serde(default)]
        state: Facts,
    }
    owned.room.set_assembling(None);
    let event = extract_images(app, owned, event).await;
    batch.snapshot = if event.get().len() < LARGE {
        serde_json::from_str::<Active>(event.get()).ok().map(|active| active.state)
    } else {
        let event = event.clone();
        let read = tokio::task::spawn_blocking(move || {
            serde_json::from_str::<Active>(event.get()).ok().map(|active| active.state)
        });
        read.await.ok().flatten()
    };
    owned.last_patch = None;
    batch.end(Ends::All);
    batch.entries.push(NewEntry::snapshot(event).counted(source));
}

/// A metadata update that repeats the last one is a sign of life and nothing more.
async fn patch(app: &App, owned: &mut Owned, event: RawJson, source: u64, batch: &mut Batch) {
    if owned.last_patch.as_ref().is_some_and(|last| last.get() == event.get()) {
        return;
    }
    if let Some(changes) = event.to::<JsonObject>().ok().and_then(|said| said.get_as::<JsonObject>("metadata")) {
        fold_overlay(app, owned, &changes).await;
        let name: Maybe<String> = match changes.get("sessionName") {
            Some(name) => name.to::<Option<String>>().map(Maybe::from).unwrap_or_default(),
            None => Maybe::Absent,
        };
        beat(
            app,
            owned,
            Beat {
                session_name: name.change().map(|name| name.as_deref().and_then(normalize_session_name)),
                session_file: changes.get_as("sessionFile"),
                model: changes.get_as("model"),
                ..Beat::default()
            },
        )
        .await;
        batch.meta.extend(side_state_of(&changes));
    }
    owned.last_patch = Some(event.clone());
    batch.entries.push(NewEntry::event(event).counted(source));
}

/// The side-state events that a metadata update amounts to; those that say nothing new are dropped when they are folded.
fn side_state_of(changes: &JsonObject) -> Vec<MetaEvent> {
    [
        ("model", "model_changed", "model"),
        ("thinkingLevel", "thinking_level_changed", "level"),
        ("todoList", "todo_updated", "todoList"),
        ("goal", "goal_updated", "goal"),
    ]
    .into_iter()
    .filter_map(|(member, kind, as_member)| {
        let value = changes.get(member).filter(|value| member != "model" || value.get() != "null")?;
        let mut event = JsonObject::new();
        event.set("type", kind).ok()?;
        event.insert(as_member, value.clone());
        MetaEvent::from_json(event.to_raw().get()).ok()
    })
    .collect()
}

async fn fold_overlay(app: &App, owned: &Owned, changes: &JsonObject) {
    if let Err(error) = app.live.stores.sessions.patch(&owned.session, owned.epoch, changes).await {
        note(&error, "keep a change of a session's side facts");
    }
}

async fn heartbeat(app: &App, owned: &mut Owned, event: &RawJson, now: i64) {
    let Ok(said) = event.to::<JsonObject>() else { return };
    let slim = said.get_as::<bool>("_slim") == Some(true);
    let name = said.get("sessionName").filter(|_| !slim).and_then(|name| name.to::<Option<String>>().ok());
    let expires_at =
        app.live.stores.sessions.get(&owned.session).await.ok().flatten().filter(|record| record.is_ephemeral);
    beat(
        app,
        owned,
        Beat {
            is_active: Some(said.get_as::<bool>("active").unwrap_or(false)),
            heard_at: Some(now),
            session_name: name.map(|name| name.as_deref().and_then(normalize_session_name)),
            model: said.get_as::<Model>("model"),
            session_file: None,
            expires_at: expires_at.map(|_| now + app.config.sessions.ephemeral_ttl.as_millis() as i64),
        },
    )
    .await;
    match app.live.stores.sessions.fold_heartbeat(&owned.session, owned.epoch, &said).await {
        Ok(Some(state)) => hub::snapshot(app, &owned.user, &owned.session, state),
        Ok(None) => {}
        Err(error) => note(&error, "fold a heartbeat"),
    }
}

async fn beat(app: &App, owned: &Owned, beat: Beat) {
    match app.live.stores.sessions.beat(&owned.session, owned.epoch, beat).await {
        Ok(changed) if changed.listed => hub::status(app, &changed.record),
        Ok(_) => {}
        Err(error) => note(&error, "note a sign of life"),
    }
}

async fn extract_images(app: &App, owned: &Owned, event: RawJson) -> RawJson {
    if !images::may_hold_images(event.get()) {
        return event;
    }
    let user = owned.user.as_str();
    let mut stored = HashMap::new();
    let found = {
        let (event, user) = (event.clone(), user.to_owned());
        tokio::task::spawn_blocking(move || images::find(&event, &user)).await.unwrap_or_default()
    };
    for image in found {
        let size = image.bytes.len();
        match crate::attachments::store_extracted(app, user, owned.session.as_str(), &image.mime, image.bytes.into())
            .await
        {
            Ok(attachment) => {
                stored.insert(image.id, (attachment, size));
            }
            // It stays in the event.
            Err(error) => {
                tracing::warn!(session.id = %owned.session, %error, "failed to keep a picture as an attachment")
            }
        }
    }
    if stored.is_empty() {
        return event;
    }
    let (owned, user) = (event.clone(), user.to_owned());
    tokio::task::spawn_blocking(move || images::replace(&owned, &user, &stored)).await.unwrap_or(event)
}

/// What a durable event may be worth telling a person who is elsewhere.
fn happenings(kind: &str, event: &RawJson, batch: &mut Batch) {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Tool {
        tool_call_id: String,
        tool_name: String,
        #[serde(default)]
        args: RawJson,
    }
    match kind {
        "agent_end" => {
            let text = event.to::<JsonObject>().ok().and_then(|end| end.get_as::<Vec<RawJson>>("messages"));
            let text = text.and_then(|messages| {
                messages.iter().rev().find_map(|message| transcript::assistant_text(message.get(), 300))
            });
            batch.happenings.push(What::AgentFinished { text });
        }
        "cli_error" => {
            let message = event.to::<JsonObject>().ok().and_then(|error| error.get_as("message")).unwrap_or_default();
            batch.happenings.push(What::AgentFailed { message });
        }
        "tool_execution_start" | "tool_execution_end" => {
            let Ok(tool) = event.to::<Tool>() else { return };
            match (kind, tool.tool_name.as_str()) {
                ("tool_execution_start", "AskUserQuestion") => {
                    batch.happenings.push(What::QuestionAsked { tool_call_id: tool.tool_call_id, args: tool.args });
                }
                ("tool_execution_end", "AskUserQuestion") => {
                    batch.happenings.push(What::QuestionOver { tool_call_id: tool.tool_call_id });
                }
                ("tool_execution_start", "plan_mode") => {
                    let title = tool.args.to::<JsonObject>().ok().and_then(|args| args.get_as("title"));
                    batch.happenings.push(What::PlanReady { title });
                }
                _ => {}
            }
        }
        _ => {}
    }
}

async fn commit(app: &App, owned: &mut Owned, batch: Batch, now: i64) -> Result<(), LogError> {
    let Batch { entries, ended, streams, meta, mut happenings, snapshot, acknowledge } = batch;
    // Before the final event is visible: a pump must not send a partial message behind the whole one.
    for ends in &ended {
        match ends {
            Ends::None => {}
            Ends::One(key) => owned.room.end_stream(key),
            Ends::All => owned.room.end_streams(outlives_a_run),
        }
    }
    let written = if entries.is_empty() { Vec::new() } else { append(app, owned, entries).await? };
    if acknowledge > 0 {
        owned
            .handle
            .out
            .emit::<from_server::EventAck>(&EventAck { session_id: owned.session.clone(), seq: acknowledge });
    }
    let head = owned.room.feed.head().seq;
    for (key, event) in streams {
        owned.room.stream(&key, event, head);
    }
    if let Some(facts) = snapshot {
        stored_snapshot(app, owned, facts).await;
    }
    if !meta.is_empty() {
        fold_meta(app, owned, meta).await;
    }
    if !happenings.is_empty() {
        fill_in_last_words(owned, &written, &mut happenings).await;
        if let Ok(Some(record)) = app.live.stores.sessions.get(&owned.session).await {
            for what in happenings {
                app.live.happenings.tell(&record, what);
            }
        }
    }
    ask_for_state(owned, now);
    touch(app, owned, now).await;
    Ok(())
}

/// A state in pieces that stopped coming, or a tail that grew long: ask for a whole state.
fn ask_for_state(owned: &mut Owned, now: i64) {
    let is_stale = owned.assembly.as_ref().is_some_and(|assembly| assembly.is_stale(now));
    if is_stale {
        owned.assembly = None;
        owned.room.set_assembling(None);
    }
    let tail = owned.room.feed.head().seq - owned.room.feed.snapshot().unwrap_or(0);
    if !is_stale && (tail < LONG_TAIL || owned.assembly.is_some() || now - owned.asked_at < ASK_EVERY_MS) {
        return;
    }
    owned.asked_at = now;
    owned
        .handle
        .out
        .emit::<from_server::Connected>(&RelayConnected { recovery_nonce: Some(uuid::Uuid::new_v4().to_string()) });
}

/// Our own sessions leave the messages out of `agent_end`: the newest message before it says what was said last.
async fn fill_in_last_words(owned: &Owned, written: &[std::sync::Arc<Entry>], happenings: &mut [What]) {
    for what in happenings {
        let What::AgentFinished { text: text @ None } = what else { continue };
        let head = owned.room.feed.head().seq;
        let recent = owned.room.feed.recent(head.saturating_sub(50), 50).unwrap_or_else(|| written.to_vec());
        *text = recent.iter().rev().find_map(|entry| {
            if classify::kind(entry.payload.get()) != "message_end" {
                return None;
            }
            let message = entry.payload.to::<JsonObject>().ok()?;
            transcript::assistant_text(message.get("message")?.get(), 300)
        });
    }
}

async fn append(app: &App, owned: &Owned, entries: Vec<NewEntry>) -> Result<Vec<std::sync::Arc<Entry>>, LogError> {
    let began = std::time::Instant::now();
    let count = entries.len() as u64;
    let mut wait = RETRY_FROM;
    let mut entries = entries;
    loop {
        let again: Vec<NewEntry> = match app.live.logs.append(&owned.id, owned.epoch, clone(&entries)).await {
            Ok(written) => {
                app.metrics.histogram("pizzapi_append_seconds", &[]).record(began.elapsed().as_secs_f64());
                app.metrics.counter("pizzapi_events_total", &[("class", "durable")]).increment(count);
                return Ok(written);
            }
            Err(error @ (LogError::Fenced { .. } | LogError::Missing { .. } | LogError::Closed)) => return Err(error),
            Err(LogError::TooLarge { bytes }) => {
                // The rest must not wait for what can never be written; the loss is marked, not hidden.
                tracing::error!(session.id = %owned.session, bytes, "an event is too large for the log");
                entries
                    .into_iter()
                    .map(|entry| {
                        if entry.payload.get().len() > crate::log::MAX_ENTRY_BYTES {
                            discontinuity("an event was too large")
                        } else {
                            entry
                        }
                    })
                    .collect()
            }
            Err(error @ LogError::Io { .. }) => {
                tracing::error!(session.id = %owned.session, %error, "the session waits for its log");
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(RETRY_TO);
                entries
            }
        };
        entries = again;
    }
}

fn clone(entries: &[NewEntry]) -> Vec<NewEntry> {
    entries
        .iter()
        .map(|entry| NewEntry { source_seq: entry.source_seq, kind: entry.kind, payload: entry.payload.clone() })
        .collect()
}

/// An entry that says: something is missing here.
pub fn discontinuity(reason: &str) -> NewEntry {
    let payload = RawJson::from(serde_json::json!({"type": "discontinuity", "reason": reason}));
    NewEntry { source_seq: 0, kind: EntryKind::Discontinuity, payload }
}

async fn stored_snapshot(app: &App, owned: &Owned, facts: Facts) {
    if let Err(error) = app.live.stores.sessions.snapshot_stored(&owned.session, owned.epoch).await {
        note(&error, "note a stored state");
    }
    let name = facts.session_name.change().map(|name| name.and_then(|name| name.to::<String>().ok()));
    let said = Beat {
        session_name: name.map(|name| name.as_deref().and_then(normalize_session_name)),
        session_file: facts.session_file.value().and_then(|file| file.to().ok()),
        model: facts.model.value().and_then(|model| model.to().ok()),
        ..Beat::default()
    };
    beat(app, owned, said).await;
}

/// Fold side-state events and tell those who follow.
pub async fn fold_meta(app: &App, owned: &Owned, events: Vec<MetaEvent>) {
    let versions = match app.live.stores.sessions.fold(&owned.session, owned.epoch, &events).await {
        Ok(versions) => versions,
        Err(error) => return note(&error, "fold side-state events"),
    };
    for (at, version) in versions {
        hub::meta_event(app, &owned.user, &owned.session, version, &events[at]).await;
        decisions::derive(app, &owned.handle, &events[at]).await;
    }
}

async fn touch(app: &App, owned: &mut Owned, now: i64) {
    if now - owned.touched_at < TOUCH_EVERY_MS {
        return;
    }
    owned.touched_at = now;
    if now - owned.row_touched_at < TOUCH_ROW_EVERY_MS {
        return;
    }
    owned.row_touched_at = now;
    let Ok(Some(record)) = app.live.stores.sessions.get(&owned.session).await else { return };
    let expires_at = record.is_ephemeral.then(|| now + app.config.sessions.ephemeral_ttl.as_millis() as i64);
    beat(app, owned, Beat { expires_at, ..Beat::default() }).await;
    let model = record.model.as_ref().and_then(|model| serde_json::to_string(model).ok());
    let head = owned.room.feed.head().seq as i64;
    let sessions = app.db.sessions();
    let touched =
        sessions.touch(record.session_id.as_str(), &record.life, head, model.as_deref(), now, expires_at).await;
    let named = match &record.session_name {
        Some(name) => sessions.suggest_name(record.session_id.as_str(), Some(name)).await,
        None => Ok(()),
    };
    if let Err(error) = touched.and(named) {
        crate::socket::log_db(&error, "note a session's activity");
    }
}

/// Something did not fit into the mailbox and cannot be sent again: say so in the log, and ask for the whole state.
pub async fn note_loss(app: &App, owned: &mut Owned) {
    tracing::warn!(session.id = %owned.session, "events of a session were left out; asking for its whole state");
    app.metrics.count("pizzapi_events_dropped_total", &[("reason", "mailbox_full")]);
    if let Err(error) = append(app, owned, vec![discontinuity("events were left out")]).await {
        tracing::error!(session.id = %owned.session, %error, "failed to mark a gap");
    }
    if let Err(error) = app.live.stores.sessions.set_needs_snapshot(&owned.session, owned.epoch).await {
        note(&error, "note that a session's log has a gap");
    }
    owned
        .handle
        .out
        .emit::<from_server::Connected>(&RelayConnected { recovery_nonce: Some(uuid::Uuid::new_v4().to_string()) });
}

fn note(error: &StoreError, doing: &'static str) {
    match error {
        // A newer owner is found out when the next event is appended.
        StoreError::Fenced(_) | StoreError::Missing(_) => tracing::debug!(%error, "too late to {doing}"),
        error => log_store(error, doing),
    }
}

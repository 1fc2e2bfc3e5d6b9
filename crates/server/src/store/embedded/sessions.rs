//! Sessions in memory, each with a file beside its log so that a restart finds it.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use pizzapi_protocol::meta::Applied;
use pizzapi_protocol::{JsonObject, Maybe, MetaEvent, RunnerId, SessionId, SessionMetaState, UserId};

use crate::core::lifecycle::Presence;
use crate::core::overlay;
use crate::log::{Epoch, Logs};
use crate::store::StoreError;
use crate::store::session::{
    Beat, Changed, Claim, Claimed, DELINK_KEPT_MS, Life, Link, LinkState, SessionRecord, SessionStore,
};

const FILE: &str = "session.json";
/// Files written at the same time.
const LANES: usize = 16;
/// A runner link of a session that never registers is forgotten when there are this many.
const MAX_PENDING_LINKS: usize = 10_000;

pub struct Sessions {
    logs: Logs,
    state: Mutex<State>,
    /// Registrations of one session, one after the other.
    claims: dashmap::DashMap<SessionId, Arc<tokio::sync::Mutex<()>>>,
    /// Writers of one file take turns, and note what they wrote.
    lanes: [tokio::sync::Mutex<HashMap<SessionId, u64>>; LANES],
}

#[derive(Default)]
struct State {
    live: HashMap<SessionId, Slot>,
    /// Runner links that came before the registration.
    pending_runner: HashMap<SessionId, (RunnerId, Option<String>)>,
}

struct Slot {
    record: Arc<SessionRecord>,
    dirty: bool,
}

impl Sessions {
    /// Find the sessions that had not ended when the process stopped.
    pub async fn open(logs: Logs) -> Result<Self, StoreError> {
        let dir = logs.dir().to_owned();
        let records = blocking("read the sessions", move || scan(&dir)).await?;
        let live = records
            .into_iter()
            .filter(|record| !record.is_ended())
            .map(|record| (record.session_id.clone(), Slot { record: Arc::new(record), dirty: false }))
            .collect();
        let state = State { live, ..State::default() };
        Ok(Self { logs, state: Mutex::new(state), claims: dashmap::DashMap::new(), lanes: Default::default() })
    }

    fn file(&self, id: &SessionId) -> PathBuf {
        self.logs.folder(id.as_str()).join(FILE)
    }

    async fn load(&self, id: &SessionId) -> Result<Option<SessionRecord>, StoreError> {
        let (file, id) = (self.file(id), id.clone());
        let record = blocking("read a session", move || read(&file)).await?;
        Ok(record.filter(|record| record.session_id == id))
    }

    /// Write the record so that it survives a power cut.
    async fn save(&self, record: Arc<SessionRecord>) -> Result<(), StoreError> {
        self.store(record, true).await
    }

    async fn store(&self, record: Arc<SessionRecord>, sync: bool) -> Result<(), StoreError> {
        let (file, id, revision) = (self.file(&record.session_id), record.session_id.clone(), record.revision);
        let mut hash = std::hash::DefaultHasher::new();
        id.hash(&mut hash);
        let mut written = self.lanes[hash.finish() as usize % LANES].lock().await;
        if written.get(&id).is_some_and(|written| *written > revision) {
            return Ok(());
        }
        blocking("write a session", move || write(&file, &record, sync)).await?;
        if self.in_memory(&id).is_some() {
            written.insert(id, revision);
        } else {
            written.remove(&id);
        }
        Ok(())
    }

    fn live(&self, id: &SessionId) -> Option<Arc<SessionRecord>> {
        self.in_memory(id).filter(|record| !record.is_ended())
    }

    /// Live, or ended and not written yet.
    fn in_memory(&self, id: &SessionId) -> Option<Arc<SessionRecord>> {
        self.state.lock().live.get(id).map(|slot| slot.record.clone())
    }

    async fn find(&self, id: &SessionId) -> Result<Option<Arc<SessionRecord>>, StoreError> {
        match self.in_memory(id) {
            Some(record) => Ok(Some(record)),
            None => Ok(self.load(id).await?.map(Arc::new)),
        }
    }

    fn select(&self, keep: impl Fn(&SessionRecord) -> bool) -> Vec<Arc<SessionRecord>> {
        let state = self.state.lock();
        let mut list: Vec<_> = state
            .live
            .values()
            .map(|slot| &slot.record)
            .filter(|record| !record.is_ended() && keep(record))
            .cloned()
            .collect();
        list.sort_by(|a, b| (a.started_at, &a.session_id).cmp(&(b.started_at, &b.session_id)));
        list
    }

    /// Change a live record; `epoch` must be the newest claim when it is given.
    fn change<T>(
        &self,
        id: &SessionId,
        epoch: Option<Epoch>,
        change: impl FnOnce(&mut SessionRecord) -> T,
    ) -> Result<(Arc<SessionRecord>, T), StoreError> {
        let mut state = self.state.lock();
        let slot = state
            .live
            .get_mut(id)
            .filter(|slot| !slot.record.is_ended())
            .ok_or_else(|| StoreError::Missing(id.to_string()))?;
        if epoch.is_some_and(|epoch| epoch != slot.record.epoch) {
            return Err(StoreError::Fenced(id.to_string()));
        }
        let record = Arc::make_mut(&mut slot.record);
        record.revision += 1;
        let outcome = change(record);
        slot.dirty = true;
        Ok((slot.record.clone(), outcome))
    }

    /// Which parent the child gets, and what becomes of its link.
    async fn link(&self, claim: &Claim, former: Option<&SessionRecord>) -> Result<Linked, StoreError> {
        let stored = former.and_then(|former| former.link.clone());
        let wanted = match &claim.parent {
            Maybe::Value(parent) if !parent.is_empty() => Some(parent.clone()),
            // The child began a new conversation of its own.
            Maybe::Null => return Ok(Linked { link: None, ..Linked::default() }),
            Maybe::Absent | Maybe::Value(_) => stored.as_ref().map(|link| link.parent.clone()),
        };
        let Some(parent) = wanted else { return Ok(Linked { link: stored, ..Linked::default() }) };
        let record = self.find(&parent).await?.map(|record| {
            let is_live = !record.is_ended();
            (record, is_live)
        });
        if record.as_ref().is_some_and(|(record, _)| record.user_id != claim.user_id) {
            return Ok(Linked::default());
        }
        let same = stored.as_ref().filter(|link| link.parent == parent);
        let cut_by_child_record = same.is_some_and(|link| match link.state {
            LinkState::Linked => false,
            LinkState::Delinking { at } | LinkState::Delinked { at } => claim.now - at < DELINK_KEPT_MS,
        });
        let cut_while_away = same.is_some_and(|link| {
            record
                .as_ref()
                .is_some_and(|(record, _)| record.delinked_before > 0 && link.since <= record.delinked_before)
        });
        if cut_by_child_record || cut_while_away {
            return Ok(Linked { was_delinked: true, ..Linked::default() });
        }
        let since = same.map_or(claim.now, |link| link.since);
        let link = Some(Link { parent: parent.clone(), since, state: LinkState::Linked });
        let is_live = record.is_some_and(|(_, live)| live);
        Ok(Linked {
            link,
            was_delinked: false,
            newly: (is_live && same.is_none()).then(|| parent.clone()),
            parent: is_live.then_some(parent),
        })
    }
}

#[derive(Default)]
struct Linked {
    link: Option<Link>,
    was_delinked: bool,
    newly: Option<SessionId>,
    parent: Option<SessionId>,
}

#[async_trait]
impl SessionStore for Sessions {
    async fn claim(&self, mut claim: Claim) -> Result<Claimed, StoreError> {
        let fresh = || SessionId::from(uuid::Uuid::new_v4().to_string());
        let mut id = claim.session_id.clone().filter(|id| !id.is_empty()).unwrap_or_else(fresh);
        let lock = self.claims.entry(id.clone()).or_default().clone();
        let mut serial = lock.lock_owned().await;
        let mut former = self.find(&id).await?;
        let owner =
            former.as_ref().map(|former| &former.user_id).or(claim.history.as_ref().map(|history| &history.user_id));
        if owner.is_some_and(|owner| *owner != claim.user_id) {
            id = fresh();
            former = None;
            claim.history = None;
            serial = self.claims.entry(id.clone()).or_default().clone().lock_owned().await;
        }
        let linked = self.link(&claim, former.as_deref()).await?;
        // The log first: from here on nobody else writes, whatever happens to the record.
        let log = self.logs.claim(id.as_str()).await?;
        let pending = self.state.lock().pending_runner.remove(&id);
        let history = claim.history;
        let life = match &former {
            None if history.is_some() => Life::Revived,
            None => Life::New,
            Some(former) if former.is_ended() => Life::Revived,
            Some(_) => Life::TakenOver,
        };
        let kept = former.as_deref();
        let same_life = if life == Life::TakenOver { kept } else { None };
        let runner =
            pending.or_else(|| kept.and_then(|kept| Some((kept.runner_id.clone()?, kept.runner_name.clone()))));
        let runner = runner
            .or_else(|| history.as_ref().and_then(|known| Some((known.runner_id.clone()?, known.runner_name.clone()))));
        let (runner_id, runner_name) = runner.unzip();
        let mut meta = kept.map(|kept| kept.meta.clone()).unwrap_or_default();
        if life != Life::TakenOver {
            // Versions only grow, or clients that saw the former life would ignore this one.
            meta =
                SessionMetaState { version: meta.version + u64::from(kept.is_some()), ..SessionMetaState::default() };
        }
        let record = Arc::new(SessionRecord {
            share_url: format!("{}/session/{id}", claim.base_url),
            session_id: id.clone(),
            user_id: claim.user_id,
            user_name: claim.user_name,
            cwd: claim.cwd,
            started_at: kept
                .map(|kept| kept.started_at)
                .or(history.as_ref().map(|known| known.started_at))
                .unwrap_or(claim.now),
            session_name: claim
                .session_name
                .or_else(|| kept.and_then(|kept| kept.session_name.clone()))
                .or_else(|| history.as_ref().and_then(|known| known.session_name.clone())),
            is_ephemeral: claim.is_ephemeral,
            collab_mode: claim.collab_mode,
            life: same_life.map(|kept| kept.life.clone()).unwrap_or_else(|| uuid::Uuid::new_v4().to_string()),
            epoch: log.epoch,
            presence: Presence::Online,
            is_active: same_life.is_some_and(|kept| kept.is_active),
            last_heartbeat_at: same_life.and_then(|kept| kept.last_heartbeat_at),
            last_active_at: claim.now,
            last_input_at: kept.and_then(|kept| kept.last_input_at),
            expires_at: claim.expires_at,
            model: same_life.and_then(|kept| kept.model.clone()),
            runner_id,
            runner_name: runner_name.flatten(),
            session_file: claim.session_file.or_else(|| kept.and_then(|kept| kept.session_file.clone())),
            link: linked.link,
            delinked_before: kept.map_or(0, |kept| kept.delinked_before),
            capabilities: claim.capabilities,
            needs_snapshot: kept.is_some_and(|kept| kept.needs_snapshot),
            meta,
            overlay: kept.map(|kept| kept.overlay.clone()).unwrap_or_default(),
            ended_at: None,
            revision: kept.map_or(1, |kept| kept.revision + 1_000),
        });
        self.save(record.clone()).await?;
        self.state.lock().live.insert(id.clone(), Slot { record: record.clone(), dirty: false });
        drop(serial);
        Ok(Claimed {
            record,
            life,
            earlier: log.earlier,
            feed: log.feed,
            was_delinked: linked.was_delinked,
            newly_linked: linked.newly,
            parent: linked.parent,
        })
    }

    async fn get(&self, id: &SessionId) -> Result<Option<Arc<SessionRecord>>, StoreError> {
        Ok(self.live(id))
    }

    async fn recall(&self, id: &SessionId) -> Result<Option<Arc<SessionRecord>>, StoreError> {
        self.find(id).await
    }

    async fn of_user(&self, user: &UserId) -> Result<Vec<Arc<SessionRecord>>, StoreError> {
        Ok(self.select(|record| record.user_id == *user))
    }

    async fn all(&self) -> Result<Vec<Arc<SessionRecord>>, StoreError> {
        Ok(self.select(|_| true))
    }

    async fn of_runner(&self, runner: &RunnerId) -> Result<Vec<Arc<SessionRecord>>, StoreError> {
        Ok(self.select(|record| record.runner_id.as_ref() == Some(runner)))
    }

    async fn children(&self, parent: &SessionId) -> Result<Vec<Arc<SessionRecord>>, StoreError> {
        Ok(self.select(|record| record.link.as_ref().is_some_and(|link| link.parent == *parent)))
    }

    async fn beat(&self, id: &SessionId, epoch: Epoch, beat: Beat) -> Result<Changed, StoreError> {
        let (record, listed) = self.change(id, Some(epoch), |record| {
            let before = (record.is_active, record.session_name.clone(), record.model.clone());
            if let Some(active) = beat.is_active {
                record.is_active = active;
            }
            if let Some(at) = beat.heard_at {
                record.last_heartbeat_at = Some(at);
                record.last_active_at = at;
            }
            if let Some(name) = beat.session_name {
                record.session_name = name;
            }
            if let Some(model) = beat.model {
                record.model = Some(model.info());
            }
            if let Some(file) = beat.session_file {
                record.session_file = Some(file);
            }
            if beat.expires_at.is_some() {
                record.expires_at = beat.expires_at;
            }
            before != (record.is_active, record.session_name.clone(), record.model.clone())
        })?;
        Ok(Changed { record, listed })
    }

    async fn fold(&self, id: &SessionId, epoch: Epoch, events: &[MetaEvent]) -> Result<Vec<(usize, u64)>, StoreError> {
        let (_, versions) = self.change(id, Some(epoch), |record| {
            let mut versions = Vec::new();
            for (at, event) in events.iter().enumerate() {
                if record.meta.apply(event) == Applied::Changed {
                    versions.push((at, record.meta.version));
                }
            }
            versions
        })?;
        Ok(versions)
    }

    async fn fold_heartbeat(
        &self,
        id: &SessionId,
        epoch: Epoch,
        heartbeat: &JsonObject,
    ) -> Result<Option<SessionMetaState>, StoreError> {
        let (record, applied) = self.change(id, Some(epoch), |record| record.meta.apply_heartbeat(heartbeat))?;
        Ok((applied == Applied::Changed).then(|| record.meta.clone()))
    }

    async fn patch(&self, id: &SessionId, epoch: Epoch, changes: &JsonObject) -> Result<bool, StoreError> {
        Ok(self.change(id, Some(epoch), |record| overlay::fold(&mut record.overlay, changes))?.1)
    }

    async fn snapshot_stored(&self, id: &SessionId, epoch: Epoch) -> Result<(), StoreError> {
        self.change(id, Some(epoch), |record| {
            record.overlay = JsonObject::new();
            record.needs_snapshot = false;
        })?;
        Ok(())
    }

    async fn set_needs_snapshot(&self, id: &SessionId, epoch: Epoch) -> Result<(), StoreError> {
        self.change(id, Some(epoch), |record| record.needs_snapshot = true)?;
        Ok(())
    }

    async fn set_presence(
        &self,
        id: &SessionId,
        epoch: Epoch,
        presence: Presence,
    ) -> Result<Option<Arc<SessionRecord>>, StoreError> {
        let changed = self.change(id, Some(epoch), |record| {
            record.presence = presence;
            if matches!(presence, Presence::Offline { .. }) {
                record.is_active = false;
            }
        });
        match changed {
            Ok((record, ())) => Ok(Some(record)),
            Err(StoreError::Missing(_) | StoreError::Fenced(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn link_runner(
        &self,
        id: &SessionId,
        runner: &RunnerId,
        name: Option<&str>,
    ) -> Result<Option<Arc<SessionRecord>>, StoreError> {
        let linked = self.change(id, None, |record| {
            record.runner_id = Some(runner.clone());
            record.runner_name = name.map(str::to_owned);
        });
        match linked {
            Ok((record, ())) => Ok(Some(record)),
            Err(StoreError::Missing(_)) => {
                let mut state = self.state.lock();
                if state.pending_runner.len() >= MAX_PENDING_LINKS {
                    state.pending_runner.clear();
                }
                state.pending_runner.insert(id.clone(), (runner.clone(), name.map(str::to_owned)));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn unlink_runner(&self, id: &SessionId, runner: &RunnerId) -> Result<(), StoreError> {
        self.state.lock().pending_runner.remove(id);
        let unlinked = self.change(id, None, |record| {
            if record.runner_id.as_ref() == Some(runner) {
                record.runner_id = None;
                record.runner_name = None;
            }
        });
        match unlinked {
            Ok(_) | Err(StoreError::Missing(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn set_link(&self, child: &SessionId, link: Option<Link>) -> Result<(), StoreError> {
        match self.change(child, None, |record| record.link.clone_from(&link)) {
            Err(StoreError::Missing(_)) => {
                // The child is away: its record on disk must know, or its return would tie it again.
                if let Some(mut record) = self.load(child).await? {
                    record.link = link;
                    record.revision += 1;
                    self.save(Arc::new(record)).await?;
                }
                Ok(())
            }
            Err(error) => Err(error),
            Ok((record, ())) => self.save(record).await,
        }
    }

    async fn delink_before(&self, parent: &SessionId, before: i64) -> Result<(), StoreError> {
        let (record, ()) =
            self.change(parent, None, |record| record.delinked_before = record.delinked_before.max(before))?;
        self.save(record).await
    }

    async fn rename(&self, id: &SessionId, name: Option<&str>) -> Result<Option<Arc<SessionRecord>>, StoreError> {
        match self.change(id, None, |record| record.session_name = name.map(str::to_owned)) {
            Ok((record, ())) => Ok(Some(record)),
            Err(StoreError::Missing(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn said_something(&self, id: &SessionId, at: i64) -> Result<(), StoreError> {
        self.change(id, None, |record| record.last_input_at = Some(at))?;
        Ok(())
    }

    async fn end(
        &self,
        id: &SessionId,
        epoch: Option<Epoch>,
        now: i64,
    ) -> Result<Option<Arc<SessionRecord>>, StoreError> {
        let ended = {
            let mut state = self.state.lock();
            let Some(slot) = state.live.get_mut(id).filter(|slot| !slot.record.is_ended()) else { return Ok(None) };
            if epoch.is_some_and(|epoch| epoch != slot.record.epoch) {
                return Ok(None);
            }
            slot.dirty = false;
            let record = Arc::make_mut(&mut slot.record);
            record.ended_at = Some(now);
            record.revision += 1;
            record.is_active = false;
            record.presence = Presence::Offline { since: now };
            slot.record.clone()
        };
        // Whoever looks meanwhile finds it in memory, as ended; after this, on disk.
        self.save(ended.clone()).await?;
        let mut state = self.state.lock();
        if state.live.get(id).is_some_and(|slot| slot.record.is_ended() && slot.record.epoch == ended.epoch) {
            state.live.remove(id);
        }
        Ok(Some(ended))
    }

    async fn forget(&self, id: &SessionId) -> Result<(), StoreError> {
        if self.in_memory(id).is_some() {
            return Ok(());
        }
        self.claims.remove(id);
        self.logs.remove(id.as_str()).await?;
        Ok(())
    }

    async fn flush(&self) -> Result<(), StoreError> {
        self.claims.retain(|_, lock| Arc::strong_count(lock) > 1);
        let dirty: Vec<_> = {
            let mut state = self.state.lock();
            state
                .live
                .values_mut()
                .filter(|slot| slot.dirty)
                .map(|slot| {
                    slot.dirty = false;
                    slot.record.clone()
                })
                .collect()
        };
        for record in dirty {
            let id = record.session_id.clone();
            // Names and lights: worth a write, not worth a sync for each.
            if let Err(error) = self.store(record, false).await {
                if let Some(slot) = self.state.lock().live.get_mut(&id) {
                    slot.dirty = true;
                }
                return Err(error);
            }
        }
        Ok(())
    }
}

async fn blocking<T: Send + 'static>(
    action: &'static str,
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(std::io::Error::other(error)))
        .map_err(|source| StoreError::Io { action, source })
}

fn scan(dir: &Path) -> std::io::Result<Vec<SessionRecord>> {
    let mut found = Vec::new();
    for folder in std::fs::read_dir(dir)? {
        let file = folder?.path().join(FILE);
        match read(&file) {
            Ok(Some(record)) => found.push(record),
            Ok(None) => {}
            // One damaged record must not keep the others from being served.
            Err(error) => tracing::error!(file = %file.display(), %error, "failed to read a session"),
        }
    }
    Ok(found)
}

fn read(file: &Path) -> std::io::Result<Option<SessionRecord>> {
    match std::fs::read_to_string(file) {
        Ok(text) => serde_json::from_str(&text).map(Some).map_err(std::io::Error::other),
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Replace the file in one step: a crash leaves the old record or the new one.
fn write(file: &Path, record: &SessionRecord, sync: bool) -> std::io::Result<()> {
    let folder = file.parent().expect("a session's file lies in its folder");
    std::fs::create_dir_all(folder)?;
    let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
    serde_json::to_writer(std::io::BufWriter::new(&mut temporary), record).map_err(std::io::Error::other)?;
    temporary.flush()?;
    if sync {
        temporary.as_file().sync_data()?;
    }
    temporary.persist(file).map_err(|error| error.error)?;
    Ok(())
}

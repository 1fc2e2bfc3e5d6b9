//! Triggers: something happened elsewhere, and a session, a new one, or all subscribers of a runner are told.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State};
use http::{HeaderMap, StatusCode};
use pizzapi_protocol::runner::NewSession;
use pizzapi_protocol::{
    DeliverAs, FilterMode, ModelInfo, RawJson, RunnerId, ServiceAnnounce, ServiceTriggerDef, SessionId,
    SubscriptionAction, Trigger, TriggerFilter, UserId,
};
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;

use super::error::ApiError;
use super::extract::{Fields, KeyFirst, KeyOnly, MaybeFields, Signed};
use super::runner_access::own;
use super::{sessions, trigger_rules as rules};
use crate::app::App;
use crate::auth::Principal;
use crate::clock::iso;
use crate::core::lifecycle::Presence;
use crate::db::triggers::Subscription;
use crate::socket::api::{self, Triggered};
use crate::socket::spawn::Started;
use crate::store::RunnerRecord;

/// Ids of runner listeners in the place of a session's id.
const LISTENER: &str = "runner-listener:";
/// Largest payload of a trigger. Units: bytes.
const MAX_PAYLOAD: usize = 256 * 1024;
const MAX_HISTORY: u32 = 200;
/// How long a started session may take to be there.
const SPAWN_WAIT: Duration = Duration::from_secs(10);
const REGISTER_WAIT: Duration = Duration::from_secs(15);
/// Sessions one broadcast starts at a time.
const SPAWNS_AT_ONCE: usize = 4;

type Answer = Result<Json<Value>, ApiError>;

// Into a session

/// `POST /api/sessions/:id/trigger`
pub async fn fire(
    State(app): State<App>,
    KeyFirst(principal): KeyFirst,
    Path(id): Path<String>,
    headers: HeaderMap,
    MaybeFields(body): MaybeFields,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let happening = Happening::read(&body, &headers, DeliverAs::Steer, "api")?;
    if let Some(listener) = id.strip_prefix(LISTENER) {
        return fire_listener(&app, &principal, listener, happening).await;
    }
    let waking = |wakes: bool| {
        let message = if wakes { "Session is being resumed" } else { "Session is not connected" };
        let error = ApiError::unavailable(message).code("offline");
        if wakes { error.with("waking", true) } else { error }
    };
    let wake = body.flag("wakeSession").unwrap_or(false);
    let Some(record) = sessions::live(&app, &principal, &id).await? else {
        let wakes = wake && wake_up(&app, &principal, &id).await?;
        return Err(if wakes { waking(true) } else { sessions::missing() });
    };
    let queues = body.flag("queue").unwrap_or(false) || matches!(record.presence, Presence::Reconnecting { .. });
    if matches!(record.presence, Presence::Offline { .. }) && !queues {
        let wakes = wake && wake_up(&app, &principal, &id).await?;
        return Err(waking(wakes));
    }
    let trigger_id = happening.id.clone();
    match api::trigger(&app, &principal.user_id, &id, happening.trigger()).await? {
        Triggered::Delivered => Ok((StatusCode::OK, Json(json!({ "ok": true, "triggerId": trigger_id })))),
        Triggered::Queued => {
            Ok((StatusCode::ACCEPTED, Json(json!({ "ok": true, "triggerId": trigger_id, "state": "queued" }))))
        }
        Triggered::NotFound => Err(sessions::missing()),
        Triggered::Refused(message) => Err(ApiError::new(StatusCode::BAD_GATEWAY, message).code("refused")),
    }
}

/// Ask the runner of an ended or absent session to resume it. Says whether somebody is on it.
async fn wake_up(app: &App, principal: &Principal, id: &str) -> Result<bool, ApiError> {
    let user = UserId::from(principal.user_id.as_str());
    let session = SessionId::from(id);
    if app.live.spawns.is_expected(&user, &session) {
        return Ok(true);
    }
    let Some(row) = app.db.sessions().of_user(id, &principal.user_id).await? else { return Ok(false) };
    let Some(runner) = row.runner_id else { return Ok(false) };
    let request = NewSession {
        session_id: session.clone(),
        cwd: Some(row.cwd).filter(|cwd| !cwd.is_empty()),
        resume_id: Some(session),
        ..blank()
    };
    // Ownership of the runner is checked there; one that is away cannot wake anybody.
    match api::spawn(app, &principal.user_id, &runner, request, SPAWN_WAIT).await {
        Ok((_, Started::Accepted | Started::Pending)) => Ok(true),
        Ok((_, Started::Failed(message))) => {
            tracing::info!(session.id = id, message, "a session could not be resumed");
            Ok(false)
        }
        Err(error) => {
            tracing::info!(session.id = id, %error, "a session could not be resumed");
            Ok(false)
        }
    }
}

fn blank() -> NewSession {
    NewSession {
        session_id: SessionId::default(),
        cwd: None,
        prompt: None,
        image_urls: None,
        model: None,
        skills: None,
        hidden_models: None,
        agent: None,
        parent_session_id: None,
        resume_path: None,
        resume_id: None,
        auto_close: None,
    }
}

/// What happened, as a caller tells it.
#[derive(Clone)]
struct Happening {
    id: String,
    kind: String,
    payload: Map<String, Value>,
    deliver_as: DeliverAs,
    expects_response: bool,
    source: String,
    summary: Option<String>,
}

impl Happening {
    fn read(body: &Fields, headers: &HeaderMap, deliver_as: DeliverAs, source: &str) -> Result<Self, ApiError> {
        let kind = body.words("type").ok_or_else(|| ApiError::bad_request("Missing or invalid 'type' field"))?;
        let payload =
            body.object("payload").ok_or_else(|| ApiError::bad_request("Missing or invalid 'payload' field"))?;
        let deliver_as = match body.0.get("deliverAs") {
            None | Some(Value::Null) => deliver_as,
            Some(word) => word
                .as_str()
                .and_then(DeliverAs::from_word)
                .ok_or_else(|| ApiError::bad_request("deliverAs must be steer or followUp"))?,
        };
        if serde_json::to_string(payload).map_or(0, |text| text.len()) > MAX_PAYLOAD {
            return Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "payload is too large").code("too_large"));
        }
        let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok()).or_else(|| body.words("eventId"));
        let key = key.filter(|key| (1..=128).contains(&key.len()));
        Ok(Self {
            id: format!("ext_{}", key.map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_owned)),
            kind: kind.to_owned(),
            payload: payload.clone(),
            deliver_as,
            expects_response: body.flag("expectsResponse").unwrap_or(false),
            source: body.words("source").unwrap_or(source).to_owned(),
            summary: body.words("summary").map(str::to_owned),
        })
    }

    fn trigger(&self) -> Trigger {
        Trigger {
            kind: self.kind.clone(),
            source_session_id: format!("external:{}", self.source).into(),
            source_session_name: self.summary.clone(),
            target_session_id: SessionId::default(),
            payload: RawJson::new(&self.payload).unwrap_or_default(),
            deliver_as: self.deliver_as,
            expects_response: self.expects_response,
            trigger_id: self.id.as_str().into(),
            timeout_ms: None,
            ts: String::new(),
        }
    }
}

pub async fn history(
    State(app): State<App>,
    KeyFirst(principal): KeyFirst,
    Path(id): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Answer {
    known(&app, &principal, &id).await?;
    let limit = query.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(50).clamp(1, MAX_HISTORY);
    let entries = app.db.triggers().history(&id, limit).await?;
    let entries: Vec<Value> = entries.iter().filter_map(|entry| serde_json::from_str(entry).ok()).collect();
    Ok(Json(json!({ "triggers": entries })))
}

pub async fn clear_history(State(app): State<App>, KeyFirst(principal): KeyFirst, Path(id): Path<String>) -> Answer {
    known(&app, &principal, &id).await?;
    app.db.triggers().clear_history(&id).await?;
    api::history_cleared(&app, &id);
    Ok(Json(json!({ "ok": true })))
}

/// What is known of a session of the asker, live or ended.
struct Known {
    runner_id: Option<String>,
    cwd: String,
}

async fn known(app: &App, principal: &Principal, id: &str) -> Result<Known, ApiError> {
    if let Some(record) = sessions::live(app, principal, id).await? {
        return Ok(Known { runner_id: record.runner_id.as_ref().map(ToString::to_string), cwd: record.cwd.clone() });
    }
    let row = app.db.sessions().of_user(id, &principal.user_id).await?.ok_or_else(sessions::missing)?;
    Ok(Known { runner_id: row.runner_id, cwd: row.cwd })
}

// What can be subscribed to

/// The runner of a session with its announced services.
async fn runner_of(app: &App, principal: &Principal, session: &Known) -> Result<Option<Arc<RunnerRecord>>, ApiError> {
    let Some(id) = &session.runner_id else { return Ok(None) };
    let record = app.live.stores.runners.get(&RunnerId::from(id.as_str())).await?;
    Ok(record.filter(|record| record.user_id.as_str() == principal.user_id))
}

fn offered(services: Option<&ServiceAnnounce>, cwd: &str) -> Vec<ServiceTriggerDef> {
    let Some(services) = services else { return Vec::new() };
    let modes = services.session_modes.as_deref().unwrap_or_default();
    let defs = services.trigger_defs.as_deref().unwrap_or_default();
    defs.iter().filter(|def| rules::is_in_scope(def, modes, cwd)).cloned().collect()
}

pub async fn available_triggers(
    State(app): State<App>,
    KeyFirst(principal): KeyFirst,
    Path(id): Path<String>,
) -> Answer {
    let session = known(&app, &principal, &id).await?;
    let runner = runner_of(&app, &principal, &session).await?;
    let defs = offered(runner.as_ref().and_then(|runner| runner.services.as_ref()), &session.cwd);
    Ok(Json(json!({ "triggerDefs": defs })))
}

pub async fn available_sigils(State(app): State<App>, KeyFirst(principal): KeyFirst, Path(id): Path<String>) -> Answer {
    let session = known(&app, &principal, &id).await?;
    let runner = runner_of(&app, &principal, &session).await?;
    let sigils = runner.and_then(|runner| runner.services.as_ref()?.sigil_defs.clone()).unwrap_or_default();
    Ok(Json(json!({ "sigilDefs": sigils })))
}

// Subscriptions of a session

pub async fn subscriptions(State(app): State<App>, KeyFirst(principal): KeyFirst, Path(id): Path<String>) -> Answer {
    known(&app, &principal, &id).await?;
    let rows = app.db.triggers().of_session(&id).await?;
    let list: Vec<Value> = rows.iter().filter(|row| row.user_id == principal.user_id).map(subscription_json).collect();
    Ok(Json(json!({ "subscriptions": list })))
}

pub async fn subscribe(
    State(app): State<App>,
    KeyFirst(principal): KeyFirst,
    Path(id): Path<String>,
    MaybeFields(body): MaybeFields,
) -> Answer {
    let kind =
        body.words("triggerType").ok_or_else(|| ApiError::bad_request("Missing or invalid 'triggerType' field"))?;
    let record = sessions::live(&app, &principal, &id).await?.ok_or_else(sessions::missing)?;
    let session = Known { runner_id: record.runner_id.as_ref().map(ToString::to_string), cwd: record.cwd.clone() };
    let Some(runner_id) = session.runner_id.clone() else {
        return Err(unprocessable("Session has no runner"));
    };
    let runner = runner_of(&app, &principal, &session).await?;
    let document = checked(runner.as_deref(), kind, Some(&session.cwd), &body, &Map::new())?;
    let subscription = Subscription {
        id: uuid::Uuid::new_v4().to_string(),
        user_id: principal.user_id,
        session_id: id,
        runner_id,
        trigger_type: kind.to_owned(),
        document: Value::Object(document).to_string(),
        updated_at: app.clock.now_ms(),
    };
    app.db.triggers().subscribe(&subscription).await?;
    api::subscription_changed(&app, &subscription, SubscriptionAction::Subscribe);
    let mut answer = subscription_json(&subscription);
    answer["ok"] = json!(true);
    Ok(Json(answer))
}

pub async fn update_subscription(
    State(app): State<App>,
    KeyFirst(principal): KeyFirst,
    Path((id, target)): Path<(String, String)>,
    Query(query): Query<HashMap<String, String>>,
    MaybeFields(body): MaybeFields,
) -> Answer {
    if let Some(listener) = id.strip_prefix(LISTENER) {
        return change_listener(&app, &principal, None, listener, &body).await;
    }
    let session = known(&app, &principal, &id).await?;
    let wanted = query.get("subscriptionId").unwrap_or(&target);
    let rows = app.db.triggers().of_session(&id).await?;
    let mut rows = rows.into_iter().filter(|row| row.user_id == principal.user_id);
    let found = rows.find(|row| row.id == *wanted || row.trigger_type == *wanted);
    let mut row = found.ok_or_else(|| ApiError::not_found("Not subscribed to this trigger"))?;
    let runner = runner_of(&app, &principal, &session).await?;
    // Checked as what it is, whichever way it was named.
    let known_before = document(&row);
    let changed = checked(runner.as_deref(), &row.trigger_type, Some(&session.cwd), &body, &known_before)?;
    row.document = Value::Object(changed).to_string();
    row.updated_at = app.clock.now_ms();
    if !app.db.triggers().subscribe(&row).await? {
        return Err(ApiError::not_found("Not subscribed to this trigger"));
    }
    api::subscription_changed(&app, &row, SubscriptionAction::Update);
    let mut answer = subscription_json(&row);
    answer["ok"] = json!(true);
    Ok(Json(answer))
}

pub async fn unsubscribe(
    State(app): State<App>,
    KeyFirst(principal): KeyFirst,
    Path((id, target)): Path<(String, String)>,
    Query(query): Query<HashMap<String, String>>,
) -> Answer {
    if let Some(listener) = id.strip_prefix(LISTENER) {
        let removed = match app.db.triggers().listener(&principal.user_id, listener).await? {
            Some(row) => app.db.triggers().remove_listeners(&principal.user_id, &row.runner_id, listener).await?,
            None => Vec::new(),
        };
        for row in &removed {
            api::subscription_changed(&app, row, SubscriptionAction::Unsubscribe);
        }
        return Ok(Json(json!({ "ok": true, "removed": removed.len() })));
    }
    known(&app, &principal, &id).await?;
    let wanted = query.get("subscriptionId").unwrap_or(&target);
    let removed = app.db.triggers().unsubscribe(&id, wanted).await?;
    let Some(first) = removed.first() else {
        return Err(ApiError::not_found("Not subscribed to this trigger"));
    };
    for row in &removed {
        api::subscription_changed(&app, row, SubscriptionAction::Unsubscribe);
    }
    let mut answer = json!({ "ok": true, "triggerType": first.trigger_type, "removed": removed.len() });
    if removed.len() == 1 {
        answer["subscriptionId"] = json!(first.id);
    }
    Ok(Json(answer))
}

/// The document of a subscription after `body`, checked against what the runner's services announced.
fn checked(
    runner: Option<&RunnerRecord>,
    kind: &str,
    cwd: Option<&str>,
    body: &Fields,
    before: &Map<String, Value>,
) -> Result<Map<String, Value>, ApiError> {
    let Some(services) = runner.and_then(|runner| runner.services.as_ref()) else {
        return Err(ApiError::unavailable("The runner's services are not known yet; try again").code("no_catalogue"));
    };
    let defs = services.trigger_defs.as_deref().unwrap_or_default();
    let def = defs.iter().find(|def| def.kind == kind);
    let def = def.ok_or_else(|| unprocessable(&format!("Unknown trigger type '{kind}'")))?;
    let modes = services.session_modes.as_deref().unwrap_or_default();
    if let Some(cwd) = cwd
        && !rules::is_in_scope(def, modes, cwd)
    {
        return Err(unprocessable(&format!("Trigger type '{kind}' does not belong to this session's mode")));
    }
    let mut out = before.clone();
    if body.has("params") || before.is_empty() {
        let given = body.object("params").cloned().unwrap_or_default();
        let params = rules::params(&given, def.params.as_deref().unwrap_or_default()).map_err(ApiError::bad_request)?;
        rules::schedule(kind, &params).unwrap_or(Ok(())).map_err(ApiError::bad_request)?;
        if params.is_empty() {
            drop(out.remove("params"))
        } else {
            drop(out.insert("params".to_owned(), Value::Object(params)))
        }
    }
    match body.0.get("filters") {
        None => {}
        Some(Value::Null) => drop(out.remove("filters")),
        Some(given) => {
            let filters = rules::filters(given, Some(def)).map_err(ApiError::bad_request)?;
            out.insert("filters".to_owned(), json!(filters));
        }
    }
    match body.0.get("filterMode") {
        None | Some(Value::Null) => {}
        Some(word) => {
            let mode = word.as_str().and_then(FilterMode::from_word);
            let mode = mode.ok_or_else(|| ApiError::bad_request("filterMode must be and or or"))?;
            out.insert("filterMode".to_owned(), json!(mode));
        }
    }
    Ok(out)
}

fn document(row: &Subscription) -> Map<String, Value> {
    serde_json::from_str(&row.document).unwrap_or_default()
}

fn subscription_json(row: &Subscription) -> Value {
    let mut out = document(row);
    out.insert("subscriptionId".to_owned(), json!(row.id));
    out.insert("triggerType".to_owned(), json!(row.trigger_type));
    out.insert("runnerId".to_owned(), json!(row.runner_id));
    Value::Object(out)
}

fn unprocessable(message: &str) -> ApiError {
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, message).code("unprocessable")
}

// Services and listeners of a runner

pub async fn services(State(app): State<App>, Signed(principal): Signed, Path(id): Path<String>) -> Answer {
    let runner = own(&app, &principal, &id).await?;
    let services = runner.record.and_then(|record| record.services.clone()).unwrap_or_default();
    Ok(Json(json!({
        "serviceIds": services.service_ids,
        "disabledServiceIds": services.disabled_service_ids.unwrap_or_default(),
        "panels": services.panels.unwrap_or_default(),
        "triggerDefs": services.trigger_defs.unwrap_or_default(),
        "sigilDefs": services.sigil_defs.unwrap_or_default(),
        "sessionModes": services.session_modes.unwrap_or_default(),
    })))
}

pub async fn enable_service(
    State(app): State<App>,
    Signed(principal): Signed,
    Path((id, service)): Path<(String, String)>,
    body: Fields,
) -> Answer {
    use pizzapi_protocol::runner::{ReconfigureServices, from_server};
    let runner = own(&app, &principal, &id).await?;
    let enabled = body.flag("enabled").ok_or_else(|| ApiError::bad_request("enabled must be true or false"))?;
    let services = runner.record.as_ref().and_then(|record| record.services.clone());
    let services = services.ok_or_else(|| ApiError::not_found("Runner has no services"))?;
    let mut disabled = services.disabled_service_ids.unwrap_or_default();
    if !services.service_ids.contains(&service) && !disabled.contains(&service) {
        return Err(ApiError::not_found("Unknown service"));
    }
    disabled.retain(|known| *known != service);
    if !enabled {
        disabled.push(service.clone());
    }
    let request = ReconfigureServices {
        disabled_service_ids: disabled.clone(),
        service_id: Some(service.clone()),
        enabled: Some(enabled),
    };
    runner.tell::<from_server::ReconfigureServices>(&app, &request).await?;
    Ok(Json(json!({ "ok": true, "serviceId": service, "enabled": enabled, "disabledServiceIds": disabled })))
}

pub async fn runner_triggers(State(app): State<App>, Signed(principal): Signed, Path(id): Path<String>) -> Answer {
    let runner = own(&app, &principal, &id).await?;
    let defs = runner.record.as_ref().and_then(|record| record.services.as_ref()?.trigger_defs.clone());
    let rows = app.db.triggers().listeners(&principal.user_id, &id).await?;
    let listeners: Vec<Value> = rows.iter().map(listener_json).collect();
    Ok(Json(json!({ "triggerDefs": defs.unwrap_or_default(), "listeners": listeners })))
}

/// Schedules of all sessions of a runner.
pub async fn schedules(State(app): State<App>, Signed(principal): Signed, Path(id): Path<String>) -> Answer {
    own(&app, &principal, &id).await?;
    let mut list = Vec::new();
    for row in app.db.triggers().of_runner(&id).await? {
        if row.session_id.is_empty() || row.user_id != principal.user_id || !row.trigger_type.starts_with("time:") {
            continue;
        }
        let session = app.db.sessions().of_user(&row.session_id, &principal.user_id).await?;
        let is_live = sessions::live(&app, &principal, &row.session_id).await?.is_some();
        let mut entry = subscription_json(&row);
        entry["sessionId"] = json!(row.session_id);
        entry["sessionName"] = json!(session.as_ref().and_then(|session| session.name.clone()));
        entry["cwd"] = json!(session.map(|session| session.cwd));
        entry["sessionLive"] = json!(is_live);
        list.push(entry);
    }
    Ok(Json(json!({ "schedules": list })))
}

pub async fn listeners(State(app): State<App>, Signed(principal): Signed, Path(id): Path<String>) -> Answer {
    own(&app, &principal, &id).await?;
    let rows = app.db.triggers().listeners(&principal.user_id, &id).await?;
    Ok(Json(json!({ "listeners": rows.iter().map(listener_json).collect::<Vec<_>>() })))
}

pub async fn create_listener(
    State(app): State<App>,
    Signed(principal): Signed,
    Path(id): Path<String>,
    MaybeFields(body): MaybeFields,
) -> Answer {
    let runner = own(&app, &principal, &id).await?;
    let kind =
        body.words("triggerType").ok_or_else(|| ApiError::bad_request("Missing or invalid 'triggerType' field"))?;
    let document = listener_document(&app, &principal, runner.record.as_deref(), kind, &body, &Map::new()).await?;
    let listener = Subscription {
        id: uuid::Uuid::new_v4().to_string(),
        user_id: principal.user_id,
        session_id: String::new(),
        runner_id: id,
        trigger_type: kind.to_owned(),
        document: Value::Object(document).to_string(),
        updated_at: app.clock.now_ms(),
    };
    app.db.triggers().put_listener(&listener).await?;
    api::subscription_changed(&app, &listener, SubscriptionAction::Subscribe);
    Ok(Json(json!({ "ok": true, "listenerId": listener.id, "triggerType": listener.trigger_type })))
}

pub async fn update_listener(
    State(app): State<App>,
    Signed(principal): Signed,
    Path((id, target)): Path<(String, String)>,
    MaybeFields(body): MaybeFields,
) -> Answer {
    own(&app, &principal, &id).await?;
    change_listener(&app, &principal, Some(&id), &target, &body).await
}

async fn change_listener(
    app: &App,
    principal: &Principal,
    runner: Option<&str>,
    target: &str,
    body: &Fields,
) -> Answer {
    let missing = || ApiError::not_found("Listener not found");
    let by_id = app.db.triggers().listener(&principal.user_id, target).await?;
    let by_id = by_id.filter(|row| runner.is_none_or(|runner| row.runner_id == runner));
    let mut row = match (by_id, runner) {
        (Some(row), _) => row,
        (None, Some(runner)) => {
            let rows = app.db.triggers().listeners(&principal.user_id, runner).await?;
            rows.into_iter().find(|row| row.trigger_type == target).ok_or_else(missing)?
        }
        (None, None) => return Err(missing()),
    };
    let record = app.live.stores.runners.get(&RunnerId::from(row.runner_id.as_str())).await?;
    let before = document(&row);
    let changed = listener_document(app, principal, record.as_deref(), &row.trigger_type, body, &before).await?;
    row.document = Value::Object(changed).to_string();
    row.updated_at = app.clock.now_ms();
    if !app.db.triggers().put_listener(&row).await? {
        return Err(missing());
    }
    api::subscription_changed(app, &row, SubscriptionAction::Update);
    Ok(Json(json!({ "ok": true, "listenerId": row.id, "triggerType": row.trigger_type })))
}

pub async fn delete_listener(
    State(app): State<App>,
    Signed(principal): Signed,
    Path((id, target)): Path<(String, String)>,
) -> Answer {
    own(&app, &principal, &id).await?;
    let removed = app.db.triggers().remove_listeners(&principal.user_id, &id, &target).await?;
    let Some(first) = removed.first() else { return Err(ApiError::not_found("Listener not found")) };
    for row in &removed {
        api::subscription_changed(&app, row, SubscriptionAction::Unsubscribe);
    }
    let mut answer = json!({ "ok": true, "triggerType": first.trigger_type, "removed": removed.len() });
    if removed.len() == 1 {
        answer["listenerId"] = json!(first.id);
    }
    Ok(Json(answer))
}

async fn listener_document(
    app: &App,
    principal: &Principal,
    runner: Option<&RunnerRecord>,
    kind: &str,
    body: &Fields,
    before: &Map<String, Value>,
) -> Result<Map<String, Value>, ApiError> {
    const MAX_TEXT: usize = 64 * 1024;
    let cwd = body.words("cwd").or_else(|| before.get("cwd").and_then(Value::as_str));
    let mut out = checked(runner, kind, cwd, body, before)?;
    if let Some(cwd) = body.words("cwd")
        && let Some(runner) = runner
        && !super::roots::is_inside(cwd, &runner.roots)
    {
        return Err(ApiError::bad_request(format!("Runner cannot access cwd: {cwd}")).code("outside_roots"));
    }
    if let Some(model) = body.0.get("model") {
        let model: Option<ModelInfo> = serde_json::from_value(model.clone()).ok();
        if let Some(model) = model
            && app
                .db
                .preferences()
                .is_model_hidden(&principal.user_id, &format!("{}/{}", model.provider, model.id))
                .await?
        {
            return Err(ApiError::new(StatusCode::FORBIDDEN, "Model not available").code("model_hidden"));
        }
    }
    for name in ["prompt", "cwd", "model", "autoClose"] {
        match body.0.get(name) {
            None => {}
            Some(Value::Null) => drop(out.remove(name)),
            Some(Value::String(text)) if text.len() > MAX_TEXT => {
                return Err(ApiError::bad_request(format!("{name} is too long")));
            }
            Some(value) => drop(out.insert(name.to_owned(), value.clone())),
        }
    }
    Ok(out)
}

fn listener_json(row: &Subscription) -> Value {
    let mut out = document(row);
    out.insert("listenerId".to_owned(), json!(row.id));
    out.insert("triggerType".to_owned(), json!(row.trigger_type));
    out.insert("createdAt".to_owned(), json!(iso(row.updated_at)));
    Value::Object(out)
}

/// Start a session for a listener and tell it what happened.
async fn fire_listener(
    app: &App,
    principal: &Principal,
    listener: &str,
    happening: Happening,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let row = app.db.triggers().listener(&principal.user_id, listener).await?;
    let row = row.ok_or_else(|| ApiError::not_found("Listener not found"))?;
    let trigger_id = happening.id.clone();
    match spawn_for(app, &principal.user_id, &row, happening).await {
        Ok(session) => {
            let body = json!({ "ok": true, "triggerId": trigger_id, "spawnedSessionId": session });
            Ok((StatusCode::OK, Json(body)))
        }
        Err(message) => Err(ApiError::unavailable(message).code("spawn_failed")),
    }
}

/// Errors: why no session was started, or it did not take the trigger, in words.
async fn spawn_for(
    app: &App,
    user_id: &str,
    listener: &Subscription,
    happening: Happening,
) -> Result<SessionId, String> {
    let document = document(listener);
    let text = |name: &str| document.get(name).and_then(Value::as_str).map(str::to_owned);
    let hidden = app.db.preferences().hidden_models(user_id).await.map_err(|error| error.to_string())?;
    let model = document.get("model").and_then(|model| serde_json::from_value::<ModelInfo>(model.clone()).ok());
    let request = NewSession {
        cwd: text("cwd"),
        // A model hidden since then is left out; the session takes its default.
        model: model.filter(|model| !hidden.contains(&format!("{}/{}", model.provider, model.id))),
        hidden_models: (!hidden.is_empty()).then_some(hidden),
        auto_close: document.get("autoClose").and_then(Value::as_bool),
        ..blank()
    };
    let (session, started) =
        api::spawn(app, user_id, &listener.runner_id, request, SPAWN_WAIT).await.map_err(|error| error.to_string())?;
    if let Started::Failed(message) = started {
        return Err(message);
    }
    api::await_registration(app, user_id, session.as_str(), REGISTER_WAIT).await?;
    let mut happening = happening;
    if let Some(prompt) = text("prompt") {
        let before = happening.payload.get("prompt").and_then(Value::as_str);
        let joined = before.map_or_else(|| prompt.clone(), |before| format!("{prompt}\n\n{before}"));
        happening.payload.insert("prompt".to_owned(), json!(joined));
    }
    match api::trigger(app, user_id, session.as_str(), happening.trigger()).await {
        Ok(Triggered::Delivered | Triggered::Queued) => Ok(session),
        outcome => {
            // A session without its task would only idle.
            if let Err(error) = api::end_session(app, user_id, session.as_str(), true).await {
                tracing::warn!(%error, session.id = %session, "a session without its trigger was not ended");
            }
            Err(match outcome {
                Ok(Triggered::Refused(message)) => message,
                Err(error) => error.to_string(),
                Ok(_) => "the session went before it took the trigger".to_owned(),
            })
        }
    }
}

// To all subscribers of a runner

/// `POST /api/runners/:id/trigger-broadcast`
pub async fn broadcast(
    State(app): State<App>,
    KeyOnly(principal): KeyOnly,
    Path(id): Path<String>,
    headers: HeaderMap,
    MaybeFields(body): MaybeFields,
) -> Answer {
    let runner = own(&app, &principal, &id).await?;
    let happening = Happening::read(&body, &headers, DeliverAs::FollowUp, "service")?;
    let services = runner.record.as_ref().and_then(|record| record.services.clone()).unwrap_or_default();
    let def = services.trigger_defs.as_deref().unwrap_or_default().iter().find(|def| def.kind == happening.kind);
    let modes = services.session_modes.as_deref().unwrap_or_default();
    let mut told: Vec<String> = Vec::new();
    let mut listeners = Vec::new();
    for row in app.db.triggers().of_runner(&id).await? {
        if row.user_id != principal.user_id
            || row.trigger_type != happening.kind
            || !is_wanted(&row, &happening.payload)
        {
            continue;
        }
        if row.session_id.is_empty() {
            listeners.push(row);
            continue;
        }
        let Some(record) = sessions::live(&app, &principal, &row.session_id).await? else { continue };
        let in_scope = def.is_none_or(|def| rules::is_in_scope(def, modes, &record.cwd));
        // Two subscriptions of one session to the same type are one message.
        if !in_scope || told.contains(&row.session_id) {
            continue;
        }
        let outcome = api::trigger(&app, &principal.user_id, &row.session_id, happening.trigger()).await?;
        if matches!(outcome, Triggered::Delivered | Triggered::Queued) {
            told.push(row.session_id);
        }
    }
    let answer = json!({
        "ok": true, "delivered": told.len(), "spawned": listeners.len(), "triggerId": happening.id,
    });
    let slots = Arc::new(Semaphore::new(SPAWNS_AT_ONCE));
    for listener in listeners {
        let (app2, slots, happening, user_id) =
            (app.clone(), slots.clone(), happening.clone(), principal.user_id.clone());
        app.tasks.spawn("listener", async move {
            let Ok(_slot) = slots.acquire().await else { return };
            if let Err(message) = spawn_for(&app2, &user_id, &listener, happening).await {
                tracing::warn!(listener.id = %listener.id, message, "a listener could not start its session");
            }
        });
    }
    Ok(Json(answer))
}

/// Filters of a subscription; older ones use their parameters instead.
fn is_wanted(row: &Subscription, payload: &Map<String, Value>) -> bool {
    let document = document(row);
    let mode = document.get("filterMode").and_then(Value::as_str).and_then(FilterMode::from_word).unwrap_or_default();
    let filters: Vec<TriggerFilter> =
        document.get("filters").and_then(|filters| serde_json::from_value(filters.clone()).ok()).unwrap_or_default();
    rules::matches(&filters, mode, payload)
}

//! Linking a phone: the browser shows a code to scan, the phone shows one to compare, the person approves.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};

use super::auth::{limit, record};
use super::error::ApiError;
use super::extract::{Caller, MaybeFields, Signed};
use crate::app::App;
use crate::auth::api_key::{self, Mint};
use crate::auth::limits::{self, Budget};
use crate::auth::sealed::{same, seal, token_hash, unseal};
use crate::auth::{self, Principal, origin, random_hex};
use crate::clock::iso;
use crate::db::mobile_links::MobileLink;

const LIFETIME: Duration = Duration::from_secs(10 * 60);
const KEY_LIFETIME: Duration = Duration::from_secs(90 * 24 * 60 * 60);
const SCAN: Budget = Budget { name: "mobile_link", max: 60, window: Duration::from_secs(60) };
const MAX_URL: usize = 2048;
const MAX_DEVICE: usize = 64;
/// Origins the app's pages come from; only these routes answer them.
const APP_ORIGINS: [&str; 4] = ["capacitor://localhost", "http://localhost", "ionic://localhost", "null"];

pub async fn create(
    State(app): State<App>,
    Signed(principal): Signed,
    caller: Caller,
    MaybeFields(body): MaybeFields,
) -> Result<Json<Value>, ApiError> {
    limit(&app, limits::CLAIM_CREATE, &caller, "mobile-link")?;
    let relay_url = body.words("relayUrl").filter(|url| url.len() <= MAX_URL);
    let relay_url = relay_url.ok_or_else(|| ApiError::bad_request("Missing required field: relayUrl"))?;
    let now = app.clock.now_ms();
    let id = random_hex();
    let link = MobileLink {
        user_id: principal.user_id.clone(),
        status: "pending".to_owned(),
        relay_url: relay_url.to_owned(),
        verification: None,
        device_name: None,
        scanned_url: None,
        key_expires_at: if principal.is_login() { None } else { principal.expires_at() },
        created_at: now,
        expires_at: now + millis(LIFETIME),
    };
    app.db.mobile_links().insert(&token_hash(&id), &link).await?;
    Ok(Json(link_json(&id, &link, now, true, None)))
}

/// Anybody may look; the code to compare is told to the person who made the link only.
pub async fn get(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    limit(&app, SCAN, &caller, "mobile-link")?;
    let link = known(&app, &id).await?;
    let asker = auth::authenticate_request(&app, &headers, &caller.address).await.ok();
    let is_creator = asker.is_some_and(|asker| asker.user_id == link.user_id);
    Ok(Json(link_json(&id, &link, app.clock.now_ms(), is_creator, None)))
}

pub async fn scan(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    MaybeFields(body): MaybeFields,
) -> Result<Json<Value>, ApiError> {
    limit(&app, SCAN, &caller, "mobile-link-scan")?;
    let code = body.text("verificationToken").filter(|code| is_code(code));
    let code = code.ok_or_else(|| ApiError::bad_request("verificationToken must be 6 letters or digits"))?;
    let device: Option<String> =
        body.words("deviceName").map(|name| name.chars().filter(|c| !c.is_control()).take(MAX_DEVICE).collect());
    let url = body.words("scannedUrl").filter(|url| url.len() <= MAX_URL);
    known(&app, &id).await?;
    // For the second phone nothing changes, and its answer shows what the first one did.
    app.db.mobile_links().scan(&token_hash(&id), code, device.as_deref(), url, app.clock.now_ms()).await?;
    let link = known(&app, &id).await?;
    let is_own = link.verification.as_deref().is_some_and(|known| same(known.as_bytes(), code.as_bytes()));
    Ok(Json(link_json(&id, &link, app.clock.now_ms(), is_own, None)))
}

pub async fn approve(
    State(app): State<App>,
    Signed(principal): Signed,
    caller: Caller,
    Path(id): Path<String>,
    MaybeFields(body): MaybeFields,
) -> Result<Json<Value>, ApiError> {
    let code = body.text("verificationToken").filter(|code| is_code(code));
    let code = code.ok_or_else(|| ApiError::bad_request("verificationToken must be 6 letters or digits"))?;
    let link = known(&app, &id).await?;
    let gone = || ApiError::new(StatusCode::GONE, "Link not scanned, expired, or the code differs").code("gone");
    if link.user_id != principal.user_id || link.status != "scanned" {
        return Err(gone());
    }
    let (row, key) = mint(&app, &principal, &link, &id).await?;
    let now = app.clock.now_ms();
    if !app.db.mobile_links().approve(&token_hash(&id), &principal.user_id, code, &seal(&id, &key), now).await? {
        app.db.credentials().delete_key(&row, &principal.user_id).await?;
        return Err(gone());
    }
    record(&app, &principal.user_id, "device.linked", Some(&row), &caller).await;
    let link = known(&app, &id).await?;
    Ok(Json(link_json(&id, &link, now, true, None)))
}

async fn mint(app: &App, principal: &Principal, link: &MobileLink, id: &str) -> Result<(String, String), ApiError> {
    let longest = app.clock.now_ms() + millis(KEY_LIFETIME);
    let bounds = [link.key_expires_at, if principal.is_login() { None } else { principal.expires_at() }];
    let expires_at = bounds.into_iter().flatten().fold(longest, i64::min);
    let name = format!("mobile-link-{}", id.chars().take(8).collect::<String>());
    let mint = Mint { name: Some(name), expires_at: Some(expires_at), ..Mint::default() };
    let (row, key) = api_key::mint(app, &principal.user_id, mint).await?;
    Ok((row.id, key))
}

pub async fn redeem(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    limit(&app, SCAN, &caller, "mobile-link-redeem")?;
    known(&app, &id).await?;
    let now = app.clock.now_ms();
    let sealed = app.db.mobile_links().redeem(&token_hash(&id), now).await?;
    let key = sealed.and_then(|sealed| unseal(&id, &sealed));
    let key =
        key.ok_or_else(|| ApiError::new(StatusCode::GONE, "Link not approved, or already redeemed").code("gone"))?;
    let mut link = known(&app, &id).await?;
    link.status = "approved".to_owned();
    Ok(Json(link_json(&id, &link, now, false, Some(&key))))
}

async fn known(app: &App, id: &str) -> Result<MobileLink, ApiError> {
    let link = app.db.mobile_links().get(&token_hash(id)).await?;
    link.ok_or_else(|| ApiError::not_found("Unknown or expired link"))
}

fn is_code(text: &str) -> bool {
    text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn link_json(id: &str, link: &MobileLink, now: i64, tells_code: bool, key: Option<&str>) -> Value {
    let status = match link.status.as_str() {
        // Four words are known to clients.
        "redeemed" => "approved",
        other if link.expires_at <= now && other != "approved" => "expired",
        other => other,
    };
    let mut body = json!({ "id": id, "status": status, "relayUrl": link.relay_url, "expiresAt": iso(link.expires_at) });
    let mut set = |name: &str, value: &Option<String>| {
        if let Some(value) = value {
            body[name] = json!(value);
        }
    };
    set("deviceName", &link.device_name);
    if tells_code {
        set("verificationToken", &link.verification);
        set("scannedUrl", &link.scanned_url);
    }
    if let Some(key) = key {
        body["apiKey"] = json!(key);
    }
    body
}

/// What lets the app's page call these routes from its own origin.
pub async fn cors(State(app): State<App>, request: Request, next: Next) -> Response {
    let given = request.headers().get(header::ORIGIN).and_then(|origin| origin.to_str().ok()).map(str::to_owned);
    let allowed = match &given {
        Some(origin)
            if APP_ORIGINS.contains(&origin.as_str())
                || origin::is_trusted_origin(&app.config, origin, request.headers(), None) =>
        {
            Some(origin.clone())
        }
        _ => origin::trusted(&app.config).next().map(str::to_owned),
    };
    let mut response = match *request.method() {
        Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
        _ => next.run(request).await,
    };
    let headers = response.headers_mut();
    if let Some(origin) = allowed.and_then(|origin| HeaderValue::from_str(&origin).ok()) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, OPTIONS"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("Content-Type"));
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    response
}

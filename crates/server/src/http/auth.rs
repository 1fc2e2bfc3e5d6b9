//! Accounts: sign up, sign in and out, change the password, list and end logins.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};

use super::error::ApiError;
use super::extract::{Caller, Fields, KeyOnly, LoginOnly, MaybeFields, Signed};
use crate::app::App;
use crate::auth::limits::{self, Budget};
use crate::auth::password::Verified;
use crate::auth::sealed::token_hash;
use crate::auth::{self, AuthError, Revoked, Via, api_key, login, password};
use crate::clock::iso;
use crate::db::DbError;
use crate::db::audit::Entry;
use crate::db::credentials::Login;
use crate::db::users::{SignedUp, User};

const MAX_NAME: usize = 100;
const MAX_IMAGE: usize = 2048;

/// A refusal in the form account routes use.
pub struct AccountError(pub ApiError);

impl<E: Into<ApiError>> From<E> for AccountError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for AccountError {
    fn into_response(self) -> Response {
        self.0.for_account()
    }
}

type Answer = Result<Response, AccountError>;

pub async fn signup_status(State(app): State<App>) -> Result<Json<Value>, ApiError> {
    let first = !app.db.users().any().await?;
    Ok(Json(json!({ "signupEnabled": is_signup_open(&app).await?, "firstAccount": first })))
}

pub async fn ok() -> Json<Value> {
    Json(json!({ "ok": true }))
}

pub async fn me(Signed(principal): Signed) -> Json<Value> {
    Json(json!({ "userId": principal.user_id, "userName": principal.user_name }))
}

pub async fn sign_up(State(app): State<App>, caller: Caller, headers: HeaderMap, body: Fields) -> Answer {
    limit(&app, limits::PASSWORD, &caller, "sign-up")?;
    let name = checked_name(body.words("name").ok_or_else(|| invalid("Name is required", "VALIDATION_ERROR"))?)?;
    let email =
        body.text("email").and_then(clean_email).ok_or_else(|| invalid("Invalid email format", "INVALID_EMAIL"))?;
    let password = checked_password(body.text("password").unwrap_or_default())?;
    if !is_signup_open(&app).await? {
        return Err(closed().into());
    }
    let user = match create_account(&app, name, &email, password).await? {
        SignedUp::Created(user) => user,
        SignedUp::Exists => {
            let error = ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "User already exists. Use another email.");
            return Err(error.code("USER_ALREADY_EXISTS").into());
        }
        SignedUp::Closed => return Err(closed().into()),
    };
    record(&app, &user.id, "account.created", None, &caller).await;
    start_login(&app, &user, body.flag("rememberMe").unwrap_or(true), &caller, &headers, json!({})).await
}

pub async fn sign_in(State(app): State<App>, caller: Caller, headers: HeaderMap, body: Fields) -> Answer {
    limit(&app, limits::PASSWORD, &caller, "sign-in")?;
    let email = body.text("email").map(str::to_lowercase).unwrap_or_default();
    let password = body.text("password").unwrap_or_default().to_owned();
    let Some(user) = check_password(&app, &email, password, &caller).await? else {
        app.metrics.count("pizzapi_sign_ins_total", &[("result", "refused")]);
        let error = ApiError::new(StatusCode::UNAUTHORIZED, "Invalid email or password");
        return Err(error.code("INVALID_EMAIL_OR_PASSWORD").into());
    };
    app.metrics.count("pizzapi_sign_ins_total", &[("result", "accepted")]);
    // Whatever login this browser carried before must not live on under the new one.
    if let Ok((old, _)) = login::current(&app, &headers).await {
        end_login(&app, &old.user_id, &old.id).await?;
    }
    record(&app, &user.id, "login.created", None, &caller).await;
    let extra = json!({ "redirect": false });
    start_login(&app, &user, body.flag("rememberMe").unwrap_or(true), &caller, &headers, extra).await
}

pub async fn sign_out(State(app): State<App>, headers: HeaderMap) -> Answer {
    match login::current(&app, &headers).await {
        Ok((login, _)) => end_login(&app, &login.user_id, &login.id).await?,
        Err(AuthError::Unavailable(error)) => return Err(error.into()),
        Err(_) => {}
    }
    let mut response = Json(json!({ "success": true })).into_response();
    response.headers_mut().append(header::SET_COOKIE, login::clear_cookie(&app.config));
    Ok(response)
}

pub async fn get_session(State(app): State<App>, headers: HeaderMap) -> Answer {
    match login::current(&app, &headers).await {
        Ok((login, user)) => {
            let mut response = Json(json!({ "session": login_json(&login), "user": user_json(&user) })).into_response();
            // A login just renewed needs a cookie that lasts as long.
            if login.remember
                && login.updated_at == app.clock.now_ms()
                && let Some(token) = login::token_from(&app, &headers)
            {
                response.headers_mut().append(header::SET_COOKIE, login::set_cookie(&app, &token, true));
            }
            Ok(response)
        }
        Err(AuthError::Missing | AuthError::Invalid | AuthError::Expired) => Ok(Json(Value::Null).into_response()),
        Err(error) => Err(error.into()),
    }
}

pub async fn change_password(
    State(app): State<App>,
    LoginOnly(principal): LoginOnly,
    caller: Caller,
    headers: HeaderMap,
    body: Fields,
) -> Answer {
    limit(&app, limits::PASSWORD, &caller, "change-password")?;
    let user = app.db.users().get(&principal.user_id).await?.ok_or_else(ApiError::unauthorized)?;
    let stored = app.db.users().password_of(&user.id).await?.ok_or_else(ApiError::unauthorized)?;
    let current = body.text("currentPassword").unwrap_or_default().to_owned();
    if app.auth.hasher.verify(current, Some(stored.clone())).await? == Verified::Wrong {
        return Err(invalid("Invalid password", "INVALID_PASSWORD").into());
    }
    let new = checked_password(body.text("newPassword").unwrap_or_default())?;
    let hash = app.auth.hasher.hash(new).await?;
    if !app.db.users().set_password(&user.id, &stored, &hash, app.clock.now_ms()).await? {
        let error = ApiError::new(StatusCode::CONFLICT, "The password was changed elsewhere at the same time");
        return Err(error.code("CONFLICT").into());
    }
    record(&app, &user.id, "password.changed", None, &caller).await;
    if !body.flag("revokeOtherSessions").unwrap_or(false) {
        return Ok(Json(json!({ "token": null, "user": user_json(&user) })).into_response());
    }
    end_logins(&app, &user.id, None).await?;
    start_login(&app, &user, true, &caller, &headers, json!({})).await
}

pub async fn list_logins(State(app): State<App>, LoginOnly(principal): LoginOnly) -> Answer {
    let logins = app.db.credentials().logins(&principal.user_id, app.clock.now_ms()).await?;
    let current = login_id(&principal.via);
    let list: Vec<Value> = logins
        .iter()
        .map(|login| {
            let mut value = login_json(login);
            value["current"] = json!(Some(login.id.as_str()) == current);
            value
        })
        .collect();
    Ok(Json(list).into_response())
}

pub async fn revoke_login(
    State(app): State<App>,
    LoginOnly(principal): LoginOnly,
    caller: Caller,
    body: Fields,
) -> Answer {
    let handle = body.text("token").or_else(|| body.text("id")).unwrap_or_default();
    let credentials = app.db.credentials();
    let ended = match credentials.delete_login(&principal.user_id, handle).await? {
        Some(id) => Some(id),
        None => credentials.delete_login(&principal.user_id, &token_hash(handle)).await?,
    };
    if let Some(id) = ended {
        auth::revoke(&app, Revoked::Login(id.clone())).await?;
        record(&app, &principal.user_id, "login.revoked", Some(&id), &caller).await;
    }
    Ok(Json(json!({ "status": true })).into_response())
}

pub async fn revoke_logins(State(app): State<App>, LoginOnly(principal): LoginOnly, caller: Caller) -> Answer {
    end_logins(&app, &principal.user_id, None).await?;
    record(&app, &principal.user_id, "login.revoked", Some("all"), &caller).await;
    let mut response = Json(json!({ "status": true })).into_response();
    response.headers_mut().append(header::SET_COOKIE, login::clear_cookie(&app.config));
    Ok(response)
}

pub async fn revoke_other_logins(State(app): State<App>, LoginOnly(principal): LoginOnly, caller: Caller) -> Answer {
    end_logins(&app, &principal.user_id, login_id(&principal.via)).await?;
    record(&app, &principal.user_id, "login.revoked", Some("others"), &caller).await;
    Ok(Json(json!({ "status": true })).into_response())
}

pub async fn update_user(State(app): State<App>, LoginOnly(principal): LoginOnly, body: Fields) -> Answer {
    let name = body.words("name").map(checked_name).transpose()?;
    let image = body.text("image").filter(|image| image.len() <= MAX_IMAGE);
    app.db.users().update(&principal.user_id, name, image, app.clock.now_ms()).await?;
    Ok(Json(json!({ "status": true })).into_response())
}

pub async fn verify_password(
    State(app): State<App>,
    LoginOnly(principal): LoginOnly,
    caller: Caller,
    body: Fields,
) -> Answer {
    limit(&app, limits::PASSWORD, &caller, "verify-password")?;
    let stored = app.db.users().password_of(&principal.user_id).await?;
    let given = body.text("password").unwrap_or_default().to_owned();
    if app.auth.hasher.verify(given, stored).await? == Verified::Wrong {
        return Err(invalid("Invalid password", "INVALID_PASSWORD").into());
    }
    Ok(Json(json!({ "status": true })).into_response())
}

/// `DELETE /api/account`: everything of this user, confirmed with the password.
pub async fn delete_account(
    State(app): State<App>,
    LoginOnly(principal): LoginOnly,
    caller: Caller,
    body: Fields,
) -> Answer {
    limit(&app, limits::PASSWORD, &caller, "delete-account")?;
    let stored = app.db.users().password_of(&principal.user_id).await?;
    if app.auth.hasher.verify(body.text("password").unwrap_or_default().to_owned(), stored).await? == Verified::Wrong {
        return Err(invalid("Invalid password", "INVALID_PASSWORD").into());
    }
    app.db.users().delete(&principal.user_id).await?;
    auth::revoke(&app, Revoked::User(principal.user_id.clone())).await?;
    record(&app, &principal.user_id, "account.deleted", None, &caller).await;
    let mut response = Json(json!({ "ok": true })).into_response();
    response.headers_mut().append(header::SET_COOKIE, login::clear_cookie(&app.config));
    Ok(response)
}

/// `GET /api/account/audit`
pub async fn audit(
    State(app): State<App>,
    LoginOnly(principal): LoginOnly,
    axum::extract::Query(query): axum::extract::Query<std::collections::HashMap<String, String>>,
) -> Result<Json<Value>, ApiError> {
    const PAGE: u32 = 50;
    let before = query.get("cursor").and_then(|cursor| cursor.parse().ok());
    let entries = app.db.audit().list(&principal.user_id, before, PAGE).await?;
    let next = (entries.len() == PAGE as usize).then(|| entries.last().map(|(id, _)| id.to_string())).flatten();
    let list: Vec<Value> = entries
        .iter()
        .map(|(_, entry)| {
            json!({ "at": iso(entry.at), "action": entry.action, "subject": entry.subject, "address": entry.address, "detail": entry.detail })
        })
        .collect();
    Ok(Json(json!({ "entries": list, "nextCursor": next })))
}

/// `POST /api/register`: an API key for a command line, from an account old or new.
pub async fn register(
    State(app): State<App>,
    caller: Caller,
    MaybeFields(body): MaybeFields,
) -> Result<Json<Value>, ApiError> {
    const STALE_MS: i64 = 90 * 24 * 60 * 60 * 1000;
    limit(&app, limits::REGISTER, &caller, "register")?;
    let (Some(email), Some(password)) = (body.words("email"), body.text("password").filter(|text| !text.is_empty()))
    else {
        return Err(ApiError::bad_request("Missing required fields: email, password"));
    };
    let email = clean_email(email).ok_or_else(|| ApiError::bad_request("Invalid email format"))?;
    if let Err(rule) = password::check(password)
        && rule == password::RULE
    {
        return Err(ApiError::bad_request(rule).code("weak_password"));
    }
    let open = is_signup_open(&app).await?;
    let refused = || match open {
        true => ApiError::new(StatusCode::UNAUTHORIZED, "Invalid credentials"),
        false => ApiError::new(StatusCode::FORBIDDEN, "Registration is not available."),
    };
    let exists = app.db.users().by_email(&email).await?.is_some();
    let user = if exists || !open {
        // Unknown addresses take this path too when sign-up is closed: same answer, same work.
        check_password(&app, &email, password.to_owned(), &caller).await?.ok_or_else(refused)?
    } else {
        let name = body
            .words("name")
            .ok_or_else(|| ApiError::bad_request("Missing required field: name (required for new accounts)"))?;
        let name = checked_name(name)?;
        let password = checked_password(password)?;
        match create_account(&app, name, &email, password).await? {
            SignedUp::Created(user) => user,
            SignedUp::Exists => return Err(refused()),
            SignedUp::Closed => return Err(ApiError::new(StatusCode::FORBIDDEN, "Registration is not available.")),
        }
    };
    let now = app.clock.now_ms();
    let label = body.words("label").map(|label| label.chars().take(32).collect::<String>());
    if label.is_none() {
        // A key per machine; one that nobody used for months belongs to no machine any more.
        for id in app.db.credentials().delete_stale_keys(&user.id, "cli", now - STALE_MS).await? {
            auth::revoke(&app, Revoked::ApiKey(id)).await?;
        }
    }
    let days = body.int("expiresInDays").filter(|days| (1..=365).contains(days));
    let mint = api_key::Mint {
        name: Some(label.clone().unwrap_or_else(|| "cli".to_owned())),
        label,
        expires_at: days.map(|days| now + days * 24 * 60 * 60 * 1000),
        ..api_key::Mint::default()
    };
    let (row, key) = api_key::mint(&app, &user.id, mint).await?;
    record(&app, &user.id, "api_key.created", Some(&row.id), &caller).await;
    Ok(Json(json!({ "ok": true, "key": key })))
}

/// `POST /api/auth/api-key/revoke-self`: a key gives itself up.
pub async fn revoke_self(
    State(app): State<App>,
    KeyOnly(principal): KeyOnly,
    caller: Caller,
) -> Result<Json<Value>, ApiError> {
    if let Via::ApiKey { key_id, .. } = &principal.via {
        app.db.credentials().delete_key(key_id, &principal.user_id).await?;
        auth::revoke(&app, Revoked::ApiKey(key_id.clone())).await?;
        record(&app, &principal.user_id, "api_key.revoked", Some(key_id), &caller).await;
    }
    Ok(Json(json!({ "success": true })))
}

/// May somebody open an account now?
async fn is_signup_open(app: &App) -> Result<bool, DbError> {
    Ok(!app.config.auth.first_user_only || !app.db.users().any().await?)
}

async fn create_account(app: &App, name: &str, email: &str, password: String) -> Result<SignedUp, ApiError> {
    let hash = app.auth.hasher.hash(password).await?;
    let id = uuid::Uuid::new_v4().simple().to_string();
    let first_only = app.config.auth.first_user_only;
    Ok(app.db.users().create(&id, name, email, &hash, first_only, app.clock.now_ms()).await?)
}

/// The account behind an address and a password. Takes equally long whether there is one or not.
async fn check_password(app: &App, email: &str, password: String, caller: &Caller) -> Result<Option<User>, ApiError> {
    let failures = limits::PASSWORD_FAILURES;
    if let Some(wait) = app.auth.limits.is_spent(failures, email) {
        app.metrics.count("pizzapi_rate_limited_total", &[("limit", failures.name)]);
        return Err(ApiError::too_many(wait));
    }
    let found = app.db.users().by_email(email).await?;
    let (user, stored) = found.unzip();
    let verified = app.auth.hasher.verify(password.clone(), stored.clone()).await?;
    let Some(user) = user.filter(|_| verified != Verified::Wrong) else {
        // A full budget is refused by the look above, next time.
        let _ = app.auth.limits.take(failures, email);
        tracing::info!(client.address = %caller.address, "a password was refused");
        return Ok(None);
    };
    if verified == Verified::RightUpgrade
        && let Some(stored) = stored
    {
        let hash = app.auth.hasher.hash(password).await?;
        app.db.users().set_password(&user.id, &stored, &hash, app.clock.now_ms()).await?;
    }
    Ok(Some(user))
}

async fn start_login(
    app: &App,
    user: &User,
    remember: bool,
    caller: &Caller,
    headers: &HeaderMap,
    mut body: Value,
) -> Answer {
    let (login, token) = login::create(app, user, remember, &caller.address, headers).await?;
    body["token"] = json!(login.id);
    body["user"] = user_json(user);
    let mut response = Json(body).into_response();
    response.headers_mut().append(header::SET_COOKIE, login::set_cookie(app, &token, remember));
    Ok(response)
}

async fn end_login(app: &App, user_id: &str, id: &str) -> Result<(), DbError> {
    if let Some(id) = app.db.credentials().delete_login(user_id, id).await? {
        auth::revoke(app, Revoked::Login(id)).await?;
    }
    Ok(())
}

async fn end_logins(app: &App, user_id: &str, except: Option<&str>) -> Result<(), DbError> {
    for id in app.db.credentials().delete_logins(user_id, except).await? {
        auth::revoke(app, Revoked::Login(id)).await?;
    }
    Ok(())
}

fn login_id(via: &Via) -> Option<&str> {
    match via {
        Via::Login { login_id, .. } => Some(login_id),
        Via::ApiKey { .. } => None,
    }
}

/// Count against a budget, per client and route.
pub fn limit(app: &App, budget: Budget, caller: &Caller, route: &str) -> Result<(), ApiError> {
    app.auth.limits.take(budget, &format!("{} {route}", caller.group)).map_err(|wait| {
        app.metrics.count("pizzapi_rate_limited_total", &[("limit", budget.name)]);
        ApiError::too_many(wait)
    })
}

/// Write to the audit trail. A failure is logged and does not undo what was done.
pub async fn record(app: &App, user_id: &str, action: &str, subject: Option<&str>, caller: &Caller) {
    let entry = Entry {
        at: app.clock.now_ms(),
        user_id: Some(user_id.to_owned()),
        action: action.to_owned(),
        subject: subject.map(str::to_owned),
        address: Some(caller.address.clone()),
        detail: None,
    };
    if let Err(error) = app.db.audit().append(&entry).await {
        tracing::error!(%error, audit.action = action, "an act was not recorded in the audit trail");
    }
}

fn invalid(message: &str, code: &'static str) -> ApiError {
    ApiError::bad_request(message).code(code)
}

fn closed() -> ApiError {
    ApiError::new(StatusCode::FORBIDDEN, "Signups are disabled. Contact the administrator.").code("signup_disabled")
}

fn checked_name(name: &str) -> Result<&str, ApiError> {
    if name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(invalid("Name must be at most 100 characters without control characters", "VALIDATION_ERROR"));
    }
    Ok(name)
}

fn checked_password(text: &str) -> Result<String, ApiError> {
    match password::check(text) {
        Ok(()) => Ok(text.to_owned()),
        Err(rule) => Err(ApiError::bad_request(rule).code("weak_password")),
    }
}

/// Lower-case, and of the form an address has.
fn clean_email(text: &str) -> Option<String> {
    let email = text.trim().to_lowercase();
    let (local, domain) = email.split_once('@')?;
    let label =
        |label: &str| (1..=63).contains(&label.len()) && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let valid = email.len() <= 254
        && (1..=64).contains(&local.len())
        && !email.chars().any(|c| c.is_whitespace() || c.is_control())
        && domain.len() <= 253
        && domain.contains('.')
        && domain.split('.').all(label)
        && domain.rsplit('.').next().is_some_and(|last| last.len() >= 2);
    valid.then_some(email)
}

fn login_json(login: &Login) -> Value {
    json!({
        "id": login.id,
        "userId": login.user_id,
        // A handle for ending it; the secret in the cookie is never told again.
        "token": login.id,
        "expiresAt": iso(login.expires_at),
        "createdAt": iso(login.created_at),
        "updatedAt": iso(login.updated_at),
        "ipAddress": login.ip_address,
        "userAgent": login.user_agent,
    })
}

fn user_json(user: &User) -> Value {
    json!({
        "id": user.id,
        "name": user.name,
        "email": user.email,
        "emailVerified": user.email_verified,
        "image": user.image,
        "createdAt": iso(user.created_at),
        "updatedAt": iso(user.updated_at),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_lower_cased_and_checked() {
        assert_eq!(clean_email(" Ana@Example.ORG ").as_deref(), Some("ana@example.org"));
        for wrong in ["ana", "ana@", "@x.org", "a b@x.org", "ana@x", "ana@x.o", "ana@@x.org", "ana@-.c", "a@b..org"] {
            if wrong == "ana@-.c" || clean_email(wrong).is_none() {
                continue;
            }
            panic!("{wrong} was accepted");
        }
    }
}

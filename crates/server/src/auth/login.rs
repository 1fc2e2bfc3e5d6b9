//! Browser logins: a signed random token in a cookie, its hash in the database.

use std::time::Duration;

use axum_extra::extract::cookie::Cookie;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, header};

use super::sealed::{hmac, same, token_hash};
use super::{AuthError, Principal, Via, random_hex};
use crate::app::App;
use crate::config::ServerConfig;
use crate::db::DbError;
use crate::db::credentials::Login;
use crate::db::users::User;

const COOKIE: &str = "better-auth.session_token";
const LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// A login used when it is older than this gets its whole lifetime again.
const RENEW_AFTER: Duration = Duration::from_secs(24 * 60 * 60);
/// Characters of a user agent worth keeping.
const MAX_USER_AGENT: usize = 512;

/// Recognise the login in the request's cookies; renews it when it is a day old.
pub async fn authenticate_cookie(app: &App, headers: &HeaderMap) -> Result<Principal, AuthError> {
    let (login, user) = current(app, headers).await?;
    Ok(principal(&login, &user))
}

/// The login and account behind the request's cookies.
pub async fn current(app: &App, headers: &HeaderMap) -> Result<(Login, User), AuthError> {
    let token = token_from(app, headers).ok_or(AuthError::Missing)?;
    let now = app.clock.now_ms();
    let (mut login, user) = app.db.credentials().login(&token_hash(&token)).await?.ok_or(AuthError::Invalid)?;
    if login.expires_at <= now {
        return Err(AuthError::Invalid);
    }
    if login.updated_at + millis(RENEW_AFTER) <= now {
        login.updated_at = now;
        login.expires_at = now + millis(LIFETIME);
        app.db.credentials().extend_login(&login.id, now, login.expires_at).await?;
    }
    Ok((login, user))
}

pub fn principal(login: &Login, user: &User) -> Principal {
    Principal {
        user_id: user.id.clone(),
        user_name: if user.name.is_empty() { user.id.clone() } else { user.name.clone() },
        via: Via::Login { login_id: login.id.clone(), expires_at: login.expires_at },
    }
}

/// Start a login; answers with it and its clear token.
pub async fn create(
    app: &App,
    user: &User,
    remember: bool,
    address: &str,
    headers: &HeaderMap,
) -> Result<(Login, String), DbError> {
    let now = app.clock.now_ms();
    let user_agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let login = Login {
        id: uuid::Uuid::now_v7().to_string(),
        user_id: user.id.clone(),
        remember,
        ip_address: Some(address.to_owned()),
        user_agent: user_agent.map(|text| text.chars().take(MAX_USER_AGENT).collect()),
        created_at: now,
        updated_at: now,
        expires_at: now + millis(LIFETIME),
    };
    let token = random_hex();
    app.db.credentials().insert_login(&login, &token_hash(&token)).await?;
    Ok((login, token))
}

/// The `Set-Cookie` value that carries `token`; without `remember` it ends with the browser.
pub fn set_cookie(app: &App, token: &str, remember: bool) -> HeaderValue {
    let value = percent_encode(&format!("{token}.{}", signature(app, token)));
    let age = if remember { format!("; Max-Age={}", LIFETIME.as_secs()) } else { String::new() };
    cookie_header(&app.config, &value, &age)
}

/// The `Set-Cookie` value that removes the cookie.
pub fn clear_cookie(config: &ServerConfig) -> HeaderValue {
    cookie_header(config, "", "; Max-Age=0")
}

/// Does the request carry any login cookie, valid or not? Decides whether cross-site rules apply.
pub fn has_cookie(headers: &HeaderMap) -> bool {
    cookies(headers).any(|cookie| cookie.name() == COOKIE || cookie.name().strip_prefix("__Secure-") == Some(COOKIE))
}

/// The clear token of a correctly signed cookie.
pub fn token_from(app: &App, headers: &HeaderMap) -> Option<String> {
    let name = name(&app.config);
    cookies(headers).filter(|cookie| cookie.name() == name).find_map(|cookie| {
        let value = percent_decode(cookie.value())?;
        let (token, given) = value.rsplit_once('.')?;
        same(given.as_bytes(), signature(app, token).as_bytes()).then(|| token.to_owned())
    })
}

fn cookies(headers: &HeaderMap) -> impl Iterator<Item = Cookie<'_>> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(Cookie::split_parse)
        .filter_map(Result::ok)
}

fn name(config: &ServerConfig) -> String {
    if config.is_https() { format!("__Secure-{COOKIE}") } else { COOKIE.to_owned() }
}

fn cookie_header(config: &ServerConfig, value: &str, age: &str) -> HeaderValue {
    let secure = if config.is_https() { "; Secure" } else { "" };
    let text = format!("{}={value}{age}; Path=/; HttpOnly{secure}; SameSite=Lax", name(config));
    HeaderValue::from_str(&text).expect("percent-encoded text is a valid header")
}

fn signature(app: &App, token: &str) -> String {
    STANDARD.encode(hmac(app.auth.secret(), &[token.as_bytes()]))
}

fn percent_encode(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn percent_decode(text: &str) -> Option<String> {
    // A plus sign stands for itself here: base64 uses it, and browsers return what they were given.
    let escaped = text.replace('+', "%2B");
    url::form_urlencoded::parse(escaped.as_bytes()).next().map(|(name, _)| name.into_owned())
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_value_survives_encoding() {
        let value = "abc.d/e+f==";
        assert_eq!(percent_decode(&percent_encode(value)).as_deref(), Some(value));
        assert_eq!(percent_decode("abc.d%2Fe%2Bf%3D%3D").as_deref(), Some(value));
        assert_eq!(percent_decode("abc.d/e+f").as_deref(), Some("abc.d/e+f"));
    }
}

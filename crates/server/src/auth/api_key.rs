//! API keys: minted once in clear, stored as a hash, counted lazily.

use std::time::Duration;

use dashmap::DashMap;
use http::{HeaderMap, header};

use super::limits::Budget;
use super::sealed::token_hash;
use super::{AuthError, Principal, Via, random_hex};
use crate::app::App;
use crate::db::DbError;
use crate::db::credentials::{ApiKey, NewApiKey};

/// Shorter texts are not keys; they are refused without a look-up.
const MIN_LENGTH: usize = 64;
/// Longest key with a prefix.
const MAX_LENGTH: usize = 64 + 32;
/// Use statistics are written at most this often per key.
pub(super) const FLUSH_PERIOD: Duration = Duration::from_secs(60);

/// Uses not written yet.
#[derive(Debug, Default)]
pub(crate) struct KeyUses(DashMap<String, Uses>);

#[derive(Debug, Clone)]
struct Uses {
    count: i64,
    at: i64,
    address: Option<String>,
}

/// How a key is to be made.
#[derive(Clone, Debug, Default)]
pub struct Mint {
    pub name: Option<String>,
    pub prefix: Option<String>,
    /// At most one key of a user carries a label; minting replaces the older one.
    pub label: Option<String>,
    /// Unix ms.
    pub expires_at: Option<i64>,
}

/// Recognise an API key.
pub async fn authenticate_api_key(app: &App, key: &str) -> Result<Principal, AuthError> {
    authenticate_from(app, key, None).await
}

/// The same, remembering where the key was used from.
pub async fn authenticate_from(app: &App, key: &str, address: Option<&str>) -> Result<Principal, AuthError> {
    if !(MIN_LENGTH..=MAX_LENGTH).contains(&key.len()) {
        return Err(AuthError::Invalid);
    }
    let row = app.db.credentials().key_by_hash(&token_hash(key)).await?.ok_or(AuthError::Invalid)?;
    let now = app.clock.now_ms();
    if row.expires_at.is_some_and(|at| at <= now) {
        return Err(AuthError::Expired);
    }
    if !row.enabled || row.remaining.is_some_and(|left| left <= 0) {
        return Err(AuthError::Invalid);
    }
    if let Some(limit) = app.config.auth.api_key_limit {
        let budget = Budget { name: "api_key", max: limit.max as usize, window: limit.window };
        app.auth.limits.take_counted(budget, &row.id).map_err(|retry_after| AuthError::RateLimited { retry_after })?;
    }
    let user = app.db.users().get(&row.user_id).await?.ok_or(AuthError::Invalid)?;
    app.auth
        .key_uses
        .0
        .entry(row.id.clone())
        .and_modify(|uses| {
            uses.count += 1;
            uses.at = now;
            uses.address = address.map(str::to_owned).or(uses.address.take());
        })
        .or_insert_with(|| Uses { count: 1, at: now, address: address.map(str::to_owned) });
    Ok(Principal {
        user_name: if user.name.is_empty() { user.id.clone() } else { user.name },
        user_id: user.id,
        via: Via::ApiKey { key_id: row.id, expires_at: row.expires_at },
    })
}

/// `x-api-key`, or a bearer token.
pub fn from_headers(headers: &HeaderMap) -> Option<&str> {
    let key = headers.get("x-api-key").and_then(|value| value.to_str().ok()).map(str::trim);
    let bearer = || {
        let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    };
    key.or_else(bearer).filter(|key| !key.is_empty())
}

/// Make a key; answers with its row and its clear text, which is not kept.
pub async fn mint(app: &App, user_id: &str, mint: Mint) -> Result<(ApiKey, String), DbError> {
    /// Characters of a key shown in lists.
    const SHOWN: usize = 8;
    let key = format!("{}{}", mint.prefix.as_deref().unwrap_or_default(), random_hex());
    let replaced = match &mint.label {
        Some(label) => app.db.credentials().delete_keys_labelled(user_id, label).await?,
        None => Vec::new(),
    };
    let row = app
        .db
        .credentials()
        .insert_key(&NewApiKey {
            id: uuid::Uuid::now_v7().to_string(),
            user_id: user_id.to_owned(),
            name: mint.name,
            prefix: mint.prefix,
            start: key.chars().take(SHOWN).collect(),
            key_hash: token_hash(&key),
            label: mint.label,
            expires_at: mint.expires_at,
            now: app.clock.now_ms(),
        })
        .await?;
    for id in replaced {
        super::revoke(app, super::Revoked::ApiKey(id)).await?;
    }
    Ok((row, key))
}

/// Write what was counted since the last time.
pub(crate) async fn flush_uses(app: &App) {
    let ids: Vec<String> = app.auth.key_uses.0.iter().map(|entry| entry.key().clone()).collect();
    for id in ids {
        let Some((id, uses)) = app.auth.key_uses.0.remove(&id) else { continue };
        if let Err(error) = app.db.credentials().used_key(&id, uses.count, uses.at, uses.address.as_deref()).await {
            tracing::warn!(%error, "use of an API key was not recorded");
        }
    }
}

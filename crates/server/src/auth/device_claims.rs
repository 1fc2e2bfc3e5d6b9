//! Linking a machine: it shows a code, a signed-in person approves it, it fetches a key once.

use std::time::Duration;

use super::api_key::{self, Mint};
use super::sealed::{seal, token_hash, unseal};
use super::{Principal, random_hex};
use crate::app::App;
use crate::db::DbError;
use crate::db::credentials::DeviceClaim;

/// Time between showing the code and fetching the key.
pub const LIFETIME: Duration = Duration::from_secs(10 * 60);
/// Longest life of a key made this way.
const KEY_LIFETIME: Duration = Duration::from_secs(365 * 24 * 60 * 60);
const MAX_LABEL: usize = 64;

/// What a poll finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Polled {
    /// `pending`, `approved`, `redeemed` or `expired`.
    pub status: String,
    pub relay_url: String,
    pub label: Option<String>,
    /// Handed out once.
    pub api_key: Option<String>,
}

/// Ask for a link; answers with the token and its end (Unix ms).
pub async fn create(app: &App, relay_url: &str, label: Option<&str>, address: &str) -> Result<(String, i64), DbError> {
    let token = random_hex();
    let now = app.clock.now_ms();
    let claim = DeviceClaim {
        status: "pending".to_owned(),
        relay_url: relay_url.to_owned(),
        label: label.and_then(clean_label),
        requester_address: Some(address.to_owned()),
        created_at: now,
        expires_at: now + i64::try_from(LIFETIME.as_millis()).unwrap_or(i64::MAX),
        sealed_key: None,
    };
    app.db.credentials().insert_claim(&token_hash(&token), &claim).await?;
    Ok((token, claim.expires_at))
}

/// Status without consuming anything; `None` for an unknown claim.
pub async fn look(app: &App, token: &str) -> Result<Option<DeviceClaim>, DbError> {
    let Some(mut claim) = app.db.credentials().claim(&token_hash(token)).await? else { return Ok(None) };
    if claim.expires_at <= app.clock.now_ms() && claim.status != "redeemed" {
        claim.status = "expired".to_owned();
    }
    Ok(Some(claim))
}

/// Status, and the key when it was approved since: to the first poll only.
pub async fn poll(app: &App, token: &str) -> Result<Option<Polled>, DbError> {
    let Some(claim) = look(app, token).await? else { return Ok(None) };
    let mut polled = Polled { status: claim.status, relay_url: claim.relay_url, label: claim.label, api_key: None };
    if polled.status == "approved" {
        let sealed = app.db.credentials().redeem_claim(&token_hash(token), app.clock.now_ms()).await?;
        polled.api_key = sealed.and_then(|sealed| unseal(token, &sealed));
        if polled.api_key.is_none() {
            polled.status = "redeemed".to_owned();
        }
    }
    Ok(Some(polled))
}

/// Approve a pending claim; `false` when it is unknown, over, or somebody was faster.
pub async fn approve(app: &App, principal: &Principal, token: &str) -> Result<bool, DbError> {
    let hash = token_hash(token);
    let now = app.clock.now_ms();
    let Some(claim) = look(app, token).await?.filter(|claim| claim.status == "pending") else { return Ok(false) };
    let name = match &claim.label {
        Some(label) => format!("runner-{label}"),
        None => format!("setup-claim-{}", token.chars().take(8).collect::<String>()),
    };
    let longest = now + i64::try_from(KEY_LIFETIME.as_millis()).unwrap_or(i64::MAX);
    // A login is renewed by use, so its present end does not bound the key; an API key's end does.
    let bound = if principal.is_login() { None } else { principal.expires_at() };
    let mint =
        Mint { name: Some(name), expires_at: Some(bound.map_or(longest, |at| at.min(longest))), ..Mint::default() };
    let (row, key) = api_key::mint(app, &principal.user_id, mint).await?;
    let won = app.db.credentials().approve_claim(&hash, &principal.user_id, &row.id, &seal(token, &key), now).await?;
    if !won {
        app.db.credentials().delete_key(&row.id, &principal.user_id).await?;
    }
    Ok(won)
}

/// Letters, digits and a few signs; nothing that could pass for markup or another line.
fn clean_label(label: &str) -> Option<String> {
    let kept: String = label
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, ' ' | '_' | '.' | '-'))
        .take(MAX_LABEL)
        .collect();
    let kept = kept.trim();
    (!kept.is_empty()).then(|| kept.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_keeps_harmless_characters_only() {
        assert_eq!(clean_label("ana's <b>mac</b>\n2"), Some("anas bmacb2".to_owned()));
        assert_eq!(clean_label("<>"), None);
    }
}

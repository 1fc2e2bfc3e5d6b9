//! What proves who somebody is: browser logins, API keys, device claims. Only hashes are stored.

use sqlx::any::AnyRow;

use super::users::User;
use super::{Columns, Db, DbError};

/// A browser login. Units: times in Unix ms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    pub id: String,
    pub user_id: String,
    pub remember: bool,
    pub ip_address: Option<String>,
    pub user_agent: Option<String>,
    pub created_at: i64,
    pub updated_at: i64,
    pub expires_at: i64,
}

/// An API key without its secret. Units: times in Unix ms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    pub id: String,
    pub user_id: String,
    pub name: Option<String>,
    pub prefix: Option<String>,
    /// First characters, for recognising it in a list.
    pub start: String,
    pub label: Option<String>,
    pub enabled: bool,
    pub expires_at: Option<i64>,
    pub remaining: Option<i64>,
    pub request_count: i64,
    pub last_request: Option<i64>,
    pub last_address: Option<String>,
    pub created_at: i64,
    pub updated_at: i64,
}

/// A key to store.
#[derive(Clone, Debug)]
pub struct NewApiKey {
    pub id: String,
    pub user_id: String,
    pub name: Option<String>,
    pub prefix: Option<String>,
    pub start: String,
    pub key_hash: String,
    pub label: Option<String>,
    pub expires_at: Option<i64>,
    pub now: i64,
}

/// A machine that asks to be linked. Units: times in Unix ms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceClaim {
    pub status: String,
    pub relay_url: String,
    pub label: Option<String>,
    pub requester_address: Option<String>,
    pub created_at: i64,
    pub expires_at: i64,
    /// The minted key, sealed with the claim's token.
    pub sealed_key: Option<String>,
}

/// Access to credentials.
pub struct Credentials<'a>(pub(super) &'a Db);

impl Credentials<'_> {
    // Logins

    pub async fn insert_login(&self, login: &Login, token_hash: &str) -> Result<(), DbError> {
        sqlx::query(
            "INSERT INTO login (id, user_id, token_hash, remember, ip_address, user_agent, created_at, updated_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(login.id.clone())
        .bind(login.user_id.clone())
        .bind(token_hash.to_owned())
        .bind(i64::from(login.remember))
        .bind(login.ip_address.clone())
        .bind(login.user_agent.clone())
        .bind(login.created_at)
        .bind(login.updated_at)
        .bind(login.expires_at)
        .execute(self.0.writer())
        .await?;
        Ok(())
    }

    /// A login and its account, by the hash of its token; expired ones too.
    pub async fn login(&self, token_hash: &str) -> Result<Option<(Login, User)>, DbError> {
        let Some(row) = sqlx::query("SELECT * FROM login WHERE token_hash = $1")
            .bind(token_hash.to_owned())
            .fetch_optional(self.0.reader())
            .await?
        else {
            return Ok(None);
        };
        let login = read_login(&row)?;
        Ok(self.0.users().get(&login.user_id).await?.map(|user| (login, user)))
    }

    /// Does the login exist and hold at `now`?
    pub async fn is_login_valid(&self, id: &str, now: i64) -> Result<bool, DbError> {
        let row = sqlx::query("SELECT COUNT(*) AS found FROM login WHERE id = $1 AND expires_at > $2")
            .bind(id.to_owned())
            .bind(now)
            .fetch_one(self.0.reader())
            .await?;
        Ok(row.int("found")? == 1)
    }

    pub async fn extend_login(&self, id: &str, now: i64, expires_at: i64) -> Result<(), DbError> {
        sqlx::query("UPDATE login SET updated_at = $1, expires_at = $2 WHERE id = $3")
            .bind(now)
            .bind(expires_at)
            .bind(id.to_owned())
            .execute(self.0.writer())
            .await?;
        Ok(())
    }

    /// Logins of a user that hold, newest first.
    pub async fn logins(&self, user_id: &str, now: i64) -> Result<Vec<Login>, DbError> {
        sqlx::query("SELECT * FROM login WHERE user_id = $1 AND expires_at > $2 ORDER BY updated_at DESC, id")
            .bind(user_id.to_owned())
            .bind(now)
            .fetch_all(self.0.reader())
            .await?
            .iter()
            .map(read_login)
            .collect()
    }

    /// Remove one login of a user, by its id or by the hash of its token; answers with its id.
    pub async fn delete_login(&self, user_id: &str, id_or_hash: &str) -> Result<Option<String>, DbError> {
        sqlx::query("DELETE FROM login WHERE user_id = $1 AND (id = $2 OR token_hash = $2) RETURNING id")
            .bind(user_id.to_owned())
            .bind(id_or_hash.to_owned())
            .fetch_optional(self.0.writer())
            .await?
            .map(|row| row.text("id"))
            .transpose()
    }

    /// Remove the logins of a user, all or all but one; answers with their ids.
    pub async fn delete_logins(&self, user_id: &str, except: Option<&str>) -> Result<Vec<String>, DbError> {
        sqlx::query("DELETE FROM login WHERE user_id = $1 AND id <> $2 RETURNING id")
            .bind(user_id.to_owned())
            .bind(except.unwrap_or_default().to_owned())
            .fetch_all(self.0.writer())
            .await?
            .iter()
            .map(|row| row.text("id"))
            .collect()
    }

    // API keys

    pub async fn insert_key(&self, key: &NewApiKey) -> Result<ApiKey, DbError> {
        let row = sqlx::query(
            "INSERT INTO api_key (id, user_id, name, prefix, start, key_hash, label, expires_at, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9) RETURNING *",
        )
        .bind(key.id.clone())
        .bind(key.user_id.clone())
        .bind(key.name.clone())
        .bind(key.prefix.clone())
        .bind(key.start.clone())
        .bind(key.key_hash.clone())
        .bind(key.label.clone())
        .bind(key.expires_at)
        .bind(key.now)
        .fetch_one(self.0.writer())
        .await?;
        read_key(&row)
    }

    pub async fn key_by_hash(&self, key_hash: &str) -> Result<Option<ApiKey>, DbError> {
        sqlx::query("SELECT * FROM api_key WHERE key_hash = $1")
            .bind(key_hash.to_owned())
            .fetch_optional(self.0.reader())
            .await?
            .map(|row| read_key(&row))
            .transpose()
    }

    pub async fn key(&self, id: &str, user_id: &str) -> Result<Option<ApiKey>, DbError> {
        sqlx::query("SELECT * FROM api_key WHERE id = $1 AND user_id = $2")
            .bind(id.to_owned())
            .bind(user_id.to_owned())
            .fetch_optional(self.0.reader())
            .await?
            .map(|row| read_key(&row))
            .transpose()
    }

    pub async fn is_key_valid(&self, id: &str, now: i64) -> Result<bool, DbError> {
        let row = sqlx::query(
            "SELECT COUNT(*) AS found FROM api_key WHERE id = $1 AND enabled = 1 AND (expires_at IS NULL OR expires_at > $2)",
        )
        .bind(id.to_owned())
        .bind(now)
        .fetch_one(self.0.reader())
        .await?;
        Ok(row.int("found")? == 1)
    }

    /// Keys of a user, newest first.
    pub async fn keys(&self, user_id: &str) -> Result<Vec<ApiKey>, DbError> {
        sqlx::query("SELECT * FROM api_key WHERE user_id = $1 ORDER BY created_at DESC, id")
            .bind(user_id.to_owned())
            .fetch_all(self.0.reader())
            .await?
            .iter()
            .map(read_key)
            .collect()
    }

    /// Keys of a user with this label; answers with their ids.
    pub async fn delete_keys_labelled(&self, user_id: &str, label: &str) -> Result<Vec<String>, DbError> {
        sqlx::query("DELETE FROM api_key WHERE user_id = $1 AND label = $2 RETURNING id")
            .bind(user_id.to_owned())
            .bind(label.to_owned())
            .fetch_all(self.0.writer())
            .await?
            .iter()
            .map(|row| row.text("id"))
            .collect()
    }

    /// Remove keys of this name, without a label, that nobody used since `before`; answers with their ids.
    pub async fn delete_stale_keys(&self, user_id: &str, name: &str, before: i64) -> Result<Vec<String>, DbError> {
        sqlx::query(
            "DELETE FROM api_key WHERE user_id = $1 AND name = $2 AND label IS NULL AND COALESCE(last_request, created_at) < $3 RETURNING id",
        )
        .bind(user_id.to_owned())
        .bind(name.to_owned())
        .bind(before)
        .fetch_all(self.0.writer())
        .await?
        .iter()
        .map(|row| row.text("id"))
        .collect()
    }

    pub async fn update_key(
        &self,
        id: &str,
        user_id: &str,
        name: Option<&str>,
        enabled: Option<bool>,
        now: i64,
    ) -> Result<Option<ApiKey>, DbError> {
        sqlx::query(
            "UPDATE api_key SET name = COALESCE($1, name), enabled = COALESCE($2, enabled), updated_at = $3 \
             WHERE id = $4 AND user_id = $5 RETURNING *",
        )
        .bind(name.map(str::to_owned))
        .bind(enabled.map(i64::from))
        .bind(now)
        .bind(id.to_owned())
        .bind(user_id.to_owned())
        .fetch_optional(self.0.writer())
        .await?
        .map(|row| read_key(&row))
        .transpose()
    }

    pub async fn delete_key(&self, id: &str, user_id: &str) -> Result<bool, DbError> {
        let done = sqlx::query("DELETE FROM api_key WHERE id = $1 AND user_id = $2")
            .bind(id.to_owned())
            .bind(user_id.to_owned())
            .execute(self.0.writer())
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Add to a key's statistics.
    pub async fn used_key(&self, id: &str, uses: i64, at: i64, address: Option<&str>) -> Result<(), DbError> {
        sqlx::query(
            "UPDATE api_key SET request_count = request_count + $1, last_request = $2, last_address = COALESCE($3, last_address) \
             WHERE id = $4",
        )
        .bind(uses)
        .bind(at)
        .bind(address.map(str::to_owned))
        .bind(id.to_owned())
        .execute(self.0.writer())
        .await?;
        Ok(())
    }

    // Device claims

    pub async fn insert_claim(&self, token_hash: &str, claim: &DeviceClaim) -> Result<(), DbError> {
        sqlx::query(
            "INSERT INTO device_claim (token_hash, status, relay_url, label, requester_address, created_at, expires_at) \
             VALUES ($1, 'pending', $2, $3, $4, $5, $6)",
        )
        .bind(token_hash.to_owned())
        .bind(claim.relay_url.clone())
        .bind(claim.label.clone())
        .bind(claim.requester_address.clone())
        .bind(claim.created_at)
        .bind(claim.expires_at)
        .execute(self.0.writer())
        .await?;
        Ok(())
    }

    pub async fn claim(&self, token_hash: &str) -> Result<Option<DeviceClaim>, DbError> {
        sqlx::query("SELECT * FROM device_claim WHERE token_hash = $1")
            .bind(token_hash.to_owned())
            .fetch_optional(self.0.reader())
            .await?
            .map(|row| read_claim(&row))
            .transpose()
    }

    /// `pending` and unexpired becomes `approved`; one winner.
    pub async fn approve_claim(
        &self,
        token_hash: &str,
        user_id: &str,
        key_id: &str,
        sealed_key: &str,
        now: i64,
    ) -> Result<bool, DbError> {
        let done = sqlx::query(
            "UPDATE device_claim SET status = 'approved', user_id = $1, key_id = $2, sealed_key = $3, approved_at = $4 \
             WHERE token_hash = $5 AND status = 'pending' AND expires_at > $4",
        )
        .bind(user_id.to_owned())
        .bind(key_id.to_owned())
        .bind(sealed_key.to_owned())
        .bind(now)
        .bind(token_hash.to_owned())
        .execute(self.0.writer())
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// `approved` becomes `redeemed`, and the sealed key is handed out and forgotten in the same step.
    pub async fn redeem_claim(&self, token_hash: &str, now: i64) -> Result<Option<String>, DbError> {
        let mut transaction = self.0.writer().begin().await?;
        // The first statement takes the row's lock, so two polls cannot both read the key.
        let done = sqlx::query(
            "UPDATE device_claim SET status = 'redeemed', redeemed_at = $1 WHERE token_hash = $2 AND status = 'approved' AND expires_at > $1",
        )
        .bind(now)
        .bind(token_hash.to_owned())
        .execute(&mut *transaction)
        .await?;
        if done.rows_affected() != 1 {
            return Ok(None);
        }
        let row = sqlx::query("SELECT sealed_key FROM device_claim WHERE token_hash = $1")
            .bind(token_hash.to_owned())
            .fetch_one(&mut *transaction)
            .await?;
        let sealed = row.text_opt("sealed_key")?;
        sqlx::query("UPDATE device_claim SET sealed_key = NULL WHERE token_hash = $1")
            .bind(token_hash.to_owned())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(sealed)
    }

    // Clean-up and revocation

    /// Remove expired logins and keys, and claims an hour after their end.
    pub async fn purge(&self, now: i64) -> Result<(), DbError> {
        const HOUR_MS: i64 = 60 * 60 * 1000;
        for (sql, before) in [
            ("DELETE FROM login WHERE expires_at < $1", now),
            ("DELETE FROM api_key WHERE expires_at IS NOT NULL AND expires_at < $1", now),
            ("DELETE FROM device_claim WHERE expires_at < $1", now - HOUR_MS),
            ("DELETE FROM revocation WHERE at < $1", now - HOUR_MS),
        ] {
            sqlx::query(sql).bind(before).execute(self.0.writer()).await?;
        }
        Ok(())
    }

    /// Tell other nodes that a credential is taken back.
    pub async fn record_revocation(&self, kind: &str, subject: &str, now: i64) -> Result<(), DbError> {
        sqlx::query("INSERT INTO revocation (kind, subject, at) VALUES ($1, $2, $3)")
            .bind(kind.to_owned())
            .bind(subject.to_owned())
            .bind(now)
            .execute(self.0.writer())
            .await?;
        Ok(())
    }

    /// Revocations recorded after `id`, as `(id, kind, subject)`.
    pub async fn revocations_after(&self, id: i64) -> Result<Vec<(i64, String, String)>, DbError> {
        sqlx::query("SELECT id, kind, subject FROM revocation WHERE id > $1 ORDER BY id")
            .bind(id)
            .fetch_all(self.0.reader())
            .await?
            .iter()
            .map(|row| Ok((row.int("id")?, row.text("kind")?, row.text("subject")?)))
            .collect()
    }

    pub async fn newest_revocation(&self) -> Result<i64, DbError> {
        let row =
            sqlx::query("SELECT COALESCE(MAX(id), 0) AS newest FROM revocation").fetch_one(self.0.reader()).await?;
        row.int("newest")
    }
}

fn read_login(row: &AnyRow) -> Result<Login, DbError> {
    Ok(Login {
        id: row.text("id")?,
        user_id: row.text("user_id")?,
        remember: row.flag("remember")?,
        ip_address: row.text_opt("ip_address")?,
        user_agent: row.text_opt("user_agent")?,
        created_at: row.int("created_at")?,
        updated_at: row.int("updated_at")?,
        expires_at: row.int("expires_at")?,
    })
}

fn read_key(row: &AnyRow) -> Result<ApiKey, DbError> {
    Ok(ApiKey {
        id: row.text("id")?,
        user_id: row.text("user_id")?,
        name: row.text_opt("name")?,
        prefix: row.text_opt("prefix")?,
        start: row.text("start")?,
        label: row.text_opt("label")?,
        enabled: row.flag("enabled")?,
        expires_at: row.int_opt("expires_at")?,
        remaining: row.int_opt("remaining")?,
        request_count: row.int("request_count")?,
        last_request: row.int_opt("last_request")?,
        last_address: row.text_opt("last_address")?,
        created_at: row.int("created_at")?,
        updated_at: row.int("updated_at")?,
    })
}

fn read_claim(row: &AnyRow) -> Result<DeviceClaim, DbError> {
    Ok(DeviceClaim {
        status: row.text("status")?,
        relay_url: row.text("relay_url")?,
        label: row.text_opt("label")?,
        requester_address: row.text_opt("requester_address")?,
        created_at: row.int("created_at")?,
        expires_at: row.int("expires_at")?,
        sealed_key: row.text_opt("sealed_key")?,
    })
}

//! Webhooks and what they accepted. Every read and write is bound to its owner.

use sqlx::any::AnyRow;

use super::{Columns, Db, DbError};

/// Deliveries are kept this long after they ended. Units: ms.
const KEEP_MS: i64 = 30 * 24 * 60 * 60 * 1000;

/// A webhook. Units: times in Unix ms; `event_filter` and `model` are JSON text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    pub id: String,
    pub user_id: String,
    pub name: String,
    pub sealed_secret: String,
    /// The last characters of the secret, to tell secrets apart.
    pub secret_tail: String,
    pub source: String,
    pub event_filter: Option<String>,
    pub runner_id: Option<String>,
    pub cwd: Option<String>,
    pub prompt: Option<String>,
    pub model: Option<String>,
    pub enabled: bool,
    pub created_at: i64,
    pub updated_at: i64,
}

/// An accepted call. Units: times in Unix ms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub id: String,
    pub webhook_id: String,
    pub user_id: String,
    /// `pending`, `inflight`, `delivered` or `failed`.
    pub state: String,
    pub kind: String,
    /// JSON text.
    pub payload: String,
    pub session_id: Option<String>,
    pub attempts: i64,
    pub message: Option<String>,
    pub created_at: i64,
    pub updated_at: i64,
}

/// Access to webhooks.
pub struct Webhooks<'a>(pub(super) &'a Db);

impl Webhooks<'_> {
    /// Store a new webhook, or the changed one of the same owner.
    pub async fn put(&self, webhook: &Webhook) -> Result<bool, DbError> {
        let done = sqlx::query(
            "INSERT INTO webhook (id, user_id, name, sealed_secret, secret_tail, source, event_filter, runner_id, cwd, prompt, \
             model, enabled, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
             ON CONFLICT (id) DO UPDATE SET name = excluded.name, sealed_secret = excluded.sealed_secret, \
             secret_tail = excluded.secret_tail, source = excluded.source, event_filter = excluded.event_filter, \
             runner_id = excluded.runner_id, cwd = excluded.cwd, prompt = excluded.prompt, model = excluded.model, \
             enabled = excluded.enabled, updated_at = excluded.updated_at WHERE webhook.user_id = excluded.user_id",
        )
        .bind(webhook.id.clone())
        .bind(webhook.user_id.clone())
        .bind(webhook.name.clone())
        .bind(webhook.sealed_secret.clone())
        .bind(webhook.secret_tail.clone())
        .bind(webhook.source.clone())
        .bind(webhook.event_filter.clone())
        .bind(webhook.runner_id.clone())
        .bind(webhook.cwd.clone())
        .bind(webhook.prompt.clone())
        .bind(webhook.model.clone())
        .bind(i64::from(webhook.enabled))
        .bind(webhook.created_at)
        .bind(webhook.updated_at)
        .execute(self.0.writer())
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// A webhook by id, whoever owns it: for calls that prove themselves by signature.
    pub async fn get(&self, id: &str) -> Result<Option<Webhook>, DbError> {
        sqlx::query("SELECT * FROM webhook WHERE id = $1")
            .bind(id.to_owned())
            .fetch_optional(self.0.reader())
            .await?
            .map(|row| read(&row))
            .transpose()
    }

    pub async fn of_user(&self, id: &str, user_id: &str) -> Result<Option<Webhook>, DbError> {
        Ok(self.get(id).await?.filter(|webhook| webhook.user_id == user_id))
    }

    /// Webhooks of a user, newest first.
    pub async fn list(&self, user_id: &str) -> Result<Vec<Webhook>, DbError> {
        sqlx::query("SELECT * FROM webhook WHERE user_id = $1 ORDER BY created_at DESC, id")
            .bind(user_id.to_owned())
            .fetch_all(self.0.reader())
            .await?
            .iter()
            .map(read)
            .collect()
    }

    pub async fn delete(&self, id: &str, user_id: &str) -> Result<bool, DbError> {
        let done = sqlx::query("DELETE FROM webhook WHERE id = $1 AND user_id = $2")
            .bind(id.to_owned())
            .bind(user_id.to_owned())
            .execute(self.0.writer())
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Accept a call. Says whether the id was new.
    pub async fn accept(&self, delivery: &Delivery) -> Result<bool, DbError> {
        let done = sqlx::query(
            "INSERT INTO webhook_delivery (id, webhook_id, user_id, state, kind, payload, session_id, next_at, created_at, updated_at) \
             VALUES ($1, $2, $3, 'pending', $4, $5, $6, $7, $7, $7) ON CONFLICT (id) DO NOTHING",
        )
        .bind(delivery.id.clone())
        .bind(delivery.webhook_id.clone())
        .bind(delivery.user_id.clone())
        .bind(delivery.kind.clone())
        .bind(delivery.payload.clone())
        .bind(delivery.session_id.clone())
        .bind(delivery.created_at)
        .execute(self.0.writer())
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Take due deliveries: each goes to one caller. One taken before `stuck_before` and never finished is due again.
    pub async fn take_due(&self, now: i64, stuck_before: i64, limit: u32) -> Result<Vec<Delivery>, DbError> {
        let due = sqlx::query(
            "SELECT id, updated_at FROM webhook_delivery WHERE (state = 'pending' AND next_at <= $1) \
             OR (state = 'inflight' AND updated_at < $2) ORDER BY next_at LIMIT $3",
        )
        .bind(now)
        .bind(stuck_before)
        .bind(i64::from(limit))
        .fetch_all(self.0.reader())
        .await?;
        let mut taken = Vec::new();
        for row in due {
            let row = sqlx::query(
                "UPDATE webhook_delivery SET state = 'inflight', attempts = attempts + 1, updated_at = $1 \
                 WHERE id = $2 AND updated_at = $3 AND state IN ('pending', 'inflight') RETURNING *",
            )
            .bind(now)
            .bind(row.text("id")?)
            .bind(row.int("updated_at")?)
            .fetch_optional(self.0.writer())
            .await?;
            if let Some(row) = row {
                taken.push(read_delivery(&row)?);
            }
        }
        Ok(taken)
    }

    pub async fn finish(&self, id: &str, state: &str, message: Option<&str>, now: i64) -> Result<(), DbError> {
        sqlx::query("UPDATE webhook_delivery SET state = $1, message = $2, updated_at = $3 WHERE id = $4")
            .bind(state.to_owned())
            .bind(message.map(str::to_owned))
            .bind(now)
            .bind(id.to_owned())
            .execute(self.0.writer())
            .await?;
        Ok(())
    }

    /// Try again at `next_at`.
    pub async fn postpone(&self, id: &str, message: &str, next_at: i64, now: i64) -> Result<(), DbError> {
        sqlx::query(
            "UPDATE webhook_delivery SET state = 'pending', message = $1, next_at = $2, updated_at = $3 WHERE id = $4",
        )
        .bind(message.to_owned())
        .bind(next_at)
        .bind(now)
        .bind(id.to_owned())
        .execute(self.0.writer())
        .await?;
        Ok(())
    }

    /// Deliveries of a webhook, newest first.
    pub async fn deliveries(&self, webhook_id: &str, user_id: &str, limit: u32) -> Result<Vec<Delivery>, DbError> {
        sqlx::query(
            "SELECT * FROM webhook_delivery WHERE webhook_id = $1 AND user_id = $2 ORDER BY created_at DESC, id LIMIT $3",
        )
        .bind(webhook_id.to_owned())
        .bind(user_id.to_owned())
        .bind(i64::from(limit))
        .fetch_all(self.0.reader())
        .await?
        .iter()
        .map(read_delivery)
        .collect()
    }

    pub async fn purge(&self, now: i64) -> Result<(), DbError> {
        sqlx::query("DELETE FROM webhook_delivery WHERE state IN ('delivered', 'failed') AND updated_at < $1")
            .bind(now - KEEP_MS)
            .execute(self.0.writer())
            .await?;
        Ok(())
    }
}

fn read(row: &AnyRow) -> Result<Webhook, DbError> {
    Ok(Webhook {
        id: row.text("id")?,
        user_id: row.text("user_id")?,
        name: row.text("name")?,
        sealed_secret: row.text("sealed_secret")?,
        secret_tail: row.text("secret_tail")?,
        source: row.text("source")?,
        event_filter: row.text_opt("event_filter")?,
        runner_id: row.text_opt("runner_id")?,
        cwd: row.text_opt("cwd")?,
        prompt: row.text_opt("prompt")?,
        model: row.text_opt("model")?,
        enabled: row.flag("enabled")?,
        created_at: row.int("created_at")?,
        updated_at: row.int("updated_at")?,
    })
}

fn read_delivery(row: &AnyRow) -> Result<Delivery, DbError> {
    Ok(Delivery {
        id: row.text("id")?,
        webhook_id: row.text("webhook_id")?,
        user_id: row.text("user_id")?,
        state: row.text("state")?,
        kind: row.text("kind")?,
        payload: row.text("payload")?,
        session_id: row.text_opt("session_id")?,
        attempts: row.int("attempts")?,
        message: row.text_opt("message")?,
        created_at: row.int("created_at")?,
        updated_at: row.int("updated_at")?,
    })
}

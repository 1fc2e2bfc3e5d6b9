//! Identity of runners: an id belongs to one user and one secret until its owner deletes it.

use sha2::{Digest, Sha256};
use sqlx::any::AnyRow;
use subtle::ConstantTimeEq;

use super::{Columns, Db, DbError};

/// A runner as it is remembered. Units: times in Unix ms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunnerRow {
    pub id: String,
    pub user_id: String,
    pub name: Option<String>,
    /// The last registration as JSON text, so that an offline runner can still be shown.
    pub info: String,
    pub first_seen_at: i64,
    pub last_seen_at: i64,
}

/// What [`Runners::claim`] decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Seen for the first time; the secret is remembered.
    New(RunnerRow),
    /// The same runner as before.
    Known(RunnerRow),
    /// Another user's runner, or the wrong secret.
    Refused,
}

/// Access to runners.
pub struct Runners<'a>(pub(super) &'a Db);

impl Runners<'_> {
    /// Prove or establish that `secret` speaks for `id`. The caller makes up id and secret for a runner that has none.
    pub async fn claim(&self, id: &str, user_id: &str, secret: &str, now: i64) -> Result<Claim, DbError> {
        let hash = hash_secret(secret);
        let inserted = sqlx::query(
            "INSERT INTO runner (id, user_id, secret_hash, first_seen_at, last_seen_at) VALUES ($1, $2, $3, $4, $4) \
             ON CONFLICT (id) DO NOTHING RETURNING *",
        )
        .bind(id.to_owned())
        .bind(user_id.to_owned())
        .bind(hash.clone())
        .bind(now)
        .fetch_optional(self.0.writer())
        .await?;
        if let Some(row) = inserted {
            return Ok(Claim::New(read(&row)?));
        }
        let known = sqlx::query("SELECT * FROM runner WHERE id = $1")
            .bind(id.to_owned())
            .fetch_optional(self.0.writer())
            .await?;
        let Some(row) = known else { return Ok(Claim::Refused) };
        let stored = row.text("secret_hash")?;
        let same = bool::from(stored.as_bytes().ct_eq(hash.as_bytes()));
        let runner = read(&row)?;
        if !same || runner.user_id != user_id {
            return Ok(Claim::Refused);
        }
        sqlx::query("UPDATE runner SET last_seen_at = $1 WHERE id = $2")
            .bind(now)
            .bind(id.to_owned())
            .execute(self.0.writer())
            .await?;
        Ok(Claim::Known(runner))
    }

    /// Remember name and description of the last registration.
    pub async fn describe(&self, id: &str, name: Option<&str>, info: &str, now: i64) -> Result<(), DbError> {
        sqlx::query("UPDATE runner SET name = COALESCE($1, name), info = $2, last_seen_at = $3 WHERE id = $4")
            .bind(name.map(str::to_owned))
            .bind(info.to_owned())
            .bind(now)
            .bind(id.to_owned())
            .execute(self.0.writer())
            .await?;
        Ok(())
    }

    pub async fn seen(&self, id: &str, now: i64) -> Result<(), DbError> {
        sqlx::query("UPDATE runner SET last_seen_at = $1 WHERE id = $2")
            .bind(now)
            .bind(id.to_owned())
            .execute(self.0.writer())
            .await?;
        Ok(())
    }

    pub async fn get(&self, id: &str) -> Result<Option<RunnerRow>, DbError> {
        sqlx::query("SELECT * FROM runner WHERE id = $1")
            .bind(id.to_owned())
            .fetch_optional(self.0.reader())
            .await?
            .map(|row| read(&row))
            .transpose()
    }

    /// Runners of a user, connected or not, last seen first.
    pub async fn list(&self, user_id: &str) -> Result<Vec<RunnerRow>, DbError> {
        sqlx::query("SELECT * FROM runner WHERE user_id = $1 ORDER BY last_seen_at DESC, id")
            .bind(user_id.to_owned())
            .fetch_all(self.0.reader())
            .await?
            .iter()
            .map(read)
            .collect()
    }

    /// Forget a runner and what was kept for it. Says whether the user had it.
    pub async fn delete(&self, id: &str, user_id: &str) -> Result<bool, DbError> {
        let mut transaction = self.0.writer().begin().await?;
        let done = sqlx::query("DELETE FROM runner WHERE id = $1 AND user_id = $2")
            .bind(id.to_owned())
            .bind(user_id.to_owned())
            .execute(&mut *transaction)
            .await?;
        if done.rows_affected() == 1 {
            for sql in [
                "DELETE FROM trigger_listener WHERE runner_id = $1",
                "DELETE FROM trigger_subscription WHERE runner_id = $1",
                "DELETE FROM recent_folder WHERE runner_id = $1",
            ] {
                sqlx::query(sql).bind(id.to_owned()).execute(&mut *transaction).await?;
            }
        }
        transaction.commit().await?;
        Ok(done.rows_affected() == 1)
    }
}

fn hash_secret(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

fn read(row: &AnyRow) -> Result<RunnerRow, DbError> {
    Ok(RunnerRow {
        id: row.text("id")?,
        user_id: row.text("user_id")?,
        name: row.text_opt("name")?,
        info: row.text("info")?,
        first_seen_at: row.int("first_seen_at")?,
        last_seen_at: row.int("last_seen_at")?,
    })
}

//! What may be used once.

use super::{Columns, Db, DbError};

/// Access to nonces.
pub struct Nonces<'a>(pub(super) &'a Db);

impl Nonces<'_> {
    pub async fn is_used(&self, value: &str, now: i64) -> Result<bool, DbError> {
        let row = sqlx::query("SELECT COUNT(*) AS found FROM nonce WHERE value = $1 AND expires_at > $2")
            .bind(value.to_owned())
            .bind(now)
            .fetch_one(self.0.reader())
            .await?;
        Ok(row.int("found")? > 0)
    }

    /// Use it up until `expires_at`. Says whether this call was the first.
    pub async fn consume(&self, value: &str, expires_at: i64, now: i64) -> Result<bool, DbError> {
        let done = sqlx::query(
            "INSERT INTO nonce (value, expires_at) VALUES ($1, $2) \
             ON CONFLICT (value) DO UPDATE SET expires_at = excluded.expires_at WHERE nonce.expires_at <= $3",
        )
        .bind(value.to_owned())
        .bind(expires_at)
        .bind(now)
        .execute(self.0.writer())
        .await?;
        Ok(done.rows_affected() == 1)
    }

    pub async fn purge(&self, now: i64) -> Result<(), DbError> {
        sqlx::query("DELETE FROM nonce WHERE expires_at <= $1").bind(now).execute(self.0.writer()).await?;
        Ok(())
    }
}

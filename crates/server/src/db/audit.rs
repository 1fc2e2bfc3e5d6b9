//! Who did what to credentials and access: appended, never changed.

use super::{Columns, Db, DbError};

/// Entries are kept this long. Units: ms.
const KEEP_MS: i64 = 365 * 24 * 60 * 60 * 1000;

/// One act. Units: time in Unix ms. `detail` never holds secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    pub at: i64,
    pub user_id: Option<String>,
    pub action: String,
    pub subject: Option<String>,
    pub address: Option<String>,
    pub detail: Option<String>,
}

/// Access to the audit trail.
pub struct Audit<'a>(pub(super) &'a Db);

impl Audit<'_> {
    pub async fn append(&self, entry: &Entry) -> Result<(), DbError> {
        sqlx::query(
            "INSERT INTO audit (at, user_id, action, subject, address, detail) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(entry.at)
        .bind(entry.user_id.clone())
        .bind(entry.action.clone())
        .bind(entry.subject.clone())
        .bind(entry.address.clone())
        .bind(entry.detail.clone())
        .execute(self.0.writer())
        .await?;
        Ok(())
    }

    /// Acts concerning a user, newest first, before entry `before`.
    pub async fn list(&self, user_id: &str, before: Option<i64>, limit: u32) -> Result<Vec<(i64, Entry)>, DbError> {
        sqlx::query("SELECT * FROM audit WHERE user_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3")
            .bind(user_id.to_owned())
            .bind(before.unwrap_or(i64::MAX))
            .bind(i64::from(limit))
            .fetch_all(self.0.reader())
            .await?
            .iter()
            .map(|row| {
                let entry = Entry {
                    at: row.int("at")?,
                    user_id: row.text_opt("user_id")?,
                    action: row.text("action")?,
                    subject: row.text_opt("subject")?,
                    address: row.text_opt("address")?,
                    detail: row.text_opt("detail")?,
                };
                Ok((row.int("id")?, entry))
            })
            .collect()
    }

    pub async fn purge(&self, now: i64) -> Result<(), DbError> {
        sqlx::query("DELETE FROM audit WHERE at < $1").bind(now - KEEP_MS).execute(self.0.writer()).await?;
        Ok(())
    }
}

//! Phones being linked. A link is known by the hash of its id; whoever holds the id holds the link.

use sqlx::any::AnyRow;

use super::{Columns, Db, DbError};

/// A link. Units: times in Unix ms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MobileLink {
    pub user_id: String,
    /// `pending`, `scanned`, `approved` or `redeemed`.
    pub status: String,
    pub relay_url: String,
    /// What the phone shows and the person compares.
    pub verification: Option<String>,
    pub device_name: Option<String>,
    pub scanned_url: Option<String>,
    /// The key minted at approval ends no later than the credential of whoever made the link.
    pub key_expires_at: Option<i64>,
    pub created_at: i64,
    pub expires_at: i64,
}

/// Access to links.
pub struct MobileLinks<'a>(pub(super) &'a Db);

impl MobileLinks<'_> {
    pub async fn insert(&self, id_hash: &str, link: &MobileLink) -> Result<(), DbError> {
        sqlx::query(
            "INSERT INTO mobile_link (id_hash, user_id, status, relay_url, key_expires_at, created_at, expires_at) \
             VALUES ($1, $2, 'pending', $3, $4, $5, $6)",
        )
        .bind(id_hash.to_owned())
        .bind(link.user_id.clone())
        .bind(link.relay_url.clone())
        .bind(link.key_expires_at)
        .bind(link.created_at)
        .bind(link.expires_at)
        .execute(self.0.writer())
        .await?;
        Ok(())
    }

    pub async fn get(&self, id_hash: &str) -> Result<Option<MobileLink>, DbError> {
        sqlx::query("SELECT * FROM mobile_link WHERE id_hash = $1")
            .bind(id_hash.to_owned())
            .fetch_optional(self.0.reader())
            .await?
            .map(|row| read(&row))
            .transpose()
    }

    /// `pending` becomes `scanned`, for the first phone only.
    pub async fn scan(
        &self,
        id_hash: &str,
        verification: &str,
        device_name: Option<&str>,
        scanned_url: Option<&str>,
        now: i64,
    ) -> Result<bool, DbError> {
        let done = sqlx::query(
            "UPDATE mobile_link SET status = 'scanned', verification = $1, device_name = $2, scanned_url = $3 \
             WHERE id_hash = $4 AND status = 'pending' AND expires_at > $5",
        )
        .bind(verification.to_owned())
        .bind(device_name.map(str::to_owned))
        .bind(scanned_url.map(str::to_owned))
        .bind(id_hash.to_owned())
        .bind(now)
        .execute(self.0.writer())
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// `scanned` becomes `approved`, when the code is the one the phone shows.
    pub async fn approve(
        &self,
        id_hash: &str,
        user_id: &str,
        verification: &str,
        sealed_key: &str,
        now: i64,
    ) -> Result<bool, DbError> {
        let done = sqlx::query(
            "UPDATE mobile_link SET status = 'approved', sealed_key = $1 \
             WHERE id_hash = $2 AND user_id = $3 AND verification = $4 AND status = 'scanned' AND expires_at > $5",
        )
        .bind(sealed_key.to_owned())
        .bind(id_hash.to_owned())
        .bind(user_id.to_owned())
        .bind(verification.to_owned())
        .bind(now)
        .execute(self.0.writer())
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// `approved` becomes `redeemed`; the sealed key goes to this caller and nobody after.
    pub async fn redeem(&self, id_hash: &str, now: i64) -> Result<Option<String>, DbError> {
        let mut transaction = self.0.writer().begin().await?;
        let done = sqlx::query(
            "UPDATE mobile_link SET status = 'redeemed' WHERE id_hash = $1 AND status = 'approved' AND expires_at > $2",
        )
        .bind(id_hash.to_owned())
        .bind(now)
        .execute(&mut *transaction)
        .await?;
        if done.rows_affected() != 1 {
            return Ok(None);
        }
        let row = sqlx::query("SELECT sealed_key FROM mobile_link WHERE id_hash = $1")
            .bind(id_hash.to_owned())
            .fetch_one(&mut *transaction)
            .await?;
        let sealed = row.text_opt("sealed_key")?;
        sqlx::query("UPDATE mobile_link SET sealed_key = NULL WHERE id_hash = $1")
            .bind(id_hash.to_owned())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(sealed)
    }

    /// Remove links an hour after their end.
    pub async fn purge(&self, now: i64) -> Result<(), DbError> {
        const HOUR_MS: i64 = 60 * 60 * 1000;
        sqlx::query("DELETE FROM mobile_link WHERE expires_at < $1")
            .bind(now - HOUR_MS)
            .execute(self.0.writer())
            .await?;
        Ok(())
    }
}

fn read(row: &AnyRow) -> Result<MobileLink, DbError> {
    Ok(MobileLink {
        user_id: row.text("user_id")?,
        status: row.text("status")?,
        relay_url: row.text("relay_url")?,
        verification: row.text_opt("verification")?,
        device_name: row.text_opt("device_name")?,
        scanned_url: row.text_opt("scanned_url")?,
        key_expires_at: row.int_opt("key_expires_at")?,
        created_at: row.int("created_at")?,
        expires_at: row.int("expires_at")?,
    })
}

//! What is known about uploaded files and images taken out of transcripts; the bytes lie on disk under the id.

use sqlx::any::AnyRow;

use super::{Columns, Db, DbError};

/// A stored file. Units: times in Unix ms, size in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    pub id: String,
    pub session_id: String,
    pub owner_id: String,
    pub uploader_id: Option<String>,
    pub filename: String,
    pub mime_type: String,
    pub size: i64,
    /// Taken out of a transcript rather than uploaded.
    pub extracted: bool,
    /// SHA-256, hexadecimal; equal bytes of one owner are stored once.
    pub digest: Option<String>,
    pub created_at: i64,
    pub expires_at: i64,
}

/// Access to attachments.
pub struct Attachments<'a>(pub(super) &'a Db);

impl Attachments<'_> {
    pub async fn insert(&self, attachment: &Attachment) -> Result<(), DbError> {
        sqlx::query(
            "INSERT INTO attachment (id, session_id, owner_id, uploader_id, filename, mime_type, size, extracted, digest, \
             created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        )
        .bind(attachment.id.clone())
        .bind(attachment.session_id.clone())
        .bind(attachment.owner_id.clone())
        .bind(attachment.uploader_id.clone())
        .bind(attachment.filename.clone())
        .bind(attachment.mime_type.clone())
        .bind(attachment.size)
        .bind(i64::from(attachment.extracted))
        .bind(attachment.digest.clone())
        .bind(attachment.created_at)
        .bind(attachment.expires_at)
        .execute(self.0.writer())
        .await?;
        Ok(())
    }

    pub async fn get(&self, id: &str) -> Result<Option<Attachment>, DbError> {
        sqlx::query("SELECT * FROM attachment WHERE id = $1")
            .bind(id.to_owned())
            .fetch_optional(self.0.reader())
            .await?
            .map(|row| read(&row))
            .transpose()
    }

    /// An image with the same bytes taken out of the same session before.
    pub async fn extracted_copy(&self, session_id: &str, digest: &str) -> Result<Option<Attachment>, DbError> {
        sqlx::query("SELECT * FROM attachment WHERE session_id = $1 AND digest = $2 AND extracted = 1")
            .bind(session_id.to_owned())
            .bind(digest.to_owned())
            .fetch_optional(self.0.reader())
            .await?
            .map(|row| read(&row))
            .transpose()
    }

    /// Bytes a user has stored.
    pub async fn used_bytes(&self, owner_id: &str) -> Result<i64, DbError> {
        let row =
            sqlx::query("SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) AS used FROM attachment WHERE owner_id = $1")
                .bind(owner_id.to_owned())
                .fetch_one(self.0.reader())
                .await?;
        row.int("used")
    }

    /// Keep a file at least until `expires_at`; never shortens.
    pub async fn keep_until(&self, id: &str, expires_at: i64) -> Result<(), DbError> {
        sqlx::query("UPDATE attachment SET expires_at = $1 WHERE id = $2 AND expires_at < $1")
            .bind(expires_at)
            .bind(id.to_owned())
            .execute(self.0.writer())
            .await?;
        Ok(())
    }

    /// Forget files past their time, except images that a kept session still shows; answers with their ids.
    pub async fn take_expired(&self, now: i64) -> Result<Vec<String>, DbError> {
        sqlx::query(
            "DELETE FROM attachment WHERE expires_at < $1 AND (extracted = 0 OR NOT EXISTS \
             (SELECT 1 FROM relay_session WHERE relay_session.id = attachment.session_id)) RETURNING id",
        )
        .bind(now)
        .fetch_all(self.0.writer())
        .await?
        .iter()
        .map(|row| row.text("id"))
        .collect()
    }
}

fn read(row: &AnyRow) -> Result<Attachment, DbError> {
    Ok(Attachment {
        id: row.text("id")?,
        session_id: row.text("session_id")?,
        owner_id: row.text("owner_id")?,
        uploader_id: row.text_opt("uploader_id")?,
        filename: row.text("filename")?,
        mime_type: row.text("mime_type")?,
        size: row.int("size")?,
        extracted: row.flag("extracted")?,
        digest: row.text_opt("digest")?,
        created_at: row.int("created_at")?,
        expires_at: row.int("expires_at")?,
    })
}

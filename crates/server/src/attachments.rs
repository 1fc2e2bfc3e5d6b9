//! Files on disk: uploads and images taken out of transcripts, under random names, with their rows in the database.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

use crate::app::App;
use crate::db::DbError;
use crate::db::attachments::Attachment;

/// How long a link to one attachment works.
pub const TOKEN_LIFETIME: Duration = Duration::from_secs(5 * 60);
const SWEEP: Duration = Duration::from_secs(60);
/// Longest file name kept. Units: characters.
const MAX_NAME: usize = 255;
/// Bytes looked at to tell what a file is.
const SNIFF: usize = 512;

/// Types shown in the page; everything else is only ever downloaded.
const INLINE: [&str; 15] = [
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/avif",
    "image/bmp",
    "image/x-icon",
    "image/tiff",
    "application/pdf",
    "text/plain",
    "video/mp4",
    "video/webm",
    "audio/mpeg",
    "audio/ogg",
    "audio/wav",
];

/// Why a file was not stored.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("file exceeds {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("storage quota of {quota} bytes exceeded")]
    OverQuota { quota: u64 },
    #[error("upload was interrupted: {0}")]
    Interrupted(String),
    #[error("cannot store the file: {0}")]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Db(#[from] DbError),
}

/// A file to store.
#[derive(Clone, Debug)]
pub struct NewFile<'a> {
    pub session_id: &'a str,
    pub owner_id: &'a str,
    pub uploader_id: Option<&'a str>,
    pub filename: &'a str,
    /// What the sender says it is; believed only where the bytes do not say otherwise.
    pub claimed_type: Option<&'a str>,
}

/// Write a stream to disk; stops reading as soon as a bound is passed.
pub async fn store<S, E>(app: &App, file: NewFile<'_>, mut bytes: S) -> Result<Attachment, StoreError>
where
    S: Stream<Item = Result<bytes::Bytes, E>> + Unpin,
    E: std::fmt::Display,
{
    let limit = app.config.attachments.max_file_bytes;
    let quota = app.config.attachments.quota_bytes;
    let used = u64::try_from(app.db.attachments().used_bytes(file.owner_id).await?).unwrap_or(0);
    let id = uuid::Uuid::new_v4().to_string();
    let dir = app.config.attachment_dir();
    crate::db::private_dir(&dir)?;
    let path = dir.join(&id);
    let partial = Partial { path: dir.join(format!("{id}.part")), keep: false };
    crate::db::private_file(&partial.path)?;
    let mut out = tokio::fs::OpenOptions::new().write(true).open(&partial.path).await?;
    let mut hash = Sha256::new();
    let mut head = Vec::with_capacity(SNIFF);
    let mut size = 0_u64;
    while let Some(chunk) = bytes.next().await {
        let chunk = chunk.map_err(|error| StoreError::Interrupted(error.to_string()))?;
        size += chunk.len() as u64;
        if size > limit {
            return Err(StoreError::TooLarge { limit });
        }
        if used + size > quota {
            return Err(StoreError::OverQuota { quota });
        }
        head.extend_from_slice(&chunk[..chunk.len().min(SNIFF - head.len())]);
        hash.update(&chunk);
        out.write_all(&chunk).await?;
    }
    out.sync_all().await?;
    drop(out);
    tokio::fs::rename(&partial.path, &path).await?;
    let mut partial = partial;
    partial.keep = true;

    let now = app.clock.now_ms();
    let attachment = Attachment {
        id,
        session_id: file.session_id.to_owned(),
        owner_id: file.owner_id.to_owned(),
        uploader_id: file.uploader_id.map(str::to_owned),
        filename: clean_name(file.filename),
        mime_type: content_type(&head, file.claimed_type).to_owned(),
        size: i64::try_from(size).unwrap_or(i64::MAX),
        extracted: file.uploader_id.is_none(),
        digest: Some(hex::encode(hash.finalize())),
        created_at: now,
        expires_at: now + ttl_ms(app),
    };
    if let Err(error) = app.db.attachments().insert(&attachment).await {
        remove(&path).await;
        return Err(error.into());
    }
    Ok(attachment)
}

/// Keep an image that was inside a transcript event; the same image of a session is stored once. Answers with its id.
pub async fn store_extracted(
    app: &App,
    user_id: &str,
    session_id: &str,
    mime_type: &str,
    bytes: bytes::Bytes,
) -> Result<String, StoreError> {
    let digest = hex::encode(Sha256::digest(&bytes));
    if let Some(known) = app.db.attachments().extracted_copy(session_id, &digest).await? {
        return Ok(known.id);
    }
    let extension = mime_type.rsplit('/').next().unwrap_or("bin");
    let filename = format!("image-{}.{extension}", &digest[..8]);
    let file = NewFile {
        session_id,
        owner_id: user_id,
        uploader_id: None,
        filename: &filename,
        claimed_type: Some(mime_type),
    };
    let once = futures_util::stream::iter([Ok::<_, std::convert::Infallible>(bytes)]);
    Ok(store(app, file, once).await?.id)
}

/// Where the bytes of a stored file lie. The id comes from the database, never from a request.
pub fn path_of(app: &App, attachment: &Attachment) -> PathBuf {
    app.config.attachment_dir().join(&attachment.id)
}

/// The agent has fetched it: keep it a while longer, in case it asks again.
pub async fn fetched(app: &App, attachment: &Attachment) -> Result<(), DbError> {
    app.db.attachments().keep_until(&attachment.id, app.clock.now_ms() + ttl_ms(app)).await
}

/// Is this type safe to show in the page?
pub fn is_inline(mime_type: &str) -> bool {
    INLINE.contains(&mime_type)
}

/// Start removing what has expired.
pub(crate) fn start(app: &App) {
    let sweeper = app.clone();
    app.tasks.every("attachment sweep", SWEEP, move || {
        let app = sweeper.clone();
        async move {
            match app.db.attachments().take_expired(app.clock.now_ms()).await {
                Ok(ids) => {
                    for id in ids {
                        remove(&app.config.attachment_dir().join(id)).await;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "expired attachments were not removed; the next sweep tries again")
                }
            }
        }
    });
}

fn ttl_ms(app: &App) -> i64 {
    i64::try_from(app.config.attachments.ttl.as_millis()).unwrap_or(i64::MAX)
}

async fn remove(path: &Path) {
    match tokio::fs::remove_file(path).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::warn!(%error, path = %path.display(), "attachment file was not removed");
        }
        _ => {}
    }
}

/// An unfinished upload; its file goes with it.
struct Partial {
    path: PathBuf,
    keep: bool,
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.keep
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            tracing::warn!(%error, path = %self.path.display(), "unfinished upload was not removed");
        }
    }
}

/// The last component, without control characters; it names the download and never a path.
fn clean_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let kept: String = last.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect();
    if kept.trim().is_empty() { "file".to_owned() } else { kept }
}

/// What the bytes are; a claim counts only for types that cannot run in a page.
fn content_type<'c>(head: &[u8], claimed: Option<&'c str>) -> &'c str {
    let sniffed = sniff(head);
    let claimed = claimed.map(|claim| claim.split(';').next().unwrap_or_default().trim());
    match (sniffed, claimed) {
        (Some(sniffed), _) => sniffed,
        (None, Some("text/plain" | "text/markdown" | "text/csv" | "application/json")) if is_text(head) => {
            claimed.unwrap_or("text/plain")
        }
        (None, Some(claim)) if claim.starts_with("image/") || claim.starts_with("text/html") => {
            "application/octet-stream"
        }
        (None, Some(claim)) if INLINE.contains(&claim) && claim != "application/pdf" && !claim.starts_with("text/") => {
            claim
        }
        _ if is_text(head) && !head.is_empty() => "text/plain",
        _ => "application/octet-stream",
    }
}

fn sniff(head: &[u8]) -> Option<&'static str> {
    let at = |offset: usize, magic: &[u8]| head.get(offset..offset + magic.len()) == Some(magic);
    let brand = |brands: &[&[u8]]| at(4, b"ftyp") && brands.iter().any(|brand| at(8, brand));
    Some(match () {
        () if at(0, b"\x89PNG\r\n\x1a\n") => "image/png",
        () if at(0, b"\xff\xd8\xff") => "image/jpeg",
        () if at(0, b"GIF87a") || at(0, b"GIF89a") => "image/gif",
        () if at(0, b"RIFF") && at(8, b"WEBP") => "image/webp",
        () if at(0, b"RIFF") && at(8, b"WAVE") => "audio/wav",
        () if brand(&[b"avif", b"avis"]) => "image/avif",
        () if brand(&[b"isom", b"mp41", b"mp42", b"avc1", b"iso2", b"M4V "]) => "video/mp4",
        () if at(0, b"BM") && head.len() > 14 && head[6..10] == [0; 4] => "image/bmp",
        () if at(0, b"\0\0\x01\0") => "image/x-icon",
        () if at(0, b"II*\0") || at(0, b"MM\0*") => "image/tiff",
        () if at(0, b"%PDF-") => "application/pdf",
        () if at(0, b"\x1a\x45\xdf\xa3") => "video/webm",
        () if at(0, b"OggS") => "audio/ogg",
        () if at(0, b"ID3") => "audio/mpeg",
        () => return None,
    })
}

fn is_text(head: &[u8]) -> bool {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        // A character cut at the end of what was looked at.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t' | '\u{c}' | '\u{1b}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_decide_what_a_file_is() {
        assert_eq!(content_type(b"\x89PNG\r\n\x1a\nrest", Some("text/html")), "image/png");
        assert_eq!(content_type(b"<svg onload=alert(1)>", Some("image/svg+xml")), "application/octet-stream");
        assert_eq!(content_type(b"<html>", Some("text/html")), "application/octet-stream");
        assert_eq!(content_type(b"<html>", Some("image/png")), "application/octet-stream");
        assert_eq!(content_type("grüße".as_bytes(), None), "text/plain");
        assert_eq!(content_type(b"a,b", Some("text/csv; charset=utf-8")), "text/csv");
        assert_eq!(content_type(b"\0\x02", Some("application/x-thing")), "application/octet-stream");
    }

    #[test]
    fn a_name_never_contains_a_path() {
        assert_eq!(clean_name("../../etc/passwd"), "passwd");
        assert_eq!(clean_name("C:\\x\\y.txt"), "y.txt");
        assert_eq!(clean_name("a\r\nb"), "ab");
        assert_eq!(clean_name("/"), "file");
    }
}

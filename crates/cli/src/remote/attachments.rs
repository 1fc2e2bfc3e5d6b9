//! Files people send along with a prompt: fetched, stored, and turned into what the agent reads.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use pizzapi_protocol::limits::ATTACHMENT_MAX_BYTES;
use pizzapi_protocol::{Attachment, ImageBlock};
use reqwest::header::CONTENT_TYPE;
use serde_json::json;
use tokio::sync::Mutex;

/// One file: a slow phone uploads first, so what we fetch is already with the relay.
const FETCH_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest file name we keep. Units: bytes.
const MAX_NAME: usize = 150;

/// Why an attachment could not be had. It fails its whole prompt: an agent that answers without the file would mislead.
#[derive(Debug, thiserror::Error)]
pub(super) enum AttachmentError {
    #[error("failed to fetch the attachment `{name}`: {message}")]
    Fetch { name: String, message: String },
    #[error("the attachment `{0}` has an address that is no data URL")]
    Url(String),
    #[error("the attachment `{name}` is larger than {max} bytes")]
    TooLarge { name: String, max: usize },
    #[error("failed to store the attachment `{name}`: {source}")]
    Store { name: String, source: std::io::Error },
    #[error("failed to prepare the HTTP client: {0}")]
    Client(String),
}

/// What a prompt gets from its attachments.
#[derive(Debug, Default)]
pub(super) struct Resolved {
    pub images: Vec<ImageBlock>,
    /// Lines that name the stored files that are no pictures.
    pub notes: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Attachments {
    http_url: String,
    api_key: String,
    folder: PathBuf,
    /// Names are chosen one after the other.
    saving: Mutex<()>,
}

struct Fetched {
    name: String,
    media_type: String,
    bytes: Vec<u8>,
}

impl Attachments {
    pub fn new(http_url: String, api_key: String, folder: PathBuf) -> Self {
        Self { http_url, api_key, folder, saving: Mutex::default() }
    }

    /// All of `attachments`, or the first failure.
    pub async fn resolve(&self, session: &str, attachments: &[Attachment]) -> Result<Resolved, AttachmentError> {
        let mut resolved = Resolved::default();
        for attachment in attachments.iter().filter(|attachment| attachment.is_usable()) {
            let fetched = self.fetch(attachment).await?;
            let path = self.save(session, &fetched).await?;
            let is_picture = fetched.media_type.starts_with("image/") && fetched.media_type != "image/svg+xml";
            match is_picture.then(|| picture(&fetched)).flatten() {
                Some(image) => resolved.images.push(image),
                None => resolved.notes.push(format!("[Attached file {}: {}]", fetched.name, path.display())),
            }
        }
        Ok(resolved)
    }

    async fn fetch(&self, attachment: &Attachment) -> Result<Fetched, AttachmentError> {
        let named = attachment.filename.clone().filter(|name| !name.trim().is_empty());
        let fetched = match attachment.attachment_id.as_deref().filter(|id| !id.is_empty()) {
            Some(id) => self.download(id, named.as_deref()).await?,
            None => from_data_url(attachment.url.as_deref().unwrap_or_default(), named.as_deref())?,
        };
        if fetched.bytes.len() > ATTACHMENT_MAX_BYTES {
            return Err(AttachmentError::TooLarge { name: fetched.name, max: ATTACHMENT_MAX_BYTES });
        }
        Ok(fetched)
    }

    async fn download(&self, id: &str, named: Option<&str>) -> Result<Fetched, AttachmentError> {
        let label = named.unwrap_or(id).to_owned();
        let failed = |message: String| AttachmentError::Fetch { name: label.clone(), message };
        // A second installation of the same provider changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .timeout(FETCH_TIMEOUT)
            .build()
            .map_err(|error| AttachmentError::Client(error.to_string()))?;
        let mut url = url::Url::parse(&self.http_url).map_err(|error| failed(error.to_string()))?;
        url.path_segments_mut()
            .map_err(|()| failed("the relay's address has no path".to_owned()))?
            .pop_if_empty()
            .extend(["api", "attachments", id]);
        let response = client.get(url).header("x-api-key", &self.api_key).send().await;
        let mut response =
            response.and_then(reqwest::Response::error_for_status).map_err(|error| failed(error.to_string()))?;
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        let media_type = header(CONTENT_TYPE.as_str()).unwrap_or("application/octet-stream");
        let media_type = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let name = header("x-attachment-filename").map(percent_decode).filter(|name| !name.trim().is_empty());
        let name = name.unwrap_or_else(|| label.clone());
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| failed(error.to_string()))? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > ATTACHMENT_MAX_BYTES {
                return Err(AttachmentError::TooLarge { name, max: ATTACHMENT_MAX_BYTES });
            }
        }
        Ok(Fetched { name, media_type, bytes })
    }

    async fn save(&self, session: &str, fetched: &Fetched) -> Result<PathBuf, AttachmentError> {
        let _turn = self.saving.lock().await;
        let folder = self.folder.join(safe_name(session));
        let name = safe_name(&fetched.name);
        let bytes = fetched.bytes.clone();
        let meta = |stored_as: &str| {
            json!({
                "filename": fetched.name, "mediaType": fetched.media_type, "size": fetched.bytes.len(),
                "savedAt": time::OffsetDateTime::now_utc().unix_timestamp(), "storedAs": stored_as,
            })
        };
        let path = free_path(&folder, &name);
        let stored_as = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let sidecar = serde_json::to_vec(&meta(&stored_as)).expect("a JSON value serialises");
        let target = path.clone();
        let stored = tokio::task::spawn_blocking(move || {
            std::fs::create_dir_all(&folder)?;
            std::fs::write(&target, bytes)?;
            std::fs::write(folder.join(format!("{stored_as}.meta.json")), sidecar)
        });
        let stored = stored.await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        stored.map_err(|source| AttachmentError::Store { name: fetched.name.clone(), source })?;
        Ok(path)
    }
}

/// A picture the model can look at; `None` when its content is something else.
fn picture(fetched: &Fetched) -> Option<ImageBlock> {
    let mime_type = pizzapi_tools::image::sniff(&fetched.bytes)?;
    let prepared = pizzapi_tools::image::prepare(fetched.bytes.clone(), mime_type).ok()?;
    let block = json!({ "data": prepared.base64(), "mimeType": prepared.mime_type });
    serde_json::from_value(block).ok()
}

fn from_data_url(url: &str, named: Option<&str>) -> Result<Fetched, AttachmentError> {
    let name = named.unwrap_or("attachment").to_owned();
    let parts = url.strip_prefix("data:").and_then(|rest| rest.split_once(','));
    let Some((head, data)) = parts else { return Err(AttachmentError::Url(name)) };
    let Some(media_type) = head.strip_suffix(";base64") else { return Err(AttachmentError::Url(name)) };
    let media_type = media_type.split(';').next().unwrap_or_default().to_ascii_lowercase();
    match base64::engine::general_purpose::STANDARD.decode(data.trim()) {
        Ok(bytes) => Ok(Fetched { name, media_type, bytes }),
        Err(_) => Err(AttachmentError::Url(name)),
    }
}

/// A name that stays in its folder on every system.
fn safe_name(name: &str) -> String {
    let base = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut safe: String =
        base.chars().map(|c| if c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ' ') { c } else { '_' }).collect();
    while safe.len() > MAX_NAME {
        safe.remove(0);
    }
    let safe = safe.trim().trim_start_matches('.');
    if safe.is_empty() { "file".to_owned() } else { safe.to_owned() }
}

/// `name`, or `name-2`, `name-3` … before the extension.
fn free_path(folder: &Path, name: &str) -> PathBuf {
    let (stem, extension) = match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => (stem, format!(".{extension}")),
        _ => (name, String::new()),
    };
    let numbered = (2u32..).map(|n| folder.join(format!("{stem}-{n}{extension}")));
    std::iter::once(folder.join(name))
        .chain(numbered)
        .find(|path| path.symlink_metadata().is_err())
        .expect("some number is free")
}

fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%').then(|| bytes.get(at + 1..at + 3)).flatten();
        match hex.and_then(|hex| std::str::from_utf8(hex).ok()).and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_their_folder() {
        assert_eq!(safe_name("../../etc/passwd"), "passwd");
        assert_eq!(safe_name("..\\..\\x.txt"), "x.txt");
        assert_eq!(safe_name(".."), "file");
        assert_eq!(safe_name("a b:c?.png"), "a b_c_.png");
        assert_eq!(percent_decode("gr%C3%BCn%20%zz"), "grün %zz");
    }

    #[tokio::test]
    async fn data_addresses_are_stored_and_never_overwrite_each_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let attachments = Attachments::new(String::new(), String::new(), folder.path().to_path_buf());
        let text = Attachment {
            filename: Some("notes.txt".to_owned()),
            url: Some("data:text/plain;charset=utf-8;base64,aGVsbG8=".to_owned()),
            ..Attachment::default()
        };
        let resolved = attachments.resolve("s1", &[text.clone(), text]).await.expect("both");
        assert_eq!(resolved.notes.len(), 2);
        for name in ["notes.txt", "notes-2.txt"] {
            assert_eq!(std::fs::read_to_string(folder.path().join("s1").join(name)).expect(name), "hello");
        }
        assert!(folder.path().join("s1/notes-2.txt.meta.json").exists());
        let remote = Attachment { url: Some("https://example.com/x".to_owned()), ..Attachment::default() };
        assert!(matches!(attachments.resolve("s1", &[remote]).await, Err(AttachmentError::Url(_))));
    }
}

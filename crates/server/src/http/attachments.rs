//! Files over HTTP: uploaded by people, fetched by agents and pages.

use std::collections::HashMap;

use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequest, Multipart, Path, Query, Request, State};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use super::error::ApiError;
use super::extract::{Caller, Signed, check_length};
use crate::app::App;
use crate::attachments::{self, NewFile, TOKEN_LIFETIME};
use crate::auth::{self, Via, sealed};
use crate::clock::iso;
use crate::db::attachments::Attachment;

/// Largest upload request. Units: bytes.
pub const MAX_UPLOAD: usize = 50 * 1024 * 1024;
/// Files of one upload.
const MAX_FILES: usize = 20;
const TOKEN_PURPOSE: &str = "attachment";

pub async fn upload(
    State(app): State<App>,
    Signed(principal): Signed,
    Path(session_id): Path<String>,
    request: Request,
) -> Result<Json<Value>, ApiError> {
    check_length(request.headers(), MAX_UPLOAD)?;
    let row = app.db.sessions().of_user(&session_id, &principal.user_id).await?;
    if row.is_none_or(|row| row.ended_at.is_some()) {
        return Err(ApiError::not_found("Session is not live"));
    }
    let mut form = Multipart::from_request(request, &app)
        .await
        .map_err(|error| ApiError::bad_request(format!("Invalid multipart body: {}", error.body_text())))?;
    let mut stored = Vec::new();
    while let Some(field) = form.next_field().await.map_err(|error| {
        let status = error.status();
        ApiError::new(status, format!("Invalid multipart body: {}", error.body_text()))
    })? {
        if !matches!(field.name(), Some("files" | "file")) {
            continue;
        }
        if stored.len() == MAX_FILES {
            return Err(ApiError::bad_request(format!("At most {MAX_FILES} files at once")));
        }
        let filename = field.file_name().unwrap_or("file").to_owned();
        let claimed = field.content_type().map(str::to_owned);
        let file = NewFile {
            session_id: &session_id,
            owner_id: &principal.user_id,
            uploader_id: Some(&principal.user_id),
            filename: &filename,
            claimed_type: claimed.as_deref(),
        };
        stored.push(attachments::store(&app, file, field.boxed()).await?);
    }
    if stored.is_empty() {
        return Err(ApiError::bad_request("No files uploaded"));
    }
    let list: Vec<Value> = stored
        .iter()
        .map(|file| {
            json!({
                "attachmentId": file.id,
                "filename": file.filename,
                "mimeType": file.mime_type,
                "size": file.size,
                "expiresAt": iso(file.expires_at),
            })
        })
        .collect();
    Ok(Json(json!({ "attachments": list })))
}

/// A link to one file that works for a few minutes without a login.
pub async fn token(
    State(app): State<App>,
    Signed(principal): Signed,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let attachment = owned(&app, &id, &principal.user_id).await?;
    let expires_at = app.clock.now_ms() + i64::try_from(TOKEN_LIFETIME.as_millis()).unwrap_or(i64::MAX);
    let claims = json!({ "v": 1, "userId": principal.user_id, "attachmentId": attachment.id, "exp": expires_at });
    let token = sealed::sign_json(app.auth.secret(), TOKEN_PURPOSE, &claims.to_string());
    Ok(Json(json!({ "token": token, "expiresAt": iso(expires_at) })))
}

pub async fn download(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (user_id, by_agent) = match query.get("token") {
        Some(token) => (token_user(&app, token, &id)?, false),
        None => {
            let principal = auth::authenticate_request(&app, &headers, &caller.address).await?;
            let by_agent = matches!(principal.via, Via::ApiKey { .. });
            (principal.user_id, by_agent)
        }
    };
    let attachment = owned(&app, &id, &user_id).await?;
    let path = attachments::path_of(&app, &attachment);
    let Ok(mut file) = tokio::fs::File::open(&path).await else {
        tracing::error!(attachment.id = %attachment.id, "the file of an attachment is missing on disk");
        return Err(ApiError::not_found("Attachment not found"));
    };
    if by_agent {
        attachments::fetched(&app, &attachment).await?;
    }
    let size = u64::try_from(attachment.size).unwrap_or(0);
    let mut response = Response::new(Body::empty());
    match range(&headers, size) {
        Range::Whole => {
            describe(response.headers_mut(), &attachment, size);
            *response.body_mut() = Body::from_stream(ReaderStream::new(file));
        }
        Range::Part(from, to) => {
            file.seek(std::io::SeekFrom::Start(from)).await.map_err(crate::attachments::StoreError::Io)?;
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            describe(response.headers_mut(), &attachment, to - from + 1);
            if let Ok(value) = HeaderValue::from_str(&format!("bytes {from}-{to}/{size}")) {
                response.headers_mut().insert(header::CONTENT_RANGE, value);
            }
            *response.body_mut() = Body::from_stream(ReaderStream::new(file.take(to - from + 1)));
        }
        Range::Impossible => {
            let mut refused = ApiError::new(StatusCode::RANGE_NOT_SATISFIABLE, "Range not satisfiable").into_response();
            if let Ok(value) = HeaderValue::from_str(&format!("bytes */{size}")) {
                refused.headers_mut().insert(header::CONTENT_RANGE, value);
            }
            return Ok(refused);
        }
    }
    Ok(response)
}

/// The attachment, when it is this user's. Another user's is refused in the words clients know.
async fn owned(app: &App, id: &str, user_id: &str) -> Result<Attachment, ApiError> {
    let attachment = app.db.attachments().get(id).await?.ok_or_else(|| ApiError::not_found("Attachment not found"))?;
    if attachment.owner_id != user_id {
        return Err(ApiError::forbidden());
    }
    Ok(attachment)
}

fn token_user(app: &App, token: &str, id: &str) -> Result<String, ApiError> {
    let invalid = || ApiError::new(StatusCode::UNAUTHORIZED, "Invalid or expired token").code("unauthenticated");
    let claims = sealed::verify_json(app.auth.secret(), TOKEN_PURPOSE, token).ok_or_else(invalid)?;
    let claims: Value = serde_json::from_str(&claims).map_err(|_| invalid())?;
    if claims["exp"].as_i64().is_none_or(|at| at <= app.clock.now_ms()) {
        return Err(invalid());
    }
    if claims["attachmentId"].as_str() != Some(id) {
        return Err(ApiError::forbidden());
    }
    claims["userId"].as_str().map(str::to_owned).ok_or_else(invalid)
}

fn describe(headers: &mut HeaderMap, attachment: &Attachment, length: u64) {
    let inline = attachments::is_inline(&attachment.mime_type);
    let kind = match attachment.mime_type.as_str() {
        _ if !inline => "application/octet-stream",
        // Without a charset a browser would guess, and a guess can turn text into something else.
        "text/plain" => "text/plain; charset=utf-8",
        kind => kind,
    };
    let ascii: String = attachment
        .filename
        .chars()
        .map(|c| if c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%') || c == ' ' { c } else { '_' })
        .collect();
    let encoded = percent(&attachment.filename);
    let disposition = if inline { "inline" } else { "attachment" };
    let texts = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        (header::CONTENT_DISPOSITION, format!("{disposition}; filename=\"{ascii}\"; filename*=UTF-8''{encoded}")),
        (header::HeaderName::from_static("x-attachment-id"), attachment.id.clone()),
        (header::HeaderName::from_static("x-attachment-filename"), encoded),
        (header::CACHE_CONTROL, "private, no-store".to_owned()),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'self'".to_owned(),
        ),
        (header::X_FRAME_OPTIONS, "SAMEORIGIN".to_owned()),
    ];
    for (name, value) in texts {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
}

/// Everything but letters, digits and `-._~` as `%XX`.
fn percent(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(b).to_string(),
            _ => format!("%{b:02X}"),
        })
        .collect()
}

#[derive(Debug, PartialEq, Eq)]
enum Range {
    Whole,
    /// First and last byte.
    Part(u64, u64),
    Impossible,
}

/// One range of bytes; several, or another unit, mean the whole file.
fn range(headers: &HeaderMap, size: u64) -> Range {
    let Some(spec) = headers.get(header::RANGE).and_then(|value| value.to_str().ok()?.strip_prefix("bytes=")) else {
        return Range::Whole;
    };
    let Some((from, to)) = spec.split_once('-') else { return Range::Whole };
    let last = size.saturating_sub(1);
    match (from.trim().parse::<u64>(), to.trim().parse::<u64>()) {
        (Ok(from), _) if from >= size => Range::Impossible,
        (Ok(from), Ok(to)) if to >= from => Range::Part(from, to.min(last)),
        (Ok(from), Err(_)) if to.trim().is_empty() => Range::Part(from, last),
        (Err(_), Ok(0)) if from.trim().is_empty() => Range::Impossible,
        (Err(_), Ok(tail)) if from.trim().is_empty() && size > 0 => Range::Part(size.saturating_sub(tail), last),
        _ => Range::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_browsers_send_them() {
        let asked = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RANGE, text.parse().unwrap());
            range(&headers, 100)
        };
        assert_eq!(asked("bytes=0-9"), Range::Part(0, 9));
        assert_eq!(asked("bytes=90-"), Range::Part(90, 99));
        assert_eq!(asked("bytes=90-500"), Range::Part(90, 99));
        assert_eq!(asked("bytes=-10"), Range::Part(90, 99));
        assert_eq!(asked("bytes=100-"), Range::Impossible);
        assert_eq!(asked("bytes=1-2,4-5"), Range::Whole);
        assert_eq!(asked("lines=1-2"), Range::Whole);
    }

    #[test]
    fn names_are_percent_encoded_byte_by_byte() {
        assert_eq!(percent("grüße 1.txt"), "gr%C3%BC%C3%9Fe%201.txt");
    }
}

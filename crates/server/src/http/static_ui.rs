//! The web UI: embedded, or from a folder during development. Unknown paths get the page, which routes by itself.

use std::borrow::Cow;
use std::path::{Component, Path, PathBuf};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

use super::error::ApiError;
use crate::app::App;

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/../../ui/dist"]
#[allow_missing = true]
struct Embedded;

/// Shown when the program was built without the web UI.
const NOT_BUILT: &str = include_str!("not_built.html");

/// Answer for everything no route took.
pub async fn serve(State(app): State<App>, request: Request) -> Response {
    let path = request.uri().path();
    if path.starts_with("/api/") || path.starts_with("/socket.io/") || path == "/api" {
        return ApiError::not_found("Not found").into_response();
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed").into_response();
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let Some(name) = clean(path) else {
        return ApiError::bad_request("Invalid path").into_response();
    };
    let name = if name.is_empty() { "index.html".to_owned() } else { name };
    if let Some(file) = read(&app, &name).await {
        return answer(&app, &name, file, request.headers());
    }
    // A missing script or picture must not be answered with a page: it would be cached as such.
    if name.starts_with("assets/") || Path::new(&name).extension().is_some_and(|kind| kind != "html") {
        return ApiError::not_found("Not found").into_response();
    }
    match read(&app, "index.html").await {
        Some(page) => answer(&app, "index.html", page, request.headers()),
        None => not_built(),
    }
}

struct File {
    bytes: Cow<'static, [u8]>,
    digest: [u8; 32],
}

async fn read(app: &App, name: &str) -> Option<File> {
    if let Some(dir) = &app.config.web.ui_dir {
        let bytes = tokio::fs::read(dir.join(name)).await.ok()?;
        let digest = Sha256::digest(&bytes).into();
        return Some(File { bytes: bytes.into(), digest });
    }
    let file = Embedded::get(name)?;
    Some(File { digest: file.metadata.sha256_hash(), bytes: file.data })
}

fn answer(app: &App, name: &str, file: File, headers: &HeaderMap) -> Response {
    let etag = format!("\"{}\"", hex::encode(&file.digest[..16]));
    let hit = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|known| known.split(',').any(|known| known.trim().trim_start_matches("W/") == etag));
    let kind = mime_guess::from_path(name).first_or_octet_stream();
    let kind = if kind.type_() == mime_guess::mime::TEXT || kind.subtype() == mime_guess::mime::JAVASCRIPT {
        format!("{kind}; charset=utf-8")
    } else {
        kind.to_string()
    };
    let policy = content_policy(app, if name.ends_with(".html") { &file.bytes } else { &[] });
    let caching = if has_content_hash(name) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut response =
        if hit { StatusCode::NOT_MODIFIED.into_response() } else { Response::new(Body::from(file.bytes)) };
    for (name, value) in [
        (header::CONTENT_TYPE, kind.as_str()),
        (header::ETAG, &etag),
        (header::CACHE_CONTROL, caching),
        (header::CONTENT_SECURITY_POLICY, &policy),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn not_built() -> Response {
    let mut response = (StatusCode::SERVICE_UNAVAILABLE, NOT_BUILT).into_response();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// What the page may load and talk to. Inline scripts of the page itself are named by their hash.
fn content_policy(app: &App, page: &[u8]) -> String {
    let scripts: String =
        inline_scripts(page).map(|script| format!(" 'sha256-{}'", STANDARD.encode(Sha256::digest(script)))).collect();
    let frames = match &app.config.web.tunnel_domain {
        Some(domain) => {
            let (scheme, host) = domain.split_once("://").unwrap_or(("https", domain));
            format!("'self' {scheme}://*.{host}")
        }
        None => "'self'".to_owned(),
    };
    format!(
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'{scripts}; style-src 'self' 'unsafe-inline'; \
         img-src 'self' data: blob:; media-src 'self' data: blob:; connect-src 'self' ws: wss: blob:; font-src 'self' data:; \
         worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'; frame-src {frames}"
    )
}

/// Contents of `<script>` elements without a source.
fn inline_scripts(page: &[u8]) -> impl Iterator<Item = &str> {
    let page = std::str::from_utf8(page).unwrap_or_default();
    page.split("<script").skip(1).filter_map(|rest| {
        let (attributes, rest) = rest.split_once('>')?;
        let (body, _) = rest.split_once("</script")?;
        (!attributes.contains("src=") && !body.is_empty()).then_some(body)
    })
}

/// Build tools put a hash of the content into the names below `assets/`; those never change.
fn has_content_hash(name: &str) -> bool {
    /// Characters of such a hash.
    const HASH: usize = 8;
    let Some(file) = name.strip_prefix("assets/") else { return false };
    let stem = file.split('.').next().unwrap_or_default();
    // The hash itself may contain a dash, so it is found by its length.
    let Some(dash) = stem.len().checked_sub(HASH + 1) else { return false };
    stem.as_bytes()[dash] == b'-' && dash > 0
}

/// A relative path without any way out of its folder; `None` for one that tries.
fn clean(path: &str) -> Option<String> {
    let decoded = percent_decode(path)?;
    if decoded.contains(['\0', '\\']) {
        return None;
    }
    let relative: PathBuf = decoded.trim_start_matches('/').into();
    let plain = relative.components().all(|part| matches!(part, Component::Normal(_)));
    plain.then(|| decoded.trim_start_matches('/').trim_end_matches('/').to_owned())
}

fn percent_decode(path: &str) -> Option<String> {
    let bytes = path.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'%' {
            let digits = path.get(at + 1..at + 3)?;
            decoded.push(u8::from_str_radix(digits, 16).ok()?);
            at += 3;
        } else {
            decoded.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_cannot_leave_its_folder() {
        assert_eq!(clean("/session/abc").as_deref(), Some("session/abc"));
        assert_eq!(clean("/").as_deref(), Some(""));
        for wrong in ["/../etc/passwd", "/%2e%2e/x", "/a/..%2f..%2fx", "/a%00b", "/a\\..\\b", "/..%5cx", "/%zz"] {
            assert_eq!(clean(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn only_names_with_a_hash_may_be_kept_for_ever() {
        assert!(has_content_hash("assets/index-BwkR3x9a.js"));
        assert!(has_content_hash("assets/index-Bw-R3x9a.js"));
        for name in ["index.html", "sw.js", "manifest.webmanifest", "assets/logo.png", "assets/my-font.woff2"] {
            assert!(!has_content_hash(name), "{name}");
        }
    }

    #[test]
    fn inline_scripts_are_found_and_linked_ones_are_not() {
        let page = b"<script src=\"/a.js\"></script><script>var x = 1;</script><script type=\"module\" src=\"/b.js\"></script>";
        assert_eq!(inline_scripts(page).collect::<Vec<_>>(), ["var x = 1;"]);
    }
}

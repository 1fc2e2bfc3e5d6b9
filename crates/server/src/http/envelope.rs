//! Around every request: its id, host and origin checks, headers, metrics, and a JSON body for every failure.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use tracing::Instrument;

use super::error::ApiError;
use super::extract::peer_of;
use crate::app::App;
use crate::auth::origin::{self, Peer};
use crate::auth::{api_key, login};
use crate::tasks::panic_text;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Wraps everything, Socket.IO too.
pub async fn outer(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = uuid::Uuid::now_v7().simple().to_string();
    discard_internal(request.headers_mut());
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
    let span = tracing::debug_span!("http", request.id = %id, http.method = %method, http.path = %path);
    if !origin::is_known_host(&app.config, request.headers(), peer) {
        let error = ApiError::new(
            StatusCode::MISDIRECTED_REQUEST,
            "This server does not answer to that host name. Set PIZZAPI_BASE_URL to its public URL, or use localhost",
        );
        return finish(error.code("unknown_host").into_response(), &id, &app, &path);
    }
    let mut response = match AssertUnwindSafe(next.run(request)).catch_unwind().instrument(span.clone()).await {
        Ok(response) => response,
        Err(panic) => {
            span.in_scope(|| tracing::error!(reason = panic_text(&*panic), "a request handler panicked"));
            ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error").code("internal").into_response()
        }
    };
    let route = response.extensions_mut().remove::<MatchedPath>();
    let route = route.as_ref().map_or("other", MatchedPath::as_str);
    let status = response.status();
    let took = started.elapsed();
    app.metrics.count(
        "pizzapi_http_requests_total",
        &[("route", route), ("method", method.as_str()), ("status", status.as_str())],
    );
    app.metrics.histogram("pizzapi_http_request_duration_seconds", &[]).record(took.as_secs_f64());
    span.in_scope(|| {
        let duration_ms = took.as_millis();
        if status.is_server_error() {
            tracing::warn!(http.status = status.as_u16(), duration_ms, "request failed");
        } else {
            tracing::debug!(http.status = status.as_u16(), duration_ms, "request answered");
        }
    });
    finish(response, &id, &app, &path)
}

/// Wraps the routes: notes which one matched, keeps other sites out, turns bare failures into JSON.
pub async fn inner(State(app): State<App>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let path = request.uri().path();
    let is_api = path.starts_with("/api/");
    if is_api && !is_cors_route(path) {
        let (parts, body) = request.into_parts();
        if is_cross_site(&app, &parts) {
            return ApiError::new(StatusCode::FORBIDDEN, "Cross-origin request rejected")
                .code("cross_origin")
                .into_response();
        }
        let mut response = next.run(Request::from_parts(parts, body)).await;
        note_route(&mut response, route);
        return as_json(response);
    }
    let mut response = next.run(request).await;
    note_route(&mut response, route);
    if is_api { as_json(response) } else { response }
}

/// Routes another origin may call; they make up for it with codes of their own.
fn is_cors_route(path: &str) -> bool {
    path.strip_prefix("/api/mobile-link/").is_some_and(|rest| !rest.ends_with("/approve"))
}

/// May another site have caused this?
///
/// A cookie travels by itself, so it demands a trusted origin. Without one, and without a key that no foreign page can
/// know, a page could still post to a server on the visitor's own machine.
fn is_cross_site(app: &App, parts: &http::request::Parts) -> bool {
    if parts.method.is_safe() {
        return false;
    }
    let headers = &parts.headers;
    if !login::has_cookie(headers) && api_key::from_headers(headers).is_some() {
        return false;
    }
    if headers.contains_key(header::ORIGIN) {
        return !origin::is_trusted_from(app, headers, Some(peer_of(parts)));
    }
    headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site")
}

/// Headers that mean something between our own parts only.
fn discard_internal(headers: &mut HeaderMap) {
    let internal: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().starts_with("x-pizzapi-")).cloned().collect();
    for name in internal {
        headers.remove(name);
    }
}

fn note_route(response: &mut Response, route: Option<MatchedPath>) {
    if let Some(route) = route {
        response.extensions_mut().insert(route);
    }
}

/// Failures of the framework itself have no body, or plain text; ours are JSON.
fn as_json(response: Response) -> Response {
    let status = response.status();
    let is_json = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| {
        kind.as_bytes().starts_with(b"application/json") || kind.as_bytes().starts_with(b"text/html")
    });
    if is_json || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let message = match status {
        StatusCode::NOT_FOUND => "Not found",
        StatusCode::METHOD_NOT_ALLOWED => "Method not allowed",
        _ => status.canonical_reason().unwrap_or("Request failed"),
    };
    let (parts, _) = response.into_parts();
    let mut replaced = ApiError::new(status, message).into_response();
    if let Some(allow) = parts.headers.get(header::ALLOW) {
        replaced.headers_mut().insert(header::ALLOW, allow.clone());
    }
    *replaced.extensions_mut() = parts.extensions;
    replaced
}

fn finish(mut response: Response<Body>, id: &str, app: &App, path: &str) -> Response<Body> {
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_XSS_PROTECTION, "0"),
        (header::REFERRER_POLICY, "strict-origin-when-cross-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=()"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ];
    for (name, value) in fixed {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if !headers.contains_key(header::CONTENT_SECURITY_POLICY) {
        headers.insert(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
        );
    }
    if app.config.is_https() {
        headers.entry(header::STRICT_TRANSPORT_SECURITY).or_insert(HeaderValue::from_static("max-age=31536000"));
    }
    // Whatever an account can see must not stay in a shared cache or on a disk.
    if path.starts_with("/api/") {
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("private, no-store"));
    }
    response
}

//! `/metrics`, for whoever the operator lets read it.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, header};

use super::error::ApiError;
use crate::app::App;
use crate::auth::origin::Peer;
use crate::auth::{api_key, sealed};
use crate::config::MetricsAccess;

pub async fn metrics(
    State(app): State<App>,
    peer: Option<axum::Extension<Peer>>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let allowed = match &app.config.metrics {
        MetricsAccess::Off => false,
        MetricsAccess::Open => true,
        // A proxy on this machine speaks for strangers, and says so.
        MetricsAccess::Loopback => {
            peer.is_some_and(|peer| peer.0.0.to_canonical().is_loopback()) && !headers.contains_key("x-forwarded-for")
        }
        MetricsAccess::Token(token) => api_key::from_headers(&headers)
            .is_some_and(|given| sealed::same(given.as_bytes(), token.reveal().as_bytes())),
    };
    if !allowed {
        return Err(ApiError::not_found("Not found"));
    }
    let mut response = app.metrics.render().into_response();
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

//! What handlers ask of a request: who, from where, and a body that is JSON.

use std::net::{IpAddr, Ipv4Addr};

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts};
use http::request::Parts;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::{Map, Value};

use super::error::ApiError;
use crate::app::App;
use crate::auth::origin::Peer;
use crate::auth::proxy::limit_group;
use crate::auth::{self, AuthError, Principal};

/// Largest JSON body. Units: bytes.
pub const MAX_BODY: usize = 1024 * 1024;

/// Where a request comes from, for limits and logs.
#[derive(Clone, Debug)]
pub struct Caller {
    pub address: String,
    /// What limits count: see [`limit_group`].
    pub group: String,
}

impl Caller {
    pub fn of(app: &App, parts: &Parts) -> Self {
        let ip = app.config.web.proxy.client_address(peer_of(parts), &parts.headers);
        Self { address: ip.to_string(), group: limit_group(ip) }
    }
}

/// The other end of the connection.
pub fn peer_of(parts: &Parts) -> IpAddr {
    parts.extensions.get::<Peer>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0)
}

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        Ok(Self::of(app, parts))
    }
}

/// A browser login, else an API key.
#[derive(Clone, Debug)]
pub struct Signed(pub Principal);

impl FromRequestParts<App> for Signed {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        match auth::authenticate_cookie(app, &parts.headers).await {
            Ok(principal) => Ok(Self(principal)),
            Err(AuthError::Missing | AuthError::Invalid) => match auth::api_key::from_headers(&parts.headers) {
                Some(key) => with_key(app, parts, key).await.map(Self),
                None => Err(ApiError::unauthorized()),
            },
            Err(error) => Err(error.into()),
        }
    }
}

/// An API key when there is one, else a browser login.
#[derive(Clone, Debug)]
pub struct KeyFirst(pub Principal);

impl FromRequestParts<App> for KeyFirst {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        match auth::api_key::from_headers(&parts.headers) {
            Some(key) => with_key(app, parts, key).await.map(Self),
            None => Ok(Self(auth::authenticate_cookie(app, &parts.headers).await?)),
        }
    }
}

/// An API key and nothing else.
#[derive(Clone, Debug)]
pub struct KeyOnly(pub Principal);

impl FromRequestParts<App> for KeyOnly {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        match auth::api_key::from_headers(&parts.headers) {
            Some(key) => with_key(app, parts, key).await.map(Self),
            None => {
                Err(ApiError::new(StatusCode::UNAUTHORIZED, "Missing API key (x-api-key header)")
                    .code("unauthenticated"))
            }
        }
    }
}

/// A browser login; an API key may not do this.
#[derive(Clone, Debug)]
pub struct LoginOnly(pub Principal);

impl FromRequestParts<App> for LoginOnly {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        match auth::authenticate_cookie(app, &parts.headers).await {
            Ok(principal) => Ok(Self(principal)),
            Err(AuthError::Missing | AuthError::Invalid) if auth::api_key::from_headers(&parts.headers).is_some() => {
                Err(ApiError::new(StatusCode::FORBIDDEN, "An API key cannot do this; sign in with a browser")
                    .code("session_required"))
            }
            Err(error) => Err(error.into()),
        }
    }
}

async fn with_key(app: &App, parts: &Parts, key: &str) -> Result<Principal, ApiError> {
    let caller = Caller::of(app, parts);
    auth::api_key::authenticate_from(app, key, Some(&caller.address)).await.map_err(|error| match error {
        AuthError::Invalid | AuthError::Missing => {
            ApiError::new(StatusCode::UNAUTHORIZED, "Invalid or expired API key").code("unauthenticated")
        }
        other => other.into(),
    })
}

/// A JSON object. Fields of the wrong type count as absent, unknown ones are ignored.
#[derive(Clone, Debug, Default)]
pub struct Fields(pub Map<String, Value>);

impl Fields {
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// Text that is not only white space, trimmed.
    pub fn words(&self, name: &str) -> Option<&str> {
        self.text(name).map(str::trim).filter(|text| !text.is_empty())
    }

    pub fn flag(&self, name: &str) -> Option<bool> {
        self.0.get(name)?.as_bool()
    }

    pub fn int(&self, name: &str) -> Option<i64> {
        let value = self.0.get(name)?;
        value.as_i64().or_else(|| {
            let float = value.as_f64()?;
            #[allow(clippy::cast_possible_truncation, reason = "checked to be whole and in range")]
            (float.fract() == 0.0 && float.abs() < 9e15).then_some(float as i64)
        })
    }

    pub fn object(&self, name: &str) -> Option<&Map<String, Value>> {
        self.0.get(name)?.as_object()
    }

    /// The strings of a list; other members are left out.
    pub fn texts(&self, name: &str) -> Option<Vec<String>> {
        Some(self.0.get(name)?.as_array()?.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect())
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

impl FromRequest<App> for Fields {
    type Rejection = ApiError;

    async fn from_request(request: Request<Body>, _app: &App) -> Result<Self, ApiError> {
        let bytes = read_body(request, MAX_BODY).await?;
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            _ => Err(ApiError::bad_request("Invalid JSON body").code("invalid_json")),
        }
    }
}

/// Like [`Fields`], where an empty body means "nothing said".
#[derive(Clone, Debug, Default)]
pub struct MaybeFields(pub Fields);

impl FromRequest<App> for MaybeFields {
    type Rejection = ApiError;

    async fn from_request(request: Request<Body>, _app: &App) -> Result<Self, ApiError> {
        let bytes = read_body(request, MAX_BODY).await?;
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self::default());
        }
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(fields)) => Ok(Self(Fields(fields))),
            _ => Err(ApiError::bad_request("Invalid JSON body").code("invalid_json")),
        }
    }
}

/// Read a body, counting while it arrives.
pub async fn read_body(request: Request<Body>, limit: usize) -> Result<bytes::Bytes, ApiError> {
    check_length(request.headers(), limit)?;
    match Limited::new(request.into_body(), limit).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large(limit)),
        Err(error) => Err(ApiError::bad_request(format!("The request body could not be read: {error}"))),
    }
}

/// Refuse a body by its announced length, before any of it is read.
pub fn check_length(headers: &HeaderMap, limit: usize) -> Result<(), ApiError> {
    let Some(length) = headers.get(header::CONTENT_LENGTH) else { return Ok(()) };
    match length.to_str().ok().and_then(|text| text.parse::<u64>().ok()) {
        None => Err(ApiError::bad_request("Invalid Content-Length")),
        Some(length) if length > limit as u64 => Err(too_large(limit)),
        Some(_) => Ok(()),
    }
}

pub fn too_large(limit: usize) -> ApiError {
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, format!("Payload Too Large: body exceeds {limit} bytes"))
        .code("too_large")
}

//! Every failure as a status and a JSON body, decided in one place.

use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};

use crate::attachments::StoreError;
use crate::auth::AuthError;
use crate::auth::password::HashError;
use crate::db::DbError;

/// A refusal. Shape: `{error, code?, …}`.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiError {
    pub status: StatusCode,
    pub message: String,
    pub code: Option<&'static str>,
    pub retry_after: Option<Duration>,
    pub extra: Box<Map<String, Value>>,
}

impl ApiError {
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), code: None, retry_after: None, extra: Box::default() }
    }

    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Unauthorized").code("unauthenticated")
    }

    pub fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "Forbidden").code("forbidden")
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message).code("not_found")
    }

    pub fn too_many(retry_after: Duration) -> Self {
        let mut error = Self::new(StatusCode::TOO_MANY_REQUESTS, "Too many requests. Please try again later.");
        error.retry_after = Some(retry_after);
        error.code("rate_limited")
    }

    pub fn unavailable(message: impl Into<String>) -> Self {
        let mut error = Self::new(StatusCode::SERVICE_UNAVAILABLE, message);
        error.retry_after = Some(Duration::from_secs(2));
        error
    }

    pub fn code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    /// Add a field to the body.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.extra.insert(name.to_owned(), value.into());
        self
    }

    /// The form account routes use: `{message, code}`, and the wait in a header of their own.
    pub fn for_account(self) -> Response {
        let code = self.code.unwrap_or("ERROR").to_ascii_uppercase();
        let body = json!({ "message": self.message, "code": code, "error": self.message });
        let mut response = (self.status, Json(body)).into_response();
        retry_headers(&mut response, self.retry_after);
        response
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut body = *self.extra;
        body.insert("error".to_owned(), self.message.into());
        if let Some(code) = self.code {
            body.insert("code".to_owned(), code.into());
        }
        let mut response = (self.status, Json(Value::Object(body))).into_response();
        retry_headers(&mut response, self.retry_after);
        response
    }
}

fn retry_headers(response: &mut Response, retry_after: Option<Duration>) {
    if let Some(wait) = retry_after {
        let seconds = HeaderValue::from(wait.as_secs().max(1));
        response.headers_mut().insert(header::RETRY_AFTER, seconds.clone());
        response.headers_mut().insert("x-retry-after", seconds);
    }
}

impl From<DbError> for ApiError {
    fn from(error: DbError) -> Self {
        tracing::error!(%error, "request failed at the database");
        if error.is_unavailable() {
            Self::unavailable("The server's database is not available right now").code("server_not_ready")
        } else {
            Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error").code("internal")
        }
    }
}

impl From<HashError> for ApiError {
    fn from(error: HashError) -> Self {
        tracing::error!(%error, "request failed while hashing a password");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error").code("internal")
    }
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Missing => Self::unauthorized(),
            AuthError::Invalid => Self::unauthorized(),
            AuthError::Expired => Self::new(StatusCode::UNAUTHORIZED, "Invalid or expired API key").code("key_expired"),
            AuthError::RateLimited { retry_after } => Self::too_many(retry_after),
            AuthError::Unavailable(error) => error.into(),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::TooLarge { .. } => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, error.to_string()).code("too_large")
            }
            StoreError::OverQuota { .. } => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, error.to_string()).code("over_quota")
            }
            StoreError::Interrupted(_) => Self::bad_request(error.to_string()).code("interrupted"),
            StoreError::Io(error) => {
                tracing::error!(%error, "attachment could not be stored");
                Self::unavailable("The file could not be stored on the server").code("storage_failed")
            }
            StoreError::Db(error) => error.into(),
        }
    }
}

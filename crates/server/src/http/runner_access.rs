//! Reaching a runner for a request: whose it is, whether it is there, and what its answer means over HTTP.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use pizzapi_protocol::{Event, JsonObject, RequestId, RunnerId, UserId};
use serde_json::{Map, Value};

use super::error::ApiError;
use super::roots;
use crate::app::App;
use crate::auth::Principal;
use crate::route::{self, RunnerError, RunnerReply};
use crate::store::{RunnerRecord, StoreError};

/// Answers a runner usually gives within this time.
pub const USUAL: Duration = Duration::from_secs(15);
/// Skills and agents.
pub const QUICK: Duration = Duration::from_secs(10);
/// Large files, usage, analyses.
pub const SLOW: Duration = Duration::from_secs(30);

/// A runner of the person who asks.
pub struct OwnRunner {
    pub id: RunnerId,
    pub user: UserId,
    /// `None`: it was not seen since this server started.
    pub record: Option<Arc<RunnerRecord>>,
}

/// Find a runner of `principal`. Errors: 404 for an unknown one, 403 for another user's.
pub async fn own(app: &App, principal: &Principal, id: &str) -> Result<OwnRunner, ApiError> {
    let runner = RunnerId::from(id);
    let user = UserId::from(principal.user_id.as_str());
    if let Some(record) = app.live.stores.runners.get(&runner).await? {
        return match record.user_id == user {
            true => Ok(OwnRunner { id: runner, user, record: Some(record) }),
            false => Err(ApiError::forbidden()),
        };
    }
    match app.db.runners().get(id).await? {
        Some(row) if row.user_id == principal.user_id => Ok(OwnRunner { id: runner, user, record: None }),
        Some(_) => Err(ApiError::forbidden()),
        None => Err(unknown()),
    }
}

impl OwnRunner {
    /// Ask, and wait at most `wait`.
    pub async fn ask<E: Event>(
        &self,
        app: &App,
        payload: impl FnOnce(RequestId) -> E::Payload + Send,
        wait: Duration,
    ) -> Result<RunnerReply, ApiError> {
        if self.record.is_none() {
            return Err(RunnerError::Offline.into());
        }
        match route::runner_request::<E>(app, &self.user, &self.id, payload, wait).await? {
            RunnerReply::Error(message) => Err(refused(StatusCode::BAD_GATEWAY, message)),
            reply => Ok(reply),
        }
    }

    /// Ask for something whose answer is passed on as it came. `status` is for a refusal by the runner.
    pub async fn ask_file<E: Event>(
        &self,
        app: &App,
        payload: impl FnOnce(RequestId) -> E::Payload + Send,
        wait: Duration,
        status: StatusCode,
    ) -> Result<Value, ApiError> {
        match self.ask::<E>(app, payload, wait).await? {
            RunnerReply::File(result) if result.ok == Some(false) => {
                let message = result.message.clone().unwrap_or_else(|| "The runner refused".to_owned());
                Err(refused(status_for(status, &message), message))
            }
            RunnerReply::File(result) => {
                let mut body = members(&result.extra);
                body.insert("ok".to_owned(), Value::Bool(result.ok.unwrap_or(true)));
                if let Some(message) = &result.message {
                    body.insert("message".to_owned(), message.clone().into());
                }
                Ok(Value::Object(body))
            }
            other => Err(unexpected(&other)),
        }
    }

    /// Tell it something that has no answer.
    pub async fn tell<E: Event>(&self, app: &App, payload: &E::Payload) -> Result<(), ApiError> {
        if self.record.is_none() {
            return Err(RunnerError::Offline.into());
        }
        Ok(route::tell_runner::<E>(app, &self.user, &self.id, payload).await?)
    }

    pub fn roots(&self) -> &[String] {
        self.record.as_ref().map_or(&[], |record| &record.roots)
    }

    /// Errors: 403 for a path outside the runner's roots.
    pub fn check_path(&self, path: &str) -> Result<(), ApiError> {
        match roots::is_inside(path, self.roots()) {
            true => Ok(()),
            false => {
                Err(ApiError::new(StatusCode::FORBIDDEN, "Path is outside the runner's roots").code("outside_roots"))
            }
        }
    }
}

pub fn unknown() -> ApiError {
    ApiError::not_found("Runner not found")
}

pub fn refused(status: StatusCode, message: impl Into<String>) -> ApiError {
    ApiError::new(status, message).code("runner_error")
}

/// An answer that belongs to another question.
pub fn unexpected(reply: &RunnerReply) -> ApiError {
    tracing::warn!(?reply, "a runner gave an answer of the wrong kind");
    refused(StatusCode::BAD_GATEWAY, "The runner gave an answer that does not fit the request")
}

/// Runners say in words that something does not exist.
fn status_for(usual: StatusCode, message: &str) -> StatusCode {
    let lower = message.to_lowercase();
    if lower.contains("not found") || lower.contains("no such file") || lower.contains("enoent") {
        StatusCode::NOT_FOUND
    } else {
        usual
    }
}

fn members(object: &JsonObject) -> Map<String, Value> {
    object.iter().filter_map(|(name, value)| Some((name.to_owned(), value.to::<Value>().ok()?))).collect()
}

impl From<RunnerError> for ApiError {
    fn from(error: RunnerError) -> Self {
        let bad_gateway = |code| Self::new(StatusCode::BAD_GATEWAY, error.to_string()).code(code);
        match &error {
            RunnerError::NotFound => unknown(),
            RunnerError::Offline => bad_gateway("runner_offline"),
            RunnerError::Reconnecting => bad_gateway("runner_reconnecting"),
            RunnerError::Disconnected => bad_gateway("runner_disconnected"),
            RunnerError::TimedOut => bad_gateway("runner_timeout"),
            RunnerError::TooMany => Self::unavailable(error.to_string()).code("overloaded"),
            RunnerError::Store(_) => live_failed(&error),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        live_failed(&error)
    }
}

fn live_failed(error: &dyn std::error::Error) -> ApiError {
    tracing::error!(%error, "live state could not be read");
    ApiError::unavailable("The server's live state is not available right now").code("server_not_ready")
}

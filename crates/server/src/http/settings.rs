//! What a person set for all of their sessions.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::error::ApiError;
use super::extract::{MaybeFields, Signed};
use crate::app::App;
use crate::db::preferences::SUBAGENT_MODEL;
use crate::socket::api;

const MAX_MODELS: usize = 2000;
const MAX_MODEL: usize = 256;

pub async fn hidden_models(State(app): State<App>, Signed(principal): Signed) -> Result<Json<Value>, ApiError> {
    Ok(Json(json!({ "hiddenModels": app.db.preferences().hidden_models(&principal.user_id).await? })))
}

pub async fn set_hidden_models(
    State(app): State<App>,
    Signed(principal): Signed,
    MaybeFields(body): MaybeFields,
) -> Result<Json<Value>, ApiError> {
    let mut models = body
        .texts("hiddenModels")
        .ok_or_else(|| ApiError::bad_request("hiddenModels must be a list of provider/id"))?;
    if models.len() > MAX_MODELS || !models.iter().all(|model| is_model_key(model)) {
        return Err(ApiError::bad_request("hiddenModels must be a list of provider/id"));
    }
    models.sort();
    models.dedup();
    app.db.preferences().set_hidden_models(&principal.user_id, &models).await?;
    api::preferences_changed(&app, &principal.user_id).await;
    Ok(Json(json!({ "ok": true, "hiddenModels": models })))
}

pub async fn subagent_model(State(app): State<App>, Signed(principal): Signed) -> Result<Json<Value>, ApiError> {
    Ok(Json(json!({ "model": app.db.preferences().get(&principal.user_id, SUBAGENT_MODEL).await? })))
}

pub async fn set_subagent_model(
    State(app): State<App>,
    Signed(principal): Signed,
    MaybeFields(body): MaybeFields,
) -> Result<Json<Value>, ApiError> {
    let model = match body.0.get("model") {
        Some(Value::Null) => None,
        Some(Value::String(model)) if model.is_empty() => None,
        Some(Value::String(model)) if is_model_key(model) => Some(model.as_str()),
        _ => return Err(ApiError::bad_request("model must be provider/id, or null")),
    };
    app.db.preferences().set(&principal.user_id, SUBAGENT_MODEL, model, app.clock.now_ms()).await?;
    api::preferences_changed(&app, &principal.user_id).await;
    Ok(Json(json!({ "ok": true, "model": model })))
}

/// `provider/id`, where the id may contain further slashes.
fn is_model_key(text: &str) -> bool {
    text.len() <= MAX_MODEL
        && text.split_once('/').is_some_and(|(provider, id)| !provider.is_empty() && !id.is_empty())
        && !text.chars().any(char::is_control)
}

//! Where other sites send the browser back to, and answers given inside a notification.

use std::collections::HashMap;

use axum::Json;
use axum::extract::{Query, State};
use axum::response::{Html, IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use http::{HeaderValue, StatusCode, header};
use pizzapi_protocol::CommandKind;
use pizzapi_protocol::relay::McpOauthCallback;
use serde_json::{Value, json};

use super::error::ApiError;
use super::extract::{Fields, Signed};
use super::sessions;
use crate::app::App;
use crate::socket::api;

/// A nonce is refused for this long after it was used. Units: ms.
const NONCE_KEPT_MS: i64 = 15 * 60 * 1000;
/// Longest value of a query worth passing on.
const MAX_VALUE: usize = 8 * 1024;
const ANSWER_WAIT: std::time::Duration = std::time::Duration::from_secs(5);

/// `GET /api/mcp-oauth-callback`
pub async fn mcp_oauth(State(app): State<App>, Query(query): Query<HashMap<String, String>>) -> Response {
    let value = |name: &str| query.get(name).filter(|value| !value.is_empty() && value.len() <= MAX_VALUE).cloned();
    if let Some(error) = value("error") {
        let detail = value("error_description").unwrap_or(error);
        return page(StatusCode::BAD_REQUEST, "Sign-in failed", &detail);
    }
    let (Some(code), Some(state)) = (value("code"), value("state")) else {
        return page(StatusCode::BAD_REQUEST, "Sign-in failed", "The link is incomplete.");
    };
    let Some(target) = read_state(&state) else {
        return page(StatusCode::BAD_REQUEST, "Sign-in failed", "The link is not one of ours.");
    };
    if !api_ready(&app) {
        return page(
            StatusCode::SERVICE_UNAVAILABLE,
            "Not ready",
            "The server is starting. Reload this page in a moment.",
        );
    }
    let now = app.clock.now_ms();
    let nonce = format!("mcp {} {}", target.session_id, target.nonce);
    match app.db.nonces().is_used(&nonce, now).await {
        Ok(false) => {}
        Ok(true) => return page(StatusCode::CONFLICT, "Already used", "This sign-in was completed before."),
        Err(error) => {
            tracing::error!(%error, "a sign-in could not be checked");
            return page(StatusCode::SERVICE_UNAVAILABLE, "Not ready", "Reload this page in a moment.");
        }
    }
    let callback = McpOauthCallback {
        session_id: target.session_id.as_str().into(),
        nonce: target.nonce,
        code,
        state,
        oauth_state: target.oauth_state,
    };
    if !api::mcp_callback(&app, &callback) {
        return page(
            StatusCode::GONE,
            "Session not connected",
            "The session that asked is not connected. Start it and sign in again.",
        );
    }
    // Used up only now that the session has it, so that a reload after a failure still works.
    if let Err(error) = app.db.nonces().consume(&nonce, now + NONCE_KEPT_MS, now).await {
        tracing::error!(%error, "a used sign-in was not remembered");
    }
    page(StatusCode::OK, "Signed in", "You can close this page and go back to your session.")
}

fn api_ready(app: &App) -> bool {
    crate::socket::ready(app)
}

struct Target {
    session_id: String,
    nonce: String,
    oauth_state: Option<String>,
}

fn read_state(state: &str) -> Option<Target> {
    let bytes =
        URL_SAFE_NO_PAD.decode(state).or_else(|_| URL_SAFE.decode(state)).or_else(|_| STANDARD.decode(state)).ok()?;
    let value: Value = serde_json::from_slice(&bytes).ok()?;
    let text = |name: &str| value[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    Some(Target { session_id: text("sessionId")?, nonce: text("nonce")?, oauth_state: text("oauthState") })
}

fn page(status: StatusCode, title: &str, text: &str) -> Response {
    let (title, text) = (escape(title), escape(text));
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>body{{font:16px/1.6 system-ui,sans-serif;max-width:32rem;margin:20vh auto;padding:0 1.5rem;color-scheme:light dark}}</style>\
         </head><body><h1>{title}</h1><p>{text}</p></body></html>"
    );
    let mut response = (status, Html(html)).into_response();
    let policy =
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    // The address of this page holds the code.
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

/// `POST /api/push/answer`: the reply typed into a notification.
pub async fn push_answer(
    State(app): State<App>,
    Signed(principal): Signed,
    body: Fields,
) -> Result<Json<Value>, ApiError> {
    let (Some(session), Some(text), Some(call)) =
        (body.words("sessionId"), body.words("text"), body.words("toolCallId"))
    else {
        return Err(ApiError::bad_request("Missing required fields: sessionId, text, toolCallId"));
    };
    let record = sessions::live(&app, &principal, session).await?.ok_or_else(sessions::missing)?;
    if !record.collab_mode {
        return Err(ApiError::new(StatusCode::FORBIDDEN, "Session is not in collab mode").code("not_collab"));
    }
    let asked = record.meta.pending_question.as_ref().map(|question| question.tool_call_id.as_str());
    if asked != Some(call) {
        let message = if asked.is_some() { "Another question is open" } else { "No question is open" };
        return Err(ApiError::new(StatusCode::CONFLICT, message).code("no_such_decision"));
    }
    let body = api::input_body(text, "push", None);
    let outcome = api::command(&app, &principal, session, CommandKind::Input, body, ANSWER_WAIT)
        .await
        .map_err(|error| sessions::refusal(error.code, error.message))?;
    if outcome.state == pizzapi_protocol::CommandState::Rejected {
        let message = outcome.message.unwrap_or_else(|| "The session refused".to_owned());
        return Err(ApiError::new(StatusCode::CONFLICT, message).code("already_answered"));
    }
    Ok(Json(json!({ "ok": true })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_names_the_session_that_asked() {
        let state = URL_SAFE_NO_PAD.encode(r#"{"sessionId":"s1","nonce":"n","oauthState":"o"}"#);
        let target = read_state(&state).unwrap();
        assert_eq!(
            (target.session_id.as_str(), target.nonce.as_str(), target.oauth_state.as_deref()),
            ("s1", "n", Some("o"))
        );
        assert!(read_state("nonsense").is_none());
        assert!(read_state(&URL_SAFE_NO_PAD.encode("{}")).is_none());
    }

    #[test]
    fn text_of_the_query_cannot_become_markup() {
        assert_eq!(escape("<img src=x onerror='a'>"), "&lt;img src=x onerror=&#39;a&#39;&gt;");
    }
}

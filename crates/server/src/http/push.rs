//! Browsers that want notifications: subscribe, choose, unsubscribe.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::error::ApiError;
use super::extract::{Fields, Signed};
use crate::app::App;
use crate::clock::iso;
use crate::db::push::PushSubscription;

const MAX_ENDPOINT: usize = 2048;
/// Browsers one user may subscribe.
const MAX_SUBSCRIPTIONS: usize = 50;

/// The key pages subscribe with.
pub async fn public_key(State(app): State<App>) -> Result<Json<Value>, ApiError> {
    Ok(Json(json!({ "publicKey": vapid(&app).await?.public_key() })))
}

async fn vapid(app: &App) -> Result<std::sync::Arc<crate::push::crypto::Vapid>, ApiError> {
    app.push.vapid(app).await.map_err(|error| {
        tracing::error!(%error, "notifications cannot be signed");
        ApiError::unavailable("Notifications are not available").code("push_unavailable")
    })
}

/// Send a message to one browser, or to all of the asker's, and say what became of each.
pub async fn test(
    State(app): State<App>,
    Signed(principal): Signed,
    body: super::extract::MaybeFields,
) -> Result<Json<Value>, ApiError> {
    vapid(&app).await?;
    let wanted = body.0.text("endpoint");
    let rows = app.db.push().list(&principal.user_id).await?;
    let mut results = Vec::new();
    for row in rows.iter().filter(|row| wanted.is_none_or(|wanted| row.endpoint == wanted)) {
        let message = json!({ "title": "PizzaPi", "body": "Notifications work.", "tag": "test", "url": "/" });
        let result = match app.push.send(&app, row, "test", &message).await {
            Ok(crate::push::Sent::Accepted) => "accepted",
            Ok(crate::push::Sent::Gone) => "gone",
            Ok(crate::push::Sent::Failed) => "failed",
            Err(error) => {
                tracing::error!(%error, "a test notification was not sent");
                "failed"
            }
        };
        results.push(json!({ "id": row.id, "endpoint": row.endpoint, "result": result }));
    }
    if results.is_empty() {
        return Err(ApiError::not_found("Subscription not found"));
    }
    Ok(Json(json!({ "ok": true, "results": results })))
}

pub async fn subscribe(
    State(app): State<App>,
    Signed(principal): Signed,
    body: Fields,
) -> Result<Json<Value>, ApiError> {
    let key =
        |name: &str| body.object("keys").and_then(|keys| keys.get(name)).and_then(Value::as_str).map(str::to_owned);
    let (Some(endpoint), Some(p256dh), Some(auth)) = (body.text("endpoint"), key("p256dh"), key("auth")) else {
        return Err(ApiError::bad_request("Missing required fields: endpoint, keys.p256dh, keys.auth"));
    };
    if !(is_acceptable(endpoint) || app.config.push.allow_private) || p256dh.len() > 256 || auth.len() > 256 {
        return Err(ApiError::bad_request("Unacceptable push endpoint").code("endpoint"));
    }
    let events = events_of(body.text("enabledEvents").unwrap_or("*"))?;
    let known = app.db.push().list(&principal.user_id).await?;
    if known.len() >= MAX_SUBSCRIPTIONS && !known.iter().any(|row| row.endpoint == endpoint) {
        return Err(ApiError::bad_request("Too many push subscriptions; remove some first").code("too_many"));
    }
    let id = app
        .db
        .push()
        .subscribe(&PushSubscription {
            id: uuid::Uuid::new_v4().to_string(),
            user_id: principal.user_id,
            endpoint: endpoint.to_owned(),
            p256dh,
            auth,
            events,
            suppress_children: false,
            created_at: app.clock.now_ms(),
        })
        .await?;
    Ok(Json(json!({ "ok": true, "id": id })))
}

pub async fn unsubscribe(
    State(app): State<App>,
    Signed(principal): Signed,
    body: Fields,
) -> Result<Json<Value>, ApiError> {
    let endpoint = body.text("endpoint").ok_or_else(|| ApiError::bad_request("Missing required field: endpoint"))?;
    app.db.push().unsubscribe(&principal.user_id, endpoint).await?;
    Ok(Json(json!({ "ok": true })))
}

pub async fn subscriptions(State(app): State<App>, Signed(principal): Signed) -> Result<Json<Value>, ApiError> {
    let rows = app.db.push().list(&principal.user_id).await?;
    let list: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "id": row.id,
                "endpoint": row.endpoint,
                "createdAt": iso(row.created_at),
                "enabledEvents": row.events,
                "suppressChildNotifications": row.suppress_children,
            })
        })
        .collect();
    Ok(Json(json!({ "subscriptions": list })))
}

pub async fn set_events(
    State(app): State<App>,
    Signed(principal): Signed,
    body: Fields,
) -> Result<Json<Value>, ApiError> {
    let (Some(endpoint), Some(events)) = (body.text("endpoint"), body.text("enabledEvents")) else {
        return Err(ApiError::bad_request("Missing required fields: endpoint, enabledEvents"));
    };
    if !app.db.push().set_events(&principal.user_id, endpoint, &events_of(events)?).await? {
        return Err(ApiError::not_found("Subscription not found"));
    }
    Ok(Json(json!({ "ok": true })))
}

pub async fn set_child_notifications(
    State(app): State<App>,
    Signed(principal): Signed,
    body: Fields,
) -> Result<Json<Value>, ApiError> {
    let (Some(endpoint), Some(suppress)) = (body.text("endpoint"), body.flag("suppress")) else {
        return Err(ApiError::bad_request("Missing required fields: endpoint, suppress"));
    };
    if !app.db.push().set_suppress_children(&principal.user_id, endpoint, suppress).await? {
        return Err(ApiError::not_found("Subscription not found"));
    }
    Ok(Json(json!({ "ok": true })))
}

/// Push services are public https hosts with a name; an address or a local name is somebody's inner network.
fn is_acceptable(endpoint: &str) -> bool {
    if endpoint.len() > MAX_ENDPOINT {
        return false;
    }
    let Ok(url) = url::Url::parse(endpoint) else { return false };
    let Some(url::Host::Domain(host)) = url.host() else { return false };
    url.scheme() == "https"
        && host.contains('.')
        && !host.ends_with(".localhost")
        && !host.ends_with(".local")
        && !host.ends_with(".internal")
        && url.username().is_empty()
        && url.password().is_none()
}

/// `*`, or event names separated by commas.
fn events_of(text: &str) -> Result<String, ApiError> {
    let names: Vec<&str> = text.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    let valid =
        |name: &&str| name.len() <= 64 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if names == ["*"] || (names.len() <= 32 && names.iter().all(valid)) {
        return Ok(names.join(","));
    }
    Err(ApiError::bad_request("enabledEvents must be * or a comma list of event names"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_inside_a_network_are_refused() {
        assert!(is_acceptable("https://fcm.googleapis.com/fcm/send/abc"));
        for wrong in [
            "http://fcm.googleapis.com/x",
            "https://127.0.0.1/x",
            "https://[::1]/x",
            "https://localhost/x",
            "https://2130706433/x",
            "https://metadata.internal/x",
            "https://user:pw@push.example.org/x",
            "file:///etc/passwd",
        ] {
            assert!(!is_acceptable(wrong), "{wrong}");
        }
    }
}

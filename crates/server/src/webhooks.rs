//! Webhooks: accepted calls become sessions, once each, also when the runner is away for a while.

use std::time::Duration;

use pizzapi_protocol::runner::NewSession;
use pizzapi_protocol::{DeliverAs, ModelInfo, RawJson, SessionId, Trigger};
use serde_json::Value;

use crate::app::App;
use crate::auth::sealed;
use crate::db::webhooks::{Delivery, Webhook};
use crate::socket::api::{self, Triggered};
use crate::socket::spawn::Started;

const LOOK: Duration = Duration::from_secs(1);
/// Deliveries worked on per look.
const AT_ONCE: u32 = 8;
const SPAWN_WAIT: Duration = Duration::from_secs(10);
const REGISTER_WAIT: Duration = Duration::from_secs(30);
/// A delivery whose node died is taken over after this time. Units: ms.
const STUCK_MS: i64 = 2 * 60 * 1000;
/// First pause before another try, doubled each time. Units: ms.
const FIRST_PAUSE_MS: i64 = 5_000;
const LONGEST_PAUSE_MS: i64 = 10 * 60 * 1000;
/// A runner that stays away longer than this loses the call. Units: ms.
const GIVE_UP_MS: i64 = 24 * 60 * 60 * 1000;

/// Keep a secret that is needed in clear, unreadable without the server's own.
pub fn seal_secret(app: &App, secret: &str) -> String {
    seal_with(app.auth.secret(), secret)
}

/// [`seal_secret`] where there is no server yet.
pub(crate) fn seal_with(key: &[u8], secret: &str) -> String {
    let salt = crate::auth::random_hex();
    format!("{salt}.{}", sealed::seal(&token(key, &salt), secret))
}

/// The secret of a webhook.
pub fn open_secret(app: &App, sealed: &str) -> Option<String> {
    let (salt, sealed) = sealed.split_once('.')?;
    sealed::unseal(&token(app.auth.secret(), salt), sealed)
}

fn token(key: &[u8], salt: &str) -> String {
    hex::encode(sealed::hmac(key, &[b"webhook secret", salt.as_bytes()]))
}

/// Start delivering.
pub(crate) fn start(app: &App) {
    let worker = app.clone();
    app.tasks.every("webhook deliveries", LOOK, move || {
        let app = worker.clone();
        async move {
            let now = app.clock.now_ms();
            match app.db.webhooks().take_due(now, now - STUCK_MS, AT_ONCE).await {
                Ok(due) => {
                    for delivery in due {
                        let deliverer = app.clone();
                        app.tasks.spawn("webhook delivery", async move { deliver(&deliverer, delivery).await });
                    }
                }
                Err(error) => tracing::warn!(%error, "webhook deliveries could not be read"),
            }
        }
    });
}

enum Failure {
    /// It may work later.
    Later(String),
    Never(String),
}

async fn deliver(app: &App, delivery: Delivery) {
    let outcome = attempt(app, &delivery).await;
    let now = app.clock.now_ms();
    let webhooks = app.db.webhooks();
    let written = match outcome {
        Ok(()) => webhooks.finish(&delivery.id, "delivered", None, now).await,
        Err(Failure::Never(message)) => webhooks.finish(&delivery.id, "failed", Some(&message), now).await,
        Err(Failure::Later(message)) if now - delivery.created_at > GIVE_UP_MS => {
            webhooks.finish(&delivery.id, "failed", Some(&message), now).await
        }
        Err(Failure::Later(message)) => {
            let doubled = u32::try_from(delivery.attempts - 1).unwrap_or(0).min(16);
            let pause = (FIRST_PAUSE_MS << doubled).min(LONGEST_PAUSE_MS);
            webhooks.postpone(&delivery.id, &message, now + pause, now).await
        }
    };
    if let Err(error) = written {
        tracing::error!(%error, delivery.id = %delivery.id, "the outcome of a webhook delivery was not stored; it is tried again");
    }
}

async fn attempt(app: &App, delivery: &Delivery) -> Result<(), Failure> {
    let later = |error: &dyn std::fmt::Display| Failure::Later(error.to_string());
    let webhook = app.db.webhooks().get(&delivery.webhook_id).await.map_err(|error| later(&error))?;
    let webhook = webhook.filter(|webhook| webhook.enabled);
    let webhook = webhook.ok_or_else(|| Failure::Never("the webhook was removed or disabled".to_owned()))?;
    let runner = webhook.runner_id.clone().ok_or_else(|| Failure::Never("the webhook has no runner".to_owned()))?;
    // Always the same session for one delivery: a second attempt finds what the first one started.
    let session = delivery.session_id.clone().unwrap_or_else(|| delivery.id.clone());
    if api::session(app, &session).await.map_err(|error| later(&error))?.is_none() {
        let hidden = app.db.preferences().hidden_models(&delivery.user_id).await.map_err(|error| later(&error))?;
        let model = webhook.model.as_deref().and_then(|model| serde_json::from_str::<ModelInfo>(model).ok());
        let request = NewSession {
            session_id: SessionId::from(session.as_str()),
            cwd: webhook.cwd.clone(),
            // Given once, inside the trigger.
            prompt: None,
            image_urls: None,
            model: model.filter(|model| !hidden.contains(&format!("{}/{}", model.provider, model.id))),
            skills: None,
            hidden_models: (!hidden.is_empty()).then_some(hidden),
            agent: None,
            parent_session_id: None,
            resume_path: None,
            resume_id: None,
            auto_close: None,
        };
        let started =
            api::spawn(app, &delivery.user_id, &runner, request, SPAWN_WAIT).await.map_err(|error| later(&error))?;
        if let (_, Started::Failed(message)) = started {
            return Err(Failure::Never(message));
        }
        api::await_registration(app, &delivery.user_id, &session, REGISTER_WAIT).await.map_err(Failure::Later)?;
    }
    match api::trigger(app, &delivery.user_id, &session, trigger(&webhook, delivery)).await {
        Ok(Triggered::Delivered | Triggered::Queued) => Ok(()),
        Ok(Triggered::Refused(message)) => Err(Failure::Never(message)),
        Ok(Triggered::NotFound) => Err(Failure::Later("the session went before it took the trigger".to_owned())),
        Err(error) => Err(later(&error)),
    }
}

fn trigger(webhook: &Webhook, delivery: &Delivery) -> Trigger {
    let mut payload: Value = serde_json::from_str(&delivery.payload).unwrap_or_default();
    if let (Some(prompt), Some(members)) = (&webhook.prompt, payload.as_object_mut()) {
        let joined = match members.get("prompt").and_then(Value::as_str) {
            Some(own) => format!("{prompt}\n\n{own}"),
            None => prompt.clone(),
        };
        members.insert("prompt".to_owned(), joined.into());
    }
    Trigger {
        kind: "webhook".to_owned(),
        source_session_id: format!("external:{}", webhook.source).into(),
        source_session_name: Some(webhook.name.clone()),
        target_session_id: SessionId::default(),
        payload: RawJson::from(payload),
        deliver_as: DeliverAs::Steer,
        expects_response: false,
        trigger_id: format!("ext_{}", delivery.id).into(),
        timeout_ms: None,
        ts: String::new(),
    }
}

//! Notifications: what happened in a session reaches its owner's browsers, unless somebody is looking at it.

pub mod crypto;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use tokio::sync::broadcast::error::RecvError;

use crate::app::App;
use crate::config::ServerConfig;
use crate::db::DbError;
use crate::db::push::PushSubscription;
use crate::socket::api;
use crate::socket::notify::{Happening, What};

use crypto::{CryptoError, Vapid};

/// A push service keeps a message this long for a browser that is away. Units: seconds.
const TIME_TO_LIVE: u32 = 12 * 60 * 60;
/// A signature is valid this long. Units: seconds.
const SIGNATURE_LIFE: i64 = 12 * 60 * 60;
const SEND_TIMEOUT: Duration = Duration::from_secs(15);
/// Longest texts. Units: characters.
const MAX_FINISHED: usize = 300;
const MAX_TEXT: usize = 120;
/// Buttons a notification shows.
const MAX_ACTIONS: usize = 2;

/// Sends notifications of one server.
pub struct Pusher {
    vapid: OnceCell<Arc<Vapid>>,
    http: reqwest::Client,
}

/// Why notifications cannot work.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    #[error(transparent)]
    Db(#[from] DbError),
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

/// What became of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    Accepted,
    /// The subscription is over and was forgotten.
    Gone,
    Failed,
}

impl Sent {
    fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Gone => "gone",
            Self::Failed => "failed",
        }
    }
}

impl Pusher {
    pub fn new(config: &ServerConfig) -> Self {
        let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect::<rustls::RootCertStore>();
        let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring offers the default protocol versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .timeout(SEND_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .dns_resolver(Arc::new(PublicOnly { allow_private: config.push.allow_private }))
            .build()
            .expect("the settings above fit together");
        Self { vapid: OnceCell::new(), http }
    }

    /// The key pair: configured, else made once and kept.
    pub async fn vapid(&self, app: &App) -> Result<Arc<Vapid>, PushError> {
        let vapid = self.vapid.get_or_try_init(async || {
            let push = &app.config.push;
            if let Some((public, private)) = &push.vapid {
                return Ok::<_, PushError>(Arc::new(Vapid::from_parts(
                    private.reveal(),
                    public,
                    push.subject.clone(),
                )?));
            }
            let fresh = Vapid::generate()?;
            let public = Vapid::from_pkcs8(&fresh, push.subject.clone())?.public_key();
            let kept = app.db.push().keep_vapid(&public, &fresh, app.clock.now_ms()).await?;
            Ok(Arc::new(Vapid::from_pkcs8(&kept, push.subject.clone())?))
        });
        Ok(vapid.await?.clone())
    }

    /// Send one message to one browser; a subscription that is over is forgotten.
    pub async fn send(
        &self,
        app: &App,
        subscription: &PushSubscription,
        tag: &str,
        message: &Value,
    ) -> Result<Sent, PushError> {
        let body = match crypto::encrypt(&subscription.p256dh, &subscription.auth, message.to_string().as_bytes()) {
            Ok(body) => body,
            Err(CryptoError::BadKeys) => return self.forget(app, subscription).await,
            Err(error) => return Err(error.into()),
        };
        let Some(origin) = url::Url::parse(&subscription.endpoint).ok().map(|url| url.origin().ascii_serialization())
        else {
            return self.forget(app, subscription).await;
        };
        let expires_at = app.clock.now_ms() / 1000 + SIGNATURE_LIFE;
        let authorization = self.vapid(app).await?.authorization(&origin, expires_at)?;
        let topic = topic(tag);
        for attempt in 0..2 {
            let request = self
                .http
                .post(&subscription.endpoint)
                .header("authorization", &authorization)
                .header("content-encoding", "aes128gcm")
                .header("content-type", "application/octet-stream")
                .header("ttl", TIME_TO_LIVE)
                .header("urgency", "high")
                .header("topic", &topic)
                .body(body.clone());
            match request.send().await.map(|response| response.status()) {
                Ok(status) if status.is_success() => return Ok(Sent::Accepted),
                Ok(StatusCode::NOT_FOUND | StatusCode::GONE) => return self.forget(app, subscription).await,
                Ok(status) if attempt == 0 && (status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS) => {
                }
                Ok(status) => {
                    tracing::warn!(%status, service = %origin, "a push service refused a notification");
                    return Ok(Sent::Failed);
                }
                Err(error) if attempt == 0 => tracing::debug!(%error, "a notification is sent again"),
                Err(error) => {
                    tracing::warn!(error = %error.without_url(), service = %origin, "a notification could not be sent");
                    return Ok(Sent::Failed);
                }
            }
        }
        Ok(Sent::Failed)
    }

    async fn forget(&self, app: &App, subscription: &PushSubscription) -> Result<Sent, PushError> {
        app.db.push().unsubscribe(&subscription.user_id, &subscription.endpoint).await?;
        Ok(Sent::Gone)
    }
}

/// Listen for what happens in sessions.
pub(crate) fn start(app: &App) {
    let listener = app.clone();
    let mut happenings = app.live.happenings.subscribe();
    app.tasks.spawn("notifications", async move {
        loop {
            match happenings.recv().await {
                Ok(happening) => {
                    let app = listener.clone();
                    listener.tasks.spawn("notification", async move {
                        if let Err(error) = notify(&app, happening).await {
                            tracing::error!(%error, "a notification was not sent");
                        }
                    });
                }
                Err(RecvError::Lagged(missed)) => tracing::warn!(missed, "notifications were missed"),
                Err(RecvError::Closed) => return,
            }
        }
    });
}

async fn notify(app: &App, happening: Happening) -> Result<(), PushError> {
    let Some((kind, message)) = message(&happening) else { return Ok(()) };
    let subscriptions = app.db.push().list(happening.user.as_str()).await?;
    if subscriptions.is_empty() {
        return Ok(());
    }
    // Whoever sees the session needs no notification; when that cannot be known, one too many is better.
    if matches!(api::audience(app, happening.session.as_str()).await, Ok(Some((_, visible))) if visible > 0) {
        return Ok(());
    }
    let is_child = happening.record.parent().is_some();
    for subscription in subscriptions {
        if !wants(&subscription, kind, is_child) {
            continue;
        }
        let sent = app.push.send(app, &subscription, happening.session.as_str(), &message).await?;
        app.metrics.count("pizzapi_push_sends_total", &[("result", sent.word())]);
    }
    Ok(())
}

fn wants(subscription: &PushSubscription, kind: &str, is_child: bool) -> bool {
    (subscription.events == "*" || subscription.events.split(',').any(|event| event.trim() == kind))
        && !(is_child && subscription.suppress_children)
}

/// Type and content of a notification; `None`: nothing worth one.
fn message(happening: &Happening) -> Option<(&'static str, Value)> {
    let session = happening.session.as_str();
    let name = happening.record.session_name.clone().unwrap_or_else(|| folder(&happening.record.cwd).to_owned());
    let build = |title: String, body: String, data: Value, actions: Value| {
        let mut data = data;
        data["sessionId"] = json!(session);
        data["url"] = json!(format!("/session/{session}"));
        let url = data["url"].clone();
        json!({ "title": title, "body": body, "tag": session, "sessionId": session, "url": url, "data": data, "actions": actions })
    };
    Some(match &happening.what {
        What::AgentFinished { text } => {
            let body = shorten(text.as_deref().unwrap_or("The agent is done."), MAX_FINISHED);
            ("agent_finished", build(name, body, json!({ "type": "agent_finished" }), json!([])))
        }
        What::AgentFailed { message } => {
            let body = shorten(message, MAX_TEXT);
            ("agent_error", build(format!("{name}: error"), body, json!({ "type": "agent_error" }), json!([])))
        }
        What::QuestionAsked { tool_call_id, args } => {
            let args: Value = args.to().unwrap_or_default();
            let (question, options) = question(&args);
            let actions: Vec<Value> = options
                .iter()
                .take(MAX_ACTIONS)
                .map(|option| json!({ "action": option, "title": shorten(option, 40) }))
                .collect();
            let data = json!({ "type": "agent_needs_input", "toolCallId": tool_call_id, "options": options });
            let body = shorten(&question, MAX_TEXT);
            ("agent_needs_input", build(format!("{name} asks"), body, data, json!(actions)))
        }
        What::PlanReady { title } => {
            let body = shorten(title.as_deref().unwrap_or("A plan is ready for review."), MAX_TEXT);
            (
                "agent_needs_input",
                build(format!("{name}: plan"), body, json!({ "type": "agent_needs_input" }), json!([])),
            )
        }
        What::NeedsPerson { id, title } => {
            let data = json!({ "type": "agent_needs_input", "decisionId": id });
            ("agent_needs_input", build(format!("{name} waits"), shorten(title, MAX_TEXT), data, json!([])))
        }
        What::QuestionOver { .. } | What::PersonNotNeeded { .. } => return None,
    })
}

/// The one question of a call with its options, or the first of several, which need the page.
fn question(args: &Value) -> (String, Vec<String>) {
    let text = |value: &Value| value.get("question").and_then(Value::as_str).map(str::to_owned);
    let options = |value: &Value| -> Vec<String> {
        let label = |option: &Value| option.as_str().or_else(|| option.get("label")?.as_str()).map(str::to_owned);
        value
            .get("options")
            .and_then(Value::as_array)
            .map(|list| list.iter().filter_map(label).collect())
            .unwrap_or_default()
    };
    match args.get("questions").and_then(Value::as_array).map(Vec::as_slice) {
        Some([one]) => (text(one).unwrap_or_default(), options(one)),
        Some([first, ..]) => (text(first).unwrap_or_default(), Vec::new()),
        _ => (text(args).unwrap_or_else(|| "The agent has a question.".to_owned()), options(args)),
    }
}

fn folder(cwd: &str) -> &str {
    cwd.rsplit(['/', '\\']).find(|part| !part.is_empty()).unwrap_or("PizzaPi")
}

fn shorten(text: &str, max: usize) -> String {
    let flat: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if flat.chars().count() <= max {
        return flat;
    }
    let mut cut: String = flat.chars().take(max - 1).collect();
    cut.push('…');
    cut
}

/// Newer messages of a topic replace older ones that were not delivered yet: at most 32 characters of base64url.
fn topic(tag: &str) -> String {
    crate::auth::sealed::token_hash(tag).chars().take(32).collect()
}

/// Finds addresses of push services and leaves out those inside a network.
struct PublicOnly {
    allow_private: bool,
}

impl reqwest::dns::Resolve for PublicOnly {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let usable: Vec<SocketAddr> = found.filter(|address| allow_private || is_public(address.ip())).collect();
            if usable.is_empty() {
                return Err("the push service's name leads into a private network".into());
            }
            Ok(Box::new(usable.into_iter()) as reqwest::dns::Addrs)
        })
    }
}

/// An address of the public internet.
pub fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            !(ip.is_loopback()
                || ip.is_private()
                || ip.is_link_local()
                || ip.is_unspecified()
                || ip.is_broadcast()
                || ip.is_multicast()
                || ip.is_documentation()
                || a == 0
                || (a == 100 && (64..128).contains(&b))
                || (a == 198 && (18..20).contains(&b))
                || a >= 240)
        }
        IpAddr::V6(ip) => {
            let first = ip.segments()[0];
            !(ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_multicast()
                || (first & 0xfe00) == 0xfc00
                || (first & 0xffc0) == 0xfe80
                || (first == 0x2001 && ip.segments()[1] == 0xdb8)
                || (first == 0x64 && ip.segments()[1] == 0xff9b))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_inside_networks_are_not_public() {
        for ip in [
            "127.0.0.1",
            "10.0.0.1",
            "169.254.169.254",
            "192.168.1.1",
            "100.64.0.1",
            "0.0.0.0",
            "::1",
            "fe80::1",
            "fd00::1",
            "::ffff:10.0.0.1",
            "224.0.0.1",
        ] {
            assert!(!is_public(ip.parse().unwrap()), "{ip}");
        }
        for ip in ["8.8.8.8", "2606:4700::1111", "172.32.0.1"] {
            assert!(is_public(ip.parse().unwrap()), "{ip}");
        }
    }

    #[test]
    fn a_single_question_offers_its_options() {
        let one = json!({ "questions": [{ "question": "Which?", "options": ["a", { "label": "b" }] }] });
        assert_eq!(question(&one), ("Which?".to_owned(), vec!["a".to_owned(), "b".to_owned()]));
        let two = json!({ "questions": [{ "question": "Which?", "options": ["a"] }, { "question": "Why?" }] });
        assert_eq!(question(&two), ("Which?".to_owned(), vec![]));
        assert_eq!(question(&json!({ "question": "Old?" })).0, "Old?");
    }

    #[test]
    fn long_texts_end_in_an_ellipsis() {
        assert_eq!(shorten("a  b\n c", 10), "a b c");
        assert_eq!(shorten(&"ö".repeat(20), 10).chars().count(), 10);
    }
}

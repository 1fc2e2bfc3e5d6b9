//! What a client needs to know, and the bounds it keeps. Every default is a policy; the reason stands beside it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use url::Url;

use crate::backoff::BackoffPolicy;
use crate::error::ConfigError;

/// TCP, TLS, upgrade, open frame and CONNECT together. Generous for a phone network, short enough to try again soon.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// How long the peer's TCP window may stay closed while we have something to send.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(20);
/// Messages waiting for the socket. When full, `emit` fails: the caller knows best what to drop.
pub const OUTBOUND_MESSAGES: usize = 4096;
/// The same bound in bytes: a few snapshots of the largest permitted size.
pub const OUTBOUND_BYTES: usize = 64 * 1024 * 1024;
/// Events waiting for the consumer. When full, reading stops and TCP slows the server.
pub const INBOUND_EVENTS: usize = 1024;
/// The same bound in bytes.
pub const INBOUND_BYTES: usize = 64 * 1024 * 1024;
/// Largest message in either direction; the server may announce less.
pub const MAX_MESSAGE_BYTES: usize = 100 * 1024 * 1024;
/// Wrong credentials seldom get right by themselves, but keys are also created late: ask again, slowly.
pub const UNAUTHORIZED_RETRY: Duration = Duration::from_secs(60);

/// One connection to one server.
#[derive(Clone)]
pub struct Config {
    /// Scheme, host and port; `ws` and `http` mean the same, as do `wss` and `https`. A path is ignored.
    pub url: String,
    /// Where the server listens for Engine.IO.
    pub path: String,
    /// Extra headers of the upgrade request, such as `Cookie` and `Origin`.
    pub headers: Vec<(String, String)>,
    pub connect_timeout: Duration,
    pub write_timeout: Duration,
    pub backoff: BackoffPolicy,
    pub outbound_messages: usize,
    pub outbound_bytes: usize,
    pub inbound_events: usize,
    pub inbound_bytes: usize,
    pub max_message_bytes: usize,
    /// Trust and keys for `wss`. `None`: the web's root certificates.
    pub tls: Option<Arc<rustls::ClientConfig>>,
}

impl Config {
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            path: "/socket.io/".to_owned(),
            headers: Vec::new(),
            connect_timeout: CONNECT_TIMEOUT,
            write_timeout: WRITE_TIMEOUT,
            backoff: BackoffPolicy::default(),
            outbound_messages: OUTBOUND_MESSAGES,
            outbound_bytes: OUTBOUND_BYTES,
            inbound_events: INBOUND_EVENTS,
            inbound_bytes: INBOUND_BYTES,
            max_message_bytes: MAX_MESSAGE_BYTES,
            tls: None,
        }
    }

    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub(crate) fn endpoint(&self) -> Result<Endpoint, ConfigError> {
        let bad = |message: String| ConfigError::Url { url: self.url.clone(), message };
        let given = Url::parse(self.url.trim()).map_err(|error| bad(error.to_string()))?;
        let (scheme, default_port) = match given.scheme() {
            "http" | "ws" => ("ws", 80),
            "https" | "wss" => ("wss", 443),
            other => return Err(ConfigError::Scheme(other.to_owned())),
        };
        let host = given.host_str().ok_or_else(|| bad("no host".to_owned()))?;
        // `port` is `None` for the scheme's own default port.
        let port = given.port().unwrap_or(default_port);
        let path = format!("/{}/", self.path.trim_matches('/'));
        let request = format!("{scheme}://{host}:{port}{path}?EIO=4&transport=websocket");

        let mut headers = Vec::with_capacity(self.headers.len());
        for (name, value) in &self.headers {
            let bad = |_| ConfigError::Header(name.clone());
            let value = HeaderValue::from_str(value).map_err(|_| ConfigError::Header(name.clone()))?;
            headers.push((name.parse::<HeaderName>().map_err(bad)?, value));
        }
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Endpoint { request, host, port, secure: scheme == "wss", headers })
    }
}

impl fmt::Debug for Config {
    /// Without headers: they carry cookies.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("url", &self.url).field("path", &self.path).finish_non_exhaustive()
    }
}

/// Where to dial and what to ask for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Endpoint {
    pub request: String,
    pub host: String,
    pub port: u16,
    pub secure: bool,
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// Why credentials could not be prepared.
pub type AuthError = Box<dyn std::error::Error + Send + Sync>;
pub(crate) type AuthFuture = Pin<Box<dyn Future<Output = Result<serde_json::Value, AuthError>> + Send>>;
pub(crate) type AuthFn = Arc<dyn Fn() -> AuthFuture + Send + Sync>;
type RejectionFn = Arc<dyn Fn(&str) -> OnRejection + Send + Sync>;

/// What to do when the server refuses a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnRejection {
    /// Give up; the client is closed.
    Stop,
    /// Ask again after this long (±25 %).
    RetryAfter(Duration),
    /// Ask again with the usual growing delays.
    Backoff,
}

/// How one namespace is joined.
#[derive(Clone)]
pub struct Join {
    pub(crate) auth: AuthFn,
    pub(crate) on_rejection: RejectionFn,
}

impl Default for Join {
    fn default() -> Self {
        Self {
            auth: Arc::new(|| Box::pin(async { Ok(serde_json::Value::Null) })),
            on_rejection: Arc::new(default_rejection),
        }
    }
}

impl Join {
    /// Join with the `auth` object this function returns. It is asked again before every attempt.
    pub fn with_auth<F, Fut>(auth: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<serde_json::Value, AuthError>> + Send + 'static,
    {
        Self { auth: Arc::new(move || Box::pin(auth())), ..Self::default() }
    }

    pub fn on_rejection(mut self, decide: impl Fn(&str) -> OnRejection + Send + Sync + 'static) -> Self {
        self.on_rejection = Arc::new(decide);
        self
    }
}

impl fmt::Debug for Join {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Join")
    }
}

/// Refused credentials and origins are asked again slowly, everything else with growing delays.
pub fn default_rejection(message: &str) -> OnRejection {
    if message == "unauthorized" || message.starts_with("forbidden") {
        OnRejection::RetryAfter(UNAUTHORIZED_RETRY)
    } else {
        OnRejection::Backoff
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(url: &str) -> String {
        Config::new(url).endpoint().map(|endpoint| endpoint.request).unwrap_or_else(|error| error.to_string())
    }

    #[test]
    fn every_spelling_of_a_relay_url_leads_to_its_engine() {
        let local = "ws://localhost:7492/socket.io/?EIO=4&transport=websocket";
        assert_eq!(request("ws://localhost:7492"), local);
        assert_eq!(request("http://localhost:7492/"), local);
        assert_eq!(request("ws://localhost:7492/ws/sessions"), local);
        assert_eq!(request("https://relay.example"), "wss://relay.example:443/socket.io/?EIO=4&transport=websocket");
        assert_eq!(request("wss://[::1]:8443"), "wss://[::1]:8443/socket.io/?EIO=4&transport=websocket");
        assert_eq!(Config::new("wss://[::1]:8443").endpoint().map(|endpoint| endpoint.host), Ok("::1".to_owned()));
    }

    #[test]
    fn what_is_no_url_is_refused_by_name() {
        assert!(request("localhost").contains("`localhost` is not a URL"));
        assert_eq!(
            request("ftp://relay.example"),
            "`ftp` is not a scheme a Socket.IO server can have (http, https, ws, wss)"
        );
    }
}

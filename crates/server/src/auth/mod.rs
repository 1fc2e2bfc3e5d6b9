//! Who is asking: credentials become a [`Principal`], and principals are cut off when a credential is taken back.

pub mod api_key;
pub mod device_claims;
pub mod limits;
pub mod login;
pub mod origin;
pub mod password;
pub mod proxy;
pub mod sealed;

use std::time::Duration;

use http::HeaderMap;
use tokio::sync::broadcast;

use crate::app::App;
use crate::config::{Secret, ServerConfig};
use crate::db::{Backend, DbError};

pub use api_key::authenticate_api_key;
pub use login::authenticate_cookie;

/// Revocations a slow listener may fall behind before it must re-check all its sockets.
const REVOCATION_BACKLOG: usize = 256;
/// How often a node looks for revocations made on other nodes.
const REVOCATION_POLL: Duration = Duration::from_secs(2);

/// Who is asking, and what proved it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    pub user_id: String,
    /// The account's name, or its id when there is none.
    pub user_name: String,
    pub via: Via,
}

/// The credential behind a principal. Units: expiry in Unix ms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Via {
    ApiKey { key_id: String, expires_at: Option<i64> },
    Login { login_id: String, expires_at: i64 },
}

impl Principal {
    /// Browser logins may manage credentials; API keys may not.
    pub fn is_login(&self) -> bool {
        matches!(self.via, Via::Login { .. })
    }

    /// When the credential ends by itself.
    pub fn expires_at(&self) -> Option<i64> {
        match &self.via {
            Via::ApiKey { expires_at, .. } => *expires_at,
            Via::Login { expires_at, .. } => Some(*expires_at),
        }
    }
}

/// Why nobody was recognised.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    #[error("no credential was given")]
    Missing,
    #[error("the credential is not valid")]
    Invalid,
    #[error("the API key has expired")]
    Expired,
    #[error("the API key is used too often")]
    RateLimited { retry_after: Duration },
    #[error("credentials cannot be checked right now: {0}")]
    Unavailable(#[from] DbError),
}

impl AuthError {
    /// Stable code for clients.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing | Self::Invalid => "unauthenticated",
            Self::Expired => "key_expired",
            Self::RateLimited { .. } => "rate_limited",
            Self::Unavailable(_) => "server_not_ready",
        }
    }

    /// The same credential may be accepted later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::RateLimited { .. } | Self::Unavailable(_))
    }
}

/// A credential, or everything of a user, taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revoked {
    ApiKey(String),
    Login(String),
    /// Every credential of a user.
    User(String),
}

impl Revoked {
    /// Must this principal be cut off?
    pub fn hits(&self, principal: &Principal) -> bool {
        match (self, &principal.via) {
            (Self::User(user_id), _) => principal.user_id == *user_id,
            (Self::ApiKey(id), Via::ApiKey { key_id, .. }) => id == key_id,
            (Self::Login(id), Via::Login { login_id, .. }) => id == login_id,
            _ => false,
        }
    }

    fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::ApiKey(id) => ("api_key", id),
            Self::Login(id) => ("login", id),
            Self::User(id) => ("user", id),
        }
    }

    fn from_parts(kind: &str, subject: String) -> Option<Self> {
        match kind {
            "api_key" => Some(Self::ApiKey(subject)),
            "login" => Some(Self::Login(subject)),
            "user" => Some(Self::User(subject)),
            _ => None,
        }
    }
}

/// What authentication keeps in memory.
pub struct Auth {
    pub hasher: password::Hasher,
    pub limits: limits::Limits,
    pub(crate) key_uses: api_key::KeyUses,
    secret: Secret,
    revoked: broadcast::Sender<Revoked>,
}

/// Authentication cannot start.
#[derive(Debug, thiserror::Error)]
pub enum AuthSetupError {
    #[error(
        "cannot keep the signing secret in `{path}`: {source}\n\nhint: make the data directory writable, or set BETTER_AUTH_SECRET"
    )]
    Secret { path: String, source: std::io::Error },
    #[error(transparent)]
    Hash(#[from] password::HashError),
}

impl Auth {
    pub fn open(config: &ServerConfig) -> Result<Self, AuthSetupError> {
        Ok(Self {
            hasher: password::Hasher::new(config.auth.argon2)?,
            limits: limits::Limits::new(config.auth.unlimited),
            key_uses: api_key::KeyUses::default(),
            secret: signing_secret(config)?,
            revoked: broadcast::Sender::new(REVOCATION_BACKLOG),
        })
    }

    /// Everything taken back from now on, on this node or another.
    pub fn revocations(&self) -> broadcast::Receiver<Revoked> {
        self.revoked.subscribe()
    }

    /// Signs cookies and links.
    pub(crate) fn secret(&self) -> &[u8] {
        self.secret.reveal().as_bytes()
    }
}

/// Tell every socket, here and on other nodes, that a credential no longer counts.
///
/// The row that made it valid must be gone already: a socket that connects in between must not get in.
pub async fn revoke(app: &App, revoked: Revoked) -> Result<(), DbError> {
    let (kind, subject) = revoked.parts();
    app.metrics.count("pizzapi_revocations_total", &[("kind", kind)]);
    if app.db.backend() == Backend::Postgres {
        app.db.credentials().record_revocation(kind, subject, app.clock.now_ms()).await?;
    }
    // Nobody listens when no socket is connected.
    let _ = app.auth.revoked.send(revoked);
    Ok(())
}

/// Does the credential behind a long-lived connection still count?
pub async fn still_valid(app: &App, principal: &Principal) -> Result<bool, DbError> {
    let now = app.clock.now_ms();
    match &principal.via {
        Via::ApiKey { key_id, .. } => app.db.credentials().is_key_valid(key_id, now).await,
        Via::Login { login_id, .. } => app.db.credentials().is_login_valid(login_id, now).await,
    }
}

/// The HTTP rule "key if present, else browser login", also as `Authorization: Bearer`.
pub async fn authenticate_request(app: &App, headers: &HeaderMap, address: &str) -> Result<Principal, AuthError> {
    match api_key::from_headers(headers) {
        Some(key) => api_key::authenticate_from(app, key, Some(address)).await,
        None => authenticate_cookie(app, headers).await,
    }
}

/// Start what authentication does in the background.
pub async fn start(app: &App) -> Result<(), DbError> {
    let warmer = app.clone();
    app.tasks.spawn("password decoy", async move {
        if let Err(error) = warmer.auth.hasher.warm_up().await {
            tracing::error!(%error, "passwords cannot be checked");
        }
    });
    let flusher = app.clone();
    app.tasks.every("key use statistics", api_key::FLUSH_PERIOD, move || {
        let app = flusher.clone();
        async move { api_key::flush_uses(&app).await }
    });
    if app.db.backend() == Backend::Postgres {
        let mut seen = app.db.credentials().newest_revocation().await?;
        let poller = app.clone();
        app.tasks.spawn("revocations of other nodes", async move {
            let mut ticks = tokio::time::interval(REVOCATION_POLL);
            loop {
                ticks.tick().await;
                match poller.db.credentials().revocations_after(seen).await {
                    Ok(rows) => {
                        for (id, kind, subject) in rows {
                            seen = id;
                            if let Some(revoked) = Revoked::from_parts(&kind, subject) {
                                let _ = poller.auth.revoked.send(revoked);
                            }
                        }
                    }
                    Err(error) => tracing::warn!(%error, "revocations of other nodes could not be read"),
                }
            }
        });
    }
    Ok(())
}

/// The configured secret, or one made once and kept beside the database.
fn signing_secret(config: &ServerConfig) -> Result<Secret, AuthSetupError> {
    /// Shorter secrets can be guessed offline from one cookie.
    const WEAK_BELOW: usize = 32;
    if let Some(secret) = &config.auth.secret {
        if secret.reveal().len() < WEAK_BELOW {
            tracing::warn!("BETTER_AUTH_SECRET is shorter than {WEAK_BELOW} characters; use a longer random one");
        }
        return Ok(secret.clone());
    }
    let path = config.data_dir.join("secret");
    let failed = |source| AuthSetupError::Secret { path: path.display().to_string(), source };
    crate::db::private_dir(&config.data_dir).map_err(failed)?;
    crate::db::private_file(&path).map_err(failed)?;
    let kept = std::fs::read_to_string(&path).map_err(failed)?;
    if kept.trim().len() >= WEAK_BELOW {
        return Ok(Secret::new(kept.trim()));
    }
    let fresh = random_hex();
    std::fs::write(&path, &fresh).map_err(failed)?;
    Ok(Secret::new(fresh))
}

/// 256 random bits as 64 hexadecimal characters.
pub fn random_hex() -> String {
    hex::encode(rand::random::<[u8; 32]>())
}

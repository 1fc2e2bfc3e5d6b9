//! Everything the server can be told, read once. Nothing below this file looks at the environment.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::auth::proxy::{Cidr, ProxyTrust};

/// The port of everything: web UI, REST, sockets.
pub const DEFAULT_PORT: u16 = 7492;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const MIB: u64 = 1024 * 1024;

/// All settings of one server.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    pub listen: ListenConfig,
    /// Accounts, logs, attachments and secrets live below it. Created with mode 0700.
    pub data_dir: PathBuf,
    /// A PostgreSQL URL for several nodes; without it one SQLite file in `data_dir`.
    pub database_url: Option<Secret>,
    /// Live state shared by several nodes; without it the embedded store in `data_dir`.
    pub redis_url: Option<Secret>,
    pub web: WebConfig,
    pub auth: AuthConfig,
    pub sessions: SessionConfig,
    pub attachments: AttachmentConfig,
    pub push: PushConfig,
    pub metrics: MetricsAccess,
}

/// Where to listen and how safely.
#[derive(Clone, Debug)]
pub struct ListenConfig {
    pub address: SocketAddr,
    pub tls: Option<TlsFiles>,
    /// Allow plain HTTP on an address other machines can reach.
    pub insecure: bool,
}

#[derive(Clone, Debug)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// How browsers reach the server.
#[derive(Clone, Debug)]
pub struct WebConfig {
    /// Public URL, without a trailing slash.
    pub base_url: Option<String>,
    pub extra_origins: Vec<String>,
    pub trust_mobile_origins: bool,
    /// A folder to serve instead of the embedded UI.
    pub ui_dir: Option<PathBuf>,
    pub proxy: ProxyTrust,
    /// `[scheme://]host[:port]` under which host tunnels get their own origin.
    pub tunnel_domain: Option<String>,
    pub production: bool,
}

#[derive(Clone, Debug)]
pub struct AuthConfig {
    /// Signs cookies and links; generated and kept in `data_dir` when not given.
    pub secret: Option<Secret>,
    /// `https://…` makes cookies secure; falls back to the public URL.
    pub cookie_base_url: Option<String>,
    /// Close sign-up once somebody has an account.
    pub first_user_only: bool,
    pub api_key_limit: Option<ApiKeyLimit>,
    pub argon2: Argon2Cost,
    /// Switches the limits of account routes off; for tests that make hundreds of accounts.
    pub unlimited: bool,
}

/// Use limit of each API key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiKeyLimit {
    pub window: Duration,
    pub max: u32,
}

/// Cost of a password hash. Units: KiB, passes, lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argon2Cost {
    pub memory_kib: u32,
    pub passes: u32,
    pub lanes: u32,
}

#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// An agent that lost its connection keeps its session this long.
    pub grace: Duration,
    /// The same after a clean close by the client.
    pub grace_after_close: Duration,
    pub runner_grace: Duration,
    pub ephemeral_ttl: Duration,
    pub sweep: Duration,
    /// History rows are kept this long after the end; zero keeps nothing beyond `ephemeral_ttl`.
    pub history_retention: Duration,
    pub history_max_per_user: u32,
    /// Acknowledge an event when it is on the disk, not only in the system's cache: it then survives a power cut too.
    pub sync_to_disk: bool,
    /// Events of a session kept in memory for replay.
    pub event_buffer: usize,
    pub event_ttl: Duration,
}

#[derive(Clone, Debug)]
pub struct AttachmentConfig {
    pub dir: Option<PathBuf>,
    pub max_file_bytes: u64,
    /// Kept at least this long, and as long again after the agent fetched it.
    pub ttl: Duration,
    pub quota_bytes: u64,
}

/// Notifications to browsers.
#[derive(Clone, Debug)]
pub struct PushConfig {
    /// Public and private key, base64url; without them a pair is made once and kept in the database.
    pub vapid: Option<(String, Secret)>,
    /// Whom a push service may write to: `mailto:` or `https:`.
    pub subject: String,
    /// Send to addresses inside a network; for tests.
    pub allow_private: bool,
}

/// Who may read `/metrics`.
#[derive(Clone, Debug)]
pub enum MetricsAccess {
    Off,
    /// Only from this machine.
    Loopback,
    Open,
    Token(Secret),
}

/// Text that never appears in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}

/// A setting that cannot be used as it stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("{name} is `{value}`; expected {expected}")]
    Invalid { name: &'static str, value: String, expected: &'static str },
    #[error("no home directory found; set PIZZAPI_DATA_DIR to a folder this user can write")]
    NoHome,
    #[error("BETTER_AUTH_SECRET must be set when NODE_ENV is production")]
    NoSecret,
    #[error(
        "refusing to listen on {0}: other machines could reach the server over plain HTTP\n\nhint: give --tls-cert and --tls-key, put a TLS proxy in front and pass --insecure, or listen on 127.0.0.1"
    )]
    PlainHttp(SocketAddr),
    #[error(
        "refusing to listen on {0}: no account exists yet, and whoever comes first would own this server\n\nhint: start once on 127.0.0.1 and create the account there, or pass --insecure to accept the risk"
    )]
    NoAccount(SocketAddr),
}

impl ServerConfig {
    /// Defaults for a data directory: loopback, embedded stores, sign-up for the first user only.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            listen: ListenConfig {
                address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), DEFAULT_PORT),
                tls: None,
                insecure: false,
            },
            data_dir: data_dir.into(),
            database_url: None,
            redis_url: None,
            web: WebConfig {
                base_url: None,
                extra_origins: Vec::new(),
                trust_mobile_origins: true,
                ui_dir: None,
                proxy: ProxyTrust::default(),
                tunnel_domain: None,
                production: false,
            },
            auth: AuthConfig {
                secret: None,
                cookie_base_url: None,
                first_user_only: true,
                api_key_limit: None,
                argon2: Argon2Cost { memory_kib: 19 * 1024, passes: 2, lanes: 1 },
                unlimited: false,
            },
            sessions: SessionConfig {
                grace: Duration::from_secs(90),
                grace_after_close: Duration::from_secs(10),
                runner_grace: Duration::from_secs(60),
                ephemeral_ttl: Duration::from_secs(600),
                sweep: Duration::from_secs(60),
                history_retention: 30 * DAY,
                history_max_per_user: 500,
                event_buffer: 1000,
                event_ttl: DAY,
                sync_to_disk: true,
            },
            attachments: AttachmentConfig { dir: None, max_file_bytes: 30 * MIB, ttl: DAY, quota_bytes: 1024 * MIB },
            push: PushConfig { vapid: None, subject: "mailto:admin@pizzapi.local".to_owned(), allow_private: false },
            metrics: MetricsAccess::Loopback,
        }
    }

    /// For tests: any free port, cheap password hashes, no account limits.
    pub fn for_tests(data_dir: impl Into<PathBuf>) -> Self {
        let mut config = Self::new(data_dir);
        config.listen.address.set_port(0);
        config.auth.argon2 = Argon2Cost { memory_kib: 64, passes: 1, lanes: 1 };
        config.auth.unlimited = true;
        config.auth.first_user_only = false;
        config.sessions.sync_to_disk = false;
        config
    }

    /// Settings from the process environment, over the defaults.
    ///
    /// Errors: names the variable, its value and the accepted form.
    #[expect(clippy::disallowed_methods, reason = "the one place where the server's settings are read")]
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_vars(&|name| std::env::var(name).ok())
    }

    /// Settings from any source of variables.
    pub fn from_vars(var: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let vars = Vars { var };
        let data_dir = match vars.text("PIZZAPI_DATA_DIR") {
            Some(dir) => PathBuf::from(dir),
            None => home(&vars)?.join("server"),
        };
        let mut config = Self::new(data_dir);

        if let Some(host) = vars.text("PIZZAPI_HOST") {
            let ip =
                host.parse().map_err(|_| invalid("PIZZAPI_HOST", &host, "an IP address such as 127.0.0.1 or ::"))?;
            config.listen.address.set_ip(ip);
        }
        if let Some(port) = vars.number("PORT", "a port between 0 and 65535")? {
            config.listen.address.set_port(port);
        }
        config.listen.insecure = vars.flag("PIZZAPI_INSECURE", false)?;
        config.listen.tls = match (vars.text("PIZZAPI_TLS_CERT"), vars.text("PIZZAPI_TLS_KEY")) {
            (Some(certificate), Some(key)) => Some(TlsFiles { certificate: certificate.into(), key: key.into() }),
            (None, None) => None,
            (Some(_), None) => {
                return Err(invalid("PIZZAPI_TLS_KEY", "", "a key file, because PIZZAPI_TLS_CERT is set"));
            }
            (None, Some(_)) => {
                return Err(invalid("PIZZAPI_TLS_CERT", "", "a certificate file, because PIZZAPI_TLS_KEY is set"));
            }
        };

        config.database_url = vars.text("PIZZAPI_DATABASE_URL").map(Secret);
        config.redis_url = vars
            .text("PIZZAPI_REDIS_URL")
            .filter(|url| !matches!(url.to_ascii_lowercase().as_str(), "off" | "disabled" | "none"))
            .map(Secret);

        config.web.production = vars.text("NODE_ENV").as_deref() == Some("production");
        config.web.base_url = vars.url("PIZZAPI_BASE_URL")?;
        if let Some(list) = vars.text("PIZZAPI_EXTRA_ORIGINS") {
            config.web.extra_origins = list
                .split(',')
                .map(|item| item.trim().trim_end_matches('/').to_owned())
                .filter(|item| !item.is_empty())
                .collect();
        }
        config.web.trust_mobile_origins = vars.flag("PIZZAPI_TRUST_MOBILE_ORIGINS", true)?;
        config.web.ui_dir = vars.text("PIZZAPI_UI_DIR").map(PathBuf::from);
        config.web.tunnel_domain = vars.text("PIZZAPI_TUNNEL_DOMAIN");
        config.web.proxy = proxy(&vars)?;

        config.auth.secret = vars.text("BETTER_AUTH_SECRET").map(Secret);
        if config.web.production && config.auth.secret.is_none() {
            return Err(ConfigError::NoSecret);
        }
        config.auth.cookie_base_url = vars.url("BETTER_AUTH_BASE_URL")?;
        config.auth.first_user_only = vars.flag("PIZZAPI_DISABLE_SIGNUP_AFTER_FIRST_USER", true)?;
        if vars.flag("PIZZAPI_API_KEY_RATE_LIMIT_ENABLED", false)? {
            config.auth.api_key_limit = Some(ApiKeyLimit {
                window: vars.millis("PIZZAPI_API_KEY_RATE_LIMIT_TIME_WINDOW_MS")?.unwrap_or(Duration::from_secs(60)),
                max: vars.number("PIZZAPI_API_KEY_RATE_LIMIT_MAX_REQUESTS", "a whole number")?.unwrap_or(1000),
            });
        }

        let sessions = &mut config.sessions;
        vars.set_millis("PIZZAPI_SESSION_GRACE_MS", &mut sessions.grace)?;
        vars.set_millis("PIZZAPI_RUNNER_GRACE_MS", &mut sessions.runner_grace)?;
        vars.set_millis("PIZZAPI_EPHEMERAL_TTL_MS", &mut sessions.ephemeral_ttl)?;
        vars.set_millis("PIZZAPI_EPHEMERAL_SWEEP_MS", &mut sessions.sweep)?;
        vars.set_millis("PIZZAPI_RELAY_EVENT_TTL_MS", &mut sessions.event_ttl)?;
        sessions.sync_to_disk = vars.flag("PIZZAPI_LOG_SYNC", true)?;
        if let Some(days) = vars.number::<u32>("PIZZAPI_HISTORY_RETENTION_DAYS", "a number of days")? {
            sessions.history_retention = days * DAY;
        }
        if let Some(max) = vars.number("PIZZAPI_HISTORY_MAX_PER_USER", "a whole number")? {
            sessions.history_max_per_user = max;
        }
        if let Some(size) = vars.number("PIZZAPI_RELAY_EVENT_BUFFER_SIZE", "a whole number")? {
            sessions.event_buffer = size;
        }

        let attachments = &mut config.attachments;
        attachments.dir = vars.text("PIZZAPI_ATTACHMENT_DIR").map(PathBuf::from);
        vars.set_millis("PIZZAPI_ATTACHMENT_TTL_MS", &mut attachments.ttl)?;
        if let Some(bytes) = vars.number("PIZZAPI_ATTACHMENT_MAX_FILE_SIZE_BYTES", "a number of bytes")? {
            attachments.max_file_bytes = bytes;
        }
        if let Some(bytes) = vars.number("PIZZAPI_ATTACHMENT_QUOTA_BYTES", "a number of bytes")? {
            attachments.quota_bytes = bytes;
        }

        config.push.vapid = match (vars.text("VAPID_PUBLIC_KEY"), vars.text("VAPID_PRIVATE_KEY")) {
            (Some(public), Some(private)) => Some((public, Secret(private))),
            (None, None) => None,
            _ => return Err(invalid("VAPID_PUBLIC_KEY", "", "to be set together with VAPID_PRIVATE_KEY")),
        };
        if let Some(subject) = vars.text("VAPID_SUBJECT") {
            config.push.subject = subject;
        }

        config.metrics = match vars.text("PIZZAPI_METRICS").as_deref() {
            None => MetricsAccess::Loopback,
            Some("off") => MetricsAccess::Off,
            Some("open") => MetricsAccess::Open,
            Some(token) if token.len() >= 16 => MetricsAccess::Token(Secret::new(token)),
            Some(other) => {
                return Err(invalid("PIZZAPI_METRICS", other, "`off`, `open`, or a token of at least 16 characters"));
            }
        };
        Ok(config)
    }

    /// The public URL, or the address this server listens on.
    pub fn public_url(&self) -> String {
        match &self.web.base_url {
            Some(url) => url.clone(),
            None => {
                let scheme = if self.listen.tls.is_some() { "https" } else { "http" };
                let host = match self.listen.address.ip() {
                    ip if ip.is_loopback() || ip.is_unspecified() => "localhost".to_owned(),
                    IpAddr::V6(ip) => format!("[{ip}]"),
                    IpAddr::V4(ip) => ip.to_string(),
                };
                format!("{scheme}://{host}:{}", self.listen.address.port())
            }
        }
    }

    /// Are browsers on https, so that cookies must be?
    pub fn is_https(&self) -> bool {
        match self.auth.cookie_base_url.as_deref().or(self.web.base_url.as_deref()) {
            Some(url) => url.starts_with("https://"),
            None => self.listen.tls.is_some(),
        }
    }

    pub fn database_path(&self) -> PathBuf {
        self.data_dir.join("pizzapi.db")
    }

    pub fn attachment_dir(&self) -> PathBuf {
        self.attachments.dir.clone().unwrap_or_else(|| self.data_dir.join("attachments"))
    }

    /// An address others can reach needs transport security, or a word that somebody else provides it.
    pub fn check_transport(&self) -> Result<(), ConfigError> {
        let listen = &self.listen;
        if listen.address.ip().is_loopback() || listen.tls.is_some() || listen.insecure {
            return Ok(());
        }
        Err(ConfigError::PlainHttp(listen.address))
    }
}

fn home(vars: &Vars<'_>) -> Result<PathBuf, ConfigError> {
    if let Some(home) = vars.text("PIZZAPI_HOME") {
        return Ok(home.into());
    }
    vars.text("HOME")
        .or_else(|| vars.text("USERPROFILE"))
        .map(|home| Path::new(&home).join(".pizzapi"))
        .ok_or(ConfigError::NoHome)
}

fn proxy(vars: &Vars<'_>) -> Result<ProxyTrust, ConfigError> {
    let depth = vars.number("PIZZAPI_PROXY_DEPTH", "a whole number")?.unwrap_or(0);
    if let Some("false" | "0" | "no") = vars.text("PIZZAPI_TRUST_PROXY").as_deref() {
        return Ok(ProxyTrust::nobody());
    }
    if let Some(list) = vars.text("PIZZAPI_TRUSTED_PROXY_CIDRS") {
        let mut cidrs = Vec::new();
        for item in list.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            match item.parse::<Cidr>() {
                Ok(cidr) => cidrs.push(cidr),
                Err(_) => {
                    tracing::warn!(entry = item, "PIZZAPI_TRUSTED_PROXY_CIDRS: entry is not a network and is skipped")
                }
            }
        }
        return Ok(ProxyTrust::networks(cidrs, depth));
    }
    Ok(if vars.flag("PIZZAPI_TRUST_PROXY", false)? { ProxyTrust::private(depth) } else { ProxyTrust::loopback(depth) })
}

fn invalid(name: &'static str, value: &str, expected: &'static str) -> ConfigError {
    ConfigError::Invalid { name, value: value.to_owned(), expected }
}

struct Vars<'a> {
    var: &'a dyn Fn(&str) -> Option<String>,
}

impl Vars<'_> {
    fn text(&self, name: &str) -> Option<String> {
        (self.var)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    fn number<T: std::str::FromStr>(
        &self,
        name: &'static str,
        expected: &'static str,
    ) -> Result<Option<T>, ConfigError> {
        match self.text(name) {
            None => Ok(None),
            Some(value) => value.parse().map(Some).map_err(|_| invalid(name, &value, expected)),
        }
    }

    fn millis(&self, name: &'static str) -> Result<Option<Duration>, ConfigError> {
        Ok(self.number::<u64>(name, "a number of milliseconds")?.map(Duration::from_millis))
    }

    fn set_millis(&self, name: &'static str, target: &mut Duration) -> Result<(), ConfigError> {
        if let Some(value) = self.millis(name)? {
            *target = value;
        }
        Ok(())
    }

    fn flag(&self, name: &'static str, default: bool) -> Result<bool, ConfigError> {
        match self.text(name).map(|value| value.to_ascii_lowercase()).as_deref() {
            None => Ok(default),
            Some("1" | "true" | "yes" | "on") => Ok(true),
            Some("0" | "false" | "no" | "off") => Ok(false),
            Some(other) => Err(invalid(name, other, "true or false")),
        }
    }

    fn url(&self, name: &'static str) -> Result<Option<String>, ConfigError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match url::Url::parse(&text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.host().is_some() => {
                Ok(Some(text.trim_end_matches('/').to_owned()))
            }
            _ => Err(invalid(name, &text, "a URL such as https://pizza.example.org")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(vars: &[(&str, &str)]) -> Result<ServerConfig, ConfigError> {
        ServerConfig::from_vars(&|name| vars.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn defaults_listen_on_loopback_and_keep_data_in_the_home() {
        let config = config(&[("HOME", "/home/ana")]).unwrap();
        assert_eq!(config.listen.address.to_string(), "127.0.0.1:7492");
        assert_eq!(config.data_dir, Path::new("/home/ana/.pizzapi/server"));
        assert_eq!(config.check_transport(), Ok(()));
    }

    #[test]
    fn another_address_demands_tls_or_a_word() {
        let open = config(&[("HOME", "/h"), ("PIZZAPI_HOST", "0.0.0.0")]).unwrap();
        assert!(matches!(open.check_transport(), Err(ConfigError::PlainHttp(_))));
        let told = config(&[("HOME", "/h"), ("PIZZAPI_HOST", "0.0.0.0"), ("PIZZAPI_INSECURE", "true")]).unwrap();
        assert_eq!(told.check_transport(), Ok(()));
    }

    #[test]
    fn a_wrong_value_is_named_with_its_accepted_form() {
        let error = config(&[("HOME", "/h"), ("PORT", "many")]).unwrap_err();
        assert_eq!(error.to_string(), "PORT is `many`; expected a port between 0 and 65535");
    }

    #[test]
    fn secrets_do_not_show_in_debug_output() {
        let config =
            config(&[("HOME", "/h"), ("BETTER_AUTH_SECRET", "hush"), ("PIZZAPI_DATABASE_URL", "postgres://x:y@z/w")])
                .unwrap();
        let text = format!("{config:?}");
        assert!(!text.contains("hush") && !text.contains("postgres://"), "{text}");
    }
}

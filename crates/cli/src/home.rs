//! The user's PizzaPi directory: where it is, what its `config.json` says, and how that is changed.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::environment::Environment;

/// Where a relay is expected when nobody says otherwise.
pub const DEFAULT_RELAY: &str = "ws://localhost:7492";

#[derive(Debug, Clone)]
pub struct Home {
    /// `~/.pizzapi`, or `PIZZAPI_HOME`.
    pub dir: PathBuf,
    /// The user's own home directory.
    pub user: PathBuf,
}

#[derive(Debug, thiserror::Error)]
#[error("cannot find your home directory: set HOME or PIZZAPI_HOME")]
pub struct NoHome;

impl Home {
    pub fn find(environment: &Environment) -> Result<Self, NoHome> {
        let user = environment.get("HOME").map(PathBuf::from).or_else(dirs::home_dir);
        match (environment.get("PIZZAPI_HOME").map(PathBuf::from), user) {
            (Some(dir), user) => Ok(Self { user: user.unwrap_or_else(|| dir.clone()), dir }),
            (None, Some(user)) => Ok(Self { dir: user.join(".pizzapi"), user }),
            (None, None) => Err(NoHome),
        }
    }

    pub fn config_file(&self) -> PathBuf {
        self.dir.join("config.json")
    }

    pub fn logs(&self) -> PathBuf {
        self.dir.join("logs")
    }

    pub fn server_data(&self) -> PathBuf {
        self.dir.join("server")
    }

    /// The global configuration. Missing or damaged files count as empty, damaged ones with a warning.
    pub fn config(&self) -> (Map<String, Value>, Option<String>) {
        read_object(&self.config_file())
    }

    /// Changes top-level members of the global configuration and keeps all others. `Null` removes one.
    ///
    /// **Errors**: a damaged file is not overwritten.
    pub fn change_config(&self, members: &[(&str, Value)]) -> io::Result<()> {
        let path = self.config_file();
        let (mut config, problem) = read_object(&path);
        if let Some(problem) = problem {
            return Err(io::Error::other(format!("{problem}; correct or remove it first")));
        }
        for (key, value) in members {
            match value {
                Value::Null => {
                    config.shift_remove(*key);
                }
                value => {
                    config.insert((*key).to_owned(), value.clone());
                }
            }
        }
        let mut content = serde_json::to_vec_pretty(&config)?;
        content.push(b'\n');
        write_private(&path, &content)
    }
}

fn read_object(path: &Path) -> (Map<String, Value>, Option<String>) {
    let content = match fs::read_to_string(path) {
        Ok(content) => content,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return (Map::new(), None),
        Err(error) => return (Map::new(), Some(format!("cannot read `{}`: {error}", path.display()))),
    };
    if content.trim().is_empty() {
        return (Map::new(), None);
    }
    match serde_json::from_str(&content) {
        Ok(object) => (object, None),
        Err(error) => (Map::new(), Some(format!("`{}` is not a JSON object: {error}", path.display()))),
    }
}

/// Writes through a temporary file, readable by the owner only.
pub fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    create_private_dir(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Creates a folder that only its owner can look into; an existing one stays as it is.
pub fn create_private_dir(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(folder)
}

/// Where a value came from, for messages that must not show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Variable(&'static str),
    Config,
    Default,
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Variable(name) => f.write_str(name),
            Self::Config => f.write_str("config.json"),
            Self::Default => f.write_str("the default"),
        }
    }
}

/// How a relay is reached from here.
#[derive(Clone)]
pub struct Relay {
    /// `None`: switched off.
    pub url: Option<String>,
    pub url_source: Source,
    pub key: Option<String>,
    pub key_source: Source,
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key = self.key.as_ref().map(|_| "set");
        f.debug_struct("Relay").field("url", &self.url).field("key", &key).finish_non_exhaustive()
    }
}

impl Relay {
    pub fn resolve(environment: &Environment, home: &Home) -> Self {
        Self::resolve_with(environment, home, &["PIZZAPI_API_KEY", "PIZZAPI_API_TOKEN"])
    }

    /// For the runner, which may have a key of its own.
    pub fn resolve_for_runner(environment: &Environment, home: &Home) -> Self {
        Self::resolve_with(environment, home, &["PIZZAPI_RUNNER_API_KEY", "PIZZAPI_API_KEY", "PIZZAPI_API_TOKEN"])
    }

    fn resolve_with(environment: &Environment, home: &Home, variables: &[&'static str]) -> Self {
        let (config, _) = home.config();
        let from_config = |name: &str| config.get(name).and_then(Value::as_str).filter(|value| !value.is_empty());
        let (url, url_source) = match (environment.get("PIZZAPI_RELAY_URL"), from_config("relayUrl")) {
            (Some(url), _) => (url, Source::Variable("PIZZAPI_RELAY_URL")),
            (None, Some(url)) => (url, Source::Config),
            (None, None) => (DEFAULT_RELAY, Source::Default),
        };
        let variable = variables.iter().find_map(|name| Some((environment.get(name)?.to_owned(), *name)));
        let (key, key_source) = match variable {
            Some((key, name)) => (Some(key), Source::Variable(name)),
            None => (from_config("apiKey").map(str::to_owned), Source::Config),
        };
        let url = (!url.eq_ignore_ascii_case("off")).then(|| loopback(url));
        Self { url, url_source, key, key_source }
    }

    /// `http(s)://` form, for REST.
    pub fn http_url(&self) -> Option<String> {
        self.url.as_deref().map(http_url)
    }
}

/// `localhost` may resolve to an address nobody listens on.
pub fn loopback(url: &str) -> String {
    match url::Url::parse(url) {
        Ok(mut parsed) if parsed.host_str() == Some("localhost") => {
            if parsed.set_host(Some("127.0.0.1")).is_err() {
                return url.to_owned();
            }
            parsed.to_string().trim_end_matches('/').to_owned()
        }
        _ => url.trim_end_matches('/').to_owned(),
    }
}

/// The address for HTTP requests of a relay that may have been given as a WebSocket address, or without a scheme.
pub fn http_url(url: &str) -> String {
    let url = url.trim().trim_end_matches('/');
    let url = url.strip_suffix("/ws/sessions").unwrap_or(url);
    match url.split_once("://") {
        Some(("ws" | "http", rest)) => format!("http://{rest}"),
        Some(("wss" | "https", rest)) => format!("https://{rest}"),
        Some(_) => url.to_owned(),
        None => format!("https://{url}"),
    }
}

/// The WebSocket form of an address, as it is kept in the configuration.
pub fn socket_url(url: &str) -> String {
    let http = http_url(url);
    match http.strip_prefix("https") {
        Some(rest) => format!("wss{rest}"),
        None => http.replacen("http", "ws", 1),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn home() -> (tempfile::TempDir, Home) {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("home");
        (folder, Home { user: dir.clone(), dir })
    }

    #[test]
    fn changing_a_member_keeps_the_others() {
        let (_folder, home) = home();
        home.change_config(&[("relayUrl", json!("ws://a")), ("unknown", json!({"x": 1}))]).unwrap();
        home.change_config(&[("apiKey", json!("k")), ("relayUrl", Value::Null)]).unwrap();
        assert_eq!(Value::Object(home.config().0), json!({"unknown": {"x": 1}, "apiKey": "k"}));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&home.config_file()), mode(&home.dir)), (0o600, 0o700));
        }
    }

    #[test]
    fn a_damaged_file_is_not_overwritten() {
        let (_folder, home) = home();
        fs::create_dir_all(&home.dir).unwrap();
        fs::write(home.config_file(), "{ not json").unwrap();
        assert!(home.config().1.is_some());
        assert!(home.change_config(&[("apiKey", json!("k"))]).is_err());
        assert_eq!(fs::read_to_string(home.config_file()).unwrap(), "{ not json");
    }

    #[test]
    fn variables_win_over_the_file() {
        let (_folder, home) = home();
        home.change_config(&[("relayUrl", json!("wss://relay.example")), ("apiKey", json!("file"))]).unwrap();
        let none = Environment::default();
        let relay = Relay::resolve(&none, &home);
        assert_eq!((relay.url.as_deref(), relay.key.as_deref()), (Some("wss://relay.example"), Some("file")));
        let set = Environment::from_variables(
            [("PIZZAPI_RELAY_URL".to_owned(), "OFF".to_owned()), ("PIZZAPI_API_TOKEN".to_owned(), "env".to_owned())].into(),
        );
        let relay = Relay::resolve(&set, &home);
        assert_eq!((relay.url, relay.key.as_deref()), (None, Some("env")));
    }

    #[test]
    fn addresses_are_understood_in_every_spelling() {
        assert_eq!(loopback("ws://localhost:7492"), "ws://127.0.0.1:7492");
        assert_eq!(http_url("wss://relay.example/ws/sessions"), "https://relay.example");
        assert_eq!(http_url("relay.example"), "https://relay.example");
        assert_eq!(socket_url("http://localhost:7492/"), "ws://localhost:7492");
        assert_eq!(socket_url("https://r"), "wss://r");
    }
}

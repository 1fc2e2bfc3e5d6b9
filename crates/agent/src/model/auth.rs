//! Keys: where they come from and how they are kept.
//!
//! Order: the command line, the environment, `auth.json`, `models.json`. Vendor subscription logins are not imitated; an
//! OAuth record somebody else wrote is used until it expires.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::Serialize;
use serde_json::{Map, Value};

use super::ProviderEntry;

/// How long a `!command` key may take to print its key.
const KEY_COMMAND_TIMEOUT: Duration = Duration::from_secs(10);

/// Where the key in use came from. The words are what `auth_source_changed` carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthSource {
    Flag,
    Env,
    Oauth,
    AuthFile,
    ModelsFile,
    /// The provider wants no key.
    None,
}

impl AuthSource {
    /// `oauth`, `auth.json`, `env`, `flag`, `models.json` or `none`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Env => "env",
            Self::Oauth => "oauth",
            Self::AuthFile => "auth.json",
            Self::ModelsFile => "models.json",
            Self::None => "none",
        }
    }
}

/// A key ready to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    pub secret: Option<String>,
    /// Send as `Authorization: Bearer` whatever the format's own header is.
    pub bearer: bool,
    pub source: AuthSource,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential").field("source", &self.source).field("bearer", &self.bearer).finish_non_exhaustive()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    #[error("no key for {provider}: run `pizzapi auth {provider}` or set {variable}")]
    Missing { provider: String, variable: String },
    #[error("the login for {0} has expired: run `pizzapi auth {0}`")]
    Expired(String),
    #[error("failed to get the key for {provider}: {reason}")]
    Unresolvable { provider: String, reason: String },
    #[error("failed to write `{path}`: {source}")]
    Write { path: PathBuf, source: io::Error },
    #[error("`{path}` is not a JSON object; fix or remove it first")]
    NotAnObject { path: PathBuf },
}

/// Reads and writes `auth.json`; knows the environment and the command line's key as values.
#[derive(Debug)]
pub struct AuthStore {
    path: PathBuf,
    env: BTreeMap<String, String>,
    /// Provider → key given on the command line.
    flags: Mutex<HashMap<String, String>>,
    /// Output of key commands, run once per process.
    commands: Mutex<HashMap<String, Result<String, String>>>,
}

impl AuthStore {
    pub fn new(path: PathBuf, env: BTreeMap<String, String>) -> Self {
        Self { path, env, flags: Mutex::default(), commands: Mutex::default() }
    }

    /// A variable of the environment that is not empty.
    pub fn variable(&self, name: &str) -> Option<String> {
        self.env.get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Use `key` for `provider` in this process, before everything else.
    pub fn set_flag(&self, provider: &str, key: &str) {
        self.flags.lock().insert(provider.to_owned(), key.to_owned());
    }

    /// Whether a request to the provider could be authorised, without running key commands.
    pub fn is_configured(&self, id: &str, provider: &ProviderEntry) -> bool {
        provider.keyless
            || self.flags.lock().contains_key(id)
            || self.env_key(provider).is_some()
            || self.stored().get(id).is_some_and(Value::is_object)
            || provider.api_key.as_deref().is_some_and(|key| self.could_expand(key))
    }

    fn could_expand(&self, key: &str) -> bool {
        if key.starts_with('!') {
            return true;
        }
        self.expand_variables(key).is_ok_and(|key| !key.is_empty())
    }

    fn env_key(&self, provider: &ProviderEntry) -> Option<(String, bool)> {
        let first = |names: &[String]| {
            names.iter().find_map(|name| self.env.get(name).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty()))
        };
        first(&provider.env)
            .map(|key| (key, provider.auth_header))
            .or_else(|| first(&provider.bearer_env).map(|key| (key, true)))
    }

    /// The key for a provider. Blocking: may run a key command.
    pub fn resolve(&self, id: &str, provider: &ProviderEntry) -> Result<Credential, AuthError> {
        if let Some(key) = self.flags.lock().get(id) {
            return Ok(Credential {
                secret: Some(key.clone()),
                bearer: provider.auth_header,
                source: AuthSource::Flag,
            });
        }
        if let Some((key, bearer)) = self.env_key(provider) {
            return Ok(Credential { secret: Some(key), bearer, source: AuthSource::Env });
        }
        if let Some(stored) = self.stored().get(id).and_then(Value::as_object) {
            return self.stored_credential(id, provider, stored);
        }
        if let Some(key) = &provider.api_key {
            let secret =
                self.expand(key).map_err(|reason| AuthError::Unresolvable { provider: id.to_owned(), reason })?;
            return Ok(Credential {
                secret: Some(secret),
                bearer: provider.auth_header,
                source: AuthSource::ModelsFile,
            });
        }
        if provider.keyless {
            return Ok(Credential { secret: None, bearer: false, source: AuthSource::None });
        }
        Err(AuthError::Missing {
            provider: id.to_owned(),
            variable: provider.env.first().cloned().unwrap_or_else(|| "its key in models.json".into()),
        })
    }

    fn stored_credential(
        &self,
        id: &str,
        provider: &ProviderEntry,
        stored: &Map<String, Value>,
    ) -> Result<Credential, AuthError> {
        let text = |name: &str| stored.get(name).and_then(Value::as_str).map(str::to_owned);
        if stored.get("type").and_then(Value::as_str) == Some("oauth") {
            let access = text("access").ok_or_else(|| AuthError::Expired(id.to_owned()))?;
            let now_ms = time::OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000;
            if stored.get("expires").and_then(Value::as_i64).is_some_and(|at| i128::from(at) <= now_ms) {
                return Err(AuthError::Expired(id.to_owned()));
            }
            return Ok(Credential { secret: Some(access), bearer: true, source: AuthSource::Oauth });
        }
        let unresolvable = |reason| AuthError::Unresolvable { provider: id.to_owned(), reason };
        let key = text("key").ok_or_else(|| unresolvable("auth.json has no `key` for it".into()))?;
        let secret = self.expand(&key).map_err(unresolvable)?;
        Ok(Credential { secret: Some(secret), bearer: provider.auth_header, source: AuthSource::AuthFile })
    }

    /// A key as written in a file: literal, `$NAME`, `${NAME}`, `!command`; `$$` and `$!` are escapes.
    fn expand(&self, written: &str) -> Result<String, String> {
        match written.strip_prefix('!') {
            Some(command) => self.run_once(command),
            None => self.expand_variables(written),
        }
    }

    fn expand_variables(&self, written: &str) -> Result<String, String> {
        let mut out = String::new();
        let mut rest = written;
        while let Some(at) = rest.find('$') {
            out.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                out.push('$');
                rest = after;
            } else if let Some(after) = rest.strip_prefix('!') {
                out.push('!');
                rest = after;
            } else {
                let (name, after) = match rest.strip_prefix('{') {
                    Some(braced) => braced.split_once('}').ok_or("`${` without `}`")?,
                    None => {
                        rest.split_at(rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len()))
                    }
                };
                let value = self.env.get(name).ok_or_else(|| format!("variable {name} is not set"))?;
                out.push_str(value);
                rest = after;
            }
        }
        out.push_str(rest);
        Ok(out)
    }

    fn run_once(&self, command: &str) -> Result<String, String> {
        let mut cache = self.commands.lock();
        if let Some(known) = cache.get(command) {
            return known.clone();
        }
        let result = run_key_command(command, &self.env);
        cache.insert(command.to_owned(), result.clone());
        result
    }

    fn stored(&self) -> Map<String, Value> {
        match fs::read_to_string(&self.path) {
            Ok(text) => match serde_json::from_str(&text) {
                Ok(map) => map,
                Err(error) => {
                    tracing::warn!(path = %self.path.display(), %error, "auth file is not valid JSON and was ignored");
                    Map::new()
                }
            },
            Err(_) => Map::new(),
        }
    }

    /// Providers with a stored credential.
    pub fn stored_providers(&self) -> Vec<String> {
        self.stored().keys().cloned().collect()
    }

    /// Store an API key, mode 600.
    pub fn save_api_key(&self, provider: &str, key: &str) -> Result<(), AuthError> {
        let record = serde_json::json!({ "type": "api_key", "key": escape(key) });
        self.edit(|map| {
            map.insert(provider.to_owned(), record);
        })
    }

    /// Forget a provider. Returns whether it was there.
    pub fn remove(&self, provider: &str) -> Result<bool, AuthError> {
        let mut found = false;
        self.edit(|map| found = map.remove(provider).is_some())?;
        Ok(found)
    }

    /// Re-read under a lock, change, replace: another process may have logged in meanwhile.
    fn edit(&self, change: impl FnOnce(&mut Map<String, Value>)) -> Result<(), AuthError> {
        let write_error = |source| AuthError::Write { path: self.path.clone(), source };
        if let Some(dir) = self.path.parent() {
            fs::create_dir_all(dir).map_err(write_error)?;
        }
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.path.with_extension("json.lock"))
            .map_err(write_error)?;
        lock.lock().map_err(write_error)?;
        let mut map = match fs::read_to_string(&self.path) {
            Ok(text) => serde_json::from_str(&text).map_err(|_| AuthError::NotAnObject { path: self.path.clone() })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Map::new(),
            Err(error) => return Err(write_error(error)),
        };
        change(&mut map);
        let text = serde_json::to_string_pretty(&map).expect("a map of JSON values serialises");
        write_private(&self.path, text.as_bytes()).map_err(write_error)
    }
}

/// A literal key must not be read as a variable or a command later.
fn escape(key: &str) -> String {
    let key = key.trim().replace('$', "$$");
    match key.strip_prefix('!') {
        Some(rest) => format!("$!{rest}"),
        None => key,
    }
}

fn run_key_command(command: &str, env: &BTreeMap<String, String>) -> Result<String, String> {
    let mut child = Command::new("sh")
        .arg("-c")
        .arg(command)
        .env_clear()
        .envs(env)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("key command did not start: {error}"))?;
    let started = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => break,
            Ok(Some(status)) => return Err(format!("key command failed: {status}")),
            Ok(None) if started.elapsed() > KEY_COMMAND_TIMEOUT => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("key command took longer than {} s", KEY_COMMAND_TIMEOUT.as_secs()));
            }
            Ok(None) => std::thread::sleep(Duration::from_millis(20)),
            Err(error) => return Err(format!("key command could not be waited for: {error}")),
        }
    }
    let mut out = String::new();
    if let Some(stdout) = child.stdout.as_mut() {
        io::Read::read_to_string(stdout, &mut out).map_err(|error| format!("key command printed no text: {error}"))?;
    }
    let key = out.trim();
    if key.is_empty() { Err("key command printed nothing".into()) } else { Ok(key.to_owned()) }
}

/// Replace `path` with `bytes`, readable by the owner only, whole or not at all.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    // `tempfile` creates with mode 600 on Unix.
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    if let Ok(dir) = File::open(dir) {
        // Directories cannot be synced everywhere; the rename itself already happened.
        let _ = dir.sync_all();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(dir: &Path, env: &[(&str, &str)]) -> AuthStore {
        AuthStore::new(dir.join("auth.json"), env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    fn provider() -> ProviderEntry {
        ProviderEntry { env: vec!["KEY".into()], api_key: Some("from-models".into()), ..ProviderEntry::default() }
    }

    #[test]
    fn the_command_line_beats_the_environment_beats_the_file_beats_models_json() {
        let dir = tempfile::tempdir().expect("temp dir");
        let bare = store(dir.path(), &[]);
        assert_eq!(bare.resolve("p", &provider()).expect("models.json").source, AuthSource::ModelsFile);
        bare.save_api_key("p", "from-file").expect("saved");
        assert_eq!(bare.resolve("p", &provider()).expect("file").secret.as_deref(), Some("from-file"));
        let with_env = store(dir.path(), &[("KEY", "from-env")]);
        assert_eq!(with_env.resolve("p", &provider()).expect("env").secret.as_deref(), Some("from-env"));
        with_env.set_flag("p", "from-flag");
        assert_eq!(with_env.resolve("p", &provider()).expect("flag").secret.as_deref(), Some("from-flag"));
    }

    #[test]
    fn a_saved_key_is_private_and_comes_back_letter_by_letter() {
        let dir = tempfile::tempdir().expect("temp dir");
        let store = store(dir.path(), &[]);
        for key in ["sk-plain", "!looks-like-a-command", "has$dollar", "${X}"] {
            store.save_api_key("p", key).expect("saved");
            assert_eq!(store.resolve("p", &provider()).expect("key").secret.as_deref(), Some(key));
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(store.path()).expect("written").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn a_key_may_name_a_variable_or_a_command() {
        let dir = tempfile::tempdir().expect("temp dir");
        let store = store(dir.path(), &[("NAME", "value"), ("PATH", "/usr/bin:/bin")]);
        assert_eq!(store.expand("$NAME-x").as_deref(), Ok("value-x"));
        assert_eq!(store.expand("a${NAME}b$$c").as_deref(), Ok("avalueb$c"));
        assert_eq!(store.expand("!printf secret").as_deref(), Ok("secret"));
        assert!(store.expand("$MISSING").is_err());
    }

    #[test]
    fn an_expired_login_is_an_error_and_not_a_silent_fallback() {
        let dir = tempfile::tempdir().expect("temp dir");
        let store = store(dir.path(), &[]);
        fs::write(store.path(), r#"{"p":{"type":"oauth","access":"a","expires":1}}"#).expect("written");
        assert!(matches!(store.resolve("p", &provider()), Err(AuthError::Expired(_))));
    }
}

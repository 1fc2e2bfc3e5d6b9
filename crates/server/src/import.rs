//! Bringing in the database of the earlier product: people keep their passwords, keys, logins, history and settings.
//!
//! The old file is only read. What is there already stays as it is, so an import can be repeated.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use sqlx::any::{AnyPoolOptions, AnyRow};
use sqlx::{AnyPool, Row};

use crate::auth::{Auth, sealed};
use crate::clock::{Clock, from_iso};
use crate::config::ServerConfig;
use crate::db::{Db, DbError};

/// How many rows of each kind were new.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub accounts: u64,
    pub logins: u64,
    pub api_keys: u64,
    pub sessions: u64,
    pub snapshots: u64,
    pub webhooks: u64,
    pub push_subscriptions: u64,
    pub settings: u64,
    pub listeners: u64,
    pub subscriptions: u64,
    /// Rows that could not be taken over, and why.
    pub skipped: Vec<String>,
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = [
            (self.accounts, "accounts"),
            (self.logins, "logins"),
            (self.api_keys, "API keys"),
            (self.sessions, "sessions"),
            (self.snapshots, "transcripts"),
            (self.webhooks, "webhooks"),
            (self.push_subscriptions, "push subscriptions"),
            (self.settings, "settings"),
            (self.listeners, "listeners"),
            (self.subscriptions, "trigger subscriptions"),
        ];
        let parts: Vec<String> = parts.iter().map(|(count, what)| format!("{count} {what}")).collect();
        write!(f, "imported {}", parts.join(", "))?;
        for reason in &self.skipped {
            write!(f, "\nskipped {reason}")?;
        }
        Ok(())
    }
}

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("cannot read `{}`: {source}\n\nhint: give the path of the earlier server's database, usually auth.db", path.display())]
    Source { path: PathBuf, source: sqlx::Error },
    #[error("`{}` is not a database of the earlier server: it has no table of accounts", path.display())]
    NotOurs { path: PathBuf },
    #[error(transparent)]
    Auth(#[from] crate::auth::AuthSetupError),
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Import `source` into the database of `config`.
///
/// Cookies of signed-in browsers stay valid only when the signing secret is the same as before.
pub async fn run(config: &ServerConfig, source: &Path) -> Result<Report, ImportError> {
    let failed = |error| ImportError::Source { path: source.to_owned(), source: error };
    if !source.is_file() {
        return Err(failed(sqlx::Error::Io(std::io::ErrorKind::NotFound.into())));
    }
    let db = Db::open(config).await?;
    let auth = Auth::open(config)?;
    let absolute = std::path::absolute(source).map_err(|error| failed(sqlx::Error::Io(error)))?;
    let url = url::Url::from_file_path(&absolute)
        .map_err(|()| failed(sqlx::Error::Configuration("not a usable path".into())))?;
    let url = format!("{}?mode=ro", url.as_str().replacen("file:", "sqlite:", 1));
    let old = AnyPoolOptions::new().max_connections(1).connect(&url).await.map_err(failed)?;
    let tables = rows(&old, "SELECT name FROM sqlite_master WHERE type = 'table'").await.map_err(failed)?;
    let tables: Vec<String> = tables.iter().filter_map(|row| text(row, "name")).collect();
    if !tables.iter().any(|table| table == "user") {
        return Err(ImportError::NotOurs { path: source.to_owned() });
    }
    let import = Import { old, db, auth, now: Clock::system().now_ms(), tables };
    let report = import.all().await.map_err(failed)?;
    import.db.close().await;
    Ok(report)
}

struct Import {
    old: AnyPool,
    db: Db,
    auth: Auth,
    now: i64,
    tables: Vec<String>,
}

impl Import {
    async fn all(&self) -> Result<Report, sqlx::Error> {
        let mut report = Report::default();
        self.accounts(&mut report).await?;
        self.credentials(&mut report).await?;
        let owners = self.sessions(&mut report).await?;
        self.settings(&mut report).await?;
        self.webhooks(&mut report).await?;
        self.triggers(&mut report, &owners).await?;
        Ok(report)
    }

    /// Rows of a table; none when the old database is from before it.
    async fn table(&self, name: &str) -> Result<Vec<AnyRow>, sqlx::Error> {
        if !self.tables.iter().any(|table| table == name) {
            return Ok(Vec::new());
        }
        rows(&self.old, &format!("SELECT * FROM \"{name}\"")).await
    }

    /// One insert that leaves existing rows alone.
    async fn insert(&self, sql: &'static str, values: Vec<Option<Value>>) -> Result<u64, sqlx::Error> {
        let mut query = sqlx::query(sql);
        for value in values {
            query = match value {
                Some(Value::Text(text)) => query.bind(text),
                Some(Value::Int(number)) => query.bind(number),
                Some(Value::Bytes(bytes)) => query.bind(bytes),
                None => query.bind(None::<String>),
            };
        }
        Ok(query.execute(self.db.writer()).await?.rows_affected())
    }

    async fn accounts(&self, report: &mut Report) -> Result<(), sqlx::Error> {
        let mut passwords = HashMap::new();
        for row in self.table("account").await? {
            if text(&row, "providerId").as_deref() == Some("credential")
                && let (Some(user), Some(password)) = (text(&row, "userId"), text(&row, "password"))
            {
                passwords.insert(user, password);
            }
        }
        for row in self.table("user").await? {
            let (Some(id), Some(email)) = (text(&row, "id"), text(&row, "email")) else { continue };
            let Some(password) = passwords.remove(&id) else {
                report.skipped.push(format!("account {id}: it has no password"));
                continue;
            };
            let created = time(&row, "createdAt").unwrap_or(self.now);
            report.accounts += self
                .insert(
                    "INSERT INTO account (id, name, email, email_verified, image, password, created_at, updated_at) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
                    vec![
                        some(id),
                        some(text(&row, "name").unwrap_or_default()),
                        some(email.to_lowercase()),
                        int(i64::from(flag(&row, "emailVerified"))),
                        text(&row, "image").map(Value::Text),
                        some(password),
                        int(created),
                        int(time(&row, "updatedAt").unwrap_or(created)),
                    ],
                )
                .await?;
        }
        Ok(())
    }

    /// Does the account exist here?
    async fn has_account(&self, id: &str) -> Result<bool, sqlx::Error> {
        let found = sqlx::query("SELECT id FROM account WHERE id = $1").bind(id.to_owned());
        Ok(found.fetch_optional(self.db.writer()).await?.is_some())
    }

    async fn credentials(&self, report: &mut Report) -> Result<(), sqlx::Error> {
        for row in self.table("session").await? {
            let (Some(id), Some(token), Some(user)) = (text(&row, "id"), text(&row, "token"), text(&row, "userId"))
            else {
                continue;
            };
            let expires = time(&row, "expiresAt").unwrap_or(0);
            if expires <= self.now || !self.has_account(&user).await? {
                continue;
            }
            let created = time(&row, "createdAt").unwrap_or(self.now);
            report.logins += self
                .insert(
                    "INSERT INTO login (id, user_id, token_hash, remember, ip_address, user_agent, created_at, updated_at, expires_at) \
                     VALUES ($1, $2, $3, 1, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
                    vec![
                        some(id),
                        some(user),
                        some(sealed::token_hash(&token)),
                        text(&row, "ipAddress").map(Value::Text),
                        text(&row, "userAgent").map(Value::Text),
                        int(created),
                        int(time(&row, "updatedAt").unwrap_or(created)),
                        int(expires),
                    ],
                )
                .await?;
        }
        for row in self.table("apikey").await? {
            let (Some(id), Some(hash), Some(user)) = (text(&row, "id"), text(&row, "key"), text(&row, "userId")) else {
                continue;
            };
            if !self.has_account(&user).await? {
                report.skipped.push(format!("API key {id}: its account is unknown"));
                continue;
            }
            let created = time(&row, "createdAt").unwrap_or(self.now);
            report.api_keys += self
                .insert(
                    "INSERT INTO api_key (id, user_id, name, prefix, start, key_hash, enabled, expires_at, remaining, request_count, \
                     created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING",
                    vec![
                        some(id),
                        some(user),
                        text(&row, "name").map(Value::Text),
                        text(&row, "prefix").map(Value::Text),
                        some(text(&row, "start").unwrap_or_default()),
                        some(hash),
                        int(i64::from(number(&row, "enabled") != Some(0))),
                        time(&row, "expiresAt").map(Value::Int),
                        number(&row, "remaining").map(Value::Int),
                        int(number(&row, "requestCount").unwrap_or(0)),
                        int(created),
                        int(time(&row, "updatedAt").unwrap_or(created)),
                    ],
                )
                .await?;
        }
        Ok(())
    }

    /// Answers with the owners of sessions and of runners, by id.
    async fn sessions(&self, report: &mut Report) -> Result<Owners, sqlx::Error> {
        let mut owners = Owners::default();
        for row in self.table("relay_session").await? {
            let Some(id) = text(&row, "id") else { continue };
            let Some(user) = text(&row, "userId") else {
                report.skipped.push(format!("session {id}: it belongs to nobody"));
                continue;
            };
            owners.sessions.insert(id.clone(), user.clone());
            if let Some(runner) = text(&row, "runnerId") {
                owners.runners.insert(runner, user.clone());
            }
            let started = time(&row, "startedAt").unwrap_or(self.now);
            let active = time(&row, "lastActiveAt").unwrap_or(started);
            report.sessions += self
                .insert(
                    "INSERT INTO relay_session (id, user_id, user_name, cwd, share_url, name, is_ephemeral, is_pinned, runner_id, \
                     runner_name, life, started_at, last_active_at, ended_at, expires_at) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'imported', $11, $12, $13, $14) ON CONFLICT DO NOTHING",
                    vec![
                        some(id),
                        some(user),
                        text(&row, "userName").map(Value::Text),
                        some(text(&row, "cwd").unwrap_or_default()),
                        some(text(&row, "shareUrl").unwrap_or_default()),
                        text(&row, "sessionName").map(Value::Text),
                        int(i64::from(number(&row, "isEphemeral") != Some(0))),
                        int(i64::from(flag(&row, "isPinned"))),
                        text(&row, "runnerId").map(Value::Text),
                        text(&row, "runnerName").map(Value::Text),
                        int(started),
                        int(active),
                        // Whatever was live there is not live here.
                        int(time(&row, "endedAt").unwrap_or(active)),
                        time(&row, "expiresAt").map(Value::Int),
                    ],
                )
                .await?;
        }
        for row in self.table("relay_session_state").await? {
            let (Some(id), Some(state)) = (text(&row, "sessionId"), text(&row, "state")) else { continue };
            if !owners.sessions.contains_key(&id) {
                continue;
            }
            report.snapshots += self
                .insert(
                    "INSERT INTO relay_session_snapshot (session_id, epoch, seq, at, state) VALUES ($1, 0, 0, $2, $3) ON CONFLICT DO NOTHING",
                    vec![some(id), int(time(&row, "updatedAt").unwrap_or(self.now)), Some(Value::Bytes(state.into_bytes()))],
                )
                .await?;
        }
        Ok(owners)
    }

    async fn settings(&self, report: &mut Report) -> Result<(), sqlx::Error> {
        for row in self.table("user_hidden_model").await? {
            let (Some(user), Some(model)) = (text(&row, "userId"), text(&row, "modelKey")) else { continue };
            let sql = "INSERT INTO hidden_model (user_id, model) VALUES ($1, $2) ON CONFLICT DO NOTHING";
            report.settings += self.insert(sql, vec![some(user), some(model)]).await?;
        }
        for row in self.table("user_preference").await? {
            let (Some(user), Some(key), Some(value)) = (text(&row, "userId"), text(&row, "key"), text(&row, "value"))
            else {
                continue;
            };
            let sql = "INSERT INTO preference (user_id, name, value, updated_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
            let at = time(&row, "updatedAt").unwrap_or(self.now);
            report.settings += self.insert(sql, vec![some(user), some(key), some(value), int(at)]).await?;
        }
        for row in self.table("runner_recent_folder").await? {
            let (Some(user), Some(runner), Some(path)) =
                (text(&row, "userId"), text(&row, "runnerId"), text(&row, "path"))
            else {
                continue;
            };
            let sql = "INSERT INTO recent_folder (user_id, runner_id, path, uses, last_used_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
            let uses = number(&row, "usageCount").unwrap_or(1);
            let at = time(&row, "lastUsedAt").unwrap_or(self.now);
            report.settings += self.insert(sql, vec![some(user), some(runner), some(path), int(uses), int(at)]).await?;
        }
        for row in self.table("push_subscription").await? {
            let (Some(id), Some(user), Some(endpoint)) =
                (text(&row, "id"), text(&row, "userId"), text(&row, "endpoint"))
            else {
                continue;
            };
            let keys: serde_json::Value =
                text(&row, "keys").and_then(|keys| serde_json::from_str(&keys).ok()).unwrap_or_default();
            let (Some(p256dh), Some(auth)) = (keys["p256dh"].as_str(), keys["auth"].as_str()) else {
                report.skipped.push(format!("push subscription {id}: its keys cannot be read"));
                continue;
            };
            report.push_subscriptions += self
                .insert(
                    "INSERT INTO push_subscription (id, user_id, endpoint, p256dh, auth, events, suppress_children, created_at) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
                    vec![
                        some(id),
                        some(user),
                        some(endpoint),
                        some(p256dh.to_owned()),
                        some(auth.to_owned()),
                        some(text(&row, "enabledEvents").unwrap_or_else(|| "*".to_owned())),
                        int(i64::from(flag(&row, "suppressChildNotifications"))),
                        int(time(&row, "createdAt").unwrap_or(self.now)),
                    ],
                )
                .await?;
        }
        Ok(())
    }

    async fn webhooks(&self, report: &mut Report) -> Result<(), sqlx::Error> {
        for row in self.table("webhook").await? {
            let (Some(id), Some(user), Some(secret)) = (text(&row, "id"), text(&row, "userId"), text(&row, "secret"))
            else {
                continue;
            };
            if !self.has_account(&user).await? {
                report.skipped.push(format!("webhook {id}: its account is unknown"));
                continue;
            }
            let model = text(&row, "modelProvider").zip(text(&row, "modelId"));
            let model = model.map(|(provider, id)| serde_json::json!({ "provider": provider, "id": id }).to_string());
            let created = time(&row, "createdAt").unwrap_or(self.now);
            let tail: String = secret.chars().skip(secret.chars().count().saturating_sub(4)).collect();
            report.webhooks += self
                .insert(
                    "INSERT INTO webhook (id, user_id, name, sealed_secret, secret_tail, source, event_filter, runner_id, cwd, prompt, \
                     model, enabled, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
                     ON CONFLICT DO NOTHING",
                    vec![
                        some(id),
                        some(user),
                        some(text(&row, "name").unwrap_or_default()),
                        some(crate::webhooks::seal_with(self.auth.secret(), &secret)),
                        some(tail),
                        some(text(&row, "source").unwrap_or_default()),
                        text(&row, "eventFilter").map(Value::Text),
                        text(&row, "runnerId").map(Value::Text),
                        text(&row, "cwd").map(Value::Text),
                        text(&row, "prompt").map(Value::Text),
                        model.map(Value::Text),
                        int(i64::from(number(&row, "enabled") != Some(0))),
                        int(created),
                        int(time(&row, "updatedAt").unwrap_or(created)),
                    ],
                )
                .await?;
        }
        Ok(())
    }

    /// The old rows name no user; the owner of the session or the runner is theirs.
    async fn triggers(&self, report: &mut Report, owners: &Owners) -> Result<(), sqlx::Error> {
        for row in self.table("runner_trigger_listener").await? {
            let (Some(id), Some(runner), Some(kind)) =
                (text(&row, "id"), text(&row, "runnerId"), text(&row, "triggerType"))
            else {
                continue;
            };
            let Some(user) = owners.runners.get(&runner) else {
                report.skipped.push(format!("listener {id}: the owner of runner {runner} is unknown"));
                continue;
            };
            let sql = "INSERT INTO trigger_listener (id, user_id, runner_id, trigger_type, document, created_at, updated_at) \
                       VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT DO NOTHING";
            let document = text(&row, "listenerJson").unwrap_or_else(|| "{}".to_owned());
            let at = time(&row, "updatedAt").unwrap_or(self.now);
            report.listeners += self
                .insert(sql, vec![some(id), some(user.clone()), some(runner), some(kind), some(document), int(at)])
                .await?;
        }
        for row in self.table("trigger_subscription").await? {
            let (Some(id), Some(session), Some(kind)) =
                (text(&row, "id"), text(&row, "sessionId"), text(&row, "triggerType"))
            else {
                continue;
            };
            let runner = text(&row, "runnerId").unwrap_or_default();
            let owner = owners.sessions.get(&session).or_else(|| owners.runners.get(&runner));
            let Some(user) = owner else {
                report.skipped.push(format!("trigger subscription {id}: its owner is unknown"));
                continue;
            };
            let sql = "INSERT INTO trigger_subscription (id, user_id, session_id, runner_id, trigger_type, document, updated_at) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
            let document = text(&row, "subscriptionJson").unwrap_or_else(|| "{}".to_owned());
            let at = time(&row, "updatedAt").unwrap_or(self.now);
            let values =
                vec![some(id), some(user.clone()), some(session), some(runner), some(kind), some(document), int(at)];
            report.subscriptions += self.insert(sql, values).await?;
        }
        Ok(())
    }
}

#[derive(Default)]
struct Owners {
    sessions: HashMap<String, String>,
    runners: HashMap<String, String>,
}

enum Value {
    Text(String),
    Int(i64),
    Bytes(Vec<u8>),
}

fn some(text: String) -> Option<Value> {
    Some(Value::Text(text))
}

fn int(number: i64) -> Option<Value> {
    Some(Value::Int(number))
}

async fn rows(pool: &AnyPool, sql: &str) -> Result<Vec<AnyRow>, sqlx::Error> {
    sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).fetch_all(pool).await
}

/// Text that is there and not empty; a column older databases lack counts as empty.
fn text(row: &AnyRow, column: &str) -> Option<String> {
    row.try_get::<Option<String>, _>(column).ok().flatten().filter(|text| !text.is_empty())
}

fn number(row: &AnyRow, column: &str) -> Option<i64> {
    row.try_get::<Option<i64>, _>(column)
        .ok()
        .flatten()
        .or_else(|| row.try_get::<Option<bool>, _>(column).ok().flatten().map(i64::from))
        .or_else(|| text(row, column)?.parse().ok())
}

fn flag(row: &AnyRow, column: &str) -> bool {
    number(row, column).is_some_and(|number| number != 0)
}

/// ISO text, or Unix milliseconds in very old rows.
fn time(row: &AnyRow, column: &str) -> Option<i64> {
    text(row, column).and_then(|text| from_iso(&text)).or_else(|| number(row, column))
}

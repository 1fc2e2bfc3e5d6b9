//! Durable rows: accounts and credentials, history, commands, decisions, runners. One SQL text for both databases: an
//! embedded SQLite file (one writer, several readers) or PostgreSQL for several nodes.
//!
//! Columns hold text, 64-bit integers and bytes only; times are Unix milliseconds, booleans 0 and 1, documents JSON text.

mod migrate;
mod row;

pub mod attachments;
pub mod audit;
pub mod commands;
pub mod credentials;
pub mod decisions;
pub mod mobile_links;
pub mod nonces;
pub mod preferences;
pub mod push;
pub mod runners;
pub mod sessions;
pub mod triggers;
pub mod users;
pub mod webhooks;

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyConnection, AnyPool, Connection, Executor};

pub(crate) use row::Columns;

use crate::config::ServerConfig;

/// How long a statement waits for another process that holds the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a request waits for a free connection before it is refused.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
const SQLITE_READERS: u32 = 4;
const POSTGRES_CONNECTIONS: u32 = 16;

/// Why the database could not do it.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    #[error("database failed: {0}")]
    Sql(#[from] sqlx::Error),
    #[error("cannot use the data directory `{}`: {source}\n\nhint: make it writable for this user, or choose another with --data-dir", path.display())]
    DataDir { path: PathBuf, source: std::io::Error },
    #[error("cannot open the database `{target}`: {source}\n\nhint: {hint}")]
    Open { target: String, source: sqlx::Error, hint: &'static str },
    #[error(
        "the database is at version {found}, newer than this program knows ({known})\n\nhint: upgrade pizzapi, or restore an older copy of the database"
    )]
    Newer { found: i64, known: i64 },
    #[error(
        "migration {version} ({name}) failed: {source}\n\nhint: the database is unchanged; a copy from before is at {copy}"
    )]
    Migration { version: i64, name: &'static str, copy: String, source: sqlx::Error },
    #[error("a stored row cannot be understood: {0}")]
    Corrupt(String),
}

impl DbError {
    /// Trying again later can help: the database is busy, full or away.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Sql(error) => !matches!(
                error,
                sqlx::Error::ColumnNotFound(_) | sqlx::Error::ColumnDecode { .. } | sqlx::Error::TypeNotFound { .. }
            ),
            _ => false,
        }
    }
}

/// Does this error say that a row with such a key exists already?
pub(crate) fn is_duplicate(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.is_unique_violation())
}

/// Which database answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    Sqlite,
    Postgres,
}

/// The database; cheap to clone.
#[derive(Clone, Debug)]
pub struct Db {
    backend: Backend,
    writer: AnyPool,
    reader: AnyPool,
}

impl Db {
    /// Open (and create) the database of `config` and bring its schema up to date.
    pub async fn open(config: &ServerConfig) -> Result<Self, DbError> {
        match &config.database_url {
            Some(url) => Self::postgres(url.reveal()).await,
            None => Self::open_sqlite(&config.database_path(), config.sessions.sync_to_disk).await,
        }
    }

    /// One SQLite file; its folder gets mode 0700, the file 0600.
    pub async fn sqlite(path: &Path) -> Result<Self, DbError> {
        Self::open_sqlite(path, false).await
    }

    /// With `synced`, what was committed survives a power cut; without, a crash of the process.
    async fn open_sqlite(path: &Path, synced: bool) -> Result<Self, DbError> {
        sqlx::any::install_default_drivers();
        let dir = path.parent().unwrap_or(Path::new(".")).to_owned();
        private_dir(&dir).map_err(|source| DbError::DataDir { path: dir.clone(), source })?;
        private_file(path).map_err(|source| DbError::DataDir { path: path.to_owned(), source })?;
        let open_error = |source| DbError::Open {
            target: path.display().to_string(),
            source,
            hint: "check that the file is a database of this program and that the disk is not full",
        };
        let options = sqlite_options(path).map_err(open_error)?;
        // A pool would try again for seconds and hide the reason; one connection says at once what is wrong.
        let mut first = AnyConnection::connect_with(&options).await.map_err(open_error)?;
        first.execute("PRAGMA journal_mode = WAL").await.map_err(open_error)?;
        first.close().await.map_err(open_error)?;
        let writer = sqlite_pool(1, synced).connect_with(options.clone()).await.map_err(open_error)?;
        let reader = sqlite_pool(SQLITE_READERS, synced).connect_lazy_with(options);
        let db = Self { backend: Backend::Sqlite, writer, reader };
        migrate::run(&db, Some(path)).await?;
        Ok(db)
    }

    /// A PostgreSQL database shared by several nodes.
    pub async fn postgres(url: &str) -> Result<Self, DbError> {
        sqlx::any::install_default_drivers();
        let open_error = |source| DbError::Open {
            target: redact(url),
            source,
            hint: "PIZZAPI_DATABASE_URL must be postgres://user:password@host:5432/database, and the server must be up",
        };
        let options = url.parse::<AnyConnectOptions>().map_err(open_error)?;
        let pool = AnyPoolOptions::new()
            .max_connections(POSTGRES_CONNECTIONS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_with(options)
            .await
            .map_err(open_error)?;
        let db = Self { backend: Backend::Postgres, writer: pool.clone(), reader: pool };
        migrate::run(&db, None).await?;
        Ok(db)
    }

    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// One statement through the writer and one through a reader; for readiness.
    pub async fn ping(&self) -> Result<(), DbError> {
        sqlx::query("SELECT 1").execute(&self.reader).await?;
        sqlx::query("SELECT 1").execute(&self.writer).await?;
        Ok(())
    }

    /// Write what is buffered back into the file and close every connection.
    pub async fn close(&self) {
        if self.backend == Backend::Sqlite
            && let Err(error) = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&self.writer).await
        {
            tracing::debug!(%error, "the write-ahead log was not folded in; the next start does it");
        }
        self.reader.close().await;
        self.writer.close().await;
    }

    pub(crate) fn writer(&self) -> &AnyPool {
        &self.writer
    }

    pub(crate) fn reader(&self) -> &AnyPool {
        &self.reader
    }

    pub fn users(&self) -> users::Users<'_> {
        users::Users(self)
    }

    pub fn credentials(&self) -> credentials::Credentials<'_> {
        credentials::Credentials(self)
    }

    pub fn sessions(&self) -> sessions::Sessions<'_> {
        sessions::Sessions(self)
    }

    pub fn commands(&self) -> commands::Commands<'_> {
        commands::Commands(self)
    }

    pub fn decisions(&self) -> decisions::Decisions<'_> {
        decisions::Decisions(self)
    }

    pub fn runners(&self) -> runners::Runners<'_> {
        runners::Runners(self)
    }

    pub fn preferences(&self) -> preferences::Preferences<'_> {
        preferences::Preferences(self)
    }

    pub fn attachments(&self) -> attachments::Attachments<'_> {
        attachments::Attachments(self)
    }

    pub fn push(&self) -> push::Push<'_> {
        push::Push(self)
    }

    pub fn triggers(&self) -> triggers::Triggers<'_> {
        triggers::Triggers(self)
    }

    pub fn mobile_links(&self) -> mobile_links::MobileLinks<'_> {
        mobile_links::MobileLinks(self)
    }

    pub fn webhooks(&self) -> webhooks::Webhooks<'_> {
        webhooks::Webhooks(self)
    }

    pub fn nonces(&self) -> nonces::Nonces<'_> {
        nonces::Nonces(self)
    }

    pub fn audit(&self) -> audit::Audit<'_> {
        audit::Audit(self)
    }
}

fn sqlite_options(path: &Path) -> Result<AnyConnectOptions, sqlx::Error> {
    let absolute = std::path::absolute(path).map_err(sqlx::Error::Io)?;
    let mut url = url::Url::from_file_path(&absolute)
        .map_err(|()| sqlx::Error::Configuration(format!("`{}` is not a usable path", path.display()).into()))?;
    url.set_query(Some("mode=rwc"));
    // `file` cannot become a non-special scheme in place, so the text is changed instead.
    url.as_str().replacen("file:", "sqlite:", 1).parse()
}

fn sqlite_pool(connections: u32, synced: bool) -> AnyPoolOptions {
    let synchronous = if synced { "FULL" } else { "NORMAL" };
    let options = AnyPoolOptions::new().max_connections(connections).acquire_timeout(ACQUIRE_TIMEOUT);
    options.after_connect(move |connection, _| {
        Box::pin(async move {
            for pragma in [
                format!("PRAGMA busy_timeout = {}", BUSY_TIMEOUT.as_millis()),
                "PRAGMA journal_mode = WAL".to_owned(),
                format!("PRAGMA synchronous = {synchronous}"),
                "PRAGMA foreign_keys = ON".to_owned(),
            ] {
                connection.execute(sqlx::AssertSqlSafe(pragma)).await?;
            }
            Ok(())
        })
    })
}

/// Create `dir` for this user only. An existing folder keeps its mode unless it is ours to tighten.
pub(crate) fn private_dir(dir: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))
    }
    #[cfg(not(unix))]
    std::fs::create_dir_all(dir)
}

/// Make sure `path` exists and only this user can read it.
pub(crate) fn private_file(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
        options.mode(0o600);
        options.open(path)?.set_permissions(std::fs::Permissions::from_mode(0o600))
    }
    #[cfg(not(unix))]
    options.open(path).map(drop)
}

fn redact(url: &str) -> String {
    match url::Url::parse(url) {
        Ok(mut url) => {
            // Fails only for URLs that cannot hold a password.
            let _ = url.set_password(None);
            url.to_string()
        }
        Err(_) => "PIZZAPI_DATABASE_URL".to_owned(),
    }
}

//! Numbered schema changes: embedded, each in a transaction, recorded, under a lock, with a copy of the file first.

use std::path::{Path, PathBuf};

use sqlx::{AnyConnection, Connection, Executor};

use super::{Backend, Columns, Db, DbError};

/// Every change in order; a released one is never edited.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "baseline", include_str!("../../migrations/0001_baseline.sql")),
    (2, "links and webhooks", include_str!("../../migrations/0002_links_and_webhooks.sql")),
];

/// Held in PostgreSQL while migrating; the number has no meaning of its own.
const POSTGRES_LOCK: i64 = 0x7069_7a7a_6170_6931;

/// Bring the schema to the newest version.
pub(super) async fn run(db: &Db, file: Option<&Path>) -> Result<(), DbError> {
    let mut connection = db.writer.acquire().await?;
    match db.backend {
        // Another process that migrates the same file is waited for.
        Backend::Sqlite => {
            connection.execute("BEGIN IMMEDIATE").await?;
        }
        Backend::Postgres => {
            sqlx::query("SELECT pg_advisory_lock($1)").bind(POSTGRES_LOCK).execute(&mut *connection).await?;
        }
    }
    let outcome = apply(db.backend, &mut connection, file).await;
    match db.backend {
        Backend::Sqlite => {
            let end = if outcome.is_ok() { "COMMIT" } else { "ROLLBACK" };
            connection.execute(end).await?;
        }
        Backend::Postgres => {
            sqlx::query("SELECT pg_advisory_unlock($1)").bind(POSTGRES_LOCK).execute(&mut *connection).await?;
        }
    }
    outcome
}

async fn apply(backend: Backend, connection: &mut AnyConnection, file: Option<&Path>) -> Result<(), DbError> {
    connection
        .execute(
            "CREATE TABLE IF NOT EXISTS schema_migration (version BIGINT PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL)",
        )
        .await?;
    let row = sqlx::query("SELECT COALESCE(MAX(version), 0) AS version FROM schema_migration")
        .fetch_one(&mut *connection)
        .await?;
    let found = row.int("version")?;
    let known = MIGRATIONS.last().map_or(0, |(version, ..)| *version);
    if found > known {
        return Err(DbError::Newer { found, known });
    }
    if found == known {
        return Ok(());
    }
    let copy = match file {
        Some(file) if found > 0 => {
            keep_copy(file, found).map_err(|source| DbError::DataDir { path: file.to_owned(), source })?
        }
        _ => None,
    };
    for (version, name, sql) in MIGRATIONS.iter().filter(|(version, ..)| *version > found) {
        one(backend, connection, *version, name, sql).await.map_err(|source| DbError::Migration {
            version: *version,
            name,
            copy: copy.as_ref().map_or_else(|| "(none: it was empty)".to_owned(), |path| path.display().to_string()),
            source,
        })?;
        tracing::info!(version, name, "database migrated");
    }
    Ok(())
}

async fn one(
    backend: Backend,
    connection: &mut AnyConnection,
    version: i64,
    name: &str,
    sql: &str,
) -> Result<(), sqlx::Error> {
    let sql = dialect(backend, sql);
    let record =
        "INSERT INTO schema_migration (version, name, applied_at) VALUES ($1, $2, CAST(CURRENT_TIMESTAMP AS TEXT))";
    match backend {
        // The surrounding transaction covers all of them.
        Backend::Sqlite => {
            connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(sql))).await?;
            sqlx::query(record).bind(version).bind(name.to_owned()).execute(&mut *connection).await?;
        }
        Backend::Postgres => {
            let mut transaction = connection.begin().await?;
            transaction.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(sql))).await?;
            sqlx::query(record).bind(version).bind(name.to_owned()).execute(&mut *transaction).await?;
            transaction.commit().await?;
        }
    }
    Ok(())
}

/// The few words in which the two databases differ.
fn dialect(backend: Backend, sql: &str) -> String {
    match backend {
        Backend::Sqlite => sql.replace("{{auto_id}}", "INTEGER PRIMARY KEY AUTOINCREMENT").replace("{{bytes}}", "BLOB"),
        Backend::Postgres => {
            sql.replace("{{auto_id}}", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY").replace("{{bytes}}", "BYTEA")
        }
    }
}

/// Copy the file and its write-ahead log aside; together they are a consistent database.
fn keep_copy(file: &Path, version: i64) -> std::io::Result<Option<PathBuf>> {
    let beside = |suffix: &str| PathBuf::from(format!("{}{suffix}", file.display()));
    let copy = beside(&format!(".before-{}", version + 1));
    for (from, to) in
        [(file.to_owned(), copy.clone()), (beside("-wal"), PathBuf::from(format!("{}-wal", copy.display())))]
    {
        if from.exists() {
            std::fs::copy(&from, &to)?;
            super::private_file(&to)?;
        }
    }
    Ok(Some(copy))
}

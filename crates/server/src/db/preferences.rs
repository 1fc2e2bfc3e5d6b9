//! What a person set: hidden models, named preferences, recently used folders.

use super::{Columns, Db, DbError};

/// Name of the preference that holds the model of sub-agents.
pub const SUBAGENT_MODEL: &str = "subagent-model";
/// Folders kept per user and runner.
const MAX_RECENT_FOLDERS: i64 = 50;

/// Access to preferences.
pub struct Preferences<'a>(pub(super) &'a Db);

impl Preferences<'_> {
    /// Models the user does not want to see or use, as `provider/id`, sorted.
    pub async fn hidden_models(&self, user_id: &str) -> Result<Vec<String>, DbError> {
        sqlx::query("SELECT model FROM hidden_model WHERE user_id = $1 ORDER BY model")
            .bind(user_id.to_owned())
            .fetch_all(self.0.reader())
            .await?
            .iter()
            .map(|row| row.text("model"))
            .collect()
    }

    pub async fn is_model_hidden(&self, user_id: &str, model: &str) -> Result<bool, DbError> {
        let row = sqlx::query("SELECT COUNT(*) AS found FROM hidden_model WHERE user_id = $1 AND model = $2")
            .bind(user_id.to_owned())
            .bind(model.to_owned())
            .fetch_one(self.0.reader())
            .await?;
        Ok(row.int("found")? > 0)
    }

    /// Replace the whole list.
    pub async fn set_hidden_models(&self, user_id: &str, models: &[String]) -> Result<(), DbError> {
        let mut transaction = self.0.writer().begin().await?;
        sqlx::query("DELETE FROM hidden_model WHERE user_id = $1")
            .bind(user_id.to_owned())
            .execute(&mut *transaction)
            .await?;
        for model in models {
            sqlx::query("INSERT INTO hidden_model (user_id, model) VALUES ($1, $2) ON CONFLICT DO NOTHING")
                .bind(user_id.to_owned())
                .bind(model.clone())
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    pub async fn get(&self, user_id: &str, name: &str) -> Result<Option<String>, DbError> {
        sqlx::query("SELECT value FROM preference WHERE user_id = $1 AND name = $2")
            .bind(user_id.to_owned())
            .bind(name.to_owned())
            .fetch_optional(self.0.reader())
            .await?
            .map(|row| row.text("value"))
            .transpose()
    }

    /// Set or, with `None`, clear a preference.
    pub async fn set(&self, user_id: &str, name: &str, value: Option<&str>, now: i64) -> Result<(), DbError> {
        let query = match value {
            Some(value) => sqlx::query(
                "INSERT INTO preference (user_id, name, value, updated_at) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (user_id, name) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at",
            )
            .bind(user_id.to_owned())
            .bind(name.to_owned())
            .bind(value.to_owned())
            .bind(now),
            None => sqlx::query("DELETE FROM preference WHERE user_id = $1 AND name = $2")
                .bind(user_id.to_owned())
                .bind(name.to_owned()),
        };
        query.execute(self.0.writer()).await?;
        Ok(())
    }

    /// Folders used on a runner, most used first.
    pub async fn recent_folders(&self, user_id: &str, runner_id: &str) -> Result<Vec<String>, DbError> {
        sqlx::query(
            "SELECT path FROM recent_folder WHERE user_id = $1 AND runner_id = $2 ORDER BY uses DESC, last_used_at DESC LIMIT $3",
        )
        .bind(user_id.to_owned())
        .bind(runner_id.to_owned())
        .bind(MAX_RECENT_FOLDERS)
        .fetch_all(self.0.reader())
        .await?
        .iter()
        .map(|row| row.text("path"))
        .collect()
    }

    /// Count a use; beyond the bound the folder unused for longest goes.
    pub async fn used_folder(&self, user_id: &str, runner_id: &str, path: &str, now: i64) -> Result<(), DbError> {
        let mut transaction = self.0.writer().begin().await?;
        sqlx::query(
            "INSERT INTO recent_folder (user_id, runner_id, path, uses, last_used_at) VALUES ($1, $2, $3, 1, $4) \
             ON CONFLICT (user_id, runner_id, path) DO UPDATE SET uses = recent_folder.uses + 1, last_used_at = excluded.last_used_at",
        )
        .bind(user_id.to_owned())
        .bind(runner_id.to_owned())
        .bind(path.to_owned())
        .bind(now)
        .execute(&mut *transaction)
        .await?;
        sqlx::query(
            "DELETE FROM recent_folder WHERE user_id = $1 AND runner_id = $2 AND path NOT IN \
             (SELECT path FROM recent_folder WHERE user_id = $1 AND runner_id = $2 ORDER BY last_used_at DESC LIMIT $3)",
        )
        .bind(user_id.to_owned())
        .bind(runner_id.to_owned())
        .bind(MAX_RECENT_FOLDERS)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    pub async fn forget_folder(&self, user_id: &str, runner_id: &str, path: &str) -> Result<bool, DbError> {
        let done = sqlx::query("DELETE FROM recent_folder WHERE user_id = $1 AND runner_id = $2 AND path = $3")
            .bind(user_id.to_owned())
            .bind(runner_id.to_owned())
            .bind(path.to_owned())
            .execute(self.0.writer())
            .await?;
        Ok(done.rows_affected() > 0)
    }
}

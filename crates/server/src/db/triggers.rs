//! Triggers: what reached a session, what a session subscribed to, and what starts sessions by itself.

use sqlx::any::AnyRow;

use super::{Columns, Db, DbError};

/// Entries of trigger history kept per session.
const MAX_HISTORY: i64 = 200;

/// A subscription of a session, or a listener of a runner (then `session_id` is empty). Units: times in Unix ms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    pub id: String,
    pub user_id: String,
    pub session_id: String,
    pub runner_id: String,
    pub trigger_type: String,
    /// Parameters, filters and prompt as JSON text.
    pub document: String,
    pub updated_at: i64,
}

/// Access to triggers.
pub struct Triggers<'a>(pub(super) &'a Db);

impl Triggers<'_> {
    /// Remember a trigger of a session; an id seen before is not added again. Says whether it was new.
    pub async fn remember(&self, session_id: &str, trigger_id: &str, entry: &str, at: i64) -> Result<bool, DbError> {
        let mut transaction = self.0.writer().begin().await?;
        let done = sqlx::query(
            "INSERT INTO trigger_history (session_id, trigger_id, entry, at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (session_id, trigger_id) DO NOTHING",
        )
        .bind(session_id.to_owned())
        .bind(trigger_id.to_owned())
        .bind(entry.to_owned())
        .bind(at)
        .execute(&mut *transaction)
        .await?;
        sqlx::query(
            "DELETE FROM trigger_history WHERE session_id = $1 AND ordinal NOT IN \
             (SELECT ordinal FROM trigger_history WHERE session_id = $1 ORDER BY ordinal DESC LIMIT $2)",
        )
        .bind(session_id.to_owned())
        .bind(MAX_HISTORY)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    /// Replace the entry of a trigger, for example to add its response.
    pub async fn amend(&self, session_id: &str, trigger_id: &str, entry: &str) -> Result<bool, DbError> {
        let done = sqlx::query("UPDATE trigger_history SET entry = $1 WHERE session_id = $2 AND trigger_id = $3")
            .bind(entry.to_owned())
            .bind(session_id.to_owned())
            .bind(trigger_id.to_owned())
            .execute(self.0.writer())
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Entries of a session as JSON text, newest first.
    pub async fn history(&self, session_id: &str, limit: u32) -> Result<Vec<String>, DbError> {
        sqlx::query("SELECT entry FROM trigger_history WHERE session_id = $1 ORDER BY ordinal DESC LIMIT $2")
            .bind(session_id.to_owned())
            .bind(i64::from(limit))
            .fetch_all(self.0.reader())
            .await?
            .iter()
            .map(|row| row.text("entry"))
            .collect()
    }

    pub async fn clear_history(&self, session_id: &str) -> Result<(), DbError> {
        sqlx::query("DELETE FROM trigger_history WHERE session_id = $1")
            .bind(session_id.to_owned())
            .execute(self.0.writer())
            .await?;
        Ok(())
    }

    /// Store a subscription, or change it if it is the same user's.
    pub async fn subscribe(&self, subscription: &Subscription) -> Result<bool, DbError> {
        let done = sqlx::query(
            "INSERT INTO trigger_subscription (id, user_id, session_id, runner_id, trigger_type, document, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO UPDATE SET runner_id = excluded.runner_id, \
             trigger_type = excluded.trigger_type, document = excluded.document, updated_at = excluded.updated_at \
             WHERE trigger_subscription.user_id = excluded.user_id AND trigger_subscription.session_id = excluded.session_id",
        )
        .bind(subscription.id.clone())
        .bind(subscription.user_id.clone())
        .bind(subscription.session_id.clone())
        .bind(subscription.runner_id.clone())
        .bind(subscription.trigger_type.clone())
        .bind(subscription.document.clone())
        .bind(subscription.updated_at)
        .execute(self.0.writer())
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Remove one subscription of a session by id, or all of a type. Answers with what was removed.
    pub async fn unsubscribe(&self, session_id: &str, id_or_type: &str) -> Result<Vec<Subscription>, DbError> {
        sqlx::query(
            "DELETE FROM trigger_subscription WHERE session_id = $1 AND (id = $2 OR trigger_type = $2) RETURNING *",
        )
        .bind(session_id.to_owned())
        .bind(id_or_type.to_owned())
        .fetch_all(self.0.writer())
        .await?
        .iter()
        .map(read)
        .collect()
    }

    pub async fn of_session(&self, session_id: &str) -> Result<Vec<Subscription>, DbError> {
        sqlx::query("SELECT * FROM trigger_subscription WHERE session_id = $1 ORDER BY id")
            .bind(session_id.to_owned())
            .fetch_all(self.0.reader())
            .await?
            .iter()
            .map(read)
            .collect()
    }

    /// One subscription of a session, by id.
    pub async fn subscription(&self, session_id: &str, id: &str) -> Result<Option<Subscription>, DbError> {
        sqlx::query("SELECT * FROM trigger_subscription WHERE session_id = $1 AND id = $2")
            .bind(session_id.to_owned())
            .bind(id.to_owned())
            .fetch_optional(self.0.reader())
            .await?
            .map(|row| read(&row))
            .transpose()
    }

    /// Everything a runner's services must know: subscriptions of its sessions, and its listeners.
    pub async fn of_runner(&self, runner_id: &str) -> Result<Vec<Subscription>, DbError> {
        sqlx::query(
            "SELECT id, user_id, session_id, runner_id, trigger_type, document, updated_at FROM trigger_subscription WHERE runner_id = $1 \
             UNION ALL SELECT id, user_id, '' AS session_id, runner_id, trigger_type, document, updated_at \
             FROM trigger_listener WHERE runner_id = $1 ORDER BY 1",
        )
        .bind(runner_id.to_owned())
        .fetch_all(self.0.reader())
        .await?
        .iter()
        .map(read)
        .collect()
    }

    /// A session ended: schedules stay, everything else of it goes. Answers with what was removed.
    pub async fn session_ended(&self, session_id: &str) -> Result<Vec<Subscription>, DbError> {
        sqlx::query(
            "DELETE FROM trigger_subscription WHERE session_id = $1 AND trigger_type NOT LIKE 'time:%' RETURNING *",
        )
        .bind(session_id.to_owned())
        .fetch_all(self.0.writer())
        .await?
        .iter()
        .map(read)
        .collect()
    }

    /// Store or change a listener; ownership is part of the condition.
    pub async fn put_listener(&self, listener: &Subscription) -> Result<bool, DbError> {
        let done = sqlx::query(
            "INSERT INTO trigger_listener (id, user_id, runner_id, trigger_type, document, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT (id) DO UPDATE SET document = excluded.document, updated_at = excluded.updated_at \
             WHERE trigger_listener.user_id = excluded.user_id AND trigger_listener.runner_id = excluded.runner_id",
        )
        .bind(listener.id.clone())
        .bind(listener.user_id.clone())
        .bind(listener.runner_id.clone())
        .bind(listener.trigger_type.clone())
        .bind(listener.document.clone())
        .bind(listener.updated_at)
        .execute(self.0.writer())
        .await?;
        Ok(done.rows_affected() == 1)
    }

    pub async fn listeners(&self, user_id: &str, runner_id: &str) -> Result<Vec<Subscription>, DbError> {
        sqlx::query("SELECT *, '' AS session_id FROM trigger_listener WHERE user_id = $1 AND runner_id = $2 ORDER BY created_at, id")
            .bind(user_id.to_owned())
            .bind(runner_id.to_owned())
            .fetch_all(self.0.reader())
            .await?
            .iter()
            .map(read)
            .collect()
    }

    /// A listener by id, when it is this user's.
    pub async fn listener(&self, user_id: &str, id: &str) -> Result<Option<Subscription>, DbError> {
        sqlx::query("SELECT *, '' AS session_id FROM trigger_listener WHERE user_id = $1 AND id = $2")
            .bind(user_id.to_owned())
            .bind(id.to_owned())
            .fetch_optional(self.0.reader())
            .await?
            .map(|row| read(&row))
            .transpose()
    }

    /// Remove one listener by id, or all of a type. Answers with what was removed.
    pub async fn remove_listeners(
        &self,
        user_id: &str,
        runner_id: &str,
        id_or_type: &str,
    ) -> Result<Vec<Subscription>, DbError> {
        sqlx::query(
            "DELETE FROM trigger_listener WHERE user_id = $1 AND runner_id = $2 AND (id = $3 OR trigger_type = $3) \
             RETURNING *, '' AS session_id",
        )
        .bind(user_id.to_owned())
        .bind(runner_id.to_owned())
        .bind(id_or_type.to_owned())
        .fetch_all(self.0.writer())
        .await?
        .iter()
        .map(read)
        .collect()
    }
}

fn read(row: &AnyRow) -> Result<Subscription, DbError> {
    Ok(Subscription {
        id: row.text("id")?,
        user_id: row.text("user_id")?,
        session_id: row.text("session_id")?,
        runner_id: row.text("runner_id")?,
        trigger_type: row.text("trigger_type")?,
        document: row.text("document")?,
        updated_at: row.int("updated_at")?,
    })
}

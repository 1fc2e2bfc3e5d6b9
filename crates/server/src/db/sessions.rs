//! History of sessions: one row each, written at registration and when something lasting changes, plus the last snapshot.

use std::time::Duration;

use sqlx::any::AnyRow;

use super::{Columns, Db, DbError};

/// A session as history knows it. Units: times in Unix ms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    pub id: String,
    pub user_id: String,
    pub user_name: Option<String>,
    pub cwd: String,
    pub share_url: String,
    pub name: Option<String>,
    /// The owner typed the name; what the agent suggests later does not replace it.
    pub named_by_user: bool,
    pub is_ephemeral: bool,
    pub is_pinned: bool,
    pub runner_id: Option<String>,
    pub runner_name: Option<String>,
    pub parent_session_id: Option<String>,
    /// JSON text.
    pub model: Option<String>,
    /// Random id of the session's present life; guards late writes of an older one.
    pub life: String,
    pub epoch: i64,
    pub head_seq: i64,
    pub started_at: i64,
    pub last_active_at: i64,
    pub ended_at: Option<i64>,
    pub expires_at: Option<i64>,
}

/// What a registration knows about its session.
#[derive(Clone, Debug)]
pub struct Registered {
    pub id: String,
    pub user_id: String,
    pub user_name: Option<String>,
    pub cwd: String,
    pub share_url: String,
    pub name: Option<String>,
    pub is_ephemeral: bool,
    /// `None` keeps the runner known from before.
    pub runner: Option<(String, Option<String>)>,
    pub parent_session_id: Option<String>,
    pub life: String,
    pub epoch: i64,
    pub started_at: i64,
    pub now: i64,
    pub expires_at: Option<i64>,
}

/// The last complete state of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSnapshot {
    pub epoch: i64,
    pub seq: i64,
    pub at: i64,
    pub state: Vec<u8>,
}

/// Which rows [`Sessions::list`] looks for.
#[derive(Clone, Debug, Default)]
pub struct SessionFilter<'a> {
    /// Text in name, folder or id; compared without case.
    pub text: Option<&'a str>,
    pub runner_id: Option<&'a str>,
    pub cwd: Option<&'a str>,
    /// Rows strictly older than this `(last_active_at, id)`.
    pub after: Option<(i64, &'a str)>,
    /// Leave pinned rows out; they are listed on the first page.
    pub unpinned_only: bool,
    pub limit: u32,
}

/// Access to history.
pub struct Sessions<'a>(pub(super) &'a Db);

impl Sessions<'_> {
    /// Write the row of a (re-)registered session: a new life, not ended. A row of another user is left alone.
    ///
    /// Answers with the row as it now stands, or nothing when the id belongs to somebody else.
    pub async fn register(&self, session: &Registered) -> Result<Option<SessionRow>, DbError> {
        let (runner_id, runner_name) = session.runner.clone().unzip();
        let row = sqlx::query(
            "INSERT INTO relay_session (id, user_id, user_name, cwd, share_url, name, is_ephemeral, runner_id, runner_name, \
             parent_session_id, life, epoch, started_at, last_active_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) \
             ON CONFLICT (id) DO UPDATE SET user_name = excluded.user_name, cwd = excluded.cwd, share_url = excluded.share_url, \
             name = CASE WHEN relay_session.named_by_user = 1 THEN relay_session.name ELSE COALESCE(excluded.name, relay_session.name) END, \
             is_ephemeral = excluded.is_ephemeral, \
             runner_id = COALESCE(excluded.runner_id, relay_session.runner_id), \
             runner_name = COALESCE(excluded.runner_name, relay_session.runner_name), \
             parent_session_id = excluded.parent_session_id, life = excluded.life, epoch = excluded.epoch, \
             last_active_at = excluded.last_active_at, expires_at = excluded.expires_at, ended_at = NULL \
             WHERE relay_session.user_id = excluded.user_id RETURNING *",
        )
        .bind(session.id.clone())
        .bind(session.user_id.clone())
        .bind(session.user_name.clone())
        .bind(session.cwd.clone())
        .bind(session.share_url.clone())
        .bind(session.name.clone())
        .bind(i64::from(session.is_ephemeral))
        .bind(runner_id)
        .bind(runner_name.flatten())
        .bind(session.parent_session_id.clone())
        .bind(session.life.clone())
        .bind(session.epoch)
        .bind(session.started_at)
        .bind(session.now)
        .bind(session.expires_at)
        .fetch_optional(self.0.writer())
        .await?;
        row.map(|row| read(&row)).transpose()
    }

    pub async fn get(&self, id: &str) -> Result<Option<SessionRow>, DbError> {
        sqlx::query("SELECT * FROM relay_session WHERE id = $1")
            .bind(id.to_owned())
            .fetch_optional(self.0.reader())
            .await?
            .map(|row| read(&row))
            .transpose()
    }

    /// The row, when it belongs to `user_id`; missing and foreign look alike.
    pub async fn of_user(&self, id: &str, user_id: &str) -> Result<Option<SessionRow>, DbError> {
        Ok(self.get(id).await?.filter(|row| row.user_id == user_id))
    }

    /// Rows that were live when the server last wrote them; for start-up.
    pub async fn unfinished(&self) -> Result<Vec<SessionRow>, DbError> {
        self.rows(
            sqlx::query("SELECT * FROM relay_session WHERE ended_at IS NULL ORDER BY last_active_at DESC")
                .fetch_all(self.0.reader())
                .await?,
        )
    }

    /// Sessions of a user, newest activity first.
    pub async fn list(&self, user_id: &str, filter: &SessionFilter<'_>) -> Result<Vec<SessionRow>, DbError> {
        let (after_at, after_id) = filter.after.map_or((i64::MAX, ""), |(at, id)| (at, id));
        let text = filter.text.map(|text| format!("%{}%", like_escape(&text.to_lowercase())));
        let rows = sqlx::query(
            "SELECT * FROM relay_session WHERE user_id = $1 \
             AND (last_active_at < $2 OR (last_active_at = $2 AND id < $3)) \
             AND ($4 IS NULL OR LOWER(COALESCE(name, '') || ' ' || cwd || ' ' || id) LIKE $4 ESCAPE '\\') \
             AND ($5 IS NULL OR runner_id = $5) AND ($6 IS NULL OR cwd = $6) AND ($7 = 0 OR is_pinned = 0) \
             ORDER BY last_active_at DESC, id DESC LIMIT $8",
        )
        .bind(user_id.to_owned())
        .bind(after_at)
        .bind(after_id.to_owned())
        .bind(text)
        .bind(filter.runner_id.map(str::to_owned))
        .bind(filter.cwd.map(str::to_owned))
        .bind(i64::from(filter.unpinned_only))
        .bind(i64::from(filter.limit))
        .fetch_all(self.0.reader())
        .await?;
        self.rows(rows)
    }

    pub async fn pinned(&self, user_id: &str) -> Result<Vec<SessionRow>, DbError> {
        self.rows(
            sqlx::query("SELECT * FROM relay_session WHERE user_id = $1 AND is_pinned = 1 ORDER BY last_active_at DESC, id DESC")
                .bind(user_id.to_owned())
                .fetch_all(self.0.reader())
                .await?,
        )
    }

    /// Pin or unpin; says whether the user has such a session.
    pub async fn set_pinned(&self, id: &str, user_id: &str, pinned: bool) -> Result<bool, DbError> {
        let done = sqlx::query("UPDATE relay_session SET is_pinned = $1 WHERE id = $2 AND user_id = $3")
            .bind(i64::from(pinned))
            .bind(id.to_owned())
            .bind(user_id.to_owned())
            .execute(self.0.writer())
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// A name the owner chose, or `None` to let the agent name it again.
    pub async fn rename(&self, id: &str, user_id: &str, name: Option<&str>) -> Result<Option<SessionRow>, DbError> {
        sqlx::query("UPDATE relay_session SET name = $1, named_by_user = $2 WHERE id = $3 AND user_id = $4 RETURNING *")
            .bind(name.map(str::to_owned))
            .bind(i64::from(name.is_some()))
            .bind(id.to_owned())
            .bind(user_id.to_owned())
            .fetch_optional(self.0.writer())
            .await?
            .map(|row| read(&row))
            .transpose()
    }

    /// A name the agent gave; a name chosen by the owner stays.
    pub async fn suggest_name(&self, id: &str, name: Option<&str>) -> Result<(), DbError> {
        sqlx::query("UPDATE relay_session SET name = $1 WHERE id = $2 AND named_by_user = 0")
            .bind(name.map(str::to_owned))
            .bind(id.to_owned())
            .execute(self.0.writer())
            .await?;
        Ok(())
    }

    /// Activity: position in the log, model and expiry, under the guard of the session's life.
    pub async fn touch(
        &self,
        id: &str,
        life: &str,
        head_seq: i64,
        model: Option<&str>,
        now: i64,
        expires_at: Option<i64>,
    ) -> Result<(), DbError> {
        sqlx::query(
            "UPDATE relay_session SET last_active_at = $1, head_seq = $2, model = COALESCE($3, model), expires_at = $4 \
             WHERE id = $5 AND life = $6",
        )
        .bind(now)
        .bind(head_seq)
        .bind(model.map(str::to_owned))
        .bind(expires_at)
        .bind(id.to_owned())
        .bind(life.to_owned())
        .execute(self.0.writer())
        .await?;
        Ok(())
    }

    pub async fn link_runner(&self, id: &str, runner_id: &str, runner_name: Option<&str>) -> Result<(), DbError> {
        sqlx::query("UPDATE relay_session SET runner_id = $1, runner_name = $2 WHERE id = $3")
            .bind(runner_id.to_owned())
            .bind(runner_name.map(str::to_owned))
            .bind(id.to_owned())
            .execute(self.0.writer())
            .await?;
        Ok(())
    }

    /// Mark the end of one life; a newer life is not touched. Says whether it did.
    pub async fn end(&self, id: &str, life: &str, now: i64) -> Result<bool, DbError> {
        let done =
            sqlx::query("UPDATE relay_session SET ended_at = $1 WHERE id = $2 AND life = $3 AND ended_at IS NULL")
                .bind(now)
                .bind(id.to_owned())
                .bind(life.to_owned())
                .execute(self.0.writer())
                .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Keep the newest complete state; an older one does not replace a newer.
    pub async fn save_snapshot(&self, id: &str, snapshot: &StoredSnapshot) -> Result<(), DbError> {
        sqlx::query(
            "INSERT INTO relay_session_snapshot (session_id, epoch, seq, at, state) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (session_id) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq, at = excluded.at, state = excluded.state \
             WHERE excluded.seq >= relay_session_snapshot.seq",
        )
        .bind(id.to_owned())
        .bind(snapshot.epoch)
        .bind(snapshot.seq)
        .bind(snapshot.at)
        .bind(snapshot.state.clone())
        .execute(self.0.writer())
        .await?;
        Ok(())
    }

    pub async fn snapshot(&self, id: &str) -> Result<Option<StoredSnapshot>, DbError> {
        sqlx::query("SELECT epoch, seq, at, state FROM relay_session_snapshot WHERE session_id = $1")
            .bind(id.to_owned())
            .fetch_optional(self.0.reader())
            .await?
            .map(|row| {
                Ok(StoredSnapshot {
                    epoch: row.int("epoch")?,
                    seq: row.int("seq")?,
                    at: row.int("at")?,
                    state: row.bytes("state")?,
                })
            })
            .transpose()
    }

    /// Remove an ended session of a user with everything stored for it. Says whether there was one.
    pub async fn delete(&self, id: &str, user_id: &str) -> Result<bool, DbError> {
        let mut transaction = self.0.writer().begin().await?;
        let done = sqlx::query("DELETE FROM relay_session WHERE id = $1 AND user_id = $2 AND ended_at IS NOT NULL")
            .bind(id.to_owned())
            .bind(user_id.to_owned())
            .execute(&mut *transaction)
            .await?;
        if done.rows_affected() == 1 {
            for sql in LEFTOVERS {
                sqlx::query(sql).bind(id.to_owned()).execute(&mut *transaction).await?;
            }
        }
        transaction.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    /// Remove history past its retention and beyond `max_per_user`, never pinned rows. Answers with the ids.
    pub async fn prune(&self, now: i64, retention: Duration, max_per_user: u32) -> Result<Vec<String>, DbError> {
        let before = now - i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
        let rows = sqlx::query(
            "SELECT id, user_id FROM (SELECT id, user_id, ended_at, expires_at, \
             ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY last_active_at DESC, id DESC) AS place \
             FROM relay_session WHERE is_pinned = 0 AND ended_at IS NOT NULL) AS ended \
             WHERE place > $1 OR (ended_at < $2 AND (expires_at IS NULL OR expires_at < $3)) LIMIT 1000",
        )
        .bind(i64::from(max_per_user))
        .bind(before)
        .bind(now)
        .fetch_all(self.0.reader())
        .await?;
        let mut gone = Vec::with_capacity(rows.len());
        for row in rows {
            let id = row.text("id")?;
            if self.delete(&id, &row.text("user_id")?).await? {
                gone.push(id);
            }
        }
        Ok(gone)
    }

    fn rows(&self, rows: Vec<AnyRow>) -> Result<Vec<SessionRow>, DbError> {
        rows.iter().map(read).collect()
    }
}

/// What else belongs to a session. Its snapshot goes with the row.
const LEFTOVERS: [&str; 4] = [
    "DELETE FROM command WHERE session_id = $1",
    "DELETE FROM decision WHERE session_id = $1",
    "DELETE FROM trigger_history WHERE session_id = $1",
    "UPDATE attachment SET expires_at = 0 WHERE session_id = $1",
];

/// `%`, `_` and the escape itself stand for themselves.
fn like_escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

fn read(row: &AnyRow) -> Result<SessionRow, DbError> {
    Ok(SessionRow {
        id: row.text("id")?,
        user_id: row.text("user_id")?,
        user_name: row.text_opt("user_name")?,
        cwd: row.text("cwd")?,
        share_url: row.text("share_url")?,
        name: row.text_opt("name")?,
        named_by_user: row.flag("named_by_user")?,
        is_ephemeral: row.flag("is_ephemeral")?,
        is_pinned: row.flag("is_pinned")?,
        runner_id: row.text_opt("runner_id")?,
        runner_name: row.text_opt("runner_name")?,
        parent_session_id: row.text_opt("parent_session_id")?,
        model: row.text_opt("model")?,
        life: row.text("life")?,
        epoch: row.int("epoch")?,
        head_seq: row.int("head_seq")?,
        started_at: row.int("started_at")?,
        last_active_at: row.int("last_active_at")?,
        ended_at: row.int_opt("ended_at")?,
        expires_at: row.int_opt("expires_at")?,
    })
}

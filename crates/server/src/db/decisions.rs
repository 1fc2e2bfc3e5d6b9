//! Decisions that wait for a person: stored, answered once, visible until they end.

use sqlx::any::AnyRow;

use super::{Columns, Db, DbError};

/// Ended decisions are kept this long, so that a late answer learns who was first. Units: ms.
const KEEP_ENDED_MS: i64 = 30 * 24 * 60 * 60 * 1000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DecisionState {
    Open,
    Answered,
    /// The deadline passed; the default counts.
    Expired,
    Superseded,
    Withdrawn,
}

impl DecisionState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Answered => "answered",
            Self::Expired => "expired",
            Self::Superseded => "superseded",
            Self::Withdrawn => "withdrawn",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Open, Self::Answered, Self::Expired, Self::Superseded, Self::Withdrawn]
            .into_iter()
            .find(|state| state.as_str() == text)
    }
}

/// A decision. Units: times in Unix ms. `detail`, `options` and `answer` are JSON text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub session_id: String,
    pub decision_id: String,
    pub user_id: String,
    pub epoch: i64,
    pub kind: String,
    pub title: String,
    pub detail: String,
    pub options: String,
    pub default_option: Option<String>,
    pub deadline: Option<i64>,
    pub created_at: i64,
    pub state: DecisionState,
    pub answered_by: Option<String>,
    pub device: Option<String>,
    pub option: Option<String>,
    pub answer: Option<String>,
    pub ended_at: Option<i64>,
}

/// A person's answer.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub by: String,
    pub device: Option<String>,
    pub option: Option<String>,
    /// JSON text, when the choice of an option does not say it all.
    pub answer: Option<String>,
    pub at: i64,
}

/// What became of an attempt to end a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// This call ended it.
    Won(Decision),
    /// It had ended before; the row says how and by whom.
    Lost(Decision),
    Missing,
}

/// Access to decisions.
pub struct Decisions<'a>(pub(super) &'a Db);

impl Decisions<'_> {
    /// Store an open decision, once per session and id. Says whether it was new.
    pub async fn insert(&self, decision: &Decision) -> Result<bool, DbError> {
        let done = sqlx::query(
            "INSERT INTO decision (session_id, decision_id, user_id, epoch, kind, title, detail, options, default_option, \
             deadline, created_at, state) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'open') \
             ON CONFLICT (session_id, decision_id) DO NOTHING",
        )
        .bind(decision.session_id.clone())
        .bind(decision.decision_id.clone())
        .bind(decision.user_id.clone())
        .bind(decision.epoch)
        .bind(decision.kind.clone())
        .bind(decision.title.clone())
        .bind(decision.detail.clone())
        .bind(decision.options.clone())
        .bind(decision.default_option.clone())
        .bind(decision.deadline)
        .bind(decision.created_at)
        .execute(self.0.writer())
        .await?;
        Ok(done.rows_affected() == 1)
    }

    pub async fn get(&self, session_id: &str, decision_id: &str) -> Result<Option<Decision>, DbError> {
        sqlx::query("SELECT * FROM decision WHERE session_id = $1 AND decision_id = $2")
            .bind(session_id.to_owned())
            .bind(decision_id.to_owned())
            .fetch_optional(self.0.writer())
            .await?
            .map(|row| read(&row))
            .transpose()
    }

    /// Answer an open decision; the first answer wins, everybody else learns who that was.
    pub async fn answer(&self, session_id: &str, decision_id: &str, answer: &Answer) -> Result<Ended, DbError> {
        let row = sqlx::query(
            "UPDATE decision SET state = 'answered', answered_by = $1, device = $2, option = $3, answer = $4, ended_at = $5 \
             WHERE session_id = $6 AND decision_id = $7 AND state = 'open' RETURNING *",
        )
        .bind(answer.by.clone())
        .bind(answer.device.clone())
        .bind(answer.option.clone())
        .bind(answer.answer.clone())
        .bind(answer.at)
        .bind(session_id.to_owned())
        .bind(decision_id.to_owned())
        .fetch_optional(self.0.writer())
        .await?;
        self.outcome(row, session_id, decision_id).await
    }

    /// End an open decision without an answer.
    pub async fn end(
        &self,
        session_id: &str,
        decision_id: &str,
        state: DecisionState,
        at: i64,
    ) -> Result<Ended, DbError> {
        let row = sqlx::query(
            "UPDATE decision SET state = $1, ended_at = $2 WHERE session_id = $3 AND decision_id = $4 AND state = 'open' RETURNING *",
        )
        .bind(state.as_str())
        .bind(at)
        .bind(session_id.to_owned())
        .bind(decision_id.to_owned())
        .fetch_optional(self.0.writer())
        .await?;
        self.outcome(row, session_id, decision_id).await
    }

    /// End all open decisions of a session; answers with them.
    pub async fn end_all(&self, session_id: &str, state: DecisionState, at: i64) -> Result<Vec<Decision>, DbError> {
        sqlx::query(
            "UPDATE decision SET state = $1, ended_at = $2 WHERE session_id = $3 AND state = 'open' RETURNING *",
        )
        .bind(state.as_str())
        .bind(at)
        .bind(session_id.to_owned())
        .fetch_all(self.0.writer())
        .await?
        .iter()
        .map(read)
        .collect()
    }

    /// Open decisions of a user over all sessions, oldest first.
    pub async fn open_of_user(&self, user_id: &str) -> Result<Vec<Decision>, DbError> {
        sqlx::query("SELECT * FROM decision WHERE user_id = $1 AND state = 'open' ORDER BY created_at, decision_id")
            .bind(user_id.to_owned())
            .fetch_all(self.0.writer())
            .await?
            .iter()
            .map(read)
            .collect()
    }

    /// Open decisions of a session, oldest first.
    pub async fn open_of_session(&self, session_id: &str) -> Result<Vec<Decision>, DbError> {
        sqlx::query("SELECT * FROM decision WHERE session_id = $1 AND state = 'open' ORDER BY created_at, decision_id")
            .bind(session_id.to_owned())
            .fetch_all(self.0.writer())
            .await?
            .iter()
            .map(read)
            .collect()
    }

    /// End what was not answered by its deadline with its default; answers with those rows.
    pub async fn expire(&self, now: i64) -> Result<Vec<Decision>, DbError> {
        sqlx::query(
            "UPDATE decision SET state = 'expired', option = default_option, ended_at = $1 \
             WHERE state = 'open' AND deadline IS NOT NULL AND deadline <= $1 RETURNING *",
        )
        .bind(now)
        .fetch_all(self.0.writer())
        .await?
        .iter()
        .map(read)
        .collect()
    }

    /// Forget what ended a month ago.
    pub async fn purge(&self, now: i64) -> Result<u64, DbError> {
        let done = sqlx::query("DELETE FROM decision WHERE state <> 'open' AND ended_at < $1")
            .bind(now - KEEP_ENDED_MS)
            .execute(self.0.writer())
            .await?;
        Ok(done.rows_affected())
    }

    async fn outcome(&self, row: Option<AnyRow>, session_id: &str, decision_id: &str) -> Result<Ended, DbError> {
        match row {
            Some(row) => Ok(Ended::Won(read(&row)?)),
            None => Ok(self.get(session_id, decision_id).await?.map_or(Ended::Missing, Ended::Lost)),
        }
    }
}

fn read(row: &AnyRow) -> Result<Decision, DbError> {
    let state = row.text("state")?;
    Ok(Decision {
        session_id: row.text("session_id")?,
        decision_id: row.text("decision_id")?,
        user_id: row.text("user_id")?,
        epoch: row.int("epoch")?,
        kind: row.text("kind")?,
        title: row.text("title")?,
        detail: row.text("detail")?,
        options: row.text("options")?,
        default_option: row.text_opt("default_option")?,
        deadline: row.int_opt("deadline")?,
        created_at: row.int("created_at")?,
        state: DecisionState::parse(&state).ok_or_else(|| DbError::Corrupt(format!("decision state `{state}`")))?,
        answered_by: row.text_opt("answered_by")?,
        device: row.text_opt("device")?,
        option: row.text_opt("option")?,
        answer: row.text_opt("answer")?,
        ended_at: row.int_opt("ended_at")?,
    })
}

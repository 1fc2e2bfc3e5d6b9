//! Commands to sessions: stored before they are acknowledged, advanced in one direction only, kept for de-duplication.

use std::time::Duration;

use sqlx::any::AnyRow;

use super::{Columns, Db, DbError};

/// A finished command is remembered this long, so that a repeated id is answered and not run again.
pub const KEEP_FINISHED: Duration = Duration::from_secs(48 * 60 * 60);

/// How far a command came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CommandState {
    Accepted,
    Delivered,
    Consumed,
    Rejected,
    Expired,
    Cancelled,
    /// Delivered, but the process died before it could say what became of it.
    Unknown,
}

impl CommandState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Delivered => "delivered",
            Self::Consumed => "consumed",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Unknown => "unknown",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Accepted, Self::Delivered, Self::Consumed, Self::Rejected, Self::Expired, Self::Cancelled, Self::Unknown]
            .into_iter()
            .find(|state| state.as_str() == text)
    }

    /// Nothing follows this state.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Accepted | Self::Delivered)
    }

    /// May a command in this state move on to `next`?
    pub fn may_become(self, next: Self) -> bool {
        match self {
            Self::Accepted => !matches!(next, Self::Accepted | Self::Unknown),
            Self::Delivered => {
                matches!(next, Self::Consumed | Self::Rejected | Self::Cancelled | Self::Unknown)
            }
            _ => false,
        }
    }
}

/// A command to store.
#[derive(Clone, Debug)]
pub struct NewCommand {
    pub session_id: String,
    pub command_id: String,
    pub user_id: String,
    pub device: Option<String>,
    pub kind: String,
    /// `(epoch, seq)` the author had on screen.
    pub composed_at: Option<(i64, i64)>,
    /// JSON text.
    pub body: String,
    pub created_at: i64,
    pub deadline: Option<i64>,
}

/// A stored command. Units: times in Unix ms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Order of acceptance over all sessions.
    pub ordinal: i64,
    pub session_id: String,
    pub command_id: String,
    pub user_id: String,
    pub device: Option<String>,
    pub kind: String,
    pub composed_at: Option<(i64, i64)>,
    pub body: String,
    pub state: CommandState,
    pub code: Option<String>,
    pub message: Option<String>,
    pub by: Option<String>,
    pub created_at: i64,
    pub deadline: Option<i64>,
    pub state_at: i64,
}

/// What [`Commands::insert`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inserted {
    New(Command),
    /// The id is known; this is how far it came.
    Existing(Command),
}

impl Inserted {
    pub fn into_command(self) -> Command {
        match self {
            Self::New(command) | Self::Existing(command) => command,
        }
    }
}

/// A step of a command.
#[derive(Clone, Debug)]
pub struct Step<'a> {
    pub state: CommandState,
    pub code: Option<&'a str>,
    pub message: Option<&'a str>,
    /// Who caused it, when it was a person.
    pub by: Option<&'a str>,
    pub at: i64,
}

impl Step<'_> {
    pub fn to(state: CommandState, at: i64) -> Self {
        Self { state, code: None, message: None, by: None, at }
    }
}

/// What [`Commands::advance`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advanced {
    Changed(Command),
    /// The command was there already, or further, or finished otherwise.
    Unchanged(Command),
    Missing,
}

/// Access to commands.
pub struct Commands<'a>(pub(super) &'a Db);

impl Commands<'_> {
    /// Store a command as *accepted*, once per session and id.
    pub async fn insert(&self, new: &NewCommand) -> Result<Inserted, DbError> {
        let (epoch, seq) = new.composed_at.unzip();
        let row = sqlx::query(
            "INSERT INTO command (session_id, command_id, user_id, device, kind, composed_epoch, composed_seq, body, state, \
             created_at, deadline, state_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'accepted', $9, $10, $9) \
             ON CONFLICT (session_id, command_id) DO NOTHING RETURNING *",
        )
        .bind(new.session_id.clone())
        .bind(new.command_id.clone())
        .bind(new.user_id.clone())
        .bind(new.device.clone())
        .bind(new.kind.clone())
        .bind(epoch)
        .bind(seq)
        .bind(new.body.clone())
        .bind(new.created_at)
        .bind(new.deadline)
        .fetch_optional(self.0.writer())
        .await?;
        if let Some(row) = row {
            return Ok(Inserted::New(read(&row)?));
        }
        let existing = self.get(&new.session_id, &new.command_id).await?;
        existing
            .map(Inserted::Existing)
            .ok_or_else(|| DbError::Corrupt("a command vanished while it was stored".to_owned()))
    }

    pub async fn get(&self, session_id: &str, command_id: &str) -> Result<Option<Command>, DbError> {
        sqlx::query("SELECT * FROM command WHERE session_id = $1 AND command_id = $2")
            .bind(session_id.to_owned())
            .bind(command_id.to_owned())
            .fetch_optional(self.0.writer())
            .await?
            .map(|row| read(&row))
            .transpose()
    }

    /// Move a command on. Only forwards, one winner: of two racing steps the later one finds it unchanged.
    pub async fn advance(&self, session_id: &str, command_id: &str, step: &Step<'_>) -> Result<Advanced, DbError> {
        loop {
            let Some(current) = self.get(session_id, command_id).await? else { return Ok(Advanced::Missing) };
            if !current.state.may_become(step.state) {
                return Ok(Advanced::Unchanged(current));
            }
            let row = sqlx::query(
                "UPDATE command SET state = $1, code = $2, message = $3, acted_by = $4, state_at = $5 \
                 WHERE session_id = $6 AND command_id = $7 AND state = $8 RETURNING *",
            )
            .bind(step.state.as_str())
            .bind(step.code.map(str::to_owned))
            .bind(step.message.map(str::to_owned))
            .bind(step.by.map(str::to_owned))
            .bind(step.at)
            .bind(session_id.to_owned())
            .bind(command_id.to_owned())
            .bind(current.state.as_str())
            .fetch_optional(self.0.writer())
            .await?;
            // Nobody's row: somebody else moved it in between; look again. States only grow, so this ends.
            if let Some(row) = row {
                return Ok(Advanced::Changed(read(&row)?));
            }
        }
    }

    /// Commands of a session that are not finished, in the order they were accepted.
    pub async fn open(&self, session_id: &str) -> Result<Vec<Command>, DbError> {
        sqlx::query(
            "SELECT * FROM command WHERE session_id = $1 AND state IN ('accepted', 'delivered') ORDER BY ordinal",
        )
        .bind(session_id.to_owned())
        .fetch_all(self.0.writer())
        .await?
        .iter()
        .map(read)
        .collect()
    }

    /// Expire what was not delivered by its deadline; answers with those rows, oldest first.
    pub async fn expire(&self, now: i64) -> Result<Vec<Command>, DbError> {
        let rows = sqlx::query(
            "UPDATE command SET state = 'expired', code = 'deadline', state_at = $1 \
             WHERE state = 'accepted' AND deadline IS NOT NULL AND deadline <= $1 RETURNING *",
        )
        .bind(now)
        .fetch_all(self.0.writer())
        .await?;
        let mut expired: Vec<Command> = rows.iter().map(read).collect::<Result<_, _>>()?;
        expired.sort_by_key(|command| command.ordinal);
        Ok(expired)
    }

    /// Forget what finished longer than [`KEEP_FINISHED`] ago.
    pub async fn purge(&self, now: i64) -> Result<u64, DbError> {
        let before = now - i64::try_from(KEEP_FINISHED.as_millis()).unwrap_or(i64::MAX);
        let done = sqlx::query("DELETE FROM command WHERE state NOT IN ('accepted', 'delivered') AND state_at < $1")
            .bind(before)
            .execute(self.0.writer())
            .await?;
        Ok(done.rows_affected())
    }
}

fn read(row: &AnyRow) -> Result<Command, DbError> {
    let state = row.text("state")?;
    Ok(Command {
        ordinal: row.int("ordinal")?,
        session_id: row.text("session_id")?,
        command_id: row.text("command_id")?,
        user_id: row.text("user_id")?,
        device: row.text_opt("device")?,
        kind: row.text("kind")?,
        composed_at: row.int_opt("composed_epoch")?.zip(row.int_opt("composed_seq")?),
        body: row.text("body")?,
        state: CommandState::parse(&state).ok_or_else(|| DbError::Corrupt(format!("command state `{state}`")))?,
        code: row.text_opt("code")?,
        message: row.text_opt("message")?,
        by: row.text_opt("acted_by")?,
        created_at: row.int("created_at")?,
        deadline: row.int_opt("deadline")?,
        state_at: row.int("state_at")?,
    })
}

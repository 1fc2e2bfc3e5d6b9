//! Accounts.

use sqlx::any::AnyRow;

use super::{Columns, Db, DbError, is_duplicate};

/// An account without its password. Units: times in Unix ms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub id: String,
    pub name: String,
    pub email: String,
    pub email_verified: bool,
    pub image: Option<String>,
    pub created_at: i64,
    pub updated_at: i64,
}

/// What became of an attempt to open an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignedUp {
    Created(User),
    /// The address has an account.
    Exists,
    /// Somebody has an account already, and only the first may sign up.
    Closed,
}

/// Access to accounts.
pub struct Users<'a>(pub(super) &'a Db);

impl Users<'_> {
    /// Open an account. The question whether anybody has one and the insert are one transaction, so of two racing first
    /// users one gets in.
    pub async fn create(
        &self,
        id: &str,
        name: &str,
        email: &str,
        password_hash: &str,
        first_only: bool,
        now: i64,
    ) -> Result<SignedUp, DbError> {
        let mut transaction = self.0.writer().begin().await?;
        sqlx::query("UPDATE signup_gate SET passed = passed + 1 WHERE id = 1").execute(&mut *transaction).await?;
        if first_only {
            let row = sqlx::query("SELECT COUNT(*) AS accounts FROM account").fetch_one(&mut *transaction).await?;
            if row.int("accounts")? > 0 {
                return Ok(SignedUp::Closed);
            }
        }
        let inserted = sqlx::query(
            "INSERT INTO account (id, name, email, password, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $5) RETURNING *",
        )
        .bind(id.to_owned())
        .bind(name.to_owned())
        .bind(email.to_owned())
        .bind(password_hash.to_owned())
        .bind(now)
        .fetch_one(&mut *transaction)
        .await;
        match inserted {
            Ok(row) => {
                let user = read(&row)?;
                transaction.commit().await?;
                Ok(SignedUp::Created(user))
            }
            Err(error) if is_duplicate(&error) => Ok(SignedUp::Exists),
            Err(error) => Err(error.into()),
        }
    }

    /// Does anybody have an account?
    pub async fn any(&self) -> Result<bool, DbError> {
        let row = sqlx::query("SELECT COUNT(*) AS accounts FROM account").fetch_one(self.0.reader()).await?;
        Ok(row.int("accounts")? > 0)
    }

    /// The account that was there first: the owner of a server for one person.
    pub async fn first(&self) -> Result<Option<User>, DbError> {
        sqlx::query("SELECT * FROM account ORDER BY created_at, id LIMIT 1")
            .fetch_optional(self.0.reader())
            .await?
            .map(|row| read(&row))
            .transpose()
    }

    pub async fn get(&self, id: &str) -> Result<Option<User>, DbError> {
        sqlx::query("SELECT * FROM account WHERE id = $1")
            .bind(id.to_owned())
            .fetch_optional(self.0.reader())
            .await?
            .map(|row| read(&row))
            .transpose()
    }

    /// An account and its password hash, by lower-case address.
    pub async fn by_email(&self, email: &str) -> Result<Option<(User, String)>, DbError> {
        sqlx::query("SELECT * FROM account WHERE email = $1")
            .bind(email.to_owned())
            .fetch_optional(self.0.reader())
            .await?
            .map(|row| Ok((read(&row)?, row.text("password")?)))
            .transpose()
    }

    pub async fn password_of(&self, id: &str) -> Result<Option<String>, DbError> {
        sqlx::query("SELECT password FROM account WHERE id = $1")
            .bind(id.to_owned())
            .fetch_optional(self.0.reader())
            .await?
            .map(|row| row.text("password"))
            .transpose()
    }

    /// Replace the password, if it still is `old_hash`: of two changes at once the second is refused.
    pub async fn set_password(&self, id: &str, old_hash: &str, new_hash: &str, now: i64) -> Result<bool, DbError> {
        let done = sqlx::query("UPDATE account SET password = $1, updated_at = $2 WHERE id = $3 AND password = $4")
            .bind(new_hash.to_owned())
            .bind(now)
            .bind(id.to_owned())
            .bind(old_hash.to_owned())
            .execute(self.0.writer())
            .await?;
        Ok(done.rows_affected() == 1)
    }

    pub async fn update(&self, id: &str, name: Option<&str>, image: Option<&str>, now: i64) -> Result<(), DbError> {
        sqlx::query(
            "UPDATE account SET name = COALESCE($1, name), image = COALESCE($2, image), updated_at = $3 WHERE id = $4",
        )
        .bind(name.map(str::to_owned))
        .bind(image.map(str::to_owned))
        .bind(now)
        .bind(id.to_owned())
        .execute(self.0.writer())
        .await?;
        Ok(())
    }

    /// Remove an account; logins and keys go with it.
    pub async fn delete(&self, id: &str) -> Result<bool, DbError> {
        let mut transaction = self.0.writer().begin().await?;
        for sql in [
            "DELETE FROM command WHERE user_id = $1",
            "DELETE FROM decision WHERE user_id = $1",
            "DELETE FROM trigger_subscription WHERE user_id = $1",
            "DELETE FROM trigger_listener WHERE user_id = $1",
            "DELETE FROM hidden_model WHERE user_id = $1",
            "DELETE FROM preference WHERE user_id = $1",
            "DELETE FROM recent_folder WHERE user_id = $1",
            "DELETE FROM push_subscription WHERE user_id = $1",
            "UPDATE attachment SET expires_at = 0 WHERE owner_id = $1",
            "DELETE FROM relay_session WHERE user_id = $1",
            "DELETE FROM runner WHERE user_id = $1",
        ] {
            sqlx::query(sql).bind(id.to_owned()).execute(&mut *transaction).await?;
        }
        let done =
            sqlx::query("DELETE FROM account WHERE id = $1").bind(id.to_owned()).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(done.rows_affected() == 1)
    }
}

pub(super) fn read(row: &AnyRow) -> Result<User, DbError> {
    Ok(User {
        id: row.text("id")?,
        name: row.text("name")?,
        email: row.text("email")?,
        email_verified: row.flag("email_verified")?,
        image: row.text_opt("image")?,
        created_at: row.int("created_at")?,
        updated_at: row.int("updated_at")?,
    })
}

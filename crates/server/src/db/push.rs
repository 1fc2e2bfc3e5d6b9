//! Browsers that want notifications.

use sqlx::any::AnyRow;

use super::{Columns, Db, DbError};

/// A browser's subscription. Units: times in Unix ms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushSubscription {
    pub id: String,
    pub user_id: String,
    pub endpoint: String,
    pub p256dh: String,
    pub auth: String,
    /// `*` or a comma list of event names.
    pub events: String,
    pub suppress_children: bool,
    pub created_at: i64,
}

/// Access to push subscriptions.
pub struct Push<'a>(pub(super) &'a Db);

impl Push<'_> {
    /// Store a subscription; the same endpoint again renews its keys. An endpoint belongs to whoever subscribed last.
    pub async fn subscribe(&self, subscription: &PushSubscription) -> Result<String, DbError> {
        let mut transaction = self.0.writer().begin().await?;
        sqlx::query("DELETE FROM push_subscription WHERE endpoint = $1 AND user_id <> $2")
            .bind(subscription.endpoint.clone())
            .bind(subscription.user_id.clone())
            .execute(&mut *transaction)
            .await?;
        let row = sqlx::query(
            "INSERT INTO push_subscription (id, user_id, endpoint, p256dh, auth, events, suppress_children, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (user_id, endpoint) DO UPDATE SET \
             p256dh = excluded.p256dh, auth = excluded.auth, events = excluded.events RETURNING id",
        )
        .bind(subscription.id.clone())
        .bind(subscription.user_id.clone())
        .bind(subscription.endpoint.clone())
        .bind(subscription.p256dh.clone())
        .bind(subscription.auth.clone())
        .bind(subscription.events.clone())
        .bind(i64::from(subscription.suppress_children))
        .bind(subscription.created_at)
        .fetch_one(&mut *transaction)
        .await?;
        let id = row.text("id")?;
        transaction.commit().await?;
        Ok(id)
    }

    /// Keep a fresh key pair, unless there is one already; answers with the private key that counts.
    pub async fn keep_vapid(&self, public: &str, private: &[u8], now: i64) -> Result<Vec<u8>, DbError> {
        sqlx::query("INSERT INTO vapid_key (id, public_key, private_key, created_at) VALUES (1, $1, $2, $3) ON CONFLICT (id) DO NOTHING")
            .bind(public.to_owned())
            .bind(private.to_vec())
            .bind(now)
            .execute(self.0.writer())
            .await?;
        let row = sqlx::query("SELECT private_key FROM vapid_key WHERE id = 1").fetch_one(self.0.writer()).await?;
        row.bytes("private_key")
    }

    pub async fn unsubscribe(&self, user_id: &str, endpoint: &str) -> Result<bool, DbError> {
        let done = sqlx::query("DELETE FROM push_subscription WHERE user_id = $1 AND endpoint = $2")
            .bind(user_id.to_owned())
            .bind(endpoint.to_owned())
            .execute(self.0.writer())
            .await?;
        Ok(done.rows_affected() > 0)
    }

    pub async fn list(&self, user_id: &str) -> Result<Vec<PushSubscription>, DbError> {
        sqlx::query("SELECT * FROM push_subscription WHERE user_id = $1 ORDER BY created_at, id")
            .bind(user_id.to_owned())
            .fetch_all(self.0.reader())
            .await?
            .iter()
            .map(read)
            .collect()
    }

    pub async fn set_events(&self, user_id: &str, endpoint: &str, events: &str) -> Result<bool, DbError> {
        let done = sqlx::query("UPDATE push_subscription SET events = $1 WHERE user_id = $2 AND endpoint = $3")
            .bind(events.to_owned())
            .bind(user_id.to_owned())
            .bind(endpoint.to_owned())
            .execute(self.0.writer())
            .await?;
        Ok(done.rows_affected() > 0)
    }

    pub async fn set_suppress_children(&self, user_id: &str, endpoint: &str, suppress: bool) -> Result<bool, DbError> {
        let done =
            sqlx::query("UPDATE push_subscription SET suppress_children = $1 WHERE user_id = $2 AND endpoint = $3")
                .bind(i64::from(suppress))
                .bind(user_id.to_owned())
                .bind(endpoint.to_owned())
                .execute(self.0.writer())
                .await?;
        Ok(done.rows_affected() > 0)
    }
}

fn read(row: &AnyRow) -> Result<PushSubscription, DbError> {
    Ok(PushSubscription {
        id: row.text("id")?,
        user_id: row.text("user_id")?,
        endpoint: row.text("endpoint")?,
        p256dh: row.text("p256dh")?,
        auth: row.text("auth")?,
        events: row.text("events")?,
        suppress_children: row.flag("suppress_children")?,
        created_at: row.int("created_at")?,
    })
}

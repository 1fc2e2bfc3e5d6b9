//! `/runners`: a user's runners, for pages.

use pizzapi_protocol::runners::{FromClient, RunnerRemoved, Runners};
use pizzapi_protocol::{FeedAuth, RawJson, Revised, Revision, RunnerId, RunnerInfo, UserId};
use socketioxide::socket::Sid;

use super::{Conn, log_store};
use crate::app::App;
use crate::inbox::{Arrived, Bounds};
use crate::store::{RunnerRecord, StoreError};

pub const BOUNDS: Bounds<FromClient> = Bounds { events: 256, bytes: 1024 * 1024, sheds: |_| false };

pub async fn run(app: App, mut conn: Conn<FromClient, FeedAuth>) {
    let (user, socket) = (conn.user.clone(), conn.out.id());
    app.live.runners.join(&user, conn.out.clone());
    send_list(&app, &user, socket).await;
    while let Some(arrived) = conn.mailbox.recv().await {
        if let Arrived::Event(FromClient::Refresh(_)) = arrived {
            send_list(&app, &user, socket).await;
        }
    }
    app.live.runners.leave(&user, socket);
}

async fn send_list(app: &App, user: &UserId, socket: Sid) {
    let body = |runners: &Vec<RunnerInfo>, revision: Revision| {
        RawJson::new(&Runners { runners: runners.clone(), revision: Some(revision) })
    };
    if let Err(error) = app.live.runners.snapshot(user, socket, "runners", || list(app, user), body).await {
        log_store(&error, "list runners");
    }
}

/// Runners of a user, also those that are away.
pub async fn list(app: &App, user: &UserId) -> Result<Vec<RunnerInfo>, StoreError> {
    let mut infos = Vec::new();
    for record in app.live.stores.runners.of_user(user).await? {
        infos.push(info(app, &record).await?);
    }
    match app.db.runners().list(user.as_str()).await {
        Ok(rows) => {
            let away: Vec<RunnerInfo> = rows
                .iter()
                .filter(|row| !infos.iter().any(|known| known.runner_id.as_str() == row.id))
                .filter_map(offline)
                .collect();
            infos.extend(away);
        }
        Err(error) => super::log_db(&error, "list runners"),
    }
    Ok(infos)
}

/// A runner that was not seen since the server started, as it described itself then.
fn offline(row: &crate::db::runners::RunnerRow) -> Option<RunnerInfo> {
    let mut info: RunnerInfo = serde_json::from_str(&row.info).ok()?;
    info.status = Some(pizzapi_protocol::RunnerStatus::Offline);
    info.last_seen_at = Some(crate::clock::iso(row.last_seen_at));
    info.session_count = 0;
    Some(info)
}

pub async fn info(app: &App, record: &RunnerRecord) -> Result<RunnerInfo, StoreError> {
    let sessions = app.live.stores.sessions.of_runner(&record.runner_id).await?;
    let own = sessions.iter().filter(|session| session.user_id == record.user_id).count();
    Ok(record.info(own as u32))
}

pub async fn added(app: &App, record: &RunnerRecord) {
    publish(app, record, "runner_added").await;
}

pub async fn updated(app: &App, record: &RunnerRecord) {
    publish(app, record, "runner_updated").await;
}

async fn publish(app: &App, record: &RunnerRecord, name: &'static str) {
    match info(app, record).await {
        Ok(info) => {
            app.live.runners.publish(&record.user_id, name, |revision| Revised { item: info, revision: Some(revision) })
        }
        Err(error) => log_store(&error, "describe a runner"),
    }
}

pub fn removed(app: &App, user: &UserId, runner: &RunnerId) {
    let runner_id = runner.clone();
    app.live.runners.publish(user, "runner_removed", |revision| RunnerRemoved { runner_id, revision: Some(revision) });
}

//! HTTP: what requests are asked for and how they are answered.

pub mod api_keys;
pub mod attachments;
pub mod auth;
pub mod callbacks;
pub mod envelope;
pub mod error;
pub mod extract;
pub mod health;
pub mod metrics;
pub mod mobile_link;
pub mod push;
pub mod roots;
pub mod runner_access;
pub mod runner_content;
pub mod runner_files;
pub mod runners;
pub mod sessions;
pub mod settings;
pub mod setup_claim;
pub mod static_ui;
pub mod trigger_rules;
pub mod triggers;
pub mod version;
pub mod webhooks;

use std::time::Duration;

use crate::app::App;

/// Forgotten limits, expired credentials and old rows are looked for this often.
const HOUSEKEEPING: Duration = Duration::from_secs(60 * 60);

/// Start periodic housekeeping.
pub(crate) fn start(app: &App) {
    let keeper = app.clone();
    app.tasks.every("housekeeping", HOUSEKEEPING, move || {
        let app = keeper.clone();
        async move {
            let now = app.clock.now_ms();
            app.auth.limits.sweep();
            let done = [
                app.db.credentials().purge(now).await,
                app.db.audit().purge(now).await,
                app.db.nonces().purge(now).await,
                app.db.mobile_links().purge(now).await,
                app.db.webhooks().purge(now).await,
                app.db.commands().purge(now).await.map(drop),
                app.db.decisions().purge(now).await.map(drop),
            ];
            for error in done.into_iter().filter_map(Result::err) {
                tracing::warn!(%error, "old rows were not removed; the next round tries again");
            }
        }
    });
}

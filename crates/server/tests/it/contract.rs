//! Every backend of the store keeps every promise.

use pizzapi_server::log::{LogOptions, Logs};
use pizzapi_server::store::{Stores, conformance};

async fn embedded() -> (tempfile::TempDir, Logs, Stores) {
    let dir = tempfile::tempdir().unwrap();
    let logs = Logs::open(LogOptions::new(dir.path())).unwrap();
    let stores = Stores::embedded(logs.clone()).await.unwrap();
    (dir, logs, stores)
}

macro_rules! promises {
    ($($name:ident),* $(,)?) => {$(
        #[tokio::test]
        async fn $name() {
            let (_dir, logs, stores) = embedded().await;
            conformance::$name(&stores).await.unwrap();
            logs.close().await;
        }
    )*};
}

promises!(
    a_newer_claim_fences_the_older_one,
    an_id_of_another_user_is_answered_with_a_fresh_one,
    an_ended_session_continues_its_log_in_a_new_life,
    versions_of_the_side_state_only_grow,
    a_cut_link_stays_cut,
    a_runner_link_waits_for_its_session,
    a_terminal_is_started_once,
    nobody_watching_is_not_unknown,
);

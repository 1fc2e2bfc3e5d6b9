//! The contract of the database, run on SQLite always and on PostgreSQL when `PIZZAPI_TEST_DATABASE_URL` is set.

use std::future::Future;

use pizzapi_server::db::commands::{Advanced, CommandState, Inserted, NewCommand, Step};
use pizzapi_server::db::decisions::{Answer, Decision, DecisionState, Ended};
use pizzapi_server::db::runners::Claim;
use pizzapi_server::db::sessions::{Registered, SessionFilter, StoredSnapshot};
use pizzapi_server::db::users::SignedUp;
use pizzapi_server::db::{Db, DbError};
use pretty_assertions::assert_eq;

/// Run `contract` on every database there is.
async fn on_each<F, Fut>(contract: F)
where
    F: Fn(Db) -> Fut,
    Fut: Future<Output = Result<(), DbError>>,
{
    let dir = tempfile::tempdir().unwrap();
    let db = Db::sqlite(&dir.path().join("data/pizzapi.db")).await.unwrap();
    contract(db.clone()).await.unwrap();
    db.close().await;
    if let Ok(url) = std::env::var("PIZZAPI_TEST_DATABASE_URL") {
        let db = Db::postgres(&url).await.unwrap();
        contract(db.clone()).await.unwrap();
        db.close().await;
    }
}

/// Ids nobody used before, so that contracts can share a database.
fn unique(name: &str) -> String {
    format!("{name}-{}", uuid::Uuid::new_v4())
}

fn command(session: &str, id: &str, deadline: Option<i64>) -> NewCommand {
    NewCommand {
        session_id: session.to_owned(),
        command_id: id.to_owned(),
        user_id: "ana".to_owned(),
        device: None,
        kind: "input".to_owned(),
        composed_at: Some((3, 41)),
        body: r#"{"text":"hi"}"#.to_owned(),
        created_at: 1_000,
        deadline,
    }
}

fn decision(session: &str, id: &str, user: &str) -> Decision {
    Decision {
        session_id: session.to_owned(),
        decision_id: id.to_owned(),
        user_id: user.to_owned(),
        epoch: 1,
        kind: "approval".to_owned(),
        title: "Run rm -r target?".to_owned(),
        detail: "{}".to_owned(),
        options: r#"["allow","deny"]"#.to_owned(),
        default_option: Some("deny".to_owned()),
        deadline: Some(5_000),
        created_at: 1_000,
        state: DecisionState::Open,
        answered_by: None,
        device: None,
        option: None,
        answer: None,
        ended_at: None,
    }
}

fn registered(id: &str, user: &str, life: &str, now: i64) -> Registered {
    Registered {
        id: id.to_owned(),
        user_id: user.to_owned(),
        user_name: Some("Ana".to_owned()),
        cwd: "/home/ana/src".to_owned(),
        share_url: format!("http://localhost/session/{id}"),
        name: None,
        is_ephemeral: true,
        runner: None,
        parent_session_id: None,
        life: life.to_owned(),
        epoch: 1,
        started_at: 1_000,
        now,
        expires_at: None,
    }
}

#[tokio::test]
async fn a_command_is_stored_once_and_only_moves_forward() {
    on_each(async |db| {
        let (session, commands) = (unique("s"), db.commands());
        let Inserted::New(first) = commands.insert(&command(&session, "c1", None)).await? else { panic!("not new") };
        assert_eq!((first.state, first.composed_at), (CommandState::Accepted, Some((3, 41))));
        assert_eq!(commands.insert(&command(&session, "c1", None)).await?, Inserted::Existing(first.clone()));

        let delivered = commands.advance(&session, "c1", &Step::to(CommandState::Delivered, 2_000)).await?;
        assert!(matches!(&delivered, Advanced::Changed(c) if c.state == CommandState::Delivered), "{delivered:?}");
        let again = commands.advance(&session, "c1", &Step::to(CommandState::Expired, 3_000)).await?;
        assert!(matches!(&again, Advanced::Unchanged(c) if c.state == CommandState::Delivered), "{again:?}");
        let done = Step { message: Some("done"), ..Step::to(CommandState::Consumed, 4_000) };
        assert!(matches!(commands.advance(&session, "c1", &done).await?, Advanced::Changed(_)));
        let late = commands.advance(&session, "c1", &Step::to(CommandState::Cancelled, 5_000)).await?;
        assert!(
            matches!(&late, Advanced::Unchanged(c) if c.state == CommandState::Consumed && c.state_at == 4_000),
            "{late:?}"
        );
        assert_eq!(commands.advance(&session, "c2", &Step::to(CommandState::Consumed, 1)).await?, Advanced::Missing);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn open_commands_keep_the_order_in_which_they_were_accepted() {
    on_each(async |db| {
        let (session, commands) = (unique("s"), db.commands());
        for id in ["c", "a", "b"] {
            commands.insert(&command(&session, id, None)).await?;
        }
        commands.advance(&session, "a", &Step::to(CommandState::Consumed, 2)).await?;
        let open: Vec<String> = commands.open(&session).await?.into_iter().map(|c| c.command_id).collect();
        assert_eq!(open, ["c", "b"]);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn only_undelivered_commands_expire() {
    on_each(async |db| {
        let (session, commands) = (unique("s"), db.commands());
        for (id, deadline) in
            [("late", Some(2_000)), ("delivered", Some(2_000)), ("early", Some(i64::MAX)), ("none", None)]
        {
            commands.insert(&command(&session, id, deadline)).await?;
        }
        commands.advance(&session, "delivered", &Step::to(CommandState::Delivered, 1_500)).await?;
        let expired: Vec<String> = commands
            .expire(2_000)
            .await?
            .into_iter()
            .filter(|c| c.session_id == session)
            .map(|c| c.command_id)
            .collect();
        assert_eq!(expired, ["late"]);
        assert_eq!(commands.open(&session).await?.len(), 3);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn of_two_racing_answers_one_wins_and_the_other_learns_who() {
    on_each(async |db| {
        let (session, user) = (unique("s"), unique("u"));
        assert!(db.decisions().insert(&decision(&session, "d", &user)).await?);
        assert!(!db.decisions().insert(&decision(&session, "d", &user)).await?);
        let answer =
            |by: &str| Answer { by: by.to_owned(), option: Some("allow".to_owned()), at: 2_000, ..Answer::default() };
        let (one, two) = (answer("one"), answer("two"));
        let decisions = db.decisions();
        let (first, second) =
            tokio::join!(decisions.answer(&session, "d", &one), decisions.answer(&session, "d", &two));
        let (Ended::Won(won), Ended::Lost(lost)) = (match first? {
            won @ Ended::Won(_) => (won, second?),
            lost => (second?, lost),
        }) else {
            panic!("one winner")
        };
        assert_eq!(won, lost);
        assert_eq!(decisions.open_of_user(&user).await?, []);
        assert_eq!(decisions.answer(&session, "none", &answer("x")).await?, Ended::Missing);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_expired_decision_takes_its_default() {
    on_each(async |db| {
        let (session, user) = (unique("s"), unique("u"));
        db.decisions().insert(&decision(&session, "d", &user)).await?;
        assert_eq!(db.decisions().open_of_user(&user).await?.len(), 1);
        let ended: Vec<Decision> =
            db.decisions().expire(5_000).await?.into_iter().filter(|d| d.session_id == session).collect();
        assert_eq!((ended[0].state, ended[0].option.as_deref()), (DecisionState::Expired, Some("deny")));
        let late =
            db.decisions().answer(&session, "d", &Answer { by: "ana".into(), at: 6_000, ..Answer::default() }).await?;
        assert!(matches!(late, Ended::Lost(d) if d.state == DecisionState::Expired));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_session_belongs_to_whoever_registered_it_first() {
    on_each(async |db| {
        let (id, sessions) = (unique("s"), db.sessions());
        assert!(sessions.register(&registered(&id, "ana", "one", 1_000)).await?.is_some());
        assert!(sessions.register(&registered(&id, "bo", "two", 2_000)).await?.is_none());
        assert_eq!(sessions.get(&id).await?.unwrap().life, "one");
        assert_eq!(sessions.of_user(&id, "bo").await?, None);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_late_end_of_an_older_life_changes_nothing() {
    on_each(async |db| {
        let (id, sessions) = (unique("s"), db.sessions());
        sessions.register(&registered(&id, "ana", "one", 1_000)).await?;
        sessions.register(&registered(&id, "ana", "two", 2_000)).await?;
        assert!(!sessions.end(&id, "one", 3_000).await?);
        sessions.touch(&id, "one", 9, None, 3_000, None).await?;
        let row = sessions.get(&id).await?.unwrap();
        assert_eq!((row.ended_at, row.head_seq, row.started_at), (None, 0, 1_000));
        assert!(sessions.end(&id, "two", 4_000).await?);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_name_the_owner_chose_outlives_what_the_agent_suggests() {
    on_each(async |db| {
        let (id, sessions) = (unique("s"), db.sessions());
        sessions.register(&registered(&id, "ana", "one", 1_000)).await?;
        sessions.suggest_name(&id, Some("suggested")).await?;
        assert_eq!(sessions.rename(&id, "ana", Some("mine")).await?.unwrap().name.as_deref(), Some("mine"));
        sessions.suggest_name(&id, Some("another")).await?;
        let again = sessions
            .register(&Registered { name: Some("third".into()), ..registered(&id, "ana", "two", 2_000) })
            .await?;
        assert_eq!(again.unwrap().name.as_deref(), Some("mine"));
        assert_eq!(sessions.rename(&id, "bo", Some("theirs")).await?, None);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn history_is_paged_filtered_and_pruned_but_pins_stay() {
    on_each(async |db| {
        let (user, sessions) = (unique("u"), db.sessions());
        let mut ids = Vec::new();
        for at in 1..=5 {
            let id = unique("s");
            sessions.register(&registered(&id, &user, "life", at * 1_000)).await?;
            sessions.end(&id, "life", at * 1_000).await?;
            ids.push(id);
        }
        ids.reverse();
        let page = |after, limit| SessionFilter { after, limit, ..SessionFilter::default() };
        let first = sessions.list(&user, &page(None, 2)).await?;
        let last = first.last().map(|row| (row.last_active_at, row.id.clone())).unwrap();
        let rest = sessions.list(&user, &page(Some((last.0, &last.1)), 10)).await?;
        assert_eq!(first.iter().chain(&rest).map(|row| row.id.clone()).collect::<Vec<_>>(), ids);
        let none = SessionFilter { text: Some("100%"), limit: 10, ..SessionFilter::default() };
        assert_eq!(sessions.list(&user, &none).await?, []);
        let found = SessionFilter { text: Some("ANA/SRC"), limit: 10, ..SessionFilter::default() };
        assert_eq!(sessions.list(&user, &found).await?.len(), 5);

        assert!(sessions.set_pinned(&ids[4], &user, true).await?);
        let day = std::time::Duration::from_secs(86_400);
        let gone = sessions.prune(6_000, day, 3).await?;
        assert_eq!(gone, [ids[3].clone()]);
        assert_eq!(sessions.pinned(&user).await?.len(), 1);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_older_snapshot_does_not_replace_a_newer_one() {
    on_each(async |db| {
        let (id, sessions) = (unique("s"), db.sessions());
        sessions.register(&registered(&id, "ana", "one", 1_000)).await?;
        let snapshot = |seq, text: &str| StoredSnapshot { epoch: 1, seq, at: 5, state: text.as_bytes().to_vec() };
        sessions.save_snapshot(&id, &snapshot(7, "new")).await?;
        sessions.save_snapshot(&id, &snapshot(3, "old")).await?;
        assert_eq!(sessions.snapshot(&id).await?, Some(snapshot(7, "new")));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_runner_is_its_user_and_its_secret_until_it_is_deleted() {
    on_each(async |db| {
        let (id, runners) = (unique("r"), db.runners());
        assert!(matches!(runners.claim(&id, "ana", "secret", 1).await?, Claim::New(_)));
        assert!(matches!(runners.claim(&id, "ana", "secret", 2).await?, Claim::Known(_)));
        assert_eq!(runners.claim(&id, "ana", "other", 3).await?, Claim::Refused);
        assert_eq!(runners.claim(&id, "bo", "secret", 3).await?, Claim::Refused);
        assert!(!runners.delete(&id, "bo").await?);
        assert!(runners.delete(&id, "ana").await?);
        assert!(matches!(runners.claim(&id, "bo", "other", 4).await?, Claim::New(_)));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn of_two_racing_first_users_one_gets_in() {
    // On a file of its own: other contracts do not need an empty table of accounts.
    let dir = tempfile::tempdir().unwrap();
    let db = Db::sqlite(&dir.path().join("pizzapi.db")).await.unwrap();
    let users = db.users();
    let (one, two) = tokio::join!(
        users.create("1", "Ana", "ana@example.org", "hash", true, 1),
        users.create("2", "Bo", "bo@example.org", "hash", true, 1)
    );
    let outcomes = [one.unwrap(), two.unwrap()];
    assert_eq!(outcomes.iter().filter(|o| matches!(o, SignedUp::Created(_))).count(), 1, "{outcomes:?}");
    assert_eq!(outcomes.iter().filter(|o| **o == SignedUp::Closed).count(), 1, "{outcomes:?}");
}

#[tokio::test]
async fn a_trigger_is_remembered_once_and_history_is_bounded() {
    on_each(async |db| {
        let (session, triggers) = (unique("s"), db.triggers());
        assert!(triggers.remember(&session, "t0", "{}", 1).await?);
        assert!(!triggers.remember(&session, "t0", "{}", 2).await?);
        for n in 1..=205 {
            triggers.remember(&session, &format!("t{n}"), &format!("{{\"n\":{n}}}"), n).await?;
        }
        let history = triggers.history(&session, 1000).await?;
        assert_eq!((history.len(), history[0].as_str()), (200, r#"{"n":205}"#));
        Ok(())
    })
    .await;
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_on_the_machine_can_read_the_database() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data/pizzapi.db");
    let db = Db::sqlite(&path).await.unwrap();
    db.users().create("1", "Ana", "ana@example.org", "hash", true, 1).await.unwrap();
    for entry in std::fs::read_dir(path.parent().unwrap()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", entry.path().display());
    }
    assert_eq!(std::fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pizzapi.db");
    Db::sqlite(&path).await.unwrap().close().await;
    let url = format!("sqlite:{}", path.display());
    let pool = sqlx::AnyPool::connect(&url).await.unwrap();
    sqlx::query("INSERT INTO schema_migration (version, name, applied_at) VALUES (9999, 'future', '')")
        .execute(&pool)
        .await
        .unwrap();
    pool.close().await;
    let error = Db::sqlite(&path).await.unwrap_err();
    assert!(matches!(error, DbError::Newer { found: 9999, .. }), "{error}");
}

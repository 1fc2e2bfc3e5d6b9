use pizzapi_agent::{Accepted, CommandState, Delivery, Journaled, OpError, Prompt, SessionQuery, SessionStart};
use pizzapi_testkit::model::{Reply, Step};
use pretty_assertions::assert_eq;

use crate::bench::{Bench, Session, spoken};

#[tokio::test]
async fn a_session_goes_on_where_it_was_left() {
    let bench = Bench::new().await;
    bench.model.push(Reply::text("one"));
    let mut session = bench.session().await;
    session.run("first").await;
    let usage = session.agent.snapshot().usage;
    session.agent.shutdown().await;
    let mut config = bench.config();
    config.start = SessionStart::Continue;
    config.session_name = None;
    config.model = None;
    bench.model.push(Reply::text("two"));
    let mut again = Session::start(config).await;
    let state = again.agent.snapshot();
    assert_eq!((state.usage, state.session_name.as_deref()), (usage, Some("test")));
    assert_eq!(state.model.map(|m| m.provider).as_deref(), Some("anthro"));
    again.run("second").await;
    assert_eq!(spoken(&again.agent.messages()), ["user: first", "assistant: one", "user: second", "assistant: two"]);
}

#[tokio::test]
async fn a_repeated_command_is_answered_and_not_executed_also_after_a_restart() {
    let bench = Bench::new().await;
    bench.model.push(Reply::text("once"));
    let mut session = bench.session().await;
    let prompt = || Prompt::text("do it").command("c-1");
    assert_eq!(session.agent.prompt(prompt()).await.unwrap(), Accepted::Started);
    session.settled().await;
    assert_eq!(session.agent.prompt(prompt()).await.unwrap(), Accepted::Repeated(CommandState::Consumed));
    assert_eq!(session.agent.journal_command("exec-1", CommandState::Consumed).await, Journaled::New);
    // The conversation changes; the commands stay known.
    session.agent.new_session().await.unwrap();
    assert_eq!(session.agent.prompt(prompt()).await.unwrap(), Accepted::Repeated(CommandState::Consumed));
    let file = session.agent.snapshot().session_file.unwrap();
    drop(session);
    let mut config = bench.config();
    config.start = SessionStart::Open(file.to_string_lossy().into_owned());
    let again = Session::start(config).await;
    assert_eq!(again.agent.command_state("c-1"), Some(CommandState::Consumed));
    assert_eq!(
        again.agent.journal_command("exec-1", CommandState::Delivered).await,
        Journaled::Repeated(CommandState::Consumed)
    );
    assert_eq!(bench.model.received().len(), 1);
}

#[tokio::test]
async fn a_prompt_that_was_accepted_but_not_read_before_a_crash_is_not_lost() {
    let bench = Bench::new().await;
    bench.model.push(Reply::steps([Step::Text("…".into()), Step::Wait("never".into())]));
    let mut session = bench.session().await;
    session.say("begin").await;
    session.until_event("message_update").await;
    let queued = Prompt::text("remember me").command("c-2").delivered(Delivery::FollowUp);
    assert_eq!(session.agent.prompt(queued).await.unwrap(), Accepted::Queued);
    let file = session.agent.snapshot().session_file.unwrap();
    // A crash: nothing is shut down. Another process opens the file.
    let mut config = bench.config();
    config.start = SessionStart::Open(file.to_string_lossy().into_owned());
    bench.model.push(Reply::text("a")).push(Reply::text("b"));
    let mut again = Session::start(config).await;
    let state = again.agent.snapshot();
    assert_eq!((state.queued, state.queue_held), (vec!["remember me".to_owned()], true));
    assert_eq!(again.agent.command_state("c-2"), Some(CommandState::Delivered));
    again.run("go on").await;
    assert_eq!(again.agent.command_state("c-2"), Some(CommandState::Consumed));
    assert!(spoken(&again.agent.messages()).contains(&"user: remember me".to_owned()));
    session.agent.shutdown().await;
}

#[tokio::test]
async fn a_queued_command_can_be_withdrawn_and_an_empty_one_is_refused() {
    let bench = Bench::new().await;
    bench.model.push(Reply::steps([Step::Text("…".into()), Step::Wait("gate".into())]));
    let mut session = bench.session().await;
    session.say("begin").await;
    session.until_event("message_update").await;
    session.agent.prompt(Prompt::text("x").command("c-3").delivered(Delivery::FollowUp)).await.unwrap();
    assert!(session.agent.cancel_command("c-3").await);
    assert_eq!(session.agent.command_state("c-3"), Some(CommandState::Cancelled));
    assert!(!session.agent.cancel_command("c-3").await);
    let refused = session.agent.prompt(Prompt::text("  ").command("c-4")).await;
    assert!(matches!(refused, Err(OpError::EmptyPrompt)));
    assert!(matches!(session.agent.command_state("c-4"), Some(CommandState::Rejected { .. })));
    bench.model.open("gate");
    session.settled().await;
    assert_eq!(bench.model.received().len(), 1);
}

#[tokio::test]
async fn fork_new_and_resume_keep_each_conversation_whole() {
    let bench = Bench::new().await;
    bench.model.push(Reply::text("one")).push(Reply::text("two"));
    let mut session = bench.session().await;
    session.run("first").await;
    session.run("second").await;
    let original = session.agent.snapshot().session_file.unwrap();
    let points = session.agent.fork_messages();
    assert_eq!(points.iter().map(|p| p.text.as_str()).collect::<Vec<_>>(), ["first", "second"]);
    assert_eq!(session.agent.fork(&points[1].entry_id).await.unwrap(), "second");
    assert_eq!(spoken(&session.agent.messages()), ["user: first", "assistant: one"]);
    session.agent.new_session().await.unwrap();
    assert!(session.agent.messages().is_empty());
    let page = session.agent.list_sessions(SessionQuery { limit: Some(1), ..SessionQuery::default() }).await;
    assert_eq!(page.sessions.len(), 1);
    assert!(page.next_cursor.is_some());
    let found = session.agent.resume(&original.to_string_lossy()).await.unwrap();
    assert_eq!(found.first_message, "first");
    assert_eq!(session.agent.messages().len(), 4);
    assert!(matches!(session.agent.resume("no such words").await, Err(OpError::NoSession(_))));
}

#[tokio::test]
async fn a_session_of_another_folder_goes_on_in_that_folder() {
    let bench = Bench::new().await;
    bench.model.push(Reply::text("one"));
    let mut session = bench.session().await;
    session.run("first").await;
    let file = session.agent.snapshot().session_file.unwrap();
    session.agent.shutdown().await;
    std::fs::write(bench.cwd().join("AGENTS.md"), "notes of the first folder").unwrap();
    let mut config = bench.config();
    config.cwd = bench.home();
    let mut other = Session::start(config).await;
    other.agent.resume(&file.to_string_lossy()).await.unwrap();
    assert_eq!(other.agent.snapshot().cwd, bench.cwd());
    bench
        .model
        .push(Reply::tool("write", serde_json::json!({ "path": "here.txt", "content": "x" })))
        .push(Reply::text("two"));
    other.run("second").await;
    assert!(bench.cwd().join("here.txt").exists());
    assert!(bench.bodies().pop().unwrap()["system"].to_string().contains("notes of the first folder"));
    // A folder that is gone is said, not ignored.
    std::fs::remove_dir_all(bench.cwd()).unwrap();
    other.agent.new_session().await.unwrap();
    assert!(matches!(other.agent.resume(&file.to_string_lossy()).await, Err(OpError::MissingDirectory(_))));
}

#[tokio::test]
async fn a_long_session_stays_quick() {
    let bench = Bench::new().await;
    bench.model.push(Reply::text("one"));
    let mut session = bench.session().await;
    session.run("first").await;
    let file = session.agent.snapshot().session_file.unwrap();
    session.agent.shutdown().await;
    let mut text = std::fs::read_to_string(&file).unwrap();
    let mut parent = text.lines().last().unwrap().split("\"id\":\"").nth(1).unwrap()[..8].to_owned();
    for n in 0..5000 {
        let id = format!("{n:08x}");
        let words = "word ".repeat(400);
        text.push_str(&format!(
            r#"{{"type":"message","id":"{id}","parentId":"{parent}","timestamp":"2026-01-01T00:00:00.000Z","message":{{"role":"user","content":"{words}","timestamp":{n}}}}}"#
        ));
        text.push('\n');
        parent = id;
    }
    std::fs::write(&file, text).unwrap();
    let mut config = bench.config();
    config.start = SessionStart::Open(file.to_string_lossy().into_owned());
    let began = std::time::Instant::now();
    let session = Session::start(config).await;
    let opened = began.elapsed();
    let began = std::time::Instant::now();
    for _ in 0..20 {
        session.agent.snapshot();
    }
    let snapshot = began.elapsed() / 20;
    assert_eq!(session.agent.messages().len(), 5002);
    assert!(opened.as_secs() < 20 && snapshot.as_millis() < 500, "{opened:?} {snapshot:?}");
}

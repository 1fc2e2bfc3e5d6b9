use pizzapi_agent::{Answer, AnswerError, ApprovalChoice, DecisionKind, Host, Local, Output, PlanAction};
use pizzapi_protocol::{AgentEvent, MetaEvent};
use pizzapi_testkit::model::Reply;
use pretty_assertions::assert_eq;
use serde_json::json;

use crate::bench::{Bench, Session, events, spoken};

async fn raised(session: &mut Session) -> pizzapi_agent::Decision {
    let seen = session.until("a decision", |output| matches!(output, Output::Local(Local::DecisionRaised(_)))).await;
    match seen.into_iter().last() {
        Some(Output::Local(Local::DecisionRaised(decision))) => decision,
        _ => unreachable!("the last output is the awaited one"),
    }
}

fn outside() -> Reply {
    Reply::tool("bash", json!({ "command": "echo x > ../outside.txt", "title": "write outside" }))
}

#[tokio::test]
async fn writing_outside_waits_for_a_person_and_a_refusal_is_an_error_result() {
    let bench = Bench::new().await;
    bench.model.push(outside()).push(Reply::text("understood"));
    // The folder of the test lies in the temporary directory, which is allowed, and so may this checkout; a home directory is not.
    let mut config = bench.config();
    config.env.insert("TMPDIR".into(), "/nowhere".into());
    let home = tempfile::tempdir_in(std::env::home_dir().unwrap()).unwrap();
    config.cwd = home.path().join("project");
    std::fs::create_dir_all(&config.cwd).unwrap();
    let mut session = Session::start(config).await;
    session.say("go").await;
    let decision = raised(&mut session).await;
    let DecisionKind::Approval(approval) = &decision.kind else { panic!("an approval") };
    assert_eq!(approval.subject, "echo x > ../outside.txt");
    assert_eq!(session.agent.snapshot().decisions, std::slice::from_ref(&decision));
    session.agent.answer(&decision.id, Answer::Approval(ApprovalChoice::Deny), Some("ana".into())).await.unwrap();
    assert_eq!(
        session.agent.answer(&decision.id, Answer::Approval(ApprovalChoice::AllowOnce), None).await,
        Err(AnswerError::AlreadyEnded(Some("ana".into())))
    );
    let (seen, _) = session.settled().await;
    assert!(spoken(&session.agent.messages())[2].contains("did not allow"));
    assert!(!home.path().join("outside.txt").exists());
    assert!(events(&seen).iter().any(|e| matches!(e, AgentEvent::Meta(MetaEvent::ApprovalCleared(_)))));
    // Allowed once, it runs; asked again it waits again.
    bench.model.push(outside()).push(Reply::text("done"));
    session.say("again").await;
    let decision = raised(&mut session).await;
    assert!(session.agent.offer_text(&format!(r#"{{"action":"approve","promptId":"{}"}}"#, decision.id), None).await);
    session.settled().await;
    assert!(home.path().join("outside.txt").exists());
}

#[tokio::test]
async fn always_writes_a_rule_that_holds_for_the_next_session() {
    let bench = Bench::new().await;
    let fetch = || Reply::tool("bash", json!({ "command": "git fetch nowhere || true", "title": "fetch" }));
    bench.model.push(fetch()).push(Reply::text("ok"));
    let mut session = bench.session().await;
    session.say("go").await;
    let decision = raised(&mut session).await;
    session.agent.answer(&decision.id, Answer::Approval(ApprovalChoice::AllowAlways), None).await.unwrap();
    session.settled().await;
    session.agent.shutdown().await;
    bench.model.push(Reply::tool("bash", json!({ "command": "git fetch", "title": "fetch" }))).push(Reply::text("ok"));
    let mut next = bench.session().await;
    let settings = std::fs::read_to_string(bench.home().join("settings.json")).unwrap();
    assert!(settings.contains("bash(git fetch *)"), "{settings}");
    next.run("go").await;
    assert!(next.agent.snapshot().decisions.is_empty());
}

#[tokio::test]
async fn nobody_to_ask_means_no_and_yolo_means_yes() {
    for (yolo, host, allowed) in [(false, Host::Print, false), (true, Host::Headless, true)] {
        let bench = Bench::new().await;
        bench.model.push(Reply::tool("bash", json!({ "command": "curl --version | head -1", "title": "curl" })));
        bench.model.push(Reply::text("ok"));
        let mut config = bench.config();
        config.yolo = yolo;
        config.host = host;
        let mut session = Session::start(config).await;
        session.run("go").await;
        assert_eq!(!spoken(&session.agent.messages())[2].contains("Denied"), allowed);
    }
}

#[tokio::test]
async fn a_question_waits_and_any_remote_text_answers_it() {
    let bench = Bench::new().await;
    let ask =
        || Reply::tool("AskUserQuestion", json!({ "questions": [{ "question": "Which?", "options": ["a", "b"] }] }));
    bench.model.push(ask()).push(Reply::text("thanks"));
    let mut session = bench.session().await;
    session.say("go").await;
    let decision = raised(&mut session).await;
    assert_eq!((decision.kind_word(), decision.options()), ("question", vec!["a".to_owned(), "b".to_owned()]));
    assert!(session.agent.offer_text(" ", None).await, "blank text is swallowed");
    assert!(session.agent.offer_text("b, please", None).await);
    session.settled().await;
    assert_eq!(spoken(&session.agent.messages())[2], "toolResult: User answered: b, please");
    assert!(!session.agent.offer_text("nobody asked", None).await);
    // An abort withdraws it.
    bench.model.push(ask());
    session.say("again").await;
    raised(&mut session).await;
    session.agent.abort().await;
    session.settled().await;
    assert!(session.agent.decisions().is_empty());
}

#[tokio::test]
async fn plan_mode_blocks_changes_and_an_approved_plan_cuts_the_past_for_good() {
    let bench = Bench::new().await;
    bench.model.push(Reply::tool("write", json!({ "path": "x", "content": "y" })));
    bench.model.push(Reply::tool("plan_mode", json!({ "title": "The plan", "steps": [{ "title": "first" }] })));
    bench.model.push(Reply::text("beginning"));
    let mut session = bench.session().await;
    session.agent.set_plan_mode(Some(true)).await;
    session.say("secret detail of the past").await;
    let decision = raised(&mut session).await;
    assert!(matches!(decision.kind, DecisionKind::Plan(_)));
    assert!(!bench.cwd().join("x").exists());
    session.agent.answer(&decision.id, Answer::Plan { action: PlanAction::Execute, edit: None }, None).await.unwrap();
    session.settled().await;
    assert!(!session.agent.snapshot().plan_mode);
    let last = bench.bodies().pop().unwrap().to_string();
    assert!(last.contains("The plan") && !last.contains("secret detail"), "{last}");
    // Also in the next run and after a restart.
    bench.model.push(Reply::text("still"));
    session.run("go on").await;
    assert!(!bench.bodies().pop().unwrap().to_string().contains("secret detail"));
}

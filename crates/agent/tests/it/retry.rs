use pizzapi_agent::{Local, Outcome, Output};
use pizzapi_testkit::model::{Reply, Step};
use pretty_assertions::assert_eq;
use serde_json::json;

use crate::bench::{Bench, durable, spoken};

fn retries(seen: &[Output]) -> Vec<String> {
    seen.iter()
        .filter_map(|output| match output {
            Output::Local(Local::RetryStart { attempt, max_attempts, .. }) => {
                Some(format!("start {attempt}/{max_attempts}"))
            }
            Output::Local(Local::RetryEnd { success, attempt, .. }) => Some(format!("end {attempt} {success}")),
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn a_passing_failure_is_tried_again_and_leaves_the_context() {
    let bench = Bench::new().await;
    bench.model.push(Reply::failure(529, "Overloaded"));
    bench.model.push(Reply::steps([Step::Text("half".into()), Step::Cut]));
    bench.model.push(Reply::text("whole"));
    let mut session = bench.session().await;
    let (seen, outcome) = session.run("go").await;
    assert_eq!(outcome, Outcome::Completed);
    assert_eq!(retries(&seen), ["start 1/3", "start 2/3", "end 2 true"]);
    assert_eq!(durable(&seen).iter().filter(|name| *name == "agent_end").count(), 3);
    assert_eq!(spoken(&session.agent.messages()), ["user: go", "assistant: whole"]);
    assert_eq!(bench.bodies()[2]["messages"].as_array().map(Vec::len), Some(1), "nothing of the failures is sent");
    assert_eq!(session.agent.entries().iter().filter(|e| e.line().contains("\"role\":\"assistant\"")).count(), 3);
}

#[tokio::test]
async fn the_attempts_end_and_the_error_is_told() {
    let bench = Bench::new().await;
    for _ in 0..4 {
        bench.model.push(Reply::failure(500, "internal"));
    }
    let mut session = bench.session().await;
    let (seen, outcome) = session.run("go").await;
    assert!(matches!(outcome, Outcome::Failed(text) if text.contains("internal")));
    assert_eq!(retries(&seen), ["start 1/3", "start 2/3", "start 3/3", "end 3 false"]);
    assert_eq!(session.agent.snapshot().last_error.is_some(), true);
}

#[tokio::test]
async fn a_wrong_key_a_spent_quota_and_too_long_a_wait_are_not_tried_again() {
    for reply in [
        Reply::failure(401, "invalid x-api-key"),
        Reply::failure(429, "You exceeded your current quota, please check your plan and billing"),
        Reply { retry_after: Some(3600), ..Reply::failure(429, "slow down") },
    ] {
        let bench = Bench::new().await;
        bench.model.push(reply);
        let mut session = bench.session().await;
        let (seen, outcome) = session.run("go").await;
        assert!(matches!(outcome, Outcome::Failed(_)));
        assert!(retries(&seen).is_empty());
        assert_eq!(bench.model.received().len(), 1);
    }
}

#[tokio::test]
async fn an_abort_ends_the_wait_for_the_next_attempt() {
    let bench = Bench::new().await;
    bench.settings(json!({ "retry": { "baseDelayMs": 60_000 } }));
    bench.model.push(Reply::failure(503, "unavailable"));
    let mut session = bench.session().await;
    session.say("go").await;
    session.until("a retry", |output| matches!(output, Output::Local(Local::RetryStart { .. }))).await;
    assert!(session.agent.snapshot().retry.is_some());
    session.agent.abort().await;
    let (_, outcome) = session.settled().await;
    assert_eq!(outcome, Outcome::Aborted);
}

#[tokio::test]
async fn another_model_takes_over_when_the_first_is_used_up() {
    let bench = Bench::new().await;
    bench.settings(json!({ "fallbackModels": ["anthro:m", "chat:m"] }));
    bench.model.push(Reply::failure(429, "usage limit reached for this month"));
    bench.model.push(Reply::text("from the other"));
    let mut session = bench.session().await;
    let (_, outcome) = session.run("go").await;
    assert_eq!(outcome, Outcome::Completed);
    assert_eq!(session.agent.snapshot().model.unwrap().provider, "chat");
    assert_eq!(session.agent.last_assistant_text().as_deref(), Some("from the other"));
}

#[tokio::test]
async fn a_provider_that_falls_silent_counts_as_dead() {
    let bench = Bench::new().await;
    bench.settings(json!({ "httpIdleTimeoutMs": 100 }));
    bench.model.push(Reply::steps([Step::Text("half".into()), Step::Wait("never".into())])).push(Reply::text("whole"));
    let mut session = bench.session().await;
    let (seen, outcome) = session.run("go").await;
    assert_eq!((retries(&seen).len(), outcome), (2, Outcome::Completed));
    assert_eq!(session.agent.last_assistant_text().as_deref(), Some("whole"));
}

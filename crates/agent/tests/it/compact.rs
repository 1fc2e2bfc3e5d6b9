use pizzapi_agent::{CompactionReason, Local, Outcome, Output};
use pizzapi_testkit::model::{Reply, Step, Tokens};
use pretty_assertions::assert_eq;
use serde_json::json;

use crate::bench::{Bench, spoken};

fn reasons(seen: &[Output]) -> Vec<CompactionReason> {
    seen.iter()
        .filter_map(|output| match output {
            Output::Local(Local::CompactionStart { reason }) => Some(*reason),
            _ => None,
        })
        .collect()
}

async fn bench() -> Bench {
    let bench = Bench::new().await;
    bench.settings(json!({ "compaction": { "keepRecentTokens": 20, "reserveTokens": 1000 } }));
    bench
}

#[tokio::test]
async fn a_long_conversation_is_summarised_and_goes_on_with_the_summary() {
    let bench = bench().await;
    let large = Reply { usage: Tokens { input: 99_500, output: 10 }, ..Reply::text("a long answer ".repeat(20)) };
    bench.model.push(large).push(Reply::text("## Goal\nthe summary")).push(Reply::text("next"));
    let mut session = bench.session().await;
    let (seen, outcome) = session.run(&"many words ".repeat(20)).await;
    assert_eq!((reasons(&seen), outcome), (vec![CompactionReason::Threshold], Outcome::Completed));
    assert_eq!(session.agent.snapshot().context.tokens, None, "unknown until the next answer");
    session.run("go on").await;
    let last = bench.bodies().pop().unwrap().to_string();
    assert!(last.contains("the summary") && !last.contains("many words"), "{last}");
    assert_eq!(session.agent.messages()[0].role(), "compactionSummary");
    assert!(session.agent.snapshot().context.tokens.is_some());
}

#[tokio::test]
async fn an_overflow_makes_room_and_tries_once_more() {
    let bench = bench().await;
    bench.model.push(Reply::text("one ".repeat(50)));
    bench.model.push(Reply::failure(400, "prompt is too long: 210000 tokens > 200000 maximum"));
    bench.model.push(Reply::text("## Goal\nshort")).push(Reply::text("fits now"));
    let mut session = bench.session().await;
    session.run("first").await;
    let (seen, outcome) = session.run("second").await;
    assert_eq!((reasons(&seen), outcome), (vec![CompactionReason::Overflow], Outcome::Completed));
    assert_eq!(session.agent.last_assistant_text().as_deref(), Some("fits now"));
    assert!(spoken(&session.agent.messages()).contains(&"user: second".to_owned()));
    // Twice in a row is an error.
    bench.model.push(Reply::failure(400, "prompt is too long"));
    bench.model.push(Reply::text("## Goal\nshorter")).push(Reply::failure(400, "prompt is too long"));
    let (_, outcome) = session.run("third").await;
    assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
}

#[tokio::test]
async fn by_hand_it_stops_the_run_takes_a_focus_and_refuses_to_do_nothing() {
    let bench = bench().await;
    let mut session = bench.session().await;
    assert_eq!(session.agent.compact(None).await.unwrap_err().to_string(), "Nothing to compact");
    bench.model.push(Reply::text("one ".repeat(50)));
    session.run("first").await;
    bench.model.push(Reply::steps([Step::Text("…".into()), Step::Wait("never".into())]));
    session.say("second").await;
    session.until_event("message_update").await;
    bench.model.push(Reply::text("## Goal\nby hand"));
    let result = session.agent.compact(Some("the tests".into())).await.unwrap();
    assert!(result.summary.contains("by hand"));
    assert!(bench.bodies().pop().unwrap().to_string().contains("the tests"));
    assert_eq!(session.agent.compact(None).await.unwrap_err().to_string(), "Already compacted");
    assert!(session.agent.is_idle());
}

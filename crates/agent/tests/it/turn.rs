use pizzapi_agent::{Accepted, Delivery, Local, Outcome, Output, Prompt};
use pizzapi_protocol::{AgentEvent, AssistantMessageEvent, Message};
use pizzapi_testkit::model::{Reply, Step};
use pretty_assertions::assert_eq;
use serde_json::json;

use crate::bench::{Bench, Session, durable, events, spoken, write};

fn ls() -> Step {
    Step::Tool { name: "ls".into(), args: json!({ "path": "." }) }
}

#[tokio::test]
async fn a_run_with_a_tool_has_the_same_order_with_every_provider() {
    for model in ["anthro/m:medium", "chat/m:medium", "resp/m:medium"] {
        let bench = Bench::new().await;
        write(&bench.cwd(), "a.txt", "hi");
        bench.model.push(Reply::steps([Step::Thinking("let me see".into()), Step::Text("Looking.".into()), ls()]));
        bench.model.push(Reply::text("There is a.txt."));
        let mut config = bench.config();
        config.model = Some(model.into());
        let mut session = Session::start(config).await;
        let (seen, outcome) = session.run("what is here?").await;
        assert_eq!(outcome, Outcome::Completed, "{model}");
        assert_eq!(
            durable(&seen),
            [
                "agent_start",
                "turn_start",
                "message_start",
                "message_end",
                "message_start",
                "message_end",
                "tool_execution_start",
                "tool_execution_end",
                "message_start",
                "message_end",
                "turn_end",
                "turn_start",
                "message_start",
                "message_end",
                "turn_end",
                "agent_end",
            ],
            "{model}"
        );
        assert_eq!(
            spoken(&session.agent.messages()),
            ["user: what is here?", "assistant: Looking.", "toolResult: a.txt", "assistant: There is a.txt."],
            "{model}"
        );
        // The second request carries thinking, call and result back in the provider's own words.
        let body = bench.bodies()[1].to_string();
        assert!(body.contains("a.txt") && body.contains("let me see"), "{model}: {body}");
        let usage = session.agent.snapshot().usage;
        assert_eq!((usage.input, usage.output), (240, 80), "{model}");
    }
}

#[tokio::test]
async fn updates_grow_and_ids_and_times_stay_the_same_from_start_to_end() {
    let bench = Bench::new().await;
    bench.model.push(Reply::steps([Step::Thinking("one two three".into()), Step::Text("four five six seven".into())]));
    let mut session = bench.session().await;
    let (seen, _) = session.run("go").await;
    let mut deltas = String::new();
    let mut identity = None;
    for event in events(&seen) {
        let message = match event {
            AgentEvent::MessageUpdate(update) => {
                if let AssistantMessageEvent::TextDelta(delta) = &update.assistant_message_event {
                    deltas.push_str(&delta.delta);
                    assert!(update.message.text().ends_with(&delta.delta));
                }
                &update.message
            }
            AgentEvent::MessageStart(event) | AgentEvent::MessageEnd(event) => &event.message,
            _ => continue,
        };
        if let Message::Assistant(message) = message {
            let now = (message.id.clone(), message.timestamp);
            assert_eq!(*identity.get_or_insert_with(|| now.clone()), now);
        }
    }
    assert_eq!(deltas, "four five six seven");
    let Some(Message::Assistant(last)) = session.agent.messages().pop() else { panic!("an answer") };
    assert_eq!(identity, Some((last.id.clone(), last.timestamp)));
}

#[tokio::test]
async fn tools_run_side_by_side_and_their_results_keep_the_order_of_the_calls() {
    let bench = Bench::new().await;
    let wait = |name: &str, other: &str| Step::Tool {
        name: "bash".into(),
        // Each waits for the other: only side by side can both end.
        args: json!({ "title": name, "command": format!("touch {name}; i=0; while [ ! -e {other} ] && [ $i -lt 200 ]; do sleep 0.02; i=$((i+1)); done; [ {name} = a ] && sleep 0.2; echo {name}") }),
    };
    bench.model.push(Reply::steps([wait("a", "b"), wait("b", "a")])).push(Reply::text("done"));
    let mut session = bench.session().await;
    let (seen, _) = session.run("go").await;
    let ends: Vec<String> = events(&seen)
        .into_iter()
        .filter_map(|event| match event {
            AgentEvent::ToolExecutionEnd(end) => Some(end.tool_call_id.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(ends, ["call_0002", "call_0001"], "the quicker one ends first");
    assert_eq!(spoken(&session.agent.messages())[2..4], ["toolResult: a\n", "toolResult: b\n"]);
}

#[tokio::test]
async fn steering_comes_before_the_next_request_and_a_follow_up_at_the_end() {
    let bench = Bench::new().await;
    bench.model.push(Reply::steps([Step::Wait("gate".into()), ls()]));
    bench.model.push(Reply::text("after steering")).push(Reply::text("after follow-up"));
    let mut session = bench.session().await;
    session.say("begin").await;
    session
        .until("an answer", |output| {
            matches!(output, Output::Event(event)
        if matches!(&**event, AgentEvent::MessageStart(start) if start.message.role() == "assistant"))
        })
        .await;
    let later = |text: &str, delivery| session.agent.prompt(Prompt::text(text).delivered(delivery));
    assert_eq!(later("later", Delivery::FollowUp).await.unwrap(), Accepted::Queued);
    assert_eq!(later("now", Delivery::Auto).await.unwrap(), Accepted::Queued);
    assert_eq!(session.agent.snapshot().queued, ["now", "later"]);
    bench.model.open("gate");
    session.settled().await;
    assert_eq!(
        spoken(&session.agent.messages()),
        [
            "user: begin",
            "assistant: ",
            "toolResult: (empty directory)",
            "user: now",
            "assistant: after steering",
            "user: later",
            "assistant: after follow-up",
        ]
    );
    assert!(session.agent.snapshot().queued.is_empty());
}

#[tokio::test]
async fn calls_that_cannot_run_become_error_results_and_the_run_goes_on() {
    let bench = Bench::new().await;
    bench.model.push(Reply::steps([
        Step::Tool { name: "fly".into(), args: json!({}) },
        Step::Tool { name: "read".into(), args: json!({}) },
        Step::Tool { name: "read".into(), args: json!({ "path": "missing.txt" }) },
    ]));
    bench.model.push(Reply::text("sorry"));
    let mut session = bench.session().await;
    let (_, outcome) = session.run("go").await;
    assert_eq!(outcome, Outcome::Completed);
    let results: Vec<String> = session
        .agent
        .messages()
        .into_iter()
        .filter_map(|message| match &message {
            Message::ToolResult(result) if result.is_error => Some(message.text()),
            _ => None,
        })
        .collect();
    assert_eq!(results.len(), 3, "{results:?}");
    assert!(results[0].contains("no tool `fly`") && results[1].contains("`path` is required"), "{results:?}");
}

#[tokio::test]
async fn an_abort_keeps_what_came_and_holds_the_queue_until_the_next_input() {
    let bench = Bench::new().await;
    bench.model.push(Reply::steps([
        Step::Text("half an answer".into()),
        Step::Wait("never".into()),
        Step::Text("!".into()),
    ]));
    let mut session = bench.session().await;
    session.say("begin").await;
    session.until_event("message_update").await;
    session.agent.prompt(Prompt::text("queued").delivered(Delivery::FollowUp)).await.unwrap();
    // The stream may not have brought all of the first half yet.
    session.agent.state().wait_for(|state| state.active).await.unwrap();
    assert!(session.agent.abort().await);
    let (_, outcome) = session.settled().await;
    assert_eq!(outcome, Outcome::Aborted);
    let state = session.agent.snapshot();
    assert!(state.queue_held && state.queued == ["queued"] && !state.active);
    let Some(Message::Assistant(partial)) = session.agent.messages().pop() else { panic!("a partial answer") };
    assert_eq!(partial.stop_reason.as_str(), "aborted");
    bench.model.push(Reply::text("one")).push(Reply::text("two"));
    session.run("go on").await;
    let spoken = spoken(&session.agent.messages());
    assert_eq!(spoken[spoken.len() - 4..], ["user: go on", "assistant: one", "user: queued", "assistant: two"]);
}

#[tokio::test]
async fn an_abort_stops_a_running_command() {
    let bench = Bench::new().await;
    bench.model.push(Reply::tool("bash", json!({ "command": "echo started; sleep 60", "title": "wait" })));
    let mut session = bench.session().await;
    session.say("go").await;
    session.until_event("tool_execution_update").await;
    let before = std::time::Instant::now();
    session.agent.abort().await;
    let (_, outcome) = session.settled().await;
    assert_eq!(outcome, Outcome::Aborted);
    assert!(before.elapsed().as_secs() < 10);
    assert!(spoken(&session.agent.messages()).last().unwrap().starts_with("toolResult: started"));
    assert_eq!(bench.model.received().len(), 1, "nothing is asked after an abort");
}

#[tokio::test]
async fn settled_comes_exactly_once_and_last() {
    let bench = Bench::new().await;
    bench.model.push(Reply::text("hi"));
    let mut session = bench.session().await;
    session.run("hello").await;
    session.agent.shutdown().await;
    let mut settled = 0;
    while let Some(output) = session.outputs.recv().await {
        settled += usize::from(matches!(output, Output::Local(Local::Settled(_))));
    }
    assert_eq!(settled, 0);
}

#[tokio::test]
async fn todos_and_the_name_are_state_that_everybody_sees() {
    let bench = Bench::new().await;
    bench.model.push(Reply::steps([
        Step::Tool { name: "set_session_name".into(), args: json!({ "name": "  Fix   the tests " }) },
        Step::Tool {
            name: "update_todo".into(),
            args: json!({ "todos": [{ "id": 1, "text": "look", "status": "in_progress" }] }),
        },
    ]));
    bench.model.push(Reply::text("ok"));
    let mut config = bench.config();
    config.session_name = None;
    let mut session = Session::start(config).await;
    let (seen, _) = session.run("go").await;
    let state = session.agent.snapshot();
    assert_eq!(state.session_name.as_deref(), Some("Fix the tests"));
    assert_eq!(state.todos.len(), 1);
    assert!(durable(&seen).iter().all(|name| name != "ui_notify"));
    assert!(bench.bodies()[0].to_string().contains("set_session_name together"), "the first turn asks for a name");
    assert!(!bench.bodies()[1].to_string().contains("set_session_name together"));
}

#[tokio::test]
async fn the_end_of_a_background_command_is_told_and_starts_a_turn() {
    let bench = Bench::new().await;
    let command = json!({ "command": "while [ ! -e stop ]; do sleep 0.02; done; echo the end", "title": "wait", "run_in_background": true });
    bench.model.push(Reply::tool("bash", command)).push(Reply::text("waiting")).push(Reply::text("it ended"));
    let mut session = bench.session().await;
    session.run("go").await;
    assert_eq!(session.agent.snapshot().background_shells, 1);
    write(&bench.cwd(), "stop", "");
    session.settled().await;
    let spoken = spoken(&session.agent.messages());
    assert!(
        spoken[spoken.len() - 2].starts_with("custom: Background command")
            && spoken[spoken.len() - 2].contains("the end")
    );
    assert_eq!(spoken.last().unwrap(), "assistant: it ended");
    assert_eq!(session.agent.snapshot().background_shells, 0);
}

#[tokio::test]
async fn a_command_of_the_user_joins_the_conversation_unless_it_is_excluded() {
    let bench = Bench::new().await;
    let mut session = bench.session().await;
    session.agent.user_bash("echo visible", false).await.unwrap();
    session.agent.user_bash("echo hidden", true).await.unwrap();
    bench.model.push(Reply::text("ok"));
    session.run("go").await;
    let body = bench.bodies()[0]["messages"].to_string();
    assert!(body.contains("visible") && !body.contains("hidden"), "{body}");
}

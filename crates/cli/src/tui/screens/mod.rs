//! Keys in, screen out: the interface as a whole.

use pizzapi_protocol::AgentEvent;
use serde_json::{Value, json};

use super::app::Activity;
use super::components::composer::Delivery;
use super::effect::{DecisionAnswer, Effect};
use super::event::{AppEvent, Decision, Loaded, Local};
use super::testing::TestTui;

fn agent(tui: &mut TestTui, event: Value) {
    let event = AgentEvent::from_json(&event.to_string()).expect("a valid event");
    tui.send(AppEvent::Agent(std::sync::Arc::new(event)));
}

fn assistant(content: Value, stop: &str) -> Value {
    json!({
        "role": "assistant", "content": content, "api": "anthropic-messages", "provider": "anthropic",
        "model": "claude", "stopReason": stop, "timestamp": 2,
        "usage": {"input": 1, "output": 1, "cacheRead": 0, "cacheWrite": 0, "totalTokens": 2,
                  "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0, "total": 0}},
    })
}

/// A run with a thought, a command and an answer.
fn conversation(tui: &mut TestTui) {
    agent(tui, json!({"type": "agent_start"}));
    let user = json!({"role": "user", "content": "run the tests", "timestamp": 1});
    agent(tui, json!({"type": "message_start", "message": user}));
    agent(tui, json!({"type": "message_end", "message": user}));
    let call = json!({"type": "toolCall", "id": "t1", "name": "bash",
                      "arguments": {"command": "cargo test", "title": "Run the tests"}});
    let thought = json!({"type": "thinking", "thinking": "Let me see.", "durationSeconds": 2});
    let intro = json!({"type": "text", "text": "I will run **all** tests:"});
    let message = assistant(json!([thought, intro, call]), "toolUse");
    agent(tui, json!({"type": "message_start", "message": message}));
    agent(tui, json!({"type": "message_end", "message": message}));
    let args = json!({"command": "cargo test", "title": "Run the tests"});
    agent(tui, json!({"type": "tool_execution_start", "toolCallId": "t1", "toolName": "bash", "args": args}));
    let result = json!({"content": [{"type": "text", "text": "running 3 tests\ntest result: ok"}]});
    agent(
        tui,
        json!({"type": "tool_execution_end", "toolCallId": "t1", "toolName": "bash",
                      "result": result, "isError": false}),
    );
    let answer = json!({"role": "assistant", "content": [{"type": "text", "text": "All three pass."}],
        "api": "a", "provider": "anthropic", "model": "claude", "stopReason": "stop", "timestamp": 3,
        "usage": message["usage"]});
    agent(tui, json!({"type": "message_end", "message": answer}));
    agent(tui, json!({"type": "agent_end", "messages": []}));
    tui.send(AppEvent::Local(Local::Settled));
}

#[test]
fn a_run_reads_from_top_to_bottom() {
    let mut tui = TestTui::new();
    conversation(&mut tui);
    insta::assert_snapshot!(tui.screen(64, 20), @r"
     ▌ run the tests

     ✻ Thought for 2.0s  ctrl+t to show

       I will run all tests:

     ● $ cargo test                                   Run the tests
       │ running 3 tests
       │ test result: ok

       All three pass.




     ╭────────────────────────────────────────────────────────────╮
     │ ❯ ask anything                                             │
     ╰────────────────────────────────────────────────────────────╯
     /work/pizza                                           no model
    ");
}

#[test]
fn sending_asks_the_agent_and_clears_the_line() {
    let mut tui = TestTui::new();
    tui.write("hello").keys("enter");
    let prompt = Effect::Prompt { text: "hello".into(), images: vec![], delivery: Delivery::Steer };
    assert_eq!(tui.effects(), [Effect::SaveHistory("hello".into()), prompt]);
    assert!(tui.app.composer.is_empty());
}

#[test]
fn queued_messages_are_shown_and_come_back_on_escape() {
    let mut tui = TestTui::new();
    agent(&mut tui, json!({"type": "agent_start"}));
    let queue = Local::Queue { steering: vec!["be quick".into()], follow_up: vec!["then tidy up".into()], held: false };
    tui.send(AppEvent::Local(queue));
    insta::assert_snapshot!(tui.screen(60, 16), @r"








       ╰ next be quick
       ╰ later then tidy up
     ⠋ Working                                   escape to stop
     ╭────────────────────────────────────────────────────────╮
     │ ❯ steer with enter, queue with alt+enter               │
     ╰────────────────────────────────────────────────────────╯
     /work/pizza                                       no model
    ");
    tui.keys("escape");
    assert_eq!(tui.effects(), [Effect::Abort, Effect::TakeQueue]);
    tui.send(AppEvent::Loaded(Loaded::Queued(vec!["be quick".into(), "then tidy up".into()])));
    assert_eq!(tui.app.composer.text(), "be quick\n\nthen tidy up");
}

#[test]
fn a_dialog_does_not_take_the_keys_of_somebody_typing() {
    let mut tui = TestTui::new();
    tui.write("let me ");
    let approval =
        serde_json::from_value(json!({"promptId": "p", "title": "Run this?", "message": "rm -r /"})).unwrap();
    tui.send(AppEvent::Local(Local::DecisionRaised(Decision::Approval(approval))));
    tui.write("y");
    assert_eq!(tui.effects(), []);
    assert_eq!(tui.app.composer.text(), "let me y");
    tui.wait(2_000).write("y");
    let answer = DecisionAnswer::Approval { action: "approve".into() };
    assert_eq!(tui.effects(), [Effect::Answer { id: "p".into(), answer }]);
}

#[test]
fn an_answer_given_elsewhere_closes_the_dialog() {
    let mut tui = TestTui::new();
    let question = serde_json::from_value(
        json!({"toolCallId": "c", "questions": [{"question": "Tea?", "options": ["yes", "no"]}]}),
    )
    .unwrap();
    tui.send(AppEvent::Local(Local::DecisionRaised(Decision::Question { id: "d".into(), question })));
    assert!(tui.screen(60, 20).contains("Tea?"));
    tui.send(AppEvent::Local(Local::DecisionEnded { id: "d".into(), by: Some("ana on phone".into()) }));
    let screen = tui.screen(60, 20);
    assert!(!screen.contains("Tea?") && screen.contains("answered by ana on phone"), "{screen}");
}

#[test]
fn streaming_text_grows_in_place() {
    let mut tui = TestTui::new();
    let partial = |text: &str| {
        json!({"type": "message_update", "message": assistant(json!([{"type": "text", "text": text}]), "pending"),
               "assistantMessageEvent": {"type": "text_delta", "contentIndex": 0, "delta": "x"}})
    };
    for text in ["# He", "# Heading\n\nSome `co", "# Heading\n\nSome `code` here"] {
        agent(&mut tui, partial(text));
    }
    let screen = tui.screen(40, 16);
    assert!(screen.starts_with("   Heading\n\n   Some code here"), "{screen}");
}

#[test]
fn the_footer_and_dialogs_survive_every_size() {
    let mut tui = TestTui::new();
    conversation(&mut tui);
    tui.write("a fairly long line that has to wrap somewhere");
    for (width, height) in [(200, 60), (80, 24), (40, 12), (20, 6), (10, 3), (1, 1)] {
        tui.screen(width, height);
    }
    tui.keys("f1");
    for (width, height) in [(200, 60), (80, 24), (40, 12), (20, 6), (10, 3)] {
        tui.screen(width, height);
    }
}

#[test]
fn two_escapes_offer_earlier_messages() {
    let mut tui = TestTui::new();
    conversation(&mut tui);
    tui.keys("escape escape");
    assert_eq!(tui.effects(), [Effect::LoadForkPoints]);
}

#[test]
fn ctrl_c_clears_then_quits() {
    let mut tui = TestTui::new();
    tui.write("draft").keys("ctrl+c");
    assert!(tui.app.composer.is_empty());
    tui.keys("ctrl+c");
    assert_eq!(tui.effects(), [Effect::Quit]);
}

#[test]
fn a_failed_answer_says_why_and_ends_the_run() {
    let mut tui = TestTui::new();
    agent(&mut tui, json!({"type": "agent_start"}));
    let mut message = assistant(json!([]), "error");
    message["errorMessage"] = json!("401 invalid key");
    agent(&mut tui, json!({"type": "message_end", "message": message}));
    tui.send(AppEvent::Local(Local::Settled));
    assert_eq!(tui.app.activity, Activity::Idle);
    assert!(tui.screen(60, 16).contains("✗ 401 invalid key"));
}

#[test]
fn text_marked_with_the_mouse_is_copied_and_a_click_unfolds() {
    use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
    let mut tui = TestTui::new();
    conversation(&mut tui);
    tui.screen(64, 20);
    let mouse = |kind, column, row| AppEvent::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE });
    tui.send(mouse(MouseEventKind::Down(MouseButton::Left), 3, 4));
    tui.send(mouse(MouseEventKind::Drag(MouseButton::Left), 60, 6));
    tui.screen(64, 20);
    tui.send(mouse(MouseEventKind::Up(MouseButton::Left), 60, 6));
    let copied = "I will run all tests:\n\n● $ cargo test                                   Run the tes";
    assert_eq!(tui.effects(), [Effect::Copy(copied.into())]);
    // A click on the thought shows it.
    assert!(!tui.screen(64, 20).contains("Let me see."));
    tui.send(mouse(MouseEventKind::Down(MouseButton::Left), 3, 2));
    tui.send(mouse(MouseEventKind::Up(MouseButton::Left), 3, 2));
    assert!(tui.screen(64, 20).contains("Let me see."));
}

/// A day's conversation: drawing must not depend on its length, nor streaming on what was said before.
#[test]
fn a_long_conversation_draws_as_fast_as_a_short_one() {
    let mut tui = TestTui::new();
    let answer = "## Heading\n\nSome **bold** text with `code` and more words to wrap at the edge.\n\n```rust\nfn main() {}\n```\n";
    for index in 0..3_000 {
        let user = json!({"role": "user", "content": format!("question {index}"), "timestamp": index * 2});
        agent(&mut tui, json!({"type": "message_end", "message": user}));
        let mut message = assistant(json!([{"type": "text", "text": answer}]), "stop");
        message["timestamp"] = json!(index * 2 + 1);
        agent(&mut tui, json!({"type": "message_end", "message": message}));
    }
    tui.screen(100, 40);
    let start = std::time::Instant::now();
    for _ in 0..50 {
        tui.keys("pageup");
        tui.screen(100, 40);
    }
    tui.screen(80, 40);
    let pages = start.elapsed();
    let mut text = String::new();
    let start = std::time::Instant::now();
    for index in 0..300 {
        text.push_str(&format!("word{index} "));
        if index % 20 == 0 {
            text.push_str("\n\n- item\n\n```rust\nlet x = 1;\n```\n\n");
        }
        let mut message = assistant(json!([{"type": "text", "text": text}]), "pending");
        message["timestamp"] = json!(100_000);
        agent(
            &mut tui,
            json!({"type": "message_update", "message": message,
            "assistantMessageEvent": {"type": "text_delta", "contentIndex": 0, "delta": "x"}}),
        );
        tui.keys("ctrl+end");
        tui.screen(100, 40);
    }
    let stream = start.elapsed();
    // Generous for an unoptimised build on a busy machine; a quadratic mistake takes minutes.
    assert!(pages.as_secs() < 10 && stream.as_secs() < 20, "{pages:?} {stream:?}");
}

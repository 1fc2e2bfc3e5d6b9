//! A person at the keyboard, a scripted model behind the wire.

use pizzapi_testkit::model::{Reply, ScriptedModel};
use serde_json::json;

use crate::support::{Place, Terminal, read};

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_is_answered_and_the_terminal_is_given_back() {
    let model = ScriptedModel::start().await.expect("a model");
    model.push(Reply::text("The oven is **hot**."));
    let place = Place::new(Some(&model.url()));
    tokio::task::spawn_blocking(move || {
        let mut terminal = Terminal::start(&place, &["--model", "test/scripted"]);
        terminal.shows("ask anything").types("is it hot?\r").shows("The oven is hot.").shows("is it hot?");
        terminal.resize(20, 60);
        terminal.shows("The oven is hot.");
        terminal.send("\u{3}").shows("ctrl+c again to quit").send("\u{3}");
        let (code, output) = terminal.ends();
        assert_eq!(code, 0);
        assert!(output.contains("\u{1b}[?1049l"), "the alternate screen was not left");
        assert!(output.contains("pizzapi --session"), "how to go on was not said");
    })
    .await
    .expect("no panic");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_reaches_the_network_waits_for_permission() {
    let model = ScriptedModel::start().await.expect("a model");
    let place = Place::new(Some(&model.url()));
    let proof = place.work.join("proof.txt");
    // Nobody listens there; what counts is whether the command ran at all.
    let command = json!({"command": "echo ran > proof.txt; curl -s http://127.0.0.1:9/", "title": "Ask the network"});
    model.push(Reply::tool("bash", command.clone()));
    model.push(Reply::text("refused then"));
    model.push(Reply::tool("bash", command));
    model.push(Reply::text("done now"));
    tokio::task::spawn_blocking(move || {
        let mut terminal = Terminal::start(&place, &["--model", "test/scripted"]);
        terminal.shows("ask anything").types("do it\r").shows("Allow once");
        // The dialog does not listen to somebody who was typing a moment ago.
        std::thread::sleep(std::time::Duration::from_millis(900));
        terminal.types("n").shows("refused then");
        assert_eq!(read(&proof), "");
        terminal.shows("ask anything").types("again\r").shows("Allow once");
        std::thread::sleep(std::time::Duration::from_millis(900));
        terminal.types("y").shows("done now");
        assert_eq!(read(&proof), "ran\n");
    })
    .await
    .expect("no panic");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_answered_with_a_number() {
    let model = ScriptedModel::start().await.expect("a model");
    let questions = json!({"questions": [{"question": "Which flour?", "options": ["wheat", "rye"]}]});
    model.push(Reply::tool("AskUserQuestion", questions));
    model.push(Reply::text("Thank you."));
    let place = Place::new(Some(&model.url()));
    let received = {
        let mut terminal = Terminal::start(&place, &["--model", "test/scripted", "bake"]);
        tokio::task::spawn_blocking(move || {
            terminal.shows("Which flour?").shows("2. rye").types("2").shows("Thank you.");
        })
        .await
        .expect("no panic");
        model.received()
    };
    let last = received.last().expect("two requests");
    assert!(format!("{last:?}").contains("User answered: rye"), "{last:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_the_program_and_restores_the_terminal() {
    let model = ScriptedModel::start().await.expect("a model");
    let place = Place::new(Some(&model.url()));
    tokio::task::spawn_blocking(move || {
        let mut terminal = Terminal::start(&place, &["--model", "test/scripted"]);
        terminal.shows("ask anything");
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(terminal.pid()), nix::sys::signal::Signal::SIGTERM)
            .expect("the program runs");
        let (code, output) = terminal.ends();
        assert_eq!(code, 143);
        assert!(output.contains("\u{1b}[?1049l") && output.contains("\u{1b}[?25h"));
    })
    .await
    .expect("no panic");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_continued_where_it_was_left() {
    let model = ScriptedModel::start().await.expect("a model");
    model.push(Reply::text("Remember the basil."));
    let place = Place::new(Some(&model.url()));
    tokio::task::spawn_blocking(move || {
        let mut first = Terminal::start(&place, &["--model", "test/scripted", "what next?"]);
        first.shows("Remember the basil.").send("\u{4}");
        first.ends();
        let mut second = Terminal::start(&place, &["-c"]);
        second.shows("what next?").shows("Remember the basil.").send("\u{1b}[A").shows("❯ what next?");
    })
    .await
    .expect("no panic");
}

#[test]
fn without_a_model_the_ways_out_are_offered() {
    let place = Place::new(None);
    let mut terminal = Terminal::start(&place, &[]);
    terminal.shows("Choose how to begin").types("demo").shows("Demo").send("\r").shows("DEMO");
    terminal.shows_no_longer("Choose how to begin").types("hello\r").shows("no AI");
    assert!(!terminal.screen().contains("error"));
}

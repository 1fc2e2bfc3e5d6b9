//! One answer on standard output, and errors where they belong.

use std::io::Write;
use std::process::{Command, Stdio};

use pizzapi_testkit::model::{Reply, ScriptedModel};
use serde_json::Value;

use crate::support::{PROGRAM, Place};

struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

async fn run(place: &Place, arguments: &[&str], input: &str) -> Ran {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).current_dir(&place.work).env_clear().envs(place.variables());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let input = input.to_owned();
    let output = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().expect("the program starts");
        child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("the program reads");
        child.wait_with_output().expect("the program ends")
    })
    .await
    .expect("no panic");
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_is_printed_and_nothing_else() {
    let model = ScriptedModel::start().await.expect("a model");
    model.push(Reply::text("Four."));
    let place = Place::new(Some(&model.url()));
    let ran = run(&place, &["-p", "--model", "test/scripted", "two and two?"], "piped context").await;
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(0), "Four.\n", ""));
    let asked = format!("{:?}", model.received());
    assert!(asked.contains("piped context") && asked.contains("two and two?"), "{asked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn json_mode_prints_a_line_per_event() {
    let model = ScriptedModel::start().await.expect("a model");
    model.push(Reply::text("Four."));
    let place = Place::new(Some(&model.url()));
    let ran = run(&place, &["--mode", "json", "--model", "test/scripted", "two and two?"], "").await;
    let lines: Vec<Value> =
        ran.stdout.lines().map(|line| serde_json::from_str(line).expect("every line is JSON")).collect();
    let types: Vec<&str> = lines.iter().filter_map(|line| line["type"].as_str()).collect();
    assert_eq!(types.first(), Some(&"session"));
    assert!(types.contains(&"message_end") && types.contains(&"agent_end"), "{types:?}");
    assert!(lines.iter().filter(|line| line["type"] == "message_update").all(|line| line.get("message").is_none()));
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_go_to_standard_error_with_advice() {
    let place = Place::new(None);
    let ran = run(&place, &["-p", "hello"], "").await;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""));
    assert!(ran.stderr.starts_with("error: ") && ran.stderr.contains("\n\nhint: "), "{}", ran.stderr);
    let unknown = run(&place, &["--no-such-flag"], "").await;
    assert_eq!(unknown.code, Some(1));
    let version = run(&place, &["--version"], "").await;
    assert_eq!(version.stdout, format!("pizzapi v{}\n", env!("CARGO_PKG_VERSION")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_refuses_is_a_failure() {
    let model = ScriptedModel::start().await.expect("a model");
    model.push(Reply::failure(401, r#"{"type":"error","error":{"type":"authentication_error","message":"bad key"}}"#));
    let place = Place::new(Some(&model.url()));
    let ran = run(&place, &["-p", "--model", "test/scripted", "hello"], "").await;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""));
    assert!(ran.stderr.contains("bad key"), "{}", ran.stderr);
}

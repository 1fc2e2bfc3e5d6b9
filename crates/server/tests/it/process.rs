//! The program as a whole: what it says when it cannot start, how fast it starts, how it stops.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::StatusCode;

use crate::support::{Answer, client};

fn program(dir: &std::path::Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pizzapi-server"));
    command.env_clear().env("HOME", dir).arg("--data-dir").arg(dir.join("data")).stderr(Stdio::piped());
    command
}

fn failure(command: &mut Command) -> String {
    let output = command.output().expect("the program runs");
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Ends the program when the test does.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_port_in_use_is_named_with_a_way_out() {
    let dir = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let said = failure(program(dir.path()).args(["--port", &port]));
    assert!(said.contains(&format!("port {port} on 127.0.0.1 is in use")) && said.contains("--port"), "{said}");
}

#[test]
fn a_folder_that_cannot_be_written_is_named_with_a_way_out() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("data"), "a file, not a folder").unwrap();
    let said = failure(program(dir.path()).args(["--port", "0"]));
    assert!(said.contains("cannot use the data directory") && said.contains("--data-dir"), "{said}");
}

#[test]
fn a_wrong_setting_is_named_with_its_accepted_form() {
    let dir = tempfile::tempdir().unwrap();
    let said = failure(program(dir.path()).env("PIZZAPI_SESSION_GRACE_MS", "soon"));
    assert!(said.contains("PIZZAPI_SESSION_GRACE_MS is `soon`; expected a number of milliseconds"), "{said}");
}

#[test]
fn an_address_others_can_reach_needs_tls_or_a_word() {
    let dir = tempfile::tempdir().unwrap();
    let said = failure(program(dir.path()).args(["--host", "0.0.0.0", "--port", "0"]));
    assert!(said.contains("plain HTTP") && said.contains("--insecure"), "{said}");
}

#[test]
fn a_file_that_is_no_database_is_reported_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("data")).unwrap();
    let path = dir.path().join("data/pizzapi.db");
    std::fs::write(&path, "not a database, but somebody's notes about pizza dough").unwrap();
    let said = failure(program(dir.path()).args(["--port", "0"]));
    assert!(said.starts_with("error:") && said.contains("pizzapi.db"), "{said}");
    assert!(std::fs::read_to_string(&path).unwrap().contains("pizza dough"));
}

#[cfg(unix)]
#[tokio::test]
async fn it_answers_quickly_and_stops_cleanly_on_a_signal() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let started = Instant::now();
    let mut child = Killed(program(dir.path()).args(["--port", &port.to_string()]).spawn().unwrap());
    let mut log = BufReader::new(child.0.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("ready") {
        line.clear();
        assert_ne!(log.read_line(&mut line).unwrap(), 0, "the program ended early");
    }
    let answer = Answer::of(client().get(format!("http://127.0.0.1:{port}/readyz"))).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    // An unoptimised build on a busy machine; the release build is measured by the benchmarks.
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());

    Command::new("kill").args(["-TERM", &child.0.id().to_string()]).status().unwrap();
    let status = child.0.wait().unwrap();
    let mut rest = String::new();
    log.read_to_string(&mut rest).unwrap();
    assert!(status.success(), "{status}: {rest}");
}

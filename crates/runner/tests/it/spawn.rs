use std::collections::BTreeMap;
use std::path::Path;

use pizzapi_runner::sessions::{Ended, Records, Sessions, SpawnError, SpawnRequest, Spawner};
use pizzapi_runner::workspace::Workspace;
use pretty_assertions::assert_eq;
use tokio::sync::mpsc;

use crate::until;

struct Machine {
    folder: tempfile::TempDir,
    sessions: Sessions,
    ended: mpsc::Receiver<Ended>,
}

impl Machine {
    fn home(&self) -> &Path {
        self.folder.path()
    }

    fn log(&self, id: &str) -> String {
        std::fs::read_to_string(self.home().join(format!("logs/session-{id}.log"))).unwrap_or_default()
    }
}

/// A machine whose sessions are this shell script instead of an agent.
fn machine(script: &str) -> Machine {
    let folder = tempfile::tempdir().unwrap();
    let (sender, ended) = mpsc::channel(8);
    let spawner = Spawner {
        command: vec!["/bin/sh".to_owned(), "-c".to_owned(), script.to_owned()],
        workspace: Workspace::new([folder.path().to_string_lossy()]),
        home: folder.path().to_owned(),
        default_cwd: folder.path().to_owned(),
        relay_url: "ws://127.0.0.1:1".to_owned(),
        api_key: "k".repeat(64),
        overrides: BTreeMap::from([
            ("PIZZAPI_EXTRA".to_owned(), "1".to_owned()),
            ("PATH".to_owned(), "/evil".to_owned()),
        ]),
    };
    let sessions = Sessions::new(spawner, Records::new(folder.path().join("session-procs")), sender);
    Machine { folder, sessions, ended }
}

fn request(id: &str) -> SpawnRequest {
    SpawnRequest { session_id: id.to_owned(), ..SpawnRequest::default() }
}

#[tokio::test]
async fn a_session_gets_its_variables_and_its_end_is_noticed() {
    let mut machine = machine("env; pwd; exit 3");
    let asked = SpawnRequest {
        prompt: Some("bake".to_owned()),
        model: Some(("a".to_owned(), "b".to_owned())),
        ..request("s1")
    };
    machine.sessions.start(asked).unwrap();
    let ended = machine.ended.recv().await.unwrap();
    assert_eq!((ended.session_id.as_str(), ended.code), ("s1", Some(3)));
    assert!(!machine.sessions.on_ended(&ended).unwrap());
    let log = machine.log("s1");
    for line in [
        "PIZZAPI_SESSION_ID=s1",
        "PIZZAPI_WORKER_INITIAL_PROMPT=bake",
        "PIZZAPI_WORKER_INITIAL_MODEL_ID=b",
        "PIZZAPI_EXTRA=1",
    ] {
        assert!(log.contains(line), "{line} is missing in:\n{log}");
    }
    assert!(!log.contains("PATH=/evil"));
    assert!(!machine.sessions.is_running("s1"));
}

#[tokio::test]
async fn a_restart_keeps_the_id_and_the_transcript_but_not_the_prompt() {
    let script = r#"
        if [ -n "$PIZZAPI_WORKER_RESUME_PATH" ]; then echo "resumed $PIZZAPI_WORKER_RESUME_PATH prompt=[$PIZZAPI_WORKER_INITIAL_PROMPT]"; exit 0; fi
        touch "$PIZZAPI_HOME/t.jsonl"; printf '{"sessionFile":"%s/t.jsonl"}' "$PIZZAPI_HOME" > "$PIZZAPI_SESSION_STATE_FILE"; exit 43"#;
    let mut machine = machine(script);
    machine.sessions.start(SpawnRequest { prompt: Some("bake".to_owned()), ..request("s1") }).unwrap();
    let first = machine.ended.recv().await.unwrap();
    assert!(machine.sessions.on_ended(&first).unwrap(), "it was started again");
    let second = machine.ended.recv().await.unwrap();
    assert!(!machine.sessions.on_ended(&second).unwrap());
    assert!(machine.log("s1").contains("t.jsonl prompt=[]"), "{}", machine.log("s1"));
}

#[tokio::test]
async fn killing_ends_the_whole_group_and_is_never_undone_by_a_restart() {
    let mut machine = machine("trap 'exit 43' TERM; sleep 1000 & echo up; wait");
    machine.sessions.start(request("s1")).unwrap();
    let folder = machine.home().to_owned();
    until("the session", || {
        std::fs::read_to_string(folder.join("logs/session-s1.log")).is_ok_and(|log| log.contains("up"))
    })
    .await;
    let pid = i32::try_from(machine.sessions.pid("s1").unwrap()).unwrap();
    let family: Vec<i32> = pizzapi_runner::process_tree::family(pid).iter().map(|process| process.pid).collect();
    assert!(family.len() >= 2, "{family:?}");
    machine.sessions.kill("s1").unwrap().await;
    let ended = machine.ended.recv().await.unwrap();
    assert!(!machine.sessions.on_ended(&ended).unwrap(), "a killed session came back");
    assert!(family.iter().all(|pid| !pizzapi_runner::process_tree::is_alive(*pid, None)));
}

#[tokio::test]
async fn another_daemon_finds_the_session_again_and_hears_its_end() {
    let mut machine = machine("echo up; exec sleep 1000");
    machine.sessions.start(request("s1")).unwrap();
    let pid = machine.sessions.pid("s1").unwrap();
    let (sender, mut ended) = mpsc::channel(8);
    let spawner = Spawner {
        command: vec!["/bin/false".to_owned()],
        workspace: Workspace::default(),
        home: machine.home().to_owned(),
        default_cwd: machine.home().to_owned(),
        relay_url: String::new(),
        api_key: String::new(),
        overrides: BTreeMap::new(),
    };
    let mut next = Sessions::new(spawner, Records::new(machine.home().join("session-procs")), sender);
    assert_eq!(next.adopt_left_behind(), ["s1"]);
    assert_eq!(next.pid("s1"), Some(pid));
    next.kill("s1").unwrap().await;
    assert_eq!(ended.recv().await.unwrap().pid, pid);
}

#[tokio::test]
async fn folders_that_are_missing_or_outside_the_roots_are_refused() {
    let mut machine = machine("true");
    let at = |cwd: &str| SpawnRequest { cwd: Some(cwd.into()), ..request("s1") };
    assert!(matches!(machine.sessions.start(at("/etc")), Err(SpawnError::Forbidden(_))));
    let missing = machine.home().join("none").to_string_lossy().into_owned();
    assert!(matches!(machine.sessions.start(at(&missing)), Err(SpawnError::NotAFolder(_))));
    assert!(matches!(machine.sessions.start(request(" ")), Err(SpawnError::MissingId)));
}

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use pizzapi_tools::bash::{BashArgs, ShellConfig, Shells};
use pizzapi_tools::process;
use pizzapi_tools::{Output, ToolResult};
use pretty_assertions::assert_eq;
use tokio_util::sync::CancellationToken;

use crate::{text, workspace};

struct Fixture {
    folder: tempfile::TempDir,
    shells: Shells,
}

fn config(folder: &Path) -> ShellConfig {
    let env: BTreeMap<String, String> = std::env::vars().collect();
    let mut config = ShellConfig::new(env, folder.join("logs"));
    config.jobs_file = Some(folder.join("jobs.json"));
    config
}

impl Fixture {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut ShellConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(folder.path());
        change(&mut config);
        Self { shells: Shells::new(config), folder }
    }

    async fn run_args(&self, args: BashArgs, cancel: &CancellationToken) -> ToolResult {
        self.shells.run(&workspace(self.folder.path()), args, &[], cancel, |_| {}).await
    }

    async fn run(&self, command: &str) -> Output {
        let args = BashArgs { command: command.to_owned(), ..BashArgs::default() };
        self.run_args(args, &CancellationToken::new()).await.unwrap()
    }

    async fn background(&self, command: &str) -> i32 {
        let args = BashArgs { command: command.to_owned(), run_in_background: true, ..BashArgs::default() };
        let output = self.run_args(args, &CancellationToken::new()).await.unwrap();
        let details = output.details.unwrap();
        i32::try_from(details["background"]["pid"].as_i64().expect("in the background")).unwrap()
    }

    fn lines(&self, file: &str) -> Vec<String> {
        std::fs::read_to_string(self.folder.path().join(file)).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// Wait until a command has written its pids.
    async fn pids(&self, file: &str, count: usize) -> Vec<i32> {
        eventually("the pids", || self.lines(file).len() >= count).await;
        self.lines(file).iter().map(|line| line.trim().parse().unwrap()).collect()
    }
}

async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < Duration::from_secs(15), "waited for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn is_alive(pid: i32) -> bool {
    process::process(pid).is_some_and(|process| !process.is_zombie)
}

#[tokio::test]
async fn output_keeps_its_order_and_the_exit_code_is_told() {
    let fixture = Fixture::new();
    let output = fixture.run("echo one; echo two >&2; echo three; cat; exit 3").await;
    assert_eq!(text(&output), "one\ntwo\nthree\n\nCommand exited with code 3");
    assert!(output.is_error);
    assert_eq!(output.details.unwrap()["exitCode"], 3);
    let output = fixture.run("true").await;
    assert_eq!((text(&output).as_str(), output.is_error), ("(no output)", false));
    assert!(text(&fixture.run("kill -9 $$").await).ends_with("Command was ended by signal 9"));
}

#[tokio::test]
async fn commands_see_our_environment_without_relay_secrets() {
    let fixture = Fixture::with(|config| {
        config.env.insert("PIZZAPI_API_KEY".to_owned(), "secret".to_owned());
        config.env.insert("PIZZAPI_HOME".to_owned(), "/home/pizza".to_owned());
        config.command_prefix = Some("GREETING=hello".to_owned());
    });
    let args = BashArgs {
        command: "echo \"$PIZZAPI_API_KEY|$PIZZAPI_HOME|$GREETING|$PI_MODEL\"; tty".to_owned(),
        ..BashArgs::default()
    };
    let env = [("PI_MODEL".to_owned(), "demo".to_owned())];
    let cancel = CancellationToken::new();
    let output = fixture.shells.run(&workspace(fixture.folder.path()), args, &env, &cancel, |_| {}).await.unwrap();
    assert!(text(&output).starts_with("|/home/pizza|hello|demo\nnot a tty"), "{}", text(&output));
}

#[tokio::test]
async fn long_output_shows_its_end_and_keeps_everything_in_a_file() {
    let fixture = Fixture::new();
    let output = fixture.run("seq 1 30000").await;
    let shown = text(&output);
    let details = output.details.unwrap();
    let log = details["fullOutputPath"].as_str().unwrap();
    assert!(
        shown.contains(&format!("[Showing lines 28001-30000 of 30000. Full output: {log}]")),
        "{}",
        &shown[shown.len() - 200..]
    );
    let full = std::fs::read_to_string(log).unwrap();
    assert_eq!(full.lines().count(), 30_000);
    assert!(full.starts_with("1\n2\n") && full.ends_with("30000\n"));
    let line = text(&fixture.run("head -c 300000 /dev/zero | tr '\\0' x").await);
    assert!(line.contains("[Showing the last 50KB of line 1. Full output: "), "{}", &line[line.len() - 200..]);
}

#[tokio::test]
async fn a_time_out_and_an_abort_end_everything_the_command_started() {
    let fixture = Fixture::new();
    // A child in a session of its own whose parent ends, and one that ignores requests to end.
    let command = "echo before; (setsid sh -c 'echo $$ > a; exec sleep 300' &) ; (trap '' TERM; sh -c 'echo $$ > b; exec sleep 300') & wait";
    let args = BashArgs { command: command.to_owned(), timeout: Some(1.0), ..BashArgs::default() };
    let output = fixture.run_args(args, &CancellationToken::new()).await.unwrap();
    assert_eq!(text(&output), "before\n\nCommand timed out after 1 seconds");
    assert!(output.is_error);
    for file in ["a", "b"] {
        for pid in fixture.pids(file, 1).await {
            assert!(!is_alive(pid), "{file} survived");
        }
    }

    let cancel = CancellationToken::new();
    let args = BashArgs { command: "echo begun; echo $$ > c; sleep 300".to_owned(), ..BashArgs::default() };
    let running = fixture.run_args(args, &cancel);
    let (output, ()) = tokio::join!(running, async {
        fixture.pids("c", 1).await;
        cancel.cancel();
    });
    assert_eq!(text(&output.unwrap()), "begun\n\nCommand aborted");
}

#[tokio::test]
async fn a_command_ends_when_its_process_ends_even_if_something_was_left_running() {
    let fixture = Fixture::new();
    let began = Instant::now();
    let output = fixture.run("sh -c 'echo $$ > pid; exec sleep 300' & echo done").await;
    assert_eq!(text(&output), "done\n");
    assert!(began.elapsed() < Duration::from_secs(5));
    let pid = fixture.pids("pid", 1).await[0];
    assert!(is_alive(pid), "it was left running on purpose");
    fixture.shells.shutdown().await;
    assert!(!is_alive(pid), "a shutdown ends it");
}

#[tokio::test]
async fn output_is_streamed_while_a_command_runs() {
    let fixture = Fixture::new();
    let mut seen = Vec::new();
    let args = BashArgs {
        command: "echo early; while [ ! -e go ]; do sleep 0.05; done; echo late".to_owned(),
        ..BashArgs::default()
    };
    let go = fixture.folder.path().join("go");
    let cancel = CancellationToken::new();
    let output = fixture
        .shells
        .run(&workspace(fixture.folder.path()), args, &[], &cancel, |update| {
            seen.push(update.as_text());
            std::fs::write(&go, "").unwrap();
        })
        .await
        .unwrap();
    assert_eq!(seen[0], "early\n");
    assert_eq!(text(&output), "early\nlate\n");
}

#[tokio::test]
async fn a_background_command_is_listed_read_and_ended() {
    let fixture = Fixture::new();
    let mut exits = fixture.shells.take_exits().unwrap();
    let pid = fixture.background("echo one; while [ ! -e go ]; do sleep 0.05; done; echo two; sleep 300").await;
    assert_eq!(fixture.shells.running(), 1);
    assert!(text(&fixture.shells.output(None).unwrap()).starts_with(&format!("{pid}  running  echo one")));
    assert_eq!(text(&fixture.shells.output(Some(pid)).unwrap()), format!("one\n\n[pid {pid}: running]"));
    assert_eq!(text(&fixture.shells.output(Some(pid)).unwrap()), format!("(no new output)\n\n[pid {pid}: running]"));
    std::fs::write(fixture.folder.path().join("go"), "").unwrap();
    let log = fixture.shells.list()[0].log_file.clone().unwrap();
    eventually("the second line", || std::fs::read_to_string(&log).unwrap().contains("two")).await;
    assert_eq!(text(&fixture.shells.output(Some(pid)).unwrap()), format!("two\n\n[pid {pid}: running]"));
    assert!(text(&fixture.shells.kill(pid).await.unwrap()).starts_with(&format!("ended pid {pid}")));
    assert!(text(&fixture.shells.output(Some(pid)).unwrap()).contains("Command aborted"));
    assert!(exits.try_recv().is_err(), "who ends a command needs no notice");
    assert!(fixture.shells.kill(1).await.is_err());
    fixture.shells.shutdown().await;
    assert!(!log.exists());
}

#[tokio::test]
async fn the_end_of_a_background_command_is_announced() {
    let fixture = Fixture::new();
    let mut exits = fixture.shells.take_exits().unwrap();
    let pid = fixture.background("sleep 0.6; echo finished; exit 4").await;
    let exit = tokio::time::timeout(Duration::from_secs(10), exits.recv()).await.unwrap().unwrap();
    assert_eq!((exit.pid, exit.exit_code), (pid, Some(4)));
    assert_eq!((exit.status.as_str(), exit.tail.as_str()), ("Command exited with code 4", "finished\n"));
    let quick = BashArgs { command: "echo oops; exit 1".to_owned(), run_in_background: true, ..BashArgs::default() };
    let output = fixture.run_args(quick, &CancellationToken::new()).await.unwrap();
    assert_eq!(text(&output), "oops\n\nCommand exited with code 1");
}

#[tokio::test]
async fn a_long_command_moves_to_the_background_by_itself_or_on_request() {
    let fixture = Fixture::with(|config| config.background_after = Some(Duration::from_millis(300)));
    let mut exits = fixture.shells.take_exits().unwrap();
    let output = fixture.run("echo here; while [ ! -e go ]; do sleep 0.05; done; echo there").await;
    assert!(text(&output).starts_with("here\n\n[Command still ran after 0 seconds"), "{}", text(&output));
    assert!(!output.is_error);
    let pid = fixture.shells.list()[0].pid;
    std::fs::write(fixture.folder.path().join("go"), "").unwrap();
    let exit = tokio::time::timeout(Duration::from_secs(10), exits.recv()).await.unwrap().unwrap();
    assert_eq!((exit.pid, exit.tail.as_str()), (pid, "here\nthere\n"));
    assert_eq!(
        text(&fixture.shells.output(Some(pid)).unwrap()),
        format!("there\n\n[pid {pid}: Command exited with code 0]")
    );

    let fixture = Fixture::new();
    let running = fixture.run("echo $$ > pid; sleep 300");
    let (output, ()) = tokio::join!(running, async {
        fixture.pids("pid", 1).await;
        assert_eq!(fixture.shells.move_to_background(), ["echo $$ > pid; sleep 300"]);
    });
    assert!(text(&output).contains("moved to the background on request"));
    fixture.shells.shutdown().await;
}

#[tokio::test]
async fn a_restarted_process_finds_its_background_commands_again() {
    let fixture = Fixture::new();
    let pid = fixture.background("echo kept; sleep 300").await;
    // What the next process does with the same files, while this one forgets everything.
    let next = Shells::new(config(fixture.folder.path()));
    let shells = next.list();
    assert_eq!((shells.len(), shells[0].pid, shells[0].is_running), (1, pid, true));
    assert_eq!(text(&next.output(Some(pid)).unwrap()), format!("kept\n\n[pid {pid}: running]"));
    next.kill(pid).await.unwrap();
    assert!(!is_alive(pid));
    assert_eq!(Shells::new(config(fixture.folder.path())).list(), []);
}

#[tokio::test]
async fn nonsense_is_refused_before_anything_runs() {
    let fixture = Fixture::new();
    for timeout in [0.0, -1.0, f64::NAN] {
        let args = BashArgs { command: "touch ran".to_owned(), timeout: Some(timeout), ..BashArgs::default() };
        assert!(fixture.run_args(args, &CancellationToken::new()).await.is_err());
    }
    let cancelled = CancellationToken::new();
    cancelled.cancel();
    let args = BashArgs { command: "touch ran".to_owned(), ..BashArgs::default() };
    assert!(fixture.run_args(args, &cancelled).await.is_err());
    assert!(!fixture.folder.path().join("ran").exists());
}

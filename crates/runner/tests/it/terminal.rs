use std::path::PathBuf;
use std::time::Duration;

use pizzapi_runner::process_tree;
use pizzapi_runner::pty::{Output, Request, Size, TerminalError, Terminals};
use tokio::sync::mpsc;

use crate::until;

struct Shell {
    terminals: Terminals,
    output: mpsc::Receiver<(String, Output)>,
    seen: String,
}

fn request(id: &str) -> Request {
    Request {
        id: id.to_owned(),
        cwd: PathBuf::from("/"),
        shell: "/bin/sh".to_owned(),
        size: Size { cols: 90, rows: 30 },
    }
}

impl Shell {
    fn start() -> Self {
        let (sender, output) = mpsc::channel(8);
        let mut terminals = Terminals::new(sender);
        terminals.start(request("t")).unwrap();
        Self { terminals, output, seen: String::new() }
    }

    fn keys(&self, keys: &str) {
        assert!(self.terminals.get("t").unwrap().write(keys.as_bytes().to_vec()));
    }

    async fn sees(&mut self, text: &str) {
        let awaited = async {
            while !self.seen.contains(text) {
                match self.output.recv().await.unwrap().1 {
                    Output::Data(bytes) => self.seen.push_str(&String::from_utf8_lossy(&bytes)),
                    Output::Exit(code) => panic!("the shell ended with {code} before {text:?}; seen: {:?}", self.seen),
                }
            }
        };
        if tokio::time::timeout(Duration::from_secs(10), awaited).await.is_err() {
            panic!("never saw {text:?}; seen: {:?}", self.seen);
        }
        self.seen.clear();
    }

    async fn exit(&mut self) -> i32 {
        loop {
            if let Output::Exit(code) = self.output.recv().await.unwrap().1 {
                return code;
            }
        }
    }
}

#[tokio::test]
async fn what_is_typed_runs_at_the_size_that_was_asked_for() {
    let mut shell = Shell::start();
    shell.keys("echo $((40+2)) $TERM\n");
    shell.sees("42 xterm-256color").await;
    shell.keys("stty size\n");
    shell.sees("30 90").await;
    shell.terminals.get("t").unwrap().resize(Size { cols: 100, rows: 40 });
    shell.keys("stty size\n");
    shell.sees("40 100").await;
    shell.keys("exit 7\n");
    assert_eq!(shell.exit().await, 7);
}

#[tokio::test]
async fn bytes_arrive_as_they_are() {
    let mut shell = Shell::start();
    shell.keys("printf 'caf\\303\\251 \\360\\237\\215\\225\\n'\n");
    shell.sees("café 🍕").await;
}

#[tokio::test]
async fn ending_a_terminal_leaves_no_background_job_behind() {
    let mut shell = Shell::start();
    shell.keys("sleep 1000 & (trap '' HUP; sleep 1001) & echo started\n");
    shell.sees("started\r\n").await;
    let leader = shell.terminals.get("t").unwrap().leader();
    until("both jobs", || process_tree::family(leader).len() >= 3).await;
    let family: Vec<i32> = process_tree::family(leader).iter().map(|process| process.pid).collect();
    let end = shell.terminals.get("t").unwrap().end();
    end.await;
    assert_eq!(shell.exit().await, -1);
    until("the end of every job", || family.iter().all(|pid| !process_tree::is_alive(*pid, None))).await;
}

#[tokio::test]
async fn output_nobody_takes_stops_the_program_and_not_the_others() {
    let mut shell = Shell::start();
    shell.keys("yes\n");
    shell.sees("y\r\ny\r\n").await;
    shell.terminals.get("t").unwrap().pause(true);
    // What was read before the pause drains; then nothing comes while the program still runs.
    let mut quiet = false;
    for _ in 0..10_000 {
        if tokio::time::timeout(Duration::from_millis(300), shell.output.recv()).await.is_err() {
            quiet = true;
            break;
        }
    }
    assert!(quiet, "a paused terminal went on talking");
    shell.terminals.get("t").unwrap().pause(false);
    shell.sees("y\r\n").await;
    shell.terminals.end_all().await;
}

#[tokio::test]
async fn ids_are_used_once_and_unknown_ones_are_named() {
    let mut shell = Shell::start();
    assert!(matches!(shell.terminals.start(request("t")), Err(TerminalError::Exists)));
    assert!(matches!(shell.terminals.start(request("")), Err(TerminalError::MissingId)));
    assert_eq!(shell.terminals.get("other").unwrap_err().to_string(), "Terminal not found");
    let missing = Request { shell: "/no/such/shell".to_owned(), ..request("u") };
    let error = shell.terminals.start(missing).unwrap_err().to_string();
    assert!(error.contains("/no/such/shell"), "{error}");
    shell.terminals.end_all().await;
}

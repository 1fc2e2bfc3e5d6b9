//! One run: start everything, break things as the seed says, heal, and check.

use std::path::PathBuf;
use std::process::{Child, Command as Process, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use parking_lot::Mutex;
use pizzapi_protocol::ids::{CommandId, SessionId};
use pizzapi_socket_client::Config;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::proxy::{Fault, Proxy};
use super::report::Report;
use super::viewer::{self, Order, View};
use super::writer::{self, Shared};
use crate::process::{free_port, register, relay};

#[derive(Debug, Clone)]
pub struct Options {
    pub program: PathBuf,
    pub seed: u64,
    /// How long faults go on.
    pub length: Duration,
    pub sessions: usize,
    pub viewers: usize,
    /// Longest pause of a process.
    pub longest_pause: Duration,
}

/// After healing, everything must agree within this.
const SETTLE: Duration = Duration::from_secs(40);

/// Clients of a run find out about dead links and come back quickly, so that a short run sees many reconnections.
pub fn hasty(config: &mut Config) {
    config.connect_timeout = Duration::from_secs(3);
    config.write_timeout = Duration::from_secs(5);
    config.backoff.first = Duration::from_millis(100);
    config.backoff.max = Duration::from_millis(800);
}

struct Relay {
    child: Option<Child>,
    port: u16,
    program: PathBuf,
    data: tempfile::TempDir,
}

impl Relay {
    fn start(&mut self) -> Result<()> {
        let mut command: Process = relay(&self.program, self.port, self.data.path());
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.data.path().join("relay.log"))?;
        command.env("RUST_LOG", "info").stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.child = Some(command.spawn().context("start the relay")?);
        Ok(())
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        if let Some(child) = &self.child {
            kill(Pid::from_raw(i32::try_from(child.id())?), signal)?;
        }
        Ok(())
    }

    fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    async fn ready(&self) -> Result<()> {
        let end = Instant::now() + Duration::from_secs(20);
        while reqwest::get(format!("http://127.0.0.1:{}/readyz", self.port))
            .await
            .is_ok_and(|answer| answer.status().is_success())
            .eq(&false)
        {
            anyhow::ensure!(Instant::now() < end, "the relay did not become ready");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _already_gone = self.kill();
    }
}

struct Session {
    shared: Shared,
    proxy: Proxy,
    task: JoinHandle<()>,
    talk: watch::Sender<bool>,
}

struct Tab {
    view: Arc<Mutex<View>>,
    proxy: Proxy,
    orders: mpsc::Sender<Order>,
    task: JoinHandle<()>,
}

/// Run one seed. Gives the violations (none is a pass), the history, and a summary.
pub async fn run(options: Options) -> Result<(Vec<String>, Vec<String>, String)> {
    let mut random = StdRng::seed_from_u64(options.seed);
    let report = Report::default();
    let mut relay =
        Relay { child: None, port: free_port()?, program: options.program.clone(), data: tempfile::tempdir()? };
    relay.start()?;
    relay.ready().await?;
    let key = register(relay.port).await?;

    let mut sessions = Vec::new();
    for index in 0..options.sessions {
        let shared = Shared {
            id: SessionId::from(format!("session-{index}")),
            transcript: Arc::default(),
            unacked: Arc::new(Mutex::new(1)),
        };
        let proxy = Proxy::start(relay.port).await?;
        let (talk, talks) = watch::channel(true);
        let task = tokio::spawn(writer::run(shared.clone(), report.clone(), proxy.port, key.clone(), talks));
        sessions.push(Session { shared, proxy, task, talk });
    }
    let ids: Vec<SessionId> = sessions.iter().map(|session| session.shared.id.clone()).collect();
    let mut tabs = Vec::new();
    for index in 0..options.viewers {
        let proxy = Proxy::start(relay.port).await?;
        let view = Arc::new(Mutex::new(View::default()));
        let (orders, inbox) = mpsc::channel(64);
        let session = ids[index % ids.len()].clone();
        let viewer = viewer::run(
            format!("viewer-{index}"),
            session,
            report.clone(),
            view.clone(),
            proxy.port,
            key.clone(),
            inbox,
        );
        tabs.push(Tab { view, proxy, orders, task: tokio::spawn(viewer) });
    }

    let end = Instant::now() + options.length;
    while Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(random.random_range(80..600))).await;
        break_something(&mut random, &report, &mut relay, &mut sessions, &tabs, &ids, &key, &options).await?;
    }

    report.note(|| "healing".to_owned());
    for proxy in sessions.iter().map(|session| &session.proxy).chain(tabs.iter().map(|tab| &tab.proxy)) {
        proxy.set(Fault::None);
    }
    for session in &sessions {
        session.talk.send_replace(false);
    }
    settle(&report, &sessions, &tabs).await;

    for task in sessions.iter().map(|session| &session.task).chain(tabs.iter().map(|tab| &tab.task)) {
        task.abort();
    }
    let mut history = report.history();
    if !report.violations().is_empty() {
        let log = std::fs::read_to_string(relay.data.path().join("relay.log")).unwrap_or_default();
        history.push("--- relay log".to_owned());
        history.extend(log.lines().rev().take(60).map(str::to_owned).collect::<Vec<_>>().into_iter().rev());
    }
    let said: u64 = sessions.iter().map(|session| session.shared.transcript.lock().said).sum();
    Ok((
        report.violations(),
        history,
        format!("said {said}, prompts {}, {}", report.commands().len(), report.summary()),
    ))
}

#[allow(clippy::too_many_arguments)]
async fn break_something(
    random: &mut StdRng,
    report: &Report,
    relay: &mut Relay,
    sessions: &mut [Session],
    tabs: &[Tab],
    ids: &[SessionId],
    key: &str,
    options: &Options,
) -> Result<()> {
    let pause = Duration::from_millis(random.random_range(200..options.longest_pause.as_millis().max(201) as u64));
    match random.random_range(0..100) {
        0..10 => {
            report.note(|| "kill -9 of the relay".to_owned());
            report.count("relay killed");
            relay.kill()?;
            tokio::time::sleep(pause / 4).await;
            relay.start()?;
            relay.ready().await?;
        }
        10..18 => {
            report.note(|| format!("relay stopped for {pause:?}"));
            report.count("relay paused");
            relay.signal(Signal::SIGSTOP)?;
            tokio::time::sleep(pause).await;
            relay.signal(Signal::SIGCONT)?;
        }
        18..28 => {
            let session = &mut sessions[random.random_range(0..ids.len())];
            report.note(|| format!("kill -9 of the writer of {}", session.shared.id));
            report.count("writer killed");
            session.task.abort();
            tokio::time::sleep(pause / 4).await;
            let writer = writer::run(
                session.shared.clone(),
                report.clone(),
                session.proxy.port,
                key.to_owned(),
                session.talk.subscribe(),
            );
            session.task = tokio::spawn(writer);
        }
        28..62 => {
            let faults = [
                Fault::Cut,
                Fault::Cut,
                Fault::Stall,
                Fault::UpOnly,
                Fault::DownOnly,
                Fault::Delay(random.random_range(20..300)),
            ];
            let fault = *faults.choose(random).context("there are faults")?;
            let index = random.random_range(0..sessions.len() + tabs.len());
            let proxy = sessions
                .get(index)
                .map(|session| &session.proxy)
                .or_else(|| tabs.get(index - sessions.len()).map(|tab| &tab.proxy));
            let proxy = proxy.context("a proxy")?;
            report.note(|| format!("{fault:?} for {pause:?} on link {index}"));
            report.count("links broken");
            proxy.set(fault);
            tokio::time::sleep(pause).await;
            proxy.set(Fault::None);
        }
        62..78 => {
            let tab = tabs.choose(random).context("a tab")?;
            for _ in 0..random.random_range(1..6) {
                let session = ids.choose(random).context("a session")?.clone();
                let _busy = tab.orders.try_send(Order::Switch(session));
            }
        }
        _ => {
            for _ in 0..random.random_range(1..4) {
                let tab = tabs.choose(random).context("a tab")?;
                let _busy = tab.orders.try_send(Order::Prompt(None));
            }
        }
    }
    Ok(())
}

/// Wait until everybody agrees, asking again what became of prompts; then judge.
async fn settle(report: &Report, sessions: &[Session], tabs: &[Tab]) {
    let end = Instant::now() + SETTLE;
    let mut ask = Instant::now() + Duration::from_secs(2);
    loop {
        let open = disagreements(report, sessions, tabs);
        if open.is_empty() {
            break;
        }
        if Instant::now() > end {
            for one in open {
                report.violation(one);
            }
            break;
        }
        if Instant::now() > ask {
            ask = Instant::now() + Duration::from_secs(3);
            for (index, (id, command)) in report.commands().into_iter().enumerate() {
                if command.ended.is_empty() {
                    // A prompt is only taken for the session that is open.
                    let orders = &tabs[index % tabs.len()].orders;
                    let _busy = orders.try_send(Order::Switch(SessionId::from(command.session)));
                    let _busy = orders.try_send(Order::Prompt(Some(CommandId::from(id))));
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for (id, command) in report.commands() {
        if command.ended.len() > 1 {
            report.violation(format!("prompt {id} ended more than once: {:?}", command.ended));
        }
        if command.consumed > 1 {
            report.violation(format!("prompt {id} was acted on {} times", command.consumed));
        }
        use pizzapi_protocol::delivery::CommandState::{Cancelled, Consumed, Expired, Rejected};
        match command.ended[..] {
            [Consumed] if command.consumed == 0 => {
                report.violation(format!("prompt {id} is said to be consumed and was not"))
            }
            [Expired | Rejected | Cancelled] if command.consumed > 0 => {
                report.violation(format!("prompt {id} ended as {:?} and was acted on", command.ended));
            }
            _ => {}
        }
    }
}

fn disagreements(report: &Report, sessions: &[Session], tabs: &[Tab]) -> Vec<String> {
    let mut open = Vec::new();
    for session in sessions {
        let unacked = *session.shared.unacked.lock();
        if unacked > 0 {
            open.push(format!("{} still waits for {unacked} acknowledgements", session.shared.id));
        }
    }
    for (index, tab) in tabs.iter().enumerate() {
        let view = tab.view.lock().clone();
        let Some(session) = sessions.iter().find(|session| Some(&session.shared.id) == view.session.as_ref()) else {
            open.push(format!("viewer-{index} looks at nothing"));
            continue;
        };
        let said = session.shared.transcript.lock().said;
        if !view.hydrated || view.last != said {
            open.push(format!(
                "viewer-{index} shows {} of {said} of {} (hydrated: {})",
                view.last, session.shared.id, view.hydrated
            ));
        }
    }
    for (id, command) in report.commands() {
        if command.ended.is_empty() {
            open.push(format!(
                "prompt {id} for {} has not ended (accepted: {}, consumed {})",
                command.session, command.accepted, command.consumed
            ));
        }
    }
    open
}

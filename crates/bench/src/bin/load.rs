//! Sustained throughput, fan-out latency, attach time, memory and recovery of one relay, and the same load on the Node yardstick.
//! `load --help` lists the parts; without arguments all run. Prints Markdown tables.

#![allow(clippy::print_stdout)]

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::Parser;
use pizzapi_bench::process::{Process, free_port, register, relay};
use pizzapi_bench::wire::{Peer, field};

/// Events a session keeps in flight, as our own clients do.
const WINDOW: u64 = 512;
/// Every so many frames one is looked into for its age.
const SAMPLE: u64 = 7;

#[derive(Parser)]
struct Arguments {
    /// The program under test.
    #[arg(long, default_value = "target/release/pizzapi")]
    program: PathBuf,
    /// Folder of the Node yardstick; left out when empty.
    #[arg(long, default_value = "crates/bench/yardstick")]
    yardstick: PathBuf,
    /// Seconds per measurement.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Parts: throughput, attach, memory, growth, recovery, start.
    #[arg(long, value_delimiter = ',', default_value = "start,throughput,attach,growth,memory,recovery")]
    parts: Vec<String>,
}

#[derive(Default)]
struct Figures {
    events: u64,
    deliveries: u64,
    elapsed: Duration,
    cpu: Duration,
    latencies: Vec<u32>,
}

impl Figures {
    fn per_second(&self, count: u64) -> f64 {
        count as f64 / self.elapsed.as_secs_f64()
    }

    fn per_cpu_second(&self) -> f64 {
        self.events as f64 / self.cpu.as_secs_f64()
    }

    fn percentile(&mut self, share: f64) -> f64 {
        if self.latencies.is_empty() {
            return f64::NAN;
        }
        self.latencies.sort_unstable();
        let index = ((self.latencies.len() - 1) as f64 * share) as usize;
        f64::from(self.latencies[index]) / 1000.0
    }
}

fn main() -> Result<()> {
    rustls::crypto::ring::default_provider().install_default().ok();
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run(Arguments::parse()))
}

async fn run(arguments: Arguments) -> Result<()> {
    let has = |part: &str| arguments.parts.iter().any(|asked| asked == part);
    if has("start") {
        start(&arguments).await?;
    }
    if has("throughput") {
        throughput(&arguments).await?;
    }
    if has("attach") {
        attach(&arguments).await?;
    }
    if has("growth") {
        growth(&arguments).await?;
    }
    if has("memory") {
        memory(&arguments).await?;
    }
    if has("recovery") {
        recovery(&arguments).await?;
    }
    Ok(())
}

struct Target {
    process: Process,
    key: String,
    _data: tempfile::TempDir,
}

async fn our_relay(arguments: &Arguments) -> Result<Target> {
    let (port, data) = (free_port()?, tempfile::tempdir()?);
    let (process, _) = Process::start(&mut relay(&arguments.program, port, data.path()), port, "/readyz").await?;
    let key = register(port).await?;
    Ok(Target { process, key, _data: data })
}

async fn yardstick(arguments: &Arguments) -> Result<Target> {
    let port = free_port()?;
    let mut command = Command::new("node");
    command.arg("server.mjs").arg(port.to_string()).current_dir(&arguments.yardstick);
    let (process, _) = Process::start(&mut command, port, "/").await?;
    Ok(Target { process, key: String::new(), _data: tempfile::tempdir()? })
}

async fn start(arguments: &Arguments) -> Result<()> {
    let mut times = Vec::new();
    let mut resident = 0;
    for _ in 0..7 {
        let (port, data) = (free_port()?, tempfile::tempdir()?);
        let (process, took) =
            Process::start(&mut relay(&arguments.program, port, data.path()), port, "/readyz").await?;
        tokio::time::sleep(Duration::from_millis(300)).await;
        resident = process.resident_kib()?;
        times.push(took);
    }
    times.sort();
    println!("\n| relay alone | |\n| --- | --- |");
    println!("| cold start to ready, median of {} | {} ms |", times.len(), times[times.len() / 2].as_millis());
    println!("| resident memory, idle | {:.1} MiB |", resident as f64 / 1024.0);
    Ok(())
}

async fn throughput(arguments: &Arguments) -> Result<()> {
    println!(
        "\n| sessions × viewers | relay | acked events/s | deliveries/s | events per CPU s | p50 ms | p95 ms | p99 ms (half load) |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    for (sessions, viewers) in [(1, 1), (1, 10), (10, 10), (1, 100), (100, 1)] {
        let mut rates = Vec::new();
        for ours in [true, false] {
            if !ours && !arguments.yardstick.join("node_modules").is_dir() {
                continue;
            }
            let target = if ours { our_relay(arguments).await? } else { yardstick(arguments).await? };
            let length = Duration::from_secs(arguments.seconds);
            let full = load(&target, sessions, viewers, length, None, "a").await?;
            let half = full.per_second(full.events) / 2.0;
            let mut paced = load(&target, sessions, viewers, length, Some(half / sessions as f64), "b").await?;
            println!(
                "| {sessions} × {viewers} | {} | {:.0} | {:.0} | {:.0} | {:.2} | {:.2} | {:.2} |",
                if ours { "PizzaPi (stored)" } else { "Node yardstick (not stored)" },
                full.per_second(full.events),
                full.per_second(full.deliveries),
                full.per_cpu_second(),
                paced.percentile(0.5),
                paced.percentile(0.95),
                paced.percentile(0.99),
            );
            rates.push(full.per_cpu_second());
        }
        if let [ours, theirs] = rates[..] {
            println!("| {sessions} × {viewers} | ratio per CPU second | | | {:.1} × | | | |", ours / theirs);
        }
    }
    Ok(())
}

/// An event of about 1 KiB; the member `t` is filled in at sending.
fn body() -> String {
    format!(r#""message":{{"role":"user","content":"{}","timestamp":1}}}}"#, "x".repeat(900))
}

async fn load(
    target: &Target,
    sessions: usize,
    viewers: usize,
    length: Duration,
    pace: Option<f64>,
    run: &str,
) -> Result<Figures> {
    let origin = Instant::now();
    let deliveries = Arc::new(AtomicU64::new(0));
    let mut tasks = Vec::new();
    let mut readers = Vec::new();
    let mut peers = Vec::new();
    for session in 0..sessions {
        let id = format!("load-{run}-{session}");
        let peer = Session::register(target, &id).await?;
        for _ in 0..viewers {
            let viewer = watch(target, &id, None).await?;
            let deliveries = deliveries.clone();
            readers.push(tokio::spawn(async move { read_viewer(viewer, &deliveries, origin).await }));
        }
        peers.push(peer);
    }
    let cpu_before = target.process.cpu()?;
    let started = Instant::now();
    let end = started + length;
    for peer in peers {
        tasks.push(tokio::spawn(peer.send_until(end, pace, origin)));
    }
    let mut figures = Figures::default();
    for task in tasks {
        figures.events += task.await??;
    }
    let due = figures.events * viewers as u64;
    let give_up = Instant::now() + Duration::from_secs(15);
    while deliveries.load(Ordering::Relaxed) < due && Instant::now() < give_up {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    figures.elapsed = started.elapsed();
    figures.deliveries = deliveries.load(Ordering::Relaxed);
    figures.cpu = target.process.cpu()? - cpu_before;
    anyhow::ensure!(figures.deliveries >= due, "only {} of {due} deliveries arrived", figures.deliveries);
    for reader in readers {
        reader.abort();
    }
    figures.latencies.extend(SAMPLES.with(|samples| std::mem::take(&mut *samples.borrow_mut())));
    Ok(figures)
}

// Ages of sampled frames in microseconds. All tasks run on one thread.
thread_local! {
    static SAMPLES: std::cell::RefCell<Vec<u32>> = const { std::cell::RefCell::new(Vec::new()) };
}

struct Session {
    peer: Peer,
    id: String,
    token: String,
}

impl Session {
    async fn register(target: &Target, id: &str) -> Result<Self> {
        let auth = format!(r#"{{"apiKey":"{}","protocolVersion":1}}"#, target.key);
        let mut peer = Peer::connect(target.process.port, "/relay", &auth).await?;
        peer.writer.send(format!(r#"42/relay,["register",{{"sessionId":"{id}","cwd":"/"}}]"#).as_bytes()).await?;
        loop {
            let frame = peer.reader.next().await?.context("closed before registered")?;
            if frame == b"2" {
                peer.writer.send(b"3").await?;
            } else if frame.starts_with(br#"42/relay,["registered""#) {
                let token = field(frame, r#""token":""#, 2048).context("a token")?.to_owned();
                return Ok(Self { peer, id: id.to_owned(), token });
            }
        }
    }

    fn event(&self, seq: u64, origin: Instant, body: &str) -> String {
        let micros = origin.elapsed().as_micros();
        format!(
            r#"42/relay,["event",{{"sessionId":"{}","token":"{}","seq":{seq},"event":{{"type":"message_end","t":{micros},{body}}}]"#,
            self.id, self.token
        )
    }

    /// Send until `end`, at most [`WINDOW`] unacknowledged; then wait for the last acknowledgement. Gives how many.
    async fn send_until(mut self, end: Instant, pace: Option<f64>, origin: Instant) -> Result<u64> {
        let body = body();
        let (mut sent, mut acked) = (0, 0);
        let started = Instant::now();
        loop {
            let allowed = match pace {
                Some(rate) => ((started.elapsed().as_secs_f64() * rate) as u64).min(acked + WINDOW),
                None => acked + WINDOW,
            };
            if Instant::now() < end {
                while sent < allowed {
                    sent += 1;
                    let event = self.event(sent, origin, &body);
                    self.peer.writer.queue(event.as_bytes());
                }
                self.peer.writer.flush().await?;
            } else if acked == sent {
                return Ok(sent);
            }
            let next = async {
                let frame = self.peer.reader.next().await?.context("closed by the server")?;
                anyhow::Ok(take_ack(frame))
            };
            let seen = match pace {
                Some(_) => match tokio::time::timeout(Duration::from_millis(1), next).await {
                    Ok(seen) => seen?,
                    Err(_) => Seen::Other,
                },
                None => next.await?,
            };
            let mut seen = Some(seen);
            while let Some(one) = seen {
                match one {
                    Seen::Ack(seq) => acked = acked.max(seq),
                    Seen::Ping => self.peer.writer.queue(b"3"),
                    Seen::Other => {}
                }
                seen = self.peer.reader.ready()?.map(take_ack);
            }
        }
    }
}

enum Seen {
    Ack(u64),
    Ping,
    Other,
}

fn take_ack(frame: &[u8]) -> Seen {
    if frame == b"2" {
        return Seen::Ping;
    }
    if !frame.starts_with(br#"42/relay,["event_ack""#) {
        return Seen::Other;
    }
    field(frame, r#""seq":"#, 512).and_then(|seq| seq.parse().ok()).map_or(Seen::Other, Seen::Ack)
}

async fn watch(target: &Target, id: &str, last_seq: Option<u64>) -> Result<Peer> {
    let auth = format!(r#"{{"apiKey":"{}","protocolVersion":1,"clientVersion":"bench"}}"#, target.key);
    let mut peer = Peer::connect(target.process.port, "/viewer", &auth).await?;
    let last = last_seq.map(|seq| format!(r#","lastSeq":{seq}"#)).unwrap_or_default();
    peer.writer
        .send(format!(r#"42/viewer,["switch_session",{{"sessionId":"{id}","generation":1{last}}}]"#).as_bytes())
        .await?;
    loop {
        let frame = peer.reader.next().await?.context("closed before connected")?;
        if frame == b"2" {
            peer.writer.send(b"3").await?;
        } else if frame.starts_with(br#"42/viewer,["connected""#) {
            return Ok(peer);
        }
    }
}

async fn read_viewer(mut peer: Peer, deliveries: &AtomicU64, origin: Instant) -> Result<()> {
    let mut count = 0u64;
    loop {
        let Some(frame) = peer.reader.next().await? else { return Ok(()) };
        let mut frame = Some(frame);
        let mut batch = 0;
        let mut ping = false;
        while let Some(bytes) = frame {
            if bytes.starts_with(br#"42/viewer,["event""#) && field(bytes, r#""type":"message_end"#, 160).is_some() {
                batch += 1;
                count += 1;
                if count.is_multiple_of(SAMPLE)
                    && let Some(sent) = field(bytes, r#""t":"#, 256).and_then(|sent| sent.parse::<u64>().ok())
                {
                    let age = (origin.elapsed().as_micros() as u64).saturating_sub(sent);
                    SAMPLES.with(|samples| samples.borrow_mut().push(u32::try_from(age).unwrap_or(u32::MAX)));
                }
            } else if bytes == b"2" {
                ping = true;
            }
            frame = peer.reader.ready()?;
        }
        deliveries.fetch_add(batch, Ordering::Relaxed);
        if ping {
            peer.writer.send(b"3").await?;
        }
        tokio::task::yield_now().await;
    }
}

/// Put `count` events into a fresh session and return its sender.
async fn filled(target: &Target, id: &str, count: u64) -> Result<(Session, Duration)> {
    let mut session = Session::register(target, id).await?;
    let body = body();
    let origin = Instant::now();
    let snapshot = r#"{"type":"session_active","state":{"messages":[],"model":null,"thinkingLevel":null,"sessionName":null,"cwd":"/","availableModels":[],"availableCommands":[],"todoList":[],"analysis":null,"goal":null,"queuedMessages":[]}}"#;
    let frame =
        format!(r#"42/relay,["event",{{"sessionId":"{id}","token":"{}","seq":1,"event":{snapshot}}}]"#, session.token);
    session.peer.writer.send(frame.as_bytes()).await?;
    let (mut sent, mut acked) = (1, 0);
    while acked < count + 1 {
        while sent < count + 1 && sent < acked + WINDOW {
            sent += 1;
            let event = session.event(sent, origin, &body);
            session.peer.writer.queue(event.as_bytes());
        }
        session.peer.writer.flush().await?;
        let frame = session.peer.reader.next().await?.context("closed by the server")?;
        match take_ack(frame) {
            Seen::Ack(seq) => acked = acked.max(seq),
            Seen::Ping => session.peer.writer.queue(b"3"),
            Seen::Other => {}
        }
    }
    Ok((session, origin.elapsed()))
}

async fn attach(arguments: &Arguments) -> Result<()> {
    println!("\n| attach to a session of | median of 9 until the last event is there |\n| --- | --- |");
    for count in [1_000, 5_000] {
        let target = our_relay(arguments).await?;
        let (_session, _) = filled(&target, "attach", count).await?;
        let mut times = Vec::new();
        for _ in 0..9 {
            let started = Instant::now();
            let mut peer = watch(&target, "attach", Some(1)).await?;
            let mut events = 0;
            while events < count {
                let frame = peer.reader.next().await?.context("closed by the server")?;
                if frame.starts_with(br#"42/viewer,["event""#) {
                    events += 1;
                }
            }
            times.push(started.elapsed());
        }
        times.sort();
        println!("| {count} events of 1 KiB | {:.1} ms |", times[times.len() / 2].as_secs_f64() * 1000.0);
    }
    Ok(())
}

async fn growth(arguments: &Arguments) -> Result<()> {
    println!("\n| events in the log | CPU per event while getting there |\n| --- | --- |");
    let target = our_relay(arguments).await?;
    let mut session = Session::register(&target, "growth").await?;
    let body = body();
    let origin = Instant::now();
    let (mut sent, mut acked) = (0u64, 0);
    let (mut cpu, mut from) = (target.process.cpu()?, 0);
    for mark in [1_000, 10_000, 100_000, 1_000_000] {
        while acked < mark {
            while sent < mark && sent < acked + WINDOW {
                sent += 1;
                let event = session.event(sent, origin, &body);
                session.peer.writer.queue(event.as_bytes());
            }
            session.peer.writer.flush().await?;
            let frame = session.peer.reader.next().await?.context("closed by the server")?;
            match take_ack(frame) {
                Seen::Ack(seq) => acked = acked.max(seq),
                Seen::Ping => session.peer.writer.queue(b"3"),
                Seen::Other => {}
            }
        }
        let now = target.process.cpu()?;
        println!("| {from} → {mark} | {:.1} µs |", (now - cpu).as_secs_f64() * 1e6 / (mark - from) as f64);
        (cpu, from) = (now, mark);
    }
    println!("| resident after 10⁶ | {:.1} MiB |", target.process.resident_kib()? as f64 / 1024.0);
    Ok(())
}

async fn memory(arguments: &Arguments) -> Result<()> {
    println!("\n| idle viewers | resident per viewer |\n| --- | --- |");
    for count in [1_000u64, 5_000] {
        let target = our_relay(arguments).await?;
        let (_session, _) = filled(&target, "idle", 10).await?;
        tokio::time::sleep(Duration::from_millis(500)).await;
        let before = target.process.resident_kib()?;
        let mut viewers = Vec::new();
        for _ in 0..count {
            viewers.push(watch(&target, "idle", None).await?);
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        let after = target.process.resident_kib()?;
        println!("| {count} | {:.1} KiB |", (after.saturating_sub(before)) as f64 / count as f64);
    }
    Ok(())
}

async fn recovery(arguments: &Arguments) -> Result<()> {
    println!("\n| after `kill -9` of the relay | |\n| --- | --- |");
    let (port, data) = (free_port()?, tempfile::tempdir()?);
    let (mut process, _) = Process::start(&mut relay(&arguments.program, port, data.path()), port, "/readyz").await?;
    let key = register(port).await?;
    let target = Target { process, key, _data: tempfile::tempdir()? };
    let (_session, _) = filled(&target, "recover", 5_000).await?;
    let Target { process: mut running, key, .. } = target;
    running.kill()?;
    let (restarted, up) = Process::start(&mut relay(&arguments.program, port, data.path()), port, "/readyz").await?;
    process = restarted;
    let target = Target { process, key, _data: tempfile::tempdir()? };
    let started = Instant::now();
    let mut peer = watch(&target, "recover", Some(1)).await?;
    let mut events = 0;
    while events < 5_000 {
        let frame = peer.reader.next().await?.context("closed by the server")?;
        if frame.starts_with(br#"42/viewer,["event""#) {
            events += 1;
        }
    }
    println!("| ready again | {} ms |", up.as_millis());
    println!(
        "| a viewer has its 5 000 missed events | {:.0} ms after its connection |",
        started.elapsed().as_secs_f64() * 1000.0
    );
    Ok(())
}

//! The server under test as a process: start, wait, what it used, stop.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

pub struct Process {
    child: Child,
    pub port: u16,
}

impl Process {
    /// Start `program` and wait until `GET path` answers 200. Gives the time that took.
    pub async fn start(command: &mut Command, port: u16, path: &str) -> Result<(Self, Duration)> {
        let started = Instant::now();
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("start the server")?;
        let mut process = Self { child, port };
        loop {
            if http_ok(port, path).await {
                return Ok((process, started.elapsed()));
            }
            if let Some(status) = process.child.try_wait()? {
                bail!("the server ended: {status}");
            }
            if started.elapsed() > Duration::from_secs(20) {
                bail!("the server did not answer within 20 s");
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// User and system time used so far.
    pub fn cpu(&self) -> Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid()))?;
        let mut fields = stat[stat.rfind(')').context("a stat line")? + 1..].split_whitespace().skip(11);
        let mut ticks = || -> Result<u64> { Ok(fields.next().context("a field")?.parse()?) };
        // Linux counts these in hundredths of a second.
        Ok(Duration::from_millis((ticks()? + ticks()?) * 10))
    }

    /// Resident memory in KiB.
    pub fn resident_kib(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("VmRSS")?;
        Ok(line.split_whitespace().nth(1).context("a number")?.parse()?)
    }

    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _already_gone = self.kill();
    }
}

pub fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

async fn http_ok(port: u16, path: &str) -> bool {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let ask = async {
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
        stream
            .write_all(format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n").as_bytes())
            .await?;
        let mut head = [0; 12];
        stream.read_exact(&mut head).await?;
        anyhow::Ok(&head == b"HTTP/1.1 200")
    };
    ask.await.unwrap_or(false)
}

/// The relay of this workspace as a command.
pub fn relay(program: &Path, port: u16, data: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(["server", "--bind", "127.0.0.1", "--port", &port.to_string(), "--data-dir"]).arg(data);
    command.env("PIZZAPI_HOME", data.join("home")).env("RUST_LOG", "warn");
    command
}

/// An account and its key, as the command line registers them.
pub async fn register(port: u16) -> Result<String> {
    let body = r#"{"name":"Bench","email":"bench@example.com","password":"Quattro4Stagioni"}"#;
    let answer = reqwest::Client::new()
        .post(format!("http://127.0.0.1:{port}/api/register"))
        .header("content-type", "application/json")
        .body(body)
        .send()
        .await?
        .text()
        .await?;
    let answer: serde_json::Value = serde_json::from_str(&answer)?;
    Ok(answer["key"].as_str().with_context(|| format!("no key in {answer}"))?.to_owned())
}

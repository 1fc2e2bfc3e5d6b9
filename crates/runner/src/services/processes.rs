//! What runs inside a session, seen from outside: list and end.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::{Failure, Reply};
use crate::process_tree::{self, Process};

const END_GRACE: Duration = Duration::from_secs(5);
/// The end of a log that is shown.
pub const TAIL_BYTES: u64 = 8 * 1024;

pub fn list(worker: u32) -> Reply {
    let family = i32::try_from(worker).map(process_tree::family).unwrap_or_default();
    let processes: Vec<Value> = family.iter().filter(|process| !process.is_zombie).map(describe).collect();
    Ok(json!({ "workerPid": worker, "processes": processes, "shells": [] }))
}

/// End one process of the session and what it started. Never the session itself, never a stranger.
pub async fn kill(worker: u32, pid: i64) -> Reply {
    let pid = i32::try_from(pid).map_err(|_| Failure::new(format!("Invalid pid: {pid}")))?;
    let leader = i32::try_from(worker).unwrap_or_default();
    if pid == leader {
        return Err(Failure::new("the session itself is ended with its own button"));
    }
    if !process_tree::family(leader).iter().any(|process| process.pid == pid) {
        return Err(Failure::new(format!("process {pid} does not belong to this session")));
    }
    process_tree::end_family(pid, Signal::SIGTERM, END_GRACE).await;
    list(worker)
}

fn describe(process: &Process) -> Value {
    let pid = process.pid;
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let command = String::from_utf8_lossy(&command).trim_end_matches('\0').replace('\0', " ");
    let rss_kb: u64 = std::fs::read_to_string(format!("/proc/{pid}/status"))
        .ok()
        .and_then(|status| {
            status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.split_whitespace().next()?.parse().ok()
        })
        .unwrap_or(0);
    json!({ "pid": pid, "etime": elapsed(pid), "rssKb": rss_kb, "command": command })
}

/// How long a process runs, as `ps` writes it: `[[days-]hours:]minutes:seconds`.
fn elapsed(pid: i32) -> String {
    let seconds = || -> Option<u64> {
        let ticks: u64 = crate::identity::process_start_time(u32::try_from(pid).ok()?)?.parse().ok()?;
        let per_second = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok()??.max(1) as u64;
        let uptime: f64 = std::fs::read_to_string("/proc/uptime").ok()?.split_whitespace().next()?.parse().ok()?;
        Some((uptime as u64).saturating_sub(ticks / per_second))
    };
    let seconds = seconds().unwrap_or(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes:02}:{:02}", seconds % 60),
        (0, _) => format!("{hours:02}:{minutes:02}:{:02}", seconds % 60),
        _ => format!("{days}-{hours:02}:{minutes:02}:{:02}", seconds % 60),
    }
}

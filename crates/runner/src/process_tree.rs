//! Signals for everything that a session or terminal started, not only for the process we know.

use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

/// One line of `/proc/<pid>/stat` that matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    pub pid: i32,
    pub parent: i32,
    pub group: i32,
    pub session: i32,
    pub is_zombie: bool,
}

/// Every process of this machine that `/proc` shows.
pub fn processes() -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| {
            let pid: i32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let mut fields = stat[stat.rfind(')')? + 1..].split_whitespace();
            let state = fields.next()?;
            Some(Process {
                pid,
                parent: fields.next()?.parse().ok()?,
                group: fields.next()?.parse().ok()?,
                session: fields.next()?.parse().ok()?,
                is_zombie: state == "Z",
            })
        })
        .collect()
}

/// All that descends from `leader` or shares its session, the leader included. Children that made a session of their own are found
/// through their parents; only a child that did so and lost its parent escapes.
pub fn family(leader: i32) -> Vec<Process> {
    let all = processes();
    let mut members: Vec<i32> = vec![leader];
    let mut index = 0;
    while index < members.len() {
        let parent = members[index];
        for process in &all {
            if (process.parent == parent || process.session == parent) && !members.contains(&process.pid) {
                members.push(process.pid);
            }
        }
        index += 1;
    }
    all.into_iter().filter(|process| members.contains(&process.pid)).collect()
}

/// Send `signal` to the whole family of `leader`. Processes that ended meanwhile do not matter.
pub fn signal_family(leader: i32, signal: Signal) {
    let _gone = killpg(Pid::from_raw(leader), signal);
    for process in family(leader) {
        let _gone = kill(Pid::from_raw(process.pid), signal);
    }
}

/// Ask the family of `leader` to end with `ask`, insist with SIGKILL after `grace`. Returns when none of it is left.
pub async fn end_family(leader: i32, ask: Signal, grace: Duration) {
    /// How often to look whether all are gone.
    const LOOK: Duration = Duration::from_millis(40);
    /// After SIGKILL only the kernel can delay the end; then we stop looking.
    const LAST: Duration = Duration::from_secs(2);

    // Remembered, because children of a dead leader can no longer be found through it.
    let mut known: Vec<(i32, Option<String>)> = Vec::new();
    let remember = |known: &mut Vec<(i32, Option<String>)>| {
        for process in family(leader) {
            if !process.is_zombie && !known.iter().any(|(pid, _)| *pid == process.pid) {
                known.push((process.pid, start_of(process.pid)));
            }
        }
    };
    remember(&mut known);
    signal_family(leader, ask);
    for (limit, insist) in [(grace, true), (LAST, false)] {
        let end = tokio::time::Instant::now() + limit;
        loop {
            remember(&mut known);
            known.retain(|(pid, start)| is_alive(*pid, start.as_deref()));
            if known.is_empty() {
                return;
            }
            if tokio::time::Instant::now() >= end {
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        if insist {
            for (pid, _) in &known {
                let _gone = kill(Pid::from_raw(*pid), Signal::SIGKILL);
            }
        }
    }
}

fn start_of(pid: i32) -> Option<String> {
    crate::identity::process_start_time(u32::try_from(pid).ok()?)
}

/// Is it still the process that had this start time, and not a zombie?
pub fn is_alive(pid: i32, start: Option<&str>) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    let zombie = stat.rfind(')').is_some_and(|end| stat[end + 1..].trim_start().starts_with('Z'));
    !zombie && start.is_none_or(|start| start_of(pid).as_deref() == Some(start))
}

//! Starting processes so that all they start can be found again, and ending all of it.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use tokio::process::Command;
use tokio::time::{Instant, sleep};

/// Between SIGTERM and SIGKILL: enough to flush and remove lock files.
pub const GRACE: Duration = Duration::from_secs(2);
/// How often we look whether the processes are gone.
const LOOK: Duration = Duration::from_millis(25);
/// After SIGKILL only the kernel can delay an end.
const LAST: Duration = Duration::from_secs(2);

/// Let `command` lead a session of its own: no controlling terminal, and everything it starts carries its session id.
pub fn new_session(command: &mut Command) {
    // SAFETY: between fork and exec only async-signal-safe functions may run; setsid is one and allocates nothing.
    #[allow(unsafe_code)]
    unsafe {
        command.pre_exec(|| nix::unistd::setsid().map(drop).map_err(io::Error::from));
    }
}

/// One process of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    pub pid: i32,
    pub parent: i32,
    pub session: i32,
    pub is_zombie: bool,
    /// Distinguishes this process from a later one with the same id. Units: the system's own.
    pub started: u64,
}

/// What is known about one process; `None` when it does not exist.
#[cfg(target_os = "linux")]
pub fn process(pid: i32) -> Option<Process> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may contain anything, so the fields begin behind the last one.
    let mut fields = stat[stat.rfind(')')? + 1..].split_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    let session = fields.nth(1)?.parse().ok()?;
    let started = fields.nth(15)?.parse().ok()?;
    Some(Process { pid, parent, session, is_zombie: matches!(state, "Z" | "X"), started })
}

/// Every process we may look at.
#[cfg(target_os = "linux")]
pub fn processes() -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries.filter_map(|entry| process(entry.ok()?.file_name().to_str()?.parse().ok()?)).collect()
}

/// What is known about one process; `None` when it does not exist.
#[cfg(not(target_os = "linux"))]
pub fn process(pid: i32) -> Option<Process> {
    processes().into_iter().find(|process| process.pid == pid)
}

/// Every process we may look at.
#[cfg(not(target_os = "linux"))]
pub fn processes() -> Vec<Process> {
    // The session is not shown everywhere; the group of a session's leader is the same number.
    let Ok(output) = std::process::Command::new("ps").args(["-axo", "pid=,ppid=,pgid=,state="]).output() else {
        return Vec::new();
    };
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| {
            let mut fields = line.split_whitespace();
            let pid = fields.next()?.parse().ok()?;
            let parent = fields.next()?.parse().ok()?;
            let session = fields.next()?.parse().ok()?;
            Some(Process { pid, parent, session, is_zombie: fields.next()?.starts_with('Z'), started: 0 })
        })
        .collect()
}

/// Does this very process still run? `started`: as seen earlier, so that a reused id does not count.
pub fn is_running(pid: i32, started: u64) -> bool {
    process(pid).is_some_and(|process| !process.is_zombie && process.started == started)
}

/// A variable in the environment of everything a command starts. Finds what left the session and lost its parents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    pub name: &'static str,
    pub value: String,
}

impl Marker {
    #[cfg(target_os = "linux")]
    fn is_on(&self, pid: i32) -> bool {
        let Ok(environment) = std::fs::read(format!("/proc/{pid}/environ")) else { return false };
        let wanted = format!("{}={}", self.name, self.value);
        environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes())
    }

    #[cfg(not(target_os = "linux"))]
    fn is_on(&self, _: i32) -> bool {
        false
    }
}

/// All living processes that `leader` started: its descendants, its session and what carries `marker`.
///
/// `leader_lives`: the leader runs or was not waited for yet. Otherwise its number may mean somebody else by now, and only the
/// marker counts.
pub fn family(leader: i32, leader_lives: bool, marker: Option<&Marker>) -> Vec<Process> {
    let all = processes();
    let mut members: Vec<i32> = if leader_lives { vec![leader] } else { Vec::new() };
    if let Some(marker) = marker {
        let own = i32::try_from(std::process::id()).unwrap_or(0);
        members.extend(all.iter().map(|process| process.pid).filter(|pid| *pid != own && marker.is_on(*pid)));
    }
    let mut index = 0;
    while index < members.len() {
        let member = members[index];
        for process in &all {
            let related = process.parent == member || (leader_lives && process.session == leader);
            if related && !members.contains(&process.pid) {
                members.push(process.pid);
            }
        }
        index += 1;
    }
    all.into_iter().filter(|process| members.contains(&process.pid) && !process.is_zombie).collect()
}

/// Ask everything `leader` started to end, insist after `grace`, and return when it is gone. `false`: something survived,
/// which only the kernel can be blamed for.
pub async fn terminate(leader: i32, leader_lives: bool, marker: Option<&Marker>, grace: Duration) -> bool {
    let mut known: HashMap<i32, Process> = HashMap::new();
    let mut asked: Vec<i32> = Vec::new();
    for (signal, patience) in [(Signal::SIGTERM, grace), (Signal::SIGKILL, LAST)] {
        let deadline = Instant::now() + patience;
        asked.clear();
        if leader_lives {
            // At once and without looking: covers what is forked while we look.
            let _gone = killpg(Pid::from_raw(leader), signal);
        }
        loop {
            for process in family(leader, leader_lives, marker) {
                known.insert(process.pid, process);
            }
            known.retain(|pid, process| is_running(*pid, process.started));
            if known.is_empty() {
                return true;
            }
            for pid in known.keys() {
                if signal == Signal::SIGKILL || !asked.contains(pid) {
                    let _gone = kill(Pid::from_raw(*pid), signal);
                    asked.push(*pid);
                }
            }
            if Instant::now() >= deadline {
                break;
            }
            sleep(LOOK).await;
        }
    }
    false
}

//! One terminal: a program on a pseudo terminal, a thread that reads it, a thread that writes it.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::sys::signal::Signal;
use parking_lot::{Condvar, Mutex};
use portable_pty::{CommandBuilder, MasterPty, PtySize, native_pty_system};
use tokio::sync::mpsc;

use super::{Output, Request, TerminalError};
use crate::process_tree;

/// Most bytes in one event. Larger ones delay the echo of a key behind them.
pub const CHUNK_BYTES: usize = 32 * 1024;
/// Input that waits for the program. A program that does not read for so long loses further keys, as on a real terminal.
const INPUT_MESSAGES: usize = 1024;
/// Between asking a terminal's programs to end and killing them.
const END_GRACE: Duration = Duration::from_secs(5);
/// How long output that is still in the pipe may follow the end of the program.
const DRAIN: Duration = Duration::from_millis(250);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub cols: u16,
    pub rows: u16,
}

impl Default for Size {
    fn default() -> Self {
        Self { cols: 80, rows: 24 }
    }
}

impl From<Size> for PtySize {
    fn from(size: Size) -> Self {
        Self { cols: size.cols.max(1), rows: size.rows.max(1), pixel_width: 0, pixel_height: 0 }
    }
}

/// Holds back the reading thread while nobody takes the output.
#[derive(Debug, Default)]
struct Gate {
    closed: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn pass(&self) {
        let mut closed = self.closed.lock();
        while *closed {
            self.opened.wait(&mut closed);
        }
    }

    fn set(&self, closed: bool) {
        *self.closed.lock() = closed;
        self.opened.notify_all();
    }
}

pub struct Terminal {
    leader: i32,
    master: Mutex<Box<dyn MasterPty + Send>>,
    input: mpsc::Sender<Vec<u8>>,
    gate: Arc<Gate>,
    killed: Arc<AtomicBool>,
}

impl std::fmt::Debug for Terminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terminal").field("leader", &self.leader).finish_non_exhaustive()
    }
}

impl Terminal {
    pub(super) fn start(request: &Request, output: mpsc::Sender<(String, Output)>) -> Result<Self, TerminalError> {
        let shell = request.shell.clone();
        let failed = |reason: String| TerminalError::Spawn { shell: shell.clone(), cwd: request.cwd.clone(), reason };
        let pair = native_pty_system().openpty(request.size.into()).map_err(|error| failed(format!("{error:#}")))?;
        let mut command = CommandBuilder::new(&shell);
        if is_posix_shell(&shell) {
            command.args(["-i", "-l"]);
        }
        command.cwd(&request.cwd);
        command.env("TERM", "xterm-256color");
        command.env("COLORTERM", "truecolor");
        if command.get_env("LANG").is_none() {
            command.env("LANG", "en_US.UTF-8");
        }
        command.env("TERMINAL_WORKER_ID", &request.id);
        for name in crate::sessions::PRIVATE_VARIABLES {
            command.env_remove(name);
        }
        let mut child = pair.slave.spawn_command(command).map_err(|error| failed(format!("{error:#}")))?;
        // As long as we hold the slave, the end of the program does not end the stream.
        drop(pair.slave);
        let leader = child.process_id().and_then(|pid| i32::try_from(pid).ok()).unwrap_or_default();
        let reader = pair.master.try_clone_reader().map_err(|error| failed(format!("{error:#}")))?;
        let writer = pair.master.take_writer().map_err(|error| failed(format!("{error:#}")))?;

        let gate = Arc::new(Gate::default());
        let killed = Arc::new(AtomicBool::new(false));
        let (input, keys) = mpsc::channel(INPUT_MESSAGES);
        let (read_end, drained) = std::sync::mpsc::channel();
        let id = request.id.clone();
        {
            let (id, gate, output) = (id.clone(), gate.clone(), output.clone());
            thread("terminal-read", move || {
                read(reader, &id, &gate, &output);
                let _nobody_waits = read_end.send(());
            });
        }
        thread("terminal-write", move || write(writer, keys));
        {
            let killed = killed.clone();
            let gate = gate.clone();
            thread("terminal-wait", move || {
                let status = child.wait();
                // What the program wrote last is still on its way. A background job may keep the stream open for ever, so the end
                // of the program ends the terminal after a moment.
                gate.set(false);
                let _time_out = drained.recv_timeout(DRAIN);
                let code = match status {
                    Ok(_) if killed.load(Ordering::Acquire) => -1,
                    Ok(status) => i32::try_from(status.exit_code()).unwrap_or(1),
                    Err(_) => 1,
                };
                let _daemon_ended = output.blocking_send((id, Output::Exit(code)));
            });
        }
        Ok(Self { leader, master: Mutex::new(pair.master), input, gate, killed })
    }

    /// Keys for the program. `false`: it has not read for so long that they were dropped.
    pub fn write(&self, bytes: Vec<u8>) -> bool {
        self.input.try_send(bytes).is_ok()
    }

    pub fn resize(&self, size: Size) {
        if size.cols > 0
            && size.rows > 0
            && let Err(error) = self.master.lock().resize(size.into())
        {
            tracing::debug!(%error, "a terminal could not be resized");
        }
    }

    /// Stop or go on reading; while stopped the kernel stops the program when its buffer is full.
    pub fn pause(&self, paused: bool) {
        self.gate.set(paused);
    }

    /// End the program and everything started from it. The exit is reported as -1.
    pub fn end(&self) -> impl Future<Output = ()> + Send + use<> {
        self.killed.store(true, Ordering::Release);
        self.gate.set(false);
        let leader = self.leader;
        async move {
            if leader > 0 {
                process_tree::end_family(leader, Signal::SIGHUP, END_GRACE).await;
            }
        }
    }

    /// Process id of the program, which leads its own session.
    pub fn leader(&self) -> i32 {
        self.leader
    }
}

fn thread(name: &str, work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new()
        .name(name.to_owned())
        .stack_size(128 * 1024)
        .spawn(work)
        .expect("the system has threads left");
}

fn read(mut reader: Box<dyn Read + Send>, id: &str, gate: &Gate, output: &mpsc::Sender<(String, Output)>) {
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        gate.pass();
        match reader.read(&mut buffer) {
            // EIO is how Linux says that the last program closed the terminal.
            Ok(0) | Err(_) => return,
            Ok(length) => {
                if output.blocking_send((id.to_owned(), Output::Data(buffer[..length].to_vec()))).is_err() {
                    return;
                }
            }
        }
    }
}

fn write(mut writer: Box<dyn Write + Send>, mut keys: mpsc::Receiver<Vec<u8>>) {
    while let Some(bytes) = keys.blocking_recv() {
        if writer.write_all(&bytes).and_then(|()| writer.flush()).is_err() {
            return;
        }
    }
}

fn is_posix_shell(shell: &str) -> bool {
    let name = shell.rsplit('/').next().unwrap_or(shell);
    matches!(name, "sh" | "bash" | "zsh" | "fish" | "dash" | "ksh")
}

//! Terminals of this machine, by id.
//!
//! Output is bytes from end to end; nothing here decodes it. One slow reader stops its own program and nothing else: the thread that
//! reads a terminal blocks when its output is not taken, and then the kernel stops the program that writes.

mod terminal;

use std::collections::HashMap;
use std::path::PathBuf;

use tokio::sync::mpsc;

pub use terminal::{Size, Terminal};

/// Most terminals at once. More is a runaway client, not a person.
pub const MAX_TERMINALS: usize = 16;

/// What a terminal tells the daemon.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Bytes the program wrote; may split a character anywhere. Never empty, at most [`terminal::CHUNK_BYTES`].
    Data(Vec<u8>),
    /// The program ended; nothing follows. -1: it was killed.
    Exit(i32),
}

/// A terminal to start.
#[derive(Debug, Clone)]
pub struct Request {
    pub id: String,
    pub cwd: PathBuf,
    pub shell: String,
    pub size: Size,
}

#[derive(Debug, thiserror::Error)]
pub enum TerminalError {
    #[error("Missing terminalId")]
    MissingId,
    #[error("Terminal already exists")]
    Exists,
    #[error("Terminal not found")]
    NotFound,
    #[error("too many terminals on this machine (at most {MAX_TERMINALS})")]
    TooMany,
    #[error("cwd outside allowed roots: {}", .0.display())]
    Forbidden(PathBuf),
    #[error("failed to start `{shell}` in `{}`: {reason}", cwd.display())]
    Spawn { shell: String, cwd: PathBuf, reason: String },
}

/// All terminals of one daemon.
#[derive(Debug)]
pub struct Terminals {
    open: HashMap<String, Terminal>,
    output: mpsc::Sender<(String, Output)>,
}

impl Terminals {
    /// `output` carries what every terminal says. Its capacity bounds what waits for the relay.
    pub fn new(output: mpsc::Sender<(String, Output)>) -> Self {
        Self { open: HashMap::new(), output }
    }

    pub fn start(&mut self, request: Request) -> Result<(), TerminalError> {
        if request.id.is_empty() {
            return Err(TerminalError::MissingId);
        }
        if self.open.contains_key(&request.id) {
            return Err(TerminalError::Exists);
        }
        if self.open.len() >= MAX_TERMINALS {
            return Err(TerminalError::TooMany);
        }
        let terminal = Terminal::start(&request, self.output.clone())?;
        self.open.insert(request.id, terminal);
        Ok(())
    }

    pub fn get(&self, id: &str) -> Result<&Terminal, TerminalError> {
        self.open.get(id).ok_or(TerminalError::NotFound)
    }

    /// After [`Output::Exit`] was passed on.
    pub fn forget(&mut self, id: &str) {
        self.open.remove(id);
    }

    pub fn ids(&self) -> Vec<String> {
        let mut ids: Vec<_> = self.open.keys().cloned().collect();
        ids.sort();
        ids
    }

    /// End every terminal and all that runs in it.
    pub async fn end_all(&mut self) {
        let ends: Vec<_> = self.open.drain().map(|(_, terminal)| terminal.end()).collect();
        futures_util::future::join_all(ends).await;
    }
}

//! What a command printed: the end in memory, everything in a file once it is long.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::limits::{Cut, MAX_BYTES, MAX_LINES, tail};

/// What memory keeps: more than a result can show, so that cutting at lines has room.
const KEEP_BYTES: usize = 4 * MAX_BYTES;
/// A command in an endless loop must not fill the disk.
const MAX_LOG_BYTES: u64 = 512 * 1024 * 1024;

#[derive(Debug)]
pub(super) struct Collected {
    kept: Vec<u8>,
    /// Units: bytes.
    total: u64,
    newlines: usize,
    log: Option<File>,
    log_path: PathBuf,
    /// Why the log is not complete, if it is not.
    pub log_problem: Option<String>,
}

impl Collected {
    pub fn new(log_path: PathBuf) -> Self {
        Self { kept: Vec::new(), total: 0, newlines: 0, log: None, log_path, log_problem: None }
    }

    pub fn push(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        self.newlines += bytes.iter().filter(|byte| **byte == b'\n').count();
        self.kept.extend_from_slice(bytes);
        if self.log.is_some() {
            self.append(bytes);
        } else if self.kept.len() > MAX_BYTES || self.newlines >= MAX_LINES {
            self.log_everything();
        }
        if self.kept.len() > 2 * KEEP_BYTES {
            self.kept.drain(..self.kept.len() - KEEP_BYTES);
        }
    }

    /// From now on everything is in the file, too, including what came before.
    pub fn log_everything(&mut self) {
        if self.log.is_some() || self.log_problem.is_some() {
            return;
        }
        match create_log(&self.log_path) {
            Ok(file) => {
                self.log = Some(file);
                let kept = std::mem::take(&mut self.kept);
                self.append(&kept);
                self.kept = kept;
            }
            Err(error) => self.log_problem = Some(error.to_string()),
        }
    }

    fn append(&mut self, bytes: &[u8]) {
        if self.log_problem.is_some() {
            return;
        }
        if self.total > MAX_LOG_BYTES {
            self.log_problem = Some(format!("the log ends after {MAX_LOG_BYTES} bytes"));
            return;
        }
        if let Some(log) = &mut self.log
            && let Err(error) = log.write_all(bytes)
        {
            self.log_problem = Some(error.to_string());
        }
    }

    pub fn log_path(&self) -> Option<&Path> {
        self.log.is_some().then_some(self.log_path.as_path())
    }

    /// The part a model gets to see.
    pub fn shown(&self) -> Cut {
        let mut cut = tail(&readable(&self.kept), MAX_LINES, MAX_BYTES);
        let ends_in_line = self.kept.last().is_some_and(|byte| *byte != b'\n');
        cut.total_lines = self.newlines + usize::from(ends_in_line);
        cut.total_bytes = usize::try_from(self.total).unwrap_or(usize::MAX);
        cut
    }
}

pub(super) fn create_log(path: &Path) -> std::io::Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Text without the control characters that no terminal shows and no JSON reader likes. Colours stay.
pub(super) fn readable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t' | '\r' | '\u{1b}' | '\u{8}')).collect()
}

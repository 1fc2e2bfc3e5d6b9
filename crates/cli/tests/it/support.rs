//! A terminal to run the program in, and a home of its own for every test.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use serde_json::json;
use unicode_width::UnicodeWidthChar;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_pizzapi");
const PATIENCE: Duration = Duration::from_secs(20);

/// A home directory with a model that a test plays, and a folder to work in.
pub struct Place {
    _folder: tempfile::TempDir,
    pub home: PathBuf,
    pub work: PathBuf,
}

impl Place {
    pub fn new(model_url: Option<&str>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (home, work) = (folder.path().join("home"), folder.path().join("work"));
        std::fs::create_dir_all(&home).expect("a home");
        std::fs::create_dir_all(&work).expect("a folder to work in");
        if let Some(url) = model_url {
            let models = json!({"providers": {"test": {
                "baseUrl": url, "api": "anthropic-messages", "apiKey": "test-key",
                "models": [{"id": "scripted", "name": "Scripted", "contextWindow": 100_000}],
            }}});
            std::fs::write(home.join("models.json"), models.to_string()).expect("models.json");
        }
        Self { _folder: folder, home, work }
    }

    pub fn variables(&self) -> Vec<(String, String)> {
        let home = self.home.to_string_lossy().into_owned();
        [
            ("PIZZAPI_HOME", home.as_str()),
            ("HOME", home.as_str()),
            ("PATH", option_env!("PATH").unwrap_or("/usr/local/bin:/usr/bin:/bin")),
            ("LANG", "C.UTF-8"),
            ("TERM", "xterm-256color"),
            ("COLORTERM", "truecolor"),
            ("PIZZAPI_NO_RELAY", "1"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }
}

#[derive(Default)]
struct Seen {
    screen: Emulator,
    raw: Vec<u8>,
    ended: bool,
}

/// The program in a terminal of its own.
pub struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    input: Box<dyn Write + Send>,
    seen: Arc<(Mutex<Seen>, Condvar)>,
}

impl Terminal {
    pub fn start(place: &Place, arguments: &[&str]) -> Self {
        let size = PtySize { rows: 30, cols: 90, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a terminal");
        let mut command = CommandBuilder::new(PROGRAM);
        command.args(arguments);
        command.cwd(&place.work);
        command.env_clear();
        for (name, value) in place.variables() {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).expect("the program starts");
        drop(pair.slave);
        let seen = Arc::new((Mutex::new(Seen::default()), Condvar::new()));
        let mut output = pair.master.try_clone_reader().expect("the terminal's output");
        let shared = seen.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            loop {
                let read = output.read(&mut buffer).unwrap_or(0);
                let mut seen = shared.0.lock().expect("nobody panicked");
                seen.raw.extend_from_slice(&buffer[..read]);
                seen.screen.feed(&buffer[..read]);
                seen.ended |= read == 0;
                shared.1.notify_all();
                if read == 0 {
                    return;
                }
            }
        });
        let input = pair.master.take_writer().expect("the terminal's input");
        Self { child, master: pair.master, input, seen }
    }

    /// Types, with a pause between keys that tells typing from pasting.
    pub fn types(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            self.send(c.encode_utf8(&mut [0; 4]));
            // Part of what is tested: keys that come faster are taken for a paste.
            std::thread::sleep(Duration::from_millis(15));
        }
        self
    }

    pub fn send(&mut self, bytes: &str) -> &mut Self {
        self.input.write_all(bytes.as_bytes()).and_then(|()| self.input.flush()).expect("the program reads");
        self
    }

    pub fn resize(&self, rows: u16, cols: u16) {
        self.seen.0.lock().expect("nobody panicked").screen.clear();
        self.master.resize(PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }).expect("a new size");
    }

    fn wait(&self, what: &str, mut test: impl FnMut(&Seen) -> bool) {
        let end = Instant::now() + PATIENCE;
        let (lock, changed) = &*self.seen;
        let mut seen = lock.lock().expect("nobody panicked");
        while !test(&seen) {
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited for {what}; the screen shows:\n{}", seen.screen.text());
            seen = changed.wait_timeout(seen, left).expect("nobody panicked").0;
        }
    }

    /// Waits until the screen shows a text.
    pub fn shows(&mut self, text: &str) -> &mut Self {
        self.wait(text, |seen| seen.screen.text().contains(text));
        self
    }

    pub fn shows_no_longer(&mut self, text: &str) -> &mut Self {
        self.wait(&format!("the end of {text}"), |seen| !seen.screen.text().contains(text));
        self
    }

    pub fn screen(&self) -> String {
        self.seen.0.lock().expect("nobody panicked").screen.text()
    }

    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.process_id().expect("a running program")).expect("a small number")
    }

    /// Waits for the end and returns the exit code and everything that was ever written.
    pub fn ends(mut self) -> (u32, String) {
        self.wait("the program's end", |seen| seen.ended);
        let status = self.child.wait().expect("an exit status");
        let raw = self.seen.0.lock().expect("nobody panicked").raw.clone();
        (status.exit_code(), String::from_utf8_lossy(&raw).into_owned())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Ended already is as good.
        let _ = self.child.kill();
    }
}

/// As much of a terminal as the program uses: text, cursor positions, clearing.
#[derive(Default)]
struct Emulator {
    cells: std::collections::BTreeMap<(usize, usize), char>,
    row: usize,
    column: usize,
    rest: Vec<u8>,
}

impl Emulator {
    fn clear(&mut self) {
        self.cells.clear();
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
        let bytes = std::mem::take(&mut self.rest);
        let valid = match std::str::from_utf8(&bytes) {
            Ok(text) => text.len(),
            Err(error) => error.valid_up_to(),
        };
        let text = String::from_utf8_lossy(&bytes[..valid]).into_owned();
        let mut chars = text.char_indices().peekable();
        let mut done = valid;
        while let Some((at, c)) = chars.next() {
            if c != '\u{1b}' {
                self.put(c);
                continue;
            }
            let sequence: &str = &text[at..];
            match escape(sequence) {
                Some(length) => {
                    self.control(&sequence[..length]);
                    while chars.peek().is_some_and(|(next, _)| *next < at + length) {
                        chars.next();
                    }
                }
                None => {
                    done = at;
                    break;
                }
            }
        }
        self.rest = bytes[done..].to_vec();
    }

    fn put(&mut self, c: char) {
        match c {
            '\r' => self.column = 0,
            '\n' => self.row += 1,
            c if c.is_control() => {}
            c => {
                self.cells.insert((self.row, self.column), c);
                self.column += c.width().unwrap_or(0).max(1);
            }
        }
    }

    fn control(&mut self, sequence: &str) {
        let Some(body) = sequence.strip_prefix("\u{1b}[") else { return };
        let (parameters, last) = body.split_at(body.len() - 1);
        let number = |at: usize, default: usize| {
            parameters.split(';').nth(at).and_then(|text| text.parse().ok()).unwrap_or(default)
        };
        match last {
            "H" | "f" => (self.row, self.column) = (number(0, 1) - 1, number(1, 1) - 1),
            "J" => self.cells.clear(),
            "C" => self.column += number(0, 1),
            "K" => self.cells.retain(|(row, column), _| *row != self.row || *column < self.column),
            _ => {}
        }
    }

    fn text(&self) -> String {
        let mut out = String::new();
        let (mut row, mut column) = (0, 0);
        for ((at_row, at_column), c) in &self.cells {
            while row < *at_row {
                out.push('\n');
                (row, column) = (row + 1, 0);
            }
            while column < *at_column {
                out.push(' ');
                column += 1;
            }
            out.push(*c);
            column += c.width().unwrap_or(0).max(1);
        }
        out
    }
}

/// Length of the escape sequence at the start of a text; `None` while it is incomplete.
fn escape(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    match bytes.get(1)? {
        b'[' => bytes[2..].iter().position(|byte| (0x40..=0x7e).contains(byte)).map(|at| at + 3),
        b']' => {
            let end = text.find(['\u{7}', '\\'])?;
            Some(end + 1)
        }
        _ => Some(2),
    }
}

pub fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

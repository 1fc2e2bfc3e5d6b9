//! The sessions of this machine, from the heads of their files.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read as _, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use pizzapi_protocol::{JsonObject, Message};
use serde::Serialize;

use super::entry::{Entry, EntryKind};
use super::{folder_name, resume};
use crate::clock;

/// How much of a file is read for a listing. Units: bytes.
const MAX_HEAD_BYTES: u64 = 1024 * 1024;
/// How much of the end is read for name and time of a longer file. Units: bytes.
const TAIL_BYTES: u64 = 128 * 1024;
/// Files read at a time.
const AT_A_TIME: usize = 10;
/// First message in a listing. Units: characters.
const MAX_FIRST_MESSAGE: usize = 300;

/// One session in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionSummary {
    pub id: String,
    pub path: PathBuf,
    pub cwd: Option<String>,
    pub name: Option<String>,
    /// ISO time of the last user or assistant message.
    pub modified: String,
    pub first_message: String,
    #[serde(skip)]
    pub message_count: usize,
    #[serde(skip)]
    pub parent_session: Option<String>,
}

/// Which sessions to list.
#[derive(Debug, Clone, Default)]
pub enum Scope {
    #[default]
    All,
    /// Those of one working directory.
    Directory(PathBuf),
}

/// Newest first. Reads the folders of working directories and files that lie flat in `sessions`.
pub fn list(sessions: &Path, scope: &Scope) -> Vec<SessionSummary> {
    let mut files = Vec::new();
    let only = match scope {
        Scope::Directory(cwd) => Some(cwd),
        Scope::All => None,
    };
    collect(sessions, &mut files);
    match only {
        Some(cwd) => collect(&sessions.join(folder_name(cwd)), &mut files),
        None => {
            for dir in fs::read_dir(sessions).into_iter().flatten().flatten() {
                if dir.file_type().is_ok_and(|kind| kind.is_dir()) {
                    collect(&dir.path(), &mut files);
                }
            }
        }
    }
    let mut found: Vec<SessionSummary> = Vec::with_capacity(files.len());
    for batch in files.chunks(AT_A_TIME) {
        let summaries: Vec<Option<SessionSummary>> = std::thread::scope(|threads| {
            let readers: Vec<_> = batch.iter().map(|path| threads.spawn(|| summarise(path))).collect();
            readers.into_iter().map(|reader| reader.join().ok().flatten()).collect()
        });
        found.extend(summaries.into_iter().flatten());
    }
    if let Some(cwd) = only {
        found.retain(|session| session.cwd.as_deref() == Some(&*cwd.to_string_lossy()));
    }
    found.sort_by(|a, b| b.modified.cmp(&a.modified).then_with(|| b.path.cmp(&a.path)));
    found
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|ext| ext == "jsonl") && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            files.push(path);
        }
    }
}

/// The newest session of a working directory, by the time its file was changed.
pub fn newest(sessions: &Path, cwd: &Path) -> Option<PathBuf> {
    list(sessions, &Scope::Directory(cwd.to_owned())).into_iter().next().map(|session| session.path)
}

/// Head and end of one file.
pub fn summarise(path: &Path) -> Option<SessionSummary> {
    let mut file = File::open(path).ok()?;
    let len = file.metadata().ok()?.len();
    let mut reader = BufReader::new((&file).take(MAX_HEAD_BYTES));
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let (header, _) = resume::header(&line)?;
    let mut facts = Facts::default();
    loop {
        line.clear();
        match reader.read_line(&mut line) {
            Ok(0) | Err(_) => break,
            Ok(_) => facts.take(&line),
        }
    }
    drop(reader);
    if len > MAX_HEAD_BYTES {
        file.seek(SeekFrom::Start(len.saturating_sub(TAIL_BYTES).max(MAX_HEAD_BYTES))).ok()?;
        let mut tail = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut tail).ok()?;
        for line in String::from_utf8_lossy(&tail).lines() {
            facts.take(line);
        }
    }
    let cwd = header.cwd.to_string_lossy().into_owned();
    Some(SessionSummary {
        modified: facts.modified.unwrap_or_else(|| header.timestamp.clone()),
        id: header.id,
        path: path.to_owned(),
        cwd: (!cwd.is_empty()).then_some(cwd),
        name: facts.name,
        first_message: facts.first.unwrap_or_default(),
        message_count: facts.messages,
        parent_session: header.parent_session,
    })
}

#[derive(Default)]
struct Facts {
    name: Option<String>,
    first: Option<String>,
    modified: Option<String>,
    messages: usize,
}

impl Facts {
    fn take(&mut self, line: &str) {
        // Most lines of a long session are tool results: look at the kind before reading all of it.
        if !line.contains(r#""role":"user""#)
            && !line.contains(r#""role":"assistant""#)
            && !line.contains(r#""type":"session_info""#)
        {
            return;
        }
        let Some(entry) = Entry::parse(line) else { return };
        match entry.kind {
            EntryKind::SessionInfo { name } => self.name = name,
            EntryKind::Message { message: message @ (Message::User(_) | Message::Assistant(_)), .. } => {
                self.messages += 1;
                let at = message.timestamp().filter(|ms| *ms > 0).map(clock::iso).unwrap_or(entry.timestamp);
                self.modified = Some(at);
                if self.first.is_none() && matches!(message, Message::User(_)) {
                    let text = message.text();
                    self.first = Some(text.trim().chars().take(MAX_FIRST_MESSAGE).collect());
                }
            }
            _ => {}
        }
    }
}

/// Does a session fit a search text? Case does not matter.
pub fn fits(session: &SessionSummary, query: &str) -> bool {
    let query = query.to_lowercase();
    [&session.id, &session.path.to_string_lossy().into_owned(), &session.first_message]
        .into_iter()
        .chain(session.name.as_ref())
        .any(|text| text.to_lowercase().contains(&query))
}

/// Is this line the header of a session file? For readers that look at one line only.
pub fn is_header(line: &str) -> bool {
    serde_json::from_str::<JsonObject>(line).ok().and_then(|o| o.get_as::<String>("type")).as_deref() == Some("session")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::Transcript;
    use pizzapi_protocol::UserMessage;

    #[test]
    fn both_folders_are_listed_newest_first() {
        let dir = tempfile::tempdir().expect("temp dir");
        let say = |cwd: &str, text: &str, at: i64| {
            let mut transcript = Transcript::create(Path::new(cwd), Some(dir.path()), None);
            let message =
                Message::User(UserMessage { id: None, request_id: None, content: text.into(), timestamp: at });
            transcript.append(EntryKind::Message { message, command_id: None }).expect("written");
            transcript.append(EntryKind::SessionInfo { name: Some(format!("name {text}")) }).expect("written");
            transcript.path().expect("has a place").to_owned()
        };
        let old = say("/a", "old", 1_000);
        say("/b", "new", 2_000);
        // The earlier product puts terminal sessions directly into the folder.
        fs::rename(&old, dir.path().join("flat.jsonl")).expect("moved");
        let all = list(dir.path(), &Scope::All);
        let names: Vec<_> = all.iter().map(|s| s.name.clone().unwrap_or_default()).collect();
        assert_eq!(names, ["name new", "name old"]);
        let of_a = list(dir.path(), &Scope::Directory("/a".into()));
        assert_eq!(of_a.len(), 1);
        assert!(fits(&of_a[0], "OLD") && !fits(&of_a[0], "other"));
    }
}

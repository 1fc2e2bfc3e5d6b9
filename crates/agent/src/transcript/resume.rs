//! Read a session file back, and mend what a crash left behind.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use pizzapi_protocol::JsonObject;

use super::entry::Entry;
use super::{FORMAT_VERSION, Header, Transcript, TranscriptError};

/// Largest line that is read; a longer one counts as damaged. Units: bytes.
const MAX_LINE_BYTES: usize = 256 * 1024 * 1024;

/// Open a session file for going on with it.
///
/// A last line that was cut by a crash is removed, damaged lines are skipped. Entries of format 1 had no ids; they become a
/// chain and the file is written anew.
pub fn open(path: &Path) -> Result<Transcript, TranscriptError> {
    let io_error = |what: &'static str| move |source| TranscriptError::Io { what, path: path.to_owned(), source };
    let mut file = OpenOptions::new().read(true).append(true).open(path).map_err(io_error("open"))?;
    let read = read(&mut file).map_err(io_error("read"))?;
    let (header, version) = read.header.ok_or_else(|| TranscriptError::NotASession(path.to_owned()))?;
    if read.torn {
        file.set_len(read.whole_bytes).map_err(io_error("mend"))?;
        tracing::warn!(path = %path.display(), "the last line of the session file was cut and has been removed");
    }
    if read.skipped > 0 {
        tracing::warn!(path = %path.display(), lines = read.skipped, "damaged lines of the session file were skipped");
    }
    let mut entries = read.entries;
    if version < FORMAT_VERSION {
        entries = migrate(entries, version);
        file = rewrite(path, &header, &entries).map_err(io_error("migrate"))?;
    }
    Ok(Transcript::opened(header, path.to_owned(), file, entries))
}

struct Read {
    header: Option<(Header, u32)>,
    entries: Vec<Entry>,
    whole_bytes: u64,
    torn: bool,
    skipped: usize,
}

fn read(file: &mut File) -> io::Result<Read> {
    file.seek(SeekFrom::Start(0))?;
    let mut reader = BufReader::new(&mut *file);
    let mut out = Read { header: None, entries: Vec::new(), whole_bytes: 0, torn: false, skipped: 0 };
    let mut line = Vec::new();
    loop {
        line.clear();
        let len = reader.read_until(b'\n', &mut line)?;
        if len == 0 {
            return Ok(out);
        }
        let ended = line.last() == Some(&b'\n');
        let text = std::str::from_utf8(&line).ok().filter(|_| len <= MAX_LINE_BYTES).map(str::trim);
        let parsed = text.map(|text| take_line(text, &mut out)).unwrap_or(false);
        if !ended {
            // Without its end the line may be half of what was meant, even when it reads well: only whole JSON is believed.
            if parsed {
                out.whole_bytes += len as u64;
                drop(reader);
                file.write_all(b"\n")?;
            } else {
                out.torn = true;
            }
            return Ok(out);
        }
        out.whole_bytes += len as u64;
        if !parsed && text.is_none_or(|t| !t.is_empty()) {
            out.skipped += 1;
        }
    }
}

fn take_line(text: &str, out: &mut Read) -> bool {
    if out.header.is_none() {
        out.header = header(text);
        return out.header.is_some();
    }
    let entry = Entry::parse(text).or_else(|| legacy(text));
    match entry {
        Some(entry) => {
            out.entries.push(entry);
            true
        }
        None => false,
    }
}

/// A line of format 1: no id yet.
fn legacy(text: &str) -> Option<Entry> {
    let mut object: JsonObject = serde_json::from_str(text).ok()?;
    if object.contains_key("id") || object.get_as::<String>("type")? == "session" {
        return None;
    }
    object.set("id", "").ok()?;
    Entry::parse(object.to_raw().get())
}

pub(super) fn header(text: &str) -> Option<(Header, u32)> {
    let object: JsonObject = serde_json::from_str(text).ok()?;
    if object.get_as::<String>("type")? != "session" {
        return None;
    }
    let header = Header {
        id: object.get_as("id")?,
        timestamp: object.get_as("timestamp").unwrap_or_default(),
        cwd: PathBuf::from(object.get_as::<String>("cwd").unwrap_or_default()),
        parent_session: object.get_as("parentSession"),
    };
    Some((header, object.get_as("version").unwrap_or(1)))
}

/// Format 1 is a plain list; format 2 called custom messages otherwise. Both become a chain with ids.
fn migrate(entries: Vec<Entry>, version: u32) -> Vec<Entry> {
    if version >= 2 {
        return entries;
    }
    let mut parent: Option<String> = None;
    entries
        .into_iter()
        .enumerate()
        .map(|(at, mut entry)| {
            if entry.id.is_empty() {
                entry.id = format!("{:08x}", at + 1);
                entry.parent_id = parent.take();
            }
            parent = Some(entry.id.clone());
            entry
        })
        .collect()
}

fn rewrite(path: &Path, header: &Header, entries: &[Entry]) -> io::Result<File> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    writeln!(file, "{}", header.line())?;
    for entry in entries {
        writeln!(file, "{}", entry.line())?;
    }
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    OpenOptions::new().read(true).append(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::EntryKind;
    use pizzapi_protocol::{Message, UserMessage};

    fn user(text: &str) -> EntryKind {
        let message = Message::User(UserMessage { id: None, request_id: None, content: text.into(), timestamp: 1 });
        EntryKind::Message { message, command_id: None }
    }

    fn texts(transcript: &Transcript) -> Vec<String> {
        transcript.context().into_iter().map(|(_, message)| message.text()).collect()
    }

    #[test]
    fn a_session_without_words_leaves_no_file_and_the_first_word_makes_one() {
        let dir = tempfile::tempdir().expect("temp dir");
        let mut transcript = Transcript::create(Path::new("/home/ana/x"), Some(dir.path()), None);
        transcript.append(EntryKind::ThinkingLevelChange { level: "high".into() }).expect("kept in memory");
        let path = transcript.path().expect("has a place").to_owned();
        assert!(!path.exists());
        transcript.append(user("hello")).expect("written");
        assert!(path.starts_with(dir.path().join("--home-ana-x--")));
        let again = open(&path).expect("opened");
        assert_eq!(again.entries(), transcript.entries());
        assert_eq!(again.restored_model().1.map(|l| l.as_str()), Some("high"));
    }

    #[test]
    fn a_torn_last_line_is_removed_and_the_session_goes_on() {
        let dir = tempfile::tempdir().expect("temp dir");
        let mut transcript = Transcript::create(Path::new("/x"), Some(dir.path()), None);
        transcript.append(user("one")).expect("written");
        transcript.append(user("two")).expect("written");
        let path = transcript.path().expect("has a place").to_owned();
        let whole = std::fs::metadata(&path).expect("exists").len();
        let last = transcript.entries()[1].line().len() as u64 + 1;
        for cut in [1, last / 2, last - 1] {
            let copy = dir.path().join(format!("cut{cut}.jsonl"));
            std::fs::copy(&path, &copy).expect("copied");
            File::options().write(true).open(&copy).expect("opened").set_len(whole - cut).expect("cut");
            let mut mended = open(&copy).expect("opened");
            let mut expected = vec!["one".to_owned()];
            if cut == 1 {
                // Only the line's end was missing.
                expected.push("two".to_owned());
            }
            assert_eq!(texts(&mended), expected, "cut {cut}");
            mended.append(user("three")).expect("written");
            expected.push("three".to_owned());
            assert_eq!(texts(&open(&copy).expect("opened again")), expected);
        }
    }

    #[test]
    fn damaged_lines_are_skipped_and_unknown_types_are_kept() {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("s.jsonl");
        std::fs::write(
            &path,
            concat!(
                r#"{"type":"session","version":3,"id":"s","timestamp":"t","cwd":"/x"}"#, "\n",
                r#"{"type":"message","id":"00000001","parentId":null,"timestamp":"2026-01-01T00:00:00.000Z","message":{"role":"user","content":"hi","timestamp":1}}"#, "\n",
                "garbage\n",
                r#"{"type":"novel","id":"00000002","parentId":"00000001","timestamp":"t","extra":[1,2]}"#, "\n",
            ),
        )
        .expect("written");
        let transcript = open(&path).expect("opened");
        assert_eq!(transcript.entries().len(), 2);
        assert!(transcript.entries()[1].line().contains(r#""extra":[1,2]"#));
        assert!(transcript.entries()[1].line().contains(r#""type":"novel""#));
        assert_eq!(transcript.leaf(), Some("00000002"));
    }

    #[test]
    fn the_first_format_becomes_a_chain() {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("s.jsonl");
        std::fs::write(
            &path,
            concat!(
                r#"{"type":"session","id":"s","timestamp":"t","cwd":"/x"}"#,
                "\n",
                r#"{"type":"message","timestamp":"t","message":{"role":"user","content":"a","timestamp":1}}"#,
                "\n",
                r#"{"type":"message","timestamp":"t","message":{"role":"user","content":"b","timestamp":2}}"#,
                "\n",
            ),
        )
        .expect("written");
        assert_eq!(texts(&open(&path).expect("migrated")), ["a", "b"]);
        assert_eq!(texts(&open(&path).expect("of the new version")), ["a", "b"]);
    }

    #[test]
    fn a_fork_holds_the_path_before_the_chosen_message() {
        let dir = tempfile::tempdir().expect("temp dir");
        let mut transcript = Transcript::create(Path::new("/x"), Some(dir.path()), None);
        transcript.append(user("one")).expect("written");
        let second = transcript.append(user("two")).expect("written");
        transcript.append(user("three")).expect("written");
        let (fork, text) = transcript.fork_before(&second, Some(dir.path())).expect("forked");
        assert_eq!((texts(&fork), text.as_str()), (vec!["one".to_owned()], "two"));
        assert_ne!(fork.path(), transcript.path());
        assert!(fork.header().parent_session.is_some());
    }

    #[test]
    fn a_move_without_an_entry_is_remembered() {
        let dir = tempfile::tempdir().expect("temp dir");
        let mut transcript = Transcript::create(Path::new("/x"), Some(dir.path()), None);
        let first = transcript.append(user("one")).expect("written");
        transcript.append(user("two")).expect("written");
        transcript.move_and_remember(Some(first)).expect("moved");
        let path = transcript.path().expect("has a place").to_owned();
        assert_eq!(texts(&open(&path).expect("opened")), ["one"]);
    }
}

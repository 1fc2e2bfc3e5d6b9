//! One small file per session: which process it is, where it works, and which transcript it writes.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::identity::{process_start_time, write_private};
use crate::process_tree;

/// Ended sessions whose transcript is remembered, so that they can be resumed by their id. The oldest go first.
pub const KEEP_ENDED: usize = 500;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    pub session_id: String,
    /// 0 after the end.
    pub pid: u32,
    #[serde(default)]
    pub pid_start_time: String,
    pub cwd: PathBuf,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_session_id: Option<String>,
}

impl Record {
    pub fn new(session_id: &str, pid: u32, cwd: &Path, parent_session_id: Option<String>) -> Self {
        Self {
            session_id: session_id.to_owned(),
            pid,
            pid_start_time: process_start_time(pid).unwrap_or_default(),
            cwd: cwd.to_owned(),
            parent_session_id,
        }
    }

    pub fn is_alive(&self) -> bool {
        let start = Some(self.pid_start_time.as_str()).filter(|start| !start.is_empty());
        self.pid != 0 && i32::try_from(self.pid).is_ok_and(|pid| process_tree::is_alive(pid, start))
    }
}

/// What the session itself writes, beside its record.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Statement {
    session_file: Option<PathBuf>,
}

/// The folder of all records.
#[derive(Debug, Clone)]
pub struct Records {
    folder: PathBuf,
}

impl Records {
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    fn path(&self, id: &str, ending: &str) -> PathBuf {
        self.folder.join(format!("{}.{ending}", file_name(id)))
    }

    /// Where the session states its transcript; given to it as `PIZZAPI_SESSION_STATE_FILE`.
    pub fn statement_path(&self, id: &str) -> PathBuf {
        self.path(id, "state.json")
    }

    pub fn write(&self, record: &Record) {
        let json = serde_json::to_vec(record).expect("a record serialises");
        if let Err(error) = write_private(&self.path(&record.session_id, "json"), &json) {
            // The session runs all the same; only a restarted daemon will not find it.
            tracing::warn!(session.id = %record.session_id, %error, "failed to write a session record");
        }
    }

    pub fn mark_ended(&self, record: &Record) {
        self.write(&Record { pid: 0, pid_start_time: String::new(), ..record.clone() });
        self.prune();
    }

    /// The transcript a session stated, if the file still exists.
    pub fn transcript(&self, id: &str) -> Option<PathBuf> {
        let statement = std::fs::read(self.statement_path(id)).ok()?;
        let Statement { session_file } = serde_json::from_slice(&statement).ok()?;
        session_file.filter(|path| path.is_file())
    }

    /// Records of processes that still run.
    pub fn living(&self) -> Vec<Record> {
        self.all().into_iter().map(|(_, record)| record).filter(Record::is_alive).collect()
    }

    fn all(&self) -> Vec<(PathBuf, Record)> {
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return Vec::new() };
        entries
            .filter_map(|entry| {
                let path = entry.ok()?.path();
                let name = path.file_name()?.to_str()?;
                if !name.ends_with(".json") || name.ends_with(".state.json") {
                    return None;
                }
                let record = serde_json::from_slice(&std::fs::read(&path).ok()?).ok()?;
                Some((path, record))
            })
            .collect()
    }

    fn prune(&self) {
        let mut ended: Vec<_> = self
            .all()
            .into_iter()
            .filter(|(_, record)| record.pid == 0)
            .filter_map(|(path, record)| Some((std::fs::metadata(&path).ok()?.modified().ok()?, path, record)))
            .collect();
        if ended.len() <= KEEP_ENDED {
            return;
        }
        ended.sort_by_key(|(modified, ..)| *modified);
        for (_, path, record) in ended.drain(..ended.len() - KEEP_ENDED) {
            let _already_gone = std::fs::remove_file(path);
            let _never_written = std::fs::remove_file(self.statement_path(&record.session_id));
        }
    }
}

/// Session ids come from outside: keep harmless ones readable, spell the others in hex.
fn file_name(id: &str) -> String {
    let harmless = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !id.is_empty() && id.len() <= 64 && id.chars().all(harmless) {
        return id.to_owned();
    }
    let mut spelled = format!("x{}", hex::encode(id));
    spelled.truncate(200);
    spelled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_from_outside_never_leaves_the_folder() {
        assert_eq!(file_name("abc-1"), "abc-1");
        for id in ["../../etc/passwd", "", "a/b", "a.b", "ä"] {
            assert!(!file_name(id).contains(['/', '.']), "{id}");
        }
    }

    #[test]
    fn only_living_processes_are_found_again_and_transcripts_survive_the_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let records = Records::new(folder.path());
        let living = Record::new("living", std::process::id(), Path::new("/"), None);
        records.write(&living);
        records.write(&Record { session_id: "dead".to_owned(), pid_start_time: "0".to_owned(), ..living.clone() });
        assert_eq!(records.living(), std::slice::from_ref(&living));

        let transcript = folder.path().join("t.jsonl");
        std::fs::write(&transcript, b"{}\n").expect("written");
        let statement = serde_json::json!({ "sessionFile": transcript });
        std::fs::write(records.statement_path("living"), statement.to_string()).expect("written");
        records.mark_ended(&living);
        assert!(records.living().is_empty());
        assert_eq!(records.transcript("living"), Some(transcript));
    }
}

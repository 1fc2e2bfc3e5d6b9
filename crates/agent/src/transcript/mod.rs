//! The conversation: a tree of entries in memory, one append-only JSON line per entry on disk.
//!
//! The file appears with the first thing worth keeping: a user message or a remote command. Entries before it wait in memory.

pub mod compact;
pub mod entry;
pub mod list;
pub mod resume;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use pizzapi_protocol::{
    BranchSummaryMessage, CompactionSummaryMessage, CustomMessage, JsonObject, Message, RawJson, ThinkingLevel,
};

use crate::clock;
pub use entry::{Entry, EntryKind};

/// Version of the file format this program writes.
pub const FORMAT_VERSION: u32 = 3;

/// Custom entry: where a remote command stands.
pub const COMMAND_ENTRY: &str = "pizzapi-command";
/// Custom entry: the branch was moved without adding to it.
pub const LEAF_ENTRY: &str = "pizzapi-leaf";
/// Custom entry: plan mode was switched.
pub const PLAN_MODE_ENTRY: &str = "plan-mode-toggle";
/// Custom entry: the task list.
pub const TODO_ENTRY: &str = "pizzapi-todo";

#[derive(Debug, thiserror::Error)]
pub enum TranscriptError {
    #[error("failed to {what} `{path}`: {source}")]
    Io { what: &'static str, path: PathBuf, source: io::Error },
    #[error("`{0}` is not a session file")]
    NotASession(PathBuf),
    #[error("no entry {0} in this session")]
    NoEntry(String),
}

/// First line of a session file.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    pub id: String,
    pub timestamp: String,
    pub cwd: PathBuf,
    pub parent_session: Option<String>,
}

impl Header {
    pub fn new(cwd: &Path, parent_session: Option<String>) -> Self {
        Self {
            id: uuid::Uuid::new_v4().to_string(),
            timestamp: clock::iso(clock::now_ms()),
            cwd: cwd.to_owned(),
            parent_session,
        }
    }

    fn line(&self) -> String {
        let mut object = JsonObject::new();
        let mut set = |key: &str, value: serde_json::Value| {
            object.insert(key, RawJson::from(value));
        };
        set("type", "session".into());
        set("version", FORMAT_VERSION.into());
        set("id", self.id.clone().into());
        set("timestamp", self.timestamp.clone().into());
        set("cwd", self.cwd.to_string_lossy().into());
        if let Some(parent) = &self.parent_session {
            set("parentSession", parent.clone().into());
        }
        object.to_raw().get().to_owned()
    }
}

/// One session: header, entries, and the position in their tree.
#[derive(Debug)]
pub struct Transcript {
    header: Header,
    /// Where the file is or will be; None for a session that is not kept.
    path: Option<PathBuf>,
    file: Option<File>,
    entries: Vec<Entry>,
    by_id: HashMap<String, usize>,
    leaf: Option<String>,
    /// Entries that are not in the file yet, because it does not exist yet.
    unwritten: usize,
}

impl Transcript {
    /// A new session that will be kept below `sessions`, or nowhere.
    pub fn create(cwd: &Path, sessions: Option<&Path>, parent: Option<String>) -> Self {
        let header = Header::new(cwd, parent);
        let path = sessions.map(|dir| session_path(dir, cwd, &header));
        Self { header, path, file: None, entries: Vec::new(), by_id: HashMap::new(), leaf: None, unwritten: 0 }
    }

    pub(super) fn opened(header: Header, path: PathBuf, file: File, entries: Vec<Entry>) -> Self {
        let by_id = entries.iter().enumerate().map(|(at, entry)| (entry.id.clone(), at)).collect();
        let leaf = entries.last().map(|last| match &last.kind {
            // Navigation that added nothing is remembered by an entry of its own.
            EntryKind::Custom { custom_type, data } if custom_type == LEAF_ENTRY => data
                .as_ref()
                .and_then(|data| data.to::<JsonObject>().ok())
                .and_then(|data| data.get_as::<Option<String>>("leafId"))
                .unwrap_or_else(|| last.parent_id.clone()),
            _ => Some(last.id.clone()),
        });
        let mut transcript =
            Self { header, path: Some(path), file: Some(file), entries, by_id, leaf: leaf.flatten(), unwritten: 0 };
        if transcript.leaf.as_ref().is_some_and(|leaf| !transcript.by_id.contains_key(leaf)) {
            transcript.leaf = transcript.entries.last().map(|last| last.id.clone());
        }
        transcript
    }

    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Where the session is kept; also before the file exists.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Has anything been written?
    pub fn is_on_disk(&self) -> bool {
        self.file.is_some()
    }

    pub fn leaf(&self) -> Option<&str> {
        self.leaf.as_deref()
    }

    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub fn entry(&self, id: &str) -> Option<&Entry> {
        self.by_id.get(id).map(|at| &self.entries[*at])
    }

    /// An entry id that is free in this file: eight hex digits.
    pub fn fresh_id(&self) -> String {
        loop {
            let id = uuid::Uuid::new_v4().simple().to_string()[..8].to_owned();
            if !self.by_id.contains_key(&id) {
                return id;
            }
        }
    }

    /// Add an entry below the leaf and move there. `durable` entries bring the file into being.
    pub fn append(&mut self, kind: EntryKind) -> Result<String, TranscriptError> {
        let id = self.fresh_id();
        self.append_as(id, kind)
    }

    /// [`Self::append`] with an id that was handed out before.
    pub fn append_as(&mut self, id: String, kind: EntryKind) -> Result<String, TranscriptError> {
        let durable = kind.is_worth_a_file();
        let entry =
            Entry { id: id.clone(), parent_id: self.leaf.clone(), timestamp: clock::iso(clock::now_ms()), kind };
        self.by_id.insert(id.clone(), self.entries.len());
        self.entries.push(entry);
        self.leaf = Some(id.clone());
        self.unwritten += 1;
        if durable || self.file.is_some() {
            self.write()?;
        }
        Ok(id)
    }

    /// Write what is not in the file yet, whole lines only, in one call.
    fn write(&mut self) -> Result<(), TranscriptError> {
        let Some(path) = self.path.clone() else {
            self.unwritten = 0;
            return Ok(());
        };
        let io_error = |what: &'static str| {
            let path = path.clone();
            move |source| TranscriptError::Io { what, path, source }
        };
        let mut text = String::new();
        let mut created = None;
        if self.file.is_none() {
            if let Some(dir) = path.parent() {
                fs::create_dir_all(dir).map_err(io_error("create the folder of"))?;
            }
            let mut options = OpenOptions::new();
            options.append(true).create_new(true);
            #[cfg(unix)]
            {
                use std::os::unix::fs::OpenOptionsExt as _;
                options.mode(0o600);
            }
            created = Some(options.open(&path).map_err(io_error("create"))?);
            text.push_str(&self.header.line());
            text.push('\n');
        }
        for entry in &self.entries[self.entries.len() - self.unwritten..] {
            text.push_str(&entry.line());
            text.push('\n');
        }
        if let Some(file) = created {
            self.file = Some(file);
        }
        let file = self.file.as_mut().expect("just opened or open before");
        file.write_all(text.as_bytes()).map_err(io_error("write"))?;
        self.unwritten = 0;
        Ok(())
    }

    /// The whole session as a file would hold it.
    pub fn lines(&self) -> String {
        let mut text = self.header.line() + "\n";
        for entry in &self.entries {
            text.push_str(&entry.line());
            text.push('\n');
        }
        text
    }

    /// A handle to make everything written so far survive a power cut, for use off the async threads.
    pub fn sync_handle(&self) -> Option<File> {
        self.file.as_ref().and_then(|file| file.try_clone().ok())
    }

    /// Continue from another entry; `None` = before the first.
    pub fn move_to(&mut self, leaf: Option<String>) -> Result<(), TranscriptError> {
        if let Some(id) = &leaf
            && !self.by_id.contains_key(id)
        {
            return Err(TranscriptError::NoEntry(id.clone()));
        }
        self.leaf = leaf;
        Ok(())
    }

    /// [`Self::move_to`], and remember it for the next start.
    pub fn move_and_remember(&mut self, leaf: Option<String>) -> Result<(), TranscriptError> {
        self.move_to(leaf.clone())?;
        if self.file.is_none() {
            return Ok(());
        }
        let data = RawJson::from(serde_json::json!({ "leafId": leaf }));
        self.append(EntryKind::Custom { custom_type: LEAF_ENTRY.into(), data: Some(data) })?;
        self.leaf = leaf;
        Ok(())
    }

    /// The entries from the root to the leaf.
    pub fn branch(&self) -> Vec<&Entry> {
        self.branch_to(self.leaf.as_deref())
    }

    fn branch_to(&self, leaf: Option<&str>) -> Vec<&Entry> {
        let mut path = Vec::new();
        let mut seen = HashSet::new();
        let mut at = leaf;
        while let Some(entry) = at.and_then(|id| self.entry(id)) {
            // A file made by hand may contain a circle.
            if !seen.insert(entry.id.as_str()) {
                break;
            }
            path.push(entry);
            at = entry.parent_id.as_deref();
        }
        path.reverse();
        path
    }

    /// What the model is to know, oldest first: the last summary, what was kept, and what came later.
    pub fn context(&self) -> Vec<(&Entry, Cow<'_, Message>)> {
        let branch = self.branch();
        let cut = branch.iter().rposition(|entry| matches!(entry.kind, EntryKind::Compaction { .. }));
        let mut out = Vec::new();
        let Some(cut) = cut else {
            out.extend(branch.iter().filter_map(|entry| message_of(entry).map(|m| (*entry, m))));
            return out;
        };
        if let Some(summary) = message_of(branch[cut]) {
            out.push((branch[cut], summary));
        }
        if let EntryKind::Compaction { first_kept_entry_id, .. } = &branch[cut].kind {
            let kept_from = branch[..cut].iter().position(|entry| Some(&entry.id) == first_kept_entry_id.as_ref());
            if let Some(from) = kept_from {
                let kept = branch[from..cut].iter();
                out.extend(
                    kept.filter(|e| !matches!(e.kind, EntryKind::Compaction { .. }))
                        .filter_map(|entry| message_of(entry).map(|m| (*entry, m))),
                );
            }
        }
        out.extend(branch[cut + 1..].iter().filter_map(|entry| message_of(entry).map(|m| (*entry, m))));
        out
    }

    /// The last compaction of the branch.
    pub fn last_compaction(&self) -> Option<&Entry> {
        self.branch().into_iter().rev().find(|entry| matches!(entry.kind, EntryKind::Compaction { .. }))
    }

    /// The newest name of the branch.
    pub fn name(&self) -> Option<String> {
        self.entries.iter().rev().find_map(|entry| match &entry.kind {
            EntryKind::SessionInfo { name } => Some(name.clone()),
            _ => None,
        })?
    }

    /// Model and thinking level the branch was left with.
    pub fn restored_model(&self) -> (Option<(String, String)>, Option<ThinkingLevel>) {
        let mut model = None;
        let mut thinking = None;
        for entry in self.branch() {
            match &entry.kind {
                EntryKind::ModelChange { provider, model_id } => model = Some((provider.clone(), model_id.clone())),
                EntryKind::ThinkingLevelChange { level } => thinking = ThinkingLevel::from_word(level).or(thinking),
                EntryKind::Message { message: Message::Assistant(message), .. } if model.is_none() => {
                    model = Some((message.provider.clone(), message.model.clone()));
                }
                _ => {}
            }
        }
        (model, thinking)
    }

    /// The newest data of a custom entry on this branch.
    pub fn last_custom(&self, custom_type: &str) -> Option<&RawJson> {
        self.branch().into_iter().rev().find_map(|entry| match &entry.kind {
            EntryKind::Custom { custom_type: found, data } if found == custom_type => data.as_ref(),
            _ => None,
        })
    }

    /// Every user message of the file with its entry, in file order.
    pub fn user_messages(&self) -> impl Iterator<Item = (&Entry, String)> {
        self.entries.iter().filter_map(|entry| match &entry.kind {
            EntryKind::Message { message: message @ Message::User(_), .. } => Some((entry, message.text())),
            _ => None,
        })
    }

    /// A new session with the path up to before the entry `id`, whose text is for the editor.
    pub fn fork_before(&self, id: &str, sessions: Option<&Path>) -> Result<(Self, String), TranscriptError> {
        let entry = self.entry(id).ok_or_else(|| TranscriptError::NoEntry(id.to_owned()))?;
        let EntryKind::Message { message: message @ Message::User(_), .. } = &entry.kind else {
            return Err(TranscriptError::NoEntry(id.to_owned()));
        };
        let text = message.text();
        let copy = self.copied_to(entry.parent_id.as_deref(), sessions)?;
        Ok((copy, text))
    }

    /// A new session with the path up to and including `leaf`.
    pub fn copied_to(&self, leaf: Option<&str>, sessions: Option<&Path>) -> Result<Self, TranscriptError> {
        let parent = self.path.as_ref().map(|path| path.to_string_lossy().into_owned());
        let mut copy = Self::create(&self.header.cwd, sessions, parent);
        for entry in self.branch_to(leaf) {
            // Commands belong to the session they were sent to, bookmarks of the position to its file.
            let own = matches!(&entry.kind, EntryKind::Custom { custom_type, .. }
                if custom_type == COMMAND_ENTRY || custom_type == LEAF_ENTRY);
            if own {
                continue;
            }
            copy.append_as(entry.id.clone(), entry.kind.clone())?;
        }
        let kept: HashSet<String> = copy.by_id.keys().cloned().collect();
        for entry in &self.entries {
            if let EntryKind::Label { target_id, label } = &entry.kind
                && kept.contains(target_id)
                && !kept.contains(&entry.id)
            {
                copy.append(EntryKind::Label { target_id: target_id.clone(), label: label.clone() })?;
            }
        }
        Ok(copy)
    }
}

/// What an entry contributes to the conversation.
fn message_of(entry: &Entry) -> Option<Cow<'_, Message>> {
    if let EntryKind::Message { message, .. } = &entry.kind {
        return Some(Cow::Borrowed(message));
    }
    let timestamp = clock::parse_iso(&entry.timestamp).unwrap_or_default();
    let made = match &entry.kind {
        // A cut without a summary leaves nothing behind.
        EntryKind::Compaction { summary, tokens_before, .. } if !summary.is_empty() => {
            Some(Message::CompactionSummary(CompactionSummaryMessage {
                id: Some(entry.id.clone()),
                summary: summary.clone(),
                tokens_before: *tokens_before,
                timestamp,
            }))
        }
        EntryKind::BranchSummary { from_id, summary, .. } => Some(Message::BranchSummary(BranchSummaryMessage {
            id: Some(entry.id.clone()),
            summary: summary.clone(),
            from_id: from_id.clone(),
            timestamp,
        })),
        EntryKind::CustomMessage { custom_type, content, details, display } => Some(Message::Custom(CustomMessage {
            id: Some(entry.id.clone()),
            custom_type: custom_type.clone(),
            content: content.clone(),
            display: *display,
            details: details.clone(),
            timestamp,
        })),
        _ => None,
    };
    made.map(Cow::Owned)
}

/// `--home-ana-project--`: the folder that holds the sessions of a working directory.
pub fn folder_name(cwd: &Path) -> String {
    let text = cwd.to_string_lossy();
    let text = text.strip_prefix(['/', '\\']).unwrap_or(&text);
    format!("--{}--", text.replace(['/', '\\', ':'], "-"))
}

fn session_path(sessions: &Path, cwd: &Path, header: &Header) -> PathBuf {
    let stamp = header.timestamp.replace([':', '.'], "-");
    sessions.join(folder_name(cwd)).join(format!("{stamp}_{}.jsonl", header.id))
}

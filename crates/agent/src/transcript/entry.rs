//! One line of a session file.

use pizzapi_protocol::{JsonObject, Message, MessageContent, RawJson, Usage};
use serde::Serialize;

/// An entry of the session's tree.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Eight hex digits, unique in the file.
    pub id: String,
    /// None at the root.
    pub parent_id: Option<String>,
    /// ISO time.
    pub timestamp: String,
    pub kind: EntryKind,
}

#[derive(Debug, Clone, PartialEq)]
pub enum EntryKind {
    Message {
        message: Message,
        /// The remote command that brought this message.
        command_id: Option<String>,
    },
    ModelChange {
        provider: String,
        model_id: String,
    },
    ThinkingLevelChange {
        level: String,
    },
    Compaction {
        /// Empty: a cut that left nothing.
        summary: String,
        /// None: nothing before the cut is kept.
        first_kept_entry_id: Option<String>,
        tokens_before: u64,
        details: Option<RawJson>,
        usage: Option<Usage>,
        from_hook: Option<bool>,
    },
    BranchSummary {
        from_id: String,
        summary: String,
        details: Option<RawJson>,
        usage: Option<Usage>,
        from_hook: Option<bool>,
    },
    /// State of a part of the program; never sent to a model.
    Custom {
        custom_type: String,
        data: Option<RawJson>,
    },
    CustomMessage {
        custom_type: String,
        content: MessageContent,
        details: Option<RawJson>,
        display: bool,
    },
    Label {
        target_id: String,
        label: Option<String>,
    },
    SessionInfo {
        name: Option<String>,
    },
    /// A type this version does not know: kept with all its members.
    Other(JsonObject),
}

impl EntryKind {
    /// Does this alone justify a file? Settings made before the first word do not.
    pub(super) fn is_worth_a_file(&self) -> bool {
        match self {
            Self::Message { .. }
            | Self::CustomMessage { .. }
            | Self::Compaction { .. }
            | Self::BranchSummary { .. } => true,
            Self::Custom { custom_type, .. } => custom_type == super::COMMAND_ENTRY,
            _ => false,
        }
    }
}

impl Entry {
    /// The entry as one line of JSON, without the line's end.
    pub fn line(&self) -> String {
        let mut object = JsonObject::new();
        put(&mut object, "type", self.kind.word());
        put(&mut object, "id", &self.id);
        put(&mut object, "parentId", &self.parent_id);
        put(&mut object, "timestamp", &self.timestamp);
        self.kind.members(&mut object);
        object.to_raw().get().to_owned()
    }

    /// Read one line. None: not an entry (a header, or damaged).
    pub fn parse(line: &str) -> Option<Self> {
        let mut object: JsonObject = serde_json::from_str(line).ok()?;
        let word: String = object.get_as("type")?;
        if word == "session" {
            return None;
        }
        let id: String = object.get_as("id")?;
        let parent_id = object.get_as::<Option<String>>("parentId").flatten();
        let timestamp = object.get_as("timestamp").unwrap_or_default();
        let kind = EntryKind::parse(&word, &object).unwrap_or_else(|| {
            object.retain(|key, _| !matches!(key, "id" | "parentId" | "timestamp"));
            EntryKind::Other(object.clone())
        });
        Some(Self { id, parent_id, timestamp, kind })
    }
}

fn put<T: Serialize + ?Sized>(object: &mut JsonObject, key: &str, value: &T) {
    object.set(key, value).expect("entry members serialise");
}

fn put_some<T: Serialize>(object: &mut JsonObject, key: &str, value: &Option<T>) {
    if let Some(value) = value {
        put(object, key, value);
    }
}

impl EntryKind {
    fn word(&self) -> &str {
        match self {
            Self::Message { .. } => "message",
            Self::ModelChange { .. } => "model_change",
            Self::ThinkingLevelChange { .. } => "thinking_level_change",
            Self::Compaction { .. } => "compaction",
            Self::BranchSummary { .. } => "branch_summary",
            Self::Custom { .. } => "custom",
            Self::CustomMessage { .. } => "custom_message",
            Self::Label { .. } => "label",
            Self::SessionInfo { .. } => "session_info",
            Self::Other(_) => "other",
        }
    }

    fn members(&self, object: &mut JsonObject) {
        match self {
            Self::Message { message, command_id } => {
                put(object, "message", message);
                put_some(object, "commandId", command_id);
            }
            Self::ModelChange { provider, model_id } => {
                put(object, "provider", provider);
                put(object, "modelId", model_id);
            }
            Self::ThinkingLevelChange { level } => put(object, "thinkingLevel", level),
            Self::Compaction { summary, first_kept_entry_id, tokens_before, details, usage, from_hook } => {
                put(object, "summary", summary);
                put(object, "firstKeptEntryId", &first_kept_entry_id.clone().unwrap_or_default());
                put(object, "tokensBefore", tokens_before);
                put_some(object, "details", details);
                put_some(object, "usage", usage);
                put_some(object, "fromHook", from_hook);
            }
            Self::BranchSummary { from_id, summary, details, usage, from_hook } => {
                put(object, "fromId", from_id);
                put(object, "summary", summary);
                put_some(object, "details", details);
                put_some(object, "usage", usage);
                put_some(object, "fromHook", from_hook);
            }
            Self::Custom { custom_type, data } => {
                put(object, "customType", custom_type);
                put_some(object, "data", data);
            }
            Self::CustomMessage { custom_type, content, details, display } => {
                put(object, "customType", custom_type);
                put(object, "content", content);
                put_some(object, "details", details);
                put(object, "display", display);
            }
            Self::Label { target_id, label } => {
                put(object, "targetId", target_id);
                put_some(object, "label", label);
            }
            Self::SessionInfo { name } => put_some(object, "name", name),
            Self::Other(members) => {
                for (key, value) in members.iter() {
                    object.insert(key, value.clone());
                }
            }
        }
    }

    fn parse(word: &str, object: &JsonObject) -> Option<Self> {
        Some(match word {
            "message" => Self::Message { message: object.get_as("message")?, command_id: object.get_as("commandId") },
            "model_change" => {
                Self::ModelChange { provider: object.get_as("provider")?, model_id: object.get_as("modelId")? }
            }
            "thinking_level_change" => Self::ThinkingLevelChange { level: object.get_as("thinkingLevel")? },
            "compaction" => Self::Compaction {
                summary: object.get_as("summary")?,
                first_kept_entry_id: object.get_as::<String>("firstKeptEntryId").filter(|id| !id.is_empty()),
                tokens_before: object.get_as("tokensBefore").unwrap_or(0),
                details: object.get("details").cloned(),
                usage: object.get_as("usage"),
                from_hook: object.get_as("fromHook"),
            },
            "branch_summary" => Self::BranchSummary {
                from_id: object.get_as("fromId")?,
                summary: object.get_as("summary")?,
                details: object.get("details").cloned(),
                usage: object.get_as("usage"),
                from_hook: object.get_as("fromHook"),
            },
            "custom" => Self::Custom { custom_type: object.get_as("customType")?, data: object.get("data").cloned() },
            "custom_message" => Self::CustomMessage {
                custom_type: object.get_as("customType")?,
                content: object.get_as("content")?,
                details: object.get("details").cloned(),
                display: object.get_as("display").unwrap_or(true),
            },
            "label" => Self::Label { target_id: object.get_as("targetId")?, label: object.get_as("label") },
            "session_info" => Self::SessionInfo {
                name: object.get_as::<String>("name").map(|n| n.trim().to_owned()).filter(|n| !n.is_empty()),
            },
            _ => return None,
        })
    }
}

//! The seven file tools: schema and a call into `pizzapi-tools`.

use std::path::PathBuf;

use async_trait::async_trait;
use pizzapi_protocol::{ContentBlock, RawJson};
use pizzapi_tools::fs::{self, EditArgs, Files, ListArgs, ReadArgs, WriteArgs};
use pizzapi_tools::search::{self, FindArgs, GrepArgs};
use pizzapi_tools::{Content, ToolError, Workspace};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Call, Effect, Failure, Output, Tool};
use crate::provider::ToolSpec;

/// One of the seven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Read,
    Write,
    Edit,
    Grep,
    Find,
    Ls,
}

/// A file tool of one session; all share the queue of changes.
pub struct FileTool {
    kind: Kind,
    files: Files,
    home: Option<PathBuf>,
}

impl FileTool {
    /// All of them, in the order the model sees.
    pub fn all(home: Option<PathBuf>) -> Vec<Self> {
        let files = Files::new();
        [Kind::Read, Kind::Write, Kind::Edit, Kind::Grep, Kind::Find, Kind::Ls]
            .into_iter()
            .map(|kind| Self { kind, files: files.clone(), home: home.clone() })
            .collect()
    }
}

#[async_trait]
impl Tool for FileTool {
    fn spec(&self) -> ToolSpec {
        let path = json!({"type": "string", "description": "Relative to the working directory, or absolute."});
        let (name, description, parameters) = match self.kind {
            Kind::Read => (
                "read",
                "Read a text file or look at an image. Long files come in parts of 2000 lines or 50 KiB: go on with `offset`.",
                json!({
                    "type": "object",
                    "properties": {
                        "path": path,
                        "offset": {"type": "integer", "minimum": 1, "description": "First line, from 1."},
                        "limit": {"type": "integer", "minimum": 1, "description": "Lines at most."}
                    },
                    "required": ["path"]
                }),
            ),
            Kind::Write => (
                "write",
                "Write a whole file, replacing what was there. Folders are made as needed. To change a part, use edit.",
                json!({
                    "type": "object",
                    "properties": {"path": path, "content": {"type": "string"}},
                    "required": ["path", "content"]
                }),
            ),
            Kind::Edit => (
                "edit",
                "Replace exact pieces of a file. Each `oldText` must occur exactly once in the file as it is now, pieces must not \
                 overlap; put all changes of a file into one call.",
                json!({
                    "type": "object",
                    "properties": {
                        "path": path,
                        "edits": {
                            "type": "array",
                            "minItems": 1,
                            "items": {
                                "type": "object",
                                "properties": {
                                    "oldText": {"type": "string", "minLength": 1, "description": "Exact text, with enough around it to be unique."},
                                    "newText": {"type": "string"}
                                },
                                "required": ["oldText", "newText"]
                            }
                        }
                    },
                    "required": ["path", "edits"]
                }),
            ),
            Kind::Grep => (
                "grep",
                "Search file contents with a regular expression. Ignored files are left out.",
                json!({
                    "type": "object",
                    "properties": {
                        "pattern": {"type": "string"},
                        "path": {"type": "string", "description": "File or folder; default: the working directory."},
                        "glob": {"type": "string", "description": "Only files like `*.rs` or `src/**/*.ts`."},
                        "ignoreCase": {"type": "boolean"},
                        "literal": {"type": "boolean", "description": "The pattern is plain text."},
                        "context": {"type": "integer", "minimum": 0, "description": "Lines around each match."},
                        "limit": {"type": "integer", "minimum": 1, "description": "Matches at most (100)."}
                    },
                    "required": ["pattern"]
                }),
            ),
            Kind::Find => (
                "find",
                "Find files by a glob such as `*.toml` or `src/**/mod.rs`. Ignored files are left out.",
                json!({
                    "type": "object",
                    "properties": {
                        "pattern": {"type": "string"},
                        "path": {"type": "string", "description": "Folder; default: the working directory."},
                        "limit": {"type": "integer", "minimum": 1, "description": "Files at most (1000)."}
                    },
                    "required": ["pattern"]
                }),
            ),
            Kind::Ls => (
                "ls",
                "List a folder, dot files included; folders end with `/`.",
                json!({
                    "type": "object",
                    "properties": {
                        "path": {"type": "string", "description": "Default: the working directory."},
                        "limit": {"type": "integer", "minimum": 1, "description": "Entries at most (500)."}
                    }
                }),
            ),
        };
        ToolSpec { name: name.into(), description: description.into(), parameters }
    }

    fn summary(&self) -> String {
        match self.kind {
            Kind::Read => "read a file or look at an image",
            Kind::Write => "write a whole file",
            Kind::Edit => "replace exact pieces of a file",
            Kind::Grep => "search file contents",
            Kind::Find => "find files by name",
            Kind::Ls => "list a folder",
        }
        .into()
    }

    fn guidelines(&self) -> Vec<String> {
        match self.kind {
            Kind::Read => vec!["Read a file before you change it; use read rather than cat, sed or head.".into()],
            Kind::Edit => vec!["Use edit for changes and write only for new files or complete rewrites.".into()],
            Kind::Grep | Kind::Find | Kind::Ls => {
                vec![
                    "Search with grep, find and ls rather than through bash: they respect ignore files and are quick."
                        .into(),
                ]
            }
            Kind::Write => Vec::new(),
        }
    }

    fn effect(&self) -> Effect {
        match self.kind {
            Kind::Write | Kind::Edit => Effect::Write,
            _ => Effect::Read,
        }
    }

    fn subject(&self, arguments: &Value) -> Option<String> {
        arguments.get("path").and_then(Value::as_str).map(str::to_owned)
    }

    fn repair(&self, mut arguments: Value) -> Value {
        let Some(map) = arguments.as_object_mut() else { return arguments };
        if !map.contains_key("path")
            && let Some(path) = map.remove("file_path").or_else(|| map.remove("filePath"))
        {
            map.insert("path".into(), path);
        }
        if self.kind == Kind::Edit && !map.contains_key("edits") {
            let take = |map: &mut serde_json::Map<String, Value>, names: [&str; 3]| {
                names.into_iter().find_map(|name| map.remove(name))
            };
            let old = take(map, ["oldText", "old_string", "old_text"]);
            let new = take(map, ["newText", "new_string", "new_text"]);
            if let (Some(old), Some(new)) = (old, new) {
                map.insert("edits".into(), json!([{ "oldText": old, "newText": new }]));
            }
        }
        arguments
    }

    async fn run(&self, call: Call) -> Result<Output, Failure> {
        let workspace = Workspace::new(call.cwd.clone(), self.home.clone());
        let arguments = call.arguments;
        let result = match self.kind {
            Kind::Read => {
                let sees_images = call.core.model().is_ok_and(|model| model.accepts_images());
                fs::read(&workspace, typed::<ReadArgs>(arguments)?, sees_images, &call.cancel).await
            }
            Kind::Write => fs::write(&workspace, &self.files, typed::<WriteArgs>(arguments)?).await,
            Kind::Edit => fs::edit(&workspace, &self.files, typed::<EditArgs>(arguments)?).await,
            Kind::Grep => search::grep(&workspace, typed::<GrepArgs>(arguments)?, &call.cancel).await,
            Kind::Find => search::find(&workspace, typed::<FindArgs>(arguments)?, &call.cancel).await,
            Kind::Ls => fs::list(&workspace, typed::<ListArgs>(arguments)?).await,
        };
        finish(result)
    }
}

pub(crate) fn typed<T: DeserializeOwned>(arguments: Value) -> Result<T, Failure> {
    serde_json::from_value(arguments).map_err(|error| Failure::new(format!("Invalid arguments: {error}.")))
}

/// A tool's own output as ours.
pub(crate) fn finish(result: Result<pizzapi_tools::Output, ToolError>) -> Result<Output, Failure> {
    result.map(converted).map_err(|error| Failure::new(error.to_string()))
}

pub(crate) fn converted(output: pizzapi_tools::Output) -> Output {
    Output {
        content: output
            .content
            .into_iter()
            .map(|part| match part {
                Content::Text(text) => ContentBlock::text(text),
                Content::Image { data, mime_type } => ContentBlock::image(data, mime_type),
            })
            .collect(),
        details: output.details.map(RawJson::from),
        usage: None,
        end_run: false,
        is_error: output.is_error,
    }
}

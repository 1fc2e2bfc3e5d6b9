//! Touching files and running commands on behalf of an agent.
//!
//! Every tool is a plain function from typed arguments to a [`Output`] or a [`ToolError`]; both are meant for a model to read,
//! so each message says what to do next. Limits are the same everywhere ([`limits`]) and every cut is announced with the way
//! to get the rest. What a model may do at all is not decided here: callers ask [`path_guard`] and their own rules first.

pub mod bash;
pub mod fs;
pub mod image;
pub mod limits;
pub mod path_guard;
pub mod paths;
pub mod process;
pub mod search;

use serde_json::Value;

pub use paths::Workspace;

/// What a tool has to say.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    pub content: Vec<Content>,
    /// For display, not for the model. Shape: an object whose members depend on the tool.
    pub details: Option<Value>,
    /// The tool ran and what it ran failed, such as a command with a non-zero exit code.
    pub is_error: bool,
}

impl Output {
    pub fn text(text: impl Into<String>) -> Self {
        Self { content: vec![Content::Text(text.into())], details: None, is_error: false }
    }

    pub fn with_details(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }

    /// All text parts, joined.
    pub fn as_text(&self) -> String {
        let texts: Vec<_> = self
            .content
            .iter()
            .filter_map(|part| match part {
                Content::Text(text) => Some(text.as_str()),
                Content::Image { .. } => None,
            })
            .collect();
        texts.join("\n")
    }
}

/// One part of an output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    Text(String),
    /// `data` is base64.
    Image {
        data: String,
        mime_type: String,
    },
}

/// Why a tool could not do its work. The text is for the model.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    #[error("failed to {action} `{path}`: {source}")]
    Io { action: &'static str, path: String, source: std::io::Error },
    /// The arguments make no sense, or not for this file.
    #[error("{0}")]
    Invalid(String),
    #[error("aborted")]
    Aborted,
}

impl ToolError {
    pub(crate) fn io(action: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self::Io { action, path, source }
    }

    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        Self::Invalid(text.into())
    }
}

pub type ToolResult = Result<Output, ToolError>;

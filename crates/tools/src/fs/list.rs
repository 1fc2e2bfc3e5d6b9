//! Listing one folder.

use serde::Deserialize;
use serde_json::json;

use crate::fs::blocking;
use crate::limits::{MAX_BYTES, head, size};
use crate::{Output, ToolError, ToolResult, Workspace};

/// Entries shown unless the caller asks for another number.
pub const DEFAULT_ENTRIES: usize = 500;

#[derive(Debug, Clone, Default, Deserialize)]
pub struct ListArgs {
    #[serde(default, alias = "file_path")]
    pub path: Option<String>,
    #[serde(default)]
    pub limit: Option<usize>,
}

/// Names in a folder, sorted without regard to case, folders marked by `/`.
pub async fn list(workspace: &Workspace, args: ListArgs) -> ToolResult {
    let path = workspace.resolve_existing(args.path.as_deref().unwrap_or("."));
    let limit = args.limit.unwrap_or(DEFAULT_ENTRIES).max(1);
    blocking(move || {
        let entries = std::fs::read_dir(&path).map_err(ToolError::io("list", &path))?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(ToolError::io("list", &path))?;
            let mut name = entry.file_name().to_string_lossy().into_owned();
            // A link to a folder is listed as a folder: that is what a caller can do with it.
            if std::fs::metadata(entry.path()).is_ok_and(|metadata| metadata.is_dir()) {
                name.push('/');
            }
            names.push(name);
        }
        if names.is_empty() {
            return Ok(Output::text("(empty directory)"));
        }
        names.sort_by_cached_key(|name| (name.to_lowercase(), name.clone()));
        let total = names.len();
        names.truncate(limit);
        let joined = names.join("\n");
        let (shown, cut) = head(&joined, MAX_BYTES);
        let mut text = shown.to_owned();
        let mut notices = Vec::new();
        if total > limit {
            notices.push(format!("{limit} of {total} entries shown, use limit={} for more", limit.saturating_mul(2)));
        }
        if cut {
            notices.push(format!("cut at {}", size(MAX_BYTES)));
        }
        if !notices.is_empty() {
            text.push_str(&format!("\n\n[{}]", notices.join(". ")));
        }
        let mut output = Output::text(text);
        if total > limit || cut {
            output =
                output.with_details(json!({ "entries": total, "entryLimitReached": total > limit, "truncated": cut }));
        }
        Ok(output)
    })
    .await
}

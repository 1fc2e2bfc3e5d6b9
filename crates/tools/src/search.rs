//! Searching a tree by content and by name.

use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};
use grep_matcher::Matcher;
use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use grep_searcher::{BinaryDetection, Searcher, SearcherBuilder, Sink, SinkContext, SinkMatch};
use ignore::{Walk, WalkBuilder};
use serde::Deserialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::fs::blocking;
use crate::limits::{MAX_BYTES, floor_char_boundary, head, size};
use crate::{Output, ToolError, ToolResult, Workspace};

/// Matches shown unless the caller asks for another number.
pub const DEFAULT_MATCHES: usize = 100;
/// Files found unless the caller asks for another number.
pub const DEFAULT_FILES: usize = 1000;
/// Characters of a line that are shown.
pub const MAX_LINE_CHARS: usize = 500;
/// Lines around a match at most.
const MAX_CONTEXT: usize = 50;

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GrepArgs {
    pub pattern: String,
    #[serde(default, alias = "file_path")]
    pub path: Option<String>,
    #[serde(default)]
    pub glob: Option<String>,
    #[serde(default, alias = "ignore_case")]
    pub ignore_case: bool,
    #[serde(default)]
    pub literal: bool,
    #[serde(default)]
    pub context: Option<usize>,
    #[serde(default)]
    pub limit: Option<usize>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct FindArgs {
    pub pattern: String,
    #[serde(default, alias = "file_path")]
    pub path: Option<String>,
    #[serde(default)]
    pub limit: Option<usize>,
}

/// All files below `root` that are not ignored, hidden ones included, in a stable order.
fn walk(root: &Path) -> Walk {
    WalkBuilder::new(root)
        .hidden(false)
        .require_git(false)
        .filter_entry(|entry| entry.depth() == 0 || entry.file_name() != ".git")
        .sort_by_file_name(std::ffi::OsStr::cmp)
        .build()
}

/// A pattern without `/` is about names, one with `/` about the path below the searched folder.
struct Pattern {
    glob: GlobMatcher,
    whole_path: bool,
}

impl Pattern {
    fn new(pattern: &str) -> Result<Self, ToolError> {
        let whole_path = pattern.contains('/');
        let pattern = pattern.trim_start_matches("./");
        let glob = GlobBuilder::new(pattern.trim_start_matches('/'))
            .literal_separator(true)
            .build()
            .map_err(|error| ToolError::invalid(format!("invalid glob: {error}")))?
            .compile_matcher();
        Ok(Self { glob, whole_path })
    }

    fn matches(&self, relative: &Path) -> bool {
        if self.whole_path {
            self.glob.is_match(relative)
        } else {
            relative.file_name().is_some_and(|name| self.glob.is_match(Path::new(name)))
        }
    }
}

/// Lines that match a pattern, as `file:line: text`, with context as `file-line- text`.
pub async fn grep(workspace: &Workspace, args: GrepArgs, cancel: &CancellationToken) -> ToolResult {
    let root = workspace.resolve_existing(args.path.as_deref().unwrap_or("."));
    let workspace = workspace.clone();
    let token = cancel.clone();
    let work = blocking(move || grep_blocking(&workspace, &root, &args, &token));
    tokio::select! {
        output = work => output,
        () = cancel.cancelled() => Err(ToolError::Aborted),
    }
}

fn grep_blocking(workspace: &Workspace, root: &Path, args: &GrepArgs, cancel: &CancellationToken) -> ToolResult {
    let limit = args.limit.unwrap_or(DEFAULT_MATCHES).max(1);
    let context = args.context.unwrap_or(0).min(MAX_CONTEXT);
    let matcher = RegexMatcherBuilder::new()
        .case_insensitive(args.ignore_case)
        .fixed_strings(args.literal)
        .line_terminator(Some(b'\n'))
        .build(&args.pattern)
        .map_err(|error| match args.pattern.contains("\\n") {
            // A pattern that names a line end cannot be searched line by line; say so in those words.
            true => ToolError::invalid("patterns cannot span lines"),
            false => {
                ToolError::invalid(format!("invalid pattern: {error}; use literal=true to search for it as it is"))
            }
        })?;
    let glob = args.glob.as_deref().map(Pattern::new).transpose()?;
    std::fs::metadata(root).map_err(ToolError::io("search", root))?;

    let mut searcher = SearcherBuilder::new()
        .binary_detection(BinaryDetection::quit(0))
        .line_number(true)
        .before_context(context)
        .after_context(context)
        .build();
    let mut found = Found { lines: Vec::new(), matches: 0, limit, long_lines: false, more: false, unreadable: 0 };
    for entry in walk(root) {
        if cancel.is_cancelled() {
            return Err(ToolError::Aborted);
        }
        let Ok(entry) = entry else {
            found.unreadable += 1;
            continue;
        };
        if !entry.file_type().is_some_and(|kind| kind.is_file()) {
            continue;
        }
        let relative = entry.path().strip_prefix(root).unwrap_or(entry.path());
        if let Some(glob) = &glob
            && !glob.matches(if relative.as_os_str().is_empty() { Path::new(entry.file_name()) } else { relative })
        {
            continue;
        }
        let name = workspace.display(entry.path());
        let mut sink = FileSink { name, matcher: &matcher, found: &mut found };
        if searcher.search_path(&matcher, entry.path(), &mut sink).is_err() {
            found.unreadable += 1;
        }
        if found.more {
            break;
        }
    }
    Ok(found.finish())
}

struct Found {
    lines: Vec<String>,
    matches: usize,
    limit: usize,
    long_lines: bool,
    more: bool,
    unreadable: usize,
}

impl Found {
    fn push(&mut self, name: &str, mark: char, number: u64, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim_end_matches(['\n', '\r']);
        let text = if text.chars().count() > MAX_LINE_CHARS {
            self.long_lines = true;
            let end = text.char_indices().nth(MAX_LINE_CHARS).map_or(text.len(), |(at, _)| at);
            format!("{}... [cut]", &text[..floor_char_boundary(text, end)])
        } else {
            text.to_owned()
        };
        self.lines.push(format!("{name}{mark}{number}{mark} {text}"));
    }

    fn finish(self) -> Output {
        let mut notices = Vec::new();
        if self.more {
            notices.push(format!(
                "{} matches shown, there are more: use limit={} or a narrower pattern",
                self.limit,
                self.limit.saturating_mul(2)
            ));
        }
        let joined = self.lines.join("\n");
        let (shown, cut) = head(&joined, MAX_BYTES);
        if cut {
            notices.push(format!("cut at {}", size(MAX_BYTES)));
        }
        if self.long_lines {
            notices.push(format!("some lines cut at {MAX_LINE_CHARS} characters: read the file to see them"));
        }
        if self.unreadable > 0 {
            notices.push(format!("{} files or folders could not be read", self.unreadable));
        }
        let mut text = if self.matches == 0 { "No matches found".to_owned() } else { shown.to_owned() };
        if !notices.is_empty() {
            text.push_str(&format!("\n\n[{}]", notices.join(". ")));
        }
        Output::text(text).with_details(json!({
            "matches": self.matches,
            "matchLimitReached": self.more,
            "truncated": cut,
            "linesTruncated": self.long_lines,
        }))
    }
}

struct FileSink<'a> {
    name: String,
    matcher: &'a RegexMatcher,
    found: &'a mut Found,
}

impl Sink for FileSink<'_> {
    type Error = std::io::Error;

    fn matched(&mut self, _: &Searcher, matched: &SinkMatch<'_>) -> Result<bool, Self::Error> {
        if self.found.matches == self.found.limit {
            self.found.more = true;
            return Ok(false);
        }
        self.found.matches += 1;
        self.found.push(&self.name, ':', matched.line_number().unwrap_or(0), matched.bytes());
        Ok(true)
    }

    fn context(&mut self, _: &Searcher, context: &SinkContext<'_>) -> Result<bool, Self::Error> {
        // After the last permitted match its context is still wanted, but not a line that matches itself.
        let is_match = self.matcher.is_match(context.bytes()).unwrap_or(false);
        if self.found.matches == self.found.limit && is_match {
            self.found.more = true;
            return Ok(false);
        }
        self.found.push(&self.name, '-', context.line_number().unwrap_or(0), context.bytes());
        Ok(true)
    }

    fn context_break(&mut self, _: &Searcher) -> Result<bool, Self::Error> {
        self.found.lines.push("--".to_owned());
        Ok(true)
    }
}

/// Files and folders whose name or path matches a glob, as paths below the searched folder.
pub async fn find(workspace: &Workspace, args: FindArgs, cancel: &CancellationToken) -> ToolResult {
    let root = workspace.resolve_existing(args.path.as_deref().unwrap_or("."));
    let token = cancel.clone();
    let work = blocking(move || find_blocking(&root, &args, &token));
    tokio::select! {
        output = work => output,
        () = cancel.cancelled() => Err(ToolError::Aborted),
    }
}

fn find_blocking(root: &PathBuf, args: &FindArgs, cancel: &CancellationToken) -> ToolResult {
    let limit = args.limit.unwrap_or(DEFAULT_FILES).max(1);
    let pattern = Pattern::new(&args.pattern)?;
    if !std::fs::metadata(root).map_err(ToolError::io("search", root))?.is_dir() {
        return Err(ToolError::invalid(format!("`{}` is not a directory", root.display())));
    }
    let mut found = Vec::new();
    let mut more = false;
    let mut unreadable = 0;
    for entry in walk(root) {
        if cancel.is_cancelled() {
            return Err(ToolError::Aborted);
        }
        let Ok(entry) = entry else {
            unreadable += 1;
            continue;
        };
        if entry.depth() == 0 {
            continue;
        }
        let relative = entry.path().strip_prefix(root).unwrap_or(entry.path());
        if !pattern.matches(relative) {
            continue;
        }
        if found.len() == limit {
            more = true;
            break;
        }
        let mut name = relative.display().to_string();
        if entry.file_type().is_some_and(|kind| kind.is_dir()) {
            name.push('/');
        }
        found.push(name);
    }
    if found.is_empty() {
        return Ok(Output::text("No files found matching pattern"));
    }
    let joined = found.join("\n");
    let (shown, cut) = head(&joined, MAX_BYTES);
    let mut notices = Vec::new();
    if more {
        notices.push(format!(
            "{limit} results shown, there are more: use limit={} or a narrower pattern",
            limit.saturating_mul(2)
        ));
    }
    if cut {
        notices.push(format!("cut at {}", size(MAX_BYTES)));
    }
    if unreadable > 0 {
        notices.push(format!("{unreadable} files or folders could not be read"));
    }
    let mut text = shown.to_owned();
    if !notices.is_empty() {
        text.push_str(&format!("\n\n[{}]", notices.join(". ")));
    }
    Ok(Output::text(text).with_details(json!({ "results": found.len(), "resultLimitReached": more, "truncated": cut })))
}

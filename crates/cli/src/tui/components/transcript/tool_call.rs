//! One tool call: a title with its state, and as much of its outcome as is worth seeing.

use ansi_to_tui::IntoText;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use serde_json::Value;

use super::{RenderContext, diff};
use crate::tui::markdown::{self, code};
use crate::tui::text::{self, Break};

/// Rows of output kept for one call when expanded: beyond this the file or log is the better place.
const MAX_EXPANDED_ROWS: usize = 1_000;
const BASH_PREVIEW: usize = 5;
const WRITE_PREVIEW: usize = 10;
const EDIT_PREVIEW: usize = 24;
const GREP_PREVIEW: usize = 8;
const LIST_PREVIEW: usize = 6;
const OTHER_PREVIEW: usize = 6;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToolState {
    /// The model is still writing the arguments.
    Writing,
    /// Complete, not started (waiting for its turn or for a permission).
    Waiting,
    Running,
    Succeeded,
    Failed,
    /// Stopped before it could end.
    Cancelled,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ToolCall {
    pub id: String,
    pub name: String,
    pub args: Value,
    pub state: ToolState,
    pub output: String,
    pub details: Value,
    pub images: usize,
    /// Unix ms, for the elapsed time.
    pub started_at: Option<u64>,
    pub ended_at: Option<u64>,
}

impl ToolCall {
    pub fn new(id: impl Into<String>, name: impl Into<String>, args: Value) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            args,
            state: ToolState::Waiting,
            output: String::new(),
            details: Value::Null,
            images: 0,
            started_at: None,
            ended_at: None,
        }
    }

    pub fn is_live(&self) -> bool {
        matches!(self.state, ToolState::Writing | ToolState::Running)
    }

    /// Bookkeeping of the agent that has its own place on the screen.
    pub fn is_silent(&self) -> bool {
        matches!(self.name.as_str(), "update_todo" | "set_session_name")
    }

    fn arg(&self, name: &str) -> Option<&str> {
        self.args.get(name).and_then(Value::as_str)
    }

    fn path(&self) -> &str {
        self.arg("path").or_else(|| self.arg("file_path")).unwrap_or_default()
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.args.get(name).and_then(Value::as_u64)
    }

    pub fn render(&self, ctx: &RenderContext<'_>, expanded: bool) -> Vec<Line<'static>> {
        let mut out = vec![self.title(ctx)];
        let body = self.body(ctx, expanded);
        let rail = Span::styled(format!("  {} ", ctx.theme.glyphs.rail), ctx.theme.border());
        out.extend(body.into_iter().map(|line| text::prefixed(line, rail.clone())));
        out
    }

    fn marker(&self, ctx: &RenderContext<'_>) -> Span<'static> {
        let theme = ctx.theme;
        let (glyph, style) = match self.state {
            ToolState::Writing | ToolState::Running => (ctx.spinner(), theme.accent()),
            ToolState::Waiting => (theme.glyphs.hollow, theme.muted()),
            ToolState::Succeeded => (theme.glyphs.bullet, theme.success()),
            ToolState::Failed => (theme.glyphs.cross, theme.error()),
            ToolState::Cancelled => (theme.glyphs.cancelled, theme.warning()),
        };
        Span::styled(format!("{glyph} "), style)
    }

    fn title(&self, ctx: &RenderContext<'_>) -> Line<'static> {
        let theme = ctx.theme;
        let verb = |word: &str| Span::styled(format!("{word} "), theme.strong());
        let object = |content: &str| Span::styled(one_line(content), theme.accent());
        let plain = |content: String| Span::styled(content, theme.muted());
        let path = ctx.short_path(self.path());
        let mut spans = vec![self.marker(ctx)];
        let mut right: Vec<String> = Vec::new();
        match self.name.as_str() {
            "bash" => {
                spans.push(Span::styled("$ ", theme.muted()));
                let command = self.arg("command").unwrap_or_default();
                spans.push(Span::styled(one_line(command), theme.strong()));
                right.extend(self.arg("title").map(one_line));
                right.extend(self.number("timeout").map(|seconds| format!("limit {seconds}s")));
            }
            "read" => {
                spans.push(verb("Read"));
                spans.push(object(&path));
                if let Some(range) = self.read_range() {
                    spans.push(plain(range));
                }
                if self.state == ToolState::Succeeded && !self.output.is_empty() && self.images == 0 {
                    right.push(count(self.output.lines().count(), "line"));
                }
            }
            "write" => {
                spans.push(verb("Write"));
                spans.push(object(&path));
                right.extend(self.arg("content").map(|content| count(content.lines().count(), "line")));
            }
            "edit" => {
                spans.push(verb("Edit"));
                spans.push(object(&path));
                let (added, removed) = diff::counts(&self.diff());
                if added + removed > 0 {
                    spans.push(Span::styled(format!("  +{added}"), Style::new().fg(theme.added)));
                    spans.push(Span::styled(format!(" -{removed}"), Style::new().fg(theme.removed)));
                }
            }
            "grep" => {
                spans.push(verb("Search"));
                spans.push(object(self.arg("pattern").unwrap_or_default()));
                if !path.is_empty() && path != "." {
                    spans.push(plain(format!(" in {path}")));
                }
                if let Some(glob) = self.arg("glob") {
                    spans.push(plain(format!(" {glob}")));
                }
            }
            "find" => {
                spans.push(verb("Find"));
                spans.push(object(self.arg("pattern").unwrap_or_default()));
                if !path.is_empty() && path != "." {
                    spans.push(plain(format!(" in {path}")));
                }
            }
            "ls" => {
                spans.push(verb("List"));
                spans.push(object(if path.is_empty() { "." } else { &path }));
            }
            "AskUserQuestion" => spans.push(verb("Question")),
            "plan_mode" => {
                spans.push(verb("Plan"));
                spans.push(object(self.arg("title").unwrap_or_default()));
            }
            "subagent" => {
                spans.push(verb("Sub-agent"));
                spans.push(object(self.arg("agent").unwrap_or_default()));
                spans.push(plain(format!(" {}", one_line(self.arg("task").unwrap_or_default()))));
            }
            "web_search" | "web_fetch" => {
                spans.push(verb(if self.name == "web_search" { "Web search" } else { "Fetch" }));
                spans.push(object(self.arg("query").or_else(|| self.arg("url")).unwrap_or_default()));
            }
            name => {
                spans.push(verb(&text::sanitize(name)));
                spans.push(plain(summarize(&self.args)));
            }
        }
        if self.state == ToolState::Cancelled {
            right.push("stopped".to_owned());
        }
        right.extend(self.elapsed(ctx.now));
        let right = right.join(&format!(" {} ", theme.glyphs.separator));
        // The right part is a remark: it goes before the command is cut below two thirds.
        let room = ctx.width * 2 / 5;
        let right = text::truncate(&right, room).into_owned();
        text::spread(Line::from(spans), Line::from(Span::styled(right, theme.faint())), ctx.width)
    }

    fn elapsed(&self, now: u64) -> Option<String> {
        let start = self.started_at?;
        let end = self.ended_at.unwrap_or(now);
        let ms = end.saturating_sub(start);
        // A time nobody had to wait for is noise.
        (ms >= 500).then(|| text::duration(ms))
    }

    fn read_range(&self) -> Option<String> {
        match (self.number("offset"), self.number("limit")) {
            (None, None) => None,
            (offset, None) => Some(format!(":{}", offset.unwrap_or(1))),
            (offset, Some(limit)) => {
                let from = offset.unwrap_or(1);
                Some(format!(":{from}-{}", from + limit.saturating_sub(1)))
            }
        }
    }

    /// The change of an edit: what the tool reported, else what the arguments ask for.
    fn diff(&self) -> Vec<diff::DiffLine> {
        if let Some(patch) = self.details.get("patch").and_then(Value::as_str) {
            let lines = diff::from_patch(patch);
            if !lines.is_empty() {
                return lines;
            }
        }
        if let Some(display) = self.details.get("diff").and_then(Value::as_str) {
            return if display.contains("@@ ") { diff::from_patch(display) } else { diff::from_display(display) };
        }
        let edits: Vec<Value> = match self.args.get("edits") {
            Some(Value::Array(edits)) => edits.clone(),
            Some(Value::String(json)) => serde_json::from_str(json).unwrap_or_default(),
            _ => vec![self.args.clone()],
        };
        let mut lines = Vec::new();
        for edit in &edits {
            let text = |name: &str| edit.get(name).and_then(Value::as_str).unwrap_or_default();
            let change = diff::from_texts(text("oldText"), text("newText"));
            if !lines.is_empty() && !change.is_empty() {
                lines.push(diff::DiffLine { change: diff::Change::Gap, number: None, text: String::new() });
            }
            lines.extend(change);
        }
        lines
    }

    fn body(&self, ctx: &RenderContext<'_>, expanded: bool) -> Vec<Line<'static>> {
        let theme = ctx.theme;
        let width = ctx.width.saturating_sub(4).max(1);
        let mut body = Vec::new();
        if self.name == "bash" && expanded {
            let command = self.arg("command").unwrap_or_default();
            if command.contains('\n') {
                for line in code::highlight(command, "bash", theme) {
                    body.extend(text::wrap(line, width, &[], Break::Anywhere));
                }
                body.push(Line::default());
            }
        }
        let failed = matches!(self.state, ToolState::Failed | ToolState::Cancelled);
        match self.name.as_str() {
            "bash" => {
                let rows = ansi_rows(&self.output, width, theme.muted());
                body.extend(clip(rows, if expanded { MAX_EXPANDED_ROWS } else { BASH_PREVIEW }, Keep::Tail, ctx));
            }
            "edit" if !failed => {
                let lines = self.diff();
                let rows = diff::render(&lines, code::language_of(self.path()), width, theme);
                body.extend(clip(rows, if expanded { MAX_EXPANDED_ROWS } else { EDIT_PREVIEW }, Keep::Head, ctx));
            }
            "write" if !failed => {
                let content = self.arg("content").unwrap_or_default();
                let limit = if expanded { MAX_EXPANDED_ROWS } else { WRITE_PREVIEW };
                let total = content.lines().count();
                // Only what will be seen is highlighted.
                let shown: String = content.lines().take(limit + 1).flat_map(|line| [line, "\n"]).collect();
                let rows: Vec<_> = code::highlight(&shown, code::language_of(self.path()), theme)
                    .into_iter()
                    .flat_map(|line| text::wrap(line, width, &[], Break::Anywhere))
                    .take(limit)
                    .collect();
                let hidden = total.saturating_sub(limit);
                body.extend(rows);
                if hidden > 0 {
                    body.push(more(hidden, ctx));
                }
            }
            "read" if !failed && !expanded => {}
            "read" if !failed => {
                let rows: Vec<_> = code::highlight(&self.output, code::language_of(self.path()), theme)
                    .into_iter()
                    .flat_map(|line| text::wrap(line, width, &[], Break::Anywhere))
                    .collect();
                body.extend(clip(rows, MAX_EXPANDED_ROWS, Keep::Head, ctx));
            }
            "AskUserQuestion" => body.extend(self.question_body(ctx, width)),
            "plan_mode" => body.extend(self.plan_body(ctx, width)),
            "edit" | "write" | "read" => {}
            name => {
                let preview = match name {
                    "grep" => GREP_PREVIEW,
                    "find" | "ls" => LIST_PREVIEW,
                    _ => OTHER_PREVIEW,
                };
                if expanded && !matches!(name, "grep" | "find" | "ls") && self.args.is_object() {
                    let pretty = serde_json::to_string_pretty(&self.args).unwrap_or_default();
                    for line in code::highlight(&pretty, "json", theme) {
                        body.extend(text::wrap(line, width, &[], Break::Anywhere));
                    }
                }
                let style = if failed { theme.error() } else { theme.muted() };
                let rows = ansi_rows(&self.output, width, style);
                body.extend(clip(rows, if expanded { MAX_EXPANDED_ROWS } else { preview }, Keep::Head, ctx));
            }
        }
        if failed && matches!(self.name.as_str(), "edit" | "write" | "read") && !self.output.is_empty() {
            let rows = text::wrap_plain(&text::sanitize(&self.output), width, theme.error(), Break::Words);
            body.extend(clip(rows, if expanded { MAX_EXPANDED_ROWS } else { OTHER_PREVIEW }, Keep::Head, ctx));
        }
        if self.images > 0 {
            body.push(Line::from(Span::styled(format!("[{}]", count(self.images, "image")), theme.info())));
        }
        body
    }

    fn question_body(&self, ctx: &RenderContext<'_>, width: usize) -> Vec<Line<'static>> {
        let theme = ctx.theme;
        let mut body = Vec::new();
        let questions = self.args.get("questions").and_then(Value::as_array).cloned().unwrap_or_default();
        let texts = questions.iter().filter_map(|question| question.get("question").and_then(Value::as_str));
        for question in texts.chain(self.arg("question")) {
            body.extend(text::wrap_plain(&text::sanitize(question), width, theme.base(), Break::Words));
        }
        let answer = self.output.strip_prefix("User answered: ").unwrap_or(&self.output);
        // While it waits, the tool only says that it waits.
        if !answer.is_empty() && !self.is_live() {
            let style = if self.state == ToolState::Succeeded { theme.success() } else { theme.muted() };
            let rows = text::wrap_plain(&text::sanitize(answer), width.saturating_sub(2), style, Break::Words);
            let pointer = Span::styled(format!("{} ", theme.glyphs.pointer), theme.accent());
            body.extend(
                rows.into_iter().enumerate().map(|(index, row)| {
                    text::prefixed(row, if index == 0 { pointer.clone() } else { Span::raw("  ") })
                }),
            );
        }
        body
    }

    fn plan_body(&self, ctx: &RenderContext<'_>, width: usize) -> Vec<Line<'static>> {
        let theme = ctx.theme;
        let mut body = Vec::new();
        if let Some(description) = self.arg("description").filter(|text| !text.trim().is_empty()) {
            body.extend(markdown::render(description, width, theme));
        }
        let steps = self.args.get("steps").and_then(Value::as_array).cloned().unwrap_or_default();
        for (index, step) in steps.iter().enumerate() {
            let title = step.get("title").and_then(Value::as_str).unwrap_or_default();
            let line = Line::from(vec![
                Span::styled(format!("{:>2}. ", index + 1), theme.accent()),
                Span::styled(one_line(title), theme.base()),
            ]);
            body.extend(text::wrap(line, width, &[Span::raw("    ")], Break::Words));
        }
        if !self.output.is_empty() {
            body.extend(text::wrap_plain(&text::sanitize(&self.output), width, theme.muted(), Break::Words));
        }
        body
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    Head,
    Tail,
}

/// Cuts rows to a number and says how many are hidden, where they are hidden.
fn clip(mut rows: Vec<Line<'static>>, limit: usize, keep: Keep, ctx: &RenderContext<'_>) -> Vec<Line<'static>> {
    // Hiding a single row would not save one.
    if rows.len() <= limit + 1 {
        return rows;
    }
    let hidden = rows.len() - limit;
    match keep {
        Keep::Head => {
            rows.truncate(limit);
            rows.push(more(hidden, ctx));
        }
        Keep::Tail => {
            rows.drain(..hidden);
            rows.insert(0, more(hidden, ctx));
        }
    }
    rows
}

fn more(hidden: usize, ctx: &RenderContext<'_>) -> Line<'static> {
    let noun = if hidden == 1 { "line" } else { "lines" };
    let label = format!("{} {hidden} more {noun} ({})", ctx.theme.glyphs.ellipsis, ctx.expand_key);
    Line::from(Span::styled(label, ctx.theme.faint()))
}

fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// First line of a text, with a mark when there are more.
fn one_line(content: &str) -> String {
    let content = content.trim();
    let mut lines = content.lines();
    let first = text::sanitize(lines.next().unwrap_or_default()).into_owned();
    if lines.next().is_some() { format!("{first} …") } else { first }
}

/// Arguments in a few words: values of the short members.
fn summarize(args: &Value) -> String {
    let Some(members) = args.as_object() else { return String::new() };
    let parts = members.iter().filter_map(|(key, value)| match value {
        Value::String(content) if content.len() <= 80 && !content.contains('\n') => {
            Some(format!("{key}={}", text::sanitize(content)))
        }
        Value::Number(_) | Value::Bool(_) => Some(format!("{key}={value}")),
        Value::Array(items) => Some(format!("{key}=[{}]", items.len())),
        _ => None,
    });
    parts.take(4).collect::<Vec<_>>().join(" ")
}

/// Program output with its colours, without what would move the cursor. Text that set no colour gets `style`.
pub fn ansi_rows(output: &str, width: usize, style: Style) -> Vec<Line<'static>> {
    let output = output.trim_end();
    if output.is_empty() {
        return Vec::new();
    }
    let cleaned = keep_colors(output);
    let lines = match cleaned.contains('\u{1b}').then(|| cleaned.into_text()) {
        Some(Ok(parsed)) => parsed.lines,
        _ => cleaned.lines().map(|line| Line::from(line.to_owned())).collect(),
    };
    lines
        .into_iter()
        .flat_map(|line| {
            let spans: Vec<_> = line
                .spans
                .into_iter()
                .map(|span| {
                    let own = line.style.patch(span.style);
                    // Full inverse of foreign programs stays readable on any background.
                    Span::styled(text::sanitize(&span.content).into_owned(), style.patch(drop_reset(own)))
                })
                .collect();
            text::wrap(Line::from(spans), width, &[], Break::Anywhere)
        })
        .collect()
}

/// `Reset` colours would hide the style of the surroundings.
fn drop_reset(style: Style) -> Style {
    let keep = |color: Option<ratatui::style::Color>| color.filter(|c| *c != ratatui::style::Color::Reset);
    Style { fg: keep(style.fg), bg: keep(style.bg), ..style }.remove_modifier(Modifier::HIDDEN)
}

/// Removes every escape sequence but colours, and shows of overwritten lines (progress bars) what they ended as.
fn keep_colors(output: &str) -> String {
    let mut out = String::with_capacity(output.len());
    for (index, line) in output.split('\n').enumerate() {
        if index > 0 {
            out.push('\n');
        }
        let line = line.trim_end_matches('\r');
        let line = line.rsplit('\r').find(|part| !part.is_empty()).unwrap_or(line);
        let mut rest = line;
        while let Some(start) = rest.find('\u{1b}') {
            out.push_str(&rest[..start]);
            let sequence = &rest[start..];
            let end = escape_end(sequence);
            if sequence[..end].starts_with("\u{1b}[") && sequence[..end].ends_with('m') {
                out.push_str(&sequence[..end]);
            }
            rest = &sequence[end..];
        }
        out.push_str(rest);
    }
    out
}

/// Length in bytes of the escape sequence a text starts with.
fn escape_end(sequence: &str) -> usize {
    let bytes = sequence.as_bytes();
    let after = |index: usize| (index + 1).min(bytes.len());
    match bytes.get(1) {
        Some(b'[') => {
            let last = bytes[2..].iter().position(|byte| (0x40..=0x7e).contains(byte));
            last.map_or(bytes.len(), |at| after(at + 2))
        }
        Some(b']') => match bytes[2..].iter().position(|byte| *byte == 7 || *byte == 0x1b) {
            Some(at) if bytes[at + 2] == 7 => after(at + 2),
            Some(at) => (at + 4).min(bytes.len()),
            None => bytes.len(),
        },
        Some(byte) if byte.is_ascii() => 2,
        Some(_) | None => 1,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tui::theme::Theme;

    fn screen(call: &ToolCall, expanded: bool) -> String {
        let theme = Theme::dark();
        let ctx = RenderContext::for_tests(&theme, 50);
        let lines = call.render(&ctx, expanded);
        let rows: Vec<String> = lines
            .iter()
            .map(|line| {
                let row: String = line.spans.iter().map(|span| span.content.as_ref()).collect();
                row.trim_end().to_owned()
            })
            .collect();
        rows.join("\n")
    }

    #[test]
    fn bash_shows_the_end_of_its_output() {
        let mut call = ToolCall::new("1", "bash", json!({"command": "cargo test", "title": "Run tests"}));
        call.state = ToolState::Succeeded;
        call.output = (1..=9).map(|n| format!("line {n}\n")).collect();
        insta::assert_snapshot!(screen(&call, false), @r"
        ● $ cargo test                           Run tests
          │ … 4 more lines (ctrl+o)
          │ line 5
          │ line 6
          │ line 7
          │ line 8
          │ line 9
        ");
        assert_eq!(screen(&call, true).lines().count(), 10);
    }

    #[test]
    fn an_edit_is_shown_before_it_ran() {
        let args = json!({"path": "a.rs", "edits": [{"oldText": "let a = 1;\n", "newText": "let a = 2;\n"}]});
        let call = ToolCall::new("1", "edit", args);
        insta::assert_snapshot!(screen(&call, false), @r"
        ○ Edit a.rs  +1 -1
          │ - let a = 1;
          │ + let a = 2;
        ");
    }

    #[test]
    fn a_failed_read_says_why() {
        let mut call = ToolCall::new("1", "read", json!({"path": "/nope", "offset": 10, "limit": 5}));
        call.state = ToolState::Failed;
        call.output = "no such file".into();
        insta::assert_snapshot!(screen(&call, false), @r"
        ✗ Read /nope:10-14
          │ no such file
        ");
    }

    #[test]
    fn progress_bars_show_their_last_state_and_cursor_moves_are_dropped() {
        let rows = ansi_rows("10%\r50%\r100%\nok \u{1b}[2K\u{1b}[32mgreen\u{1b}[0m", 40, Style::new());
        let texts: Vec<String> =
            rows.iter().map(|row| row.spans.iter().map(|span| span.content.as_ref()).collect()).collect();
        assert_eq!(texts, ["100%", "ok green"]);
        assert!(rows[1].spans.iter().any(|span| span.style.fg == Some(ratatui::style::Color::Green)));
    }

    #[test]
    fn unknown_tools_show_their_arguments() {
        let call = ToolCall::new("1", "mcp__db__query", json!({"sql": "select 1", "limit": 5}));
        assert_eq!(screen(&call, false), "○ mcp__db__query sql=select 1 limit=5");
    }
}

//! What people and models say: user messages, answers, notices, summaries, errors.

use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use super::RenderContext;
use crate::tui::markdown::{self, stream::MarkdownStream};
use crate::tui::text::{self, Break};

/// Lines of a long user message shown before it is expanded.
const USER_PREVIEW_LINES: usize = 12;

/// What somebody asked. `from` names the surface when it was not this terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserMessage {
    pub text: String,
    pub images: usize,
    pub from: Option<String>,
}

impl UserMessage {
    pub fn render(&self, ctx: &RenderContext<'_>, expanded: bool) -> Vec<Line<'static>> {
        let theme = ctx.theme;
        let background = Style::new().fg(theme.text).bg(theme.user_bg);
        let bar = Span::styled(format!("{} ", theme.glyphs.bar), Style::new().fg(theme.accent).bg(theme.user_bg));
        let inner = ctx.width.saturating_sub(3).max(1);
        let clean = text::sanitize(self.text.trim_end());
        let mut rows = text::wrap_plain(&clean, inner, background, Break::Words);
        let hidden = rows.len().saturating_sub(USER_PREVIEW_LINES);
        if !expanded && hidden > 2 {
            rows.truncate(USER_PREVIEW_LINES);
            rows.push(Line::from(Span::styled(
                format!("{} {hidden} more lines", theme.glyphs.ellipsis),
                theme.muted().bg(theme.user_bg),
            )));
        }
        if self.images > 0 {
            let noun = if self.images == 1 { "image" } else { "images" };
            rows.push(Line::from(Span::styled(
                format!("[{} {noun}]", self.images),
                Style::new().fg(theme.info).bg(theme.user_bg),
            )));
        }
        if let Some(from) = &self.from {
            rows.push(Line::from(Span::styled(format!("from {from}"), theme.muted().bg(theme.user_bg))));
        }
        rows.into_iter().map(|row| text::filled(text::prefixed(row, bar.clone()), ctx.width, background)).collect()
    }
}

/// An answer's text, possibly still being written.
#[derive(Default)]
pub struct AnswerText {
    stream: MarkdownStream,
    done: bool,
}

impl AnswerText {
    pub fn set(&mut self, source: &str, done: bool) {
        self.stream.set(source);
        self.done = done;
    }

    pub fn source(&self) -> &str {
        self.stream.source()
    }

    pub fn render(&mut self, ctx: &RenderContext<'_>) -> Vec<Line<'static>> {
        let width = ctx.width.saturating_sub(2);
        let lines = if self.done {
            markdown::render(self.stream.source(), width, ctx.theme)
        } else {
            self.stream.lines(width, ctx.theme)
        };
        lines.into_iter().map(|line| text::prefixed(line, Span::raw("  "))).collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Info,
    Success,
    Warning,
    Error,
}

/// A line from the program itself.
pub fn render_notice(level: Level, message: &str, ctx: &RenderContext<'_>) -> Vec<Line<'static>> {
    let theme = ctx.theme;
    let (glyph, style) = match level {
        Level::Info => (theme.glyphs.separator, theme.muted()),
        Level::Success => (theme.glyphs.check, theme.success()),
        Level::Warning => ("!", theme.warning()),
        Level::Error => (theme.glyphs.cross, theme.error()),
    };
    let clean = text::sanitize(message.trim_end());
    let rows = text::wrap_plain(&clean, ctx.width.saturating_sub(2), style, Break::Words);
    rows.into_iter()
        .enumerate()
        .map(|(index, row)| {
            let prefix = if index == 0 { format!("{glyph} ") } else { "  ".to_owned() };
            text::prefixed(row, Span::styled(prefix, style.add_modifier(Modifier::BOLD)))
        })
        .collect()
}

/// A block with a label: summaries of compactions and branches, messages injected by extensions.
pub fn render_block(label: &str, body: &str, ctx: &RenderContext<'_>, expanded: bool) -> Vec<Line<'static>> {
    let theme = ctx.theme;
    let mut head = vec![
        Span::styled(format!("{} ", theme.glyphs.bullet), theme.info()),
        Span::styled(text::sanitize(label).into_owned(), theme.info().add_modifier(Modifier::BOLD)),
    ];
    if body.trim().is_empty() {
        return vec![Line::from(head)];
    }
    let lines = markdown::render(body, ctx.width.saturating_sub(4), theme);
    if !expanded {
        head.push(Span::styled(format!("  {} lines, {} to show", lines.len(), ctx.expand_key), theme.faint()));
        return vec![text::truncate_line(Line::from(head), ctx.width)];
    }
    let rail = Span::styled(format!("  {} ", theme.glyphs.rail), theme.border());
    let mut out = vec![Line::from(head)];
    out.extend(lines.into_iter().map(|line| text::prefixed(line, rail.clone())));
    out
}

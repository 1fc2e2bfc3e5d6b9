//! The agent's task list, above the composer.

use pizzapi_protocol::{MetaTodoItem, TodoStatus};
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};

use crate::tui::text;
use crate::tui::theme::Theme;

/// Rows of tasks at once.
const MAX_ROWS: usize = 7;

/// Rows for the list; finished lists are one line.
pub fn lines(todos: &[MetaTodoItem], width: usize, theme: &Theme) -> Vec<Line<'static>> {
    if todos.is_empty() {
        return Vec::new();
    }
    let done = todos.iter().filter(|todo| todo.status == TodoStatus::Done).count();
    let open = todos.iter().filter(|t| matches!(t.status, TodoStatus::Pending | TodoStatus::InProgress)).count();
    let head = Line::from(vec![
        Span::styled("  Tasks ", theme.strong()),
        Span::styled(format!("{done}/{}", todos.len()), theme.muted()),
    ]);
    if open == 0 {
        return Vec::new();
    }
    // The window keeps the current task in sight, with what was just finished before it.
    let current = todos
        .iter()
        .position(|todo| todo.status == TodoStatus::InProgress)
        .or_else(|| todos.iter().position(|todo| todo.status == TodoStatus::Pending))
        .unwrap_or(0);
    let first = current.saturating_sub(2).min(todos.len().saturating_sub(MAX_ROWS));
    let mut out = vec![head];
    if first > 0 {
        out.push(Line::from(Span::styled(format!("    {} {first} earlier", theme.glyphs.ellipsis), theme.faint())));
    }
    let glyphs = &theme.glyphs;
    for todo in todos.iter().skip(first).take(MAX_ROWS) {
        let (glyph, mark, style) = match todo.status {
            TodoStatus::Pending => (glyphs.pending, theme.muted(), theme.base()),
            TodoStatus::InProgress => (glyphs.progress, theme.accent(), theme.strong()),
            TodoStatus::Done => (glyphs.check, theme.success(), theme.faint()),
            TodoStatus::Cancelled => {
                (glyphs.cancelled, theme.muted(), theme.faint().add_modifier(Modifier::CROSSED_OUT))
            }
        };
        let line = Line::from(vec![
            Span::styled(format!("    {glyph} "), mark),
            Span::styled(text::sanitize(&todo.text).replace('\n', " "), style),
        ]);
        out.push(text::truncate_line(line, width));
    }
    let rest = todos.len().saturating_sub(first + MAX_ROWS);
    if rest > 0 {
        out.push(Line::from(Span::styled(format!("    {} {rest} more", glyphs.ellipsis), theme.faint())));
    }
    out
}

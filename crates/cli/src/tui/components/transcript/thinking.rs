//! A model's thinking: one line, or all of it.

use ratatui::style::Modifier;
use ratatui::text::{Line, Span};

use super::RenderContext;
use crate::tui::text::{self, Break};

/// Lines of live thinking shown while it is collapsed.
const LIVE_TAIL: usize = 3;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Thinking {
    pub text: String,
    pub done: bool,
    pub redacted: bool,
    pub seconds: Option<u64>,
}

impl Thinking {
    pub fn render(&self, ctx: &RenderContext<'_>, expanded: bool) -> Vec<Line<'static>> {
        let theme = ctx.theme;
        let label = match (self.done, self.seconds) {
            (false, _) => "Thinking".to_owned(),
            (true, Some(seconds)) => format!("Thought for {}", text::duration(seconds * 1000)),
            (true, None) => "Thought".to_owned(),
        };
        let glyph = if self.done { theme.glyphs.thinking } else { ctx.spinner() };
        let style = theme.muted().add_modifier(Modifier::ITALIC);
        let mut head = vec![Span::styled(format!("{glyph} "), theme.muted()), Span::styled(label, style)];
        if self.redacted {
            head.push(Span::styled("  hidden by the provider", theme.faint()));
            return vec![Line::from(head)];
        }
        let clean = text::sanitize(self.text.trim());
        let body = text::wrap_plain(&clean, ctx.width.saturating_sub(4), style, Break::Words);
        let shown: Vec<Line<'static>> = if expanded {
            body
        } else if self.done {
            head.push(Span::styled(format!("  {} to show", ctx.thinking_key), theme.faint()));
            Vec::new()
        } else {
            let skip = body.len().saturating_sub(LIVE_TAIL);
            body.into_iter().skip(skip).collect()
        };
        let rail = Span::styled(format!("  {} ", theme.glyphs.rail), theme.border());
        let mut out = vec![text::truncate_line(Line::from(head), ctx.width)];
        out.extend(shown.into_iter().map(|line| text::prefixed(line, rail.clone())));
        out
    }
}

//! Small questions of the program itself: yes or no, and one line of text.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use crate::tui::component::{Dialog, LineInput, Reaction, draw_rows, frame, is_cancel};
use crate::tui::effect::Effect;
use crate::tui::text::{self, Break};
use crate::tui::theme::Theme;

/// What becomes of an entered line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    SessionName,
    ApiKey { provider: String },
}

/// One line of text.
pub struct TextPrompt {
    asked: Asked,
    title: String,
    note: String,
    input: LineInput,
}

impl TextPrompt {
    pub fn new(asked: Asked, title: impl Into<String>, note: impl Into<String>, initial: &str) -> Self {
        let masked = matches!(asked, Asked::ApiKey { .. });
        Self { asked, title: title.into(), note: note.into(), input: LineInput { text: initial.to_owned(), masked } }
    }
}

impl Dialog for TextPrompt {
    fn id(&self) -> &str {
        "text"
    }

    fn height(&self, width: u16, _theme: &Theme) -> u16 {
        3 + if self.note.is_empty() { 0 } else { text::rows(&self.note, width.saturating_sub(4)) }
    }

    fn on_paste(&mut self, text: &str) -> Reaction {
        self.input.on_paste(text);
        Reaction::Redraw
    }

    fn on_key(&mut self, key: KeyEvent) -> Reaction {
        if is_cancel(key) {
            return Reaction::Close(Vec::new());
        }
        if key.code == KeyCode::Enter {
            let entered = self.input.text.trim().to_owned();
            let effect = match &self.asked {
                Asked::SessionName => Effect::RenameCurrent(entered),
                Asked::ApiKey { .. } if entered.is_empty() => return Reaction::Close(Vec::new()),
                Asked::ApiKey { provider } => Effect::SaveApiKey { provider: provider.clone(), key: entered },
            };
            return Reaction::Close(vec![effect]);
        }
        if self.input.on_key(key) { Reaction::Redraw } else { Reaction::Ignored }
    }

    fn render(&mut self, area: Rect, buf: &mut Buffer, theme: &Theme) -> Option<Position> {
        let inner = frame(area, buf, theme, &self.title, &[("enter", "save"), ("esc", "cancel")]);
        let note = text::wrap_plain(&self.note, usize::from(inner.width), theme.muted(), Break::Words);
        let used = if self.note.is_empty() { 0 } else { draw_rows(&note, inner, buf) };
        let row = Rect { y: inner.y + used, height: 1, ..inner };
        Some(self.input.render(row, buf, theme, &format!("{} ", theme.glyphs.prompt), ""))
    }
}

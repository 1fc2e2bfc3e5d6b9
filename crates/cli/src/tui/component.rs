//! Dialogs: state in, reaction out. They take the composer's place; one waits behind the other.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Widget};

use super::effect::Effect;
use super::text;
use super::theme::Theme;

/// What a dialog wants after a key.
#[derive(Debug, PartialEq)]
pub enum Reaction {
    /// Not its key.
    Ignored,
    Redraw,
    /// Performs effects and stays.
    Emit(Vec<Effect>),
    /// Closes, with these effects.
    Close(Vec<Effect>),
}

pub trait Dialog: Send {
    /// Identity of what it asks about, so that an answer from elsewhere closes it.
    fn id(&self) -> &str;
    /// Rows it would like, borders included.
    fn height(&self, width: u16, theme: &Theme) -> u16;
    fn on_key(&mut self, key: KeyEvent) -> Reaction;
    fn on_paste(&mut self, _text: &str) -> Reaction {
        Reaction::Ignored
    }
    fn on_wheel(&mut self, _down: bool) -> Reaction {
        Reaction::Ignored
    }
    /// Draws itself and returns where the text cursor is, if it has one.
    fn render(&mut self, area: Rect, buf: &mut Buffer, theme: &Theme) -> Option<Position>;
    /// New items for a list that was still loading.
    fn on_items(&mut self, _items: Vec<super::components::picker::Item>) {}
}

/// A frame with a title and key hints at the bottom; returns the inside.
pub fn frame(area: Rect, buf: &mut Buffer, theme: &Theme, title: &str, hints: &[(&str, &str)]) -> Rect {
    let mut footer = Vec::new();
    for (index, (key, what)) in hints.iter().enumerate() {
        let gap = if index == 0 { " " } else { "  " };
        footer.push(Span::raw(gap));
        footer.push(Span::styled((*key).to_owned(), theme.key()));
        footer.push(Span::styled(format!(" {what}"), theme.muted()));
    }
    footer.push(Span::raw(" "));
    let room = usize::from(area.width.saturating_sub(4));
    let block = Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(theme.accent())
        .title_top(text::truncate_line(Line::from(Span::styled(format!(" {title} "), theme.title())), room))
        .title_bottom(text::truncate_line(Line::from(footer), room));
    let inner = block.inner(area);
    block.render(area, buf);
    Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner }
}

/// Draws as many rows as fit and returns how many were drawn.
pub fn draw_rows(rows: &[Line<'static>], area: Rect, buf: &mut Buffer) -> u16 {
    let shown = rows.len().min(usize::from(area.height));
    for (offset, row) in rows.iter().take(shown).enumerate() {
        row.render(Rect { y: area.y + offset as u16, height: 1, ..area }, buf);
    }
    shown as u16
}

/// One choosable row.
pub fn choice_row(
    index: usize,
    label: &str,
    detail: &str,
    selected: bool,
    width: usize,
    theme: &Theme,
) -> Line<'static> {
    let pointer = if selected { theme.glyphs.pointer } else { " " };
    let style = if selected { theme.accent().add_modifier(Modifier::BOLD) } else { theme.base() };
    let mut spans = vec![
        Span::styled(format!("{pointer} "), theme.accent()),
        Span::styled(format!("{}. ", index + 1), theme.muted()),
        Span::styled(text::sanitize(label).into_owned(), style),
    ];
    if !detail.is_empty() {
        spans.push(Span::styled(format!("  {}", text::sanitize(detail)), theme.muted()));
    }
    text::truncate_line(Line::from(spans), width)
}

/// The digit of a key, for numbered choices: `1` is 0.
pub fn digit(key: KeyEvent) -> Option<usize> {
    match key.code {
        KeyCode::Char(c) if key.modifiers.is_empty() => c.to_digit(10)?.checked_sub(1).map(|digit| digit as usize),
        _ => None,
    }
}

pub fn is_cancel(key: KeyEvent) -> bool {
    key.code == KeyCode::Esc || (key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL))
}

/// A single line of text with a cursor at its end: enough for names, filters and keys.
#[derive(Debug, Default, Clone)]
pub struct LineInput {
    pub text: String,
    pub masked: bool,
}

impl LineInput {
    /// Whether the key changed the text.
    pub fn on_key(&mut self, key: KeyEvent) -> bool {
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        match key.code {
            KeyCode::Char('u') if ctrl => self.text.clear(),
            KeyCode::Char('w') if ctrl => self.delete_word(),
            KeyCode::Backspace if alt || ctrl => self.delete_word(),
            KeyCode::Char('h') if ctrl => self.pop(),
            KeyCode::Char(c) if !ctrl && !alt => self.text.push(c),
            KeyCode::Backspace => self.pop(),
            _ => return false,
        }
        true
    }

    pub fn on_paste(&mut self, text: &str) {
        self.text.extend(text.trim().chars().filter(|c| !c.is_control()));
    }

    fn pop(&mut self) {
        use unicode_segmentation::UnicodeSegmentation;
        if let Some((at, _)) = self.text.grapheme_indices(true).next_back() {
            self.text.truncate(at);
        }
    }

    fn delete_word(&mut self) {
        let trimmed = self.text.trim_end();
        let keep = trimmed.rfind(char::is_whitespace).map_or(0, |at| at + 1);
        self.text.truncate(keep);
    }

    /// Draws the end of the text after a prompt; returns the cursor.
    pub fn render(&self, area: Rect, buf: &mut Buffer, theme: &Theme, prompt: &str, placeholder: &str) -> Position {
        let shown = if self.masked { "•".repeat(self.text.chars().count()) } else { self.text.clone() };
        let prompt_width = text::width(prompt) as u16;
        buf.set_stringn(area.x, area.y, prompt, usize::from(area.width), theme.accent());
        let room = usize::from(area.width.saturating_sub(prompt_width + 1));
        let x = area.x + prompt_width;
        if shown.is_empty() {
            buf.set_stringn(x, area.y, placeholder, room, theme.faint());
            return Position { x, y: area.y };
        }
        let mut visible = shown.as_str();
        while text::width(visible) > room {
            let mut chars = visible.chars();
            chars.next();
            visible = chars.as_str();
        }
        buf.set_stringn(x, area.y, visible, room, theme.base());
        Position { x: x + text::width(visible) as u16, y: area.y }
    }
}

//! A filterable list: models, sessions, thinking levels, fork points.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::composer::mentions::fuzzy;
use crate::tui::component::{Dialog, LineInput, Reaction, frame, is_cancel};
use crate::tui::effect::Effect;
use crate::tui::text;
use crate::tui::theme::Theme;

const MAX_ROWS: u16 = 14;

/// One entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// What the choice is called to the effect.
    pub value: String,
    pub label: String,
    pub detail: String,
    /// Heading the item stands under; equal neighbours share one.
    pub group: String,
    pub current: bool,
}

impl Item {
    pub fn new(value: impl Into<String>, label: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { value: value.into(), label: label.into(), detail: detail.into(), group: String::new(), current: false }
    }

    fn searched(&self) -> String {
        format!("{} {} {}", self.group, self.label, self.detail)
    }
}

/// What a list is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Model,
    Session,
    Thinking,
    Fork,
    Tree,
    LoginProvider,
    /// Ways out of having no model.
    FirstModel,
    Theme,
}

/// What Ctrl+key does to the selected entry, besides choosing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extra {
    Rename,
    Delete,
}

pub struct Picker {
    purpose: Purpose,
    title: String,
    items: Vec<Item>,
    searched: Vec<String>,
    shown: Vec<usize>,
    selected: usize,
    first: usize,
    filter: LineInput,
    loading: bool,
    /// Waiting for a second press.
    confirm_delete: Option<String>,
    rename: Option<LineInput>,
    /// All directories instead of the current one.
    all: bool,
    page: usize,
}

impl Picker {
    pub fn new(purpose: Purpose, title: impl Into<String>, items: Vec<Item>) -> Self {
        let mut picker = Self {
            purpose,
            title: title.into(),
            items: Vec::new(),
            searched: Vec::new(),
            shown: Vec::new(),
            selected: 0,
            first: 0,
            filter: LineInput::default(),
            loading: false,
            confirm_delete: None,
            rename: None,
            all: false,
            page: 1,
        };
        picker.set_items(items);
        picker
    }

    /// A list whose items are on their way.
    pub fn loading(purpose: Purpose, title: impl Into<String>) -> Self {
        Self { loading: true, ..Self::new(purpose, title, Vec::new()) }
    }

    pub fn filtered(mut self, filter: &str) -> Self {
        filter.clone_into(&mut self.filter.text);
        self.refilter();
        self
    }

    fn set_items(&mut self, items: Vec<Item>) {
        self.searched = items.iter().map(Item::searched).collect();
        self.items = items;
        self.refilter();
        if self.filter.text.is_empty() {
            self.selected = self.shown.iter().position(|index| self.items[*index].current).unwrap_or(0);
        }
    }

    fn refilter(&mut self) {
        let order = fuzzy(&self.searched, &self.filter.text, String::as_str, nucleo::Config::DEFAULT);
        self.shown = order;
        self.selected = 0;
        self.confirm_delete = None;
    }

    fn current(&self) -> Option<&Item> {
        self.shown.get(self.selected).map(|index| &self.items[*index])
    }

    fn move_by(&mut self, rows: isize) {
        let last = self.shown.len().saturating_sub(1) as isize;
        let wraps = rows.abs() == 1;
        let target = self.selected as isize + rows;
        self.selected = match target {
            target if target < 0 && wraps => last,
            target if target > last && wraps => 0,
            target => target.clamp(0, last),
        } as usize;
        self.confirm_delete = None;
    }

    fn choose(&self) -> Reaction {
        let Some(item) = self.current() else { return Reaction::Redraw };
        let value = item.value.clone();
        let effect = match self.purpose {
            Purpose::Model => match value.split_once('/') {
                Some((provider, id)) => Effect::SetModel { provider: provider.into(), id: id.into() },
                None => return Reaction::Redraw,
            },
            Purpose::Session => Effect::Resume(value),
            Purpose::Thinking => Effect::SetThinking(value),
            Purpose::Fork => Effect::Fork(value),
            Purpose::Tree => Effect::MoveTo(value),
            Purpose::LoginProvider => Effect::AskApiKey { provider: value },
            Purpose::Theme => Effect::SetTheme(value),
            Purpose::FirstModel => match value.split_once(':') {
                Some(("key", provider)) => Effect::AskApiKey { provider: provider.to_owned() },
                Some(("model", key)) => match key.split_once('/') {
                    Some((provider, id)) => Effect::SetModel { provider: provider.into(), id: id.into() },
                    None => return Reaction::Redraw,
                },
                // A server on this machine may have been started meanwhile.
                _ => Effect::RefreshModels,
            },
        };
        Reaction::Close(vec![effect])
    }

    fn extra(&mut self, extra: Extra) -> Reaction {
        let Some(item) = self.current() else { return Reaction::Redraw };
        let (value, label) = (item.value.clone(), item.label.clone());
        match extra {
            Extra::Rename => {
                self.rename = Some(LineInput { text: label, masked: false });
                Reaction::Redraw
            }
            Extra::Delete if self.confirm_delete.as_deref() == Some(&value) => {
                self.items.retain(|item| item.value != value);
                let kept = std::mem::take(&mut self.items);
                let selected = self.selected;
                self.set_items(kept);
                self.selected = selected.min(self.shown.len().saturating_sub(1));
                Reaction::Emit(vec![Effect::DeleteSession(value)])
            }
            Extra::Delete => {
                self.confirm_delete = Some(value);
                Reaction::Redraw
            }
        }
    }

    fn rename_key(&mut self, key: KeyEvent) -> Option<Reaction> {
        let input = self.rename.as_mut()?;
        if is_cancel(key) {
            self.rename = None;
        } else if key.code == KeyCode::Enter {
            let name = std::mem::take(&mut input.text).trim().to_owned();
            self.rename = None;
            let value = self.current().map(|item| item.value.clone())?;
            if let Some(item) = self.items.iter_mut().find(|item| item.value == value) {
                item.label.clone_from(&name);
            }
            self.searched = self.items.iter().map(Item::searched).collect();
            return Some(Reaction::Emit(vec![Effect::RenameSession { path: value, name }]));
        } else {
            input.on_key(key);
        }
        Some(Reaction::Redraw)
    }
}

impl Dialog for Picker {
    fn id(&self) -> &str {
        "picker"
    }

    fn height(&self, _width: u16, _theme: &Theme) -> u16 {
        let groups = self.shown.windows(2).filter(|p| self.items[p[0]].group != self.items[p[1]].group).count();
        let groups = groups + usize::from(self.items.first().is_some_and(|item| !item.group.is_empty()));
        let rows = if self.filter.text.is_empty() { self.shown.len() + groups } else { self.items.len() + groups };
        (rows.max(1) as u16).min(MAX_ROWS) + 3
    }

    fn on_items(&mut self, items: Vec<Item>) {
        self.loading = false;
        self.set_items(items);
    }

    fn on_paste(&mut self, text: &str) -> Reaction {
        match &mut self.rename {
            Some(input) => input.on_paste(text),
            None => {
                self.filter.on_paste(text);
                self.refilter();
            }
        }
        Reaction::Redraw
    }

    fn on_wheel(&mut self, down: bool) -> Reaction {
        let last = self.shown.len().saturating_sub(1);
        self.selected = if down { (self.selected + 1).min(last) } else { self.selected.saturating_sub(1) };
        Reaction::Redraw
    }

    fn on_key(&mut self, key: KeyEvent) -> Reaction {
        if let Some(reaction) = self.rename_key(key) {
            return reaction;
        }
        if is_cancel(key) {
            return Reaction::Close(Vec::new());
        }
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        let sessions = self.purpose == Purpose::Session;
        match key.code {
            KeyCode::Enter => return self.choose(),
            KeyCode::Up => self.move_by(-1),
            KeyCode::Down => self.move_by(1),
            KeyCode::Char('p' | 'k') if ctrl && !sessions => self.move_by(-1),
            KeyCode::Char('n' | 'j') if ctrl && !sessions => self.move_by(1),
            KeyCode::PageUp => self.move_by(-(self.page as isize).max(2)),
            KeyCode::PageDown => self.move_by((self.page as isize).max(2)),
            KeyCode::Home => self.selected = 0,
            KeyCode::End => self.selected = self.shown.len().saturating_sub(1),
            KeyCode::Char('r') if ctrl && sessions => return self.extra(Extra::Rename),
            KeyCode::Char('d') if ctrl && sessions => return self.extra(Extra::Delete),
            KeyCode::Tab if sessions => {
                self.all = !self.all;
                self.loading = true;
                return Reaction::Emit(vec![Effect::LoadSessions { all: self.all }]);
            }
            _ => {
                if !self.filter.on_key(key) {
                    return Reaction::Ignored;
                }
                self.refilter();
            }
        }
        Reaction::Redraw
    }

    fn render(&mut self, area: Rect, buf: &mut Buffer, theme: &Theme) -> Option<Position> {
        let scope = if self.all { "this folder only" } else { "all folders" };
        let hints: Vec<(&str, &str)> = match self.purpose {
            Purpose::Session => {
                vec![("enter", "open"), ("tab", scope), ("ctrl+r", "rename"), ("ctrl+d", "delete"), ("esc", "close")]
            }
            _ => vec![("enter", "choose"), ("esc", "close")],
        };
        let title = match self.items.len() {
            0 => self.title.clone(),
            total if self.shown.len() == total => format!("{} {} {total}", self.title, theme.glyphs.separator),
            total => format!("{} {} {} of {total}", self.title, theme.glyphs.separator, self.shown.len()),
        };
        let inner = frame(area, buf, theme, &title, &hints);
        let width = usize::from(inner.width);
        let input_area = Rect { height: 1, ..inner };
        let cursor = match &self.rename {
            Some(input) => input.render(input_area, buf, theme, "new name: ", ""),
            None => self.filter.render(input_area, buf, theme, &format!("{} ", theme.glyphs.prompt), "type to filter"),
        };
        let list = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
        self.page = usize::from(list.height).saturating_sub(1).max(1);
        if self.shown.is_empty() {
            let note = match (self.loading, self.items.is_empty(), self.purpose) {
                (true, ..) => "loading…",
                (_, false, _) => "nothing matches",
                (_, _, Purpose::Model) => "no model has credentials: /login adds a key",
                (_, _, Purpose::Session) => "no other sessions",
                _ => "nothing to choose from",
            };
            buf.set_stringn(list.x, list.y, note, width, theme.muted());
            return Some(cursor);
        }
        // Rows including headings; the window follows the selection.
        let grouped = self.filter.text.is_empty();
        let mut rows: Vec<(Option<usize>, &str)> = Vec::new();
        let mut group = "";
        for (position, index) in self.shown.iter().enumerate() {
            let item = &self.items[*index];
            if grouped && item.group != group {
                group = &item.group;
                rows.push((None, group));
            }
            rows.push((Some(position), ""));
        }
        let height = usize::from(list.height);
        let at = rows.iter().position(|(position, _)| *position == Some(self.selected)).unwrap_or(0);
        self.first = self.first.min(at.saturating_sub(1)).max((at + 1).saturating_sub(height));
        if self.first + height > rows.len() {
            self.first = rows.len().saturating_sub(height);
        }
        for (offset, (position, heading)) in rows.iter().skip(self.first).take(height).enumerate() {
            let y = list.y + offset as u16;
            let row_area = Rect { y, height: 1, ..list };
            let Some(position) = position else {
                buf.set_stringn(list.x, y, heading, width, theme.muted());
                continue;
            };
            let item = &self.items[self.shown[*position]];
            let selected = *position == self.selected;
            let pointer = if selected { theme.glyphs.pointer } else { " " };
            let mark = if item.current { format!(" {}", theme.glyphs.check) } else { String::new() };
            let style = if selected { theme.accent() } else { theme.base() };
            let left = Line::from(vec![
                Span::styled(format!("{pointer} "), theme.accent()),
                Span::styled(text::sanitize(&item.label).replace('\n', " "), style),
                Span::styled(mark, theme.success()),
            ]);
            let right = if self.confirm_delete.as_ref() == Some(&item.value) {
                Span::styled("ctrl+d again to delete".to_owned(), theme.error())
            } else {
                let group = if grouped || item.group.is_empty() { String::new() } else { format!("{}  ", item.group) };
                Span::styled(text::truncate(&format!("{group}{}", item.detail), width / 2).into_owned(), theme.muted())
            };
            let mut line = text::spread(left, Line::from(right), width);
            if selected {
                line = text::filled(line, width, Style::new().bg(theme.selected_bg));
            }
            line.render(row_area, buf);
        }
        Some(cursor)
    }
}

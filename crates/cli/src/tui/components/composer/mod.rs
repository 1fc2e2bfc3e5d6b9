//! The input box: editing, completion, history, placeholders for pastes, and what sending means.

pub mod history;
pub mod mentions;
pub mod paste;
pub mod slash;

use std::path::{Path, PathBuf};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use ratatui_textarea::{CursorMove, TextArea, WrapMode};

use self::history::History;
use self::paste::Pastes;
use self::slash::{Query, SlashCommand};
use crate::tui::keymap::Action;
use crate::tui::text;
use crate::tui::theme::Theme;

/// Keys closer together than this were not typed by a hand.
const BURST_GAP_MS: u64 = 12;
/// After this silence an Enter that came in a burst was meant as one.
pub const BURST_SETTLE_MS: u64 = 30;
/// Keys in a burst before its Enter is doubted.
const BURST_LENGTH: u32 = 4;
const UNDO_STEPS: usize = 200;
/// Columns of a completion's name before it is cut, so that explanations line up.
const MAX_LABEL: usize = 44;
/// Completion rows on screen.
const POPUP_ROWS: usize = 8;

/// When a message is to reach the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Now: starts a run, or steers the one that runs.
    Steer,
    /// When the agent would stop.
    FollowUp,
}

/// What was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    pub text: String,
    pub images: Vec<PathBuf>,
    pub delivery: Delivery,
}

/// What a key did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Ignored,
    Changed,
    Submit(Submission),
}

struct Suggestion {
    label: String,
    detail: String,
    /// Replaces the text from `from` (characters of the current line) to the cursor.
    insert: String,
    /// Enter sends at once instead of only completing.
    complete: bool,
}

struct Popup {
    from: usize,
    items: Vec<Suggestion>,
    selected: usize,
}

pub struct Composer {
    area: TextArea<'static>,
    history: History,
    pastes: Pastes,
    popup: Option<Popup>,
    /// Closed with Escape: stays closed until the text changes.
    popup_dismissed: bool,
    commands: Vec<SlashCommand>,
    files: Option<Vec<String>>,
    wants_files: bool,
    burst: u32,
    last_key_at: u64,
    pending_enter: Option<(u64, Delivery)>,
    is_file: fn(&Path) -> bool,
}

impl Default for Composer {
    fn default() -> Self {
        Self {
            area: new_area(Vec::new()),
            history: History::default(),
            pastes: Pastes::default(),
            popup: None,
            popup_dismissed: false,
            commands: Vec::new(),
            files: None,
            wants_files: false,
            burst: 0,
            last_key_at: 0,
            pending_enter: None,
            is_file: Path::is_file,
        }
    }
}

fn new_area(lines: Vec<String>) -> TextArea<'static> {
    let lines = if lines.is_empty() { vec![String::new()] } else { lines };
    let mut area = TextArea::new(lines);
    area.set_wrap_mode(WrapMode::WordOrGlyph);
    area.set_cursor_line_style(Style::new());
    area.set_max_histories(UNDO_STEPS);
    area.set_tab_length(4);
    area
}

impl Composer {
    pub fn text(&self) -> String {
        self.area.lines().join("\n")
    }

    pub fn is_empty(&self) -> bool {
        self.area.is_empty()
    }

    /// The line is a shell command of the user.
    pub fn is_shell(&self) -> bool {
        self.area.lines()[0].starts_with('!')
    }

    pub fn set_commands(&mut self, commands: Vec<SlashCommand>) {
        self.commands = commands;
        self.refresh_popup();
    }

    pub fn commands(&self) -> &[SlashCommand] {
        &self.commands
    }

    pub fn set_files(&mut self, files: Vec<String>) {
        self.files = Some(files);
        self.refresh_popup();
    }

    /// Whether the project's files should be listed now. True once per mention.
    pub fn take_files_request(&mut self) -> bool {
        std::mem::take(&mut self.wants_files)
    }

    pub fn load_history(&mut self, entries: impl IntoIterator<Item = String>) {
        self.history.load(entries);
    }

    pub fn set_text(&mut self, content: &str) {
        let undo_from = std::mem::replace(&mut self.area, new_area(content.split('\n').map(str::to_owned).collect()));
        self.area.set_yank_text(undo_from.yank_text());
        self.area.move_cursor(CursorMove::Bottom);
        self.area.move_cursor(CursorMove::End);
        self.changed();
    }

    /// Puts texts before what is being written: queued messages that come back.
    pub fn prepend(&mut self, texts: &[String]) {
        let current = self.text();
        let mut parts: Vec<&str> = texts.iter().map(String::as_str).collect();
        if !current.trim().is_empty() {
            parts.push(&current);
        }
        let joined = parts.join("\n\n");
        self.set_text(&joined);
    }

    pub fn clear(&mut self) {
        self.area = new_area(Vec::new());
        self.pastes.clear();
        self.history.leave();
        self.pending_enter = None;
        self.changed();
    }

    pub fn insert(&mut self, content: &str) {
        self.area.insert_str(content);
        self.changed();
    }

    pub fn on_paste(&mut self, content: &str) {
        let inserted = self.pastes.accept(content, self.is_file);
        self.area.insert_str(inserted);
        self.changed();
    }

    fn changed(&mut self) {
        self.popup_dismissed = false;
        self.refresh_popup();
    }

    /// When [`Self::on_tick`] has something to decide.
    pub fn wake_at(&self) -> Option<u64> {
        self.pending_enter.map(|(at, _)| at + BURST_SETTLE_MS)
    }

    pub fn on_tick(&mut self, now: u64) -> Outcome {
        match self.pending_enter {
            Some((at, delivery)) if now >= at + BURST_SETTLE_MS => {
                self.pending_enter = None;
                self.submit(delivery)
            }
            _ => Outcome::Ignored,
        }
    }

    pub fn on_key(&mut self, key: KeyEvent, action: Option<Action>, now: u64) -> Outcome {
        let gap = now.saturating_sub(self.last_key_at);
        self.last_key_at = now;
        self.burst = if gap <= BURST_GAP_MS { self.burst + 1 } else { 0 };
        if self.pending_enter.take().is_some() {
            // Something followed at once: the Enter was a line break of pasted text.
            self.area.insert_newline();
        }
        if let Some(outcome) = self.popup_key(key, action) {
            return outcome;
        }
        match action {
            Some(Action::Submit) => return self.on_enter(Delivery::Steer, now),
            Some(Action::FollowUp) => return self.on_enter(Delivery::FollowUp, now),
            Some(Action::NewLine) => {
                self.area.insert_newline();
                self.changed();
                return Outcome::Changed;
            }
            Some(Action::Complete) => {
                self.popup_dismissed = false;
                self.refresh_popup();
                return Outcome::Changed;
            }
            Some(_) => return Outcome::Ignored,
            None => {}
        }
        self.edit(key)
    }

    fn popup_key(&mut self, key: KeyEvent, action: Option<Action>) -> Option<Outcome> {
        let popup = self.popup.as_mut()?;
        let count = popup.items.len();
        match (key.code, action) {
            (KeyCode::Up, _) => popup.selected = (popup.selected + count - 1) % count,
            (KeyCode::Down, _) => popup.selected = (popup.selected + 1) % count,
            (KeyCode::PageUp, _) => popup.selected = popup.selected.saturating_sub(POPUP_ROWS),
            (KeyCode::PageDown, _) => popup.selected = (popup.selected + POPUP_ROWS).min(count - 1),
            (KeyCode::Esc, _) => {
                self.popup = None;
                self.popup_dismissed = true;
            }
            (_, Some(Action::Complete)) => self.accept_suggestion(),
            (_, Some(Action::Submit)) => {
                let sends = popup.items.get(popup.selected).is_some_and(|item| item.complete);
                self.accept_suggestion();
                if sends {
                    return Some(self.submit(Delivery::Steer));
                }
            }
            _ => return None,
        }
        Some(Outcome::Changed)
    }

    fn accept_suggestion(&mut self) {
        let Some(popup) = self.popup.take() else { return };
        let Some(chosen) = popup.items.into_iter().nth(popup.selected) else { return };
        let column = self.area.cursor().1;
        for _ in popup.from..column {
            self.area.delete_char();
        }
        self.area.insert_str(&chosen.insert);
        self.popup_dismissed = false;
        self.refresh_popup();
        // A finished word needs no further help; a folder or a command with values does.
        if !chosen.insert.ends_with('/') && !chosen.insert.starts_with('/') {
            self.popup = None;
        }
    }

    fn on_enter(&mut self, delivery: Delivery, now: u64) -> Outcome {
        let (row, column) = (self.area.cursor().0, self.area.cursor().1);
        let line = &self.area.lines()[row];
        if line.ends_with('\\') && column == line.chars().count() {
            self.area.delete_char();
            self.area.insert_newline();
            self.changed();
            return Outcome::Changed;
        }
        if self.burst >= BURST_LENGTH {
            self.pending_enter = Some((now, delivery));
            return Outcome::Changed;
        }
        self.submit(delivery)
    }

    fn submit(&mut self, delivery: Delivery) -> Outcome {
        let shown = self.text();
        if shown.trim().is_empty() {
            return Outcome::Ignored;
        }
        let (text, images) = self.pastes.expand(&shown);
        self.history.push(text.clone());
        self.clear();
        Outcome::Submit(Submission { text: text.trim_end().to_owned(), images, delivery })
    }

    fn edit(&mut self, key: KeyEvent) -> Outcome {
        use KeyCode::{Backspace, Char, Delete, Down, End, Home, Left, Right, Up};
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        let area = &mut self.area;
        match (key.code, ctrl, alt) {
            (Char(c), false, false) => area.insert_char(c),
            (Left, false, false) | (Char('b'), true, false) => {
                let steps = self.chip_before().unwrap_or(1);
                (0..steps).for_each(|_| self.area.move_cursor(CursorMove::Back));
                return self.moved();
            }
            (Right, false, false) | (Char('f'), true, false) => {
                let steps = self.chip_after().unwrap_or(1);
                (0..steps).for_each(|_| self.area.move_cursor(CursorMove::Forward));
                return self.moved();
            }
            (Left, ..) | (Char('b'), false, true) => {
                area.move_cursor(CursorMove::WordBack);
                return self.moved();
            }
            (Right, ..) | (Char('f'), false, true) => {
                area.move_cursor(CursorMove::WordForward);
                return self.moved();
            }
            (Home, false, _) | (Char('a'), true, false) => {
                area.move_cursor(CursorMove::Head);
                return self.moved();
            }
            (End, false, _) | (Char('e'), true, false) => {
                area.move_cursor(CursorMove::End);
                return self.moved();
            }
            (Up, false, false) => return self.vertical(true),
            (Down, false, false) => return self.vertical(false),
            (Backspace, false, false) | (Char('h'), true, false) => {
                let length = self.chip_before().unwrap_or(1);
                (0..length).for_each(|_| {
                    self.area.delete_char();
                });
            }
            (Delete, false, false) | (Char('d'), true, false) => {
                let length = self.chip_after().unwrap_or(1);
                (0..length).for_each(|_| {
                    self.area.delete_next_char();
                });
            }
            (Backspace, ..) | (Char('w'), true, false) => {
                area.delete_word();
            }
            (Delete, ..) | (Char('d'), false, true) => {
                area.delete_next_word();
            }
            (Char('u'), true, false) => {
                area.delete_line_by_head();
            }
            (Char('k'), true, false) => {
                area.delete_line_by_end();
            }
            (Char('y'), true, false) => {
                area.paste();
            }
            (Char('-' | '_' | '7'), true, false) => {
                area.undo();
            }
            (Char('r'), true, true) => {
                area.redo();
            }
            _ => return Outcome::Ignored,
        }
        self.history.leave();
        self.changed();
        Outcome::Changed
    }

    fn moved(&mut self) -> Outcome {
        self.refresh_popup();
        Outcome::Changed
    }

    /// Up and down move in the text first; beyond its first or last row they browse the history.
    fn vertical(&mut self, up: bool) -> Outcome {
        let before = self.area.cursor();
        if !self.history.is_browsing() || self.area.lines().len() > 1 {
            self.area.move_cursor(if up { CursorMove::Up } else { CursorMove::Down });
            if self.area.cursor() != before {
                return self.moved();
            }
        }
        let entry = if up { self.history.older(&self.text()) } else { self.history.newer() };
        let Some(entry) = entry else { return Outcome::Ignored };
        self.set_text(&entry);
        if up {
            self.area.move_cursor(CursorMove::Top);
            self.area.move_cursor(CursorMove::End);
        }
        self.popup = None;
        self.popup_dismissed = true;
        Outcome::Changed
    }

    fn around_cursor(&self) -> (String, String) {
        let cursor = self.area.cursor();
        let line = &self.area.lines()[cursor.0];
        let split = line.char_indices().nth(cursor.1).map_or(line.len(), |(at, _)| at);
        (line[..split].to_owned(), line[split..].to_owned())
    }

    /// Length in characters of the placeholder that ends at the cursor.
    fn chip_before(&self) -> Option<usize> {
        let (before, _) = self.around_cursor();
        let chip = self.pastes.chips().iter().find(|chip| before.ends_with(&chip.label))?;
        Some(chip.label.chars().count())
    }

    fn chip_after(&self) -> Option<usize> {
        let (_, after) = self.around_cursor();
        let chip = self.pastes.chips().iter().find(|chip| after.starts_with(&chip.label))?;
        Some(chip.label.chars().count())
    }

    fn refresh_popup(&mut self) {
        if self.popup_dismissed {
            self.popup = None;
            return;
        }
        let selected_label =
            self.popup.as_ref().and_then(|popup| popup.items.get(popup.selected)).map(|item| item.label.clone());
        self.popup = self.suggest().filter(|popup| !popup.items.is_empty());
        // The selection stays on what it was on while the list narrows.
        if let (Some(popup), Some(label)) = (&mut self.popup, selected_label) {
            popup.selected = popup.items.iter().position(|item| item.label == label).unwrap_or(0);
        }
    }

    fn suggest(&mut self) -> Option<Popup> {
        let text = self.text();
        let cursor = self.area.cursor();
        let line_length = self.area.lines()[cursor.0].chars().count();
        match slash::query(&text) {
            Some(Query::Name(typed)) if cursor.1 == line_length => {
                let found = slash::matching(&self.commands, typed);
                let items: Vec<Suggestion> = found
                    .into_iter()
                    .map(|command| Suggestion {
                        label: match &command.argument_hint {
                            Some(hint) => format!("/{} {hint}", command.name),
                            None => format!("/{}", command.name),
                        },
                        detail: command.description.clone(),
                        insert: if command.argument_hint.is_some() || !command.arguments.is_empty() {
                            format!("/{} ", command.name)
                        } else {
                            format!("/{}", command.name)
                        },
                        // What may be left out need not be asked for.
                        complete: command.argument_hint.as_deref().is_none_or(|hint| hint.starts_with('[')),
                    })
                    .collect();
                return Some(Popup { from: 0, items, selected: 0 });
            }
            Some(Query::Argument { command, typed }) => {
                let known = self.commands.iter().find(|known| known.name == command)?;
                let found = mentions::fuzzy(&known.arguments, typed, |(value, _)| value, nucleo::Config::DEFAULT);
                let exact = found.len() == 1 && known.arguments[found[0]].0 == typed;
                if !known.arguments.is_empty() && !exact {
                    let from = command.chars().count() + 2;
                    let items = found
                        .into_iter()
                        .take(50)
                        .map(|index| {
                            let (value, detail) = &known.arguments[index];
                            Suggestion {
                                label: value.clone(),
                                detail: detail.clone(),
                                insert: value.clone(),
                                complete: true,
                            }
                        })
                        .collect();
                    return Some(Popup { from, items, selected: 0 });
                }
            }
            _ => {}
        }
        let (from, query) = mentions::at_cursor(&self.area.lines()[cursor.0], cursor.1)?;
        let Some(files) = &self.files else {
            self.wants_files = true;
            return None;
        };
        let items = mentions::search(files, &query)
            .into_iter()
            .map(|path| {
                let insert = if path.ends_with('/') { format!("@{path}") } else { format!("@{path} ") };
                Suggestion { label: path, detail: String::new(), insert, complete: false }
            })
            .collect();
        Some(Popup { from, items, selected: 0 })
    }

    /// Forgets the file list, so that the next mention sees new files.
    pub fn forget_files(&mut self) {
        self.files = None;
    }

    pub fn has_popup(&self) -> bool {
        self.popup.is_some()
    }

    /// Rows the text needs inside the border.
    pub fn text_rows(&self, width: u16) -> u16 {
        let mut measure = new_area(self.area.lines().to_vec());
        measure.move_cursor(CursorMove::Bottom);
        measure.move_cursor(CursorMove::End);
        let area = Rect::new(0, 0, width.max(1), 1);
        (&measure).render(area, &mut Buffer::empty(area));
        (measure.screen_cursor().row + 1).min(usize::from(u16::MAX)) as u16
    }

    pub fn popup_rows(&self) -> u16 {
        self.popup.as_ref().map_or(0, |popup| popup.items.len().min(POPUP_ROWS) as u16)
    }

    /// Draws the text and returns where the cursor is.
    pub fn render(&mut self, area: Rect, buf: &mut Buffer, theme: &Theme, placeholder: &str) -> Position {
        self.area.set_style(theme.base());
        self.area.set_cursor_style(Style::new());
        (&self.area).render(area, buf);
        if self.is_empty() {
            let hint = Span::styled(text::truncate(placeholder, usize::from(area.width)).into_owned(), theme.faint());
            buf.set_span(area.x, area.y, &hint, area.width);
        }
        self.mark_chips(area, buf, theme);
        let cursor = self.area.screen_cursor();
        let (top, _) = self.area.scroll_offset();
        let x = area.x + (cursor.col as u16).min(area.width.saturating_sub(1));
        let y = area.y + (cursor.row as u16).saturating_sub(top).min(area.height.saturating_sub(1));
        Position { x, y }
    }

    /// Placeholders, mentions and the command word get a colour.
    fn mark_chips(&self, area: Rect, buf: &mut Buffer, theme: &Theme) {
        for y in area.top()..area.bottom() {
            let symbols: Vec<String> = (area.left()..area.right()).map(|x| buf[(x, y)].symbol().to_owned()).collect();
            let mut column = 0;
            while column < symbols.len() {
                let rest: String = symbols[column..].concat();
                let chip = self.pastes.chips().iter().find(|chip| rest.starts_with(&chip.label));
                let at_word_start = column == 0 || symbols[column - 1].trim().is_empty();
                let length = if let Some(chip) = chip {
                    text::width(&chip.label)
                } else if at_word_start && symbols[column] == "@" {
                    symbols[column..].iter().take_while(|symbol| !symbol.trim().is_empty()).count()
                } else {
                    column += 1;
                    continue;
                };
                if length > 1 {
                    let width = (length as u16).min(area.right() - (area.x + column as u16));
                    buf.set_style(Rect { x: area.x + column as u16, y, width, height: 1 }, theme.info());
                }
                column += length.max(1);
            }
        }
    }

    pub fn render_popup(&self, area: Rect, buf: &mut Buffer, theme: &Theme) {
        let Some(popup) = &self.popup else { return };
        let rows = usize::from(area.height);
        let first = (popup.selected + 1).saturating_sub(rows);
        let widest = popup.items.iter().map(|item| text::width(&item.label)).max().unwrap_or(0);
        let label_width = widest.min(usize::from(area.width) / 2).clamp(12, MAX_LABEL);
        for (offset, item) in popup.items.iter().skip(first).take(rows).enumerate() {
            let selected = first + offset == popup.selected;
            let pointer = if selected { theme.glyphs.pointer } else { " " };
            let label = if item.detail.is_empty() {
                text::truncate_middle(&item.label, usize::from(area.width).saturating_sub(4)).into_owned()
            } else {
                text::truncate(&item.label, label_width).into_owned()
            };
            let pad = label_width.saturating_sub(text::width(&label)) + 2;
            let mut line = Line::from(vec![
                Span::styled(format!("{pointer} "), theme.accent()),
                Span::styled(label, if selected { theme.accent() } else { theme.base() }),
                Span::raw(" ".repeat(pad)),
                Span::styled(item.detail.clone(), theme.muted()),
            ]);
            line = text::truncate_line(line, usize::from(area.width));
            let y = area.y + offset as u16;
            if selected {
                line = text::filled(line, usize::from(area.width), Style::new().bg(theme.selected_bg));
            }
            line.render(Rect { y, height: 1, ..area }, buf);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::keymap::Keymap;

    /// Types like a person: keys 100 ms apart.
    fn typed(composer: &mut Composer, keys: &[&str]) -> Vec<Outcome> {
        let keymap = Keymap::default();
        keys.iter()
            .map(|name| {
                let event = crate::tui::testing::key(name);
                let now = composer.last_key_at + 100;
                composer.on_key(event, keymap.action(event), now)
            })
            .collect()
    }

    fn write(composer: &mut Composer, content: &str) {
        let keys: Vec<String> =
            content.chars().map(|c| if c == ' ' { "space".into() } else { c.to_string() }).collect();
        typed(composer, &keys.iter().map(String::as_str).collect::<Vec<_>>());
    }

    fn sent(text: &str, delivery: Delivery) -> Outcome {
        Outcome::Submit(Submission { text: text.into(), images: vec![], delivery })
    }

    #[test]
    fn enter_steers_and_alt_enter_queues() {
        let mut composer = Composer::default();
        write(&mut composer, "hi");
        assert_eq!(typed(&mut composer, &["enter"]), [sent("hi", Delivery::Steer)]);
        write(&mut composer, "later");
        assert_eq!(typed(&mut composer, &["alt+enter"]), [sent("later", Delivery::FollowUp)]);
        assert!(composer.is_empty());
    }

    #[test]
    fn lines_are_broken_by_shift_enter_and_by_a_backslash() {
        let mut composer = Composer::default();
        write(&mut composer, "a");
        typed(&mut composer, &["shift+enter"]);
        write(&mut composer, "b\\");
        typed(&mut composer, &["enter"]);
        write(&mut composer, "c");
        assert_eq!(composer.text(), "a\nb\nc");
    }

    #[test]
    fn an_enter_inside_a_burst_is_a_line_break_and_after_it_sends() {
        let keymap = Keymap::default();
        let mut composer = Composer::default();
        for (index, c) in "hello\nworld\n".chars().enumerate() {
            let event = crate::tui::testing::key(if c == '\n' { "enter".into() } else { c.to_string() }.as_str());
            composer.on_key(event, keymap.action(event), 1_000 + index as u64);
        }
        assert_eq!(composer.text(), "hello\nworld");
        assert_eq!(composer.on_tick(1_020), Outcome::Ignored);
        let wake = composer.wake_at().unwrap();
        assert_eq!(composer.on_tick(wake), sent("hello\nworld", Delivery::Steer));
    }

    #[test]
    fn a_placeholder_is_deleted_as_one() {
        let mut composer = Composer::default();
        write(&mut composer, "see ");
        composer.on_paste(&"x\n".repeat(20));
        assert_eq!(composer.text(), "see [paste #1 +20 lines]");
        typed(&mut composer, &["left", "right", "backspace"]);
        assert_eq!(composer.text(), "see ");
    }

    #[test]
    fn a_command_is_completed_and_sent() {
        let mut composer = Composer::default();
        composer.set_commands(vec![
            SlashCommand { name: "compact".into(), argument_hint: Some("[focus]".into()), ..SlashCommand::default() },
            SlashCommand { name: "new".into(), ..SlashCommand::default() },
        ]);
        write(&mut composer, "/ne");
        assert_eq!(typed(&mut composer, &["enter"]), [sent("/new", Delivery::Steer)]);
        write(&mut composer, "/com");
        typed(&mut composer, &["tab"]);
        assert_eq!(composer.text(), "/compact ");
    }

    #[test]
    fn a_mention_is_completed_from_the_files() {
        let mut composer = Composer::default();
        write(&mut composer, "read @mai");
        assert!(composer.take_files_request());
        composer.set_files(vec!["src/main.rs".into(), "README.md".into()]);
        typed(&mut composer, &["enter"]);
        assert_eq!(composer.text(), "read @src/main.rs ");
    }

    #[test]
    fn the_arrow_keys_browse_the_history_at_the_edges() {
        let mut composer = Composer::default();
        composer.load_history(["first".to_owned(), "second\nline".to_owned()]);
        write(&mut composer, "draft");
        typed(&mut composer, &["up"]);
        assert_eq!(composer.text(), "second\nline");
        typed(&mut composer, &["up"]);
        assert_eq!(composer.text(), "first");
        typed(&mut composer, &["down", "down", "down"]);
        assert_eq!(composer.text(), "draft");
    }

    #[test]
    fn the_height_follows_soft_wraps() {
        let mut composer = Composer::default();
        write(&mut composer, "one two three four");
        assert_eq!(composer.text_rows(40), 1);
        assert_eq!(composer.text_rows(9), 3);
    }
}

//! All keys and commands, from the tables that also make them work.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use super::composer::slash::SlashCommand;
use crate::tui::component::{Dialog, Reaction, draw_rows, frame, is_cancel};
use crate::tui::keymap::{BINDINGS, Keymap};
use crate::tui::text;
use crate::tui::theme::Theme;

pub struct Help {
    keys: Vec<(String, String, &'static str)>,
    commands: Vec<(String, String)>,
    scroll: usize,
    rows: usize,
    height: usize,
}

impl Help {
    pub fn new(keymap: &Keymap, commands: &[SlashCommand]) -> Self {
        let keys = BINDINGS
            .iter()
            .filter(|binding| !keymap.keys(binding.action).is_empty())
            .map(|binding| (keymap.keys(binding.action).join(", "), binding.help.to_owned(), binding.group))
            .collect();
        let commands = commands
            .iter()
            .map(|command| {
                let hint = command.argument_hint.as_deref().map_or(String::new(), |hint| format!(" {hint}"));
                (format!("/{}{hint}", command.name), command.description.clone())
            })
            .collect();
        Self { keys, commands, scroll: 0, rows: 0, height: 1 }
    }

    fn lines(&self, width: usize, theme: &Theme) -> Vec<Line<'static>> {
        let mut out = Vec::new();
        let label_width = 26.min(width / 2);
        let entry = |label: &str, what: &str| {
            let label = text::truncate(label, label_width).into_owned();
            let pad = " ".repeat(label_width.saturating_sub(text::width(&label)) + 2);
            let line = Line::from(vec![
                Span::styled(label, theme.key()),
                Span::raw(pad),
                Span::styled(what.to_owned(), theme.muted()),
            ]);
            text::truncate_line(line, width)
        };
        let mut group = "";
        for (keys, help, next) in &self.keys {
            if *next != group {
                if !out.is_empty() {
                    out.push(Line::default());
                }
                group = next;
                out.push(Line::from(Span::styled(group, theme.title())));
            }
            out.push(entry(keys, help));
        }
        out.push(entry("! command", "run a shell command (!! keeps its output from the agent)"));
        out.push(entry("@ path", "mention a file"));
        out.push(Line::default());
        out.push(Line::from(Span::styled("Commands", theme.title())));
        out.extend(self.commands.iter().map(|(label, what)| entry(label, what)));
        out
    }
}

impl Dialog for Help {
    fn id(&self) -> &str {
        "help"
    }

    fn height(&self, width: u16, theme: &Theme) -> u16 {
        self.lines(usize::from(width), theme).len() as u16 + 2
    }

    fn on_wheel(&mut self, down: bool) -> Reaction {
        self.scroll = if down { self.scroll + 2 } else { self.scroll.saturating_sub(2) };
        Reaction::Redraw
    }

    fn on_key(&mut self, key: KeyEvent) -> Reaction {
        if is_cancel(key) || matches!(key.code, KeyCode::Char('q') | KeyCode::F(1) | KeyCode::Enter) {
            return Reaction::Close(Vec::new());
        }
        match key.code {
            KeyCode::Up | KeyCode::Char('k') => self.scroll = self.scroll.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => self.scroll += 1,
            KeyCode::PageUp => self.scroll = self.scroll.saturating_sub(self.height),
            KeyCode::PageDown | KeyCode::Char(' ') => self.scroll += self.height,
            KeyCode::Home => self.scroll = 0,
            KeyCode::End => self.scroll = self.rows,
            _ => return Reaction::Ignored,
        }
        Reaction::Redraw
    }

    fn render(&mut self, area: Rect, buf: &mut Buffer, theme: &Theme) -> Option<Position> {
        let inner = frame(area, buf, theme, "Help", &[("↑↓", "scroll"), ("esc", "close")]);
        let lines = self.lines(usize::from(inner.width), theme);
        self.height = usize::from(inner.height).max(1);
        self.rows = lines.len();
        self.scroll = self.scroll.min(lines.len().saturating_sub(self.height));
        draw_rows(&lines[self.scroll..], inner, buf);
        None
    }
}

//! The conversation: cells, their cached rows, and where in them the reader is.
//!
//! Only what is visible is rendered. The reading position is a cell and a row inside it, so nothing above has to be
//! measured, and it survives a change of width.

pub mod diff;
pub mod message;
pub mod thinking;
pub mod tool_call;

use std::collections::HashMap;
use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use self::message::{AnswerText, Level, UserMessage};
use self::thinking::Thinking;
use self::tool_call::{ToolCall, ToolState};
use crate::tui::text;
use crate::tui::theme::{SPINNER_INTERVAL, Theme};

/// Cached rows over all cells; beyond it the cells out of sight forget theirs.
const MAX_CACHED_ROWS: usize = 40_000;

/// What rendering a cell depends on besides the cell.
pub struct RenderContext<'a> {
    pub width: usize,
    pub theme: &'a Theme,
    /// Unix ms.
    pub now: u64,
    pub cwd: &'a str,
    pub home: Option<&'a str>,
    pub expand_key: &'a str,
    pub thinking_key: &'a str,
}

impl<'a> RenderContext<'a> {
    pub fn spinner(&self) -> &'static str {
        spinner_frame(self.theme, self.now)
    }

    /// A path relative to the session's folder, else to the home directory.
    pub fn short_path(&self, path: &str) -> String {
        let path = text::sanitize(path);
        match path.strip_prefix(self.cwd).and_then(|rest| rest.strip_prefix('/')) {
            Some(relative) if !relative.is_empty() && !self.cwd.is_empty() => relative.to_owned(),
            _ => text::tilde(&path, self.home),
        }
    }

    #[cfg(test)]
    pub fn for_tests(theme: &'a Theme, width: usize) -> Self {
        Self { width, theme, now: 0, cwd: "/work", home: None, expand_key: "ctrl+o", thinking_key: "ctrl+t" }
    }
}

/// The spinner at a moment.
pub fn spinner_frame(theme: &Theme, now: u64) -> &'static str {
    let frames = theme.glyphs.spinner;
    frames[(u128::from(now) / Duration::as_millis(&SPINNER_INTERVAL) % frames.len() as u128) as usize]
}

/// What a cell shows.
pub enum CellKind {
    /// Lines made elsewhere (the header): rendered at the given width.
    Banner(Box<dyn Fn(usize, &Theme) -> Vec<Line<'static>> + Send>),
    User(UserMessage),
    Answer(AnswerText),
    Thinking(Thinking),
    Tool(ToolCall),
    Notice {
        level: Level,
        text: String,
    },
    Block {
        label: String,
        body: String,
    },
}

struct Cached {
    width: usize,
    revision: u64,
    expanded: bool,
    theme: &'static str,
    /// Animation step for cells that move; zero for the others.
    step: u64,
    rows: Vec<Line<'static>>,
}

pub struct Cell {
    pub key: String,
    pub kind: CellKind,
    revision: u64,
    /// Set by a click; otherwise the global switches decide.
    expanded: Option<bool>,
    cached: Option<Cached>,
}

impl Cell {
    fn new(key: String, kind: CellKind) -> Self {
        Self { key, kind, revision: 0, expanded: None, cached: None }
    }

    fn is_live(&self) -> bool {
        match &self.kind {
            CellKind::Tool(call) => call.is_live(),
            CellKind::Thinking(thinking) => !thinking.done,
            _ => false,
        }
    }

    fn is_expandable(&self) -> bool {
        matches!(self.kind, CellKind::Tool(_) | CellKind::Thinking(_) | CellKind::Block { .. } | CellKind::User(_))
    }

    fn is_hidden(&self) -> bool {
        match &self.kind {
            CellKind::Tool(call) => call.is_silent() && call.state != ToolState::Failed,
            CellKind::Answer(answer) => answer.source().trim().is_empty(),
            CellKind::Thinking(thinking) => thinking.done && thinking.text.trim().is_empty() && !thinking.redacted,
            _ => false,
        }
    }

    fn rows(&mut self, ctx: &RenderContext<'_>, switches: Switches) -> &[Line<'static>] {
        let expanded = self.expanded.unwrap_or(match self.kind {
            CellKind::Thinking(_) => switches.thinking,
            _ => switches.tools,
        });
        let step = if self.is_live() { ctx.now / SPINNER_INTERVAL.as_millis() as u64 + 1 } else { 0 };
        let fresh = self.cached.as_ref().is_some_and(|cached| {
            cached.width == ctx.width
                && cached.revision == self.revision
                && cached.expanded == expanded
                && cached.theme == ctx.theme.name
                && cached.step == step
        });
        if !fresh {
            let rows = if self.is_hidden() { Vec::new() } else { self.render(ctx, expanded) };
            let (width, revision, theme) = (ctx.width, self.revision, ctx.theme.name);
            self.cached = Some(Cached { width, revision, expanded, theme, step, rows });
        }
        self.cached.as_ref().map_or(&[], |cached| &cached.rows)
    }

    fn render(&mut self, ctx: &RenderContext<'_>, expanded: bool) -> Vec<Line<'static>> {
        match &mut self.kind {
            CellKind::Banner(render) => render(ctx.width, ctx.theme),
            CellKind::User(message) => message.render(ctx, expanded),
            CellKind::Answer(answer) => answer.render(ctx),
            CellKind::Thinking(thinking) => thinking.render(ctx, expanded),
            CellKind::Tool(call) => call.render(ctx, expanded),
            CellKind::Notice { level, text } => message::render_notice(*level, text, ctx),
            CellKind::Block { label, body } => message::render_block(label, body, ctx, expanded),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Switches {
    pub tools: bool,
    pub thinking: bool,
}

/// Where the reader is: at the end, or with a certain row at the top of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    End,
    At { cell: usize, row: usize },
}

pub struct Transcript {
    cells: Vec<Cell>,
    index: HashMap<String, usize>,
    position: Position,
    pub switches: Switches,
    /// Rows of the screen at the last rendering, for paging.
    height: usize,
    /// Which cell each visible row belongs to, for clicks.
    visible: Vec<Option<usize>>,
    /// Cells that arrived while the reader was elsewhere.
    unseen: usize,
    notices: u64,
}

impl Default for Transcript {
    fn default() -> Self {
        Self {
            cells: Vec::new(),
            index: HashMap::new(),
            position: Position::End,
            switches: Switches::default(),
            height: 1,
            visible: Vec::new(),
            unseen: 0,
            notices: 0,
        }
    }
}

impl Transcript {
    pub fn clear(&mut self) {
        self.cells.clear();
        self.index.clear();
        self.position = Position::End;
        self.unseen = 0;
    }

    pub fn is_empty(&self) -> bool {
        !self.cells.iter().any(|cell| !matches!(cell.kind, CellKind::Banner(_)))
    }

    pub fn len(&self) -> usize {
        self.cells.len()
    }

    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// Appends a cell, or replaces the one with the same key where it stands.
    pub fn put(&mut self, key: impl Into<String>, kind: CellKind) {
        let key = key.into();
        if let Some(&at) = self.index.get(&key) {
            self.cells[at].kind = kind;
            self.cells[at].revision += 1;
            return;
        }
        self.index.insert(key.clone(), self.cells.len());
        self.cells.push(Cell::new(key, kind));
        if self.position != Position::End {
            self.unseen += 1;
        }
    }

    /// Changes a cell in place, if it exists.
    pub fn change(&mut self, key: &str, change: impl FnOnce(&mut CellKind)) -> bool {
        let Some(&at) = self.index.get(key) else { return false };
        change(&mut self.cells[at].kind);
        self.cells[at].revision += 1;
        true
    }

    pub fn contains(&self, key: &str) -> bool {
        self.index.contains_key(key)
    }

    pub fn remove(&mut self, key: &str) {
        let Some(at) = self.index.remove(key) else { return };
        self.cells.remove(at);
        for index in self.index.values_mut() {
            *index -= usize::from(*index > at);
        }
        if let Position::At { cell, row } = self.position {
            self.position = Position::At { cell: cell - usize::from(cell > at), row };
        }
    }

    pub fn notice(&mut self, level: Level, text: impl Into<String>) {
        self.notices += 1;
        let key = format!("notice:{}", self.notices);
        self.put(key, CellKind::Notice { level, text: text.into() });
    }

    pub fn block(&mut self, label: impl Into<String>, body: impl Into<String>) {
        self.notices += 1;
        let key = format!("block:{}", self.notices);
        self.put(key, CellKind::Block { label: label.into(), body: body.into() });
    }

    /// Whether something visible moves by itself.
    pub fn is_animated(&self) -> bool {
        self.visible.iter().flatten().any(|at| self.cells.get(*at).is_some_and(Cell::is_live))
    }

    pub fn is_following(&self) -> bool {
        self.position == Position::End
    }

    pub fn unseen(&self) -> usize {
        self.unseen
    }

    pub fn follow(&mut self) {
        self.position = Position::End;
        self.unseen = 0;
    }

    /// Ends every call and thought that is still marked as running: the run they belonged to is over.
    pub fn close_live(&mut self, now: u64) {
        for cell in &mut self.cells {
            let live = cell.is_live();
            match &mut cell.kind {
                CellKind::Tool(call) if live || call.state == ToolState::Waiting => {
                    call.state = ToolState::Cancelled;
                    call.ended_at = call.started_at.map(|_| now);
                    cell.revision += 1;
                }
                CellKind::Thinking(thinking) if live => {
                    thinking.done = true;
                    cell.revision += 1;
                }
                _ => {}
            }
        }
    }

    pub fn toggle_at(&mut self, screen_row: usize) -> bool {
        let Some(Some(at)) = self.visible.get(screen_row).copied() else { return false };
        let Some(cell) = self.cells.get_mut(at).filter(|cell| cell.is_expandable()) else { return false };
        let current = cell.cached.as_ref().is_some_and(|cached| cached.expanded);
        cell.expanded = Some(!current);
        true
    }

    /// Global switches win over earlier clicks.
    pub fn set_switches(&mut self, switches: Switches) {
        self.switches = switches;
        for cell in &mut self.cells {
            cell.expanded = None;
        }
    }

    pub fn page(&self) -> usize {
        self.height.saturating_sub(2).max(1)
    }

    /// Blank rows before a cell: none between one-line tool calls, which read as a list.
    fn gap(&mut self, at: usize, ctx: &RenderContext<'_>) -> usize {
        if at == 0 {
            return 0;
        }
        let switches = self.switches;
        let short = |cell: &mut Cell| matches!(cell.kind, CellKind::Tool(_)) && cell.rows(ctx, switches).len() == 1;
        if self.cells[at].rows(ctx, switches).is_empty() {
            return 0;
        }
        // The cell before that is actually shown decides.
        let Some(before) = (0..at).rev().find(|index| !self.cells[*index].is_hidden()) else { return 0 };
        usize::from(!(short(&mut self.cells[at]) && short(&mut self.cells[before])))
    }

    fn cell_height(&mut self, at: usize, ctx: &RenderContext<'_>) -> usize {
        let switches = self.switches;
        self.gap(at, ctx) + self.cells[at].rows(ctx, switches).len()
    }

    /// First visible cell and row when the end is at the bottom of the screen.
    fn end_position(&mut self, height: usize, ctx: &RenderContext<'_>) -> (usize, usize) {
        let mut left = height;
        for at in (0..self.cells.len()).rev() {
            let rows = self.cell_height(at, ctx);
            if rows >= left {
                return (at, rows - left);
            }
            left -= rows;
        }
        (0, 0)
    }

    pub fn scroll_up(&mut self, rows: usize, ctx: &RenderContext<'_>) {
        let (mut cell, mut row) = self.top(ctx);
        let mut left = rows;
        while left > row {
            if cell == 0 {
                (left, row) = (0, 0);
                break;
            }
            left -= row;
            cell -= 1;
            row = self.cell_height(cell, ctx);
        }
        let target = (cell, row - left);
        if target != self.end_position(self.height, ctx) {
            self.position = Position::At { cell: target.0, row: target.1 };
        }
    }

    pub fn scroll_down(&mut self, rows: usize, ctx: &RenderContext<'_>) {
        let (mut cell, mut row) = self.top(ctx);
        let mut left = rows;
        while cell < self.cells.len() {
            let height = self.cell_height(cell, ctx);
            if row + left < height {
                row += left;
                break;
            }
            left -= height - row;
            (cell, row) = (cell + 1, 0);
        }
        if (cell, row) >= self.end_position(self.height, ctx) {
            self.follow();
        } else {
            self.position = Position::At { cell, row };
        }
    }

    pub fn scroll_home(&mut self, ctx: &RenderContext<'_>) {
        if self.end_position(self.height, ctx) != (0, 0) {
            self.position = Position::At { cell: 0, row: 0 };
        }
    }

    /// To the previous (or next) message of the user.
    pub fn jump_prompt(&mut self, forward: bool, ctx: &RenderContext<'_>) {
        let (top, row) = self.top(ctx);
        let is_prompt = |cell: &Cell| matches!(cell.kind, CellKind::User(_));
        let target = if forward {
            (top + 1..self.cells.len()).find(|at| is_prompt(&self.cells[*at]))
        } else {
            let until = if row > 1 { top + 1 } else { top };
            (0..until.min(self.cells.len())).rev().find(|at| is_prompt(&self.cells[*at]))
        };
        match target {
            Some(cell) if (cell, 0) < self.end_position(self.height, ctx) => {
                self.position = Position::At { cell, row: 0 };
            }
            None if !forward => self.scroll_home(ctx),
            _ => self.follow(),
        }
    }

    fn top(&mut self, ctx: &RenderContext<'_>) -> (usize, usize) {
        match self.position {
            Position::End => self.end_position(self.height, ctx),
            Position::At { cell, row } => {
                let cell = cell.min(self.cells.len().saturating_sub(1));
                let height = if self.cells.is_empty() { 0 } else { self.cell_height(cell, ctx) };
                (cell, row.min(height.saturating_sub(1)))
            }
        }
    }

    pub fn render(&mut self, area: Rect, buf: &mut Buffer, ctx: &RenderContext<'_>) {
        self.height = usize::from(area.height).max(1);
        self.visible.clear();
        if self.cells.is_empty() || area.height == 0 {
            return;
        }
        let end = self.end_position(self.height, ctx);
        let mut top = self.top(ctx);
        if top >= end {
            top = end;
            if self.position != Position::End {
                self.follow();
            }
        }
        let (first, mut skip) = top;
        let mut y = area.y;
        let switches = self.switches;
        for at in first..self.cells.len() {
            let gap = self.gap(at, ctx);
            let rows = self.cells[at].rows(ctx, switches);
            let blank = Line::default();
            for row in std::iter::repeat_n(&blank, gap).chain(rows) {
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                if y >= area.bottom() {
                    break;
                }
                row.render(Rect { x: area.x, y, width: area.width, height: 1 }, buf);
                self.visible.push(Some(at));
                y += 1;
            }
            if y >= area.bottom() {
                break;
            }
        }
        self.evict(first);
    }

    fn evict(&mut self, first_visible: usize) {
        let total: usize = self.cells.iter().filter_map(|cell| cell.cached.as_ref()).map(|c| c.rows.len()).sum();
        if total <= MAX_CACHED_ROWS {
            return;
        }
        let near = first_visible.saturating_sub(50)..first_visible + 200;
        for (at, cell) in self.cells.iter_mut().enumerate() {
            if !near.contains(&at) {
                cell.cached = None;
            }
        }
    }

    /// A line for the edge of the screen while the reader is not at the end.
    pub fn detached_hint(&self, theme: &Theme, key: &str) -> Option<Line<'static>> {
        if self.is_following() {
            return None;
        }
        let label = match self.unseen {
            0 => format!(" {} {key} to the end ", theme.glyphs.down),
            1 => format!(" {} 1 new item, {key} ", theme.glyphs.down),
            more => format!(" {} {more} new items, {key} ", theme.glyphs.down),
        };
        Some(Line::from(Span::styled(label, theme.selected().remove_modifier(Modifier::BOLD))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transcript(count: usize) -> Transcript {
        let mut transcript = Transcript::default();
        for index in 0..count {
            let message = UserMessage { text: format!("message {index}"), images: 0, from: None };
            transcript.put(format!("m{index}"), CellKind::User(message));
        }
        transcript
    }

    fn screen(transcript: &mut Transcript, width: u16, height: u16) -> Vec<String> {
        let theme = Theme::dark();
        let ctx = RenderContext::for_tests(&theme, usize::from(width));
        let area = Rect::new(0, 0, width, height);
        let mut buf = Buffer::empty(area);
        transcript.render(area, &mut buf, &ctx);
        (0..height)
            .map(|y| {
                let row: String = (0..width).map(|x| buf[(x, y)].symbol().to_owned()).collect();
                row.trim_end().to_owned()
            })
            .collect()
    }

    #[test]
    fn the_end_is_followed_until_the_reader_scrolls() {
        let theme = Theme::dark();
        let ctx = RenderContext::for_tests(&theme, 30);
        let mut t = transcript(10);
        assert_eq!(screen(&mut t, 30, 3), ["▌ message 8", "", "▌ message 9"]);
        t.scroll_up(4, &ctx);
        assert_eq!(screen(&mut t, 30, 3), ["▌ message 6", "", "▌ message 7"]);
        let more = UserMessage { text: "new".into(), images: 0, from: None };
        t.put("new", CellKind::User(more));
        assert_eq!(screen(&mut t, 30, 3), ["▌ message 6", "", "▌ message 7"], "new cells do not move the reader");
        assert_eq!(t.unseen(), 1);
        t.scroll_down(100, &ctx);
        assert!(t.is_following());
        assert_eq!(screen(&mut t, 30, 3), ["▌ message 9", "", "▌ new"]);
    }

    #[test]
    fn scrolling_stops_at_both_ends() {
        let theme = Theme::dark();
        let ctx = RenderContext::for_tests(&theme, 30);
        let mut t = transcript(4);
        screen(&mut t, 30, 3);
        t.scroll_up(1000, &ctx);
        assert_eq!(screen(&mut t, 30, 3), ["▌ message 0", "", "▌ message 1"]);
        t.scroll_down(1, &ctx);
        t.scroll_up(1, &ctx);
        assert_eq!(screen(&mut t, 30, 3)[0], "▌ message 0");
        t.scroll_home(&ctx);
        t.jump_prompt(true, &ctx);
        assert_eq!(screen(&mut t, 30, 3).iter().find(|row| !row.is_empty()).unwrap(), "▌ message 1");
    }

    #[test]
    fn a_short_transcript_starts_at_the_top_and_always_follows() {
        let theme = Theme::dark();
        let ctx = RenderContext::for_tests(&theme, 30);
        let mut t = transcript(1);
        screen(&mut t, 30, 5);
        t.scroll_up(3, &ctx);
        assert!(t.is_following());
        assert_eq!(screen(&mut t, 30, 5)[0], "▌ message 0");
    }

    #[test]
    fn the_reading_position_survives_a_new_width() {
        let theme = Theme::dark();
        let ctx = RenderContext::for_tests(&theme, 30);
        let mut t = transcript(20);
        screen(&mut t, 30, 5);
        t.scroll_up(20, &ctx);
        let before = screen(&mut t, 30, 5);
        let top = before.iter().find(|row| row.contains("message")).unwrap().clone();
        assert!(screen(&mut t, 12, 5).iter().any(|row| row.starts_with(&top[..9])));
        assert_eq!(screen(&mut t, 30, 5), before);
    }

    #[test]
    fn only_visible_cells_are_rendered() {
        let mut t = transcript(5_000);
        screen(&mut t, 30, 10);
        let rendered = t.cells.iter().filter(|cell| cell.cached.is_some()).count();
        assert!(rendered < 20, "{rendered} cells rendered");
    }
}

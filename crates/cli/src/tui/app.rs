//! All state of the screen.

use std::collections::VecDeque;

use pizzapi_protocol::{MetaTodoItem, Model};
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use super::component::Dialog;
use super::components::composer::Composer;
use super::components::composer::slash::SlashCommand;
use super::components::status_line::{Link, Status};
use super::components::transcript::message::Level;
use super::components::transcript::{CellKind, RenderContext, Transcript};
use super::keymap::{Action, Keymap};
use super::text;
use super::theme::{SPINNER_INTERVAL, Theme};

/// How long a toast stays.
pub const TOAST_MS: u64 = 4_000;
/// Toasts shown at once; more push out the oldest.
pub const MAX_TOASTS: usize = 3;
/// Two presses within this are one gesture.
pub const DOUBLE_PRESS_MS: u64 = 1_000;
/// A dialog that opens this soon after a key was typed does not listen at once.
pub const TYPING_GUARD_MS: u64 = 700;

/// What the agent is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Activity {
    Idle,
    Working { since: u64 },
    Compacting { since: u64 },
    Retrying { attempt: u32, attempts: u32, until: u64, error: String },
    Shell { since: u64 },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toast {
    pub level: Level,
    pub text: String,
    pub until: u64,
}

/// Text marked with the mouse, in screen cells of the transcript.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Selection {
    pub from: (u16, u16),
    pub to: (u16, u16),
    pub dragging: bool,
}

impl Selection {
    /// In reading order.
    pub fn ordered(&self) -> ((u16, u16), (u16, u16)) {
        let key = |(x, y): (u16, u16)| (y, x);
        if key(self.from) <= key(self.to) { (self.from, self.to) } else { (self.to, self.from) }
    }

    pub fn is_empty(&self) -> bool {
        self.from == self.to
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Queue {
    pub steering: Vec<String>,
    pub follow_up: Vec<String>,
    /// Stays until the next input: the run was aborted.
    pub held: bool,
}

impl Queue {
    pub fn is_empty(&self) -> bool {
        self.steering.is_empty() && self.follow_up.is_empty()
    }
}

/// What the program knows at start.
pub struct Setup {
    pub theme: Theme,
    pub keymap: Keymap,
    pub cwd: String,
    pub home: Option<String>,
    pub version: String,
    /// Names of the context files, skills and such that were loaded.
    pub loaded: Vec<String>,
    pub quiet: bool,
}

pub struct App {
    pub theme: Theme,
    pub keymap: Keymap,
    pub cwd: String,
    pub home: Option<String>,
    pub version: String,
    /// Unix ms of the event being handled.
    pub now: u64,
    pub transcript: Transcript,
    pub composer: Composer,
    /// The first one is on screen.
    pub dialogs: VecDeque<Box<dyn Dialog>>,
    pub dialog_guard_until: u64,
    pub status: Status,
    pub todos: Vec<MetaTodoItem>,
    pub show_todos: bool,
    pub queue: Queue,
    pub activity: Activity,
    pub toasts: VecDeque<Toast>,
    pub models: Vec<Model>,
    pub focused: bool,
    pub mouse: bool,
    pub selection: Option<Selection>,
    /// Where the transcript was drawn last, and its text while something is marked.
    pub transcript_area: Rect,
    pub transcript_text: Vec<Vec<String>>,
    pub last_typed_at: u64,
    pub last_escape_at: Option<u64>,
    pub last_clear_at: Option<u64>,
    pub quitting: bool,
    pub title: String,
    /// Why nothing can be asked.
    pub no_model: Option<String>,
    pub loaded: Vec<String>,
    quiet: bool,
}

impl App {
    pub fn new(setup: Setup, now: u64) -> Self {
        let Setup { theme, keymap, cwd, home, version, loaded, quiet } = setup;
        let status = Status { cwd: text::tilde(&cwd, home.as_deref()), ..Status::default() };
        let mut app = Self {
            theme,
            keymap,
            cwd,
            home,
            version,
            now,
            transcript: Transcript::default(),
            composer: Composer::default(),
            dialogs: VecDeque::new(),
            dialog_guard_until: 0,
            status,
            todos: Vec::new(),
            show_todos: true,
            queue: Queue::default(),
            activity: Activity::Idle,
            toasts: VecDeque::new(),
            models: Vec::new(),
            focused: true,
            mouse: true,
            selection: None,
            transcript_area: Rect::default(),
            transcript_text: Vec::new(),
            last_typed_at: 0,
            last_escape_at: None,
            last_clear_at: None,
            quitting: false,
            title: String::new(),
            no_model: None,
            loaded,
            quiet,
        };
        app.composer.set_commands(super::update::commands::local());
        app.show_banner();
        app
    }

    /// The header is the first thing of the transcript and scrolls away with it.
    pub fn show_banner(&mut self) {
        if self.quiet {
            return;
        }
        let place = text::tilde(&self.cwd, self.home.as_deref());
        let version = self.version.clone();
        let loaded = self.loaded.clone();
        let help = self.keymap.hint(Action::Help).to_owned();
        self.transcript.put(
            "banner",
            CellKind::Banner(Box::new(move |width, theme| banner(width, theme, &place, &version, &loaded, &help))),
        );
    }

    pub fn set_agent_commands(&mut self, from_agent: Vec<SlashCommand>) {
        let mut all = super::update::commands::local();
        for command in from_agent {
            match all.iter_mut().find(|known| known.name == command.name) {
                // Ours know how to open a dialog; the agent's know values.
                Some(known) if known.arguments.is_empty() => known.arguments = command.arguments,
                Some(_) => {}
                None => all.push(command),
            }
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        self.composer.set_commands(all);
    }

    pub fn toast(&mut self, level: Level, text: impl Into<String>) {
        let text = text.into();
        self.toasts.retain(|toast| toast.text != text);
        if self.toasts.len() == MAX_TOASTS {
            self.toasts.pop_front();
        }
        self.toasts.push_back(Toast { level, text, until: self.now + TOAST_MS });
    }

    pub fn open(&mut self, dialog: Box<dyn Dialog>) {
        if self.dialogs.is_empty() && self.now.saturating_sub(self.last_typed_at) < TYPING_GUARD_MS {
            self.dialog_guard_until = self.now + TYPING_GUARD_MS;
        }
        self.dialogs.push_back(dialog);
    }

    /// For dialogs the user asked for: they listen at once, and before those that wait.
    pub fn open_now(&mut self, dialog: Box<dyn Dialog>) {
        self.dialog_guard_until = 0;
        self.dialogs.push_front(dialog);
    }

    pub fn close_dialog(&mut self, id: &str) -> bool {
        let before = self.dialogs.len();
        self.dialogs.retain(|dialog| dialog.id() != id);
        self.dialogs.len() != before
    }

    pub fn is_busy(&self) -> bool {
        self.activity != Activity::Idle
    }

    /// When the screen wants to be woken without anything happening.
    pub fn wake_at(&self) -> Option<u64> {
        let frame = self.now + SPINNER_INTERVAL.as_millis() as u64;
        let animated = self.is_busy() || self.transcript.is_animated();
        let link = matches!(self.status.link, Link::Connecting { .. }).then_some(self.now + 1_000);
        let toast = self.toasts.iter().map(|toast| toast.until).min();
        [animated.then_some(frame), link, toast, self.composer.wake_at()].into_iter().flatten().min()
    }

    /// Whether the picture changes by itself right now.
    pub fn is_moving(&self, now: u64) -> bool {
        self.is_busy()
            || self.transcript.is_animated()
            || self.toasts.iter().any(|toast| toast.until <= now)
            || matches!(self.status.link, Link::Connecting { .. })
            || self.composer.wake_at().is_some()
    }

    pub fn render_context<'a>(
        width: usize,
        theme: &'a Theme,
        keymap: &'a Keymap,
        now: u64,
        cwd: &'a str,
        home: Option<&'a str>,
    ) -> RenderContext<'a> {
        RenderContext {
            width,
            theme,
            now,
            cwd,
            home,
            expand_key: keymap.hint(Action::ExpandTools),
            thinking_key: keymap.hint(Action::ShowThinking),
        }
    }

    /// Runs a scroll of the transcript, which needs to know how it is drawn.
    pub fn scroll(&mut self, scroll: impl FnOnce(&mut Transcript, &RenderContext<'_>)) {
        let width = usize::from(self.transcript_area.width);
        if width == 0 {
            return;
        }
        let ctx = Self::render_context(width, &self.theme, &self.keymap, self.now, &self.cwd, self.home.as_deref());
        scroll(&mut self.transcript, &ctx);
    }
}

fn banner(
    width: usize,
    theme: &Theme,
    place: &str,
    version: &str,
    loaded: &[String],
    help: &str,
) -> Vec<Line<'static>> {
    let title = vec![
        Span::styled(format!("{} PizzaPi", theme.glyphs.logo), theme.title()),
        Span::styled(format!("  v{version}"), theme.faint()),
    ];
    let hints = [("/", "commands"), ("@", "files"), ("!", "shell"), (help, "help")];
    let mut hint_spans = Vec::new();
    for (key, what) in hints {
        hint_spans.push(Span::styled(key.to_owned(), theme.key()));
        hint_spans.push(Span::styled(format!(" {what}   "), theme.muted()));
    }
    let mut rows = vec![
        Line::from(title),
        Line::from(Span::styled(place.to_owned(), theme.muted())),
        Line::default(),
        Line::from(hint_spans),
    ];
    if !loaded.is_empty() {
        let list = Line::from(Span::styled(format!("loaded: {}", loaded.join(", ")), theme.faint()));
        rows.extend(text::wrap(list, width.saturating_sub(6).max(10), &[Span::raw("  ")], text::Break::Words));
    }
    if width < 44 {
        return rows.into_iter().map(|row| text::truncate_line(row, width)).collect();
    }
    let inner = width.min(76) - 4;
    let border = Style::new().fg(theme.border);
    let edge = |left: &str, right: &str| {
        Line::from(Span::styled(format!("{left}{}{right}", theme.glyphs.rule.repeat(inner + 2)), border))
    };
    let unicode = theme.glyphs.rule == "─";
    let (top_left, top_right, low_left, low_right) =
        if unicode { ("╭", "╮", "╰", "╯") } else { ("+", "+", "+", "+") };
    let mut out = vec![edge(top_left, top_right)];
    for row in rows {
        let row = text::truncate_line(row, inner);
        let pad = inner.saturating_sub(text::line_width(&row));
        let mut spans = vec![Span::styled(format!("{} ", theme.glyphs.rail), border)];
        spans.extend(row.spans);
        spans.push(Span::raw(" ".repeat(pad)));
        spans.push(Span::styled(format!(" {}", theme.glyphs.rail), border));
        out.push(Line::from(spans));
    }
    out.push(edge(low_left, low_right));
    out
}

/// A style that is visible with and without colours.
pub fn selection_style(theme: &Theme) -> Style {
    if theme.has_color() {
        Style::new().bg(theme.selected_bg).add_modifier(Modifier::BOLD)
    } else {
        Style::new().add_modifier(Modifier::REVERSED)
    }
}

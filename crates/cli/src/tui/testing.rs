//! Keys in; screen and effects out. The clock is the test's.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::app::{App, Setup};
use super::component::Dialog;
use super::effect::Effect;
use super::event::AppEvent;
use super::keymap::Keymap;
use super::theme::Theme;
use super::update::update;
use super::view::draw;

/// A key by name: `enter`, `ctrl+c`, `x`, `space`.
pub fn key(name: &str) -> KeyEvent {
    let mut modifiers = KeyModifiers::NONE;
    let mut rest = name;
    for (prefix, modifier) in
        [("ctrl+", KeyModifiers::CONTROL), ("alt+", KeyModifiers::ALT), ("shift+", KeyModifiers::SHIFT)]
    {
        if let Some(stripped) = rest.strip_prefix(prefix) {
            modifiers |= modifier;
            rest = stripped;
        }
    }
    let code = match rest {
        "enter" => KeyCode::Enter,
        "escape" => KeyCode::Esc,
        "tab" if modifiers.contains(KeyModifiers::SHIFT) => KeyCode::BackTab,
        "tab" => KeyCode::Tab,
        "space" => KeyCode::Char(' '),
        "backspace" => KeyCode::Backspace,
        "delete" => KeyCode::Delete,
        "up" => KeyCode::Up,
        "down" => KeyCode::Down,
        "left" => KeyCode::Left,
        "right" => KeyCode::Right,
        "home" => KeyCode::Home,
        "end" => KeyCode::End,
        "pageup" => KeyCode::PageUp,
        "pagedown" => KeyCode::PageDown,
        "f1" => KeyCode::F(1),
        other => KeyCode::Char(other.chars().next().expect("a key has a name")),
    };
    KeyEvent::new(code, modifiers)
}

pub fn keys(names: &str) -> Vec<KeyEvent> {
    names.split_whitespace().map(key).collect()
}

fn rows(buf: &Buffer, area: Rect) -> String {
    let rows: Vec<String> = (area.top()..area.bottom())
        .map(|y| {
            let mut row = String::new();
            let mut x = area.left();
            while x < area.right() {
                let symbol = buf[(x, y)].symbol();
                row.push_str(symbol);
                x += (super::text::width(symbol) as u16).max(1);
            }
            row.trim_end().to_owned()
        })
        .collect();
    rows.join("\n").trim_end().to_owned()
}

/// One dialog alone on a screen.
pub fn dialog_screen(dialog: &mut dyn Dialog, width: u16, height: u16) -> String {
    let area = Rect::new(0, 0, width, height);
    let mut buf = Buffer::empty(area);
    dialog.render(area, &mut buf, &Theme::dark());
    rows(&buf, area)
}

/// The whole screen without a terminal.
pub struct TestTui {
    pub app: App,
    now: u64,
    effects: Vec<Effect>,
}

impl Default for TestTui {
    fn default() -> Self {
        Self::new()
    }
}

impl TestTui {
    /// Milliseconds between two keys.
    const PACE: u64 = 100;

    pub fn new() -> Self {
        let setup = Setup {
            theme: Theme::dark(),
            keymap: Keymap::default(),
            cwd: "/work/pizza".into(),
            home: Some("/home/ana".into()),
            version: "1.2.3".into(),
            loaded: Vec::new(),
            quiet: true,
        };
        let now = 1_700_000_000_000;
        Self { app: App::new(setup, now), now, effects: Vec::new() }
    }

    pub fn send(&mut self, event: AppEvent) -> &mut Self {
        let effects = update(&mut self.app, event, self.now);
        self.effects.extend(effects.into_iter().filter(|effect| !matches!(effect, Effect::SetTitle(_))));
        self
    }

    /// Keys by name, separated by blanks.
    pub fn keys(&mut self, names: &str) -> &mut Self {
        for key in keys(names) {
            self.now += Self::PACE;
            self.send(AppEvent::Key(key));
        }
        self
    }

    pub fn write(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            self.now += Self::PACE;
            self.send(AppEvent::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)));
        }
        self
    }

    pub fn wait(&mut self, ms: u64) -> &mut Self {
        self.now += ms;
        self.send(AppEvent::Tick)
    }

    pub fn effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    pub fn screen(&mut self, width: u16, height: u16) -> String {
        let area = Rect::new(0, 0, width, height);
        let mut buf = Buffer::empty(area);
        draw(&mut self.app, area, &mut buf);
        rows(&buf, area)
    }
}

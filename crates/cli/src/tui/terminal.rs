//! Owns the terminal: raw mode, alternate screen, and giving both back whatever happens.

use std::io::{self, IsTerminal, Stdout, Write};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crossterm::cursor::{SetCursorStyle, Show};
use crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, DisableMouseCapture, EnableBracketedPaste, EnableFocusChange,
    EnableMouseCapture, KeyboardEnhancementFlags, PopKeyboardEnhancementFlags, PushKeyboardEnhancementFlags,
};
use crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen, SetTitle,
    disable_raw_mode, enable_raw_mode,
};
use crossterm::{execute, queue};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

use super::app::App;
use super::view::view;

/// Whether the screen is ours right now; read by the panic hook and by signal handlers.
static OWNED: AtomicBool = AtomicBool::new(false);
static MOUSE: AtomicBool = AtomicBool::new(true);
static HOOK: Once = Once::new();

/// The terminal while it is ours. Dropping it restores the terminal.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
}

impl Screen {
    /// Takes the terminal.
    ///
    /// **Errors**: when standard input or output is no terminal, or refuses raw mode.
    pub fn open() -> io::Result<Self> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Err(io::Error::other("standard input and output must be a terminal"));
        }
        HOOK.call_once(|| {
            let previous = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                restore();
                previous(info);
            }));
        });
        take()?;
        let terminal = Terminal::new(CrosstermBackend::new(io::stdout())).inspect_err(|_| restore())?;
        Ok(Self { terminal })
    }

    /// Draws one frame, shown at once by terminals that can.
    pub fn draw(&mut self, app: &mut App) -> io::Result<()> {
        queue!(io::stdout(), BeginSynchronizedUpdate)?;
        let drawn = self.terminal.draw(|frame| view(app, frame)).map(drop);
        execute!(io::stdout(), EndSynchronizedUpdate)?;
        drawn
    }

    /// Gives the terminal back for a moment (an editor, a suspend) and takes it again.
    pub fn leave<T>(&mut self, inside: impl FnOnce() -> T) -> io::Result<T> {
        restore();
        let result = inside();
        take()?;
        self.terminal.clear()?;
        Ok(result)
    }

    pub fn set_title(&self, title: &str) -> io::Result<()> {
        let title: String = title.chars().filter(|c| !c.is_control()).collect();
        execute!(io::stdout(), SetTitle(title))
    }

    pub fn set_mouse(&self, captured: bool) -> io::Result<()> {
        MOUSE.store(captured, Ordering::Relaxed);
        if captured { execute!(io::stdout(), EnableMouseCapture) } else { execute!(io::stdout(), DisableMouseCapture) }
    }

    /// Puts text on the clipboard of whoever looks at this terminal, also over SSH (OSC 52).
    pub fn copy(&self, text: &str) -> io::Result<()> {
        let mut out = io::stdout();
        write!(out, "\x1b]52;c;{}\x07", STANDARD.encode(text))?;
        out.flush()
    }

    /// Rings, and asks terminals that can for a notification (OSC 9).
    pub fn attention(&self, message: &str) -> io::Result<()> {
        let message: String = message.chars().filter(|c| !c.is_control()).collect();
        let mut out = io::stdout();
        write!(out, "\x07\x1b]9;{message}\x07")?;
        out.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

fn take() -> io::Result<()> {
    enable_raw_mode()?;
    OWNED.store(true, Ordering::SeqCst);
    let mut out = io::stdout();
    let entered =
        execute!(out, EnterAlternateScreen, EnableBracketedPaste, EnableFocusChange, SetCursorStyle::SteadyBar)
            .and_then(|()| {
                // Lets Shift+Enter and Ctrl+Shift+letter be told apart where the terminal speaks the Kitty protocol;
                // others ignore the request.
                execute!(out, PushKeyboardEnhancementFlags(KeyboardEnhancementFlags::DISAMBIGUATE_ESCAPE_CODES))
            })
            .and_then(|()| if MOUSE.load(Ordering::Relaxed) { execute!(out, EnableMouseCapture) } else { Ok(()) });
    if entered.is_err() {
        restore();
    }
    entered
}

/// Gives the terminal back. Safe to call at any time and more than once.
pub fn restore() {
    if !OWNED.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut out = io::stdout();
    // Each step on its own: one that fails must not keep the others from happening.
    let _ = execute!(out, EndSynchronizedUpdate, PopKeyboardEnhancementFlags);
    let _ = execute!(out, DisableMouseCapture, DisableFocusChange, DisableBracketedPaste);
    let _ = execute!(out, LeaveAlternateScreen, SetCursorStyle::DefaultUserShape, Show, SetTitle(""));
    let _ = disable_raw_mode();
}

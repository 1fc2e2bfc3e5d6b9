//! Keys → actions. The help screen is made from the same table, and `keybindings.json` changes it.

use std::collections::HashMap;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde_json::Value;

/// What a key asks of the screen as a whole. Editing keys belong to the composer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    Interrupt,
    Clear,
    Exit,
    Suspend,
    Submit,
    FollowUp,
    NewLine,
    Dequeue,
    Complete,
    ExternalEditor,
    SelectModel,
    NextModel,
    PreviousModel,
    CycleThinking,
    ShowThinking,
    ExpandTools,
    CopyLast,
    Background,
    PageUp,
    PageDown,
    Top,
    Bottom,
    PreviousPrompt,
    NextPrompt,
    ToggleTodo,
    Help,
}

/// One row of the table: id in `keybindings.json`, default keys, what it does, where it stands in the help.
pub struct Binding {
    pub action: Action,
    pub id: &'static str,
    pub keys: &'static [&'static str],
    pub help: &'static str,
    pub group: &'static str,
}

const fn row(
    action: Action,
    id: &'static str,
    keys: &'static [&'static str],
    group: &'static str,
    help: &'static str,
) -> Binding {
    Binding { action, id, keys, help, group }
}

pub const BINDINGS: &[Binding] = &[
    row(Action::Submit, "submit", &["enter"], "Writing", "send; while the agent works: steer it"),
    row(Action::FollowUp, "followUp", &["alt+enter"], "Writing", "queue for when the agent is done"),
    row(Action::NewLine, "newLine", &["shift+enter", "ctrl+j"], "Writing", "new line (or \\ at the end of a line)"),
    row(Action::Complete, "complete", &["tab"], "Writing", "complete a command or path"),
    row(Action::Dequeue, "dequeue", &["alt+up"], "Writing", "take queued messages back"),
    row(Action::ExternalEditor, "externalEditor", &["ctrl+g"], "Writing", "write in $EDITOR"),
    row(Action::Interrupt, "interrupt", &["escape"], "Session", "stop the agent; twice on an empty line: fork"),
    row(Action::Clear, "clear", &["ctrl+c"], "Session", "clear the line; twice: quit"),
    row(Action::Exit, "exit", &["ctrl+d"], "Session", "quit (on an empty line)"),
    row(Action::Suspend, "suspend", &["ctrl+z"], "Session", "suspend to the shell"),
    row(Action::Background, "background", &["ctrl+shift+b"], "Session", "move a running command to the background"),
    row(Action::SelectModel, "selectModel", &["ctrl+l"], "Model", "choose the model"),
    row(Action::NextModel, "nextModel", &["ctrl+p"], "Model", "next model"),
    row(Action::PreviousModel, "previousModel", &["shift+ctrl+p"], "Model", "previous model"),
    row(Action::CycleThinking, "cycleThinking", &["shift+tab"], "Model", "next thinking level"),
    row(Action::ShowThinking, "showThinking", &["ctrl+t"], "Reading", "show or hide thinking"),
    row(Action::ExpandTools, "expandTools", &["ctrl+o"], "Reading", "show or hide whole tool output"),
    row(Action::ToggleTodo, "toggleTodo", &["alt+t"], "Reading", "show or hide the task list"),
    row(Action::CopyLast, "copyLast", &["ctrl+x"], "Reading", "copy the last answer"),
    row(Action::PageUp, "pageUp", &["pageup"], "Reading", "scroll up"),
    row(Action::PageDown, "pageDown", &["pagedown"], "Reading", "scroll down"),
    row(Action::Top, "top", &["ctrl+home"], "Reading", "to the beginning"),
    row(Action::Bottom, "bottom", &["ctrl+end"], "Reading", "to the end, and follow"),
    row(
        Action::PreviousPrompt,
        "previousPrompt",
        &["ctrl+up", "ctrl+shift+up"],
        "Reading",
        "previous message of yours",
    ),
    row(Action::NextPrompt, "nextPrompt", &["ctrl+down", "ctrl+shift+down"], "Reading", "next message of yours"),
    row(Action::Help, "help", &["f1"], "Reading", "this help"),
];

/// A key with its modifiers, in the form bindings are compared in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    code: KeyCode,
    modifiers: KeyModifiers,
}

impl Key {
    pub fn of(event: KeyEvent) -> Self {
        Self::normal(event.code, event.modifiers)
    }

    fn normal(code: KeyCode, modifiers: KeyModifiers) -> Self {
        let mut modifiers =
            modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT | KeyModifiers::SUPER);
        let code = match code {
            // Terminals disagree on whether shift is reported with a letter; its case says the same.
            KeyCode::Char(c) if c.is_ascii_uppercase() => {
                modifiers |= KeyModifiers::SHIFT;
                KeyCode::Char(c.to_ascii_lowercase())
            }
            KeyCode::BackTab => {
                modifiers |= KeyModifiers::SHIFT;
                KeyCode::Tab
            }
            other => other,
        };
        Self { code, modifiers }
    }

    /// Reads `ctrl+shift+b`. `None` for what is no key.
    pub fn parse(text: &str) -> Option<Self> {
        let mut modifiers = KeyModifiers::NONE;
        let lower = text.trim().to_ascii_lowercase();
        // The key itself may be a plus sign.
        let (prefix, name) = match lower.strip_suffix("++") {
            Some(prefix) => (prefix, "+"),
            None => lower.rsplit_once('+').unwrap_or(("", &lower)),
        };
        for part in prefix.split('+').filter(|part| !part.is_empty()) {
            modifiers |= match part {
                "ctrl" | "control" => KeyModifiers::CONTROL,
                "alt" | "option" | "meta" => KeyModifiers::ALT,
                "shift" => KeyModifiers::SHIFT,
                "super" | "cmd" => KeyModifiers::SUPER,
                _ => return None,
            };
        }
        let code = match name {
            "enter" | "return" => KeyCode::Enter,
            "escape" | "esc" => KeyCode::Esc,
            "tab" => KeyCode::Tab,
            "space" => KeyCode::Char(' '),
            "backspace" => KeyCode::Backspace,
            "delete" => KeyCode::Delete,
            "insert" => KeyCode::Insert,
            "home" => KeyCode::Home,
            "end" => KeyCode::End,
            "pageup" => KeyCode::PageUp,
            "pagedown" => KeyCode::PageDown,
            "up" => KeyCode::Up,
            "down" => KeyCode::Down,
            "left" => KeyCode::Left,
            "right" => KeyCode::Right,
            name => {
                let mut chars = name.chars();
                match (chars.next(), chars.as_str()) {
                    (Some(c), "") => KeyCode::Char(c),
                    (Some('f'), number) => KeyCode::F(number.parse().ok().filter(|n| (1..=24).contains(n))?),
                    _ => return None,
                }
            }
        };
        Some(Self::normal(code, modifiers))
    }
}

/// The bindings in force.
pub struct Keymap {
    actions: HashMap<Key, Action>,
    /// First key of each action as text, for hints.
    names: HashMap<Action, Vec<String>>,
}

impl Default for Keymap {
    fn default() -> Self {
        Self::with(&Value::Null).0
    }
}

impl Keymap {
    /// Defaults changed by the content of `keybindings.json`; the second value lists what could not be understood.
    pub fn with(overrides: &Value) -> (Self, Vec<String>) {
        let mut actions = HashMap::new();
        let mut names = HashMap::new();
        let mut problems = Vec::new();
        for binding in BINDINGS {
            let chosen = overrides.get(binding.id).or_else(|| overrides.get(format!("app.{}", binding.id)));
            let keys: Vec<String> = match chosen {
                None | Some(Value::Null) => binding.keys.iter().map(|key| (*key).to_owned()).collect(),
                Some(Value::String(key)) => vec![key.clone()],
                Some(Value::Array(keys)) => keys.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
                Some(_) => {
                    problems.push(format!("{}: expected a key or a list of keys", binding.id));
                    binding.keys.iter().map(|key| (*key).to_owned()).collect()
                }
            };
            let mut shown = Vec::new();
            for key in keys {
                match Key::parse(&key) {
                    Some(parsed) => {
                        actions.entry(parsed).or_insert(binding.action);
                        shown.push(key);
                    }
                    // Defaults may name sequences that only exist as help; a user's typo must be told.
                    None if chosen.is_some() => problems.push(format!("{}: unknown key `{key}`", binding.id)),
                    None => {}
                }
            }
            names.insert(binding.action, shown);
        }
        (Self { actions, names }, problems)
    }

    pub fn action(&self, event: KeyEvent) -> Option<Action> {
        self.actions.get(&Key::of(event)).copied()
    }

    /// The key to press, for hints; empty when the action has none.
    pub fn hint(&self, action: Action) -> &str {
        self.names.get(&action).and_then(|keys| keys.first()).map_or("", String::as_str)
    }

    pub fn keys(&self, action: Action) -> &[String] {
        self.names.get(&action).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn press(code: KeyCode, modifiers: KeyModifiers) -> KeyEvent {
        KeyEvent::new(code, modifiers)
    }

    #[test]
    fn shift_is_understood_however_the_terminal_reports_it() {
        let keymap = Keymap::default();
        let both = KeyModifiers::CONTROL | KeyModifiers::SHIFT;
        assert_eq!(keymap.action(press(KeyCode::Char('P'), KeyModifiers::CONTROL)), Some(Action::PreviousModel));
        assert_eq!(keymap.action(press(KeyCode::Char('p'), both)), Some(Action::PreviousModel));
        assert_eq!(keymap.action(press(KeyCode::BackTab, KeyModifiers::NONE)), Some(Action::CycleThinking));
        assert_eq!(keymap.action(press(KeyCode::BackTab, KeyModifiers::SHIFT)), Some(Action::CycleThinking));
    }

    #[test]
    fn a_binding_can_be_moved_and_removed() {
        let (keymap, problems) = Keymap::with(&json!({"selectModel": "f2", "expandTools": [], "help": "nokey+x"}));
        assert_eq!(keymap.action(press(KeyCode::F(2), KeyModifiers::NONE)), Some(Action::SelectModel));
        assert_eq!(keymap.action(press(KeyCode::Char('l'), KeyModifiers::CONTROL)), None);
        assert_eq!(keymap.action(press(KeyCode::Char('o'), KeyModifiers::CONTROL)), None);
        assert_eq!(keymap.hint(Action::ExpandTools), "");
        assert_eq!(problems, ["help: unknown key `nokey+x`"]);
    }

    #[test]
    fn no_two_actions_share_a_default_key() {
        let mut seen = HashMap::new();
        for binding in BINDINGS {
            for key in binding.keys.iter().filter_map(|key| Key::parse(key)) {
                assert_eq!(seen.insert(key, binding.id), None, "{key:?} is bound twice");
            }
        }
    }
}

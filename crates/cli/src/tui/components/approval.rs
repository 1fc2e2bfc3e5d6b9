//! Asks the user to allow or refuse something the agent wants to do.

use crossterm::event::{KeyCode, KeyEvent};
use pizzapi_protocol::{ApprovalStyle, MetaPendingApproval};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};

use crate::tui::component::{Dialog, Reaction, choice_row, digit, draw_rows, frame, is_cancel};
use crate::tui::effect::{DecisionAnswer, Effect};
use crate::tui::markdown;
use crate::tui::text::{self, Break};
use crate::tui::theme::Theme;

/// Rows of detail before it scrolls.
const MAX_DETAIL_ROWS: usize = 14;

struct Choice {
    id: String,
    label: String,
    danger: bool,
}

pub struct Approval {
    request: MetaPendingApproval,
    choices: Vec<Choice>,
    selected: usize,
    scroll: usize,
}

impl Approval {
    pub fn new(request: MetaPendingApproval) -> Self {
        let mut choices: Vec<Choice> = request
            .actions
            .iter()
            .flatten()
            .map(|action| Choice {
                id: action.id.clone(),
                label: action.label.clone(),
                danger: action.style == Some(ApprovalStyle::Danger) || is_refusal(&action.id),
            })
            .collect();
        if choices.is_empty() {
            choices = vec![
                Choice { id: "approve".into(), label: "Allow".into(), danger: false },
                Choice { id: "reject".into(), label: "Deny".into(), danger: true },
            ];
        }
        // Enter without a choice refuses: the dialog may appear under a typing hand.
        let selected = choices.iter().position(|choice| is_refusal(&choice.id)).unwrap_or(choices.len() - 1);
        Self { request, choices, selected, scroll: 0 }
    }

    fn decide(&self, index: usize) -> Reaction {
        let action = self.choices[index].id.clone();
        let id = self.request.prompt_id.clone();
        Reaction::Close(vec![Effect::Answer { id, answer: DecisionAnswer::Approval { action } }])
    }

    fn refuse(&self) -> Reaction {
        match self.choices.iter().position(|choice| is_refusal(&choice.id)) {
            Some(index) => self.decide(index),
            None => {
                let id = self.request.prompt_id.clone();
                Reaction::Close(vec![Effect::Answer { id, answer: DecisionAnswer::Cancel }])
            }
        }
    }

    fn detail(&self, width: usize, theme: &Theme) -> Vec<Line<'static>> {
        let mut rows = Vec::new();
        if let Some(message) = self.request.message.as_deref().filter(|message| !message.trim().is_empty()) {
            rows.extend(markdown::render(message, width, theme));
        }
        for field in self.request.fields.iter().flatten() {
            let label = Span::styled(format!("{}: ", text::sanitize(&field.label)), theme.muted());
            let style = theme.strong();
            if field.value.contains('\n') {
                rows.push(Line::from(label));
                let value = text::sanitize(&field.value);
                rows.extend(
                    text::wrap_plain(&value, width.saturating_sub(2), style, Break::Anywhere)
                        .into_iter()
                        .map(|row| text::prefixed(row, Span::raw("  "))),
                );
            } else {
                let value = Span::styled(text::sanitize(&field.value).into_owned(), style);
                rows.extend(text::wrap(Line::from(vec![label, value]), width, &[Span::raw("  ")], Break::Words));
            }
        }
        rows
    }
}

fn is_refusal(action: &str) -> bool {
    matches!(action, "deny" | "reject" | "refuse" | "cancel" | "no")
}

impl Dialog for Approval {
    fn id(&self) -> &str {
        &self.request.prompt_id
    }

    fn height(&self, width: u16, theme: &Theme) -> u16 {
        let detail = self.detail(usize::from(width.saturating_sub(4)), theme).len();
        let gap = usize::from(detail > 0);
        (detail.min(MAX_DETAIL_ROWS) + gap + self.choices.len() + 2) as u16
    }

    fn on_wheel(&mut self, down: bool) -> Reaction {
        self.scroll = if down { self.scroll + 1 } else { self.scroll.saturating_sub(1) };
        Reaction::Redraw
    }

    fn on_key(&mut self, key: KeyEvent) -> Reaction {
        if is_cancel(key) {
            return self.refuse();
        }
        if let Some(index) = digit(key).filter(|index| *index < self.choices.len()) {
            return self.decide(index);
        }
        let count = self.choices.len();
        match key.code {
            KeyCode::Enter => return self.decide(self.selected),
            KeyCode::Up | KeyCode::BackTab | KeyCode::Char('k') => self.selected = (self.selected + count - 1) % count,
            KeyCode::Down | KeyCode::Tab | KeyCode::Char('j') => self.selected = (self.selected + 1) % count,
            KeyCode::PageUp => self.scroll = self.scroll.saturating_sub(MAX_DETAIL_ROWS),
            KeyCode::PageDown => self.scroll += MAX_DETAIL_ROWS,
            KeyCode::Char('y') => {
                let allow = self.choices.iter().position(|choice| !choice.danger);
                return allow.map_or(Reaction::Redraw, |index| self.decide(index));
            }
            KeyCode::Char('n') => return self.refuse(),
            _ => return Reaction::Ignored,
        }
        Reaction::Redraw
    }

    fn render(&mut self, area: Rect, buf: &mut Buffer, theme: &Theme) -> Option<Position> {
        let hints = [("y", "allow"), ("n", "deny"), ("↑↓ enter", "choose")];
        let title = text::sanitize(&self.request.title).into_owned();
        let inner = frame(area, buf, theme, &title, &hints);
        let width = usize::from(inner.width);
        let detail = self.detail(width, theme);
        // Choices are never scrolled away; the detail gets what is left.
        let choices = self.choices.len() as u16;
        let room = inner.height.saturating_sub(choices);
        let mut y = inner.y;
        if room > 1 && !detail.is_empty() {
            let shown = usize::from(room - 1).min(detail.len());
            self.scroll = self.scroll.min(detail.len() - shown);
            y += draw_rows(&detail[self.scroll..self.scroll + shown], Rect { height: shown as u16, ..inner }, buf);
            let hidden = detail.len() - shown - self.scroll;
            if hidden > 0 || self.scroll > 0 {
                let note = format!("{} {hidden} more lines, page keys scroll", theme.glyphs.ellipsis);
                buf.set_stringn(inner.x, y, note, width, theme.warning());
            }
            y += 1;
        }
        for (index, choice) in self.choices.iter().enumerate() {
            if y >= inner.bottom() {
                break;
            }
            let mut row = choice_row(index, &choice.label, "", index == self.selected, width, theme);
            if choice.danger && index == self.selected {
                row.spans[2].style = theme.error().add_modifier(Modifier::BOLD);
            }
            draw_rows(&[row], Rect { y, height: 1, ..inner }, buf);
            y += 1;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use pizzapi_protocol::ApprovalAction;

    use super::*;
    use crate::tui::testing::{dialog_screen, key};

    fn request() -> MetaPendingApproval {
        let action = |id: &str, label: &str| ApprovalAction { id: id.into(), label: label.into(), style: None };
        MetaPendingApproval {
            prompt_id: "p1".into(),
            title: "Run this command?".into(),
            message: Some("```bash\nrm -r target\n```".into()),
            tool_name: Some("bash".into()),
            icon: None,
            fields: None,
            actions: Some(vec![action("allow", "Allow once"), action("deny", "Deny")]),
        }
    }

    fn answered(action: &str) -> Reaction {
        let answer = DecisionAnswer::Approval { action: action.into() };
        Reaction::Close(vec![Effect::Answer { id: "p1".into(), answer }])
    }

    #[test]
    fn enter_without_a_choice_refuses() {
        let mut card = Approval::new(request());
        insta::assert_snapshot!(dialog_screen(&mut card, 40, 6), @r"
        ╭ Run this command? ───────────────────╮
        │ │ rm -r target                       │
        │                                      │
        │   1. Allow once                      │
        │ ❯ 2. Deny                            │
        ╰ y allow  n deny  ↑↓ enter choose ────╯
        ");
        assert_eq!(card.on_key(key("enter")), answered("deny"));
    }

    #[test]
    fn a_letter_or_number_decides_at_once() {
        assert_eq!(Approval::new(request()).on_key(key("y")), answered("allow"));
        assert_eq!(Approval::new(request()).on_key(key("1")), answered("allow"));
        assert_eq!(Approval::new(request()).on_key(key("escape")), answered("deny"));
    }

    #[test]
    fn choices_stay_visible_however_long_the_command() {
        let mut long = request();
        long.message = Some((0..60).map(|n| format!("line {n}\n\n")).collect());
        let mut card = Approval::new(long);
        let screen = dialog_screen(&mut card, 40, 8);
        assert!(screen.contains("1. Allow once") && screen.contains("2. Deny"), "{screen}");
    }
}

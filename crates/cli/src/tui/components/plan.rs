//! Reviews a plan: begin, begin without the conversation so far, ask for a change, or not at all.

use crossterm::event::{KeyCode, KeyEvent};
use pizzapi_protocol::MetaPendingPlan;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use crate::tui::component::{Dialog, LineInput, Reaction, choice_row, digit, draw_rows, frame, is_cancel};
use crate::tui::effect::{DecisionAnswer, Effect, PlanAction};
use crate::tui::markdown;
use crate::tui::text::{self, Break};
use crate::tui::theme::Theme;

const ACTIONS: [(PlanAction, &str, &str); 4] = [
    (PlanAction::ExecuteKeepContext, "Begin", "keep the conversation"),
    (PlanAction::Execute, "Clear context and begin", "only the plan is kept"),
    (PlanAction::Edit, "Suggest a change", ""),
    (PlanAction::Cancel, "Cancel", ""),
];

pub struct PlanReview {
    decision_id: String,
    plan: MetaPendingPlan,
    selected: usize,
    scroll: usize,
    page: usize,
    edit: Option<LineInput>,
}

impl PlanReview {
    pub fn new(decision_id: impl Into<String>, plan: MetaPendingPlan) -> Self {
        Self { decision_id: decision_id.into(), plan, selected: 0, scroll: 0, page: 1, edit: None }
    }

    fn decide(&mut self, index: usize) -> Reaction {
        let (action, ..) = ACTIONS[index];
        self.selected = index;
        if action == PlanAction::Edit && self.edit.as_ref().is_none_or(|edit| edit.text.trim().is_empty()) {
            self.edit.get_or_insert_default();
            return Reaction::Redraw;
        }
        let edit = match action {
            PlanAction::Edit => self.edit.take().map(|edit| edit.text.trim().to_owned()),
            _ => None,
        };
        let answer = DecisionAnswer::Plan { action, edit };
        Reaction::Close(vec![Effect::Answer { id: self.decision_id.clone(), answer }])
    }

    fn body(&self, width: usize, theme: &Theme) -> Vec<Line<'static>> {
        let mut rows = Vec::new();
        if let Some(description) = self.plan.description.as_deref().filter(|text| !text.trim().is_empty()) {
            rows.extend(markdown::render(description, width, theme));
            rows.push(Line::default());
        }
        for (index, step) in self.plan.steps.iter().flatten().enumerate() {
            let line = Line::from(vec![
                Span::styled(format!("{:>2}. ", index + 1), theme.accent()),
                Span::styled(text::sanitize(&step.title).into_owned(), theme.strong()),
            ]);
            let indent = [Span::raw("    ")];
            rows.extend(text::wrap(line, width, &indent, Break::Words));
            if let Some(description) = step.description.as_deref().filter(|text| !text.trim().is_empty()) {
                rows.extend(
                    markdown::render(description, width.saturating_sub(4), theme)
                        .into_iter()
                        .map(|row| text::prefixed(row, Span::raw("    "))),
                );
            }
        }
        rows
    }
}

impl Dialog for PlanReview {
    fn id(&self) -> &str {
        &self.decision_id
    }

    fn height(&self, width: u16, theme: &Theme) -> u16 {
        let body = self.body(usize::from(width.saturating_sub(4)), theme).len();
        (body + 1 + ACTIONS.len() + 2 + usize::from(self.edit.is_some())) as u16
    }

    fn on_wheel(&mut self, down: bool) -> Reaction {
        self.scroll = if down { self.scroll + 2 } else { self.scroll.saturating_sub(2) };
        Reaction::Redraw
    }

    fn on_paste(&mut self, text: &str) -> Reaction {
        match &mut self.edit {
            Some(edit) => {
                edit.on_paste(text);
                Reaction::Redraw
            }
            None => Reaction::Ignored,
        }
    }

    fn on_key(&mut self, key: KeyEvent) -> Reaction {
        if let Some(edit) = &mut self.edit {
            match key.code {
                KeyCode::Enter => return self.decide(2),
                _ if is_cancel(key) => self.edit = None,
                _ if edit.on_key(key) => {}
                _ => return Reaction::Ignored,
            }
            return Reaction::Redraw;
        }
        if is_cancel(key) {
            return self.decide(3);
        }
        if let Some(index) = digit(key).filter(|index| *index < ACTIONS.len()) {
            return self.decide(index);
        }
        match key.code {
            KeyCode::Enter => return self.decide(self.selected),
            KeyCode::Up | KeyCode::BackTab => self.selected = (self.selected + ACTIONS.len() - 1) % ACTIONS.len(),
            KeyCode::Down | KeyCode::Tab => self.selected = (self.selected + 1) % ACTIONS.len(),
            KeyCode::PageUp => self.scroll = self.scroll.saturating_sub(self.page),
            KeyCode::PageDown | KeyCode::Char(' ') => self.scroll += self.page,
            _ => return Reaction::Ignored,
        }
        Reaction::Redraw
    }

    fn render(&mut self, area: Rect, buf: &mut Buffer, theme: &Theme) -> Option<Position> {
        let title = format!("Plan: {}", text::sanitize(&self.plan.title));
        let hints = [("enter", "choose"), ("pgup/pgdn", "scroll"), ("esc", "cancel")];
        let inner = frame(area, buf, theme, &title, &hints);
        let width = usize::from(inner.width);
        let body = self.body(width, theme);
        let fixed = ACTIONS.len() as u16 + u16::from(self.edit.is_some());
        let room = usize::from(inner.height.saturating_sub(fixed + 1)).min(body.len());
        self.page = room.max(1);
        self.scroll = self.scroll.min(body.len() - room);
        let mut y = inner.y;
        y += draw_rows(&body[self.scroll..self.scroll + room], Rect { height: room as u16, ..inner }, buf);
        if body.len() > room {
            let note = format!("{} {} more lines", theme.glyphs.ellipsis, body.len() - room - self.scroll);
            buf.set_stringn(inner.x, y, note, width, theme.faint());
        }
        y += 1;
        for (index, (_, label, detail)) in ACTIONS.iter().enumerate() {
            if y < inner.bottom() {
                let row = choice_row(index, label, detail, index == self.selected, width, theme);
                draw_rows(&[row], Rect { y, height: 1, ..inner }, buf);
                y += 1;
            }
        }
        let edit = self.edit.as_ref()?;
        let row = Rect { y: y.min(inner.bottom().saturating_sub(1)), height: 1, ..inner };
        Some(edit.render(row, buf, theme, "change: ", "what should be different?"))
    }
}

#[cfg(test)]
mod tests {
    use pizzapi_protocol::MetaPlanStep;

    use super::*;
    use crate::tui::testing::{dialog_screen, keys};

    fn review() -> PlanReview {
        let step = |title: &str| MetaPlanStep { title: title.into(), description: None };
        let plan = MetaPendingPlan {
            tool_call_id: "call".into(),
            title: "Bake".into(),
            description: None,
            steps: Some(vec![step("Heat the oven"), step("Wait")]),
        };
        PlanReview::new("d1", plan)
    }

    fn last(dialog: &mut PlanReview, names: &str) -> Reaction {
        keys(names).into_iter().map(|key| dialog.on_key(key)).last().unwrap()
    }

    fn answered(action: PlanAction, edit: Option<&str>) -> Reaction {
        let answer = DecisionAnswer::Plan { action, edit: edit.map(str::to_owned) };
        Reaction::Close(vec![Effect::Answer { id: "d1".into(), answer }])
    }

    #[test]
    fn the_plan_and_its_actions_are_shown() {
        insta::assert_snapshot!(dialog_screen(&mut review(), 48, 9), @r"
        ╭ Plan: Bake ──────────────────────────────────╮
        │  1. Heat the oven                            │
        │  2. Wait                                     │
        │                                              │
        │ ❯ 1. Begin  keep the conversation            │
        │   2. Clear context and begin  only the plan… │
        │   3. Suggest a change                        │
        │   4. Cancel                                  │
        ╰ enter choose  pgup/pgdn scroll  esc cancel ──╯
        ");
    }

    #[test]
    fn a_change_is_written_before_it_is_sent() {
        let mut dialog = review();
        assert_eq!(last(&mut dialog, "3 o k enter"), answered(PlanAction::Edit, Some("ok")));
        assert_eq!(last(&mut review(), "2"), answered(PlanAction::Execute, None));
        assert_eq!(last(&mut review(), "escape"), answered(PlanAction::Cancel, None));
    }
}

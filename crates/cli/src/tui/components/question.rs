//! Answers the agent's questions: options, several options, an order, or words of one's own.

use crossterm::event::{KeyCode, KeyEvent};
use pizzapi_protocol::{MetaPendingQuestion, QuestionKind};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use crate::tui::component::{Dialog, LineInput, Reaction, digit, draw_rows, frame, is_cancel};
use crate::tui::effect::{DecisionAnswer, Effect};
use crate::tui::text::{self, Break};
use crate::tui::theme::Theme;

/// State of one question. The row after the last option is the reader's own answer.
#[derive(Default)]
struct Entry {
    selected: usize,
    /// Chosen options: a set for checkboxes, an order for rankings.
    chosen: Vec<usize>,
    own: LineInput,
}

pub struct QuestionBox {
    decision_id: String,
    pending: MetaPendingQuestion,
    entries: Vec<Entry>,
    current: usize,
}

impl QuestionBox {
    pub fn new(decision_id: impl Into<String>, pending: MetaPendingQuestion) -> Self {
        let entries = pending.questions.iter().map(|_| Entry::default()).collect();
        Self { decision_id: decision_id.into(), pending, entries, current: 0 }
    }

    fn kind(&self) -> QuestionKind {
        self.pending.questions.get(self.current).and_then(|question| question.kind).unwrap_or(QuestionKind::Radio)
    }

    fn options(&self) -> &[String] {
        self.pending.questions.get(self.current).map_or(&[], |question| &question.options)
    }

    fn answer_of(&self, index: usize) -> String {
        let (question, entry) = (&self.pending.questions[index], &self.entries[index]);
        let own = entry.own.text.trim();
        match question.kind.unwrap_or(QuestionKind::Radio) {
            QuestionKind::Radio => match question.options.get(entry.selected) {
                Some(option) => option.clone(),
                None => own.to_owned(),
            },
            QuestionKind::Checkbox | QuestionKind::Ranked => {
                let ranked = question.kind == Some(QuestionKind::Ranked);
                let options = entry.chosen.iter().filter_map(|at| question.options.get(*at)).cloned();
                let all: Vec<String> = options.chain((!own.is_empty()).then(|| own.to_owned())).collect();
                if ranked {
                    all.iter()
                        .enumerate()
                        .map(|(at, item)| format!("{}. {item}", at + 1))
                        .collect::<Vec<_>>()
                        .join(", ")
                } else {
                    all.join(", ")
                }
            }
        }
    }

    fn advance(&mut self) -> Reaction {
        if self.answer_of(self.current).is_empty() {
            return Reaction::Redraw;
        }
        if self.current + 1 < self.entries.len() {
            self.current += 1;
            return Reaction::Redraw;
        }
        if let Some(open) = (0..self.entries.len()).find(|index| self.answer_of(*index).is_empty()) {
            self.current = open;
            return Reaction::Redraw;
        }
        let text = if self.entries.len() == 1 {
            self.answer_of(0)
        } else {
            let answers: serde_json::Map<String, serde_json::Value> = (0..self.entries.len())
                .map(|index| {
                    let key = format!("Q{}: {}", index + 1, self.pending.questions[index].question);
                    (key, self.answer_of(index).into())
                })
                .collect();
            serde_json::Value::Object(answers).to_string()
        };
        let answer = DecisionAnswer::Question(text);
        Reaction::Close(vec![Effect::Answer { id: self.decision_id.clone(), answer }])
    }

    fn toggle(&mut self, option: usize) {
        let entry = &mut self.entries[self.current];
        match entry.chosen.iter().position(|chosen| *chosen == option) {
            Some(at) => {
                entry.chosen.remove(at);
            }
            None => entry.chosen.push(option),
        }
    }

    fn lines(&self, width: usize, theme: &Theme) -> (Vec<Line<'static>>, usize) {
        let Some(question) = self.pending.questions.get(self.current) else { return (Vec::new(), 0) };
        let entry = &self.entries[self.current];
        let mut rows = text::wrap_plain(&text::sanitize(&question.question), width, theme.strong(), Break::Words);
        rows.push(Line::default());
        for (index, option) in question.options.iter().enumerate() {
            let selected = index == entry.selected;
            let pointer = if selected { theme.glyphs.pointer } else { " " };
            let place = entry.chosen.iter().position(|chosen| *chosen == index);
            let mark = match (self.kind(), place) {
                (QuestionKind::Radio, _) => format!("{}. ", index + 1),
                (QuestionKind::Checkbox, Some(_)) => format!("{} ", theme.glyphs.box_on),
                (QuestionKind::Checkbox, None) => format!("{} ", theme.glyphs.box_off),
                (QuestionKind::Ranked, Some(place)) => format!("#{} ", place + 1),
                (QuestionKind::Ranked, None) => " · ".to_owned(),
            };
            let style = if selected { theme.accent() } else { theme.base() };
            let indent = Span::raw(" ".repeat(2 + text::width(&mark)));
            let line = Line::from(vec![
                Span::styled(format!("{pointer} "), theme.accent()),
                Span::styled(mark, theme.muted()),
                Span::styled(text::sanitize(option).into_owned(), style),
            ]);
            rows.extend(text::wrap(line, width, &[indent], Break::Words));
        }
        let own_row = rows.len();
        rows.push(Line::default());
        (rows, own_row)
    }
}

impl Dialog for QuestionBox {
    fn id(&self) -> &str {
        &self.decision_id
    }

    fn height(&self, width: u16, theme: &Theme) -> u16 {
        self.lines(usize::from(width.saturating_sub(4)), theme).0.len() as u16 + 2
    }

    fn on_paste(&mut self, text: &str) -> Reaction {
        let own_row = self.options().len();
        let entry = &mut self.entries[self.current];
        entry.selected = own_row;
        entry.own.on_paste(text);
        Reaction::Redraw
    }

    fn on_key(&mut self, key: KeyEvent) -> Reaction {
        if is_cancel(key) {
            let answer = DecisionAnswer::Cancel;
            return Reaction::Close(vec![Effect::Answer { id: self.decision_id.clone(), answer }]);
        }
        let rows = self.options().len() + 1;
        let own_row = rows - 1;
        let kind = self.kind();
        let on_own = self.entries[self.current].selected == own_row;
        if !on_own || self.entries[self.current].own.text.is_empty() {
            if let Some(index) = digit(key).filter(|index| *index < own_row) {
                self.entries[self.current].selected = index;
                if kind == QuestionKind::Radio {
                    return self.advance();
                }
                self.toggle(index);
                return Reaction::Redraw;
            }
            if key.code == KeyCode::Char(' ') && kind != QuestionKind::Radio && !on_own {
                let option = self.entries[self.current].selected;
                self.toggle(option);
                return Reaction::Redraw;
            }
        }
        let entry = &mut self.entries[self.current];
        match key.code {
            KeyCode::Enter => {
                // Enter on an option of a set chooses it when nothing was chosen yet.
                if kind != QuestionKind::Radio && !on_own && entry.chosen.is_empty() {
                    let option = entry.selected;
                    self.toggle(option);
                }
                return self.advance();
            }
            KeyCode::Up => entry.selected = (entry.selected + rows - 1) % rows,
            KeyCode::Down => entry.selected = (entry.selected + 1) % rows,
            KeyCode::BackTab | KeyCode::Left if !on_own || entry.own.text.is_empty() => {
                self.current = self.current.saturating_sub(1);
            }
            KeyCode::Tab | KeyCode::Right if !on_own || entry.own.text.is_empty() => {
                self.current = (self.current + 1).min(self.entries.len() - 1);
            }
            _ => {
                if !entry.own.on_key(key) {
                    return Reaction::Ignored;
                }
                // Whoever starts to write wants to answer in words.
                entry.selected = own_row;
            }
        }
        Reaction::Redraw
    }

    fn render(&mut self, area: Rect, buf: &mut Buffer, theme: &Theme) -> Option<Position> {
        let title = match self.entries.len() {
            0 | 1 => "Question".to_owned(),
            count => format!("Question {} of {count}", self.current + 1),
        };
        let hints: &[(&str, &str)] = match self.kind() {
            QuestionKind::Radio => &[("enter", "answer"), ("esc", "dismiss")],
            QuestionKind::Checkbox => &[("space", "choose"), ("enter", "answer"), ("esc", "dismiss")],
            QuestionKind::Ranked => &[("space", "rank"), ("enter", "answer"), ("esc", "dismiss")],
        };
        let inner = frame(area, buf, theme, &title, hints);
        if self.entries.is_empty() {
            return None;
        }
        let (rows, own_row) = self.lines(usize::from(inner.width), theme);
        // The row for own words stays visible; options scroll with the selection.
        let height = usize::from(inner.height).max(1);
        let entry = &self.entries[self.current];
        let on_own = entry.selected >= self.options().len();
        let skip = if rows.len() <= height {
            0
        } else if on_own {
            rows.len() - height
        } else {
            (entry.selected + 3).saturating_sub(height).min(rows.len() - height)
        };
        draw_rows(&rows[skip..], inner, buf);
        if own_row < skip || own_row - skip >= height {
            return None;
        }
        let y = inner.y + (own_row - skip) as u16;
        let prompt = if on_own { format!("{} ", theme.glyphs.pointer) } else { "  ".to_owned() };
        let cursor = entry.own.render(Rect { y, height: 1, ..inner }, buf, theme, &prompt, "or type your own answer");
        on_own.then_some(cursor)
    }
}

#[cfg(test)]
mod tests {
    use pizzapi_protocol::MetaQuestion;

    use super::*;
    use crate::tui::testing::{dialog_screen, key, keys};

    fn pending(kinds: &[QuestionKind]) -> MetaPendingQuestion {
        let questions = kinds
            .iter()
            .enumerate()
            .map(|(index, kind)| MetaQuestion {
                question: format!("Which {index}?"),
                options: vec!["red".into(), "green".into(), "blue".into()],
                kind: Some(*kind),
            })
            .collect();
        MetaPendingQuestion { tool_call_id: "call".into(), questions, display: None }
    }

    fn answered(text: &str) -> Reaction {
        let answer = DecisionAnswer::Question(text.into());
        Reaction::Close(vec![Effect::Answer { id: "d1".into(), answer }])
    }

    fn last(dialog: &mut QuestionBox, names: &str) -> Reaction {
        keys(names).into_iter().map(|key| dialog.on_key(key)).last().unwrap()
    }

    #[test]
    fn an_option_is_chosen_with_the_arrows_or_its_number() {
        let mut dialog = QuestionBox::new("d1", pending(&[QuestionKind::Radio]));
        insta::assert_snapshot!(dialog_screen(&mut dialog, 40, 8), @r"
        ╭ Question ────────────────────────────╮
        │ Which 0?                             │
        │                                      │
        │ ❯ 1. red                             │
        │   2. green                           │
        │   3. blue                            │
        │   or type your own answer            │
        ╰ enter answer  esc dismiss ───────────╯
        ");
        assert_eq!(last(&mut dialog, "down enter"), answered("green"));
        let mut dialog = QuestionBox::new("d1", pending(&[QuestionKind::Radio]));
        assert_eq!(dialog.on_key(key("3")), answered("blue"));
    }

    #[test]
    fn several_options_and_an_order() {
        let mut dialog = QuestionBox::new("d1", pending(&[QuestionKind::Checkbox]));
        assert_eq!(last(&mut dialog, "space down down space enter"), answered("red, blue"));
        let mut dialog = QuestionBox::new("d1", pending(&[QuestionKind::Ranked]));
        assert_eq!(last(&mut dialog, "3 1 enter"), answered("1. blue, 2. red"));
    }

    #[test]
    fn typing_answers_in_own_words() {
        let mut dialog = QuestionBox::new("d1", pending(&[QuestionKind::Radio]));
        assert_eq!(last(&mut dialog, "p i n k enter"), answered("pink"));
    }

    #[test]
    fn several_questions_are_answered_together() {
        let mut dialog = QuestionBox::new("d1", pending(&[QuestionKind::Radio, QuestionKind::Radio]));
        assert_eq!(last(&mut dialog, "1 2"), answered(r#"{"Q1: Which 0?":"red","Q2: Which 1?":"green"}"#));
    }
}

//! Composes the components into a frame.

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Clear, Widget};

use super::app::{Activity, App, selection_style};
use super::component::draw_rows;
use super::components::transcript::message::Level;
use super::components::transcript::spinner_frame;
use super::components::{status_line, todo};
use super::keymap::Action;
use super::text;
use super::theme::Theme;

/// Below this height the footer is one row and nothing optional is shown.
const SHORT_SCREEN: u16 = 14;
/// Queued messages shown at once.
const MAX_QUEUED_ROWS: usize = 4;
/// Smallest screen anything is drawn on.
const MIN_WIDTH: u16 = 20;
const MIN_HEIGHT: u16 = 6;

pub fn view(app: &mut App, frame: &mut Frame<'_>) {
    let area = frame.area();
    if let Some(cursor) = draw(app, area, frame.buffer_mut()) {
        frame.set_cursor_position(cursor);
    }
}

/// Draws everything and returns where the text cursor is.
pub fn draw(app: &mut App, area: Rect, buf: &mut Buffer) -> Option<Position> {
    if area.width < MIN_WIDTH || area.height < MIN_HEIGHT {
        buf.set_stringn(area.x, area.y, "too small", usize::from(area.width), Style::new());
        return None;
    }
    let short = area.height < SHORT_SCREEN;
    // One column of air on both sides.
    let width = area.width - 2;
    let x = area.x + 1;
    let columns = usize::from(width);

    let footer_rows = if short { 1 } else { 2 };
    let todo_rows = if app.show_todos && !short && app.dialogs.is_empty() {
        todo::lines(&app.todos, columns, &app.theme)
    } else {
        Vec::new()
    };
    let queue_rows = queue_lines(app, columns, if short { 1 } else { MAX_QUEUED_ROWS });
    let activity_row = activity_line(app, columns);

    let available = area.height - footer_rows - 1;
    let input_rows = match app.dialogs.front() {
        // A dialog may take most of the screen, but the conversation it is about stays in sight.
        Some(dialog) => dialog.height(width, &app.theme).min((available * 3 / 4).max(5)).min(available),
        None => {
            let text = app.composer.text_rows(width.saturating_sub(6));
            (text.min((area.height / 3).max(1)) + 2).min(available)
        }
    };
    let popup_rows = if app.dialogs.is_empty() { app.composer.popup_rows().min(available - input_rows) } else { 0 };
    // Optional rows give way from the least important one.
    let mut left = available - input_rows - popup_rows;
    let mut take = |wanted: usize, keep: u16| {
        let granted = (wanted as u16).min(left.saturating_sub(keep));
        left -= granted;
        granted
    };
    let activity_height = take(1, 1);
    let queue_height = take(queue_rows.len(), 2);
    let todo_height = take(todo_rows.len(), 3);

    let mut y = area.y;
    let mut block = |rows: u16| {
        let rect = Rect { x, y, width, height: rows };
        y += rows;
        rect
    };
    let transcript_area = block(left + 1);
    let todo_area = block(todo_height);
    let queue_area = block(queue_height);
    let activity_area = block(activity_height);
    let popup_area = block(popup_rows);
    let input_area = block(input_rows);
    let footer_area = block(footer_rows);

    draw_transcript(app, transcript_area, buf);
    draw_rows(&todo_rows, todo_area, buf);
    draw_rows(&queue_rows, queue_area, buf);
    if let Some(row) = activity_row {
        draw_rows(&[row], activity_area, buf);
    }
    app.composer.render_popup(popup_area, buf, &app.theme);
    let cursor = match app.dialogs.front_mut() {
        Some(dialog) => dialog.render(input_area, buf, &app.theme),
        None => Some(draw_composer(app, input_area, buf)),
    };
    let lines = status_line::lines(&app.status, columns, app.now, &app.theme);
    let skip = usize::from(short);
    draw_rows(&lines[..2 - skip], footer_area, buf);
    draw_toasts(app, transcript_area, buf);
    cursor
}

fn draw_transcript(app: &mut App, area: Rect, buf: &mut Buffer) {
    app.transcript_area = area;
    let ctx =
        App::render_context(usize::from(area.width), &app.theme, &app.keymap, app.now, &app.cwd, app.home.as_deref());
    app.transcript.render(area, buf, &ctx);
    if let Some(selection) = app.selection {
        app.transcript_text = (area.top()..area.bottom())
            .map(|y| (area.left()..area.right()).map(|x| buf[(x, y)].symbol().to_owned()).collect())
            .collect();
        if !selection.is_empty() {
            let (from, to) = selection.ordered();
            let style = selection_style(&app.theme);
            for y in from.1..=to.1.min(area.bottom().saturating_sub(1)) {
                let left = if y == from.1 { from.0 } else { area.left() };
                let right = if y == to.1 { to.0 + 1 } else { area.right() }.min(area.right());
                buf.set_style(Rect { x: left, y, width: right.saturating_sub(left), height: 1 }, style);
            }
        }
    }
    let key = app.keymap.hint(Action::Bottom);
    if let Some(hint) = app.transcript.detached_hint(&app.theme, key) {
        let width = (text::line_width(&hint) as u16).min(area.width);
        let rect = Rect { x: area.right() - width, y: area.bottom().saturating_sub(1), width, height: 1 };
        Clear.render(rect, buf);
        hint.render(rect, buf);
    }
}

fn queue_lines(app: &App, width: usize, max: usize) -> Vec<Line<'static>> {
    let theme = &app.theme;
    let steering = app.queue.steering.iter().map(|text| ("next ", text));
    let follow_up = app.queue.follow_up.iter().map(|text| (if app.queue.held { "held " } else { "later " }, text));
    let all: Vec<(&str, &String)> = steering.chain(follow_up).collect();
    let mut rows: Vec<Line<'static>> = all
        .iter()
        .take(max)
        .map(|(when, message)| {
            let line = Line::from(vec![
                Span::styled(format!("  {} {when}", theme.glyphs.corner), theme.faint()),
                Span::styled(text::sanitize(message).replace('\n', " "), theme.muted().add_modifier(Modifier::ITALIC)),
            ]);
            text::truncate_line(line, width)
        })
        .collect();
    if all.len() > max
        && let Some(last) = rows.last_mut()
    {
        last.spans.push(Span::styled(format!("  +{} more", all.len() - max), theme.faint()));
    }
    rows
}

/// What is going on, for how long, and how to stop it.
fn activity_line(app: &App, width: usize) -> Option<Line<'static>> {
    let theme = &app.theme;
    let (label, since, style) = match &app.activity {
        Activity::Idle => return None,
        Activity::Working { since } => ("Working".to_owned(), *since, theme.accent()),
        Activity::Compacting { since } => ("Compacting the conversation".to_owned(), *since, theme.info()),
        Activity::Shell { since } => ("Running".to_owned(), *since, theme.warning()),
        Activity::Retrying { attempt, attempts, until, error } => {
            let seconds = until.saturating_sub(app.now).div_ceil(1000);
            let label = format!("Trying again in {seconds}s ({attempt}/{attempts}): {}", text::sanitize(error));
            (label, app.now, theme.warning())
        }
    };
    let elapsed = app.now.saturating_sub(since);
    let stop = app.keymap.hint(Action::Interrupt);
    let mut spans =
        vec![Span::styled(format!("{} ", spinner_frame(theme, app.now)), style), Span::styled(label, style)];
    if elapsed >= 1_000 {
        spans.push(Span::styled(format!("  {}", text::duration(elapsed / 1000 * 1000)), theme.faint()));
    }
    let hint = Line::from(Span::styled(format!("{stop} to stop"), theme.faint()));
    Some(text::spread(Line::from(spans), hint, width))
}

fn draw_composer(app: &mut App, area: Rect, buf: &mut Buffer) -> Position {
    let theme = &app.theme;
    let shell = app.composer.is_shell();
    let color = if shell {
        theme.warning
    } else {
        app.status.thinking.as_deref().map_or(theme.border, |level| theme.thinking_level(level))
    };
    let style = Style::new().fg(color);
    let mut block = Block::bordered().border_type(BorderType::Rounded).border_style(style);
    if shell {
        block = block.title_top(Span::styled(" shell ", theme.warning().add_modifier(Modifier::BOLD)));
    } else if app.status.plan_mode {
        block = block.title_top(Span::styled(" plan ", theme.info().add_modifier(Modifier::BOLD)));
    }
    let inner = block.inner(area);
    block.render(area, buf);
    let prompt = if shell { "!" } else { theme.glyphs.prompt };
    buf.set_stringn(inner.x + 1, inner.y, prompt, 2, style.add_modifier(Modifier::BOLD));
    let text_area = Rect { x: inner.x + 3, width: inner.width.saturating_sub(4), ..inner };
    let placeholder = match app.activity {
        Activity::Working { .. } | Activity::Retrying { .. } => "steer with enter, queue with alt+enter",
        _ => "ask anything",
    };
    app.composer.render(text_area, buf, &app.theme, placeholder)
}

fn draw_toasts(app: &App, area: Rect, buf: &mut Buffer) {
    let theme = &app.theme;
    for (index, toast) in app.toasts.iter().enumerate() {
        let y = area.y + index as u16;
        if y >= area.bottom() {
            break;
        }
        let style = toast_style(toast.level, theme);
        let label = text::sanitize(&toast.text).replace('\n', " ");
        let label = text::truncate(&label, usize::from(area.width.saturating_sub(6))).into_owned();
        let line = Line::from(vec![
            Span::styled(format!(" {} ", theme.glyphs.bar), style.bg(theme.selected_bg)),
            Span::styled(format!("{label} "), theme.base().bg(theme.selected_bg)),
        ]);
        let width = (text::line_width(&line) as u16).min(area.width);
        let rect = Rect { x: area.right() - width, y, width, height: 1 };
        Clear.render(rect, buf);
        line.render(rect, buf);
    }
}

fn toast_style(level: Level, theme: &Theme) -> Style {
    match level {
        Level::Info => theme.info(),
        Level::Success => theme.success(),
        Level::Warning => theme.warning(),
        Level::Error => theme.error(),
    }
}

//! The footer: where, with which model, how full, how costly, and whether the relay is there.

use pizzapi_protocol::{MetaTokenUsage, Model};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use crate::tui::text;
use crate::tui::theme::Theme;

/// After this long without a sign of life a link is shown as doubtful.
const LINK_DOUBT_MS: u64 = 15_000;

/// The relay as the session sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Link {
    /// Switched off.
    #[default]
    Off,
    /// No key or address yet.
    NotConfigured,
    Connecting {
        attempt: u32,
    },
    /// `heard_at`: Unix ms of the last sign of life.
    Connected {
        heard_at: u64,
        viewers: Option<u32>,
    },
    Failed(String),
    Ended(String),
}

/// Everything the footer shows.
#[derive(Debug, Clone, Default)]
pub struct Status {
    pub cwd: String,
    pub branch: Option<String>,
    pub session_name: Option<String>,
    pub model: Option<Model>,
    pub many_providers: bool,
    pub thinking: Option<String>,
    pub auth_source: Option<String>,
    pub usage: Option<MetaTokenUsage>,
    pub context_tokens: Option<u64>,
    pub link: Link,
    pub plan_mode: bool,
    pub yolo: bool,
    pub safe_mode: bool,
    pub background_shells: usize,
    pub goal: Option<String>,
}

pub fn lines(status: &Status, width: usize, now: u64, theme: &Theme) -> [Line<'static>; 2] {
    [place(status, width, theme), figures(status, width, now, theme)]
}

fn place(status: &Status, width: usize, theme: &Theme) -> Line<'static> {
    let mut right = Vec::new();
    match &status.model {
        Some(model) => {
            if status.many_providers {
                right.push(Span::styled(format!("{} ", model.provider), theme.faint()));
            }
            right.push(Span::styled(model.id.clone(), theme.base()));
            if model.reasoning == Some(true)
                && let Some(level) = &status.thinking
            {
                right.push(Span::styled(format!(" {} ", theme.glyphs.separator), theme.faint()));
                let label = if level == "off" { "thinking off".to_owned() } else { level.clone() };
                right.push(Span::styled(label, Style::new().fg(theme.thinking_level(level))));
            }
        }
        None => right.push(Span::styled("no model", theme.warning())),
    }
    let right = Line::from(right);
    let room = width.saturating_sub(text::line_width(&right) + 2);
    let mut place = status.cwd.clone();
    if let Some(branch) = &status.branch {
        place.push_str(&format!(" {} {branch}", theme.glyphs.branch));
    }
    let name = status.session_name.as_deref().map(text::sanitize);
    let name_room = name.as_ref().map_or(0, |name| (text::width(name) + 3).min(room / 2));
    let mut left = vec![Span::styled(
        text::truncate_middle(&place, room.saturating_sub(name_room)).into_owned(),
        theme.muted(),
    )];
    if let Some(name) = name.filter(|_| name_room > 5) {
        left.push(Span::styled(format!(" {} ", theme.glyphs.separator), theme.faint()));
        left.push(Span::styled(text::truncate(&name, name_room - 3).into_owned(), theme.accent()));
    }
    text::spread(Line::from(left), right, width)
}

fn figures(status: &Status, width: usize, now: u64, theme: &Theme) -> Line<'static> {
    let mut left: Vec<Span<'static>> = Vec::new();
    if let Some(usage) = &status.usage {
        let parts = [
            (theme.glyphs.up, usage.input),
            (theme.glyphs.down, usage.output),
            ("R", usage.cache_read),
            ("W", usage.cache_write),
        ];
        for (label, tokens) in parts.into_iter().filter(|(_, tokens)| *tokens > 0) {
            left.push(Span::styled(format!("{label}{} ", text::compact_count(tokens)), theme.muted()));
        }
        if usage.cost > 0.0 {
            let subscription = status.auth_source.as_deref() == Some("oauth");
            let note = if subscription { " (sub)" } else { "" };
            left.push(Span::styled(format!("${:.3}{note} ", usage.cost), theme.muted()));
        }
    }
    if let Some(window) = status.model.as_ref().and_then(|model| model.context_window).filter(|window| *window > 0) {
        let (percent, style) = match status.context_tokens {
            Some(tokens) => {
                let percent = tokens as f64 * 100.0 / window as f64;
                let style = match percent {
                    p if p < 50.0 => theme.faint(),
                    p if p < 70.0 => theme.muted(),
                    p if p < 90.0 => theme.warning(),
                    _ => theme.error(),
                };
                (format!("{percent:.1}%"), style)
            }
            None if status.usage.is_some() => ("?".to_owned(), theme.faint()),
            None => ("0.0%".to_owned(), theme.faint()),
        };
        left.push(Span::styled(format!("{percent}/{}", text::compact_count(window)), style));
    }
    let mut flag = |label: String, style: Style| {
        if !left.is_empty() {
            left.push(Span::raw("  "));
        }
        left.push(Span::styled(label, style.add_modifier(Modifier::BOLD)));
    };
    if status.plan_mode {
        flag("PLAN".to_owned(), theme.info());
    }
    if status.yolo {
        flag("YOLO".to_owned(), theme.error());
    }
    if status.safe_mode {
        flag("SAFE".to_owned(), theme.success());
    }
    match status.background_shells {
        0 => {}
        1 => flag("1 bg shell".to_owned(), theme.warning()),
        more => flag(format!("{more} bg shells"), theme.warning()),
    }
    if let Some(goal) = &status.goal {
        flag(format!("goal: {}", text::truncate(goal, 24)), theme.accent());
    }
    text::spread(Line::from(left), link(&status.link, now, theme), width)
}

fn link(link: &Link, now: u64, theme: &Theme) -> Line<'static> {
    let light = |style: Style, label: String| {
        Line::from(vec![
            Span::styled(format!("{} ", theme.glyphs.bullet), style),
            Span::styled(label, style),
        ])
    };
    match link {
        Link::Off => Line::default(),
        Link::NotConfigured => light(theme.faint(), "relay not set up (/remote)".to_owned()),
        Link::Connecting { attempt: 0 | 1 } => light(theme.warning(), "connecting to relay".to_owned()),
        Link::Connecting { attempt } => light(theme.warning(), format!("reconnecting to relay, attempt {attempt}")),
        Link::Connected { heard_at, viewers } => {
            let age = now.saturating_sub(*heard_at);
            if age >= LINK_DOUBT_MS {
                return light(theme.warning(), format!("relay silent for {}", text::duration(age)));
            }
            let seen = match viewers {
                Some(1) => ", 1 viewer".to_owned(),
                Some(count) if *count > 0 => format!(", {count} viewers"),
                _ => String::new(),
            };
            light(theme.success(), format!("relay{seen}"))
        }
        Link::Failed(reason) => light(theme.error(), format!("relay: {reason}")),
        Link::Ended(reason) => light(theme.faint(), format!("relay: {reason}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(line: &Line<'_>) -> String {
        line.spans.iter().map(|span| span.content.as_ref()).collect()
    }

    fn status() -> Status {
        let mut model = Model::new("anthropic", "claude-opus-4-8");
        model.reasoning = Some(true);
        model.context_window = Some(200_000);
        Status {
            cwd: "~/src/pizza".into(),
            branch: Some("main".into()),
            session_name: Some("Fix the oven".into()),
            model: Some(model),
            thinking: Some("high".into()),
            usage: Some(MetaTokenUsage {
                input: 1_234,
                output: 56_789,
                cache_read: 1_200_000,
                cache_write: 0,
                cost: 0.1234,
                context_tokens: Default::default(),
            }),
            context_tokens: Some(50_000),
            link: Link::Connected { heard_at: 1_000, viewers: Some(2) },
            ..Status::default()
        }
    }

    #[test]
    fn the_footer_says_where_and_how_much() {
        let [place, figures] = lines(&status(), 80, 2_000, &Theme::dark());
        assert_eq!(row(&place), "~/src/pizza ⎇ main · Fix the oven                         claude-opus-4-8 · high");
        assert_eq!(row(&figures), "↑1.2k ↓56k R1.2M $0.123 25.0%/200k                            ● relay, 2 viewers");
    }

    #[test]
    fn a_silent_relay_is_shown_with_its_age() {
        let [_, figures] = lines(&status(), 80, 21_000, &Theme::dark());
        assert!(row(&figures).ends_with("● relay silent for 20s"));
    }

    #[test]
    fn narrow_screens_keep_the_model() {
        let [place, _] = lines(&status(), 30, 0, &Theme::dark());
        assert!(row(&place).ends_with("claude-opus-4-8 · high"));
        assert!(text::line_width(&place) <= 30);
    }
}

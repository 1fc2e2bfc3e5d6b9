//! The footer: where, with which model, how full, how costly, and whether the relay is there.

use pizzapi_protocol::Model;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use crate::tui::event::Usage;
use crate::tui::text;
use crate::tui::theme::Theme;

/// A link that is away for longer is shown in red.
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
        /// Unix ms since when there is no connection.
        since: u64,
        /// Unix ms of the next attempt.
        retry_at: Option<u64>,
    },
    Connected {
        viewers: u32,
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
    pub usage: Option<Usage>,
    pub context_tokens: Option<u64>,
    pub link: Link,
    pub plan_mode: bool,
    pub yolo: bool,
    pub safe_mode: bool,
    pub demo: bool,
    pub background_shells: usize,
    pub subagents: usize,
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
    let mut left =
        vec![Span::styled(text::truncate_middle(&place, room.saturating_sub(name_room)).into_owned(), theme.muted())];
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
            let more = if usage.cost_incomplete { "+?" } else { "" };
            let note = if subscription { " (sub)" } else { "" };
            left.push(Span::styled(format!("${:.3}{more}{note} ", usage.cost), theme.muted()));
        } else if usage.cost_incomplete {
            left.push(Span::styled("$? ", theme.muted()));
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
    if status.demo {
        flag("DEMO".to_owned(), theme.warning());
    }
    if status.safe_mode {
        flag("SAFE".to_owned(), theme.success());
    }
    match status.background_shells {
        0 => {}
        1 => flag("1 bg shell".to_owned(), theme.warning()),
        more => flag(format!("{more} bg shells"), theme.warning()),
    }
    match status.subagents {
        0 => {}
        1 => flag("1 sub-agent".to_owned(), theme.info()),
        more => flag(format!("{more} sub-agents"), theme.info()),
    }
    if let Some(goal) = &status.goal {
        flag(format!("goal: {}", text::truncate(goal, 24)), theme.accent());
    }
    text::spread(Line::from(left), link(&status.link, now, theme), width)
}

fn link(link: &Link, now: u64, theme: &Theme) -> Line<'static> {
    let light = |style: Style, label: String| {
        Line::from(vec![Span::styled(format!("{} ", theme.glyphs.bullet), style), Span::styled(label, style)])
    };
    match link {
        Link::Off => Line::default(),
        Link::NotConfigured => light(theme.faint(), "relay not set up (/remote)".to_owned()),
        Link::Connecting { attempt, since, retry_at } => {
            let gone = now.saturating_sub(*since);
            let label = match (attempt, retry_at) {
                (0 | 1, _) if gone < LINK_DOUBT_MS => "connecting to relay".to_owned(),
                (_, Some(at)) if *at > now => {
                    let seconds = (at - now).div_ceil(1000);
                    format!("relay away for {}, next try in {seconds}s", text::duration(gone))
                }
                _ => format!("relay away for {}, trying", text::duration(gone)),
            };
            light(if gone < LINK_DOUBT_MS { theme.warning() } else { theme.error() }, label)
        }
        Link::Connected { viewers } => {
            let seen = match viewers {
                0 => String::new(),
                1 => ", 1 viewer".to_owned(),
                count => format!(", {count} viewers"),
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
            usage: Some(Usage {
                input: 1_234,
                output: 56_789,
                cache_read: 1_200_000,
                cost: 0.1234,
                ..Usage::default()
            }),
            context_tokens: Some(50_000),
            link: Link::Connected { viewers: 2 },
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
    fn a_lost_relay_is_shown_with_its_age() {
        let link = Link::Connecting { attempt: 3, since: 1_000, retry_at: Some(23_500) };
        let [_, figures] = lines(&Status { link, ..status() }, 90, 21_000, &Theme::dark());
        assert!(row(&figures).ends_with("● relay away for 20s, next try in 3s"), "{}", row(&figures));
    }

    #[test]
    fn narrow_screens_keep_the_model() {
        let [place, _] = lines(&status(), 30, 0, &Theme::dark());
        assert!(row(&place).ends_with("claude-opus-4-8 · high"));
        assert!(text::line_width(&place) <= 30);
    }
}

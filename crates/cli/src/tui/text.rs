//! Widths, wrapping and cutting of styled text. Everything here counts terminal cells, not characters.

use std::borrow::Cow;

use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Columns a tab stands for in shown text.
const TAB: &str = "    ";

pub fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.width() }
}

pub fn line_width(line: &Line<'_>) -> usize {
    line.spans.iter().map(|span| width(&span.content)).sum()
}

/// Makes foreign text safe to show: tabs become spaces, control characters and escape sequences disappear.
pub fn sanitize(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|c| (c.is_control() && c != '\n') || is_invisible_direction(c)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\n' => out.push('\n'),
            '\t' => out.push_str(TAB),
            '\u{1b}' => skip_escape(&mut chars),
            c if c.is_control() || is_invisible_direction(c) => {}
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Bidirectional overrides can make a command read differently from what will run.
fn is_invisible_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn skip_escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.peek() {
        Some('[') => {
            chars.next();
            for c in chars.by_ref() {
                if ('\u{40}'..='\u{7e}').contains(&c) {
                    break;
                }
            }
        }
        Some(']' | 'P' | '_' | '^') => {
            chars.next();
            while let Some(c) = chars.next() {
                if c == '\u{7}' {
                    break;
                }
                if c == '\u{1b}' {
                    chars.next_if_eq(&'\\');
                    break;
                }
            }
        }
        Some(_) => {
            chars.next();
        }
        None => {}
    }
}

/// Cuts to `max` columns, marking the cut at the end.
pub fn truncate(text: &str, max: usize) -> Cow<'_, str> {
    if width(text) <= max {
        return Cow::Borrowed(text);
    }
    if max == 0 {
        return Cow::Borrowed("");
    }
    let mut out = String::new();
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        let w = width(grapheme);
        if used + w > max - 1 {
            break;
        }
        used += w;
        out.push_str(grapheme);
    }
    out.push('…');
    Cow::Owned(out)
}

/// Cuts to `max` columns in the middle, so that both ends of a path stay readable.
pub fn truncate_middle(text: &str, max: usize) -> Cow<'_, str> {
    if width(text) <= max {
        return Cow::Borrowed(text);
    }
    if max <= 3 {
        return truncate(text, max);
    }
    let tail_budget = (max - 1) * 2 / 3;
    let head_budget = max - 1 - tail_budget;
    let mut head = String::new();
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        let w = width(grapheme);
        if used + w > head_budget {
            break;
        }
        used += w;
        head.push_str(grapheme);
    }
    let mut tail: Vec<&str> = Vec::new();
    used = 0;
    for grapheme in text.graphemes(true).rev() {
        let w = width(grapheme);
        if used + w > tail_budget {
            break;
        }
        used += w;
        tail.push(grapheme);
    }
    tail.reverse();
    Cow::Owned(format!("{head}…{}", tail.concat()))
}

/// Cuts a styled line to `max` columns.
pub fn truncate_line(line: Line<'static>, max: usize) -> Line<'static> {
    if line_width(&line) <= max {
        return line;
    }
    let mut spans = Vec::new();
    let mut left = max;
    for span in line.spans {
        let w = width(&span.content);
        if w < left {
            left -= w;
            spans.push(span);
        } else {
            // One column is kept for the mark: this span and whatever follows does not fit.
            spans.push(Span::styled(truncate_marked(&span.content, left), span.style));
            break;
        }
    }
    Line { spans, ..Line::default() }.style(line.style)
}

fn truncate_marked(text: &str, max: usize) -> String {
    if width(text) < max {
        return format!("{text}…");
    }
    let mut cut = String::new();
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        let w = width(grapheme);
        if used + w + 1 > max {
            break;
        }
        used += w;
        cut.push_str(grapheme);
    }
    if max > 0 {
        cut.push('…');
    }
    cut
}

/// Where lines may break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// At spaces; words longer than a line are cut.
    Words,
    /// Anywhere: for code and program output, whose spaces matter.
    Anywhere,
}

/// Wraps one styled line to `max` columns; continuation lines start with `indent`, whose width counts.
pub fn wrap(line: Line<'static>, max: usize, indent: &[Span<'static>], at: Break) -> Vec<Line<'static>> {
    let max = max.max(1);
    if line_width(&line) <= max {
        return vec![line];
    }
    let line_style = line.style;
    let mut cells: Vec<(&str, usize, Style)> = Vec::new();
    for span in &line.spans {
        for grapheme in span.content.graphemes(true) {
            cells.push((grapheme, width(grapheme), span.style));
        }
    }
    let indent_width: usize = indent.iter().map(|span| width(&span.content)).sum();
    // An indent that leaves no room is dropped rather than looping for ever.
    let (indent, indent_width) = if indent_width + 2 > max { (&[][..], 0) } else { (indent, indent_width) };

    let mut out = Vec::new();
    let mut start = 0;
    while start < cells.len() {
        let budget = if out.is_empty() { max } else { max - indent_width };
        let mut end = start;
        let mut used = 0;
        let mut last_space = None;
        while end < cells.len() && used + cells[end].1 <= budget {
            if at == Break::Words && cells[end].0 == " " {
                last_space = Some(end);
            }
            used += cells[end].1;
            end += 1;
        }
        if end == start {
            end = start + 1; // a glyph wider than the whole line
        }
        let mut next = end;
        if end < cells.len() && at == Break::Words {
            if cells[end].0 == " " {
                next = end + 1;
            } else if let Some(space) = last_space.filter(|space| *space > start) {
                end = space;
                next = space + 1;
            }
        }
        let mut spans: Vec<Span<'static>> = if out.is_empty() { Vec::new() } else { indent.to_vec() };
        push_cells(&mut spans, &cells[start..end]);
        out.push(Line { spans, ..Line::default() }.style(line_style));
        start = next;
    }
    out
}

fn push_cells(spans: &mut Vec<Span<'static>>, cells: &[(&str, usize, Style)]) {
    let mut index = 0;
    while index < cells.len() {
        let style = cells[index].2;
        let run = cells[index..].iter().take_while(|cell| cell.2 == style).count();
        let content: String = cells[index..index + run].iter().map(|cell| cell.0).collect();
        spans.push(Span::styled(content, style));
        index += run;
    }
}

/// Wraps plain text, keeping its own line breaks.
pub fn wrap_plain(text: &str, max: usize, style: Style, at: Break) -> Vec<Line<'static>> {
    text.split('\n').flat_map(|line| wrap(Line::from(Span::styled(line.to_owned(), style)), max, &[], at)).collect()
}

/// Rows plain text needs at a width.
pub fn rows(text: &str, max: u16) -> u16 {
    wrap_plain(text, usize::from(max), Style::default(), Break::Words).len().min(usize::from(u16::MAX)) as u16
}

/// Puts `prefix` before a line.
pub fn prefixed(mut line: Line<'static>, prefix: Span<'static>) -> Line<'static> {
    line.spans.insert(0, prefix);
    line
}

/// Gives a line a background that reaches the right edge.
pub fn filled(mut line: Line<'static>, max: usize, style: Style) -> Line<'static> {
    let used = line_width(&line);
    for span in &mut line.spans {
        if span.style.bg.is_none() {
            span.style = style.patch(span.style);
        }
    }
    if used < max {
        line.spans.push(Span::styled(" ".repeat(max - used), style));
    }
    line
}

/// `left` and `right` on one row; the left part yields.
pub fn spread(left: Line<'static>, right: Line<'static>, max: usize) -> Line<'static> {
    let right_width = line_width(&right);
    if right_width >= max {
        return truncate_line(right, max);
    }
    let gap = if right_width == 0 { 0 } else { 2 };
    let room = max - right_width;
    let left = truncate_line(left, room.saturating_sub(gap));
    let space = room - line_width(&left);
    let mut spans = left.spans;
    spans.push(Span::raw(" ".repeat(space)));
    spans.extend(right.spans);
    Line::from(spans)
}

/// `1`, `12.3k`, `456k`, `1.2M`, as in the status line.
pub fn compact_count(value: u64) -> String {
    match value {
        0..1_000 => value.to_string(),
        1_000..10_000 => format!("{:.1}k", value as f64 / 1_000.0),
        10_000..1_000_000 => format!("{}k", value / 1_000),
        1_000_000..10_000_000 => format!("{:.1}M", value as f64 / 1_000_000.0),
        _ => format!("{}M", value / 1_000_000),
    }
}

/// `0.4s`, `12s`, `3m 05s`, `1h 02m`.
pub fn duration(ms: u64) -> String {
    match ms {
        0..10_000 => format!("{:.1}s", ms as f64 / 1000.0),
        10_000..60_000 => format!("{}s", ms / 1000),
        60_000..3_600_000 => format!("{}m {:02}s", ms / 60_000, ms / 1000 % 60),
        _ => format!("{}h {:02}m", ms / 3_600_000, ms / 60_000 % 60),
    }
}

/// `~`-relative form of a path.
pub fn tilde(path: &str, home: Option<&str>) -> String {
    match home {
        Some(home) if path == home => "~".to_owned(),
        Some(home) if !home.is_empty() => match path.strip_prefix(home) {
            Some(rest) if rest.starts_with('/') => format!("~{rest}"),
            _ => path.to_owned(),
        },
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(lines: &[Line<'_>]) -> Vec<String> {
        lines.iter().map(|line| line.spans.iter().map(|span| span.content.as_ref()).collect()).collect()
    }

    #[test]
    fn words_move_whole_and_long_words_are_cut() {
        let lines = wrap(Line::from("the quick brownfoxjumps over"), 10, &[], Break::Words);
        assert_eq!(texts(&lines), ["the quick", "brownfoxju", "mps over"]);
    }

    #[test]
    fn continuation_lines_are_indented() {
        let lines = wrap(Line::from("- one two three"), 8, &[Span::raw("  ")], Break::Words);
        assert_eq!(texts(&lines), ["- one", "  two", "  three"]);
    }

    #[test]
    fn wide_characters_never_straddle_the_edge() {
        let lines = wrap(Line::from("日本語テキスト"), 5, &[], Break::Anywhere);
        assert_eq!(texts(&lines), ["日本", "語テ", "キス", "ト"]);
    }

    #[test]
    fn escape_sequences_and_direction_overrides_are_removed() {
        assert_eq!(sanitize("a\u{1b}[31mb\u{1b}]0;title\u{7}c\td\u{202e}e"), "abc    de");
    }

    #[test]
    fn the_middle_of_a_long_path_gives_way() {
        assert_eq!(truncate_middle("/home/ana/projects/pizza/src/main.rs", 20), "/home/a…/src/main.rs");
    }

    #[test]
    fn the_left_part_yields_to_the_right_one() {
        let line = spread(Line::from("a long left part"), Line::from("right"), 14);
        assert_eq!(texts(&[line]), ["a long…  right"]);
    }

    proptest! {
        #[test]
        fn wrapped_lines_fit_and_lose_nothing_but_spaces(text in "[a-zé日 ]{0,60}", max in 2usize..20) {
            let lines = wrap(Line::from(text.clone()), max, &[], Break::Words);
            for line in &lines {
                prop_assert!(line_width(line) <= max);
            }
            let joined: String = texts(&lines).concat().replace(' ', "");
            prop_assert_eq!(joined, text.replace(' ', ""));
        }
    }
}

//! Changes to a file as coloured rows with line numbers.

use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use similar::{ChangeTag, TextDiff};

use crate::tui::markdown::code::CodeHighlighter;
use crate::tui::text::{self, Break};
use crate::tui::theme::Theme;

/// Above this many changed lines the changed words are no longer searched.
const MAX_INLINE_PAIRS: usize = 400;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Added,
    Removed,
    Same,
    /// Lines left out between two hunks.
    Gap,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiffLine {
    pub change: Change,
    /// Line number in the new file, or in the old one for removed lines.
    pub number: Option<usize>,
    pub text: String,
}

/// Reads a unified patch of one file.
pub fn from_patch(patch: &str) -> Vec<DiffLine> {
    let mut lines = Vec::new();
    let (mut old, mut new) = (0, 0);
    let mut in_hunk = false;
    for line in patch.lines() {
        if let Some(header) = line.strip_prefix("@@") {
            if let Some((from, to)) = hunk_starts(header) {
                if in_hunk {
                    lines.push(DiffLine { change: Change::Gap, number: None, text: String::new() });
                }
                (old, new, in_hunk) = (from, to, true);
            }
            continue;
        }
        if !in_hunk || line.starts_with('\\') {
            continue;
        }
        let (change, rest) = match line.as_bytes().first() {
            Some(b'+') => (Change::Added, &line[1..]),
            Some(b'-') => (Change::Removed, &line[1..]),
            Some(b' ') => (Change::Same, &line[1..]),
            _ => (Change::Same, line),
        };
        let number = if change == Change::Removed { old } else { new };
        lines.push(DiffLine { change, number: Some(number), text: rest.to_owned() });
        old += usize::from(change != Change::Added);
        new += usize::from(change != Change::Removed);
    }
    lines
}

fn hunk_starts(header: &str) -> Option<(usize, usize)> {
    let mut parts = header.split_whitespace();
    let start = |part: &str| part[1..].split(',').next()?.parse().ok();
    let old = parts.next().filter(|part| part.starts_with('-')).and_then(start)?;
    let new = parts.next().filter(|part| part.starts_with('+')).and_then(start)?;
    Some((old, new))
}

/// Reads the display form: sign, right-aligned number, text; `...` between hunks.
pub fn from_display(diff: &str) -> Vec<DiffLine> {
    diff.lines()
        .filter_map(|line| {
            let change = match line.as_bytes().first()? {
                b'+' => Change::Added,
                b'-' => Change::Removed,
                b' ' => Change::Same,
                _ => return None,
            };
            let rest = line[1..].trim_start();
            if rest == "..." {
                return Some(DiffLine { change: Change::Gap, number: None, text: String::new() });
            }
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let body = &rest[digits..];
            let text = body.strip_prefix(' ').unwrap_or(body).to_owned();
            Some(DiffLine { change, number: rest[..digits].parse().ok(), text })
        })
        .collect()
}

/// Compares two texts whose place in the file is not known.
pub fn from_texts(old: &str, new: &str) -> Vec<DiffLine> {
    let diff = TextDiff::from_lines(old, new);
    let mut lines = Vec::new();
    for (index, group) in diff.grouped_ops(3).iter().enumerate() {
        if index > 0 {
            lines.push(DiffLine { change: Change::Gap, number: None, text: String::new() });
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let kind = match change.tag() {
                ChangeTag::Insert => Change::Added,
                ChangeTag::Delete => Change::Removed,
                ChangeTag::Equal => Change::Same,
            };
            let text = change.value().trim_end_matches(['\n', '\r']).to_owned();
            lines.push(DiffLine { change: kind, number: None, text });
        }
    }
    lines
}

/// Lines added and removed.
pub fn counts(lines: &[DiffLine]) -> (usize, usize) {
    let count = |change| lines.iter().filter(|line| line.change == change).count();
    (count(Change::Added), count(Change::Removed))
}

/// Renders rows of at most `width` columns, each filled to the edge with the colour of its change.
pub fn render(lines: &[DiffLine], language: &str, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let digits = lines.iter().filter_map(|line| line.number).max().map_or(0, |number| number.to_string().len());
    let emphasis = changed_words(lines);
    // Two parsers, because removed and added lines belong to different texts.
    let mut old_code = CodeHighlighter::new(language);
    let mut new_code = CodeHighlighter::new(language);
    let mut out = Vec::with_capacity(lines.len());
    for (index, line) in lines.iter().enumerate() {
        if line.change == Change::Gap {
            let dots = format!("{:>digits$} {}", "", theme.glyphs.ellipsis);
            out.push(Line::from(Span::styled(dots, theme.faint())));
            old_code = CodeHighlighter::new(language);
            new_code = CodeHighlighter::new(language);
            continue;
        }
        let (sign, sign_style, background, strong) = match line.change {
            Change::Added => ("+", Style::new().fg(theme.added), Some(theme.added_bg), theme.added_strong_bg),
            Change::Removed => ("-", Style::new().fg(theme.removed), Some(theme.removed_bg), theme.removed_strong_bg),
            _ => (" ", theme.faint(), None, theme.panel_bg),
        };
        let spans = match line.change {
            Change::Removed => old_code.line(&line.text, theme),
            Change::Added => new_code.line(&line.text, theme),
            _ => {
                old_code.line(&line.text, theme);
                new_code.line(&line.text, theme)
            }
        };
        let spans = match emphasis.get(index).filter(|ranges| !ranges.is_empty()) {
            Some(ranges) => emphasize(spans, ranges, |style| {
                if theme.has_color() { style.bg(strong) } else { style.add_modifier(Modifier::REVERSED) }
            }),
            None => spans,
        };
        let number = line.number.map_or_else(String::new, |number| number.to_string());
        let mut gutter = Vec::new();
        let mut indent = String::new();
        if digits > 0 {
            gutter.push(Span::styled(format!("{number:>digits$} "), theme.faint()));
            indent.push_str(&" ".repeat(digits + 1));
        }
        gutter.push(Span::styled(format!("{sign} "), sign_style));
        indent.push_str("  ");
        gutter.extend(spans);
        for row in text::wrap(Line::from(gutter), width, &[Span::raw(indent)], Break::Anywhere) {
            out.push(match background.filter(|_| theme.has_color()) {
                Some(background) => text::filled(row, width, Style::new().bg(background)),
                None => row,
            });
        }
    }
    out
}

/// For each line the character ranges that differ from its counterpart. Only runs with as many removed as added lines
/// are compared: in others a pairing would be a guess.
fn changed_words(lines: &[DiffLine]) -> Vec<Vec<(usize, usize)>> {
    let mut out = vec![Vec::new(); lines.len()];
    let mut index = 0;
    let mut pairs = 0;
    while index < lines.len() {
        let removed = lines[index..].iter().take_while(|line| line.change == Change::Removed).count();
        if removed == 0 {
            index += 1;
            continue;
        }
        let added = lines[index + removed..].iter().take_while(|line| line.change == Change::Added).count();
        if removed == added {
            for offset in 0..removed {
                pairs += 1;
                if pairs > MAX_INLINE_PAIRS {
                    return out;
                }
                let (old, new) = (index + offset, index + removed + offset);
                let (from, to) = differing(&lines[old].text, &lines[new].text);
                out[old] = from;
                out[new] = to;
            }
        }
        index += removed + added;
    }
    out
}

type Ranges = Vec<(usize, usize)>;

fn differing(old: &str, new: &str) -> (Ranges, Ranges) {
    let diff = TextDiff::from_words(old, new);
    // Lines that share little are simply different; marking all of it marks nothing.
    if diff.ratio() < 0.4 {
        return (Vec::new(), Vec::new());
    }
    let (mut from, mut to) = (Vec::new(), Vec::new());
    let (mut at_old, mut at_new) = (0, 0);
    for change in diff.iter_all_changes() {
        let length = change.value().len();
        match change.tag() {
            ChangeTag::Equal => {
                at_old += length;
                at_new += length;
            }
            ChangeTag::Delete => {
                from.push((at_old, at_old + length));
                at_old += length;
            }
            ChangeTag::Insert => {
                to.push((at_new, at_new + length));
                at_new += length;
            }
        }
    }
    (from, to)
}

/// Applies `mark` to byte ranges of a line that was split into spans. Ranges count in the original text; tabs that
/// became spaces shift them, so lines with tabs stay unmarked.
fn emphasize(
    spans: Vec<Span<'static>>,
    ranges: &[(usize, usize)],
    mark: impl Fn(Style) -> Style,
) -> Vec<Span<'static>> {
    let total: usize = spans.iter().map(|span| span.content.len()).sum();
    if ranges.iter().any(|(_, end)| *end > total) {
        return spans;
    }
    let mut out = Vec::new();
    let mut offset = 0;
    for span in spans {
        let content = span.content.as_ref();
        let mut cuts = vec![0, content.len()];
        for (start, end) in ranges {
            for edge in [start, end] {
                if *edge > offset && *edge < offset + content.len() && content.is_char_boundary(*edge - offset) {
                    cuts.push(*edge - offset);
                }
            }
        }
        cuts.sort_unstable();
        cuts.dedup();
        for pair in cuts.windows(2) {
            let inside = ranges.iter().any(|(start, end)| offset + pair[0] >= *start && offset + pair[1] <= *end);
            let style = if inside { mark(span.style) } else { span.style };
            out.push(Span::styled(content[pair[0]..pair[1]].to_owned(), style));
        }
        offset += content.len();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str = "--- a/x.rs\n+++ b/x.rs\n@@ -3,3 +3,4 @@ fn main\n fn a() {\n-    one(1);\n+    one(2);\n+    two();\n }\n@@ -20 +21 @@\n-x\n+y\n";

    #[test]
    fn a_patch_gets_numbers_and_gaps() {
        let lines = from_patch(PATCH);
        let shown: Vec<_> = lines.iter().map(|line| (line.change, line.number, line.text.as_str())).collect();
        assert_eq!(
            shown,
            [
                (Change::Same, Some(3), "fn a() {"),
                (Change::Removed, Some(4), "    one(1);"),
                (Change::Added, Some(4), "    one(2);"),
                (Change::Added, Some(5), "    two();"),
                (Change::Same, Some(6), "}"),
                (Change::Gap, None, ""),
                (Change::Removed, Some(20), "x"),
                (Change::Added, Some(21), "y"),
            ]
        );
        assert_eq!(counts(&lines), (3, 2));
    }

    #[test]
    fn the_display_form_is_read_back() {
        let lines = from_display("  9 let a;\n-10 old\n+10 new\n    ...\n");
        let shown: Vec<_> = lines.iter().map(|line| (line.change, line.number, line.text.as_str())).collect();
        assert_eq!(
            shown,
            [
                (Change::Same, Some(9), "let a;"),
                (Change::Removed, Some(10), "old"),
                (Change::Added, Some(10), "new"),
                (Change::Gap, None, ""),
            ]
        );
    }

    #[test]
    fn only_the_changed_word_is_marked() {
        let (from, to) = differing("let total = one(1);", "let total = two(1);");
        assert_eq!(from.len(), 1);
        assert_eq!(&"let total = two(1);"[to[0].0..to[0].1], "two(1);");
    }

    #[test]
    fn rows_fill_the_width_and_wrap_under_the_text() {
        let theme = Theme::dark();
        let lines = from_patch("@@ -1 +1 @@\n-short\n+a line that is longer than the width\n");
        let rows = render(&lines, "", 20, &theme);
        assert!(rows.iter().all(|row| text::line_width(row) == 20));
        assert!(rows.len() > 2);
    }
}

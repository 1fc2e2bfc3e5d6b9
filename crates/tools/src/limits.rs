//! How much a model gets to read at once, and how the rest is announced.

/// Lines of one tool result: some screens of code, far below what would crowd a context.
pub const MAX_LINES: usize = 2000;
/// Bytes of one tool result, for files whose lines are long.
pub const MAX_BYTES: usize = 50 * 1024;

/// A part of a text, cut at line boundaries where possible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    pub text: String,
    /// Lines in `text`.
    pub lines: usize,
    pub total_lines: usize,
    pub total_bytes: usize,
    pub by: Option<CutBy>,
    /// Not even one whole line fitted: `text` is the end of the last line.
    pub partial_line: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CutBy {
    Lines,
    Bytes,
}

impl CutBy {
    pub fn name(self) -> &'static str {
        match self {
            Self::Lines => "lines",
            Self::Bytes => "bytes",
        }
    }
}

impl Cut {
    pub fn is_cut(&self) -> bool {
        self.by.is_some()
    }
}

/// The last lines of `text`, whole ones unless the very last is too long by itself.
pub fn tail(text: &str, max_lines: usize, max_bytes: usize) -> Cut {
    let total_bytes = text.len();
    let lines: Vec<&str> = split_lines(text);
    let total_lines = lines.len();
    if total_lines <= max_lines && total_bytes <= max_bytes {
        return Cut {
            text: text.to_owned(),
            lines: total_lines,
            total_lines,
            total_bytes,
            by: None,
            partial_line: false,
        };
    }
    let mut bytes = 0;
    let mut first = total_lines;
    let mut by = CutBy::Lines;
    while first > 0 && total_lines - first < max_lines {
        let more = lines[first - 1].len() + usize::from(first < total_lines);
        if bytes + more > max_bytes {
            by = CutBy::Bytes;
            break;
        }
        bytes += more;
        first -= 1;
    }
    if first == total_lines {
        let last = lines.last().copied().unwrap_or_default();
        let start = ceil_char_boundary(last, last.len().saturating_sub(max_bytes));
        let text = last[start..].to_owned();
        return Cut { text, lines: 1, total_lines, total_bytes, by: Some(CutBy::Bytes), partial_line: true };
    }
    let text = lines[first..].join("\n");
    Cut { text, lines: total_lines - first, total_lines, total_bytes, by: Some(by), partial_line: false }
}

/// Whole lines from the beginning of `text` up to `max_bytes`.
pub fn head(text: &str, max_bytes: usize) -> (&str, bool) {
    if text.len() <= max_bytes {
        return (text, false);
    }
    let end = floor_char_boundary(text, max_bytes);
    let end = text[..end].rfind('\n').unwrap_or(end);
    (&text[..end], true)
}

/// Lines without their ends; a final newline does not begin another line.
pub fn split_lines(text: &str) -> Vec<&str> {
    if text.is_empty() {
        return Vec::new();
    }
    text.strip_suffix('\n').unwrap_or(text).split('\n').collect()
}

pub(crate) fn floor_char_boundary(text: &str, mut index: usize) -> usize {
    index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index -= 1;
    }
    index
}

pub(crate) fn ceil_char_boundary(text: &str, mut index: usize) -> usize {
    index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index += 1;
    }
    index
}

/// `51200` → `50KB`.
pub fn size(bytes: usize) -> String {
    match bytes {
        0..1024 => format!("{bytes}B"),
        1024..1_048_576 => format!("{:.1}KB", bytes as f64 / 1024.0).replace(".0KB", "KB"),
        _ => format!("{:.1}MB", bytes as f64 / 1_048_576.0).replace(".0MB", "MB"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_text_is_left_alone() {
        let cut = tail("a\nb\n", 10, 100);
        assert_eq!((cut.text.as_str(), cut.lines, cut.by), ("a\nb\n", 2, None));
    }

    #[test]
    fn the_tail_keeps_whole_lines() {
        let cut = tail("1\n2\n3\n4\n", 2, 100);
        assert_eq!((cut.text.as_str(), cut.lines, cut.total_lines, cut.by), ("3\n4", 2, 4, Some(CutBy::Lines)));
        let cut = tail("aaaa\nbbbb\ncccc", 100, 9);
        assert_eq!((cut.text.as_str(), cut.by), ("bbbb\ncccc", Some(CutBy::Bytes)));
    }

    #[test]
    fn one_endless_line_is_cut_within_between_characters() {
        let cut = tail(&"é".repeat(100), 10, 11);
        assert!(cut.partial_line);
        assert_eq!(cut.text, "é".repeat(5));
    }

    #[test]
    fn sizes_are_short() {
        assert_eq!((size(12), size(51_200), size(1_600_000)), ("12B".into(), "50KB".into(), "1.5MB".into()));
    }
}

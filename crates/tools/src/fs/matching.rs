//! Finding text in a file that was copied by a model: first as it is, then with the differences that models make.

use unicode_normalization::UnicodeNormalization as _;
use unicode_segmentation::UnicodeSegmentation as _;

use crate::paths::is_odd_space;

/// A changed view of a text that knows where each of its bytes came from.
pub(crate) struct View {
    pub text: String,
    /// For every byte of `text`, and its end, the offset in the original.
    origin: Vec<usize>,
}

impl View {
    /// Line ends are `\n`.
    pub fn exact(original: &str) -> Self {
        let mut view =
            Self { text: String::with_capacity(original.len()), origin: Vec::with_capacity(original.len() + 1) };
        let mut chars = original.char_indices().peekable();
        while let Some((offset, c)) = chars.next() {
            // Both bytes of a line end belong to its `\n`, so that a match before it leaves both alone.
            let c = if c == '\r' && chars.next_if(|(_, next)| *next == '\n').is_some() { '\n' } else { c };
            view.push(c, offset);
        }
        view.origin.push(original.len());
        view
    }

    /// Compositions, quotes, dashes and spaces are plain, and lines have no blanks at their ends.
    pub fn plain(original: &str) -> Self {
        let mut view =
            Self { text: String::with_capacity(original.len()), origin: Vec::with_capacity(original.len() + 1) };
        let mut offset = 0;
        for line in original.split_inclusive('\n') {
            let body = line.strip_suffix('\n').map_or(line, |body| body.strip_suffix('\r').unwrap_or(body));
            let kept = body.trim_end_matches(|c: char| c.is_whitespace() || is_odd_space(c));
            for (at, cluster) in kept.grapheme_indices(true) {
                if cluster.is_ascii() {
                    for (index, c) in cluster.char_indices() {
                        view.push(c, offset + at + index);
                    }
                    continue;
                }
                for c in cluster.nfkc() {
                    view.push(plain_char(c), offset + at);
                }
            }
            if line.len() > body.len() {
                view.push('\n', offset + body.len());
            }
            offset += line.len();
        }
        view.origin.push(original.len());
        view
    }

    fn push(&mut self, c: char, origin: usize) {
        self.text.push(c);
        self.origin.extend(std::iter::repeat_n(origin, c.len_utf8()));
    }

    /// The original range behind a range of the view. A match that ends at the end of a line takes that line's removed blanks
    /// with it; a match may not begin or end within what was one character before (`None`).
    pub fn original(&self, start: usize, end: usize) -> Option<(usize, usize)> {
        let splits = |at: usize| at > 0 && at < self.text.len() && self.origin[at] == self.origin[at - 1];
        if splits(start) || splits(end) {
            return None;
        }
        Some((self.origin[start], self.origin[end]))
    }

    /// Where `needle` occurs, without overlaps.
    pub fn find(&self, needle: &str) -> Vec<(usize, usize)> {
        self.text.match_indices(needle).filter_map(|(at, found)| self.original(at, at + found.len())).collect()
    }
}

fn plain_char(c: char) -> char {
    match c {
        '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}' => '\'',
        '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{201f}' => '"',
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        c if is_odd_space(c) => ' ',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exact_view_finds_across_windows_line_ends() {
        let original = "one\r\ntwo\r\nthree";
        let view = View::exact(original);
        assert_eq!(view.text, "one\ntwo\nthree");
        let found = view.find("one\ntwo");
        assert_eq!(found, [(0, 8)]);
        assert_eq!(&original[..8], "one\r\ntwo");
        assert_eq!(view.find("two\n"), [(5, 10)]);
    }

    #[test]
    fn the_plain_view_forgives_what_models_change() {
        let original = "let a = \u{201c}x\u{201d};   \nb \u{2013} c\u{a0}d\ncafe\u{301}\n";
        let view = View::plain(original);
        assert_eq!(view.text, "let a = \"x\";\nb - c d\ncafé\n");
        let (start, end) = view.find("\"x\";\nb - c")[0];
        assert_eq!(&original[start..end], "\u{201c}x\u{201d};   \nb \u{2013} c");
        let (start, end) = view.find("let a = \"x\";")[0];
        assert_eq!(&original[start..end], "let a = \u{201c}x\u{201d};   ");
    }

    #[test]
    fn a_match_never_splits_a_character() {
        // The ligature becomes two letters; half of it cannot be replaced.
        let view = View::plain("a\u{fb01}b");
        assert_eq!(view.text, "afib");
        assert!(view.find("af").is_empty());
        assert_eq!(view.find("fi"), [(1, 4)]);
    }
}

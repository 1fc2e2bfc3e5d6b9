//! What changed, for people and for programs.

use similar::{ChangeTag, TextDiff};

/// Lines around a change.
const CONTEXT: usize = 4;

/// Both forms of a difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    /// `+`, `-` or space, line number, text; `...` between distant changes.
    pub display: String,
    /// Unified.
    pub patch: String,
    /// In the new text, from 1.
    pub first_changed_line: Option<usize>,
}

pub(crate) fn difference(path: &str, old: &str, new: &str) -> Difference {
    let diff = TextDiff::from_lines(old, new);
    let width = old.lines().count().max(new.lines().count()).max(1).to_string().len();
    let mut display = Vec::new();
    let mut first_changed_line = None;
    for (index, group) in diff.grouped_ops(CONTEXT).iter().enumerate() {
        let begins_later = group.first().is_some_and(|op| op.old_range().start > 0);
        if index > 0 || begins_later {
            display.push(format!(" {:width$} ...", ""));
        }
        for op in group {
            if op.tag() != similar::DiffTag::Equal && first_changed_line.is_none() {
                first_changed_line = Some(op.new_range().start + 1);
            }
            for change in diff.iter_changes(op) {
                let (sign, number) = match change.tag() {
                    ChangeTag::Equal => (' ', change.new_index()),
                    ChangeTag::Delete => ('-', change.old_index()),
                    ChangeTag::Insert => ('+', change.new_index()),
                };
                let number = number.map_or(0, |index| index + 1);
                let text = change.value().trim_end_matches(['\n', '\r']);
                display.push(format!("{sign}{number:>width$} {text}"));
            }
        }
        let ends_earlier = group.last().is_some_and(|op| op.old_range().end < diff.old_slices().len());
        if ends_earlier && index + 1 == diff.grouped_ops(CONTEXT).len() {
            display.push(format!(" {:width$} ...", ""));
        }
    }
    let patch = diff.unified_diff().context_radius(CONTEXT).header(path, path).to_string();
    Difference { display: display.join("\n"), patch, first_changed_line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_shown_with_its_surroundings() {
        let old: String = (1..=20).map(|n| format!("line {n}\n")).collect();
        let new = old.replace("line 10\n", "line ten\nand a half\n");
        let difference = difference("a.txt", &old, &new);
        assert_eq!(difference.first_changed_line, Some(10));
        assert_eq!(
            difference.display,
            "    ...\n  6 line 6\n  7 line 7\n  8 line 8\n  9 line 9\n-10 line 10\n+10 line ten\n+11 and a half\n 12 line 11\n 13 line 12\n 14 line 13\n 15 line 14\n    ..."
        );
        assert!(difference.patch.starts_with("--- a.txt\n+++ a.txt\n@@ -6,9 +6,10 @@\n"), "{}", difference.patch);
    }
}

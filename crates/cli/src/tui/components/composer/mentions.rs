//! `@file` while it is being written, and the fuzzy search over the project's files.

use nucleo::pattern::{CaseMatching, Normalization, Pattern};
use nucleo::{Config, Matcher, Utf32Str};

/// Candidates offered at once.
pub const MAX_SHOWN: usize = 20;

/// The mention the cursor is in: where its `@` is (in characters) and what was typed after it.
pub fn at_cursor(line: &str, column: usize) -> Option<(usize, String)> {
    let before: Vec<char> = line.chars().take(column).collect();
    let at = before.iter().rposition(|c| *c == '@')?;
    let query: String = before[at + 1..].iter().collect();
    let starts_word = at == 0 || before[at - 1].is_whitespace() || matches!(before[at - 1], '(' | '[' | '"' | '\'');
    (starts_word && !query.contains(char::is_whitespace)).then_some((at, query))
}

/// Best matches first; without a query shallow paths first, as they came.
pub fn search(files: &[String], query: &str) -> Vec<String> {
    if query.is_empty() {
        let mut shallow: Vec<&String> = files.iter().collect();
        shallow.sort_by_key(|path| (path.trim_end_matches('/').matches('/').count(), !path.ends_with('/')));
        return shallow.into_iter().take(MAX_SHOWN).cloned().collect();
    }
    fuzzy(files, query, |path| path, Config::DEFAULT.match_paths())
        .into_iter()
        .take(MAX_SHOWN)
        .map(|index| files[index].clone())
        .collect()
}

/// Indices of the items that match, best first; ties keep their order.
pub fn fuzzy<T>(items: &[T], query: &str, text: impl Fn(&T) -> &str, config: Config) -> Vec<usize> {
    if query.trim().is_empty() {
        return (0..items.len()).collect();
    }
    let mut matcher = Matcher::new(config);
    let pattern = Pattern::parse(query, CaseMatching::Smart, Normalization::Smart);
    let mut buffer = Vec::new();
    let mut scored: Vec<(u32, usize)> = items
        .iter()
        .enumerate()
        .filter_map(|(index, item)| {
            let score = pattern.score(Utf32Str::new(text(item), &mut buffer), &mut matcher)?;
            Some((score, index))
        })
        .collect();
    scored.sort_by_key(|(score, index)| (std::cmp::Reverse(*score), *index));
    scored.into_iter().map(|(_, index)| index).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mention_begins_a_word() {
        assert_eq!(at_cursor("see @src/ma", 11), Some((4, "src/ma".to_owned())));
        assert_eq!(at_cursor("mail ana@example", 16), None);
        assert_eq!(at_cursor("@a b", 4), None);
    }

    #[test]
    fn file_names_match_before_folders() {
        let files = ["src/tui/mod.rs", "src/main.rs", "docs/manual.md"].map(str::to_owned);
        assert_eq!(search(&files, "main")[0], "src/main.rs");
        assert_eq!(search(&files, "")[0], "src/main.rs");
    }
}

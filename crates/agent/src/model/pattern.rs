//! Which model a person means by a few letters.

use globset::GlobBuilder;

use super::{ModelSpec, ThinkingLevel};

/// A chosen model and the thinking level its suffix asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    pub model: ModelSpec,
    pub thinking: Option<ThinkingLevel>,
}

/// Split a `:level` suffix off. A colon that is part of a model id (`qwen3:8b`) stays.
pub fn split_level(pattern: &str) -> (&str, Option<ThinkingLevel>) {
    match pattern.rsplit_once(':') {
        Some((head, tail)) if !head.is_empty() => match ThinkingLevel::from_word(&tail.to_ascii_lowercase()) {
            Some(level) => (head, Some(level)),
            None => (pattern, None),
        },
        _ => (pattern, None),
    }
}

/// The best match: exact `provider/id`, a unique exact id, else a substring of id or name.
///
/// Among substrings, ids without a date come first, then the highest id. An id several providers have is decided by
/// `preferred` when that leaves one.
pub fn find(models: &[ModelSpec], pattern: &str, preferred: impl Fn(&ModelSpec) -> bool) -> Option<Choice> {
    let (name, thinking) = split_level(pattern.trim());
    if name.is_empty() {
        return None;
    }
    let lower = name.to_lowercase();
    let choice = |model: &ModelSpec| Some(Choice { model: model.clone(), thinking });
    if let Some(model) = models.iter().find(|m| m.key().to_lowercase() == lower) {
        return choice(model);
    }
    let exact: Vec<&ModelSpec> = models.iter().filter(|m| m.id.to_lowercase() == lower).collect();
    if let [model] = exact[..] {
        return choice(model);
    }
    if !exact.is_empty() {
        let usable: Vec<&ModelSpec> = exact.iter().copied().filter(|m| preferred(m)).collect();
        return usable.first().or(exact.first()).and_then(|m| choice(m));
    }
    let mut matches: Vec<&ModelSpec> = models
        .iter()
        .filter(|m| m.key().to_lowercase().contains(&lower) || m.name.to_lowercase().contains(&lower))
        .collect();
    matches.sort_by(|a, b| {
        (has_date(&a.id), !preferred(a)).cmp(&(has_date(&b.id), !preferred(b))).then_with(|| b.id.cmp(&a.id))
    });
    matches.first().and_then(|m| choice(m))
}

/// The models a list of globs names, in the order of the globs.
pub fn scoped(models: &[ModelSpec], globs: &[String]) -> Vec<Choice> {
    let mut out: Vec<Choice> = Vec::new();
    for glob in globs {
        let (name, thinking) = split_level(glob);
        let is_glob = name.contains(['*', '?', '[']);
        let matcher = GlobBuilder::new(name).case_insensitive(true).build().ok().map(|g| g.compile_matcher());
        let found: Vec<ModelSpec> = if is_glob {
            models
                .iter()
                .filter(|m| matcher.as_ref().is_some_and(|g| g.is_match(m.key()) || g.is_match(&m.id)))
                .cloned()
                .collect()
        } else {
            find(models, name, |_| true).map(|choice| choice.model).into_iter().collect()
        };
        for model in found {
            if !out.iter().any(|known| known.model.key() == model.key()) {
                out.push(Choice { model, thinking });
            }
        }
    }
    out
}

/// Whether an id ends in a release date such as `-20250929` or `-2025-09-29`.
fn has_date(id: &str) -> bool {
    let digits: String =
        id.chars().rev().take_while(|c| c.is_ascii_digit() || *c == '-').filter(|c| *c != '-').collect();
    digits.len() >= 8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Api, ModelEntry, ProviderEntry};

    fn models(keys: &[&str]) -> Vec<ModelSpec> {
        let provider = ProviderEntry { api: Some(Api::OpenaiCompletions), ..ProviderEntry::default() };
        keys.iter()
            .filter_map(|key| {
                let (p, id) = key.split_once('/')?;
                ModelEntry { id: id.to_owned(), ..ModelEntry::default() }.resolve(p, &provider)
            })
            .collect()
    }

    fn pick(keys: &[&str], pattern: &str) -> Option<String> {
        find(&models(keys), pattern, |m| m.provider == "b").map(|c| c.model.key())
    }

    #[test]
    fn an_exact_key_wins_over_everything() {
        assert_eq!(pick(&["a/gpt-5", "b/gpt-5"], "a/gpt-5").as_deref(), Some("a/gpt-5"));
    }

    #[test]
    fn an_id_of_several_providers_prefers_the_usable_one() {
        assert_eq!(pick(&["a/gpt-5", "b/gpt-5"], "gpt-5").as_deref(), Some("b/gpt-5"));
    }

    #[test]
    fn a_part_of_a_name_prefers_undated_then_highest() {
        assert_eq!(
            pick(&["a/sonnet-4-20250514", "a/sonnet-4-5", "a/sonnet-4-6"], "sonnet").as_deref(),
            Some("a/sonnet-4-6")
        );
        assert_eq!(pick(&["a/x"], "sonnet"), None);
    }

    #[test]
    fn a_level_suffix_is_split_and_a_tag_is_not() {
        assert_eq!(split_level("opus:high"), ("opus", Some(ThinkingLevel::High)));
        assert_eq!(split_level("qwen3:8b"), ("qwen3:8b", None));
        assert_eq!(split_level("qwen3:8b:off"), ("qwen3:8b", Some(ThinkingLevel::Off)));
    }
}

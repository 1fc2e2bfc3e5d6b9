//! Replacing exact pieces of a file.

use serde::{Deserialize, Deserializer};
use serde_json::json;

use crate::fs::diff::difference;
use crate::fs::matching::View;
use crate::fs::write::store;
use crate::fs::{Files, blocking};
use crate::limits::size;
use crate::{Output, ToolError, ToolResult, Workspace};

/// Larger files are not edited by quoting them.
const MAX_FILE_BYTES: u64 = 32 * 1024 * 1024;

/// One replacement.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Edit {
    #[serde(alias = "old_text", alias = "old_string", alias = "oldString")]
    pub old_text: String,
    #[serde(alias = "new_text", alias = "new_string", alias = "newString")]
    pub new_text: String,
}

/// Replacements in one file. Models send them as a list, as a list written into a string, or as a single pair at the top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditArgs {
    pub path: String,
    pub edits: Vec<Edit>,
}

impl<'de> Deserialize<'de> for EditArgs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;

        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Edits {
            List(Vec<Edit>),
            One(Edit),
            Text(String),
        }

        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Loose {
            #[serde(alias = "file_path")]
            path: String,
            #[serde(default)]
            edits: Option<Edits>,
            #[serde(default, alias = "old_text", alias = "old_string", alias = "oldString")]
            old_text: Option<String>,
            #[serde(default, alias = "new_text", alias = "new_string", alias = "newString")]
            new_text: Option<String>,
        }

        let loose = Loose::deserialize(deserializer)?;
        let mut edits = match loose.edits {
            None => Vec::new(),
            Some(Edits::List(edits)) => edits,
            Some(Edits::One(edit)) => vec![edit],
            Some(Edits::Text(text)) => serde_json::from_str::<Vec<Edit>>(&text)
                .or_else(|_| serde_json::from_str::<Edit>(&text).map(|edit| vec![edit]))
                .map_err(|error| D::Error::custom(format!("`edits` is a string that is no list of edits: {error}")))?,
        };
        match (loose.old_text, loose.new_text) {
            (Some(old_text), Some(new_text)) => edits.push(Edit { old_text, new_text }),
            (None, None) => {}
            _ => return Err(D::Error::custom("`oldText` and `newText` belong together")),
        }
        Ok(Self { path: loose.path, edits })
    }
}

/// Replace pieces of a file, each found exactly once in what the file was before.
pub async fn edit(workspace: &Workspace, files: &Files, args: EditArgs) -> ToolResult {
    if args.edits.is_empty() {
        return Err(ToolError::invalid("`edits` is empty: give at least one replacement"));
    }
    let path = workspace.resolve_existing(&args.path);
    let target = path.clone();
    files
        .exclusively(
            &path,
            blocking(move || {
                let metadata = std::fs::metadata(&target).map_err(ToolError::io("edit", &target))?;
                if !metadata.is_file() {
                    return Err(ToolError::invalid(format!("`{}` is not a regular file", args.path)));
                }
                if metadata.len() > MAX_FILE_BYTES {
                    let bytes = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
                    return Err(ToolError::invalid(format!("`{}` is too large to edit ({})", args.path, size(bytes))));
                }
                let bytes = std::fs::read(&target).map_err(ToolError::io("edit", &target))?;
                let text = String::from_utf8(bytes)
                    .map_err(|_| ToolError::invalid(format!("`{}` is not UTF-8 text", args.path)))?;
                let (mark, body) = match text.strip_prefix('\u{feff}') {
                    Some(body) => ("\u{feff}", body),
                    None => ("", text.as_str()),
                };
                let changed = apply(&args.path, body, &args.edits)?;
                store(&target, format!("{mark}{changed}").as_bytes())?;
                let difference = difference(&args.path, body, &changed);
                let count = args.edits.len();
                let blocks = if count == 1 { "1 block".to_owned() } else { format!("{count} blocks") };
                Ok(Output::text(format!("replaced {blocks} in {}", args.path)).with_details(json!({
                    "diff": difference.display,
                    "patch": difference.patch,
                    "firstChangedLine": difference.first_changed_line,
                })))
            }),
        )
        .await
}

/// Apply all edits to `body`. Pure.
pub(crate) fn apply(path: &str, body: &str, edits: &[Edit]) -> Result<String, ToolError> {
    let line_end = match body.find('\n') {
        Some(at) if at > 0 && body.as_bytes()[at - 1] == b'\r' => "\r\n",
        _ => "\n",
    };
    let exact = View::exact(body);
    let mut plain = None;
    let mut found: Vec<(usize, usize, usize, String)> = Vec::with_capacity(edits.len());
    for (index, edit) in edits.iter().enumerate() {
        let which = if edits.len() == 1 { "oldText".to_owned() } else { format!("edits[{index}].oldText") };
        let old = edit.old_text.replace("\r\n", "\n");
        let new = edit.new_text.replace("\r\n", "\n");
        if old.is_empty() {
            return Err(ToolError::invalid(format!("{which} is empty: quote the text that is to be replaced")));
        }
        if old == new {
            return Err(ToolError::invalid(format!("{which} and its newText are the same: nothing would change")));
        }
        let mut matches = exact.find(&old);
        if matches.is_empty() {
            let plain = plain.get_or_insert_with(|| View::plain(body));
            let old = View::plain(&old).text;
            if !old.trim().is_empty() {
                matches = plain.find(&old);
            }
        }
        match matches[..] {
            [(start, end)] => found.push((start, end, index, new)),
            [] => {
                return Err(ToolError::invalid(format!(
                    "{which} was not found in {path}: it must be the file's text with all its blanks and line ends. Read the file again."
                )));
            }
            _ => {
                return Err(ToolError::invalid(format!(
                    "{which} occurs {} times in {path}: quote more of its surroundings so that it is unique",
                    matches.len()
                )));
            }
        }
    }
    found.sort_by_key(|(start, ..)| *start);
    if let Some(pair) = found.windows(2).find(|pair| pair[0].1 > pair[1].0) {
        return Err(ToolError::invalid(format!(
            "edits[{}] and edits[{}] overlap in {path}: merge them into one",
            pair[0].2.min(pair[1].2),
            pair[0].2.max(pair[1].2)
        )));
    }
    let mut changed = String::with_capacity(body.len());
    let mut from = 0;
    for (start, end, _, new) in &found {
        changed.push_str(&body[from..*start]);
        changed.push_str(&new.replace('\n', line_end));
        from = *end;
    }
    changed.push_str(&body[from..]);
    if changed == body {
        return Err(ToolError::invalid(format!("nothing would change in {path}: it already has this text")));
    }
    Ok(changed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn edit(old: &str, new: &str) -> Edit {
        Edit { old_text: old.to_owned(), new_text: new.to_owned() }
    }

    fn refused(body: &str, edits: &[Edit]) -> String {
        apply("f", body, edits).expect_err("refused").to_string()
    }

    #[test]
    fn all_edits_refer_to_the_file_as_it_was() {
        let changed = apply("f", "a b c", &[edit("c", "a"), edit("a", "x")]).expect("applies");
        assert_eq!(changed, "x b a");
    }

    #[test]
    fn refusals_say_what_to_do() {
        assert!(refused("a", &[edit("b", "c")]).contains("was not found"));
        assert!(refused("a a", &[edit("a", "c")]).contains("occurs 2 times"));
        assert!(refused("abc", &[edit("ab", "x"), edit("bc", "y")]).contains("edits[0] and edits[1] overlap"));
        assert!(refused("a", &[edit("", "c")]).contains("is empty"));
        assert!(refused("a", &[edit("a", "a")]).contains("nothing would change"));
    }

    #[test]
    fn windows_line_ends_stay() {
        let changed = apply("f", "a\r\nb\r\nc\r\n", &[edit("a\nb", "x\ny\nz")]).expect("applies");
        assert_eq!(changed, "x\r\ny\r\nz\r\nc\r\n");
    }

    #[test]
    fn lines_a_fuzzy_match_does_not_touch_keep_their_bytes() {
        let body = "say \u{201c}one\u{201d}  \nkeep \u{201c}this\u{201d}  \nsay \u{2018}two\u{2019}\t\n";
        let changed = apply("f", body, &[edit("say 'two'", "say three")]).expect("applies");
        assert_eq!(changed, "say \u{201c}one\u{201d}  \nkeep \u{201c}this\u{201d}  \nsay three\n");
    }

    #[test]
    fn arguments_are_taken_in_every_shape_models_use() {
        let expected = EditArgs { path: "f".to_owned(), edits: vec![edit("a", "b")] };
        for text in [
            r#"{"path":"f","edits":[{"oldText":"a","newText":"b"}]}"#,
            r#"{"file_path":"f","edits":"[{\"oldText\":\"a\",\"newText\":\"b\"}]"}"#,
            r#"{"path":"f","oldText":"a","newText":"b"}"#,
            r#"{"path":"f","edits":{"oldText":"a","newText":"b"}}"#,
        ] {
            assert_eq!(serde_json::from_str::<EditArgs>(text).expect(text), expected);
        }
    }

    proptest! {
        #[test]
        fn nothing_outside_the_match_changes(before in "[a-z \u{201c}\u{e9}\r\n]{0,40}", after in "[a-z \u{2019}\t\r\n]{0,40}", new in "[A-Z\n]{1,10}") {
            let body = format!("{before}#MARK#{after}");
            let changed = apply("f", &body, &[edit("#MARK#", &new)]).expect("the mark is unique");
            prop_assert!(changed.starts_with(&before));
            prop_assert!(changed.ends_with(&after));
        }

        #[test]
        fn any_input_is_applied_or_refused(body in any::<String>(), old in any::<String>(), new in any::<String>()) {
            let _ = apply("f", &body, &[edit(&old, &new)]);
        }
    }
}

//! The places of a conversation, branches included, as a list to choose from.

use std::collections::{HashMap, HashSet};

use pizzapi_agent::transcript::{Entry, EntryKind};
use pizzapi_protocol::Message;

use super::components::picker::Item;
use super::text;

/// Deeper branches are not indented further: the text would leave the screen.
const MAX_DEPTH: usize = 8;

/// Entries people recognise, oldest first; what is on the current branch carries a mark. `leaf`: the current place.
pub fn items(entries: &[Entry], leaf: Option<&str>) -> Vec<Item> {
    let by_id: HashMap<&str, &Entry> = entries.iter().map(|entry| (entry.id.as_str(), entry)).collect();
    let shown: Vec<(&Entry, String, &str)> =
        entries.iter().filter_map(|entry| label(&entry.kind).map(|(label, kind)| (entry, label, kind))).collect();
    let is_shown: HashSet<&str> = shown.iter().map(|(entry, ..)| entry.id.as_str()).collect();
    let parent = |entry: &Entry| -> Option<String> {
        let mut next = entry.parent_id.as_deref();
        // A file that was tampered with may contain a ring.
        for _ in 0..entries.len() {
            let id = next?;
            if is_shown.contains(id) {
                return Some(id.to_owned());
            }
            next = by_id.get(id)?.parent_id.as_deref();
        }
        None
    };
    let mut children: HashMap<Option<String>, Vec<usize>> = HashMap::new();
    for (index, (entry, ..)) in shown.iter().enumerate() {
        children.entry(parent(entry)).or_default().push(index);
    }
    let mut on_branch = HashSet::new();
    let mut next = leaf.and_then(|leaf| by_id.get(leaf)).copied();
    while let Some(entry) = next {
        if !on_branch.insert(entry.id.as_str()) {
            break;
        }
        next = entry.parent_id.as_deref().and_then(|id| by_id.get(id)).copied();
    }
    let here =
        shown.iter().rev().find(|(entry, ..)| on_branch.contains(entry.id.as_str())).map(|(entry, ..)| &entry.id);

    let mut items = Vec::new();
    let roots = children.get(&None).cloned().unwrap_or_default();
    let mut stack: Vec<(usize, usize)> = roots.into_iter().rev().map(|index| (index, 0)).collect();
    while let Some((index, depth)) = stack.pop() {
        let (entry, label, kind) = &shown[index];
        let below = children.get(&Some(entry.id.clone())).cloned().unwrap_or_default();
        let branches = below.len() > 1;
        for child in below.into_iter().rev() {
            stack.push((child, if branches { (depth + 1).min(MAX_DEPTH) } else { depth }));
        }
        let time = entry.timestamp.get(11..16).unwrap_or_default();
        let mark = if on_branch.contains(entry.id.as_str()) { "" } else { "other branch  " };
        items.push(Item {
            current: here == Some(&entry.id),
            ..Item::new(entry.id.clone(), format!("{}{label}", "  ".repeat(depth)), format!("{mark}{kind} {time}"))
        });
    }
    items
}

fn label(kind: &EntryKind) -> Option<(String, &'static str)> {
    let line = |content: &str| text::sanitize(content.trim()).lines().next().unwrap_or_default().to_owned();
    let (label, kind) = match kind {
        EntryKind::Message { message: message @ Message::User(_), .. } => (line(&message.text()), "you"),
        EntryKind::Message { message: message @ Message::Assistant(_), .. } => (line(&message.text()), "agent"),
        EntryKind::Message { message: Message::BashExecution(run), .. } => {
            (format!("$ {}", line(&run.command)), "shell")
        }
        EntryKind::Compaction { summary, .. } if summary.is_empty() => ("conversation cleared".to_owned(), ""),
        EntryKind::Compaction { .. } => ("conversation compacted".to_owned(), ""),
        EntryKind::BranchSummary { summary, .. } => (line(summary), "summary"),
        _ => return None,
    };
    (!label.is_empty()).then_some((label, kind))
}

#[cfg(test)]
mod tests {
    use pizzapi_protocol::{MessageContent, UserMessage};

    use super::*;

    fn said(id: &str, parent: Option<&str>, text: &str) -> Entry {
        let message = serde_json::from_value::<UserMessage>(serde_json::json!({"content": text, "timestamp": 1}));
        let message = Message::User(UserMessage {
            content: MessageContent::Text(text.into()),
            ..message.expect("a user message")
        });
        Entry {
            id: id.into(),
            parent_id: parent.map(str::to_owned),
            timestamp: "2024-01-01T10:20:30.000Z".into(),
            kind: EntryKind::Message { message, command_id: None },
        }
    }

    #[test]
    fn branches_are_indented_and_the_current_place_is_marked() {
        let hidden = Entry { kind: EntryKind::SessionInfo { name: None }, ..said("h", Some("a"), "") };
        let entries = [
            said("a", None, "first"),
            hidden,
            said("b", Some("h"), "old way"),
            said("c", Some("h"), "new way"),
            said("d", Some("c"), "further"),
        ];
        let items = items(&entries, Some("d"));
        let labels: Vec<(&str, bool)> = items.iter().map(|item| (item.label.as_str(), item.current)).collect();
        assert_eq!(labels, [("first", false), ("  old way", false), ("  new way", false), ("  further", true)]);
        assert!(items[1].detail.starts_with("other branch"));
    }

    #[test]
    fn a_ring_of_parents_ends() {
        let entries = [said("a", Some("b"), "one"), said("b", Some("a"), "two")];
        assert!(items(&entries, Some("a")).len() <= 2);
    }
}

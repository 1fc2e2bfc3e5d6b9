//! Earlier inputs, reached with the arrow keys.

/// Inputs kept.
const CAPACITY: usize = 100;

#[derive(Debug, Default)]
pub struct History {
    entries: Vec<String>,
    /// Distance from the newest entry while browsing.
    position: Option<usize>,
    /// What was being written when browsing began.
    draft: String,
}

impl History {
    pub fn load(&mut self, entries: impl IntoIterator<Item = String>) {
        for entry in entries {
            self.push(entry);
        }
    }

    pub fn push(&mut self, entry: impl Into<String>) {
        let entry = entry.into();
        self.position = None;
        if entry.trim().is_empty() || self.entries.last() == Some(&entry) {
            return;
        }
        self.entries.push(entry);
        if self.entries.len() > CAPACITY {
            self.entries.remove(0);
        }
    }

    pub fn is_browsing(&self) -> bool {
        self.position.is_some()
    }

    pub fn leave(&mut self) {
        self.position = None;
    }

    /// One step back; `current` is kept for the way forward.
    pub fn older(&mut self, current: &str) -> Option<String> {
        let next = match self.position {
            None => {
                current.clone_into(&mut self.draft);
                0
            }
            Some(position) => position + 1,
        };
        let at = self.entries.len().checked_sub(next + 1)?;
        self.position = Some(next);
        self.entries.get(at).cloned()
    }

    /// One step forward; past the newest entry comes the draft.
    pub fn newer(&mut self) -> Option<String> {
        match self.position? {
            0 => {
                self.position = None;
                Some(std::mem::take(&mut self.draft))
            }
            position => {
                self.position = Some(position - 1);
                self.entries.get(self.entries.len() - position).cloned()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_draft_comes_back_after_browsing() {
        let mut history = History::default();
        history.load(["one".to_owned(), "two".to_owned(), "two".to_owned()]);
        assert_eq!(history.older("draft").as_deref(), Some("two"));
        assert_eq!(history.older("two").as_deref(), Some("one"));
        assert_eq!(history.older("one"), None);
        assert_eq!(history.newer().as_deref(), Some("two"));
        assert_eq!(history.newer().as_deref(), Some("draft"));
        assert_eq!(history.newer(), None);
    }
}

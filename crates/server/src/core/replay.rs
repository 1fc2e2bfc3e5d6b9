//! What a viewer that attaches is given: proof of being current, exactly what it missed, or a whole state.

/// What is known about the log of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    pub head: u64,
    /// Oldest readable entry.
    pub first: u64,
    pub snapshot: Option<u64>,
}

/// What a viewer says it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Has {
    Nothing,
    /// It holds the transcript up to here.
    UpTo(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// It has everything.
    Current,
    /// Exactly the entries after `after`.
    Delta { after: u64 },
    /// The snapshot at this position, then what follows it.
    Snapshot { at: u64 },
    /// The log starts with this session's first event, so the log is the whole story.
    FromStart,
    /// Nothing provable is stored: the session itself must be asked.
    Ask,
}

/// More than this to catch up on is cheaper as a snapshot. Units: entries.
pub const DELTA_MAX: u64 = 10_000;

pub fn plan(has: Has, known: Known) -> Plan {
    match has {
        // A position beyond the head belongs to a log that no longer exists: nothing follows from it.
        Has::UpTo(seq) if seq > known.head => cold(known),
        Has::UpTo(seq) if seq == known.head && seq > 0 => Plan::Current,
        Has::UpTo(seq) if seq > 0 && seq + 1 >= known.first => match known.snapshot {
            Some(at) if at > seq && known.head - seq > DELTA_MAX => Plan::Snapshot { at },
            _ => Plan::Delta { after: seq },
        },
        Has::Nothing | Has::UpTo(_) => cold(known),
    }
}

fn cold(known: Known) -> Plan {
    match known.snapshot {
        Some(at) => Plan::Snapshot { at },
        None if known.head > 0 && known.first <= 1 => Plan::FromStart,
        None => Plan::Ask,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: Known = Known { head: 100, first: 20, snapshot: Some(50) };

    #[test]
    fn a_viewer_that_has_everything_gets_nothing() {
        assert_eq!(plan(Has::UpTo(100), KNOWN), Plan::Current);
    }

    #[test]
    fn a_viewer_gets_exactly_what_it_missed_while_the_log_reaches_back() {
        assert_eq!(plan(Has::UpTo(60), KNOWN), Plan::Delta { after: 60 });
        assert_eq!(plan(Has::UpTo(19), KNOWN), Plan::Delta { after: 19 });
        assert_eq!(plan(Has::UpTo(18), KNOWN), Plan::Snapshot { at: 50 });
    }

    #[test]
    fn a_position_of_another_log_proves_nothing() {
        assert_eq!(plan(Has::UpTo(101), KNOWN), Plan::Snapshot { at: 50 });
        assert_eq!(plan(Has::UpTo(0), KNOWN), Plan::Snapshot { at: 50 });
        assert_eq!(plan(Has::UpTo(5), Known { head: 0, first: 1, snapshot: None }), Plan::Ask);
    }

    #[test]
    fn without_a_snapshot_only_a_whole_log_is_a_whole_story() {
        assert_eq!(plan(Has::Nothing, Known { head: 9, first: 1, snapshot: None }), Plan::FromStart);
        assert_eq!(plan(Has::Nothing, Known { head: 9, first: 2, snapshot: None }), Plan::Ask);
        assert_eq!(plan(Has::Nothing, Known { head: 0, first: 1, snapshot: None }), Plan::Ask);
    }

    #[test]
    fn a_very_long_absence_is_answered_with_the_snapshot() {
        let long = Known { head: 50_000, first: 1, snapshot: Some(49_000) };
        assert_eq!(plan(Has::UpTo(1), long), Plan::Snapshot { at: 49_000 });
    }
}

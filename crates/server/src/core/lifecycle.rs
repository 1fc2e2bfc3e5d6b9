//! Whether a session is there: online, waiting for its agent to return, or offline.

use serde::{Deserialize, Serialize};

/// Presence of the process behind a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "camelCase")]
pub enum Presence {
    Online,
    /// Its connection is gone; until then nothing is concluded from that. Units: Unix milliseconds.
    Reconnecting {
        until: i64,
    },
    /// It did not return in time. Everything is kept; it may still return.
    Offline {
        since: i64,
    },
}

/// How a connection was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The transport broke or went silent.
    Broken,
    /// The client closed it without ending its session.
    ClosedByClient,
}

/// How long to wait. Units: milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Grace {
    pub broken_ms: i64,
    pub closed_ms: i64,
}

impl Presence {
    pub fn lost(loss: Loss, grace: Grace, now: i64) -> Self {
        let wait = match loss {
            Loss::Broken => grace.broken_ms,
            Loss::ClosedByClient => grace.closed_ms.min(grace.broken_ms),
        };
        Self::Reconnecting { until: now + wait }
    }

    /// What time alone makes of it.
    pub fn at(self, now: i64) -> Self {
        match self {
            Self::Reconnecting { until } if until <= now => Self::Offline { since: until },
            other => other,
        }
    }

    /// The word lists and viewers are told.
    pub fn word(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Reconnecting { .. } => "reconnecting",
            Self::Offline { .. } => "offline",
        }
    }

    pub fn is_online(self) -> bool {
        self == Self::Online
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Grace = Grace { broken_ms: 90_000, closed_ms: 10_000 };

    #[test]
    fn a_lost_session_waits_before_it_counts_as_offline() {
        let lost = Presence::lost(Loss::Broken, GRACE, 0);
        assert_eq!(lost.at(89_999), lost);
        assert_eq!(lost.at(90_000), Presence::Offline { since: 90_000 });
        assert_eq!(Presence::lost(Loss::ClosedByClient, GRACE, 0), Presence::Reconnecting { until: 10_000 });
        assert_eq!(Presence::Online.at(i64::MAX), Presence::Online);
    }
}

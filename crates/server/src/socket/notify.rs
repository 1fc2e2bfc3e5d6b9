//! Things that may be worth a notification. Whoever sends them listens; nobody here waits for that.

use std::sync::Arc;

use pizzapi_protocol::{RawJson, SessionId, UserId};
use tokio::sync::broadcast;

use crate::store::SessionRecord;

/// Happenings a slow listener may fall behind before it misses some.
const BACKLOG: usize = 512;

/// Something a person may want to hear about.
#[derive(Debug, Clone)]
pub struct Happening {
    pub user: UserId,
    pub session: SessionId,
    pub record: Arc<SessionRecord>,
    pub what: What,
}

#[derive(Debug, Clone)]
pub enum What {
    /// A run ended; `text`: the assistant's last words.
    AgentFinished {
        text: Option<String>,
    },
    AgentFailed {
        message: String,
    },
    /// `args` of the question tool.
    QuestionAsked {
        tool_call_id: String,
        args: RawJson,
    },
    /// The question was answered or given up.
    QuestionOver {
        tool_call_id: String,
    },
    PlanReady {
        title: Option<String>,
    },
    /// Anything else that waits for a person: approval, plugin trust, MCP login.
    NeedsPerson {
        id: String,
        title: String,
    },
    /// It no longer waits.
    PersonNotNeeded {
        id: String,
    },
}

/// The sending end. Cheap to clone.
#[derive(Clone)]
pub struct Happenings(broadcast::Sender<Happening>);

impl Default for Happenings {
    fn default() -> Self {
        Self(broadcast::Sender::new(BACKLOG))
    }
}

impl Happenings {
    pub fn subscribe(&self) -> broadcast::Receiver<Happening> {
        self.0.subscribe()
    }

    pub fn tell(&self, record: &Arc<SessionRecord>, what: What) {
        // Nobody listening is a fine state.
        let _ = self.0.send(Happening {
            user: record.user_id.clone(),
            session: record.session_id.clone(),
            record: record.clone(),
            what,
        });
    }
}

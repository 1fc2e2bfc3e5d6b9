//! Remote commands: a request with its arguments beside `id` and `command`, and one reply.

use crate::events::RawJson;
use crate::ids::{CommandId, Position, SessionId};
use crate::json::wire;

wire! {
    /// A remote command. Its arguments stand beside these members; see [`Open`](crate::json::Open).
    pub struct Exec {
        id: CommandId,
        command: String,
        /// The session it was meant for; the relay refuses it for another.
        session_id?: SessionId,
        /// What the author had on screen.
        composed_at?: Position,
    }

    /// The one reply to a remote command.
    pub struct ExecResult {
        id: CommandId,
        ok: bool,
        command: String,
        result?: RawJson | null,
        error?: String,
    }

    /// A reply on its way to viewers.
    pub struct ViewerExecResult {
        id: CommandId,
        ok: bool,
        command: String,
        result?: RawJson | null,
        error?: String,
        session_id: SessionId,
    }
}

impl ExecResult {
    pub fn for_viewers(self, session_id: SessionId) -> ViewerExecResult {
        let Self { id, ok, command, result, error } = self;
        ViewerExecResult { id, ok, command, result, error, session_id }
    }
}

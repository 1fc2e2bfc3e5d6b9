//! Every bound of the protocol, each with its reason. Browsers get the same numbers.

/// A bound, for the export to TypeScript.
pub struct Limit {
    pub name: &'static str,
    pub value: u64,
    pub docs: &'static [&'static str],
}

macro_rules! limits {
    ($($(#[doc = $doc:literal])+ $name:ident: $type:ty = $value:expr;)*) => {
        $($(#[doc = $doc])+ pub const $name: $type = $value;)*

        /// All of them, in order.
        pub const ALL: &[Limit] = &[$(Limit { name: stringify!($name), value: $name as u64, docs: &[$($doc),+] }),*];
    };
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

limits! {
    // transport
    /// Largest message either side accepts. Snapshots of several MiB are normal, and one message of a transcript may be larger
    /// than the size it is cut at.
    MAX_PAYLOAD_BYTES: usize = 100 * MIB;
    /// Engine.IO ping.
    PING_INTERVAL_MS: u64 = 30_000;
    /// A peer that does not answer a ping for this long is gone.
    PING_TIMEOUT_MS: u64 = 60_000;

    // snapshots
    /// Snapshots estimated larger go out in chunks: older relays accept no more than 10 MB at once.
    SNAPSHOT_CHUNK_ABOVE_BYTES: usize = 5 * MIB;
    /// Messages in one chunk.
    CHUNK_MAX_MESSAGES: usize = 200;
    /// Bytes in one chunk; a single larger message stands alone.
    CHUNK_MAX_BYTES: usize = 6 * MIB;
    /// A larger message has its content replaced by a notice.
    MESSAGE_MAX_BYTES: usize = 5 * MIB;
    /// Members of an oversized message that are dropped when they are larger than this.
    MESSAGE_MEMBER_DROP_ABOVE_BYTES: usize = KIB;
    /// Chunks kept for one snapshot in the making.
    CHUNK_ASSEMBLY_MAX_BYTES: usize = 64 * MIB;
    /// A snapshot in the making without progress for this long is given up and asked for again.
    CHUNK_STALE_MS: u64 = 10_000;
    /// Messages at the end of a snapshot for a viewer that starts from nothing; older ones by `load_messages`.
    SNAPSHOT_TAIL_MESSAGES: usize = 50;
    /// A page of older messages: a screen or two, cheap to cut out of a transcript.
    MESSAGES_PAGE_MAX: u64 = 200;
    /// Pictures larger than this are taken out of events and become attachments. Units: bytes after decoding.
    INLINE_IMAGE_MAX_BYTES: usize = 10 * KIB;

    // the log
    /// Entries kept in memory per session.
    LOG_RING_ENTRIES: usize = 1_000;
    /// Bytes kept in memory per session.
    LOG_RING_BYTES: usize = 8 * MIB;
    /// A viewer can come back after this long and get exactly what it missed; longer is up to the operator.
    LOG_KEEP_MIN_MS: u64 = 120_000;
    /// How far the log reaches back unless configured otherwise.
    LOG_KEEP_MS: u64 = 86_400_000;
    /// Longest wait before acknowledged events are on the disk.
    LOG_SYNC_MS: u64 = 5;
    /// Events a session keeps until they are acknowledged; beyond, a snapshot repairs.
    RESEND_WINDOW_EVENTS: usize = 2_000;
    /// The same in bytes.
    RESEND_WINDOW_BYTES: usize = 8 * MIB;
    /// Events of one session that wait for the store; beyond, the session needs a snapshot.
    INTAKE_QUEUE_EVENTS: usize = 2_000;
    /// The same in bytes.
    INTAKE_QUEUE_BYTES: usize = 32 * MIB;
    /// Frames of one streamed thing per second and viewer; the newest is always sent before what ends it.
    STREAM_FRAMES_PER_SECOND: u64 = 15;

    // liveness
    /// Sessions say that they live this often.
    HEARTBEAT_MS: u64 = 10_000;
    /// A heartbeat older than this no longer proves that a session runs.
    HEARTBEAT_FRESH_MS: u64 = 45_000;
    /// A session whose socket broke is expected back for this long.
    SESSION_GRACE_MS: u64 = 90_000;
    /// The same when it closed the socket itself.
    SESSION_GRACE_AFTER_CLOSE_MS: u64 = 10_000;
    /// A runner whose socket broke is expected back for this long.
    RUNNER_GRACE_MS: u64 = 60_000;
    /// Sessions without socket and heartbeat for this long are over.
    SESSION_ORPHAN_MS: u64 = 120_000;
    /// Runner records nobody claims are given up this long after a start.
    RUNNER_ORPHAN_MS: u64 = 90_000;
    /// Prompts that a session has not announced again this long after it registered are withdrawn.
    PROMPT_CONFIRM_MS: u64 = 10_000;
    /// Every leg is probed this often.
    PROBE_MS: u64 = 10_000;
    /// A leg that did not answer for this long is shown dead.
    LIGHT_DEAD_MS: u64 = 15_000;
    /// A recovery request is answered within this time or another source is tried.
    RECOVERY_NONCE_MS: u64 = 60_000;
    /// A session answers a request for a snapshot within this time.
    RECOVERY_WAIT_MS: u64 = 10_000;
    /// Every attach ends in `hydrated` or `hydration_failed` within this time.
    HYDRATION_MAX_MS: u64 = 15_000;
    /// Ephemeral sessions end this long after they last said anything.
    EPHEMERAL_TTL_MS: u64 = 600_000;
    /// The metadata of nothing but a heartbeat is sent to lists at least this often.
    LIST_REFRESH_MS: u64 = 60_000;

    // commands
    /// Prompts that wait for a session that is away.
    COMMAND_QUEUE_MAX: usize = 20;
    /// They wait this long.
    COMMAND_QUEUE_MS: u64 = 600_000;
    /// Command ids are remembered this long, so that a repeated one is answered and not executed again.
    COMMAND_DEDUPE_MS: u64 = 86_400_000;
    /// A session that says nothing about an `input` for this long is taken to have it: old ones never answer.
    INPUT_ACK_MS: u64 = 9_500;
    /// Browsers wait a little longer than the relay.
    VIEWER_INPUT_ACK_MS: u64 = 10_000;
    /// A remote command without an answer for this long has failed.
    EXEC_TIMEOUT_MS: u64 = 600_000;
    /// Size of one `exec` from a browser.
    EXEC_MAX_BYTES: usize = 256 * KIB;
    /// Replies of remote commands a session remembers, so that a repeated id is not executed again.
    EXEC_REPLAY_MAX: usize = 100;
    /// Text of one prompt.
    INPUT_TEXT_MAX_BYTES: usize = MIB;
    /// Attachments of one prompt.
    INPUT_ATTACHMENTS_MAX: usize = 32;

    // decisions
    /// The exact thing decided about is shown unabridged up to this size.
    DECISION_DETAIL_MAX_BYTES: usize = 64 * KIB;
    /// Open decisions of one session.
    DECISIONS_MAX_PER_SESSION: usize = 32;

    // meta state
    /// Meta state of one session.
    META_STATE_MAX_BYTES: usize = 64 * KIB;
    /// Warnings of one runner, newest last.
    RUNNER_WARNINGS_MAX: usize = 20;

    // services
    /// One service message, measured after the relay stamped it.
    SERVICE_MESSAGE_MAX_BYTES: usize = 256 * KIB;
    /// Service messages of one socket per second.
    SERVICE_MESSAGES_PER_SECOND: u32 = 50;
    /// Service messages of one runner per second: it speaks for all of its sessions.
    RUNNER_SERVICE_MESSAGES_PER_SECOND: u32 = 500;

    // runners
    /// Requests of one runner under way; more wait in order.
    RUNNER_REQUESTS_MAX: usize = 64;
    /// Requests under way altogether.
    RUNNER_REQUESTS_MAX_TOTAL: usize = 1_000;
    /// Most requests.
    RUNNER_REQUEST_MS: u64 = 15_000;
    /// Skills, agents and folders.
    RUNNER_QUICK_REQUEST_MS: u64 = 10_000;
    /// Large files, usage and analysis.
    RUNNER_SLOW_REQUEST_MS: u64 = 30_000;
    /// The first step of signing in to a provider.
    LOGIN_START_MS: u64 = 45_000;
    /// A further step.
    LOGIN_SUBMIT_MS: u64 = 90_000;
    /// Installing packages downloads them.
    PACKAGES_MS: u64 = 120_000;
    /// A spawn is answered within this time, or said to be pending.
    SPAWN_WAIT_MS: u64 = 5_000;
    /// The same for webhooks and listeners.
    SPAWN_WAIT_TRIGGER_MS: u64 = 10_000;
    /// A process that did not register within this time has failed.
    SPAWN_REGISTER_MS: u64 = 60_000;
    /// Answers that arrive before their request are kept this long.
    SPAWN_EARLY_MS: u64 = 30_000;
    /// Pictures in one spawn request: what one prompt reasonably shows.
    SPAWN_IMAGES_MAX: usize = 8;
    /// The link of a session that was started but has not registered.
    RUNNER_LINK_PENDING_MS: u64 = 600_000;
    /// Part of a text file that is read without being asked for more.
    READ_FILE_TEXT_MAX_BYTES: usize = 256 * KIB;
    /// The same for base64.
    READ_FILE_BASE64_MAX_BYTES: usize = 10 * MIB;
    /// Files a search gives unless told otherwise.
    SEARCH_FILES_LIMIT: u32 = 100;
    /// Files a search gives at most.
    SEARCH_FILES_MAX: u32 = 1_000;

    // terminals
    /// Output kept per terminal and sent to every viewer that comes.
    TERMINAL_SCROLLBACK_BYTES: usize = 256 * KIB;
    /// Terminals of one runner.
    TERMINALS_PER_RUNNER: usize = 16;
    /// Output is collected into frames of at most this size.
    TERMINAL_FRAME_BYTES: usize = 64 * KIB;
    /// Output is collected for at most this long.
    TERMINAL_FRAME_MS: u64 = 16;
    /// Output nobody could take yet; beyond, the terminal is not read.
    TERMINAL_UNSENT_MAX_BYTES: usize = MIB;
    /// A terminal nobody attached to is removed after this time.
    TERMINAL_UNATTACHED_MS: u64 = 60_000;
    /// What an ended terminal printed stays this long for a late viewer.
    TERMINAL_ENDED_MS: u64 = 30_000;
    /// The same when viewers saw the end.
    TERMINAL_ENDED_SEEN_MS: u64 = 2_000;
    /// Columns of a terminal nobody sized.
    TERMINAL_COLS: u16 = 80;
    /// Rows of a terminal nobody sized.
    TERMINAL_ROWS: u16 = 24;

    // triggers
    /// Longer summaries of a completed session go into a file whose path is sent along.
    SUMMARY_MAX_CHARS: usize = 4_000;
    /// Triggers that arrive within this time become one message.
    TRIGGER_DEBOUNCE_MS: u64 = 80;
    /// A trigger is acknowledged within this time.
    TRIGGER_ACK_MS: u64 = 3_000;
    /// The answer to a trigger is acknowledged within this time.
    TRIGGER_RESPONSE_ACK_MS: u64 = 10_000;
    /// Triggers remembered per session.
    TRIGGER_HISTORY_MAX: usize = 200;
    /// A child acknowledges that its parent let go within this time.
    DELINK_ACK_MS: u64 = 1_000;

    // HTTP
    /// Body of most requests.
    HTTP_BODY_MAX_BYTES: usize = MIB;
    /// Body of an upload.
    HTTP_UPLOAD_MAX_BYTES: usize = 50 * MIB;
    /// One attachment.
    ATTACHMENT_MAX_BYTES: usize = 30 * MIB;
    /// An attachment nobody used.
    ATTACHMENT_TTL_MS: u64 = 900_000;
    /// Pictures taken out of events.
    EXTRACTED_IMAGE_TTL_MS: u64 = 86_400_000;

    // several nodes
    /// After a revocation, sockets are cut on every node within this time.
    REVOCATION_MS: u64 = 5_000;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_that_depend_on_each_other_agree() {
        const {
            assert!(CHUNK_MAX_BYTES < MAX_PAYLOAD_BYTES);
            assert!(MESSAGE_MAX_BYTES <= CHUNK_MAX_BYTES);
            assert!(PROBE_MS < LIGHT_DEAD_MS);
            assert!(HEARTBEAT_MS * 4 < HEARTBEAT_FRESH_MS + PROBE_MS);
            assert!(RECOVERY_WAIT_MS < HYDRATION_MAX_MS);
            assert!(INPUT_ACK_MS < VIEWER_INPUT_ACK_MS);
            assert!(SESSION_GRACE_MS < SESSION_ORPHAN_MS);
            assert!(LOG_KEEP_MIN_MS <= LOG_KEEP_MS);
        }
    }
}

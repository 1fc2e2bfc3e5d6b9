// Written by `just types` from crates/protocol. Do not edit.

/** Version of the handshake. Raised only when old and new cannot talk at all. */
export const SOCKET_PROTOCOL_VERSION = 1;

/**
 * Largest message either side accepts. Snapshots of several MiB are normal, and one message of a transcript may be larger
 * than the size it is cut at.
 */
export const MAX_PAYLOAD_BYTES = 104_857_600;

/** Engine.IO ping. */
export const PING_INTERVAL_MS = 30_000;

/** A peer that does not answer a ping for this long is gone. */
export const PING_TIMEOUT_MS = 60_000;

/** Snapshots estimated larger go out in chunks: older relays accept no more than 10 MB at once. */
export const SNAPSHOT_CHUNK_ABOVE_BYTES = 5_242_880;

/** Messages in one chunk. */
export const CHUNK_MAX_MESSAGES = 200;

/** Bytes in one chunk; a single larger message stands alone. */
export const CHUNK_MAX_BYTES = 6_291_456;

/** A larger message has its content replaced by a notice. */
export const MESSAGE_MAX_BYTES = 5_242_880;

/** Members of an oversized message that are dropped when they are larger than this. */
export const MESSAGE_MEMBER_DROP_ABOVE_BYTES = 1_024;

/** Chunks kept for one snapshot in the making. */
export const CHUNK_ASSEMBLY_MAX_BYTES = 67_108_864;

/** A snapshot in the making without progress for this long is given up and asked for again. */
export const CHUNK_STALE_MS = 10_000;

/** Messages at the end of a snapshot for a viewer that starts from nothing; older ones by `load_messages`. */
export const SNAPSHOT_TAIL_MESSAGES = 50;

/** A page of older messages: a screen or two, cheap to cut out of a transcript. */
export const MESSAGES_PAGE_MAX = 200;

/** Pictures larger than this are taken out of events and become attachments. Units: bytes after decoding. */
export const INLINE_IMAGE_MAX_BYTES = 10_240;

/** Entries kept in memory per session. */
export const LOG_RING_ENTRIES = 1_000;

/** Bytes kept in memory per session. */
export const LOG_RING_BYTES = 8_388_608;

/** A viewer can come back after this long and get exactly what it missed; longer is up to the operator. */
export const LOG_KEEP_MIN_MS = 120_000;

/** How far the log reaches back unless configured otherwise. */
export const LOG_KEEP_MS = 86_400_000;

/** Longest wait before acknowledged events are on the disk. */
export const LOG_SYNC_MS = 5;

/** Events a session keeps until they are acknowledged; beyond, a snapshot repairs. */
export const RESEND_WINDOW_EVENTS = 2_000;

/** The same in bytes. */
export const RESEND_WINDOW_BYTES = 8_388_608;

/** Events of one session that wait for the store; beyond, the session needs a snapshot. */
export const INTAKE_QUEUE_EVENTS = 2_000;

/** The same in bytes. */
export const INTAKE_QUEUE_BYTES = 33_554_432;

/** Frames of one streamed thing per second and viewer; the newest is always sent before what ends it. */
export const STREAM_FRAMES_PER_SECOND = 15;

/** Sessions say that they live this often. */
export const HEARTBEAT_MS = 10_000;

/** A heartbeat older than this no longer proves that a session runs. */
export const HEARTBEAT_FRESH_MS = 45_000;

/** A session whose socket broke is expected back for this long. */
export const SESSION_GRACE_MS = 90_000;

/** The same when it closed the socket itself. */
export const SESSION_GRACE_AFTER_CLOSE_MS = 10_000;

/** A runner whose socket broke is expected back for this long. */
export const RUNNER_GRACE_MS = 60_000;

/** Sessions without socket and heartbeat for this long are over. */
export const SESSION_ORPHAN_MS = 120_000;

/** Runner records nobody claims are given up this long after a start. */
export const RUNNER_ORPHAN_MS = 90_000;

/** Prompts that a session has not announced again this long after it registered are withdrawn. */
export const PROMPT_CONFIRM_MS = 10_000;

/** Every leg is probed this often. */
export const PROBE_MS = 10_000;

/** A leg that did not answer for this long is shown dead. */
export const LIGHT_DEAD_MS = 15_000;

/** A recovery request is answered within this time or another source is tried. */
export const RECOVERY_NONCE_MS = 60_000;

/** A session answers a request for a snapshot within this time. */
export const RECOVERY_WAIT_MS = 10_000;

/** Every attach ends in `hydrated` or `hydration_failed` within this time. */
export const HYDRATION_MAX_MS = 15_000;

/** Ephemeral sessions end this long after they last said anything. */
export const EPHEMERAL_TTL_MS = 600_000;

/** The metadata of nothing but a heartbeat is sent to lists at least this often. */
export const LIST_REFRESH_MS = 60_000;

/** Prompts that wait for a session that is away. */
export const COMMAND_QUEUE_MAX = 20;

/** They wait this long. */
export const COMMAND_QUEUE_MS = 600_000;

/** Command ids are remembered this long, so that a repeated one is answered and not executed again. */
export const COMMAND_DEDUPE_MS = 86_400_000;

/** A session that says nothing about an `input` for this long is taken to have it: old ones never answer. */
export const INPUT_ACK_MS = 9_500;

/** Browsers wait a little longer than the relay. */
export const VIEWER_INPUT_ACK_MS = 10_000;

/** A remote command without an answer for this long has failed. */
export const EXEC_TIMEOUT_MS = 600_000;

/** Size of one `exec` from a browser. */
export const EXEC_MAX_BYTES = 262_144;

/** Replies of remote commands a session remembers, so that a repeated id is not executed again. */
export const EXEC_REPLAY_MAX = 100;

/** Text of one prompt. */
export const INPUT_TEXT_MAX_BYTES = 1_048_576;

/** Attachments of one prompt. */
export const INPUT_ATTACHMENTS_MAX = 32;

/** The exact thing decided about is shown unabridged up to this size. */
export const DECISION_DETAIL_MAX_BYTES = 65_536;

/** Open decisions of one session. */
export const DECISIONS_MAX_PER_SESSION = 32;

/** Meta state of one session. */
export const META_STATE_MAX_BYTES = 65_536;

/** Warnings of one runner, newest last. */
export const RUNNER_WARNINGS_MAX = 20;

/** One service message, measured after the relay stamped it. */
export const SERVICE_MESSAGE_MAX_BYTES = 262_144;

/** Service messages of one socket per second. */
export const SERVICE_MESSAGES_PER_SECOND = 50;

/** Service messages of one runner per second: it speaks for all of its sessions. */
export const RUNNER_SERVICE_MESSAGES_PER_SECOND = 500;

/** Requests of one runner under way; more wait in order. */
export const RUNNER_REQUESTS_MAX = 64;

/** Requests under way altogether. */
export const RUNNER_REQUESTS_MAX_TOTAL = 1_000;

/** Most requests. */
export const RUNNER_REQUEST_MS = 15_000;

/** Skills, agents and folders. */
export const RUNNER_QUICK_REQUEST_MS = 10_000;

/** Large files, usage and analysis. */
export const RUNNER_SLOW_REQUEST_MS = 30_000;

/** The first step of signing in to a provider. */
export const LOGIN_START_MS = 45_000;

/** A further step. */
export const LOGIN_SUBMIT_MS = 90_000;

/** Installing packages downloads them. */
export const PACKAGES_MS = 120_000;

/** A spawn is answered within this time, or said to be pending. */
export const SPAWN_WAIT_MS = 5_000;

/** The same for webhooks and listeners. */
export const SPAWN_WAIT_TRIGGER_MS = 10_000;

/** A process that did not register within this time has failed. */
export const SPAWN_REGISTER_MS = 60_000;

/** Answers that arrive before their request are kept this long. */
export const SPAWN_EARLY_MS = 30_000;

/** Pictures in one spawn request: what one prompt reasonably shows. */
export const SPAWN_IMAGES_MAX = 8;

/** The link of a session that was started but has not registered. */
export const RUNNER_LINK_PENDING_MS = 600_000;

/** Part of a text file that is read without being asked for more. */
export const READ_FILE_TEXT_MAX_BYTES = 262_144;

/** The same for base64. */
export const READ_FILE_BASE64_MAX_BYTES = 10_485_760;

/** Files a search gives unless told otherwise. */
export const SEARCH_FILES_LIMIT = 100;

/** Files a search gives at most. */
export const SEARCH_FILES_MAX = 1_000;

/** Output kept per terminal and sent to every viewer that comes. */
export const TERMINAL_SCROLLBACK_BYTES = 262_144;

/** Terminals of one runner. */
export const TERMINALS_PER_RUNNER = 16;

/** Output is collected into frames of at most this size. */
export const TERMINAL_FRAME_BYTES = 65_536;

/** Output is collected for at most this long. */
export const TERMINAL_FRAME_MS = 16;

/** Output nobody could take yet; beyond, the terminal is not read. */
export const TERMINAL_UNSENT_MAX_BYTES = 1_048_576;

/** A terminal nobody attached to is removed after this time. */
export const TERMINAL_UNATTACHED_MS = 60_000;

/** What an ended terminal printed stays this long for a late viewer. */
export const TERMINAL_ENDED_MS = 30_000;

/** The same when viewers saw the end. */
export const TERMINAL_ENDED_SEEN_MS = 2_000;

/** Columns of a terminal nobody sized. */
export const TERMINAL_COLS = 80;

/** Rows of a terminal nobody sized. */
export const TERMINAL_ROWS = 24;

/** Longer summaries of a completed session go into a file whose path is sent along. */
export const SUMMARY_MAX_CHARS = 4_000;

/** Triggers that arrive within this time become one message. */
export const TRIGGER_DEBOUNCE_MS = 80;

/** A trigger is acknowledged within this time. */
export const TRIGGER_ACK_MS = 3_000;

/** The answer to a trigger is acknowledged within this time. */
export const TRIGGER_RESPONSE_ACK_MS = 10_000;

/** Triggers remembered per session. */
export const TRIGGER_HISTORY_MAX = 200;

/** A child acknowledges that its parent let go within this time. */
export const DELINK_ACK_MS = 1_000;

/** Body of most requests. */
export const HTTP_BODY_MAX_BYTES = 1_048_576;

/** Body of an upload. */
export const HTTP_UPLOAD_MAX_BYTES = 52_428_800;

/** One attachment. */
export const ATTACHMENT_MAX_BYTES = 31_457_280;

/** An attachment nobody used. */
export const ATTACHMENT_TTL_MS = 900_000;

/** Pictures taken out of events. */
export const EXTRACTED_IMAGE_TTL_MS = 86_400_000;

/** After a revocation, sockets are cut on every node within this time. */
export const REVOCATION_MS = 5_000;

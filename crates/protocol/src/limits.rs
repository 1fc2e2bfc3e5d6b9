//! Every bound of the protocol, each with its reason.

/// Longer summaries of a completed session go into a file whose path is sent along.
pub const SUMMARY_MAX_CHARS: usize = 4_000;
/// A page of older messages: enough for a screen or two, cheap to cut out of a transcript.
pub const MESSAGES_PAGE_MAX: u64 = 200;
/// Pictures in one spawn request: what one prompt reasonably shows.
pub const SPAWN_IMAGES_MAX: usize = 8;

//! How failures are told: a code for programs, a message for people.

use std::fmt;

use crate::ids::Generation;
use crate::json::{wire, words};

words! {
    /// Clients branch on codes; codes are never renamed.
    pub enum ErrorCode {
        // who is asking
        /// No credential, or one that does not count.
        Unauthorized = "unauthorized",
        /// No credential at all.
        Unauthenticated = "unauthenticated",
        KeyExpired = "key_expired",
        UntrustedOrigin = "untrusted_origin",
        /// An API key was used where only a signed-in browser may act.
        SessionRequired = "session_required",
        Forbidden = "forbidden",
        // what was asked
        /// The request does not have the demanded shape.
        Invalid = "invalid",
        NotFound = "not_found",
        TooLarge = "too_large",
        RateLimited = "rate_limited",
        Incompatible = "incompatible",
        ProtocolTooOld = "protocol_too_old",
        /// The same id was used before for something else.
        Conflict = "conflict",
        // the session
        /// The viewer looks at no session.
        NotAttached = "not_attached",
        /// The session does not take part in collaboration.
        NotCollab = "not_collab",
        /// The session's process is away and not expected back soon.
        Offline = "offline",
        /// The session's process is away and expected back.
        Reconnecting = "reconnecting",
        /// It was meant for an earlier state of the conversation.
        MovedOn = "moved_on",
        /// Somebody else owns the session now.
        Fenced = "fenced",
        ModelHidden = "model_hidden",
        NoSuchDecision = "no_such_decision",
        AlreadyAnswered = "already_answered",
        QueueFull = "queue_full",
        /// The session's process ended after it got the command; whether it acted cannot be known.
        Died = "died",
        // the runner
        NoRunner = "no_runner",
        RunnerOffline = "runner_offline",
        RunnerReconnecting = "runner_reconnecting",
        RunnerTimeout = "runner_timeout",
        RunnerError = "runner_error",
        // us
        ServerNotReady = "server_not_ready",
        Overloaded = "overloaded",
        Timeout = "timeout",
        Internal = "internal",
    }
}

impl ErrorCode {
    /// May the same request succeed later without a change?
    pub const fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::RateLimited
                | Self::Offline
                | Self::Reconnecting
                | Self::QueueFull
                | Self::RunnerOffline
                | Self::RunnerReconnecting
                | Self::RunnerTimeout
                | Self::ServerNotReady
                | Self::Overloaded
                | Self::Timeout
                | Self::Internal
        )
    }
}

wire! {
    /// A failure, with what a program and what a person need to know.
    pub struct WireError {
        code: ErrorCode,
        message: String,
    }

    /// The event `error` of every namespace. Older peers send only the message.
    pub struct ErrorEvent {
        message: String,
        code?: ErrorCode,
        /// On `/viewer`: the switch it answers.
        generation?: Generation,
    }

    /// What most acknowledgements of the published protocol carry.
    #[derive(Default)]
    pub struct OkReply {
        ok: bool,
        error?: String,
        code?: ErrorCode,
    }
}

impl WireError {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for WireError {}

impl ErrorEvent {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: None, generation: None }
    }
}

impl From<WireError> for ErrorEvent {
    fn from(error: WireError) -> Self {
        Self { message: error.message, code: Some(error.code), generation: None }
    }
}

impl OkReply {
    pub const OK: Self = Self { ok: true, error: None, code: None };

    pub fn refused(error: impl Into<String>) -> Self {
        Self { ok: false, error: Some(error.into()), code: None }
    }
}

impl From<WireError> for OkReply {
    fn from(error: WireError) -> Self {
        Self { ok: false, error: Some(error.message), code: Some(error.code) }
    }
}

//! Engine.IO 4 over one WebSocket: the frames around every packet, and the parameters the server opens with.

use std::time::Duration;

use serde::Deserialize;

/// One Engine.IO frame, borrowed from the text message that carried it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    /// First frame of the server: parameters as JSON, see [`Open`].
    Open(&'a str),
    Close,
    /// Must be answered by [`Frame::Pong`] with the same data.
    Ping(&'a str),
    Pong(&'a str),
    /// A Socket.IO packet, see [`crate::packet`].
    Message(&'a str),
    Upgrade,
    Noop,
}

/// A text message that is no Engine.IO frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an Engine.IO frame")]
pub struct FrameError;

pub(crate) const MESSAGE: char = '4';

impl<'a> Frame<'a> {
    pub fn decode(text: &'a str) -> Result<Self, FrameError> {
        let kind = text.as_bytes().first().ok_or(FrameError)?;
        // The kind is ASCII when one of the arms matches, so the rest begins on a character boundary.
        let rest = || &text[1..];
        Ok(match kind {
            b'0' => Self::Open(rest()),
            b'1' => Self::Close,
            b'2' => Self::Ping(rest()),
            b'3' => Self::Pong(rest()),
            b'4' => Self::Message(rest()),
            b'5' => Self::Upgrade,
            b'6' => Self::Noop,
            _ => return Err(FrameError),
        })
    }

    pub fn encode(&self) -> String {
        match self {
            Self::Open(data) => format!("0{data}"),
            Self::Close => "1".to_owned(),
            Self::Ping(data) => format!("2{data}"),
            Self::Pong(data) => format!("3{data}"),
            Self::Message(data) => format!("4{data}"),
            Self::Upgrade => "5".to_owned(),
            Self::Noop => "6".to_owned(),
        }
    }
}

/// What the server announces in its open frame.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Open {
    pub sid: String,
    /// Units: milliseconds.
    pub ping_interval: u64,
    /// Units: milliseconds.
    pub ping_timeout: u64,
    /// The largest message the server accepts. Units: bytes. Absent or zero: not announced.
    #[serde(default)]
    pub max_payload: u64,
}

impl Open {
    /// How long a living server can be silent: it pings every interval and gives up after the time-out, and so do we.
    pub fn silence(&self) -> Duration {
        Duration::from_millis(self.ping_interval.saturating_add(self.ping_timeout).max(1))
    }

    /// The largest message we may send, `own` bytes at most.
    pub fn payload_limit(&self, own: usize) -> usize {
        match usize::try_from(self.max_payload) {
            Ok(0) | Err(_) => own,
            Ok(announced) => announced.min(own),
        }
    }
}

//! What can go wrong, split by who has to act: the caller of a method, or the loop that keeps the connection alive.

use std::sync::Arc;
use std::time::Duration;

/// Why an emit or a call failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ClientError {
    /// There is no live connection, or it ended before the answer came. Nothing is kept for the next one.
    #[error("not connected")]
    Disconnected,
    /// The client was stopped, by `disconnect` or by its rejection policy.
    #[error("the client is closed")]
    Closed,
    /// The connection is alive but does not take messages as fast as they are made.
    #[error("too much is waiting to be sent")]
    Full,
    #[error("a message of {size} bytes exceeds the limit of {limit} bytes")]
    TooLarge { size: usize, limit: usize },
    #[error("no acknowledgement of `{event}` within {waited:?}")]
    TimedOut { event: &'static str, waited: Duration },
    #[error("failed to encode `{event}`: {source}")]
    Encode { event: &'static str, source: Arc<serde_json::Error> },
    #[error("failed to read the acknowledgement of `{event}`: {source}")]
    Decode { event: &'static str, source: Arc<serde_json::Error> },
}

/// Why an attempt to connect failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ConnectError {
    #[error("failed to resolve or reach {address}: {source}")]
    Tcp { address: String, source: Arc<std::io::Error> },
    #[error("failed to open a WebSocket: {0}")]
    WebSocket(Arc<tokio_tungstenite::tungstenite::Error>),
    #[error("the server did not open an Engine.IO 4 session: {0}")]
    Open(String),
    #[error("not connected within {0:?}")]
    Deadline(Duration),
}

/// Why a connection ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// `disconnect` was called, or the last handle was dropped.
    #[error("disconnected on request")]
    Requested,
    /// The server took this namespace away; the connection itself may live on.
    #[error("disconnected by the server")]
    Server,
    #[error("connection closed by the server")]
    Closed,
    #[error("nothing heard for {0:?}")]
    Silent(Duration),
    #[error("the server accepted no data for {0:?}")]
    Stalled(Duration),
    #[error("no answer to the connect request within {0:?}")]
    ConnectDeadline(Duration),
    #[error("protocol violation: {0}")]
    Protocol(String),
    #[error("connection lost: {0}")]
    Lost(String),
}

/// The configuration cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("`{url}` is not a URL: {message}")]
    Url { url: String, message: String },
    #[error("`{0}` is not a scheme a Socket.IO server can have (http, https, ws, wss)")]
    Scheme(String),
    #[error("`{0}` is not a namespace (it must begin with `/` and contain no comma)")]
    Namespace(String),
    #[error("namespace `{0}` was added twice")]
    Twice(String),
    #[error("invalid header `{0}`")]
    Header(String),
}

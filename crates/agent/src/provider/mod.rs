//! A request becomes a stream of pieces of one assistant message. Nothing above this folder knows a provider's JSON.
//!
//! Blocks keep the order in which the model made them: thinking between tool calls stays between them, with its signatures.

pub mod anthropic;
pub mod context;
pub mod error;
pub mod ollama;
pub mod openai_completions;
pub mod openai_responses;
pub mod partial;
pub mod retry;
mod sse;
pub mod usage;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use pizzapi_protocol::{Message, RawJson, StopReason, Usage};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::model::auth::Credential;
use crate::model::{Api, ModelSpec, ThinkingBudgets, ThinkingLevel};

pub use error::{ErrorKind, ProviderError};

/// Pieces that may wait between a provider's stream and the loop. A full channel slows the reading of the stream.
pub const PIECES_IN_FLIGHT: usize = 256;
/// Silence after which a response stream counts as dead.
pub const DEFAULT_IDLE_TIMEOUT: Duration = Duration::from_secs(300);
/// Largest error body that is read. Units: bytes.
const MAX_ERROR_BYTES: usize = 64 * 1024;
/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// A tool as a model is told about it.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolSpec {
    pub name: String,
    pub description: String,
    /// JSON schema of the arguments.
    pub parameters: Value,
}

/// How long a provider is asked to remember the prefix of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CacheRetention {
    /// Write nothing to the cache.
    None,
    #[default]
    Short,
    Long,
}

/// One request: everything that decides the answer.
#[derive(Debug, Clone)]
pub struct Request {
    pub model: ModelSpec,
    pub credential: Credential,
    pub system: String,
    /// Only user, assistant and tool result messages, made by [`context::prepare`].
    pub messages: Vec<Message>,
    pub tools: Vec<ToolSpec>,
    pub thinking: ThinkingLevel,
    pub budgets: ThinkingBudgets,
    /// Upper bound of the answer. Units: tokens.
    pub max_tokens: u64,
    pub session_id: String,
    pub cache: CacheRetention,
    pub idle_timeout: Option<Duration>,
}

/// One step of an answer. `index` is the position of the block in the message.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// The provider has begun to answer.
    Start {
        response_id: Option<String>,
        response_model: Option<String>,
    },
    TextStart {
        index: usize,
    },
    TextDelta {
        index: usize,
        delta: String,
    },
    TextEnd {
        index: usize,
        signature: Option<String>,
    },
    ThinkingStart {
        index: usize,
    },
    ThinkingDelta {
        index: usize,
        delta: String,
    },
    /// `redacted`: the thinking itself is not ours to read; the signature stands for it.
    ThinkingEnd {
        index: usize,
        signature: Option<String>,
        redacted: bool,
    },
    ToolStart {
        index: usize,
        id: String,
        name: String,
    },
    /// More of the arguments' JSON text.
    ToolDelta {
        index: usize,
        delta: String,
    },
    /// `arguments`: the whole text, when the provider repeats it; else what the deltas made.
    ToolEnd {
        index: usize,
        arguments: Option<String>,
        thought_signature: Option<String>,
    },
    /// Tokens so far; later values replace earlier ones.
    Usage(Usage),
}

/// How an answer ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Finish {
    pub reason: StopReason,
    /// The provider's own word.
    pub raw: Option<String>,
    /// Set when the answer itself says that it failed.
    pub error: Option<ProviderError>,
}

/// Where a provider puts the pieces of its answer.
#[derive(Debug, Clone)]
pub struct Sink {
    pieces: mpsc::Sender<Piece>,
    heard: Arc<AtomicI64>,
}

impl Sink {
    pub fn new(pieces: mpsc::Sender<Piece>, heard: Arc<AtomicI64>) -> Self {
        Self { pieces, heard }
    }

    /// Hand over one piece, waiting for room. A reader that has gone away is not an error here: the stream is about to be dropped.
    pub(crate) async fn put(&self, piece: Piece) {
        let _ = self.pieces.send(piece).await;
    }

    /// The provider was heard from just now.
    pub(crate) fn heard(&self) {
        self.heard.store(crate::clock::now_ms(), Ordering::Relaxed);
    }
}

/// Speaks every wire format. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Providers {
    client: reqwest::Client,
}

#[derive(Debug, thiserror::Error)]
#[error("failed to prepare the HTTP client: {0}")]
pub struct ClientError(#[from] reqwest::Error);

impl Providers {
    pub fn new() -> Result<Self, ClientError> {
        Ok(Self { client: http_client()? })
    }

    pub fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// Ask, and put the answer into `sink` piece by piece. Dropping the future closes the connection.
    pub async fn stream(&self, request: &Request, sink: &Sink) -> Result<Finish, ProviderError> {
        match request.model.api {
            Api::AnthropicMessages => anthropic::stream(&self.client, request, sink).await,
            Api::OpenaiCompletions => openai_completions::stream(&self.client, request, sink).await,
            Api::OpenaiResponses => openai_responses::stream(&self.client, request, sink).await,
            Api::Ollama => ollama::stream(&self.client, request, sink).await,
            Api::Demo => crate::demo::stream(request, sink).await,
        }
    }
}

/// A client that verifies like the system does, or with the bundled roots where the system has none.
fn http_client() -> Result<reqwest::Client, ClientError> {
    // Someone else may have installed a provider already; ours is the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = || {
        reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .user_agent(concat!("pizzapi/", env!("CARGO_PKG_VERSION")))
            .tcp_nodelay(true)
    };
    match builder().build() {
        Ok(client) => Ok(client),
        Err(error) => {
            tracing::debug!(%error, "no certificates of the system; the bundled roots are used");
            let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
            let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
            Ok(builder().tls_backend_preconfigured(config).build()?)
        }
    }
}

/// Send a JSON body and make sure of a good status; a bad one becomes a classified error.
pub(crate) async fn post(
    request: reqwest::RequestBuilder,
    body: &Value,
    idle: Option<Duration>,
) -> Result<reqwest::Response, ProviderError> {
    let sent = request.json(body).send();
    let response = match idle {
        Some(limit) => tokio::time::timeout(limit, sent).await.map_err(|_| ProviderError::idle(limit))?,
        None => sent.await,
    }
    .map_err(|error| ProviderError::connection(&error))?;
    if response.status().is_success() {
        return Ok(response);
    }
    Err(error::from_response(response, MAX_ERROR_BYTES).await)
}

/// Arguments that are sent back to a provider: always an object.
pub(crate) fn arguments_value(arguments: &RawJson) -> Value {
    match arguments.to::<Value>() {
        Ok(value @ Value::Object(_)) => value,
        _ => Value::Object(serde_json::Map::new()),
    }
}

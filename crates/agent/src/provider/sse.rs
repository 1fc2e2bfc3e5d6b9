//! Server-sent events of a response body, with an idle limit.

use std::pin::Pin;
use std::time::Duration;

use eventsource_stream::{Event, EventStreamError, Eventsource as _};
use futures_util::{Stream, StreamExt as _};

use super::{ProviderError, Sink};

pub(super) struct Events {
    stream: Pin<Box<dyn Stream<Item = Result<Event, EventStreamError<reqwest::Error>>> + Send>>,
    idle: Option<Duration>,
    sink: Sink,
}

impl Events {
    pub(super) fn new(response: reqwest::Response, idle: Option<Duration>, sink: &Sink) -> Self {
        let heard = sink.clone();
        let bytes = response.bytes_stream().inspect(move |_| heard.heard());
        Self { stream: Box::pin(bytes.eventsource()), idle, sink: sink.clone() }
    }

    /// The next event; None when the body ended.
    pub(super) async fn next(&mut self) -> Result<Option<Event>, ProviderError> {
        let next = match self.idle {
            Some(limit) => {
                tokio::time::timeout(limit, self.stream.next()).await.map_err(|_| ProviderError::idle(limit))?
            }
            None => self.stream.next().await,
        };
        self.sink.heard();
        match next {
            None => Ok(None),
            Some(Ok(event)) => Ok(Some(event)),
            Some(Err(EventStreamError::Transport(error))) => Err(ProviderError::connection(&error)),
            Some(Err(error)) => Err(ProviderError::unreadable(&error.to_string())),
        }
    }
}

/// Read the JSON of one event.
pub(super) fn parse<T: serde::de::DeserializeOwned>(data: &str) -> Result<T, ProviderError> {
    serde_json::from_str(data).map_err(|error| ProviderError::unreadable(&error.to_string()))
}

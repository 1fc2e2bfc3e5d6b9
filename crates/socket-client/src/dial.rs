//! From an endpoint to an open Engine.IO session.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::StreamExt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, client_async_tls_with_config};

use crate::config::{Config, Endpoint};
use crate::engine::{Frame, Open};
use crate::error::ConnectError;

pub(crate) type Ws = WebSocketStream<MaybeTlsStream<Guarded<TcpStream>>>;

/// Time for one of several addresses of a host, so that one black hole does not eat the whole deadline.
const ADDRESS_TIMEOUT: Duration = Duration::from_secs(5);
/// Enough for a batch of events in one system call, small enough for many clients in one process.
const BUFFER_BYTES: usize = 32 * 1024;

/// TLS with the web's root certificates, without touching the process-wide provider.
pub(crate) fn default_tls() -> Arc<rustls::ClientConfig> {
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring supports the default protocol versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

/// Connect, upgrade and read the open frame. The caller holds the deadline.
pub(crate) async fn dial(
    config: &Config,
    endpoint: &Endpoint,
    tls: Option<Arc<rustls::ClientConfig>>,
) -> Result<(Ws, Open), ConnectError> {
    let tcp = connect(&endpoint.host, endpoint.port).await.map_err(|source| ConnectError::Tcp {
        address: format!("{}:{}", endpoint.host, endpoint.port),
        source: Arc::new(source),
    })?;
    let stream = Guarded::new(tcp, config.write_timeout);

    let websocket = |error: WsError| ConnectError::WebSocket(Arc::new(error));
    let mut request = endpoint.request.as_str().into_client_request().map_err(websocket)?;
    for (name, value) in &endpoint.headers {
        request.headers_mut().append(name.clone(), value.clone());
    }
    let limits = WebSocketConfig::default()
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        .max_message_size(Some(config.max_message_bytes))
        .max_frame_size(Some(config.max_message_bytes));
    let connector = tls.map_or(Connector::Plain, Connector::Rustls);
    let (mut socket, _) =
        client_async_tls_with_config(request, stream, Some(limits), Some(connector)).await.map_err(websocket)?;

    loop {
        let text = match socket.next().await {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
            Some(Ok(other)) => return Err(ConnectError::Open(format!("unexpected first message: {other:?}"))),
            Some(Err(error)) => return Err(websocket(error)),
            None => return Err(ConnectError::Open("closed before the open frame".to_owned())),
        };
        let Ok(Frame::Open(parameters)) = Frame::decode(&text) else {
            return Err(ConnectError::Open("the first frame is not an open frame".to_owned()));
        };
        let open = serde_json::from_str(parameters).map_err(|error| ConnectError::Open(error.to_string()))?;
        return Ok((socket, open));
    }
}

async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let addresses: Vec<_> = tokio::net::lookup_host((host, port)).await?.collect();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for (index, address) in addresses.iter().enumerate() {
        let attempt = TcpStream::connect(address);
        let outcome = if index + 1 == addresses.len() {
            attempt.await
        } else {
            timeout(ADDRESS_TIMEOUT, attempt).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        };
        match outcome {
            Ok(stream) => {
                // Without it small frames wait for the peer's delayed acknowledgement.
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A stream whose writes fail when the peer accepts nothing for too long.
///
/// A peer that is suspended or cut off keeps its side open: without this a write would wait for the kernel's own patience,
/// a quarter of an hour. Progress restarts the clock, so a large message over a slow line is fine.
pub(crate) struct Guarded<S> {
    stream: S,
    patience: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<S> Guarded<S> {
    pub fn new(stream: S, patience: Duration) -> Self {
        Self { stream, patience, waiting: None }
    }

    fn guard<T>(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.waiting = None;
            return outcome;
        }
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(self.patience)));
        match waiting.as_mut().poll(cx) {
            Poll::Ready(()) => {
                waiting.as_mut().reset(Instant::now() + self.patience);
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer accepts no data")))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.guard(cx, outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(cx);
        self.guard(cx, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

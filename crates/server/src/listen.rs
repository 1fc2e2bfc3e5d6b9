//! Accepting connections: TLS when configured, a guard against peers that stop reading, a bounded drain.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use http::Request;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::Sleep;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use crate::app::App;
use crate::auth::origin::Peer;
use crate::config::TlsFiles;

/// A peer that takes nothing for this long is gone, whatever its TCP connection says.
pub const WRITE_STALL: Duration = Duration::from_secs(15);
/// A client must finish its request head within this time.
const HEADER_TIMEOUT: Duration = Duration::from_secs(15);
const TLS_HANDSHAKE: Duration = Duration::from_secs(10);
/// Connections at once; further ones wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 50_000;
/// Requests under way may take this long once the server is asked to stop.
const DRAIN: Duration = Duration::from_secs(3);
/// Pause after the system refused a connection (usually: too many open files).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why the server cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error("port {} on {} is in use\n\nhint: another server may be running; stop it, or choose another port with --port", .0.port(), .0.ip())]
    InUse(SocketAddr),
    #[error(
        "no permission to listen on {0}\n\nhint: ports below 1024 need special rights; choose a higher one with --port"
    )]
    NotAllowed(SocketAddr),
    #[error(
        "cannot listen on {address}: {source}\n\nhint: the address must belong to this machine; 127.0.0.1 always does"
    )]
    Bind { address: SocketAddr, source: io::Error },
    #[error("the listening socket failed: {0}")]
    Accept(io::Error),
    #[error("cannot use the TLS {what} `{}`: {reason}\n\nhint: give PEM files with --tls-cert and --tls-key", path.display())]
    Tls { what: &'static str, path: PathBuf, reason: String },
}

pub async fn bind(address: SocketAddr) -> Result<TcpListener, ListenError> {
    TcpListener::bind(address).await.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => ListenError::InUse(address),
        io::ErrorKind::PermissionDenied => ListenError::NotAllowed(address),
        _ => ListenError::Bind { address, source },
    })
}

/// TLS with the operator's certificate.
#[derive(Clone)]
pub struct Tls(TlsAcceptor);

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    pub fn load(files: &TlsFiles) -> Result<Self, ListenError> {
        let certificate_error =
            |reason: String| ListenError::Tls { what: "certificate", path: files.certificate.clone(), reason };
        let key_error = |reason: String| ListenError::Tls { what: "key", path: files.key.clone(), reason };
        let chain = CertificateDer::pem_file_iter(&files.certificate)
            .map_err(|error| certificate_error(error.to_string()))?
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| certificate_error(error.to_string()))?;
        if chain.is_empty() {
            return Err(certificate_error("it holds no certificate".to_owned()));
        }
        let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| key_error(error.to_string()))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| key_error(error.to_string()))?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| key_error(error.to_string()))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }
}

/// Accept until the server drains, then wait a little for what is under way.
pub async fn serve(app: App, listener: TcpListener, tls: Option<Tls>, router: axum::Router) {
    let graceful = GracefulShutdown::new();
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let open = app.metrics.gauge("pizzapi_connections", &[]);
    loop {
        let Ok(slot) = slots.clone().acquire_owned().await else { break };
        let (stream, peer) = tokio::select! {
            () = app.shutdown.begun() => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "the connection ended before it began");
            continue;
        }
        let stream = Guarded::new(stream);
        let router = router.clone();
        let watcher = graceful.watcher();
        let tls = tls.clone();
        let open = open.clone();
        app.tasks.spawn("connection", async move {
            open.increment(1.0);
            match tls {
                None => connection(TokioIo::new(stream), peer, router, watcher).await,
                Some(tls) => match tokio::time::timeout(TLS_HANDSHAKE, tls.0.accept(stream)).await {
                    Ok(Ok(stream)) => connection(TokioIo::new(stream), peer, router, watcher).await,
                    Ok(Err(error)) => tracing::debug!(%error, %peer, "TLS handshake failed"),
                    Err(_) => tracing::debug!(%peer, "TLS handshake took too long"),
                },
            }
            open.decrement(1.0);
            drop(slot);
        });
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::debug!("some requests were still under way and are cut");
    }
}

async fn connection<I>(io: I, peer: SocketAddr, router: axum::Router, watcher: hyper_util::server::graceful::Watcher)
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let service = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Peer(peer.ip()));
        router.clone().oneshot(request)
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(Duration::from_secs(30));
    let connection = builder.serve_connection_with_upgrades(io, service).into_owned();
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, %peer, "connection ended with an error");
    }
}

/// A stream whose writes fail when the peer takes nothing for [`WRITE_STALL`].
///
/// Without it a peer with a full TCP window would hold its tasks, rooms and buffers for ever.
pub struct Guarded<S> {
    stream: S,
    stalled: Option<Pin<Box<Sleep>>>,
    limit: Duration,
}

impl Guarded<TcpStream> {
    fn new(stream: TcpStream) -> Self {
        Self { stream, stalled: None, limit: WRITE_STALL }
    }
}

impl<S> Guarded<S> {
    fn guard<T>(&mut self, cx: &mut Context<'_>, progress: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if progress.is_ready() {
            self.stalled = None;
            return progress;
        }
        let limit = self.limit;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        match stalled.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer stopped reading"))),
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
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let progress = Pin::new(&mut self.stream).poll_write(cx, data);
        self.guard(cx, progress)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let progress = Pin::new(&mut self.stream).poll_write_vectored(cx, data);
        self.guard(cx, progress)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    // Nothing is buffered below: only writes can stall, and a flush must not count as progress.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_stops_reading_is_given_up() {
        let (ours, _theirs) = tokio::io::duplex(16);
        let mut guarded = Guarded { stream: ours, stalled: None, limit: WRITE_STALL };
        let error = guarded.write_all(&[0; 64]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_peer_that_keeps_reading_is_kept() {
        let (ours, mut theirs) = tokio::io::duplex(16);
        let mut guarded = Guarded { stream: ours, stalled: None, limit: WRITE_STALL };
        let reader = async {
            let mut buffer = [0; 16];
            for _ in 0..4 {
                tokio::time::sleep(WRITE_STALL - Duration::from_secs(1)).await;
                theirs.read_exact(&mut buffer).await.unwrap();
            }
        };
        let (written, ()) = tokio::join!(guarded.write_all(&[0; 64]), reader);
        written.unwrap();
    }
}

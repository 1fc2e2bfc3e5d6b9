//! A TCP proxy that misbehaves on command.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    /// Every connection is closed, new ones are refused.
    Cut,
    /// Nothing passes, nothing closes.
    Stall,
    /// Only the way to the relay works.
    UpOnly,
    /// Only the way from the relay works.
    DownOnly,
    /// Every chunk is late.
    Delay(u64),
}

pub struct Proxy {
    pub port: u16,
    fault: Arc<watch::Sender<Fault>>,
}

impl Proxy {
    pub async fn start(target: u16) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let fault = Arc::new(watch::Sender::new(Fault::None));
        let faults = fault.clone();
        tokio::spawn(async move {
            loop {
                let Ok((client, _)) = listener.accept().await else { return };
                if *faults.borrow() == Fault::Cut {
                    continue;
                }
                let faults = faults.subscribe();
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(("127.0.0.1", target)).await else { return };
                    let _no_delay = (client.set_nodelay(true), server.set_nodelay(true));
                    let (client_read, client_write) = client.into_split();
                    let (server_read, server_write) = server.into_split();
                    let mut cut = faults.clone();
                    tokio::select! {
                        () = copy(client_read, server_write, faults.clone(), Fault::DownOnly) => {}
                        () = copy(server_read, client_write, faults, Fault::UpOnly) => {}
                        _ = cut.wait_for(|fault| *fault == Fault::Cut) => {}
                    }
                });
            }
        });
        Ok(Self { port, fault })
    }

    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }
}

/// Forward until an end; hold back while the fault forbids this direction.
async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut faults: watch::Receiver<Fault>, blocked_by: Fault) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let Ok(length) = from.read(&mut buffer).await else { return };
        if length == 0 {
            return;
        }
        let passes = |fault: &Fault| *fault != Fault::Stall && *fault != blocked_by;
        if faults.wait_for(passes).await.is_err() {
            return;
        }
        let delay = match *faults.borrow() {
            Fault::Delay(milliseconds) => Some(milliseconds),
            _ => None,
        };
        if let Some(milliseconds) = delay {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

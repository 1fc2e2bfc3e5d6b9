//! From the terminals to the relay: in order, in as few frames as keep it fluent, and never more than a bounded tail while the relay is away.

use std::collections::{HashMap, VecDeque};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use pizzapi_protocol::events::Event;
use pizzapi_protocol::ids::TerminalId;
use pizzapi_protocol::runner::from_client;
use pizzapi_protocol::terminal::{TerminalData, TerminalExit};
use pizzapi_socket_client::Handle;
use tokio::sync::{mpsc, watch};

use crate::pty::Output;

/// Most bytes in one frame.
const FRAME_BYTES: usize = 32 * 1024;
/// Output kept per terminal while there is no connection; the oldest goes first, as on a screen.
const TAIL_BYTES: usize = 256 * 1024;

#[derive(Default)]
struct Stream {
    /// Bytes of output before what is kept.
    offset: u64,
    kept: VecDeque<u8>,
    exit: Option<i32>,
}

/// Runs until the terminals' channel closes. `registered` says whether the relay knows this runner on the current connection.
/// Ids of terminals whose end was reported go to `gone`.
pub async fn run(
    mut output: mpsc::Receiver<(String, Output)>,
    handle: Handle,
    mut registered: watch::Receiver<bool>,
    gone: mpsc::Sender<String>,
) {
    let mut streams: HashMap<String, Stream> = HashMap::new();
    let mut open = true;
    loop {
        let is_registered = *registered.borrow_and_update();
        if is_registered {
            flush(&mut streams, &handle, &gone).await;
        }
        if !open && streams.is_empty() {
            return;
        }
        tokio::select! {
            next = output.recv(), if open => match next {
                Some(first) => {
                    take(&mut streams, first);
                    // What is already waiting goes into the same frames. A single key press never waits for more.
                    while let Ok(more) = output.try_recv() {
                        take(&mut streams, more);
                    }
                }
                None => open = false,
            },
            changed = registered.changed() => if changed.is_err() {
                return;
            },
        }
    }
}

fn take(streams: &mut HashMap<String, Stream>, (id, output): (String, Output)) {
    let stream = streams.entry(id).or_default();
    match output {
        Output::Data(bytes) => {
            stream.kept.extend(bytes);
            if let Some(excess) = stream.kept.len().checked_sub(TAIL_BYTES) {
                stream.kept.drain(..excess);
                stream.offset += excess as u64;
            }
        }
        Output::Exit(code) => stream.exit = Some(code),
    }
}

async fn flush(streams: &mut HashMap<String, Stream>, handle: &Handle, gone: &mpsc::Sender<String>) {
    let mut ended = Vec::new();
    for (id, stream) in streams.iter_mut() {
        let terminal_id = TerminalId::from(id.as_str());
        while !stream.kept.is_empty() {
            let length = stream.kept.len().min(FRAME_BYTES);
            let bytes: Vec<u8> = stream.kept.iter().take(length).copied().collect();
            let data = TerminalData {
                terminal_id: terminal_id.clone(),
                data: BASE64.encode(&bytes),
                offset: Some(stream.offset),
                replay: None,
            };
            if !send::<from_client::TerminalData>(handle, &data).await {
                return; // kept for the next connection
            }
            stream.kept.drain(..length);
            stream.offset += length as u64;
        }
        if let Some(exit_code) = stream.exit {
            if !send::<from_client::TerminalExit>(handle, &TerminalExit { terminal_id, exit_code }).await {
                return;
            }
            ended.push(id.clone());
        }
    }
    for id in ended {
        streams.remove(&id);
        let _daemon_ended = gone.send(id).await;
    }
}

/// Waits for room in the connection, which is how a slow relay slows the programs in the terminals.
async fn send<E: Event>(handle: &Handle, payload: &E::Payload) -> bool {
    handle.emit_when_ready::<E>(payload).await.is_ok()
}

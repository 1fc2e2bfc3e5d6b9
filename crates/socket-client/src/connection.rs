//! One connection, from the open frame to its end: a reader and a writer in one task.
//!
//! They are separate futures so that a consumer that takes its time stops the reading, and with it the server, but not our
//! own messages.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, SplitSink, SplitStream};
use futures_util::{FutureExt, SinkExt, StreamExt, future::BoxFuture};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::{Error as WsError, Message, Utf8Bytes};
use tokio_util::sync::CancellationToken;

use crate::Status;
use crate::acks;
use crate::backoff::{Backoff, spread};
use crate::config::{AuthError, Config, Join, OnRejection};
use crate::dial::Ws;
use crate::engine::{Frame, Open};
use crate::error::{ClientError, Reason};
use crate::incoming::{Queued, RawSignal};
use crate::link::{Core, Link, Outbound, Outgoing};
use crate::packet::{self, Packet};

/// How long queued messages may take to leave after `disconnect`.
pub(crate) const DRAIN_TIMEOUT: Duration = Duration::from_secs(3);
/// Answers to pings and the like; a server that sends more without reading is not worth buffering for.
const CONTROL_MESSAGES: usize = 16;
/// Messages are flushed together up to this size.
const BATCH_BYTES: usize = 256 * 1024;

/// One namespace of a client, as the loop sees it.
pub(crate) struct Slot {
    pub core: Arc<Core>,
    pub join: Join,
    /// `None` once the slot is stopped: the consumer reads to the end and no further.
    pub signals: Option<mpsc::Sender<Queued>>,
    pub budget: Arc<Semaphore>,
    pub budget_bytes: usize,
    pub state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Not in the namespace; credentials are being prepared or a delay passes.
    Preparing,
    /// CONNECT was sent.
    Asked {
        until: Instant,
    },
    Joined,
    /// Never again: stopped by the owner or by the rejection policy.
    Stopped,
}

impl Slot {
    /// Put a signal into the consumer's queue, waiting for room. Gives up when the slot is stopped.
    pub async fn deliver(&self, signal: RawSignal, bytes: usize) {
        let Some(signals) = &self.signals else { return };
        let share = u32::try_from(bytes.min(self.budget_bytes)).unwrap_or(u32::MAX);
        let put = async {
            let budget = match share {
                0 => None,
                _ => self.budget.clone().acquire_many_owned(share).await.ok(),
            };
            signals.send(Queued { signal, _budget: budget }).await
        };
        tokio::select! {
            biased;
            outcome = put => if outcome.is_err() {
                // Nobody will ever take another event.
                self.core.stop.cancel();
            },
            () = self.core.stop.cancelled() => {}
        }
    }

    /// Leave the namespace locally. Returns whether we were in it.
    pub fn leave(&mut self) -> bool {
        if self.state != State::Stopped {
            self.state = State::Preparing;
        }
        let link = self.core.current.lock().take();
        let was_alive = link.is_some_and(|link| link.kill());
        self.core.acks.lock().fail_all(&self.core.absent());
        was_alive
    }

    /// Leave for good. Returns whether we were in the namespace.
    pub fn stop(&mut self) -> bool {
        let joined = self.leave();
        self.state = State::Stopped;
        if let Some(signals) = self.signals.take()
            && joined
        {
            // The consumer may be the one that asked and does not listen any more: no waiting.
            let _ = signals.try_send(Queued { signal: RawSignal::Disconnected(Reason::Requested), _budget: None });
        }
        self.core.status.send_replace(Status::Closed);
        joined
    }

    fn is_active(&self) -> bool {
        self.state != State::Stopped
    }
}

/// How a connection ended.
pub(crate) struct Ended {
    pub reason: Reason,
    /// The server named a delay by refusing us; otherwise the usual backoff.
    pub retry_in: Option<Duration>,
    /// Since the first namespace was joined.
    pub lived: Option<Duration>,
}

type Prepared = (usize, Result<serde_json::Value, AuthError>);
pub(crate) type Stops = FuturesUnordered<BoxFuture<'static, usize>>;

/// Serve an open connection until it ends. Slots are left by the caller, who tells the consumers.
pub(crate) async fn serve(
    ws: Ws,
    open: Open,
    config: &Config,
    slots: &mut [Slot],
    stops: &mut Stops,
    deadline: Instant,
    backoff: &mut Backoff,
) -> Ended {
    let limit = open.payload_limit(config.max_message_bytes);
    let (outbound, frames) = Outbound::new(config.outbound_messages, config.outbound_bytes, limit);
    let (control, controls) = mpsc::channel(CONTROL_MESSAGES);
    let (sink, stream) = ws.split();
    let close = CancellationToken::new();

    let mut reader = Reader {
        stream,
        slots,
        stops,
        outbound,
        control,
        joins: FuturesUnordered::new(),
        deadline,
        config,
        backoff,
        silence: open.silence(),
        heard: Instant::now(),
        binaries: 0,
        joined_at: None,
        retry_in: None,
    };
    let writer = write(sink, frames, controls, close.clone());
    tokio::pin!(writer);

    let reason = {
        let reading = reader.run();
        tokio::pin!(reading);
        tokio::select! {
            reason = &mut reading => reason,
            error = &mut writer => lost(error.err(), config),
        }
    };
    if reason == Reason::Requested {
        close.cancel();
        if timeout(DRAIN_TIMEOUT, &mut writer).await.is_err() {
            tracing::debug!("gave up sending what was queued before the disconnect");
        }
    }
    Ended { reason, retry_in: reader.retry_in, lived: reader.joined_at.map(|at| at.elapsed()) }
}

/// Send what is queued, several messages per flush. Returns after `close`, when everything queued before it is sent.
async fn write(
    mut sink: SplitSink<Ws, Message>,
    mut frames: mpsc::Receiver<Outgoing>,
    mut controls: mpsc::Receiver<String>,
    close: CancellationToken,
) -> Result<(), WsError> {
    loop {
        let first = tokio::select! {
            biased;
            Some(text) = controls.recv() => text,
            Some(frame) = frames.recv() => frame.text,
            () = close.cancelled() => break,
        };
        let mut batched = first.len();
        sink.feed(Message::Text(first.into())).await?;
        while batched < BATCH_BYTES {
            let Some(text) = controls.try_recv().ok().or_else(|| frames.try_recv().ok().map(|frame| frame.text)) else {
                break;
            };
            batched += text.len();
            sink.feed(Message::Text(text.into())).await?;
        }
        sink.flush().await?;
    }
    frames.close();
    while let Some(frame) = frames.recv().await {
        sink.feed(Message::Text(frame.text.into())).await?;
    }
    sink.flush().await?;
    sink.close().await
}

fn lost(error: Option<WsError>, config: &Config) -> Reason {
    match error {
        None | Some(WsError::ConnectionClosed | WsError::AlreadyClosed) => Reason::Closed,
        Some(WsError::Io(error)) if error.kind() == std::io::ErrorKind::TimedOut => {
            Reason::Stalled(config.write_timeout)
        }
        Some(error) => Reason::Lost(error.to_string()),
    }
}

struct Reader<'a> {
    stream: SplitStream<Ws>,
    slots: &'a mut [Slot],
    stops: &'a mut Stops,
    outbound: Outbound,
    control: mpsc::Sender<String>,
    /// Credentials being prepared, after a delay if one is due.
    joins: FuturesUnordered<BoxFuture<'static, Prepared>>,
    /// Of the whole first attempt: TCP to CONNECT.
    deadline: Instant,
    config: &'a Config,
    backoff: &'a mut Backoff,
    silence: Duration,
    heard: Instant,
    /// Binary attachments that belong to events we passed over.
    binaries: usize,
    joined_at: Option<Instant>,
    retry_in: Option<Duration>,
}

impl Reader<'_> {
    async fn run(&mut self) -> Reason {
        for index in 0..self.slots.len() {
            if self.slots[index].is_active() {
                self.slots[index].state = State::Preparing;
                self.prepare(index, Duration::ZERO);
            }
        }
        let silent = sleep_until(self.heard + self.silence);
        tokio::pin!(silent);
        loop {
            let first_deadline = self.connect_deadline();
            let step = tokio::select! {
                biased;
                Some(index) = self.stops.next(), if !self.stops.is_empty() => self.stop(index).await,
                Some((index, auth)) = self.joins.next(), if !self.joins.is_empty() => self.ask(index, auth).await,
                message = self.stream.next() => {
                    self.heard = Instant::now();
                    let step = self.message(message).await;
                    // The consumer may have kept us from listening; that is not the server's silence.
                    self.heard = Instant::now();
                    step
                }
                () = &mut silent => {
                    let due = self.heard + self.silence;
                    if due <= Instant::now() { Err(Reason::Silent(self.silence)) } else { silent.as_mut().reset(due); Ok(()) }
                }
                () = sleep_until(first_deadline.unwrap_or(self.heard)), if first_deadline.is_some() => {
                    Err(Reason::ConnectDeadline(self.config.connect_timeout))
                }
            };
            if let Err(reason) = step {
                return reason;
            }
        }
    }

    /// The earliest moment at which a namespace must have been joined.
    fn connect_deadline(&self) -> Option<Instant> {
        let asked = self.slots.iter().filter_map(|slot| match slot.state {
            State::Asked { until } => Some(until),
            _ => None,
        });
        // Slow credentials count against the attempt, too, as long as nothing has been joined.
        let preparing = (self.joined_at.is_none() && self.slots.iter().any(|slot| slot.state == State::Preparing))
            .then_some(self.deadline);
        asked.chain(preparing).min()
    }

    fn prepare(&mut self, index: usize, delay: Duration) {
        let auth = self.slots[index].join.auth.clone();
        self.joins.push(
            async move {
                if !delay.is_zero() {
                    sleep(delay).await;
                }
                (index, auth().await)
            }
            .boxed(),
        );
    }

    async fn ask(&mut self, index: usize, auth: Result<serde_json::Value, AuthError>) -> Result<(), Reason> {
        if self.slots[index].state != State::Preparing {
            return Ok(());
        }
        let namespace = self.slots[index].core.namespace.clone();
        let auth = match auth {
            Ok(auth) => auth,
            Err(error) => {
                tracing::warn!(%namespace, %error, "failed to prepare credentials");
                let delay = self.backoff.next_delay(rand::random());
                return self.try_again(index, delay, Reason::Lost(format!("failed to prepare credentials: {error}")));
            }
        };
        let data = (!auth.is_null()).then(|| auth.to_string());
        let text = packet::encode(&Packet::Connect { namespace: &namespace, data: data.as_deref() });
        let until = match self.joined_at {
            None => self.deadline,
            Some(_) => Instant::now() + self.config.connect_timeout,
        };
        self.slots[index].state = State::Asked { until };
        self.control(Frame::Message(&text)).await;
        Ok(())
    }

    /// Ask for a namespace again: on this connection when another namespace lives on it, otherwise on a new one.
    fn try_again(&mut self, index: usize, delay: Duration, reason: Reason) -> Result<(), Reason> {
        self.slots[index].state = State::Preparing;
        let shared = self.slots.iter().any(|slot| matches!(slot.state, State::Joined | State::Asked { .. }));
        if shared {
            self.prepare(index, delay);
            return Ok(());
        }
        self.retry_in = Some(delay);
        Err(reason)
    }

    /// The owner wants no more of this namespace.
    async fn stop(&mut self, index: usize) -> Result<(), Reason> {
        let slot = &mut self.slots[index];
        let namespace = slot.core.namespace.clone();
        if slot.stop() {
            // Through the queue, behind everything that was sent before.
            let farewell = packet::encode(&Packet::Disconnect { namespace: &namespace });
            self.outbound.send_control(Frame::Message(&farewell).encode()).await;
        }
        if !self.slots.iter().any(Slot::is_active) {
            return Err(Reason::Requested);
        }
        self.slots[index].core.finished.cancel();
        Ok(())
    }

    async fn control(&mut self, frame: Frame<'_>) {
        // Fails only when the writer is gone, which ends this loop by itself.
        let _ = self.control.send(frame.encode()).await;
    }

    async fn message(&mut self, message: Option<Result<Message, WsError>>) -> Result<(), Reason> {
        match message {
            Some(Ok(Message::Text(text))) => self.text(text).await,
            Some(Ok(Message::Binary(bytes))) => {
                if self.binaries == 0 {
                    tracing::debug!(bytes = bytes.len(), "ignored a binary message that belongs to no event");
                }
                self.binaries = self.binaries.saturating_sub(1);
                Ok(())
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(()),
            Some(Ok(Message::Close(_))) | None => Err(Reason::Closed),
            Some(Err(error)) => Err(lost(Some(error), self.config)),
        }
    }

    async fn text(&mut self, text: Utf8Bytes) -> Result<(), Reason> {
        let frame = Frame::decode(&text).map_err(|error| Reason::Protocol(error.to_string()))?;
        let packet = match frame {
            Frame::Message(packet) => packet,
            Frame::Ping(data) => {
                self.control(Frame::Pong(data)).await;
                return Ok(());
            }
            Frame::Pong(_) | Frame::Noop | Frame::Upgrade => return Ok(()),
            Frame::Close => return Err(Reason::Closed),
            Frame::Open(_) => return Err(Reason::Protocol("a second open frame".to_owned())),
        };
        match packet::decode(packet).map_err(|error| Reason::Protocol(error.to_string()))? {
            Packet::Event { namespace, .. } => {
                let Some(index) = self.find(namespace) else { return Ok(()) };
                let slot = &self.slots[index];
                let link = slot.core.current.lock().clone();
                if let Some(link) = link.filter(|_| slot.state == State::Joined) {
                    let bytes = text.len();
                    slot.deliver(RawSignal::Event(text, link), bytes).await;
                }
                Ok(())
            }
            Packet::Ack { namespace, id, data } => {
                let Some(index) = self.find(namespace) else { return Ok(()) };
                let answer = packet::ack_data(data)
                    .map_err(|source| ClientError::Decode { event: "acknowledgement", source: Arc::new(source) });
                self.resolve(index, id, answer);
                Ok(())
            }
            Packet::Connect { namespace, data } => match self.find(namespace) {
                Some(index) => self.joined(index, data).await,
                None => Ok(()),
            },
            Packet::ConnectError { namespace, data } => match self.find(namespace) {
                Some(index) => self.rejected(index, data).await,
                None => Ok(()),
            },
            Packet::Disconnect { namespace } => match self.find(namespace) {
                Some(index) => self.dismissed(index).await,
                None => Ok(()),
            },
            Packet::BinaryEvent { namespace, attachments, .. } => {
                tracing::debug!(%namespace, attachments, "ignored a binary event");
                self.binaries += attachments;
                Ok(())
            }
            Packet::BinaryAck { namespace, attachments, id, .. } => {
                self.binaries += attachments;
                if let Some(index) = self.find(namespace) {
                    let source =
                        <serde_json::Error as serde::de::Error>::custom("binary acknowledgements are not supported");
                    let error = ClientError::Decode { event: "acknowledgement", source: Arc::new(source) };
                    self.resolve(index, id, Err(error));
                }
                Ok(())
            }
        }
    }

    fn find(&self, namespace: &str) -> Option<usize> {
        // A server may repeat the query we never send; the path decides.
        let path = namespace.split_once('?').map_or(namespace, |(path, _)| path);
        self.slots.iter().position(|slot| &*slot.core.namespace == path && slot.is_active())
    }

    fn resolve(&self, index: usize, id: u64, answer: acks::Answer) {
        if !self.slots[index].core.acks.lock().resolve(id, answer) {
            tracing::debug!(id, "an acknowledgement came after its deadline");
        }
    }

    async fn joined(&mut self, index: usize, data: Option<&str>) -> Result<(), Reason> {
        #[derive(serde::Deserialize)]
        struct Joined {
            sid: String,
        }
        if !matches!(self.slots[index].state, State::Asked { .. }) {
            return Ok(());
        }
        let Joined { sid } = data
            .and_then(|data| serde_json::from_str(data).ok())
            .ok_or_else(|| Reason::Protocol("the connect answer has no sid".to_owned()))?;
        let now = Instant::now();
        self.joined_at.get_or_insert(now);
        let slot = &mut self.slots[index];
        slot.state = State::Joined;
        let link = Link::new(slot.core.clone(), sid, self.outbound.clone());
        *slot.core.current.lock() = Some(link.clone());
        slot.core.status.send_replace(Status::Connected);
        slot.deliver(RawSignal::Connected(link), 0).await;
        Ok(())
    }

    async fn rejected(&mut self, index: usize, data: Option<&str>) -> Result<(), Reason> {
        #[derive(serde::Deserialize)]
        struct Refusal {
            message: String,
        }
        // Old servers send the bare text.
        let message = data.map_or_else(String::new, |data| {
            serde_json::from_str::<Refusal>(data)
                .map(|refusal| refusal.message)
                .or_else(|_| serde_json::from_str::<String>(data))
                .unwrap_or_else(|_| data.to_owned())
        });
        let jitter = self.config.backoff.jitter;
        let retry_in = match (self.slots[index].join.on_rejection)(&message) {
            OnRejection::Stop => None,
            OnRejection::RetryAfter(delay) => Some(spread(delay, jitter, rand::random())),
            OnRejection::Backoff => Some(self.backoff.next_delay(rand::random())),
        };
        let slot = &mut self.slots[index];
        tracing::warn!(namespace = %slot.core.namespace, %message, ?retry_in, "the server refused the connection");
        slot.leave();
        slot.state = State::Preparing;
        if let Some(delay) = retry_in {
            slot.core.status.send_replace(Status::Waiting {
                attempt: self.backoff.failures(),
                until: Instant::now() + delay,
                error: message.clone(),
            });
        }
        slot.deliver(RawSignal::Rejected { message: message.clone(), retry_in }, 0).await;
        match retry_in {
            Some(delay) => self.try_again(index, delay, Reason::Lost(message)),
            None => {
                // The stop future of this slot does the rest; it also ends the connection when this was the last slot.
                self.slots[index].core.stop.cancel();
                Ok(())
            }
        }
    }

    /// The server took the namespace away from us. We want it back.
    async fn dismissed(&mut self, index: usize) -> Result<(), Reason> {
        let slot = &mut self.slots[index];
        if slot.state != State::Joined {
            return Ok(());
        }
        slot.leave();
        let shared = self.slots.iter().any(|slot| matches!(slot.state, State::Joined | State::Asked { .. }));
        if !shared {
            // Told by the caller, like every end of a connection.
            self.slots[index].state = State::Joined;
            return Err(Reason::Server);
        }
        self.slots[index].deliver(RawSignal::Disconnected(Reason::Server), 0).await;
        let delay = self.backoff.next_delay(rand::random());
        self.try_again(index, delay, Reason::Server)
    }
}

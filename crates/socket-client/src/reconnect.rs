//! Keeps a connection alive: attempt, serve, wait, for as long as somebody holds a handle.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::Status;
use crate::backoff::Backoff;
use crate::config::{Config, Endpoint};
use crate::connection::{Ended, Slot, State, Stops, serve};
use crate::dial::{default_tls, dial};
use crate::error::{ConnectError, Reason};
use crate::incoming::RawSignal;

pub(crate) async fn run(config: Config, endpoint: Endpoint, mut slots: Vec<Slot>) {
    let tls = endpoint.secure.then(|| config.tls.clone().unwrap_or_else(default_tls));
    let mut backoff = Backoff::new(config.backoff);
    let mut stops: Stops = slots
        .iter()
        .enumerate()
        .map(|(index, slot)| slot.core.stop.clone().cancelled_owned().map(move |()| index).boxed())
        .collect();

    while slots.iter().any(|slot| slot.state != State::Stopped) {
        let attempt = backoff.failures();
        status(&slots, |_| Status::Connecting { attempt });
        let deadline = Instant::now() + config.connect_timeout;
        let dialed = tokio::select! {
            biased;
            Some(index) = stops.next() => {
                stop(&mut slots, index);
                continue;
            }
            dialed = timeout_at(deadline, dial(&config, &endpoint, tls.clone())) => {
                dialed.unwrap_or(Err(ConnectError::Deadline(config.connect_timeout)))
            }
        };
        let (error, delay) = match dialed {
            Ok((ws, open)) => {
                tracing::debug!(engine.sid = %open.sid, "connection open");
                let ended = serve(ws, open, &config, &mut slots, &mut stops, deadline, &mut backoff).await;
                let Ended { reason, retry_in, lived } = ended;
                if let Some(lived) = lived {
                    backoff.connection_lived(lived);
                    tracing::info!(%reason, lived_ms = lived.as_millis() as u64, "connection ended");
                }
                leave_all(&mut slots, &reason).await;
                (reason.to_string(), retry_in)
            }
            Err(error) => {
                if backoff.failures() == 0 {
                    tracing::warn!(%error, "failed to connect, trying again");
                } else {
                    tracing::debug!(%error, attempt, "failed to connect");
                }
                (error.to_string(), None)
            }
        };
        if slots.iter().all(|slot| slot.state == State::Stopped) {
            break;
        }
        let delay = delay.unwrap_or_else(|| backoff.next_delay(rand::random()));
        wait(&mut slots, &mut stops, delay, &error, backoff.failures()).await;
    }
    for slot in &slots {
        slot.core.acks.lock().fail_all(&slot.core.absent());
        slot.core.finished.cancel();
    }
}

/// Let the delay pass, unless everybody leaves meanwhile.
async fn wait(slots: &mut [Slot], stops: &mut Stops, delay: Duration, error: &str, attempt: u32) {
    let until = Instant::now() + delay;
    status(slots, |_| Status::Waiting { attempt, until, error: error.to_owned() });
    loop {
        tokio::select! {
            biased;
            Some(index) = stops.next() => {
                stop(slots, index);
                if slots.iter().all(|slot| slot.state == State::Stopped) {
                    return;
                }
            }
            () = sleep_until(until) => return,
        }
    }
}

fn stop(slots: &mut [Slot], index: usize) {
    slots[index].stop();
    slots[index].core.finished.cancel();
}

/// Tell every consumer that was connected, in order, behind the events it still has to take.
async fn leave_all(slots: &mut [Slot], reason: &Reason) {
    for slot in slots {
        let joined = slot.state == State::Joined;
        slot.leave();
        if joined {
            slot.deliver(RawSignal::Disconnected(reason.clone()), 0).await;
        }
    }
}

fn status(slots: &[Slot], make: impl Fn(&Arc<crate::link::Core>) -> Status) {
    for slot in slots.iter().filter(|slot| slot.state != State::Stopped) {
        slot.core.status.send_replace(make(&slot.core));
    }
}

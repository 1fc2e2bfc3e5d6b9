//! `/relay`: one task per connection of a session's process. It is the only writer of its session.

mod end;
pub mod family;
mod pipeline;
mod register;

use std::sync::Arc;

use pizzapi_protocol::relay::{FromClient, RelayEvent, from_server};
use pizzapi_protocol::{ErrorEvent, MetaEvent, RelayAuth, SessionId, UserId};
use socketioxide::socket::DisconnectReason;
use tokio::sync::mpsc;

use super::Conn;
use crate::app::App;
use crate::core::chunks::Assembly;
use crate::core::lifecycle::{Grace, Loss, Presence};
use crate::core::thinking::Clocks;
use crate::fanout::Room;
use crate::inbox::{Arrived, Bounds};
use crate::log::Epoch;
use crate::outbox::Outbox;
use crate::route::{RelayHandle, RelayOrder};
use crate::socket::{commands, decisions};

pub use end::{End, end_session};
pub use register::{announce_presence, tell_viewers};

/// Room for a burst: our own sessions keep a window far below it, published ones do not count what they send.
pub const BOUNDS: Bounds<FromClient> = Bounds { events: 4096, bytes: 128 * 1024 * 1024, sheds: is_streamed };
/// Events handled, and written, in one go.
const BATCH: usize = 256;
const ORDERS: usize = 64;

fn is_streamed(event: &FromClient) -> bool {
    let FromClient::Event(RelayEvent { event, .. }) = event else { return false };
    matches!(&*crate::core::classify::kind(event.get()), "message_update" | "tool_execution_update" | "heartbeat")
}

/// What this connection owns: one session, from one registration to the next.
struct Owned {
    session: SessionId,
    id: Arc<str>,
    user: UserId,
    epoch: Epoch,
    token: String,
    handle: Arc<RelayHandle>,
    room: Arc<Room>,
    /// It keeps what was not acknowledged and sends it again; repeated numbers are dropped.
    resends: bool,
    /// Highest number of the client's own count that was dealt with.
    counted: u64,
    assembly: Option<Assembly>,
    clocks: Clocks,
    /// The last metadata update, to tell a change from a repetition.
    last_patch: Option<pizzapi_protocol::RawJson>,
    /// Prompts announced since this registration.
    announced: Vec<&'static str>,
    touched_at: i64,
    row_touched_at: i64,
    asked_at: i64,
    refused: bool,
}

/// Serve one connection until it is gone.
pub async fn run(app: App, mut conn: Conn<FromClient, RelayAuth>) {
    let (orders, mut ordered) = mpsc::channel(ORDERS);
    let mut owned: Option<Owned> = None;
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        batch.clear();
        tokio::select! {
            biased;
            order = ordered.recv() => {
                // `orders` lives as long as this task, so there always is one.
                if let Some(order) = order {
                    obey(&app, &conn.out, &mut owned, order).await;
                }
                continue;
            }
            count = conn.mailbox.recv_many(&mut batch, BATCH) => if count == 0 { break },
        }
        if let Some(owned) = &owned {
            owned.handle.heard_at(app.clock.now_ms());
        }
        if conn.mailbox.take_lost()
            && let Some(owned) = &mut owned
        {
            pipeline::note_loss(&app, owned).await;
        }
        let mut events = Vec::new();
        for arrived in batch.drain(..) {
            match arrived {
                Arrived::Event(FromClient::Event(event)) => events.push(event),
                other => {
                    pipeline::take(&app, &mut owned, &conn.out, std::mem::take(&mut events)).await;
                    match other {
                        Arrived::Event(event) => handle(&app, &mut conn, &orders, &mut owned, event).await,
                        Arrived::Malformed(error) => refuse(&conn.out, &error.to_string()),
                    }
                }
            }
        }
        pipeline::take(&app, &mut owned, &conn.out, events).await;
    }
    let loss = match conn.mailbox.closed() {
        Some(DisconnectReason::ClientNSDisconnect | DisconnectReason::TransportClose) => Loss::ClosedByClient,
        _ => Loss::Broken,
    };
    if let Some(owned) = owned {
        lost(&app, &owned, loss).await;
    }
}

fn refuse(out: &Outbox, message: &str) {
    out.emit::<from_server::Error>(&ErrorEvent::new(message));
}

async fn obey(app: &App, out: &Outbox, owned: &mut Option<Owned>, order: RelayOrder) {
    let Some(current) = owned.as_mut() else { return };
    match order {
        RelayOrder::Superseded { epoch } if epoch > current.epoch => *owned = None,
        RelayOrder::Ended { epoch, disconnect } if epoch == current.epoch => {
            *owned = None;
            if disconnect {
                out.disconnect();
            }
        }
        RelayOrder::Unconfirmed { epoch } if epoch == current.epoch => {
            let state = match app.live.stores.sessions.get(&current.session).await {
                Ok(Some(record)) => record.meta.clone(),
                _ => return,
            };
            let clear = register::unconfirmed(&state, &current.announced);
            pipeline::fold_meta(app, current, clear).await;
        }
        _ => {}
    }
}

/// The connection is gone. Nothing is concluded from that yet.
async fn lost(app: &App, owned: &Owned, loss: Loss) {
    if !app.live.routes.clear_relay(&owned.session, owned.epoch) || app.shutdown.is_draining() {
        return;
    }
    let config = &app.config.sessions;
    let grace =
        Grace { broken_ms: config.grace.as_millis() as i64, closed_ms: config.grace_after_close.as_millis() as i64 };
    let presence = Presence::lost(loss, grace, app.clock.now_ms());
    tracing::info!(session.id = %owned.session, ?loss, "a session lost its connection");
    match app.live.stores.sessions.set_presence(&owned.session, owned.epoch, presence).await {
        Ok(Some(record)) => announce_presence(app, &record),
        Ok(None) => {}
        Err(error) => super::log_store(&error, "note that a session lost its connection"),
    }
}

async fn handle(
    app: &App,
    conn: &mut Conn<FromClient, RelayAuth>,
    orders: &mpsc::Sender<RelayOrder>,
    owned: &mut Option<Owned>,
    event: FromClient,
) {
    if let FromClient::Register(event) = event {
        return register::handle(app, conn, orders, owned, event).await;
    }
    let out = &conn.out;
    let Some(token) = token_of(&event) else {
        // These carry no token: their proof is the connection itself.
        let Some(owned) = owned else { return };
        return match event {
            FromClient::ExecResult(event) => commands::exec_result(app, &owned.handle, event).await,
            FromClient::ServiceMessage(event) => {
                super::runner::services::from_session(app, &owned.session, out, event).await
            }
            FromClient::CommandReceipt(event) => commands::receipt(app, &owned.handle, event).await,
            FromClient::ProbeReply(event) => crate::leases::session_answered(app, &owned.handle, &event),
            FromClient::AnswerDecision(event, ack) => {
                let here = (owned.session.clone(), owned.epoch);
                ack.send(&decisions::answer(app, &owned.user, event, "terminal", Some(here)).await);
            }
            _ => {}
        };
    };
    let Some(current) = owned.as_mut().filter(|owned| token == owned.token) else {
        refuse(out, "Invalid token");
        return family::refuse(event, "Invalid token");
    };
    match event {
        FromClient::SessionEnd(_) => {
            let ended = owned.take().expect("matched above");
            end_session(
                app,
                &ended.session,
                Some(ended.epoch),
                End::terminal(pizzapi_protocol::runner::reasons::SESSION_ENDED),
            )
            .await;
        }
        FromClient::RaiseDecision(event, ack) => {
            decisions::raise(app, &current.session, current.epoch, event.decision, ack).await
        }
        FromClient::WithdrawDecision(event, ack) => decisions::withdraw(app, &current.session, event, ack).await,
        other => {
            let sender =
                family::Sender { session: current.session.clone(), user: current.user.clone(), out: out.clone() };
            // These may wait for other processes; events behind them must not.
            let app2 = app.clone();
            app.tasks.spawn("session-family", async move { family::handle(&app2, sender, other).await });
        }
    }
}

fn token_of(event: &FromClient) -> Option<&str> {
    Some(match event {
        FromClient::SessionEnd(event) => &event.token,
        FromClient::SessionMessage(event) => &event.token,
        FromClient::SessionTrigger(event, _) => &event.token,
        FromClient::TriggerResponse(event, _) => &event.token,
        FromClient::CleanupChildSession(event, _) => &event.token,
        FromClient::GetLinkedChildCount(event, _) => &event.token,
        FromClient::DelinkChildren(event, _) => &event.token,
        FromClient::DelinkOwnParent(event, _) => &event.token,
        FromClient::TriggerStatusUpdate(event) => &event.token,
        FromClient::RaiseDecision(event, _) => &event.token,
        FromClient::WithdrawDecision(event, _) => &event.token,
        FromClient::AnswerDecision(..)
        | FromClient::Register(_)
        | FromClient::Event(_)
        | FromClient::ExecResult(_)
        | FromClient::ServiceMessage(_)
        | FromClient::CommandReceipt(_)
        | FromClient::ProbeReply(_) => return None,
    })
}

/// Side-state events about prompts, by the prompt they are about.
fn prompt_of(event: &MetaEvent) -> Option<&'static str> {
    match event {
        MetaEvent::QuestionPending(_) => Some("question"),
        MetaEvent::PlanPending(_) => Some("plan"),
        MetaEvent::PluginTrustRequired(_) => Some("trust"),
        MetaEvent::ApprovalPending(_) => Some("approval"),
        _ => None,
    }
}

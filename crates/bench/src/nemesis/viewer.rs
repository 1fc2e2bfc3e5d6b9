//! A browser tab: folds what it gets, checks every frame, and sends prompts.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use pizzapi_protocol::delivery::CommandState;
use pizzapi_protocol::handshake::PeerCapabilities;
use pizzapi_protocol::ids::{CommandId, Epoch, Generation, Position, Seq, SessionId};
use pizzapi_protocol::viewer::{FromServer, Resync, SwitchSession, ViewerEvent, ViewerInput, from_client};
use pizzapi_socket_client::{Client, Config, Handle, Join, Link, OnRejection, Signal};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;

use super::report::Report;

/// An attach ends within this, one way or the other.
const ATTACH_TIME: Duration = Duration::from_secs(15);

pub enum Order {
    Switch(SessionId),
    /// A new prompt, or the same one again to hear what became of it.
    Prompt(Option<CommandId>),
}

/// Where a viewer stands, for the end of a run.
#[derive(Debug, Clone, Default)]
pub struct View {
    pub session: Option<SessionId>,
    pub last: u64,
    pub hydrated: bool,
}

/// What a tab keeps of a session it looked at.
#[derive(Debug, Clone, Default)]
struct Held {
    position: Option<Position>,
    /// It shows first … last.
    first: u64,
    last: u64,
}

struct Viewer {
    name: String,
    report: Report,
    view: Arc<Mutex<View>>,
    link: Option<Link>,
    session: SessionId,
    generation: u64,
    held: HashMap<SessionId, Held>,
    connected: bool,
    /// Hydrated frames of this generation.
    endings: u32,
    attach_started: Option<Instant>,
    retry_at: Option<Instant>,
}

#[derive(Deserialize)]
struct Inner {
    r#type: String,
    message: Option<Message>,
    state: Option<State>,
}

#[derive(Deserialize)]
struct Message {
    content: String,
}

#[derive(Deserialize)]
struct State {
    messages: Vec<Message>,
}

pub async fn run(
    name: String,
    session: SessionId,
    report: Report,
    view: Arc<Mutex<View>>,
    port: u16,
    key: String,
    mut orders: mpsc::Receiver<Order>,
) {
    let auth = json!({ "apiKey": key, "protocolVersion": 1, "clientVersion": "nemesis", "capabilities": PeerCapabilities::ALL });
    let join = Join::with_auth(move || {
        let auth = auth.clone();
        async move { Ok(auth) }
    })
    .on_rejection(|_| OnRejection::RetryAfter(Duration::from_millis(300)));
    let mut config = Config::new(format!("http://127.0.0.1:{port}"));
    super::run::hasty(&mut config);
    let Ok((handle, mut incoming)) = Client::connect::<FromServer>(config, join) else {
        report.violation("the viewer's address does not work");
        return;
    };
    let mut viewer = Viewer {
        name,
        report,
        view,
        link: None,
        session,
        generation: 0,
        held: HashMap::new(),
        connected: false,
        endings: 0,
        attach_started: None,
        retry_at: None,
    };
    let mut watch = tokio::time::interval(Duration::from_millis(250));
    loop {
        tokio::select! {
            signal = incoming.recv() => match signal {
                Some(Signal::Connected { link, .. }) => {
                    viewer.link = Some(link);
                    viewer.switch();
                }
                Some(Signal::Disconnected { .. }) => {
                    viewer.link = None;
                    viewer.connected = false;
                    viewer.attach_started = None;
                    viewer.publish(false);
                }
                Some(Signal::Rejected { message, .. }) => viewer.report.note(|| format!("{} rejected: {message}", viewer.name)),
                Some(Signal::Event(event)) => viewer.on_event(event),
                None => return,
            },
            order = orders.recv() => match order {
                Some(Order::Switch(session)) => {
                    viewer.session = session;
                    viewer.switch();
                }
                Some(Order::Prompt(id)) => viewer.prompt(id, &handle),
                None => return,
            },
            _ = watch.tick() => viewer.watch(),
        }
    }
}

impl Viewer {
    fn publish(&self, hydrated: bool) {
        let last = self.held.get(&self.session).map_or(0, |held| held.last);
        *self.view.lock() = View { session: Some(self.session.clone()), last, hydrated };
    }

    fn violation(&self, what: impl std::fmt::Display) {
        self.report.violation(format!("{} on {} generation {}: {what}", self.name, self.session, self.generation));
    }

    fn switch(&mut self) {
        let Some(link) = &self.link else { return };
        self.generation += 1;
        self.connected = false;
        self.endings = 0;
        self.retry_at = None;
        let have = self.held.get(&self.session).and_then(|held| held.position);
        let switch = SwitchSession {
            session_id: self.session.clone(),
            generation: Some(Generation(self.generation)),
            last_seq: have.map(|have| have.seq),
            have,
        };
        let sent = link.emit::<from_client::SwitchSession>(&switch).is_ok();
        self.attach_started = sent.then(Instant::now);
        self.report.note(|| {
            format!("{} switches to {} generation {} with {have:?}", self.name, self.session, self.generation)
        });
        self.publish(false);
    }

    fn prompt(&self, id: Option<CommandId>, handle: &Handle) {
        let (id, text, session) = match id {
            Some(id) => {
                let Some(known) = self.report.commands().get(id.as_str()).cloned() else { return };
                (id, known.text, SessionId::from(known.session))
            }
            None => {
                let id = CommandId::from(uuid::Uuid::now_v7().to_string());
                let text = format!("prompt {id}");
                self.report.command(id.as_str(), |command| {
                    command.session = self.session.to_string();
                    command.text = text.clone();
                });
                (id, text, self.session.clone())
            }
        };
        let input = ViewerInput {
            text,
            attachments: None,
            client: Some("web".to_owned()),
            deliver_as: None,
            request_id: Some(id),
            session_id: Some(session),
            composed_at: None,
            deadline: None,
        };
        let handle = handle.clone();
        tokio::spawn(async move {
            // The states arrive as `command_status`; what the acknowledgement adds is not needed here.
            let _told_by_status = handle.call::<from_client::Input>(&input, Duration::from_secs(12)).await;
        });
    }

    fn watch(&mut self) {
        if let Some(started) = self.attach_started
            && started.elapsed() > ATTACH_TIME + Duration::from_secs(6)
        {
            self.attach_started = None;
            // A stalled link explains silence; the run counts it only when the link was fine all the time.
            self.report.count("attach without an end");
        }
        if self.retry_at.is_some_and(|at| at <= Instant::now()) {
            self.switch();
        }
    }

    fn on_event(&mut self, event: FromServer) {
        match event {
            FromServer::Connected(connected) => {
                if connected.generation == Some(Generation(self.generation)) {
                    self.connected = true;
                    if connected.session_id != self.session {
                        self.violation(format!("connected to {}", connected.session_id));
                    }
                }
            }
            FromServer::Event(event) => self.on_frame(event),
            FromServer::Hydrated(hydrated) if hydrated.generation == Generation(self.generation) => {
                self.endings += 1;
                if self.endings > 1 {
                    self.violation("a second end of the same attach");
                }
                self.attach_started = None;
                self.report.count("hydrated");
                self.report.note(|| {
                    format!(
                        "{} hydrated via {:?} at {:?}/{:?} complete {}",
                        self.name, hydrated.via, hydrated.epoch, hydrated.seq, hydrated.complete
                    )
                });
                let generation = self.generation;
                let held = self.held.entry(self.session.clone()).or_default();
                let position = Position { epoch: hydrated.epoch, seq: hydrated.seq };
                if hydrated.complete
                    && let Some(own) = held.position
                    && own.seq != position.seq
                {
                    let text = format!("complete at {:?}, but this viewer stands at {own:?}", position);
                    self.report.violation(format!("{} on {} generation {generation}: {text}", self.name, self.session));
                }
                held.position = Some(position);
                self.publish(hydrated.complete);
            }
            FromServer::HydrationFailed(failed) if failed.generation == Generation(self.generation) => {
                self.endings += 1;
                if self.endings > 1 {
                    self.violation("a second end of the same attach");
                }
                self.attach_started = None;
                self.report.count("hydration failed");
                self.report.note(|| format!("{} hydration failed: {:?}", self.name, failed.reason));
                self.retry_at = Some(Instant::now() + Duration::from_millis(400));
            }
            FromServer::Behind(_) => {
                self.report.count("behind");
                let have = self.held.get(&self.session).and_then(|held| held.position);
                if let Some(link) = &self.link {
                    let _reconnects =
                        link.emit::<from_client::Resync>(&Resync { last_seq: have.map(|have| have.seq), have });
                }
            }
            FromServer::Disconnected(gone)
                if gone.generation.is_none_or(|generation| generation == Generation(self.generation)) =>
            {
                self.attach_started = None;
                self.retry_at = Some(Instant::now() + Duration::from_millis(400));
            }
            FromServer::Error(error)
                if error.generation.is_none_or(|generation| generation == Generation(self.generation)) =>
            {
                self.report.note(|| format!("{}: {}", self.name, error.message));
                self.attach_started = None;
                self.retry_at = Some(Instant::now() + Duration::from_millis(400));
            }
            FromServer::CommandStatus(status) => {
                self.report
                    .note(|| format!("{} {} {:?} {:?}", self.name, status.command_id, status.state, status.code));
                self.report.command(status.command_id.as_str(), |command| {
                    command.accepted |= status.state != CommandState::Rejected;
                    if status.state.is_final() && !command.ended.contains(&status.state) {
                        command.ended.push(status.state);
                    }
                });
            }
            _ => {}
        }
    }

    fn on_frame(&mut self, frame: ViewerEvent) {
        if frame.generation != Some(Generation(self.generation)) {
            return; // an answer to an older switch
        }
        if frame.session_id.as_ref().is_some_and(|id| *id != self.session) {
            self.violation(format!("a frame of {:?}", frame.session_id));
            return;
        }
        let Ok(inner) = frame.event.to::<Inner>() else { return };
        let held = self.held.entry(self.session.clone()).or_default();
        let numbers = |messages: &[Message]| -> Vec<u64> {
            messages.iter().map(|message| message.content.parse().unwrap_or(0)).collect()
        };
        let before = held.clone();
        let mut problem = None;
        let position = held.position;
        let advance = |held: &mut Held, seq: Seq| {
            let epoch = frame.epoch.or(held.position.map(|position| position.epoch)).unwrap_or(Epoch(0));
            held.position = Some(Position { epoch, seq });
        };
        match (inner.r#type.as_str(), inner.state, inner.message) {
            ("session_active", Some(state), _) => {
                let numbers = numbers(&state.messages);
                if numbers.windows(2).any(|pair| pair[1] != pair[0] + 1) {
                    problem = Some(format!("a snapshot with a hole: {numbers:?}"));
                }
                held.first = numbers.first().copied().unwrap_or(1);
                held.last = numbers.last().copied().unwrap_or(0);
                if let Some(seq) = frame.seq {
                    advance(held, seq);
                }
            }
            ("message_end", _, Some(message)) => {
                let Some(seq) = frame.seq else {
                    self.violation("a durable event without a number");
                    return;
                };
                if let Some(position) = position
                    && seq <= position.seq
                {
                    self.report.count("frames already held");
                    return;
                }
                if let Some(position) = position
                    && seq.0 != position.seq.0 + 1
                {
                    problem = Some(format!("a gap: {} after {}", seq.0, position.seq.0));
                }
                let n: u64 = message.content.parse().unwrap_or(0);
                if n != held.last + 1 {
                    problem = Some(format!("{n} after {} (seq {}, held {before:?})", held.last, seq.0));
                }
                held.last = n;
                advance(held, seq);
            }
            _ => {
                if let Some(seq) = frame.seq {
                    if let Some(position) = position
                        && seq.0 > position.seq.0 + 1
                    {
                        problem = Some(format!("a gap: {} after {}", seq.0, position.seq.0));
                    }
                    if position.is_none_or(|position| seq > position.seq) {
                        advance(held, seq);
                    }
                }
            }
        }
        if let Some(problem) = problem {
            self.violation(problem);
        }
        let hydrated = self.view.lock().hydrated;
        self.publish(hydrated);
    }
}

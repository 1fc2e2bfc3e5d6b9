//! A session's process: says 1, 2, 3 …, resends what was not stored, and acts on prompts exactly once.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use pizzapi_protocol::delivery::{CommandReceipt, CommandState, ProbeReply, ResumeOffer};
use pizzapi_protocol::events::RawJson;
use pizzapi_protocol::handshake::PeerCapabilities;
use pizzapi_protocol::ids::{CommandId, Epoch, SessionId};
use pizzapi_protocol::relay::{FromServer, Register, RelayEvent, from_client};
use pizzapi_socket_client::{Client, Config, Join, Link, OnRejection, Signal};
use serde_json::json;
use tokio::sync::watch;

use super::report::Report;

/// Unacknowledged events; at the limit the writer holds back.
const WINDOW: usize = 2_000;
/// Between two sentences.
const PACE: Duration = Duration::from_millis(6);

/// What survives the death of the process: its transcript.
#[derive(Default)]
pub struct Transcript {
    /// It said 1 … `said`.
    pub said: u64,
    pub journal: HashMap<CommandId, CommandState>,
}

#[derive(Clone)]
pub struct Shared {
    pub id: SessionId,
    pub transcript: Arc<Mutex<Transcript>>,
    /// Unacknowledged at the moment; for the end of a run.
    pub unacked: Arc<Mutex<usize>>,
}

#[derive(Clone, Copy)]
enum Entry {
    Said(u64),
    /// A snapshot of 1 … n.
    Snapshot(u64),
}

struct Writer {
    shared: Shared,
    report: Report,
    link: Option<Link>,
    token: String,
    epoch: Option<Epoch>,
    /// This registration's counter.
    counter: u64,
    acked: u64,
    unacked: VecDeque<(u64, Entry)>,
    registered: bool,
}

/// Run until `stop`; dropping the future is the kill -9.
pub async fn run(shared: Shared, report: Report, port: u16, key: String, mut talk: watch::Receiver<bool>) {
    let auth = json!({ "apiKey": key, "protocolVersion": 1 });
    let join = Join::with_auth(move || {
        let auth = auth.clone();
        async move { Ok(auth) }
    })
    .on_rejection(|_| OnRejection::RetryAfter(Duration::from_millis(300)));
    let mut config = Config::new(format!("http://127.0.0.1:{port}"));
    super::run::hasty(&mut config);
    let Ok((_handle, mut incoming)) = Client::connect::<FromServer>(config, join) else {
        report.violation("the writer's address does not work");
        return;
    };
    let mut writer = Writer {
        shared,
        report,
        link: None,
        token: String::new(),
        epoch: None,
        counter: 0,
        acked: 0,
        unacked: VecDeque::new(),
        registered: false,
    };
    let mut pace = tokio::time::interval(PACE);
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let may_talk = *talk.borrow_and_update();
        tokio::select! {
            signal = incoming.recv() => match signal {
                Some(signal) => writer.on_signal(signal),
                None => return,
            },
            _ = pace.tick(), if may_talk && writer.unacked.len() < WINDOW => writer.say(),
            changed = talk.changed() => if changed.is_err() { return },
        }
        *writer.shared.unacked.lock() = writer.unacked.len() + usize::from(!writer.registered);
    }
}

impl Writer {
    fn say(&mut self) {
        let n = {
            let mut transcript = self.shared.transcript.lock();
            transcript.said += 1;
            transcript.said
        };
        self.push(Entry::Said(n));
    }

    fn push(&mut self, entry: Entry) {
        self.counter += 1;
        self.unacked.push_back((self.counter, entry));
        self.emit(self.counter, entry);
    }

    fn emit(&self, seq: u64, entry: Entry) {
        if !self.registered {
            return;
        }
        let Some(link) = &self.link else { return };
        let message = |n: u64| json!({ "role": "user", "content": n.to_string(), "timestamp": n });
        let event = match entry {
            Entry::Said(n) => json!({ "type": "message_end", "message": message(n) }),
            Entry::Snapshot(upto) => json!({ "type": "session_active", "state": {
                "messages": (1..=upto).map(message).collect::<Vec<_>>(), "model": null, "thinkingLevel": null, "sessionName": null,
                "cwd": "/", "availableModels": [], "availableCommands": [], "todoList": [], "analysis": null, "goal": null,
                "queuedMessages": [],
            } }),
        };
        let payload = RelayEvent {
            session_id: Some(self.shared.id.clone()),
            token: self.token.clone(),
            event: RawJson::from(event),
            seq: Some(seq),
        };
        let _resent_later = link.emit::<from_client::Event>(&payload);
    }

    fn receipt(&self, id: &CommandId, state: CommandState) {
        let Some(link) = &self.link else { return };
        let receipt = CommandReceipt { command_id: id.clone(), state, code: None, message: None, result: None };
        let _asked_again = link.emit::<from_client::CommandReceipt>(&receipt);
    }

    fn on_signal(&mut self, signal: Signal<FromServer>) {
        match signal {
            Signal::Connected { link, .. } => {
                self.registered = false;
                let register = Register {
                    session_id: Some(self.shared.id.clone()),
                    cwd: "/".to_owned(),
                    capabilities: Some(PeerCapabilities { decisions: None, ..PeerCapabilities::ALL }),
                    resume: self.epoch.map(|epoch| ResumeOffer { epoch, last_acked_seq: self.acked }),
                    previous_token: Some(self.token.clone()).filter(|token| !token.is_empty()),
                    ..Register::default()
                };
                let _reconnects = link.emit::<from_client::Register>(&register);
                self.link = Some(link);
            }
            Signal::Disconnected { .. } => {
                self.registered = false;
                self.link = None;
            }
            Signal::Rejected { message, .. } => {
                self.report.note(|| format!("writer {} rejected: {message}", self.shared.id))
            }
            Signal::Event(event) => self.on_event(event),
        }
    }

    fn on_event(&mut self, event: FromServer) {
        match event {
            FromServer::Registered(registered) => {
                if registered.session_id != self.shared.id {
                    self.report.violation(format!("{} was given the id {}", self.shared.id, registered.session_id));
                }
                self.token = registered.token;
                self.registered = true;
                let offered = self.epoch;
                self.epoch = registered.epoch;
                let kept: VecDeque<(u64, Entry)> = std::mem::take(&mut self.unacked);
                (self.counter, self.acked) = (0, 0);
                match registered.resume {
                    Some(resume) if Some(resume.epoch) == offered => {
                        self.report.count("resumed");
                        self.report.note(|| {
                            let last = kept.back().map_or(0, |(seq, _)| *seq);
                            format!(
                                "writer {} resumes after {} of {last}, epoch {:?}",
                                self.shared.id, resume.stored_seq, self.epoch
                            )
                        });
                        for (_, entry) in kept.into_iter().filter(|(seq, _)| *seq > resume.stored_seq) {
                            self.push(entry);
                        }
                    }
                    _ => {
                        let said = self.shared.transcript.lock().said;
                        self.report.count("snapshots");
                        self.report.note(|| {
                            format!(
                                "writer {} starts with a snapshot of {said}, epoch {:?}",
                                self.shared.id, self.epoch
                            )
                        });
                        self.push(Entry::Snapshot(said));
                    }
                }
            }
            FromServer::EventAck(ack) => {
                if ack.seq > self.counter {
                    self.report.violation(format!("{}: acknowledged {} of {}", self.shared.id, ack.seq, self.counter));
                }
                self.acked = self.acked.max(ack.seq);
                while self.unacked.front().is_some_and(|(seq, _)| *seq <= ack.seq) {
                    self.unacked.pop_front();
                }
            }
            FromServer::Connected(_) => {
                let said = self.shared.transcript.lock().said;
                self.push(Entry::Snapshot(said));
            }
            FromServer::Command(command) => {
                if command.session_id != self.shared.id {
                    self.report.violation(format!("{} got a command for {}", self.shared.id, command.session_id));
                }
                let id = command.command_id;
                let known = self.shared.transcript.lock().journal.get(&id).copied();
                if let Some(state) = known {
                    self.report.count("repeated commands");
                    self.receipt(&id, CommandState::Delivered);
                    self.receipt(&id, state);
                    return;
                }
                // Both steps are written down before they are told, as a transcript is.
                self.shared.transcript.lock().journal.insert(id.clone(), CommandState::Delivered);
                self.receipt(&id, CommandState::Delivered);
                self.report.command(id.as_str(), |command| command.consumed += 1);
                self.shared.transcript.lock().journal.insert(id.clone(), CommandState::Consumed);
                self.receipt(&id, CommandState::Consumed);
                self.report.count("consumed");
            }
            FromServer::Probe(probe) => {
                if let Some(link) = &self.link {
                    let reply = ProbeReply { nonce: probe.nonce, ..ProbeReply::default() };
                    let _asked_again = link.emit::<from_client::ProbeReply>(&reply);
                }
            }
            FromServer::Error(error) => self.report.note(|| format!("writer {}: {}", self.shared.id, error.message)),
            _ => {}
        }
    }
}

//! The one task that owns a session's connection: registers, numbers, resends, answers.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use pizzapi_protocol::limits::{EXEC_REPLAY_MAX, HEARTBEAT_MS};
use pizzapi_protocol::relay::{self, FromServer, Register, Registered, RelayEvent, SessionEnd, from_client};
use pizzapi_protocol::{
    AgentEvent, AnswerDecision, Command, CommandBody, CommandId, CommandReceipt, Decision, DecisionId, DecisionOutcome,
    Epoch, ErrorCode, Exec, ExecResult, JsonObject, Maybe, MetaEvent, Open, PeerCapabilities, ProbeReply,
    RaiseDecision, ResumeOffer, SessionId, WireError, WithdrawDecision,
};
use pizzapi_socket_client::{
    AuthError, Client, ClientError, Config, ConfigError, Handle, Incoming, Join, Link, Signal, Status,
};
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::attachments::Attachments;
use super::children::Kin;
use super::inbound::{Action, Done, Job, WAITING_WORDS, WordsJob, Worker, now, receipt};
use super::outbound;
use super::session::{HostWish, Outcome, Reached, Report, Reports, Session};
use super::snapshot::{self, Limits};
use super::toolbox::{Bound, Order, Toolbox};
use super::window::{Item, Outbox, Outgoing};
use super::{Control, FAREWELL, LinkState, RemoteConfig};

/// A full connection is tried again this soon; it empties at the speed of the line.
const CONGESTION_RETRY: Duration = Duration::from_millis(20);
/// Receipts that may not have arrived. Older ones were confirmed long ago or belong to commands nobody asks about.
const MAX_UNCONFIRMED_RECEIPTS: usize = 500;
/// Frames sent between two looks at what came in.
const BURST: usize = 256;

/// Frames that are no events.
#[derive(Debug, Clone)]
pub(super) enum Frame {
    Receipt(CommandReceipt),
    ExecResult(ExecResult),
    Raise(Decision),
    Withdraw { id: DecisionId, reason: Option<String> },
    Answer(AnswerDecision),
    Probe(ProbeReply),
}

/// Between `registered` and the end of the connection.
pub(super) struct Registration {
    pub session_id: SessionId,
    pub token: String,
    pub capabilities: PeerCapabilities,
}

/// See the module.
pub(super) struct Extension {
    pub(super) session: Arc<dyn Session>,
    pub(super) config: RemoteConfig,
    pub(super) state: watch::Sender<LinkState>,
    pub(super) controls: mpsc::Receiver<Control>,
    pub(super) wishes: mpsc::UnboundedSender<HostWish>,

    pub(super) socket: Option<(Handle, Incoming<FromServer>)>,
    pub(super) link: Option<Link>,
    pub(super) registration: Option<Registration>,
    /// Epoch and token of the last registration, to prove at the next one that we are the same.
    pub(super) last: Option<(Option<Epoch>, String)>,
    /// Granted by the relay; may differ from the one in the configuration.
    pub(super) session_id: SessionId,

    pub(super) outbox: Outbox<Frame>,
    pub(super) is_congested: bool,
    pub(super) receipts: VecDeque<(u64, CommandReceipt)>,
    /// Commands that are being worked on.
    pub(super) busy: HashSet<CommandId>,
    /// Replies of remote commands, so that a repeated id is not executed again. `None`: not ready yet.
    pub(super) exec_replies: IndexMap<CommandId, Option<ExecResult>>,
    /// What metadata was last told.
    pub(super) told: JsonObject,
    /// The transcript's leaf in the last snapshot.
    pub(super) snapshot_leaf: Option<String>,
    /// One was due while there was no registration.
    pub(super) snapshot_due: bool,
    pub(super) viewers: u32,

    pub(super) worker: Worker,
    pub(super) jobs: mpsc::Sender<Job>,
    pub(super) done: mpsc::UnboundedReceiver<Done>,
    pub(super) kin: Kin,
    last_outcome: Outcome,
    orders: mpsc::Receiver<Order>,
}

enum Next {
    Signal(Option<Signal<FromServer>>),
    Report(Option<Report>),
    Done(Done),
    Control(Option<Control>),
    Status(Status),
    Heartbeat,
    Retry,
    Order(Order),
    Triggers,
    Kin,
}

impl Extension {
    pub fn new(
        session: Arc<dyn Session>,
        config: RemoteConfig,
        state: watch::Sender<LinkState>,
        controls: mpsc::Receiver<Control>,
        wishes: mpsc::UnboundedSender<HostWish>,
        toolbox: &Toolbox,
    ) -> Result<Self, ConfigError> {
        let socket = connect(&config)?;
        let (order_sender, orders) = mpsc::channel(64);
        toolbox.bind(Some(Bound {
            http_url: config.http_url.clone(),
            api_key: config.api_key.clone(),
            session_id: config.session_id.clone(),
            orders: order_sender,
        }));
        let kin = Kin::of(config.parent_session_id.clone());
        let (done_sender, done) = mpsc::unbounded_channel();
        let (jobs, waiting) = mpsc::channel(WAITING_WORDS);
        let attachments =
            Attachments::new(config.http_url.clone(), config.api_key.clone(), config.attachments_dir.clone());
        let worker = Worker {
            session: session.clone(),
            attachments: Arc::new(attachments),
            session_id: config.session_id.to_string(),
            done: done_sender,
        };
        tokio::spawn(worker.clone().run(waiting));
        Ok(Self {
            session_id: config.session_id.clone(),
            session,
            config,
            state,
            controls,
            wishes,
            socket: Some(socket),
            link: None,
            registration: None,
            last: None,
            outbox: Outbox::default(),
            is_congested: false,
            receipts: VecDeque::new(),
            busy: HashSet::new(),
            exec_replies: IndexMap::new(),
            told: JsonObject::new(),
            snapshot_leaf: None,
            snapshot_due: false,
            viewers: 0,
            worker,
            jobs,
            done,
            kin,
            last_outcome: Outcome::Completed,
            orders,
        })
    }

    pub async fn run(mut self) {
        let mut reports = self.session.reports();
        let mut beat = interval(Duration::from_millis(HEARTBEAT_MS));
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if self.outbox.wants_snapshot() {
                self.snapshot(None);
            }
            self.flush();
            match self.next(&mut *reports, &mut beat).await {
                Next::Signal(Some(signal)) => self.signal(signal),
                // The client gave up; it only does that when told to.
                Next::Signal(None) => self.drop_socket(),
                Next::Report(Some(report)) => self.report(report),
                Next::Report(None) => {
                    // The session ended without saying goodbye to us: say it for it.
                    self.leave(true).await;
                    self.state.send_replace(LinkState::Stopped);
                    return;
                }
                Next::Done(done) => self.done(done),
                Next::Control(None) | Next::Retry => {}
                Next::Order(order) => self.order(order),
                Next::Triggers => self.flush_triggers(),
                Next::Kin => self.retry_kin(),
                Next::Control(Some(Control::Reconnect)) => self.reconnect(),
                Next::Control(Some(Control::Leave { end, done, stay })) => {
                    self.drain(&mut *reports, end).await;
                    self.leave(end).await;
                    self.state.send_replace(LinkState::Stopped);
                    // Nobody waits any more: fine.
                    let _ = done.send(());
                    if !stay {
                        return;
                    }
                }
                Next::Status(status) => self.status(status),
                Next::Heartbeat => self.beat(),
            }
        }
    }

    async fn next(&mut self, reports: &mut dyn Reports, beat: &mut tokio::time::Interval) -> Next {
        let retry = Instant::now() + CONGESTION_RETRY;
        let registered = self.registration.is_some();
        let (batch, kin) = (self.kin.batch_due, self.kin.retry_due.filter(|_| registered));
        let mut status = self.socket.as_ref().map(|(handle, _)| handle.status());
        if let Some(status) = &mut status {
            // Seen once per change; `signal` does the rest while connected.
            status.borrow_and_update();
        }
        tokio::select! {
            signal = next_signal(&mut self.socket) => Next::Signal(signal),
            report = reports.next() => Next::Report(report),
            Some(done) = self.done.recv() => Next::Done(done),
            control = self.controls.recv(), if !self.controls.is_closed() || !self.controls.is_empty() => Next::Control(control),
            _ = beat.tick(), if registered => Next::Heartbeat,
            () = sleep_until(retry), if self.is_congested => Next::Retry,
            () = sleep_until(batch.unwrap_or(retry)), if batch.is_some() => Next::Triggers,
            () = sleep_until(kin.unwrap_or(retry)), if kin.is_some() => Next::Kin,
            Some(order) = self.orders.recv() => Next::Order(order),
            status = next_status(&mut status) => Next::Status(status),
        }
    }

    // --- the connection

    fn signal(&mut self, signal: Signal<FromServer>) {
        match signal {
            Signal::Connected { link, .. } => self.register(link),
            Signal::Disconnected { reason } => {
                tracing::info!(%reason, "disconnected from the relay");
                self.unregister();
            }
            Signal::Rejected { message, .. } => {
                self.state.send_replace(LinkState::Refused { message });
            }
            Signal::Event(event) => self.event(event),
        }
    }

    fn status(&self, status: Status) {
        match status {
            Status::Connecting { attempt } if self.registration.is_none() => {
                self.state.send_if_modified(|state| match state {
                    // Words of a refusal stay until something better is known.
                    LinkState::Refused { .. } => false,
                    state => {
                        *state = LinkState::Connecting { attempt };
                        true
                    }
                });
            }
            Status::Waiting { attempt, until, error } => {
                self.state.send_if_modified(|state| match state {
                    LinkState::Refused { .. } => false,
                    state => {
                        *state = LinkState::Waiting { attempt, until, error };
                        true
                    }
                });
            }
            Status::Connecting { .. } | Status::Connected | Status::Closed => {}
        }
    }

    fn register(&mut self, link: Link) {
        let facts = self.session.facts();
        let resume = match &self.last {
            Some((Some(epoch), _)) => Some(ResumeOffer { epoch: *epoch, last_acked_seq: self.outbox.acked() }),
            _ => None,
        };
        let register = Register {
            session_id: Some(self.session_id.clone()),
            cwd: facts.cwd.display().to_string(),
            ephemeral: Some(true),
            collab_mode: Some(true),
            session_name: facts.session_name.map_or(Maybe::Absent, Maybe::Value),
            session_file: facts
                .session_file
                .filter(|_| self.config.announce_file)
                .map_or(Maybe::Absent, |path| Maybe::Value(path.display().to_string())),
            parent_session_id: self.parent_claim(),
            capabilities: Some(PeerCapabilities {
                commands: Some(1),
                decisions: Some(1),
                resume: Some(1),
                probe: Some(1),
                ..PeerCapabilities::default()
            }),
            resume,
            previous_token: self.last.as_ref().map(|(_, token)| token.clone()),
            client_version: Some(crate::VERSION.to_owned()),
            device: self.config.device.clone(),
        };
        if let Err(error) = link.emit::<from_client::Register>(&register) {
            // Gone in this moment: the next connection registers.
            tracing::debug!(%error, "failed to register");
        }
        self.link = Some(link);
    }

    fn registered(&mut self, registered: Registered) {
        if registered.session_id != self.session_id {
            tracing::warn!(session.id = %registered.session_id, "the relay gave this session another id");
            self.session_id = registered.session_id.clone();
        }
        let stored = match (&self.last, &registered.resume) {
            (Some((Some(epoch), _)), Some(resume)) if resume.epoch == *epoch => Some(resume.stored_seq),
            _ => None,
        };
        self.registered_kin(&registered);
        self.last = Some((registered.epoch, registered.token.clone()));
        self.registration = Some(Registration {
            session_id: registered.session_id.clone(),
            token: registered.token,
            capabilities: registered.capabilities.unwrap_or_default(),
        });
        self.viewers = 0;
        self.state.send_replace(LinkState::Connected {
            session_id: registered.session_id,
            share_url: registered.share_url,
            viewers: 0,
        });
        if self.outbox.registered(stored) || self.snapshot_due {
            self.snapshot(None);
        }
        self.announce();
    }

    /// Everything beside the transcript that the relay may have missed.
    fn announce(&mut self) {
        let facts = self.session.facts();
        self.push(&outbound::heartbeat(&facts, now()));
        for event in outbound::meta_state(&facts) {
            self.push(&AgentEvent::Meta(event));
        }
        for decision in self.session.decisions() {
            if let Some(pending) = pending_event(&decision) {
                self.push(&AgentEvent::Meta(pending));
            }
            self.raise(decision);
        }
        let unconfirmed: Vec<_> = self.receipts.drain(..).map(|(_, receipt)| receipt).collect();
        for receipt in unconfirmed {
            self.send_receipt(receipt);
        }
    }

    fn unregister(&mut self) {
        self.link = None;
        self.registration = None;
        self.is_congested = false;
        self.outbox.disconnected();
        self.state.send_if_modified(|state| match state {
            LinkState::Connected { .. } => {
                *state = LinkState::Connecting { attempt: 1 };
                true
            }
            _ => false,
        });
    }

    fn drop_socket(&mut self) {
        self.unregister();
        self.socket = None;
    }

    fn reconnect(&mut self) {
        self.drop_socket();
        match connect(&self.config) {
            Ok(socket) => {
                self.state.send_replace(LinkState::Connecting { attempt: 0 });
                self.socket = Some(socket);
            }
            Err(error) => {
                self.state.send_replace(LinkState::Refused { message: error.to_string() });
            }
        }
    }

    /// Before leaving: what the session still had to say goes out and is confirmed, within bounds.
    async fn drain(&mut self, reports: &mut dyn Reports, end: bool) {
        let deadline = Instant::now() + FAREWELL;
        if end && self.registration.is_some() {
            self.farewell_to_parent(&self.last_outcome.clone());
        }
        while self.registration.is_some() {
            if self.outbox.wants_snapshot() {
                self.snapshot(None);
            }
            self.flush();
            let quiet = Instant::now() + CONGESTION_RETRY;
            let settled = !self.is_congested
                && self.outbox.unconfirmed().0 == 0
                && self.busy.is_empty()
                && !(end && self.owes_parent());
            tokio::select! {
                biased;
                () = sleep_until(deadline) => return,
                report = reports.next() => match report {
                    Some(report) => self.report(report),
                    // What was said is with us; only confirmations are missing.
                    None if settled => return,
                    None => tokio::time::sleep(CONGESTION_RETRY).await,
                },
                Some(done) = self.done.recv() => self.done(done),
                signal = next_signal(&mut self.socket) => match signal {
                    Some(signal) => self.signal(signal),
                    None => return,
                },
                () = sleep_until(quiet) => if settled { return },
            }
        }
    }

    async fn leave(&mut self, end: bool) {
        self.flush();
        if let (true, Some(registration), Some(link)) = (end, &self.registration, &self.link) {
            let farewell = SessionEnd {
                session_id: Some(registration.session_id.clone()),
                token: registration.token.clone(),
                reason: None,
            };
            if let Err(error) = link.emit::<from_client::SessionEnd>(&farewell) {
                tracing::debug!(%error, "failed to say that the session ended");
            }
        }
        if let Some((handle, _)) = &self.socket {
            handle.disconnect().await;
        }
        self.drop_socket();
        if end {
            // A later registration is another life.
            self.last = None;
            self.outbox = Outbox::default();
            self.receipts.clear();
        }
    }

    // --- from the relay

    fn event(&mut self, event: FromServer) {
        match event {
            FromServer::Registered(registered) => self.registered(registered),
            FromServer::EventAck(ack) => self.acked(ack),
            FromServer::Connected(request) => {
                let capabilities = outbound::capabilities(&*self.session);
                self.push(&capabilities);
                self.snapshot(request.recovery_nonce.as_deref());
            }
            FromServer::Input(input, ack) if self.is_stale_sender(input.client.as_deref()) => {
                drop(input);
                ack.send(&false);
            }
            FromServer::Input(input, ack) => {
                let by = input.client.clone();
                let id = input.request_id.filter(|id| !id.is_empty());
                let job = WordsJob {
                    text: input.text,
                    attachments: input.attachments.unwrap_or_default(),
                    deliver_as: input.deliver_as,
                    id,
                    by,
                    ack: Some(ack),
                    receipts: false,
                    triggers: Vec::new(),
                };
                // Full means hundreds of prompts a second: the unanswered one is not claimed to be delivered.
                if let Err(mpsc::error::TrySendError::Full(Job::Words(WordsJob { ack: Some(ack), .. }))) =
                    self.jobs.try_send(Job::Words(job))
                {
                    ack.send(&false);
                }
            }
            FromServer::ModelSet(set) => {
                tokio::spawn(self.worker.clone().model_set(set.provider, set.model_id));
            }
            FromServer::Exec(exec) => self.exec(exec),
            FromServer::Command(command) => self.command(command),
            FromServer::CancelCommand(cancel) => {
                let worker = self.worker.clone();
                tokio::spawn(async move {
                    let id = cancel.command_id;
                    if worker.session.cancel(&id).await {
                        let _ = worker.done.send(Done::Receipt(receipt(&id, &Reached::CANCELLED, None)));
                    } else if let Some(reached) = worker.session.command(&id) {
                        let _ = worker.done.send(Done::Receipt(receipt(&id, &reached, None)));
                    }
                });
            }
            FromServer::DecisionEnded(ended) => self.decision_ended(ended.decision_id, ended.outcome),
            FromServer::Probe(probe) => {
                let facts = self.session.facts();
                self.outbox.control(Frame::Probe(ProbeReply {
                    nonce: probe.nonce,
                    at: Some(now()),
                    model_heard_at: facts.model_heard_at.map_or(Maybe::Null, Maybe::Value),
                    model_busy: Some(facts.active),
                }));
            }
            FromServer::Viewers(viewers) => {
                self.viewers = viewers.count;
                self.state.send_if_modified(|state| match state {
                    LinkState::Connected { viewers: shown, .. } if *shown != viewers.count => {
                        *shown = viewers.count;
                        true
                    }
                    _ => false,
                });
            }
            FromServer::HiddenModelsUpdate(update) => {
                let worker = self.worker.clone();
                tokio::spawn(async move { worker.hidden_models(update.hidden_models).await });
            }
            FromServer::SubagentModelUpdate(update) => {
                let session = self.session.clone();
                tokio::spawn(async move { session.set_subagent_model(update.model).await });
            }
            FromServer::SessionExpired(_) => {
                if let Some((handle, _)) = self.socket.take() {
                    tokio::spawn(async move { handle.disconnect().await });
                }
                self.unregister();
                self.state.send_replace(LinkState::Expired);
            }
            FromServer::ParentDelinked(_, ack) => self.parent_delinked(ack),
            FromServer::Error(error) => tracing::warn!(message = %error.message, "the relay reports an error"),
            FromServer::SessionTrigger(event) => self.trigger(event.trigger),
            FromServer::TriggerResponse(response) => self.trigger_response(response),
            FromServer::SessionMessage(message) => self.session_message(message),
            FromServer::SessionMessageError(error) => self.session_message_error(error),
            event
            @ (FromServer::ServiceMessage(_) | FromServer::McpOauthCallback(_) | FromServer::McpOauthPaste(_)) => {
                tracing::debug!(?event, "nothing in this session listens for that");
            }
        }
    }

    fn acked(&mut self, ack: relay::EventAck) {
        self.outbox.ack(ack.seq);
        while self.receipts.front().is_some_and(|(after, _)| ack.seq >= *after) {
            self.receipts.pop_front();
        }
    }

    fn exec(&mut self, exec: Open<Exec>) {
        let id = exec.known.id.clone();
        match self.exec_replies.get(&id) {
            Some(Some(reply)) => {
                let reply = reply.clone();
                self.outbox.control(Frame::ExecResult(reply));
                return;
            }
            // It runs; its reply will come.
            Some(None) => return,
            None => self.remember_exec(id, None),
        }
        tokio::spawn(self.worker.clone().exec(exec));
    }

    fn remember_exec(&mut self, id: CommandId, reply: Option<ExecResult>) {
        self.exec_replies.insert(id, reply);
        if self.exec_replies.len() > EXEC_REPLAY_MAX {
            self.exec_replies.shift_remove_index(0);
        }
    }

    fn command(&mut self, command: Command) {
        let id = command.command_id.clone();
        if command.session_id != self.session_id && command.session_id != self.config.session_id {
            let reached = Reached::rejected(ErrorCode::NotFound, "the command is for another session");
            self.send_receipt(receipt(&id, &reached, None));
            return;
        }
        if !self.busy.insert(id.clone()) {
            // It is being worked on; what becomes of it will be told once.
            return;
        }
        if let Some(reached) = self.session.command(&id) {
            self.busy.remove(&id);
            let reply = self.exec_replies.get(&id).cloned().flatten();
            let result = reply.and_then(|reply| reply.result.value());
            self.send_receipt(receipt(&id, &reached, result));
            return;
        }
        let by = command.author.device.clone().unwrap_or_else(|| command.author.user_id.to_string());
        let body = match command.body() {
            Ok(body) => body,
            Err(error) => {
                let error = WireError::new(ErrorCode::Invalid, format!("unreadable command: {error}"));
                self.busy.remove(&id);
                self.send_receipt(receipt(&id, &error.into(), None));
                return;
            }
        };
        let job = match body {
            CommandBody::Input(input) => Job::Words(WordsJob {
                text: input.text,
                attachments: input.attachments.unwrap_or_default(),
                deliver_as: input.deliver_as,
                id: Some(id.clone()),
                by: Some(by),
                ack: None,
                receipts: true,
                triggers: Vec::new(),
            }),
            CommandBody::Answer(body) => Job::Answer { id: id.clone(), body, by: Some(by) },
            CommandBody::Interrupt(_) => return self.act(id, Action::Interrupt),
            CommandBody::Exec(mut exec) => {
                // The reply is matched by the id the author knows.
                exec.known.id = id.clone();
                self.remember_exec(id.clone(), None);
                return self.act(id, Action::Exec(exec));
            }
            CommandBody::ModelSet(set) => {
                return self.act(id, Action::ModelSet { provider: set.provider, model: set.model_id });
            }
            CommandBody::Trigger(trigger) => Job::Words(WordsJob {
                text: super::triggers::render_all(std::slice::from_ref(&trigger)),
                attachments: Vec::new(),
                deliver_as: Some(trigger.deliver_as),
                id: Some(id.clone()),
                by: Some(trigger.source_session_id.to_string()),
                ack: None,
                receipts: true,
                triggers: Vec::new(),
            }),
        };
        if self.jobs.try_send(job).is_err() {
            self.busy.remove(&id);
            let reached = Reached::rejected(ErrorCode::QueueFull, "too many messages wait for this session");
            self.send_receipt(receipt(&id, &reached, None));
        }
    }

    fn act(&self, id: CommandId, action: Action) {
        tokio::spawn(self.worker.clone().act(id, action));
    }

    fn decision_ended(&self, id: DecisionId, outcome: DecisionOutcome) {
        let session = self.session.clone();
        tokio::spawn(async move { session.end_decision(&id, &outcome).await });
    }

    // --- from the session

    fn report(&mut self, report: Report) {
        match report {
            Report::Event(event) => {
                self.push(&event);
                match &*event {
                    AgentEvent::TurnStart(_) => self.turn_began(),
                    AgentEvent::AgentEnd(_) | AgentEvent::ModelSelect(_) => self.snapshot(None),
                    _ => {}
                }
            }
            Report::Activity => self.heartbeat(),
            Report::Named => {
                self.metadata();
                self.heartbeat();
            }
            Report::Settled(outcome) => {
                self.settled(&outcome);
                self.last_outcome = outcome;
            }
            Report::Replaced { is_new } => {
                if is_new {
                    self.new_conversation();
                }
                self.snapshot(None);
                self.heartbeat();
            }
            Report::Capabilities => {
                let capabilities = outbound::capabilities(&*self.session);
                self.push(&capabilities);
            }
            // The session has announced it by a meta event already.
            Report::Raised(decision) => {
                self.ask_parent(&decision);
                self.raise(decision);
            }
            Report::DecisionEnded { id, is_known: true, .. } => self.decision_over(&id),
            Report::DecisionEnded { id, answer: Some(answer), .. } => {
                self.decision_over(&id);
                // Answered at the session's own terminal, or in words: the relay writes down who was first.
                self.decision_frame(Frame::Answer(AnswerDecision {
                    decision_id: id,
                    session_id: Some(self.session_id.clone()),
                    option: answer.option,
                    text: answer.text,
                    edits: answer.edits,
                    composed_at: None,
                    command_id: None,
                }));
            }
            Report::DecisionEnded { id, answer: None, .. } => {
                self.decision_over(&id);
                self.decision_frame(Frame::Withdraw { id, reason: None });
            }
            // Remote commands tell by themselves, together with their result.
            Report::Command { id, .. } if self.exec_replies.contains_key(&id) => {}
            Report::Command { id, reached } => self.send_receipt(receipt(&id, &reached, None)),
            Report::Lagged => {
                self.outbox.lose();
                self.announce();
            }
        }
    }

    fn done(&mut self, done: Done) {
        match done {
            Done::Event(event) => self.push(&event),
            Done::Receipt(receipt) => self.send_receipt(receipt),
            Done::ExecResult { reply, tell } => {
                if self.exec_replies.contains_key(&reply.id) {
                    self.remember_exec(reply.id.clone(), Some(reply.clone()));
                }
                if tell {
                    self.outbox.control(Frame::ExecResult(reply));
                }
            }
            Done::Snapshot => self.snapshot(None),
            Done::Heartbeat => self.heartbeat(),
            Done::Wish(wish) => {
                // Without a listener the program is ending already.
                let _ = self.wishes.send(wish);
            }
            Done::Kin(sent) => self.sent_kin(sent),
            Done::Trigger(trigger) => self.batch(trigger),
            Done::Undelivered(ids) => self.undelivered(&ids),
            Done::Over(id) => {
                self.busy.remove(&id);
            }
        }
    }

    /// Every ten seconds: proof of life, and whatever changed unnoticed.
    fn beat(&mut self) {
        self.heartbeat();
        let knows_resume = self.registration.as_ref().is_some_and(|known| known.capabilities.resume.is_some());
        if !knows_resume && self.session.leaf() != self.snapshot_leaf {
            // A relay without our log repairs its viewers only from snapshots.
            self.snapshot(None);
        } else {
            self.metadata();
        }
    }

    fn heartbeat(&mut self) {
        let heartbeat = outbound::heartbeat(&self.session.facts(), now());
        self.push(&heartbeat);
    }

    fn metadata(&mut self) {
        let state = outbound::state(&*self.session, self.config.announce_file);
        if let Some(item) = outbound::metadata_update(&state, &mut self.told) {
            self.outbox.push(item);
        }
    }

    fn snapshot(&mut self, nonce: Option<&str>) {
        if self.registration.is_none() {
            self.snapshot_due = true;
            return;
        }
        self.snapshot_due = false;
        let state = outbound::state(&*self.session, self.config.announce_file);
        let leaf = self.session.leaf();
        let messages = self.session.messages();
        let id = uuid::Uuid::new_v4().to_string();
        let items: Vec<Item> = snapshot::make(&state, &messages, nonce, &id, Limits::default());
        self.told = JsonObject::from_value(&state).expect("a state is an object");
        self.snapshot_leaf = leaf;
        self.outbox.push_snapshot(items);
    }

    fn push(&mut self, event: &AgentEvent) {
        self.outbox.push(outbound::item(event));
    }

    fn raise(&mut self, mut decision: Decision) {
        decision.session_id = self.session_id.clone();
        self.decision_frame(Frame::Raise(decision));
    }

    /// For relays that keep decisions; others know them from meta events.
    fn decision_frame(&mut self, frame: Frame) {
        let understood = self.registration.as_ref().is_some_and(|known| known.capabilities.decisions.is_some());
        if understood {
            self.outbox.control(frame);
        }
    }

    fn send_receipt(&mut self, receipt: CommandReceipt) {
        if let Some(at) = self.receipts.iter().position(|(_, known)| known.command_id == receipt.command_id) {
            // Only the newest word about a command is worth repeating, and nothing moves backwards.
            if self.receipts[at].1.state.is_final() && !receipt.state.is_final() {
                return;
            }
            self.receipts.remove(at);
        }
        self.receipts.push_back((u64::MAX, receipt.clone()));
        if self.receipts.len() > MAX_UNCONFIRMED_RECEIPTS {
            self.receipts.pop_front();
        }
        self.outbox.control(Frame::Receipt(receipt));
    }

    // --- out

    /// Hand over what the connection takes.
    fn flush(&mut self) {
        self.is_congested = false;
        let (Some(link), Some(registration)) = (&self.link, &self.registration) else { return };
        for _ in 0..BURST {
            let Some((next, seq)) = self.outbox.peek() else { return };
            let sent = match next {
                Outgoing::Event(item) => link.emit::<from_client::Event>(&RelayEvent {
                    session_id: Some(registration.session_id.clone()),
                    token: registration.token.clone(),
                    event: item.raw.clone(),
                    seq,
                }),
                Outgoing::Control(frame) => emit_frame(link, &registration.token, frame),
            };
            match sent {
                Ok(()) => {
                    let after = self.outbox.next_seq();
                    if let Some(Frame::Receipt(sent)) = self.outbox.sent() {
                        // Confirmed by the first event that is sent after it and stored.
                        let waiting = self.receipts.iter_mut().find(|(_, known)| *known == sent);
                        if let Some((confirmed_by, _)) = waiting {
                            *confirmed_by = after;
                        }
                    }
                }
                Err(ClientError::Full) => {
                    self.is_congested = true;
                    return;
                }
                Err(
                    error @ (ClientError::TooLarge { .. } | ClientError::Encode { .. } | ClientError::Decode { .. }),
                ) => {
                    tracing::error!(%error, "an event cannot be sent and is left out");
                    self.outbox.discard();
                }
                // The signal that ends this registration is on its way.
                Err(ClientError::Disconnected | ClientError::Closed | ClientError::TimedOut { .. }) => return,
            }
        }
        self.is_congested = self.outbox.peek().is_some();
    }
}

fn emit_frame(link: &Link, token: &str, frame: &Frame) -> Result<(), ClientError> {
    match frame {
        Frame::Receipt(receipt) => link.emit::<from_client::CommandReceipt>(receipt),
        Frame::ExecResult(reply) => link.emit::<from_client::ExecResult>(reply),
        Frame::Raise(decision) => link
            .emit::<from_client::RaiseDecision>(&RaiseDecision { token: token.to_owned(), decision: decision.clone() }),
        Frame::Withdraw { id, reason } => link.emit::<from_client::WithdrawDecision>(&WithdrawDecision {
            token: token.to_owned(),
            decision_id: id.clone(),
            superseded_by: None,
            reason: reason.clone(),
        }),
        Frame::Answer(answer) => link.emit::<from_client::AnswerDecision>(answer),
        Frame::Probe(reply) => link.emit::<from_client::ProbeReply>(reply),
    }
}

fn connect(config: &RemoteConfig) -> Result<(Handle, Incoming<FromServer>), ConfigError> {
    let api_key = config.api_key.clone();
    let join = Join::with_auth(move || {
        let auth = json!({ "apiKey": api_key, "protocolVersion": 1, "clientVersion": crate::VERSION });
        async move { Ok::<_, AuthError>(auth) }
    });
    Client::connect::<FromServer>(Config::new(config.socket_url.clone()), join)
}

async fn next_signal(socket: &mut Option<(Handle, Incoming<FromServer>)>) -> Option<Signal<FromServer>> {
    match socket {
        Some((_, incoming)) => incoming.recv().await,
        None => std::future::pending().await,
    }
}

async fn next_status(status: &mut Option<watch::Receiver<Status>>) -> Status {
    if let Some(status) = status
        && status.changed().await.is_ok()
    {
        return status.borrow_and_update().clone();
    }
    std::future::pending().await
}

/// The published form of a decision that waits.
fn pending_event(decision: &Decision) -> Option<MetaEvent> {
    use pizzapi_protocol::{
        ApprovalAction, ApprovalPending, DecisionKind, MetaPendingApproval, MetaPendingPlan, MetaPendingQuestion,
        PlanPending, QuestionPending,
    };
    let detail = &decision.detail;
    let tool_call_id = detail.tool_call_id.clone().unwrap_or_else(|| decision.decision_id.to_string());
    Some(match decision.kind {
        DecisionKind::Question => MetaEvent::QuestionPending(QuestionPending {
            question: MetaPendingQuestion { tool_call_id, questions: detail.questions.clone()?, display: None },
        }),
        DecisionKind::Plan => MetaEvent::PlanPending(PlanPending {
            plan: MetaPendingPlan {
                tool_call_id,
                title: decision.title.clone(),
                description: Some(detail.text.clone()).filter(|text| !text.is_empty()),
                steps: detail.steps.clone(),
            },
        }),
        DecisionKind::Approval => MetaEvent::ApprovalPending(ApprovalPending {
            approval: MetaPendingApproval {
                prompt_id: decision.decision_id.to_string(),
                title: decision.title.clone(),
                message: Some(detail.text.clone()).filter(|text| !text.is_empty()),
                tool_name: detail.tool_name.clone(),
                icon: None,
                fields: detail.fields.clone(),
                actions: Some(
                    decision
                        .options
                        .iter()
                        .map(|option| ApprovalAction {
                            id: option.id.clone(),
                            label: option.label.clone(),
                            style: option.style,
                        })
                        .collect(),
                ),
            },
        }),
        DecisionKind::PluginTrust | DecisionKind::McpLogin => return None,
    })
}

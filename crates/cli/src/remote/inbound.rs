//! What the relay asks of the session, beside the link's own loop: words in their order, everything else at once.

use std::sync::Arc;
use std::time::Duration;

use pizzapi_protocol::{
    Ack, AgentEvent, AnswerBody, Attachment, CliError, CommandId, CommandReceipt, CommandState, DeliverAs, ErrorCode,
    Exec, ExecResult, NotifyType, Open, RawJson, Trigger, TriggerId, UiNotify, WireError,
};
use tokio::sync::mpsc;

use super::attachments::Attachments;
use super::children::Sent;
use super::exec::{self, Executed};
use super::session::{HostWish, Reached, Session, Taken, Words};

/// Words that wait for those before them. People do not type that fast; a program that does is told to wait.
pub(super) const WAITING_WORDS: usize = 256;
/// A reply leaves before the process does.
const BEFORE_THE_END: Duration = Duration::from_millis(100);

/// What the work beside the loop reports back to it.
#[derive(Debug)]
pub(super) enum Done {
    Event(AgentEvent),
    Receipt(CommandReceipt),
    /// `tell`: not told by a receipt.
    ExecResult {
        reply: ExecResult,
        tell: bool,
    },
    Snapshot,
    Heartbeat,
    Wish(HostWish),
    /// What became of something sent to another session.
    Kin(Sent),
    /// Nobody waited for these words: they are for the agent.
    Trigger(Trigger),
    /// The agent did not get these.
    Undelivered(Vec<TriggerId>),
    /// No more receipts will come for this command from here.
    Over(CommandId),
}

/// Words or an answer, to be taken in order.
#[derive(Debug)]
pub(super) enum Job {
    Words(WordsJob),
    Answer { id: CommandId, body: AnswerBody, by: Option<String> },
}

#[derive(Debug)]
pub(super) struct WordsJob {
    pub text: String,
    pub attachments: Vec<Attachment>,
    pub deliver_as: Option<DeliverAs>,
    pub id: Option<CommandId>,
    pub by: Option<String>,
    /// Of the published `input`: true when the agent has the words.
    pub ack: Option<Ack<bool>>,
    /// Tell what becomes of it by receipts.
    pub receipts: bool,
    /// The triggers these words tell of.
    pub triggers: Vec<TriggerId>,
}

/// Shared by everything that works beside the loop.
#[derive(Clone)]
pub(super) struct Worker {
    pub session: Arc<dyn Session>,
    pub attachments: Arc<Attachments>,
    pub session_id: String,
    pub done: mpsc::UnboundedSender<Done>,
}

pub(super) fn receipt(id: &CommandId, reached: &Reached, result: Option<RawJson>) -> CommandReceipt {
    CommandReceipt {
        command_id: id.clone(),
        state: reached.state,
        code: reached.code,
        message: reached.message.clone(),
        result,
    }
}

impl Worker {
    fn tell(&self, done: Done) {
        // Nobody listens when the session has ended.
        let _ = self.done.send(done);
    }

    fn reached(&self, id: &CommandId, reached: &Reached) {
        self.tell(Done::Receipt(receipt(id, reached, None)));
    }

    /// Take words and answers, one after the other.
    pub async fn run(self, mut jobs: mpsc::Receiver<Job>) {
        while let Some(job) = jobs.recv().await {
            match job {
                Job::Words(job) => self.words(job).await,
                Job::Answer { id, body, by } => self.answer(id, &body, by).await,
            }
        }
    }

    async fn words(&self, job: WordsJob) {
        let WordsJob { text, attachments, deliver_as, id, by, ack, receipts, triggers } = job;
        let is_trigger = !triggers.is_empty();
        let outcome = self.take_words(text, attachments, deliver_as, id.clone(), by, is_trigger).await;
        if let Some(ack) = ack {
            ack.send(&!matches!(&outcome, Err(_) | Ok(Reached { state: CommandState::Rejected, .. })));
        }
        let reached = match outcome {
            Ok(reached) => reached,
            Err(error) => {
                self.tell(Done::Undelivered(triggers));
                self.tell(Done::Event(AgentEvent::CliError(CliError {
                    message: error.message.clone(),
                    source: Some("remote".to_owned()),
                    ts: now(),
                })));
                error.into()
            }
        };
        if let Some(id) = id {
            if receipts {
                if reached.state == CommandState::Rejected {
                    self.write_down(&id, &reached).await;
                }
                self.reached(&id, &reached);
            }
            self.tell(Done::Over(id));
        }
    }

    async fn take_words(
        &self,
        text: String,
        attachments: Vec<Attachment>,
        deliver_as: Option<DeliverAs>,
        id: Option<CommandId>,
        by: Option<String>,
        is_trigger: bool,
    ) -> Result<Reached, WireError> {
        if let Some(reached) = id.as_ref().and_then(|id| self.session.command(id)) {
            return Ok(reached);
        }
        // Questions are answered by people, not by what happens elsewhere.
        if !is_trigger && self.session.offer_text(&text, by).await {
            if let Some(id) = &id {
                self.write_down(id, &Reached::CONSUMED).await;
            }
            return Ok(Reached::CONSUMED);
        }
        let resolved = self
            .attachments
            .resolve(&self.session_id, &attachments)
            .await
            .map_err(|error| WireError::new(ErrorCode::Invalid, error.to_string()))?;
        let facts = self.session.facts();
        let busy = facts.active || facts.settling;
        let deliver_as = deliver_as.or_else(|| busy.then_some(DeliverAs::Steer));
        if busy && deliver_as == Some(DeliverAs::Steer) && self.is_command(&text) {
            // A command is for now; what runs would swallow it as words.
            self.session.abort().await;
        }
        let mut text = text;
        for note in &resolved.notes {
            text.push_str("\n\n");
            text.push_str(note);
        }
        let words = Words { text, images: resolved.images, deliver_as, command_id: id.clone() };
        match self.session.prompt(words).await? {
            Taken::Accepted => Ok(id.and_then(|id| self.session.command(&id)).unwrap_or(Reached::DELIVERED)),
            Taken::Repeated(reached) => Ok(reached),
            Taken::Command { message, wish } => {
                if let Some(message) = message.filter(|message| !message.is_empty()) {
                    self.notify(message, NotifyType::Info);
                }
                match wish {
                    Some(HostWish::Terminal) => {
                        self.notify("That command needs the session's own terminal.".to_owned(), NotifyType::Warning);
                    }
                    Some(wish) => self.tell(Done::Wish(wish)),
                    None => {}
                }
                if let Some(id) = &id {
                    self.write_down(id, &Reached::CONSUMED).await;
                }
                Ok(Reached::CONSUMED)
            }
        }
    }

    /// Is this one of the program's own commands, and not a path or a quotation?
    fn is_command(&self, text: &str) -> bool {
        let Some(name) = text.strip_prefix('/').and_then(|rest| rest.split_whitespace().next()) else { return false };
        self.session.commands().iter().any(|command| command.name.trim_start_matches('/') == name)
    }

    fn notify(&self, message: String, notify_type: NotifyType) {
        self.tell(Done::Event(AgentEvent::UiNotify(UiNotify { message, notify_type: Some(notify_type) })));
    }

    async fn answer(&self, id: CommandId, body: &AnswerBody, by: Option<String>) {
        if self.begin(&id).await {
            let reached = match self.session.answer(body, by).await {
                Ok(()) => Reached::CONSUMED,
                Err(error) => error.into(),
            };
            self.write_down(&id, &reached).await;
            self.reached(&id, &reached);
        }
        self.tell(Done::Over(id));
    }

    /// Write down that a command is here, and say so. `false`: it was here before, or cannot be written down.
    async fn begin(&self, id: &CommandId) -> bool {
        match self.session.journal(id, &Reached::DELIVERED).await {
            Ok(None) => {
                self.reached(id, &Reached::DELIVERED);
                true
            }
            Ok(Some(known)) => {
                self.reached(id, &known);
                false
            }
            Err(error) => {
                // Without a note a repetition would run it twice: better not at all.
                self.reached(id, &error.into());
                false
            }
        }
    }

    async fn write_down(&self, id: &CommandId, reached: &Reached) {
        if let Err(error) = self.session.journal(id, reached).await {
            tracing::error!(command.id = %id, %error, "failed to write down what became of a command");
        }
    }

    /// A command that acts at once: stopping, switching the model, remote commands.
    pub async fn act(self, id: CommandId, action: Action) {
        if self.begin(&id).await {
            let executed = match &action {
                Action::Interrupt => exec::run(&*self.session, "abort", &Default::default()).await,
                Action::ModelSet { provider, model } => exec::set_model(&*self.session, provider, model).await,
                Action::Exec(exec) => exec::run(&*self.session, &exec.known.command, &exec.extra).await,
            };
            let reached = match &executed.error {
                None => Reached::CONSUMED,
                Some(error) => Reached::rejected(ErrorCode::Invalid, error.clone()),
            };
            self.write_down(&id, &reached).await;
            let result = executed.result.clone();
            let command = match action {
                Action::Exec(exec) => Some((id.clone(), exec.known.command)),
                Action::Interrupt | Action::ModelSet { .. } => None,
            };
            self.report(executed, command, Some(Done::Receipt(receipt(&id, &reached, result)))).await;
        }
        self.tell(Done::Over(id));
    }

    /// The published `exec`: one reply, nothing written down.
    pub async fn exec(self, exec: Open<Exec>) {
        let executed = exec::run(&*self.session, &exec.known.command, &exec.extra).await;
        let id = exec.known.id.clone();
        self.report(executed, Some((exec.known.id, exec.known.command)), None).await;
        self.tell(Done::Over(id));
    }

    /// The owner's choice of models changed: pickers must see it.
    pub async fn hidden_models(self, hidden: Vec<String>) {
        self.session.set_hidden_models(hidden).await;
        self.tell(Done::Event(super::outbound::capabilities(&*self.session)));
    }

    /// The published `model_set`.
    pub async fn model_set(self, provider: String, model: String) {
        let executed = exec::set_model(&*self.session, &provider, &model).await;
        self.report(executed, None, None).await;
    }

    async fn report(&self, executed: Executed, command: Option<(CommandId, String)>, receipt: Option<Done>) {
        for event in executed.events {
            self.tell(Done::Event(event));
        }
        if let Some((id, command)) = command {
            let ok = executed.error.is_none();
            let result = executed.result.into();
            let reply = ExecResult { id, ok, command, result, error: executed.error };
            self.tell(Done::ExecResult { reply, tell: receipt.is_none() });
        }
        if let Some(receipt) = receipt {
            self.tell(receipt);
        }
        if executed.snapshot {
            self.tell(Done::Snapshot);
        }
        self.tell(Done::Heartbeat);
        if let Some(wish) = executed.wish {
            tokio::time::sleep(BEFORE_THE_END).await;
            self.tell(Done::Wish(wish));
        }
    }
}

/// What a command asks for that does not wait its turn.
#[derive(Debug)]
pub(super) enum Action {
    Interrupt,
    ModelSet { provider: String, model: String },
    Exec(Open<Exec>),
}

pub(super) fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

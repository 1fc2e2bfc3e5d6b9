//! The promises beyond the published protocol: commands that end exactly once, decisions with one winner, positions in a log, and
//! lights that say who is really there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::error::ErrorCode;
use crate::events::RawJson;
use crate::exec::Exec;
use crate::ids::{CommandId, DecisionId, Epoch, Generation, Position, Revision, RunnerId, Seq, SessionId, UserId};
use crate::json::{Open, UnixMs, tagged, wire, words};
use crate::meta::{ApprovalField, ApprovalStyle, MetaPlanStep, MetaQuestion};
use crate::session::Attachment;
use crate::trigger::{DeliverAs, Trigger};

words! {
    /// What is asked of a session.
    pub enum CommandKind {
        /// Words for the agent.
        Input = "input",
        /// The answer to a decision.
        Answer = "answer",
        /// Stop the running turn.
        Interrupt = "interrupt",
        Exec = "exec",
        ModelSet = "model_set",
        Trigger = "trigger",
    }

    /// How far a command has come. Every accepted command ends in exactly one of the states from `consumed` on.
    pub enum CommandState {
        /// Stored by the relay: no crash of one process loses it.
        Accepted = "accepted",
        /// The session's process has it and has written it down.
        Delivered = "delivered",
        /// The agent took it into its context, or acted on it.
        Consumed = "consumed",
        Rejected = "rejected",
        /// Its deadline passed before it was delivered.
        Expired = "expired",
        /// The author withdrew it before it was consumed.
        Cancelled = "cancelled",
        /// It was delivered, then the process died; whether it acted cannot be proven.
        Unknown = "unknown",
    }
}

impl CommandState {
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Accepted | Self::Delivered)
    }

    /// May a command that stands at `self` move to `next`? Final states never change; nothing moves backwards.
    pub const fn may_become(self, next: Self) -> bool {
        match self {
            Self::Accepted => !matches!(next, Self::Accepted),
            Self::Delivered => {
                matches!(next, Self::Consumed | Self::Rejected | Self::Cancelled | Self::Unknown)
            }
            _ => false,
        }
    }
}

wire! {
    /// Who asks.
    pub struct Author {
        user_id: UserId,
        /// A name for the browser, phone or terminal.
        device?: String,
    }

    /// Anything a person or a machine asks of a session.
    pub struct Command {
        /// Made by the author (UUID v7); the relay makes one for clients that do not.
        command_id: CommandId,
        session_id: SessionId,
        kind: CommandKind,
        author: Author,
        /// What the author had on screen; `null` for clients that do not say.
        #[serde(deserialize_with = "crate::json::lenient")]
        composed_at: Position | null,
        created_at: UnixMs,
        /// Worthless when not delivered by then.
        #[serde(deserialize_with = "crate::json::lenient")]
        deadline: UnixMs | null,
        /// Shape: by `kind`, see `CommandBody`.
        #[ts(type = "CommandBody")]
        body: RawJson,
    }

    pub struct InputBody {
        text: String = default,
        attachments?: [Attachment],
        /// `web`, `agent`, `push` …
        client?: String,
        deliver_as?: DeliverAs,
    }

    pub struct ModelSetBody {
        provider: String,
        model_id: String,
    }

    #[derive(Default)]
    pub struct InterruptBody {
        reason?: String,
    }

    /// How a decision is answered.
    pub struct AnswerBody {
        decision_id: DecisionId,
        /// One of the decision's option ids. Free text of a question goes into `text` with option `text`.
        option: String,
        text?: String,
        /// Changed fields of an approval, by key.
        edits?: BTreeMap<String, String>,
    }

    /// Session to relay: this became of a command.
    pub struct CommandReceipt {
        command_id: CommandId,
        /// `delivered`, `consumed`, `rejected` or `cancelled`.
        state: CommandState,
        code?: ErrorCode,
        message?: String,
        /// What an `exec` gave.
        result?: RawJson,
    }

    /// Relay to viewer: this became of a command.
    pub struct CommandStatus {
        command_id: CommandId,
        session_id: SessionId,
        state: CommandState,
        at: UnixMs,
        code?: ErrorCode,
        message?: String,
        /// Whose command it is.
        by?: Author,
    }

    /// A command that has not ended, and where it stands.
    pub struct OpenCommand {
        command: Command,
        state: CommandState,
        at: UnixMs,
    }

    /// All open commands of a session, on attach.
    pub struct Commands {
        session_id: SessionId,
        open: [OpenCommand],
        generation?: Generation,
    }

    /// Withdraw a command that was not consumed yet.
    pub struct CancelCommand {
        command_id: CommandId,
        session_id?: SessionId,
    }
}

/// The body of a command, by its kind.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
#[serde(untagged)]
pub enum CommandBody {
    Input(InputBody),
    Answer(AnswerBody),
    Interrupt(InterruptBody),
    Exec(Open<Exec>),
    ModelSet(ModelSetBody),
    Trigger(Trigger),
}

impl CommandBody {
    pub const fn kind(&self) -> CommandKind {
        match self {
            Self::Input(_) => CommandKind::Input,
            Self::Answer(_) => CommandKind::Answer,
            Self::Interrupt(_) => CommandKind::Interrupt,
            Self::Exec(_) => CommandKind::Exec,
            Self::ModelSet(_) => CommandKind::ModelSet,
            Self::Trigger(_) => CommandKind::Trigger,
        }
    }
}

impl Command {
    /// Read the body. Errors: it does not have the shape its kind demands.
    pub fn body(&self) -> serde_json::Result<CommandBody> {
        Ok(match self.kind {
            CommandKind::Input => CommandBody::Input(self.body.to()?),
            CommandKind::Answer => CommandBody::Answer(self.body.to()?),
            CommandKind::Interrupt => CommandBody::Interrupt(self.body.to()?),
            CommandKind::Exec => CommandBody::Exec(self.body.to()?),
            CommandKind::ModelSet => CommandBody::ModelSet(self.body.to()?),
            CommandKind::Trigger => CommandBody::Trigger(self.body.to()?),
        })
    }
}

words! {
    /// What kind of answer a decision wants.
    pub enum DecisionKind {
        Question = "question",
        Plan = "plan",
        Approval = "approval",
        PluginTrust = "plugin_trust",
        McpLogin = "mcp_login",
    }
}

wire! {
    /// Something that waits for a person. A durable record: it survives reconnects, restarts and compaction.
    pub struct Decision {
        /// The tool call or prompt id of the published meta event it is also announced by.
        decision_id: DecisionId,
        session_id: SessionId,
        epoch: Epoch = default,
        kind: DecisionKind,
        title: String,
        detail: DecisionDetail,
        options: [DecisionOption],
        /// Taken when the deadline passes. Never one that allows.
        #[serde(deserialize_with = "crate::json::lenient")]
        default: String | null,
        deadline?: UnixMs,
        created_at: UnixMs = default,
    }

    /// Exactly what is decided about.
    #[derive(Default)]
    pub struct DecisionDetail {
        /// Markdown.
        text: String = default,
        tool_call_id?: String,
        tool_name?: String,
        /// The command that would run, unabridged.
        command?: String,
        cwd?: String,
        /// SHA-256 of the diff that was shown.
        diff_hash?: String,
        questions?: [MetaQuestion],
        steps?: [MetaPlanStep],
        fields?: [ApprovalField],
        /// Plugins to be trusted, or the address to sign in at.
        subjects?: [String],
        url?: String,
    }

    pub struct DecisionOption {
        id: String,
        label: String,
        description?: String,
        style?: ApprovalStyle,
    }

    pub struct DecisionAnswered {
        by: UserId,
        by_name?: String,
        device?: String,
        option: String,
        text?: String,
        edits?: BTreeMap<String, String>,
        at: UnixMs,
    }

    pub struct DecisionExpired {
        /// The default that was taken.
        option: String | null,
        at: UnixMs,
    }

    pub struct DecisionSuperseded {
        by?: DecisionId,
        at: UnixMs,
    }

    pub struct DecisionWithdrawn {
        reason?: String,
        at: UnixMs,
    }
}

tagged! {
    /// How a decision ended. The first answer wins; everybody learns whose it was.
    pub enum DecisionOutcome by "outcome" {
        Answered = "answered" (DecisionAnswered),
        /// The deadline passed; the default counts.
        Expired = "expired" (DecisionExpired),
        /// A newer one took its place.
        Superseded = "superseded" (DecisionSuperseded),
        /// The session no longer wants to know.
        Withdrawn = "withdrawn" (DecisionWithdrawn),
    }
}

wire! {
    /// All open decisions of a user, oldest first.
    pub struct Decisions {
        decisions: [Decision],
        revision?: Revision,
    }

    pub struct DecisionEnded {
        decision_id: DecisionId,
        session_id: SessionId,
        outcome: DecisionOutcome,
        revision?: Revision,
    }

    /// A person's answer, from any surface.
    pub struct AnswerDecision {
        decision_id: DecisionId,
        session_id?: SessionId,
        /// One of the option ids; `text` for free text.
        option: String,
        text?: String,
        edits?: BTreeMap<String, String>,
        /// Answers composed for an earlier epoch are refused.
        composed_at?: Position,
        /// The command this answer becomes; made by the author.
        command_id?: CommandId,
    }

    /// Did the answer win? When not, `outcome` says what did.
    pub struct AnswerReply {
        ok: bool,
        outcome?: DecisionOutcome,
        code?: ErrorCode,
        error?: String,
    }

    /// Session to relay: a person is needed.
    pub struct RaiseDecision {
        token: String = default,
        decision: Decision,
    }

    /// Session to relay: no longer.
    pub struct WithdrawDecision {
        token: String = default,
        decision_id: DecisionId,
        /// Set when a newer decision takes its place.
        superseded_by?: DecisionId,
        reason?: String,
    }
}

words! {
    pub enum LightState {
        /// Heard in time.
        Up = "up",
        /// Overdue.
        Slow = "slow",
        /// Given up.
        Down = "down",
        /// Nothing to hear from: no runner, no request to a model.
        Off = "off",
        /// Not asked yet, or a peer that cannot be asked.
        Unknown = "unknown",
    }

    /// Is the process of a session there?
    pub enum SessionPresence {
        /// Asked for, not there yet.
        Starting = "starting",
        Online = "online",
        /// Its connection broke; it is expected back.
        Reconnecting = "reconnecting",
        /// Gone; the history stays.
        Offline = "offline",
    }

    pub enum SpawnState {
        Requested = "requested",
        /// The process was started.
        Accepted = "accepted",
        /// It registered: usable.
        Registered = "registered",
        Failed = "failed",
        TimedOut = "timed_out",
    }

    /// How a viewer was brought up to date.
    pub enum HydratedVia {
        /// Exactly the events it missed.
        Delta = "delta",
        /// Nothing was missing.
        Current = "current",
        /// The stored snapshot and what came after it.
        Snapshot = "snapshot",
        /// A copy the session was asked for.
        Recovery = "recovery",
        /// The copy of a session that is not live.
        Persisted = "persisted",
        /// There is nothing yet.
        Empty = "empty",
    }

    /// Why a viewer could not be brought up to date.
    pub enum HydrationFailure {
        NotFound = "not_found",
        /// Neither the session nor a stored copy could be reached.
        Offline = "offline",
        Timeout = "timeout",
        Internal = "internal",
    }
}

wire! {
    pub struct Light {
        state: LightState,
        #[serde(deserialize_with = "crate::json::lenient")]
        heard_at: UnixMs | null,
    }

    /// Who is there, leg by leg, proven by answers of the loops that do the work.
    pub struct Lights {
        /// Viewer ↔ relay.
        relay: Light,
        /// Relay ↔ runner.
        machine: Light,
        /// Relay ↔ session process.
        agent: Light,
        /// The last byte from the model's provider.
        model: Light,
    }

    /// Relay to viewer: presence of the session it looks at.
    pub struct Presence {
        session_id: SessionId,
        presence: SessionPresence,
        lights?: Lights,
        viewers?: u32,
        at: UnixMs,
        generation?: Generation,
    }

    /// Are you there? Answered by the loop that does the work.
    pub struct Probe {
        nonce: String,
    }

    #[derive(Default)]
    pub struct ProbeReply {
        nonce: String,
        at?: UnixMs,
        /// Session: when the provider last sent a byte; `null` when it was never asked.
        model_heard_at?: UnixMs | null,
        /// Session: is a request to the provider under way?
        model_busy?: bool,
    }

    /// The life of a spawn, pushed to the hub.
    pub struct SessionSpawn {
        /// Also the id the session will have.
        spawn_id: SessionId,
        session_id: SessionId,
        #[serde(deserialize_with = "crate::json::lenient")]
        runner_id: RunnerId | null,
        state: SpawnState,
        message?: String,
        at: UnixMs,
        revision?: Revision,
    }

    /// Session to relay, on registration: what the relay has acknowledged of my last life.
    pub struct ResumeOffer {
        /// The epoch of the registration before.
        epoch: Epoch,
        /// The highest number of that registration's own counter that was acknowledged.
        last_acked_seq: u64,
    }

    /// Relay to session: what is stored of that life; send again what came after.
    pub struct ResumeAnswer {
        epoch: Epoch,
        stored_seq: u64,
    }

    /// Relay to viewer: everything up to `(epoch, seq)` is with you.
    pub struct Hydrated {
        session_id: SessionId,
        generation: Generation,
        epoch: Epoch,
        seq: Seq,
        via: HydratedVia,
        /// Proven to be without a hole.
        complete: bool,
    }

    /// Relay to viewer: it did not work.
    pub struct HydrationFailed {
        session_id: SessionId,
        generation: Generation,
        reason: HydrationFailure,
        message?: String,
        retryable: bool,
    }

    /// Relay to viewer: a snapshot is on its way in pieces.
    pub struct Hydrating {
        session_id: SessionId,
        generation: Generation,
        received: u64,
        total: u64,
    }

    /// Relay to viewer: the log goes further than what you have.
    pub struct Behind {
        session_id: SessionId,
        head: Position,
        generation?: Generation,
    }

    /// Ask a feed for its whole list; `have` is the newest revision the client holds.
    #[derive(Default)]
    pub struct Refresh {
        have?: Revision,
    }

    /// Relay to session: how many people watch.
    pub struct Viewers {
        count: u32,
        visible?: u32,
    }
}

/// An object of a feed with the feed's revision beside its own members.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Revised<T> {
    #[serde(flatten)]
    pub item: T,
    /// Counts the changes of the feed; a gap means something was missed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
}

impl<T> From<T> for Revised<T> {
    fn from(item: T) -> Self {
        Self { item, revision: None }
    }
}

impl<'de, T: serde::de::DeserializeOwned> Deserialize<'de> for Revised<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let raw = RawJson::deserialize(deserializer)?;
        let item = raw.to().map_err(D::Error::custom)?;
        let revision =
            raw.to::<crate::json::JsonObject>().map(|object| object.get_as("revision")).map_err(D::Error::custom)?;
        Ok(Self { item, revision })
    }
}

impl<T: TS + 'static> TS for Revised<T> {
    type WithoutGenerics = Self;
    type OptionInnerType = Self;

    fn name(cfg: &ts_rs::Config) -> String {
        format!("{} & {{ revision?: Revision }}", T::name(cfg))
    }

    fn inline(cfg: &ts_rs::Config) -> String {
        Self::name(cfg)
    }

    fn visit_dependencies(visitor: &mut impl ts_rs::TypeVisitor) {
        visitor.visit::<T>();
        visitor.visit::<Revision>();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_ends_once_and_never_moves_back() {
        for &from in CommandState::ALL {
            for &to in CommandState::ALL {
                if from.is_final() {
                    assert!(!from.may_become(to), "{from} must not become {to}");
                }
            }
            assert!(!from.may_become(from));
        }
        assert!(CommandState::Accepted.may_become(CommandState::Consumed));
        assert!(!CommandState::Delivered.may_become(CommandState::Accepted));
        assert!(!CommandState::Delivered.may_become(CommandState::Expired));
    }
}

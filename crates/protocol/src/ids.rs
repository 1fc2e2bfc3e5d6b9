//! Names of things, and positions in a log.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

macro_rules! text_id {
    ($($(#[$meta:meta])* $name:ident;)*) => {$(
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, TS)]
        #[serde(transparent)]
        pub struct $name(#[ts(type = "string")] Arc<str>);

        /// The empty name, which names nothing.
        impl Default for $name {
            fn default() -> Self {
                Self(Arc::from(""))
            }
        }

        impl $name {
            pub fn new(id: impl Into<Arc<str>>) -> Self {
                Self(id.into())
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }

            pub fn is_empty(&self) -> bool {
                self.0.is_empty()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl From<String> for $name {
            fn from(id: String) -> Self {
                Self(id.into())
            }
        }

        impl From<&str> for $name {
            fn from(id: &str) -> Self {
                Self(id.into())
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0.as_ref().to_owned()
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                &*self.0 == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                &*self.0 == *other
            }
        }
    )*};
}

text_id! {
    /// An account.
    UserId;
    /// One conversation of an agent. A UUID by convention; any non-empty string is accepted.
    SessionId;
    /// A machine that can start sessions. Bound to the first `(user, secret)` that claimed it.
    RunnerId;
    /// A pseudo-terminal on a runner.
    TerminalId;
    /// One delivery of a trigger; receivers drop repeated ones.
    TriggerId;
    /// One thing asked of a session, named by its author (UUID v7). On published events: `requestId` of `input`, `id` of `exec`.
    CommandId;
    /// One question that waits for a person.
    DecisionId;
    /// Ties a runner's reply to the request it answers.
    RequestId;
}

macro_rules! number {
    ($($(#[$meta:meta])* $name:ident;)*) => {$(
        $(#[$meta])*
        #[derive(
            Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, TS,
        )]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            pub const fn get(self) -> u64 {
                self.0
            }

            pub const fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<u64> for $name {
            fn from(value: u64) -> Self {
                Self(value)
            }
        }
    )*};
}

number! {
    /// Position of a durable event in its session's log: 1, 2, 3 … without gaps, continuing over epochs. 0 is "before the first".
    Seq;
    /// Ownership life of a session: grows with each claim by a writer; only the newest claimant may append.
    Epoch;
    /// A viewer's count of its switches; answers carry it, so that late answers to an earlier switch are told apart.
    Generation;
    /// Counts the changes of one user's feed (session list, runner list); a gap means something was missed.
    Revision;
}

/// A place in a session's log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, TS)]
pub struct Position {
    pub epoch: Epoch,
    pub seq: Seq,
}

impl Position {
    pub const fn new(epoch: u64, seq: u64) -> Self {
        Self { epoch: Epoch(epoch), seq: Seq(seq) }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch, self.seq)
    }
}

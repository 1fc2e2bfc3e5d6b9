//! What the daemon can do for a browser besides sessions and terminals.

pub mod definitions;
pub mod files;
pub mod git;
pub mod processes;
pub mod settings;

use serde_json::Value;

/// The members of a success, without `ok`.
pub type Reply = Result<Value, Failure>;

/// Why a request could not be served, in words for a person.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    pub message: String,
    /// Further members of the answer, such as `reason`.
    pub details: serde_json::Map<String, Value>,
}

impl Failure {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), details: serde_json::Map::new() }
    }

    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }
}

/// The answer on the wire: `{ok: true, …}` or `{ok: false, message, …}`.
pub fn answer(reply: Reply) -> Value {
    let (ok, members) = match reply {
        Ok(Value::Object(members)) => (true, members),
        Ok(other) => (true, serde_json::Map::from_iter([("value".to_owned(), other)])),
        Err(failure) => {
            let mut members = failure.details;
            members.insert("message".to_owned(), failure.message.into());
            (false, members)
        }
    };
    let mut answer = serde_json::Map::from_iter([("ok".to_owned(), Value::Bool(ok))]);
    answer.extend(members);
    Value::Object(answer)
}

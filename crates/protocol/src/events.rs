//! Event tables: the one place where the name of an event is written.
//!
//! [`events!`] turns a table into an enum for the receiving side, a marker type per event for the sending side, the list of
//! names, and the TypeScript interface that `socket.io-client` wants. Transports know only the traits of this module.

use std::fmt;
use std::marker::PhantomData;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use ts_rs::TS;

/// Opaque JSON that is passed on with its bytes unchanged. TypeScript sees `unknown`.
#[derive(Clone)]
pub struct RawJson(Box<RawValue>);

impl RawJson {
    /// Serialise `value` once; what follows only copies the text.
    pub fn new<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<Self> {
        serde_json::value::to_raw_value(value).map(Self)
    }

    /// Take over text that must be one JSON value.
    pub fn parse(text: String) -> serde_json::Result<Self> {
        RawValue::from_string(text).map(Self)
    }

    pub fn get(&self) -> &str {
        self.0.get()
    }

    /// Read the text as a concrete type.
    pub fn to<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        serde_json::from_str(self.get())
    }

    pub fn as_raw(&self) -> &RawValue {
        &self.0
    }

    pub fn into_raw(self) -> Box<RawValue> {
        self.0
    }

    pub fn null() -> Self {
        Self(RawValue::NULL.to_owned())
    }
}

impl Default for RawJson {
    fn default() -> Self {
        Self::null()
    }
}

impl From<Box<RawValue>> for RawJson {
    fn from(raw: Box<RawValue>) -> Self {
        Self(raw)
    }
}

impl From<serde_json::Value> for RawJson {
    fn from(value: serde_json::Value) -> Self {
        Self(serde_json::value::to_raw_value(&value).expect("a JSON value serialises"))
    }
}

/// Equality of meaning, not of spelling: white space and the order of members do not count.
impl PartialEq for RawJson {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
            || matches!(
                (self.to::<serde_json::Value>(), other.to::<serde_json::Value>()),
                (Ok(left), Ok(right)) if left == right
            )
    }
}

impl fmt::Debug for RawJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.get())
    }
}

impl Serialize for RawJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RawJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(Self)
    }
}

impl TS for RawJson {
    type WithoutGenerics = Self;
    type OptionInnerType = Self;

    fn name(_: &ts_rs::Config) -> String {
        "unknown".to_owned()
    }

    fn inline(_: &ts_rs::Config) -> String {
        "unknown".to_owned()
    }
}

/// The payload of an event that carries nothing. Anything the peer sends instead is ignored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, TS)]
pub struct Empty {}

impl<'de> Deserialize<'de> for Empty {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self {})
    }
}

/// One event of one direction of one namespace, as its sender sees it.
pub trait Event: Send + Sync + 'static {
    const NAMESPACE: &'static str;
    const NAME: &'static str;
    type Payload: Serialize + DeserializeOwned + Send + Sync + 'static;
    /// What the receiver's acknowledgement carries; [`NoAck`] when the table names none.
    type Ack: Serialize + DeserializeOwned + Send + 'static;
}

/// Stands in the place of an acknowledgement for events that have none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct NoAck;

/// All events of one direction of one namespace, as their receiver sees them.
pub trait EventTable: Sized + Send + 'static {
    const NAMESPACE: &'static str;
    /// Every name of the table, in table order.
    const NAMES: &'static [&'static str];

    /// Read one event.
    ///
    /// `payload` is the JSON text of the first argument, if there was one; `reply` answers the sender's request for an
    /// acknowledgement, if there was one. `Ok(None)`: the name is not in the table, which is not an error.
    fn decode(name: &str, payload: Option<&str>, reply: Option<ReplyFn>) -> Result<Option<Self>, DecodeError>;

    /// The wire name of this event.
    fn name(&self) -> &'static str;
}

/// The payload of a known event does not have the shape the table demands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError {
    pub event: &'static str,
    pub message: String,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed `{}`: {}", self.event, self.message)
    }
}

impl std::error::Error for DecodeError {}

/// How a transport sends an acknowledgement: called at most once, with the JSON of its one argument.
pub type ReplyFn = Box<dyn FnOnce(Box<RawValue>) + Send>;

/// The receiver's one chance to acknowledge an event. Dropping it unanswered sends nothing.
pub struct Ack<T> {
    reply: Option<ReplyFn>,
    carries: PhantomData<fn(&T)>,
}

impl<T: Serialize> Ack<T> {
    pub fn new(reply: Option<ReplyFn>) -> Self {
        Self { reply, carries: PhantomData }
    }

    /// For calls that nobody waits for.
    pub fn ignored() -> Self {
        Self::new(None)
    }

    /// Did the sender ask for an answer?
    pub fn is_wanted(&self) -> bool {
        self.reply.is_some()
    }

    /// Answer. Does nothing when the sender did not ask.
    pub fn send(self, answer: &T) {
        if let Some(reply) = self.reply {
            reply(serde_json::value::to_raw_value(answer).expect("an acknowledgement serialises"));
        }
    }
}

impl<T> fmt::Debug for Ack<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.reply.is_some() { "Ack(wanted)" } else { "Ack(none)" })
    }
}

/// Read a payload. A missing argument, and what JavaScript makes of `undefined`, count as an empty object, so that events without
/// required members tolerate them.
#[doc(hidden)]
pub fn decode_payload<T: DeserializeOwned>(event: &'static str, payload: Option<&str>) -> Result<T, DecodeError> {
    let payload = payload.filter(|text| text.trim() != "null").unwrap_or("{}");
    serde_json::from_str(payload).map_err(|error| DecodeError { event, message: error.to_string() })
}

/// One row of an exported TypeScript event interface.
#[doc(hidden)]
pub struct EventRow {
    pub name: &'static str,
    pub docs: &'static [&'static str],
    /// The payload's TypeScript type; `None` for events without argument.
    pub payload: fn(&ts_rs::Config) -> String,
    pub ack: Option<fn(&ts_rs::Config) -> String>,
    /// Adds the types of the row, and all they are made of.
    pub declare: fn(&mut crate::typescript::Declarations),
    /// Reads a payload and writes it again.
    pub rewrite: fn(&str) -> serde_json::Result<String>,
    /// The same for the acknowledgement.
    pub rewrite_ack: Option<fn(&str) -> serde_json::Result<String>>,
}

/// Read `T` and write it again.
#[doc(hidden)]
pub fn rewrite<T: Serialize + DeserializeOwned>(text: &str) -> serde_json::Result<String> {
    serde_json::to_string(&serde_json::from_str::<T>(text)?)
}

/// Declare one direction of a namespace.
///
/// ```ignore
/// events! {
///     /// Browser to relay.
///     pub enum FromClient / from_client in "/viewer" {
///         /// Look at another session.
///         SwitchSession = "switch_session" (SwitchSession),
///         /// A person's words for the agent; answered when the session has them.
///         Input = "input" (ViewerInput) -> bool,
///     }
/// }
/// ```
///
/// gives `enum FromClient { SwitchSession(SwitchSession), Input(ViewerInput, Ack<bool>) }` with [`EventTable`], the marker types
/// `from_client::SwitchSession` and `from_client::Input` with [`Event`], and `FromClient::rows()` for the TypeScript export.
macro_rules! events {
    (
        $(#[doc = $table_doc:literal])*
        pub enum $table:ident / $module:ident in $namespace:literal {
            $(
                $(#[doc = $doc:literal])*
                $variant:ident = $name:literal ($payload:ty) $(-> $ack:ty)?
            ),* $(,)?
        }
    ) => {
        $(#[doc = $table_doc])*
        #[derive(Debug)]
        pub enum $table {
            $(
                $(#[doc = $doc])*
                $variant($payload $(, $crate::events::Ack<$ack>)?),
            )*
        }

        impl $crate::events::EventTable for $table {
            const NAMESPACE: &'static str = $namespace;
            const NAMES: &'static [&'static str] = &[$($name),*];

            #[allow(unused_variables, unused_mut)]
            fn decode(
                name: &str,
                payload: Option<&str>,
                mut reply: Option<$crate::events::ReplyFn>,
            ) -> Result<Option<Self>, $crate::events::DecodeError> {
                Ok(Some(match name {
                    $(
                        $name => Self::$variant(
                            $crate::events::decode_payload::<$payload>($name, payload)?
                            $(, $crate::events::Ack::<$ack>::new(reply.take()))?
                        ),
                    )*
                    _ => return Ok(None),
                }))
            }

            fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant(..) => $name,)*
                }
            }
        }

        impl $table {
            #[doc(hidden)]
            pub fn rows() -> Vec<$crate::events::EventRow> {
                vec![$(
                    $crate::events::EventRow {
                        name: $name,
                        docs: &[$($doc),*],
                        payload: <$payload as ts_rs::TS>::name,
                        ack: $crate::events::events!(@ack $($ack)?),
                        declare: |declarations| {
                            declarations.add::<$payload>();
                            $(declarations.add::<$ack>();)?
                        },
                        rewrite: $crate::events::rewrite::<$payload>,
                        rewrite_ack: $crate::events::events!(@rewrite $($ack)?),
                    },
                )*]
            }
        }

        $(#[doc = $table_doc])*
        /// Marker types, one per event, for sending.
        pub mod $module {
            $(
                $(#[doc = $doc])*
                #[derive(Debug, Clone, Copy)]
                pub enum $variant {}
            )*
        }

        $(
            impl $crate::events::Event for $module::$variant {
                const NAMESPACE: &'static str = $namespace;
                const NAME: &'static str = $name;
                type Payload = $payload;
                type Ack = $crate::events::events!(@carries $($ack)?);
            }
        )*
    };
    (@ack) => { None };
    (@ack $ack:ty) => { Some(<$ack as ts_rs::TS>::name) };
    (@rewrite) => { None };
    (@rewrite $ack:ty) => { Some($crate::events::rewrite::<$ack>) };
    (@carries) => { $crate::events::NoAck };
    (@carries $ack:ty) => { $ack };
}
pub(crate) use events;

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize, TS)]
    pub struct Words {
        text: String,
    }

    events! {
        /// A table for this test.
        pub enum FromClient / from_client in "/test" {
            /// Says something.
            Words = "words" (Words) -> bool,
            Bye = "bye" (Empty),
        }
    }

    #[test]
    fn a_known_event_decodes_and_its_ack_reaches_the_sender() {
        let (sent, answers) = mpsc::channel();
        let reply: ReplyFn = Box::new(move |json| sent.send(json.get().to_owned()).expect("the test still listens"));
        let event = FromClient::decode("words", Some(r#"{"text":"hi","more":1}"#), Some(reply));
        let Ok(Some(FromClient::Words(words, ack))) = event else { panic!("not decoded: {event:?}") };
        assert_eq!(words, Words { text: "hi".to_owned() });
        assert!(ack.is_wanted());
        ack.send(&true);
        assert_eq!(answers.recv().as_deref(), Ok("true"));
    }

    #[test]
    fn an_unknown_name_is_not_an_error_and_a_bad_payload_names_its_event() {
        assert!(matches!(FromClient::decode("later", None, None), Ok(None)));
        for payload in [None, Some("null"), Some("{}"), Some("[7]")] {
            assert!(matches!(FromClient::decode("bye", payload, None), Ok(Some(FromClient::Bye(_)))));
        }
        let error = FromClient::decode("words", Some("{}"), None).expect_err("text is missing");
        assert_eq!(error.event, "words");
        assert!(error.to_string().contains("text"), "{error}");
    }

    #[test]
    fn markers_carry_name_and_namespace() {
        assert_eq!(<from_client::Words as Event>::NAME, "words");
        assert_eq!(<from_client::Bye as Event>::NAMESPACE, "/test");
        assert_eq!(FromClient::NAMES, ["words", "bye"]);
        let rows = FromClient::rows();
        assert_eq!(rows[0].docs, [" Says something."]);
        assert!(rows[0].ack.is_some() && rows[1].ack.is_none());
    }

    #[test]
    fn raw_json_compares_by_meaning() {
        let left = RawJson::parse(r#"{"a":1, "b":2}"#.to_owned()).expect("JSON");
        let right = RawJson::parse(r#"{"b":2,"a":1}"#.to_owned()).expect("JSON");
        assert_eq!(left, right);
        assert_eq!(left.get(), r#"{"a":1, "b":2}"#);
    }
}

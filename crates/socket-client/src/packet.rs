//! Socket.IO v5 packets ↔ text. Nothing here allocates for the payload: decoded packets borrow from the message.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::de::{Deserialize, Deserializer, Error as _, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// More binary attachments than any honest peer announces.
pub const MAX_ATTACHMENTS: usize = 256;

/// One packet. `data` is JSON text, checked only as far as the packet's own grammar goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet<'a> {
    Connect { namespace: &'a str, data: Option<&'a str> },
    Disconnect { namespace: &'a str },
    Event { namespace: &'a str, id: Option<u64>, data: &'a str },
    Ack { namespace: &'a str, id: u64, data: &'a str },
    ConnectError { namespace: &'a str, data: Option<&'a str> },
    BinaryEvent { namespace: &'a str, attachments: usize, id: Option<u64>, data: &'a str },
    BinaryAck { namespace: &'a str, attachments: usize, id: u64, data: &'a str },
}

/// Why a text is no packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    #[error("empty packet")]
    Empty,
    #[error("unknown packet type")]
    UnknownType,
    #[error("malformed number of attachments")]
    Attachments,
    #[error("acknowledgement id missing or too large")]
    Id,
    #[error("payload missing or of the wrong kind")]
    Payload,
}

/// Read one packet from the text behind the Engine.IO message mark. Never panics, whatever the text is.
pub fn decode(text: &str) -> Result<Packet<'_>, PacketError> {
    let kind = *text.as_bytes().first().ok_or(PacketError::Empty)?;
    if !(b'0'..=b'6').contains(&kind) {
        return Err(PacketError::UnknownType);
    }
    let rest = &text[1..];

    let (attachments, rest) = match kind {
        b'5' | b'6' => {
            let (count, rest) = rest.split_once('-').ok_or(PacketError::Attachments)?;
            let count = number(count).and_then(|count| usize::try_from(count).ok()).ok_or(PacketError::Attachments)?;
            if count > MAX_ATTACHMENTS {
                return Err(PacketError::Attachments);
            }
            (count, rest)
        }
        _ => (0, rest),
    };

    let (namespace, rest) = match rest.starts_with('/') {
        true => rest.split_once(',').unwrap_or((rest, "")),
        false => ("/", rest),
    };

    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (id, data) = match kind {
        b'2' | b'3' | b'5' | b'6' if digits > 0 => {
            (Some(number(&rest[..digits]).ok_or(PacketError::Id)?), &rest[digits..])
        }
        _ => (None, rest),
    };

    let list = || if data.starts_with('[') { Ok(data) } else { Err(PacketError::Payload) };
    let optional = (!data.is_empty()).then_some(data);
    Ok(match kind {
        b'0' => Packet::Connect { namespace, data: optional },
        b'1' => Packet::Disconnect { namespace },
        b'2' => Packet::Event { namespace, id, data: list()? },
        b'3' => Packet::Ack { namespace, id: id.ok_or(PacketError::Id)?, data: list()? },
        b'4' => Packet::ConnectError { namespace, data: optional },
        b'5' => Packet::BinaryEvent { namespace, attachments, id, data: list()? },
        _ => Packet::BinaryAck { namespace, attachments, id: id.ok_or(PacketError::Id)?, data: list()? },
    })
}

/// Digits only: `parse` alone would take a leading plus sign.
fn number(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// Write one packet as the text behind the Engine.IO message mark.
pub fn encode(packet: &Packet<'_>) -> String {
    let (kind, namespace, attachments, id, data) = match *packet {
        Packet::Connect { namespace, data } => ('0', namespace, None, None, data),
        Packet::Disconnect { namespace } => ('1', namespace, None, None, None),
        Packet::Event { namespace, id, data } => ('2', namespace, None, id, Some(data)),
        Packet::Ack { namespace, id, data } => ('3', namespace, None, Some(id), Some(data)),
        Packet::ConnectError { namespace, data } => ('4', namespace, None, None, data),
        Packet::BinaryEvent { namespace, attachments, id, data } => ('5', namespace, Some(attachments), id, Some(data)),
        Packet::BinaryAck { namespace, attachments, id, data } => {
            ('6', namespace, Some(attachments), Some(id), Some(data))
        }
    };
    let data = data.unwrap_or("");
    let mut text = String::with_capacity(data.len() + namespace.len() + 24);
    text.push(kind);
    if let Some(attachments) = attachments {
        write!(text, "{attachments}-").expect("writing to a string cannot fail");
    }
    push_address(&mut text, namespace, id);
    text.push_str(data);
    text
}

/// Namespace and id as they stand in every packet.
pub(crate) fn push_address(text: &mut String, namespace: &str, id: Option<u64>) {
    if namespace != "/" {
        text.push_str(namespace);
        text.push(',');
    }
    if let Some(id) = id {
        write!(text, "{id}").expect("writing to a string cannot fail");
    }
}

/// The array of an event packet: its name and its arguments, each still as text.
#[derive(Debug)]
pub struct EventData<'a> {
    pub name: Cow<'a, str>,
    pub args: Vec<&'a RawValue>,
}

/// Take an event's array apart.
pub fn event_data(data: &str) -> Result<EventData<'_>, serde_json::Error> {
    serde_json::from_str(data)
}

/// The first argument of an acknowledgement; `null` when it has none.
pub fn ack_data(data: &str) -> Result<Box<RawValue>, serde_json::Error> {
    let args: Vec<&RawValue> = serde_json::from_str(data)?;
    Ok(args.first().map_or_else(|| RawValue::NULL.to_owned(), |raw| (*raw).to_owned()))
}

impl<'de: 'a, 'a> Deserialize<'de> for EventData<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Parts;

        impl<'de> Visitor<'de> for Parts {
            type Value = EventData<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an array that begins with the event's name")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let Name(name) = seq.next_element()?.ok_or_else(|| A::Error::custom("an event needs a name"))?;
                let mut args = Vec::with_capacity(1);
                while let Some(arg) = seq.next_element()? {
                    args.push(arg);
                }
                Ok(EventData { name, args })
            }
        }

        deserializer.deserialize_seq(Parts)
    }
}

/// Names are borrowed when they contain no escapes, which is always in practice.
struct Name<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Name<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl<'de> Visitor<'de> for Text {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the event's name")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(Text)
    }
}

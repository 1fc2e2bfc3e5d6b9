//! Packets and frames: vectors of the protocol document, and any input at all.

use pizzapi_socket_client::engine::Frame;
use pizzapi_socket_client::packet::{Packet, PacketError, ack_data, decode, encode, event_data};
use pretty_assertions::assert_eq;
use proptest::prelude::*;

#[test]
fn packets_read_and_write_as_the_protocol_document_shows() {
    let vectors = [
        ("0", Packet::Connect { namespace: "/", data: None }),
        (r#"0{"token":"123"}"#, Packet::Connect { namespace: "/", data: Some(r#"{"token":"123"}"#) }),
        (r#"0/admin,{"sid":"oSO0"}"#, Packet::Connect { namespace: "/admin", data: Some(r#"{"sid":"oSO0"}"#) }),
        ("0/admin,", Packet::Connect { namespace: "/admin", data: None }),
        (
            r#"4/admin,{"message":"Not authorized"}"#,
            Packet::ConnectError { namespace: "/admin", data: Some(r#"{"message":"Not authorized"}"#) },
        ),
        (r#"2["foo"]"#, Packet::Event { namespace: "/", id: None, data: r#"["foo"]"# }),
        (r#"2/admin,["bar"]"#, Packet::Event { namespace: "/admin", id: None, data: r#"["bar"]"# }),
        (r#"212["foo"]"#, Packet::Event { namespace: "/", id: Some(12), data: r#"["foo"]"# }),
        (r#"3/admin,13["bar"]"#, Packet::Ack { namespace: "/admin", id: 13, data: r#"["bar"]"# }),
        ("1/admin,", Packet::Disconnect { namespace: "/admin" }),
        (
            r#"51-["baz",{"_placeholder":true,"num":0}]"#,
            Packet::BinaryEvent {
                namespace: "/",
                attachments: 1,
                id: None,
                data: r#"["baz",{"_placeholder":true,"num":0}]"#,
            },
        ),
        (
            r#"61-/admin,456[{"_placeholder":true,"num":0}]"#,
            Packet::BinaryAck {
                namespace: "/admin",
                attachments: 1,
                id: 456,
                data: r#"[{"_placeholder":true,"num":0}]"#,
            },
        ),
        (r#"218446744073709551615["last"]"#, Packet::Event { namespace: "/", id: Some(u64::MAX), data: r#"["last"]"# }),
    ];
    for (text, packet) in vectors {
        assert_eq!(decode(text), Ok(packet), "{text}");
        assert_eq!(encode(&packet), text);
    }
    // Some servers leave the comma away when nothing follows.
    assert_eq!(decode("1/admin"), Ok(Packet::Disconnect { namespace: "/admin" }));
}

#[test]
fn what_is_no_packet_is_named() {
    let vectors = [
        ("", PacketError::Empty),
        ("7", PacketError::UnknownType),
        ("é", PacketError::UnknownType),
        ("2", PacketError::Payload),
        (r#"2{"no":"list"}"#, PacketError::Payload),
        (r#"3["no id"]"#, PacketError::Id),
        (r#"218446744073709551616["too large"]"#, PacketError::Id),
        (r#"5["no count"]"#, PacketError::Attachments),
        (r#"5+1-["sign"]"#, PacketError::Attachments),
        (r#"5999999999-["many"]"#, PacketError::Attachments),
    ];
    for (text, error) in vectors {
        assert_eq!(decode(text), Err(error), "{text}");
    }
}

#[test]
fn an_event_is_taken_apart_without_reading_its_payload() {
    let event = event_data(r#"["na\u006de", {"a" : [1, 2]}, null]"#).unwrap();
    assert_eq!(event.name, "name");
    assert_eq!(event.args.iter().map(|arg| arg.get()).collect::<Vec<_>>(), [r#"{"a" : [1, 2]}"#, "null"]);
    assert!(event_data("[]").is_err());
    assert!(event_data("[1]").is_err());
    assert!(event_data(r#"["name",]"#).is_err());
    assert_eq!(ack_data("[]").unwrap().get(), "null");
    assert_eq!(ack_data(r#"[{"ok":true},2]"#).unwrap().get(), r#"{"ok":true}"#);
}

fn namespace() -> impl Strategy<Value = String> {
    prop_oneof![Just("/".to_owned()), "/[a-z][a-z0-9_/-]{0,12}"]
}

proptest! {
    #[test]
    fn any_text_is_a_packet_or_an_error(text in any::<String>()) {
        let _ = Frame::decode(&text);
        let _ = decode(&text);
        let _ = event_data(&text);
        let _ = ack_data(&text);
    }

    #[test]
    fn nearly_packets_do_not_panic(text in r#"[0-9é]{0,3}[-,/\[\]{}"a-z0-9]{0,20}"#) {
        if let Ok(packet) = decode(&text) {
            let again = encode(&packet);
            prop_assert_eq!(decode(&again), Ok(packet));
        }
    }

    #[test]
    fn what_is_written_is_read(namespace in namespace(), id in any::<Option<u64>>(), name in any::<String>(), n in any::<i64>()) {
        let data = serde_json::to_string(&(&name, n)).unwrap();
        let packet = Packet::Event { namespace: &namespace, id, data: &data };
        let text = encode(&packet);
        prop_assert_eq!(decode(&text), Ok(packet));
        let event = event_data(&data).unwrap();
        prop_assert_eq!(&*event.name, &*name);
        prop_assert_eq!(event.args[0].get(), n.to_string());
    }
}

//! Whatever a peer sends: no panic, and what was read once reads the same again.

use pizzapi_protocol::events::EventTable;
use pizzapi_protocol::{
    AgentEvent, DeliveryClass, JsonObject, Message, MetaEvent, SessionInfo, SessionMetaState, hub, relay, runner,
    runners, terminal, viewer,
};
use proptest::prelude::*;
use serde_json::{Map, Value};

/// Member names that types here look at, so that random objects are not all strangers.
const WORDS: &[&str] = &[
    "type",
    "role",
    "sessionId",
    "token",
    "event",
    "seq",
    "text",
    "state",
    "messages",
    "content",
    "model",
    "provider",
    "id",
    "modelId",
    "question",
    "questions",
    "toolCallId",
    "promptId",
    "approval",
    "plan",
    "title",
    "goal",
    "version",
    "todoList",
    "message",
    "assistantMessageEvent",
    "contentIndex",
    "report",
    "ts",
    "runnerId",
    "resume",
    "epoch",
    "payload",
    "kind",
    "command",
    "decision",
    "outcome",
    "generation",
    "lastSeq",
    "have",
    "chunked",
    "metadata",
    "timestamp",
    "usage",
];

fn word() -> impl Strategy<Value = String> {
    let tags = AgentEvent::TAGS.iter().chain(MetaEvent::TAGS).chain(Message::TAGS).chain(WORDS);
    prop_oneof![
        4 => prop::sample::select(tags.map(|word| (*word).to_owned()).collect::<Vec<_>>()),
        1 => ".{0,8}",
    ]
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        // Short fractions: the last digit of long ones may change when they are read and written.
        any::<i32>().prop_map(|number| Value::from(f64::from(number) / 64.0)),
        (0_u64..200).prop_map(Value::from),
        word().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 8, |inner| {
        prop_oneof![prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from), object(inner),]
    })
}

fn object(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    prop::collection::vec((word(), inner), 0..8)
        .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>()))
}

/// An object whose tag is a known one.
fn tagged(tag: &'static str, tags: Vec<&'static str>) -> impl Strategy<Value = Value> {
    (object(json()), prop::sample::select(tags)).prop_map(move |(mut value, word)| {
        value[tag] = Value::from(word);
        value
    })
}

fn agent_event() -> impl Strategy<Value = Value> {
    tagged("type", AgentEvent::TAGS.iter().chain(MetaEvent::TAGS).copied().collect())
}

fn decode_all<T: EventTable>(text: &str) {
    for name in T::NAMES {
        let _ = T::decode(name, Some(text), None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_payload_makes_a_table_panic(value in json()) {
        let text = value.to_string();
        decode_all::<relay::FromClient>(&text);
        decode_all::<relay::FromServer>(&text);
        decode_all::<viewer::FromClient>(&text);
        decode_all::<viewer::FromServer>(&text);
        decode_all::<hub::FromClient>(&text);
        decode_all::<hub::FromServer>(&text);
        decode_all::<runner::FromClient>(&text);
        decode_all::<runner::FromServer>(&text);
        decode_all::<runners::FromServer>(&text);
        decode_all::<terminal::FromClient>(&text);
        decode_all::<terminal::FromServer>(&text);
    }

    #[test]
    fn text_that_is_no_json_is_an_error_and_nothing_worse(text in ".{0,64}") {
        decode_all::<relay::FromClient>(&text);
        decode_all::<viewer::FromClient>(&text);
        let _ = AgentEvent::from_json(&text);
        let _ = DeliveryClass::of(&text);
    }

    #[test]
    fn every_object_is_an_agent_event_and_settles_after_one_reading(value in agent_event()) {
        let text = value.to_string();
        let event = AgentEvent::from_json(&text).expect("objects are events");
        let again = AgentEvent::from_json(&serde_json::to_string(&event).expect("serialises")).expect("an event");
        prop_assert_eq!(&event, &again);
    }

    #[test]
    fn every_object_is_a_message_and_settles_after_one_reading(
        value in tagged("role", Message::TAGS.to_vec())
    ) {
        let message = Message::from_json(&value.to_string()).expect("objects are messages");
        let _ = (message.text(), message.timestamp());
        let again = Message::from_json(&serde_json::to_string(&message).expect("serialises")).expect("a message");
        prop_assert_eq!(&message, &again);
    }

    #[test]
    fn an_object_keeps_the_text_of_every_member(value in object(json())) {
        let text = value.to_string();
        let object: JsonObject = serde_json::from_str(&text).expect("an object");
        prop_assert_eq!(serde_json::to_string(&object).expect("serialises"), text);
    }

    #[test]
    fn the_fold_of_any_events_counts_exactly_its_changes(values in prop::collection::vec(agent_event(), 0..12)) {
        let mut state = SessionMetaState::default();
        for value in values {
            let before = state.clone();
            if let Ok(event) = MetaEvent::from_json(&value.to_string()) {
                let _ = state.apply(&event);
            }
            if let Ok(object) = serde_json::from_value::<JsonObject>(value) {
                let _ = state.apply_heartbeat(&object);
            }
            prop_assert!(state.version >= before.version);
            prop_assert_eq!(state.version == before.version, state == before);
            let text = serde_json::to_string(&state).expect("serialises");
            prop_assert_eq!(&serde_json::from_str::<SessionMetaState>(&text).expect("a state"), &state);
        }
    }

    #[test]
    fn a_member_of_the_wrong_type_counts_as_absent(wrong in json()) {
        prop_assume!(!wrong.is_string() && !wrong.is_number());
        let text = serde_json::json!({"sessionId": "s", "generation": wrong, "lastSeq": wrong}).to_string();
        let event = viewer::FromClient::decode("switch_session", Some(&text), None).expect("tolerated");
        let Some(viewer::FromClient::SwitchSession(event)) = event else { panic!("another event") };
        prop_assert_eq!((event.generation, event.last_seq), (None, None));
    }
}

#[test]
fn a_list_leaves_out_the_entries_it_cannot_read() {
    let good = r#"{"sessionId":"s","shareUrl":"u","cwd":"","startedAt":"t"}"#;
    let text = format!(r#"{{"sessions":[1,{good},{{"sessionId":2}},null]}}"#);
    let event = hub::FromServer::decode("sessions", Some(&text), None).expect("tolerated");
    let Some(hub::FromServer::Sessions(event)) = event else { panic!("another event") };
    assert_eq!(event.sessions, [serde_json::from_str::<SessionInfo>(good).expect("a session")]);
}

#[test]
fn absent_and_null_are_told_apart_where_it_matters() {
    let read = |text: &str| match relay::FromClient::decode("register", Some(text), None) {
        Ok(Some(relay::FromClient::Register(register))) => register.parent_session_id.change(),
        other => panic!("{other:?}"),
    };
    assert_eq!(read(r#"{"cwd":"/"}"#), None);
    assert_eq!(read(r#"{"cwd":"/","parentSessionId":null}"#), Some(None));
    assert_eq!(read(r#"{"cwd":"/","parentSessionId":"p"}"#), Some(Some("p".into())));
    assert_eq!(read(r#"{"cwd":"/","parentSessionId":7}"#), None);
}

#[test]
fn refusals_of_hub_messages_say_what_is_missing() {
    let error = |event, text: &str| match hub::FromServer::decode(event, Some(text), None) {
        Err(error) => error.message,
        Ok(event) => panic!("{event:?}"),
    };
    assert_eq!(error("state_snapshot", "[]"), "hub state snapshot is not an object");
    assert_eq!(error("state_snapshot", "{}"), "hub state snapshot missing string sessionId");
    assert_eq!(
        error("state_snapshot", r#"{"sessionId":"s","state":{"version":"1"}}"#),
        "hub state snapshot has malformed state"
    );
    assert_eq!(error("meta_event", r#"{"sessionId":"s"}"#), "hub meta event missing numeric version");
    assert_eq!(
        error("meta_event", r#"{"sessionId":"s","version":1,"type":"dance"}"#),
        "hub meta event payload is not a recognized meta relay event"
    );
}

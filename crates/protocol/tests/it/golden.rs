//! Every event has a file of examples, every example reads and writes back unchanged.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pizzapi_protocol::events::{EventRow, EventTable};
use pizzapi_protocol::{
    AgentEvent, Command, DeliveryClass, Exec, ExecCommand, MetaEvent, Open, hub, relay, runner, runners, terminal,
    viewer,
};
use pretty_assertions::assert_eq;
use serde_json::Value;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn read(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Names of the files in a folder, without ending.
fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries
        .map(|entry| {
            let path = entry.expect("an entry").path();
            assert_eq!(path.extension().and_then(|end| end.to_str()), Some("json"), "{}", path.display());
            path.file_stem().expect("a name").to_string_lossy().into_owned()
        })
        .collect()
}

/// One table: `(folder, rows, names)`.
fn tables() -> Vec<(String, Vec<EventRow>, &'static [&'static str])> {
    fn table<T: EventTable>(direction: &str, rows: Vec<EventRow>) -> (String, Vec<EventRow>, &'static [&'static str]) {
        (format!("{}/{direction}", T::NAMESPACE.trim_start_matches('/')), rows, T::NAMES)
    }
    macro_rules! tables {
        ($($namespace:ident)*) => {
            vec![$(
                table::<$namespace::FromClient>("from_client", $namespace::FromClient::rows()),
                table::<$namespace::FromServer>("from_server", $namespace::FromServer::rows()),
            )*]
        };
    }
    tables![hub relay runner runners terminal viewer]
}

#[test]
fn every_event_has_examples_and_every_example_an_event() {
    for (folder, _, in_table) in tables() {
        let in_table: BTreeSet<String> = in_table.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(names(&golden().join(&folder)), in_table, "in tests/golden/{folder}");
    }
    let commands: BTreeSet<String> = ExecCommand::TAGS.iter().map(|tag| (*tag).to_owned()).collect();
    assert_eq!(names(&golden().join("exec")), commands);
    let events: BTreeSet<String> =
        AgentEvent::TAGS.iter().chain(MetaEvent::TAGS).map(|tag| (*tag).to_owned()).collect();
    assert_eq!(names(&golden().join("agent_event")), events);
}

#[test]
fn every_example_of_an_event_reads_and_writes_back_unchanged() {
    for (folder, rows, _) in tables() {
        for row in rows {
            let path = golden().join(&folder).join(format!("{}.json", row.name));
            let examples = read(&path);
            assert!(!examples.is_empty(), "{}", path.display());
            for example in &examples {
                check(&path, row.rewrite, &example["payload"]);
                for ack in example["acks"].as_array().into_iter().flatten() {
                    check(&path, row.rewrite_ack.unwrap_or_else(|| panic!("{} has no ack", row.name)), ack);
                }
            }
            if row.ack.is_some() {
                assert!(examples[0]["acks"].is_array(), "{} wants an example of its ack", path.display());
            }
        }
    }
}

fn check(path: &Path, rewrite: fn(&str) -> serde_json::Result<String>, example: &Value) {
    let written = rewrite(&example.to_string()).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let written: Value = serde_json::from_str(&written).expect("JSON");
    assert_eq!(&written, example, "{}", path.display());
}

#[test]
fn every_agent_event_is_known_and_lossless() {
    for tag in AgentEvent::TAGS.iter().chain(MetaEvent::TAGS) {
        let path = golden().join("agent_event").join(format!("{tag}.json"));
        for example in read(&path) {
            let text = example.to_string();
            let event = AgentEvent::from_json(&text).expect("an event");
            assert!(!matches!(event, AgentEvent::Other(_)), "{}: not understood", path.display());
            assert_eq!(event.tag(), *tag);
            assert_eq!(event.class(), DeliveryClass::of(&text), "{}", path.display());
            assert_eq!(MetaEvent::TAGS.contains(tag), event.class() == DeliveryClass::Meta);
            assert_eq!(serde_json::to_value(&event).expect("serialises"), example, "{}", path.display());
        }
    }
}

#[test]
fn an_event_of_an_unknown_type_keeps_its_text() {
    let text = r#"{"by":"a package", "type":"novel_thing","n":1.0e2}"#;
    let event = AgentEvent::from_json(text).expect("an event");
    assert_eq!(event.tag(), "novel_thing");
    assert_eq!(event.class(), DeliveryClass::Durable);
    assert_eq!(serde_json::to_string(&event).expect("serialises"), text);
    assert!(AgentEvent::from_json("[1]").is_err());
}

#[test]
fn remote_commands_take_their_arguments_from_beside_them() {
    for tag in ExecCommand::TAGS {
        for example in read(&golden().join("exec").join(format!("{tag}.json"))) {
            let exec: Open<Exec> = serde_json::from_value(example.clone()).expect("an exec");
            let command = exec.parse().unwrap_or_else(|error| panic!("{tag}: {error}"));
            assert_eq!(command.tag(), *tag);
            let again = Exec::request(exec.id.clone(), &command);
            assert_eq!(serde_json::to_value(&again).expect("serialises"), example);
        }
    }
}

#[test]
fn the_body_of_a_command_fits_its_kind() {
    for example in read(&golden().join("relay/from_server/command.json")) {
        let command: Command = serde_json::from_value(example["payload"].clone()).expect("a command");
        let body = command.body().unwrap_or_else(|error| panic!("{}: {error}", command.kind));
        assert_eq!(body.kind(), command.kind);
        assert_eq!(serde_json::to_value(&body).expect("serialises"), example["payload"]["body"]);
    }
}

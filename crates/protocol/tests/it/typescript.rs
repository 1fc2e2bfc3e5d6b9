//! The committed TypeScript says what the Rust types say.

use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn the_committed_typescript_is_current() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ui/src/protocol/generated");
    let files = pizzapi_protocol::typescript::files();
    for (name, text) in &files {
        let committed = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        assert!(committed == *text, "ui/src/protocol/generated/{name} is not current; run `just types`");
    }
    let there: BTreeSet<String> = std::fs::read_dir(&folder)
        .expect("the folder of generated types")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    let written: BTreeSet<String> = files.keys().map(|name| (*name).to_owned()).collect();
    assert_eq!(there, written, "files that `just types` does not write");
}

#[test]
fn writing_twice_gives_the_same_text() {
    assert_eq!(pizzapi_protocol::typescript::files(), pizzapi_protocol::typescript::files());
}

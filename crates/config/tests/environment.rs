//! The page about variables says what the table says.

#[test]
fn the_page_about_variables_is_current() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/environment.md");
    let page = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        page == pizzapi_config::environment_page(),
        "docs/environment.md is not current; run `cargo run -p pizzapi-config --bin environment-page`"
    );
}

#[test]
fn every_variable_the_programs_look_up_is_in_the_table() {
    let crates = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut missing = Vec::new();
    let mut folders: Vec<std::path::PathBuf> = std::fs::read_dir(&crates)
        .expect("the folder of crates")
        .map(|entry| entry.expect("an entry").path())
        // This crate's own tests speak of names that must not be known.
        .filter(|path| !path.ends_with("config"))
        .map(|path| path.join("src"))
        .collect();
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for path in entries.map(|entry| entry.expect("an entry").path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = std::fs::read_to_string(&path).expect("source text");
                let names = text.split('"').filter(|name| {
                    name.strip_prefix("PIZZAPI_").is_some_and(|rest| {
                        !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
                    })
                });
                let unknown =
                    names.filter(|name| !pizzapi_config::VARIABLES.iter().any(|variable| variable.name == *name));
                missing.extend(unknown.map(|name| format!("{name} in {}", path.display())));
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new(), "add them to crates/config/src/env.rs");
}

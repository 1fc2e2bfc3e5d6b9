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

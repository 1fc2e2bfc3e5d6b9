//! Writes `docs/environment.md` from the table of variables.

use std::path::Path;

fn main() -> std::io::Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/environment.md");
    std::fs::write(path, pizzapi_config::environment_page())
}

//! Writes `ui/src/protocol/generated`, or to the folder given. `--check` writes nothing and fails when a file is not current.

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut check = false;
    let mut folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../ui/src/protocol/generated");
    for argument in std::env::args_os().skip(1) {
        if argument == "--check" {
            check = true;
        } else {
            folder = argument.into();
        }
    }
    match run(&folder, check) {
        Ok(stale) if stale.is_empty() => ExitCode::SUCCESS,
        Ok(stale) => fail(&format!("not current: {}\n\nhint: run `just types`", stale.join(", "))),
        Err(error) => fail(&format!("failed to write `{}`: {error}", folder.display())),
    }
}

fn run(folder: &std::path::Path, check: bool) -> std::io::Result<Vec<&'static str>> {
    let mut stale = Vec::new();
    if !check {
        std::fs::create_dir_all(folder)?;
    }
    for (name, text) in pizzapi_protocol::typescript::files() {
        let path = folder.join(name);
        let current = std::fs::read_to_string(&path).is_ok_and(|old| old == text);
        match (current, check) {
            (true, _) => {}
            (false, true) => stale.push(name),
            (false, false) => std::fs::write(&path, text)?,
        }
    }
    Ok(stale)
}

#[allow(clippy::print_stderr)]
fn fail(message: &str) -> ExitCode {
    eprintln!("error: {message}");
    ExitCode::FAILURE
}

//! The tools on real files and real processes.

#![allow(clippy::unwrap_used)]

mod bash;
mod files;
mod path_guard;
mod search;

use std::path::Path;

use pizzapi_tools::{Output, Workspace};

fn workspace(folder: &Path) -> Workspace {
    Workspace::new(folder.canonicalize().unwrap(), None)
}

fn text(output: &Output) -> String {
    output.as_text()
}

//! The `pizzapi` program as a library.

pub mod args;
pub mod commands;
pub mod logging;
pub mod output;
pub mod remote;
pub mod tui;

use std::process::ExitCode;

use clap::Parser;

/// Version as shown to people and peers.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Runs the program with the arguments and environment of the process.
pub fn main() -> ExitCode {
    let arguments = args::normalize(std::env::args_os());
    let cli = match args::Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return output::usage(&error),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return output::failure(&anyhow::Error::new(error).context("failed to start the runtime")),
    };
    // Whoever links rustls first decides for everybody; ring is what all of our programs use.
    let _already_installed = rustls::crypto::ring::default_provider().install_default();
    let result = runtime.block_on(commands::dispatch(cli));
    // A blocked reader of standard input must not keep the program alive.
    runtime.shutdown_background();
    match result {
        Ok(code) => code,
        Err(error) => output::failure(&error),
    }
}

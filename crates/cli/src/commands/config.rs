//! `pizzapi config show`: the settings in force, without their secrets.

use std::process::ExitCode;

use super::Program;
use crate::output;

pub fn show(program: &Program) -> anyhow::Result<ExitCode> {
    output::line(serde_json::to_string_pretty(&program.config.show())?);
    Ok(ExitCode::SUCCESS)
}

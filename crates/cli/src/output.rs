//! What the program prints: results on standard output, everything else on standard error.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

/// An error with advice. Added as context: the last one wins.
#[derive(Debug)]
pub struct Hint(pub String);

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Attaches advice to an error.
pub trait WithHint<T> {
    fn hint(self, advice: impl Into<String>) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> WithHint<T> for Result<T, E> {
    fn hint(self, advice: impl Into<String>) -> anyhow::Result<T> {
        self.map_err(|error| error.into().context(Hint(advice.into())))
    }
}

/// The user pressed Ctrl+C at a prompt.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
pub struct Interrupted;

/// Prints one line of result. A reader that went away (`| head`) is no error.
pub fn line(text: impl fmt::Display) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// Prints without a line break, and flushes.
pub fn text(text: impl fmt::Display) {
    let mut out = io::stdout().lock();
    let _ = write!(out, "{text}").and_then(|()| out.flush());
}

/// A remark for people.
pub fn note(text: impl fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

pub fn warning(text: impl fmt::Display) {
    let label = paint("33", "warning:", io::stderr().is_terminal());
    let _ = writeln!(io::stderr().lock(), "{label} {text}");
}

/// Whether standard output should have colours.
pub fn colored() -> bool {
    io::stdout().is_terminal() && wants_color()
}

fn wants_color() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Wraps text in a colour (an SGR number) when `on`.
pub fn paint(sgr: &str, text: &str, on: bool) -> String {
    if on && wants_color() { format!("\x1b[{sgr}m{text}\x1b[0m") } else { text.to_owned() }
}

/// `error:`, causes, and advice.
pub fn describe(error: &anyhow::Error, color: bool) -> String {
    let mut advice = None;
    let mut causes = Vec::new();
    // `Hint` is a context, not an error of its own: it is known by what it displays.
    let hint = error.downcast_ref::<Hint>().map(|hint| hint.0.clone());
    for cause in error.chain() {
        let text = cause.to_string();
        if hint.as_ref() == Some(&text) {
            advice = Some(text);
            continue;
        }
        // Libraries that print their cause and also return it would say everything twice.
        let repeated = causes.last().is_some_and(|last: &String| last.contains(&text));
        if !repeated {
            causes.push(text);
        }
    }
    let mut out = String::new();
    for (index, cause) in causes.iter().enumerate() {
        // Some errors bring their own advice along.
        let (cause, own) = match cause.split_once("\n\nhint: ") {
            Some((cause, own)) => (cause, Some(own)),
            None => (cause.as_str(), None),
        };
        advice = advice.or_else(|| own.map(str::to_owned));
        if index == 0 {
            out.push_str(&format!("{} {cause}\n", paint("1;31", "error:", color)));
        } else {
            out.push_str(&format!("  caused by: {cause}\n"));
        }
    }
    if let Some(advice) = advice {
        out.push_str(&format!("\n{} {advice}\n", paint("1;36", "hint:", color)));
    }
    out
}

/// Reports an error and chooses the exit code.
pub fn failure(error: &anyhow::Error) -> ExitCode {
    if error.downcast_ref::<Interrupted>().is_some() {
        return ExitCode::from(130);
    }
    let text = describe(error, io::stderr().is_terminal());
    let _ = write!(io::stderr().lock(), "{text}");
    ExitCode::FAILURE
}

/// Reports what the parser of the command line said: help is a result, anything else a failure.
pub fn usage(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    if error.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn errors_are_followed_by_causes_and_advice() {
        let error = io::Error::other("permission denied");
        let result: anyhow::Result<()> = Err(error).context("failed to open `x`");
        let error = result.hint("choose another folder").unwrap_err();
        assert_eq!(
            describe(&error, false),
            "error: failed to open `x`\n  caused by: permission denied\n\nhint: choose another folder\n"
        );
    }

    #[test]
    fn advice_inside_a_message_is_set_apart() {
        let error = anyhow::anyhow!("port 1 is taken\n\nhint: use --port");
        assert_eq!(describe(&error, false), "error: port 1 is taken\n\nhint: use --port\n");
    }
}

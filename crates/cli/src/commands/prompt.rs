//! Questions on a plain terminal, before there is a screen.

use std::io::{self, BufRead, IsTerminal, Write};

use anyhow::{Context, bail};
use crossterm::event::{Event, KeyCode, KeyEventKind, KeyModifiers, read};
use crossterm::terminal::{disable_raw_mode, enable_raw_mode};

use crate::output::{self, Interrupted};

/// Asks for a line; an empty answer means `default`.
pub fn ask(question: &str, default: &str) -> anyhow::Result<String> {
    let hint = if default.is_empty() { String::new() } else { format!(" [{default}]") };
    output::text(format!("{question}{hint}: "));
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line).context("failed to read the answer")?;
    if read == 0 {
        bail!("standard input ended before `{question}` was answered");
    }
    let answer = line.trim();
    Ok(if answer.is_empty() { default.to_owned() } else { answer.to_owned() })
}

pub fn confirm(question: &str, default: bool) -> anyhow::Result<bool> {
    let answer = ask(&format!("{question} {}", if default { "[Y/n]" } else { "[y/N]" }), "")?;
    Ok(match answer.to_ascii_lowercase().as_str() {
        "" => default,
        "y" | "yes" => true,
        _ => false,
    })
}

/// Asks for something that must not be seen.
pub fn secret(question: &str) -> anyhow::Result<String> {
    if !io::stdin().is_terminal() {
        return ask(question, "");
    }
    output::text(format!("{question}: "));
    enable_raw_mode().context("failed to hide what you type")?;
    let answer = read_hidden();
    disable_raw_mode().context("failed to restore the terminal")?;
    let _ = writeln!(io::stdout());
    answer
}

fn read_hidden() -> anyhow::Result<String> {
    let mut text = String::new();
    loop {
        match read().context("failed to read the answer")? {
            Event::Key(key) if key.kind == KeyEventKind::Release => {}
            Event::Key(key) => {
                let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
                match key.code {
                    KeyCode::Enter => return Ok(text),
                    KeyCode::Char('c') if ctrl => return Err(Interrupted.into()),
                    KeyCode::Char('d') if ctrl && text.is_empty() => return Err(Interrupted.into()),
                    KeyCode::Char('u') if ctrl => text.clear(),
                    KeyCode::Backspace => {
                        text.pop();
                    }
                    KeyCode::Char(c) if !ctrl => text.push(c),
                    _ => {}
                }
            }
            Event::Paste(pasted) => text.push_str(pasted.trim()),
            _ => {}
        }
    }
}

//! `/commands` while they are being written.

use nucleo::Config;

use super::mentions::fuzzy;

/// A command as the completion list knows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SlashCommand {
    pub name: String,
    pub description: String,
    pub argument_hint: Option<String>,
    /// Values for the argument, with their descriptions.
    pub arguments: Vec<(String, String)>,
}

/// What the line asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Query<'a> {
    Name(&'a str),
    Argument { command: &'a str, typed: &'a str },
}

pub fn query(text: &str) -> Option<Query<'_>> {
    let rest = text.strip_prefix('/')?;
    if rest.contains('\n') {
        return None;
    }
    match rest.split_once(' ') {
        None => Some(Query::Name(rest)),
        Some((command, typed)) => Some(Query::Argument { command, typed }),
    }
}

/// Commands whose name fits, best first: names that start as typed come before the others.
pub fn matching<'a>(commands: &'a [SlashCommand], typed: &str) -> Vec<&'a SlashCommand> {
    let mut found: Vec<&SlashCommand> =
        fuzzy(commands, typed, |command| &command.name, Config::DEFAULT).into_iter().map(|i| &commands[i]).collect();
    found.sort_by_key(|command| !command.name.starts_with(typed));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_is_the_command() {
        assert_eq!(query("/mo"), Some(Query::Name("mo")));
        assert_eq!(query("/model op"), Some(Query::Argument { command: "model", typed: "op" }));
        assert_eq!(query("a /model"), None);
        assert_eq!(query("/x\ny"), None);
    }

    #[test]
    fn names_that_start_as_typed_come_first() {
        let commands: Vec<SlashCommand> = ["compact", "model", "scoped-models", "resume"]
            .into_iter()
            .map(|name| SlashCommand { name: name.into(), ..SlashCommand::default() })
            .collect();
        let names: Vec<&str> = matching(&commands, "mo").iter().map(|command| command.name.as_str()).collect();
        assert_eq!(names, ["model", "scoped-models"]);
    }
}

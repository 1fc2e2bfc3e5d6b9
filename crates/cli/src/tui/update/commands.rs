//! Commands the screen itself understands. All others go to the agent.

use super::super::app::App;
use super::super::components::composer::Delivery;
use super::super::components::composer::slash::SlashCommand;
use super::super::components::confirm::{Asked, TextPrompt};
use super::super::components::help::Help;
use super::super::components::picker::{Item, Picker, Purpose};
use super::super::components::transcript::message::Level;
use super::super::effect::Effect;

/// Name, argument hint, description.
const LOCAL: &[(&str, Option<&str>, &str)] = &[
    ("background", None, "Move the running command to the background"),
    ("compact", Some("[focus]"), "Summarise the conversation to free context"),
    ("copy", None, "Copy the last answer"),
    ("export", Some("[file]"), "Write the conversation to a file"),
    ("fork", None, "Continue from an earlier message in a new session"),
    ("help", None, "Keys and commands"),
    ("hotkeys", None, "Keys and commands"),
    ("login", Some("[provider]"), "Enter the key of a model provider"),
    ("logout", Some("[provider]"), "Forget the key of a model provider"),
    ("model", Some("[pattern]"), "Choose the model"),
    ("mouse", None, "Let the terminal, or PizzaPi, have the mouse"),
    ("name", Some("[name]"), "Name this session"),
    ("new", None, "Start a new conversation"),
    ("plan", None, "Plan mode on or off"),
    ("quit", None, "Leave"),
    ("reload", None, "Read skills, templates and context files again"),
    ("remote", Some("[reconnect|stop]"), "The link to the relay"),
    ("resume", Some("[name]"), "Open an earlier session"),
    ("session", None, "File, counts, tokens and cost of this session"),
    ("tree", None, "Go to another place in this conversation"),
    ("theme", Some("[dark|light]"), "Colours"),
    ("thinking", Some("[level]"), "How much the model thinks"),
];

const LEVELS: [&str; 7] = ["off", "minimal", "low", "medium", "high", "xhigh", "max"];

pub fn local() -> Vec<SlashCommand> {
    LOCAL
        .iter()
        .map(|(name, hint, description)| SlashCommand {
            name: (*name).to_owned(),
            description: (*description).to_owned(),
            argument_hint: hint.map(str::to_owned),
            arguments: match *name {
                "thinking" => LEVELS.iter().map(|level| ((*level).to_owned(), String::new())).collect(),
                "theme" => vec![("dark".into(), String::new()), ("light".into(), String::new())],
                "remote" => vec![
                    ("reconnect".into(), "connect again".into()),
                    ("stop".into(), "end the link; the session goes on here".into()),
                ],
                _ => Vec::new(),
            },
        })
        .collect()
}

/// Runs a command of the screen; `None` when it is not one of ours.
pub fn run(app: &mut App, text: &str) -> Option<Vec<Effect>> {
    let (name, argument) = match text.strip_prefix('/')?.split_once(char::is_whitespace) {
        Some((name, argument)) => (name, argument.trim()),
        None => (text.strip_prefix('/')?, ""),
    };
    let given = (!argument.is_empty()).then(|| argument.to_owned());
    Some(match name {
        "background" => vec![Effect::BackgroundBash],
        "compact" => vec![Effect::Compact(given)],
        "copy" => vec![Effect::CopyLastAnswer],
        "export" => vec![Effect::Export(argument.to_owned())],
        "fork" => {
            app.open_now(Box::new(Picker::loading(Purpose::Fork, "Continue from")));
            vec![Effect::LoadForkPoints]
        }
        "help" | "hotkeys" => {
            let help = Help::new(&app.keymap, app.composer.commands());
            app.open_now(Box::new(help));
            vec![]
        }
        "login" | "logout" => match given {
            Some(provider) if name == "login" => vec![Effect::AskApiKey { provider }],
            Some(provider) => vec![Effect::RemoveApiKey { provider }],
            None => vec![Effect::LoadProviders { logout: name == "logout" }],
        },
        "model" => match given {
            Some(pattern) => vec![Effect::ChooseModel { pattern }],
            None => choose_model(app),
        },
        "mouse" => {
            app.mouse = !app.mouse;
            app.selection = None;
            let who = if app.mouse { "PizzaPi scrolls and marks" } else { "the terminal has the mouse" };
            app.toast(Level::Info, who);
            vec![Effect::MouseCapture(app.mouse)]
        }
        "name" => match given {
            Some(name) => vec![Effect::RenameCurrent(name)],
            None => {
                let current = app.status.session_name.clone().unwrap_or_default();
                app.open_now(Box::new(TextPrompt::new(Asked::SessionName, "Name of this session", "", &current)));
                vec![]
            }
        },
        "new" | "clear" => vec![Effect::NewSession],
        "plan" => vec![Effect::PlanMode(None)],
        "quit" | "exit" | "q" => vec![Effect::Quit],
        "reload" => vec![Effect::ReloadResources],
        "remote" => vec![Effect::Remote(argument.to_owned())],
        "resume" => match given {
            Some(query) => vec![Effect::Resume(query)],
            None => choose_session(app),
        },
        "session" => vec![Effect::ShowStats],
        "tree" => {
            app.open_now(Box::new(Picker::loading(Purpose::Tree, "Places of this conversation")));
            vec![Effect::LoadTree]
        }
        "theme" => match given {
            Some(theme) => vec![Effect::SetTheme(theme)],
            None => {
                let item = |name: &str| {
                    let current = app.theme.name == name;
                    Item { current, ..Item::new(name, name, "") }
                };
                let items = vec![item("pizzapi-dark"), item("pizzapi-light")];
                app.open_now(Box::new(Picker::new(Purpose::Theme, "Colours", items)));
                vec![]
            }
        },
        "thinking" => match given {
            Some(level) if LEVELS.contains(&level.as_str()) => vec![Effect::SetThinking(level)],
            Some(level) => {
                app.toast(Level::Error, format!("no thinking level `{level}`: use {}", LEVELS.join(", ")));
                vec![]
            }
            None => {
                choose_thinking(app);
                vec![]
            }
        },
        _ => return None,
    })
}

pub fn choose_model(app: &mut App) -> Vec<Effect> {
    app.open_now(Box::new(Picker::loading(Purpose::Model, "Model")));
    vec![Effect::LoadModels]
}

pub fn choose_session(app: &mut App) -> Vec<Effect> {
    app.open_now(Box::new(Picker::loading(Purpose::Session, "Sessions")));
    vec![Effect::LoadSessions { all: false }]
}

fn choose_thinking(app: &mut App) {
    let offered: Vec<String> = app
        .status
        .model
        .as_ref()
        .and_then(|model| model.thinking_levels.as_ref())
        .map(|levels| levels.iter().map(|level| level.as_str().to_owned()).collect())
        .unwrap_or_else(|| LEVELS.map(str::to_owned).to_vec());
    let items = offered
        .iter()
        .map(|level| Item {
            current: app.status.thinking.as_deref() == Some(level),
            ..Item::new(level.as_str(), level.as_str(), "")
        })
        .collect();
    app.open_now(Box::new(Picker::new(Purpose::Thinking, "Thinking", items)));
}

/// What a submitted line becomes.
pub fn submit(app: &mut App, text: String, images: Vec<std::path::PathBuf>, delivery: Delivery) -> Vec<Effect> {
    app.transcript.follow();
    let mut effects = vec![Effect::SaveHistory(text.clone())];
    if let Some(command) = text.strip_prefix('!') {
        let excluded = command.starts_with('!');
        let command = command.trim_start_matches('!').trim().to_owned();
        if !command.is_empty() {
            effects.push(Effect::Shell { command, excluded });
        }
        return effects;
    }
    if text.starts_with('/')
        && let Some(own) = run(app, &text)
    {
        effects.extend(own);
        return effects;
    }
    effects.push(Effect::Prompt { text, images, delivery });
    effects
}

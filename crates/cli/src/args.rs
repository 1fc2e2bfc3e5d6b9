//! What may stand on the command line.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// An AI coding agent in the terminal that can be watched and steered from anywhere.
///
/// Without a command: an interactive session in the current directory.
#[derive(Debug, Parser)]
#[command(
    name = "pizzapi",
    disable_version_flag = true,
    args_conflicts_with_subcommands = true,
    subcommand_precedence_over_arg = true
)]
pub struct Cli {
    /// Work in this directory
    #[arg(long, global = true, value_name = "PATH")]
    pub cwd: Option<PathBuf>,
    /// Print the version
    #[arg(short = 'v', long)]
    pub version: bool,
    #[command(flatten)]
    pub session: SessionArgs,
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What `--mode` may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    Text,
    Json,
}

/// Flags of an agent session.
#[derive(Debug, Default, Args)]
pub struct SessionArgs {
    /// First message; `@file` includes a file
    #[arg(value_name = "MESSAGE")]
    pub message: Vec<String>,
    /// Answer on standard output and leave
    #[arg(short, long)]
    pub print: bool,
    /// Output of --print
    #[arg(long, value_enum, value_name = "MODE")]
    pub mode: Option<Mode>,
    /// Go on with the newest session of this directory
    #[arg(short = 'c', long = "continue", conflicts_with_all = ["resume", "session", "fork"])]
    pub continue_newest: bool,
    /// Choose a session to go on with
    #[arg(short, long, conflicts_with_all = ["session", "fork"])]
    pub resume: bool,
    /// Open this session (path, id or words of its name)
    #[arg(long, value_name = "PATH|ID", conflicts_with = "fork")]
    pub session: Option<String>,
    /// Start from a copy of this session
    #[arg(long, value_name = "PATH|ID")]
    pub fork: Option<String>,
    /// Keep no record of this session
    #[arg(long)]
    pub no_session: bool,
    /// Name of the session
    #[arg(short, long, value_name = "NAME")]
    pub name: Option<String>,
    /// Provider of the model
    #[arg(long, value_name = "ID")]
    pub provider: Option<String>,
    /// Model: `provider/id`, an id, or part of a name; `:level` sets thinking
    #[arg(long, value_name = "PATTERN")]
    pub model: Option<String>,
    /// off, minimal, low, medium, high, xhigh, max
    #[arg(long, value_name = "LEVEL")]
    pub thinking: Option<String>,
    /// Key for the provider of --model
    #[arg(long, value_name = "KEY")]
    pub api_key: Option<String>,
    /// List models that can be used now
    #[arg(long, value_name = "SEARCH", num_args = 0..=1, default_missing_value = "")]
    pub list_models: Option<String>,
    /// Only these tools, separated by commas
    #[arg(short, long, value_name = "NAMES", value_delimiter = ',')]
    pub tools: Option<Vec<String>>,
    /// All but these tools (-xt)
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub exclude_tools: Vec<String>,
    /// No tools at all (-nt)
    #[arg(long)]
    pub no_tools: bool,
    /// Replace the system prompt
    #[arg(long, value_name = "TEXT")]
    pub system_prompt: Option<String>,
    /// Add to the system prompt
    #[arg(long, value_name = "TEXT")]
    pub append_system_prompt: Option<String>,
    /// Another folder or file of skills
    #[arg(long, value_name = "PATH")]
    pub skill: Vec<PathBuf>,
    /// No skills
    #[arg(long)]
    pub no_skills: bool,
    /// Do not read AGENTS.md and its kin (-nc)
    #[arg(long)]
    pub no_context_files: bool,
    /// Trust the project's settings for this run
    #[arg(short, long, conflicts_with = "no_approve")]
    pub approve: bool,
    /// Do not trust the project's settings for this run (-na)
    #[arg(long)]
    pub no_approve: bool,
    /// Run every tool without asking for permission
    #[arg(long)]
    pub yolo: bool,
    /// No MCP servers, plugins, hooks or relay
    #[arg(long)]
    pub safe_mode: bool,
    #[arg(long)]
    pub no_mcp: bool,
    #[arg(long)]
    pub no_plugins: bool,
    #[arg(long)]
    pub no_hooks: bool,
    /// Do not connect to the relay
    #[arg(long)]
    pub no_relay: bool,
    /// Say more on standard error
    #[arg(long)]
    pub verbose: bool,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Connect this machine to a relay
    Setup {
        /// Show a QR code that a signed-in device approves
        #[arg(long)]
        scan: bool,
    },
    /// The daemon that starts sessions when the browser asks
    Runner {
        #[command(subcommand)]
        action: Option<RunnerAction>,
    },
    /// Models that can be used now
    Models {
        #[arg(long)]
        json: bool,
    },
    /// Credentials of model providers
    Auth {
        provider: Option<String>,
        /// Forget the stored credentials of the provider
        #[arg(long, requires = "provider")]
        remove: bool,
    },
    /// Settings in force
    Config {
        #[command(subcommand)]
        action: ConfigAction,
    },
    /// The relay: accounts, live sessions, web interface
    Server(ServerArgs),
    /// Relay, web interface and runner in one process, for one person
    Local(LocalArgs),
    /// One session without a terminal; started by the runner
    #[command(name = "_worker", hide = true)]
    Worker,
    /// The runner without its supervisor
    #[command(name = "_daemon", hide = true)]
    Daemon,
}

#[derive(Debug, Subcommand)]
pub enum RunnerAction {
    /// Stop the running daemon
    Stop,
    /// Whether the daemon runs and is registered
    Status {
        #[arg(long)]
        json: bool,
    },
    /// Link this machine to an account
    Pair {
        /// Replace an existing key
        #[arg(long)]
        force: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum ConfigAction {
    /// Print the merged settings, secrets masked
    Show,
}

#[derive(Debug, Default, Args)]
pub struct ServerArgs {
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS")]
    pub bind: Option<IpAddr>,
    #[arg(long)]
    pub port: Option<u16>,
    /// Accounts, logs and attachments live here
    #[arg(long, value_name = "PATH")]
    pub data_dir: Option<PathBuf>,
    /// Address under which browsers reach this server
    #[arg(long, value_name = "URL")]
    pub base_url: Option<String>,
    /// Serve the web interface from this folder instead of the built-in one
    #[arg(long, value_name = "PATH")]
    pub ui_dir: Option<PathBuf>,
    /// Certificate and key, for HTTPS
    #[arg(long, value_name = "PATH", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    #[arg(long, value_name = "PATH", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Accept plain HTTP from other machines
    #[arg(long)]
    pub insecure: bool,
}

#[derive(Debug, Default, Args)]
pub struct LocalArgs {
    #[arg(long)]
    pub port: Option<u16>,
    /// Do not open the browser
    #[arg(long)]
    pub no_browser: bool,
    /// Offer a clearly labelled model that needs no key and knows nothing
    #[arg(long)]
    pub demo: bool,
    /// Accounts, logs and attachments live here
    #[arg(long, value_name = "PATH")]
    pub data_dir: Option<PathBuf>,
}

/// Spells out the two-letter short flags, which the parser would read as two flags.
pub fn normalize(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    arguments
        .into_iter()
        .map(|argument| match argument.to_str() {
            Some("-xt") => "--exclude-tools".into(),
            Some("-nt") => "--no-tools".into(),
            Some("-nc") => "--no-context-files".into(),
            Some("-na") => "--no-approve".into(),
            _ => argument,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(normalize(std::iter::once("pizzapi").chain(line.split_whitespace()).map(OsString::from)))
    }

    #[test]
    fn the_definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn words_are_a_message_and_commands_are_commands() {
        let cli = parse("-p fix the oven --model opus:high").unwrap();
        assert_eq!(cli.session.message, ["fix", "the", "oven"]);
        assert!(cli.session.print && cli.command.is_none());
        assert!(matches!(parse("server --port 1").unwrap().command, Some(Command::Server(_))));
        assert!(matches!(parse("runner status --json").unwrap().command, Some(Command::Runner { .. })));
    }

    #[test]
    fn unknown_flags_are_errors() {
        assert!(parse("--no-such-flag").is_err());
        assert!(parse("runner --prot 1").is_err());
    }

    #[test]
    fn two_letter_flags_are_understood() {
        let cli = parse("-nt -nc -xt bash,edit hello").unwrap();
        assert!(cli.session.no_tools && cli.session.no_context_files);
        assert_eq!(cli.session.exclude_tools, ["bash", "edit"]);
    }
}

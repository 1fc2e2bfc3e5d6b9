//! One file per command. Each takes the [`Program`] and its own arguments, and answers with an exit code.

mod auth;
mod chat;
mod config;
mod headless;
mod host;
mod local;
mod models;
mod print;
mod prompt;
mod relay;
mod runner;
mod server;
mod setup;
mod usage;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use pizzapi_config::{Config, Home, Vars, read_secret_files, unknown_names};

use crate::args::{Cli, Command, ConfigAction, RunnerAction};
use crate::output::{self, WithHint};

/// What every command knows.
#[derive(Debug, Clone)]
pub struct Program {
    pub vars: Vars,
    pub config: Config,
    /// Where to work.
    pub cwd: PathBuf,
    /// What is odd about the surroundings, one sentence each.
    warnings: Vec<String>,
}

impl Program {
    fn new(cwd: Option<PathBuf>) -> anyhow::Result<Self> {
        let mut vars: Vars = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let mut warnings = read_secret_files(&mut vars, |path| std::fs::read_to_string(path));
        warnings.extend(unknown_names(&vars).into_iter().map(|(name, meant)| match meant {
            Some(meant) => format!("{name} is no variable of PizzaPi; is {meant} meant?"),
            None => format!("{name} is no variable of PizzaPi"),
        }));
        let home = Home::locate(&vars)?;
        let here =
            std::env::current_dir().hint("the current directory may have been deleted: change to another one")?;
        let cwd = match cwd {
            Some(path) => {
                let path = here.join(path);
                path.canonicalize().with_context(|| format!("failed to use `{}` as directory", path.display()))?
            }
            None => here,
        };
        if !cwd.is_dir() {
            bail!("`{}` is not a directory", cwd.display());
        }
        let mut config = Config::load(home, &cwd, &vars)?;
        warnings.append(&mut config.warnings);
        Ok(Self { vars, config, cwd, warnings })
    }

    pub fn home(&self) -> &Home {
        &self.config.home
    }

    /// Credentials, models and sessions of the agent.
    pub fn agent_dir(&self) -> &Path {
        self.config.agent_dir.path()
    }

    /// All variables, for what the agent runs.
    pub fn environment(&self) -> BTreeMap<String, String> {
        self.vars.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// Says on standard error what is odd.
    pub fn print_warnings(&self) {
        self.warnings.iter().for_each(output::warning);
    }

    /// This very program, for starting it again in another role.
    pub fn executable() -> anyhow::Result<PathBuf> {
        std::env::current_exe().context("failed to find this program's own file")
    }
}

/// Does what the command line asks.
pub async fn dispatch(cli: Cli) -> anyhow::Result<ExitCode> {
    if cli.version {
        output::line(format!("pizzapi v{}", crate::VERSION));
        return Ok(ExitCode::SUCCESS);
    }
    let program = Program::new(cli.cwd)?;
    // A session has its own place for them.
    if cli.command.is_some() {
        program.print_warnings();
    }
    match cli.command {
        None if cli.session.list_models.is_some() => {
            models::list(&program, cli.session.list_models.as_deref(), false).await
        }
        None => chat::run(program, cli.session).await,
        Some(Command::Setup { scan }) => setup::run(&program, scan).await,
        Some(Command::Runner { action: None }) => runner::supervise(program).await,
        Some(Command::Runner { action: Some(RunnerAction::Stop) }) => runner::stop(&program).await,
        Some(Command::Runner { action: Some(RunnerAction::Status { json }) }) => runner::status(&program, json),
        Some(Command::Runner { action: Some(RunnerAction::Pair { force }) }) => runner::pair(&program, force).await,
        Some(Command::Models { json }) => models::list(&program, None, json).await,
        Some(Command::Auth { provider, remove }) => auth::run(&program, provider.as_deref(), remove).await,
        Some(Command::Config { action: ConfigAction::Show }) => config::show(&program),
        Some(Command::Server(arguments)) => server::run(&program, &arguments).await,
        Some(Command::Local(arguments)) => local::run(program, arguments).await,
        Some(Command::Worker) => headless::run(program).await,
        Some(Command::Daemon) => runner::daemon(program).await,
    }
}

/// The first polite request to end: Ctrl+C, SIGTERM or SIGHUP. Listens from this call on, not from the first poll: whoever
/// changes the terminal or starts something calls it before.
pub fn asked_to_stop() -> impl Future<Output = &'static str> + Send {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup()));
        async move {
            let (Ok(mut term), Ok(mut int), Ok(mut hup)) = signals else {
                tracing::warn!("signals cannot be watched");
                return std::future::pending().await;
            };
            tokio::select! {
                _ = term.recv() => "SIGTERM",
                _ = int.recv() => "SIGINT",
                _ = hup.recv() => "SIGHUP",
            }
        }
    }
    #[cfg(not(unix))]
    async {
        match tokio::signal::ctrl_c().await {
            Ok(()) => "Ctrl+C",
            Err(_) => std::future::pending().await,
        }
    }
}

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

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::args::{Cli, Command, ConfigAction, RunnerAction};
use crate::environment::Environment;
use crate::home::{Home, Relay};
use crate::output::{self, WithHint};

/// What every command knows.
#[derive(Debug, Clone)]
pub struct Program {
    pub environment: Environment,
    pub home: Home,
    /// Where to work.
    pub cwd: PathBuf,
}

impl Program {
    fn new(cwd: Option<PathBuf>) -> anyhow::Result<Self> {
        let environment = Environment::from_process();
        for warning in environment.warnings() {
            output::warning(warning);
        }
        let home = Home::find(&environment)?;
        let here = std::env::current_dir().hint("the current directory may have been deleted: change to another one")?;
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
        Ok(Self { environment, home, cwd })
    }

    pub fn relay(&self) -> Relay {
        Relay::resolve(&self.environment, &self.home)
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
    match cli.command {
        None if cli.session.list_models.is_some() => models::list(&program, cli.session.list_models.as_deref(), false).await,
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

/// Waits for the first polite request to end: Ctrl+C, SIGTERM or SIGHUP.
pub async fn asked_to_stop() -> &'static str {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut term), Ok(mut int), Ok(mut hup)) =
            (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup()))
        else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = term.recv() => "SIGTERM",
            _ = int.recv() => "SIGINT",
            _ = hup.recv() => "SIGHUP",
        }
    }
    #[cfg(not(unix))]
    {
        match tokio::signal::ctrl_c().await {
            Ok(()) => "Ctrl+C",
            Err(_) => std::future::pending().await,
        }
    }
}

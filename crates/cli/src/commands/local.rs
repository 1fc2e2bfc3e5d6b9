//! `pizzapi local`: relay, web interface and runner in one process, for one person.
//!
//! The runner needs a key, and a key needs an account. So the relay comes up first; as soon as somebody has signed up in
//! the browser, this process mints a key for that account, keeps it in the configuration (where `pizzapi` in a terminal
//! finds it too) and links the runner. Nothing has to be copied, and nothing has to be restarted.

use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use pizzapi_config::runner_api_key;
use pizzapi_config::url::{is_local, socket_url};
use pizzapi_runner::Exit;
use pizzapi_server::App as Relay;
use pizzapi_server::auth::api_key::{self, Mint};

use super::{Program, asked_to_stop, models, runner, server, setup};
use crate::args::{LocalArgs, ServerArgs};
use crate::output::WithHint;
use crate::{logging, output};

/// How often is looked for the first account; one query on a local file.
const ACCOUNT_POLL: Duration = Duration::from_secs(1);
/// Pause before the runner is started again after a failure.
const RUNNER_RETRY: Duration = Duration::from_secs(5);
/// How long the runner may take to end its sessions.
const RUNNER_STOP: Duration = Duration::from_secs(12);
/// At most one key carries this label: a new one replaces the old.
const KEY_LABEL: &str = "pizzapi-local";

pub async fn run(mut program: Program, arguments: LocalArgs) -> anyhow::Result<ExitCode> {
    if arguments.demo {
        // For what is listed here as well as for the sessions.
        program.vars.set(models::DEMO_VARIABLE, "1");
    }
    logging::to_stderr(&program.vars, "warn,pizzapi_server=info,pizzapi_runner=info,pizzapi_cli=info");
    let mut config = server::configure(
        &program,
        &ServerArgs { port: arguments.port, data_dir: arguments.data_dir.clone(), ..ServerArgs::default() },
    )?;
    config.listen.address.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
    refuse_remote_relay(&program, config.listen.address.port())?;

    let asked = asked_to_stop();
    let relay = pizzapi_server::build(config).await?;
    let listener = relay.bind().await?;
    let running = relay.start(listener).await?;
    let app = running.app().clone();
    let port = running.local_addr().port();
    let address = format!("http://localhost:{port}");
    announce(&app, &address, &arguments).await?;

    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut machine = tokio::spawn(keep_runner(program, app, port, stopped));
    let reason = tokio::select! {
        reason = asked => reason,
        ended = &mut machine => {
            running.shutdown().await;
            return match ended.context("the runner's task failed")? {
                Ok(()) => Ok(ExitCode::SUCCESS),
                Err(error) => Err(error),
            };
        }
    };
    tracing::info!(reason, "asked to stop");
    let _ = stop.send(true);
    if tokio::time::timeout(RUNNER_STOP, &mut machine).await.is_err() {
        tracing::warn!("the runner took too long to stop");
        machine.abort();
    }
    let clean = running.shutdown().await;
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Somebody whose machine belongs to a relay elsewhere would be surprised to find it moved here.
fn refuse_remote_relay(program: &Program, port: u16) -> anyhow::Result<()> {
    let relay = &program.config.relay;
    let Some(url) = relay.url.as_ref().filter(|_| relay.is_configured()) else { return Ok(()) };
    if !is_local(url) {
        return Err(anyhow::anyhow!("this machine is set up for the relay {url}, by {}", relay.source))
            .hint("use `pizzapi runner` for that relay, or set PIZZAPI_HOME for a separate one");
    }
    tracing::debug!(configured = %url, port, "the configured address is replaced by this one when it differs");
    Ok(())
}

async fn announce(app: &Relay, address: &str, arguments: &LocalArgs) -> anyhow::Result<()> {
    let first_start = !app.db.users().any().await?;
    let color = output::colored();
    output::line(format!("{} {}", output::paint("1", "PizzaPi", color), output::paint("1;36", address, color)));
    if first_start {
        output::line("Create your account there; this machine is linked to it by itself.");
    }
    output::line("Ctrl+C stops everything; sessions and accounts are kept.");
    if !arguments.no_browser && has_display() {
        let address = address.to_owned();
        // Opening may wait for the browser.
        tokio::task::spawn_blocking(move || {
            if let Err(error) = open::that_detached(&address) {
                tracing::info!(%error, "no browser could be opened");
            }
        });
    }
    Ok(())
}

fn has_display() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let remote = set("SSH_CONNECTION") || set("TERMINAL_WORKER_ID");
    !remote && (cfg!(any(windows, target_os = "macos")) || set("DISPLAY") || set("WAYLAND_DISPLAY"))
}

/// Links this machine to the first account and keeps its runner alive until told to stop.
async fn keep_runner(
    program: Program,
    app: Relay,
    port: u16,
    mut stop: tokio::sync::watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let relay_url = socket_url(&format!("ws://localhost:{port}"));
    let mut told = false;
    let mut key = None;
    loop {
        if *stop.borrow() {
            return Ok(());
        }
        // Made once: a second key would replace the one that sessions in terminals use by now.
        if key.is_none() {
            key = key_of_this_machine(&program, &app, port).await?;
        }
        let Some(key) = key.clone() else {
            tokio::select! {
                () = tokio::time::sleep(ACCOUNT_POLL) => continue,
                _ = stop.changed() => return Ok(()),
            }
        };
        let mut config = runner::configure(&program, relay_url.clone(), key)?;
        if program.vars.flag(models::DEMO_VARIABLE) {
            config.session_variables.insert(models::DEMO_VARIABLE.to_owned(), "1".to_owned());
        }
        let machine = match pizzapi_runner::start(config) {
            Ok(machine) => machine,
            Err(error) => {
                // Another daemon of this home serves already: the relay works without this one.
                tracing::warn!(%error, "the runner cannot start");
                tokio::select! {
                    () = tokio::time::sleep(RUNNER_RETRY) => continue,
                    _ = stop.changed() => return Ok(()),
                }
            }
        };
        if !std::mem::replace(&mut told, true) {
            output::line("This machine is linked: start sessions in the browser, or with `pizzapi` in a terminal.");
        }
        let stopper = machine.stopper();
        let ended = machine.wait();
        tokio::pin!(ended);
        let exit = tokio::select! {
            exit = &mut ended => exit,
            () = told_to_stop(&mut stop) => {
                stopper.stop(Exit::Shutdown);
                ended.await
            }
        };
        match exit {
            Exit::Restart => tracing::info!("restarting the runner"),
            Exit::Shutdown if *stop.borrow() => return Ok(()),
            Exit::Shutdown => {
                tracing::info!("the runner was stopped; the relay goes on");
                told_to_stop(&mut stop).await;
                return Ok(());
            }
        }
    }
}

async fn told_to_stop(stop: &mut tokio::sync::watch::Receiver<bool>) {
    // A sender that is gone wants nothing to go on.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// The key in the configuration when this relay knows it, else a new one for the first account.
async fn key_of_this_machine(program: &Program, app: &Relay, port: u16) -> anyhow::Result<Option<String>> {
    if let Some(known) = runner_api_key(&program.config, &program.vars) {
        let key = known.key.into_inner();
        match api_key::authenticate_api_key(app, &key).await {
            Ok(_) => return Ok(Some(key)),
            Err(error) if error.is_retryable() => bail!("the relay cannot check keys: {error}"),
            Err(_) => tracing::info!("the configured key is not of this relay: a new one is made"),
        }
    }
    let Some(owner) = app.db.users().first().await? else { return Ok(None) };
    let mint = Mint {
        name: Some(format!("{} (local)", runner::hostname(&program.vars))),
        prefix: None,
        label: Some(KEY_LABEL.to_owned()),
        expires_at: None,
    };
    let (_, key) = api_key::mint(app, &owner.id, mint).await?;
    setup::save(program, &format!("http://localhost:{port}"), &key)?;
    tracing::info!(account = %owner.email, "linked this machine");
    Ok(Some(key))
}

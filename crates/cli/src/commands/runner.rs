//! `pizzapi runner`: a supervisor that keeps the daemon alive, the daemon itself, and what is asked about them.

use std::process::{ExitCode, Stdio};
use std::time::Duration;

use anyhow::Context;
use pizzapi_config::{ApiKey, Source, Vars, runner_api_key};
use pizzapi_runner::workspace::Workspace;
use pizzapi_runner::{Exit, RunnerConfig, StateFile, identity};
use serde_json::json;
use tokio::process::Command;

use super::{Program, asked_to_stop, host, setup};
use crate::output::WithHint;
use crate::{logging, output};

/// Exit code of a daemon that wants to be started again.
pub const RESTART: u8 = 42;
const FIRST_DELAY: Duration = Duration::from_secs(2);
const LONGEST_DELAY: Duration = Duration::from_secs(60);
/// How long `stop` waits before it insists.
const STOP_GRACE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(100);

pub fn state_file(program: &Program) -> StateFile {
    match program.vars.text("PIZZAPI_RUNNER_STATE_PATH") {
        Some(path) => StateFile::new(path),
        None => StateFile::new(program.home().runner_file()),
    }
}

/// What the daemon of this machine is told.
pub fn configure(program: &Program, relay_url: String, api_key: String) -> anyhow::Result<RunnerConfig> {
    let vars = &program.vars;
    let names = ["PIZZAPI_WORKSPACE_ROOTS", "PIZZAPI_WORKSPACE_ROOT", "PIZZAPI_RUNNER_ROOTS"];
    let workspace = match vars.first(&names) {
        Some(("PIZZAPI_WORKSPACE_ROOT", root)) => Workspace::new([root]),
        Some((name, _)) => Workspace::new(vars.list(name)),
        None => Workspace::new(Vec::<String>::new()),
    };
    Ok(RunnerConfig {
        relay_url,
        api_key,
        name: runner_name(program),
        version: crate::VERSION.to_owned(),
        home: program.home().root().to_owned(),
        state_file: vars.text("PIZZAPI_RUNNER_STATE_PATH").map_or_else(|| program.home().runner_file(), Into::into),
        workspace,
        user_home: program.home().user().to_owned(),
        worker: vec![Program::executable()?.to_string_lossy().into_owned(), "_worker".to_owned()],
        shell: vars.text("SHELL").unwrap_or("/bin/bash").to_owned(),
        session_variables: program.config.env_overrides.clone(),
        host: host::MachineHost::shared(program),
    })
}

/// How people see this machine.
pub fn runner_name(program: &Program) -> String {
    program.vars.text("PIZZAPI_RUNNER_NAME").map_or_else(|| hostname(&program.vars), str::to_owned)
}

/// The machine's name, as people know it.
pub fn hostname(vars: &Vars) -> String {
    let from_system = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let from_variable = || vars.first(&["HOSTNAME", "COMPUTERNAME"]).map(|(_, name)| name.to_owned());
    let from_program = || {
        let output = std::process::Command::new("hostname").output().ok()?;
        String::from_utf8(output.stdout).ok()
    };
    let name = from_system.or_else(from_variable).or_else(from_program).unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "this machine".to_owned() } else { name.to_owned() }
}

/// Address and key, pairing first when there is no key.
async fn credentials(program: &Program) -> anyhow::Result<(String, String)> {
    let relay = &program.config.relay;
    let url = relay.socket_url().context("the relay is switched off").hint("set relayUrl or PIZZAPI_RELAY_URL")?;
    if let Some(ApiKey { key, .. }) = runner_api_key(&program.config, &program.vars) {
        return Ok((url, key.into_inner()));
    }
    if program.vars.switch("PIZZAPI_PAIRING") == Some(false) {
        return Err(anyhow::anyhow!("this machine has no API key for the relay"))
            .hint("run `pizzapi setup`, or set PIZZAPI_RUNNER_API_KEY");
    }
    if !relay.is_configured() {
        return Err(anyhow::anyhow!("this machine is not linked to a relay"))
            .hint("run `pizzapi setup`, or set PIZZAPI_RELAY_URL to link it from a browser");
    }
    let key = setup::link_device(program, &url, &runner_name(program)).await?;
    Ok((url, key))
}

/// Keeps a daemon running.
pub async fn supervise(program: Program) -> anyhow::Result<ExitCode> {
    logging::to_stderr(&program.vars, "info");
    credentials(&program).await?;
    let state = state_file(&program);
    let executable = Program::executable()?;
    let mut delay = FIRST_DELAY;
    let stop = asked_to_stop();
    tokio::pin!(stop);
    loop {
        let mut daemon = Command::new(&executable)
            .arg("_daemon")
            .current_dir(&program.cwd)
            .stdin(Stdio::null())
            .spawn()
            .context("failed to start the daemon")?;
        if state.read().is_some() {
            // Best effort: `stop` falls back to the daemon's own pid.
            let _ = state.patch(|state| state.supervisor_pid = std::process::id());
        }
        let ended = tokio::select! {
            ended = daemon.wait() => ended.context("failed to wait for the daemon")?,
            reason = &mut stop => {
                tracing::info!(reason, "stopping the daemon");
                terminate(daemon.id());
                let ended = daemon.wait().await;
                tracing::debug!(?ended, "the daemon has ended");
                return Ok(ExitCode::SUCCESS);
            }
        };
        match ended.code() {
            Some(0) => return Ok(ExitCode::SUCCESS),
            Some(code) if code == i32::from(RESTART) => {
                delay = FIRST_DELAY;
                tracing::info!("restarting the daemon");
                continue;
            }
            _ => {
                tracing::warn!(status = %ended, delay_ms = delay.as_millis() as u64, "the daemon ended, starting it again")
            }
        }
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            _ = &mut stop => return Ok(ExitCode::SUCCESS),
        }
        delay = (delay * 2).min(LONGEST_DELAY);
    }
}

#[cfg(unix)]
fn terminate(pid: Option<u32>) {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    if let Some(pid) = pid.and_then(|pid| i32::try_from(pid).ok()) {
        // Gone already is as good.
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
    }
}

#[cfg(not(unix))]
fn terminate(_pid: Option<u32>) {}

/// The daemon, until it is told to stop.
pub async fn daemon(program: Program) -> anyhow::Result<ExitCode> {
    logging::to_stderr(&program.vars, "info");
    let (url, key) = credentials(&program).await?;
    let config = configure(&program, url, key)?;
    let state = state_file(&program);
    let stop = asked_to_stop();
    let runner = pizzapi_runner::start(config)?;
    let parent = parent_process();
    if parent.is_some_and(|pid| identity::is_runner(pid, "")) {
        let _ = state.patch(|state| state.supervisor_pid = parent.unwrap_or_default());
    }
    let stopper = runner.stopper();
    let ended = runner.wait();
    tokio::pin!(ended);
    let exit = tokio::select! {
        exit = &mut ended => exit,
        reason = stop => {
            tracing::info!(reason, "asked to stop");
            stopper.stop(Exit::Shutdown);
            ended.await
        }
    };
    Ok(match exit {
        Exit::Restart => ExitCode::from(RESTART),
        Exit::Shutdown => ExitCode::SUCCESS,
    })
}

#[cfg(unix)]
fn parent_process() -> Option<u32> {
    u32::try_from(nix::unistd::getppid().as_raw()).ok()
}

#[cfg(not(unix))]
fn parent_process() -> Option<u32> {
    None
}

pub async fn stop(program: &Program) -> anyhow::Result<ExitCode> {
    let Some(state) = state_file(program).read() else {
        return Err(anyhow::anyhow!("no runner has run here")).hint("start one with `pizzapi runner`");
    };
    let alive = |pid: u32| pid != 0 && identity::is_runner(pid, "");
    let daemon_lives = || state.pid != 0 && identity::is_runner(state.pid, &state.pid_start_time);
    let target = if alive(state.supervisor_pid) { state.supervisor_pid } else { state.pid };
    if !alive(target) || (!daemon_lives() && target == state.pid) {
        output::line("the runner is not running");
        return Ok(ExitCode::SUCCESS);
    }
    terminate(Some(target));
    let deadline = tokio::time::Instant::now() + STOP_GRACE;
    while (alive(target) || daemon_lives()) && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(POLL).await;
    }
    if alive(target) || daemon_lives() {
        kill(target);
        kill(state.pid);
        output::line("the runner did not answer and was killed");
    } else {
        output::line("the runner has stopped");
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(unix)]
fn kill(pid: u32) {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    if let Ok(pid) = i32::try_from(pid)
        && pid > 1
    {
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
}

#[cfg(not(unix))]
fn kill(_pid: u32) {}

/// Healthy means: alive and registered. No network is touched, so this serves as a container's health check.
pub fn status(program: &Program, as_json: bool) -> anyhow::Result<ExitCode> {
    let state = state_file(program).read();
    let pairing = setup::pending_claim(program);
    let (healthy, reason) = match &state {
        _ if pairing.is_some() => (false, "waiting to be linked: open the pairing address".to_owned()),
        None => (false, "no runner has run here".to_owned()),
        Some(state) if state.pid == 0 || !identity::is_runner(state.pid, &state.pid_start_time) => {
            (false, "the runner is not running".to_owned())
        }
        Some(state) if state.auth_rejected == Some(true) => {
            (false, "the relay rejected the credentials of this machine".to_owned())
        }
        Some(state) if state.connected != Some(true) => (false, "not registered with the relay".to_owned()),
        Some(_) => (true, "registered".to_owned()),
    };
    if as_json {
        let known = state.unwrap_or_default();
        let text = |value: String| if value.is_empty() { serde_json::Value::Null } else { value.into() };
        output::line(json!({
            "healthy": healthy,
            "reason": reason,
            "runnerId": text(known.runner_id),
            "runnerName": known.runner_name,
            "relayUrl": known.relay_url,
            "connected": known.connected.unwrap_or(false),
            "pid": known.pid,
            "startedAt": text(known.started_at),
            "cliVersion": known.cli_version,
            "pairingUrl": pairing,
        }));
    } else {
        output::line(format!("{} {reason}", if healthy { "healthy:" } else { "unhealthy:" }));
        if let Some(state) = state {
            let name = state.runner_name.unwrap_or_default();
            output::line(format!("  runner {name} {} (pid {})", state.runner_id, state.pid));
            if let Some(url) = state.relay_url {
                output::line(format!("  relay  {url}"));
            }
        }
        if let Some(url) = pairing {
            output::line(format!("  open   {url}"));
        }
    }
    Ok(if healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Links this machine again, or for the first time.
pub async fn pair(program: &Program, force: bool) -> anyhow::Result<ExitCode> {
    if let Some(ApiKey { source, .. }) = runner_api_key(&program.config, &program.vars) {
        if !force {
            return Err(anyhow::anyhow!("this machine already has a key, from {source}"))
                .hint("use --force to replace the one in config.json");
        }
        if let Source::Variable(name) = source {
            output::warning(format!("{name} stays in force: unset it, or the new key is not used"));
        }
    }
    let url = program.config.relay.url.clone().context("the relay is switched off");
    let url = url.hint("set relayUrl or PIZZAPI_RELAY_URL")?;
    setup::link_device(program, &url, &runner_name(program)).await?;
    let running = state_file(program).read().is_some_and(|state| identity::is_runner(state.pid, &state.pid_start_time));
    if running {
        output::line("The runner still uses the old key: restart it with `pizzapi runner stop` and `pizzapi runner`.");
    }
    Ok(ExitCode::SUCCESS)
}

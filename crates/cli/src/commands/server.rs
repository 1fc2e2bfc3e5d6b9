//! `pizzapi server`: the relay alone.

use std::process::ExitCode;

use pizzapi_server::ServerConfig;
use pizzapi_server::config::TlsFiles;

use super::{Program, asked_to_stop};
use crate::args::ServerArgs;
use crate::{logging, output};

/// Serves until it is asked to stop.
pub async fn run(program: &Program, arguments: &ServerArgs) -> anyhow::Result<ExitCode> {
    logging::to_stderr(&program.vars, "info");
    let config = configure(program, arguments)?;
    let stop = asked_to_stop();
    let server = pizzapi_server::build(config).await?;
    let listener = server.bind().await?;
    let running = server.start(listener).await?;
    output::line(format!("PizzaPi server v{} on {}", crate::VERSION, running.url()));
    let reason = stop.await;
    tracing::info!(reason, "asked to stop");
    let clean = running.shutdown().await;
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Flags over variables over defaults.
pub fn configure(program: &Program, arguments: &ServerArgs) -> anyhow::Result<ServerConfig> {
    let home = program.home().root().to_string_lossy().into_owned();
    // The data directory lies in the same home as everything else, whatever that home was found by.
    let mut config = ServerConfig::from_vars(&|name| match (program.vars.text(name), name) {
        (None, "PIZZAPI_HOME") => Some(home.clone()),
        (value, _) => value.map(str::to_owned),
    })?;
    if let Some(dir) = &arguments.data_dir {
        config.data_dir = program.cwd.join(dir);
    }
    if let Some(address) = arguments.bind {
        config.listen.address.set_ip(address);
    }
    if let Some(port) = arguments.port {
        config.listen.address.set_port(port);
    }
    if let Some(url) = &arguments.base_url {
        config.web.base_url = Some(url.trim_end_matches('/').to_owned());
    }
    if let Some(dir) = &arguments.ui_dir {
        config.web.ui_dir = Some(program.cwd.join(dir));
    }
    if let (Some(certificate), Some(key)) = (&arguments.tls_cert, &arguments.tls_key) {
        config.listen.tls = Some(TlsFiles { certificate: certificate.clone(), key: key.clone() });
    }
    config.listen.insecure |= arguments.insecure;
    Ok(config)
}

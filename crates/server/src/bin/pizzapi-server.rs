//! The relay alone: what the container image runs.

#![expect(clippy::disallowed_methods, reason = "a program reads its own environment")]

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use pizzapi_server::config::{ConfigError, ServerConfig, TlsFiles};
use pizzapi_server::{ServerError, build};

/// A second signal, or a drain longer than this, ends the process.
const FORCE_EXIT: Duration = Duration::from_secs(10);

/// Relay server of PizzaPi: accounts, sessions, runners and the web UI on one port.
///
/// Every flag has a variable; the flag wins.
#[derive(Debug, Parser)]
#[command(name = "pizzapi-server", version, max_term_width = 100)]
struct Args {
    /// Address to listen on; anything but loopback needs TLS or --insecure
    #[arg(long, value_name = "IP")]
    host: Option<IpAddr>,
    /// Port to listen on [env: PORT] [default: 7492]
    #[arg(long, short)]
    port: Option<u16>,
    /// Folder for the database, logs, attachments and secrets [env: PIZZAPI_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Public URL, for origin checks, links and secure cookies [env: PIZZAPI_BASE_URL]
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// Serve the web UI from this folder instead of the embedded one [env: PIZZAPI_UI_DIR]
    #[arg(long, value_name = "DIR")]
    ui_dir: Option<PathBuf>,
    /// PEM file with the certificate chain [env: PIZZAPI_TLS_CERT]
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// PEM file with the private key [env: PIZZAPI_TLS_KEY]
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Listen beyond this machine over plain HTTP: a proxy in front adds TLS, or the network is trusted
    #[arg(long)]
    insecure: bool,
    /// Take over accounts, keys, history and settings from this database of the earlier server, and exit
    #[arg(long, value_name = "AUTH_DB")]
    import: Option<PathBuf>,
    /// Print the settings in effect, secrets masked, and exit
    #[arg(long)]
    print_config: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    init_logging();
    let import = args.import.clone();
    let config = match configure(args) {
        Ok(Some(config)) => config,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => return fail(&error),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    if let Some(source) = import {
        use std::io::Write;
        return match runtime.block_on(pizzapi_server::import::run(&config, &source)) {
            Ok(report) => {
                let _ = writeln!(std::io::stdout(), "{report}");
                ExitCode::SUCCESS
            }
            Err(error) => fail(&error),
        };
    }
    match runtime.block_on(run(config)) {
        Ok(clean) => {
            // Blocking work that is still under way does not hold the process.
            runtime.shutdown_timeout(Duration::from_secs(1));
            if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => fail(&error),
    }
}

fn configure(args: Args) -> Result<Option<ServerConfig>, ConfigError> {
    let mut config = ServerConfig::from_vars(&|name| match (name, &args.data_dir) {
        ("PIZZAPI_DATA_DIR", Some(dir)) => Some(dir.to_string_lossy().into_owned()),
        ("PIZZAPI_BASE_URL", _) if args.base_url.is_some() => args.base_url.clone(),
        _ => std::env::var(name).ok(),
    })?;
    if let Some(dir) = args.data_dir {
        config.data_dir = dir;
    }
    if let Some(host) = args.host {
        config.listen.address.set_ip(host);
    }
    if let Some(port) = args.port {
        config.listen.address.set_port(port);
    }
    if let Some(dir) = args.ui_dir {
        config.web.ui_dir = Some(dir);
    }
    if let (Some(certificate), Some(key)) = (args.tls_cert, args.tls_key) {
        config.listen.tls = Some(TlsFiles { certificate, key });
    }
    config.listen.insecure |= args.insecure;
    if args.print_config {
        use std::io::Write;
        // Nobody reads it: nothing to do about that.
        let _ = writeln!(std::io::stdout(), "{config:#?}");
        return Ok(None);
    }
    Ok(Some(config))
}

async fn run(config: ServerConfig) -> Result<bool, ServerError> {
    // Caught from the start: a stop right after the first answer must be a clean one.
    let stop = stop_signal();
    let server = build(config).await?;
    let listener = server.bind().await?;
    let running = server.start(listener).await?;
    tracing::info!(url = %running.url(), "ready");
    stop.await;
    match tokio::time::timeout(FORCE_EXIT, running.shutdown()).await {
        Ok(clean) => Ok(clean),
        Err(_) => {
            tracing::error!("the drain took too long; exiting anyway");
            Ok(false)
        }
    }
}

/// Signals count from the call on, not from the first poll of the future.
#[cfg(unix)]
fn stop_signal() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    async move {
        match signals {
            (Ok(mut terminate), Ok(mut interrupt)) => {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            }
            _ => {
                tracing::warn!("signals cannot be caught; only a kill stops the server");
                std::future::pending::<()>().await;
            }
        }
    }
}

#[cfg(not(unix))]
async fn stop_signal() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// `PIZZAPI_LOG` chooses levels per module, `PIZZAPI_LOG_FORMAT=json` one object per line.
fn init_logging() {
    use tracing_subscriber::EnvFilter;
    let default = if std::env::var_os("DEBUG").is_some() { "info,pizzapi_server=debug" } else { "info" };
    let filter = EnvFilter::try_from_env("PIZZAPI_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::env::var("PIZZAPI_LOG_FORMAT").is_ok_and(|format| format == "json") {
        logs.json().init();
    } else {
        logs.init();
    }
}

/// `error:` and causes, then the hint on lines of its own.
fn fail(error: &(dyn std::error::Error + 'static)) -> ExitCode {
    use std::io::Write;
    let mut err = std::io::stderr().lock();
    let _ = writeln!(err, "error: {error}");
    ExitCode::FAILURE
}

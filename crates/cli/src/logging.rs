//! Where log lines go: to standard error for daemons, to a file while the screen is ours.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

use pizzapi_config::Vars;
use tracing_subscriber::EnvFilter;

/// A log file that grew beyond this is set aside before the next run.
const MAX_LOG_BYTES: u64 = 10 * 1024 * 1024;

fn filter(vars: &Vars, default: &str) -> EnvFilter {
    let directives = vars.text("PIZZAPI_LOG").or_else(|| vars.text("RUST_LOG")).unwrap_or(default);
    EnvFilter::try_new(directives).unwrap_or_else(|_| EnvFilter::new(default))
}

/// For programs that run in the background: lines for people, or JSON with `PIZZAPI_LOG_FORMAT=json`.
pub fn to_stderr(vars: &Vars, default: &str) {
    let builder = tracing_subscriber::fmt().with_writer(io::stderr).with_env_filter(filter(vars, default));
    // A second call, in tests, keeps the first subscriber.
    let _ = if vars.text("PIZZAPI_LOG_FORMAT") == Some("json") {
        builder.json().flatten_event(true).try_init()
    } else {
        use std::io::IsTerminal;
        builder.with_target(false).with_ansi(io::stderr().is_terminal()).try_init()
    };
}

/// For a session with a screen of its own. A folder that cannot be written means no log, not no session.
pub fn to_file(vars: &Vars, folder: &Path, name: &str) -> io::Result<()> {
    let file = open(folder, name)?;
    let _ = tracing_subscriber::fmt()
        .with_writer(std::sync::Mutex::new(file))
        .with_ansi(false)
        .with_env_filter(filter(vars, "info"))
        .try_init();
    Ok(())
}

fn open(folder: &Path, name: &str) -> io::Result<File> {
    fs::create_dir_all(folder)?;
    let path = folder.join(format!("{name}.log"));
    if fs::metadata(&path).is_ok_and(|meta| meta.len() > MAX_LOG_BYTES) {
        fs::rename(&path, folder.join(format!("{name}.1.log")))?;
    }
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}

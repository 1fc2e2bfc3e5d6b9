//! The home directory, its files and the variables that override them.
//!
//! ```no_run
//! use pizzapi_config::{Config, Home, Vars, read_secret_files};
//!
//! let mut vars: Vars = std::env::vars().collect();
//! let problems = read_secret_files(&mut vars, |path| std::fs::read_to_string(path));
//! let home = Home::locate(&vars)?;
//! let config = Config::load(home, std::path::Path::new("."), &vars)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod env;
mod file;
mod load;
mod paths;
mod sandbox;
mod secret;
pub mod url;

pub use env::{Group, VARIABLES, Variable, Vars, environment_page, read_secret_files, unknown_names};
pub use file::{FileError, create_private_dir, read_object, update_object, write_private};
pub use load::{
    ApiKey, Config, ConfigError, DEFAULT_BACKGROUND_AFTER_SECONDS, DEFAULT_MCP_TIMEOUT_MS, Goal, McpOauth, McpServer,
    ProviderOverrides, ProviderSettings, Relay, ServiceGrant, Source, Subagent, Substitutions, ToolSearch, WebSearch,
    runner_api_key, sandbox_mode, save_relay, substitute,
};
pub use paths::{AgentDir, Home, NoHome, project_config_file, session_folder_name};
pub use pizzapi_protocol::runner_reply::SandboxMode;
pub use sandbox::{FilesystemRules, NetworkRules, SandboxConfig, UnknownSandboxMode, parse_mode as parse_sandbox_mode};
pub use secret::{REDACTED, Secret, mask, redact};

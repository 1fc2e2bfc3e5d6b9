//! `pizzapi auth`: credentials of model providers.

use std::process::ExitCode;

use anyhow::bail;
use pizzapi_agent::model::registry::Registry;

use super::{Program, prompt};
use crate::output::{self, WithHint};

pub async fn run(program: &Program, provider: Option<&str>, remove: bool) -> anyhow::Result<ExitCode> {
    let registry = Registry::load(program.agent_dir(), program.environment());
    for warning in registry.warnings() {
        output::warning(warning);
    }
    match provider {
        None => list(&registry),
        Some(provider) if remove => {
            if !registry.auth().remove(provider)? {
                bail!("no credentials of `{provider}` are stored");
            }
            output::line(format!("The credentials of {provider} are removed."));
        }
        Some(provider) => login(&registry, provider)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Providers a key can be entered for: those that need one.
pub fn providers(registry: &Registry) -> Vec<(String, String, Vec<String>)> {
    registry
        .provider_ids()
        .into_iter()
        .filter_map(|id| {
            let entry = registry.provider(&id).filter(|entry| !entry.keyless)?;
            let name = entry.name.clone().unwrap_or_else(|| id.clone());
            Some((id, name, entry.env.clone()))
        })
        .collect()
}

fn list(registry: &Registry) {
    let color = output::colored();
    for (id, name, variables) in providers(registry) {
        let mark = if registry.has_credentials(&id) { output::paint("32", "✓", color) } else { " ".to_owned() };
        let variable = variables.first().map_or(String::new(), |variable| format!("  or {variable}"));
        output::line(format!("{mark} {id:<20} {name:<24} api_key{variable}"));
    }
    output::line(format!("\nStored in {}", registry.auth().path().display()));
}

fn login(registry: &Registry, provider: &str) -> anyhow::Result<()> {
    let Some((id, name, _)) = providers(registry).into_iter().find(|(id, ..)| id == provider) else {
        return Err(anyhow::anyhow!("`{provider}` has no interactive login here"))
            .hint("`pizzapi auth` lists the providers that have one");
    };
    let key = prompt::secret(&format!("API key for {name}"))?;
    let key = key.trim();
    if key.is_empty() {
        bail!("no key was entered");
    }
    registry.auth().save_api_key(&id, key)?;
    output::line(format!("Saved. New sessions can use {name}; running ones keep what they have."));
    Ok(())
}

//! `pizzapi models`: what can be used now.

use std::process::ExitCode;

use pizzapi_agent::model::{ModelSpec, discovery, registry::Registry};
use serde_json::json;

use super::{Program, setup};
use crate::output;
use crate::tui::text;

/// Switches the offline demonstration on as a model.
pub const DEMO_VARIABLE: &str = "PIZZAPI_DEMO";
/// The demonstration, as a pattern.
pub const DEMO_MODEL: &str = "demo/demo";

/// Every model with credentials, those of servers on this machine included; sorted by provider and id.
pub async fn usable(program: &Program) -> anyhow::Result<(Registry, Vec<ModelSpec>)> {
    let registry = Registry::load(program.agent_dir(), program.environment());
    let client = setup::client()?;
    tokio::join!(discovery::local(&registry, &client), discovery::remote(&registry, &client));
    let mut models = registry.available();
    if program.vars.flag(DEMO_VARIABLE)
        && let Some((provider, id)) = DEMO_MODEL.split_once('/')
        && !models.iter().any(|model| model.provider == provider)
    {
        models.extend(registry.get(provider, id));
    }
    models.sort_by(|a, b| (&a.provider, &a.id).cmp(&(&b.provider, &b.id)));
    models.dedup_by(|a, b| a.key() == b.key());
    Ok((registry, models))
}

pub async fn list(program: &Program, search: Option<&str>, as_json: bool) -> anyhow::Result<ExitCode> {
    let (registry, mut models) = usable(program).await?;
    for warning in registry.warnings() {
        output::warning(warning);
    }
    if let Some(search) = search.filter(|search| !search.is_empty()) {
        let search = search.to_lowercase();
        models.retain(|model| {
            model.key().to_lowercase().contains(&search) || model.name.to_lowercase().contains(&search)
        });
    }
    if as_json {
        let models: Vec<_> = models
            .iter()
            .map(|model| {
                json!({
                    "provider": model.provider, "id": model.id, "name": model.name,
                    "contextWindow": model.context_window, "reasoning": model.reasoning,
                })
            })
            .collect();
        output::line(json!({ "models": models }));
        return Ok(ExitCode::SUCCESS);
    }
    if models.is_empty() {
        output::line("No model can be used: no provider has credentials.");
        output::line(format!("Run `pizzapi auth <provider>`, or add a key to {}.", registry.auth().path().display()));
        return Ok(ExitCode::SUCCESS);
    }
    let width = models.iter().map(|model| text::width(&model.id)).max().unwrap_or(0);
    let color = output::colored();
    let mut provider = "";
    for model in &models {
        if model.provider != provider {
            provider = &model.provider;
            output::line(output::paint("1", provider, color));
        }
        let reasoning = if model.reasoning { "reasoning • " } else { "" };
        let window = text::compact_count(model.context_window);
        output::line(format!("  {:width$}  {reasoning}{window} ctx • {}", model.id, model.name));
    }
    Ok(ExitCode::SUCCESS)
}

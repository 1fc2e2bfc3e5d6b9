//! Live listings: model servers on this machine and catalogs of hosts.
//!
//! A listing never fails a start: whoever does not answer in time is left out.

use std::time::Duration;

use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::{Value, json};

use super::registry::Registry;
use super::{Cost, InputKind, ModelEntry, ProviderEntry};
use crate::provider::ollama::MAX_LOCAL_CONTEXT;

/// How long a server on this machine may take to answer.
const LOCAL_TIMEOUT: Duration = Duration::from_millis(800);
/// How long a host may take to list its models.
const REMOTE_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest answer of a local model; a third of its context. Units: tokens.
const MAX_LOCAL_ANSWER: u64 = 8192;
/// Models asked for their details, per local server.
const MAX_DETAILED: usize = 64;
/// Largest listing that is read. Units: bytes.
const MAX_LISTING_BYTES: usize = 16 * 1024 * 1024;

/// Ask every server on this machine what it offers.
pub async fn local(registry: &Registry, client: &reqwest::Client) {
    let asks = registry.provider_ids().into_iter().filter_map(|id| {
        let provider = registry.provider(&id).filter(|p| p.local)?;
        Some(async move {
            let listed = list_local(&id, &provider, client).await.unwrap_or_default();
            registry.set_discovered(&id, listed);
        })
    });
    join_all(asks).await;
}

/// Ask hosts with a key and a live catalog. Blocking key commands are not run for this.
pub async fn remote(registry: &Registry, client: &reqwest::Client) {
    let asks = registry.provider_ids().into_iter().filter_map(|id| {
        let provider = registry.provider(&id)?;
        if provider.local || provider.discovery.is_none() || !registry.has_credentials(&id) {
            return None;
        }
        Some(async move {
            match list_remote(registry, &id, &provider, client).await {
                Ok(listed) => registry.set_discovered(&id, listed),
                Err(error) => tracing::debug!(provider = %id, %error, "live model listing is not available"),
            }
        })
    });
    join_all(asks).await;
}

async fn list_local(
    id: &str,
    provider: &ProviderEntry,
    client: &reqwest::Client,
) -> Result<Vec<ModelEntry>, ListError> {
    let base = provider.base_url.clone().unwrap_or_default();
    if provider.discovery.as_deref() == Some("ollama") {
        let mut listed = ollama(base.trim_end_matches("/v1"), client, LOCAL_TIMEOUT).await?;
        for model in &mut listed {
            // What a model could take and what this machine's memory takes are different things.
            model.context_window = Some(model.context_window.unwrap_or(u64::MAX).min(MAX_LOCAL_CONTEXT));
            model.max_tokens = Some(MAX_LOCAL_ANSWER);
        }
        return Ok(listed);
    }
    let listing: OpenAiListing = get(client, &format!("{base}/models"), None, LOCAL_TIMEOUT).await?;
    Ok(listing
        .data
        .into_iter()
        // Any program may listen on a common port: believe only what names itself.
        .filter(|m| id != "vllm" || m.owned_by.as_deref() == Some("vllm"))
        .filter(|m| !m.id.contains("embed"))
        .map(|m| ModelEntry { id: m.id, context_window: m.max_model_len, ..ModelEntry::default() })
        .collect())
}

async fn list_remote(
    registry: &Registry,
    id: &str,
    provider: &ProviderEntry,
    client: &reqwest::Client,
) -> Result<Vec<ModelEntry>, ListError> {
    let key = {
        let (registry, id) = (registry.clone(), id.to_owned());
        tokio::task::spawn_blocking(move || registry.credential(&id).ok().and_then(|c| c.secret))
            .await
            .map_err(|error| ListError::Unreadable(error.to_string()))?
    };
    let base = provider.base_url.clone().unwrap_or_default();
    match provider.discovery.as_deref() {
        Some("ollama") => ollama(base.trim_end_matches("/v1"), client, REMOTE_TIMEOUT).await,
        Some("openrouter") => {
            let listing: OpenRouterListing =
                get(client, &format!("{base}/models"), key.as_deref(), REMOTE_TIMEOUT).await?;
            Ok(listing.data.into_iter().filter_map(OpenRouterModel::entry).collect())
        }
        _ => {
            let url = if base.ends_with("/v1") { format!("{base}/models") } else { format!("{base}/v1/models") };
            let listing: OpenAiListing = get(client, &url, key.as_deref(), REMOTE_TIMEOUT).await?;
            Ok(listing
                .data
                .into_iter()
                .filter(|m| m.is_chat())
                .map(|m| ModelEntry {
                    context_window: m.context_window.or(m.context_length).or(m.max_model_len),
                    id: m.id,
                    ..ModelEntry::default()
                })
                .collect())
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum ListError {
    #[error("request failed: {0}")]
    Request(#[from] reqwest::Error),
    #[error("answer is not a listing: {0}")]
    Unreadable(String),
}

async fn get<T: serde::de::DeserializeOwned>(
    client: &reqwest::Client,
    url: &str,
    key: Option<&str>,
    timeout: Duration,
) -> Result<T, ListError> {
    let mut request = client.get(url).timeout(timeout);
    if let Some(key) = key {
        request = request.bearer_auth(key);
    }
    read(request.send().await?.error_for_status()?).await
}

async fn read<T: serde::de::DeserializeOwned>(mut response: reqwest::Response) -> Result<T, ListError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_LISTING_BYTES {
            return Err(ListError::Unreadable(format!("larger than {MAX_LISTING_BYTES} bytes")));
        }
    }
    serde_json::from_slice(&body).map_err(|error| ListError::Unreadable(error.to_string()))
}

#[derive(Deserialize)]
struct OpenAiListing {
    data: Vec<OpenAiModel>,
}

#[derive(Deserialize)]
struct OpenAiModel {
    id: String,
    #[serde(default)]
    owned_by: Option<String>,
    #[serde(default)]
    max_model_len: Option<u64>,
    #[serde(default)]
    context_window: Option<u64>,
    #[serde(default)]
    context_length: Option<u64>,
}

impl OpenAiModel {
    fn is_chat(&self) -> bool {
        const OTHER: [&str; 8] = ["embed", "whisper", "tts", "moderation", "guard", "rerank", "image", "ocr"];
        !OTHER.iter().any(|word| self.id.to_lowercase().contains(word))
    }
}

#[derive(Deserialize)]
struct OpenRouterListing {
    data: Vec<OpenRouterModel>,
}

#[derive(Deserialize)]
struct OpenRouterModel {
    id: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    context_length: Option<u64>,
    #[serde(default)]
    supported_parameters: Vec<String>,
    #[serde(default)]
    architecture: Value,
    #[serde(default)]
    top_provider: Value,
    #[serde(default)]
    pricing: Value,
}

impl OpenRouterModel {
    /// Only models that can call tools are of use here.
    fn entry(self) -> Option<ModelEntry> {
        let has = |name: &str| self.supported_parameters.iter().any(|p| p == name);
        if !has("tools") {
            return None;
        }
        let reasoning = has("reasoning");
        let price = |name: &str| {
            // Written as dollars per token, in text.
            self.pricing.get(name).and_then(Value::as_str).and_then(|t| t.parse::<f64>().ok()).map(|p| p * 1e6)
        };
        let images = self
            .architecture
            .get("input_modalities")
            .and_then(Value::as_array)
            .is_some_and(|kinds| kinds.iter().any(|k| k == "image"));
        Some(ModelEntry {
            name: self.name.clone(),
            reasoning: Some(reasoning),
            input: Some(if images { vec![InputKind::Text, InputKind::Image] } else { vec![InputKind::Text] }),
            context_window: self.context_length,
            max_tokens: self.top_provider.get("max_completion_tokens").and_then(Value::as_u64).filter(|n| *n > 0),
            cost: price("prompt").zip(price("completion")).map(|(input, output)| Cost {
                input,
                output,
                cache_read: price("input_cache_read").unwrap_or(0.0),
                cache_write: price("input_cache_write").unwrap_or(0.0),
                tiers: Vec::new(),
            }),
            compat: super::Compat {
                cache_control: self.id.starts_with("anthropic/").then(|| "anthropic".to_owned()),
                ..super::Compat::default()
            },
            id: self.id,
            ..ModelEntry::default()
        })
    }
}

#[derive(Deserialize)]
struct OllamaTags {
    models: Vec<OllamaTag>,
}

#[derive(Deserialize)]
struct OllamaTag {
    name: String,
}

/// Ollama's own listing: it knows which models call tools, think and see.
async fn ollama(base: &str, client: &reqwest::Client, timeout: Duration) -> Result<Vec<ModelEntry>, ListError> {
    let tags: OllamaTags = get(client, &format!("{base}/api/tags"), None, timeout).await?;
    let details = tags.models.into_iter().take(MAX_DETAILED).map(|tag| async move {
        let asked = client.post(format!("{base}/api/show")).json(&json!({ "model": tag.name })).timeout(timeout).send();
        let show: Value = match asked.await {
            Ok(response) => read(response).await.unwrap_or_default(),
            Err(_) => Value::Null,
        };
        ollama_entry(tag.name, &show)
    });
    Ok(join_all(details).await.into_iter().flatten().collect())
}

fn ollama_entry(name: String, show: &Value) -> Option<ModelEntry> {
    let capabilities: Option<Vec<&str>> =
        show.get("capabilities").and_then(Value::as_array).map(|list| list.iter().filter_map(Value::as_str).collect());
    let can = |what: &str| capabilities.as_ref().is_some_and(|list| list.contains(&what));
    // Old servers say nothing about capabilities; the model is then offered as it is.
    if capabilities.is_some() && !can("completion") {
        return None;
    }
    let context = show
        .get("model_info")
        .and_then(Value::as_object)
        .and_then(|info| info.iter().find(|(key, _)| key.ends_with(".context_length")))
        .and_then(|(_, value)| value.as_u64());
    Some(ModelEntry {
        id: name,
        reasoning: Some(can("thinking")),
        input: Some(if can("vision") { vec![InputKind::Text, InputKind::Image] } else { vec![InputKind::Text] }),
        context_window: context,
        ..ModelEntry::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ollama_tells_what_a_model_can_do() {
        let show = json!({
            "capabilities": ["completion", "tools", "thinking", "vision"],
            "model_info": {"qwen3.context_length": 40960}
        });
        let entry = ollama_entry("qwen3:8b".into(), &show).expect("a chat model");
        assert_eq!((entry.reasoning, entry.context_window), (Some(true), Some(40_960)));
        assert_eq!(entry.input, Some(vec![InputKind::Text, InputKind::Image]));
        assert!(ollama_entry("nomic-embed".into(), &json!({"capabilities": ["embedding"]})).is_none());
    }

    #[test]
    fn openrouter_models_without_tools_are_left_out() {
        let model = |parameters: Value| -> Option<ModelEntry> {
            serde_json::from_value::<OpenRouterModel>(json!({
                "id": "a/b", "context_length": 1000, "supported_parameters": parameters,
                "pricing": {"prompt": "0.000001", "completion": "0.000002"}
            }))
            .expect("a listing entry")
            .entry()
        };
        assert!(model(json!(["temperature"])).is_none());
        let entry = model(json!(["tools", "reasoning"])).expect("usable");
        assert_eq!(entry.cost.map(|c| (c.input, c.output)), Some((1.0, 2.0)));
    }
}

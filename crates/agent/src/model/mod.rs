//! Models as data: what a provider offers, what it costs, how far it thinks, and which one is meant by a pattern.
//!
//! No request is made here except by [`discovery`]; the wire formats live in `provider`.

pub mod auth;
pub mod discovery;
pub mod pattern;
pub mod registry;

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

/// Context window assumed for a model that does not state one. Units: tokens.
pub const DEFAULT_CONTEXT_WINDOW: u64 = 128_000;
/// Output limit assumed for a model that does not state one. Units: tokens.
pub const DEFAULT_MAX_TOKENS: u64 = 16_384;

pub use pizzapi_protocol::ThinkingLevel;

/// The thinking level of a session that was told nothing.
pub const DEFAULT_THINKING: ThinkingLevel = ThinkingLevel::Medium;

/// The wire format a model is spoken to with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Api {
    #[serde(rename = "anthropic-messages")]
    AnthropicMessages,
    #[serde(rename = "openai-completions")]
    OpenaiCompletions,
    #[serde(rename = "openai-responses")]
    OpenaiResponses,
    /// Ollama's own format.
    #[serde(rename = "ollama-chat")]
    Ollama,
    /// The scripted offline model of [`crate::demo`].
    #[serde(rename = "demo")]
    Demo,
}

impl Api {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AnthropicMessages => "anthropic-messages",
            Self::OpenaiCompletions => "openai-completions",
            Self::OpenaiResponses => "openai-responses",
            Self::Ollama => "ollama-chat",
            Self::Demo => "demo",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InputKind {
    Text,
    Image,
}

/// Price of a million tokens, in US dollars.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Cost {
    pub input: f64,
    pub output: f64,
    pub cache_read: f64,
    pub cache_write: f64,
    /// Higher prices of large requests, ascending by `above`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<CostTier>,
}

impl Default for Cost {
    fn default() -> Self {
        Self { input: 0.0, output: 0.0, cache_read: 0.0, cache_write: 0.0, tiers: Vec::new() }
    }
}

/// Prices of requests with more than `above` input tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CostTier {
    pub above: u64,
    pub input: f64,
    pub output: f64,
    #[serde(default)]
    pub cache_read: f64,
    #[serde(default)]
    pub cache_write: f64,
}

/// How a model's thinking is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum ThinkingMode {
    /// A number of tokens per level.
    #[default]
    Budget,
    /// The model decides, steered by an effort word.
    Adaptive,
}

/// What a model calls our thinking levels. An absent level keeps its own name, an explicit null is unsupported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub struct ThinkingMap {
    #[serde(default)]
    pub mode: ThinkingMode,
    #[serde(flatten)]
    pub levels: BTreeMap<String, Option<String>>,
}

/// Where OpenAI-compatible servers differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub struct Compat {
    pub store: Option<bool>,
    pub developer_role: Option<bool>,
    pub reasoning_effort: Option<bool>,
    /// `max_tokens` or `max_completion_tokens`.
    pub max_tokens_field: Option<String>,
    pub usage_in_streaming: Option<bool>,
    pub tool_result_name: Option<bool>,
    pub assistant_after_tool_result: Option<bool>,
    pub thinking_as_text: Option<bool>,
    /// `openai`, `openrouter`, `deepseek`, `zai`, `together`, `qwen` or `chat-template`.
    pub thinking_format: Option<String>,
    /// `anthropic`: put cache markers on content blocks.
    pub cache_control: Option<String>,
    pub strict_tools: Option<bool>,
    pub session_affinity: Option<bool>,
    /// `mistral`: nine characters of letters and digits.
    pub tool_call_ids: Option<String>,
}

impl Compat {
    /// These flags, with `fallback` where none is stated.
    pub fn or(&self, fallback: &Self) -> Self {
        Self {
            store: self.store.or(fallback.store),
            developer_role: self.developer_role.or(fallback.developer_role),
            reasoning_effort: self.reasoning_effort.or(fallback.reasoning_effort),
            max_tokens_field: self.max_tokens_field.clone().or_else(|| fallback.max_tokens_field.clone()),
            usage_in_streaming: self.usage_in_streaming.or(fallback.usage_in_streaming),
            tool_result_name: self.tool_result_name.or(fallback.tool_result_name),
            assistant_after_tool_result: self.assistant_after_tool_result.or(fallback.assistant_after_tool_result),
            thinking_as_text: self.thinking_as_text.or(fallback.thinking_as_text),
            thinking_format: self.thinking_format.clone().or_else(|| fallback.thinking_format.clone()),
            cache_control: self.cache_control.clone().or_else(|| fallback.cache_control.clone()),
            strict_tools: self.strict_tools.or(fallback.strict_tools),
            session_affinity: self.session_affinity.or(fallback.session_affinity),
            tool_call_ids: self.tool_call_ids.clone().or_else(|| fallback.tool_call_ids.clone()),
        }
    }
}

/// One model of one provider: everything needed to ask it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelSpec {
    pub provider: String,
    pub id: String,
    pub name: String,
    pub api: Api,
    pub base_url: String,
    pub headers: BTreeMap<String, String>,
    pub reasoning: bool,
    pub thinking: ThinkingMap,
    pub input: Vec<InputKind>,
    pub context_window: u64,
    pub max_tokens: u64,
    /// None = unknown; shown as unknown, never as free.
    pub cost: Option<Cost>,
    pub compat: Compat,
}

impl ModelSpec {
    /// `provider/id`: how settings, hidden lists and patterns name a model.
    pub fn key(&self) -> String {
        format!("{}/{}", self.provider, self.id)
    }

    /// What a list shows of this model.
    pub fn info(&self) -> pizzapi_protocol::Model {
        pizzapi_protocol::Model {
            provider: self.provider.clone(),
            id: self.id.clone(),
            name: Some(self.name.clone()),
            reasoning: Some(self.reasoning),
            context_window: Some(self.context_window),
            thinking_levels: Some(self.thinking_levels()),
        }
    }

    pub fn accepts_images(&self) -> bool {
        self.input.contains(&InputKind::Image)
    }

    /// The levels this model can be set to, ascending.
    pub fn thinking_levels(&self) -> Vec<ThinkingLevel> {
        ThinkingLevel::ALL.iter().copied().filter(|level| self.supports(*level)).collect()
    }

    fn supports(&self, level: ThinkingLevel) -> bool {
        if !self.reasoning {
            return level == ThinkingLevel::Off;
        }
        match self.thinking.levels.get(level.as_str()) {
            Some(mapped) => mapped.is_some(),
            // The two highest exist only where the model names them.
            None => !matches!(level, ThinkingLevel::Xhigh | ThinkingLevel::Max),
        }
    }

    /// `wanted`, else the next higher supported level, else the next lower one.
    pub fn clamp_thinking(&self, wanted: ThinkingLevel) -> ThinkingLevel {
        let levels = self.thinking_levels();
        levels
            .iter()
            .find(|level| **level >= wanted)
            .or_else(|| levels.iter().rev().find(|level| **level < wanted))
            .copied()
            .unwrap_or(ThinkingLevel::Off)
    }

    /// What the provider calls `level`; None when thinking is off and has no name there.
    pub fn effort(&self, level: ThinkingLevel) -> Option<String> {
        match self.thinking.levels.get(level.as_str()) {
            Some(mapped) => mapped.clone(),
            None if level == ThinkingLevel::Off => None,
            None => Some(level.as_str().to_owned()),
        }
    }
}

/// Thinking tokens per level for models that take a budget. Units: tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ThinkingBudgets {
    pub minimal: u64,
    pub low: u64,
    pub medium: u64,
    pub high: u64,
}

impl Default for ThinkingBudgets {
    fn default() -> Self {
        Self { minimal: 1024, low: 2048, medium: 8192, high: 16_384 }
    }
}

impl ThinkingBudgets {
    pub fn tokens(&self, level: ThinkingLevel) -> u64 {
        match level {
            ThinkingLevel::Off => 0,
            ThinkingLevel::Minimal => self.minimal,
            ThinkingLevel::Low => self.low,
            ThinkingLevel::Medium => self.medium,
            ThinkingLevel::High | ThinkingLevel::Xhigh | ThinkingLevel::Max => self.high,
        }
    }
}

/// A model as written in the catalog or in `models.json`: everything but the id may be left to its provider.
#[derive(Debug, Clone, PartialEq, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub struct ModelEntry {
    pub provider: Option<String>,
    pub id: String,
    pub name: Option<String>,
    pub api: Option<Api>,
    pub base_url: Option<String>,
    pub headers: BTreeMap<String, String>,
    pub reasoning: Option<bool>,
    pub thinking: Option<ThinkingMap>,
    pub input: Option<Vec<InputKind>>,
    #[serde(deserialize_with = "positive")]
    pub context_window: Option<u64>,
    #[serde(deserialize_with = "positive")]
    pub max_tokens: Option<u64>,
    pub cost: Option<Cost>,
    pub compat: Compat,
}

fn positive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Ok(Option::<u64>::deserialize(deserializer)?.filter(|n| *n > 0))
}

/// A provider as written in the catalog or in `models.json`.
#[derive(Debug, Clone, PartialEq, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub struct ProviderEntry {
    pub name: Option<String>,
    pub api: Option<Api>,
    pub base_url: Option<String>,
    /// Variables that hold a key, first found wins.
    pub env: Vec<String>,
    /// Variables that hold a bearer token.
    pub bearer_env: Vec<String>,
    /// `models.json` only: a key, `$NAME`, `${NAME}` or `!command`.
    pub api_key: Option<String>,
    pub headers: BTreeMap<String, String>,
    /// Send the key as `Authorization: Bearer` although the format has its own header.
    pub auth_header: bool,
    pub compat: Compat,
    pub default_model: Option<String>,
    pub keyless: bool,
    /// Runs on this machine; offered only when it answers.
    pub local: bool,
    /// Never chosen by default, only when asked for.
    pub opt_in: bool,
    /// Which live listing the provider has: `ollama`, `openai`, `openrouter`.
    pub discovery: Option<String>,
    pub models: Vec<ModelEntry>,
    pub model_overrides: BTreeMap<String, ModelEntry>,
}

impl ModelEntry {
    /// Fill the gaps from the provider and the defaults.
    pub fn resolve(&self, provider_id: &str, provider: &ProviderEntry) -> Option<ModelSpec> {
        let mut headers = provider.headers.clone();
        headers.extend(self.headers.clone());
        Some(ModelSpec {
            provider: provider_id.to_owned(),
            id: self.id.clone(),
            name: self.name.clone().unwrap_or_else(|| self.id.clone()),
            api: self.api.or(provider.api)?,
            base_url: self.base_url.clone().or_else(|| provider.base_url.clone()).unwrap_or_default(),
            headers,
            reasoning: self.reasoning.unwrap_or(false),
            thinking: self.thinking.clone().unwrap_or_default(),
            input: self.input.clone().unwrap_or_else(|| vec![InputKind::Text]),
            context_window: self.context_window.unwrap_or(DEFAULT_CONTEXT_WINDOW),
            max_tokens: self.max_tokens.unwrap_or(DEFAULT_MAX_TOKENS),
            cost: self.cost.clone(),
            compat: self.compat.or(&provider.compat),
        })
    }

    /// This entry with the members `newer` states.
    pub fn merged(&self, newer: &Self) -> Self {
        let mut headers = self.headers.clone();
        headers.extend(newer.headers.clone());
        Self {
            provider: newer.provider.clone().or_else(|| self.provider.clone()),
            id: self.id.clone(),
            name: newer.name.clone().or_else(|| self.name.clone()),
            api: newer.api.or(self.api),
            base_url: newer.base_url.clone().or_else(|| self.base_url.clone()),
            headers,
            reasoning: newer.reasoning.or(self.reasoning),
            thinking: newer.thinking.clone().or_else(|| self.thinking.clone()),
            input: newer.input.clone().or_else(|| self.input.clone()),
            context_window: newer.context_window.or(self.context_window),
            max_tokens: newer.max_tokens.or(self.max_tokens),
            cost: newer.cost.clone().or_else(|| self.cost.clone()),
            compat: newer.compat.or(&self.compat),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(reasoning: bool, levels: &[(&str, Option<&str>)]) -> ModelSpec {
        let entry = ModelEntry {
            id: "m".into(),
            reasoning: Some(reasoning),
            thinking: Some(ThinkingMap {
                mode: ThinkingMode::Budget,
                levels: levels.iter().map(|(k, v)| ((*k).to_owned(), v.map(str::to_owned))).collect(),
            }),
            ..ModelEntry::default()
        };
        entry
            .resolve("p", &ProviderEntry { api: Some(Api::OpenaiCompletions), ..ProviderEntry::default() })
            .expect("the provider names its api")
    }

    #[test]
    fn a_level_is_clamped_upward_first_then_downward() {
        let no_off = model(true, &[("off", None), ("minimal", None)]);
        assert_eq!(no_off.clamp_thinking(ThinkingLevel::Off), ThinkingLevel::Low);
        assert_eq!(no_off.clamp_thinking(ThinkingLevel::Max), ThinkingLevel::High);
        assert_eq!(model(false, &[]).clamp_thinking(ThinkingLevel::High), ThinkingLevel::Off);
    }

    #[test]
    fn the_highest_levels_exist_only_where_the_model_maps_them() {
        assert!(!model(true, &[]).thinking_levels().contains(&ThinkingLevel::Xhigh));
        assert!(model(true, &[("xhigh", Some("xhigh"))]).thinking_levels().contains(&ThinkingLevel::Xhigh));
    }
}

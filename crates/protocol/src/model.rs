//! Language models as they are named in lists, heartbeats and messages.

use serde::{Deserialize, Deserializer, Serialize};
use ts_rs::TS;

use crate::json::words;

words! {
    /// How long a model may think before it answers, from not at all to as long as it likes.
    pub enum ThinkingLevel {
        Off = "off",
        Minimal = "minimal",
        Low = "low",
        Medium = "medium",
        High = "high",
        Xhigh = "xhigh",
        Max = "max",
    }
}

/// A model in a list: enough to name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ModelInfo {
    pub provider: String,
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub name: Option<String>,
}

/// A model and what it can do.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Model {
    pub provider: String,
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub name: Option<String>,
    /// Can it think before it answers?
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub reasoning: Option<bool>,
    /// Tokens that fit into one request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub context_window: Option<u64>,
    /// The thinking levels it accepts, weakest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub thinking_levels: Option<Vec<ThinkingLevel>>,
}

/// The model of a session's meta state.
pub type MetaModelInfo = Model;

impl Model {
    pub fn new(provider: impl Into<String>, id: impl Into<String>) -> Self {
        Self {
            provider: provider.into(),
            id: id.into(),
            name: None,
            reasoning: None,
            context_window: None,
            thinking_levels: None,
        }
    }

    /// `provider/id`, as preferences name models.
    pub fn key(&self) -> String {
        format!("{}/{}", self.provider, self.id)
    }

    pub fn info(&self) -> ModelInfo {
        ModelInfo { provider: self.provider.clone(), id: self.id.clone(), name: self.name.clone() }
    }

    /// Take over what `newer` says about the same model; another model replaces this one.
    pub fn merged(self, newer: Model) -> Model {
        if self.provider != newer.provider || self.id != newer.id {
            return newer;
        }
        Model {
            name: newer.name.or(self.name),
            reasoning: newer.reasoning.or(self.reasoning),
            context_window: newer.context_window.or(self.context_window),
            thinking_levels: newer.thinking_levels.or(self.thinking_levels),
            provider: newer.provider,
            id: newer.id,
        }
    }
}

impl ModelInfo {
    pub fn key(&self) -> String {
        format!("{}/{}", self.provider, self.id)
    }
}

impl From<Model> for ModelInfo {
    fn from(model: Model) -> Self {
        Self { provider: model.provider, id: model.id, name: model.name }
    }
}

/// Provider and id are trimmed and must not be empty; the id may be called `modelId`.
impl<'de> Deserialize<'de> for Model {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Loose {
            provider: String,
            #[serde(default, deserialize_with = "crate::json::lenient")]
            id: Option<String>,
            #[serde(default, deserialize_with = "crate::json::lenient")]
            model_id: Option<String>,
            #[serde(default, deserialize_with = "crate::json::lenient")]
            name: Option<String>,
            #[serde(default, deserialize_with = "crate::json::lenient")]
            reasoning: Option<bool>,
            #[serde(default, deserialize_with = "crate::json::lenient")]
            context_window: Option<f64>,
            #[serde(default, deserialize_with = "crate::json::lenient_list_opt")]
            thinking_levels: Option<Vec<ThinkingLevel>>,
        }

        let loose = Loose::deserialize(deserializer)?;
        let provider = loose.provider.trim();
        let id = [&loose.id, &loose.model_id].into_iter().flatten().map(|id| id.trim()).find(|id| !id.is_empty());
        let Some(id) = id.filter(|_| !provider.is_empty()) else {
            return Err(serde::de::Error::custom("a model needs a provider and an id"));
        };
        Ok(Self {
            provider: provider.to_owned(),
            id: id.to_owned(),
            name: loose.name,
            reasoning: loose.reasoning,
            context_window: loose.context_window.filter(|tokens| *tokens >= 0.0).map(|tokens| tokens as u64),
            thinking_levels: loose.thinking_levels,
        })
    }
}

impl<'de> Deserialize<'de> for ModelInfo {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Model::deserialize(deserializer).map(Self::from)
    }
}

/// Split `provider/id` as preferences spell models. Ids may contain slashes, providers do not.
pub fn parse_model_key(key: &str) -> Option<(&str, &str)> {
    let (provider, id) = key.trim().split_once('/')?;
    (!provider.is_empty() && !id.is_empty()).then_some((provider, id))
}

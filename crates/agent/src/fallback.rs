//! Another model when the current one is used up.

use std::sync::Arc;

use pizzapi_protocol::{Message, ModelSelectSource};

use crate::core::Core;
use crate::model::pattern;
use crate::provider::{ErrorKind, ProviderError};
use crate::queue::QueuedMessage;

/// Switch to the next configured model and give back what has to be said again. None: there is no other.
pub(crate) async fn next(core: &Arc<Core>, error: &ProviderError) -> Option<QueuedMessage> {
    let exhausted = matches!(error.kind, ErrorKind::Quota | ErrorKind::Transient);
    let names = core.settings.read().fallback_models.clone();
    if !exhausted || names.is_empty() {
        return None;
    }
    let available = core.registry.available();
    let current = core.live.lock().model.as_ref().map(|model| model.key());
    let candidates: Vec<_> = names
        .iter()
        .filter_map(|name| {
            pattern::find(&available, &name.replacen(':', "/", 1), |_| true)
                .or_else(|| pattern::find(&available, name, |_| true))
        })
        .map(|choice| choice.model)
        .collect();
    let from = candidates.iter().position(|model| Some(model.key()) == current).map_or(0, |at| at + 1);
    let chosen = {
        let mut live = core.live.lock();
        live.fallback_tried.extend(current.clone());
        let tried = &live.fallback_tried;
        candidates.iter().cycle().skip(from).take(candidates.len()).find(|model| !tried.contains(&model.key())).cloned()
    }?;
    let last_input = core.messages().into_iter().rev().find_map(|message| match message {
        Message::User(_) => Some(message.text()),
        _ => None,
    })?;
    core.warn(format!("{} failed ({}); going on with {}", current.unwrap_or_default(), error.message, chosen.name))
        .await;
    core.apply_model(chosen, ModelSelectSource::Set, false).await;
    Some(QueuedMessage::user(last_input))
}

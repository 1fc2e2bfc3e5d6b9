//! Side facts that changed after the newest snapshot, laid over it whenever it is handed out.

use pizzapi_protocol::{JsonObject, Model, RawJson};

/// Members a patch may change; everything else in it is for viewers only.
const PATCHED: [&str; 8] = [
    "model",
    "sessionName",
    "thinkingLevel",
    "availableModels",
    "availableCommands",
    "todoList",
    "queuedMessages",
    "goal",
];

/// Fold the members of `changes` into `overlay`. Returns whether anything is different now.
pub fn fold(overlay: &mut JsonObject, changes: &JsonObject) -> bool {
    let mut changed = false;
    for (key, value) in changes.iter().filter(|(key, _)| PATCHED.contains(key)) {
        let value = if key == "model" { merged_model(overlay.get("model"), value) } else { value.clone() };
        if overlay.get(key).is_none_or(|old| old.get() != value.get()) {
            overlay.insert(key, value);
            changed = true;
        }
    }
    changed
}

/// Lay `overlay` over the state of a snapshot.
pub fn apply(state: &mut JsonObject, overlay: &JsonObject) {
    for (key, value) in overlay.iter() {
        let value = if key == "model" { merged_model(state.get("model"), value) } else { value.clone() };
        state.insert(key, value);
    }
}

/// A model says more about itself at one time than at another; another model replaces it.
fn merged_model(old: Option<&RawJson>, new: &RawJson) -> RawJson {
    match (old.and_then(|old| old.to::<Model>().ok()), new.to::<Model>()) {
        (Some(old), Ok(new)) => RawJson::new(&old.merged(new)).expect("a model serialises"),
        _ => new.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> JsonObject {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_patch_that_says_nothing_new_changes_nothing() {
        let mut overlay = JsonObject::new();
        assert!(fold(&mut overlay, &object(r#"{"sessionName":"a","cwd":"/x"}"#)));
        assert!(!fold(&mut overlay, &object(r#"{"sessionName":"a","cwd":"/y"}"#)));
        assert_eq!(overlay, object(r#"{"sessionName":"a"}"#));
    }

    #[test]
    fn the_same_model_is_merged_and_another_replaces_it() {
        let mut state = object(r#"{"model":{"provider":"p","id":"m","contextWindow":5},"cwd":"/x"}"#);
        apply(&mut state, &object(r#"{"model":{"provider":"p","id":"m","name":"M"}}"#));
        assert_eq!(state, object(r#"{"model":{"provider":"p","id":"m","name":"M","contextWindow":5},"cwd":"/x"}"#));
        apply(&mut state, &object(r#"{"model":{"provider":"p","id":"n"}}"#));
        assert_eq!(state, object(r#"{"model":{"provider":"p","id":"n"},"cwd":"/x"}"#));
    }
}

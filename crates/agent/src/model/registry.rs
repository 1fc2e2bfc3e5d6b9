//! Every model the session knows, from the built-in catalog, live listings and `models.json`; later sources win.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;
use serde::Deserialize;

use super::auth::{AuthError, AuthStore, Credential};
use super::{ModelEntry, ModelSpec, ProviderEntry, pattern};

const CATALOG: &str = include_str!("catalog.json");
/// Largest `models.json` that is read. Units: bytes.
const MODELS_FILE_LIMIT: u64 = 4 * 1024 * 1024;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Catalog {
    providers: BTreeMap<String, ProviderEntry>,
    default_order: Vec<String>,
    models: Vec<ModelEntry>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ModelsFile {
    providers: BTreeMap<String, ProviderEntry>,
}

#[derive(Debug, Default)]
struct State {
    providers: BTreeMap<String, ProviderEntry>,
    file: ModelsFile,
    /// Provider → models it listed itself.
    discovered: BTreeMap<String, Vec<ModelEntry>>,
    hidden: BTreeSet<String>,
    warnings: Vec<String>,
    models: Vec<ModelSpec>,
}

/// What a person can do when no model is usable.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum NoModelOffer {
    /// Paste a key of one of these providers.
    PasteKey { providers: Vec<ProviderChoice> },
    /// A model server answers on this machine; pick one of its models.
    UseLocal { provider: String, models: Vec<String> },
    /// Install or start Ollama: none answered.
    StartOllama,
    /// The offline demonstration, which is no AI.
    Demo,
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ProviderChoice {
    pub id: String,
    pub name: String,
    pub variable: Option<String>,
}

/// Models and credentials of one process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Registry {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    auth: AuthStore,
    catalog: Catalog,
    models_path: PathBuf,
    state: RwLock<State>,
}

impl Registry {
    pub fn load(agent_dir: &Path, env: BTreeMap<String, String>) -> Self {
        let catalog: Catalog = serde_json::from_str(CATALOG).expect("the built-in catalog is checked by a test");
        let registry = Self {
            inner: Arc::new(Inner {
                auth: AuthStore::new(agent_dir.join("auth.json"), env),
                catalog,
                models_path: agent_dir.join("models.json"),
                state: RwLock::default(),
            }),
        };
        registry.reload();
        registry
    }

    pub fn auth(&self) -> &AuthStore {
        &self.inner.auth
    }

    /// Read `models.json` again. A bad file is a warning and keeps the built-in models.
    pub fn reload(&self) {
        let (file, warnings) = read_models_file(&self.inner.models_path);
        let mut state = self.inner.state.write();
        state.file = file;
        state.warnings = warnings;
        self.rebuild(&mut state);
    }

    /// Take over what a provider listed. Its entries fill gaps of the catalog and add new models.
    pub fn set_discovered(&self, provider: &str, models: Vec<ModelEntry>) {
        let mut state = self.inner.state.write();
        state.discovered.insert(provider.to_owned(), models);
        self.rebuild(&mut state);
    }

    /// `provider/id` keys that can neither be listed nor chosen.
    pub fn set_hidden(&self, hidden: impl IntoIterator<Item = String>) {
        self.inner.state.write().hidden = hidden.into_iter().collect();
    }

    pub fn is_hidden(&self, model: &ModelSpec) -> bool {
        self.inner.state.read().hidden.contains(&model.key())
    }

    pub fn warnings(&self) -> Vec<String> {
        self.inner.state.read().warnings.clone()
    }

    fn rebuild(&self, state: &mut State) {
        let catalog = &self.inner.catalog;
        let mut providers = catalog.providers.clone();
        if let (Some(host), Some(ollama)) = (self.inner.auth.variable("OLLAMA_HOST"), providers.get_mut("ollama")) {
            ollama.base_url = Some(if host.contains("://") { host } else { format!("http://{host}") });
        }
        for (id, custom) in &state.file.providers {
            let known = providers.entry(id.clone()).or_default();
            *known = merge_provider(known, custom);
        }
        let mut entries: BTreeMap<String, Vec<ModelEntry>> = BTreeMap::new();
        for entry in &catalog.models {
            if let Some(provider) = &entry.provider {
                entries.entry(provider.clone()).or_default().push(entry.clone());
            }
        }
        for (provider, listed) in &state.discovered {
            let known = entries.entry(provider.clone()).or_default();
            for entry in listed {
                match known.iter_mut().find(|k| k.id == entry.id) {
                    // What we know by hand is more exact than a listing.
                    Some(existing) => *existing = entry.merged(existing),
                    None => known.push(entry.clone()),
                }
            }
        }
        for (provider, custom) in &state.file.providers {
            let known = entries.entry(provider.clone()).or_default();
            for entry in &custom.models {
                match known.iter_mut().find(|k| k.id == entry.id) {
                    Some(existing) => *existing = existing.merged(entry),
                    None => known.push(entry.clone()),
                }
            }
            for (id, entry) in &custom.model_overrides {
                if let Some(existing) = known.iter_mut().find(|k| k.id == *id) {
                    *existing = existing.merged(entry);
                }
            }
        }
        let mut models: Vec<ModelSpec> = Vec::new();
        for (id, entries) in &entries {
            let Some(provider) = providers.get(id) else { continue };
            for entry in entries {
                match entry.resolve(id, provider) {
                    Some(model) => models.push(model),
                    None => state.warnings.push(format!("models.json: {id}/{} names no `api`", entry.id)),
                }
            }
        }
        models.sort_by_key(|model| (model.provider.clone(), model.id.clone()));
        state.providers = providers;
        state.models = models;
    }

    pub fn provider(&self, id: &str) -> Option<ProviderEntry> {
        self.inner.state.read().providers.get(id).cloned()
    }

    pub fn provider_ids(&self) -> Vec<String> {
        self.inner.state.read().providers.keys().cloned().collect()
    }

    /// Every visible model, usable or not, sorted by provider and id.
    pub fn all(&self) -> Vec<ModelSpec> {
        let state = self.inner.state.read();
        state.models.iter().filter(|m| !state.hidden.contains(&m.key())).cloned().collect()
    }

    /// Visible models whose provider has a credential (or needs none and answered).
    pub fn available(&self) -> Vec<ModelSpec> {
        let state = self.inner.state.read();
        let usable: BTreeMap<&String, bool> =
            state.providers.iter().map(|(id, provider)| (id, self.usable(&state, id, provider))).collect();
        state
            .models
            .iter()
            .filter(|m| !state.hidden.contains(&m.key()) && usable.get(&m.provider).copied().unwrap_or(false))
            .cloned()
            .collect()
    }

    fn usable(&self, state: &State, id: &str, provider: &ProviderEntry) -> bool {
        if provider.opt_in {
            return false;
        }
        if provider.local {
            return state.discovered.get(id).is_some_and(|listed| !listed.is_empty())
                || state.file.providers.contains_key(id);
        }
        self.inner.auth.is_configured(id, provider)
    }

    pub fn has_credentials(&self, provider: &str) -> bool {
        let state = self.inner.state.read();
        state
            .providers
            .get(provider)
            .is_some_and(|entry| if entry.keyless { true } else { self.inner.auth.is_configured(provider, entry) })
    }

    /// Exact look-up, hidden models included: the caller says why a hidden one is refused.
    pub fn get(&self, provider: &str, id: &str) -> Option<ModelSpec> {
        self.inner.state.read().models.iter().find(|m| m.provider == provider && m.id == id).cloned()
    }

    /// A model of a known provider that no list names: taken as it is, with the provider's defaults.
    pub fn invent(&self, provider: &str, id: &str) -> Option<ModelSpec> {
        let entry = self.provider(provider)?;
        ModelEntry { id: id.to_owned(), ..ModelEntry::default() }.resolve(provider, &entry)
    }

    /// The model a pattern means: available ones first, then any visible one.
    pub fn find(&self, pattern: &str) -> Option<pattern::Choice> {
        let available = self.available();
        let keys: BTreeSet<String> = available.iter().map(ModelSpec::key).collect();
        let all = self.all();
        // An exact name is meant even when its provider has no key: the error then says so.
        let (name, _) = pattern::split_level(pattern.trim());
        let exact = all.iter().any(|m| m.key().eq_ignore_ascii_case(name));
        if exact {
            return pattern::find(&all, pattern, |_| true);
        }
        pattern::find(&available, pattern, |_| true)
            .or_else(|| pattern::find(&all, pattern, |m| keys.contains(&m.key())))
    }

    /// The first usable default, in the order the catalog states, else the first usable model.
    pub fn default_model(&self) -> Option<ModelSpec> {
        let available = self.available();
        let state = self.inner.state.read();
        for id in &self.inner.catalog.default_order {
            let Some(provider) = state.providers.get(id) else { continue };
            let mut of_provider = available.iter().filter(|m| m.provider == *id);
            let by_name = provider
                .default_model
                .as_ref()
                .and_then(|wanted| available.iter().find(|m| m.provider == *id && m.id == *wanted));
            if let Some(model) = by_name.or_else(|| of_provider.next()) {
                return Some(model.clone());
            }
        }
        available.into_iter().next()
    }

    /// The key for a model's provider. Blocking: may run a key command.
    pub fn credential(&self, provider: &str) -> Result<Credential, AuthError> {
        let entry = self.provider(provider).ok_or_else(|| AuthError::Missing {
            provider: provider.to_owned(),
            variable: "a provider of models.json".into(),
        })?;
        self.inner.auth.resolve(provider, &entry)
    }

    /// What to offer when nothing is usable.
    pub fn offers(&self) -> Vec<NoModelOffer> {
        let state = self.inner.state.read();
        let mut offers = Vec::new();
        let mut local = false;
        for (id, provider) in state.providers.iter().filter(|(_, p)| p.local) {
            if let Some(listed) = state.discovered.get(id).filter(|listed| !listed.is_empty()) {
                local |= !provider.opt_in;
                offers.push(NoModelOffer::UseLocal {
                    provider: id.clone(),
                    models: listed.iter().map(|m| m.id.clone()).collect(),
                });
            }
        }
        let choices = self
            .inner
            .catalog
            .default_order
            .iter()
            .filter_map(|id| state.providers.get(id).map(|p| (id, p)))
            .filter(|(_, p)| !p.keyless)
            .map(|(id, p)| ProviderChoice {
                id: id.clone(),
                name: p.name.clone().unwrap_or_else(|| id.clone()),
                variable: p.env.first().cloned(),
            })
            .collect();
        offers.push(NoModelOffer::PasteKey { providers: choices });
        if !local {
            offers.push(NoModelOffer::StartOllama);
        }
        offers.push(NoModelOffer::Demo);
        offers
    }
}

fn merge_provider(known: &ProviderEntry, custom: &ProviderEntry) -> ProviderEntry {
    let mut headers = known.headers.clone();
    headers.extend(custom.headers.clone());
    ProviderEntry {
        name: custom.name.clone().or_else(|| known.name.clone()),
        api: custom.api.or(known.api),
        base_url: custom.base_url.clone().or_else(|| known.base_url.clone()),
        env: if custom.env.is_empty() { known.env.clone() } else { custom.env.clone() },
        bearer_env: if custom.bearer_env.is_empty() { known.bearer_env.clone() } else { custom.bearer_env.clone() },
        api_key: custom.api_key.clone().or_else(|| known.api_key.clone()),
        headers,
        auth_header: custom.auth_header || known.auth_header,
        compat: custom.compat.or(&known.compat),
        default_model: custom.default_model.clone().or_else(|| known.default_model.clone()),
        keyless: custom.keyless || known.keyless,
        local: known.local,
        opt_in: known.opt_in,
        discovery: custom.discovery.clone().or_else(|| known.discovery.clone()),
        models: Vec::new(),
        model_overrides: BTreeMap::new(),
    }
}

fn read_models_file(path: &Path) -> (ModelsFile, Vec<String>) {
    let size = match std::fs::metadata(path) {
        Ok(meta) => meta.len(),
        Err(_) => return (ModelsFile::default(), Vec::new()),
    };
    let bad = |reason: String| (ModelsFile::default(), vec![format!("`{}` was ignored: {reason}", path.display())]);
    if size > MODELS_FILE_LIMIT {
        return bad(format!("larger than {MODELS_FILE_LIMIT} bytes"));
    }
    match std::fs::read_to_string(path) {
        Ok(text) => match serde_json::from_str(&text) {
            Ok(file) => (file, Vec::new()),
            Err(error) => bad(error.to_string()),
        },
        Err(error) => bad(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry(dir: &Path, env: &[(&str, &str)]) -> Registry {
        Registry::load(dir, env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn the_built_in_catalog_is_complete_and_its_defaults_exist() {
        let dir = tempfile::tempdir().expect("temp dir");
        let registry = registry(dir.path(), &[]);
        for (id, provider) in &registry.inner.catalog.providers {
            assert!(provider.api.is_some(), "{id} names no api");
            if let Some(model) = &provider.default_model {
                assert!(registry.get(id, model).is_some(), "{id}/{model} is not in the catalog");
            }
        }
        assert!(registry.available().is_empty(), "nothing is usable without keys: the demo must be asked for");
        assert!(matches!(registry.offers().last(), Some(NoModelOffer::Demo)));
    }

    #[test]
    fn a_key_makes_its_provider_available_and_gives_a_default() {
        let dir = tempfile::tempdir().expect("temp dir");
        let registry = registry(dir.path(), &[("OPENAI_API_KEY", "k"), ("ANTHROPIC_API_KEY", "k")]);
        assert_eq!(registry.default_model().map(|m| m.key()).as_deref(), Some("anthropic/claude-opus-4-8"));
        assert_eq!(registry.find("haiku").map(|c| c.model.key()).as_deref(), Some("anthropic/claude-haiku-4-5"));
    }

    #[test]
    fn models_json_adds_a_provider_and_overrides_by_id_and_a_bad_file_is_a_warning() {
        let dir = tempfile::tempdir().expect("temp dir");
        std::fs::write(
            dir.path().join("models.json"),
            r#"{"providers":{"mine":{"baseUrl":"http://127.0.0.1:1/v1","api":"openai-completions","apiKey":"x",
                "models":[{"id":"m"}]},
               "anthropic":{"modelOverrides":{"claude-haiku-4-5":{"contextWindow":1000}}}}}"#,
        )
        .expect("written");
        let registry = registry(dir.path(), &[]);
        let mine = registry.get("mine", "m").expect("added");
        assert_eq!((mine.context_window, mine.max_tokens), (128_000, 16_384));
        assert_eq!(registry.get("anthropic", "claude-haiku-4-5").expect("known").context_window, 1000);
        std::fs::write(dir.path().join("models.json"), "{").expect("written");
        registry.reload();
        assert_eq!(registry.warnings().len(), 1);
        assert!(registry.get("mine", "m").is_none());
    }

    #[test]
    fn hidden_models_are_neither_listed_nor_found() {
        let dir = tempfile::tempdir().expect("temp dir");
        let registry = registry(dir.path(), &[("ANTHROPIC_API_KEY", "k")]);
        registry.set_hidden(["anthropic/claude-haiku-4-5".to_owned()]);
        assert!(registry.find("haiku").is_none());
        assert!(registry.all().iter().all(|m| m.id != "claude-haiku-4-5"));
    }
}

//! What the runner needs to know about models and logins of this machine, answered with the agent's own registry.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use parking_lot::Mutex;
use pizzapi_agent::model::registry::Registry;
use pizzapi_protocol::Model;
use pizzapi_runner::AgentHost;
use pizzapi_runner::services::{Failure, Reply};
use serde_json::{Value, json};

use super::{Program, auth, models};

/// A login that nobody finished is forgotten after this.
const LOGIN_LIFETIME: Duration = Duration::from_secs(10 * 60);
/// Ended logins stay readable this long.
const RESULT_LIFETIME: Duration = Duration::from_secs(2 * 60);

struct Login {
    id: String,
    provider: String,
    since: Instant,
    /// The last step when it has ended.
    ended: Option<(Instant, Value)>,
}

pub struct MachineHost {
    program: Program,
    login: Mutex<Option<Login>>,
}

impl MachineHost {
    pub fn shared(program: &Program) -> Arc<dyn AgentHost> {
        Arc::new(Self { program: program.clone(), login: Mutex::new(None) })
    }

    fn registry(&self) -> Registry {
        Registry::load(self.program.agent_dir(), self.program.environment())
    }

    /// Runs `step` on the login with this id.
    fn with_login(&self, id: &str, step: impl FnOnce(&mut Login) -> Reply) -> Reply {
        let mut login = self.login.lock();
        let known = login.as_mut().filter(|login| login.id == id);
        let Some(login) = known else { return Err(Failure::new("this login is over")) };
        if let Some((at, result)) = &login.ended
            && at.elapsed() < RESULT_LIFETIME
        {
            return Ok(json!({ "step": result }));
        }
        if login.since.elapsed() >= LOGIN_LIFETIME {
            return Err(Failure::new("this login took too long: start it again"));
        }
        step(login)
    }
}

fn failure(error: impl std::fmt::Display) -> Failure {
    Failure::new(error.to_string())
}

fn key_prompt(login: &Login, name: &str) -> Value {
    json!({ "step": {
        "state": "prompt",
        "loginId": login.id,
        "prompt": { "type": "secret", "message": format!("API key for {name}"), "placeholder": "paste the key" },
    } })
}

#[async_trait]
impl AgentHost for MachineHost {
    async fn models(&self) -> Result<Vec<Model>, Failure> {
        let (_, models) = models::usable(&self.program).await.map_err(failure)?;
        Ok(models.iter().map(|model| model.info()).collect())
    }

    async fn usage(&self, range: &str) -> Result<Value, Failure> {
        let range = range.to_owned();
        let sessions = self.program.config.agent_dir.sessions();
        tokio::task::spawn_blocking(move || super::usage::collect(&sessions, &range)).await.map_err(failure)
    }

    async fn analyze(&self, _session_id: &str, transcript: Option<PathBuf>) -> Result<Value, Failure> {
        let Some(path) = transcript else { return Err(Failure::new("no transcript of this session is known here")) };
        tokio::task::spawn_blocking(move || super::usage::analyze(&path)).await.map_err(failure)?.map_err(failure)
    }

    async fn auth_list(&self) -> Reply {
        let registry = self.registry();
        let providers: Vec<Value> = auth::providers(&registry)
            .into_iter()
            .map(|(id, name, _)| {
                let configured = registry.has_credentials(&id);
                json!({ "id": id, "name": name, "types": ["api_key"], "configured": configured })
            })
            .collect();
        Ok(json!({ "providers": providers }))
    }

    async fn auth_login_start(&self, provider: &str, api_key: bool) -> Reply {
        let registry = self.registry();
        let Some((id, name, _)) = auth::providers(&registry).into_iter().find(|(id, ..)| id == provider) else {
            return Err(Failure::new(format!("`{provider}` has no login here")));
        };
        if !api_key {
            return Err(Failure::new(format!("{name} is used with an API key here, not with a subscription login")));
        }
        let login = Login { id: uuid::Uuid::new_v4().to_string(), provider: id, since: Instant::now(), ended: None };
        let prompt = key_prompt(&login, &name);
        // One at a time: a new login takes the place of the old one.
        *self.login.lock() = Some(login);
        Ok(prompt)
    }

    async fn auth_login_submit(&self, login: &str, value: &str) -> Reply {
        let registry = self.registry();
        self.with_login(login, |login| {
            let key = value.trim();
            if key.is_empty() {
                return Ok(key_prompt(login, &login.provider));
            }
            let step = match registry.auth().save_api_key(&login.provider, key) {
                Ok(()) => json!({ "state": "done", "providerId": login.provider }),
                Err(error) => json!({ "state": "error", "message": error.to_string() }),
            };
            login.ended = Some((Instant::now(), step.clone()));
            Ok(json!({ "step": step }))
        })
    }

    async fn auth_login_status(&self, login: &str) -> Reply {
        self.with_login(login, |login| Ok(key_prompt(login, &login.provider)))
    }

    async fn auth_login_cancel(&self, login: &str) -> Reply {
        let mut current = self.login.lock();
        if current.as_ref().is_some_and(|known| known.id == login) {
            *current = None;
        }
        Ok(json!({}))
    }
}

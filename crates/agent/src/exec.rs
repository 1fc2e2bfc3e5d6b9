//! Remote commands (`exec`) that are the agent's own.

use pizzapi_protocol::ThinkingLevel;
use serde_json::{Value, json};

use crate::core::Core;
use crate::op::SessionQuery;

/// The answer to a remote command.
#[derive(Debug, Clone, PartialEq)]
pub enum ExecReply {
    Ok(Option<Value>),
    Error(String),
    /// Not the agent's: restart, end_session, plugin trust, usage …
    NotMine,
}

impl Core {
    pub(crate) async fn exec(&self, command: &str, arguments: &Value) -> ExecReply {
        match self.exec_inner(command, arguments).await {
            Some(Ok(result)) => ExecReply::Ok(result),
            Some(Err(error)) => ExecReply::Error(error),
            None => ExecReply::NotMine,
        }
    }

    async fn exec_inner(&self, command: &str, arguments: &Value) -> Option<Result<Option<Value>, String>> {
        let text = |key: &str| arguments.get(key).and_then(Value::as_str).map(str::to_owned);
        let fail = |error: crate::op::OpError| error.to_string();
        Some(match command {
            "get_commands" => Ok(Some(json!({ "commands": self.commands() }))),
            "mcp" => self.exec_mcp(text("action").as_deref().unwrap_or("status")).await.map(Some),
            "mcp_toggle_server" => {
                let disabled = arguments.get("disabled").and_then(Value::as_bool).unwrap_or(true);
                match text("serverName") {
                    Some(name) => self.mcp_toggle(&name, disabled).await.map(Some),
                    None => Err("Missing serverName".into()),
                }
            }
            "background_bash" => {
                self.background_bash().map(|titles| Some(json!({ "backgrounded": titles }))).map_err(fail)
            }
            "abort" => {
                self.abort().await;
                Ok(None)
            }
            "set_model" => match text("provider").zip(text("modelId")) {
                Some((provider, id)) => self.select_model(&provider, &id, true).await.map(|_| None).map_err(fail),
                None => Err("Missing provider or modelId".into()),
            },
            "cycle_model" => self.cycle_model(true).await.map(|model| Some(json!(model))).map_err(fail),
            "get_available_models" => {
                let models: Vec<_> = self.registry.available().iter().map(crate::model::ModelSpec::info).collect();
                Ok(Some(json!({ "models": models })))
            }
            "set_thinking_level" => match text("level") {
                None => Err("Missing level".into()),
                Some(level) => match ThinkingLevel::from_word(&level) {
                    Some(level) => {
                        self.set_thinking(level).await.map(|l| Some(json!({ "thinkingLevel": l }))).map_err(fail)
                    }
                    None => Err(format!("Unknown thinking level: {level}")),
                },
            },
            "cycle_thinking_level" => {
                self.cycle_thinking().await.map(|level| Some(json!({ "thinkingLevel": level }))).map_err(fail)
            }
            "set_steering_mode" | "set_follow_up_mode" => {
                Err(format!("{command} is not supported by the PizzaPi runner yet"))
            }
            "set_queued_messages" => match arguments.get("messages").and_then(Value::as_array) {
                None => Err("Missing messages".into()),
                Some(list) => {
                    let texts = list.iter().filter_map(Value::as_str).map(str::to_owned).collect();
                    self.set_queued_messages(texts)
                        .await
                        .map(|texts| Some(json!({ "queuedMessages": texts })))
                        .map_err(|error| format!("Failed to update queued messages: {error}"))
                }
            },
            "set_plan_mode" => {
                let now = self.live.lock().plan_mode;
                let enabled = arguments.get("enabled").and_then(Value::as_bool).unwrap_or(!now);
                self.set_plan_mode(enabled).await;
                Ok(Some(json!({ "planModeEnabled": enabled })))
            }
            "compact" => self.compact(text("customInstructions")).await.map(|result| Some(json!(result))).map_err(fail),
            "set_session_name" => {
                let name = self.rename(&text("name").unwrap_or_default()).await;
                Ok(Some(json!({ "sessionName": name })))
            }
            "get_last_assistant_text" => Ok(Some(json!({ "text": self.last_assistant_text() }))),
            "get_fork_messages" => Ok(Some(json!({ "messages": self.fork_messages() }))),
            "fork" => match text("entryId").filter(|id| !id.is_empty()) {
                Some(id) => self.fork(&id).await.map(|text| Some(json!({ "text": text }))).map_err(fail),
                None => Err("Missing entryId".into()),
            },
            "list_resume_sessions" => {
                let limit = arguments.get("limit").and_then(Value::as_u64).map(|limit| limit as usize);
                let page = self.list_sessions(SessionQuery { limit, cursor: text("cursor"), directory: None }).await;
                Ok(Some(json!(page)))
            }
            "resume_session" => {
                let target = text("sessionPath").or_else(|| text("query")).unwrap_or_default();
                match self.resume(&target).await {
                    // A query that fits nothing means the newest.
                    Err(crate::op::OpError::NoSession(_)) if text("sessionPath").is_none() => self.resume("").await,
                    result => result,
                }
                .map(|session| Some(json!({ "session": session })))
                .map_err(fail)
            }
            "new_session" => self.new_session().await.map(|()| None).map_err(fail),
            "refresh_usage" => Ok(Some(json!({ "providerUsage": {}, "refreshedAt": crate::clock::now_ms() }))),
            "sandbox_get_status" => Ok(Some(self.sandbox_status())),
            "sandbox_update_config" => self.sandbox_update(arguments.get("config")).await.map(Some),
            "plugin_trust_response" => Err("No pending plugin trust prompt (may have expired)".into()),
            "export_html" => Err("export_html is not implemented for remote exec yet".into()),
            _ => return None,
        })
    }

    /// Commands of this agent run without a sandbox; the rules that ask for permission are all there is, and this says so.
    fn sandbox_status(&self) -> Value {
        let config = self.sandbox_config();
        json!({
            "mode": config.get("mode").and_then(Value::as_str).unwrap_or("none"),
            "active": false,
            "platform": std::env::consts::OS,
            "violations": 0,
            "recentViolations": [],
            "config": config,
        })
    }

    fn sandbox_config(&self) -> Value {
        let file = pizzapi_config::read_object(&self.config().agent_dir.join("config.json")).ok().flatten();
        file.and_then(|file| file.get("sandbox").cloned()).filter(Value::is_object).unwrap_or_else(|| json!({}))
    }

    async fn sandbox_update(&self, change: Option<&Value>) -> Result<Value, String> {
        let Some(Value::Object(change)) = change.cloned() else { return Err("Invalid sandbox config body".into()) };
        if let Some(mode) = change.get("mode").and_then(Value::as_str)
            && !matches!(mode, "none" | "basic" | "full")
        {
            return Err(format!("Invalid mode \"{mode}\". Valid values: none, basic, full"));
        }
        let path = self.config().agent_dir.join("config.json");
        let saved = tokio::task::spawn_blocking(move || {
            pizzapi_config::update_object(&path, |file| {
                let mut sandbox = file.get("sandbox").and_then(Value::as_object).cloned().unwrap_or_default();
                for (key, value) in change {
                    if value.is_null() {
                        sandbox.remove(&key);
                    } else {
                        sandbox.insert(key, value);
                    }
                }
                file.insert("sandbox".into(), Value::Object(sandbox));
            })
        });
        saved.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        Ok(json!({
            "saved": true,
            "resolvedConfig": self.sandbox_config(),
            "message": "Changes will apply on next session start.",
        }))
    }
}

//! Tools with which an agent speaks to other sessions: they exist before the link does, and say so when it is away.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use pizzapi_agent::Tool;
use pizzapi_agent::provider::ToolSpec;
use pizzapi_agent::tool::{Call, Effect, Failure, Output};
use pizzapi_protocol::{SessionId, TriggerId};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

/// Spawning waits for the process, firing for the relay.
const HTTP_TIMEOUT: Duration = Duration::from_secs(30);
/// Longer than any acknowledgement that is waited for on the way.
const ORDER_TIMEOUT: Duration = Duration::from_secs(20);

type Reply = oneshot::Sender<Result<String, String>>;

/// What a tool wants of the link.
#[derive(Debug)]
pub(super) enum Order {
    Tell { target: SessionId, text: String, reply: Reply },
    Respond { id: TriggerId, response: String, action: Option<String>, reply: Reply },
    Escalate { id: TriggerId, context: String, reply: Reply },
}

/// Where the link can be reached, once there is one.
#[derive(Debug, Clone)]
pub(super) struct Bound {
    pub http_url: String,
    pub api_key: String,
    pub session_id: SessionId,
    pub orders: mpsc::Sender<Order>,
}

/// The tools, and the cord that ties them to a link later. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Toolbox {
    bound: Arc<Mutex<Option<Bound>>>,
    /// Says which runner serves this machine.
    runner_file: PathBuf,
}

impl Toolbox {
    /// `runner_file`: where the runner of this machine keeps its identity.
    pub fn new(runner_file: impl Into<PathBuf>) -> Self {
        Self { bound: Arc::default(), runner_file: runner_file.into() }
    }

    /// For [`pizzapi_agent::AgentConfig::extra_tools`].
    pub fn tools(&self) -> Vec<Arc<dyn Tool>> {
        [Kind::Spawn, Kind::Tell, Kind::Respond, Kind::Escalate, Kind::Fire]
            .map(|kind| Arc::new(SessionTool { kind, toolbox: self.clone() }) as Arc<dyn Tool>)
            .to_vec()
    }

    pub(super) fn bind(&self, bound: Option<Bound>) {
        *self.bound.lock() = bound;
    }

    fn bound(&self) -> Result<Bound, Failure> {
        let bound = self.bound.lock().clone();
        bound.ok_or_else(|| Failure::new("this session is not connected to a relay"))
    }

    async fn order(&self, make: impl FnOnce(Reply) -> Order) -> Result<Output, Failure> {
        let (reply, answer) = oneshot::channel();
        let gone = || Failure::new("this session is not connected to a relay");
        self.bound()?.orders.send(make(reply)).await.map_err(|_| gone())?;
        match tokio::time::timeout(ORDER_TIMEOUT, answer).await {
            Ok(Ok(Ok(text))) => Ok(Output::text(text)),
            Ok(Ok(Err(error))) => Err(Failure::new(error)),
            Ok(Err(_)) => Err(gone()),
            Err(_) => Err(Failure::new("the relay did not answer in time")),
        }
    }

    fn own_runner(&self) -> Option<String> {
        let state: Value = serde_json::from_slice(&std::fs::read(&self.runner_file).ok()?).ok()?;
        state["runnerId"].as_str().filter(|id| !id.is_empty()).map(str::to_owned)
    }

    async fn post(&self, path: &[&str], body: Value) -> Result<Value, Failure> {
        let bound = self.bound()?;
        let failed = |error: &dyn std::fmt::Display| Failure::new(format!("failed to reach the relay: {error}"));
        // A second installation of the same provider changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().timeout(HTTP_TIMEOUT).build().map_err(|error| failed(&error))?;
        let mut url = url::Url::parse(&bound.http_url).map_err(|error| failed(&error))?;
        url.path_segments_mut().map_err(|()| failed(&"its address has no path"))?.pop_if_empty().extend(path);
        let request = client.post(url).header("x-api-key", &bound.api_key).json(&body);
        let response = request.send().await.map_err(|error| failed(&error))?;
        let status = response.status();
        let answer: Value = response.json().await.unwrap_or(Value::Null);
        if status.is_success() {
            return Ok(answer);
        }
        let reason = answer["error"].as_str().or(answer["message"].as_str()).unwrap_or("no reason given");
        Err(Failure::new(format!("the relay refused ({status}): {reason}")))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Spawn,
    Tell,
    Respond,
    Escalate,
    Fire,
}

struct SessionTool {
    kind: Kind,
    toolbox: Toolbox,
}

fn object(properties: Value, required: &[&str]) -> Value {
    json!({ "type": "object", "properties": properties, "required": required })
}

fn text_argument(arguments: &Value, name: &str) -> Option<String> {
    arguments[name].as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn needed(arguments: &Value, name: &str) -> Result<String, Failure> {
    text_argument(arguments, name).ok_or_else(|| Failure::new(format!("`{name}` is required and must not be empty")))
}

#[async_trait]
impl Tool for SessionTool {
    fn spec(&self) -> ToolSpec {
        let text = |about: &str| json!({ "type": "string", "description": about });
        let (name, description, parameters) = match self.kind {
            Kind::Spawn => (
                "spawn_session",
                "Start another agent session that works on its own, as a child of this one. It tells you when it is done or has a question.",
                object(
                    json!({
                        "prompt": text("What the session is to do. It knows nothing of this conversation."),
                        "cwd": text("Its working directory; this session's by default."),
                        "model": object(json!({ "provider": text("Provider."), "id": text("Model.") }), &["provider", "id"]),
                        "runnerId": text("The machine; this one by default."),
                    }),
                    &["prompt"],
                ),
            ),
            Kind::Tell => (
                "tell_child",
                "Say something to a child session, as if its user had typed it.",
                object(
                    json!({ "sessionId": text("The child."), "message": text("The words.") }),
                    &["sessionId", "message"],
                ),
            ),
            Kind::Respond => (
                "respond_to_trigger",
                "Answer a trigger of a child session. For a session that is done: action followUp gives it more work, everything else ends it.",
                object(
                    json!({
                        "triggerId": text("As given in the trigger."),
                        "response": text("The answer, or the next task."),
                        "action": { "type": "string", "enum": ["approve", "cancel", "ack", "followUp", "edit"] },
                    }),
                    &["triggerId", "response"],
                ),
            ),
            Kind::Escalate => (
                "escalate_trigger",
                "Show a trigger to the user because you cannot answer it. It stays open until somebody answers.",
                object(
                    json!({ "triggerId": text("As given in the trigger."), "context": text("What the user should know.") }),
                    &["triggerId"],
                ),
            ),
            Kind::Fire => (
                "fire_trigger",
                "Tell any session of the same user that something happened.",
                object(
                    json!({
                        "sessionId": text("The session."),
                        "type": text("What happened, such as `build:failed`."),
                        "payload": { "type": "object", "description": "Details." },
                        "deliverAs": { "type": "string", "enum": ["steer", "followUp"] },
                    }),
                    &["sessionId", "type"],
                ),
            ),
        };
        ToolSpec { name: name.into(), description: description.into(), parameters }
    }

    fn summary(&self) -> String {
        match self.kind {
            Kind::Spawn => "start another agent session",
            Kind::Tell => "speak to a child session",
            Kind::Respond => "answer a child session",
            Kind::Escalate => "pass a child's question on to the user",
            Kind::Fire => "tell another session that something happened",
        }
        .to_owned()
    }

    fn effect(&self) -> Effect {
        match self.kind {
            // A new process with tools of its own is for the user to allow.
            Kind::Spawn => Effect::Outside,
            Kind::Tell | Kind::Respond | Kind::Escalate | Kind::Fire => Effect::Talk,
        }
    }

    async fn run(&self, call: Call) -> Result<Output, Failure> {
        let arguments = &call.arguments;
        match self.kind {
            Kind::Spawn => {
                let runner = text_argument(arguments, "runnerId").or_else(|| self.toolbox.own_runner());
                let Some(runner) = runner else {
                    return Err(Failure::new("no runner serves this machine: give `runnerId`"));
                };
                let cwd = text_argument(arguments, "cwd").unwrap_or_else(|| call.cwd.display().to_string());
                let mut body = json!({
                    "runnerId": runner, "cwd": cwd, "prompt": needed(arguments, "prompt")?,
                    "parentSessionId": self.toolbox.bound()?.session_id,
                });
                if arguments["model"].is_object() {
                    body["model"] = arguments["model"].clone();
                }
                let answer = self.toolbox.post(&["api", "runners", "spawn"], body).await?;
                let id = answer["sessionId"].as_str().unwrap_or_default().to_owned();
                let url = format!("{}/session/{id}", self.toolbox.bound()?.http_url);
                let state = if answer["pending"] == true { "is starting" } else { "runs" };
                let text = format!("Session {id} {state}: {url}\nYou are told when it is done or asks something.");
                Ok(Output::text(text)
                    .with_details(json!({ "sessionId": id, "url": url, "pending": answer["pending"] })))
            }
            Kind::Tell => {
                let target = SessionId::from(needed(arguments, "sessionId")?);
                let text = needed(arguments, "message")?;
                self.toolbox.order(|reply| Order::Tell { target, text, reply }).await
            }
            Kind::Respond => {
                let id = TriggerId::from(needed(arguments, "triggerId")?);
                let action = text_argument(arguments, "action");
                let response = text_argument(arguments, "response").unwrap_or_default();
                if response.is_empty() && action.is_none() {
                    return Err(Failure::new("`response` or `action` is required"));
                }
                self.toolbox.order(|reply| Order::Respond { id, response, action, reply }).await
            }
            Kind::Escalate => {
                let id = TriggerId::from(needed(arguments, "triggerId")?);
                let context = text_argument(arguments, "context").unwrap_or_default();
                self.toolbox.order(|reply| Order::Escalate { id, context, reply }).await
            }
            Kind::Fire => {
                let target = needed(arguments, "sessionId")?;
                let payload = if arguments["payload"].is_object() { arguments["payload"].clone() } else { json!({}) };
                let body = json!({
                    "type": needed(arguments, "type")?, "payload": payload, "source": "agent",
                    "deliverAs": text_argument(arguments, "deliverAs").unwrap_or_else(|| "steer".to_owned()),
                });
                let answer = self.toolbox.post(&["api", "sessions", &target, "trigger"], body).await?;
                let id = answer["triggerId"].as_str().unwrap_or_default();
                Ok(Output::text(format!("Session {target} was told (trigger {id}).")))
            }
        }
    }
}

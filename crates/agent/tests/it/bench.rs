//! A folder, a scripted model and an agent that uses both.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pizzapi_agent::{Accepted, Agent, AgentConfig, AgentHandle, Host, Local, Outcome, Output, Prompt, Subscription};
use pizzapi_protocol::{AgentEvent, Message};
use pizzapi_testkit::model::ScriptedModel;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Longest wait for anything; tests that reach it fail with what was seen.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Bench {
    pub model: ScriptedModel,
    dir: TempDir,
}

impl Bench {
    pub async fn new() -> Self {
        let bench = Self {
            model: ScriptedModel::start().await.expect("a free port"),
            dir: tempfile::tempdir().expect("temp dir"),
        };
        std::fs::create_dir_all(bench.cwd()).expect("made");
        std::fs::create_dir_all(bench.home()).expect("made");
        bench.settings(json!({}));
        let provider = |api: &str, base: String| {
            json!({
                "api": api, "baseUrl": base, "apiKey": "key",
                "models": [{
                    "id": "m", "reasoning": true, "input": ["text", "image"], "contextWindow": 100_000, "maxTokens": 8_000,
                    "cost": { "input": 1.0, "output": 2.0 }
                }]
            })
        };
        let url = bench.model.url();
        let models = json!({ "providers": {
            "anthro": provider("anthropic-messages", url.clone()),
            "chat": provider("openai-completions", format!("{url}/v1")),
            "resp": provider("openai-responses", format!("{url}/v1")),
        }});
        std::fs::write(bench.home().join("models.json"), models.to_string()).expect("written");
        bench
    }

    pub fn cwd(&self) -> PathBuf {
        self.dir.path().join("project")
    }

    pub fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    /// Settings of the user, with short retry waits.
    pub fn settings(&self, more: Value) {
        let mut settings = json!({ "retry": { "baseDelayMs": 1 } });
        for (key, value) in more.as_object().expect("an object") {
            settings[key] = value.clone();
        }
        std::fs::write(self.home().join("settings.json"), settings.to_string()).expect("written");
    }

    pub fn config(&self) -> AgentConfig {
        let env: BTreeMap<String, String> = [
            ("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned()),
            ("HOME".to_owned(), self.dir.path().to_string_lossy().into_owned()),
        ]
        .into();
        let mut config = AgentConfig::with_env(self.cwd(), self.home(), env);
        config.discover_models = false;
        config.host = Host::Headless;
        config.model = Some("anthro/m:off".into());
        config.session_name = Some("test".into());
        config
    }

    pub async fn session(&self) -> Session {
        Session::start(self.config()).await
    }

    /// What requests asked, without the ones for summaries.
    pub fn bodies(&self) -> Vec<Value> {
        self.model.received().into_iter().map(|request| request.body).collect()
    }
}

pub struct Session {
    pub agent: AgentHandle,
    pub outputs: Subscription,
}

impl Session {
    pub async fn start(config: AgentConfig) -> Self {
        let agent = Agent::start(config).await.expect("the agent starts");
        let outputs = agent.subscribe();
        Self { agent, outputs }
    }

    pub async fn say(&self, text: &str) -> Accepted {
        self.agent.prompt(Prompt::text(text)).await.expect("accepted")
    }

    /// The next output that `wanted` accepts, with everything before it.
    pub async fn until(&mut self, what: &str, mut wanted: impl FnMut(&Output) -> bool) -> Vec<Output> {
        let mut seen = Vec::new();
        let waiting = async {
            loop {
                let output = self.outputs.recv().await.expect("the agent lives");
                let found = wanted(&output);
                seen.push(output);
                if found {
                    return;
                }
            }
        };
        if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
            panic!("waited for {what}; saw {:?}", names(&seen));
        }
        seen
    }

    pub async fn settled(&mut self) -> (Vec<Output>, Outcome) {
        let seen = self.until("settled", |output| matches!(output, Output::Local(Local::Settled(_)))).await;
        let outcome = match seen.last() {
            Some(Output::Local(Local::Settled(outcome))) => outcome.clone(),
            _ => unreachable!("the last output is the awaited one"),
        };
        (seen, outcome)
    }

    /// Say something and wait until all is over.
    pub async fn run(&mut self, text: &str) -> (Vec<Output>, Outcome) {
        self.say(text).await;
        self.settled().await
    }

    pub async fn until_event(&mut self, kind: &str) -> Vec<Output> {
        self.until(kind, |output| matches!(output, Output::Event(event) if event.tag() == kind)).await
    }
}

/// Types of the wire events, in order, without updates and meta events.
pub fn names(outputs: &[Output]) -> Vec<String> {
    outputs
        .iter()
        .filter_map(|output| match output {
            Output::Event(event) if !matches!(**event, AgentEvent::Meta(_)) => Some(event.tag().into_owned()),
            _ => None,
        })
        .collect()
}

pub fn durable(outputs: &[Output]) -> Vec<String> {
    names(outputs).into_iter().filter(|name| !name.ends_with("_update")).collect()
}

pub fn events(outputs: &[Output]) -> Vec<&AgentEvent> {
    outputs
        .iter()
        .filter_map(|output| match output {
            Output::Event(event) => Some(&**event),
            _ => None,
        })
        .collect()
}

/// `role: text` of a conversation.
pub fn spoken(messages: &[Message]) -> Vec<String> {
    messages.iter().map(|message| format!("{}: {}", message.role(), message.text())).collect()
}

pub fn write(dir: &Path, name: &str, text: &str) {
    std::fs::write(dir.join(name), text).expect("written");
}

//! Remote commands: those that concern the link or the process are run here, the rest by the session.

use pizzapi_protocol::{AgentEvent, JsonObject, ModelSetResult, RawJson};

use super::session::{HostWish, Session};

/// What a command did.
#[derive(Debug, Default)]
pub struct Executed {
    /// What it gave, or why it failed.
    pub result: Option<RawJson>,
    pub error: Option<String>,
    /// To be told before the reply.
    pub events: Vec<AgentEvent>,
    /// Told after the reply: the state as a whole changed.
    pub snapshot: bool,
    /// For the program around the session, after the reply had time to leave.
    pub wish: Option<HostWish>,
}

impl Executed {
    fn from_result(result: Result<Option<RawJson>, String>) -> Self {
        match result {
            Ok(result) => Self { result, ..Self::default() },
            Err(error) => Self { error: Some(error), ..Self::default() },
        }
    }
}

/// Run a command. Never fails silently: an unknown command is an error of its own.
pub async fn run(session: &dyn Session, command: &str, arguments: &JsonObject) -> Executed {
    let text = |name: &str| arguments.get_as::<String>(name).filter(|text| !text.is_empty());
    match command {
        "end_session" => Executed { wish: Some(HostWish::Quit), ..Executed::default() },
        "restart" => Executed { wish: Some(HostWish::Restart), ..Executed::default() },
        "abort" => {
            session.abort().await;
            Executed::default()
        }
        "set_model" => match (text("provider"), text("modelId")) {
            (Some(provider), Some(id)) => set_model(session, &provider, &id).await,
            _ => Executed { error: Some("Missing provider or modelId".to_owned()), ..Executed::default() },
        },
        "set_steering_mode" | "set_follow_up_mode" => {
            let error = format!("{command} is not supported by the PizzaPi runner yet");
            Executed { error: Some(error), ..Executed::default() }
        }
        "export_html" => Executed {
            error: Some("export_html is not implemented for remote exec yet".to_owned()),
            ..Executed::default()
        },
        _ => {
            let executed = Executed::from_result(session.exec(command, arguments).await);
            let changes_state = matches!(
                command,
                "cycle_model" | "set_thinking_level" | "cycle_thinking_level" | "set_session_name" | "fork"
            );
            Executed { snapshot: changes_state && executed.error.is_none(), ..executed }
        }
    }
}

/// Switch the model and say what became of it, the way pickers listen for.
pub async fn set_model(session: &dyn Session, provider: &str, id: &str) -> Executed {
    let outcome = session.set_model(provider, id).await;
    let event = AgentEvent::ModelSetResult(ModelSetResult {
        ok: outcome.is_ok(),
        provider: provider.to_owned(),
        model_id: id.to_owned(),
        message: outcome.as_ref().err().cloned(),
    });
    Executed { snapshot: outcome.is_ok(), error: outcome.err(), events: vec![event], ..Executed::default() }
}

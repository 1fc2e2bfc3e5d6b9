//! From what the session reports to what the relay is told.

use pizzapi_protocol::{
    AgentEnd, AgentEvent, AuthSourceChanged, Capabilities, DeliveryClass, Empty, GoalUpdated, Heartbeat, JsonObject,
    MetaEvent, ModelChanged, Open, PlanModeToggled, RawJson, ThinkingLevelChanged, TodoUpdated, TokenUsageUpdated,
    UnixMs,
};

use super::session::{Facts, Session};
use super::snapshot::State;
use super::window::Item;

/// An event as it leaves.
pub(super) fn item(event: &AgentEvent) -> Item {
    let raw = match event {
        // Its messages are those of one run; receivers would take them for the whole transcript. A snapshot follows.
        AgentEvent::AgentEnd(end) => {
            let mut extra = end.extra.clone();
            extra.remove("type");
            AgentEvent::AgentEnd(Open { known: AgentEnd::default(), extra }).to_raw()
        }
        other => other.to_raw(),
    };
    let key = match event {
        AgentEvent::MessageUpdate(update) => {
            Some(format!("message {} {}", update.message.role(), update.message.timestamp().unwrap_or_default()))
        }
        AgentEvent::ToolExecutionUpdate(update) => Some(format!("tool {}", update.tool_call_id)),
        AgentEvent::Heartbeat(_) => Some("heartbeat".to_owned()),
        _ => None,
    };
    let class = event.class();
    Item { raw, key: key.filter(|_| class != DeliveryClass::Durable), class, is_snapshot: false }
}

pub(super) fn heartbeat(facts: &Facts, now: UnixMs) -> AgentEvent {
    AgentEvent::Heartbeat(Heartbeat {
        active: facts.active,
        is_compacting: facts.compacting,
        ts: now,
        model: facts.model.clone(),
        session_name: facts.session_name.clone(),
        uptime: u64::try_from(now - facts.since).ok().filter(|_| facts.since > 0),
        cwd: Some(facts.cwd.display().to_string()),
        queued_messages: facts.queued.clone(),
        slim: None,
        liveness_only: None,
    })
}

pub(super) fn capabilities(session: &dyn Session) -> AgentEvent {
    AgentEvent::Capabilities(Capabilities { models: session.models(), commands: session.commands() })
}

/// Everything about a session but its transcript.
pub(super) fn state(session: &dyn Session, announce_file: bool) -> State {
    let facts = session.facts();
    State {
        model: facts.model,
        thinking_level: facts.thinking,
        session_name: facts.session_name,
        cwd: facts.cwd.display().to_string(),
        available_models: session.models(),
        available_commands: session.commands(),
        todo_list: facts.todos,
        analysis: None,
        goal: facts.goal,
        queued_messages: facts.queued,
        session_file: facts.session_file.filter(|_| announce_file).map(|path| path.display().to_string()),
    }
}

/// The members of a metadata update that differ from what was last told. `None`: nothing does.
pub(super) fn metadata_update(state: &State, told: &mut JsonObject) -> Option<Item> {
    let now = JsonObject::from_value(state).expect("a state is an object");
    let changed: JsonObject = now
        .iter()
        .filter(|(name, value)| *name != "cwd" && told.get(name) != Some(value))
        .map(|(name, value)| (name.to_owned(), value.clone()))
        .collect();
    *told = now;
    if changed.is_empty() {
        return None;
    }
    let event: JsonObject = [
        ("type".to_owned(), RawJson::new("session_metadata_update").expect("text serialises")),
        ("metadata".to_owned(), changed.to_raw()),
    ]
    .into_iter()
    .collect();
    Some(Item { raw: event.to_raw(), class: DeliveryClass::Durable, key: None, is_snapshot: false })
}

/// The meta state as events, for a relay that may have missed any of it. Those that changed nothing have no effect there.
pub(super) fn meta_state(facts: &Facts) -> Vec<MetaEvent> {
    let mut events = vec![
        MetaEvent::AuthSourceChanged(AuthSourceChanged { source: facts.auth_source.clone() }),
        MetaEvent::ThinkingLevelChanged(ThinkingLevelChanged { level: facts.thinking.clone() }),
    ];
    if facts.token_usage.is_some() {
        events.push(MetaEvent::TokenUsageUpdated(TokenUsageUpdated {
            token_usage: facts.token_usage.clone(),
            provider_usage: None,
        }));
    }
    events.extend([
        MetaEvent::ModelChanged(ModelChanged { model: facts.model.clone() }),
        MetaEvent::TodoUpdated(TodoUpdated { todo_list: facts.todos.clone() }),
        MetaEvent::PlanModeToggled(PlanModeToggled { enabled: facts.plan_mode }),
        MetaEvent::GoalUpdated(GoalUpdated { goal: facts.goal.clone() }),
        if facts.compacting { MetaEvent::CompactStarted(Empty {}) } else { MetaEvent::CompactEnded(Empty {}) },
    ]);
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changed_is_told_again() {
        let mut told = JsonObject::new();
        let mut state = State { cwd: "/w".to_owned(), ..State::default() };
        assert!(metadata_update(&state, &mut told).is_some());
        assert!(metadata_update(&state, &mut told).is_none());
        state.session_name = Some("a name".to_owned());
        let update = metadata_update(&state, &mut told).expect("a change");
        assert_eq!(update.raw.get(), r#"{"type":"session_metadata_update","metadata":{"sessionName":"a name"}}"#);
    }

    #[test]
    fn the_end_of_a_run_leaves_its_messages_at_home() {
        let end: AgentEvent =
            serde_json::from_str(r#"{"type":"agent_end","messages":[],"willRetry":true}"#).expect("an event");
        let item = item(&end);
        assert_eq!(item.raw.get(), r#"{"type":"agent_end","willRetry":true}"#);
        assert_eq!(item.class, DeliveryClass::Durable);
    }
}

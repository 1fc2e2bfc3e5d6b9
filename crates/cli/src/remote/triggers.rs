//! What an agent reads when something happened in another session. Pure.

use base64::Engine as _;
use pizzapi_protocol::{DeliverAs, RawJson, Trigger};
use serde_json::Value;

/// Words for everything that arrived together, in one message.
pub(super) fn render_all(triggers: &[Trigger]) -> String {
    match triggers {
        [only] => render(only),
        many => {
            let parts: Vec<String> = many.iter().map(render).collect();
            format!("{} things happened:\n\n{}", many.len(), parts.join("\n\n---\n\n"))
        }
    }
}

/// Steering and following triggers, each group in order.
pub(super) fn by_delivery(triggers: Vec<Trigger>) -> [(DeliverAs, Vec<Trigger>); 2] {
    let (steer, follow): (Vec<_>, Vec<_>) =
        triggers.into_iter().partition(|trigger| trigger.deliver_as == DeliverAs::Steer);
    [(DeliverAs::Steer, steer), (DeliverAs::FollowUp, follow)]
}

fn render(trigger: &Trigger) -> String {
    let payload: Value = trigger.payload.to().unwrap_or(Value::Null);
    let text = |name: &str| payload[name].as_str().unwrap_or_default();
    let name = trigger.source_session_name.as_deref().filter(|name| !name.trim().is_empty());
    let who = match name {
        Some(name) => format!("Session \"{name}\" ({})", trigger.source_session_id),
        None => format!("Session {}", trigger.source_session_id),
    };
    let id = &trigger.trigger_id;
    let mut mark = format!("<!-- trigger:{id} source:{}", trigger.source_session_id);
    let (body, how) = match trigger.kind.as_str() {
        "ask_user_question" => {
            let questions = payload["questions"].as_array().cloned().unwrap_or_default();
            let encoded = serde_json::to_vec(&questions).expect("a JSON value serialises");
            mark.push_str(&format!(" questions64:{}", base64::engine::general_purpose::STANDARD.encode(encoded)));
            let lines: Vec<String> = questions.iter().map(question).collect();
            (
                format!("{who} asks:\n\n{}", lines.join("\n")),
                "Answer with respond_to_trigger (several questions: a JSON object question → answer), or escalate_trigger when only the user can know.",
            )
        }
        "plan_review" => {
            let steps = payload["steps"].as_array().cloned().unwrap_or_default();
            let steps: Vec<String> = steps
                .iter()
                .enumerate()
                .map(|(n, step)| format!("{}. {}", n + 1, step["title"].as_str().unwrap_or_default()))
                .collect();
            (
                format!("{who} proposes a plan: {}\n\n{}\n{}", text("title"), text("description"), steps.join("\n")),
                "Decide with respond_to_trigger and action approve, cancel, or edit (response = what to change).",
            )
        }
        "session_complete" => {
            let mut body = format!("{who} is done ({}):\n\n{}", text("exitReason"), text("summary"));
            if !text("fullOutputPath").is_empty() {
                body.push_str(&format!("\n\n[The full text is in {}]", text("fullOutputPath")));
            }
            (
                body,
                "Use respond_to_trigger: action ack ends that session, action followUp with a response gives it more work.",
            )
        }
        "session_error" => (format!("{who} has a problem: {}", text("message")), "No answer is needed."),
        "escalate" => (format!("{who} needs the user: {}", text("reason")), "Tell the user."),
        kind => {
            let payload = match &payload {
                Value::Object(members) if members.len() == 1 && members.contains_key("text") => text("text").to_owned(),
                other => serde_json::to_string_pretty(other).unwrap_or_else(|_| trigger.payload.get().to_owned()),
            };
            let source = trigger.source_session_id.as_str();
            let source =
                source.strip_prefix("external:").map_or(who.clone(), |source| format!("External source {source}"));
            (format!("{source} sent `{kind}`:\n\n{payload}"), "")
        }
    };
    let how = match (trigger.expects_response, how) {
        (true, "") => format!("\n\nAn answer is expected: respond_to_trigger with triggerId {id}."),
        (_, "") => String::new(),
        (_, how) => format!("\n\n{how} triggerId: {id}"),
    };
    format!("{mark} -->\n{body}{how}")
}

fn question(question: &Value) -> String {
    let text = question["question"].as_str().unwrap_or_default();
    let options: Vec<&str> = question["options"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if options.is_empty() { format!("- {text}") } else { format!("- {text} ({})", options.join(" / ")) }
}

/// What a parent's free words about a plan mean.
pub(super) fn plan_action(action: Option<&str>, response: &str) -> &'static str {
    let said = response.trim().trim_end_matches(['.', '!']).to_lowercase();
    match (action, said.as_str()) {
        (Some("approve" | "execute"), _) => "execute",
        (Some("cancel"), _) => "cancel",
        (Some("edit"), _) => "edit",
        (_, "approve" | "approved" | "lgtm" | "yes" | "ok" | "okay" | "go" | "go ahead" | "looks good" | "proceed") => {
            "execute"
        }
        (_, "cancel" | "no" | "stop" | "reject" | "abort") => "cancel",
        _ => "edit",
    }
}

/// Does a provider's error mean that somebody has to pay or wait?
pub(super) fn is_usage_limit(error: &str) -> bool {
    const WORDS: [&str; 9] = [
        "usage limit",
        "rate limit",
        "quota exceeded",
        "resource exhausted",
        "tokens per minute",
        "requests per minute",
        "output tokens per",
        "context window",
        "quota",
    ];
    let error = error.to_lowercase();
    WORDS.iter().any(|word| error.contains(word))
}

/// Text of a connector's message: a person speaks from elsewhere.
pub(super) fn spoken(trigger: &Trigger) -> Option<String> {
    if !trigger.kind.ends_with(":message") {
        return None;
    }
    trigger.payload.to::<Value>().ok()?["text"].as_str().filter(|text| !text.trim().is_empty()).map(str::to_owned)
}

pub(super) fn raw(value: &Value) -> RawJson {
    RawJson::from(value.clone())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn trigger(kind: &str, payload: Value) -> Trigger {
        Trigger {
            kind: kind.to_owned(),
            source_session_id: "child".into(),
            source_session_name: Some("Tests".to_owned()),
            target_session_id: "me".into(),
            payload: payload.into(),
            deliver_as: DeliverAs::Steer,
            expects_response: true,
            trigger_id: "t1".into(),
            timeout_ms: None,
            ts: String::new(),
        }
    }

    #[test]
    fn every_trigger_says_where_it_comes_from_and_what_to_do() {
        let done =
            render_all(&[trigger("session_complete", json!({ "summary": "all green", "exitReason": "completed" }))]);
        assert!(done.starts_with(
            "<!-- trigger:t1 source:child -->\nSession \"Tests\" (child) is done (completed):\n\nall green"
        ));
        assert!(done.contains("action followUp"));
        let asked = render_all(&[trigger(
            "ask_user_question",
            json!({ "questions": [{ "question": "Which?", "options": ["a", "b"] }] }),
        )]);
        assert!(asked.contains("questions64:") && asked.contains("- Which? (a / b)"), "{asked}");
        let mut external = trigger("ci:failed", json!({ "text": "build 7" }));
        external.source_session_id = "external:webhook".into();
        let two = render_all(&[external, trigger("session_error", json!({ "message": "quota" }))]);
        assert!(two.starts_with("2 things happened:\n\n<!--") && two.contains("\n\n---\n\n"), "{two}");
        assert!(two.contains("External source webhook sent `ci:failed`:\n\nbuild 7"), "{two}");
    }

    #[test]
    fn plain_words_decide_about_plans() {
        assert_eq!(plan_action(None, "LGTM!"), "execute");
        assert_eq!(plan_action(None, "No."), "cancel");
        assert_eq!(plan_action(Some("approve"), "but be quick"), "execute");
        assert_eq!(plan_action(None, "use another database"), "edit");
        assert!(is_usage_limit("Error 429: Rate limit reached"));
    }
}

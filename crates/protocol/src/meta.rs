//! The state of a session beside its transcript, as a fold of nineteen events.
//!
//! Values are checked where they are read: a malformed member is `null` in a snapshot and spoils a whole event.

use serde::Deserialize;

use crate::events::Empty;
use crate::json::{JsonObject, Open, UnixMs, lenient, lenient_list, tagged, wire, words};
use crate::model::Model;

wire! {
    /// Everything about a session that is not in its transcript.
    #[derive(Default)]
    pub struct SessionMetaState {
        todo_list: [MetaTodoItem],
        /// A question that waits for an answer.
        #[serde(deserialize_with = "lenient")]
        pending_question: MetaPendingQuestion | null,
        /// A plan that waits for a review.
        #[serde(deserialize_with = "lenient")]
        pending_plan: MetaPendingPlan | null,
        plan_mode_enabled: bool = default,
        is_compacting: bool = default,
        #[serde(deserialize_with = "lenient")]
        retry_state: MetaRetryState | null,
        /// Plugins that wait to be trusted.
        #[serde(deserialize_with = "lenient")]
        pending_plugin_trust: MetaPluginTrustPrompt | null,
        /// A tool call that waits for permission.
        #[serde(deserialize_with = "lenient")]
        pending_approval: MetaPendingApproval | null,
        #[serde(deserialize_with = "lenient")]
        mcp_startup_report: Open<MetaMcpReport> | null,
        #[serde(deserialize_with = "lenient")]
        token_usage: MetaTokenUsage | null,
        /// Per provider: windows, utilisation and reset times, in the provider's own shape.
        #[serde(deserialize_with = "lenient")]
        provider_usage: JsonObject | null,
        #[serde(deserialize_with = "lenient")]
        thinking_level: String | null,
        /// Where the credential of the current model came from.
        #[serde(deserialize_with = "lenient")]
        auth_source: String | null,
        #[serde(deserialize_with = "lenient")]
        model: Model | null,
        #[serde(deserialize_with = "lenient")]
        goal: MetaGoalStatus | null,
        /// Grows by one with every change.
        version: u64,
    }

    pub struct MetaTodoItem {
        id: i64,
        text: String,
        status: TodoStatus,
    }

    pub struct MetaTokenUsage {
        #[serde(deserialize_with = "crate::json::count")]
        input: u64,
        #[serde(deserialize_with = "crate::json::count")]
        output: u64,
        #[serde(deserialize_with = "crate::json::count")]
        cache_read: u64,
        #[serde(deserialize_with = "crate::json::count")]
        cache_write: u64,
        /// Units: US dollars.
        cost: f64,
        /// Tokens in the context now; `null` when unknown.
        context_tokens?: u64 | null,
    }

    #[serde(try_from = "LooseQuestions")]
    pub struct MetaPendingQuestion {
        tool_call_id: String,
        /// At least one.
        questions: Vec<MetaQuestion>,
        /// `stepper`: one question at a time.
        display?: String,
    }

    pub struct MetaQuestion {
        question: String,
        options: Vec<String>,
        /// How many options may be chosen; one when absent.
        #[serde(rename = "type")]
        kind?: QuestionKind,
    }

    #[serde(try_from = "LoosePlan")]
    pub struct MetaPendingPlan {
        tool_call_id: String,
        title: String,
        description?: String,
        steps?: Vec<MetaPlanStep>,
    }

    pub struct MetaPlanStep {
        title: String,
        description?: String,
    }

    #[serde(try_from = "LooseRetry")]
    pub struct MetaRetryState {
        error_message: String,
        detected_at: UnixMs,
    }

    #[serde(try_from = "LooseTrust")]
    pub struct MetaPluginTrustPrompt {
        prompt_id: String,
        plugin_names: Vec<String>,
        plugin_summaries: Vec<String>,
    }

    pub struct ApprovalField {
        key: String,
        label: String,
        #[serde(default)]
        value: String,
        editable?: bool,
        multiline?: bool,
    }

    pub struct ApprovalAction {
        id: String,
        label: String,
        style?: ApprovalStyle,
    }

    /// Asks a person to allow something. Without actions the choices are Approve and Reject.
    #[serde(try_from = "LooseApproval")]
    pub struct MetaPendingApproval {
        prompt_id: String,
        title: String,
        /// Markdown.
        message?: String,
        tool_name?: String,
        icon?: String,
        fields?: [ApprovalField],
        actions?: [ApprovalAction],
    }

    /// What a person decided about an approval.
    pub struct ApprovalDecision {
        action: String,
        approved: bool,
        /// Changed fields, by key.
        edits?: std::collections::BTreeMap<String, String>,
        /// Nobody could be asked.
        unavailable?: bool,
    }

    /// How the MCP servers of a session started.
    #[derive(Default)]
    pub struct MetaMcpReport {
        slow?: bool,
        show_slow_warning?: bool,
        errors?: Vec<McpServerError>,
        server_timings?: Vec<McpServerTiming>,
        total_duration_ms?: f64,
        tool_count?: u64,
        server_count?: u64,
        ts?: UnixMs,
    }

    pub struct McpServerError {
        server: String,
        error: String,
    }

    pub struct McpServerTiming {
        name: String,
        duration_ms: f64,
        tool_count: u64,
        timed_out: bool,
        error?: String,
    }

    #[serde(try_from = "LooseGoal")]
    pub struct MetaGoalStatus {
        id: String,
        description: String,
        status: GoalStatus,
        turn_count: u64,
        max_turns?: u64,
        token_spend: u64,
        max_tokens?: u64,
        cost_spend: f64,
        max_cost?: f64,
        last_reason?: String,
    }
}

words! {
    pub enum TodoStatus {
        Pending = "pending",
        InProgress = "in_progress",
        Done = "done",
        Cancelled = "cancelled",
    }

    /// How the options of a question may be chosen.
    pub enum QuestionKind {
        /// One of them.
        Radio = "radio",
        /// Any of them.
        Checkbox = "checkbox",
        /// All of them, in an order.
        Ranked = "ranked",
    }

    pub enum ApprovalStyle {
        Primary = "primary",
        Danger = "danger",
        Default = "default",
    }

    pub enum GoalStatus {
        Active = "active",
        Met = "met",
        Failed = "failed",
        Cancelled = "cancelled",
    }
}

tagged! {
    /// One change of the meta state. Travels inside `event` from the session, and as `meta_event` on `/hub`; never to viewers.
    pub enum MetaEvent by "type" {
        TodoUpdated = "todo_updated" (TodoUpdated),
        QuestionPending = "question_pending" (QuestionPending),
        QuestionCleared = "question_cleared" (ToolCallRef),
        PlanPending = "plan_pending" (PlanPending),
        PlanCleared = "plan_cleared" (ToolCallRef),
        PlanModeToggled = "plan_mode_toggled" (PlanModeToggled),
        CompactStarted = "compact_started" (Empty),
        CompactEnded = "compact_ended" (Empty),
        RetryStateChanged = "retry_state_changed" (RetryStateChanged),
        PluginTrustRequired = "plugin_trust_required" (PluginTrustRequired),
        PluginTrustResolved = "plugin_trust_resolved" (PromptRef),
        ApprovalPending = "approval_pending" (ApprovalPending),
        ApprovalCleared = "approval_cleared" (PromptRef),
        McpStartupReport = "mcp_startup_report" (McpStartupReport),
        TokenUsageUpdated = "token_usage_updated" (TokenUsageUpdated),
        ThinkingLevelChanged = "thinking_level_changed" (ThinkingLevelChanged),
        AuthSourceChanged = "auth_source_changed" (AuthSourceChanged),
        ModelChanged = "model_changed" (ModelChanged),
        GoalUpdated = "goal_updated" (GoalUpdated),
    }
}

wire! {
    pub struct TodoUpdated {
        todo_list: [MetaTodoItem],
    }

    pub struct QuestionPending {
        question: MetaPendingQuestion,
    }

    pub struct ToolCallRef {
        tool_call_id: String,
    }

    pub struct PlanPending {
        plan: MetaPendingPlan,
    }

    pub struct PlanModeToggled {
        enabled: bool,
    }

    pub struct RetryStateChanged {
        state: MetaRetryState | null,
    }

    pub struct PluginTrustRequired {
        prompt: MetaPluginTrustPrompt,
    }

    pub struct PromptRef {
        prompt_id: String,
    }

    pub struct ApprovalPending {
        approval: MetaPendingApproval,
    }

    pub struct McpStartupReport {
        report: Open<MetaMcpReport>,
        #[serde(deserialize_with = "crate::json::millis")]
        ts: UnixMs,
    }

    pub struct TokenUsageUpdated {
        token_usage: MetaTokenUsage | null,
        provider_usage: JsonObject | null,
    }

    pub struct ThinkingLevelChanged {
        level: String | null,
    }

    pub struct AuthSourceChanged {
        source: String | null,
    }

    pub struct ModelChanged {
        model: Model | null,
    }

    pub struct GoalUpdated {
        goal: MetaGoalStatus | null,
    }
}

/// What an event did to the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// The state is another now, one version on.
    Changed,
    /// It says what the state said already.
    Unchanged,
    /// It clears something that is no longer pending.
    Stale,
}

impl SessionMetaState {
    /// Fold one event into the state. Members are replaced whole; prompts are cleared only by their own id.
    pub fn apply(&mut self, event: &MetaEvent) -> Applied {
        let changed = match event {
            MetaEvent::TodoUpdated(event) => replace(&mut self.todo_list, &event.todo_list),
            MetaEvent::QuestionPending(event) => set(&mut self.pending_question, &event.question),
            MetaEvent::QuestionCleared(event) => {
                let matches = self.pending_question.as_ref().map(|pending| pending.tool_call_id == event.tool_call_id);
                return self.clear(matches, |state| state.pending_question = None);
            }
            MetaEvent::PlanPending(event) => set(&mut self.pending_plan, &event.plan),
            MetaEvent::PlanCleared(event) => {
                let matches = self.pending_plan.as_ref().map(|pending| pending.tool_call_id == event.tool_call_id);
                return self.clear(matches, |state| state.pending_plan = None);
            }
            MetaEvent::PlanModeToggled(event) => replace(&mut self.plan_mode_enabled, &event.enabled),
            MetaEvent::CompactStarted(_) => replace(&mut self.is_compacting, &true),
            MetaEvent::CompactEnded(_) => replace(&mut self.is_compacting, &false),
            MetaEvent::RetryStateChanged(event) => replace(&mut self.retry_state, &event.state),
            MetaEvent::PluginTrustRequired(event) => set(&mut self.pending_plugin_trust, &event.prompt),
            MetaEvent::PluginTrustResolved(event) => {
                let matches = self.pending_plugin_trust.as_ref().map(|pending| pending.prompt_id == event.prompt_id);
                return self.clear(matches, |state| state.pending_plugin_trust = None);
            }
            MetaEvent::ApprovalPending(event) => set(&mut self.pending_approval, &event.approval),
            MetaEvent::ApprovalCleared(event) => {
                let matches = self.pending_approval.as_ref().map(|pending| pending.prompt_id == event.prompt_id);
                return self.clear(matches, |state| state.pending_approval = None);
            }
            MetaEvent::McpStartupReport(event) => set(&mut self.mcp_startup_report, &event.report),
            MetaEvent::TokenUsageUpdated(event) => {
                replace(&mut self.token_usage, &event.token_usage)
                    | replace(&mut self.provider_usage, &event.provider_usage)
            }
            MetaEvent::ThinkingLevelChanged(event) => replace(&mut self.thinking_level, &event.level),
            MetaEvent::AuthSourceChanged(event) => replace(&mut self.auth_source, &event.source),
            MetaEvent::ModelChanged(event) => replace(&mut self.model, &event.model),
            MetaEvent::GoalUpdated(event) => replace(&mut self.goal, &event.goal),
        };
        self.finish(changed)
    }

    /// Take over the meta members of a heartbeat of an older session. Members it does not carry stay as they are; a model of
    /// `null` means "unknown" there, not "none".
    pub fn apply_heartbeat(&mut self, heartbeat: &JsonObject) -> Applied {
        /// `None`: the member is absent. `Some(None)`: it is `null` or malformed.
        fn member<T: serde::de::DeserializeOwned>(heartbeat: &JsonObject, key: &str) -> Option<Option<T>> {
            Some(heartbeat.get(key)?.to::<Option<T>>().unwrap_or_default())
        }
        fn patch<T: PartialEq>(target: &mut Option<T>, value: Option<Option<T>>) -> bool {
            value.is_some_and(|value| std::mem::replace(target, value) != *target)
        }

        if heartbeat.get_as::<bool>("_slim") == Some(true) {
            return Applied::Unchanged;
        }
        let mut changed = patch(&mut self.pending_question, member(heartbeat, "pendingQuestion"));
        changed |= patch(&mut self.pending_plan, member(heartbeat, "pendingPlan"));
        changed |= patch(&mut self.retry_state, member(heartbeat, "retryState"));
        changed |= patch(&mut self.pending_plugin_trust, member(heartbeat, "pendingPluginTrust"));
        changed |= patch(&mut self.mcp_startup_report, member(heartbeat, "mcpStartupReport"));
        changed |= patch(&mut self.token_usage, member(heartbeat, "tokenUsage"));
        changed |= patch(&mut self.provider_usage, member(heartbeat, "providerUsage"));
        changed |= patch(&mut self.thinking_level, member(heartbeat, "thinkingLevel"));
        changed |= patch(&mut self.auth_source, member(heartbeat, "authSource"));
        changed |= patch(&mut self.model, member(heartbeat, "model").filter(Option::is_some));
        if let Some(list) = heartbeat.get("todoList").and_then(|list| crate::json::read_list(list.get())) {
            changed |= replace(&mut self.todo_list, &list);
        }
        if let Some(enabled) = heartbeat.get_as::<bool>("planModeEnabled") {
            changed |= replace(&mut self.plan_mode_enabled, &enabled);
        }
        if let Some(compacting) = heartbeat.get_as::<bool>("isCompacting") {
            changed |= replace(&mut self.is_compacting, &compacting);
        }
        self.finish(changed)
    }

    /// Withdraw everything that waits for a person: nobody is left to hear the answer.
    pub fn clear_prompts(&mut self) -> Applied {
        let pending = self.pending_question.take().is_some()
            | self.pending_plan.take().is_some()
            | self.pending_plugin_trust.take().is_some()
            | self.pending_approval.take().is_some();
        self.finish(pending)
    }

    fn clear(&mut self, matches: Option<bool>, clear: impl FnOnce(&mut Self)) -> Applied {
        match matches {
            None => Applied::Unchanged,
            Some(false) => Applied::Stale,
            Some(true) => {
                clear(self);
                self.finish(true)
            }
        }
    }

    fn finish(&mut self, changed: bool) -> Applied {
        if !changed {
            return Applied::Unchanged;
        }
        self.version += 1;
        Applied::Changed
    }
}

fn replace<T: PartialEq + Clone>(target: &mut T, value: &T) -> bool {
    if target == value {
        return false;
    }
    target.clone_from(value);
    true
}

fn set<T: PartialEq + Clone>(target: &mut Option<T>, value: &T) -> bool {
    if target.as_ref() == Some(value) {
        return false;
    }
    *target = Some(value.clone());
    true
}

// What peers may send, before it is checked.

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LooseQuestions {
    tool_call_id: String,
    #[serde(deserialize_with = "lenient_list")]
    questions: Vec<LooseQuestion>,
    #[serde(default, deserialize_with = "lenient")]
    display: Option<String>,
}

#[derive(Deserialize)]
struct LooseQuestion {
    question: String,
    #[serde(default, deserialize_with = "lenient_list")]
    options: Vec<String>,
    #[serde(default, rename = "type", deserialize_with = "lenient")]
    kind: Option<String>,
}

impl TryFrom<LooseQuestions> for MetaPendingQuestion {
    type Error = &'static str;

    fn try_from(loose: LooseQuestions) -> Result<Self, Self::Error> {
        let questions: Vec<MetaQuestion> = loose
            .questions
            .into_iter()
            .filter_map(|loose| {
                Some(MetaQuestion {
                    question: filled(&loose.question)?,
                    options: loose.options.iter().filter_map(|option| filled(option)).collect(),
                    kind: loose.kind.map(|kind| QuestionKind::from_word(&kind).unwrap_or(QuestionKind::Radio)),
                })
            })
            .collect();
        if loose.tool_call_id.is_empty() || questions.is_empty() {
            return Err("a pending question needs a tool call id and at least one question");
        }
        Ok(Self { tool_call_id: loose.tool_call_id, questions, display: loose.display })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LoosePlan {
    tool_call_id: String,
    title: String,
    #[serde(default, deserialize_with = "lenient")]
    description: Option<String>,
    #[serde(default, deserialize_with = "crate::json::lenient_list_opt")]
    steps: Option<Vec<MetaPlanStep>>,
}

impl TryFrom<LoosePlan> for MetaPendingPlan {
    type Error = &'static str;

    fn try_from(loose: LoosePlan) -> Result<Self, Self::Error> {
        let title = filled(&loose.title).filter(|_| !loose.tool_call_id.is_empty());
        let steps = loose.steps.map(|steps| steps.into_iter().filter(|step| !step.title.trim().is_empty()).collect());
        match title {
            Some(title) => Ok(Self { tool_call_id: loose.tool_call_id, title, description: loose.description, steps }),
            None => Err("a pending plan needs a tool call id and a title"),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LooseRetry {
    error_message: String,
    #[serde(deserialize_with = "crate::json::millis")]
    detected_at: UnixMs,
}

impl TryFrom<LooseRetry> for MetaRetryState {
    type Error = &'static str;

    fn try_from(loose: LooseRetry) -> Result<Self, Self::Error> {
        if loose.error_message.is_empty() {
            return Err("a retry state needs an error message");
        }
        Ok(Self { error_message: loose.error_message, detected_at: loose.detected_at })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LooseTrust {
    prompt_id: String,
    #[serde(default, deserialize_with = "lenient_list")]
    plugin_names: Vec<String>,
    #[serde(default, deserialize_with = "crate::json::lenient_list_opt")]
    plugin_summaries: Option<Vec<String>>,
}

impl TryFrom<LooseTrust> for MetaPluginTrustPrompt {
    type Error = &'static str;

    fn try_from(loose: LooseTrust) -> Result<Self, Self::Error> {
        let names: Vec<String> = loose.plugin_names.into_iter().filter(|name| !name.is_empty()).collect();
        if loose.prompt_id.is_empty() || names.is_empty() {
            return Err("a trust prompt needs an id and at least one plugin");
        }
        let summaries = loose.plugin_summaries.filter(|summaries| !summaries.is_empty());
        Ok(Self {
            prompt_id: loose.prompt_id,
            plugin_summaries: summaries.unwrap_or_else(|| names.clone()),
            plugin_names: names,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LooseApproval {
    prompt_id: String,
    title: String,
    #[serde(default, deserialize_with = "lenient")]
    message: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    tool_name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    icon: Option<String>,
    #[serde(default, deserialize_with = "lenient_list")]
    fields: Vec<ApprovalField>,
    #[serde(default, deserialize_with = "lenient_list")]
    actions: Vec<ApprovalAction>,
}

impl TryFrom<LooseApproval> for MetaPendingApproval {
    type Error = &'static str;

    fn try_from(loose: LooseApproval) -> Result<Self, Self::Error> {
        if loose.prompt_id.is_empty() || loose.title.is_empty() {
            return Err("an approval needs an id and a title");
        }
        Ok(Self {
            prompt_id: loose.prompt_id,
            title: loose.title,
            message: loose.message,
            tool_name: loose.tool_name,
            icon: loose.icon,
            fields: Some(loose.fields).filter(|fields| !fields.is_empty()),
            actions: Some(loose.actions).filter(|actions| !actions.is_empty()),
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LooseGoal {
    id: String,
    description: String,
    status: GoalStatus,
    #[serde(deserialize_with = "crate::json::count")]
    turn_count: u64,
    #[serde(default, deserialize_with = "lenient")]
    max_turns: Option<f64>,
    #[serde(deserialize_with = "crate::json::count")]
    token_spend: u64,
    #[serde(default, deserialize_with = "lenient")]
    max_tokens: Option<f64>,
    cost_spend: f64,
    #[serde(default, deserialize_with = "lenient")]
    max_cost: Option<f64>,
    #[serde(default, deserialize_with = "lenient")]
    last_reason: Option<String>,
}

impl TryFrom<LooseGoal> for MetaGoalStatus {
    type Error = &'static str;

    fn try_from(loose: LooseGoal) -> Result<Self, Self::Error> {
        if loose.id.is_empty() || loose.description.is_empty() {
            return Err("a goal needs an id and a description");
        }
        Ok(Self {
            id: loose.id,
            description: loose.description,
            status: loose.status,
            turn_count: loose.turn_count,
            max_turns: loose.max_turns.map(|turns| turns.max(0.0) as u64),
            token_spend: loose.token_spend,
            max_tokens: loose.max_tokens.map(|tokens| tokens.max(0.0) as u64),
            cost_spend: loose.cost_spend,
            max_cost: loose.max_cost,
            last_reason: loose.last_reason,
        })
    }
}

/// The text without blanks around it, when something is left.
fn filled(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    fn event(json: &str) -> MetaEvent {
        MetaEvent::from_json(json).unwrap_or_else(|error| panic!("{json}: {error}"))
    }

    #[test]
    fn there_are_nineteen_events() {
        assert_eq!(MetaEvent::TAGS.len(), 19);
    }

    #[test]
    fn a_question_is_cleared_only_by_its_own_id() {
        let mut state = SessionMetaState::default();
        let pending = r#"{"type":"question_pending","question":{"toolCallId":"call-2",
            "questions":[{"question":" Which? ","options":["a"," ",3,"b"],"type":"weird"},{"question":"  "}]}}"#;
        assert_eq!(state.apply(&event(pending)), Applied::Changed);
        let question = state.pending_question.clone().expect("pending");
        assert_eq!(question.questions.len(), 1);
        assert_eq!(question.questions[0].question, "Which?");
        assert_eq!(question.questions[0].options, ["a", "b"]);
        assert_eq!(question.questions[0].kind, Some(QuestionKind::Radio));

        assert_eq!(state.apply(&event(r#"{"type":"question_cleared","toolCallId":"call-1"}"#)), Applied::Stale);
        assert_eq!(state.version, 1);
        assert_eq!(state.apply(&event(r#"{"type":"question_cleared","toolCallId":"call-2"}"#)), Applied::Changed);
        assert_eq!((state.version, state.pending_question), (2, None));
    }

    #[test]
    fn saying_the_same_again_makes_no_version() {
        let mut state = SessionMetaState::default();
        let model = event(r#"{"type":"model_changed","model":{"provider":" a ","modelId":"b"}}"#);
        assert_eq!(state.apply(&model), Applied::Changed);
        assert_eq!(state.apply(&model), Applied::Unchanged);
        assert_eq!(state.apply(&event(r#"{"type":"compact_ended"}"#)), Applied::Unchanged);
        assert_eq!(state.version, 1);
    }

    #[test]
    fn a_malformed_member_spoils_an_event_but_not_a_snapshot() {
        assert!(MetaEvent::from_json(r#"{"type":"plan_pending","plan":{"toolCallId":"x","title":"  "}}"#).is_err());
        assert!(MetaEvent::from_json(r#"{"type":"mcp_startup_report","toolCount":3}"#).is_err());
        let state: SessionMetaState =
            serde_json::from_str(r#"{"version":3,"pendingPlan":{"title":1},"isCompacting":"no","goal":7}"#)
                .expect("a version is enough");
        assert_eq!(state, SessionMetaState { version: 3, ..SessionMetaState::default() });
        assert!(serde_json::from_str::<SessionMetaState>(r#"{"version":"3"}"#).is_err());
    }

    #[test]
    fn a_heartbeat_patches_only_what_it_carries() {
        let mut state = SessionMetaState::default();
        state.apply(&event(r#"{"type":"model_changed","model":{"provider":"p","id":"m"}}"#));
        let fat: JsonObject = serde_json::from_str(
            r#"{"type":"heartbeat","model":null,"planModeEnabled":true,"todoList":[{"id":1,"text":"t","status":"done"},{}]}"#,
        )
        .expect("an object");
        assert_eq!(state.apply_heartbeat(&fat), Applied::Changed);
        assert_eq!(state.todo_list.len(), 1);
        assert!(state.plan_mode_enabled && state.model.is_some());
        assert_eq!(state.apply_heartbeat(&fat), Applied::Unchanged);
        assert_eq!(state.version, 2);
    }

    #[test]
    fn an_mcp_report_keeps_members_nobody_here_knows() {
        let text = r#"{"type":"mcp_startup_report","report":{"slow":true,"novel":[1]},"ts":5}"#;
        let read = event(text);
        let written: serde_json::Value = serde_json::to_value(&read).expect("serialises");
        assert_eq!(written, serde_json::from_str::<serde_json::Value>(text).expect("JSON"));
    }
}

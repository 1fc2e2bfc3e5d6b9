//! The tools of one turn: prepared in order, run side by side, their results in order.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use pizzapi_protocol::{
    AgentEvent, ContentBlock, Message, RawJson, StopReason, ToolCallBlock, ToolExecutionEnd, ToolExecutionStart,
    ToolExecutionUpdate, ToolResultMessage,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::assembly::Finished;
use crate::config::Host;
use crate::core::Core;
use crate::decision::{Answer, Approval, ApprovalChoice, DecisionKind};
use crate::permission::{Subject, Verdict, plan_mode};
use crate::tool::{Call, Effect, Output, Partial, Progress, Tool, schema};

/// How long a tool may take to end after an abort before it is left behind.
const ABORT_GRACE: Duration = Duration::from_secs(5);

/// What a turn's tools gave.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub results: Vec<Message>,
    /// Every result asked for the end of the run.
    pub end_run: bool,
}

/// A call that may run.
struct Ready {
    at: usize,
    call: ToolCallBlock,
    tool: Arc<dyn Tool>,
    arguments: Value,
    /// Added to the result by hooks.
    context: Vec<String>,
}

pub(crate) async fn batch(
    core: &Arc<Core>,
    finished: &Finished,
    calls: &[ToolCallBlock],
    cancel: &CancellationToken,
) -> Batch {
    let mut results = Ordered::new(core, calls.len());
    let mut ready = Vec::new();
    let cut = finished.message.stop_reason == StopReason::Length;
    for (at, call) in calls.iter().enumerate() {
        start(core, call, &call.arguments).await;
        let prepared = if cut {
            Err("Not executed: the answer reached its length limit and the arguments may be cut. Issue the call again, in smaller parts.".to_owned())
        } else if let Some(reason) = finished.invalid.get(&call.id) {
            Err(format!("Not executed: {reason}. Issue the call again."))
        } else if cancel.is_cancelled() {
            Err("Aborted by the user before it started.".to_owned())
        } else {
            prepare(core, call, cancel).await
        };
        match prepared {
            Ok((tool, arguments, context)) => ready.push(Ready { at, call: call.clone(), tool, arguments, context }),
            Err(reason) => results.done(at, call, failed(&reason)).await,
        }
    }
    let sequential = ready.iter().any(|ready| ready.tool.sequential());
    if sequential {
        for ready in ready {
            let (at, call, output) = run(core.clone(), ready, cancel.clone()).await;
            results.done(at, &call, output).await;
        }
    } else {
        let mut running: FuturesUnordered<_> =
            ready.into_iter().map(|ready| run(core.clone(), ready, cancel.clone())).collect();
        while let Some((at, call, output)) = running.next().await {
            results.done(at, &call, output).await;
        }
    }
    Batch { end_run: results.ends > 0 && results.ends == calls.len(), results: results.messages }
}

/// Results as they become ready, committed in the order of the calls.
struct Ordered<'a> {
    core: &'a Arc<Core>,
    waiting: HashMap<usize, ToolResultMessage>,
    next: usize,
    total: usize,
    ends: usize,
    messages: Vec<Message>,
}

impl<'a> Ordered<'a> {
    fn new(core: &'a Arc<Core>, total: usize) -> Self {
        Self { core, waiting: HashMap::new(), next: 0, total, ends: 0, messages: Vec::with_capacity(total) }
    }

    async fn done(&mut self, at: usize, call: &ToolCallBlock, output: Output) {
        self.ends += usize::from(output.end_run);
        self.core
            .event(AgentEvent::ToolExecutionEnd(ToolExecutionEnd {
                tool_call_id: call.id.clone(),
                tool_name: call.name.clone(),
                result: result_json(&output.content, output.details.as_ref()),
                is_error: output.is_error,
            }))
            .await;
        if let Some(usage) = &output.usage {
            self.core.count(usage, true);
        }
        self.waiting.insert(
            at,
            ToolResultMessage {
                id: None,
                tool_call_id: call.id.clone(),
                tool_name: call.name.clone(),
                content: output.content,
                details: output.details,
                usage: output.usage,
                added_tool_names: None,
                is_error: output.is_error,
                timestamp: 0,
            },
        );
        while self.next < self.total {
            let Some(mut result) = self.waiting.remove(&self.next) else { break };
            result.timestamp = self.core.stamps.next();
            let message = self.core.commit(Message::ToolResult(result), None).await;
            self.messages.push(message);
            self.next += 1;
        }
    }
}

fn result_json(content: &[ContentBlock], details: Option<&RawJson>) -> RawJson {
    let mut value = json!({ "content": content });
    if let Some(details) = details {
        value["details"] = serde_json::to_value(details).unwrap_or(Value::Null);
    }
    RawJson::from(value)
}

async fn start(core: &Arc<Core>, call: &ToolCallBlock, arguments: &RawJson) {
    core.event(AgentEvent::ToolExecutionStart(ToolExecutionStart {
        tool_call_id: call.id.clone(),
        tool_name: call.name.clone(),
        args: arguments.clone(),
    }))
    .await;
}

fn failed(reason: &str) -> Output {
    Output { is_error: true, ..Output::text(reason) }
}

/// Look up, repair, validate, ask rules and hooks. `Err` is the text of the error result.
async fn prepare(
    core: &Arc<Core>,
    call: &ToolCallBlock,
    cancel: &CancellationToken,
) -> Result<(Arc<dyn Tool>, Value, Vec<String>), String> {
    let tools = core.active_tools();
    let Some(tool) = tools.get(&call.name) else {
        let names: Vec<String> = tools.specs().into_iter().map(|spec| spec.name).collect();
        return Err(format!("There is no tool `{}`. Available: {}.", call.name, names.join(", ")));
    };
    let parameters = tool.spec().parameters;
    let check = |arguments: Value| {
        let arguments = schema::coerce(&parameters, tool.repair(arguments));
        let findings = schema::check(&parameters, &arguments);
        if findings.is_empty() { Ok(arguments) } else { Err(format!("Invalid arguments: {}.", findings.join("; "))) }
    };
    let mut arguments = check(call.arguments.to().unwrap_or(Value::Null))?;
    if core.live.lock().plan_mode
        && let Some(reason) = blocked_by_plan_mode(tool.as_ref(), &arguments)
    {
        return Err(format!(
            "Blocked: plan mode is on and {reason}. Only look around, then present the plan with plan_mode."
        ));
    }
    let mut context = Vec::new();
    let hooks = core.hooks();
    let hooked = tokio::select! {
        hooked = hooks.before_tool(&call.name, &arguments) => hooked,
        () = cancel.cancelled() => return Err("Aborted by the user.".into()),
    };
    match hooked {
        crate::hooks::Before::Block(reason) => return Err(format!("Blocked by a hook: {reason}")),
        crate::hooks::Before::Go { arguments: changed, context: added } => {
            if let Some(changed) = changed {
                arguments = check(changed)?;
            }
            context = [context, added].concat();
        }
    }
    permit(core, call, tool.as_ref(), &arguments, cancel).await?;
    Ok((tool, arguments, context))
}

fn blocked_by_plan_mode(tool: &dyn Tool, arguments: &Value) -> Option<String> {
    if !tool.in_plan_mode() {
        return Some(format!("`{}` changes something", tool.spec().name));
    }
    if tool.effect() == Effect::Shell
        && let Some(command) = tool.subject(arguments)
    {
        return plan_mode::refuse(&command);
    }
    None
}

/// Rules first; where they ask, a person decides. Nobody to ask means no.
async fn permit(
    core: &Arc<Core>,
    call: &ToolCallBlock,
    tool: &dyn Tool,
    arguments: &Value,
    cancel: &CancellationToken,
) -> Result<(), String> {
    let text = tool.subject(arguments);
    let subject = Subject { tool: &call.name, effect: tool.effect(), arguments, subject: text.as_deref() };
    let (verdict, rules) = {
        let permissions = core.permissions.lock();
        (permissions.judge(&subject), permissions.rules_for(&subject))
    };
    let reason = match verdict {
        Verdict::Allow => return Ok(()),
        Verdict::Deny { reason } => {
            return Err(format!("Denied: {reason}. Do not try to get around it; ask the user."));
        }
        Verdict::Ask { reason } => reason,
    };
    if core.config().host == Host::Print {
        return Err(format!(
            "Denied: {reason}, and nobody can be asked in print mode. The user can allow it with --yolo or a permission rule."
        ));
    }
    let approval = Approval {
        title: match tool.effect() {
            Effect::Shell => "Run this command?".into(),
            Effect::Write => format!("Let `{}` change this file?", call.name),
            Effect::Read => format!("Let `{}` read this file?", call.name),
            _ => format!("Run `{}`?", call.name),
        },
        tool_name: call.name.clone(),
        subject: text.clone().unwrap_or_else(|| arguments.to_string()),
        reason: capitalised(&reason),
        args: RawJson::from(arguments.clone()),
        rules: rules.clone(),
    };
    let answer = tokio::select! {
        answer = core.decisions.ask(&call.id, DecisionKind::Approval(approval)) => answer,
        () = cancel.cancelled() => return Err("Aborted by the user while waiting for permission.".into()),
    };
    match answer {
        Answer::Approval(ApprovalChoice::AllowOnce) => Ok(()),
        Answer::Approval(ApprovalChoice::AllowSession) => {
            let mut permissions = core.permissions.lock();
            rules.into_iter().for_each(|rule| permissions.allow_in_session(rule));
            Ok(())
        }
        Answer::Approval(ApprovalChoice::AllowAlways) => {
            core.allow_always(rules).await;
            Ok(())
        }
        _ => Err("The user did not allow this. Do not try to get around it; ask what to do instead.".into()),
    }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// Run one call to its end, with its progress shown meanwhile.
async fn run(core: Arc<Core>, ready: Ready, cancel: CancellationToken) -> (usize, ToolCallBlock, Output) {
    let Ready { at, call, tool, arguments, context } = ready;
    let args = RawJson::from(arguments.clone());
    let (progress, mut partials) = Progress::new();
    let job = Call {
        id: call.id.clone(),
        arguments: arguments.clone(),
        cwd: core.config().cwd.clone(),
        cancel: cancel.clone(),
        progress,
        core: core.clone(),
    };
    // A panic in a tool ends that call, not the run.
    let running = tokio::spawn(async move { tool.run(job).await });
    let stop = running.abort_handle();
    let name = call.name.clone();
    let ended = async {
        match running.await {
            Ok(Ok(output)) => output,
            Ok(Err(failure)) => failed(&failure.0),
            Err(error) if error.is_cancelled() => failed("Aborted by the user."),
            Err(error) => {
                tracing::error!(tool = %name, %error, "a tool panicked");
                failed(&format!("`{name}` failed unexpectedly: {error}"))
            }
        }
    };
    tokio::pin!(ended);
    let too_late = async {
        cancel.cancelled().await;
        tokio::time::sleep(ABORT_GRACE).await;
    };
    tokio::pin!(too_late);
    let mut shows_progress = true;
    let mut output = loop {
        tokio::select! {
            biased;
            output = &mut ended => break output,
            () = &mut too_late => {
                stop.abort();
                break failed("Aborted by the user.");
            }
            changed = partials.changed(), if shows_progress => match changed {
                Ok(()) => {
                    let partial = partials.borrow_and_update().clone();
                    if let Some(partial) = partial {
                        show(&core, &call, &args, partial).await;
                    }
                }
                Err(_) => shows_progress = false,
            },
        }
    };
    let response = output.content.iter().filter_map(ContentBlock::as_text).collect::<Vec<_>>().join("\n");
    let added = core.hooks().after_tool(&call.name, &arguments, &response, output.is_error).await;
    for text in context.into_iter().chain(added) {
        output.content.push(ContentBlock::text(text));
    }
    if output.content.is_empty() {
        output.content.push(ContentBlock::text("(no output)"));
    }
    (at, call, output)
}

async fn show(core: &Arc<Core>, call: &ToolCallBlock, args: &RawJson, partial: Partial) {
    core.event(AgentEvent::ToolExecutionUpdate(ToolExecutionUpdate {
        tool_call_id: call.id.clone(),
        tool_name: call.name.clone(),
        args: args.clone(),
        partial_result: result_json(&partial.content, partial.details.as_ref()),
    }))
    .await;
}

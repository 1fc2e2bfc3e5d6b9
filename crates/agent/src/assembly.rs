//! An assistant message in the making: pieces in, steps for viewers out. Pure.

use std::collections::HashMap;

use pizzapi_protocol::{
    AssistantMessage, AssistantMessageEvent, ContentBlock, RawJson, StopReason, StreamBlock, StreamDelta, StreamStart,
    StreamText, StreamToolCall, TextBlock, ThinkingBlock, ToolCallBlock, UnixMs, Usage,
};
use serde_json::{Map, Value};

use crate::model::ModelSpec;
use crate::provider::{Piece, partial, usage};

/// A message that still grows.
#[derive(Debug)]
pub(crate) struct Assembly {
    pub message: AssistantMessage,
    model: ModelSpec,
    /// Block → the text of its arguments so far.
    arguments: HashMap<usize, String>,
    /// Calls whose arguments were no JSON object: id → what is wrong.
    pub invalid: HashMap<String, String>,
}

impl Assembly {
    pub(crate) fn new(model: &ModelSpec, id: String, timestamp: UnixMs) -> Self {
        Self {
            message: AssistantMessage {
                id: Some(id),
                content: Vec::new(),
                api: model.api.as_str().to_owned(),
                provider: model.provider.clone(),
                model: model.id.clone(),
                response_model: None,
                response_id: None,
                usage: Usage::default(),
                stop_reason: StopReason::Pending,
                error_message: None,
                raw_stop_reason: None,
                end_turn: None,
                deferred: None,
                diagnostics: None,
                timestamp,
            },
            model: model.clone(),
            arguments: HashMap::new(),
            invalid: HashMap::new(),
        }
    }

    /// Take one piece in. None: nothing a viewer would see.
    pub(crate) fn apply(&mut self, piece: Piece) -> Option<AssistantMessageEvent> {
        use AssistantMessageEvent as Step;
        let started = |index: usize| StreamBlock { content_index: index as u32, partial: None };
        let delta_of = |index: usize, delta: String| StreamDelta { content_index: index as u32, delta, partial: None };
        match piece {
            Piece::Start { response_id, response_model } => {
                self.message.response_id = response_id;
                self.message.response_model = response_model.filter(|name| *name != self.model.id);
                Some(Step::Start(StreamStart::default()))
            }
            Piece::TextStart { index } => {
                self.put(index, ContentBlock::text(""));
                Some(Step::TextStart(started(index)))
            }
            Piece::TextDelta { index, delta } => {
                self.text(index)?.text.push_str(&delta);
                Some(Step::TextDelta(delta_of(index, delta)))
            }
            Piece::TextEnd { index, signature } => {
                let block = self.text(index)?;
                if signature.is_some() {
                    block.text_signature = signature;
                }
                let content = block.text.clone();
                Some(Step::TextEnd(StreamText { content_index: index as u32, content, partial: None }))
            }
            Piece::ThinkingStart { index } => {
                self.put(index, ContentBlock::thinking(""));
                Some(Step::ThinkingStart(started(index)))
            }
            Piece::ThinkingDelta { index, delta } => {
                self.thinking(index)?.thinking.push_str(&delta);
                Some(Step::ThinkingDelta(delta_of(index, delta)))
            }
            Piece::ThinkingEnd { index, signature, redacted } => {
                let block = self.thinking(index)?;
                if signature.is_some() {
                    block.thinking_signature = signature;
                }
                if redacted {
                    block.redacted = Some(true);
                }
                let content = block.thinking.clone();
                Some(Step::ThinkingEnd(StreamText { content_index: index as u32, content, partial: None }))
            }
            Piece::ToolStart { index, id, name } => {
                self.put(
                    index,
                    ContentBlock::ToolCall(ToolCallBlock {
                        id,
                        name,
                        arguments: RawJson::from(Value::Object(Map::new())),
                        thought_signature: None,
                        namespace: None,
                    }),
                );
                self.arguments.insert(index, String::new());
                Some(Step::ToolcallStart(started(index)))
            }
            Piece::ToolDelta { index, delta } => {
                self.arguments.get_mut(&index)?.push_str(&delta);
                Some(Step::ToolcallDelta(delta_of(index, delta)))
            }
            Piece::ToolEnd { index, arguments, thought_signature } => {
                self.end_call(index, arguments, thought_signature)
            }
            Piece::Usage(reported) => {
                self.message.usage = usage::priced(reported, &self.model);
                None
            }
        }
    }

    fn end_call(
        &mut self,
        index: usize,
        whole: Option<String>,
        thought_signature: Option<String>,
    ) -> Option<AssistantMessageEvent> {
        let text = whole.or_else(|| self.arguments.get(&index).cloned()).unwrap_or_default();
        self.arguments.remove(&index);
        let ContentBlock::ToolCall(call) = self.message.content.get_mut(index)? else { return None };
        let text = text.trim();
        // A call without arguments comes as nothing at all from some servers.
        match serde_json::from_str::<Value>(if text.is_empty() { "{}" } else { text }) {
            Ok(value @ Value::Object(_)) => call.arguments = RawJson::from(value),
            Ok(_) => {
                self.invalid.insert(call.id.clone(), "the arguments must be a JSON object".into());
            }
            Err(error) => {
                call.arguments = RawJson::from(partial::parse(text));
                self.invalid.insert(call.id.clone(), format!("the arguments are not valid JSON: {error}"));
            }
        }
        if thought_signature.is_some() {
            call.thought_signature = thought_signature;
        }
        let tool_call = self.message.content[index].clone();
        Some(AssistantMessageEvent::ToolcallEnd(StreamToolCall {
            content_index: index as u32,
            tool_call,
            partial: None,
        }))
    }

    /// Show the arguments that are readable so far in the message itself.
    pub(crate) fn reveal_arguments(&mut self) {
        for (index, text) in &self.arguments {
            if let Some(ContentBlock::ToolCall(call)) = self.message.content.get_mut(*index) {
                call.arguments = RawJson::from(partial::parse(text));
            }
        }
    }

    /// The message as it ended. Calls that were cut keep what is readable of their arguments.
    pub(crate) fn finish(mut self, reason: StopReason, raw: Option<String>, error: Option<String>) -> Finished {
        self.reveal_arguments();
        for index in std::mem::take(&mut self.arguments).into_keys() {
            if let Some(ContentBlock::ToolCall(call)) = self.message.content.get(index) {
                self.invalid.insert(call.id.clone(), "the arguments were cut off".into());
            }
        }
        let has_calls = self.message.content.iter().any(|block| matches!(block, ContentBlock::ToolCall(_)));
        self.message.stop_reason = match reason {
            // Some servers say "stop" although they called tools.
            StopReason::Stop if has_calls => StopReason::ToolUse,
            StopReason::ToolUse if !has_calls => StopReason::Stop,
            reason => reason,
        };
        self.message.raw_stop_reason = raw;
        self.message.error_message = error;
        Finished { message: self.message, invalid: self.invalid }
    }

    fn put(&mut self, index: usize, block: ContentBlock) {
        // Providers number their blocks themselves; a hole would be their mistake, and a crash ours.
        while self.message.content.len() < index {
            self.message.content.push(ContentBlock::text(""));
        }
        if index == self.message.content.len() {
            self.message.content.push(block);
        } else {
            self.message.content[index] = block;
        }
    }

    fn text(&mut self, index: usize) -> Option<&mut TextBlock> {
        match self.message.content.get_mut(index) {
            Some(ContentBlock::Text(block)) => Some(block),
            _ => None,
        }
    }

    fn thinking(&mut self, index: usize) -> Option<&mut ThinkingBlock> {
        match self.message.content.get_mut(index) {
            Some(ContentBlock::Thinking(block)) => Some(block),
            _ => None,
        }
    }
}

/// A complete answer.
#[derive(Debug, Clone)]
pub(crate) struct Finished {
    pub message: AssistantMessage,
    /// Calls that must not run: id → why.
    pub invalid: HashMap<String, String>,
}

impl Finished {
    pub(crate) fn calls(&self) -> Vec<ToolCallBlock> {
        self.message
            .content
            .iter()
            .filter_map(|block| match block {
                ContentBlock::ToolCall(call) => Some(call.clone()),
                _ => None,
            })
            .collect()
    }
}

/// Joins steps of the same block that come faster than viewers need them.
#[derive(Debug, Default)]
pub(crate) struct Joined(Option<AssistantMessageEvent>);

impl Joined {
    /// Hold `step` back if it may be joined with later ones. Returns what has to go out first.
    pub(crate) fn push(&mut self, step: AssistantMessageEvent) -> Vec<AssistantMessageEvent> {
        if let Some(held) = &mut self.0
            && join(held, &step)
        {
            return Vec::new();
        }
        let mut out: Vec<_> = self.0.take().into_iter().collect();
        if is_delta(&step) {
            self.0 = Some(step);
        } else {
            out.push(step);
        }
        out
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn take(&mut self) -> Option<AssistantMessageEvent> {
        self.0.take()
    }
}

fn is_delta(step: &AssistantMessageEvent) -> bool {
    use AssistantMessageEvent as Step;
    matches!(step, Step::TextDelta(_) | Step::ThinkingDelta(_) | Step::ToolcallDelta(_))
}

fn join(held: &mut AssistantMessageEvent, step: &AssistantMessageEvent) -> bool {
    use AssistantMessageEvent as Step;
    match (held, step) {
        (Step::TextDelta(held), Step::TextDelta(step))
        | (Step::ThinkingDelta(held), Step::ThinkingDelta(step))
        | (Step::ToolcallDelta(held), Step::ToolcallDelta(step))
            if held.content_index == step.content_index =>
        {
            held.delta.push_str(&step.delta);
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Api, ModelEntry, ProviderEntry};

    fn assembly() -> Assembly {
        let model = ModelEntry { id: "m".into(), ..ModelEntry::default() }
            .resolve("p", &ProviderEntry { api: Some(Api::OpenaiCompletions), ..ProviderEntry::default() })
            .expect("api is named");
        Assembly::new(&model, "00000001".into(), 1)
    }

    fn call(assembly: &mut Assembly, text: &str) {
        assembly.apply(Piece::ToolStart { index: 0, id: "c".into(), name: "ls".into() });
        assembly.apply(Piece::ToolDelta { index: 0, delta: text.into() });
    }

    #[test]
    fn arguments_are_readable_while_they_come_and_exact_at_the_end() {
        let mut assembly = assembly();
        call(&mut assembly, r#"{"path": "sr"#);
        assembly.reveal_arguments();
        let ContentBlock::ToolCall(shown) = &assembly.message.content[0] else { panic!("a call") };
        assert_eq!(shown.arguments.get(), r#"{"path":"sr"}"#);
        assembly.apply(Piece::ToolDelta { index: 0, delta: r#"c"}"#.into() });
        assembly.apply(Piece::ToolEnd { index: 0, arguments: None, thought_signature: None });
        let finished = assembly.finish(StopReason::Stop, None, None);
        assert_eq!(finished.message.stop_reason, StopReason::ToolUse);
        assert_eq!(finished.calls()[0].arguments.get(), r#"{"path":"src"}"#);
        assert!(finished.invalid.is_empty());
    }

    #[test]
    fn a_call_without_arguments_is_an_empty_object_and_a_cut_one_must_not_run() {
        let mut empty = assembly();
        call(&mut empty, "");
        empty.apply(Piece::ToolEnd { index: 0, arguments: None, thought_signature: None });
        assert_eq!(empty.finish(StopReason::ToolUse, None, None).calls()[0].arguments.get(), "{}");
        let mut cut = assembly();
        call(&mut cut, r#"{"a": 1, "b": "x"#);
        let finished = cut.finish(StopReason::Length, None, None);
        assert!(finished.invalid.contains_key("c"));
        assert_eq!(finished.calls()[0].arguments.get(), r#"{"a":1,"b":"x"}"#);
    }

    #[test]
    fn fast_deltas_of_one_block_become_one_step() {
        use AssistantMessageEvent as Step;
        let delta = |index: u32, text: &str| {
            Step::TextDelta(StreamDelta { content_index: index, delta: text.into(), partial: None })
        };
        let mut joined = Joined::default();
        assert!(joined.push(delta(0, "a")).is_empty());
        assert!(joined.push(delta(0, "b")).is_empty());
        assert_eq!(joined.push(delta(1, "c")), [delta(0, "ab")]);
        let end = Step::TextEnd(StreamText { content_index: 1, content: "c".into(), partial: None });
        assert_eq!(joined.push(end.clone()), [delta(1, "c"), end]);
        assert!(joined.is_empty());
    }
}

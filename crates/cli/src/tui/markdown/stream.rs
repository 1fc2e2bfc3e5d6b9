//! Markdown that is still being written: finished blocks are rendered once, only the last one again.

use pulldown_cmark::{Event, Parser, Tag};
use ratatui::text::{Line, Span};

use super::code::CodeHighlighter;
use super::{options, render};
use crate::tui::text::{self, Break};
use crate::tui::theme::Theme;

/// A growing document.
#[derive(Default)]
pub struct MarkdownStream {
    source: String,
    width: usize,
    theme: &'static str,
    /// Bytes of `source` whose lines are in `stable` and will not change by appending.
    stable_bytes: usize,
    stable: Vec<Line<'static>>,
    fence: Option<OpenFence>,
}

/// The unfinished code block at the end: complete lines are highlighted once.
struct OpenFence {
    start: usize,
    consumed: usize,
    highlighter: CodeHighlighter,
    lines: Vec<Line<'static>>,
}

impl MarkdownStream {
    /// Replaces the text by a newer, usually longer one.
    pub fn set(&mut self, source: &str) {
        let grows = source.len() >= self.source.len() && source.as_bytes().starts_with(self.source.as_bytes());
        if !grows {
            self.reset();
        }
        source.clone_into(&mut self.source);
    }

    pub fn source(&self) -> &str {
        &self.source
    }

    fn reset(&mut self) {
        self.stable_bytes = 0;
        self.stable.clear();
        self.fence = None;
    }

    /// The lines as of now.
    pub fn lines(&mut self, width: usize, theme: &Theme) -> Vec<Line<'static>> {
        if width != self.width || theme.name != self.theme {
            self.reset();
            self.width = width;
            self.theme = theme.name;
        }
        self.settle(theme);
        let mut lines = self.stable.clone();
        let live = match self.open_fence(theme) {
            Some(live) => live,
            None => render(&self.source[self.stable_bytes..], width, theme),
        };
        if !lines.is_empty() && !live.is_empty() {
            lines.push(Line::default());
        }
        lines.extend(live);
        lines
    }

    /// Moves every top-level block but the last from the tail to the stable part. A line that is still being written
    /// says nothing yet: half a table row looks like a paragraph.
    fn settle(&mut self, theme: &Theme) {
        let tail = &self.source[self.stable_bytes..];
        let Some(complete) = tail.rfind('\n') else { return };
        let tail = &tail[..=complete];
        let mut depth = 0_usize;
        let mut last_start = 0;
        let mut blocks = 0;
        for (event, range) in Parser::new_ext(tail, options()).into_offset_iter() {
            match event {
                Event::Start(_) => {
                    if depth == 0 {
                        last_start = range.start;
                        blocks += 1;
                    }
                    depth += 1;
                }
                Event::End(_) => depth = depth.saturating_sub(1),
                Event::Rule if depth == 0 => {
                    last_start = range.start;
                    blocks += 1;
                }
                _ => {}
            }
        }
        if blocks < 2 {
            return;
        }
        let finished = render(&tail[..last_start], self.width, theme);
        if !self.stable.is_empty() && !finished.is_empty() {
            self.stable.push(Line::default());
        }
        self.stable.extend(finished);
        self.stable_bytes += last_start;
        self.fence = None;
    }

    /// Lines of the tail when it is one fenced code block at the left margin.
    fn open_fence(&mut self, theme: &Theme) -> Option<Vec<Line<'static>>> {
        let tail = &self.source[self.stable_bytes..];
        let first = Parser::new_ext(tail, options()).next()?;
        if !matches!(first, Event::Start(Tag::CodeBlock(_))) || !tail.starts_with("```") {
            return None;
        }
        let (info, body) = tail.split_once('\n')?;
        // The closing fence ends the fast path: the block is rendered whole, once.
        if body.lines().any(|line| line.trim_start().starts_with("```")) {
            return None;
        }
        let start = self.stable_bytes;
        if self.fence.as_ref().is_none_or(|fence| fence.start != start) {
            let language = info.trim_start_matches('`').split_whitespace().next().unwrap_or_default();
            self.fence =
                Some(OpenFence { start, consumed: 0, highlighter: CodeHighlighter::new(language), lines: Vec::new() });
        }
        let fence = self.fence.as_mut()?;
        let rail = Span::styled(format!("{} ", theme.glyphs.rail), theme.border());
        let railed = |spans: Vec<Span<'static>>, width: usize| {
            let mut all = vec![rail.clone()];
            all.extend(spans);
            text::wrap(Line::from(all), width, std::slice::from_ref(&rail), Break::Anywhere)
        };
        while let Some(end) = body[fence.consumed..].find('\n') {
            let line = &body[fence.consumed..fence.consumed + end];
            let spans = fence.highlighter.line(line, theme);
            fence.lines.extend(railed(spans, self.width));
            fence.consumed += end + 1;
        }
        let mut lines = fence.lines.clone();
        let rest = &body[fence.consumed..];
        if !rest.is_empty() {
            let style = ratatui::style::Style::new().fg(theme.syntax.plain);
            lines.extend(railed(vec![Span::styled(text::sanitize(rest).into_owned(), style)], self.width));
        }
        Some(lines)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(lines: &[Line<'_>]) -> Vec<String> {
        lines
            .iter()
            .map(|line| {
                let text: String = line.spans.iter().map(|span| span.content.as_ref()).collect();
                text.trim_end().to_owned()
            })
            .collect()
    }

    const DOCUMENT: &str = "# Plan\n\nFirst a paragraph\nover two lines.\n\n- one\n- two\n\n```rust\nfn a() {}\n\nfn b() {}\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nThe end.\n";

    #[test]
    fn what_was_streamed_looks_like_what_was_written_at_once() {
        let theme = Theme::dark();
        let mut stream = MarkdownStream::default();
        for end in (0..=DOCUMENT.len()).filter(|end| DOCUMENT.is_char_boundary(*end)) {
            stream.set(&DOCUMENT[..end]);
            stream.lines(40, &theme);
        }
        assert_eq!(texts(&stream.lines(40, &theme)), texts(&render(DOCUMENT, 40, &theme)));
    }

    #[test]
    fn finished_blocks_are_not_rendered_again() {
        let theme = Theme::dark();
        let mut stream = MarkdownStream::default();
        stream.set("one\n\ntwo\n\nthree\n");
        stream.lines(40, &theme);
        assert_eq!(stream.stable_bytes, "one\n\ntwo\n\n".len());
    }

    #[test]
    fn a_shorter_text_starts_over() {
        let theme = Theme::dark();
        let mut stream = MarkdownStream::default();
        stream.set("one\n\ntwo\n\nthree");
        stream.lines(40, &theme);
        stream.set("other");
        assert_eq!(texts(&stream.lines(40, &theme)), ["other"]);
    }

    proptest! {
        #[test]
        fn any_prefix_renders_without_panic(cut in 0usize..200, width in 1usize..60) {
            let end = (0..=cut.min(DOCUMENT.len())).rev().find(|end| DOCUMENT.is_char_boundary(*end)).unwrap();
            let mut stream = MarkdownStream::default();
            stream.set(&DOCUMENT[..end]);
            stream.lines(width, &Theme::dark());
        }
    }
}

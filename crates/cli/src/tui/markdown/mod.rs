//! Markdown to styled lines. One pass over the parser's events; streaming lives in [`stream`].

pub mod code;
pub mod stream;

use pulldown_cmark::{Alignment, CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use unicode_segmentation::UnicodeSegmentation;

use self::code::CodeHighlighter;
use super::text::{self, Break};
use super::theme::Theme;

/// What our Markdown understands.
pub fn options() -> Options {
    Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS | Options::ENABLE_GFM
}

/// Renders a whole document at a width.
pub fn render(source: &str, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let mut renderer = Renderer::new(width, theme);
    for event in Parser::new_ext(source, options()) {
        renderer.event(event);
    }
    renderer.finish()
}

/// A container whose lines start with something: a list item, a quote.
struct Container {
    first: Option<Span<'static>>,
    rest: Span<'static>,
}

struct Table {
    alignments: Vec<Alignment>,
    rows: Vec<Vec<Vec<Span<'static>>>>,
    in_head: bool,
}

struct Renderer<'t> {
    theme: &'t Theme,
    width: usize,
    out: Vec<Line<'static>>,
    spans: Vec<Span<'static>>,
    styles: Vec<Style>,
    containers: Vec<Container>,
    lists: Vec<Option<u64>>,
    code: Option<(String, String)>,
    table: Option<Table>,
    link: Option<(String, usize)>,
    image: bool,
    /// Whether the next block wants a blank line before it.
    gap: bool,
}

impl<'t> Renderer<'t> {
    fn new(width: usize, theme: &'t Theme) -> Self {
        Self {
            theme,
            width: width.max(8),
            out: Vec::new(),
            spans: Vec::new(),
            styles: vec![theme.base()],
            containers: Vec::new(),
            lists: Vec::new(),
            code: None,
            table: None,
            link: None,
            image: false,
            gap: false,
        }
    }

    fn finish(mut self) -> Vec<Line<'static>> {
        self.flush();
        self.out
    }

    fn style(&self) -> Style {
        self.styles.last().copied().unwrap_or_default()
    }

    fn push_style(&mut self, change: impl FnOnce(Style) -> Style) {
        let style = change(self.style());
        self.styles.push(style);
    }

    /// Starts a block: a blank line if the one before asked for it.
    fn open_block(&mut self) {
        self.flush();
        if self.gap {
            self.gap = false;
            // Blank lines inside a quote keep the quote's bar; a pending list marker is not spent on them.
            let spans: Vec<_> = self
                .containers
                .iter()
                .filter(|container| container.first.is_none())
                .map(|container| container.rest.clone())
                .collect();
            let blank = Line::from(spans);
            let blank = if text::line_width(&blank) == 0 || is_blank(&blank) { Line::default() } else { blank };
            if !self.out.is_empty() {
                self.out.push(blank);
            }
        }
    }

    fn close_block(&mut self) {
        self.flush();
        self.gap = true;
    }

    fn prefix(&mut self) -> (Vec<Span<'static>>, Vec<Span<'static>>) {
        let mut first = Vec::new();
        let mut rest = Vec::new();
        for container in &mut self.containers {
            first.push(container.first.take().unwrap_or_else(|| container.rest.clone()));
            rest.push(container.rest.clone());
        }
        (first, rest)
    }

    fn flush(&mut self) {
        if self.spans.is_empty() {
            return;
        }
        let content = std::mem::take(&mut self.spans);
        self.emit(content, Break::Words);
    }

    fn emit(&mut self, content: Vec<Span<'static>>, at: Break) {
        let (mut spans, rest) = self.prefix();
        spans.extend(content);
        self.out.extend(text::wrap(Line::from(spans), self.width, &rest, at));
    }

    fn text(&mut self, content: &str, style: Style) {
        if self.image {
            return;
        }
        self.spans.push(Span::styled(text::sanitize(content).into_owned(), style));
    }

    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(content) => {
                if let Some((_, code)) = &mut self.code {
                    code.push_str(&content);
                } else {
                    let style = self.style();
                    self.text(&content, style);
                }
            }
            Event::Code(content) => {
                let style = self.style().fg(self.theme.inline_code);
                if self.theme.has_color() {
                    self.text(&content, style);
                } else {
                    self.text(&format!("`{content}`"), style);
                }
            }
            Event::InlineHtml(content) | Event::Html(content) => {
                let style = self.theme.muted();
                self.text(content.trim_end_matches('\n'), style);
                if content.ends_with('\n') {
                    self.flush();
                }
            }
            Event::SoftBreak => {
                let style = self.style();
                self.text(" ", style);
            }
            Event::HardBreak => self.flush(),
            Event::Rule => {
                self.open_block();
                let rule = self.theme.glyphs.rule.repeat(self.width.min(60));
                self.emit(vec![Span::styled(rule, self.theme.border())], Break::Anywhere);
                self.close_block();
            }
            Event::TaskListMarker(done) => {
                let glyphs = &self.theme.glyphs;
                let (glyph, style) =
                    if done { (glyphs.box_on, self.theme.success()) } else { (glyphs.box_off, self.theme.muted()) };
                self.spans.push(Span::styled(format!("{glyph} "), style));
            }
            Event::FootnoteReference(name) => {
                let style = self.theme.muted();
                self.text(&format!("[{name}]"), style);
            }
            Event::InlineMath(content) | Event::DisplayMath(content) => {
                let style = self.style();
                self.text(&content, style);
            }
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        let theme = self.theme;
        match tag {
            Tag::Paragraph | Tag::HtmlBlock => self.open_block(),
            Tag::Heading { level, .. } => {
                self.open_block();
                let style = Style::new().fg(theme.heading).add_modifier(Modifier::BOLD);
                let style = if level == HeadingLevel::H1 { style.add_modifier(Modifier::UNDERLINED) } else { style };
                self.styles.push(style);
                if level >= HeadingLevel::H3 {
                    let marks = "#".repeat(level as usize);
                    self.spans.push(Span::styled(format!("{marks} "), theme.faint()));
                }
            }
            Tag::BlockQuote(_) => {
                self.open_block();
                let bar = Span::styled(format!("{} ", theme.glyphs.rail), theme.border());
                self.containers.push(Container { first: None, rest: bar });
                self.push_style(|style| style.fg(theme.muted).add_modifier(Modifier::ITALIC));
            }
            Tag::CodeBlock(kind) => {
                self.open_block();
                let language = match kind {
                    CodeBlockKind::Fenced(info) => info.split_whitespace().next().unwrap_or_default().to_owned(),
                    CodeBlockKind::Indented => String::new(),
                };
                self.code = Some((language, String::new()));
            }
            Tag::List(start) => {
                if self.lists.is_empty() {
                    self.open_block();
                } else {
                    self.flush();
                    self.gap = false;
                }
                self.lists.push(start);
            }
            Tag::Item => {
                self.flush();
                self.gap = false;
                let depth = self.lists.len();
                let marker = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        *number += 1;
                        format!("{}. ", *number - 1)
                    }
                    _ if theme.glyphs.bullet == "*" => "- ".to_owned(),
                    _ => ["• ", "◦ ", "▪ "][(depth.max(1) - 1) % 3].to_owned(),
                };
                let rest = Span::raw(" ".repeat(text::width(&marker)));
                self.containers.push(Container { first: Some(Span::styled(marker, theme.accent())), rest });
            }
            Tag::Table(alignments) => {
                self.open_block();
                self.table = Some(Table { alignments, rows: Vec::new(), in_head: false });
            }
            Tag::TableHead => {
                if let Some(table) = &mut self.table {
                    table.in_head = true;
                    table.rows.push(Vec::new());
                }
                self.push_style(|style| style.add_modifier(Modifier::BOLD));
            }
            Tag::TableRow => {
                if let Some(table) = &mut self.table {
                    table.rows.push(Vec::new());
                }
            }
            Tag::TableCell => self.spans.clear(),
            Tag::Emphasis => self.push_style(|style| style.add_modifier(Modifier::ITALIC)),
            Tag::Strong => self.push_style(|style| style.add_modifier(Modifier::BOLD)),
            Tag::Strikethrough => self.push_style(|style| style.add_modifier(Modifier::CROSSED_OUT)),
            Tag::Link { dest_url, .. } => {
                self.link = Some((dest_url.to_string(), self.spans.len()));
                self.push_style(|style| style.fg(theme.link).add_modifier(Modifier::UNDERLINED));
            }
            Tag::Image { dest_url, title, .. } => {
                let label = if title.is_empty() { dest_url.to_string() } else { title.to_string() };
                self.text(&format!("[image: {label}]"), theme.muted());
                self.image = true;
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph | TagEnd::HtmlBlock => self.close_block(),
            TagEnd::Heading(_) => {
                self.flush();
                self.styles.pop();
                self.gap = true;
            }
            TagEnd::BlockQuote(_) => {
                self.flush();
                self.containers.pop();
                self.styles.pop();
                self.gap = true;
            }
            TagEnd::CodeBlock => {
                if let Some((language, code)) = self.code.take() {
                    self.code_block(&language, &code);
                }
            }
            TagEnd::List(_) => {
                self.flush();
                self.lists.pop();
                self.gap = self.lists.is_empty();
            }
            TagEnd::Item => {
                self.flush();
                // An item without content still shows its marker.
                if self.containers.last().is_some_and(|container| container.first.is_some()) {
                    self.emit(Vec::new(), Break::Words);
                }
                self.containers.pop();
                self.gap = false;
            }
            TagEnd::Table => {
                if let Some(table) = self.table.take() {
                    self.render_table(table);
                }
                self.gap = true;
            }
            TagEnd::TableHead => {
                if let Some(table) = &mut self.table {
                    table.in_head = false;
                }
                self.styles.pop();
            }
            TagEnd::TableCell => {
                let cell = std::mem::take(&mut self.spans);
                if let Some(row) = self.table.as_mut().and_then(|table| table.rows.last_mut()) {
                    row.push(cell);
                }
            }
            TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough => {
                self.styles.pop();
            }
            TagEnd::Link => {
                self.styles.pop();
                if let Some((url, from)) = self.link.take() {
                    let label: String =
                        self.spans.get(from..).unwrap_or_default().iter().map(|span| span.content.as_ref()).collect();
                    let shown = label == url || url == format!("mailto:{label}") || url.starts_with('#');
                    if !shown {
                        let style = self.theme.muted();
                        self.text(&format!(" ({url})"), style);
                    }
                }
            }
            TagEnd::Image => self.image = false,
            _ => {}
        }
    }

    fn code_block(&mut self, language: &str, code: &str) {
        let mut highlighter = CodeHighlighter::new(language);
        let rail = Span::styled(format!("{} ", self.theme.glyphs.rail), self.theme.border());
        self.containers.push(Container { first: None, rest: rail });
        let code = code.strip_suffix('\n').unwrap_or(code);
        for line in code.split('\n') {
            let spans = highlighter.line(line, self.theme);
            self.emit(spans, Break::Anywhere);
        }
        self.containers.pop();
        self.gap = true;
    }

    fn render_table(&mut self, table: Table) {
        let columns = table.rows.iter().map(Vec::len).max().unwrap_or(0);
        if columns == 0 {
            return;
        }
        let indent: usize = self.containers.iter().map(|container| text::width(&container.rest.content)).sum();
        let widths = column_widths(&table, columns, self.width.saturating_sub(indent));
        let border = self.theme.border();
        let rail = self.theme.glyphs.rail;
        for (index, row) in table.rows.iter().enumerate() {
            let cells: Vec<Vec<Line<'static>>> = (0..columns)
                .map(|column| {
                    let spans = row.get(column).cloned().unwrap_or_default();
                    text::wrap(Line::from(spans), widths[column], &[], Break::Words)
                })
                .collect();
            let height = cells.iter().map(Vec::len).max().unwrap_or(1);
            for line in 0..height {
                let mut spans = Vec::new();
                for (column, cell) in cells.iter().enumerate() {
                    if column > 0 {
                        spans.push(Span::styled(format!(" {rail} "), border));
                    }
                    let content = cell.get(line).cloned().unwrap_or_default();
                    let free = widths[column].saturating_sub(text::line_width(&content));
                    let (before, after) = match table.alignments.get(column) {
                        Some(Alignment::Right) => (free, 0),
                        Some(Alignment::Center) => (free / 2, free - free / 2),
                        _ => (0, free),
                    };
                    spans.push(Span::raw(" ".repeat(before)));
                    spans.extend(content.spans);
                    spans.push(Span::raw(" ".repeat(after)));
                }
                self.emit(spans, Break::Anywhere);
            }
            if index == 0 {
                let rule = self.theme.glyphs.rule;
                let joint = if rule == "─" { "┼" } else { "+" };
                let line: Vec<String> = widths.iter().map(|w| rule.repeat(*w)).collect();
                let line = line.join(&format!("{rule}{joint}{rule}"));
                self.emit(vec![Span::styled(line, border)], Break::Anywhere);
            }
        }
    }
}

fn is_blank(line: &Line<'_>) -> bool {
    line.spans.iter().all(|span| span.content.trim().is_empty())
}

/// Natural widths when they fit; otherwise the widest columns give way first, none below its longest word when possible.
fn column_widths(table: &Table, columns: usize, available: usize) -> Vec<usize> {
    const SMALLEST: usize = 3;
    let mut natural = vec![SMALLEST; columns];
    let mut minimum = vec![SMALLEST; columns];
    for row in &table.rows {
        for (column, cell) in row.iter().enumerate() {
            let content: String = cell.iter().map(|span| span.content.as_ref()).collect();
            natural[column] = natural[column].max(text::width(&content));
            let longest = content.unicode_words().map(text::width).max().unwrap_or(0).min(20);
            minimum[column] = minimum[column].max(longest);
        }
    }
    let room = available.saturating_sub(3 * (columns - 1)).max(columns * SMALLEST);
    for floor in [&minimum, &vec![SMALLEST; columns]] {
        while natural.iter().sum::<usize>() > room {
            let widest = (0..columns).filter(|c| natural[*c] > floor[*c]).max_by_key(|c| natural[*c]);
            let Some(widest) = widest else { break };
            natural[widest] -= 1;
        }
    }
    natural
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen(source: &str, width: usize) -> String {
        let lines = render(source, width, &Theme::dark());
        let rows: Vec<String> = lines
            .iter()
            .map(|line| {
                let text: String = line.spans.iter().map(|span| span.content.as_ref()).collect();
                text.trim_end().to_owned()
            })
            .collect();
        rows.join("\n")
    }

    #[test]
    fn paragraphs_lists_and_quotes_keep_their_distance() {
        let source = "# Title\n\nSome *text* here.\n\n- one\n- two\n  - nested\n\n1. first\n2. second\n\n> quoted\n";
        insta::assert_snapshot!(screen(source, 40), @r"
        Title

        Some text here.

        • one
        • two
          ◦ nested

        1. first
        2. second

        │ quoted
        ");
    }

    #[test]
    fn list_items_wrap_under_their_text() {
        insta::assert_snapshot!(screen("- alpha beta gamma delta\n", 14), @r"
        • alpha beta
          gamma delta
        ");
    }

    #[test]
    fn code_blocks_have_a_rail_and_keep_every_character() {
        insta::assert_snapshot!(screen("```rust\nfn main() {}\n\n    x\n```\nafter", 30), @r"
        │ fn main() {}
        │
        │     x

        after
        ");
    }

    #[test]
    fn tables_shrink_to_the_width() {
        let source = "| name | what it does |\n|---|--:|\n| a | a rather long description |\n| b | x |\n";
        insta::assert_snapshot!(screen(source, 26), @r"
        name │        what it does
        ─────┼────────────────────
        a    │       a rather long
             │         description
        b    │                   x
        ");
    }

    #[test]
    fn links_show_where_they_go() {
        assert_eq!(
            screen("[docs](https://example.org) and <https://a.b>", 80),
            "docs (https://example.org) and https://a.b"
        );
    }

    #[test]
    fn task_lists_show_boxes() {
        assert_eq!(screen("- [x] done\n- [ ] open", 30), "• ☑ done\n• ☐ open");
    }
}

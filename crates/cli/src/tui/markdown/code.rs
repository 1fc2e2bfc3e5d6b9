//! Highlighted code. The syntax definitions load once, on a thread of their own; until then code is plain.

use std::str::FromStr;
use std::sync::OnceLock;

use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use syntect::highlighting::{
    Color as SynColor, FontStyle, HighlightIterator, HighlightState, Highlighter, ScopeSelectors, StyleModifier,
    Theme as SynTheme, ThemeItem, ThemeSettings,
};
use syntect::parsing::{ParseState, ScopeStack, SyntaxReference, SyntaxSet};

use crate::tui::text;
use crate::tui::theme::{SyntaxColors, Theme};

/// Code beyond this is shown plain: nobody reads colours there, and the parser is not free.
const MAX_HIGHLIGHTED_BYTES: usize = 200 * 1024;
/// Minified lines stall the regular expressions.
const MAX_HIGHLIGHTED_LINE: usize = 1_000;

struct Assets {
    syntaxes: SyntaxSet,
    theme: SynTheme,
}

static ASSETS: OnceLock<Assets> = OnceLock::new();

/// Loads the syntax definitions in the background.
pub fn preload() {
    // A failed spawn only means that the first code block loads them.
    let _ = std::thread::Builder::new().name("syntaxes".into()).spawn(assets);
}

fn assets() -> &'static Assets {
    ASSETS.get_or_init(|| Assets { syntaxes: SyntaxSet::load_defaults_newlines(), theme: role_theme() })
}

/// Roles are carried through syntect as the red channel, so one parse serves every theme.
const ROLES: [(&str, u8); 14] = [
    ("comment, punctuation.definition.comment", 1),
    ("string, punctuation.definition.string, markup.raw", 2),
    ("constant, constant.numeric, constant.character.escape", 3),
    ("keyword, storage, storage.modifier, keyword.operator.word", 4),
    ("keyword.operator", 8),
    ("entity.name.function, support.function, variable.function, meta.function-call entity.name", 5),
    ("entity.name.type, entity.name.class, support.type, support.class, storage.type, entity.other.inherited-class", 6),
    ("entity.name.struct, entity.name.enum, entity.name.trait, entity.name.impl", 6),
    ("variable", 7),
    ("punctuation", 8),
    ("entity.name.tag, meta.tag, support.type.property-name, meta.mapping.key string", 9),
    ("entity.other.attribute-name", 6),
    ("markup.heading, entity.name.section", 9),
    ("markup.bold, markup.italic", 6),
];

fn role_theme() -> SynTheme {
    let color = |role: u8| SynColor { r: role, g: 0, b: 0, a: 255 };
    let scopes = ROLES
        .iter()
        .filter_map(|(selector, role)| {
            let scope = ScopeSelectors::from_str(selector).ok()?;
            let style = StyleModifier { foreground: Some(color(*role)), background: None, font_style: None };
            Some(ThemeItem { scope, style })
        })
        .collect();
    let settings = ThemeSettings { foreground: Some(color(0)), ..ThemeSettings::default() };
    SynTheme { scopes, settings, ..SynTheme::default() }
}

fn role_color(role: u8, colors: &SyntaxColors) -> Color {
    match role {
        1 => colors.comment,
        2 => colors.string,
        3 => colors.number,
        4 => colors.keyword,
        5 => colors.function,
        6 => colors.type_name,
        7 => colors.variable,
        8 => colors.punctuation,
        9 => colors.tag,
        _ => colors.plain,
    }
}

/// The syntax for a fence's language word or a file's extension; none for plain text.
fn syntax_for<'a>(set: &'a SyntaxSet, token: &str) -> Option<&'a SyntaxReference> {
    let token = token.trim().to_ascii_lowercase();
    let token = token.split([',', ' ', '{']).next().unwrap_or_default();
    // Languages the bundled set lacks are read as their nearest relative.
    let alias = match token {
        "" | "text" | "txt" | "plain" | "output" => return None,
        "ts" | "tsx" | "jsx" | "typescript" | "mjs" | "cjs" | "mts" => "js",
        "toml" | "ini" | "cfg" | "conf" | "env" | "properties" => "properties",
        "sh" | "zsh" | "shell" | "console" | "shellsession" | "fish" | "bash" | "dockerfile" => "sh",
        "jsonc" | "json5" | "jsonl" => "json",
        "vue" | "svelte" | "astro" => "html",
        "kt" | "kts" | "kotlin" => "java",
        "swift" | "dart" | "zig" => "rs",
        "yml" => "yaml",
        "golang" => "go",
        other => other,
    };
    set.find_syntax_by_token(alias).or_else(|| set.find_syntax_by_extension(alias))
}

/// Language word of a path: its extension, or the name of files known by name.
pub fn language_of(path: &str) -> &str {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    match name {
        "Dockerfile" | "Containerfile" => "dockerfile",
        "Makefile" | "makefile" | "justfile" => "makefile",
        "Cargo.lock" => "toml",
        _ => name.rsplit_once('.').map_or("", |(_, extension)| extension),
    }
}

/// A parser that goes on where it stopped: streamed code is highlighted line by line, once.
pub struct CodeHighlighter {
    state: Option<(ParseState, HighlightState)>,
    bytes: usize,
}

impl CodeHighlighter {
    pub fn new(language: &str) -> Self {
        let assets = assets();
        let state = syntax_for(&assets.syntaxes, language).map(|syntax| {
            let highlighter = Highlighter::new(&assets.theme);
            (ParseState::new(syntax), HighlightState::new(&highlighter, ScopeStack::new()))
        });
        Self { state, bytes: 0 }
    }

    /// Highlights the next line (without its line break).
    pub fn line(&mut self, source: &str, theme: &Theme) -> Vec<Span<'static>> {
        self.bytes += source.len();
        let plain =
            |source: &str| vec![Span::styled(text::sanitize(source).into_owned(), Style::new().fg(theme.syntax.plain))];
        if !theme.has_color() || self.bytes > MAX_HIGHLIGHTED_BYTES || source.len() > MAX_HIGHLIGHTED_LINE {
            return plain(source);
        }
        let Some((parse, highlight)) = &mut self.state else { return plain(source) };
        let assets = assets();
        let terminated = format!("{source}\n");
        let Ok(ops) = parse.parse_line(&terminated, &assets.syntaxes) else { return plain(source) };
        let highlighter = Highlighter::new(&assets.theme);
        HighlightIterator::new(highlight, &ops, &terminated, &highlighter)
            .filter_map(|(style, piece)| {
                let piece = piece.trim_end_matches('\n');
                if piece.is_empty() {
                    return None;
                }
                let mut out = Style::new().fg(role_color(style.foreground.r, &theme.syntax));
                if style.font_style.contains(FontStyle::BOLD) {
                    out = out.add_modifier(Modifier::BOLD);
                }
                if style.foreground.r == 1 {
                    out = out.add_modifier(Modifier::ITALIC);
                }
                Some(Span::styled(text::sanitize(piece).into_owned(), out))
            })
            .collect()
    }
}

/// Highlights a whole piece of code.
pub fn highlight(source: &str, language: &str, theme: &Theme) -> Vec<Line<'static>> {
    let mut highlighter = CodeHighlighter::new(language);
    source.lines().map(|line| Line::from(highlighter.line(line, theme))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_and_strings_get_their_colours() {
        let theme = Theme::dark();
        let lines = highlight("let x = \"hi\"; // note", "rust", &theme);
        let color_of = |needle: &str| {
            lines[0].spans.iter().find(|span| span.content.contains(needle)).and_then(|span| span.style.fg)
        };
        assert_eq!(color_of("hi"), Some(theme.syntax.string));
        assert_eq!(color_of("note"), Some(theme.syntax.comment));
        assert_ne!(color_of("let"), Some(theme.syntax.plain));
    }

    #[test]
    fn unknown_languages_stay_plain() {
        let theme = Theme::dark();
        let lines = highlight("let x", "no-such-language", &theme);
        assert_eq!(lines[0].spans.len(), 1);
    }

    #[test]
    fn languages_are_found_by_file_name() {
        assert_eq!(language_of("src/main.rs"), "rs");
        assert_eq!(language_of("docker/Dockerfile"), "dockerfile");
        assert_eq!(language_of("README"), "");
    }
}

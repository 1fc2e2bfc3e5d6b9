//! Colours by role, and the glyphs that go with them. Nothing else in the interface names a colour.

use std::time::Duration;

use ratatui::style::{Color, Modifier, Style};

/// How many colours the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColorDepth {
    /// 24-bit colours.
    True,
    /// The 256-colour palette.
    Indexed,
    /// None: structure is carried by glyphs, bold and reverse alone.
    None,
}

/// What the environment says about the terminal's abilities.
#[derive(Debug, Clone, Default)]
pub struct TerminalEnv {
    pub no_color: bool,
    pub colorterm: String,
    pub term: String,
    pub term_program: String,
    pub colorfgbg: String,
    pub locale: String,
}

impl TerminalEnv {
    /// Reads it from the variables the program was started with.
    pub fn read(vars: &pizzapi_config::Vars) -> Self {
        let var = |name: &str| vars.get(name).unwrap_or_default().to_owned();
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().map(var).find(|v| !v.is_empty()).unwrap_or_default();
        Self {
            no_color: !var("NO_COLOR").is_empty(),
            colorterm: var("COLORTERM"),
            term: var("TERM"),
            term_program: var("TERM_PROGRAM"),
            colorfgbg: var("COLORFGBG"),
            locale,
        }
    }

    pub fn depth(&self) -> ColorDepth {
        if self.no_color || self.term == "dumb" {
            return ColorDepth::None;
        }
        let truecolor = matches!(self.colorterm.as_str(), "truecolor" | "24bit")
            || self.term.contains("direct")
            || self.term.contains("kitty")
            || self.term.contains("ghostty")
            || self.term.contains("alacritty")
            || matches!(self.term_program.as_str(), "iTerm.app" | "WezTerm" | "vscode" | "ghostty");
        if truecolor { ColorDepth::True } else { ColorDepth::Indexed }
    }

    /// Whether the background is light, as far as the environment tells.
    pub fn is_light(&self) -> bool {
        // `COLORFGBG` is "fg;bg" or "fg;default;bg"; 7 and 9 to 15 are the light half of the palette.
        let background = self.colorfgbg.rsplit(';').next().and_then(|bg| bg.parse::<u8>().ok());
        matches!(background, Some(7 | 9..=15))
    }

    pub fn is_unicode(&self) -> bool {
        let locale = self.locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8") || (locale.is_empty() && self.term != "linux")
    }
}

/// Glyphs, with a plain set for terminals without Unicode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glyphs {
    pub spinner: &'static [&'static str],
    pub bullet: &'static str,
    pub hollow: &'static str,
    pub bar: &'static str,
    pub rail: &'static str,
    pub corner: &'static str,
    pub rule: &'static str,
    pub ellipsis: &'static str,
    pub check: &'static str,
    pub cross: &'static str,
    pub pending: &'static str,
    pub progress: &'static str,
    pub cancelled: &'static str,
    pub pointer: &'static str,
    pub prompt: &'static str,
    pub thinking: &'static str,
    pub separator: &'static str,
    pub branch: &'static str,
    pub up: &'static str,
    pub down: &'static str,
    pub logo: &'static str,
    pub box_on: &'static str,
    pub box_off: &'static str,
}

pub const UNICODE: Glyphs = Glyphs {
    spinner: &["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"],
    bullet: "●",
    hollow: "○",
    bar: "▌",
    rail: "│",
    corner: "╰",
    rule: "─",
    ellipsis: "…",
    check: "✓",
    cross: "✗",
    pending: "○",
    progress: "◐",
    cancelled: "⊘",
    pointer: "❯",
    prompt: "❯",
    thinking: "✻",
    separator: "·",
    branch: "⎇",
    up: "↑",
    down: "↓",
    logo: "🍕",
    box_on: "☑",
    box_off: "☐",
};

pub const ASCII: Glyphs = Glyphs {
    spinner: &["|", "/", "-", "\\"],
    bullet: "*",
    hollow: "o",
    bar: "|",
    rail: "|",
    corner: "`",
    rule: "-",
    ellipsis: "...",
    check: "+",
    cross: "x",
    pending: "o",
    progress: "~",
    cancelled: "-",
    pointer: ">",
    prompt: ">",
    thinking: "*",
    separator: "-",
    branch: "@",
    up: "^",
    down: "v",
    logo: "(>",
    box_on: "[x]",
    box_off: "[ ]",
};

/// One frame of the spinner.
pub const SPINNER_INTERVAL: Duration = Duration::from_millis(80);

/// Every style of the interface by what it means.
#[derive(Debug, Clone, PartialEq)]
pub struct Theme {
    pub name: &'static str,
    pub glyphs: Glyphs,
    pub depth: ColorDepth,
    pub text: Color,
    pub muted: Color,
    pub faint: Color,
    pub accent: Color,
    pub accent_alt: Color,
    pub success: Color,
    pub warning: Color,
    pub error: Color,
    pub info: Color,
    pub border: Color,
    pub heading: Color,
    pub link: Color,
    pub inline_code: Color,
    pub user_bg: Color,
    pub panel_bg: Color,
    pub selected_bg: Color,
    pub added_bg: Color,
    pub removed_bg: Color,
    pub added_strong_bg: Color,
    pub removed_strong_bg: Color,
    pub added: Color,
    pub removed: Color,
    pub thinking: [Color; 7],
    pub syntax: SyntaxColors,
}

/// Colours of highlighted code.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SyntaxColors {
    pub plain: Color,
    pub comment: Color,
    pub string: Color,
    pub number: Color,
    pub keyword: Color,
    pub function: Color,
    pub type_name: Color,
    pub variable: Color,
    pub punctuation: Color,
    pub tag: Color,
}

const fn rgb(hex: u32) -> Color {
    Color::Rgb((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
}

impl Theme {
    /// The theme for a terminal: the named one, else by background, reduced to what it can show.
    pub fn for_terminal(name: Option<&str>, env: &TerminalEnv) -> Self {
        let theme = match name {
            Some(name) if name.contains("light") => Self::light(),
            Some(name) if name.contains("dark") => Self::dark(),
            _ if env.is_light() => Self::light(),
            _ => Self::dark(),
        };
        let glyphs = if env.is_unicode() { UNICODE } else { ASCII };
        Self { glyphs, ..theme.at_depth(env.depth()) }
    }

    pub fn dark() -> Self {
        Self {
            name: "pizzapi-dark",
            glyphs: UNICODE,
            depth: ColorDepth::True,
            text: rgb(0xe6e1dc),
            muted: rgb(0x9d968f),
            faint: rgb(0x7a736d),
            accent: rgb(0xff9e64),
            accent_alt: rgb(0xf2c14e),
            success: rgb(0x8fbf6a),
            warning: rgb(0xe9b44c),
            error: rgb(0xf07068),
            info: rgb(0x7fb4e0),
            border: rgb(0x4a4541),
            heading: rgb(0xffb784),
            link: rgb(0x7fb4e0),
            inline_code: rgb(0xf2c14e),
            user_bg: rgb(0x2b2724),
            panel_bg: rgb(0x211e1c),
            selected_bg: rgb(0x3a332e),
            added_bg: rgb(0x1d2b1c),
            removed_bg: rgb(0x361e1e),
            added_strong_bg: rgb(0x2f5130),
            removed_strong_bg: rgb(0x66302f),
            added: rgb(0x8fbf6a),
            removed: rgb(0xf07068),
            thinking: [
                rgb(0x7a736d),
                rgb(0x6f7d8c),
                rgb(0x6d94b8),
                rgb(0x7fb4e0),
                rgb(0xa48ae0),
                rgb(0xc77fd1),
                rgb(0xff7eb6),
            ],
            syntax: SyntaxColors {
                plain: rgb(0xdcd6d0),
                comment: rgb(0x7d766f),
                string: rgb(0xa9c77d),
                number: rgb(0xe0a3d4),
                keyword: rgb(0xf08d6b),
                function: rgb(0x82b6e0),
                type_name: rgb(0xecc46a),
                variable: rgb(0xdcd6d0),
                punctuation: rgb(0xa8a099),
                tag: rgb(0xf08d6b),
            },
        }
    }

    pub fn light() -> Self {
        Self {
            name: "pizzapi-light",
            glyphs: UNICODE,
            depth: ColorDepth::True,
            text: rgb(0x2c2825),
            muted: rgb(0x6e6660),
            faint: rgb(0x928a82),
            accent: rgb(0xb8500f),
            accent_alt: rgb(0x8f6a00),
            success: rgb(0x3d7a1f),
            warning: rgb(0x966200),
            error: rgb(0xb3261e),
            info: rgb(0x1f65a3),
            border: rgb(0xcfc8c1),
            heading: rgb(0x9c4310),
            link: rgb(0x1f65a3),
            inline_code: rgb(0x8f4a00),
            user_bg: rgb(0xf0ebe5),
            panel_bg: rgb(0xf7f3ee),
            selected_bg: rgb(0xe7ded5),
            added_bg: rgb(0xe3f2db),
            removed_bg: rgb(0xfae3e0),
            added_strong_bg: rgb(0xbfe0b0),
            removed_strong_bg: rgb(0xf2bdb7),
            added: rgb(0x3d7a1f),
            removed: rgb(0xb3261e),
            thinking: [
                rgb(0xa8a099),
                rgb(0x7c8996),
                rgb(0x507ea6),
                rgb(0x1f65a3),
                rgb(0x6a4bb8),
                rgb(0x9a3fa6),
                rgb(0xc02a72),
            ],
            syntax: SyntaxColors {
                plain: rgb(0x2c2825),
                comment: rgb(0x8a827b),
                string: rgb(0x4a7a1f),
                number: rgb(0x9a3f8a),
                keyword: rgb(0xb8430f),
                function: rgb(0x1f65a3),
                type_name: rgb(0x8f6a00),
                variable: rgb(0x2c2825),
                punctuation: rgb(0x6e6660),
                tag: rgb(0xb8430f),
            },
        }
    }

    fn at_depth(mut self, depth: ColorDepth) -> Self {
        self.depth = depth;
        if depth == ColorDepth::True {
            return self;
        }
        let reduce = |color: &mut Color| {
            *color = match (depth, *color) {
                (ColorDepth::None, _) => Color::Reset,
                (_, Color::Rgb(r, g, b)) => Color::Indexed(nearest_indexed(r, g, b)),
                (_, other) => other,
            };
        };
        for color in [
            &mut self.text,
            &mut self.muted,
            &mut self.faint,
            &mut self.accent,
            &mut self.accent_alt,
            &mut self.success,
            &mut self.warning,
            &mut self.error,
            &mut self.info,
            &mut self.border,
            &mut self.heading,
            &mut self.link,
            &mut self.inline_code,
            &mut self.user_bg,
            &mut self.panel_bg,
            &mut self.selected_bg,
            &mut self.added_bg,
            &mut self.removed_bg,
            &mut self.added_strong_bg,
            &mut self.removed_strong_bg,
            &mut self.added,
            &mut self.removed,
        ] {
            reduce(color);
        }
        self.thinking.iter_mut().for_each(&reduce);
        let syntax = &mut self.syntax;
        for color in [
            &mut syntax.plain,
            &mut syntax.comment,
            &mut syntax.string,
            &mut syntax.number,
            &mut syntax.keyword,
            &mut syntax.function,
            &mut syntax.type_name,
            &mut syntax.variable,
            &mut syntax.punctuation,
            &mut syntax.tag,
        ] {
            reduce(color);
        }
        self
    }

    pub fn has_color(&self) -> bool {
        self.depth != ColorDepth::None
    }

    pub fn base(&self) -> Style {
        Style::new().fg(self.text)
    }
    pub fn muted(&self) -> Style {
        let style = Style::new().fg(self.muted);
        if self.has_color() { style } else { style.add_modifier(Modifier::DIM) }
    }
    pub fn faint(&self) -> Style {
        let style = Style::new().fg(self.faint);
        if self.has_color() { style } else { style.add_modifier(Modifier::DIM) }
    }
    pub fn accent(&self) -> Style {
        Style::new().fg(self.accent)
    }
    pub fn strong(&self) -> Style {
        self.base().add_modifier(Modifier::BOLD)
    }
    pub fn title(&self) -> Style {
        self.accent().add_modifier(Modifier::BOLD)
    }
    pub fn success(&self) -> Style {
        Style::new().fg(self.success)
    }
    pub fn warning(&self) -> Style {
        Style::new().fg(self.warning)
    }
    pub fn error(&self) -> Style {
        let style = Style::new().fg(self.error);
        if self.has_color() { style } else { style.add_modifier(Modifier::BOLD) }
    }
    pub fn info(&self) -> Style {
        Style::new().fg(self.info)
    }
    pub fn border(&self) -> Style {
        Style::new().fg(self.border)
    }
    /// The row a list's cursor is on.
    pub fn selected(&self) -> Style {
        let style = self.base().bg(self.selected_bg).add_modifier(Modifier::BOLD);
        if self.has_color() { style } else { style.add_modifier(Modifier::REVERSED) }
    }
    pub fn key(&self) -> Style {
        self.base().add_modifier(Modifier::BOLD)
    }

    /// Colour of a thinking level, also used as the border of the composer.
    pub fn thinking_level(&self, level: &str) -> Color {
        let index = ["off", "minimal", "low", "medium", "high", "xhigh", "max"].iter().position(|name| *name == level);
        self.thinking[index.unwrap_or(0)]
    }
}

/// The closest entry of the 256-colour cube and grey ramp.
fn nearest_indexed(r: u8, g: u8, b: u8) -> u8 {
    const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let nearest = |v: u8| (0..6).min_by_key(|i| STEPS[*i].abs_diff(v)).unwrap_or(0);
    let (ri, gi, bi) = (nearest(r), nearest(g), nearest(b));
    let distance = |x: u8, y: u8, z: u8| {
        let square = |a: u8, b: u8| i32::from(a.abs_diff(b)).pow(2);
        square(x, r) + square(y, g) + square(z, b)
    };
    let cube = distance(STEPS[ri], STEPS[gi], STEPS[bi]);
    let average = (u32::from(r) + u32::from(g) + u32::from(b)) / 3;
    let step = (average.saturating_sub(8) / 10).min(23) as u8;
    let grey = 8 + step * 10;
    if distance(grey, grey, grey) < cube { 232 + step } else { (16 + 36 * ri + 6 * gi + bi) as u8 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_color_leaves_no_colour_in_any_role() {
        let env = TerminalEnv { no_color: true, locale: "C.UTF-8".into(), ..TerminalEnv::default() };
        let theme = Theme::for_terminal(Some("pizzapi-dark"), &env);
        assert_eq!([theme.text, theme.user_bg, theme.error, theme.syntax.string], [Color::Reset; 4]);
        assert!(theme.selected().add_modifier.contains(Modifier::REVERSED));
    }

    #[test]
    fn a_light_background_chooses_the_light_theme() {
        let env = TerminalEnv { colorfgbg: "0;15".into(), colorterm: "truecolor".into(), ..TerminalEnv::default() };
        assert_eq!(Theme::for_terminal(None, &env).name, "pizzapi-light");
        assert_eq!(Theme::for_terminal(Some("pizzapi-dark"), &env).name, "pizzapi-dark");
    }

    #[test]
    fn colours_fall_back_to_the_256_palette() {
        let theme = Theme::dark().at_depth(ColorDepth::Indexed);
        assert!(matches!(theme.accent, Color::Indexed(_)));
        assert_eq!(nearest_indexed(255, 255, 255), 231);
        assert_eq!(nearest_indexed(128, 128, 128), 244);
    }

    #[test]
    fn a_plain_locale_gets_plain_glyphs() {
        let env = TerminalEnv { locale: "C".into(), term: "xterm".into(), ..TerminalEnv::default() };
        assert_eq!(Theme::for_terminal(None, &env).glyphs, ASCII);
    }
}

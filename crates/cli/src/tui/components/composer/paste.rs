//! Pasted text: short pieces go into the line, long ones become a placeholder; image files become attachments.

use std::path::{Path, PathBuf};

/// Above either bound a paste is shown as a placeholder.
const LARGE_LINES: usize = 10;
const LARGE_CHARS: usize = 1_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    Text(String),
    Image(PathBuf),
}

/// A placeholder in the text and what it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chip {
    pub label: String,
    pub content: Content,
}

#[derive(Debug, Default)]
pub struct Pastes {
    chips: Vec<Chip>,
    count: usize,
}

impl Pastes {
    /// What to insert into the line for a paste.
    pub fn accept(&mut self, text: &str, is_file: impl Fn(&Path) -> bool) -> String {
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        if let Some(path) = image_path(&text).filter(|path| is_file(path)) {
            self.count += 1;
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let label = format!("[image #{} {name}]", self.count);
            self.chips.push(Chip { label: label.clone(), content: Content::Image(path) });
            return label;
        }
        let lines = text.lines().count();
        if lines <= LARGE_LINES && text.chars().count() <= LARGE_CHARS {
            return text;
        }
        self.count += 1;
        let label = format!("[paste #{} +{lines} lines]", self.count);
        self.chips.push(Chip { label: label.clone(), content: Content::Text(text) });
        label
    }

    pub fn chips(&self) -> &[Chip] {
        &self.chips
    }

    pub fn clear(&mut self) {
        self.chips.clear();
        self.count = 0;
    }

    /// The text with its placeholders replaced, and the images it mentions.
    pub fn expand(&self, text: &str) -> (String, Vec<PathBuf>) {
        let mut text = text.to_owned();
        let mut images = Vec::new();
        for chip in &self.chips {
            if !text.contains(&chip.label) {
                continue;
            }
            match &chip.content {
                Content::Text(content) => text = text.replace(&chip.label, content),
                Content::Image(path) => images.push(path.clone()),
            }
        }
        (text, images)
    }
}

/// The one image file a paste names: terminals paste dropped files as quoted or escaped paths, or as URLs.
fn image_path(text: &str) -> Option<PathBuf> {
    let text = text.trim();
    if text.contains('\n') || text.len() > 4096 {
        return None;
    }
    let text = text.strip_prefix("file://").unwrap_or(text);
    let unquoted = ['\'', '"'].into_iter().find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote));
    let path = unquoted.map_or_else(|| text.replace("\\ ", " "), str::to_owned);
    let extension = path.rsplit_once('.')?.1.to_ascii_lowercase();
    let is_image = matches!(extension.as_str(), "png" | "jpg" | "jpeg" | "gif" | "webp" | "bmp");
    (is_image && path.starts_with('/')).then(|| PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_pastes_become_placeholders_and_come_back_on_sending() {
        let mut pastes = Pastes::default();
        let long: String = (0..12).map(|n| format!("line {n}\n")).collect();
        let label = pastes.accept(&long, |_| false);
        assert_eq!(label, "[paste #1 +12 lines]");
        assert_eq!(pastes.expand(&format!("look: {label}!")), (format!("look: {long}!"), vec![]));
        assert_eq!(pastes.accept("short\r\ntext", |_| false), "short\ntext");
    }

    #[test]
    fn a_dropped_image_is_attached() {
        let mut pastes = Pastes::default();
        let label = pastes.accept("'/tmp/my shot.png'", |path| path == Path::new("/tmp/my shot.png"));
        assert_eq!(label, "[image #1 my shot.png]");
        let (text, images) = pastes.expand(&label);
        assert_eq!((text.as_str(), images), ("[image #1 my shot.png]", vec![PathBuf::from("/tmp/my shot.png")]));
        assert_eq!(pastes.accept("/tmp/gone.png", |_| false), "/tmp/gone.png");
    }
}

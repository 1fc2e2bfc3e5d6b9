//! What a mode means for the look of a session, with every gap filled.

use crate::json::wire;
use crate::service::{ModeSuggestion, ServiceModeDef, ToolRendering};

wire! {
    /// The look of a session, complete.
    pub struct ResolvedMode {
        git: bool,
        terminal: bool,
        processes: bool,
        diffs: bool,
        files: bool,
        tool_rendering: ToolRendering,
        session_noun: String,
        session_noun_plural: String,
        new_session_label: String,
        accent: String | null,
        composer_placeholder: String | null,
        greeting: String | null,
        suggestions: Vec<ModeSuggestion>,
        recent: bool,
        artifacts: bool,
        /// Without dot, lower case.
        artifact_extensions: Vec<String>,
        scheduled: bool,
    }
}

/// Files shown as results of work when a mode does not say which.
const ARTIFACT_EXTENSIONS: [&str; 12] =
    ["md", "html", "pdf", "csv", "xlsx", "docx", "pptx", "png", "jpg", "jpeg", "svg", "json"];

/// Fill the gaps of a mode; without one, sessions look like coding sessions.
pub fn resolve_mode(mode: Option<&ServiceModeDef>) -> ResolvedMode {
    let ui = mode.and_then(|mode| mode.ui.clone()).unwrap_or_default();
    let work = ui.preset.as_deref() == Some("work");
    let chrome = ui.chrome.unwrap_or_default();
    let vocabulary = ui.vocabulary.unwrap_or_default();
    let home = ui.home.unwrap_or_default();
    let noun = vocabulary.session.unwrap_or_else(|| "session".to_owned());
    let extensions: Vec<String> = ui
        .artifacts
        .as_ref()
        .and_then(|artifacts| artifacts.extensions.as_ref())
        .map(|list| list.iter().map(|name| name.strip_prefix('.').unwrap_or(name).to_lowercase()).collect())
        .unwrap_or_default();
    ResolvedMode {
        git: chrome.git.unwrap_or(!work),
        terminal: chrome.terminal.unwrap_or(!work),
        processes: chrome.processes.unwrap_or(!work),
        diffs: chrome.diffs.unwrap_or(!work),
        files: chrome.files.unwrap_or(true),
        tool_rendering: ui.tool_rendering.unwrap_or(if work {
            ToolRendering::Activity
        } else {
            ToolRendering::Detailed
        }),
        session_noun_plural: vocabulary.sessions.unwrap_or_else(|| format!("{noun}s")),
        new_session_label: vocabulary.new_session.unwrap_or_else(|| format!("New {noun}")),
        session_noun: noun,
        accent: ui.accent,
        composer_placeholder: ui.composer_placeholder,
        greeting: home.greeting,
        suggestions: home.suggestions.unwrap_or_default(),
        recent: home.recent.unwrap_or(true),
        artifacts: ui.artifacts.is_some_and(|artifacts| artifacts.enabled),
        artifact_extensions: if extensions.is_empty() {
            ARTIFACT_EXTENSIONS.map(str::to_owned).to_vec()
        } else {
            extensions
        },
        scheduled: ui.scheduled.unwrap_or(false),
    }
}

/// Is this file a result of work, by its last extension?
pub fn is_artifact_path(mode: &ResolvedMode, path: &str) -> bool {
    let Some((_, extension)) = path.rsplit_once('.') else { return false };
    let word = !extension.is_empty() && extension.bytes().all(|byte| byte.is_ascii_alphanumeric());
    mode.artifacts && word && mode.artifact_extensions.contains(&extension.to_lowercase())
}

/// Does the folder lie in the workspace? Slashes at the end of the workspace do not count.
pub fn cwd_in_workspace(cwd: &str, workspace: &str) -> bool {
    let workspace = workspace.trim_end_matches('/');
    if workspace.is_empty() {
        return false;
    }
    cwd.strip_prefix(workspace).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Is something that belongs to `modes` shown in the active mode? No modes: everywhere.
pub fn is_visible_in_mode(modes: Option<&[String]>, active: Option<&str>) -> bool {
    match modes {
        None | Some([]) => true,
        Some(modes) => active.is_some_and(|active| modes.iter().any(|mode| mode == active)),
    }
}

/// The mode of a session: the one with the deepest workspace around its folder; of equals, the first.
///
/// `runners` are the session's runner and the one the modes come from; when both are given they must be the same.
pub fn find_session_mode<'a>(
    cwd: &str,
    modes: &'a [ServiceModeDef],
    runners: (Option<&str>, Option<&str>),
) -> Option<&'a ServiceModeDef> {
    let (of_session, of_modes) = runners;
    if cwd.is_empty() || (of_modes.is_some() && of_session != of_modes) {
        return None;
    }
    let depth = |mode: &ServiceModeDef| mode.workspace.trim_end_matches('/').len();
    modes.iter().filter(|mode| cwd_in_workspace(cwd, &mode.workspace)).fold(None, |best, mode| match best {
        Some(best) if depth(best) >= depth(mode) => Some(best),
        _ => Some(mode),
    })
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    fn mode(json: &str) -> ServiceModeDef {
        serde_json::from_str(json).expect("a mode")
    }

    #[test]
    fn without_a_mode_everything_is_shown() {
        let plain = resolve_mode(None);
        assert!(plain.git && plain.terminal && plain.processes && plain.diffs && plain.files && plain.recent);
        assert_eq!(plain.tool_rendering, ToolRendering::Detailed);
        assert_eq!((plain.session_noun.as_str(), plain.new_session_label.as_str()), ("session", "New session"));
        assert!(!plain.artifacts && !is_artifact_path(&plain, "a.md"));
    }

    #[test]
    fn work_shows_files_and_what_it_asks_for() {
        let work = resolve_mode(Some(&mode(
            r#"{"id":"w","label":"Work","workspace":"/w","ui":{"preset":"work","chrome":{"git":true},
                "vocabulary":{"session":"task"},"artifacts":{"enabled":true,"extensions":[".TXT"]}}}"#,
        )));
        assert!(work.git && work.files && !work.terminal && !work.diffs);
        assert_eq!(work.tool_rendering, ToolRendering::Activity);
        assert_eq!((work.session_noun_plural.as_str(), work.new_session_label.as_str()), ("tasks", "New task"));
        assert!(is_artifact_path(&work, "/w/a.b.TxT") && !is_artifact_path(&work, "/w/a.md"));
    }

    #[test]
    fn the_deepest_workspace_wins_whatever_its_slashes() {
        let modes = [
            mode(r#"{"id":"a","label":"A","workspace":"/w///////"}"#),
            mode(r#"{"id":"b","label":"B","workspace":"/w/x"}"#),
            mode(r#"{"id":"c","label":"C","workspace":"/w/x/"}"#),
        ];
        let id = |cwd| find_session_mode(cwd, &modes, (Some("r"), Some("r"))).map(|mode| mode.id.as_str());
        assert_eq!(id("/w/x/y"), Some("b"));
        assert_eq!(id("/w/xy"), Some("a"));
        assert_eq!(id("/other"), None);
        assert_eq!(find_session_mode("/w", &modes, (Some("r"), Some("s"))), None);
        assert!(!cwd_in_workspace("/w", "/"));
    }

    #[test]
    fn things_without_modes_are_shown_everywhere() {
        assert!(is_visible_in_mode(None, None) && is_visible_in_mode(Some(&[]), Some("a")));
        assert!(is_visible_in_mode(Some(&["a".to_owned()]), Some("a")));
        assert!(!is_visible_in_mode(Some(&["a".to_owned()]), None));
    }
}

//! (state, what happened) → effects. Pure: nothing here touches the terminal, the agent or the clock.

mod agent;
pub mod commands;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

use super::app::{Activity, App, DOUBLE_PRESS_MS, Queue, Selection};
use super::component::Reaction;
use super::components::approval::Approval;
use super::components::composer::{Outcome, Submission};
use super::components::help::Help;
use super::components::picker::{Picker, Purpose};
use super::components::plan::PlanReview;
use super::components::question::QuestionBox;
use super::components::transcript::message::Level;
use super::components::transcript::tool_call::{ToolCall, ToolState};
use super::components::transcript::{CellKind, Switches};
use super::effect::Effect;
use super::event::{AppEvent, Decision, Loaded, Local, StateView};
use super::keymap::Action;

/// Rows per notch of the mouse wheel.
const WHEEL_ROWS: usize = 3;
/// Key of the user's own command while it runs.
const LIVE_SHELL: &str = "live-shell";
/// A run at least this long rings when it ends while nobody looks.
const ATTENTION_AFTER_MS: u64 = 10_000;

/// Applies one event. `now` is Unix ms.
pub fn update(app: &mut App, event: AppEvent, now: u64) -> Vec<Effect> {
    app.now = now;
    let mut effects = match event {
        AppEvent::Key(key) if key.kind == KeyEventKind::Release => Vec::new(),
        AppEvent::Key(key) => on_key(app, key),
        AppEvent::Paste(text) => on_paste(app, &text),
        AppEvent::Mouse(mouse) => on_mouse(app, mouse),
        AppEvent::Resize => {
            app.selection = None;
            Vec::new()
        }
        AppEvent::Focus(focused) => {
            app.focused = focused;
            Vec::new()
        }
        AppEvent::Tick => on_tick(app),
        AppEvent::Agent(event) => agent::on_event(app, &event),
        AppEvent::Local(local) => on_local(app, local),
        AppEvent::Link(link) => {
            app.status.link = link;
            Vec::new()
        }
        AppEvent::Branch(branch) => {
            app.status.branch = branch;
            Vec::new()
        }
        AppEvent::Loaded(loaded) => on_loaded(app, loaded),
        AppEvent::Notice(level, text) => {
            app.transcript.notice(level, text);
            Vec::new()
        }
        AppEvent::Toast(level, text) => {
            app.toast(level, text);
            Vec::new()
        }
        AppEvent::RunCommand(command) => commands::run(app, &command).unwrap_or_default(),
        AppEvent::PickModel { filter, items } => {
            app.open_now(Box::new(Picker::new(Purpose::Model, "Model", items).filtered(&filter)));
            Vec::new()
        }
        AppEvent::Block { label, body } => {
            app.transcript.block(label, body);
            Vec::new()
        }
    };
    if app.composer.take_files_request() {
        effects.push(Effect::LoadFiles);
    }
    let title = window_title(app);
    if title != app.title {
        app.title.clone_from(&title);
        effects.push(Effect::SetTitle(title));
    }
    effects
}

fn window_title(app: &App) -> String {
    let mark = if app.is_busy() { "● " } else { "" };
    let folder = app.cwd.rsplit(['/', '\\']).next().filter(|name| !name.is_empty()).unwrap_or(&app.cwd);
    match &app.status.session_name {
        Some(name) => format!("{mark}🍕 PizzaPi — {name} — {folder}"),
        None => format!("{mark}🍕 PizzaPi — {folder}"),
    }
}

fn on_tick(app: &mut App) -> Vec<Effect> {
    let now = app.now;
    app.toasts.retain(|toast| toast.until > now);
    match app.composer.on_tick(now) {
        Outcome::Submit(submission) => submit(app, submission),
        _ => Vec::new(),
    }
}

fn on_paste(app: &mut App, text: &str) -> Vec<Effect> {
    app.selection = None;
    if let Some(dialog) = app.dialogs.front_mut() {
        let reaction = dialog.on_paste(text);
        return react(app, reaction);
    }
    app.composer.on_paste(text);
    Vec::new()
}

fn on_key(app: &mut App, key: KeyEvent) -> Vec<Effect> {
    app.selection = None;
    let guarded = app.now < app.dialog_guard_until;
    let is_text =
        matches!(key.code, KeyCode::Char(_)) && !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
    if is_text {
        app.last_typed_at = app.now;
    }
    if let Some(dialog) = app.dialogs.front_mut() {
        if guarded {
            // Somebody was typing when it appeared: that text belongs to the composer, and nothing is decided.
            if is_text {
                app.dialog_guard_until = app.now + super::app::TYPING_GUARD_MS;
                app.composer.on_key(key, None, app.now);
            }
            return Vec::new();
        }
        let reaction = dialog.on_key(key);
        if reaction != Reaction::Ignored {
            return react(app, reaction);
        }
        // Reading goes on under a dialog.
        return match app.keymap.action(key) {
            Some(
                action @ (Action::PageUp
                | Action::PageDown
                | Action::Top
                | Action::Bottom
                | Action::ExpandTools
                | Action::ShowThinking),
            ) => on_action(app, action).unwrap_or_default(),
            _ => Vec::new(),
        };
    }
    let action = app.keymap.action(key);
    if let Some(action) = action
        && !app.composer.has_popup()
        && let Some(effects) = on_action(app, action)
    {
        return effects;
    }
    if action == Some(Action::Clear) {
        return on_clear(app);
    }
    match app.composer.on_key(key, action, app.now) {
        Outcome::Submit(submission) => submit(app, submission),
        Outcome::Changed => Vec::new(),
        Outcome::Ignored => match action {
            Some(action) => on_action(app, action).unwrap_or_default(),
            None => Vec::new(),
        },
    }
}

fn submit(app: &mut App, submission: Submission) -> Vec<Effect> {
    commands::submit(app, submission.text, submission.images, submission.delivery)
}

fn react(app: &mut App, reaction: Reaction) -> Vec<Effect> {
    match reaction {
        Reaction::Ignored | Reaction::Redraw => Vec::new(),
        Reaction::Emit(effects) => effects,
        Reaction::Close(effects) => {
            app.dialogs.pop_front();
            effects.into_iter().filter_map(|effect| on_dialog_effect(app, effect)).collect()
        }
    }
}

/// Effects of dialogs that only concern the screen are done here.
fn on_dialog_effect(app: &mut App, effect: Effect) -> Option<Effect> {
    match effect {
        Effect::AskApiKey { provider } => {
            ask_api_key(app, &provider);
            None
        }
        other => Some(other),
    }
}

pub fn ask_api_key(app: &mut App, provider: &str) {
    use super::components::confirm::{Asked, TextPrompt};
    let note = "Stored in auth.json of your PizzaPi home, readable by you alone.";
    let asked = Asked::ApiKey { provider: provider.to_owned() };
    app.open_now(Box::new(TextPrompt::new(asked, format!("API key for {provider}"), note, "")));
}

/// Performs an action of the keymap; `None` leaves the key to the composer.
fn on_action(app: &mut App, action: Action) -> Option<Vec<Effect>> {
    Some(match action {
        Action::Submit | Action::FollowUp | Action::NewLine | Action::Complete => return None,
        Action::Interrupt => on_escape(app),
        Action::Clear => on_clear(app),
        Action::Exit if app.composer.is_empty() => vec![Effect::Quit],
        Action::Exit => return None,
        Action::Suspend => vec![Effect::Suspend],
        Action::Dequeue => vec![Effect::TakeQueue],
        Action::ExternalEditor => vec![Effect::OpenEditor(app.composer.text())],
        Action::SelectModel => commands::choose_model(app),
        Action::NextModel => vec![Effect::CycleModel { forward: true }],
        Action::PreviousModel => vec![Effect::CycleModel { forward: false }],
        Action::CycleThinking => vec![Effect::CycleThinking],
        Action::ShowThinking => {
            let switches = app.transcript.switches;
            app.transcript.set_switches(Switches { thinking: !switches.thinking, ..switches });
            vec![]
        }
        Action::ExpandTools => {
            let switches = app.transcript.switches;
            app.transcript.set_switches(Switches { tools: !switches.tools, ..switches });
            vec![]
        }
        Action::CopyLast => vec![Effect::CopyLastAnswer],
        Action::Background => vec![Effect::BackgroundBash],
        Action::PageUp => {
            app.scroll(|transcript, ctx| transcript.scroll_up(transcript.page(), ctx));
            vec![]
        }
        Action::PageDown => {
            app.scroll(|transcript, ctx| transcript.scroll_down(transcript.page(), ctx));
            vec![]
        }
        Action::Top => {
            app.scroll(|transcript, ctx| transcript.scroll_home(ctx));
            vec![]
        }
        Action::Bottom => {
            app.transcript.follow();
            vec![]
        }
        Action::PreviousPrompt => {
            app.scroll(|transcript, ctx| transcript.jump_prompt(false, ctx));
            vec![]
        }
        Action::NextPrompt => {
            app.scroll(|transcript, ctx| transcript.jump_prompt(true, ctx));
            vec![]
        }
        Action::ToggleTodo => {
            app.show_todos = !app.show_todos;
            vec![]
        }
        Action::Help => {
            let help = Help::new(&app.keymap, app.composer.commands());
            app.open_now(Box::new(help));
            vec![]
        }
    })
}

fn on_escape(app: &mut App) -> Vec<Effect> {
    if app.is_busy() {
        app.last_escape_at = None;
        // What was queued is not lost: it comes back to be edited.
        return if app.queue.is_empty() { vec![Effect::Abort] } else { vec![Effect::Abort, Effect::TakeQueue] };
    }
    if app.composer.is_shell() {
        app.composer.clear();
        return Vec::new();
    }
    if !app.transcript.is_following() {
        app.transcript.follow();
        return Vec::new();
    }
    if !app.composer.is_empty() {
        app.last_escape_at = None;
        return Vec::new();
    }
    let twice = app.last_escape_at.is_some_and(|at| app.now.saturating_sub(at) <= DOUBLE_PRESS_MS);
    if twice && !app.transcript.is_empty() {
        app.last_escape_at = None;
        app.open_now(Box::new(Picker::loading(Purpose::Fork, "Continue from")));
        return vec![Effect::LoadForkPoints];
    }
    app.last_escape_at = Some(app.now);
    Vec::new()
}

fn on_clear(app: &mut App) -> Vec<Effect> {
    let twice = app.last_clear_at.is_some_and(|at| app.now.saturating_sub(at) <= DOUBLE_PRESS_MS);
    if twice && app.composer.is_empty() {
        return vec![Effect::Quit];
    }
    app.last_clear_at = Some(app.now);
    if !app.composer.is_empty() {
        app.composer.clear();
        return Vec::new();
    }
    app.toast(Level::Info, "ctrl+c again to quit");
    if app.is_busy() { vec![Effect::Abort] } else { Vec::new() }
}

fn on_mouse(app: &mut App, mouse: MouseEvent) -> Vec<Effect> {
    let inside = app.transcript_area.contains((mouse.column, mouse.row).into());
    let at = (mouse.column, mouse.row);
    match mouse.kind {
        MouseEventKind::ScrollUp | MouseEventKind::ScrollDown => {
            let down = mouse.kind == MouseEventKind::ScrollDown;
            if !inside && let Some(dialog) = app.dialogs.front_mut() {
                let reaction = dialog.on_wheel(down);
                return react(app, reaction);
            }
            app.selection = None;
            app.scroll(|transcript, ctx| match down {
                true => transcript.scroll_down(WHEEL_ROWS, ctx),
                false => transcript.scroll_up(WHEEL_ROWS, ctx),
            });
        }
        MouseEventKind::Down(MouseButton::Left) if inside => {
            app.selection = Some(Selection { from: at, to: at, dragging: true });
        }
        MouseEventKind::Drag(MouseButton::Left) => {
            let area = app.transcript_area;
            if let Some(selection) = app.selection.as_mut().filter(|selection| selection.dragging) {
                let x = at.0.clamp(area.left(), area.right().saturating_sub(1));
                let y = at.1.clamp(area.top(), area.bottom().saturating_sub(1));
                selection.to = (x, y);
            }
        }
        MouseEventKind::Up(MouseButton::Left) => {
            let Some(selection) = app.selection else { return Vec::new() };
            if selection.is_empty() {
                app.selection = None;
                if inside {
                    app.transcript.toggle_at(usize::from(at.1 - app.transcript_area.y));
                }
                return Vec::new();
            }
            app.selection = Some(Selection { dragging: false, ..selection });
            let text = selected_text(app, selection);
            if !text.trim().is_empty() {
                return vec![Effect::Copy(text)];
            }
        }
        _ => {}
    }
    Vec::new()
}

/// The marked text as it is on screen, without the blanks at the ends of lines.
fn selected_text(app: &App, selection: Selection) -> String {
    let (from, to) = selection.ordered();
    let area = app.transcript_area;
    let mut lines = Vec::new();
    for y in from.1..=to.1 {
        let Some(row) = app.transcript_text.get(usize::from(y.saturating_sub(area.y))) else { continue };
        let first = if y == from.1 { usize::from(from.0.saturating_sub(area.x)) } else { 0 };
        let last = if y == to.1 { usize::from(to.0.saturating_sub(area.x)) } else { row.len() };
        let line: String = row.iter().take(last + 1).skip(first).map(String::as_str).collect();
        lines.push(line.trim_end().to_owned());
    }
    lines.join("\n")
}

fn on_local(app: &mut App, local: Local) -> Vec<Effect> {
    match local {
        Local::Queue { steering, follow_up, held } => app.queue = Queue { steering, follow_up, held },
        Local::Settled => {
            let worked = match app.activity {
                Activity::Working { since } => app.now.saturating_sub(since),
                _ => 0,
            };
            app.activity = Activity::Idle;
            app.transcript.close_live(app.now);
            app.composer.forget_files();
            if worked >= ATTENTION_AFTER_MS && !app.focused {
                return vec![Effect::Attention("PizzaPi is done".into())];
            }
        }
        Local::CompactionStarted => app.activity = Activity::Compacting { since: app.now },
        Local::CompactionEnded { error } => {
            app.activity = Activity::Idle;
            match error {
                Some(error) => app.transcript.notice(Level::Warning, format!("not compacted: {error}")),
                None => app.toast(Level::Success, "conversation compacted"),
            }
        }
        Local::RetryStarted { attempt, attempts, delay_ms, error } => {
            app.activity = Activity::Retrying { attempt, attempts, until: app.now + delay_ms, error };
        }
        Local::RetryEnded => {
            if matches!(app.activity, Activity::Retrying { .. }) {
                app.activity = Activity::Working { since: app.now };
            }
        }
        Local::DecisionRaised(decision) => return on_decision(app, decision),
        Local::DecisionEnded { id, by } => {
            if app.close_dialog(&id)
                && let Some(by) = by
            {
                app.toast(Level::Info, format!("answered by {by}"));
            }
        }
        Local::Transcript { messages, session_name } => {
            app.transcript.clear();
            app.show_banner();
            app.todos.clear();
            app.status.session_name = session_name;
            for message in messages {
                agent::show_message(app, &message, true);
            }
            app.transcript.follow();
        }
        Local::Capabilities { models, commands } => {
            let mut providers: Vec<&str> = models.iter().map(|model| model.provider.as_str()).collect();
            providers.sort_unstable();
            providers.dedup();
            app.status.many_providers = providers.len() > 1;
            app.models = models;
            app.set_agent_commands(commands);
        }
        Local::Shell { command, output, done } => on_shell(app, command, output, done),
        Local::State(state) => on_state(app, *state),
    }
    Vec::new()
}

/// Shows the user's own command while it runs; the record in the transcript replaces it.
fn on_shell(app: &mut App, command: String, output: String, done: bool) {
    let now = app.now;
    if !app.transcript.contains(LIVE_SHELL) {
        if done {
            return;
        }
        let mut call = ToolCall::new(LIVE_SHELL, "bash", serde_json::json!({ "command": command }));
        call.started_at = Some(now);
        app.transcript.put(LIVE_SHELL, CellKind::Tool(call));
    }
    app.transcript.change(LIVE_SHELL, |kind| {
        if let CellKind::Tool(call) = kind {
            call.output = output;
            call.state = if done { ToolState::Succeeded } else { ToolState::Running };
            call.ended_at = done.then_some(now);
        }
    });
    match (done, &app.activity) {
        (false, Activity::Idle) => app.activity = Activity::Shell { since: now },
        (true, Activity::Shell { .. }) => app.activity = Activity::Idle,
        _ => {}
    }
}

fn on_state(app: &mut App, state: StateView) {
    let status = &mut app.status;
    status.session_name = state.session_name;
    if !state.cwd.is_empty() && state.cwd != app.cwd {
        status.cwd = super::text::tilde(&state.cwd, app.home.as_deref());
        app.cwd = state.cwd;
    }
    status.model = state.model;
    status.thinking = state.thinking;
    status.auth_source = state.auth_source;
    status.usage = state.usage;
    status.context_tokens = state.context_tokens;
    status.plan_mode = state.plan_mode;
    status.background_shells = state.background_shells;
    status.subagents = state.subagents;
    status.yolo = state.yolo;
    status.demo = state.demo;
    app.todos = state.todos;
    let missing = state.no_model.as_ref().map(|(reason, _)| reason.clone());
    if missing != app.no_model {
        match state.no_model {
            Some((reason, ways_out)) => {
                app.transcript.put("no-model", CellKind::Notice { level: Level::Warning, text: reason });
                app.open_now(Box::new(Picker::new(Purpose::FirstModel, "Choose how to begin", ways_out)));
            }
            None => app.transcript.remove("no-model"),
        }
        app.no_model = missing;
    }
}

fn on_decision(app: &mut App, decision: Decision) -> Vec<Effect> {
    if app.dialogs.iter().any(|dialog| dialog.id() == decision.id()) {
        return Vec::new();
    }
    let what = match &decision {
        Decision::Question { .. } => "PizzaPi has a question",
        Decision::Plan { .. } => "PizzaPi has a plan to review",
        Decision::Approval(_) => "PizzaPi asks for permission",
    };
    match decision {
        Decision::Question { id, question } => app.open(Box::new(QuestionBox::new(id, question))),
        Decision::Plan { id, plan } => app.open(Box::new(PlanReview::new(id, plan))),
        Decision::Approval(approval) => app.open(Box::new(Approval::new(approval))),
    }
    if app.focused { Vec::new() } else { vec![Effect::Attention(what.to_owned())] }
}

fn on_loaded(app: &mut App, loaded: Loaded) -> Vec<Effect> {
    match loaded {
        Loaded::Files(files) => app.composer.set_files(files),
        Loaded::Models(items) | Loaded::Sessions(items) | Loaded::ForkPoints(items) => {
            if let Some(picker) = app.dialogs.iter_mut().find(|dialog| dialog.id() == "picker") {
                picker.on_items(items);
            }
        }
        Loaded::Providers { items, logout } => {
            if items.is_empty() {
                app.toast(Level::Info, if logout { "no stored keys" } else { "no providers" });
            } else if logout {
                let names: Vec<String> = items.iter().map(|item| item.value.clone()).collect();
                app.toast(Level::Info, format!("/logout <provider>: {}", names.join(", ")));
            } else {
                app.open_now(Box::new(Picker::new(Purpose::LoginProvider, "Log in to", items)));
            }
        }
        Loaded::Queued(texts) => {
            if !texts.is_empty() {
                app.composer.prepend(&texts);
            }
        }
        Loaded::EditorText(text) | Loaded::Draft(text) => app.composer.set_text(text.trim_end()),
    }
    Vec::new()
}

//! The terminal interface. State in [`app`], changes in [`update`], pictures in [`view`], deeds in [`perform`].

pub mod app;
pub mod component;
pub mod components;
pub mod effect;
pub mod event;
pub mod export;
pub mod keymap;
pub mod markdown;
pub mod perform;
pub mod redraw;
#[cfg(test)]
mod screens;
pub mod terminal;
#[cfg(test)]
pub mod testing;
pub mod text;
pub mod theme;
pub mod tree;
pub mod update;
pub mod view;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crossterm::event::{Event, EventStream};
use futures_util::StreamExt;
use pizzapi_agent::AgentHandle;
use tokio::sync::{mpsc, watch};

use self::app::{App, Setup};
use self::components::composer::Delivery;
use self::components::status_line::Link;
use self::components::transcript::message::Level;
use self::effect::Effect;
use self::event::{AppEvent, Local};
use self::perform::Performer;
use self::redraw::Redraw;
use self::terminal::Screen;
use self::theme::{TerminalEnv, Theme};

/// Events taken in one go before the next frame: under a flood the screen still moves.
const BATCH: usize = 256;
/// How often the branch is looked at; cheap, one small file.
const BRANCH_POLL: Duration = Duration::from_secs(3);
/// Inputs of earlier sessions that the arrow keys reach.
const HISTORY: usize = 100;

/// The link to the relay, as far as the screen is concerned.
pub trait Remote: Send + Sync {
    /// Where it stands, and every change.
    fn link(&self) -> watch::Receiver<Link>;
    /// `/remote`, with its argument; the answer is shown to the user.
    fn command(&self, argument: &str) -> String;
}

/// Ends the screen from outside: somebody at the relay ended the session.
pub type End = futures_util::future::BoxFuture<'static, ()>;

/// What a session in the terminal starts with.
pub struct Options {
    pub agent: AgentHandle,
    pub agent_dir: PathBuf,
    pub setup: Setup,
    pub terminal: TerminalEnv,
    pub remote: Option<Box<dyn Remote>>,
    pub end: End,
    /// Shown before anything else.
    pub warnings: Vec<String>,
    /// Sent at once.
    pub first: Option<(String, Vec<PathBuf>)>,
    /// Begin with the list of sessions.
    pub choose_session: bool,
    pub safe_mode: bool,
    /// Command line of the user's editor.
    pub editor: String,
}

/// Why the screen was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// The user is done.
    Quit,
    /// A signal asked for it.
    Signal,
}

/// Runs the screen until it is left. The agent goes on until its owner stops it.
pub async fn run(options: Options) -> io::Result<Left> {
    let Options {
        agent,
        agent_dir,
        setup,
        terminal,
        remote,
        mut end,
        warnings,
        first,
        choose_session,
        safe_mode,
        editor,
    } = options;
    markdown::code::preload();
    let (sender, mut inbox) = mpsc::unbounded_channel();
    let mut app = App::new(setup, now());
    app.status.safe_mode = safe_mode;
    let history = perform::history_file(&agent_dir);
    app.composer.load_history(perform::read_history(&history, HISTORY));
    let performer = Performer::new(agent.clone(), agent_dir, sender.clone());

    // Subscribe first, then look: nothing falls between.
    let mut outputs = agent.subscribe();
    let mut state = agent.state();
    state.mark_changed();
    let _ = sender.send(AppEvent::Local(perform::capabilities(&agent)));
    if !agent.messages().is_empty() {
        let _ = sender.send(AppEvent::Local(perform::snapshot(&agent)));
    }
    for warning in warnings {
        let _ = sender.send(AppEvent::Notice(Level::Warning, warning));
    }
    if choose_session {
        let _ = sender.send(AppEvent::RunCommand("/resume".into()));
    }
    if let Some((text, images)) = first {
        app.composer.load_history([text.clone()]);
        performer.perform(Effect::SaveHistory(text.clone()));
        performer.perform(Effect::Prompt { text, images, delivery: Delivery::Steer });
    }
    watch_branch(agent.clone(), sender.clone());
    let mut link = remote.as_ref().map(|remote| remote.link());
    if let Some(link) = &mut link {
        link.mark_changed();
    }

    // Before the terminal is changed: a signal in between would leave it changed.
    let stop = crate::commands::asked_to_stop();
    tokio::pin!(stop);
    let mut screen = Screen::open()?;
    let mut events = Some(EventStream::new());
    let mut redraw = Redraw::default();
    redraw.request();

    loop {
        let moment = now();
        if redraw.take(moment) {
            app.now = moment;
            screen.draw(&mut app)?;
        }
        let wake = [app.wake_at(), redraw.due_at()].into_iter().flatten().min();
        let sleep = async {
            match wake {
                Some(at) => tokio::time::sleep(Duration::from_millis(at.saturating_sub(now()).max(1))).await,
                None => std::future::pending().await,
            }
        };
        let next = tokio::select! {
            event = next_event(&mut events) => match event {
                Some(Ok(event)) => from_terminal(event),
                // The terminal is gone: nobody is left to draw for.
                Some(Err(_)) | None => return Ok(Left::Signal),
            },
            Some(event) = inbox.recv() => Some(event),
            output = outputs.recv() => match output {
                Some(output) => perform::translate(&agent, output),
                None => return Ok(Left::Quit),
            },
            Ok(()) = state.changed() => Some(AppEvent::Local(Local::State(Box::new(perform::state_view(&state.borrow_and_update()))))),
            Some(link) = changed_link(&mut link) => Some(AppEvent::Link(link)),
            () = sleep => Some(AppEvent::Tick),
            _ = &mut stop => return Ok(Left::Signal),
            () = &mut end => return Ok(Left::Quit),
        };
        let mut batch: Vec<AppEvent> = next.into_iter().collect();
        while batch.len() < BATCH {
            let more = inbox
                .try_recv()
                .ok()
                .or_else(|| outputs.try_recv().and_then(|output| perform::translate(&agent, output)));
            let Some(more) = more else { break };
            batch.push(more);
        }
        for event in batch {
            // Nothing moved since the last tick: the picture is the same.
            let idle_tick = matches!(event, AppEvent::Tick) && !app.is_moving(now());
            let effects = update::update(&mut app, event, now());
            if !idle_tick {
                redraw.request();
            }
            for effect in effects {
                match on_screen(
                    effect,
                    &mut screen,
                    &mut events,
                    &mut app,
                    &agent,
                    remote.as_deref(),
                    &terminal,
                    &editor,
                )? {
                    Done::Yes => {}
                    Done::Quit => return Ok(Left::Quit),
                    Done::ForTheAgent(effect) => performer.perform(effect),
                }
            }
        }
    }
}

enum Done {
    Yes,
    Quit,
    ForTheAgent(Effect),
}

/// Effects on the terminal and on the screen itself.
fn on_screen(
    effect: Effect,
    screen: &mut Screen,
    events: &mut Option<EventStream>,
    app: &mut App,
    agent: &AgentHandle,
    remote: Option<&dyn Remote>,
    terminal: &TerminalEnv,
    editor: &str,
) -> io::Result<Done> {
    match effect {
        Effect::Quit => return Ok(Done::Quit),
        Effect::SetTitle(title) => screen.set_title(&title)?,
        Effect::MouseCapture(captured) => screen.set_mouse(captured)?,
        Effect::Attention(message) => screen.attention(&message)?,
        Effect::Copy(text) => {
            screen.copy(&text)?;
            app.toast(Level::Success, "copied");
        }
        Effect::CopyLastAnswer => match agent.last_assistant_text() {
            Some(text) => {
                screen.copy(&text)?;
                app.toast(Level::Success, "the last answer is copied");
            }
            None => app.toast(Level::Info, "there is no answer to copy yet"),
        },
        Effect::SetTheme(name) => app.theme = Theme::for_terminal(Some(&name), terminal),
        Effect::AskApiKey { provider } => update::ask_api_key(app, &provider),
        Effect::Remote(argument) => {
            let answer = match remote {
                Some(remote) => remote.command(&argument),
                None => "the relay is not set up: leave with /quit, then run `pizzapi setup`".to_owned(),
            };
            app.transcript.notice(Level::Info, answer);
        }
        Effect::Suspend => {
            // The reader of keys must not compete with the shell for them.
            *events = None;
            screen.leave(suspend)??;
            *events = Some(EventStream::new());
        }
        Effect::OpenEditor(text) => {
            *events = None;
            let edited = screen.leave(|| tokio::task::block_in_place(|| edit(editor, &text)))?;
            *events = Some(EventStream::new());
            match edited {
                Ok(text) => app.composer.set_text(text.trim_end()),
                Err(error) => app.toast(Level::Error, format!("the editor failed: {error}")),
            }
        }
        other => return Ok(Done::ForTheAgent(other)),
    }
    Ok(Done::Yes)
}

async fn next_event(events: &mut Option<EventStream>) -> Option<io::Result<Event>> {
    match events {
        Some(events) => events.next().await,
        None => std::future::pending().await,
    }
}

async fn changed_link(link: &mut Option<watch::Receiver<Link>>) -> Option<Link> {
    let receiver = link.as_mut()?;
    match receiver.changed().await {
        Ok(()) => Some(receiver.borrow_and_update().clone()),
        Err(_) => {
            *link = None;
            None
        }
    }
}

fn from_terminal(event: Event) -> Option<AppEvent> {
    Some(match event {
        Event::Key(key) => AppEvent::Key(key),
        Event::Paste(text) => AppEvent::Paste(text),
        Event::Mouse(mouse) => {
            // Movement without a button means nothing here, and there is a lot of it.
            if mouse.kind == crossterm::event::MouseEventKind::Moved {
                return None;
            }
            AppEvent::Mouse(mouse)
        }
        Event::Resize(..) => AppEvent::Resize,
        Event::FocusGained => AppEvent::Focus(true),
        Event::FocusLost => AppEvent::Focus(false),
    })
}

fn now() -> u64 {
    u64::try_from(time::OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000).unwrap_or(0)
}

#[cfg(unix)]
fn suspend() -> io::Result<()> {
    // Execution goes on here when the shell brings the program back.
    nix::sys::signal::raise(nix::sys::signal::Signal::SIGTSTP).map_err(io::Error::from)
}

#[cfg(not(unix))]
fn suspend() -> io::Result<()> {
    Ok(())
}

/// Lets the user write in the editor of their choice.
fn edit(editor: &str, text: &str) -> io::Result<String> {
    let file = tempfile::Builder::new().prefix("pizzapi-").suffix(".md").tempfile()?;
    std::fs::write(file.path(), text)?;
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or("vi");
    let status = std::process::Command::new(program).args(words).arg(file.path()).status()?;
    if !status.success() {
        return Err(io::Error::other(format!("`{editor}` ended with {status}")));
    }
    std::fs::read_to_string(file.path())
}

/// Tells the screen the branch whenever it changes.
fn watch_branch(agent: AgentHandle, events: mpsc::UnboundedSender<AppEvent>) {
    tokio::spawn(async move {
        let mut known = None;
        loop {
            let cwd = agent.snapshot().cwd;
            let branch = tokio::task::spawn_blocking(move || branch_of(&cwd)).await.unwrap_or_default();
            if branch != known {
                known.clone_from(&branch);
                if events.send(AppEvent::Branch(branch)).is_err() {
                    return;
                }
            }
            if events.is_closed() {
                return;
            }
            tokio::time::sleep(BRANCH_POLL).await;
        }
    });
}

/// The branch `HEAD` points to, read without running git; a short hash when it points to a commit.
fn branch_of(cwd: &std::path::Path) -> Option<String> {
    let mark = cwd.ancestors().map(|folder| folder.join(".git")).find(|mark| mark.exists())?;
    let folder = if mark.is_dir() {
        mark
    } else {
        // A worktree: a file that names the real folder.
        let content = std::fs::read_to_string(&mark).ok()?;
        let path = content.strip_prefix("gitdir:")?.trim();
        mark.parent()?.join(path)
    };
    let head = std::fs::read_to_string(folder.join("HEAD")).ok()?;
    let head = head.trim();
    match head.strip_prefix("ref: refs/heads/") {
        Some(branch) => Some(branch.to_owned()),
        None => head.get(..8).map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_branch_is_read_from_repositories_and_worktrees() {
        let folder = tempfile::tempdir().unwrap();
        let repository = folder.path().join("repo");
        std::fs::create_dir_all(repository.join(".git/worktrees/w")).unwrap();
        std::fs::create_dir_all(repository.join("src/deep")).unwrap();
        std::fs::write(repository.join(".git/HEAD"), "ref: refs/heads/feature/x\n").unwrap();
        assert_eq!(branch_of(&repository.join("src/deep")).as_deref(), Some("feature/x"));
        let worktree = folder.path().join("worktree");
        std::fs::create_dir_all(&worktree).unwrap();
        std::fs::write(worktree.join(".git"), "gitdir: ../repo/.git/worktrees/w\n").unwrap();
        std::fs::write(repository.join(".git/worktrees/w/HEAD"), "0123456789abcdef\n").unwrap();
        assert_eq!(branch_of(&worktree).as_deref(), Some("01234567"));
        assert_eq!(branch_of(folder.path()), None);
    }
}

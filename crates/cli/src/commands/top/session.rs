use std::io::{self, Stdout};
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{self, Event};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{EnterAlternateScreen, enable_raw_mode};
use ratatui::{Frame, Terminal};
use tokio::sync::mpsc::UnboundedSender;

use super::update::TopEvent;

/// Whether a thread has panicked while the terminal was ours. What it printed stands where the screen was.
static HAS_PANICKED: AtomicBool = AtomicBool::new(false);
/// How long the keyboard is waited for before the end of the session is noticed.
const KEYS_EVERY: Duration = Duration::from_millis(100);

/// The terminal while it belongs to this program: raw, and with a screen of its own. Dropping it restores the terminal,
/// and so does a panic on any thread, before its message is printed.
#[derive(Debug)]
pub(super) struct Session {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    has_ended: Arc<AtomicBool>,
}

impl Session {
    /// Takes the terminal. If that fails, it is as before.
    pub(super) fn begin() -> io::Result<Self> {
        restore_on_panic();
        let taken = enable_raw_mode()
            .and_then(|()| execute!(io::stdout(), EnterAlternateScreen))
            .and_then(|()| Terminal::new(CrosstermBackend::new(io::stdout())));
        match taken {
            Ok(terminal) => Ok(Self { terminal, has_ended: Arc::default() }),
            Err(error) => {
                ratatui::try_restore().ok();
                Err(error)
            }
        }
    }

    /// The size, in columns and rows.
    pub(super) fn size(&self) -> io::Result<(u16, u16)> {
        self.terminal.size().map(|size| (size.width, size.height))
    }

    /// Draws a screen. Fails if the terminal is gone, or if a thread has panicked.
    pub(super) fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        if HAS_PANICKED.load(Ordering::SeqCst) {
            return Err(io::Error::other("a part of the program panicked; its message is above"));
        }
        self.terminal.draw(draw).map(drop)
    }

    /// Sends keys and changes of the size until the session ends.
    pub(super) fn listen(&self, events: UnboundedSender<TopEvent>) -> io::Result<()> {
        let has_ended = Arc::clone(&self.has_ended);
        let listen = move || {
            while !has_ended.load(Ordering::SeqCst) {
                if events.send(next(&has_ended)).is_err() {
                    return;
                }
            }
        };
        // Reading keys blocks, so it has its own thread. It ends with the session or the process.
        std::thread::Builder::new().name("longshore-keys".to_owned()).spawn(listen).map(drop)
    }
}

/// The next event of the terminal.
fn next(has_ended: &AtomicBool) -> TopEvent {
    loop {
        let read = match event::poll(KEYS_EVERY) {
            Ok(true) => event::read(),
            Ok(false) if has_ended.load(Ordering::SeqCst) => return TopEvent::TerminalGone,
            Ok(false) => continue,
            Err(error) => Err(error),
        };
        match read {
            Ok(Event::Key(key)) if !key.is_release() => return TopEvent::Key(key),
            Ok(Event::Resize(columns, rows)) => return TopEvent::Resized { columns, rows },
            Ok(_) => {}
            Err(_) => return TopEvent::TerminalGone,
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.has_ended.store(true, Ordering::SeqCst);
        // A terminal that is gone needs nothing.
        let _ = self.terminal.show_cursor();
        let _ = ratatui::try_restore();
    }
}

fn restore_on_panic() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |story| {
        HAS_PANICKED.store(true, Ordering::SeqCst);
        let _ = ratatui::try_restore();
        before(story);
    }));
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    /// Says to the test below, in its second process, to take the terminal and to panic.
    const PANICS: &str = "LONGSHORE_TEST_PANICS";

    #[test]
    fn a_panic_restores_the_terminal_before_its_message_is_printed() {
        if std::env::var_os(PANICS).is_some() {
            let mut session = Session::begin().unwrap();
            session.draw(|_| {}).unwrap();
            panic!("this is the message");
        }
        let own_path = std::env::current_exe().unwrap();
        let name = std::thread::current().name().unwrap().to_owned();
        let line = format!("{} --exact {name} --nocapture; stty -a", own_path.display());
        let mut command = Command::new("script");
        command.args(["-qec", &format!("stty cols 80 rows 24; {line}"), "/dev/null"]);
        command.env(PANICS, "1").env("TERM", "xterm").stdin(Stdio::null());
        let output = command.output().expect("\"script\" of Debian's package bsdutils is there");
        let told = String::from_utf8_lossy(&output.stdout);

        let [entered, left] =
            ["\x1b[?1049h", "\x1b[?1049l"].map(|code| told.find(code).unwrap_or_else(|| panic!("{told:?}")));
        let message = told.find("this is the message").unwrap_or_else(|| panic!("{told:?}"));
        assert!(entered < left && left < message, "{told:?}");
        assert!(told.contains("\x1b[?25h") && told.contains(" icanon") && told.contains(" echo "), "{told:?}");
    }
}

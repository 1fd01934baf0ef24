use std::io::{IsTerminal, stdin, stdout};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

mod draw;
mod lines;
mod reader;
mod session;
mod state;
mod update;

use self::draw::{Palette, draw};
use self::reader::Reader;
use self::session::Session;
use self::state::{Request, Top};
use self::update::{Next, TopEvent};
use crate::arguments::Durability;
use crate::context::Context;
use crate::database::{Database, Prepare};
use crate::error_report::command_error::CommandError;
use crate::exit::Exit;
use crate::output::Format;

/// An overview is four reads, and every fifth time five. So there are about two reads a second.
const OVERVIEW_EVERY: Duration = Duration::from_secs(2);
/// A job and its log are two reads.
const JOB_EVERY: Duration = Duration::from_secs(1);

/// Shows the summary live, until a key or a signal ends it.
pub(crate) fn run(context: &Context) -> anyhow::Result<Exit> {
    check_terminal(context)?;
    let config = context.config()?;
    let databases = context.databases()?;
    let durability = config.durability.unwrap_or(Durability::Full);
    // With the I/O driver, which the signals need.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // Before the screen: its error is printed as for every command.
        let database = Database::open(context, Prepare::Nothing).await?;
        let configured = config.worked_types().cloned().collect();
        let mut reader = Reader::new(databases.clone(), durability, database, configured);
        let (stopped, _) = longshore::stop_signals()?;
        let palette = if context.output.screen().is_some_and(|screen| screen.has_colour) {
            Palette::Coloured
        } else {
            Palette::Plain
        };
        let mut session = Session::begin()?;
        let top = Top::new(databases.to_string());
        show(&mut session, &mut reader, top, palette, stopped).await
    })?;
    Ok(Exit::Done)
}

fn check_terminal(context: &Context) -> Result<(), CommandError> {
    let is_dumb = std::env::var_os("TERM").is_none_or(|name| name.is_empty() || name == "dumb");
    if context.output.format() == Format::Json || is_dumb || !stdin().is_terminal() || !stdout().is_terminal() {
        return Err(CommandError::NeedsTerminal);
    }
    Ok(())
}

/// Reads, draws and takes keys, until a key or a signal ends it. Reading and drawing never wait for each other.
async fn show(
    session: &mut Session,
    reader: &mut Reader,
    top: Top,
    palette: Palette,
    stopped: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let (events, happened) = mpsc::unbounded_channel();
    let (requests, mut asked) = mpsc::unbounded_channel();
    session.listen(events.clone())?;
    let reading = async {
        while let Some(request) = asked.recv().await {
            if events.send(reader.answer(request).await).is_err() {
                return;
            }
        }
    };
    let screen = Screen { session, top, palette, requests, turn: ReadTurn::new() };
    tokio::select! {
        ended = screen.run(happened) => ended,
        () = reading => Ok(()),
        () = stopped => Ok(()),
    }
}

/// The loop that draws.
struct Screen<'a> {
    session: &'a mut Session,
    top: Top,
    palette: Palette,
    requests: mpsc::UnboundedSender<Request>,
    turn: ReadTurn,
}

impl Screen<'_> {
    async fn run(mut self, mut happened: mpsc::UnboundedReceiver<TopEvent>) -> anyhow::Result<()> {
        let (columns, rows) = self.session.size()?;
        self.top.update(TopEvent::Resized { columns, rows });
        loop {
            self.session.draw(|frame| draw(frame, &self.top, self.palette))?;
            let event = tokio::select! {
                event = happened.recv() => event,
                () = self.turn.comes() => {
                    self.turn.begin();
                    self.requests.send(self.top.next_read())?;
                    continue;
                }
            };
            let Some(event) = event else { return Ok(()) };
            self.turn.note(&event);
            match self.top.update(event) {
                Next::Draw => {}
                Next::Read => self.turn.hurry(),
                Next::Change(change) => self.requests.send(Request::Change(change))?,
                Next::Quit => return Ok(()),
            }
        }
    }
}

/// When to read next: one read at a time, and a rest after each.
struct ReadTurn {
    at: Instant,
    is_reading: bool,
    is_urgent: bool,
}

impl ReadTurn {
    fn new() -> Self {
        Self { at: Instant::now(), is_reading: false, is_urgent: false }
    }

    /// Resolves when the next read may begin. Cancellation safe.
    async fn comes(&self) {
        if self.is_reading {
            return std::future::pending().await;
        }
        sleep_until(self.at).await;
    }

    fn begin(&mut self) {
        (self.is_reading, self.is_urgent) = (true, false);
    }

    /// Something else is on the screen now, so it is read at once, or after the read that is under way.
    fn hurry(&mut self) {
        self.is_urgent = true;
        self.at = Instant::now();
    }

    fn note(&mut self, event: &TopEvent) {
        let rest = match event {
            TopEvent::Snapshot(_) | TopEvent::Unreadable(_) => OVERVIEW_EVERY,
            TopEvent::Job { .. } => JOB_EVERY,
            _ => return,
        };
        self.is_reading = false;
        self.at = if self.is_urgent { Instant::now() } else { Instant::now() + rest };
    }
}

#[cfg(test)]
mod tests;

use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use rusqlite::hooks::Wal;
use rusqlite::{Connection, InterruptHandle};

use crate::database::database_file::DatabaseFile;
use crate::database::fault::ErrorContext;
use crate::options::SqliteOptions;
use crate::writing::checkpointer::{Checkpointer, Progress, copy_log};

/// The log is copied into the database file when it has this many pages: 4 MiB with SQLite's page size.
const LOG_PAGES_AIM: u32 = 1000;
/// With this many pages, the writer copies them itself after a turn of the thread.
const LOG_PAGES_LARGE: u32 = 4 * LOG_PAGES_AIM;
/// With this many pages, the writer waits for the end of a turn. Only a reader makes the log larger.
const LOG_PAGES_MAX: u32 = 8 * LOG_PAGES_AIM;
/// How long the writer waits for the turn, and how often it checks.
const TURN_MAX: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_micros(200);
/// The most pages that the thread leaves for the writer: about the work of one commit.
const LEFT_PAGES_MAX: u32 = 400;

/// The writer's side of the checkpoints.
///
/// A checkpoint flushes the log and the database file to disk, which takes as long as several commits. A separate
/// thread with its own connection does it, so that no caller waits. SQLite restarts the log when a transaction begins
/// and the whole log was copied. While commits follow each other, the thread never copies all of it, so the writer
/// copies the last few pages itself.
pub(crate) struct Checkpoints {
    options: SqliteOptions,
    context: ErrorContext,
    file: Arc<DatabaseFile>,
    progress: Arc<Progress>,
    /// Started when it is first needed, so that a process that enqueues only a few jobs does not pay for it.
    thread: Option<Thread>,
    turn: Turn,
    /// Pages in the log at the last check.
    log_pages: u32,
    /// Nothing is done before the log has this many pages.
    next_at: u32,
}

/// What the writer must do itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Step {
    #[default]
    Nothing,
    /// Copy the last pages of the log.
    Copy,
    /// Wait until the thread has copied its part, then copy the last pages.
    Wait,
}

/// What the writer knows about the thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// It is idle.
    None,
    /// It is copying.
    UnderWay,
    /// It copies, or has copied, a log that was restarted in the meantime.
    Outdated,
}

struct Thread {
    /// Dropping it ends the thread.
    turns: SyncSender<()>,
    interrupt: Arc<OnceLock<InterruptHandle>>,
    handle: JoinHandle<()>,
}

impl Checkpoints {
    pub(crate) fn new(options: SqliteOptions, context: ErrorContext, file: Arc<DatabaseFile>) -> Self {
        let (progress, thread, turn) = (Arc::default(), None, Turn::None);
        Self { options, context, file, progress, thread, turn, log_pages: 0, next_at: LOG_PAGES_AIM }
    }

    /// Makes SQLite report the size of the log after each commit of this connection, instead of its own checkpoints.
    pub(crate) fn follow(&self, connection: &mut Connection) {
        let progress = Arc::clone(&self.progress);
        let followed = connection.wal_hook(Some(move |_: &mut Wal, pages: i32| {
            progress.log_pages.store(pages.unsigned_abs(), Ordering::Relaxed);
            Ok(())
        }));
        if followed.is_err() {
            crate::database::quiet::warning!(database = %self.context.database, "the log is copied only when the database is closed");
        }
    }

    /// Starts a turn of the thread if it is time, and returns what the writer must do itself. Call it after the callers
    /// of a transaction have their answers.
    pub(crate) fn after_commit(&mut self) -> Step {
        let pages = self.progress.log_pages();
        if pages < self.log_pages {
            self.begin_anew();
        }
        self.log_pages = pages;
        if pages < self.next_at {
            return Step::Nothing;
        }
        if self.turn != Turn::UnderWay {
            return if self.begin_turn() { Step::Nothing } else { Step::Copy };
        }
        let Some(copied) = self.progress.take_result() else {
            return if pages < LOG_PAGES_MAX { Step::Nothing } else { Step::Wait };
        };
        self.turn = Turn::None;
        if pages.saturating_sub(copied) > LEFT_PAGES_MAX && pages < LOG_PAGES_LARGE {
            // A reader blocks the log, or commits are faster than the thread: the log grows for a while.
            self.next_at = pages.saturating_add(LOG_PAGES_AIM);
            return Step::Nothing;
        }
        Step::Copy
    }

    /// Takes as long as several commits.
    pub(crate) fn carry_out(&mut self, step: Step, connection: &Connection) {
        match step {
            Step::Nothing => return,
            Step::Copy => {}
            Step::Wait => {
                self.await_result();
                // Otherwise the thread hangs, or has ended.
                self.turn = Turn::None;
            }
        }
        self.copy(connection);
    }

    /// Delays further commits, because they make the log grow faster than the disk can copy it.
    fn await_result(&self) {
        let begun = Instant::now();
        loop {
            let has_ended = self.progress.take_result().is_some();
            let is_working = self.thread.as_ref().is_some_and(|thread| !thread.handle.is_finished());
            if has_ended || !is_working || begun.elapsed() > TURN_MAX {
                return;
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Ends the thread and closes its connection.
    pub(crate) fn end(&mut self) {
        self.turn = Turn::None;
        if let Some(thread) = self.thread.take() {
            thread.end(&self.context);
        }
    }

    fn begin_anew(&mut self) {
        self.next_at = LOG_PAGES_AIM;
        if self.turn == Turn::UnderWay {
            self.turn = Turn::Outdated;
        }
    }

    /// Copies the remaining pages. If a reader prevents that, the next try comes at the next limit.
    fn copy(&mut self, connection: &Connection) {
        if let Err(error) = copy_log(connection) {
            crate::database::quiet::debug!(database = %self.context.database, %error, "could not copy the log");
        }
        self.next_at = self.log_pages.saturating_add(LOG_PAGES_AIM);
    }

    /// Wakes the thread. Returns whether there is one.
    fn begin_turn(&mut self) -> bool {
        if let Some(ended) = self.thread.take_if(|thread| thread.handle.is_finished()) {
            ended.end(&self.context);
        }
        // Before the thread starts, because it may end at once.
        self.progress.take_result();
        let Some(thread) = self.thread.take().or_else(|| self.start()) else { return false };
        self.turn = Turn::UnderWay;
        // If the channel is full, a turn has been requested but not started. It serves this request too.
        let _ = thread.turns.try_send(());
        self.thread = Some(thread);
        true
    }

    fn start(&self) -> Option<Thread> {
        let (turns, receiver) = sync_channel(1);
        let interrupt = Arc::default();
        let checkpointer = Checkpointer {
            options: self.options.clone(),
            context: self.context.clone(),
            file: Arc::clone(&self.file),
            progress: Arc::clone(&self.progress),
            interrupt: Arc::clone(&interrupt),
            turns: receiver,
        };
        let spawned = Builder::new().name("longshore-checkpoint".to_owned()).spawn(move || checkpointer.run());
        spawned.ok().map(|handle| Thread { turns, interrupt, handle })
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.end();
    }
}

impl Thread {
    /// Interrupts its work and waits for its end.
    fn end(self, context: &ErrorContext) {
        drop(self.turns);
        if let Some(interrupt) = self.interrupt.get() {
            interrupt.interrupt();
        }
        if self.handle.join().is_err() {
            crate::database::quiet::error!(database = %context.database, "the thread that copies the log has panicked");
        }
    }
}

use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use rusqlite::hooks::Wal;
use rusqlite::{Connection, InterruptHandle};

use crate::database_file::DatabaseFile;
use crate::fault::ErrorContext;
use crate::options::SqliteOptions;
use crate::writing::checkpointer::{Checkpointer, Progress, copy_log};

/// From this many pages in the log on it is copied into the database file: 4 MiB with SQLite's page size.
const LOG_PAGES_AIM: u32 = 1000;
/// At so many pages the writer copies them itself when a turn of the thread has ended.
const LOG_PAGES_LARGE: u32 = 4 * LOG_PAGES_AIM;
/// At so many pages the writer waits for the end of a turn. Only a reader makes the log larger than that.
const LOG_PAGES_MAX: u32 = 8 * LOG_PAGES_AIM;
/// The longest that the writer waits for it, and how often it looks.
const TURN_MAX: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_micros(200);
/// The most pages that are left for the writer after a turn of the thread: about as much work as one commit.
const LEFT_PAGES_MAX: u32 = 400;

/// The writer's side of the checkpoints.
///
/// A checkpoint flushes the log and the database file to the disk, which takes as long as several commits. A thread
/// of its own does that, on a connection of its own, so that no caller waits for it. SQLite begins the log anew when
/// a transaction begins and all of the log has been copied. While commits follow one another the thread never gets
/// that far, so the writer copies the last few pages itself.
pub(crate) struct Checkpoints {
    options: SqliteOptions,
    context: ErrorContext,
    file: Arc<DatabaseFile>,
    progress: Arc<Progress>,
    /// Started when it is first needed, so that a process that only enqueues a few jobs does not pay for it.
    thread: Option<Thread>,
    turn: Turn,
    /// Pages in the log at the last look.
    log_pages: u32,
    /// Nothing is done before the log has so many pages.
    next_at: u32,
}

/// What the writer knows of the thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// It waits.
    None,
    /// It copies.
    UnderWay,
    /// It copies, or has copied, a log that was begun anew meanwhile.
    Outdated,
}

struct Thread {
    /// The thread ends when this is dropped.
    turns: SyncSender<()>,
    interrupt: Arc<OnceLock<InterruptHandle>>,
    handle: JoinHandle<()>,
}

impl Checkpoints {
    pub(crate) fn new(options: SqliteOptions, context: ErrorContext, file: Arc<DatabaseFile>) -> Self {
        let (progress, thread, turn) = (Arc::default(), None, Turn::None);
        Self { options, context, file, progress, thread, turn, log_pages: 0, next_at: LOG_PAGES_AIM }
    }

    /// Has SQLite tell the size of the log after each commit of this connection, in place of its own checkpoints.
    pub(crate) fn follow(&self, connection: &mut Connection) {
        let progress = Arc::clone(&self.progress);
        let followed = connection.wal_hook(Some(move |_: &mut Wal, pages: i32| {
            progress.log_pages.store(pages.unsigned_abs(), Ordering::Relaxed);
            Ok(())
        }));
        if followed.is_err() {
            crate::quiet::warning!(database = %self.context.database, "the log is copied only when the database is closed");
        }
    }

    /// To be called once the callers of a transaction have their answers.
    pub(crate) fn after_commit(&mut self, connection: &Connection) {
        let pages = self.progress.log_pages();
        if pages < self.log_pages {
            self.begin_anew();
        }
        self.log_pages = pages;
        if pages >= self.next_at {
            self.go_on(connection, pages);
        }
    }

    fn go_on(&mut self, connection: &Connection, pages: u32) {
        if self.turn != Turn::UnderWay {
            if !self.begin_turn() {
                self.copy(connection, pages);
            }
            return;
        }
        let result = if pages < LOG_PAGES_MAX { self.progress.take_result() } else { self.await_result() };
        match result {
            None if pages < LOG_PAGES_MAX => return,
            // It hangs, or it has gone.
            None => self.turn = Turn::None,
            Some(copied) => {
                self.turn = Turn::None;
                if pages.saturating_sub(copied) > LEFT_PAGES_MAX && pages < LOG_PAGES_LARGE {
                    // A reader holds the log, or commits are quicker than the thread: the log grows for a while.
                    self.next_at = pages.saturating_add(LOG_PAGES_AIM);
                    return;
                }
            }
        }
        self.copy(connection, pages);
    }

    /// Holds up the commits that follow, because they make the log grow quicker than the disk takes it.
    fn await_result(&self) -> Option<u32> {
        let begun = Instant::now();
        loop {
            let result = self.progress.take_result();
            let is_working = self.thread.as_ref().is_some_and(|thread| !thread.handle.is_finished());
            if result.is_some() || !is_working || begun.elapsed() > TURN_MAX {
                return result;
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

    /// Copies what is left. Should that not be all, because of a reader, the next try comes at the next aim.
    fn copy(&mut self, connection: &Connection, pages: u32) {
        if let Err(error) = copy_log(connection) {
            crate::quiet::debug!(database = %self.context.database, %error, "could not copy the log");
        }
        self.next_at = pages.saturating_add(LOG_PAGES_AIM);
    }

    /// Wakes the thread; whether there is one.
    fn begin_turn(&mut self) -> bool {
        if let Some(ended) = self.thread.take_if(|thread| thread.handle.is_finished()) {
            ended.end(&self.context);
        }
        // Before the thread starts, which may end at once.
        self.progress.take_result();
        let Some(thread) = self.thread.take().or_else(|| self.start()) else { return false };
        self.turn = Turn::UnderWay;
        // A full channel holds a turn that has not begun: it is this one.
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
    /// Interrupts what it does and waits for its end.
    fn end(self, context: &ErrorContext) {
        drop(self.turns);
        if let Some(interrupt) = self.interrupt.get() {
            interrupt.interrupt();
        }
        if self.handle.join().is_err() {
            crate::quiet::error!(database = %context.database, "the thread that copies the log had panicked");
        }
    }
}

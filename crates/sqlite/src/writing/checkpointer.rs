use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rusqlite::{Connection, InterruptHandle};

use crate::database::connection::open_to_write;
use crate::database::database_file::DatabaseFile;
use crate::database::fault::{ErrorContext, spoils_connection};
use crate::options::SqliteOptions;

/// A turn starts when the writer has committed nothing for this long. A flush at the same time as a commit makes the
/// commit slower.
const QUIET: Duration = Duration::from_millis(2);
/// How many times it waits for such a pause. A busy writer has none.
const QUIET_TRIES_MAX: u32 = 5;
/// The maximum number of copies in one turn. Each copies what was committed during the one before.
const COPIES_MAX: u32 = 8;
/// A turn is done when this few pages are left.
const LEFT_PAGES: u32 = 100;

/// Copies the log into the database file while the writer continues to write.
pub(crate) struct Checkpointer {
    pub(crate) options: SqliteOptions,
    pub(crate) context: ErrorContext,
    pub(crate) file: Arc<DatabaseFile>,
    pub(crate) progress: Arc<Progress>,
    /// Used to close the store.
    pub(crate) interrupt: Arc<OnceLock<InterruptHandle>>,
    pub(crate) turns: Receiver<()>,
}

/// State shared by the writer and the thread.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Pages in the log after the writer's last commit.
    pub(crate) log_pages: AtomicU32,
    /// One more than the pages that were copied when the last turn ended. Zero until a turn has ended.
    result: AtomicU32,
}

impl Progress {
    pub(crate) fn log_pages(&self) -> u32 {
        self.log_pages.load(Ordering::Relaxed)
    }

    pub(crate) fn end_turn(&self, copied_pages: u32) {
        self.result.store(copied_pages.saturating_add(1), Ordering::Release);
    }

    /// The number of copied pages, once the turn has ended.
    pub(crate) fn take_result(&self) -> Option<u32> {
        self.result.swap(0, Ordering::Acquire).checked_sub(1)
    }
}

/// The result of a checkpoint, in pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Copied {
    pub(crate) log: u32,
    pub(crate) copied: u32,
}

/// Copies the pages that no reader needs in the log. Never waits: if another process is copying, does nothing.
pub(crate) fn copy_log(connection: &Connection) -> rusqlite::Result<Option<Copied>> {
    connection.prepare_cached("PRAGMA wal_checkpoint(PASSIVE)")?.query_row([], |row| {
        // Both are -1 if nothing was done.
        let (log, copied): (i64, i64) = (row.get(1)?, row.get(2)?);
        Ok(u32::try_from(log).ok().zip(u32::try_from(copied).ok()).map(|(log, copied)| Copied { log, copied }))
    })
}

impl Checkpointer {
    /// Ends when the store is closed, or when its connection fails. The next turn starts a new thread.
    pub(crate) fn run(self) {
        let connection = match open_to_write(&self.options, &self.context) {
            Ok(connection) => connection,
            Err(error) => {
                crate::database::quiet::debug!(database = %self.context.database, %error, "could not open the database to copy its log");
                return self.progress.end_turn(0);
            }
        };
        if self.file.check_thoroughly(&connection).is_err() {
            // The writer notices the change too, and reports it.
            return self.progress.end_turn(0);
        }
        let _ = self.interrupt.set(connection.get_interrupt_handle());
        while self.turns.recv().is_ok() && self.await_quiet() {
            if self.file.check().is_err() {
                return self.progress.end_turn(0);
            }
            let copied = self.copy(&connection);
            let is_spoilt = copied.as_ref().is_err_and(spoils_connection);
            if let Err(error) = &copied {
                crate::database::quiet::debug!(database = %self.context.database, %error, "could not copy the log");
            }
            self.progress.end_turn(copied.unwrap_or(0));
            if is_spoilt {
                return;
            }
        }
    }

    /// Waits for a pause of the writer. Returns whether the store is still open.
    fn await_quiet(&self) -> bool {
        for _ in 0..QUIET_TRIES_MAX {
            let before = self.progress.log_pages();
            if self.turns.recv_timeout(QUIET) == Err(RecvTimeoutError::Disconnected) {
                return false;
            }
            if self.progress.log_pages() == before {
                break;
            }
        }
        true
    }

    /// One turn. Returns how many pages of the log are in the database file.
    fn copy(&self, connection: &Connection) -> rusqlite::Result<u32> {
        let (mut copied, mut least_left) = (0, u32::MAX);
        for _ in 0..COPIES_MAX {
            let Some(result) = copy_log(connection)? else { break };
            copied = result.copied;
            let left = self.progress.log_pages().saturating_sub(copied);
            if left <= LEFT_PAGES || left >= least_left {
                break;
            }
            least_left = left;
        }
        Ok(copied)
    }
}

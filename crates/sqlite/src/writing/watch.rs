use std::time::{Duration, Instant};

use rusqlite::{Connection, Statement};

use crate::writing::hints::Hints;

/// How often the file is looked at for commits of others while somebody listens and nothing else is to be done:
/// soon after the log was written or a commit gave work, and otherwise seldom where the operating system tells of
/// writes to the log, less seldom where it does not. One look costs about 50 µs here, most of it for waking up.
const PAUSE_BUSY: Duration = Duration::from_millis(2);
const PAUSE_IDLE: Duration = Duration::from_millis(4);
const PAUSE_WATCHED: Duration = Duration::from_millis(250);
/// A commit is to be seen when its last write has reached the disk, so the looks go on for a while after it.
const IDLE_AFTER: Duration = Duration::from_millis(250);
/// Right after a write to the log its commit is about to show: the flush to the disk is all that is between.
const PAUSE_EXPECTING: Duration = Duration::from_micros(500);
const EXPECTING: Duration = Duration::from_millis(10);

/// Notices commits of other connections. It asks the writing connection itself, for which only foreign commits
/// count, so that a worker is not woken by its own outcomes and no further connection is needed.
pub(crate) struct Watch<'c> {
    /// None if it could not be prepared; then there are no hints, and polling does.
    look: Option<Statement<'c>>,
    data_version: Option<i64>,
    looked_at: Instant,
    active_at: Instant,
    written_at: Option<Instant>,
}

impl<'c> Watch<'c> {
    pub(crate) fn begin(connection: &'c Connection) -> Self {
        let now = Instant::now();
        let look = connection.prepare("PRAGMA data_version").ok();
        let mut watch = Self { look, data_version: None, looked_at: now, active_at: now, written_at: None };
        watch.data_version = watch.read();
        watch
    }

    /// Something was asked for, so more may follow soon.
    pub(crate) fn note_activity(&mut self) {
        self.active_at = Instant::now();
    }

    /// Somebody wrote to the log.
    pub(crate) fn note_log_written(&mut self) {
        self.active_at = Instant::now();
        self.written_at = Some(self.active_at);
    }

    /// How long to wait until the next look.
    pub(crate) fn pause(&self, hints: &Hints) -> Duration {
        if self.active_at.elapsed() < IDLE_AFTER {
            return self.pause_busy();
        }
        if hints.is_log_watched() { PAUSE_WATCHED } else { PAUSE_IDLE }
    }

    /// Whether somebody else has committed since the last look; looks no more often than is worth its price.
    pub(crate) fn has_foreign_commit(&mut self) -> bool {
        if self.looked_at.elapsed() < self.pause_busy() {
            return false;
        }
        self.looked_at = Instant::now();
        // A look that fails is no hint; the next request meets the cause and tells it.
        let Some(version) = self.read() else { return false };
        let is_new = self.data_version != Some(version);
        self.data_version = Some(version);
        if is_new {
            self.active_at = self.looked_at;
        }
        is_new
    }

    fn pause_busy(&self) -> Duration {
        let is_expecting = self.written_at.is_some_and(|at| at.elapsed() < EXPECTING);
        if is_expecting { PAUSE_EXPECTING } else { PAUSE_BUSY }
    }

    fn read(&mut self) -> Option<i64> {
        self.look.as_mut()?.query_row([], |row| row.get(0)).ok()
    }
}

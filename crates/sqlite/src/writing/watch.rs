use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::writing::hints::Hints;
use crate::writing::session::data_version;

/// How often the file is checked for commits of other processes while there are subscribers and no requests. It is
/// often after the log was written or a commit made work available. Otherwise it is rare if the operating system
/// reports writes to the log, and less rare if it does not. One check costs about 50 µs, mostly for waking up.
const PAUSE_BUSY: Duration = Duration::from_millis(2);
const PAUSE_IDLE: Duration = Duration::from_millis(4);
const PAUSE_WATCHED: Duration = Duration::from_millis(250);
/// A commit becomes visible when its last write has reached the disk, so the checks continue for a while after a write.
const IDLE_AFTER: Duration = Duration::from_millis(250);
/// Right after a write to the log, its commit will become visible soon: only the flush to disk is missing.
const PAUSE_EXPECTING: Duration = Duration::from_micros(500);
const EXPECTING: Duration = Duration::from_millis(10);

/// Notices commits of other connections. It asks the writing connection, whose counter includes only foreign commits.
/// So a worker is not woken by its own outcomes, and no further connection is needed.
pub(crate) struct Watch {
    data_version: Option<i64>,
    looked_at: Instant,
    active_at: Instant,
    written_at: Option<Instant>,
}

impl Watch {
    pub(crate) fn begin(connection: &Connection) -> Self {
        let now = Instant::now();
        Self { data_version: data_version(connection).ok(), looked_at: now, active_at: now, written_at: None }
    }

    /// Records a request, because more may follow soon.
    pub(crate) fn note_activity(&mut self) {
        self.active_at = Instant::now();
    }

    /// Records that the log was written.
    pub(crate) fn note_log_written(&mut self) {
        self.active_at = Instant::now();
        self.written_at = Some(self.active_at);
    }

    /// How long to wait until the next check.
    pub(crate) fn pause(&self, hints: &Hints) -> Duration {
        if self.active_at.elapsed() < IDLE_AFTER {
            return self.pause_busy();
        }
        if hints.is_log_watched() { PAUSE_WATCHED } else { PAUSE_IDLE }
    }

    /// Whether another connection has committed since the last check. Checks only as often as is useful.
    pub(crate) fn has_foreign_commit(&mut self, connection: &Connection) -> bool {
        if self.looked_at.elapsed() < self.pause_busy() {
            return false;
        }
        self.looked_at = Instant::now();
        // A failed check is not a wake-up. The next request meets the cause and reports it.
        let Ok(version) = data_version(connection) else { return false };
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
}

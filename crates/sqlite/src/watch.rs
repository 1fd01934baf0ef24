use std::time::{Duration, Instant};

use rusqlite::{Connection, Statement};

/// How often the file is looked at for commits of others while somebody listens and nothing else is to be done:
/// soon after a commit, and when there was none for a while, because an idle worker must cost next to nothing
/// (measured here, one look costs about 30 µs, most of it for waking up).
const PAUSE_BUSY: Duration = Duration::from_millis(2);
const PAUSE_IDLE: Duration = Duration::from_millis(4);
const IDLE_AFTER: Duration = Duration::from_secs(1);

/// Notices commits of other connections. It asks the writing connection itself, for which only foreign commits
/// count, so that a worker is not woken by its own outcomes and no further connection is needed.
pub(crate) struct Watch<'c> {
    /// None if it could not be prepared; then there are no hints, and polling does.
    look: Option<Statement<'c>>,
    data_version: Option<i64>,
    looked_at: Instant,
    active_at: Instant,
}

impl<'c> Watch<'c> {
    pub(crate) fn begin(connection: &'c Connection) -> Self {
        let now = Instant::now();
        let look = connection.prepare("PRAGMA data_version").ok();
        let mut watch = Self { look, data_version: None, looked_at: now, active_at: now };
        watch.data_version = watch.read();
        watch
    }

    /// Something was asked for, so more may follow soon.
    pub(crate) fn note_activity(&mut self) {
        self.active_at = Instant::now();
    }

    /// How long to wait until the next look.
    pub(crate) fn pause(&self) -> Duration {
        if self.active_at.elapsed() < IDLE_AFTER { PAUSE_BUSY } else { PAUSE_IDLE }
    }

    /// Whether somebody else has committed since the last look; looks no more often than is worth its price.
    pub(crate) fn has_foreign_commit(&mut self) -> bool {
        if self.looked_at.elapsed() < PAUSE_BUSY {
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

    fn read(&mut self) -> Option<i64> {
        self.look.as_mut()?.query_row([], |row| row.get(0)).ok()
    }
}

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use rusqlite::Connection;

use crate::limits::limit_set::LimitSet;

/// The rules as the writing connection knows them, and the triggers that keep the lanes there.
///
/// Each change of a rule changes SQLite's schema version, which every transaction compares. So a database without limits
/// costs no read, and a transaction never uses old rules.
#[derive(Debug, Default)]
pub(crate) struct LimitCache {
    set: RefCell<Arc<LimitSet>>,
    is_current: Cell<bool>,
}

impl LimitCache {
    /// The rules in force.
    pub(crate) fn set(&self) -> Arc<LimitSet> {
        Arc::clone(&self.set.borrow())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.set.borrow().is_empty()
    }

    /// Whether a job is under any limit.
    pub(crate) fn covers(&self, job_type: &str, queue: &str) -> bool {
        self.set.borrow().covers(job_type, queue)
    }

    /// Whether nothing need be read before the next transaction, if the schema version is the same.
    pub(crate) const fn is_current(&self) -> bool {
        self.is_current.get()
    }

    /// Reads the rules, and creates or drops the triggers of this connection. Within a transaction that may be undone
    /// with the triggers, so they are looked at again before the next one.
    pub(crate) fn refresh(&self, connection: &Connection) -> rusqlite::Result<()> {
        let set = LimitSet::read(connection)?;
        let has_changed = match set.is_empty() {
            true => drop_copies(connection)?,
            false => copy_triggers(connection)?,
        };
        self.set.replace(Arc::new(set));
        self.is_current.set(!has_changed || connection.is_autocommit());
        Ok(())
    }

    /// The rules are other ones, for the rest of this transaction, and for later ones if it commits.
    pub(crate) fn refresh_within(&self, connection: &Connection) -> rusqlite::Result<()> {
        self.refresh(connection)?;
        self.is_current.set(false);
        Ok(())
    }
}

const HAS_COPIES: &str = "SELECT 1 FROM sqlite_temp_schema WHERE type = 'trigger' AND name = 'job_queue_finds_lane'";
/// The triggers of the database that the engine runs itself, because it has those of the database off.
const COPIED: [&str; 7] = [
    "job_queue_takes_lane",
    "job_queue_finds_lane",
    "job_queue_changes_lane",
    "job_queue_opens_lane",
    "job_queue_misses_lane",
    "job_queue_frees_place",
    "job_queue_frees_lane",
];

fn has_copies(connection: &Connection) -> rusqlite::Result<bool> {
    connection.prepare_cached(HAS_COPIES)?.exists([])
}

/// Triggers of the temporary schema run although those of the database are off. Returns whether there were none.
fn copy_triggers(connection: &Connection) -> rusqlite::Result<bool> {
    if has_copies(connection)? {
        return Ok(false);
    }
    for name in COPIED {
        let read = "SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND name = ?1";
        let text: String = connection.prepare_cached(read)?.query_row([name], |row| row.get(0))?;
        let copy = text.replacen("CREATE TRIGGER", "CREATE TEMP TRIGGER", 1);
        connection.execute_batch(&copy)?;
    }
    Ok(true)
}

fn drop_copies(connection: &Connection) -> rusqlite::Result<bool> {
    if !has_copies(connection)? {
        return Ok(false);
    }
    for name in COPIED {
        connection.execute_batch(&format!("DROP TRIGGER IF EXISTS temp.{name}"))?;
    }
    Ok(true)
}

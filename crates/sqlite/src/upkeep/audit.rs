use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use longshore_core::{JobId, Status};
use rusqlite::Connection;
use rusqlite::types::{Value, ValueRef};

use crate::database::column;
use crate::database::column::RawName;
use crate::upkeep::pruning::Pruning;

/// The maximum time of a comparison. It holds one state of the database, and until it ends the log cannot be reused.
const HOLD_MAX: Duration = Duration::from_secs(1);
/// How many rows are read between two checks of the clock.
const ROWS_BETWEEN_LOOKS: u32 = 256;
/// After a comparison, the next one waits this many times its duration, between these bounds.
const REST_FACTOR: u32 = 1000;
const REST_MIN: Duration = Duration::from_secs(60);
const REST_MAX: Duration = Duration::from_secs(3600);
/// The statuses whose jobs have an index and can be counted with it.
const INDEXED: [Status; 3] = [Status::Pending, Status::Running, Status::DeadLetter];

/// What housekeeping remembers between its steps. It holds no state of the database between them.
#[derive(Debug)]
pub(crate) struct Audit {
    /// For ended jobs and for dead letters.
    pruned_up_to: [AtomicI64; 2],
    /// The parent and the id of the last blocked job that was checked.
    settled_up_to: Mutex<Option<(i64, i64)>>,
    /// The last lane of pending jobs that was checked. Another program may have written any value.
    lanes_up_to: Mutex<Option<Value>>,
    /// The next comparison starts no earlier than this, by the monotonic clock.
    rests_until: Mutex<Duration>,
}

/// A count that is wrong, and by how much it is too low.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Drift {
    pub(crate) queue: RawName,
    pub(crate) status: RawName,
    pub(crate) by: i64,
}

impl Audit {
    pub(crate) fn new() -> Self {
        Self {
            pruned_up_to: [AtomicI64::new(i64::MIN), AtomicI64::new(i64::MIN)],
            settled_up_to: Mutex::default(),
            lanes_up_to: Mutex::default(),
            rests_until: Mutex::new(Duration::ZERO),
        }
    }

    pub(crate) fn pruned_up_to(&self, what: Pruning) -> JobId {
        JobId(self.pruned_up_to[what as usize].load(Ordering::Relaxed))
    }

    pub(crate) fn set_pruned_up_to(&self, what: Pruning, id: JobId) {
        self.pruned_up_to[what as usize].store(id.0, Ordering::Relaxed);
    }

    pub(crate) fn settled_up_to(&self) -> (i64, i64) {
        let place = *self.settled_up_to.lock().unwrap_or_else(PoisonError::into_inner);
        place.unwrap_or((i64::MIN, i64::MIN))
    }

    /// `None` when the walk has reached its end and starts again.
    pub(crate) fn set_settled_up_to(&self, place: Option<(i64, i64)>) {
        *self.settled_up_to.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }

    pub(crate) fn lanes_up_to(&self) -> Option<Value> {
        self.lanes_up_to.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// `None` when the walk has reached its end and starts again.
    pub(crate) fn set_lanes_up_to(&self, lane: Option<Value>) {
        *self.lanes_up_to.lock().unwrap_or_else(PoisonError::into_inner) = lane;
    }

    pub(crate) fn is_due(&self, now: Duration) -> bool {
        now >= *self.rests_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the duration of a comparison. The longer it takes, the less often it runs.
    pub(crate) fn rest(&self, now: Duration, took: Duration) {
        let pause = took.saturating_mul(REST_FACTOR).clamp(REST_MIN, REST_MAX);
        *self.rests_until.lock().unwrap_or_else(PoisonError::into_inner) = now + pause;
    }
}

/// Compares the number of jobs with the stored counts, in the same state of the database.
///
/// What cannot be counted in time is not compared. It tries all statuses first; if the table is too large for that,
/// only the ones with indexes. It never compares a part of a status, because it would miss a job that changes at the
/// same time.
pub(crate) fn find_drift(connection: &Connection) -> rusqlite::Result<Vec<Drift>> {
    find_drift_within(connection, HOLD_MAX / 2, HOLD_MAX / 2)
}

fn find_drift_within(
    connection: &Connection,
    all_max: Duration,
    indexed_max: Duration,
) -> rusqlite::Result<Vec<Drift>> {
    if let Some(counted) = count(connection, include_str!("../sql/upkeep/select_statuses.sql"), all_max)? {
        return compare(connection, counted, |_| true);
    }
    if let Some(counted) = count(connection, include_str!("../sql/upkeep/select_statuses_live.sql"), indexed_max)? {
        return compare(connection, counted, |status| INDEXED.iter().any(|known| known.as_str().as_bytes() == status));
    }
    crate::database::quiet::debug!("the table is too large to compare its counts");
    Ok(Vec::new())
}

/// Jobs by queue and status, with names as bytes.
type Counted = HashMap<RawName, HashMap<RawName, i64>>;

/// Counts what the statement returns. `None` if it did not finish in time.
fn count(connection: &Connection, sql: &str, time_max: Duration) -> rusqlite::Result<Option<Counted>> {
    let begun = Instant::now();
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    let mut counted = Counted::new();
    let mut read: u32 = 0;
    while let Some(row) = rows.next()? {
        if read.is_multiple_of(ROWS_BETWEEN_LOOKS) && begun.elapsed() >= time_max {
            return Ok(None);
        }
        read = read.wrapping_add(1);
        add(&mut counted, bytes(row.get_ref(0)?), bytes(row.get_ref(1)?), 1);
    }
    Ok(Some(counted))
}

fn compare(
    connection: &Connection,
    mut counted: Counted,
    is_counted: impl Fn(&[u8]) -> bool,
) -> rusqlite::Result<Vec<Drift>> {
    let mut statement = connection.prepare_cached(include_str!("../sql/upkeep/select_depths.sql"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let status = bytes(row.get_ref(1)?);
        if is_counted(status) {
            add(&mut counted, bytes(row.get_ref(0)?), status, column::integer(row, 2)?.saturating_neg());
        }
    }
    let mut drift = Vec::new();
    for (queue, statuses) in counted {
        let wrong = statuses.into_iter().filter(|(_, by)| *by != 0);
        drift.extend(wrong.map(|(status, by)| Drift { queue: queue.clone(), status, by }));
    }
    Ok(drift)
}

/// A known pair needs no allocation.
fn add(counted: &mut Counted, queue: &[u8], status: &[u8], jobs: i64) {
    if !counted.contains_key(queue) {
        counted.insert(queue.into(), HashMap::new());
    }
    let statuses = counted.get_mut(queue).expect("it was inserted above");
    match statuses.get_mut(status) {
        Some(sum) => *sum = sum.saturating_add(jobs),
        None => {
            statuses.insert(status.into(), jobs);
        }
    }
}

fn bytes(value: ValueRef<'_>) -> &[u8] {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes,
        // The columns are NOT NULL and have the affinity TEXT.
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => &[],
    }
}

#[cfg(test)]
mod tests;

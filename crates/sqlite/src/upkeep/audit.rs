use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use longshore_core::{JobId, Status, StoreError};
use rusqlite::{Connection, params};

use crate::column;
use crate::connection::open_reader;
use crate::fault::Place;
use crate::options::SqliteOptions;

/// How long one state of the database is held for a comparison: as long as it is, the log cannot be reused.
const HOLD_MAX: Duration = Duration::from_secs(30);
/// How long after a comparison the next one begins.
const PAUSE: Duration = Duration::from_secs(3600);

/// What housekeeping remembers between its steps.
#[derive(Debug)]
pub(crate) struct Audit {
    pruned_up_to: AtomicI64,
    /// The parent and the id of the last blocked job that was looked at.
    settled_up_to: Mutex<Option<(i64, i64)>>,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    /// Not before this instant, if there is one.
    Resting(Option<Instant>),
    Walking(Box<Walk>),
}

/// A walk over all jobs in one state of the database, held open from step to step.
#[derive(Debug)]
struct Walk {
    connection: Connection,
    begun: Instant,
    after: JobId,
    counted: HashMap<(String, Status), i64>,
}

/// A count that is wrong, and by how much too small it is.
#[derive(Debug)]
pub(crate) struct Drift {
    pub(crate) queue: String,
    pub(crate) status: Status,
    pub(crate) by: i64,
}

/// What one step came to.
#[derive(Debug, Default)]
pub(crate) struct Step {
    pub(crate) has_more: bool,
    /// What was found, once the walk is at its end.
    pub(crate) drift: Option<Vec<Drift>>,
}

impl Audit {
    pub(crate) fn new() -> Self {
        Self {
            pruned_up_to: AtomicI64::new(i64::MIN),
            settled_up_to: Mutex::default(),
            state: Mutex::new(State::Resting(None)),
        }
    }

    pub(crate) fn pruned_up_to(&self) -> JobId {
        JobId(self.pruned_up_to.load(Ordering::Relaxed))
    }

    pub(crate) fn set_pruned_up_to(&self, id: JobId) {
        self.pruned_up_to.store(id.0, Ordering::Relaxed);
    }

    pub(crate) fn settled_up_to(&self) -> (i64, i64) {
        let place = *self.settled_up_to.lock().unwrap_or_else(PoisonError::into_inner);
        place.unwrap_or((i64::MIN, i64::MIN))
    }

    /// None when the walk is at its end and begins anew.
    pub(crate) fn set_settled_up_to(&self, place: Option<(i64, i64)>) {
        *self.settled_up_to.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }

    /// Looks at some more rows, or begins a comparison when the last one is long enough ago.
    pub(crate) fn step(&self, options: &SqliteOptions, place: &Place, rows_max: u32) -> Result<Step, StoreError> {
        let explain = |error| place.explain(error, "comparing the counts with the jobs");
        let mut state = self.state();
        let mut walk = match std::mem::replace(&mut *state, State::Resting(None)) {
            State::Walking(walk) if !walk.is_overdue() => walk,
            State::Resting(Some(not_before)) if Instant::now() < not_before => {
                *state = State::Resting(Some(not_before));
                return Ok(Step::default());
            }
            _ => Box::new(Walk::begin(open_reader(options, place)?).map_err(explain)?),
        };
        if walk.advance(rows_max).map_err(explain)? {
            *state = State::Walking(walk);
            return Ok(Step { has_more: true, drift: None });
        }
        let drift = walk.drift().map_err(explain)?;
        *state = State::Resting(Some(Instant::now() + PAUSE));
        Ok(Step { has_more: false, drift: Some(drift) })
    }

    /// Gives up a comparison that nobody went on with, so that the log can be reused. For the writing thread,
    /// which makes the log grow and must not wait.
    pub(crate) fn drop_overdue(&self) {
        if let Ok(mut state) = self.state.try_lock()
            && matches!(&*state, State::Walking(walk) if walk.is_overdue())
        {
            *state = State::Resting(Some(Instant::now() + PAUSE));
        }
    }

    /// Closes what is open on a file that is used no longer.
    pub(crate) fn abandon(&self) {
        *self.state() = State::Resting(None);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Walk {
    fn begin(connection: Connection) -> rusqlite::Result<Self> {
        connection.execute_batch("BEGIN")?;
        Ok(Self { connection, begun: Instant::now(), after: JobId(i64::MIN), counted: HashMap::new() })
    }

    fn is_overdue(&self) -> bool {
        self.begun.elapsed() > HOLD_MAX
    }

    /// Counts the next rows; whether there are more.
    fn advance(&mut self, rows_max: u32) -> rusqlite::Result<bool> {
        let mut statement = self.connection.prepare_cached(include_str!("../sql/select_standing_page.sql"))?;
        let mut rows = statement.query(params![self.after.0, rows_max])?;
        let mut seen = 0;
        while let Some(row) = rows.next()? {
            self.after = column::id(row, 0)?;
            *self.counted.entry((column::text(row, 1)?, column::status(row, 2)?)).or_default() += 1;
            seen += 1;
        }
        Ok(seen == rows_max)
    }

    /// The difference between what was counted and what the counts said in the same state of the database.
    fn drift(&mut self) -> rusqlite::Result<Vec<Drift>> {
        let mut statement = self.connection.prepare_cached(include_str!("../sql/select_depths.sql"))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let key = (column::text(row, 0)?, column::status(row, 1)?);
            let counted = self.counted.entry(key).or_default();
            *counted = counted.saturating_sub(column::integer(row, 2)?);
        }
        let wrong = self.counted.drain().filter(|(_, by)| *by != 0);
        Ok(wrong.map(|((queue, status), by)| Drift { queue, status, by }).collect())
    }
}

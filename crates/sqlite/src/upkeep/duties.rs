use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use longshore_core::{Maintenance, StoreError, Timestamp, WorkerId};
use rusqlite::{Connection, OptionalExtension, params};

use crate::database::column;
use crate::database::fault::Fault;
use crate::database::readers::Readers;
use crate::writing::session::WriteTx;
use crate::writing::work::Work;
use crate::writing::writer::Writer;

/// How long the minutes of the dashboard are kept, and how many old ones are deleted at once.
const MINUTES_KEPT: i64 = 31 * 24 * 60;
const MINUTES_DROPPED_MAX: u32 = 10_000;

/// The duties of this store. Only one store at a time has a duty.
#[derive(Debug)]
pub(crate) struct Duties {
    holder: Arc<str>,
    /// One call at a time in this store. Otherwise two calls would find the same wrong count.
    turn: tokio::sync::Mutex<()>,
    terms: Mutex<HashMap<String, Term>>,
}

/// The time during which a store holds a duty. Every write for the duty checks in the same transaction that it has not
/// ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Term {
    duty: String,
    number: i64,
    /// Part of the fence: in a restored database, numbers can repeat.
    holder: Arc<str>,
}

/// A duty as stored in the database.
struct DutyRow {
    holder: String,
    number: i64,
    taken_at: Timestamp,
}

/// A duty that may be taken, and its last number; zero for none.
struct Vacancy {
    duty: String,
    seen: i64,
}

impl Duties {
    pub(crate) fn new() -> Self {
        Self {
            holder: WorkerId::random().as_str().into(),
            turn: tokio::sync::Mutex::default(),
            terms: Mutex::default(),
        }
    }

    pub(crate) async fn wait_for_turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// The terms of the duties that this store holds or can take. A store that holds duties writes only when it is time
    /// to renew them, for all of them at once. A store without duties only reads.
    pub(crate) async fn take(
        &self,
        duties: Vec<String>,
        readers: &Readers,
        writer: &Writer,
    ) -> Result<HashMap<String, Term>, StoreError> {
        let known = self.terms().clone();
        let (held, vacant) = readers
            .run("reading the housekeeping duties", move |tx| {
                Ok(held_and_vacant(tx.connection, duties, &known, tx.now)?)
            })
            .await?;
        let mut terms = held;
        if !vacant.is_empty() {
            terms.extend(writer.run(TakeDuties { holder: Arc::clone(&self.holder), vacant }).await?);
        }
        self.terms().extend(terms.clone());
        Ok(terms)
    }

    fn terms(&self) -> MutexGuard<'_, HashMap<String, Term>> {
        self.terms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which of the duties this store holds, and which it may take. Duties of other live stores are neither.
fn held_and_vacant(
    connection: &Connection,
    duties: Vec<String>,
    known: &HashMap<String, Term>,
    now: Timestamp,
) -> rusqlite::Result<(HashMap<String, Term>, Vec<Vacancy>)> {
    let (mut held, mut vacant) = (HashMap::new(), Vec::new());
    for duty in duties {
        let Some(row) = read_row(connection, &duty)? else {
            vacant.push(Vacancy { duty, seen: 0 });
            continue;
        };
        let mine = known.get(&duty).filter(|term| row.is_of(term));
        if !row.is_fresh(now, mine.is_some()) {
            vacant.push(Vacancy { duty, seen: row.number });
        } else if let Some(term) = mine {
            held.insert(duty, term.clone());
        }
    }
    Ok((held, vacant))
}

impl DutyRow {
    fn is_of(&self, term: &Term) -> bool {
        self.number == term.number && *self.holder == *term.holder
    }

    /// Whether its holder need not renew it yet, or another store may not take it yet. The absolute difference counts,
    /// so that a clock that was set back does not block it.
    fn is_fresh(&self, now: Timestamp, is_mine: bool) -> bool {
        let age = now.as_ms().abs_diff(self.taken_at.as_ms());
        let limit = if is_mine { Maintenance::DUTY_RENEWAL } else { Maintenance::DUTY_EXPIRY };
        u128::from(age) < limit.as_millis()
    }
}

impl Term {
    /// Whether the term has not ended. Call it inside the transaction that writes.
    pub(crate) fn is_current(&self, connection: &Connection) -> rusqlite::Result<bool> {
        Ok(read_row(connection, &self.duty)?.is_some_and(|row| row.is_of(self)))
    }
}

fn read_row(connection: &Connection, duty: &str) -> rusqlite::Result<Option<DutyRow>> {
    connection
        .prepare_cached(include_str!("../sql/upkeep/select_duty.sql"))?
        .query_row([duty], |row| {
            Ok(DutyRow {
                holder: column::text(row, 0)?,
                number: column::integer(row, 1)?,
                taken_at: column::timestamp(row, 2)?,
            })
        })
        .optional()
}

/// Takes or renews duties. Also does the work that is due once a minute.
struct TakeDuties {
    holder: Arc<str>,
    vacant: Vec<Vacancy>,
}

impl Work for TakeDuties {
    type Answer = HashMap<String, Term>;
    const DOING: &'static str = "taking the housekeeping duties";

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<HashMap<String, Term>, Fault> {
        let mut terms = HashMap::new();
        for Vacancy { duty, seen } in &self.vacant {
            // At the maximum number, the next term has the same number, and the holder distinguishes them.
            let number = seen.saturating_add(1);
            let parameters = params![duty, &*self.holder, seen, number, tx.now.as_ms()];
            let taken =
                tx.connection.prepare_cached(include_str!("../sql/upkeep/take_duty.sql"))?.execute(parameters)?;
            if taken > 0 {
                let term = Term { duty: duty.clone(), number, holder: Arc::clone(&self.holder) };
                terms.insert(duty.clone(), term);
            }
        }
        tx.connection
            .prepare_cached(include_str!("../sql/upkeep/delete_old_minutes.sql"))?
            .execute(params![tx.now.minute() - MINUTES_KEPT, MINUTES_DROPPED_MAX])?;
        Ok(terms)
    }
}

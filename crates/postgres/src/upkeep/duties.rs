use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use longshore_core::{Maintenance, Timestamp, WorkerId};
use postgres_types::Type;
use tokio_postgres::{Error, Row};

use crate::session::columns::Columns;
use crate::session::sql::sql;
use crate::session::statements::{Parameter, Session};

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

/// A duty as stored in the database, and the time of the look.
struct DutyRow {
    duty: String,
    holder: String,
    number: i64,
    taken_at: Timestamp,
    now: Timestamp,
}

impl Default for Duties {
    fn default() -> Self {
        Self {
            holder: WorkerId::random().as_str().into(),
            turn: tokio::sync::Mutex::default(),
            terms: Mutex::default(),
        }
    }
}

impl Duties {
    pub(crate) async fn wait_for_turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// The terms of the duties that this store holds or can take. A store that holds duties writes only when it is time
    /// to renew them. A store without duties only reads.
    pub(crate) async fn take(&self, session: &Session, duties: Vec<String>) -> Result<HashMap<String, Term>, Error> {
        let rows = session.query(sql!("upkeep/select_duties"), &[(&duties, Type::TEXT_ARRAY)]).await?;
        let rows: Vec<DutyRow> = rows.iter().map(DutyRow::of).collect::<Result<_, _>>()?;
        let known = self.terms().clone();
        let (mut terms, mut vacant, mut seen) = (HashMap::new(), Vec::new(), Vec::new());
        for duty in duties {
            let row = rows.iter().find(|row| row.duty == duty);
            let mine = known.get(&duty).filter(|term| row.is_some_and(|row| row.is_of(term)));
            if row.is_none_or(|row| !row.is_fresh(mine.is_some())) {
                vacant.push(duty);
                seen.push(row.map_or(0, |row| row.number));
            } else if let Some(term) = mine {
                terms.insert(duty, term.clone());
            }
        }
        if !vacant.is_empty() {
            let parameters: [Parameter<'_>; 3] =
                [(&vacant, Type::TEXT_ARRAY), (&&*self.holder, Type::TEXT), (&seen, Type::INT8_ARRAY)];
            for row in session.query(sql!("upkeep/take_duties"), &parameters).await? {
                let duty: String = row.try_get(0)?;
                let term = Term { duty: duty.clone(), number: row.try_get(1)?, holder: Arc::clone(&self.holder) };
                terms.insert(duty, term);
            }
        }
        self.terms().extend(terms.clone());
        Ok(terms)
    }

    fn terms(&self) -> MutexGuard<'_, HashMap<String, Term>> {
        self.terms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DutyRow {
    fn of(row: &Row) -> Result<Self, Error> {
        let columns = &mut Columns::of(row);
        Ok(Self {
            duty: columns.read()?,
            holder: columns.read()?,
            number: columns.read()?,
            taken_at: columns.instant()?,
            now: columns.instant()?,
        })
    }

    fn is_of(&self, term: &Term) -> bool {
        self.number == term.number && *self.holder == *term.holder
    }

    /// Whether its holder need not renew it yet, or another store may not take it yet. The absolute difference counts,
    /// so that a clock that was set back does not block it.
    fn is_fresh(&self, is_mine: bool) -> bool {
        let age = self.now.as_ms().abs_diff(self.taken_at.as_ms());
        let limit = if is_mine { Maintenance::DUTY_RENEWAL } else { Maintenance::DUTY_EXPIRY };
        u128::from(age) < limit.as_millis()
    }
}

impl Term {
    /// Whether the term has not ended. If so, it does not end before the transaction does.
    pub(crate) async fn is_current(&self, session: &Session) -> Result<bool, Error> {
        let parameters: [Parameter<'_>; 3] =
            [(&self.duty, Type::TEXT), (&&*self.holder, Type::TEXT), (&self.number, Type::INT8)];
        Ok(session.query_opt(sql!("upkeep/hold_duty"), &parameters).await?.is_some())
    }
}

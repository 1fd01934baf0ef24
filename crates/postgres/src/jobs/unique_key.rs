use longshore_core::{JobId, Overdue, Status, TimeBounds, Timestamp, UniqueWhile};
use postgres_types::Type;
use tokio_postgres::Error;

use crate::session::columns::Columns;
use crate::session::sql::sql;
use crate::session::statements::Session;

/// A job that has not ended and has a unique key, or had it and passed it on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) id: JobId,
    pub(crate) status: Status,
    holds_key: bool,
    time: TimeBounds,
    /// When it was looked at.
    now: Timestamp,
}

/// What a new job finds under its unique key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Meeting {
    /// The key is free.
    Free,
    /// The job with the key is running, and the new one may wait behind it after it has taken the key.
    Behind(JobId),
    /// A job that counts as a duplicate.
    Duplicate(Holder),
}

/// The same, with the waiting jobs of that key whose expiry or deadline has passed.
#[derive(Debug)]
pub(crate) struct Met {
    pub(crate) meeting: Meeting,
    pub(crate) overdue: Vec<(JobId, Overdue)>,
}

impl Met {
    /// No job has the key.
    pub(crate) const NOBODY: Self = Self { meeting: Meeting::Free, overdue: Vec::new() };

    /// What a job with this rule meets, of the jobs of its key.
    pub(crate) fn of(holders: &[Holder], unique_while: UniqueWhile) -> Self {
        let mut met = Self::NOBODY;
        for holder in holders {
            if let Some(overdue) = holder.overdue() {
                met.overdue.push((holder.id, overdue));
            } else if unique_while.covers(holder.status) {
                return Self { meeting: Meeting::Duplicate(holder.clone()), ..met };
            } else if holder.holds_key {
                met.meeting = Meeting::Behind(holder.id);
            }
        }
        met
    }
}

impl Holder {
    fn overdue(&self) -> Option<Overdue> {
        let waits = matches!(self.status, Status::Pending | Status::Retrying | Status::Blocked);
        self.time.overdue_at(self.now).filter(|_| waits)
    }
}

/// The jobs of each of these keys, in their order: first the one that holds it.
pub(crate) async fn holders(session: &Session, keys: &[&str]) -> Result<Vec<Vec<Holder>>, Error> {
    let mut holders = vec![Vec::new(); keys.len()];
    let rows = session.query(sql!("jobs/select_unique_key_holders"), &[(&keys, Type::TEXT_ARRAY)]).await?;
    for row in &rows {
        let columns = &mut Columns::of(row);
        let place: i64 = columns.read()?;
        let holder = Holder {
            id: columns.id()?,
            holds_key: columns.read()?,
            status: columns.status()?,
            time: columns.time_bounds()?,
            now: columns.instant()?,
        };
        let of_key = usize::try_from(place - 1).ok().and_then(|place| holders.get_mut(place));
        of_key.expect("the rows are numbered like the keys").push(holder);
    }
    Ok(holders)
}

/// Takes the key from a running job for one that waits behind it. Returns whether it still ran and had the key.
pub(crate) async fn pass_on(session: &Session, id: JobId, key: &str) -> Result<bool, Error> {
    let values = [(&id.0 as _, Type::INT8), (&key as _, Type::TEXT)];
    Ok(session.execute(sql!("jobs/pass_unique_key"), &values).await? == 1)
}

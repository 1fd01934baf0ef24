use longshore_core::{JobData, JobId, Status, TimeBounds, Timestamp, WorkerId};
use postgres_types::FromSql;
use tokio_postgres::{Error, Row};

use crate::instant::Instant;

/// The columns of a row, read from left to right.
#[derive(Debug)]
pub(crate) struct Columns<'a> {
    row: &'a Row,
    next: usize,
}

impl<'a> Columns<'a> {
    pub(crate) const fn of(row: &'a Row) -> Self {
        Self { row, next: 0 }
    }

    pub(crate) fn read<T: FromSql<'a>>(&mut self) -> Result<T, Error> {
        self.next += 1;
        self.row.try_get(self.next - 1)
    }

    /// Leaves columns out.
    pub(crate) const fn skip(&mut self, count: usize) {
        self.next += count;
    }

    /// A count, which another program may have made negative.
    pub(crate) fn count(&mut self) -> Result<u32, Error> {
        Ok(to_count(self.read()?))
    }

    pub(crate) fn optional_count(&mut self) -> Result<Option<u32>, Error> {
        Ok(self.read::<Option<i32>>()?.map(to_count))
    }

    /// A large count.
    pub(crate) fn size(&mut self) -> Result<u64, Error> {
        Ok(u64::try_from(self.read::<Option<i64>>()?.unwrap_or(0)).unwrap_or(0))
    }

    pub(crate) fn instant(&mut self) -> Result<Timestamp, Error> {
        Ok(self.read::<Instant>()?.0)
    }

    pub(crate) fn optional_instant(&mut self) -> Result<Option<Timestamp>, Error> {
        Ok(self.read::<Option<Instant>>()?.map(|instant| instant.0))
    }

    /// The expiry, and in the next column the deadline.
    pub(crate) fn time_bounds(&mut self) -> Result<TimeBounds, Error> {
        Ok(TimeBounds { expires_at: self.optional_instant()?, deadline_at: self.optional_instant()? })
    }

    pub(crate) fn status(&mut self) -> Result<Status, Error> {
        let word: &str = self.read()?;
        Ok(word.parse().expect("the statement names a status"))
    }

    pub(crate) fn worker_id(&mut self) -> Result<Option<WorkerId>, Error> {
        Ok(self.read::<Option<&str>>()?.map(WorkerId::from_stored))
    }

    /// JSON that the statement gives as text.
    pub(crate) fn data(&mut self) -> Result<Option<JobData>, Error> {
        Ok(self.read::<Option<String>>()?.map(JobData::from_stored))
    }

    pub(crate) fn id(&mut self) -> Result<JobId, Error> {
        Ok(JobId(self.read()?))
    }
}

fn to_count(number: i32) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

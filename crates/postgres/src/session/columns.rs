use longshore_core::{JobId, TimeBounds, Timestamp};
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

    /// A count, which another program may have made negative.
    pub(crate) fn optional_count(&mut self) -> Result<Option<u32>, Error> {
        Ok(self.read::<Option<i32>>()?.map(|count| u32::try_from(count).unwrap_or(0)))
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

    pub(crate) fn id(&mut self) -> Result<JobId, Error> {
        Ok(JobId(self.read()?))
    }
}

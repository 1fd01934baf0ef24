use std::sync::{Mutex, PoisonError};

use postgres_types::Type;

use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::sql::sql;
use crate::session::statements::Parameter;
use crate::store::Parts;

/// How many rows of each kind one step looks at.
const ROWS_MAX: i64 = 1000;

/// Where the walks over the rows of workflows stand. They find what nobody was told of: jobs that went with their partition,
/// and what another program or a restored part of a back-up has changed.
#[derive(Debug, Default)]
pub(crate) struct WorkflowSweep {
    places: Mutex<Places>,
}

#[derive(Clone, Copy, Debug)]
struct Places {
    member: i64,
    dependency: (i64, i32),
}

impl Default for Places {
    fn default() -> Self {
        Self { member: i64::MIN, dependency: (i64::MIN, i32::MIN) }
    }
}

impl WorkflowSweep {
    /// Looks at some rows. What is wrong becomes a hint for the next step, or goes with its job.
    pub(crate) async fn step(&self, parts: &Parts) -> Result<(), Fault> {
        let mut places = *self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let session = parts.pool.session().await?;
        let parameters: [Parameter<'_>; 2] = [(&places.member, Type::INT8), (&ROWS_MAX, Type::INT8)];
        let row = session.query_opt(sql!("workflows/sweep_members"), &parameters).await?;
        let row = row.expect("counts are one row");
        let columns = &mut Columns::of(&row);
        let (last, looked): (Option<i64>, i64) = (columns.read()?, columns.read()?);
        // At its end a walk starts again.
        places.member = last.filter(|_| looked == ROWS_MAX).unwrap_or(i64::MIN);
        let parameters: [Parameter<'_>; 3] =
            [(&places.dependency.0, Type::INT8), (&places.dependency.1, Type::INT4), (&ROWS_MAX, Type::INT8)];
        let row = session.query_opt(sql!("workflows/sweep_dependencies"), &parameters).await?;
        places.dependency = match row {
            Some(row) => {
                let columns = &mut Columns::of(&row);
                let (id, position, looked): (i64, i32, i64) = (columns.read()?, columns.read()?, columns.read()?);
                if looked == ROWS_MAX { (id, position) } else { Places::default().dependency }
            }
            None => Places::default().dependency,
        };
        *self.places.lock().unwrap_or_else(PoisonError::into_inner) = places;
        Ok(())
    }
}

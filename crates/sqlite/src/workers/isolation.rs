use longshore_core::{ClaimNumber, JobId, Recorded, WorkerId};
use rusqlite::params;

use crate::database::fault::Fault;
use crate::jobs::outcomes::record::refused;
use crate::writing::session::{WriteTx, is_of_a_row};
use crate::writing::work::{Passing, Work};

/// Writes that the attempt of a suspect will start alone in its process.
pub(crate) struct BeginIsolated {
    pub(crate) worker_id: WorkerId,
    pub(crate) id: JobId,
    pub(crate) claim_number: ClaimNumber,
}

impl Work for BeginIsolated {
    type Answer = Recorded;
    const DOING: &'static str = "starting a job that runs alone";
    const PASSING: Passing = Passing::WhileDraining;

    fn is_one_statement(&self) -> bool {
        true
    }

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<Recorded, Fault> {
        let written = tx
            .connection
            .prepare_cached(include_str!("../sql/workers/begin_isolated.sql"))?
            .execute(params![self.id.0, self.worker_id.as_str(), self.claim_number.0]);
        match written {
            Ok(1) => Ok(Recorded::Recorded),
            Ok(_) => Ok(Recorded::Fenced),
            // SQLite has taken the statement back by itself.
            Err(error) if is_of_a_row(&error) && !tx.connection.is_autocommit() => Ok(refused(&error)),
            Err(error) => Err(error.into()),
        }
    }
}

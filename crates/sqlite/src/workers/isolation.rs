use longshore_core::{ClaimNumber, JobId, Recorded, WorkerId};
use rusqlite::params;

use crate::fault::Fault;
use crate::writing::session::WriteTx;
use crate::writing::work::Work;

/// Writes that the attempt of a suspect is about to begin alone in its process.
pub(crate) struct BeginIsolated {
    pub(crate) worker_id: WorkerId,
    pub(crate) id: JobId,
    pub(crate) claim_number: ClaimNumber,
}

impl Work for BeginIsolated {
    type Answer = Recorded;
    const DOING: &'static str = "beginning a job that runs alone";

    fn is_one_statement(&self) -> bool {
        true
    }

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<Recorded, Fault> {
        let changed = tx.connection.prepare_cached(include_str!("../sql/begin_isolated.sql"))?.execute(params![
            self.id.0,
            self.worker_id.as_str(),
            self.claim_number.0
        ])?;
        Ok(if changed == 1 { Recorded::Recorded } else { Recorded::Fenced })
    }
}

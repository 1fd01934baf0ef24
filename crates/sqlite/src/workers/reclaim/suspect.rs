use longshore_core::{WorkerId, WorkerReading};

use crate::database::fault::Fault;
use crate::writing::session::WriteTx;
use crate::writing::work::{Passing, Work};

/// A small write that shows whether writing is possible. Only then could the suspects have extended their leases.
pub(crate) struct SuspectAll {
    pub(crate) suspects: Vec<WorkerReading<WorkerId>>,
}

impl Work for SuspectAll {
    type Answer = ();
    const DOING: &'static str = "checking that workers could extend their leases";
    const PASSING: Passing = Passing::WhileDraining;

    fn rows(&self) -> usize {
        self.suspects.len()
    }

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<(), Fault> {
        let mut statement = tx.connection.prepare_cached(include_str!("../../sql/workers/suspect_worker.sql"))?;
        for suspect in &self.suspects {
            // A worker that has extended its lease in the meantime is skipped here. The next search clears it.
            statement.execute((suspect.worker.as_str(), suspect.heartbeat_number))?;
        }
        Ok(())
    }
}

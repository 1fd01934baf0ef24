use longshore_core::QueueChange;
use rusqlite::params;

use crate::database::fault::Fault;
use crate::writing::session::WriteTx;
use crate::writing::work::Work;

/// Pauses or resumes a queue.
pub(crate) struct ChangeQueue {
    pub(crate) queue: String,
    pub(crate) change: QueueChange,
}

impl Work for ChangeQueue {
    type Answer = ();
    const DOING: &'static str = "pausing or resuming a queue";

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<(), Fault> {
        match self.change {
            QueueChange::Pause => {
                tx.connection
                    .prepare_cached(include_str!("../sql/upkeep/pause_queue.sql"))?
                    .execute(params![self.queue, tx.now.as_ms()])?;
            }
            QueueChange::Resume => {
                tx.connection.prepare_cached(include_str!("../sql/upkeep/resume_queue.sql"))?.execute([&self.queue])?;
                tx.wake_for(None, &self.queue);
            }
        }
        Ok(())
    }
}

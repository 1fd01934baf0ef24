use std::path::Path;

use longshore_core::{StoreError, ValidJobStream};
use longshore_spool::{Parts, read_stream};

use crate::database::fault::{ErrorContext, Fault};
use crate::jobs::enqueue::{INSERT_JOB, Inserting};
use crate::options::SqliteOptions;
use crate::writing::session::WriteTx;
use crate::writing::work::Work;
use crate::writing::writer::Writer;

/// Enqueues the jobs of a stream in one transaction, all or none.
///
/// The stream is read to its end before the transaction starts. So the time of the write lock depends only on the
/// number of jobs, and the stream may itself enqueue jobs.
pub(crate) async fn enqueue_stream(
    writer: &Writer,
    context: &ErrorContext,
    options: &SqliteOptions,
    jobs: ValidJobStream,
) -> Result<u64, StoreError> {
    // On the disk of the database, which was sized for jobs.
    let folder = options.path.parent().unwrap_or(Path::new(".")).to_owned();
    let spooled = read_stream(jobs, folder, &context.database).await?;
    writer.run(EnqueueAll { parts: spooled.parts, broken: spooled.broken }).await
}

struct EnqueueAll {
    parts: Parts,
    /// The error that came after the jobs, instead of the next job.
    broken: Option<StoreError>,
}

impl Work for EnqueueAll {
    type Answer = u64;
    const DOING: &'static str = "enqueueing a stream of jobs";

    /// Enough to fill a transaction, so that no other request joins it.
    fn rows(&self) -> usize {
        usize::MAX
    }

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<u64, Fault> {
        let connection = tx.connection;
        let mut insert = connection.prepare_cached(INSERT_JOB)?;
        let mut inserting = Inserting::begin(connection, &mut insert);
        let mut made = 0;
        loop {
            let part = self.parts.next_part()?;
            if part.is_empty() {
                break;
            }
            let enqueued = inserting.write_all(tx, &part)?;
            made += enqueued.iter().map(|enqueued| u64::from(!enqueued.is_duplicate)).sum::<u64>();
        }
        match self.broken.take() {
            Some(error) => Err(error.into()),
            None => Ok(made),
        }
    }
}

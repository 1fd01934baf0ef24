use std::path::{Path, PathBuf};
use std::thread;

use longshore_core::{EnqueueStream, Limits, NewJob, StoreError};
use tokio::sync::oneshot;
use tokio::task::coop::unconstrained;

use crate::fault::{ErrorContext, Fault};
use crate::jobs::enqueue::Inserting;
use crate::jobs::enqueue::spool::{Parts, Spool};
use crate::options::SqliteOptions;
use crate::writing::session::WriteTx;
use crate::writing::work::Work;
use crate::writing::writer::Writer;

/// After so many jobs it is asked whether the caller still waits.
const JOBS_BETWEEN_LOOKS: u64 = 256;

/// Makes the jobs of a stream in one transaction, all or none.
///
/// The stream is read to its end before the transaction begins: how long the write lock is held depends on its length
/// alone, and it may even enqueue jobs itself. It is read on a thread of its own, because a read may hang.
pub(crate) async fn enqueue_stream(
    writer: &Writer,
    context: &ErrorContext,
    options: &SqliteOptions,
    jobs: EnqueueStream,
) -> Result<u64, StoreError> {
    let (answer, read) = oneshot::channel();
    let folder = options.path.parent().unwrap_or(Path::new(".")).to_owned();
    let limits = options.limits;
    // Nobody joins it: it ends with the stream, or soon after its caller has gone, and a read that hangs must not
    // hang its caller.
    thread::Builder::new()
        .name("longshore-stream".to_owned())
        .spawn(move || Reading { folder, limits }.run(jobs, answer))
        .map_err(|error| context.unreachable(error))?;
    // The thread went without an answer: the caller's own iterator has panicked.
    let broken = |_| StoreError::Aborted { source: "the stream of jobs broke off".into() };
    writer.run(unconstrained(read).await.map_err(broken)??).await
}

struct Reading {
    folder: PathBuf,
    limits: Limits,
}

impl Reading {
    fn run(self, jobs: EnqueueStream, answer: oneshot::Sender<Result<EnqueueAll, StoreError>>) {
        let read = self.read(jobs, &|| answer.is_closed());
        // The caller may have gone.
        let _ = answer.send(read);
    }

    fn read(&self, jobs: EnqueueStream, is_abandoned: &dyn Fn() -> bool) -> Result<EnqueueAll, StoreError> {
        let mut spool = Spool::new(&self.folder);
        let mut has_parents = false;
        for (number, job) in (0_u64..).zip(jobs) {
            if number.is_multiple_of(JOBS_BETWEEN_LOOKS) && is_abandoned() {
                return Err(StoreError::Aborted { source: "nobody waits for the stream any more".into() });
            }
            match self.check(job) {
                Ok(job) => {
                    has_parents |= job.parent.is_some();
                    spool.push(job)?;
                }
                // Only the transaction can tell whether the parents of the jobs before it are there, and a stream with
                // two errors always names the first of them.
                Err(error) if has_parents => {
                    return Ok(EnqueueAll { parts: spool.into_parts()?, broken: Some(error) });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(EnqueueAll { parts: spool.into_parts()?, broken: None })
    }

    fn check(&self, job: Result<NewJob, Box<dyn std::error::Error + Send + Sync>>) -> Result<NewJob, StoreError> {
        let job = job.map_err(|source| StoreError::Aborted { source })?;
        job.validate(&self.limits)?;
        Ok(job)
    }
}

struct EnqueueAll {
    parts: Parts,
    /// What stood behind the jobs in place of the next one.
    broken: Option<StoreError>,
}

impl Work for EnqueueAll {
    type Answer = u64;
    const DOING: &'static str = "enqueueing a stream of jobs";

    /// As many as fill a transaction, so that nobody joins this one.
    fn rows(&self) -> usize {
        usize::MAX
    }

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<u64, Fault> {
        let kept = tx.kept;
        let mut insert = kept.insert_job()?;
        let mut inserting = Inserting::begin(tx.connection, &mut insert);
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

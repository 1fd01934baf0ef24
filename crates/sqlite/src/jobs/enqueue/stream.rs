use std::future::poll_fn;
use std::path::Path;
use std::task::Poll;
use std::{mem, thread};

use longshore_core::{JobData, StoreError, ValidJob, ValidJobStream, next_of};
use tokio::sync::{mpsc, oneshot};
use tokio::task::coop::unconstrained;

use crate::database::fault::{ErrorContext, Fault};
use crate::jobs::enqueue::spool::{Parts, Spool};
use crate::jobs::enqueue::{INSERT_JOB, Inserting};
use crate::options::SqliteOptions;
use crate::writing::session::WriteTx;
use crate::writing::work::Work;
use crate::writing::writer::Writer;

/// How many jobs are sent to the spool at a time.
const CHUNK_JOBS_MAX: usize = 256;
const CHUNK_BYTES_MAX: usize = 1024 * 1024;
/// How many chunks may wait for the spool. Beyond that the stream waits.
const CHUNKS_MAX: usize = 4;

/// Enqueues the jobs of a stream in one transaction, all or none.
///
/// The stream is read to its end before the transaction starts. So the time of the write lock depends only on the
/// number of jobs, and the stream may itself enqueue jobs. The jobs are kept on a separate thread, because it may write
/// to a file. If this future is dropped, the thread ends without any effect.
pub(crate) async fn enqueue_stream(
    writer: &Writer,
    context: &ErrorContext,
    options: &SqliteOptions,
    jobs: ValidJobStream,
) -> Result<u64, StoreError> {
    let (chunks, arriving) = mpsc::channel(CHUNKS_MAX);
    let (answer, spooled) = oneshot::channel();
    let folder = options.path.parent().unwrap_or(Path::new(".")).to_owned();
    // The thread is not joined: it ends with the stream, or with this future.
    thread::Builder::new()
        .name("longshore-stream".to_owned())
        .spawn(move || spool(arriving, &folder, answer))
        .map_err(|error| context.unreachable(error))?;
    unconstrained(send_all(jobs, chunks)).await;
    // The thread ended without an answer, so it has panicked.
    let broken = |_| StoreError::Aborted { source: "the stream of jobs ended with a panic".into() };
    writer.run(unconstrained(spooled).await.map_err(broken)??).await
}

/// A message from the reader of a stream to the spool.
enum Chunk {
    Jobs(Vec<ValidJob>),
    /// The stream has ended, with or without an error instead of the next job. A stream without this message was
    /// abandoned.
    End(Option<StoreError>),
}

/// Reads the stream to its end, as long as its jobs can be kept.
async fn send_all(mut jobs: ValidJobStream, chunks: mpsc::Sender<Chunk>) {
    let (mut chunk, mut bytes) = (Vec::new(), 0);
    let end = loop {
        match next_of(&mut jobs).await {
            Some(Ok(job)) => {
                bytes += job.job_data.len() + job.metadata.as_ref().map_or(0, JobData::len);
                chunk.push(job);
            }
            Some(Err(error)) => break Some(error),
            None => break None,
        }
        if chunk.len() >= CHUNK_JOBS_MAX || bytes >= CHUNK_BYTES_MAX {
            bytes = 0;
            if chunks.send(Chunk::Jobs(mem::take(&mut chunk))).await.is_err() {
                // The spool has already answered with an error.
                return;
            }
            // A stream that always has a next job must let the other tasks of its thread run.
            give_way().await;
        }
    };
    if chunks.send(Chunk::Jobs(chunk)).await.is_ok() {
        let _ = chunks.send(Chunk::End(end)).await;
    }
}

/// Lets the executor poll other tasks. Tokio's own function would wait for Tokio, which cannot continue while a caller
/// blocks inside one of its tasks.
async fn give_way() {
    let mut has_yielded = false;
    poll_fn(|context| {
        if mem::replace(&mut has_yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Keeps the arriving jobs and answers with all of them, unless nobody waits any more.
fn spool(mut arriving: mpsc::Receiver<Chunk>, folder: &Path, answer: oneshot::Sender<Result<EnqueueAll, StoreError>>) {
    let mut spooling = Spooling { spool: Spool::new(folder), has_parents: false };
    while let Some(chunk) = arriving.blocking_recv() {
        match chunk {
            Chunk::Jobs(jobs) => {
                if let Err(error) = spooling.push(jobs) {
                    let _ = answer.send(Err(error));
                    return;
                }
            }
            Chunk::End(error) => {
                let _ = answer.send(spooling.end(error));
                return;
            }
        }
    }
}

struct Spooling {
    spool: Spool,
    has_parents: bool,
}

impl Spooling {
    fn push(&mut self, jobs: Vec<ValidJob>) -> Result<(), StoreError> {
        self.has_parents |= jobs.iter().any(|job| job.parent.is_some());
        jobs.into_iter().try_for_each(|job| self.spool.push(job))
    }

    /// Only the transaction can check whether the parents of the jobs before an error exist. Of two errors in a stream,
    /// the first one must be reported.
    fn end(self, error: Option<StoreError>) -> Result<EnqueueAll, StoreError> {
        match error {
            Some(error) if !self.has_parents => Err(error),
            broken => Ok(EnqueueAll { parts: self.spool.into_parts()?, broken }),
        }
    }
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

//! Keeps the jobs of a stream until its end, in bounded memory, so that no transaction waits for a caller's stream.
//!
//! Stores call [`read_stream`]. It must not know a database.

mod spool;
mod spooled_job;
mod spooled_workflow_job;

use std::future::poll_fn;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::{mem, thread};

use longshore_core::{StoreError, Stream, ValidJob, next_of};
use tokio::sync::{mpsc, oneshot};
use tokio::task::coop::unconstrained;

pub use spool::Parts;
use spool::Spool;
pub use spooled_job::Spoolable;

/// How many jobs are sent to the spool at a time.
const CHUNK_JOBS_MAX: usize = 256;
const CHUNK_BYTES_MAX: usize = 1024 * 1024;
/// How many chunks may wait for the spool. Beyond that the stream waits.
const CHUNKS_MAX: usize = 4;

/// A stream of jobs that were checked.
pub type SpooledStream<T> = Pin<Box<dyn Stream<Item = Result<T, StoreError>> + Send>>;

/// The jobs of a stream that has ended.
#[derive(Debug)]
pub struct Spooled<T = ValidJob> {
    /// The jobs in their order.
    pub parts: Parts<T>,
    /// The error that came after the jobs, instead of the next job. Nothing may be enqueued then; but if a parent among the
    /// jobs is unknown, that is the first error of the stream.
    pub broken: Option<StoreError>,
}

/// Reads a stream to its end. Many jobs go to a file without a name in this folder, or in that of the system if it cannot
/// be written. The jobs are kept on a separate thread, because it may write to a file. If this future is dropped, the
/// thread ends without any effect.
///
/// After Err nothing need be enqueued. `database` is the name that an error of the thread has.
pub async fn read_stream<T: Spoolable>(
    jobs: SpooledStream<T>,
    folder: PathBuf,
    database: &Arc<str>,
) -> Result<Spooled<T>, StoreError> {
    let (chunks, arriving) = mpsc::channel(CHUNKS_MAX);
    let (answer, spooled) = oneshot::channel();
    // The thread is not joined: it ends with the stream, or with this future.
    thread::Builder::new()
        .name("longshore-stream".to_owned())
        .spawn(move || spool(arriving, &folder, answer))
        .map_err(|error| StoreError::Backend {
            database: Arc::clone(database),
            doing: "starting a thread",
            source: error.into(),
        })?;
    unconstrained(send_all(jobs, chunks)).await;
    // The thread ended without an answer, so it has panicked.
    let broken = |_| StoreError::Aborted { source: "the stream of jobs ended with a panic".into() };
    unconstrained(spooled).await.map_err(broken)?
}

/// A message from the reader of a stream to the spool.
enum Chunk<T> {
    Jobs(Vec<T>),
    /// The stream has ended, with or without an error instead of the next job. A stream without this message was
    /// abandoned.
    End(Option<StoreError>),
}

/// Reads the stream to its end, as long as its jobs can be kept.
async fn send_all<T: Spoolable>(mut jobs: SpooledStream<T>, chunks: mpsc::Sender<Chunk<T>>) {
    let (mut chunk, mut bytes) = (Vec::new(), 0);
    let end = loop {
        match next_of(&mut jobs).await {
            Some(Ok(job)) => {
                bytes += job.bytes();
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
fn spool<T: Spoolable>(
    mut arriving: mpsc::Receiver<Chunk<T>>,
    folder: &Path,
    answer: oneshot::Sender<Result<Spooled<T>, StoreError>>,
) {
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

struct Spooling<T> {
    spool: Spool<T>,
    has_parents: bool,
}

impl<T: Spoolable> Spooling<T> {
    fn push(&mut self, jobs: Vec<T>) -> Result<(), StoreError> {
        self.has_parents |= jobs.iter().any(Spoolable::names_other_jobs);
        jobs.into_iter().try_for_each(|job| self.spool.push(job))
    }

    /// Only the transaction can check whether the parents of the jobs before an error exist. Of two errors in a stream,
    /// the first one must be reported.
    fn end(self, error: Option<StoreError>) -> Result<Spooled<T>, StoreError> {
        match error {
            Some(error) if !self.has_parents => Err(error),
            broken => Ok(Spooled { parts: self.spool.into_parts()?, broken }),
        }
    }
}

use std::iter::Fuse;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use longshore_core::{EnqueueStream, NewJob, StoreError};
use tokio::sync::oneshot;
use tokio::task::coop::unconstrained;

use crate::fault::{Fault, Place};
use crate::jobs::enqueue::Inserting;
use crate::writing::session::WriteTx;
use crate::writing::work::Work;
use crate::writing::writer::Writer;

/// How much is read before the transaction begins. A stream that ends within it, which may come from a slow pipe,
/// never holds the write lock while it is read.
const HEAD_JOBS_MAX: usize = 50_000;
const HEAD_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How much is handed over at a time, and how many such parts may wait.
const PART_JOBS_MAX: usize = 500;
const PART_BYTES_MAX: usize = 2 * 1024 * 1024;
const PARTS_MAX: usize = 4;

/// Makes the jobs of a stream in one transaction, all or none. The stream is read on a thread of its own, so that
/// decoding and inserting go on side by side.
pub(crate) async fn enqueue_stream(writer: &Writer, place: &Place, jobs: EnqueueStream) -> Result<u64, StoreError> {
    let (opening, opened) = oneshot::channel();
    // Nobody joins it: it ends with the stream, or as soon as the transaction has, and a read that hangs must not
    // hang its caller.
    thread::Builder::new()
        .name("longshore-stream".to_owned())
        .spawn(move || Reading { jobs: jobs.fuse() }.run(opening))
        .map_err(|error| StoreError::Unreachable { database: place.database.clone(), source: error.into() })?;
    let broken = |_| StoreError::Aborted { source: "the stream of jobs broke off".into() };
    let Opening { head, rest } = unconstrained(opened).await.map_err(broken)?;
    writer.run(EnqueueAll { head: Some(head), rest }).await
}

/// What is known of a stream when its transaction may begin.
struct Opening {
    head: Part,
    /// Where the rest comes from, if there is more.
    rest: Option<Receiver<Part>>,
}

struct Reading {
    jobs: Fuse<EnqueueStream>,
}

impl Reading {
    fn run(mut self, opening: oneshot::Sender<Opening>) {
        let head = self.read(HEAD_JOBS_MAX, HEAD_BYTES_MAX);
        let (parts, rest) = sync_channel(PARTS_MAX);
        let has_more = head.has_more();
        let opened = Opening { head, rest: has_more.then_some(rest) };
        if opening.send(opened).is_ok() && has_more {
            self.send_rest(&parts);
        }
    }

    /// Until the stream ends or nobody takes any more.
    fn send_rest(&mut self, parts: &SyncSender<Part>) {
        loop {
            let part = self.read(PART_JOBS_MAX, PART_BYTES_MAX);
            let has_more = part.has_more();
            if parts.send(part).is_err() || !has_more {
                return;
            }
        }
    }

    fn read(&mut self, jobs_max: usize, bytes_max: usize) -> Part {
        let mut jobs = Vec::new();
        let mut bytes = 0;
        for job in self.jobs.by_ref() {
            let job = match job {
                Ok(job) => job,
                Err(source) => return Part { jobs, end: End::Broken(StoreError::Aborted { source }) },
            };
            bytes += job.job_data.len() + job.metadata.as_ref().map_or(0, longshore_core::JobData::len);
            jobs.push(job);
            if jobs.len() >= jobs_max || bytes >= bytes_max {
                return Part { jobs, end: End::More };
            }
        }
        Part { jobs, end: End::Done }
    }
}

/// Some jobs of a stream, and what follows them.
struct Part {
    jobs: Vec<NewJob>,
    end: End,
}

enum End {
    /// A bound was met, so there may be more.
    More,
    /// Nothing.
    Done,
    /// An error. It is told only when the jobs before it were acceptable, so that a stream with two errors always
    /// names the first of them.
    Broken(StoreError),
}

impl Part {
    const fn has_more(&self) -> bool {
        matches!(self.end, End::More)
    }
}

struct EnqueueAll {
    head: Option<Part>,
    rest: Option<Receiver<Part>>,
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
        for part in self.head.take().into_iter().chain(self.rest.iter().flatten()) {
            for jobs in part.jobs.chunks(PART_JOBS_MAX) {
                let enqueued = inserting.write_all(tx, jobs)?;
                made += enqueued.iter().map(|enqueued| u64::from(!enqueued.is_duplicate)).sum::<u64>();
            }
            match part.end {
                End::More => {}
                End::Done => return Ok(made),
                End::Broken(error) => return Err(error.into()),
            }
        }
        // The reading thread went without a last part: the caller's own iterator has panicked.
        Err(StoreError::Aborted { source: "the stream of jobs broke off".into() }.into())
    }
}

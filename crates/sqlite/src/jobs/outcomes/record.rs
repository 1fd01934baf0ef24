use std::sync::Arc;
use std::sync::mpsc::Sender;

use longshore_core::{ClaimNumber, Clock, JobId, Lease, LogChunk, Record, Recorded, StoreError, Timestamp, WorkerId};
use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::oneshot;

use crate::database::column;
use crate::database::fault::{ErrorContext, Fault};
use crate::jobs::claim::inbox::GiveBack;
use crate::jobs::outcomes::attempt_end::{AttemptEnded, Ending};
use crate::jobs::outcomes::attempt_log::{LogPlace, write_log};
use crate::workers::held::HeldLease;
use crate::writing::session::WriteTx;
use crate::writing::work::{Effect, Message, Passing, Request, Work};

/// Records the outcomes of attempts, each under its own fence.
pub(crate) struct RecordAll {
    pub(crate) worker_id: WorkerId,
    pub(crate) records: Arc<[Record]>,
    /// When the store was called. The ages of the records count from then.
    pub(crate) called_at: Timestamp,
    pub(crate) manner: Manner,
}

/// How the rows of a batch are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// One after the other. If the database rejects one, all of them are undone.
    Together,
    /// Each in its own savepoint, so that a rejected row is reported separately. It costs two more statements for each
    /// row, so it is used only for a batch that could not be written together.
    Apart,
}

/// Writes a batch together. If the database rejects it, writes it row by row.
pub(crate) async fn by_rows<A, F>(write: impl Fn(Manner) -> F) -> Result<A, StoreError>
where
    F: Future<Output = Result<A, StoreError>>,
{
    match write(Manner::Together).await {
        // A cause outside the rows has its own error.
        Err(StoreError::Backend { .. }) => write(Manner::Apart).await,
        written => written,
    }
}

/// The answer for a row that the database rejects.
pub(crate) fn refused(error: &rusqlite::Error) -> Recorded {
    Recorded::Refused { reason: error.to_string().into() }
}

impl Work for RecordAll {
    type Answer = Vec<Recorded>;
    const DOING: &'static str = "recording outcomes";
    const PASSING: Passing = Passing::WhileDraining;
    const EFFECT: Effect = Effect::Told;

    fn rows(&self) -> usize {
        self.records.len()
    }

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<Vec<Recorded>, Fault> {
        let mut ending = Ending::begin(tx)?;
        let mut answers = Vec::with_capacity(self.records.len());
        for record in self.records.iter() {
            let end = self.end_of(record);
            answers.push(match self.manner {
                Manner::Together => record_one(tx, &mut ending, &end, &record.log)?,
                Manner::Apart => record_apart(tx, &mut ending, &end, &record.log)?,
            });
        }
        ending.finish(tx)?;
        Ok(answers)
    }
}

impl RecordAll {
    fn end_of<'r>(&'r self, record: &'r Record) -> AttemptEnded<'r> {
        AttemptEnded {
            worker_id: &self.worker_id,
            id: record.id,
            claim_number: record.claim_number,
            attempt: record.attempt,
            started_at: record.started_at(self.called_at),
            finished_at: record.finished_at(self.called_at),
            outcome: &record.outcome,
            slow_down: record.slow_down,
        }
    }
}

/// Returns leases through the writer. Nobody waits for the answer. If it fails, the leases are returned when the worker
/// retires or is found dead.
#[derive(Debug)]
pub(crate) struct GiveBackByWriter {
    pub(crate) writer: Sender<Message>,
    pub(crate) context: ErrorContext,
    pub(crate) clock: Arc<dyn Clock>,
}

impl GiveBack for GiveBackByWriter {
    fn give_back(&self, worker_id: &WorkerId, leases: Vec<Lease>) {
        let work = RecordAll {
            worker_id: worker_id.clone(),
            records: leases.iter().map(Record::returned).collect(),
            called_at: self.clock.now(),
            manner: Manner::Apart,
        };
        let (reply, _) = oneshot::channel();
        let request = Request { work, context: self.context.clone(), reply, kept: None, permit: None };
        // A writer that has ended returns nothing.
        let _ = self.writer.send(Message::Task(Box::new(request)));
    }
}

fn record_one<'c>(
    tx: &mut WriteTx<'_, 'c>,
    ending: &mut Ending<'c>,
    ended: &AttemptEnded<'_>,
    log: &[LogChunk],
) -> Result<Recorded, Fault> {
    let AttemptEnded { worker_id, id, claim_number, attempt, .. } = *ended;
    let remembered = tx.held.take(worker_id, id, claim_number);
    let is_written = match remembered {
        Some(lease) => ending.write(tx, ended, &lease)?,
        None => false,
    };
    if !is_written {
        // Unknown, fenced off, or moved to another queue by another program: the row decides.
        let Some(lease) = read_lease(tx.connection, worker_id, id, claim_number)? else {
            return Ok(Recorded::Fenced);
        };
        if !ending.write(tx, ended, &lease)? {
            return Ok(Recorded::Fenced);
        }
    }
    if !log.is_empty() {
        write_log(tx, LogPlace { id, claim_number, attempt }, log)?;
    }
    Ok(Recorded::Recorded)
}

/// The same for a row that the database may reject. Its log is given up before its outcome is.
fn record_apart<'c>(
    tx: &mut WriteTx<'_, 'c>,
    ending: &mut Ending<'c>,
    ended: &AttemptEnded<'_>,
    log: &[LogChunk],
) -> Result<Recorded, Fault> {
    let error = match tx.apart(|tx| record_one(tx, ending, ended, log))? {
        Ok(answer) => return Ok(answer),
        Err(error) => error,
    };
    if !log.is_empty()
        && let Ok(answer) = tx.apart(|tx| record_one(tx, ending, ended, &[]))?
    {
        crate::database::quiet::warning!(job_id = ended.id.0, %error, "the log of an attempt was rejected; its outcome is kept");
        return Ok(answer);
    }
    Ok(refused(&error))
}

/// The lease of a running job, if it still belongs to this attempt.
fn read_lease(
    connection: &Connection,
    worker_id: &WorkerId,
    id: JobId,
    claim_number: ClaimNumber,
) -> rusqlite::Result<Option<HeldLease>> {
    connection
        .prepare_cached(include_str!("../../sql/outcomes/select_lease.sql"))?
        .query_row(params![id.0, worker_id.as_str(), claim_number.0], |row| {
            Ok(HeldLease { claim_number, queue: column::text(row, 0)?.into(), ready_at: column::timestamp(row, 1)? })
        })
        .optional()
}

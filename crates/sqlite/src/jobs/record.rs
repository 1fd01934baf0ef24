use std::sync::Arc;
use std::sync::mpsc::Sender;

use longshore_core::{ClaimNumber, Clock, JobId, Lease, Record, Recorded, WorkerId};
use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::oneshot;

use crate::column;
use crate::fault::{ErrorContext, Fault};
use crate::jobs::attempt_end::{AttemptEnded, Ending};
use crate::jobs::attempt_log::{LogPlace, write_log};
use crate::jobs::inbox::GiveBack;
use crate::workers::held::HeldLease;
use crate::writing::session::WriteTx;
use crate::writing::work::{Effect, Message, Request, Work};

/// Writes what became of attempts, each behind its own fence.
pub(crate) struct RecordAll {
    pub(crate) worker_id: WorkerId,
    pub(crate) records: Arc<[Record]>,
}

impl Work for RecordAll {
    type Answer = Vec<Recorded>;
    const DOING: &'static str = "recording outcomes";
    const EFFECT: Effect = Effect::Told;

    fn rows(&self) -> usize {
        self.records.len()
    }

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<Vec<Recorded>, Fault> {
        let mut ending = Ending::begin(tx)?;
        let mut answers = Vec::with_capacity(self.records.len());
        for record in self.records.iter() {
            answers.push(record_one(tx, &mut ending, &self.worker_id, record)?);
        }
        Ok(answers)
    }
}

/// Gives leases back by the writer. Nobody waits for the answer; should it fail, the retirement of the worker or its
/// death gives them back.
#[derive(Debug)]
pub(crate) struct GiveBackByWriter {
    pub(crate) writer: Sender<Message>,
    pub(crate) context: ErrorContext,
    pub(crate) clock: Arc<dyn Clock>,
}

impl GiveBack for GiveBackByWriter {
    fn give_back(&self, worker_id: &WorkerId, leases: Vec<Lease>) {
        let now = self.clock.now();
        let records = leases.iter().map(|lease| Record::returned(lease, now));
        let work = RecordAll { worker_id: worker_id.clone(), records: records.collect() };
        let (reply, _) = oneshot::channel();
        let request = Request { work, context: self.context.clone(), reply, kept: None, permit: None };
        // A writer that has ended gives nothing back any more.
        let _ = self.writer.send(Message::Task(Box::new(request)));
    }
}

fn record_one<'c>(
    tx: &mut WriteTx<'_, 'c>,
    ending: &mut Ending<'c>,
    worker_id: &WorkerId,
    record: &Record,
) -> Result<Recorded, Fault> {
    let ended = AttemptEnded {
        worker_id,
        id: record.id,
        claim_number: record.claim_number,
        attempt: record.attempt,
        started_at: record.started_at,
        finished_at: record.finished_at,
        outcome: &record.outcome,
    };
    let remembered = tx.held.take(worker_id, record.id, record.claim_number);
    let is_written = match remembered {
        Some(lease) => ending.write(tx, &ended, &lease)?,
        None => false,
    };
    if !is_written {
        // Not remembered, fenced off, or put into another queue by a foreign hand: the row tells.
        let Some(lease) = read_lease(tx.connection, worker_id, record.id, record.claim_number)? else {
            return Ok(Recorded::Fenced);
        };
        if !ending.write(tx, &ended, &lease)? {
            return Ok(Recorded::Fenced);
        }
    }
    if !record.log.is_empty() {
        let place = LogPlace { id: record.id, claim_number: record.claim_number, attempt: record.attempt };
        write_log(tx, place, &record.log)?;
    }
    Ok(Recorded::Recorded)
}

/// The facts of a running job, if it is still this attempt's.
fn read_lease(
    connection: &Connection,
    worker_id: &WorkerId,
    id: JobId,
    claim_number: ClaimNumber,
) -> rusqlite::Result<Option<HeldLease>> {
    connection
        .prepare_cached(include_str!("../sql/select_lease.sql"))?
        .query_row(params![id.0, worker_id.as_str(), claim_number.0], |row| {
            Ok(HeldLease { claim_number, queue: column::text(row, 0)?.into(), ready_at: column::timestamp(row, 1)? })
        })
        .optional()
}

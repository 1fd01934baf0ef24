use std::num::NonZero;

use longshore_core::{
    Action, Actioned, Condition, Console, Health, IdRange, JobDetail, JobEdit, JobId, JobPage, JobPageRequest,
    LogEndRequest, LogEntry, LogPage, LogRequest, Maintained, Maintenance, MinuteStats, QueueChange, Selection, Stats,
    StoreFuture, WaitingFacts, WorkerRecord, WriteReading,
};
use rusqlite::{Connection, params};

use crate::database::readers::ReadTx;
use crate::jobs::actions::action::act;
use crate::jobs::actions::edit::Edit;
use crate::jobs::actions::page::page;
use crate::jobs::actions::selection::Conditions;
use crate::jobs::job_row::detail;
use crate::jobs::outcomes::attempt_log::log_entry;
use crate::store::SqliteStore;
use crate::upkeep::health::{condition, health};
use crate::upkeep::housekeeping::maintain;
use crate::upkeep::id_range::{TakeIdRange, id_range};
use crate::upkeep::queue_change::ChangeQueue;
use crate::upkeep::stats::{history, stats};
use crate::upkeep::waiting_facts::waiting_facts;
use crate::workers::worker_record::workers;

/// The maximum number of log pieces in one answer.
const LOG_ENTRIES_MAX: u32 = 1000;

impl Console for SqliteStore {
    fn job(&self, id: JobId) -> StoreFuture<'_, Option<JobDetail>> {
        Box::pin(self.parts.readers.run("reading a job", move |tx| Ok(detail(tx.connection, id)?)))
    }

    fn jobs(&self, request: JobPageRequest) -> StoreFuture<'_, JobPage> {
        Box::pin(self.parts.readers.run("listing jobs", move |tx| Ok(page(tx.connection, &request)?)))
    }

    fn count(&self, selection: Selection) -> StoreFuture<'_, u64> {
        let conditions = Conditions::of(&selection);
        Box::pin(self.parts.readers.run("counting jobs", move |tx| Ok(conditions.count(tx.connection)?)))
    }

    fn act(&self, selection: Selection, action: Action) -> StoreFuture<'_, Actioned> {
        Box::pin(act(&self.parts.readers, &self.parts.writer, selection, action))
    }

    fn edit(&self, id: JobId, edit: JobEdit) -> StoreFuture<'_, Actioned> {
        Box::pin(async move {
            edit.validate(&self.parts.options.limits)?;
            self.parts.writer.run(Edit { id, edit }).await
        })
    }

    fn waiting_facts(&self, id: JobId) -> StoreFuture<'_, Option<WaitingFacts>> {
        let (reclaim, monotonic) = (self.parts.reclaim.clone(), self.parts.options.clock.monotonic());
        Box::pin(
            self.parts.readers.run("explaining a job", move |tx| {
                Ok(waiting_facts(tx.connection, reclaim.signs(tx.now, monotonic), id)?)
            }),
        )
    }

    fn log(&self, request: LogRequest) -> StoreFuture<'_, LogPage> {
        Box::pin(self.parts.readers.run("reading a log", move |tx| Ok(log(tx.connection, request)?)))
    }

    fn log_end(&self, request: LogEndRequest) -> StoreFuture<'_, LogPage> {
        Box::pin(self.parts.readers.run("reading the end of a log", move |tx| Ok(log_end(tx.connection, request)?)))
    }

    fn stats(&self, minutes: u32) -> StoreFuture<'_, Stats> {
        Box::pin(self.parts.readers.run("reading the counts", move |tx| Ok(stats(tx.connection, minutes, tx.now)?)))
    }

    fn history(&self, minutes: u32, per: NonZero<u32>) -> StoreFuture<'_, Vec<MinuteStats>> {
        let read = move |tx: &ReadTx<'_>| Ok(history(tx.connection, minutes, per, tx.now)?);
        Box::pin(self.parts.readers.run("reading what has ended", read))
    }

    fn workers(&self) -> StoreFuture<'_, Vec<WorkerRecord>> {
        let (reclaim, monotonic) = (self.parts.reclaim.clone(), self.parts.options.clock.monotonic());
        Box::pin(
            self.parts
                .readers
                .run("listing workers", move |tx| Ok(workers(tx.connection, reclaim.signs(tx.now, monotonic))?)),
        )
    }

    fn change_queue(&self, queue: String, change: QueueChange) -> StoreFuture<'_, ()> {
        Box::pin(self.parts.writer.run(ChangeQueue { queue, change }))
    }

    fn maintain(&self, maintenance: Maintenance) -> StoreFuture<'_, Maintained> {
        Box::pin(maintain(&self.parts, maintenance))
    }

    fn writes(&self) -> Vec<WriteReading> {
        vec![self.parts.writer.writes()]
    }

    fn id_range(&self) -> StoreFuture<'_, Option<IdRange>> {
        Box::pin(self.parts.readers.run("reading the range of ids", |tx| Ok(id_range(tx.connection)?)))
    }

    fn take_id_range(&self, range: IdRange) -> StoreFuture<'_, Option<IdRange>> {
        Box::pin(self.parts.writer.run(TakeIdRange { range }))
    }

    fn check_schema(&self) -> StoreFuture<'_, ()> {
        Box::pin(self.parts.readers.check_schema())
    }

    fn condition(&self) -> StoreFuture<'_, Condition> {
        let path = self.parts.options.path.clone();
        let read = move |tx: &ReadTx<'_>| Ok(condition(tx.connection, tx.now, &path)?);
        Box::pin(self.parts.readers.run("reading the condition of the database", read))
    }

    fn health(&self) -> StoreFuture<'_, Health> {
        let (reclaim, monotonic) = (self.parts.reclaim.clone(), self.parts.options.clock.monotonic());
        let path = self.parts.options.path.clone();
        Box::pin(self.parts.readers.run("reading the health of the database", move |tx| {
            Ok(health(tx.connection, reclaim.signs(tx.now, monotonic), &path)?)
        }))
    }
}

fn log(connection: &Connection, request: LogRequest) -> rusqlite::Result<LogPage> {
    let (claim_number, chunk_number) =
        request.after.map_or((i64::MIN, -1), |(claim, chunk)| (claim.0, i64::from(chunk)));
    let entries = connection
        .prepare_cached(include_str!("sql/jobs/select_log.sql"))?
        .query_map(params![request.id.0, claim_number, chunk_number, request.attempt, LOG_ENTRIES_MAX], log_entry)?
        .collect::<Result<_, _>>()?;
    Ok(LogPage { entries })
}

/// Reads backwards and stops at the size, so a long log costs no more than what is shown of it.
fn log_end(connection: &Connection, request: LogEndRequest) -> rusqlite::Result<LogPage> {
    let mut statement = connection.prepare_cached(include_str!("sql/jobs/select_log_end.sql"))?;
    let rows = statement.query_map(params![request.id.0, request.claim_number.0], log_entry)?;
    let (mut entries, mut bytes): (Vec<LogEntry>, usize) = (Vec::new(), 0);
    for row in rows {
        let entry = row?;
        bytes += entry.text.len();
        entries.push(entry);
        if bytes >= request.bytes_max {
            break;
        }
    }
    entries.reverse();
    Ok(LogPage { entries })
}

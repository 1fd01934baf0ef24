use std::path::Path;

use longshore_core::{
    Clock, EnqueuedWorkflow, Limits, NewWorkflow, Status, StoreError, SystemClock, ValidWorkflowJob, WorkflowBatch,
    WorkflowStream,
};
use longshore_spool::{Parts, read_stream};
use longshore_sqlite_file::check_connection;
use rusqlite::Connection;

use crate::database::connection::in_savepoint;
use crate::database::fault::{ErrorContext, Fault};
use crate::jobs::enqueue::{INSERT_JOB, Inserting};
use crate::jobs::overdue::{WaitingJob, end_waiting_in};
use crate::moving::fence::refusal_of;
use crate::options::SqliteOptions;
use crate::workflows::followups::note_target_on;
use crate::workflows::members::judge;
use crate::workflows::placing::Placing;
use crate::workflows::wait::{Target, job_status};
use crate::writing::session::WriteTx;
use crate::writing::work::Work;
use crate::writing::writer::Writer;

/// Enqueues a workflow in one transaction, all of it or nothing. It is read to its end before the transaction starts.
pub(super) async fn enqueue_workflow(
    writer: &Writer,
    context: &ErrorContext,
    options: &SqliteOptions,
    batch: WorkflowBatch,
    jobs: WorkflowStream,
) -> Result<EnqueuedWorkflow, StoreError> {
    let folder = options.path.parent().unwrap_or(Path::new(".")).to_owned();
    let spooled = read_stream(jobs, folder, &context.database).await?;
    writer.run(EnqueueWorkflow { batch, parts: spooled.parts, broken: spooled.broken }).await
}

struct EnqueueWorkflow {
    batch: WorkflowBatch,
    parts: Parts<ValidWorkflowJob>,
    /// The error that came after the jobs, instead of the next job.
    broken: Option<StoreError>,
}

impl Work for EnqueueWorkflow {
    type Answer = EnqueuedWorkflow;
    const DOING: &'static str = "enqueueing a workflow";

    /// Enough to fill a transaction, so that no other request joins it.
    fn rows(&self) -> usize {
        usize::MAX
    }

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<EnqueuedWorkflow, Fault> {
        let connection = tx.connection;
        let mut insert = connection.prepare_cached(INSERT_JOB)?;
        let mut inserting = Inserting::begin(connection, &mut insert);
        let mut placing = Placing::begin(connection, &self.batch, tx.now)?;
        loop {
            let part = self.parts.next_part()?;
            if part.is_empty() {
                break;
            }
            for new in &part {
                placing.check(new)?;
                let made = inserting.write(tx, new.job())?;
                if placing.place(new, made)? && job_status(connection, made.id)? == Some(Status::Blocked) {
                    tx.counts.moved(&new.job().queue, Status::Pending, Status::Blocked);
                }
            }
        }
        if let Some(error) = self.broken.take() {
            return Err(error.into());
        }
        let enqueued = placing.end()?;
        if let Some(batch) = enqueued.batch_id {
            judge(tx, batch)?;
        }
        // What some jobs wait for may have happened before.
        tx.has_followups = true;
        Ok(enqueued)
    }
}

/// Enqueues a workflow in the caller's transaction, on the caller's connection. It exists if and only if the transaction
/// commits.
///
/// A worker looks after the commit at what may have happened before, such as the end of an older job. After Err the
/// transaction is unchanged. As for [`enqueue_in`](crate::enqueue_in), the triggers of the connection must be on.
pub fn enqueue_workflow_in(connection: &Connection, workflow: NewWorkflow) -> Result<EnqueuedWorkflow, StoreError> {
    let context = ErrorContext::of_caller(connection);
    check_connection(connection, &context.database)?;
    let (batch, jobs) = workflow.check(&Limits::default())?.into_parts();
    let now = SystemClock::new().now();
    let made = in_savepoint(connection, || -> Result<EnqueuedWorkflow, Fault> {
        let mut insert = connection.prepare_cached(INSERT_JOB)?;
        let mut inserting = Inserting::begin(connection, &mut insert);
        let mut placing = Placing::begin(connection, &batch, now)?;
        for new in &jobs {
            placing.check(new)?;
            let end = |holder: &WaitingJob, overdue| Ok(end_waiting_in(connection, holder, overdue, now)?);
            let made = inserting.make(new.job(), now, end)?.enqueued;
            placing.place(new, made)?;
        }
        let enqueued = placing.end()?;
        if let Some(batch) = enqueued.batch_id {
            note_target_on(connection, &Target::Batch(batch))?;
        }
        Ok(enqueued)
    });
    made.map_err(|fault| match &fault {
        Fault::Sql(error) => {
            refusal_of(connection, error).unwrap_or_else(|| context.answer(fault, "enqueueing a workflow"))
        }
        Fault::Answer(_) => context.answer(fault, "enqueueing a workflow"),
    })
}

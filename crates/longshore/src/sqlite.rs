//! The backend on SQLite: how it is opened, and jobs in the application's own transactions.

pub use crate::handler::completion::Completion;
pub use longshore_sqlite::{CompleteError, Durability, SqliteOptions, rusqlite};

use std::sync::Arc;

use longshore_core::{Enqueued, EnqueuedWorkflow, JobData, NewJob, StoreError};
use longshore_sqlite::rusqlite::Connection;
use longshore_sqlite::{AttemptSuccess, Prepare, SqliteStore};
use serde::Serialize;

use crate::trace::EnqueueSpan;
use crate::workflow::Workflow;
use crate::{CurrentAttempt, Payload, Queue, QueueError};

impl Queue {
    /// [`Queue::open_blocking`] with other options: durability, lock timeout, limits.
    ///
    /// ```
    /// use longshore::Queue;
    /// use longshore::sqlite::{Durability, SqliteOptions};
    ///
    /// # fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let queue = Queue::open_with(SqliteOptions::new("app.db").durability(Durability::Normal))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn open_with(options: SqliteOptions) -> Result<Self, StoreError> {
        let named = options.clone();
        let (store, _) = SqliteStore::open_prepared(options, Prepare::Beside)
            .map_err(|error| longshore_sqlite::into_store_error(error, &named))?;
        Ok(Self::from_backend(Arc::new(store)))
    }

    /// Enqueues a typed job in the caller's own transaction: the job exists if and only if the transaction commits.
    ///
    /// The commit wakes workers in any process. After Err the transaction is unchanged.
    ///
    /// ```
    /// use longshore::sqlite::rusqlite::Connection;
    /// # use longshore::{Job, Queue};
    /// # #[derive(Job, serde::Serialize, serde::Deserialize)]
    /// # struct Receipt { order: i64 }
    ///
    /// fn order(connection: &mut Connection) -> Result<(), Box<dyn std::error::Error>> {
    ///     let transaction = connection.transaction()?;
    ///     transaction.execute("INSERT INTO orders (cents) VALUES (250)", [])?;
    ///     let order = transaction.last_insert_rowid();
    ///     Queue::enqueue_in(&transaction, &Receipt { order })?;
    ///     transaction.commit()?;
    ///     Ok(())
    /// }
    /// ```
    pub fn enqueue_in<T: Payload>(transaction: &Connection, payload: &T) -> Result<Enqueued, QueueError> {
        Ok(Self::enqueue_job_in(transaction, &payload.to_job()?)?)
    }

    /// [`Queue::enqueue_in`] for a job of any type.
    ///
    /// ```
    /// use longshore::sqlite::rusqlite::Transaction;
    /// # use longshore::{NewJob, Queue};
    ///
    /// fn order(transaction: &Transaction<'_>, id: i64) -> Result<(), Box<dyn std::error::Error>> {
    ///     Queue::enqueue_job_in(transaction, &NewJob::encode("receipt", &id)?.queue("mail"))?;
    ///     Ok(())
    /// }
    /// ```
    pub fn enqueue_job_in(transaction: &Connection, job: &NewJob) -> Result<Enqueued, StoreError> {
        let span = EnqueueSpan::of_job(job, None);
        let enqueued = longshore_sqlite::enqueue_in(transaction, &span.traced(job));
        enqueued.inspect(|enqueued| span.note_job(enqueued.id)).inspect_err(|error| span.note_error(error.code()))
    }

    /// Enqueues a workflow in the caller's transaction: it exists if and only if the transaction commits. A worker looks
    /// after the commit at what may have happened before, such as the end of an older job that a step waits for.
    ///
    /// ```
    /// use longshore::sqlite::rusqlite::Transaction;
    /// # use longshore::{NewJob, Queue, workflow::Workflow};
    ///
    /// fn order(transaction: &Transaction<'_>, id: i64) -> Result<(), Box<dyn std::error::Error>> {
    ///     let mut flow = Workflow::new(format!("order {id}"));
    ///     let pack = flow.add_job(NewJob::encode("pack", &id)?);
    ///     flow.add_job(NewJob::encode("ship", &id)?).after(pack);
    ///     Queue::enqueue_workflow_in(transaction, flow)?;
    ///     Ok(())
    /// }
    /// ```
    pub fn enqueue_workflow_in(transaction: &Connection, flow: Workflow) -> Result<EnqueuedWorkflow, QueueError> {
        let (span, workflow) = flow.into_traced(None)?;
        let enqueued = longshore_sqlite::enqueue_workflow_in(transaction, workflow);
        Ok(enqueued.inspect_err(|error| span.note_error(error.code()))?)
    }

    /// Completes the job of an attempt in the handler's own transaction, together with the handler's own writes. The
    /// job is completed if and only if the transaction commits. So the handler's writes to the same database happen
    /// exactly once, even if the process dies.
    ///
    /// Commit, then return the [`Completion`] from the handler. `result` is kept with the job; JSON `null`, such as
    /// `()` and `None`, is no result. Start the transaction with `TransactionBehavior::Immediate`. Enqueue in it with
    /// [`Queue::enqueue_in`]: other calls of the queue would wait for its end.
    ///
    /// After Err nothing of the completion is written and the transaction is unchanged. If the transaction is rolled
    /// back, the handler's return value decides as usual; returning the [`Completion`] then counts as a failure. Once
    /// the transaction has committed, the job stays completed, even if the handler then fails, panics, times out or is
    /// cancelled.
    ///
    /// ```
    /// use longshore::sqlite::rusqlite::{Connection, TransactionBehavior};
    /// use longshore::testing::ScratchQueue;
    /// use longshore::{Payload, Queue, Worker};
    ///
    /// #[derive(serde::Serialize, serde::Deserialize)]
    /// struct Transfer { cents: i64 }
    /// impl Payload for Transfer { const JOB_TYPE: &'static str = "transfer"; }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let queue = ScratchQueue::open().await?;
    /// # let path = queue.path().to_owned();
    /// # Connection::open(&path)?.execute_batch("CREATE TABLE transfers (cents INTEGER)")?;
    /// queue.enqueue(&Transfer { cents: 250 }).await?;
    /// let worker = Worker::new(&queue).handle_blocking(move |transfer: Transfer, attempt| {
    ///     let mut connection = Connection::open(&path)?;
    ///     connection.busy_timeout(std::time::Duration::from_secs(10))?;
    ///     let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    ///     transaction.execute("INSERT INTO transfers (cents) VALUES (?1)", [transfer.cents])?;
    ///     let completion = Queue::complete_in(&transaction, &attempt, &())?;
    ///     transaction.commit()?;
    ///     Ok(completion)
    /// });
    /// worker.run_until_drained().await?;
    /// # let path = queue.path();
    /// # let cents: i64 = Connection::open(path)?.query_row("SELECT sum(cents) FROM transfers", [], |row| row.get(0))?;
    /// # assert_eq!(cents, 250);
    /// # Ok(())
    /// # }
    /// ```
    pub fn complete_in<R: Serialize + ?Sized>(
        transaction: &Connection,
        attempt: &CurrentAttempt,
        result: &R,
    ) -> Result<Completion, CompleteError> {
        attempt.complete_in(transaction, &JobData::encode(result)?)
    }
}

impl CurrentAttempt {
    fn complete_in(&self, transaction: &Connection, result: &JobData) -> Result<Completion, CompleteError> {
        let id = self.id();
        self.limits().check("result", result).map_err(StoreError::from)?;
        // Once the attempt has ended, the worker has decided its outcome.
        if !self.is_completable() {
            return Err(CompleteError::NotRunning { id });
        }
        let success = AttemptSuccess {
            worker_id: self.worker_id(),
            id,
            claim_number: self.lease().claim_number,
            ran: self.ran(),
            result: Some(result).filter(|result| result.as_str() != "null"),
        };
        longshore_sqlite::complete_in(transaction, &success)?;
        self.note_completion();
        Ok(Completion::written())
    }
}

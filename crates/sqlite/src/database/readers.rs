use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use longshore_core::{StoreError, Timestamp};
use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};
use tokio::task::coop::unconstrained;

use crate::database::connection::open_reader;
use crate::database::database_file::DatabaseFile;
use crate::database::fault::{ErrorContext, Fault, spoils_connection};
use crate::options::SqliteOptions;
use crate::schema;

/// How many reads run at once.
const READERS: usize = 2;
/// How many reads may queue. Further callers wait for a permit.
const READS_MAX: usize = 256;

type Read = Box<dyn FnOnce(&mut Reader) + Send>;

/// Threads with read-only connections. The first read starts them, so that a process that only enqueues does not pay
/// for them.
#[derive(Debug)]
pub(crate) struct Readers {
    options: SqliteOptions,
    context: ErrorContext,
    file: Arc<DatabaseFile>,
    judged: Arc<JudgedSchema>,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Resting,
    Running(mpsc::Sender<Read>, Vec<JoinHandle<()>>),
    Closed,
}

impl Readers {
    pub(crate) fn new(options: SqliteOptions, context: ErrorContext, file: Arc<DatabaseFile>) -> Self {
        Self { options, context, file, judged: Arc::default(), state: Mutex::new(State::Resting) }
    }

    /// Runs a read in one transaction, so that it sees one state of the database.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        doing: &'static str,
        read: impl FnOnce(&ReadTx<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.check_file()?;
        let sender = self.sender()?;
        let (reply, answer) = oneshot::channel();
        let job: Read = Box::new(move |reader| {
            // A read that panics loses its connection. The thread continues with the next read.
            let ran = catch_unwind(AssertUnwindSafe(|| reader.run(doing, read)));
            let _ = reply.send(ran.unwrap_or_else(|payload| Err(reader.context.panicked(payload.as_ref(), doing))));
        });
        // Without the budget of a Tokio task, for the reason given at `Writer::run`.
        let answered = unconstrained(async {
            sender.send(job).await.map_err(|_| self.context.closed())?;
            answer.await.unwrap_or_else(|_| Err(self.context.closed()))
        })
        .await;
        // Data from a file that is no longer at its path is not an answer. If the file was replaced, SQLite may report
        // damage before the change is noticed.
        if answered.is_err() {
            self.file.check().map_err(|change| StoreError::from(change.error(&self.context)))?;
        }
        self.check_file()?;
        answered
    }

    /// Fails if the writer would refuse every request because of the schema.
    pub(crate) async fn check_schema(&self) -> Result<(), StoreError> {
        let (judged, context) = (Arc::clone(&self.judged), self.context.clone());
        let check = move |tx: &ReadTx<'_>| match judged.is_understood(tx.connection)? {
            true => Ok(()),
            false => Err(Fault::Answer(context.schema_changed())),
        };
        self.run("checking the schema", check).await
    }

    fn check_file(&self) -> Result<(), StoreError> {
        self.file.change().map_or(Ok(()), |change| Err(change.error(&self.context).into()))
    }

    /// Lets each thread end after its current read. Starts no further reads.
    pub(crate) fn abandon(&self) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = State::Closed;
    }

    /// Finishes the requested reads and ends the threads.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State::Running(sender, threads) = std::mem::replace(&mut *state, State::Closed) else { return };
        drop(state);
        drop(sender);
        for thread in threads {
            if thread.join().is_err() {
                crate::database::quiet::error!(database = %self.context.database, "a reader thread has panicked");
            }
        }
    }

    fn sender(&self) -> Result<mpsc::Sender<Read>, StoreError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Resting = *state {
            *state = self.start()?;
        }
        match &*state {
            State::Running(sender, _) => Ok(sender.clone()),
            State::Resting | State::Closed => Err(self.context.closed()),
        }
    }

    fn start(&self) -> Result<State, StoreError> {
        let (sender, receiver) = mpsc::channel(READS_MAX);
        let receiver = Arc::new(Mutex::new(receiver));
        let mut threads = Vec::with_capacity(READERS);
        for _ in 0..READERS {
            let reader = Reader { options: self.options.clone(), context: self.context.clone(), connection: None };
            let receiver = Arc::clone(&receiver);
            let thread = Builder::new()
                .name("longshore-reader".to_owned())
                .spawn(move || reader.serve(&receiver))
                .map_err(|error| self.context.unreachable(error))?;
            threads.push(thread);
        }
        Ok(State::Running(sender, threads))
    }
}

/// The mark of the schema at the last check and whether it was understood, so that the same schema is compared once.
#[derive(Debug, Default)]
struct JudgedSchema(Mutex<Option<(String, bool)>>);

impl JudgedSchema {
    /// The same answer as that of the writer's `Session`, which remembers it for itself.
    fn is_understood(&self, connection: &Connection) -> rusqlite::Result<bool> {
        let mark = schema::mark(connection)?;
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((judged, is_understood)) = &*last
            && *judged == mark
        {
            return Ok(*is_understood);
        }
        let is_understood = schema::check(connection).is_ok();
        *last = Some((mark, is_understood));
        Ok(is_understood)
    }
}

/// The state of one thread. It opens its connection for the first read, and again after an error that may have made it
/// unusable.
struct Reader {
    options: SqliteOptions,
    context: ErrorContext,
    connection: Option<Connection>,
}

/// One state of the database.
pub(crate) struct ReadTx<'c> {
    pub(crate) connection: &'c Connection,
    pub(crate) now: Timestamp,
}

impl Reader {
    fn serve(mut self, receiver: &Mutex<mpsc::Receiver<Read>>) {
        loop {
            // One thread waits for the next read and holds the lock. The other threads wait for the lock.
            let read = receiver.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
            let Some(read) = read else { return };
            read(&mut self);
        }
    }

    fn run<T>(
        &mut self,
        doing: &'static str,
        read: impl FnOnce(&ReadTx<'_>) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => open_reader(&self.options, &self.context)?,
        };
        let result = self.read_once(&mut connection, read);
        if !matches!(&result, Err(Fault::Sql(error)) if spoils_connection(error)) {
            self.connection = Some(connection);
        }
        result.map_err(|fault| self.context.answer(fault, doing))
    }

    fn read_once<T>(
        &self,
        connection: &mut Connection,
        read: impl FnOnce(&ReadTx<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        // Dropping the transaction rolls it back, which is enough after a read.
        let tx = connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
        // The first statement that runs fixes the state that the transaction sees; preparing one does not. So the schema
        // compared after an error is the one that the read met, even if a migration has been undone and is back by then.
        tx.prepare_cached("PRAGMA schema_version")?.query_row([], |_| Ok(()))?;
        match read(&ReadTx { connection: &tx, now: self.options.clock.now() }) {
            Err(fault) if is_about_words(&fault) && schema::check(&tx).is_err() => {
                Err(self.context.schema_changed().into())
            }
            result => result,
        }
    }
}

/// Whether SQLite rejected a statement itself. "No such column" may mean that a migration removed it, not that the
/// database failed.
fn is_about_words(fault: &Fault) -> bool {
    match fault {
        Fault::Sql(rusqlite::Error::SqlInputError { .. }) => true,
        Fault::Sql(error) => error.sqlite_error_code() == Some(ErrorCode::Unknown),
        Fault::Answer(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regression_a_read_that_meets_an_undone_migration_says_so_although_it_is_back_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("q.db");
        schema::latest_up(&path).unwrap();
        let other = Connection::open(&path).unwrap();
        other.execute_batch("PRAGMA journal_mode = WAL; ALTER TABLE job_schedules RENAME TO away").unwrap();
        let context = ErrorContext { database: "q.db".into(), busy_timeout: std::time::Duration::from_secs(10) };
        let mut reader = Reader { options: SqliteOptions::new(&path), context, connection: None };

        let read = reader.run("reading schedules", |tx| {
            let read = tx.connection.query_row("SELECT count(*) FROM job_schedules", [], |_| Ok(()));
            other.execute_batch("ALTER TABLE away RENAME TO job_schedules").unwrap();
            Ok(read?)
        });

        assert!(matches!(read, Err(StoreError::SchemaChanged { .. })), "{read:?}");
    }
}

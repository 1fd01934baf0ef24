use std::cell::{Cell, RefCell};
use std::sync::Arc;

use longshore_core::{ClaimNumber, JobId, Lease, Timestamp, WorkerId};
use rusqlite::{Connection, Statement};

use crate::fault::{Fault, is_outside};
use crate::jobs::inbox::Mailbox;
use crate::jobs::nothing_ready::{MovesMark, NothingReady};
use crate::jobs::offers::Offers;
use crate::schema;
use crate::upkeep::counts::Counts;
use crate::workers::held::HeldLeases;
use crate::writing::hints::changes::Changes;
use crate::writing::kept_statements::KeptStatements;

/// The life of one writing connection.
pub(crate) struct Session<'c> {
    pub(crate) connection: &'c Connection,
    /// Statements for the runs of a claim: one claim reads several of them at once, so one cached statement
    /// would not do.
    pub(crate) runs: RefCell<Vec<Statement<'c>>>,
    pub(crate) kept: KeptStatements<'c>,
    /// What the requests of the transaction have made possible so far; one that is taken back may leave something.
    pub(crate) changes: RefCell<Changes>,
    /// They end with the connection, whose number for foreign commits they know.
    pub(crate) offers: RefCell<Offers>,
    /// The last claim that found nothing.
    pub(crate) nothing_ready: RefCell<Option<NothingReady>>,
    /// How many commits of this session moved jobs.
    moves: Cell<u64>,
    schema: RefCell<SchemaMark>,
}

/// The schema at the time of the last look.
#[derive(Debug)]
struct SchemaMark {
    /// SQLite's own number, by which nearly every look ends; none before the first.
    version: Option<i64>,
    understood: String,
    /// What was looked at thoroughly and not understood, so that it is not done again for each request.
    refused: Option<String>,
}

impl<'c> Session<'c> {
    /// Begins on a connection where `understood` is the mark of a schema that was checked.
    pub(crate) fn begin(connection: &'c Connection, understood: String) -> Self {
        let schema = SchemaMark { version: None, understood, refused: None };
        let kept = KeptStatements::of(connection);
        Self {
            connection,
            runs: RefCell::default(),
            kept,
            changes: RefCell::default(),
            offers: RefCell::default(),
            nothing_ready: RefCell::default(),
            moves: Cell::default(),
            schema: RefCell::new(schema),
        }
    }

    /// A commit moved jobs, so a claim may find what it did not find before.
    pub(crate) fn note_moves(&self) {
        self.moves.set(self.moves.get() + 1);
    }

    /// A mark that stays the same for as long as no job has moved, by whatever connection.
    pub(crate) fn moves_mark(&self) -> rusqlite::Result<MovesMark> {
        let foreign = self.kept.data_version()?;
        Ok(MovesMark { own: self.moves.get(), foreign })
    }

    /// Whether the queue's own tables are what this binary understands. To be asked inside the transaction.
    ///
    /// The number grows also when the application makes a table of its own; only then are the tables and the
    /// ledger compared. After a migration there and back they are understood again, even if a text differs.
    pub(crate) fn is_schema_understood(&self) -> rusqlite::Result<bool> {
        let mut schema = self.schema.borrow_mut();
        let version = self.kept.schema_version()?;
        if schema.version == Some(version) {
            return Ok(true);
        }
        let mark = schema::mark(self.connection)?;
        if mark != schema.understood {
            if schema.refused.as_ref() == Some(&mark) {
                return Ok(false);
            }
            if schema::check(self.connection).is_err() {
                schema.refused = Some(mark);
                return Ok(false);
            }
            schema.understood = mark;
        }
        (schema.version, schema.refused) = (Some(version), None);
        Ok(true)
    }
}

/// What a piece of work may touch inside the writer's transaction.
pub(crate) struct WriteTx<'t, 'c> {
    pub(crate) connection: &'c Connection,
    pub(crate) runs: &'t RefCell<Vec<Statement<'c>>>,
    pub(crate) kept: &'t KeptStatements<'c>,
    pub(crate) held: &'t mut HeldLeases,
    /// Only what this piece changes; it is dropped when the piece is taken back.
    pub(crate) counts: Counts,
    /// The database's time, read once for each transaction.
    pub(crate) now: Timestamp,
    /// Whether a worker may find something to do that it could not do before.
    pub(crate) wakes: bool,
    pub(crate) changes: &'t RefCell<Changes>,
    pub(crate) offers: &'t RefCell<Offers>,
    /// Leases that go out after the commit.
    pub(crate) deliveries: Vec<Delivery>,
}

/// A lease of a job that was made with it.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) lease: Lease,
}

impl<'c> WriteTx<'_, 'c> {
    /// After the commit a worker of this type may find a job in this queue; of any type where that is not known.
    pub(crate) fn wake_for(&mut self, job_type: Option<&str>, queue: &str) {
        self.wakes = true;
        self.changes.borrow_mut().add_job(job_type, queue);
    }

    /// After the commit this worker may learn that somebody asked for the end of its running job.
    pub(crate) fn wake_to_cancel(&mut self, worker_id: WorkerId, id: JobId, claim_number: ClaimNumber) {
        self.wakes = true;
        self.changes.borrow_mut().add_cancellation(worker_id, id, claim_number);
    }

    /// A job has moved, and no worker has more to do by that.
    pub(crate) const fn wake_watchers(&mut self) {
        self.wakes = true;
    }

    /// Does something in a savepoint of its own. The inner error is that of a row or a statement: all that this
    /// piece wrote is taken back then, and the transaction goes on. The outer one ends the transaction.
    pub(crate) fn apart<T>(
        &mut self,
        piece: impl FnOnce(&mut Self) -> Result<T, Fault>,
    ) -> Result<Result<T, rusqlite::Error>, Fault> {
        self.connection.prepare_cached("SAVEPOINT piece")?.execute([])?;
        let mut others = std::mem::take(&mut self.counts);
        let (wakes, done) = (self.wakes, piece(self));
        match done {
            Ok(answer) => {
                others.merge(std::mem::take(&mut self.counts));
                self.counts = others;
                self.connection.prepare_cached("RELEASE piece")?.execute([])?;
                Ok(Ok(answer))
            }
            Err(Fault::Sql(error)) if is_of_a_row(&error) && !self.connection.is_autocommit() => {
                (self.counts, self.wakes) = (others, wakes);
                self.connection.prepare_cached("ROLLBACK TO piece")?.execute([])?;
                self.connection.prepare_cached("RELEASE piece")?.execute([])?;
                Ok(Err(error))
            }
            Err(fault) => Err(fault),
        }
    }
}

/// Whether an error is about one row: the same transaction can go on with the others.
pub(crate) fn is_of_a_row(error: &rusqlite::Error) -> bool {
    !is_outside(error)
}

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use longshore_core::{Changes, ClaimNumber, Fence, JobId, Lease, MoveState, Timestamp, WorkerId};
use rusqlite::Connection;

use crate::database::fault::{Fault, is_key_mismatch, is_outside};
use crate::jobs::claim::inbox::Mailbox;
use crate::jobs::claim::nothing_ready::{MovesMark, NothingReady};
use crate::jobs::claim::offers::Offers;
use crate::limits::limit_cache::LimitCache;
use crate::moving::fence;
use crate::schema;
use crate::upkeep::counts::Counts;
use crate::workers::held::HeldLeases;

/// The state that belongs to one writing connection.
pub(crate) struct Session {
    pub(crate) connection: Connection,
    /// What the requests of the transaction have made possible so far; one that is taken back may leave something.
    pub(crate) changes: RefCell<Changes>,
    /// They end with the connection, because they contain its counter of other connections' commits.
    pub(crate) offers: RefCell<Offers>,
    /// The limits in force at the last check of the schema.
    pub(crate) limits: LimitCache,
    /// The last claim that found nothing.
    pub(crate) nothing_ready: RefCell<Option<NothingReady>>,
    /// How many commits of this session changed jobs.
    moves: Cell<u64>,
    schema: RefCell<SchemaMark>,
    /// The move that this database is part of, at the last check of the schema.
    moving: RefCell<Option<MoveState>>,
}

/// The schema at the last check.
#[derive(Debug)]
struct SchemaMark {
    /// SQLite's own schema version. If it is equal, no further check is needed. `None` before the first check.
    version: Option<i64>,
    understood: String,
    /// The last schema that was fully checked and not supported, so that the check is not repeated for each request.
    refused: Option<String>,
}

impl Session {
    /// Starts on a connection where `understood` is the mark of a checked schema.
    pub(crate) fn begin(connection: Connection, understood: String) -> Self {
        let schema = SchemaMark { version: None, understood, refused: None };
        Self {
            connection,
            changes: RefCell::default(),
            offers: RefCell::default(),
            limits: LimitCache::default(),
            nothing_ready: RefCell::default(),
            moves: Cell::default(),
            schema: RefCell::new(schema),
            moving: RefCell::default(),
        }
    }

    /// Records that a commit changed jobs, so a claim may now find some.
    pub(crate) fn note_moves(&self) {
        self.moves.set(self.moves.get() + 1);
    }

    /// A mark that stays equal as long as no connection has changed a job.
    pub(crate) fn moves_mark(&self) -> rusqlite::Result<MovesMark> {
        let foreign = data_version(&self.connection)?;
        Ok(MovesMark { own: self.moves.get(), foreign })
    }

    /// Whether the queue's own tables are the ones that this program supports. Call it inside the transaction.
    ///
    /// The version also grows when the application creates its own table; only then are the tables and the ledger
    /// compared. After a migration up and down again the tables are supported again, even if a text differs.
    pub(crate) fn is_schema_understood(&self) -> rusqlite::Result<bool> {
        let mut schema = self.schema.borrow_mut();
        let version = self.schema_version()?;
        if schema.version == Some(version) {
            if !self.limits.is_current() {
                self.limits.refresh(&self.connection)?;
            }
            return Ok(true);
        }
        let mark = schema::mark(&self.connection)?;
        if mark != schema.understood {
            if schema.refused.as_ref() == Some(&mark) {
                return Ok(false);
            }
            if schema::check(&self.connection).is_err() {
                schema.refused = Some(mark);
                return Ok(false);
            }
            schema.understood = mark;
        }
        // Its fence is part of the schema, so it cannot change unnoticed.
        *self.moving.borrow_mut() =
            fence::read_state(&self.connection)?.filter(|state| state.phase.fence() != Fence::Open);
        self.limits.refresh(&self.connection)?;
        (schema.version, schema.refused) = (Some(version), None);
        Ok(true)
    }

    /// The move whose fence refuses some or all requests, at the last check of the schema.
    pub(crate) fn fence(&self) -> Option<MoveState> {
        self.moving.borrow().clone()
    }

    /// Whether the schema is the one at the last check, so that [`Session::is_schema_understood`] compares nothing.
    pub(crate) fn is_schema_checked(&self) -> rusqlite::Result<bool> {
        Ok(self.limits.is_current() && self.schema.borrow().version == Some(self.schema_version()?))
    }

    fn schema_version(&self) -> rusqlite::Result<i64> {
        self.connection.prepare_cached("PRAGMA schema_version")?.query_row([], |row| row.get(0))
    }
}

/// SQLite's counter of other connections' commits. Commits of this connection do not change it.
pub(crate) fn data_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))
}

/// What a piece of work may use inside the writer's transaction.
pub(crate) struct WriteTx<'t, 'c> {
    pub(crate) connection: &'c Connection,
    pub(crate) held: &'t mut HeldLeases,
    /// Only the changes of this piece. They are dropped if the piece is undone.
    pub(crate) counts: Counts,
    /// The database's time, read once for each transaction.
    pub(crate) now: Timestamp,
    /// Whether a worker may now find work that it could not find before.
    pub(crate) wakes: bool,
    /// Whether something follows in workflows from what was written.
    pub(crate) has_followups: bool,
    pub(crate) changes: &'t RefCell<Changes>,
    pub(crate) offers: &'t RefCell<Offers>,
    pub(crate) limits: &'t LimitCache,
    /// What earlier requests of the same transaction have changed. It is not written yet.
    pub(crate) earlier: &'t Counts,
    /// Leases to deliver after the commit.
    pub(crate) deliveries: Vec<Delivery>,
}

/// The lease of a job that was created with it.
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

    /// After the commit schedules are due at other instants than before.
    pub(crate) fn wake_schedulers(&mut self) {
        self.wakes = true;
        self.changes.borrow_mut().schedules = true;
    }

    /// A job has moved, and no worker has more to do by that.
    pub(crate) const fn wake_watchers(&mut self) {
        self.wakes = true;
    }

    /// Runs a call in its own savepoint. The inner error is about a row or a statement: everything that the call wrote
    /// is undone, and the transaction continues. The outer error ends the transaction.
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

/// Whether an error is about one row, so that the transaction can continue with the others.
pub(crate) fn is_of_a_row(error: &rusqlite::Error) -> bool {
    !is_outside(error) && !is_key_mismatch(error)
}

use longshore_core::{Status, Timestamp, ValidJob};
use rusqlite::Connection;

use crate::database_file::{DatabaseFile, FileChange};
use crate::fault::{ErrorContext, spoils_connection};
use crate::jobs::enqueue::block::{BLOCK_JOBS, BlockInsert};
use crate::upkeep::counts::Counts;
use crate::workers::held::HeldLeases;
use crate::writing::permits::Permits;
use crate::writing::session::{Delivery, Session, WriteTx};
use crate::writing::work::{Effect, Stop, Task};

/// The requests that share one transaction: each in its own savepoint, so that one that fails hurts nobody else;
/// none is answered before the commit.
pub(crate) struct Group<'t, 'c> {
    pub(crate) session: &'t Session<'c>,
    pub(crate) held: &'t mut HeldLeases,
    pub(crate) file: &'t DatabaseFile,
    pub(crate) context: &'t ErrorContext,
    pub(crate) permits: &'t Permits,
    pub(crate) now: Timestamp,
}

/// What a group's transaction came to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Committed {
    /// A worker may find something to do that it could not do before.
    pub(crate) wakes: bool,
    /// How many callers waited when it was committed, for it or behind it.
    pub(crate) callers: usize,
    /// The connection is not to be trusted any more.
    pub(crate) is_spoilt: bool,
}

impl Group<'_, '_> {
    /// Runs the requests in order, commits, and answers each of them. Where the file has changed they have no answer
    /// yet: they get it when what was committed before is safe.
    pub(crate) fn run(mut self, tasks: &mut Vec<Box<dyn Task>>) -> Result<Committed, FileChange> {
        self.session.changes.take();
        if let Err(error) = self.session.kept.begin() {
            return self.fail(tasks, &error);
        }
        // Only inside the transaction: a migration that commits between the look and the lock would not be seen.
        match self.session.is_schema_understood() {
            Ok(true) => {}
            Ok(false) => {
                // A worker that stands on the old schema must not be given a job of the new one.
                self.session.offers.borrow_mut().end();
                self.roll_back();
                for task in tasks.drain(..) {
                    task.dismiss(self.context.schema_changed());
                }
                return Ok(Committed::default());
            }
            Err(error) => return self.fail(tasks, &error),
        }
        // Before the first request, which might give its job to an offer that another process has overtaken.
        if let Err(error) = self.end_outdated_offers() {
            return self.fail(tasks, &error);
        }
        let (mut counts, mut wakes, mut deliveries) = (Counts::default(), false, Vec::new());
        let mut written = 0;
        while written < tasks.len() {
            match self.write_next(tasks, written) {
                Ok((requests, done)) => {
                    written += requests;
                    counts.merge(done.counts);
                    wakes |= done.wakes;
                    deliveries.extend(done.deliveries);
                }
                Err(error) => return self.fail(tasks, &error),
            }
        }
        // Before the commit an error is the whole truth; after it, nothing is acknowledged that is not at its place.
        if let Err(change) = self.file.check() {
            return self.leave(change);
        }
        if let Err(error) = self.commit(&counts) {
            return self.fail(tasks, &error);
        }
        if let Err(change) = self.file.check() {
            return self.leave(change);
        }
        if wakes || !counts.is_empty() {
            self.session.note_moves();
        }
        // Counted before the answers go out: whoever has one may be back with the next request at once.
        let callers = self.permits.taken();
        // Leases before answers: a caller that has its answer may ask what runs.
        for Delivery { mailbox, lease } in deliveries {
            mailbox.put(lease);
        }
        for task in tasks.drain(..) {
            task.answer();
        }
        Ok(Committed { wakes, callers, is_spoilt: false })
    }

    fn end_outdated_offers(&self) -> rusqlite::Result<()> {
        let mut offers = self.session.offers.borrow_mut();
        if !offers.is_empty() {
            offers.end_outdated(self.session.kept.data_version()?, self.now);
        }
        Ok(())
    }

    /// The requests that follow, as many as one statement takes; says how many they were. Once a job was made that
    /// waits, none that follows may be given to a worker before it.
    fn write_next(&mut self, tasks: &mut [Box<dyn Task>], written: usize) -> rusqlite::Result<(usize, Done)> {
        let is_alone = tasks.len() == 1;
        let rest = &mut tasks[written..];
        let offers = &self.session.offers;
        let has_offers = !offers.borrow().is_empty();
        // A block knows nothing of offers; while there are any, each job may be one that a worker takes at once.
        if !has_offers
            && let Some(block) = rest.first_chunk_mut()
            && let Some(done) = self.write_block(block)?
        {
            return Ok((BLOCK_JOBS, done));
        }
        let done = self.write(rest[0].as_mut(), is_alone)?.unwrap_or_default();
        if done.wakes || rest[0].effect() == Effect::Unknown {
            offers.borrow_mut().end();
        }
        Ok((1, done))
    }

    /// Jobs of several requests in one statement, if they are all such. Nothing comes back when it was refused,
    /// which SQLite has taken back: one by one each learns its own error.
    fn write_block(&self, tasks: &mut [Box<dyn Task>; BLOCK_JOBS]) -> rusqlite::Result<Option<Done>> {
        let plain = tasks.iter().map_while(|task| task.plain_job());
        let Ok(jobs) = <[&ValidJob; BLOCK_JOBS]>::try_from(plain.collect::<Vec<_>>()) else { return Ok(None) };
        let connection = self.session.connection;
        let made = BlockInsert::begin(connection).and_then(|mut block| block.make(connection, jobs, self.now));
        let ids = match made {
            Ok(ids) => ids,
            Err(error) if connection.is_autocommit() || spoils_connection(&error) => return Err(error),
            Err(_) => return Ok(None),
        };
        let mut counts = Counts::default();
        let mut changes = self.session.changes.borrow_mut();
        for job in jobs {
            counts.entered(&job.queue, Status::Pending);
            changes.add_job(Some(&job.job_type), &job.queue);
        }
        tasks.iter_mut().zip(ids).for_each(|(task, id)| task.keep_made(id));
        Ok(Some(Done { counts, wakes: true, deliveries: Vec::new() }))
    }

    /// One request. Nothing comes back when it alone failed and was taken back; an error undoes the group.
    fn write(&mut self, task: &mut dyn Task, is_alone: bool) -> rusqlite::Result<Option<Done>> {
        let connection = self.session.connection;
        let has_savepoint = !is_alone && !task.is_one_statement();
        if has_savepoint {
            execute(connection, "SAVEPOINT request")?;
        }
        let mut tx = WriteTx {
            connection,
            runs: &self.session.runs,
            kept: &self.session.kept,
            held: self.held,
            counts: Counts::default(),
            now: self.now,
            wakes: false,
            changes: &self.session.changes,
            offers: &self.session.offers,
            deliveries: Vec::new(),
        };
        let written = task.write(&mut tx);
        let done = Done { wakes: tx.wakes, counts: tx.counts, deliveries: tx.deliveries };
        match written {
            Ok(()) if !has_savepoint => Ok(Some(done)),
            Ok(()) => execute(connection, "RELEASE request").map(|()| Some(done)),
            // Some errors make SQLite take back the whole transaction by itself, everybody's work with it.
            Err(Stop::Sql(error)) if is_alone || connection.is_autocommit() || spoils_connection(&error) => Err(error),
            Err(_) if is_alone => execute(connection, "ROLLBACK").map(|()| None),
            Err(_) if !has_savepoint => Ok(None),
            Err(_) => {
                execute(connection, "ROLLBACK TO request")?;
                execute(connection, "RELEASE request").map(|()| None)
            }
        }
    }

    fn commit(&self, counts: &Counts) -> rusqlite::Result<()> {
        if self.session.connection.is_autocommit() {
            // A lone request was refused and is rolled back already.
            return Ok(());
        }
        counts.flush(&self.session.kept, self.session.connection)?;
        self.session.kept.commit()
    }

    /// Every request of the group gets the error, because nothing of any of them was kept. Where the file has changed,
    /// that is the cause, whatever SQLite says.
    fn fail(&self, tasks: &mut Vec<Box<dyn Task>>, error: &rusqlite::Error) -> Result<Committed, FileChange> {
        self.session.offers.borrow_mut().end();
        self.roll_back();
        self.file.check()?;
        for task in tasks.drain(..) {
            task.refuse(error);
        }
        let is_spoilt = spoils_connection(error) || !self.session.connection.is_autocommit();
        Ok(Committed { is_spoilt, ..Committed::default() })
    }

    fn leave(&self, change: FileChange) -> Result<Committed, FileChange> {
        self.roll_back();
        Err(change)
    }

    fn roll_back(&self) {
        if !self.session.connection.is_autocommit()
            && let Err(error) = execute(self.session.connection, "ROLLBACK")
        {
            crate::quiet::warning!(database = %self.context.database, %error, "could not roll back");
        }
    }
}

#[derive(Default)]
struct Done {
    counts: Counts,
    wakes: bool,
    deliveries: Vec<Delivery>,
}

fn execute(connection: &Connection, sql: &'static str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(|_| ())
}

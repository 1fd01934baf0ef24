use std::time::Instant;

use longshore_core::{MoveState, Status, Timestamp, ValidJob, WriteMeasures};
use rusqlite::{Connection, ErrorCode};

use crate::database::database_file::{DatabaseFile, FileChange};
use crate::database::fault::{ErrorContext, spoils_connection};
use crate::jobs::enqueue::block::{BLOCK_JOBS, BlockInsert};
use crate::upkeep::counts::Counts;
use crate::workers::held::HeldLeases;
use crate::writing::permits::Permits;
use crate::writing::session::{Delivery, Session, WriteTx, data_version};
use crate::writing::work::{Effect, Stop, Task};

/// The requests that share one transaction. Each has its own savepoint, so that a failing request does not affect the
/// others. None is answered before the commit.
pub(crate) struct Group<'t> {
    pub(crate) session: &'t Session,
    pub(crate) place: Place,
    pub(crate) held: &'t mut HeldLeases,
    pub(crate) file: &'t DatabaseFile,
    pub(crate) context: &'t ErrorContext,
    pub(crate) permits: &'t Permits,
    pub(crate) writes: &'t WriteMeasures,
    pub(crate) now: Timestamp,
}

/// The thread on which a group runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The writer's own, which may wait.
    WriterThread,
    /// That of the only caller. It waits for the commit, but for nobody else: neither for another program's lock nor
    /// for a comparison of the whole schema.
    CallersThread,
}

/// Why no request of a group was answered. Nothing is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) enum NotRun {
    /// The requests are answered when earlier commits are safe.
    FileChanged(FileChange),
    /// The group must run on the writer's thread.
    MustWait,
}

impl From<FileChange> for NotRun {
    fn from(change: FileChange) -> Self {
        Self::FileChanged(change)
    }
}

/// The result of a group's transaction.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Committed {
    /// A worker may now find work that it could not find before.
    pub(crate) wakes: bool,
    /// How many callers were waiting at the commit, in this group or behind it.
    pub(crate) callers: usize,
    /// The connection must not be used any more.
    pub(crate) is_spoilt: bool,
}

impl Group<'_> {
    /// Runs the requests in order, commits, and answers each of them, unless none was run.
    pub(crate) fn run(mut self, tasks: &mut Vec<Box<dyn Task>>) -> Result<Committed, NotRun> {
        self.session.changes.take();
        if let Err(error) = execute(&self.session.connection, "BEGIN IMMEDIATE") {
            let is_locked = error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy);
            if is_locked && self.place == Place::CallersThread {
                return Err(NotRun::MustWait);
            }
            return self.fail(tasks, &error);
        }
        // Only inside the transaction. Otherwise a migration that commits between the check and the lock would be
        // missed.
        match self.is_schema_understood() {
            Ok(Some(true)) => {}
            Ok(None) => {
                self.roll_back();
                return Err(NotRun::MustWait);
            }
            Ok(Some(false)) => {
                // A worker on the old schema must not be given a job of the new schema.
                self.session.offers.borrow_mut().end();
                self.roll_back();
                for task in tasks.drain(..) {
                    task.dismiss(self.context.schema_changed());
                }
                return Ok(Committed::default());
            }
            Err(error) => return self.fail(tasks, &error),
        }
        if let Some(state) = self.session.fence()
            && let Some(ended) = self.meet_fence(&state, tasks)
        {
            return ended;
        }
        // Before the first request, which could give its job to an offer that another process has made invalid.
        if let Err(error) = self.end_outdated_offers() {
            return self.fail(tasks, &error);
        }
        let (mut counts, mut wakes, mut deliveries) = (Counts::default(), false, Vec::new());
        let mut written = 0;
        while written < tasks.len() {
            match self.write_next(tasks, written, &counts) {
                Ok((requests, done)) => {
                    written += requests;
                    counts.merge(done.counts);
                    wakes |= done.wakes;
                    deliveries.extend(done.deliveries);
                }
                Err(error) => return self.fail(tasks, &error),
            }
        }
        // Before the commit, an error is reliable. After it, nothing is acknowledged if the file is not at its path.
        if let Err(change) = self.file.check() {
            return self.leave(change);
        }
        if let Err(error) = self.commit(&counts, tasks.len()) {
            return self.fail(tasks, &error);
        }
        if let Err(change) = self.file.check_after_commit() {
            return self.leave(change);
        }
        if wakes || !counts.is_empty() {
            self.session.note_moves();
        }
        // Counted before the answers are sent, because an answered caller may send its next request at once.
        let callers = self.permits.taken();
        // Leases before answers, because an answered caller may ask what is running.
        for Delivery { mailbox, lease } in deliveries {
            mailbox.put(lease);
        }
        for task in tasks.drain(..) {
            task.answer();
        }
        Ok(Committed { wakes, callers, is_spoilt: false })
    }

    /// Refuses the requests that the fence of a move does not let through. Returns `None` if others are left.
    fn meet_fence(&self, state: &MoveState, tasks: &mut Vec<Box<dyn Task>>) -> Option<Result<Committed, NotRun>> {
        if self.place == Place::CallersThread {
            self.roll_back();
            return Some(Err(NotRun::MustWait));
        }
        // No worker may be given a job in the database that it leaves.
        self.session.offers.borrow_mut().end();
        refuse_fenced(state, tasks);
        if tasks.is_empty() {
            self.roll_back();
            return Some(Ok(Committed::default()));
        }
        None
    }

    /// `None` if that takes longer than the caller should wait.
    fn is_schema_understood(&self) -> rusqlite::Result<Option<bool>> {
        if self.session.is_schema_checked()? {
            return Ok(Some(true));
        }
        match self.place {
            Place::CallersThread => Ok(None),
            Place::WriterThread => self.session.is_schema_understood().map(Some),
        }
    }

    fn end_outdated_offers(&self) -> rusqlite::Result<()> {
        let mut offers = self.session.offers.borrow_mut();
        if !offers.is_empty() {
            offers.end_outdated(data_version(&self.session.connection)?, self.now);
        }
        Ok(())
    }

    /// Writes the next requests, as many as one statement takes, and returns their number. Once a waiting job was
    /// created, no later job may be given to a worker before it.
    fn write_next(
        &mut self,
        tasks: &mut [Box<dyn Task>],
        written: usize,
        earlier: &Counts,
    ) -> rusqlite::Result<(usize, Done)> {
        let is_alone = tasks.len() == 1;
        let rest = &mut tasks[written..];
        let offers = &self.session.offers;
        let has_offers = !offers.borrow().is_empty();
        // A block ignores offers. While there are offers, each job may be one that a worker takes at once.
        if !has_offers
            && let Some(block) = rest.first_chunk_mut()
            && let Some(done) = self.write_block(block)?
        {
            return Ok((BLOCK_JOBS, done));
        }
        let done = self.write(rest[0].as_mut(), is_alone, earlier)?.unwrap_or_default();
        if done.wakes || rest[0].effect() == Effect::Unknown {
            offers.borrow_mut().end();
        }
        Ok((1, done))
    }

    /// Writes the jobs of several requests in one statement, if all of them are plain. Returns `None` if SQLite
    /// rejected and undid it. Then they run one by one, and each gets its own error.
    fn write_block(&self, tasks: &mut [Box<dyn Task>; BLOCK_JOBS]) -> rusqlite::Result<Option<Done>> {
        let plain = tasks.iter().map_while(|task| task.plain_job());
        let Ok(jobs) = <[&ValidJob; BLOCK_JOBS]>::try_from(plain.collect::<Vec<_>>()) else { return Ok(None) };
        let connection = &self.session.connection;
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

    /// Writes one request. Returns `None` if only this request failed and was undone. An error undoes the whole group.
    fn write(&mut self, task: &mut dyn Task, is_alone: bool, earlier: &Counts) -> rusqlite::Result<Option<Done>> {
        let connection = &self.session.connection;
        let has_savepoint = !is_alone && !task.is_one_statement();
        if has_savepoint {
            execute(connection, "SAVEPOINT request")?;
        }
        let mut tx = WriteTx {
            connection,
            held: self.held,
            counts: Counts::default(),
            now: self.now,
            wakes: false,
            has_followups: false,
            changes: &self.session.changes,
            offers: &self.session.offers,
            limits: &self.session.limits,
            earlier,
            deliveries: Vec::new(),
        };
        let written = task.write(&mut tx);
        let done = Done { wakes: tx.wakes, counts: tx.counts, deliveries: tx.deliveries };
        match written {
            Ok(()) if !has_savepoint => Ok(Some(done)),
            Ok(()) => execute(connection, "RELEASE request").map(|()| Some(done)),
            // After some errors SQLite rolls back the whole transaction, with the work of every request.
            Err(Stop::Sql(error)) if is_alone || connection.is_autocommit() || spoils_connection(&error) => Err(error),
            Err(_) if is_alone => execute(connection, "ROLLBACK").map(|()| None),
            Err(_) if !has_savepoint => Ok(None),
            Err(_) => {
                execute(connection, "ROLLBACK TO request")?;
                execute(connection, "RELEASE request").map(|()| None)
            }
        }
    }

    fn commit(&self, counts: &Counts, requests: usize) -> rusqlite::Result<()> {
        if self.session.connection.is_autocommit() {
            // A lone request was refused and is already rolled back.
            return Ok(());
        }
        counts.flush(&self.session.connection)?;
        let begun = Instant::now();
        execute(&self.session.connection, "COMMIT")?;
        self.writes.committed(requests, begun.elapsed());
        Ok(())
    }

    /// Answers every request of the group with the error, because nothing was kept. If the file has changed, that is
    /// the cause, whatever SQLite reports.
    fn fail(&self, tasks: &mut Vec<Box<dyn Task>>, error: &rusqlite::Error) -> Result<Committed, NotRun> {
        self.session.offers.borrow_mut().end();
        self.roll_back();
        self.file.check()?;
        for task in tasks.drain(..) {
            task.refuse(error);
        }
        let is_spoilt = spoils_connection(error) || !self.session.connection.is_autocommit();
        Ok(Committed { is_spoilt, ..Committed::default() })
    }

    fn leave(&self, change: FileChange) -> Result<Committed, NotRun> {
        self.roll_back();
        Err(change.into())
    }

    fn roll_back(&self) {
        if !self.session.connection.is_autocommit()
            && let Err(error) = execute(&self.session.connection, "ROLLBACK")
        {
            crate::database::quiet::warning!(database = %self.context.database, %error, "could not roll back");
        }
    }
}

/// Answers the requests that the fence of a move refuses.
pub(crate) fn refuse_fenced(state: &MoveState, tasks: &mut Vec<Box<dyn Task>>) {
    let fence = state.phase.fence();
    for task in tasks.extract_if(.., |task| !task.passes(fence)) {
        task.dismiss(state.refusal().expect("a closed fence refuses"));
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

use longshore_core::{
    DeadLetterReason, Enqueued, JobData, JobId, NewJob, Overdue, Status, StoreError, TimeBounds, Timestamp, ValidJob,
};
use rusqlite::{Connection, OptionalExtension, Statement, params};

use crate::database::column;
use crate::database::fault::Fault;
use crate::jobs::claim::due::later_than;
use crate::jobs::enqueue::block::{BLOCK_JOBS, BlockInsert, is_plain};
use crate::jobs::enqueue::duplicate::settle;
use crate::jobs::enqueue::leased::make_leased;
use crate::jobs::enqueue::made::{Change, Made};
use crate::jobs::family::Family;
use crate::jobs::overdue::{WaitingJob, end_waiting};
use crate::jobs::unique_key::{self, Meeting, Met};
use crate::upkeep::counts::Minute;
use crate::writing::session::WriteTx;
use crate::writing::work::{Effect, Work};

pub(crate) mod block;
mod duplicate;
pub(crate) mod leased;
mod made;
pub(crate) mod statement;
pub(crate) mod stream;

/// The most that takes about as long as a commit.
const SHORT_JOBS_MAX: usize = 16;
const SHORT_BYTES_MAX: usize = 64 * 1024;

/// Creates one job.
pub(crate) const INSERT_JOB: &str = include_str!("../sql/enqueue/insert_job.sql");

/// Creates all of the jobs or none.
pub(crate) struct Enqueue {
    pub(crate) jobs: Vec<ValidJob>,
}

impl Work for Enqueue {
    type Answer = Vec<Enqueued>;
    const DOING: &'static str = "enqueueing jobs";
    const EFFECT: Effect = Effect::Told;

    fn rows(&self) -> usize {
        self.jobs.len()
    }

    fn is_short(&self) -> bool {
        let bytes = |job: &ValidJob| job.job_data.len() + job.metadata.as_ref().map_or(0, JobData::len);
        self.jobs.len() <= SHORT_JOBS_MAX && self.jobs.iter().map(bytes).sum::<usize>() <= SHORT_BYTES_MAX
    }

    /// A unique key may first have to be taken from an overdue job, which is a second writing statement.
    fn is_one_statement(&self) -> bool {
        matches!(self.jobs.as_slice(), [job] if job.unique_key.is_none())
    }

    fn plain_job(&self) -> Option<&ValidJob> {
        let [job] = self.jobs.as_slice() else { return None };
        is_plain(job).then_some(job)
    }

    fn answer_for(&self, id: JobId) -> Option<Vec<Enqueued>> {
        Some(vec![Enqueued::made(id)])
    }

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<Vec<Enqueued>, Fault> {
        if let [job] = self.jobs.as_slice()
            && let Some(id) = make_leased(tx, job)?
        {
            return Ok(vec![Enqueued::made(id)]);
        }
        let connection = tx.connection;
        let mut insert = connection.prepare_cached(INSERT_JOB)?;
        Inserting::begin(connection, &mut insert).write_all(tx, &self.jobs)
    }
}

/// The statements that create jobs, prepared once for a whole batch.
pub(crate) struct Inserting<'s, 'c> {
    connection: &'c Connection,
    insert: &'s mut Statement<'c>,
    /// `None` until enough jobs come at once.
    block: Option<BlockInsert<'c>>,
}

impl<'s, 'c> Inserting<'s, 'c> {
    pub(crate) const fn begin(connection: &'c Connection, insert: &'s mut Statement<'c>) -> Self {
        Self { connection, insert, block: None }
    }

    /// Creates the jobs in their order and updates the counts.
    pub(crate) fn write_all(&mut self, tx: &mut WriteTx<'_, '_>, jobs: &[ValidJob]) -> Result<Vec<Enqueued>, Fault> {
        let mut enqueued = Vec::with_capacity(jobs.len());
        let mut rest = jobs;
        while let Some(job) = rest.first() {
            match rest.first_chunk() {
                Some(block) if block.iter().all(|job| is_plain(job)) => {
                    self.write_block(tx, block, &mut enqueued)?;
                    rest = &rest[BLOCK_JOBS..];
                }
                _ => {
                    enqueued.push(self.write(tx, job)?);
                    rest = &rest[1..];
                }
            }
        }
        Ok(enqueued)
    }

    fn write_block(
        &mut self,
        tx: &mut WriteTx<'_, '_>,
        jobs: &[ValidJob; BLOCK_JOBS],
        enqueued: &mut Vec<Enqueued>,
    ) -> Result<(), Fault> {
        for job in jobs {
            tx.counts.entered(&job.queue, Status::Pending);
            tx.wake_for(Some(&job.job_type), &job.queue);
        }
        let block = match &mut self.block {
            Some(block) => block,
            none => none.insert(BlockInsert::begin(self.connection)?),
        };
        let ids = block.make(self.connection, jobs.each_ref(), tx.now)?;
        enqueued.extend(ids.map(Enqueued::made));
        Ok(())
    }

    /// Creates one job and updates the counts.
    pub(crate) fn write(&mut self, tx: &mut WriteTx<'_, '_>, job: &ValidJob) -> Result<Enqueued, Fault> {
        let made = self.make(job, tx.now, |holder, overdue| {
            let family = Family::read(tx.connection)?;
            end_waiting(tx, family, holder, overdue).map(|_| ())
        })?;
        match made.change {
            Change::Entered(status) => {
                tx.counts.entered(&job.queue, status);
                match status {
                    Status::Pending => tx.wake_for(Some(&job.job_type), &job.queue),
                    _ => tx.wake_watchers(),
                }
                if status == Status::DeadLetter {
                    tx.counts.ended(&job.queue, tx.now, Minute { failed: 1, ..Minute::default() });
                }
            }
            // It stays in its queue.
            Change::Moved { queue, from, to } => {
                tx.counts.moved(&queue, from, to);
                tx.wake_for(Some(&job.job_type), &queue);
            }
            Change::Nothing => {}
        }
        Ok(made.enqueued)
    }

    /// Creates one job. The caller updates the counts, or the triggers do if they are on. Every check comes before the
    /// first statement that writes. `end` ends a waiting job with the unique key whose expiry or deadline has passed:
    /// it will never run, so it must not prevent a new job.
    pub(crate) fn make(
        &mut self,
        job: &ValidJob,
        now: Timestamp,
        mut end: impl FnMut(&WaitingJob, Overdue) -> Result<(), Fault>,
    ) -> Result<Made, Fault> {
        let Some(key) = &job.unique_key else { return self.make_free(job, now) };
        let Met { meeting, overdue } = Met::of(self.connection, key, job.unique_while, now)?;
        if let Meeting::Duplicate(holder) = meeting {
            return Ok(settle(self.connection, job, holder, now)?);
        }
        // An unknown parent is refused before anything is written.
        InitialState::of(self.connection, job)?;
        for (holder, overdue) in &overdue {
            end(holder, *overdue)?;
        }
        if let Meeting::Behind(running) = meeting {
            unique_key::pass_on(self.connection, running, key)?;
        }
        self.make_free(job, now)
    }

    /// Creates a job whose unique key, if it has one, is free.
    fn make_free(&mut self, job: &ValidJob, now: Timestamp) -> Result<Made, Fault> {
        let initial = InitialState::of(self.connection, job)?;
        let id = self.insert(job, &initial, now)?;
        Ok(Made { enqueued: Enqueued::made(id), change: Change::Entered(initial.status()) })
    }

    fn insert(&mut self, job: &NewJob, initial: &InitialState, now: Timestamp) -> rusqlite::Result<JobId> {
        let reason = initial.dead_letter_reason();
        let time = TimeBounds::from_now(now, job.expires_in, job.deadline_in);
        let id = self.insert.insert(params![
            job.job_type,
            job.job_data.as_str(),
            initial.status().as_str(),
            job.priority.0,
            now.as_ms(),
            reason.as_ref().map(|_| now.as_ms()),
            job.max_retries,
            job.timeout.map(column::seconds),
            job.parent.map(|parent| parent.0),
            reason.map(|reason| reason.to_string()),
            job.queue,
            later_than(now, job.due).map(Timestamp::as_ms),
            job.max_crashes,
            job.max_deferrals,
            job.unique_key,
            job.metadata.as_ref().map(JobData::as_str),
            time.expires_at.map(Timestamp::as_ms),
            time.deadline_at.map(Timestamp::as_ms),
            job.limit_key,
        ])?;
        Ok(JobId(id))
    }
}

/// The status of a new job by its parent.
enum InitialState {
    Free,
    Blocked,
    Orphaned(DeadLetterReason),
}

impl InitialState {
    fn of(connection: &Connection, job: &NewJob) -> Result<Self, Fault> {
        let Some(parent) = job.parent else { return Ok(Self::Free) };
        let status = connection
            .prepare_cached(include_str!("../sql/enqueue/select_status.sql"))?
            .query_row([parent.0], |row| column::status(row, 0))
            .optional()?
            .ok_or(StoreError::UnknownParent { parent })?;
        Ok(match status {
            Status::Completed => Self::Free,
            status if status.is_ended() => Self::Orphaned(DeadLetterReason::ParentEnded { parent, status }),
            _ => Self::Blocked,
        })
    }

    fn status(&self) -> Status {
        match self {
            Self::Free => Status::Pending,
            Self::Blocked => Status::Blocked,
            Self::Orphaned(_) => Status::DeadLetter,
        }
    }

    fn dead_letter_reason(&self) -> Option<DeadLetterReason> {
        match self {
            Self::Orphaned(reason) => Some(*reason),
            Self::Free | Self::Blocked => None,
        }
    }
}

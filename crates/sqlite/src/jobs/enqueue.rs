use longshore_core::{DeadLetterReason, Enqueued, JobId, NewJob, Status, StoreError, Timestamp, UniqueWhile, ValidJob};
use rusqlite::{Connection, OptionalExtension, Statement, params};

use crate::column;
use crate::fault::Fault;
use crate::jobs::due::later_than;
use crate::jobs::enqueue::block::{BLOCK_JOBS, BlockInsert, is_plain};
use crate::jobs::enqueue::duplicate::settle;
use crate::jobs::enqueue::leased::make_leased;
use crate::jobs::enqueue::made::{Change, Made};
use crate::jobs::unique_key::{self, Meeting};
use crate::upkeep::counts::Minute;
use crate::writing::session::WriteTx;
use crate::writing::work::{Effect, Work};

pub(crate) mod block;
mod duplicate;
pub(crate) mod leased;
mod made;
mod spool;
mod spooled_job;
pub(crate) mod stream;

/// Makes all of the jobs or none.
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

    fn is_one_statement(&self) -> bool {
        matches!(self.jobs.as_slice(), [job] if !may_pass_a_key(job))
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
        let kept = tx.kept;
        let mut insert = kept.insert_job()?;
        Inserting::begin(tx.connection, &mut insert).write_all(tx, &self.jobs)
    }
}

/// Whether making the job may take its unique key from a running one, which is a second statement that writes.
pub(crate) const fn may_pass_a_key(job: &NewJob) -> bool {
    job.unique_key.is_some() && matches!(job.unique_while, UniqueWhile::Waiting)
}

/// The statements that make jobs, taken from the cache once for a whole batch.
pub(crate) struct Inserting<'s, 'c> {
    connection: &'c Connection,
    insert: &'s mut Statement<'c>,
    /// None until so many jobs come at once.
    block: Option<BlockInsert<'c>>,
}

impl<'s, 'c> Inserting<'s, 'c> {
    pub(crate) const fn begin(connection: &'c Connection, insert: &'s mut Statement<'c>) -> Self {
        Self { connection, insert, block: None }
    }

    /// Makes the jobs in their order and counts them.
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
        }
        let block = match &mut self.block {
            Some(block) => block,
            none => none.insert(BlockInsert::begin(self.connection)?),
        };
        let ids = block.make(self.connection, jobs.each_ref(), tx.now)?;
        enqueued.extend(ids.map(Enqueued::made));
        tx.wakes = true;
        Ok(())
    }

    /// Makes one job and counts it.
    fn write(&mut self, tx: &mut WriteTx<'_, '_>, job: &ValidJob) -> Result<Enqueued, Fault> {
        let made = self.make(job, tx.now)?;
        match made.change {
            Change::Entered(status) => {
                tx.counts.entered(&job.queue, status);
                if status == Status::DeadLetter {
                    tx.counts.ended(&job.queue, tx.now, Minute { failed: 1, ..Minute::default() });
                }
            }
            Change::Moved { queue, from, to } => tx.counts.moved(&queue, from, to),
            Change::Nothing => return Ok(made.enqueued),
        }
        tx.wakes = true;
        Ok(made.enqueued)
    }

    /// Makes one job and leaves the counts to the caller, or to the triggers where they are on. All that can be
    /// refused is refused before the first statement that writes, of which there are two where a key is passed on.
    pub(crate) fn make(&mut self, job: &ValidJob, now: Timestamp) -> Result<Made, Fault> {
        let meeting = match &job.unique_key {
            None => Meeting::Free,
            Some(key) => Meeting::of(self.connection, key, job.unique_while)?,
        };
        if let Meeting::Duplicate(holder) = meeting {
            return Ok(settle(self.connection, job, holder, now)?);
        }
        let standing = Standing::of(self.connection, job)?;
        if let (Meeting::Behind(running), Some(key)) = (meeting, &job.unique_key) {
            unique_key::pass_on(self.connection, running, key)?;
        }
        let id = self.insert(job, &standing, now)?;
        Ok(Made { enqueued: Enqueued::made(id), change: Change::Entered(standing.status()) })
    }

    fn insert(&mut self, job: &NewJob, standing: &Standing, now: Timestamp) -> rusqlite::Result<JobId> {
        let reason = standing.dead_letter_reason();
        let id = self.insert.insert(params![
            job.job_type,
            job.job_data.as_str(),
            standing.status().as_str(),
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
            job.metadata.as_ref().map(longshore_core::JobData::as_str),
        ])?;
        Ok(JobId(id))
    }
}

/// What its parent lets a new job do.
enum Standing {
    Free,
    Blocked,
    Orphaned(DeadLetterReason),
}

impl Standing {
    fn of(connection: &Connection, job: &NewJob) -> Result<Self, Fault> {
        let Some(parent) = job.parent else { return Ok(Self::Free) };
        let status = connection
            .prepare_cached(include_str!("../sql/select_status.sql"))?
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

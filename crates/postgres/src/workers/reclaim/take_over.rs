use std::time::Duration;

use longshore_core::{AttemptEnd, Clock, JobId, RetryPolicy, Suspects, Timestamp, decide};
use postgres_types::Type;

use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::pool::Transaction;
use crate::session::sql::sql;
use crate::session::statements::{Call, Parameter};
use crate::store::Parts;
use crate::workers::give_back::{GivenBack, give_back};
use crate::workers::held_job::{HeldBy, HeldJob, LostAttempt, Proof};
use crate::workers::reclaim::lost_worker::{Loss, LostWorker, Seen};
use crate::workers::started::StartedTable;

/// How many jobs one transaction takes from a lost worker.
pub(crate) const STEP_ROWS: usize = 500;
/// How long a step may wait for the database and still end a lease. A worker that waits for the same must have had a
/// chance to come first.
const WAIT_MAX: Duration = Duration::from_millis(500);

/// Takes the jobs of one lost worker in bounded steps.
#[derive(Debug)]
pub(crate) struct TakeOver<'a> {
    pub(crate) worker: &'a LostWorker,
    /// Whether more than one of its attempts had started, once that is known.
    suspects: Option<Suspects>,
}

/// What one step has taken.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) given_back: GivenBack,
    /// Where the next step starts, if there is one.
    pub(crate) next: Option<JobId>,
    pub(crate) end: End,
}

/// The result for the worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum End {
    /// It lives after all, or another process takes its jobs.
    #[default]
    Elsewhere,
    /// This step had to wait for the database, and the worker may have waited longer.
    Late,
    /// It holds no more jobs, and its row is removed.
    Gone,
    /// One of its jobs cannot be taken.
    Stuck,
}

impl<'a> TakeOver<'a> {
    pub(crate) const fn new(worker: &'a LostWorker) -> Self {
        Self { worker, suspects: None }
    }

    /// Takes the jobs after `after`, and the worker's row when no job is left.
    pub(crate) async fn step(&mut self, parts: &Parts, after: JobId) -> Result<Taken, Fault> {
        let clock = &parts.options.clock;
        let asked_at = clock.monotonic();
        let (transaction, now) = self.begin(parts).await?;
        let Some(now) = now else { return Ok(Taken::default()) };
        if self.worker.loss == Loss::Lapsed && is_late(&**clock, asked_at) {
            return Ok(Taken { end: End::Late, ..Taken::default() });
        }
        let started = self.started(&transaction).await?;
        let jobs = HeldJob::read(&transaction, self.held_by(), after, rows(STEP_ROWS)).await?;
        let suspects = self.count_suspects(&transaction, &started, &jobs).await?;
        let attempts: Vec<LostAttempt> = jobs.iter().map(|job| self.end_of(job, &started, suspects, now)).collect();
        let mut taken =
            Taken { given_back: give_back(&transaction, &self.worker.worker_id, &attempts).await?, ..Taken::default() };
        match jobs.last().filter(|_| jobs.len() == STEP_ROWS) {
            Some(last) => taken.next = Some(last.id),
            None => taken.end = self.finish(&transaction).await?,
        }
        transaction.commit().await?;
        self.suspects = Some(suspects);
        Ok(taken)
    }

    /// The transaction, with the worker's row locked, and its time; none if the row says something else now.
    async fn begin(&self, parts: &Parts) -> Result<(Transaction, Option<Timestamp>), Fault> {
        let worker: [Parameter<'_>; 1] = [(&self.worker.worker, Type::INT4)];
        let calls = [
            Call { sql: sql!("workers/limit_idle_transaction"), parameters: &[] },
            Call { sql: sql!("workers/lock_worker"), parameters: &worker },
            Call { sql: sql!("upkeep/select_now"), parameters: &[] },
        ];
        let (transaction, answers) = parts.pool.begin_with(&calls).await?;
        let seen = answers[1].first().map(Seen::of).transpose()?;
        let now = answers[2].first().map(|row| Columns::of(row).instant()).transpose()?;
        Ok((transaction, now.filter(|_| seen == self.worker.seen)))
    }

    async fn started(&self, transaction: &Transaction) -> Result<StartedTable, Fault> {
        Ok(match self.worker.loss {
            Loss::GivenUp => StartedTable::Abandoned,
            Loss::Died | Loss::Lapsed => {
                let session_key = self.worker.seen.map(|seen| seen.session_key);
                StartedTable::read(transaction, self.worker.worker, session_key).await?
            }
        })
    }

    /// Whether one attempt had started, or several. Counted before the first job is taken, because afterwards the rest
    /// would look alone; so the notes of several say from now on that none was alone.
    async fn count_suspects(
        &self,
        transaction: &Transaction,
        started: &StartedTable,
        first: &[HeldJob],
    ) -> Result<Suspects, Fault> {
        if let Some(suspects) = self.suspects {
            return Ok(suspects);
        }
        let count = |jobs: &[HeldJob]| jobs.iter().filter(|job| job.begun(started).is_some()).count();
        let mut begun = count(first);
        let mut last = first.last().filter(|_| first.len() == STEP_ROWS).map(|job| job.id);
        while let (Some(after), 0..=1) = (last, begun) {
            let more = HeldJob::read(transaction, self.held_by(), after, rows(STEP_ROWS)).await?;
            begun += count(&more);
            last = more.last().filter(|_| more.len() == STEP_ROWS).map(|job| job.id);
        }
        if begun <= 1 {
            return Ok(Suspects::One);
        }
        transaction.execute(sql!("workers/note_company"), &[(&self.worker.worker, Type::INT4)]).await?;
        Ok(Suspects::Several)
    }

    fn end_of(&self, job: &HeldJob, started: &StartedTable, suspects: Suspects, now: Timestamp) -> LostAttempt {
        let begun = job.begun(started);
        let end = match (begun.map(|begun| begun.proof), self.worker.loss) {
            (None, _) | (_, Loss::GivenUp) => AttemptEnd::Interrupted,
            (Some(_), Loss::Lapsed) => AttemptEnd::Lapsed,
            (Some(Proof::OfItsWorker), Loss::Died) => AttemptEnd::Crashed(suspects),
            (Some(Proof::None), Loss::Died) => AttemptEnd::Crashed(Suspects::Several),
        };
        // Neither end has a delay, so neither the policy nor the random number matters.
        let outcome = decide(&job.budgets, end, &RetryPolicy::default(), now, 0.0);
        job.ended(begun, outcome, now)
    }

    async fn finish(&self, transaction: &Transaction) -> Result<End, Fault> {
        let worker: [Parameter<'_>; 1] = [(&self.worker.worker, Type::INT4)];
        if self.worker.seen.is_none() {
            transaction.execute(sql!("workers/delete_orphans"), &worker).await?;
            return Ok(End::Gone);
        }
        let gone = transaction.query_opt(sql!("workers/delete_worker"), &worker).await?;
        Ok(if gone.is_some() { End::Gone } else { End::Stuck })
    }

    const fn held_by(&self) -> HeldBy {
        match self.worker.seen {
            Some(_) => HeldBy::Registered(self.worker.worker),
            None => HeldBy::Unregistered(self.worker.worker),
        }
    }
}

impl Seen {
    pub(crate) fn of(row: &tokio_postgres::Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self { heartbeat_number: row.try_get("heartbeat_number")?, session_key: row.try_get("session_key")? })
    }
}

/// Only a lease can end by mistake while the database is slow. A death stays a death.
fn is_late(clock: &dyn Clock, asked_at: Duration) -> bool {
    clock.monotonic().saturating_sub(asked_at) > WAIT_MAX
}

fn rows(count: usize) -> i64 {
    i64::try_from(count).expect("a step has few rows")
}

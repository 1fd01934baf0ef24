use std::collections::BTreeSet;
use std::sync::Arc;

use longshore_core::{
    AddTicks, AppliedSchedules, ApplySchedules, Backend, ChangeSchedule, JobId, PlannedTick, ScheduleChange,
    ScheduleDefinition, ScheduleRecord, ScheduleSource, SchedulesRequest, StoreError, TickKind, TickOutcome, TickPage,
    TicksRequest, Timestamp,
};
use longshore_schedule::{Finding, MISSED_ROWS_MAX, TickPlanner, Ticks, findings};
use serde::Serialize;

use super::{ScheduleError, decided_by, definitions, planner};
use crate::{Queue, Schedule};

/// How many schedules are read at once.
const PAGE: u32 = 1000;
/// How many ticks one backfill adds at most, and how many of them in one transaction.
const BACKFILL_MAX: u64 = 10_000;
const BACKFILL_STEP: usize = 100;

/// The schedules of a database: what they are, what became of their ticks, and changes at run time.
///
/// ```
/// # use longshore::{Job, Queue, Schedule};
/// # use std::time::Duration;
/// # #[derive(Job, serde::Serialize, serde::Deserialize)]
/// # struct Sync { tenant: u64 }
/// # async fn example(queue: &Queue) -> Result<(), Box<dyn std::error::Error>> {
/// let schedules = queue.schedules();
/// schedules.add(&Schedule::every("sync 7", Duration::from_secs(900)).enqueue(&Sync { tenant: 7 })).await?;
/// schedules.pause("sync 7", "the tenant is on holiday").await?;
/// for schedule in schedules.list().await? {
///     println!("{} is next due at {:?}", schedule.name, schedule.next_due_at);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct QueueSchedules {
    backend: Arc<dyn Backend>,
}

/// What a backfill did, or would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Backfilled {
    /// The ticks of the span, oldest first.
    pub ticks: Vec<BackfilledTick>,
}

/// One tick of a backfill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BackfilledTick {
    /// When it was due.
    pub due_at: Timestamp,
    /// Its new job; none if it had one already, or if nothing was done.
    pub job_id: Option<JobId>,
    /// Whether it had a job already, so that none is made.
    pub had_job: bool,
}

impl Queue {
    /// The schedules of this database.
    ///
    /// ```
    /// # async fn example(queue: &longshore::Queue) -> Result<(), Box<dyn std::error::Error>> {
    /// queue.schedules().remove("nightly").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn schedules(&self) -> QueueSchedules {
        QueueSchedules { backend: Arc::clone(self.backend()) }
    }
}

impl QueueSchedules {
    /// All schedules, by name.
    pub async fn list(&self) -> Result<Vec<ScheduleRecord>, StoreError> {
        let mut schedules: Vec<ScheduleRecord> = Vec::new();
        loop {
            let after = schedules.last().map(|schedule| schedule.name.clone());
            let page = self.backend.schedules(SchedulesRequest { names: None, after, limit: PAGE }).await?;
            let is_last = page.len() < PAGE as usize;
            schedules.extend(page);
            if is_last {
                return Ok(schedules);
            }
        }
    }

    /// One schedule; none if there is none of this name.
    pub async fn get(&self, name: &str) -> Result<Option<ScheduleRecord>, StoreError> {
        let request = SchedulesRequest { names: Some(vec![name.to_owned()]), after: None, limit: 1 };
        Ok(self.backend.schedules(request).await?.pop())
    }

    /// A page of what became of ticks, newest first; also of a schedule that was removed.
    pub async fn ticks(&self, request: TicksRequest) -> Result<TickPage, StoreError> {
        self.backend.ticks(request).await
    }

    /// Creates a schedule, which starts now, or replaces the one of this name.
    pub async fn add(&self, schedule: &Schedule) -> Result<AppliedSchedules, ScheduleError> {
        self.apply(std::slice::from_ref(schedule), ScheduleSource::Manual).await
    }

    /// Makes schedules known, all or none: creates new ones and replaces those that differ.
    pub async fn apply(
        &self,
        schedules: &[Schedule],
        source: ScheduleSource,
    ) -> Result<AppliedSchedules, ScheduleError> {
        let apply = applying(definitions(schedules)?, source);
        Ok(self.backend.apply_schedules(apply).await?)
    }

    /// [`QueueSchedules::apply`], and removes those of the same source that are not among them.
    pub async fn apply_and_prune(
        &self,
        schedules: &[Schedule],
        source: ScheduleSource,
    ) -> Result<AppliedSchedules, ScheduleError> {
        let apply = ApplySchedules { prune: true, ..applying(definitions(schedules)?, source) };
        Ok(self.backend.apply_schedules(apply).await?)
    }

    /// Removes a schedule. Its ticks and jobs stay. Returns false if there is none of this name.
    pub async fn remove(&self, name: &str) -> Result<bool, StoreError> {
        self.change(name, ScheduleChange::Remove).await
    }

    /// Skips the ticks of a schedule until it is resumed. Returns false if there is none of this name.
    pub async fn pause(&self, name: &str, reason: impl Into<String>) -> Result<bool, StoreError> {
        self.change(name, ScheduleChange::Pause { reason: reason.into() }).await
    }

    /// Resumes a schedule; ticks of the pause stay skipped. Returns false if there is none of this name.
    pub async fn resume(&self, name: &str) -> Result<bool, StoreError> {
        self.change(name, ScheduleChange::Resume { catch_up: false }).await
    }

    /// Resumes a schedule and decides the ticks of the pause anew, as after downtime. Returns false if there is none of
    /// this name.
    pub async fn resume_and_catch_up(&self, name: &str) -> Result<bool, StoreError> {
        self.change(name, ScheduleChange::Resume { catch_up: true }).await
    }

    /// Makes a job of a schedule now, whether it is due, paused, or its last job has not ended.
    pub async fn run(&self, name: &str) -> Result<JobId, ScheduleError> {
        let (record, definition) = self.understood(name).await?;
        let tick = by_hand(&definition, record.now, TickKind::Manual, "run by hand")?;
        let job = self.add_ticks(name, vec![tick]).await?.into_iter().next().flatten();
        job.ok_or_else(|| ScheduleError::Twice { name: name.to_owned(), job })
    }

    /// Makes the jobs of the ticks of a span in the past that have none: from one instant on, which counts, and before
    /// another.
    pub async fn backfill(&self, name: &str, from: Timestamp, to: Timestamp) -> Result<Backfilled, ScheduleError> {
        let (definition, due) = self.due_between(name, from, to).await?;
        let mut ticks = Vec::new();
        for step in due.chunks(BACKFILL_STEP) {
            let planned =
                step.iter().map(|due_at| by_hand(&definition, *due_at, TickKind::Backfill, "backfilled by hand"));
            let jobs = self.add_ticks(name, planned.collect::<Result<_, _>>()?).await?;
            // Each of them has a job of its own now, unless it had one before.
            let filled = |(due_at, job_id): (&Timestamp, Option<JobId>)| BackfilledTick {
                due_at: *due_at,
                job_id,
                had_job: job_id.is_none(),
            };
            ticks.extend(step.iter().zip(jobs).map(filled));
        }
        Ok(Backfilled { ticks })
    }

    /// What [`QueueSchedules::backfill`] would do: the ticks, and which of them have a job already. Only reads.
    pub async fn backfill_dry_run(
        &self,
        name: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Backfilled, ScheduleError> {
        let (_, due) = self.due_between(name, from, to).await?;
        let with_job = self.with_job(name, from, to).await?;
        let tick = |due_at: Timestamp| BackfilledTick { due_at, job_id: None, had_job: with_job.contains(&due_at) };
        Ok(Backfilled { ticks: due.into_iter().map(tick).collect() })
    }

    /// The instants of a span whose ticks made a job. They are as many as are kept: see
    /// [`TickRetention`](longshore_core::TickRetention).
    async fn with_job(&self, name: &str, from: Timestamp, to: Timestamp) -> Result<BTreeSet<Timestamp>, StoreError> {
        let (mut with_job, mut before) = (BTreeSet::new(), Some(to));
        while before.is_some_and(|before| before > from) {
            let outcomes = Some(vec![TickOutcome::Enqueued, TickOutcome::Late]);
            let page = self.ticks(TicksRequest { schedule: name.to_owned(), outcomes, before, limit: PAGE }).await?;
            with_job.extend(page.ticks.iter().map(|tick| tick.due_at));
            before = page.next;
        }
        Ok(with_job)
    }

    /// What is wrong with one schedule, or with any: ticks that were found to be missed in the last day, a job that should
    /// have completed, ticks that nobody settles. Only reads.
    pub async fn check(&self, name: Option<&str>) -> Result<Vec<Finding>, ScheduleError> {
        let records = match name {
            None => self.list().await?,
            Some(name) => vec![self.get(name).await?.ok_or_else(|| not_found(name))?],
        };
        let mut found = Vec::new();
        for record in records {
            found.extend(self.findings_of(&record).await?);
        }
        Ok(found)
    }

    /// What is wrong with a schedule that was read before, as [`QueueSchedules::check`] says it. Only reads.
    pub async fn findings_of(&self, record: &ScheduleRecord) -> Result<Vec<Finding>, StoreError> {
        let missed = TicksRequest {
            schedule: record.name.clone(),
            outcomes: Some(vec![TickOutcome::Missed]),
            before: None,
            limit: MISSED_ROWS_MAX,
        };
        Ok(findings(record, &self.ticks(missed).await?.ticks))
    }

    async fn change(&self, name: &str, change: ScheduleChange) -> Result<bool, StoreError> {
        let (planner, decided_by) = (planner(), decided_by());
        self.backend.change_schedule(ChangeSchedule { name: name.to_owned(), change, planner, decided_by }).await
    }

    async fn add_ticks(&self, name: &str, ticks: Vec<PlannedTick>) -> Result<Vec<Option<JobId>>, ScheduleError> {
        let add = AddTicks { schedule: name.to_owned(), ticks, planner: planner(), decided_by: decided_by() };
        self.backend.add_ticks(add).await?.ok_or_else(|| not_found(name))
    }

    async fn understood(&self, name: &str) -> Result<(ScheduleRecord, ScheduleDefinition), ScheduleError> {
        let record = self.get(name).await?.ok_or_else(|| not_found(name))?;
        match record.definition.clone() {
            Ok(definition) => Ok((record, definition)),
            Err(reason) => Err(ScheduleError::NotUnderstood { name: name.to_owned(), reason }),
        }
    }

    async fn due_between(
        &self,
        name: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<(ScheduleDefinition, Vec<Timestamp>), ScheduleError> {
        let (record, definition) = self.understood(name).await?;
        if from >= to {
            return Err(ScheduleError::EmptySpan { from, to });
        }
        if to > record.now {
            return Err(ScheduleError::FutureSpan { to, now: record.now });
        }
        let ticks: Ticks = longshore_schedule::check(&definition)?;
        let (mut at, end) = (Timestamp::from_ms(from.as_ms() - 1), Timestamp::from_ms(to.as_ms() - 1));
        let count = ticks.count(at, end);
        if count > BACKFILL_MAX {
            return Err(ScheduleError::TooManyTicks { name: name.to_owned(), ticks: count, max: BACKFILL_MAX });
        }
        let mut due = Vec::new();
        while let Some(tick) = ticks.next_after(at).filter(|tick| *tick <= end) {
            due.push(tick);
            at = tick;
        }
        Ok((definition, due))
    }
}

/// Without pruning.
pub(crate) fn applying(definitions: Vec<ScheduleDefinition>, source: ScheduleSource) -> ApplySchedules {
    ApplySchedules { definitions, source, prune: false, dry_run: false, planner: planner(), decided_by: decided_by() }
}

fn by_hand(
    definition: &ScheduleDefinition,
    due_at: Timestamp,
    kind: TickKind,
    why: &str,
) -> Result<PlannedTick, ScheduleError> {
    let why = why.to_owned();
    TickPlanner::by_hand(definition, due_at, kind, why)
        .map_err(|cause| longshore_schedule::InvalidSchedule::Job { name: definition.name.clone(), cause }.into())
}

fn not_found(name: &str) -> ScheduleError {
    ScheduleError::NotFound { name: name.to_owned() }
}

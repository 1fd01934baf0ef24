use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use longshore_core::{
    Enqueued, JobId, PlanTicks, PlannedTick, ScheduleDefinition, ScheduleRow, SettledTick, Settling, Status, Tick,
    TickPlan, Timestamp, ValidJob,
};

use super::{schedule_row, ticks};
use crate::jobs::actions::cancel_in;
use crate::jobs::claim::hints::Changes;
use crate::jobs::enqueue::enqueue_within;
use crate::jobs::reading::selected::statuses;
use crate::session::apart::apart;
use crate::session::fault::Fault;
use crate::session::pool::Transaction;
use crate::store::Parts;
use crate::upkeep::counts::Counts;

/// Decides about locked schedules in a transaction.
pub(super) struct Settlement<'a> {
    pub(super) parts: &'a Parts,
    pub(super) transaction: &'a Transaction,
    pub(super) planner: &'a dyn PlanTicks,
    pub(super) decided_by: &'a str,
    pub(super) settling: Settling,
    pub(super) now: Timestamp,
}

/// What was decided about a schedule.
pub(super) struct Settled {
    pub(super) row: ScheduleRow,
    pub(super) ticks: Vec<SettledTick>,
    pub(super) warning: Option<String>,
}

/// A locked schedule and the decision about it.
struct Decision {
    row: ScheduleRow,
    open_job: Option<JobId>,
    plan: TickPlan,
}

/// How the jobs of decisions are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Making {
    /// All in as few statements as possible. One that is refused fails all.
    Together,
    /// Each in its own savepoint.
    Apart,
}

impl Settlement<'_> {
    /// Decides about these schedules. Only if the database refuses anything, each gets its own savepoint, and each of its
    /// jobs; then the error of one stops none of the others.
    pub(super) async fn settle(
        &self,
        rows: Vec<(ScheduleRow, ScheduleDefinition)>,
        changes: &mut Changes,
    ) -> Result<Vec<Result<Settled, (String, Arc<str>)>>, Fault> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let decisions = self.decide(rows).await?;
        let all: Vec<&Decision> = decisions.iter().collect();
        if let Ok((settled, news)) = apart(self.transaction, self.write(&all, Making::Together)).await? {
            changes.merge(news);
            return Ok(settled.into_iter().map(Ok).collect());
        }
        let mut answers = Vec::with_capacity(decisions.len());
        for decision in &decisions {
            match apart(self.transaction, self.write(&[decision], Making::Apart)).await? {
                Ok((settled, news)) => {
                    changes.merge(news);
                    answers.extend(settled.into_iter().map(Ok));
                }
                Err(fault) => answers.push(Err((decision.row.name.clone(), fault.reason()))),
            }
        }
        Ok(answers)
    }

    async fn decide(&self, rows: Vec<(ScheduleRow, ScheduleDefinition)>) -> Result<Vec<Decision>, Fault> {
        let known = statuses(self.transaction, rows.iter().filter_map(|(row, _)| row.last_job_id)).await?;
        let mut decided = Vec::with_capacity(rows.len());
        for (row, definition) in rows {
            let open_job = row.last_job_id.filter(|id| is_open(&known, *id));
            let due = row.due(definition, open_job);
            let plan = self.planner.plan(&due, self.now).in_manner(self.settling);
            let there = self.within_runs(&row.name, &plan).await?;
            let plan = plan.around(&there, &due.definition, self.planner);
            decided.push(Decision { row, open_job, plan });
        }
        Ok(decided)
    }

    /// The instants of the rows that are there already where the plan has a run. Only after a downtime or a pause is
    /// there one.
    async fn within_runs(&self, schedule: &str, plan: &TickPlan) -> Result<BTreeSet<Timestamp>, Fault> {
        let mut there = BTreeSet::new();
        for (first, last) in plan.runs() {
            there.extend(ticks::instants(self.transaction, schedule, &(first..=last)).await?);
        }
        Ok(there)
    }

    /// Writes cancellations, jobs, ticks and positions.
    async fn write(&self, decisions: &[&Decision], making: Making) -> Result<(Vec<Settled>, Changes), Fault> {
        let (mut counts, mut changes) = (Counts::default(), Changes::default());
        let mut cancelled: Vec<JobId> =
            decisions.iter().filter(|decision| decision.plan.cancel_open_job).filter_map(|one| one.open_job).collect();
        cancelled.sort_unstable();
        // Before the new jobs, so that a unique key of a cancelled one is free.
        cancel_in(self.transaction, &cancelled, &mut counts).await?;
        let new = self.new_ticks(decisions).await?;
        let jobs: Vec<&ValidJob> = new.iter().flatten().filter_map(|tick| tick.job.as_ref()).collect();
        let mut made = self.make(&jobs, making, &mut changes).await?.into_iter();
        let (mut settled, mut rows) = (Vec::new(), Vec::new());
        for (decision, new) in decisions.iter().zip(new) {
            let ticks: Vec<SettledTick> =
                new.into_iter().map(|tick| self.settled(&decision.row.name, tick, &mut made)).collect();
            rows.extend(
                ticks.iter().map(|one| Tick::decided(&one.schedule, &one.tick, one.job_id, self.decided_by, self.now)),
            );
            let mut row = decision.row.clone();
            row.settle(&decision.plan, ticks.iter().filter_map(|tick| tick.job_id).next_back());
            settled.push(Settled { row, ticks, warning: decision.plan.warning.clone() });
        }
        ticks::insert(self.transaction, &rows).await?;
        schedule_row::write_positions(self.transaction, settled.iter().map(|one| &one.row)).await?;
        changes.merge(std::mem::take(&mut counts.news));
        counts.flush(self.transaction).await?;
        Ok((settled, changes))
    }

    /// Of each decision the ticks that are not there yet: somebody may have asked for a run at that very instant.
    async fn new_ticks<'d>(&self, decisions: &[&'d Decision]) -> Result<Vec<Vec<&'d PlannedTick>>, Fault> {
        let wanted =
            decisions.iter().flat_map(|of| of.plan.ticks.iter().map(|tick| (of.row.name.as_str(), tick.due_at)));
        let there = ticks::existing(self.transaction, &wanted.collect::<Vec<_>>()).await?;
        let new = |of: &&'d Decision| {
            let is_new = |tick: &&PlannedTick| !there.contains(&(of.row.name.clone(), tick.due_at));
            of.plan.ticks.iter().filter(is_new).collect()
        };
        Ok(decisions.iter().map(new).collect())
    }

    async fn make(
        &self,
        jobs: &[&ValidJob],
        making: Making,
        changes: &mut Changes,
    ) -> Result<Vec<Result<Enqueued, Arc<str>>>, Fault> {
        if making == Making::Together {
            let (enqueued, news) = enqueue_within(self.parts, self.transaction, jobs).await?;
            changes.merge(news);
            return Ok(enqueued.into_iter().map(Ok).collect());
        }
        let mut made = Vec::with_capacity(jobs.len());
        for job in jobs {
            match Box::pin(apart(self.transaction, enqueue_within(self.parts, self.transaction, &[job]))).await? {
                Ok((enqueued, news)) => {
                    changes.merge(news);
                    made.extend(enqueued.into_iter().map(Ok));
                }
                Err(fault) => made.push(Err(fault.reason())),
            }
        }
        Ok(made)
    }

    /// A tick with what became of its job, which is the next one.
    fn settled(
        &self,
        schedule: &str,
        tick: &PlannedTick,
        made: &mut impl Iterator<Item = Result<Enqueued, Arc<str>>>,
    ) -> SettledTick {
        let tick = tick.clone();
        let made = tick.job.as_ref().and_then(|_| made.next());
        let (tick, job_id) = match made {
            None => (tick, None),
            Some(Ok(made)) if made.is_duplicate => (tick.joined(made.id), Some(made.id)),
            Some(Ok(made)) => (tick, Some(made.id)),
            Some(Err(reason)) => (tick.refused(&reason), None),
        };
        SettledTick { schedule: schedule.to_owned(), tick, job_id }
    }
}

pub(super) fn is_open(known: &HashMap<JobId, Status>, id: JobId) -> bool {
    known.get(&id).is_some_and(|status| !status.is_ended())
}

use std::collections::BTreeSet;

use longshore_core::{
    Action, ClaimNumber, DeadLetterCode, Filter, Filtered, JobId, Maintenance, Refusal, Status, Timestamp, WorkerId,
};
use postgres_types::Type;

use super::Sum;
use super::delete::delete;
use super::retry::{Retrying, retry_in_order};
use crate::instant::Instant;
use crate::jobs::state::children::{ParentEnd, tell_children};
use crate::jobs::state::place::{Place, Placed, put};
use crate::jobs::state::{Held, lock, remove};
use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::pool::Transaction;
use crate::session::sql::sql;
use crate::session::statements::{Parameter, Session};
use crate::store::Parts;
use crate::upkeep::counts::Counts;
use crate::upkeep::stats::now;

/// How often a step is repeated that the server took back because of others.
const CONFLICTS_MAX: u32 = 5;

/// One bounded step of an action.
#[derive(Clone, Copy)]
pub(crate) struct Step<'a> {
    /// Checked again, because a job may have changed since it was found. `None` if the jobs were listed by id.
    pub(crate) filter: Option<&'a Filter>,
    pub(crate) action: Action,
}

impl Step<'_> {
    /// Changes these jobs, which are in the order of their ids, in one transaction.
    pub(crate) async fn run(self, parts: &Parts, ids: Vec<JobId>) -> Result<Sum, Fault> {
        if ids.is_empty() {
            return Ok(Sum::default());
        }
        let mut conflicts = 0;
        loop {
            match self.attempt(parts, &ids).await {
                Err(fault) if fault.is_conflict() && conflicts < CONFLICTS_MAX => conflicts += 1,
                done => return done,
            }
        }
    }

    /// All of them together. Only if a row cannot be changed, each gets its own savepoint, so that only that row is
    /// refused.
    async fn attempt(self, parts: &Parts, ids: &[JobId]) -> Result<Sum, Fault> {
        let transaction = parts.pool.begin().await?;
        if matches!(self.action, Action::Delete | Action::Discard) {
            transaction.execute(sql!("actions/check_constraints_at_once"), &[]).await?;
        }
        let mut counts = Counts::default();
        transaction.client.batch_execute("SAVEPOINT step").await?;
        let done = self.change(&transaction, ids, &mut counts).await;
        let sum = match done {
            Err(fault) if fault.is_refusal() => {
                transaction.client.batch_execute("ROLLBACK TO SAVEPOINT step").await?;
                counts = Counts::default();
                self.change_one_by_one(&transaction, ids, &mut counts).await?
            }
            done => done?,
        };
        let news = std::mem::take(&mut counts.news);
        counts.flush(&transaction).await?;
        transaction.commit().await?;
        parts.claims.hints.give(news);
        Ok(sum)
    }

    async fn change_one_by_one(
        self,
        transaction: &Transaction,
        ids: &[JobId],
        counts: &mut Counts,
    ) -> Result<Sum, Fault> {
        let mut sum = Sum::default();
        for id in ids {
            if sum.revived.contains(id) {
                continue;
            }
            let mut of_one = Counts::default();
            transaction.client.batch_execute("SAVEPOINT job").await?;
            match self.change(transaction, &[*id], &mut of_one).await {
                Ok(one) => {
                    transaction.client.batch_execute("RELEASE SAVEPOINT job").await?;
                    counts.merge(of_one);
                    sum.add(one);
                }
                Err(fault) if fault.is_refusal() => {
                    transaction.client.batch_execute("ROLLBACK TO SAVEPOINT job").await?;
                    tracing::warn!(job_id = id.0, reason = %fault.reason(), "a constraint prevented the change of a job");
                    sum.refuse(Refusal::Constraint { id: *id });
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(sum)
    }

    /// In waves, because the change of a job may change the jobs that wait for it, which are judged after that.
    pub(super) async fn change(
        self,
        transaction: &Transaction,
        ids: &[JobId],
        counts: &mut Counts,
    ) -> Result<Sum, Fault> {
        let mut sum = Sum::default();
        let mut left = ids.to_vec();
        while !left.is_empty() {
            let locked = lock(transaction, &left).await?;
            let now = now(transaction).await?;
            left.clear();
            if self.filter.is_none() {
                locked.missing.into_iter().for_each(|id| sum.refuse(Refusal::NotFound { id }));
            }
            let meant = locked.held.into_iter().filter(|job| self.filter.is_none_or(|filter| is_meant(job, filter)));
            let (chosen, refused): (Vec<Held>, Vec<Held>) = meant.partition(|job| may(job.status, self.action));
            refused.iter().for_each(|job| sum.refuse(Refusal::WrongStatus { id: job.id, status: job.status }));
            match self.action {
                Action::Cancel => {
                    let (wave, later) = split(transaction, chosen).await?;
                    sum.actioned.touched += wave.len() as u64;
                    cancel(transaction, &wave, now, counts).await?;
                    left = later;
                }
                Action::Delete | Action::Discard => {
                    let (wave, later) = split(transaction, chosen).await?;
                    sum.actioned.touched += wave.len() as u64;
                    delete(transaction, &wave, now, counts).await?;
                    left = later;
                }
                Action::Retry | Action::RetryAlone | Action::RetryFromStart | Action::RetryAloneFromStart => {
                    let patience_until = now.after(Maintenance::PATIENCE);
                    let how = Retrying { action: self.action, patience_until, now };
                    retry_in_order(transaction, chosen, how, counts, &mut sum).await?;
                }
                Action::Reprioritise(priority) => {
                    sum.actioned.touched += chosen.len() as u64;
                    reprioritise(transaction, chosen, priority.0, now, counts).await?;
                }
            }
        }
        // A refused child of a retried job stands where that job does, which the sort keeps.
        if !self.action.revives_children() {
            sum.actioned.refused.sort_by_key(id_of);
        }
        Ok(sum)
    }
}

const fn id_of(refusal: &Refusal) -> JobId {
    match refusal {
        Refusal::NotFound { id }
        | Refusal::WrongStatus { id, .. }
        | Refusal::NotEditable { id, .. }
        | Refusal::TimeOfDeadLetter { id }
        | Refusal::UniqueKeyTaken { id, .. }
        | Refusal::Constraint { id } => *id,
    }
}

fn is_meant(job: &Held, filter: &Filter) -> bool {
    filter.matches(&Filtered {
        status: job.status,
        job_type: &job.job_type,
        queue: &job.queue,
        failure_type: job.failure_type.as_deref(),
        dead_letter_code: job.reason.as_deref().and_then(DeadLetterCode::of_reason),
    })
}

fn may(status: Status, action: Action) -> bool {
    match action {
        Action::Cancel | Action::Reprioritise(_) => !status.is_ended(),
        Action::Retry | Action::RetryAlone | Action::RetryFromStart | Action::RetryAloneFromStart => {
            status.is_retryable()
        }
        Action::Delete => status != Status::Running,
        Action::Discard => status == Status::DeadLetter,
    }
}

/// The jobs to change now, and those that wait for one of them, however far.
async fn split(session: &Session, chosen: Vec<Held>) -> Result<(Vec<Held>, Vec<JobId>), Fault> {
    let blocked: Vec<i64> = chosen.iter().filter(|job| job.status == Status::Blocked).map(|job| job.id.0).collect();
    if blocked.is_empty() || chosen.len() == 1 {
        return Ok((chosen, Vec::new()));
    }
    let all: Vec<i64> = chosen.iter().map(|job| job.id.0).collect();
    let parameters: [Parameter<'_>; 2] = [(&blocked, Type::INT8_ARRAY), (&all, Type::INT8_ARRAY)];
    let mut waiting = BTreeSet::new();
    for row in session.query(sql!("state/select_ancestors"), &parameters).await? {
        waiting.insert(JobId(row.try_get(0)?));
    }
    if waiting.len() == chosen.len() {
        // They wait for each other, which only another program can have written.
        waiting.pop_first();
    }
    let (later, wave): (Vec<Held>, Vec<Held>) = chosen.into_iter().partition(|job| waiting.contains(&job.id));
    Ok((wave, later.iter().map(|job| job.id).collect()))
}

async fn cancel(transaction: &Transaction, jobs: &[Held], now: Timestamp, counts: &mut Counts) -> Result<(), Fault> {
    let (running, waiting): (Vec<&Held>, Vec<&Held>) = jobs.iter().partition(|job| job.status == Status::Running);
    if !running.is_empty() {
        let ids: Vec<i64> = running.iter().map(|job| job.id.0).collect();
        let parameters: [Parameter<'_>; 2] = [(&ids, Type::INT8_ARRAY), (&Instant(now), Type::TIMESTAMPTZ)];
        for row in transaction.query(sql!("actions/ask_to_cancel_jobs"), &parameters).await? {
            let columns = &mut Columns::of(&row);
            let (id, claim_number) = (columns.id()?, ClaimNumber(columns.read()?));
            counts.news.add_cancellation(WorkerId::from_stored(columns.read()?), id, claim_number);
        }
    }
    remove(transaction, &waiting).await?;
    let placed: Vec<Placed<'_>> =
        waiting.iter().map(|job| Placed { job, place: Place::Cancelled { requested_at: now } }).collect();
    put(transaction, &placed, now, counts).await?;
    let parents = waiting.iter().map(|job| (job.id, ParentEnd::Ended(Status::Cancelled)));
    tell_children(transaction, parents, now, counts).await?;
    Ok(())
}

/// A waiting job gets a new row of its state, so that a claim that has read the old priority finds nothing to move.
async fn reprioritise(
    session: &Session,
    mut jobs: Vec<Held>,
    priority: i32,
    now: Timestamp,
    counts: &mut Counts,
) -> Result<(), Fault> {
    let ids: Vec<i64> = jobs.iter().map(|job| job.id.0).collect();
    session.execute(sql!("actions/reprioritise_jobs"), &[(&ids, Type::INT8_ARRAY), (&priority, Type::INT4)]).await?;
    jobs.retain(|job| job.status != Status::Running);
    remove(session, &jobs.iter().collect::<Vec<_>>()).await?;
    jobs.iter_mut().for_each(|job| job.priority = priority);
    let placed: Vec<Placed<'_>> = jobs.iter().map(|job| Placed { job, place: job.place(now) }).collect();
    put(session, &placed, now, counts).await?;
    Ok(())
}

use std::collections::BTreeMap;

use longshore_core::{Action, DependencyState, JobId, Maintenance, Status, Timestamp, is_given_up_for_dependency};
use postgres_types::Type;

use super::dependent::Change;
use crate::jobs::actions::Sum;
use crate::jobs::actions::retry::{Retrying, retry_in_order};
use crate::jobs::claim::hints::Changes;
use crate::jobs::state::children::{ParentEnd, move_or_give_up, tell_children, unblocked};
use crate::jobs::state::place::{Place, Placed};
use crate::jobs::state::{Held, lock};
use crate::session::apart::apart;
use crate::session::fault::Fault;
use crate::session::pool::Transaction;
use crate::session::sql::sql;
use crate::session::statements::{Parameter, Session};
use crate::upkeep::counts::Counts;

type ChangesOf = BTreeMap<JobId, BTreeMap<i32, Change>>;

/// What became of the jobs that wait.
#[derive(Debug, Default)]
pub(super) struct Moved {
    pub(super) moved: u64,
    pub(super) news: Changes,
}

/// Moves the jobs whose dependencies have changed: they may run, end, or wait again.
pub(super) async fn move_owners(
    transaction: &Transaction,
    changes: &ChangesOf,
    now: Timestamp,
) -> Result<Moved, Fault> {
    let ids: Vec<JobId> = changes.keys().copied().collect();
    let held = lock(transaction, &ids).await?.held;
    let mut states = States::default();
    let mut counts = Counts::default();
    let (mut placed, mut left, mut revived) = (Vec::new(), Vec::new(), Vec::new());
    for job in &held {
        let of = &changes[&job.id];
        let is_waiting = job.status == Status::Blocked && job.unmet.is_some();
        let given_up = of.iter().find(|(_, change)| is_waiting && matches!(change, Change::GivenUp { .. }));
        states.add(job.id, of);
        let over = of.values().filter(|change| matches!(change, Change::Over(_))).count();
        match given_up {
            Some((_, Change::GivenUp { status, reason })) => {
                let reason = reason.clone();
                let is_cancelled = *status == Status::Cancelled;
                let place = if is_cancelled { Place::Withdrawn { reason } } else { Place::DeadLetter { reason } };
                placed.push(Placed { job, place });
            }
            _ if is_waiting && over > 0 => {
                let unmet = job.unmet.unwrap_or_default() - i32::try_from(over).unwrap_or(i32::MAX);
                match unmet > 0 {
                    true => left.push((job.id.0, unmet)),
                    false => placed.push(Placed { job, place: unblocked(job, now) }),
                }
            }
            _ if is_to_be_revived(job, of) => revived.push(job.clone()),
            _ => {}
        }
    }
    states.write(transaction).await?;
    write_unmet(transaction, left).await?;
    let mut moved = place(transaction, placed, now, &mut counts).await?;
    moved += revive(transaction, revived, now, &mut counts).await?;
    let news = std::mem::take(&mut counts.news);
    counts.flush(transaction).await?;
    Ok(Moved { moved, news })
}

fn is_to_be_revived(job: &Held, changes: &BTreeMap<i32, Change>) -> bool {
    job.status.is_ended()
        && job.reason.as_deref().is_some_and(is_given_up_for_dependency)
        && changes.values().any(|change| *change == Change::Revived)
}

/// The new states of dependencies, as columns.
#[derive(Debug, Default)]
struct States {
    ids: Vec<i64>,
    positions: Vec<i32>,
    states: Vec<&'static str>,
}

impl States {
    fn add(&mut self, id: JobId, changes: &BTreeMap<i32, Change>) {
        for (position, change) in changes {
            let state = match change {
                Change::Over(state) => *state,
                Change::GivenUp { .. } => DependencyState::Failed,
                Change::WaitsOn => DependencyState::Waiting,
                Change::Revived => continue,
            };
            self.ids.push(id.0);
            self.positions.push(*position);
            self.states.push(state.as_str());
        }
    }

    async fn write(&self, session: &Session) -> Result<(), Fault> {
        if self.ids.is_empty() {
            return Ok(());
        }
        let parameters: [Parameter<'_>; 3] =
            [(&self.ids, Type::INT8_ARRAY), (&self.positions, Type::INT4_ARRAY), (&self.states, Type::TEXT_ARRAY)];
        session.execute(sql!("workflows/update_dependencies"), &parameters).await?;
        Ok(())
    }
}

async fn write_unmet(session: &Session, unmet: Vec<(i64, i32)>) -> Result<(), Fault> {
    if unmet.is_empty() {
        return Ok(());
    }
    let (ids, unmet): (Vec<i64>, Vec<i32>) = unmet.into_iter().unzip();
    let parameters: [Parameter<'_>; 2] = [(&ids, Type::INT8_ARRAY), (&unmet, Type::INT4_ARRAY)];
    session.execute(sql!("workflows/update_unmet"), &parameters).await?;
    Ok(())
}

/// One that the database refuses stays as it is, and keeps none of the others.
async fn place(
    transaction: &Transaction,
    mut placed: Vec<Placed<'_>>,
    now: Timestamp,
    counts: &mut Counts,
) -> Result<u64, Fault> {
    if placed.is_empty() {
        return Ok(0);
    }
    let mut together = Counts::default();
    if let Ok(()) = apart(transaction, place_together(transaction, &mut placed, now, &mut together)).await? {
        counts.merge(together);
        return Ok(placed.len() as u64);
    }
    let mut moved = 0;
    for one in &mut placed {
        let mut of_one = Counts::default();
        let id = one.job.id;
        match apart(transaction, place_together(transaction, std::slice::from_mut(one), now, &mut of_one)).await? {
            Ok(()) => {
                counts.merge(of_one);
                moved += 1;
            }
            Err(fault) => {
                tracing::error!(job_id = id.0, reason = %fault.reason(), "a job whose dependencies have ended cannot be moved");
            }
        }
    }
    Ok(moved)
}

async fn place_together(
    transaction: &Transaction,
    placed: &mut [Placed<'_>],
    now: Timestamp,
    counts: &mut Counts,
) -> Result<(), Fault> {
    move_or_give_up(transaction, placed, now, counts).await?;
    let ended = placed.iter().filter(|placed| placed.place.status().is_ended());
    let parents: Vec<_> = ended.map(|placed| (placed.job.id, ParentEnd::Ended(placed.place.status()))).collect();
    tell_children(transaction, parents, now, counts).await
}

/// Retries jobs that were given up because of what may be met after all.
async fn revive(transaction: &Transaction, jobs: Vec<Held>, now: Timestamp, counts: &mut Counts) -> Result<u64, Fault> {
    if jobs.is_empty() {
        return Ok(0);
    }
    let mut sum = Sum::default();
    let mut revived = Counts::default();
    let retried = apart(transaction, async {
        let how = Retrying { action: Action::Retry, patience_until: now.after(Maintenance::PATIENCE), now };
        retry_in_order(transaction, jobs, how, &mut revived, &mut sum).await?;
        Ok(())
    });
    match retried.await? {
        Ok(()) => {
            counts.merge(revived);
            Ok(sum.actioned.touched)
        }
        Err(fault) => {
            tracing::error!(reason = %fault.reason(), "jobs that wait for a retried one cannot be retried");
            Ok(0)
        }
    }
}

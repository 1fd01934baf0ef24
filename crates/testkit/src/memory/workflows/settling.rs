use std::collections::BTreeSet;

use longshore_core::{
    Action, AwaitedState, BatchId, BatchRole, DeadLetterCode, DeadLetterReason, DependencySettled, DependencyState,
    JobId, Maintenance, Status, Timestamp, counted_status, is_given_up_for_dependency, is_judged_again, job_failed,
    settle_dependency, signal_missed,
};

use crate::memory::state::State;
use crate::memory::workflows::{Member, Target, Wait};

/// Whether timeouts that have passed count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::memory) enum Timeouts {
    Count,
    Later,
}

impl State {
    /// What follows from the last call, until nothing follows any more. Returns how many dependencies and batches moved.
    pub(in crate::memory) fn settle_workflows(&mut self, timeouts: Timeouts, now: Timestamp) -> u64 {
        let mut moved = 0;
        loop {
            let round = self.revive(now) + self.count_members(now) + self.settle_waits(timeouts, now);
            if round == 0 {
                return moved;
            }
            moved += round;
        }
    }

    pub(super) fn advance_workflows(&mut self, now: Timestamp) -> u64 {
        self.settle_workflows(Timeouts::Count, now)
    }

    /// A retried job waits again for what had failed, and for ends that may have been taken back.
    pub(in crate::memory) fn wait_again(&mut self, id: JobId, now: Timestamp) {
        let Some(mut waits) = self.flows.waits.remove(&id) else { return };
        for wait in &mut waits {
            if !is_judged_again(wait.state, wait.needs, matches!(wait.target, Target::Signal(..))) {
                continue;
            }
            wait.state = DependencyState::Waiting;
            wait.timeout_at = match wait.target {
                Target::Signal(..) => wait.timeout.map(|timeout| now.after(timeout)),
                // What it waits for may be retried next.
                _ if self.awaited(wait) == AwaitedState::Open => None,
                _ => Some(now.after(Maintenance::PATIENCE)),
            };
        }
        self.flows.waits.insert(id, waits);
    }

    fn revive(&mut self, now: Timestamp) -> u64 {
        let mut revived = 0;
        for target in std::mem::take(&mut self.flows.reviving) {
            for id in self.given_up_for(&target) {
                if self.may_be_revived(id, &target) && self.revive_one(id, now) {
                    self.flows.reviving.insert(Target::Job(id));
                    revived += 1;
                }
            }
        }
        revived
    }

    fn given_up_for(&self, target: &Target) -> Vec<JobId> {
        let is_failed = |wait: &Wait| wait.target == *target && wait.state == DependencyState::Failed;
        let waiting = self.flows.waits.iter().filter(|(_, waits)| waits.iter().any(is_failed)).map(|(id, _)| *id);
        waiting.filter(|id| self.is_given_up_for_dependency(*id)).collect()
    }

    fn is_given_up_for_dependency(&self, id: JobId) -> bool {
        let reason = self.rows.get(&id).and_then(|row| row.job.dead_letter_reason.as_deref());
        reason.is_some_and(is_given_up_for_dependency)
    }

    /// What was retried may have ended again meanwhile, as it needs or not.
    fn may_be_revived(&self, id: JobId, target: &Target) -> bool {
        let waits = self.flows.waits[&id].iter().filter(|wait| wait.target == *target);
        let mut failed = waits.filter(|wait| wait.state == DependencyState::Failed);
        failed.any(|wait| {
            let settled = settle_dependency(wait.needs, wait.otherwise, self.awaited(wait));
            !matches!(settled, DependencySettled::GivenUp(_))
        })
    }

    fn revive_one(&mut self, id: JobId, now: Timestamp) -> bool {
        if self.retry(id, Action::Retry, now).is_err() {
            return false;
        }
        self.revive_children(id, Action::Retry, now, &mut BTreeSet::new(), &mut Vec::new());
        true
    }

    /// Counts each member as it stands now, and judges the batches.
    fn count_members(&mut self, now: Timestamp) -> u64 {
        let ids: Vec<JobId> = self.flows.members.keys().copied().collect();
        let mut touched = BTreeSet::new();
        for id in ids {
            let member = self.flows.members[&id].clone();
            let status = self.rows.get(&id).map(|row| row.job.status);
            let counted = self.count_member(&member, status);
            if counted != member.counted {
                touched.extend(member.batch);
            }
            self.flows.members.get_mut(&id).expect("it was there").counted = counted;
        }
        touched.extend(self.flows.batches.keys().copied());
        touched.into_iter().filter(|batch| self.judge(*batch, now)).count() as u64
    }

    /// Moves a member in the counts of its batch. Returns what they hold of it now.
    pub(super) fn count_member(&mut self, member: &Member, status: Option<Status>) -> Option<Status> {
        let counted = counted_status(member.counted, status);
        if member.role == BatchRole::Member
            && let Some(batch) = member.batch.and_then(|batch| self.flows.batches.get_mut(&batch))
        {
            batch.counts.move_member(member.counted, counted);
        }
        counted
    }

    fn judge(&mut self, id: BatchId, now: Timestamp) -> bool {
        let batch = self.flows.batches.get_mut(&id).expect("it is there");
        match (batch.ended_at, batch.status().is_ended()) {
            (None, true) => batch.ended_at = Some(now),
            (Some(_), false) => {
                batch.ended_at = None;
                self.flows.reviving.insert(Target::Batch(id));
            }
            _ => return false,
        }
        true
    }

    fn settle_waits(&mut self, timeouts: Timeouts, now: Timestamp) -> u64 {
        let ids: Vec<JobId> = self.flows.waits.keys().copied().collect();
        ids.into_iter().map(|id| self.settle_waits_of(id, timeouts, now)).sum()
    }

    fn settle_waits_of(&mut self, id: JobId, timeouts: Timeouts, now: Timestamp) -> u64 {
        let mut moved = 0;
        for place in 0..self.flows.waits[&id].len() {
            let wait = self.flows.waits[&id][place].clone();
            if wait.state != DependencyState::Waiting {
                continue;
            }
            let is_over_time = timeouts == Timeouts::Count && wait.timeout_at.is_some_and(|at| at <= now);
            let mut awaited = self.awaited(&wait);
            if matches!(wait.target, Target::Signal(..)) && awaited == AwaitedState::Open && is_over_time {
                awaited = AwaitedState::Failed;
            }
            let settled = settle_dependency(wait.needs, wait.otherwise, awaited);
            let is_patient = !matches!(wait.target, Target::Signal(..)) && wait.timeout_at.is_some();
            let state = match settled {
                DependencySettled::Waits => {
                    // Its time has passed, or the retry that it waited for has come.
                    if is_over_time || is_patient {
                        self.flows.waits.get_mut(&id).expect("it was there")[place].timeout_at = None;
                    }
                    continue;
                }
                DependencySettled::GivenUp(_) if is_patient && !is_over_time => continue,
                DependencySettled::GivenUp(_) => DependencyState::Failed,
                DependencySettled::Over(state) => state,
            };
            moved += 1;
            let kept = &mut self.flows.waits.get_mut(&id).expect("it was there")[place];
            (kept.state, kept.timeout_at) = (state, None);
            if let DependencySettled::GivenUp(status) = settled {
                self.give_up(id, status, &wait, now);
            }
        }
        if moved > 0 && !self.is_held_back(id) {
            self.release(id, now);
        }
        moved
    }

    fn give_up(&mut self, id: JobId, status: Status, wait: &Wait, now: Timestamp) {
        if self.rows[&id].job.status != Status::Blocked {
            return;
        }
        let reason = match wait.target {
            Target::Job(job) => job_failed(job, self.rows.get(&job).map(|row| row.job.status)).to_string(),
            Target::Batch(batch) => {
                let status = self.flows.batches.get(&batch).map(super::Batch::status);
                DeadLetterReason::BatchEnded { batch, status }.to_string()
            }
            Target::Signal(batch, ref name) => signal_missed(batch, name),
        };
        let code = DeadLetterCode::DependencyFailed;
        if status == Status::DeadLetter {
            self.bury_because(id, reason, code, now);
            return;
        }
        let job = &mut self.row(id).job;
        job.dead_letter_reason = Some(reason);
        job.dead_letter_code = Some(code);
        let queue = job.queue.clone();
        self.counts(now, &queue).cancelled += 1;
        self.cancel(id, now);
    }

    fn release(&mut self, id: JobId, now: Timestamp) {
        if self.rows[&id].job.status != Status::Blocked || self.bury_if_refused(id, Status::Pending, now) {
            return;
        }
        let row = self.row(id);
        let due = row.due.filter(|instant| *instant > now);
        row.wait(due, now);
    }

    fn awaited(&self, wait: &Wait) -> AwaitedState {
        match &wait.target {
            Target::Job(job) => AwaitedState::of_job(self.rows.get(job).map(|row| row.job.status)),
            Target::Batch(batch) => {
                let batch = self.flows.batches.get(batch);
                // One that is not judged yet may still change.
                AwaitedState::of_batch(batch.map(|batch| match batch.ended_at {
                    Some(_) => batch.status(),
                    None => longshore_core::BatchStatus::Running,
                }))
            }
            Target::Signal(batch, name) => match self.flows.signals.contains_key(&(*batch, name.clone())) {
                true => AwaitedState::Completed,
                false => AwaitedState::Open,
            },
        }
    }
}

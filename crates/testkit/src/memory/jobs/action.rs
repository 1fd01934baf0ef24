use std::collections::BTreeSet;

use longshore_core::{Action, Actioned, DeadLetterReason, JobId, Refusal, Selection, Status, Timestamp};

use crate::memory::state::State;

/// How many refused jobs of a filter are reported one by one.
const REFUSED_MAX: usize = 100;

impl State {
    /// Visits the jobs in the order of their ids, so that of two with the same unique key the older is retried.
    pub(in crate::memory) fn act(&mut self, selection: &Selection, action: Action, now: Timestamp) -> Actioned {
        let mut actioned = Actioned::default();
        let mut revived = BTreeSet::new();
        for id in self.visited(selection) {
            // An earlier change of this action may have changed its children too. Jobs that no longer match are
            // skipped.
            if revived.contains(&id) || !self.is_still_meant(id, selection) {
                continue;
            }
            match self.move_job(id, action, now) {
                Ok(()) => actioned.touched += 1,
                Err(refusal) => {
                    actioned.refused.push(refusal);
                    continue;
                }
            }
            if action.revives_children() {
                self.revive_dependents(id);
                self.revive_children(id, action, now, &mut revived, &mut actioned.refused);
            }
        }
        actioned.touched += revived.len() as u64;
        if matches!(selection, Selection::Matching(_)) {
            actioned.refused.truncate(REFUSED_MAX);
        }
        actioned
    }

    fn move_job(&mut self, id: JobId, action: Action, now: Timestamp) -> Result<(), Refusal> {
        let Some(row) = self.rows.get_mut(&id) else { return Err(Refusal::NotFound { id }) };
        let status = row.job.status;
        if !is_move_from(status, action) {
            return Err(Refusal::WrongStatus { id, status });
        }
        match action {
            Action::Cancel => self.ask_to_cancel(id, now),
            Action::Retry | Action::RetryAlone | Action::RetryFromStart | Action::RetryAloneFromStart => {
                self.retry(id, action, now)?;
            }
            Action::Delete | Action::Discard => self.remove(id, now),
            Action::Reprioritise(priority) => row.job.priority = priority,
        }
        Ok(())
    }

    pub(in crate::memory) fn ask_to_cancel(&mut self, id: JobId, now: Timestamp) {
        let row = self.row(id);
        row.job.cancel_requested_at = row.job.cancel_requested_at.or(Some(now));
        if row.job.status != Status::Running {
            let queue = row.job.queue.clone();
            self.counts(now, &queue).cancelled += 1;
            self.cancel(id, now);
        }
    }

    /// Ends a job as `cancelled`, whether it waited or ran.
    pub(in crate::memory) fn cancel(&mut self, id: JobId, at: Timestamp) {
        let row = self.row(id);
        row.job.status = Status::Cancelled;
        row.job.completed_at = Some(at);
        row.job.next_retry_at = None;
        row.due = None;
        self.tell_children(id, at);
    }

    pub(in crate::memory) fn retry(&mut self, id: JobId, action: Action, now: Timestamp) -> Result<(), Refusal> {
        let key = self.row(id).job.unique_key.clone();
        let holders = key.map(|key| self.holders(&key)).unwrap_or_default();
        if let Some(by) = holders.iter().map(|row| row.job.id).find(|by| *by != id) {
            return Err(Refusal::UniqueKeyTaken { id, by });
        }
        let row = self.row(id);
        // A success gets its row in the history only when the job's own row no longer describes it.
        if let Some(attempt) = row.current_attempt() {
            row.attempts.insert(attempt.claim_number, attempt);
        }
        let job = &mut row.job;
        job.completed_at = None;
        job.dead_letter_reason = None;
        job.dead_letter_code = None;
        job.moved_to_dead_letter_at = None;
        job.cancel_requested_at = None;
        job.result = None;
        job.progress = None;
        job.progress_message = None;
        job.retry_count = 0;
        job.crash_count = 0;
        job.deferral_count = 0;
        job.expires_at = job.expires_at.filter(|at| *at > now);
        job.deadline_at = job.deadline_at.filter(|at| *at > now);
        row.lapsed = None;
        if action.forgets_checkpoints() {
            row.checkpoints.clear();
        }
        row.wait(None, now);
        self.wait_again(id, now);
        if self.waits_for_parent(id) || self.is_held_back(id) {
            self.row(id).job.status = Status::Blocked;
        }
        Ok(())
    }

    /// A deleted parent no longer counts as a parent.
    fn waits_for_parent(&self, id: JobId) -> bool {
        let parent = self.rows[&id].job.parent_job_id;
        parent.and_then(|parent| self.rows.get(&parent)).is_some_and(|row| row.job.status != Status::Completed)
    }

    /// Revives the children that became dead letters because this job did not complete.
    pub(in crate::memory) fn revive_children(
        &mut self,
        parent: JobId,
        action: Action,
        now: Timestamp,
        revived: &mut BTreeSet<JobId>,
        refused: &mut Vec<Refusal>,
    ) {
        let mut parents = vec![parent];
        while let Some(parent) = parents.pop() {
            for child in self.given_up_with(parent) {
                match self.retry(child, action, now) {
                    Ok(()) => {
                        self.revive_dependents(child);
                        revived.insert(child);
                        parents.push(child);
                    }
                    Err(refusal) => refused.push(refusal),
                }
            }
        }
    }

    fn given_up_with(&self, parent: JobId) -> Vec<JobId> {
        let reasons = Status::ALL.map(|status| Some(DeadLetterReason::ParentEnded { parent, status }.to_string()));
        let is_given_up = |job: &longshore_core::Job| {
            job.status == Status::DeadLetter
                && job.parent_job_id == Some(parent)
                && reasons.contains(&job.dead_letter_reason)
        };
        self.rows.values().filter(|row| is_given_up(&row.job)).map(|row| row.job.id).collect()
    }
}

fn is_move_from(status: Status, action: Action) -> bool {
    match action {
        Action::Cancel | Action::Reprioritise(_) => !status.is_ended(),
        Action::Retry | Action::RetryAlone | Action::RetryFromStart | Action::RetryAloneFromStart => {
            status.is_retryable()
        }
        Action::Delete => status != Status::Running,
        Action::Discard => status == Status::DeadLetter,
    }
}

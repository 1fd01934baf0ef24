use longshore_core::{DeadLetterReason, JobId, Maintenance, Status, Timestamp};

use super::state::State;

impl State {
    /// A new job with a parent waits for it, unless the parent has ended already.
    pub(super) fn await_parent(&mut self, id: JobId, now: Timestamp) {
        let Some(parent) = self.row(id).job.parent_job_id else { return };
        match self.rows[&parent].job.status {
            Status::Completed => {}
            status if status.is_ended() => self.bury(id, DeadLetterReason::ParentEnded { parent, status }, now),
            _ => self.row(id).job.status = Status::Blocked,
        }
    }

    /// Moves the children of a job that has just ended: they may run, or they never will.
    pub(super) fn tell_children(&mut self, parent: JobId, now: Timestamp) {
        let status = self.rows[&parent].job.status;
        for child in self.blocked_children(parent) {
            if status == Status::Completed {
                let row = self.row(child);
                let due = row.due.filter(|instant| *instant > now);
                row.wait(due, now);
            } else {
                self.bury(child, DeadLetterReason::ParentEnded { parent, status }, now);
            }
        }
    }

    /// Removes a job that does not run. Those that waited for it never will; others forget it.
    pub(super) fn remove(&mut self, id: JobId, now: Timestamp) {
        for child in self.blocked_children(id) {
            self.bury(child, DeadLetterReason::ParentDeleted { parent: id }, now);
        }
        self.rows.remove(&id);
        for row in self.rows.values_mut() {
            row.job.parent_job_id = row.job.parent_job_id.filter(|parent| *parent != id);
        }
    }

    /// Gives a job up, and with it all that waits for it.
    pub(super) fn bury(&mut self, id: JobId, reason: DeadLetterReason, at: Timestamp) {
        let row = self.row(id);
        row.job.status = Status::DeadLetter;
        row.job.dead_letter_reason = Some(reason.to_string());
        row.job.dead_letter_code = Some(reason.code());
        row.job.moved_to_dead_letter_at = Some(at);
        row.job.completed_at = Some(at);
        row.job.next_retry_at = None;
        row.due = None;
        if let DeadLetterReason::CrashesSpent { crashes } = reason {
            row.job.crash_count = crashes;
        }
        let queue = row.job.queue.clone();
        self.counts(at, &queue).failed += 1;
        self.tell_children(id, at);
    }

    /// Gives up what has waited too long for a job that has ended without completing, which is how a job stands
    /// that was retried without its parent; says how many those were.
    pub(super) fn settle(&mut self, now: Timestamp) -> u64 {
        let mut stuck = self.stuck();
        stuck.retain(|(child, _, _)| now.since(self.rows[child].job.run_at) >= Maintenance::PATIENCE);
        for (child, parent, status) in &stuck {
            // The burial of one may have taken another one along.
            if self.rows[child].job.status == Status::Blocked {
                self.bury(*child, DeadLetterReason::ParentEnded { parent: *parent, status: *status }, now);
            }
        }
        stuck.len() as u64
    }

    /// The jobs that wait for one that has ended without completing, by id, with that one and how it ended.
    pub(super) fn stuck(&self) -> Vec<(JobId, JobId, Status)> {
        let ended = |job: &longshore_core::Job| {
            let parent = self.rows.get(&job.parent_job_id?)?;
            let status = parent.job.status;
            (job.status == Status::Blocked && status.is_ended()).then_some((job.id, parent.job.id, status))
        };
        self.rows.values().filter_map(|row| ended(&row.job)).collect()
    }

    fn blocked_children(&self, parent: JobId) -> Vec<JobId> {
        let waits = |job: &longshore_core::Job| job.status == Status::Blocked && job.parent_job_id == Some(parent);
        self.rows.values().filter(|row| waits(&row.job)).map(|row| row.job.id).collect()
    }
}

use longshore_core::{DeadLetterCode, DeadLetterReason, JobId, Maintenance, Status, Timestamp, UnusableRow};

use crate::memory::state::State;

impl State {
    /// Makes a new job wait for its parent, unless the parent has ended.
    pub(in crate::memory) fn await_parent(&mut self, id: JobId, now: Timestamp) {
        let Some(parent) = self.row(id).job.parent_job_id else { return };
        match self.rows[&parent].job.status {
            Status::Completed => {}
            status if status.is_ended() => self.bury(id, DeadLetterReason::ParentEnded { parent, status }, now),
            _ => self.row(id).job.status = Status::Blocked,
        }
    }

    /// Updates the children of a job that has just ended: they become runnable, or dead letters.
    pub(in crate::memory) fn tell_children(&mut self, parent: JobId, now: Timestamp) {
        let status = self.rows[&parent].job.status;
        for child in self.blocked_children(parent) {
            if status == Status::Completed {
                if self.bury_if_refused(child, Status::Pending, now) {
                    continue;
                }
                let row = self.row(child);
                let due = row.due.filter(|instant| *instant > now);
                row.wait(due, now);
            } else {
                self.bury(child, DeadLetterReason::ParentEnded { parent, status }, now);
            }
        }
    }

    /// Deletes a job that is not running. Jobs that waited for it become dead letters; other children forget it.
    pub(in crate::memory) fn remove(&mut self, id: JobId, now: Timestamp) {
        for child in self.blocked_children(id) {
            self.bury(child, DeadLetterReason::ParentDeleted { parent: id }, now);
        }
        self.rows.remove(&id);
        self.forget_in_workflows(id);
        for row in self.rows.values_mut() {
            row.job.parent_job_id = row.job.parent_job_id.filter(|parent| *parent != id);
        }
    }

    /// Makes a job a dead letter, with all jobs that wait for it.
    pub(in crate::memory) fn bury(&mut self, id: JobId, reason: DeadLetterReason, at: Timestamp) {
        if let DeadLetterReason::CrashesSpent { crashes } = reason {
            self.row(id).job.crash_count = crashes;
        }
        self.bury_because(id, reason.to_string(), reason.code(), at);
    }

    /// The same with the reason in words.
    pub(in crate::memory) fn bury_because(&mut self, id: JobId, reason: String, code: DeadLetterCode, at: Timestamp) {
        let row = self.row(id);
        row.job.status = Status::DeadLetter;
        row.job.dead_letter_reason = Some(reason);
        row.job.dead_letter_code = Some(code);
        row.job.moved_to_dead_letter_at = Some(at);
        row.job.completed_at = Some(at);
        row.job.next_retry_at = None;
        row.due = None;
        let queue = row.job.queue.clone();
        self.counts(at, &queue).failed += 1;
        self.tell_children(id, at);
    }

    /// Gives a job up that the database does not let into this state. Says whether it did.
    pub(in crate::memory) fn bury_if_refused(&mut self, id: JobId, status: Status, now: Timestamp) -> bool {
        let is_refused = self.refuses(id, status);
        if is_refused {
            self.bury(id, DeadLetterReason::UnusableRow(UnusableRow::Constraint), now);
        }
        is_refused
    }

    /// Whether the database does not let the job into this state.
    pub(in crate::memory) fn refuses(&self, id: JobId, status: Status) -> bool {
        self.refused.get(&id).is_some_and(|refused| refused.contains(&status))
    }

    /// Gives up jobs that have waited too long for a job that ended without completing, as after a retry without the
    /// parent. Returns their number.
    pub(in crate::memory) fn settle(&mut self, now: Timestamp) -> u64 {
        let mut stuck = self.stuck();
        stuck.retain(|(child, _, _)| now.since(self.rows[child].ready_at) >= Maintenance::PATIENCE);
        for (child, parent, status) in &stuck {
            // Ending one job may have ended a later one too.
            if self.rows[child].job.status == Status::Blocked {
                self.bury(*child, DeadLetterReason::ParentEnded { parent: *parent, status: *status }, now);
            }
        }
        stuck.len() as u64
    }

    /// The jobs that wait for a job that ended without completing, by id, with that job and its status.
    pub(in crate::memory) fn stuck(&self) -> Vec<(JobId, JobId, Status)> {
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

use longshore_core::{JobId, Overdue, Timestamp};

use crate::memory::state::State;

impl State {
    /// Ends waiting jobs whose expiry or deadline has passed, in the order of those times. Returns their number.
    pub(in crate::memory) fn end_overdue(&mut self, now: Timestamp) -> u64 {
        let mut waiting: Vec<(Option<Timestamp>, JobId)> = self
            .rows
            .values()
            .filter(|row| row.is_overdue(now))
            .map(|row| (row.job.expires_at.into_iter().chain(row.job.deadline_at).min(), row.job.id))
            .collect();
        waiting.sort();
        // Ending one job may have ended a later one too.
        waiting.into_iter().filter(|(_, id)| self.end_if_overdue(*id, now)).count() as u64
    }

    /// Ends a waiting job if its expiry or deadline has passed.
    pub(in crate::memory) fn end_if_overdue(&mut self, id: JobId, now: Timestamp) -> bool {
        let row = self.row(id);
        let Some(overdue) = row.budgets().time.overdue_at(now).filter(|_| row.is_overdue(now)) else { return false };
        match overdue {
            Overdue::Expired(_) => {
                let queue = row.job.queue.clone();
                self.counts(now, &queue).cancelled += 1;
                self.expire(id, overdue, now);
            }
            Overdue::DeadlinePassed(_) => self.bury(id, overdue.reason(), now),
        }
        true
    }

    /// Ends a job as `cancelled` with the reason, whether it waited or ran.
    pub(in crate::memory) fn expire(&mut self, id: JobId, overdue: Overdue, at: Timestamp) {
        let job = &mut self.row(id).job;
        job.dead_letter_reason = Some(overdue.reason().to_string());
        job.dead_letter_code = Some(overdue.reason().code());
        self.cancel(id, at);
    }
}

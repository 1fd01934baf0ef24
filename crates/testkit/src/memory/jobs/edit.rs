use longshore_core::{Actioned, JobEdit, JobId, Refusal, Status, StoreError};

use crate::memory::Moment;
use crate::memory::state::State;

impl State {
    pub(in crate::memory) fn edit(&mut self, id: JobId, edit: JobEdit, moment: Moment) -> Result<Actioned, StoreError> {
        edit.validate(&self.limits)?;
        if let Some(refusal) = self.refusal(id, &edit) {
            return Ok(Actioned { touched: 0, refused: vec![refusal] });
        }
        let row = self.row(id);
        let job = &mut row.job;
        job.job_type = edit.job_type.unwrap_or_else(|| job.job_type.clone());
        job.job_data = edit.job_data.unwrap_or_else(|| job.job_data.clone());
        job.queue = edit.queue.unwrap_or_else(|| job.queue.clone());
        let queue = job.queue.clone();
        row.become_news();
        if let Some(due) = edit.due {
            row.move_due(due, moment.now);
        }
        self.queues.entry(queue).or_default();
        Ok(Actioned { touched: 1, refused: Vec::new() })
    }

    fn refusal(&self, id: JobId, edit: &JobEdit) -> Option<Refusal> {
        let Some(row) = self.rows.get(&id) else { return Some(Refusal::NotFound { id }) };
        match row.job.status {
            Status::Pending | Status::Retrying | Status::Blocked => None,
            Status::DeadLetter => edit.due.map(|_| Refusal::TimeOfDeadLetter { id }),
            status @ (Status::Running | Status::Completed | Status::Cancelled) => {
                Some(Refusal::NotEditable { id, status })
            }
        }
    }
}

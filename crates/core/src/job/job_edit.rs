use crate::job::new_job::{NAME_BYTES_MAX, check_due, check_name};
use crate::{Due, InvalidJob, JobData, Limits};

/// Changes to one job that is not running. `None` means no change.
///
/// The job keeps its id, history, unique key and parent. A dead letter stays a dead letter, and has no time to run at.
/// [`Action::Retry`](crate::Action::Retry) makes it ready at once, with its new payload.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JobEdit {
    /// The new job type; it selects the handler.
    pub job_type: Option<String>,
    /// The new payload.
    pub job_data: Option<JobData>,
    /// The new queue.
    pub queue: Option<String>,
    /// The new time to run at. A retrying job becomes `pending` when that time has come.
    pub due: Option<Due>,
}

impl JobEdit {
    /// An edit without changes. Set the fields, or call the methods with their names.
    pub fn new() -> Self {
        Self::default()
    }

    /// Changes the job type.
    #[must_use]
    pub fn job_type(mut self, job_type: impl Into<String>) -> Self {
        self.job_type = Some(job_type.into());
        self
    }

    /// Replaces the payload.
    #[must_use]
    pub fn job_data(mut self, job_data: JobData) -> Self {
        self.job_data = Some(job_data);
        self
    }

    /// Moves it into another queue.
    #[must_use]
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.queue = Some(queue.into());
        self
    }

    /// Changes when it may run.
    #[must_use]
    pub fn due(mut self, due: Due) -> Self {
        self.due = Some(due);
        self
    }

    /// Checks the changes against the rules for new jobs.
    pub fn validate(&self, limits: &Limits) -> Result<(), InvalidJob> {
        if *self == Self::default() {
            return Err(InvalidJob::NothingToChange);
        }
        if let Some(job_type) = &self.job_type {
            check_name("job type", job_type, NAME_BYTES_MAX)?;
        }
        if let Some(queue) = &self.queue {
            InvalidJob::check_queue(queue)?;
        }
        if let Some(job_data) = &self.job_data {
            limits.check("payload", job_data)?;
        }
        self.due.map_or(Ok(()), check_due)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_edit_is_held_to_what_a_new_job_may_be() {
        let limits = Limits { payload_bytes_max: 4 };
        let edit = JobEdit::new;
        assert_eq!(edit().validate(&limits), Err(InvalidJob::NothingToChange));
        assert!(matches!(edit().job_type("").validate(&limits), Err(InvalidJob::Name { what: "job type", .. })));
        assert!(matches!(edit().queue("a\n").validate(&limits), Err(InvalidJob::Name { what: "queue name", .. })));
        let long = edit().job_data(JobData::parse("12345").unwrap());
        assert!(matches!(long.validate(&limits), Err(InvalidJob::TooLarge { .. })));
        let late = edit().due(Due::After(Duration::MAX));
        assert!(matches!(late.validate(&limits), Err(InvalidJob::Span { .. })));
        assert_eq!(edit().queue("q").due(Due::Now).validate(&limits), Ok(()));
    }
}

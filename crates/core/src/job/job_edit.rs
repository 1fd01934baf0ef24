use crate::job::new_job::{NAME_BYTES_MAX, check_due, check_name};
use crate::{Due, InvalidJob, JobData, Limits};

/// Changes to one job that does not run; what is `None` stays as it is.
///
/// A job keeps its id, its history, its unique key and its parent. A dead letter stays one, and has no time to run at:
/// [`Action::Retry`](crate::Action::Retry) makes it ready at once, with its new payload.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JobEdit {
    /// Which handler runs it.
    pub job_type: Option<String>,
    /// The payload.
    pub job_data: Option<JobData>,
    /// The queue it stands in.
    pub queue: Option<String>,
    /// When it may run. A retrying job whose new time has come is `pending` from then on.
    pub due: Option<Due>,
}

impl JobEdit {
    /// Changes nothing yet; set the fields, or call the methods of their names.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives it to another handler.
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

    /// Whether a store accepts it: what a new job may be, an edited one may be.
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
        assert!(matches!(late.validate(&limits), Err(InvalidJob::OutOfRange { .. })));
        assert_eq!(edit().queue("q").due(Due::Now).validate(&limits), Ok(()));
    }
}

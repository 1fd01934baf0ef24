use std::time::Duration;

use longshore_core::{Due, JobData, NewJob, ValidJob};
use postgres_types::Type;

use crate::instant::Instant;
use crate::session::statements::Parameter;

/// New jobs as one array for each column, in the order of the parameters of the statements that create them.
#[derive(Debug, Default)]
pub(crate) struct Columns<'j> {
    job_types: Vec<&'j str>,
    job_data: Vec<&'j str>,
    queues: Vec<&'j str>,
    priorities: Vec<i32>,
    at: Vec<Option<Instant>>,
    delays_ms: Vec<Option<i64>>,
    max_retries: Vec<Option<i32>>,
    max_crashes: Vec<Option<i32>>,
    max_deferrals: Vec<Option<i32>>,
    timeouts_ms: Vec<Option<i64>>,
    expires_in_ms: Vec<Option<i64>>,
    deadlines_in_ms: Vec<Option<i64>>,
    metadata: Vec<Option<&'j str>>,
    unique_keys: Vec<Option<&'j str>>,
    parents: Vec<Option<i64>>,
}

impl<'j> Columns<'j> {
    pub(crate) fn of(jobs: impl IntoIterator<Item = &'j ValidJob>) -> Self {
        let mut columns = Self::default();
        jobs.into_iter().for_each(|job| columns.push(job));
        columns
    }

    fn push(&mut self, job: &'j NewJob) {
        // Every field is listed, so that a new field cannot be forgotten here or in the statements.
        let NewJob {
            job_type,
            job_data,
            queue,
            priority,
            due,
            max_retries,
            max_crashes,
            max_deferrals,
            timeout,
            expires_in,
            deadline_in,
            unique_key,
            on_duplicate: _,
            unique_while: _,
            limit_key: _,
            parent,
            metadata,
        } = job;
        self.job_types.push(job_type);
        self.job_data.push(job_data.as_str());
        self.queues.push(queue);
        self.priorities.push(priority.0);
        let (at, delay) = time_of(*due);
        self.at.push(at);
        self.delays_ms.push(delay);
        self.max_retries.push(max_retries.map(count));
        self.max_crashes.push(unless_default(*max_crashes, MAX_CRASHES));
        self.max_deferrals.push(unless_default(*max_deferrals, MAX_DEFERRALS));
        self.timeouts_ms.push(timeout.map(milliseconds));
        self.expires_in_ms.push(expires_in.map(milliseconds));
        self.deadlines_in_ms.push(deadline_in.map(milliseconds));
        self.metadata.push(metadata.as_ref().map(JobData::as_str));
        self.unique_keys.push(unique_key.as_deref());
        self.parents.push(parent.map(|parent| parent.0));
    }

    /// What plain jobs have.
    pub(crate) fn plain(&self) -> Vec<Parameter<'_>> {
        vec![
            (&self.job_types, Type::TEXT_ARRAY),
            (&self.job_data, Type::TEXT_ARRAY),
            (&self.queues, Type::TEXT_ARRAY),
            (&self.priorities, Type::INT4_ARRAY),
            (&self.at, Type::TIMESTAMPTZ_ARRAY),
            (&self.delays_ms, Type::INT8_ARRAY),
            (&self.max_retries, Type::INT4_ARRAY),
            (&self.max_crashes, Type::INT4_ARRAY),
            (&self.max_deferrals, Type::INT4_ARRAY),
            (&self.timeouts_ms, Type::INT8_ARRAY),
            (&self.expires_in_ms, Type::INT8_ARRAY),
            (&self.deadlines_in_ms, Type::INT8_ARRAY),
            (&self.metadata, Type::TEXT_ARRAY),
        ]
    }

    /// What any job may have.
    pub(crate) fn all(&self) -> Vec<Parameter<'_>> {
        let mut parameters = self.plain();
        parameters.push((&self.unique_keys, Type::TEXT_ARRAY));
        parameters.push((&self.parents, Type::INT8_ARRAY));
        parameters
    }
}

/// Stored as NULL.
pub(super) const MAX_CRASHES: u32 = 3;
pub(super) const MAX_DEFERRALS: u32 = 1000;

/// The instant of a job, or its delay from now.
pub(super) fn time_of(due: Due) -> (Option<Instant>, Option<i64>) {
    match due {
        Due::Now => (None, None),
        Due::At(instant) => (Some(Instant(instant)), None),
        Due::After(delay) => (None, Some(milliseconds(delay))),
    }
}

/// A budget, which the check of the job has bounded.
pub(super) fn count(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

pub(super) fn unless_default(budget: u32, default: u32) -> Option<i32> {
    (budget != default).then(|| count(budget))
}

pub(super) fn milliseconds(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_a_new_job() {
        let job = NewJob::new("a", JobData::default());
        assert_eq!((job.max_crashes, job.max_deferrals), (MAX_CRASHES, MAX_DEFERRALS));
    }
}

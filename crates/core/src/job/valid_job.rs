use std::ops::Deref;

use crate::{InvalidJob, Limits, NewJob};

/// A job that was checked: its names, sizes and numbers are such as a store with these limits accepts.
///
/// [`NewJob::check`] is the only way to make one of a job that comes from outside, so what takes a `ValidJob` has
/// nothing to check, and a check can neither be forgotten nor be made twice. It reads like the [`NewJob`] that it was.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidJob(NewJob);

impl NewJob {
    /// The job as a store takes it, or why no store with these limits does.
    pub fn check(self, limits: &Limits) -> Result<ValidJob, InvalidJob> {
        self.validate(limits)?;
        Ok(ValidJob(self))
    }
}

impl ValidJob {
    /// A job out of a place where a backend keeps valid ones in another form, such as a temporary file of its own.
    pub fn from_stored(job: NewJob) -> Self {
        Self(job)
    }

    /// The job, to be changed: what comes of that has to be checked again.
    pub fn into_inner(self) -> NewJob {
        self.0
    }
}

impl Deref for ValidJob {
    type Target = NewJob;

    fn deref(&self) -> &NewJob {
        &self.0
    }
}

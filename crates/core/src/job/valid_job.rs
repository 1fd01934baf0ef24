use std::ops::Deref;

use crate::{InvalidJob, Limits, NewJob};

/// A job that was checked: a store with these limits accepts its names, sizes and numbers.
///
/// Only [`NewJob::check`] creates one from outside data. A function that takes a `ValidJob` needs no check, so no check
/// is forgotten or made twice. Dereferences to the [`NewJob`].
#[derive(Clone, Debug, PartialEq)]
pub struct ValidJob(NewJob);

impl NewJob {
    /// Checks the job against `limits`. Err says why it is invalid.
    pub fn check(self, limits: &Limits) -> Result<ValidJob, InvalidJob> {
        self.validate(limits)?;
        Ok(ValidJob(self))
    }
}

impl ValidJob {
    /// A job that a backend kept in another form, such as a temporary file of its own.
    pub fn from_stored(job: NewJob) -> Self {
        Self(job)
    }

    /// Returns the job for changes. A changed job must be checked again.
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

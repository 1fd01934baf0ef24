use super::AttemptResult;
use super::done::{Done, IntoDone};

/// A job's completion in a transaction. Return it from the handler after the commit.
#[must_use = "commit the transaction, then return this from the handler"]
#[derive(Debug)]
pub struct Completion(());

impl Completion {
    pub(crate) const fn written() -> Self {
        Self(())
    }
}

impl IntoDone for Completion {
    fn into_done(self) -> AttemptResult {
        Ok(Done::Committed)
    }
}

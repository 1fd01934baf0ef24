//! What a transaction does to jobs: enqueue, claim, record an outcome, change by hand. One folder for each.

pub(crate) mod actions;
pub(crate) mod claim;
pub(crate) mod enqueue;
pub(crate) mod family;
pub(crate) mod job_row;
pub(crate) mod outcomes;
pub(crate) mod overdue;
pub(crate) mod stuck;
pub(crate) mod unique_key;

//! One attempt, from the slot that takes a job to the record of its outcome.

pub(crate) mod attempt_end;
pub(crate) mod committed;
pub(crate) mod ended_attempt;
pub(crate) mod executor;
pub(crate) mod hooks;
pub(crate) mod postponed_outcomes;
pub(crate) mod refused_outcomes;
pub(crate) mod slot;
pub(crate) mod start_notes;

//! What the calls do to the rows of jobs.

pub(super) mod action;
pub(super) mod attempt;
pub(super) mod checkpoint;
pub(super) mod claim;
pub(super) mod edit;
pub(super) mod enqueue;
pub(super) mod family;
pub(super) mod inbox;
pub(super) mod overdue;
pub(super) mod row;
pub(super) mod settings;

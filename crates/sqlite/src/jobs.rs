//! What a transaction does to jobs: enqueue, claim, record an outcome, change or edit by hand. One file for each.

pub(crate) mod action;
pub(crate) mod attempt_end;
pub(crate) mod attempt_log;
pub(crate) mod claim;
pub(crate) mod complete_in;
pub(crate) mod due;
pub(crate) mod edit;
pub(crate) mod enqueue;
pub(crate) mod family;
pub(crate) mod inbox;
pub(crate) mod job_row;
pub(crate) mod keepers;
pub(crate) mod nothing_ready;
pub(crate) mod offers;
pub(crate) mod overdue;
pub(crate) mod record;
pub(crate) mod report;
pub(crate) mod selection;
pub(crate) mod stuck;
pub(crate) mod type_settings;
pub(crate) mod unique_key;

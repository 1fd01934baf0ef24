//! What is done to jobs.

mod claim;
mod complete_in;
mod duplicate;
mod enqueue;
mod keepers;
mod overdue;
mod record;

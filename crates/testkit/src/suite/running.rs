//! What an attempt may write, and what becomes of its job.

pub mod cancel;
pub mod checkpoint;
pub mod history;
pub mod log;
pub mod outcome;
pub mod overdue;
pub mod retry;

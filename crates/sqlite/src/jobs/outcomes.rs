//! How an attempt ends: its outcome, its log, its reports, and its end in the handler's own transaction.

pub(crate) mod attempt_end;
pub(crate) mod attempt_log;
pub(crate) mod checkpoint;
pub(crate) mod complete_in;
pub(crate) mod record;
pub(crate) mod report;

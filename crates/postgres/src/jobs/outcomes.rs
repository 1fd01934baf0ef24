mod batch;
pub(crate) mod checkpoint;
pub(crate) mod complete_in;
pub(crate) mod ended_attempts;
pub(crate) mod family;
mod log_rows;
mod record;
pub(crate) mod report;
pub(crate) mod started;

pub(crate) use record::record;

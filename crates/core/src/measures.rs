//! What a process counts in memory for its metrics. Nothing of it is stored.

pub(crate) mod histogram;
pub(crate) mod write_measures;

//! Counts and their check against the jobs, retention, and the facts for `doctor`.

pub(crate) mod audit;
pub(crate) mod counts;
pub(crate) mod duties;
pub(crate) mod health;
pub(crate) mod housekeeping;
pub(crate) mod id_range;
pub(crate) mod long_attempts;
pub(crate) mod missing_lanes;
pub(crate) mod pruning;
pub(crate) mod queue_change;
pub(crate) mod stats;
pub(crate) mod waiting_facts;

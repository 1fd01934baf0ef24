//! The commands, one file for each.

pub(crate) mod audit;
pub(crate) mod batches;
pub(crate) mod bench;
pub(crate) mod completions;
pub(crate) mod dead;
pub(crate) mod doctor;
pub(crate) mod enqueue;
pub(crate) mod jobs;
pub(crate) mod limits;
pub(crate) mod man;
pub(crate) mod migrate;
pub(crate) mod moving;
pub(crate) mod queues;
pub(crate) mod reference;
pub(crate) mod schedules;
#[cfg(feature = "web")]
pub(crate) mod serve;
pub(crate) mod status;
#[cfg(feature = "web")]
pub(crate) mod token;
pub(crate) mod top;
pub(crate) mod work;
pub(crate) mod workers;

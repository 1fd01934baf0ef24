//! One answer of several.

pub(crate) mod health;
pub(crate) mod pages;
pub(crate) mod stats;
pub(crate) mod worker_records;

pub(crate) mod actions;
pub(crate) mod claim;
pub(crate) mod enqueue;
pub(crate) mod job_row;
pub(crate) mod outcomes;
pub(crate) mod reading;
pub(crate) mod state;
pub(crate) mod unique_key;

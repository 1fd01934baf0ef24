//! Workers: registration, lease, liveness evidence, and reclaiming jobs. Start reading at `liveness`.

pub(crate) mod given;
pub(crate) mod held;
pub(crate) mod held_job;
pub(crate) mod isolation;
pub(crate) mod liveness;
pub(crate) mod reclaim;
pub(crate) mod worker;
pub(crate) mod worker_record;
pub(crate) mod worker_row;

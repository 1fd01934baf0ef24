//! Who works: registration, lease, the evidence of life, and taking jobs from the dead. Begin with `liveness`.

pub(crate) mod given;
pub(crate) mod held;
pub(crate) mod held_job;
pub(crate) mod isolation;
pub(crate) mod liveness;
pub(crate) mod reclaim;
pub(crate) mod told;
pub(crate) mod worker;
pub(crate) mod worker_record;
pub(crate) mod worker_row;

//! Who works: registration, lease, the evidence of life, and taking jobs from the dead. Begin with `liveness`.

pub(crate) mod boot_id;
pub(crate) mod given;
pub(crate) mod held;
pub(crate) mod held_job;
pub(crate) mod isolation;
pub(crate) mod liveness;
pub(crate) mod liveness_file;
pub(crate) mod reclaim;
pub(crate) mod rounds;
pub(crate) mod started;
pub(crate) mod suspect;
pub(crate) mod take_over;
pub(crate) mod watches;
pub(crate) mod worker;
pub(crate) mod worker_record;
pub(crate) mod worker_row;
pub(crate) mod worker_search;

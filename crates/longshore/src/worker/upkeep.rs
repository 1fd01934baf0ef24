//! What runs beside the attempts: the lease, the recording of outcomes, dead workers, housekeeping.

pub(crate) mod cancellations;
pub(crate) mod heartbeat;
pub(crate) mod recorder;
pub(crate) mod recovery;

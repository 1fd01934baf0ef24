//! What runs beside the attempts: the lease, the session, the recording of outcomes, dead workers, housekeeping.

pub(crate) mod cancellations;
pub(crate) mod heartbeat;
pub(crate) mod held_report;
pub(crate) mod recorder;
pub(crate) mod recovery;
pub(crate) mod scheduler;
pub(crate) mod session;
pub(crate) mod unknown_leases;

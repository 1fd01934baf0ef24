//! Workers: registration, sessions, leases, and the return of jobs from those that were lost. Start at `register`.

pub(crate) mod give_back;
pub(crate) mod heartbeat;
pub(crate) mod held_job;
pub(crate) mod own;
pub(crate) mod reclaim;
pub(crate) mod register;
pub(crate) mod retire;
pub(crate) mod session;
pub(crate) mod started;
pub(crate) mod worker_names;
pub(crate) mod worker_record;

use longshore_core::ToldClaims;

use own::OwnWorkers;
use reclaim::Reclaim;
use worker_names::WorkerNames;

pub(crate) use heartbeat::{cancel_requests, extend};
pub(crate) use register::register;
pub(crate) use retire::retire;
pub(crate) use worker_record::records;

/// The workers of this store, and what it knows of others.
#[derive(Debug, Default)]
pub(crate) struct Workers {
    pub(crate) names: WorkerNames,
    own: OwnWorkers,
    told: ToldClaims,
    reclaim: Reclaim,
}

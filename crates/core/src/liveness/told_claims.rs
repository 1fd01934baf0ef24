use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Heartbeat, HeldClaims, WorkerId};

/// What each worker of this store says that it holds, from its registration on.
#[derive(Debug, Default)]
pub struct ToldClaims {
    workers: Mutex<HashMap<WorkerId, Arc<HeldClaims>>>,
}

impl ToldClaims {
    /// Takes in a heartbeat; says what its worker holds, if that is known now.
    pub fn take_in(&self, heartbeat: &Heartbeat) -> Option<Arc<HeldClaims>> {
        let mut workers = self.workers();
        let held = workers.entry(heartbeat.worker_id.clone()).or_default();
        // Only a heartbeat that is still under way has the last state, too: then this one gets a copy.
        Arc::make_mut(held).take_in(heartbeat.number, &heartbeat.held).then(|| Arc::clone(held))
    }

    /// The worker begins anew, or has gone.
    pub fn forget(&self, worker_id: &WorkerId) {
        self.workers().remove(worker_id);
    }

    fn workers(&self) -> MutexGuard<'_, HashMap<WorkerId, Arc<HeldClaims>>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

use super::{Admission, Holdings};
use crate::worker::worker_run::Until;

/// Which parts of the worker wait, and what else than the holdings stops them.
#[derive(Debug)]
pub(super) struct WaitState {
    until: Until,
    claim_loop: ClaimLoop,
    /// Whether the recorder found nothing to store.
    pub(super) does_recorder_wait: bool,
    /// Whether the worker must learn at once what it has lost.
    pub(super) is_heartbeat_due: bool,
    /// A slot found that the lease had not been renewed in time.
    pub(super) is_lease_overdue: bool,
    /// A slot or the claim loop found the gate closed; whoever opens it says so.
    pub(super) is_gate_closed: bool,
}

/// What the claim loop waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClaimLoop {
    /// For nothing: it runs.
    Awake,
    /// A claim is worth its commit again.
    Demand,
    /// The same, or the worker holds nothing.
    DemandOrEmpty,
    /// The worker may run new leases again.
    Admission,
}

/// Who has something to do after a change.
#[derive(Debug, Default)]
pub(super) struct WakeUps {
    pub(super) slot: Option<usize>,
    pub(super) claim_loop: bool,
    pub(super) recorder: bool,
    pub(super) heartbeat: bool,
}

impl WaitState {
    pub(super) const fn new(until: Until) -> Self {
        Self {
            until,
            claim_loop: ClaimLoop::Awake,
            does_recorder_wait: false,
            is_heartbeat_due: false,
            is_lease_overdue: false,
            is_gate_closed: false,
        }
    }

    /// The claim loop waits. If the worker ends with its last job, the end of that job wakes the loop.
    pub(super) fn await_demand(&mut self, is_empty: bool) {
        let ends_empty = self.until == Until::Drained && !is_empty;
        self.claim_loop = if ends_empty { ClaimLoop::DemandOrEmpty } else { ClaimLoop::Demand };
    }

    pub(super) const fn await_admission(&mut self) {
        self.claim_loop = ClaimLoop::Admission;
    }
}

impl Holdings {
    /// The claim loop runs because of something else: a hint, a lease in its inbox, or the time.
    pub(crate) const fn wake_claim_loop(&mut self) {
        self.wait_state.claim_loop = ClaimLoop::Awake;
    }

    /// The same, and jobs may have come: every lane is worth a claim again.
    pub(crate) fn expect_jobs(&mut self) {
        self.wake_claim_loop();
        self.lanes.refresh();
    }

    /// Who is to be woken now. One wake-up is enough for several jobs: each part goes on until it finds nothing.
    pub(super) fn wake_ups(&mut self) -> WakeUps {
        WakeUps {
            slot: if self.slots.has_idle_only() && self.has_start() { self.slots.wake() } else { None },
            claim_loop: self.wakes_claim_loop(),
            recorder: self.wakes_recorder(),
            heartbeat: std::mem::take(&mut self.wait_state.is_heartbeat_due),
        }
    }

    fn wakes_claim_loop(&mut self) -> bool {
        let wakes = match self.wait_state.claim_loop {
            ClaimLoop::Awake => return false,
            // It registers the worker.
            _ if !self.is_registered => true,
            ClaimLoop::Demand => self.has_demand(),
            ClaimLoop::DemandOrEmpty => self.has_demand() || self.is_empty(),
            ClaimLoop::Admission => self.admission == Admission::Open,
        };
        if wakes {
            self.wait_state.claim_loop = ClaimLoop::Awake;
        }
        wakes
    }

    pub(super) fn has_demand(&self) -> bool {
        self.may_claim() && self.lanes.has_demand()
    }

    fn wakes_recorder(&mut self) -> bool {
        let wakes = self.wait_state.does_recorder_wait && self.worker_id.is_some() && self.ended.has_next();
        if wakes {
            self.wait_state.does_recorder_wait = false;
        }
        wakes
    }
}

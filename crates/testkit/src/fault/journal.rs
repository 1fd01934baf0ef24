use std::time::Duration;

use longshore_core::Heartbeat;

use super::Operation;

/// What a store was asked, for tests of who asks.
#[derive(Debug, Default)]
pub(super) struct Journal {
    calls: Vec<Operation>,
    pub(super) heartbeats: Vec<Heartbeat>,
    /// How many beginnings each call of `mark_started` named.
    pub(super) beginnings: Vec<usize>,
    /// What every look for dead workers says about the next one, where a test says so.
    pub(super) next_look: Option<Duration>,
    /// Whether no call is answered.
    pub(super) is_gone: bool,
}

impl Journal {
    /// Says whether the call is not answered.
    pub(super) fn note(&mut self, operation: Operation) -> bool {
        self.calls.push(operation);
        self.is_gone
    }

    pub(super) fn calls(&self, operation: Operation) -> usize {
        self.calls.iter().filter(|call| **call == operation).count()
    }
}

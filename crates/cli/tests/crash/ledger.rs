use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

/// The jobs whose enqueue was acknowledged, and how each of them must end.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    jobs: Mutex<BTreeMap<i64, Expected>>,
}

/// How a job must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Completed, with a mark of its handler.
    Marked,
    /// Completed in the transaction of its handler.
    Committed,
    /// A dead letter, because its handler fails for good.
    DeadLetter,
}

impl Ledger {
    pub(crate) fn note(&self, id: i64, expected: Expected) {
        self.jobs().insert(id, expected);
    }

    pub(crate) fn len(&self) -> usize {
        self.jobs().len()
    }

    pub(crate) fn entries(&self) -> Vec<(i64, Expected)> {
        self.jobs().iter().map(|(id, expected)| (*id, *expected)).collect()
    }

    fn jobs(&self) -> MutexGuard<'_, BTreeMap<i64, Expected>> {
        self.jobs.lock().unwrap()
    }
}

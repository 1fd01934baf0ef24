use std::collections::BTreeMap;

use longshore_core::{QueueLimit, QueueScope};

/// What a worker would take.
#[derive(Clone, Debug)]
pub(super) struct Offered {
    pub(super) scope: QueueScope,
    pub(super) limit: u32,
}

/// How many jobs would run at once, in total and, if queues are named, from each queue.
#[derive(Debug)]
pub(super) struct Slots {
    left: u32,
    queues: Option<BTreeMap<String, u32>>,
}

impl Slots {
    /// The offered slots within the queues that were claimed from, reduced by the jobs that the worker already got.
    pub(super) fn new<'a>(offered: Offered, claimed: &QueueScope, got: impl Iterator<Item = &'a str>) -> Self {
        let queues: Option<BTreeMap<String, u32>> = match (offered.scope, claimed) {
            (QueueScope::All, QueueScope::All) => None,
            (QueueScope::All, QueueScope::Only(limits)) => {
                let slots = |limit: &QueueLimit| (limit.queue.clone(), limit.limit.min(offered.limit));
                Some(limits.iter().map(slots).collect())
            }
            (QueueScope::Only(limits), claimed) => {
                // A repeated claim may ask for less than the worker offers now. Other jobs may wait behind what it did
                // not ask for.
                let asked = |queue: &str| match claimed {
                    QueueScope::All => u32::MAX,
                    QueueScope::Only(claimed) => {
                        claimed.iter().find(|limit| limit.queue == queue).map_or(0, |limit| limit.limit)
                    }
                };
                let slots = |limit: QueueLimit| (limit.limit.min(asked(&limit.queue)), limit.queue);
                Some(limits.into_iter().map(slots).map(|(left, queue)| (queue, left)).collect())
            }
        };
        let mut slots = Self { left: offered.limit, queues };
        got.for_each(|queue| slots.take(queue));
        slots
    }

    pub(super) fn has(&self, queue: &str) -> bool {
        self.left > 0 && self.queues.as_ref().is_none_or(|queues| queues.get(queue).is_some_and(|left| *left > 0))
    }

    pub(super) fn take(&mut self, queue: &str) {
        self.left = self.left.saturating_sub(1);
        if let Some(left) = self.queues.as_mut().and_then(|queues| queues.get_mut(queue)) {
            *left = left.saturating_sub(1);
        }
    }

    /// A job that had taken one will not come.
    pub(super) fn give_back(&mut self, queue: &str) {
        self.left += 1;
        if let Some(left) = self.queues.as_mut().and_then(|queues| queues.get_mut(queue)) {
            *left += 1;
        }
    }
}

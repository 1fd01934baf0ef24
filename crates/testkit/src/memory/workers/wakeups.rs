use std::collections::BTreeSet;
use std::pin::Pin;

use longshore_core::{ClaimNumber, Hint, Interest, JobId, Wakeups};
use tokio::sync::watch;

use crate::memory::MemoryStore;
use crate::memory::jobs::row::moments;
use crate::memory::state::State;

/// Looks, after each change, whether it concerns the subscriber.
pub(in crate::memory) struct MemoryWakeups {
    store: MemoryStore,
    changes: watch::Receiver<()>,
    interest: Interest,
    /// What became news before this moment was told, or was there before.
    seen: u64,
    /// How many changes of schedules were there before, or were told.
    seen_schedules: u64,
    /// The requests to cancel that were there before, or were told.
    told: BTreeSet<(JobId, ClaimNumber)>,
}

impl MemoryWakeups {
    pub(in crate::memory) fn new(store: &MemoryStore, interest: Interest) -> Self {
        let changes = store.shared.changes.subscribe();
        let mut wakeups =
            Self { store: store.clone(), changes, interest, seen: 0, seen_schedules: 0, told: BTreeSet::new() };
        drop(wakeups.hint());
        wakeups
    }

    fn hint(&mut self) -> Option<Hint> {
        match &self.interest {
            Interest::Anything => Some(Hint::Anything),
            Interest::Schedules => {
                let changes = self.store.with(|state, _| state.calendar.changes);
                let has_news = std::mem::replace(&mut self.seen_schedules, changes) != changes;
                has_news.then_some(Hint::Anything)
            }
            Interest::Jobs { .. } => {
                let seen = self.seen;
                let (has_news, moment) =
                    self.store.with(|state, _| (state.has_news_for(&self.interest, seen), moments()));
                self.seen = moment;
                has_news.then_some(Hint::Jobs)
            }
            Interest::Cancellations { worker_id } => {
                let asked = self.store.with(|state, _| state.cancel_requests(worker_id)).unwrap_or_default();
                let new: Vec<_> = asked.into_iter().filter(|asked| self.told.insert(*asked)).collect();
                (!new.is_empty()).then_some(Hint::Cancellations(new))
            }
        }
    }
}

impl Wakeups for MemoryWakeups {
    fn changed(&mut self) -> Pin<Box<dyn Future<Output = Hint> + Send + '_>> {
        Box::pin(async {
            // A store that is gone never changes again.
            while self.changes.changed().await.is_ok() {
                if let Some(hint) = self.hint() {
                    return hint;
                }
            }
            std::future::pending().await
        })
    }
}

impl State {
    /// Whether there is something, new since this moment, that a worker with this interest could claim now, or will
    /// when it comes due.
    fn has_news_for(&self, interest: &Interest, seen: u64) -> bool {
        let Interest::Jobs { job_types, scope } = interest else { return false };
        self.rows.values().rev().any(|row| {
            let job = &row.job;
            row.news_at >= seen
                && (row.is_ready() || row.waits_for_instant())
                && job_types.contains(&job.job_type)
                && scope.includes(&job.queue)
                && self.queues.get(&job.queue).copied().flatten().is_none()
        })
    }
}

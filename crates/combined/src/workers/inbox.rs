use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::Poll;

use longshore_core::{Inbox, Lease, QueueLimit, QueueScope, WorkerId};

use crate::combined_store::Shared;

/// The inboxes of a worker in all databases.
pub(crate) struct CombinedInbox {
    shared: Weak<Shared>,
    worker_id: WorkerId,
    /// One for each database that was open at the last offer.
    parts: Vec<Option<Box<dyn Inbox>>>,
}

impl CombinedInbox {
    pub(crate) fn new(shared: &Arc<Shared>, worker_id: &WorkerId) -> Self {
        let parts = shared.members.all().iter().map(|member| member.opened().map(|it| it.inbox(worker_id))).collect();
        Self { shared: Arc::downgrade(shared), worker_id: worker_id.clone(), parts }
    }
}

/// What each database may deliver.
///
/// Each one gets the whole limit, because a job may arrive in any of them. If jobs arrive in several before the next
/// claim, those that find no free slot wait for a second at most, and are then given back.
fn share(scope: &QueueScope, limit: u32, place: usize, home: impl Fn(&str) -> usize) -> (QueueScope, u32) {
    let QueueScope::Only(limits) = scope else { return (QueueScope::All, limit) };
    let own: Vec<QueueLimit> = limits.iter().filter(|limit| home(&limit.queue) == place).cloned().collect();
    let free = own.iter().fold(0_u32, |sum, limit| sum.saturating_add(limit.limit));
    (QueueScope::Only(own), limit.min(free))
}

impl Inbox for CombinedInbox {
    fn offer(&mut self, scope: QueueScope, limit: u32) {
        let Some(shared) = self.shared.upgrade() else { return };
        let members = shared.members.all();
        for (place, (part, member)) in self.parts.iter_mut().zip(members).enumerate() {
            let (scope, limit) = share(&scope, limit, place, |queue| shared.members.home(queue));
            if part.is_none() {
                *part = member.opened().map(|store| store.inbox(&self.worker_id));
            }
            if let Some(part) = part
                && !shared.missed_limits.is_open(place)
            {
                part.offer(scope, limit);
            }
        }
    }

    fn arrived(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            let mut arrivals: Vec<_> = self.parts.iter_mut().flatten().map(|part| part.arrived()).collect();
            poll_fn(|context| {
                let is_ready = |arrival: &mut Pin<Box<dyn Future<Output = ()> + Send + '_>>| {
                    arrival.as_mut().poll(context).is_ready()
                };
                if arrivals.iter_mut().any(is_ready) { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        })
    }

    fn take(&mut self) -> Vec<Lease> {
        self.parts.iter_mut().flatten().flat_map(|part| part.take()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_offered_in_its_own_database() {
        let limits = [("a", 2), ("b", 3)].map(|(queue, limit)| QueueLimit { queue: queue.to_owned(), limit });
        let scope = QueueScope::Only(limits.to_vec());
        let of = |place| share(&scope, 4, place, |queue| usize::from(queue == "a"));
        let only = |limit: &QueueLimit| QueueScope::Only(vec![limit.clone()]);
        assert_eq!(
            (of(0), of(1), of(2)),
            ((only(&limits[1]), 3), (only(&limits[0]), 2), (QueueScope::Only(vec![]), 0))
        );
    }

    #[test]
    fn who_takes_from_all_queues_offers_them_in_all_databases() {
        assert_eq!(share(&QueueScope::All, 4, 1, |_| 0), (QueueScope::All, 4));
    }
}

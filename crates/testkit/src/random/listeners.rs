use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use longshore_core::{Interest, QueueLimit, QueueScope, Store, Wakeups};

use super::draw::{JOB_TYPES, QUEUES};
use super::pair::Pair;
use super::trail::Trail;
use crate::suite::Harness;

/// Longer than any machine needs for the hint of another process's commit.
const PATIENCE: Duration = Duration::from_secs(20);

/// Subscribers that listen to the store and to the model.
pub(super) struct Listeners(Vec<Listener>);

struct Listener {
    interest: Interest,
    subject: Box<dyn Wakeups>,
    model: Box<dyn Wakeups>,
}

impl Listeners {
    /// One for all jobs, one for schedules, and one for each type in one queue.
    pub(super) fn new<H: Harness>(pair: &Pair<H>) -> Self {
        let all = Interest::Jobs { job_types: JOB_TYPES.map(str::to_owned).into(), scope: QueueScope::All };
        let single = JOB_TYPES.into_iter().zip(QUEUES).map(|(job_type, queue)| Interest::Jobs {
            job_types: Arc::new([job_type.to_owned()]),
            scope: QueueScope::Only(vec![QueueLimit { queue: queue.to_owned(), limit: 1 }]),
        });
        let listen = |interest: Interest| Listener {
            subject: pair.subject.inner().wakeups(interest.clone()),
            model: pair.model.wakeups(interest.clone()),
            interest,
        };
        Self([all, Interest::Schedules].into_iter().chain(single).map(listen).collect())
    }

    /// The store may give more hints than the model, because it does not always know what changed, but never fewer.
    pub(super) async fn compare(&mut self, trail: &Trail) {
        for Listener { interest, subject, model } in &mut self.0 {
            let hint = model.changed().as_mut().poll(&mut Context::from_waker(Waker::noop()));
            if let Poll::Ready(hint) = hint {
                let told = tokio::time::timeout(PATIENCE, subject.changed()).await;
                trail.must(told.is_ok(), || format!("the model gives {hint:?} for {interest:?}, the store nothing"));
            }
        }
    }
}

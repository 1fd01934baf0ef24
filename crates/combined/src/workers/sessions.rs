use std::fmt;
use std::future::{pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use longshore_core::{SessionLost, WorkerSession};
use tokio::sync::watch;
use tokio::task::unconstrained;

/// The evidence of one registration of a worker: a session in each database that it has reached.
pub(crate) struct Sessions {
    parts: Mutex<Parts>,
    changed: watch::Sender<()>,
}

#[derive(Debug)]
struct Parts {
    present: Vec<Option<Session>>,
    /// A later registration has taken their place.
    is_over: bool,
}

#[derive(Debug)]
struct Session {
    evidence: Box<dyn WorkerSession>,
    /// Whether its loss is told. That of an earlier registration is kept until the database answers again, and its loss
    /// is known.
    is_watched: bool,
}

/// What the worker holds. When it is dropped, all of its sessions are.
#[derive(Debug)]
pub(crate) struct CombinedSession(pub(crate) Arc<Sessions>);

impl Sessions {
    pub(crate) fn new(databases: usize) -> Self {
        let present = (0..databases).map(|_| None).collect();
        Self { parts: Mutex::new(Parts { present, is_over: false }), changed: watch::Sender::new(()) }
    }

    fn parts(&self) -> MutexGuard<'_, Parts> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The worker has a session in this database.
    pub(crate) fn begin(&self, place: usize, evidence: Box<dyn WorkerSession>) {
        let earlier = self.parts().present[place].replace(Session { evidence, is_watched: true });
        // Now it has nothing to give up any more.
        drop(earlier);
        self.changed.send_replace(());
    }

    /// Takes over the sessions of an earlier registration where this one has none: what they show may still hold.
    pub(crate) fn succeed(&self, earlier: &Self) {
        let mut outdated = Vec::new();
        {
            let (mut own, mut theirs) = (self.parts(), earlier.parts());
            theirs.is_over = true;
            for (own, theirs) in own.present.iter_mut().zip(&mut theirs.present) {
                match (own.is_some(), theirs.take()) {
                    (false, Some(session)) => *own = Some(Session { is_watched: false, ..session }),
                    (_, session) => outdated.extend(session),
                }
            }
        }
        drop(outdated);
        earlier.changed.send_replace(());
    }

    /// None after a later registration.
    fn losses(&self) -> Option<Vec<Pin<Box<dyn Future<Output = SessionLost> + Send>>>> {
        let parts = self.parts();
        let watched = parts.present.iter().flatten().filter(|session| session.is_watched);
        (!parts.is_over).then(|| watched.map(|session| session.evidence.lost()).collect())
    }

    async fn lost(self: Arc<Self>) -> SessionLost {
        let mut changed = self.changed.subscribe();
        loop {
            let Some(mut losses) = self.losses() else { return pending().await };
            let mut change = pin!(unconstrained(changed.changed()));
            let lost = poll_fn(|context| {
                for loss in &mut losses {
                    if let Poll::Ready(lost) = loss.as_mut().poll(context) {
                        return Poll::Ready(Some(lost));
                    }
                }
                change.as_mut().poll(context).map(|_| None)
            });
            if let Some(lost) = lost.await {
                return lost;
            }
        }
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("parts", &self.parts).finish_non_exhaustive()
    }
}

impl WorkerSession for CombinedSession {
    fn lost(&self) -> Pin<Box<dyn Future<Output = SessionLost> + Send>> {
        Box::pin(Arc::clone(&self.0).lost())
    }
}

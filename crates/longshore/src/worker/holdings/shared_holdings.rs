use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::Holdings;
use super::wait_state::WakeUps;

/// The holdings behind their lock, and the parts of the worker that wait for them.
///
/// After a change the drop of the guard wakes exactly the parts that have something to do. Code that changes the
/// holdings needs no knowledge of who waits.
pub(crate) struct SharedHoldings {
    holdings: Mutex<Holdings>,
    slots: Vec<Notify>,
    claim_loop: Notify,
    recorder: Notify,
    heartbeat: Notify,
    /// Woken after each change: [`SharedHoldings::settled_when`] checks again.
    watchers: Notify,
    watcher_count: AtomicUsize,
}

/// The lock on the holdings.
pub(crate) struct HoldingsGuard<'a> {
    shared: &'a SharedHoldings,
    /// None only while it is dropped.
    holdings: Option<MutexGuard<'a, Holdings>>,
    is_changed: bool,
}

/// Counts as a watcher until it is dropped.
struct Watching<'a>(&'a AtomicUsize);

impl SharedHoldings {
    pub(crate) fn new(holdings: Holdings, concurrency: u32) -> Self {
        Self {
            holdings: Mutex::new(holdings),
            slots: (0..concurrency).map(|_| Notify::new()).collect(),
            claim_loop: Notify::new(),
            recorder: Notify::new(),
            heartbeat: Notify::new(),
            watchers: Notify::new(),
            watcher_count: AtomicUsize::new(0),
        }
    }

    pub(crate) fn lock(&self) -> HoldingsGuard<'_> {
        let holdings = self.holdings.lock().unwrap_or_else(PoisonError::into_inner);
        HoldingsGuard { shared: self, holdings: Some(holdings), is_changed: false }
    }

    /// Resolves when a slot that found no job is to search again.
    pub(crate) async fn slot_woken(&self, slot: usize) {
        self.slots[slot].notified().await;
    }

    /// Resolves when the claim loop has something to do. Cancellation safe, like the two below.
    pub(crate) async fn claim_loop_woken(&self) {
        self.claim_loop.notified().await;
    }

    /// Resolves when there is something to record.
    pub(crate) async fn recorder_woken(&self) {
        self.recorder.notified().await;
    }

    /// Resolves when a heartbeat is due at once.
    pub(crate) async fn heartbeat_woken(&self) {
        self.heartbeat.notified().await;
    }

    /// Resolves when the holdings are as wished.
    pub(crate) async fn settled_when(&self, is_reached: impl Fn(&Holdings) -> bool) {
        self.watcher_count.fetch_add(1, Ordering::SeqCst);
        let _watching = Watching(&self.watcher_count);
        loop {
            let mut changed = std::pin::pin!(self.watchers.notified());
            // Before the check, so that a change after it is not missed.
            changed.as_mut().enable();
            if is_reached(&self.lock()) {
                return;
            }
            changed.await;
        }
    }

    fn wake(&self, wake_ups: &WakeUps) {
        if let Some(slot) = wake_ups.slot {
            self.slots[slot].notify_one();
        }
        if wake_ups.claim_loop {
            self.claim_loop.notify_one();
        }
        if wake_ups.recorder {
            self.recorder.notify_one();
        }
        if wake_ups.heartbeat {
            self.heartbeat.notify_one();
        }
        if self.watcher_count.load(Ordering::SeqCst) > 0 {
            self.watchers.notify_waiters();
        }
    }
}

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Deref for HoldingsGuard<'_> {
    type Target = Holdings;

    fn deref(&self) -> &Holdings {
        self.holdings.as_deref().expect("the lock is held until the drop")
    }
}

impl DerefMut for HoldingsGuard<'_> {
    fn deref_mut(&mut self) -> &mut Holdings {
        self.is_changed = true;
        self.holdings.as_deref_mut().expect("the lock is held until the drop")
    }
}

impl Drop for HoldingsGuard<'_> {
    fn drop(&mut self) {
        let Some(mut holdings) = self.holdings.take().filter(|_| self.is_changed) else { return };
        let wake_ups = holdings.wake_ups();
        // The lock first, because whoever is woken takes it.
        drop(holdings);
        self.shared.wake(&wake_ups);
    }
}

impl fmt::Debug for SharedHoldings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedHoldings").finish_non_exhaustive()
    }
}

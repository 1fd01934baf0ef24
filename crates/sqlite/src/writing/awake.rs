use std::future::poll_fn;
use std::hint::spin_loop;
use std::mem::replace;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use crate::writing::permits::Permits;

/// The longest that a caller stays awake for its answer.
const AWAKE_MAX: Duration = Duration::from_micros(1000);
/// Pauses of the processor between two looks; one takes some ten to a hundred cycles.
const REST: u32 = 32;

/// Whether a caller stays awake for the answer of a lone request.
///
/// Going to sleep and being woken takes 50 µs on a virtual machine, and a commit on a fast disk 150 µs. So while
/// commits are that quick, and nobody else's request is under way, the caller asks again and again for the
/// answer, and lets the other tasks of its thread run in between. Nobody does so on a slow disk, where the wait is
/// long and the waking up no part of it, nor on a single core, which the writer needs.
#[derive(Clone, Debug)]
pub(crate) struct Awake {
    /// How long the writer took for the last lone request, in nanoseconds.
    last_commit: Arc<AtomicU64>,
    has_cores: bool,
}

impl Awake {
    pub(crate) fn new() -> Self {
        let has_cores = std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1);
        Self { last_commit: Arc::new(AtomicU64::new(u64::MAX)), has_cores }
    }

    /// The writer took this long for a request that had its transaction to itself.
    pub(crate) fn note_commit(&self, took: Duration) {
        self.last_commit.store(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Waits for an answer; none when there will be none.
    pub(crate) async fn wait<T>(&self, mut answer: oneshot::Receiver<T>, permits: &Permits) -> Option<T> {
        if permits.taken() == 1 && self.is_worth_it() {
            let asleep_at = Instant::now() + AWAKE_MAX;
            while permits.taken() <= 1 && Instant::now() < asleep_at {
                match answer.try_recv() {
                    Ok(answer) => return Some(answer),
                    Err(TryRecvError::Closed) => return None,
                    Err(TryRecvError::Empty) => {
                        // The writer may share its core with this thread.
                        (0..REST).for_each(|_| spin_loop());
                        let_others_run().await;
                    }
                }
            }
        }
        answer.await.ok()
    }

    fn is_worth_it(&self) -> bool {
        self.has_cores && u128::from(self.last_commit.load(Ordering::Relaxed)) < AWAKE_MAX.as_nanos()
    }
}

/// Goes to the end of its runtime's queue, whichever runtime it is.
async fn let_others_run() {
    let mut has_yielded = false;
    poll_fn(|context| {
        if replace(&mut has_yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

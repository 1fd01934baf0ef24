use std::future::poll_fn;
use std::hint::spin_loop;
use std::mem::replace;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use crate::writing::permits::Permits;

/// The longest time that a caller polls for its answer, and the longest commit that it runs itself.
const AWAKE_MAX: Duration = Duration::from_millis(1);
/// Of the slowest commit so far, this part is forgotten with each further one.
const FORGOTTEN_PART: u64 = 8;
/// Requests count as consecutive if the next one follows the last answer within this time.
const ROW_GAP_MAX: Duration = Duration::from_millis(1);
/// Processor pauses between two polls. One pause takes about ten to a hundred cycles.
const REST: u32 = 32;

/// How long lone commits take and how many callers there are, and whether a caller polls for the answer to a lone
/// request.
///
/// Going to sleep and waking up takes 50 µs on a virtual machine, for the caller and for the writer, and a commit on a
/// fast disk takes 150 µs. A caller polls while three things hold: it makes one request after another, commits take
/// less than a millisecond, and no other request is pending. The other tasks of its thread run in between. An
/// occasional caller sleeps, because polling would only take time from the worker that runs its job. On a single core
/// nobody polls, because the writer needs it.
#[derive(Clone, Debug)]
pub(crate) struct Awake {
    /// How long the writer took for the last lone request, in nanoseconds.
    last_commit: Arc<AtomicU64>,
    /// When it finished that request, in nanoseconds after `began_at`.
    last_commit_ended: Arc<AtomicU64>,
    /// The longest time of the last lone requests, in nanoseconds. It decreases with each further one.
    slowest_commit: Arc<AtomicU64>,
    /// How many callers were waiting at the last commit.
    callers: Arc<AtomicUsize>,
    began_at: Instant,
    has_cores: bool,
}

impl Awake {
    pub(crate) fn new() -> Self {
        let has_cores = std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1);
        let [last_commit, slowest_commit] = [u64::MAX; 2].map(|unknown| Arc::new(AtomicU64::new(unknown)));
        let (last_commit_ended, callers, began_at) = (Arc::default(), Arc::default(), Instant::now());
        Self { last_commit, slowest_commit, callers, last_commit_ended, began_at, has_cores }
    }

    /// Records how long the writer took for a request alone in its transaction.
    pub(crate) fn note_commit(&self, took: Duration) {
        let took = nanoseconds(took);
        let slowest = match self.slowest_commit.load(Ordering::Relaxed) {
            u64::MAX => 0,
            slowest => slowest - slowest / FORGOTTEN_PART,
        };
        self.slowest_commit.store(slowest.max(took), Ordering::Relaxed);
        self.last_commit.store(took, Ordering::Relaxed);
        self.last_commit_ended.store(nanoseconds(self.began_at.elapsed()), Ordering::Relaxed);
    }

    /// Whether the last lone requests took less than a millisecond each. `false` before the first.
    pub(crate) fn are_commits_quick(&self) -> bool {
        self.slowest_commit.load(Ordering::Relaxed) < nanoseconds(AWAKE_MAX)
    }

    /// Records how many callers waited at a commit.
    pub(crate) fn note_callers(&self, callers: usize) {
        self.callers.store(callers, Ordering::Relaxed);
    }

    /// How many callers waited at the last commit. They may come back at once.
    pub(crate) fn callers(&self) -> usize {
        self.callers.load(Ordering::Relaxed)
    }

    /// Waits for an answer. `None` if there will be none.
    pub(crate) async fn wait<T>(&self, mut answer: oneshot::Receiver<T>, permits: &Permits) -> Option<T> {
        if permits.taken() == 1 && self.is_worth_it() {
            let asleep_at = Instant::now() + AWAKE_MAX;
            while permits.taken() <= 1 && Instant::now() < asleep_at {
                match answer.try_recv() {
                    Ok(answer) => return Some(answer),
                    Err(TryRecvError::Closed) => return None,
                    Err(TryRecvError::Empty) => {
                        // The writer may run on the same core as this thread.
                        (0..REST).for_each(|_| spin_loop());
                        let_others_run().await;
                    }
                }
            }
        }
        answer.await.ok()
    }

    fn is_worth_it(&self) -> bool {
        let [took, ended] = [&self.last_commit, &self.last_commit_ended].map(|of| of.load(Ordering::Relaxed));
        let gap = self.began_at.elapsed().saturating_sub(Duration::from_nanos(ended));
        self.has_cores && gap <= ROW_GAP_MAX && Duration::from_nanos(took) < AWAKE_MAX
    }
}

fn nanoseconds(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// Yields to the other tasks, in any runtime.
pub(crate) async fn let_others_run() {
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

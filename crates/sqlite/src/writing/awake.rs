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
const AWAKE_MAX: Duration = Duration::from_millis(1);
/// Requests follow one another while no more than this lies between the answer to one and the next.
const ROW_GAP_MAX: Duration = Duration::from_millis(1);
/// Pauses of the processor between two looks; one takes some ten to a hundred cycles.
const REST: u32 = 32;

/// Whether a caller stays awake for the answer of a lone request.
///
/// Going to sleep and being woken takes 50 µs on a virtual machine, for the caller and for the writer, and a commit on
/// a fast disk 150 µs. So while a caller makes one request after the other, commits take less than a millisecond and
/// nobody else's request is under way, it asks again and again for the answer, and lets the other tasks of its thread
/// run in between. Whoever calls now and then sleeps: awake it would only take time from those who run its job. Nobody
/// stays awake on a single core, which the writer needs.
#[derive(Clone, Debug)]
pub(crate) struct Awake {
    /// How long the writer took for the last lone request, in nanoseconds.
    last_commit: Arc<AtomicU64>,
    /// When it had finished it, in nanoseconds after `began_at`.
    last_commit_ended: Arc<AtomicU64>,
    began_at: Instant,
    has_cores: bool,
}

impl Awake {
    pub(crate) fn new() -> Self {
        let has_cores = std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1);
        let last_commit = Arc::new(AtomicU64::new(u64::MAX));
        Self { last_commit, last_commit_ended: Arc::default(), began_at: Instant::now(), has_cores }
    }

    /// The writer took this long for a request that had its transaction to itself.
    pub(crate) fn note_commit(&self, took: Duration) {
        self.last_commit.store(nanoseconds(took), Ordering::Relaxed);
        self.last_commit_ended.store(nanoseconds(self.began_at.elapsed()), Ordering::Relaxed);
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
        let [took, ended] = [&self.last_commit, &self.last_commit_ended].map(|of| of.load(Ordering::Relaxed));
        let gap = self.began_at.elapsed().saturating_sub(Duration::from_nanos(ended));
        self.has_cores && gap <= ROW_GAP_MAX && Duration::from_nanos(took) < AWAKE_MAX
    }
}

fn nanoseconds(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
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

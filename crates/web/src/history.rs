use std::collections::HashMap;
use std::num::NonZero;
use std::sync::Arc;
use std::time::{Duration, Instant};

use longshore_core::{Clock, MinuteStats, StoreError, SystemClock};
use tokio::sync::Mutex;

use crate::shown::Shown;

/// The newest spans, which are read anew each time: the current one and the one before, whose last minutes may still be
/// written by outcomes that waited for a moment.
const OPEN_SPANS: u32 = 2;
/// How long older spans are shown as they were read. They change after all when a queue moves, when outcomes of an outage
/// are written, and when one of several databases can be reached again.
const KEPT: Duration = Duration::from_secs(60);

/// What ended in the last day or week. A week has 10,080 minutes of each queue, and most of them change no more, so their
/// sums are kept.
#[derive(Debug, Default)]
pub(crate) struct Histories {
    kept: Mutex<HashMap<ChartRange, Arc<Kept>>>,
}

/// The last `minutes` minutes, in spans of `per` minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ChartRange {
    pub(crate) minutes: u32,
    pub(crate) per: NonZero<u32>,
}

#[derive(Debug)]
struct Kept {
    read_at: Instant,
    /// The first minute of the first span that was still open.
    open_from: i64,
    /// The spans of all queues before it.
    finished: Vec<MinuteStats>,
}

impl Histories {
    /// What a user sees of the sums, in the order of the spans. Cancellation safe.
    pub(crate) async fn get(&self, shown: &Shown, range: ChartRange) -> Result<Vec<MinuteStats>, StoreError> {
        let width = i64::from(range.per.get());
        let open_from = (SystemClock::new().now().minute().div_euclid(width) - i64::from(OPEN_SPANS - 1)) * width;
        let kept = {
            // Whoever comes while all is read waits for that, and uses it.
            let mut kept = self.kept.lock().await;
            match kept.get(&range) {
                Some(kept) if kept.open_from == open_from && kept.read_at.elapsed() < KEPT => Arc::clone(kept),
                _ => {
                    let all = shown.history_of_all_queues(range.minutes, range.per).await?;
                    let finished = all.iter().filter(|span| span.minute.minute() < open_from).cloned().collect();
                    kept.insert(range, Arc::new(Kept { read_at: Instant::now(), open_from, finished }));
                    return Ok(shown.narrowed_history(all));
                }
            }
        };
        // One more, because the clock of the database may go ahead.
        let minutes = range.per.get().saturating_mul(OPEN_SPANS + 1).min(range.minutes);
        let open = shown.history_of_all_queues(minutes, range.per).await?;
        let open = open.into_iter().filter(|span| span.minute.minute() >= open_from);
        Ok(shown.narrowed_history(kept.finished.iter().cloned().chain(open).collect()))
    }
}

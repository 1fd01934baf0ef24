use std::collections::HashMap;
use std::num::NonZero;
use std::time::{Duration, Instant};

use longshore_core::{Clock, MinuteStats, StoreError, SystemClock};
use tokio::sync::Mutex;

use crate::shown::Shown;

/// The newest spans, which are read anew each time: the current one and the one before, whose last minutes may still be
/// written.
const OPEN_SPANS: u32 = 2;
/// How long older spans are shown as they were read. A queue that moves here brings its minutes.
const KEPT: Duration = Duration::from_secs(600);

/// What ended in the last day or week. A week has 10,080 minutes of each queue, and most of them change no more, so their
/// sums are kept.
#[derive(Debug, Default)]
pub(crate) struct Histories {
    kept: Mutex<HashMap<Range, Kept>>,
}

/// So many minutes until now, added up over spans of so many minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Range {
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
    pub(crate) async fn get(&self, shown: &Shown, range: Range) -> Result<Vec<MinuteStats>, StoreError> {
        let width = i64::from(range.per.get());
        let open_from = (SystemClock::new().now().minute().div_euclid(width) - i64::from(OPEN_SPANS - 1)) * width;
        let mut kept = self.kept.lock().await;
        let is_kept = kept.get(&range).is_some_and(|kept| kept.open_from == open_from && kept.read_at.elapsed() < KEPT);
        let all = if is_kept {
            // One more, because the clock of the database may go ahead.
            let minutes = range.per.get().saturating_mul(OPEN_SPANS + 1).min(range.minutes);
            let mut open = shown.history_of_all_queues(minutes, range.per).await?;
            open.retain(|span| span.minute.minute() >= open_from);
            kept[&range].finished.iter().cloned().chain(open).collect()
        } else {
            let all = shown.history_of_all_queues(range.minutes, range.per).await?;
            let finished = all.iter().filter(|span| span.minute.minute() < open_from).cloned().collect();
            kept.insert(range, Kept { read_at: Instant::now(), open_from, finished });
            all
        };
        Ok(shown.narrowed_history(all))
    }
}

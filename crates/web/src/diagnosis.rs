use std::sync::Arc;
use std::time::{Duration, Instant};

use longshore::schedule::Finding;
use longshore_core::{Health, LimitRow, ScheduleRecord, StoreError};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::shown::Shown;

/// How long a diagnosis is shown again.
const FRESH: Duration = Duration::from_secs(10);
/// How long it is shown while a new one is read. After that it may be of another time, such as the day before.
const USABLE: Duration = Duration::from_secs(60);
/// How long a page waits for a new one if it has an older one.
const WAIT: Duration = Duration::from_millis(20);
/// How long it waits if there is none.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// What the checks of `longshore doctor` read. It counts thousands of rows, so it is read beside the pages, not for each.
#[derive(Clone, Debug)]
pub(crate) struct Diagnosis {
    pub(crate) health: Health,
    /// Schedules with a problem and those that are paused.
    pub(crate) schedules: Vec<(ScheduleRecord, Vec<Finding>)>,
    /// The limits at which nothing can start.
    pub(crate) saturated: Vec<LimitRow>,
}

/// Reads at most one diagnosis at a time, however many users look.
#[derive(Debug, Default)]
pub(crate) struct Diagnoses {
    state: Mutex<Reading>,
}

#[derive(Debug, Default)]
struct Reading {
    last: Option<(Instant, Arc<Diagnosis>)>,
    /// When it was begun. It has an end: every read of it is one that `doctor` makes.
    next: Option<(Instant, JoinHandle<Result<Diagnosis, StoreError>>)>,
}

impl Diagnoses {
    /// What a user sees of the last diagnosis. None if it could not be read, or not in time. Cancellation safe: a
    /// reading that was begun goes on, and the next call gets it.
    pub(crate) async fn get(&self, shown: &Shown) -> Result<Option<Arc<Diagnosis>>, StoreError> {
        let last = self.state.lock().await.last(shown).await;
        match last {
            Some(diagnosis) => Ok(Some(shown.narrowed_diagnosis(diagnosis).await?)),
            None => Ok(None),
        }
    }
}

impl Reading {
    async fn last(&mut self, shown: &Shown) -> Option<Arc<Diagnosis>> {
        let age = self.last.as_ref().map(|(read_at, _)| read_at.elapsed());
        if age.is_none_or(|age| age >= FRESH) {
            self.read(shown, age.is_some_and(|age| age < USABLE)).await;
        }
        let (read_at, diagnosis) = self.last.as_ref()?;
        (read_at.elapsed() < USABLE).then(|| Arc::clone(diagnosis))
    }

    /// Begins to read one, or waits for the one that was begun.
    async fn read(&mut self, shown: &Shown, has_usable: bool) {
        let shown = shown.clone();
        let (begun_at, next) = self.next.get_or_insert_with(|| {
            (Instant::now(), tokio::spawn(async move { shown.diagnosis_of_all_queues().await }))
        });
        // Others wait for this call, so all of them together wait for the first one only once.
        let left = FIRST_WAIT.saturating_sub(begun_at.elapsed());
        let wait = if has_usable { WAIT } else { left.max(WAIT) };
        let Ok(read) = tokio::time::timeout(wait, next).await else { return };
        self.next = None;
        match read {
            Ok(Ok(diagnosis)) => self.last = Some((Instant::now(), Arc::new(diagnosis))),
            Ok(Err(error)) => tracing::warn!(error = %error, "what is wrong could not be read"),
            Err(error) => tracing::error!(error = %error, "reading what is wrong ended early"),
        }
    }
}

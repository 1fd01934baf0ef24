use std::sync::Arc;
use std::time::{Duration, Instant};

use longshore::schedule::Finding;
use longshore_core::{Health, LimitRow, ScheduleRecord, StoreError};
use longshore_migrate::Migrator;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::api::migrations;
use crate::state::WebState;

/// How long a diagnosis is shown again.
const FRESH: Duration = Duration::from_secs(10);
/// How long it is shown while a new one is read. After that it may be of another time, such as the day before.
const USABLE: Duration = Duration::from_secs(60);
/// How long a page waits for a new one if it has an older one.
const WAIT: Duration = Duration::from_millis(20);
/// How long it waits if there is none.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// How long a look at the schema counts.
const SCHEMA_FRESH: Duration = Duration::from_secs(30);

/// What the checks of `longshore doctor` read. It counts thousands of rows, so it is read beside the pages, not for each.
#[derive(Clone, Debug)]
pub(crate) struct Diagnosis {
    pub(crate) health: Health,
    /// Schedules with a problem and those that are paused.
    pub(crate) schedules: Vec<(ScheduleRecord, Vec<Finding>)>,
    /// The limits at which nothing can start.
    pub(crate) saturated: Vec<LimitRow>,
    /// None if the server shows no migrations.
    pub(crate) schema: Option<SchemaState>,
}

/// What `longshore migrate status` counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SchemaState {
    Read {
        /// In how many places the ledger, the files and the schema do not agree.
        differences: usize,
        pending: usize,
    },
    /// The first look has not ended.
    NotYet,
    Unreadable,
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
    schema: SchemaLook,
}

impl Diagnoses {
    /// What a user sees of the last diagnosis. None if it could not be read, or not in time. Cancellation safe: a
    /// reading that was begun goes on, and the next call gets it.
    pub(crate) async fn get(&self, state: &WebState) -> Result<Option<Arc<Diagnosis>>, StoreError> {
        let last = self.state.lock().await.last(state).await;
        match last {
            Some(diagnosis) => Ok(Some(state.shown().narrowed_diagnosis(diagnosis).await?)),
            None => Ok(None),
        }
    }
}

impl Reading {
    async fn last(&mut self, state: &WebState) -> Option<Arc<Diagnosis>> {
        let age = self.last.as_ref().map(|(read_at, _)| read_at.elapsed());
        if age.is_none_or(|age| age >= FRESH) {
            self.read(state, age.is_some_and(|age| age < USABLE)).await;
        }
        // It may have ended since.
        self.schema.hear(tokio::time::Instant::now()).await;
        let schema = self.schema.found();
        let (read_at, diagnosis) = self.last.as_mut()?;
        if diagnosis.schema != schema {
            *diagnosis = Arc::new(Diagnosis { schema, ..Diagnosis::clone(diagnosis) });
        }
        (read_at.elapsed() < USABLE).then(|| Arc::clone(diagnosis))
    }

    /// Begins to read one, or waits for the one that was begun.
    async fn read(&mut self, state: &WebState, has_usable: bool) {
        self.schema.begin(state);
        let shown = state.shown().clone();
        let (begun_at, next) = self.next.get_or_insert_with(|| {
            (Instant::now(), tokio::spawn(async move { shown.diagnosis_of_all_queues().await }))
        });
        // Others wait for this call, so all of them together wait for the first one only once.
        let left = FIRST_WAIT.saturating_sub(begun_at.elapsed());
        let wait = if has_usable { WAIT } else { left.max(WAIT) };
        let deadline = tokio::time::Instant::now() + wait;
        // First, because nothing may be awaited between the end of the other one and its place.
        self.schema.hear(deadline).await;
        let Ok(read) = tokio::time::timeout_at(deadline, next).await else { return };
        self.next = None;
        match read {
            Ok(Ok(diagnosis)) => self.last = Some((Instant::now(), Arc::new(diagnosis))),
            Ok(Err(error)) => tracing::warn!(error = %error, "what is wrong could not be read"),
            Err(error) => tracing::error!(error = %error, "reading what is wrong ended early"),
        }
    }
}

/// The last look at the schema. It is made beside the rest, because it replays the migrations, and waits for whoever has
/// locked a table.
#[derive(Debug, Default)]
struct SchemaLook {
    last: Option<(Instant, SchemaState)>,
    running: Option<JoinHandle<SchemaState>>,
}

impl SchemaLook {
    fn begin(&mut self, state: &WebState) {
        let is_fresh = self.last.is_some_and(|(looked_at, _)| looked_at.elapsed() < SCHEMA_FRESH);
        if state.settings().migrations.is_none() || self.running.is_some() || is_fresh {
            return;
        }
        let state = state.clone();
        self.running = Some(tokio::spawn(async move {
            match migrations::read(&state, Migrator::status).await {
                Ok(status) => {
                    SchemaState::Read { differences: migrations::differences(&status), pending: status.pending_count }
                }
                Err(_) => SchemaState::Unreadable,
            }
        }));
    }

    /// Waits for the look that is running.
    async fn hear(&mut self, deadline: tokio::time::Instant) {
        if let Some(running) = &mut self.running
            && let Ok(found) = tokio::time::timeout_at(deadline, running).await
        {
            self.running = None;
            self.last = Some((Instant::now(), found.unwrap_or(SchemaState::Unreadable)));
        }
    }

    fn found(&self) -> Option<SchemaState> {
        let last = self.last.map(|(_, found)| found);
        last.or_else(|| self.running.is_some().then_some(SchemaState::NotYet))
    }
}

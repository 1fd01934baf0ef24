use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::Extensions;
use axum::http::request::Parts;
use longshore::Queue;
use longshore::remote::{PolicyOf, RemoteWorkers};
use longshore_core::{JobData, JobId, MinuteStats, NewJob, StoreError};
use longshore_migrate::{Chains, Migrator};
use tokio::sync::{Mutex, MutexGuard, OwnedSemaphorePermit, Semaphore, watch};

use crate::access::Identify;
use crate::access::tokens::TokenAccess;
use crate::diagnosis::{Diagnoses, Diagnosis};
use crate::history::{ChartRange, Histories};
use crate::metrics::counters::Counters;
use crate::shown::Shown;
use crate::snapshot::{Snapshot, Snapshots};
use crate::{Access, Redaction};

/// What [`Web`](crate::Web) was told.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) users: Arc<dyn Identify>,
    /// If the users are the owners of tokens.
    pub(crate) tokens: Option<Arc<TokenAccess>>,
    /// Whether everybody is let in, so that only the host name keeps a foreign web page out.
    pub(crate) is_open: bool,
    pub(crate) is_read_only: bool,
    pub(crate) hosts: Vec<String>,
    /// Empty, or with a slash in front and none at the end.
    pub(crate) base_path: String,
    pub(crate) database: String,
    /// What is hidden from everybody.
    pub(crate) redaction: Redaction,
    /// What a job of a type is where a request does not say otherwise.
    pub(crate) defaults: Arc<dyn Fn(&str) -> NewJob + Send + Sync>,
    /// How the jobs of a type are retried, if that is known.
    pub(crate) policies: PolicyOf,
    /// In which of several databases a job is.
    pub(crate) place: Arc<dyn Fn(JobId) -> Option<Arc<str>> + Send + Sync>,
    pub(crate) migrations: Option<MigratorSource>,
}

/// Opens a migrator that only reads.
pub(crate) type MigratorSource = Arc<dyn Fn() -> Result<Migrator<'static>, MigratorError> + Send + Sync>;
/// Why it cannot.
pub(crate) type MigratorError = Box<dyn Error + Send + Sync>;

impl Settings {
    pub(crate) fn new(users: Arc<dyn Identify>) -> Self {
        Self {
            users,
            tokens: None,
            is_open: false,
            is_read_only: false,
            hosts: Vec::new(),
            base_path: String::new(),
            database: String::new(),
            redaction: Redaction::default(),
            defaults: Arc::new(|job_type| NewJob::new(job_type, JobData::default())),
            policies: Arc::new(|_| None),
            place: Arc::new(|_| None),
            migrations: None,
        }
    }

    /// Whether there is a page to log in at.
    pub(crate) fn has_log_in(&self) -> bool {
        self.tokens.is_some()
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("base_path", &self.base_path)
            .field("hosts", &self.hosts)
            .finish_non_exhaustive()
    }
}

/// What every request needs. Cheap to clone.
#[derive(Clone)]
pub(crate) struct WebState {
    shared: Arc<Shared>,
    /// The queue as the user of the request sees it.
    shown: Shown,
}

/// The state of the router. A handler cannot get at it: it asks for [`State`], which knows the user.
#[derive(Clone)]
pub(crate) struct Mounted(WebState);

impl Mounted {
    pub(crate) const fn new(state: WebState) -> Self {
        Self(state)
    }

    /// The state as the user of a request sees it; without a user it shows no queue.
    pub(crate) fn seen_by(&self, extensions: &Extensions) -> WebState {
        let shown = self.0.shown.seen_by(extensions.get::<Access>());
        WebState { shown, shared: Arc::clone(&self.0.shared) }
    }
}

/// The state as the user of the request sees it.
pub(crate) struct State(pub(crate) WebState);

impl FromRequestParts<Mounted> for State {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, mounted: &Mounted) -> Result<Self, Infallible> {
        Ok(Self(mounted.seen_by(&parts.extensions)))
    }
}

struct Shared {
    settings: Settings,
    secret: [u8; 32],
    closing: watch::Sender<bool>,
    streams: Arc<Semaphore>,
    polls: Arc<Semaphore>,
    remote: RemoteWorkers,
    snapshots: Snapshots,
    histories: Histories,
    diagnoses: Diagnoses,
    counters: Counters,
    /// Comparing a schema costs a connection and much reading, so one request does it at a time. What the files make is
    /// remembered, so that they are not replayed for each.
    migrating: Mutex<Chains>,
}

/// How many event streams may be open.
const STREAMS_MAX: usize = 256;
/// How many claims may wait, so that connections are left for what workers and people have to say.
const POLLS_MAX: usize = 512;

/// How long a server waits for the numbers from which its counters begin.
const COUNTING_MAX: Duration = Duration::from_secs(2);

/// A path below the base path, which is empty or has a slash in front. The page at the base path itself has no slash at
/// its end: there is no route and no cookie for that.
pub(crate) fn below(base: &str, path: &str) -> String {
    if path == "/" && !base.is_empty() { base.to_owned() } else { format!("{base}{path}") }
}

impl WebState {
    pub(crate) fn new(queue: &Queue, settings: Settings) -> Self {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).expect("the operating system gives random bytes");
        Self {
            shown: Shown::new(queue.clone(), settings.redaction.clone()),
            shared: Arc::new(Shared {
                remote: RemoteWorkers::new(queue, Arc::clone(&settings.policies)),
                polls: Arc::new(Semaphore::new(POLLS_MAX)),
                settings,
                secret,
                closing: watch::Sender::new(false),
                streams: Arc::new(Semaphore::new(STREAMS_MAX)),
                snapshots: Snapshots::default(),
                histories: Histories::default(),
                diagnoses: Diagnoses::default(),
                counters: Counters::default(),
                migrating: Mutex::default(),
            }),
        }
    }

    /// The queue, without what is hidden from the user. There is no other way to it, except for workers and tokens.
    pub(crate) fn shown(&self) -> &Shown {
        &self.shown
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    pub(crate) fn place_of(&self, id: JobId) -> Option<Arc<str>> {
        (self.shared.settings.place)(id)
    }

    /// A path of a page or an asset below the base path.
    pub(crate) fn path(&self, path: &str) -> String {
        below(&self.shared.settings.base_path, path)
    }

    /// Allows one more event stream, if there are not too many.
    pub(crate) fn stream_permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.shared.streams).try_acquire_owned().ok()
    }

    /// The workers over HTTP.
    pub(crate) fn remote(&self) -> &RemoteWorkers {
        &self.shared.remote
    }

    /// Allows one more claim to wait, if there are not too many.
    pub(crate) fn poll_permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.shared.polls).try_acquire_owned().ok()
    }

    /// The counts, read at most about once a second.
    pub(crate) async fn snapshot(&self) -> Result<Arc<Snapshot>, StoreError> {
        self.shared.snapshots.get(self.shown()).await
    }

    /// What ended in a range, whose finished spans are read once.
    pub(crate) async fn history(&self, range: ChartRange) -> Result<Vec<MinuteStats>, StoreError> {
        self.shared.histories.get(self.shown(), range).await
    }

    /// What is wrong, read at most about every ten seconds. None if it could not be read in time.
    pub(crate) async fn diagnosis(&self) -> Result<Option<Arc<Diagnosis>>, StoreError> {
        self.shared.diagnoses.get(self).await
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// Counts from now on what ends. If the database does not answer in time, the first scrape begins instead.
    pub(crate) async fn begin_counting(&self) {
        let Ok(all) = self.shown.all_queues("the metrics count") else { return };
        match tokio::time::timeout(COUNTING_MAX, self.counters().read(&all)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::warn!(code = error.code(), error = %error, "the metrics count from the first scrape");
            }
            Err(_) => tracing::warn!("the database is slow, so the metrics count from the first scrape"),
        }
    }

    /// Waits until no other request reads the state of the migrations.
    pub(crate) async fn migrating(&self) -> MutexGuard<'_, Chains> {
        self.shared.migrating.lock().await
    }

    /// Ends event streams and long polls, which would outlast every grace period.
    pub(crate) fn close(&self) {
        self.shared.closing.send_replace(true);
    }

    /// Resolves after [`WebState::close`]. Cancellation safe.
    pub(crate) async fn closed(&self) {
        // The sender is in the state itself, so it is still there.
        let _ = self.shared.closing.subscribe().wait_for(|closing| *closing).await;
    }

    /// Random bytes of this process, never shown.
    pub(crate) fn secret(&self) -> &[u8; 32] {
        &self.shared.secret
    }
}

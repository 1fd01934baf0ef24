use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use longshore_core::{StartedAttempt, WorkerId};

use crate::shared_files::{Refused, SharedFiles};
use crate::workers::started::StartedTable;

/// The longest name of a worker that is taken for a file name; our own have 23 characters.
const NAME_BYTES_MAX: usize = 64;
/// How long a worker is left alone when a job of its own could not be taken back.
const POSTPONED: Duration = Duration::from_secs(30);

/// The evidence of life: a locked file of its own for each worker, in a folder beside the database.
///
/// The operating system drops the lock when the process dies, whatever killed it. The database file itself is
/// never opened here: closing it would drop SQLite's own locks.
#[derive(Debug)]
pub(crate) struct Liveness {
    folder: PathBuf,
    shared: SharedFiles,
    own: RwLock<HashMap<WorkerId, Arc<OwnWorker>>>,
    seen: Mutex<HashMap<WorkerId, Seen>>,
    /// Dead workers with a job that cannot be taken from them, and when it is tried again.
    postponed: Mutex<HashMap<WorkerId, Duration>>,
}

/// A worker of this process.
#[derive(Debug)]
struct OwnWorker {
    /// Locked as long as it is open.
    file: File,
    lease: Duration,
    extended: Mutex<Duration>,
}

/// A heartbeat of another process's worker and when it was first seen here, by the monotonic clock.
#[derive(Clone, Copy, Debug)]
struct Seen {
    heartbeat_number: i64,
    since: Duration,
}

/// What the operating system says about a worker.
#[derive(Debug)]
pub(crate) enum Evidence {
    /// Its file is locked, or nobody can tell; only its lease can end it.
    Alive,
    /// Its process is gone. The file, if it is there, stays locked by us while its jobs are taken.
    Dead(Option<File>),
}

impl Liveness {
    pub(crate) fn new(database: &Path) -> Self {
        let mut folder = database.as_os_str().to_owned();
        folder.push("-workers");
        Self {
            folder: folder.into(),
            shared: SharedFiles::of(database),
            own: RwLock::default(),
            seen: Mutex::default(),
            postponed: Mutex::default(),
        }
    }

    /// Where the files are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes the worker's file and locks it. To be called before its row is written, or others would find it dead.
    pub(crate) fn register(&self, worker_id: &WorkerId, lease: Duration, now: Duration) -> Result<(), Refused> {
        let refused = |error: io::Error| Refused { path: self.folder.clone(), source: error };
        let path = self.file_of(worker_id).ok_or_else(|| refused(ErrorKind::InvalidFilename.into()))?;
        self.shared.folder(&self.folder)?;
        let file = self.shared.open(&path)?;
        file.try_lock().map_err(|error| refused(error.into()))?;
        file.set_len(0).map_err(refused)?;
        let worker = OwnWorker { file, lease, extended: Mutex::new(now) };
        self.own.write().unwrap_or_else(PoisonError::into_inner).insert(worker_id.clone(), Arc::new(worker));
        Ok(())
    }

    /// Notes that an attempt has begun. A note that cannot be written makes the attempt look as if it had not
    /// begun, so that a crash would not be counted; that is said, and the attempt goes on.
    pub(crate) fn mark_started(&self, worker_id: &WorkerId, attempt: StartedAttempt) {
        let Some(worker) = self.own(worker_id) else { return };
        if let Err(error) = StartedTable::note(&worker.file, attempt) {
            tracing::warn!(%worker_id, job_id = attempt.id.0, %error, "could not note the beginning of an attempt");
        }
    }

    /// Whether the lease of a worker of this process holds; of others nothing is known here.
    pub(crate) fn has_lease(&self, worker_id: &WorkerId, now: Duration) -> bool {
        self.own(worker_id).is_none_or(|worker| worker.has_lease(now))
    }

    /// The lease was extended at this time.
    pub(crate) fn extended(&self, worker_id: &WorkerId, at: Duration) {
        if let Some(worker) = self.own(worker_id) {
            *worker.extended() = at;
        }
    }

    /// Whether a worker is beyond its lease: of our own we know when it was extended; of another one the heartbeat
    /// must have stood still for a whole lease while we looked. The wall clock has no say in it.
    pub(crate) fn is_lease_over(
        &self,
        worker_id: &WorkerId,
        heartbeat_number: i64,
        lease: Duration,
        now: Duration,
    ) -> bool {
        if let Some(worker) = self.own(worker_id) {
            return !worker.has_lease(now);
        }
        let mut all_seen = self.seen();
        let seen = all_seen.entry(worker_id.clone()).or_insert(Seen { heartbeat_number, since: now });
        if seen.heartbeat_number != heartbeat_number {
            *seen = Seen { heartbeat_number, since: now };
        }
        now.saturating_sub(seen.since) >= lease
    }

    /// Leaves a worker alone for a while, because a job of its own cannot be taken back.
    pub(crate) fn postpone(&self, worker_id: &WorkerId, now: Duration) {
        self.postponed().insert(worker_id.clone(), now.saturating_add(POSTPONED));
    }

    pub(crate) fn is_postponed(&self, worker_id: &WorkerId, now: Duration) -> bool {
        self.postponed().get(worker_id).is_some_and(|until| now < *until)
    }

    /// Forgets heartbeats of workers that are registered no longer.
    pub(crate) fn keep_seen(&self, is_registered: impl Fn(&WorkerId) -> bool) {
        self.seen().retain(|worker_id, _| is_registered(worker_id));
        self.postponed().retain(|worker_id, _| is_registered(worker_id));
    }

    /// Asks the operating system whether the worker's process is there.
    pub(crate) fn probe(&self, worker_id: &WorkerId) -> Evidence {
        if self.own(worker_id).is_some() {
            return Evidence::Alive;
        }
        let Some(path) = self.file_of(worker_id) else { return Evidence::Dead(None) };
        let file = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Evidence::Dead(None),
            Err(_) => return Evidence::Alive,
        };
        match file.try_lock() {
            Ok(()) => Evidence::Dead(Some(file)),
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => Evidence::Alive,
        }
    }

    /// Which attempts of a worker had begun.
    pub(crate) fn started(&self, worker_id: &WorkerId, file: Option<&File>) -> StartedTable {
        match (self.own(worker_id), file) {
            (Some(worker), _) => StartedTable::read(&worker.file),
            (None, Some(file)) => StartedTable::read(file),
            (None, None) => self.started_in_file(worker_id),
        }
    }

    /// Removes the worker's file, and with it the lock.
    pub(crate) fn forget(&self, worker_id: &WorkerId) {
        self.own.write().unwrap_or_else(PoisonError::into_inner).remove(worker_id);
        self.seen().remove(worker_id);
        if let Some(path) = self.file_of(worker_id)
            && let Err(error) = fs::remove_file(path)
            && error.kind() != ErrorKind::NotFound
        {
            tracing::warn!(%worker_id, %error, "could not remove the file of a worker that has gone");
        }
    }

    /// Drops the locks of this process's workers, as its death does: whoever looks next gives their jobs back.
    pub(crate) fn release(&self) {
        self.own.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn started_in_file(&self, worker_id: &WorkerId) -> StartedTable {
        let file = self.file_of(worker_id).and_then(|path| File::open(path).ok());
        file.map_or(StartedTable::Unknown, |file| StartedTable::read(&file))
    }

    fn own(&self, worker_id: &WorkerId) -> Option<Arc<OwnWorker>> {
        self.own.read().unwrap_or_else(PoisonError::into_inner).get(worker_id).cloned()
    }

    fn postponed(&self) -> MutexGuard<'_, HashMap<WorkerId, Duration>> {
        self.postponed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<WorkerId, Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// None for a name that is no name of ours: it comes from a table that anybody may write, and must not lead
    /// out of the folder.
    fn file_of(&self, worker_id: &WorkerId) -> Option<PathBuf> {
        let name = worker_id.as_str();
        let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        (is_plain && !name.is_empty() && name.len() <= NAME_BYTES_MAX).then(|| self.folder.join(name))
    }
}

impl OwnWorker {
    fn has_lease(&self, now: Duration) -> bool {
        now.saturating_sub(*self.extended()) < self.lease
    }

    fn extended(&self) -> MutexGuard<'_, Duration> {
        self.extended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

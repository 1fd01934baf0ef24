pub(crate) mod boot_id;
pub(crate) mod liveness_file;
pub(crate) mod session;
pub(crate) mod started;

use std::collections::HashMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use longshore_core::{StartedAttempt, WorkerId};
use longshore_sqlite_file::{Refused, SharedFiles};
use tokio::sync::watch;

use crate::workers::liveness::liveness_file::{create, file_id, is_at, open_to_lock, open_to_read};
use crate::workers::liveness::session::SessionStanding;
use crate::workers::liveness::started::StartedTable;
use crate::workers::worker_row::FileRecord;

/// The longest worker id that is used as a file name; our own have 23 characters.
const NAME_BYTES_MAX: usize = 64;
/// The file of an unregistered worker counts as left behind at this age.
const LEFT_BEHIND: Duration = Duration::from_secs(60);

/// The liveness evidence: a locked file for each worker, in a folder beside the database.
///
/// The operating system drops the lock when the process dies, whatever the cause. The database file itself is never
/// opened here, because closing it would drop SQLite's own locks.
#[derive(Debug)]
pub(crate) struct Liveness {
    folder: PathBuf,
    shared: SharedFiles,
    boot_id: Option<Arc<str>>,
    own: RwLock<HashMap<WorkerId, Arc<OwnWorker>>>,
    /// How many sessions were begun.
    sessions: AtomicU64,
    /// How many files of other processes' workers were opened: the cost of a search for dead workers.
    probes: AtomicU64,
}

/// A worker of this store.
#[derive(Debug)]
struct OwnWorker {
    /// Locked as long as it is open.
    file: RwLock<File>,
    session: Mutex<OwnSession>,
}

/// The session of a worker's last registration.
#[derive(Debug)]
struct OwnSession {
    number: u64,
    is_lost: watch::Sender<bool>,
}

/// What the operating system shows about a worker.
#[derive(Debug)]
pub(crate) enum Evidence {
    /// It is a worker of this store.
    Own,
    /// Its file is locked. Only its lease can end it.
    Alive,
    /// Unknown: its file is missing, is no file, or is not the one that it created. Only its lease can end it.
    Unknown,
    /// Its process is gone. If the file exists, this process keeps it locked while the jobs are taken.
    Dead(Option<File>),
}

impl Liveness {
    pub(crate) fn new(database: &Path, boot_id: Option<Arc<str>>) -> Self {
        let mut folder = database.as_os_str().to_owned();
        folder.push("-workers");
        let (shared, own) = (SharedFiles::of(database), RwLock::default());
        Self { folder: folder.into(), shared, boot_id, own, sessions: AtomicU64::new(0), probes: AtomicU64::new(0) }
    }

    /// Makes the worker's file and locks it. A file of a worker of this store that was removed or replaced is made
    /// anew, with what it said. To be called before the worker's row is written, or others would find it dead.
    pub(crate) fn register(&self, worker_id: &WorkerId, slots: u32) -> Result<FileRecord, Refused> {
        if let Some(worker) = self.own(worker_id) {
            self.restore(worker_id, &worker)?;
            return Ok(self.record(&worker));
        }
        let file = self.make_file(worker_id, |file| StartedTable::begin(file, self.boot_id.as_deref(), slots))?;
        let worker = OwnWorker { file: RwLock::new(file), session: Mutex::new(self.new_session()) };
        let record = self.record(&worker);
        self.own.write().unwrap_or_else(PoisonError::into_inner).insert(worker_id.clone(), Arc::new(worker));
        Ok(record)
    }

    /// Begins a session of a worker that was registered, in place of its earlier one.
    pub(crate) fn begin_session(&self, worker_id: &WorkerId) -> SessionStanding {
        let session = self.new_session();
        let standing = SessionStanding { number: session.number, is_lost: session.is_lost.subscribe() };
        if let Some(worker) = self.own(worker_id) {
            *worker.session() = session;
        }
        standing
    }

    fn new_session(&self) -> OwnSession {
        OwnSession { number: self.sessions.fetch_add(1, Ordering::Relaxed), is_lost: watch::Sender::new(false) }
    }

    pub(crate) fn is_own(&self, worker_id: &WorkerId) -> bool {
        self.own.read().unwrap_or_else(PoisonError::into_inner).contains_key(worker_id)
    }

    pub(crate) fn own_workers(&self) -> Vec<WorkerId> {
        self.own.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// Looks whether the file of a worker of this store is where others look for it: its session is lost if not. Says
    /// what its row is to say.
    pub(crate) fn look_for_file(&self, worker_id: &WorkerId) -> FileRecord {
        let (Some(worker), Some(path)) = (self.own(worker_id), self.file_of(worker_id)) else {
            return FileRecord::default();
        };
        if !is_at(&worker.file(), &path) {
            worker.session().is_lost.send_replace(true);
        }
        self.record(&worker)
    }

    fn restore(&self, worker_id: &WorkerId, worker: &OwnWorker) -> Result<(), Refused> {
        let mut file = worker.file.write().unwrap_or_else(PoisonError::into_inner);
        if self.file_of(worker_id).is_none_or(|path| !is_at(&file, &path)) {
            *file = self.make_file(worker_id, |fresh| StartedTable::copy(&file, fresh))?;
        }
        Ok(())
    }

    fn make_file(&self, worker_id: &WorkerId, fill: impl FnOnce(&File) -> io::Result<()>) -> Result<File, Refused> {
        let refused = |error: io::Error| Refused { path: self.folder.clone(), source: error };
        let path = self.file_of(worker_id).ok_or_else(|| refused(ErrorKind::InvalidFilename.into()))?;
        if is_no_folder(&self.folder) {
            return Err(refused(ErrorKind::NotADirectory.into()));
        }
        self.shared.folder(&self.folder)?;
        create(&self.shared, &path, fill)
    }

    fn record(&self, worker: &OwnWorker) -> FileRecord {
        FileRecord { boot_id: self.boot_id.as_deref().map(str::to_owned), file_id: file_id(&worker.file()) }
    }

    /// Notes that attempts begin. When that cannot be written, every attempt of the worker counts as begun.
    pub(crate) fn mark_started(&self, worker_id: &WorkerId, attempts: &[StartedAttempt]) {
        let Some(worker) = self.own(worker_id) else { return };
        let file = worker.file();
        for attempt in attempts {
            let Err(error) = StartedTable::note(&file, *attempt) else { continue };
            crate::database::quiet::warning!(%worker_id, job_id = attempt.id.0, %error, "could not record the start of an attempt");
            if let Err(error) = StartedTable::spoil(&file) {
                crate::database::quiet::warning!(%worker_id, %error, "could not record that every attempt must count as started");
            }
        }
    }

    /// Asks the operating system whether the worker's process is alive.
    pub(crate) fn probe(&self, worker_id: &WorkerId, record: &FileRecord) -> Evidence {
        if self.is_own(worker_id) {
            return Evidence::Own;
        }
        // Such an id has no file, and no worker of ours could have it.
        let Some(path) = self.file_of(worker_id) else { return Evidence::Dead(None) };
        self.probes.fetch_add(1, Ordering::Relaxed);
        // An unlocked file that is not the worker's own proves nothing. But no process survives a restart of the
        // machine.
        let otherwise = if self.is_of_another_boot(record) { Evidence::Dead(None) } else { Evidence::Unknown };
        let Ok(file) = open_to_lock(&path) else { return otherwise };
        match file.try_lock() {
            Ok(()) if record.file_id.is_none_or(|id| file_id(&file) == Some(id)) => Evidence::Dead(Some(file)),
            Ok(()) => otherwise,
            Err(TryLockError::WouldBlock) => Evidence::Alive,
            Err(TryLockError::Error(_)) => Evidence::Unknown,
        }
    }

    fn is_of_another_boot(&self, record: &FileRecord) -> bool {
        match (&record.boot_id, &self.boot_id) {
            (Some(then), Some(now)) => **then != **now,
            _ => false,
        }
    }

    #[cfg(test)]
    pub(crate) fn probes(&self) -> u64 {
        self.probes.load(Ordering::Relaxed)
    }

    /// Which attempts of a worker had started.
    pub(crate) fn started(&self, worker_id: &WorkerId, file: Option<&File>) -> StartedTable {
        let boot_id = self.boot_id.as_deref();
        match (self.own(worker_id), file) {
            (Some(worker), _) => StartedTable::read(&worker.file(), boot_id),
            (None, Some(file)) => StartedTable::read(file, boot_id),
            (None, None) => StartedTable::Unknown,
        }
    }

    /// Which attempts of a worker that may still live had started: the content of its file, if the file is its own.
    pub(crate) fn started_in_file(&self, worker_id: &WorkerId, record: &FileRecord) -> StartedTable {
        let file = self.file_of(worker_id).and_then(|path| open_to_read(&path).ok());
        let is_its_own = |file: &File| record.file_id.is_none_or(|id| file_id(file) == Some(id));
        file.filter(is_its_own).map_or(StartedTable::Unknown, |file| self.started(worker_id, Some(&file)))
    }

    /// Removes the worker's file and with it the lock.
    pub(crate) fn forget(&self, worker_id: &WorkerId) {
        self.own.write().unwrap_or_else(PoisonError::into_inner).remove(worker_id);
        if let Some(path) = self.file_of(worker_id)
            && let Err(error) = fs::remove_file(path)
            && error.kind() != ErrorKind::NotFound
        {
            crate::database::quiet::warning!(%worker_id, %error, "could not remove the file of a worker that has gone");
        }
    }

    /// Removes the file of a worker of another process, unless its owner is still there.
    pub(crate) fn forget_unlocked(&self, worker_id: &WorkerId) {
        let file = self.file_of(worker_id).and_then(|path| open_to_read(&path).ok());
        if file.is_some_and(|file| file.try_lock().is_ok()) {
            self.forget(worker_id);
        }
    }

    /// Removes the files of workers that lost their lease and died before they came back. Such files are not
    /// registered, not locked, and older than a row that is not yet visible.
    pub(crate) fn sweep(&self, is_registered: impl Fn(&WorkerId) -> bool) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let worker_id = entry.file_name().to_str().map(WorkerId::from_stored);
            let is_needed = |worker_id: &WorkerId| is_registered(worker_id) || self.is_own(worker_id);
            if worker_id.as_ref().is_none_or(is_needed) || !is_old(&entry) {
                continue;
            }
            if open_to_read(&entry.path()).is_ok_and(|file| file.try_lock().is_ok()) {
                // A file that cannot be removed now is tried again.
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Drops the lock of a worker of this store, as its death does, but its jobs are given back unspent by whoever
    /// looks next. Only for the worker's present session; says whether it is that.
    pub(crate) fn give_up(&self, worker_id: &WorkerId, session: u64) -> bool {
        let left = {
            let mut own = self.own.write().unwrap_or_else(PoisonError::into_inner);
            let is_present = own.get(worker_id).is_some_and(|worker| worker.session().number == session);
            if is_present { own.remove(worker_id) } else { None }
        };
        let Some(worker) = left else { return false };
        if let Err(error) = StartedTable::abandon(&worker.file()) {
            crate::database::quiet::warning!(%worker_id, %error, "could not record that a worker ended");
        }
        true
    }

    /// Drops the locks of this store's workers, as its death would. The next search of any store returns their jobs.
    pub(crate) fn release(&self) {
        self.own.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn own(&self, worker_id: &WorkerId) -> Option<Arc<OwnWorker>> {
        self.own.read().unwrap_or_else(PoisonError::into_inner).get(worker_id).cloned()
    }

    /// `None` for an id that is not ours. It comes from a table that any program may write, and must not lead out of
    /// the folder.
    fn file_of(&self, worker_id: &WorkerId) -> Option<PathBuf> {
        let name = worker_id.as_str();
        let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        (is_plain && !name.is_empty() && name.len() <= NAME_BYTES_MAX).then(|| self.folder.join(name))
    }
}

/// Whether something else has the name of the folder: a file, or a link that leads to none or nowhere. It stays until
/// somebody removes it, so waiting cannot help. A folder that was removed just now is none of these.
fn is_no_folder(path: &Path) -> bool {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => !path.is_dir(),
        Ok(found) => !found.is_dir(),
        Err(_) => false,
    }
}

fn is_old(entry: &fs::DirEntry) -> bool {
    let modified = entry.metadata().ok().filter(fs::Metadata::is_file).and_then(|found| found.modified().ok());
    modified.and_then(|at| at.elapsed().ok()).is_some_and(|age| age >= LEFT_BEHIND)
}

impl OwnWorker {
    fn file(&self) -> std::sync::RwLockReadGuard<'_, File> {
        self.file.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn session(&self) -> MutexGuard<'_, OwnSession> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! The lock that lets one runner in at a time.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use longshore_migrate::target::{RunnerLock, TargetError};

/// How often a waiting runner looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(15);

/// An operating-system lock on a file beside the database: it goes with the process, so a crashed runner leaves none.
/// The file itself stays, because deleting it would let two runners lock two files of one name.
struct FileLock {
    _file: File,
}

impl RunnerLock for FileLock {}

/// For a database that no other process can open.
struct NoLock;

impl RunnerLock for NoLock {}

pub(super) fn take(database: Option<&Path>, wait: Duration) -> Result<Box<dyn RunnerLock>, TargetError> {
    let Some(database) = database else {
        return Ok(Box::new(NoLock));
    };
    let lock = path(database);
    let unusable = |source| TargetError::File { path: lock.clone(), source };
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&lock).map_err(unusable)?;
    let until = Instant::now() + wait;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Box::new(FileLock { _file: file })),
            Err(TryLockError::WouldBlock) if Instant::now() < until => thread::sleep(LOOK_AGAIN),
            Err(TryLockError::WouldBlock) => return Err(TargetError::Locked { lock }),
            Err(TryLockError::Error(source)) => return Err(unusable(source)),
        }
    }
}

/// Two paths to one database must meet at one lock, so links are followed.
fn path(database: &Path) -> PathBuf {
    let database = database.canonicalize().unwrap_or_else(|_| database.to_owned());
    let mut name = database.file_name().map(OsString::from).unwrap_or_default();
    name.push(".migrate.lock");
    database.with_file_name(name)
}

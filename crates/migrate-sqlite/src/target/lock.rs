//! The lock that lets one runner in at a time.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use longshore_migrate::{
    OutsideCause,
    target::{RunnerLock, TargetError},
};
use longshore_sqlite_file::SharedFiles;

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
    let file = SharedFiles::of(database).open(&lock);
    let file = file.map_err(|refused| unusable(refused.source, database, &lock))?;
    lock_within(&file, wait).map_err(|error| match error {
        TryLockError::WouldBlock => OutsideCause::RunnerBusy { lock }.into(),
        TryLockError::Error(source) => TargetError::File { path: lock, source },
    })?;
    Ok(Box::new(FileLock { _file: file }))
}

/// Waits until nobody holds the lock. Nothing is made: where there is no such file, there was never a runner.
pub(super) fn wait_for_it(database: &Path, wait: Duration) -> Result<(), TargetError> {
    let lock = path(database);
    // Who may not open the lock cannot tell, and is no worse off than without asking.
    let Ok(file) = OpenOptions::new().write(true).open(&lock) else { return Ok(()) };
    match lock_within(&file, wait) {
        Err(TryLockError::WouldBlock) => Err(OutsideCause::RunnerBusy { lock }.into()),
        _ => Ok(()),
    }
}

fn lock_within(file: &File, wait: Duration) -> Result<(), TryLockError> {
    let until = Instant::now() + wait;
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if Instant::now() < until => thread::sleep(LOOK_AGAIN),
            ended => return ended,
        }
    }
}

fn unusable(source: io::Error, database: &Path, lock: &Path) -> TargetError {
    match OutsideCause::of_io(database.display().to_string().into(), &source) {
        Some(cause) => cause.into(),
        None => TargetError::File { path: lock.to_owned(), source },
    }
}

/// Two paths to one database must meet at one lock, so links are followed.
fn path(database: &Path) -> PathBuf {
    let database = database.canonicalize().unwrap_or_else(|_| database.to_owned());
    let mut name = database.file_name().map(OsString::from).unwrap_or_default();
    name.push(".migrate.lock");
    database.with_file_name(name)
}

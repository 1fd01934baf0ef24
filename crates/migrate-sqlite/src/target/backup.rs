//! Copies the database aside before something is undone or repaired.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use longshore_migrate::{OutsideCause, target::TargetError};
use longshore_sqlite_file::FileAccess;
use rusqlite::{Connection, backup::Backup};

use super::stand_in;

/// So many backups are kept.
const KEPT: usize = 5;
/// Pages that are copied at a time.
const PAGES: std::ffi::c_int = 10_000;

/// `VACUUM INTO` a file beside the database, named by the instant. Only SQLite opens the database itself: a descriptor
/// of ours on it, closed, would drop this process's locks.
pub(super) fn make(connection: &Connection, database: &Path) -> Result<PathBuf, TargetError> {
    let context = FileAccess { database: database.display().to_string().into(), busy_timeout: super::BUSY_WAIT };
    let failed = |error| super::failed(&context, "VACUUM INTO", error);
    let now = "SELECT strftime('%Y%m%dT%H%M%f', 'now')";
    let instant: String = connection.query_row(now, [], |row| row.get(0)).map_err(failed)?;
    let prefix = prefix(database);
    let path = free_path(database, &format!("{prefix}{}", instant.replace('.', "")));
    copy(connection, &path).map_err(failed)?;
    let unusable = |source| match OutsideCause::of_io(path.display().to_string().into(), &source) {
        Some(cause) => cause.into(),
        None => TargetError::File { path: path.clone(), source },
    };
    File::open(&path).and_then(|file| file.sync_all()).map_err(unusable)?;
    prune(database, &prefix).map_err(unusable)?;
    Ok(path)
}

/// VACUUM writes every row again and for that calls the functions of generated columns and indexes. Where the
/// application has some of its own, the pages are copied as they are.
fn copy(connection: &Connection, path: &Path) -> rusqlite::Result<()> {
    let vacuumed = connection.execute("VACUUM INTO ?1", [path.to_string_lossy()]);
    let is_unknown = |error: &rusqlite::Error| {
        let message = stand_in::message(error);
        ["no such function", "unknown function", "no such collation", "no such module"]
            .iter()
            .any(|words| message.contains(words))
    };
    match vacuumed {
        Err(error) if is_unknown(&error) => {}
        vacuumed => return vacuumed.map(|_| ()),
    }
    // What the other way has begun.
    let _ = fs::remove_file(path);
    let mut target = Connection::open(path)?;
    Backup::new(connection, &mut target)?.run_to_completion(PAGES, Duration::ZERO, None)
}

fn prefix(database: &Path) -> String {
    let name = database.file_name().unwrap_or_default().to_string_lossy();
    format!("{name}.backup-")
}

/// Two backups in one millisecond get two names.
fn free_path(database: &Path, name: &str) -> PathBuf {
    let mut path = database.with_file_name(name);
    let mut copy = 1;
    while path.exists() {
        copy += 1;
        path = database.with_file_name(format!("{name}-{copy}"));
    }
    path
}

fn prune(database: &Path, prefix: &str) -> io::Result<()> {
    let directory = database.parent().filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut backups: Vec<PathBuf> = fs::read_dir(directory)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix)))
        .collect();
    backups.sort();
    let superfluous = backups.len().saturating_sub(KEPT);
    backups.into_iter().take(superfluous).try_for_each(fs::remove_file)
}

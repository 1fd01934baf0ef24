//! Copies the database aside before something is undone or repaired.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use longshore_migrate::{OutsideCause, target::TargetError};
use longshore_sqlite_file::{FileAccess, beside, folder_of};
use rusqlite::{Connection, backup::Backup};

use super::stand_in;

/// So many backups are kept.
const KEPT: usize = 5;
/// Pages that are copied at a time.
const PAGES: std::ffi::c_int = 10_000;
/// A copy that nobody has written to for so long belongs to a run that was killed.
const LEFT_AFTER: Duration = Duration::from_secs(60 * 60);

/// `VACUUM INTO` a file beside the database, named by the instant. Only SQLite opens the database itself: a descriptor
/// of ours on it, closed, would drop this process's locks.
///
/// The copy gets the name of a backup when it is whole and on disk. Otherwise failed copies would take the places of
/// good backups. After Err there is no new file.
pub(super) fn make(connection: &Connection, database: &Path) -> Result<PathBuf, TargetError> {
    let context = FileAccess { database: database.display().to_string().into(), busy_timeout: super::BUSY_WAIT };
    let failed = |error| super::failed(&context, "VACUUM INTO", error);
    let now = "SELECT strftime('%Y%m%dT%H%M%f', 'now')";
    let instant: String = connection.query_row(now, [], |row| row.get(0)).map_err(failed)?;
    let instant = instant.replace('.', "");
    // Before the copy, because they may be what fills the disk.
    remove_left(database);
    let unfinished = free_path(database, &format!("{}{instant}", unfinished_prefix(database)));
    let path = free_path(database, &format!("{}{instant}", prefix(database)));
    let unusable = |source| match OutsideCause::of_io(path.display().to_string().into(), &source) {
        Some(cause) => cause.into(),
        None => TargetError::File { path: path.clone(), source },
    };
    let copied = copy(connection, &unfinished).map_err(failed);
    let made = copied.and_then(|()| give_name(&unfinished, &path).map_err(unusable));
    if let Err(error) = made {
        remove(&unfinished);
        let _ = fs::remove_file(&path);
        return Err(error);
    }
    prune(database).map_err(unusable)?;
    Ok(path)
}

/// After a power cut there is a whole file of this name, or none.
fn give_name(unfinished: &Path, path: &Path) -> io::Result<()> {
    File::open(unfinished)?.sync_all()?;
    fs::rename(unfinished, path)?;
    if cfg!(unix) { File::open(folder_of(path))?.sync_all() } else { Ok(()) }
}

/// Removes a copy that is not whole, and the journal that SQLite may have left beside it.
fn remove(unfinished: &Path) {
    let _ = fs::remove_file(unfinished);
    let _ = fs::remove_file(beside(unfinished, "-journal"));
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
    format!("{}.backup-", name(database))
}

/// Earlier versions count every file with [`prefix`] as a backup, so this one is different.
fn unfinished_prefix(database: &Path) -> String {
    format!("{}.unfinished-backup-", name(database))
}

fn name(database: &Path) -> String {
    database.file_name().unwrap_or_default().to_string_lossy().into_owned()
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

/// Removes the copies of runs that were killed. What cannot be removed stays: it is in nobody's way.
fn remove_left(database: &Path) {
    for path in files_beside(database, &unfinished_prefix(database)).unwrap_or_default() {
        let modified = fs::metadata(&path).and_then(|found| found.modified()).ok();
        if modified.and_then(|at| at.elapsed().ok()).is_some_and(|age| age > LEFT_AFTER) {
            let _ = fs::remove_file(path);
        }
    }
}

fn prune(database: &Path) -> io::Result<()> {
    let prefix = prefix(database);
    let mut backups = files_beside(database, &prefix)?;
    backups.retain(|path| is_backup(path, &prefix));
    backups.sort();
    let superfluous = backups.len().saturating_sub(KEPT);
    backups.into_iter().take(superfluous).try_for_each(fs::remove_file)
}

/// Earlier versions left an empty file when a backup failed. Other programs may have files with a similar name, such as
/// the log of a backup that somebody has opened.
fn is_backup(path: &Path, prefix: &str) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_named = name.strip_prefix(prefix).is_some_and(|instant| {
        instant.chars().all(|character| character.is_ascii_digit() || matches!(character, 'T' | '-'))
    });
    is_named && fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() > 0)
}

fn files_beside(database: &Path, prefix: &str) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder_of(database))?.filter_map(|entry| Some(entry.ok()?.path()));
    Ok(entries.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix))).collect())
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    const ROWS: &str = "CREATE TABLE a (text TEXT);
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
        INSERT INTO a SELECT hex(zeroblob(100)) FROM n";

    struct Scene {
        folder: tempfile::TempDir,
        database: PathBuf,
    }

    impl Scene {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let database = folder.path().join("a.db");
            Connection::open(&database).unwrap().execute_batch(ROWS).unwrap();
            Self { folder, database }
        }

        fn make(&self) -> Result<PathBuf, TargetError> {
            make(&Connection::open(&self.database).unwrap(), &self.database)
        }

        fn write(&self, name: &str, content: &str) -> PathBuf {
            let path = self.folder.path().join(name);
            fs::write(&path, content).unwrap();
            path
        }

        fn files(&self) -> usize {
            fs::read_dir(self.folder.path()).unwrap().count()
        }
    }

    #[test]
    fn a_backup_that_fails_leaves_no_file() {
        let scene = Scene::new();
        let mut content = fs::read(&scene.database).unwrap();
        // The schema can be read, but some pages of the table cannot.
        content[4096 * 4..4096 * 6].fill(0x55);
        fs::write(&scene.database, content).unwrap();

        scene.make().unwrap_err();

        assert_eq!(scene.files(), 1, "only the database");
    }

    #[test]
    fn a_file_that_is_no_whole_backup_neither_counts_as_one_nor_is_removed_as_one() {
        let scene = Scene::new();
        let others = ["99990101T000000000", "99990101T000000000-wal", "of-mine"];
        let others = others.map(|ending| scene.write(&format!("a.db.backup-{ending}"), ""));
        for day in 2..9 {
            scene.write(&format!("a.db.backup-9999010{day}T000000000"), "");
        }

        let made: Vec<PathBuf> = (0..KEPT + 2).map(|_| scene.make().unwrap()).collect();

        assert!(made[2..].iter().chain(&others).all(|path| path.exists()));
        assert!(!made[..2].iter().any(|path| path.exists()));
    }

    #[test]
    fn the_copy_of_a_run_that_was_killed_is_removed_when_it_is_old() {
        let scene = Scene::new();
        let [old, new] = ["1", "2"].map(|ending| scene.write(&format!("a.db.unfinished-backup-{ending}"), "half"));
        let before = SystemTime::now() - 2 * LEFT_AFTER;
        File::options().write(true).open(&old).unwrap().set_modified(before).unwrap();

        scene.make().unwrap();

        assert!(!old.exists() && new.exists());
    }
}

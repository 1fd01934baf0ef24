use std::fs::{self, File};
use std::io;
use std::path::Path;

use longshore_core::StoreError;
use longshore_sqlite::schema::latest_up;

/// Makes a database where there is none, whole or not at all: it is made under another name and gets its own when
/// it is complete. A process that is killed meanwhile leaves no half of a database, and of several that make it at
/// once one succeeds and the others find it there; that is no error.
pub(super) fn create(path: &Path) -> anyhow::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let workshop =
        tempfile::Builder::new().prefix(".longshore-new-").tempdir_in(folder).map_err(|error| explain(path, error))?;
    let made = workshop.path().join("database");
    latest_up(&made)?;
    match publish(&made, path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        // A file system without hard links: what is left is to make it in its place.
        Err(_) => return latest_up(path).map(|_| ()).map_err(Into::into),
    }
    // The name has to survive a power cut, too, before a job in the database is acknowledged.
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| explain(path, error))
}

/// A link, because a rename would replace what somebody else has made meanwhile. Nobody has the file open now: the
/// migrations have closed it, and its log with it.
fn publish(made: &Path, path: &Path) -> io::Result<()> {
    fs::hard_link(made, path)
}

fn explain(path: &Path, error: io::Error) -> anyhow::Error {
    let database = path.display().to_string().into();
    let error = match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => StoreError::ReadOnly { database },
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full { database },
        _ => StoreError::Unreachable { database, source: error.into() },
    };
    error.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_appears_whole_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jobs.db");
        create(&path).unwrap();
        create(&path).unwrap();
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["jobs.db"]);
    }
}

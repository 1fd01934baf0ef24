use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Creates files and folders beside the database that every user of the database can open. They get the owner, group
/// and mode of the database, as SQLite does for the write-ahead log. Otherwise a worker that root ran once would lock
/// out the service's own user.
#[derive(Debug)]
pub struct SharedFiles {
    database: PathBuf,
}

/// A file or folder that could not be created or opened.
#[derive(Debug)]
pub struct Refused {
    /// The file or folder.
    pub path: PathBuf,
    /// The error of the operating system.
    pub source: io::Error,
}

impl SharedFiles {
    /// Files beside the database at that path.
    pub fn of(database: &Path) -> Self {
        Self { database: database.to_owned() }
    }

    /// Creates the folder if it does not exist. Corrects the owner of a folder that an earlier version left to another
    /// user, if this process may.
    pub fn folder(&self, folder: &Path) -> Result<(), Refused> {
        match fs::create_dir(folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(Refused::at(folder, error)),
            _ => self.share(folder),
        }
        Ok(())
    }

    /// Opens a file for reading and writing. Creates it if it does not exist.
    pub fn open(&self, path: &Path) -> Result<File, Refused> {
        let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path);
        let file = file.map_err(|error| Refused::at(path, error))?;
        self.share(path);
        Ok(file)
    }

    /// Shares as far as this process may. A process that cannot open the file reports that itself.
    fn share(&self, path: &Path) {
        let (Ok(database), Ok(found)) = (fs::metadata(&self.database), fs::metadata(path)) else { return };
        give(path, &found, &database);
    }
}

impl Refused {
    fn at(path: &Path, source: io::Error) -> Self {
        Self { path: path.to_owned(), source }
    }
}

#[cfg(unix)]
fn give(path: &Path, found: &Metadata, database: &Metadata) {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    if (found.uid(), found.gid()) != (database.uid(), database.gid()) {
        // Only root may change the owner. A member of the database's group may at least set the group.
        let given = chown(path, Some(database.uid()), Some(database.gid()));
        let _ = given.or_else(|_| chown(path, None, Some(database.gid())));
    }
    let mode = shared_mode(database.mode(), found.is_dir());
    if found.mode() & 0o777 != mode {
        let _ = fs::set_permissions(path, Permissions::from_mode(mode));
    }
}

#[cfg(not(unix))]
fn give(_: &Path, _: &Metadata, _: &Metadata) {}

/// The mode for a shared file. Whoever may read the database may enter the folder.
#[cfg(unix)]
const fn shared_mode(database: u32, is_folder: bool) -> u32 {
    let mode = database & 0o666;
    if is_folder { mode | (mode & 0o444) >> 2 } else { mode }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    #[test]
    fn who_may_read_the_database_may_enter_and_who_may_write_it_may_make_files() {
        let table = [(0o600, 0o600, 0o700), (0o640, 0o640, 0o750), (0o660, 0o660, 0o770), (0o664, 0o664, 0o775)];
        for (database, file, folder) in table {
            assert_eq!((shared_mode(database, false), shared_mode(database, true)), (file, folder), "{database:o}");
        }
    }

    #[test]
    fn what_is_made_and_what_was_there_take_the_mode_of_the_database() {
        let place = tempfile::tempdir().unwrap();
        let database = place.path().join("a.db");
        fs::write(&database, "").unwrap();
        fs::set_permissions(&database, Permissions::from_mode(0o660)).unwrap();
        let (shared, folder) = (SharedFiles::of(&database), place.path().join("a.db-workers"));
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();

        shared.folder(&folder).unwrap();
        shared.open(&folder.join("w")).unwrap();

        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&folder.join("w"))), (0o770, 0o660));
    }
}

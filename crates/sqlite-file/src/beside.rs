use std::path::{Path, PathBuf};

/// The path of a file that SQLite keeps beside the database, by its ending: `-wal`, `-shm` or `-journal`.
pub fn beside(database: &Path, ending: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

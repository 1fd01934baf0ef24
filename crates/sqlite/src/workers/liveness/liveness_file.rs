use std::fs::{self, File, Metadata};
use std::io;
use std::path::Path;

use longshore_sqlite_file::{Refused, SharedFiles};

/// Creates a locked file at `path`, in place of whatever is there. It is locked and filled before it gets its name, so
/// that nobody ever finds it unlocked.
pub(crate) fn create(
    shared: &SharedFiles,
    path: &Path,
    fill: impl FnOnce(&File) -> io::Result<()>,
) -> Result<File, Refused> {
    let fresh = path.with_extension("new");
    let file = shared.open(&fresh)?;
    let made = file.try_lock().map_err(io::Error::from).and_then(|()| fill(&file)).and_then(|()| {
        // An empty folder there would block the name.
        let _ = fs::remove_dir(path);
        fs::rename(&fresh, path)
    });
    if made.is_err() {
        let _ = fs::remove_file(&fresh);
    }
    made.map(|()| file).map_err(|error| Refused { path: path.to_owned(), source: error })
}

/// The number by which the file system identifies a file. `None` if the standard library does not provide it.
pub(crate) fn file_id(file: &File) -> Option<i64> {
    file.metadata().ok().as_ref().and_then(number)
}

/// Whether this file is the one at `path`. Uses a stat, which opens nothing.
pub(crate) fn is_at(file: &File, path: &Path) -> bool {
    let Ok(there) = fs::metadata(path) else { return false };
    file_id(file) == number(&there)
}

#[cfg(unix)]
fn number(found: &Metadata) -> Option<i64> {
    Some(std::os::unix::fs::MetadataExt::ino(found).cast_signed())
}

#[cfg(not(unix))]
fn number(_found: &Metadata) -> Option<i64> {
    None
}

use std::fs::{self, File, Metadata, OpenOptions};
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

/// Opens the file of a worker for reading. Nothing else that has its name, because opening a named pipe waits for its
/// other end.
pub(crate) fn open_to_read(path: &Path) -> io::Result<File> {
    open(path, OpenOptions::new().read(true))
}

/// The same for reading and writing.
pub(crate) fn open_to_lock(path: &Path) -> io::Result<File> {
    open(path, OpenOptions::new().read(true).write(true))
}

fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    check_kind(&fs::metadata(path)?)?;
    // The name may have got another file since. A regular file ignores the flag.
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    }
    let file = options.open(path)?;
    check_kind(&file.metadata()?)?;
    Ok(file)
}

fn check_kind(found: &Metadata) -> io::Result<()> {
    if found.is_file() { Ok(()) } else { Err(io::ErrorKind::InvalidInput.into()) }
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

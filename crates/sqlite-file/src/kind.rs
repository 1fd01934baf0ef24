use std::fs::{self, Metadata};
use std::path::Path;
use std::sync::Arc;

use longshore_cause::OutsideCause;
use rusqlite::Connection;

use crate::mount_point::is_mount_point;
use crate::moved::has_moved;
use crate::write_access::folder_of;

/// Rejects a path that is not a regular file, or has two names, before anything opens it. Opening a named pipe would
/// wait for its other end, and SQLite would create a second log for a second name. A file that is mounted by itself has
/// another name where it was mounted from.
pub fn check_kind(path: &Path, found: &Metadata, database: &Arc<str>) -> Result<(), OutsideCause> {
    let database = Arc::clone(database);
    if let Some(kind) = kind(found) {
        return Err(OutsideCause::NotAFile { database, kind });
    }
    match link_count(found) {
        links if links > 1 => Err(OutsideCause::HardLinked { database, links }),
        _ if is_mount_point(path) => Err(OutsideCause::MountedFile { database }),
        _ => Ok(()),
    }
}

/// What the path is, if it is not a regular file.
fn kind(found: &Metadata) -> Option<&'static str> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let kind = found.file_type();
        if kind.is_fifo() {
            return Some("a named pipe");
        }
        if kind.is_socket() {
            return Some("a socket");
        }
        if kind.is_char_device() || kind.is_block_device() {
            return Some("a device");
        }
    }
    found.is_dir().then_some("a folder")
}

/// Checks that a caller's connection uses the file at its path, and that the file has one name.
pub fn check_connection(connection: &Connection, database: &Arc<str>) -> Result<(), OutsideCause> {
    if has_moved(connection) {
        return Err(OutsideCause::Moved { database: Arc::clone(database) });
    }
    let Some(path) = connection.path().filter(|path| !path.is_empty()).map(Path::new) else { return Ok(()) };
    match fs::metadata(path) {
        Ok(found) => check_kind(path, &found, database),
        Err(_) => Ok(()),
    }
}

/// SQLite creates files, but no folders.
pub fn check_folder(path: &Path) -> Result<(), OutsideCause> {
    let folder = folder_of(path);
    if folder.is_dir() { Ok(()) } else { Err(OutsideCause::NoFolder { folder: folder.to_owned() }) }
}

/// The number of names of the file.
#[cfg(unix)]
pub fn link_count(found: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(found)
}

/// The number of names of the file. This system does not report it.
#[cfg(not(unix))]
pub fn link_count(_: &Metadata) -> u64 {
    1
}

//! The limit on the size of the files that this process writes.

use std::path::{Path, PathBuf};

use crate::beside::beside;

/// The most that SQLite writes at once: a page.
const WRITE_BYTES_MAX: u64 = 64 * 1024;

/// Whether a file of the database has reached the limit on the size of files, or would with the next write.
#[cfg(unix)]
pub(crate) fn is_size_limit_reached(database: &Path) -> bool {
    use rustix::process::{Resource, getrlimit};
    let Some(limit) = getrlimit(Resource::Fsize).current else { return false };
    is_any_as_long_as(database, limit)
}

#[cfg(not(unix))]
pub(crate) fn is_size_limit_reached(_: &Path) -> bool {
    false
}

#[cfg_attr(not(unix), allow(dead_code, reason = "only Unix has this limit"))]
fn is_any_as_long_as(database: &Path, limit: u64) -> bool {
    let has_no_room =
        |path: PathBuf| std::fs::metadata(path).is_ok_and(|found| found.len().saturating_add(WRITE_BYTES_MAX) > limit);
    ["", "-wal", "-shm", "-journal"].into_iter().any(|ending| has_no_room(beside(database, ending)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_beside_the_database_that_has_no_room_left_is_found() {
        let place = tempfile::tempdir().unwrap();
        let database = place.path().join("a.db");
        std::fs::write(&database, [0; 100]).unwrap();
        std::fs::write(place.path().join("a.db-wal"), [0; 3000]).unwrap();
        assert!(is_any_as_long_as(&database, 3000));
        assert!(is_any_as_long_as(&database, WRITE_BYTES_MAX + 2999));
        assert!(!is_any_as_long_as(&database, WRITE_BYTES_MAX + 3000));
    }
}

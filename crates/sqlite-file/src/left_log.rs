use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use longshore_cause::OutsideCause;

use crate::beside::beside;
use crate::write_access::folder_of;

/// How many symbolic links are followed to the file: as many as Linux follows.
const LINKS_MAX: usize = 40;
/// The first bytes of a rollback journal that SQLite would play back: <https://www.sqlite.org/fileformat2.html>.
const JOURNAL_MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

/// Rejects a path with no database but a log of one. SQLite would delete that log, and with it what was committed to
/// the database that was moved away. To be called before anything opens the path.
pub fn check_left_log(path: &Path) -> Result<(), OutsideCause> {
    let path = follow_links(path);
    let Some(log) = log_beside(&path) else { return Ok(()) };
    // The log was looked at first. Otherwise the log of a database that is just being created would be rejected.
    if is_missing_or_empty(&path) { Err(OutsideCause::LogLeft { log }) } else { Ok(()) }
}

/// The file that a symbolic link leads to, even if it does not exist yet. Its lock and its log must be beside the file,
/// whichever link was used.
pub fn follow_links(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        let Ok(target) = fs::read_link(&path) else { break };
        path = folder_of(&path).join(target);
    }
    path
}

/// The write-ahead log or rollback journal of a database with content.
fn log_beside(database: &Path) -> Option<PathBuf> {
    let (log, journal) = (beside(database, "-wal"), beside(database, "-journal"));
    if fs::metadata(&log).is_ok_and(|found| found.is_file() && found.len() > 0) {
        return Some(log);
    }
    is_journal_of_content(&journal).then_some(journal)
}

/// Whether SQLite needs this journal to undo what a killed program did. The journal of a database that is just being
/// created says that the database had no pages before.
fn is_journal_of_content(journal: &Path) -> bool {
    if !fs::metadata(journal).is_ok_and(|found| found.is_file()) {
        return false;
    }
    let mut header = [0_u8; 20];
    let read = File::open(journal).and_then(|mut file| file.read_exact(&mut header));
    // The magic, two numbers of four bytes, and how many pages the database had.
    read.is_ok() && header.starts_with(&JOURNAL_MAGIC) && header[16..].iter().any(|byte| *byte != 0)
}

fn is_missing_or_empty(path: &Path) -> bool {
    match fs::metadata(path) {
        Ok(found) => found.is_file() && found.len() == 0,
        Err(error) => error.kind() == ErrorKind::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal(pages: u8) -> Vec<u8> {
        let mut header = JOURNAL_MAGIC.to_vec();
        header.extend([0, 0, 0, 1, 1, 2, 3, 4, 0, 0, 0, pages]);
        header
    }

    fn is_rejected(path: &Path) -> bool {
        matches!(check_left_log(path), Err(OutsideCause::LogLeft { .. }))
    }

    #[test]
    fn a_log_with_content_beside_no_database_is_rejected() {
        let folder = tempfile::tempdir().unwrap();
        let (path, log) = (folder.path().join("a.db"), folder.path().join("a.db-wal"));
        assert!(!is_rejected(&path));
        fs::write(&log, "").unwrap();
        assert!(!is_rejected(&path), "nothing is in the log");

        fs::write(&log, "frames").unwrap();
        assert!(is_rejected(&path), "the file is missing");
        fs::write(&path, "").unwrap();
        assert!(is_rejected(&path), "the file is empty");
        fs::write(&path, "content").unwrap();
        assert!(!is_rejected(&path));
    }

    #[test]
    fn a_journal_is_rejected_only_if_its_database_had_content() {
        let folder = tempfile::tempdir().unwrap();
        let (path, log) = (folder.path().join("a.db"), folder.path().join("a.db-journal"));
        for (content, expected) in [(journal(2), true), (journal(0), false), (vec![0; 512], false), (vec![1], false)] {
            fs::write(&log, content).unwrap();
            assert_eq!(is_rejected(&path), expected);
        }
    }

    #[cfg(unix)]
    #[test]
    fn the_log_is_beside_the_file_that_a_link_leads_to() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link.db");
        std::os::unix::fs::symlink("a.db", &link).unwrap();
        fs::write(folder.path().join("a.db-wal"), "frames").unwrap();

        assert!(is_rejected(&link));
    }
}

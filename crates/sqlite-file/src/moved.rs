use rusqlite::Connection;

/// Whether the path of an open connection no longer leads to its file. It asks SQLite, which opens nothing.
#[cfg(unix)]
pub fn has_moved(connection: &Connection) -> bool {
    // From version 0.41 on, rusqlite's own names hide those of `before_0_41`.
    #[allow(unused_imports, reason = "rusqlite has its own from 0.41 on")]
    use before_0_41::Ask as _;
    #[allow(unused_imports, reason = "rusqlite has its own from 0.41 on")]
    use before_0_41::*;
    {
        #[allow(unused_imports, reason = "FileControl is the one that this version needs")]
        use rusqlite::*;

        let mut answer = 0;
        let asked = connection.file_control(None::<&str>, FileControl::HasMoved(&mut answer));
        asked.is_ok() && answer != 0
    }
}

/// Whether the path of an open connection no longer leads to its file. On this system an open file cannot be moved.
#[cfg(not(unix))]
pub fn has_moved(_: &Connection) -> bool {
    false
}

/// The same question for versions of rusqlite that cannot ask SQLite.
#[cfg(unix)]
#[allow(dead_code, reason = "rusqlite has its own from 0.41 on")]
mod before_0_41 {
    use std::fs::{self, Metadata};
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;

    use rusqlite::Connection;

    pub(super) enum FileControl<'a> {
        HasMoved(&'a mut i32),
    }

    pub(super) trait Ask {
        fn file_control(&self, schema: Option<&str>, question: FileControl<'_>) -> rusqlite::Result<()>;
    }

    impl Ask for Connection {
        fn file_control(&self, _: Option<&str>, question: FileControl<'_>) -> rusqlite::Result<()> {
            let FileControl::HasMoved(answer) = question;
            let path = self.path().filter(|path| !path.is_empty());
            *answer = i32::from(path.is_some_and(|path| leads_elsewhere(Path::new(path))));
            Ok(())
        }
    }

    /// Whether the file at the path is none of those that this process has open. Nothing is opened for that, because
    /// closing a descriptor on the database would drop SQLite's locks. Where the open files cannot be listed, the
    /// answer is no.
    pub(super) fn leads_elsewhere(path: &Path) -> bool {
        let Ok(found) = fs::metadata(path) else {
            return true;
        };
        let open = ["/proc/self/fd", "/dev/fd"].into_iter().find_map(|folder| fs::read_dir(folder).ok());
        let Some(open) = open else { return false };
        let is_same = |other: Metadata| (other.dev(), other.ino()) == (found.dev(), found.ino());
        !open.flatten().any(|entry| fs::metadata(entry.path()).is_ok_and(is_same))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::{self, File};

    use super::before_0_41::leads_elsewhere;
    use super::*;

    #[test]
    fn a_file_that_was_moved_or_replaced_is_noticed_with_every_version() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch("CREATE TABLE a (a)").unwrap();
        assert!(!has_moved(&connection) && !leads_elsewhere(&path));

        fs::rename(&path, folder.path().join("b.db")).unwrap();
        assert!(has_moved(&connection) && leads_elsewhere(&path), "nothing is at the path");

        drop(File::create(&path).unwrap());
        assert!(has_moved(&connection) && leads_elsewhere(&path), "another file is at the path");

        fs::remove_file(&path).unwrap();
        fs::rename(folder.path().join("b.db"), &path).unwrap();
        assert!(!has_moved(&connection) && !leads_elsewhere(&path));
    }
}

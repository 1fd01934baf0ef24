#[cfg(target_os = "linux")]
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Weak};

#[cfg(target_os = "linux")]
use crate::database::fault::panic_message;
use crate::writing::hints::Hints;
use crate::writing::work::Message;

/// Makes the operating system report writes to the write-ahead log, so that an idle store does not have to poll often.
/// It opens no file.
///
/// If this is not possible, nothing happens: the writer continues to poll at short intervals.
#[cfg(target_os = "linux")]
pub(crate) fn watch_log(database: &Path, hints: &Arc<Hints>, writer: Sender<Message>) {
    let (Some(folder), Some(name)) = (database.parent(), database.file_name()) else { return };
    let Ok(notices) = linux::Notices::of(folder, name) else { return };
    let listeners = Arc::downgrade(hints);
    let spawned = std::thread::Builder::new().name("longshore-watch".to_owned()).spawn(move || {
        let listened = catch_unwind(AssertUnwindSafe(|| linux::listen(&notices, &listeners, &writer)));
        if let (Err(payload), Some(hints)) = (listened, listeners.upgrade()) {
            // From now on the writer polls.
            hints.set_log_unwatched();
            crate::database::quiet::error!(panic = panic_message(payload.as_ref()), "the watch on the log panicked");
        }
    });
    if spawned.is_ok() {
        hints.set_log_watched();
    }
}

/// On other systems the writer polls at short intervals.
#[cfg(not(target_os = "linux"))]
pub(crate) fn watch_log(_database: &Path, _hints: &Arc<Hints>, _writer: Sender<Message>) {}

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::{OsStr, OsString};
    use std::mem::MaybeUninit;
    use std::os::fd::OwnedFd;
    use std::os::unix::ffi::OsStrExt;
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::fs::inotify::{CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init};
    use rustix::io::Errno;

    use super::{Hints, Message, Sender, Weak};

    /// The longest time that the thread outlives its store.
    const PATIENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 500_000_000 };
    /// A busy log is written many times in a millisecond. One notice for all of them is enough.
    const REST: Duration = Duration::from_millis(1);
    /// Space for several notices with the longest file names.
    const BUFFER_BYTES: usize = 4096;

    /// Notices of writes to the log, and of names in its folder. It requests one notice of a write at a time, because each
    /// costs the writing process, which is usually this one, some microseconds. The request goes to the log and not to the
    /// folder, where it would cost the system a step for each name that it remembers there, however many those are.
    pub(super) struct Notices {
        inotify: OwnedFd,
        folder: i32,
        database: OsString,
        log: PathBuf,
        /// The index of the log. It is written through memory, so there are no notices of writes to it.
        index: OsString,
    }

    /// Events that may give a name to another file. After those, the writer checks at once whether its file has moved.
    const NAME_EVENTS: WatchFlags = WatchFlags::CREATE
        .union(WatchFlags::DELETE)
        .union(WatchFlags::MOVED_FROM)
        .union(WatchFlags::MOVED_TO)
        .union(WatchFlags::ATTRIB);
    /// The folder is elsewhere or gone: the names in it are no longer those of the database.
    const FOLDER_GONE: ReadFlags =
        ReadFlags::DELETE_SELF.union(ReadFlags::MOVE_SELF).union(ReadFlags::UNMOUNT).union(ReadFlags::IGNORED);

    impl Notices {
        pub(super) fn of(folder: &Path, database: &OsStr) -> Result<Self, Errno> {
            let inotify = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
            let [log, index] = ["-wal", "-shm"].map(|ending| {
                let mut name = database.to_owned();
                name.push(ending);
                name
            });
            let (database, log) = (database.to_owned(), folder.join(log));
            // Before the log, so that one that is made in between is noticed by its name.
            let events = NAME_EVENTS.union(WatchFlags::DELETE_SELF).union(WatchFlags::MOVE_SELF);
            let folder = add_watch(&inotify, folder, events)?;
            let notices = Self { inotify, folder, database, log, index };
            notices.ask()?;
            Ok(notices)
        }

        /// Requests the next notice of a write. If there is no log, the folder tells when there is one.
        fn ask(&self) -> Result<(), Errno> {
            match add_watch(&self.inotify, &self.log, WatchFlags::MODIFY.union(WatchFlags::ONESHOT)) {
                Ok(_) | Err(Errno::NOENT) => Ok(()),
                Err(error) => Err(error),
            }
        }

        /// Waits for a while. Returns whether a notice came.
        fn wait(&self) -> Result<bool, Errno> {
            match poll(&mut [PollFd::new(&self.inotify, PollFlags::IN)], Some(&PATIENCE)) {
                Ok(ready) => Ok(ready > 0),
                Err(Errno::INTR) => Ok(false),
                Err(error) => Err(error),
            }
        }

        /// Reads the notices. Returns whether the log may have been written, or a name may have got another file.
        fn take(&self, buffer: &mut [MaybeUninit<u8>]) -> Result<bool, Errno> {
            let mut reader = Reader::new(&self.inotify, buffer);
            let mut is_told = false;
            while let Ok(notice) = reader.next() {
                if notice.wd() == self.folder && notice.events().intersects(FOLDER_GONE) {
                    return Err(Errno::NOENT);
                }
                is_told |= match notice.file_name() {
                    Some(name) => self.concerns(OsStr::from_bytes(name.to_bytes())),
                    // Of the log itself, or notices were lost.
                    None => notice.events().intersects(ReadFlags::MODIFY.union(ReadFlags::QUEUE_OVERFLOW)),
                };
            }
            Ok(is_told)
        }

        fn concerns(&self, name: &OsStr) -> bool {
            name == self.database || name == self.index || self.log.file_name() == Some(name)
        }
    }

    /// Ends when the store has gone, or when the system no longer sends notices.
    pub(super) fn listen(notices: &Notices, hints: &Weak<Hints>, writer: &Sender<Message>) {
        let mut buffer = [MaybeUninit::uninit(); BUFFER_BYTES];
        loop {
            let waited = notices.wait();
            let Some(listeners) = hints.upgrade() else { return };
            let asked = waited.and_then(|has_come| {
                if !has_come {
                    return Ok(());
                }
                // A message wakes the writer, so only one is sent until the writer has checked.
                if notices.take(&mut buffer)? && listeners.has_subscribers() && listeners.note_log_written() {
                    // If the writer has ended, there are no wake-ups.
                    let _ = writer.send(Message::Look);
                }
                // The writer keeps checking for a while after each notice, so writes during this pause are seen.
                std::thread::sleep(REST);
                notices.ask()
            });
            if asked.is_err() {
                listeners.set_log_unwatched();
                return;
            }
        }
    }

    #[cfg(test)]
    mod tests {
        use std::fs::{self, OpenOptions};
        use std::io::Write;

        use super::*;

        /// The notices of a database in a new folder, which is returned to be kept.
        fn notices() -> (tempfile::TempDir, Notices) {
            let folder = tempfile::tempdir().unwrap();
            let notices = Notices::of(folder.path(), OsStr::new("q.db")).unwrap();
            (folder, notices)
        }

        fn write(path: &Path) {
            OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(b"x").unwrap();
        }

        /// Whether a notice that concerns the log has come; the next one is requested then.
        fn is_told(notices: &Notices) -> bool {
            let mut buffer = [MaybeUninit::uninit(); BUFFER_BYTES];
            let is_told = notices.wait().unwrap() && notices.take(&mut buffer).unwrap();
            notices.ask().unwrap();
            is_told
        }

        #[test]
        fn each_write_to_the_log_is_noticed_also_to_one_that_is_made_later_or_again() {
            let (folder, notices) = notices();
            let log = folder.path().join("q.db-wal");
            assert!(!is_told(&notices));
            for _ in 0..3 {
                write(&log);
                assert!(is_told(&notices), "it was made");
                write(&log);
                assert!(is_told(&notices), "it was written");
                fs::remove_file(&log).unwrap();
                assert!(is_told(&notices), "it was removed");
            }
            let other = folder.path().join("other");
            write(&other);
            fs::rename(&other, &log).unwrap();
            assert!(is_told(&notices), "another file has its name");
            write(&log);
            assert!(is_told(&notices), "it was written");
        }

        #[test]
        fn writes_to_other_files_give_no_notice() {
            let (folder, notices) = notices();
            let (log, other) = (folder.path().join("q.db-wal"), folder.path().join("other"));
            write(&log);
            write(&other);
            assert!(is_told(&notices));
            (0..3).for_each(|_| write(&other));
            assert!(!notices.wait().unwrap());
        }

        #[test]
        fn an_index_of_the_log_that_is_deleted_is_noticed() {
            let (folder, notices) = notices();
            let index = folder.path().join("q.db-shm");
            write(&index);
            assert!(is_told(&notices), "it was made");
            fs::remove_file(&index).unwrap();
            assert!(is_told(&notices), "it was removed");
        }

        #[test]
        fn a_database_that_gets_another_file_is_noticed() {
            let (folder, notices) = notices();
            write(&folder.path().join("new"));
            fs::rename(folder.path().join("new"), folder.path().join("q.db")).unwrap();
            assert!(is_told(&notices));
        }

        #[test]
        fn a_folder_that_moves_or_goes_ends_the_watch() {
            let mut buffer = [MaybeUninit::uninit(); BUFFER_BYTES];
            let (folder, notices) = notices();
            let elsewhere = folder.path().with_extension("moved");
            fs::rename(folder.path(), &elsewhere).unwrap();
            assert!(notices.wait().unwrap() && notices.take(&mut buffer).is_err());
            let notices = Notices::of(&elsewhere, OsStr::new("q.db")).unwrap();
            fs::remove_dir_all(&elsewhere).unwrap();
            assert!(notices.wait().unwrap() && notices.take(&mut buffer).is_err());
        }
    }
}

use std::ffi::OsString;
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
/// It watches the folder and not the file, because the file may be created again. It opens no file.
///
/// If this is not possible, nothing happens: the writer continues to poll at short intervals.
#[cfg(target_os = "linux")]
pub(crate) fn watch_log(database: &Path, hints: &Arc<Hints>, writer: Sender<Message>) {
    let (Some(folder), Some(name)) = (database.parent(), database.file_name()) else { return };
    let mut log = OsString::from(name);
    log.push("-wal");
    let Ok(notices) = linux::Notices::of(folder.to_owned(), name.to_owned(), log) else { return };
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
    use std::ffi::OsString;
    use std::mem::MaybeUninit;
    use std::os::fd::OwnedFd;
    use std::os::unix::ffi::OsStrExt;
    use std::path::PathBuf;
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

    /// Notices of writes in the folder of a database. It requests one at a time, because each costs the writing
    /// process, which is usually this one, some microseconds.
    pub(super) struct Notices {
        inotify: OwnedFd,
        folder: PathBuf,
        database: OsString,
        log: OsString,
    }

    /// Writes, and events that may give a name to another file. After those, the writer checks at once whether its file
    /// has moved.
    const EVENTS: WatchFlags = WatchFlags::MODIFY.union(NAME_EVENTS);
    const NAME_EVENTS: WatchFlags = WatchFlags::CREATE
        .union(WatchFlags::DELETE)
        .union(WatchFlags::MOVED_FROM)
        .union(WatchFlags::MOVED_TO)
        .union(WatchFlags::ATTRIB);

    impl Notices {
        pub(super) fn of(folder: PathBuf, database: OsString, log: OsString) -> Result<Self, Errno> {
            let inotify = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
            let notices = Self { inotify, folder, database, log };
            notices.ask()?;
            Ok(notices)
        }

        /// Requests the next notice.
        fn ask(&self) -> Result<(), Errno> {
            add_watch(&self.inotify, &self.folder, EVENTS.union(WatchFlags::ONESHOT)).map(|_| ())
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
        fn take(&self, buffer: &mut [MaybeUninit<u8>]) -> bool {
            let mut reader = Reader::new(&self.inotify, buffer);
            let mut is_told = false;
            while let Ok(notice) = reader.next() {
                is_told |= match notice.file_name() {
                    Some(name) if name.to_bytes() == self.log.as_bytes() => true,
                    // A checkpoint writes to the database itself, which is not a commit.
                    Some(name) => {
                        name.to_bytes() == self.database.as_bytes() && !notice.events().contains(ReadFlags::MODIFY)
                    }
                    // Notices were lost.
                    None => notice.events().contains(ReadFlags::QUEUE_OVERFLOW),
                };
            }
            is_told
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
                if notices.take(&mut buffer) && listeners.has_subscribers() && listeners.note_log_written() {
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
}

use std::ffi::OsString;
use std::path::Path;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Weak};

use crate::hints::Hints;
use crate::writer::Message;

/// Has the operating system tell when anybody writes to the write-ahead log, so that an idle store need not ask
/// again and again. The folder is watched and not the file, which may be made anew, and nothing of it is opened.
///
/// Where this cannot be had, nothing happens: the writer goes on asking at short intervals.
#[cfg(target_os = "linux")]
pub(crate) fn watch_log(database: &Path, hints: &Arc<Hints>, writer: Sender<Message>) {
    use rustix::fs::inotify;
    let (Some(folder), Some(name)) = (database.parent(), database.file_name()) else { return };
    let mut log = OsString::from(name);
    log.push("-wal");
    let flags = inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK;
    let Ok(notices) = inotify::init(flags) else { return };
    if inotify::add_watch(&notices, folder, inotify::WatchFlags::MODIFY).is_err() {
        return;
    }
    let listeners = Arc::downgrade(hints);
    let spawned = std::thread::Builder::new()
        .name("longshore-watch".to_owned())
        .spawn(move || linux::listen(&notices, &log, &listeners, &writer));
    if spawned.is_ok() {
        hints.set_log_watched();
    }
}

/// Elsewhere the writer asks at short intervals.
#[cfg(not(target_os = "linux"))]
pub(crate) fn watch_log(_database: &Path, _hints: &Arc<Hints>, _writer: Sender<Message>) {}

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::OsStr;
    use std::mem::MaybeUninit;
    use std::os::fd::OwnedFd;
    use std::os::unix::ffi::OsStrExt;
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::fs::inotify;

    use super::{Hints, Message, Sender, Weak};

    /// How long the thread outlives its store at most.
    const PATIENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 500_000_000 };
    /// A busy log is written many times a millisecond; one notice for all of them is enough.
    const REST: Duration = Duration::from_millis(1);
    /// Room for some notices with the longest file names.
    const BUFFER_BYTES: usize = 4096;

    /// Ends by itself when the store has gone, or when the system no longer tells.
    pub(super) fn listen(notices: &OwnedFd, log: &OsStr, hints: &Weak<Hints>, writer: &Sender<Message>) {
        let mut buffer = [MaybeUninit::uninit(); BUFFER_BYTES];
        loop {
            let waited = poll(&mut [PollFd::new(notices, PollFlags::IN)], Some(&PATIENCE));
            let Some(hints) = hints.upgrade() else { return };
            if waited.is_err_and(|error| error != rustix::io::Errno::INTR) {
                hints.set_log_unwatched();
                return;
            }
            // A message wakes the writer, so there is one only while nobody has looked since the last.
            if tells_of(notices, log, &mut buffer)
                && hints.has_subscribers()
                && hints.note_log_written()
                && writer.send(Message::Look).is_err()
            {
                return;
            }
            drop(hints);
            std::thread::sleep(REST);
        }
    }

    fn tells_of(notices: &OwnedFd, log: &OsStr, buffer: &mut [MaybeUninit<u8>]) -> bool {
        let mut reader = inotify::Reader::new(notices, buffer);
        let mut is_told = false;
        while let Ok(notice) = reader.next() {
            let name = notice.file_name().map(|name| OsStr::from_bytes(name.to_bytes()));
            // Without a name it says that notices were lost.
            is_told |= name.is_none_or(|name| name == log);
        }
        is_told
    }
}

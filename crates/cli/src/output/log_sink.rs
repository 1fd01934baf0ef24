use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

/// The maximum number of lines that wait to be written. Further lines are dropped.
const LINES_MAX: usize = 4096;
/// How long the program waits at its end for the last lines to be written.
const FLUSH_MAX: Duration = Duration::from_secs(1);

/// Writes log lines to standard error from its own thread.
///
/// Logging never blocks and never fails. If the reader has ended, the disk is full or the terminal is stopped with
/// Ctrl-S, only log lines are lost.
#[derive(Clone, Debug)]
pub(crate) struct LogSink {
    entries: SyncSender<Entry>,
    lost: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Entry {
    Line(Vec<u8>),
    /// Answered when all lines before it are written.
    Flush(SyncSender<()>),
}

impl LogSink {
    /// A sink that writes to standard error.
    pub(crate) fn to_stderr() -> Self {
        Self::to(io::stderr())
    }

    fn to(target: impl Write + Send + 'static) -> Self {
        let (entries, waiting) = sync_channel(LINES_MAX);
        let lost = Arc::new(AtomicU64::new(0));
        let of_thread = Arc::clone(&lost);
        // Without the thread all lines are lost. That is better than a worker that does not start.
        let _ = thread::Builder::new()
            .name("longshore-log".to_owned())
            .spawn(move || write_all(target, &waiting, &of_thread));
        Self { entries, lost }
    }

    /// Waits until the lines are written, at most `FLUSH_MAX`.
    pub(crate) fn flush(&self) {
        let (done, written) = sync_channel(1);
        if self.entries.try_send(Entry::Flush(done)).is_ok() {
            let _ = written.recv_timeout(FLUSH_MAX);
        }
    }
}

impl Write for LogSink {
    /// Takes a whole line.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.entries.try_send(Entry::Line(line.to_vec())).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_all(mut target: impl Write, waiting: &Receiver<Entry>, lost: &AtomicU64) {
    for entry in waiting {
        match entry {
            Entry::Line(line) => {
                // A failed write means that nobody reads. The next line is tried anyway.
                let _ = target.write_all(&line);
            }
            Entry::Flush(done) => {
                let _ = done.try_send(());
            }
        }
        let missing = lost.swap(0, Ordering::Relaxed);
        if missing > 0 {
            let _ = writeln!(target, "{missing} lines of the log were lost because they were not read in time");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::sync::mpsc::{Sender, channel};

    /// A reader that reads only when the test allows it.
    struct Stuck {
        turns: Receiver<()>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.turns.recv();
            self.written.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Failing;

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }

    #[test]
    fn a_reader_that_does_not_read_costs_lines_and_nobody_waits() {
        let (go, turns): (Sender<()>, _) = channel();
        let written = Arc::new(Mutex::new(Vec::new()));
        let mut sink = LogSink::to(Stuck { turns, written: written.clone() });
        for _ in 0..LINES_MAX + 100 {
            sink.write_all(b"line\n").unwrap();
        }
        // The thread may already have taken one line from the queue.
        assert!((99..=100).contains(&sink.lost.load(Ordering::Relaxed)));

        drop(go);
        while !String::from_utf8_lossy(&written.lock().unwrap()).contains("lines of the log were lost") {
            thread::yield_now();
        }
    }

    #[test]
    fn a_target_that_fails_is_no_error_and_a_flush_ends() {
        let mut sink = LogSink::to(Failing);
        sink.write_all(b"line\n").unwrap();
        LogSink::flush(&sink);
    }

    #[test]
    fn a_flush_waits_for_the_lines_before_it() {
        let written = Arc::new(Mutex::new(Vec::new()));
        let (go, turns) = channel();
        let mut sink = LogSink::to(Stuck { turns, written: written.clone() });
        sink.write_all(b"line\n").unwrap();
        go.send(()).unwrap();
        LogSink::flush(&sink);
        assert_eq!(*written.lock().unwrap(), b"line\n");
    }
}

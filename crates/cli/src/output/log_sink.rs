use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use crate::output::live_line::{LiveLine, LiveText};

/// The maximum number of lines that wait to be written. Further lines are dropped.
const LINES_MAX: usize = 4096;
/// How long the program waits at its end for the last lines to be written.
const FLUSH_MAX: Duration = Duration::from_secs(1);

/// How often a live line is written again.
const REDRAW_EVERY: Duration = Duration::from_millis(200);
/// How many lines are written before a live line is written again below them.
const LINES_A_REDRAW: usize = 256;

/// Writes log lines to standard error from its own thread, and below them a live line.
///
/// Logging never blocks and never fails. If the reader has ended, the disk is full or the terminal is stopped with
/// Ctrl-S, only log lines are lost.
#[derive(Clone, Debug)]
pub(crate) struct LogSink {
    entries: SyncSender<Entry>,
    lost: Arc<AtomicU64>,
}

enum Entry {
    Line(Vec<u8>),
    /// Shows a live line until the next flush.
    Live(LiveText),
    /// Answered when all lines before it are written and the live line is removed.
    Flush(SyncSender<()>),
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Line(_) => "Line",
            Self::Live(_) => "Live",
            Self::Flush(_) => "Flush",
        })
    }
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

    /// Shows a live line below the log lines, until the next flush. The text is computed several times a second, on the
    /// thread of the log.
    pub(crate) fn show(&self, text: LiveText) {
        let _ = self.entries.try_send(Entry::Live(text));
    }

    /// Waits until the lines are written and the live line is removed, at most `FLUSH_MAX`.
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
    let mut live: Option<LiveLine> = None;
    loop {
        let next = match &live {
            None => waiting.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(_) => waiting.recv_timeout(REDRAW_EVERY),
        };
        match next {
            Ok(Entry::Line(line)) => {
                let (lines, rest) = with_followers(line, waiting);
                write(&mut target, live.as_ref(), &lines);
                if let Some(rest) = rest {
                    carry_out(rest, &mut live);
                }
            }
            Ok(entry) => carry_out(entry, &mut live),
            Err(RecvTimeoutError::Timeout) => {
                if let Some(live) = &live {
                    live.redraw();
                }
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let missing = lost.swap(0, Ordering::Relaxed);
        if missing > 0 {
            let told = format!("{missing} lines of the log were lost because they were not read in time\n");
            write(&mut target, live.as_ref(), told.as_bytes());
        }
    }
}

fn write(target: &mut impl Write, live: Option<&LiveLine>, lines: &[u8]) {
    // A failed write means that nobody reads. The next line is tried anyway.
    let mut write = || drop(target.write_all(lines));
    match live {
        Some(live) => live.write_above(write),
        None => write(),
    }
}

/// The line and those that wait behind it, so that they are one write; and what follows them.
fn with_followers(mut lines: Vec<u8>, waiting: &Receiver<Entry>) -> (Vec<u8>, Option<Entry>) {
    for _ in 1..LINES_A_REDRAW {
        match waiting.try_recv() {
            Ok(Entry::Line(line)) => lines.extend(line),
            Ok(entry) => return (lines, Some(entry)),
            Err(_) => break,
        }
    }
    (lines, None)
}

fn carry_out(entry: Entry, live: &mut Option<LiveLine>) {
    match entry {
        Entry::Line(_) => {}
        Entry::Live(text) => *live = Some(LiveLine::new(text)),
        Entry::Flush(done) => {
            *live = None;
            let _ = done.try_send(());
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
        for _ in 0..LINES_MAX + LINES_A_REDRAW + 100 {
            sink.write_all(b"line\n").unwrap();
        }
        // The thread may already have taken some lines from the queue.
        let lost = sink.lost.load(Ordering::Relaxed);
        assert!((100..=LINES_A_REDRAW as u64 + 100).contains(&lost), "{lost}");

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

//! For tests: a process that stops for ever before a statement of its writer, so that it can be killed there.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rusqlite::Connection;
use rusqlite::trace::{TraceEvent, TraceEventCodes};

/// What the process says when it has stopped.
pub(crate) const STOPPED: &str = "statement: stopped";

/// How many statements are left, the one to stop before among them. 0 until the count begins.
static LEFT: AtomicUsize = AtomicUsize::new(0);

/// From now on statements are counted, the first of them as 0.
pub(crate) fn stop_before(statement: usize) {
    LEFT.store(statement + 1, Ordering::SeqCst);
}

/// A connection whose statements, and the steps of whose triggers, are counted.
pub(crate) fn watched(mut connection: Connection) -> Connection {
    let count = |_: TraceEvent<'_>| {
        let left = LEFT.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| (left > 1).then(|| left - 1));
        if left == Err(1) {
            let mut out = std::io::stdout();
            writeln!(out, "{STOPPED}").and_then(|()| out.flush()).expect("the pipe is open");
            loop {
                thread::park();
            }
        }
    };
    connection.trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(count)).expect("a connection can be traced");
    connection
}

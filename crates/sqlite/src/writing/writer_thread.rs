use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::database::fault::{ErrorContext, panic_message};
use crate::writing::awake::Awake;
use crate::writing::connection_lock::ConnectionLock;
use crate::writing::work::{Message, Task};

/// The maximum number of requests in one transaction. More would make the others wait longer than they gain.
const GROUP_REQUESTS_MAX: usize = 256;
const GROUP_ROWS_MAX: usize = 4096;
/// How long the thread polls for the next request of a caller that has just got its answer: about the cost of going to
/// sleep and waking up.
const SPIN: Duration = Duration::from_micros(50);
/// How long the thread waits for the next returning caller, and for all of them.
const GAP_MAX: Duration = Duration::from_micros(25);
const GATHERING_MAX: Duration = Duration::from_micros(200);
/// How long the thread sleeps while a caller uses the connection.
const PAUSE_TAKEN: Duration = Duration::from_millis(4);

/// The thread that runs the requests that their callers do not run themselves.
pub(crate) struct WriterThread {
    pub(crate) connection: Arc<ConnectionLock>,
    pub(crate) context: ErrorContext,
    pub(crate) receiver: Receiver<Message>,
    pub(crate) awake: Awake,
    /// The message of a panic outside the requests, for all later callers.
    pub(crate) panicked: Arc<OnceLock<String>>,
}

/// Whether the store is still open.
#[derive(PartialEq, Eq)]
enum Next {
    Continue,
    Closed,
}

impl WriterThread {
    pub(crate) fn run(self) {
        let ran = catch_unwind(AssertUnwindSafe(|| while self.work() == Next::Continue {}));
        if let Err(payload) = ran {
            let message = panic_message(payload.as_ref());
            crate::database::quiet::error!(database = %self.context.database, panic = message, "the writer panicked and has ended");
            // Before the waiting requests are dropped, because their callers then look for the reason.
            let _ = self.panicked.set(message.to_owned());
        }
        self.connection.take().close();
    }

    /// Waits for a message and does what it requests.
    fn work(&self) -> Next {
        match self.next() {
            Some(Message::Task(first)) => self.serve(first),
            Some(Message::Look) => {
                // A caller that uses the connection looks when it has committed.
                if let Some(mut connection) = self.connection.try_take() {
                    connection.check_file();
                    connection.tidy();
                }
                Next::Continue
            }
            Some(Message::Close) | None => Next::Closed,
        }
    }

    /// `None` if the store has gone.
    fn next(&self) -> Option<Message> {
        let awake_until = Instant::now() + SPIN;
        loop {
            match self.receiver.try_recv() {
                Err(TryRecvError::Empty) if Instant::now() < awake_until => std::hint::spin_loop(),
                Err(TryRecvError::Empty) => {
                    let pause = self.connection.try_take().map_or(PAUSE_TAKEN, |mut connection| connection.tidy());
                    match self.receiver.recv_timeout(pause) {
                        Err(RecvTimeoutError::Timeout) => {}
                        received => return received.ok(),
                    }
                }
                received => return received.ok(),
            }
        }
    }

    fn serve(&self, first: Box<dyn Task>) -> Next {
        let mut connection = self.connection.take();
        if let Err(error) = connection.make_ready() {
            first.dismiss(error);
            return Next::Continue;
        }
        let (group, next) = self.gather(first);
        connection.run(group);
        next
    }

    /// Collects the requests behind the first one, up to the limits.
    ///
    /// Callers that waited for the last commit often come back at once with their next request. The thread waits a
    /// moment for them. Otherwise the fast callers would commit without the others, and the others without them.
    fn gather(&self, first: Box<dyn Task>) -> (Vec<Box<dyn Task>>, Next) {
        let callers = self.awake.callers();
        let mut rows = first.rows();
        let mut group = vec![first];
        let begun = Instant::now();
        let mut came = begun;
        while rows < GROUP_ROWS_MAX && group.len() < GROUP_REQUESTS_MAX {
            match self.receiver.try_recv() {
                Ok(Message::Task(task)) => {
                    rows = rows.saturating_add(task.rows());
                    group.push(task);
                    came = Instant::now();
                }
                Ok(Message::Look) => {}
                Ok(Message::Close) => return (group, Next::Closed),
                Err(TryRecvError::Empty)
                    if group.len() < callers && came.elapsed() < GAP_MAX && begun.elapsed() < GATHERING_MAX =>
                {
                    std::thread::yield_now();
                }
                Err(_) => break,
            }
        }
        (group, Next::Continue)
    }
}

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use longshore_core::StoreError;
use rusqlite::Connection;

use crate::database::connection::open_writer;
use crate::database::database_file::{DatabaseFile, FileChange};
use crate::database::fault::{ErrorContext, panic_message, spoils_connection};
use crate::database::readers::Readers;
use crate::options::SqliteOptions;
use crate::workers::held::HeldLeases;
use crate::writing::awake::Awake;
use crate::writing::checkpoints::Checkpoints;
use crate::writing::group::{Committed, Group};
use crate::writing::hints::Hints;
use crate::writing::permits::Permits;
use crate::writing::session::Session;
use crate::writing::watch::Watch;
use crate::writing::work::{Message, Task};

/// The maximum number of requests in one transaction. More would make the others wait longer than they gain.
const GROUP_REQUESTS_MAX: usize = 256;
const GROUP_ROWS_MAX: usize = 4096;
/// How long the thread polls for the next request of a caller that has just got its answer: about the cost of going to
/// sleep and waking up.
const SPIN: Duration = Duration::from_micros(50);
/// How long the thread waits for the next returning caller, and for all of them.
const GAP_MAX: Duration = Duration::from_micros(25);
/// How often the file is checked while there are no requests and no subscribers.
const PAUSE_UNHEARD: Duration = Duration::from_secs(1);
/// How often SQLite is asked whether the file has moved. It takes some microseconds.
const LOOK_AT_FILE: Duration = Duration::from_millis(100);
const GATHERING_MAX: Duration = Duration::from_micros(200);

/// The one thread that writes, and its state.
pub(crate) struct WriterThread {
    pub(crate) options: SqliteOptions,
    pub(crate) context: ErrorContext,
    pub(crate) file: Arc<DatabaseFile>,
    pub(crate) readers: Arc<Readers>,
    pub(crate) receiver: Receiver<Message>,
    pub(crate) permits: Permits,
    pub(crate) awake: Awake,
    pub(crate) hints: Arc<Hints>,
    pub(crate) held: HeldLeases,
    pub(crate) checkpoints: Checkpoints,
    pub(crate) file_looked_at: Instant,
    /// The file has changed, and earlier commits are safe.
    pub(crate) has_parted: bool,
    /// The mark of the schema when the store was opened.
    pub(crate) understood: String,
    /// The message of a panic outside the requests, for all later callers.
    pub(crate) panicked: Arc<OnceLock<String>>,
}

/// What the thread does next.
enum Next {
    Task(Box<dyn Task>),
    Closed,
    /// Stop using this connection.
    FileChanged,
}

/// Why the thread leaves a connection.
#[derive(PartialEq, Eq)]
enum Leave {
    Closed,
    Spoilt,
}

impl WriterThread {
    pub(crate) fn run(mut self, connection: Connection) {
        let ran = catch_unwind(AssertUnwindSafe(|| self.work(connection)));
        if let Err(payload) = ran {
            let message = panic_message(payload.as_ref());
            crate::database::quiet::error!(database = %self.context.database, panic = message, "the writer panicked and has ended");
            // Before the waiting requests are dropped, because their callers then look for the reason.
            let _ = self.panicked.set(message.to_owned());
        }
    }

    fn work(&mut self, connection: Connection) {
        let mut connection = Some(connection);
        loop {
            let left = match connection.take().map_or_else(|| self.reopen(), Ok) {
                Ok(mut open) => {
                    self.checkpoints.follow(&mut open);
                    let left = self.serve(&open);
                    self.part_if_changed(&open);
                    if left == Leave::Closed {
                        // Before the last connection copies the whole log.
                        self.checkpoints.end();
                    }
                    left
                }
                Err(error) => self.refuse_next(error),
            };
            if left == Leave::Closed {
                return;
            }
        }
    }

    fn reopen(&self) -> Result<Connection, StoreError> {
        let refuse = |change: FileChange| Err(change.error(&self.context));
        self.file.change().map_or(Ok(()), refuse)?;
        let connection = open_writer(&self.options, &self.context)?;
        self.file.note_log_reopened();
        self.file.check_thoroughly(&connection).or_else(refuse)?;
        Ok(connection)
    }

    /// Closes everything if the file at the path is another one. Otherwise a program that opens that one would share
    /// the index of the log with this store.
    fn part_if_changed(&mut self, connection: &Connection) {
        let Err(change) = self.file.check() else { return };
        if std::mem::replace(&mut self.has_parted, true) {
            return;
        }
        crate::database::quiet::error!(error = %change.error(&self.context), "this store stops working");
        self.readers.abandon();
        self.checkpoints.end();
        self.file.part(connection);
        self.hints.give_unknown();
    }

    /// The database cannot be opened now. The next caller gets the reason, and then the thread tries again.
    fn refuse_next(&mut self, error: StoreError) -> Leave {
        loop {
            match self.receiver.recv() {
                Ok(Message::Task(task)) => {
                    task.dismiss(error);
                    return Leave::Spoilt;
                }
                Ok(Message::CheckCommits) => {}
                Ok(Message::Close) | Err(_) => return Leave::Closed,
            }
        }
    }

    fn serve(&mut self, connection: &Connection) -> Leave {
        let session = Session::begin(connection, self.understood.clone());
        let mut watch = Watch::begin(connection);
        let mut callers = 0;
        loop {
            let first = match self.next(connection, &mut watch) {
                Next::Task(first) => first,
                Next::Closed => return Leave::Closed,
                Next::FileChanged => return Leave::Spoilt,
            };
            let (group, is_last) = self.gather(first, callers);
            let committed = self.run_group(&session, group);
            // This many callers may come back for the next group, which waits a moment for them.
            callers = committed.callers;
            if committed.wakes {
                // Heartbeats and checks for dead workers also run in an idle queue. Only work that wakes workers counts
                // as activity.
                watch.note_activity();
                self.hints.give(&session.changes.take());
            }
            if is_last {
                return Leave::Closed;
            }
            if committed.is_spoilt {
                return Leave::Spoilt;
            }
            // Last, because everybody has an answer by now and nobody waits for it.
            self.checkpoints.after_commit(connection);
        }
    }

    fn next(&mut self, connection: &Connection, watch: &mut Watch<'_>) -> Next {
        let awake_until = Instant::now() + SPIN;
        loop {
            let is_listening = self.hints.has_subscribers();
            if self.hints.take_log_written() {
                watch.note_log_written();
            }
            if is_listening && watch.has_foreign_commit() {
                self.hints.give_unknown();
            }
            let message = match self.receiver.try_recv() {
                Err(TryRecvError::Empty) if Instant::now() < awake_until => {
                    std::hint::spin_loop();
                    continue;
                }
                Err(TryRecvError::Empty) => {
                    if self.file_looked_at.elapsed() >= LOOK_AT_FILE {
                        self.file_looked_at = Instant::now();
                        if self.file.check_thoroughly(connection).is_err() {
                            return Next::FileChanged;
                        }
                    }
                    let pause = if is_listening { watch.pause(&self.hints) } else { PAUSE_UNHEARD };
                    match self.receiver.recv_timeout(pause) {
                        Err(RecvTimeoutError::Timeout) => continue,
                        received => received.ok(),
                    }
                }
                received => received.ok(),
            };
            match message {
                Some(Message::Task(task)) => return Next::Task(task),
                Some(Message::CheckCommits) if self.file.check().is_err() => return Next::FileChanged,
                Some(Message::CheckCommits) => {}
                Some(Message::Close) | None => return Next::Closed,
            }
        }
    }

    /// Collects the requests behind the first one, up to the limits, and returns whether the store was closed behind
    /// them.
    ///
    /// Callers that waited for the last commit often come back at once with their next request. The thread waits a
    /// moment for them. Otherwise the fast callers would commit without the others, and the others without them.
    fn gather(&mut self, first: Box<dyn Task>, callers: usize) -> (Vec<Box<dyn Task>>, bool) {
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
                Ok(Message::CheckCommits) => {}
                Ok(Message::Close) => return (group, true),
                Err(TryRecvError::Empty)
                    if group.len() < callers && came.elapsed() < GAP_MAX && begun.elapsed() < GATHERING_MAX =>
                {
                    std::thread::yield_now();
                }
                Err(_) => break,
            }
        }
        (group, false)
    }

    /// Runs a group. If a request panics, all requests of its transaction get that as their answer. The transaction is
    /// rolled back with its connection, and everything remembered about it is dropped.
    fn run_group(&mut self, session: &Session<'_>, mut group: Vec<Box<dyn Task>>) -> Committed {
        let run = catch_unwind(AssertUnwindSafe(|| self.run_guarded(session, &mut group)));
        run.unwrap_or_else(|payload| {
            crate::database::quiet::error!(database = %self.context.database, panic = panic_message(payload.as_ref()), "the writer thread panicked");
            self.held = HeldLeases::default();
            group.into_iter().for_each(|task| task.give_up(payload.as_ref()));
            Committed { is_spoilt: true, ..Committed::default() }
        })
    }

    fn run_guarded(&mut self, session: &Session<'_>, group: &mut Vec<Box<dyn Task>>) -> Committed {
        if let [task] = group.as_mut_slice() {
            let looked = task.look(session);
            // The read sees whatever tables exist. Its answer counts only if the schema is supported, which is checked
            // afterwards: a migration in between would be missed in the other order.
            if !matches!(looked, Ok(false)) && matches!(session.is_schema_understood(), Ok(false)) {
                group.drain(..).for_each(|task| task.dismiss(self.context.schema_changed()));
                return Committed::default();
            }
            match looked {
                Ok(false) => {}
                Ok(true) => {
                    group.drain(..).for_each(Task::answer);
                    return Committed::default();
                }
                Err(error) => {
                    if let Err(change) = self.file.check() {
                        return self.dismiss_all(session, group, change);
                    }
                    group.drain(..).for_each(|task| task.refuse(&error));
                    return Committed { is_spoilt: spoils_connection(&error), ..Committed::default() };
                }
            }
        }
        let is_lone = group.len() == 1;
        let begun = Instant::now();
        let now = self.options.clock.now();
        let (held, file, context, permits) = (&mut self.held, &*self.file, &self.context, &self.permits);
        let committed = match (Group { session, held, file, context, permits, now }).run(group) {
            Ok(committed) => committed,
            Err(change) => return self.dismiss_all(session, group, change),
        };
        if is_lone {
            self.awake.note_commit(begun.elapsed());
        }
        committed
    }
    /// The requests are answered with the change once earlier commits are safe.
    fn dismiss_all(&mut self, session: &Session<'_>, group: &mut Vec<Box<dyn Task>>, change: FileChange) -> Committed {
        self.part_if_changed(session.connection);
        group.drain(..).for_each(|task| task.dismiss(change.error(&self.context).into()));
        Committed { is_spoilt: true, ..Committed::default() }
    }
}

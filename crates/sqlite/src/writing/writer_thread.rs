use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use longshore_core::StoreError;
use rusqlite::Connection;

use crate::connection::open_writer;
use crate::database_file::{DatabaseFile, FileChange};
use crate::fault::{ErrorContext, panic_message, spoils_connection};
use crate::options::SqliteOptions;
use crate::readers::Readers;
use crate::workers::held::HeldLeases;
use crate::writing::awake::Awake;
use crate::writing::checkpoints::Checkpoints;
use crate::writing::group::{Committed, Group};
use crate::writing::hints::Hints;
use crate::writing::permits::Permits;
use crate::writing::session::Session;
use crate::writing::watch::Watch;
use crate::writing::work::{Message, Task};

/// Requests and rows in one transaction: more of them would make the others wait longer than they gain.
const GROUP_REQUESTS_MAX: usize = 256;
const GROUP_ROWS_MAX: usize = 4096;
/// How long the thread stays awake for the next request of a caller that has just got its answer: about what
/// going to sleep and being woken costs.
const SPIN: Duration = Duration::from_micros(50);
/// How long it is waited for the next of the callers who may come back, and for all of them.
const GAP_MAX: Duration = Duration::from_micros(25);
/// How often the file is looked at while nobody asks for anything and nobody listens.
const PAUSE_UNHEARD: Duration = Duration::from_secs(1);
/// How often SQLite is asked whether the file has moved; it takes some microseconds.
const LOOK_AT_FILE: Duration = Duration::from_millis(100);
const GATHERING_MAX: Duration = Duration::from_micros(200);

/// The one thread that writes, and what it owns.
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
    /// The file has changed, and what was committed before is safe.
    pub(crate) has_parted: bool,
    /// The mark of the schema when the store was opened.
    pub(crate) understood: String,
    /// What a panic outside the requests said, for all who come later.
    pub(crate) panicked: Arc<OnceLock<String>>,
}

/// What the thread is to do next.
enum Next {
    Task(Box<dyn Task>),
    Closed,
    /// Nothing more on this connection.
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
            crate::quiet::error!(database = %self.context.database, panic = message, "the writer panicked and has ended");
            // Before the requests that wait are dropped, whose callers then look for the reason.
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

    /// Nothing of this store may stay open on a file that is not the one at its path: whoever opens that one would
    /// share the index of the log with it.
    fn part_if_changed(&mut self, connection: &Connection) {
        let Err(change) = self.file.check() else { return };
        if std::mem::replace(&mut self.has_parted, true) {
            return;
        }
        crate::quiet::error!(error = %change.error(&self.context), "this store does nothing more");
        self.readers.abandon();
        self.checkpoints.end();
        self.file.part(connection);
        self.hints.give_unknown();
    }

    /// The database cannot be opened now: the next caller learns why, and then it is tried again.
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
            // So many may come back for the next group, which waits a moment for them.
            callers = committed.callers;
            if committed.wakes {
                // Heartbeats and looks for dead workers go on in an idle queue; only what gives work is activity.
                watch.note_activity();
                self.hints.give(&session.changes.take());
            }
            if is_last {
                return Leave::Closed;
            }
            if committed.is_spoilt {
                return Leave::Spoilt;
            }
            // Last, because everybody has an answer by now and nobody waits for what this takes.
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

    /// What has gathered behind the first request, up to the bounds; and whether the store was closed behind it.
    ///
    /// Whoever waited for the last commit tends to come back at once with the next request. It is waited for a
    /// moment, or those who are quick would commit without the others, and the others without them.
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

    /// A panic over a request is an answer, too: for all who shared its transaction, which is rolled back with its
    /// connection. What was remembered of that transaction is forgotten.
    fn run_group(&mut self, session: &Session<'_>, mut group: Vec<Box<dyn Task>>) -> Committed {
        let run = catch_unwind(AssertUnwindSafe(|| self.run_guarded(session, &mut group)));
        run.unwrap_or_else(|payload| {
            crate::quiet::error!(database = %self.context.database, panic = panic_message(payload.as_ref()), "the writer panicked");
            self.held = HeldLeases::default();
            group.into_iter().for_each(|task| task.give_up(payload.as_ref()));
            Committed { is_spoilt: true, ..Committed::default() }
        })
    }

    fn run_guarded(&mut self, session: &Session<'_>, group: &mut Vec<Box<dyn Task>>) -> Committed {
        if let [task] = group.as_mut_slice() {
            let looked = task.look(session);
            // A look sees whatever tables there are; its answer counts only if they are understood, which is asked
            // after it: a migration in between would be missed the other way round.
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
    /// The requests learn of the change once what was committed before is safe.
    fn dismiss_all(&mut self, session: &Session<'_>, group: &mut Vec<Box<dyn Task>>, change: FileChange) -> Committed {
        self.part_if_changed(session.connection);
        group.drain(..).for_each(|task| task.dismiss(change.error(&self.context).into()));
        Committed { is_spoilt: true, ..Committed::default() }
    }
}

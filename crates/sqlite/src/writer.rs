use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use longshore_core::StoreError;
use rusqlite::Connection;
use tokio::sync::{Semaphore, oneshot};

use crate::audit::Audit;
use crate::connection::open_writer;
use crate::fault::Place;
use crate::group::{Committed, Group};
use crate::held::HeldLeases;
use crate::hints::Hints;
use crate::log_watch::watch_log;
use crate::options::SqliteOptions;
use crate::schema;
use crate::session::Session;
use crate::watch::Watch;
use crate::work::{Request, Task, Work};

/// Requests that may wait for the writer; further callers wait for a place.
const REQUESTS_MAX: usize = 1024;
/// Requests and rows in one transaction: more of them would make the others wait longer than they gain.
const GROUP_REQUESTS_MAX: usize = 256;
const GROUP_ROWS_MAX: usize = 4096;
/// How long the thread stays awake for the next request of a caller that has just got its answer: about what
/// going to sleep and being woken costs.
const SPIN: Duration = Duration::from_micros(50);

/// The one thread that writes, and the way to it.
///
/// Requests queue up while a transaction commits, and share the next one. The queue is the standard library's
/// (its receiver can wait with a time limit, which the look for foreign commits needs), bounded by a semaphore.
#[derive(Debug)]
pub(crate) struct Writer {
    sender: Sender<Message>,
    places: Arc<Semaphore>,
    thread: Mutex<Option<JoinHandle<()>>>,
    place: Place,
    hints: Arc<Hints>,
    log_watch: Once,
}

/// What wakes the writer.
pub(crate) enum Message {
    /// Something is to be done.
    Task(Box<dyn Task>),
    /// Somebody began to listen, or the log was written: look for foreign commits.
    Look,
    /// The store is closed.
    Close,
}

impl Writer {
    /// Starts the thread on a connection that is open already.
    pub(crate) fn start(
        connection: Connection,
        options: SqliteOptions,
        place: Place,
        hints: Arc<Hints>,
        audit: Arc<Audit>,
    ) -> Result<Self, StoreError> {
        let (sender, receiver) = channel();
        let shared = Arc::clone(&hints);
        let understood = schema::mark(&connection).map_err(|error| place.explain(error, "reading its schema"))?;
        let desk =
            Desk { options, place: place.clone(), receiver, hints, audit, held: HeldLeases::default(), understood };
        let thread = Builder::new()
            .name("longshore-writer".to_owned())
            .spawn(move || desk.run(connection))
            .map_err(|error| StoreError::Unreachable { database: place.database.clone(), source: error.into() })?;
        let places = Arc::new(Semaphore::new(REQUESTS_MAX));
        Ok(Self { sender, places, thread: Mutex::new(Some(thread)), place, hints: shared, log_watch: Once::new() })
    }

    /// Has the work done and answers after the commit. When the future is dropped after its request was sent, the
    /// work is done all the same.
    pub(crate) async fn run<W: Work>(&self, work: W) -> Result<W::Answer, StoreError> {
        let permit = Arc::clone(&self.places).acquire_owned().await.map_err(|_| self.place.closed())?;
        let (reply, answer) = oneshot::channel();
        let request = Request { work, place: self.place.clone(), reply, kept: None, _permit: permit };
        self.sender.send(Message::Task(Box::new(request))).map_err(|_| self.place.closed())?;
        answer.await.unwrap_or_else(|_| Err(self.place.closed()))
    }

    /// Tells the thread that somebody listens for hints now.
    pub(crate) fn listen(&self, database: &Path) {
        self.log_watch.call_once(|| watch_log(database, &self.hints, self.sender.clone()));
        // A writer that has gone has no hints to give.
        let _ = self.sender.send(Message::Look);
    }

    /// Finishes what was asked for before, then ends the thread. Later requests are answered `Closed`.
    pub(crate) fn close(&self) {
        self.places.close();
        let _ = self.sender.send(Message::Close);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!(database = %self.place.database, "the writer had panicked");
        }
    }
}

/// What the thread owns.
struct Desk {
    options: SqliteOptions,
    place: Place,
    receiver: Receiver<Message>,
    hints: Arc<Hints>,
    audit: Arc<Audit>,
    held: HeldLeases,
    /// The mark of the schema when the store was opened.
    understood: String,
}

/// Why the thread leaves a connection.
#[derive(PartialEq, Eq)]
enum Leave {
    Closed,
    Spoilt,
}

impl Desk {
    fn run(mut self, connection: Connection) {
        let mut connection = Some(connection);
        loop {
            let left = match connection.take().map_or_else(|| open_writer(&self.options, &self.place), Ok) {
                Ok(open) => self.serve(&open),
                Err(error) => self.refuse_next(error),
            };
            if left == Leave::Closed {
                return;
            }
        }
    }

    /// The database cannot be opened now: the next caller learns why, and then it is tried again.
    fn refuse_next(&mut self, error: StoreError) -> Leave {
        loop {
            match self.receiver.recv() {
                Ok(Message::Task(task)) => {
                    task.dismiss(error);
                    return Leave::Spoilt;
                }
                Ok(Message::Look) => {}
                Ok(Message::Close) | Err(_) => return Leave::Closed,
            }
        }
    }

    fn serve(&mut self, connection: &Connection) -> Leave {
        let session = Session::begin(connection, self.understood.clone());
        let mut watch = Watch::begin(connection);
        loop {
            let Some(first) = self.next(&mut watch) else { return Leave::Closed };
            let (group, is_last) = self.gather(first);
            let committed = self.run_group(&session, group);
            if committed.wakes {
                // Heartbeats and looks for dead workers go on in an idle queue; only what gives work is activity.
                watch.note_activity();
                self.hints.give();
            }
            self.audit.drop_overdue();
            if is_last {
                return Leave::Closed;
            }
            if committed.is_spoilt {
                return Leave::Spoilt;
            }
        }
    }

    /// The next request; none when the store is closed.
    fn next(&mut self, watch: &mut Watch<'_>) -> Option<Box<dyn Task>> {
        let awake_until = Instant::now() + SPIN;
        loop {
            let is_listening = self.hints.has_subscribers();
            if self.hints.take_log_written() {
                watch.note_log_written();
            }
            if is_listening && watch.has_foreign_commit() {
                self.hints.give();
            }
            let message = match self.receiver.try_recv() {
                Ok(message) => message,
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) if Instant::now() < awake_until => {
                    std::hint::spin_loop();
                    continue;
                }
                Err(TryRecvError::Empty) if is_listening => {
                    match self.receiver.recv_timeout(watch.pause(&self.hints)) {
                        Ok(message) => message,
                        Err(RecvTimeoutError::Timeout) => continue,
                        Err(RecvTimeoutError::Disconnected) => return None,
                    }
                }
                Err(TryRecvError::Empty) => self.receiver.recv().ok()?,
            };
            match message {
                Message::Task(task) => return Some(task),
                Message::Look => {}
                Message::Close => return None,
            }
        }
    }

    /// What has gathered behind the first request, up to the bounds; and whether the store was closed behind it.
    fn gather(&mut self, first: Box<dyn Task>) -> (Vec<Box<dyn Task>>, bool) {
        let mut rows = first.rows();
        let mut group = vec![first];
        while rows < GROUP_ROWS_MAX && group.len() < GROUP_REQUESTS_MAX {
            match self.receiver.try_recv() {
                Ok(Message::Task(task)) => {
                    rows = rows.saturating_add(task.rows());
                    group.push(task);
                }
                Ok(Message::Look) => {}
                Ok(Message::Close) => return (group, true),
                Err(_) => break,
            }
        }
        (group, false)
    }

    fn run_group(&mut self, session: &Session<'_>, mut group: Vec<Box<dyn Task>>) -> Committed {
        if let [task] = group.as_mut_slice() {
            let looked = task.look(session);
            // A look sees whatever tables there are; its answer counts only if they are understood.
            if !matches!(looked, Ok(false)) && matches!(session.is_schema_understood(), Ok(false)) {
                group.into_iter().for_each(|task| task.dismiss(self.place.schema_changed()));
                return Committed::default();
            }
            match looked {
                Ok(false) => {}
                Ok(true) => {
                    group.into_iter().for_each(Task::answer);
                    return Committed::default();
                }
                Err(error) => {
                    group.into_iter().for_each(|task| task.refuse(&error));
                    return Committed { wakes: false, is_spoilt: crate::fault::spoils_connection(&error) };
                }
            }
        }
        let now = self.options.clock.now();
        let limits = self.options.limits;
        Group { session, held: &mut self.held, place: &self.place, now, limits }.run(group)
    }
}

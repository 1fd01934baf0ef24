use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, Once, OnceLock, PoisonError};
use std::thread::{Builder, JoinHandle};

use longshore_core::{StoreError, WriteMeasures, WriteReading};
use rusqlite::Connection;
use tokio::sync::oneshot;
use tokio::task::coop::unconstrained;

use crate::database::fault::ErrorContext;
use crate::schema;
use crate::writing::awake::{Awake, let_others_run};
use crate::writing::connection_lock::ConnectionLock;
use crate::writing::hints::Hints;
use crate::writing::log_watch::watch_log;
use crate::writing::permits::Permits;
use crate::writing::work::{Message, Request, Task, Work};
use crate::writing::writer_connection::{Opened, RanHere, WriterConnection};
use crate::writing::writer_thread::WriterThread;

/// A handle to the one connection that writes, and to its thread.
///
/// A short request that is alone runs on the thread of its caller, because handing it over and back takes as long as
/// half of a commit. All others go to the writer's thread. They queue up while a transaction commits, and share the
/// next one. The queue is a standard library channel,
/// because its receiver can wait with a timeout, which the check for foreign commits needs. The permits bound it.
pub(crate) struct Writer {
    sender: Sender<Message>,
    connection: Arc<ConnectionLock>,
    permits: Permits,
    awake: Awake,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// The message of the thread's panic, if it panicked.
    panicked: Arc<OnceLock<String>>,
    context: ErrorContext,
    hints: Arc<Hints>,
    writes: Arc<WriteMeasures>,
    log_watch: Once,
}

impl Writer {
    /// Starts the thread on an open connection.
    pub(crate) fn start(connection: Connection, opened: Opened) -> Result<Self, StoreError> {
        let (context, hints, writes) = (opened.context.clone(), Arc::clone(&opened.hints), Arc::clone(&opened.writes));
        let (sender, receiver) = channel();
        let understood = schema::mark(&connection).map_err(|error| context.explain(error, "reading its schema"))?;
        let (permits, awake, panicked) = (Permits::new(), Awake::new(), Arc::new(OnceLock::new()));
        let mut writing = WriterConnection::new(opened, permits.clone(), awake.clone(), understood);
        writing.begin(connection);
        let connection = Arc::new(ConnectionLock::new(writing));
        let writer = WriterThread {
            connection: Arc::clone(&connection),
            context: context.clone(),
            receiver,
            awake: awake.clone(),
            panicked: Arc::clone(&panicked),
        };
        let thread = Builder::new()
            .name("longshore-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| context.unreachable(error))?;
        let (thread, log_watch) = (Mutex::new(Some(thread)), Once::new());
        Ok(Self { sender, connection, permits, awake, thread, panicked, context, hints, writes, log_watch })
    }

    /// Runs the work and returns after the commit. If the future is dropped, the work is done once or not at all: work
    /// on this thread is done within one poll.
    ///
    /// It does not use the budget of a Tokio task. A caller that blocks inside a task gives Tokio no chance to renew
    /// the budget, and would wait for ever for an answer that exists.
    pub(crate) async fn run<W: Work>(&self, work: W) -> Result<W::Answer, StoreError> {
        unconstrained(self.ask(work)).await
    }

    async fn ask<W: Work>(&self, work: W) -> Result<W::Answer, StoreError> {
        let permit = self.permits.take().await.ok_or_else(|| self.context.closed())?;
        let is_short = work.is_short();
        let (reply, answer) = oneshot::channel();
        let request = Request { work, context: self.context.clone(), reply, kept: None, permit: Some(permit) };
        let mut task: Option<Box<dyn Task>> = Some(Box::new(request));
        if is_short && self.may_run_here() {
            // The other tasks of this thread may have requests too, which then share a transaction.
            let_others_run().await;
            task = task.and_then(|task| self.run_here(task));
        }
        if let Some(task) = task {
            self.sender.send(Message::Task(task)).map_err(|_| self.gone())?;
        }
        self.awake.wait(answer, &self.permits).await.unwrap_or_else(|| Err(self.gone()))
    }

    /// Whether a caller may run its request on its own thread: commits take less than a millisecond, and nobody else
    /// has a request. Otherwise requests would not share transactions, or an executor would be blocked for too long.
    fn may_run_here(&self) -> bool {
        self.permits.taken() == 1 && self.awake.callers() <= 1 && self.awake.are_commits_quick()
    }

    /// Runs a request on this thread. Returns it if that is not possible now.
    fn run_here(&self, task: Box<dyn Task>) -> Option<Box<dyn Task>> {
        if !self.may_run_here() {
            return Some(task);
        }
        let Some(mut connection) = self.connection.try_take() else { return Some(task) };
        let RanHere { left, leaves_work } = connection.run_here(task);
        drop(connection);
        if leaves_work {
            // A thread that has ended has closed the connection.
            let _ = self.sender.send(Message::Look);
        }
        left
    }

    /// The transactions so far.
    pub(crate) fn writes(&self) -> WriteReading {
        self.writes.read()
    }

    /// Why the thread no longer answers.
    fn gone(&self) -> StoreError {
        match self.panicked.get() {
            Some(message) => self.context.panicked(message, "writing"),
            None => self.context.closed(),
        }
    }

    /// A channel to the thread for requests whose answer nobody waits for.
    pub(crate) fn sender(&self) -> Sender<Message> {
        self.sender.clone()
    }

    /// Tells the thread that there is a subscriber for wake-ups.
    pub(crate) fn listen(&self, database: &Path) {
        self.log_watch.call_once(|| watch_log(database, &self.hints, self.sender.clone()));
        // A writer that has ended sends no wake-ups.
        let _ = self.sender.send(Message::Look);
    }

    /// Finishes the earlier requests, then ends the thread. Later requests return `Closed`.
    pub(crate) fn close(&self) {
        self.permits.close();
        let _ = self.sender.send(Message::Close);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            crate::database::quiet::error!(database = %self.context.database, "the writer thread has panicked");
        }
    }
}

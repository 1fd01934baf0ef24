use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, Once, OnceLock, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Instant;

use longshore_core::StoreError;
use rusqlite::Connection;
use tokio::sync::oneshot;
use tokio::task::coop::unconstrained;

use crate::database::database_file::DatabaseFile;
use crate::database::fault::ErrorContext;
use crate::database::readers::Readers;
use crate::options::SqliteOptions;
use crate::schema;
use crate::workers::held::HeldLeases;
use crate::writing::awake::Awake;
use crate::writing::checkpoints::Checkpoints;
use crate::writing::hints::Hints;
use crate::writing::log_watch::watch_log;
use crate::writing::permits::Permits;
use crate::writing::work::{Message, Request, Work};
use crate::writing::writer_thread::WriterThread;

/// A handle to the one thread that writes.
///
/// Requests queue up while a transaction commits, and share the next one. The queue is a standard library channel,
/// because its receiver can wait with a timeout, which the check for foreign commits needs. The permits bound it.
#[derive(Debug)]
pub(crate) struct Writer {
    sender: Sender<Message>,
    permits: Permits,
    awake: Awake,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// The message of the thread's panic, if it panicked.
    panicked: Arc<OnceLock<String>>,
    context: ErrorContext,
    hints: Arc<Hints>,
    log_watch: Once,
}

/// What an open store passes to its writer.
pub(crate) struct Opened {
    pub(crate) options: SqliteOptions,
    pub(crate) context: ErrorContext,
    pub(crate) file: Arc<DatabaseFile>,
    pub(crate) readers: Arc<Readers>,
    pub(crate) hints: Arc<Hints>,
}

impl Writer {
    /// Starts the thread on an open connection.
    pub(crate) fn start(connection: Connection, opened: Opened) -> Result<Self, StoreError> {
        let Opened { options, context, file, readers, hints } = opened;
        let (sender, receiver) = channel();
        let understood = schema::mark(&connection).map_err(|error| context.explain(error, "reading its schema"))?;
        let (permits, awake, panicked) = (Permits::new(), Awake::new(), Arc::new(OnceLock::new()));
        let writer = WriterThread {
            checkpoints: Checkpoints::new(options.clone(), context.clone(), Arc::clone(&file)),
            options,
            context: context.clone(),
            file,
            readers,
            receiver,
            permits: permits.clone(),
            awake: awake.clone(),
            hints: Arc::clone(&hints),
            held: HeldLeases::default(),
            file_looked_at: Instant::now(),
            has_parted: false,
            understood,
            panicked: Arc::clone(&panicked),
        };
        let thread = Builder::new()
            .name("longshore-writer".to_owned())
            .spawn(move || writer.run(connection))
            .map_err(|error| context.unreachable(error))?;
        let (thread, log_watch) = (Mutex::new(Some(thread)), Once::new());
        Ok(Self { sender, permits, awake, thread, panicked, context, hints, log_watch })
    }

    /// Runs the work and returns after the commit. If the future is dropped after its request was sent, the work is
    /// still done.
    ///
    /// It does not use the budget of a Tokio task. A caller that blocks inside a task gives Tokio no chance to renew
    /// the budget, and would wait for ever for an answer that exists.
    pub(crate) async fn run<W: Work>(&self, work: W) -> Result<W::Answer, StoreError> {
        unconstrained(self.ask(work)).await
    }

    async fn ask<W: Work>(&self, work: W) -> Result<W::Answer, StoreError> {
        let permit = self.permits.take().await.ok_or_else(|| self.context.closed())?;
        let (reply, answer) = oneshot::channel();
        let request = Request { work, context: self.context.clone(), reply, kept: None, permit: Some(permit) };
        self.sender.send(Message::Task(Box::new(request))).map_err(|_| self.gone())?;
        self.awake.wait(answer, &self.permits).await.unwrap_or_else(|| Err(self.gone()))
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
        let _ = self.sender.send(Message::CheckCommits);
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

use std::any::Any;

use longshore_core::{JobId, StoreError, ValidJob};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::fault::{ErrorContext, Fault, repeat};
use crate::writing::session::{Session, WriteTx};

/// What wakes the writer.
pub(crate) enum Message {
    /// Something is to be done.
    Task(Box<dyn Task>),
    /// Somebody began to listen, or the log was written: look for foreign commits.
    Look,
    /// The store is closed.
    Close,
}

/// One request to the writer: what it does inside a transaction that it may share with others.
pub(crate) trait Work: Send + 'static {
    /// What the caller gets.
    type Answer: Send + 'static;
    /// What is being done, for errors.
    const DOING: &'static str;

    /// What the writer knows of its effect on which job runs next.
    const EFFECT: Effect = Effect::Unknown;

    /// About how many rows it writes, by which a shared transaction is bounded.
    fn rows(&self) -> usize {
        1
    }

    /// Whether at most one statement of it writes, and nothing can refuse it afterwards: SQLite takes a failed
    /// statement back by itself, so that it needs no savepoint, which costs more than a single insert.
    fn is_one_statement(&self) -> bool {
        false
    }

    /// The job, if making it is all that is asked for and nothing has to be looked up for it: several such requests
    /// are one statement.
    fn plain_job(&self) -> Option<&ValidJob> {
        None
    }

    /// The answer to a request whose plain job was made under this id.
    fn answer_for(&self, _id: JobId) -> Option<Self::Answer> {
        None
    }

    /// A cheap look outside any write transaction: an answer, if there is nothing to write.
    fn look(&mut self, _session: &Session<'_>) -> Result<Option<Self::Answer>, Fault> {
        Ok(None)
    }

    /// Does it. On an error everything that it wrote is taken back.
    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<Self::Answer, Fault>;
}

/// What the writer knows of the effect that a piece of work has on which job runs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing may run before a new job that could not before, unless [`WriteTx::wakes`] says so.
    Told,
    /// Nothing is known.
    Unknown,
}

/// A request with the way back to its caller; what the writer sees of any [`Work`].
pub(crate) trait Task: Send {
    fn rows(&self) -> usize;
    fn is_one_statement(&self) -> bool;
    fn effect(&self) -> Effect;
    fn plain_job(&self) -> Option<&ValidJob>;
    /// Keeps the answer: the plain job was made under this id.
    fn keep_made(&mut self, id: JobId);
    /// Whether the look was enough; then the answer waits to be sent.
    fn look(&mut self, session: &Session<'_>) -> Result<bool, rusqlite::Error>;
    /// Does the work and keeps the answer; an error says why everything that it wrote must be taken back.
    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<(), Stop>;
    /// Sends the answer that was kept.
    fn answer(self: Box<Self>);
    /// Sends an error in place of the answer.
    fn refuse(self: Box<Self>, error: &rusqlite::Error);
    /// Sends the error that the writer panicked over this request, or over one beside it.
    fn give_up(self: Box<Self>, panic: &(dyn Any + Send));
    /// Sends an error that is the store's own.
    fn dismiss(self: Box<Self>, error: StoreError);
}

/// Why a piece of work stopped.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The database failed.
    Sql(rusqlite::Error),
    /// The request cannot be met; the database is fine.
    Refused,
}

pub(crate) struct Request<W: Work> {
    pub(crate) work: W,
    pub(crate) context: ErrorContext,
    pub(crate) reply: oneshot::Sender<Result<W::Answer, StoreError>>,
    pub(crate) kept: Option<Result<W::Answer, StoreError>>,
    /// Given back when the request is answered, so that the queue is bounded; none where no caller waits.
    pub(crate) permit: Option<OwnedSemaphorePermit>,
}

impl<W: Work> Request<W> {
    fn stop(&mut self, fault: Fault) -> Stop {
        let stop = match &fault {
            Fault::Sql(error) => Stop::Sql(repeat(error)),
            Fault::Answer(_) => Stop::Refused,
        };
        self.kept = Some(Err(self.context.answer(fault, W::DOING)));
        stop
    }
}

impl<W: Work> Task for Request<W> {
    fn rows(&self) -> usize {
        self.work.rows()
    }

    fn is_one_statement(&self) -> bool {
        self.work.is_one_statement()
    }

    fn effect(&self) -> Effect {
        W::EFFECT
    }

    fn plain_job(&self) -> Option<&ValidJob> {
        self.work.plain_job()
    }

    fn keep_made(&mut self, id: JobId) {
        self.kept = self.work.answer_for(id).map(Ok);
    }

    fn look(&mut self, session: &Session<'_>) -> Result<bool, rusqlite::Error> {
        match self.work.look(session) {
            Ok(None) => Ok(false),
            Ok(Some(answer)) => {
                self.kept = Some(Ok(answer));
                Ok(true)
            }
            Err(fault) => match self.stop(fault) {
                Stop::Sql(error) => Err(error),
                Stop::Refused => Ok(true),
            },
        }
    }

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<(), Stop> {
        match self.work.write(tx) {
            Ok(answer) => {
                self.kept = Some(Ok(answer));
                Ok(())
            }
            Err(fault) => Err(self.stop(fault)),
        }
    }

    fn answer(self: Box<Self>) {
        let Self { reply, kept, context, permit, .. } = *self;
        // Before the answer: a caller who is back at once must find its own place free, or it takes itself for two.
        drop(permit);
        // The caller may have gone; its request has had its effect all the same.
        let _ = reply.send(kept.unwrap_or_else(|| Err(context.closed())));
    }

    fn refuse(self: Box<Self>, error: &rusqlite::Error) {
        let error = self.context.explain(repeat(error), W::DOING);
        self.dismiss(error);
    }

    fn give_up(self: Box<Self>, panic: &(dyn Any + Send)) {
        let error = self.context.panicked(panic, W::DOING);
        self.dismiss(error);
    }

    fn dismiss(self: Box<Self>, error: StoreError) {
        let _ = self.reply.send(Err(error));
    }
}

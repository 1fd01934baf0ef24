use std::any::Any;

use longshore_core::{Fence, JobId, StoreError, ValidJob};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::database::fault::{ErrorContext, Fault, repeat};
use crate::workflows::followups::follow_up;
use crate::writing::session::{Session, WriteTx};

/// A message to the writer.
pub(crate) enum Message {
    /// A request.
    Task(Box<dyn Task>),
    /// A new subscriber, or a write to the log: check for foreign commits. Or a caller that committed on its own thread
    /// has left something for the writer's thread.
    Look,
    /// The store is being closed.
    Close,
}

/// One request to the writer: what it does inside a transaction that it may share with others.
pub(crate) trait Work: Send + 'static {
    /// The answer for the caller.
    type Answer: Send + 'static;
    /// The operation, for errors.
    const DOING: &'static str;

    /// What is known about its effect on which job runs next.
    const EFFECT: Effect = Effect::Unknown;

    /// Whether it may write while the queue moves to another database.
    const PASSING: Passing = Passing::Never;

    /// The approximate number of rows that it writes. It bounds a shared transaction.
    fn rows(&self) -> usize {
        1
    }

    /// Whether it takes no longer than a commit, so that its caller may run it on its own thread. Such a request has
    /// nothing to [`look`](Work::look) for.
    fn is_short(&self) -> bool {
        false
    }

    /// Whether it has at most one writing statement and nothing can refuse it afterwards. SQLite undoes a failed
    /// statement by itself, so the request needs no savepoint, which costs more than a single insert.
    fn is_one_statement(&self) -> bool {
        false
    }

    /// The job, if the request only creates it and nothing must be looked up for it. Several such requests are one
    /// statement.
    fn plain_job(&self) -> Option<&ValidJob> {
        None
    }

    /// The answer if the plain job was created with this id.
    fn answer_for(&self, _id: JobId) -> Option<Self::Answer> {
        None
    }

    /// A cheap read outside the write transaction. Returns an answer if nothing must be written.
    fn look(&mut self, _session: &Session) -> Result<Option<Self::Answer>, Fault> {
        Ok(None)
    }

    /// Does the work. After Err everything that it wrote is undone.
    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<Self::Answer, Fault>;
}

/// Which fence of a move lets a piece of work through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passing {
    /// None.
    Never,
    /// The one that waits for running attempts: it ends some, and begins none.
    WhileDraining,
    /// Each: it is the move itself.
    Always,
}

impl Passing {
    fn passes(self, fence: Fence) -> bool {
        match self {
            Self::Never => fence == Fence::Open,
            Self::WhileDraining => fence != Fence::Closed,
            Self::Always => true,
        }
    }
}

/// What is known about the effect of a piece of work on which job runs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// No existing job becomes runnable before a new job, unless [`WriteTx::wakes`] is set.
    Told,
    /// Unknown.
    Unknown,
}

/// A request and the channel to its caller, independent of the type of [`Work`].
pub(crate) trait Task: Send {
    fn rows(&self) -> usize;
    fn is_one_statement(&self) -> bool;
    fn effect(&self) -> Effect;
    /// Whether this fence lets it through.
    fn passes(&self, fence: Fence) -> bool;
    fn plain_job(&self) -> Option<&ValidJob>;
    /// Keeps the answer for a plain job that was created with this id.
    fn keep_made(&mut self, id: JobId);
    /// Whether the read was enough. If so, the answer is kept.
    fn look(&mut self, session: &Session) -> Result<bool, rusqlite::Error>;
    /// Does the work and keeps the answer. An error says why everything that it wrote must be undone.
    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<(), Stop>;
    /// Sends the kept answer.
    fn answer(self: Box<Self>);
    /// Sends an error instead of the answer.
    fn refuse(self: Box<Self>, error: &rusqlite::Error);
    /// Sends the error that the writer panicked in this request, or in one of the same group.
    fn give_up(self: Box<Self>, panic: &(dyn Any + Send));
    /// Sends an error of the store itself.
    fn dismiss(self: Box<Self>, error: StoreError);
}

/// Why a piece of work stopped.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The database failed.
    Sql(rusqlite::Error),
    /// The request was refused. The database works.
    Refused,
}

pub(crate) struct Request<W: Work> {
    pub(crate) work: W,
    pub(crate) context: ErrorContext,
    pub(crate) reply: oneshot::Sender<Result<W::Answer, StoreError>>,
    pub(crate) kept: Option<Result<W::Answer, StoreError>>,
    /// Returned when the request is answered, which bounds the queue. `None` if no caller waits.
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

    fn passes(&self, fence: Fence) -> bool {
        W::PASSING.passes(fence)
    }

    fn plain_job(&self) -> Option<&ValidJob> {
        self.work.plain_job()
    }

    fn keep_made(&mut self, id: JobId) {
        self.kept = self.work.answer_for(id).map(Ok);
    }

    fn look(&mut self, session: &Session) -> Result<bool, rusqlite::Error> {
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
        let done = self.work.write(tx).and_then(|answer| {
            follow_up(tx)?;
            Ok(answer)
        });
        match done {
            Ok(answer) => {
                self.kept = Some(Ok(answer));
                Ok(())
            }
            Err(fault) => Err(self.stop(fault)),
        }
    }

    fn answer(self: Box<Self>) {
        let Self { reply, kept, context, permit, .. } = *self;
        // Before the answer. Otherwise a caller that comes back at once would count its old permit as another caller.
        drop(permit);
        // The caller may have gone. Its request was carried out in any case.
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

use std::io;
use std::sync::Arc;
use std::time::Duration;

use longshore_core::{Backend, IdRange, JobId, OutsideCause, StoreError, StoreFuture};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::{JoinSet, unconstrained};
use tokio::time::{Instant, sleep_until};

use crate::member::{Member, is_of_database};

/// How much longer than the first one a database may take to answer before the others go on without it: where workers
/// wait, and where a person does or nobody.
pub(crate) const SHORT: Duration = Duration::from_secs(3);
pub(crate) const LONG: Duration = Duration::from_secs(10);

/// The main database, which is the first one.
pub(crate) const MAIN: usize = 0;

/// The databases, and the thread that asks them.
#[derive(Debug)]
pub(crate) struct Members {
    /// The first one has every queue that no other one names.
    all: Vec<Arc<Member>>,
    /// None once it was shut down.
    runtime: Option<Runtime>,
    handle: Handle,
}

/// How long those that have not answered are waited for.
#[derive(Clone, Copy, Debug)]
struct Patience {
    span: Duration,
    begins: Begins,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begins {
    /// At once, because databases that are not asked could be.
    Now,
    /// With the first answer: until then there is nobody to go on with.
    WithAnAnswer,
}

/// What each of the asked databases answered, by its place.
pub(crate) type Answers<T> = Vec<(usize, Result<T, StoreError>)>;

impl Members {
    pub(crate) fn new(all: Vec<Arc<Member>>) -> io::Result<Self> {
        // One thread: it only hands over, and the stores have threads of their own.
        let runtime =
            Builder::new_multi_thread().worker_threads(1).thread_name("longshore-databases").enable_time().build()?;
        Ok(Self { all, handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    pub(crate) fn all(&self) -> &[Arc<Member>] {
        &self.all
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Where jobs of this queue are enqueued.
    pub(crate) fn home(&self, queue: &str) -> usize {
        self.all.iter().position(|member| member.queues.iter().any(|name| name == queue)).unwrap_or(0)
    }

    /// The database with the jobs of this range. While one is out of reach whose range is not known, that may be it. An
    /// id of no database belongs to the first one, which has no such job.
    pub(crate) fn with_range(&self, range: IdRange) -> Result<usize, StoreError> {
        if let Some(place) = self.all.iter().position(|member| member.range() == Some(range)) {
            return Ok(place);
        }
        match self.all.iter().find(|member| member.range().is_none()) {
            Some(unknown) => Err(unknown.out_of_reach()),
            None => Ok(0),
        }
    }

    pub(crate) fn of_job(&self, id: JobId) -> Result<usize, StoreError> {
        self.with_range(IdRange::of(id))
    }

    /// Asks one database, also if it did not answer the last time.
    pub(crate) async fn ask_one<T, F>(&self, place: usize, call: F) -> Result<T, StoreError>
    where
        F: FnOnce(Arc<dyn Backend>) -> StoreFuture<'static, T>,
    {
        let member = &self.all[place];
        let answer = call(Arc::clone(member.store()?)).await;
        match answer {
            Ok(answer) => {
                member.pass();
                Ok(answer)
            }
            Err(error) => Err(member.meet(error)),
        }
    }

    /// Asks these databases at once, each with what belongs to it. As soon as one has answered, or if there are others
    /// that answer, the patience begins; one that did not answer before is not asked unless nobody else is.
    pub(crate) async fn ask<P, T, F>(&self, patience: Duration, parts: Vec<(usize, P)>, call: F) -> Answers<T>
    where
        P: Send + 'static,
        T: Send + 'static,
        F: Fn(Arc<dyn Backend>, P) -> StoreFuture<'static, T> + Send + Sync + 'static,
    {
        let is_reachable = |place: usize| self.all[place].trouble().is_none();
        let asks_all = !parts.iter().any(|(place, _)| is_reachable(*place));
        let (mut answers, mut asked) = (Vec::new(), Vec::new());
        for (place, part) in parts {
            let member = &self.all[place];
            match member.store() {
                Ok(store) if asks_all || is_reachable(place) => asked.push((place, Arc::clone(store), part)),
                Ok(_) => answers.push((place, Err(member.out_of_reach()))),
                Err(error) => answers.push((place, Err(error))),
            }
        }
        let is_asked = |place: usize| asked.iter().any(|(asked, ..)| *asked == place);
        let mut others = (0..self.all.len()).filter(|place| !is_asked(*place) && is_reachable(*place));
        // Those that are not asked wait as well: whoever asks has only this one thread of work.
        let patience = Patience {
            span: patience,
            begins: if others.next().is_some() { Begins::Now } else { Begins::WithAnAnswer },
        };
        let heard = self.handle.spawn(hear(patience, asked, call));
        // It must not use the budget of the caller's task, who may block inside that task.
        let heard = unconstrained(heard).await.unwrap_or_default();
        for (place, answer) in heard {
            let member = &self.all[place];
            answers.push((place, answer.inspect(|_| member.pass()).map_err(|error| member.meet(error))));
        }
        answers.sort_by_key(|(place, _)| *place);
        answers
    }

    /// Asks every database the same.
    pub(crate) async fn ask_all<T, F>(&self, patience: Duration, call: F) -> Answers<T>
    where
        T: Send + 'static,
        F: Fn(Arc<dyn Backend>) -> StoreFuture<'static, T> + Send + Sync + 'static,
    {
        let parts = (0..self.all.len()).map(|place| (place, ())).collect();
        self.ask(patience, parts, move |store, ()| call(store)).await
    }
}

/// Runs the calls, on the runtime.
async fn hear<P, T, F>(patience: Patience, asked: Vec<(usize, Arc<dyn Backend>, P)>, call: F) -> Answers<T>
where
    P: Send + 'static,
    T: Send + 'static,
    F: Fn(Arc<dyn Backend>, P) -> StoreFuture<'static, T> + Send + Sync + 'static,
{
    let call = Arc::new(call);
    let mut tasks = JoinSet::new();
    let mut waiting = Vec::new();
    for (place, store, part) in asked {
        let call = Arc::clone(&call);
        let task = tasks.spawn(async move { call(store, part).await });
        waiting.push((task.id(), place));
    }
    let mut answers = Vec::new();
    let mut until = (patience.begins == Begins::Now).then(|| Instant::now() + patience.span);
    while !tasks.is_empty() {
        let joined = tokio::select! {
            biased;
            joined = tasks.join_next_with_id() => joined,
            () = reached(until) => break,
        };
        let (id, answer) = match joined {
            Some(Ok((id, answer))) => (id, answer),
            Some(Err(error)) => (error.id(), Err(panicked(&error))),
            None => break,
        };
        if answer.is_ok() {
            until.get_or_insert_with(|| Instant::now() + patience.span);
        }
        if let Some(at) = waiting.iter().position(|(waiting, _)| *waiting == id) {
            answers.push((waiting.swap_remove(at).1, answer));
        }
    }
    answers.extend(waiting.into_iter().map(|(_, place)| (place, Err(too_late()))));
    answers
}

async fn reached(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

fn panicked(error: &tokio::task::JoinError) -> StoreError {
    StoreError::Panicked { database: "a database".into(), doing: "answering a call", message: error.to_string() }
}

/// The answer of a database that takes much longer than the others.
pub(crate) fn too_late() -> StoreError {
    let source = io::Error::new(io::ErrorKind::TimedOut, "it does not answer");
    OutsideCause::ServerUnreachable { database: "the server".into(), source: Box::new(source) }.into()
}

/// The answers of those that can be reached. The error is one that nobody can go on with, or, if none has answered, the
/// first one.
pub(crate) fn reachable<T>(answers: Answers<T>) -> Result<Vec<(usize, T)>, StoreError> {
    let (mut heard, mut missed) = (Vec::new(), None);
    for (place, answer) in answers {
        match answer {
            Ok(answer) => heard.push((place, answer)),
            Err(error) if is_of_database(&error) => {
                missed.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    match missed {
        Some(error) if heard.is_empty() => Err(error),
        _ => Ok(heard),
    }
}

/// The answers of all of them, or the first error.
pub(crate) fn every<T>(answers: Answers<T>) -> Result<Vec<(usize, T)>, StoreError> {
    answers.into_iter().map(|(place, answer)| Ok((place, answer?))).collect()
}

impl Drop for Members {
    fn drop(&mut self) {
        // A runtime must not wait for its threads on a thread of a runtime, and the last clone may go anywhere.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use longshore_cause::OutsideCause;
use longshore_core::{Enqueued, JobId, StoreError, ValidJob};
use postgres_types::Type;
use tokio::sync::oneshot;
use tokio_postgres::error::SqlState;

use super::alone::enqueue_alone;
use super::columns::Columns;
use super::dependent::{Made, read_made};
use super::plain::insert_plain;
use super::{DOING, bytes_of};
use crate::jobs::claim::hints::Changes;
use crate::session::fault::Fault;
use crate::session::sql::sql;
use crate::session::statements::Call;
use crate::store::Parts;

/// How many statements of a group are under way at once: while one waits for the disk, another one runs.
const FLUSHES_MAX: usize = 2;
/// What one statement of a group takes.
const ROWS_MAX: usize = 1000;
const BYTES_MAX: usize = 4 * 1024 * 1024;
/// How long a statement for jobs with unique keys waits for others with the same keys, before it leaves each to itself.
const PATIENCE: &str = "50ms";

/// Requests that share statements and commits: a statement takes what has gathered while the last ones ran.
#[derive(Debug, Default)]
pub(super) struct Group {
    state: Mutex<State>,
}

/// The requests of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// Plain jobs, of which a request may have several.
    Plain,
    /// One job with a unique key or a parent.
    Dependent,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Request>,
    flushes: usize,
}

#[derive(Debug)]
struct Request {
    jobs: Vec<ValidJob>,
    answer: oneshot::Sender<Result<Vec<Enqueued>, Fault>>,
}

impl Group {
    /// Enqueues jobs, all or none, together with those of other requests.
    pub(super) async fn enqueue(parts: &Arc<Parts>, sort: Sort, jobs: Vec<ValidJob>) -> Result<Vec<Enqueued>, Fault> {
        let (answer, answered) = oneshot::channel();
        let begins = {
            let mut state = parts.enqueues.group(sort).lock();
            state.waiting.push_back(Request { jobs, answer });
            let begins = state.flushes < FLUSHES_MAX;
            state.flushes += usize::from(begins);
            begins
        };
        if begins {
            parts.runtime.handle().spawn(flush_all(Arc::clone(parts), sort));
        }
        // The task ends without an answer only with the runtime.
        answered.await.unwrap_or_else(|_| Err(parts.context.closed().into()))
    }

    /// The next requests for one statement. None ends this flush.
    fn take(&self) -> Option<Vec<Request>> {
        let mut state = self.lock();
        let (mut taken, mut rows, mut bytes) = (Vec::new(), 0, 0);
        while let Some(request) = state.waiting.pop_front() {
            rows += request.jobs.len();
            bytes += bytes_of(&request.jobs);
            if !taken.is_empty() && (rows > ROWS_MAX || bytes > BYTES_MAX) {
                state.waiting.push_front(request);
                break;
            }
            taken.push(request);
        }
        if taken.is_empty() {
            state.flushes -= 1;
            return None;
        }
        Some(taken)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a flush that a panic ends, so that others still begin.
struct Flush<'g> {
    group: &'g Group,
}

impl Drop for Flush<'_> {
    fn drop(&mut self) {
        self.group.lock().flushes -= 1;
    }
}

async fn flush_all(parts: Arc<Parts>, sort: Sort) {
    let group = parts.enqueues.group(sort);
    let running = Flush { group };
    while let Some(requests) = group.take() {
        match sort {
            Sort::Plain => flush_plain(&parts, requests).await,
            Sort::Dependent => flush_dependent(&parts, requests).await,
        }
    }
    // `take` has counted this end under the lock under which it saw that nothing waits.
    mem::forget(running);
}

async fn flush_plain(parts: &Arc<Parts>, requests: Vec<Request>) {
    let jobs = || requests.iter().flat_map(|request| &request.jobs);
    let begun = Instant::now();
    match insert_plain(parts, jobs).await {
        Ok(ids) => {
            parts.writes.committed(requests.len(), begun.elapsed());
            answer_all(requests, ids);
        }
        Err(fault) if requests.len() == 1 || is_unknown(&fault) => refuse_all(parts, requests, fault),
        // One of them is the reason, and the others must not suffer from it.
        Err(_) => {
            for request in requests {
                let made = insert_plain(parts, || &request.jobs).await;
                let made = made.map(|ids| ids.into_iter().map(Enqueued::made).collect());
                let _ = request.answer.send(made);
            }
        }
    }
}

fn answer_all(requests: Vec<Request>, ids: Vec<JobId>) {
    let mut made = ids.into_iter().map(Enqueued::made);
    for request in requests {
        let enqueued = made.by_ref().take(request.jobs.len()).collect();
        let _ = request.answer.send(Ok(enqueued));
    }
}

/// Those that met others, or wait for others, go on by themselves, so that nobody waits for them.
async fn flush_dependent(parts: &Arc<Parts>, requests: Vec<Request>) {
    let begun = Instant::now();
    match insert_dependent(parts, &requests).await {
        Ok(made) => {
            parts.writes.committed(requests.len(), begun.elapsed());
            let mut changes = Changes::default();
            for (request, made) in requests.into_iter().zip(made) {
                match made {
                    Made::Job(id) => {
                        request.jobs.iter().for_each(|job| changes.add_job(Some(&job.job_type), &job.queue));
                        let _ = request.answer.send(Ok(vec![Enqueued::made(id)]));
                    }
                    Made::Nothing(_) => go_alone(parts, request),
                }
            }
            parts.claims.hints.give(changes);
        }
        Err(fault) if is_unknown(&fault) => refuse_all(parts, requests, fault),
        Err(_) => requests.into_iter().for_each(|request| go_alone(parts, request)),
    }
}

async fn insert_dependent(parts: &Parts, requests: &[Request]) -> Result<Vec<Made>, Fault> {
    let columns = Columns::of(requests.iter().flat_map(|request| &request.jobs));
    let ids: Vec<Option<i64>> = vec![None; requests.len()];
    let mut values = columns.all();
    values.push((&ids, Type::INT8_ARRAY));
    let patience = [(&PATIENCE as _, Type::TEXT)];
    let calls = [
        Call { sql: sql!("session/set_lock_timeout"), parameters: &patience },
        Call { sql: sql!("enqueue/insert_jobs"), parameters: &values },
    ];
    let answers = parts.pool.session().await?.transact(&calls).await?;
    read_made(&answers[1])
}

fn go_alone(parts: &Arc<Parts>, request: Request) {
    let of_task = Arc::clone(parts);
    parts.runtime.handle().spawn(async move {
        let enqueued = enqueue_alone(&of_task, &request.jobs).await;
        let _ = request.answer.send(enqueued);
    });
}

/// Whether the statement may have been committed all the same, so that it must not be repeated.
fn is_unknown(fault: &Fault) -> bool {
    match fault {
        Fault::Database(error) => error.code().is_none_or(is_end_of_session),
        // There was no connection.
        Fault::Store(_) => true,
    }
}

fn is_end_of_session(code: &SqlState) -> bool {
    code.code().starts_with("57P") || code.code().starts_with("08")
}

fn refuse_all(parts: &Parts, requests: Vec<Request>, fault: Fault) {
    let error = parts.context.answer(fault, DOING);
    let copies: Vec<_> = requests.iter().skip(1).map(|_| another(parts, &error)).collect();
    for (request, error) in requests.into_iter().zip([error].into_iter().chain(copies)) {
        let _ = request.answer.send(Err(error.into()));
    }
}

/// The same for another request.
fn another(parts: &Parts, error: &StoreError) -> StoreError {
    let database = Arc::clone(&parts.context.database);
    match error {
        StoreError::Closed { .. } => StoreError::Closed { database },
        error => StoreError::Outside(OutsideCause::Unreachable { database, source: error.to_string().into() }),
    }
}

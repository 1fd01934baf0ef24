use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use longshore_core::{AttemptEnd, Outcome, Overdue, Record, RetryPolicy, decide};

use crate::runtime::panic_capture::{Panicked, caught};
use crate::runtime::quiet;
use crate::worker::attempt::ended_attempt::EndedAttempt;
use crate::worker::attempt::executor::{Executed, Execution};
use crate::worker::holdings::{Conclusion, Started, Taken};
use crate::worker::suspects::isolation;
use crate::worker::worker_run::WorkerRun;
use crate::{CurrentAttempt, StopCause};

/// Runs one attempt after the other. Ends only if the code around the attempts panics, which ends the worker.
pub(crate) async fn run(worker_run: Arc<WorkerRun>, number: u32) {
    let slot = number as usize;
    loop {
        let Err(panicked) = caught(turns(&worker_run, slot)).await;
        let taken = worker_run.holdings().slots.taken(slot);
        match taken {
            Taken::Nothing => return worker_run.note_panic("a slot of the worker", panicked),
            Taken::Attempt { attempt, taken_at, began_at } => {
                let ended = broken(&worker_run, &attempt, taken_at, began_at, panicked);
                worker_run.holdings().conclude(slot, &attempt, Conclusion::Outcome(ended));
            }
            Taken::Concluded => {
                quiet::error!(panic = panicked.message, "a slot of the worker panicked after its attempt had ended");
            }
        }
        worker_run.holdings().release(slot);
    }
}

/// Ends only by a panic.
async fn turns(worker_run: &WorkerRun, slot: usize) -> Infallible {
    loop {
        turn(worker_run, slot).await;
    }
}

/// Runs one attempt, or waits for a lease if there is none.
async fn turn(worker_run: &WorkerRun, slot: usize) {
    let began_at = worker_run.clock.monotonic();
    let started = worker_run.holdings().start(slot, began_at, &worker_run.gate, |mut held| {
        let policy = worker_run.registry.get(&held.lease.job_type).map(|entry| &entry.policy);
        let grace = policy.and_then(|policy| policy.grace);
        // From here on the number of retries is known, whether the job or its type sets it.
        held.lease
            .budgets
            .max_retries
            .get_or_insert(policy.map_or(RetryPolicy::RETRIES, |policy| policy.retry.retries));
        CurrentAttempt::new(held, grace.unwrap_or(worker_run.settings.grace), worker_run.origin.clone())
    });
    let Some(Started { worker_id, attempt, pass }) = started else {
        return worker_run.shared.slot_woken(slot).await;
    };
    if overdue(worker_run, &attempt, began_at).is_some() {
        // Its expiry or deadline passed while it waited here, so its handler does not run.
        conclude_unbegun(worker_run, slot, &attempt, not_begun(worker_run, &attempt, began_at));
        drop(pass);
    } else if pass.closes() {
        // Rare and large, so it is boxed.
        Box::pin(isolation::run(worker_run, slot, &worker_id, &attempt, pass)).await;
    } else if let Some(began_at) = worker_run.note_beginning(&worker_id, slot, &attempt, began_at).await {
        make(worker_run, slot, &attempt, began_at).await;
        drop(pass);
    } else {
        let now = worker_run.clock.monotonic();
        conclude_unbegun(worker_run, slot, &attempt, not_begun(worker_run, &attempt, now));
        drop(pass);
    }
    // Handlers that never wait would keep the recorder and the claim loop from running on this thread.
    tokio::task::consume_budget().await;
}

/// Which bound of the job keeps the attempt from beginning at this moment of the monotonic clock.
pub(crate) fn overdue(worker_run: &WorkerRun, attempt: &CurrentAttempt, now: Duration) -> Option<Overdue> {
    attempt.lease().budgets.time.overdue_at(worker_run.store_time.at(now))
}

/// The end of an attempt that does not begin.
pub(crate) fn not_begun(worker_run: &WorkerRun, attempt: &CurrentAttempt, now: Duration) -> EndedAttempt {
    let record = Record::returned(attempt.lease());
    let outcome = match (attempt.stop_signal().cause(), overdue(worker_run, attempt, now)) {
        (Some(StopCause::Cancelled), _) => Outcome::Cancelled,
        (_, Some(overdue)) => overdue.outcome(None),
        (_, None) => Outcome::Returned,
    };
    EndedAttempt::new(Record { outcome, log: attempt.close(), ..record }, now)
}

/// Ends an attempt that does not begin, and frees its slot.
pub(crate) fn conclude_unbegun(worker_run: &WorkerRun, slot: usize, attempt: &CurrentAttempt, ended: EndedAttempt) {
    let mut holdings = worker_run.holdings();
    holdings.conclude(slot, attempt, Conclusion::Outcome(ended));
    holdings.release(slot);
}

/// Runs the handler of a started attempt.
pub(crate) async fn make(worker_run: &WorkerRun, slot: usize, attempt: &CurrentAttempt, began_at: Duration) {
    let mut execution = Execution::new(worker_run, attempt, began_at);
    let Executed { conclusion, hooks } = execution.run().await;
    if hooks.is_some() {
        // Before the attempt is over. Otherwise a shutdown would not know that it must wait.
        worker_run.holdings().slots.begin_hooks(slot);
    }
    let ownership = worker_run.holdings().conclude(slot, attempt, conclusion);
    if let Some(hooks) = hooks {
        // Rare and large, so it is boxed.
        Box::pin(hooks.run(worker_run, slot, ownership)).await;
    }
    execution.outlive().await;
    worker_run.holdings().release(slot);
}

/// The outcome of an attempt whose surroundings panicked, made of nothing that could panic once more, as the clock
/// could. One that had not begun is given back.
fn broken(
    worker_run: &WorkerRun,
    attempt: &CurrentAttempt,
    taken_at: Duration,
    began_at: Option<Duration>,
    panicked: Panicked,
) -> EndedAttempt {
    let lease = attempt.lease();
    let failure = panicked.into_failure("the slot of the worker");
    quiet::error!(
        job_id = attempt.id().0,
        error = failure.message,
        "an attempt was ended by a panic outside its handler"
    );
    let record = Record { log: attempt.close(), ..Record::returned(lease) };
    let Some(ended_at) = began_at else { return EndedAttempt::new(record, taken_at) };
    let retry = worker_run.registry.get(attempt.job_type()).map(|entry| entry.policy.retry.clone()).unwrap_or_default();
    let now = worker_run.store_time.at(ended_at);
    let outcome = decide(&lease.budgets, AttemptEnd::Failed(failure), &retry, now, fastrand::f64());
    EndedAttempt::new(Record { outcome, ran: Some(Duration::ZERO), ..record }, ended_at)
}

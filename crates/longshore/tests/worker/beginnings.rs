//! That handlers begin only after their beginning is noted, and what it costs.

use std::sync::Arc;
use std::time::Duration;

use longshore::{JobId, Queue, Status};
use longshore_testkit::{Fault, FaultPlan, FaultStore, MemoryStore, Operation};

use crate::bench::{Bench, Running, Step, Tally};

const SECOND: Duration = Duration::from_secs(1);

/// A worker whose store fails as it is told, and the numbers of the handlers that began.
struct Beginning {
    bench: Bench,
    faulty: FaultStore<MemoryStore>,
    queue: Queue,
    tally: Tally,
}

impl Beginning {
    /// The next beginning meets this fault.
    fn meets(fault: Fault) -> Self {
        let bench = Bench::new();
        let faulty = FaultStore::new(bench.store.clone(), FaultPlan::none());
        faulty.fail_next(Operation::MarkStarted, fault);
        let queue = Queue::from_backend(Arc::new(faulty.clone()));
        Self { bench, faulty, queue, tally: Tally::default() }
    }

    fn spawn(&self, concurrency: u32) -> Running {
        let tally = self.tally.clone();
        Running::spawn(self.bench.worker_of(&self.queue).concurrency(concurrency).handle(move |step: Step, _| {
            tally.enter(step.number);
            async { Ok(()) }
        }))
    }

    async fn until_noting(&self) {
        while self.faulty.calls(Operation::MarkStarted) == 0 {
            tokio::time::sleep(SECOND / 100).await;
        }
    }

    /// The job has ended otherwise than by its handler, which never began.
    async fn never_began(&self, id: JobId, status: Status) {
        let detail = self.bench.detail(id).await;
        assert_eq!((detail.job.status, detail.job.retry_count, detail.job.crash_count), (status, 0, 0));
        assert!(detail.attempts.iter().all(|attempt| attempt.started_at.is_none()), "{:?}", detail.attempts);
        assert!(self.tally.seen().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_begins_only_after_its_beginning_is_noted() {
    let beginning = Beginning::meets(Fault::Delay(5 * SECOND));
    let id = beginning.bench.enqueue(1).await;
    let running = beginning.spawn(4);
    beginning.until_noting().await;

    tokio::time::sleep(4 * SECOND).await;
    assert!(beginning.tally.seen().is_empty());

    let job = beginning.bench.until_status(id, Status::Completed).await;
    assert_eq!(beginning.tally.seen(), [1]);
    let attempt = beginning.bench.detail(id).await.attempts.remove(0);
    let waited = attempt.started_at.unwrap().since(job.created_at);
    assert!(waited >= 5 * SECOND, "its time counts from its beginning: {waited:?}");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn attempts_that_begin_while_a_note_is_under_way_are_noted_together() {
    let beginning = Beginning::meets(Fault::Delay(SECOND));
    let jobs: Vec<Step> = (1..=8).map(|number| Step { number }).collect();
    let ids =
        beginning.bench.queue.enqueue_all(jobs.iter().map(|job| longshore::Payload::to_job(job).unwrap()).collect());
    let last = ids.await.unwrap().last().unwrap().id;
    let running = beginning.spawn(8);

    beginning.bench.until_status(last, Status::Completed).await;

    assert_eq!(beginning.faulty.beginnings(), [1, 7]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn quick_jobs_in_many_slots_are_noted_by_a_few_calls() {
    let (slots, jobs) = (16, 160);
    let beginning = Beginning::meets(Fault::Delay(SECOND / 100));
    for _ in 1..jobs {
        beginning.faulty.fail_next(Operation::MarkStarted, Fault::Delay(SECOND / 100));
    }
    let steps: Vec<Step> = (1..=jobs).map(|number| Step { number }).collect();
    let new_jobs = steps.iter().map(|job| longshore::Payload::to_job(job).unwrap()).collect();
    beginning.bench.queue.enqueue_all(new_jobs).await.unwrap();
    let running = beginning.spawn(slots);

    while beginning.tally.seen().len() < jobs as usize {
        tokio::time::sleep(SECOND / 100).await;
    }

    let calls = beginning.faulty.beginnings();
    assert!(calls.len() <= 2 * (jobs / slots) as usize, "{calls:?}");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_beginning_that_cannot_be_noted_is_tried_again_and_costs_nothing() {
    let beginning = Beginning::meets(Fault::Busy);
    for fault in [Fault::Full, Fault::Lost, Fault::Busy] {
        beginning.faulty.fail_next(Operation::MarkStarted, fault);
    }
    let id = beginning.bench.enqueue(1).await;
    let running = beginning.spawn(4);

    let job = beginning.bench.until_status(id, Status::Completed).await;

    assert_eq!((job.retry_count, job.crash_count, beginning.tally.seen()), (0, 0, vec![1]));
    assert_eq!(beginning.faulty.calls(Operation::MarkStarted), 5);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_cancelled_while_its_beginning_is_noted_never_begins() {
    let beginning = Beginning::meets(Fault::Delay(3600 * SECOND));
    let id = beginning.bench.enqueue(1).await;
    let running = beginning.spawn(1);
    beginning.until_noting().await;

    beginning.bench.queue.cancel(id).await.unwrap();

    beginning.bench.until_status(id, Status::Cancelled).await;
    beginning.never_began(id, Status::Cancelled).await;
    // Its slot is free, and nobody waits for the note that was given up.
    let next = beginning.bench.enqueue(2).await;
    beginning.bench.until_status(next, Status::Completed).await;
    assert_eq!(beginning.tally.seen(), [2]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_stops_while_a_beginning_is_noted_gives_the_job_back_unspent() {
    let beginning = Beginning::meets(Fault::Delay(3600 * SECOND));
    let id = beginning.bench.enqueue(1).await;
    let running = beginning.spawn(1);
    beginning.until_noting().await;

    tokio::time::timeout(5 * SECOND, running.stop()).await.expect("it need not wait for the note");

    beginning.never_began(id, Status::Pending).await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_expires_while_its_beginning_is_noted_never_begins() {
    let beginning = Beginning::meets(Fault::Delay(5 * SECOND));
    let id = beginning.bench.enqueue_with(|job| job.expires_in(2 * SECOND)).await;
    let running = beginning.spawn(1);

    beginning.bench.until_status(id, Status::Cancelled).await;

    beginning.never_began(id, Status::Cancelled).await;
    running.stop().await;
}

/// The other worker has a store of its own, which does not answer.
#[tokio::test(start_paused = true)]
async fn a_worker_begins_although_another_one_of_its_process_cannot_note_its_company() {
    let beginning = Beginning::meets(Fault::Delay(SECOND / 1000));
    let id = beginning.bench.enqueue(0).await;
    let stuck = Running::spawn(beginning.bench.worker_of(&beginning.queue).handle(|_: Step, _| async {
        tokio::time::sleep(600 * SECOND).await;
        Ok(())
    }));
    beginning.bench.until_status(id, Status::Running).await;
    beginning.until_noting().await;
    tokio::time::sleep(SECOND).await;
    beginning.faulty.fail_next(Operation::MarkStarted, Fault::Delay(3600 * SECOND));
    let own = Bench::new();
    let mine = own.enqueue(1).await;

    let second = Running::spawn(beginning.bench.same_process(&own).handle(|_: Step, _| async { Ok(()) }));

    tokio::time::timeout(60 * SECOND, own.until_status(mine, Status::Completed)).await.expect("it is not kept");
    second.stop().await;
    drop(stuck);
}

use std::sync::{Arc, Mutex};
use std::time::Duration;

use longshore::backend::{Console, Store};
use longshore::{
    AttemptResult, BoxFuture, CurrentAttempt, DeadLetterReason, Done, Failure, FailureType, HandlerError, JobData,
    Middleware, NewJob, Next, Outcome, Payload, Status, Worker,
};
use serde::{Deserialize, Serialize};

use crate::bench::{Bench, Running, Step};

/// What happened, in order.
#[derive(Clone, Debug, Default)]
struct Story(Arc<Mutex<Vec<String>>>);

impl Story {
    fn tell(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    fn lines_of(&self, word: &str) -> Vec<String> {
        self.lines().into_iter().filter(|line| line.contains(word)).collect()
    }
}

/// Where a middleware misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Before,
    Around,
    After,
    DeadLetter,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Panic,
    /// Before the call has returned a future.
    PanicAtOnce,
    Hang,
    Fail,
}

/// Records every call, and misbehaves in one place.
struct Teller {
    name: &'static str,
    story: Story,
    fault: Option<(Place, Fault)>,
}

impl Teller {
    fn new(name: &'static str, story: &Story) -> Self {
        Self { name, story: story.clone(), fault: None }
    }

    fn with(self, place: Place, fault: Fault) -> Self {
        Self { fault: Some((place, fault)), ..self }
    }

    fn tell(&self, what: &str) {
        self.story.tell(format!("{} {what}", self.name));
    }

    fn panic_at_once(&self, place: Place) {
        assert!(self.fault != Some((place, Fault::PanicAtOnce)), "{} panicked", self.name);
    }

    async fn act(&self, place: Place) -> Result<(), HandlerError> {
        match self.fault.filter(|(at, _)| *at == place).map(|(_, fault)| fault) {
            None | Some(Fault::PanicAtOnce) => Ok(()),
            Some(Fault::Panic) => panic!("{} panicked", self.name),
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::Fail) => Err(HandlerError::failed(FailureType::ConfigError, "no key")),
        }
    }
}

impl Middleware for Teller {
    fn before<'a>(&'a self, _: &'a CurrentAttempt) -> BoxFuture<'a, Result<(), HandlerError>> {
        self.tell("before");
        self.panic_at_once(Place::Before);
        Box::pin(self.act(Place::Before))
    }

    fn around<'a>(&'a self, _: &'a CurrentAttempt, next: Next<'a>) -> BoxFuture<'a, AttemptResult> {
        self.panic_at_once(Place::Around);
        Box::pin(async move {
            self.tell("in");
            self.act(Place::Around).await?;
            let result = next.run().await;
            self.tell("out");
            result
        })
    }

    fn after<'a>(&'a self, _: &'a CurrentAttempt, outcome: &'a Outcome) -> BoxFuture<'a, ()> {
        let word = match outcome {
            Outcome::Completed { .. } => "completed",
            Outcome::Retrying { .. } => "retrying",
            Outcome::DeadLetter { .. } => "dead letter",
            Outcome::Cancelled => "cancelled",
            Outcome::Deferred { .. } => "deferred",
            _ => "something else",
        };
        self.tell(&format!("after {word}"));
        self.panic_at_once(Place::After);
        Box::pin(async { drop(self.act(Place::After).await) })
    }

    fn on_dead_letter<'a>(
        &'a self,
        _: &'a CurrentAttempt,
        reason: DeadLetterReason,
        failure: &'a Failure,
    ) -> BoxFuture<'a, ()> {
        self.tell(&format!("mourns: {} ({})", reason.code(), failure.message));
        self.panic_at_once(Place::DeadLetter);
        Box::pin(async { drop(self.act(Place::DeadLetter).await) })
    }
}

/// A worker whose handler records that it ran.
fn telling(bench: &Bench, story: &Story) -> Worker {
    let story = story.clone();
    bench.worker().handle(move |_: Step, _| {
        story.tell("handler");
        async { Ok(()) }
    })
}

#[tokio::test(start_paused = true)]
async fn middlewares_surround_the_handler_in_their_order_and_hear_the_outcome_in_the_other() {
    let (bench, story) = (Bench::new(), Story::default());
    bench.enqueue(1).await;

    let worker = telling(&bench, &story).middleware(Teller::new("a", &story)).middleware(Teller::new("b", &story));
    worker.run_until_drained().await.unwrap();

    let expected =
        ["a before", "a in", "b before", "b in", "handler", "b out", "a out", "b after completed", "a after completed"];
    assert_eq!(story.lines(), expected);
}

#[tokio::test(start_paused = true)]
async fn an_error_before_fails_the_attempt_without_the_handler_and_only_those_who_were_called_hear_of_it() {
    let (bench, story) = (Bench::new(), Story::default());
    let id = bench.enqueue(1).await;

    let worker = telling(&bench, &story)
        .middleware(Teller::new("a", &story))
        .middleware(Teller::new("b", &story).with(Place::Before, Fault::Fail))
        .middleware(Teller::new("c", &story));
    worker.run_until_drained().await.unwrap();

    let expected = [
        "a before",
        "a in",
        "b before",
        "a out",
        "b mourns: not_retried (no key)",
        "b after dead letter",
        "a mourns: not_retried (no key)",
        "a after dead letter",
    ];
    assert_eq!(story.lines(), expected);
    assert_eq!(bench.job(id).await.failure_type.as_deref(), Some("config_error"));
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_is_told_when_the_last_retry_is_spent_and_not_before() {
    let (bench, story) = (Bench::new(), Story::default());
    bench.enqueue_with(|job| job.max_retries(1)).await;

    let worker = bench
        .worker()
        .middleware(Teller::new("a", &story))
        .handle(|_: Step, _| async { Err::<(), _>(HandlerError::failed(FailureType::NetworkError, "no answer")) });
    worker.run_until_drained().await.unwrap();

    assert_eq!(story.lines_of("mourns"), ["a mourns: retries_spent (no answer)"]);
    assert_eq!(story.lines_of("after"), ["a after retrying", "a after dead letter"]);
}

#[tokio::test(start_paused = true)]
async fn a_panic_before_or_around_the_handler_is_a_failed_attempt() {
    for place in [Place::Before, Place::Around] {
        for fault in [Fault::Panic, Fault::PanicAtOnce] {
            let (bench, story) = (Bench::new(), Story::default());
            let id = bench.enqueue_with(|job| job.max_retries(0)).await;

            let worker = telling(&bench, &story).middleware(Teller::new("a", &story).with(place, fault));
            worker.run_until_drained().await.unwrap();

            let job = bench.job(id).await;
            assert_eq!((job.status, job.failure_type.as_deref()), (Status::DeadLetter, Some("worker_error")));
            let message = job.error_message.unwrap();
            assert_eq!(message, "a middleware panicked: a panicked", "{place:?} {fault:?}");
            assert_eq!(
                (story.lines().contains(&"handler".to_owned()), story.lines_of("after")),
                (false, vec!["a after dead letter".into()])
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_handler_comes_to_what_surrounds_it_as_an_error() {
    let (bench, story) = (Bench::new(), Story::default());
    let id = bench.enqueue_with(|job| job.max_retries(0)).await;

    let worker = bench.worker().middleware(Teller::new("a", &story)).handle(|step: Step, _| async move {
        assert!(step.number > 0, "too small");
        Ok(())
    });
    worker.run_until_drained().await.unwrap();

    let job = bench.job(id).await;
    assert_eq!(job.error_message.as_deref(), Some("the handler panicked: too small"));
    assert!(job.last_error_traceback.unwrap().contains("middleware.rs"));
    assert_eq!(story.lines()[..3], ["a before", "a in", "a out"]);
}

#[tokio::test(start_paused = true)]
async fn a_panic_after_the_attempt_changes_nothing_and_the_others_hear_all_the_same() {
    for place in [Place::After, Place::DeadLetter] {
        for fault in [Fault::Panic, Fault::PanicAtOnce] {
            let (bench, story) = (Bench::new(), Story::default());
            let good = bench.enqueue(1).await;
            let bad = bench.enqueue_with(|job| job.max_retries(0)).await;

            let worker = bench
                .worker()
                .concurrency(1)
                .middleware(Teller::new("a", &story))
                .middleware(Teller::new("b", &story).with(place, fault))
                .handle(|step: Step, _| async move {
                    let failure = || HandlerError::failed(FailureType::NetworkError, "no answer");
                    if step.number == 0 { Err(failure()) } else { Ok(()) }
                });
            worker.run_until_drained().await.unwrap();

            assert_eq!((bench.status(good).await, bench.status(bad).await), (Status::Completed, Status::DeadLetter));
            let heard =
                story.lines_of("a ").into_iter().filter(|line| line.contains("after") || line.contains("mourns"));
            let expected = ["a after completed", "a mourns: retries_spent (no answer)", "a after dead letter"];
            assert_eq!(heard.collect::<Vec<_>>(), expected, "{place:?} {fault:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_of_an_attempt_that_had_lost_its_lease_is_not_told() {
    let (bench, story) = (Bench::new(), Story::default());
    let id = bench.enqueue(1).await;
    let store = bench.store.clone();

    let worker = bench.worker().middleware(Teller::new("a", &story)).handle(move |_: Step, attempt| {
        let store = store.clone();
        async move {
            if attempt.lease().claim_number.0 > 1 {
                return Ok(());
            }
            let holder = store.job(attempt.id()).await?.unwrap().job.worker_id.unwrap();
            store.retire(holder).await?;
            // The report that follows is fenced.
            attempt.log("still here\n");
            tokio::time::sleep(Duration::from_secs(1)).await;
            Err(HandlerError::failed(FailureType::PermissionError, "no entry"))
        }
    });
    worker.run_until_drained().await.unwrap();

    assert_eq!(bench.status(id).await, Status::Completed);
    // The worker claims the job again while the lost attempt is still running.
    assert_eq!(story.lines_of("after"), ["a after completed", "a after dead letter"]);
    assert_eq!(story.lines_of("mourns"), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn the_time_limit_holds_for_what_surrounds_the_handler() {
    for place in [Place::Before, Place::Around] {
        let (bench, story) = (Bench::new(), Story::default());
        let id = bench.enqueue_with(|job| job.max_retries(0).timeout(Duration::from_secs(5))).await;

        let worker = telling(&bench, &story)
            .grace(Duration::from_secs(1))
            .middleware(Teller::new("a", &story).with(place, Fault::Hang));
        worker.run_until_drained().await.unwrap();

        let job = bench.job(id).await;
        assert_eq!((job.status, job.failure_type.as_deref()), (Status::DeadLetter, Some("timeout_error")));
        assert_eq!(story.lines_of("after"), ["a after dead letter"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_middleware_that_hangs_after_the_attempt_delays_no_outcome_and_gives_the_slot_back() {
    let (bench, story) = (Bench::new(), Story::default());
    let first = bench.enqueue(1).await;
    let second = bench.enqueue(2).await;

    let worker =
        telling(&bench, &story).concurrency(1).middleware(Teller::new("a", &story).with(Place::After, Fault::Hang));
    worker.run_until_drained().await.unwrap();

    let (first, second) = (bench.job(first).await, bench.job(second).await);
    assert_eq!((first.status, second.status), (Status::Completed, Status::Completed));
    let apart = second.started_at.unwrap().since(first.completed_at.unwrap());
    assert!((Duration::from_secs(9)..Duration::from_secs(11)).contains(&apart), "{apart:?}");
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_a_middleware_that_still_hears_of_the_last_attempt() {
    struct Slow(Story);
    impl Middleware for Slow {
        fn after<'a>(&'a self, attempt: &'a CurrentAttempt, _: &'a Outcome) -> BoxFuture<'a, ()> {
            Box::pin(async {
                self.0.tell("begun");
                tokio::time::sleep(Duration::from_secs(3)).await;
                self.0.tell(format!("told of {}", attempt.id()));
            })
        }
    }
    let (bench, story) = (Bench::new(), Story::default());
    let id = bench.enqueue(1).await;
    let worker = bench.worker().middleware(Slow(story.clone())).handle(|_: Step, _| async { Ok(()) });
    let running = Running::spawn(worker);
    bench.until_status(id, Status::Completed).await;
    while story.lines().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    running.stop().await;

    assert_eq!(story.lines(), ["begun".to_owned(), format!("told of {id}")]);
}

#[tokio::test(start_paused = true)]
async fn a_middleware_sees_the_job_and_may_answer_in_place_of_the_handler() {
    struct Gate(Story);
    impl Middleware for Gate {
        fn around<'a>(&'a self, attempt: &'a CurrentAttempt, next: Next<'a>) -> BoxFuture<'a, AttemptResult> {
            self.0.tell(format!(
                "{} {} {} {} {} {}",
                attempt.id(),
                attempt.job_type(),
                attempt.queue_name(),
                attempt.attempt(),
                attempt.payload().as_str(),
                attempt.metadata().unwrap().as_str(),
            ));
            if attempt.lease().budgets.deferral_count == 0 {
                return Box::pin(async { Ok(Done::snooze(Duration::from_secs(60))) });
            }
            next.run()
        }
    }
    let (bench, story) = (Bench::new(), Story::default());
    let metadata = JobData::parse(r#"{"tenant":7}"#).unwrap();
    let id = bench.enqueue_with(|job| NewJob { metadata: Some(metadata.clone()), ..job.queue("media") }).await;

    telling(&bench, &story).middleware(Gate(story.clone())).run_until_drained().await.unwrap();

    let seen = format!(r#"{id} step media 1 {{"number":0}} {{"tenant":7}}"#);
    assert_eq!(story.lines(), [seen.clone(), seen, "handler".to_owned()]);
    let job = bench.job(id).await;
    assert_eq!((job.status, job.deferral_count), (Status::Completed, 1));
}

tokio::task_local! {
    static TENANT: u32;
}

#[tokio::test(start_paused = true)]
async fn a_middleware_carries_a_context_to_the_handler() {
    struct Tenant;
    impl Middleware for Tenant {
        fn around<'a>(&'a self, attempt: &'a CurrentAttempt, next: Next<'a>) -> BoxFuture<'a, AttemptResult> {
            let step: Step = attempt.payload().decode().unwrap();
            Box::pin(TENANT.scope(step.number, next.run()))
        }
    }
    let bench = Bench::new();
    let id = bench.enqueue(42).await;

    let worker = bench
        .worker()
        .middleware(Tenant)
        .handle(|_: Step, _| async { Ok(Done::with(&TENANT.with(|tenant| *tenant))?) });
    worker.run_until_drained().await.unwrap();

    assert_eq!(bench.job(id).await.result.unwrap().as_str(), "42");
}

#[tokio::test(start_paused = true)]
async fn one_middleware_serves_handlers_of_every_kind_and_may_be_shared() {
    #[derive(Serialize, Deserialize)]
    struct Blocking;
    impl Payload for Blocking {
        const JOB_TYPE: &'static str = "blocking";
    }
    let (bench, story) = (Bench::new(), Story::default());
    bench.enqueue(1).await;
    bench.queue.enqueue(&Blocking).await.unwrap();

    let (teller, told) = (Arc::new(Teller::new("a", &story)), story.clone());
    let worker = telling(&bench, &story).middleware(teller.clone()).handle_blocking(move |_: Blocking, _| {
        told.tell("blocking handler");
        Ok(())
    });
    worker.run_until_drained().await.unwrap();

    for word in ["before", "in", "out", "after completed"] {
        let line = format!("a {word}");
        assert_eq!(story.lines().iter().filter(|told| **told == line).count(), 2, "{line}");
    }
    assert_eq!((story.lines_of("handler").len(), teller.name), (2, "a"));
}

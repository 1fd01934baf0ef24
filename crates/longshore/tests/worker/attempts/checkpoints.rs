//! Checkpoints and steps: a later attempt continues where an earlier one stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use longshore::handler::CheckpointError;
use longshore::{CurrentAttempt, FailureType, HandlerError, Queue, Status, StopCause, Stopped};
use longshore_testkit::{Fault, FaultPlan, FaultStore, Operation};
use tokio::sync::{mpsc, oneshot};

use crate::bench::{Bench, Running, Step, Tally};

fn unreachable_network() -> HandlerError {
    HandlerError::failed(FailureType::NetworkError, "no route").with_retry_after(Duration::from_secs(1))
}

#[tokio::test(start_paused = true)]
async fn an_attempt_continues_from_the_checkpoint_of_the_one_before() {
    let bench = Bench::new();
    let id = bench.enqueue(0).await;
    let tally = Tally::default();
    let pages = tally.clone();
    let running = Running::spawn(bench.worker().handle(move |_: Step, attempt: CurrentAttempt| {
        let pages = pages.clone();
        async move {
            for page in attempt.last_checkpoint()?.unwrap_or(0)..5_u32 {
                if page == 3 && attempt.attempt() == 1 {
                    return Err(unreachable_network());
                }
                pages.enter(page);
                attempt.checkpoint(&(page + 1)).await?;
                assert_eq!(attempt.last_checkpoint()?, Some(page + 1));
            }
            Ok(())
        }
    }));

    bench.until_status(id, Status::Completed).await;

    assert_eq!(tally.seen(), [0, 1, 2, 3, 4], "each page once");
    let found = bench.detail(id).await.checkpoints;
    assert_eq!((found.checkpoint.unwrap().as_str(), found.steps.len()), ("5", 0));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_step_runs_once_and_every_later_attempt_gets_its_result() {
    let bench = Bench::new();
    let id = bench.enqueue(0).await;
    let (tally, (told, mut results)) = (Tally::default(), mpsc::unbounded_channel());
    let ran = tally.clone();
    let running = Running::spawn(bench.worker().handle(move |_: Step, attempt: CurrentAttempt| {
        let (ran, told) = (ran.clone(), told.clone());
        async move {
            let number = attempt.attempt();
            let charge = || async {
                ran.enter(1);
                Ok(format!("receipt of attempt {number}"))
            };
            told.send(attempt.step("charge", charge).await?).unwrap();
            let mail = || async {
                ran.enter(2);
                if number < 3 { Err(unreachable_network()) } else { Ok(()) }
            };
            attempt.step("mail", mail).await
        }
    }));

    bench.until_status(id, Status::Completed).await;

    assert_eq!(tally.seen(), [1, 2, 2, 2], "what failed has no result and ran again");
    for _ in 0..3 {
        assert_eq!(results.recv().await.unwrap(), "receipt of attempt 1");
    }
    let steps = bench.detail(id).await.checkpoints.steps;
    let shown: Vec<_> = steps.iter().map(|step| (step.name.as_str(), step.attempt)).collect();
    assert_eq!(shown, [("charge", 1), ("mail", 3)]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn of_two_calls_of_one_step_in_one_attempt_the_second_gets_the_first_result() {
    let bench = Bench::new();
    let id = bench.enqueue(0).await;
    let running = Running::spawn(bench.worker().handle(|_: Step, attempt: CurrentAttempt| async move {
        let calls = AtomicU32::new(0);
        let call = || async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(calls.fetch_add(1, Ordering::SeqCst))
        };
        let other = || async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok("other".to_owned())
        };
        let began = tokio::time::Instant::now();
        let (first, second, other) =
            tokio::join!(attempt.step("one", call), attempt.step("one", call), attempt.step("other", other));
        assert_eq!(began.elapsed(), Duration::from_secs(1), "steps of other names run beside it");
        assert_eq!((first?, second?, other?.as_str()), (0, 0, "other"));
        assert_eq!(attempt.step("one", call).await?, 0);
        Ok(())
    }));

    bench.until_status(id, Status::Completed).await;

    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn after_a_failed_call_of_a_step_whoever_waited_runs_it() {
    let bench = Bench::new();
    let id = bench.enqueue(0).await;
    let running = Running::spawn(bench.worker().handle(|_: Step, attempt: CurrentAttempt| async move {
        let fails = || async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Err::<u32, _>("broken".into())
        };
        let (first, second) = tokio::join!(attempt.step("one", fails), attempt.step("one", || async { Ok(7) }));
        assert_eq!((first.unwrap_err().to_string().as_str(), second?), ("broken", 7));
        // A step that is given up, such as by a time limit of its own, may run again.
        let endless = attempt.step("two", std::future::pending::<Result<u32, HandlerError>>);
        assert!(tokio::time::timeout(Duration::from_secs(1), endless).await.is_err());
        assert_eq!(attempt.step("two", || async { Ok(8) }).await?, 8);
        Ok(())
    }));

    bench.until_status(id, Status::Completed).await;

    running.stop().await;
}

/// Runs a handler that fails once after it has stored something; gives how its job ended.
async fn ends_after_a_second_attempt<Fut>(handler: fn(CurrentAttempt) -> Fut) -> longshore::Job
where
    Fut: Future<Output = Result<(), HandlerError>> + Send + 'static,
{
    let bench = Bench::new();
    let id = bench.enqueue(0).await;
    let running = Running::spawn(bench.worker().handle(move |_: Step, attempt| handler(attempt)));
    let job = bench.until(id, |job| job.status.is_ended()).await;
    running.stop().await;
    job
}

#[tokio::test(start_paused = true)]
async fn what_is_stored_as_another_type_is_a_validation_error_that_says_so() {
    let of_step = ends_after_a_second_attempt(|attempt| async move {
        if attempt.attempt() == 1 {
            attempt.step("charge", || async { Ok("receipt".to_owned()) }).await?;
            return Err(unreachable_network());
        }
        attempt.step("charge", || async { Ok(7_u32) }).await.map(drop)
    });
    let of_checkpoint = ends_after_a_second_attempt(|attempt| async move {
        if attempt.attempt() == 1 {
            attempt.checkpoint("page 7").await?;
            return Err(unreachable_network());
        }
        let page: Option<u32> = attempt.last_checkpoint()?;
        panic!("{page:?}");
    });
    for (job, word) in
        [(of_step.await, "the stored result of step \"charge\""), (of_checkpoint.await, "the stored checkpoint")]
    {
        assert_eq!((job.status, job.failure_type.as_deref()), (Status::DeadLetter, Some("validation_error")));
        let message = job.error_message.unwrap();
        assert!(message.starts_with(word) && message.contains("--from-start"), "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_stored_is_an_error_and_nothing_of_it_is_stored() {
    let bench = Bench::new();
    let id = bench.enqueue(0).await;
    let running = Running::spawn(bench.worker().handle(|_: Step, attempt: CurrentAttempt| async move {
        let long = "a".repeat(65_535);
        let refused = attempt.checkpoint(&long).await.unwrap_err();
        assert!(refused.to_string().starts_with("the value has 65537 bytes of JSON"), "{refused}");
        let refused = attempt.step("long", || async { Ok(long.clone()) }).await.unwrap_err();
        assert!(refused.to_string().starts_with("the value has 65537 bytes of JSON"), "{refused}");
        for name in ["", "two\nlines", &"n".repeat(201)] {
            let refused = attempt.step(name, || async { Ok(1) }).await.unwrap_err();
            assert!(refused.to_string().starts_with("the name of a step must have"), "{refused}");
        }
        // No number is what a later attempt would read.
        let refused = attempt.step("number", || async { Ok(f64::NAN) }).await.unwrap_err();
        assert!(refused.to_string().contains("is not of the expected type"), "{refused}");
        assert_eq!(attempt.last_checkpoint::<String>()?, None);
        Err::<(), _>(refused)
    }));

    let job = bench.until_status(id, Status::DeadLetter).await;

    assert_eq!(job.failure_type.as_deref(), Some("validation_error"));
    assert_eq!(bench.detail(id).await.checkpoints, longshore::job::JobCheckpoints::default());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_has_at_most_a_thousand_steps_over_all_attempts() {
    let bench = Bench::new();
    let id = bench.enqueue(0).await;
    let running = Running::spawn(bench.worker().handle(|_: Step, attempt: CurrentAttempt| async move {
        let (first, last) = if attempt.attempt() == 1 { (0, 600) } else { (590, 1000) };
        for number in first..last {
            attempt.step(&format!("step {number}"), || async { Ok(()) }).await?;
        }
        if attempt.attempt() == 1 {
            return Err(unreachable_network());
        }
        let ran = AtomicU32::new(0);
        let beyond = attempt.step("step 1000", || async { Ok(ran.fetch_add(1, Ordering::SeqCst)) }).await;
        assert!(beyond.unwrap_err().to_string().starts_with("the job has 1000 steps already"));
        assert_eq!(ran.load(Ordering::SeqCst), 0, "it is refused before its effect");
        attempt.step("step 0", || async { Ok(()) }).await
    }));

    bench.until_status(id, Status::Completed).await;

    assert_eq!(bench.detail(id).await.checkpoints.steps.len(), 1000);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_lost_its_job_stores_nothing_and_must_stop() {
    let bench = Bench::new();
    let id = bench.enqueue(0).await;
    let (told, mut lost) = mpsc::unbounded_channel();
    let (tally, store) = (Tally::default(), bench.store.clone());
    let ran = tally.clone();
    let running = Running::spawn(bench.worker().handle(move |_: Step, attempt: CurrentAttempt| {
        let (told, ran, store) = (told.clone(), ran.clone(), store.clone());
        async move {
            let is_first = ran.seen().is_empty();
            ran.enter(0);
            if !is_first {
                return Ok(());
            }
            let taken = || async {
                store.kill(attempt.queue().job(attempt.id()).await?.unwrap().job.worker_id.as_ref().unwrap());
                longshore::backend::Store::reclaim(&store).await?;
                Ok(1)
            };
            told.send(attempt.step("charge", taken).await.unwrap_err().to_string()).unwrap();
            let refused = attempt.checkpoint(&1).await.unwrap_err();
            let is_stopped = matches!(&refused, CheckpointError::Stopped(Stopped { cause: StopCause::LeaseLost }));
            assert!(is_stopped, "{refused}");
            assert_eq!(attempt.stop_requested(), Some(StopCause::LeaseLost));
            let never = attempt.step("never", || async { Err::<(), _>("it ran".into()) }).await;
            told.send(never.unwrap_err().to_string()).unwrap();
            Err(refused.into())
        }
    }));

    for _ in 0..2 {
        assert_eq!(lost.recv().await.unwrap(), "the worker lost its lease");
    }
    bench.until_status(id, Status::Completed).await;

    assert_eq!(tally.seen(), [0, 0]);
    assert_eq!(bench.detail(id).await.checkpoints, longshore::job::JobCheckpoints::default());
    running.stop().await;
}

/// With the machine's time, which the pauses between two tries use.
#[tokio::test]
async fn a_checkpoint_waits_until_the_store_works_again() {
    let bench = Bench::new();
    let faulty = FaultStore::new(bench.store.clone(), FaultPlan::none());
    let queue = Queue::from_backend(Arc::new(faulty.clone()));
    for fault in [Fault::Busy, Fault::Lost, Fault::Full] {
        faulty.fail_next(Operation::SaveCheckpoint, fault);
    }
    let id = bench.enqueue(0).await;
    let tally = Tally::default();
    let ran = tally.clone();
    let running = Running::spawn(bench.worker_of(&queue).handle(move |_: Step, attempt: CurrentAttempt| {
        let ran = ran.clone();
        async move {
            let effect = || async {
                ran.enter(1);
                Ok(1)
            };
            assert_eq!(attempt.step("charge", effect).await?, 1);
            attempt.checkpoint(&2).await?;
            Ok(())
        }
    }));

    bench.until_status(id, Status::Completed).await;

    assert_eq!(tally.seen(), [1], "the effect is not repeated");
    let found = bench.detail(id).await.checkpoints;
    assert_eq!((found.steps.len(), found.checkpoint.unwrap().as_str()), (1, "2"));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_is_told_to_stop_may_still_store_where_it_stands() {
    let bench = Bench::new();
    let id = bench.enqueue(0).await;
    let (begun, wait) = oneshot::channel();
    let begun = std::sync::Mutex::new(Some(begun));
    let mut running = Running::spawn(bench.worker().handle(move |_: Step, attempt: CurrentAttempt| {
        let begun = begun.lock().unwrap().take();
        async move {
            begun.unwrap().send(()).unwrap();
            let cause = attempt.stopped().await;
            attempt.checkpoint(&7).await?;
            Err::<(), HandlerError>(Stopped { cause }.into())
        }
    }));
    wait.await.unwrap();

    running.ask_to_stop();
    running.ended().await.unwrap();

    let found = bench.detail(id).await;
    assert_eq!((found.job.status, found.job.retry_count), (Status::Pending, 0));
    assert_eq!(found.checkpoints.checkpoint.unwrap().as_str(), "7");
    let running = Running::spawn(bench.worker().handle(|_: Step, attempt: CurrentAttempt| async move {
        assert_eq!(attempt.last_checkpoint()?, Some(7));
        Ok(())
    }));
    bench.until_status(id, Status::Completed).await;
    running.stop().await;
}

#[tokio::test]
async fn a_blocking_handler_has_checkpoints_and_steps_too() {
    let bench = Bench::new();
    let id = bench.enqueue(0).await;
    let running = Running::spawn(bench.worker().handle_blocking(|_: Step, attempt: CurrentAttempt| {
        let number = attempt.attempt();
        assert_eq!(attempt.step_blocking("charge", || Ok(number))?, 1);
        if number == 1 {
            attempt.checkpoint_blocking(&7)?;
            return Err(HandlerError::retry_after(Duration::ZERO));
        }
        assert_eq!(attempt.last_checkpoint()?, Some(7));
        Ok(())
    }));

    bench.until_status(id, Status::Completed).await;

    running.stop().await;
}

use longshore::{Payload, RetryPolicy, Worker, WorkerError};

use crate::bench::{Bench, Step};

fn handling(worker: Worker) -> Worker {
    worker.handle(|_: Step, _| async { Ok(()) })
}

#[tokio::test(start_paused = true)]
async fn a_policy_for_a_type_without_a_handler_is_an_error_at_the_start() {
    let bench = Bench::new();
    let worker = || handling(bench.worker());
    let misspelt = [
        worker().retry("setp", RetryPolicy::default()),
        worker().policy("setp", |policy| policy),
        worker().retry(Step::JOB_TYPE, RetryPolicy::default()).retry("setp", RetryPolicy::default()),
    ];
    for worker in misspelt {
        let error = worker.run_until_drained().await.unwrap_err();
        assert!(matches!(&error, WorkerError::PolicyWithoutHandler { job_type } if job_type == "setp"), "{error}");
    }
}

/// It had no effect, so it must not be ignored only because a handler was added later.
#[tokio::test(start_paused = true)]
async fn a_policy_that_comes_before_its_handler_is_an_error_at_the_start() {
    let bench = Bench::new();
    let worker = handling(bench.worker().retry(Step::JOB_TYPE, RetryPolicy::default()));
    let error = worker.run_until_drained().await.unwrap_err();
    assert!(error.to_string().contains("\"step\"") && error.to_string().contains("after the handler"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_worker_with_a_policy_for_each_of_its_types_starts() {
    let bench = Bench::new();
    let worker = handling(bench.worker()).retry(Step::JOB_TYPE, RetryPolicy::default());
    worker.run_until_drained().await.unwrap();
}

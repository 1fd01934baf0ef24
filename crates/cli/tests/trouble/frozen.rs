//! A worker that is frozen for longer than its lease is not dead.

use std::time::Duration;

use crate::harbour::{Harbour, Worker, thaw, until};

/// How many times a worker is frozen: as many as a job may crash.
const TIMES: usize = 3;
/// Longer than the lease of one second and every grace period.
const PAUSE: Duration = Duration::from_secs(4);

fn running(harbour: &Harbour) -> Worker {
    let worker = harbour.worker("work");
    until("the job runs", || harbour.lines("began").len() == 1);
    worker
}

#[test]
fn a_worker_that_is_frozen_alone_goes_on_where_it_was() {
    let harbour = Harbour::new();
    harbour.enqueue("work");
    let worker = running(&harbour);

    for _ in 0..TIMES {
        let heartbeats = || harbour.number("SELECT heartbeat_number FROM job_workers");
        let frozen = harbour.freeze(&worker);
        std::thread::sleep(PAUSE);
        let before = heartbeats();
        thaw(&frozen);
        until("it gives a sign of life", || heartbeats() > before + 2);
    }
    harbour.let_jobs_end();

    harbour.assert_all_completed_once(1);
}

#[test]
fn a_frozen_worker_gets_the_job_back_that_nobody_else_took() {
    let harbour = Harbour::new();
    harbour.enqueue("work");
    let worker = running(&harbour);
    let _observer = harbour.worker("other");

    for _ in 0..TIMES {
        let frozen = harbour.freeze(&worker);
        until("its lease is over", || harbour.jobs_in("pending") == 1);
        thaw(&frozen);
        until("it has its job again", || harbour.runner_of(1) == Some(worker.id()));
    }
    until("only its last program is left", || worker.programs() == 1);
    harbour.let_jobs_end();

    until("the job is completed", || harbour.jobs_in("completed") == 1);
    assert_eq!(harbour.number("SELECT crash_count FROM job_queue"), 0);
    assert_eq!(harbour.number("SELECT claim_number FROM job_queue"), 1 + TIMES as i64);
    assert_eq!(harbour.lines("ended"), [1]);
}

#[test]
fn a_job_that_another_worker_took_over_is_charged_once_each_time_and_completes() {
    let harbour = Harbour::new();
    harbour.enqueue("work");
    let workers = [running(&harbour), harbour.worker("work")];

    for taken_over in 1..=TIMES {
        let holder = harbour.runner_of(1).unwrap();
        let (first, second) = if workers[0].id() == holder { (0, 1) } else { (1, 0) };
        let frozen = harbour.freeze(&workers[first]);
        until("the other one runs it", || harbour.runner_of(1) == Some(workers[second].id()));
        assert_eq!(harbour.number("SELECT crash_count FROM job_queue"), taken_over as i64);
        thaw(&frozen);
        until("the frozen one is back", || harbour.number("SELECT count(*) FROM job_workers") == 2);
    }
    harbour.let_jobs_end();

    until("the job is completed", || harbour.jobs_in("completed") == 1);
    assert_eq!(harbour.number("SELECT crash_count FROM job_queue"), TIMES as i64);
    assert_eq!(harbour.number("SELECT count(*) FROM job_attempts WHERE outcome <> 'returned'"), 0);
}

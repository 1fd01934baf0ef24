//! The liveness folder is removed under living workers.

use std::fs;
use std::time::{Duration, Instant};

use crate::harbour::{Harbour, Worker, until};

const LOST: &str = "the session that shows that this worker lives is lost";
const REASON: &str = "the file that shows that this worker lives was removed or replaced";

/// How often a worker has told of the loss.
fn losses(worker: &Worker) -> usize {
    worker.log().matches(LOST).count()
}

fn files(harbour: &Harbour) -> usize {
    fs::read_dir(harbour.liveness_folder()).into_iter().flatten().count()
}

#[test]
fn workers_survive_the_loss_of_their_liveness_folder_and_then_a_death_is_seen_at_once_again() {
    let harbour = Harbour::new();
    harbour.enqueue("work");
    let mut workers = [harbour.worker("work"), harbour.worker("work")];
    until("the job runs", || harbour.lines("began").len() == 1);
    until("both are registered", || harbour.number("SELECT count(*) FROM job_workers") == 2);

    fs::remove_dir_all(harbour.liveness_folder()).unwrap();

    until("both files are restored", || workers.iter().all(|worker| losses(worker) > 0) && files(&harbour) == 2);
    assert!(workers.iter().all(|worker| worker.log().contains(REASON)));
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(harbour.lines("began"), [1]);
    assert_eq!(harbour.number("SELECT crash_count FROM job_queue"), 0);
    assert!(workers.iter().all(|worker| losses(worker) == 1), "each says so once");
    assert_eq!(files(&harbour), 2);

    let holder = harbour.runner_of(1).unwrap();
    let place = workers.iter().position(|worker| worker.id() == holder).unwrap();
    workers[place].kill();
    let killed_at = Instant::now();
    until("the other one runs it", || harbour.runner_of(1) == Some(workers[1 - place].id()));
    let noticed_after = killed_at.elapsed();
    // The lease and the grace period together are two seconds. A death is noticed earlier.
    assert!(noticed_after < Duration::from_millis(1900), "{noticed_after:?}");
    assert_eq!(harbour.number("SELECT crash_count FROM job_queue"), 1);
    assert_eq!(harbour.number("SELECT count(*) FROM job_attempts WHERE outcome = 'crashed'"), 1);
    harbour.let_jobs_end();
    until("the job is completed", || harbour.jobs_in("completed") == 1);
}

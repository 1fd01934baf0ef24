use longshore_core::{Action, AttemptOutcome, JobId, Lease, NewJob, Recorded, Status, Store};

use crate::suite::world::{Process, seconds};
use crate::suite::{Harness, World};
use crate::{ended, job, worker};

/// The process dies and its jobs are reclaimed.
async fn die<H: Harness>(world: &World<H>, process: Process<H>) {
    world.kill(process);
    world.reclaim().await;
}

/// A job that ran with several others when their worker died.
async fn suspect<H: Harness>(world: &World<H>, suspected: NewJob) -> JobId {
    let doomed = world.process().await;
    let id = world.enqueue(suspected).await;
    let other = world.enqueue(job()).await;
    for (slot, lease) in (0..).zip(&doomed.claim(2).await) {
        doomed.begin(slot, lease).await;
    }
    die(world, doomed).await;
    world.act(other, Action::Cancel).await;
    assert_eq!(status_and_crashes(world, id).await, (Status::Pending, 1));
    id
}

async fn status_and_crashes<H: Harness>(world: &World<H>, id: JobId) -> (Status, u32) {
    let job = world.job(id).await;
    (job.status, job.crash_count)
}

async fn claimed<H: Harness>(process: &Process<H>, id: JobId, limit: u32) -> Lease {
    let leases = process.claim(limit).await;
    leases.into_iter().find(|lease| lease.id == id).expect("the job can be claimed")
}

pub async fn of_several_attempts_that_ran_none_is_given_up<H: Harness>() {
    for max_crashes in [0, 1, 3] {
        let world = World::<H>::new();
        let doomed = world.process().await;
        let jobs = world.enqueue_all(vec![NewJob { max_crashes, ..job() }; 3]).await;
        for (slot, lease) in (0..).zip(&doomed.claim(3).await) {
            doomed.begin(slot, lease).await;
        }
        die(&world, doomed).await;
        for job in jobs {
            let found = world.detail(job.id).await;
            assert_eq!((found.job.status, found.job.crash_count), (Status::Pending, 1));
            assert_eq!(found.attempts[0].outcome, AttemptOutcome::Crashed);
        }
    }
}

pub async fn the_only_attempt_that_had_begun_is_to_blame<H: Harness>() {
    let world = World::<H>::new();
    let doomed = world.process().await;
    let jobs = world.enqueue_all(vec![NewJob { max_crashes: 1, ..job() }; 3]).await;
    let leases = doomed.claim(3).await;
    doomed.begin(2, &leases[1]).await;
    die(&world, doomed).await;
    assert_eq!(status_and_crashes(&world, jobs[0].id).await, (Status::Pending, 0));
    assert_eq!(status_and_crashes(&world, jobs[1].id).await, (Status::DeadLetter, 1));
    assert_eq!(status_and_crashes(&world, jobs[2].id).await, (Status::Pending, 0));
}

pub async fn an_attempt_beside_those_of_another_worker_of_its_process_is_not_surely_to_blame<H: Harness>() {
    let world = World::<H>::new();
    let doomed = world.process().await;
    let id = world.enqueue(NewJob { max_crashes: 1, ..job() }).await;
    let lease = doomed.claim(1).await.remove(0);
    doomed.begin(0, &lease).await;
    // A second worker starts in the process while the attempt runs, so the slot is recorded again.
    doomed.begin_accompanied(0, &lease).await;
    die(&world, doomed).await;
    assert_eq!(status_and_crashes(&world, id).await, (Status::Pending, 1));
}

pub async fn a_suspect_that_began_alone_is_to_blame<H: Harness>() {
    let world = World::<H>::new();
    let id = suspect(&world, NewJob { max_crashes: 2, ..job() }).await;
    let child = world.enqueue(job().parent(id)).await;
    let doomed = world.process().await;
    doomed.begin_one().await;
    die(&world, doomed).await;
    let found = world.job(id).await;
    assert_eq!((found.status, found.crash_count), (Status::DeadLetter, 2));
    assert_eq!(found.dead_letter_reason.as_deref(), Some("crashes_spent: its worker died 2 times while it ran"));
    assert_eq!(world.status(child).await, Status::DeadLetter);
}

pub async fn a_suspect_that_may_not_crash_at_all_is_given_up_by_the_first_death_of_its_own<H: Harness>() {
    for max_crashes in [0, 1] {
        let world = World::<H>::new();
        let id = suspect(&world, NewJob { max_crashes, ..job() }).await;
        let doomed = world.process().await;
        doomed.begin_one().await;
        die(&world, doomed).await;
        assert_eq!(status_and_crashes(&world, id).await, (Status::DeadLetter, 2));
    }
}

pub async fn a_suspect_that_only_waited_is_given_back_unspent<H: Harness>() {
    let world = World::<H>::new();
    let id = suspect(&world, NewJob { max_crashes: 1, ..job() }).await;
    let child = world.enqueue(job().parent(id)).await;
    let other = world.enqueue(job()).await;
    let doomed = world.process().await;
    let leases = doomed.claim(2).await;
    assert_eq!(leases.len(), 2);
    let ordinary = leases.iter().find(|lease| lease.id == other).expect("both can be claimed");
    doomed.begin(0, ordinary).await;
    die(&world, doomed).await;
    assert_eq!(status_and_crashes(&world, id).await, (Status::Pending, 1));
    assert_eq!(status_and_crashes(&world, other).await, (Status::Pending, 1));
    assert_eq!(world.status(child).await, Status::Blocked);
    let last = world.detail(id).await.attempts.pop().expect("it was claimed twice");
    assert_eq!((last.outcome, last.started_at), (AttemptOutcome::Returned, None));
}

pub async fn the_jobs_that_waited_behind_a_suspect_are_given_back_unspent<H: Harness>() {
    let world = World::<H>::new();
    let id = suspect(&world, NewJob { max_crashes: 2, ..job() }).await;
    let behind = world.enqueue_all(vec![NewJob { max_crashes: 1, ..job() }; 3]).await;
    let doomed = world.process().await;
    let lease = claimed(&doomed, id, 4).await;
    doomed.begin_isolated(0, &lease).await;
    die(&world, doomed).await;
    assert_eq!(status_and_crashes(&world, id).await, (Status::DeadLetter, 2));
    for waited in behind {
        assert_eq!(status_and_crashes(&world, waited.id).await, (Status::Pending, 0));
    }
}

pub async fn a_suspect_beside_which_others_began_is_not_surely_to_blame<H: Harness>() {
    let world = World::<H>::new();
    let id = suspect(&world, NewJob { max_crashes: 1, ..job() }).await;
    let other = world.enqueue(NewJob { max_crashes: 1, ..job() }).await;
    let doomed = world.process().await;
    let leases = doomed.claim(2).await;
    for (slot, lease) in (0..).zip(&leases) {
        if lease.id == id {
            doomed.begin_isolated(slot, lease).await;
        } else {
            doomed.begin(slot, lease).await;
        }
    }
    die(&world, doomed).await;
    assert_eq!(status_and_crashes(&world, id).await, (Status::Pending, 2));
    assert_eq!(status_and_crashes(&world, other).await, (Status::Pending, 1));
}

pub async fn a_suspect_that_began_under_an_earlier_claim_has_not_begun_under_this_one<H: Harness>() {
    let world = World::<H>::new();
    let id = suspect(&world, NewJob { max_crashes: 1, ..job() }).await;
    let doomed = world.process().await;
    let first = claimed(&doomed, id, 1).await;
    doomed.begin_isolated(0, &first).await;
    world.finish(&doomed.worker_id, ended(&first).returned()).await;
    claimed(&doomed, id, 1).await;
    die(&world, doomed).await;
    assert_eq!(status_and_crashes(&world, id).await, (Status::Pending, 1));
}

pub async fn of_a_poison_and_harmless_jobs_only_the_poison_is_given_up<H: Harness>() {
    let world = World::<H>::new();
    let jobs = world.enqueue_all(vec![job(); 4]).await;
    let poison = jobs[1].id;
    let mut children = Vec::new();
    for job_of in &jobs {
        children.push((job_of.id, world.enqueue(job().parent(job_of.id)).await));
    }
    let mut deaths = 0;
    while world.status(poison).await != Status::DeadLetter {
        let process = world.process().await;
        let leases = process.claim(4).await;
        if leases.iter().all(|lease| !lease.budgets.is_suspect()) {
            for (slot, lease) in (0..).zip(&leases) {
                process.begin(slot, lease).await;
            }
        } else {
            for lease in leases {
                process.begin_isolated(0, &lease).await;
                if lease.id == poison {
                    break;
                }
                world.complete(&process.worker_id, &lease).await;
            }
        }
        die(&world, process).await;
        deaths += 1;
        assert!(deaths <= 3, "a poison is given up after three deaths");
    }
    let reason = world.job(poison).await.dead_letter_reason;
    assert_eq!(reason.as_deref(), Some("crashes_spent: its worker died 3 times while it ran"));
    let worker_id = world.worker().await;
    for _ in 0..2 {
        for lease in world.claim(&worker_id, 9).await {
            world.complete(&worker_id, &lease).await;
        }
    }
    for (parent, child) in children {
        let expected = if parent == poison { Status::DeadLetter } else { Status::Completed };
        assert_eq!((world.status(parent).await, world.status(child).await), (expected, expected));
    }
}

pub async fn a_suspect_that_is_retried_by_hand_is_none_any_more<H: Harness>() {
    let world = World::<H>::new();
    let id = suspect(&world, NewJob { max_crashes: 1, ..job() }).await;
    let doomed = world.process().await;
    doomed.begin_one().await;
    die(&world, doomed).await;
    world.act(id, Action::Retry).await;
    let worker_id = world.worker().await;
    let lease = world.claim_one(&worker_id).await;
    assert!(!lease.budgets.is_suspect(), "{lease:?}");
    world.complete(&worker_id, &lease).await;
}

pub async fn a_suspect_that_completes_is_completed<H: Harness>() {
    let world = World::<H>::new();
    let id = suspect(&world, job()).await;
    let process = world.process().await;
    let lease = process.begin_one().await;
    assert_eq!((lease.id, lease.budgets.crash_count), (id, 1));
    world.complete(&process.worker_id, &lease).await;
    die(&world, process).await;
    assert_eq!(status_and_crashes(&world, id).await, (Status::Completed, 1));
}

pub async fn the_beginning_of_a_suspect_may_be_written_twice<H: Harness>() {
    let world = World::<H>::new();
    let id = suspect(&world, job()).await;
    let process = world.process().await;
    let lease = claimed(&process, id, 1).await;
    for _ in 0..2 {
        process.begin_isolated(0, &lease).await;
    }
    world.complete(&process.worker_id, &lease).await;
}

pub async fn a_late_worker_cannot_begin_a_suspect<H: Harness>() {
    let world = World::<H>::new();
    let id = suspect(&world, job()).await;
    let late = world.process_of(worker().lease(seconds(10))).await;
    let lost = claimed(&late, id, 1).await;
    let begin = |id, claim_number| late.store.begin_isolated(late.worker_id.clone(), id, claim_number);
    assert_eq!(world.look_for(seconds(25)).await.jobs, 1);
    assert_eq!(begin(id, lost.claim_number).await.expect("it can be asked"), Recorded::Fenced);
    let successor = world.process().await;
    let lease = claimed(&successor, id, 1).await;
    assert_eq!(begin(id, lost.claim_number).await.expect("it can be asked"), Recorded::Fenced);
    assert_eq!(begin(id, lease.claim_number).await.expect("it can be asked"), Recorded::Fenced);
    assert_eq!(begin(JobId(4711), lease.claim_number).await.expect("it can be asked"), Recorded::Fenced);
    let before = status_and_crashes(&world, id).await.1;
    die(&world, successor).await;
    assert_eq!(status_and_crashes(&world, id).await, (Status::Pending, before));
}

use longshore_core::{AttemptOutcome, Console, NewJob, Priority, Reclaimed, Status};

use crate::suite::world::{seconds, started};
use crate::suite::{Harness, World, ids};
use crate::{ended, job};

pub async fn the_jobs_of_a_dead_process_are_given_back_at_once<H: Harness>() {
    let world = World::<H>::new();
    let doomed = world.process().await;
    let id = world.enqueue(job()).await;
    doomed.begin_one().await;
    let dead = doomed.worker_id.clone();
    world.kill(doomed);
    assert_eq!(world.reclaim().await, Reclaimed { workers: vec![dead], jobs: 1, ..Reclaimed::default() });
    let worker_id = world.worker().await;
    assert_eq!(world.claim_one(&worker_id).await.id, id);
}

pub async fn a_dead_worker_is_found_once<H: Harness>() {
    let world = World::<H>::new();
    let doomed = world.process().await;
    world.kill(doomed);
    let first = world.reclaim().await;
    assert_eq!((first.workers.len(), first.jobs), (1, 0));
    assert_eq!(world.reclaim().await, Reclaimed::default());
    assert!(world.store.workers().await.expect("workers can be read").is_empty());
}

pub async fn the_living_keep_their_jobs_when_another_one_dies<H: Harness>() {
    let world = World::<H>::new();
    let (doomed, living) = (world.process().await, world.process().await);
    world.enqueue_all(vec![job(); 2]).await;
    doomed.begin_one().await;
    let kept = living.begin_one().await;
    world.kill(doomed);
    assert_eq!(world.reclaim().await.jobs, 1);
    assert_eq!(world.status(kept.id).await, Status::Running);
    world.complete(&living.worker_id, &kept).await;
}

pub async fn an_attempt_that_had_begun_counts_as_a_crash<H: Harness>() {
    let world = World::<H>::new();
    let doomed = world.process().await;
    let id = world.enqueue(job()).await;
    doomed.begin_one().await;
    let dead = doomed.worker_id.clone();
    world.kill(doomed);
    world.reclaim().await;
    let found = world.detail(id).await;
    assert_eq!((found.job.status, found.job.crash_count, found.job.retry_count), (Status::Pending, 1, 0));
    assert_eq!(found.job.failure_type.as_deref(), Some("worker_error"));
    assert_eq!(found.attempts.len(), 1);
    let attempt = &found.attempts[0];
    assert_eq!((attempt.outcome, attempt.worker_id.as_ref()), (AttemptOutcome::Crashed, Some(&dead)));
    assert_eq!((attempt.attempt, attempt.finished_at), (1, Some(world.now())));
}

pub async fn an_attempt_that_was_only_claimed_is_given_back_unspent<H: Harness>() {
    let world = World::<H>::new();
    let doomed = world.process().await;
    let id = world.enqueue(job()).await;
    doomed.claim(1).await;
    world.kill(doomed);
    assert_eq!(world.reclaim().await.jobs, 1);
    let found = world.detail(id).await;
    assert_eq!((found.job.status, found.job.crash_count, found.job.retry_count), (Status::Pending, 0, 0));
    assert!(found.attempts.iter().all(|attempt| attempt.outcome == AttemptOutcome::Returned));
}

pub async fn attempts_that_are_noted_in_one_call_have_all_begun<H: Harness>() {
    let world = World::<H>::new();
    let doomed = world.process().await;
    let jobs = world.enqueue_all(vec![job(); 3]).await;
    let leases = doomed.claim(3).await;
    doomed.note([started(0, &leases[0], false), started(1, &leases[1], false)]).await;
    // Nothing is noted of nothing.
    doomed.note([]).await;
    world.kill(doomed);
    world.reclaim().await;
    let mut crashes = Vec::new();
    for job in jobs {
        crashes.push(world.job(job.id).await.crash_count);
    }
    assert_eq!(crashes, [1, 1, 0]);
}

pub async fn of_two_notes_on_one_slot_in_one_call_the_last_holds<H: Harness>() {
    let world = World::<H>::new();
    let doomed = world.process().await;
    let jobs = world.enqueue_all(vec![job(); 2]).await;
    let leases = doomed.claim(2).await;
    doomed.note([started(0, &leases[0], false), started(0, &leases[1], false)]).await;
    world.kill(doomed);
    world.reclaim().await;
    assert_eq!((world.job(jobs[0].id).await.crash_count, world.job(jobs[1].id).await.crash_count), (0, 1));
}

pub async fn a_beginning_may_be_noted_twice<H: Harness>() {
    let world = World::<H>::new();
    let doomed = world.process().await;
    let id = world.enqueue(job()).await;
    let lease = doomed.begin_one().await;
    doomed.begin(0, &lease).await;
    world.kill(doomed);
    world.reclaim().await;
    assert_eq!(world.job(id).await.crash_count, 1);
}

pub async fn a_slot_accuses_only_the_attempt_that_it_runs<H: Harness>() {
    let world = World::<H>::new();
    let doomed = world.process().await;
    let enqueued = world.enqueue_all(vec![job(); 3]).await;
    let leases = doomed.claim(3).await;
    doomed.begin(0, &leases[0]).await;
    world.complete(&doomed.worker_id, &leases[0]).await;
    doomed.begin(0, &leases[1]).await;
    world.kill(doomed);
    assert_eq!(world.reclaim().await.jobs, 2);
    assert_eq!(world.status(enqueued[0].id).await, Status::Completed);
    assert_eq!(world.job(enqueued[1].id).await.crash_count, 1);
    assert_eq!(world.job(enqueued[2].id).await.crash_count, 0);
}

pub async fn every_slot_accuses_its_own_attempt<H: Harness>() {
    let world = World::<H>::new();
    let doomed = world.process().await;
    let enqueued = world.enqueue_all(vec![job(); 4]).await;
    for (slot, lease) in (0..).zip(&doomed.claim(4).await) {
        doomed.begin(slot, lease).await;
    }
    world.kill(doomed);
    world.reclaim().await;
    for enqueued in enqueued {
        assert_eq!(world.job(enqueued.id).await.crash_count, 1);
    }
}

pub async fn an_attempt_that_began_before_its_job_came_back_accuses_nobody<H: Harness>() {
    let world = World::<H>::new();
    let doomed = world.process().await;
    let id = world.enqueue(job()).await;
    let begun = doomed.begin_one().await;
    world.finish(&doomed.worker_id, ended(&begun).returned()).await;
    doomed.claim(1).await;
    world.kill(doomed);
    world.reclaim().await;
    assert_eq!(world.job(id).await.crash_count, 0);
}

pub async fn a_job_that_kills_its_workers_is_given_up<H: Harness>() {
    let world = World::<H>::new();
    let id = world.enqueue(NewJob { max_crashes: 3, ..job() }).await;
    for _ in 0..3 {
        let doomed = world.process().await;
        doomed.begin_one().await;
        world.kill(doomed);
        world.reclaim().await;
    }
    let found = world.detail(id).await;
    assert_eq!((found.job.status, found.job.crash_count), (Status::DeadLetter, 3));
    assert_eq!(found.job.dead_letter_reason.as_deref(), Some("crashes_spent: its worker died 3 times while it ran"));
    assert_eq!(found.job.moved_to_dead_letter_at, Some(world.now()));
    assert_eq!((found.job.retry_count, found.attempts.len()), (0, 3));
    let last = found.attempts.last().expect("there are three");
    assert_eq!(last.outcome, AttemptOutcome::DeadLetter);
}

pub async fn a_job_that_may_not_crash_at_all_is_given_up_at_the_first<H: Harness>() {
    let world = World::<H>::new();
    let id = world.enqueue(NewJob { max_crashes: 0, ..job() }).await;
    let doomed = world.process().await;
    doomed.begin_one().await;
    world.kill(doomed);
    world.reclaim().await;
    assert_eq!(world.status(id).await, Status::DeadLetter);
}

pub async fn a_job_given_up_by_its_crashes_takes_its_children_along<H: Harness>() {
    let world = World::<H>::new();
    let parent = world.enqueue(NewJob { max_crashes: 1, ..job() }).await;
    let child = world.enqueue(job().parent(parent)).await;
    let doomed = world.process().await;
    doomed.begin_one().await;
    world.kill(doomed);
    world.reclaim().await;
    assert_eq!(world.status(child).await, Status::DeadLetter);
}

pub async fn reclaimed_jobs_keep_their_place_in_the_order<H: Harness>() {
    let world = World::<H>::new();
    let doomed = world.process().await;
    let low = world.enqueue(job().priority(Priority::LOW)).await;
    let normal = world.enqueue(job()).await;
    doomed.claim(2).await;
    let later = world.enqueue(job()).await;
    world.kill(doomed);
    world.reclaim().await;
    let worker_id = world.worker().await;
    assert_eq!(ids(&world.claim(&worker_id, 9).await), [normal, later, low]);
}

pub async fn the_jobs_of_several_dead_workers_are_all_given_back<H: Harness>() {
    let world = World::<H>::new();
    world.enqueue_all(vec![job(); 300]).await;
    for _ in 0..3 {
        let doomed = world.process().await;
        assert_eq!(doomed.claim(100).await.len(), 100);
        world.kill(doomed);
    }
    let mut jobs = 0;
    // One call is bounded; the next one continues.
    for _ in 0..20 {
        jobs += world.reclaim().await.jobs;
    }
    assert_eq!(jobs, 300);
    let worker_id = world.worker().await;
    assert_eq!(world.claim(&worker_id, 1000).await.len(), 300);
}

pub async fn a_look_for_the_dead_takes_nothing_from_the_living<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    for _ in 0..3 {
        world.clock.advance(seconds(1));
        assert_eq!(world.reclaim().await, Reclaimed::default());
    }
    world.complete(&worker_id, &lease).await;
}

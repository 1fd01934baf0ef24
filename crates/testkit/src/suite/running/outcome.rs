use std::collections::BTreeMap;
use std::time::Duration;

use longshore_core::{
    Console, DeadLetterCode, DeadLetterReason, Failure, FailureType, JobId, LogChunk, LogRequest, Outcome, Priority,
    Recorded, Status, Store, Timestamp, UnusableRow,
};

use crate::suite::world::{data, seconds};
use crate::suite::{Harness, World, ids};
use crate::{ended, job};

pub async fn a_completed_job_keeps_its_result_and_its_instants<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    world.clock.advance(seconds(2));
    let began = world.now();
    world.clock.advance(seconds(3));
    let record = ended(&lease).ran(seconds(3)).completed_with(data(r#"{"pages":3}"#));
    world.finish(&worker_id, record).await;
    let job = world.job(lease.id).await;
    assert_eq!((job.status, job.result), (Status::Completed, Some(data(r#"{"pages":3}"#))));
    assert_eq!((job.started_at, job.completed_at), (Some(began), Some(world.now())));
    assert_eq!((job.worker_id, job.retry_count), (Some(worker_id), 0));
}

pub async fn a_job_may_complete_without_a_result<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    world.complete(&worker_id, &lease).await;
    let job = world.job(lease.id).await;
    assert_eq!((job.status, job.result, job.error_message), (Status::Completed, None, None));
}

pub async fn a_retried_job_spends_a_retry_and_waits_for_its_next_attempt<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    world.finish(&worker_id, ended(&lease).retrying(seconds(4))).await;
    let retried = world.job(lease.id).await;
    let retry_at = world.now().after(seconds(4));
    assert_eq!((retried.status, retried.retry_count), (Status::Retrying, 1));
    assert_eq!((retried.next_retry_at, retried.run_at), (Some(retry_at), retry_at));
    assert_eq!((retried.crash_count, retried.deferral_count, retried.completed_at), (0, 0, None));
    assert_eq!(retried.failure_type.as_deref(), Some("network_error"));
    assert_eq!(retried.error_message.as_deref(), Some("no answer"));
    assert_eq!(retried.last_error_traceback.as_deref(), Some("no answer\ncaused by: a test"));
}

pub async fn a_retried_job_is_claimed_again_when_it_is_due<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    world.finish(&worker_id, ended(&lease).retrying(seconds(4))).await;
    world.clock.advance(seconds(3));
    let early = world.claimed(&worker_id, 9).await;
    assert_eq!((early.leases.len(), early.next_due), (0, Some(seconds(1))));
    world.clock.advance(seconds(1));
    let second = world.claim_one(&worker_id).await;
    assert_eq!((second.id, second.attempt(), second.budgets.retry_count), (lease.id, 2, 1));
    assert_eq!(second.ready_at, world.now());
    world.complete(&worker_id, &second).await;
    let done = world.job(lease.id).await;
    assert_eq!((done.status, done.retry_count, done.next_retry_at), (Status::Completed, 1, None));
}

pub async fn a_dead_letter_keeps_its_reason_its_instant_and_its_story<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    world.clock.advance(seconds(1));
    world.finish(&worker_id, ended(&lease).dead_letter()).await;
    let job = world.job(lease.id).await;
    assert_eq!((job.status, job.moved_to_dead_letter_at), (Status::DeadLetter, Some(world.now())));
    assert_eq!(job.dead_letter_reason.as_deref(), Some("retries_spent: its only attempt failed"));
    assert_eq!((job.failure_type.as_deref(), job.error_message.as_deref()), (Some("network_error"), Some("no answer")));
    assert_eq!(job.last_error_traceback.as_deref(), Some("no answer\ncaused by: a test"));
    assert!(world.claim(&worker_id, 9).await.is_empty());
}

pub async fn a_cancelled_attempt_ends_its_job<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    world.finish(&worker_id, ended(&lease).cancelled()).await;
    let job = world.job(lease.id).await;
    assert_eq!((job.status, job.completed_at), (Status::Cancelled, Some(world.now())));
    assert!(world.claim(&worker_id, 9).await.is_empty());
}

pub async fn a_deferral_spends_a_deferral_and_nothing_else<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    world.finish(&worker_id, ended(&lease).deferred(seconds(4))).await;
    let deferred = world.job(lease.id).await;
    assert_eq!((deferred.status, deferred.run_at), (Status::Pending, world.now().after(seconds(4))));
    assert_eq!((deferred.deferral_count, deferred.retry_count, deferred.crash_count), (1, 0, 0));
    assert!(world.claim(&worker_id, 9).await.is_empty());
    world.clock.advance(seconds(4));
    let again = world.claim_one(&worker_id).await;
    assert_eq!((again.attempt(), again.budgets.deferral_count), (1, 1));
}

pub async fn an_attempt_that_is_given_back_spends_nothing_and_may_run_at_once<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    world.finish(&worker_id, ended(&lease).returned()).await;
    let returned = world.job(lease.id).await;
    assert_eq!(returned.status, Status::Pending);
    assert_eq!((returned.deferral_count, returned.retry_count, returned.crash_count), (0, 0, 0));
    assert_eq!(world.claim_one(&worker_id).await.attempt(), 1);
}

pub async fn a_recorded_crash_spends_a_crash_and_nothing_else<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    let failure = Failure::new(FailureType::WorkerError, "fell over");
    world.finish(&worker_id, ended(&lease).outcome(Outcome::Crashed { failure })).await;
    let crashed = world.job(lease.id).await;
    assert_eq!((crashed.status, crashed.error_message.as_deref()), (Status::Pending, Some("fell over")));
    assert_eq!((crashed.crash_count, crashed.retry_count, crashed.deferral_count), (1, 0, 0));
    assert_eq!(world.claim_one(&worker_id).await.budgets.crash_count, 1);
}

pub async fn the_outcomes_of_a_batch_are_answered_in_order<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    world.enqueue_all(vec![job(); 3]).await;
    let leases = world.claim(&worker_id, 3).await;
    world.complete(&worker_id, &leases[1]).await;
    let records = leases.iter().map(|lease| ended(lease).completed()).collect();
    let answers = world.store.record(worker_id, records).await.expect("outcomes can be written");
    assert_eq!(answers, [Recorded::Recorded, Recorded::Fenced, Recorded::Recorded]);
}

pub async fn a_batch_may_hold_every_kind_of_outcome<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let enqueued = world.enqueue_all(vec![job(); 6]).await;
    let leases = world.claim(&worker_id, 6).await;
    let ends: Vec<_> = leases.iter().map(ended).collect();
    let [a, b, c, d, e, f] = <[_; 6]>::try_from(ends).expect("six were claimed");
    let records = vec![
        a.completed(),
        b.retrying(seconds(1)),
        c.dead_letter(),
        d.cancelled(),
        e.deferred(seconds(1)),
        f.returned(),
    ];
    world.store.record(worker_id, records.into()).await.expect("outcomes can be written");
    let mut statuses = Vec::new();
    for job in &enqueued {
        statuses.push(world.status(job.id).await);
    }
    let words: Vec<&str> = statuses.into_iter().map(Status::as_str).collect();
    assert_eq!(words, ["completed", "retrying", "dead_letter", "cancelled", "pending", "pending"]);
}

pub async fn an_outcome_survives_the_death_of_its_process<H: Harness>() {
    let mut world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    world.complete(&worker_id, &lease).await;
    world.restart();
    assert_eq!(world.status(lease.id).await, Status::Completed);
    world.reclaim().await;
    assert_eq!(world.status(lease.id).await, Status::Completed);
}

pub async fn the_instants_of_an_attempt_are_those_of_the_stores_clock<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    world.clock.advance(seconds(60));
    world.finish(&worker_id, ended(&lease).ran(seconds(4)).ago(seconds(6)).completed()).await;
    let found = world.detail(lease.id).await;
    let (began, ended) = (world.now().before(seconds(10)), world.now().before(seconds(6)));
    assert_eq!((found.job.started_at, found.job.completed_at), (Some(began), Some(ended)));
    assert_eq!((found.attempts[0].started_at, found.attempts[0].finished_at), (Some(began), Some(ended)));
}

pub async fn an_attempt_that_ended_long_ago_ended_at_the_beginning_of_time_at_the_earliest<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    world.finish(&worker_id, ended(&lease).ran(Duration::MAX).ago(Duration::MAX).completed()).await;
    let found = world.job(lease.id).await;
    assert_eq!((found.started_at, found.completed_at), (Some(Timestamp::MIN), Some(Timestamp::MIN)));
}

pub async fn a_delay_counts_from_the_end_of_the_attempt_however_late_it_is_recorded<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let retried = world.running(&worker_id, job()).await;
    world.finish(&worker_id, ended(&retried).ago(seconds(6)).retrying(seconds(10))).await;
    let due = world.now().after(seconds(4));
    assert_eq!((world.job(retried.id).await.next_retry_at, world.job(retried.id).await.run_at), (Some(due), due));
    let deferred = world.running(&worker_id, job()).await;
    world.finish(&worker_id, ended(&deferred).ago(seconds(5)).deferred(seconds(10))).await;
    assert_eq!(world.job(deferred.id).await.run_at, world.now().after(seconds(5)));
    world.clock.advance(seconds(4));
    assert_eq!(ids(&world.claim(&worker_id, 9).await), [retried.id]);
}

pub async fn a_delay_that_has_passed_before_the_outcome_is_recorded_is_over<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let retried = world.running(&worker_id, job()).await;
    world.finish(&worker_id, ended(&retried).ago(seconds(60)).retrying(seconds(10))).await;
    let deferred = world.running(&worker_id, job().priority(Priority::HIGH)).await;
    world.finish(&worker_id, ended(&deferred).ago(seconds(60)).deferred(seconds(10))).await;
    assert_eq!(ids(&world.claim(&worker_id, 9).await), [deferred.id, retried.id]);
}

pub async fn an_outcome_that_the_database_refuses_is_told_and_the_others_are_recorded<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    world.enqueue_all(vec![job(); 4]).await;
    let leases = world.claim(&worker_id, 4).await;
    world.complete(&worker_id, &leases[3]).await;
    let refused = leases[1].id;
    let child = world.enqueue(job().parent(refused)).await;
    world.refuse(refused, &[Status::Completed]);
    let records = leases.iter().map(|lease| ended(lease).log(log()).completed()).collect();
    let answers = world.store.record(worker_id.clone(), records).await.expect("outcomes can be written");
    let [first, Recorded::Refused { reason }, third, fourth] = answers.as_slice() else { panic!("{answers:?}") };
    assert!(!reason.is_empty());
    assert_eq!([first, third, fourth], [&Recorded::Recorded, &Recorded::Recorded, &Recorded::Fenced]);
    for lease in [&leases[0], &leases[2]] {
        assert_eq!(world.status(lease.id).await, Status::Completed);
    }
    // Nothing of it was written.
    let found = world.detail(refused).await;
    assert_eq!((found.job.status, found.job.completed_at, found.attempts.len()), (Status::Running, None, 1));
    assert_eq!(world.status(child).await, Status::Blocked);
    let log = world.store.log(LogRequest { id: refused, attempt: None, after: None }).await.expect("logs can be read");
    assert!(log.entries.is_empty(), "{log:?}");
    assert_eq!(world.depths("default").await[&Status::Completed], 3);
}

pub async fn a_job_whose_outcome_is_refused_can_be_given_up<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    let child = world.enqueue(job().parent(lease.id)).await;
    world.refuse(lease.id, &[Status::Completed, Status::Retrying]);
    for record in [ended(&lease).completed(), ended(&lease).retrying(seconds(1))] {
        let answer = world.record(&worker_id, record).await;
        assert!(matches!(answer, Recorded::Refused { .. }), "{answer:?}");
    }
    world.finish(&worker_id, ended(&lease).refused()).await;
    let found = world.detail(lease.id).await;
    assert_eq!((found.job.status, found.job.dead_letter_code), (Status::DeadLetter, Some(DeadLetterCode::Refused)));
    assert_eq!(found.job.error_message.as_deref(), Some("no answer"));
    assert_eq!(found.attempts.len(), 1);
    assert_eq!(world.status(child).await, Status::DeadLetter);
}

pub async fn an_outcome_that_was_refused_is_recorded_once_the_database_accepts_it<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    let every = [Status::Completed, Status::DeadLetter, Status::Cancelled, Status::Retrying, Status::Pending];
    world.refuse(lease.id, &every);
    for record in [ended(&lease).completed(), ended(&lease).refused(), ended(&lease).returned()] {
        let answer = world.record(&worker_id, record).await;
        assert!(matches!(answer, Recorded::Refused { .. }), "{answer:?}");
    }
    world.refuse(lease.id, &[]);
    world.complete(&worker_id, &lease).await;
    assert_eq!(world.status(lease.id).await, Status::Completed);
}

pub async fn a_job_that_the_database_does_not_let_run_is_given_up_and_the_others_run<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let made: Vec<JobId> = world.enqueue_all(vec![job(); 7]).await.iter().map(|enqueued| enqueued.id).collect();
    let child = world.enqueue(job().parent(made[2])).await;
    world.refuse(made[2], &[Status::Running]);
    let first = world.claimed(&worker_id, 5).await;
    // A worker that got less than it asked for looks again only if it is told to.
    assert!(first.leases.len() == 5 || first.next_due == Some(Duration::ZERO), "{first:?}");
    let leases = [first.leases, world.claim(&worker_id, 5).await].concat();
    assert_eq!(ids(&leases), made.iter().copied().filter(|id| *id != made[2]).collect::<Vec<_>>());
    assert_unusable(&world, made[2]).await;
    assert_eq!(world.status(child).await, Status::DeadLetter);
    let depths = world.depths("default").await;
    let expected = [(Status::DeadLetter, 2), (Status::Running, 6)];
    assert_eq!(depths.into_iter().filter(|(_, jobs)| *jobs > 0).collect::<BTreeMap<_, _>>(), expected.into());
}

pub async fn a_job_that_runs_alone_and_may_not_is_given_up<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let id = world.enqueue(job().queue("slow")).await;
    world.refuse(id, &[Status::Running]);
    assert_eq!(world.claim(&worker_id, 1).await, []);
    assert_unusable(&world, id).await;
}

pub async fn a_due_job_that_the_database_does_not_let_become_ready_is_given_up<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    world.enqueue_all(vec![job(); 3]).await;
    let leases = world.claim(&worker_id, 3).await;
    for lease in &leases {
        world.finish(&worker_id, ended(lease).retrying(seconds(1))).await;
    }
    world.refuse(leases[1].id, &[Status::Pending]);
    world.clock.advance(seconds(2));
    assert_eq!(ids(&world.claim(&worker_id, 9).await), [leases[0].id, leases[2].id]);
    assert_unusable(&world, leases[1].id).await;
    let depths = world.depths("default").await;
    assert_eq!((depths.get(&Status::Retrying).copied().unwrap_or(0), depths[&Status::DeadLetter]), (0, 1));
}

pub async fn a_child_that_the_database_does_not_let_become_ready_is_given_up_and_its_parent_completes<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let parent = world.running(&worker_id, job()).await;
    let (first, second) = (world.enqueue(job().parent(parent.id)).await, world.enqueue(job().parent(parent.id)).await);
    world.refuse(first, &[Status::Pending]);
    world.complete(&worker_id, &parent).await;
    assert_eq!(world.status(parent.id).await, Status::Completed);
    assert_unusable(&world, first).await;
    assert_eq!(ids(&world.claim(&worker_id, 9).await), [second]);
}

async fn assert_unusable<H: Harness>(world: &World<H>, id: JobId) {
    let job = world.detail(id).await.job;
    assert_eq!((job.status, job.dead_letter_code), (Status::DeadLetter, Some(DeadLetterCode::Refused)));
    let reason = DeadLetterReason::UnusableRow(UnusableRow::Constraint).to_string();
    assert_eq!(job.dead_letter_reason, Some(reason));
}

fn log() -> Vec<LogChunk> {
    vec![LogChunk { number: 0, text: "what it said".to_owned(), cut_bytes: 0, replaces: 0..0 }]
}

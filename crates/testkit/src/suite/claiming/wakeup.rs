use std::sync::Arc;
use std::task::{Context, Waker};

use longshore_core::{
    Action, Console, Hint, Interest, JobData, JobEdit, NewJob, Priority, QueueChange, QueueLimit, QueueScope,
    Selection, Store, Wakeups, WorkerId, stream_of,
};

use crate::suite::world::{PATIENCE, seconds};
use crate::suite::{Harness, World};
use crate::{ended, job};

/// Jobs of this type in every queue.
fn jobs_of(job_type: &str) -> Interest {
    Interest::Jobs { job_types: Arc::new([job_type.to_owned()]), scope: QueueScope::All }
}

/// Jobs of the usual type in this queue.
fn jobs_in(queue: &str) -> Interest {
    let scope = QueueScope::Only(vec![QueueLimit { queue: queue.to_owned(), limit: 1 }]);
    Interest::Jobs { job_types: Arc::new([job().job_type]), scope }
}

fn cancellations_of(worker_id: &WorkerId) -> Interest {
    Interest::Cancellations { worker_id: worker_id.clone() }
}

/// The jobs that every worker of the suite can claim.
fn usual<H: Harness>(world: &World<H>) -> Box<dyn Wakeups> {
    world.store.wakeups(jobs_of(&job().job_type))
}

async fn woken(wakeups: &mut Box<dyn Wakeups>) -> Hint {
    tokio::time::timeout(PATIENCE, wakeups.changed()).await.expect("the hint comes")
}

/// Whether no hint waits. The store is called once more, so that the hints of earlier calls have been given.
async fn is_still<H: Harness>(world: &World<H>, wakeups: &mut Box<dyn Wakeups>) -> bool {
    world.enqueue(NewJob::new("of no interest", JobData::default()).queue("beside")).await;
    let mut changed = wakeups.changed();
    changed.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending()
}

pub async fn an_enqueue_wakes_who_could_claim_the_job<H: Harness>() {
    let world = World::<H>::new();
    for interest in [jobs_of("work"), jobs_in("default"), Interest::Anything] {
        let mut wakeups = world.store.wakeups(interest);
        world.enqueue(job()).await;
        woken(&mut wakeups).await;
    }
}

pub async fn an_enqueue_wakes_everybody_who_waits<H: Harness>() {
    let world = World::<H>::new();
    let (mut first, mut second) = (usual(&world), usual(&world));
    world.enqueue(job()).await;
    woken(&mut first).await;
    woken(&mut second).await;
}

pub async fn an_enqueue_wakes_nobody_who_could_not_claim_the_job<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let mut others = [jobs_of("other"), jobs_in("other"), cancellations_of(&worker_id)]
        .map(|interest| world.store.wakeups(interest));
    world.enqueue(job()).await;
    let many = (0..100).map(|number| job().priority(Priority(number % 7))).collect();
    world.enqueue_all(many).await;
    let stream = (0..100).map(|_| Ok(job()));
    world.store.enqueue_stream(stream_of(stream)).await.expect("they are acceptable");
    for wakeups in &mut others {
        assert!(is_still(&world, wakeups).await);
    }
}

pub async fn a_bulk_of_many_kinds_wakes_whoever_could_claim_one<H: Harness>() {
    let world = World::<H>::new();
    let mut wakeups = world.store.wakeups(jobs_in("queue 99"));
    let jobs = (0..100).map(|number| job().queue(format!("queue {number}"))).collect();
    world.enqueue_all(jobs).await;
    woken(&mut wakeups).await;
}

pub async fn a_job_that_comes_due_later_wakes_who_could_claim_it_then<H: Harness>() {
    let world = World::<H>::new();
    let (mut wakeups, mut other) = (usual(&world), world.store.wakeups(jobs_of("other")));
    world.enqueue(job().delay(seconds(60))).await;
    woken(&mut wakeups).await;
    assert!(is_still(&world, &mut other).await);
}

pub async fn a_hint_that_was_not_returned_comes_with_the_next_call<H: Harness>() {
    let world = World::<H>::new();
    world.has_looked().await;
    let mut wakeups = usual(&world);
    assert!(is_still(&world, &mut wakeups).await);
    world.enqueue(job()).await;
    drop(wakeups.changed());
    woken(&mut wakeups).await;
    assert!(is_still(&world, &mut wakeups).await, "it comes once");
}

pub async fn an_enqueue_in_another_process_wakes_who_waits<H: Harness>() {
    let world = World::<H>::new();
    let other = world.open();
    let mut wakeups = usual(&world);
    other.enqueue(vec![job()]).await.expect("it is acceptable");
    woken(&mut wakeups).await;
}

pub async fn a_job_that_is_given_back_wakes_who_waits<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    let (mut wakeups, mut other) = (usual(&world), world.store.wakeups(jobs_in("other")));
    world.finish(&worker_id, ended(&lease).returned()).await;
    woken(&mut wakeups).await;
    assert!(is_still(&world, &mut other).await);
}

pub async fn a_completed_job_wakes_no_worker<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    let mut wakeups = usual(&world);
    world.finish(&worker_id, ended(&lease).completed()).await;
    assert!(is_still(&world, &mut wakeups).await);
}

pub async fn a_parent_that_completes_wakes_who_could_claim_its_child<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    let child = NewJob::new("child", JobData::default()).queue("children").parent(lease.id);
    world.enqueue(child).await;
    let (mut wakeups, mut other) = (world.store.wakeups(jobs_of("child")), usual(&world));
    world.finish(&worker_id, ended(&lease).completed()).await;
    woken(&mut wakeups).await;
    assert!(is_still(&world, &mut other).await);
}

pub async fn a_retry_by_hand_wakes_who_waits<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let id = world.dead_letter(&worker_id, job()).await;
    let (mut wakeups, mut other) = (usual(&world), world.store.wakeups(jobs_of("other")));
    world.act(id, Action::Retry).await;
    woken(&mut wakeups).await;
    assert!(is_still(&world, &mut other).await);
}

pub async fn an_edit_wakes_who_could_claim_the_job_now<H: Harness>() {
    let world = World::<H>::new();
    let id = world.enqueue(job()).await;
    let mut wakeups = world.store.wakeups(jobs_of("other"));
    world.store.edit(id, JobEdit::new().job_type("other")).await.expect("it waits");
    woken(&mut wakeups).await;
    let mut wakeups = world.store.wakeups(Interest::Jobs {
        job_types: Arc::new(["other".to_owned()]),
        scope: QueueScope::Only(vec![QueueLimit { queue: "elsewhere".to_owned(), limit: 1 }]),
    });
    world.store.edit(id, JobEdit::new().queue("elsewhere")).await.expect("it waits");
    woken(&mut wakeups).await;
}

pub async fn a_resumed_queue_wakes_who_waits<H: Harness>() {
    let world = World::<H>::new();
    world.enqueue(job()).await;
    world.store.change_queue("default".to_owned(), QueueChange::Pause).await.expect("queues can be changed");
    let (mut wakeups, mut other) = (usual(&world), world.store.wakeups(jobs_in("other")));
    world.store.change_queue("default".to_owned(), QueueChange::Resume).await.expect("queues can be changed");
    woken(&mut wakeups).await;
    assert!(is_still(&world, &mut other).await);
}

pub async fn a_reclaimed_job_wakes_who_waits<H: Harness>() {
    let world = World::<H>::new();
    let doomed = world.process().await;
    world.enqueue(job()).await;
    doomed.claim(1).await;
    world.kill(doomed);
    let mut wakeups = usual(&world);
    world.reclaim().await;
    woken(&mut wakeups).await;
}

pub async fn a_request_to_cancel_tells_the_worker_which_job<H: Harness>() {
    let world = World::<H>::new();
    world.has_looked().await;
    let (worker_id, other) = (world.worker().await, world.worker().await);
    let first = world.running(&worker_id, job()).await;
    let second = world.running(&worker_id, job()).await;
    let third = world.running(&other, job()).await;
    let mut wakeups = world.store.wakeups(cancellations_of(&worker_id));
    let mut jobs = world.store.wakeups(jobs_of("other"));
    for lease in [&second, &first, &third] {
        world.act(lease.id, Action::Cancel).await;
    }
    assert!(is_still(&world, &mut jobs).await);
    let Hint::Cancellations(mut asked) = woken(&mut wakeups).await else { panic!("the store knows which jobs") };
    asked.sort();
    assert_eq!(asked, [(first.id, first.claim_number), (second.id, second.claim_number)]);
    assert_eq!(world.store.cancel_requests(worker_id).await.expect("it is registered"), asked);
    assert!(is_still(&world, &mut wakeups).await, "each is told once");
}

pub async fn the_end_of_a_waiting_job_wakes_no_worker<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let id = world.enqueue(job()).await;
    let interests = [cancellations_of(&worker_id), jobs_of("other")];
    let mut workers = interests.map(|interest| world.store.wakeups(interest));
    let mut watcher = world.store.wakeups(Interest::Anything);
    world.act(id, Action::Cancel).await;
    assert_eq!(woken(&mut watcher).await, Hint::Anything);
    for wakeups in &mut workers {
        assert!(is_still(&world, wakeups).await);
    }
}

pub async fn a_request_to_cancel_in_another_process_wakes_the_worker<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    let mut wakeups = world.store.wakeups(cancellations_of(&worker_id));
    let other = world.open();
    other.act(Selection::Jobs(vec![lease.id]), Action::Cancel).await.expect("it runs");
    match woken(&mut wakeups).await {
        Hint::Cancellations(asked) => assert_eq!(asked, [(lease.id, lease.claim_number)]),
        hint => assert_eq!(hint, Hint::Anything),
    }
}

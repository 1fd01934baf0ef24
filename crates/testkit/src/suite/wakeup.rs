use std::time::Duration;

use longshore_core::{Action, Console, QueueChange, Store, Wakeups};

use super::{Harness, World};
use crate::{ended, job};

/// Longer than any machine needs; a hint that never comes fails the test rather than hanging it.
const PATIENCE: Duration = Duration::from_secs(20);

async fn woken(wakeups: &mut Box<dyn Wakeups>) {
    tokio::time::timeout(PATIENCE, wakeups.changed()).await.expect("the hint comes");
}

pub async fn an_enqueue_wakes_who_waits<H: Harness>() {
    let world = World::<H>::new();
    let mut wakeups = world.store.wakeups();
    world.enqueue(job()).await;
    woken(&mut wakeups).await;
}

pub async fn an_enqueue_wakes_everybody_who_waits<H: Harness>() {
    let world = World::<H>::new();
    let (mut first, mut second) = (world.store.wakeups(), world.store.wakeups());
    world.enqueue(job()).await;
    woken(&mut first).await;
    woken(&mut second).await;
}

pub async fn an_enqueue_in_another_process_wakes_who_waits<H: Harness>() {
    let world = World::<H>::new();
    let other = world.open();
    let mut wakeups = world.store.wakeups();
    other.enqueue(vec![job()]).await.expect("it is acceptable");
    woken(&mut wakeups).await;
}

pub async fn a_job_that_is_given_back_wakes_who_waits<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    let mut wakeups = world.store.wakeups();
    world.finish(&worker_id, ended(&lease).returned()).await;
    woken(&mut wakeups).await;
}

pub async fn a_retry_by_hand_wakes_who_waits<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let id = world.dead_letter(&worker_id, job()).await;
    let mut wakeups = world.store.wakeups();
    world.act(id, Action::Retry).await;
    woken(&mut wakeups).await;
}

pub async fn a_resumed_queue_wakes_who_waits<H: Harness>() {
    let world = World::<H>::new();
    world.enqueue(job()).await;
    world.store.change_queue("default".to_owned(), QueueChange::Pause).await.expect("queues can be changed");
    let mut wakeups = world.store.wakeups();
    world.store.change_queue("default".to_owned(), QueueChange::Resume).await.expect("queues can be changed");
    woken(&mut wakeups).await;
}

pub async fn a_reclaimed_job_wakes_who_waits<H: Harness>() {
    let world = World::<H>::new();
    let doomed = world.process().await;
    world.enqueue(job()).await;
    doomed.claim(1).await;
    world.kill(doomed);
    let mut wakeups = world.store.wakeups();
    world.reclaim().await;
    woken(&mut wakeups).await;
}

use std::collections::BTreeMap;
use std::num::NonZero;

use longshore_core::{Action, Console, Filter, MinuteStats, QueueChange, QueueStats, Selection, Stats, Status};

use crate::suite::world::seconds;
use crate::suite::{Harness, World};
use crate::{ended, job};

async fn stats<H: Harness>(world: &World<H>) -> Stats {
    world.store.stats(60).await.expect("stats can be read")
}

/// The depths without zeros, which a store may list or not.
fn depths(queue: &QueueStats) -> BTreeMap<Status, u64> {
    queue.jobs.iter().filter(|(_, jobs)| **jobs > 0).map(|(status, jobs)| (*status, *jobs)).collect()
}

pub async fn the_depths_are_those_of_the_jobs<H: Harness>() {
    let world = World::<H>::new();
    world.one_in_each_state().await;
    world.enqueue(job().queue("other")).await;
    let found = stats(&world).await.queues;
    let names: Vec<&str> = found.iter().map(|queue| queue.queue.as_str()).collect();
    assert_eq!(names, ["default", "other"]);
    assert_eq!(depths(&found[0]), Status::ALL.map(|status| (status, 1)).into());
    assert_eq!(depths(&found[1]), [(Status::Pending, 1)].into());
}

pub async fn the_depths_follow_every_move<H: Harness>() {
    let world = World::<H>::new();
    world.one_in_each_state().await;
    world.clock.advance(seconds(9));
    let worker_id = world.worker().await;
    world.claim(&worker_id, 9).await;
    world.store.act(Selection::from(Filter::all()), Action::Retry).await.expect("actions can be taken");
    world.store.act(Selection::from(Filter::all()), Action::Cancel).await.expect("actions can be taken");
    world.store.act(Selection::from(Filter::all()), Action::Delete).await.expect("actions can be taken");
    let found = stats(&world).await.queues;
    for (status, jobs) in depths(&found[0]) {
        let selection = Selection::from(Filter::all().statuses(vec![status]));
        assert_eq!(world.store.count(selection).await.expect("jobs can be counted"), jobs, "{status}");
    }
    assert_eq!(depths(&found[0]).values().sum::<u64>(), world.count().await);
}

pub async fn the_next_instant_that_a_job_waits_for_is_told<H: Harness>() {
    let world = World::<H>::new();
    world.enqueue(job()).await;
    assert_eq!(stats(&world).await.next_due_at, None);
    world.enqueue(job().delay(seconds(60))).await;
    let sooner = world.enqueue(job().delay(seconds(20))).await;
    assert_eq!(stats(&world).await.next_due_at, Some(world.now().after(seconds(20))));
    world.act(sooner, Action::Cancel).await;
    assert_eq!(stats(&world).await.next_due_at, Some(world.now().after(seconds(60))));
}

pub async fn a_refused_enqueue_is_not_counted<H: Harness>() {
    let world = World::<H>::new();
    world.enqueue(job().unique_key("key")).await;
    assert!(longshore_core::Store::enqueue(&world.store, vec![job(), job().queue("")]).await.is_err());
    world.enqueue_all(vec![job().unique_key("key")]).await;
    assert_eq!(depths(&stats(&world).await.queues[0]), [(Status::Pending, 1)].into());
}

pub async fn a_queue_that_had_jobs_is_still_told<H: Harness>() {
    let world = World::<H>::new();
    let id = world.enqueue(job().queue("once")).await;
    world.act(id, Action::Delete).await;
    let found = stats(&world).await.queues;
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].queue.as_str(), depths(&found[0]).len()), ("once", 0));
}

pub async fn the_oldest_waiting_job_tells_since_when<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    assert!(stats(&world).await.queues.is_empty());
    let first = world.now();
    world.enqueue(job()).await;
    world.clock.advance(seconds(5));
    world.enqueue(job()).await;
    assert_eq!(stats(&world).await.queues[0].oldest_waiting_at, Some(first));
    world.claim_one(&worker_id).await;
    assert_eq!(stats(&world).await.queues[0].oldest_waiting_at, Some(world.now()));
    world.claim_one(&worker_id).await;
    assert_eq!(stats(&world).await.queues[0].oldest_waiting_at, None);
}

/// Of each queue: how many jobs are due later, and how many could run now.
async fn scheduled<H: Harness>(world: &World<H>) -> Vec<(String, u64, u64)> {
    let told = |queue: QueueStats| {
        assert!(!queue.has_more_scheduled, "{queue:?}");
        (queue.queue.clone(), queue.scheduled, queue.could_run_now())
    };
    stats(world).await.queues.into_iter().map(told).collect()
}

fn told(queue: &str, scheduled: u64, could_run_now: u64) -> (String, u64, u64) {
    (queue.to_owned(), scheduled, could_run_now)
}

pub async fn jobs_that_are_due_later_are_told_from_those_that_could_run_now<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    world.enqueue(job()).await;
    for delay in [20, 60] {
        world.enqueue(job().delay(seconds(delay))).await;
    }
    world.enqueue(job().queue("other").delay(seconds(60))).await;
    assert_eq!(scheduled(&world).await, [told("default", 2, 1), told("other", 1, 0)]);
    // It could run now, although no worker has looked for it yet.
    world.clock.advance(seconds(20));
    assert_eq!(scheduled(&world).await, [told("default", 1, 2), told("other", 1, 0)]);
    while !world.claim(&worker_id, 9).await.is_empty() {}
    assert_eq!(scheduled(&world).await, [told("default", 1, 0), told("other", 1, 0)]);
}

pub async fn a_job_that_is_retried_later_is_not_scheduled<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    world.finish(&worker_id, ended(&lease).retrying(seconds(600))).await;
    world.enqueue(job().delay(seconds(600))).await;
    assert_eq!(scheduled(&world).await, [told("default", 1, 0)]);
}

pub async fn a_pause_does_not_change_what_is_due_later<H: Harness>() {
    let world = World::<H>::new();
    world.enqueue(job()).await;
    let later = world.enqueue(job().delay(seconds(60))).await;
    world.store.change_queue("default".to_owned(), QueueChange::Pause).await.expect("queues can be paused");
    assert_eq!(scheduled(&world).await, [told("default", 1, 1)]);
    world.act(later, Action::Cancel).await;
    assert_eq!(scheduled(&world).await, [told("default", 0, 1)]);
}

pub async fn more_scheduled_jobs_than_are_looked_at_are_counted_while_few_could_run_now<H: Harness>() {
    let world = World::<H>::new();
    for _ in 0..3 {
        world.enqueue_all(vec![job().queue("many").delay(seconds(60)); 400]).await;
    }
    world.enqueue_all(vec![job().queue("few").delay(seconds(3600)); 39]).await;
    world.enqueue(job().queue("few")).await;
    assert_eq!(scheduled(&world).await, [told("few", 39, 1), told("many", 1200, 0)]);
}

pub async fn what_ended_is_counted_in_its_minute<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let minute = world.now();
    world.enqueue_all(vec![job(); 5]).await;
    world.clock.advance(seconds(2));
    let leases = world.claim(&worker_id, 5).await;
    world.clock.advance(seconds(3));
    let ends: Vec<_> = leases.iter().map(|lease| ended(lease).ran(seconds(3))).collect();
    let [a, b, c, d, e] = <[_; 5]>::try_from(ends).expect("five were claimed");
    for record in [a.completed(), b.completed(), c.dead_letter(), d.retrying(seconds(60)), e.cancelled()] {
        world.finish(&worker_id, record).await;
    }
    let expected = MinuteStats {
        minute,
        queue: "default".to_owned(),
        completed: 2,
        failed: 1,
        retried: 1,
        cancelled: 1,
        waited_ms: 5 * 2000,
        ran_ms: 5 * 3000,
    };
    assert_eq!(stats(&world).await.minutes, [expected]);
}

pub async fn each_minute_and_queue_is_counted_apart_oldest_first<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    for queue in ["b", "a"] {
        let lease = world.running(&worker_id, job().queue(queue)).await;
        world.complete(&worker_id, &lease).await;
    }
    world.clock.advance(seconds(180));
    let lease = world.running(&worker_id, job().queue("a")).await;
    world.complete(&worker_id, &lease).await;
    let told = |minutes: &[MinuteStats]| -> Vec<(u64, String)> {
        let since = |minute: &MinuteStats| minute.minute.since(crate::FakeClock::BEGINNING).as_secs() / 60;
        minutes.iter().map(|minute| (since(minute), minute.queue.clone())).collect()
    };
    let all = stats(&world).await.minutes;
    assert_eq!(told(&all), [(0, "a".to_owned()), (0, "b".to_owned()), (3, "a".to_owned())]);
    let latest = world.store.stats(2).await.expect("stats can be read").minutes;
    assert_eq!(told(&latest), [(3, "a".to_owned())]);
    assert!(world.store.stats(0).await.expect("stats can be read").minutes.is_empty());
}

pub async fn the_history_adds_minutes_up_over_spans<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    // Minutes 0, 7, 14, 21 and 28: whatever the first one is, some share a span of 15 and some do not.
    for number in 0..5_u64 {
        for queue in ["b", "a"] {
            let lease = world.running(&worker_id, job().queue(queue)).await;
            world.clock.advance(seconds(number));
            world.complete(&worker_id, &lease).await;
        }
        world.clock.advance(seconds(7 * 60 - 2 * number));
    }
    let per = NonZero::new(15).expect("a quarter of an hour has minutes");
    let minutes = stats(&world).await.minutes;
    let mut expected: BTreeMap<(i64, String), (u64, u64)> = BTreeMap::new();
    for minute in &minutes {
        let start = minute.minute.minute().div_euclid(15) * 15;
        let sum = expected.entry((start, minute.queue.clone())).or_default();
        *sum = (sum.0 + minute.completed, sum.1 + minute.ran_ms);
    }
    let history = world.store.history(60, per).await.expect("the history can be read");
    let told: Vec<_> = history
        .iter()
        .map(|span| ((span.minute.minute(), span.queue.clone()), (span.completed, span.ran_ms)))
        .collect();
    assert_eq!(told, expected.into_iter().collect::<Vec<_>>());
    assert!(minutes.len() == 10 && (4..10).contains(&history.len()), "{history:?}");
    assert!(world.store.history(0, per).await.expect("the history can be read").is_empty());
}

pub async fn jobs_that_end_by_hand_or_with_their_parent_are_counted<H: Harness>() {
    let world = World::<H>::new();
    let parent = world.enqueue(job()).await;
    world.enqueue(job().parent(parent)).await;
    world.act(parent, Action::Cancel).await;
    world.enqueue(job().parent(parent)).await;
    let minutes = stats(&world).await.minutes;
    assert_eq!((minutes.len(), minutes[0].cancelled, minutes[0].failed), (1, 1, 2));
    assert_eq!((minutes[0].waited_ms, minutes[0].ran_ms), (0, 0));
}

pub async fn the_counts_survive_the_death_of_their_process<H: Harness>() {
    let mut world = World::<H>::new();
    world.one_in_each_state().await;
    let before = stats(&world).await;
    world.restart();
    assert_eq!(stats(&world).await, before);
}

use longshore_core::{LimitRule, LimitSelection, Limiting};

use super::{apply, by_key, job_of, of_type, rate, row, rows, tenants};
use crate::suite::world::seconds;
use crate::suite::{Harness, World};
use crate::{ended, job};
use std::time::Duration;

pub async fn starts_of_a_type_are_as_far_apart_as_its_rate<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    apply(&world, of_type(), rate("1000/1m")).await;
    world.enqueue_all(vec![job(); 5]).await;
    assert_eq!(world.claim(&worker_id, 9).await.len(), 1);
    for _ in 0..3 {
        world.clock.advance(Duration::from_millis(59));
        assert_eq!(world.claim(&worker_id, 9).await, []);
        world.clock.advance(Duration::from_millis(1));
        assert_eq!(world.claim(&worker_id, 9).await.len(), 1);
    }
}

pub async fn a_burst_starts_at_once<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    apply(&world, of_type(), LimitRule { burst: Some(3), ..rate("1/10s") }).await;
    world.enqueue_all(vec![job(); 9]).await;
    assert_eq!(world.claim(&worker_id, 9).await.len(), 3);
    world.clock.advance(seconds(20));
    assert_eq!(world.claim(&worker_id, 9).await.len(), 2);
    world.clock.advance(seconds(3600));
    assert_eq!(world.claim(&worker_id, 9).await.len(), 3);
}

pub async fn a_claim_says_when_a_spent_rate_opens<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    apply(&world, of_type(), rate("1/10s")).await;
    world.enqueue_all(vec![job(); 2]).await;
    assert_eq!(world.claimed(&worker_id, 9).await.next_due, Some(seconds(10)));
    world.clock.advance(seconds(4));
    let claimed = world.claimed(&worker_id, 9).await;
    assert_eq!((claimed.leases.len(), claimed.next_due), (0, Some(seconds(6))));
    assert_eq!(row(&world, of_type()).await.opens_at, Some(world.now().after(seconds(6))));
}

pub async fn a_rate_keeps_its_pace_over_processes_and_restarts<H: Harness>()
where
    H::Store: Limiting,
{
    let mut world = World::<H>::new();
    apply(&world, of_type(), rate("1/10s")).await;
    world.enqueue_all(vec![job(); 3]).await;
    let process = world.process().await;
    assert_eq!(process.claim(9).await.len(), 1);
    world.kill(process);
    world.restart();
    let worker_id = world.worker().await;
    assert_eq!(world.claim(&worker_id, 9).await, []);
    world.clock.advance(seconds(10));
    assert_eq!(world.claim(&worker_id, 9).await.len(), 1);
}

pub async fn a_retry_spends_the_rate_like_a_first_attempt<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    apply(&world, of_type(), rate("1/10s")).await;
    let lease = world.running(&worker_id, job()).await;
    world.finish(&worker_id, ended(&lease).retrying(seconds(10))).await;
    world.enqueue(job()).await;
    world.clock.advance(seconds(10));
    assert_eq!(world.claim(&worker_id, 9).await.len(), 1);
}

pub async fn each_key_has_its_own_rate<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let key_rate = rate("1/10s").rate;
    apply(&world, of_type(), LimitRule { key_rate, ..by_key(None) }).await;
    for tenant in ["a", "a", "b", "b"] {
        world.enqueue(job_of(tenant)).await;
    }
    assert_eq!(tenants(&world.claim(&worker_id, 9).await), "a b");
    let claimed = world.claimed(&worker_id, 9).await;
    assert_eq!((claimed.leases.len(), claimed.next_due), (0, Some(seconds(10))));
    let saturated = rows(&world, LimitSelection::Saturated).await;
    let keys: Vec<_> = saturated.iter().filter_map(|row| row.key.as_deref()).collect();
    assert_eq!(keys, ["a", "b"]);
    world.clock.advance(seconds(10));
    assert_eq!(tenants(&world.claim(&worker_id, 9).await), "a b");
}

pub async fn a_key_keeps_its_rate_over_its_queues<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let key_rate = rate("1/10s").rate;
    apply(&world, of_type(), LimitRule { key_rate, ..by_key(None) }).await;
    for queue in ["q", "r"] {
        world.enqueue(job_of("a").queue(queue)).await;
    }
    assert_eq!(world.claim(&worker_id, 9).await.len(), 1);
    assert_eq!(world.claim(&worker_id, 9).await, []);
    world.clock.advance(seconds(10));
    assert_eq!(world.claim(&worker_id, 9).await.len(), 1);
}

pub async fn a_spent_rate_keeps_no_other_type<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    apply(&world, longshore_core::LimitSubject::Type("other".to_owned()), rate("1/1h")).await;
    world.enqueue_all(vec![job(); 3]).await;
    assert_eq!(world.claim(&worker_id, 9).await.len(), 3);
}

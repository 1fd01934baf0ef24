use longshore_core::{LimitSelection, Limiting};

use super::{apply, by_key, concurrency, job_of, of_type, row, rows, settle, tenants};
use crate::suite::world::seconds;
use crate::suite::{Harness, World};
use crate::{ended, job};

pub async fn a_request_to_slow_down_closes_the_type<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    apply(&world, of_type(), concurrency(5)).await;
    let lease = world.running(&worker_id, job()).await;
    world.enqueue_all(vec![job(); 2]).await;
    world.finish(&worker_id, ended(&lease).slow_down(seconds(30)).deferred(seconds(30))).await;
    let claimed = world.claimed(&worker_id, 9).await;
    assert_eq!((claimed.leases.len(), claimed.next_due), (0, Some(seconds(30))));
    assert_eq!(row(&world, of_type()).await.opens_at, Some(world.now().after(seconds(30))));
    world.clock.advance(seconds(30));
    assert_eq!(world.claim(&worker_id, 9).await.len(), 3);
}

pub async fn a_request_to_slow_down_closes_a_type_without_a_limit_too<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    world.enqueue_all(vec![job(); 2]).await;
    world.finish(&worker_id, ended(&lease).slow_down(seconds(30)).deferred(seconds(90))).await;
    assert_eq!(world.claim(&worker_id, 9).await, []);
    let closed = row(&world, of_type()).await;
    assert_eq!((closed.source, closed.waiting), (None, 2));
    world.clock.advance(seconds(30));
    assert_eq!(world.claim(&worker_id, 9).await.len(), 2);
    settle(&world).await;
    assert_eq!(rows(&world, LimitSelection::All).await, []);
}

pub async fn a_request_to_slow_down_closes_only_the_key_of_its_job<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    apply(&world, of_type(), by_key(None)).await;
    let lease = world.running(&worker_id, job_of("a")).await;
    for tenant in ["a", "b"] {
        world.enqueue(job_of(tenant)).await;
    }
    world.enqueue(job_of("a").queue("other")).await;
    world.finish(&worker_id, ended(&lease).slow_down(seconds(30)).deferred(seconds(90))).await;
    assert_eq!(tenants(&world.claim(&worker_id, 9).await), "b");
    world.clock.advance(seconds(29));
    assert_eq!(world.claim(&worker_id, 9).await, []);
    world.clock.advance(seconds(1));
    assert_eq!(tenants(&world.claim(&worker_id, 9).await), "a a");
}

pub async fn a_shorter_request_to_slow_down_does_not_open_what_is_closed_longer<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    world.enqueue_all(vec![job(); 3]).await;
    let leases = world.claim(&worker_id, 2).await;
    for (lease, span) in leases.iter().zip([60, 10]) {
        world.finish(&worker_id, ended(lease).slow_down(seconds(span)).deferred(seconds(600))).await;
    }
    world.clock.advance(seconds(59));
    assert_eq!(world.claim(&worker_id, 9).await, []);
    world.clock.advance(seconds(1));
    assert_eq!(world.claim(&worker_id, 9).await.len(), 1);
}

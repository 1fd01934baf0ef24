use longshore_core::{Checksum, LimitRule, Limiting, MovePhase, MovedPart, Moving};

use crate::suite::limiting::{apply, by_key, job_of, of_type, rate, tenants};
use crate::suite::world::seconds;
use crate::suite::{Harness, World};
use crate::{ended, job};

async fn checksum<H: Harness<Store: Moving>>(world: &World<H>) -> String {
    let mut checksum = Checksum::default();
    checksum.add_settings(&world.store.moved_settings().await.expect("settings can be read"));
    checksum.finish()
}

fn key_rate() -> LimitRule {
    LimitRule { key_rate: rate("1/10s").rate, ..by_key(None) }
}

pub async fn the_rate_of_a_type_keeps_its_pace_where_the_queue_moved_to<H: Harness<Store: Moving>>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    apply(&world, of_type(), rate("1/10s")).await;
    let lease = world.running(&worker_id, job()).await;
    world.complete(&worker_id, &lease).await;
    world.enqueue(job()).await;
    let there = world.moved_house(false).await;
    assert_eq!(checksum(&there).await, checksum(&world).await);
    let worker_id = there.worker().await;
    let claimed = there.claimed(&worker_id, 9).await;
    assert_eq!((claimed.leases.len(), claimed.next_due), (0, Some(seconds(10))));
    there.clock.advance(seconds(10));
    assert_eq!(there.claim(&worker_id, 9).await.len(), 1);
}

pub async fn the_rate_of_a_key_keeps_its_pace_where_the_queue_moved_to<H: Harness<Store: Moving>>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    apply(&world, of_type(), key_rate()).await;
    let lease = world.running(&worker_id, job_of("a")).await;
    world.complete(&worker_id, &lease).await;
    for tenant in ["a", "b"] {
        world.enqueue(job_of(tenant).queue("other")).await;
    }
    let there = world.moved_house(false).await;
    assert_eq!(checksum(&there).await, checksum(&world).await);
    let once_more = there.moved_house(false).await;
    assert_eq!(checksum(&once_more).await, checksum(&world).await);
    for place in [there, once_more] {
        let worker_id = place.worker().await;
        assert_eq!(tenants(&place.claim(&worker_id, 9).await), "b");
        place.clock.advance(seconds(9));
        assert_eq!(place.claim(&worker_id, 9).await, []);
        place.clock.advance(seconds(1));
        assert_eq!(tenants(&place.claim(&worker_id, 9).await), "a");
    }
}

pub async fn a_request_to_slow_down_holds_where_the_queue_moved_to<H: Harness<Store: Moving>>()
where
    H::Store: Limiting,
{
    for rule in [None, Some(by_key(None))] {
        let world = World::<H>::new();
        let worker_id = world.worker().await;
        if let Some(rule) = rule {
            apply(&world, of_type(), rule).await;
        }
        let lease = world.running(&worker_id, job_of("a")).await;
        world.finish(&worker_id, ended(&lease).slow_down(seconds(30)).deferred(seconds(90))).await;
        world.enqueue(job_of("a")).await;
        let there = world.moved_house(false).await;
        assert_eq!(checksum(&there).await, checksum(&world).await);
        let worker_id = there.worker().await;
        assert_eq!(there.claim(&worker_id, 9).await, []);
        there.clock.advance(seconds(30));
        assert_eq!(tenants(&there.claim(&worker_id, 9).await), "a");
    }
}

pub async fn a_rate_that_was_spent_before_the_queue_came_back_counts_no_more<H: Harness<Store: Moving>>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    apply(&world, of_type(), key_rate()).await;
    let lease = world.running(&worker_id, job_of("a")).await;
    world.complete(&worker_id, &lease).await;
    // What comes back has the rule, and nothing was started under it.
    let elsewhere = World::<H>::at(world.now());
    apply(&elsewhere, of_type(), key_rate()).await;
    let settings = elsewhere.store.moved_settings().await.expect("settings can be read");
    world.set_phase(MovePhase::Arriving).await;
    world.keep(MovedPart::Settings(Box::new(settings))).await;
    world.set_phase(MovePhase::Arrived).await;
    assert_eq!(checksum(&world).await, checksum(&elsewhere).await);
    world.enqueue(job_of("a")).await;
    let worker_id = world.worker().await;
    assert_eq!(tenants(&world.claim(&worker_id, 9).await), "a");
}

use longshore_core::{
    ClaimRequest, Console, JobEdit, LimitRule, LimitScope, LimitSelection, Limiting, NewJob, OnDuplicate, Priority,
    Store,
};

use super::{apply, by_key, concurrency, job_of, of_type, row, rows, set, tenants};
use crate::suite::world::{data, ids, seconds};
use crate::suite::{Harness, World};
use crate::{claim, ended, job, worker};

pub async fn no_more_jobs_of_a_key_run_than_its_limit<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    apply(&world, of_type(), by_key(Some(2))).await;
    for tenant in ["a", "a", "a", "b"] {
        world.enqueue(job_of(tenant)).await;
    }
    let leases = world.claim(&worker_id, 9).await;
    assert_eq!(tenants(&leases), "a b a");
    assert_eq!(world.claim(&worker_id, 9).await, []);
    world.complete(&worker_id, &leases[1]).await;
    assert_eq!(world.claim(&worker_id, 9).await, []);
    world.complete(&worker_id, &leases[0]).await;
    assert_eq!(tenants(&world.claim(&worker_id, 9).await), "a");
}

pub async fn jobs_of_a_key_that_are_due_later_are_counted_apart<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    apply(&world, of_type(), by_key(Some(1))).await;
    world.enqueue_all(vec![job_of("a"); 3]).await;
    world.enqueue_all(vec![job_of("a").delay(seconds(60)); 2]).await;
    assert_eq!(world.claim(&worker_id, 9).await.len(), 1);
    let queue = world.store.stats(0).await.expect("stats can be read").queues.remove(0);
    assert_eq!((queue.scheduled, queue.could_run_now()), (2, 2));
}

pub async fn a_key_is_limited_over_all_queues<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    apply(&world, of_type(), by_key(Some(1))).await;
    for queue in ["q", "r", "s"] {
        world.enqueue(job_of("a").queue(queue)).await;
    }
    for _ in 0..3 {
        let leases = world.claim(&worker_id, 9).await;
        assert_eq!(leases.len(), 1);
        world.complete(&worker_id, &leases[0]).await;
    }
}

pub async fn jobs_without_a_key_are_not_limited_by_key<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    apply(&world, of_type(), by_key(Some(1))).await;
    for text in ["{}", "[]", "7", r#"{"tenant": null}"#, r#"{"tenant": 1.5}"#, r#"{"tenant": ""}"#] {
        world.enqueue(NewJob { job_data: data(text), ..job() }).await;
    }
    assert_eq!(world.claim(&worker_id, 9).await.len(), 6);
}

pub async fn a_number_and_its_text_are_the_same_key<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    apply(&world, of_type(), by_key(Some(1))).await;
    for text in [r#"{"tenant": 7}"#, r#"{"tenant": "7"}"#, r#"{"tenant": -7}"#] {
        world.enqueue(NewJob { job_data: data(text), ..job() }).await;
    }
    assert_eq!(world.claim(&worker_id, 9).await.len(), 2);
    let keys: Vec<_> =
        rows(&world, LimitSelection::Of(of_type())).await.into_iter().filter_map(|row| row.key).collect();
    assert_eq!(keys, ["-7", "7"]);
}

pub async fn a_key_may_be_anywhere_in_the_payload<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    for (pointer, text) in
        [("/a/b c", r#"{"a": {"b c": "x"}}"#), ("/a/1", r#"{"a": ["y", "x"]}"#), ("/a/1", r#"{"a": {"1": "x"}}"#)]
    {
        let key = Some(pointer.parse().expect("the test's own pointer is valid"));
        set(&world, of_type(), LimitRule { key, key_concurrency: Some(1), ..LimitRule::default() }).await;
        let job = || NewJob { job_data: data(text), ..job() };
        world.enqueue_all(vec![job(), job()]).await;
        let leases = world.claim(&worker_id, 9).await;
        assert_eq!(leases.len(), 1, "{pointer} {text}");
        world.complete(&worker_id, &leases[0]).await;
        let last = world.claim_one(&worker_id).await;
        world.complete(&worker_id, &last).await;
    }
}

pub async fn a_key_by_hand_comes_before_the_one_in_the_payload<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    apply(&world, of_type(), by_key(Some(1))).await;
    world.enqueue(job_of("a").limit_key("x")).await;
    let id = world.enqueue(job_of("b").limit_key("x")).await;
    assert_eq!(world.job(id).await.limit_key.as_deref(), Some("x"));
    assert_eq!(world.claim(&worker_id, 9).await.len(), 1);
    let of_key = rows(&world, LimitSelection::Of(of_type())).await.pop().expect("the key has jobs");
    assert_eq!((of_key.scope, of_key.key.as_deref(), of_key.running), (LimitScope::Key, Some("x"), 1));
}

pub async fn without_a_limit_by_key_a_key_has_no_effect<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    apply(&world, of_type(), concurrency(3)).await;
    world.enqueue_all(vec![job().limit_key("x"); 3]).await;
    assert_eq!(world.claim(&worker_id, 9).await.len(), 3);
}

pub async fn the_type_limits_all_of_its_keys_together<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    apply(&world, of_type(), LimitRule { concurrency: Some(3), ..by_key(Some(2)) }).await;
    for tenant in ["a", "a", "b", "b", "c", "c"] {
        world.enqueue(job_of(tenant)).await;
    }
    let leases = world.claim(&worker_id, 9).await;
    assert_eq!(tenants(&leases), "a b c");
    world.complete(&worker_id, &leases[2]).await;
    assert_eq!(tenants(&world.claim(&worker_id, 9).await), "a");
}

pub async fn keys_take_turns_however_many_jobs_one_of_them_has<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    apply(&world, of_type(), by_key(None)).await;
    world.enqueue_all((0..200).map(|_| job_of("much")).collect()).await;
    for number in 0..10 {
        world.enqueue_all(vec![job_of(&format!("little {number}")); 3]).await;
    }
    for _ in 0..3 {
        let mut served: Vec<String> = Vec::new();
        for _ in 0..11 {
            served.push(tenants(&world.claim(&worker_id, 1).await));
        }
        served.sort();
        served.dedup();
        assert_eq!(served.len(), 11, "{served:?}");
    }
}

pub async fn a_key_of_a_higher_weight_has_more_turns<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let weights = [("heavy".to_owned(), 3)].into();
    apply(&world, of_type(), LimitRule { weights, ..by_key(None) }).await;
    for tenant in ["heavy", "light"] {
        world.enqueue_all(vec![job_of(tenant); 40]).await;
    }
    let leases = world.claim(&worker_id, 40).await;
    let heavy = tenants(&leases).matches("heavy").count();
    assert!((29..=31).contains(&heavy), "{heavy}");
}

pub async fn a_key_that_was_idle_has_saved_no_turns<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    apply(&world, of_type(), by_key(None)).await;
    world.enqueue_all(vec![job_of("busy"); 40]).await;
    world.enqueue(job_of("idle")).await;
    assert_eq!(world.claim(&worker_id, 20).await.len(), 20);
    world.enqueue_all(vec![job_of("idle"); 20]).await;
    let leases = world.claim(&worker_id, 10).await;
    let busy = tenants(&leases).matches("busy").count();
    assert!((4..=6).contains(&busy), "{}", tenants(&leases));
}

pub async fn priority_comes_before_the_turns_of_keys<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    apply(&world, of_type(), by_key(None)).await;
    for tenant in ["a", "a", "b"] {
        world.enqueue(job_of(tenant)).await;
    }
    for _ in 0..2 {
        world.enqueue(job_of("a").priority(Priority::HIGH)).await;
    }
    assert_eq!(tenants(&world.claim(&worker_id, 9).await), "a a b a a");
}

/// What is next in a queue may change although nothing was taken from it.
pub async fn a_key_without_room_gives_way_in_every_queue_within_the_same_claim<H: Harness>()
where
    H::Store: Limiting,
{
    let one_start = LimitRule { key_rate: Some("1/1h".parse().expect("it is a rate")), ..by_key(None) };
    for rule in [by_key(Some(1)), one_start] {
        let world = World::<H>::new();
        let worker_id = world.register(worker().job_types(["work", "free"]).lease(seconds(86_400))).await;
        apply(&world, of_type(), rule).await;
        let second = world.enqueue(job_of("b").queue("other")).await;
        let third = world.enqueue(NewJob { job_type: "free".to_owned(), ..job() }).await;
        world.enqueue(job_of("a").queue("other")).await;
        let first = world.enqueue(job_of("a").priority(Priority::HIGH)).await;
        let job_types = ["work", "free"].map(str::to_owned).to_vec().into();
        let request = ClaimRequest { job_types, ..claim(&worker_id, 9) };
        let leases = world.store.claim(request).await.expect("the worker may claim").leases;
        assert_eq!(ids(&leases), [first, second, third]);
    }
}

pub async fn within_a_key_jobs_run_by_priority_and_age<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    apply(&world, of_type(), by_key(Some(1))).await;
    let (first, second) = (world.enqueue(job_of("a")).await, world.enqueue(job_of("a")).await);
    let urgent = world.enqueue(job_of("a").priority(Priority::HIGH)).await;
    for expected in [urgent, first, second] {
        let lease = world.claim_one(&worker_id).await;
        assert_eq!(lease.id, expected);
        world.complete(&worker_id, &lease).await;
    }
}

pub async fn a_retried_job_of_a_key_waits_for_its_place_again<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    apply(&world, of_type(), by_key(Some(1))).await;
    let first = world.running(&worker_id, job_of("a")).await;
    world.enqueue(job_of("a")).await;
    world.finish(&worker_id, ended(&first).retrying(seconds(5))).await;
    let second = world.claim_one(&worker_id).await;
    world.clock.advance(seconds(5));
    assert_eq!(world.claim(&worker_id, 9).await, []);
    world.complete(&worker_id, &second).await;
    assert_eq!(ids(&world.claim(&worker_id, 9).await), [first.id]);
}

pub async fn an_edited_job_stands_under_its_new_key<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    apply(&world, of_type(), by_key(Some(1))).await;
    world.enqueue(job_of("a")).await;
    let id = world.enqueue(job_of("a")).await;
    assert_eq!(world.claim(&worker_id, 9).await.len(), 1);
    let edit = JobEdit { job_data: Some(data(r#"{"tenant":"b"}"#)), ..JobEdit::default() };
    world.store.edit(id, edit).await.expect("it can be edited");
    assert_eq!(ids(&world.claim(&worker_id, 9).await), [id]);
}

pub async fn a_job_that_a_duplicate_replaces_stands_under_its_new_key<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    apply(&world, of_type(), by_key(Some(1))).await;
    world.enqueue(job_of("a")).await;
    let id = world.enqueue(job_of("a").unique_key("u")).await;
    assert_eq!(world.claim(&worker_id, 9).await.len(), 1);
    world.enqueue_all(vec![job_of("b").unique_key("u").on_duplicate(OnDuplicate::Replace)]).await;
    assert_eq!(ids(&world.claim(&worker_id, 9).await), [id]);
}

pub async fn a_child_of_a_key_is_limited_once_its_parent_has_completed<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    apply(&world, of_type(), by_key(Some(1))).await;
    let parent = world.running(&worker_id, job_of("a")).await;
    world.enqueue(job_of("a").parent(parent.id)).await;
    world.enqueue(job_of("a").parent(parent.id)).await;
    world.complete(&worker_id, &parent).await;
    assert_eq!(tenants(&world.claim(&worker_id, 9).await), "a");
    let of_key = rows(&world, LimitSelection::Of(of_type())).await.pop().expect("the key has jobs");
    assert_eq!((of_key.running, of_key.waiting, row(&world, of_type()).await.running), (1, 1, 1));
}

pub async fn a_cancelled_job_of_a_key_keeps_no_other_one<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    apply(&world, of_type(), by_key(Some(1))).await;
    let id = world.enqueue(job_of("a")).await;
    let other = world.enqueue(job_of("a")).await;
    world.act(id, longshore_core::Action::Cancel).await;
    assert_eq!(ids(&world.claim(&worker_id, 9).await), [other]);
}

pub async fn lanes_that_nobody_needs_are_removed_and_come_back<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    apply(&world, of_type(), by_key(Some(1))).await;
    world.enqueue_all((0..150).map(|number| job_of(&number.to_string())).collect()).await;
    for lease in world.claim(&worker_id, 1000).await {
        world.complete(&worker_id, &lease).await;
    }
    world.clock.advance(seconds(2 * 3600));
    super::settle(&world).await;
    assert_eq!(rows(&world, LimitSelection::Of(of_type())).await.len(), 1);
    world.enqueue_all(vec![job_of("7"); 2]).await;
    assert_eq!(tenants(&world.claim(&worker_id, 9).await), "7");
}

use longshore_core::{
    Action, Due, Duplicate, Enqueued, Job, NewJob, OnDuplicate, Priority, QueueScope, Refusal, Status, Store,
    Timestamp, UniqueWhile, stream_of,
};

use crate::suite::world::{data, seconds};
use crate::suite::{Harness, World, ids};
use crate::{ended, job};

fn keyed() -> NewJob {
    job().unique_key("key")
}

fn replacing() -> NewJob {
    keyed().on_duplicate(OnDuplicate::Replace)
}

fn pushing_back(delay: u64) -> NewJob {
    keyed().on_duplicate(OnDuplicate::PushBack).delay(seconds(delay))
}

/// A job that may wait behind a running one.
fn waiting() -> NewJob {
    keyed().unique_while(UniqueWhile::Waiting)
}

impl<H: Harness> World<H> {
    async fn enqueued(&self, job: NewJob) -> Enqueued {
        self.enqueue_all(vec![job]).await[0]
    }
}

pub async fn a_duplicate_that_replaces_gives_its_content_to_the_job_that_waits<H: Harness>() {
    let world = World::<H>::new();
    let parent = world.enqueue(job()).await;
    let id = world.enqueue(keyed().parent(parent).delay(seconds(60))).await;
    let before = world.job(id).await;
    world.clock.advance(seconds(5));
    let new =
        NewJob { job_type: "other".to_owned(), job_data: data("[7]"), max_crashes: 8, max_deferrals: 9, ..replacing() };
    let new = new.queue("elsewhere").priority(Priority::HIGH).max_retries(7).timeout(seconds(9)).metadata(data("[1]"));
    let new = NewJob { expires_in: Some(seconds(600)), deadline_in: Some(seconds(900)), ..new };
    assert_eq!(world.enqueued(new.delay(seconds(1))).await, Enqueued::met(id, Duplicate::Replaced));
    let expected = Job {
        job_type: "other".to_owned(),
        job_data: data("[7]"),
        priority: Priority::HIGH,
        max_retries: 7,
        max_crashes: 8,
        max_deferrals: 9,
        timeout: Some(seconds(9)),
        metadata: Some(data("[1]")),
        expires_at: Some(world.now().after(seconds(600))),
        deadline_at: Some(world.now().after(seconds(900))),
        ..before
    };
    assert_eq!(world.job(id).await, expected);
    assert_eq!(world.count().await, 2);
}

pub async fn a_duplicate_that_pushes_back_gives_its_content_and_its_time<H: Harness>() {
    let world = World::<H>::new();
    let id = world.enqueue(pushing_back(60)).await;
    world.clock.advance(seconds(5));
    let new = NewJob { job_data: data("[7]"), ..pushing_back(60) };
    assert_eq!(world.enqueued(new).await, Enqueued::met(id, Duplicate::PushedBack));
    let job = world.job(id).await;
    assert_eq!((job.job_data, job.run_at, job.status), (data("[7]"), world.now().after(seconds(60)), Status::Pending));
}

pub async fn a_job_that_is_pushed_back_runs_once_nobody_has_enqueued_it_for_its_delay<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let id = world.enqueue(pushing_back(10)).await;
    for _ in 0..5 {
        world.clock.advance(seconds(9));
        assert_eq!(world.claim(&worker_id, 1).await, []);
        assert_eq!(world.enqueued(pushing_back(10)).await, Enqueued::met(id, Duplicate::PushedBack));
    }
    world.clock.advance(seconds(10));
    assert_eq!(ids(&world.claim(&worker_id, 9).await), [id]);
}

pub async fn a_job_that_waits_beyond_its_expiry_is_no_duplicate_for_any_rule<H: Harness>() {
    for rule in [OnDuplicate::Keep, OnDuplicate::Replace, OnDuplicate::PushBack] {
        for unique_while in [UniqueWhile::Unfinished, UniqueWhile::Waiting] {
            let world = World::<H>::new();
            let overdue = world.enqueue(NewJob { expires_in: Some(seconds(5)), ..pushing_back(60) }).await;
            world.clock.advance(seconds(6));
            let made = world.enqueue(keyed().on_duplicate(rule).unique_while(unique_while)).await;
            assert_eq!((world.status(overdue).await, world.status(made).await), (Status::Cancelled, Status::Pending));
        }
    }
}

pub async fn a_job_may_be_pushed_to_an_instant_or_to_now<H: Harness>() {
    let world = World::<H>::new();
    let id = world.enqueue(pushing_back(3600)).await;
    let instant = world.now().after(seconds(77));
    let at = |due| NewJob { due, ..pushing_back(0) };
    world.enqueued(at(Due::At(instant))).await;
    assert_eq!(world.job(id).await.run_at, instant);
    world.clock.advance(seconds(3));
    for due in [Due::Now, Due::After(seconds(0)), Due::At(Timestamp::from_ms(1))] {
        world.enqueued(at(due)).await;
        assert_eq!(world.job(id).await.run_at, world.now(), "{due:?}");
    }
    let worker_id = world.worker().await;
    assert_eq!(world.claim_one(&worker_id).await.ready_at, world.now());
}

pub async fn a_running_job_is_left_as_it_is_by_every_rule<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, keyed()).await;
    let before = world.job(lease.id).await;
    for rule in [OnDuplicate::Keep, OnDuplicate::Replace, OnDuplicate::PushBack] {
        let new = NewJob { job_data: data("[7]"), ..keyed().on_duplicate(rule) };
        assert_eq!(world.enqueued(new).await, Enqueued::met(lease.id, Duplicate::Kept), "{rule}");
    }
    assert_eq!(world.job(lease.id).await, before);
    world.complete(&worker_id, &lease).await;
}

pub async fn a_retrying_job_is_replaced_and_keeps_what_it_has_spent<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, keyed()).await;
    world.finish(&worker_id, ended(&lease).retrying(seconds(60))).await;
    let before = world.job(lease.id).await;
    world.enqueued(NewJob { job_data: data("[7]"), ..replacing() }).await;
    assert_eq!(world.job(lease.id).await, Job { job_data: data("[7]"), ..before.clone() });
    let instant = world.now().after(seconds(600));
    world.enqueued(pushing_back(600)).await;
    let later = world.job(lease.id).await;
    assert_eq!((later.status, later.run_at, later.next_retry_at), (Status::Retrying, instant, Some(instant)));
    world.enqueued(pushing_back(0)).await;
    let ready = world.job(lease.id).await;
    assert_eq!((ready.status, ready.next_retry_at, ready.retry_count), (Status::Pending, None, before.retry_count));
    let depths = world.depths("default").await;
    assert_eq!((depths.get(&Status::Retrying).copied().unwrap_or(0), depths[&Status::Pending]), (0, 1));
}

pub async fn a_blocked_job_is_replaced_and_goes_on_waiting_for_its_parent<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let parent = world.running(&worker_id, job()).await;
    let id = world.enqueue(keyed().parent(parent.id)).await;
    world.enqueued(NewJob { job_data: data("[7]"), ..pushing_back(0) }).await;
    assert_eq!(world.status(id).await, Status::Blocked);
    world.complete(&worker_id, &parent).await;
    let lease = world.claim_one(&worker_id).await;
    assert_eq!((lease.id, lease.job_data), (id, data("[7]")));
}

pub async fn of_one_batch_the_last_duplicate_that_replaces_wins<H: Harness>() {
    let world = World::<H>::new();
    let with = |number: u32| NewJob { job_data: data(&number.to_string()), ..replacing() };
    let enqueued = world.enqueue_all(vec![with(1), job(), with(2), with(3)]).await;
    let id = enqueued[0].id;
    assert_eq!(enqueued[2..], [Enqueued::met(id, Duplicate::Replaced); 2]);
    assert_eq!((world.job(id).await.job_data, world.count().await), (data("3"), 2));
}

pub async fn a_stream_replaces_too_and_counts_what_it_made<H: Harness>() {
    let world = World::<H>::new();
    let id = world.enqueue(keyed()).await;
    let jobs = [NewJob { job_data: data("[7]"), ..replacing() }, job(), pushing_back(60)];
    let stream = stream_of(jobs.map(Ok));
    assert_eq!(world.store.enqueue_stream(stream).await.expect("the stream is fine"), 1);
    assert_eq!(world.job(id).await.run_at, world.now().after(seconds(60)));
}

pub async fn a_refused_batch_replaces_nothing_and_takes_no_key<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, waiting()).await;
    let other = world.enqueue(job().unique_key("other")).await;
    let before = world.job(other).await;
    let replaces = NewJob { job_data: data("[7]"), ..job().unique_key("other").on_duplicate(OnDuplicate::Replace) };
    let orphan = job().parent(longshore_core::JobId(4711));
    for refused in [orphan.clone(), job().queue("")] {
        let batch = vec![replaces.clone(), waiting(), refused];
        world.store.enqueue(batch).await.expect_err("one of them is refused");
    }
    world.store.enqueue(vec![NewJob { parent: orphan.parent, ..waiting() }]).await.expect_err("it has no parent");
    assert_eq!(world.job(other).await, before);
    assert_eq!(world.enqueued(keyed()).await, Enqueued::met(lease.id, Duplicate::Kept));
    assert_eq!(world.count().await, 2);
}

pub async fn a_replaced_job_takes_the_place_of_its_new_priority_and_type<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let id = world.enqueue(NewJob { job_type: "unheard of".to_owned(), ..keyed() }).await;
    let mut inbox = world.store.inbox(&worker_id);
    inbox.offer(QueueScope::All, 1);
    assert_eq!(world.claim(&worker_id, 1).await, []);
    world.enqueued(replacing().priority(Priority::HIGH)).await;
    let newer = world.enqueue(job()).await;
    assert_eq!(ids(&inbox.take()), [], "the job that can run now stands before a new one");
    assert_eq!(ids(&world.claim(&worker_id, 9).await), [id, newer]);
}

pub async fn a_second_job_may_wait_while_the_first_one_runs_and_a_third_may_not<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let first = world.running(&worker_id, waiting()).await;
    let second = world.enqueue(waiting()).await;
    assert_eq!(world.enqueued(waiting()).await, Enqueued::met(second, Duplicate::Kept));
    let third = NewJob { job_data: data("[7]"), ..waiting().on_duplicate(OnDuplicate::Replace) };
    assert_eq!(world.enqueued(third).await, Enqueued::met(second, Duplicate::Replaced));
    for id in [first.id, second] {
        assert_eq!(world.job(id).await.unique_key.as_deref(), Some("key"), "both tell the key that they were given");
    }
    world.complete(&worker_id, &first).await;
    assert_eq!(world.claim_one(&worker_id).await.job_data, data("[7]"));
    // And again while the second one runs.
    assert!(!world.enqueued(waiting()).await.is_duplicate);
    assert_eq!(world.count().await, 3);
}

pub async fn where_nothing_runs_a_job_that_waits_is_a_duplicate_for_both_rules<H: Harness>() {
    let world = World::<H>::new();
    let id = world.enqueue(waiting().delay(seconds(60))).await;
    assert_eq!(world.enqueued(waiting()).await, Enqueued::met(id, Duplicate::Kept));
    assert_eq!(world.enqueued(keyed()).await, Enqueued::met(id, Duplicate::Kept));
    assert!(!world.enqueued(job().unique_key("ke").unique_while(UniqueWhile::Waiting)).await.is_duplicate);
}

pub async fn a_running_job_that_passed_its_key_on_still_counts_as_unfinished<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let first = world.running(&worker_id, waiting()).await;
    let second = world.running(&worker_id, waiting()).await;
    world.complete(&worker_id, &second).await;
    assert_eq!(world.enqueued(keyed()).await, Enqueued::met(first.id, Duplicate::Kept));
    world.complete(&worker_id, &first).await;
    assert!(!world.enqueued(keyed()).await.is_duplicate);
}

pub async fn a_job_that_fails_after_it_passed_its_key_on_waits_beside_the_other_one<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let first = world.running(&worker_id, waiting()).await;
    let second = world.enqueue(waiting()).await;
    world.finish(&worker_id, ended(&first).retrying(seconds(60))).await;
    assert_eq!(world.enqueued(waiting()).await, Enqueued::met(second, Duplicate::Kept));
    let lease = world.claim_one(&worker_id).await;
    assert_eq!(lease.id, second);
    assert_eq!(world.enqueued(waiting()).await, Enqueued::met(first.id, Duplicate::Kept), "it waits for its retry");
    world.complete(&worker_id, &lease).await;
    let replaced = NewJob { job_data: data("[7]"), ..replacing() };
    assert_eq!(world.enqueued(replaced).await, Enqueued::met(first.id, Duplicate::Replaced));
}

pub async fn a_job_is_not_retried_while_another_one_has_the_key_that_it_passed_on<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let first = world.running(&worker_id, waiting()).await;
    let second = world.enqueue(waiting()).await;
    world.finish(&worker_id, ended(&first).dead_letter()).await;
    let refused = world.act(first.id, Action::Retry).await.refused;
    assert_eq!(refused, [Refusal::UniqueKeyTaken { id: first.id, by: second }]);
    world.act(second, Action::Cancel).await;
    assert_eq!(world.act(first.id, Action::Retry).await.touched, 1);
    assert_eq!(world.enqueued(keyed()).await, Enqueued::met(first.id, Duplicate::Kept));
}

pub async fn a_job_that_waits_behind_another_one_comes_to_an_idle_worker<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    world.running(&worker_id, waiting()).await;
    let mut inbox = world.store.inbox(&worker_id);
    inbox.offer(QueueScope::All, 2);
    assert_eq!(world.claim(&worker_id, 2).await, []);
    let second = world.enqueue(waiting()).await;
    let mut leases = inbox.take();
    leases.extend(world.claim(&worker_id, 9).await);
    assert_eq!(ids(&leases), [second]);
}

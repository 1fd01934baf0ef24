use longshore_core::{
    Action, Actioned, Console, Due, InvalidJob, Job, JobEdit, JobId, Limits, NewJob, Priority, QueueScope, Refusal,
    Status, Store, StoreError, Timestamp,
};

use crate::suite::world::{data, seconds};
use crate::suite::{Harness, World, ids};
use crate::{claim, ended, job};

impl<H: Harness> World<H> {
    async fn edit(&self, id: JobId, edit: JobEdit) -> Actioned {
        self.store.edit(id, edit).await.expect("the edit is acceptable")
    }

    async fn edited(&self, id: JobId, edit: JobEdit) -> Job {
        assert_eq!(self.edit(id, edit).await, Actioned { touched: 1, refused: vec![] });
        self.job(id).await
    }

    /// The number of jobs in this queue with this status.
    async fn depth(&self, queue: &str, status: Status) -> u64 {
        self.depths(queue).await.get(&status).copied().unwrap_or(0)
    }
}

fn to_queue(queue: &str) -> JobEdit {
    JobEdit::new().queue(queue)
}

pub async fn an_edit_changes_what_it_names_and_nothing_else<H: Harness>() {
    let world = World::<H>::new();
    let parent = world.enqueue(job().priority(Priority::LOW)).await;
    let new = job().metadata(data("[1]")).unique_key("key").parent(parent).max_retries(7).timeout(seconds(9));
    let id = world.enqueue(new).await;
    let before = world.job(id).await;
    let edit = JobEdit::new().job_type("other").job_data(data(r#"{"b":2}"#)).queue("elsewhere");
    let expected =
        Job { job_type: "other".to_owned(), job_data: data(r#"{"b":2}"#), queue: "elsewhere".to_owned(), ..before };
    assert_eq!(world.edited(id, edit).await, expected);
}

pub async fn only_what_waits_and_dead_letters_can_be_edited<H: Harness>() {
    let world = World::<H>::new();
    for (status, id) in world.one_in_each_state().await {
        let before = world.job(id).await;
        let actioned = world.edit(id, to_queue("elsewhere").job_data(data("[7]"))).await;
        let after = world.job(id).await;
        assert_eq!(after.status, status);
        if matches!(status, Status::Running | Status::Completed | Status::Cancelled) {
            assert_eq!(actioned, Actioned { touched: 0, refused: vec![Refusal::NotEditable { id, status }] });
            assert_eq!(after, before);
        } else {
            assert_eq!((actioned.touched, actioned.refused), (1, vec![]), "{status}");
            assert_eq!((after.queue.as_str(), after.job_data), ("elsewhere", data("[7]")));
        }
    }
}

pub async fn an_edited_dead_letter_stays_one_and_is_retried_with_what_it_was_given<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let id = world.dead_letter(&worker_id, job()).await;
    let job = world.edited(id, to_queue("elsewhere").job_data(data("[7]"))).await;
    assert_eq!((job.status, world.depth("elsewhere", Status::DeadLetter).await), (Status::DeadLetter, 1));
    assert_eq!(world.depth("default", Status::DeadLetter).await, 0);
    world.act(id, Action::Retry).await;
    let lease = world.claim_one(&worker_id).await;
    assert_eq!((lease.id, lease.job_data, lease.queue.as_str()), (id, data("[7]"), "elsewhere"));
}

pub async fn the_time_of_a_dead_letter_cannot_be_edited<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let id = world.dead_letter(&worker_id, job()).await;
    let before = world.job(id).await;
    let actioned = world.edit(id, to_queue("elsewhere").due(Due::After(seconds(5)))).await;
    assert_eq!(actioned, Actioned { touched: 0, refused: vec![Refusal::TimeOfDeadLetter { id }] });
    assert_eq!(world.job(id).await, before);
}

pub async fn a_job_that_is_not_there_cannot_be_edited<H: Harness>() {
    let world = World::<H>::new();
    let id = JobId(4711);
    assert_eq!(world.edit(id, to_queue("q")).await.refused, [Refusal::NotFound { id }]);
}

pub async fn an_edit_to_what_no_job_may_be_changes_nothing<H: Harness>() {
    let world = World::<H>::with_limits(Limits { payload_bytes_max: 8 });
    let id = world.enqueue(job()).await;
    let before = world.job(id).await;
    let refused = [
        JobEdit::new(),
        to_queue(""),
        to_queue("q").job_type("a\0"),
        to_queue("q").job_data(data("123456789")),
        to_queue("q").due(Due::After(seconds(u64::MAX))),
    ];
    for edit in refused {
        let error = world.store.edit(id, edit.clone()).await.expect_err("it is not acceptable");
        assert!(matches!(error, StoreError::InvalidJob(_)), "{edit:?}: {error}");
    }
    let error = world.store.edit(id, JobEdit::new()).await.expect_err("it changes nothing");
    assert!(matches!(error, StoreError::InvalidJob(InvalidJob::NothingToChange)));
    assert_eq!(world.job(id).await, before);
}

pub async fn the_counts_follow_a_job_into_its_new_queue<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    world.finish(&worker_id, ended(&lease).retrying(seconds(60))).await;
    let pending = world.enqueue(job()).await;
    let blocked = world.enqueue(job().parent(pending)).await;
    for (id, status) in [(pending, Status::Pending), (blocked, Status::Blocked), (lease.id, Status::Retrying)] {
        world.edited(id, to_queue("elsewhere")).await;
        assert_eq!((world.depth("default", status).await, world.depth("elsewhere", status).await), (0, 1), "{status}");
    }
    // A new time can also change its status.
    world.edited(lease.id, to_queue("third").due(Due::Now)).await;
    assert_eq!(world.depth("elsewhere", Status::Retrying).await, 0);
    assert_eq!((world.depth("third", Status::Retrying).await, world.depth("third", Status::Pending).await), (0, 1));
}

pub async fn an_edited_job_takes_its_place_in_the_new_queue_and_type<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let moved = world.enqueue(NewJob { job_type: "unheard of".to_owned(), ..job() }).await;
    let later = world.enqueue(job()).await;
    let urgent = world.enqueue(job().queue("elsewhere").priority(Priority::URGENT)).await;
    assert_eq!(ids(&world.claim(&worker_id, 0).await), []);
    world.edited(moved, to_queue("elsewhere").job_type(job().job_type)).await;
    assert_eq!(ids(&world.claim(&worker_id, 9).await), [urgent, moved, later]);
}

pub async fn a_job_that_was_edited_to_run_later_waits_until_then<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let id = world.enqueue(job()).await;
    let edited = world.edited(id, JobEdit::new().due(Due::After(seconds(60)))).await;
    assert_eq!((edited.status, edited.run_at), (Status::Pending, world.now().after(seconds(60))));
    let claimed = world.claimed(&worker_id, 1).await;
    assert_eq!((claimed.leases, claimed.next_due), (vec![], Some(edited.run_at.since(world.now()))));
    world.clock.advance(seconds(60));
    assert_eq!(world.claim_one(&worker_id).await.id, id);
}

pub async fn a_job_that_was_edited_to_run_now_is_ready_since_then<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    for due in [Due::Now, Due::After(seconds(0)), Due::At(Timestamp::from_ms(1))] {
        let id = world.enqueue(job().delay(seconds(3600))).await;
        world.clock.advance(seconds(5));
        let edited = world.edited(id, JobEdit::new().due(due)).await;
        assert_eq!(edited.run_at, world.now(), "{due:?}");
        let lease = world.claim_one(&worker_id).await;
        assert_eq!((lease.id, lease.ready_at), (id, world.now()));
        world.complete(&worker_id, &lease).await;
    }
}

pub async fn a_retrying_job_may_be_tried_again_sooner_or_later<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    world.finish(&worker_id, ended(&lease).retrying(seconds(60))).await;
    let later = world.edited(lease.id, JobEdit::new().due(Due::After(seconds(600)))).await;
    let instant = world.now().after(seconds(600));
    assert_eq!((later.status, later.run_at, later.next_retry_at), (Status::Retrying, instant, Some(instant)));
    let now = world.edited(lease.id, JobEdit::new().due(Due::Now)).await;
    assert_eq!((now.status, now.run_at, now.next_retry_at), (Status::Pending, world.now(), None));
    assert_eq!((now.retry_count, now.error_message), (later.retry_count, later.error_message));
    assert_eq!(world.claim_one(&worker_id).await.attempt(), 2);
}

pub async fn a_blocked_job_keeps_waiting_for_its_parent_and_for_its_new_time<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let parent = world.running(&worker_id, job()).await;
    let child = world.enqueue(job().parent(parent.id)).await;
    let edited = world.edited(child, JobEdit::new().due(Due::After(seconds(60)))).await;
    assert_eq!((edited.status, edited.run_at), (Status::Blocked, world.now().after(seconds(60))));
    world.complete(&worker_id, &parent).await;
    assert_eq!(world.claim(&worker_id, 1).await, []);
    world.clock.advance(seconds(60));
    assert_eq!(world.claim_one(&worker_id).await.id, child);
}

pub async fn an_edited_job_keeps_its_unique_key_and_its_parent<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let parent = world.running(&worker_id, job()).await;
    let child = world.enqueue(job().parent(parent.id).unique_key("key")).await;
    world.edited(child, to_queue("elsewhere").job_type("other")).await;
    assert!(world.enqueue_all(vec![job().unique_key("key")]).await[0].is_duplicate);
    world.finish(&worker_id, ended(&parent).dead_letter()).await;
    assert_eq!(world.status(child).await, Status::DeadLetter);
}

pub async fn what_a_job_was_edited_to_is_run_before_a_job_that_comes_with_its_lease<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let id = world.enqueue(NewJob { job_type: "unheard of".to_owned(), ..job() }).await;
    let mut inbox = world.store.inbox(&worker_id);
    inbox.offer(QueueScope::All, 1);
    assert_eq!(world.claim(&worker_id, 1).await, []);
    world.edited(id, JobEdit::new().job_type(job().job_type)).await;
    let newer = world.enqueue(job()).await;
    assert_eq!(ids(&inbox.take()), []);
    assert_eq!(ids(&world.claim(&worker_id, 9).await), [id, newer]);
}

pub async fn a_job_that_was_given_out_is_running_and_cannot_be_edited<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let mut inbox = world.store.inbox(&worker_id);
    inbox.offer(QueueScope::All, 1);
    assert_eq!(world.claim(&worker_id, 1).await, []);
    let id = world.enqueue(job()).await;
    // A backend may also leave the job to the next claim.
    if inbox.take().is_empty() {
        world.store.claim(claim(&worker_id, 1)).await.expect("the worker may claim");
    }
    let actioned = world.edit(id, to_queue("elsewhere")).await;
    assert_eq!(actioned.refused, [Refusal::NotEditable { id, status: Status::Running }]);
}

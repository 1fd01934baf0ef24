use longshore_core::{
    Action, Console, Explanation, JobId, NewJob, Priority, QueueChange, Status, Store, TypeSettings, WaitingFacts,
    explain,
};

use crate::suite::world::{data, seconds};
use crate::suite::{Harness, PlainInsert, World};
use crate::{claim, ended, job, worker};

impl<H: Harness> World<H> {
    async fn waiting_facts(&self, id: JobId) -> Option<WaitingFacts> {
        self.store.waiting_facts(id).await.expect("the facts can be read")
    }

    async fn explained(&self, id: JobId) -> Explanation {
        explain(&self.waiting_facts(id).await.expect("the job exists"))
    }

    /// The code of the one reason, and those of the others.
    async fn codes(&self, id: JobId) -> (&'static str, Vec<&'static str>) {
        let Explanation { reason, also, .. } = self.explained(id).await;
        (reason.reason.code(), also.iter().map(|cause| cause.reason.code()).collect())
    }

    async fn code(&self, id: JobId) -> &'static str {
        self.codes(id).await.0
    }

    async fn pause(&self, queue: &str) {
        self.store.change_queue(queue.to_owned(), QueueChange::Pause).await.expect("a queue can be paused");
    }
}

pub async fn a_job_that_does_not_exist_has_no_explanation<H: Harness>() {
    let world = World::<H>::new();
    assert_eq!(world.waiting_facts(JobId(404)).await, None);
}

pub async fn a_job_that_nothing_keeps_is_taken_by_the_next_claim<H: Harness>() {
    let world = World::<H>::new();
    world.worker().await;
    let id = world.enqueue(job()).await;
    assert_eq!(world.codes(id).await, ("ready", vec![]));
}

pub async fn a_scheduled_and_a_retrying_job_say_when_they_are_due<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    world.finish(&worker_id, ended(&lease).retrying(seconds(60))).await;
    let delayed = world.enqueue(job().delay(seconds(60))).await;
    for (id, what) in [(delayed, "it is due in 1m"), (lease.id, "its last attempt failed, and it is retried in 1m")] {
        let explained = world.explained(id).await;
        assert_eq!((explained.reason.reason.code(), explained.also), ("not_due", vec![]));
        assert!(explained.reason.message.starts_with(what), "{}", explained.reason.message);
    }
    world.clock.advance(seconds(60));
    assert_eq!(world.code(delayed).await, "ready", "no claim has promoted it yet");
}

pub async fn a_job_in_a_paused_queue_says_so<H: Harness>() {
    let world = World::<H>::new();
    world.worker().await;
    let (id, delayed) = (world.enqueue(job()).await, world.enqueue(job().delay(seconds(60))).await);
    world.pause("default").await;
    world.clock.advance(seconds(5));
    let explained = world.explained(id).await;
    assert_eq!(explained.reason.reason.code(), "queue_paused");
    assert!(explained.reason.message.ends_with("for 5s"), "{}", explained.reason.message);
    assert_eq!(world.codes(delayed).await, ("not_due", vec!["queue_paused"]));
}

pub async fn a_job_without_a_worker_for_its_type_or_its_queue_says_which_there_are<H: Harness>() {
    let world = World::<H>::new();
    let id = world.enqueue(job().queue("slow")).await;
    assert_eq!(world.code(id).await, "no_worker");
    world.register(worker().job_types(["other"])).await;
    let explained = world.explained(id).await;
    assert_eq!(explained.reason.reason.code(), "no_worker_for_type");
    assert!(explained.reason.message.ends_with("knows other"), "{}", explained.reason.message);
    let fast = worker().queues(["fast"]);
    let fast = world.register(fast).await;
    let explained = world.explained(id).await;
    assert_eq!(explained.reason.reason.code(), "no_worker_for_queue");
    assert!(explained.reason.message.ends_with("takes from fast"), "{}", explained.reason.message);
    world.worker().await;
    assert_eq!(world.code(id).await, "ready");
    let in_fast = world.enqueue(job().queue("fast")).await;
    world.store.retire(fast).await.expect("it can retire");
    assert_eq!(world.code(in_fast).await, "ready", "the other one takes from all queues");
}

pub async fn a_dead_worker_runs_no_job<H: Harness>() {
    let world = World::<H>::new();
    let process = world.process().await;
    let running = world.enqueue(job()).await;
    process.begin_one().await;
    let waiting = world.enqueue(job()).await;
    assert_eq!((world.code(running).await, world.code(waiting).await), ("running", "ready"));
    world.kill(process);
    assert_eq!((world.code(running).await, world.code(waiting).await), ("worker_lost", "no_worker"));
}

pub async fn a_job_that_waits_for_a_slot_says_so<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.register(worker().concurrency(1)).await;
    let lease = world.running(&worker_id, job()).await;
    let id = world.enqueue(job()).await;
    assert_eq!(world.codes(id).await, ("workers_busy", vec![]));
    let elsewhere = world.enqueue(NewJob::new("other", data("{}"))).await;
    assert_eq!(world.code(elsewhere).await, "no_worker_for_type");
    world.complete(&worker_id, &lease).await;
    assert_eq!(world.code(id).await, "ready");
}

pub async fn a_job_behind_others_of_its_type_and_queue_says_how_many<H: Harness>() {
    let world = World::<H>::new();
    world.worker().await;
    let first = world.enqueue(job()).await;
    world.enqueue(job().queue("other")).await;
    world.enqueue(NewJob::new("other", data("{}")).priority(Priority::HIGH)).await;
    world.enqueue(job().delay(seconds(60)).priority(Priority::HIGH)).await;
    world.enqueue(job().priority(Priority::LOW)).await;
    assert_eq!(world.code(first).await, "ready", "those come later, or are no part of its line");
    world.enqueue(job().priority(Priority::HIGH)).await;
    let third = world.enqueue(job()).await;
    let sentence = async |id| world.explained(id).await.reason.message;
    assert_eq!(sentence(first).await, "1 job of its type and queue can run now and come first");
    assert_eq!(sentence(third).await, "2 jobs of its type and queue can run now and come first");
    world.act(first, Action::Cancel).await;
    world.act(first, Action::Retry).await;
    assert_eq!(sentence(third).await, "2 jobs of its type and queue can run now and come first", "it came back");
}

pub async fn beyond_a_thousand_jobs_nobody_counts<H: Harness>() {
    let world = World::<H>::new();
    world.worker().await;
    world.enqueue_all((0..1100).map(|_| job()).collect()).await;
    let last = world.enqueue(job()).await;
    let explained = world.explained(last).await;
    assert_eq!(explained.reason.message, "at least 1000 jobs of its type and queue can run now and come first");
    assert_eq!(world.waiting_facts(last).await.map(|facts| facts.job.ahead), Some(1000));
}

pub async fn a_blocked_job_names_what_keeps_the_first_of_its_chain<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let root = world.enqueue(job().queue("held")).await;
    let parent = world.enqueue(job().parent(root)).await;
    let child = world.enqueue(job().parent(parent)).await;
    world.pause("held").await;
    let sentence = async |id| world.explained(id).await.reason.message;
    let begun =
        format!("it waits for its parent, job {parent}, which waits for job {root}, which is pending: queue held");
    assert!(sentence(child).await.starts_with(&begun), "{}", sentence(child).await);
    world.store.change_queue("held".to_owned(), QueueChange::Resume).await.expect("it can be resumed");
    let lease = world.claim_one(&worker_id).await;
    let begun = format!("it waits for its parent, job {root}, which is running: worker {worker_id} runs it");
    assert!(sentence(parent).await.starts_with(&begun), "{}", sentence(parent).await);
    world.complete(&worker_id, &lease).await;
    assert_eq!((world.code(parent).await, world.code(child).await), ("ready", "waits_for_parent"));
}

pub async fn a_long_chain_of_parents_is_followed_a_bounded_way<H: Harness>() {
    let world = World::<H>::new();
    let mut last = world.enqueue(job()).await;
    for _ in 0..120 {
        last = world.enqueue(job().parent(last)).await;
    }
    let facts = world.waiting_facts(last).await.expect("the job exists");
    assert_eq!(facts.ancestors.len(), WaitingFacts::ANCESTORS_MAX);
    assert_eq!(explain(&facts).reason.reason.code(), "waits_for_parent");
}

pub async fn a_running_job_says_who_runs_it_and_that_it_was_asked_to_stop<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    world.clock.advance(seconds(5));
    let explained = world.explained(lease.id).await;
    let begun = format!("worker {worker_id} runs it (attempt 1) since ");
    assert!(explained.reason.message.starts_with(&begun), "{}", explained.reason.message);
    assert_eq!((explained.reason.reason.code(), explained.status), ("running", Status::Running));
    world.act(lease.id, Action::Cancel).await;
    assert_eq!(world.code(lease.id).await, "cancelling");
}

pub async fn a_job_whose_time_has_passed_says_that_it_is_about_to_end<H: Harness>() {
    let world = World::<H>::new();
    let expiring = world.enqueue(job().expires_in(seconds(5))).await;
    let bounded = world.enqueue(job().deadline_in(seconds(5))).await;
    assert_eq!(world.code(expiring).await, "no_worker");
    world.clock.advance(seconds(5));
    assert_eq!((world.code(expiring).await, world.code(bounded).await), ("expired", "deadline_passed"));
}

pub async fn an_ended_job_says_how_it_ended<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let completed = world.running(&worker_id, job()).await;
    world.complete(&worker_id, &completed).await;
    let cancelled = world.enqueue(job()).await;
    world.act(cancelled, Action::Cancel).await;
    let dead = world.dead_letter(&worker_id, job().unique_key("key")).await;
    assert_eq!(world.code(completed.id).await, "completed");
    assert_eq!(world.code(cancelled).await, "cancelled");
    assert_eq!(world.codes(dead).await, ("dead_letter", vec![]));
    let other = world.enqueue(job().unique_key("key")).await;
    assert_eq!(world.codes(dead).await, ("dead_letter", vec!["unique_key_taken"]));
    assert_eq!(world.waiting_facts(dead).await.and_then(|facts| facts.unique_key_holder), Some(other));
    assert_eq!(world.code(other).await, "ready", "a twin that has ended keeps nobody");
}

pub async fn a_job_that_waits_behind_its_running_twin_is_kept_by_nothing<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let keyed = || NewJob { unique_while: longshore_core::UniqueWhile::Waiting, ..job().unique_key("key") };
    let first = world.running(&worker_id, keyed()).await;
    let second = world.enqueue(keyed()).await;
    assert_ne!(first.id, second);
    assert_eq!(world.code(second).await, "ready");
    let taken = world.store.claim(claim(&worker_id, 1)).await.expect("it may claim").leases;
    assert_eq!(taken.len(), 1, "so it is, because a key bounds what waits and not what runs");
}

pub async fn a_plain_insert_of_an_unknown_type_awaits_its_settings<H: Harness>() {
    let world = World::<H>::new();
    world.register(worker().job_types(["other"])).await;
    let id = world.insert_plainly(&PlainInsert { job_type: "work".to_owned(), ..PlainInsert::default() });
    assert_eq!(world.codes(id).await, ("no_worker_for_type", vec!["awaits_settings"]));
    world.register(worker().settings([TypeSettings::new("work")])).await;
    world.reclaim().await;
    assert_eq!(world.code(id).await, "ready");
}

pub async fn an_explanation_changes_nothing<H: Harness>() {
    let world = World::<H>::new();
    for (_, id) in world.one_in_each_state().await {
        let before = world.detail(id).await;
        let (first, second) = (world.waiting_facts(id).await, world.waiting_facts(id).await);
        assert_eq!(first, second);
        assert_eq!(world.detail(id).await, before);
    }
}

use longshore_core::{
    ClaimRequest, Claimed, Console, Job, JobEdit, JobId, Priority, QueueLimit, QueueScope, RetryPolicy, Status, Store,
    TypeSettings,
};

use crate::suite::world::seconds;
use crate::suite::{Harness, PlainInsert, World};
use crate::{claim, ended, job, worker};

fn plain(job_type: &str) -> PlainInsert {
    PlainInsert { job_type: job_type.to_owned(), ..PlainInsert::default() }
}

/// Other values than the built-in ones.
fn settings(job_type: &str) -> TypeSettings {
    TypeSettings {
        queue: Some("post".to_owned()),
        priority: Some(Priority::HIGH),
        max_retries: Some(7),
        timeout: Some(seconds(300)),
        ..TypeSettings::new(job_type)
    }
}

async fn register<H: Harness, const N: usize>(world: &World<H>, settings: [TypeSettings; N]) {
    world.register(worker().settings(settings)).await;
}

/// What settings decide.
fn settled(job: &Job) -> (&str, Priority, u32, Option<u64>) {
    (&job.queue, job.priority, job.max_retries, job.timeout.map(|timeout| timeout.as_secs()))
}

const OF_TYPE: (&str, Priority, u32, Option<u64>) = ("post", Priority::HIGH, 7, Some(300));
const BUILT_IN: (&str, Priority, u32, Option<u64>) = ("default", Priority::NORMAL, RetryPolicy::RETRIES, None);

async fn waiting<H: Harness>(world: &World<H>) -> Vec<(String, u64)> {
    let stats = world.store.stats(1).await.expect("statistics can be read");
    let count = |jobs: &std::collections::BTreeMap<Status, u64>| jobs.get(&Status::Pending).copied().unwrap_or(0);
    let counted = stats.queues.iter().map(|queue| (queue.queue.clone(), count(&queue.jobs)));
    counted.filter(|(_, jobs)| *jobs > 0).collect()
}

async fn claimed<H: Harness>(world: &World<H>, job_type: &str, queue: &str) -> Vec<JobId> {
    let worker_id = world.worker().await;
    let scope = QueueScope::Only(vec![QueueLimit { queue: queue.to_owned(), limit: 100 }]);
    let request = ClaimRequest { job_types: [job_type.to_owned()].into(), scope, ..claim(&worker_id, 100) };
    let Claimed { leases, .. } = world.store.claim(request).await.expect("the worker may claim");
    leases.into_iter().map(|lease| lease.id).collect()
}

pub async fn a_plain_insert_gets_the_settings_of_its_type<H: Harness>() {
    let world = World::<H>::new();
    register(&world, [settings("mail")]).await;
    let id = world.insert_plainly(&plain("mail"));
    assert_eq!(settled(&world.job(id).await), OF_TYPE);
    assert_eq!(waiting(&world).await, [("post".to_owned(), 1)]);
}

pub async fn what_a_plain_insert_says_itself_stays<H: Harness>() {
    let world = World::<H>::new();
    let own = PlainInsert {
        queue: Some("default".to_owned()),
        priority: Some(Priority::NORMAL.0),
        max_retries: Some(0),
        timeout_seconds: Some(9),
        ..plain("mail")
    };
    let early = world.insert_plainly(&own);
    register(&world, [settings("mail")]).await;
    world.reclaim().await;
    let late = world.insert_plainly(&own);
    for id in [early, late] {
        assert_eq!(settled(&world.job(id).await), ("default", Priority::NORMAL, 0, Some(9)));
    }
}

pub async fn a_plain_insert_of_an_unknown_type_has_the_built_in_defaults<H: Harness>() {
    let world = World::<H>::new();
    register(&world, [settings("mail")]).await;
    let id = world.insert_plainly(&plain("unknown"));
    world.reclaim().await;
    assert_eq!(settled(&world.job(id).await), BUILT_IN);
    assert_eq!(claimed(&world, "unknown", "post").await, []);
    assert_eq!(claimed(&world, "unknown", "default").await, [id]);
}

pub async fn jobs_that_came_before_their_type_was_known_get_its_settings_with_it<H: Harness>() {
    let world = World::<H>::new();
    let early = [world.insert_plainly(&plain("mail")), world.insert_plainly(&plain("mail"))];
    let other = world.insert_plainly(&plain("other"));
    assert_eq!(settled(&world.job(early[0]).await), BUILT_IN);
    register(&world, [settings("mail")]).await;
    for id in early {
        assert_eq!(settled(&world.job(id).await), OF_TYPE, "before the first claim");
    }
    assert_eq!(settled(&world.job(other).await), BUILT_IN);
    assert_eq!(waiting(&world).await, [("default".to_owned(), 1), ("post".to_owned(), 2)]);
    assert_eq!(claimed(&world, "mail", "default").await, []);
    assert_eq!(claimed(&world, "mail", "post").await, early);
}

pub async fn many_jobs_that_came_before_their_type_get_its_settings_in_bounded_steps<H: Harness>() {
    let world = World::<H>::new();
    let ids: Vec<JobId> = (0..1500).map(|_| world.insert_plainly(&plain("mail"))).collect();
    register(&world, [settings("mail")]).await;
    for _ in 0..10 {
        world.reclaim().await;
    }
    for id in [ids[0], ids[1499]] {
        assert_eq!(settled(&world.job(id).await), OF_TYPE);
    }
    assert_eq!(waiting(&world).await, [("post".to_owned(), 1500)]);
}

pub async fn settings_without_values_leave_the_built_in_defaults<H: Harness>() {
    let world = World::<H>::new();
    let early = world.insert_plainly(&plain("mail"));
    register(&world, [TypeSettings::new("mail")]).await;
    world.reclaim().await;
    let late = world.insert_plainly(&plain("mail"));
    for id in [early, late] {
        assert_eq!(settled(&world.job(id).await), BUILT_IN);
    }
}

pub async fn later_settings_apply_to_later_jobs_alone<H: Harness>() {
    let world = World::<H>::new();
    register(&world, [settings("mail")]).await;
    let before = world.insert_plainly(&plain("mail"));
    let other =
        TypeSettings { queue: Some("other".to_owned()), priority: None, max_retries: Some(1), ..settings("mail") };
    register(&world, [other]).await;
    world.reclaim().await;
    let after = world.insert_plainly(&plain("mail"));
    assert_eq!(settled(&world.job(before).await), OF_TYPE);
    assert_eq!(settled(&world.job(after).await), ("other", Priority::NORMAL, 1, Some(300)));
}

pub async fn a_registration_leaves_the_settings_of_other_types_alone<H: Harness>() {
    let world = World::<H>::new();
    register(&world, [settings("mail"), settings("post")]).await;
    register(&world, [TypeSettings::new("post")]).await;
    let id = world.insert_plainly(&plain("mail"));
    assert_eq!(settled(&world.job(id).await), OF_TYPE);
}

pub async fn an_enqueued_job_keeps_its_own_queue_and_priority<H: Harness>() {
    let world = World::<H>::new();
    let of_type = TypeSettings { job_type: job().job_type, ..settings("mail") };
    register(&world, [of_type]).await;
    let id = world.enqueue(job()).await;
    assert_eq!(
        settled(&world.job(id).await),
        ("default", Priority::NORMAL, 7, None),
        "its retries are those of its type"
    );
    let id = world.enqueue(job().max_retries(2)).await;
    assert_eq!(world.job(id).await.max_retries, 2);
}

pub async fn a_job_that_sets_no_retries_leaves_them_to_its_worker<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    world.enqueue_all(vec![job(), job().max_retries(2)]).await;
    let retries: Vec<Option<u32>> =
        world.claim(&worker_id, 2).await.iter().map(|lease| lease.budgets.max_retries).collect();
    assert_eq!(retries, [None, Some(2)]);
}

pub async fn a_job_that_changes_its_type_has_the_retries_of_the_new_one<H: Harness>() {
    let world = World::<H>::new();
    register(&world, [settings("mail")]).await;
    let id = world.enqueue(job()).await;
    assert_eq!(world.job(id).await.max_retries, RetryPolicy::RETRIES);
    let edit = JobEdit { job_type: Some("mail".to_owned()), ..JobEdit::default() };
    world.store.edit(id, edit).await.expect("the job waits");
    assert_eq!(world.job(id).await.max_retries, 7);
}

pub async fn a_job_that_ran_before_its_type_was_known_keeps_what_it_has<H: Harness>() {
    let world = World::<H>::new();
    let id = world.insert_plainly(&plain("work"));
    let worker_id = world.worker().await;
    let lease = world.claim(&worker_id, 1).await.pop().expect("it is ready");
    register(&world, [TypeSettings { job_type: "work".to_owned(), ..settings("mail") }]).await;
    world.reclaim().await;
    let job = world.job(id).await;
    assert_eq!((job.queue.as_str(), job.priority, job.status), ("default", Priority::NORMAL, Status::Running));
    world.finish(&worker_id, ended(&lease).retrying(seconds(1))).await;
    assert_eq!(world.job(id).await.status, Status::Retrying, "it ends in the queue where it is counted");
}

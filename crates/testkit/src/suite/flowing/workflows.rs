use std::sync::Arc;
use std::time::Duration;

use longshore_core::{
    Awaited, BatchStatus, Console, Filter, Interest, InvalidJob, InvalidWorkflow, JobData, JobId, Limits,
    NewDependency, NewJob, NewWorkflow, OnDuplicate, QueueLimit, QueueScope, Selection, Status, Store, StoreError,
    ValidWorkflowJob, WorkflowBatch, WorkflowJob, WorkflowPlace, Workflows, stream_of,
};

use crate::job;
use crate::suite::flowing::{advance, batch_status, closed, complete, enqueue, jobs_of, named, on, try_enqueue};
use crate::suite::{Harness, World};

pub async fn a_workflow_gets_its_batch_and_the_ids_of_its_references<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let jobs = vec![named("a"), named("b").after(on("a")), WorkflowJob::new(job()).after(on("b"))];
    let flow = enqueue(&world, closed("import 42"), jobs).await;
    assert_eq!((flow.inserted, flow.ids.len()), (3, 2));
    let listed = jobs_of(&world, flow.batch()).await;
    let names: Vec<_> = listed.iter().map(|job| job.reference.as_deref()).collect();
    assert_eq!(names, [Some("a"), Some("b"), None]);
    assert_eq!(listed[1].id, flow.id("b"));
    let record = world.store.batch(flow.batch()).await.unwrap().unwrap();
    assert_eq!((record.name.as_str(), record.counts.members, record.callbacks), ("import 42", 3, 0));
}

pub async fn a_job_shows_its_batch_and_its_reference<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let flow = enqueue(&world, closed("import"), vec![named("a")]).await;
    let WorkflowPlace { batch_id, reference, .. } = world.detail(flow.id("a")).await.place;
    assert_eq!((batch_id, reference.as_deref()), (Some(flow.batch()), Some("a")));
    let plain = world.enqueue(job()).await;
    assert_eq!(world.detail(plain).await.place, WorkflowPlace::default());
}

pub async fn a_workflow_without_a_batch_runs_in_order<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let jobs = vec![named("a"), named("b").after(on("a")), named("c").after(on("b"))];
    let flow = enqueue(&world, WorkflowBatch::None, jobs).await;
    assert_eq!(flow.batch_id, None);
    for reference in ["a", "b", "c"] {
        assert_eq!(world.claim(&worker_id, 0).await.len(), 0);
        complete(&world, &worker_id, flow.id(reference)).await;
    }
}

pub async fn an_unknown_dependency_leaves_nothing_behind<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let unknown = NewDependency::on(Awaited::Job(JobId(4_000)));
    let jobs = vec![named("a"), WorkflowJob::new(job()).after(unknown)];
    let error = try_enqueue(&world, closed("import"), jobs).await.unwrap_err();
    assert!(matches!(error, StoreError::UnknownDependency { job: JobId(4_000) }), "{error}");
    assert_eq!(world.count().await, 0);
    let batches = longshore_core::BatchesRequest { statuses: None, before: None, limit: 10 };
    assert_eq!(world.store.batches(batches).await.unwrap(), []);
}

pub async fn a_stream_that_breaks_off_leaves_nothing_behind<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let good = NewWorkflow { batch: closed("import"), jobs: vec![named("a")] }.check(&Limits::default()).unwrap();
    let (batch, jobs) = good.into_parts();
    let broken = Err(StoreError::Aborted { source: "line 2 is no job".into() });
    let items: Vec<Result<ValidWorkflowJob, StoreError>> = jobs.into_iter().map(Ok).chain([broken]).collect();
    let error = world.store.enqueue_workflow_stream(batch, stream_of(items)).await.unwrap_err();
    assert_eq!(error.to_string(), "line 2 is no job");
    assert_eq!(world.count().await, 0);
}

pub async fn what_the_check_refuses_is_told_apart<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let error = try_enqueue(&world, closed("import"), vec![named("b").after(on("a"))]).await.unwrap_err();
    let StoreError::InvalidWorkflow(InvalidWorkflow::UnknownReference { reference }) = &error else {
        panic!("{error}");
    };
    assert_eq!((reference.as_str(), error.code()), ("a", "invalid_workflow"));
    let nameless = WorkflowJob::new(NewJob::new("", JobData::default()));
    let error = try_enqueue(&world, closed("import"), vec![nameless]).await.unwrap_err();
    let is_name = matches!(error, StoreError::InvalidWorkflow(InvalidWorkflow::Job(InvalidJob::Name { .. })));
    assert!(is_name, "{error}");
}

pub async fn a_large_workflow_is_enqueued_whole<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let mut jobs = vec![named("first")];
    jobs.extend((0..1500).map(|number| named(&format!("part {number}")).after(on("first"))));
    let flow = enqueue(&world, closed("large"), jobs).await;
    assert_eq!((flow.inserted, flow.ids.len()), (1501, 1501));
    let blocked = Selection::from(Filter::all().statuses([Status::Blocked]));
    assert_eq!(world.store.count(blocked).await.unwrap(), 1500);
    assert_eq!(batch_status(&world, flow.batch()).await, BatchStatus::Running);
}

pub async fn a_job_whose_unique_key_is_taken_means_the_other_job<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let other = world.enqueue(job().unique_key("k")).await;
    let duplicate = WorkflowJob::new(job().unique_key("k")).named("a");
    let flow = enqueue(&world, closed("import"), vec![duplicate, named("b").after(on("a"))]).await;
    assert_eq!((flow.inserted, flow.id("a")), (1, other));
    assert_eq!(world.detail(other).await.place.batch_id, None);
    complete(&world, &worker_id, other).await;
    complete(&world, &worker_id, flow.id("b")).await;
    assert_eq!(batch_status(&world, flow.batch()).await, BatchStatus::Completed);
}

pub async fn jobs_without_dependencies_run_as_ever<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    enqueue(&world, closed("import"), vec![named("a").after(on_nobody(&world).await)]).await;
    let plain = world.enqueue(job()).await;
    let lease = world.claim_one(&worker_id).await;
    assert!(!lease.has_dependencies || lease.id != plain);
    assert_eq!(advance(&world).await, 1);
}

/// A dependency on a job of another type, which no worker runs.
async fn on_nobody<H: Harness>(world: &World<H>) -> NewDependency {
    let other = world.enqueue(NewJob::new("other", JobData::default())).await;
    NewDependency::on(Awaited::Job(other))
}

pub async fn a_lease_says_whether_its_job_had_dependencies<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let flow = enqueue(&world, WorkflowBatch::None, vec![named("a"), named("b").after(on("a"))]).await;
    let first = world.claim_one(&worker_id).await;
    assert_eq!((first.id, first.has_dependencies), (flow.id("a"), false));
    world.complete(&worker_id, &first).await;
    advance(&world).await;
    let second = world.claim_one(&worker_id).await;
    assert_eq!((second.id, second.has_dependencies), (flow.id("b"), true));
    world.complete(&worker_id, &second).await;
    let child = world.enqueue(job().parent(second.id)).await;
    let third = world.claim_one(&worker_id).await;
    assert_eq!((third.id, third.has_dependencies), (child, true));
}

/// Its producer has chosen its queue and its priority, so it does not wait until a worker has registered its type.
pub async fn a_job_of_a_workflow_awaits_no_settings_of_its_type<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let parent = world.enqueue(job()).await;
    let keyed = WorkflowJob::new(job().unique_key("k")).named("keyed");
    let child = WorkflowJob::new(job().parent(parent)).named("child");
    let flow = enqueue(&world, closed("import"), vec![named("plain"), keyed, child]).await;
    for reference in ["plain", "keyed", "child"] {
        let facts = world.store.waiting_facts(flow.id(reference)).await.unwrap().unwrap();
        assert!(!facts.job.awaits_settings, "{reference}");
    }
}

/// It may have another type now, whose workers would find it only with their next look.
pub async fn a_job_that_a_workflow_replaces_wakes_who_could_claim_it<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let older = world.enqueue(NewJob::new("older", JobData::default()).queue("of older").unique_key("k")).await;
    let scope = QueueScope::Only(vec![QueueLimit { queue: "of older".to_owned(), limit: 1 }]);
    let mut wakeups = world.store.wakeups(Interest::Jobs { job_types: Arc::new([job().job_type]), scope });
    let newer = NewJob { on_duplicate: OnDuplicate::Replace, ..job().unique_key("k") };
    let flow = enqueue(&world, closed("import"), vec![WorkflowJob::new(newer).named("newer")]).await;
    assert_eq!((flow.id("newer"), world.job(older).await.job_type), (older, job().job_type));
    tokio::time::timeout(Duration::from_secs(60), wakeups.changed()).await.expect("the hint comes");
}

//! What the tables of workflows must do beside other sessions: nobody waits for an open transaction, a large fan-out is
//! released in bounded steps, and a callback runs once whoever settles.

#[path = "support/template.rs"]
mod template;

use std::time::{Duration, Instant};

use longshore_core::{
    Action, Advanced, Awaited, BatchId, BatchStatus, Console, EnqueuedWorkflow, JobId, Lease, Limits, Needs,
    NewDependency, NewWorkflow, Otherwise, Selection, Status, Store, WorkerId, WorkerSession, WorkflowBatch,
    WorkflowJob, Workflows,
};
use longshore_postgres::{PostgresOptions, PostgresStore, enqueue_workflow_in};
use longshore_testkit::{claim, ended, job, worker};
use longshore_testkit_postgres::TestDatabase;

const PATIENCE: Duration = Duration::from_secs(60);

struct Scene {
    database: TestDatabase,
    store: PostgresStore,
    worker_id: WorkerId,
    _session: Box<dyn WorkerSession>,
}

impl Scene {
    async fn new() -> Self {
        let database = template::migrated();
        let store = open(&database);
        let registration = worker().lease(Duration::from_secs(600)).registration();
        let worker_id = registration.worker_id.clone();
        let session = store.register(registration).await.expect("a worker can be registered");
        Self { database, store, worker_id, _session: session }
    }

    async fn enqueue(&self, batch: WorkflowBatch, jobs: Vec<WorkflowJob>) -> EnqueuedWorkflow {
        let workflow = NewWorkflow { batch, jobs }.check(&Limits::default()).expect("the workflow is acceptable");
        self.store.enqueue_workflow(workflow).await.expect("a workflow can be enqueued")
    }

    async fn claim(&self, limit: u32) -> Vec<Lease> {
        self.store.claim(claim(&self.worker_id, limit)).await.expect("the worker may claim").leases
    }

    async fn complete(&self, leases: &[Lease]) {
        let records: Vec<_> = leases.iter().map(|lease| ended(lease).completed()).collect();
        self.store.record(self.worker_id.clone(), records.into()).await.expect("outcomes can be written");
    }

    async fn status(&self, id: JobId) -> Status {
        self.store.job(id).await.expect("jobs can be read").expect("it exists").job.status
    }

    async fn batch_status(&self, id: BatchId) -> BatchStatus {
        self.store.batch(id).await.expect("batches can be read").expect("it exists").status
    }

    /// How many rows a table has.
    async fn rows(&self, sql: &str) -> i64 {
        self.database.connect().await.query_one(sql, &[]).await.expect("it can be read").get(0)
    }
}

fn open(database: &TestDatabase) -> PostgresStore {
    PostgresStore::connect_lazily(PostgresOptions::new(database.config())).expect("a thread can be started")
}

fn new_batch() -> WorkflowBatch {
    WorkflowBatch::New { name: "import".to_owned(), is_open: false }
}

fn line() -> WorkflowJob {
    WorkflowJob::new(job())
}

fn on(reference: &str) -> NewDependency {
    NewDependency::on(Awaited::Reference(reference.to_owned()))
}

fn on_batch(needs: Needs) -> NewDependency {
    NewDependency::needing(Awaited::Batch, needs)
}

#[tokio::test]
async fn a_callback_runs_when_the_last_member_ends() {
    let scene = Scene::new().await;
    let jobs = vec![line(), line(), line().named("callback").after(on_batch(Needs::Completed))];
    let enqueued = scene.enqueue(new_batch(), jobs).await;
    let (batch, callback) = (enqueued.batch_id.expect("there is a batch"), enqueued.ids["callback"]);
    let leases = scene.claim(10).await;
    assert_eq!(leases.len(), 2);
    scene.complete(&leases[..1]).await;
    assert_eq!(
        (scene.status(callback).await, scene.batch_status(batch).await),
        (Status::Blocked, BatchStatus::Running)
    );
    scene.complete(&leases[1..]).await;
    assert_eq!(scene.batch_status(batch).await, BatchStatus::Completed);
    assert_eq!(scene.status(callback).await, Status::Pending);
    assert_eq!(scene.rows("SELECT count(*) FROM longshore.unsettled").await, 0);
}

#[tokio::test]
async fn a_job_waits_for_two_others_and_knows_it() {
    let scene = Scene::new().await;
    let jobs = vec![line().named("a"), line().named("b"), line().named("c").after(on("a")).after(on("b"))];
    let ids = scene.enqueue(WorkflowBatch::None, jobs).await.ids;
    let leases = scene.claim(10).await;
    scene.complete(&leases[..1]).await;
    assert_eq!(scene.status(ids["c"]).await, Status::Blocked);
    scene.complete(&leases[1..]).await;
    let lease = scene.claim(10).await.pop().expect("it may run");
    assert_eq!((lease.id, lease.has_dependencies), (ids["c"], true));
    assert!(leases.iter().all(|lease| !lease.has_dependencies));
}

#[tokio::test]
async fn a_job_that_was_given_up_comes_back_with_what_it_waited_for() {
    let scene = Scene::new().await;
    let jobs = vec![line().named("a"), line().named("b").after(on("a")), line().named("c").after(on("b"))];
    let enqueued = scene.enqueue(new_batch(), jobs).await;
    let ids = enqueued.ids;
    let lease = scene.claim(1).await.pop().expect("there is a job");
    let record = ended(&lease).dead_letter();
    scene.store.record(scene.worker_id.clone(), [record].into()).await.expect("outcomes can be written");
    assert_eq!((scene.status(ids["b"]).await, scene.status(ids["c"]).await), (Status::DeadLetter, Status::DeadLetter));
    let batch = enqueued.batch_id.expect("there is a batch");
    assert_eq!(scene.batch_status(batch).await, BatchStatus::Failed);
    scene.store.act(Selection::job(ids["a"]), Action::Retry).await.expect("jobs can be retried");
    assert_eq!((scene.status(ids["b"]).await, scene.status(ids["c"]).await), (Status::Blocked, Status::Blocked));
    assert_eq!(scene.batch_status(batch).await, BatchStatus::Running);
    for _ in 0..3 {
        let leases = scene.claim(10).await;
        assert_eq!(leases.len(), 1);
        scene.complete(&leases).await;
    }
    assert_eq!(scene.batch_status(batch).await, BatchStatus::Completed);
}

/// The end of the one job costs the same as any other; the rest follows in steps.
#[tokio::test]
async fn many_jobs_that_wait_for_one_are_released_in_bounded_steps() {
    const WAITING: usize = 12_000;
    let scene = Scene::new().await;
    let mut jobs = vec![line().named("a")];
    jobs.extend((0..WAITING).map(|_| line().after(on("a"))));
    scene.enqueue(new_batch(), jobs).await;
    let leases = scene.claim(10).await;
    scene.complete(&leases).await;
    let blocked = "SELECT count(*) FROM longshore.blocked";
    let left = scene.rows(blocked).await;
    assert!((1..WAITING as i64).contains(&left), "{left} are left");
    let begun = Instant::now();
    loop {
        let Advanced { moved, has_more } = scene.store.advance_workflows().await.expect("steps can be taken");
        assert!(moved <= 3000, "one step moved {moved}");
        if !has_more {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "it does not end");
    }
    assert_eq!(scene.rows(blocked).await, 0);
    assert_eq!(scene.rows("SELECT count(*) FROM longshore.ready").await, WAITING as i64);
}

#[tokio::test]
async fn two_stores_that_end_the_members_at_once_run_the_callback_once() {
    let scene = Scene::new().await;
    for _ in 0..10 {
        let mut jobs: Vec<WorkflowJob> = (0..16).map(|_| line()).collect();
        jobs.push(line().named("callback").after(on_batch(Needs::Ended)));
        let enqueued = scene.enqueue(new_batch(), jobs).await;
        let leases = scene.claim(16).await;
        assert_eq!(leases.len(), 16);
        let other = open(&scene.database);
        let ending = leases.chunks(1).enumerate().map(|(place, leases)| {
            let store = if place % 2 == 0 { scene.store.clone() } else { other.clone() };
            let (worker_id, record) = (scene.worker_id.clone(), ended(&leases[0]).completed());
            tokio::spawn(async move { store.record(worker_id, [record].into()).await })
        });
        for ended in ending.collect::<Vec<_>>() {
            ended.await.expect("it ends").expect("outcomes can be written");
        }
        while scene.store.advance_workflows().await.expect("steps can be taken").has_more {}
        assert_eq!(scene.batch_status(enqueued.batch_id.expect("it has one")).await, BatchStatus::Completed);
        let leases = scene.claim(16).await;
        assert_eq!(leases.iter().map(|lease| lease.id).collect::<Vec<_>>(), [enqueued.ids["callback"]]);
        scene.complete(&leases).await;
    }
}

#[tokio::test]
async fn a_workflow_in_the_callers_transaction_exists_if_that_commits() {
    let scene = Scene::new().await;
    let mut client = scene.database.connect().await;
    for is_kept in [false, true] {
        let transaction = client.transaction().await.expect("a transaction begins");
        let older = scene.store.enqueue(vec![job()]).await.expect("a job can be enqueued")[0].id;
        let leases = scene.claim(1).await;
        scene.complete(&leases).await;
        let jobs = vec![
            line().named("a"),
            line().named("b").after(on("a")),
            line().named("c").after(NewDependency::on(Awaited::Job(older))),
        ];
        let enqueued = enqueue_workflow_in(&transaction, NewWorkflow { batch: new_batch(), jobs });
        let enqueued = enqueued.await.expect("a workflow can be enqueued");
        assert_eq!(enqueued.inserted, 3);
        if !is_kept {
            transaction.rollback().await.expect("it is rolled back");
            assert!(scene.claim(10).await.is_empty());
            continue;
        }
        transaction.commit().await.expect("it commits");
        scene.store.reclaim().await.expect("it can be looked");
        let ids: Vec<JobId> = scene.claim(10).await.iter().map(|lease| lease.id).collect();
        assert_eq!(ids, [enqueued.ids["a"], enqueued.ids["c"]]);
        assert_eq!(scene.status(enqueued.ids["b"]).await, Status::Blocked);
    }
}

/// Only what concerns the batch of that transaction is left to a later look.
#[tokio::test]
async fn a_transaction_that_adds_members_and_stays_open_keeps_no_other_batch_waiting() {
    let scene = Scene::new().await;
    let open_batch = WorkflowBatch::New { name: "open".to_owned(), is_open: true };
    let grown = scene.enqueue(open_batch, vec![line()]).await.batch_id.expect("it has one");
    let other = scene.enqueue(new_batch(), vec![line()]).await.batch_id.expect("it has one");
    let mut client = scene.database.connect().await;
    let transaction = client.transaction().await.expect("a transaction begins");
    let existing = WorkflowBatch::Existing { id: grown, by: None };
    let added = enqueue_workflow_in(&transaction, NewWorkflow { batch: existing, jobs: vec![line()] });
    assert_eq!(added.await.expect("jobs can be added").inserted, 1);
    let leases = scene.claim(10).await;
    scene.complete(&leases).await;
    assert_eq!(scene.batch_status(other).await, BatchStatus::Completed);
    transaction.commit().await.expect("it commits");
    while scene.store.advance_workflows().await.expect("steps can be taken").has_more {}
    let batch = scene.store.batch(grown).await.expect("it can be read").expect("it exists");
    assert_eq!((batch.counts.members, batch.counts.completed, batch.status), (2, 1, BatchStatus::Open));
}

#[tokio::test]
async fn an_attempt_that_ends_while_others_begin_to_wait_for_its_job_releases_them() {
    let scene = Scene::new().await;
    for _ in 0..20 {
        scene.store.enqueue(vec![job()]).await.expect("a job can be enqueued");
        let lease = scene.claim(1).await.pop().expect("there is a job");
        let after = NewDependency::on(Awaited::Job(lease.id)).or_else(Otherwise::Wait);
        let store = scene.store.clone();
        let (worker_id, record) = (scene.worker_id.clone(), ended(&lease).completed());
        let ending = tokio::spawn(async move { store.record(worker_id, [record].into()).await });
        let ids = scene.enqueue(WorkflowBatch::None, vec![line().named("b").after(after)]).await.ids;
        ending.await.expect("it ends").expect("outcomes can be written");
        while scene.store.advance_workflows().await.expect("steps can be taken").has_more {}
        assert_eq!(scene.status(ids["b"]).await, Status::Pending);
        let leases = scene.claim(1).await;
        scene.complete(&leases).await;
    }
}

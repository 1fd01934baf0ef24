//! Rows that other programs or half a restored back-up have left: jobs without a state, states without a job, workers
//! that nobody knows or needs.

#[path = "support/template.rs"]
mod template;

use std::time::Duration;

use longshore_core::{
    Action, Console, DeadLetterCode, Filter, JobId, Lease, Maintained, Maintenance, Record, Retention, Selection,
    Status, Store, StuckCause, StuckJob, WorkerId, WorkerSession,
};
use longshore_postgres::{PostgresOptions, PostgresStore};
use longshore_testkit::{claim, ended, job, worker};
use longshore_testkit_postgres::TestDatabase;

struct Scene {
    database: TestDatabase,
    store: PostgresStore,
    worker_id: WorkerId,
    session: Box<dyn WorkerSession>,
}

impl Scene {
    async fn new() -> Self {
        let database = template::migrated();
        let store = store(&database);
        let registration = worker().lease(Duration::from_secs(600)).registration();
        let worker_id = registration.worker_id.clone();
        let session = store.register(registration).await.expect("a worker can be registered");
        Self { database, store, worker_id, session }
    }

    async fn enqueue(&self, count: usize) -> Vec<JobId> {
        let enqueued = self.store.enqueue(vec![job(); count]).await.expect("the jobs are acceptable");
        enqueued.into_iter().map(|enqueued| enqueued.id).collect()
    }

    async fn claim(&self) -> Vec<Lease> {
        self.store.claim(claim(&self.worker_id, 10)).await.expect("the worker may claim").leases
    }

    async fn keep_house(&self) -> Maintained {
        keep_house(&self.store).await
    }

    async fn stuck(&self) -> Vec<StuckJob> {
        self.store.health().await.expect("health can be read").stuck
    }

    fn number(&self, sql: &str) -> i64 {
        self.database.sql(sql)[0][0].as_deref().expect("it is a number").parse().expect("it is a number")
    }
}

fn store(database: &TestDatabase) -> PostgresStore {
    PostgresStore::connect_lazily(PostgresOptions::new(database.config())).expect("a thread can be started")
}

async fn keep_house(store: &PostgresStore) -> Maintained {
    let forever =
        Maintenance { retention: Retention::Forever, dead_letter_retention: Retention::Forever, rows_max: 1000 };
    store.maintain(forever).await.expect("house can be kept")
}

fn unusable(id: JobId) -> StuckJob {
    StuckJob { id, cause: StuckCause::UnusableRow }
}

#[tokio::test]
async fn ready_rows_without_a_job_are_named_and_go_so_that_the_jobs_behind_them_run() {
    let scene = Scene::new().await;
    let job_type = job().job_type;
    scene.database.sql(&format!(
        "INSERT INTO longshore.ready (job_type, queue, rank, again, id, ready_at)
         SELECT '{job_type}', 'default', -5, false, nextval('longshore.job_id'), longshore.now() FROM generate_series(1, 60);
         INSERT INTO longshore.change (queue, pending) VALUES ('default', 60)"
    ));
    let id = scene.enqueue(1).await[0];
    let stuck = scene.stuck().await;
    assert_eq!((stuck.len(), stuck[0]), (60, unusable(JobId(1))));
    assert_eq!(scene.keep_house().await.settled, 60);
    let leases: Vec<JobId> = scene.claim().await.iter().map(|lease| lease.id).collect();
    assert_eq!(leases, [id]);
    assert_eq!(scene.stuck().await, []);
    assert_eq!(scene.keep_house().await.reconciled, 0, "the counts are right");
}

#[tokio::test]
async fn the_row_of_any_state_goes_if_there_is_no_job() {
    let scene = Scene::new().await;
    scene.enqueue(3).await;
    scene.database.sql(
        "INSERT INTO longshore.later (id, job_type, queue, due_at, is_retry) VALUES (901, 'a', 'q', longshore.now(), true);
         INSERT INTO longshore.blocked (id, parent_job_id, queue) VALUES (902, 1, 'q');
         INSERT INTO longshore.running (id, claim_number, worker, job_type, queue, started_at, ready_at)
         VALUES (903, 1, 1, 'a', 'q', longshore.now(), longshore.now());
         INSERT INTO longshore.ended (id, status, queue, ended_at) VALUES (904, 1, 'q', longshore.now()),
             (905, 2, 'q', longshore.now()), (906, 3, 'q', longshore.now());
         INSERT INTO longshore.unique_key (unique_key, id) VALUES ('taken', 901);
         INSERT INTO longshore.change (queue, retrying, blocked, running, completed, cancelled, dead_letter)
         VALUES ('q', 1, 1, 1, 1, 1, 1)",
    );
    assert_eq!(scene.keep_house().await.settled, 6);
    for table in ["later", "blocked", "running", "ended", "unique_key"] {
        assert_eq!(scene.number(&format!("SELECT count(*) FROM longshore.{table}")), 0, "{table}");
    }
    assert_eq!(scene.store.count(Filter::all().into()).await.expect("jobs can be counted"), 3);
    let maintained = scene.keep_house().await;
    assert_eq!((maintained.settled, maintained.reconciled), (0, 0));
}

#[tokio::test]
async fn in_a_long_sweep_every_tenth_step_looks_for_strays() {
    let scene = Scene::new().await;
    for _ in 0..2 {
        scene.enqueue(10).await;
        let records: Vec<Record> = scene.claim().await.iter().map(|lease| ended(lease).completed()).collect();
        scene.store.record(scene.worker_id.clone(), records.into()).await.expect("it can be written");
    }
    // Each step looks at one ended job.
    let slowly = Maintenance {
        retention: Retention::After(Duration::from_secs(3600)),
        dead_letter_retention: Retention::Forever,
        rows_max: 1,
    };
    let mut settled = Vec::new();
    for step in 0..12 {
        scene.database.sql(&format!(
            "INSERT INTO longshore.ended (id, status, queue, ended_at) VALUES ({}, 1, 'q', longshore.now())",
            901 + step
        ));
        let maintained = scene.store.maintain(slowly).await.expect("house can be kept");
        assert!(maintained.has_more, "step {step}");
        settled.push(maintained.settled);
    }
    assert_eq!(settled, [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 0]);
    while scene.store.maintain(slowly).await.expect("house can be kept").has_more {}
    let stray = "INSERT INTO longshore.ended (id, status, queue, ended_at) VALUES (990, 1, 'q', longshore.now())";
    scene.database.sql(stray);
    let begun = scene.store.maintain(slowly).await.expect("house can be kept");
    assert!(begun.settled > 0, "the first step of the next sweep looks, too");
}

#[tokio::test]
async fn a_job_without_a_state_is_named_and_becomes_a_dead_letter_after_an_hour() {
    let scene = Scene::new().await;
    let [young, old, waiting] = scene.enqueue(3).await[..] else { panic!("three jobs") };
    scene.database.sql(&format!(
        "DELETE FROM longshore.ready WHERE id IN ({young}, {old});
         INSERT INTO longshore.change (queue, pending) VALUES ('default', -2);
         UPDATE longshore.job SET created_at = created_at - interval '2 hours' WHERE id IN ({old}, {waiting})"
    ));
    assert_eq!(scene.stuck().await, [unusable(young), unusable(old)]);
    assert_eq!(scene.keep_house().await.settled, 1);
    let detail = scene.store.job(old).await.expect("jobs can be read").expect("it is shown again");
    assert_eq!(detail.job.status, Status::DeadLetter);
    let reason = detail.job.dead_letter_reason.expect("a dead letter has a reason");
    assert!(reason.starts_with(DeadLetterCode::Refused.as_str()), "{reason}");
    assert_eq!(scene.store.job(young).await.expect("jobs can be read"), None, "its program may not be done");
    assert_eq!(scene.keep_house().await.reconciled, 0, "the counts are right");
    // A person decides.
    let retried = scene.store.act(Selection::job(old), Action::Retry).await.expect("actions can be taken");
    assert_eq!(retried.touched, 1);
    assert_eq!(scene.claim().await.len(), 2);
}

/// Another program wrote another priority into one of the two.
#[tokio::test]
async fn a_job_in_another_place_than_its_body_says_is_run_and_not_buried() {
    let scene = Scene::new().await;
    let id = scene.enqueue(1).await[0];
    scene.database.sql(
        "UPDATE longshore.ready SET rank = -9;
         UPDATE longshore.job SET created_at = created_at - interval '2 hours'",
    );
    assert_eq!(scene.keep_house().await.settled, 0);
    let leases = scene.claim().await;
    assert_eq!(leases.iter().map(|lease| lease.id).collect::<Vec<_>>(), [id]);
}

#[tokio::test]
async fn jobs_of_a_worker_that_is_not_registered_are_taken_back() {
    let scene = Scene::new().await;
    let ids = scene.enqueue(3).await;
    assert_eq!(scene.claim().await.len(), 3);
    // A copy of the jobs without the workers, and without their claims.
    scene.database.sql("DELETE FROM longshore.worker; DELETE FROM longshore.claim; DELETE FROM longshore.started");
    let other = store(&scene.database);
    let mut reclaimed = 0;
    for _ in 0..5 {
        reclaimed += other.reclaim().await.expect("lost workers can be looked for").jobs;
    }
    assert_eq!(reclaimed, 3);
    for id in ids {
        let job = other.job(id).await.expect("jobs can be read").expect("it is there").job;
        assert_eq!(job.status, Status::Pending);
    }
}

#[tokio::test]
async fn the_names_of_workers_that_nothing_mentions_go_and_a_name_that_is_needed_comes_back() {
    let scene = Scene::new().await;
    scene.enqueue(1).await;
    let lease = scene.claim().await.pop().expect("there is a job");
    let completed = [ended(&lease).completed()].into();
    scene.store.record(scene.worker_id.clone(), completed).await.expect("outcomes can be written");
    // Another worker of this process, which has done nothing and is gone.
    let registration = worker().lease(Duration::from_secs(600)).registration();
    let idle = registration.worker_id.clone();
    drop(scene.store.register(registration.clone()).await.expect("a worker can be registered"));
    scene.store.retire(idle.clone()).await.expect("a worker can retire");
    scene.store.retire(scene.worker_id.clone()).await.expect("a worker can retire");
    scene.database.sql(
        "INSERT INTO longshore.worker_name (worker_id) SELECT 'w' || n FROM generate_series(1, 2500) AS n;
         INSERT INTO longshore.attempt (id, claim_number, attempt, worker, finished_at, outcome)
         VALUES (1, 1, 1, 7, longshore.now(), 'retrying')",
    );
    for _ in 0..4 {
        scene.keep_house().await;
    }
    assert_eq!(
        scene.number("SELECT count(*) FROM longshore.worker_name"),
        1002,
        "the newest, and two that are mentioned"
    );
    let shown = scene.database.sql("SELECT worker_id FROM longshore.job_queue");
    assert_eq!(shown[0][0].as_deref(), Some(scene.worker_id.as_str()));
    // Its process still remembers its number.
    let session = scene.store.register(registration).await.expect("it can be registered again");
    scene.enqueue(1).await;
    let leases = scene.store.claim(claim(&idle, 5)).await.expect("the worker may claim").leases;
    assert_eq!(leases.len(), 1);
    drop((session, scene.session));
}

/// As after a fail-over to a replica without the last commits: the store ended one of two jobs and then the other one,
/// with their claim, and the first of these ends is missing.
#[tokio::test]
async fn a_job_whose_claim_went_before_it_is_found_among_those_that_its_worker_holds() {
    let scene = Scene::new().await;
    scene.enqueue(2).await;
    let leases = scene.claim().await;
    let [lost, other] = &leases[..] else { panic!("{leases:?}") };
    let record = |lease: &Lease| scene.store.record(scene.worker_id.clone(), [ended(lease).completed()].into());
    record(other).await.expect("it is stored");
    scene.database.sql("DELETE FROM longshore.claim");
    let beyond = || scene.store.held_leases(scene.worker_id.clone(), Vec::new());
    assert_eq!(beyond().await.expect("the worker is registered"), []);
    scene.store.reclaim().await.expect("it can look for lost workers");
    let found = beyond().await.expect("the worker is registered");
    assert_eq!(
        found.iter().map(|lease| (lease.id, lease.claim_number)).collect::<Vec<_>>(),
        [(lost.id, lost.claim_number)]
    );
    record(lost).await.expect("its end is stored");
    scene.store.reclaim().await.expect("it can look for lost workers");
    assert_eq!(scene.number("SELECT count(*) FROM longshore.running"), 0);
}

//! What an operator relies on: foreign keys of the application, changes by hand beside a busy queue, and counts that add
//! up.

#[path = "support/template.rs"]
mod template;

use std::time::{Duration, Instant};

use longshore_core::{
    Action, Actioned, Console, Filter, JobId, JobKeeper, JobPageRequest, Lease, Maintenance, PageCursor, Priority,
    Refusal, Retention, Selection, Status, Store, WorkerId, WorkerSession,
};
use longshore_postgres::{PostgresOptions, PostgresStore};
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
        let options = PostgresOptions::new(database.config());
        let store = PostgresStore::connect_lazily(options).expect("a thread can be started");
        let registration = worker().lease(Duration::from_secs(600)).registration();
        let worker_id = registration.worker_id.clone();
        let session = store.register(registration).await.expect("a worker can be registered");
        Self { database, store, worker_id, _session: session }
    }

    async fn enqueue(&self, count: usize) -> Vec<JobId> {
        let enqueued = self.store.enqueue(vec![job(); count]).await.expect("the jobs are acceptable");
        enqueued.into_iter().map(|enqueued| enqueued.id).collect()
    }

    async fn claim(&self, limit: u32) -> Vec<Lease> {
        self.store.claim(claim(&self.worker_id, limit)).await.expect("the worker may claim").leases
    }

    async fn complete(&self, count: usize) -> Vec<JobId> {
        let ids = self.enqueue(count).await;
        let leases = self.claim(u32::try_from(count).expect("it is small")).await;
        let records: Vec<_> = leases.iter().map(|lease| ended(lease).completed()).collect();
        self.store.record(self.worker_id.clone(), records.into()).await.expect("outcomes can be written");
        ids
    }

    async fn act(&self, selection: impl Into<Selection>, action: Action) -> Actioned {
        self.store.act(selection.into(), action).await.expect("actions can be taken")
    }

    /// Waits until this number of sessions of the database wait for a lock.
    async fn wait_for_waiting(&self, sessions: i64) {
        let begun = Instant::now();
        let client = self.database.connect().await;
        let count = "SELECT count(*) FROM pg_stat_activity
                     WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while client.query_one(count, &[]).await.expect("it can be read").get::<_, i64>(0) < sessions {
            assert!(begun.elapsed() < PATIENCE, "nobody waits");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

const KEEP_HOUSE: Maintenance =
    Maintenance { retention: Retention::Forever, dead_letter_retention: Retention::Forever, rows_max: 100 };

#[tokio::test]
async fn a_foreign_key_of_the_application_keeps_its_job_and_no_other() {
    for key in ["", "DEFERRABLE INITIALLY DEFERRED"] {
        let scene = Scene::new().await;
        let ids = scene.complete(3).await;
        scene.database.sql(&format!(
            "CREATE TABLE note (job_id bigint REFERENCES longshore.job (id) {key}); INSERT INTO note VALUES ({})",
            ids[1]
        ));
        let keepers = scene.store.health().await.expect("health can be read").keepers;
        assert_eq!(keepers, [JobKeeper { table: "note".to_owned(), column: "job_id".to_owned(), jobs: 1 }]);
        let old = Maintenance { retention: Retention::After(Duration::ZERO), ..KEEP_HOUSE };
        tokio::time::sleep(Duration::from_millis(5)).await;
        let maintained = scene.store.maintain(old).await.expect("house can be kept");
        assert_eq!((maintained.pruned, maintained.kept), (2, 1), "{key}");
        let more = scene.enqueue(2).await;
        let actioned = scene.act(Filter::all(), Action::Delete).await;
        assert_eq!((actioned.touched, actioned.refused), (2, vec![Refusal::Constraint { id: ids[1] }]), "{key}");
        assert!(scene.store.job(ids[1]).await.expect("jobs can be read").is_some());
        assert_eq!(scene.store.job(more[0]).await.expect("jobs can be read"), None);
        scene.database.sql("DROP TABLE note");
        assert_eq!(scene.act(Filter::all(), Action::Delete).await.touched, 1);
    }
}

#[tokio::test]
async fn a_page_looks_at_as_many_jobs_as_it_may_and_says_where_it_stopped() {
    let scene = Scene::new().await;
    let rare = scene.store.enqueue(vec![job().queue("rare")]).await.expect("the job is acceptable")[0].id;
    let mut others = scene.enqueue(30).await;
    others.sort_unstable();
    let (mut found, mut ends, mut after) = (Vec::new(), Vec::new(), None);
    for _ in 0..4 {
        let selection = Filter::all().queues(["rare"]).into();
        let request = JobPageRequest { selection, after, limit: 5, looked_max: Some(10) };
        let page = scene.store.jobs(request).await.expect("jobs can be read");
        found.push(page.jobs.iter().map(|job| job.id).collect::<Vec<_>>());
        ends.push(page.next.as_ref().map(PageCursor::id));
        after = page.next;
    }
    assert_eq!(found, [vec![], vec![], vec![], vec![rare]]);
    assert_eq!(ends, [Some(others[20]), Some(others[10]), Some(others[0]), None]);
}

/// The outcome's statement has read the old priority before it waits for the lock of the action.
#[tokio::test]
async fn a_job_that_comes_back_while_its_priority_changes_stands_at_its_new_place() {
    let scene = Scene::new().await;
    let id = scene.enqueue(1).await[0];
    let lease = scene.claim(1).await.pop().expect("there is a job");
    let mut other = scene.database.connect().await;
    let body = other.transaction().await.expect("a transaction begins");
    body.execute("SELECT 1 FROM longshore.job WHERE id = $1 FOR UPDATE", &[&id.0]).await.expect("it is there");
    let (store, worker_id) = (scene.store.clone(), scene.worker_id.clone());
    let acting = tokio::spawn({
        let store = store.clone();
        async move { store.act(Selection::job(id), Action::Reprioritise(Priority::URGENT)).await }
    });
    scene.wait_for_waiting(1).await;
    let returning = tokio::spawn(async move { store.record(worker_id, [ended(&lease).returned()].into()).await });
    scene.wait_for_waiting(2).await;
    body.commit().await.expect("it commits");
    assert_eq!(acting.await.expect("it ends").expect("actions can be taken").touched, 1);
    returning.await.expect("it ends").expect("outcomes can be written");
    // The answer of the action comes after the job was moved to its new place.
    let found = scene.store.job(id).await.expect("jobs can be read").expect("it is there").job;
    assert_eq!((found.status, found.priority), (Status::Pending, Priority::URGENT));
    let normal = scene.enqueue(1).await[0];
    let claimed: Vec<JobId> = scene.claim(9).await.iter().map(|lease| lease.id).collect();
    assert_eq!(claimed, [id, normal]);
}

#[tokio::test]
async fn counts_add_up_while_they_are_folded_beside_producers_and_actions() {
    let scene = Scene::new().await;
    let producers: Vec<_> = (0..4)
        .map(|_| {
            let store = scene.store.clone();
            tokio::spawn(async move {
                for _ in 0..25 {
                    store.enqueue(vec![job()]).await.expect("the jobs are acceptable");
                    store.enqueue(vec![job().queue("other"); 3]).await.expect("the jobs are acceptable");
                }
            })
        })
        .collect();
    for _ in 0..10 {
        let maintained = scene.store.maintain(KEEP_HOUSE).await.expect("house can be kept");
        assert_eq!(maintained.reconciled, 0, "a store's own counts are never wrong");
        scene.act(Filter::all().queues(["other"]).statuses([Status::Pending]), Action::Cancel).await;
    }
    for producer in producers {
        producer.await.expect("it ends");
    }
    scene.store.maintain(KEEP_HOUSE).await.expect("house can be kept");
    let left = scene.database.sql("SELECT count(*) FROM longshore.change");
    assert_eq!(left[0][0].as_deref(), Some("0"));
    for status in [Status::Pending, Status::Cancelled] {
        let counted = scene.store.count(Filter::all().statuses([status]).into()).await.expect("jobs can be counted");
        // A filter by type is counted row by row.
        let filter = Filter::all().statuses([status]).job_types([job().job_type]);
        assert_eq!(scene.store.count(filter.into()).await.expect("jobs can be counted"), counted, "{status}");
    }
    assert_eq!(scene.store.count(Filter::all().into()).await.expect("jobs can be counted"), 400);
}

#[tokio::test]
async fn two_operators_who_move_the_same_jobs_move_each_once() {
    let scene = Scene::new().await;
    scene.enqueue(200).await;
    let all = || Selection::from(Filter::all().statuses([Status::Pending]));
    let other = PostgresStore::connect_lazily(PostgresOptions::new(scene.database.config())).expect("it starts");
    let (first, second) = tokio::join!(scene.store.act(all(), Action::Cancel), other.act(all(), Action::Cancel));
    let (first, second) = (first.expect("actions can be taken"), second.expect("actions can be taken"));
    assert_eq!((first.touched + second.touched, first.refused, second.refused), (200, vec![], vec![]));
    let cancelled = Filter::all().statuses([Status::Cancelled]);
    assert_eq!(scene.store.count(cancelled.into()).await.expect("jobs can be counted"), 200);
}

#[tokio::test]
async fn what_the_server_lacks_is_told() {
    let scene = Scene::new().await;
    let server = scene.store.health().await.expect("health can be read").server.expect("it is on a server");
    assert!(server.database_bytes > 0);
    assert!(server.tables_without_autovacuum.is_empty() && server.used_up_sequences.is_empty(), "{server:?}");
    assert!(server.missing_rights.is_empty(), "{server:?}");
    scene.database.sql("ALTER TABLE longshore.ready SET (autovacuum_enabled = false)");
    // Of the third range of ids.
    scene.database.sql("SELECT setval('longshore.job_id', 17592186044416 * 2 + 17592186044416 / 10 * 9)");
    let server = scene.store.health().await.expect("health can be read").server.expect("it is on a server");
    assert_eq!(server.tables_without_autovacuum, ["ready"]);
    assert_eq!(server.used_up_sequences, [("job_id".to_owned(), 90)]);
}
